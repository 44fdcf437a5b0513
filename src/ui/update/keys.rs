//! Who gets a key, a press of the mouse or pasted text: what lies over the panels, a text that is typed, else the keymap.

use crate::ui::help;
use crate::ui::keymap::{Action, is_available};
use crate::ui::message::{Effect, Key, Mouse, MouseKind};
use crate::ui::state::{Activity, NoticeKind, Overlay, Question, RunStage, State, Tab};
use crate::ui::view::{is_too_small, outcome};

use super::{act, bleu, chart, log, memory, notify, oom, palette, plan, playground, runs, send_stop, start};

/// Entries that one turn of the wheel moves by.
const WHEEL_ENTRIES: usize = 3;

/// What asks for text gets what was pasted.
pub(super) fn pasted(state: &mut State, text: &str) {
    if is_too_small(state.size) {
        return;
    }
    let (in_start, in_bleu) = (start::takes_text(state), bleu::takes_text(state));
    let in_playground = playground::takes_paste(state);
    match &mut state.overlay {
        Some(Overlay::Palette(_)) => palette::pasted(state, text),
        Some(_) => {}
        None if in_start => start::pasted(state, text),
        None if in_bleu => bleu::pasted(state, text),
        None if in_playground => playground::pasted(state, text),
        None => log::pasted(state, text),
    }
}

pub(super) fn on_key(state: &mut State, key: Key, effects: &mut Vec<Effect>) {
    if is_too_small(state.size) && !matches!(state.overlay, Some(Overlay::Ask(_))) && !is_everywhere(state, key) {
        if !acts_unseen(state, key) {
            return notify(state, NoticeKind::Info, "not on so small a terminal");
        }
        // It was opened before, and is not seen either.
        state.overlay.take_if(|overlay| matches!(overlay, Overlay::Help { .. } | Overlay::Runs(_)));
    }
    match state.overlay {
        Some(Overlay::Palette(_)) if !is_everywhere(state, key) => return palette::key(state, key, effects),
        Some(Overlay::Runs(_)) if !is_everywhere(state, key) => return runs::key(state, key, effects),
        Some(Overlay::Ask(question)) if !is_everywhere(state, key) => return answer(state, question, key, effects),
        Some(Overlay::Help { scroll }) if !is_everywhere(state, key) => {
            state.overlay = scroll_help(state, scroll, key);
            return;
        }
        _ => {}
    }
    if let Some(Overlay::Outcome { selected }) = state.overlay
        && on_outcome(state, selected, key, effects)
    {
        return;
    }
    if let Some(Overlay::OutOfMemory(card)) = state.overlay
        && !is_too_small(state.size)
        && !is_everywhere(state, key)
        && oom::key(state, card, key, effects)
    {
        return;
    }
    if state.overlay.is_none() && !is_everywhere(state, key) && log::takes_text(state) {
        return log::key(state, key);
    }
    if state.overlay.is_none() && !is_everywhere(state, key) && bleu::takes_text(state) {
        return bleu::key(state, key);
    }
    if state.overlay.is_none() && !is_everywhere(state, key) && playground::takes_text(state) {
        return playground::key(state, key, effects);
    }
    if state.overlay.is_none() && !is_everywhere(state, key) && start::takes_text(state) {
        return start::key(state, key);
    }
    if playground::begins_text(state, key) {
        return;
    }
    if let Some(action) = state.keymap.action(key, state) {
        if is_available(action, state) {
            act(state, action, effects);
        } else if let Some(why) = why_not(action, state) {
            notify(state, NoticeKind::Info, why);
        }
    }
}

/// Whether a key still acts on a terminal that is too small for the panels: what it does is told there, or needs no telling.
fn acts_unseen(state: &State, key: Key) -> bool {
    use Action::{CancelStart, PauseOrResume, Quit, Redraw, Stop, Suspend, Theme};
    let is_told = |action| matches!(action, CancelStart | PauseOrResume | Quit | Redraw | Stop | Suspend | Theme);
    !takes_text(state) && state.keymap.action(key, state).is_some_and(is_told)
}

