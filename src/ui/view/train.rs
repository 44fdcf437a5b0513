//! The tab Train: where its four panels lie. What is in them is in `chart`, `progress`, `accumulation` and `memory`.

use ratatui::layout::Rect;

use crate::ui::state::{RunStage, State};
use crate::ui::widgets::Pen;

use super::{accumulation, chart, memory, progress};

/// The four areas: loss, progress, accumulation, memory. They fill the body without a gap and without overlap.
pub fn areas(body: Rect) -> [Rect; 4] {
    let right = (body.width * 45 / 100).clamp(27, 64).min(body.width);
    let left = body.width - right;
    let top = (body.height * 55 / 100).max(body.height.min(8));
    let bottom = body.height - top;
    let (x, y) = (body.x + left, body.y + top);
    [
        Rect { width: left, height: top, ..body },
        Rect { x, width: right, height: top, ..body },
        Rect { y, width: left, height: bottom, ..body },
        Rect { x, y, width: right, height: bottom },
    ]
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, run: &RunStage) {
    let [loss_area, progress_area, accumulation_area, memory_area] = areas(body);
    chart::draw(pen, loss_area, run, &state.chart, state.chart.on_train, false);
    progress::draw(pen, progress_area, state, run);
    accumulation::draw(pen, accumulation_area, run, state.chart.pick);
    memory::draw(pen, memory_area, run);
}
