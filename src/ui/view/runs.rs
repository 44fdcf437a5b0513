//! The choice of another run, over the panels.

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::ui::state::runs::RunPicker;
use crate::ui::theme::Role;
use crate::ui::widgets::pen::centered;
use crate::ui::widgets::{Pen, words};
use crate::units::printable;

const WIDTH: u16 = 90;
const ROWS: u16 = 12;

pub fn draw(pen: &mut Pen<'_>, body: Rect, picker: &RunPicker) {
    let count = picker.runs.as_ref().map_or(1, |runs| runs.len().max(1)) as u16;
    let area = centered(body, WIDTH.min(body.width), count.min(ROWS) + 2);
    pen.clear(area);
    let right =
        words([("Enter", Role::Key), (" lay over  ", Role::Label), ("Esc", Role::Key), (" close", Role::Label)]);
    let inner = pen.panel(area, "another run", &right);
    let Some(runs) = &picker.runs else {
        pen.text(inner, 0, "looking for runs", Role::Active);
        return;
    };
    if runs.is_empty() {
        pen.text(inner, 0, "there is no other run in this run's folder", Role::Label);
    }
    let rows = inner.height as usize;
    let skip = (picker.selected + 1).saturating_sub(rows);
    for (row, (index, run)) in runs.iter().enumerate().skip(skip).take(rows).enumerate() {
        let selected = index == picker.selected;
        let mark = if selected { pen.theme.pick("▸ ", "> ") } else { "  " };
        let role = if selected { Role::Selected } else { Role::Text };
        let name = words([(mark, Role::Key), (&printable(&run.name), role), ("  ", Role::Text)]);
        let x = pen.line(inner, row as u16, &name);
        // Where both do not fit, what they differ in is worth more than the whole name.
        let note = printable(&run.note);
        let from = x.min(inner.right().saturating_sub(note.width() as u16)).max(inner.x + 2);
        let place = Rect { x: from, width: inner.right().saturating_sub(from), ..inner };
        pen.line_right(place, row as u16, &words([(" ", Role::Text), (&note, Role::Label)]));
    }
}
