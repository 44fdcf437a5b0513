//! What an out-of-memory was: a jump, a creep, pressure from outside, or a run that is too large as it is; and whether a run that ended
//! without a word was one. `history` folds what a run says into what is looked at here.
//! Plain numbers in, a judgement out. Which levers help is worked out in `plan`.

mod history;
mod killed;
mod slope;

use serde::{Deserialize, Serialize};

pub use history::{History, Moment};
pub use killed::{Evidence, Killed, LastSeen, killed};
use slope::growth;

/// Where an out-of-memory was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The run would have gone beyond `memory.limit`.
    Limit,
    /// The device had no more.
    Device,
    /// Found afterwards: the system ended the process.
    Killed,
}

/// Why it did not fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// The plan itself is beyond the limit, or nothing of the run ever fitted: nothing went wrong on the way.
    TooLarge { planned_peak_bytes: u64 },
    /// One long micro-batch.
    Jump { tokens: u64, usual_tokens: u64 },
    /// Memory grew from step to step.
    Creep { bytes_per_step: f64, steps: u64 },
    /// Other processes took what was free.
    Pressure { others_bytes: Option<u64>, taken_bytes: u64 },
    /// None of these could be shown.
    Unknown,
}

/// The moment that did not fit. What is not known is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    pub step: u64,
    /// Of the micro-batch that was computed; none in an eval, a checkpoint, or where only the end is known.
    pub tokens: Option<u64>,
    /// What the run held: of the process, or on a device of that.
    pub used_bytes: Option<u64>,
    pub limit_bytes: Option<u64>,
    pub requested_bytes: Option<u64>,
    pub free_bytes: Option<u64>,
    /// Free for any process: of the machine or its cgroup, or of the device.
    pub available_bytes: Option<u64>,
    /// What other processes held of the device.
    pub others_bytes: Option<u64>,
    pub planned_peak_bytes: Option<u64>,
}

/// A micro-batch is long from 5/4 of the usual one.
const LONG: (u64, u64) = (5, 4);
/// Fewer bytes than a hundredth of the limit explain nothing.
const NOTICEABLE: u64 = 100;

impl Facts {
    /// What the run would have held with what it asked for.
    fn needed(&self) -> Option<u64> {
        Some(self.used_bytes?.saturating_add(self.requested_bytes.unwrap_or(0)))
    }

    /// What would have had to be free beyond what was.
    fn lacked(&self) -> u64 {
        let asked = self.requested_bytes.zip(self.free_bytes).map(|(asked, free)| asked.saturating_sub(free));
        let beyond = || self.needed().zip(self.limit_bytes).map(|(needed, limit)| needed.saturating_sub(limit));
        asked.or_else(beyond).unwrap_or(0)
    }

    /// Whether `bytes` may be why it did not fit: at least half of what lacked, and no trifle.
    fn explains(&self, bytes: u64) -> bool {
        let whole = self.limit_bytes.or(self.needed()).unwrap_or(0);
        bytes > 0 && bytes >= self.lacked() / 2 && bytes >= whole / NOTICEABLE
    }
}

/// Why it did not fit, given the steps before, oldest first. The first that holds:
/// 1. pressure: the run itself was within its limit, and others took at least half of what lacked, more than the run grew;
/// 2. jump or creep, whichever explains more of what was needed beyond the first of these steps. A jump is a micro-batch of at least
///    5/4 of the usual (median) length that is longer than all that went well; a creep is a growth (see `slope`) of at least half of what lacked;
/// 3. too large: the plan is beyond the limit, or no step was ever done and the run alone goes beyond it;
/// 4. unknown.
pub fn cause(history: &[Moment], now: &Facts) -> Cause {
    if let Some(pressure) = pressure(history, now) {
        return pressure;
    }
    let creep = growth(history).filter(|g| now.explains(g.bytes()));
    match (jump(history, now), creep) {
        (Some(jump), None) => jump,
        (Some(jump), Some(creep)) if 2 * creep.bytes() < beyond(creep.first_bytes, now) => jump,
        (_, Some(creep)) => Cause::Creep { bytes_per_step: creep.bytes_per_step, steps: creep.steps },
        (None, None) => too_large(history, now).unwrap_or(Cause::Unknown),
    }
}

/// What was needed now beyond what an earlier step needed.
fn beyond(first_bytes: u64, now: &Facts) -> u64 {
    now.needed().map_or(0, |needed| needed.saturating_sub(first_bytes))
}

fn pressure(history: &[Moment], now: &Facts) -> Option<Cause> {
    // What goes beyond the run's own limit does so whatever others hold.
    if now.needed().zip(now.limit_bytes).is_some_and(|(needed, limit)| needed > limit) {
        return None;
    }
    let room_now = now.used_bytes.zip(now.available_bytes).map(|(used, free)| used.saturating_add(free));
    let room_before = median(history.iter().filter_map(|m| m.room_bytes));
    let others_before = median(history.iter().filter_map(|m| m.others_bytes));
    // Of a device the others' share may be known itself; else what they took is what this run could hold before and cannot now.
    let grown = others_before.zip(now.others_bytes).map(|(before, now)| now.saturating_sub(before));
    let shrunk = || room_before.zip(room_now).map(|(before, now)| before.saturating_sub(now));
    let taken_bytes = grown.or_else(shrunk)?;
    let own = median(history.iter().filter_map(|m| m.peak_bytes)).map_or(0, |usual| beyond(usual, now));
    let holds = now.explains(taken_bytes) && taken_bytes > own;
    holds.then_some(Cause::Pressure { others_bytes: now.others_bytes, taken_bytes })
}

fn jump(history: &[Moment], now: &Facts) -> Option<Cause> {
    let tokens = now.tokens?;
    let usual_tokens = median(history.iter().map(|m| m.usual_tokens))?;
    let went_well = history.iter().map(|m| m.longest_tokens).max()?;
    let long = tokens.saturating_mul(LONG.1) >= usual_tokens.saturating_mul(LONG.0) && tokens > went_well;
    long.then_some(Cause::Jump { tokens, usual_tokens })
}

fn too_large(history: &[Moment], now: &Facts) -> Option<Cause> {
    let (planned, limit) = (now.planned_peak_bytes?, now.limit_bytes?);
    let needed = now.needed().unwrap_or(0);
    let never_fitted = history.is_empty() && needed > limit;
    (planned > limit || never_fitted).then_some(Cause::TooLarge { planned_peak_bytes: planned.max(needed) })
}

/// The lower of the two in the middle where their number is even.
fn median(values: impl Iterator<Item = u64>) -> Option<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests;
