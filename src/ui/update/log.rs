//! What keys, pasted text and the mouse do on the tab Log.

use super::notify;
use crate::event::Stamped;
use crate::ui::keymap::Action;
use crate::ui::message::{Effect, Key, Mouse, MouseKind};
use crate::ui::state::log::whole::Whole;
use crate::ui::state::log::{LogView, Typed};
use crate::ui::state::{NoticeKind, State, Tab};

/// Entries that one turn of the wheel passes.
const WHEEL: isize = 3;

/// Takes an event in.
pub fn hear(state: &mut State, stamped: Stamped) {
    if state.run().is_some() {
        state.log.push(stamped);
    }
}

/// Carries out an action of the tab Log.
pub fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    let screen = state.size;
    let log = &mut state.log;
    let page = log.page(screen);
    match action {
        Action::SelectUp => step(log, -1, screen),
        Action::SelectDown => step(log, 1, screen),
        Action::PageUp => step(log, -(page as isize), screen),
        Action::PageDown => step(log, page as isize, screen),
        Action::First => step(log, isize::MIN, screen),
        Action::Last if log.open.is_none() => log.follow(),
        Action::Last => step(log, isize::MAX, screen),
        Action::Follow if log.follows() => log.move_by(0, page),
        Action::Follow => log.follow(),
        Action::Open => {
            log.open = match log.open.take() {
                Some(_) => None,
                None => log.selected().map(|stamped| Whole::new(stamped, screen)),
            };
        }
        Action::Clear if log.open.is_some() => log.open = None,
        Action::Clear if log.search().is_some() => log.set_search(None),
        Action::Clear => log.set_filter(None),
        Action::Search => log.begin_typing(Typed::Search),
        Action::Filter => log.begin_typing(Typed::Filter),
        Action::Details => log.show_details(!log.with_details()),
        Action::NextMatch | Action::PreviousMatch => jump(state, action == Action::NextMatch),
        Action::Copy => copy(state, effects),
        _ => {}
    }
}

/// Moves what is in front: the entry that is shown whole, or the selection.
fn step(log: &mut LogView, by: isize, screen: (u16, u16)) {
    let page = log.page(screen);
    match &mut log.open {
        Some(open) => open.scroll_by(by, screen),
        None => log.move_by(by, page),
    }
}

fn jump(state: &mut State, forward: bool) {
    let page = state.log.page(state.size);
    state.log.open = None;
    if state.log.search().is_none() {
        return notify(state, NoticeKind::Info, "nothing is searched for yet");
    }
    let said = match state.log.jump(forward, page) {
        None => "nothing is found",
        Some(true) if forward => "from the first entry again",
        Some(true) => "from the last entry again",
        Some(false) => return,
    };
    notify(state, NoticeKind::Info, said);
}

fn copy(state: &mut State, effects: &mut Vec<Effect>) {
    let json = match (&state.log.open, state.log.selected()) {
        (Some(open), _) => open.json.clone(),
        (None, Some(stamped)) => serde_json::to_string(stamped).unwrap_or_default(),
        (None, None) => return notify(state, NoticeKind::Info, "there is no entry to copy"),
    };
    effects.push(Effect::Copy(json));
}

/// Whether a search or a filter is being typed.
pub fn takes_text(state: &State) -> bool {
    state.tab == Tab::Log && state.run().is_some() && state.log.typing.is_some()
}

/// A key while text is being typed.
pub fn key(state: &mut State, key: Key) {
    let log = &mut state.log;
    let page = log.page(state.size);
    match key {
        Key::Enter => log.end_typing(true),
        Key::Esc => log.end_typing(false),
        Key::Up => log.move_by(-1, page),
        Key::Down => log.move_by(1, page),
        Key::PageUp => log.move_by(-(page as isize), page),
        Key::PageDown => log.move_by(page as isize, page),
        key => {
            let Some(typing) = &mut log.typing else { return };
            let before = typing.field.text().len();
            let edits = typing.field.key(key);
            // The cursor alone changes nothing that is searched for; what is typed over changes the length.
            if edits && typing.field.text().len() != before {
                log.typed(page);
            }
        }
    }
}

pub fn pasted(state: &mut State, text: &str) {
    if !takes_text(state) {
        return;
    }
    let page = state.log.page(state.size);
    if let Some(typing) = &mut state.log.typing {
        typing.field.insert(text);
        state.log.typed(page);
    }
}

/// The screen has another size.
pub fn resized(state: &mut State) {
    if let Some(open) = &mut state.log.open {
        open.lay_out(state.size);
    }
}

/// The wheel moves, a press selects.
pub fn mouse(state: &mut State, mouse: Mouse) {
    let screen = state.size;
    let log = &mut state.log;
    match mouse.kind {
        MouseKind::WheelUp => step(log, -WHEEL, screen),
        MouseKind::WheelDown => step(log, WHEEL, screen),
        MouseKind::Press if log.open.is_none() => {
            // Above the entries lie the header and the panel's edge.
            let page = log.page(screen);
            let row = (mouse.row as usize).checked_sub(2).filter(|&row| row < page);
            let position = row.map(|row| log.top(page) + row).filter(|&at| at < log.len());
            if let Some(position) = position {
                log.select(position, page);
            }
        }
        _ => {}
    }
}
