//! The tab Log: an entry a line, filtered, searched, and one of them whole.

use finetop::event::{RunEvent, Stamped, Warning};
use finetop::ui::state::{Overlay, State};
use finetop::ui::theme::{GlyphSet, Role};
use finetop::ui::{Effect, Key, Message, Mouse, MouseKind, update};

use crate::allocations;
use crate::fixture;
use crate::frames::{compare, compare_at, compare_at_all_sizes, draw, press, running, style_at, text, theme};

pub const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

/// The tab Log on a terminal of this size.
fn log(mut state: State, (width, height): (u16, u16)) -> State {
    update(&mut state, Message::Resized { width, height });
    press(&mut state, Key::Char('3'));
    state
}

fn type_in(state: &mut State, text: &str) {
    text.chars().for_each(|c| press(state, Key::Char(c)));
}

/// The selection on the entry that a search finds.
fn at(state: &mut State, pattern: &str) {
    press(state, Key::Char('/'));
    type_in(state, pattern);
    press(state, Key::Enter);
    press(state, Key::Esc);
}

/// A log with words that no terminal should be sent, one of them long.
fn hostile() -> State {
    let mut state = running();
    let detail = format!("\u{1b}]0;evil\u{7} 중고\u{202e} {}", "거래 e\u{301}".repeat(20_000));
    let warning = RunEvent::Warning(Warning { kind: "\u{9b}31m".into(), detail });
    update(&mut state, Message::Event(Box::new(Stamped { seq: 9_999, elapsed_ms: 400_000_000, event: warning })));
    state
}

pub fn states() -> Vec<State> {
    let size = (80, 24);
    let mut filtered = log(running(), size);
    press(&mut filtered, Key::Char('&'));
    type_in(&mut filtered, "warn|eval");
    let mut searched = log(running(), size);
    press(&mut searched, Key::Char('v'));
    press(&mut searched, Key::Char('/'));
    type_in(&mut searched, "loss 1");
    press(&mut searched, Key::Enter);
    let mut whole = log(running(), size);
    press(&mut whole, Key::Char('g'));
    press(&mut whole, Key::Enter);
    let mut long = log(hostile(), size);
    press(&mut long, Key::Enter);
    vec![log(fixture::after(&[]), size), log(running(), size), filtered, searched, whole, log(hostile(), size), long]
}

#[test]
fn the_log_is_an_entry_a_line_at_every_size() {
    for size in SIZES {
        let (width, height) = size;
        let mut state = log(running(), size);
        compare_at("log", &state, (width, height));
        press(&mut state, Key::Char('&'));
        type_in(&mut state, "warn|eval|save");
        compare_at("log-filter-typed", &state, (width, height));
        press(&mut state, Key::Enter);
        at(&mut state, "best");
        press(&mut state, Key::Enter);
        compare_at("log-entry", &state, (width, height));
        press(&mut state, Key::Esc);
        press(&mut state, Key::Esc);
        press(&mut state, Key::Char('v'));
        press(&mut state, Key::Char('/'));
        type_in(&mut state, "loss 1.3");
        compare_at("log-search-typed", &state, (width, height));
        press(&mut state, Key::Enter);
        press(&mut state, Key::Char('g'));
        press(&mut state, Key::Enter);
        compare_at("log-start", &state, (width, height));
    }
    let ascii = text(&draw(&log(running(), (80, 24)), &theme("mono", GlyphSet::Ascii), 80, 24));
    assert!(ascii.is_ascii(), "{ascii}");
    compare("log-ascii-80x24", &ascii);
}

#[test]
fn entries_have_the_colours_of_what_they_mean() {
    let dark = theme("dark", GlyphSet::Braille);
    let mut state = log(running(), (120, 40));
    let frame = draw(&state, &dark, 120, 40);
    assert_eq!(style_at(&frame, "▸").fg, dark.style(Role::Selected).fg);
    for (what, role) in [("following", Role::Good), ("warning  speed", Role::Warn), ("eval     loss 1.314", Role::Best)]
    {
        assert_eq!(style_at(&frame, what).fg, dark.style(role).fg, "{what}");
    }
    press(&mut state, Key::Char('/'));
    type_in(&mut state, "another process");
    let frame = draw(&state, &dark, 120, 40);
    assert_eq!(style_at(&frame, "another process takes").add_modifier, dark.style(Role::Match).add_modifier);
}

#[test]
fn an_entry_is_copied_as_its_line_of_the_log() {
    let mut state = log(running(), (80, 24));
    press(&mut state, Key::Char('g'));
    let events = fixture::stored();
    let line = serde_json::to_string(&events[0]).expect("an event is JSON");
    assert_eq!(update(&mut state, Message::Key(Key::Char('y'))), [Effect::Copy(line.clone())]);
    press(&mut state, Key::Enter);
    assert_eq!(update(&mut state, Message::Key(Key::Char('y'))), [Effect::Copy(line)]);
}

#[test]
fn esc_closes_the_entry_then_clears_the_search_then_the_filter() {
    let mut state = log(running(), (80, 24));
    for text in ["&eval\n", "/best\n"] {
        text.chars().for_each(|c| press(&mut state, if c == '\n' { Key::Enter } else { Key::Char(c) }));
    }
    press(&mut state, Key::Enter);
    let left = |state: &State| (state.log.open.is_some(), state.log.search().is_some(), state.log.filter().is_some());
    assert_eq!(left(&state), (true, true, true));
    for expected in [(false, true, true), (false, false, true), (false, false, false)] {
        press(&mut state, Key::Esc);
        assert_eq!(left(&state), expected);
    }
}

