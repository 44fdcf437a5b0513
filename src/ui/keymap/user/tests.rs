//! Keys of the user's own: who gets a key, who loses it, and what is said.

use super::*;
use crate::config::parse;
use crate::event::{FinishReason, RunEvent, RunFinished, RunStarted, Stamped};
use crate::ui::keymap::is_available;
use crate::ui::keymap::places::{Place, places};
use crate::ui::message::Message;
use crate::ui::state::start::{Editing, Entry, StartPage, StartRequest, Target};
use crate::ui::state::{Preparation, Stage, State, Tab};
use crate::ui::update;

fn user(entries: &[(&str, &[Key])]) -> (Keymap, Vec<String>) {
    let entries: Vec<_> = entries.iter().map(|(name, keys)| ((*name).to_owned(), keys.to_vec())).collect();
    let (keymap, problems) = Keymap::with_user(&entries);
    (keymap, problems.into_iter().map(|(entry, what)| format!("{}: {what}", entries[entry].0)).collect())
}

#[test]
fn nothing_of_ones_own_is_the_table_and_so_is_the_table_written_out() {
    assert_eq!(Keymap::with_user(&[]), (Keymap::default(), Vec::new()));
    let table = Keymap::default();
    let all: Vec<(String, Vec<Key>)> = table.bindings().iter().map(|b| (b.name.to_owned(), b.keys.clone())).collect();
    assert_eq!(Keymap::with_user(&all), (table, Vec::new()));
}

#[test]
fn the_users_key_wins_over_the_tables_and_the_loser_says_what_it_keeps() {
    let (keymap, problems) = user(&[("save", &[Key::Char('p')])]);
    assert_eq!(problems, ["save: `p` is now save; pause keeps Space"]);
    assert_eq!(keymap.keys(Action::Save), [Key::Char('p')]);
    assert_eq!(keymap.keys(Action::PauseOrResume), [Key::Char(' ')]);
    let (_, problems) = user(&[("save", &[Key::Char('e')])]);
    assert_eq!(problems, ["save: `e` is now save; eval has no key left"]);
    // It is no conflict when the other one has a new key in the same file, wherever it stands there.
    assert_eq!(user(&[("save", &[Key::Char('e')]), ("eval", &[Key::F(6)])]).1, [""; 0]);
}

#[test]
fn actions_that_never_meet_may_share_a_key() {
    let (keymap, problems) = user(&[("save", &[Key::Char('n')]), ("start", &[Key::Char('n')])]);
    // Saving meets the log's next match; starting meets neither.
    assert_eq!(problems, ["save: `n` is now save; next_match has no key left"]);
    assert_eq!(keymap.keys(Action::Start), [Key::Char('n')]);
    assert_eq!(user(&[("outcome", &[Key::Char('s')]), ("open", &[Key::Char('z')])]).1, [""; 0]);
}

#[test]
fn of_two_own_keys_that_can_meet_the_first_is_kept_and_both_are_named() {
    let (keymap, problems) = user(&[("save", &[Key::F(2)]), ("eval", &[Key::F(2), Key::F(3)])]);
    assert_eq!(problems, ["eval: `F2` is given to save and to eval; it stays with save"]);
    assert_eq!((keymap.keys(Action::Save), keymap.keys(Action::Evaluate)), (&[Key::F(2)][..], &[Key::F(3)][..]));
    let (_, problems) = user(&[("save", &[Key::F(2)]), ("eval", &[Key::F(2)])]);
    assert_eq!(problems[1], "eval: eval has no key left");
}

#[test]
fn there_is_always_a_way_out() {
    let (keymap, problems) = user(&[("quit", &[]), ("pause", &[Key::Ctrl('c')])]);
    assert_eq!(keymap.keys(Action::Quit), [Key::Ctrl('c')]);
    assert_eq!(problems, ["pause: `Ctrl-C` always quits; pause does not get it", "pause: pause has no key left"]);
    let (keymap, problems) = user(&[("pause", &[Key::Char('q')])]);
    assert_eq!(keymap.keys(Action::Quit), [Key::Ctrl('c')]);
    assert_eq!(problems, ["pause: `q` is now pause; quit keeps Ctrl-C"]);
    assert_eq!(user(&[("quit", &[Key::Char('Q')])]).0.keys(Action::Quit), [Key::Char('Q'), Key::Ctrl('c')]);
}

