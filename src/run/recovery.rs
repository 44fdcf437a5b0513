//! What happens after an out-of-memory: it is told with its cause and the levers that help, and by `memory.on_oom` one is applied, somebody
//! is asked, or the run ends with everything saved. The trainer stands at its last whole step all the while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::planner::Planner;
use super::post_mortem::remember;
use super::replay;
use super::sampler::MemoryWatch;
pub use super::stage::set_argument;
use super::stage::{Change, Stage};
use super::store::RunFolder;
use super::worker::{JobError, Outcome};
use crate::config::{OnOom, RunConfig};
use crate::event::{
    CommandReply, CommandRequest, EventSink, FinishReason, Lever, OutOfMemory, RunEvent, RunState, Warning,
};
use crate::memory::lever::Kind;
use crate::memory::plan::{self, Subject, levers};
use crate::memory::probe;
use crate::memory::triage::{Cause, Facts, History};
use crate::model::device_memory;
use crate::train::checkpoint::Checkpoints;
use crate::train::orders::{Choice, Orders, Stop, answer};
use crate::train::shortage::Shortage;
use crate::train::trainer::Trainer;
use crate::units::{format_bytes, shell_word};

/// Whether somebody is there who can be asked: true while a screen shows the run.
pub type Interactive = Arc<AtomicBool>;

/// Levers that are applied one after the other without a whole step between them.
const MOST: u32 = 8;

/// How a run goes on.
pub enum Next {
    /// With a lever. It is said, and who asked for it is answered, when it is in force.
    With {
        change: Box<Change>,
        told: Box<OutOfMemory>,
        id: String,
        asked: Option<CommandRequest>,
    },
    Again(Option<CommandRequest>),
    End(Result<Outcome, JobError>),
}

/// What is needed to decide.
pub struct Recovery<'a> {
    pub folder: &'a RunFolder,
    pub interactive: &'a Interactive,
    pub memory: &'a MemoryWatch,
}

