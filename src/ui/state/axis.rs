//! From steps to what else a chart can be drawn over: tokens, or time. Every series is kept by step; this is the one table that says where
//! a step lies on the other axes. It is bounded like a series.

use super::series::MAX_BUCKETS;

/// What runs along the x axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum XAxis {
    #[default]
    Step,
    /// Tokens that were computed up to the end of the step.
    Tokens,
    /// The run's own time at the end of the step, in seconds; pauses count, the time between two segments does not.
    Time,
}

impl XAxis {
    pub fn next(self) -> Self {
        match self {
            XAxis::Step => XAxis::Tokens,
            XAxis::Tokens => XAxis::Time,
            XAxis::Time => XAxis::Step,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            XAxis::Step => "step",
            XAxis::Tokens => "tokens",
            XAxis::Time => "time",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Tick {
    step: u64,
    tokens: u64,
    elapsed_ms: u64,
}

/// Where steps lie on every axis.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Axis {
    ticks: Vec<Tick>,
    /// The newest one, which may not be among `ticks`.
    last: Option<Tick>,
    /// Every so many steps one is kept.
    stride: u64,
    since_kept: u64,
}

impl Axis {
    /// A step that has ended: its own tokens, and the run's time.
    pub fn push(&mut self, step: u64, tokens: u64, elapsed_ms: u64) {
        let before = self.last.map_or(0, |t| t.tokens);
        let tick = Tick { step, tokens: before.saturating_add(tokens), elapsed_ms };
        if self.last.is_some_and(|last| step <= last.step) {
            return;
        }
        self.last = Some(tick);
        self.since_kept += 1;
        if self.since_kept >= self.stride.max(1) {
            self.since_kept = 0;
            self.ticks.push(tick);
            if self.ticks.len() >= MAX_BUCKETS {
                let mut index = 0usize;
                self.ticks.retain(|_| {
                    index += 1;
                    index.is_multiple_of(2)
                });
                self.stride = self.stride.max(1) * 2;
            }
        }
    }

    /// Forgets what lies beyond a step.
    pub fn truncate_after(&mut self, step: u64) {
        let at = self.tick_at(step as f64);
        self.ticks.truncate(self.ticks.partition_point(|t| t.step <= step));
        if self.last.is_some_and(|last| last.step > step) {
            self.last = at.filter(|_| step > 0);
            self.since_kept = 0;
        }
    }

    /// Where a step lies: steps, tokens or seconds. Between two that are known, on the straight line; beyond the last one, at the pace of
    /// all before it.
    pub fn place(&self, axis: XAxis, step: f64) -> f64 {
        if axis == XAxis::Step {
            return step;
        }
        let value = |t: &Tick| match axis {
            XAxis::Tokens => t.tokens as f64,
            _ => t.elapsed_ms as f64 / 1e3,
        };
        let behind = self.first_from(step);
        let start = Tick { step: 0, tokens: 0, elapsed_ms: 0 };
        let (low, high) = match (behind.checked_sub(1).and_then(|i| self.ticks.get(i)), self.ticks.get(behind)) {
            (low, Some(high)) => (*low.unwrap_or(&start), *high),
            (low, None) => match self.last {
                Some(last) if last.step as f64 >= step || low.is_none() => (*low.unwrap_or(&start), last),
                Some(last) => (start, last),
                None => return 0.0,
            },
        };
        let span = high.step as f64 - low.step as f64;
        let share = if span > 0.0 { (step - low.step as f64) / span } else { 1.0 };
        value(&low) + (value(&high) - value(&low)) * share
    }

    /// The step at a place, as the other way round; found by halving, for places grow with steps.
    pub fn step_at(&self, axis: XAxis, place: f64) -> f64 {
        if axis == XAxis::Step {
            return place;
        }
        let Some(last) = self.last else { return 0.0 };
        let (mut low, mut high) = (0.0, last.step as f64);
        // Beyond the last step places go on at the same pace, so that a few doublings reach any of them.
        for _ in 0..64 {
            if self.place(axis, high) >= place {
                break;
            }
            (low, high) = (high, high * 2.0 + 1.0);
        }
        for _ in 0..64 {
            let middle = (low + high) / 2.0;
            if self.place(axis, middle) < place { low = middle } else { high = middle }
        }
        high
    }

    /// The place of the first tick that is not before a step. Steps come one by one, so it is where one would look first.
    fn first_from(&self, step: f64) -> usize {
        let is_before = |tick: &Tick| (tick.step as f64) < step;
        let first = self.ticks.first().map_or(0.0, |t| t.step as f64);
        let guess = ((step - first) / self.stride.max(1) as f64).ceil().max(0.0) as usize;
        let fits = self.ticks.get(guess).is_some_and(|t| !is_before(t))
            && guess.checked_sub(1).and_then(|i| self.ticks.get(i)).is_none_or(is_before);
        if fits { guess } else { self.ticks.partition_point(is_before) }
    }

    fn tick_at(&self, step: f64) -> Option<Tick> {
        self.last?;
        let of = |axis| self.place(axis, step).max(0.0);
        Some(Tick { step: step as u64, tokens: of(XAxis::Tokens) as u64, elapsed_ms: (of(XAxis::Time) * 1e3) as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_lies_where_its_tokens_and_its_time_are() {
        let mut axis = Axis::default();
        axis.push(1, 100, 2_000);
        axis.push(2, 300, 3_000);
        axis.push(3, 100, 9_000);
        assert_eq!(axis.place(XAxis::Step, 2.5), 2.5);
        assert_eq!(axis.place(XAxis::Tokens, 0.0), 0.0);
        assert_eq!(axis.place(XAxis::Tokens, 2.0), 400.0);
        assert_eq!(axis.place(XAxis::Time, 2.5), 6.0);
        assert_eq!(axis.place(XAxis::Tokens, 6.0), 1_000.0, "as if it went on as before");
        for place in [0.5, 2.5, 6.0, 30.0] {
            let step = axis.step_at(XAxis::Time, place);
            assert!((axis.place(XAxis::Time, step) - place).abs() < 1e-6, "{place} is at {step}");
        }
    }

    #[test]
    fn a_resume_takes_tokens_back_and_a_long_run_keeps_its_end() {
        let mut axis = Axis::default();
        (1..=10).for_each(|step| axis.push(step, 10, step * 100));
        axis.truncate_after(4);
        axis.push(5, 1_000, 5_000);
        assert_eq!(axis.place(XAxis::Tokens, 5.0), 1_040.0);

        let mut long = Axis::default();
        (1..=400_000u64).for_each(|step| long.push(step, 2, step));
        assert!(long.ticks.len() <= MAX_BUCKETS);
        assert_eq!(long.place(XAxis::Tokens, 400_000.0), 800_000.0);
        assert_eq!(long.place(XAxis::Tokens, 123_457.0), 246_914.0);
    }

    #[test]
    fn without_steps_everything_is_at_the_beginning() {
        let mut axis = Axis::default();
        assert_eq!(axis.place(XAxis::Time, 7.0), 0.0);
        axis.truncate_after(3);
        axis.push(5, 10, 100);
        axis.truncate_after(0);
        axis.push(1, 10, 200);
        assert_eq!(axis.place(XAxis::Tokens, 1.0), 10.0);
    }
}
