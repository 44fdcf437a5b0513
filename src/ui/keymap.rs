//! The one table of what can be done: action, keys, words. Keys are looked up in it, help and footer are made from it, so they agree.
//! What an action does is in `update`; where it makes sense is in `places`; keys of the user's own are put on top in `user`.

mod places;
mod user;

use super::message::Key;
use super::state::{State, Tab};
pub use places::is_available;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    TakeSetting,
    DropSetting,
    Watch,
    EditSetting,
    Start,
    ResumeRun,
    NextValue,
    PreviousValue,
    ResetSetting,
    SwitchPane,
    Refresh,
    MemoryPlan,
    ApplyPlan,
    Elsewhere,
    Formula,
    BackToStart,
    CancelStart,
    PauseOrResume,
    Stop,
    Save,
    Evaluate,
    TabTrain,
    TabCharts,
    TabLog,
    TabMemory,
    TabBleu,
    TabPlayground,
    NextTab,
    PreviousTab,
    SelectUp,
    SelectDown,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    CursorLeft,
    CursorRight,
    PanLeft,
    PanRight,
    ZoomIn,
    ZoomOut,
    WholeRun,
    Follow,
    Peak,
    NextChart,
    PreviousChart,
    Enlarge,
    XAxis,
    YScale,
    SmoothMore,
    SmoothLess,
    Compare,
    Search,
    NextMatch,
    PreviousMatch,
    Filter,
    Details,
    SortNext,
    SortPrevious,
    SortReverse,
    Baseline,
    ExportHtml,
    ExportCsv,
    ExportJson,
    RunTrial,
    OpenHere,
    TypeText,
    NextPanel,
    PreviousPanel,
    Examples,
    Trials,
    RowsFile,
    CompareVariants,
    Copy,
    Clear,
    Outcome,
    OomCard,
    Help,
    Palette,
    Theme,
    Mouse,
    Redraw,
    Suspend,
    Quit,
}

/// Actions that help shows together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Start,
    Run,
    Move,
    Charts,
    Log,
    Bleu,
    Playground,
    Screen,
}

impl Group {
    pub const ALL: [Group; 8] = [
        Group::Start,
        Group::Run,
        Group::Move,
        Group::Charts,
        Group::Log,
        Group::Bleu,
        Group::Playground,
        Group::Screen,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Group::Start => "start page",
            Group::Run => "run",
            Group::Move => "move",
            Group::Charts => "charts",
            Group::Log => "log",
            Group::Bleu => "bleu",
            Group::Playground => "play",
            Group::Screen => "screen",
        }
    }
}

/// An action with its keys and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub action: Action,
    /// What the user's file of keys calls it.
    pub name: &'static str,
    pub group: Group,
    pub keys: Vec<Key>,
    /// For the footer: a word or two.
    pub short: &'static str,
    /// For help: what happens.
    pub description: &'static str,
}

