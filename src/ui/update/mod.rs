//! The one place where the screen changes: a message comes in, the state is another, effects are asked for. No clock, no terminal.
//! Who gets a key is in `keys`, what a run says in `heard`, what keys do to charts, log, palette and start page in the files of their names.

mod bleu;
mod chart;
mod heard;
mod keys;
mod log;
mod memory;
mod oom;
mod palette;
pub mod plan;
pub mod playground;
mod preferred;
mod runs;
mod start;

pub use keys::takes_text;

use crate::event::Command;

use super::format;
use super::keymap::Action;
use super::message::{Clock, Effect, Message};
use super::state::log::LogView;
use super::state::palette::Palette;
use super::state::timeline::TimelineView;
use super::state::{Notice, NoticeKind, Overlay, Question, RunStage, Stage, State, Tab};

/// How long a notice stays in the footer.
const NOTICE_MS: u64 = 5_000;

/// What a clipboard is given at most: terminals and what stands before them drop longer sequences, or choke.
const COPY_MAX_BYTES: usize = 100_000;

/// Takes one message in; what the outside has to do about it comes back.
pub fn update(state: &mut State, message: Message) -> Vec<Effect> {
    let mut effects = Vec::new();
    match message {
        Message::Tick(clock) => tick(state, clock, &mut effects),
        Message::Preferred(preferred) => preferred::take(state, *preferred, &mut effects),
        Message::Key(key) => {
            keys::on_key(state, key, &mut effects);
            state.revision += 1;
        }
        Message::Paste(text) => {
            keys::pasted(state, &text);
            state.revision += 1;
        }
        Message::Mouse(mouse) => {
            keys::on_mouse(state, mouse, &mut effects);
            state.revision += 1;
        }
        Message::Resized { width, height } => {
            state.size = (width, height);
            log::resized(state);
            bleu::resized(state);
            playground::lay_out(state);
            state.revision += 1;
        }
        Message::Redraw => {
            effects.push(Effect::Redraw);
            state.revision += 1;
        }
        Message::Fetching(fetching) => {
            if let Stage::Starting(preparation) = &mut state.stage {
                heard::fetched(preparation, fetching, state.clock);
                state.revision += 1;
            }
        }
        Message::StartFailed(why) => {
            if matches!(state.stage, Stage::Starting(_)) {
                state.stage = if state.leaving { Stage::Ready } else { Stage::Failed(why) };
                start::look_anew(state);
                state.revision += 1;
            }
        }
        Message::Entries(entries) => {
            start::entries(state, entries);
            plan::entries_changed(state, &mut effects);
        }
        Message::Looked { ticket, look } => start::looked(state, ticket, *look, &mut effects),
        Message::Planned { ticket, result } => plan::planned(state, ticket, result),
        Message::SettingsWritten { result } => plan::written(state, result, &mut effects),
        Message::Attached { folder, owned } => {
            let mut run = RunStage::new(folder, owned);
            run.view.set_smoothing(state.chart.smoothing);
            state.stage = Stage::Run(Box::new(run));
            // Nothing that was asked for the run before counts for this one.
            runs::next_ticket(state);
            state.overlay = None;
            state.chart.forget_run();
            state.log = LogView::default();
            state.timeline = TimelineView::default();
            state.bleu.forget_run();
            playground::drop_trial(state, &mut effects);
            state.playground.open = false;
            state.playground.forget_run();
            state.revision += 1;
        }
        Message::Event(stamped) => {
            heard::on_event(state, &stamped, false);
            log::hear(state, *stamped);
        }
        Message::History(stamped) => {
            heard::on_event(state, &stamped, true);
            log::hear(state, *stamped);
        }
        Message::StreamClosed { cause } => {
            let began = state.run().is_some_and(|run| !run.awaited);
            match cause {
                // It failed before its first event: then there is nothing to look at but the cause.
                Some(cause) if !began && state.page.is_some() => {
                    state.stage = Stage::Failed(cause);
                    state.overlay = None;
                    state.revision += 1;
                }
                cause => {
                    // Nobody else says why.
                    let is_news = cause.is_some() && state.run().is_some();
                    with_run(state, |run, _| {
                        run.closed = true;
                        run.cause = cause;
                    });
                    if is_news {
                        heard::show_end(state);
                    }
                }
            }
            if state.leaving {
                effects.push(Effect::Quit);
            }
        }
        Message::RunsListed { ticket, runs } => {
            runs::listed(state, ticket, runs);
            state.revision += 1;
        }
        Message::RunRead { ticket, name, result } => {
            runs::read(state, ticket, name, result);
            state.revision += 1;
        }
        Message::ReportsRead { ticket, reading } => bleu::read(state, ticket, reading),
        Message::Exported { result } => bleu::exported(state, result),
        Message::PlaygroundFound { ticket, finds } => playground::looked(state, ticket, *finds),
        Message::ReportWritten { path, result } => playground::report_written(state, path, result),
        Message::Trial { ticket, news } => playground::hear(state, ticket, *news, &mut effects),
        Message::Answered { command, reply } => heard::answered(state, &command, &reply),
    }
    playground::settle(state, &mut effects);
    if state.in_playground() {
        state.playground.look_at_schema();
    }
    for effect in &mut effects {
        if let Effect::Copy(text) = effect {
            copied(state, text);
        }
    }
    effects
}

