//! What a field may be called: its key in words, its title, its aliases, without regard to case, width and how words are joined.
//! JSON Pointers' segments too, since they are names written down.

use std::fmt;

use serde_json::Value;

use crate::units::beginning;

/// A name without what writers vary: case, full-width forms, `_`, `-`, spaces, Markdown's marks. `fullName`, `Full Name` and
/// `full_name` fold to one.
pub fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for c in name.chars().map(half_width) {
        match c {
            // Most names are of these, for which the tables of Unicode need not be asked.
            '\0'..='\u{7f}' if c.is_ascii_alphanumeric() => folded.push(c.to_ascii_lowercase()),
            '\0'..='\u{7f}' => {}
            c if is_letter_without_case(c) => folded.push(c),
            c if c.is_alphanumeric() => folded.extend(c.to_lowercase()),
            _ => {}
        }
    }
    folded
}

/// A name without the bracket at its end, where there is one: `Price (USD)` is "Price".
pub fn without_bracket(name: &str) -> Option<&str> {
    let mark = |c: char| c.is_whitespace() || matches!(c, '*' | '_' | '`' | '"' | '\'');
    let inner = name.trim_end_matches(mark).strip_suffix([')', '）'])?;
    let before = inner[..inner.rfind(['(', '（'])?].trim_end();
    before.contains(is_alphanumeric).then_some(before)
}

/// Whether it is one of the letters of Korean, Japanese and Chinese in common use, which have no case.
fn is_letter_without_case(c: char) -> bool {
    matches!(c, '가'..='힣' | '\u{1100}'..='\u{11ff}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}'
        | '\u{3131}'..='\u{318e}' | '\u{4e00}'..='\u{9ffc}')
}

/// As [`char::is_alphanumeric`], which looks syllables up in a table.
pub fn is_alphanumeric(character: char) -> bool {
    ('가'..='힣').contains(&character) || character.is_alphanumeric()
}

/// The ordinary form of a full-width letter, digit or mark.
pub fn half_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        c => c,
    }
}

/// The words of a key: `unit_price` and `unitPrice` are both "unit price".
pub fn words(key: &str) -> String {
    let mut words = String::new();
    let mut before = ' ';
    let mut characters = key.chars().peekable();
    while let Some(c) = characters.next() {
        let joins = c == '_' || c == '-' || c.is_whitespace();
        // `HTTPServer` is two words as well: the last capital before a small letter begins one.
        let next_small = characters.peek().is_some_and(|n| n.is_lowercase());
        let begins =
            c.is_uppercase() && (before.is_lowercase() || before.is_numeric() || before.is_uppercase() && next_small);
        if (joins || begins) && !words.is_empty() && !words.ends_with(' ') {
            words.push(' ');
        }
        if !joins {
            words.extend(c.to_lowercase());
        }
        before = c;
    }
    words.trim_end().to_string()
}

/// All names of a property, its key first: key, key in words, title, `alias`, `aliases` and `x-aliases`.
pub(super) fn names(key: &str, schema: &Value) -> Vec<String> {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
    let list =
        |keyword: &str| schema.get(keyword).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let said = text("title").into_iter().chain(text("alias")).chain(list("aliases")).chain(list("x-aliases"));
    let mut names = vec![key.to_string()];
    for name in [words(key)].into_iter().chain(said.map(str::to_string)) {
        if !name.trim().is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A JSON Pointer one segment further in.
pub fn join(pointer: &str, segment: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + 1 + segment.len());
    joined.push_str(pointer);
    write(&mut joined, segment);
    joined
}

/// A change's path is no longer than that: in a text of many changes below one long key, each would tell the key.
const LONGEST_PATH: usize = 1_024;

/// The same in place, for the paths of changes; what goes beyond [`LONGEST_PATH`] is left out.
pub fn push(pointer: &mut String, segment: &str) {
    let room = LONGEST_PATH.saturating_sub(pointer.len());
    if segment.len() < room {
        return write(pointer, segment);
    }
    if room > 0 {
        write(pointer, beginning(segment, room));
        pointer.push('…');
    }
}

/// The same for the place in a list.
pub fn push_index(pointer: &mut String, index: usize) {
    // Most paths have room for any number, which then needs no text of its own.
    const LONGEST_INDEX: usize = 20;
    if pointer.len() + LONGEST_INDEX < LONGEST_PATH && fmt::Write::write_fmt(pointer, format_args!("/{index}")).is_ok()
    {
        return;
    }
    push(pointer, &index.to_string());
}

fn write(pointer: &mut String, segment: &str) {
    pointer.push('/');
    if !segment.contains(['~', '/']) {
        return pointer.push_str(segment);
    }
    for c in segment.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// A pointer's last segment as it was written in the value.
pub(super) fn last(pointer: &str) -> Option<String> {
    pointer.rsplit_once('/').map(|(_, name)| name.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_ways_of_joining_words_fold_to_one_name() {
        for name in ["full_name", "fullName", "Full Name", "FULL-NAME", "ｆｕｌｌ　ｎａｍｅ", "**Full name**"]
        {
            assert_eq!(fold(name), "fullname", "{name}");
        }
        assert_eq!(fold("중고 가격"), "중고가격");
    }

    #[test]
    fn a_bracket_at_the_end_is_told_from_one_within() {
        for (name, bare) in
            [("Price (USD)", "Price"), ("**가격(원)**", "**가격"), ("Tax （8%）", "Tax"), ("a (b) (c)", "a (b)")]
        {
            assert_eq!(without_bracket(name), Some(bare));
        }
        for name in ["Price", "(USD)", "Price (USD) now", "Price USD)", "** (USD)**"] {
            assert_eq!(without_bracket(name), None, "{name}");
        }
    }

    #[test]
    fn folding_is_as_the_tables_of_unicode_have_it() {
        for c in '\0'..=char::MAX {
            let told: String =
                [half_width(c)].iter().filter(|c| c.is_alphanumeric()).flat_map(|c| c.to_lowercase()).collect();
            assert_eq!(fold(c.encode_utf8(&mut [0; 4])), told, "{c:?}");
        }
    }

    #[test]
    fn a_key_is_read_as_its_words() {
        for (key, read) in [
            ("unit_price", "unit price"),
            ("unitPrice", "unit price"),
            ("HTTPServer", "http server"),
            ("line2Text", "line2 text"),
            ("_id", "id"),
            ("가격", "가격"),
        ] {
            assert_eq!(words(key), read);
        }
    }

    #[test]
    fn a_path_of_changes_has_a_longest_length() {
        let mut path = String::new();
        for _ in 0..100 {
            push(&mut path, &"k".repeat(100));
        }
        assert!(path.starts_with("/kkk") && path.ends_with('…') && path.len() < LONGEST_PATH + 8, "{}", path.len());
    }

    #[test]
    fn a_place_in_a_list_is_its_number() {
        for index in [0, 7, 10, 1_234_567, usize::MAX] {
            let mut path = String::from("/a");
            push_index(&mut path, index);
            assert_eq!(path, format!("/a/{index}"));
        }
    }

    #[test]
    fn pointers_escape_what_separates() {
        assert_eq!(join("/a", "b/c~d"), "/a/b~1c~0d");
        assert_eq!(last("/a/b~1c~0d").as_deref(), Some("b/c~d"));
    }
}
