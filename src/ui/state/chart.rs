//! How a person looks at the charts: which one, over which axis, how closely, where the crosshair stands, what is laid over.
//! What is shown is in `run` and `series`; keys are in `update::chart`.

use super::Tab;
use super::axis::XAxis;
use super::run::RunView;
use super::series::Series;
use super::smooth::Smoothing;
use crate::ui::format;

/// What a chart can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantity {
    /// Raw and smoothed, with the evals as points.
    #[default]
    Loss,
    EvalLoss,
    LearningRate,
    GradNorm,
    TokensPerSecond,
    /// Seconds of the micro-batches.
    MicroTime,
}

impl Quantity {
    pub const ALL: [Quantity; 6] = [
        Quantity::Loss,
        Quantity::EvalLoss,
        Quantity::LearningRate,
        Quantity::GradNorm,
        Quantity::TokensPerSecond,
        Quantity::MicroTime,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Quantity::Loss => "loss",
            Quantity::EvalLoss => "eval loss",
            Quantity::LearningRate => "learning rate",
            Quantity::GradNorm => "grad norm",
            Quantity::TokensPerSecond => "tokens/s",
            Quantity::MicroTime => "micro-batch time",
        }
    }

    /// The name where there is little room, as the panel of progress has it.
    pub fn short_name(self) -> &'static str {
        match self {
            Quantity::LearningRate => "lr",
            Quantity::GradNorm => "norm",
            Quantity::MicroTime => "micro",
            other => other.name(),
        }
    }

    /// A value with its unit, where the name does not say it.
    pub fn text(self, value: f64) -> String {
        match self {
            Quantity::Loss | Quantity::EvalLoss | Quantity::GradNorm => format::loss(value),
            Quantity::LearningRate => format::scientific(value),
            Quantity::TokensPerSecond => format::rate(value),
            Quantity::MicroTime => format::took((value * 1e6).round().max(0.0) as u64),
        }
    }

    /// The series by step; evals are points and have none.
    pub fn series(self, run: &RunView) -> Option<&Series> {
        match self {
            Quantity::Loss => Some(&run.loss),
            Quantity::EvalLoss => None,
            Quantity::LearningRate => Some(&run.learning_rate),
            Quantity::GradNorm => Some(&run.grad_norm),
            Quantity::TokensPerSecond => Some(&run.tokens_per_second),
            Quantity::MicroTime => Some(&run.micro_seconds),
        }
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|&q| q == self).unwrap_or(0)
    }

    /// The one so many places further, around.
    pub fn turn(self, by: isize) -> Self {
        let count = Self::ALL.len() as isize;
        Self::ALL[(self.index() as isize + by).rem_euclid(count) as usize]
    }
}

/// What is shown of the x axis: steps whatever the axis is, or on the tab Memory milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub first: f64,
    pub last: f64,
}

impl Window {
    pub fn span(&self) -> f64 {
        self.last - self.first
    }

    /// As wide as before, so much further, within the whole.
    pub fn moved(self, by: f64, whole: Window) -> Window {
        let by = by.clamp((whole.first - self.first).min(0.0), (whole.last - self.last).max(0.0));
        Window { first: self.first + by, last: self.last + by }
    }

    /// `factor` times as much around a place that stays where it is, no less than `least`; `None` where that is the whole.
    pub fn zoomed(self, factor: f64, anchor: f64, whole: Window, least: f64) -> Option<Window> {
        let span = (self.span() * factor).max(least.min(whole.span()));
        if span >= whole.span() {
            return None;
        }
        let share = ((anchor - self.first) / self.span().max(1e-9)).clamp(0.0, 1.0);
        let first =
            (self.first + share * (self.span() - span)).clamp(whole.first, (whole.last - span).max(whole.first));
        Some(Window { first, last: first + span })
    }
}

/// Another run, laid over the one that is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Other {
    pub name: String,
    pub view: RunView,
}

/// What is selected in the panel of accumulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// A micro-batch of the newest step.
    Micro(u64),
    Step(u64),
}

#[derive(Debug, Clone, PartialEq)]
pub struct ChartView {
    /// On the tab Charts: the one that is selected.
    pub quantity: Quantity,
    /// The one on the tab Train.
    pub on_train: Quantity,
    /// On the tab Charts: one of them large, not all.
    pub large: bool,
    pub x: XAxis,
    /// How strongly the loss is smoothed, of this run and of those that come.
    pub smoothing: Smoothing,
    log_y: [bool; Quantity::ALL.len()],
    /// `None` shows the whole run.
    pub window: Option<Window>,
    /// Whether the window goes along with the newest step.
    pub follow: bool,
    /// The step under the crosshair.
    pub cursor: Option<u64>,
    pub other: Option<Box<Other>>,
    pub pick: Option<Pick>,
    /// Where the mouse went down, and what was shown then.
    pub(in crate::ui) dragged_from: Option<(u16, Window)>,
}

