//! What happens on the screen when a run is out of memory: the card comes up where the run asks, keys choose a lever, what was applied is told.

use crate::config::OnOom;
use crate::event::{Command, OutOfMemory, RunEvent};
use crate::memory::triage::Origin;
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::message::{Effect, Key};
use crate::ui::state::oom::Card;
use crate::ui::state::{NoticeKind, Overlay, Question, RunStage, State};
use crate::ui::view::oom::{change, command};
use crate::units::printable;

use super::{act, notify, takes_text, with_run};

/// So long a card that came by itself takes no Enter.
const NOT_MEANT_MS: u64 = 700;

/// Folds what the event means for the question whether the run waits, at a moment of the screen's own clock.
pub(super) fn heard(run: &mut RunStage, event: &RunEvent, event_ms: i64, is_history: bool) {
    let asks = match event {
        RunEvent::OutOfMemory(oom) => {
            run.oom.heard += 1;
            oom.applied.is_none() && oom.origin != Some(Origin::Killed) && !is_history && is_asked(run)
        }
        // It works again, or not any more.
        RunEvent::MicroBatchDone(_) | RunEvent::StepDone(_) | RunEvent::RunStarted(_) | RunEvent::RunFinished(_) => {
            false
        }
        _ => return,
    };
    run.oom.applying = None;
    if asks {
        // While it waits for somebody it is not at work.
        run.pauses.begin(run.own_ms(event_ms));
    } else if run.oom.asks {
        run.go_on(event_ms);
    }
    run.oom.asks = asks;
}

fn is_asked(run: &RunStage) -> bool {
    run.view.started.as_ref().is_none_or(|started| started.config.memory.on_oom == OnOom::Ask)
}

/// Shows what has just happened: the card where the run asks, a notice where it helped itself.
pub(super) fn show(state: &mut State, oom: &OutOfMemory) {
    let Some(run) = state.run() else { return };
    let card = run.newest_card(state.clock.ms + NOT_MEANT_MS);
    let (asks, is_own) = (run.oom.asks, run.owned);
    if let Some(id) = &oom.applied {
        if matches!(state.overlay, Some(Overlay::OutOfMemory(_))) {
            state.overlay = None;
        }
        let what = oom.levers.iter().find(|l| l.id == *id).and_then(|l| l.changes.first()).map(change);
        let what = what.map(|what| format!(": {what}")).unwrap_or_default();
        let goes_on = match oom.rehearsal {
            true => "the run begins".to_owned(),
            false => format!("goes on at step {}", format::count(oom.step)),
        };
        let text = format!("{} applied{what}, {goes_on}", printable(id));
        return notify(state, NoticeKind::Good, text);
    }
    if !asks {
        return;
    }
    if !is_own || takes_text(state) || matches!(state.overlay, Some(Overlay::Ask(_))) {
        // What is typed, or asked, goes first; and of a run of somebody else the card comes when it is wanted.
        let key = state.keymap.letter(Action::OomCard).map(|key| format!(", {key} opens the card")).unwrap_or_default();
        return notify(state, NoticeKind::Bad, format!("out of memory: the run waits{key}"));
    }
    state.overlay = card.map(Overlay::OutOfMemory);
}

pub(super) fn open(state: &mut State) {
    let ms = state.clock.ms;
    state.overlay = state.run().and_then(|run| run.newest_card(ms)).map(Overlay::OutOfMemory);
}

/// A key while the card is open: false for one that is not its own.
pub(super) fn key(state: &mut State, card: Card, key: Key, effects: &mut Vec<Effect>) -> bool {
    let Some(run) = state.run() else { return false };
    let Some(oom) = run.oom(card.at) else { return false };
    let last = oom.levers.len().saturating_sub(1);
    let lever = oom.levers.get(card.selected.min(last));
    let moved = |state: &mut State, card: Card| {
        state.overlay = Some(Overlay::OutOfMemory(card));
        true
    };
    let fresh = |run: &RunStage, at: usize| {
        let newest = run.newest_card(card.ready_ms);
        newest.filter(|newest| newest.at == at).unwrap_or(Card { at, selected: 0, ..card })
    };
    match key {
        Key::Esc => {
            let waits = run.waits();
            state.overlay = None;
            if waits {
                let key = state.keymap.letter(Action::OomCard).map(|key| format!(", {key} opens the card"));
                let text = format!("waits: out of memory{}", key.unwrap_or_default());
                notify(state, NoticeKind::Info, text);
            }
            return true;
        }
        Key::Enter => {
            choose(state, card, effects);
            return true;
        }
        Key::Left if card.at > 0 => {
            let card = fresh(run, card.at - 1);
            return moved(state, card);
        }
        Key::Right if card.at + 1 < run.view.ooms.len() => {
            let card = fresh(run, card.at + 1);
            return moved(state, card);
        }
        Key::Left | Key::Right => return true,
        _ => {}
    }
    // Here is something to copy, whatever the key would do to a chart.
    if state.keymap.keys(Action::Copy).contains(&key) {
        effects.extend(lever.map(|lever| Effect::Copy(command(run, lever))));
        return true;
    }
    let selected = match state.keymap.action(key, state) {
        Some(Action::SelectUp) => card.selected.min(last).saturating_sub(1),
        Some(Action::SelectDown) => (card.selected + 1).min(last),
        Some(Action::First) => 0,
        Some(Action::Last) => last,
        Some(Action::OomCard) => {
            state.overlay = None;
            return true;
        }
        Some(Action::Stop | Action::PauseOrResume) if run.waits() => {
            let action = state.keymap.action(key, state).unwrap_or(Action::Stop);
            act(state, action, effects);
            return true;
        }
        _ => return false,
    };
    moved(state, Card { selected, ..card })
}

/// Sends the selected lever to the run, or says why that cannot be.
fn choose(state: &mut State, card: Card, effects: &mut Vec<Effect>) {
    if state.clock.ms < card.ready_ms {
        return notify(state, NoticeKind::Info, "the run is out of memory: choose first, then Enter");
    }
    let Some(run) = state.run() else { return };
    let levers = run.oom(card.at).map(|oom| oom.levers.as_slice()).unwrap_or_default();
    let Some(lever) = levers.get(card.selected.min(levers.len().saturating_sub(1))) else {
        return notify(state, NoticeKind::Info, "there is no lever to apply");
    };
    let copies = state.keymap.letter(Action::Copy).map(|key| format!(": {key} copies the command")).unwrap_or_default();
    if run.applying().is_some() {
        return notify(state, NoticeKind::Info, "the run has been told already");
    }
    if !run.takes(card, lever) {
        let why = match run.waits() {
            true if run.needs_new_run(lever) => "the adapter that was begun does not fit it, a new run does",
            true => "that one was answered before",
            false => "the run does not wait for it now",
        };
        return notify(state, NoticeKind::Info, format!("{why}{copies}"));
    }
    let id = lever.id.clone();
    with_run(state, |run, _| run.oom.applying = Some(id.clone()));
    effects.push(Effect::Send(Command::ApplyLever { id }));
}

/// The run answered a lever: what it did is told by its next event.
pub(super) fn answered(run: &mut RunStage) {
    run.oom.applying = None;
}

/// What was asked over the card is answered: it comes back while the run waits.
pub(super) fn back_to_card(state: &mut State, question: Question) {
    if matches!(question, Question::Stop | Question::StopAndQuit) && state.run().is_some_and(RunStage::waits) {
        open(state);
    }
}
