//! The tab Charts: every quantity over the run, as a grid or one of them large.

use ratatui::layout::Rect;

use crate::ui::state::{RunStage, State};
use crate::ui::widgets::Pen;

pub fn draw(_pen: &mut Pen<'_>, _body: Rect, _state: &State, _run: &RunStage) {}
