//! What keys, answers and time do to the screen; the start page in `start`.

use super::*;
use crate::event::{CommandReply, RunEvent, RunState};
use crate::event::{FinishReason, MicroBatchDone, RunFinished, RunStarted, Stamped};
use crate::ui::message::{Fetching, Key, Mouse, MouseKind};
use crate::ui::state::Activity;
use crate::ui::state::StartPage;
use crate::ui::state::start::{Entry, Look, ModelPlace, Pane, PastRun, PastState, StartRequest, Target};
use crate::ui::view::outcome;

mod start;

fn started() -> RunStarted {
    let log = include_str!("../../../tests/fixtures/screen/run/events.jsonl");
    let first = log.lines().next().and_then(|line| serde_json::from_str(line).ok());
    let Some(Stamped { event: RunEvent::RunStarted(started), .. }) = first else {
        panic!("the fixture begins with a run")
    };
    *started
}

fn page() -> StartPage {
    let started = started();
    let request = StartRequest {
        target: Target::Demo,
        text: toml::to_string(&started.config).expect("a configuration is TOML"),
        file_name: "the demo".into(),
        base_dir: "/".into(),
        overrides: Vec::new(),
    };
    StartPage::new(vec![Entry::new("demo run", request)])
}

fn attached(owned: bool) -> State {
    let mut state = State::watching();
    update(&mut state, Message::Attached { folder: "runs/x".into(), owned });
    at(&mut state, 1_000);
    micro(&mut state, 0, 1);
    state
}

fn at(state: &mut State, ms: u64) -> Vec<Effect> {
    update(state, Message::Tick(Clock { ms, unix_ms: 5_000_000 + ms }))
}

fn event(state: &mut State, seq: u64, event: RunEvent) {
    update(state, Message::Event(Box::new(Stamped { seq, elapsed_ms: seq * 1_000, event })));
}

fn micro(state: &mut State, seq: u64, micro: u64) {
    let done = MicroBatchDone {
        step: 1,
        micro,
        micro_per_step: 4,
        loss_sum_nats: 1.0,
        target_tokens: 1,
        tokens: 1,
        duration_us: 1_000_000,
        used_bytes: None,
        peak_bytes: None,
    };
    event(state, seq, RunEvent::MicroBatchDone(done));
}

fn finish(state: &mut State, seq: u64) {
    let finished = RunFinished { reason: FinishReason::Stopped, steps: 1, detail: None };
    event(state, seq, RunEvent::RunFinished(finished));
}

fn key(state: &mut State, c: char) -> Vec<Effect> {
    update(state, Message::Key(Key::Char(c)))
}

fn answer(state: &mut State, command: Command, run_state: RunState) {
    update(state, Message::Answered { command, reply: CommandReply::done(run_state, 1) });
}

fn press(state: &mut State, key: Key) -> Vec<Effect> {
    update(state, Message::Key(key))
}

fn page_of(state: &State) -> &StartPage {
    state.page.as_ref().expect("a page")
}

fn activity(state: &State) -> Activity {
    state.run().expect("a run").activity()
}

#[test]
fn pause_is_shown_when_the_run_says_so_and_resume_ends_it() {
    let mut state = attached(true);
    assert_eq!(key(&mut state, 'p'), [Effect::Send(Command::Pause)]);
    assert_eq!(activity(&state), Activity::Pausing);
    // Impatience resumes what was not paused yet; it never sends a second pause.
    answer(&mut state, Command::Pause, RunState::Paused);
    assert_eq!(activity(&state), Activity::Paused);
    assert_eq!(key(&mut state, ' '), [Effect::Send(Command::Resume)]);
    answer(&mut state, Command::Resume, RunState::Running);
    assert_eq!(activity(&state), Activity::Running);
}

#[test]
fn time_stands_while_paused_and_nothing_is_drawn() {
    let mut state = attached(true);
    key(&mut state, 'p');
    answer(&mut state, Command::Pause, RunState::Paused);
    at(&mut state, 10_000);
    let (revision, elapsed) = (state.revision(), state.run().map(|r| r.elapsed_ms(state.clock)));
    at(&mut state, 500_000);
    assert_eq!(state.revision(), revision);
    assert_eq!(state.run().map(|r| r.elapsed_ms(state.clock)), elapsed);
    assert_eq!(state.run().and_then(|r| r.stale_seconds(state.clock)), None);
}