/// In the order of help and footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        use Action::*;
        use Key::{BackTab, Backspace, Char, Ctrl, Down, End, Enter, Esc, Home, Left, Right, Tab, Up};
        let mut group = Group::Start;
        let mut bindings = Vec::new();
        let mut bind = |group, action, name, keys: &[Key], short, description| {
            bindings.push(Binding { action, name, group, keys: keys.to_vec(), short, description });
        };
        bind(group, TakeSetting, "take_setting", &[Enter], "take", "take the value that is typed");
        bind(group, DropSetting, "drop_setting", &[Esc], "drop", "leave the setting as it was");
        bind(group, Watch, "watch", &[Enter], "watch", "look at the selected run, live or ended");
        bind(group, EditSetting, "edit_setting", &[Enter, Char('i')], "edit", "type another value for the setting");
        bind(group, Start, "start", &[Enter, Char('S')], "start", "start training as the page says");
        bind(group, ResumeRun, "resume", &[Char('r')], "resume", "go on with a run that ended before its time");
        bind(
            group,
            NextValue,
            "next_value",
            &[Char(' '), Right, Char('l')],
            "change",
            "the next choice of the setting",
        );
        bind(group, PreviousValue, "previous_value", &[Left, Char('h')], "change back", "the choice before");
        bind(group, ResetSetting, "reset_setting", &[Char('u'), Backspace], "reset", "drop what was edited");
        bind(group, SwitchPane, "switch_pane", &[Tab, BackTab], "settings", "from the list to the settings, or back");
        bind(group, Refresh, "refresh", &[Char('R')], "look again", "look again for configurations, runs and models");
        bind(
            group,
            MemoryPlan,
            "memory_plan",
            &[Char('M')],
            "memory plan",
            "what the run will need, and what would need less; again to leave",
        );
        bind(
            group,
            ApplyPlan,
            "apply_plan",
            &[Char('a'), Enter],
            "apply",
            "take what was turned in the plan as settings",
        );
        bind(
            group,
            Elsewhere,
            "elsewhere",
            &[Tab, BackTab],
            "elsewhere",
            "the same run done otherwise, or its levers again",
        );
        bind(
            group,
            Formula,
            "formula",
            &[Enter, Char('f')],
            "formula",
            "how the bytes of what is done elsewhere come about",
        );
        bind(group, BackToStart, "back_to_start", &[Char('b')], "start page", "leave the run for the start page");
        group = Group::Run;
        bind(group, CancelStart, "cancel", &[Esc], "cancel", "cancel the preparation; what was fetched is kept");
        bind(group, PauseOrResume, "pause", &[Char('p'), Char(' ')], "pause", "pause after this micro-batch, or go on");
        bind(group, Stop, "stop", &[Char('s')], "stop", "stop with a checkpoint at the end of this step (asks)");
        bind(group, Save, "save", &[Char('w')], "save", "write a checkpoint at the end of this step");
        bind(group, Evaluate, "eval", &[Char('e')], "eval", "measure the eval loss at the end of this step");
        group = Group::Move;
        bind(group, TabTrain, "tab_train", &[Char('1')], "train", "the tab Train: the run at a glance");
        bind(group, TabCharts, "tab_charts", &[Char('2')], "charts", "the tab Charts: every quantity over the run");
        bind(group, TabLog, "tab_log", &[Char('3')], "log", "the tab Log: what the run said");
        bind(group, TabMemory, "tab_memory", &[Char('4')], "memory", "the tab Memory: where every byte is, and when");
        bind(group, TabBleu, "tab_bleu", &[Char('5')], "bleu", "the tab BLEU: how good what it writes is");
        bind(
            group,
            TabPlayground,
            "tab_play",
            &[Char('6')],
            "play",
            "the tab Play: prompts and schemas tried by hand; from the start page too",
        );
        bind(group, NextTab, "next_tab", &[Tab], "next tab", "the next tab");
        bind(group, PreviousTab, "previous_tab", &[BackTab], "previous tab", "the tab before");
        bind(
            group,
            SelectUp,
            "up",
            &[Up, Char('k')],
            "up",
            "up: a micro-batch or step, a chart, an entry, a phase, a row",
        );
        bind(group, SelectDown, "down", &[Down, Char('j')], "down", "down");
        bind(group, PageUp, "page_up", &[Key::PageUp, Ctrl('u')], "page up", "a page up");
        bind(group, PageDown, "page_down", &[Key::PageDown, Ctrl('d')], "page down", "a page down");
        bind(group, First, "first", &[Home, Char('g')], "first", "the first one; on a chart, its left end");
        bind(group, Last, "last", &[End, Char('G')], "last", "the last one; on a chart, its right end");
        bind(group, Clear, "clear", &[Esc], "back", "back: drop cursor, selection, filter, other run, one at a time");
        group = Group::Charts;
        bind(
            group,
            CursorLeft,
            "cursor_left",
            &[Left, Char('h')],
            "left",
            "the crosshair a step or a sample to the left",
        );
        bind(
            group,
            CursorRight,
            "cursor_right",
            &[Right, Char('l')],
            "crosshair",
            "the crosshair a step or a sample to the right",
        );
        bind(group, ZoomIn, "zoom_in", &[Char('+'), Char('=')], "zoom", "zoom in on the x axis");
        bind(group, ZoomOut, "zoom_out", &[Char('-')], "zoom out", "zoom out");
        bind(
            group,
            PanLeft,
            "pan_left",
            &[Char('H'), Char('<')],
            "pan left",
            "what is shown moves to what was earlier",
        );
        bind(
            group,
            PanRight,
            "pan_right",
            &[Char('L'), Char('>')],
            "pan right",
            "what is shown moves to what was later",
        );
        bind(group, WholeRun, "whole_run", &[Char('0')], "all", "show the whole run again");
        bind(group, Follow, "follow", &[Char('f')], "follow", "follow the newest, or hold still");
        bind(group, Peak, "peak", &[Char('M')], "peak", "the crosshair to the highest moment, on the tab Memory");
        bind(group, NextChart, "next_chart", &[Char('c')], "chart", "the next quantity");
        bind(group, PreviousChart, "previous_chart", &[Char('C')], "chart before", "the quantity before");
        bind(group, Enlarge, "enlarge", &[Char('z'), Enter], "large", "one chart large, or all of them");
        bind(group, XAxis, "x_axis", &[Char('x')], "x axis", "x by step, tokens or time");
        bind(group, YScale, "y_scale", &[Char('y')], "y log", "y linear or logarithmic");
        bind(group, SmoothMore, "smooth_more", &[Char(']')], "smooth", "smooth the loss more");
        bind(group, SmoothLess, "smooth_less", &[Char('[')], "smooth less", "smooth the loss less");
        bind(group, Compare, "compare", &[Char('r')], "other run", "lay another run over this one");
        group = Group::Log;
        bind(group, Open, "open", &[Enter], "open", "show the entry or the row whole; of a report, its rows");
        bind(group, Search, "search", &[Char('/')], "search", "search; a regular expression; rows are filtered");
        bind(group, NextMatch, "next_match", &[Char('n')], "next", "the next match");
        bind(group, PreviousMatch, "previous_match", &[Char('N')], "previous", "the match before");
        bind(group, Filter, "filter", &[Char('&')], "filter", "show only what matches");
        bind(group, Details, "details", &[Char('v')], "details", "micro-batches and samples of memory too, or not");
        group = Group::Bleu;
        bind(group, SortNext, "sort_next", &[Right, Char('l'), Char('>')], "sort", "sort rows by the next column");
        bind(group, SortPrevious, "sort_previous", &[Left, Char('h'), Char('<')], "sort back", "by the column before");
        bind(group, SortReverse, "sort_reverse", &[Char('I')], "reverse", "the best first, or the worst");
        bind(group, Baseline, "baseline", &[Char('B')], "baseline", "hold the others beside this report, or as before");
        bind(group, ExportHtml, "export_html", &[Char('x')], "export", "write the report as a page for a browser");
        bind(group, ExportCsv, "export_csv", &[Char('X')], "csv", "write its rows as CSV");
        bind(group, ExportJson, "export_json", &[Char('J')], "json", "write its rows as JSON, one a line");
        group = Group::Playground;
        bind(group, RunTrial, "run_trial", &[Key::F(5), Ctrl('r'), Char('r')], "run", "run the trial, from a text too");
        bind(group, OpenHere, "open_here", &[Enter], "edit", "edit the text or the value; open what is selected");
        bind(group, TypeText, "type_text", &[Char('i')], "type", "type into the text, the value, the path of rows");
        bind(group, NextPanel, "next_panel", &[Tab], "next", "the next panel");
        bind(group, PreviousPanel, "previous_panel", &[BackTab], "previous", "the panel before");
        bind(group, Examples, "examples", &[Char('x')], "examples", "answers and texts to begin with");
        bind(group, Trials, "trials", &[Char('H')], "trials", "trials made before: put back, or run again");
        bind(group, RowsFile, "rows_file", &[Char('B')], "rows", "a file of rows, and what they say together");
        bind(
            group,
            CompareVariants,
            "compare_variants",
            &[Char('c')],
            "compare",
            "base beside adapter, free beside constrained, prompt A beside B",
        );
        group = Group::Screen;
        bind(group, Copy, "copy", &[Char('Y'), Char('y')], "copy", "copy what is selected to the clipboard (OSC 52)");
        bind(group, Outcome, "outcome", &[Char('o'), Enter], "outcome", "show how the run ended");
        bind(
            group,
            OomCard,
            "out_of_memory",
            &[Char('O')],
            "out of memory",
            "what ran out of memory, and what would help",
        );
        bind(group, Help, "help", &[Char('?'), Key::F(1)], "help", "show this help");
        bind(group, Palette, "palette", &[Char(':'), Ctrl('p')], "commands", "find a command by its name");
        bind(group, Theme, "theme", &[Char('t')], "theme", "take the next colours");
        bind(
            group,
            Mouse,
            "mouse",
            &[Char('m')],
            "mouse",
            "mouse on or off: wheel zooms, drag pans; text is then not selected",
        );
        bind(group, Redraw, "redraw", &[Ctrl('l')], "redraw", "draw the screen anew");
        bind(group, Suspend, "suspend", &[Ctrl('z')], "suspend", "suspend finetop; `fg` brings it back");
        bind(
            group,
            Quit,
            "quit",
            &[Char('q'), Ctrl('c')],
            "quit",
            "quit; while training it asks what becomes of the run",
        );
        Keymap { bindings }
    }
}

