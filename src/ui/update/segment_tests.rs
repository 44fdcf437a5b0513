//! What a screen makes of a run that has ended, or paused, and goes on: here, in another process, or long ago.

use super::*;
use crate::event::{CommandReply, RunEvent, RunState, Stamped};
use crate::event::{EvalDone, FinishReason, MemorySampled, RunFinished, RunStarted};
use crate::memory::ledger::Phase;
use crate::ui::message::Key;
use crate::ui::state::Activity;
use crate::ui::state::StartPage;
use crate::ui::view::outcome;

/// When the fixture run began; the screen's clock begins with it.
const BEGAN_UNIX_MS: u64 = 1_777_888_800_000;

fn log() -> Vec<Stamped> {
    let text = include_str!("../../../tests/fixtures/screen/run/events.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of the log")).collect()
}

fn until_step(step: u64) -> Vec<Stamped> {
    let events = log();
    let end = events.iter().position(|s| matches!(&s.event, RunEvent::StepDone(e) if e.step == step));
    events[..=end.expect("the log has this step")].to_vec()
}

fn started(resumed_from: u64, began_ms: u64) -> RunEvent {
    let Some(Stamped { event: RunEvent::RunStarted(first), .. }) = log().into_iter().next() else {
        panic!("the fixture begins with a run")
    };
    let started_unix_ms = BEGAN_UNIX_MS + began_ms;
    RunEvent::RunStarted(Box::new(RunStarted { resumed_from: Some(resumed_from), started_unix_ms, ..*first }))
}

fn stopped() -> RunEvent {
    RunEvent::RunFinished(RunFinished { reason: FinishReason::Stopped, steps: 6, detail: None })
}

fn sample(phase: Phase) -> RunEvent {
    let sample = log().into_iter().find_map(|s| match s.event {
        RunEvent::MemorySampled(sample) => Some(sample),
        _ => None,
    });
    RunEvent::MemorySampled(MemorySampled { phase, ..sample.expect("the log has a sample") })
}

struct Screen {
    state: State,
    seq: u64,
    /// The run's own clock.
    elapsed_ms: u64,
}

impl Screen {
    fn new(owned: bool) -> Self {
        let mut state = State::watching();
        if owned {
            state.page = Some(StartPage::new(Vec::new()));
        }
        update(&mut state, Message::Attached { folder: "runs/x".into(), owned });
        Screen { state, seq: 0, elapsed_ms: 0 }
    }

    /// A run of this process that goes on after six steps and a stop.
    fn resumed() -> Self {
        let mut screen = Screen::new(true);
        screen.at(0);
        screen.take(until_step(6), Message::History);
        let (seq, elapsed_ms) = (screen.seq, screen.elapsed_ms);
        screen.take(vec![Stamped { seq, elapsed_ms, event: stopped() }], Message::History);
        screen
    }

    fn at(&mut self, ms: u64) -> Vec<Effect> {
        update(&mut self.state, Message::Tick(Clock { ms, unix_ms: BEGAN_UNIX_MS + ms }))
    }

    fn take(&mut self, events: Vec<Stamped>, as_what: fn(Box<Stamped>) -> Message) {
        for stamped in events {
            (self.seq, self.elapsed_ms) = (stamped.seq + 1, stamped.elapsed_ms);
            update(&mut self.state, as_what(Box::new(stamped)));
        }
    }

    /// The run says something so long after the last time.
    fn says(&mut self, after_ms: u64, event: RunEvent) {
        let stamped = Stamped { seq: self.seq, elapsed_ms: self.elapsed_ms + after_ms, event };
        self.take(vec![stamped], Message::Event);
    }

    /// As `says`, on a screen that hears it at once.
    fn says_now(&mut self, after_ms: u64, event: RunEvent) {
        let now = self.state.clock.ms + after_ms;
        self.at(now);
        self.says(after_ms, event);
    }

    fn micro(&mut self, duration_ms: u64) -> RunEvent {
        let micro = log().into_iter().find_map(|s| match s.event {
            RunEvent::MicroBatchDone(mut micro) if micro.step == 7 => {
                micro.duration_us = duration_ms * 1_000;
                Some(RunEvent::MicroBatchDone(micro))
            }
            _ => None,
        });
        micro.expect("the log has step 7")
    }

    fn key(&mut self, c: char) -> Vec<Effect> {
        update(&mut self.state, Message::Key(Key::Char(c)))
    }

    fn answer(&mut self, command: Command, run_state: RunState) {
        update(&mut self.state, Message::Answered { command, reply: CommandReply::done(run_state, 6) });
    }

    fn activity(&self) -> Activity {
        self.run().activity()
    }

    fn run(&self) -> &RunStage {
        self.state.run().expect("a run")
    }

    fn elapsed_s(&self) -> u64 {
        self.run().elapsed_ms(self.state.clock) / 1_000
    }
}

