//! What the run says and answers, and how its preparation goes.

use crate::event::{Command, CommandReply, RunEvent, RunState, Stamped};
use crate::memory::ledger::Phase;
use crate::ui::format;
use crate::ui::message::{Clock, Fetching};
use crate::ui::state::{Control, NoticeKind, Overlay, Preparation, RunStage, Stage, State};
use crate::units::printable;

use super::{notify, oom, takes_text, with_run};

/// How long the screen that is to quit waits for the stream to close after the run's last event.
const LEAVE_WITHIN_MS: u64 = 2_000;
/// An end of the run that is younger than this is news, and shows its card.
const NEWS_MS: i64 = 10_000;
/// The stretch over which the speed of fetching is measured.
const SPEED_OVER_MS: u64 = 3_000;

/// Takes a fact in. One from before this process went on with the run changes what is known of it, and nothing of its control.
pub(super) fn on_event(state: &mut State, stamped: &Stamped, is_history: bool) {
    let clock = state.clock;
    let asks_run = state.playground.asks_run();
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
    oom::heard(run, &stamped.event, event_ms, is_history);
    let asks = run.oom.asks;
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
            // A run that waits for a lever is neither paused nor at work, whatever phase it stands in.
            _ if asks => {}
            Phase::Idle if run.worked => run.pause(event_ms),
            Phase::Idle => {}
            // A paused run answers as well, and stays paused.
            Phase::Generate if asks_run => {}
            _ if paused_before(run, stamped.elapsed_ms) => run.go_on(event_ms),
            _ => {}
        },
        RunEvent::StepDone(_) | RunEvent::EvalDone(_) | RunEvent::CheckpointSaved(_) => {
            run.worked = true;
            if paused_before(run, stamped.elapsed_ms) {
                run.go_on(event_ms);
            }
            run.pauses.begin_piece();
            // Another adapter to choose.
            state.playground.looked &= !matches!(stamped.event, RunEvent::CheckpointSaved(_));
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
                if matches!(state.overlay, Some(Overlay::Outcome { .. } | Overlay::OutOfMemory(_))) {
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
        RunEvent::BleuDone(_) => state.bleu.look_again(),
        RunEvent::OutOfMemory(oom) if !is_history && age_ms < NEWS_MS => oom::show(state, oom),
        _ => {}
    }
    state.revision += 1;
}

/// The run has ended just now.
pub(super) fn show_end(state: &mut State) {
    if takes_text(state) {
        // What is typed must not become commands all at once.
        notify(state, NoticeKind::Info, "the run has ended");
    } else {
        state.overlay = Some(Overlay::Outcome { selected: 0 });
    }
}

pub(super) fn fetched(preparation: &mut Preparation, fetching: Fetching, clock: Clock) {
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

pub(super) fn answered(state: &mut State, command: &Command, reply: &CommandReply) {
    with_run(state, |run, clock| {
        let control = &mut run.control;
        match command {
            Command::Pause | Command::Resume => control.pausing = None,
            Command::Save => control.saving = false,
            Command::Eval => control.evaluating = false,
            Command::Stop if !reply.ok => control.stops = 0,
            Command::ApplyLever { .. } => oom::answered(run),
            Command::Stop | Command::Bleu | Command::Extract(_) | Command::Cancel => {}
        }
        if reply.ok && *command == Command::Resume {
            // It tries again as it is, and may have said what came of it before the answer was here: then it waits once more.
            let is_news = run.oom.tried.take().is_some_and(|tried| tried < run.oom.heard);
            if run.oom.asks && is_news {
                return;
            }
            run.oom.asks = false;
        }
        match reply.state {
            Some(RunState::Paused) if run.oom.asks => {}
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
