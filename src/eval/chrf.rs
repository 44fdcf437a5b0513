//! chrF and chrF++: an F score over character n-grams, and with a word order over word n-grams too.
//! Source: Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation", and 2017, "chrF++"; every convention as sacrebleu 2.6.

use super::ngrams::{Ngrams, Words, how_many};
use super::tokenize::{is_space, lower, words};
use super::{Arithmetic, Detail, EvalError, Metric, Score, Stats, signature};

/// chrF with its options; `Chrf::default()` has sacrebleu's, and a `word_order` of 2 makes it chrF++.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chrf {
    /// At least 1.
    pub char_order: usize,
    pub word_order: usize,
    /// How much more recall counts than precision.
    pub beta: u32,
    pub lowercase: bool,
    /// Count white space among the characters.
    pub whitespace: bool,
    /// Give an order without n-grams a tiny value, as chrF++.py and NLTK do, instead of leaving it out.
    pub eps_smoothing: bool,
}

impl Default for Chrf {
    fn default() -> Self {
        Chrf { char_order: 6, word_order: 0, beta: 2, lowercase: false, whitespace: false, eps_smoothing: false }
    }
}

/// What stands for an order that has no n-grams.
const EPSILON: f64 = 1e-16;

/// Orders beyond which nothing sensible is asked.
const MOST_ORDERS: usize = 64;

/// The statistics of a row are `n-grams of the hypothesis, of the reference, matched` for each character order, then for each word order;
/// of several references those of the one with the best score.
impl Metric for Chrf {
    fn row(&self, hypothesis: &str, references: &[&str]) -> Stats {
        let hypothesis = self.prepare(hypothesis);
        let characters = self.characters(&hypothesis);
        let by_character = Ngrams::of(&characters, self.char_order);
        let mut numbers = Words::default();
        let mut symbols = Vec::new();
        if self.word_order > 0 {
            each_word(&hypothesis, |word| symbols.push(numbers.number(word)));
        }
        let by_word = Ngrams::of(&symbols, self.word_order);

        let mut best: Option<(f64, Vec<f64>)> = None;
        let mut seen = Vec::new();
        for reference in references {
            let reference = self.prepare(reference);
            let mut values = vec![0.0; 3 * self.orders()];
            let (of_characters, of_words) = values.split_at_mut(3 * self.char_order);
            matches(&by_character, characters.len(), &self.characters(&reference), &mut seen, of_characters);
            if self.word_order > 0 {
                let mut others = Vec::new();
                each_word(&reference, |word| others.push(numbers.find(word)));
                matches(&by_word, symbols.len(), &others, &mut seen, of_words);
            }
            let score = self.number(&values, Arithmetic::Double);
            // Of equals the first.
            if best.as_ref().is_none_or(|(highest, _)| score > *highest) {
                best = Some((score, values));
            }
        }
        let values = best.map_or_else(|| vec![0.0; 3 * self.orders()], |(_, values)| values);
        Stats::of_row(values, references.len())
    }

    fn score(&self, sum: &Stats) -> Score {
        Score {
            name: format!("chrF{}{}", self.beta, "+".repeat(self.word_order)),
            score: self.number(&sum.values, Arithmetic::Double),
            signature: signature(sum.references, "", &self.options()),
            detail: Detail::Chrf { char_order: self.char_order, word_order: self.word_order, beta: self.beta },
            ci: None,
            sentences: None,
        }
    }