#[test]
fn a_name_that_is_no_action_leads_to_the_nearest() {
    assert_eq!(user(&[("puase", &[Key::F(2)])]).1, ["puase: puase is no action; did you mean pause?"]);
    assert!(user(&[("zzzzzz", &[])]).1[0].contains("there are "));
}

/// A state at every place, with all there that an action could ask for.
fn states() -> Vec<(Place, State)> {
    let config = parse::from_toml("[data]\ntrain = \"a\"\neval = \"b\"\n", "x", "/".as_ref(), &[]).expect("settings");
    let request = StartRequest {
        target: Target::Demo,
        text: "[data]\ntrain = \"a\"\n".into(),
        file_name: "x.toml".into(),
        base_dir: "/".into(),
        overrides: Vec::new(),
    };
    let ready = State::ready(StartPage::new(vec![Entry::new("demo run", request)]));
    let mut preparing = ready.clone();
    preparing.stage = Stage::Starting(Preparation::default());
    let mut failed = ready.clone();
    failed.stage = Stage::Failed(String::new());
    let mut typing = ready.clone();
    typing.page.as_mut().expect("a page").editing = Some(Editing { field: Field::default(), problem: None });
    let mut plan = ready.clone();
    update(&mut plan, Message::Key(Key::Char('M')));
    update(&mut plan, Message::Key(Key::Left));
    let mut elsewhere = plan.clone();
    update(&mut elsewhere, Message::Key(Key::Tab));
    let mut playground = ready.clone();
    playground.playground.open = true;
    let mut states = vec![
        (Place::Plan, plan),
        (Place::Plan, elsewhere),
        (Place::Page, ready.clone()),
        (Place::Preparing, preparing),
        (Place::Page, failed),
        (Place::Typing, typing),
        (Place::EndedPlay, playground),
    ];
    const LIVE: [Place; 6] = [Place::Train, Place::Charts, Place::Log, Place::Memory, Place::Bleu, Place::Play];
    const ENDED: [Place; 6] = [
        Place::EndedTrain,
        Place::EndedCharts,
        Place::EndedLog,
        Place::EndedMemory,
        Place::EndedBleu,
        Place::EndedPlay,
    ];
    for (i, tab) in Tab::ALL.into_iter().enumerate() {
        let mut state = ready.clone();
        update(&mut state, Message::Attached { folder: "runs/x".into(), owned: true });
        let started = RunStarted {
            schema: 1,
            run_id: String::new(),
            started_unix_ms: 0,
            config: config.clone(),
            seed: 0,
            device: String::new(),
            model_name: None,
            trainable_params: 1,
            total_params: 1,
            planned_steps: 1,
            resumed_from: None,
            rows: Vec::new(),
        };
        let finished = RunFinished { reason: FinishReason::Completed, steps: 1, detail: None };
        let events = [RunEvent::RunStarted(Box::new(started)), RunEvent::RunFinished(finished)];
        for (seq, event) in (0..).zip(events) {
            update(&mut state, Message::Event(Box::new(Stamped { seq, elapsed_ms: 0, event })));
            state.tab = tab;
            states.push(([LIVE, ENDED][seq as usize][i], state.clone()));
        }
    }
    states
}

#[test]
fn places_are_told_apart_and_meet_where_they_should() {
    for (place, state) in states() {
        assert_eq!(Place::of(&state), place);
    }
    let meets = |a, b| can_meet(a, b, Key::Char('x'));
    assert!(meets(Action::Save, Action::PauseOrResume) && meets(Action::Open, Action::Help));
    assert!(!meets(Action::Start, Action::Open) && !meets(Action::Enlarge, Action::Open));
    assert!(!meets(Action::Stop, Action::Outcome) && !meets(Action::Save, Action::Save));
    assert!(!meets(Action::Redraw, Action::DropSetting), "a letter is text while a value is typed");
    assert!(can_meet(Action::Redraw, Action::DropSetting, Key::Ctrl('x')));
}

