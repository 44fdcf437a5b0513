//! What keys and the mouse do to the charts, and to what is selected on the tab Train.

use crate::ui::keymap::Action;
use crate::ui::message::{Effect, Mouse, MouseKind};
use crate::ui::state::chart::{Pick, Window, values_at};
use crate::ui::state::run::RunView;
use crate::ui::state::smooth::Smoothing;
use crate::ui::state::{NoticeKind, Stage, State, Tab};
use crate::ui::view::place_of_chart;
use crate::ui::widgets::chart::plot_area;

use super::notify;

/// What remains of the span when one zooms in.
pub(super) const ZOOM: f64 = 0.6;
/// No fewer steps are shown.
const LEAST_SPAN: f64 = 4.0;
/// A pan goes by this share of what is shown.
pub(super) const PAN: f64 = 0.25;
/// Presses of a key that take the crosshair over the whole chart.
pub(super) const STRIDES: u64 = 80;
/// A page of the selection.
const PAGE: usize = 5;

/// Carries out an action of the tabs Train and Charts.
pub fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    let Stage::Run(run) = &mut state.stage else { return };
    let chart = &mut state.chart;
    let visible = chart.visible(&run.view);
    match action {
        Action::CursorLeft | Action::CursorRight => {
            move_cursor(state, action == Action::CursorRight);
            pick_under_cursor(state);
        }
        Action::First | Action::Last => {
            // Whole steps that are in view.
            let last = visible.last.min(chart.whole(&run.view).last).floor();
            let at = if action == Action::First { visible.first.ceil().min(last) } else { last };
            chart.cursor = Some(at.max(0.0) as u64);
            pick_under_cursor(state);
        }
        Action::ZoomIn | Action::ZoomOut => {
            let anchor = match chart.cursor {
                Some(cursor) => cursor as f64,
                None if chart.follow => visible.last,
                None => (visible.first + visible.last) / 2.0,
            };
            zoom(state, if action == Action::ZoomIn { ZOOM } else { 1.0 / ZOOM }, anchor);
        }
        Action::PanLeft | Action::PanRight => {
            if chart.window.is_none() {
                let key = state.keymap.key(Action::ZoomIn).map(|k| k.to_string()).unwrap_or_default();
                return notify(state, NoticeKind::Info, format!("the whole run is shown; {key} zooms in"));
            }
            let by = visible.span() * if action == Action::PanRight { PAN } else { -PAN };
            show(state, visible, by);
        }
        Action::WholeRun => {
            chart.window = None;
            chart.follow = true;
        }
        Action::Follow => {
            chart.follow = !chart.follow;
            if !chart.follow {
                chart.window = Some(visible);
            } else if chart.window == Some(chart.whole(&run.view)) {
                chart.window = None;
            }
            let told = if chart.follow { "following the newest step" } else { "holding still" };
            notify(state, NoticeKind::Info, told);
        }
        Action::NextChart | Action::PreviousChart => {
            let quantity = chart.quantity_on(state.tab);
            *quantity = quantity.turn(if action == Action::NextChart { 1 } else { -1 });
        }
        Action::Enlarge => chart.large = !chart.large,
        Action::XAxis => {
            chart.x = chart.x.next();
            let told = format!("x by {}", chart.x.name());
            notify(state, NoticeKind::Info, told);
        }
        Action::YScale => {
            let quantity = *chart.quantity_on(state.tab);
            chart.toggle_log(quantity);
            let told = if chart.is_log(quantity) { "logarithmic" } else { "linear" };
            notify(state, NoticeKind::Info, format!("{} is {told}", quantity.name()));
        }
        Action::SmoothMore | Action::SmoothLess => {
            let planned = run.view.planned_steps();
            let smoothing = run.view.smoothing();
            let next = if action == Action::SmoothMore { smoothing.more(planned) } else { smoothing.less(planned) };
            chart.smoothing = next;
            run.view.set_smoothing(next);
            if let Some(other) = &mut chart.other {
                other.view.set_smoothing(next);
            }
            let told = match next {
                Smoothing::Steps(1) => "the loss is not smoothed".to_owned(),
                next => format!("the loss is smoothed over {:.0} steps", next.window(planned)),
            };
            notify(state, NoticeKind::Info, told);
        }
        Action::SelectUp | Action::SelectDown if state.tab == Tab::Charts => {
            chart.quantity = chart.quantity.turn(if action == Action::SelectDown { 1 } else { -1 });
        }
        Action::SelectUp => chart.pick = pick(&run.view, chart.pick, -1),
        Action::SelectDown => chart.pick = pick(&run.view, chart.pick, 1),
        Action::PageUp => chart.pick = pick(&run.view, chart.pick, -(PAGE as isize)),
        Action::PageDown => chart.pick = pick(&run.view, chart.pick, PAGE as isize),
        Action::Clear => clear(state),
        Action::Copy => copy(state, effects),
        _ => {}
    }
}

/// The last step that has a value.
fn reach(run: &RunView) -> f64 {
    run.steps_done() as f64
}

