//! The user's own keys put on top of the table. Two actions may share a key where they never meet; where they could, one of them loses it,
//! and that is said. What the file of keys looks like is in `app::preferences`.

use super::{Action, Keymap};
use crate::config::settings::nearest_name;
use crate::ui::message::Key;

/// Nobody else gets it, so that there is always a way out.
const ALWAYS_QUITS: Key = Key::Ctrl('c');

/// Where the screen can be, as far as keys are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The start page, ready to start or after a start that failed.
    Page,
    Preparing,
    Train,
    Charts,
    Log,
    EndedTrain,
    EndedCharts,
    EndedLog,
}

const LIVE: [Place; 3] = [Place::Train, Place::Charts, Place::Log];
const ENDED: [Place; 3] = [Place::EndedTrain, Place::EndedCharts, Place::EndedLog];
const RUN: [Place; 6] =
    [Place::Train, Place::Charts, Place::Log, Place::EndedTrain, Place::EndedCharts, Place::EndedLog];
const WITH_CHARTS: [Place; 4] = [Place::Train, Place::Charts, Place::EndedTrain, Place::EndedCharts];
const WITH_ROWS: [Place; 5] = [Place::Page, Place::Train, Place::Log, Place::EndedTrain, Place::EndedLog];
const PAGE_AND_RUN: [Place; 7] =
    [Place::Page, Place::Train, Place::Charts, Place::Log, Place::EndedTrain, Place::EndedCharts, Place::EndedLog];
const ON_CHARTS: [Place; 2] = [Place::Charts, Place::EndedCharts];
const ON_LOG: [Place; 2] = [Place::Log, Place::EndedLog];
const EVERYWHERE: [Place; 8] = [
    Place::Page,
    Place::Preparing,
    Place::Train,
    Place::Charts,
    Place::Log,
    Place::EndedTrain,
    Place::EndedCharts,
    Place::EndedLog,
];

/// Every place where an action may be available. More than `is_available` in that what it also asks for (a selection, eval data) is
/// taken to be there.
fn places(action: Action) -> &'static [Place] {
    match action {
        Action::TakeSetting
        | Action::DropSetting
        | Action::Watch
        | Action::EditSetting
        | Action::Start
        | Action::ResumeRun
        | Action::NextValue
        | Action::PreviousValue
        | Action::ResetSetting
        | Action::SwitchPane
        | Action::Refresh => &[Place::Page],
        Action::CancelStart => &[Place::Preparing],
        Action::PauseOrResume | Action::Stop | Action::Save | Action::Evaluate => &LIVE,
        Action::Outcome => &ENDED,
        Action::TabTrain
        | Action::TabCharts
        | Action::TabLog
        | Action::NextTab
        | Action::PreviousTab
        | Action::BackToStart
        | Action::Follow
        | Action::Copy => &RUN,
        Action::SelectUp | Action::SelectDown | Action::First | Action::Last | Action::Clear => &PAGE_AND_RUN,
        Action::PageUp | Action::PageDown => &WITH_ROWS,
        Action::CursorLeft
        | Action::CursorRight
        | Action::PanLeft
        | Action::PanRight
        | Action::ZoomIn
        | Action::ZoomOut
        | Action::WholeRun
        | Action::NextChart
        | Action::PreviousChart
        | Action::XAxis
        | Action::YScale
        | Action::SmoothMore
        | Action::SmoothLess
        | Action::Compare => &WITH_CHARTS,
        Action::Enlarge => &ON_CHARTS,
        Action::Open
        | Action::Search
        | Action::NextMatch
        | Action::PreviousMatch
        | Action::Filter
        | Action::Details => &ON_LOG,
        Action::Help
        | Action::Palette
        | Action::Theme
        | Action::Mouse
        | Action::Redraw
        | Action::Suspend
        | Action::Quit => &EVERYWHERE,
    }
}

/// Whether there is a place where one key would have to mean both.
fn can_meet(a: Action, b: Action) -> bool {
    a != b && places(a).iter().any(|place| places(b).contains(place))
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
                    .find(|&&(_, other, k)| k == key && can_meet(action, other) && !shared(action, other, key));
                match taken {
                    _ if key == ALWAYS_QUITS && action != Action::Quit => {
                        problems.push((entry, format!("`{key}` always quits; {name} does not get it")));
                    }
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
            if action == Action::Quit && !binding.keys.contains(&ALWAYS_QUITS) {
                binding.keys.push(ALWAYS_QUITS);
            } else if refused {
                problems.push((entry, format!("{name} has no key left")));
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
                if binding.keys.contains(&key) && can_meet(action, from) && !shared(action, from, key) {
                    binding.keys.retain(|k| *k != key);
                    lost.push(Lost { entry, key, to, from });
                }
            }
        }
        lost
    }

    fn keys(&self, action: Action) -> &[Key] {
        self.bindings.iter().find(|b| b.action == action).map_or(&[], |b| &b.keys)
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
