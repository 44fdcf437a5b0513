//! A log read back: all at once, or followed while it grows. A torn last line waits for its rest, an unknown event is skipped and counted, and
//! steps that a resume went back behind are dropped. How lines get there is in `log`.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::parse::{NoEvent, parse};
use super::post_mortem::post_mortem;
use super::store::{self, StoreError};
use crate::event::{RunEvent, RunFinished, Stamped};
use crate::memory::probe;

/// How often a log that is followed is looked at.
const POLL: Duration = Duration::from_millis(100);
/// How many events may wait for whoever follows; the log itself keeps the rest.
const WAITING: usize = 16 << 10;
/// No line of ours is longer; what is, is no event.
const LONGEST_LINE: usize = 16 << 20;
const CHUNK: usize = 256 << 10;

/// How the last segment of a log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogState {
    /// Nothing was ever said, and nobody is about to.
    Empty,
    /// A process is writing.
    Live,
    /// It ended without saying so: killed, or the machine went down.
    Interrupted,
    Finished(RunFinished),
}

/// A whole log.
#[derive(Debug)]
pub struct Replay {
    /// In order, without the steps that a later segment does again.
    pub events: Vec<Stamped>,
    pub state: LogState,
    /// Lines that are no event known here.
    pub skipped: u64,
}

impl Replay {
    /// The last step that counts.
    pub fn last_step(&self) -> u64 {
        let step = |s: &Stamped| match &s.event {
            RunEvent::StepDone(e) => Some(e.step),
            RunEvent::RunStarted(e) => e.resumed_from,
            _ => None,
        };
        self.events.iter().rev().find_map(step).unwrap_or(0)
    }
}

/// Reads the whole log of a run.
/// # Errors
/// A folder that holds no run, or what the file system says.
pub fn read(run: &Path) -> Result<Replay, StoreError> {
    let mut follow = Follow::open(run)?;
    let mut events = Vec::new();
    while follow.step(&mut |stamped| keep(&mut events, stamped))? {}
    Ok(Replay { events, state: follow.state(), skipped: follow.skipped })
}

/// Hands the events of a whole log over one by one, those of steps that a later segment does again too; what lies behind is not kept.
/// # Errors
/// A folder that holds no run, or what the file system says.
pub fn each(run: &Path, mut take: impl FnMut(Stamped)) -> Result<(), StoreError> {
    let mut follow = Follow::open(run)?;
    while follow.step(&mut take)? {}
    Ok(())
}

/// The events that stand in the log before place `seq`, as it is now. They come as they are taken: a long log is never held whole.
/// # Errors
/// A folder that holds no run, or what the file system says.
pub fn before(run: &Path, seq: u64) -> Result<Receiver<Stamped>, StoreError> {
    let mut follow = Follow::open(run)?;
    let (sender, events) = mpsc::sync_channel(WAITING);
    let body = move || {
        let mut open = true;
        while open && follow.step(&mut |s| open = open && s.seq < seq && sender.send(s).is_ok()).unwrap_or(false) {}
    };
    // Without a thread nothing is known of what was before, and the run goes on.
    let _ = std::thread::Builder::new().name("finetop-history".into()).spawn(body);
    Ok(events)
}

/// How the last segment of a run ended, whoever holds the run now.
/// # Errors
/// A folder that holds no run, or what the file system says.
pub fn finished(run: &Path) -> Result<Option<RunFinished>, StoreError> {
    let mut follow = Follow::open(run)?;
    while follow.step(&mut drop)? {}
    Ok(follow.finished)
}

/// Takes the next event in; one that begins a segment drops the steps that this segment does again.
fn keep(events: &mut Vec<Stamped>, stamped: Stamped) {
    if let RunEvent::RunStarted(started) = &stamped.event {
        let from = started.resumed_from.unwrap_or(0);
        events.retain(|s| !is_done_again(&s.event, from));
    }
    events.push(stamped);
}

/// Whether a segment that goes on from the checkpoint of step `resumed_from` says this fact again: it belongs to a later step, or there was
/// no checkpoint (0) and everything is done again, the eval before training too.
pub fn is_done_again(event: &RunEvent, resumed_from: u64) -> bool {
    let step = match event {
        RunEvent::MicroBatchDone(e) => e.step,
        RunEvent::StepDone(e) => e.step,
        RunEvent::EvalDone(e) => e.step,
        RunEvent::CheckpointSaved(e) => e.step,
        _ => return false,
    };
    step > resumed_from || resumed_from == 0
}

/// A log that is read as it grows, each whole line once.
#[derive(Debug)]
pub struct Follow {
    run: PathBuf,
    file: File,
    /// Just behind the last whole line. What stands there without a line end is read again, for a resume may cut it off.
    at: u64,
    /// Whether the line that begins at `at` is longer than any of ours and is being passed over.
    overlong: bool,
    finished: Option<RunFinished>,
    live: bool,
    skipped: u64,
    next_seq: u64,
    elapsed_ms: u64,
}

impl Follow {
    /// # Errors
    /// A folder that holds no run, or what the file system says.
    pub fn open(run: &Path) -> Result<Self, StoreError> {
        store::must_be_run(run)?;
        Self::of(run).map_err(|source| StoreError::Disk { path: store::events(run), source })
    }

