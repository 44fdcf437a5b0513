//! Model files as formats: headers, metadata and the places of tensors, read without trusting a single number in them.
//! No tensors and no mathematics live here; `model::source` finds the files and `model` turns them into weights.
//!
//! The rule of both readers: every count and length is compared with what is left of the file before anything is
//! allocated.

pub mod gguf;
pub mod safetensors;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::units::printable;

/// What is wrong with a model file. The text is safe for a terminal, whatever the file holds.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    #[error("{}: {error}", shown(file))]
    Io { file: PathBuf, error: io::Error },
    /// A field that says something else than the format, the file's length or the model allow.
    #[error("{}: {field}: expected {expected}, found {found}", shown(file))]
    Unexpected { file: PathBuf, field: String, expected: String, found: String },
    /// A metadata key, a tensor or a file that should be there.
    #[error("{}: {what} is missing", shown(file))]
    Missing { file: PathBuf, what: String },
}

impl FormatError {
    /// A field of `file` that is not what it must be; the parts may quote the file, they are made printable here.
    pub fn unexpected(file: &Path, field: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let (expected, found) = (printable(&expected.into()), printable(&found.into()));
        Self::Unexpected { file: file.into(), field: short(field), expected, found }
    }

    /// Something that `file` should hold and does not.
    pub fn missing(file: &Path, what: &str) -> Self {
        Self::Missing { file: file.into(), what: short(what) }
    }

    fn io(file: &Path, error: io::Error) -> Self {
        Self::Io { file: file.into(), error }
    }
}

/// Turns "it is missing" into `None` and leaves every other error, for keys and tensors that a model may go without.
/// # Errors
/// Any error but [`FormatError::Missing`].
pub fn optional<T>(found: Result<T, FormatError>) -> Result<Option<T>, FormatError> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(FormatError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a regular file with its length. A pipe or a device is refused before it can block.
fn open_regular(path: &Path) -> Result<(File, u64), FormatError> {
    let io = |error| FormatError::io(path, error);
    let found = fs::metadata(path).map_err(io)?;
    if !found.is_file() {
        let kind = if found.is_dir() { "a folder" } else { "no regular file" };
        return Err(FormatError::unexpected(path, "path", "a file", kind));
    }
    let file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    Ok((file, len))
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}

/// A name from a file as an error shows it: printable, and cut after 120 characters.
fn short(name: &str) -> String {
    let mut chars = name.chars();
    let head: String = chars.by_ref().take(120).collect();
    let cut = if chars.next().is_some() { "…" } else { "" };
    format!("{}{cut}", printable(&head))
}
