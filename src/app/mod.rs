//! The terminal loop: it waits for keys, signals and the run, tells the screen, carries out what the screen asks for, and writes frames.
//! All of it on the thread that calls `run`: waiting is one `poll`, so nothing spins when the terminal goes away, and a screen that ends,
//! however it ends, hands the run back to its caller. The screen itself is `ui`; `session` is this loop without a terminal.

pub mod backend;
pub mod clipboard;
pub mod environment;
mod errands;
mod files;
pub mod input;
mod playground;
pub mod preferences;
mod reports;
pub mod session;
mod stray;
mod tty;

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ratatui::layout::Size;

use crate::event::{RunHandle, Stamped};
use crate::ui::state::plan::Ground;
use crate::ui::state::start::{Entry, Look, StartRequest};
use crate::ui::state::{Stage, StartPage};
use crate::ui::view::outcome;
use crate::ui::{Clock, Fetching, Key, State};
pub use environment::TerminalEnvironment;
use input::{Input, Parser};
use session::{Request, Session, Wish};
use tty::Tty;

/// How often a terminal that takes nothing is asked again.
const DEAF_MS: u64 = 100;

/// What the start page needs from outside; each call comes on a thread of its own. Where only runs are started, the rest may stay as it is.
pub trait Launcher: Send + Sync {
    /// Fetches what is missing, loads nothing that the run's own thread can load, and starts the run. `progress` may be called as often as
    /// one likes; when `cancel` becomes true, the call should come back soon, and what it returns then counts for nothing.
    /// # Errors
    /// Why the run could not be started, for a person to read.
    fn start(
        &self,
        request: &StartRequest,
        progress: &dyn Fn(Fetching),
        cancel: &AtomicBool,
    ) -> Result<Launched, String>;

    /// Attaches to a run on disk, live or ended.
    /// # Errors
    /// Why it cannot be looked at, for a person to read.
    fn open(&self, run: &Path) -> Result<Launched, String> {
        Err(format!("{}: nothing here can open runs", run.display()))
    }

    /// What can be started or looked at; `None` leaves the page as it is.
    fn entries(&self) -> Option<Vec<Entry>> {
        None
    }

    /// What memory plans of an entry stand on.
    /// # Errors
    /// Why that cannot be had, for a person to read: a model that is not here yet is not fetched for it.
    fn ground(&self, _request: &StartRequest) -> Result<Ground, String> {
        Err("nothing here can plan".to_owned())
    }

    /// What the files of an entry are like. When `cancel` becomes true, nobody waits for the answer any more.
    fn look(&self, _request: &StartRequest, _cancel: &AtomicBool) -> Option<Look> {
        None
    }
}

/// A run that was started, and its folder.
pub struct Launched {
    pub handle: RunHandle,
    pub folder: PathBuf,
    /// What the run said before this process went on with it; `handle` has only what it says itself.
    pub history: Option<Receiver<Stamped>>,
    /// Asked once, when the stream has closed without the run's own end: why, where its thread knows (a run that failed before its first
    /// event says it nowhere else). It may wait for that thread to end.
    pub cause: Option<Cause>,
}

/// Says why a run ended.
pub type Cause = Box<dyn FnOnce() -> Option<String> + Send>;

/// What the screen begins with.
pub enum Screen {
    /// The start page; with `at_once` the run is started without waiting for Enter.
    Start { page: Box<StartPage>, launcher: Arc<dyn Launcher>, at_once: bool },
    /// A run that is there already, live or as a log. `owned` says that it ends with this process: then quitting asks first.
    Run { run: Launched, owned: bool },
}

/// Why the screen ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndReason {
    /// The person quit. An owned run has ended then, unless the person chose not to wait for it.
    Quit,
    /// The terminal is gone (SIGHUP, hang-up). Prints of this process go nowhere from now on; a run is to go on without a screen, and
    /// SIGTERM and SIGINT are the caller's to handle. SIGHUP stays without effect.
    TerminalGone,
    /// SIGTERM or SIGINT, by its number. Those that follow are the caller's to handle.
    Terminated(i32),
    /// The screen itself broke, with its message; the report of the panic was already printed. A run is to go on as above.
    Crashed(String),
}

