//! A text that begins with a quote: where it ends when quotes are missing, mixed or stand within, and what its escapes mean.
//! Next: `bare` for texts without quotes.

use super::cursor::{Cursor, Quote, is_bare_delimiter, is_delimiter};
use crate::extract::parse::strict;

/// What a text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Key,
    /// The value of a key.
    Field,
    /// An item of an array, an argument.
    Item,
    /// A value outside any container.
    Root,
}

/// A text as read, and what had to be done.
#[derive(Debug, Default)]
pub struct Read {
    pub made: String,
    /// Kinds of change, each with whether it may lose something.
    pub done: Vec<(&'static str, bool)>,
}

impl Read {
    pub fn note(&mut self, kind: &'static str, lossy: bool) {
        if !self.done.iter().any(|(other, _)| *other == kind) {
            self.done.push((kind, lossy));
        }
    }
}

/// Where a text ends.
struct End {
    /// The end of what is within.
    content: usize,
    /// Where reading goes on.
    next: usize,
    /// Whether there was a quote to end it.
    closed: bool,
    /// Whether quotes within were taken for text.
    inner: bool,
}

/// Open brackets within a text, by kind: a quote right before a closing one may stand inside.
#[derive(Default)]
struct Brackets([i32; 3]);

impl Brackets {
    fn see(&mut self, b: u8) {
        match b {
            b'(' => self.0[0] += 1,
            b')' => self.0[0] -= 1,
            b'[' => self.0[1] += 1,
            b']' => self.0[1] -= 1,
            b'{' => self.0[2] += 1,
            b'}' => self.0[2] -= 1,
            _ => {}
        }
    }

