//! The chart of the tab Memory: stacked categories over the time at work, phases under them, marks above, the limit and the planned peak.

use ratatui::layout::Rect;

use crate::memory::ledger::Category;
use crate::ui::format;
use crate::ui::state::memory::{MarkKind, MemoryPoint, sum};
use crate::ui::state::{Activity, RunStage, State};
use crate::ui::theme::Role;
use crate::ui::view::memory::{letter, phases};
use crate::ui::widgets::stack::Moment;
use crate::ui::widgets::timeline::{self, Level, Mark, Places, Timeline};
use crate::ui::widgets::{Pen, Words, pen, words};
use crate::units::format_duration;

use super::bytes;

/// Rows from which a panel has one for what the marks mean.
const WITH_LEGEND: u16 = 12;

/// A mark's letter, what it means, its role; the most important first.
const MARKS: [(MarkKind, char, &str, Role); 5] = [
    (MarkKind::OutOfMemory, 'X', "out of memory", Role::Bad),
    (MarkKind::Lever, 'R', "lever", Role::Warn),
    (MarkKind::Bleu, 'B', "BLEU", Role::Best),
    (MarkKind::Checkpoint, 'S', "saved", Role::Good),
    (MarkKind::Eval, 'E', "eval", Role::Eval),
];

fn legend_rows(panel: Rect) -> u16 {
    u16::from(panel.height >= WITH_LEGEND)
}

/// Where the pieces of the chart lie in its panel.
pub fn places(panel: Rect) -> Option<Places> {
    let inner = pen::inside(panel);
    timeline::places(Rect { height: inner.height.saturating_sub(legend_rows(panel)), ..inner })
}

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State, run: &RunStage) {
    let memory = &run.view.memory;
    let inner = pen.panel(area, "memory over time", &title(run, area.width));
    let legend = legend_rows(area);
    let chart = Rect { height: inner.height.saturating_sub(legend), ..inner };
    if memory.points().is_empty() {
        return waiting(pen, inner, run);
    }
    let Some(places) = places(area) else { return };
    let visible = state.timeline.visible(memory);
    let x = (visible.first.max(0.0) as u64, visible.last.max(0.0) as u64);
    // From the sample before the left edge, which reaches into it, to the right edge.
    let points = memory.points();
    let begin = points.partition_point(|p| p.at_ms < x.0).saturating_sub(1);
    let points = &points[begin..points.partition_point(|p| p.at_ms <= x.1).max(begin)];
    let parts = Category::ALL.map(|c| (Role::Category(c), letter(c)));
    let mark = |mark: &crate::ui::state::memory::Mark| {
        let (rank, &(_, symbol, _, role)) = (0..).zip(&MARKS).find(|(_, (kind, ..))| *kind == mark.kind)?;
        Some(Mark { at: mark.at_ms, symbol, role, rank })
    };
    let timeline = Timeline {
        parts: &parts,
        x,
        highest: points.iter().map(|p| p.height().max(sum(&p.stack))).max().unwrap_or(0),
        levels: levels(run),
        marks: memory.marks().iter().filter_map(mark).collect(),
        cursor: state.timeline.cursor_ms,
    };
    let moments = points.iter().map(|p| Moment { x: p.at_ms, parts: &p.stack });
    timeline::draw(pen, &places, moments, &timeline);
    let name = Rect { x: chart.x, width: places.strip.x - 1 - chart.x, ..places.strip };
    pen.line_right(name, 0, &words([("phase", Role::Faint)]));
    phases(pen, places.strip, points, x);
    if legend > 0 {
        draw_legend(
            pen,
            Rect { y: inner.bottom() - 1, height: 1, x: places.plot.x, width: places.plot.width },
            state,
            run,
        );
    }
}

/// What is held of what there is, and the highest so far.
fn title(run: &RunStage, width: u16) -> Words {
    let memory = &run.view.memory;
    let limit = limit(run);
    let mut right: Words = Vec::new();
    if let Some(newest) = memory.newest() {
        let of = limit.map(|l| format!(" of {}", bytes(l))).unwrap_or_default();
        let used = format::or_unknown(newest.used_bytes, bytes);
        let now = if run.is_live() { "now" } else { "at the end" };
        right.push((format!("{now} {used}{of}  ").into(), Role::Text));
    }
    if let Some(highest) = memory.highest() {
        let MemoryPoint { step, phase, at_ms, .. } = highest.point;
        let height = highest.point.height();
        let role = if limit.is_some_and(|l| height > l) { Role::Bad } else { Role::Warn };
        let at = if width < 76 { String::new() } else { format!(" at {}", format_duration(at_ms as f64 / 1e3)) };
        let text = format!("peak {}{at}, step {}, {}", bytes(height), format::count(step), phase.name());
        right.push((text.into(), role));
    }
    right
}

/// The limit that held last.
pub fn limit(run: &RunStage) -> Option<u64> {
    run.view.memory.limit_bytes.or_else(|| run.view.plan.as_ref().and_then(|p| p.limit_bytes))
}

fn levels(run: &RunStage) -> Vec<Level> {
    let mut levels = Vec::new();
    if let Some(plan) = run.view.plan.as_ref().filter(|plan| plan.peak_bytes > 0) {
        let label = format!("plan {}", bytes(plan.peak_bytes));
        levels.push(Level { bytes: plan.peak_bytes, role: Role::Label, unicode: '╌', ascii: '-', label });
    }
    if let Some(limit) = limit(run) {
        let label = format!("limit {}", bytes(limit));
        levels.push(Level { bytes: limit, role: Role::Bad, unicode: '━', ascii: '=', label });
    }
    levels
}

/// What the marks mean, those that occurred, and how closely one looks.
fn draw_legend(pen: &mut Pen<'_>, row: Rect, state: &State, run: &RunStage) {
    let occurred = |kind| run.view.memory.marks().iter().any(|mark| mark.kind == kind);
    let mut key: Words = Vec::new();
    for (_, symbol, meaning, role) in MARKS.iter().filter(|(kind, ..)| occurred(*kind)) {
        key.extend(words([(&symbol.to_string(), *role), (&format!(" {meaning}  "), Role::Label)]));
    }
    let shown = match state.timeline.window {
        None => "",
        Some(_) if state.timeline.follow => "following",
        Some(_) => "part of the run",
    };
    let x = pen.line_right(row, 0, &words([(shown, Role::Label)]));
    pen.line(Rect { width: x.saturating_sub(row.x + u16::from(!shown.is_empty())), ..row }, 0, &key);
}

/// What is shown before anything was measured.
fn waiting(pen: &mut Pen<'_>, area: Rect, run: &RunStage) {
    let text = match run.activity() {
        Activity::Finished(_) | Activity::Interrupted => "the log of this run has no sample of memory",
        Activity::Loading => "the model is being loaded; nothing has been measured yet",
        _ => "nothing has been measured yet",
    };
    let planned = run.view.plan.as_ref().filter(|plan| plan.peak_bytes > 0);
    let planned = planned.map(|plan| format!("; a peak of {} is planned", bytes(plan.peak_bytes)));
    let text = &format!("{text}{}", planned.unwrap_or_default());
    for (row, line) in format::wrap(text, area.width as usize).iter().enumerate() {
        pen.text(area, area.height / 3 + row as u16, line, Role::Label);
    }
}
