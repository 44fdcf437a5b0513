//! BLEU: clipped n-gram precisions, their geometric mean, and a penalty for brevity. How lines become tokens is `tokenize`.
//! Source: Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation"; smoothing: Chen and Cherry 2014;
//! every convention as sacrebleu 2.6.

use std::str::FromStr;

use super::ngrams::{Ngrams, Words, how_many};
use super::tokenize::Tokenizer;
use super::{Arithmetic, Detail, EvalError, Metric, Score, Stats, signature};

/// What an order without a match counts as.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Smoothing {
    /// The first such order as half a match, the next as a quarter, and so on; the default.
    #[default]
    Exp,
    /// So many matches; 0.1 by default.
    Floor(f64),
    /// Matches and totals of all orders but the first are so much greater; 1 by default.
    AddK(f64),
    None,
}

impl Smoothing {
    /// A smoothing by sacrebleu's name, with its default value where none is given. exp and none take no value and ignore it.
    /// # Errors
    /// An unknown name; a value that is negative, beyond all measure or no number.
    pub fn named(name: &str, value: Option<f64>) -> Result<Self, EvalError> {
        // Far beyond what makes sense, and far below where counts are no longer numbers.
        if let Some(value) = value.filter(|v| !(0.0..=1e9).contains(v)) {
            let expected = "a number from 0 to 1000000000";
            return Err(EvalError::Option { option: "the smoothing value", found: value.to_string(), expected });
        }
        match name {
            "exp" => Ok(Smoothing::Exp),
            "floor" => Ok(Smoothing::Floor(value.unwrap_or(0.1))),
            "add-k" => Ok(Smoothing::AddK(value.unwrap_or(1.0))),
            "none" => Ok(Smoothing::None),
            _ => Err(EvalError::UnknownSmoothing { name: name.into() }),
        }
    }
}

impl FromStr for Smoothing {
    type Err = EvalError;

    fn from_str(name: &str) -> Result<Self, EvalError> {
        Smoothing::named(name, None)
    }
}

/// BLEU with its options; `Bleu::default()` has sacrebleu's.
#[derive(Debug, Clone, PartialEq)]
pub struct Bleu {
    pub tokenizer: Tokenizer,
    pub smoothing: Smoothing,
    pub lowercase: bool,
    /// Leave out the orders for which the hypotheses are too short. [`Metric::sentence`] does so always.
    pub effective_order: bool,
    /// 4 by default, at least 1.
    pub max_ngram_order: usize,
}

impl Default for Bleu {
    fn default() -> Self {
        let (tokenizer, smoothing) = (Tokenizer::default(), Smoothing::default());
        Bleu { tokenizer, smoothing, lowercase: false, effective_order: false, max_ngram_order: 4 }
    }
}

/// The logarithm that sacrebleu takes of a precision of 0.
const LOG_OF_ZERO: f64 = -9_999_999_999.0;

/// What the formula gives.
struct Formula {
    score: f64,
    precisions: Vec<f64>,
    brevity_penalty: f64,
    counts: Vec<f64>,
    totals: Vec<f64>,
}

/// The statistics of a row are `sys_len, ref_len, counts…, totals…`, with one count and one total for each order.
impl Metric for Bleu {
    fn row(&self, hypothesis: &str, references: &[&str]) -> Stats {
        let orders = self.max_ngram_order.max(1);
        let hypothesis = self.tokenizer.prepare(hypothesis, self.lowercase);
        let (mut words, mut symbols) = (Words::default(), Vec::with_capacity(hypothesis.len() / 4));
        self.tokenizer.each(&hypothesis, |token| symbols.push(words.number(token)));
        let ngrams = Ngrams::of(&symbols, orders);

        let nodes = ngrams.counts().len();
        // For each n-gram of the hypothesis its order and how often the reference that has it most often has it.
        let (mut most, mut here) = (vec![0u32; nodes], vec![0u32; nodes]);
        let mut order_of = vec![0u32; nodes];
        let mut nearest: Option<usize> = None;
        let mut others = Vec::with_capacity(symbols.len() * 2);
        for reference in references {
            others.clear();
            let reference = self.tokenizer.prepare(reference, self.lowercase);
            self.tokenizer.each(&reference, |token| others.push(words.find(token)));
            here.fill(0);
            ngrams.find(&others, |node, order| {
                here[node] += 1;
                most[node] = most[node].max(here[node]);
                order_of[node] = order as u32;
            });
            // The nearest in length, of two as near the shorter.
            let distance = |length: usize| (length.abs_diff(symbols.len()), length);
            nearest = Some(
                nearest.map_or(others.len(), |n| if distance(others.len()) < distance(n) { others.len() } else { n }),
            );
        }

        let mut values = vec![0.0; 2 + 2 * orders];
        values[0] = symbols.len() as f64;
        values[1] = nearest.unwrap_or(0) as f64;
        for node in 1..nodes {
            let clipped = most[node].min(ngrams.counts()[node]);
            if clipped > 0 {
                values[1 + order_of[node] as usize] += f64::from(clipped);
            }
        }
        for order in 1..=orders {
            values[1 + orders + order] = how_many(symbols.len(), order) as f64;
        }
        Stats::of_row(values, references.len())
    }