impl Recovery<'_> {
    /// Tells the out-of-memory and decides what comes of it.
    pub fn decide(
        &self,
        shortage: &Shortage,
        stage: &Stage,
        trainer: &mut Trainer,
        planner: &mut Planner,
        orders: &mut Orders,
        checkpoints: &mut dyn Checkpoints,
    ) -> Next {
        let told = self.told(shortage, &stage.config, planner);
        let step = trainer.progress().step();
        let on_oom = match stage.config.memory.on_oom {
            OnOom::Ask if !self.interactive.load(Relaxed) => OnOom::Stop,
            on_oom => on_oom,
        };
        // Somebody who is asked hears of it first: a pause that was said before holds while they choose.
        if on_oom != OnOom::Ask {
            orders.look(step, Some(trainer.live()));
        }
        if on_oom == OnOom::Recover && orders.stop() == Stop::No && planner.recoveries < MOST {
            let found = preferred(&told.levers).find_map(|l| Some((stage.look(l, step).ok()?, l.id.clone())));
            if let Some((change, id)) = found {
                planner.recoveries += 1;
                return Next::With { change: Box::new(change), told: Box::new(told), id, asked: None };
            }
        }
        say(planner, &told, None);
        if on_oom == OnOom::Ask {
            return self.ask(shortage, &told, stage, trainer, planner, orders, checkpoints);
        }
        let stopped = orders.stop() != Stop::No;
        Next::End(self.end(shortage, &told, stopped, trainer, planner, checkpoints))
    }

    #[allow(clippy::too_many_arguments)]
    fn ask(
        &self,
        shortage: &Shortage,
        told: &OutOfMemory,
        stage: &Stage,
        trainer: &mut Trainer,
        planner: &mut Planner,
        orders: &mut Orders,
        checkpoints: &mut dyn Checkpoints,
    ) -> Next {
        let step = trainer.progress().step();
        let refused = |request, why: String| {
            answer(request, CommandReply { state: Some(RunState::Paused), ..CommandReply::refused(why) });
        };
        loop {
            match orders.choice(step, &|| self.interactive.load(Relaxed)) {
                Choice::Lever(id, request) => {
                    let Some(lever) = told.levers.iter().find(|l| l.id == id) else {
                        let ids: Vec<&str> = told.levers.iter().map(|l| l.id.as_str()).collect();
                        refused(request, format!("{id} is no lever here; there is {}", ids.join(", ")));
                        continue;
                    };
                    match stage.look(lever, step) {
                        Ok(change) => {
                            let (change, told) = (Box::new(change), Box::new(told.clone()));
                            return Next::With { change, told, id, asked: Some(request) };
                        }
                        Err(why) => refused(request, why),
                    }
                }
                Choice::Again(request) => return Next::Again(Some(request)),
                Choice::Save(request) => match trainer.save(planner, checkpoints) {
                    Ok(()) => {
                        let path = trainer.progress().saved_path().map(str::to_owned);
                        answer(request, CommandReply { path, ..CommandReply::done(RunState::Paused, step) });
                    }
                    Err(e) => refused(request, e.to_string()),
                },
                Choice::Stop => return Next::End(self.end(shortage, told, true, trainer, planner, checkpoints)),
                Choice::Nobody => return Next::End(self.end(shortage, told, false, trainer, planner, checkpoints)),
            }
        }
    }

    /// Saves the last whole step, if anything would be lost, and ends the run: as stopped where somebody said so.
    fn end(
        &self,
        shortage: &Shortage,
        told: &OutOfMemory,
        stopped: bool,
        trainer: &mut Trainer,
        planner: &mut Planner,
        checkpoints: &mut dyn Checkpoints,
    ) -> Result<Outcome, JobError> {
        let mut detail = shortage.to_string();
        let steps = trainer.progress().step();
        let due = !trainer.progress().is_saved() || (stopped && trainer.progress().saved_path().is_none());
        if due && let Err(e) = trainer.save(planner, checkpoints) {
            detail.push_str(&format!("; step {steps} could not be saved: {e}"));
        }
        detail.push_str(&format!("; {}", way_on(self.folder, &told.levers, steps)));
        if stopped {
            return Ok(Outcome { reason: FinishReason::Stopped, steps, detail: Some(detail) });
        }
        Err(JobError::Failed(detail))
    }

    /// The event, still without a lever applied.
    fn told(&self, shortage: &Shortage, config: &RunConfig, planner: &Planner) -> OutOfMemory {
        let mut history = History::default();
        // Samples come from another thread: the log has them.
        let _ = replay::each(self.folder.path(), |stamped| remember(&mut history, &stamped.event));
        let (plan, informed) = (planner.plan(), planner.informed());
        let limit_bytes = shortage.limit_bytes.or(planner.limit_bytes);
        let device = self.memory.ask_device();
        let others_bytes = device.as_ref().and_then(|d| d.others_bytes);
        let free_bytes = shortage.free_bytes.or(device.as_ref().and_then(|d| d.free_bytes));
        let used_bytes = match (shortage.held_bytes, &device) {
            (Some(held), _) => Some(held),
            (None, Some(device)) => device.used_bytes,
            (None, None) => probe::host_memory().used_bytes,
        };
        // The step was dropped meanwhile: what it gave back was not there when there was no room.
        let available_bytes = device_memory::room_bytes().map(|room| room.saturating_sub(used_bytes.unwrap_or(0)));
        let facts = Facts {
            step: shortage.place.step,
            tokens: shortage.place.tokens,
            used_bytes,
            limit_bytes: planner.limit_bytes.or(limit_bytes),
            requested_bytes: shortage.requested_bytes,
            free_bytes,
            available_bytes,
            others_bytes,
            planned_peak_bytes: Some(plan.peak_bytes),
        };
        // What others took is told by the run's own limit; that it is too large, by what there was.
        let cause = match history.cause(&facts) {
            Cause::Unknown => history.cause(&Facts { limit_bytes, ..facts }),
            cause => cause,
        };
        let peak_now = plan::plan(&informed, config, limit_bytes).peak_bytes;
        OutOfMemory {
            phase: shortage.phase,
            step: shortage.place.step,
            micro: shortage.place.micro,
            layer: shortage.layer,
            requested_bytes: shortage.requested_bytes,
            free_bytes,
            by_category: shortage.by_category.clone(),
            levers: levers(&informed, config, Some(aim(peak_now, limit_bytes, shortage))),
            applied: None,
            origin: Some(shortage.origin),
            cause: Some(cause),
            limit_bytes,
            used_bytes,
            others_bytes,
            tokens: shortage.place.tokens,
            planned_peak_bytes: Some(plan.peak_bytes),
            planned_by_category: plan.by_category,
            rehearsal: shortage.place.rehearsal,
        }
    }
}

