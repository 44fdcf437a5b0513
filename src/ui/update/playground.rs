//! What keys and the mouse do in the playground, and what it looks for. How a trial begins and ends is in `trial`, how text is typed in
//! `typing`, how the report of rows is written in `report`.

mod report;
mod trial;
mod typing;

use std::path::PathBuf;

use super::notify;
use crate::config::RunConfig;
use crate::ui::keymap::Action;
use crate::ui::message::{Effect, Key, Mouse, MouseKind};
use crate::ui::state::field::Field;
use crate::ui::state::playground::batch::Part;
use crate::ui::state::playground::examples::EXAMPLES;
use crate::ui::state::playground::settings::Row;
use crate::ui::state::playground::trial::{Finds, Quest};
use crate::ui::state::playground::{Focus, Page, Playground};
use crate::ui::state::{Activity, NoticeKind, Overlay, Question, State, Tab};
use crate::ui::view::playground as view;
use crate::units::printable;

pub(super) use report::{report_written, write_report};
use trial::{cancel, hold_paused, run, run_rows};
pub(super) use trial::{drop_trial, hear, settle};
pub use typing::edits;
pub(super) use typing::{begins_text, key, pasted, takes_paste, takes_text};

/// Lines that one turn of the wheel passes.
const WHEEL: isize = 3;
/// Where trials are kept without a run.
const NO_RUN_PLACE: &str = "runs/playground.jsonl";

/// Looks for what there is to choose from when the playground is shown, and again when that may have changed.
pub(super) fn tick(state: &mut State, effects: &mut Vec<Effect>) {
    if !state.in_playground() {
        return;
    }
    let of = |config: &RunConfig| (config.model.source.clone(), config.extract.clone());
    let set = match (state.run(), state.page.as_ref().and_then(|page| page.entry())) {
        (Some(run), _) => run.view.started.as_ref().map(|started| of(&started.config)),
        (None, Some(entry)) => entry.config().ok().map(of),
        (None, None) => None,
    };
    if let Some((source, extract)) = set {
        state.playground.default_model(&source);
        state.playground.begin_with(&extract);
    }
    if state.playground.looked {
        return;
    }
    let run = state.run().map(|run| run.folder.clone());
    let of_entry = || state.page.as_ref().and_then(|page| page.entry()).map(|entry| entry.request().base_dir);
    let beside = run.clone().or_else(of_entry).into_iter().chain([PathBuf::new()]).collect();
    let (schema, prompt) = state.playground.own_files();
    let quest = Quest { run, beside, place: place(state), schema, prompt };
    let play = &mut state.playground;
    play.looked = true;
    play.look_ticket += 1;
    effects.push(Effect::LookForPlayground { ticket: play.look_ticket, quest: Box::new(quest) });
}

/// The file that trials are kept in: with the run, or where runs go.
fn place(state: &State) -> PathBuf {
    match state.run() {
        Some(run) => run.folder.join("playground").join("trials.jsonl"),
        None => PathBuf::from(NO_RUN_PLACE),
    }
}

pub(super) fn looked(state: &mut State, ticket: u64, finds: Finds) {
    let play = &mut state.playground;
    if ticket != play.look_ticket {
        return;
    }
    let before = std::mem::replace(&mut play.finds, finds);
    // One that was kept while the file was being read.
    let newest = play.finds.trials.last().map_or(0, |trial| trial.unix_ms);
    play.finds.trials.extend(before.trials.into_iter().filter(|trial| trial.unix_ms > newest));
    play.put_own();
    let told = [Focus::Schema, Focus::Prompt].into_iter().find_map(|focus| stand_in(play, focus));
    state.revision += 1;
    if let Some(told) = told.filter(|_| state.in_playground()) {
        notify(state, NoticeKind::Bad, told);
    }
}

