//! The tab Charts: every quantity over the run, as a grid or one of them large, over a line that says how they are looked at, or what
//! lies under the crosshair. One chart is in `chart`.

use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::state::chart::{Quantity, values_at};
use crate::ui::state::{RunStage, State};
use crate::ui::theme::Role;
use crate::ui::widgets::{Pen, Words, pen, words};
use crate::units::printable;

use super::chart::{self, x_text};

/// Rows below the charts.
fn rows_below(state: &State) -> u16 {
    if state.chart.cursor.is_some() && state.chart.other.is_some() { 3 } else { 2 }
}

/// The charts and where they lie.
pub fn areas(body: Rect, state: &State) -> Vec<(Quantity, Rect)> {
    let body = Rect { height: body.height.saturating_sub(rows_below(state)), ..body };
    if state.chart.large {
        return vec![(state.chart.quantity, body)];
    }
    let columns = if body.width >= 150 { 3 } else { 2 };
    let rows = Quantity::ALL.len() as u16 / columns;
    // The first ones take what is left over.
    let part = |whole: u16, count: u16, index: u16| {
        let at = |i: u16| whole / count * i + (whole % count).min(i);
        (at(index), at(index + 1) - at(index))
    };
    let place = |(i, &quantity): (usize, &Quantity)| {
        let (x, width) = part(body.width, columns, i as u16 % columns);
        let (y, height) = part(body.height, rows, i as u16 / columns);
        (quantity, Rect { x: body.x + x, y: body.y + y, width, height })
    };
    Quantity::ALL.iter().enumerate().map(place).collect()
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, run: &RunStage) {
    for (quantity, area) in areas(body, state) {
        let selected = !state.chart.large && quantity == state.chart.quantity;
        chart::draw(pen, area, run, &state.chart, quantity, selected);
    }
    let below = rows_below(state).min(body.height);
    let lines = Rect { x: body.x + 1, y: body.bottom() - below, width: body.width.saturating_sub(2), height: below };
    let pieces = match state.chart.cursor {
        Some(step) => crosshair(pen, state, run, step),
        None => how(state, run),
    };
    flow(pen, lines, pieces);
}

/// Pieces one after the other, in as many rows as there are.
pub fn flow(pen: &mut Pen<'_>, area: Rect, pieces: Vec<Words>) {
    let mut line: Words = Vec::new();
    let mut row = 0;
    for mut piece in pieces {
        if pen::width(&line) + pen::width(&piece) > area.width as usize && !line.is_empty() && row + 1 < area.height {
            pen.line(area, row, &line);
            row += 1;
            line.clear();
        }
        if let Some(first) = piece.first_mut().filter(|_| line.is_empty()) {
            first.0 = first.0.trim_start().to_owned().into();
        }
        line.extend(piece);
    }
    pen.line(area, row, &line);
}

/// Everything that is known of the step under the crosshair, and of the other run there.
pub fn crosshair(pen: &Pen<'_>, state: &State, run: &RunStage, step: u64) -> Vec<Words> {
    let view = &run.view;
    let place = |axis| x_text(axis, view.axis.place(axis, step as f64));
    use crate::ui::state::axis::XAxis::{Time, Tokens};
    let of_loss = |name: &str| matches!(name, "loss" | "smoothed" | "eval");
    let (losses, rest): (Vec<_>, Vec<_>) = values_at(view, step).into_iter().partition(|(name, _)| of_loss(name));
    let mut pieces = vec![words([("step ", Role::Label), (&format::count(step), Role::Active)])];
    for (name, value) in losses {
        let role = if name == "eval" { Role::Eval } else { Role::Loss };
        pieces.push(words([(&format!("  {name} "), Role::Label), (&value, role)]));
    }
    if let Some(other) = &state.chart.other {
        // The step of the other run that lies under the same place.
        let axis = state.chart.x;
        let beside = other.view.axis.step_at(axis, view.axis.place(axis, step as f64)).round() as u64;
        let mut values = values_at(&other.view, beside);
        values.retain(|(name, _)| of_loss(name));
        if values.is_empty() || beside != step {
            let has = if values.is_empty() { "has no" } else { "at" };
            let text = format!("  {} {has} step {}", printable(&other.name), format::count(beside));
            pieces.push(words([(&text, Role::Compare)]));
        }
        for (name, value) in values {
            let mark = pen.theme.pick("━", "+");
            pieces.push(words([(&format!("  {mark} {name} "), Role::Label), (&value, Role::Compare)]));
        }
    }
    for (name, value) in rest {
        pieces.push(words([(&format!("  {name} "), Role::Label), (&value, Role::Text)]));
    }
    pieces.push(words([(&format!("  {} tokens  {}", place(Tokens), place(Time)), Role::Label)]));
    pieces
}

/// How the charts are looked at.
fn how(state: &State, run: &RunStage) -> Vec<Words> {
    let chart = &state.chart;
    let view = &run.view;
    // Each with the key that changes it.
    let key = |action| state.keymap.key(action).map(|key| key.to_string()).unwrap_or_default();
    let piece = |action, name: &str, value: &str| {
        words([(&key(action), Role::Key), (&format!(" {name}"), Role::Label), (&format!("{value}   "), Role::Text)])
    };
    let visible = chart.visible(view);
    let shown = match chart.window {
        None => "the whole run".to_owned(),
        Some(_) => format!(
            "steps {} to {}",
            format::count(visible.first.max(0.0).round() as u64),
            format::count(visible.last.max(0.0).round() as u64)
        ),
    };
    let smoothing = view.smoothing().window(view.planned_steps());
    let mut pieces = vec![
        piece(Action::XAxis, "by ", chart.x.name()),
        piece(Action::YScale, "", if chart.is_log(chart.quantity) { "logarithmic" } else { "linear" }),
        piece(Action::ZoomIn, "", &shown),
        piece(Action::Follow, "", if chart.follow { "following" } else { "holding" }),
        piece(Action::SmoothMore, "smoothed over ", &format!("{smoothing:.0} steps")),
        words([(&key(Action::Compare), Role::Key), (" another run   ", Role::Label)]),
    ];
    if let Some(other) = &chart.other {
        pieces.push(words([("beside ", Role::Label), (&printable(&other.name), Role::Compare)]));
    }
    pieces
}
