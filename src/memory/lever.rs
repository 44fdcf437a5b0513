//! Changes of settings that lower the peak, each with its price: what a person may choose after an out-of-memory, or before a run.
//! Which of them help how much is worked out in `plan`; what went wrong before is `triage`'s.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::RunConfig;

/// A change of settings that lowers the peak, with its price.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Lever {
    /// One of [`Kind`]'s names.
    pub id: String,
    pub changes: Vec<LeverChange>,
    pub predicted_peak_bytes: u64,
    pub price: String,
    /// Training rows that would be cut.
    pub rows_cut: u64,
    /// Those of them that would have no target left.
    #[serde(default)]
    pub rows_left_out: u64,
    /// Whether the predicted peak is within the limit; null without a limit.
    #[serde(default)]
    pub fits: Option<bool>,
    /// Whether training would begin anew: the adapter that is there does not fit the change.
    #[serde(default)]
    pub restarts: bool,
}

/// One setting of a lever, as `--set` takes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeverChange {
    pub key: String,
    pub from: Value,
    pub to: Value,
}

/// The levers, in the order of what they cost the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    GradientCheckpointing,
    MicroBatch,
    HeadChunk,
    Quantization,
    MaxSeqLength,
    TargetModules,
    R,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::GradientCheckpointing,
        Kind::MicroBatch,
        Kind::HeadChunk,
        Kind::Quantization,
        Kind::MaxSeqLength,
        Kind::TargetModules,
        Kind::R,
    ];

    pub fn id(self) -> &'static str {
        match self {
            Kind::GradientCheckpointing => "gradient_checkpointing",
            Kind::MicroBatch => "micro_batch",
            Kind::HeadChunk => "head_chunk",
            Kind::Quantization => "quantization",
            Kind::MaxSeqLength => "max_seq_length",
            Kind::TargetModules => "target_modules",
            Kind::R => "r",
        }
    }

    pub fn of(id: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.id() == id)
    }

    /// Whether the same adapter comes out but for rounding: only such a lever is applied without asking.
    pub fn keeps_the_result(self) -> bool {
        matches!(self, Kind::GradientCheckpointing | Kind::MicroBatch | Kind::HeadChunk)
    }

    /// Whether an adapter that was begun does not fit the change.
    pub fn restarts(self) -> bool {
        matches!(self, Kind::TargetModules | Kind::R)
    }
}

/// The configuration with a lever's changes.
/// # Errors
/// A key that no lever changes, or a value that the setting does not take.
pub fn changed(config: &RunConfig, changes: &[LeverChange]) -> Result<RunConfig, String> {
    let mut config = config.clone();
    for LeverChange { key, to, .. } in changes {
        let wrong = |e: serde_json::Error| format!("{key}: {to}: {e}");
        let count =
            || to.as_u64().filter(|n| *n > 0).map(|n| n as usize).ok_or_else(|| format!("{key}: {to} is no count"));
        match key.as_str() {
            "train.gradient_checkpointing" => {
                config.train.gradient_checkpointing = serde_json::from_value(to.clone()).map_err(wrong)?;
            }
            "train.per_device_train_batch_size" => config.train.per_device_train_batch_size = count()?,
            "train.gradient_accumulation_steps" => config.train.gradient_accumulation_steps = count()?,
            "memory.head_chunk" => config.memory.head_chunk = count()?,
            "adapter.method" => config.adapter.method = serde_json::from_value(to.clone()).map_err(wrong)?,
            "adapter.quantization" => {
                config.adapter.quantization = serde_json::from_value(to.clone()).map_err(wrong)?
            }
            "adapter.target_modules" => {
                config.adapter.target_modules = serde_json::from_value(to.clone()).map_err(wrong)?;
            }
            "adapter.r" => config.adapter.r = count()?,
            "data.max_seq_length" => config.data.max_seq_length = count()?,
            _ => return Err(format!("{key} is no setting that a lever changes")),
        }
    }
    Ok(config)
}
