//! Which looks at memory are worth a line of the log, and which of their fields. Time comes from outside.

use std::time::Duration;

use crate::event::MemorySampled;
use crate::memory::ledger::Phase;
use crate::memory::probe::CgroupMemory;
use crate::units::MIB;

/// The least time between two samples that are no peaks.
pub const BETWEEN: Duration = Duration::from_millis(500);
/// The most time between two samples while the run works, even if nothing changes.
const AT_LEAST: Duration = Duration::from_secs(10);
/// A peak or a change by less is no news.
const NEWS: u64 = MIB;
/// From here on it is news what the machine has left: less than this part of the whole is free.
const TIGHT: u64 = 10;
/// And then each fall by this part of the whole.
const FALL: u64 = 100;
/// What a cgroup holds is news by this part of its limit.
const CGROUP: u64 = 64;

/// What is held, where the weights live, and the highest that the driver or the kernel has seen there.
pub fn level(sample: &MemorySampled) -> (u64, u64) {
    let (now, high) = match (sample.pool, sample.device_used_bytes) {
        // The pool speaks of this moment, and knows its own peaks.
        (Some(pool), _) => (pool.used_bytes, pool.used_high_bytes),
        (None, Some(used)) => (used, used),
        (None, None) => (sample.used_bytes.unwrap_or(0), sample.peak_bytes.unwrap_or(0)),
    };
    (now, high.max(now))
}

/// Whether a sample is worth a line, given those before it.
#[derive(Debug, Default)]
pub struct Sieve {
    peak: u64,
    high: u64,
    free: Option<u64>,
    last: Option<(Duration, u64, Phase)>,
}

impl Sieve {
    pub fn passes(&mut self, now: Duration, sample: &MemorySampled) -> bool {
        let (used, high) = level(sample);
        let Some((at, before, phase)) = self.last else {
            (self.peak, self.high, self.last) = (used, high, Some((now, used, sample.phase)));
            return true;
        };
        let passed = now.saturating_sub(at);
        let changed = used.abs_diff(before) >= NEWS || sample.phase != phase;
        let beyond = |value: u64, known: u64| value >= known + NEWS.max(known / 200);
        // Of the second run in a process, the kernel's mark may stand high from the first.
        let peak = beyond(used, self.peak) || beyond(high, self.high);
        // A paused run says nothing for the sake of saying something: nobody needs to wake up and draw.
        let works = sample.phase != Phase::Idle;
        // That a pause begins or ends is said nowhere else.
        let turned = (sample.phase == Phase::Idle) != (phase == Phase::Idle);
        let due = (changed || works && self.tightens(sample)) && passed >= BETWEEN;
        let passes = peak || turned || due || (works && passed >= AT_LEAST);
        if passes {
            self.last = Some((now, used, sample.phase));
            (self.peak, self.high) = (self.peak.max(used), self.high.max(high));
        }
        passes
    }

    /// Whether the machine has little left, and less than was told: of a run that is killed next, that is what tells why.
    fn tightens(&self, sample: &MemorySampled) -> bool {
        let (Some(total), Some(free)) = (sample.host_total_bytes, sample.host_available_bytes) else { return false };
        free < total / TIGHT && self.free.is_none_or(|told| free.saturating_add(total / FALL) <= told)
    }

    /// What the machine has left was told with this sample.
    pub fn told_free(&mut self, sample: &MemorySampled) {
        self.free = sample.host_available_bytes.or(self.free);
    }
}

/// Leaves out what seldom changes and was told already.
#[derive(Debug, Default)]
pub struct News {
    swap_bytes: Option<u64>,
    cgroup: Option<CgroupMemory>,
}

impl News {
    pub fn only(&mut self, mut sample: MemorySampled) -> MemorySampled {
        if sample.swap_bytes == self.swap_bytes {
            sample.swap_bytes = None;
        }
        self.swap_bytes = sample.swap_bytes.or(self.swap_bytes);
        if let (Some(told), Some(found)) = (self.cgroup, sample.cgroup)
            && is_much_the_same(told, found)
        {
            sample.cgroup = None;
        }
        self.cgroup = sample.cgroup.or(self.cgroup);
        sample
    }
}

