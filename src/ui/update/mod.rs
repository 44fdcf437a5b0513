//! The one place where the screen changes: a message comes in, the state is another, effects are asked for. No clock, no terminal.
//! What keys do to charts, log and palette is in the files beside this one.

mod chart;
mod log;
mod palette;
mod preferred;
mod runs;
mod start;

use crate::event::{Command, CommandReply, RunEvent, RunState, Stamped};

use super::format;
use super::help;
use super::keymap::{Action, is_available};
use super::message::{Clock, Effect, Fetching, Key, Message, Mouse, MouseKind};
use super::state::log::LogView;
use super::state::palette::Palette;
use super::state::{
    Activity, Control, Notice, NoticeKind, Overlay, Preparation, Question, RunStage, Stage, State, Tab,
};
use super::view::{is_too_small, outcome};
use crate::memory::ledger::Phase;
use crate::units::printable;

/// How long a notice stays in the footer.
const NOTICE_MS: u64 = 5_000;
/// How long the screen that is to quit waits for the stream to close after the run's last event.
const LEAVE_WITHIN_MS: u64 = 2_000;
/// An end of the run that is younger than this is news, and shows its card.
const NEWS_MS: i64 = 10_000;
/// The stretch over which the speed of fetching is measured.
const SPEED_OVER_MS: u64 = 3_000;

/// What a clipboard is given at most: terminals and what stands before them drop longer sequences, or choke.
const COPY_MAX_BYTES: usize = 100_000;
/// Entries that one turn of the wheel moves by.
const WHEEL_ENTRIES: usize = 3;