#[test]
fn what_is_typed_or_pasted_into_a_search_is_no_command() {
    let mut state = log(running(), (80, 24));
    press(&mut state, Key::Char('/'));
    for c in "quit psw 123".chars() {
        assert_eq!(update(&mut state, Message::Key(Key::Char(c))), []);
    }
    update(&mut state, Message::Paste("\u{1b}[31m(q\nq".into()));
    assert_eq!(
        (state.overlay.clone(), state.log.search().map(|s| (s.text(), s.is_literal()))),
        (None, Some(("quit psw 123[31m(qq", true)))
    );
    // The end of the run waits with its card until nothing is typed any more.
    let end = fixture::stored().pop().expect("the log has an end");
    update(&mut state, Message::Event(Box::new(end)));
    assert_eq!(state.overlay, None);
    assert!(state.notice.is_some());
    press(&mut state, Key::Char('q'));
    press(&mut state, Key::Esc);
    press(&mut state, Key::Char('o'));
    assert_eq!(state.overlay, Some(Overlay::Outcome { selected: 0 }));
}

#[test]
fn the_card_of_a_finished_run_makes_room_for_the_log() {
    let mut state = fixture::after(&fixture::stored());
    assert_eq!(state.overlay, Some(Overlay::Outcome { selected: 0 }));
    press(&mut state, Key::Char('3'));
    press(&mut state, Key::Char('/'));
    assert_eq!(update(&mut state, Message::Key(Key::Char('q'))), []);
    assert_eq!((state.overlay.clone(), state.log.search().map(|s| s.text())), (None, Some("q")));
}

#[test]
fn another_run_begins_with_an_empty_log() {
    let mut state = log(running(), (80, 24));
    assert!(!state.log.is_empty());
    update(&mut state, Message::Attached { folder: "runs/y".into(), owned: false });
    assert!(state.log.is_empty());
}

#[test]
fn nothing_of_the_log_reaches_the_terminal_raw() {
    let dark = theme("dark", GlyphSet::Braille);
    let mut state = log(hostile(), (80, 24));
    compare_at_all_sizes("log-hostile", &state);
    for key in [Key::Home, Key::End, Key::Enter, Key::PageDown, Key::End] {
        press(&mut state, key);
        let frame = draw(&state, &dark, 80, 24);
        let raw = |symbol: &str| symbol.contains(|c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(!frame.content().iter().any(|cell| raw(cell.symbol())), "{}", text(&frame));
    }
}

#[test]
fn the_wheel_moves_and_a_press_selects() {
    let mut state = log(running(), (80, 24));
    let mut mouse = |kind, row| _ = update(&mut state, Message::Mouse(Mouse { kind, column: 10, row }));
    mouse(MouseKind::Press, 2);
    mouse(MouseKind::WheelUp, 5);
    mouse(MouseKind::Press, 23);
    let rows = state.log.page((80, 24));
    assert_eq!(state.log.position(), Some(state.log.len() - rows - 3));
}

/// A log of 100,000 steps with 4 micro-batches and 2 samples each is taken in without a word being made of it.
#[test]
fn a_log_of_700_000_events_is_taken_in_without_a_word_being_made_of_it() {
    let events = fixture::stored();
    let detail = events.iter().find(|e| matches!(e.event, RunEvent::MemorySampled(_))).expect("a sample");
    let micro = events.iter().find(|e| matches!(e.event, RunEvent::MicroBatchDone(_))).expect("a micro-batch");
    let step = events.iter().find(|e| matches!(e.event, RunEvent::StepDone(_))).expect("a step");
    let mut log = finetop::ui::state::log::LogView::default();
    let mut asked = 0;
    for seq in 0..700_000 {
        let kind = [micro, micro, micro, micro, detail, detail, step][seq as usize % 7];
        let stamped = Stamped { seq, ..kind.clone() };
        asked += allocations::during(|| log.push(stamped)).1.count;
    }
    // The rooms of what is kept grow, now and then; a word would ask for memory each time.
    assert!(asked < 200, "memory was asked for {asked} times");
    assert!(log.len() <= 20_000);
    assert_eq!(log.kept_and_dropped().0 as u64 + log.kept_and_dropped().1, 100_000);
}

#[test]
fn a_long_log_is_looked_through_between_keys_and_says_so_meanwhile() {
    let dark = theme("dark", GlyphSet::Braille);
    let mut state = log(running(), (80, 24));
    let detail = "w ".repeat(4_000);
    for seq in 10_000..10_100 {
        let warning = RunEvent::Warning(Warning { kind: "data".into(), detail: format!("{seq} {detail}") });
        update(&mut state, Message::Event(Box::new(Stamped { seq, elapsed_ms: 400_000, event: warning })));
    }
    press(&mut state, Key::Char('&'));
    type_in(&mut state, "grad");
    assert!(text(&draw(&state, &dark, 80, 24)).contains("log  &grad  looking"));
    let clock = state.clock;
    assert_eq!(state.wakes_at_ms(), Some(clock.ms), "nobody has to press a key for the rest");
    let revision = state.revision();
    let turns = (0..100).take_while(|_| {
        state.wakes_at_ms().is_some() && {
            update(&mut state, Message::Tick(clock));
            true
        }
    });
    assert!((1..20).contains(&turns.count()));
    assert!(state.revision() > revision, "what was found is drawn");
    assert!(text(&draw(&state, &dark, 80, 24)).contains("log  &grad  32 of "));
}
