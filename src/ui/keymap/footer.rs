//! Which keys are worth a place in the footer: of each place of the screen the most important actions.

use super::{Action, Binding, Keymap, is_available};
use crate::ui::state::playground::Page;
use crate::ui::state::{State, Tab};
use crate::ui::update::takes_text;

impl Keymap {
    /// The bindings worth a place in the footer now, the most important first.
    pub fn footer(&self, state: &State) -> Vec<&Binding> {
        const RUN: [Action; 7] = [
            Action::OomCard,
            Action::BackToStart,
            Action::CancelStart,
            Action::PauseOrResume,
            Action::Stop,
            Action::Save,
            Action::Evaluate,
        ];
        const EDITING: [Action; 2] = [Action::TakeSetting, Action::DropSetting];
        const PLAN: [Action; 8] = [
            Action::ApplyPlan,
            Action::Formula,
            Action::SelectDown,
            Action::PreviousValue,
            Action::NextValue,
            Action::ResetSetting,
            Action::Elsewhere,
            Action::Clear,
        ];
        const START: [Action; 9] = [
            Action::Watch,
            Action::EditSetting,
            Action::Start,
            Action::ResumeRun,
            Action::ResetSetting,
            Action::NextValue,
            Action::SwitchPane,
            Action::MemoryPlan,
            Action::Refresh,
        ];
        const CHARTS: [Action; 9] = [
            Action::OomCard,
            Action::Enlarge,
            Action::NextChart,
            Action::CursorRight,
            Action::ZoomIn,
            Action::Follow,
            Action::XAxis,
            Action::YScale,
            Action::Compare,
        ];
        const LOG: [Action; 7] = [
            Action::OomCard,
            Action::Open,
            Action::Search,
            Action::Filter,
            Action::Follow,
            Action::Details,
            Action::Copy,
        ];
        const MEMORY: [Action; 7] = [
            Action::OomCard,
            Action::CursorRight,
            Action::Peak,
            Action::SelectDown,
            Action::ZoomIn,
            Action::Follow,
            Action::Copy,
        ];
        const BLEU: [Action; 8] = [
            Action::OomCard,
            Action::Open,
            Action::SortNext,
            Action::SortReverse,
            Action::Search,
            Action::ExportHtml,
            Action::Compare,
            Action::Copy,
        ];
        const PLAY_MAKING: [Action; 4] = [Action::Clear, Action::NextPanel, Action::OpenHere, Action::Copy];
        const PLAY: [Action; 12] = [
            Action::RunTrial,
            Action::OpenHere,
            Action::NextPanel,
            Action::RowsReport,
            Action::BackToStart,
            Action::NextValue,
            Action::Examples,
            Action::Trials,
            Action::RowsFile,
            Action::CompareVariants,
            Action::Clear,
            Action::Copy,
        ];
        // Rows that stand in no report are lost with the program: that comes first.
        const PLAY_UNSAVED: [Action; 12] = [
            Action::RowsReport,
            Action::OpenHere,
            Action::RunTrial,
            Action::NextPanel,
            Action::NextValue,
            Action::BackToStart,
            Action::Examples,
            Action::Trials,
            Action::RowsFile,
            Action::CompareVariants,
            Action::Clear,
            Action::Copy,
        ];
        const ALWAYS: [Action; 4] = [Action::Outcome, Action::Palette, Action::Help, Action::Quit];
        let of_tab: &[Action] = match (state.run().is_some(), state.tab) {
            _ if state.in_playground() && state.playground.running.is_some() => &PLAY_MAKING,
            _ if is_report_due(state) => &PLAY_UNSAVED,
            _ if state.in_playground() => &PLAY,
            (true, Tab::Charts) => &CHARTS,
            (true, Tab::Log) => &LOG,
            (true, Tab::Memory) => &MEMORY,
            (true, Tab::Bleu) => &BLEU,
            (false, _) if takes_text(state) => &EDITING,
            (false, _) if state.plan_page().is_some() => &PLAN,
            (false, _) if state.start_page().is_some() => &START,
            _ => &RUN,
        };
        // What is typed goes into the text: the keys that are always there are not.
        let always: &[Action] = if of_tab == EDITING { &[] } else { &ALWAYS };
        let wanted = of_tab.iter().chain(always);
        let binding = |action: &Action| self.bindings.iter().find(|b| b.action == *action);
        wanted.filter(|&&a| is_available(a, state)).filter_map(binding).collect()
    }
}

/// Whether rows are shown that would be lost without their report: its key keeps its place in the footer.
pub fn is_report_due(state: &State) -> bool {
    let play = &state.playground;
    state.in_playground() && play.page == Page::Rows && play.running.is_none() && play.batch.is_unsaved()
}