#[test]
fn a_micro_batch_that_began_after_the_pause_ends_it() {
    let mut state = attached(true);
    key(&mut state, 'p');
    answer(&mut state, Command::Pause, RunState::Paused);
    at(&mut state, 1_500);
    micro(&mut state, 1, 2);
    assert_eq!(activity(&state), Activity::Paused, "it began before the pause");
    at(&mut state, 60_000);
    micro(&mut state, 2, 3);
    assert_eq!(activity(&state), Activity::Running);
}

#[test]
fn stopping_asks_and_a_second_stop_asks_to_drop_the_step() {
    let mut state = attached(true);
    assert_eq!(key(&mut state, 's'), []);
    assert_eq!(state.overlay, Some(Overlay::Ask(Question::Stop)));
    assert_eq!(key(&mut state, 'n'), []);
    assert_eq!(activity(&state), Activity::Running);
    key(&mut state, 's');
    assert_eq!(key(&mut state, 'y'), [Effect::Send(Command::Stop)]);
    assert_eq!(activity(&state), Activity::Stopping);
    key(&mut state, 's');
    assert_eq!(state.overlay, Some(Overlay::Ask(Question::DropStep)));
    assert_eq!(key(&mut state, 'y'), [Effect::Send(Command::Stop)]);
}

#[test]
fn quitting_a_run_of_this_process_stops_it_first_and_one_elsewhere_is_left_alone() {
    let mut state = attached(true);
    assert_eq!(key(&mut state, 'q'), []);
    assert_eq!(key(&mut state, 'y'), [Effect::Send(Command::Stop)]);
    // A second quit asks whether to wait, and never drops the step by itself.
    assert_eq!(update(&mut state, Message::Key(Key::Ctrl('c'))), []);
    assert_eq!(state.overlay, Some(Overlay::Ask(Question::QuitNow)));
    key(&mut state, 'n');
    finish(&mut state, 1);
    assert_eq!(at(&mut state, 1_500), []);
    assert_eq!(update(&mut state, Message::StreamClosed { cause: None }), [Effect::Quit]);

    let mut elsewhere = attached(false);
    assert_eq!(key(&mut elsewhere, 'q'), [Effect::Quit]);
}

#[test]
fn quitting_does_not_wait_for_ever_for_the_stream_to_close() {
    let mut state = attached(true);
    key(&mut state, 'q');
    key(&mut state, 'y');
    finish(&mut state, 1);
    assert_eq!(at(&mut state, 2_000), []);
    assert_eq!(at(&mut state, 4_000), [Effect::Quit]);
}

#[test]
fn a_question_whose_run_has_ended_sends_nothing() {
    let mut state = attached(true);
    key(&mut state, 's');
    finish(&mut state, 1);
    state.overlay = Some(Overlay::Ask(Question::Stop));
    assert_eq!(key(&mut state, 'y'), []);
}

#[test]
fn the_end_of_a_run_is_shown_and_what_came_long_ago_is_not_news() {
    let mut state = attached(true);
    finish(&mut state, 1);
    assert_eq!(state.overlay, Some(Overlay::Outcome { selected: 0 }));
    assert_eq!(update(&mut state, Message::Key(Key::Esc)), []);
    assert_eq!(state.overlay, None);
    update(&mut state, Message::Key(Key::Enter));
    assert_eq!(state.overlay, Some(Overlay::Outcome { selected: 0 }));

    // A log tells by itself when its run ended.
    for (ago_ms, is_news) in [(5_000, true), (60_000, false)] {
        let mut state = State::watching();
        at(&mut state, 90_000);
        update(&mut state, Message::Attached { folder: "runs/x".into(), owned: false });
        // Its end comes a second after its start.
        let started_unix_ms = state.clock.unix_ms - 1_000 - ago_ms;
        event(&mut state, 0, RunEvent::RunStarted(Box::new(RunStarted { started_unix_ms, ..started() })));
        finish(&mut state, 1);
        assert_eq!(state.overlay.is_some(), is_news, "{ago_ms} ms ago");
    }
}

