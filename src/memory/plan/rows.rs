//! The longest micro-batch that a data set can give: the longest rows together, after the cut at `data.max_seq_length`.

use super::LongestBatch;
use crate::config::RunConfig;
use crate::units::RowLength;

/// A micro-batch as the engine sees it, at its worst in each respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Batch {
    pub longest: LongestBatch,
    /// Positions with a target in any micro-batch, at most: fewer tokens may have more targets.
    pub most_targets: u64,
    pub longest_row: u64,
}

/// A row after the cut; `None` where nothing with a loss is left, so that it takes no part. What a row loses is its end, where its targets are.
fn cut(row: &RowLength, max_seq_length: usize) -> Option<(u64, u64)> {
    let (tokens, targets) = (u64::from(row.tokens), u64::from(row.target_tokens));
    let kept = tokens.min(max_seq_length as u64);
    let targets = targets.saturating_sub(tokens - kept);
    (targets > 0).then_some((kept, targets))
}

impl Batch {
    /// The longest of these rows together, as many as a micro-batch takes.
    pub fn longest(rows: &[RowLength], config: &RunConfig) -> Batch {
        let mut rows: Vec<(u64, u64)> = rows.iter().filter_map(|r| cut(r, config.data.max_seq_length)).collect();
        let take = config.train.per_device_train_batch_size.min(rows.len());
        if take == 0 {
            return Batch::default();
        }
        let mut most_first = |key: fn(&(u64, u64)) -> (u64, u64)| {
            if take < rows.len() {
                rows.select_nth_unstable_by(take - 1, |a, b| key(b).cmp(&key(a)));
            }
            let sum = |part: fn(&(u64, u64)) -> u64| rows[..take].iter().map(part).sum::<u64>();
            (sum(|r| r.0), sum(|r| r.1), rows[..take].iter().map(|r| r.0).max().unwrap_or(0))
        };
        let (_, most_targets, _) = most_first(|r| (r.1, r.0));
        let (tokens, target_tokens, longest_row) = most_first(|r| (r.0, r.1));
        Batch { longest: LongestBatch { rows: take as u64, tokens, target_tokens }, most_targets, longest_row }
    }

    /// The longest batch of an eval, whose batches have at most what training's have but always a row: `train::evaluate::Most`.
    pub fn of_eval(rows: &[RowLength], max_seq_length: usize, training: Batch) -> Batch {
        let mut rows: Vec<(u64, u64)> = rows.iter().filter_map(|r| cut(r, max_seq_length)).collect();
        let longest = rows.iter().map(|r| r.0).max().unwrap_or(0);
        let all: u64 = rows.iter().map(|r| r.0).sum();
        let tokens = all.min(training.longest.tokens.max(longest));
        // The rows that are targets for the most part, the last of them in part: no batch of so many tokens has more.
        rows.sort_unstable_by(|a, b| (b.1 * a.0).cmp(&(a.1 * b.0)));
        let (mut room, mut target_tokens) = (tokens, 0);
        for (row, targets) in &rows {
            let taken = room.min(*row);
            target_tokens += (targets * taken).div_ceil((*row).max(1));
            room -= taken;
        }
        let of_one_row = rows.iter().map(|r| r.1).max().unwrap_or(0);
        let target_tokens = target_tokens.min(training.most_targets.max(of_one_row));
        let longest_batch = LongestBatch { rows: rows.len() as u64, tokens, target_tokens };
        Batch { longest: longest_batch, most_targets: target_tokens, longest_row: longest }
    }
}

/// The longest micro-batch of these rows with these settings.
pub fn longest_batch(rows: &[RowLength], config: &RunConfig) -> LongestBatch {
    Batch::longest(rows, config).longest
}

/// Rows that would be cut at this length.
pub fn rows_longer_than(rows: &[RowLength], max_seq_length: usize) -> u64 {
    rows.iter().filter(|r| r.tokens as usize > max_seq_length).count() as u64
}

/// Rows that a cut at this length leaves without any target.
pub fn rows_left_out(rows: &[RowLength], max_seq_length: usize) -> u64 {
    rows.iter().filter(|r| cut(r, max_seq_length).is_none()).count() as u64
}
