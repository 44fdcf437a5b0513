//! The screen's life without its terminal: messages in, frames out as bytes, a run and its preparation on the side. Everything is asked
//! without waiting and time is told from outside, so that a test can live a minute in a millisecond. A run is prepared in `launch` and heard
//! in `source`, the start page's questions are in `page`. Who waits, reads and writes is `app`.

mod launch;
mod page;
mod source;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use ratatui::Terminal;
use ratatui::layout::{Rect, Size};

use super::backend::AnsiBackend;
use super::input::Input;
use super::preferences::Preferences;
use super::{Launched, Launcher};
use super::{errands, files, playground, reports};
use crate::event::{Command, CommandReply, CommandRequest};
use crate::ui::state::start::Entry;
use crate::ui::{Clock, Effect, Message, MouseKind, Preferred, State, Theme, update, view};
use launch::{Errand, LaunchNews, Launching};
use page::Looking;
use source::POURING_MS;
pub use source::Source;

/// Without another wish, at most ten frames a second for what happens by itself.
pub const FRAME_MS: u64 = 100;
/// An answer to a key waits less.
const KEY_FRAME_MS: u64 = 15;
/// A drag asks for a frame with each of its reports: a slow line would be behind for ever.
const DRAG_FRAME_MS: u64 = 50;

/// What the session wants of whoever drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    GoOn,
    Suspend,
    Quit,
}

/// What the session wants of the terminal besides frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Text for the clipboard of the terminal's user.
    Copy(String),
    /// Say what the mouse does, or not.
    Mouse(bool),
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
    /// What is looked for or read on threads of their own; each says one thing.
    errands: Vec<Receiver<Message>>,
    reports: reports::Cache,
    /// Who makes trials.
    player: playground::Player,
    wish: Wish,
    requests: Vec<Request>,
    /// Milliseconds until events are looked for again: short while a log is being read.
    look_again_ms: u64,
    drawn: Option<u64>,
    /// The least time between two frames for what happens by itself.
    frame_ms: u64,
    last_frame_ms: u64,
    /// How far apart frames are while an answer to the person is due.
    hurry_ms: Option<u64>,
}

impl Session {
    /// A screen in this state, in the first of these themes.
    pub fn new(state: State, themes: Vec<Theme>, size: Size, launcher: Option<Arc<dyn Launcher>>) -> Self {
        let backend = AnsiBackend::new(size);
        let terminal = match Terminal::new(backend) {
            Ok(terminal) => terminal,
            Err(never) => match never {},
        };
        let Size { width, height } = size;
        let mut state = state;
        state.themes = themes.iter().map(|theme| theme.name.clone()).collect();
        let mut session = Session {
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
            errands: Vec::new(),
            reports: reports::Cache::default(),
            player: playground::Player::default(),
            wish: Wish::GoOn,
            requests: Vec::new(),
            look_again_ms: FRAME_MS,
            drawn: None,
            frame_ms: FRAME_MS,
            last_frame_ms: 0,
            hurry_ms: None,
        };
        session.tell(Message::Resized { width, height });
        session
    }

    /// Takes the user's wishes; what is wrong with them is shown.
    pub fn prefer(&mut self, preferences: &Preferences) {
        self.frame_ms = 1000u64.div_ceil(u64::from(preferences.frames_per_second.max(1)));
        let Preferences { keymap, mouse, problems, .. } = preferences.clone();
        self.tell(Message::Preferred(Box::new(Preferred { keymap, mouse, problems })));
    }

    /// Attaches to a run.
    pub fn attach(&mut self, launched: Launched, owned: bool) {
        let folder = launched.folder.clone();
        self.source = Some(Source::new(launched, owned));
        self.look_again_ms = POURING_MS;
        self.tell(Message::Attached { folder, owned });
    }

    /// Takes everything in that is there: time, keys, preparation, answers, events. Nothing here waits.
    pub fn turn(&mut self, now: Clock, inputs: impl IntoIterator<Item = Input>) -> Wish {
        self.wish = Wish::GoOn;
        self.tell(Message::Tick(now));
        let is_drag = |input: &Input| matches!(input, Input::Mouse(mouse) if mouse.kind == MouseKind::Drag);
        let mut inputs = inputs.into_iter().peekable();
        while let Some(input) = inputs.next() {
            // A drag is where it is now; where it was in between is nobody's business.
            if is_drag(&input) && inputs.peek().is_some_and(is_drag) {
                continue;
            }
            self.hear_input(input);
        }
        self.hear_launch();
        self.hear_errands();
        self.hear_page();
        self.hear_trial();
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
        self.hurry_ms = None;
        let count = self.themes.len().max(1);
        let theme = self.themes.get(self.state.theme % count)?;
        let state = &self.state;
        let Ok(_) = self.terminal.draw(|frame| view(state, theme, frame));
        self.terminal.backend_mut().take_frame()
    }

