//! A number or a yes or no that stands alone among prose, for a schema that asks for one; not where the prose denies it or says it is a bound.
//! Numbers in words are `normalise`'s. Next: `super`.

use std::ops::Range;

use serde_json::Value;

use super::{Candidate, change, strict};
use crate::extract::normalise::{self, denial};
use crate::extract::schema::Schema;
use crate::extract::schema::node::Kind;
use crate::units::beginning;

/// The only one that the text has. Of two, neither is guessed; nor is one that is denied.
pub fn among_prose(text: &str, schema: Option<&Schema>) -> Option<Candidate> {
    let root = schema?.root();
    if root.choices().is_some() || root.accepts(Kind::String) || text.len() > 10_000 {
        return None;
    }
    let (ends, mut within) = (clause_ends(text), Clause::default());
    let mut only: Option<(Value, Range<usize>)> = None;
    let mut at = 0;
    let mut looked_at = 0;
    let mut amounts = false;
    for word in text.split_inclusive(char::is_whitespace) {
        let start = at + word.len() - word.trim_start_matches(['*', '`', '"', '(', '_']).len();
        at += word.len();
        let word = text[start..at].trim_end().trim_end_matches(['*', '`', '"', ')', '_', '.', ',', '!', ';', ':']);
        let json = match word {
            "True" | "TRUE" => "true",
            "False" | "FALSE" => "false",
            other => other,
        };
        let Ok((value, _)) = strict::value(json) else {
            // `5,000원 x 2`: the amount is another number.
            if word.contains(|c: char| c.is_ascii_digit()) && normalise::number::number(word).is_some() {
                amounts = true;
            }
            continue;
        };
        let kind = Kind::of(&value);
        if !(root.accepts(kind) || kind == Kind::Integer && root.accepts(Kind::Number)) {
            continue;
        }
        if only.as_ref().is_some_and(|(known, _)| *known != value) {
            return None;
        }
        let place = start..start + word.len();
        if value.is_number() {
            let around = clause(text, &ends, &place);
            if within.place != around {
                within = Clause::new(text, around);
            }
            if within.bounds(&place) || is_part_of_more(text, place) {
                return None;
            }
        } else if start >= looked_at {
            // Each clause is looked at once, however many words of it could be the value.
            let clause = clause(text, &ends, &place);
            looked_at = clause.end;
            if is_denied(&text[clause]) {
                return None;
            }
        }
        only = Some((value, start..start + word.len()));
    }
    let (value, span) = only.filter(|(value, _)| !(amounts && value.is_number()))?;
    let changes = match (&value, value.is_number().then(|| normalise::marks(text, root)).flatten()) {
        // With its sign, its size and its unit it is another one: `minus 5`, `2 million`.
        (Value::Number(number), Some((read, _))) if read.as_f64() != number.as_f64() => return None,
        (Value::Number(_), None) => {
            vec![change("number_among_words", Value::from(beginning(text, 80)), value.clone(), true)]
        }
        // What is left out by it is told as in a field: `5 USD`, `about 42`.
        (_, Some((_, marks))) => {
            marks.into_iter().map(|kind| change(kind, Value::from(beginning(text, 80)), value.clone(), true)).collect()
        }
        // What else the prose says may make another answer of it: `True or false?`, `false positive`.
        (Value::Bool(is), None) if !normalise::answers(text, *is) => {
            vec![change("boolean_among_words", Value::from(beginning(text, 80)), value.clone(), true)]
        }
        _ => Vec::new(),
    };
    Some(Candidate { value, span, changes })
}

/// The words of a clause, in small letters, with what bounds or denies every number or some in it. Of many numbers in one clause each asks.
#[derive(Default)]
struct Clause {
    place: Range<usize>,
    /// Each with where it begins in the text.
    words: Vec<(usize, String)>,
    /// Before this word none denies what comes; from that one on none denies what came.
    denied_from: usize,
    denied_to: usize,
    bounded: bool,
}

impl Clause {
    fn new(text: &str, place: Range<usize>) -> Self {
        const KOREAN: &[&str] = &["이상", "이하", "미만", "초과", "사이"];
        let said = &text[place.clone()];
        let bounded = KOREAN.iter().any(|bound| said.contains(bound)) || said.contains(['<', '>', '≤', '≥', '±', '~']);
        let mut words = Vec::new();
        let joins = |c: char| c.is_alphanumeric() || c == '\'';
        for word in said.split(|c: char| !joins(c) && c != '’').filter(|word| !word.is_empty()) {
            let at = word.as_ptr() as usize - text.as_ptr() as usize;
            let lower = word.to_lowercase().replace('’', "'");
            words.extend(lower.split(|c| !joins(c)).filter(|part| !part.is_empty()).map(|part| (at, part.to_owned())));
        }
        let denies = |(_, word): &(usize, String)| word != "no" && denial::is_english(word);
        let denied_from = words.iter().position(denies).unwrap_or(words.len());
        let denied_to = words.iter().rposition(|(_, word)| denial::is_korean(word)).map_or(0, |last| last + 1);
        Clause { place, words, denied_from, denied_to, bounded }
    }

    /// Whether the words around a number say that it is not so, or more or less than that.
    fn bounds(&self, number: &Range<usize>) -> bool {
        const BEFORE: &[&str] = &[
            "than", "between", "under", "over", "below", "above", "beyond", "within", "minimum", "maximum", "least",
            "most", "to", "until", "no",
        ];
        const BETWEEN: &[&str] = &["of", "a", "an", "the", "only", "about"];
        const BEHIND: &[[&str; 2]] =
            &[["or", "more"], ["or", "less"], ["or", "fewer"], ["or", "so"], ["at", "least"], ["at", "most"]];
        let before = self.words.partition_point(|(at, _)| *at < number.start);
        let behind = self.words.partition_point(|(at, _)| *at < number.end);
        let near = self.words[..before].iter().rev().find(|(_, word)| !BETWEEN.contains(&word.as_str()));
        let two: Vec<&str> = self.words[behind..].iter().take(2).map(|(_, word)| word.as_str()).collect();
        near.is_some_and(|(_, word)| BEFORE.contains(&word.as_str()))
            || self.denied_from < before
            || BEHIND.iter().any(|bound| two == bound)
            || self.denied_to > behind
            || self.bounded
    }
}

