//! How a person looks at memory over time: how closely, and where the crosshair stands. What is shown is in `memory`; keys are in
//! `update::memory`.

use super::chart::Window;
use super::memory::{MemoryHistory, MemoryPoint};

/// No less is a whole.
const LEAST_WHOLE_MS: f64 = 1_000.0;

/// All times are those at work, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineView {
    /// `None` shows the whole run.
    pub window: Option<Window>,
    /// Whether the window goes along with the newest sample.
    pub follow: bool,
    /// The moment under the crosshair.
    pub cursor_ms: Option<u64>,
    /// Where the mouse went down, and what was shown then.
    pub(in crate::ui) dragged_from: Option<(u16, Window)>,
}

impl Default for TimelineView {
    fn default() -> Self {
        TimelineView { window: None, follow: true, cursor_ms: None, dragged_from: None }
    }
}

impl TimelineView {
    /// All there is.
    pub fn whole(&self, memory: &MemoryHistory) -> Window {
        let first_mark = memory.marks().first().map(|m| m.at_ms);
        let first = memory.points().first().map(|p| p.at_ms).into_iter().chain(first_mark).min().unwrap_or(0) as f64;
        let newest = memory.newest().map(|p| p.at_ms);
        let last = newest.max(memory.marks().last().map(|m| m.at_ms)).unwrap_or(0) as f64;
        Window { first, last: last.max(first + LEAST_WHOLE_MS) }
    }

    /// What is shown.
    pub fn visible(&self, memory: &MemoryHistory) -> Window {
        let whole = self.whole(memory);
        match self.window {
            None => whole,
            Some(window) if self.follow => window.moved(whole.last - window.last, whole),
            Some(window) => window,
        }
    }

    /// The sample under the crosshair, or the newest one where there is none.
    pub fn looked_at<'a>(&self, memory: &'a MemoryHistory) -> Option<&'a MemoryPoint> {
        match self.cursor_ms {
            Some(at_ms) => memory.at(at_ms),
            None => memory.newest(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::MemorySampled;

    #[test]
    fn a_window_that_follows_ends_at_the_newest_sample_and_one_that_is_held_stays() {
        let mut memory = MemoryHistory::default();
        let mut view = TimelineView::default();
        assert_eq!(view.visible(&memory), Window { first: 0.0, last: 1_000.0 });
        assert_eq!(view.looked_at(&memory), None);
        for at_ms in [2_000, 5_000, 20_000] {
            memory.sample(at_ms, 1, &MemorySampled { used_bytes: Some(at_ms), ..Default::default() });
        }
        assert_eq!(view.visible(&memory), Window { first: 2_000.0, last: 20_000.0 });
        view.window = Some(Window { first: 2_000.0, last: 8_000.0 });
        assert_eq!(view.visible(&memory), Window { first: 14_000.0, last: 20_000.0 });
        view.follow = false;
        assert_eq!(view.visible(&memory), Window { first: 2_000.0, last: 8_000.0 });
        view.cursor_ms = Some(6_000);
        assert_eq!(view.looked_at(&memory).and_then(|p| p.used_bytes), Some(5_000));
        view.cursor_ms = Some(0);
        assert_eq!(view.looked_at(&memory).and_then(|p| p.used_bytes), Some(2_000), "nothing lies before the first");
    }
}
