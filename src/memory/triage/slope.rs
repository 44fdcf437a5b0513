//! Whether memory grows from step to step: least squares over the steps' peaks, with what longer micro-batches cost taken out.

use super::Moment;

/// Fewer steps show no trend.
const LEAST_STEPS: usize = 8;
/// The growth must explain at least this share of the variance that the micro-batches' lengths leave.
const EXPLAINED: f64 = 0.5;
/// Each quarter of the steps must lie above the one before by at least this share of the growth: a single rise, as of an allocator that
/// warms up, is no creep.
const EACH_QUARTER: f64 = 0.1;
/// Where the lengths follow the steps more closely than this (the square of their correlation), the two cannot be told apart, and it is the lengths.
const TOGETHER: f64 = 0.9;

/// A growth that was shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    pub bytes_per_step: f64,
    /// From the first step that was looked at to the last.
    pub steps: u64,
    /// The peak that the fit gives for the first step.
    pub first_bytes: u64,
}

impl Growth {
    pub fn bytes(&self) -> u64 {
        (self.bytes_per_step * self.steps as f64) as u64
    }
}

/// The growth of `peak ≈ a + b·step + c·longest_tokens` by least squares, where b is positive and holds against the thresholds above.
pub fn growth(history: &[Moment]) -> Option<Growth> {
    let points: Vec<(f64, f64, f64)> =
        history.iter().filter_map(|m| Some((m.step as f64, m.longest_tokens as f64, m.peak_bytes? as f64))).collect();
    if points.len() < LEAST_STEPS {
        return None;
    }
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (step, tokens, peak) = (mean(|p| p.0), mean(|p| p.1), mean(|p| p.2));
    let sum = |of: &dyn Fn(f64, f64, f64) -> f64| -> f64 {
        points.iter().map(|p| of(p.0 - step, p.1 - tokens, p.2 - peak)).sum()
    };
    let (ss, tt, st) = (sum(&|s, _, _| s * s), sum(&|_, t, _| t * t), sum(&|s, t, _| s * t));
    let (sp, tp) = (sum(&|s, _, p| s * p), sum(&|_, t, p| t * p));
    if ss == 0.0 || st * st > TOGETHER * ss * tt && tt > 0.0 {
        return None;
    }
    // Without lengths that differ there is nothing to take out.
    let (b, c) = if tt > 0.0 {
        let det = ss * tt - st * st;
        ((sp * tt - tp * st) / det, (tp * ss - sp * st) / det)
    } else {
        (sp / ss, 0.0)
    };
    let by_tokens_alone = if tt > 0.0 { tp / tt } else { 0.0 };
    let left_by_tokens = sum(&|_, t, p| (p - by_tokens_alone * t).powi(2));
    let left_by_both = sum(&|s, t, p| (p - b * s - c * t).powi(2));
    // Of a least-squares fit, a negative price of a token is no price but chance; the growth stands on what is left.
    let corrected: Vec<f64> = points.iter().map(|p| p.2 - c * (p.1 - tokens)).collect();
    let span = points[points.len() - 1].0 - points[0].0;
    let rises = quarters(&corrected).windows(2).all(|w| w[1] - w[0] >= EACH_QUARTER * b * span);
    let shown = b > 0.0 && span > 0.0 && left_by_both <= (1.0 - EXPLAINED) * left_by_tokens && rises;
    let first_bytes = (peak + b * (points[0].0 - step)).max(0.0) as u64;
    shown.then_some(Growth { bytes_per_step: b, steps: span as u64, first_bytes })
}

/// The means of the four quarters, in order.
fn quarters(values: &[f64]) -> [f64; 4] {
    std::array::from_fn(|q| {
        let quarter = &values[q * values.len() / 4..(q + 1) * values.len() / 4];
        quarter.iter().sum::<f64>() / quarter.len() as f64
    })
}