    /// `(1 + β²)·P·R / (β²·P + R)` of the means P and R over the orders that both sides have, or the mean of the orders' own with
    /// epsilon smoothing.
    fn number(&self, values: &[f64], arithmetic: Arithmetic) -> f64 {
        let round = |x| arithmetic.round(x);
        let factor = f64::from(self.beta).powi(2);
        let f_score = |precision: f64, recall: f64| {
            let above = round(round((1.0 + factor) * precision) * recall);
            (above, round(round(factor * precision) + recall))
        };
        let (mut sum, mut precisions, mut recalls, mut effective_order) = (0.0, 0.0, 0.0, 0.0);
        for order in values.chunks_exact(3) {
            let (hypothesis, reference, matched) = (order[0], order[1], order[2]);
            let ratio = |all: f64| if all > 0.0 { round(matched / all) } else { EPSILON };
            let (precision, recall) = (ratio(hypothesis), ratio(reference));
            let (above, below) = f_score(precision, recall);
            sum = round(sum + if below > 0.0 { round(above / below) } else { EPSILON });
            if hypothesis > 0.0 && reference > 0.0 {
                precisions = round(precisions + precision);
                recalls = round(recalls + recall);
                effective_order += 1.0;
            }
        }
        if self.eps_smoothing {
            return round(round(100.0 * sum) / self.orders() as f64);
        }
        if precisions + recalls == 0.0 {
            return 0.0;
        }
        let (above, below) = f_score(round(precisions / effective_order), round(recalls / effective_order));
        round(100.0 * round(above / below))
    }

    fn options(&self) -> String {
        let case = if self.lowercase { "lc" } else { "mixed" };
        let yes_no = |yes| if yes { "yes" } else { "no" };
        let (effective, space) = (yes_no(!self.eps_smoothing), yes_no(self.whitespace));
        format!("case:{case}|eff:{effective}|nc:{}|nw:{}|space:{space}", self.char_order, self.word_order)
    }

    fn scores_keep_precision(&self) -> bool {
        true
    }
}

impl Chrf {
    /// The same options, if they make sense.
    /// # Errors
    /// Orders that are none or beyond measure.
    pub fn checked(self) -> Result<Self, EvalError> {
        let wrong =
            |option, found: usize, expected| Err(EvalError::Option { option, found: found.to_string(), expected });
        match self {
            Chrf { char_order, .. } if !(1..=MOST_ORDERS).contains(&char_order) => {
                wrong("the character order", char_order, "1 to 64")
            }
            Chrf { word_order, .. } if word_order > MOST_ORDERS => wrong("the word order", word_order, "0 to 64"),
            chrf => Ok(chrf),
        }
    }

    fn orders(&self) -> usize {
        self.char_order + self.word_order
    }

    fn prepare<'a>(&self, line: &'a str) -> std::borrow::Cow<'a, str> {
        if self.lowercase { lower(line) } else { line.into() }
    }

    fn characters(&self, line: &str) -> Vec<u32> {
        line.chars().filter(|c| self.whitespace || !is_space(*c)).map(u32::from).collect()
    }
}

/// Fills in `hypothesis, reference, matched` for each order of the n-grams.
fn matches(ngrams: &Ngrams, own_length: usize, others: &[u32], seen: &mut Vec<u32>, values: &mut [f64]) {
    seen.clear();
    seen.resize(ngrams.counts().len(), 0);
    ngrams.find(others, |node, order| {
        if seen[node] < ngrams.counts()[node] {
            seen[node] += 1;
            values[3 * order - 1] += 1.0;
        }
    });
    for (below, of_order) in values.chunks_exact_mut(3).enumerate() {
        let reference = how_many(others.len(), below + 1);
        // An order that the reference does not have is none that the hypothesis could have missed.
        of_order[0] = if reference > 0 { how_many(own_length, below + 1) as f64 } else { 0.0 };
        of_order[1] = reference as f64;
    }
}

/// The words of a line, with one mark of punctuation cut off each: the last character if it is one, else the first.
fn each_word<'a>(line: &'a str, mut each: impl FnMut(&'a str)) {
    for word in words(line) {
        let last = word.char_indices().next_back().map_or(0, |(at, _)| at);
        if last == 0 {
            each(word);
        } else if word.ends_with(|c: char| c.is_ascii_punctuation()) {
            each(&word[..last]);
            each(&word[last..]);
        } else if word.starts_with(|c: char| c.is_ascii_punctuation()) {
            each(&word[..1]);
            each(&word[1..]);
        } else {
            each(word);
        }
    }
}
