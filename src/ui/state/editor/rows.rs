//! Lines as rows of cells: broken after blanks where there are any, else between characters. A row is found from where it begins, so that a
//! frame costs what it shows, however long the line is.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::Place;
use crate::units::{beginning, printable};

/// Cells from one stop of the tabulator to the next.
const TAB: usize = 4;
/// A character with more marks on it than these bytes is shown without the rest.
const LONGEST_CHARACTER: usize = 64;

/// A row on the screen: the bytes `from..to` of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub line: usize,
    pub from: usize,
    pub to: usize,
    /// The line ends with it.
    pub is_last: bool,
}

/// What a person sees as one character, and how it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<'a> {
    /// Its bytes in the line.
    pub from: usize,
    pub to: usize,
    pub text: Cow<'a, str>,
    /// Cells, at least one: nothing in a text is invisible.
    pub width: usize,
}

/// The cells of a row in so many cells: one is left for the cursor behind the last character.
pub fn cells_of(width: u16) -> usize {
    usize::from(width.saturating_sub(1).max(1))
}

/// The characters of a row that begins there; where it ends is the caller's.
pub fn shown(line: &str, from: usize) -> impl Iterator<Item = Shown<'_>> {
    let mut column = 0;
    line[from..].grapheme_indices(true).map(move |(at, cluster)| {
        let text: Cow<str> = match cluster.as_bytes() {
            b"\t" => " ".repeat(TAB - column % TAB).into(),
            [b' '..=b'~'] => cluster.into(),
            _ => printable(beginning(cluster, LONGEST_CHARACTER)).into(),
        };
        let (text, width) = match text.width() {
            0 => ("�".into(), 1),
            width => (text, width),
        };
        column += width;
        Shown { from: from + at, to: from + at + cluster.len(), text, width }
    })
}

/// Where the row that begins at a byte ends. A blank that does not fit stays, in the cell that is left for the cursor.
pub fn row_end(line: &str, from: usize, width: usize) -> usize {
    let (mut used, mut blank) = (0, None);
    for character in shown(line, from) {
        let is_blank = character.text.starts_with(' ');
        used += character.width;
        if used > width && character.from > from {
            return match blank {
                _ if is_blank && used == width + 1 => character.to,
                Some(after) => after,
                None => character.from,
            };
        }
        if is_blank {
            blank = Some(character.to);
        }
    }
    line.len()
}

/// The row behind the one that begins there.
pub fn next_row(lines: &[String], at: Place, width: usize) -> Option<Place> {
    let text = lines.get(at.line)?;
    let end = row_end(text, at.byte, width);
    if end < text.len() {
        return Some(Place { byte: end, ..at });
    }
    (at.line + 1 < lines.len()).then(|| Place { line: at.line + 1, byte: 0 })
}

/// The byte of a row that is at a column, or the nearest before it.
pub fn at_column(line: &str, row: &Row, column: usize) -> usize {
    let (mut used, mut last) = (0, row.from);
    for character in shown(line, row.from).take_while(|c| c.from < row.to) {
        last = character.from;
        used += character.width;
        if used > column {
            return last;
        }
    }
    // The end of a row that goes on is the beginning of the next.
    if row.is_last { row.to } else { last }
}

/// The column of a byte of a row.
pub fn column(line: &str, from: usize, byte: usize) -> usize {
    shown(line, from).take_while(|c| c.from < byte).map(|c| c.width).sum()
}

/// Where the rows of one line begin, as far as they were asked for.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    line: usize,
    width: usize,
    starts: Vec<usize>,
    is_whole: bool,
}

impl Rows {
    pub fn starts(&self) -> &[usize] {
        &self.starts
    }

    fn open(&mut self, line: usize, width: usize) {
        if self.starts.is_empty() || (self.line, self.width) != (line, width) {
            (self.line, self.width, self.is_whole) = (line, width, false);
            self.starts.clear();
            self.starts.push(0);
        }
    }

    fn extend(&mut self, text: &str) {
        let from = self.starts.last().copied().unwrap_or(0);
        match row_end(text, from, self.width) {
            end if end < text.len() => self.starts.push(end),
            _ => self.is_whole = true,
        }
    }

    /// The row that holds a byte of this line.
    pub fn of(&mut self, line: usize, text: &str, width: usize, byte: usize) -> usize {
        self.open(line, width);
        while !self.is_whole && self.starts.last().is_some_and(|start| *start <= byte) {
            self.extend(text);
        }
        self.starts.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    /// How many rows this line has.
    pub fn all(&mut self, line: usize, text: &str, width: usize) -> usize {
        self.open(line, width);
        while !self.is_whole {
            self.extend(text);
        }
        self.starts.len()
    }

    /// A row of this line, if it has so many.
    pub fn get(&mut self, line: usize, text: &str, width: usize, row: usize) -> Option<Row> {
        self.open(line, width);
        while !self.is_whole && self.starts.len() <= row + 1 {
            self.extend(text);
        }
        let from = *self.starts.get(row)?;
        let next = self.starts.get(row + 1).copied();
        Some(Row { line, from, to: next.unwrap_or(text.len()), is_last: next.is_none() })
    }

    /// Forgets what a change at this place can have moved: a word may go back to the row before.
    pub fn touch(&mut self, at: Place) {
        if at.line < self.line {
            self.starts.clear();
        } else if at.line == self.line {
            let holds = self.starts.partition_point(|start| *start <= at.byte);
            self.starts.truncate(holds.saturating_sub(2).max(1));
            self.is_whole = false;
        }
    }
}
