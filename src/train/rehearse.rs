//! Before a trainer takes its first step: the longest micro-batch that the data can give, forward and backward, so that a run which cannot
//! fit says so in its first minute. Nothing of it is kept, and nothing of it is told but memory.

use super::evaluate::{longest_rows, packed, row_batch};
use super::optimizer;
use super::shortage::Place;
use super::trainer::{TrainError, Trainer};
use crate::data::dataset::{Dataset, DatasetError, Example};
use crate::memory::ledger::Phase;
use crate::model::decoder::TrainPass;
use crate::model::head::Target;

/// Held back below the limit while the longest micro-batch is tried: what the process itself still grows by once the steps begin (the pages
/// of code not yet run, such as that which writes a checkpoint, and the allocator's own), some hundred KiB where it was measured.
const GROWTH_BYTES: u64 = 1 << 20;

impl Trainer<'_> {
    /// Computes the longest micro-batch and throws its gradients away, looks whether the optimizer's step has room, and computes the eval
    /// batch of an eval row that has more than training.
    /// # Errors
    /// An out-of-memory that a step, or an eval, would have met later; rows that cannot be read any more.
    pub fn rehearse(&mut self) -> Result<(), TrainError> {
        let _growth = self.decoder.ledger.hold_back(GROWTH_BYTES);
        let step = self.at.step() + 1;
        let rows = longest_rows(self.train, self.config.train.per_device_train_batch_size);
        let mut batch = packed(&examples(self.train, &rows)?, 0);
        // The longest rows need not be those with the most targets, and the head's chunk grows with these.
        let most = self.eval_most.target_tokens;
        let free = (0..batch.tokens.len() as u32).filter(|p| !batch.targets.iter().any(|t| t.position == *p));
        let more: Vec<Target> = free
            .take(most.min(self.config.memory.head_chunk).saturating_sub(batch.targets.len()))
            .map(|position| Target { position, token: 0 })
            .collect();
        batch.targets.extend(more);
        let place = Place { step, micro: 1, tokens: Some(batch.tokens.len() as u64), rehearsal: true };
        {
            let _data = self.decoder.charge_data(batch.bytes());
            let how = TrainPass {
                scale: 1.0 / batch.targets.len().max(1) as f64,
                gradient_checkpointing: self.config.train.gradient_checkpointing,
                seed: self.config.train.seed,
                step,
            };
            let passed = self.decoder.train(&mut self.at.adapter, &batch, how);
            passed.map_err(|e| self.failure(place, e))?;
        }
        self.decoder.ledger.set_phase(Phase::Optimizer);
        let bytes = optimizer::working_bytes(&self.at.adapter);
        let room = self.decoder.ledger.has_room(bytes).map_err(crate::model::oom::raised);
        room.map_err(|e| self.failure(Place { micro: 0, tokens: None, ..place }, e))?;
        self.zero_grads().map_err(|e| self.failure(place, e))?;
        self.rehearse_eval(place)
    }

    /// An eval batch has no more than a training batch, unless one row alone has.
    fn rehearse_eval(&self, place: Place) -> Result<(), TrainError> {
        let Some(eval) = self.eval else { return Ok(()) };
        let longest = longest_rows(eval, 1).into_iter().next();
        let most_targets = (0..eval.len()).max_by_key(|&row| eval.row_length(row).map_or(0, |l| l.target_tokens));
        for row in longest.into_iter().chain(most_targets) {
            let has = eval.row_length(row)?;
            if has.tokens > self.train.longest() || has.target_tokens as usize > self.eval_most.target_tokens {
                self.rehearse_eval_of(eval, row, place)?;
            }
        }
        Ok(())
    }

    fn rehearse_eval_of(&self, eval: &Dataset, row: usize, place: Place) -> Result<(), TrainError> {
        let rows: Vec<usize> = row_batch(eval, row, self.eval_most)?.collect();
        let batch = packed(&examples(eval, &rows)?, 0);
        let _data = self.decoder.charge_data(batch.bytes());
        self.decoder.ledger.set_phase(Phase::Eval);
        let place = Place { micro: 0, tokens: Some(batch.tokens.len() as u64), ..place };
        self.decoder.loss(Some(&self.at.adapter), &batch).map_err(|e| self.failure(place, e))?;
        Ok(())
    }
}

fn examples(split: &Dataset, rows: &[usize]) -> Result<Vec<Example>, DatasetError> {
    rows.iter().map(|&row| split.example(row)).collect()
}
