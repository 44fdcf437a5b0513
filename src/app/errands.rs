//! What the screen sends for and can wait for: runs on disk, found and read. Each is done on a thread of `session`.

use std::path::Path;

use crate::cli::discover;
use crate::run::{replay, store};
use crate::ui::format;
use crate::ui::state::run::RunView;
use crate::ui::state::runs::FoundRun;

/// The other runs in the folder that a run lies in, the newest first.
pub fn runs_beside(run: &Path) -> Vec<FoundRun> {
    let own = std::fs::canonicalize(run).ok();
    let folder = match run.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let others = store::runs(folder).into_iter().filter(|path| std::fs::canonicalize(path).ok() != own);
    let found = |folder: std::path::PathBuf| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let note = note(&folder);
        FoundRun { folder, name, note }
    };
    others.map(found).collect()
}

/// What runs of one folder differ in most often, and what came of it.
fn note(run: &Path) -> String {
    let mut pieces = Vec::new();
    if let Ok(config) = store::config(run) {
        pieces.push(format!("lr {}, r {}", format::scientific(config.train.learning_rate), config.adapter.r));
    }
    let past = discover::past(run);
    pieces.extend(past.steps.map(|steps| format!("{} steps", format::count(steps))));
    pieces.extend(past.best_eval.map(|best| format!("best {}", format::loss(best))));
    pieces.join(", ")
}

/// A run's log, folded as far as it goes.
/// # Errors
/// Why it cannot be read, for a person.
pub fn read(run: &Path) -> Result<Box<RunView>, String> {
    let mut view = Box::new(RunView::default());
    replay::each(run, |stamped| view.fold(&stamped)).map_err(|e| e.to_string())?;
    Ok(view)
}