/// What to say where the configuration's schema or prompt could not be read, and another one stands there.
fn stand_in(play: &Playground, focus: Focus) -> Option<String> {
    let why = printable(play.stands_in(focus)?);
    let what = if focus == Focus::Schema { "schema" } else { "prompt" };
    Some(format!("not the configuration's {what}: {why}"))
}

/// Whether quitting would lose what a person may want: a trial that is being made, a text that no trial has had, rows without a report.
pub(super) fn holds_quit(state: &State) -> bool {
    let play = &state.playground;
    play.running.is_some() || play.is_unsaved() || play.batch.is_unsaved()
}

/// Carries out an action; false for one that the playground leaves to others.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    if action == Action::TabPlayground {
        enter(state);
        return true;
    }
    if action == Action::PauseOrResume && (state.playground.holds_run() || hold_paused(state)) {
        notify(state, NoticeKind::Info, "training waits for a trial, and goes on after it");
        return true;
    }
    if action == Action::PauseOrResume && state.playground.asks_run() {
        let is_paused = state.run().is_some_and(|run| run.activity() == Activity::Paused);
        let told = match is_paused {
            true => "training goes on, and pauses only while it answers",
            false => "training stays paused after this answer",
        };
        notify(state, NoticeKind::Info, told);
    }
    if !state.in_playground() {
        return false;
    }
    if matches!(action, Action::RunTrial | Action::OpenHere) && asks_for_rows(state, action == Action::RunTrial) {
        return true;
    }
    match action {
        Action::RunTrial => run_selected(state, effects),
        Action::OpenHere | Action::TypeText => enter_selected(state, action == Action::TypeText),
        Action::NextPanel => turn_focus(state, 1),
        Action::PreviousPanel => turn_focus(state, -1),
        Action::Examples => turn_page(state, Page::Examples { selected: 0 }),
        Action::Trials => turn_page(state, Page::Trials { selected: 0 }),
        Action::RowsFile => turn_page(state, Page::Rows),
        Action::RowsReport => write_report(state, false, effects),
        Action::CompareVariants => {
            let play = &mut state.playground;
            play.settings.turn(Row::Compare, 1, &play.finds);
            play.set_focus(play.focus);
            let told = format!("compare: {}", play.settings.value(Row::Compare));
            notify(state, NoticeKind::Info, told);
        }
        Action::SelectUp => step(state, -1),
        Action::SelectDown => step(state, 1),
        Action::PageUp => step(state, -page(state)),
        Action::PageDown => step(state, page(state)),
        Action::First => step(state, isize::MIN),
        Action::Last => step(state, isize::MAX),
        Action::NextValue => turn(state, 1),
        Action::PreviousValue => turn(state, -1),
        Action::Clear => back(state, effects),
        Action::Copy => copy(state, effects),
        Action::Refresh => state.playground.looked = false,
        Action::BackToStart if state.run().is_none() && state.playground.running.is_some() => being_made(state),
        Action::BackToStart if state.run().is_none() => state.playground.open = false,
        _ => return false,
    }
    lay_out(state);
    true
}

/// Whether an action of the playground makes sense now; none where others know.
pub fn is_available(action: Action, state: &State) -> Option<bool> {
    let play = &state.playground;
    let on_panels = play.page == Page::Panels;
    Some(match action {
        Action::NextValue | Action::PreviousValue => match play.page {
            Page::Panels if play.focus == Focus::Settings => play.row.is_turned(),
            Page::Panels => play.outcomes.len() > 1 && play.editor(play.focus).is_none(),
            Page::Rows => play.batch.done() > 0,
            Page::Examples { .. } | Page::Trials { .. } => false,
        },
        Action::TypeText => on_panels && play.focus != Focus::Value || play.page == Page::Rows,
        Action::NextPanel | Action::PreviousPanel => on_panels || play.page == Page::Rows,
        Action::CompareVariants => on_panels,
        Action::RowsReport => play.page == Page::Rows && play.batch.done() > 0,
        Action::TabTrain
        | Action::TabCharts
        | Action::TabLog
        | Action::TabMemory
        | Action::TabBleu
        | Action::Outcome => state.run().is_some(),
        Action::BackToStart if state.run().is_none() => true,
        Action::OpenHere => !(on_panels && play.focus == Focus::Value),
        // Without a run, only its own key leaves: Esc may have come a moment too late for a trial.
        Action::Clear => !on_panels || play.running.is_some() || play.focus == Focus::Detail || play.from_rows,
        Action::Refresh | Action::RunTrial => true,
        _ => return None,
    })
}