#[test]
fn a_terminal_that_is_too_small_takes_no_key_whose_effect_would_not_be_seen() {
    let small = Message::Resized { width: 40, height: 10 };
    let mut state = State::ready(page());
    update(&mut state, small.clone());
    for key in [Key::Enter, Key::Char('S'), Key::Tab, Key::Char(':'), Key::Char('?')] {
        assert_eq!(press(&mut state, key), [], "{key}");
        assert!(state.notice.take().is_some(), "{key} says why");
    }
    assert_eq!((&state.stage, &state.overlay, page_of(&state).pane), (&Stage::Ready, &None, Pane::List));
    assert_eq!(key(&mut state, 'q'), [Effect::Quit]);

    let mut state = attached(true);
    key(&mut state, '?');
    update(&mut state, small.clone());
    assert_eq!(key(&mut state, 'w'), []);
    assert_eq!(key(&mut state, 'p'), [Effect::Send(Command::Pause)]);
    assert_eq!((key(&mut state, 's'), state.overlay.clone()), (vec![], Some(Overlay::Ask(Question::Stop))));
    assert_eq!(key(&mut state, 'y'), [Effect::Send(Command::Stop)]);
    key(&mut state, 'q');
    assert_eq!(state.overlay, Some(Overlay::Ask(Question::StopAndQuit)));

    // What is typed is no command there either, and is not lost.
    let mut state = attached(true);
    "3/ab".chars().for_each(|c| _ = key(&mut state, c));
    update(&mut state, small);
    assert_eq!((key(&mut state, 'q'), state.log.search().map(|s| s.text())), (vec![], Some("ab")));
    press(&mut state, Key::Ctrl('c'));
    assert_eq!(state.overlay, Some(Overlay::Ask(Question::StopAndQuit)));
}

#[test]
fn help_and_card_go_by_the_keys_of_the_users_own() {
    let mut state = attached(true);
    let entries = [("down", Key::Char('n')), ("pause", Key::Char('P')), ("outcome", Key::Char('d'))];
    let entries = entries.map(|(name, key)| (name.to_owned(), vec![key]));
    state.keymap = crate::ui::keymap::Keymap::with_user(&entries).0;
    key(&mut state, '?');
    key(&mut state, 'n');
    assert_eq!(state.overlay, Some(Overlay::Help { scroll: 1 }));
    // Space turns the page though it pauses nothing any more.
    key(&mut state, ' ');
    assert!(matches!(state.overlay, Some(Overlay::Help { scroll: 2.. })));
    press(&mut state, Key::Esc);
    finish(&mut state, 1);
    assert_eq!(state.overlay, Some(Overlay::Outcome { selected: 0 }));
    key(&mut state, 'd');
    assert_eq!(state.overlay, None, "the key that opens the card closes it");
}

#[test]
fn the_commands_to_try_next_can_be_copied_from_the_card() {
    let mut state = attached(false);
    finish(&mut state, 1);
    let commands = outcome::next_commands(state.run().expect("a run"));
    update(&mut state, Message::Key(Key::Down));
    let copied = key(&mut state, 'y');
    assert_eq!(copied, [Effect::Copy(commands[commands.len().min(2) - 1].clone())]);
    assert!(matches!(state.overlay, Some(Overlay::Outcome { .. })));
    key(&mut state, '2');
    assert_eq!(state.tab, Tab::Charts, "other keys go on");
}

#[test]
fn a_stream_that_closes_without_an_end_is_an_interrupted_run() {
    let mut state = attached(true);
    update(&mut state, Message::StreamClosed { cause: None });
    assert_eq!(activity(&state), Activity::Interrupted);
    assert!(!state.is_alive());
}

#[test]
fn a_run_that_failed_before_its_first_event_says_why_on_the_start_page() {
    let mut state = State::ready(page());
    let start = Effect::StartRun(Box::new(page().entries[0].request()));
    update(&mut state, Message::Key(Key::Enter));
    update(&mut state, Message::Attached { folder: "runs/x".into(), owned: true });
    update(&mut state, Message::StreamClosed { cause: Some("train.jsonl: no rows".into()) });
    assert_eq!(state.stage, Stage::Failed("train.jsonl: no rows".into()));
    assert_eq!(update(&mut state, Message::Key(Key::Enter)), std::slice::from_ref(&start));
}

#[test]
fn silence_is_said_and_a_word_ends_it() {
    let mut state = attached(true);
    at(&mut state, 4_000);
    assert_eq!(state.run().and_then(|r| r.stale_seconds(state.clock)), None);
    at(&mut state, 31_000);
    assert_eq!(state.run().and_then(|r| r.stale_seconds(state.clock)), Some(30.0));
    micro(&mut state, 1, 2);
    assert_eq!(state.run().and_then(|r| r.stale_seconds(state.clock)), None);
}

