//! The thread that a run lives on: it holds the folder, writes the log, listens at the socket, samples memory and keeps panics from going
//! further. What is computed there is a `Job` that somebody else gives; commands and events are those of `event`.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Once;
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;

use super::control::{Ended, Server};
use super::log::{Clock, LogSink, monotonic};
use super::post_mortem::post_mortem;
use super::replay::{self, Replay};
use super::sampler::{MemoryWatch, Sampler};
use super::store::{self, RunFolder, StoreError};
use crate::event::{
    CheckpointSaved, CommandRequest, EventSink, FinishReason, OutOfMemory, RunEvent, RunFinished, RunHandle, Stamped,
    Warning,
};
use crate::memory::probe;
use crate::train::checkpoint::Best;

/// The name of the thread that a job runs on.
pub const THREAD: &str = "finetop-trainer";
/// Only what is used of it is ever real memory.
const STACK_BYTES: usize = 64 << 20;

/// What a run does. It says `run_started` first and never `run_finished`: that follows from what it returns, or from its panic.
/// It looks at `commands` between micro-batches and answers each when it has taken effect; a `stop` it need not answer, the end does.
/// Commands that hang up say only that nobody can command any more: a paused run goes on then.
/// Within a step: `step_done`, then `eval_done`, then the checkpoint, then `checkpoint_saved`.
pub type Job = Box<dyn FnOnce(&mut JobContext<'_>) -> Result<Outcome, JobError> + Send>;

/// What a job has to work with.
pub struct JobContext<'a> {
    /// Where checkpoints go.
    pub folder: &'a RunFolder,
    pub sink: &'a mut dyn EventSink,
    pub commands: &'a Receiver<CommandRequest>,
    /// The ledger that the engine charges, and what the sampler is told of limit and device.
    pub memory: &'a MemoryWatch,
    /// Present when this run was begun before.
    pub resume: Option<ResumePoint>,
}

/// Where a resumed run goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct ResumePoint {
    /// For `run_started`'s `resumed_from`; 0 when no checkpoint was saved and everything is done again.
    pub step: u64,
    /// The folder of the last whole checkpoint.
    pub checkpoint: Option<PathBuf>,
    /// The best eval after step 0, as the log has it: an eval on command may come after its step was saved.
    pub best: Option<Best>,
    /// Whether the log has the eval of this very step.
    pub evaluated: bool,
    /// What ended the segment before, where it ended without a word for want of memory.
    pub killed: Option<Box<OutOfMemory>>,
}

/// How a job ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub reason: FinishReason,
    /// Optimizer steps done in the whole run.
    pub steps: u64,
    pub detail: Option<String>,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// A file or setting is wrong, and another one would do: exit 2.
    #[error("{0}")]
    Input(String),
    /// The work itself failed: exit 1.
    #[error("{0}")]
    Failed(String),
    /// It failed for want of memory, where nothing was tried against it yet.
    #[error("{0}")]
    OutOfMemory(String),
}

