//! What a run will need, from the model's metadata, the rows' lengths and the configuration alone: bytes by category and phase, the peak,
//! which levers help, and what the same run would need done otherwise. No weights are read. What was really held is in `ledger` and `probe`.
//!
//! `weights` (how each weight is held), `rows` (the longest micro-batch), `engine` (what is held at which moment), `process` (what is in no
//! ledger), `generation` (the test split at the end), `fit` (corrected by what a run measured), `levers`, `elsewhere`.

mod elsewhere;
mod engine;
mod fit;
pub mod generation;
mod levers;
mod process;
mod rows;
#[cfg(test)]
mod tests;
mod weights;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ledger::{ByCategory, ByPhase, Category, Phase};
use crate::config::RunConfig;
use crate::units::{ModelShape, RowLength};

pub use elsewhere::elsewhere;
pub use fit::{Fit, Measured, fitted, refit};
pub use levers::levers;
pub use process::CUDA_CONTEXT_BYTES;
pub use rows::{longest_batch, rows_longer_than};
pub use weights::{block_size, held_bytes};

/// What is planned for, whatever the settings: the model as its metadata describes it, and the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    pub shape: ModelShape,
    /// Every tensor of the base that is loaded, in the order in which it is.
    pub weights: Arc<[WeightFacts]>,
    /// Training rows before any cut at `max_seq_length`.
    pub train_rows: Arc<[RowLength]>,
    pub eval_rows: Arc<[RowLength]>,
    /// The test split, where there is one to be generated.
    pub test: Option<generation::TestRows>,
    /// Threads that compute.
    pub threads: usize,
    /// Whether the weights live on a device with memory of its own.
    pub on_device: bool,
    /// Bytes that the process holds before the model is there: code, tokenizer, places of rows; of a device's memory the CUDA context.
    pub before_bytes: u64,
    /// What a run's first steps said of the plan, once they did.
    pub fit: Option<Fit>,
}

/// A tensor of the base as it lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightFacts {
    pub role: WeightRole,
    /// Rows: what goes out of a projection, the vocabulary of an embedding, 1 for a vector.
    pub out_features: u64,
    /// Columns.
    pub in_features: u64,
    /// Its bytes on disk.
    pub stored_bytes: u64,
    /// Whether it lies there in f32, f16 or bf16.
    pub full_precision: bool,
    /// Whether it lies there in f32.
    pub is_f32: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightRole {
    Embedding,
    Head,
    Projection,
    /// A norm's weight, or a bias.
    Norm,
}

/// What a plan's numbers stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Formulas whose constants were measured on this kind of device.
    #[default]
    Calibrated,
    /// Formulas alone: nobody has measured this kind of device.
    Formula,
    /// What this run's first steps measured.
    Fitted,
}

/// The longest micro-batch that the data set can give: the longest rows together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LongestBatch {
    pub rows: u64,
    pub tokens: u64,
    #[serde(default)]
    pub target_tokens: u64,
}

/// What a run will need.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Plan {
    pub peak_bytes: u64,
    pub limit_bytes: Option<u64>,
    /// At the peak.
    pub by_category: ByCategory,
    pub by_phase: ByPhase,
    /// What each phase's highest moment is made of.
    #[serde(skip)]
    pub phases: BTreeMap<Phase, ByCategory>,
    pub longest_batch: LongestBatch,
    pub basis: Basis,
}

impl Plan {
    pub fn fits(&self) -> Option<bool> {
        self.limit_bytes.map(|limit| self.peak_bytes <= limit)
    }

    /// What is left below the limit; negative where it does not fit.
    pub fn headroom_bytes(&self) -> Option<i64> {
        self.limit_bytes.map(|limit| limit as i64 - self.peak_bytes as i64)
    }

    /// The phase of the peak.
    pub fn peak_phase(&self) -> Option<Phase> {
        self.by_phase.iter().find(|(_, bytes)| **bytes == self.peak_bytes).map(|(phase, _)| *phase)
    }
}

/// The same run done otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    pub name: String,
    pub peak_bytes: u64,
    /// With its numbers: `630 rows x 96 tokens x 49152 vocabulary x 4 bytes`.
    pub formula: String,
}

