//! What lies over every tab, and the header above them: the command palette, help, the tabs' names.

use finetop::event::{Command, CommandReply, RunState};
use finetop::ui::keymap::{Action, Keymap, is_available};
use finetop::ui::state::{Overlay, State, Tab};
use finetop::ui::theme::{GlyphSet, Role};
use finetop::ui::{Effect, Key, Message, update};

use crate::fixture;
use crate::frames::{compare, compare_at, draw, press, running, style_at, text, theme};
use crate::log::SIZES;

fn sized(mut state: State, (width, height): (u16, u16)) -> State {
    update(&mut state, Message::Resized { width, height });
    state
}

fn palette(mut state: State, query: &str) -> State {
    press(&mut state, Key::Char(':'));
    query.chars().for_each(|c| press(&mut state, Key::Char(c)));
    state
}

pub fn states() -> Vec<State> {
    let mut end = sized(running(), (80, 24));
    press(&mut end, Key::Char('?'));
    press(&mut end, Key::End);
    vec![palette(running(), ""), palette(running(), "st"), palette(State::ready(fixture::page()), "중"), end]
}

#[test]
fn the_palette_lists_every_action_and_finds_by_letters() {
    for (width, height) in SIZES {
        let state = palette(sized(running(), (width, height)), "");
        compare_at("palette", &state, (width, height));
        let state = palette(sized(running(), (width, height)), "log");
        compare_at("palette-found", &state, (width, height));
    }
}

#[test]
fn every_action_is_reached_through_the_palette() {
    let keymap = Keymap::default();
    assert_eq!(keymap.bindings().len(), Action::Quit as usize + 1, "the table has every action");
    let states = [State::ready(fixture::page()), running(), fixture::after(&fixture::stored())];
    for (state, binding) in states.iter().flat_map(|state| keymap.bindings().iter().map(move |b| (state, b))) {
        let mut state = state.clone();
        state.overlay = None;
        let now = is_available(binding.action, &state);
        let mut state = palette(state, &binding.name.replace('_', " "));
        let Some(Overlay::Palette(open)) = &state.overlay else { panic!("the palette is open") };
        let list: Vec<Action> = open.list(&state).iter().map(|(found, _)| found.action).collect();
        let place = list.iter().position(|&a| a == binding.action);
        let place = place.unwrap_or_else(|| panic!("`{}` is not found by its name", binding.name));
        (0..place).for_each(|_| press(&mut state, Key::Down));
        press(&mut state, Key::Enter);
        if now {
            let same = matches!(&state.overlay, Some(Overlay::Palette(_)));
            assert_eq!(same, binding.action == Action::Palette, "`{}` runs", binding.name);
        } else {
            assert!(state.notice.is_some(), "`{}` says why not", binding.name);
            assert!(matches!(&state.overlay, Some(Overlay::Palette(_))), "`{}` leaves the palette", binding.name);
        }
    }
}

#[test]
fn the_best_command_is_the_first_and_enter_does_what_its_key_does() {
    for (query, action) in
        [("save", Action::Save), ("pause", Action::PauseOrResume), ("thm", Action::Theme), ("tab l", Action::TabLog)]
    {
        let state = palette(running(), query);
        let Some(Overlay::Palette(open)) = &state.overlay else { panic!("the palette is open") };
        assert_eq!(open.selected(&state), Some(action), "{query}");
    }
    let mut state = palette(running(), "save");
    assert_eq!(update(&mut state, Message::Key(Key::Enter)), [Effect::Send(Command::Save)]);
    let mut state = palette(running(), "mouse");
    assert_eq!(update(&mut state, Message::Key(Key::Enter)), [Effect::Mouse(true)]);
    let mut state = palette(running(), "");
    update(&mut state, Message::Paste("quit\n".into()));
    press(&mut state, Key::Enter);
    assert!(matches!(state.overlay, Some(Overlay::Ask(_))), "quitting asks here too");
    let mut state = palette(running(), "q");
    press(&mut state, Key::Esc);
    assert_eq!(state.overlay, None);
}

#[test]
fn letters_that_were_found_are_marked_and_what_makes_no_sense_is_faint() {
    let dark = theme("dark", GlyphSet::Braille);
    let frame = draw(&palette(running(), "theme"), &dark, 80, 24);
    assert_eq!(style_at(&frame, "theme").add_modifier, dark.style(Role::Text).add_modifier, "what was typed");
    let frame = draw(&palette(running(), "start"), &dark, 80, 24);
    let row = text(&frame).lines().position(|l| l.contains("start training")).expect("`start` is listed") as u16;
    let letter = (0..80).map(|x| &frame[(x, row)]).find(|cell| cell.symbol() == "g").expect("the words are there");
    assert_eq!(letter.style().fg, dark.style(Role::Faint).fg);
}

