//! What keys and the mouse do to the charts, and to what is selected on the tab Train.

use crate::ui::keymap::Action;
use crate::ui::message::{Effect, Mouse};
use crate::ui::state::State;

/// Carries out an action of the tabs Train and Charts.
pub fn act(_state: &mut State, _action: Action, _effects: &mut Vec<Effect>) {}

pub fn mouse(_state: &mut State, _mouse: Mouse) {}