    pub(super) fn of(run: &Path) -> io::Result<Self> {
        Ok(Follow {
            run: run.to_path_buf(),
            file: File::open(store::events(run))?,
            at: 0,
            overlong: false,
            finished: None,
            live: false,
            skipped: 0,
            next_seq: 0,
            elapsed_ms: 0,
        })
    }

    /// The events that came since the last call.
    /// # Errors
    /// What the file system says.
    pub fn poll(&mut self) -> Result<Vec<Stamped>, StoreError> {
        let mut events = Vec::new();
        while self.step(&mut |stamped| events.push(stamped))? {}
        Ok(events)
    }

    /// How the log stands as far as it was read.
    pub fn state(&self) -> LogState {
        match &self.finished {
            Some(finished) => LogState::Finished(finished.clone()),
            None if self.live => LogState::Live,
            None if self.next_seq == 0 => LogState::Empty,
            None => LogState::Interrupted,
        }
    }

    /// Whether a process held the run when it was last looked at. It may do so after the end of a segment: the next one is being prepared.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Lines that are no event known here, so far.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The place behind the last whole line, and what the next line of this stream would carry: `seq` and the time that has passed.
    pub(super) fn end(&self) -> (u64, u64, u64) {
        (self.at, self.next_seq, self.elapsed_ms)
    }

    /// Reads the next piece, so that nobody has to hold a long log whole; true while there is more.
    /// # Errors
    /// What the file system says.
    pub fn step(&mut self, each: &mut dyn FnMut(Stamped)) -> Result<bool, StoreError> {
        // Asked before reading: what a process wrote that is gone by now is all there.
        self.live = store::is_live(&self.run);
        self.piece(each).map_err(|source| StoreError::Disk { path: store::events(&self.run), source })
    }

    fn piece(&mut self, each: &mut dyn FnMut(Stamped)) -> io::Result<bool> {
        let length = self.file.metadata()?.len();
        let mut size = CHUNK;
        while self.at < length {
            let mut piece = Vec::with_capacity((length - self.at).min(size as u64) as usize);
            self.file.seek(SeekFrom::Start(self.at))?;
            (&self.file).take(size as u64).read_to_end(&mut piece)?;
            match piece.iter().rposition(|b| *b == b'\n') {
                Some(last) => {
                    self.at += last as u64 + 1;
                    let mut rest = &piece[..=last];
                    while !rest.is_empty() {
                        let line = rest;
                        let length = rest.skip_until(b'\n')?;
                        self.line(&line[..length - 1], each);
                    }
                    return Ok(true);
                }
                None if piece.len() < size => return Ok(false),
                None if size < LONGEST_LINE => size *= 2,
                None => {
                    self.at += piece.len() as u64;
                    self.overlong = true;
                }
            }
        }
        Ok(false)
    }

    fn line(&mut self, line: &[u8], each: &mut dyn FnMut(Stamped)) {
        let place = match parse(line) {
            _ if std::mem::take(&mut self.overlong) => None,
            Err(NoEvent::Broken) => None,
            Err(NoEvent::Unknown { seq, elapsed_ms }) => {
                self.skipped += 1;
                Some((seq, elapsed_ms))
            }
            Ok(stamped) => {
                match &stamped.event {
                    RunEvent::RunStarted(_) => self.finished = None,
                    RunEvent::RunFinished(finished) => self.finished = Some(finished.clone()),
                    _ => {}
                }
                let place = (stamped.seq, stamped.elapsed_ms);
                each(stamped);
                Some(place)
            }
        };
        match place {
            Some((seq, elapsed_ms)) => {
                self.next_seq = self.next_seq.max(seq.saturating_add(1));
                self.elapsed_ms = self.elapsed_ms.max(elapsed_ms);
            }
            None => self.skipped += 1,
        }
    }

    /// The out-of-memory that ended a run whose log only stops, as the next event of the stream; it is written by whoever goes on with the run.
    pub fn killed(&self) -> Option<Stamped> {
        if self.state() != LogState::Interrupted {
            return None;
        }
        let events = read(&self.run).ok()?.events;
        let oom = post_mortem(&events, probe::cgroup_memory().and_then(|c| c.oom_kills))?;
        let (_, seq, elapsed_ms) = self.end();
        Some(Stamped { seq, elapsed_ms, event: RunEvent::OutOfMemory(Box::new(oom)) })
    }

    /// The events of the whole log and then those that come, until no process holds the run any more or nobody listens.
    pub fn into_receiver(mut self) -> Receiver<Stamped> {
        let (sender, events) = mpsc::sync_channel(WAITING);
        let body = move || {
            let mut open = true;
            while open {
                let more = self.step(&mut |stamped| open = sender.send(stamped).is_ok() && open);
                match more {
                    Ok(true) => {}
                    Ok(false) if open && self.live => std::thread::sleep(POLL),
                    _ => break,
                }
            }
            // What nobody was left to write.
            if open && let Some(stamped) = self.killed() {
                let _ = sender.send(stamped);
            }
        };
        // Without a thread the receiver hangs up at once, which reads as the end of the log.
        let _ = std::thread::Builder::new().name("finetop-follow".into()).spawn(body);
        events
    }
}
