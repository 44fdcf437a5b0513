//! A place in a broken text, and what can be seen from there: white space, comments, quotes, whether a key follows.
//! Nothing is built here. Next: `quoted`, `bare`, `machine`.

use std::ops::Range;

/// Bytes that looks ahead may cost in all, for each byte of the text. Each single look could go to the text's end; together they may not,
/// or a hostile text would take the square of its length.
const LOOKS_PER_BYTE: usize = 8;

/// How far a look goes once they have used up their allowance.
const SHORT_LOOK: usize = 64;

/// A key longer than this is no key to a look ahead.
const LONGEST_KEY: usize = 128;

/// What looks ahead in a text of this length may cost.
pub fn allowance(length: usize) -> usize {
    length.saturating_mul(LOOKS_PER_BYTE).saturating_add(4096)
}

pub struct Cursor<'a> {
    pub text: &'a str,
    pub bytes: &'a [u8],
    pub at: usize,
    allowance: usize,
    /// The list of numbers that was looked at last, so that each is looked at once.
    pub numbers: Option<Numbers>,
}

/// A run of digits, commas and white space, and how its commas are used.
#[derive(Clone)]
pub struct Numbers {
    pub run: Range<usize>,
    /// A comma stands before three digits of which the first is a nought.
    pub nought: bool,
    /// White space stands behind a comma.
    pub spaced: bool,
}

impl<'a> Cursor<'a> {
    /// `allowance` is what looks ahead may cost: of one text all values' together, see [`allowance`].
    pub fn new(text: &'a str, at: usize, allowance: usize) -> Self {
        Cursor { text, bytes: text.as_bytes(), at, allowance, numbers: None }
    }

    /// What is left for the next value.
    pub fn allowance(&self) -> usize {
        self.allowance
    }

    pub fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The character at a boundary.
    pub fn char(&self, at: usize) -> Option<char> {
        match self.byte(at)? {
            ascii @ 0..0x80 => Some(char::from(ascii)),
            _ => self.text.get(at..)?.chars().next(),
        }
    }

    /// The character before a boundary.
    pub fn char_before(&self, at: usize) -> Option<char> {
        self.text.get(..at)?.chars().next_back()
    }

