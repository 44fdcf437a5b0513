//! The rows of a report in an order: by any column, either way, and those alone that a filter finds. Sorted when the order or the rows
//! change, never when a frame is drawn.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::eval::report::{Ended, Report, ReportRow};
use crate::ui::state::log::pattern::Pattern;

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Column {
    Line,
    #[default]
    Bleu,
    Chrf,
    Tokens,
    Ended,
    Hypothesis,
}

impl Column {
    pub const ALL: [Column; 6] =
        [Column::Line, Column::Bleu, Column::Chrf, Column::Tokens, Column::Ended, Column::Hypothesis];

    pub fn name(self) -> &'static str {
        match self {
            Column::Line => "line",
            Column::Bleu => "BLEU",
            Column::Chrf => "chrF",
            Column::Tokens => "tok",
            Column::Ended => "end",
            Column::Hypothesis => "hypothesis",
        }
    }

    /// The column beside it; the last one is beside the first.
    pub fn beside(self, by: usize) -> Self {
        let at = Column::ALL.iter().position(|&column| column == self).unwrap_or(0);
        Column::ALL[(at + by) % Column::ALL.len()]
    }

    /// The lowest first: of scores that is the worst. Of equal ones the earlier row is first.
    fn compare(self, a: &ReportRow, b: &ReportRow) -> Ordering {
        let ended = |row: &ReportRow| match row.ended {
            Ended::MaxNewTokens => 0,
            Ended::StopString => 1,
            Ended::EndToken => 2,
        };
        match self {
            Column::Line => a.line.cmp(&b.line),
            Column::Bleu => a.bleu.total_cmp(&b.bleu),
            Column::Chrf => a.chrf.total_cmp(&b.chrf),
            Column::Tokens => a.tokens.cmp(&b.tokens),
            Column::Ended => ended(a).cmp(&ended(b)),
            Column::Hypothesis => a.hypothesis.cmp(&b.hypothesis),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Rows {
    report: Option<Arc<Report>>,
    pub column: Column,
    /// The highest first.
    pub reversed: bool,
    filter: Option<Pattern>,
    /// Places in the report, all of them in order.
    sorted: Vec<u32>,
    /// Those that the filter finds.
    shown: Vec<u32>,
    selected: usize,
    /// The first one on the screen, as far as the selection leaves a choice.
    top: usize,
}

impl Rows {
    /// Shows the rows of this report. The row that is selected stays so where it is there.
    pub(in crate::ui) fn show(&mut self, report: Option<Arc<Report>>) {
        let is_shown = match (&self.report, &report) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        if !is_shown {
            let selected = self.selected().map(|row| row.row);
            self.report = report;
            self.sort(selected);
        }
    }

    /// The rows that are shown.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// Rows without the filter.
    pub fn all(&self) -> usize {
        self.sorted.len()
    }

    pub fn at(&self, position: usize) -> Option<&ReportRow> {
        self.report.as_ref()?.rows.get(*self.shown.get(position)? as usize)
    }

    pub fn position(&self) -> usize {
        self.selected
    }

    pub fn selected(&self) -> Option<&ReportRow> {
        self.at(self.selected)
    }

    pub fn filter(&self) -> Option<&Pattern> {
        self.filter.as_ref()
    }

    /// The place of the first row on a page of so many.
    pub fn top(&self, page: usize) -> usize {
        let end = self.shown.len().saturating_sub(page);
        self.top.min(self.selected).max((self.selected + 1).saturating_sub(page)).min(end)
    }

    /// Selects the row at a place, or the last one.
    pub(in crate::ui) fn select(&mut self, position: usize, page: usize) {
        self.selected = position.min(self.shown.len().saturating_sub(1));
        self.top = self.top(page);
    }

    pub(in crate::ui) fn move_by(&mut self, by: isize, page: usize) {
        self.select(self.selected.saturating_add_signed(by), page);
    }

    pub(in crate::ui) fn first(&mut self) {
        (self.selected, self.top) = (0, 0);
    }

    /// Another column sorts lowest first again: of scores, the worst.
    pub(in crate::ui) fn sort_by(&mut self, column: Column) {
        if column != self.column {
            self.reversed = false;
        }
        self.column = column;
        self.sort(None);
        self.first();
    }

    pub(in crate::ui) fn reverse(&mut self) {
        self.reversed = !self.reversed;
        self.sort(None);
        self.first();
    }

    pub(in crate::ui) fn set_filter(&mut self, filter: Option<Pattern>) {
        let selected = self.selected().map(|row| row.row);
        self.filter = filter;
        self.find(selected);
    }

    fn sort(&mut self, selected: Option<u64>) {
        self.sorted.clear();
        if let Some(report) = &self.report {
            let rows = &report.rows;
            self.sorted.extend(0..rows.len().min(u32::MAX as usize) as u32);
            let (column, reversed) = (self.column, self.reversed);
            self.sorted.sort_by(|&a, &b| {
                let order = column.compare(&rows[a as usize], &rows[b as usize]);
                if reversed { order.reverse() } else { order }
            });
        }
        self.find(selected);
    }

    /// Takes the rows that the filter finds in prompt, hypothesis or a reference, and selects the one with this number, or the first.
    fn find(&mut self, selected: Option<u64>) {
        let Some(report) = &self.report else {
            self.shown.clear();
            return self.first();
        };
        let rows = &report.rows;
        let finds = |at: &u32| {
            let row = &rows[*at as usize];
            self.filter.as_ref().is_none_or(|filter| {
                filter.is_in(&row.hypothesis)
                    || filter.is_in(&row.prompt)
                    || row.references.iter().any(|r| filter.is_in(r))
            })
        };
        self.shown = self.sorted.iter().copied().filter(finds).collect();
        let is_selected = |at: &u32| Some(rows[*at as usize].row) == selected;
        match self.shown.iter().position(is_selected) {
            Some(position) => {
                // It stays where it is on the screen.
                let above = self.selected.saturating_sub(self.top);
                (self.selected, self.top) = (position, position.saturating_sub(above));
            }
            None => self.first(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::report::{AdapterName, Decoding, Header, SCHEMA, Subject};

    fn report(rows: &[(f64, &str)]) -> Arc<Report> {
        let adapter = AdapterName { name: "none".into(), step: None, sha256: None };
        let decoding = Decoding::greedy(64, false);
        let subject = Subject {
            model: "m".into(),
            weights: None,
            adapter,
            split: "test".into(),
            split_sha256: "0".into(),
            decoding,
        };
        let header =
            Header { schema: SCHEMA, name: "r".into(), subject, rows_total: rows.len() as u64, started_unix_ms: 0 };
        let row = |(at, (bleu, text)): (usize, &(f64, &str))| ReportRow {
            row: at as u64,
            line: at as u64 + 1,
            prompt: format!("prompt {at}"),
            hypothesis: (*text).into(),
            references: vec!["a reference".into()],
            bleu: *bleu,
            chrf: 100.0 - bleu,
            prompt_tokens: 3,
            tokens: text.len() as u64,
            ended: if at.is_multiple_of(2) { Ended::EndToken } else { Ended::MaxNewTokens },
            duration_us: 1,
            elapsed_ms: 1,
        };
        Arc::new(Report::of(&header, rows.iter().enumerate().map(row).collect()))
    }

    fn order(rows: &Rows) -> Vec<u64> {
        (0..rows.len()).filter_map(|at| rows.at(at)).map(|row| row.row).collect()
    }

    fn made() -> Rows {
        let mut rows = Rows::default();
        rows.show(Some(report(&[(50.0, "bb"), (0.0, "a"), (100.0, "cccc"), (0.0, "중고 a"), (f64::NAN, "")])));
        rows
    }

    #[test]
    fn the_worst_is_first_and_of_equal_rows_the_earlier_one() {
        assert_eq!(order(&made()), [1, 3, 0, 2, 4]);
    }

    #[test]
    fn every_column_has_all_rows_once_and_its_reverse_is_no_better_first() {
        for column in Column::ALL {
            for reversed in [false, true] {
                let mut rows = made();
                rows.sort_by(column);
                if reversed {
                    rows.reverse();
                }
                let mut all = order(&rows);
                let in_order = (1..rows.len()).all(|at| {
                    let (Some(a), Some(b)) = (rows.at(at - 1), rows.at(at)) else { return false };
                    let wrong = if reversed { Ordering::Less } else { Ordering::Greater };
                    column.compare(a, b) != wrong
                });
                all.sort();
                assert!(in_order && all == [0, 1, 2, 3, 4], "{column:?} {reversed}");
            }
        }
    }

    #[test]
    fn a_filter_keeps_the_order_and_the_selection_and_gives_all_back() {
        let mut rows = made();
        rows.select(3, 2);
        assert_eq!(rows.selected().map(|r| r.row), Some(2));
        rows.set_filter(Pattern::new("^[bc]"));
        assert_eq!((order(&rows), rows.selected().map(|r| r.row)), (vec![0, 2], Some(2)));
        rows.set_filter(Pattern::new("중고|prompt 4"));
        assert_eq!((order(&rows), rows.position()), (vec![3, 4], 0));
        rows.set_filter(Pattern::new("nothing"));
        assert!(rows.is_empty() && rows.selected().is_none() && rows.all() == 5);
        rows.set_filter(None);
        assert_eq!(order(&rows), [1, 3, 0, 2, 4]);
    }

    #[test]
    fn more_rows_leave_the_selected_one_selected() {
        let mut rows = made();
        rows.select(2, 10);
        rows.show(Some(report(&[(50.0, "bb"), (60.0, "a"), (100.0, "cccc"), (0.0, "d"), (1.0, ""), (2.0, "")])));
        assert_eq!(rows.selected().map(|r| r.row), Some(0));
        rows.show(None);
        assert!(rows.is_empty() && rows.top(5) == 0);
    }
}