fn enter(state: &mut State) {
    match state.run() {
        Some(_) => state.tab = Tab::Playground,
        None if state.start_page().is_some() => state.playground.open = true,
        None => return,
    }
    lay_out(state);
}

/// What would lose a trial that is being made waits for its end.
fn being_made(state: &mut State) {
    let page = if state.playground.page == Page::Panels { "" } else { " on the panels" };
    let page = if state.playground.page == Page::Rows && state.playground.makes_rows() { "" } else { page };
    notify(state, NoticeKind::Info, format!("a trial is being made: Esc{page} cancels it"));
}

fn turn_page(state: &mut State, page: Page) {
    let play = &mut state.playground;
    let is_there = std::mem::discriminant(&play.page) == std::mem::discriminant(&page);
    play.page = if is_there { Page::Panels } else { page };
    if play.page == Page::Rows && play.batch.told() == 0 && play.running.is_none() {
        play.batch.typing = true;
    }
}

fn turn_focus(state: &mut State, by: isize) {
    let play = &mut state.playground;
    if play.page == Page::Rows {
        return play.batch.turn_part(by);
    }
    let ring = play.ring();
    let at = ring.iter().position(|&focus| focus == play.focus).unwrap_or(0) as isize;
    play.set_focus(ring[(at + by).rem_euclid(ring.len() as isize) as usize]);
    lay_out(state);
}

/// Enter, or the key that types: into a text, into a value, into an attempt, into what is selected in a list.
fn enter_selected(state: &mut State, types: bool) {
    let play = &mut state.playground;
    match (&play.page, play.focus) {
        (Page::Examples { .. } | Page::Trials { .. }, _) => take_selected(state),
        (Page::Rows, _) if types || play.batch.is_empty() => play.batch.typing = true,
        (Page::Rows, _) => {
            let Some(row) = play.batch.row(play.batch.selected) else { return };
            let label = format!("row {}", row.row);
            match row.trace.clone() {
                Some(_) if play.running.is_some() => {
                    notify(state, NoticeKind::Info, "after the rows are done: what runs has the panels");
                }
                Some(trace) => play.open_row(label, trace),
                None => {
                    notify(state, NoticeKind::Info, "of so many rows, the traces of those that passed are not kept")
                }
            }
        }
        (Page::Panels, Focus::Settings) => {
            let row = play.row;
            if row.is_typed() && (types || row != Row::Adapter || play.finds.adapters.is_empty()) {
                play.field = Some((Field::new(play.settings.typed(row)), None));
            } else if row.is_turned() {
                turn(state, 1);
            }
        }
        (Page::Panels, Focus::Attempts) => play.set_focus(Focus::Detail),
        (Page::Panels, Focus::Detail) => play.set_focus(Focus::Attempts),
        (Page::Panels, Focus::Value) => {}
        (Page::Panels, _) => play.begin_typing(),
    }
}

/// Runs what is selected in a list, or what stands in the editors.
fn run_selected(state: &mut State, effects: &mut Vec<Effect>) {
    take_selected(state);
    match state.playground.page {
        Page::Rows => run_rows(state, effects),
        _ => run(state, effects),
    }
}

