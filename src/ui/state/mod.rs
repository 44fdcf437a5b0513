//! All that the screen shows, as one value. It changes in `update` alone; `view` reads it.
//! The run itself is folded in `run`, its history is bounded in `series` and `memory`, its pace is measured in `crate::pace`.

pub mod axis;
pub mod bleu;
pub mod chart;
pub mod editor;
pub mod field;
pub mod knobs;
pub mod log;
pub mod memory;
pub mod oom;
pub mod palette;
pub mod pauses;
pub mod plan;
pub mod playground;
pub mod run;
pub mod runs;
pub mod series;
pub mod smooth;
pub mod start;
pub mod timeline;

use std::path::PathBuf;

use crate::event::{Command, FinishReason};
use crate::memory::ledger::Phase;

use super::keymap::Keymap;
use super::message::{Clock, Fetching};
use pauses::Pauses;
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
    Memory,
    Bleu,
    Playground,
}

impl Tab {
    pub const ALL: [Tab; 6] = [Tab::Train, Tab::Charts, Tab::Log, Tab::Memory, Tab::Bleu, Tab::Playground];

    pub fn name(self) -> &'static str {
        match self {
            Tab::Train => "train",
            Tab::Charts => "charts",
            Tab::Log => "log",
            Tab::Memory => "memory",
            Tab::Bleu => "bleu",
            Tab::Playground => "play",
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
    /// Nothing was heard of the segment that is shown or about to come: what is known was said before it.
    pub(super) awaited: bool,
    /// When the newest event happened, on the screen's own clock (`Clock::ms`; negative before the screen began).
    pub(super) newest_event_ms: Option<i64>,
    /// When the last pause ended, on the same clock: before that, nobody waited for an event.
    pub(super) went_on_ms: Option<i64>,
    pub(super) pauses: Pauses,
    /// Whether this segment has done a piece of work.
    pub(super) worked: bool,
    /// How an out-of-memory is asked about and answered.
    pub(super) oom: oom::Asking,
}

/// What was asked of the run, and what it answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Control {
    /// Pause or resume, sent and not yet answered.
    pub pausing: Option<Command>,
    /// When the run paused, on the screen's own clock (negative before the screen began).
    pub paused_at_ms: Option<i64>,
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
    /// Out of memory: it goes on when somebody has chosen a lever.
    Waiting,
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
    /// What ran out of memory, and what would help.
    OutOfMemory(oom::Card),
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
    /// Quit although a trial is being made, or a text or rows are kept nowhere else?
    QuitPlayground,
    /// Write what was edited into the configuration's own file?
    WriteFile,
    /// Write the report of rows over a file that is there?
    ReplaceReport,
    /// Put a trial back, and run it or not, in place of rows that stand in no report?
    DropRows { runs: bool },
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
    /// How memory over time is looked at.
    pub timeline: timeline::TimelineView,
    /// The reports, and how they are looked at.
    pub bleu: bleu::BleuView,
    /// Extraction tried by hand, with a run or without.
    pub playground: playground::Playground,
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
    /// Their names.
    pub themes: Vec<String>,
    /// Quit as soon as the run has ended.
    pub leaving: bool,
    /// `Clock::ms` after which `leaving` waits no longer for the stream to close.
    pub(super) leave_by_ms: Option<u64>,
    /// Of the last question that another run was asked for.
    pub(super) ticket: u64,
    pub(super) revision: u64,
    pub(super) pulse: Pulse,
}