impl Keymap {
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The first action of the table with this key that makes sense now, else the first with this key at all.
    pub fn action(&self, key: Key, state: &State) -> Option<Action> {
        let with_key = || self.bindings.iter().filter(|b| b.keys.contains(&key)).map(|b| b.action);
        with_key().find(|&a| is_available(a, state)).or_else(|| with_key().next())
    }

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
        const PLAY: [Action; 11] = [
            Action::RunTrial,
            Action::OpenHere,
            Action::NextPanel,
            Action::BackToStart,
            Action::NextValue,
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
            _ if state.in_playground() => &PLAY,
            (true, Tab::Charts) => &CHARTS,
            (true, Tab::Log) => &LOG,
            (true, Tab::Memory) => &MEMORY,
            (true, Tab::Bleu) => &BLEU,
            (false, _) if super::update::takes_text(state) => &EDITING,
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

    /// The first of an action's keys that does it now: keys are shared by actions of different places.
    pub fn key_now(&self, action: Action, state: &State) -> Option<Key> {
        let keys = self.keys(action);
        keys.iter().copied().find(|&key| self.action(key, state) == Some(action)).or(keys.first().copied())
    }

    /// The shortest of an action's keys that do it now, for a hint; where none does, the shortest.
    pub fn hint(&self, action: Action, state: &State) -> Option<Key> {
        let does_it = |key: &&Key| self.action(**key, state) == Some(action);
        shortest(self.keys(action).iter().filter(does_it)).or_else(|| self.letter(action))
    }

    /// The shortest of an action's keys, where others than the keymap say when it holds.
    pub fn letter(&self, action: Action) -> Option<Key> {
        shortest(self.keys(action).iter())
    }

    /// All keys of an action.
    pub fn keys(&self, action: Action) -> &[Key] {
        self.bindings.iter().find(|b| b.action == action).map_or(&[], |b| &b.keys)
    }

    /// The first key of an action, for texts that name it.
    pub fn key(&self, action: Action) -> Option<Key> {
        self.keys(action).first().copied()
    }
}

/// A letter that needs no shift, any other character, any other key.
fn shortest<'a>(keys: impl Iterator<Item = &'a Key>) -> Option<Key> {
    let rank = |key: &&Key| match key {
        Key::Char(c) if c.is_lowercase() => 0,
        Key::Char(_) => 1,
        _ => 2,
    };
    keys.min_by_key(rank).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_name_a_key_and_words() {
        let keymap = Keymap::default();
        for binding in keymap.bindings() {
            assert!(!binding.keys.is_empty() && !binding.description.is_empty(), "{:?}", binding.action);
            let same = keymap.bindings().iter().filter(|b| b.name == binding.name || b.action == binding.action);
            assert_eq!(same.count(), 1, "{}", binding.name);
        }
    }
}