#[test]
fn a_refused_command_says_why_for_a_while() {
    let mut state = attached(true);
    assert_eq!(key(&mut state, 'w'), [Effect::Send(Command::Save)]);
    assert_eq!(key(&mut state, 'w'), [], "one save is asked for at a time");
    let reply = CommandReply::refused("disk \u{1b}[31mfull");
    update(&mut state, Message::Answered { command: Command::Save, reply });
    let notice = state.notice.clone().expect("a notice");
    assert_eq!((notice.text.as_str(), notice.kind), ("disk ␛[31mfull", NoticeKind::Bad));
    at(&mut state, 10_000);
    assert_eq!(state.notice, None);
    assert_eq!(key(&mut state, 'w'), [Effect::Send(Command::Save)]);
}

#[test]
fn starting_fetching_cancelling_and_failing_lead_back_to_the_page() {
    let mut state = State::ready(page());
    let start = Effect::StartRun(Box::new(page().entries[0].request()));
    assert!(!state.is_alive());
    assert_eq!(update(&mut state, Message::Key(Key::Enter)), std::slice::from_ref(&start));
    let fetching = |done| Message::Fetching(Fetching { what: "model".into(), done, total: Some(100) });
    at(&mut state, 1_000);
    update(&mut state, fetching(10));
    at(&mut state, 2_000);
    update(&mut state, fetching(60));
    let Stage::Starting(preparation) = &state.stage else { panic!("it is being prepared") };
    assert_eq!(preparation.speed, Some(50.0));
    assert_eq!(update(&mut state, Message::Key(Key::Esc)), [Effect::CancelStart]);
    assert_eq!(state.stage, Stage::Ready);
    // What the cancelled preparation still says has no effect.
    update(&mut state, fetching(70));
    update(&mut state, Message::StartFailed("cancelled".into()));
    assert_eq!(state.stage, Stage::Ready);
    update(&mut state, Message::Key(Key::Enter));
    update(&mut state, Message::StartFailed("no pip".into()));
    assert_eq!(state.stage, Stage::Failed("no pip".into()));
    assert_eq!(update(&mut state, Message::Key(Key::Enter)), std::slice::from_ref(&start));
    assert_eq!(update(&mut state, Message::Key(Key::Ctrl('c'))), [Effect::CancelStart, Effect::Quit]);
}

#[test]
fn what_is_copied_is_bounded_harmless_and_said() {
    let mut state = attached(true);
    let mut copy = |text: &str| {
        let mut text = text.to_owned();
        copied(&mut state, &mut text);
        (text, state.notice.as_ref().map(|n| n.text.clone()).unwrap_or_default())
    };
    assert_eq!(copy("loss\t1.2\n"), ("loss\t1.2\n".into(), "9 characters went to the terminal's clipboard".into()));
    assert_eq!(copy("a\u{1b}[201~\r\u{9b}"), ("a[201~".into(), "6 characters went to the terminal's clipboard".into()));
    assert_eq!(copy("é").1, "1 character went to the terminal's clipboard");
    let (text, notice) = copy(&"중".repeat(40_000));
    assert_eq!(text, "중".repeat(33_333));
    assert_eq!(notice, "the first 33,333 of 40,000 characters went to the clipboard");
}

#[test]
fn the_mouse_is_off_until_it_is_asked_for() {
    let mut state = attached(true);
    assert!(!state.mouse);
    assert_eq!(key(&mut state, 'm'), [Effect::Mouse(true)]);
    assert_eq!(key(&mut state, 'm'), [Effect::Mouse(false)]);
    assert!(!state.mouse);
}

#[test]
fn the_wheel_scrolls_help_and_a_question_keeps_the_mouse_to_itself() {
    let mut state = attached(true);
    let wheel = Message::Mouse(Mouse { kind: MouseKind::WheelDown, column: 0, row: 0 });
    key(&mut state, '?');
    update(&mut state, wheel.clone());
    assert_eq!(state.overlay, Some(Overlay::Help { scroll: 3 }));
    update(&mut state, Message::Key(Key::Esc));
    key(&mut state, 's');
    assert_eq!(update(&mut state, wheel), []);
    assert_eq!(state.overlay, Some(Overlay::Ask(Question::Stop)));
}
