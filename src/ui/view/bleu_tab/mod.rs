//! The tab BLEU: reports in `list`, the numbers of the selected one in `detail`, its rows in `rows`, one of them by itself in `page`.
//! This file says where they lie. What has the keys has the room: reports first, then the rows.

mod detail;
mod list;
mod page;
mod rows;

use ratatui::layout::Rect;

use crate::eval::report::{AdapterName, Report};
use crate::ui::state::bleu::Pane;
use crate::ui::state::{RunStage, State};
use crate::ui::theme::Role;
use crate::ui::widgets::pen::inside;
use crate::ui::widgets::{Pen, Words};
use crate::units::printable;

/// From this width on the numbers get more room than the list.
const BESIDE_WIDE: u16 = 100;

/// Where the panels lie.
struct Areas {
    list: Rect,
    detail: Rect,
    rows: Rect,
}

/// None where one panel takes all: a row by itself, or no report.
fn split(body: Rect, state: &State) -> Option<Areas> {
    if state.bleu.page.is_some() || state.bleu.reports().is_empty() {
        return None;
    }
    let height = match state.bleu.pane {
        Pane::Reports => (body.height * 3 / 5).clamp(9, 24),
        Pane::Rows => (body.height * 2 / 5).clamp(8, 18),
    };
    let top = Rect { height: height.min(body.height.saturating_sub(4)), ..body };
    let list = if body.width < BESIDE_WIDE { top.width / 2 } else { top.width * 9 / 20 };
    Some(Areas {
        list: Rect { width: list, ..top },
        detail: Rect { x: top.x + list, width: top.width - list, ..top },
        rows: Rect { y: top.bottom(), height: body.height - top.height, ..body },
    })
}

pub fn areas(body: Rect, state: &State) -> Vec<Rect> {
    split(body, state).map_or_else(|| vec![body], |areas| vec![areas.list, areas.detail, areas.rows])
}

/// The cells of the reports, which of them is the first, and the cells of the rows.
pub fn places(body: Rect, state: &State) -> Option<(Rect, usize, Rect)> {
    let areas = split(body, state)?;
    let list = list::place(inside(areas.list));
    let first = list::first(state, list.height as usize);
    Some((list, first, rows::place(inside(areas.rows), state)))
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, run: &RunStage) {
    if let Some(open) = &state.bleu.page {
        return page::draw(pen, body, state, open);
    }
    let Some(areas) = split(body, state) else { return nothing(pen, body, state, run) };
    list::draw(pen, areas.list, state);
    if let Some(found) = state.bleu.selected() {
        detail::draw(pen, areas.detail, state, found);
    }
    rows::draw(pen, areas.rows, state);
}

/// What there is to say where there is no report.
fn nothing(pen: &mut Pen<'_>, body: Rect, state: &State, run: &RunStage) {
    let inner = pen.panel(body, "reports", &Words::new());
    let Some(reading) = state.bleu.reading() else {
        pen.text(inner, inner.height / 3, "looking for reports", Role::Label);
        return;
    };
    let mut lines = vec![("this run has no report yet".to_owned(), Role::Text)];
    let after = run.view.started.as_ref().is_some_and(|started| started.config.bleu.run_after_training);
    lines.push((String::new(), Role::Text));
    if after && run.is_live() {
        lines.push(("when the run ends, its test split is generated and scored".to_owned(), Role::Label));
    } else {
        lines.push(("one is made with".to_owned(), Role::Label));
        let folder = printable(&run.folder.display().to_string());
        lines.push((format!("finetop eval {folder}"), Role::Key));
        lines.push(("  --split test --metrics bleu".to_owned(), Role::Key));
    }
    let problems = reading.problems.iter().map(|problem| (printable(problem), Role::Warn));
    lines.extend(problems);
    let top = (inner.height / 3).saturating_sub(1);
    for (row, (text, role)) in lines.iter().enumerate() {
        pen.text(inner, top + row as u16, text, *role);
    }
}

/// `base`, `best, step 120`, a folder's name.
fn adapter(adapter: &AdapterName) -> String {
    let name = match adapter.name.as_str() {
        "none" => "base".to_owned(),
        name => printable(name),
    };
    adapter.step.map_or(name.clone(), |step| format!("{name}, step {step}"))
}

/// A score as the list has it.
fn score(value: f64) -> String {
    if value.is_finite() { format!("{value:.2}") } else { value.to_string() }
}

/// `p < 0.001`, `p 0.012`.
fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p {p:.3}") }
}

/// How much of it is there.
fn share(report: &Report) -> f64 {
    report.rows.len() as f64 / report.rows_total.max(1) as f64
}