#[test]
fn a_resumed_run_is_live_while_its_model_loads_and_its_old_end_is_no_news() {
    let mut screen = Screen::resumed();
    assert_eq!((screen.activity(), &screen.state.overlay), (Activity::Loading, &None));
    assert!(screen.run().is_live());
    let clock = screen.state.clock;
    assert_eq!((screen.run().eta_seconds(clock), screen.run().stale_seconds(clock)), (None, None));
    assert_eq!(screen.key('b'), [], "it must not train on unseen");
    assert_eq!(screen.key('q'), []);
    assert_eq!(screen.state.overlay, Some(Overlay::Ask(Question::StopAndQuit)));
    assert_eq!(screen.key('y'), [Effect::Send(Command::Stop)]);
    screen.says_now(3_000, started(6, 3_000));
    screen.says_now(10, stopped());
    assert_eq!(screen.activity(), Activity::Finished(FinishReason::Stopped));
    assert_eq!(update(&mut screen.state, Message::StreamClosed { cause: None }), [Effect::Quit]);
}

#[test]
fn a_segment_that_begins_takes_the_card_of_the_one_before_away() {
    let mut screen = Screen::new(false);
    let events = until_step(6);
    screen.at(events.last().map_or(0, |s| s.elapsed_ms));
    screen.take(events, Message::Event);
    screen.says_now(10, stopped());
    assert_eq!(screen.state.overlay, Some(Overlay::Outcome { selected: 0 }));
    let began_ms = screen.state.clock.ms;
    screen.says_now(900, started(6, began_ms));
    assert_eq!(screen.state.overlay, None);
    assert!(screen.run().is_live());
}

#[test]
fn a_resumed_run_that_fails_before_it_says_anything_says_why_on_the_page() {
    for with_an_end in [true, false] {
        let mut screen = if with_an_end { Screen::resumed() } else { Screen::new(true) };
        if !with_an_end {
            screen.take(until_step(6), Message::History);
        }
        // A killed process saved it, which is said before the segment begins.
        screen.says(0, log().into_iter().find(|s| matches!(s.event, RunEvent::CheckpointSaved(_))).expect("one").event);
        update(&mut screen.state, Message::StreamClosed { cause: Some("train.jsonl: no rows".into()) });
        assert_eq!(screen.state.stage, Stage::Failed("train.jsonl: no rows".into()));
    }
}

#[test]
fn a_segment_that_breaks_off_without_an_end_of_its_own_shows_why() {
    let mut screen = Screen::resumed();
    screen.says_now(1_000, started(6, 1_000));
    let cause = Some("the run's thread died".to_owned());
    update(&mut screen.state, Message::StreamClosed { cause });
    assert_eq!(screen.activity(), Activity::Interrupted);
    assert_eq!(screen.state.overlay, Some(Overlay::Outcome { selected: 0 }));
    assert_eq!(outcome::cause(screen.run()).as_deref(), Some("the run's thread died"));
}

#[test]
fn what_is_asked_while_the_model_loads_still_stands_when_the_run_begins() {
    let stopping = |mut screen: Screen| {
        screen.key('s');
        assert_eq!(screen.key('y'), [Effect::Send(Command::Stop)]);
        screen.says_now(3_000, started(6, 3_000));
        assert_eq!(screen.activity(), Activity::Stopping);
        screen.key('s');
        assert_eq!(screen.state.overlay, Some(Overlay::Ask(Question::DropStep)), "a second one asks first");
    };
    stopping(Screen::resumed());
    stopping(Screen::new(true));
    stopping(Screen::new(false));

    let mut screen = Screen::resumed();
    assert_eq!(screen.key('p'), [Effect::Send(Command::Pause)]);
    screen.says_now(3_000, started(6, 3_000));
    assert_eq!(screen.activity(), Activity::Pausing);
    screen.answer(Command::Pause, RunState::Paused);
    assert_eq!(screen.activity(), Activity::Paused);
}

#[test]
fn what_was_asked_of_a_process_that_was_cut_off_is_not_asked_of_the_next_one() {
    let mut screen = Screen::new(false);
    screen.take(until_step(6), Message::Event);
    screen.key('s');
    screen.key('y');
    screen.says(1_000, started(6, 1_000));
    assert_ne!(screen.activity(), Activity::Stopping);
}

#[test]
fn a_run_that_was_paused_elsewhere_long_ago_is_paused_since_then() {
    let mut screen = Screen::new(false);
    let events = until_step(6);
    let paused_ms = events.last().map_or(0, |s| s.elapsed_ms) + 30;
    screen.at(paused_ms + 3_600_000);
    screen.take(events, Message::Event);
    screen.says(30, sample(Phase::Idle));
    assert_eq!(screen.activity(), Activity::Paused);
    assert_eq!(screen.run().stale_seconds(screen.state.clock), None);
    assert_eq!(screen.elapsed_s(), paused_ms / 1_000);
    assert_eq!(screen.key('p'), [Effect::Send(Command::Resume)]);
    screen.answer(Command::Resume, RunState::Running);
    assert_eq!(screen.run().stale_seconds(screen.state.clock), None, "that was the pause, not silence");
    assert_eq!(screen.elapsed_s(), paused_ms / 1_000);
    screen.says(3_600_050, sample(Phase::Forward));
    assert_eq!((screen.activity(), screen.elapsed_s()), (Activity::Running, paused_ms / 1_000));
}

