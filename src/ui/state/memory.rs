//! Memory over time as the screen keeps it: samples by category, bounded, the highest of merged neighbours kept.
//! Who measures and charges is `crate::memory`; how it looks is `view::memory`.

use crate::event::{MemorySampled, with_unaccounted};
use crate::memory::ledger::{ByCategory, Category, Phase};

/// Samples kept before neighbours are merged: more than a chart has columns, at most about 1 MiB.
const MAX_SAMPLES: usize = 8192;

/// Bytes by category in the order of `Category::ALL`.
pub type Stack = [u64; Category::ALL.len()];

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemoryPoint {
    pub elapsed_ms: u64,
    pub phase: Phase,
    pub used_bytes: Option<u64>,
    /// By category, what is measured but not charged among them.
    pub stack: Stack,
}

impl MemoryPoint {
    /// What is drawn as height: the measured use, or the charged sum where nothing was measured.
    pub fn height(&self) -> u64 {
        self.used_bytes.unwrap_or_else(|| sum(&self.stack))
    }
}

/// Samples over time, the newest one whole, and what was seen as limit and peak.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemoryHistory {
    points: Vec<MemoryPoint>,
    samples_per_point: u64,
    samples_in_last: u64,
    pub last: Option<MemorySampled>,
    pub peak_bytes: Option<u64>,
    pub limit_bytes: Option<u64>,
    /// Whether samples tell the memory of a card.
    on_device: bool,
}

impl MemoryHistory {
    pub fn sample(&mut self, elapsed_ms: u64, sample: &MemorySampled) {
        let point = MemoryPoint { elapsed_ms, ..point_of(sample) };
        if sample.device_used_bytes.is_some() && !std::mem::replace(&mut self.on_device, true) {
            // What was seen before was the process's.
            self.peak_bytes = None;
        }
        self.saw_peak(point.used_bytes);
        if sample.limit_bytes.is_some() {
            self.limit_bytes = sample.limit_bytes;
        }
        self.last = Some(sample.clone());
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

    pub fn points(&self) -> &[MemoryPoint] {
        &self.points
    }

    /// Bytes by category of the newest sample.
    pub fn newest(&self) -> Option<MemoryPoint> {
        let last = self.last.as_ref()?;
        let elapsed_ms = self.points.last().map_or(0, |p| p.elapsed_ms);
        Some(MemoryPoint { elapsed_ms, ..point_of(last) })
    }

    fn halve(&mut self) {
        self.points = self
            .points
            .chunks(2)
            .map(|pair| match pair {
                [a, b] if b.height() > a.height() => *b,
                _ => pair[0],
            })
            .collect();
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
    MemoryPoint { elapsed_ms: 0, phase: sample.phase, used_bytes, stack }
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
mod tests {
    use super::*;

    fn sample(used: u64) -> MemorySampled {
        MemorySampled {
            phase: Phase::Forward,
            used_bytes: Some(used),
            limit_bytes: None,
            device_used_bytes: None,
            device_total_bytes: None,
            others_bytes: None,
            host_total_bytes: None,
            host_available_bytes: None,
            by_category: ByCategory::from([(Category::Adapter, 10)]),
            ..Default::default()
        }
    }

    #[test]
    fn the_history_is_bounded_and_keeps_its_highest_sample() {
        let mut history = MemoryHistory::default();
        for i in 0..100_000u64 {
            history.sample(i * 500, &sample(if i == 54_321 { 9_000 } else { 100 }));
        }
        assert!(history.points().len() <= MAX_SAMPLES);
        assert!(history.points().iter().any(|p| p.used_bytes == Some(9_000)));
        assert_eq!(history.peak_bytes, Some(9_000));
    }

    #[test]
    fn what_is_not_charged_is_a_category_of_its_own() {
        let mut history = MemoryHistory::default();
        history.sample(0, &sample(100));
        let stack = history.newest().expect("a sample was taken").stack;
        assert_eq!(stack[Category::Adapter as usize], 10);
        assert_eq!(stack[Category::Unaccounted as usize], 90);
    }
}
