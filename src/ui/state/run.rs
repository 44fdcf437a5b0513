//! A run as the screen knows it: the fold of its event stream, the same for a live run, a followed log and a replay.
//! Averages, rates and estimates are made here from facts; what is unknown stays `None`. Nothing here knows keys or pixels.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::event::{
    BleuDone, BleuProgress, CheckpointSaved, EvalDone, MemoryPlanned, MicroBatchDone, OutOfMemory, RunEvent,
    RunFinished, RunStarted, Stamped, StepDone, Warning,
};
use crate::memory::ledger::Phase;
use crate::pace::{Pace, robust_mean};
use crate::units::beginning;

use super::axis::Axis;
use super::memory::{MarkKind, MemoryHistory};
use super::series::Series;
use super::smooth::{Smoother, Smoothing};

/// Steps kept whole for the table of the last steps.
const RECENT_STEPS: usize = 64;
/// Steps that the shown speed looks back on.
const SPEED_STEPS: usize = 10;
const MAX_EVALS: usize = 8192;
const MAX_WARNINGS: usize = 100;
/// Out-of-memories kept, the last ones.
const MAX_OOMS: usize = 32;
/// Of each text of a warning; the log has all of it.
const MAX_WARNING_BYTES: usize = 1_024;
/// Micro-batches of one step kept whole; a step with more shows its last ones.
const MAX_MICROS: usize = 4096;
/// Of a step that is over, so many of its micro-batches.
const MAX_MICROS_BEHIND: usize = 256;
/// A micro-batch that took this many times the median of its step is odd.
pub const ODD: f64 = 2.0;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunView {
    pub started: Option<Box<RunStarted>>,
    pub plan: Option<MemoryPlanned>,
    pub loss: Series,
    pub smoothed: Series,
    pub learning_rate: Series,
    pub grad_norm: Series,
    pub tokens_per_second: Series,
    /// Seconds of each micro-batch, by its step.
    pub micro_seconds: Series,
    /// Where steps lie by tokens and by time.
    pub axis: Axis,
    pub last_step: Option<StepDone>,
    /// The step that is being accumulated, or the last one until the next begins.
    pub current: CurrentStep,
    /// The last steps, oldest first.
    pub recent: VecDeque<StepSummary>,
    pub evals: Vec<EvalDone>,
    pub checkpoint: Option<CheckpointSaved>,
    pub memory: MemoryHistory,
    pub warnings: Warnings,
    /// Of the newest segment, the newest one.
    pub out_of_memory: Option<Box<OutOfMemory>>,
    /// Of the whole run, with the `elapsed_ms` that they happened at, oldest first. One that was answered by a lever has it in `applied`.
    pub ooms: Vec<(u64, OutOfMemory)>,
    /// Of the adapter, where it was scored; and of the base alone.
    pub bleu: Option<BleuDone>,
    pub base_bleu: Option<BleuDone>,
    /// The report that is being made.
    pub scoring: Option<BleuProgress>,
    /// How the newest segment ended; `None` while it goes on, or when it was cut off.
    pub outcome: Option<RunFinished>,
    /// Of the newest event.
    pub elapsed_ms: u64,
    pub pace: Pace,
    smoothing: Smoothing,
    smoother: Smoother,
    next_seq: u64,
    /// `elapsed_ms` when the newest segment began.
    segment_elapsed_ms: u64,
    /// Whether the newest segment has only begun.
    begins: bool,
}

/// The micro-batches of one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CurrentStep {
    pub step: u64,
    pub micro_per_step: u64,
    /// Micro-batches done; `micros` may hold only the last ones, the sums are of all.
    pub done: u64,
    pub tokens: u64,
    pub target_tokens: u64,
    pub peak_bytes: Option<u64>,
    pub micros: VecDeque<MicroBatchDone>,
    pub complete: bool,
}

