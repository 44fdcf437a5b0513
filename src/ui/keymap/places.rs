//! Where actions make sense: the places of the screen, the groups of actions that belong to each, and what an action asks for besides its
//! place. `user` lets two actions share a key where they have no place in common.

use super::Action;
use crate::ui::message::Key;
use crate::ui::state::start::{Entry, Pane, StartPage, choices};
use crate::ui::state::{Activity, RunStage, Stage, State, Tab};
use crate::ui::update::{plan, playground};

/// Where the screen can be, as far as keys are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The start page, ready to start or after a start that failed.
    Page,
    /// The memory plan of its entry.
    Plan,
    /// A setting's value is being typed there.
    Typing,
    /// A run is being prepared or read.
    Preparing,
    Train,
    Charts,
    Log,
    EndedTrain,
    EndedCharts,
    EndedLog,
    Memory,
    EndedMemory,
    Bleu,
    EndedBleu,
    /// The playground, while a run lives.
    Play,
    /// After its end, and without one.
    EndedPlay,
}

impl Place {
    pub(super) fn of(state: &State) -> Self {
        if state.in_playground() {
            let is_live = state.run().is_some_and(RunStage::is_live);
            return if is_live { Place::Play } else { Place::EndedPlay };
        }
        let Some(run) = state.run() else {
            return match state.start_page() {
                Some(page) if page.editing.is_some() => Place::Typing,
                Some(page) if page.plan.is_some() => Place::Plan,
                Some(_) => Place::Page,
                None => Place::Preparing,
            };
        };
        match (state.tab, run.is_live()) {
            (Tab::Train, true) => Place::Train,
            (Tab::Charts, true) => Place::Charts,
            (Tab::Log, true) => Place::Log,
            (Tab::Train, false) => Place::EndedTrain,
            (Tab::Charts, false) => Place::EndedCharts,
            (Tab::Log, false) => Place::EndedLog,
            (Tab::Memory, true) => Place::Memory,
            (Tab::Memory, false) => Place::EndedMemory,
            (Tab::Bleu, true) => Place::Bleu,
            (Tab::Bleu, false) => Place::EndedBleu,
            (Tab::Playground, true) => Place::Play,
            (Tab::Playground, false) => Place::EndedPlay,
        }
    }
}

const LIVE: &[Place] = &[Place::Train, Place::Charts, Place::Log, Place::Memory, Place::Bleu, Place::Play];
const ENDED: &[Place] =
    &[Place::EndedTrain, Place::EndedCharts, Place::EndedLog, Place::EndedMemory, Place::EndedBleu, Place::EndedPlay];
const RUN: &[Place] = &[
    Place::Train,
    Place::Charts,
    Place::Log,
    Place::Memory,
    Place::EndedTrain,
    Place::EndedCharts,
    Place::EndedLog,
    Place::EndedMemory,
    Place::Bleu,
    Place::EndedBleu,
    Place::Play,
    Place::EndedPlay,
];
/// Where the playground can be entered.
const TAB_PLAY: &[Place] = &[
    Place::Page,
    Place::Train,
    Place::Charts,
    Place::Log,
    Place::Memory,
    Place::Bleu,
    Place::Play,
    Place::EndedTrain,
    Place::EndedCharts,
    Place::EndedLog,
    Place::EndedMemory,
    Place::EndedBleu,
    Place::EndedPlay,
];
const WITH_CHARTS: &[Place] = &[Place::Train, Place::Charts, Place::EndedTrain, Place::EndedCharts];
/// Where there is an x axis.
const OVER_TIME: &[Place] =
    &[Place::Train, Place::Charts, Place::Memory, Place::EndedTrain, Place::EndedCharts, Place::EndedMemory];
