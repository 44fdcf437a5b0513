//! Whether a run that ended without a word was ended by the system for want of memory: judged by the last that its log says.

use crate::memory::ledger::{ByCategory, Phase};
use crate::memory::probe::CgroupMemory;

/// The last that a segment without `run_finished` says of memory, and where the run was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastSeen {
    pub phase: Phase,
    /// Of the step that was being done: one more than the last `step_done`.
    pub step: u64,
    /// The last micro-batch of it that was done; 0 before the first.
    pub micro: u64,
    pub used_bytes: Option<u64>,
    pub host_total_bytes: Option<u64>,
    pub host_available_bytes: Option<u64>,
    /// Of the last sample that has one: a sample leaves out what has not changed.
    pub cgroup: Option<CgroupMemory>,
    pub by_category: ByCategory,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The kernel has counted a kill in this cgroup since, and memory was short.
    Counted,
    /// Memory was all but used up, or the kernel has counted a kill since, which may have been another process's.
    Likely,
}

/// A run that the system ended for want of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Killed {
    pub evidence: Evidence,
    pub phase: Phase,
    pub step: u64,
    pub micro: u64,
    pub used_bytes: Option<u64>,
    /// What the machine or the cgroup had in all.
    pub limit_bytes: Option<u64>,
    pub available_bytes: Option<u64>,
    pub by_category: ByCategory,
    /// By how many the kernel's count has risen since; none where the two counts are not of the same cgroup, or one is not known.
    pub kills: Option<u64>,
}

/// All but used up: a twentieth of the whole or less is free.
const NEAR: u64 = 20;

/// Whether the system ended the run; `oom_kills` is the cgroup's count now.
///
/// The count has risen: yes, for certain if less than half was free, else likely (the count is of all processes of the cgroup). It has not
/// risen from a number above 0: no, for the kernel counts each such kill. Else the memory that was free at the last sample decides: a
/// count of 0 that stayed may be of a container that was made anew, and one that fell certainly is.
pub fn killed(last: &LastSeen, oom_kills: Option<u64>) -> Option<Killed> {
    let cgroup = last.cgroup.unwrap_or_default();
    let kills = cgroup.oom_kills.zip(oom_kills).and_then(|(before, now)| now.checked_sub(before));
    let free = [
        last.host_total_bytes.zip(last.host_available_bytes),
        cgroup.limit_bytes.zip(cgroup.used_bytes).map(|(limit, used)| (limit, limit.saturating_sub(used))),
    ];
    let within = |part: u64| free.iter().flatten().any(|&(whole, free)| free <= whole / part);
    let known = free.iter().any(Option::is_some);
    let evidence = match kills {
        Some(1..) if within(2) || !known => Evidence::Counted,
        Some(1..) => Evidence::Likely,
        Some(0) if cgroup.oom_kills > Some(0) => return None,
        _ if within(NEAR) => Evidence::Likely,
        _ => return None,
    };
    Some(Killed {
        evidence,
        phase: last.phase,
        step: last.step,
        micro: last.micro,
        used_bytes: last.used_bytes,
        limit_bytes: [last.host_total_bytes, cgroup.limit_bytes].into_iter().flatten().min(),
        available_bytes: last.host_available_bytes,
        by_category: last.by_category.clone(),
        kills,
    })
}