/// What lies over the panels keeps the mouse from them; of help, the wheel is the arrow keys.
pub(super) fn on_mouse(state: &mut State, mouse: Mouse, effects: &mut Vec<Effect>) {
    if is_too_small(state.size) {
        return;
    }
    let wheel = match mouse.kind {
        MouseKind::WheelUp => Some(Key::Up),
        MouseKind::WheelDown => Some(Key::Down),
        _ => None,
    };
    match (&state.overlay, wheel) {
        (Some(Overlay::Help { .. }), Some(key)) => (0..WHEEL_ENTRIES).for_each(|_| on_key(state, key, effects)),
        (Some(_), _) => {}
        (None, _) if state.in_playground() => playground::mouse(state, mouse),
        (None, _) if state.tab == Tab::Log => log::mouse(state, mouse),
        (None, _) if state.tab == Tab::Memory => memory::mouse(state, mouse),
        (None, _) if state.tab == Tab::Bleu => bleu::mouse(state, mouse),
        (None, _) => chart::mouse(state, mouse),
    }
}

/// The outcome hides nothing that a key could want: false for any key that is not its own, which then goes on to the keymap.
fn on_outcome(state: &mut State, selected: usize, key: Key, effects: &mut Vec<Effect>) -> bool {
    if matches!(key, Key::Esc | Key::Enter) {
        state.overlay = None;
        return true;
    }
    let Some(run) = state.run() else { return false };
    let commands = outcome::next_commands(run);
    let last = commands.len().saturating_sub(1);
    let selected = selected.min(last);
    // Here is something to copy, whatever the key would do to a chart.
    if state.keymap.keys(Action::Copy).contains(&key) {
        effects.extend(commands.get(selected).cloned().map(Effect::Copy));
        return true;
    }
    let selected = match (state.keymap.action(key, state), key) {
        (Some(Action::SelectUp), _) => selected.saturating_sub(1),
        (Some(Action::SelectDown), _) => (selected + 1).min(last),
        (Some(Action::Outcome), _) | (_, Key::Char(' ')) => {
            state.overlay = None;
            return true;
        }
        _ => return false,
    };
    state.overlay = Some(Overlay::Outcome { selected });
    true
}

/// Whether letters are text now, and no commands.
pub fn takes_text(state: &State) -> bool {
    match &state.overlay {
        Some(overlay) => matches!(overlay, Overlay::Palette(_)),
        None => {
            log::takes_text(state)
                || bleu::takes_text(state)
                || playground::takes_text(state)
                || start::takes_text(state)
        }
    }
}

/// Help after a key: moved within its lines, or closed by any key that moves nothing.
fn scroll_help(state: &State, scroll: u16, key: Key) -> Option<Overlay> {
    let help = help::Layout::new(state, state.size.0);
    let page = help::page(state.size.1);
    let scroll = match (key, state.keymap.action(key, state)) {
        (Key::Esc, _) => return None,
        (Key::Char(' '), _) | (_, Some(Action::PageDown)) => scroll.saturating_add(page),
        (_, Some(Action::SelectDown)) => scroll.saturating_add(1),
        (_, Some(Action::SelectUp)) => scroll.saturating_sub(1),
        (_, Some(Action::PageUp)) => scroll.saturating_sub(page),
        (_, Some(Action::First)) => 0,
        (_, Some(Action::Last)) => u16::MAX,
        _ => return None,
    };
    Some(Overlay::Help { scroll: scroll.min(help.hidden(page)) })
}

/// Keys that mean the same whatever lies over the panels. A user may give these actions a letter; where text is typed, it stays one.
pub(super) fn is_everywhere(state: &State, key: Key) -> bool {
    let action = state.keymap.action(key, state).filter(|_| key.types_nothing());
    // In a text of several lines, what suspends takes back what was typed.
    let suspends = action == Some(Action::Suspend) && !(state.overlay.is_none() && playground::edits(state));
    suspends || action == Some(Action::Redraw) || key == Key::Ctrl('c')
}

/// Why a key does nothing; `None` where that needs no words.
pub(super) fn why_not(action: Action, state: &State) -> Option<&'static str> {
    let is_quiet = matches!(
        action,
        Action::Start | Action::CancelStart | Action::Clear | Action::Outcome | Action::SelectUp | Action::SelectDown
    );
    // Arrows turn what stands beside each other: where there is one alone, there is nothing to say of other tabs' arrows.
    let is_arrow = matches!(
        action,
        Action::NextValue
            | Action::PreviousValue
            | Action::CursorLeft
            | Action::CursorRight
            | Action::SortNext
            | Action::SortPrevious
    );
    let is_quiet = is_quiet || is_arrow && state.in_playground();
    if is_quiet || is_available(action, state) { None } else { Some(reason(action, state)) }
}

