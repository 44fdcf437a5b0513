//! What keys, pasted text and the mouse do in the playground, how a trial begins and ends, and how training waits for it meanwhile.

use std::path::{Path, PathBuf};

use super::{notify, with_run};
use crate::config::RunConfig;
use crate::event::Command;
use crate::extract::schema::Schema;
use crate::ui::keymap::Action;
use crate::ui::message::{Effect, Key, Mouse, MouseKind};
use crate::ui::state::field::Field;
use crate::ui::state::playground::examples::EXAMPLES;
use crate::ui::state::playground::settings::Row;
use crate::ui::state::playground::trial::{Compare, Finds, News, Outcome, Quest, Who};
use crate::ui::state::playground::{Focus, Hold, Page, Phase, Playground};
use crate::ui::state::{Activity, NoticeKind, RunStage, State, Tab};
use crate::ui::view::playground as view;
use crate::units::printable;

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
    state.revision += 1;
}

/// Whether letters are text.
pub(super) fn takes_text(state: &State) -> bool {
    let play = &state.playground;
    let types = match play.page {
        Page::Panels => play.typing || play.field.is_some(),
        Page::Rows => play.batch.typing,
        Page::Examples { .. } | Page::Trials { .. } => false,
    };
    types && state.in_playground()
}

/// Whether a text of several lines has the keys: there, what suspends elsewhere takes back.
pub fn edits(state: &State) -> bool {
    takes_text(state) && state.playground.page == Page::Panels && state.playground.field.is_none()
}

/// Whether quitting would lose what a person may want: a trial that is being made, a text that no trial has had.
pub(super) fn holds_quit(state: &State) -> bool {
    state.playground.running.is_some() || state.playground.is_unsaved()
}

/// A letter that is no command is the first of a text, where a text has the keys; whether it was.
pub(super) fn begins_text(state: &mut State, letter: Key) -> bool {
    let is_letter = matches!(letter, Key::Char(c) if !c.is_control());
    if !is_letter || state.overlay.is_some() || !takes_paste(state) {
        return false;
    }
    state.playground.typing = true;
    key(state, letter, &mut Vec::new());
    true
}

/// A key while something is typed.
pub(super) fn key(state: &mut State, key: Key, effects: &mut Vec<Effect>) {
    let runs = key.types_nothing() && state.keymap.keys(Action::RunTrial).contains(&key);
    let play = &mut state.playground;
    if play.page == Page::Rows {
        match key {
            Key::Esc => play.batch.typing = false,
            key if key == Key::Enter || runs => run_rows(state, effects),
            key => _ = play.batch.path.key(key),
        }
        return;
    }
    if let Some((field, problem)) = &mut play.field {
        match key {
            Key::Esc => play.field = None,
            Key::Enter => play.take_typed(),
            key if runs || key == Key::Tab || key == Key::BackTab => {
                play.take_typed();
                if play.field.is_none() && runs {
                    run(state, effects);
                }
            }
            key => {
                field.key(key);
                *problem = None;
            }
        }
        return lay_out(state);
    }
    if runs {
        return run(state, effects);
    }
    let focus = play.focus;
    let Some(editor) = play.editor_mut(focus) else {
        play.typing = false;
        return;
    };
    match key {
        Key::Tab => return turn_focus(state, 1),
        Key::BackTab => return turn_focus(state, -1),
        // What was selected is let go of first.
        Key::Esc => {
            if !editor.key(Key::Esc) {
                play.typing = false;
            }
        }
        key => _ = editor.key(key),
    }
    told_by_editor(state, focus);
}

pub(super) fn pasted(state: &mut State, text: &str) {
    let play = &mut state.playground;
    let focus = play.focus;
    if play.page == Page::Rows {
        play.batch.path.insert(text);
    } else if let Some((field, problem)) = &mut play.field {
        field.insert(text);
        *problem = None;
    } else if let Some(editor) = play.editor_mut(focus) {
        editor.paste(text);
        told_by_editor(state, focus);
    }
}

/// Pasted text goes into a text that is shown, also where nobody types yet.
pub(super) fn takes_paste(state: &State) -> bool {
    let play = &state.playground;
    takes_text(state) || state.in_playground() && play.page == Page::Panels && play.editor(play.focus).is_some()
}

