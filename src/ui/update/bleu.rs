//! What keys, pasted text and the mouse do on the tab BLEU, and when its reports are read.

use std::path::PathBuf;

use super::notify;
use crate::ui::keymap::Action;
use crate::ui::message::{Effect, ExportForm, Key, Mouse, MouseKind};
use crate::ui::state::bleu::page::Page;
use crate::ui::state::bleu::{BleuView, Found, Pane, Question, Reading};
use crate::ui::state::log::pattern::Pattern;
use crate::ui::state::{NoticeKind, State, Tab};
use crate::ui::view::{bleu_rows, place_of_reports};
use crate::units::printable;

/// Rows that one turn of the wheel passes.
const WHEEL: isize = 3;

/// Looks for reports while the tab is shown: at once when it is entered or one is said to be done, then every now and then.
pub(super) fn tick(state: &mut State, effects: &mut Vec<Effect>) {
    if state.tab == Tab::Bleu && state.run().is_some() && state.bleu.is_due(state.clock.ms) {
        ask(state, false, effects);
    }
}

fn ask(state: &mut State, anew: bool, effects: &mut Vec<Effect>) {
    let Some(run) = state.run().map(|run| run.folder.clone()) else { return };
    let view = &state.bleu;
    let anew = anew || view.reading().is_none();
    let question = Question { run, beside: view.beside.clone(), baseline: view.baseline.clone(), anew };
    effects.push(Effect::ReadReports { ticket: view.ticket, question: Box::new(question) });
}

/// Asks now, whatever is on its way: it would answer another question.
fn ask_now(state: &mut State, effects: &mut Vec<Effect>) {
    state.bleu.look_again();
    if state.bleu.is_due(state.clock.ms) {
        ask(state, true, effects);
    }
}

/// The reports are there, or are as they were: that changes nothing on the screen.
pub(super) fn read(state: &mut State, ticket: u64, reading: Option<Box<Reading>>) {
    if ticket != state.bleu.ticket || state.run().is_none() {
        return;
    }
    state.bleu.answered(state.clock.ms);
    if let Some(reading) = reading {
        state.bleu.take(*reading);
        state.revision += 1;
    }
}

pub(super) fn exported(state: &mut State, result: Result<String, String>) {
    match result {
        Ok(file) => notify(state, NoticeKind::Good, format!("written: {}", printable(&file))),
        Err(why) => notify(state, NoticeKind::Bad, printable(&why)),
    }
    state.revision += 1;
}

/// Another run was chosen: its reports stand below.
pub(super) fn beside(state: &mut State, folder: PathBuf, name: String, effects: &mut Vec<Effect>) {
    state.bleu.beside = Some((folder, name));
    ask_now(state, effects);
}

/// Carries out an action of the tab BLEU.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    let screen = state.size;
    let rows = bleu_rows(state);
    let view = &mut state.bleu;
    match action {
        Action::SelectUp => step(view, -1, screen, rows),
        Action::SelectDown => step(view, 1, screen, rows),
        Action::PageUp => step(view, -page_of(view, screen, rows), screen, rows),
        Action::PageDown => step(view, page_of(view, screen, rows), screen, rows),
        Action::First => step(view, isize::MIN, screen, rows),
        Action::Last => step(view, isize::MAX, screen, rows),
        Action::Open => open(view, screen),
        Action::Clear if view.page.is_some() => view.page = None,
        Action::Clear if view.rows.filter().is_some() => view.rows.set_filter(None),
        Action::Clear if view.pane == Pane::Rows => view.pane = Pane::Reports,
        Action::Clear if view.baseline.is_some() => {
            view.baseline = None;
            ask_now(state, effects);
        }
        Action::Clear if view.beside.is_some() => {
            view.beside = None;
            ask_now(state, effects);
        }
        Action::Search | Action::Filter if view.rows.all() > 0 => {
            view.pane = Pane::Rows;
            view.begin_typing();
        }
        Action::SortNext | Action::SortPrevious => {
            let by = if action == Action::SortNext { 1 } else { crate::ui::state::bleu::rows::Column::ALL.len() - 1 };
            view.rows.sort_by(view.rows.column.beside(by));
        }
        Action::SortReverse => view.rows.reverse(),
        Action::Baseline => choose_baseline(state, effects),
        Action::ExportHtml => export(state, ExportForm::Html, effects),
        Action::ExportCsv => export(state, ExportForm::Csv, effects),
        Action::ExportJson => export(state, ExportForm::Json, effects),
        Action::Copy => copy(state, effects),
        Action::Search | Action::Filter => notify(state, NoticeKind::Info, "there are no rows to filter"),
        _ => {}
    }
}

/// What a page is of what is in front.
fn page_of(view: &BleuView, screen: (u16, u16), rows: usize) -> isize {
    let page = match (&view.page, view.pane) {
        (Some(_), _) => Page::page(screen),
        (None, Pane::Rows) => rows,
        (None, Pane::Reports) => 5,
    };
    page.max(1) as isize
}

/// Moves what is in front: the page of a row, the row, or the report.
fn step(view: &mut BleuView, by: isize, screen: (u16, u16), rows: usize) {
    match (&mut view.page, view.pane) {
        (Some(page), _) => page.scroll_by(by, screen),
        (None, Pane::Rows) => view.rows.move_by(by, rows),
        (None, Pane::Reports) => {
            if let Some(position) = view.position() {
                view.select(position.saturating_add_signed(by));
            }
        }
    }
}

