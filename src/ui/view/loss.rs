//! The loss panel: raw faint, smoothed strong, eval losses as points, the best one named.

use ratatui::layout::Rect;

use crate::memory::ledger::Phase;
use crate::ui::format;
use crate::ui::state::{Activity, RunStage};
use crate::ui::theme::Role;
use crate::ui::widgets::chart::{self, Line, Mark};
use crate::ui::widgets::{Pen, Words, words};
use crate::units::printable;

pub fn draw(pen: &mut Pen<'_>, area: Rect, run: &RunStage) {
    let view = &run.view;
    let mut right: Words = Vec::new();
    if let Some(loss) = view.loss.last() {
        right.extend(words([("last ", Role::Label), (&format::loss(loss), Role::Text)]));
    }
    if let Some(loss) = view.smoothed.last().filter(|_| area.width >= 70) {
        right.extend(words([("  smoothed ", Role::Label), (&format::loss(loss), Role::Loss)]));
    }
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
    let inner = pen.panel(area, "loss", &right);
    if view.loss.is_empty() && view.evals.is_empty() {
        return waiting(pen, inner, run);
    }
    let lines = [
        Line { buckets: view.loss.buckets(), role: Role::LossRaw, ascii: '.' },
        Line { buckets: view.smoothed.buckets(), role: Role::Loss, ascii: '*' },
    ];
    let best = view.best_eval().map(|e| e.step);
    let marks: Vec<Mark> = view
        .evals
        .iter()
        .map(|e| {
            let (role, unicode, ascii) =
                if best == Some(e.step) { (Role::Best, '◆', '@') } else { (Role::Eval, '●', 'o') };
            Mark { x: e.step, y: e.eval_loss, role, unicode, ascii }
        })
        .collect();
    let legend = area.height >= 10;
    let plot = Rect { height: inner.height - u16::from(legend), ..inner };
    chart::draw(pen, plot, &lines, &marks, view.steps_done());
    if legend {
        let row =
            Rect { y: plot.bottom(), height: 1, x: inner.x + 7.min(inner.width), width: inner.width.saturating_sub(7) };
        let line = pen.theme.pick("━━", "**");
        let faint = pen.theme.pick("╌╌", "..");
        let key = words([
            (line, Role::Loss),
            (" smoothed  ", Role::Label),
            (faint, Role::LossRaw),
            (" each step  ", Role::Label),
            (pen.theme.pick("●", "o"), Role::Eval),
            (" eval", Role::Label),
        ]);
        pen.line(row, 0, &key);
    }
}

/// What is shown before there is a loss.
fn waiting(pen: &mut Pen<'_>, area: Rect, run: &RunStage) {
    let text = match run.activity() {
        Activity::Interrupted => "the run ended before its first step".to_owned(),
        Activity::Finished(_) => run
            .view
            .outcome
            .as_ref()
            .and_then(|o| o.detail.as_deref())
            .map_or_else(|| "the run ended before its first step".to_owned(), printable),
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
