//! The questions before something that cannot be taken back.

use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::state::{Question, RunStage, StartPage, State};
use crate::ui::theme::Role;
use crate::ui::update::plan::to_write;
use crate::ui::widgets::pen::centered;
use crate::ui::widgets::{Pen, Words, words};
use crate::units::printable;

const ROWS_UNSAVED: &str = "The rows in the playground stand in no report yet. What they say together is kept among the \
    trials, the rows are not.";

pub fn title(question: Question) -> &'static str {
    match question {
        Question::Stop => "stop the run?",
        Question::DropStep => "drop the step?",
        Question::StopAndQuit => "stop and quit?",
        Question::QuitNow => "quit now?",
        Question::QuitPlayground => "quit?",
        Question::WriteFile => "write the file?",
        Question::ReplaceReport => "replace the file?",
        Question::DropRows { .. } => "drop the rows?",
    }
}

/// What of the playground goes with the program.
fn play_lost(state: &State) -> Option<&'static str> {
    let play = &state.playground;
    match play.running {
        Some(_) if play.makes_rows() => {
            Some("Rows are being asked in the playground. They end with it, and stand in no report.")
        }
        Some(_) => {
            Some("A trial is being made in the playground. It is cancelled, and what it has not told yet is lost.")
        }
        None if play.is_unsaved() => {
            Some("A text in the playground was changed since the last trial. It is kept nowhere else.")
        }
        None => play.batch.is_unsaved().then_some(ROWS_UNSAVED),
    }
}

fn texts(question: Question, state: &State) -> (String, &'static str, &'static str) {
    let saved = state.run().and_then(|r| r.view.checkpoint.as_ref()).map(|c| c.step);
    let saved = match saved {
        Some(step) => format!("The last checkpoint is of step {}.", format::count(step)),
        None => "There is no checkpoint yet.".to_owned(),
    };
    let lost = || play_lost(state).map(|what| format!(" {what}")).unwrap_or_default();
    let asked = match (state.playground.makes_rows(), question) {
        _ if !state.playground.asks_run() => "",
        (false, _) => " It is answering the playground: that ends with it.",
        (true, Question::StopAndQuit) => {
            " It is answering rows of the playground: they end with it, and stand in no report."
        }
        (true, _) => {
            " It is answering rows of the playground: they end with it, and those that were answered are kept."
        }
    };
    match question {
        Question::Stop if state.run().is_some_and(RunStage::waits) => (
            format!("The run is out of memory and waits. It ends here as it was after its last whole step. {saved}"),
            "stop the run",
            "back to its levers",
        ),
        Question::Stop => (
            format!("The run ends after this step, with a checkpoint. It can be resumed later.{asked}"),
            "stop with a checkpoint",
            "go on training",
        ),
        Question::DropStep => (
            "The run is stopping at the end of this step. Dropping the step ends it sooner; steps before it are kept."
                .into(),
            "drop the step",
            "wait for it",
        ),
        Question::StopAndQuit => (
            format!(
                "The run lives in this program. It ends after this step, with a checkpoint, and then finetop quits. (A \
                 terminal that is closed instead leaves it training; `finetop watch` shows it again.){asked}{}",
                if asked.is_empty() { lost() } else { String::new() }
            ),
            "stop with a checkpoint and quit",
            "stay",
        ),
        Question::QuitNow => (
            format!("The checkpoint is not written yet. {saved} Steps after it would be lost."),
            "quit without waiting",
            "wait for it",
        ),
        Question::QuitPlayground => (play_lost(state).unwrap_or(ROWS_UNSAVED).into(), "quit all the same", "stay"),
        Question::DropRows { .. } => (ROWS_UNSAVED.into(), "drop the rows", "keep them"),
        Question::WriteFile => {
            let entry = state.page.as_ref().and_then(StartPage::entry);
            let file = entry.map(|entry| printable(&entry.title)).unwrap_or_default();
            let lines = entry.map(to_write).unwrap_or_default();
            let text = format!(
                "The next start takes it either way. Written into {file}, comments kept, it stays: {}",
                printable(&lines.join(", "))
            );
            (text, "write the file", "leave the file as it is")
        }
        Question::ReplaceReport => {
            let path = state.playground.batch.report_path().unwrap_or_default();
            let file = printable(&path.display().to_string());
            let text = format!("There is a file already: {file}. The report of these rows would take its place.");
            (text, "replace the file", "leave the file as it is")
        }
    }
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, question: Question) {
    let (text, yes, no) = texts(question, state);
    let width = 56.min(body.width.saturating_sub(2));
    let lines = format::wrap(&text, width.saturating_sub(4) as usize);
    let area = centered(body, width, lines.len() as u16 + 6);
    pen.clear(area);
    let inner = pen.panel(area, title(question), &Vec::new());
    for (row, line) in lines.iter().enumerate() {
        pen.text(inner, row as u16 + 1, line, Role::Text);
    }
    let row = lines.len() as u16 + 2;
    let choice = |key: &str, what: &str| -> Words { words([(key, Role::Key), (&format!("  {what}"), Role::Text)]) };
    pen.line(inner, row, &choice("y", yes));
    pen.line(inner, row + 1, &choice("n", no));
}
