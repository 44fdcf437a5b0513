//! Memory over time as the screen keeps it: samples by category, bounded, the highest of merged neighbours kept; peaks by phase, exact; what
//! happened when. Who measures and charges is `crate::memory`; how it is looked at is in `timeline`, how it looks in `view::memory_tab`.

use crate::event::{MemoryPlanned, MemorySampled, with_unaccounted};
use crate::memory::ledger::{ByCategory, Category, Phase};
use crate::memory::probe::{GpuState, PoolMemory};

use super::pauses::Pauses;

/// Samples kept before neighbours are merged: more than a chart has columns, at most about 3 MiB.
const MAX_SAMPLES: usize = 8192;
/// Marks kept before every other eval and checkpoint goes.
const MAX_MARKS: usize = 4096;

/// Bytes by category in the order of `Category::ALL`.
pub type Stack = [u64; Category::ALL.len()];

/// A sample as the crosshair shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryPoint {
    /// Time at work: the run's clock without pauses.
    pub at_ms: u64,
    /// The step that was under way; between two steps the one before.
    pub step: u64,
    pub phase: Phase,
    /// Of the process; where the weights live on a device, what the process holds of that.
    pub used_bytes: Option<u64>,
    /// By category, what is measured but not charged among them.
    pub stack: Stack,
    pub limit_bytes: Option<u64>,
    pub host_available_bytes: Option<u64>,
    pub swap_bytes: Option<u64>,
    pub device: Option<Box<DevicePoint>>,
}

/// What is known of a device at a moment, besides what this process holds of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DevicePoint {
    pub total_bytes: Option<u64>,
    pub others_bytes: Option<u64>,
    /// What the process holds of the host.
    pub process_bytes: Option<u64>,
    pub gpu: Option<GpuState>,
    pub pool: Option<PoolMemory>,
}

impl MemoryPoint {
    /// What is drawn as height: the measured use, or the charged sum where nothing was measured.
    pub fn height(&self) -> u64 {
        self.used_bytes.unwrap_or_else(|| sum(&self.stack))
    }

    /// What the ledger has, whatever was measured.
    pub fn charged(&self) -> u64 {
        sum(&self.stack[..Category::Unaccounted as usize])
    }

    /// What is measured less what is charged; below zero where charged bytes were not touched yet, or not any more.
    pub fn unaccounted(&self) -> Option<i128> {
        Some(i128::from(self.used_bytes?) - i128::from(self.charged()))
    }
}

/// The highest that was measured in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peak {
    pub bytes: u64,
    pub at_ms: u64,
    pub step: u64,
    /// By the newest plan for the settings that held then.
    pub planned_bytes: Option<u64>,
    settings: u32,
}

/// The highest moment of all, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Highest {
    pub point: MemoryPoint,
    /// The newest plan for the settings that held then.
    pub plan: Option<MemoryPlanned>,
    settings: u32,
}

/// What happens to a run that a look at its memory should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    Eval,
    Checkpoint,
    Bleu,
    OutOfMemory,
    /// A lever was applied, and the run goes on.
    Lever,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Time at work.
    pub at_ms: u64,
    pub step: u64,
    pub kind: MarkKind,
}

/// Samples over time, the newest one whole, and what was seen as limit and peak.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemoryHistory {
    points: Vec<MemoryPoint>,
    samples_per_point: u64,
    samples_in_last: u64,
    pub last: Option<MemorySampled>,
    newest: Option<MemoryPoint>,
    pub peak_bytes: Option<u64>,
    pub limit_bytes: Option<u64>,
    /// Whether samples of this segment tell the memory of a card.
    on_device: bool,
    /// Peaks of the whole run, by phase.
    peaks: [Option<Peak>; Phase::ALL.len()],
    highest: Option<Highest>,
    /// Whether those are of a card.
    peaks_on_device: bool,
    marks: Vec<Mark>,
    /// Which categories ever had bytes.
    seen: [bool; Category::ALL.len()],
    plan: Option<MemoryPlanned>,
    /// Counts segments and applied levers: a peak is held against the plan for its own settings.
    settings: u32,
    /// As the log itself tells them, so that an old run shows the same times as a live one.
    pauses: Pauses,
    has_worked: bool,
}

