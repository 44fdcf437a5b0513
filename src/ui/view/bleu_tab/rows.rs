//! The rows of the selected report as a table. Only those that are seen are put into words.

use std::ops::Range;

use ratatui::layout::Rect;

use crate::eval::report::{Ended, ReportRow};
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::state::bleu::Pane;
use crate::ui::state::bleu::rows::{Column, Rows};
use crate::ui::theme::Role;
use crate::ui::view::log::marked;
use crate::ui::widgets::{Pen, Words, field, words};
use crate::units::{beginning, printable};

/// Bytes of a text that a row is made from; more than any row has cells.
const ROW_TEXT: usize = 2_048;
/// Cells of a pattern that are shown.
const PATTERN: usize = 24;
/// From this width on there are the scores of characters and the tokens too.
const WIDE: u16 = 64;

/// The cells of the rows themselves: below the heading, above a filter that is typed.
pub fn place(inner: Rect, state: &State) -> Rect {
    let below = u16::from(state.bleu.typing.is_some() && inner.height > 1);
    let heading = inner.height.saturating_sub(below).min(1);
    Rect { y: inner.y + heading, height: inner.height - heading - below, ..inner }
}

/// Columns that are shown, with their widths; the hypothesis takes the rest.
fn columns(width: u16) -> Vec<(Column, usize)> {
    let all = [(Column::Line, 7), (Column::Bleu, 7), (Column::Chrf, 7), (Column::Tokens, 5), (Column::Ended, 5)];
    let small = [Column::Chrf];
    all.into_iter().filter(|(column, _)| width >= WIDE || !small.contains(column)).collect()
}

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let view = &state.bleu;
    let rows = &view.rows;
    let count = |n: usize| format::count(n as u64);
    let title = match rows.filter() {
        Some(filter) => {
            let pattern = format::fit(&printable(filter.text()), PATTERN, pen.theme.ellipsis());
            format!("rows  /{pattern}  {} of {}", count(rows.len()), count(rows.all()))
        }
        None => "rows".to_owned(),
    };
    let order = match (rows.column, rows.reversed) {
        (Column::Bleu | Column::Chrf, false) => "the worst first",
        (Column::Bleu | Column::Chrf, true) => "the best first",
        (_, false) => "the lowest first",
        (_, true) => "the highest first",
    };
    let mut right = words([(&format!("  by {}, {order}", rows.column.name()), Role::Label)]);
    if !rows.is_empty() {
        right.push((format!("  {} / {}", count(rows.position() + 1), count(rows.len())).into(), Role::Label));
    }
    let inner = pen.panel(area, &title, &right);
    if inner.height == 0 {
        return;
    }
    let table = place(inner, state);
    if let Some(typing) = &view.typing {
        let line = Rect { y: table.bottom(), height: 1, ..inner };
        let x = pen.text(line, 0, "/", Role::Key);
        field::draw(pen, Rect { x, width: line.right().saturating_sub(x), ..line }, 0, &typing.field);
    }
    if rows.is_empty() {
        let text = if rows.filter().is_some() { "nothing matches the filter" } else { "no row yet" };
        pen.text(table, table.height / 3, text, Role::Label);
        return;
    }
    heading(pen, Rect { height: 1, ..inner }, rows);
    let top = rows.top(table.height as usize);
    for line in 0..table.height {
        let position = top + line as usize;
        let Some(row) = rows.at(position) else { break };
        let is_selected = position == rows.position();
        let role = match (is_selected, view.pane) {
            (true, Pane::Rows) => Some(Role::Selected),
            (true, Pane::Reports) => Some(Role::Active),
            (false, _) => None,
        };
        row_line(pen, table, line, rows, row, role);
    }
}

fn heading(pen: &mut Pen<'_>, area: Rect, rows: &Rows) {
    let arrow = match rows.reversed {
        false => pen.theme.pick("▲", "^"),
        true => pen.theme.pick("▼", "v"),
    };
    let mut line = words([("  ", Role::Text)]);
    let name = |column: Column| match column == rows.column {
        true => (format!("{arrow}{}", column.name()), Role::Key),
        false => (column.name().to_owned(), Role::Faint),
    };
    for (column, width) in columns(area.width) {
        let (text, role) = name(column);
        line.push((format!("{text:>width$}", width = width - 1).into(), role));
        line.push((" ".into(), Role::Text));
    }
    let (text, role) = name(Column::Hypothesis);
    line.push((format!(" {text}").into(), role));
    pen.line(area, 0, &line);
}

fn ended(ended: Ended) -> (&'static str, Role) {
    match ended {
        Ended::EndToken => ("end", Role::Label),
        Ended::StopString => ("stop", Role::Label),
        Ended::MaxNewTokens => ("cut", Role::Warn),
    }
}

fn row_line(pen: &mut Pen<'_>, area: Rect, line: u16, rows: &Rows, row: &ReportRow, selected: Option<Role>) {
    let mark = if selected.is_some() { pen.theme.pick("▸ ", "> ") } else { "  " };
    let plain = |role: Role| selected.unwrap_or(role);
    let mut cells: Words = vec![(mark.into(), plain(Role::Key))];
    let number = |value: f64| if value.is_finite() { format!("{value:.1}") } else { value.to_string() };
    for (column, width) in columns(area.width) {
        let (text, role) = match column {
            Column::Line => (row.line.to_string(), Role::Faint),
            Column::Bleu => (number(row.bleu), Role::Text),
            Column::Chrf => (number(row.chrf), Role::Label),
            Column::Tokens => (format::short_count(row.tokens), Role::Label),
            Column::Ended => {
                let (text, role) = ended(row.ended);
                (text.to_owned(), role)
            }
            Column::Hypothesis => continue,
        };
        let text = format::fit(&text, width - 1, pen.theme.ellipsis());
        cells.push((format!("{text:>width$} ", width = width - 1).into(), plain(role)));
    }
    cells.push((" ".into(), plain(Role::Text)));
    let text = printable(beginning(&row.hypothesis, ROW_TEXT));
    let marks: Vec<Range<usize>> = rows.filter().map(|filter| filter.places(&text).collect()).unwrap_or_default();
    if text.is_empty() {
        cells.push(("(empty)".into(), plain(Role::Faint)));
    }
    marked(&mut cells, &text, 0..text.len(), &marks, plain(Role::Text));
    let end = pen.line(area, line, &cells);
    if let Some(role @ Role::Selected) = selected {
        let rest = Rect { x: end, width: area.right().saturating_sub(end), ..area };
        pen.text(rest, line, &" ".repeat(rest.width as usize), role);
    }
}