/// What is left when the screen is gone. The terminal is as it was before.
pub struct ScreenEnded {
    pub reason: EndReason,
    /// The run, if there was one; its events go on where the screen stopped reading.
    pub run: Option<LeftRun>,
    /// Why the run could not be started, where the screen ended showing that.
    pub start_error: Option<String>,
    /// What others printed while the screen was up, safe for a terminal: to be said on standard error.
    pub stray: String,
}

/// The run that the screen showed.
pub struct LeftRun {
    pub handle: RunHandle,
    pub folder: PathBuf,
    /// Whether it lives in this process.
    pub owned: bool,
    /// Whether it had ended when the screen did.
    pub ended: bool,
    /// The outcome as lines, once it has ended: what it brought, where it is, what to try next.
    pub summary: Vec<String>,
}

/// Why there is no screen.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    #[error("no terminal to draw on: {0}")]
    NoTerminal(#[from] std::io::Error),
    #[error("the terminal cannot place text (TERM is dumb, or not set)")]
    Dumb,
}

/// Shows the screen until it ends, on the calling thread.
/// # Errors
/// There is no terminal, or it cannot be set up; then nothing was started.
pub fn run(screen: Screen, environment: &TerminalEnvironment) -> Result<ScreenEnded, ScreenError> {
    if !environment.can_draw {
        return Err(ScreenError::Dumb);
    }
    let mut tty = Tty::open()?;
    let hook = PanicHook::arm();
    let timer = Timer::start();
    let size = tty.size().unwrap_or(Size::new(80, 24));
    let themes = environment.themes();
    let mut session = match screen {
        Screen::Start { page, launcher, at_once } => {
            let mut session = Session::new(State::ready(*page), themes, size, Some(launcher));
            // Before the user's keys are known: Enter starts, whatever it means later.
            if at_once {
                session.turn(timer.now(), [Input::Key(Key::Enter)]);
            }
            session.prefer(&environment.preferences);
            session
        }
        Screen::Run { run, owned } => {
            let mut session = Session::new(State::watching(), themes, size, None);
            session.prefer(&environment.preferences);
            session.attach(run, owned);
            session
        }
    };
    let reason = panic::catch_unwind(AssertUnwindSafe(|| drive(&mut tty, &mut session, &timer, environment)));
    let reason = reason.unwrap_or_else(|cause| EndReason::Crashed(panic_text(cause.as_ref())));
    let goes_on = matches!(reason, EndReason::TerminalGone | EndReason::Crashed(_));
    if goes_on || matches!(reason, EndReason::Terminated(_)) {
        tty.hand_signals_over();
    }
    let stray = if reason == EndReason::TerminalGone {
        tty.abandon();
        String::new()
    } else {
        tty.leave()
    };
    drop(hook);
    drop(tty);
    let (ended, summary) = match session.state.run() {
        Some(run) if !run.is_live() => (true, outcome::summary(run, session.state.clock)),
        // It failed before its first event.
        None if matches!(session.state.stage, Stage::Failed(_)) => (true, Vec::new()),
        _ => (false, Vec::new()),
    };
    let start_error = match &session.state.stage {
        Stage::Failed(why) => Some(why.clone()),
        _ => None,
    };
    let run = session.into_source(goes_on).map(|source| LeftRun {
        handle: source.handle,
        folder: source.folder,
        owned: source.owned,
        ended,
        summary,
    });
    Ok(ScreenEnded { reason, run, start_error, stray })
}

