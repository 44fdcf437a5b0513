//! What keys do in the command palette.

use crate::ui::message::{Effect, Key};
use crate::ui::state::State;

/// A key while the palette is open.
pub fn key(state: &mut State, _key: Key, _effects: &mut Vec<Effect>) {
    state.overlay = None;
}
