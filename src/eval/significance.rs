//! How sure a score is, and whether two systems differ: bootstrap interval, paired bootstrap, paired approximate randomisation. Samples are
//! drawn from the statistics of rows that [`Running`] has kept, with numpy's generator (`random`), so that they are sacrebleu's own.
//! Sources: Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation"; Riezler and Maxwell 2005, "On Some Pitfalls in
//! Automatic Evaluation and Significance Testing for MT"; every convention as sacrebleu 2.6.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::random::{Coins, Generator};
use super::{Arithmetic, EvalError, Interval, Metric, Running, Score, signature};

/// sacrebleu's seed.
pub const SEED: u64 = 12345;
/// sacrebleu's number of bootstrap samples, and of trials of the randomisation.
pub const BOOTSTRAP_SAMPLES: usize = 1000;
pub const RANDOMISATION_TRIALS: usize = 10_000;

/// A paired test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Test {
    /// Paired bootstrap.
    #[serde(rename = "bs")]
    Bootstrap,
    /// Paired approximate randomisation.
    #[serde(rename = "ar")]
    Randomisation,
}

/// What a paired test found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    pub test: Test,
    pub trials: usize,
    pub seed: u64,
    /// Roughly how probable a difference as great or greater is, were both made by the same process.
    pub p_value: f64,
    /// The system's score less the baseline's.
    pub difference: f64,
    pub baseline: f64,
    /// Of the baseline, by a paired bootstrap; that of the system is in its score.
    pub baseline_ci: Option<Interval>,
}

/// The score of rows with its bootstrap interval.
/// # Errors
/// No rows, or rows that were not kept for resampling.
pub fn with_interval(rows: &Running, samples: usize, seed: u64) -> Result<Score, EvalError> {
    let scores = bootstrap(rows, samples, seed)?;
    let single = rows.metric().scores_keep_precision();
    let mut sorted = scores;
    sorted.sort_by(f64::total_cmp);
    // Python's statistics.mean rounds once, at the end.
    let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
    let ci = interval(&sorted, Arithmetic::of(single).round(mean), single);
    let trials = format!("bs:{samples}|seed:{seed}");
    Ok(Score { ci: Some(ci), signature: resigned(rows, &trials), ..rows.score()? })
}

/// Compares a system with a baseline over the same rows. The score is the system's; a paired bootstrap gives it an interval too.
/// # Errors
/// No rows, rows that were not kept, or another number of them.
pub fn paired(
    baseline: &Running,
    system: &Running,
    test: Test,
    trials: usize,
    seed: u64,
) -> Result<(Score, Paired), EvalError> {
    let (baseline_rows, system_rows) = (baseline.sum().rows, system.sum().rows);
    if baseline_rows != system_rows {
        return Err(EvalError::Unpaired { baseline: baseline_rows, system: system_rows });
    }
    let (of_baseline, mut score) = (baseline.score()?.score, system.score()?);
    let difference = score.score - of_baseline;
    let (p_value, baseline_ci, name) = match test {
        Test::Bootstrap => {
            let (p_value, [baseline_ci, system_ci]) =
                paired_bootstrap(baseline, system, trials, seed, difference.abs())?;
            score.ci = Some(system_ci);
            (p_value, Some(baseline_ci), "bs")
        }
        Test::Randomisation => (randomisation(baseline, system, trials, seed, difference.abs())?, None, "ar"),
    };
    score.signature = resigned(system, &format!("{name}:{trials}|seed:{seed}"));
    Ok((score, Paired { test, trials, seed, p_value, difference, baseline: of_baseline, baseline_ci }))
}

impl Arithmetic {
    fn of(single: bool) -> Self {
        if single { Arithmetic::Single } else { Arithmetic::Double }
    }
}

fn resigned(rows: &Running, trials: &str) -> String {
    signature(rows.sum().references, trials, &rows.metric().options())
}

fn kept<'a>(rows: &'a Running) -> Result<&'a [f64], EvalError> {
    match rows.kept() {
        Some(values) if !values.is_empty() => Ok(values),
        _ => Err(EvalError::NoRows),
    }
}

