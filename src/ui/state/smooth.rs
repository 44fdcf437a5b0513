//! The smoothed loss: how strongly, and the average itself.

use super::series::Series;

/// Steps that the smoothed loss looks back on where nobody says: a twentieth of the run, between these.
const AUTOMATIC: (f64, f64) = (5.0, 50.0);

/// How strongly the loss is smoothed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Smoothing {
    /// By the length of the run.
    #[default]
    Automatic,
    /// So many steps are looked back on; 1 is the loss itself.
    Steps(u32),
}

impl Smoothing {
    const LEVELS: [u32; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

    /// The steps that are looked back on, for a run of so many.
    pub fn window(self, planned_steps: Option<u64>) -> f64 {
        match self {
            Smoothing::Automatic => {
                planned_steps.map_or(AUTOMATIC.0, |n| (n as f64 / 20.0).clamp(AUTOMATIC.0, AUTOMATIC.1))
            }
            Smoothing::Steps(n) => f64::from(n.max(1)),
        }
    }

    /// The next stronger level.
    pub fn more(self, planned_steps: Option<u64>) -> Self {
        let now = self.window(planned_steps);
        let next = Self::LEVELS.into_iter().find(|&n| f64::from(n) > now);
        Smoothing::Steps(next.unwrap_or(Self::LEVELS[Self::LEVELS.len() - 1]))
    }

    /// The next weaker level.
    pub fn less(self, planned_steps: Option<u64>) -> Self {
        let now = self.window(planned_steps);
        let next = Self::LEVELS.into_iter().rev().find(|&n| f64::from(n) < now);
        Smoothing::Steps(next.unwrap_or(1))
    }
}

/// An exponential moving average that its beginning does not bias: `s_t = Σ c^(t-i) x_i / Σ c^(t-i)`, so that `s_1 = x_1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoother {
    /// `c`: how much of what was is carried on.
    carry: f64,
    sum: f64,
    weight: f64,
}

impl Default for Smoother {
    fn default() -> Self {
        Smoother::new(AUTOMATIC.0)
    }
}

impl Smoother {
    /// `c = 1 − 1 / window`.
    pub fn new(window: f64) -> Self {
        Smoother { carry: 1.0 - 1.0 / window.max(1.0), sum: 0.0, weight: 0.0 }
    }

    pub fn next(&mut self, x: f64) -> f64 {
        self.next_of(x, 1)
    }

    /// As many points of the same value at once.
    fn next_of(&mut self, x: f64, points: u32) -> f64 {
        if !x.is_finite() {
            return f64::NAN;
        }
        let kept = self.carry.powi(points.min(i32::MAX as u32) as i32);
        // Σ of c^0 … c^(points−1); with c = 0 the newest point alone.
        let fresh = if self.carry > 0.0 { (1.0 - kept) / (1.0 - self.carry) } else { 1.0 };
        self.sum = kept * self.sum + fresh * x;
        self.weight = kept * self.weight + fresh;
        self.sum / self.weight
    }

    /// Smooths a whole series anew; merged points count as many at their mean.
    pub fn over(&mut self, series: &Series) -> Series {
        let mut smoothed = Series::default();
        let mut buckets = series.buckets().iter();
        if let Some(first) = buckets.next() {
            // However many points were merged, the first value is the first loss.
            smoothed.push(first.first, self.next(f64::from(first.open)));
            if first.points > 1 {
                let all = f64::from(first.mean) * f64::from(first.points);
                let rest = (all - f64::from(first.open)) / f64::from(first.points - 1);
                smoothed.push(first.last, self.next_of(rest, first.points - 1));
            }
        }
        for bucket in buckets {
            let value = self.next_of(f64::from(bucket.mean), bucket.points);
            smoothed.push(bucket.first, value);
        }
        smoothed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_anew_is_the_same_as_smoothing_while_it_comes() {
        let values: Vec<f64> = (0..200).map(|i| 2.0 + f64::from((i * 7919) % 13) / 10.0).collect();
        for smoothing in [Smoothing::Automatic, Smoothing::Steps(1), Smoothing::Steps(20)] {
            let window = smoothing.window(Some(200));
            let mut live = Smoother::new(window);
            let (mut raw, mut smoothed) = (Series::default(), Series::default());
            for (x, &y) in (1u64..).zip(&values) {
                raw.push(x, y);
                smoothed.push(x, live.next(f64::from(y as f32)));
            }
            let anew = Smoother::new(window).over(&raw);
            let last = |s: &Series| s.last().expect("values");
            assert_eq!(anew.first(), raw.first(), "the first smoothed value is the first loss");
            assert!((last(&anew) - last(&smoothed)).abs() < 1e-6);
        }
        assert_eq!(Smoother::new(1.0).next(3.0), 3.0);
        let mut merged = Series::with_limit(2);
        (1..=9).for_each(|x| merged.push(x, if x == 1 { 5.0 } else { 1.0 }));
        let smoothed = Smoother::new(5.0).over(&merged);
        assert_eq!(smoothed.first(), Some(5.0), "whatever was merged with it");
    }

    #[test]
    fn levels_go_up_and_down_from_the_automatic_one() {
        let run = Some(200);
        assert_eq!(Smoothing::Automatic.more(run), Smoothing::Steps(20));
        assert_eq!(Smoothing::Automatic.less(run), Smoothing::Steps(5));
        assert_eq!(Smoothing::Steps(1).less(run), Smoothing::Steps(1));
        assert_eq!(Smoothing::Steps(1000).more(run), Smoothing::Steps(1000));
    }
}
