//! How a run comes about: prepared on a thread of its own, cancelled, failed, or there. The session runs here without a terminal.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use finetop::app::environment::TerminalEnvironment;
use finetop::app::input::Input;
use finetop::app::session::{Session, Wish};
use finetop::app::{Cause, Launched, Launcher};
use finetop::event::{Command, CommandRequest, FinishReason, RunEvent, RunFinished, RunHandle, RunStarted, Stamped};
use finetop::ui::state::start::{Entry, Look, StartRequest};
use finetop::ui::state::{Activity, Overlay, Question, Stage, StartPage, State};
use finetop::ui::{Clock, Fetching, Key, Message, update};
use ratatui::layout::Size;

use crate::fixture;

/// Does at each start what the test says next; runs that come about are kept for it.
struct Script {
    acts: Mutex<Receiver<Act>>,
    runs: Mutex<Sender<(Sender<Stamped>, Receiver<CommandRequest>)>>,
    at_once: AtomicUsize,
}

enum Act {
    Fail,
    Panic,
    Run,
    /// Goes on with a run that has said this before, and knows why it ends.
    Resume(Receiver<Stamped>),
    /// Waits until it is cancelled, and starts the run all the same.
    RunTooLate,
}

impl Launcher for Script {
    fn start(
        &self,
        _request: &StartRequest,
        progress: &dyn Fn(Fetching),
        cancel: &AtomicBool,
    ) -> Result<Launched, String> {
        assert_eq!(self.at_once.fetch_add(1, Ordering::SeqCst), 0, "two preparations at a time");
        progress(Fetching { what: "model".into(), done: 1, total: Some(2) });
        let act = self.acts.lock().expect("one start at a time").recv().expect("the test says what to do");
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        let (mut history, mut cause) = (None, None);
        match act {
            Act::Fail => return Err("no pip".into()),
            Act::Panic => panic!("a bug in the launcher"),
            Act::Run => {}
            Act::Resume(before) => {
                history = Some(before);
                cause = Some(Box::new(|| Some("train.jsonl: no rows".into())) as Cause);
            }
            Act::RunTooLate => {
                while !cancel.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
            }
        }
        let (events_in, events) = channel();
        let (commands, requests) = channel();
        self.runs.lock().expect("one start at a time").send((events_in, requests)).expect("the test listens");
        Ok(Launched { handle: RunHandle { events, commands }, folder: "runs/x".into(), history, cause })
    }

    fn open(&self, run: &Path) -> Result<Launched, String> {
        let act = self.acts.lock().expect("one at a time").recv().expect("the test says what to do");
        if matches!(act, Act::Fail) {
            return Err("no run".into());
        }
        let (events_in, events) = channel();
        let (commands, requests) = channel();
        self.runs.lock().expect("one at a time").send((events_in, requests)).expect("the test listens");
        Ok(Launched { handle: RunHandle { events, commands }, folder: run.to_path_buf(), history: None, cause: None })
    }

    fn entries(&self) -> Option<Vec<Entry>> {
        Some(fixture::full_page().entries)
    }

    fn look(&self, _request: &StartRequest, _cancel: &AtomicBool) -> Option<Look> {
        Some(fixture::look())
    }
}

struct Driven {
    session: Session,
    acts: Sender<Act>,
    runs: Receiver<(Sender<Stamped>, Receiver<CommandRequest>)>,
    began: Instant,
}

impl Driven {
    fn new() -> Self {
        Driven::with(fixture::page())
    }

    fn with(page: StartPage) -> Self {
        let (acts, acts_out) = channel();
        let (runs_in, runs) = channel();
        let script = Script { acts: Mutex::new(acts_out), runs: Mutex::new(runs_in), at_once: AtomicUsize::new(0) };
        let themes = TerminalEnvironment::from_variables(|_| None).themes();
        let session = Session::new(State::ready(page), themes, Size::new(80, 24), Some(Arc::new(script)));
        Driven { session, acts, runs, began: Instant::now() }
    }

    fn press(&mut self, key: Key) -> Wish {
        let ms = self.began.elapsed().as_millis() as u64;
        self.session.turn(Clock { ms, unix_ms: 0 }, [Input::Key(key)])
    }

    fn until(&mut self, wanted: impl Fn(&Stage) -> bool) {
        self.until_state(|state| wanted(&state.stage));
    }