/// The peak of a run with these settings, by category and by phase.
pub fn plan(subject: &Subject, config: &RunConfig, limit_bytes: Option<u64>) -> Plan {
    let batch = rows::Batch::longest(&subject.train_rows, config);
    let mut peak: Option<(u64, ByCategory)> = None;
    let mut by_phase = ByPhase::new();
    let mut phases: BTreeMap<Phase, ByCategory> = BTreeMap::new();
    let mut look = |moment: Moment, fit: Option<Fit>| {
        let held = process::resident(subject, moment);
        let held = fit.map_or(held.clone(), |fit| fit.corrected(held));
        let total: u64 = held.by_category.values().sum();
        let highest = by_phase.entry(held.phase).or_default();
        if total >= *highest {
            *highest = total;
            phases.insert(held.phase, held.by_category.clone());
        }
        if peak.as_ref().is_none_or(|(highest, _)| total > *highest) {
            peak = Some((total, held.by_category));
        }
        peak.as_ref().map_or(0, |(highest, _)| *highest)
    };
    let mut training = 0;
    for moment in engine::moments(subject, config, batch) {
        training = look(moment, subject.fit);
    }
    // Steps measured nothing of what generation takes, only what is there all the time.
    if let Some(moment) = engine::after_training(subject, config, scored_within(training, limit_bytes)) {
        look(moment, subject.fit.map(|fit| Fit { factor: 1.0, ..fit }));
    }
    // What backward freed stays with the allocator of a CPU until something else needs it: the optimizer's phase holds no less.
    if let (false, Some(&backward)) = (subject.on_device, by_phase.get(&Phase::Backward))
        && let Some(optimizer) = by_phase.get_mut(&Phase::Optimizer).filter(|held| **held < backward)
    {
        *phases.entry(Phase::Optimizer).or_default().entry(Category::Unaccounted).or_default() += backward - *optimizer;
        *optimizer = backward;
    }
    let (peak_bytes, mut by_category) = peak.unwrap_or_default();
    by_category.retain(|_, bytes| *bytes > 0);
    let basis = match (subject.fit, subject.on_device) {
        (Some(_), _) => Basis::Fitted,
        (None, true) => Basis::Formula,
        (None, false) => Basis::Calibrated,
    };
    Plan { peak_bytes, limit_bytes, by_category, by_phase, phases, longest_batch: batch.longest, basis }
}

/// What scoring after training may hold: what training held, and never more than the limit.
fn scored_within(training_bytes: u64, limit_bytes: Option<u64>) -> u64 {
    limit_bytes.map_or(training_bytes, |limit| limit.min(training_bytes))
}

/// Rows of the test split that are generated at once after training: as many as take no more memory than training did, but a few at least.
pub fn rows_generated_at_once(subject: &Subject, config: &RunConfig, limit_bytes: Option<u64>) -> usize {
    let training = plan(&Subject { test: None, ..subject.clone() }, config, limit_bytes).peak_bytes;
    engine::rows_at_once(subject, config, scored_within(training, limit_bytes))
}

/// What is held while nothing is computed: base, adapter, moments and the process itself.
fn standing(subject: &Subject, config: &RunConfig) -> u64 {
    let at_rest =
        engine::moments(subject, config, rows::Batch::default()).into_iter().find(|m| m.phase == Phase::Optimizer);
    at_rest.map_or(0, |moment| {
        let passing = moment.passing_bytes;
        process::resident(subject, moment).by_category.values().sum::<u64>() - passing
    })
}

/// What the engine alone will charge to its ledger, at each moment that may be the highest.
pub fn held(subject: &Subject, config: &RunConfig) -> Vec<(Phase, ByCategory)> {
    let batch = rows::Batch::longest(&subject.train_rows, config);
    engine::moments(subject, config, batch).into_iter().map(|m| (m.phase, m.by_category)).collect()
}

/// Bytes by category that are held at one moment.
#[derive(Debug, Clone, PartialEq)]
struct Moment {
    phase: Phase,
    by_category: ByCategory,
    /// The part that was allocated for this moment and what it computes, rather than for the whole run: it goes through the allocator
    /// again and again.
    passing_bytes: u64,
    /// The largest tensor among them.
    widest_bytes: u64,
}

impl Moment {
    fn new(phase: Phase) -> Self {
        Moment { phase, by_category: ByCategory::new(), passing_bytes: 0, widest_bytes: 0 }
    }

    /// With bytes that stay for the whole run.
    fn lasting(mut self, category: Category, bytes: u64) -> Self {
        *self.by_category.entry(category).or_default() += bytes;
        self
    }

    /// With tensors of this size among those that come and go.
    fn with_tensors_of(mut self, bytes: u64) -> Self {
        self.widest_bytes = bytes.max(self.widest_bytes);
        self
    }

    /// With bytes that come and go.
    fn passing(mut self, category: Category, bytes: u64) -> Self {
        self.passing_bytes += bytes;
        self.lasting(category, bytes)
    }
}