    /// What the terminal is to do besides, since the last call; to be written between two frames, not within one.
    pub fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// Milliseconds to sleep at most when nothing happens at the keyboard; `None` while nothing can change by itself.
    pub fn patience_ms(&self, now: Clock) -> Option<u64> {
        let events = self.source.as_ref().filter(|source| !source.closed).map(|_| self.look_again_ms);
        let notice = self.state.notice.as_ref().map(|n| n.until_ms.saturating_sub(now.ms));
        let page = self.looking.is_some() || self.discovering.is_some();
        let awaited = page || !self.answers.is_empty() || !self.errands.is_empty() || self.player.is_busy();
        // Seldom drawn is not seldom heard.
        let often = self.frame_ms.min(FRAME_MS);
        let alive = (self.state.is_alive() || awaited).then_some(often);
        let wakes = self.state.wakes_at_ms().map(|at| at.saturating_sub(now.ms));
        [self.frame_due_in(now), notice, alive, events, wakes].into_iter().flatten().min()
    }

    /// The terminal has this size now; whatever it shows is drawn anew.
    pub fn resize(&mut self, size: Size) {
        self.terminal.backend_mut().resize(size);
        self.tell(Message::Resized { width: size.width, height: size.height });
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
                return Some(Source::new(done?.ok()?, launching.owned));
            }
            launching.cancel.store(true, Ordering::Relaxed);
        }
        let source = self.source.take();
        // A run that waited for a trial goes on without a screen.
        if let Some(source) = source.as_ref().filter(|_| self.state.playground.holds_run()) {
            let _ = source.handle.commands.send(CommandRequest { command: Command::Resume, reply: None });
        }
        source
    }

    fn frame_due_in(&self, now: Clock) -> Option<u64> {
        if self.drawn == Some(self.state.revision()) {
            return None;
        }
        let apart = self.hurry_ms.unwrap_or(self.frame_ms);
        let since = now.ms.saturating_sub(self.last_frame_ms);
        Some(if self.drawn.is_none() { 0 } else { apart.saturating_sub(since) })
    }

    fn hear_input(&mut self, input: Input) {
        let (hurry_ms, message) = match input {
            Input::Key(key) => (KEY_FRAME_MS, Message::Key(key)),
            Input::Paste(text) => (KEY_FRAME_MS, Message::Paste(text)),
            // It was switched off meanwhile, or somebody else left it on.
            Input::Mouse(_) if !self.state.mouse => return,
            Input::Mouse(mouse) if mouse.kind == MouseKind::Drag => (DRAG_FRAME_MS, Message::Mouse(mouse)),
            Input::Mouse(mouse) => (KEY_FRAME_MS, Message::Mouse(mouse)),
        };
        self.hurry_ms = Some(self.hurry_ms.map_or(hurry_ms, |ms| ms.min(hurry_ms)));
        self.tell(message);
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
            Effect::Plan { ticket, request } => {
                let launcher = self.launcher.clone();
                self.errand(move || errands::plan(ticket, &request, launcher.as_deref()));
            }
            Effect::WriteSettings { path, settings } => {
                self.errand(move || Message::SettingsWritten { result: files::write_settings(&path, &settings) });
            }
            Effect::Send(command) => self.send(command),
            Effect::ListRuns { ticket, beside } => {
                self.errand(move || Message::RunsListed { ticket, runs: errands::runs_beside(&beside) })
            }
            Effect::ReadRun { ticket, folder, name } => {
                self.errand(move || Message::RunRead { ticket, name, result: errands::read(&folder) })
            }
            Effect::ReadReports { ticket, question } => {
                let cache = self.reports.clone();
                self.errand(move || reports::read(ticket, &question, &cache));
            }
            Effect::ExportReport { path, baseline, form } => {
                let cache = self.reports.clone();
                self.errand(move || Message::Exported {
                    result: reports::export(&path, baseline.as_deref(), form, &cache),
                });
            }
            Effect::LookForPlayground { ticket, quest } => self.errand(move || playground::look(ticket, &quest)),
            Effect::WriteReport { path, report, replaces } => self.errand(move || {
                let result = files::write_report(&path, &report, replaces);
                Message::ReportWritten { path, result }
            }),
            Effect::RunTrial { ticket, ask } => {
                let run = self.source.as_ref().map(|source| source.handle.commands.clone());
                self.player.begin(ticket, ask, run);
            }
            Effect::CancelTrial => self.player.cancel(),
            Effect::Copy(text) => self.requests.push(Request::Copy(text)),
            Effect::Mouse(on) => self.requests.push(Request::Mouse(on)),
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

    /// Does something that takes time on a thread of its own; what it says is heard in a later turn.
    fn errand(&mut self, work: impl FnOnce() -> Message + Send + 'static) {
        let (said, heard) = channel();
        let body = move || _ = said.send(work());
        if thread::Builder::new().name("finetop-errand".into()).spawn(body).is_ok() {
            self.errands.push(heard);
        }
    }

    fn hear_errands(&mut self) {
        let mut heard = Vec::new();
        self.errands.retain(|errand| match errand.try_recv() {
            Ok(message) => {
                heard.push(message);
                false
            }
            Err(e) => e == TryRecvError::Empty,
        });
        heard.into_iter().for_each(|message| self.tell(message));
    }

    /// What was told of a trial since the last turn, pieces of text as one.
    fn hear_trial(&mut self) {
        for (ticket, news) in self.player.hear() {
            self.tell(Message::Trial { ticket, news: Box::new(news) });
        }
    }
}
