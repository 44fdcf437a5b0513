//! JSON as RFC 8259 has it, in one pass with an explicit stack: with what `serde_json` does not tell, a key that stands twice and a
//! number that a double cannot hold. Nothing is mended here. Next: `repair`.

use serde_json::Value;

use super::assembly::{Assembly, DEPTH, TooDeep};
use super::number::{self, Kept};
use crate::extract::attempt::Change;

/// Why a text is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no JSON at byte {offset}: expected {expected}")]
pub struct SyntaxError {
    pub offset: usize,
    pub expected: &'static str,
}

/// The one value that a text is, with white space around.
/// # Errors
/// The first place where the text is no JSON, or is nested deeper than 512.
pub fn value(text: &str) -> Result<(Value, Vec<Change>), SyntaxError> {
    Stack::default().value(text)
}

/// What a reading needs besides its text: for many values, one after the other, it is made once.
#[derive(Default)]
pub struct Stack {
    assembly: Assembly,
    /// For each open container whether it is an object.
    objects: Vec<bool>,
}

impl Stack {
    /// As [`value`](self::value()).
    /// # Errors
    /// The same.
    pub fn value(&mut self, text: &str) -> Result<(Value, Vec<Change>), SyntaxError> {
        let (value, changes, end) = self.prefix(text)?;
        let end = skip(text.as_bytes(), end);
        if end < text.len() {
            return Err(SyntaxError { offset: end, expected: "the end of the text" });
        }
        Ok((value, changes))
    }

    /// The value that a text begins with, and where it ends.
    /// # Errors
    /// As [`value`](self::value()).
    pub fn prefix(&mut self, text: &str) -> Result<(Value, Vec<Change>, usize), SyntaxError> {
        let mut reader =
            Reader { text, bytes: text.as_bytes(), at: 0, assembly: &mut self.assembly, objects: &mut self.objects };
        let read = reader.run();
        let end = reader.at;
        self.objects.clear();
        let (value, changes) = self.assembly.take();
        read.map(|()| (value, changes, end))
    }
}

fn skip(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    assembly: &'a mut Assembly,
    objects: &'a mut Vec<bool>,
}

impl Reader<'_> {
    fn run(&mut self) -> Result<(), SyntaxError> {
        // Each turn reads one value's beginning, then all ends and commas that follow it.
        loop {
            self.space();
            match self.bytes.get(self.at) {
                Some(b'{') => {
                    self.at += 1;
                    self.assembly.open_object().map_err(|TooDeep| self.too_deep())?;
                    self.objects.push(true);
                    self.space();
                    if self.bytes.get(self.at) != Some(&b'}') {
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    self.assembly.open_array().map_err(|TooDeep| self.too_deep())?;
                    self.objects.push(false);
                    self.space();
                    if self.bytes.get(self.at) != Some(&b']') {
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            loop {
                let Some(object) = self.objects.last().copied() else { return Ok(()) };
                self.space();
                match (self.bytes.get(self.at), object) {
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        self.objects.pop();
                        self.assembly.close();
                    }
                    (Some(b','), true) => {
                        self.at += 1;
                        self.space();
                        self.key()?;
                        break;
                    }
                    (Some(b','), false) => {
                        self.at += 1;
                        break;
                    }
                    (_, true) => return Err(self.expected("`,` or `}`")),
                    (_, false) => return Err(self.expected("`,` or `]`")),
                }
            }
        }
    }

    fn expected(&self, expected: &'static str) -> SyntaxError {
        SyntaxError { offset: self.at, expected }
    }

    fn too_deep(&self) -> SyntaxError {
        debug_assert_eq!(DEPTH, 512);
        self.expected("at most 512 containers within each other")
    }

    fn space(&mut self) {
        self.at = skip(self.bytes, self.at);
    }

    fn key(&mut self) -> Result<(), SyntaxError> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.expected("a key in double quotes"));
        }
        let name = self.string()?;
        self.space();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        self.assembly.key(name);
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), SyntaxError> {
        let value = match self.bytes.get(self.at) {
            Some(b'"') => Value::String(self.string()?),
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            Some(b'-' | b'0'..=b'9') => return self.number(),
            _ => return Err(self.expected("a value")),
        };
        self.assembly.value(value);
        Ok(())
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, SyntaxError> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let whole = self.digits()?;
        if self.bytes[whole] == b'0' && self.at > whole + 1 {
            self.at = whole + 1;
            return Err(self.expected("no digits after a leading zero"));
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'-' | b'+')) {
                self.at += 1;
            }
            self.digits()?;
        }
        read_number(self.assembly, &self.text[start..self.at]);
        Ok(())
    }

    /// One digit or more; where they begin.
    fn digits(&mut self) -> Result<usize, SyntaxError> {
        let start = self.at;
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(start) }
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        self.at += 1;
        let mut from = self.at;
        let mut made = String::new();
        loop {
            // The long run: bytes that mean themselves.
            let run = self.bytes[self.at..].iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20));
            let Some(run) = run else {
                self.at = self.bytes.len();
                return Err(self.expected("the end of a string"));
            };
            self.at += run;
            match self.bytes[self.at] {
                b'"' => {
                    let rest = &self.text[from..self.at];
                    self.at += 1;
                    // Most have no escape, and are made in one go.
                    if made.is_empty() {
                        return Ok(rest.to_owned());
                    }
                    made.push_str(rest);
                    return Ok(made);
                }
                b'\\' => {
                    made.push_str(&self.text[from..self.at]);
                    match escape(self.bytes, self.at) {
                        Some((c, length)) => {
                            made.push(c);
                            self.at += length;
                            from = self.at;
                        }
                        None => return Err(self.expected("a valid escape")),
                    }
                }
                _ => return Err(self.expected("no raw control characters in a string")),
            }
        }
    }
}

