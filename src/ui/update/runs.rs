//! What keys do while another run is chosen, and what happens when it was read.

use crate::ui::keymap::Action;
use crate::ui::message::{Effect, Key};
use crate::ui::state::chart::Other;
use crate::ui::state::run::RunView;
use crate::ui::state::runs::{FoundRun, RunPicker};
use crate::ui::state::{NoticeKind, Overlay, State};
use crate::units::printable;

use super::notify;

/// Opens the choice; the runs are looked for meanwhile.
pub fn open(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(run) = state.run() else { return };
    effects.push(Effect::ListRuns { beside: run.folder.clone() });
    state.overlay = Some(Overlay::Runs(RunPicker::default()));
}

pub fn listed(state: &mut State, runs: Vec<FoundRun>) {
    if let Some(Overlay::Runs(picker)) = &mut state.overlay {
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
            let Some(FoundRun { folder, name }) = chosen else { return };
            state.overlay = None;
            notify(state, NoticeKind::Info, format!("reading {}", printable(&name)));
            effects.push(Effect::ReadRun { folder, name });
        }
        Some(Action::Clear | Action::Compare | Action::Quit) => state.overlay = None,
        _ => {}
    }
}

/// The other run is there, or why not.
pub fn read(state: &mut State, name: String, result: Result<Box<RunView>, String>) {
    let Some(run) = state.run() else { return };
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
