//! All settings of the selected entry by section, the one that is edited in its place, and what is wrong with it right under it.

use ratatui::layout::Rect;

use crate::config::settings::{Default as SettingDefault, settings};
use crate::ui::format;
use crate::ui::state::start::{Entry, Pane, StartPage};
use crate::ui::state::{Stage, State};
use crate::ui::theme::Role;
use crate::ui::widgets::{Pen, field, words};
use crate::units::printable;

/// Room for the longest name that is not cut at 80 columns.
const NAME: u16 = 28;
const LONGEST_PROBLEM: usize = 3;

/// A line of the pane.
enum Line {
    Section(&'static str),
    Setting(usize),
    Problem(String),
}

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State, page: &StartPage, entry: &Entry) {
    let edited = entry.edits();
    let right = match (edited, entry.editable) {
        (_, false) => words([("as the run began", Role::Label)]),
        (0, true) => Vec::new(),
        (n, true) => words([(&format!("{n} edited"), Role::Warn)]),
    };
    let inner = pen.panel(area, "settings", &right);
    if entry.config().is_err() {
        let text = "There are none to show before the configuration is mended.";
        for (row, line) in format::wrap(text, inner.width as usize).iter().enumerate() {
            pen.text(inner, row as u16, line, Role::Label);
        }
        return;
    }
    let name_width = NAME.min(inner.width / 2);
    let value_at = inner.x + 4 + name_width;
    let value_area = Rect { x: value_at, width: inner.right().saturating_sub(value_at), ..inner };
    let mut lines = Vec::new();
    let mut selected_line = 0;
    for (index, setting) in settings().iter().enumerate() {
        if index == 0 || settings().get(index - 1).is_some_and(|before| before.section != setting.section) {
            lines.push(Line::Section(setting.section));
        }
        if index == page.row {
            selected_line = lines.len();
        }
        lines.push(Line::Setting(index));
        if index == page.row
            && let Some(problem) = page.editing.as_ref().and_then(|editing| editing.problem.as_ref())
        {
            let wrapped = format::wrap(&printable(problem), inner.width.saturating_sub(4) as usize);
            lines.extend(wrapped.into_iter().take(LONGEST_PROBLEM).map(Line::Problem));
        }
    }
    // What is wrong stands under its row: both have to be seen.
    let room = inner.height as usize;
    let wanted = selected_line + 1 + lines.iter().filter(|line| matches!(line, Line::Problem(_))).count();
    let first = (wanted + 1).saturating_sub(room).min(lines.len().saturating_sub(room)).min(selected_line);
    let has_keys = page.pane == Pane::Settings && !matches!(state.stage, Stage::Starting(_));
    for (row, line) in lines.iter().skip(first).take(room).enumerate() {
        let row = row as u16;
        match line {
            Line::Section(name) => _ = pen.text(inner, row, &format!("[{name}]"), Role::Faint),
            Line::Problem(text) => {
                let area = Rect { x: inner.x + 3, width: inner.width.saturating_sub(3), ..inner };
                pen.text(area, row, text, Role::Bad);
            }
            Line::Setting(index) => {
                let selected = has_keys && *index == page.row;
                self::row(pen, inner, row, *index, entry, selected, name_width);
                match page.editing.as_ref().filter(|_| selected) {
                    Some(editing) => field::draw(pen, value_area, row, &editing.field),
                    None => value(pen, value_area, row, entry, *index),
                }
            }
        }
    }
}

fn row(pen: &mut Pen<'_>, inner: Rect, row: u16, index: usize, entry: &Entry, selected: bool, name_width: u16) {
    let Some(setting) = settings().get(index) else { return };
    let (mark, role) = match entry.value(index) {
        _ if entry.is_edited(index) => (pen.theme.pick("✎", "e"), Role::Warn),
        Some(value) if !value.is_default => (pen.theme.pick("•", "*"), Role::Key),
        _ => (" ", Role::Text),
    };
    let mark = mark.to_owned();
    pen.text(Rect { x: inner.x + 1, width: 1.min(inner.width), ..inner }, row, &mark, role);
    let name = Rect { x: inner.x + 3, width: name_width, ..inner };
    let fitted = format::fit(setting.name, name_width as usize, pen.theme.ellipsis());
    if selected {
        pen.text(name, row, &format!("{fitted:<width$}", width = name_width as usize), Role::Selected);
    } else {
        pen.text(name, row, &fitted, Role::Label);
    }
}

fn value(pen: &mut Pen<'_>, area: Rect, row: u16, entry: &Entry, index: usize) {
    let value = entry.value(index);
    let role = match value {
        _ if entry.is_edited(index) => Role::Warn,
        Some(value) if value.is_default => Role::Label,
        _ => Role::Text,
    };
    match value.and_then(|value| value.text.as_deref()) {
        Some(text) => pen.text(area, row, &printable(text), role),
        None => pen.text(area, row, "none", Role::Faint),
    };
}

/// What the selected setting is for, what it takes, and what holds without it.
pub fn help(pen: &mut Pen<'_>, area: Rect, page: &StartPage) {
    let Some(setting) = page.setting() else { return };
    let default = match setting.default {
        SettingDefault::Is(text) => format!("; default {}", text.trim_matches('"')),
        SettingDefault::Absent => "; none by default".to_owned(),
        SettingDefault::Required => String::new(),
    };
    let width = area.width as usize;
    let what = format::wrap(&format!("{}: {}", setting.key(), setting.doc), width);
    let takes = format::wrap(&format!("takes {}{default}", setting.kind.expected()), width);
    let what = what.into_iter().map(|line| (line, Role::Text));
    let takes = takes.into_iter().map(|line| (line, Role::Label));
    for (row, (line, role)) in what.chain(takes).enumerate() {
        pen.text(area, row as u16, &line, role);
    }
}
