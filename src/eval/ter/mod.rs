//! TER: the edits that turn a hypothesis into a reference, shifts of word sequences among them, per word of the reference. How words are
//! cut is here, the edits are counted in `edits`.
//! Source: Snover et al. 2006, "A Study of Translation Edit Rate with Targeted Human Annotation"; every convention as sacrebleu 2.6,
//! which follows Tercom.

mod edits;

use std::borrow::Cow;

use super::ngrams::Words;
use super::tokenize::{Class, lower, split, trim_end, western, words};
use super::{Arithmetic, Detail, Metric, Score, Stats, signature};

/// TER with its options; `Ter::default()` has sacrebleu's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ter {
    /// Cut off punctuation and resolve entities, as Tercom does when asked to.
    pub normalized: bool,
    /// Remove punctuation.
    pub no_punct: bool,
    /// With `normalized`, cut Chinese and Japanese characters apart; with `no_punct`, remove their punctuation too.
    pub asian_support: bool,
    pub case_sensitive: bool,
}

/// The statistics of a row are `edits, ref_length`: the fewest edits to any reference, and the mean length of the references in words.
impl Metric for Ter {
    fn row(&self, hypothesis: &str, references: &[&str]) -> Stats {
        let hypothesis = self.prepare(hypothesis);
        let references: Vec<Cow<str>> = references.iter().map(|reference| self.prepare_reference(reference)).collect();
        let mut numbers = Words::default();
        let hypothesis: Vec<u32> = words(&hypothesis).map(|word| numbers.number(word)).collect();
        let (mut fewest, mut length) = (None, 0);
        for reference in &references {
            let reference: Vec<u32> = words(reference).map(|word| numbers.number(word)).collect();
            let edits = edits::edits(&hypothesis, &reference);
            fewest = Some(fewest.map_or(edits, |fewest: usize| fewest.min(edits)));
            length += reference.len();
        }
        let mean_length = length as f64 / references.len().max(1) as f64;
        Stats::of_row(vec![fewest.unwrap_or(hypothesis.len()) as f64, mean_length], references.len())
    }

    fn score(&self, sum: &Stats) -> Score {
        let value = |at| sum.values.get(at).copied().unwrap_or(0.0);
        Score {
            name: "TER".into(),
            score: self.number(&sum.values, Arithmetic::Double),
            signature: signature(sum.references, "", &self.options()),
            detail: Detail::Ter { num_edits: value(0) as u64, ref_length: value(1) },
            ci: None,
            sentences: None,
        }
    }

    fn number(&self, values: &[f64], arithmetic: Arithmetic) -> f64 {
        match values {
            [edits, length] if *length > 0.0 => arithmetic.round(100.0 * arithmetic.round(edits / length)),
            // Nothing was wanted and something came.
            [edits, _] if *edits > 0.0 => 100.0,
            _ => 0.0,
        }
    }

    fn options(&self) -> String {
        let yes_no = |yes| if yes { "yes" } else { "no" };
        let case = if self.case_sensitive { "mixed" } else { "lc" };
        let (norm, punct, asian) = (yes_no(self.normalized), yes_no(!self.no_punct), yes_no(self.asian_support));
        format!("case:{case}|tok:tercom|norm:{norm}|punct:{punct}|asian:{asian}")
    }

    fn scores_keep_precision(&self) -> bool {
        true
    }
}

impl Ter {
    /// sacrebleu prepares references twice, and once they are cut a possessive before punctuation has the space that it lacked.
    fn prepare_reference<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let once = self.prepare(line);
        if self.normalized { Cow::Owned(self.prepare(&once).into_owned()) } else { once }
    }

    /// The line as words with white space between them.
    fn prepare<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let line = trim_end(line);
        let mut line = if self.case_sensitive { Cow::Borrowed(line) } else { lower(line) };
        if self.normalized && !line.is_empty() {
            line = Cow::Owned(normalize(&line, self.asian_support));
        }
        if self.no_punct {
            let removed = |c| {
                matches!(c, '.' | ',' | '?' | ':' | ';' | '!' | '"' | '(' | ')')
                    || self.asian_support && is_asian_punctuation(c)
            };
            line.to_mut().retain(|c| !removed(c));
        }
        line
    }
}

fn normalize(line: &str, asian_support: bool) -> String {
    let line = (line.replace("\n-", "").replace('\n', " "))
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    let mut normalized = String::with_capacity(line.len() * 5 / 4);
    let mut rest = line.as_str();
    // A possessive is a word of its own where a space follows once punctuation is cut off. The space before it changes nothing else.
    while let Some(at) = rest.find("'s") {
        let (before, after) = rest.split_at(at);
        let ends = after[2..].chars().next().is_none_or(|c| c == ' ' || western(c) == Class::Alone);
        normalized.push_str(before);
        normalized.push_str(if ends { " 's" } else { "'s" });
        rest = &after[2..];
    }
    normalized.push_str(rest);
    let mut words = String::with_capacity(normalized.len() * 5 / 4);
    split(&normalized, true, western, |word| {
        for c in word.chars() {
            if asian_support && (is_asian(c) || is_asian_punctuation(c)) {
                words.extend([' ', c, ' ']);
            } else {
                words.push(c);
            }
        }
        words.push(' ');
    });
    words
}

/// What sacrebleu cuts apart. Its rules for kana ask for the begin of the line, where a space stands by then, and so never apply; one of
/// its ranges ends in U+3F22 where U+32FF was meant, and takes in some kana's neighbours.
fn is_asian(c: char) -> bool {
    matches!(c,
        '\u{2e80}'..='\u{2eff}'
        | '\u{31c0}'..='\u{31ef}'
        | '\u{3200}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe4f}')
}

fn is_asian_punctuation(c: char) -> bool {
    matches!(c,
        '\u{3001}' | '\u{3002}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{30fb}' | '\u{ff61}'..='\u{ff65}'
        | '\u{ff01}' | '\u{ff02}' | '\u{ff08}' | '\u{ff09}' | '\u{ff0c}' | '\u{ff0e}' | '\u{ff1a}' | '\u{ff1b}' | '\u{ff1f}')
}
