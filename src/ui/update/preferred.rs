//! The user's own keys and wishes come in, and what is wrong with them is said: the first in the footer, all of them in help.

use super::super::keymap::Action;
use super::super::message::{Effect, Preferred};
use super::super::state::{Notice, NoticeKind, State};
use crate::units::printable;

/// Longer than other notices: it comes while the screen itself is new.
const NOTICE_MS: u64 = 12_000;

pub fn take(state: &mut State, preferred: Preferred, effects: &mut Vec<Effect>) {
    let Preferred { keymap, mouse, problems } = preferred;
    state.keymap = keymap;
    state.problems = problems.iter().map(|p| printable(p)).collect();
    if mouse != state.mouse {
        state.mouse = mouse;
        effects.push(Effect::Mouse(mouse));
    }
    if let Some(text) = notice(state) {
        state.notice = Some(Notice { text, kind: NoticeKind::Bad, until_ms: state.clock.ms + NOTICE_MS });
        state.pulse = state.current_pulse();
    }
    state.revision += 1;
}

/// How many there are comes first: a narrow footer cuts the rest.
fn notice(state: &State) -> Option<String> {
    let [first, rest @ ..] = &state.problems[..] else { return None };
    if rest.is_empty() {
        return Some(first.clone());
    }
    let help = state.keymap.key(Action::Help).map(|key| format!(", {key} shows them"));
    Some(format!("{} problems{}: {first}", rest.len() + 1, help.unwrap_or_default()))
}