/// Numbers that are drawn before they are shared among threads: enough to keep those busy, few enough to keep memory flat.
const DRAWN_AT_A_TIME: usize = 1 << 20;

/// The scores of samples drawn with replacement, each as large as the whole.
fn bootstrap(rows: &Running, samples: usize, seed: u64) -> Result<Vec<f64>, EvalError> {
    if samples == 0 {
        return Err(EvalError::Option { option: "the number of samples", found: "0".into(), expected: "at least 1" });
    }
    let metric = rows.metric();
    let width = rows.sum().values.len();
    // sacrebleu's statistics are single precision here, and so are the sums: beyond 2^24 they are no longer exact.
    let values: Vec<f32> = kept(rows)?.iter().map(|value| *value as f32).collect();
    let count = values.len() / width;
    let at_once = (DRAWN_AT_A_TIME / count).clamp(1, samples.max(1));
    let (mut generator, mut scores) = (Generator::seeded(seed), Vec::with_capacity(samples));
    let mut drawn = vec![0; at_once * count];
    while scores.len() < samples {
        let now = at_once.min(samples - scores.len());
        let drawn = &mut drawn[..now * count];
        generator.fill_below(count as u32, drawn);
        let of_sample = |sample: &[u32]| score_of_sample(metric, &values, width, sample);
        scores.par_extend(drawn.par_chunks(count).map(of_sample));
    }
    Ok(scores)
}

