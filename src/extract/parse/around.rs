//! What stands around values in a text: prose, which is left out by right, or something said that the value does not have.
//! Words are not understood here, only their form. Next: `super` for where the values stand.

use crate::units::beginning;

/// A name and its value are looked for within so many characters of their colon.
const LONGEST: usize = 64;

/// Whether a piece of text beside values says something that is lost with it: a key with its value, the rest of a list, a number or a
/// quoted text that is in no sentence. `behind` is for what follows a value and may go on with it.
pub fn is_lost(said: &str, behind: bool) -> bool {
    said.starts_with(':')
        || said.contains("\":")
        || said.contains("':")
        || said.split(['\n', '\r']).any(|line| line_is_lost(line, behind))
}

fn line_is_lost(line: &str, behind: bool) -> bool {
    let whole = line.trim();
    let line = unmarked(whole);
    if !line.contains(char::is_alphanumeric) || is_number_of_item(whole) {
        return false;
    }
    if closes_what_it_did_not_open(line) || names_a_value(line) {
        return true;
    }
    let Counts { words, numbers, quotes, brackets, connected } = Counts::of(line);
    if numbers + quotes + brackets == 0 {
        return false;
    }
    if behind && connected {
        return true;
    }
    // What introduces a value may number it: `Option 2:`.
    if line.trim_end_matches(['*', '_', '`']).ends_with([':', '：']) {
        return false;
    }
    let ended = line.trim_end_matches(['*', '_', '"', '”', ')']).ends_with(['.', '!', '?', '…', '。', '？', '！']);
    // Korean and its neighbours say in one word what English says in several.
    let least = if line.is_ascii() { 3 } else { 2 };
    let sentence = words > numbers && (words >= least || ended);
    !sentence
}

/// The number of an item or a footnote alone: `1.`, `(2)`, `[2]`, `#3`, `④`, `### 5`, `**Person 6**`.
fn is_number_of_item(line: &str) -> bool {
    let bold = line.strip_prefix("**").and_then(|line| line.strip_suffix("**"));
    let inner = bold.unwrap_or(line).trim_matches(|c: char| "#().[]: ".contains(c));
    let number = inner.rsplit(' ').next().unwrap_or_default().trim_start_matches('#');
    let word = inner.strip_suffix(number).unwrap_or_default().trim();
    let is_marked = bold.is_some() || line.starts_with(['#', '(', '[']) || line.ends_with(['.', ')']);
    let is_short = (1..4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let is_circled = line.chars().count() == 1 && line.starts_with(|c| ('①'..='⑳').contains(&c));
    let is_named = word.is_empty() || (bold.is_some() || line.starts_with('#')) && !word.contains(' ');
    is_circled || is_marked && is_short && is_named
}

/// What stands behind the mark of a footnote that begins a line: `[1] Wikipedia`, `[^2]: see below`.
pub fn footnote(line: &str) -> Option<&str> {
    let (number, rest) = line.trim_start().strip_prefix('[')?.split_once(']')?;
    let number = number.strip_prefix('^').unwrap_or(number);
    let marked = (1..4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let said = rest.trim_start();
    (marked && rest.len() > said.len() && said.starts_with(char::is_alphabetic)).then_some(said)
}

/// The length of a mark that refers to a source: `[1]`, `[^12]`.
pub fn reference(said: &str) -> Option<usize> {
    let inner = said.strip_prefix('[')?;
    let number = inner.strip_prefix('^').unwrap_or(inner);
    let digits = number.bytes().take_while(u8::is_ascii_digit).take(4).count();
    let end = said.len() - number.len() + digits;
    ((1..4).contains(&digits) && said[end..].starts_with(']')).then_some(end + 1)
}

/// Without the marks of a list, a heading, a quotation or a footnote before it.
fn unmarked(line: &str) -> &str {
    let line = footnote(line).unwrap_or(line);
    let line = line.trim_start_matches(['#', '>', '-', '*', '+', '•', ' ']);
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &line[digits..];
    if (1..4).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") ")) { rest[2..].trim() } else { line }
}

/// Whether a text begins as a list's item does: `- c`, `2. d`.
pub fn is_item(said: &str) -> bool {
    let number = said.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = (1..4).contains(&(said.len() - number.len())) && number.starts_with([')', '.']);
    let rest = if numbered { &number[1..] } else { said.strip_prefix(['-', '*', '+', '•']).unwrap_or_default() };
    rest.starts_with(' ') && rest.trim_start().starts_with(char::is_alphanumeric)
}

