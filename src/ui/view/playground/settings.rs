//! The settings of a trial, a line each.

use ratatui::layout::Rect;

use super::title;
use crate::ui::state::playground::settings::Row;
use crate::ui::state::playground::trial::Who;
use crate::ui::state::playground::{Focus, Playground};
use crate::ui::theme::Role;
use crate::ui::widgets::{Pen, Words, field, words};
use crate::units::printable;

/// For the names.
const NAMES: u16 = 16;

/// Rows of the panel that shows all of them.
pub fn height(play: &Playground) -> u16 {
    play.settings.rows().len() as u16 + 2
}

pub fn draw(pen: &mut Pen<'_>, area: Rect, play: &Playground) {
    let has_keys = play.focus == Focus::Settings;
    let mut right = Words::new();
    if let Some((_, Some(problem))) = &play.field {
        right.push((format!("  {problem}").into(), Role::Bad));
    }
    let title = title(pen.theme, "settings", has_keys);
    let inner = pen.panel(area, &title, &right);
    let rows = play.settings.rows();
    let at = rows.iter().position(|row| *row == play.row).unwrap_or(0);
    let from = (at + 1).saturating_sub(inner.height.into());
    super::more_marks(pen, area, from > 0, from + usize::from(inner.height) < rows.len());
    for (line, row) in rows.iter().skip(from).take(inner.height.into()).enumerate() {
        let line = line as u16;
        let is_here = *row == play.row && has_keys;
        let mark = if is_here { pen.theme.pick("▸ ", "> ") } else { "  " };
        pen.line(inner, line, &words([(mark, Role::Key), (row.name(), Role::Label)]));
        let place = Rect { x: inner.x + NAMES + 2, width: inner.width.saturating_sub(NAMES + 2), ..inner };
        match &play.field {
            Some((typed, _)) if is_here => field::draw(pen, place, line, typed),
            _ => {
                let (text, role) = value(play, *row);
                pen.text(place, line, &text, if is_here { Role::Selected } else { role });
            }
        }
    }
}

fn value(play: &Playground, row: Row) -> (String, Role) {
    let value = printable(&play.settings.value(row));
    match row {
        Row::Schema if play.schema_is_edited() => (format!("{value}, edited"), Role::Text),
        Row::Key if play.finds.has_key => ("set".to_owned(), Role::Good),
        Row::Key => ("not set".to_owned(), Role::Label),
        Row::Model if value.is_empty() => {
            let told = if play.settings.who == Who::Openai { "what the server calls it" } else { "none: name one" };
            (told.to_owned(), Role::Warn)
        }
        _ => (value, Role::Text),
    }
}
