//! The screen's life without its terminal: messages in, frames out as bytes, a run and its preparation on the side. Everything is asked
//! without waiting and time is told from outside, so that a test can live a minute in a millisecond. Who waits, reads and writes is `app`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use ratatui::Terminal;
use ratatui::layout::{Rect, Size};

use super::backend::AnsiBackend;
use super::input::Input;
use super::{Cause, Launched, Launcher};
use crate::event::{Command, CommandReply, CommandRequest, RunHandle};
use crate::ui::state::start::{Entry, Look, StartRequest};
use crate::ui::{Clock, Effect, Fetching, Message, State, Theme, update, view};

/// At most ten frames a second for what happens by itself.
pub const FRAME_MS: u64 = 100;
/// An answer to a key waits less.
const KEY_FRAME_MS: u64 = 15;
/// Events taken in between two looks at the keyboard.
const EVENTS_PER_TURN: usize = 4096;
/// So many in one turn come from a log, not from training.
const POURING: usize = 64;

/// What the session wants of whoever drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    GoOn,
    Suspend,
    Quit,
}

/// A run that the screen is attached to.
pub struct Source {
    pub handle: RunHandle,
    pub folder: PathBuf,
    pub owned: bool,
    cause: Option<Cause>,
    closed: bool,
}

/// A run on its way, on a thread of its own.
struct Launching {
    news: Receiver<LaunchNews>,
    cancel: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Whether the run will live in this process.
    owned: bool,
}

/// What a launch is to bring.
enum Errand {
    Start(StartRequest),
    Open(PathBuf),
}

/// A look at an entry's files, on a thread of its own.
struct Looking {
    news: Receiver<(u64, Option<Look>)>,
    cancel: Arc<AtomicBool>,
}

enum LaunchNews {
    Fetching(Fetching),
    Done(Result<Launched, String>),
}

pub struct Session {
    pub state: State,
    themes: Vec<Theme>,
    terminal: Terminal<AnsiBackend>,
    launcher: Option<Arc<dyn Launcher>>,
    launching: Option<Launching>,
    /// A preparation that was cancelled and has not ended yet.
    abandoned: Option<JoinHandle<()>>,
    looking: Option<Looking>,
    discovering: Option<Receiver<Vec<Entry>>>,
    source: Option<Source>,
    answers: Vec<(Command, Receiver<CommandReply>)>,
    wish: Wish,
    /// Events came in numbers: a log is being read, and more of it is on its way.
    events_pour: bool,
    drawn: Option<u64>,
    last_frame_ms: u64,
    key_waits: bool,
}

impl Session {
    /// A screen in this state, in the first of these themes.
    pub fn new(state: State, themes: Vec<Theme>, size: Size, launcher: Option<Arc<dyn Launcher>>) -> Self {
        let backend = AnsiBackend::new(size);
        let terminal = match Terminal::new(backend) {
            Ok(terminal) => terminal,
            Err(never) => match never {},
        };
        Session {
            state,
            themes,
            terminal,
            launcher,
            launching: None,
            abandoned: None,
            looking: None,
            discovering: None,
            source: None,
            answers: Vec::new(),
            wish: Wish::GoOn,
            events_pour: false,
            drawn: None,
            last_frame_ms: 0,
            key_waits: false,
        }
    }

    /// Attaches to a run.
    pub fn attach(&mut self, launched: Launched, owned: bool) {
        let Launched { handle, folder, cause } = launched;
        self.source = Some(Source { handle, folder: folder.clone(), owned, cause, closed: false });
        self.tell(Message::Attached { folder, owned });
    }

    /// Takes everything in that is there: time, keys, preparation, answers, events. Nothing here waits.
    pub fn turn(&mut self, now: Clock, inputs: impl IntoIterator<Item = Input>) -> Wish {
        self.wish = Wish::GoOn;
        self.tell(Message::Tick(now));
        for input in inputs {
            match input {
                Input::Key(key) => {
                    self.key_waits = true;
                    self.tell(Message::Key(key));
                }
                Input::Paste(text) => {
                    self.key_waits = true;
                    self.tell(Message::Paste(text));
                }
            }
        }
        self.hear_launch();
        self.hear_page();
        // Answers are fetched before events but told after them: what a run said before it answered comes first.
        let answers = self.fetch_answers();
        self.hear_events();
        for (command, reply) in answers {
            self.tell(Message::Answered { command, reply });
        }
        self.wish
    }

    /// The next frame as bytes for the terminal, if something changed and it is time.
    pub fn frame(&mut self, now: Clock) -> Option<Vec<u8>> {
        if self.frame_due_in(now)? > 0 {
            return None;
        }
        self.drawn = Some(self.state.revision());
        self.last_frame_ms = now.ms;
        self.key_waits = false;
        let count = self.themes.len().max(1);
        let theme = self.themes.get(self.state.theme % count)?;
        let state = &self.state;
        let Ok(_) = self.terminal.draw(|frame| view(state, theme, frame));
        self.terminal.backend_mut().take_frame()
    }