/// One line in the table of the last steps.
#[derive(Debug, Clone, PartialEq)]
pub struct StepSummary {
    pub step: u64,
    pub loss: f64,
    pub target_tokens: u64,
    pub tokens: u64,
    pub duration_us: u64,
    pub micro_batches: u64,
    /// Its micro-batches, if they were heard; of very many the last ones.
    pub micros: Vec<MicroBatchDone>,
    pub peak_bytes: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Warnings {
    pub count: u64,
    /// The last ones, oldest first.
    pub last: VecDeque<Warning>,
    /// Those that segments began with, as hashes.
    at_the_beginning: Vec<u64>,
}

impl Warnings {
    /// Each segment begins with the same words about its rows; they are counted once.
    fn is_new(&mut self, warning: &Warning, begins: bool) -> bool {
        if !begins {
            return true;
        }
        let mut hasher = DefaultHasher::new();
        (&warning.kind, &warning.detail).hash(&mut hasher);
        let hash = hasher.finish();
        let is_new = !self.at_the_beginning.contains(&hash);
        if is_new && self.at_the_beginning.len() < MAX_WARNINGS {
            self.at_the_beginning.push(hash);
        }
        is_new
    }
}

impl RunView {
    /// Takes one event in. An event that was already taken (a log read twice) changes nothing.
    pub fn fold(&mut self, stamped: &Stamped) {
        if stamped.seq < self.next_seq {
            return;
        }
        self.next_seq = stamped.seq.saturating_add(1);
        self.elapsed_ms = self.elapsed_ms.max(stamped.elapsed_ms);
        self.pace.fold(stamped);
        self.begins &= matches!(stamped.event, RunEvent::Warning(_) | RunEvent::MemorySampled(_));
        match &stamped.event {
            RunEvent::RunStarted(started) => self.segment(started),
            RunEvent::MemoryPlanned(plan) => {
                self.memory.planned(plan);
                self.plan = Some(plan.clone());
            }
            RunEvent::MicroBatchDone(micro) => self.micro_batch(micro),
            RunEvent::StepDone(step) => self.step(step),
            RunEvent::MemorySampled(sample) => {
                self.memory.sample(self.elapsed_ms, self.step_of(sample.phase), sample);
            }
            RunEvent::EvalDone(eval) => {
                self.memory.mark(self.elapsed_ms, eval.step, MarkKind::Eval);
                if self.evals.len() >= MAX_EVALS {
                    let mut index = 0usize;
                    self.evals.retain(|e| {
                        index += 1;
                        index == 1 || e.best || index.is_multiple_of(2)
                    });
                }
                self.evals.push(eval.clone());
            }
            RunEvent::CheckpointSaved(checkpoint) => {
                self.memory.mark(self.elapsed_ms, checkpoint.step, MarkKind::Checkpoint);
                self.checkpoint = Some(checkpoint.clone());
            }
            RunEvent::OutOfMemory(oom) => self.out_of_memory(oom),
            RunEvent::BleuDone(bleu) => {
                self.memory.mark(self.elapsed_ms, self.steps_done(), MarkKind::Bleu);
                self.scoring = None;
                let of = if bleu.adapter == "none" { &mut self.base_bleu } else { &mut self.bleu };
                *of = Some(bleu.clone());
            }
            RunEvent::Warning(warning) => {
                if self.warnings.is_new(warning, self.begins) {
                    self.warnings.count += 1;
                    if self.warnings.last.len() == MAX_WARNINGS {
                        self.warnings.last.pop_front();
                    }
                    self.warnings.last.push_back(Warning {
                        kind: beginning(&warning.kind, MAX_WARNING_BYTES).to_owned(),
                        detail: beginning(&warning.detail, MAX_WARNING_BYTES).to_owned(),
                    });
                }
                // JSON has no such number; the warning is its event.
                if let Some((step, value)) = not_finite(warning) {
                    self.loss.push(step, value);
                }
            }
            RunEvent::BleuProgress(progress) => self.scoring = Some(progress.clone()),
            RunEvent::RunFinished(finished) => {
                self.scoring = None;
                self.outcome = Some(finished.clone());
            }
        }
    }

    /// Where somebody is asked, it is said twice: as it happens, and with the lever that was chosen.
    fn out_of_memory(&mut self, oom: &OutOfMemory) {
        let is_same = |old: &OutOfMemory| (old.step, old.micro, old.phase) == (oom.step, oom.micro, oom.phase);
        let answered = |old: &OutOfMemory| oom.applied.is_some() && old.applied.is_none() && is_same(old);
        let answers = match self.ooms.last_mut() {
            Some((_, old)) if answered(old) => {
                *old = oom.clone();
                true
            }
            _ => {
                if self.ooms.len() == MAX_OOMS {
                    self.ooms.remove(0);
                }
                self.ooms.push((self.elapsed_ms, oom.clone()));
                false
            }
        };
        self.memory.out_of_memory(self.elapsed_ms, oom.step, answers, oom.applied.is_some());
        self.out_of_memory = Some(Box::new(oom.clone()));
        // The step is done again from its first micro-batch.
        if self.current.step == oom.step && !self.current.complete {
            self.current = CurrentStep { step: oom.step, ..CurrentStep::default() };
            self.micro_seconds.truncate_after(oom.step.saturating_sub(1));
        }
    }

