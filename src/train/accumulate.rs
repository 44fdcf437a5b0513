//! Which rows a step takes, and in which micro-batches: a function of the step's number alone, so that a resumed run goes on as it was.

use std::ops::Range;

use crate::config::TrainConfig;

/// The run's steps over `rows` training rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    rows: u64,
    batch: u64,
    accumulation: u64,
    /// Optimizer steps of the whole run.
    pub planned: u64,
}

impl Steps {
    /// As the Hugging Face trainer counts: an epoch's last micro-batch may be smaller, its last step may have fewer micro-batches.
    pub fn new(rows: usize, train: &TrainConfig) -> Self {
        let (batch, accumulation) =
            (train.per_device_train_batch_size as u64, train.gradient_accumulation_steps as u64);
        let mut steps = Steps { rows: rows as u64, batch, accumulation, planned: 0 };
        let by_epochs = (train.num_train_epochs * steps.per_epoch() as f64).ceil().max(1.0) as u64;
        steps.planned = if train.max_steps > 0 { train.max_steps as u64 } else { by_epochs };
        steps
    }

    fn per_epoch(&self) -> u64 {
        self.rows.div_ceil(self.batch).div_ceil(self.accumulation).max(1)
    }

    /// The epoch (from 0) that `step` (from 1) belongs to.
    pub fn epoch(&self, step: u64) -> u64 {
        (step - 1) / self.per_epoch()
    }

    /// How many epochs are done after `step`, as a fraction.
    pub fn epochs_done(&self, step: u64) -> f64 {
        if step == 0 {
            return 0.0;
        }
        let last = self.places(step).end;
        self.epoch(step) as f64 + last as f64 / self.rows as f64
    }

    /// The places in the epoch's order that `step` takes.
    fn places(&self, step: u64) -> Range<u64> {
        let width = self.batch * self.accumulation;
        let start = (step - 1) % self.per_epoch() * width;
        start..(start + width).min(self.rows)
    }

    /// The micro-batches of `step`, each as places in the epoch's order.
    pub fn micro_batches(&self, step: u64) -> Vec<Range<usize>> {
        let places = self.places(step);
        let starts = places.clone().step_by(self.batch as usize);
        starts.map(|s| s as usize..(s + self.batch).min(places.end) as usize).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SchedulerType;

    fn train(batch: usize, accumulation: usize, epochs: f64, max_steps: i64) -> TrainConfig {
        TrainConfig {
            num_train_epochs: epochs,
            max_steps,
            per_device_train_batch_size: batch,
            gradient_accumulation_steps: accumulation,
            learning_rate: 1e-3,
            lr_scheduler_type: SchedulerType::Linear,
            warmup_steps: 0,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            gradient_checkpointing: true,
            eval_steps: 0,
            save_steps: 0,
            save_total_limit: 0,
            load_best_model_at_end: false,
            metric_for_best_model: Default::default(),
            predict_with_generate: false,
            seed: 1,
        }
    }

    #[test]
    fn an_epoch_takes_every_row_once_and_its_last_step_is_short() {
        let steps = Steps::new(22, &train(4, 2, 2.0, -1));
        assert_eq!(steps.planned, 6);
        assert_eq!(steps.micro_batches(1), vec![0..4, 4..8]);
        assert_eq!(steps.micro_batches(3), vec![16..20, 20..22]);
        assert_eq!(steps.micro_batches(4), vec![0..4, 4..8]);
        assert_eq!((steps.epoch(3), steps.epoch(4)), (0, 1));
        assert_eq!(steps.epochs_done(3), 1.0);
        let covered: usize = (1..=3).flat_map(|s| steps.micro_batches(s)).map(|m| m.len()).sum();
        assert_eq!(covered, 22);
    }

    #[test]
    fn max_steps_goes_on_over_as_many_epochs_as_it_needs() {
        let steps = Steps::new(5, &train(4, 4, 1.0, 7));
        assert_eq!(steps.planned, 7);
        assert_eq!(steps.micro_batches(7), vec![0..4, 4..5]);
        assert_eq!(steps.epoch(7), 6);
    }

    #[test]
    fn a_fraction_of_an_epoch_is_rounded_up_to_a_whole_step() {
        assert_eq!(Steps::new(100, &train(4, 4, 0.5, -1)).planned, 4);
    }
}
