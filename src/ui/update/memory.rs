//! What keys do on the tab Memory: the crosshair, the window of time, the jumps to the peaks, the ledger for the clipboard.

use crate::memory::ledger::Phase;
use crate::ui::keymap::Action;
use crate::ui::message::{Effect, Mouse, MouseKind};
use crate::ui::state::memory::MemoryHistory;
use crate::ui::state::{NoticeKind, Stage, State};
use crate::ui::view::{ledger_text, place_of_timeline};

use super::chart::{PAN, STRIDES, ZOOM};
use super::notify;

/// No less time is shown, in milliseconds: samples are taken about twice a second.
const LEAST_SPAN_MS: f64 = 4_000.0;

/// Carries out an action of the tab Memory.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    let Stage::Run(run) = &state.stage else { return };
    let memory = &run.view.memory;
    let timeline = &mut state.timeline;
    let (visible, whole) = (timeline.visible(memory), timeline.whole(memory));
    let mut say = None;
    match action {
        Action::CursorLeft | Action::CursorRight | Action::First | Action::Last => {
            let inside = |at_ms: u64| at_ms as f64 >= visible.first && at_ms as f64 <= visible.last;
            let points = memory.points();
            let in_view = || points.iter().map(|p| p.at_ms).filter(|&at_ms| inside(at_ms));
            let stride = (in_view().count() as u64 / STRIDES).max(1) as usize;
            let place = |index: usize| points.get(index.min(points.len().saturating_sub(1))).map(|p| p.at_ms);
            let at_ms = match (action, timeline.cursor_ms) {
                (Action::First, _) => in_view().next(),
                (Action::Last, _) | (_, None) => in_view().next_back(),
                (Action::CursorRight, Some(at)) => place(points.partition_point(|p| p.at_ms <= at) + stride - 1),
                (_, Some(at)) => place(points.partition_point(|p| p.at_ms < at).saturating_sub(stride)),
            };
            // A window between two samples has none of its own.
            let before = || memory.at(visible.last.max(0.0) as u64).map(|p| p.at_ms);
            let at_ms = at_ms.or_else(before);
            set_cursor(state, at_ms);
        }
        Action::Peak => match memory.highest() {
            Some(highest) => {
                let at_ms = highest.point.at_ms;
                set_cursor(state, Some(at_ms));
            }
            None => say = Some("nothing has been measured yet".to_owned()),
        },
        Action::SelectUp | Action::SelectDown => {
            let at_ms = peak_beside(memory, timeline.cursor_ms, action == Action::SelectDown);
            set_cursor(state, at_ms);
        }
        Action::ZoomIn | Action::ZoomOut => {
            let anchor = match timeline.cursor_ms {
                Some(at_ms) => at_ms as f64,
                None if timeline.follow => visible.last,
                None => (visible.first + visible.last) / 2.0,
            };
            zoom(state, if action == Action::ZoomIn { ZOOM } else { 1.0 / ZOOM }, anchor);
        }
        Action::PanLeft | Action::PanRight => {
            if timeline.window.is_none() {
                let key = state.keymap.key(Action::ZoomIn).map(|k| k.to_string()).unwrap_or_default();
                say = Some(format!("the whole run is shown; {key} zooms in"));
            } else {
                let window = visible.moved(visible.span() * if action == Action::PanRight { PAN } else { -PAN }, whole);
                timeline.follow = action == Action::PanRight && window.last >= whole.last;
                timeline.window = Some(window);
            }
        }
        Action::WholeRun => (timeline.window, timeline.follow) = (None, true),
        Action::Follow => {
            timeline.follow = !timeline.follow;
            timeline.window = match timeline.follow {
                true => timeline.window.filter(|&window| window != whole),
                false => Some(visible),
            };
            let told = if timeline.follow { "following the newest sample" } else { "holding still" };
            say = Some(told.to_owned());
        }
        Action::Clear => timeline.cursor_ms = None,
        Action::Copy => match timeline.looked_at(memory) {
            Some(point) => effects.push(Effect::Copy(ledger_text(&run.view, point))),
            None => say = Some("nothing has been measured yet".to_owned()),
        },
        _ => {}
    }
    if let Some(say) = say {
        notify(state, NoticeKind::Info, say);
    }
}

