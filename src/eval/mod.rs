//! How good a text is beside its references: BLEU, chrF and TER, equal to sacrebleu 2.6 down to rounding. Plain text in, plain numbers out;
//! no tensors, no files. This file has what the metrics share: the statistics of a row, their sum, and the score made from it.
//!
//! A score is a function of sums over rows, so [`Running`] takes rows as they come, and `significance` draws its samples from the same
//! numbers. Next: `bleu`, `chrf`, `ter` for the metrics, `tokenize` for BLEU's tokens, `ngrams` for counting.

pub mod bleu;
pub mod chrf;
pub mod compare;
pub mod diff;
pub mod export;
mod ngrams;
mod random;
pub mod report;
pub mod significance;
pub mod ter;
pub mod tokenize;

use std::ops::AddAssign;

use rayon::prelude::*;
use serde::{Deserialize, Serialize, Serializer};

/// Why something cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    #[error("tokenizer {name} needs {what}, which finetop does not have; it has {}", tokenize::Tokenizer::NAMES.join(", "))]
    TokenizerNeeds { name: String, what: &'static str },
    #[error("no tokenizer is called {name}; finetop has {}", tokenize::Tokenizer::NAMES.join(", "))]
    UnknownTokenizer { name: String },
    #[error("no smoothing is called {name}; sacrebleu's are exp, floor, add-k, none")]
    UnknownSmoothing { name: String },
    #[error("{option} is {found}; expected {expected}")]
    Option { option: &'static str, found: String, expected: &'static str },
    #[error("row {row} has no reference")]
    NoReference { row: u64 },
    #[error("there are no rows to score")]
    NoRows,
    #[error("the systems have {baseline} and {system} rows; a paired test needs the same rows of both")]
    Unpaired { baseline: u64, system: u64 },
}

/// A text and what it could have been.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    pub hypothesis: &'a str,
    /// At least one; their number may differ by row.
    pub references: Vec<&'a str>,
}

/// The sufficient statistics of rows: numbers whose sums over rows are all that a score needs. What each is, the metric says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stats {
    pub values: Vec<f64>,
    pub rows: u64,
    /// The fewest and the most references of a row.
    pub references: Option<(usize, usize)>,
}

impl Stats {
    fn of_row(values: Vec<f64>, references: usize) -> Self {
        Stats { values, rows: 1, references: Some((references, references)) }
    }
}

impl AddAssign<&Stats> for Stats {
    fn add_assign(&mut self, other: &Stats) {
        if self.values.is_empty() {
            self.values.clone_from(&other.values);
        } else {
            self.values.iter_mut().zip(&other.values).for_each(|(sum, value)| *sum += value);
        }
        self.rows += other.rows;
        self.references = match (self.references, other.references) {
            (Some((fewest, most)), Some((less, more))) => Some((fewest.min(less), most.max(more))),
            (one, other) => one.or(other),
        };
    }
}

/// A metric with its options.
pub trait Metric: Send + Sync {
    /// The statistics of one row, which [`Metric::score`] takes summed. A row without references is one that matches nothing.
    fn row(&self, hypothesis: &str, references: &[&str]) -> Stats;

    /// The score of summed statistics; that of no rows is 0.
    fn score(&self, sum: &Stats) -> Score;

    /// The score of one row by itself, as sacrebleu's `sentence_score`: BLEU takes its effective order.
    fn sentence(&self, row: &Stats) -> Score {
        self.score(row)
    }

    /// The number alone, of the values of summed statistics, in the arithmetic of one of sacrebleu's tests.
    fn number(&self, values: &[f64], arithmetic: Arithmetic) -> f64;

    /// The options as they stand in a signature, between the references and the version: `case:mixed|eff:no|tok:13a|smooth:exp`.
    fn options(&self) -> String;

    /// Whether numpy holds this metric's scores in single precision where its statistics are; else they are doubles.
    fn scores_keep_precision(&self) -> bool;
}

/// How numbers are computed. sacrebleu's tests hand its formulas numpy arrays, and that shows in the sixth digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// Python's floats: scores.
    Double,
    /// Every step in single precision: the bootstrap.
    Single,
    /// As double, with what is added to a count cut to an integer: approximate randomisation.
    Integer,
}

impl Arithmetic {
    /// What a step's result is rounded to. The double result of one operation on singles, rounded, is the single result.
    fn round(self, x: f64) -> f64 {
        if self == Arithmetic::Single { f64::from(x as f32) } else { x }
    }
}

/// A score as it is written to reports and by `finetop bleu --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// `BLEU`, `chrF2`, `chrF2++`, `TER`.
    pub name: String,
    /// From 0 to 100; TER may exceed it.
    pub score: f64,
    /// As sacrebleu's, but for the version.
    pub signature: String,
    #[serde(flatten)]
    pub detail: Detail,
    /// Of a bootstrap, where one was made.
    pub ci: Option<Interval>,
    /// The score of every row, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentences: Option<Vec<f64>>,
}

/// What a metric says besides its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Detail {
    Bleu {
        /// In percent, by order. With `exp` and `floor` those without a match are smoothed.
        precisions: Vec<f64>,
        /// The brevity penalty.
        bp: f64,
        /// Tokens of the hypotheses, and of the reference nearest in length to each.
        sys_len: u64,
        ref_len: u64,
        /// Matched n-grams and all n-grams by order, as they entered the precisions: with add-k, k is in them from order 2 on.
        #[serde(serialize_with = "whole_where_whole")]
        counts: Vec<f64>,
        #[serde(serialize_with = "whole_where_whole")]
        totals: Vec<f64>,
    },
    Chrf {
        char_order: usize,
        word_order: usize,
        beta: u32,
    },
    Ter {
        num_edits: u64,
        /// Words of the references, for each row the mean of its references.
        ref_length: f64,
    },
}

