//! What can be done: action, keys, words. Keys are looked up in one table, help and footer are made from it, so they agree. The table is in
//! `table`, names of actions in `action`. What an action does is in `update`; where it makes sense is in `places`, what of it the footer
//! shows in `footer`; keys of the user's own are put on top in `user`.

mod action;
mod footer;
mod places;
mod table;
mod user;

use super::message::Key;
use super::state::State;
pub use action::{Action, Group};
pub use footer::is_report_due;
pub use places::is_available;

/// An action with its keys and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub action: Action,
    /// What the user's file of keys calls it.
    pub name: &'static str,
    pub group: Group,
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

impl Keymap {
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The first action of the table with this key that makes sense now, else the first with this key at all.
    pub fn action(&self, key: Key, state: &State) -> Option<Action> {
        let with_key = || self.bindings.iter().filter(|b| b.keys.contains(&key)).map(|b| b.action);
        // Where none of them makes sense now, why is told of one that belongs here.
        let here = || with_key().find(|&a| places::is_of_place(a, state));
        with_key().find(|&a| is_available(a, state)).or_else(here).or_else(|| with_key().next())
    }

    /// The first of an action's keys that does it now: keys are shared by actions of different places.
    pub fn key_now(&self, action: Action, state: &State) -> Option<Key> {
        let keys = self.keys(action);
        keys.iter().copied().find(|&key| self.action(key, state) == Some(action)).or(keys.first().copied())
    }

    /// The shortest of an action's keys that do it now, for a hint; where none does, the shortest.
    pub fn hint(&self, action: Action, state: &State) -> Option<Key> {
        let does_it = |key: &&Key| self.action(**key, state) == Some(action);
        shortest(self.keys(action).iter().filter(does_it)).or_else(|| self.letter(action))
    }

    /// The shortest of an action's keys, where others than the keymap say when it holds.
    pub fn letter(&self, action: Action) -> Option<Key> {
        shortest(self.keys(action).iter())
    }

    /// All keys of an action.
    pub fn keys(&self, action: Action) -> &[Key] {
        self.bindings.iter().find(|b| b.action == action).map_or(&[], |b| &b.keys)
    }

    /// The first key of an action, for texts that name it.
    pub fn key(&self, action: Action) -> Option<Key> {
        self.keys(action).first().copied()
    }
}

/// A letter that needs no shift, any other character, any other key.
fn shortest<'a>(keys: impl Iterator<Item = &'a Key>) -> Option<Key> {
    let rank = |key: &&Key| match key {
        Key::Char(c) if c.is_lowercase() => 0,
        Key::Char(_) => 1,
        _ => 2,
    };
    keys.min_by_key(rank).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_name_a_key_and_words() {
        let keymap = Keymap::default();
        for binding in keymap.bindings() {
            assert!(!binding.keys.is_empty() && !binding.description.is_empty(), "{:?}", binding.action);
            let same = keymap.bindings().iter().filter(|b| b.name == binding.name || b.action == binding.action);
            assert_eq!(same.count(), 1, "{}", binding.name);
        }
    }
}
