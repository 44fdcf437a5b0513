//! A trial in the making: what is awaited, what is told of it piece by piece, and whether training is kept waiting meanwhile.
//! When it may begin and how it ends is in `update::playground::trial`.

use std::path::PathBuf;

use super::trial::{Compare, News, Outcome, TrialAsk, Who};
use super::{MOST_TRIALS, Playground};
use crate::extract::attempt::{Attempt, Stage, Totals, Trace};
use crate::ui::message::Fetching;
use crate::units::beginning;

/// Of what is streamed the end is kept for the screen, no more than this: the whole answer comes with its attempt.
const MOST_STREAMED: usize = 256 << 10;

/// What is awaited of a trial.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// That the training of this process pauses.
    Pausing,
    /// That the model is there.
    Loading(Option<Fetching>),
    /// An answer, in this stage.
    Asking(Stage),
    /// A server that is to be tried anew, at a moment of the screen's own clock.
    Waiting { why: String, until_ms: u64 },
}

/// A trial that is being made.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    pub ask: TrialAsk,
    pub phase: Phase,
    pub began_ms: u64,
    /// Pieces that this call wrote so far, about a token each.
    pub pieces: u64,
    /// Somebody wants no more of it.
    pub cancelled: bool,
    /// What is being written is shown as an attempt, until its own is there.
    streams: bool,
}

/// Whether the training of this process is kept waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hold {
    #[default]
    No,
    /// It was told to pause and has not answered.
    Asked,
    /// As before, but nobody needs it any more.
    Unwanted,
    /// It is paused for a trial.
    Held,
}

impl Playground {
    /// The trial as it stands in the editors.
    pub(in crate::ui) fn ask(&self, place: PathBuf, keep_model: bool, rows: Option<PathBuf>) -> TrialAsk {
        let settings = self.settings.clone();
        let with_b = settings.compare == Compare::Prompt && settings.who != Who::Given;
        TrialAsk {
            prompt: self.prompt.text(),
            prompt_b: if with_b { self.prompt_b.text() } else { String::new() },
            text: self.text.text(),
            schema: self.schema.text(),
            settings,
            rows,
            place,
            keep_model,
            limit_bytes: None,
        }
    }

    /// A trial begins: what came of the one before is gone.
    pub(in crate::ui) fn begin(&mut self, ask: TrialAsk, phase: Phase, now_ms: u64) {
        self.ticket += 1;
        if ask.rows.is_some() {
            self.batch.begin(now_ms, ask.clone());
        } else {
            self.failure = None;
            self.outcomes.clear();
            (self.side, self.attempt, self.scroll, self.follows) = (0, 0, 0, true);
            self.leave_row();
            self.settle();
            self.asked_with = self.settled;
        }
        self.running = Some(Running { ask, phase, began_ms: now_ms, pieces: 0, cancelled: false, streams: false });
    }