/// A confidence interval. `mean` and `half_width` are what sacrebleu prints as μ ± half_width: the mean of the resampled scores and half the
/// distance of their 2.5th and 97.5th percentile; `low` and `high` are mean ∓ half_width.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
    pub half_width: f64,
    /// 0.95.
    pub level: f64,
}

/// Counts are integers in JSON; a fractional k of add-k makes them fractions.
fn whole_where_whole<S: Serializer>(numbers: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    if numbers.iter().all(|x| x.fract() == 0.0) {
        serializer.collect_seq(numbers.iter().map(|x| *x as u64))
    } else {
        serializer.collect_seq(numbers)
    }
}

/// sacrebleu's signature with finetop's version. `trials` is empty or `bs:1000|seed:12345`.
pub fn signature(references: Option<(usize, usize)>, trials: &str, options: &str) -> String {
    let references = match references {
        Some((fewest, most)) if fewest != most => "var".to_string(),
        Some((_, most)) => most.to_string(),
        None => "0".to_string(),
    };
    let trials = if trials.is_empty() { String::new() } else { format!("{trials}|") };
    format!("nrefs:{references}|{trials}{options}|version:finetop-{}", env!("CARGO_PKG_VERSION"))
}

impl Score {
    /// The line that sacrebleu prints with one decimal: `BLEU|nrefs:1|… = 57.4 88.1/69.9/53.1/38.5 (BP = 0.963 ratio = … hyp_len = … ref_len = …)`.
    pub fn line(&self) -> String {
        let interval = self.ci.map(|ci| format!(" (μ = {:.1} ± {:.1})", ci.mean, ci.half_width)).unwrap_or_default();
        let rest = match &self.detail {
            Detail::Bleu { precisions, bp, sys_len, ref_len, .. } => {
                let precisions: Vec<String> = precisions.iter().map(|p| format!("{p:.1}")).collect();
                let ratio = if *ref_len > 0 { *sys_len as f64 / *ref_len as f64 } else { 0.0 };
                let precisions = precisions.join("/");
                format!(" {precisions} (BP = {bp:.3} ratio = {ratio:.3} hyp_len = {sys_len} ref_len = {ref_len})")
            }
            Detail::Chrf { .. } | Detail::Ter { .. } => String::new(),
        };
        format!("{}|{} = {:.1}{interval}{rest}", self.name, self.signature, self.score)
    }
}

/// A metric and the rows that it has seen so far.
pub struct Running<'a> {
    metric: &'a dyn Metric,
    sum: Stats,
    /// The values of every row, one after the other, where samples will be drawn from them.
    kept: Option<Vec<f64>>,
    sentences: Option<Vec<f64>>,
}

/// Rows that one thread takes at a time. Fixed, so that sums have one order whatever the number of threads.
const ROWS_AT_A_TIME: usize = 64;

impl<'a> Running<'a> {
    /// No rows yet. What `significance` draws from is kept only where it is asked for: the sums alone take no memory to speak of.
    pub fn new(metric: &'a dyn Metric, keep_for_resampling: bool, sentences: bool) -> Self {
        let kept = keep_for_resampling.then(Vec::new);
        Running { metric, sum: Stats::default(), kept, sentences: sentences.then(Vec::new) }
    }

    /// Adds rows, computing on all threads.
    /// # Errors
    /// A row without a reference, by its number from 1; then none of these rows is added.
    pub fn add(&mut self, rows: &[Row]) -> Result<(), EvalError> {
        if let Some(at) = rows.iter().position(|row| row.references.is_empty()) {
            return Err(EvalError::NoReference { row: self.sum.rows + at as u64 + 1 });
        }
        let (metric, keeps, scores) = (self.metric, self.kept.is_some(), self.sentences.is_some());
        let parts: Vec<(Stats, Vec<f64>, Vec<f64>)> = rows
            .par_chunks(ROWS_AT_A_TIME)
            .map(|rows| {
                let (mut sum, mut kept, mut sentences) = (Stats::default(), Vec::new(), Vec::new());
                for row in rows {
                    let stats = metric.row(row.hypothesis, &row.references);
                    sum += &stats;
                    if keeps {
                        kept.extend_from_slice(&stats.values);
                    }
                    if scores {
                        sentences.push(metric.sentence(&stats).score);
                    }
                }
                (sum, kept, sentences)
            })
            .collect();
        for (sum, kept, sentences) in parts {
            self.sum += &sum;
            self.kept.iter_mut().for_each(|all| all.extend_from_slice(&kept));
            self.sentences.iter_mut().for_each(|all| all.extend_from_slice(&sentences));
        }
        Ok(())
    }

    pub fn metric(&self) -> &'a dyn Metric {
        self.metric
    }

    pub fn sum(&self) -> &Stats {
        &self.sum
    }

    /// The values of every row, if they were kept: `sum().values.len()` for each.
    pub fn kept(&self) -> Option<&[f64]> {
        self.kept.as_deref()
    }

    /// The score of the rows so far.
    /// # Errors
    /// None at all.
    pub fn score(&self) -> Result<Score, EvalError> {
        if self.sum.rows == 0 {
            return Err(EvalError::NoRows);
        }
        Ok(Score { sentences: self.sentences.clone(), ..self.metric.score(&self.sum) })
    }
}
