//! What a run said, as entries that can be read one by one, and how a person looks at them: filter, search, selection.
//! Memory is bounded and taking an event in formats nothing; what is shown and found is kept as lists that grow with the log, so that a
//! frame formats its own rows alone. What is kept is in `kept`, how it is searched in `walk`; keys are in `update::log`, how it looks is `view::log`; words are made in `entry` and `whole`.

pub mod entry;
mod kept;
pub mod pattern;
mod walk;
pub mod whole;

use super::field::Field;
use crate::event::Stamped;
use entry::Class;
use kept::Kept;
use pattern::Pattern;
use walk::{Anew, Jump, Walk};
use whole::Whole;

/// Entries of each class that are kept. Steps are many and much alike, the rest of what is shown is rare.
const MAX_SAID: usize = 5_000;
const MAX_STEPS: usize = 15_000;
const MAX_DETAILS: usize = 4_000;

#[derive(Debug, Clone)]
pub struct LogView {
    said: Kept,
    steps: Kept,
    details: Kept,
    next_seq: u64,
    /// What the filter lets through, and micro-batches and samples only where they are asked for.
    shown: Vec<Row>,
    /// Those of `shown` that the search finds.
    found: Vec<Row>,
    filter: Option<Pattern>,
    search: Option<Pattern>,
    /// While filter or search are not through the log.
    walk: Option<Walk>,
    jump: Option<Jump>,
    with_details: bool,
    follow: bool,
    /// The entry that is selected while not following, by its `seq`; where it is not shown, the next one that is.
    selected: u64,
    /// Rows on the screen above the selected one.
    above: usize,
    pub typing: Option<Typing>,
    /// An entry that is shown whole.
    pub open: Option<Whole>,
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    seq: u64,
    class: Class,
}

/// A search or a filter that is being typed.
#[derive(Debug, Clone)]
pub struct Typing {
    pub what: Typed,
    pub field: Field,
    /// As it was before, for Esc.
    before: Box<Before>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    Search,
    Filter,
}

#[derive(Debug, Clone)]
struct Before {
    pattern: Option<Pattern>,
    follow: bool,
    selected: u64,
    above: usize,
}

/// How many matches there are, and which of them is selected (from 1), if one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matches {
    pub at: Option<usize>,
    pub count: usize,
}

impl Default for LogView {
    fn default() -> Self {
        LogView {
            said: Kept::new(MAX_SAID),
            steps: Kept::new(MAX_STEPS),
            details: Kept::new(MAX_DETAILS),
            next_seq: 0,
            shown: Vec::new(),
            found: Vec::new(),
            filter: None,
            search: None,
            walk: None,
            jump: None,
            with_details: false,
            follow: true,
            selected: 0,
            above: 0,
            typing: None,
            open: None,
        }
    }
}

impl LogView {
    /// Takes one event in. One that was already taken (a log read twice) changes nothing; a run that is resumed keeps what it said before.
    pub fn push(&mut self, stamped: Stamped) {
        if stamped.seq < self.next_seq {
            return;
        }
        self.next_seq = stamped.seq.saturating_add(1);
        let row = Row { seq: stamped.seq, class: entry::class(&stamped.event) };
        let (shown_later, found_later) = self.leaves_to_walk();
        if !shown_later {
            let met = self.meets(&stamped.event, row.class);
            if met.is_shown {
                self.shown.push(row);
            }
            if met.is_found && !found_later {
                self.found.push(row);
            }
        }
        if self.kept_mut(row.class).push(stamped) {
            let first = [&self.said, &self.steps, &self.details].map(Kept::first_seq);
            let is_kept = |row: &Row| row.seq >= first[row.class as usize];
            self.shown.retain(is_kept);
            self.found.retain(is_kept);
            if let Some(walk) = &mut self.walk {
                walk.retain(is_kept);
            }
        }
    }

    pub fn filter(&self) -> Option<&Pattern> {
        self.filter.as_ref()
    }

    pub fn search(&self) -> Option<&Pattern> {
        self.search.as_ref()
    }

    pub fn follows(&self) -> bool {
        self.follow
    }

    pub fn with_details(&self) -> bool {
        self.with_details
    }

    /// Entries that are shown.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// Entries that could be shown without a filter, and those that came and are not kept any more.
    pub fn kept_and_dropped(&self) -> (usize, u64) {
        let classes = [Some(&self.said), Some(&self.steps), self.with_details.then_some(&self.details)];
        let classes = || classes.into_iter().flatten();
        (classes().map(|k| k.entries.len()).sum(), classes().map(|k| k.dropped).sum())
    }

    /// The entry at a place among those that are shown.
    pub fn at(&self, position: usize) -> Option<&Stamped> {
        let row = self.shown.get(position)?;
        self.kept(row.class).get(row.seq)
    }

    /// The place of the selected entry.
    pub fn position(&self) -> Option<usize> {
        let last = self.shown.len().checked_sub(1)?;
        let position = self.shown.partition_point(|row| row.seq < self.selected);
        Some(if self.follow { last } else { position.min(last) })
    }

    pub fn selected(&self) -> Option<&Stamped> {
        self.at(self.position()?)
    }

    /// The place of the first entry on a page of so many rows.
    pub fn top(&self, rows: usize) -> usize {
        let end = self.shown.len().saturating_sub(rows);
        let Some(position) = self.position().filter(|_| !self.follow) else { return end };
        position.saturating_sub(self.above.min(rows.saturating_sub(1))).min(end)
    }

