//! What keys do to the crosshair and the window of the tab Memory.

use super::*;
use crate::event::{MemorySampled, RunEvent, Stamped};
use crate::ui::state::Tab;
use crate::ui::state::chart::Window;
use crate::ui::{Key, Message, update};

/// A screen that watches a run of so many samples, one a second; the third is the highest of its backward passes, the fifth of all.
fn run_of(samples: u64) -> State {
    let mut state = State::watching();
    update(&mut state, Message::Attached { folder: "runs/x".into(), owned: false });
    (0..samples).for_each(|i| sample(&mut state, i));
    press(&mut state, "4");
    assert_eq!(state.tab, Tab::Memory);
    state
}

fn sample(state: &mut State, i: u64) {
    let phase = if i.is_multiple_of(2) { Phase::Backward } else { Phase::Forward };
    let used_bytes = Some(match i {
        2 => 300,
        5 => 500,
        i => 100 + i % 7,
    });
    let event = RunEvent::MemorySampled(MemorySampled { phase, used_bytes, ..Default::default() });
    update(state, Message::Event(Box::new(Stamped { seq: i, elapsed_ms: i * 1_000, event })));
}

fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    keys.chars().flat_map(|c| update(state, Message::Key(Key::Char(c)))).collect()
}

fn visible(state: &State) -> Window {
    state.timeline.visible(&state.run().expect("a run").view.memory)
}

#[test]
fn the_crosshair_begins_at_the_newest_sample_and_lands_on_samples() {
    let mut state = run_of(50);
    press(&mut state, "h");
    assert_eq!(state.timeline.cursor_ms, Some(49_000));
    press(&mut state, "hhl");
    assert_eq!(state.timeline.cursor_ms, Some(48_000));
    press(&mut state, "lllll");
    assert_eq!(state.timeline.cursor_ms, Some(49_000), "no further than the newest");
    press(&mut state, "g");
    assert_eq!(state.timeline.cursor_ms, Some(0));
    press(&mut state, "hG");
    assert_eq!(state.timeline.cursor_ms, Some(49_000));
    update(&mut state, Message::Key(Key::Esc));
    assert_eq!(state.timeline.cursor_ms, None);
    // A long run is crossed in some eighty strokes.
    let mut long = run_of(4_000);
    (0..90).for_each(|_| _ = press(&mut long, "h"));
    assert_eq!(long.timeline.cursor_ms, Some(0));
}

#[test]
fn peaks_are_a_key_away_and_what_is_shown_goes_along() {
    let mut state = run_of(50);
    press(&mut state, "+++");
    assert!(visible(&state).first > 10_000.0 && visible(&state).last == 49_000.0);
    press(&mut state, "M");
    assert_eq!(state.timeline.cursor_ms, Some(5_000));
    assert!(visible(&state).first <= 5_000.0 && !state.timeline.follow);
    // By phase, in the order of the table: forward, backward.
    press(&mut state, "j");
    assert_eq!(state.timeline.cursor_ms, Some(2_000));
    press(&mut state, "jk");
    assert_eq!(state.timeline.cursor_ms, Some(5_000));
}

#[test]
fn the_window_follows_until_it_is_held_and_never_leaves_the_run() {
    let mut state = run_of(100);
    press(&mut state, "H");
    assert!(state.notice.as_ref().is_some_and(|n| n.text.contains("zooms in")) && state.timeline.window.is_none());
    press(&mut state, "+");
    let before = visible(&state);
    sample(&mut state, 100);
    assert_eq!(visible(&state).last, before.last + 1_000.0);
    press(&mut state, "HHHHHHHHHH");
    assert_eq!((visible(&state).first, state.timeline.follow), (0.0, false));
    press(&mut state, "LLLLLLLLLLLL");
    assert_eq!((visible(&state).last, state.timeline.follow), (100_000.0, true));
    press(&mut state, "f");
    let held = visible(&state);
    sample(&mut state, 101);
    assert_eq!(visible(&state), held);
    press(&mut state, "0++++++++++++++++++++");
    assert!((visible(&state).span() - LEAST_SPAN_MS).abs() < 1e-6);
    press(&mut state, "--------------------");
    assert_eq!(state.timeline.window, None);
}

#[test]
fn a_run_without_samples_takes_every_key() {
    let mut state = run_of(0);
    let effects = press(&mut state, "hlgGM+-HL0fjkY");
    assert_eq!(effects, Vec::new());
    assert_eq!(state.timeline.cursor_ms, None);
}

#[test]
fn the_ledger_under_the_crosshair_is_copied() {
    let mut state = run_of(50);
    press(&mut state, "M");
    let effects = press(&mut state, "Y");
    let [Effect::Copy(text)] = &effects[..] else { panic!("{effects:?}") };
    assert!(["5s", "forward", "500 B", "not accounted for"].iter().all(|t| text.contains(t)), "{text}");
}

#[test]
fn the_mouse_sets_the_crosshair_and_zooms() {
    let mut state = run_of(50);
    let mouse = |state: &mut State, kind, column, row| {
        update(state, Message::Mouse(Mouse { kind, column, row }));
    };
    let plot = place_of_timeline(&state).expect("the chart is shown");
    mouse(&mut state, MouseKind::Press, plot.x, plot.y);
    assert_eq!(state.timeline.cursor_ms, Some(0));
    mouse(&mut state, MouseKind::Press, plot.right() - 1, plot.y);
    assert_eq!(state.timeline.cursor_ms, Some(49_000));
    mouse(&mut state, MouseKind::WheelUp, plot.x + plot.width / 2, plot.y);
    let before = visible(&state);
    assert!(before.span() < 40_000.0 && !state.timeline.follow);
    mouse(&mut state, MouseKind::Press, plot.x + 10, plot.y);
    mouse(&mut state, MouseKind::Drag, plot.x + 5, plot.y);
    assert!(visible(&state).first > before.first);
    let held = state.timeline.clone();
    mouse(&mut state, MouseKind::Release, plot.x, plot.y);
    mouse(&mut state, MouseKind::Press, plot.x, plot.bottom() + 1);
    assert_eq!(state.timeline.cursor_ms, held.cursor_ms, "outside of the chart");
}
