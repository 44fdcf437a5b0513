//! Broken JSON to a value: one pass with an explicit stack, which decides what a missing or superfluous mark meant. Here are the stack, the
//! pass, and what stands outside any container; a value is `value`'s, what stands around values `marks`'. Next: `super` for where in a text
//! it is set going.

mod marks;
mod value;

use serde_json::Value;

use super::cursor::{Cursor, Quote};
use super::is_word;
use super::quoted::Role;
use crate::extract::attempt::Change;
use crate::extract::parse::assembly::{Assembly, TooDeep};
use crate::extract::parse::{comments, segments};
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

/// What stands between two values outside any container.
struct Between {
    comma: bool,
    /// Whether the second is in another line.
    line: bool,
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
    /// Where the last text without quotes ended: what seems a comment right behind it may be more of it, `Fix bug # 12`.
    bare_end: usize,
}

/// Reads the value that begins at `from` and all that follow it with commas or new lines between; with `list`, texts side by side too.
/// # Errors
/// Nested deeper than 512.
pub fn read(text: &str, from: usize, list: bool, allowance: usize) -> Result<Document, TooDeep> {
    let mut machine = Machine {
        cursor: Cursor::new(text, from, allowance),
        assembly: Assembly::default(),
        frames: Vec::new(),
        first_key: 0,
        truncated: false,
        comment_end: 0,
        bare_end: 0,
    };
    let end = machine.document(list)?;
    let allowance = machine.cursor.allowance();
    let (values, changes) = machine.assembly.finish();
    Ok(Document { values, changes, end, allowance })
}