    /// Takes in what is told of the trial; when it is over, whether something went wrong.
    pub(in crate::ui) fn hear(&mut self, news: News, now_ms: u64) -> Option<Result<(), String>> {
        let running = self.running.as_mut()?;
        let is_batch = running.ask.rows.is_some();
        match news {
            News::Loading(fetching) => running.phase = Phase::Loading(Some(fetching)),
            News::Begins(_) if is_batch => {}
            News::Begins(at) => {
                running.streams = false;
                let variants = running.ask.variants();
                let label = variants.get(at).map_or("", |variant| variant.label);
                self.outcomes.push(Outcome { label: label.to_owned(), trace: unfinished() });
                if self.follows {
                    self.side = self.outcomes.len() - 1;
                    self.attempt = 0;
                }
            }
            News::Asked(stage) => {
                self.at_end = true;
                running.phase = Phase::Asking(stage);
                running.pieces = 0;
                running.streams = false;
            }
            News::Text { text, pieces } => {
                running.pieces += pieces;
                if let Phase::Waiting { .. } = running.phase {
                    running.phase = Phase::Asking(Stage::Generate);
                }
                let Phase::Asking(stage) = running.phase else { return None };
                let outcome = self.outcomes.last_mut().filter(|_| !is_batch)?;
                let attempts = &mut outcome.trace.attempts;
                if !std::mem::replace(&mut running.streams, true) {
                    attempts.push(writing(attempts.len() + 1, stage));
                }
                if let Some(serde_json::Value::String(written)) = attempts.last_mut().map(|a| &mut a.output) {
                    written.push_str(&text);
                    if written.len() > MOST_STREAMED {
                        let kept = beginning(written, written.len() - MOST_STREAMED / 2).len();
                        written.drain(..kept);
                    }
                }
                self.follow();
            }
            News::Again { why, wait_ms } => {
                running.phase = Phase::Waiting { why, until_ms: now_ms.saturating_add(wait_ms) };
                running.pieces = 0;
                let streams = std::mem::take(&mut running.streams);
                if let Some(outcome) = self.outcomes.last_mut().filter(|_| streams) {
                    outcome.trace.attempts.pop();
                }
            }
            News::Attempt(attempt) => {
                // Another text: it begins at its beginning.
                if running.streams && self.follows {
                    self.scroll = 0;
                }
                let streams = std::mem::take(&mut running.streams);
                let outcome = self.outcomes.last_mut().filter(|_| !is_batch)?;
                if streams {
                    outcome.trace.attempts.pop();
                }
                outcome.trace.attempts.push(*attempt);
                self.follow();
            }
            News::Done(trace) => {
                running.streams = false;
                if let Some(outcome) = self.outcomes.last_mut().filter(|_| !is_batch) {
                    outcome.trace = *trace;
                    self.follow();
                }
            }
            News::Rows(total) => self.batch.total = Some(total),
            News::Row(row) => self.batch.add(*row),
            // The file may have been read after it was written there, and before that was heard.
            News::Kept(Ok(trial)) if self.finds.trials.last() == Some(&*trial) => {}
            News::Kept(Ok(trial)) => {
                self.finds.trials.push(*trial);
                let more = self.finds.trials.len().saturating_sub(MOST_TRIALS);
                self.finds.trials.drain(..more);
            }
            News::Kept(Err(_)) => {}
            News::Over(result) => {
                let cancelled = self.running.take().is_some_and(|running| running.cancelled);
                // What a cancelled one says is that it was cancelled.
                let result = if cancelled { Ok(()) } else { result };
                if is_batch {
                    self.batch.end(cancelled, result.as_ref().err());
                } else {
                    self.failure = result.as_ref().err().cloned();
                }
                return Some(result);
            }
        }
        None
    }

    /// Looks at the newest attempt, unless a person looks at another one.
    fn follow(&mut self) {
        if self.follows {
            self.side = self.outcomes.len().saturating_sub(1);
            self.attempt = self.outcomes.last().map_or(0, |o| o.trace.attempts.len().saturating_sub(1));
        }
    }

    /// What a model has written so far of the answer that it is at.
    pub fn written(&self) -> Option<&str> {
        self.running.as_ref().filter(|running| running.streams)?;
        self.outcomes.last()?.trace.attempts.last()?.output.as_str()
    }

    /// Whether an outcome is still in the making: nobody knows yet whether it has a value.
    pub fn is_making(&self, side: usize) -> bool {
        self.running.is_some()
            && !self.makes_rows()
            && side + 1 == self.outcomes.len()
            && self.outcomes[side].trace.error.is_none()
            && !self.outcomes[side].trace.ok
    }

    /// Whether a file of rows is being worked through.
    pub fn makes_rows(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.ask.rows.is_some())
    }

    /// Whether the run itself is being asked, and waits with its training meanwhile.
    pub fn asks_run(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.ask.settings.who == Who::Run)
    }

    /// Whether the training of this process waits for a trial, or is about to.
    pub fn holds_run(&self) -> bool {
        self.hold != Hold::No
    }
}

fn unfinished() -> Trace {
    Trace { ok: false, value: None, error: None, attempts: Vec::new(), totals: Totals::default() }
}

/// What is being written, as an attempt that is not there yet.
fn writing(n: usize, stage: Stage) -> Attempt {
    Attempt {
        n,
        stage,
        input: serde_json::Value::Null,
        output: serde_json::Value::String(String::new()),
        errors: Vec::new(),
        changes: Vec::new(),
        prompt: None,
        prompt_tokens: None,
        completion_tokens: None,
        ms: 0.0,
    }
}
