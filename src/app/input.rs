//! Bytes from the terminal to keys, as a value that is fed and asked: no reading, no waiting, so that whoever reads can watch for the end
//! of the terminal with the same `poll`. Unknown and late sequences (answers, focus) are swallowed whole and never act as keys.
//! Source: ECMA-48 §5.4 for control sequences; xterm's ctlseqs for keys, bracketed paste, modifiers and the mouse (SGR, 1006).

use crate::ui::{Key, Mouse, MouseKind};

/// What a terminal sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Key(Key),
    /// Text that was pasted, not typed: it never acts as keys.
    Paste(String),
    /// What the mouse did; terminals say it where they were asked to.
    Mouse(Mouse),
}

const ESC: u8 = 0x1b;
const PASTE_END: &[u8] = b"\x1b[201~";
/// A sequence longer than this is none.
const MAX_SEQUENCE: usize = 256;
const MAX_PASTE: usize = 1 << 20;

/// Keeps what is not whole yet between two reads.
#[derive(Debug, Default)]
pub struct Parser {
    pending: Vec<u8>,
    paste: Option<Vec<u8>>,
}

/// The outcome of looking at the beginning of the pending bytes.
enum Parsed {
    /// This many bytes are understood, and may mean something.
    Taken(usize, Option<Input>),
    PasteBegins(usize),
    Incomplete,
}

