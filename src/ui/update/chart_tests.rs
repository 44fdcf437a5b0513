//! What keys and the mouse do to charts.

use super::*;
use crate::event::{RunEvent, Stamped, StepDone};
use crate::ui::state::axis::XAxis;
use crate::ui::state::chart::Quantity;
use crate::ui::{Key, Message, update};

/// A screen that watches a run of so many steps.
fn run_of(steps: u64) -> State {
    let mut state = State::watching();
    update(&mut state, Message::Attached { folder: "runs/x".into(), owned: false });
    for step in 1..=steps {
        let done = StepDone {
            step,
            epoch: 0.0,
            loss: 1.0 / step as f64,
            target_tokens: 10,
            tokens: 10 * step,
            learning_rate: 1e-4,
            grad_norm: 1.0,
            duration_us: 1_000_000,
        };
        let event = RunEvent::StepDone(done);
        update(&mut state, Message::Event(Box::new(Stamped { seq: step, elapsed_ms: step * 1000, event })));
    }
    state
}

fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    keys.chars().flat_map(|c| update(state, Message::Key(Key::Char(c)))).collect()
}

fn visible(state: &State) -> (f64, f64) {
    let Window { first, last } = state.chart.visible(&state.run().expect("a run").view);
    (first, last)
}

#[test]
fn zooming_in_follows_the_newest_step_until_it_is_held() {
    let mut state = run_of(100);
    assert_eq!(visible(&state), (1.0, 100.0));
    press(&mut state, "+");
    let (first, last) = visible(&state);
    assert!(last == 100.0 && first > 30.0, "{first} to {last}");
    press(&mut state, "f");
    assert!(!state.chart.follow);
    press(&mut state, "H");
    let (panned, _) = visible(&state);
    assert!(panned < first);
    press(&mut state, "HHHHHHHHHHHH");
    assert_eq!(visible(&state).0, 1.0, "no further than the run");
    press(&mut state, "0");
    assert_eq!((visible(&state), state.chart.follow), ((1.0, 100.0), true));
}

#[test]
fn zooming_out_ends_at_the_whole_run_and_zooming_in_at_a_few_steps() {
    let mut state = run_of(100);
    press(&mut state, "++++++++++++++++++++");
    let (first, last) = visible(&state);
    assert!((last - first - LEAST_SPAN).abs() < 1e-9);
    press(&mut state, "--------------------");
    assert_eq!(state.chart.window, None);
}

#[test]
fn the_crosshair_begins_at_the_newest_step_and_takes_the_window_along() {
    let mut state = run_of(50);
    press(&mut state, "h");
    assert_eq!(state.chart.cursor, Some(50));
    press(&mut state, "hhh");
    assert_eq!(state.chart.cursor, Some(47));
    press(&mut state, "+++++++");
    (0..20).for_each(|_| _ = press(&mut state, "h"));
    let (first, _) = visible(&state);
    assert_eq!(state.chart.cursor, Some(27));
    assert!(first <= 27.0);
    update(&mut state, Message::Key(Key::Esc));
    assert_eq!(state.chart.cursor, None);
}

#[test]
fn smoothing_is_changed_by_keys_and_begins_at_the_first_loss() {
    let mut state = run_of(50);
    let last = |state: &State| state.run().and_then(|r| r.view.smoothed.last()).expect("a loss");
    let before = last(&state);
    press(&mut state, "]");
    assert!(last(&state) > before, "more of what was is carried on");
    assert_eq!(state.run().and_then(|r| r.view.smoothed.first()), Some(1.0));
    press(&mut state, "[[[[[[");
    assert!((last(&state) - 0.02).abs() < 1e-6, "not smoothed at all");
}

#[test]
fn what_is_copied_is_what_the_crosshair_says() {
    let mut state = run_of(4);
    press(&mut state, "hh");
    let effects = press(&mut state, "Y");
    let Some(Effect::Copy(text)) = effects.first() else { panic!("{effects:?}") };
    assert!(text.starts_with("step 3: loss 0.333,") && text.contains("lr 1.00e-4"), "{text}");
}

#[test]
fn the_wheel_zooms_where_it_is_and_a_press_sets_the_crosshair() {
    let mut state = run_of(100);
    let at = |kind, column, row| Message::Mouse(Mouse { kind, column, row });
    update(&mut state, at(MouseKind::Press, 20, 5));
    let cursor = state.chart.cursor.expect("the press is on the chart");
    assert!((20..60).contains(&cursor), "{cursor}");
    update(&mut state, at(MouseKind::WheelUp, 20, 5));
    let (first, last) = visible(&state);
    assert!(first > 1.0 && last < 100.0 && (first..last).contains(&(cursor as f64)), "{first} to {last}");
    update(&mut state, at(MouseKind::Drag, 30, 5));
    assert!(visible(&state).0 < first, "what is under the mouse goes along with it");
    update(&mut state, at(MouseKind::Release, 30, 5));
    let before = visible(&state);
    update(&mut state, at(MouseKind::Press, 79, 23));
    update(&mut state, at(MouseKind::WheelUp, 500, 500));
    assert_eq!(visible(&state), before, "elsewhere nothing happens");
}

