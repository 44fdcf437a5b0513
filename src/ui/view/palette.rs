//! The command palette: a line to type into, and the actions that it finds with their keys.

use ratatui::layout::Rect;

use crate::ui::state::State;
use crate::ui::state::palette::Palette;
use crate::ui::widgets::Pen;

pub fn draw(_pen: &mut Pen<'_>, _body: Rect, _state: &State, _palette: &Palette) {}