    fn inside(&self, c: char) -> bool {
        match c {
            ')' => self.0[0] > 0,
            ']' => self.0[1] > 0,
            '}' => self.0[2] > 0,
            _ => false,
        }
    }
}

/// Reads the text whose opening quote stands at the cursor.
pub fn quoted(cursor: &mut Cursor, role: Role) -> Read {
    let mut read = Read::default();
    let start = cursor.at;
    let Some(open) = cursor.char(start) else { return read };
    let Some(quote) = Quote::of(open) else { return read };
    if quote != Quote::Double {
        read.note("quotes_replaced", false);
    }
    if let Some(end) = tripled(cursor, quote, role, &mut read) {
        let from = start + 3;
        unescape(&cursor.text[from..end], &mut read);
        cursor.at = (end + 3).min(cursor.bytes.len());
        return read;
    }
    if let Some((from, end)) = doubled(cursor, quote) {
        read.note("quotes_removed", false);
        unescape(&cursor.text[from..end], &mut read);
        cursor.at = end + 2;
        return read;
    }
    let from = start + open.len_utf8();
    let end = find_end(cursor, from, quote, role);
    if !end.closed {
        let cut = end.next >= cursor.bytes.len();
        read.note(if cut { "truncated" } else { "quote_added" }, true);
    }
    if end.inner {
        let lossy = end.closed && words_follow(cursor, end.next, quote);
        read.note("inner_quotes_escaped", lossy);
    }
    unescape(&cursor.text[from..end.content], &mut read);
    cursor.at = end.next;
    read
}

/// `"""…"""`: where the content ends.
fn tripled(cursor: &mut Cursor, quote: Quote, role: Role, read: &mut Read) -> Option<usize> {
    let mark = match quote {
        Quote::Double => "\"\"\"",
        Quote::Single => "'''",
        Quote::DoubleLike | Quote::SingleLike if cursor.starts(cursor.at, "```") => "```",
        _ => return None,
    };
    if !cursor.starts(cursor.at, mark) || role == Role::Key {
        return None;
    }
    let from = cursor.at + 3;
    let horizon = cursor.horizon(from);
    let found = find_mark(&cursor.bytes[from..horizon], mark.as_bytes());
    cursor.spent(found.unwrap_or(horizon - from));
    let end = from + found?;
    read.note("quotes_replaced", false);
    Some(end)
}

/// The first such mark that no backslash stands before.
fn find_mark(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at + mark.len() <= bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            _ if bytes[at..].starts_with(mark) => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// `""text""`: what is within, where both ends are doubled and no single quote stands between.
fn doubled(cursor: &mut Cursor, quote: Quote) -> Option<(usize, usize)> {
    let mark = match quote {
        Quote::Double => b'"',
        Quote::Single => b'\'',
        _ => return None,
    };
    let from = cursor.at + 2;
    if cursor.byte(cursor.at + 1) != Some(mark) || !cursor.char(from).is_some_and(char::is_alphanumeric) {
        return None;
    }
    let horizon = cursor.horizon(from);
    let length = cursor.bytes[from..horizon].iter().position(|b| *b == mark || matches!(b, b'\\' | b'\n'));
    cursor.spent(length.unwrap_or(horizon - from));
    let end = from + length?;
    (cursor.byte(end) == Some(mark) && cursor.byte(end + 1) == Some(mark) && cursor.byte(end + 2) != Some(mark))
        .then_some((from, end))
}

/// Looks for the end: the first quote that something follows which can follow a text. Where a quote turns out to begin the next text,
/// or the whole document ends first, the end quote is missing, and [`unclosed`] finds the place for it.
fn find_end(cursor: &mut Cursor, from: usize, quote: Quote, role: Role) -> End {
    let horizon = cursor.horizon(from);
    let mut at = from;
    let mut brackets = Brackets::default();
    let mut inner = false;
    // The last quote within that began a line: should a colon come, it was the next key's.
    let mut line_began: Option<usize> = None;
    while at < horizon {
        let b = cursor.bytes[at];
        let c = match b {
            b'\\' => {
                at += 1;
                at += cursor.char(at).map_or(0, char::len_utf8);
                continue;
            }
            b'"' | b'\'' | b'`' => char::from(b),
            0..0x80 => {
                brackets.see(b);
                at += 1;
                continue;
            }
            _ => cursor.char(at).unwrap_or(' '),
        };
        if !quote.closes(c) {
            at += c.len_utf8();
            continue;
        }
        let after = at + c.len_utf8();
        let gap = cursor.gap_end(after, false);
        let next = cursor.char(gap);
        let ends = match next {
            None => true,
            Some(':' | '：') if role == Role::Field => {
                if let Some(line) = line_began {
                    cursor.spent(at - from);
                    return End { content: line, next: line, closed: false, inner };
                }
                // A text within the value that a colon follows.
                inner && !cursor.key_follows(at)
            }
            Some('=') => role == Role::Key,
            Some(';') => role == Role::Root,
            Some(n) if n.is_ascii_digit() => true,
            Some(n) if is_delimiter(n) => !(brackets.inside(n) && goes_on(cursor, gap + 1, quote)),
            Some(n) if Quote::of(n).is_some() => !closing(cursor, gap + n.len_utf8()),
            _ => false,
        };
        if ends {
            return End { content: at, next: after, closed: true, inner };
        }
        let before = cursor.before_blank(at, from);
        match cursor.char_before(before).filter(|_| before > from) {
            Some(',') if role != Role::Field || next_key(cursor, at) => {
                cursor.spent(at - from);
                return End { content: before - 1, next: before - 1, closed: false, inner };
            }
            Some(p) if p != ',' && is_delimiter(p) && (role != Role::Field || next_key(cursor, at)) => {
                cursor.spent(at - from);
                return unclosed(cursor, from, quote, role);
            }
            _ => {}
        }
        if role == Role::Field && cursor.bytes[before..at].contains(&b'\n') {
            line_began = Some(before);
        }
        inner = true;
        at = after;
    }
    let last = cursor.before_blank(horizon, from);
    if cursor.char_before(last).filter(|_| last > from).is_some_and(is_delimiter) || horizon < cursor.bytes.len() {
        cursor.spent(horizon - from);
        return unclosed(cursor, from, quote, role);
    }
    End { content: last, next: horizon, closed: false, inner }
}

/// Whether a quote here begins a key.
fn next_key(cursor: &mut Cursor, at: usize) -> bool {
    cursor.key_follows(at)
}

/// Whether a text goes on behind a quote within its brackets, `f("x") now"`: to a quote that ends it and begins nothing.
fn goes_on(cursor: &mut Cursor, from: usize, quote: Quote) -> bool {
    let horizon = cursor.horizon(from);
    let mut at = from;
    while at < horizon {
        let Some(c) = cursor.char(at).filter(|c| *c != '\n') else { break };
        if quote.closes(c) {
            cursor.spent(at - from);
            let before = cursor.before_blank(at, from);
            let begins = cursor.char_before(before).is_none_or(|c| before == from || is_delimiter(c));
            return !begins && closing(cursor, at + c.len_utf8());
        }
        at += c.len_utf8() + if c == '\\' { cursor.char(at + 1).map_or(0, char::len_utf8) } else { 0 };
    }
    cursor.spent(at - from);
    false
}

/// Whether a comma and words follow that no quote begins and one ends: the text that was ended may go on with them.
fn words_follow(cursor: &mut Cursor, from: usize, quote: Quote) -> bool {
    let comma = cursor.gap_end(from, false);
    if cursor.byte(comma) != Some(b',') {
        return false;
    }
    let word = cursor.gap_end(comma + 1, false);
    cursor.char(word).is_some_and(char::is_alphabetic) && goes_on(cursor, word, quote)
}

/// Whether nothing but an end or a delimiter follows.
fn closing(cursor: &mut Cursor, from: usize) -> bool {
    let horizon = cursor.horizon(from);
    let at = cursor.blank_end(from, true, horizon);
    cursor.spent(at - from);
    cursor.char(at).is_none_or(is_delimiter)
}

/// The end quote is missing: the text goes to its own quote, or to the first delimiter that can end it.
fn unclosed(cursor: &mut Cursor, from: usize, quote: Quote, role: Role) -> End {
    let mut at = from;
    let length = cursor.bytes.len();
    while at < length {
        let Some(c) = cursor.char(at) else { break };
        if quote.closes(c) {
            return End { content: at, next: at + c.len_utf8(), closed: true, inner: false };
        }
        let ends = match c {
            '\\' => {
                at += 1 + cursor.char(at + 1).map_or(0, char::len_utf8);
                continue;
            }
            ':' if cursor.starts(at, "://") => {
                at += 3;
                while cursor.char(at).is_some_and(is_url) {
                    at += 1;
                }
                continue;
            }
            ':' => role == Role::Key,
            _ if !is_bare_delimiter(c) => false,
            _ if role != Role::Field => true,
            // A sentence has commas, slashes and brackets of its own.
            ',' => cursor.key_follows(at + 1) || bracket_follows(cursor, at + 1),
            '\n' => cursor.key_follows(at + 1) || bracket_follows(cursor, at + 1),
            '}' | ']' => end_follows(cursor, at + 1),
            _ => false,
        };
        if ends {
            break;
        }
        at += c.len_utf8();
    }
    let content = cursor.before_blank(at, from);
    End { content, next: at, closed: false, inner: false }
}

fn bracket_follows(cursor: &mut Cursor, from: usize) -> bool {
    let at = cursor.gap_end(from, true);
    matches!(cursor.char(at), None | Some('}' | ']' | '{' | '['))
}

/// Behind a closing bracket: another, the end, or a comma and what can follow it.
fn end_follows(cursor: &mut Cursor, from: usize) -> bool {
    let at = cursor.gap_end(from, true);
    match cursor.char(at) {
        None | Some('}' | ']' | ')' | '`') => true,
        Some(',') => cursor.key_follows(at + 1) || bracket_follows(cursor, at + 1),
        _ => false,
    }
}

/// What an address is made of, without brackets and commas, which end it here.
pub fn is_url(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#@!$&'()*+;=%".contains(c)
}

/// A text within `\"…\"`: quotes that were escaped once too often, or a document that was written into a string.
pub fn escaped_quoted(cursor: &mut Cursor) -> Read {
    let mut read = Read::default();
    read.note("escapes_removed", false);
    let start = cursor.at;
    let opening = cursor.bytes[start..].iter().take_while(|b| **b == b'\\').count();
    let mark = cursor.byte(start + opening);
    let from = start + opening + 1;
    let mut at = from;
    let mut end = None;
    while at < cursor.bytes.len() {
        match cursor.bytes[at] {
            b'\\' => {
                let run = cursor.bytes[at..].iter().take_while(|b| **b == b'\\').count();
                if run <= opening && cursor.byte(at + run) == mark {
                    end = Some((at, at + run + 1));
                    break;
                }
                at += run + usize::from(cursor.byte(at + run) == mark);
            }
            b if Some(b) == mark => {
                end = Some((at, at + 1));
                break;
            }
            _ => at += 1,
        }
    }
    let (content, next) = end.unwrap_or_else(|| {
        read.note("truncated", true);
        (cursor.bytes.len(), cursor.bytes.len())
    });
    let mut once = Read::default();
    unescape(&cursor.text[from..content], &mut once);
    unescape(&once.made, &mut read);
    cursor.at = next;
    read
}

/// Escapes to what they mean, raw control characters as they are. An escape that has no meaning is kept as written, backslash and all: it
/// is a path, a pattern or a formula more often than a slip. It proves that nothing there was escaped: `\frac` beside it is no form feed.
pub fn unescape(text: &str, read: &mut Read) {
    let bytes = text.as_bytes();
    let cut = read.done.iter().any(|(kind, _)| *kind == "truncated");
    let mut from = 0;
    let mut at = 0;
    let (mut kept, mut before_letter) = (false, false);
    while at < bytes.len() {
        let b = bytes[at];
        if b < 0x20 {
            read.note("control_escaped", false);
        }
        if b != b'\\' {
            at += 1;
            continue;
        }
        read.made.push_str(&text[from..at]);
        from = at;
        if let Some((c, length)) = strict::escape(bytes, at) {
            read.made.push(c);
            at += length;
            from = at;
            before_letter |= c.is_control() && length == 2 && text[at..].starts_with(char::is_alphabetic);
            continue;
        }
        match bytes.get(at + 1) {
            Some(b'\'' | b'`' | b'\n') => {
                read.note("escapes_removed", false);
                from = at + 1;
                at += 2;
            }
            Some(b'x') if hex(bytes, at + 2, 2).is_some() => {
                let code = hex(bytes, at + 2, 2).unwrap_or_default();
                read.note("escape_decoded", false);
                read.made.extend(char::from_u32(code));
                at += 4;
                from = at;
            }
            // Half a pair of surrogates.
            Some(b'u') if hex(bytes, at + 2, 4).is_some() => {
                read.note("invalid_escape", true);
                read.made.push('\u{fffd}');
                at += 6;
                from = at;
            }
            // An escape that the end of the text cut off.
            Some(b'u') if cut && bytes.len() - at < 6 && bytes[at + 2..].iter().all(u8::is_ascii_hexdigit) => {
                at = bytes.len();
                from = at;
            }
            None if cut => {
                at = bytes.len();
                from = at;
            }
            _ => {
                kept = true;
                at += 1;
                // The next byte is a character's first: it is looked at in its turn, unless it is a backslash at the end.
                at += usize::from(bytes.get(at) == Some(&b'\\'));
            }
        }
    }
    if kept {
        read.note("backslash_kept", before_letter);
    }
    read.made.push_str(&text[from..]);
}

fn hex(bytes: &[u8], at: usize, digits: usize) -> Option<u32> {
    let digits = bytes.get(at..at + digits)?;
    digits.iter().try_fold(0, |sum, d| Some(sum * 16 + char::from(*d).to_digit(16)?))
}
