//! A text of several lines that a person edits: lines, cursor, selection, undo, and which rows are seen. A pure value; how it is drawn is in
//! `widgets::editor`, how lines break into rows in `rows`, what can be undone in `history`. One line alone is `field`'s.
//!
//! Written here because no crate fits. ratatui-textarea 0.9.4 (the living one of its family: tui-textarea stands still) works without crossterm
//! and wraps, but its cursor counts code points, so it stops inside of what a person sees as one character, its text has no bound, and it
//! colours cells by itself; edtui 0.11 brings vi's modes and a clipboard. The rest of this program speaks in bytes and roles.

mod history;
mod keys;
pub mod rows;
#[cfg(test)]
mod tests;

use unicode_segmentation::GraphemeCursor;

use self::history::{Edit, History, Kind};
use self::rows::{Row, Rows, next_row, row_end};
use crate::units::{MIB, beginning, format_bytes};

/// A text is no longer than this, in bytes.
pub const LONGEST: usize = MIB as usize;

/// A place in the text: a line, from 0, and a byte of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub line: usize,
    pub byte: usize,
}

impl Place {
    pub fn new(line: usize, byte: usize) -> Self {
        Place { line, byte }
    }

    /// Where a text ends that begins here.
    fn after(self, text: &str) -> Place {
        match text.rfind('\n') {
            None => Place { byte: self.byte + text.len(), ..self },
            Some(last) => {
                let lines = text.bytes().filter(|b| *b == b'\n').count();
                Place { line: self.line + lines, byte: text.len() - last - 1 }
            }
        }
    }
}

#[derive(Debug, Clone)]
pub struct Editor {
    /// Without their ends; at least one.
    lines: Vec<String>,
    /// Bytes of the text, line ends among them.
    size: usize,
    /// At the border of a grapheme.
    cursor: Place,
    /// Where a selection began; it ends at the cursor.
    anchor: Option<Place>,
    /// The column that going up and down keeps to, in cells.
    wished: Option<usize>,
    history: History,
    /// What went wrong with the last key or paste, for a person.
    notice: Option<String>,
    revision: u64,
    /// The first row that is seen.
    top: Place,
    /// Cells that there are for text.
    room: (u16, u16),
    /// Of the cursor's line, as far as they are known.
    rows: Rows,
}

impl Default for Editor {
    fn default() -> Self {
        Editor {
            lines: vec![String::new()],
            size: 0,
            cursor: Place::default(),
            anchor: None,
            wished: None,
            history: History::default(),
            notice: None,
            revision: 0,
            top: Place::default(),
            room: (76, 16),
            rows: Rows::default(),
        }
    }
}

/// Line ends as the text keeps them: CRLF and CR become LF.
fn with_plain_ends(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() }
}

impl Editor {
    /// With the cursor at the beginning, and nothing to undo.
    pub fn new(text: &str) -> Self {
        let mut editor = Editor::default();
        editor.fill(text);
        (editor.revision, editor.cursor) = (0, Place::default());
        editor.history = History::default();
        editor
    }

    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Puts another text in place of all of it, which can be undone; the cursor goes to the beginning. What is longer than [`LONGEST`] is cut,
    /// and the notice says so.
    pub fn set_text(&mut self, text: &str) {
        self.notice = None;
        self.anchor = None;
        self.fill(text);
        self.history.seal();
        self.go(Place::default());
    }

    fn fill(&mut self, text: &str) {
        let text = with_plain_ends(text);
        let kept = beginning(&text, LONGEST);
        self.replace(Place::default(), self.end(), kept, Kind::Other);
        if kept.len() < text.len() {
            let whole = format_bytes(text.len() as u64);
            self.notice = Some(format!("cut: a text of {whole}, of which there is room for {}", limit()));
        }
    }

    /// Removes all of the text, which can be undone.
    pub fn clear(&mut self) {
        self.set_text("");
    }

    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Bytes of the text.
    pub fn len(&self) -> usize {
        self.size
    }

    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    pub fn cursor(&self) -> Place {
        self.cursor
    }

    /// Another number whenever the text is another one.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What went wrong with the last key or paste, in words.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// The place of a byte of the whole text; the end where there are not so many.
    pub fn place(&self, mut offset: usize) -> Place {
        for (line, text) in self.lines.iter().enumerate() {
            if offset <= text.len() {
                return Place { line, byte: offset };
            }
            offset -= text.len() + 1;
        }
        self.end()
    }

