//! What a trial does to a run that trains: it waits, and goes on whatever comes of the trial.

use super::*;

#[test]
fn training_of_this_process_is_paused_for_a_trial_and_goes_on_after_it() {
    let mut state = entered(own_run(), (80, 24));
    with_text(&mut state);
    let effects = hit(&mut state, &[Key::F(5)]);
    assert_eq!(effects, [Effect::Send(Command::Pause)], "the trial waits");
    assert!(state.playground.running.as_ref().is_some_and(|r| r.phase == Phase::Pausing));
    let reply = CommandReply::done(RunState::Paused, 33);
    let effects = update(&mut state, Message::Answered { command: Command::Pause, reply });
    let (ticket, ask) = ask_of(&effects).expect("now it begins");
    assert!(!ask.keep_model, "the memory is training's");
    let frame = text(&draw(&state, &theme("dark", GlyphSet::Braille), 120, 40));
    assert!(frame.contains("training is paused for a trial"), "{frame}");
    // Nobody resumes it past the trial.
    focus(&mut state, Focus::Attempts);
    assert_eq!(hit(&mut state, &[Key::Char('p')]), []);
    tell_trace(&mut state, ticket, 0, &saved());
    let effects = tell(&mut state, ticket, News::Over(Ok(())));
    assert_eq!(effects, [Effect::Send(Command::Resume)]);
    let reply = CommandReply::done(RunState::Running, 33);
    update(&mut state, Message::Answered { command: Command::Resume, reply });
    assert!(!state.playground.holds_run());
}

#[test]
fn training_goes_on_also_when_the_trial_fails_or_is_cancelled_before_it_began() {
    let paused = || CommandReply::done(RunState::Paused, 33);
    let mut state = entered(own_run(), (80, 24));
    with_text(&mut state);
    hit(&mut state, &[Key::F(5)]);
    let effects = update(&mut state, Message::Answered { command: Command::Pause, reply: paused() });
    let (ticket, _) = ask_of(&effects).expect("it begins");
    let effects = tell(&mut state, ticket, News::Over(Err("out of memory: no room".into())));
    assert_eq!(effects, [Effect::Send(Command::Resume)]);
    assert_eq!(state.playground.failure.as_deref(), Some("out of memory: no room"));
    update(
        &mut state,
        Message::Answered { command: Command::Resume, reply: CommandReply::done(RunState::Running, 33) },
    );
    hit(&mut state, &[Key::F(5)]);
    assert_eq!(hit(&mut state, &[Key::Esc]), [], "nothing to cancel outside");
    assert!(state.playground.running.is_none() && state.playground.holds_run());
    let effects = update(&mut state, Message::Answered { command: Command::Pause, reply: paused() });
    assert_eq!(effects, [Effect::Send(Command::Resume)]);
    assert!(!state.playground.holds_run());
}

#[test]
fn a_run_that_a_person_paused_stays_paused() {
    let mut state = entered(own_run(), (80, 24));
    with_text(&mut state);
    focus(&mut state, Focus::Attempts);
    assert_eq!(hit(&mut state, &[Key::Char('p')]), [Effect::Send(Command::Pause)]);
    let reply = CommandReply::done(RunState::Paused, 33);
    update(&mut state, Message::Answered { command: Command::Pause, reply });
    let effects = hit(&mut state, &[Key::F(5)]);
    let (ticket, _) = ask_of(&effects).expect("at once");
    assert!(!effects.contains(&Effect::Send(Command::Pause)));
    let frame = text(&draw(&state, &theme("mono", GlyphSet::Ascii), 120, 40));
    assert!(frame.contains("training is paused by hand"), "{frame}");
    // The trial has the memory: who wants training to go on has it so after the trial.
    let mut goes_on = state.clone();
    focus(&mut goes_on, Focus::Attempts);
    assert_eq!(hit(&mut goes_on, &[Key::Char('p')]), []);
    assert!(goes_on.playground.holds_run());
    assert_eq!(tell(&mut goes_on, ticket, News::Over(Ok(()))), [Effect::Send(Command::Resume)]);
    assert_eq!(tell(&mut state, ticket, News::Over(Ok(()))), []);
}

