//! What a comment says: a value that is not read, doubt of one that is, something that is not written out, or plain words.

use crate::extract::plain::remarks;

/// Say of a value that it may be another.
const DOUBT: &[&str] = &[
    "or",
    "alternatively",
    "maybe",
    "perhaps",
    "probably",
    "possibly",
    "likely",
    "unsure",
    "uncertain",
    "unclear",
    "unknown",
];
const DOUBT_WITHIN: &[&str] = &["not sure", "?", "또는", "혹은", "아마", "불확실", "확실하지", "확실치"];

/// Whether something is lost with a comment; `item` is for one among a list's items.
pub fn is_lost(comment: &str, item: bool) -> bool {
    stands_for_more(comment) || holds_a_value(comment, item) || doubts(comment)
}

/// Whether a comment holds a list, an object or a quoted text: one that was commented out, or another for the one that is there.
pub fn holds_json(comment: &str) -> bool {
    let quoted = |open: char, close: char| comment.split_once(open).is_some_and(|(_, rest)| rest.contains(close));
    // An apostrophe is no quote.
    let mut words = comment.split_whitespace();
    let ends = |word: &str| word.trim_end_matches([',', ';', '.', ']', '}', '*', '/']).ends_with('\'');
    let single =
        words.clone().any(|word| word.trim_start_matches(['/', '*', '#']).starts_with('\'')) && words.any(ends);
    quoted('{', '}') || quoted('[', ']') || quoted('"', '"') || quoted('“', '”') || single
}

/// The same, or a number. One alone may count a list's items: `/* 0 */`.
fn holds_a_value(comment: &str, item: bool) -> bool {
    let number = comment.trim_matches(|c: char| c.is_whitespace() || "/*#<!->,;.:()".contains(c));
    let alone = item && number.bytes().all(|b| b.is_ascii_digit());
    holds_json(comment) || !alone && comment.contains(char::is_numeric)
}

/// Whether a comment takes back or doubts what it stands at.
fn doubts(comment: &str) -> bool {
    let said = comment.to_lowercase();
    let mut words = said.split(|c: char| !c.is_alphanumeric());
    words.any(|word| DOUBT.contains(&word))
        || DOUBT_WITHIN.iter().any(|words| said.contains(words))
        || remarks::takes_back(comment, true)
}

/// Whether a comment says that something is not written out.
fn stands_for_more(comment: &str) -> bool {
    let said = comment.to_lowercase();
    let mut words = said.split(|c: char| !c.is_alphanumeric());
    let word = |word: &str| {
        matches!(word, "more" | "etc" | "rest" | "remaining" | "omitted" | "truncated" | "others" | "생략" | "등등")
    };
    said.contains("...") || said.contains('…') || said.contains("so on") || words.any(word)
}
