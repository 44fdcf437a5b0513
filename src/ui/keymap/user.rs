//! The user's own keys put on top of the table. Two actions may share a key where they never meet; where they could, one of them loses it,
//! and that is said. What the file of keys looks like is in `app::preferences`.

use super::places::can_meet;
use super::{Action, Keymap};
use crate::config::settings::nearest_name;
use crate::ui::message::Key;
use crate::ui::state::field::Field;

/// Nobody else gets it, so that there is always a way out.
const ALWAYS_QUITS: Key = Key::Ctrl('c');

/// Keys that an action has whatever else it is given, and what they always do.
const FIXED: [(Action, Key, &str); 3] = [
    (Action::Quit, ALWAYS_QUITS, "quits"),
    (Action::TakeSetting, Key::Enter, "takes a value that is typed"),
    (Action::DropSetting, Key::Esc, "drops a value that is typed"),
];

/// Why an action cannot have a key, whoever else wants it.
fn refusal(action: Action, key: Key) -> Option<String> {
    let for_typing = matches!(action, Action::TakeSetting | Action::DropSetting);
    let reaches = |owner: Action| owner == Action::Quit || for_typing;
    let fixed = FIXED.iter().find(|(owner, fixed, _)| *fixed == key && *owner != action && reaches(*owner));
    // What edits the text never comes so far; the arrows go through a setting's choices.
    let edits = || matches!(key, Key::Up | Key::Down) || Field::default().key(key);
    match fixed {
        Some((_, _, what)) => Some(format!("always {what}")),
        None if for_typing && edits() => Some("edits a value that is typed".to_owned()),
        None => None,
    }
}

/// A key that went from one action to another.
struct Lost {
    entry: usize,
    key: Key,
    to: &'static str,
    from: Action,
}

impl Keymap {
    /// The table with the keys of `entries` (an action's name and its keys, in the order of the file) in place of the action's own. What
    /// is wrong comes back with the entry's number. A key goes to the entry that names it first, then to the actions that have it
    /// already; what two actions share in the table itself, they may share here.
    pub fn with_user(entries: &[(String, Vec<Key>)]) -> (Keymap, Vec<(usize, String)>) {
        let table = Keymap::default();
        let mut keymap = table.clone();
        let mut problems = Vec::new();
        let shared = |a, b, key| table.keys(a).contains(&key) && table.keys(b).contains(&key);
        // What the user gave so far: which entry, to which action.
        let mut given: Vec<(usize, Action, Key)> = Vec::new();
        let mut named = Vec::new();
        for (entry, (name, keys)) in entries.iter().enumerate() {
            // The commands show `tab train`; whoever writes it so means it.
            let plain = name.trim().to_lowercase().replace([' ', '-'], "_");
            let Some(binding) = keymap.bindings.iter_mut().find(|b| b.name == plain) else {
                problems.push((entry, unknown(name, &table)));
                continue;
            };
            let action = binding.action;
            named.push(action);
            binding.keys.clear();
            for &key in keys {
                let taken = given
                    .iter()
                    .find(|&&(_, other, k)| k == key && can_meet(action, other, key) && !shared(action, other, key));
                if let Some(why) = refusal(action, key) {
                    problems.push((entry, format!("`{key}` {why}; {name} does not get it")));
                    continue;
                }
                match taken {
                    Some(&(_, other, _)) => {
                        let first = table.name(other);
                        problems
                            .push((entry, format!("`{key}` is given to {first} and to {name}; it stays with {first}")));
                    }
                    None if !binding.keys.contains(&key) => {
                        binding.keys.push(key);
                        given.push((entry, action, key));
                    }
                    None => {}
                }
            }
            let refused = !keys.is_empty() && binding.keys.is_empty();
            match FIXED.iter().find(|(owner, _, _)| *owner == action) {
                Some((_, fixed, _)) if !binding.keys.contains(fixed) => binding.keys.push(*fixed),
                Some(_) => {}
                None if refused => problems.push((entry, format!("{name} has no key left"))),
                None => {}
            }
        }
        let lost = keymap.take_away(&given, &named, shared);
        for Lost { entry, key, to, from } in lost {
            let rest: Vec<String> = keymap.keys(from).iter().map(ToString::to_string).collect();
            let from = table.name(from);
            let left = if rest.is_empty() {
                format!("{from} has no key left")
            } else {
                format!("{from} keeps {}", rest.join(", "))
            };
            problems.push((entry, format!("`{key}` is now {to}; {left}")));
        }
        problems.sort_by_key(|(entry, _)| *entry);
        (keymap, problems)
    }

    /// Takes the given keys away from the actions that the user did not name and that can meet those that got them.
    fn take_away(
        &mut self,
        given: &[(usize, Action, Key)],
        named: &[Action],
        shared: impl Fn(Action, Action, Key) -> bool,
    ) -> Vec<Lost> {
        let mut lost = Vec::new();
        let names: Vec<(Action, &'static str)> = self.bindings.iter().map(|b| (b.action, b.name)).collect();
        for &(entry, action, key) in given {
            let to = names.iter().find(|(a, _)| *a == action).map_or("", |(_, name)| name);
            for binding in self.bindings.iter_mut().filter(|b| !named.contains(&b.action)) {
                let from = binding.action;
                if binding.keys.contains(&key) && can_meet(action, from, key) && !shared(action, from, key) {
                    binding.keys.retain(|k| *k != key);
                    lost.push(Lost { entry, key, to, from });
                }
            }
        }
        lost
    }

    fn name(&self, action: Action) -> &'static str {
        self.bindings.iter().find(|b| b.action == action).map_or("", |b| b.name)
    }
}

fn unknown(name: &str, table: &Keymap) -> String {
    let names: Vec<&str> = table.bindings.iter().map(|b| b.name).collect();
    match nearest_name(name, &names) {
        Some(near) => format!("{name} is no action; did you mean {near}?"),
        None => format!("{name} is no action; there are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
