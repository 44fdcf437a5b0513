//! The highest of each phase beside what was planned for it, and at the highest moment of all plan against measured by category.

use ratatui::layout::Rect;

use crate::event::MemoryPlanned;
use crate::memory::ledger::{Category, Phase};
use crate::memory::plan::Basis;
use crate::ui::format;
use crate::ui::state::{RunStage, State};
use crate::ui::theme::Role;
use crate::ui::view::memory::{letter, name, phase_letter};
use crate::ui::widgets::{Pen, Words, words};

use super::bytes;

/// The measured may be above the planned by so many percent before it is said aloud.
const NEAR: f64 = 5.0;

/// Measured against planned in percent, with its sign.
fn difference(measured: u64, planned: u64) -> (String, Role) {
    if planned == 0 {
        return (format::UNKNOWN.to_owned(), Role::Text);
    }
    let percent = (measured as f64 / planned as f64 - 1.0) * 100.0;
    let role = if percent > NEAR { Role::Warn } else { Role::Text };
    let text = if percent > 999.0 { ">999 %".to_owned() } else { format!("{percent:+.0} %") };
    (text.replace("-0 ", "0 ").replace("+0 ", "0 "), role)
}

/// One line of a table: pieces that end at given places from the left.
fn cells(pen: &mut Pen<'_>, area: Rect, row: u16, columns: &[(u16, &str, Role)]) {
    for &(end, text, role) in columns {
        pen.line_right(Rect { width: end.min(area.width), ..area }, row, &words([(text, role)]));
    }
}

pub fn phases(pen: &mut Pen<'_>, area: Rect, state: &State, run: &RunStage) {
    let memory = &run.view.memory;
    let plan = run.view.plan.as_ref();
    let planned_now = |phase| plan.and_then(|p| p.by_phase.get(&phase).copied());
    let known: Vec<Phase> = Phase::ALL
        .into_iter()
        .filter(|&phase| memory.peak_of(phase).is_some() || planned_now(phase).is_some_and(|bytes| bytes > 0))
        .collect();
    // Bytes are written whole where there is room.
    let wide = area.width >= 56;
    let inner = pen.panel(area, if wide { "highest by phase" } else { "peaks" }, &Words::new());
    let ends: [u16; 4] = if wide { [24, 34, 46, 54] } else { [20, 25, 0, inner.width.min(32)] };
    let bytes = if wide { bytes } else { format::short_bytes };
    let heading = [
        (ends[0], "measured"),
        (ends[1], "step"),
        (ends[2], "planned"),
        (ends[3], if wide { "vs plan" } else { "plan" }),
    ];
    let shown = |end: u16| end > 0;
    for (end, text) in heading.into_iter().filter(|&(end, _)| shown(end)) {
        cells(pen, inner, 0, &[(end, text, Role::Faint)]);
    }
    let highest = memory.highest().map(|h| h.point.phase);
    let room = inner.height.saturating_sub(1) as usize;
    for (row, &phase) in (1..).zip(known.iter().take(room)) {
        let peak = memory.peak_of(phase);
        let selected = peak.is_some_and(|p| Some(p.at_ms) == state.timeline.cursor_ms);
        let role = match phase {
            _ if selected => Role::Active,
            phase if Some(phase) == highest => Role::Warn,
            _ => Role::Label,
        };
        let mark = if selected { pen.theme.pick("▸", ">") } else { " " };
        let label = format!("{mark}{} {}", phase_letter(phase), phase.name());
        pen.line(Rect { width: ends[0].saturating_sub(7), ..inner }, row, &words([(&label, role)]));
        let planned = peak.map_or_else(|| planned_now(phase), |p| p.planned_bytes);
        let (text, role_of_difference) = match (peak, planned) {
            (Some(peak), Some(planned)) => difference(peak.bytes, planned),
            // Where bytes have no column of their own, what is to come stands here.
            (None, Some(planned)) if !wide => (bytes(planned), Role::Faint),
            _ => (format::UNKNOWN.to_owned(), Role::Text),
        };
        let step = format::or_unknown(peak, |p| format::short_count(p.step));
        let columns = [
            (ends[0], format::or_unknown(peak, |p| bytes(p.bytes)), role),
            (ends[1], step, Role::Text),
            (ends[2], format::or_unknown(planned, bytes), Role::Text),
            (ends[3], text, role_of_difference),
        ];
        for (end, text, role) in columns.iter().filter(|(end, ..)| shown(*end)) {
            cells(pen, inner, row, &[(*end, text, *role)]);
        }
    }
    between_samples(pen, inner, 1 + known.len() as u16, run);
}

/// The kernel's own high-water mark may lie above every sample: it has no phase and no ledger.
fn between_samples(pen: &mut Pen<'_>, area: Rect, row: u16, run: &RunStage) {
    let memory = &run.view.memory;
    let sampled = memory.highest().map(|h| h.point.height());
    if let Some(peak) = memory.peak_bytes.filter(|&peak| sampled.is_some_and(|sampled| peak > sampled)) {
        let text = format!("up to {} between samples", bytes(peak));
        pen.line(area, row, &words([("  ", Role::Text), (&text, Role::Label)]));
    }
}

