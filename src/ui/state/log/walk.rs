//! Looking through the log for a filter or a search, a slice at a time, so that a key is answered at once however much was said.
//! Until it is through, the entries that were shown stay; what comes meanwhile is met at the end of the way.

use super::entry::{self, Class};
use super::{LogView, Row};
use crate::event::RunEvent;

/// Of each text from outside, so much is looked at: what stands behind it in a warning is read in the entry, not found.
pub const SEARCHED: usize = 16 << 10;
/// Bytes of words that are made and looked at in one slice: some milliseconds, or some tens for a pattern that is hard to match.
const SLICE: usize = 256 << 10;

/// How far it is.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    what: Anew,
    /// Entries before this one are done.
    from: u64,
    shown: Vec<Row>,
    found: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anew {
    /// Which entries are shown, and which of them the search finds.
    Shown,
    /// Which of those that are shown the search finds.
    Found,
}

/// Where the selection goes once it is known what is found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Jump {
    pub forward: bool,
    /// A match that is selected already will do.
    pub or_here: bool,
    /// Rows of a page.
    pub page: usize,
}

impl Walk {
    /// Old entries are gone.
    pub fn retain(&mut self, is_kept: impl Fn(&Row) -> bool) {
        self.shown.retain(&is_kept);
        self.found.retain(&is_kept);
    }
}

impl LogView {
    /// Whether filter or search have not been through the whole log yet.
    pub fn is_looking(&self) -> bool {
        self.walk.is_some()
    }

    /// Whether new entries are left to the walk that is under way.
    pub(super) fn leaves_to_walk(&self) -> (bool, bool) {
        let what = self.walk.as_ref().map(|walk| walk.what);
        (what == Some(Anew::Shown), what.is_some())
    }

    /// Begins to look, and does the first slice: of a short log that is all.
    pub(super) fn look(&mut self, what: Anew) {
        // What is shown was not known yet: that still has to be found out.
        let what = if self.leaves_to_walk().0 { Anew::Shown } else { what };
        self.jump = None;
        if what == Anew::Found && self.search.is_none() {
            self.walk = None;
            return;
        }
        self.walk = Some(Walk { what, from: 0, shown: Vec::new(), found: Vec::new() });
        self.go_on();
    }

    /// Does a slice; true when that was the last one.
    pub fn go_on(&mut self) -> bool {
        let Some(mut walk) = self.walk.take() else { return false };
        let mut left = SLICE;
        while left > 0 {
            let next = match walk.what {
                Anew::Shown => self.next_of_all(walk.from),
                Anew::Found => self.shown.get(self.shown.partition_point(|row| row.seq < walk.from)).copied(),
            };
            let Some(row) = next else {
                self.arrive(walk);
                return true;
            };
            let Some(after) = row.seq.checked_add(1) else {
                // No event has the last number of all, unless somebody wrote it into a log.
                self.arrive(walk);
                return true;
            };
            walk.from = after;
            let Some(stamped) = self.kept(row.class).get(row.seq) else { continue };
            let met = match walk.what {
                Anew::Shown => self.meets(&stamped.event, row.class),
                Anew::Found => self.searched(&stamped.event),
            };
            left = left.saturating_sub(met.cost);
            if met.is_shown && walk.what == Anew::Shown {
                walk.shown.push(row);
            }
            if met.is_found {
                walk.found.push(row);
            }
        }
        self.walk = Some(walk);
        false
    }

    fn arrive(&mut self, walk: Walk) {
        if walk.what == Anew::Shown {
            self.shown = walk.shown;
        }
        self.found = walk.found;
        if let Some(jump) = self.jump.take() {
            self.jump_now(jump);
        }
    }

    /// The first entry from this `seq` on that could be shown.
    fn next_of_all(&self, from: u64) -> Option<Row> {
        let classes = [Some(&self.said), Some(&self.steps), self.with_details.then_some(&self.details)];
        let first =
            classes.into_iter().flatten().filter_map(|kept| kept.from(from)).min_by_key(|stamped| stamped.seq)?;
        Some(Row { seq: first.seq, class: entry::class(&first.event) })
    }

    /// What filter and search say about an event. Without either, no word is made.
    pub(super) fn meets(&self, event: &RunEvent, class: Class) -> Met {
        let is_wanted = self.with_details || class != Class::Detail;
        if !is_wanted || self.filter.is_none() && self.search.is_none() {
            return Met { is_shown: is_wanted, is_found: false, cost: 0 };
        }
        let words = entry::haystack(event, SEARCHED);
        let is_shown = self.filter.as_ref().is_none_or(|filter| filter.is_in(&words));
        let is_found = is_shown && self.search.as_ref().is_some_and(|search| search.is_in(&words));
        Met { is_shown, is_found, cost: words.len() }
    }

    /// What the search says about an event that is shown.
    fn searched(&self, event: &RunEvent) -> Met {
        let words = entry::haystack(event, SEARCHED);
        let is_found = self.search.as_ref().is_some_and(|search| search.is_in(&words));
        Met { is_shown: true, is_found, cost: words.len() }
    }
}

/// What an event is to filter and search, and the bytes that had to be looked at.
pub(super) struct Met {
    pub is_shown: bool,
    pub is_found: bool,
    cost: usize,
}
