//! Broken JSON to a value: one pass with an explicit stack, which decides what a missing or superfluous mark meant.
//! Texts, numbers and words are `quoted`'s and `bare`'s. Next: `super` for where in a text it is set going.

use serde_json::Value;

use super::bare::{Bare, bare};
use super::cursor::{Cursor, Quote};
use super::quoted::{Read, Role, escaped_quoted, quoted};
use crate::extract::attempt::Change;
use crate::extract::parse::assembly::{Assembly, TooDeep};
use crate::extract::parse::strict;
use crate::units;

/// Of what was left out, so much is quoted.
const EXCERPT: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Object,
    /// An object without braces of its own: `["a": 1]`, `"a": 1`.
    Bare,
    Array,
    Tuple,
    Call,
}

impl Frame {
    fn closer(self) -> Option<char> {
        match self {
            Frame::Object => Some('}'),
            Frame::Bare => None,
            Frame::Array => Some(']'),
            Frame::Tuple | Frame::Call => Some(')'),
        }
    }

    fn is_object(self) -> bool {
        matches!(self, Frame::Object | Frame::Bare)
    }
}

/// What is to be read next.
enum State {
    Value,
    /// A container has just been opened.
    First,
    /// A key or an item, or the container's end.
    Next,
    /// A value has been read.
    After,
}

/// One value or several, and where the last ended.
pub struct Document {
    pub values: Vec<Value>,
    pub changes: Vec<Change>,
    pub end: usize,
    /// What is left of the allowance for looks ahead.
    pub allowance: usize,
}

struct Machine<'a> {
    cursor: Cursor<'a>,
    assembly: Assembly,
    frames: Vec<Frame>,
    /// Where the innermost object's first key begins, should it turn out to be a set's item.
    first_key: usize,
    truncated: bool,
    /// Where the last comment ended: what stands in one is not looked through for more values.
    comment_end: usize,
}

/// Reads the value that begins at `from` and, with `several`, all that follow it with commas or white space between.
/// # Errors
/// Nested deeper than 512.
pub fn read(text: &str, from: usize, several: bool, allowance: usize) -> Result<Document, TooDeep> {
    let mut machine = Machine {
        cursor: Cursor::new(text, from, allowance),
        assembly: Assembly::default(),
        frames: Vec::new(),
        first_key: 0,
        truncated: false,
        comment_end: 0,
    };
    let end = machine.document(several)?;
    let allowance = machine.cursor.allowance();
    let (values, changes) = machine.assembly.finish();
    Ok(Document { values, changes, end, allowance })
}