/// What the plan stands on.
fn basis(plan: &MemoryPlanned) -> String {
    match (plan.basis, plan.fitted_steps) {
        (Basis::Calibrated, _) => "calibrated".to_owned(),
        (Basis::Formula, _) => "formula alone".to_owned(),
        (Basis::Fitted, Some(1)) => "fitted after 1 step".to_owned(),
        (Basis::Fitted, Some(steps)) => format!("fitted after {} steps", format::count(steps)),
        (Basis::Fitted, None) => "fitted to this run".to_owned(),
    }
}

pub fn plan(pen: &mut Pen<'_>, area: Rect, run: &RunStage) {
    let memory = &run.view.memory;
    let highest = memory.highest();
    // The plan for the settings that the highest moment had.
    let plan = highest.map_or(run.view.plan.as_ref(), |h| h.plan.as_ref());
    let then = if highest.is_some_and(|h| !memory.is_of_now(h)) { " (old settings)" } else { "" };
    let basis = plan.map(|plan| format!("{}{then}", basis(plan)));
    let right = basis.map_or_else(Words::new, |basis| words([(&basis, Role::Active)]));
    let inner = pen.panel(area, "plan at the peak", &right);
    let Some(plan) = plan else {
        pen.text(inner, inner.height / 3, "no plan was made for this run", Role::Label);
        return;
    };
    let planned = |c: Category| match plan.by_category.is_empty() {
        true => None,
        false => Some(plan.by_category.get(&c).copied().unwrap_or(0)),
    };
    let measured = |c: Category| highest.map(|h| h.point.stack[c as usize]);
    let size = |c: Category| planned(c).max(measured(c)).unwrap_or(0);
    let mut known: Vec<Category> = Category::ALL.into_iter().filter(|&c| size(c) > 0).collect();
    let longest = plan.longest_batch.filter(|_| inner.height >= 8);
    let room = (inner.height as usize).saturating_sub(2 + usize::from(longest.is_some()));
    if known.len() > room {
        // The smallest go.
        known.sort_by_key(|&c| std::cmp::Reverse(size(c)));
        known.truncate(room);
        known.sort();
    }
    const ENDS: [u16; 3] = [31, 43, 54];
    for (end, text) in [(ENDS[0], "planned"), (ENDS[1], "measured"), (ENDS[2], "difference")] {
        cells(pen, inner, 0, &[(end, text, Role::Faint)]);
    }
    let line = |pen: &mut Pen<'_>, row: u16, left: Words, planned: Option<u64>, measured: Option<u64>| {
        pen.line(Rect { width: ENDS[0].saturating_sub(9), ..inner }, row, &left);
        let (text, role) = match (planned, measured) {
            (Some(planned), Some(measured)) => {
                let sign = if measured < planned { "-" } else { "+" };
                let by = measured.abs_diff(planned);
                (if by == 0 { "0 B".to_owned() } else { format!("{sign}{}", bytes(by)) }, Role::Text)
            }
            _ => (format::UNKNOWN.to_owned(), Role::Text),
        };
        let text_of = |value| format::or_unknown(value, bytes);
        let columns =
            [(ENDS[0], text_of(planned), Role::Text), (ENDS[1], text_of(measured), Role::Text), (ENDS[2], text, role)];
        columns.iter().for_each(|(end, text, role)| cells(pen, inner, row, &[(*end, text, *role)]));
    };
    let mut row = 1;
    let mark_of = |pen: &Pen<'_>, c: Category| match pen.theme.has_color {
        true => pen.theme.pick("■", "#").to_owned(),
        false => letter(c).to_string(),
    };
    for category in known {
        let mark = mark_of(pen, category);
        let what = if category == Category::Unaccounted { "not accounted for" } else { name(category) };
        let left = words([(&mark, Role::Category(category)), (" ", Role::Text), (what, Role::Label)]);
        line(pen, row, left, planned(category), measured(category));
        row += 1;
    }
    let height = highest.map(|h| h.point.height());
    line(pen, row, words([("  the peak", Role::Title)]), Some(plan.peak_bytes), height);
    if let Some(height) = height.filter(|_| inner.width >= ENDS[2] + 8) {
        let (text, role) = difference(height, plan.peak_bytes);
        pen.line_right(Rect { x: inner.x + ENDS[2], width: 8, ..inner }, row, &words([(&text, role)]));
    }
    if let Some(longest) = longest {
        let text = format!(
            "  longest micro-batch: {} rows, {} tokens",
            format::count(longest.rows),
            format::count(longest.tokens)
        );
        pen.line(inner, row + 1, &words([(&text, Role::Label)]));
    }
}