    /// Milliseconds to sleep at most when nothing happens at the keyboard; `None` while nothing can change by itself.
    pub fn patience_ms(&self, now: Clock) -> Option<u64> {
        if self.events_pour {
            return Some(1);
        }
        let notice = self.state.notice.as_ref().map(|n| n.until_ms.saturating_sub(now.ms));
        let awaited = !self.answers.is_empty() || self.looking.is_some() || self.discovering.is_some();
        let alive = (self.state.is_alive() || awaited).then_some(FRAME_MS);
        let wakes = self.state.wakes_at_ms().map(|at| at.saturating_sub(now.ms));
        [self.frame_due_in(now), notice, alive, wakes].into_iter().flatten().min()
    }

    /// The terminal has this size now; whatever it shows is drawn anew.
    pub fn resize(&mut self, size: Size) {
        self.terminal.backend_mut().resize(size);
        self.tell(Message::Redraw);
    }

    /// The run that the screen is attached to. A preparation that goes on is waited for, or cancelled.
    pub fn into_source(mut self, wait_for_launch: bool) -> Option<Source> {
        self.stop_looking();
        if let Some(launching) = self.launching.take() {
            if wait_for_launch {
                let done = launching.news.iter().find_map(|news| match news {
                    LaunchNews::Done(result) => Some(result),
                    LaunchNews::Fetching(_) => None,
                });
                let Launched { handle, folder, cause } = done?.ok()?;
                return Some(Source { handle, folder, owned: launching.owned, cause, closed: false });
            }
            launching.cancel.store(true, Ordering::Relaxed);
        }
        self.source.take()
    }

    fn frame_due_in(&self, now: Clock) -> Option<u64> {
        if self.drawn == Some(self.state.revision()) {
            return None;
        }
        let apart = if self.key_waits { KEY_FRAME_MS } else { FRAME_MS };
        let since = now.ms.saturating_sub(self.last_frame_ms);
        Some(if self.drawn.is_none() { 0 } else { apart.saturating_sub(since) })
    }

    fn tell(&mut self, message: Message) {
        for effect in update(&mut self.state, message) {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::StartRun(request) => self.launch(Errand::Start(*request)),
            Effect::OpenRun(folder) => self.launch(Errand::Open(folder)),
            Effect::LeaveRun => {
                self.source = None;
                self.answers.clear();
            }
            Effect::Discover => self.discover(),
            Effect::Look { ticket, request } => self.look(ticket, *request),
            Effect::CancelStart => {
                if let Some(launching) = self.launching.take() {
                    launching.cancel.store(true, Ordering::Relaxed);
                    self.abandoned = launching.thread;
                }
            }
            Effect::Send(command) => self.send(command),
            Effect::Copy(_) | Effect::Mouse(_) => {}
            Effect::Suspend if self.wish == Wish::GoOn => self.wish = Wish::Suspend,
            Effect::Suspend => {}
            Effect::Redraw => {
                let Size { width, height } = match self.terminal.size() {
                    Ok(size) => size,
                    Err(never) => match never {},
                };
                let Ok(()) = self.terminal.resize(Rect::new(0, 0, width, height));
            }
            Effect::Quit => self.wish = Wish::Quit,
        }
    }

    fn launch(&mut self, errand: Errand) {
        self.stop_looking();
        let Some(launcher) = self.launcher.clone() else {
            return self.tell(Message::StartFailed("there is nothing to start here".to_owned()));
        };
        let (news_in, news) = channel();
        let cancel = Arc::new(AtomicBool::new(false));
        let (cancelled, before) = (cancel.clone(), self.abandoned.take());
        let owned = matches!(errand, Errand::Start(_));
        let work = move || {
            // Two preparations would write to the same cache.
            if let Some(before) = before {
                let _ = before.join();
            }
            let progress_in = news_in.clone();
            let progress = move |fetching: Fetching| _ = progress_in.send(LaunchNews::Fetching(fetching));
            let result = match &errand {
                Errand::Start(request) => launcher.start(request, &progress, &cancelled),
                Errand::Open(folder) => launcher.open(folder),
            };
            match result {
                // A run of somebody else is nobody's to stop.
                Ok(_) if !owned && cancelled.load(Ordering::Relaxed) => {}
                // It was cancelled too late: nobody looks at this run, so it must not train on.
                Ok(launched) if cancelled.load(Ordering::Relaxed) => {
                    let _ = launched.handle.commands.send(CommandRequest { command: Command::Stop, reply: None });
                }
                result => _ = news_in.send(LaunchNews::Done(result)),
            }
        };
        match thread::Builder::new().name("finetop-launch".into()).spawn(work) {
            Ok(thread) => self.launching = Some(Launching { news, cancel, thread: Some(thread), owned }),
            Err(e) => self.tell(Message::StartFailed(format!("no thread to prepare the run on: {e}"))),
        }
    }

