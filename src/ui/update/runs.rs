//! What keys do while another run is chosen, and what happens when it was read.

use crate::ui::keymap::Action;
use crate::ui::message::{Effect, Key};
use crate::ui::state::chart::Other;
use crate::ui::state::run::RunView;
use crate::ui::state::runs::{FoundRun, RunPicker};
use crate::ui::state::{NoticeKind, Overlay, State, Tab};
use crate::units::printable;

use super::{bleu, notify};

/// Opens the choice; the runs are looked for meanwhile.
pub fn open(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(beside) = state.run().map(|run| run.folder.clone()) else { return };
    effects.push(Effect::ListRuns { ticket: next_ticket(state), beside });
    state.overlay = Some(Overlay::Runs(RunPicker::default()));
}

/// What is asked from now on has another ticket than what is on its way: an answer counts only as long as nothing came after its question.
pub fn next_ticket(state: &mut State) -> u64 {
    state.ticket += 1;
    state.ticket
}

pub fn listed(state: &mut State, ticket: u64, runs: Vec<FoundRun>) {
    if let Some(Overlay::Runs(picker)) = &mut state.overlay
        && ticket == state.ticket
    {
        picker.runs = Some(runs);
    }
}

pub fn key(state: &mut State, key: Key, effects: &mut Vec<Effect>) {
    let action = match key {
        Key::Enter => Some(Action::Open),
        Key::Esc => Some(Action::Clear),
        key => state.keymap.action(key, state),
    };
    let Some(Overlay::Runs(picker)) = &mut state.overlay else { return };
    let last = picker.runs.as_ref().map_or(0, |runs| runs.len().saturating_sub(1));
    match action {
        Some(Action::SelectUp) => picker.selected = picker.selected.saturating_sub(1),
        Some(Action::SelectDown) => picker.selected = (picker.selected + 1).min(last),
        Some(Action::PageUp) => picker.selected = picker.selected.saturating_sub(10),
        Some(Action::PageDown) => picker.selected = (picker.selected + 10).min(last),
        Some(Action::First) => picker.selected = 0,
        Some(Action::Last) => picker.selected = last,
        Some(Action::Open) => {
            let chosen = picker.runs.as_ref().and_then(|runs| runs.get(picker.selected)).cloned();
            let Some(FoundRun { folder, name, .. }) = chosen else { return };
            state.overlay = None;
            notify(state, NoticeKind::Info, format!("reading {}", printable(&name)));
            if state.tab == Tab::Bleu {
                return bleu::beside(state, folder, name, effects);
            }
            effects.push(Effect::ReadRun { ticket: next_ticket(state), folder, name });
        }
        Some(Action::Clear | Action::Compare | Action::Quit) => state.overlay = None,
        _ => {}
    }
}

/// The other run is there, or why not.
pub fn read(state: &mut State, ticket: u64, name: String, result: Result<Box<RunView>, String>) {
    let Some(run) = state.run().filter(|_| ticket == state.ticket) else { return };
    match result {
        Ok(mut view) if !view.loss.is_empty() || !view.evals.is_empty() => {
            view.set_smoothing(run.view.smoothing());
            let told = format!("beside {}", printable(&name));
            state.chart.other = Some(Box::new(Other { name, view: *view }));
            notify(state, NoticeKind::Good, told);
        }
        Ok(_) => notify(state, NoticeKind::Bad, format!("{} has no step yet", printable(&name))),
        Err(why) => notify(state, NoticeKind::Bad, printable(&why)),
    }
}
