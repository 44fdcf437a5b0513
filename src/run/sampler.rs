//! What a run holds in memory over time: a thread that asks the system and says `memory_sampled`, at most twice a second and at each new peak.
//! What is worth saying is decided in `sieve`; who holds it is counted in `memory::ledger`, what the system says is read in `memory::probe`.

mod sieve;

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::sieve::{BETWEEN, News, Sieve};
use super::log::LogSink;
use crate::event::{EventSink, MemorySampled, RunEvent, Warning, with_unaccounted};
use crate::memory::ledger::{Ledger, Phase};
use crate::memory::probe::{self, DeviceMemory};

/// How often the system is asked. What rises and falls in between is seen by the kernel, whose high-water mark goes with each sample.
const LOOK: Duration = Duration::from_millis(50);

/// Asks a device for its memory.
pub type DeviceProbe = Box<dyn FnMut() -> DeviceMemory + Send>;

/// The memory of one run as its job and its sampler share it.
#[derive(Clone, Default)]
pub struct MemoryWatch {
    /// Who holds what; the engine charges here.
    pub ledger: Ledger,
    settings: Arc<Mutex<Settings>>,
}

#[derive(Default)]
struct Settings {
    limit_bytes: Option<u64>,
    device: Option<DeviceProbe>,
}

impl MemoryWatch {
    /// What the run may hold, once it is known.
    pub fn set_limit(&self, bytes: u64) {
        self.settings().limit_bytes = Some(bytes);
    }

    /// How to ask the device that the run computes on, where it has memory of its own.
    pub fn set_device(&self, probe: DeviceProbe) {
        self.settings().device = Some(probe);
    }

    /// What the device says now, where there is one.
    pub fn ask_device(&self) -> Option<DeviceMemory> {
        self.settings().device.as_mut().map(|ask| ask())
    }

    fn settings(&self) -> std::sync::MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One look, without the machine's own memory: that is read for a sample that is said, and now and then.
    fn look(&self) -> Look {
        let host = probe::host_memory();
        let mut settings = self.settings();
        let (has_device, limit_bytes) = (settings.device.is_some(), settings.limit_bytes);
        let device = settings.device.as_mut().map(|ask| ask()).unwrap_or_default();
        drop(settings);
        // Where the weights live on the device, that is what the ledger's sum is compared with.
        let measured = if has_device {
            device.used_bytes.or(device.pool.map(|pool| pool.reserved_bytes))
        } else {
            host.used_bytes
        };
        let sample = MemorySampled {
            phase: self.ledger.phase(),
            used_bytes: host.used_bytes,
            peak_bytes: host.peak_bytes,
            limit_bytes,
            device_used_bytes: device.used_bytes,
            device_total_bytes: device.total_bytes,
            others_bytes: device.others_bytes,
            device_free_bytes: device.free_bytes,
            host_total_bytes: None,
            host_available_bytes: None,
            swap_bytes: host.swap_bytes,
            cgroup: None,
            gpu: device.gpu,
            pool: device.pool,
            by_category: with_unaccounted(self.ledger.by_category(), measured),
        };
        Look { sample, trouble: device.trouble }
    }
}

struct Look {
    sample: MemorySampled,
    /// Why the device could not be read.
    trouble: Option<String>,
}

fn with_machine(sample: MemorySampled) -> MemorySampled {
    let machine = probe::machine_memory();
    MemorySampled {
        host_total_bytes: machine.total_bytes,
        host_available_bytes: machine.available_bytes,
        cgroup: probe::cgroup_memory(),
        ..sample
    }
}

/// What is said of the looks of one segment.
#[derive(Default)]
struct Report {
    sieve: Sieve,
    news: News,
    /// The highest look while the model is read: nothing can be said yet.
    load: Option<MemorySampled>,
    machine_read: Option<Duration>,
    memory_told: bool,
    device_told: bool,
}

impl Report {
    /// A look before the run has started.
    fn loading(&mut self, look: Look) {
        let level = |sample: &MemorySampled| sieve::level(sample).0;
        let peak_bytes = look.sample.peak_bytes;
        if self.load.as_ref().is_none_or(|highest| level(&look.sample) > level(highest)) {
            self.load = Some(MemorySampled { phase: Phase::Load, ..with_machine(look.sample) });
        }
        // The kernel may have seen more since.
        if let Some(highest) = &mut self.load {
            highest.peak_bytes = highest.peak_bytes.max(peak_bytes);
        }
    }

    /// What the load's highest look says, once it can be said.
    fn loaded(&mut self, now: Duration) -> Option<RunEvent> {
        let sample = self.load.take()?;
        self.sieve.passes(now, &sample);
        Some(RunEvent::MemorySampled(self.news.only(sample)))
    }

    /// A look while the run goes on.
    fn running(&mut self, now: Duration, Look { mut sample, trouble }: Look) -> Vec<RunEvent> {
        let mut events: Vec<RunEvent> = self.loaded(now).into_iter().collect();
        if sample.used_bytes.is_none() && !std::mem::replace(&mut self.memory_told, true) {
            let detail = "the resident set of this process cannot be read here: memory is not measured".to_owned();
            events.push(RunEvent::Warning(Warning { kind: "memory_unreadable".into(), detail }));
        }
        if let Some(detail) = trouble
            && !std::mem::replace(&mut self.device_told, true)
        {
            events.push(RunEvent::Warning(Warning { kind: "device_unreadable".into(), detail }));
        }
        let machine_is_due = self.machine_read.is_none_or(|at| now.saturating_sub(at) >= BETWEEN);
        if machine_is_due {
            self.machine_read = Some(now);
            sample = with_machine(sample);
        }
        if self.sieve.passes(now, &sample) {
            let sample = if machine_is_due { sample } else { with_machine(sample) };
            self.sieve.told_free(&sample);
            events.push(RunEvent::MemorySampled(self.news.only(sample)));
        }
        events
    }
}

