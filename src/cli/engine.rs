//! Where commands meet model and data: what a run computes, the loss of a split, text out of a model.
//! What is typed is read in the files beside this one, folders and threads are in `run`.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use super::CliError;
use crate::config::RunConfig;
use crate::run::worker::{Job, JobError};

/// A run to train.
#[derive(Debug, Clone)]
pub struct TrainRequest {
    pub config: RunConfig,
    /// The adapter to start from, where one was given; a resumed run has its checkpoint instead, if one was saved.
    pub init_adapter: Option<PathBuf>,
    /// Whether somebody can be asked when memory runs out; without a screen `ask` is `stop`.
    pub has_screen: bool,
}

/// The adapter that a split is evaluated with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterChoice {
    /// `none`, `best`, `last`, or the folder as it was named.
    pub name: String,
    /// The folder, unless it is the base model alone.
    pub folder: Option<PathBuf>,
    /// The step of a run's checkpoint.
    pub step: Option<u64>,
}

/// A split to evaluate.
#[derive(Debug, Clone)]
pub struct EvalRequest {
    pub config: RunConfig,
    pub adapter: AdapterChoice,
    /// `eval` or `test`.
    pub split: &'static str,
    pub rows: PathBuf,
    pub metrics: Vec<Metric>,
}

/// What a split is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// Nats per target token
    Loss,
}

/// What `finetop eval --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvalReport {
    pub schema: u32,
    pub split: String,
    pub adapter: String,
    pub step: Option<u64>,
    pub rows: u64,
    /// Nats per target token.
    pub eval_loss: f64,
    pub target_tokens: u64,
    pub tokens: u64,
    pub duration_us: u64,
    pub scores: Vec<serde_json::Value>,
    pub report: Option<String>,
}

/// A prompt to continue.
#[derive(Debug, Clone)]
pub struct GenerateRequest {
    /// As `model.source`; a path is relative to where the command was typed.
    pub model: String,
    pub adapter: Option<PathBuf>,
    pub chat: bool,
    pub max_new_tokens: usize,
    pub prompt: String,
}

const NO_ENGINE: &str = "this build has no engine";

/// What the run computes; called on the run's own thread.
pub fn train_job(request: TrainRequest) -> Job {
    Box::new(move |_| Err(JobError::Failed(format!("{NO_ENGINE} to train {} with", request.config.model.source))))
}

/// The loss of a split.
/// # Errors
/// A model, adapter or row file that cannot be read, or a device that fails.
pub fn eval_loss(request: &EvalRequest) -> Result<EvalReport, CliError> {
    Err(CliError::Failed(format!("{NO_ENGINE} to evaluate {} with", request.rows.display())))
}

/// Continues a prompt; `out` gets the text piece by piece.
/// # Errors
/// A model or adapter that cannot be read, or a device that fails.
pub fn generate(request: &GenerateRequest, _out: &mut dyn FnMut(&str)) -> Result<(), CliError> {
    Err(CliError::Failed(format!("{NO_ENGINE} to load {} with", request.model)))
}

/// The settings of the demo; its data lies in the binary and is written where a run can read it.
/// # Errors
/// A cache folder that cannot be written.
pub fn demo_config() -> Result<RunConfig, CliError> {
    Err(CliError::Failed(format!("{NO_ENGINE} for the demo")))
}
