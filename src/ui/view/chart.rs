//! One chart of a run in a panel: the loss raw and smoothed with its evals, or another quantity; another run laid over it, the crosshair.
//! Which chart, and how closely it is looked at, is in `state::chart`.

use ratatui::layout::Rect;

use crate::memory::ledger::Phase;
use crate::ui::format;
use crate::ui::state::axis::XAxis;
use crate::ui::state::chart::{ChartView, Quantity};
use crate::ui::state::run::{RunView, slowness};
use crate::ui::state::series::Series;
use crate::ui::state::{Activity, RunStage};
use crate::ui::theme::Role;
use crate::ui::widgets::chart::{self, Chart, Line, Mark};
use crate::ui::widgets::{Pen, Words, pen, words};
use crate::units::{format_duration, printable};

/// Rows from which a panel has one for the legend.
const WITH_LEGEND: u16 = 10;

/// The part of a panel's area that the chart with its axes takes.
pub fn chart_area(panel: Rect) -> Rect {
    let inner = pen::inside(panel);
    let legend = u16::from(panel.height >= WITH_LEGEND);
    Rect { height: inner.height.saturating_sub(legend), ..inner }
}

/// A chart in a panel; `selected` marks it among others.
pub fn draw(pen: &mut Pen<'_>, area: Rect, run: &RunStage, how: &ChartView, quantity: Quantity, selected: bool) {
    let view = &run.view;
    let mut title = quantity.name().to_owned();
    if selected {
        title = format!("{} {title}", pen.theme.pick("▸", ">"));
    }
    if how.is_log(quantity) {
        title.push_str(" log");
    }
    let right = newest(pen, area.width, view, quantity);
    let inner = pen.panel(area, &title, &right);
    let series = quantity.series(view);
    let lost = series.is_some_and(|s| !s.not_finite().is_empty());
    let empty = match series {
        Some(series) => series.is_empty() && !lost && (quantity != Quantity::Loss || view.evals.is_empty()),
        None => view.evals.is_empty(),
    };
    if empty && how.other.is_none() {
        return waiting(pen, inner, run, quantity);
    }
    let place = |step: u64| view.axis.place(how.x, step as f64);
    let other = how.other.as_deref().map(|o| &o.view);
    let other_place = |step: u64| other.map_or(0.0, |o| o.axis.place(how.x, step as f64));
    let mut lines = Vec::new();
    let mut marks = Vec::new();
    if let Some(other) = other {
        let buckets = match quantity {
            Quantity::Loss => other.smoothed.buckets(),
            _ => quantity.series(other).map_or(&[][..], |s| s.buckets()),
        };
        lines.push(Line { buckets, place: &other_place, role: Role::Compare, ascii: '+' });
        if matches!(quantity, Quantity::Loss | Quantity::EvalLoss) {
            marks.extend(eval_marks(other, &other_place, Some(Role::Compare)));
        }
    }
    match (quantity, series) {
        (Quantity::Loss, _) => {
            lines.push(Line { buckets: view.loss.buckets(), place: &place, role: Role::LossRaw, ascii: '.' });
            lines.push(Line { buckets: view.smoothed.buckets(), place: &place, role: Role::Loss, ascii: '*' });
            marks.extend(eval_marks(view, &place, None));
        }
        (_, Some(series)) => {
            lines.push(Line { buckets: series.buckets(), place: &place, role: Role::Loss, ascii: '*' })
        }
        (_, None) => marks.extend(eval_marks(view, &place, None)),
    }
    let evals = match quantity {
        Quantity::EvalLoss => Series::of(view.evals.iter().map(|e| (e.step, e.eval_loss))),
        _ => Series::default(),
    };
    if quantity == Quantity::EvalLoss {
        lines.push(Line { buckets: evals.buckets(), place: &place, role: Role::Eval, ascii: '.' });
    }
    let not_finite = series.map_or_else(Vec::new, |s| s.not_finite().iter().map(|(x, _)| place(*x)).collect());
    let chart = Chart {
        lines,
        marks,
        not_finite,
        x: how.shown(view),
        log_y: how.is_log(quantity),
        cursor: how.cursor.map(place),
        y_text: &|value| quantity.text(value),
        x_text: &|x| x_text(how.x, x),
        x_unit: if how.x == XAxis::Time { "" } else { how.x.name() },
        whole_x: how.x == XAxis::Step,
    };
    chart::draw(pen, chart_area(area), &chart);
    if area.height >= WITH_LEGEND {
        legend(pen, inner, how, quantity, view);
    }
}

/// A place on the x axis, in words.
pub fn x_text(axis: XAxis, x: f64) -> String {
    match axis {
        XAxis::Step => format::count(x.max(0.0).round() as u64),
        XAxis::Tokens => format::short_count(x.max(0.0).round() as u64),
        XAxis::Time => format_duration(x),
    }
}

/// Evals as points, the best one marked.
fn eval_marks(view: &RunView, place: &dyn Fn(u64) -> f64, role_of_all: Option<Role>) -> Vec<Mark> {
    let best = view.best_eval().map(|e| e.step);
    let mark = |e: &crate::event::EvalDone| {
        let (role, unicode, ascii) = match best == Some(e.step) {
            true => (Role::Best, '◆', '@'),
            false => (Role::Eval, '●', 'o'),
        };
        let (unicode, ascii) = if role_of_all.is_some() { ('○', '%') } else { (unicode, ascii) };
        Mark { x: place(e.step), y: e.eval_loss, role: role_of_all.unwrap_or(role), unicode, ascii }
    };
    view.evals.iter().map(mark).collect()
}