    fn score(&self, sum: &Stats) -> Score {
        let orders = self.max_ngram_order.max(1);
        let no_rows = vec![0.0; 2 + 2 * orders];
        let values = if sum.values.is_empty() { &no_rows } else { &sum.values };
        let Formula { score, precisions, brevity_penalty, counts, totals } = self.formula(values, Arithmetic::Double);
        let (sys_len, ref_len) = (values[0] as u64, values[1] as u64);
        Score {
            name: "BLEU".into(),
            score,
            signature: signature(sum.references, "", &self.options()),
            detail: Detail::Bleu { precisions, bp: brevity_penalty, sys_len, ref_len, counts, totals },
            ci: None,
            sentences: None,
        }
    }

    fn sentence(&self, row: &Stats) -> Score {
        Bleu { effective_order: true, ..self.clone() }.score(row)
    }

    fn number(&self, values: &[f64], arithmetic: Arithmetic) -> f64 {
        self.formula(values, arithmetic).score
    }

    fn options(&self) -> String {
        let case = if self.lowercase { "lc" } else { "mixed" };
        let effective = if self.effective_order { "yes" } else { "no" };
        let smoothing = match self.smoothing {
            Smoothing::Exp => "exp".to_string(),
            Smoothing::Floor(value) => format!("floor[{value:.2}]"),
            Smoothing::AddK(k) => format!("add-k[{k:.2}]"),
            Smoothing::None => "none".to_string(),
        };
        format!("case:{case}|eff:{effective}|tok:{}|smooth:{smoothing}", self.tokenizer.name())
    }

    fn scores_keep_precision(&self) -> bool {
        // Its logarithms and exponentials are those of Python's math, which makes doubles of everything.
        false
    }
}

impl Bleu {
    /// `bp · exp(mean of log p_n)` with `bp = exp(1 - ref_len / sys_len)` where the hypotheses are shorter.
    fn formula(&self, values: &[f64], arithmetic: Arithmetic) -> Formula {
        let orders = self.max_ngram_order.max(1);
        let round = |x| arithmetic.round(x);
        let (sys_len, ref_len) = (values[0], values[1]);
        let (mut counts, mut totals) = (values[2..2 + orders].to_vec(), values[2 + orders..].to_vec());
        let mut precisions = vec![0.0; orders];
        let brevity_penalty = match () {
            () if sys_len >= ref_len => 1.0,
            () if sys_len > 0.0 => (1.0 - ref_len / sys_len).exp(),
            () => 0.0,
        };
        if counts.iter().all(|count| *count == 0.0) {
            return Formula { score: 0.0, precisions, brevity_penalty, counts, totals };
        }
        let (mut halvings, mut effective_order) = (1.0, orders);
        for n in 0..orders {
            if let Smoothing::AddK(k) = self.smoothing
                && n > 0
            {
                // sacrebleu adds to arrays of integers in its randomisation, and so loses the fraction of k.
                let k = if arithmetic == Arithmetic::Integer { k.trunc() } else { round(k) };
                counts[n] = round(counts[n] + k);
                totals[n] = round(totals[n] + k);
            }
            if totals[n] == 0.0 {
                break;
            }
            if self.effective_order {
                effective_order = n + 1;
            }
            precisions[n] = match self.smoothing {
                _ if counts[n] != 0.0 => round(round(100.0 * counts[n]) / totals[n]),
                Smoothing::Exp => {
                    halvings *= 2.0;
                    round(100.0 / round(halvings * totals[n]))
                }
                Smoothing::Floor(value) => round(round(100.0 * value) / totals[n]),
                Smoothing::AddK(_) | Smoothing::None => 0.0,
            };
        }
        let log = |p: &f64| if *p == 0.0 { LOG_OF_ZERO } else { p.ln() };
        let mean = precisions[..effective_order].iter().map(log).sum::<f64>() / effective_order as f64;
        Formula { score: brevity_penalty * mean.exp(), precisions, brevity_penalty, counts, totals }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_counts_as_often_as_the_reference_that_has_it_most() {
        let stats =
            Bleu::default().row("the the the the the the the", &["the cat is on the mat", "there is a cat on the mat"]);
        // Papineni et al., example 2: 2 of 7 unigrams.
        assert_eq!((stats.values[2], stats.values[6]), (2.0, 7.0));
    }
}
