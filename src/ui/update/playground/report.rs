//! The report of a file of rows: it is written beside that file, and over another one only when a person says so.

use std::path::{Path, PathBuf};

use crate::ui::message::{Effect, NotWritten};
use crate::ui::state::playground::Page;
use crate::ui::state::{NoticeKind, Overlay, Question, State};
use crate::ui::update::notify;
use crate::units::printable;

/// Has the report of the rows written; `replaces` where a person wants it in place of the file that is there.
pub(in crate::ui::update) fn write_report(state: &mut State, replaces: bool, effects: &mut Vec<Effect>) {
    if state.playground.running.is_some() {
        return notify(state, NoticeKind::Info, "after the rows are done: Esc cancels them");
    }
    let batch = &state.playground.batch;
    match (batch.report_path(), batch.report()) {
        (Some(path), Some(report)) => effects.push(Effect::WriteReport { path, report: Box::new(report), replaces }),
        _ => notify(state, NoticeKind::Info, "no rows were asked yet"),
    }
}

/// What came of writing it.
pub(in crate::ui::update) fn report_written(state: &mut State, path: PathBuf, result: Result<(), NotWritten>) {
    state.revision += 1;
    let shown = |path: &Path| printable(&path.display().to_string());
    let is_here = state.in_playground() && state.playground.page == Page::Rows && state.overlay.is_none();
    match result {
        Ok(()) => {
            notify(state, NoticeKind::Good, format!("written: {}", shown(&path)));
            state.playground.batch.written = Some(path);
        }
        Err(NotWritten::Exists) if is_here && state.playground.batch.report_path().as_ref() == Some(&path) => {
            state.overlay = Some(Overlay::Ask(Question::ReplaceReport));
        }
        Err(NotWritten::Exists) => {
            notify(state, NoticeKind::Bad, format!("not written: {} is there already", shown(&path)));
        }
        Err(NotWritten::Failed(why)) => notify(state, NoticeKind::Bad, format!("not written: {}", printable(&why))),
    }
}