fn score_of_sample(metric: &dyn Metric, values: &[f32], width: usize, sample: &[u32]) -> f64 {
    let mut sums = vec![0f32; width];
    for row in sample {
        let row = &values[*row as usize * width..][..width];
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let sums: Vec<f64> = sums.into_iter().map(f64::from).collect();
    metric.number(&sums, Arithmetic::Single)
}

/// The p-value, and the intervals of baseline and system.
fn paired_bootstrap(
    baseline: &Running,
    system: &Running,
    samples: usize,
    seed: u64,
    difference: f64,
) -> Result<(f64, [Interval; 2]), EvalError> {
    // The same seed draws the same rows.
    let (of_baseline, of_system) = (bootstrap(baseline, samples, seed)?, bootstrap(system, samples, seed)?);
    let single = system.metric().scores_keep_precision();
    let arithmetic = Arithmetic::of(single);
    let differences: Vec<f64> = of_baseline
        .iter()
        .zip(&of_system)
        .map(|(baseline, system)| arithmetic.round(system - baseline).abs())
        .collect();
    let mean = numpy_mean(&differences, arithmetic);
    let shifted = differences.iter().map(|difference| arithmetic.round(difference - mean));
    let p_value = p_value(shifted, arithmetic.round(difference));
    let intervals = [of_baseline, of_system].map(|mut scores| {
        scores.sort_by(f64::total_cmp);
        interval(&scores, numpy_mean(&scores, arithmetic), single)
    });
    Ok((p_value, intervals))
}

/// The p-value of swapping the systems' rows by the throw of a coin.
fn randomisation(
    baseline: &Running,
    system: &Running,
    trials: usize,
    seed: u64,
    difference: f64,
) -> Result<f64, EvalError> {
    let metric = system.metric();
    let width = system.sum().values.len();
    let (of_baseline, of_system) = (kept(baseline)?, kept(system)?);
    // What a swap adds to one side and takes from the other.
    let swaps: Vec<f64> = of_baseline.iter().zip(of_system).map(|(baseline, system)| baseline - system).collect();
    let (all_baseline, all_system) = (&baseline.sum().values, &system.sum().values);
    let count = swaps.len() / width;
    // Sums of whole numbers are exact in any order. Where there are fractions (TER's mean lengths), a trial that only changes places with
    // another one must not seem greater by a rounding: then the order is sacrebleu's.
    let whole = of_baseline.iter().chain(of_system).all(|value| value.fract() == 0.0);
    let difference = match whole {
        true => difference,
        false => {
            let number = |values: &[f64]| metric.number(&sum_where(values, width, |_| true), Arithmetic::Integer);
            (number(of_baseline) - number(of_system)).abs()
        }
    };
    let at_once = (DRAWN_AT_A_TIME / count).clamp(1, trials.max(1));
    let (mut coins, mut differences) = (Coins::seeded(seed), Vec::with_capacity(trials));
    while differences.len() < trials {
        let now = at_once.min(trials - differences.len());
        let flips: Vec<bool> = (0..now * count).map(|_| coins.flip()).collect();
        differences.par_extend(flips.par_chunks(count).map(|flips| {
            if !whole {
                let side = |heads: &[f64], tails: &[f64]| {
                    let (heads, tails) =
                        (sum_where(heads, width, |row| flips[row]), sum_where(tails, width, |row| !flips[row]));
                    let values: Vec<f64> = heads.iter().zip(tails).map(|(heads, tails)| heads + tails).collect();
                    metric.number(&values, Arithmetic::Integer)
                };
                return (side(of_baseline, of_system) - side(of_system, of_baseline)).abs();
            }
            let mut moved = vec![0.0; width];
            for (swap, _) in swaps.chunks_exact(width).zip(flips).filter(|(_, heads)| **heads) {
                moved.iter_mut().zip(swap).for_each(|(sum, value)| *sum += value);
            }
            let number = |all: &[f64], sign: f64| {
                let values: Vec<f64> = all.iter().zip(&moved).map(|(all, moved)| all + sign * moved).collect();
                metric.number(&values, Arithmetic::Integer)
            };
            (number(all_system, 1.0) - number(all_baseline, -1.0)).abs()
        }));
    }
    Ok(p_value(differences.into_iter(), difference))
}

/// The sum of some rows' values, one row after the other.
fn sum_where(values: &[f64], width: usize, is_in: impl Fn(usize) -> bool) -> Vec<f64> {
    let mut sum = vec![0.0; width];
    for (_, values) in values.chunks_exact(width).enumerate().filter(|(row, _)| is_in(*row)) {
        sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    sum
}

/// One is added to both, so that a test of few trials is never too sure.
fn p_value(found: impl ExactSizeIterator<Item = f64>, difference: f64) -> f64 {
    let all = found.len() + 1;
    (found.filter(|found| *found > difference).count() + 1) as f64 / all as f64
}

/// Of sorted scores: from the 2.5th to the 97.5th percentile.
fn interval(sorted: &[f64], mean: f64, single: bool) -> Interval {
    let outside = sorted.len() / 40;
    let (lower, upper) = (sorted[outside], sorted[sorted.len() - outside - 1]);
    let half_width = 0.5 * Arithmetic::of(single).round(upper - lower);
    Interval { mean, low: mean - half_width, high: mean + half_width, half_width, level: 0.95 }
}

fn numpy_mean(numbers: &[f64], arithmetic: Arithmetic) -> f64 {
    arithmetic.round(numpy_sum(numbers, arithmetic) / numbers.len() as f64)
}

/// The sum in numpy's order, which shows where every step is rounded to single precision: eight lanes in blocks of 128, blocks in pairs.
fn numpy_sum(numbers: &[f64], arithmetic: Arithmetic) -> f64 {
    let add = |a: f64, b: f64| arithmetic.round(a + b);
    match numbers.len() {
        0..8 => numbers.iter().copied().fold(0.0, add),
        8..=128 => {
            let mut lanes: [f64; 8] = std::array::from_fn(|lane| numbers[lane]);
            let mut blocks = numbers[8..].chunks_exact(8);
            for block in &mut blocks {
                lanes.iter_mut().zip(block).for_each(|(lane, number)| *lane = add(*lane, *number));
            }
            let pairs: [f64; 4] = std::array::from_fn(|at| add(lanes[2 * at], lanes[2 * at + 1]));
            let lanes = add(add(pairs[0], pairs[1]), add(pairs[2], pairs[3]));
            blocks.remainder().iter().copied().fold(lanes, add)
        }
        length => {
            let half = length / 2 / 8 * 8;
            add(numpy_sum(&numbers[..half], arithmetic), numpy_sum(&numbers[half..], arithmetic))
        }
    }
}
