//! What a run will need, from the model's metadata, the rows' lengths and the configuration alone: bytes by category and phase, the peak,
//! which levers help, and what the same run would need done otherwise. No weights are read. What was really held is in `ledger` and `probe`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ledger::{ByCategory, ByPhase};
use super::lever::Lever;
use crate::config::RunConfig;
use crate::units::{ModelShape, RowLength};

/// What is planned for, whatever the settings: the model as its metadata describes it, and the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    pub shape: ModelShape,
    /// Every tensor of the base.
    pub weights: Arc<[WeightFacts]>,
    /// Training rows before any cut at `max_seq_length`.
    pub train_rows: Arc<[RowLength]>,
    pub eval_rows: Arc<[RowLength]>,
    /// Threads that compute.
    pub threads: usize,
    /// Whether the weights live on a device with memory of its own.
    pub on_device: bool,
    /// Bytes that the process holds before the model is there: code, tokenizer, places of rows.
    pub before_bytes: u64,
}

/// A tensor of the base as it lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightFacts {
    pub role: WeightRole,
    /// Rows and columns; a vector has one column... [out, in].
    pub out_features: u64,
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
    let _ = (subject, config);
    Plan { limit_bytes, ..Plan::default() }
}

/// The levers that lower the peak, in the order of what they cost the result: each as little as makes the run fit, or as much as it can.
pub fn levers(subject: &Subject, config: &RunConfig, limit_bytes: Option<u64>) -> Vec<Lever> {
    let _ = (subject, config, limit_bytes);
    Vec::new()
}

/// What the same run would need done otherwise.
pub fn elsewhere(subject: &Subject, config: &RunConfig) -> Vec<Elsewhere> {
    let _ = (subject, config);
    Vec::new()
}