/// A number into the value, recorded where it is not the one that was written.
pub fn read_number(assembly: &mut Assembly, text: &str) {
    let value = match number::read(text) {
        Kept::Exact(value) => value,
        Kept::Rounded(value) => {
            assembly.change("number_rounded", Value::from(text), value.clone(), true);
            value
        }
        Kept::Text => {
            assembly.change("number_kept_as_text", Value::from(text), Value::from(text), false);
            Value::from(text)
        }
    };
    assembly.value(value);
}

/// The character that an escape sequence stands for, and the bytes it takes: `\n`, `\u00e9`, a pair of surrogates.
pub fn escape(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let c = match bytes.get(at + 1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = hex4(bytes, at + 2)?;
            if (0xd800..0xdc00).contains(&first) && bytes.get(at + 6..at + 8) == Some(b"\\u") {
                let second = hex4(bytes, at + 8)?;
                if (0xdc00..0xe000).contains(&second) {
                    let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    return char::from_u32(code).map(|c| (c, 12));
                }
            }
            return char::from_u32(first).map(|c| (c, 6));
        }
        _ => return None,
    };
    Some((c, 2))
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |sum, d| Some(sum * 16 + char::from(*d).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_serde_json_takes_is_taken_alike() {
        for text in [
            r#"{"a":[1,-2.5e3,true,false,null,"x\n\u00e9\ud83d\ude00/\/"],"":{}}"#,
            " [ ] ",
            "\"\"",
            "-0.0",
            "{\"a\" : { } , \"b\":[[[]]]}",
        ] {
            assert_eq!(value(text).unwrap().0, serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
        for text in
            ["", "{", "[1,]", "{a:1}", "01", "1.", "\"\n\"", "'a'", "[1 2]", "nul", "1 2", "\"\\x\"", "\"\\ud800\""]
        {
            assert!(value(text).is_err(), "{text}");
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_told_with_what_was_lost() {
        let (made, changes) = value(r#"{"a":{"b":1,"b":2}}"#).unwrap();
        assert_eq!(made, json!({"a": {"b": 2}}));
        let change = &changes[0];
        assert_eq!((change.kind.as_str(), change.path.as_str(), change.lossy), ("duplicate_key", "/a/b", true));
        assert_eq!((&change.before, &change.after), (&json!(1), &json!(2)));
        assert!(!value(r#"{"a":1,"a":1}"#).unwrap().1[0].lossy);
    }

    #[test]
    fn a_number_is_rounded_or_kept_as_text_never_silently() {
        let (made, changes) = value("[12345678901234567890123, 0.12345678901234567890123]").unwrap();
        assert_eq!(made[0], json!("12345678901234567890123"));
        let told: Vec<_> = changes.iter().map(|c| (c.path.as_str(), c.kind.as_str(), c.lossy)).collect();
        assert_eq!(told, [("/0", "number_kept_as_text", false), ("/1", "number_rounded", true)]);
    }

    #[test]
    fn a_million_brackets_are_refused_without_recursion() {
        assert!(value(&"[".repeat(1_000_000)).is_err());
        let deep = format!("{}{}", "[".repeat(512), "]".repeat(512));
        assert!(value(&deep).is_ok());
        assert_eq!(value(&format!("[{deep}]")).unwrap_err().offset, 513);
    }
}