/// The loop: sleep until something happens, take everything in, draw at most once.
fn drive(tty: &mut Tty, session: &mut Session, timer: &Timer, environment: &TerminalEnvironment) -> EndReason {
    let mut parser = Parser::default();
    let mut last_bytes = Instant::now();
    let mut inputs = Vec::new();
    loop {
        let wish = session.turn(timer.now(), inputs.drain(..));
        let writable = tty.is_writable();
        if writable && write(tty, session, timer, environment).is_err() {
            // Gone, or told to end: what it was is told by waiting for nothing.
            let woken = tty.wait(Some(0));
            return woken.ended_by.map_or(EndReason::TerminalGone, EndReason::Terminated);
        }
        match wish {
            Wish::GoOn => {}
            Wish::Quit => return EndReason::Quit,
            Wish::Suspend => {
                tty.suspend();
                if tty.enter().is_err() {
                    return EndReason::TerminalGone;
                }
                redraw(tty, session);
            }
        }
        // A terminal that takes nothing (Ctrl-S, a dead line) is asked again in a while, not at once.
        let patience = session.patience_ms(timer.now()).map(|ms| if writable { ms } else { ms.max(DEAF_MS) });
        // A run wakes this loop more often than a key is waited for: what counts is when the last byte came.
        let for_more = parser.patience_ms().map(|limit| limit.saturating_sub(since(last_bytes)));
        let patience = [patience, for_more].into_iter().flatten().min();
        let woken = tty.wait(patience);
        if woken.gone {
            return EndReason::TerminalGone;
        }
        if let Some(signal) = woken.ended_by {
            return EndReason::Terminated(signal);
        }
        if woken.continued && tty.retake().is_err() {
            return EndReason::TerminalGone;
        }
        if woken.resized || woken.continued {
            redraw(tty, session);
        }
        if !woken.bytes.is_empty() {
            last_bytes = Instant::now();
            inputs.extend(parser.feed(&woken.bytes));
        } else if parser.patience_ms().is_some_and(|limit| since(last_bytes) >= limit) {
            inputs.extend(parser.give_up());
        }
        tty.trim_stray();
    }
}

fn since(moment: Instant) -> u64 {
    u64::try_from(moment.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What the session wants of the terminal, then the next frame if it is due.
fn write(tty: &mut Tty, session: &mut Session, timer: &Timer, environment: &TerminalEnvironment) -> io::Result<()> {
    for request in session.take_requests() {
        match request {
            Request::Copy(text) => tty.write(&clipboard::sequence(&text, environment.multiplexer))?,
            Request::Mouse(on) => tty.set_mouse(on)?,
        }
    }
    session.frame(timer.now()).map_or(Ok(()), |frame| tty.write(&frame))
}

fn redraw(tty: &Tty, session: &mut Session) {
    session.resize(tty.size().unwrap_or(Size::new(80, 24)));
}

/// The two clocks that `Clock` reads.
struct Timer {
    began: Instant,
}

impl Timer {
    fn start() -> Self {
        Timer { began: Instant::now() }
    }

    fn now(&self) -> Clock {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        Clock { ms: self.began.elapsed().as_millis() as u64, unix_ms: unix }
    }
}

/// While the screen is up, a panic of its own thread gives the terminal back before the report. One of another thread is reported as ever,
/// into what is kept aside.
struct PanicHook;

/// The thread that the screen is up on.
static SCREEN: Mutex<Option<ThreadId>> = Mutex::new(None);

impl PanicHook {
    /// The hook itself is put in once and stays: whoever put another one on top of it keeps it.
    fn arm() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if *screen_thread() == Some(thread::current().id()) {
                    let stray = tty::restore();
                    if !stray.is_empty() {
                        eprint!("{stray}");
                    }
                }
                before(info);
            }));
        });
        *screen_thread() = Some(thread::current().id());
        PanicHook
    }
}

impl Drop for PanicHook {
    fn drop(&mut self) {
        *screen_thread() = None;
    }
}

fn screen_thread() -> MutexGuard<'static, Option<ThreadId>> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn panic_text(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_else(|| "the screen panicked".to_owned())
}