fn told_by_editor(state: &mut State, focus: Focus) {
    let told = state.playground.editor(focus).and_then(|editor| editor.notice()).map(str::to_owned);
    if let Some(told) = told {
        notify(state, NoticeKind::Info, told);
    }
}

/// Carries out an action; false for one that the playground leaves to others.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    if action == Action::TabPlayground {
        enter(state);
        return true;
    }
    if action == Action::PauseOrResume && state.playground.holds_run() {
        notify(state, NoticeKind::Info, "training waits for a trial, and goes on after it");
        return true;
    }
    if !state.in_playground() {
        return false;
    }
    match action {
        Action::RunTrial => match state.playground.page {
            Page::Rows => run_rows(state, effects),
            Page::Trials { .. } | Page::Examples { .. } => {
                take_selected(state);
                run(state, effects);
            }
            Page::Panels => run(state, effects),
        },
        Action::OpenHere | Action::TypeText => enter_selected(state, action == Action::TypeText),
        Action::NextPanel => turn_focus(state, 1),
        Action::PreviousPanel => turn_focus(state, -1),
        Action::Examples => turn_page(state, Page::Examples { selected: 0 }),
        Action::Trials => turn_page(state, Page::Trials { selected: 0 }),
        Action::RowsFile => turn_page(state, Page::Rows),
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
        Action::BackToStart if state.run().is_none() => close(state, effects),
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
        Action::NextPanel | Action::PreviousPanel | Action::CompareVariants => on_panels,
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

/// Back to the start page: nobody looks at the trial any more.
fn close(state: &mut State, effects: &mut Vec<Effect>) {
    drop_trial(state, effects);
    state.playground.open = false;
}

fn turn_page(state: &mut State, page: Page) {
    let play = &mut state.playground;
    let is_there = std::mem::discriminant(&play.page) == std::mem::discriminant(&page);
    play.page = if is_there { Page::Panels } else { page };
    if play.page == Page::Rows && play.batch.done() == 0 && play.running.is_none() {
        play.batch.typing = true;
    }
}

fn turn_focus(state: &mut State, by: isize) {
    let play = &mut state.playground;
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
                Some(trace) => {
                    play.outcomes = vec![Outcome { label, trace }];
                    (play.side, play.attempt, play.page, play.follows) = (0, 0, Page::Panels, true);
                    play.from_rows = true;
                    play.set_focus(Focus::Attempts);
                }
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
        (Page::Panels, _) => play.typing = true,
    }
}