    fn until_state(&mut self, wanted: impl Fn(&State) -> bool) {
        while !wanted(&self.session.state) {
            assert!(self.began.elapsed() < Duration::from_secs(60), "{:?}", self.session.state.stage);
            let ms = self.began.elapsed().as_millis() as u64;
            self.session.turn(Clock { ms, unix_ms: 0 }, []);
            thread::yield_now();
        }
    }
}

#[test]
fn a_run_that_could_not_be_started_may_be_started_again() {
    let mut driven = Driven::new();
    driven.press(Key::Enter);
    driven.until(|stage| matches!(stage, Stage::Starting(p) if p.now.is_some()));
    driven.acts.send(Act::Fail).expect("the launcher listens");
    driven.until(|stage| *stage == Stage::Failed("no pip".into()));
    driven.press(Key::Enter);
    driven.acts.send(Act::Run).expect("the launcher listens");
    driven.until(|stage| matches!(stage, Stage::Run(_)));
}

#[test]
fn a_launcher_that_panics_is_an_error_on_the_page() {
    let mut driven = Driven::new();
    driven.acts.send(Act::Panic).expect("the launcher listens");
    driven.press(Key::Enter);
    driven.until(|stage| matches!(stage, Stage::Failed(_)));
}

#[test]
fn a_run_that_comes_about_after_it_was_cancelled_is_stopped_and_never_shown() {
    let mut driven = Driven::new();
    driven.press(Key::Enter);
    driven.acts.send(Act::RunTooLate).expect("the launcher listens");
    driven.press(Key::Esc);
    assert_eq!(driven.session.state.stage, Stage::Ready);
    // Enter again: the second preparation waits for the first one.
    driven.press(Key::Enter);
    driven.acts.send(Act::Run).expect("the launcher listens");
    let (_events, requests) = driven.runs.recv_timeout(Duration::from_secs(60)).expect("the first run comes about");
    let request = requests.recv_timeout(Duration::from_secs(60)).expect("it is told to stop");
    assert_eq!(request.command, Command::Stop);
    driven.until(|stage| matches!(stage, Stage::Run(_)));
}

#[test]
fn when_the_screen_goes_while_a_run_is_prepared_the_run_is_handed_over() {
    let mut driven = Driven::new();
    driven.press(Key::Enter);
    driven.acts.send(Act::Run).expect("the launcher listens");
    let source = driven.session.into_source(true).expect("the run that was on its way");
    assert!(source.owned);

    let mut driven = Driven::new();
    driven.press(Key::Enter);
    assert!(driven.session.into_source(false).is_none(), "quitting waits for nothing");
    driven.acts.send(Act::Fail).expect("the launcher listens");
}

/// The page of a folder in use, with its first run selected.
fn at_a_run() -> Driven {
    let mut driven = Driven::with(fixture::full_page());
    (0..4).for_each(|_| _ = driven.press(Key::Down));
    driven
}

#[test]
fn a_run_of_somebody_else_is_watched_left_and_told_nothing() {
    let mut driven = at_a_run();
    driven.acts.send(Act::Run).expect("the launcher listens");
    driven.press(Key::Enter);
    driven.until(|stage| matches!(stage, Stage::Run(run) if !run.owned));
    let (events, requests) = driven.runs.recv_timeout(Duration::from_secs(60)).expect("the run that is watched");
    events.send(fixture::stored()[0].clone()).expect("the session listens");
    driven.until_state(|state| state.run().is_some_and(|run| run.view.started.is_some()));
    driven.press(Key::Char('b'));
    assert_eq!(driven.session.state.stage, Stage::Ready);
    assert!(events.send(fixture::stored()[1].clone()).is_err(), "nobody listens any more");
    assert!(requests.recv_timeout(Duration::from_secs(60)).is_err(), "it is told nothing");
    driven.until_state(|state| state.page.as_ref().is_some_and(|page| page.entries.len() == 9));
    assert!(driven.session.into_source(true).is_none());
}

#[test]
fn a_run_that_is_opened_after_it_was_cancelled_is_left_alone() {
    let mut driven = at_a_run();
    driven.press(Key::Enter);
    driven.press(Key::Esc);
    driven.acts.send(Act::Run).expect("the launcher listens");
    let (_events, requests) = driven.runs.recv_timeout(Duration::from_secs(60)).expect("it is opened too late");
    assert!(requests.recv_timeout(Duration::from_secs(60)).is_err(), "it is not stopped");
    driven.press(Key::Enter);
    driven.acts.send(Act::Fail).expect("the launcher listens");
    driven.until(|stage| *stage == Stage::Failed("no run".into()));
}

