//! Learning rate by step, exactly as transformers' `get_scheduler`.

use crate::config::SchedulerType;

/// A schedule over the whole run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    pub kind: SchedulerType,
    pub learning_rate: f64,
    pub warmup_steps: u64,
    pub total_steps: u64,
}

impl Schedule {
    /// The rate that `step` (from 1) uses: transformers' value after `step − 1` calls of `scheduler.step()`.
    pub fn rate(&self, step: u64) -> f64 {
        self.learning_rate * self.multiplier(step.saturating_sub(1))
    }

    /// The factor after `done` steps: warmup rises linearly from 0, then `linear` falls to 0, `cosine` along half a wave, `constant` stays, without warmup.
    pub fn multiplier(&self, done: u64) -> f64 {
        let (done, warmup, total) = (done as f64, self.warmup_steps as f64, self.total_steps as f64);
        // transformers' `constant` knows no warmup.
        if done < warmup && self.kind != SchedulerType::Constant {
            return done / warmup.max(1.0);
        }
        match self.kind {
            SchedulerType::Constant => 1.0,
            SchedulerType::Linear => ((total - done) / (total - warmup).max(1.0)).max(0.0),
            SchedulerType::Cosine => {
                let progress = (done - warmup) / (total - warmup).max(1.0);
                (0.5 * (1.0 + (std::f64::consts::PI * progress).cos())).max(0.0)
            }
        }
    }
}