fn move_cursor(state: &mut State, right: bool) {
    let Stage::Run(run) = &state.stage else { return };
    let chart = &mut state.chart;
    let visible = chart.visible(&run.view);
    let last = chart.whole(&run.view).last.max(0.0) as u64;
    let stride = (visible.span() as u64 / STRIDES).max(1);
    let cursor = match chart.cursor {
        None => (reach(&run.view) as u64).min(visible.last as u64),
        Some(cursor) if right => cursor.saturating_add(stride).min(last),
        Some(cursor) => cursor.saturating_sub(stride),
    };
    chart.cursor = Some(cursor);
    // What is shown goes along.
    let (cursor, window) = (cursor as f64, chart.window);
    if window.is_some() && cursor < visible.first {
        show(state, visible, cursor - visible.first);
    } else if window.is_some() && cursor > visible.last {
        show(state, visible, cursor - visible.last);
    }
}

/// The step under the crosshair is the one whose micro-batches are looked at, as far back as they are kept.
fn pick_under_cursor(state: &mut State) {
    let Stage::Run(run) = &state.stage else { return };
    let chart = &mut state.chart;
    if let Some(step) = chart.cursor {
        chart.pick = run.view.recent.iter().any(|s| s.step == step).then_some(Pick::Step(step));
    }
}

/// Shows another part of the run, as wide as before, within it.
fn show(state: &mut State, from: Window, by: f64) {
    let Stage::Run(run) = &state.stage else { return };
    let whole = state.chart.whole(&run.view);
    let window = from.moved(by, whole);
    let by = window.first - from.first;
    // The newest step is where this run ends; another one may go on beyond it.
    let ends_here = whole.last <= reach(&run.view).max(whole.first + 1.0);
    state.chart.follow = by >= 0.0 && ends_here && (state.chart.follow || by > 0.0 && window.last >= whole.last);
    state.chart.window = Some(window);
}

/// Shows `factor` times as much around a step that stays where it is.
fn zoom(state: &mut State, factor: f64, anchor: f64) {
    let Stage::Run(run) = &state.stage else { return };
    let (visible, whole) = (state.chart.visible(&run.view), state.chart.whole(&run.view));
    let Some(window) = visible.zoomed(factor, anchor, whole, LEAST_SPAN) else {
        // Who holds still goes on seeing what is there now.
        state.chart.window = if state.chart.follow { None } else { Some(whole) };
        return;
    };
    // What is looked at closely before the end stays in view; the end itself goes on being followed.
    state.chart.follow = state.chart.follow && window.last >= visible.last - 1e-6;
    state.chart.window = Some(window);
}

/// The selection so many places further: micro-batches of the newest step, then steps from the newest back.
fn pick(run: &RunView, from: Option<Pick>, by: isize) -> Option<Pick> {
    let micros = run.current.micros.iter().map(|m| Pick::Micro(m.micro));
    let all: Vec<Pick> = micros.chain(run.recent.iter().rev().map(|s| Pick::Step(s.step))).collect();
    let last = all.len().checked_sub(1)?;
    let at = from.and_then(|from| all.iter().position(|&p| p == from));
    let next = match at {
        Some(at) => at.saturating_add_signed(by).min(last),
        None => 0,
    };
    all.get(next).copied()
}

/// Drops one thing after the other.
fn clear(state: &mut State) {
    let chart = &mut state.chart;
    if chart.cursor.take().is_some() {
        chart.pick = None;
        return;
    }
    if chart.pick.take().is_some() || chart.other.take().is_some() {
        return;
    }
    if state.tab == Tab::Charts {
        chart.large = false;
    }
}

fn copy(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(run) = state.run() else { return };
    let step = state.chart.cursor.unwrap_or(run.view.steps_done());
    let values: Vec<String> =
        values_at(&run.view, step).iter().map(|(name, value)| format!("{name} {value}")).collect();
    effects.push(Effect::Copy(format!("step {step}: {}", values.join(", "))));
}

/// The wheel zooms, a press sets the crosshair, a drag pans.
pub fn mouse(state: &mut State, mouse: Mouse) {
    if state.overlay.is_some() {
        return;
    }
    if mouse.kind == MouseKind::Release {
        state.chart.dragged_from = None;
        return;
    }
    let Some((quantity, area)) = place_of_chart(state, mouse.column, mouse.row) else { return };
    let Some(plot) = plot_area(area) else { return };
    let Stage::Run(run) = &state.stage else { return };
    let visible = state.chart.visible(&run.view);
    let share = f64::from(mouse.column.saturating_sub(plot.x)) / f64::from(plot.width.saturating_sub(1).max(1));
    let (left, right) = state.chart.shown(&run.view);
    let step = run.view.axis.step_at(state.chart.x, left + (right - left) * share.min(1.0));
    match mouse.kind {
        MouseKind::WheelUp => zoom(state, ZOOM, step),
        MouseKind::WheelDown => zoom(state, 1.0 / ZOOM, step),
        MouseKind::Press => {
            *state.chart.quantity_on(state.tab) = quantity;
            // A whole step that is in view.
            let first = visible.first.ceil();
            state.chart.cursor = Some(step.round().clamp(first, visible.last.floor().max(first)).max(0.0) as u64);
            state.chart.dragged_from = Some((mouse.column, visible));
            pick_under_cursor(state);
        }
        MouseKind::Drag => {
            if let Some((column, from)) = state.chart.dragged_from
                && state.chart.window.is_some()
            {
                let moved = f64::from(column) - f64::from(mouse.column);
                show(state, from, moved / f64::from(plot.width.max(1)) * from.span());
                state.chart.follow = false;
            }
        }
        MouseKind::Release => {}
    }
}

#[cfg(test)]
#[path = "chart_tests.rs"]
mod tests;
