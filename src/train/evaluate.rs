//! The loss of a split, on the path that training uses: the same packing, the same blocks, the same head in chunks. It never generates.

use crate::data::batch::MicroBatch;
use crate::data::dataset::{Dataset, DatasetError, Example};
use crate::model::adapter::Adapter;
use crate::model::decoder::{Decoder, Packed};
use crate::model::head::Target;
use crate::units::RowLength;

/// The loss of a whole split.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SplitLoss {
    /// Σ −log p over all target tokens.
    pub nats: f64,
    pub target_tokens: u64,
    /// All positions that were computed.
    pub tokens: u64,
}

impl SplitLoss {
    /// Nats per target token.
    pub fn per_token(&self) -> f64 {
        self.nats / self.target_tokens as f64
    }
}

/// Why a split could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    #[error(transparent)]
    Data(#[from] DatasetError),
    #[error(transparent)]
    Engine(#[from] candle_core::Error),
}

/// What a batch of an eval may have: what training's longest micro-batch has, so that eval never needs more memory than training.
/// A row that alone has more is a batch of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    pub tokens: usize,
    pub target_tokens: usize,
}

impl Most {
    /// What `rows` rows of a split have at most: the longest together, and those with the most targets together.
    pub fn of(split: &Dataset, rows: usize) -> Self {
        let sum = |part: fn(RowLength) -> u32| {
            let mut parts: Vec<usize> = split.row_lengths().map(|l| part(l) as usize).collect();
            parts.sort_unstable_by(|a, b| b.cmp(a));
            parts.iter().take(rows).sum()
        };
        Most { tokens: sum(|l| l.tokens), target_tokens: sum(|l| l.target_tokens) }
    }
}

/// The rows of a split that are longest, those that come first in the file first among equals.
pub fn longest_rows(split: &Dataset, count: usize) -> Vec<usize> {
    let mut rows: Vec<(u32, usize)> = split.row_lengths().enumerate().map(|(row, l)| (l.tokens, row)).collect();
    rows.sort_unstable_by_key(|&(tokens, row)| (std::cmp::Reverse(tokens), row));
    rows.into_iter().take(count).map(|(_, row)| row).collect()
}

/// The batch that row `row` is in when the split is taken in batches of at most `most`.
/// # Errors
/// A row that is not there.
pub fn row_batch(split: &Dataset, row: usize, most: Most) -> Result<std::ops::Range<usize>, DatasetError> {
    let mut from = 0;
    loop {
        let to = batch_end(split, from, most)?;
        if row < to || to >= split.len() {
            return Ok(from..to);
        }
        from = to;
    }
}

/// Sums the loss over a split in batches of at most `most`. After each batch `go_on` is told the rows done; `None` when it said no.
/// # Errors
/// Rows that cannot be read any more, whatever the device says.
pub fn split_loss(
    decoder: &Decoder,
    adapter: Option<&Adapter>,
    split: &Dataset,
    most: Most,
    mut go_on: impl FnMut(usize) -> bool,
) -> Result<Option<SplitLoss>, EvalError> {
    let mut loss = SplitLoss::default();
    let mut from = 0;
    while from < split.len() {
        let to = batch_end(split, from, most)?;
        let examples = (from..to).map(|r| split.example(r)).collect::<Result<Vec<_>, _>>()?;
        let batch = packed(&examples, 0);
        let _data = decoder.charge_data(batch.bytes());
        loss.nats += decoder.loss(adapter, &batch)?;
        loss.target_tokens += batch.targets.len() as u64;
        loss.tokens += batch.tokens.len() as u64;
        from = to;
        if !go_on(from) {
            return Ok(None);
        }
    }
    Ok(Some(loss))
}

/// Where a batch that starts at row `from` ends: it has at least one row and no more than `most`.
fn batch_end(split: &Dataset, from: usize, most: Most) -> Result<usize, DatasetError> {
    let (mut to, mut tokens, mut target_tokens) = (from, 0usize, 0usize);
    while to < split.len() {
        let row = split.row_length(to)?;
        tokens += row.tokens as usize;
        target_tokens += row.target_tokens as usize;
        if to > from && (tokens > most.tokens || target_tokens > most.target_tokens) {
            break;
        }
        to += 1;
    }
    Ok(to)
}

/// Rows of `data` as the engine takes them.
pub fn packed(examples: &[Example], first_row_in_step: u64) -> Packed {
    let batch = MicroBatch::pack(examples, first_row_in_step);
    let rows = batch.starts.windows(2).zip(&batch.row_ids);
    Packed {
        rows: rows.flat_map(|(s, &row)| std::iter::repeat_n(row, (s[1] - s[0]) as usize)).collect(),
        targets: batch.targets.iter().map(|t| Target { position: t.position, token: t.token }).collect(),
        tokens: batch.tokens,
        starts: batch.starts,
        positions: batch.positions,
    }
}