impl MemoryHistory {
    pub fn sample(&mut self, elapsed_ms: u64, step: u64, sample: &MemorySampled) {
        match sample.phase {
            // Before the first piece of work nothing is paused.
            Phase::Idle if self.has_worked => self.pauses.begin(elapsed_ms),
            Phase::Idle => {}
            _ => _ = self.pauses.end(elapsed_ms),
        }
        let point = MemoryPoint { at_ms: self.pauses.at_work_ms(elapsed_ms), step, ..point_of(sample) };
        if sample.device_used_bytes.is_some() && !std::mem::replace(&mut self.on_device, true) {
            // What was seen before was the process's.
            self.peak_bytes = None;
        }
        self.saw_peak(point.used_bytes);
        self.saw_peak_of_process(sample.peak_bytes);
        if sample.limit_bytes.is_some() {
            self.limit_bytes = sample.limit_bytes;
        }
        self.saw_in_phase(&point);
        for (seen, &bytes) in self.seen.iter_mut().zip(&point.stack) {
            *seen |= bytes > 0;
        }
        self.last = Some(sample.clone());
        self.newest = Some(point.clone());
        match self.points.last_mut() {
            Some(last) if self.samples_in_last < self.samples_per_point => {
                if point.height() >= last.height() {
                    *last = point;
                }
                self.samples_in_last += 1;
            }
            _ => {
                if self.points.len() >= MAX_SAMPLES {
                    self.halve();
                }
                self.points.push(point);
                self.samples_in_last = 1;
            }
        }
    }

    /// Another process goes on with the run: what the one before held at its most says nothing of this one.
    pub fn begin_segment(&mut self) {
        self.peak_bytes = None;
        self.limit_bytes = None;
        self.on_device = false;
        self.has_worked = false;
        self.pauses.begin_segment();
        self.settings = self.settings.saturating_add(1);
    }

    /// A plan for the settings that hold now; what was measured with them is held against it.
    pub fn planned(&mut self, plan: &MemoryPlanned) {
        for (phase, peak) in Phase::ALL.into_iter().zip(&mut self.peaks) {
            if let Some(peak) = peak.as_mut().filter(|peak| peak.settings == self.settings) {
                peak.planned_bytes = plan.by_phase.get(&phase).copied();
            }
        }
        if let Some(highest) = self.highest.as_mut().filter(|highest| highest.settings == self.settings) {
            highest.plan = Some(plan.clone());
        }
        self.plan = Some(plan.clone());
    }

    /// It did not fit, or (`answers`) the one that was said before gets its answer; `applied` tells whether a lever came of it.
    pub fn out_of_memory(&mut self, elapsed_ms: u64, step: u64, answers: bool, applied: bool) {
        if !answers {
            self.mark(elapsed_ms, step, MarkKind::OutOfMemory);
        }
        if applied {
            self.mark(elapsed_ms, step, MarkKind::Lever);
            self.settings = self.settings.saturating_add(1);
        }
    }

    pub fn mark(&mut self, elapsed_ms: u64, step: u64, kind: MarkKind) {
        if matches!(kind, MarkKind::Eval | MarkKind::Checkpoint) {
            self.worked(elapsed_ms);
        }
        if self.marks.len() >= MAX_MARKS {
            let mut index = 0usize;
            self.marks.retain(|mark| {
                index += 1;
                !matches!(mark.kind, MarkKind::Eval | MarkKind::Checkpoint) || index.is_multiple_of(2)
            });
            if self.marks.len() >= MAX_MARKS {
                self.marks.remove(0);
            }
        }
        self.marks.push(Mark { at_ms: self.pauses.at_work_ms(elapsed_ms), step, kind });
    }

    /// A piece of work was under way at this moment: a pause that began before is over.
    pub fn worked(&mut self, elapsed_ms: u64) {
        self.has_worked = true;
        if self.pauses.since_ms().is_some_and(|since_ms| since_ms < elapsed_ms) {
            self.pauses.end(elapsed_ms);
        }
    }

    /// What the process held that was measured outside a sample, as a micro-batch's peak; of a card that says nothing.
    pub fn saw_peak_of_process(&mut self, bytes: Option<u64>) {
        if !self.on_device {
            self.saw_peak(bytes);
        }
    }

    fn saw_peak(&mut self, bytes: Option<u64>) {
        self.peak_bytes = self.peak_bytes.max(bytes);
    }

