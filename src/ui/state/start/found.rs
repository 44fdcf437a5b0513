//! What an entry of the start page leads to, and what was found when its files were looked at: plain data between the page and whoever looks,
//! which is `cli::discover`.

use std::path::PathBuf;

/// What an entry of the list leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Demo,
    /// A configuration file.
    File(PathBuf),
    /// What the command line asked for, with all its options.
    Given,
    /// The folder of a run: it is watched or resumed.
    Run(PathBuf),
}

/// How a run on disk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PastState {
    Live,
    Finished,
    Stopped,
    Failed,
    /// Its log ends without an end of the run.
    Interrupted,
}

/// What is known of a run on disk from the two ends of its log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PastRun {
    pub state: PastState,
    pub steps: Option<u64>,
    pub planned: Option<u64>,
    pub best_eval: Option<f64>,
    pub began_unix_ms: Option<u64>,
}

/// What is needed to start, resume or look at an entry: its text as it was read, and what replaces parts of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRequest {
    pub target: Target,
    /// TOML.
    pub text: String,
    /// What errors call the text.
    pub file_name: String,
    /// What its paths are relative to.
    pub base_dir: PathBuf,
    /// Each `section.name=value`.
    pub overrides: Vec<String>,
}

/// Where the model of an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelPlace {
    Here {
        bytes: u64,
    },
    /// It has to be fetched first; how, in words: `through pip`.
    Missing {
        from: String,
        bytes: Option<u64>,
    },
    /// It can be had from nowhere, and why.
    Wrong(String),
}

/// What a data file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    Counted(u64),
    /// Too long to be counted for a page.
    Uncounted {
        bytes: u64,
    },
    /// It cannot be read, and why.
    Missing(String),
}

/// A data file of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitLook {
    /// `train`, `eval` or `test`.
    pub split: &'static str,
    pub path: PathBuf,
    pub rows: Rows,
}

/// What was found when an entry's files were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub model: ModelPlace,
    pub splits: Vec<SplitLook>,
    /// Where rows and settings tell it.
    pub planned_steps: Option<u64>,
}
