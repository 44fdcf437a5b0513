//! The choice of another run that is to be laid over the one that is shown. Keys are in `update::runs`, how it looks is `view::runs`.

use std::path::PathBuf;

/// A run that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRun {
    pub folder: PathBuf,
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunPicker {
    /// `None` until they were looked for.
    pub runs: Option<Vec<FoundRun>>,
    pub selected: usize,
}