/// Takes an example or a trial into the editors.
fn take_selected(state: &mut State) {
    let play = &mut state.playground;
    match play.page {
        Page::Examples { selected } => {
            if let Some(example) = EXAMPLES.get(selected) {
                play.put_example(example);
                play.outcomes.clear();
            }
        }
        Page::Trials { selected } => {
            let Some(trial) = play.finds.trials.iter().rev().nth(selected).cloned() else { return };
            if play.running.is_some() {
                return notify(state, NoticeKind::Info, "a trial is being made: Esc cancels it");
            }
            play.recall(&trial);
        }
        Page::Panels | Page::Rows => return,
    }
    play.page = Page::Panels;
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
        Page::Rows => play.batch.move_by(by),
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
    if play.page != Page::Panels && !(play.page == Page::Rows && play.running.is_some()) {
        play.page = Page::Panels;
    } else if play.running.is_some() {
        cancel(state, effects);
    } else if play.focus == Focus::Detail {
        play.set_focus(Focus::Attempts);
    } else if play.from_rows {
        (play.page, play.from_rows) = (Page::Rows, false);
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
            if let (Some((_, area)), Some(editor)) = (text, state.playground.editor_mut(focus)) {
                editor.click(mouse.column - area.x, mouse.row - area.y);
                state.playground.typing = true;
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

/// The rows of the file that is named.
fn run_rows(state: &mut State, effects: &mut Vec<Effect>) {
    let path = state.playground.batch.path.text().trim().to_owned();
    if path.is_empty() {
        state.playground.batch.typing = true;
        return notify(state, NoticeKind::Info, "name a file of rows: JSON lines with \"text\" or \"prompt\"");
    }
    start(state, Some(PathBuf::from(path)), effects);
}

fn run(state: &mut State, effects: &mut Vec<Effect>) {
    start(state, None, effects);
}

/// Begins a trial, once whatever stands against it is gone.
fn start(state: &mut State, rows: Option<PathBuf>, effects: &mut Vec<Effect>) {
    match try_start(state, rows, effects) {
        // What was told of the one before holds no more.
        Ok(()) => state.notice = None,
        Err(why) => {
            // The footer forgets; the panel of what came of it does not.
            if state.playground.running.is_none() {
                state.playground.failure = Some(why.clone());
            }
            notify(state, NoticeKind::Bad, why);
        }
    }
}

fn try_start(state: &mut State, rows: Option<PathBuf>, effects: &mut Vec<Effect>) -> Result<(), String> {
    let place = place(state);
    let now_ms = state.clock.ms;
    if state.playground.running.is_some() {
        return Err("a trial is being made already: Esc cancels it".into());
    }
    check(&mut state.playground, rows.as_deref())?;
    let local = state.playground.settings.who == Who::Local;
    let run = state.run().filter(|run| run.is_live());
    if state.playground.settings.who == Who::Run && run.is_none() {
        return Err("no run trains here: let another one answer, see the settings".into());
    }
    // A run of another process has its own memory, and is not ours to hold.
    let own = run.filter(|run| run.owned && local);
    let phase = match own.map(RunStage::activity) {
        Some(Activity::Loading) => return Err("the run is still being loaded: try again when it trains".into()),
        Some(Activity::Stopping) => return Err("the run is stopping: try again when it has ended".into()),
        None | Some(Activity::Paused | Activity::Waiting | Activity::Finished(_) | Activity::Interrupted) => {
            Phase::Loading(None)
        }
        Some(Activity::Running | Activity::Pausing) => Phase::Pausing,
    };
    if own.is_some_and(|run| run.control.pausing == Some(Command::Resume)) {
        return Err("training is about to go on: try again in a moment".into());
    }
    let must_hold = own.is_some_and(|run| run.activity() == Activity::Running);
    // While a run trains, memory is its own.
    let ask = state.playground.ask(place, own.is_none(), rows);
    let starts = phase != Phase::Pausing;
    let play = &mut state.playground;
    play.begin(ask.clone(), phase, now_ms);
    (play.typing, play.batch.typing, play.field) = (false, false, None);
    if play.page != Page::Rows {
        play.page = Page::Panels;
        let is_before = play.editor(play.focus).is_some() || play.focus == Focus::Settings;
        if is_before && !view::shows_all(state.size) {
            play.set_focus(Focus::Attempts);
        }
    }
    if starts {
        effects.push(Effect::RunTrial { ticket: state.playground.ticket, ask: Box::new(ask) });
    } else if must_hold {
        state.playground.hold = Hold::Asked;
        with_run(state, |run, _| run.control.pausing = Some(Command::Pause));
        effects.push(Effect::Send(Command::Pause));
    }
    lay_out(state);
    Ok(())
}

/// What is wrong with a trial before anything is asked.
fn check(play: &mut Playground, rows: Option<&Path>) -> Result<(), String> {
    if let Err(why) = Schema::parse(&play.schema.text()) {
        play.set_focus(Focus::Schema);
        play.page = Page::Panels;
        return Err(printable(&why.to_string()));
    }
    let settings = &play.settings;
    if rows.is_none() && play.text.is_empty() {
        play.set_focus(Focus::Text);
        return Err("there is no text: type or paste one, or take an example".into());
    }
    match settings.who {
        Who::Local if settings.model.is_empty() => Err("no model: name one in the settings".into()),
        Who::Local if settings.compare == Compare::Adapter && settings.adapter.folder.is_none() && rows.is_none() => {
            Err("base beside adapter: choose an adapter in the settings".into())
        }
        Who::Openai if settings.server_model.is_empty() || settings.base_url.is_empty() => {
            Err("a server needs its base URL, and its name for the model: see the settings".into())
        }
        Who::Given if rows.is_some() => Err("rows are asked of a model: choose who answers in the settings".into()),
        _ => Ok(()),
    }
}

/// Wants no more of the trial. What holds the model says when it has let go of it.
fn cancel(state: &mut State, effects: &mut Vec<Effect>) {
    let play = &mut state.playground;
    let Some(running) = &mut play.running else { return };
    if running.phase == Phase::Pausing {
        play.running = None;
        if play.hold == Hold::Asked {
            play.hold = Hold::Unwanted;
        }
        return notify(state, NoticeKind::Info, "cancelled");
    }
    if !std::mem::replace(&mut running.cancelled, true) {
        effects.push(Effect::CancelTrial);
    }
}

/// The run is left, or another one comes: nobody waits for the trial.
pub(super) fn drop_trial(state: &mut State, effects: &mut Vec<Effect>) {
    cancel(state, effects);
    let play = &mut state.playground;
    play.running = None;
    // What still comes of it is for nobody.
    play.ticket += 1;
    release(state, effects);
}

/// What is told of a trial.
pub(super) fn hear(state: &mut State, ticket: u64, news: News, effects: &mut Vec<Effect>) {
    if ticket != state.playground.ticket || state.playground.running.is_none() {
        return;
    }
    state.revision += 1;
    if let News::Kept(Err(why)) = &news {
        let why = format!("the trial was not kept: {}", printable(why));
        notify(state, NoticeKind::Bad, why);
    }
    let cancelled = state.playground.running.as_ref().is_some_and(|running| running.cancelled);
    if state.playground.hear(news) {
        if cancelled {
            state.playground.failure = None;
            notify(state, NoticeKind::Info, "cancelled");
        } else if let Some(why) = state.playground.failure.clone() {
            notify(state, NoticeKind::Bad, printable(&why));
        }
        release(state, effects);
    }
}

/// Training goes on, where it waited for a trial alone.
fn release(state: &mut State, effects: &mut Vec<Effect>) {
    match state.playground.hold {
        Hold::No | Hold::Unwanted => return,
        Hold::Asked => {
            state.playground.hold = Hold::Unwanted;
            return;
        }
        Hold::Held => state.playground.hold = Hold::No,
    }
    if state.run().is_some_and(|run| run.owned && run.is_live() && run.activity() == Activity::Paused) {
        with_run(state, |run, _| run.control.pausing = Some(Command::Resume));
        effects.push(Effect::Send(Command::Resume));
    }
}

/// After every message: whether training has paused for the trial that waits for it, or has ended.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    let waits = state.playground.running.as_ref().is_some_and(|running| running.phase == Phase::Pausing);
    if !waits && state.playground.hold == Hold::No {
        return;
    }
    let own = state.run().filter(|run| run.owned && run.is_live());
    let is_paused = own.is_some_and(|run| matches!(run.activity(), Activity::Paused | Activity::Waiting));
    // It was told to pause, or to stop, and has not done so yet.
    let is_asked = own.is_some_and(|run| run.control.pausing == Some(Command::Pause) || run.control.stops > 0);
    let (is_gone, play) = (own.is_none(), &mut state.playground);
    if is_gone {
        play.hold = Hold::No;
    }
    match play.hold {
        Hold::Unwanted if is_paused => {
            play.hold = Hold::Held;
            return release(state, effects);
        }
        Hold::Unwanted if !is_asked => play.hold = Hold::No,
        Hold::Asked if is_paused => play.hold = Hold::Held,
        _ => {}
    }
    if !waits {
        return;
    }
    let play = &mut state.playground;
    if is_gone || is_paused {
        let ticket = play.ticket;
        let Some(running) = &mut play.running else { return };
        running.phase = Phase::Loading(None);
        running.ask.keep_model = is_gone;
        effects.push(Effect::RunTrial { ticket, ask: Box::new(running.ask.clone()) });
        state.revision += 1;
    } else if !is_asked {
        play.running = None;
        play.hold = Hold::No;
        play.failure = Some("training did not pause for the trial".into());
        state.revision += 1;
    }
}
