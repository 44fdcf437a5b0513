//! The reports, one a line: name, score with half its interval, the difference to the baseline.

use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::state::State;
use crate::ui::state::bleu::{Found, Pane};
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::{Pen, Words, words};
use crate::units::printable;

use super::{adapter, p_value, score, share};

/// From these inner widths on there are columns more.
const WITH_HALF: u16 = 32;
const WITH_CHRF: u16 = 44;
const WITH_P: u16 = 54;
const WITH_SUBJECT: u16 = 76;

const NUMBER: usize = 7;

/// The cells of the reports themselves, below the heading.
pub fn place(inner: Rect) -> Rect {
    let heading = inner.height.min(1);
    Rect { y: inner.y + heading, height: inner.height - heading, ..inner }
}

/// The first one that is shown.
pub fn first(state: &State, rows: usize) -> usize {
    (state.bleu.position().unwrap_or(0) + 1).saturating_sub(rows)
}

/// The columns on the right of a line, with their widths; what is wider than its column pushes into the one before.
fn columns(theme: &Theme, width: u16, row: Option<&Found>) -> Vec<(usize, String, Role)> {
    let mut columns = Vec::new();
    let report = row.map(|found| &*found.report);
    if width >= WITH_SUBJECT {
        let text = |heading: &str, of: &dyn Fn(&Found) -> String| row.map_or(heading.to_owned(), of);
        columns.push((18, text("adapter", &|f| adapter(&f.report.subject.adapter)), Role::Label));
        columns.push((8, text("split", &|f| printable(&f.report.subject.split)), Role::Label));
        columns.push((8, text("rows", &|f| format::short_count(f.report.rows.len() as u64)), Role::Label));
    }
    let partial = report.is_some_and(|report| report.is_partial());
    let bleu = report.map(|report| report.bleu());
    let text = bleu.map_or("BLEU".to_owned(), |b| format::or_unknown(b.map(|b| b.score), score));
    columns.push((
        NUMBER,
        if partial { format!("~{text}") } else { text },
        if partial { Role::Warn } else { Role::Text },
    ));
    let sign = theme.pick("±", "+-");
    let half = bleu.map_or(sign.to_owned(), |b| match b.and_then(|b| b.ci) {
        Some(ci) => format!("{sign}{:.2}", ci.half_width),
        None => String::new(),
    });
    let half = match report.filter(|_| partial) {
        Some(report) => format!("{:.0} %", share(report) * 100.0),
        None => half,
    };
    if width >= WITH_HALF {
        columns.push((NUMBER, half, if partial { Role::Warn } else { Role::Label }));
    }
    if width >= WITH_CHRF {
        let chrf = report.map(|report| report.score("chrF2").map(|s| s.score));
        let text = chrf.map_or("chrF".to_owned(), |c| format::or_unknown(c, score));
        columns.push((NUMBER, text, Role::Label));
    }
    let compared = row.map(|found| found.comparison.as_ref().and_then(|c| c.as_ref().ok()));
    let (text, role) = match (row, compared.flatten()) {
        (None, _) => ("diff".to_owned(), Role::Label),
        (Some(found), _) if found.is_baseline => ("base".to_owned(), Role::Faint),
        (_, Some(c)) if c.is_significant() && c.difference > 0.0 => (format!("{:+.2}", c.difference), Role::Good),
        (_, Some(c)) if c.is_significant() => (format!("{:+.2}", c.difference), Role::Bad),
        (_, Some(c)) => (format!("{:+.2}", c.difference), Role::Text),
        (_, None) => (String::new(), Role::Text),
    };
    columns.push((NUMBER, text, role));
    if width >= WITH_P {
        let p = compared.map(|c| c.and_then(|c| c.p_value));
        let text = p.map_or("p".to_owned(), |p| p.map(p_value).unwrap_or_default());
        columns.push((10, text, Role::Label));
    }
    columns
}

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let view = &state.bleu;
    let mut right = Words::new();
    if let Some(reading) = view.reading().filter(|reading| !reading.problems.is_empty()) {
        let count = reading.problems.len();
        right.push((format!("  {count} unreadable").into(), Role::Warn));
    }
    let inner = pen.panel(area, "reports", &right);
    if inner.height == 0 {
        return;
    }
    heading(pen, inner);
    let rows = place(inner);
    let has_keys = view.pane == Pane::Reports;
    let from = first(state, rows.height as usize);
    let selected = view.position();
    for (row, (at, found)) in view.reports().iter().enumerate().skip(from).take(rows.height as usize).enumerate() {
        let is_selected = selected == Some(at);
        let mark = if is_selected { pen.theme.pick("▸ ", "> ") } else { "  " };
        let role = match (is_selected, &found.run) {
            (true, _) if has_keys => Role::Selected,
            (true, _) => Role::Active,
            (false, Some(_)) => Role::Compare,
            (false, None) => Role::Text,
        };
        let name = match &found.run {
            Some(run) => format!("{}/{}", printable(run), printable(&found.report.name)),
            None => printable(&found.report.name),
        };
        let at = draw_columns(pen, rows, row as u16, &columns(pen.theme, inner.width, Some(found)));
        let place = Rect { width: at.saturating_sub(rows.x + 1), ..rows };
        pen.line(place, row as u16, &words([(mark, Role::Key), (&name, role)]));
    }
}

fn heading(pen: &mut Pen<'_>, inner: Rect) {
    let headings: Vec<_> =
        columns(pen.theme, inner.width, None).into_iter().map(|(width, text, _)| (width, text, Role::Faint)).collect();
    let at = draw_columns(pen, inner, 0, &headings);
    pen.text(Rect { width: at.saturating_sub(inner.x + 1), ..inner }, 0, "  report", Role::Faint);
}

/// From the right; the x where they begin comes back.
fn draw_columns(pen: &mut Pen<'_>, area: Rect, row: u16, columns: &[(usize, String, Role)]) -> u16 {
    let mut right = area.right();
    for (width, text, role) in columns.iter().rev() {
        let left = right.saturating_sub(*width as u16).max(area.x);
        let text = format::fit(text, width.saturating_sub(1), pen.theme.ellipsis());
        pen.line_right(Rect { x: left, width: right - left, ..area }, row, &words([(&text, *role)]));
        right = left;
    }
    right
}
