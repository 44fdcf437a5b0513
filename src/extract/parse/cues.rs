//! What prose says of the values in it: thoughts before an answer, an example, the answer itself, a correction.
//! Which reading is taken is `chain`'s. Next: `crate::extract::chain`.

use std::ops::Range;

use super::segments;
use crate::units::beginning;

/// How far before a value the words that introduce it are looked for, and those that take back the value before it.
const NEAR: usize = 200;
const FAR: usize = 2_000;

/// What the prose before a value calls it, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cue {
    /// The answer, or what corrects one.
    Answer,
    None,
    Example,
}

/// What the text between the value before and this one calls this one; `second` where there is one before.
pub fn cue(gap: &str, second: bool) -> Cue {
    if second && corrects(gap) {
        return Cue::Answer;
    }
    let near = ending(gap, NEAR).to_lowercase();
    let last = |words: &[&str], within: &[&str]| {
        let whole = words.iter().filter_map(|word| last_word(&near, word));
        whole.chain(within.iter().filter_map(|said| near.rfind(said))).max()
    };
    let answer = last(&["answer", "final", "result"], &["정답", "최종", "답변", "결과"]);
    let example = last(&["example", "instance", "draft"], &["e.g", "예시", "예를", "예:", "초안"]);
    match (answer, example) {
        (None, None) => Cue::None,
        (answer, example) if answer > example => Cue::Answer,
        _ => Cue::Example,
    }
}

/// Whether words between two values take the first back.
pub fn corrects(gap: &str) -> bool {
    const WORDS: &[&str] = &["correction", "corrected", "actually", "wait", "oops", "sorry", "mistake", "wrong"];
    let said = beginning(gap, FAR).to_lowercase();
    WORDS.iter().any(|word| last_word(&said, word).is_some())
        || ["정정", "아니", "수정", "잠깐"].iter().any(|word| said.contains(word))
}

/// Whether words between two values begin by calling the second another one for the first: `or`, `Alternatively:`.
pub fn offers_another(gap: &str) -> bool {
    let said = beginning(gap, NEAR).to_lowercase();
    let mut words = said.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.next().is_some_and(|word| ["or", "alternatively", "또는", "혹은", "아니면"].contains(&word))
}

