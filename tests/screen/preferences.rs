//! The user's own files: a folder each under `tests/fixtures/preferences`, whose `expected.txt` is what is said to be wrong with it, and
//! what becomes of a screen that takes them. `FINETOP_UPDATE_FRAMES=1` writes what is expected anew.

use std::fs;
use std::path::PathBuf;

use finetop::app::environment::TerminalEnvironment;
use finetop::app::input::Input;
use finetop::app::preferences::Preferences;
use finetop::app::session::Session;
use finetop::ui::keymap::Keymap;
use finetop::ui::state::State;
use finetop::ui::theme::{ColorDepth, GlyphSet, Role};
use finetop::ui::{Clock, Effect, Key, Message, Preferred, update};
use ratatui::layout::Size;

use crate::{fixture, frames};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/preferences").join(name)
}

fn read(name: &str) -> Preferences {
    Preferences::read(&folder(name))
}

fn keys(preferences: &Preferences, action: &str) -> Vec<Key> {
    let binding = preferences.keymap.bindings().iter().find(|b| b.name == action);
    binding.expect("an action").keys.clone()
}

#[test]
fn what_is_wrong_in_the_users_files_is_said_with_file_and_line() {
    let mut folders = 0;
    for entry in fs::read_dir(folder("")).expect("the fixtures") {
        let path = entry.expect("a folder").path();
        let told: String = Preferences::read(&path).problems.iter().map(|p| format!("{p}\n")).collect();
        let expected = path.join("expected.txt");
        if std::env::var_os("FINETOP_UPDATE_FRAMES").is_some() && !told.is_empty() {
            fs::write(&expected, &told).expect("what is expected is written");
        }
        assert_eq!(told, fs::read_to_string(&expected).unwrap_or_default(), "{}", path.display());
        assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
        folders += 1;
    }
    assert_eq!(folders, 11);
}

#[test]
fn every_setting_is_taken() {
    let preferences = read("all-settings");
    assert_eq!(preferences.theme.as_deref(), Some("evening"));
    assert_eq!((preferences.color, preferences.glyphs), (Some(ColorDepth::Indexed256), Some(GlyphSet::Block)));
    assert_eq!((preferences.frames_per_second, preferences.mouse), (4, true));
    assert_eq!(keys(&preferences, "pause"), [Key::Char('P'), Key::Char(' ')]);
    assert_eq!(keys(&preferences, "save"), [Key::Ctrl('s')]);
    assert_eq!(keys(&preferences, "quit"), [Key::Char('Q'), Key::Ctrl('q'), Key::Ctrl('c')]);
    assert_eq!(keys(&preferences, "suspend"), []);
    let environment = TerminalEnvironment::new(|name| (name == "TERM").then(|| "xterm".to_owned()), preferences);
    let themes = environment.themes();
    assert_eq!((themes[0].name.as_str(), themes.len()), ("evening", 6));
    assert_eq!(themes[0].glyphs, GlyphSet::Block);
}

#[test]
fn no_folder_and_no_file_are_the_defaults() {
    assert_eq!(read("nothing"), Preferences::default());
    assert_eq!(read("not-there-at-all"), Preferences::default());
    assert_eq!(Preferences::read(&folder("nothing/screen.toml")), Preferences::default());
}

#[test]
fn themes_of_ones_own_come_after_the_embedded_ones_or_in_their_place() {
    let preferences = read("own-themes");
    let names: Vec<&str> = preferences.palettes.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["dark", "light", "high-contrast", "colour-blind-safe", "mono", "Sepia ☕"]);
    let dark = &preferences.palettes[0];
    assert_eq!(dark.style(Role::Title), ratatui::style::Style::default());
    assert_eq!(dark.style(Role::Text), Preferences::default().palettes[0].style(Role::Text));
}

#[test]
fn what_is_right_holds_beside_what_is_wrong() {
    let misspelt = read("misspelt");
    assert!(misspelt.mouse);
    assert_eq!(keys(&misspelt, "save"), [Key::F(3)]);
    // None of its keys is one: it keeps its own.
    assert_eq!(keys(&misspelt, "stop"), [Key::Char('s')]);
    let broken = read("no-toml");
    assert!(broken.mouse);
    assert_eq!((broken.theme, broken.glyphs, broken.frames_per_second), (None, None, 5));
    assert_eq!(read("wrong-kinds").keymap, Keymap::default());
    let names: Vec<String> = read("broken-themes").palettes.into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["dark", "light", "high-contrast", "colour-blind-safe", "mono", "whole"]);
}

#[test]
fn files_that_are_none_keep_nothing_from_coming_up() {
    let place = tempfile::tempdir().expect("a place");
    fs::create_dir(place.path().join("screen.toml")).expect("a folder");
    fs::write(place.path().join("themes"), "a file").expect("a file");
    assert_eq!(Preferences::read(place.path()).problems, ["screen.toml: expected a file of text"]);
    fs::remove_dir(place.path().join("screen.toml")).expect("the folder goes");
    fs::write(place.path().join("screen.toml"), vec![b'#'; 1 << 20]).expect("a file");
    assert_eq!(Preferences::read(place.path()).problems, ["screen.toml: more than 256 KiB are no settings"]);
    fs::remove_file(place.path().join("screen.toml")).expect("the file goes");
    let made = std::process::Command::new("mkfifo").arg(place.path().join("screen.toml")).status();
    if made.is_ok_and(|status| status.success()) {
        assert_eq!(Preferences::read(place.path()).problems, ["screen.toml: expected a file of text"]);
    }
}