impl Machine<'_> {
    fn document(&mut self, several: bool) -> Result<usize, TooDeep> {
        self.skip(true);
        self.run(State::Value)?;
        let mut end = self.cursor.at;
        loop {
            let comma = self.root_separator();
            let next = self.cursor.char(self.cursor.at);
            // An object that was ended too early: `{"a": 1}, "b": 2}`.
            if comma && self.assembly.last().is_some_and(Value::is_object) && self.cursor.key_follows(self.cursor.at) {
                self.assembly.change("bracket_removed", Value::from("}"), Value::Null, true);
                self.assembly.reopen()?;
                self.frames.push(Frame::Object);
                self.run(State::Next)?;
                end = self.cursor.at;
                continue;
            }
            // A key outside any object: `"a": 1, "b": 2`.
            if matches!(next, Some(':' | '：')) && self.assembly.last().is_some_and(Value::is_string) {
                let Some(Value::String(key)) = self.assembly.take_last() else { break };
                self.assembly.change("bracket_added", Value::Null, Value::from("{"), true);
                self.open(Frame::Bare, 0)?;
                self.assembly.key(key);
                self.colon();
                self.run(State::Value)?;
                if !self.frames.is_empty() {
                    self.run(State::After)?;
                }
                end = self.cursor.at;
                continue;
            }
            let begins = matches!(next, Some('{' | '['))
                || comma && next.is_some_and(|c| Quote::of(c).is_some() || c.is_alphanumeric());
            if !several || !begins || self.truncated {
                break;
            }
            self.run(State::Value)?;
            end = self.cursor.at;
        }
        let end = end.max(self.comment_end);
        Ok(self.redundant(end))
    }

    /// White space, comments and commas between values outside any container; whether there was a comma or a new line.
    fn root_separator(&mut self) -> bool {
        let start = self.cursor.at;
        self.skip(true);
        let mut comma = false;
        while matches!(self.cursor.byte(self.cursor.at), Some(b',' | b';')) {
            comma = true;
            self.cursor.at += 1;
            self.skip(true);
        }
        comma || self.cursor.bytes[start..self.cursor.at].contains(&b'\n')
    }

    /// Closing brackets that nothing had opened.
    fn redundant(&mut self, end: usize) -> usize {
        let mut at = end;
        let mut last = end;
        while let Some(c) = self.cursor.char(at) {
            if matches!(c, '}' | ']' | ')') {
                last = at + 1;
            } else if c != ',' && self.cursor.space_length(at) == 0 {
                break;
            }
            at += c.len_utf8();
        }
        let removed: String = self.cursor.text[end..last].chars().filter(|c| matches!(c, '}' | ']' | ')')).collect();
        if !removed.is_empty() {
            self.assembly.change("bracket_removed", excerpt(&removed), Value::Null, false);
        }
        last
    }

    fn run(&mut self, mut state: State) -> Result<(), TooDeep> {
        // Until the container that is being read, or the one value that is asked for, is complete.
        let floor = self.frames.len().saturating_sub(usize::from(!matches!(state, State::Value)));
        loop {
            state = match state {
                State::Value => self.value()?,
                State::First => {
                    self.skip(true);
                    self.extra_commas();
                    State::Next
                }
                State::Next => self.next()?,
                State::After if self.frames.len() <= floor => return Ok(()),
                State::After => self.after()?,
            };
        }
    }

    fn role(&self) -> Role {
        match self.frames.last() {
            None => Role::Root,
            Some(frame) if frame.is_object() => Role::Field,
            Some(_) => Role::Item,
        }
    }

    /// White space and comments.
    fn skip(&mut self, newlines: bool) {
        let length = self.cursor.bytes.len();
        loop {
            self.cursor.at = self.cursor.blank_end(self.cursor.at, newlines, length);
            let start = self.cursor.at;
            let Some(end) = self.cursor.comment_end(start, length) else { return };
            // Within a list or an object, `// ... 8 more` stands for what is not there.
            let lossy = !self.frames.is_empty() && stands_for_more(&self.cursor.text[start..end]);
            self.assembly.change("comment_removed", excerpt(&self.cursor.text[start..end]), Value::Null, lossy);
            self.cursor.at = end;
            self.comment_end = end;
        }
    }

    fn open(&mut self, frame: Frame, length: usize) -> Result<State, TooDeep> {
        match frame {
            Frame::Object | Frame::Bare => self.assembly.open_object()?,
            Frame::Array | Frame::Tuple => self.assembly.open_array()?,
            Frame::Call => self.assembly.open_group()?,
        }
        self.frames.push(frame);
        self.cursor.at += length;
        Ok(State::First)
    }

    fn close(&mut self) -> State {
        self.frames.pop();
        self.assembly.close();
        State::After
    }

    fn value(&mut self) -> Result<State, TooDeep> {
        self.skip(true);
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
            Some(Bare::Text(read)) => self.text(read, role),
            None => {
                self.junk();
                return Ok(if role == Role::Item { State::Next } else { State::Value });
            }
        }
        Ok(State::After)
    }

    /// A quoted text in any of its forms.
    fn string(&mut self, c: char, role: Role) -> Option<Read> {
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
        self.assembly.change("call_unwrapped", Value::from(called), Value::Null, false);
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
    fn junk(&mut self) {
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

    /// A key or an item, or the container's end.
    fn next(&mut self) -> Result<State, TooDeep> {
        self.skip(true);
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
            None => match super::bare::text(&mut self.cursor, Role::Key, false) {
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
    fn colon(&mut self) -> bool {
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
    fn after(&mut self) -> Result<State, TooDeep> {
        self.skip(true);
        let Some(c) = self.cursor.char(self.cursor.at) else { return Ok(self.end_of_text()) };
        let array = !self.frames.last().is_some_and(|frame| frame.is_object());
        match c {
            ',' => {
                self.cursor.at += 1;
                self.skip(true);
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
                && !self.cursor.key_follows(self.cursor.at) =>
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
    fn extra_commas(&mut self) {
        let mut commas = 0_u64;
        while matches!(self.cursor.char(self.cursor.at), Some(',' | '，')) {
            self.cursor.at += self.cursor.char(self.cursor.at).map_or(1, char::len_utf8);
            commas += 1;
            self.skip(true);
        }
        if commas > 0 {
            self.assembly.change_container("comma_removed", Value::from(commas), Value::Null, false);
        }
    }

    /// The text ends with containers open. What was begun is kept as far as it goes; a key without a value is not.
    fn end_of_text(&mut self) -> State {
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

/// Whether a comment says that something is not written out.
fn stands_for_more(comment: &str) -> bool {
    let said = comment.to_lowercase();
    let mut words = said.split(|c: char| !c.is_alphanumeric());
    let word = |word: &str| {
        matches!(word, "more" | "etc" | "rest" | "remaining" | "omitted" | "truncated" | "others" | "생략" | "등등")
    };
    said.contains("...") || said.contains('…') || said.contains("so on") || words.any(word)
}

/// The beginning of a text, as a change quotes it.
fn excerpt(text: &str) -> Value {
    let beginning = units::beginning(text, EXCERPT);
    Value::from(if beginning.len() < text.len() { format!("{beginning}…") } else { text.to_owned() })
}