    fn hear_launch(&mut self) {
        // Only the newest report matters, however many came.
        let mut newest = None;
        let done = loop {
            let Some(launching) = &self.launching else { return };
            match launching.news.try_recv() {
                Ok(LaunchNews::Fetching(fetching)) => newest = Some(fetching),
                Ok(LaunchNews::Done(result)) => break Some(result),
                Err(TryRecvError::Empty) => break None,
                Err(TryRecvError::Disconnected) => {
                    break Some(Err("the preparation broke off without a word".to_owned()));
                }
            }
        };
        if let Some(fetching) = newest {
            self.tell(Message::Fetching(fetching));
        }
        match done {
            None => {}
            Some(Ok(launched)) => {
                let owned = self.launching.take().is_some_and(|launching| launching.owned);
                self.attach(launched, owned);
            }
            Some(Err(why)) => {
                self.launching = None;
                self.tell(Message::StartFailed(why));
            }
        }
    }

    fn look(&mut self, ticket: u64, request: StartRequest) {
        self.stop_looking();
        let Some(launcher) = self.launcher.clone() else { return };
        let (found, news) = channel();
        let cancel = Arc::new(AtomicBool::new(false));
        let cancelled = cancel.clone();
        let work = move || _ = found.send((ticket, launcher.look(&request, &cancelled)));
        // Without a thread the page says nothing about the files, which is no reason to stop.
        if thread::Builder::new().name("finetop-look".into()).spawn(work).is_ok() {
            self.looking = Some(Looking { news, cancel });
        }
    }

    fn stop_looking(&mut self) {
        if let Some(looking) = self.looking.take() {
            looking.cancel.store(true, Ordering::Relaxed);
        }
    }

    fn discover(&mut self) {
        let Some(launcher) = self.launcher.clone() else { return };
        let (found, news) = channel();
        let work = move || _ = launcher.entries().map(|entries| found.send(entries));
        if thread::Builder::new().name("finetop-discover".into()).spawn(work).is_ok() {
            self.discovering = Some(news);
        }
    }

    /// Takes in what was found for the start page.
    fn hear_page(&mut self) {
        match self.discovering.as_ref().map(|news| news.try_recv()) {
            Some(Ok(entries)) => {
                self.discovering = None;
                self.tell(Message::Entries(entries));
            }
            Some(Err(TryRecvError::Disconnected)) => self.discovering = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
        match self.looking.as_ref().map(|looking| looking.news.try_recv()) {
            Some(Ok((ticket, look))) => {
                self.looking = None;
                if let Some(look) = look {
                    self.tell(Message::Looked { ticket, look: Box::new(look) });
                }
            }
            Some(Err(TryRecvError::Disconnected)) => self.looking = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
    }

    fn send(&mut self, command: Command) {
        let (reply, answer) = channel();
        let request = CommandRequest { command: command.clone(), reply: Some(reply) };
        let sent = self.source.as_ref().is_some_and(|s| s.handle.commands.send(request).is_ok());
        if sent {
            self.answers.push((command, answer));
        } else {
            let reply = CommandReply::refused("the run does not listen any more");
            self.tell(Message::Answered { command, reply });
        }
    }

    fn fetch_answers(&mut self) -> Vec<(Command, CommandReply)> {
        let mut answered = Vec::new();
        self.answers.retain(|(command, answer)| match answer.try_recv() {
            Ok(reply) => {
                answered.push((command.clone(), reply));
                false
            }
            Err(TryRecvError::Empty) => true,
            Err(TryRecvError::Disconnected) => {
                // A stop may end the run before it answers: that is its answer.
                if *command != Command::Stop {
                    answered.push((command.clone(), CommandReply::refused("the run ended without an answer")));
                }
                false
            }
        });
        answered
    }

    fn hear_events(&mut self) {
        self.events_pour = false;
        for count in 0..EVENTS_PER_TURN {
            self.events_pour = count >= POURING;
            let Some(source) = self.source.as_mut().filter(|s| !s.closed) else { return };
            match source.handle.events.try_recv() {
                Ok(stamped) => self.tell(Message::Event(Box::new(stamped))),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.events_pour = false;
                    source.closed = true;
                    let ended = self.state.run().is_some_and(|run| run.view.outcome.is_some());
                    let cause = if ended { None } else { source.cause.take() };
                    return self.tell(Message::StreamClosed { cause: cause.and_then(|ask| ask()) });
                }
            }
        }
    }
}
