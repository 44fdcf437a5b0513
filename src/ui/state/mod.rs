//! All that the screen shows, as one value. It changes in `update` alone; `view` reads it.
//! The run itself is folded in `run`, its history is bounded in `series` and `memory`, its pace is measured in `crate::pace`.

pub mod axis;
pub mod chart;
pub mod field;
pub mod log;
pub mod memory;
pub mod palette;
pub mod run;
pub mod runs;
pub mod series;
pub mod smooth;
pub mod start;

use std::path::PathBuf;

use crate::event::{Command, FinishReason};

use super::keymap::Keymap;
use super::message::{Clock, Fetching};
use run::RunView;
pub use start::StartPage;

/// Seconds without an event before the screen says how old its numbers are, where steps are quicker than that.
const STALE_AFTER_S: f64 = 5.0;

/// A tab of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    #[default]
    Train,
    Charts,
    Log,
}

impl Tab {
    pub const ALL: [Tab; 3] = [Tab::Train, Tab::Charts, Tab::Log];

    pub fn name(self) -> &'static str {
        match self {
            Tab::Train => "train",
            Tab::Charts => "charts",
            Tab::Log => "log",
        }
    }
}

/// Where the screen is between the start page and the end of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Ready to start.
    Ready,
    /// Being prepared; what is fetched, and how quickly.
    Starting(Preparation),
    /// It could not be started.
    Failed(String),
    /// A run is shown.
    Run(Box<RunStage>),
}

/// The preparation of a run over time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Preparation {
    pub now: Option<Fetching>,
    /// Bytes a second, once two reports of the same thing were far enough apart.
    pub speed: Option<f64>,
    /// The report that the speed is measured from: when, and how much was there.
    pub(super) measured_from: Option<(u64, u64)>,
}

/// A run on the screen: its facts, and what is known of its control.
#[derive(Debug, Clone, PartialEq)]
pub struct RunStage {
    pub view: RunView,
    pub folder: PathBuf,
    /// Whether the run lives in this process: then quitting ends it.
    pub owned: bool,
    pub control: Control,
    /// No event will come any more.
    pub closed: bool,
    /// Why no event will come, where the run did not say it itself.
    pub cause: Option<String>,
    /// When the newest event happened, on the screen's own clock (`Clock::ms`; negative before the screen began).
    pub(super) newest_event_ms: Option<i64>,
}

/// What was asked of the run, and what it answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Control {
    /// Pause or resume, sent and not yet answered.
    pub pausing: Option<Command>,
    /// `Clock::ms` when the run said that it is paused.
    pub paused_at_ms: Option<u64>,
    /// How many stops were sent: the second one drops the step.
    pub stops: u8,
    pub saving: bool,
    pub evaluating: bool,
}

/// What the run is up to, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    Loading,
    Running,
    Pausing,
    Paused,
    Stopping,
    Finished(FinishReason),
    /// The log ends without an end of the run.
    Interrupted,
}

/// What lies over the panels.
#[derive(Debug, Clone, PartialEq)]
pub enum Overlay {
    Help {
        scroll: u16,
    },
    /// Commands, found by a few letters of their names.
    Palette(palette::Palette),
    /// Which other run is laid over this one.
    Runs(runs::RunPicker),
    Ask(Question),
    /// The outcome of the run, and which of the next commands is selected.
    Outcome {
        selected: usize,
    },
}

/// A question before something that cannot be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Stop with a checkpoint?
    Stop,
    /// Drop the step that is under way?
    DropStep,
    /// Stop with a checkpoint and quit?
    StopAndQuit,
    /// Quit without waiting for the checkpoint?
    QuitNow,
}

/// A short message in the footer, for some seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub kind: NoticeKind,
    pub until_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    Info,
    Good,
    Bad,
}

#[derive(Debug, Clone)]
pub struct State {
    pub clock: Clock,
    /// What can be started here; a screen that only watches has none.
    pub page: Option<StartPage>,
    pub stage: Stage,
    pub tab: Tab,
    /// How charts are looked at, on every tab that has one.
    pub chart: chart::ChartView,
    /// How the log is looked at.
    pub log: log::LogView,
    /// Columns and rows of the terminal, for keys and clicks that mean a place on it.
    pub size: (u16, u16),
    /// Whether the terminal says what the mouse does.
    pub mouse: bool,
    pub overlay: Option<Overlay>,
    pub notice: Option<Notice>,
    pub keymap: Keymap,
    /// What is wrong in the user's own files, a line each; help shows it.
    pub problems: Vec<String>,
    /// Steps through the themes that `app` knows.
    pub theme: usize,
    /// Quit as soon as the run has ended.
    pub leaving: bool,
    /// `Clock::ms` after which `leaving` waits no longer for the stream to close.
    pub(super) leave_by_ms: Option<u64>,
    pub(super) revision: u64,
    pub(super) pulse: Pulse,
}

