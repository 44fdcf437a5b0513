//! The readings of a text that were held against the schema: how far each is from it, which is taken, and what is told of the others.
//! How a reading is made is `super`'s, what the trace then says `told`'s.

use std::ops::Range;

use serde_json::{Value, json};

use super::super::attempt::{Change, Fault, Stage};
use super::super::parse::cues::{self, Cue};
use super::super::validate::excerpt;
use super::{Chain, Step};

/// How many of the readings that were not taken are named.
pub(super) const MOST_NAMED: usize = 8;

/// A reading that was taken through the stages that know the schema.
pub(super) struct Judged {
    pub(super) stage: Stage,
    pub(super) span: Range<usize>,
    /// What the reader made of the text; kept for the trace alone.
    pub(super) read: Value,
    pub(super) found: Vec<Change>,
    pub(super) value: Value,
    pub(super) coerced: Option<Step>,
    pub(super) normalised: Option<Step>,
    pub(super) validated: Option<Step>,
}

impl Judged {
    pub(super) fn faults(&self) -> &[Fault] {
        self.validated.as_ref().map_or(&[], |step| &step.errors)
    }

    /// How far it is from what was asked for: faults, then losses, then conversions.
    fn distance(&self) -> (usize, usize, usize) {
        let converted = || [&self.coerced, &self.normalised].into_iter().flatten().flat_map(|step| &step.changes);
        let lossy = self.found.iter().chain(converted()).filter(|c| c.lossy).count();
        (self.faults().len(), lossy, converted().count())
    }
}

impl Chain<'_> {
    /// What the prose before each reading calls it, where they stand apart from each other.
    pub(super) fn cues(&self, judged: &[Judged]) -> Vec<Cue> {
        let mut cues = vec![Cue::None; judged.len()];
        let mut order: Vec<usize> = (0..judged.len()).collect();
        order.sort_by_key(|at| judged[*at].span.start);
        let mut end = 0;
        for (nth, at) in order.into_iter().enumerate() {
            let span = &judged[at].span;
            if judged.len() < 2 || span.start < end {
                return Vec::new();
            }
            cues[at] = cues::cue(&self.text[end..span.start], nth > 0);
            end = span.end;
        }
        cues
    }

    /// Names the readings that were not taken, and what stands around those of them that are elsewhere in the text.
    pub(super) fn others(&self, judged: &[Judged], best: usize, unjudged: usize) -> Vec<Change> {
        let chosen = &judged[best];
        let apart = |one: &Judged| one.span.end <= chosen.span.start || one.span.start >= chosen.span.end;
        let others: Vec<&Judged> = judged
            .iter()
            .enumerate()
            .filter(|(at, one)| *at != best && one.stage == chosen.stage)
            .map(|(_, one)| one)
            .collect();
        if others.is_empty() && unjudged == 0 {
            return Vec::new();
        }
        // Another value elsewhere in the text: which one was meant is a guess where it would have done as well, and what it says is lost.
        let lost = |one: &Judged| {
            apart(one) && !says(&chosen.value, &one.value) && (one.faults().is_empty() || has_content(&one.value))
        };
        let guessed = unjudged > 0 || others.iter().any(|one| lost(one));
        let named: Vec<String> = others.iter().take(MOST_NAMED).map(|one| excerpt(&one.value)).collect();
        // What stands between two values was told of one of them.
        let around = others.iter().filter(|one| apart(one)).flat_map(|one| &one.found);
        let around = around.filter(|c| c.kind == "left_out" && c.path.is_empty());
        let mut changes: Vec<Change> = around.cloned().collect();
        changes.push(Change {
            path: String::new(),
            kind: "candidate_chosen".into(),
            before: json!({"readings": others.len() + unjudged + 1, "others": named}),
            after: excerpt(&chosen.value).into(),
            lossy: guessed,
        });
        changes
    }
}

/// Whether a container holds anything.
pub(super) fn has_content(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// Whether all that the other value says is in this one: it is the same, or its fields or items are among this one's.
pub(super) fn says(value: &Value, other: &Value) -> bool {
    match (value, other) {
        (Value::Object(map), Value::Object(other)) => other.iter().all(|(key, said)| map.get(key) == Some(said)),
        (Value::Array(items), Value::Array(_)) if items.len() > 64 => value == other,
        (Value::Array(items), Value::Array(other)) => other.iter().all(|said| items.contains(said)),
        (value, other) => value == other,
    }
}

/// The reading that fits best: of those that fit the answer, the last of several, before an example; of equal ones the earliest.
pub(super) fn nearest(judged: &[Judged], cues: &[Cue]) -> Option<usize> {
    (0..judged.len()).min_by_key(|at| {
        let one = &judged[*at];
        let (faults, lossy, conversions) = one.distance();
        let cue = cues.get(*at).copied().unwrap_or(Cue::None);
        let later = if cue == Cue::Answer { usize::MAX - one.span.start } else { 0 };
        (faults, cue, later, lossy, conversions, *at)
    })
}
