//! The tab Log: what the run said, an entry a line, and one of them whole.

use ratatui::layout::Rect;

use crate::ui::state::{RunStage, State};
use crate::ui::widgets::Pen;

pub fn draw(_pen: &mut Pen<'_>, _body: Rect, _state: &State, _run: &RunStage) {}
