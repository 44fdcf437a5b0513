//! The choice of another run that is to be laid over the one that is shown. Keys are in `update::runs`, how it looks is `view::runs`.

use std::path::PathBuf;

/// A run that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRun {
    pub folder: PathBuf,
    pub name: String,
    /// What tells it from others: `lr 1.00e-3, r 8, 48 steps, best 1.188`.
    pub note: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunPicker {
    /// `None` until they were looked for.
    pub runs: Option<Vec<FoundRun>>,
    pub selected: usize,
}
