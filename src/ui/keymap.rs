//! The one table of what can be done: action, keys, words. Keys are looked up in it, help and footer are made from it, so they agree.
//! What an action does is in `update`.

use super::message::Key;
use super::state::{Activity, Stage, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Start,
    CancelStart,
    PauseOrResume,
    Stop,
    Save,
    Evaluate,
    Outcome,
    Help,
    Theme,
    Redraw,
    Suspend,
    Quit,
}

/// An action with its keys and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub action: Action,
    pub keys: Vec<Key>,
    /// For the footer: a word or two.
    pub short: &'static str,
    /// For help: what happens.
    pub description: &'static str,
}

/// In the order of help and footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        use Action::*;
        use Key::{Char, Ctrl, Enter, Esc};
        let bind =
            |action, keys: &[Key], short, description| Binding { action, keys: keys.to_vec(), short, description };
        Keymap {
            bindings: vec![
                bind(Start, &[Enter], "start", "start the run that is shown"),
                bind(CancelStart, &[Esc], "cancel", "cancel the preparation; what was fetched is kept"),
                bind(PauseOrResume, &[Char('p'), Char(' ')], "pause", "pause after this micro-batch, or go on"),
                bind(Stop, &[Char('s')], "stop", "stop with a checkpoint at the end of this step (asks)"),
                bind(Save, &[Char('w')], "save", "write a checkpoint at the end of this step"),
                bind(Evaluate, &[Char('e')], "eval", "measure the eval loss at the end of this step"),
                bind(Outcome, &[Char('o'), Enter], "outcome", "show how the run ended"),
                bind(Help, &[Char('?'), Key::F(1)], "help", "show this help"),
                bind(Theme, &[Char('t')], "theme", "take the next colours"),
                bind(Redraw, &[Ctrl('l')], "redraw", "draw the screen anew"),
                bind(Suspend, &[Ctrl('z')], "suspend", "suspend finetop; `fg` brings it back"),
                bind(Quit, &[Char('q'), Ctrl('c')], "quit", "quit; while training it asks what becomes of the run"),
            ],
        }
    }
}

impl Keymap {
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The first action of the table with this key that makes sense now, else the first with this key at all.
    pub fn action(&self, key: Key, state: &State) -> Option<Action> {
        let with_key = || self.bindings.iter().filter(|b| b.keys.contains(&key)).map(|b| b.action);
        with_key().find(|&a| is_available(a, state)).or_else(|| with_key().next())
    }

    /// The bindings worth a place in the footer now, the most important first.
    pub fn footer(&self, state: &State) -> Vec<&Binding> {
        let quiet = [Action::Theme, Action::Redraw, Action::Suspend];
        self.bindings.iter().filter(|b| !quiet.contains(&b.action) && is_available(b.action, state)).collect()
    }

    /// The first key of an action, for texts that name it.
    pub fn key(&self, action: Action) -> Option<Key> {
        self.bindings.iter().find(|b| b.action == action).and_then(|b| b.keys.first().copied())
    }
}

/// Whether an action makes sense in this state.
pub fn is_available(action: Action, state: &State) -> bool {
    let live = |test: fn(Activity) -> bool| state.run().is_some_and(|run| run.is_live() && test(run.activity()));
    match action {
        Action::Start => state.page.is_some() && matches!(state.stage, Stage::Ready | Stage::Failed(_)),
        Action::CancelStart => state.page.is_some() && matches!(state.stage, Stage::Starting(_)),
        Action::PauseOrResume => live(|a| a != Activity::Stopping),
        Action::Stop => live(|_| true),
        Action::Save => live(|a| a != Activity::Stopping),
        Action::Evaluate => {
            live(|a| a != Activity::Stopping)
                && state.run().and_then(|r| r.view.started.as_ref()).is_some_and(|s| s.config.data.eval.is_some())
        }
        Action::Outcome => state.run().is_some_and(|run| !run.is_live()),
        Action::Help | Action::Theme | Action::Redraw | Action::Suspend | Action::Quit => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_key_and_a_key_has_one_action_in_each_state() {
        let keymap = Keymap::default();
        for binding in keymap.bindings() {
            assert!(!binding.keys.is_empty() && !binding.description.is_empty(), "{:?}", binding.action);
        }
        // Enter starts before a run and shows the outcome after it; no other key is shared.
        let mut keys: Vec<Key> =
            keymap.bindings().iter().flat_map(|b| b.keys.clone()).filter(|&k| k != Key::Enter).collect();
        let count = keys.len();
        keys.sort_by_key(|k| k.to_string());
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