/// Writes the event, with the lever that is in force.
pub fn say(planner: &mut Planner, told: &OutOfMemory, applied: Option<&str>) {
    let applied = applied.map(str::to_owned);
    planner.emit(RunEvent::OutOfMemory(Box::new(OutOfMemory { applied, ..told.clone() })));
}

/// The peak that a lever must come below: the limit, and where the plan is within it and was wrong, as much less than the plan as lacked.
fn aim(peak_bytes: u64, limit_bytes: Option<u64>, shortage: &Shortage) -> u64 {
    let lacked = match (shortage.requested_bytes, shortage.free_bytes) {
        (Some(requested), Some(free)) => requested.saturating_sub(free),
        // The device does not say: an eighth less is worth a try.
        _ => peak_bytes / 8,
    };
    let wrong = peak_bytes.saturating_sub(lacked.max(1));
    limit_bytes.map_or(wrong, |limit| limit.min(wrong))
}

/// The levers that may be applied without asking, those that are predicted to fit first.
pub fn preferred(levers: &[Lever]) -> impl Iterator<Item = &Lever> {
    let keeps = |l: &&Lever| Kind::of(&l.id).is_some_and(Kind::keeps_the_result);
    let fits = levers.iter().filter(keeps).filter(|l| l.fits == Some(true));
    fits.chain(levers.iter().filter(keeps).filter(|l| l.fits != Some(true)))
}

/// How to go on, as one types it.
pub fn way_on(folder: &RunFolder, levers: &[Lever], steps: u64) -> String {
    let run = shell_word(folder.path());
    let usable = |l: &&Lever| !l.restarts || steps == 0;
    let Some(lever) = levers.iter().filter(usable).find(|l| l.fits == Some(true)).or(levers.iter().find(usable)) else {
        return match levers.first() {
            Some(lever) => {
                let set: Vec<String> = lever.changes.iter().map(set_argument).collect();
                format!("for a new run that needs less: finetop train {run}/config.toml {}", set.join(" "))
            }
            None => "no lever would make it need less".into(),
        };
    };
    let peak = format_bytes(lever.predicted_peak_bytes);
    format!(
        "to go on: finetop train {run} --resume --lever {} ({}; a peak of {peak} is predicted)",
        lever.id, lever.price
    )
}

/// What a run is told of that was killed for want of memory, with the levers that help.
pub fn explained(mut found: OutOfMemory, subject: &Subject, config: &RunConfig) -> OutOfMemory {
    let peak_bytes = plan::plan(subject, config, None).peak_bytes;
    // What was there when it was killed was too much.
    let less = peak_bytes.saturating_sub(peak_bytes / 8);
    let limit = found.limit_bytes.map_or(less, |limit| limit.min(less));
    found.levers = levers(subject, config, Some(limit));
    found
}

/// Says that a lever could not be written where the next start reads it.
pub fn not_written(sink: &mut dyn EventSink, e: &dyn std::fmt::Display) {
    let detail =
        format!("the run goes on, but config.toml could not be written, so that a resumed run begins as before: {e}");
    sink.emit(RunEvent::Warning(Warning { kind: "config_not_written".into(), detail }));
}
