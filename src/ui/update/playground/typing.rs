//! Where letters of the playground are text: keys and pasted text that go into an editor, a setting's value or the path of rows. What other
//! keys do is in `super`.

use super::trial::{run, run_rows};
use super::{lay_out, turn_focus};
use crate::ui::keymap::{Action, Group, is_available};
use crate::ui::message::{Effect, Key};
use crate::ui::state::playground::{Focus, Page};
use crate::ui::state::{NoticeKind, State};
use crate::ui::update::notify;
use crate::ui::view::is_too_small;

/// Whether letters are text.
pub(in crate::ui::update) fn takes_text(state: &State) -> bool {
    let play = &state.playground;
    let types = match play.page {
        Page::Panels => play.typing || play.field.is_some(),
        Page::Rows => play.batch.typing,
        Page::Examples { .. } | Page::Trials { .. } => false,
    };
    types && state.in_playground()
}

/// Whether a text of several lines has the keys: there, what suspends elsewhere takes back.
pub fn edits(state: &State) -> bool {
    takes_text(state) && state.playground.page == Page::Panels && state.playground.field.is_none()
}

/// On a text that has the keys and was not entered, a letter is the first of what is typed, unless it is one of the tab's own keys; whether
/// it was. Whoever begins to write there must not stop a run with an `s`.
pub(in crate::ui::update) fn begins_text(state: &mut State, letter: Key) -> bool {
    let is_letter = matches!(letter, Key::Char(c) if !c.is_control());
    if !is_letter || state.overlay.is_some() || is_too_small(state.size) || takes_text(state) || !takes_paste(state) {
        return false;
    }
    let action = state.keymap.action(letter, state).filter(|action| is_available(*action, state));
    if action.is_some_and(|action| keeps_its_letter(action, state)) {
        return false;
    }
    state.playground.begin_typing();
    key(state, letter, &mut Vec::new());
    true
}

/// Whether an action is among those that a person is told of on the tab: in its group of help, in the footer, or, with a run, as a tab in
/// the header.
fn keeps_its_letter(action: Action, state: &State) -> bool {
    let is_tab = matches!(
        action,
        Action::TabTrain
            | Action::TabCharts
            | Action::TabLog
            | Action::TabMemory
            | Action::TabBleu
            | Action::TabPlayground
    );
    let keymap = &state.keymap;
    keymap.bindings().iter().any(|binding| binding.action == action && binding.group == Group::Playground)
        || is_tab && state.run().is_some()
        || keymap.footer(state).iter().any(|binding| binding.action == action)
}

/// A key while something is typed.
pub(in crate::ui::update) fn key(state: &mut State, key: Key, effects: &mut Vec<Effect>) {
    let runs = key.types_nothing() && state.keymap.keys(Action::RunTrial).contains(&key);
    let play = &mut state.playground;
    if play.page == Page::Rows {
        match key {
            Key::Esc => play.batch.leave_path(),
            key if key == Key::Enter || runs => run_rows(state, effects),
            key => _ = play.batch.path.key(key),
        }
        return;
    }
    if let Some((field, problem)) = &mut play.field {
        match key {
            Key::Esc => play.field = None,
            Key::Enter => play.take_typed(),
            key if runs || key == Key::Tab || key == Key::BackTab => {
                play.take_typed();
                if play.field.is_none() && runs {
                    run(state, effects);
                }
            }
            key => {
                field.key(key);
                *problem = None;
            }
        }
        return lay_out(state);
    }
    if runs {
        return run(state, effects);
    }
    let focus = play.focus;
    let Some(editor) = play.editor_mut(focus) else {
        play.typing = false;
        return;
    };
    match key {
        Key::Tab => return turn_focus(state, 1),
        Key::BackTab => return turn_focus(state, -1),
        // What was selected is let go of first.
        Key::Esc => {
            if !editor.key(Key::Esc) {
                play.typing = false;
            }
        }
        key => _ = editor.key(key),
    }
    told_by_editor(state, focus);
}

pub(in crate::ui::update) fn pasted(state: &mut State, text: &str) {
    let play = &mut state.playground;
    let focus = play.focus;
    if play.page == Page::Rows {
        play.batch.path.insert(text);
    } else if let Some((field, problem)) = &mut play.field {
        field.insert(text);
        *problem = None;
    } else if play.editor(focus).is_some() {
        if focus == Focus::Text {
            play.row_text = None;
        }
        play.editor_mut(focus).into_iter().for_each(|editor| editor.paste(text));
        told_by_editor(state, focus);
    }
}

/// Pasted text goes into a text that is shown, also where nobody types yet.
pub(in crate::ui::update) fn takes_paste(state: &State) -> bool {
    let play = &state.playground;
    takes_text(state) || state.in_playground() && play.page == Page::Panels && play.editor(play.focus).is_some()
}

fn told_by_editor(state: &mut State, focus: Focus) {
    let told = state.playground.editor(focus).and_then(|editor| editor.notice()).map(str::to_owned);
    if let Some(told) = told {
        notify(state, NoticeKind::Info, told);
    }
}