/// The newest values, for the right of the panel's edge; the least important first, for they give way first.
fn newest(pen: &Pen<'_>, width: u16, view: &RunView, quantity: Quantity) -> Words {
    let mut right: Words = Vec::new();
    let series = quantity.series(view);
    let lost =
        series.and_then(|s| s.not_finite().last()).filter(|(x, _)| Some(*x) >= view.last_step.as_ref().map(|s| s.step));
    if let Some((step, value)) = lost {
        right.extend(words([(&format!("{value} at step {}", format::count(*step)), Role::Bad)]));
        return right;
    }
    if let Some(last) = series.and_then(|s| s.last()) {
        right.extend(words([("last ", Role::Label), (&quantity.text(last), Role::Text)]));
    }
    match quantity {
        Quantity::Loss => {
            if let Some(loss) = view.smoothed.last().filter(|_| width >= 70) {
                right.extend(words([("  smoothed ", Role::Label), (&format::loss(loss), Role::Loss)]));
            }
            best(pen, view, &mut right);
        }
        Quantity::EvalLoss => best(pen, view, &mut right),
        Quantity::MicroTime => {
            let window = view.recent.back().and_then(|step| slowness(&step.micros));
            if let Some(slow) = window.filter(|_| width >= 48) {
                let role = if slow.is_odd() { Role::Warn } else { Role::Label };
                let text = format!("  slowest {:.1} {} median", slow.times, pen.theme.pick("×", "x"));
                right.extend(words([(&text, role)]));
            }
        }
        _ => {}
    }
    right
}

fn best(pen: &Pen<'_>, view: &RunView, right: &mut Words) {
    match view.best_eval() {
        Some(best) => {
            let mark = pen.theme.pick("◆", "@");
            let text = format!("{} at {}", format::loss(best.eval_loss), format::count(best.step));
            right.extend(words([("  ", Role::Text), (mark, Role::Best), (" best ", Role::Label), (&text, Role::Best)]));
        }
        None => {
            if let Some(eval) = view.evals.last() {
                let mark = pen.theme.pick("●", "o");
                let text = format::loss(eval.eval_loss);
                right.extend(words([
                    ("  ", Role::Text),
                    (mark, Role::Eval),
                    (" eval ", Role::Label),
                    (&text, Role::Eval),
                ]));
            }
        }
    }
}

/// What the lines are, or how the chart is looked at where it is not as usual.
fn legend(pen: &mut Pen<'_>, inner: Rect, how: &ChartView, quantity: Quantity, view: &RunView) {
    let gap = (chart::AXIS + 1).min(inner.width);
    let row = Rect { y: inner.bottom() - 1, height: 1, x: inner.x + gap, width: inner.width - gap };
    let line = pen.theme.pick("━━", "**");
    let mut key: Words = Vec::new();
    match quantity {
        Quantity::Loss => {
            let window = view.smoothing().window(view.planned_steps()).round() as u64;
            let smoothed =
                if row.width >= 44 { format!(" smoothed over {window}  ") } else { " smoothed  ".to_owned() };
            key.extend(words([
                (line, Role::Loss),
                (&smoothed, Role::Label),
                (pen.theme.pick("╌╌", ".."), Role::LossRaw),
                (" each  ", Role::Label),
                (pen.theme.pick("●", "o"), Role::Eval),
                (" eval", Role::Label),
            ]));
        }
        Quantity::EvalLoss => key.extend(words([
            (pen.theme.pick("●", "o"), Role::Eval),
            (" eval  ", Role::Label),
            (pen.theme.pick("◆", "@"), Role::Best),
            (" best", Role::Label),
        ])),
        Quantity::MicroTime => key.extend(words([(line, Role::Loss), (" shortest to longest of a step", Role::Label)])),
        _ => key.extend(words([(line, Role::Loss), (" each step", Role::Label)])),
    }
    if let Some(other) = &how.other {
        let name = format!(" {}", printable(&other.name));
        key.extend(words([("  ", Role::Text), (pen.theme.pick("━━", "++"), Role::Compare), (&name, Role::Label)]));
    }
    pen.line(row, 0, &key);
}

/// What is shown before there is a value.
fn waiting(pen: &mut Pen<'_>, area: Rect, run: &RunStage, quantity: Quantity) {
    let text = match run.activity() {
        Activity::Interrupted => "the run ended before its first step".to_owned(),
        Activity::Finished(_) => run
            .view
            .outcome
            .as_ref()
            .and_then(|o| o.detail.as_deref())
            .map_or_else(|| "the run ended before its first step".to_owned(), printable),
        _ if quantity == Quantity::EvalLoss
            && run.view.started.as_ref().is_some_and(|s| s.config.data.eval.is_none()) =>
        {
            "this run has no eval data".to_owned()
        }
        _ => match run.view.phase() {
            Some(Phase::Load) | None => "the model is being loaded".to_owned(),
            Some(Phase::Eval) => "the loss before training is being measured".to_owned(),
            Some(_) => "the first step is under way".to_owned(),
        },
    };
    for (row, line) in format::wrap(&text, area.width as usize).iter().enumerate() {
        pen.text(area, area.height / 3 + row as u16, line, Role::Label);
    }
}
