//! How long things take in a run, folded from its events, and how long the rest will take: steps, evals and checkpoints that are left, each
//! at what one has cost lately. No clock is asked: time is in the events. Who shows it: `run::lines` and `ui`.

use std::collections::VecDeque;

use crate::event::{RunEvent, RunStarted, Stamped};

/// Steps that the estimate looks back on: enough to even out long and short batches, few enough to follow a change of speed.
const STEP_WINDOW: usize = 64;
/// Evals and checkpoints that the estimate looks back on.
const PIECE_WINDOW: usize = 8;
/// A duration this many times the median held a stall, and says nothing about the next one.
const OUTLIER: f64 = 4.0;
/// From step to step, what lies between their own durations counts up to this share of them (reading rows, the log); a pause is more.
const BETWEEN_STEPS: f64 = 0.25;

/// The fold. Steps from before a resume count no more, for it may be another machine; evals and checkpoints do until there are new ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pace {
    plan: Option<Plan>,
    /// Durations of the last steps, evals and checkpoints, in seconds.
    steps: VecDeque<f64>,
    evals: VecDeque<f64>,
    saves: VecDeque<f64>,
    /// Optimizer steps that count: those done, or those before the checkpoint that this segment goes on from.
    done: u64,
    evaluated: Option<u64>,
    saved: u64,
    /// When the last step ended, if nothing but micro-batches came since.
    last_step_ms: Option<u64>,
    /// When the piece of work that is under way began.
    piece_began_ms: u64,
    newest_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Plan {
    steps: u64,
    /// None where the run has no eval data.
    eval_steps: Option<u64>,
    save_steps: u64,
}

/// What is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Remaining {
    pub steps: u64,
    pub evals: u64,
    pub saves: u64,
}

impl Pace {
    pub fn fold(&mut self, stamped: &Stamped) {
        let (before_ms, now_ms) = (self.newest_ms, self.newest_ms.max(stamped.elapsed_ms));
        match &stamped.event {
            RunEvent::RunStarted(started) => self.segment(started, now_ms),
            RunEvent::StepDone(step) => {
                let own = step.duration_us as f64 / 1e6;
                let wall = self.last_step_ms.map_or(own, |last| now_ms.saturating_sub(last) as f64 / 1e3);
                push(&mut self.steps, wall.clamp(own, own * (1.0 + BETWEEN_STEPS)), STEP_WINDOW);
                (self.done, self.last_step_ms, self.piece_began_ms) = (step.step, Some(now_ms), now_ms);
            }
            RunEvent::EvalDone(eval) => {
                push(&mut self.evals, eval.duration_us as f64 / 1e6, PIECE_WINDOW);
                (self.evaluated, self.last_step_ms, self.piece_began_ms) = (Some(eval.step), None, now_ms);
            }
            RunEvent::CheckpointSaved(checkpoint) => {
                // Saved at once after the event before it: only its own time lies between.
                push(&mut self.saves, now_ms.saturating_sub(before_ms) as f64 / 1e3, PIECE_WINDOW);
                (self.saved, self.last_step_ms, self.piece_began_ms) = (checkpoint.step, None, now_ms);
            }
            RunEvent::RunFinished(_) => self.plan = self.plan.map(|plan| Plan { steps: self.done, ..plan }),
            // It comes from another thread and says nothing about the work.
            RunEvent::MemorySampled(_) => return,
            _ => {}
        }
        self.newest_ms = now_ms;
    }

    fn segment(&mut self, started: &RunStarted, now_ms: u64) {
        let train = &started.config.train;
        let from = started.resumed_from.unwrap_or(0);
        *self = Pace {
            plan: Some(Plan {
                steps: started.planned_steps,
                eval_steps: started.config.data.eval.is_some().then_some(train.eval_steps as u64),
                save_steps: train.save_steps as u64,
            }),
            evals: std::mem::take(&mut self.evals),
            saves: std::mem::take(&mut self.saves),
            done: from,
            // A segment that goes on from no checkpoint does the eval before training again.
            evaluated: Some(from).filter(|&from| from > 0),
            saved: from,
            piece_began_ms: now_ms,
            ..Pace::default()
        };
    }

    /// Steps that were measured in this segment, as far as they are looked back on.
    pub fn measured_steps(&self) -> usize {
        self.steps.len()
    }

    /// The mean of the last steps in seconds, those that held a stall left out.
    pub fn expected_step(&self) -> Option<f64> {
        robust_mean(&self.steps)
    }

    /// The mean of the last evals in seconds.
    pub fn expected_eval(&self) -> Option<f64> {
        robust_mean(&self.evals)
    }

    /// Steps, evals and checkpoints that are still to come, by the run's own settings.
    pub fn remaining(&self) -> Option<Remaining> {
        let plan = self.plan?;
        let steps = plan.steps.saturating_sub(self.done);
        let is_due = |every: u64| self.done >= plan.steps || every > 0 && self.done.is_multiple_of(every);
        let ahead = |every: u64| match every {
            _ if steps == 0 => 0,
            0 => 1,
            every => plan.steps / every - self.done / every + u64::from(!plan.steps.is_multiple_of(every)),
        };
        let evals = plan.eval_steps.map_or(0, |every| {
            let due = self.evaluated.is_none() || self.evaluated < Some(self.done) && is_due(every);
            u64::from(due) + ahead(every)
        });
        let saves = u64::from(self.saved < self.done && is_due(plan.save_steps)) + ahead(plan.save_steps);
        Some(Remaining { steps, evals, saves })
    }

    /// Seconds until the run ends, `Σ left · expected`, less what of the piece under way is done; `now_ms` is in the run's `elapsed_ms`.
    /// A piece that was never measured counts nothing; without a measured step there is no estimate.
    pub fn left_seconds(&self, now_ms: u64) -> Option<f64> {
        let step = self.expected_step()?;
        let left = self.remaining()?;
        let (eval, save) = (self.expected_eval().unwrap_or(0.0), robust_mean(&self.saves).unwrap_or(0.0));
        let total = left.steps as f64 * step + left.evals as f64 * eval + left.saves as f64 * save;
        let eval_is_due = left.evals > 0 && self.evaluated < Some(self.done) && self.is_at_an_eval();
        // What is under way was begun some time ago, but it never takes less than nothing.
        let under_way = now_ms.saturating_sub(self.piece_began_ms) as f64 / 1e3;
        Some((total - under_way.min(if eval_is_due { eval } else { step })).max(0.0))
    }

    fn is_at_an_eval(&self) -> bool {
        let Some(Plan { steps, eval_steps: Some(every), .. }) = self.plan else { return false };
        self.done >= steps || every > 0 && self.done.is_multiple_of(every)
    }
}

fn push(window: &mut VecDeque<f64>, seconds: f64, limit: usize) {
    if seconds.is_finite() && seconds >= 0.0 {
        if window.len() == limit {
            window.pop_front();
        }
        window.push_back(seconds);
    }
}

/// The mean of what is at most four times the median (the lower one of an even count, so that one stall among two is seen as one).
pub fn robust_mean<'a>(values: impl IntoIterator<Item = &'a f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let median = *sorted.get(sorted.len().checked_sub(1)? / 2)?;
    let kept = sorted.iter().take_while(|&&v| v <= OUTLIER * median);
    let (sum, count) = kept.fold((0.0, 0u32), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stall_does_not_move_the_mean() {
        assert_eq!(robust_mean(&[2.0, 2.2, 600.0, 1.8]), Some(2.0));
        assert_eq!(robust_mean(&[2.0, 600.0]), Some(2.0));
        assert_eq!(robust_mean(&[]), None);
    }
}
