//! A plan corrected by what the run's first steps measured: an offset for what is always there, and a factor on what a micro-batch takes.

use super::{Moment, Plan, Subject, plan, standing};
use crate::config::RunConfig;
use crate::memory::ledger::{ByPhase, Category, Phase};
use crate::units::RowLength;

/// What a run has measured so far, with the settings that it has now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measured {
    /// What the limit bounds, before the first micro-batch: base, adapter and moments are there. `None` where it could not be read.
    pub standing_bytes: Option<u64>,
    /// Its peak by phase so far.
    pub by_phase: ByPhase,
    /// The rows of the longest micro-batch so far.
    pub longest: Vec<RowLength>,
}

/// How far a plan was off: `measured = planned standing + offset + factor · planned passing`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    pub offset_bytes: i64,
    pub factor: f64,
}

/// A factor beyond these is no error of the formulas: something else was measured.
const FACTOR: std::ops::RangeInclusive<f64> = 0.5..=2.0;

impl Fit {
    /// The moment as the fit has it; what is added or taken is nobody's in the ledger.
    pub(super) fn corrected(self, mut moment: Moment) -> Moment {
        let more = moment.passing_bytes as f64 * (self.factor - 1.0) + self.offset_bytes as f64;
        let nobodys = moment.by_category.entry(Category::Unaccounted).or_default();
        *nobodys = (*nobodys as f64 + more).max(0.0) as u64;
        moment
    }
}

/// The subject with what was measured, so that `plan`, `levers` and `elsewhere` take it into account.
pub fn fitted(subject: &Subject, config: &RunConfig, measured: &Measured) -> Subject {
    let bare = Subject { fit: None, ..subject.clone() };
    // What the formulas say of the very rows that were measured.
    let seen = Subject { train_rows: measured.longest.clone().into(), ..bare.clone() };
    let mut whole = config.clone();
    whole.train.per_device_train_batch_size = measured.longest.len().max(1);
    let said = plan(&seen, &whole, None).by_phase;
    let in_steps =
        |by_phase: &ByPhase| [Phase::Forward, Phase::Backward].iter().filter_map(|p| by_phase.get(p)).max().copied();
    let standing = standing(&seen, &whole);
    let mut offset = measured.standing_bytes.map_or(0.0, |m| m as f64 - standing as f64);
    if measured.by_phase.is_empty() {
        // Less is held before the first step than is later, when threads and the log are at work.
        offset = offset.max(0.0);
    }
    let factor = match (in_steps(&measured.by_phase), in_steps(&said)) {
        (Some(found), Some(said)) if said > standing && !measured.longest.is_empty() => {
            (found as f64 - standing as f64 - offset) / (said - standing) as f64
        }
        _ => 1.0,
    };
    let factor = factor.clamp(*FACTOR.start(), *FACTOR.end());
    Subject { fit: Some(Fit { offset_bytes: offset as i64, factor }), ..bare }
}

/// The plan anew, with what was measured.
pub fn refit(subject: &Subject, config: &RunConfig, limit_bytes: Option<u64>, measured: &Measured) -> Plan {
    plan(&fitted(subject, config, measured), config, limit_bytes)
}