    /// Puts the cursor there, or before the character that is there.
    pub fn go_to(&mut self, place: Place) {
        self.anchor = None;
        self.history.seal();
        self.go(place);
    }

    /// Text that was pasted: as it is, whatever its size, up to the bound; what is too long is refused whole.
    pub fn paste(&mut self, text: &str) {
        self.notice = None;
        self.put(&with_plain_ends(text), Kind::Other);
        self.history.seal();
    }

    /// From where to where is selected, the earlier place first.
    pub fn selection(&self) -> Option<(Place, Place)> {
        let anchor = self.anchor.filter(|anchor| *anchor != self.cursor)?;
        Some((anchor.min(self.cursor), anchor.max(self.cursor)))
    }

    pub fn selected(&self) -> Option<String> {
        self.selection().map(|(from, to)| self.slice(from, to))
    }

    pub fn select_all(&mut self) {
        self.history.seal();
        self.go(self.end());
        self.anchor = Some(Place::default());
    }

    fn end(&self) -> Place {
        let line = self.lines.len() - 1;
        Place { line, byte: self.lines[line].len() }
    }

    fn slice(&self, from: Place, to: Place) -> String {
        if from.line == to.line {
            return self.lines[from.line][from.byte..to.byte].to_owned();
        }
        let mut text = self.lines[from.line][from.byte..].to_owned();
        for line in &self.lines[from.line + 1..to.line] {
            text.push('\n');
            text.push_str(line);
        }
        text.push('\n');
        text.push_str(&self.lines[to.line][..to.byte]);
        text
    }

    /// Puts text in at the cursor, in place of what is selected.
    fn put(&mut self, text: &str, kind: Kind) {
        let (from, to) = self.selection().unwrap_or((self.cursor, self.cursor));
        self.replace(from, to, text, kind);
    }

    /// Every change of the text: what stands between two places gives way to another text, and the cursor stands behind that.
    fn replace(&mut self, from: Place, to: Place, text: &str, kind: Kind) {
        let cursor = self.cursor;
        let removed = self.slice(from, to);
        let size = self.size - removed.len() + text.len();
        if size > LONGEST {
            let more = format_bytes(text.len() as u64);
            self.notice = Some(format!("a text has room for {}: {more} more do not fit, nothing was put in", limit()));
            return;
        }
        self.anchor = None;
        if removed == text {
            return self.go(from.after(text));
        }
        self.splice(from, to, text);
        self.history.push(Edit { at: from, removed, inserted: text.to_owned(), cursor }, kind);
        self.go(from.after(text));
    }

    fn splice(&mut self, from: Place, to: Place, text: &str) {
        if from.line == to.line && !text.contains('\n') {
            self.lines[from.line].replace_range(from.byte..to.byte, text);
            self.size = self.size + text.len() - (to.byte - from.byte);
        } else {
            let removed = |lines: &[String]| lines.iter().map(|line| line.len() + 1).sum::<usize>();
            let before = removed(&self.lines[from.line..=to.line]);
            let tail = self.lines[to.line][to.byte..].to_owned();
            let mut parts = text.split('\n');
            let first = &mut self.lines[from.line];
            first.truncate(from.byte);
            first.push_str(parts.next().unwrap_or_default());
            let mut new: Vec<String> = parts.map(str::to_owned).collect();
            new.last_mut().unwrap_or(first).push_str(&tail);
            let last = from.line + new.len();
            self.lines.splice(from.line + 1..=to.line, new);
            self.size = self.size + removed(&self.lines[from.line..=last]) - before;
        }
        self.revision += 1;
        self.rows.touch(from);
        // The first row on the screen stays where it can.
        if from.line < self.top.line || from.line == self.top.line && from.byte < self.top.byte {
            self.top = Place { line: from.line, byte: 0 };
        }
    }

    pub fn undo(&mut self) {
        match self.history.undo() {
            Some(Edit { at, removed, inserted, cursor }) => {
                self.splice(at, at.after(&inserted), &removed);
                self.go_to(cursor);
            }
            None => self.notice = Some("nothing to undo".into()),
        }
    }