#[test]
fn the_local_model_is_bounded_by_the_limit_of_the_run_it_shares_the_process_with() {
    let mut state = entered(own_run(), (80, 24));
    with_text(&mut state);
    hit(&mut state, &[Key::F(5)]);
    let asked = state.playground.running.as_ref().expect("a trial").ask.limit_bytes;
    assert_eq!((asked, asked.is_some()), (state.run().expect("a run").view.memory.limit_bytes, true));
    let mut alone = entered(no_run(), (80, 24));
    with_text(&mut alone);
    let (_, ask) = ask_of(&hit(&mut alone, &[Key::F(5)])).expect("a trial");
    assert_eq!(ask.limit_bytes, None);
}

#[test]
fn a_pause_that_is_refused_and_a_run_that_ends_leave_no_trial_waiting() {
    let mut state = entered(own_run(), (80, 24));
    with_text(&mut state);
    hit(&mut state, &[Key::F(5)]);
    update(&mut state, Message::Answered { command: Command::Pause, reply: CommandReply::refused("no") });
    assert!(state.playground.running.is_none() && !state.playground.holds_run());
    hit(&mut state, &[Key::F(5)]);
    let effects = update(&mut state, Message::StreamClosed { cause: None });
    let (_, ask) = ask_of(&effects).expect("nothing stands against it any more");
    assert!(ask.keep_model && !state.playground.holds_run());
}

#[test]
fn another_run_on_the_screen_ends_the_trial_of_the_one_before() {
    let mut state = entered(own_run(), (80, 24));
    hit(&mut state, &[Key::Char('x'), Key::Enter]);
    let (ticket, _) = ask_of(&hit(&mut state, &[Key::F(5)])).expect("a trial");
    let effects = update(&mut state, Message::Attached { folder: "runs/y".into(), owned: true });
    assert!(effects.contains(&Effect::CancelTrial));
    tell(&mut state, ticket, News::Done(Box::new(saved())));
    assert!(state.playground.running.is_none());
}

pub fn sampled(state: &mut State, phase: finetop::memory::ledger::Phase) {
    let run = state.run().expect("a run");
    let last = run.view.memory.last.clone().expect("a sample");
    let (seq, elapsed_ms) = (1_000_000 + run.view.elapsed_ms, run.view.elapsed_ms + 10);
    let event = RunEvent::MemorySampled(finetop::event::MemorySampled { phase, ..last });
    update(state, Message::Event(Box::new(finetop::event::Stamped { seq, elapsed_ms, event })));
}

#[test]
fn a_run_that_is_asked_says_whether_it_pauses_to_answer_or_was_paused_by_hand() {
    use finetop::memory::ledger::Phase::{Forward, Generate};
    let shown = |state: &State| text(&draw(state, &theme("mono", GlyphSet::Ascii), 120, 40));
    let mut state = entered(own_run(), (120, 40));
    with_text(&mut state);
    state.playground.settings.who = Who::Run;
    let (ticket, _) = ask_of(&hit(&mut state, &[Key::F(5)])).expect("at once");
    tell(&mut state, ticket, News::Asked(Stage::Generate));
    let frame = shown(&state);
    assert!(frame.contains("= pauses to answer") && frame.contains("training pauses while it answers"), "{frame}");
    focus(&mut state, Focus::Attempts);
    assert_eq!(hit(&mut state, &[Key::Char('p')]), [Effect::Send(Command::Pause)]);
    assert!(shown(&state).contains("training stays paused after this answer"), "{}", shown(&state));
    let reply = CommandReply::done(RunState::Paused, 33);
    update(&mut state, Message::Answered { command: Command::Pause, reply });

    // It is paused whatever the model does for the answer.
    sampled(&mut state, Generate);
    let frame = shown(&state);
    assert!(frame.contains("= paused by hand") && frame.contains("training is paused by hand"), "{frame}");
    assert!(frame.contains("the run answers in its pause"), "{frame}");
    assert_eq!(hit(&mut state, &[Key::Char('p')]), [Effect::Send(Command::Resume)]);
    assert!(shown(&state).contains("training goes on, and pauses only while"), "{}", shown(&state));
    sampled(&mut state, Forward);
    assert!(shown(&state).contains("= pauses to answer"), "somebody let it go on: {}", shown(&state));
    tell(&mut state, ticket, News::Over(Ok(())));
    assert!(!shown(&state).contains("training pauses"), "{}", shown(&state));
}
