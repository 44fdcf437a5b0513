//! Values without quotes: numbers in more forms than JSON's, words of Python and JavaScript, patterns, and plain text.
//! Next: `quoted`, `machine`.

use super::cursor::{Cursor, Numbers, Quote, is_name};
use super::quoted::{Read, Role, is_url};

/// What stands at the cursor.
pub enum Bare {
    /// A number in JSON's grammar.
    Number(String),
    Word(serde_json::Value),
    Text(Read),
}

/// Reads a value that no quote and no bracket begins. Nothing where a delimiter stands.
pub fn bare(cursor: &mut Cursor, role: Role, in_call: bool) -> Option<Bare> {
    if role == Role::Item
        && !in_call
        && let Some(end) = item_in_groups(cursor)
    {
        let mut read = Read { made: cursor.text[cursor.at..end].to_owned(), ..Read::default() };
        read.note("quotes_added", false);
        cursor.at = end;
        return Some(Bare::Text(read));
    }
    if let Some(number) = number(cursor, role) {
        return Some(Bare::Number(number));
    }
    if let Some(value) = word(cursor, role) {
        return Some(Bare::Word(value));
    }
    if let Some(read) = pattern(cursor) {
        return Some(Bare::Text(read));
    }
    text(cursor, role, in_call).map(Bare::Text)
}

