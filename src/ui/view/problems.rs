//! What is wrong in the user's own files, as lines at the top of help.

use crate::ui::format;
use crate::ui::state::State;
use crate::ui::theme::Role;
use crate::ui::widgets::{Words, words};

/// Cells of the frame around help, and of the indent.
const AROUND: u16 = 6;

/// Nothing at all where nothing is wrong.
pub fn lines(state: &State, width: u16) -> Vec<Words> {
    if state.problems.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![words([("your settings", Role::Warn)])];
    for problem in &state.problems {
        for (i, part) in format::wrap(problem, width.saturating_sub(AROUND) as usize).iter().enumerate() {
            let indent = if i == 0 { "" } else { "  " };
            lines.push(words([(indent, Role::Text), (part, Role::Text)]));
        }
    }
    lines.push(Vec::new());
    lines
}
