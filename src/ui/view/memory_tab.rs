//! The tab Memory: categories over time with phases, marks and the limit; the ledger at the crosshair; the peak of each phase.
//! The small panel of tab Train is in `memory`.

use ratatui::layout::Rect;

use crate::ui::state::{RunStage, State};
use crate::ui::widgets::Pen;

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State, run: &RunStage) {
    let _ = state;
    super::memory::draw(pen, area, run);
}
