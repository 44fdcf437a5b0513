//! The plan of a run that goes on: said before the first step, and once more after the third, corrected by what was measured.
//! It stands between the trainer and the log and passes everything on. What is predicted is worked out in `memory::plan`.

use super::replay;
use super::store::RunFolder;
use crate::config::RunConfig;
use crate::event::{EventSink, MemoryPlanned, MemorySampled, RunEvent};
use crate::memory::ledger::{ByPhase, Ledger, Phase};
use crate::memory::plan::{Measured, Plan, Subject, fitted, plan};
use crate::units::RowLength;

/// Steps whose measurements a plan is fitted to.
const FITTED_STEPS: u64 = 3;

pub struct Planner<'a> {
    sink: &'a mut dyn EventSink,
    folder: &'a RunFolder,
    ledger: &'a Ledger,
    /// With its fit, once there is one.
    pub subject: Subject,
    pub limit_bytes: Option<u64>,
    config: RunConfig,
    measured: Measured,
    /// Steps with these settings.
    steps: u64,
    /// Recoveries without a whole step between them.
    pub recoveries: u32,
}

impl<'a> Planner<'a> {
    pub fn new(
        sink: &'a mut dyn EventSink,
        folder: &'a RunFolder,
        ledger: &'a Ledger,
        subject: Subject,
        limit_bytes: Option<u64>,
        config: RunConfig,
    ) -> Self {
        Planner {
            sink,
            folder,
            ledger,
            subject,
            limit_bytes,
            config,
            measured: Measured::default(),
            steps: 0,
            recoveries: 0,
        }
    }

    /// The plan as it is known now.
    pub fn plan(&self) -> Plan {
        plan(&self.subject, &self.config, self.limit_bytes)
    }

    /// What levers are worked out from: as fitted, or before that at least with what the process really holds.
    pub fn informed(&self) -> Subject {
        match self.subject.fit {
            Some(_) => self.subject.clone(),
            None => {
                fitted(&self.subject, &self.config, &Measured { by_phase: ByPhase::new(), ..self.measured.clone() })
            }
        }
    }

    /// Says what these settings will need. `standing_bytes` is what is held before the first micro-batch, `longest` the rows of the
    /// longest one, which is rehearsed.
    pub fn begin(&mut self, config: &RunConfig, standing_bytes: Option<u64>, longest: Vec<RowLength>) {
        self.config = config.clone();
        self.measured = Measured { standing_bytes, by_phase: ByPhase::new(), longest };
        self.steps = 0;
        self.ledger.forget_granted();
        self.say(None);
    }

    fn say(&mut self, fitted_steps: Option<u64>) {
        let Plan { peak_bytes, limit_bytes, by_category, by_phase, longest_batch, basis, .. } = self.plan();
        let longest_batch = Some(longest_batch);
        let planned =
            MemoryPlanned { peak_bytes, limit_bytes, by_category, by_phase, basis, fitted_steps, longest_batch };
        self.sink.emit(RunEvent::MemoryPlanned(planned));
    }

    /// Without a peak of a step there is nothing to fit to.
    fn fit(&mut self) {
        // Samples come from another thread: the log has them.
        self.measured.by_phase = peaks(self.folder);
        let in_steps = |by_phase: &ByPhase| [Phase::Forward, Phase::Backward].iter().any(|p| by_phase.contains_key(p));
        if !in_steps(&self.measured.by_phase) {
            // Short steps are over between two samples; what was measured whenever they asked for something is all there is then.
            self.measured.by_phase.extend(self.ledger.granted_by_phase());
        }
        if self.measured.standing_bytes.is_none() || !in_steps(&self.measured.by_phase) {
            return;
        }
        self.subject = fitted(&self.subject, &self.config, &self.measured);
        self.say(Some(FITTED_STEPS));
    }
}

impl EventSink for Planner<'_> {
    fn emit(&mut self, event: RunEvent) {
        let is_step = matches!(event, RunEvent::StepDone(_));
        self.sink.emit(event);
        if is_step {
            self.recoveries = 0;
            self.steps += 1;
            if self.steps == FITTED_STEPS {
                self.fit();
            }
        }
    }
}

/// The peak of each phase with the settings that the run has now.
fn peaks(folder: &RunFolder) -> ByPhase {
    let (mut peaks, mut marks) = (ByPhase::new(), Marks::default());
    // A log that cannot be read back leaves the plan as it was.
    let _ = replay::each(folder.path(), |stamped| match &stamped.event {
        RunEvent::RunStarted(_) => (peaks, marks) = Default::default(),
        RunEvent::OutOfMemory(e) if e.applied.is_some() => peaks.clear(),
        RunEvent::MemorySampled(e) => {
            if let Some((phase, held)) = marks.held(e) {
                let highest = peaks.entry(phase).or_default();
                *highest = held.max(*highest);
            }
        }
        _ => {}
    });
    peaks
}

/// What samples say of what a limit bounds.
#[derive(Default)]
struct Marks {
    /// The pool's high-water mark as it was said last.
    pool_high_bytes: u64,
}

impl Marks {
    /// Of the process, or on a device of that: without what the pool keeps unused, and where the pool's mark has risen since the sample before,
    /// with what was in use between the two. That counts as a step's: an eval needs no more.
    fn held(&mut self, sample: &MemorySampled) -> Option<(Phase, u64)> {
        let (held, Some(pool)) = (sample.held_bytes()?, sample.pool) else {
            return Some((sample.phase, sample.held_bytes()?));
        };
        // The mark starts anew when the pool is trimmed.
        let moved = pool.used_high_bytes != std::mem::replace(&mut self.pool_high_bytes, pool.used_high_bytes);
        let between = held + pool.used_high_bytes.saturating_sub(pool.used_bytes);
        Some(match (moved, sample.phase) {
            (true, Phase::Load) => (Phase::Load, between),
            (true, _) => (Phase::Forward, between),
            (false, phase) => (phase, held),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::probe::PoolMemory;

    #[test]
    fn on_a_device_the_pools_mark_counts_once_and_what_it_keeps_unused_does_not() {
        let mut marks = Marks::default();
        let mut held = |phase, used_bytes, used_high_bytes| {
            let pool = PoolMemory { used_bytes, used_high_bytes, reserved_bytes: 500, reserved_high_bytes: 500 };
            marks.held(&MemorySampled {
                phase,
                used_bytes: Some(7),
                device_used_bytes: Some(540),
                pool: Some(pool),
                ..Default::default()
            })
        };
        let (load, step, eval) = (Phase::Load, Phase::Forward, Phase::Eval);
        assert_eq!([held(load, 100, 300), held(step, 120, 300)], [Some((load, 340)), Some((step, 160))]);
        assert_eq!([held(eval, 100, 400), held(eval, 110, 400)], [Some((step, 440)), Some((eval, 150))]);
        // Trimmed, and filled anew.
        assert_eq!([held(step, 90, 90), held(step, 90, 200)], [Some((step, 130)), Some((step, 240))]);
        let of_process = MemorySampled { phase: eval, used_bytes: Some(7), ..Default::default() };
        assert_eq!(marks.held(&of_process), Some((eval, 7)));
    }
}
