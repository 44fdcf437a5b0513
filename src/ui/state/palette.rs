//! The command palette: a few letters, and the actions that they find. Keys are in `update::palette`, how it looks is `view::palette`.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::State;
use super::field::Field;
use crate::ui::keymap::{Action, is_available};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Palette {
    pub query: Field,
    /// The best first. Whether an action makes sense may change while the palette is open, so it is asked when the list is made.
    found: Vec<Found>,
    /// By its action, so that a list that changes does not put another one under the cursor.
    selected: Option<Action>,
}

/// An action that the letters find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub action: Action,
    /// The action's name, a space, what it does.
    pub text: String,
    /// Characters of the name before that space.
    pub name: usize,
    /// Places of the letters in the text, in characters.
    pub places: Vec<u32>,
}

impl Palette {
    pub fn new(state: &State) -> Self {
        let mut palette = Palette::default();
        palette.search(state);
        palette
    }

    /// Looks anew for what was typed; nothing typed finds everything, in the order of help.
    pub fn search(&mut self, state: &State) {
        let pattern = Pattern::new(self.query.text(), CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, Found)> = Vec::new();
        for binding in state.keymap.bindings() {
            let name = binding.name.replace('_', " ");
            let text = format!("{name} {}", binding.description);
            let mut places = Vec::new();
            let score = pattern.indices(Utf32Str::new(&text, &mut buffer), &mut matcher, &mut places);
            let Some(score) = score else { continue };
            // A name counts more than what is said about it.
            let in_name = pattern.score(Utf32Str::new(&name, &mut buffer), &mut matcher).unwrap_or(0);
            places.sort_unstable();
            places.dedup();
            scored.push((score + in_name, Found { action: binding.action, name: name.chars().count(), text, places }));
        }
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.found = scored.into_iter().map(|(_, found)| found).collect();
        self.selected = self.list(state).first().map(|(found, _)| found.action);
    }

    /// What was found, and whether it makes sense now: what does comes first.
    pub fn list(&self, state: &State) -> Vec<(&Found, bool)> {
        let (now, not): (Vec<_>, Vec<_>) =
            self.found.iter().map(|found| (found, is_available(found.action, state))).partition(|(_, now)| *now);
        now.into_iter().chain(not).collect()
    }

    /// The place of the selected action in the list.
    pub fn position(&self, list: &[(&Found, bool)]) -> usize {
        list.iter().position(|(found, _)| Some(found.action) == self.selected).unwrap_or(0)
    }

    pub fn selected(&self, state: &State) -> Option<Action> {
        let list = self.list(state);
        list.get(self.position(&list)).map(|(found, _)| found.action)
    }

    /// Moves around the list, from one end to the other.
    pub fn move_by(&mut self, by: isize, state: &State) {
        let list = self.list(state);
        let position = (self.position(&list) as isize).saturating_add(by).rem_euclid(list.len().max(1) as isize);
        self.selected = list.get(position as usize).map(|(found, _)| found.action);
    }
}
