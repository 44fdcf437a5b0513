//! Which rows a step takes, and how they are laid side by side: the order of an epoch, and the packing of a
//! micro-batch. Plain numbers; `train` moves them to a device.

use super::dataset::Example;

/// The rows of an epoch in the order in which they are trained: the order of the file, or with `shuffle` a permutation
/// that depends on nothing but its arguments, on every machine.
///
/// Fisher–Yates from the last place down; the place `i` swaps with `j`, drawn without bias from `0..=i`. The draws are
/// SplitMix64's (Steele, Lea and Flood 2014): draw `n` is `mix(key + (n + 1)·γ)`, `γ = 0x9e3779b97f4a7c15`, `key =
/// mix(mix(seed) + epoch)`.
pub fn epoch_order(seed: u64, epoch: u64, rows: usize, shuffle: bool) -> Vec<u32> {
    // Row numbers are 32 bits wide: 2^32 rows would already be 128 GiB of places in `dataset`.
    let mut order: Vec<u32> = (0..rows.min(u32::MAX as usize) as u32).collect();
    if shuffle {
        let mut draws = Draws::new(seed, epoch);
        for i in (1..order.len()).rev() {
            order.swap(i, draws.below(i as u64 + 1) as usize);
        }
    }
    order
}

/// SplitMix64's finaliser, a bijection of 64 bits.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Draws {
    key: u64,
    count: u64,
}

impl Draws {
    const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

    fn new(seed: u64, epoch: u64) -> Draws {
        Draws { key: mix(mix(seed).wrapping_add(epoch)), count: 0 }
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        mix(self.key.wrapping_add(self.count.wrapping_mul(Self::GAMMA)))
    }

    /// Uniform in `0..bound`: draws from the incomplete last stretch of 64 bits are thrown away.
    fn below(&mut self, bound: u64) -> u64 {
        let incomplete = (u64::MAX % bound + 1) % bound;
        loop {
            let draw = self.next();
            if draw <= u64::MAX - incomplete {
                return draw % bound;
            }
        }
    }
}

/// A prediction that has a loss: the hidden state at `position` (an index into `tokens`) is asked for `token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub position: u32,
    pub token: u32,
}

/// Rows of any lengths as one long row, without padding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MicroBatch {
    pub tokens: Vec<u32>,
    /// Row `k` is `tokens[starts[k]..starts[k + 1]]`; one more than there are rows.
    pub starts: Vec<u32>,
    /// Of each token, counted within its row from 0.
    pub positions: Vec<u32>,
    /// Rising by position.
    pub targets: Vec<Target>,
    /// Each row's index within the step, whatever micro-batch it fell into: the key of its dropout.
    pub row_ids: Vec<u64>,
}

impl MicroBatch {
    /// Lays `examples` side by side; they are the rows of a step from `first_row_in_step` on.
    ///
    /// A micro-batch holds fewer than 2^32 tokens: it is rows of at most `max_seq_length`, and no memory holds its
    /// activations sooner.
    pub fn pack(examples: &[Example], first_row_in_step: u64) -> MicroBatch {
        let mut batch = MicroBatch { starts: vec![0], ..MicroBatch::default() };
        for (row, example) in examples.iter().enumerate() {
            let start = batch.tokens.len() as u32;
            batch.tokens.extend_from_slice(&example.tokens);
            batch.positions.extend(0..example.tokens.len() as u32);
            let targets = example.tokens.iter().zip(&example.is_target).enumerate().skip(1);
            batch.targets.extend(
                targets
                    .filter(|(_, (_, is_target))| **is_target)
                    .map(|(t, (token, _))| Target { position: start + t as u32 - 1, token: *token }),
            );
            batch.starts.push(batch.tokens.len() as u32);
            batch.row_ids.push(first_row_in_step + row as u64);
        }
        batch
    }

    pub fn rows(&self) -> usize {
        self.row_ids.len()
    }

