//! What a run holds in memory over time: a thread that asks the system and says `memory_sampled`, at most twice a second and at each new peak.
//! Who holds it is counted in `memory::ledger`, what the system says is read in `memory::probe`.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::log::LogSink;
use crate::event::{EventSink, MemorySampled, RunEvent, with_unaccounted};
use crate::memory::ledger::{Ledger, Phase};
use crate::memory::probe;
use crate::units::MIB;

/// How often the system is asked; a peak that lasts as long is seen.
const LOOK: Duration = Duration::from_millis(50);
/// The least time between two samples that are no peaks.
const BETWEEN: Duration = Duration::from_millis(500);
/// The most time between two samples while the run works, even if nothing changes.
const AT_LEAST: Duration = Duration::from_secs(10);
/// A peak or a change by less is no news.
const NEWS: u64 = MIB;

/// What a device says of its own memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Held by this process.
    pub used_bytes: Option<u64>,
    pub total_bytes: Option<u64>,
    /// Held by other processes.
    pub others_bytes: Option<u64>,
}

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

    fn settings(&self) -> std::sync::MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without the machine's own memory, which is read for a sample that is said: other processes move it all the time.
    fn sample(&self) -> MemorySampled {
        let used_bytes = probe::host_memory().used_bytes;
        let mut settings = self.settings();
        let device = settings.device.as_mut().map(|probe| probe()).unwrap_or_default();
        // Where the weights live on the device, that is what the ledger's sum is compared with.
        let measured = device.used_bytes.or(used_bytes);
        MemorySampled {
            phase: self.ledger.phase(),
            used_bytes,
            limit_bytes: settings.limit_bytes,
            device_used_bytes: device.used_bytes,
            device_total_bytes: device.total_bytes,
            others_bytes: device.others_bytes,
            host_total_bytes: None,
            host_available_bytes: None,
            by_category: with_unaccounted(self.ledger.by_category(), measured),
            ..Default::default()
        }
    }
}

fn with_machine(sample: MemorySampled) -> MemorySampled {
    let machine = probe::machine_memory();
    MemorySampled { host_total_bytes: machine.total_bytes, host_available_bytes: machine.available_bytes, ..sample }
}

/// Whether a sample is worth a line, given those before it. Time comes from outside.
#[derive(Debug, Default)]
struct Sieve {
    peak: u64,
    last: Option<(Duration, u64, Phase)>,
}

impl Sieve {
    fn passes(&mut self, now: Duration, sample: &MemorySampled) -> bool {
        let used = sample.device_used_bytes.or(sample.used_bytes).unwrap_or(0);
        let Some((at, before, phase)) = self.last else {
            (self.peak, self.last) = (used, Some((now, used, sample.phase)));
            return true;
        };
        let passed = now.saturating_sub(at);
        let changed = used.abs_diff(before) >= NEWS || sample.phase != phase;
        let peak = used >= self.peak + NEWS.max(self.peak / 200);
        // A paused run says nothing for the sake of saying something: nobody needs to wake up and draw.
        let works = sample.phase != Phase::Idle;
        // That a pause begins or ends is said nowhere else.
        let turned = (sample.phase == Phase::Idle) != (phase == Phase::Idle);
        let passes = peak || turned || (changed && passed >= BETWEEN) || (works && passed >= AT_LEAST);
        if passes {
            self.last = Some((now, used, sample.phase));
            self.peak = self.peak.max(used);
        }
        passes
    }
}

/// The thread that samples; it ends when this is dropped.
pub struct Sampler {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Samples from the moment the run has started until this is dropped.
    pub fn start(watch: MemoryWatch, mut sink: LogSink) -> Self {
        let (stop, stopped) = mpsc::channel();
        let body = move || {
            let begun = Instant::now();
            let mut sieve = Sieve::default();
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if sink.is_running() {
                    let sample = watch.sample();
                    if sieve.passes(begun.elapsed(), &sample) {
                        sink.emit(RunEvent::MemorySampled(with_machine(sample)));
                    }
                }
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

    fn sample(mib: u64, phase: Phase) -> MemorySampled {
        MemorySampled {
            phase,
            used_bytes: Some(mib * MIB),
            limit_bytes: None,
            device_used_bytes: None,
            device_total_bytes: None,
            others_bytes: None,
            host_total_bytes: None,
            host_available_bytes: None,
            by_category: Default::default(),
            ..Default::default()
        }
    }

    fn passed(samples: &[(u64, u64, Phase)]) -> Vec<u64> {
        let mut sieve = Sieve::default();
        let passes =
            |&&(ms, mib, phase): &&(u64, u64, Phase)| sieve.passes(Duration::from_millis(ms), &sample(mib, phase));
        samples.iter().filter(passes).map(|(ms, ..)| *ms).collect()
    }

    #[test]
    fn new_peaks_are_said_at_once_and_other_changes_twice_a_second_at_most() {
        let forward = Phase::Forward;
        let mut samples = vec![(0, 500, forward), (50, 600, forward), (100, 600, forward)];
        samples.extend((0..40).map(|i| (150 + i * 50, 400 + i * 2, forward)));
        assert_eq!(passed(&samples), [0, 50, 550, 1050, 1550, 2050]);
    }

    #[test]
    fn a_steady_run_is_sampled_now_and_then_and_a_paused_one_not_at_all() {
        let seconds = |phase| (0..=25).map(|s| (s * 1000, 500, phase)).collect::<Vec<_>>();
        assert_eq!(passed(&seconds(Phase::Forward)), [0, 10_000, 20_000]);
        assert_eq!(passed(&seconds(Phase::Idle)), [0]);
    }

    #[test]
    fn what_other_processes_take_of_the_machine_is_told_but_is_no_news() {
        let mut sieve = Sieve::default();
        let with = |available| MemorySampled { host_available_bytes: Some(available), ..sample(500, Phase::Forward) };
        assert!(sieve.passes(Duration::ZERO, &with(900 * MIB)));
        assert!(!sieve.passes(Duration::from_secs(5), &with(MIB)));
        let told = with_machine(sample(500, Phase::Forward));
        assert!(told.host_available_bytes <= told.host_total_bytes, "{told:?}");
        assert_eq!(told.host_total_bytes.is_some(), cfg!(target_os = "linux"));
    }

    #[test]
    fn what_the_ledger_does_not_know_is_unaccounted() {
        let watch = MemoryWatch::default();
        watch.set_limit(7);
        watch.set_device(Box::new(|| DeviceMemory { used_bytes: Some(1000), ..Default::default() }));
        let charge = watch.ledger.charge(crate::memory::ledger::Category::Adapter, 400);
        let sample = watch.sample();
        assert_eq!((sample.limit_bytes, sample.device_used_bytes, sample.others_bytes), (Some(7), Some(1000), None));
        assert_eq!(sample.by_category[&crate::memory::ledger::Category::Unaccounted], 600);
        drop(charge);
    }
}
