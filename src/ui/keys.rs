//! Names of keys, as help shows them and as the user's file writes them: both ways, so that what is read on the screen can be typed into
//! the file. Which key does what is in `keymap`.

use std::fmt;
use std::str::FromStr;

use super::message::Key;

const NAMED: [(Key, &str); 16] = [
    (Key::Char(' '), "Space"),
    (Key::Enter, "Enter"),
    (Key::Esc, "Esc"),
    (Key::Tab, "Tab"),
    (Key::BackTab, "Shift-Tab"),
    (Key::Backspace, "Backspace"),
    (Key::Delete, "Delete"),
    (Key::Insert, "Insert"),
    (Key::Up, "Up"),
    (Key::Down, "Down"),
    (Key::Left, "Left"),
    (Key::Right, "Right"),
    (Key::Home, "Home"),
    (Key::End, "End"),
    (Key::PageUp, "PageUp"),
    (Key::PageDown, "PageDown"),
];

/// What other programs call them.
const ALSO: [(Key, &str); 7] = [
    (Key::Enter, "Return"),
    (Key::Esc, "Escape"),
    (Key::BackTab, "BackTab"),
    (Key::Delete, "Del"),
    (Key::Insert, "Ins"),
    (Key::PageUp, "PgUp"),
    (Key::PageDown, "PgDn"),
];

/// Why a text names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("expected a key such as p, Space, Ctrl-P, Alt-x, F5 or PageDown, found \"{0}\"")]
    Unknown(String),
    #[error("a terminal sends {1} for {0}")]
    SameAs(String, Key),
    #[error("{0}: shift is part of the character; write {1}")]
    Shifted(String, char),
    #[error("{0}: finetop knows F1 to F12")]
    NoSuchF(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, name)) = NAMED.iter().find(|(key, _)| key == self) {
            return f.write_str(name);
        }
        match self {
            Key::Ctrl(' ') => f.write_str("Ctrl-Space"),
            Key::Alt(' ') => f.write_str("Alt-Space"),
            Key::Ctrl(c) => write!(f, "Ctrl-{}", c.to_ascii_uppercase()),
            Key::Alt(c) => write!(f, "Alt-{c}"),
            Key::F(n) => write!(f, "F{n}"),
            Key::Char(c) => write!(f, "{c}"),
            // All others have a name above.
            other => write!(f, "{other:?}"),
        }
    }
}

impl Key {
    /// Whether it is never part of a text: then it may act where one is typed.
    pub fn types_nothing(self) -> bool {
        matches!(self, Key::Ctrl(_) | Key::Alt(_) | Key::F(_))
    }
}

impl FromStr for Key {
    type Err = KeyError;

    /// A character is itself; names in any case; `Ctrl-` and `Alt-`, with `+` too, before a character.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let unknown = || KeyError::Unknown(text.to_owned());
        if let Some(c) = only_char(text) {
            return Ok(Key::Char(c));
        }
        if let Some((key, _)) = NAMED.iter().chain(&ALSO).find(|(_, name)| name.eq_ignore_ascii_case(text)) {
            return Ok(*key);
        }
        if let Some(c) = after(text, "Ctrl") {
            let key = Key::Ctrl(c.to_ascii_lowercase());
            return match sent_for(key) {
                key_sent if key_sent == key => Ok(key),
                other => Err(KeyError::SameAs(text.to_owned(), other)),
            };
        }
        if let Some(c) = after(text, "Alt") {
            return Ok(Key::Alt(c));
        }
        if let Some(c) = after(text, "Shift") {
            return Err(KeyError::Shifted(text.to_owned(), c.to_ascii_uppercase()));
        }
        let number = text.strip_prefix(['F', 'f']).filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
        match number.and_then(|n| n.parse::<u8>().ok()) {
            Some(n @ 1..=12) => Ok(Key::F(n)),
            Some(_) => Err(KeyError::NoSuchF(text.to_owned())),
            None => Err(unknown()),
        }
    }
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|c| chars.next().is_none() && !c.is_control())
}

/// The character after `Ctrl-` or `Ctrl+`.
fn after(text: &str, modifier: &str) -> Option<char> {
    let (before, rest) = text.split_at_checked(modifier.len())?;
    let rest = rest.strip_prefix(['-', '+']).filter(|_| before.eq_ignore_ascii_case(modifier))?;
    if rest.eq_ignore_ascii_case("Space") { Some(' ') } else { only_char(rest) }
}

/// Some keys with Ctrl are the same byte as a key without it, whatever is pressed.
fn sent_for(key: Key) -> Key {
    match key {
        Key::Ctrl('i') => Key::Tab,
        Key::Ctrl('m' | 'j') => Key::Enter,
        Key::Ctrl('h' | '?') => Key::Backspace,
        Key::Ctrl('[') => Key::Esc,
        Key::Ctrl('@' | '2') => Key::Ctrl(' '),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_written() {
        let characters = (' '..='\u{2fff}').chain('\u{ac00}'..='\u{ac80}').filter(|c| !c.is_control());
        let mut keys: Vec<Key> = NAMED.iter().map(|(key, _)| *key).chain((1..=12).map(Key::F)).collect();
        for c in characters {
            keys.extend([Key::Char(c), Key::Alt(c)]);
            let ctrl = Key::Ctrl(c.to_ascii_lowercase());
            keys.extend(Some(ctrl).filter(|key| sent_for(*key) == *key));
        }
        for key in keys {
            assert_eq!(key.to_string().parse(), Ok(key), "{key}");
        }
    }

    #[test]
    fn keys_are_written_as_people_write_them() {
        for (text, key) in [
            ("p", Key::Char('p')),
            ("P", Key::Char('P')),
            (" ", Key::Char(' ')),
            ("space", Key::Char(' ')),
            ("?", Key::Char('?')),
            ("-", Key::Char('-')),
            ("ctrl-p", Key::Ctrl('p')),
            ("Ctrl+P", Key::Ctrl('p')),
            ("Ctrl-Space", Key::Ctrl(' ')),
            ("Alt-x", Key::Alt('x')),
            ("Alt-X", Key::Alt('X')),
            ("Alt--", Key::Alt('-')),
            ("f5", Key::F(5)),
            ("f", Key::Char('f')),
            ("pgdn", Key::PageDown),
            ("Shift-Tab", Key::BackTab),
            ("중", Key::Char('중')),
        ] {
            assert_eq!(text.parse(), Ok(key), "{text}");
        }
    }

    #[test]
    fn what_is_no_key_says_why() {
        for (text, why) in [
            ("", "expected a key such as p, Space, Ctrl-P, Alt-x, F5 or PageDown, found \"\""),
            ("pp", "expected a key such as p, Space, Ctrl-P, Alt-x, F5 or PageDown, found \"pp\""),
            ("Ctrl-", "expected a key such as p, Space, Ctrl-P, Alt-x, F5 or PageDown, found \"Ctrl-\""),
            ("Ctrl-I", "a terminal sends Tab for Ctrl-I"),
            ("Shift-g", "Shift-g: shift is part of the character; write G"),
            ("F13", "F13: finetop knows F1 to F12"),
        ] {
            assert_eq!(text.parse::<Key>().map_err(|e| e.to_string()), Err(why.to_owned()), "{text}");
        }
        assert!("\u{1b}".parse::<Key>().is_err());
    }
}