/// Where what is shown goes on.
const FOLLOWING: &[Place] = &[
    Place::Train,
    Place::Charts,
    Place::Log,
    Place::Memory,
    Place::EndedTrain,
    Place::EndedCharts,
    Place::EndedLog,
    Place::EndedMemory,
];
const WITH_ROWS: &[Place] = &[
    Place::Page,
    Place::Train,
    Place::Log,
    Place::Bleu,
    Place::EndedTrain,
    Place::EndedLog,
    Place::EndedBleu,
    Place::Play,
    Place::EndedPlay,
];
const PAGE_AND_RUN: &[Place] = &[
    Place::Page,
    Place::Plan,
    Place::Train,
    Place::Charts,
    Place::Log,
    Place::Memory,
    Place::EndedTrain,
    Place::EndedCharts,
    Place::EndedLog,
    Place::EndedMemory,
    Place::Bleu,
    Place::EndedBleu,
    Place::Play,
    Place::EndedPlay,
];
const ON_CHARTS: &[Place] = &[Place::Charts, Place::EndedCharts];
const ON_MEMORY: &[Place] = &[Place::Memory, Place::EndedMemory];
const ON_LOG: &[Place] = &[Place::Log, Place::EndedLog];
const ON_BLEU: &[Place] = &[Place::Bleu, Place::EndedBleu];
const ON_PLAY: &[Place] = &[Place::Play, Place::EndedPlay];
const PAGE_AND_PLAY: &[Place] = &[Place::Page, Place::Play, Place::EndedPlay];
/// Where tabs are turned by Tab: in the playground it goes through the panels.
const TURNING: &[Place] = &[
    Place::Train,
    Place::Charts,
    Place::Log,
    Place::Memory,
    Place::Bleu,
    Place::EndedTrain,
    Place::EndedCharts,
    Place::EndedLog,
    Place::EndedMemory,
    Place::EndedBleu,
];
const ON_LOG_AND_BLEU: &[Place] = &[Place::Log, Place::EndedLog, Place::Bleu, Place::EndedBleu];
/// Where another run can stand beside this one.
const BESIDE: &[Place] =
    &[Place::Train, Place::Charts, Place::Bleu, Place::EndedTrain, Place::EndedCharts, Place::EndedBleu];
const UNLESS_TYPING: &[Place] = &[
    Place::Page,
    Place::Plan,
    Place::Preparing,
    Place::Train,
    Place::Charts,
    Place::Log,
    Place::EndedTrain,
    Place::EndedCharts,
    Place::EndedLog,
    Place::Memory,
    Place::EndedMemory,
    Place::Bleu,
    Place::EndedBleu,
    Place::Play,
    Place::EndedPlay,
];
const EVERYWHERE: &[Place] = &[
    Place::Page,
    Place::Plan,
    Place::Typing,
    Place::Preparing,
    Place::Train,
    Place::Charts,
    Place::Log,
    Place::EndedTrain,
    Place::EndedCharts,
    Place::EndedLog,
    Place::Memory,
    Place::EndedMemory,
    Place::Bleu,
    Place::EndedBleu,
    Place::Play,
    Place::EndedPlay,
];

/// Every place where an action may make sense.
pub(super) fn places(action: Action) -> &'static [Place] {
    match action {
        Action::TakeSetting | Action::DropSetting => &[Place::Typing],
        Action::Watch | Action::EditSetting | Action::Start | Action::ResumeRun | Action::SwitchPane => &[Place::Page],
        Action::Refresh => PAGE_AND_PLAY,
        Action::NextValue | Action::PreviousValue => &[Place::Page, Place::Plan, Place::Play, Place::EndedPlay],
        Action::ResetSetting | Action::MemoryPlan => &[Place::Page, Place::Plan],
        Action::ApplyPlan | Action::Elsewhere | Action::Formula => &[Place::Plan],
        Action::CancelStart => &[Place::Preparing],
        Action::PauseOrResume | Action::Stop | Action::Save | Action::Evaluate => LIVE,
        Action::Outcome => ENDED,
        Action::TabTrain
        | Action::TabCharts
        | Action::TabLog
        | Action::TabMemory
        | Action::TabBleu
        | Action::BackToStart
        | Action::OomCard
        | Action::Copy => RUN,
        Action::NextTab | Action::PreviousTab => TURNING,
        Action::TabPlayground => TAB_PLAY,
        Action::RunTrial
        | Action::OpenHere
        | Action::TypeText
        | Action::NextPanel
        | Action::PreviousPanel
        | Action::Examples
        | Action::Trials
        | Action::RowsFile
        | Action::RowsReport
        | Action::CompareVariants => ON_PLAY,
        Action::SelectUp | Action::SelectDown | Action::First | Action::Last | Action::Clear => PAGE_AND_RUN,
        Action::PageUp | Action::PageDown => WITH_ROWS,
        Action::CursorLeft
        | Action::CursorRight
        | Action::PanLeft
        | Action::PanRight
        | Action::ZoomIn
        | Action::ZoomOut
        | Action::WholeRun => OVER_TIME,
        Action::Peak => ON_MEMORY,
        Action::NextChart
        | Action::PreviousChart
        | Action::XAxis
        | Action::YScale
        | Action::SmoothMore
        | Action::SmoothLess => WITH_CHARTS,
        Action::Compare => BESIDE,
        Action::Follow => FOLLOWING,
        Action::Enlarge => ON_CHARTS,
        Action::Open | Action::Search | Action::Filter => ON_LOG_AND_BLEU,
        Action::NextMatch | Action::PreviousMatch | Action::Details => ON_LOG,
        Action::SortNext
        | Action::SortPrevious
        | Action::SortReverse
        | Action::Baseline
        | Action::ExportHtml
        | Action::ExportCsv
        | Action::ExportJson => ON_BLEU,
        Action::Help | Action::Palette | Action::Theme | Action::Mouse => UNLESS_TYPING,
        Action::Redraw | Action::Suspend | Action::Quit => EVERYWHERE,
    }
}

