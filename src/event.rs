//! What a run says and what it can be told: one stream of facts out, one set of commands in.
//! A thread of this process and the socket of another are two makers of the same `RunHandle`. Next: `run` makes them, `ui` reads them.

use std::sync::mpsc::{Receiver, Sender};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::RunConfig;
use crate::eval::Interval;
use crate::extract::fix::FixMode;
use crate::memory::ledger::{ByCategory, ByPhase, Category, Phase};
pub use crate::memory::lever::{Lever, LeverChange};
use crate::memory::plan::{Basis, LongestBatch};
pub use crate::memory::probe::{CgroupMemory, GpuState, PoolMemory};
use crate::memory::triage::{Cause, Origin};

/// The version of the event stream, in every `run_started`.
pub const SCHEMA: u32 = 1;

/// A line of `events.jsonl`: a fact with its place in the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Counts from 0 without gaps, over all segments of a run.
    pub seq: u64,
    /// Since the run started, pauses between segments left out.
    pub elapsed_ms: u64,
    #[serde(flatten)]
    pub event: RunEvent,
}

/// Everything that a run can say. Facts only: averages, rates and estimates are folded from them by whoever shows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    RunStarted(Box<RunStarted>),
    MemoryPlanned(MemoryPlanned),
    MicroBatchDone(MicroBatchDone),
    StepDone(StepDone),
    MemorySampled(MemorySampled),
    EvalDone(EvalDone),
    CheckpointSaved(CheckpointSaved),
    OutOfMemory(Box<OutOfMemory>),
    BleuProgress(BleuProgress),
    BleuDone(BleuDone),
    Warning(Warning),
    RunFinished(RunFinished),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    pub schema: u32,
    pub run_id: String,
    pub started_unix_ms: u64,
    pub config: RunConfig,
    pub seed: u64,
    pub device: String,
    /// The model's own name, where its metadata has one.
    #[serde(default)]
    pub model_name: Option<String>,
    pub trainable_params: u64,
    pub total_params: u64,
    pub planned_steps: u64,
    /// The step of the checkpoint that this segment goes on from.
    pub resumed_from: Option<u64>,
    /// Rows that take part, and rows that were skipped or cut, by split.
    #[serde(default)]
    pub rows: Vec<SplitRows>,
}