/// The thread that samples; it ends when this is dropped.
pub struct Sampler {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Looks until this is dropped. What the load held is said when the run has started, by its highest look.
    pub fn start(watch: MemoryWatch, mut sink: LogSink) -> Self {
        let (stop, stopped) = mpsc::channel();
        let body = move || {
            let begun = Instant::now();
            let mut report = Report::default();
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if sink.is_running() {
                    report.running(begun.elapsed(), watch.look()).into_iter().for_each(|event| sink.emit(event));
                } else if !sink.is_started() {
                    report.loading(watch.look());
                }
            }
            // A run that is over between two looks has its load told all the same.
            if sink.is_running() {
                report.loaded(begun.elapsed()).into_iter().for_each(|event| sink.emit(event));
            }
        };
        // Without the thread a run goes on unmeasured.
        let thread = std::thread::Builder::new().name("finetop-memory".into()).spawn(body).ok();
        Sampler { stop: Some(stop), thread }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::ledger::Category;
    use crate::memory::probe::PoolMemory;
    use crate::units::MIB;

    fn look(mib: u64) -> Look {
        let used_bytes = Some(mib * MIB);
        Look { sample: MemorySampled { used_bytes, peak_bytes: used_bytes, ..Default::default() }, trouble: None }
    }

    fn samples(events: &[RunEvent]) -> Vec<(Phase, Option<u64>, Option<u64>)> {
        let mib = |bytes: Option<u64>| bytes.map(|b| b / MIB);
        let said = |event: &RunEvent| match event {
            RunEvent::MemorySampled(s) => Some((s.phase, mib(s.used_bytes), mib(s.peak_bytes))),
            _ => None,
        };
        events.iter().filter_map(said).collect()
    }

    fn warnings(events: &[RunEvent]) -> Vec<&str> {
        let said = |event: &'_ RunEvent| matches!(event, RunEvent::Warning(_));
        let kind = |event| match event {
            &RunEvent::Warning(Warning { ref kind, .. }) => kind.as_str(),
            _ => "",
        };
        events.iter().filter(|e| said(e)).map(kind).collect()
    }

    #[test]
    fn the_highest_look_of_the_load_is_said_first() {
        let mut report = Report::default();
        for mib in [100, 700, 300] {
            report.loading(look(mib));
        }
        let mut last = look(250);
        last.sample.peak_bytes = Some(800 * MIB);
        report.loading(last);
        let said = report.running(Duration::from_secs(1), look(200));
        assert_eq!(samples(&said)[0], (Phase::Load, Some(700), Some(800)));
        assert_eq!(samples(&said)[1], (Phase::Idle, Some(200), Some(200)));
        assert!(report.loaded(Duration::from_secs(2)).is_none());
    }

    #[test]
    fn a_run_that_is_over_between_two_looks_has_its_load_told() {
        let mut report = Report::default();
        report.loading(look(100));
        assert_eq!(samples(&Vec::from_iter(report.loaded(Duration::ZERO))), [(Phase::Load, Some(100), Some(100))]);
    }

    #[test]
    fn what_cannot_be_read_is_said_once() {
        let mut report = Report::default();
        let broken = || Look { sample: MemorySampled::default(), trouble: Some("NVML: the GPU is lost".into()) };
        let said = report.running(Duration::ZERO, broken());
        assert_eq!(warnings(&said), ["memory_unreadable", "device_unreadable"]);
        for second in 1..30 {
            assert!(warnings(&report.running(Duration::from_secs(second), broken())).is_empty());
        }
    }

    #[test]
    fn a_said_sample_has_the_machine_beside_it() {
        let told = with_machine(look(500).sample);
        assert!(told.host_available_bytes <= told.host_total_bytes, "{told:?}");
        assert_eq!(told.host_total_bytes.is_some(), cfg!(target_os = "linux"));
    }

    #[test]
    fn what_the_ledger_does_not_know_is_unaccounted() {
        let watch = MemoryWatch::default();
        watch.set_limit(7);
        watch.set_device(Box::new(|| DeviceMemory { used_bytes: Some(1000), ..Default::default() }));
        let charge = watch.ledger.charge(Category::Adapter, 400);
        let sample = watch.look().sample;
        assert_eq!((sample.limit_bytes, sample.device_used_bytes, sample.others_bytes), (Some(7), Some(1000), None));
        assert_eq!(sample.by_category[&Category::Unaccounted], 600);
        drop(charge);
    }

    #[test]
    fn where_the_driver_does_not_know_us_the_pool_stands_beside_the_ledger() {
        let watch = MemoryWatch::default();
        let pool =
            PoolMemory { used_bytes: 900, used_high_bytes: 950, reserved_bytes: 1000, reserved_high_bytes: 1000 };
        watch.set_device(Box::new(move || DeviceMemory { pool: Some(pool), ..Default::default() }));
        let charge = watch.ledger.charge(Category::Adapter, 400);
        assert_eq!(watch.look().sample.by_category[&Category::Unaccounted], 600);
        // The process's own resident set is no measure of the device.
        watch.set_device(Box::new(DeviceMemory::default));
        assert!(!watch.look().sample.by_category.contains_key(&Category::Unaccounted));
        drop(charge);
    }

    #[test]
    fn a_live_look_is_within_the_kernels_own_peak() {
        let sample = MemoryWatch::default().look().sample;
        assert_eq!(sample.used_bytes.is_some(), cfg!(target_os = "linux"));
        assert!(sample.peak_bytes.is_none() || sample.used_bytes <= sample.peak_bytes, "{sample:?}");
    }
}
