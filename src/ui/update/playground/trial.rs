//! How a trial begins and ends, what is told of it meanwhile, and how training waits for it. Keys are in `super`, what is typed in `typing`.

use std::path::{Path, PathBuf};

use super::{lay_out, place, stand_in};
use crate::event::Command;
use crate::ui::message::Effect;
use crate::ui::state::playground::trial::{CANCELLED_THERE, Compare, News, TrialAsk, Who};
use crate::ui::state::playground::{Focus, Hold, Page, Phase, Playground};
use crate::ui::state::{Activity, NoticeKind, RunStage, State};
use crate::ui::update::{notify, with_run};
use crate::ui::view::playground as view;
use crate::units::printable;

/// The rows of the file that is named.
pub(super) fn run_rows(state: &mut State, effects: &mut Vec<Effect>) {
    let path = state.playground.batch.path.text().trim().to_owned();
    if path.is_empty() {
        state.playground.batch.typing = true;
        return notify(state, NoticeKind::Info, "name a file of rows: JSON lines with \"text\" or \"prompt\"");
    }
    start(state, Some(PathBuf::from(path)), effects);
}

pub(super) fn run(state: &mut State, effects: &mut Vec<Effect>) {
    // What is asked with is what stands there.
    if state.playground.running.is_none() && state.playground.row_text.take().is_some() {
        state.playground.set_focus(Focus::Text);
        lay_out(state);
        return notify(state, NoticeKind::Info, "your own text is back: once more asks with it");
    }
    start(state, None, effects);
}

/// Begins a trial, once whatever stands against it is gone.
fn start(state: &mut State, rows: Option<PathBuf>, effects: &mut Vec<Effect>) {
    let is_rows = rows.is_some();
    match try_start(state, rows, effects) {
        // What was told of the one before holds no more.
        Ok(()) => state.notice = None,
        Err(why) => {
            // The footer forgets; the panel of what came of it does not.
            let play = &mut state.playground;
            if play.running.is_none() {
                *(if is_rows { &mut play.batch.failure } else { &mut play.failure }) = Some(why.clone());
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
    let limit_bytes = own.and_then(|run| run.view.memory.limit_bytes);
    let ask = TrialAsk { limit_bytes, ..state.playground.ask(place, own.is_none(), rows) };
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
    if let Some(why) = play.schema_is_wrong() {
        play.set_focus(Focus::Schema);
        // The page of rows says it itself.
        if rows.is_none() {
            play.page = Page::Panels;
        }
        return Err(why);
    }
    if play.awaits_own() {
        return Err("the configuration's schema or prompt is being read: try again in a moment".into());
    }
    // What a person did not choose is not asked with before it was said; whoever wants it so asks again.
    let asks = play.settings.who != Who::Given;
    let focuses = [Some(Focus::Schema), Some(Focus::Prompt).filter(|_| asks)];
    let stands_in = focuses.into_iter().flatten().find_map(|focus| Some((focus, stand_in(play, focus)?)));
    if let Some((focus, why)) = stands_in.filter(|_| !play.stand_in_told) {
        play.stand_in_told = true;
        if rows.is_none() {
            play.set_focus(focus);
        }
        return Err(format!("once more asks all the same; {why}"));
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

/// A run that a person paused is to go on, but a trial has the memory now: it goes on after that. Whether it is so.
pub(super) fn hold_paused(state: &mut State) -> bool {
    let is_local = state.playground.running.as_ref().is_some_and(|running| running.ask.settings.who == Who::Local);
    let is_paused = state.run().is_some_and(|run| run.owned && run.activity() == Activity::Paused);
    if is_local && is_paused {
        state.playground.hold = Hold::Held;
    }
    is_local && is_paused
}

/// Wants no more of the trial. What holds the model says when it has let go of it.
pub(super) fn cancel(state: &mut State, effects: &mut Vec<Effect>) {
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
pub(in crate::ui::update) fn drop_trial(state: &mut State, effects: &mut Vec<Effect>) {
    cancel(state, effects);
    let play = &mut state.playground;
    play.running = None;
    // What still comes of it is for nobody.
    play.ticket += 1;
    release(state, effects);
}

/// What is told of a trial.
pub(in crate::ui::update) fn hear(state: &mut State, ticket: u64, news: News, effects: &mut Vec<Effect>) {
    if ticket != state.playground.ticket || state.playground.running.is_none() {
        return;
    }
    state.revision += 1;
    if let News::Kept(Err(why)) = &news {
        let why = format!("the trial was not kept: {}", printable(why));
        notify(state, NoticeKind::Bad, why);
    }
    let cancelled = state.playground.running.as_ref().is_some_and(|running| running.cancelled);
    // A run that stops answers nobody any more: nobody told it to cancel.
    let stops =
        state.run().is_none_or(|run| !run.is_live() || run.control.stops > 0 || run.activity() == Activity::Stopping);
    let news = match news {
        News::Over(Err(why)) if stops => News::Over(Err(why.replace(CANCELLED_THERE, "the run was stopped"))),
        news => news,
    };
    let now_ms = state.clock.ms;
    let is_rows = state.playground.makes_rows();
    if is_rows && matches!(news, News::Asked(_)) {
        state.playground.batch.asked_at(now_ms);
    }
    if let Some(over) = state.playground.hear(news, now_ms) {
        if is_rows {
            state.playground.batch.ended_at(now_ms);
        }
        match over {
            _ if cancelled => notify(state, NoticeKind::Info, "cancelled"),
            Err(why) => notify(state, NoticeKind::Bad, printable(&why)),
            Ok(()) => {}
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
pub(in crate::ui::update) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
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
        let is_rows = play.running.take().is_some_and(|running| running.ask.rows.is_some());
        play.hold = Hold::No;
        let failure = if is_rows { &mut play.batch.failure } else { &mut play.failure };
        *failure = Some("training did not pause for the trial".into());
        state.revision += 1;
    }
}