/// From the reports to the rows, from the rows to one of them, and from that back.
fn open(view: &mut BleuView, screen: (u16, u16)) {
    match (view.page.take(), view.pane) {
        (Some(_), _) => {}
        (None, Pane::Reports) if view.rows.all() > 0 => view.pane = Pane::Rows,
        (None, Pane::Reports) => {}
        (None, Pane::Rows) => view.page = view.rows.selected().map(|row| Page::new(row, screen)),
    }
}

/// Others are held beside the selected report; said of the chosen one again, beside that of the data once more.
fn choose_baseline(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(Found { path, report, .. }) = state.bleu.selected().cloned() else {
        return notify(state, NoticeKind::Info, "there is no report yet");
    };
    let is_chosen = state.bleu.baseline.as_ref() == Some(&path);
    let told = match is_chosen {
        true => "held beside the base model again".to_owned(),
        false => format!("held beside {}", printable(&report.name)),
    };
    state.bleu.baseline = Some(path).filter(|_| !is_chosen);
    notify(state, NoticeKind::Info, told);
    ask_now(state, effects);
}

fn export(state: &mut State, form: ExportForm, effects: &mut Vec<Effect>) {
    let view = &state.bleu;
    let Some(found) = view.selected() else {
        return notify(state, NoticeKind::Info, "there is no report to write");
    };
    // Only one whose data is the same can stand beside it; the errand sees to that.
    let own = |other: &&Found| other.is_baseline && other.path != found.path;
    let same = |other: &&Found| other.report.subject.split_sha256 == found.report.subject.split_sha256;
    let baseline = view.reports().iter().filter(same).find(own).map(|other| other.path.clone());
    effects.push(Effect::ExportReport { path: found.path.clone(), baseline, form });
    notify(state, NoticeKind::Info, "writing");
}

/// A row as JSON, or of a report the lines of its scores.
fn copy(state: &mut State, effects: &mut Vec<Effect>) {
    let view = &state.bleu;
    let text = match (&view.page, view.pane) {
        (Some(page), _) => Some(Page::json(&page.row)),
        (None, Pane::Rows) => view.rows.selected().map(Page::json),
        (None, Pane::Reports) => view.selected().map(|found| {
            let lines: Vec<String> = found.report.scores.iter().map(|score| score.line()).collect();
            format!("{}\n{}", found.report.name, lines.join("\n"))
        }),
    };
    match text {
        Some(text) => effects.push(Effect::Copy(text)),
        None => notify(state, NoticeKind::Info, "there is nothing to copy"),
    }
}

/// Whether a filter is being typed.
pub(super) fn takes_text(state: &State) -> bool {
    state.tab == Tab::Bleu && state.run().is_some() && state.bleu.typing.is_some()
}

/// A key while the filter is being typed.
pub(super) fn key(state: &mut State, key: Key) {
    let rows = bleu_rows(state);
    let view = &mut state.bleu;
    match key {
        Key::Enter => view.end_typing(true),
        Key::Esc => view.end_typing(false),
        Key::Up => view.rows.move_by(-1, rows),
        Key::Down => view.rows.move_by(1, rows),
        Key::PageUp => view.rows.move_by(-(rows as isize), rows),
        Key::PageDown => view.rows.move_by(rows as isize, rows),
        key => {
            let Some(typing) = &mut view.typing else { return };
            let before = typing.field.text().len();
            // The cursor alone changes nothing that is looked for; what is typed over changes the length.
            if typing.field.key(key) && typing.field.text().len() != before {
                let filter = Pattern::new(typing.field.text());
                view.rows.set_filter(filter);
            }
        }
    }
}

pub(super) fn pasted(state: &mut State, text: &str) {
    let view = &mut state.bleu;
    if let Some(typing) = &mut view.typing {
        typing.field.insert(text);
        let filter = Pattern::new(typing.field.text());
        view.rows.set_filter(filter);
    }
}

/// The screen has another size.
pub(super) fn resized(state: &mut State) {
    let screen = state.size;
    if let Some(page) = &mut state.bleu.page {
        page.lay_out(screen);
    }
}

/// The wheel moves what is in front, a press selects a report or a row.
pub(super) fn mouse(state: &mut State, mouse: Mouse) {
    let (screen, page) = (state.size, bleu_rows(state));
    let places = place_of_reports(state);
    let view = &mut state.bleu;
    match mouse.kind {
        MouseKind::WheelUp => step(view, -WHEEL, screen, page),
        MouseKind::WheelDown => step(view, WHEEL, screen, page),
        MouseKind::Press if view.page.is_none() => {
            let Some((reports, first_report, rows)) = places else { return };
            let cell = (mouse.column, mouse.row).into();
            if reports.contains(cell) {
                view.pane = Pane::Reports;
                let position = first_report + usize::from(mouse.row - reports.y);
                if position < view.reports().len() {
                    view.select(position);
                }
            } else if rows.contains(cell) && view.rows.all() > 0 {
                view.pane = Pane::Rows;
                let position = view.rows.top(page) + usize::from(mouse.row - rows.y);
                if position < view.rows.len() {
                    view.rows.select(position, page);
                }
            }
        }
        _ => {}
    }
}
