//! What a log says about memory, for who judges an out-of-memory: the last steps, and whether a run that ended without a word was ended by
//! the system. The judgement itself is `memory::triage`'s; nothing is written here.

use crate::event::{OutOfMemory, RunEvent, Stamped};
use crate::memory::ledger::Phase;
use crate::memory::triage::{Facts, History, LastSeen, Origin, killed};

/// Takes an event into the history that causes are judged by.
pub fn remember(history: &mut History, event: &RunEvent) {
    match event {
        // Another process, or other settings.
        RunEvent::RunStarted(_) => history.forget(),
        RunEvent::OutOfMemory(e) if e.applied.is_some() => history.forget(),
        RunEvent::MicroBatchDone(e) => history.micro_batch(e.step, e.tokens, e.used_bytes),
        RunEvent::StepDone(e) => history.step_done(e.step),
        RunEvent::MemorySampled(e) if matches!(e.phase, Phase::Forward | Phase::Backward | Phase::Optimizer) => {
            let available_bytes = match e.device_used_bytes {
                // What the pool keeps unused is there for the run alone: a device has that free besides.
                Some(used) => e
                    .device_free_bytes
                    .map(|free| free.saturating_add(used.saturating_sub(e.held_bytes().unwrap_or(used)))),
                None => e.host_available_bytes,
            };
            history.sample(e.held_bytes(), available_bytes, e.others_bytes);
        }
        _ => {}
    }
}

/// The out-of-memory that ended a run whose log ends without `run_finished`, if it was one; `oom_kills` is the count of the cgroup now.
/// Levers are left empty: they take the model's files to work out.
pub fn post_mortem(events: &[Stamped], oom_kills: Option<u64>) -> Option<OutOfMemory> {
    let begin = events.iter().rposition(|s| matches!(s.event, RunEvent::RunStarted(_)))?;
    let segment = &events[begin..];
    let ended = segment.iter().any(|s| matches!(s.event, RunEvent::RunFinished(_)));
    // What waited for an answer has told its own out-of-memory.
    let told = segment.iter().rev().find(|s| !matches!(s.event, RunEvent::MemorySampled(_)));
    if ended || told.is_some_and(|s| matches!(&s.event, RunEvent::OutOfMemory(e) if e.applied.is_none())) {
        return None;
    }
    let (mut last, mut history, mut tokens) = (LastSeen::default(), History::default(), None);
    let (mut limit_bytes, mut others_bytes, mut planned) = (None, None, None);
    let mut done = 0;
    for Stamped { event, .. } in segment {
        remember(&mut history, event);
        match event {
            RunEvent::RunStarted(e) => {
                done = e.resumed_from.unwrap_or(0);
                last.step = done + 1;
            }
            RunEvent::MicroBatchDone(e) => {
                (last.step, last.micro) = (e.step, e.micro);
                tokens = Some(e.tokens);
            }
            RunEvent::StepDone(e) => {
                done = e.step;
                (last.step, last.micro) = (e.step.saturating_add(1), 0);
            }
            // The step that did not fit is done again.
            RunEvent::OutOfMemory(_) => (last.step, last.micro) = (done.saturating_add(1), 0),
            RunEvent::MemoryPlanned(e) => planned = Some(e),
            RunEvent::MemorySampled(e) => {
                last.phase = e.phase;
                // The system kills for want of its own memory, whatever the device has.
                last.used_bytes = e.used_bytes;
                last.host_total_bytes = e.host_total_bytes.or(last.host_total_bytes);
                last.host_available_bytes = e.host_available_bytes.or(last.host_available_bytes);
                last.cgroup = e.cgroup.or(last.cgroup);
                last.by_category.clone_from(&e.by_category);
                limit_bytes = e.limit_bytes.filter(|_| e.device_used_bytes.is_none());
                others_bytes = e.others_bytes;
            }
            _ => {}
        }
    }
    let found = killed(&last, oom_kills)?;
    let tokens = tokens.filter(|_| matches!(found.phase, Phase::Forward | Phase::Backward));
    let planned_peak_bytes = planned.map(|p| p.peak_bytes);
    let limit_bytes = [limit_bytes, found.limit_bytes].into_iter().flatten().min();
    let facts = Facts {
        step: found.step,
        // What was computed when it was killed is not known, only what went well before.
        tokens: None,
        used_bytes: found.used_bytes,
        limit_bytes,
        requested_bytes: None,
        free_bytes: None,
        available_bytes: found.available_bytes,
        others_bytes,
        planned_peak_bytes,
    };
    Some(OutOfMemory {
        phase: found.phase,
        step: found.step,
        micro: found.micro,
        by_category: found.by_category,
        origin: Some(Origin::Killed),
        cause: Some(history.cause(&facts)),
        free_bytes: found.available_bytes,
        limit_bytes,
        used_bytes: found.used_bytes,
        others_bytes,
        tokens,
        planned_peak_bytes,
        planned_by_category: planned.map(|p| p.by_category.clone()).unwrap_or_default(),
        ..OutOfMemory::default()
    })
}