/// Why an action makes no sense now.
pub(super) fn reason(action: Action, state: &State) -> &'static str {
    if let Some(why) = start::why_not(action, state) {
        return why;
    }
    match (action, state.run()) {
        (Action::RowsReport, _) if state.in_playground() && state.playground.batch.done() > 0 => {
            "B shows the rows; J writes their report there"
        }
        (Action::RowsReport, _) if state.in_playground() => "no rows to report: B asks a file of them",
        (Action::BackToStart, Some(_)) if state.page.is_some() => "the run lives in this program: stop it first",
        (Action::Start, Some(_)) => "a run is here already",
        (Action::Start, None) => "nothing can be started here",
        (Action::CancelStart, _) => "nothing is being prepared",
        (_, None) => "no run yet",
        (Action::Save | Action::Evaluate, Some(run)) if run.activity() == Activity::Paused => {
            "the run is paused; resume it first"
        }
        (Action::Evaluate, Some(run))
            if run.is_live() && !matches!(run.activity(), Activity::Stopping | Activity::Waiting) =>
        {
            "this run has no eval data"
        }
        (Action::Evaluate, Some(run)) if run.waits() => "the run is out of memory and waits for a lever",
        (Action::OomCard, Some(_)) => "this run has not run out of memory",
        (Action::MemoryPlan | Action::ApplyPlan | Action::Elsewhere | Action::Formula, Some(_)) => {
            "that is for the start page"
        }
        (Action::PauseOrResume | Action::Stop | Action::Save | Action::Evaluate, Some(run)) => {
            if run.is_live() {
                "the run is stopping"
            } else {
                "the run has ended"
            }
        }
        (Action::Outcome, Some(_)) => "the run has not ended yet",
        (Action::Open | Action::Search | Action::Filter, Some(_)) => "that is for the tabs log and bleu",
        (Action::NextMatch | Action::PreviousMatch | Action::Details, Some(_)) => "that is for the log",
        (
            Action::SortNext
            | Action::SortPrevious
            | Action::SortReverse
            | Action::Baseline
            | Action::ExportHtml
            | Action::ExportCsv
            | Action::ExportJson,
            Some(_),
        ) => "that is for the tab bleu",
        (
            Action::RunTrial
            | Action::OpenHere
            | Action::TypeText
            | Action::NextPanel
            | Action::PreviousPanel
            | Action::Examples
            | Action::Trials
            | Action::RowsFile
            | Action::RowsReport
            | Action::CompareVariants,
            Some(_),
        ) => "that is for the tab play",
        (Action::Follow, Some(_)) => "there is nothing to follow",
        (Action::Peak, Some(_)) => "that is for the tab memory",
        (_, Some(_)) => "that is for the tabs train and charts",
    }
}

fn answer(state: &mut State, question: Question, key: Key, effects: &mut Vec<Effect>) {
    // Only what the question names: a stray Enter must not end a run.
    let yes = matches!(key, Key::Char('y' | 'Y'));
    let no = matches!(key, Key::Char('n' | 'N' | 'q') | Key::Esc);
    if !yes && !no {
        return;
    }
    state.overlay = None;
    // The run may have ended while the question stood.
    let live = state.run().is_some_and(RunStage::is_live);
    match question {
        _ if !yes => oom::back_to_card(state, question),
        Question::WriteFile => plan::write_file(state, effects),
        Question::ReplaceReport => playground::write_report(state, true, effects),
        Question::DropRows { runs } => playground::drop_rows(state, runs, effects),
        Question::Stop | Question::DropStep if live => send_stop(state, effects),
        Question::Stop | Question::DropStep => {}
        Question::StopAndQuit if live => {
            state.leaving = true;
            // A stop that was sent before is enough: a second one would drop the step.
            if state.run().is_some_and(|run| run.control.stops == 0) {
                send_stop(state, effects);
            }
        }
        Question::StopAndQuit | Question::QuitNow | Question::QuitPlayground => effects.push(Effect::Quit),
    }
}
