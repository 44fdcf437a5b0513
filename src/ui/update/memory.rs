//! What keys do on the tab Memory: the crosshair, the window of time, the jump to the highest peak.

use crate::ui::keymap::Action;
use crate::ui::message::Effect;
use crate::ui::state::State;

pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    let _ = (state, action, effects);
}
