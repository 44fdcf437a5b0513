//! A file of rows that is worked through: how far it is, what the rows say together, and which of them are looked at.

use crate::extract::report::{RowResult, Summary};
use crate::ui::state::field::Field;

/// From so many rows on the traces of those that passed are not kept: nobody opens them all, and each may be long.
const MOST_TRACES: usize = 2_000;

#[derive(Debug, Clone)]
pub struct Batch {
    /// The file's path, as it is typed.
    pub path: Field,
    /// The path is being typed.
    pub typing: bool,
    /// Rows in all, once the file was read.
    pub total: Option<u64>,
    pub summary: Summary,
    rows: Vec<RowResult>,
    /// Places of the rows that failed.
    failing: Vec<usize>,
    /// All rows are listed, not only those that failed.
    pub all: bool,
    /// The place in the list.
    pub selected: usize,
    pub began_ms: u64,
    /// It was worked through, as far as that went.
    pub ended: bool,
    pub cancelled: bool,
}

impl Default for Batch {
    fn default() -> Self {
        Batch {
            path: Field::default(),
            typing: false,
            total: None,
            summary: Summary::new(),
            rows: Vec::new(),
            failing: Vec::new(),
            all: false,
            selected: 0,
            began_ms: 0,
            ended: false,
            cancelled: false,
        }
    }
}

impl Batch {
    pub(super) fn begin(&mut self, now_ms: u64) {
        let (path, all) = (std::mem::take(&mut self.path), self.all);
        *self = Batch { path, all, began_ms: now_ms, ..Batch::default() };
    }

    pub(super) fn end(&mut self, cancelled: bool) {
        (self.ended, self.cancelled) = (true, cancelled);
    }

    pub(super) fn add(&mut self, mut row: RowResult) {
        self.summary.add(&row);
        if fails(&row) {
            self.failing.push(self.rows.len());
        } else if self.rows.len() >= MOST_TRACES {
            row.trace = None;
        }
        self.rows.push(row);
    }

    pub fn done(&self) -> usize {
        self.rows.len()
    }

    pub fn failed(&self) -> usize {
        self.failing.len()
    }

    /// How many rows are listed.
    pub fn len(&self) -> usize {
        if self.all { self.rows.len() } else { self.failing.len() }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A row of the list.
    pub fn row(&self, at: usize) -> Option<&RowResult> {
        if self.all { self.rows.get(at) } else { self.rows.get(*self.failing.get(at)?) }
    }

    pub(in crate::ui) fn move_by(&mut self, by: isize) {
        let last = self.len().saturating_sub(1);
        self.selected = self.selected.min(last).saturating_add_signed(by).min(last);
    }

    pub(in crate::ui) fn show_all(&mut self, all: bool) {
        (self.all, self.selected) = (all, 0);
    }
}

/// Whether a row has no value, or a wrong one.
pub fn fails(row: &RowResult) -> bool {
    !row.ok || row.exact == Some(false)
}