    pub fn starts(&self, at: usize, what: &str) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(what.as_bytes()))
    }

    /// The end of a look ahead that begins here.
    pub fn horizon(&self, from: usize) -> usize {
        let far = if self.allowance == 0 { SHORT_LOOK } else { self.bytes.len() };
        from.saturating_add(far).min(self.bytes.len())
    }

    /// Takes a look's cost from the allowance.
    pub fn spent(&mut self, bytes: usize) {
        self.allowance = self.allowance.saturating_sub(bytes);
    }

    /// The end of the white space that begins here, without comments.
    pub fn blank_end(&self, mut at: usize, newlines: bool, horizon: usize) -> usize {
        while at < horizon {
            match self.space_length(at) {
                0 => break,
                _ if !newlines && self.bytes[at] == b'\n' => break,
                length => at += length,
            }
        }
        at
    }

    /// The bytes of the white space at this place: JSON's own, Unicode's, and control characters, which have no meaning outside strings.
    pub fn space_length(&self, at: usize) -> usize {
        match self.byte(at) {
            Some(0..=0x20 | 0x7f) => 1,
            Some(0xc2 | 0xe1 | 0xe2 | 0xe3 | 0xef) => {
                self.char(at).filter(|c| is_odd_space(*c)).map_or(0, char::len_utf8)
            }
            _ => 0,
        }
    }

    /// The end of the comment that begins here, if one does.
    pub fn comment_end(&self, at: usize, horizon: usize) -> Option<usize> {
        let rest = self.bytes.get(at..horizon)?;
        let line = |rest: &[u8]| at + rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
        match rest {
            [b'/', b'/', ..] | [b'#', ..] => Some(line(rest)),
            [b'/', b'*', inside @ ..] => {
                let end = inside.windows(2).position(|two| two == b"*/");
                Some(end.map_or(horizon, |end| at + end + 4))
            }
            [b'<', b'!', b'-', b'-', inside @ ..] => {
                let end = inside.windows(3).position(|three| three == b"-->");
                Some(end.map_or(horizon, |end| at + end + 7))
            }
            _ => None,
        }
    }

    /// The end of white space and comments, as seen from afar.
    pub fn gap_end(&mut self, from: usize, newlines: bool) -> usize {
        let horizon = self.horizon(from);
        let mut at = from;
        loop {
            at = self.blank_end(at, newlines, horizon);
            // A hash right behind something belongs to it.
            let hash = self.byte(at) == Some(b'#') && at == from;
            match self.comment_end(at, horizon) {
                Some(end) if !hash => at = end,
                _ => break,
            }
        }
        self.spent(at - from);
        at
    }

    /// Back over white space: the end of what stands before.
    pub fn before_blank(&mut self, from: usize, least: usize) -> usize {
        let trimmed = self.text[least..from].trim_end_matches([' ', '\t', '\n', '\r']).len() + least;
        self.spent(from - trimmed);
        trimmed
    }

    /// Whether what stands here, behind white space, is a key and its colon: `"a":`, `a:`.
    pub fn key_follows(&mut self, from: usize) -> bool {
        let at = self.gap_end(from, true);
        let horizon = (at + LONGEST_KEY).min(self.bytes.len());
        let Some(first) = self.char(at) else { return false };
        let mut end = at + first.len_utf8();
        if let Some(kind) = Quote::of(first) {
            if let Some(mark) = kind.byte() {
                return self.colon_behind(mark, end, horizon);
            }
            while end < horizon {
                match self.char(end) {
                    Some('\\') => end += 1 + self.char(end + 1).map_or(0, char::len_utf8),
                    Some('\n') | None => return false,
                    Some(c) => {
                        end += c.len_utf8();
                        if kind.closes(c) && self.colon_follows(end) {
                            return true;
                        }
                    }
                }
            }
            return false;
        }
        if !is_name(first) {
            return false;
        }
        while end < horizon {
            match self.char(end) {
                Some(c) if is_name(c) || c == '-' => end += c.len_utf8(),
                _ => break,
            }
        }
        self.colon_follows(end) && !self.starts(end, "://")
    }

    /// Whether the text goes on, before the horizon and the line's end, to a mark with a colon behind it. The marks are looked for byte by
    /// byte: most of what a look ahead costs is here.
    fn colon_behind(&self, mark: u8, from: usize, horizon: usize) -> bool {
        let mut at = from;
        while at < horizon {
            match self.bytes[at] {
                // What is escaped is passed over; the rest of a longer character is no mark.
                b'\\' => at += 2,
                b'\n' => return false,
                b if b == mark => {
                    at += 1;
                    if self.colon_follows(at) {
                        return true;
                    }
                }
                _ => at += 1,
            }
        }
        false
    }

    /// Whether a colon stands here, behind at most a few blanks.
    pub fn colon_follows(&self, from: usize) -> bool {
        let at = self.blank_end(from, false, (from + 16).min(self.bytes.len()));
        matches!(self.char(at), Some(':' | '：'))
    }
}

/// White space that JSON does not know.
fn is_odd_space(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{a0}' | '\u{1680}' | '\u{180e}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
        | '\u{205f}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{3000}' | '\u{feff}')
}

pub fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// What can follow a value or a key.
pub fn is_delimiter(c: char) -> bool {
    matches!(c, ',' | ':' | '[' | ']' | '/' | '{' | '}' | '(' | ')' | '\n' | '+' | '，' | '：')
}

/// What ends a text without quotes.
pub fn is_bare_delimiter(c: char) -> bool {
    matches!(c, ',' | '[' | ']' | '/' | '{' | '}' | '\n' | '+')
}

/// Which marks end a text that a mark began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    Double,
    Single,
    /// “ ” „ ＂, and `"` itself.
    DoubleLike,
    /// ‘ ’ ` ´ ＇, and `'` itself.
    SingleLike,
}

impl Quote {
    pub fn of(c: char) -> Option<Quote> {
        match c {
            '"' => Some(Quote::Double),
            '\'' => Some(Quote::Single),
            '“' | '”' | '„' | '＂' => Some(Quote::DoubleLike),
            '‘' | '’' | '`' | '´' | '＇' => Some(Quote::SingleLike),
            _ => None,
        }
    }

    /// The one byte that ends it, where it is one.
    fn byte(self) -> Option<u8> {
        match self {
            Quote::Double => Some(b'"'),
            Quote::Single => Some(b'\''),
            Quote::DoubleLike | Quote::SingleLike => None,
        }
    }

    pub fn closes(self, c: char) -> bool {
        match self {
            Quote::Double => c == '"',
            Quote::Single => c == '\'',
            Quote::DoubleLike => matches!(Quote::of(c), Some(Quote::Double | Quote::DoubleLike)),
            Quote::SingleLike => matches!(Quote::of(c), Some(Quote::Single | Quote::SingleLike)),
        }
    }
}