/// What became of the rows of one split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRows {
    /// `train`, `eval` or `test`.
    pub split: String,
    pub rows: u64,
    pub skipped: u64,
    pub cut: u64,
    pub target_tokens: u64,
    pub tokens: u64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MemoryPlanned {
    pub peak_bytes: u64,
    pub limit_bytes: Option<u64>,
    pub by_category: ByCategory,
    pub by_phase: ByPhase,
    /// What the numbers stand on.
    #[serde(default)]
    pub basis: Basis,
    /// The steps whose measurements they were fitted to, for `basis` fitted.
    #[serde(default)]
    pub fitted_steps: Option<u64>,
    #[serde(default)]
    pub longest_batch: Option<LongestBatch>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MicroBatchDone {
    pub step: u64,
    /// From 1 to `micro_per_step`.
    pub micro: u64,
    /// Micro-batches of this step; the last step of an epoch may have fewer.
    pub micro_per_step: u64,
    pub loss_sum_nats: f64,
    pub target_tokens: u64,
    pub tokens: u64,
    pub duration_us: u64,
    /// What the run holds, and the most that it held: of the process, or on a device of that, without what its pool keeps unused.
    pub used_bytes: Option<u64>,
    pub peak_bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepDone {
    pub step: u64,
    pub epoch: f64,
    /// Nats per target token over the whole step.
    pub loss: f64,
    pub target_tokens: u64,
    pub tokens: u64,
    /// The rate that this step used.
    pub learning_rate: f64,
    /// The global norm before clipping.
    pub grad_norm: f64,
    pub duration_us: u64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MemorySampled {
    /// While it is looked at; a peak that the kernel saw since the last look (`peak_bytes`) may be of the phase before.
    pub phase: Phase,
    pub used_bytes: Option<u64>,
    /// The kernel's own high-water mark of the process, over its whole life: what lies between two looks is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    pub limit_bytes: Option<u64>,
    /// Held by this process: what its pool has reserved, and what is beside it. The latter is as NVML says, or a guess where the driver does not
    /// know who we are, as in a container.
    pub device_used_bytes: Option<u64>,
    pub device_total_bytes: Option<u64>,
    pub others_bytes: Option<u64>,
    /// Free for any process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_free_bytes: Option<u64>,
    /// What the machine, or the process's cgroup where that is tighter, has in all and still free.
    #[serde(default)]
    pub host_total_bytes: Option<u64>,
    #[serde(default)]
    pub host_available_bytes: Option<u64>,
    /// What of this process was written out to swap. Said first and when it has changed; so is `cgroup`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap_bytes: Option<u64>,
    /// The tightest cgroup that this process lives in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<CgroupMemory>,
    /// What NVML says of the device besides bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuState>,
    /// The CUDA driver's pool of this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolMemory>,
    pub by_category: ByCategory,
}

impl MemorySampled {
    /// What a limit bounds: of the process, or on a device of that, without what its pool keeps unused.
    pub fn held_bytes(&self) -> Option<u64> {
        let Some(device) = self.device_used_bytes else { return self.used_bytes };
        let unused = self.pool.map_or(0, |pool| pool.reserved_bytes.saturating_sub(pool.used_bytes));
        Some(device.saturating_sub(unused))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalDone {
    pub step: u64,
    /// Nats per target token over the whole split.
    pub eval_loss: f64,
    pub target_tokens: u64,
    pub duration_us: u64,
    pub best: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointSaved {
    pub step: u64,
    /// Relative to the run's folder.
    pub path: String,
    pub size_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OutOfMemory {
    pub phase: Phase,
    pub step: u64,
    pub micro: u64,
    pub layer: Option<u64>,
    pub requested_bytes: Option<u64>,
    pub free_bytes: Option<u64>,
    pub by_category: ByCategory,
    pub levers: Vec<Lever>,
    /// The id of the lever that was applied. Where somebody is asked, the event is said with null first, and once more when one was chosen.
    pub applied: Option<String>,
    #[serde(default)]
    pub origin: Option<Origin>,
    #[serde(default)]
    pub cause: Option<Cause>,
    #[serde(default)]
    pub limit_bytes: Option<u64>,
    /// What was measured at that moment: of the process, or on a device of that.
    #[serde(default)]
    pub used_bytes: Option<u64>,
    /// What other processes held of the device.
    #[serde(default)]
    pub others_bytes: Option<u64>,
    /// Of the micro-batch.
    #[serde(default)]
    pub tokens: Option<u64>,
    /// What was planned, to be held beside `by_category`.
    #[serde(default)]
    pub planned_peak_bytes: Option<u64>,
    #[serde(default)]
    pub planned_by_category: ByCategory,
    /// It was found by rehearsing the longest micro-batch before the first step.
    #[serde(default)]
    pub rehearsal: bool,
}

/// How far the generation of a split is, after training; at most once a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BleuProgress {
    /// Where the report will be, relative to the run's folder.
    pub report: String,
    pub split: String,
    /// As in `bleu_done`.
    pub adapter: String,
    pub rows: u64,
    pub rows_total: u64,
    /// Generated.
    pub tokens: u64,
    /// Over all segments that generated rows of it.
    pub duration_us: u64,
    /// Of the rows so far, longest prompts first: not the score of the split.
    pub partial_score: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BleuDone {
    /// Relative to the run's folder.
    pub report: String,
    pub score: f64,
    pub split: String,
    /// `none`, `best` or `last`.
    pub adapter: String,
    /// The step of the checkpoint.
    #[serde(default)]
    pub step: Option<u64>,
    #[serde(default)]
    pub signature: Option<String>,
    #[serde(default)]
    pub ci: Option<Interval>,
    #[serde(default)]
    pub rows: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub kind: String,
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFinished {
    pub reason: FinishReason,
    /// Optimizer steps done in the whole run.
    pub steps: u64,
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    Completed,
    Stopped,
    Failed,
}

/// Where a run's facts go. Whoever listens gets the line after it is on disk; nobody listening is no error.
pub trait EventSink {
    fn emit(&mut self, event: RunEvent);
}

/// What a run can be told, as a socket's line: `{"command":"save"}`.
/// Looked at between micro-batches: pause takes effect there; save, eval and stop at the end of the step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    Pause,
    Resume,
    /// Stop with a checkpoint at the end of the step; said twice, the step is dropped.
    Stop,
    Save,
    Eval,
    ApplyLever {
        id: String,
    },
    /// Score the test split after the last step, whatever the settings say; answered with the report's path when it is made.
    Bleu,
    /// Make a typed value of a text with the adapter as it is now. Training waits meanwhile, between two micro-batches.
    Extract(Box<ExtractAsk>),
    /// End what is made beside training: an extraction, or the scoring after the last step; before that, take back the order.
    Cancel,
}

/// What `extract` asks of a run, named as the options of `finetop extract`; what is absent is as the run's section `[extract]` has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtractAsk {
    pub text: String,
    /// A JSON Schema, itself and not a file's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Ask the base, without the adapter.
    pub base: bool,
    pub constrained: bool,
    /// Through the model's chat template, or raw; absent, as the run's rows are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    pub fix_mode: FixMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_new_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_budget: Option<u64>,
    pub temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What "tomorrow" counts from, such as 2026-11-05T14:00.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

/// A command with the place where its answer is wanted.
#[derive(Debug)]
pub struct CommandRequest {
    pub command: Command,
    /// Answered when the command has taken effect (a save when the checkpoint is on disk).
    pub reply: Option<Sender<CommandReply>>,
}

/// `{"ok":true,"state":"running","step":17,"path":…}` or `{"ok":false,"error":…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandReply {
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<RunState>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Of an extraction, whether or not it came to a value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<Box<Value>>,
}

impl CommandReply {
    pub fn done(state: RunState, step: u64) -> Self {
        CommandReply { ok: true, state: Some(state), step: Some(step), path: None, error: None, trace: None }
    }

    pub fn refused(error: impl Into<String>) -> Self {
        CommandReply { ok: false, state: None, step: None, path: None, error: Some(error.into()), trace: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Paused,
    Finished,
}

/// The one way to talk to a run, wherever it lives.
pub struct RunHandle {
    pub events: Receiver<Stamped>,
    pub commands: Sender<CommandRequest>,
}

/// The category of a sample that is measured but not charged: `used_bytes` less the ledger's sum.
pub fn with_unaccounted(mut by_category: ByCategory, used_bytes: Option<u64>) -> ByCategory {
    let charged = by_category.values().fold(0u64, |sum, &bytes| sum.saturating_add(bytes));
    if let Some(used) = used_bytes
        && used > charged
    {
        by_category.insert(Category::Unaccounted, used - charged);
    }
    by_category
}
