//! The table itself: every action with its name, its keys and its words, in the order of help.

use super::{Action, Binding, Group, Keymap};
use crate::ui::message::Key;

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
            RowsReport,
            "rows_report",
            &[Char('J')],
            "report",
            "write the report of the rows beside their file",
        );
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