/// Bounds what is copied, and says how much it is.
fn copied(state: &mut State, text: &mut String) {
    // It may come from a model or a file, and wherever it is pasted a control character may act.
    text.retain(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    let all = text.chars().count() as u64;
    let mut end = text.len().min(COPY_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    let kept = text.chars().count() as u64;
    let characters = if kept == 1 { "character" } else { "characters" };
    let notice = if kept < all {
        format!("the first {} of {} characters went to the clipboard", format::count(kept), format::count(all))
    } else {
        format!("{} {characters} went to the terminal's clipboard", format::count(kept))
    };
    notify(state, NoticeKind::Good, notice);
    state.revision += 1;
}

fn with_run(state: &mut State, change: impl FnOnce(&mut RunStage, Clock)) {
    let clock = state.clock;
    if let Stage::Run(run) = &mut state.stage {
        change(run, clock);
        state.revision += 1;
    }
}

fn tick(state: &mut State, clock: Clock, effects: &mut Vec<Effect>) {
    state.clock = Clock { ms: clock.ms.max(state.clock.ms), ..clock };
    if state.notice.as_ref().is_some_and(|n| state.clock.ms >= n.until_ms) {
        state.notice = None;
    }
    if state.leave_by_ms.is_some_and(|by| state.clock.ms >= by) {
        state.leave_by_ms = None;
        effects.push(Effect::Quit);
    }
    start::tick(state, effects);
    bleu::tick(state, effects);
    playground::tick(state, effects);
    if state.log.go_on() {
        state.revision += 1;
    }
    let pulse = state.current_pulse();
    if pulse != state.pulse {
        state.pulse = pulse;
        state.revision += 1;
    }
}

fn notify(state: &mut State, kind: NoticeKind, text: impl Into<String>) {
    state.notice = Some(Notice { text: text.into(), kind, until_ms: state.clock.ms + NOTICE_MS });
    state.pulse = state.current_pulse();
}

fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    // The card makes room for whatever is done below it: what is typed there must not go past it.
    let keeps_card = matches!(action, Action::Theme | Action::Mouse | Action::Redraw | Action::Suspend);
    if matches!(state.overlay, Some(Overlay::Outcome { .. } | Overlay::OutOfMemory(_))) && !keeps_card {
        state.overlay = None;
    }
    if playground::act(state, action, effects) || start::act(state, action, effects) {
        return;
    }
    match action {
        Action::TakeSetting
        | Action::DropSetting
        | Action::Watch
        | Action::EditSetting
        | Action::Start
        | Action::ResumeRun
        | Action::NextValue
        | Action::PreviousValue
        | Action::ResetSetting
        | Action::SwitchPane
        | Action::Refresh
        | Action::MemoryPlan
        | Action::ApplyPlan
        | Action::Elsewhere
        | Action::Formula
        | Action::BackToStart
        | Action::CancelStart
        | Action::TabPlayground
        | Action::RunTrial
        | Action::OpenHere
        | Action::TypeText
        | Action::NextPanel
        | Action::PreviousPanel
        | Action::Examples
        | Action::Trials
        | Action::RowsFile
        | Action::RowsReport
        | Action::CompareVariants => {}
        Action::PauseOrResume => with_run(state, |run, _| {
            // A run that waits for a lever tries again as it is.
            let paused = run.control.paused_at_ms.is_some() || run.oom.asks;
            let paused = paused || run.control.pausing == Some(Command::Pause);
            let command = if paused { Command::Resume } else { Command::Pause };
            if run.control.pausing.as_ref() != Some(&command) {
                run.oom.tried = run.oom.asks.then_some(run.oom.heard);
                run.control.pausing = Some(command.clone());
                effects.push(Effect::Send(command));
            }
        }),
        Action::Stop => {
            let stopping = state.run().is_some_and(|run| run.control.stops > 0);
            state.overlay = Some(Overlay::Ask(if stopping { Question::DropStep } else { Question::Stop }));
        }
        Action::Save => with_run(state, |run, _| {
            if !std::mem::replace(&mut run.control.saving, true) {
                effects.push(Effect::Send(Command::Save));
            }
        }),
        Action::Evaluate => with_run(state, |run, _| {
            if !std::mem::replace(&mut run.control.evaluating, true) {
                effects.push(Effect::Send(Command::Eval));
            }
        }),
        Action::TabTrain => state.tab = Tab::Train,
        Action::TabCharts => state.tab = Tab::Charts,
        Action::TabLog => state.tab = Tab::Log,
        Action::TabMemory => state.tab = Tab::Memory,
        Action::TabBleu => state.tab = Tab::Bleu,
        Action::NextTab => turn_tab(state, 1),
        Action::PreviousTab => turn_tab(state, Tab::ALL.len() - 1),
        // What moves, drops or copies something does so on the tab that is shown.
        Action::SelectUp
        | Action::SelectDown
        | Action::PageUp
        | Action::PageDown
        | Action::First
        | Action::Last
        | Action::Clear
        | Action::Copy
        | Action::Follow
        | Action::CursorLeft
        | Action::CursorRight
        | Action::PanLeft
        | Action::PanRight
        | Action::ZoomIn
        | Action::ZoomOut
        | Action::WholeRun => match state.tab {
            Tab::Log => log::act(state, action, effects),
            Tab::Memory => memory::act(state, action, effects),
            Tab::Bleu => bleu::act(state, action, effects),
            Tab::Train | Tab::Charts => chart::act(state, action, effects),
            Tab::Playground => {}
        },
        Action::Search | Action::Filter | Action::Open if state.tab == Tab::Bleu => bleu::act(state, action, effects),
        Action::Search
        | Action::NextMatch
        | Action::PreviousMatch
        | Action::Filter
        | Action::Details
        | Action::Open => log::act(state, action, effects),
        Action::SortNext
        | Action::SortPrevious
        | Action::SortReverse
        | Action::Baseline
        | Action::ExportHtml
        | Action::ExportCsv
        | Action::ExportJson => bleu::act(state, action, effects),
        Action::Peak => memory::act(state, action, effects),
        Action::NextChart
        | Action::PreviousChart
        | Action::Enlarge
        | Action::XAxis
        | Action::YScale
        | Action::SmoothMore
        | Action::SmoothLess => chart::act(state, action, effects),
        Action::Compare => runs::open(state, effects),
        Action::Palette => state.overlay = Some(Overlay::Palette(Palette::new(state))),
        Action::Mouse => {
            state.mouse = !state.mouse;
            effects.push(Effect::Mouse(state.mouse));
            notify(state, NoticeKind::Info, if state.mouse { "mouse on" } else { "mouse off: text can be selected" });
        }
        Action::Outcome => state.overlay = Some(Overlay::Outcome { selected: 0 }),
        Action::OomCard => oom::open(state),
        Action::Help => state.overlay = Some(Overlay::Help { scroll: 0 }),
        Action::Theme => {
            state.theme = state.theme.wrapping_add(1);
            if let Some(name) = state.themes.get(state.theme % state.themes.len().max(1)) {
                let told = format!("theme: {name}");
                notify(state, NoticeKind::Info, told);
            }
        }
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Quit => quit(state, effects),
    }
}

fn turn_tab(state: &mut State, by: usize) {
    let at = Tab::ALL.iter().position(|&t| t == state.tab).unwrap_or(0);
    state.tab = Tab::ALL[(at + by) % Tab::ALL.len()];
}

fn quit(state: &mut State, effects: &mut Vec<Effect>) {
    match &state.stage {
        Stage::Run(run) if run.owned && run.is_live() => {
            let question = if state.leaving { Question::QuitNow } else { Question::StopAndQuit };
            state.overlay = Some(Overlay::Ask(question));
        }
        Stage::Starting(_) => effects.extend([Effect::CancelStart, Effect::Quit]),
        // Asked once: the key that quits, pressed again, does.
        _ if state.overlay != Some(Overlay::Ask(Question::QuitPlayground)) && playground::holds_quit(state) => {
            state.overlay = Some(Overlay::Ask(Question::QuitPlayground));
        }
        _ => effects.push(Effect::Quit),
    }
}

fn send_stop(state: &mut State, effects: &mut Vec<Effect>) {
    with_run(state, |run, clock| {
        run.control.stops = run.control.stops.saturating_add(1);
        run.go_on(clock.ms as i64);
        run.control.pausing = None;
    });
    effects.push(Effect::Send(Command::Stop));
}

#[cfg(test)]
mod segment_tests;
#[cfg(test)]
mod tests;