    /// The step that a phase belongs to: the one under way, or for what comes between two steps the one before.
    fn step_of(&self, phase: Phase) -> u64 {
        let done = self.steps_done();
        let working = matches!(phase, Phase::Forward | Phase::Backward | Phase::Optimizer);
        // The last sample may be taken a moment after the last step.
        let last = self.planned_steps().unwrap_or(u64::MAX).max(done);
        done.saturating_add(u64::from(working)).min(last)
    }

    fn segment(&mut self, started: &RunStarted) {
        if self.started.is_some() {
            // A segment that goes on from no checkpoint does everything again, the eval before training too.
            let from = started.resumed_from.unwrap_or(0);
            let kept_to = started.resumed_from.filter(|&from| from > 0);
            for series in [
                &mut self.loss,
                &mut self.smoothed,
                &mut self.learning_rate,
                &mut self.grad_norm,
                &mut self.tokens_per_second,
                &mut self.micro_seconds,
            ] {
                series.truncate_after(from);
            }
            self.axis.truncate_after(from);
            self.evals.retain(|e| Some(e.step) <= kept_to);
            self.recent.retain(|s| s.step <= from);
            if self.checkpoint.as_ref().is_some_and(|c| c.step > from) {
                self.checkpoint = None;
            }
            if self.last_step.as_ref().is_some_and(|s| s.step > from) {
                self.last_step = None;
            }
        }
        self.begins = true;
        self.current = CurrentStep::default();
        self.memory.begin_segment();
        self.outcome = None;
        self.out_of_memory = None;
        self.segment_elapsed_ms = self.elapsed_ms;
        self.started = Some(Box::new(started.clone()));
        self.smooth_anew();
    }

    /// How strongly the loss is smoothed.
    pub fn smoothing(&self) -> Smoothing {
        self.smoothing
    }

    pub fn set_smoothing(&mut self, smoothing: Smoothing) {
        self.smoothing = smoothing;
        self.smooth_anew();
    }

    fn smooth_anew(&mut self) {
        self.smoother = Smoother::new(self.smoothing.window(self.planned_steps()));
        self.smoothed = self.smoother.over(&self.loss);
    }

    fn micro_batch(&mut self, micro: &MicroBatchDone) {
        if self.current.step != micro.step || self.current.complete {
            self.current = CurrentStep { step: micro.step, ..CurrentStep::default() };
        }
        self.current.micro_per_step = micro.micro_per_step;
        self.current.done = micro.micro;
        self.current.tokens = self.current.tokens.saturating_add(micro.tokens);
        self.current.target_tokens = self.current.target_tokens.saturating_add(micro.target_tokens);
        let peak_bytes = micro.peak_bytes.max(micro.used_bytes);
        self.current.peak_bytes = self.current.peak_bytes.max(peak_bytes);
        if self.current.micros.len() == MAX_MICROS {
            self.current.micros.pop_front();
        }
        self.current.micros.push_back(micro.clone());
        self.micro_seconds.push(micro.step, micro.duration_us as f64 / 1e6);
        self.memory.saw_peak_of_process(peak_bytes);
        self.memory.worked(self.elapsed_ms.saturating_sub(micro.duration_us / 1000));
    }

    fn step(&mut self, step: &StepDone) {
        self.memory.worked(self.elapsed_ms);
        let seconds = step.duration_us as f64 / 1e6;
        self.loss.push(step.step, step.loss);
        let smoothed = self.smoother.next(step.loss);
        self.smoothed.push(step.step, smoothed);
        self.axis.push(step.step, step.tokens, self.elapsed_ms);
        self.learning_rate.push(step.step, step.learning_rate);
        self.grad_norm.push(step.step, step.grad_norm);
        if seconds > 0.0 {
            self.tokens_per_second.push(step.step, step.tokens as f64 / seconds);
        }

        let of_this_step = self.current.step == step.step;
        if of_this_step {
            self.current.complete = true;
        }
        let micros = of_this_step.then_some(&self.current.micros);
        if self.recent.len() == RECENT_STEPS {
            self.recent.pop_front();
        }
        self.recent.push_back(StepSummary {
            step: step.step,
            loss: step.loss,
            target_tokens: step.target_tokens,
            tokens: step.tokens,
            duration_us: step.duration_us,
            micro_batches: if of_this_step { self.current.done } else { 0 },
            micros: micros
                .map_or_else(Vec::new, |m| m.iter().skip(m.len().saturating_sub(MAX_MICROS_BEHIND)).cloned().collect()),
            peak_bytes: self.current.peak_bytes.filter(|_| of_this_step),
        });
        self.last_step = Some(step.clone());
    }