    pub fn redo(&mut self) {
        match self.history.redo() {
            Some(Edit { at, removed, inserted, .. }) => {
                self.splice(at, at.after(&removed), &inserted);
                self.go_to(at.after(&inserted));
            }
            None => self.notice = Some("nothing to do again".into()),
        }
    }

    /// Every move of the cursor: to a border of characters, seen.
    fn go(&mut self, to: Place) {
        let line = to.line.min(self.lines.len() - 1);
        let text = &self.lines[line];
        let mut byte = to.byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        // A combining character may have joined what stands before.
        let is_border = GraphemeCursor::new(byte, text.len(), true).is_boundary(text, 0).unwrap_or(true);
        self.cursor = Place { line, byte: if is_border { byte } else { after(text, byte) } };
        self.wished = None;
        let mut rows = std::mem::take(&mut self.rows);
        self.top = self.first_row(self.room, &mut rows);
        self.rows = rows;
    }

    /// Cells that the text has on the screen: [`crate::ui::widgets::editor::room`] knows them. Known sizes make keys and frames quick.
    pub fn resize(&mut self, width: u16, height: u16) {
        if self.room != (width, height) {
            self.room = (width, height);
            self.top = self.first_row(self.room, &mut Rows::default());
        }
    }

    /// Where the mouse was pressed, counted from the upper left cell of the text.
    pub fn click(&mut self, column: u16, row: u16) {
        let seen = self.seen(self.room.0, self.room.1);
        let Some(row) = seen.get(usize::from(row)).or(seen.last()) else { return };
        let text = &self.lines[row.line];
        let byte = rows::at_column(text, row, column.into());
        self.go_to(Place { line: row.line, byte });
    }

    /// The rows that are seen in so many cells, from the top. Quick in the room that the editor was told of.
    pub fn seen(&self, width: u16, height: u16) -> Vec<Row> {
        let mut at = match (width, height) == self.room {
            true => Some(self.top),
            false => Some(self.first_row((width, height), &mut Rows::default())),
        };
        let mut seen = Vec::new();
        while let Some(from) = at.filter(|_| seen.len() < usize::from(height)) {
            let text = &self.lines[from.line];
            let end = row_end(text, from.byte, rows::cells_of(width));
            seen.push(Row { line: from.line, from: from.byte, to: end, is_last: end == text.len() });
            at = next_row(&self.lines, from, rows::cells_of(width));
        }
        seen
    }

    /// The first row that has to be seen for the cursor to be seen: the one that is, if that does.
    fn first_row(&self, (width, height): (u16, u16), rows: &mut Rows) -> Place {
        let (width, height) = (rows::cells_of(width), usize::from(height.max(1)));
        let line = self.cursor.line;
        let row = rows.of(line, &self.lines[line], width, self.cursor.byte);
        let current = Place { line, byte: rows.starts()[row] };
        let mut top = self.top;
        if top.line >= self.lines.len() || (top.line, top.byte) > (line, current.byte) {
            return current;
        }
        if top.line == line {
            let first = rows.of(line, &self.lines[line], width, top.byte);
            top.byte = rows.starts()[first];
            if row - first < height {
                return top;
            }
        } else {
            let mut at = Some(top);
            for _ in 0..height {
                match at {
                    Some(place) if place == current => return top,
                    Some(place) => at = next_row(&self.lines, place, width),
                    None => break,
                }
            }
        }
        // The cursor is below: it gets the last row.
        let mut back = height - 1;
        if row >= back {
            return Place { line, byte: rows.starts()[row - back] };
        }
        back -= row;
        for (line, text) in self.lines[..line].iter().enumerate().rev() {
            let mut rows = Rows::default();
            let count = rows.all(line, text, width);
            if count >= back {
                return Place { line, byte: rows.starts()[count - back] };
            }
            back -= count;
        }
        Place::default()
    }
}

fn limit() -> String {
    format_bytes(LONGEST as u64)
}

/// The border of a grapheme before a byte.
fn before(text: &str, byte: usize) -> usize {
    GraphemeCursor::new(byte, text.len(), true).prev_boundary(text, 0).ok().flatten().unwrap_or(0)
}

/// The border of a grapheme after a byte.
fn after(text: &str, byte: usize) -> usize {
    GraphemeCursor::new(byte, text.len(), true).next_boundary(text, 0).ok().flatten().unwrap_or(text.len())
}