fn is_much_the_same(told: CgroupMemory, found: CgroupMemory) -> bool {
    let moved = told.used_bytes.unwrap_or(0).abs_diff(found.used_bytes.unwrap_or(0));
    told.limit_bytes == found.limit_bytes
        && told.oom_kills == found.oom_kills
        && told.used_bytes.is_some() == found.used_bytes.is_some()
        && found.limit_bytes.is_none_or(|limit| moved < (limit / CGROUP).max(NEWS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::probe::PoolMemory;

    fn sample(mib: u64, phase: Phase) -> MemorySampled {
        MemorySampled { phase, used_bytes: Some(mib * MIB), ..Default::default() }
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
    fn a_peak_between_two_looks_is_said_for_the_kernel_saw_it() {
        let mut sieve = Sieve::default();
        let with = |peak| MemorySampled { peak_bytes: Some(peak * MIB), ..sample(500, Phase::Forward) };
        let mut passes = |ms, peak| sieve.passes(Duration::from_millis(ms), &with(peak));
        // A mark that stands high from before is no news.
        assert!(passes(0, 900));
        assert!(!passes(50, 900));
        assert!(passes(100, 1000));
        assert!(!passes(150, 1000));
        // A peak of this run below the mark of an earlier one is.
        let below = MemorySampled { peak_bytes: Some(1000 * MIB), ..sample(700, Phase::Forward) };
        assert!(sieve.passes(Duration::from_millis(200), &below));
    }

    #[test]
    fn on_a_device_the_pool_tells_the_peaks() {
        let mut sieve = Sieve::default();
        let with = |used_high: u64| {
            let (used_bytes, reserved) = (500 * MIB, 4000 * MIB);
            let pool = PoolMemory {
                used_bytes,
                used_high_bytes: used_high * MIB,
                reserved_bytes: reserved,
                reserved_high_bytes: reserved,
            };
            MemorySampled { pool: Some(pool), device_used_bytes: Some(5000 * MIB), ..sample(1, Phase::Forward) }
        };
        let mut passes = |ms, used_high| sieve.passes(Duration::from_millis(ms), &with(used_high));
        assert_eq!([passes(0, 600), passes(50, 600), passes(100, 700)], [true, false, true]);
    }

    #[test]
    fn what_others_take_of_the_machine_is_news_only_when_little_is_left() {
        let mut sieve = Sieve::default();
        let with = |free: u64, phase| MemorySampled {
            host_total_bytes: Some(1000 * MIB),
            host_available_bytes: Some(free * MIB),
            ..sample(500, phase)
        };
        let mut tells = |second, free, phase| {
            let sample = with(free, phase);
            let passes = sieve.passes(Duration::from_secs(second), &sample);
            passes.then(|| sieve.told_free(&sample)).is_some()
        };
        assert!(tells(0, 900, Phase::Forward));
        assert!(!tells(1, 200, Phase::Forward));
        assert!(tells(2, 90, Phase::Forward));
        assert!(!tells(3, 85, Phase::Forward));
        assert!(tells(4, 40, Phase::Forward));
        assert!(!tells(5, 90, Phase::Forward));
        assert!(tells(6, 90, Phase::Idle), "a pause began");
        assert!(!tells(7, 1, Phase::Idle));
    }

    #[test]
    fn swap_and_the_cgroup_are_told_when_they_have_changed() {
        let mut news = News::default();
        let mut only = |swap, limit, used: u64, kills| {
            let limit_bytes = Some(limit * MIB);
            let cgroup = CgroupMemory { limit_bytes, used_bytes: Some(used * MIB), oom_kills: Some(kills) };
            let swap_bytes = Some(swap);
            let told = news.only(MemorySampled { swap_bytes, cgroup: Some(cgroup), ..sample(1, Phase::Forward) });
            (told.swap_bytes, told.cgroup.is_some())
        };
        assert_eq!(only(0, 6400, 1000, 0), (Some(0), true));
        assert_eq!(only(0, 6400, 1050, 0), (None, false));
        assert_eq!(only(8, 6400, 1099, 0), (Some(8), false));
        // Against what was told last, so that a slow rise is told too.
        assert_eq!(only(8, 6400, 1100, 0), (None, true));
        assert_eq!(only(8, 6400, 1100, 1), (None, true));
        assert_eq!(only(0, 3200, 1100, 1), (Some(0), true));
    }

    #[test]
    fn of_a_cgroup_without_a_limit_the_kills_are_told() {
        let mut news = News::default();
        let mut only = |kills| {
            let cgroup = Some(CgroupMemory { oom_kills: Some(kills), ..CgroupMemory::default() });
            news.only(MemorySampled { cgroup, ..sample(1, Phase::Forward) }).cgroup.is_some()
        };
        assert_eq!([only(0), only(0), only(1), only(1)], [true, false, true, false]);
    }
}
