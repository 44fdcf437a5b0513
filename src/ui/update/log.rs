//! What keys do on the tab Log.

use crate::ui::keymap::Action;
use crate::ui::message::{Effect, Key};
use crate::ui::state::State;

/// Carries out an action of the tab Log.
pub fn act(_state: &mut State, _action: Action, _effects: &mut Vec<Effect>) {}

/// Whether a search or a filter is being typed.
pub fn takes_text(_state: &State) -> bool {
    false
}

/// A key while text is being typed.
pub fn key(_state: &mut State, _key: Key) {}

pub fn pasted(_state: &mut State, _text: &str) {}