/// What a passing second may change on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pulse {
    elapsed_s: u64,
    age_s: Option<u64>,
    notice: bool,
    trial_s: Option<u64>,
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
            timeline: timeline::TimelineView::default(),
            bleu: bleu::BleuView::default(),
            playground: playground::Playground::default(),
            size: (80, 24),
            mouse: false,
            overlay: None,
            notice: None,
            keymap: Keymap::default(),
            problems: Vec::new(),
            theme: 0,
            themes: Vec::new(),
            leaving: false,
            leave_by_ms: None,
            ticket: 0,
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
        self.page.as_ref().filter(|_| matches!(self.stage, Stage::Ready | Stage::Failed(_)) && !self.playground.open)
    }

    /// Whether the playground is shown: as a tab of a run, or instead of the start page.
    pub fn in_playground(&self) -> bool {
        match self.stage {
            Stage::Run(_) => self.tab == Tab::Playground,
            Stage::Ready | Stage::Failed(_) => self.playground.open && self.page.is_some(),
            Stage::Starting(_) => false,
        }
    }

    /// The memory plan of the selected entry, while it has the keys.
    pub fn plan_page(&self) -> Option<&plan::PlanPage> {
        self.start_page()?.plan.as_deref()
    }

    /// When the screen wants to be woken although nothing happens, on its own clock.
    pub fn wakes_at_ms(&self) -> Option<u64> {
        let looks = self.start_page().and_then(|page| page.look_from_ms);
        let searches = self.log.is_looking().then_some(self.clock.ms);
        let reports = self.run().filter(|_| self.tab == Tab::Bleu).map(|_| self.bleu.due_ms());
        let finds = (self.in_playground() && !self.playground.looked).then_some(self.clock.ms);
        looks.into_iter().chain(searches).chain(reports).chain(finds).min()
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
            trial_s: self.playground.running.as_ref().map(|r| self.clock.ms.saturating_sub(r.began_ms) / 1000),
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
            awaited: true,
            newest_event_ms: None,
            went_on_ms: None,
            pauses: Pauses::default(),
            worked: false,
            oom: oom::Asking::default(),
        }
    }

    pub fn activity(&self) -> Activity {
        match &self.view.outcome {
            // An end that was said before a segment that is still to come is not the end of that one.
            Some(finished) if self.cause.is_none() && (self.closed || !self.awaited) => {
                Activity::Finished(finished.reason)
            }
            _ if self.closed => Activity::Interrupted,
            _ if self.control.stops > 0 => Activity::Stopping,
            _ if self.oom.asks => Activity::Waiting,
            _ if self.control.pausing == Some(Command::Pause) => Activity::Pausing,
            _ if self.awaited => Activity::Loading,
            _ if self.control.paused_at_ms.is_some() => Activity::Paused,
            // A log begins after loading.
            _ if self.view.started.is_none() && self.view.current.done == 0 => Activity::Loading,
            _ => Activity::Running,
        }
    }

    /// Whether the run answers a text, whoever asked it to: before its last step nothing else generates.
    pub fn answers(&self) -> bool {
        let planned = self.view.started.as_ref().map_or(0, |started| started.planned_steps);
        let done = self.view.last_step.as_ref().map_or(0, |last| last.step);
        done < planned && self.view.memory.last.as_ref().is_some_and(|last| last.phase == Phase::Generate)
    }

    /// Whether the run can still be told something.
    pub fn is_live(&self) -> bool {
        !matches!(self.activity(), Activity::Finished(_) | Activity::Interrupted)
    }

    /// The run pauses, at this moment of the screen's own clock.
    pub(super) fn pause(&mut self, at_ms: i64) {
        self.pauses.begin(self.own_ms(at_ms));
        // A pause that was said before the segment is over with it.
        if !self.awaited {
            self.control.paused_at_ms.get_or_insert(at_ms);
        }
    }

    /// The run works at this moment of the screen's own clock.
    pub(super) fn go_on(&mut self, at_ms: i64) {
        if self.pauses.end(self.own_ms(at_ms)) {
            self.went_on_ms = Some(at_ms);
        }
        self.control.paused_at_ms = None;
    }

    /// A moment of the screen's own clock on the run's clock, on which pauses count.
    pub(super) fn own_ms(&self, at_ms: i64) -> u64 {
        let since = self.newest_event_ms.map_or(0, |newest| at_ms - newest);
        self.view.elapsed_ms.saturating_add_signed(since)
    }

    /// The run's clock now; it stands where nothing is awaited of the segment that is known.
    fn now_ms(&self, clock: Clock) -> u64 {
        let newest_ms = self.view.elapsed_ms;
        if self.awaited || !self.is_live() { newest_ms } else { self.own_ms(clock.ms as i64).max(newest_ms) }
    }

    /// How long the run has been at work: over all segments, without pauses.
    pub fn elapsed_ms(&self, clock: Clock) -> u64 {
        self.pauses.at_work_ms(self.now_ms(clock))
    }

    /// Seconds since the newest event, when that is longer than this run's steps and evals let expect.
    pub fn stale_seconds(&self, clock: Clock) -> Option<f64> {
        if self.awaited || !self.is_live() || self.oom.asks || self.control.paused_at_ms.is_some() {
            return None;
        }
        let heard_ms = self.newest_event_ms?.max(self.went_on_ms.unwrap_or(i64::MIN));
        let age = (clock.ms as i64 - heard_ms).max(0) as f64 / 1e3;
        let pace = &self.view.pace;
        let usual = pace.expected_step().unwrap_or(0.0).max(pace.expected_eval().unwrap_or(0.0));
        (age > STALE_AFTER_S.max(2.0 * usual)).then_some(age)
    }

    pub fn eta_seconds(&self, clock: Clock) -> Option<f64> {
        if self.awaited || !self.is_live() {
            return None;
        }
        self.view.eta_seconds(self.pauses.in_piece_clock_ms(self.now_ms(clock)))
    }
}