impl From<StoreError> for JobError {
    fn from(e: StoreError) -> Self {
        JobError::Failed(e.to_string())
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// What the log says; absent when the job failed before `run_started`, and then a new run's folder is gone again.
    pub finished: Option<RunFinished>,
    pub error: Option<JobError>,
}

/// A run that goes on in this process, whether anybody listens or not.
pub struct Running {
    /// Where this process's events begin in the stream; what stands before it was said by others.
    pub first_seq: u64,
    thread: JoinHandle<Ending>,
}

impl Running {
    /// Waits for the end: the last line is on disk, the socket gone, the lock free.
    pub fn wait(self) -> Ending {
        self.thread.join().unwrap_or_else(|cause| {
            let error = JobError::Failed(format!("the run's thread died: {}", message_of(&*cause)));
            Ending { finished: None, error: Some(error) }
        })
    }

    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Starts a job on a thread of its own.
/// # Errors
/// A log that cannot be read or written, or no thread.
pub fn start(folder: RunFolder, job: Job) -> Result<(RunHandle, Running), StoreError> {
    start_with_clock(folder, job, monotonic())
}

/// As [`start`], with the time from outside.
/// # Errors
/// A log that cannot be read or written, or no thread.
pub fn start_with_clock(folder: RunFolder, job: Job, clock: Clock) -> Result<(RunHandle, Running), StoreError> {
    keep_panics_quiet();
    let disk = |source| StoreError::Disk { path: folder.events(), source };
    let (listener, events) = mpsc::channel::<Stamped>();
    let (commands, requests) = mpsc::channel();
    let sink = LogSink::open(folder.path(), clock, Some(listener)).map_err(disk)?;
    let first_seq = sink.next_seq();
    let past = replay::read(folder.path())?;
    let resume = mend(&folder, &past, &sink)?;
    let handle = RunHandle { events, commands: commands.clone() };
    let body = move || {
        let mut early = sink.clone();
        let server = Server::start(folder.path(), commands)
            .inspect_err(|e| {
                let detail = format!("no socket, so `finetop ctl` cannot reach this run: {e}");
                early.emit(RunEvent::Warning(Warning { kind: "control_unavailable".into(), detail }));
            })
            .ok();
        let ending = carry_out(&folder, job, sink, &requests, resume);
        // Whoever asked and was not answered sees the channel close, and then the end.
        drop(requests);
        if let Some(server) = server {
            server.ended(Ended::of(folder.path(), ending.finished.as_ref().map_or(0, |f| f.steps)));
        }
        if ending.finished.is_none() {
            folder.discard();
        }
        ending
    };
    let thread = std::thread::Builder::new().name(THREAD.into()).stack_size(STACK_BYTES).spawn(body);
    let thread = thread.map_err(|source| StoreError::Disk { path: PathBuf::from(THREAD), source })?;
    Ok((handle, Running { first_seq, thread }))
}

/// Runs the job and says how it ended, whatever way that was.
fn carry_out(
    folder: &RunFolder,
    job: Job,
    mut sink: LogSink,
    commands: &Receiver<CommandRequest>,
    resume: Option<ResumePoint>,
) -> Ending {
    let memory = MemoryWatch::default();
    let sampler = Sampler::start(memory.clone(), sink.clone());
    let mut to_job = sink.clone();
    let mut context = JobContext { folder, sink: &mut to_job, commands, memory: &memory, resume };
    // What a panic leaves behind is dropped here; the log's lines are whole and its lock survives.
    let result = panic::catch_unwind(AssertUnwindSafe(move || job(&mut context)));
    drop(sampler);
    let result = result.unwrap_or_else(|cause| {
        let told = LAST_PANIC.take().unwrap_or_else(|| message_of(&*cause));
        Err(JobError::Failed(format!("a bug in finetop: {told}")))
    });
    let (outcome, mut error) = match result {
        Ok(outcome) => (outcome, None),
        Err(e) => {
            let detail = Some(e.to_string());
            (Outcome { reason: FinishReason::Failed, steps: sink.last_step(), detail }, Some(e))
        }
    };
    if !sink.is_started() {
        return Ending { finished: None, error };
    }
    let finished = RunFinished { reason: outcome.reason, steps: outcome.steps, detail: outcome.detail };
    if sink.is_running() {
        sink.emit(RunEvent::RunFinished(finished.clone()));
    }
    if let Some(failure) = sink.failure() {
        error.get_or_insert(JobError::Failed(format!("events.jsonl could not be written: {failure}")));
    }
    Ending { finished: Some(finished), error }
}

/// Brings links and log in line with the last whole checkpoint, which a process may have saved in its last moment, and says where to go on.
fn mend(folder: &RunFolder, past: &Replay, sink: &LogSink) -> Result<Option<ResumePoint>, StoreError> {
    if past.events.is_empty() {
        return Ok(None);
    }
    let killed = post_mortem(&past.events, probe::cgroup_memory().and_then(|c| c.oom_kills)).map(Box::new);
    let Some(&step) = folder.checkpoints().last() else {
        return Ok(Some(ResumePoint { step: 0, checkpoint: None, best: None, evaluated: false, killed }));
    };
    let checkpoint = folder.checkpoint_path(step);
    folder.set_last(step)?;
    let best = past.events.iter().rev().find_map(|s| match &s.event {
        RunEvent::EvalDone(e) if e.best && e.step > 0 && e.step <= step => {
            Some(Best { step: e.step, eval_loss: e.eval_loss })
        }
        _ => None,
    });
    if let Some(best) = best.filter(|b| folder.checkpoint_path(b.step).is_dir()) {
        folder.set_best(best.step)?;
    }
    let evaluated = past.events.iter().any(|s| matches!(&s.event, RunEvent::EvalDone(e) if e.step == step));
    let is_said = |s: &Stamped| matches!(&s.event, RunEvent::CheckpointSaved(e) if e.step == step);
    if !past.events.iter().any(is_said) {
        let size_bytes = store::size_of_folder(&checkpoint)
            .map_err(|source| StoreError::Disk { path: checkpoint.clone(), source })?;
        let path = store::checkpoint_name(step);
        sink.complete_last_segment(RunEvent::CheckpointSaved(CheckpointSaved { step, path, size_bytes }));
    }
    Ok(Some(ResumePoint { step, checkpoint: Some(checkpoint), best, evaluated, killed }))
}

thread_local! {
    /// What the hook saw of a panic on this thread.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic of the job is told by `run_finished`; printed as well it would run through the screen.
fn keep_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if std::thread::current().name() == Some(THREAD) {
                let place = info.location().map(|l| format!(" at {l}")).unwrap_or_default();
                LAST_PANIC.set(Some(format!("{}{place}", message_of(info.payload()))));
            } else {
                before(info);
            }
        }));
    });
}

fn message_of(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
}
