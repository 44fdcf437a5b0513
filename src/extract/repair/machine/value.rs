//! Where a value should be: containers are opened, calls unwrapped, texts and words read by `quoted` and `bare`; what nothing can be made of
//! is left out. What stands around values is `marks`'.

use serde_json::Value;

use super::super::bare::{Bare, bare};
use super::super::cursor::Quote;
use super::super::quoted::{Read, Role, escaped_quoted, quoted};
use super::{Frame, Machine, State, excerpt};
use crate::extract::parse::assembly::TooDeep;
use crate::extract::parse::strict;

impl Machine<'_> {
    pub(super) fn value(&mut self) -> Result<State, TooDeep> {
        self.skip_to_value();
        let role = self.role();
        let Some(c) = self.cursor.char(self.cursor.at) else { return Ok(self.end_of_text()) };
        match c {
            '{' => return self.open(Frame::Object, 1),
            '[' => return self.open(Frame::Array, 1),
            '(' => {
                self.assembly.change("tuple_to_array", Value::from("("), Value::from("["), false);
                return self.open(Frame::Tuple, 1);
            }
            '｛' | '［' => {
                self.assembly.change("full_width_mark", Value::from(c.to_string()), Value::Null, false);
                return self.open(if c == '｛' { Frame::Object } else { Frame::Array }, c.len_utf8());
            }
            ',' | '，' | '}' | ']' | '｝' | '］' => return Ok(self.no_value(c)),
            ')' if self.frames.contains(&Frame::Call) || self.frames.contains(&Frame::Tuple) => {
                return Ok(self.no_value(c));
            }
            _ => {}
        }
        if let Some(read) = self.string(c, role) {
            self.text(read, role);
            return Ok(State::After);
        }
        if let Some(length) = self.call() {
            return self.open(Frame::Call, length);
        }
        let in_call = matches!(self.frames.last(), Some(Frame::Call | Frame::Tuple));
        let start = self.cursor.at;
        match bare(&mut self.cursor, role, in_call) {
            Some(Bare::Number(number)) => {
                let written = &self.cursor.text[start..self.cursor.at];
                if written != number {
                    // An exponent or a fraction that is missing may have been cut off.
                    let lossy = written.ends_with(['.', 'e', 'E', '-', '+']);
                    self.assembly.change("number_mended", Value::from(written), Value::from(number.as_str()), lossy);
                }
                strict::read_number(&mut self.assembly, &number);
            }
            Some(Bare::Word(value)) => {
                let written = &self.cursor.text[start..self.cursor.at];
                if written.chars().next().is_some_and(char::is_uppercase) || written == "undefined" {
                    self.assembly.change("literal_replaced", Value::from(written), value.clone(), false);
                }
                self.assembly.value(value);
            }
            Some(Bare::Text(read)) => {
                self.text(read, role);
                self.bare_end = self.cursor.at;
            }
            None => {
                self.junk();
                return Ok(if role == Role::Item { State::Next } else { State::Value });
            }
        }
        Ok(State::After)
    }

    /// A quoted text in any of its forms.
    pub(super) fn string(&mut self, c: char, role: Role) -> Option<Read> {
        let at = self.cursor.at;
        if c == '\\' {
            let run = self.cursor.bytes[at..].iter().take(8).take_while(|b| **b == b'\\').count();
            return matches!(self.cursor.byte(at + run), Some(b'"' | b'\'')).then(|| escaped_quoted(&mut self.cursor));
        }
        if Quote::of(c).is_some() {
            return Some(quoted(&mut self.cursor, role));
        }
        // b'…', r'…', u'…', f'…' of Python, @'…' of others.
        let letters = self.cursor.bytes[at..].iter().take(2).take_while(|b| b"bBrRuUfF".contains(b)).count();
        let quote = self.cursor.byte(at + letters);
        let within = self.cursor.char(at + letters + 1);
        if letters > 0
            && matches!(quote, Some(b'"' | b'\''))
            && !within.is_none_or(|c| matches!(c, ',' | ':' | '}' | ']'))
        {
            self.cursor.at += letters;
            let mut read = quoted(&mut self.cursor, role);
            read.note("prefix_removed", false);
            return Some(read);
        }
        None
    }

    /// Records what was done to a text, and takes in what is added to it: `"a" + "b"`.
    fn text(&mut self, mut read: Read, role: Role) {
        loop {
            let gap = self.cursor.gap_end(self.cursor.at, true);
            if self.cursor.byte(gap) != Some(b'+') || role == Role::Key {
                break;
            }
            let next = self.cursor.gap_end(gap + 1, true);
            let Some(c) = self.cursor.char(next).filter(|c| Quote::of(*c).is_some()) else {
                if role == Role::Item || matches!(self.cursor.char(next), None | Some(',' | '}' | ']')) {
                    self.cursor.at = gap + 1;
                    read.note("plus_removed", false);
                }
                break;
            };
            self.cursor.at = next;
            let Some(more) = self.string(c, role) else { break };
            read.made.push_str(&more.made);
            read.done.extend(more.done);
            read.note("strings_joined", false);
        }
        self.told(&read);
        self.assembly.value(Value::String(read.made));
    }

    fn told(&mut self, read: &Read) {
        for (kind, lossy) in &read.done {
            if *kind == "truncated" {
                self.truncated = true;
            }
            self.assembly.change(kind, Value::Null, excerpt(&read.made), *lossy);
        }
    }

    /// The length of `name(`: `ObjectId("…")`, `callback({…})`. White space before the bracket only outside any container, or `Seoul
    /// (Korea)` would be one.
    fn call(&mut self) -> Option<usize> {
        let start = self.cursor.at;
        let first = self.cursor.byte(start)?;
        if !(first.is_ascii_alphabetic() || matches!(first, b'_' | b'$')) {
            return None;
        }
        let horizon = (start + 128).min(self.cursor.bytes.len());
        let name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'.');
        let mut at = start + self.cursor.bytes[start..horizon].iter().take_while(name).count();
        let called = self.cursor.text[start..at].to_owned();
        if called == "new" && self.cursor.byte(at) == Some(b' ') {
            self.cursor.at = at + 1;
            return self.call().or_else(|| {
                self.cursor.at = start;
                None
            });
        }
        if self.frames.is_empty() {
            at = self.cursor.blank_end(at, true, horizon);
        }
        if self.cursor.byte(at) != Some(b'(') {
            return None;
        }
        // A word in brackets behind another one may as well be a second answer: `A (B)`.
        let inner = self.cursor.text[at + 1..].trim_start().chars().next();
        let guessed = self.frames.is_empty() && inner.is_some_and(char::is_alphabetic);
        self.assembly.change("call_unwrapped", Value::from(called), Value::Null, guessed);
        Some(at + 1 - start)
    }

    /// Where a value should be stands a comma or an end.
    fn no_value(&mut self, c: char) -> State {
        match self.frames.last() {
            Some(frame) if frame.is_object() => {
                self.assembly.change("missing_value", Value::Null, Value::Null, true);
                self.assembly.value(Value::Null);
                State::After
            }
            Some(_) => State::After,
            None => {
                self.assembly.change("text_removed", Value::from(c.to_string()), Value::Null, true);
                self.cursor.at += c.len_utf8();
                State::Value
            }
        }
    }

    /// A character that nothing can be made of.
    pub(super) fn junk(&mut self) {
        let start = self.cursor.at;
        let Some(c) = self.cursor.char(start) else { return };
        let mut end = start + c.len_utf8();
        // A run of the same is one change.
        while self.cursor.char(end) == Some(c) {
            end += c.len_utf8();
        }
        self.assembly.change_container("text_removed", excerpt(&self.cursor.text[start..end]), Value::Null, true);
        self.cursor.at = end;
    }
}