/// Whether there is a place where this key would have to mean both.
pub(super) fn can_meet(a: Action, b: Action, key: Key) -> bool {
    // While a value is typed, what acts everywhere does so by keys that are never part of a text.
    let counts = |place: &Place| *place != Place::Typing || key.types_nothing();
    a != b && places(a).iter().any(|place| counts(place) && places(b).contains(place))
}

/// Whether an action belongs to where the screen is, though it may ask for more.
pub(super) fn is_of_place(action: Action, state: &State) -> bool {
    places(action).contains(&Place::of(state))
}

/// Whether an action makes sense in this state.
pub fn is_available(action: Action, state: &State) -> bool {
    is_of_place(action, state) && has_what_it_needs(action, state)
}

/// Whether all is there that an action asks for besides its place.
fn has_what_it_needs(action: Action, state: &State) -> bool {
    let on_entry = |test: fn(&StartPage, &Entry) -> bool| {
        state.start_page().is_some_and(|page| page.entry().is_some_and(|entry| test(page, entry)))
    };
    if let Some(plan) = state.plan_page() {
        return plan::is_available(action, plan);
    }
    fn in_settings(page: &StartPage, entry: &Entry) -> bool {
        page.pane == Pane::Settings && entry.editable && entry.config().is_ok()
    }
    if state.in_playground()
        && let Some(is_available) = playground::is_available(action, state)
    {
        return is_available;
    }
    let stopping = || state.run().is_some_and(|run| run.activity() == Activity::Stopping);
    let waits = || state.run().is_some_and(RunStage::waits);
    let paused = || state.run().is_some_and(|run| run.activity() == Activity::Paused);
    match action {
        Action::Watch => on_entry(|_, entry| entry.past.is_some()),
        Action::Start => on_entry(|_, entry| entry.can_start()),
        Action::ResumeRun => on_entry(|_, entry| entry.can_resume()),
        Action::EditSetting => on_entry(in_settings),
        Action::NextValue | Action::PreviousValue => on_entry(|page, entry| {
            in_settings(page, entry) && page.setting().is_some_and(|setting| choices(setting.kind).is_some())
        }),
        Action::ResetSetting => on_entry(|page, entry| page.pane == Pane::Settings && entry.is_edited(page.row)),
        Action::CancelStart => state.page.is_some() && matches!(state.stage, Stage::Starting(_)),
        Action::BackToStart => state.page.is_some() && state.run().is_some_and(|run| !(run.owned && run.is_live())),
        Action::MemoryPlan => on_entry(|_, entry| entry.config().is_ok()),
        Action::OomCard => state.run().is_some_and(|run| !run.view.ooms.is_empty()),
        Action::PauseOrResume => !stopping(),
        // A paused run refuses both.
        Action::Save => !stopping() && !paused(),
        Action::Evaluate => !stopping() && !paused() && !waits() && state.run().is_some_and(has_eval_data),
        Action::Clear => {
            state.start_page().is_none_or(|page| page.pane == Pane::Settings || matches!(state.stage, Stage::Failed(_)))
        }
        _ => true,
    }
}

fn has_eval_data(run: &RunStage) -> bool {
    run.view.started.as_ref().is_some_and(|started| started.config.data.eval.is_some())
}