    fn saw_in_phase(&mut self, point: &MemoryPoint) {
        let of_device = point.device.is_some();
        if of_device != self.peaks_on_device {
            // A card is asked only once its weights are there: until then the process is no measure of it.
            if !of_device && (self.on_device || point.phase == Phase::Load) {
                return;
            }
            (self.peaks, self.highest, self.peaks_on_device) = ([None; Phase::ALL.len()], None, of_device);
        }
        let Some(bytes) = point.used_bytes else { return };
        let plan = self.plan.as_ref();
        let slot = &mut self.peaks[point.phase as usize];
        if slot.is_none_or(|peak| bytes > peak.bytes) {
            let planned_bytes = plan.and_then(|p| p.by_phase.get(&point.phase).copied());
            let MemoryPoint { at_ms, step, .. } = *point;
            *slot = Some(Peak { bytes, at_ms, step, planned_bytes, settings: self.settings });
        }
        if self.highest.as_ref().is_none_or(|highest| point.height() > highest.point.height()) {
            self.highest = Some(Highest { point: point.clone(), plan: plan.cloned(), settings: self.settings });
        }
    }

    pub fn points(&self) -> &[MemoryPoint] {
        &self.points
    }

    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Categories that ever had bytes in this run.
    pub fn categories(&self) -> impl Iterator<Item = Category> {
        Category::ALL.into_iter().zip(self.seen).filter_map(|(category, seen)| seen.then_some(category))
    }

    /// The newest sample.
    pub fn newest(&self) -> Option<&MemoryPoint> {
        self.newest.as_ref()
    }

    /// The highest sample of the whole run.
    pub fn highest(&self) -> Option<&Highest> {
        self.highest.as_ref()
    }

    /// Whether the settings are still those of the highest moment: no lever was applied since, no segment begun.
    pub fn is_of_now(&self, highest: &Highest) -> bool {
        highest.settings == self.settings
    }

    /// The highest sample of a phase in the whole run.
    pub fn peak_of(&self, phase: Phase) -> Option<&Peak> {
        self.peaks[phase as usize].as_ref()
    }

    /// The sample that stands for a moment: the last one until then, of several at once the highest.
    pub fn at(&self, at_ms: u64) -> Option<&MemoryPoint> {
        let until = self.points.partition_point(|p| p.at_ms <= at_ms);
        let Some(last) = self.points[..until].last() else { return self.points.first() };
        let at_once = self.points[..until].iter().rev().take_while(|p| p.at_ms == last.at_ms);
        at_once.max_by_key(|p| p.height())
    }

    fn halve(&mut self) {
        let mut points = std::mem::take(&mut self.points).into_iter();
        while let Some(a) = points.next() {
            let higher = match points.next() {
                Some(b) if b.height() > a.height() => b,
                _ => a,
            };
            self.points.push(higher);
        }
        self.samples_per_point = self.samples_per_point.max(1) * 2;
    }
}

/// Where the weights live on a card, its memory is what counts; else that of the process.
fn point_of(sample: &MemorySampled) -> MemoryPoint {
    let used_bytes = sample.device_used_bytes.or(sample.used_bytes);
    let mut by_category = sample.by_category.clone();
    // It follows from the others, whether the log has it or not.
    by_category.remove(&Category::Unaccounted);
    let stack = stack_of(&with_unaccounted(by_category, used_bytes));
    let device = sample.device_used_bytes.map(|_| {
        Box::new(DevicePoint {
            total_bytes: sample.device_total_bytes,
            others_bytes: sample.others_bytes,
            process_bytes: sample.used_bytes,
            gpu: sample.gpu,
            pool: sample.pool,
        })
    });
    MemoryPoint {
        at_ms: 0,
        step: 0,
        phase: sample.phase,
        used_bytes,
        stack,
        limit_bytes: sample.limit_bytes,
        host_available_bytes: sample.host_available_bytes,
        swap_bytes: sample.swap_bytes,
        device,
    }
}

/// All parts of a stack.
pub fn sum(stack: &[u64]) -> u64 {
    stack.iter().fold(0, |sum, &bytes| sum.saturating_add(bytes))
}

pub fn stack_of(by_category: &ByCategory) -> Stack {
    let mut stack = Stack::default();
    for (&category, &bytes) in by_category {
        stack[category as usize] = bytes;
    }
    stack
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