/// Shows `factor` times as much around a moment that stays where it is.
fn zoom(state: &mut State, factor: f64, anchor: f64) {
    let Stage::Run(run) = &state.stage else { return };
    let (timeline, memory) = (&mut state.timeline, &run.view.memory);
    let (visible, whole) = (timeline.visible(memory), timeline.whole(memory));
    match visible.zoomed(factor, anchor, whole, LEAST_SPAN_MS) {
        Some(window) => {
            timeline.follow &= window.last >= visible.last - 1e-6;
            timeline.window = Some(window);
        }
        // Who holds still goes on seeing what is there now.
        None => timeline.window = Some(whole).filter(|_| !timeline.follow),
    }
}

/// The wheel zooms, a press sets the crosshair, a drag pans.
pub(super) fn mouse(state: &mut State, mouse: Mouse) {
    if mouse.kind == MouseKind::Release {
        state.timeline.dragged_from = None;
        return;
    }
    let Some(plot) = place_of_timeline(state) else { return };
    let Stage::Run(run) = &state.stage else { return };
    if !plot.contains((mouse.column, mouse.row).into()) {
        return;
    }
    let (timeline, memory) = (&mut state.timeline, &run.view.memory);
    let (visible, whole) = (timeline.visible(memory), timeline.whole(memory));
    let share = f64::from(mouse.column - plot.x) / f64::from(plot.width.saturating_sub(1).max(1));
    let at_ms = visible.first + visible.span() * share;
    match mouse.kind {
        MouseKind::WheelUp => zoom(state, ZOOM, at_ms),
        MouseKind::WheelDown => zoom(state, 1.0 / ZOOM, at_ms),
        MouseKind::Press => {
            timeline.dragged_from = Some((mouse.column, visible));
            // A sample, as with the keys.
            timeline.cursor_ms = memory.at(at_ms.max(0.0).ceil() as u64).map(|p| p.at_ms);
        }
        MouseKind::Drag => {
            if let (Some((column, from)), Some(_)) = (timeline.dragged_from, timeline.window) {
                let moved = f64::from(column) - f64::from(mouse.column);
                timeline.window = Some(from.moved(moved / f64::from(plot.width.max(1)) * from.span(), whole));
                timeline.follow = false;
            }
        }
        MouseKind::Release => {}
    }
}

/// The crosshair to a moment; what is shown goes along.
fn set_cursor(state: &mut State, at_ms: Option<u64>) {
    let Stage::Run(run) = &state.stage else { return };
    let Some(at_ms) = at_ms else { return };
    let (timeline, memory) = (&mut state.timeline, &run.view.memory);
    let (visible, whole, at) = (timeline.visible(memory), timeline.whole(memory), at_ms as f64);
    timeline.cursor_ms = Some(at_ms);
    let by = if at < visible.first { at - visible.first } else { (at - visible.last).max(0.0) };
    if timeline.window.is_some() && by != 0.0 {
        let window = visible.moved(by, whole);
        timeline.follow &= window.last >= whole.last;
        timeline.window = Some(window);
    }
}

/// The peak of the phase before or after the one whose peak the crosshair stands at, in the order of the table.
fn peak_beside(memory: &MemoryHistory, cursor_ms: Option<u64>, down: bool) -> Option<u64> {
    let peaks: Vec<u64> = Phase::ALL.iter().filter_map(|&phase| memory.peak_of(phase)).map(|p| p.at_ms).collect();
    let last = peaks.len().checked_sub(1)?;
    let at = peaks.iter().position(|&at_ms| Some(at_ms) == cursor_ms);
    let next = match (at, down) {
        (None, true) => 0,
        (None, false) => last,
        (Some(at), true) => (at + 1).min(last),
        (Some(at), false) => at.saturating_sub(1),
    };
    peaks.get(next).copied()
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
