//! Events to disk, then to whoever listens: each gets its place in the stream, is appended as one whole line, and only then is passed on.
//! Reading them back is in `replay`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::replay::Follow;
use super::store;
use crate::event::{EventSink, RunEvent, Stamped, Warning};

/// The time since the segment began.
pub type Clock = Box<dyn Fn() -> Duration + Send>;

/// The system's monotonic clock from now on.
pub fn monotonic() -> Clock {
    let begun = Instant::now();
    Box::new(move || begun.elapsed())
}

/// The end of a log, where lines are added.
struct LogWriter {
    file: File,
    /// Bytes of whole lines on disk.
    length: u64,
    seq: u64,
    /// What had passed when this segment began.
    base_ms: u64,
    last_ms: u64,
    clock: Clock,
    /// Lines that the disk refused; they go first at the next attempt. A full disk that is made room on loses nothing.
    waiting: Vec<u8>,
    failure: Option<String>,
}

impl LogWriter {
    /// Opens the log of a run, new or not. A last line that a killed process left without its end is completed if only the line end is
    /// missing, else cut off: nobody has seen it.
    fn open(run: &Path, clock: Clock) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(store::events(run))?;
        let mut follow = Follow::of(run)?;
        let mut to_the_end = || -> io::Result<_> {
            while follow.step(&mut drop).map_err(io::Error::other)? {}
            Ok(follow.end())
        };
        let (mut length, mut seq, mut base_ms) = to_the_end()?;
        let mut torn = Vec::new();
        file.seek(SeekFrom::Start(length))?;
        file.read_to_end(&mut torn)?;
        if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&torn).is_ok() {
            file.write_all(b"\n")?;
            (length, seq, base_ms) = to_the_end()?;
        } else {
            file.set_len(length)?;
        }
        Ok(LogWriter { file, length, seq, base_ms, last_ms: base_ms, clock, waiting: Vec::new(), failure: None })
    }

    /// Gives the event its place and writes its line in one call. What the disk refuses waits for the next attempt.
    fn append(&mut self, event: RunEvent) -> Stamped {
        let event = match not_finite(&event) {
            // JSON would say null, and null means unknown.
            Some(field) => RunEvent::Warning(Warning {
                kind: "not_finite".into(),
                detail: format!("{field} is not a finite number"),
            }),
            None => event,
        };
        let elapsed = u64::try_from((self.clock)().as_millis()).unwrap_or(u64::MAX);
        self.last_ms = self.last_ms.max(self.base_ms.saturating_add(elapsed));
        let stamped = Stamped { seq: self.seq, elapsed_ms: self.last_ms, event };
        self.seq = self.seq.saturating_add(1);
        let sync =
            matches!(stamped.event, RunEvent::RunStarted(_) | RunEvent::CheckpointSaved(_) | RunEvent::RunFinished(_));
        let written = serde_json::to_vec(&stamped).map_err(io::Error::other).and_then(|mut line| {
            line.push(b'\n');
            self.waiting.append(&mut line);
            self.write()?;
            if sync { self.file.sync_data() } else { Ok(()) }
        });
        self.failure = written.err().map(|e| e.to_string());
        stamped
    }

    fn write(&mut self) -> io::Result<()> {
        if self.failure.is_some() {
            // Half a line may stand there from the attempt that failed.
            self.file.set_len(self.length)?;
        }
        self.file.write_all(&self.waiting)?;
        self.length += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

/// The field of an event that is no finite number.
fn not_finite(event: &RunEvent) -> Option<&'static str> {
    let fields: &[(&'static str, f64)] = match event {
        RunEvent::MicroBatchDone(e) => &[("micro_batch_done.loss_sum_nats", e.loss_sum_nats)],
        RunEvent::StepDone(e) => &[
            ("step_done.epoch", e.epoch),
            ("step_done.loss", e.loss),
            ("step_done.learning_rate", e.learning_rate),
            ("step_done.grad_norm", e.grad_norm),
        ],
        RunEvent::EvalDone(e) => &[("eval_done.eval_loss", e.eval_loss)],
        RunEvent::BleuDone(e) => &[("bleu_done.score", e.score)],
        RunEvent::BleuProgress(e) => &[("bleu_progress.partial_score", e.partial_score.unwrap_or_default())],
        // A configuration is finite since it was read.
        RunEvent::RunStarted(_)
        | RunEvent::MemoryPlanned(_)
        | RunEvent::MemorySampled(_)
        | RunEvent::CheckpointSaved(_)
        | RunEvent::OutOfMemory(_)
        | RunEvent::Warning(_)
        | RunEvent::RunFinished(_) => &[],
    };
    fields.iter().find(|(_, x)| !x.is_finite()).map(|(name, _)| *name)
}

/// The stream of one segment; clones write to the same one.
/// What is said before `run_started` is held back and follows it, for a segment begins with that.
#[derive(Clone)]
pub struct LogSink(Arc<Mutex<Segment>>);

struct Segment {
    writer: LogWriter,
    listener: Option<Sender<Stamped>>,
    started: bool,
    finished: bool,
    last_step: u64,
    early: Vec<RunEvent>,
}

impl LogSink {
    /// Opens the log of a run for a new segment; `seq` and `elapsed_ms` go on where the last one ended.
    /// # Errors
    /// What the file system says.
    pub fn open(run: &Path, clock: Clock, listener: Option<Sender<Stamped>>) -> io::Result<Self> {
        let writer = LogWriter::open(run, clock)?;
        let segment = Segment { writer, listener, started: false, finished: false, last_step: 0, early: Vec::new() };
        Ok(LogSink(Arc::new(Mutex::new(segment))))
    }

    /// Whether `run_started` was said, and `run_finished` not yet.
    pub fn is_running(&self) -> bool {
        let segment = self.segment();
        segment.started && !segment.finished
    }

    /// The place of the event that comes next.
    pub fn next_seq(&self) -> u64 {
        self.segment().writer.seq
    }

    pub fn is_started(&self) -> bool {
        self.segment().started
    }

    /// The last step that was done, in this segment or before it.
    pub fn last_step(&self) -> u64 {
        self.segment().last_step
    }

    /// Why the last line is not on disk.
    pub fn failure(&self) -> Option<String> {
        self.segment().writer.failure.clone()
    }

    /// Adds a fact to the segment before this one, which ended without saying it.
    pub fn complete_last_segment(&self, event: RunEvent) {
        self.segment().say(event);
    }

    fn segment(&self) -> MutexGuard<'_, Segment> {
        // A thread that died while it held the lock left a log whose lines are whole; what it had not written waits.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl EventSink for LogSink {
    fn emit(&mut self, event: RunEvent) {
        let mut segment = self.segment();
        let begins = match &event {
            RunEvent::RunStarted(started) => {
                segment.last_step = started.resumed_from.unwrap_or(0);
                !std::mem::replace(&mut segment.started, true)
            }
            _ if !segment.started => return segment.early.push(event),
            RunEvent::StepDone(step) => {
                segment.last_step = step.step;
                false
            }
            RunEvent::RunFinished(_) => {
                segment.finished = true;
                false
            }
            _ => false,
        };
        segment.say(event);
        if begins {
            for event in std::mem::take(&mut segment.early) {
                segment.say(event);
            }
        }
    }
}

impl Segment {
    fn say(&mut self, event: RunEvent) {
        let stamped = self.writer.append(event);
        // A screen that is gone is not missed.
        if self.listener.as_ref().is_some_and(|l| l.send(stamped).is_err()) {
            self.listener = None;
        }
    }
}