#[test]
fn the_end_of_a_log_that_a_process_still_holds_is_the_beginning_of_something() {
    let mut screen = Screen::new(false);
    let events = until_step(6);
    let (events_ms, hour) = (events.last().map_or(0, |s| s.elapsed_ms), 3_600_000);
    screen.at(events_ms + hour);
    screen.take(events, Message::Event);
    screen.says(0, stopped());
    assert_eq!((screen.activity(), screen.elapsed_s()), (Activity::Loading, events_ms / 1_000));
    let mut over = State::clone(&screen.state);
    update(&mut over, Message::StreamClosed { cause: None });
    assert_eq!(over.run().map(RunStage::activity), Some(Activity::Finished(FinishReason::Stopped)));
    assert_eq!(over.overlay, None, "it is no news");
    screen.says(2_000, started(6, events_ms + hour));
    let micro = screen.micro(500);
    screen.says(500, micro);
    assert_eq!(screen.activity(), Activity::Running);
}

/// Time and estimate before, during and after a pause of ten minutes, as they are shown.
fn over_a_pause(mut screen: Screen, pause: fn(&mut Screen), resume: fn(&mut Screen)) {
    let eta = |screen: &Screen| screen.run().eta_seconds(screen.state.clock).expect("steps were measured");
    let events = until_step(6);
    screen.at(events.last().map_or(0, |s| s.elapsed_ms));
    screen.take(events, Message::Event);
    let micro = screen.micro(800);
    screen.says_now(800, micro);
    let before = (screen.elapsed_s(), eta(&screen));
    let is_near = |screen: &Screen, worked_s: u64| {
        let shown = (screen.elapsed_s(), eta(screen));
        assert!(shown.0.abs_diff(before.0 + worked_s) <= 1, "{before:?} {shown:?} after {worked_s} s");
        assert!((before.1 - worked_s as f64 - shown.1).abs() < 1.0, "{before:?} {shown:?} after {worked_s} s");
    };
    pause(&mut screen);
    let now = screen.state.clock.ms;
    for waited in [1_000, 300_000, 600_000] {
        screen.at(now + waited);
        is_near(&screen, 0);
    }
    screen.elapsed_ms = screen.state.clock.ms;
    resume(&mut screen);
    is_near(&screen, 0);
    // What was begun before the pause goes on.
    let now = screen.state.clock.ms;
    screen.at(now + 500);
    is_near(&screen, 0);
    let micro = screen.micro(800);
    screen.says(800, micro);
    is_near(&screen, 0);
}

#[test]
fn time_and_estimate_are_of_the_work_whoever_paused_it_and_do_not_jump() {
    let by_samples = |screen: &mut Screen| screen.says_now(20, sample(Phase::Idle));
    let on_by_samples = |screen: &mut Screen| screen.says_now(20, sample(Phase::Forward));
    let by_key = |screen: &mut Screen| {
        screen.key('p');
        screen.answer(Command::Pause, RunState::Paused);
    };
    let on_by_key = |screen: &mut Screen| {
        screen.key('p');
        screen.answer(Command::Resume, RunState::Running);
    };
    for owned in [true, false] {
        over_a_pause(Screen::new(owned), by_samples, on_by_samples);
        over_a_pause(Screen::new(owned), by_key, on_by_key);
        over_a_pause(Screen::new(owned), by_key, on_by_samples);
    }
}

#[test]
fn pauses_of_the_past_are_no_time_at_work_and_pause_nothing_now() {
    let mut screen = Screen::new(true);
    screen.take(until_step(6), Message::History);
    let worked = screen.elapsed_ms / 1_000;
    let say = |screen: &mut Screen, after_ms: u64, event| {
        let stamped = Stamped { seq: screen.seq, elapsed_ms: screen.elapsed_ms + after_ms, event };
        screen.take(vec![stamped], Message::History);
    };
    say(&mut screen, 0, sample(Phase::Idle));
    say(&mut screen, 600_000, sample(Phase::Forward));
    assert_eq!(screen.elapsed_s(), worked);
    // It was killed while it was paused.
    say(&mut screen, 10, sample(Phase::Idle));
    assert_eq!(screen.activity(), Activity::Loading);
    assert_eq!(screen.key('p'), [Effect::Send(Command::Pause)]);
    screen.says_now(0, started(6, 0));
    screen.answer(Command::Pause, RunState::Running);
    // Before it works it is idle, which is no pause.
    screen.says_now(10, sample(Phase::Idle));
    assert_eq!(screen.activity(), Activity::Running);
    assert_eq!(screen.elapsed_s(), worked);
    let eval = EvalDone { step: 6, eval_loss: 1.0, target_tokens: 1, duration_us: 1, best: false };
    screen.says_now(2_000, RunEvent::EvalDone(eval));
    assert_eq!(screen.elapsed_s(), worked + 2);
}