#[test]
fn a_value_that_is_typed_can_be_taken_and_dropped_whatever_the_file_says() {
    // Typing and not typing never meet.
    let (keymap, problems) = user(&[("clear", &[Key::F(2)]), ("drop_setting", &[Key::F(2)])]);
    assert_eq!((problems, keymap.keys(Action::DropSetting)), (vec![], &[Key::F(2), Key::Esc][..]));
    assert_eq!(user(&[("drop_setting", &[Key::F(1)])]).1, [""; 0], "help is not to be had there");
    // What is text there is no key for it.
    let (keymap, problems) = user(&[("clear", &[Key::Char('d')]), ("drop_setting", &[Key::Char('d')])]);
    assert_eq!(problems, ["drop_setting: `d` edits a value that is typed; drop_setting does not get it"]);
    assert_eq!(keymap.keys(Action::DropSetting), [Key::Esc]);
    let (keymap, problems) = user(&[("take_setting", &[Key::Esc, Key::Ctrl('u'), Key::Down]), ("drop_setting", &[])]);
    assert_eq!(problems[0], "take_setting: `Esc` always drops a value that is typed; take_setting does not get it");
    assert_eq!(problems.len(), 3);
    assert_eq!(
        (keymap.keys(Action::TakeSetting), keymap.keys(Action::DropSetting)),
        (&[Key::Enter][..], &[Key::Esc][..])
    );
    // Elsewhere both keys are anybody's.
    let (keymap, problems) = user(&[("quit", &[Key::Esc]), ("clear", &[Key::F(3)]), ("cancel", &[Key::F(3)])]);
    assert_eq!(problems, [""; 0]);
    for (place, state) in states() {
        let expected = if place == Place::Typing { Action::DropSetting } else { Action::Quit };
        assert_eq!(keymap.action(Key::Esc, &state), Some(expected), "{place:?}");
    }
}

#[test]
fn no_keys_whatever_leave_two_meanings_or_no_way_out() {
    let table = Keymap::default();
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut below = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as usize % n
    };
    let keys: Vec<Key> = table.bindings().iter().flat_map(|b| b.keys.clone()).collect();
    let states = states();
    for _ in 0..300 {
        let mut entries: Vec<(String, Vec<Key>)> = Vec::new();
        for _ in 0..below(8) {
            let name = table.bindings()[below(table.bindings().len())].name.to_owned();
            if entries.iter().all(|(n, _)| *n != name) {
                entries.push((name, (0..below(4)).map(|_| keys[below(keys.len())]).collect()));
            }
        }
        let (keymap, _) = Keymap::with_user(&entries);
        for (place, state) in &states {
            assert_eq!(keymap.action(ALWAYS_QUITS, state), Some(Action::Quit), "{place:?}: {entries:?}");
            if *place == Place::Typing {
                assert_eq!(keymap.action(Key::Enter, state), Some(Action::TakeSetting), "{entries:?}");
                assert_eq!(keymap.action(Key::Esc, state), Some(Action::DropSetting), "{entries:?}");
            }
            for key in &keys {
                let meant = |map: &Keymap| -> Vec<Action> {
                    let with_key = map.bindings().iter().filter(|b| b.keys.contains(key)).map(|b| b.action);
                    // What is part of the text there acts only where it is the text's own.
                    let acts = |a: Action| *place != Place::Typing || key.types_nothing() || places(a).len() == 1;
                    with_key.filter(|&a| is_available(a, state) && acts(a)).collect()
                };
                let (own, tables) = (meant(&keymap), meant(&table));
                assert!(
                    own.len() < 2 || own.iter().all(|a| tables.contains(a)),
                    "{place:?}: {key} is {own:?}: {entries:?}"
                );
            }
        }
    }
}