#[test]
fn no_bytes_whatever_stop_it_and_nothing_of_them_reaches_the_terminal_raw() {
    let place = tempfile::tempdir().expect("a place");
    fs::create_dir(place.path().join("themes")).expect("a folder");
    let whole = fs::read(folder("all-settings/screen.toml")).expect("a fixture");
    let theme = fs::read(folder("broken-themes/themes/roles.toml")).expect("a fixture");
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut below = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as usize % n
    };
    for _ in 0..200 {
        for (file, text) in [("screen.toml", &whole), ("themes/x.toml", &theme)] {
            let mut bytes = text.clone();
            for _ in 0..1 + below(4) {
                let (at, from) = (below(bytes.len()), below(text.len()));
                match below(3) {
                    0 => bytes[at] = b"\"'[]={}#\n\x1b\x00\xff,.-"[below(15)],
                    1 => bytes.truncate(at + 1),
                    _ => bytes.splice(at..at, text[from..text.len().min(from + 20)].iter().copied()).for_each(drop),
                }
            }
            fs::write(place.path().join(file), bytes).expect("a file");
        }
        let read = Preferences::read(place.path());
        assert!((1..=60).contains(&read.frames_per_second));
        assert!(read.problems.iter().all(|p| !p.contains(char::is_control)), "{:?}", read.problems);
    }
}

fn preferred(preferences: &Preferences) -> Message {
    let Preferences { keymap, mouse, problems, .. } = preferences.clone();
    Message::Preferred(Box::new(Preferred { keymap, mouse, problems }))
}

#[test]
fn the_screen_takes_keys_and_mouse_and_says_what_is_wrong() {
    let mut state = State::ready(fixture::page());
    assert_eq!(update(&mut state, preferred(&read("all-settings"))), [Effect::Mouse(true)]);
    assert!(state.mouse && state.notice.is_none());
    assert_eq!(update(&mut state, Message::Key(Key::Char('q'))), []);
    assert_eq!(update(&mut state, Message::Key(Key::Char('Q'))), [Effect::Quit]);

    let dark = frames::theme("dark", GlyphSet::Braille);
    let mut state = State::ready(fixture::page());
    assert_eq!(update(&mut state, preferred(&read("misspelt"))), [Effect::Mouse(true)]);
    frames::compare("settings-notice-80x24", &frames::text(&frames::draw(&state, &dark, 80, 24)));
    update(&mut state, Message::Key(Key::Char('?')));
    for (width, height) in [(60, 20), (80, 24)] {
        frames::compare(
            &format!("settings-help-{width}x{height}"),
            &frames::text(&frames::draw(&state, &dark, width, height)),
        );
    }
}

#[test]
fn a_letter_given_to_redraw_is_still_typed_into_a_field() {
    let (keymap, problems) = Keymap::with_user(&[("redraw".into(), vec![Key::Char('d'), Key::F(7)])]);
    assert_eq!(problems, []);
    let mut state = fixture::after(&fixture::stored());
    let take = Preferred { keymap, mouse: false, problems: Vec::new() };
    update(&mut state, Message::Preferred(Box::new(take)));
    update(&mut state, Message::Key(Key::Esc));
    assert_eq!(update(&mut state, Message::Key(Key::Char('d'))), [Effect::Redraw]);
    update(&mut state, Message::Key(Key::Char('?')));
    assert_eq!(update(&mut state, Message::Key(Key::Char('d'))), []);
    update(&mut state, Message::Key(Key::Char('?')));
    assert_eq!(update(&mut state, Message::Key(Key::F(7))), [Effect::Redraw]);
}

#[test]
fn frames_come_as_often_as_the_user_wants_and_keys_are_still_answered_at_once() {
    for (frames_per_second, most) in [(1, 1), (4, 4), (10, 10), (60, 60)] {
        let environment = TerminalEnvironment::from_variables(|_| None);
        let mut session = Session::new(State::ready(fixture::page()), environment.themes(), Size::new(80, 24), None);
        session.prefer(&Preferences { frames_per_second, ..Preferences::default() });
        let mut frames = 0;
        // Something changes all the time: here, that the terminal says it was resized.
        for ms in 0..10_000 {
            let now = Clock { ms, unix_ms: 0 };
            session.resize(Size::new(80 + (ms % 2) as u16, 24));
            session.turn(now, []);
            frames += u64::from(session.frame(now).is_some());
        }
        assert!(frames <= most * 10 + 1 && frames * 10 >= most * 95, "{frames} frames in 10 s, {most} wanted");
        session.turn(Clock { ms: 10_020, unix_ms: 0 }, [Input::Key(Key::Char('?'))]);
        assert!(session.frame(Clock { ms: 10_020, unix_ms: 0 }).is_some());
    }
}