/// Whether the selected trial would take the place of rows that stand in no report: then that is asked about first.
fn asks_for_rows(state: &mut State, runs: bool) -> bool {
    let play = &state.playground;
    let Page::Trials { selected } = play.page else { return false };
    let is_of_rows = play.finds.trials.iter().rev().nth(selected).is_some_and(|trial| trial.rows.is_some());
    let asks = is_of_rows && play.batch.is_unsaved() && play.running.is_none();
    if asks {
        state.overlay = Some(Overlay::Ask(Question::DropRows { runs }));
    }
    asks
}

/// Puts the selected trial back although rows are lost to it.
pub(super) fn drop_rows(state: &mut State, runs: bool, effects: &mut Vec<Effect>) {
    if runs {
        run_selected(state, effects);
    } else {
        take_selected(state);
    }
    lay_out(state);
}

/// Takes an example or a trial into the editors.
fn take_selected(state: &mut State) {
    let play = &mut state.playground;
    let loses = play.is_unsaved();
    match play.page {
        Page::Examples { selected } => {
            if let Some(example) = EXAMPLES.get(selected) {
                play.put_example(example);
                play.outcomes.clear();
            }
            play.page = Page::Panels;
            if loses {
                replaced(state);
            }
        }
        Page::Trials { selected } => {
            let Some(trial) = play.finds.trials.iter().rev().nth(selected).cloned() else { return };
            if play.running.is_some() {
                return being_made(state);
            }
            play.recall(&trial);
            if loses {
                replaced(state);
            }
        }
        Page::Panels | Page::Rows => {}
    }
}

/// What was typed and no trial had is not there any more, but not lost.
fn replaced(state: &mut State) {
    notify(state, NoticeKind::Info, "replaced: Ctrl-Z, while typing, undoes");
}

/// What a page is of what has the keys.
fn page(state: &State) -> isize {
    view::page(state)
}

/// Moves what has the keys.
fn step(state: &mut State, by: isize) {
    let limit = view::scroll_limit(state);
    let rows = page(state);
    let play = &mut state.playground;
    let moved = |at: usize, count: usize| at.saturating_add_signed(by).min(count.saturating_sub(1));
    match &mut play.page {
        Page::Examples { selected } => *selected = moved(*selected, EXAMPLES.len()),
        Page::Trials { selected } => *selected = moved(*selected, play.finds.trials.len()),
        Page::Rows if play.batch.part() == Part::Rows => play.batch.move_by(by),
        Page::Rows => {
            let by = by.clamp(-i16::MAX as isize, i16::MAX as isize) as i16;
            play.batch.scroll = play.batch.scroll.min(limit).saturating_add_signed(by).min(limit);
        }
        Page::Panels => match play.focus {
            Focus::Settings => {
                let all = play.settings.rows();
                let at = all.iter().position(|row| *row == play.row).unwrap_or(0);
                play.row = all[moved(at, all.len())];
                play.field = None;
            }
            Focus::Attempts => {
                let count = play.outcome().map_or(0, |outcome| outcome.trace.attempts.len());
                play.attempt = moved(play.attempt.min(count.saturating_sub(1)), count);
                play.scroll = 0;
                play.follows = play.running.is_some() && play.attempt + 1 == count;
            }
            Focus::Detail | Focus::Value => {
                let by = by.clamp(-i16::MAX as isize, i16::MAX as isize) as i16;
                let streams = play.focus == Focus::Detail && play.follows && play.written().is_some();
                let from = if streams && play.at_end { limit } else { play.scroll.min(limit) };
                play.scroll = from.saturating_add_signed(by).min(limit);
                play.at_end = play.scroll == limit;
            }
            focus => {
                let key = match by {
                    isize::MIN => Key::Alt('<'),
                    isize::MAX => Key::Alt('>'),
                    by if by == -rows => Key::PageUp,
                    by if by == rows => Key::PageDown,
                    by if by < 0 => Key::Up,
                    _ => Key::Down,
                };
                if let Some(editor) = play.editor_mut(focus) {
                    editor.key(key);
                }
            }
        },
    }
}

