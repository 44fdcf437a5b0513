//! What the screen sends for and can wait for: runs on disk, found and read, and what memory plans stand on. Each is done on a thread of `session`.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use super::Launcher;
use crate::cli::discover;
use crate::run::{replay, store};
use crate::ui::Message;
use crate::ui::format;
use crate::ui::state::run::RunView;
use crate::ui::state::runs::FoundRun;
use crate::ui::state::start::StartRequest;

/// What memory plans of an entry stand on, as the answer to a question.
pub fn plan(ticket: u64, request: &StartRequest, launcher: Option<&dyn Launcher>) -> Message {
    let made = || launcher.map_or_else(|| Err("nothing here can plan".to_owned()), |l| l.ground(request).map(Box::new));
    // A bug on the way must not leave the page reading for ever.
    let result = panic::catch_unwind(AssertUnwindSafe(made));
    Message::Planned { ticket, result: result.unwrap_or_else(|_| Err("reading for the plan broke off".to_owned())) }
}

/// The other runs in the folder that a run lies in, the newest first.
pub fn runs_beside(run: &Path) -> Vec<FoundRun> {
    // `.` and `a/..` have no parent worth the name: where the run really lies has one.
    let own = std::fs::canonicalize(run).ok();
    let Some(folder) = own.as_deref().unwrap_or(run).parent() else { return Vec::new() };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_beside_are_found_however_the_run_is_named() {
        let place = tempfile::tempdir().expect("a place");
        for name in ["a", "b"] {
            let run = place.path().join(name);
            std::fs::create_dir_all(run.join("checkpoints")).expect("a run's folder");
            for file in ["config.toml", "events.jsonl"] {
                std::fs::write(run.join(file), "").expect("a run's file");
            }
        }
        for path in ["a", "a/", "a/.", "a/checkpoints/..", "b/../a"] {
            let found = runs_beside(&place.path().join(path));
            assert_eq!(found.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(), ["b"], "{path}");
        }
        assert!(runs_beside(Path::new("")).is_empty());
    }
}