/// What a passing second may change on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pulse {
    elapsed_s: u64,
    age_s: Option<u64>,
    notice: bool,
}

impl State {
    /// The start page, ready for Enter.
    pub fn ready(page: StartPage) -> Self {
        State::new(Some(page), Stage::Ready)
    }

    /// A run that is only looked at; `Message::Attached` brings it.
    pub fn watching() -> Self {
        State::new(None, Stage::Starting(Preparation::default()))
    }

    fn new(page: Option<StartPage>, stage: Stage) -> Self {
        State {
            clock: Clock::default(),
            page,
            stage,
            tab: Tab::default(),
            chart: chart::ChartView::default(),
            log: log::LogView::default(),
            size: (80, 24),
            mouse: false,
            overlay: None,
            notice: None,
            keymap: Keymap::default(),
            problems: Vec::new(),
            theme: 0,
            leaving: false,
            leave_by_ms: None,
            revision: 0,
            pulse: Pulse::default(),
        }
    }

    pub fn run(&self) -> Option<&RunStage> {
        match &self.stage {
            Stage::Run(run) => Some(run),
            _ => None,
        }
    }

    /// The start page, while it has the keys.
    pub fn start_page(&self) -> Option<&StartPage> {
        self.page.as_ref().filter(|_| matches!(self.stage, Stage::Ready | Stage::Failed(_)))
    }

    /// When the screen wants to be woken although nothing happens, on its own clock.
    pub fn wakes_at_ms(&self) -> Option<u64> {
        let looks = self.start_page().and_then(|page| page.look_from_ms);
        let searches = self.log.is_looking().then_some(self.clock.ms);
        looks.into_iter().chain(searches).min()
    }

    /// Grows whenever the next frame may differ from the last one.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether time alone can change what is shown; if not, nobody needs to wake the screen.
    pub fn is_alive(&self) -> bool {
        match &self.stage {
            Stage::Ready | Stage::Failed(_) => false,
            Stage::Starting(_) => true,
            Stage::Run(run) => !run.closed,
        }
    }

    pub(super) fn current_pulse(&self) -> Pulse {
        let notice = self.notice.as_ref().is_some_and(|n| self.clock.ms < n.until_ms);
        let run = self.run();
        Pulse {
            elapsed_s: run.map_or(0, |r| r.elapsed_ms(self.clock) / 1000),
            age_s: run.and_then(|r| r.stale_seconds(self.clock)).map(|s| s as u64),
            notice,
        }
    }
}

impl RunStage {
    pub fn new(folder: PathBuf, owned: bool) -> Self {
        RunStage {
            view: RunView::default(),
            folder,
            owned,
            control: Control::default(),
            closed: false,
            cause: None,
            newest_event_ms: None,
        }
    }

    pub fn activity(&self) -> Activity {
        match &self.view.outcome {
            Some(finished) => Activity::Finished(finished.reason),
            None if self.closed => Activity::Interrupted,
            None if self.control.stops > 0 => Activity::Stopping,
            None if self.control.pausing == Some(Command::Pause) => Activity::Pausing,
            None if self.control.paused_at_ms.is_some() => Activity::Paused,
            None if self.view.loss.is_empty() && self.view.current.done == 0 => Activity::Loading,
            None => Activity::Running,
        }
    }

    /// Whether the run can still be told something.
    pub fn is_live(&self) -> bool {
        !matches!(self.activity(), Activity::Finished(_) | Activity::Interrupted)
    }

    /// How long ago the newest event happened. While paused, and after the end, nothing is awaited.
    fn age_ms(&self, clock: Clock) -> Option<u64> {
        if !self.is_live() {
            return None;
        }
        let now = self.control.paused_at_ms.unwrap_or(clock.ms) as i64;
        Some((now - self.newest_event_ms?).max(0) as u64)
    }

    /// The run's own clock now, which stands while it is paused.
    pub fn elapsed_ms(&self, clock: Clock) -> u64 {
        self.view.elapsed_ms + self.age_ms(clock).unwrap_or(0)
    }

    /// Seconds since the newest event, when that is longer than this run's steps and evals let expect.
    pub fn stale_seconds(&self, clock: Clock) -> Option<f64> {
        if matches!(self.activity(), Activity::Paused) {
            return None;
        }
        let age = self.age_ms(clock)? as f64 / 1e3;
        let pace = &self.view.pace;
        let usual = pace.expected_step().unwrap_or(0.0).max(pace.expected_eval().unwrap_or(0.0));
        (age > STALE_AFTER_S.max(2.0 * usual)).then_some(age)
    }

    pub fn eta_seconds(&self, clock: Clock) -> Option<f64> {
        if !self.is_live() {
            return None;
        }
        self.view.eta_seconds(self.elapsed_ms(clock))
    }
}