/// Takes one message in; what the outside has to do about it comes back.
pub fn update(state: &mut State, message: Message) -> Vec<Effect> {
    let mut effects = Vec::new();
    match message {
        Message::Tick(clock) => tick(state, clock, &mut effects),
        Message::Preferred(preferred) => preferred::take(state, *preferred, &mut effects),
        Message::Key(key) => {
            on_key(state, key, &mut effects);
            state.revision += 1;
        }
        Message::Paste(text) => {
            pasted(state, &text);
            state.revision += 1;
        }
        Message::Mouse(mouse) => {
            on_mouse(state, mouse, &mut effects);
            state.revision += 1;
        }
        Message::Resized { width, height } => {
            state.size = (width, height);
            log::resized(state);
            state.revision += 1;
        }
        Message::Redraw => {
            effects.push(Effect::Redraw);
            state.revision += 1;
        }
        Message::Fetching(fetching) => {
            if let Stage::Starting(preparation) = &mut state.stage {
                fetched(preparation, fetching, state.clock);
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
        Message::Entries(entries) => start::entries(state, entries),
        Message::Looked { ticket, look } => start::looked(state, ticket, *look),
        Message::Attached { folder, owned } => {
            let mut run = RunStage::new(folder, owned);
            run.view.set_smoothing(state.chart.smoothing);
            state.stage = Stage::Run(Box::new(run));
            // Nothing that was asked for the run before counts for this one.
            runs::next_ticket(state);
            state.overlay = None;
            state.chart.forget_run();
            state.log = LogView::default();
            state.revision += 1;
        }
        Message::Event(stamped) => {
            on_event(state, &stamped, false);
            log::hear(state, *stamped);
        }
        Message::History(stamped) => {
            on_event(state, &stamped, true);
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
                        show_end(state);
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
        Message::Answered { command, reply } => answered(state, &command, &reply),
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
    if state.log.go_on() {
        state.revision += 1;
    }
    let pulse = state.current_pulse();
    if pulse != state.pulse {
        state.pulse = pulse;
        state.revision += 1;
    }
}

/// Takes a fact in. One from before this process went on with the run changes what is known of it, and nothing of its control.
fn on_event(state: &mut State, stamped: &Stamped, is_history: bool) {
    let clock = state.clock;
    let Stage::Run(run) = &mut state.stage else { return };
    let cut_off = run.view.started.is_some() && run.view.outcome.is_none();
    run.view.fold(stamped);
    // A run of this process is heard at once; a log may be old, and says itself when its events happened.
    let age_ms = match run.view.newest_event_unix_ms() {
        Some(unix) if !run.owned => (clock.unix_ms as i64 - unix as i64).max(0),
        _ => 0,
    };
    let event_ms = clock.ms as i64 - age_ms;
    run.newest_event_ms = Some(event_ms);
    // A checkpoint that a killed process saved in its last moment is said before the segment that goes on from it.
    run.awaited &= is_history || matches!(stamped.event, RunEvent::CheckpointSaved(_));
    let paused_before = |run: &RunStage, ms: u64| run.pauses.since_ms().is_some_and(|since| since < ms);
    match &stamped.event {
        RunEvent::MicroBatchDone(micro) => {
            run.worked = true;
            // Somebody else may have told the run to go on: a micro-batch that began after the pause shows it.
            let began_ms = event_ms.saturating_sub_unsigned(micro.duration_us / 1000);
            if paused_before(run, run.own_ms(began_ms)) {
                run.go_on(began_ms);
            }
        }
        // A pause from elsewhere shows in the phase alone; before the first piece of work nothing is paused.
        RunEvent::MemorySampled(sample) => match sample.phase {
            Phase::Idle if run.worked => run.pause(event_ms),
            Phase::Idle => {}
            _ if paused_before(run, stamped.elapsed_ms) => run.go_on(event_ms),
            _ => {}
        },
        RunEvent::StepDone(_) | RunEvent::EvalDone(_) | RunEvent::CheckpointSaved(_) => {
            run.worked = true;
            if paused_before(run, stamped.elapsed_ms) {
                run.go_on(event_ms);
            }
            run.pauses.begin_piece();
        }
        RunEvent::RunStarted(_) => {
            run.pauses.begin_segment();
            run.worked = false;
            if !is_history {
                run.control.paused_at_ms = None;
                // What was asked while this segment was prepared is still to come; a process that was cut off answers no more.
                if cut_off && !run.owned {
                    run.control = Control::default();
                }
                if matches!(state.overlay, Some(Overlay::Outcome { .. })) {
                    state.overlay = None;
                }
            }
        }
        RunEvent::RunFinished(_) => {
            run.go_on(event_ms);
            if !is_history {
                run.control = Control::default();
                // Where the stream goes on after an old end, somebody is about to go on with the run.
                run.awaited = !run.owned && age_ms >= NEWS_MS;
                if state.leaving {
                    state.leave_by_ms = Some(clock.ms + LEAVE_WITHIN_MS);
                } else if age_ms < NEWS_MS {
                    show_end(state);
                }
            }
        }
        _ => {}
    }
    state.revision += 1;
}

/// The run has ended just now.
fn show_end(state: &mut State) {
    if takes_text(state) {
        // What is typed must not become commands all at once.
        notify(state, NoticeKind::Info, "the run has ended");
    } else {
        state.overlay = Some(Overlay::Outcome { selected: 0 });
    }
}

fn fetched(preparation: &mut Preparation, fetching: Fetching, clock: Clock) {
    let same = preparation.now.as_ref().is_some_and(|f| f.what == fetching.what && f.done <= fetching.done);
    let (since_ms, since_bytes) = match preparation.measured_from.filter(|_| same) {
        Some(from) => from,
        None => {
            preparation.speed = None;
            (clock.ms, fetching.done)
        }
    };
    preparation.measured_from = Some((since_ms, since_bytes));
    let over_ms = clock.ms.saturating_sub(since_ms);
    if over_ms >= 500 {
        preparation.speed = Some((fetching.done - since_bytes) as f64 * 1e3 / over_ms as f64);
        if over_ms >= SPEED_OVER_MS {
            preparation.measured_from = Some((clock.ms, fetching.done));
        }
    }
    preparation.now = Some(fetching);
}

fn answered(state: &mut State, command: &Command, reply: &CommandReply) {
    with_run(state, |run, clock| {
        let control = &mut run.control;
        match command {
            Command::Pause | Command::Resume => control.pausing = None,
            Command::Save => control.saving = false,
            Command::Eval => control.evaluating = false,
            Command::Stop if !reply.ok => control.stops = 0,
            Command::Stop | Command::ApplyLever { .. } => {}
        }
        match reply.state {
            Some(RunState::Paused) => run.pause(clock.ms as i64),
            Some(RunState::Running) => run.go_on(clock.ms as i64),
            _ => {}
        }
    });
    let step = format::or_unknown(reply.step, format::count);
    let (kind, text) = match (&reply.error, command) {
        (Some(error), _) => (NoticeKind::Bad, printable(error)),
        (None, _) if !reply.ok => (NoticeKind::Bad, "the run refused".to_owned()),
        (None, Command::Save) => {
            let path = reply.path.as_deref().map(|p| format!(": {}", printable(p)));
            (NoticeKind::Good, format!("saved at step {step}{}", path.unwrap_or_default()))
        }
        (None, Command::Eval) => (NoticeKind::Good, format!("evaluated at step {step}")),
        _ => return,
    };
    notify(state, kind, text);
}

fn notify(state: &mut State, kind: NoticeKind, text: impl Into<String>) {
    state.notice = Some(Notice { text: text.into(), kind, until_ms: state.clock.ms + NOTICE_MS });
    state.pulse = state.current_pulse();
}

/// What asks for text gets what was pasted.
fn pasted(state: &mut State, text: &str) {
    if is_too_small(state.size) {
        return;
    }
    let in_start = start::takes_text(state);
    match &mut state.overlay {
        Some(Overlay::Palette(_)) => palette::pasted(state, text),
        Some(_) => {}
        None if in_start => start::pasted(state, text),
        None => log::pasted(state, text),
    }
}

fn on_key(state: &mut State, key: Key, effects: &mut Vec<Effect>) {
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
    if state.overlay.is_none() && !is_everywhere(state, key) && log::takes_text(state) {
        return log::key(state, key);
    }
    if state.overlay.is_none() && !is_everywhere(state, key) && start::takes_text(state) {
        return start::key(state, key);
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
fn on_mouse(state: &mut State, mouse: Mouse, effects: &mut Vec<Effect>) {
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
        (None, _) if state.tab == Tab::Log => log::mouse(state, mouse),
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
        None => log::takes_text(state) || start::takes_text(state),
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
fn is_everywhere(state: &State, key: Key) -> bool {
    key.types_nothing() && matches!(state.keymap.action(key, state), Some(Action::Redraw | Action::Suspend))
        || key == Key::Ctrl('c')
}

/// Why a key does nothing; `None` where that needs no words.
fn why_not(action: Action, state: &State) -> Option<&'static str> {
    let is_quiet = matches!(
        action,
        Action::Start | Action::CancelStart | Action::Clear | Action::Outcome | Action::SelectUp | Action::SelectDown
    );
    if is_quiet || is_available(action, state) { None } else { Some(reason(action, state)) }
}

/// Why an action makes no sense now.
fn reason(action: Action, state: &State) -> &'static str {
    if let Some(why) = start::why_not(action, state) {
        return why;
    }
    match (action, state.run()) {
        (Action::BackToStart, Some(_)) if state.page.is_some() => "the run lives in this program: stop it first",
        (Action::Start, Some(_)) => "a run is here already",
        (Action::Start, None) => "nothing can be started here",
        (Action::CancelStart, _) => "nothing is being prepared",
        (_, None) => "no run yet",
        (Action::Save | Action::Evaluate, Some(run)) if run.activity() == Activity::Paused => {
            "the run is paused; resume it first"
        }
        (Action::Evaluate, Some(run)) if run.is_live() && run.activity() != Activity::Stopping => {
            "this run has no eval data"
        }
        (Action::PauseOrResume | Action::Stop | Action::Save | Action::Evaluate, Some(run)) => {
            if run.is_live() {
                "the run is stopping"
            } else {
                "the run has ended"
            }
        }
        (Action::Outcome, Some(_)) => "the run has not ended yet",
        (Action::Open | Action::Search | Action::NextMatch | Action::PreviousMatch, Some(_)) => "that is for the log",
        (Action::Filter | Action::Details, Some(_)) => "that is for the log",
        (_, Some(_)) => "that is for the tabs train and charts",
    }
}

fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    // The card makes room for whatever is done below it: what is typed there must not go past it.
    let keeps_card = matches!(action, Action::Theme | Action::Mouse | Action::Redraw | Action::Suspend);
    if matches!(state.overlay, Some(Overlay::Outcome { .. })) && !keeps_card {
        state.overlay = None;
    }
    if start::act(state, action, effects) {
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
        | Action::BackToStart
        | Action::CancelStart => {}
        Action::PauseOrResume => with_run(state, |run, _| {
            let paused = run.control.paused_at_ms.is_some() || run.control.pausing == Some(Command::Pause);
            let command = if paused { Command::Resume } else { Command::Pause };
            if run.control.pausing.as_ref() != Some(&command) {
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
        | Action::Follow => match state.tab {
            Tab::Log => log::act(state, action, effects),
            Tab::Train | Tab::Charts => chart::act(state, action, effects),
        },
        Action::Search
        | Action::NextMatch
        | Action::PreviousMatch
        | Action::Filter
        | Action::Details
        | Action::Open => log::act(state, action, effects),
        Action::CursorLeft
        | Action::CursorRight
        | Action::PanLeft
        | Action::PanRight
        | Action::ZoomIn
        | Action::ZoomOut
        | Action::WholeRun
        | Action::NextChart
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
        _ => effects.push(Effect::Quit),
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
        _ if !yes => {}
        Question::Stop | Question::DropStep if live => send_stop(state, effects),
        Question::Stop | Question::DropStep => {}
        Question::StopAndQuit if live => {
            state.leaving = true;
            // A stop that was sent before is enough: a second one would drop the step.
            if state.run().is_some_and(|run| run.control.stops == 0) {
                send_stop(state, effects);
            }
        }
        Question::StopAndQuit | Question::QuitNow => effects.push(Effect::Quit),
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