/// Whether the word before or behind a number makes another one of it, or says that it is about that much: then `normalise` reads the whole.
fn is_part_of_more(text: &str, place: Range<usize>) -> bool {
    const ABOUT: &[&str] =
        &["about", "around", "roughly", "approximately", "some", "nearly", "almost", "약", "대략", "한", "거의"];
    const SIZES: &[&str] = &["k", "m", "b", "t", "mn", "bn", "tn", "mil"];
    let numeral = |c: char| c.is_ascii_digit() || "십백천만억조".contains(c);
    let is_numeral =
        |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) || !word.is_empty() && word.chars().all(numeral);
    let before = text[..place.start].split_whitespace().next_back().unwrap_or_default();
    let behind = text[place.end..].split_whitespace().next().unwrap_or_default().trim_start_matches('(');
    let sized = SIZES.contains(&behind.trim_end_matches(['.', ',', '!']).to_lowercase().as_str());
    is_numeral(before) || is_numeral(behind) || sized || ABOUT.contains(&before.to_lowercase().as_str())
}

/// Where marks stand that end a clause.
fn clause_ends(text: &str) -> Vec<Range<usize>> {
    let ends =
        |c: char| matches!(c, ',' | ';' | ':' | '.' | '!' | '?' | '\n' | '，' | '；' | '：' | '。' | '！' | '？');
    text.match_indices(ends).map(|(at, mark)| at..at + mark.len()).collect()
}

/// The clause around a place: to the next mark that ends one on either side.
fn clause(text: &str, ends: &[Range<usize>], place: &Range<usize>) -> Range<usize> {
    let from = ends[..ends.partition_point(|end| end.start < place.start)].last().map_or(0, |end| end.end);
    let to = ends.get(ends.partition_point(|end| end.start < place.end)).map_or(text.len(), |end| end.start);
    from..to
}

/// Whether a clause says that it is not so.
fn is_denied(clause: &str) -> bool {
    const WORDS: &[&str] = &["unlikely", "wrong", "incorrect", "untrue", "if", "unless", "whether"];
    let lower = clause.to_lowercase().replace('’', "'");
    let words: Vec<&str> =
        lower.split(|c: char| !(c.is_alphanumeric() || c == '\'')).filter(|w| !w.is_empty()).collect();
    words.iter().any(|word| WORDS.contains(word) || denial::is_english(word) || denial::is_korean(word))
        || clause.contains("만약")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str, kind: &str) -> Option<Value> {
        let schema = Schema::from_value(&json!({"type": kind})).unwrap();
        among_prose(text, Some(&schema)).map(|candidate| candidate.value)
    }

    #[test]
    fn what_is_denied_or_a_bound_is_not_taken() {
        for text in [
            "The claim is not true.",
            "not true",
            "no way true",
            "It isn't true",
            "It isn’t true",
            "true is wrong",
            "이것은 true 가 아닙니다",
        ] {
            assert_eq!(read(text, "boolean"), None, "{text}");
        }
        for text in [
            "Not 5",
            "no more than 5",
            "between 5 and 5",
            "at least 5 people",
            "It has 5 or more",
            "총 5 개 이상",
            "less than 5",
        ] {
            assert_eq!(read(text, "integer"), None, "{text}");
        }
    }

    #[test]
    fn a_denial_elsewhere_is_not_the_words() {
        assert_eq!(read("No, the claim is true.", "boolean"), Some(json!(true)));
        assert_eq!(read("I do not know why, but the answer is **5**.", "integer"), Some(json!(5)));
        assert_eq!(read("The answer is 5.", "integer"), Some(json!(5)));
        assert_eq!(read("3 or 4", "integer"), None);
    }

    #[test]
    fn a_yes_or_no_that_is_not_the_whole_answer_is_marked() {
        let schema = Schema::from_value(&json!({"type": "boolean"})).unwrap();
        let is_marked = |text: &str| among_prose(text, Some(&schema)).is_some_and(|read| !read.changes.is_empty());
        for text in ["True or false?", "false positive", "No, that is true", "True, because it is", "true?"] {
            assert!(is_marked(text) || read(text, "boolean").is_none(), "{text}");
        }
        for text in ["The answer is true.", "It is false.", "**True**", "True."] {
            assert!(!is_marked(text) && read(text, "boolean").is_some(), "{text}");
        }
    }

    #[test]
    fn a_piece_of_a_larger_number_is_not_the_number() {
        for text in [
            "minus 5",
            "2 million",
            "The price is 2 million won",
            ">= 42",
            "만 28",
            "2억 3000",
            "3만 5",
            "2 1/4",
            "약 5",
            "about 5 of them",
        ] {
            assert_eq!(read(text, "integer"), None, "{text}");
        }
        assert_eq!(read("5,000원 x 2", "integer"), None);
        assert_eq!(read("총 5 개", "integer"), Some(json!(5)));
        for text in [
            "There are 42 people under the bridge.",
            "It has 42 cores and no GPU.",
            "The maximum is 42.",
            "42 is above average.",
            "It costs 42 and not more.",
        ] {
            assert_eq!(read(text, "integer"), Some(json!(42)), "{text}");
        }
    }
}
