//! What a person looks for in the log: a regular expression, or the plain text that stands there where it is none.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

/// A program larger than this comes from a slip such as `(a{999}){999}`, and is not worth the wait.
const LARGEST: usize = 1 << 20;

#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
    literal: bool,
}

impl Pattern {
    /// `None` for an empty text. Lower-case letters match any case; one that is upper-case makes all of them strict.
    pub fn new(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let any_case = !has_upper_case(text);
        let build = |source: &str| RegexBuilder::new(source).case_insensitive(any_case).size_limit(LARGEST).build();
        let (regex, literal) = match build(text) {
            Ok(regex) => (regex, false),
            Err(_) => (build(&regex::escape(text)).ok()?, true),
        };
        Some(Pattern { text: text.to_owned(), regex, literal })
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is no regular expression, and taken as plain text.
    pub fn is_literal(&self) -> bool {
        self.literal
    }

    pub fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Where it is found; what matches nothing at all, such as `x*`, marks nothing.
    pub fn places<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty())
    }
}

/// Letters behind a backslash are classes such as `\S`, and say nothing of case.
fn has_upper_case(pattern: &str) -> bool {
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c.is_uppercase() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).expect("a pattern").is_in(text)
    }

    #[test]
    fn lower_case_matches_any_case_and_upper_case_only_itself() {
        assert!(is_in("cuda", "CUDA is missing") && is_in("CUDA", "CUDA is missing"));
        assert!(!is_in("Cuda", "CUDA is missing"));
        assert!(is_in(r"^step \S+", "STEP 12"), "a class has no case");
    }

    #[test]
    fn what_is_no_regular_expression_is_taken_as_it_stands() {
        let pattern = Pattern::new("loss (").expect("a pattern");
        assert!(pattern.is_literal() && pattern.is_in("the LOSS (nats)"));
        assert!(!Pattern::new("loss").expect("a pattern").is_literal());
        assert!(Pattern::new("").is_none());
        let huge = Pattern::new(&"(a{999}){999}".repeat(9)).expect("a pattern");
        assert!(huge.is_literal(), "too large to be meant");
    }

    #[test]
    fn places_are_those_with_something_in_them() {
        let places = |pattern: &str, text: &str| -> Vec<Range<usize>> {
            Pattern::new(pattern).expect("a pattern").places(text).collect()
        };
        assert_eq!(places("ab*", "ab a"), [0..2, 3..4]);
        assert!(places("x*", "ab").is_empty());
    }
}
