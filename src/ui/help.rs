//! Help as lines, made from the keymap itself, so that it cannot lie; below the keys what the signs on the screen mean. How the lines
//! look is in `view::help`; `update` scrolls by the same layout.

use unicode_width::UnicodeWidthStr;

use super::format;
use super::keymap::{Group, is_available};
use super::state::State;
use super::theme::Role;

/// From this width on there are two columns.
const TWO_COLUMNS: u16 = 120;
const WIDEST_COLUMN: u16 = 76;
/// Between two columns.
pub const GAP: u16 = 4;
/// For the keys, and the gap after them.
pub const KEYS: usize = 17;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Blank,
    Title(&'static str),
    /// What is wrong in the user's own files; whether it goes on from the line before.
    Problem(bool, String),
    /// What stands on the left, and a line of words.
    Words(Left, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Keys, and whether what they do makes sense now.
    Keys(String, bool),
    /// A sign, or the one for ASCII, and what it means by its colour.
    Sign(&'static str, &'static str, Role),
    /// The line goes on with the words of the one before.
    Nothing(bool),
}

/// What the signs mean.
const SIGNS: [(&str, &str, Role, &str); 12] = [
    ("━━", "**", Role::Loss, "the loss, smoothed; each step's own lies faint behind it"),
    ("●", "o", Role::Eval, "eval loss, in nats per target token"),
    ("◆", "@", Role::Best, "the best eval so far; its checkpoint is kept as `best`"),
    ("✗", "x", Role::Bad, "a value that is no number, or infinite"),
    ("F B O E S", "F B O E S", Role::Label, "phases: forward, backward, optimizer, eval, checkpoint; L load, - idle"),
    ("X R B S E", "X R B S E", Role::Label, "over memory: out of memory, recovered by a lever, BLEU, saved, eval"),
    ("• ✎", "* e", Role::Key, "settings: not the default; edited here"),
    ("● ✓ ■ ✗", "* + # x", Role::Label, "runs: live, finished, stopped, failed or interrupted"),
    ("targets", "targets", Role::Label, "tokens that have a loss; `tokens` counts prompts too"),
    ("unaccounted", "unaccounted", Role::Label, "memory that is measured, but charged to no part of the engine"),
    ("ETA", "ETA", Role::Label, "what is left to do, by what it took so far; pauses do not count"),
    ("—", "-", Role::Label, "not known"),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// One, or two that are scrolled together.
    pub columns: Vec<Vec<Line>>,
    /// Cells of a column's line.
    pub width: u16,
}

/// Lines that a screen of this height shows at once: header, footer and the pane's edges are taken.
pub fn page(screen_height: u16) -> u16 {
    screen_height.saturating_sub(4).max(1)
}

impl Layout {
    pub fn new(state: &State, screen_width: u16) -> Self {
        let inner = screen_width.saturating_sub(4);
        let two = screen_width >= TWO_COLUMNS;
        let width = if two { (inner - GAP) / 2 } else { inner }.min(WIDEST_COLUMN);
        let sections = sections(state, width as usize);
        let total: usize = sections.iter().map(Vec::len).sum();
        let mut columns = vec![Vec::new()];
        let mut before = 0;
        for section in sections {
            // A group stays together: it goes to the second column when most of it lies in the second half.
            if two && columns.len() == 1 && before + section.len() / 2 >= total / 2 {
                columns.push(Vec::new());
            }
            before += section.len();
            if let Some(column) = columns.last_mut() {
                if !column.is_empty() {
                    column.push(Line::Blank);
                }
                column.extend(section);
            }
        }
        Layout { columns, width }
    }

    pub fn height(&self) -> u16 {
        self.columns.iter().map(Vec::len).max().unwrap_or(0).try_into().unwrap_or(u16::MAX)
    }

    /// Lines that a page of this height does not show: as far as it can be scrolled.
    pub fn hidden(&self, page: u16) -> u16 {
        self.height().saturating_sub(page)
    }
}

fn sections(state: &State, width: usize) -> Vec<Vec<Line>> {
    let room = width.saturating_sub(KEYS);
    let mut sections = Vec::new();
    if !state.problems.is_empty() {
        let mut lines = vec![Line::Title("your settings")];
        for problem in &state.problems {
            let parts = format::wrap(problem, width.saturating_sub(2));
            lines.extend(parts.into_iter().enumerate().map(|(i, part)| Line::Problem(i > 0, part)));
        }
        sections.push(lines);
    }
    // Groups in which nothing can be done now come last.
    let lives =
        |group: &Group| state.keymap.bindings().iter().any(|b| b.group == *group && is_available(b.action, state));
    let (mut now, later): (Vec<Group>, Vec<Group>) = Group::ALL.into_iter().partition(lives);
    // Of what the start page has too, little means something here.
    now.sort_by_key(|group| state.in_playground() && *group != Group::Playground);
    for group in now.into_iter().chain(later) {
        let mut lines = vec![Line::Title(group.title())];
        for binding in state.keymap.bindings().iter().filter(|b| b.group == group) {
            let now = is_available(binding.action, state);
            let keys: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
            let keys = keys.join(", ");
            let mut left = Left::Keys(keys.clone(), now);
            // Keys that a person added may need a line of their own.
            if keys.width() >= KEYS {
                lines.push(Line::Words(left, String::new()));
                left = Left::Nothing(now);
            }
            push(&mut lines, left, now, binding.description, room);
        }
        sections.push(lines);
    }
    let mut lines = vec![Line::Title("signs")];
    for (sign, ascii, role, text) in SIGNS {
        push(&mut lines, Left::Sign(sign, ascii, role), true, text, room);
    }
    sections.push(lines);
    sections
}

fn push(lines: &mut Vec<Line>, left: Left, now: bool, text: &str, room: usize) {
    let mut left = Some(left);
    for part in format::wrap(text, room) {
        lines.push(Line::Words(left.take().unwrap_or(Left::Nothing(now)), part));
    }
}