    /// Optimizer steps that count: those done, or those before the checkpoint that this segment goes on from.
    pub fn steps_done(&self) -> u64 {
        let resumed = self.started.as_ref().and_then(|s| s.resumed_from).unwrap_or(0);
        self.last_step.as_ref().map_or(resumed, |s| s.step.max(resumed))
    }

    pub fn planned_steps(&self) -> Option<u64> {
        self.started.as_ref().map(|s| s.planned_steps)
    }

    /// Tokens that a whole step holds on average, by the rows of the data set and the batch that was asked for.
    pub fn planned_step_tokens(&self) -> Option<f64> {
        let started = self.started.as_ref()?;
        let rows = started.rows.iter().find(|r| r.split == "train").filter(|r| r.rows > 0)?;
        let train = &started.config.train;
        let batch = train.per_device_train_batch_size.saturating_mul(train.gradient_accumulation_steps);
        Some(rows.tokens as f64 / rows.rows as f64 * batch as f64)
    }

    /// The eval that the run itself called its best so far.
    pub fn best_eval(&self) -> Option<&EvalDone> {
        self.evals.iter().rev().find(|e| e.best)
    }

    /// The eval before the first step.
    pub fn eval_before(&self) -> Option<&EvalDone> {
        self.evals.first().filter(|e| e.step == 0)
    }

    /// Tokens a second over the last steps, those that held a pause left out; before the first step over its micro-batches.
    pub fn speed(&self) -> Option<f64> {
        let last: Vec<_> = self.recent.iter().rev().take(SPEED_STEPS).collect();
        let rates = last.iter().filter(|s| s.duration_us > 0).map(|s| s.duration_us as f64 / s.tokens.max(1) as f64);
        let rates: Vec<f64> = rates.collect();
        if let Some(us_per_token) = robust_mean(&rates) {
            return Some(1e6 / us_per_token).filter(|r| r.is_finite());
        }
        let (tokens, us) =
            self.current.micros.iter().fold((0.0, 0.0), |(t, us), m| (t + m.tokens as f64, us + m.duration_us as f64));
        (us > 0.0).then(|| tokens * 1e6 / us)
    }

    /// What the run is doing, by its newest sample of memory.
    pub fn phase(&self) -> Option<Phase> {
        self.memory.last.as_ref().map(|m| m.phase)
    }

    /// When the newest event happened, by the wall clock of the machine that trains.
    pub fn newest_event_unix_ms(&self) -> Option<u64> {
        let started = self.started.as_ref()?;
        Some(started.started_unix_ms.saturating_add(self.elapsed_ms.saturating_sub(self.segment_elapsed_ms)))
    }

    /// Seconds until the run ends, by what steps, evals and checkpoints took so far; `now_ms` is in the run's `elapsed_ms`.
    /// `None` before the second step: the first one is no measure of the others.
    pub fn eta_seconds(&self, now_ms: u64) -> Option<f64> {
        if self.pace.measured_steps() < 2 {
            return None;
        }
        self.pace.left_seconds(now_ms)
    }
}

/// The step whose loss, or its gradient, is no number, and what it is instead: `step 12: the loss or its gradient is NaN`.
fn not_finite(warning: &Warning) -> Option<(u64, f64)> {
    let (step, what) =
        warning.detail.strip_prefix("step ").filter(|_| warning.kind == "not_finite")?.split_once(':')?;
    let value = what.rsplit(' ').next()?.parse::<f64>().ok()?;
    Some((step.parse().ok()?, value)).filter(|_| !value.is_finite())
}

/// How many times the median of its neighbours each micro-batch took, where there are enough to say.
pub fn slowness<'a>(micros: impl IntoIterator<Item = &'a MicroBatchDone>) -> Option<Slowness> {
    let mut durations: Vec<(u64, u64)> = micros.into_iter().map(|m| (m.duration_us, m.micro)).collect();
    if durations.len() < 3 {
        return None;
    }
    durations.sort_unstable();
    let median_us = durations[(durations.len() - 1) / 2].0.max(1);
    let (slowest_us, micro) = durations[durations.len() - 1];
    Some(Slowness { median_us, micro, times: slowest_us as f64 / median_us as f64 })
}

/// The slowest micro-batch of a step beside the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slowness {
    pub median_us: u64,
    /// The slowest one.
    pub micro: u64,
    /// How many times the median it took.
    pub times: f64,
}

impl Slowness {
    pub fn is_odd(&self) -> bool {
        self.times >= ODD
    }
}

/// Nats per target token; a micro-batch without targets has none.
pub fn micro_loss(micro: &MicroBatchDone) -> Option<f64> {
    (micro.target_tokens > 0).then(|| micro.loss_sum_nats / micro.target_tokens as f64)
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