/// Whether the words right before a value say that it is not the one: `It is not`, `Not this:`, `Old:`.
pub fn disowns(gap: &str) -> bool {
    let near = ending(gap, NEAR).to_lowercase();
    let words = |said: &str| -> Vec<String> {
        let word = |c: char| !c.is_alphanumeric() && c != '\'';
        said.split(word).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let denies = |word: &String| ["not", "isn't", "never", "wrong", "incorrect"].contains(&word.as_str());
    let line = words(near.trim_end().lines().next_back().unwrap_or_default());
    let alone = matches!(line.as_slice(), [one] if ["old", "previous", "before", "bad", "이전", "변경전"].contains(&one.as_str()));
    let introduces = near.trim_end().ends_with(|c: char| c.is_alphanumeric() || matches!(c, ':' | '：' | '*'));
    alone || introduces && line.iter().rev().take(2).any(denies)
}

/// The last place where a word stands by itself.
fn last_word(said: &str, word: &str) -> Option<usize> {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    // Most gaps are shorter than what a searcher prepares for each word would take.
    let (bytes, sought) = (said.as_bytes(), word.as_bytes());
    let places = (0..(said.len() + 1).saturating_sub(word.len())).rev();
    places
        .filter(|at| bytes.get(*at) == sought.first() && bytes[*at..].starts_with(sought))
        .find(|at| !letter(said[..*at].chars().next_back()) && !letter(said[at + word.len()..].chars().next()))
}

/// The end of a text, of at most so many bytes.
fn ending(text: &str, most: usize) -> &str {
    let mut from = text.len().saturating_sub(most);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

const TAGS: &[&str] = &["think", "thinking", "thought", "thoughts", "reasoning", "scratchpad"];

/// Where a model thinks aloud before it answers: `<think>…</think>` at a line's beginning; all before an end whose beginning is not there,
/// all behind a beginning that has no end. Not in a text that begins with a value, nor within tags that are `fields` themselves.
pub fn thoughts(text: &str, is_field: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    if !text.contains('<') || text.trim_start_matches(segments::blank).starts_with(['{', '[', '"']) {
        return found;
    }
    let tags: Vec<&str> = TAGS.iter().copied().filter(|tag| !is_field(tag)).collect();
    let mut open: Option<(usize, &str)> = None;
    for (at, _) in text.match_indices('<') {
        let near = beginning(&text[at + 1..], 16);
        let closing = near.starts_with('/');
        let name = near.trim_start_matches('/');
        let Some(end) = name.find('>') else { continue };
        let Some(tag) = tags.iter().find(|tag| name[..end].eq_ignore_ascii_case(tag)) else { continue };
        let end = at + 1 + (near.len() - name.len()) + end + 1;
        match open {
            None if closing && found.is_empty() => found.push(0..end),
            None if !closing
                && text[..at]
                    .trim_end_matches([' ', '\t'])
                    .chars()
                    .next_back()
                    .is_none_or(|c| matches!(c, '\n' | '>')) =>
            {
                open = Some((at, tag));
            }
            Some((from, by)) if closing && by == *tag => {
                found.push(from..end);
                open = None;
            }
            _ => {}
        }
    }
    found.extend(open.map(|(from, _)| from..text.len()));
    found
}

/// The text with white space for those places, which leaves all others where they are.
pub fn without(text: &str, places: &[Range<usize>]) -> String {
    let mut made = String::with_capacity(text.len());
    for place in places {
        made.push_str(&text[made.len()..place.start]);
        made.extend(std::iter::repeat_n(' ', place.len()));
    }
    made.push_str(&text[made.len()..]);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_before_a_value_says_what_it_is() {
        for (gap, second, wanted) in [
            ("Example:\n```json\n", false, Cue::Example),
            ("Final answer: ", false, Cue::Answer),
            ("That was an example. Result:", true, Cue::Answer),
            ("The answer looks like this example:", false, Cue::Example),
            ("Here it is:", false, Cue::None),
            ("Wait, correction:", true, Cue::Answer),
            ("Wait:", false, Cue::None),
            ("\nThe waiter brought ", true, Cue::None),
            ("예시: ", false, Cue::Example),
        ] {
            assert_eq!(cue(gap, second), wanted, "{gap}");
        }
    }

    #[test]
    fn a_word_between_two_values_may_make_them_alternatives() {
        for (gap, another) in [
            (" or ", true),
            ("\n\nAlternatively, one could say:\n", true),
            (" 또는 ", true),
            (" and ", false),
            ("\nFor one or two:", false),
            ("\nOrders:", false),
            (", ", false),
        ] {
            assert_eq!(offers_another(gap), another, "{gap}");
        }
    }

    #[test]
    fn the_words_right_before_a_value_may_disown_it() {
        for gap in ["It is not ", "Not this: ", "So:\nOld:\n", "**Before**:", "This is wrong:"] {
            assert!(disowns(gap), "{gap}");
        }
        for gap in ["I could not find the email:\n", "Here it is, as before:", "Not the best, but here:", "", "Result:"]
        {
            assert!(!disowns(gap), "{gap}");
        }
    }

    #[test]
    fn thoughts_are_found_with_one_tag_or_both() {
        let places = |text: &str| -> Vec<String> {
            thoughts(text, |tag| tag == "reasoning").into_iter().map(|place| text[place].to_owned()).collect()
        };
        assert_eq!(places("<think>a</think>b"), ["<think>a</think>"]);
        assert_eq!(
            places("Hm\n<THINKING>a <think>x</think></THINKING>\nb"),
            ["<THINKING>a <think>x</think></THINKING>"]
        );
        assert_eq!(places("a</think>b"), ["a</think>"]);
        assert_eq!(places("b\n<think>a"), ["<think>a"]);
        assert!(places("<reasoning>a</reasoning>").is_empty());
        assert!(places("{\"a\": \"\n<think>x</think>\"}").is_empty());
        assert!(places("write it in <think> tags").is_empty());
        let text = "가<think>나</think>다";
        let thought = 3..21;
        assert_eq!(without(text, std::slice::from_ref(&thought)).len(), text.len());
    }
}