    /// `None` without a search, and while it is under way.
    pub fn matches(&self) -> Option<Matches> {
        self.search.as_ref().filter(|_| !self.is_looking())?;
        let selected = self.position().and_then(|p| self.shown.get(p));
        let at = selected.and_then(|row| self.found.binary_search_by_key(&row.seq, |r| r.seq).ok());
        Some(Matches { at: at.map(|i| i + 1), count: self.found.len() })
    }

    /// Rows of entries that a screen has room for: header, footer, the panel's edges and a line that is being typed are taken.
    pub fn page(&self, screen: (u16, u16)) -> usize {
        screen.1.saturating_sub(4 + u16::from(self.typing.is_some())).max(1) as usize
    }

    /// Moves the selection by so many entries; going up holds still what follows.
    pub fn move_by(&mut self, by: isize, page: usize) {
        let Some(position) = self.position() else { return };
        if by > 0 && self.follow {
            return;
        }
        self.select(position.saturating_add_signed(by), page);
    }

    /// Selects the entry at a place, or the last one, and holds.
    pub fn select(&mut self, position: usize, page: usize) {
        self.jump = None;
        let position = position.min(self.shown.len().saturating_sub(1));
        let Some(row) = self.shown.get(position) else { return };
        let top = self.top(page).min(position).max((position + 1).saturating_sub(page));
        self.selected = row.seq;
        self.above = position - top;
        self.follow = false;
    }

    /// The newest entry is selected, whatever comes.
    pub fn follow(&mut self) {
        self.jump = None;
        self.follow = true;
    }

    /// Selects the next match after the selected entry, or before it; true when it went around an end. `None` without any. While the
    /// search is under way it is done later, and false.
    pub fn jump(&mut self, forward: bool, page: usize) -> Option<bool> {
        let jump = Jump { forward, or_here: false, page };
        if self.is_looking() {
            self.jump = Some(jump);
            return Some(false);
        }
        self.jump_now(jump)
    }

    fn jump_now(&mut self, Jump { forward, or_here, page }: Jump) -> Option<bool> {
        if or_here && self.matches().is_some_and(|m| m.at.is_some()) {
            return Some(false);
        }
        let from = self.position().and_then(|p| self.shown.get(p)).map_or(0, |row| row.seq);
        let after = self.found.partition_point(|row| row.seq <= from);
        let before = self.found.partition_point(|row| row.seq < from).checked_sub(1);
        let (index, wraps) = match forward {
            true if after < self.found.len() => (after, false),
            true => (0, true),
            false => before.map_or((self.found.len().saturating_sub(1), true), |i| (i, false)),
        };
        let seq = self.found.get(index)?.seq;
        self.select(self.shown.partition_point(|row| row.seq < seq), page);
        Some(wraps)
    }

    pub fn begin_typing(&mut self, what: Typed) {
        let pattern = match what {
            Typed::Search => self.search.clone(),
            Typed::Filter => self.filter.clone(),
        };
        // A search is another one each time; a filter is what is looked through, and may be narrowed further.
        let text = pattern.as_ref().filter(|_| what == Typed::Filter).map_or("", Pattern::text);
        let field = Field::new(text);
        let before = Before { pattern, follow: self.follow, selected: self.selected, above: self.above };
        self.open = None;
        self.typing = Some(Typing { what, field, before: Box::new(before) });
    }

    /// What is typed has changed: it takes effect at once.
    pub fn typed(&mut self, page: usize) {
        let Some(typing) = &self.typing else { return };
        let pattern = Pattern::new(typing.field.text());
        match typing.what {
            Typed::Filter => self.set_filter(pattern),
            Typed::Search => {
                let before = &typing.before;
                (self.follow, self.selected, self.above) = (before.follow, before.selected, before.above);
                self.set_search(pattern);
                // The first match from where the search began, that entry among them.
                let jump = Jump { forward: true, or_here: true, page };
                if self.is_looking() {
                    self.jump = Some(jump);
                } else {
                    self.jump_now(jump);
                }
            }
        }
    }

    /// What was typed stays, or all is as it was before.
    pub fn end_typing(&mut self, keep: bool) {
        let Some(typing) = self.typing.take() else { return };
        if keep {
            return;
        }
        let before = *typing.before;
        match typing.what {
            Typed::Search => self.set_search(before.pattern),
            Typed::Filter => self.set_filter(before.pattern),
        }
        (self.follow, self.selected, self.above) = (before.follow, before.selected, before.above);
    }

    pub fn set_filter(&mut self, filter: Option<Pattern>) {
        self.filter = filter;
        self.look(Anew::Shown);
    }

    pub fn set_search(&mut self, search: Option<Pattern>) {
        self.search = search;
        self.found.clear();
        self.look(Anew::Found);
    }

    pub fn show_details(&mut self, with_details: bool) {
        self.with_details = with_details;
        self.look(Anew::Shown);
    }

    fn kept(&self, class: Class) -> &Kept {
        match class {
            Class::Said => &self.said,
            Class::Step => &self.steps,
            Class::Detail => &self.details,
        }
    }

    fn kept_mut(&mut self, class: Class) -> &mut Kept {
        match class {
            Class::Said => &mut self.said,
            Class::Step => &mut self.steps,
            Class::Detail => &mut self.details,
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
