//! What an out-of-memory was: a jump, a creep, pressure from outside, or a run that is too large as it is.
//! Which levers help is worked out in `plan`.

use serde::{Deserialize, Serialize};

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
    /// The plan itself is beyond the limit: nothing went wrong on the way.
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
