//! How long a run still takes, folded from its events: steps, evals and checkpoints that are left, each at what one has cost lately.
//! Nothing is asked of a clock: time is in the events. Who shows it: `lines`.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::{RunEvent, Stamped};

/// Steps that the mean is taken over: long enough for rows of different lengths, short enough to notice another load.
const RECENT: usize = 64;

/// The fold. Pauses do not count, for only durations of work do.
#[derive(Debug, Clone, Default)]
pub struct Eta {
    planned_steps: u64,
    eval_steps: Option<u64>,
    save_steps: u64,
    step: u64,
    evaluated: Option<u64>,
    step_us: VecDeque<u64>,
    /// Work of the step that is under way.
    under_way_us: u64,
    eval_us: Mean,
    save_us: Mean,
    last_ms: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: u64,
    count: u64,
}

impl Mean {
    fn add(&mut self, x: u64) {
        self.sum = self.sum.saturating_add(x);
        self.count += 1;
    }

    fn get(self) -> u64 {
        self.sum.checked_div(self.count).unwrap_or(0)
    }
}

impl Eta {
    pub fn fold(&mut self, stamped: &Stamped) {
        match &stamped.event {
            RunEvent::RunStarted(e) => {
                *self = Eta {
                    planned_steps: e.planned_steps,
                    eval_steps: e.config.data.eval.is_some().then_some(e.config.train.eval_steps as u64),
                    save_steps: e.config.train.save_steps as u64,
                    step: e.resumed_from.unwrap_or(0),
                    evaluated: e.resumed_from,
                    ..Eta::default()
                };
            }
            RunEvent::MicroBatchDone(e) => self.under_way_us = self.under_way_us.saturating_add(e.duration_us),
            RunEvent::StepDone(e) => {
                self.step = e.step;
                self.under_way_us = 0;
                self.step_us.push_back(e.duration_us);
                if self.step_us.len() > RECENT {
                    self.step_us.pop_front();
                }
            }
            RunEvent::EvalDone(e) => {
                self.evaluated = Some(e.step);
                self.eval_us.add(e.duration_us);
            }
            // Saved at once after the event before it; only its own time lies between.
            RunEvent::CheckpointSaved(_) => {
                self.save_us.add(stamped.elapsed_ms.saturating_sub(self.last_ms).saturating_mul(1000))
            }
            RunEvent::RunFinished(_) => self.planned_steps = self.step,
            RunEvent::MemorySampled(_) => return,
            _ => {}
        }
        self.last_ms = stamped.elapsed_ms;
    }

    /// The time of work that is left; none before the first step is done.
    pub fn left(&self) -> Option<Duration> {
        let recent = self.step_us.iter().fold(0u64, |sum, us| sum.saturating_add(*us));
        let step_us = recent.checked_div(self.step_us.len() as u64)?;
        let steps = self.planned_steps.saturating_sub(self.step);
        let training = steps.saturating_mul(step_us).saturating_sub(self.under_way_us.min(step_us));
        let evals = self.eval_steps.map_or(0, |every| self.ahead(every, self.evaluated == Some(self.step)));
        let saves = self.ahead(self.save_steps, steps == 0);
        let besides = evals.saturating_mul(self.eval_us.get()).saturating_add(saves.saturating_mul(self.save_us.get()));
        Some(Duration::from_micros(training.saturating_add(besides)))
    }

    /// How often something that happens every `every` steps (0: never) and at the end is still to come.
    fn ahead(&self, every: u64, done_here: bool) -> u64 {
        let (step, end) = (self.step, self.planned_steps.max(self.step));
        let due = |s: u64| s == end || (s > 0 && every > 0 && s.is_multiple_of(every));
        let between = (end / every.max(1)) - (step / every.max(1));
        let regular = if every == 0 { 0 } else { between };
        let last = u64::from(step < end && (every == 0 || !end.is_multiple_of(every)));
        regular + last + u64::from(due(step) && !done_here)
    }
}