#[test]
fn the_selected_entry_is_looked_at_and_then_nobody_wakes() {
    let mut driven = Driven::with(fixture::full_page());
    driven.press(Key::Down);
    driven.until_state(|state| {
        state.page.as_ref().is_some_and(|page| page.entry().is_some_and(|entry| entry.look.is_some()))
    });
    let now = Clock { ms: driven.began.elapsed().as_millis() as u64, unix_ms: 0 };
    driven.session.turn(now, []);
    driven.session.frame(now);
    let later = Clock { ms: now.ms + 1_000, unix_ms: 0 };
    driven.session.frame(later);
    assert_eq!(driven.session.patience_ms(later), None);
}

/// What a run says again as it goes on from step 12, after a stop, and how it ends then.
fn segment(after: &[Stamped]) -> [Stamped; 2] {
    let (seq, elapsed_ms) = after.last().map_or((0, 0), |last| (last.seq, last.elapsed_ms));
    let Some(RunEvent::RunStarted(first)) = after.first().map(|s| &s.event) else { panic!("a log begins with a run") };
    let started = RunStarted { resumed_from: Some(12), ..RunStarted::clone(first) };
    let finished = RunFinished { reason: FinishReason::Stopped, steps: 12, detail: None };
    [
        Stamped { seq: seq + 1, elapsed_ms, event: RunEvent::RunStarted(Box::new(started)) },
        Stamped { seq: seq + 2, elapsed_ms, event: RunEvent::RunFinished(finished) },
    ]
}

/// A run that was stopped in step 14 and is gone on with: its history, and the other ends of its channels.
fn resumed() -> (Driven, Vec<Stamped>, Sender<Stamped>, Receiver<CommandRequest>) {
    let mut driven = Driven::new();
    let mut log = fixture::until(&fixture::stored(), 14, 2).to_vec();
    let [_, mut end] = segment(&log);
    end.seq -= 1;
    log.push(end);
    let (before, history) = channel();
    driven.acts.send(Act::Resume(history)).expect("the launcher listens");
    driven.press(Key::Enter);
    let (events, requests) = driven.runs.recv_timeout(Duration::from_secs(60)).expect("the run");
    // What it says now waits until all that it said before was taken in.
    events.send(segment(&log)[0].clone()).expect("the session listens");
    driven.until(|stage| matches!(stage, Stage::Run(_)));
    log.iter().for_each(|stamped| before.send(stamped.clone()).expect("the session listens"));
    driven.until_state(|state| state.run().is_some_and(|run| run.view.outcome.is_some()));
    let run = driven.session.state.run().expect("a run");
    assert!(run.is_live() && run.activity() == Activity::Loading);
    driven.press(Key::Char('q'));
    assert_eq!(driven.session.state.overlay, Some(Overlay::Ask(Question::StopAndQuit)), "it would train on unseen");
    driven.press(Key::Char('n'));
    drop(before);
    (driven, log, events, requests)
}

#[test]
fn a_run_that_goes_on_is_live_from_the_beginning_and_its_log_is_whole() {
    let (mut driven, log, events, _requests) = resumed();
    driven.until_state(|state| state.run().is_some_and(|run| run.view.outcome.is_none()));
    let kept = driven.session.state.log.kept_and_dropped().0;
    // As one who watches it sees it, with the steps that are done again.
    let watched = log.iter().chain([&segment(&log)[0]]).fold(State::watching(), |mut state, stamped| {
        if state.run().is_none() {
            update(&mut state, Message::Attached { folder: "runs/x".into(), owned: false });
        }
        update(&mut state, Message::Event(Box::new(stamped.clone())));
        state
    });
    assert_eq!(kept, watched.log.kept_and_dropped().0);
    events.send(segment(&log)[1].clone()).expect("the session listens");
    drop(events);
    driven.until_state(|state| state.run().is_some_and(|run| run.closed));
    assert!(matches!(driven.session.state.overlay, Some(Overlay::Outcome { .. })));
}

#[test]
fn a_run_that_goes_on_and_fails_before_it_says_anything_says_why() {
    let mut driven = Driven::new();
    let (before, history) = channel();
    driven.acts.send(Act::Resume(history)).expect("the launcher listens");
    driven.press(Key::Enter);
    let (events, _requests) = driven.runs.recv_timeout(Duration::from_secs(60)).expect("the run");
    fixture::stored().into_iter().for_each(|stamped| before.send(stamped).expect("the session listens"));
    drop((before, events));
    driven.until(|stage| *stage == Stage::Failed("train.jsonl: no rows".into()));
}
