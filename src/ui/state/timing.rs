//! How long things take in this run, measured, and how long the rest will take. What is left to do is counted by `run`.

use std::collections::VecDeque;

/// Steps that the estimate looks back on: enough to even out long and short batches, few enough to follow a change of speed.
const STEP_WINDOW: usize = 64;
/// Evals and checkpoints that the estimate looks back on.
const PIECE_WINDOW: usize = 8;
/// A duration this many times the median held a pause or a stall, and says nothing about the next one.
const OUTLIER: f64 = 4.0;

/// Durations of the last steps, evals and checkpoints, in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timing {
    steps: VecDeque<f64>,
    evals: VecDeque<f64>,
    saves: VecDeque<f64>,
}

/// What is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Remaining {
    pub steps: u64,
    pub evals: u64,
    pub saves: u64,
}

impl Timing {
    pub fn step(&mut self, seconds: f64) {
        push(&mut self.steps, seconds, STEP_WINDOW);
    }

    pub fn eval(&mut self, seconds: f64) {
        push(&mut self.evals, seconds, PIECE_WINDOW);
    }

    pub fn save(&mut self, seconds: f64) {
        push(&mut self.saves, seconds, PIECE_WINDOW);
    }

    /// The mean of the last steps, those that held a pause left out.
    pub fn expected_step(&self) -> Option<f64> {
        robust_mean(&self.steps)
    }

    pub fn expected_eval(&self) -> Option<f64> {
        robust_mean(&self.evals)
    }

    pub fn expected_save(&self) -> Option<f64> {
        robust_mean(&self.saves)
    }

    /// Seconds until the end: `steps · step + evals · eval + saves · save`, each by its measured mean.
    /// A piece that was never measured counts nothing; without a measured step there is no estimate.
    pub fn estimate(&self, left: Remaining) -> Option<f64> {
        let step = self.expected_step()?;
        Some(
            left.steps as f64 * step
                + left.evals as f64 * self.expected_eval().unwrap_or(0.0)
                + left.saves as f64 * self.expected_save().unwrap_or(0.0),
        )
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
    fn a_pause_within_a_step_does_not_move_the_estimate() {
        let mut timing = Timing::default();
        for seconds in [2.0, 2.2, 600.0, 1.8] {
            timing.step(seconds);
        }
        let left = Remaining { steps: 10, evals: 0, saves: 0 };
        assert!((timing.estimate(left).expect("steps were measured") - 20.0).abs() < 1e-9);
        let mut two = Timing::default();
        two.step(2.0);
        two.step(600.0);
        assert_eq!(two.expected_step(), Some(2.0));
    }

    #[test]
    fn without_a_measured_step_there_is_no_estimate() {
        let mut timing = Timing::default();
        timing.eval(3.0);
        assert_eq!(timing.estimate(Remaining { steps: 10, evals: 1, saves: 0 }), None);
    }

    #[test]
    fn evals_and_saves_are_part_of_the_estimate() {
        let mut timing = Timing::default();
        timing.step(1.0);
        timing.eval(5.0);
        timing.save(0.5);
        assert_eq!(timing.estimate(Remaining { steps: 4, evals: 2, saves: 2 }), Some(15.0));
    }
}