/// A setting's next value, or the other one of two outcomes.
fn turn(state: &mut State, by: isize) {
    let play = &mut state.playground;
    match (&play.page, play.focus) {
        (Page::Rows, _) => play.batch.show_all(!play.batch.all),
        (Page::Panels, Focus::Settings) => {
            let row = play.row;
            match row {
                Row::Schema => play.turn_schema(by),
                row => play.settings.turn(row, by, &play.finds),
            }
            // Whoever answers, the row that was turned stays.
            play.set_focus(Focus::Settings);
        }
        (Page::Panels, _) if play.outcomes.len() > 1 => {
            play.side = (play.side + 1) % play.outcomes.len();
            (play.attempt, play.scroll, play.follows) = (0, 0, false);
        }
        _ => {}
    }
}

/// Esc: out of what is in front, one at a time; a trial that is being made is cancelled.
fn back(state: &mut State, effects: &mut Vec<Effect>) {
    let play = &mut state.playground;
    if play.page != Page::Panels && !(play.page == Page::Rows && play.makes_rows()) {
        play.page = Page::Panels;
    } else if play.running.is_some() {
        cancel(state, effects);
    } else if play.focus == Focus::Detail {
        play.set_focus(Focus::Attempts);
    } else if play.from_rows {
        play.leave_row();
        play.page = Page::Rows;
    }
}

fn copy(state: &mut State, effects: &mut Vec<Effect>) {
    let play = &state.playground;
    let attempt = || play.outcome().and_then(|outcome| outcome.trace.attempts.get(play.attempt));
    let text = match play.focus {
        Focus::Value | Focus::Settings => {
            let value = play.outcome().and_then(|outcome| outcome.trace.value.as_ref());
            value.and_then(|value| serde_json::to_string_pretty(value).ok())
        }
        Focus::Attempts | Focus::Detail => attempt().map(|attempt| match &attempt.output {
            serde_json::Value::String(text) => text.clone(),
            value => serde_json::to_string_pretty(value).unwrap_or_default(),
        }),
        focus => play.editor(focus).map(|editor| editor.text()),
    };
    match text.filter(|text| !text.is_empty()) {
        Some(text) => effects.push(Effect::Copy(text)),
        None => notify(state, NoticeKind::Info, "there is nothing to copy"),
    }
}

/// A press gives the keys to a panel, and puts the cursor into its text; the wheel moves what has them.
pub(super) fn mouse(state: &mut State, mouse: Mouse) {
    match mouse.kind {
        MouseKind::WheelUp => step(state, -WHEEL),
        MouseKind::WheelDown => step(state, WHEEL),
        MouseKind::Press if state.playground.page == Page::Panels => {
            let cell = (mouse.column, mouse.row).into();
            let Some((focus, _)) = view::places(state).into_iter().find(|(_, area)| area.contains(cell)) else {
                return;
            };
            state.playground.set_focus(focus);
            state.playground.field = None;
            lay_out(state);
            let text = view::text_places(state).into_iter().find(|(at, area)| *at == focus && area.contains(cell));
            if let Some((_, area)) = text {
                state.playground.begin_typing();
                lay_out(state);
                if let Some(editor) = state.playground.editor_mut(focus) {
                    editor.click(mouse.column - area.x, mouse.row - area.y);
                }
            }
        }
        MouseKind::Press => {
            if let Some(part) = view::part_at(state, (mouse.column, mouse.row).into()) {
                state.playground.batch.set_part(part);
            }
        }
        _ => {}
    }
    lay_out(state);
}

/// The editors know how large they are on the screen.
pub(super) fn lay_out(state: &mut State) {
    if !state.in_playground() {
        return;
    }
    for (focus, area) in view::text_places(state) {
        if let Some(editor) = state.playground.editor_mut(focus) {
            editor.resize(area.width, area.height);
        }
    }
}
