//! Values of a list: an enum's or a constant's, by equal value, then by equal name in another writing.
//! A name somewhere inside a sentence is `normalise`'s.

use serde_json::Value;

use super::super::schema::names::{fold, is_alphanumeric};
use super::super::schema::{Choice, Node};
use super::{Path, Walk, scalars};

/// Equal as JSON Schema has it: `1` and `1.0` are one number.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64().is_some() && x.as_f64() == y.as_f64(),
        _ => a == b,
    }
}

/// The choice that a value is, or is called; with the change's name where it is not the very value.
pub(super) fn chosen<'c>(value: &Value, choices: &'c [Choice]) -> Option<(&'c Value, Option<&'static str>)> {
    if let Some(same) = choices.iter().find(|c| equal(&c.value, value)) {
        return Some((&same.value, None));
    }
    let Value::String(text) = value else { return None };
    let only = |matches: &dyn Fn(&Choice) -> bool| {
        let mut found = choices.iter().filter(|c| matches(c));
        found.next().filter(|first| found.all(|other| equal(&other.value, &first.value))).map(|c| &c.value)
    };
    let trimmed = text.trim();
    if let Some(value) = only(&|c| c.value.as_str().is_some_and(|name| name.trim() == trimmed)) {
        return Some((value, Some("choice_matched")));
    }
    let (folded, bared) = (fold(text), bare(text));
    // Signs alone fold to nothing, and are not equal for that; digits and words that only separators tell apart could be.
    let named = |c: &Choice| {
        let names = c.value.as_str().into_iter().chain(c.title.as_deref());
        !folded.is_empty() && names.into_iter().any(|name| same_name(name, text, &folded, &bared))
    };
    if let Some(value) = only(&named) {
        return Some((value, Some("choice_matched")));
    }
    let number = scalars::integer(text).map(|w| w.value).or_else(|| scalars::number(text))?;
    only(&|c| c.value.is_number() && equal(&c.value, &number)).map(|value| (value, Some("string_to_choice")))
}

/// Whether two names are one, apart from case, width, marks around and the way of joining words. Inner signs count where there are
/// digits or no words: `1.5` is not `15`, `C++` not `C`.
fn same_name(name: &str, text: &str, folded: &str, bared: &str) -> bool {
    if bare(name) == bared {
        return true;
    }
    if fold(name) != folded {
        return false;
    }
    let joins = |s: &str| s.trim().chars().all(|c| is_alphanumeric(c) || "_- \"'`*.".contains(c));
    let digits = |s: &str| s.chars().any(|c| c.is_numeric());
    // `A-` is less than an A, and of `A B` each may be one of the list.
    let is_less = |s: &str| s.trim_end_matches(|c: char| c.is_whitespace() || "\"'`*.".contains(c)).ends_with('-');
    let of_letters = |s: &str| {
        let mut pieces = s.split(|c: char| !is_alphanumeric(c)).filter(|piece| !piece.is_empty()).peekable();
        let several = pieces.clone().nth(1).is_some();
        several && pieces.all(|piece| piece.chars().count() == 1)
    };
    let alike = is_less(name) == is_less(text) && of_letters(name) == of_letters(text);
    joins(name) && joins(text) && alike && !digits(name)
}

/// Without marks around and case.
fn bare(name: &str) -> String {
    let mark = |c: char| {
        matches!(c, '"' | '\'' | '`' | '*' | '.' | ',' | ':' | ';' | '!' | '?' | '(' | ')' | '[' | ']' | '{' | '}')
            || matches!(c, '“' | '”' | '‘' | '’')
    };
    name.trim_matches(|c: char| c.is_whitespace() || mark(c)).to_lowercase()
}

impl Walk {
    pub(super) fn choose(&mut self, value: &mut Value, node: Node<'_>, choices: &[Choice], path: &Path<'_>) {
        if let Some((choice, kind)) = chosen(value, choices) {
            if let Some(kind) = kind {
                // `high?` asks.
                let asked = |value: &Value| value.as_str().is_some_and(|text| text.trim_end().ends_with(['?', '？']));
                let guessed = asked(value) && !asked(choice);
                self.replace(value, path, kind, choice.clone(), guessed);
            }
            return;
        }
        if let Value::Array(items) = value
            && let [item] = items.as_slice()
            && let Some((choice, _)) = chosen(item, choices)
        {
            return self.replace(value, path, "value_unwrapped", choice.clone(), false);
        }
        self.refuse(value, node, path);
    }
}