impl Parser {
    /// Takes bytes in; everything that is whole comes back.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.pending.extend_from_slice(bytes);
        let mut inputs = Vec::new();
        while !self.pending.is_empty() {
            if let Some(paste) = &mut self.paste {
                let end = self.pending.windows(PASTE_END.len()).position(|w| w == PASTE_END);
                // Without the end, its first bytes may be the last ones here.
                let take = end.unwrap_or_else(|| self.pending.len().saturating_sub(PASTE_END.len() - 1));
                let room = MAX_PASTE.saturating_sub(paste.len());
                paste.extend_from_slice(&self.pending[..take.min(room)]);
                self.pending.drain(..take);
                if end.is_none() {
                    break;
                }
                self.pending.drain(..PASTE_END.len());
                inputs.extend(self.end_paste());
                continue;
            }
            match parse(&self.pending) {
                Parsed::Taken(length, input) => {
                    self.pending.drain(..length);
                    inputs.extend(input);
                }
                Parsed::PasteBegins(length) => {
                    self.pending.drain(..length);
                    self.paste = Some(Vec::new());
                }
                // The rest of a long string is no keys: its introducer stays, and the byte that may begin its end.
                Parsed::Incomplete if self.pending.len() > MAX_SEQUENCE && is_string(&self.pending) => {
                    let last = self.pending.len() - 1;
                    self.pending.drain(2..last);
                    break;
                }
                Parsed::Incomplete if self.pending.len() > MAX_SEQUENCE => self.pending.clear(),
                Parsed::Incomplete => break,
            }
        }
        inputs
    }

    /// Milliseconds to wait for more before `give_up`: a lone Esc is a key, and a paste must end some time.
    pub fn patience_ms(&self) -> Option<u64> {
        match &self.paste {
            Some(_) => Some(2_000),
            None => (!self.pending.is_empty()).then_some(50),
        }
    }

    /// Nothing more came: what is pending is all there is.
    pub fn give_up(&mut self) -> Vec<Input> {
        if self.paste.is_some() {
            self.pending.clear();
            return self.end_paste().into_iter().collect();
        }
        let pending = std::mem::take(&mut self.pending);
        match pending[..] {
            [ESC] => vec![Input::Key(Key::Esc)],
            [ESC, c @ 0x20..=0x7e] => vec![Input::Key(Key::Alt(c as char))],
            _ => Vec::new(),
        }
    }

    fn end_paste(&mut self) -> Option<Input> {
        self.paste.take().map(|bytes| Input::Paste(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// Whether a string of the terminal begins here: OSC, DCS, APC, PM, SOS.
fn is_string(bytes: &[u8]) -> bool {
    matches!(bytes, [ESC, b']' | b'P' | b'_' | b'^' | b'X', ..])
}

fn parse(bytes: &[u8]) -> Parsed {
    let key = |length, key| Parsed::Taken(length, Some(Input::Key(key)));
    match *bytes {
        [] => Parsed::Incomplete,
        [ESC] => Parsed::Incomplete,
        [ESC, ESC, ..] => key(1, Key::Esc),
        [ESC, b'[', ref rest @ ..] => control_sequence(rest),
        [ESC, b'O', ref rest @ ..] => match rest.first() {
            None => Parsed::Incomplete,
            Some(&last) => Parsed::Taken(3, letter_key(last).map(Input::Key)),
        },
        // They end with BEL or ESC \.
        [ESC, _, ref rest @ ..] if is_string(bytes) => {
            let end = rest.iter().enumerate().find_map(|(i, &b)| match b {
                0x07 => Some(i + 1),
                ESC if rest.get(i + 1) == Some(&b'\\') => Some(i + 2),
                _ => None,
            });
            end.map_or(Parsed::Incomplete, |end| Parsed::Taken(2 + end, None))
        }
        [ESC, ref rest @ ..] => match character(rest) {
            Some((length, Some(c))) if !c.is_control() => key(1 + length, Key::Alt(c)),
            Some((length, _)) => Parsed::Taken(1 + length, None),
            None => Parsed::Incomplete,
        },
        [b'\r' | b'\n', ..] => key(1, Key::Enter),
        [b'\t', ..] => key(1, Key::Tab),
        [0x7f | 0x08, ..] => key(1, Key::Backspace),
        [0, ..] => key(1, Key::Ctrl(' ')),
        [c @ 0x01..=0x1a, ..] => key(1, Key::Ctrl((c - 1 + b'a') as char)),
        [c @ 0x1c..=0x1f, ..] => key(1, Key::Ctrl((c - 0x1c + b'\\') as char)),
        _ => match character(bytes) {
            Some((length, c)) => Parsed::Taken(length, c.filter(|c| !c.is_control()).map(|c| Input::Key(Key::Char(c)))),
            None => Parsed::Incomplete,
        },
    }
}

/// The first character and its length; a wrong byte is one byte of nothing; `None` when more has to come.
fn character(bytes: &[u8]) -> Option<(usize, Option<char>)> {
    let length = match bytes.first()? {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some((1, None)),
    };
    let have = &bytes[..length.min(bytes.len())];
    match std::str::from_utf8(have) {
        Ok(text) => Some((length, text.chars().next())),
        Err(e) if e.error_len().is_none() => None,
        Err(_) => Some((1, None)),
    }
}

/// What follows `ESC [`: parameters, then a final byte.
fn control_sequence(rest: &[u8]) -> Parsed {
    // The Linux console says F1 to F5 as ESC [ [ A to E.
    if let [b'[', last, ..] = *rest {
        let key = matches!(last, b'A'..=b'E').then(|| Key::F(last - b'A' + 1));
        return Parsed::Taken(4, key.map(Input::Key));
    }
    let Some(end) = rest.iter().position(|b| !(0x20..=0x3f).contains(b)) else { return Parsed::Incomplete };
    if rest[end] == b'[' && end == 0 {
        return Parsed::Incomplete;
    }
    if !(0x40..=0x7e).contains(&rest[end]) {
        // Cut off by something else, which is looked at next.
        return Parsed::Taken(2 + end, None);
    }
    let length = 2 + end + 1;
    let parameters = &rest[..end];
    if let Some(report) = parameters.strip_prefix(b"<") {
        return Parsed::Taken(length, mouse(report, rest[end]).map(Input::Mouse));
    }
    // A terminal that does not know SGR reports says three bytes behind this; they would act as keys.
    if parameters.is_empty() && rest[end] == b'M' {
        return if rest.len() < 4 { Parsed::Incomplete } else { Parsed::Taken(length + 3, None) };
    }
    let mut numbers = parameters.split(|&b| b == b';').map(|p| {
        // Sub-parameters after a colon are of no interest here.
        let digits = p.split(|&b| b == b':').next().unwrap_or_default();
        std::str::from_utf8(digits).ok().and_then(|t| t.parse::<u32>().ok())
    });
    let first = numbers.next().flatten();
    let modifiers = numbers.next().flatten().unwrap_or(1).saturating_sub(1);
    let key = match rest[end] {
        b'~' => match first {
            Some(200) => return Parsed::PasteBegins(length),
            Some(number) => numbered_key(number),
            None => None,
        },
        b'u' => first.and_then(char::from_u32).and_then(|c| unicode_key(c, modifiers)),
        b'Z' => Some(Key::BackTab),
        last if parameters.is_empty() || first == Some(1) => letter_key(last),
        _ => None,
    };
    Parsed::Taken(length, key.map(Input::Key))
}

/// `button ; column ; row`, counted from 1, and `M`, or `m` for a release.
fn mouse(report: &[u8], last: u8) -> Option<Mouse> {
    const MODIFIERS: i64 = 4 | 8 | 16;
    let numbers =
        std::str::from_utf8(report).ok()?.split(';').map(|n| n.parse::<i64>().ok()).collect::<Option<Vec<_>>>()?;
    let [button, column, row] = numbers[..] else { return None };
    let kind = match (button & !MODIFIERS, last) {
        (0, b'M') => MouseKind::Press,
        (0, b'm') => MouseKind::Release,
        (32, b'M') => MouseKind::Drag,
        (64, b'M') => MouseKind::WheelUp,
        (65, b'M') => MouseKind::WheelDown,
        _ => return None,
    };
    // A drag that leaves the window may be said to be at 0, or below: then it is at the edge.
    let cell = |n: i64| n.saturating_sub(1).clamp(0, u16::MAX.into()) as u16;
    Some(Mouse { kind, column: cell(column), row: cell(row) })
}

fn letter_key(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'M' => Key::Enter,
        b'P'..=b'S' => Key::F(last - b'P' + 1),
        _ => return None,
    })
}

fn numbered_key(number: u32) -> Option<Key> {
    Some(match number {
        1 | 7 => Key::Home,
        2 => Key::Insert,
        3 => Key::Delete,
        4 | 8 => Key::End,
        5 => Key::PageUp,
        6 => Key::PageDown,
        11..=15 => Key::F((number - 10) as u8),
        17..=21 => Key::F((number - 11) as u8),
        23 | 24 => Key::F((number - 12) as u8),
        _ => return None,
    })
}

/// A key that a terminal spells as its code point with modifiers (1 shift, 2 alt, 4 ctrl).
fn unicode_key(c: char, modifiers: u32) -> Option<Key> {
    Some(match c {
        '\r' => Key::Enter,
        '\t' if modifiers & 1 != 0 => Key::BackTab,
        '\t' => Key::Tab,
        '\u{1b}' => Key::Esc,
        '\u{7f}' => Key::Backspace,
        c if c.is_control() => return None,
        c if modifiers & 4 != 0 => Key::Ctrl(c.to_ascii_lowercase()),
        c if modifiers & 2 != 0 => Key::Alt(c),
        c => Key::Char(c),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut parser = Parser::default();
        let mut inputs = parser.feed(bytes);
        inputs.extend(parser.give_up());
        inputs
            .into_iter()
            .map(|input| match input {
                Input::Key(key) => key,
                other => panic!("{other:?} is no key"),
            })
            .collect()
    }

    #[test]
    fn keys_are_known_in_every_dialect() {
        use Key::*;
        assert_eq!(
            keys("qé중\r\t\x7f\x03\x1a".as_bytes()),
            [Char('q'), Char('é'), Char('중'), Enter, Tab, Backspace, Ctrl('c'), Ctrl('z')]
        );
        assert_eq!(
            keys(b"\x1b[A\x1bOB\x1b[1;5C\x1b[H\x1b[4~\x1b[5~\x1b[Z"),
            [Up, Down, Right, Home, End, PageUp, BackTab]
        );
        assert_eq!(keys(b"\x1bOP\x1b[[B\x1b[13~\x1b[24~"), [F(1), F(2), F(3), F(12)]);
        assert_eq!(keys(b"\x1bx\x1b[99;5u"), [Alt('x'), Ctrl('c')]);
        assert_eq!(keys(b"\x1b"), [Esc]);
        assert_eq!(keys(b"\x1b\x1b"), [Esc, Esc]);
    }

    #[test]
    fn a_sequence_may_come_in_pieces() {
        let mut parser = Parser::default();
        let mut inputs = Vec::new();
        for byte in "\x1b[1;5C중\x1b[200~q\x1b[201~".as_bytes() {
            inputs.extend(parser.feed(&[*byte]));
        }
        assert_eq!(inputs, [Input::Key(Key::Right), Input::Key(Key::Char('중')), Input::Paste("q".into())]);
        assert_eq!(parser.patience_ms(), None);
    }

    #[test]
    fn answers_and_focus_are_no_keys_however_long_they_are() {
        assert_eq!(keys(b"\x1b]11;rgb:1e1e/1e1e/1e1e\x07q"), [Key::Char('q')]);
        assert_eq!(keys(b"\x1bP1+r544e=787465726d\x1b\\q"), [Key::Char('q')]);
        assert_eq!(keys(b"\x1b[?62;22c\x1b[I\x1b[Oq\x1b[12;40R"), [Key::Char('q')]);
        let clipboard = ["\x1b]52;c;", &"cXF4".repeat(5_000), "\x1b\\q"].concat();
        let mut parser = Parser::default();
        let inputs: Vec<Input> = clipboard.as_bytes().chunks(7).flat_map(|part| parser.feed(part)).collect();
        assert_eq!(inputs, [Input::Key(Key::Char('q'))]);
    }

    fn mice(bytes: &[u8]) -> Vec<Mouse> {
        let mut parser = Parser::default();
        let inputs: Vec<Input> = bytes.chunks(3).flat_map(|part| parser.feed(part)).collect();
        assert_eq!(parser.patience_ms(), None);
        let mouse = |input| match input {
            Input::Mouse(mouse) => mouse,
            other => panic!("{other:?} is not the mouse"),
        };
        inputs.into_iter().map(mouse).collect()
    }

    #[test]
    fn the_left_button_and_the_wheel_are_understood_whatever_modifiers_are_held() {
        use MouseKind::*;
        let at = |kind, column, row| Mouse { kind, column, row };
        assert_eq!(
            mice(b"\x1b[<0;10;5M\x1b[<32;11;5M\x1b[<0;11;5m\x1b[<64;1;1M\x1b[<65;80;24M\x1b[<20;3;4M\x1b[<48;3;5M"),
            [
                at(Press, 9, 4),
                at(Drag, 10, 4),
                at(Release, 10, 4),
                at(WheelUp, 0, 0),
                at(WheelDown, 79, 23),
                at(Press, 2, 3),
                at(Drag, 2, 4)
            ]
        );
    }

    #[test]
    fn other_buttons_and_motions_are_swallowed_and_no_place_is_out_of_range() {
        use MouseKind::*;
        let at = |kind, column, row| Mouse { kind, column, row };
        // Middle, right, motion without a button, a drag with the right one, the wheel sideways, a fourth button; nonsense.
        assert_eq!(mice(b"\x1b[<1;2;2M\x1b[<2;2;2m\x1b[<35;2;2M\x1b[<34;2;2M\x1b[<66;2;2M\x1b[<128;2;2M"), []);
        assert_eq!(
            mice(b"\x1b[<M\x1b[<0M\x1b[<0;1M\x1b[<0;1;M\x1b[<0;1;1;1M\x1b[<-1;1;1M\x1b[<99999999999999999999;1;1M"),
            []
        );
        assert_eq!(
            mice(b"\x1b[<0;0;0M\x1b[<32;-7;3M\x1b[<32;65536;9999999M"),
            [at(Press, 0, 0), at(Drag, 0, 2), at(Drag, u16::MAX, u16::MAX)]
        );
        // The older form, whose three bytes are no keys.
        assert_eq!(mice(b"\x1b[M q!\x1b[M\xff\xff\xff\x1b[<0;1;1M"), [at(Press, 0, 0)]);
    }

    #[test]
    fn pasted_text_is_never_a_key_and_ends_even_without_its_end() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"\x1b[200~quit\nq"), []);
        assert!(parser.patience_ms().is_some());
        let Some(Input::Paste(_)) = parser.give_up().pop() else { panic!("the paste is given up") };
        assert_eq!(parser.feed(b"p"), [Input::Key(Key::Char('p'))]);
    }

    #[test]
    fn no_bytes_whatever_break_it_and_it_always_comes_back() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..2_000 {
            let mut parser = Parser::default();
            for _ in 0..40 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                // Every second byte begins or continues a sequence.
                let byte = if seed & 1 == 0 { b"\x1b[O]P~<0;Mm"[(seed >> 8) as usize % 11] } else { (seed >> 8) as u8 };
                parser.feed(&[byte]);
            }
            parser.give_up();
            assert_eq!(parser.feed(b"q"), [Input::Key(Key::Char('q'))]);
        }
    }
}