#[test]
fn quantities_scales_and_axes_turn() {
    let mut state = run_of(10);
    press(&mut state, "cc");
    assert_eq!((state.chart.on_train, state.chart.quantity), (Quantity::LearningRate, Quantity::Loss));
    press(&mut state, "Cy");
    assert!(state.chart.is_log(Quantity::EvalLoss) && !state.chart.is_log(Quantity::Loss));
    press(&mut state, "xx");
    assert_eq!(state.chart.x, XAxis::Time);
    press(&mut state, "2z");
    assert!(state.tab == Tab::Charts && state.chart.large);
}

/// Another run, whose steps take `ms` each and hold the same tokens.
fn lay_over(state: &mut State, steps: u64, ms: u64) {
    let mut view = Box::new(RunView::default());
    for step in 1..=steps {
        let done = StepDone {
            step,
            epoch: 0.0,
            loss: step as f64,
            target_tokens: 10,
            tokens: 10,
            learning_rate: 1e-4,
            grad_norm: 1.0,
            duration_us: ms * 1000,
        };
        view.fold(&Stamped { seq: step, elapsed_ms: step * ms, event: RunEvent::StepDone(done) });
    }
    state.chart.other = Some(Box::new(crate::ui::state::chart::Other { name: "other".into(), view: *view }));
}

#[test]
fn the_crosshair_tells_the_other_run_at_the_same_place() {
    let mut state = run_of(100);
    lay_over(&mut state, 100, 3_000);
    press(&mut state, "xxh");
    assert_eq!((state.chart.x, state.chart.cursor), (XAxis::Time, Some(100)));
    // 100 seconds: the other run was at its 33rd step.
    let told: String = text_under_crosshair(&state).iter().map(|(text, _)| text.as_ref()).collect();
    assert!(told.contains("other at step 33") && told.contains("loss 33.000"), "{told}");
}

fn text_under_crosshair(state: &State) -> crate::ui::widgets::Words {
    let themes = crate::ui::theme::Theme::all(
        &crate::ui::theme::Palette::embedded(),
        crate::ui::theme::ColorDepth::None,
        crate::ui::theme::GlyphSet::Braille,
    );
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 1, 1));
    let pen = crate::ui::widgets::Pen { buffer: &mut buffer, theme: &themes[0] };
    let run = state.run().expect("a run");
    crate::ui::view::crosshair(&pen, state, run, state.chart.cursor.expect("a crosshair")).concat()
}

#[test]
fn a_press_hits_what_is_drawn_there_though_the_other_run_reaches_further() {
    let mut state = run_of(100);
    lay_over(&mut state, 100, 9_000);
    press(&mut state, "xx");
    let (left, right) = state.chart.shown(&state.run().expect("a run").view);
    assert!(right > 800.0, "{left} to {right} seconds");
    // A ninth of the width is where this run ends.
    update(&mut state, Message::Mouse(Mouse { kind: MouseKind::Press, column: 12, row: 5 }));
    assert!(state.chart.cursor.is_some_and(|c| (30..=90).contains(&c)), "{:?}", state.chart.cursor);
}

#[test]
fn the_end_of_a_longer_other_run_can_be_panned_to() {
    let mut state = run_of(100);
    lay_over(&mut state, 500, 1_000);
    press(&mut state, "f++LLLLLLLLLLLLLLLL");
    assert_eq!(visible(&state).1, 500.0);
    assert!(!state.chart.follow);
}

#[test]
fn the_ends_are_whole_steps_in_view_and_holding_is_holding() {
    let mut state = run_of(100);
    press(&mut state, "++Hg");
    let (first, last) = visible(&state);
    assert!(state.chart.cursor.is_some_and(|c| c as f64 >= first), "{first}");
    press(&mut state, "G");
    assert!(state.chart.cursor.is_some_and(|c| c as f64 <= last), "{last}");
    update(&mut state, Message::Key(Key::Esc));
    press(&mut state, "0f-----");
    assert!(!state.chart.follow);
    assert_eq!(state.chart.window, Some(Window { first: 1.0, last: 100.0 }));
}

#[test]
fn taste_goes_along_to_the_next_run() {
    let mut state = run_of(10);
    press(&mut state, "]]yx");
    let smoothing = state.chart.smoothing;
    update(&mut state, Message::Attached { folder: "runs/y".into(), owned: false });
    assert_eq!(state.run().map(|r| r.view.smoothing()), Some(smoothing));
    assert!(state.chart.is_log(Quantity::Loss) && state.chart.x == XAxis::Tokens);
}