impl Default for ChartView {
    fn default() -> Self {
        ChartView {
            quantity: Quantity::default(),
            on_train: Quantity::default(),
            large: false,
            x: XAxis::default(),
            smoothing: Smoothing::default(),
            log_y: [false; Quantity::ALL.len()],
            window: None,
            follow: true,
            cursor: None,
            other: None,
            pick: None,
            dragged_from: None,
        }
    }
}

impl ChartView {
    /// Another run is looked at: what pointed into the one before goes, taste stays.
    pub fn forget_run(&mut self) {
        let ChartView { quantity, on_train, large, x, smoothing, log_y, .. } = *self;
        *self = ChartView { quantity, on_train, large, x, smoothing, log_y, ..ChartView::default() };
    }

    /// The chart that keys mean on a tab.
    pub fn quantity_on(&mut self, tab: Tab) -> &mut Quantity {
        if tab == Tab::Train { &mut self.on_train } else { &mut self.quantity }
    }

    pub fn is_log(&self, quantity: Quantity) -> bool {
        self.log_y[quantity.index()]
    }

    pub fn toggle_log(&mut self, quantity: Quantity) {
        self.log_y[quantity.index()] ^= true;
    }

    /// All there is, in steps.
    pub fn whole(&self, run: &RunView) -> Window {
        let reach = |view: &RunView| {
            let lost = view.loss.not_finite().last().map_or(0, |&(step, _)| step);
            view.steps_done().max(view.evals.last().map_or(0, |e| e.step)).max(lost)
        };
        let first = |view: &RunView| match view.evals.first() {
            Some(eval) if eval.step == 0 => 0,
            _ => view.loss.span().map_or(0, |(first, _)| first),
        };
        let mut whole = Window { first: first(run) as f64, last: reach(run) as f64 };
        if let Some(other) = &self.other {
            whole.first = whole.first.min(first(&other.view) as f64);
            whole.last = whole.last.max(reach(&other.view) as f64);
        }
        whole.last = whole.last.max(whole.first + 1.0);
        whole
    }

    /// What is shown, from and to, as places on the x axis. On other axes than steps two runs reach differently far.
    pub fn shown(&self, run: &RunView) -> (f64, f64) {
        let visible = self.visible(run);
        let place = |view: &RunView, step| view.axis.place(self.x, step);
        let mut ends = (place(run, visible.first), place(run, visible.last));
        if let Some(other) = self.other.as_deref().filter(|_| self.window.is_none()) {
            let last = |view: &RunView| place(view, view.steps_done() as f64);
            ends = (ends.0.min(place(&other.view, visible.first)), last(run).max(last(&other.view)));
        }
        (ends.0, if ends.1 > ends.0 { ends.1 } else { ends.0 + 1.0 })
    }

    /// What is shown, in steps.
    pub fn visible(&self, run: &RunView) -> Window {
        let Some(window) = self.window else { return self.whole(run) };
        if !self.follow {
            return window;
        }
        let newest = run.steps_done() as f64;
        let first = (newest - window.span()).max(0.0);
        Window { first, last: first + window.span() }
    }
}

/// One value under the crosshair: its name and its text.
pub type Value = (&'static str, String);

/// Everything that is known of a step, for the crosshair: what is not known is left out.
pub fn values_at(run: &RunView, step: u64) -> Vec<Value> {
    let mut values = Vec::new();
    for quantity in Quantity::ALL {
        if quantity == Quantity::EvalLoss {
            if let Some(eval) = run.evals.iter().rev().find(|e| e.step <= step) {
                let at = if eval.step == step { String::new() } else { format!(" at {}", format::count(eval.step)) };
                values.push(("eval", format!("{}{at}", format::loss(eval.eval_loss))));
            }
            continue;
        }
        let Some(series) = quantity.series(run) else { continue };
        let Some(bucket) = series.all_at(step) else {
            if let Some((_, lost)) = series.not_finite().iter().find(|(x, _)| *x == step) {
                values.push((quantity.short_name(), lost.to_string()));
            }
            continue;
        };
        let (min, max) = (quantity.text(f64::from(bucket.min)), quantity.text(f64::from(bucket.max)));
        values.push((quantity.short_name(), if min == max { min } else { format!("{min} to {max}") }));
        if quantity == Quantity::Loss
            && let Some(smoothed) = run.smoothed.at(step)
        {
            values.push(("smoothed", format::loss(f64::from(smoothed.close))));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_turn_around() {
        assert_eq!(Quantity::Loss.turn(-1), Quantity::MicroTime);
        assert_eq!(Quantity::MicroTime.turn(1), Quantity::Loss);
    }

    #[test]
    fn a_window_that_follows_ends_at_the_newest_step() {
        let mut chart = ChartView { window: Some(Window { first: 10.0, last: 20.0 }), ..ChartView::default() };
        let run = RunView::default();
        assert_eq!(chart.visible(&run), Window { first: 0.0, last: 10.0 });
        chart.follow = false;
        assert_eq!(chart.visible(&run), Window { first: 10.0, last: 20.0 });
        chart.window = None;
        assert_eq!(chart.visible(&run), Window { first: 0.0, last: 1.0 });
    }
}
