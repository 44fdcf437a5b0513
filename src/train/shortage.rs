//! An out-of-memory as the loop met it: what was asked for, in which phase of which micro-batch. Why it came to that is judged in
//! `memory::triage`, what is done about it in `run::recovery`.

use std::fmt;

use candle_core::Error;

use crate::memory::ledger::{ByCategory, Ledger, Phase};
use crate::memory::triage::Origin;
use crate::model::device_memory;
use crate::model::oom::{Exhausted, exhausted};
use crate::units::format_bytes;

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The step that was being done; for an eval or a checkpoint the one that was done last.
    pub step: u64,
    /// From 1; 0 where it was no micro-batch.
    pub micro: u64,
    pub tokens: Option<u64>,
    /// Before the first step, with the longest micro-batch.
    pub rehearsal: bool,
}

/// What did not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    pub place: Place,
    pub origin: Origin,
    pub phase: Phase,
    pub layer: Option<u64>,
    pub requested_bytes: Option<u64>,
    pub free_bytes: Option<u64>,
    pub held_bytes: Option<u64>,
    pub limit_bytes: Option<u64>,
    /// What each category held when it was asked for; where the device refused, what it holds after the step was dropped.
    pub by_category: ByCategory,
}

impl Shortage {
    /// The out-of-memory behind an error of the engine, if it is one.
    pub fn of(error: &Error, place: Place, ledger: &Ledger) -> Option<Self> {
        let found = exhausted(error)?;
        let stood = device_memory::free_and_held();
        Some(match found {
            Exhausted::Limit(no_room) => Shortage {
                place,
                origin: Origin::Limit,
                phase: no_room.phase,
                layer: no_room.layer,
                requested_bytes: Some(no_room.requested_bytes),
                free_bytes: Some(no_room.free_bytes),
                held_bytes: Some(no_room.held_bytes),
                limit_bytes: Some(no_room.limit_bytes),
                by_category: no_room.by_category,
            },
            // The step is dropped, but until the pool is trimmed it keeps what it had, and the device has no more free than when it refused.
            Exhausted::Device(_) => Shortage {
                place,
                origin: Origin::Device,
                phase: ledger.phase(),
                layer: ledger.layer(),
                requested_bytes: None,
                free_bytes: stood.map(|(free, _)| free),
                held_bytes: stood.map(|(_, held)| held),
                limit_bytes: None,
                by_category: ledger.by_category(),
            },
        })
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of memory in {}", self.phase.name())?;
        match self.place {
            Place { rehearsal: true, .. } => write!(f, " while the longest micro-batch was rehearsed")?,
            Place { step, micro: 0, .. } => write!(f, " at step {step}")?,
            Place { step, micro, .. } => write!(f, " of step {step}, micro-batch {micro}")?,
        }
        if let (Some(requested), Some(free)) = (self.requested_bytes, self.free_bytes) {
            write!(f, ": {} more were needed, {} were free", format_bytes(requested), format_bytes(free))?;
        }
        if let Some(limit) = self.limit_bytes {
            write!(f, " of a limit of {}", format_bytes(limit))?;
        }
        Ok(())
    }
}

impl std::error::Error for Shortage {}
