//! The reports of a run as a person looks at them: which one is selected, what it is held beside, its rows. Reports are read and compared
//! elsewhere and come as messages; the rows' order is in `rows`, a row by itself in `page`. Keys are in `update::bleu`, the look is `view::bleu_tab`.

pub mod page;
pub mod rows;

use std::path::PathBuf;
use std::sync::Arc;

use super::field::Field;
use super::log::pattern::Pattern;
use crate::eval::report::{Comparison, Report};
use page::Page;
use rows::Rows;

/// While the tab is shown, so often it is looked whether there are other reports.
pub const LOOK_MS: u64 = 2_000;
/// Reading takes no more than one part in so many of the time: a long report in the making changes at every look, and whoever makes it
/// needs the processor.
const REST: u64 = 10;
/// However long it took.
const LONGEST_REST_MS: u64 = 20_000;
/// An answer that has not come by then will not come.
const LOST_MS: u64 = 60_000;

/// A report that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its file.
    pub path: PathBuf,
    /// The run that it is of, where that is not the one on the screen.
    pub run: Option<String>,
    pub report: Arc<Report>,
    /// Somebody is generating its rows now.
    pub being_made: bool,
    /// Beside the baseline of its data: none for the baseline itself, and where there is none.
    pub comparison: Option<Result<Comparison, String>>,
    /// Others are held beside it.
    pub is_baseline: bool,
}

/// What was read at one time.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Newest first, those of another run last.
    pub reports: Vec<Found>,
    /// What could not be read, a line each.
    pub problems: Vec<String>,
}

/// What moves with the arrow keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    #[default]
    Reports,
    Rows,
}

/// A question for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The run's own folder.
    pub run: PathBuf,
    /// Another run whose reports are wanted too, and its name.
    pub beside: Option<(PathBuf, String)>,
    /// The report that others are to be held beside, where a person chose one.
    pub baseline: Option<PathBuf>,
    /// Answer although nothing has changed.
    pub anew: bool,
}

/// A filter that is being typed, and what it was before.
#[derive(Debug, Clone)]
pub struct Typing {
    pub field: Field,
    before: Option<Pattern>,
}

#[derive(Debug, Clone, Default)]
pub struct BleuView {
    /// None until they were looked for.
    reading: Option<Reading>,
    /// The file of the selected report: it stays selected when others come.
    selected: Option<PathBuf>,
    pub pane: Pane,
    pub rows: Rows,
    pub typing: Option<Typing>,
    /// A row that is shown by itself.
    pub page: Option<Page>,
    /// Another run whose reports stand below.
    pub beside: Option<(PathBuf, String)>,
    pub baseline: Option<PathBuf>,
    pub(in crate::ui) ticket: u64,
    /// When the question on its way was asked, on the screen's clock.
    asked_ms: Option<u64>,
    /// When to ask again.
    next_ms: u64,
}

impl BleuView {
    /// For another run: answers for the one before count no more.
    pub(in crate::ui) fn forget_run(&mut self) {
        *self = BleuView { ticket: self.ticket + 1, ..BleuView::default() };
    }

    pub fn reading(&self) -> Option<&Reading> {
        self.reading.as_ref()
    }

    pub fn reports(&self) -> &[Found] {
        self.reading.as_ref().map_or(&[], |reading| &reading.reports)
    }

    /// The place of the selected report.
    pub fn position(&self) -> Option<usize> {
        let reports = self.reports();
        let chosen = self.selected.as_ref().and_then(|path| reports.iter().position(|found| found.path == *path));
        chosen.or((!reports.is_empty()).then_some(0))
    }

    pub fn selected(&self) -> Option<&Found> {
        self.reports().get(self.position()?)
    }

    /// Selects a report by its place; its rows come in the order of those before.
    pub fn select(&mut self, position: usize) {
        let last = self.reports().len().saturating_sub(1);
        let Some(found) = self.reports().get(position.min(last)) else { return };
        if self.selected.as_ref() != Some(&found.path) {
            self.selected = Some(found.path.clone());
            self.page = None;
            self.show_selected();
            self.rows.first();
        }
    }

    /// The rows are those of the selected report.
    fn show_selected(&mut self) {
        let report = self.selected().map(|found| found.report.clone());
        self.rows.show(report);
    }

    /// Takes reports in. One that is selected stays so; where it was that of a report in the making, its whole one is.
    pub(in crate::ui) fn take(&mut self, reading: Reading) {
        let before = self.selected().map(|found| (found.run.clone(), found.report.name.clone()));
        let still = |path: &PathBuf| reading.reports.iter().any(|found| found.path == *path);
        if !self.selected.as_ref().is_some_and(still) {
            let same = |found: &&Found| before.as_ref() == Some(&(found.run.clone(), found.report.name.clone()));
            self.selected = reading.reports.iter().find(same).map(|found| found.path.clone());
        }
        self.reading = Some(reading);
        if self.selected.is_none() {
            self.selected = self.selected().map(|found| found.path.clone());
        }
        self.show_selected();
        if self.rows.is_empty() && self.selected().is_none() {
            self.pane = Pane::Reports;
        }
    }

    /// Whether it is time to ask for reports; then the question counts as asked.
    pub(in crate::ui) fn is_due(&mut self, now_ms: u64) -> bool {
        let waits = self.asked_ms.is_some_and(|asked| now_ms.saturating_sub(asked) < LOST_MS);
        let due = !waits && now_ms >= self.next_ms;
        if due {
            self.asked_ms = Some(now_ms);
            self.ticket += 1;
        }
        due
    }

    /// When to look again while the tab is shown: never before the answer is there.
    pub fn due_ms(&self) -> u64 {
        self.asked_ms.map_or(self.next_ms, |asked| asked.saturating_add(LOST_MS).max(self.next_ms))
    }

    /// The answer is there; the next question can wait.
    pub(in crate::ui) fn answered(&mut self, now_ms: u64) {
        // The first time everything is read, which says nothing of the looks after it.
        let asked = self.asked_ms.take().filter(|_| self.reading.is_some());
        let took = asked.map_or(0, |asked| now_ms.saturating_sub(asked));
        self.next_ms = now_ms.saturating_add(took.saturating_mul(REST).clamp(LOOK_MS, LONGEST_REST_MS));
    }

    /// Something happened that may have changed the reports: what is on its way may be too old.
    pub(in crate::ui) fn look_again(&mut self) {
        self.asked_ms = None;
        self.next_ms = 0;
    }

    pub(in crate::ui) fn begin_typing(&mut self) {
        let before = self.rows.filter().cloned();
        let text = before.as_ref().map_or("", Pattern::text).to_owned();
        self.page = None;
        self.typing = Some(Typing { field: Field::new(text), before });
    }

    /// What was typed stays, or the filter is what it was before.
    pub(in crate::ui) fn end_typing(&mut self, keep: bool) {
        let Some(typing) = self.typing.take() else { return };
        if !keep {
            self.rows.set_filter(typing.before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_to_read_is_looked_for_less_often() {
        let next = |took_ms: u64| {
            let mut view = BleuView { reading: Some(Reading::default()), ..BleuView::default() };
            assert!(view.is_due(1_000));
            view.answered(1_000 + took_ms);
            view.due_ms() - (1_000 + took_ms)
        };
        assert_eq!([0, 150, 1_200, 9_000].map(next), [LOOK_MS, LOOK_MS, 12_000, LONGEST_REST_MS]);
    }
}
