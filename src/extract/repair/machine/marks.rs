//! What stands around values: keys and their colons, commas, closing brackets, dots for what was left out, and the end of the text.
//! The values themselves are `value`'s.

use serde_json::Value;

use super::super::bare;
use super::super::cursor::Quote;
use super::super::quoted::{Read, Role};
use super::{Frame, Machine, State, excerpt};
use crate::extract::parse::assembly::TooDeep;

impl Machine<'_> {
    /// A key or an item, or the container's end.
    pub(super) fn next(&mut self) -> Result<State, TooDeep> {
        self.skip_to_next();
        let Some(frame) = self.frames.last().copied() else { return Ok(State::After) };
        let Some(c) = self.cursor.char(self.cursor.at) else { return Ok(self.end_of_text()) };
        if matches!(c, '}' | ']' | ')' | '｝' | '］')
            && let Some(state) = self.closer(c)
        {
            return Ok(state);
        }
        if self.ellipsis(c, frame) {
            self.skip(true);
            self.extra_commas();
            return Ok(State::Next);
        }
        if matches!(c, ',' | '，') {
            self.extra_commas();
            return Ok(State::Next);
        }
        if self.cursor.starts(self.cursor.at, "```") {
            return Ok(self.end_of_text());
        }
        if frame.is_object() { self.key(c) } else { Ok(State::Value) }
    }

    /// `...` or `…` in place of items.
    fn ellipsis(&mut self, c: char, frame: Frame) -> bool {
        let start = self.cursor.at;
        let dots = match c {
            '…' => c.len_utf8(),
            '.' if self.cursor.starts(start, "...") => {
                self.cursor.bytes[start..].iter().take_while(|b| **b == b'.').count()
            }
            _ => return false,
        };
        let mut end = start + dots;
        // `...rest` names what is left out.
        if frame.is_object() {
            end += self.cursor.bytes[end..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        }
        let gap = self.cursor.gap_end(end, true);
        let alone = matches!(self.cursor.char(gap), None | Some(',' | ']' | '}' | ')')) || gap > end;
        if !alone && !frame.is_object() && self.cursor.char(end).is_some_and(char::is_alphanumeric) {
            return false;
        }
        self.assembly.change_container("ellipsis_removed", excerpt(&self.cursor.text[start..end]), Value::Null, true);
        self.cursor.at = end;
        true
    }

    fn key(&mut self, c: char) -> Result<State, TooDeep> {
        let start = self.cursor.at;
        if self.assembly.count() == 0 {
            self.first_key = start;
        }
        match c {
            '{' | '[' if self.frames.contains(&Frame::Array) || self.assembly.count() > 0 => {
                self.assembly.change_container("bracket_added", Value::Null, Value::from("}"), true);
                return Ok(self.close());
            }
            // Braces written twice, as a template wants them.
            '{' | '[' => {
                self.assembly.change_container("bracket_removed", Value::from(c.to_string()), Value::Null, false);
                self.cursor.at += 1;
                return Ok(State::First);
            }
            _ => {}
        }
        let read = match self.string(c, Role::Key) {
            Some(read) => read,
            None if matches!(c, ':' | '：') => Read::default(),
            None => match bare::text(&mut self.cursor, Role::Key, false) {
                Some(read) => read,
                None => {
                    self.junk();
                    return Ok(State::Next);
                }
            },
        };
        self.skip(true);
        let colon = self.colon();
        let next = self.cursor.char(self.cursor.at);
        if !colon {
            match next {
                Some(',' | '}' | '，') if self.assembly.count() == 0 => {
                    self.assembly.object_to_array();
                    self.assembly.change_container("set_to_array", Value::from("{"), Value::from("["), false);
                    if let Some(frame) = self.frames.last_mut() {
                        *frame = Frame::Array;
                    }
                    self.cursor.at = self.first_key;
                    return Ok(State::Value);
                }
                None => {
                    self.assembly.change_container("truncated", excerpt(&read.made), Value::Null, true);
                    self.truncated = true;
                    return Ok(self.end_of_text());
                }
                Some(c) if Quote::of(c).is_some() || c.is_alphanumeric() || matches!(c, '[' | '{' | '-' | '_') => {}
                Some(_) => {
                    self.assembly.change_container(
                        "text_removed",
                        excerpt(&self.cursor.text[start..self.cursor.at]),
                        Value::Null,
                        true,
                    );
                    return Ok(State::After);
                }
            }
        }
        self.assembly.key(read.made.clone());
        for (kind, lossy) in &read.done {
            self.assembly.change(kind, Value::Null, excerpt(&read.made), *lossy);
        }
        if !colon {
            self.assembly.change("colon_added", Value::Null, Value::Null, false);
        }
        Ok(State::Value)
    }

    /// `:`, or what stands for it elsewhere: `=`, `=>`, `->`, `：`.
    pub(super) fn colon(&mut self) -> bool {
        let start = self.cursor.at;
        loop {
            let length = match self.cursor.char(self.cursor.at) {
                Some(':') => 1,
                Some('：') => '：'.len_utf8(),
                Some('=') => 1 + usize::from(self.cursor.byte(self.cursor.at + 1) == Some(b'>')),
                Some('-') if self.cursor.starts(self.cursor.at, "->") => 2,
                _ => break,
            };
            self.cursor.at += length;
        }
        let written = &self.cursor.text[start..self.cursor.at];
        if !matches!(written, "" | ":") {
            self.assembly.change_container("colon_replaced", Value::from(written), Value::from(":"), false);
        }
        self.cursor.at > start
    }

    /// A comma, an end, or neither.
    pub(super) fn after(&mut self) -> Result<State, TooDeep> {
        let start = self.cursor.at;
        self.skip(true);
        let Some(c) = self.cursor.char(self.cursor.at) else { return Ok(self.end_of_text()) };
        let array = !self.frames.last().is_some_and(|frame| frame.is_object());
        match c {
            ',' => {
                self.cursor.at += 1;
                self.skip_to_next();
                self.extra_commas();
                if matches!(self.cursor.char(self.cursor.at), None | Some('}' | ']' | ')')) {
                    self.assembly.change_container("comma_removed", Value::from(","), Value::Null, false);
                }
                Ok(State::Next)
            }
            '，' | ';' => {
                self.cursor.at += c.len_utf8();
                self.assembly.change_container("comma_replaced", Value::from(c.to_string()), Value::from(","), false);
                Ok(State::Next)
            }
            '}' | ']' | ')' | '｝' | '］' => Ok(self.closer(c).unwrap_or(State::After)),
            ':' | '：' if array && self.assembly.last().is_some_and(Value::is_string) => {
                let Some(Value::String(key)) = self.assembly.take_last() else { return Ok(State::Next) };
                self.assembly.change("bracket_added", Value::Null, Value::from("{"), true);
                self.open(Frame::Bare, 0)?;
                self.assembly.key(key);
                self.colon();
                Ok(State::Value)
            }
            ':' | '：' => {
                self.junk();
                Ok(State::After)
            }
            _ if self.cursor.starts(self.cursor.at, "```") => Ok(self.end_of_text()),
            _ if self.frames.last() == Some(&Frame::Bare)
                && self.frames.len() == 1
                && (!self.cursor.key_follows(self.cursor.at) || self.is_apart(start, c)) =>
            {
                Ok(self.close())
            }
            _ => {
                if !(self.cursor.starts(self.cursor.at, "...") || c == '…') {
                    self.assembly.change_container("comma_added", Value::Null, Value::from(","), false);
                }
                Ok(State::Next)
            }
        }
    }

    /// Whether a name without quotes stands behind an empty line: `Note: all done` below fields without braces is prose.
    fn is_apart(&self, start: usize, c: char) -> bool {
        let between = &self.cursor.bytes[start..self.cursor.at];
        Quote::of(c).is_none() && between.iter().filter(|b| **b == b'\n').nth(1).is_some()
    }

    /// A closing bracket: the innermost container's, an outer one's, or nobody's.
    fn closer(&mut self, c: char) -> Option<State> {
        let ascii = match c {
            '｝' => '}',
            '］' => ']',
            c => c,
        };
        let length = c.len_utf8();
        let top = self.frames.last().copied()?;
        if top.closer() == Some(ascii) {
            self.cursor.at += length;
            return Some(self.close());
        }
        if top == Frame::Bare {
            let enclosed = self.frames.len() > 1;
            // `"a": 1}`: its end is there, its beginning was missing.
            if !enclosed && ascii == '}' {
                self.cursor.at += length;
            }
            if enclosed || ascii == '}' {
                return Some(self.close());
            }
        }
        let owned = self.frames.iter().any(|frame| frame.closer() == Some(ascii));
        let next = self.cursor.gap_end(self.cursor.at + length, true);
        let comma = self.cursor.byte(next) == Some(b',');
        let outer = self.frames.len().checked_sub(2).and_then(|at| self.frames.get(at));
        // `{"a": [1, 2}, "b": 3}`: the wrong bracket, not a missing one.
        let mistaken = owned && comma && !top.is_object() && outer.is_some_and(|frame| frame.is_object());
        let mistaken = mistaken && self.cursor.key_follows(next + 1);
        if mistaken || !owned && !comma && self.frames.len() == 1 {
            self.assembly.change_container("bracket_replaced", Value::from(c.to_string()), Value::Null, true);
            self.cursor.at += length;
            return Some(self.close());
        }
        if owned {
            self.assembly.change_container("bracket_added", Value::Null, Value::Null, true);
            return Some(self.close());
        }
        self.assembly.change_container("bracket_removed", Value::from(c.to_string()), Value::Null, false);
        self.cursor.at += length;
        None
    }

    /// Commas with nothing between them.
    pub(super) fn extra_commas(&mut self) {
        let mut commas = 0_u64;
        while matches!(self.cursor.char(self.cursor.at), Some(',' | '，')) {
            self.cursor.at += self.cursor.char(self.cursor.at).map_or(1, char::len_utf8);
            commas += 1;
            self.skip_to_next();
        }
        if commas > 0 {
            self.assembly.change_container("comma_removed", Value::from(commas), Value::Null, false);
        }
    }

    /// The text ends with containers open. What was begun is kept as far as it goes; a key without a value is not.
    pub(super) fn end_of_text(&mut self) -> State {
        if self.frames.iter().any(|frame| *frame != Frame::Bare) || self.role() == Role::Field {
            let frame = self.frames.last().copied();
            let place = self.assembly.place();
            let key = self.assembly.take_key();
            let tail = self.cursor.text[..self.cursor.at].char_indices().rev().nth(40).map_or(0, |(at, _)| at);
            let before = key.map_or_else(|| excerpt(&self.cursor.text[tail..self.cursor.at]), Value::from);
            // A call's bracket holds nothing that could be lost.
            let lossy = frame != Some(Frame::Call) || self.frames.len() > 1;
            let kind = if lossy { "truncated" } else { "bracket_added" };
            // A text that was cut off was told at its own place.
            if !(lossy && self.truncated) {
                self.assembly.change_at(place, kind, before, Value::Null, lossy);
            }
            self.truncated |= lossy;
        }
        while !self.frames.is_empty() {
            self.close();
        }
        State::After
    }
}
