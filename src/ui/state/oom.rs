//! An out-of-memory as the screen knows it: whether the run waits for a lever, what the card shows, what each lever would be typed as.
//! The events are folded in `run`; keys are in `update::oom`, how it looks is `view::oom`.

use crate::event::{Lever, OutOfMemory};

use super::RunStage;

/// How it is asked, and what was answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Asking {
    /// The run waits until somebody chooses.
    pub asks: bool,
    /// The lever that was sent and not yet answered.
    pub applying: Option<String>,
    /// Out-of-memories that were heard of.
    pub heard: u64,
    /// As many had been heard of when the same was to be tried again; until that is answered.
    pub tried: Option<u64>,
}

/// The card over the panels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Card {
    /// Which one of the run's, by its place among them.
    pub at: usize,
    /// The selected lever.
    pub selected: usize,
    /// `Clock::ms` from which Enter counts: a card that comes by itself must not take a key that was meant for what it covers.
    pub ready_ms: u64,
}

impl RunStage {
    /// Whether the run waits until somebody chooses a lever.
    pub fn waits(&self) -> bool {
        self.activity() == super::Activity::Waiting
    }

    /// The lever that was chosen and is not applied yet.
    pub fn applying(&self) -> Option<&str> {
        self.oom.applying.as_deref()
    }

    /// What the card at this place is about.
    pub fn oom(&self, at: usize) -> Option<&OutOfMemory> {
        self.view.ooms.get(at).map(|(_, oom)| oom)
    }

    /// The card of the newest out-of-memory.
    pub fn newest_card(&self, ready_ms: u64) -> Option<Card> {
        let at = self.view.ooms.len().checked_sub(1)?;
        let selected = self.oom(at).map_or(0, best_lever);
        Some(Card { at, selected, ready_ms })
    }

    /// Whether a lever can be sent to the run now: it waits with this card's question.
    pub fn takes(&self, card: Card, lever: &Lever) -> bool {
        self.waits() && card.at + 1 == self.view.ooms.len() && !self.needs_new_run(lever)
    }

    /// Whether the adapter that was begun would not fit the change.
    pub fn needs_new_run(&self, lever: &Lever) -> bool {
        lever.restarts && self.view.steps_done() > 0
    }
}

/// The cheapest lever that makes it fit, else the first: levers come in the order of what they cost the result.
fn best_lever(oom: &OutOfMemory) -> usize {
    let applied = |lever: &Lever| oom.applied.as_deref() == Some(lever.id.as_str());
    let chosen = oom.levers.iter().position(applied);
    chosen.or_else(|| oom.levers.iter().position(|lever| lever.fits == Some(true))).unwrap_or(0)
}