fn closes_what_it_did_not_open(line: &str) -> bool {
    let mut open = [0_usize; 2];
    line.bytes().any(|b| match b {
        b'{' | b'[' => {
            open[usize::from(b == b'{')] += 1;
            false
        }
        b'}' | b']' => {
            let open = &mut open[usize::from(b == b'}')];
            let stray = *open == 0;
            *open = open.saturating_sub(1);
            stray
        }
        _ => false,
    })
}

/// `age: 5`, `ok = true`, `name: "Kim"`, `city: Busan`: a short name, and behind it a value that is no sentence. After a name as prose has
/// it, `Note: done`, a word is no value.
fn names_a_value(line: &str) -> bool {
    line.char_indices().filter(|(_, c)| matches!(c, ':' | '=' | '：')).any(|(at, c)| {
        let near = line[..at].char_indices().rev().take(LONGEST);
        let begins = near.take_while(|(_, c)| !matches!(c, ',' | ';' | '.' | '(' | '{' | '[' | '}' | ']'));
        let from = begins.last().map_or(at, |(from, _)| from);
        let name = line[from..at].trim_matches(|c: char| c.is_whitespace() || "*_`\"'".contains(c));
        let named = name.contains(char::is_alphabetic) && name.split_whitespace().count() <= 3;
        let said = beginning(&line[at + c.len_utf8()..], LONGEST)
            .trim_start_matches(['=', '>', ':', '*', '_', '`', ' ', '\t']);
        let end = said.find([',', ';']).unwrap_or(said.len());
        let said = said[..end].trim();
        if !named || said.is_empty() || said.starts_with("//") || said.split_whitespace().count() > 2 {
            return false;
        }
        let word = said.trim_end_matches('.');
        let literal = ["true", "false", "null", "True", "False", "None"].contains(&word);
        let number = said.trim_start_matches(['-', '+', '$', '₩', '€', '.']).starts_with(|c: char| c.is_ascii_digit());
        let plain = name.split_whitespace().count() == 1 && !name.starts_with(char::is_uppercase) && name.is_ascii();
        literal
            || number
            || said.starts_with(['"', '\'', '“', '‘', '{', '['])
            || plain && !said.ends_with(['.', '!', '?', ':'])
    })
}

/// How many words, numbers, quoted texts and brackets a line has.
#[derive(Default)]
struct Counts {
    words: usize,
    numbers: usize,
    quotes: usize,
    brackets: usize,
    /// Whether it begins as the rest of a list does: `and 4`.
    connected: bool,
}

impl Counts {
    fn of(line: &str) -> Counts {
        let mut counts = Counts::default();
        for (at, token) in line.split_whitespace().enumerate() {
            let bare = token.trim_matches(|c: char| !c.is_alphanumeric());
            if at == 0 {
                let word = bare.to_lowercase();
                counts.connected = token == "&"
                    || ["and", "or", "plus", "also", "then", "및", "그리고", "또는"].contains(&word.as_str());
            }
            let quoted = token.starts_with('\'') && token[1..].trim_end_matches([',', '.', ';']).ends_with('\'');
            counts.quotes += usize::from(quoted || token.contains(['"', '“', '”']));
            counts.brackets += usize::from(token.contains(['[', ']', '{', '}']));
            if bare.starts_with(|c: char| c.is_numeric()) {
                counts.numbers += 1;
            } else if !bare.is_empty() {
                counts.words += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_list_and_keys_with_values_are_lost() {
        for said in [
            "3, 4]",
            "3\n4",
            "and 4",
            "and \"d\"",
            "ing, age: 5}",
            "b: 2",
            "total = 7",
            "name: Kim",
            "\"b\": 2}",
            "'b' 'c'",
            "\"2\" \"3\"",
            "Count: 3 items",
            "ok: true",
            "3 apples",
            "[x",
        ] {
            assert!(is_lost(said, true), "{said}");
        }
    }

    #[test]
    fn a_mark_begins_an_item() {
        for (said, item) in [
            ("- c\n- d", true),
            ("2. d", true),
            ("• 가", true),
            ("**Note**", false),
            ("3 apples", false),
            ("-5", false),
        ] {
            assert_eq!(is_item(said), item, "{said}");
        }
    }

    #[test]
    fn prose_is_not_lost_though_it_has_a_number_or_a_quote() {
        for said in [
            "I hope this helps!",
            "Here are 3 numbers",
            "1.",
            "2)",
            "(3)",
            "#4",
            "⑤",
            "### 6",
            "**Person 7**",
            "Option 2:",
            "**Example 1:**",
            "Note: done.",
            "Note: the \"name\" field was missing, so I left it out.",
            "1. First I looked at the text.\n2. Then I wrote it.",
            "요청하신 3개의 항목입니다.",
            "}",
            "see [the docs] for more.",
            "Source [1]:",
            "See https://example.com/a",
        ] {
            assert!(!is_lost(said, false), "{said}");
        }
    }
}
