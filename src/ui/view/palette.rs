//! The command palette: a line to type into, and the actions that it finds with their keys. What makes no sense now is faint, and below.

use ratatui::layout::Rect;

use crate::ui::state::State;
use crate::ui::state::palette::{Found, Palette};
use crate::ui::theme::Role;
use crate::ui::widgets::pen::centered;
use crate::ui::widgets::{Pen, Words, field, words};

const WIDTH: u16 = 84;
/// For the names.
const NAMES: usize = 16;

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, palette: &Palette) {
    let list = palette.list(state);
    let area = centered(body, WIDTH, (state.keymap.bindings().len() as u16).saturating_add(4));
    pen.clear(area);
    let count = format!("{} of {}", list.len(), state.keymap.bindings().len());
    let inner = pen.panel(area, "commands", &words([(&count, Role::Label)]));
    let x = pen.text(inner, 0, pen.theme.pick("❯ ", "> "), Role::Key);
    field::draw(pen, Rect { x, width: inner.right().saturating_sub(x), ..inner }, 0, &palette.query);

    let rows = Rect { y: inner.y + 2.min(inner.height), height: inner.height.saturating_sub(2), ..inner };
    if list.is_empty() {
        pen.text(rows, 0, "no command has these letters", Role::Label);
    }
    let position = palette.position(&list);
    let height = rows.height as usize;
    let top = position.saturating_sub(height / 2).min(list.len().saturating_sub(height));
    for (row, (found, is_now)) in list.iter().enumerate().skip(top).take(height) {
        line(pen, rows, (row - top) as u16, state, found, *is_now, row == position);
    }
}

fn line(pen: &mut Pen<'_>, area: Rect, row: u16, state: &State, found: &Found, is_now: bool, is_selected: bool) {
    let base = match (is_selected, is_now) {
        (true, _) => Role::Selected,
        (false, true) => Role::Text,
        (false, false) => Role::Faint,
    };
    let key_role = if base == Role::Text { Role::Key } else { base };
    let key = state.keymap.key(found.action).map(|k| k.to_string()).unwrap_or_default();
    let sign = if is_selected { pen.theme.pick("▸ ", "> ") } else { "  " };
    let mut left: Words = vec![(sign.into(), base)];
    for (i, c) in found.text.chars().enumerate() {
        // The space between the name and what is said about it widens to the column's border.
        let text = if i == found.name { " ".repeat(NAMES.saturating_sub(i).max(1)) } else { c.to_string() };
        let is_match = found.places.binary_search(&(i as u32)).is_ok();
        let role = if is_match { Role::Match } else { base };
        match left.last_mut() {
            Some(last) if last.1 == role => last.0.to_mut().push_str(&text),
            _ => left.push((text.into(), role)),
        }
    }
    if is_selected {
        pen.text(area, row, &" ".repeat(area.width as usize), base);
    }
    let key_at = pen.line_right(area, row, &words([(&key, key_role)]));
    let room = key_at.saturating_sub(area.x + 2);
    pen.line(Rect { width: room, ..area }, row, &left);
}
