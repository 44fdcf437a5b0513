//! What keys do in an editor: the same as in a field (`state::field`), and what several lines need.

use super::history::Kind;
use super::rows::{self, at_column, column};
use super::{Editor, Place, after, before};
use crate::ui::message::Key;

impl Editor {
    /// Takes a key that edits or moves; false when it means nothing here, such as Esc without a selection, Tab or F5. The caller says which
    /// keys never come here: what suspends (Ctrl-Z) undoes, if it comes.
    pub fn key(&mut self, key: Key) -> bool {
        let notice = self.notice.take();
        match key {
            Key::Char(c) => self.put(c.encode_utf8(&mut [0; 4]), Kind::Typed),
            Key::Enter => self.put("\n", Kind::Typed),
            Key::Backspace => self.rub_out(Self::left),
            Key::Delete | Key::Ctrl('d') => self.rub_out(Self::right),
            Key::Ctrl('w') => self.rub_out(Self::word_left),
            Key::Alt('d') => self.rub_out(Self::word_right),
            Key::Ctrl('u') => self.rub_out(|editor| Place { byte: 0, ..editor.cursor }),
            Key::Ctrl('k') => self.rub_out(Self::rest_of_line),
            Key::Ctrl('z' | '_') | Key::Alt('z') => self.undo(),
            Key::Ctrl('y') | Key::Alt('Z') => self.redo(),
            Key::Alt('a') => self.select_all(),
            Key::Ctrl(' ') => self.anchor = Some(self.cursor),
            Key::Esc if self.selection().is_some() => self.anchor = None,
            _ => {
                let moved = self.moved(key);
                if !moved {
                    self.notice = notice;
                }
                return moved;
            }
        }
        true
    }

    fn moved(&mut self, key: Key) -> bool {
        let page = usize::from(self.room.1.max(2)) as isize - 1;
        let to = match key {
            Key::Left | Key::Ctrl('b') => self.left(),
            Key::Right | Key::Ctrl('f') => self.right(),
            Key::Alt('b') => self.word_left(),
            Key::Alt('f') => self.word_right(),
            Key::Home | Key::Ctrl('a') => Place { byte: 0, ..self.cursor },
            Key::End | Key::Ctrl('e') => Place { byte: usize::MAX, ..self.cursor },
            Key::Alt('<') => Place::default(),
            Key::Alt('>') => self.end(),
            Key::Up => return self.move_rows(-1),
            Key::Down => return self.move_rows(1),
            Key::PageUp => return self.move_rows(-page),
            Key::PageDown => return self.move_rows(page),
            _ => return false,
        };
        self.history.seal();
        self.go(to);
        true
    }

    /// Moves by rows of the screen and keeps the column that was wished for; a move beyond an end stops there.
    pub fn move_rows(&mut self, by: isize) -> bool {
        self.history.seal();
        let width = rows::cells_of(self.room.0);
        let mut line = self.cursor.line;
        let mut row = self.rows.of(line, &self.lines[line], width, self.cursor.byte);
        let from = self.rows.starts()[row];
        let wished = self.wished.unwrap_or_else(|| column(&self.lines[line], from, self.cursor.byte));
        for _ in 0..by.unsigned_abs() {
            if by < 0 {
                match (row, line) {
                    (0, 0) => break,
                    (0, _) => {
                        line -= 1;
                        row = self.rows.all(line, &self.lines[line], width) - 1;
                    }
                    _ => row -= 1,
                }
            } else if self.rows.get(line, &self.lines[line], width, row + 1).is_some() {
                row += 1;
            } else if line + 1 < self.lines.len() {
                (line, row) = (line + 1, 0);
            } else {
                break;
            }
        }
        if let Some(row) = self.rows.get(line, &self.lines[line], width, row) {
            let byte = at_column(&self.lines[line], &row, wished);
            self.go(Place { line, byte });
        }
        self.wished = Some(wished);
        true
    }

    /// Removes what is selected, or else what lies between the cursor and where a move would lead.
    fn rub_out(&mut self, to: impl Fn(&Editor) -> Place) {
        let (from, to) = self.selection().unwrap_or_else(|| {
            let to = to(self);
            (to.min(self.cursor), to.max(self.cursor))
        });
        if from == to {
            self.anchor = None;
            return;
        }
        self.replace(from, to, "", Kind::RubbedOut);
    }

    fn left(&self) -> Place {
        let Place { line, byte } = self.cursor;
        match (line, byte) {
            (0, 0) => self.cursor,
            (_, 0) => Place { line: line - 1, byte: self.lines[line - 1].len() },
            _ => Place { line, byte: before(&self.lines[line], byte) },
        }
    }

    fn right(&self) -> Place {
        let Place { line, byte } = self.cursor;
        match byte < self.lines[line].len() {
            true => Place { line, byte: after(&self.lines[line], byte) },
            false if line + 1 < self.lines.len() => Place { line: line + 1, byte: 0 },
            false => self.cursor,
        }
    }

    /// The beginning of the word before the cursor; at the beginning of a line, the end of the one above.
    fn word_left(&self) -> Place {
        let Place { line, byte } = self.cursor;
        if byte == 0 {
            return self.left();
        }
        let kept = self.lines[line][..byte].trim_end();
        let blank = kept.char_indices().rev().find(|(_, c)| c.is_whitespace());
        Place { line, byte: blank.map_or(0, |(at, c)| at + c.len_utf8()) }
    }

    /// The end of the word behind the cursor; at the end of a line, the beginning of the one below.
    fn word_right(&self) -> Place {
        let Place { line, byte } = self.cursor;
        let rest = &self.lines[line][byte..];
        if rest.is_empty() {
            return self.right();
        }
        let word = rest.trim_start();
        let end = word.find(char::is_whitespace).unwrap_or(word.len());
        Place { line, byte: byte + (rest.len() - word.len()) + end }
    }

    /// The end of the line; from there, the beginning of the next.
    fn rest_of_line(&self) -> Place {
        match self.cursor.byte < self.lines[self.cursor.line].len() {
            true => Place { byte: self.lines[self.cursor.line].len(), ..self.cursor },
            false => self.right(),
        }
    }
}