#[test]
fn help_is_whole_at_every_size_and_ends_where_its_lines_end() {
    let dark = theme("dark", GlyphSet::Braille);
    for size in SIZES {
        let (width, height) = size;
        let mut state = sized(running(), size);
        press(&mut state, Key::Char('?'));
        let mut seen = text(&draw(&state, &dark, width, height));
        compare_at("help", &state, size);
        let mut last = None;
        for _ in 0..60 {
            press(&mut state, Key::PageDown);
            let frame = text(&draw(&state, &dark, width, height));
            seen.push_str(&frame);
            last = Some(frame);
        }
        compare(&format!("help-end-{width}x{height}"), last.as_deref().unwrap_or_default());
        for binding in state.keymap.bindings() {
            let words: Vec<&str> = binding.description.split(' ').take(3).collect();
            assert!(seen.contains(&words.join(" ")), "{width}×{height} never shows `{}`", binding.description);
        }
        assert!(seen.contains("not known"));
        // At the end one key up shows at once.
        if text(&draw(&state, &dark, width, height)).contains("the end  j k") {
            press(&mut state, Key::Up);
            assert!(text(&draw(&state, &dark, width, height)).contains("1 more below"), "{width}×{height}");
        }
        press(&mut state, Key::Home);
        assert_eq!(state.overlay, Some(Overlay::Help { scroll: 0 }));
        press(&mut state, Key::Esc);
        assert_eq!(state.overlay, None);
    }
}

#[test]
fn keys_that_do_something_now_stand_out_in_help() {
    let dark = theme("dark", GlyphSet::Braille);
    let mut state = sized(running(), (200, 60));
    press(&mut state, Key::Char('?'));
    let frame = draw(&state, &dark, 200, 60);
    assert_eq!(style_at(&frame, "p, Space").fg, dark.style(Role::Key).fg);
    assert_eq!(style_at(&frame, "start training as").fg, dark.style(Role::Faint).fg);
}

#[test]
fn the_tabs_stay_in_the_header_whatever_else_is_cut() {
    let dark = theme("dark", GlyphSet::Braille);
    let mut state = running();
    press(&mut state, Key::Char('3'));
    press(&mut state, Key::Char('p'));
    let header = |state: &State, name: &str, width| {
        let frame = draw(state, &theme(name, GlyphSet::Braille), width, 20);
        text(&frame).lines().next().unwrap_or_default().to_owned()
    };
    let line = header(&state, "dark", 60);
    assert!(line.starts_with("  1 train 2 charts 3 log ") && line.contains("‖ pausing"), "{line}");
    assert!(header(&state, "mono", 60).contains(" 2 charts [3 log]"));
    let frame = draw(&state, &dark, 80, 24);
    assert_eq!(style_at(&frame, "3 log").add_modifier, dark.style(Role::Selected).add_modifier);
    assert_ne!(style_at(&frame, "1 train").add_modifier, dark.style(Role::Selected).add_modifier);
    let reply = CommandReply::done(RunState::Paused, 32);
    update(&mut state, Message::Answered { command: Command::Pause, reply });
    assert!(header(&state, "dark", 80).contains("SmolLM2") && header(&state, "dark", 80).ends_with("‖ paused"));
    assert_eq!(state.tab, Tab::Log);
    assert!(!header(&State::ready(fixture::page()), "dark", 80).contains("train"), "no tabs without a run");
}

#[test]
fn the_command_that_would_be_copied_is_in_view_however_long_the_paths_are() {
    let dark = theme("dark", GlyphSet::Braille);
    let events = fixture::stored();
    let mut state = State::watching();
    let folder = format!("/home/kim/{}/20260504-100000-listings", "a folder with a long name/".repeat(9));
    update(&mut state, Message::Attached { folder: folder.into(), owned: true });
    for event in events {
        update(&mut state, Message::Event(Box::new(event)));
    }
    for (width, height) in [(60, 20), (80, 24), (200, 60)] {
        let mut state = sized(state.clone(), (width, height));
        let mut copied = Vec::new();
        loop {
            let effects = update(&mut state, Message::Key(Key::Char('y')));
            let [Effect::Copy(command)] = &effects[..] else { panic!("{effects:?}") };
            if copied.last() == Some(command) {
                break;
            }
            // Whole, or from its beginning on where it is longer than the card.
            let frame = text(&draw(&state, &dark, width, height));
            let begins: String = command.chars().take(24).collect();
            assert!(frame.contains(&format!("▸ {begins}")), "{width}×{height}: {command}\n{frame}");
            copied.push(command.clone());
            press(&mut state, Key::Down);
        }
        assert_eq!(copied.len(), 3);
        if width == 60 {
            compare_at("outcome-long-paths", &state, (width, height));
        }
    }
}

#[test]
fn hints_name_the_keys_of_the_users_own() {
    let dark = theme("dark", GlyphSet::Braille);
    let entries = [("down", vec![Key::Char('n')]), ("clear", vec![Key::F(3)]), ("copy", vec![Key::Char('Y')])];
    let (keymap, _) = Keymap::with_user(&entries.map(|(name, keys)| (name.to_owned(), keys)));
    let with_keys = |mut state: State, keys: &str| {
        state.keymap = keymap.clone();
        keys.chars().for_each(|c| press(&mut state, if c == '\n' { Key::Enter } else { Key::Char(c) }));
        text(&draw(&state, &dark, 80, 24))
    };
    let help = with_keys(running(), "?");
    assert!(help.contains("more below  n k scroll") && help.contains(" n k scroll   Space a page"), "{help}");
    let runs = with_keys(running(), "r");
    assert!(runs.contains("n k choose"), "{runs}");
    let entry = with_keys(running(), "3\n");
    assert!(entry.contains("F3 close ") && entry.contains("n k scroll   F3 close   Y copy"), "{entry}");
    let card = with_keys(fixture::after(&fixture::stored()), "");
    assert!(card.contains("Y copy  Esc close"), "{card}");
}