impl Machine<'_> {
    fn document(&mut self, list: bool) -> Result<usize, TooDeep> {
        self.skip(true);
        self.run(State::Value)?;
        let mut end = self.cursor.at;
        loop {
            let Between { comma, line } = self.root_separator();
            let next = self.cursor.char(self.cursor.at);
            let quote = next.is_some_and(|c| Quote::of(c).is_some());
            // An object that was ended too early: `{"a": 1}, "b": 2}`. In another line `Note: all done` is prose.
            if (comma || line && quote)
                && self.assembly.last().is_some_and(Value::is_object)
                && self.cursor.key_follows(self.cursor.at)
            {
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
            let scalar = next.is_some_and(|c| quote || c.is_alphanumeric());
            let begins = match next {
                Some('{') => true,
                // `[Note]` in another line.
                Some('[') => comma || !line || segments::begins_json(self.cursor.text, self.cursor.at),
                _ if comma && (quote || !line) => scalar,
                _ => scalar && line && is_a_value(&self.cursor.text[self.cursor.at..]),
            };
            let begins = begins || list && quote && self.assembly.last().is_some_and(Value::is_string);
            if !begins || self.truncated {
                break;
            }
            self.run(State::Value)?;
            end = self.cursor.at;
        }
        let end = end.max(self.comment_end);
        Ok(self.redundant(end))
    }

    /// White space, comments and commas between values outside any container.
    fn root_separator(&mut self) -> Between {
        let start = self.cursor.at;
        self.skip(true);
        let mut comma = false;
        while matches!(self.cursor.byte(self.cursor.at), Some(b',' | b';')) {
            comma = true;
            self.cursor.at += 1;
            self.skip(true);
        }
        Between { comma, line: self.cursor.bytes[start..self.cursor.at].contains(&b'\n') }
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
                    self.skip_to_next();
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
        self.pass_over(newlines, false);
    }

    /// White space and comments before a value, which may itself begin as a comment does: `{"color": #ff0000}`.
    fn skip_to_value(&mut self) {
        self.pass_over(true, true);
    }

    /// White space and comments before a key, an item or an end.
    fn skip_to_next(&mut self) {
        self.pass_over(true, self.role() == Role::Item);
    }

    fn pass_over(&mut self, newlines: bool, to_value: bool) {
        let length = self.cursor.bytes.len();
        loop {
            self.cursor.at = self.cursor.blank_end(self.cursor.at, newlines, length);
            let start = self.cursor.at;
            if to_value && self.is_text(start) {
                return;
            }
            let Some(end) = self.cursor.comment_end(start, length) else { return };
            let comment = &self.cursor.text[start..end];
            let within = !self.frames.is_empty();
            // What stands before all values introduces them.
            let lossy = if within || self.assembly.last().is_some() {
                comments::is_lost(comment, self.role() == Role::Item) || within && self.may_be_text(start)
            } else {
                comments::holds_json(comment)
            };
            self.assembly.change("comment_removed", excerpt(comment), Value::Null, lossy);
            self.cursor.at = end;
            self.comment_end = end;
        }
    }

    /// Whether a comment to the line's end stands right behind a text that has no quotes to end it.
    fn may_be_text(&self, start: usize) -> bool {
        let between = self.cursor.text.get(self.bare_end..start);
        self.bare_end > 0
            && !self.cursor.text[start..].starts_with("/*")
            && between.is_some_and(|between| between.trim_matches([' ', '\t']).is_empty())
    }

    /// Whether `#…` or `//…` in the place of a value is the value: as a comment to the line's end it would take the container's end with it,
    /// or leave the key without a value.
    fn is_text(&mut self, start: usize) -> bool {
        let mark = match self.cursor.byte(start) {
            Some(b'#') => 1,
            Some(b'/') if self.cursor.byte(start + 1) == Some(b'/') => 2,
            _ => return false,
        };
        let role = self.role();
        let tight = self.cursor.space_length(start + mark) == 0;
        // A line of its own is a comment.
        let before = self.cursor.text[..start].trim_end_matches([' ', '\t']);
        if role == Role::Root || role == Role::Item && !tight || before.ends_with(['\n', '\r']) {
            return false;
        }
        let horizon = self.cursor.horizon(start);
        let Some(end) = self.cursor.comment_end(start, horizon) else { return false };
        self.cursor.spent(end - start);
        let line = &self.cursor.bytes[start..end];
        let closes = match role {
            Role::Item => line.contains(&b']'),
            _ => line.contains(&b'}'),
        };
        let comma = line.contains(&b',');
        let next = self.cursor.gap_end(end, true);
        match self.cursor.char(next) {
            None => closes || tight && comma && role == Role::Field,
            Some(_) if role == Role::Item => closes,
            Some('}' | ']' | ',') => tight,
            Some(_) => tight && self.cursor.key_follows(next),
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
}

/// Whether the line that a text begins with is a value, of several one a line: what is none is prose, though it may begin with one.
fn is_a_value(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default().trim_end();
    let Some(first) = line.chars().next() else { return false };
    if let Some(quote) = Quote::of(first) {
        let within = &line[first.len_utf8()..];
        // One without an end may be cut off; an apostrophe begins a word as well.
        let Some((end, c)) = within.char_indices().find(|(_, c)| quote.closes(*c)) else { return first == '"' };
        let behind = &within[end + c.len_utf8()..];
        let goes_on = behind.starts_with(' ') && behind.trim_start().starts_with(char::is_alphanumeric);
        return !goes_on || line.trim_end_matches([',', ';']).ends_with(|c| quote.closes(c));
    }
    let end = line.find(|c: char| c.is_whitespace() || matches!(c, ',' | ';')).unwrap_or(line.len());
    let (word, behind) = line.split_at(end);
    let behind = behind.trim_start();
    let ends = behind.is_empty() || behind.starts_with([',', ';', '#']) || behind.starts_with("//");
    ends && (is_word(word) || matches!(word, "true" | "false" | "null"))
}

/// The beginning of a text, as a change quotes it.
fn excerpt(text: &str) -> Value {
    let beginning = units::beginning(text, EXCERPT);
    Value::from(if beginning.len() < text.len() { format!("{beginning}…") } else { text.to_owned() })
}
