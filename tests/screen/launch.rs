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
use finetop::app::{Launched, Launcher};
use finetop::event::{Command, CommandRequest, RunHandle, Stamped};
use finetop::ui::state::start::{Entry, Look, StartRequest};
use finetop::ui::state::{Stage, StartPage, State};
use finetop::ui::{Clock, Fetching, Key};
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
        match act {
            Act::Fail => return Err("no pip".into()),
            Act::Panic => panic!("a bug in the launcher"),
            Act::Run => {}
            Act::RunTooLate => {
                while !cancel.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
            }
        }
        let (events_in, events) = channel();
        let (commands, requests) = channel();
        self.runs.lock().expect("one start at a time").send((events_in, requests)).expect("the test listens");
        Ok(Launched { handle: RunHandle { events, commands }, folder: "runs/x".into(), cause: None })
    }

    fn open(&self, run: &Path) -> Result<Launched, String> {
        let act = self.acts.lock().expect("one at a time").recv().expect("the test says what to do");
        if matches!(act, Act::Fail) {
            return Err("no run".into());
        }
        let (events_in, events) = channel();
        let (commands, requests) = channel();
        self.runs.lock().expect("one at a time").send((events_in, requests)).expect("the test listens");
        Ok(Launched { handle: RunHandle { events, commands }, folder: run.to_path_buf(), cause: None })
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