/// JSON's numbers, and `.5`, `2.`, `1e`, `+1`. A leading zero (`0123`), a digit separator (`1_000`) and a base (`0x1F`) make a text: a
/// telephone or an item number loses by becoming a number, and a number can still be made of it where the schema asks for one.
fn number(cursor: &mut Cursor, role: Role) -> Option<String> {
    let start = cursor.at;
    let mut at = start + usize::from(matches!(cursor.byte(start), Some(b'-' | b'+')));
    let digits = |cursor: &Cursor, from: usize| {
        from + cursor.bytes[from.min(cursor.bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let whole = at;
    at = digits(cursor, at);
    let whole_end = at;
    if at > whole + 1 && cursor.byte(whole) == Some(b'0') {
        return None;
    }
    let mut fraction = at..at;
    if cursor.byte(at) == Some(b'.') {
        let end = digits(cursor, at + 1);
        fraction = at + 1..end;
        at = end;
    }
    if whole_end == whole && fraction.is_empty() {
        return None;
    }
    let mut exponent = at..at;
    if matches!(cursor.byte(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(cursor.byte(at + 1), Some(b'-' | b'+')));
        let end = digits(cursor, at + 1 + sign);
        if end > at + 1 + sign {
            exponent = at..end;
        }
        at = end;
    }
    if !ends(cursor, at, role) {
        return None;
    }
    let mut made = String::new();
    if cursor.byte(start) == Some(b'-') {
        made.push('-');
    }
    made.push_str(if whole_end > whole { &cursor.text[whole..whole_end] } else { "0" });
    if !fraction.is_empty() || cursor.byte(whole_end) == Some(b'.') {
        made.push('.');
        made.push_str(if fraction.is_empty() { "0" } else { &cursor.text[fraction] });
    }
    made.push_str(&cursor.text[exponent]);
    cursor.at = at;
    Some(made)
}

/// Whether a number or a word can end here, or is the beginning of a text: `2 apples`, `12:20`, `true story`.
fn ends(cursor: &mut Cursor, at: usize, role: Role) -> bool {
    match cursor.char(at) {
        None | Some(',' | ']' | '}' | ')' | '\n' | '[' | '{' | '，' | '｝' | '］' | '"') => {
            // Digits in groups of three: `1,200` as a field's value is one number, not a number and a key.
            !(role == Role::Field && cursor.byte(at) == Some(b',') && grouped(cursor, at))
        }
        Some(':') => {
            role == Role::Root || role == Role::Item && !cursor.byte(at + 1).is_some_and(|b| b.is_ascii_digit())
        }
        Some(';') => true,
        Some('/') => matches!(cursor.byte(at + 1), Some(b'/' | b'*')),
        Some(c) if c.is_whitespace() || cursor.space_length(at) > 0 => {
            let gap = cursor.gap_end(at, false);
            match cursor.char(gap) {
                None | Some(',' | ']' | '}' | ')' | '\n' | '[' | '{' | '，' | ':') => true,
                Some(c) if Quote::of(c).is_some() => true,
                // In an array the reference tools take two items: `[1 2, 3 apples]`.
                Some(_) if role == Role::Item => true,
                Some(c) if c.is_ascii_digit() || c == '-' => role != Role::Field || cursor.key_follows(gap),
                Some('.') => cursor.starts(gap, "..."),
                Some(_) => cursor.key_follows(gap),
            }
        }
        _ => false,
    }
}

/// Whether `,ddd` follows that is no key.
fn grouped(cursor: &Cursor, comma: usize) -> bool {
    let three = cursor.bytes.get(comma + 1..comma + 4).is_some_and(|d| d.iter().all(u8::is_ascii_digit));
    three && !cursor.byte(comma + 4).is_some_and(|b| b.is_ascii_digit()) && !cursor.colon_follows(comma + 4)
}

/// The end of an array's item in groups of three: of `[1,000, 2,000]` the text `1,000`. Since JSON has no number `000`, one such group shows
/// that the array is written in them. Without white space behind any comma, what could be a group or an item of its own leaves it open.
fn item_in_groups(cursor: &mut Cursor) -> Option<usize> {
    let digits = |at: usize| {
        cursor.bytes[at.min(cursor.bytes.len())..].iter().take(4).take_while(|b| b.is_ascii_digit()).count()
    };
    let start = cursor.at + usize::from(cursor.byte(cursor.at) == Some(b'-'));
    let first = digits(start);
    let group = |at: usize| cursor.byte(at) == Some(b',') && digits(at + 1) == 3;
    if !(1..=3).contains(&first) || cursor.byte(start) == Some(b'0') || !group(start + first) {
        return None;
    }
    let known = cursor.numbers.as_ref().filter(|numbers| numbers.run.contains(&start)).cloned();
    let numbers = known.unwrap_or_else(|| numbers(cursor.bytes, start));
    let mut end = start + first;
    let mut open = false;
    while group(end) {
        open |= end > start + first && cursor.byte(end + 1) != Some(b'0');
        end += 4;
    }
    if cursor.byte(end) == Some(b'.') {
        end += 1 + digits(end + 1);
    }
    let ends = cursor.byte(end).is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b',' | b']'));
    let takes = numbers.nought && ends && (numbers.spaced || !open);
    cursor.numbers = Some(numbers);
    takes.then_some(end)
}

/// The list of numbers around a place.
fn numbers(bytes: &[u8], place: usize) -> Numbers {
    let numeric = |b: &&u8| b.is_ascii_digit() || b.is_ascii_whitespace() || matches!(b, b',' | b'.' | b'-');
    let ahead = bytes[place..].iter().take_while(numeric).count();
    let behind = bytes[..place].iter().rev().take_while(numeric).count();
    let run = place - behind..place + ahead;
    let after = |at: usize| &bytes[at + 1..];
    let commas = || run.clone().filter(|at| bytes[*at] == b',');
    let nought = commas().any(|at| {
        let digits = after(at).iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        digits == 3 && bytes[at + 1] == b'0'
    });
    let spaced = commas().any(|at| after(at).first().is_some_and(u8::is_ascii_whitespace));
    Numbers { run, nought, spaced }
}

/// JSON's words, Python's, and JavaScript's `undefined`.
fn word(cursor: &mut Cursor, role: Role) -> Option<serde_json::Value> {
    use serde_json::Value;
    let known = [
        ("true", Value::Bool(true)),
        ("false", Value::Bool(false)),
        ("null", Value::Null),
        ("True", Value::Bool(true)),
        ("False", Value::Bool(false)),
        ("None", Value::Null),
        ("undefined", Value::Null),
    ];
    let (word, value) = known.into_iter().find(|(word, _)| cursor.starts(cursor.at, word))?;
    let end = cursor.at + word.len();
    if !ends(cursor, end, role) {
        return None;
    }
    cursor.at = end;
    Some(value)
}

/// A pattern as JavaScript writes it, kept as text with its slashes.
fn pattern(cursor: &mut Cursor) -> Option<Read> {
    let start = cursor.at;
    if cursor.byte(start) != Some(b'/') || cursor.byte(start + 1) == Some(b'/') {
        return None;
    }
    let horizon = cursor.horizon(start);
    let mut at = start + 1;
    while at < horizon && !matches!(cursor.bytes[at], b'/' | b'\n') {
        at += 1 + usize::from(cursor.bytes[at] == b'\\');
    }
    cursor.spent(at.min(horizon) - start);
    if at >= horizon || cursor.bytes[at] != b'/' {
        return None;
    }
    at += 1;
    while cursor.byte(at).is_some_and(|b| b.is_ascii_lowercase()) {
        at += 1;
    }
    let mut read = Read { made: cursor.text[start..at].to_owned(), ..Read::default() };
    read.note("quotes_added", false);
    cursor.at = at;
    Some(read)
}

/// A text without quotes, to the delimiter that can end it.
pub fn text(cursor: &mut Cursor, role: Role, in_call: bool) -> Option<Read> {
    let start = cursor.at;
    let mut at = start;
    // Brackets that the text opened itself.
    let mut braces = 0_usize;
    let mut quote_skipped = false;
    // Between quotes of its own.
    let mut within = false;
    while let Some(c) = cursor.char(at) {
        let field = role == Role::Field;
        let stops = match c {
            ',' | '，' if field => cursor.key_follows(at + c.len_utf8()) || end_follows(cursor, at + c.len_utf8()),
            ',' | '，' => true,
            '\n' if field => cursor.key_follows(at) || end_follows(cursor, at),
            '\n' => true,
            ':' => {
                let address = cursor.starts(at, "://") && at > start;
                if address {
                    at += 3;
                    while cursor.char(at).is_some_and(is_url) {
                        at += 1;
                    }
                    continue;
                }
                role == Role::Key
            }
            '：' | '=' => role == Role::Key,
            '/' => at > start && matches!(cursor.byte(at + 1), Some(b'/' | b'*')),
            '#' => at > start && cursor.byte(at - 1) == Some(b' ') && cursor.byte(at + 1) == Some(b' '),
            '{' if field && at > start => {
                braces += 1;
                false
            }
            '}' if field && braces > 0 => {
                braces -= 1;
                false
            }
            '[' if field && at > start => false,
            '[' | ']' | '{' | '}' | '｝' | '］' => true,
            ')' => in_call,
            ';' => role == Role::Root,
            '`' if cursor.starts(at, "```") => true,
            '\'' | '’' if at > start && cursor.char_before(at).is_some_and(is_name) => {
                !cursor.char(at + c.len_utf8()).is_some_and(char::is_alphanumeric)
            }
            '\\' if role == Role::Key => matches!(cursor.byte(at + 1), Some(b'"')),
            _ if Quote::of(c).is_none() => false,
            _ if !field => true,
            '"' if within => {
                within = false;
                false
            }
            _ if quote_ends(cursor, at + c.len_utf8()) => {
                quote_skipped = c == '"' || at > start;
                true
            }
            _ if cursor.key_follows(at) => true,
            _ => {
                within = c == '"';
                false
            }
        };
        if stops {
            break;
        }
        at += c.len_utf8();
    }
    if at == start {
        return None;
    }
    let made = cursor.text[start..at].trim_end_matches(|c: char| c.is_whitespace());
    let mut read = Read { made: made.to_owned(), ..Read::default() };
    read.note("quotes_added", false);
    cursor.at = at;
    // The opening quote was missing, not both.
    if (role != Role::Field || quote_skipped) && cursor.char(at).is_some_and(|c| c == '"' || quote_skipped) {
        cursor.at += cursor.char(at).map_or(0, char::len_utf8);
    }
    Some(read)
}

/// Whether a quote that stands before this place ends a value.
fn quote_ends(cursor: &mut Cursor, from: usize) -> bool {
    let at = cursor.gap_end(from, false);
    matches!(cursor.char(at), None | Some(',' | '}' | ']' | '\n'))
}

/// Whether nothing but an end follows.
fn end_follows(cursor: &mut Cursor, from: usize) -> bool {
    let at = cursor.gap_end(from, true);
    matches!(cursor.char(at), None | Some('}' | ']' | ',')) || cursor.starts(at, "```")
}