    /// The tokens of the longest row.
    pub fn longest(&self) -> u32 {
        self.starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(tokens: &[u32], first_target: usize) -> Example {
        let is_target = (0..tokens.len()).map(|t| t > 0 && t >= first_target).collect();
        Example { tokens: tokens.to_vec(), is_target }
    }

    #[test]
    fn an_order_is_a_permutation_for_every_number_of_rows() {
        for rows in [0, 1, 2, 3, 17, 1000] {
            let mut order = epoch_order(42, 3, rows, true);
            order.sort_unstable();
            assert_eq!(order, (0..rows as u32).collect::<Vec<_>>());
            assert_eq!(epoch_order(42, 3, rows, false), order);
        }
    }

    #[test]
    fn the_order_is_the_same_on_every_machine() {
        // Stored: a change here changes every run that is resumed.
        assert_eq!(epoch_order(42, 0, 10, true), STORED_ORDER);
        assert_eq!(Draws { key: 0, count: 0 }.next(), 0xe220_a839_7b1d_cdaf, "SplitMix64's first output for seed 0");
    }

    const STORED_ORDER: [u32; 10] = [2, 8, 9, 7, 1, 4, 6, 0, 5, 3];

    #[test]
    fn seeds_and_epochs_give_orders_of_their_own() {
        let orders =
            [(42, 0), (42, 1), (43, 0), (0, 42), (0, 0)].map(|(seed, epoch)| epoch_order(seed, epoch, 100, true));
        for (i, a) in orders.iter().enumerate() {
            assert!(orders[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn every_place_is_as_likely_for_every_row() {
        let (rows, draws) = (5, 20_000);
        let mut counts = [[0u32; 5]; 5];
        for seed in 0..draws {
            for (place, row) in epoch_order(seed, 0, rows, true).into_iter().enumerate() {
                counts[place][row as usize] += 1;
            }
        }
        // Expected 4,000 each, standard deviation 57.
        assert!(counts.iter().flatten().all(|count| (3_700..=4_300).contains(count)), "{counts:?}");
    }

    #[test]
    fn packing_keeps_every_row_whole_and_in_its_borders() {
        let rows = [example(&[5, 6, 7], 1), example(&[8], 0), example(&[9, 10, 11, 12], 3)];
        let batch = MicroBatch::pack(&rows, 6);
        assert_eq!(batch.tokens, [5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(batch.starts, [0, 3, 4, 8]);
        assert_eq!(batch.positions, [0, 1, 2, 0, 0, 1, 2, 3]);
        assert_eq!(batch.row_ids, [6, 7, 8]);
        let target = |position, token| Target { position, token };
        assert_eq!(batch.targets, [target(0, 6), target(1, 7), target(6, 12)]);
        assert_eq!((batch.rows(), batch.longest()), (3, 4));
    }

    #[test]
    fn a_target_is_never_predicted_from_another_row() {
        let rows = [example(&[1, 2], 0), example(&[3, 4], 0), example(&[5], 0)];
        let batch = MicroBatch::pack(&rows, 0);
        for target in &batch.targets {
            let row = batch.starts.windows(2).position(|row| (row[0]..row[1]).contains(&target.position)).unwrap();
            assert!(target.position + 1 < batch.starts[row + 1]);
            assert_eq!(batch.tokens[target.position as usize + 1], target.token);
        }
        assert_eq!(batch.targets.len(), 2);
    }

    #[test]
    fn splitting_a_step_changes_neither_targets_nor_row_ids() {
        let rows: Vec<Example> = (1..9).map(|n| example(&(0..n * 3).collect::<Vec<_>>(), n as usize)).collect();
        let whole = MicroBatch::pack(&rows, 0);
        let (mut targets, mut row_ids, mut shift) = (Vec::new(), Vec::new(), 0);
        for (micro, rows) in rows.chunks(3).enumerate() {
            let part = MicroBatch::pack(rows, micro as u64 * 3);
            targets.extend(part.targets.iter().map(|t| Target { position: t.position + shift, ..*t }));
            row_ids.extend(part.row_ids);
            shift += part.tokens.len() as u32;
        }
        assert_eq!((targets, row_ids), (whole.targets, whole.row_ids));
    }

    #[test]
    fn no_rows_are_an_empty_batch() {
        let batch = MicroBatch::pack(&[], 0);
        assert_eq!((batch.starts.as_slice(), batch.rows(), batch.longest()), ([0].as_slice(), 0, 0));
    }
}
