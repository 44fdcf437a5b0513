//! The start page: what can be started or looked at, which of it is selected, and which setting is being typed. An entry and its settings are
//! in `entry`, what is found on disk in `found`. Keys are in `update::start`, files are looked at by `cli::discover`, how it looks is
//! `view::start`.

mod entry;
mod found;

use super::field::Field;
use super::plan::PlanPage;
use crate::config::settings::{Setting, settings};

pub(super) use entry::typed;
pub use entry::{Entry, Value, choices};
pub use found::{Look, ModelPlace, PastRun, PastState, Rows, SplitLook, StartRequest, Target};

/// Which part of the page has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    #[default]
    List,
    Settings,
}

/// What was last asked for, for the words of its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Errand {
    #[default]
    Start,
    Resume,
    Watch,
}

/// A value that is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editing {
    pub field: Field,
    /// Why it cannot be taken as it stands.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StartPage {
    pub entries: Vec<Entry>,
    pub selected: usize,
    pub pane: Pane,
    /// The selected setting, by its place in the table.
    pub row: usize,
    pub editing: Option<Editing>,
    pub errand: Errand,
    /// The memory plan of the selected entry, while it is looked at: it has the page's place and keys.
    pub plan: Option<Box<PlanPage>>,
    /// `Clock::ms` from which the selected entry's files are to be looked at.
    pub(in crate::ui) look_from_ms: Option<u64>,
    /// Counts what was asked for; an answer to an older question is dropped.
    pub(in crate::ui) look_ticket: u64,
    /// The same for what memory plans stand on.
    pub(in crate::ui) plan_ticket: u64,
    /// The question about them that is on its way.
    pub(in crate::ui) plan_asked: Option<u64>,
}

impl StartPage {
    pub fn new(entries: Vec<Entry>) -> Self {
        StartPage {
            entries,
            selected: 0,
            pane: Pane::default(),
            row: 0,
            editing: None,
            errand: Errand::default(),
            plan: None,
            look_from_ms: Some(0),
            look_ticket: 0,
            plan_ticket: 0,
            plan_asked: None,
        }
    }

    pub fn entry(&self) -> Option<&Entry> {
        self.entries.get(self.selected)
    }

    pub fn entry_mut(&mut self) -> Option<&mut Entry> {
        self.entries.get_mut(self.selected)
    }

    /// The selected setting.
    pub fn setting(&self) -> Option<&'static Setting> {
        settings().get(self.row)
    }

    /// Something else is selected, or it is another than it was: its files are to be looked at, and an answer that is on its way is about what
    /// was before.
    pub(in crate::ui) fn look_later(&mut self, at_ms: u64) {
        self.look_from_ms = Some(at_ms);
        self.look_ticket += 1;
        self.plan_ticket += 1;
    }

    /// Takes a fresh list in. What was selected and edited stays, where it is still there.
    pub fn refresh(&mut self, entries: Vec<Entry>) {
        let before = std::mem::replace(&mut self.entries, entries);
        let was = before.get(self.selected);
        // What the command line named is in the list under its own name.
        let same = |a: &Entry, b: &Entry| {
            let [a, b] = [&a.request, &b.request];
            a.target == b.target || b.target == Target::Given && (&a.text, &a.file_name) == (&b.text, &b.file_name)
        };
        for entry in &mut self.entries {
            if let Some(old) = before.iter().find(|old| same(entry, old)) {
                entry.inherit(old);
            }
        }
        let titled = |entry: &Entry| was.is_some_and(|was| was.title == entry.title);
        let found = self.entries.iter().position(|entry| was.is_some_and(|was| same(entry, was)));
        if found.is_none() {
            self.editing = None;
            self.plan = None;
        }
        let found = found.or_else(|| self.entries.iter().position(titled));
        // Keys that meant one entry's settings must not come to another's.
        if found.is_none() {
            self.pane = Pane::List;
        }
        self.selected = found.unwrap_or(0);
        self.look_later(0);
    }
}

#[cfg(test)]
mod tests {
    use super::entry::tests::{entry, row};
    use super::*;

    #[test]
    fn a_fresh_list_keeps_what_was_selected_and_edited() {
        let mut page =
            StartPage::new(vec![Entry::broken("demo run", Target::Demo, "no home"), entry("[data]\ntrain = \"t\"\n")]);
        page.selected = 1;
        page.entries[1].edit(row("train.seed"), "7");
        page.refresh(vec![entry("[data]\ntrain = \"t\"\n"), Entry::broken("demo run", Target::Demo, "no home")]);
        assert_eq!((page.selected, page.entries[0].edits()), (0, 1));
        page.pane = Pane::Settings;
        page.refresh(vec![entry("[data]\ntrain = \"t\"\n"), Entry::broken("demo run", Target::Demo, "no home")]);
        assert_eq!(page.pane, Pane::Settings);
        page.refresh(vec![Entry::broken("demo run", Target::Demo, "no home")]);
        assert_eq!((page.selected, page.pane), (0, Pane::List), "another entry's settings are not open");
        page.refresh(Vec::new());
        assert!(page.entry().is_none());
        let mut given = entry("[data]\ntrain = \"t\"\n");
        given.request.target = Target::Given;
        given.title = "x".into();
        let mut page = StartPage::new(vec![given]);
        page.refresh(vec![Entry::broken("demo run", Target::Demo, "no home"), entry("[data]\ntrain = \"t\"\n")]);
        assert_eq!(page.selected, 1, "what the command line named stays selected");
    }
}
