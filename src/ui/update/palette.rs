//! What keys do in the command palette.

use super::keys::reason;
use super::{act, notify};
use crate::ui::keymap::is_available;
use crate::ui::message::{Effect, Key};
use crate::ui::state::palette::Palette;
use crate::ui::state::{NoticeKind, Overlay, State};

/// A page of the list.
const PAGE: isize = 10;

/// A key while the palette is open.
pub fn key(state: &mut State, key: Key, effects: &mut Vec<Effect>) {
    let Some(Overlay::Palette(mut palette)) = state.overlay.take() else { return };
    match key {
        Key::Esc => return,
        Key::Enter => return run(state, &palette, effects),
        Key::Up | Key::BackTab | Key::Ctrl('p') => palette.move_by(-1, state),
        Key::Down | Key::Tab | Key::Ctrl('n') => palette.move_by(1, state),
        Key::PageUp => palette.move_by(-PAGE, state),
        Key::PageDown => palette.move_by(PAGE, state),
        key => {
            if palette.query.key(key) {
                palette.search(state);
            }
        }
    }
    state.overlay = Some(Overlay::Palette(palette));
}

pub fn pasted(state: &mut State, text: &str) {
    let Some(Overlay::Palette(mut palette)) = state.overlay.take() else { return };
    palette.query.insert(text);
    palette.search(state);
    state.overlay = Some(Overlay::Palette(palette));
}

/// Does what is selected; what makes no sense now says why, and leaves the palette where it was.
fn run(state: &mut State, palette: &Palette, effects: &mut Vec<Effect>) {
    match palette.selected(state) {
        Some(action) if is_available(action, state) => return act(state, action, effects),
        Some(action) => notify(state, NoticeKind::Info, reason(action, state)),
        None => {}
    }
    state.overlay = Some(Overlay::Palette(palette.clone()));
}
