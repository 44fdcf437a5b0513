//! One of several ways (`anyOf`, `oneOf`), in Pydantic's smart mode: the value as it is before any conversion, then the way that sets
//! most fields, then the least changed, then the first.

use serde_json::Value;

use super::super::attempt::Fault;
use super::super::schema::{Kind, Node};
use super::super::validate::{excerpt, size};
use super::absent::{NONE_LEFT_OUT, NONE_TO_NULL, NULL_LEFT_OUT};
use super::{IN_SECONDS, Path, Walk, fits_flat};

/// What following one way came to; the least is the best.
#[derive(PartialEq, PartialOrd)]
struct Cost {
    misfits: usize,
    fields_unset: isize,
    lossy: usize,
    changes: usize,
}

impl Walk {
    pub(super) fn alternatives(&mut self, value: &mut Value, node: Node<'_>, path: &Path<'_>, depth: usize) {
        let scalar = !value.is_object() && !value.is_array();
        let mut as_it_is = node.branches().filter(|branch| branch.branches().len() == 0 && fits_flat(value, *branch));
        if scalar && let Some(first) = as_it_is.next() {
            // Text that any alternative takes as text alone is no duration.
            if self.in_seconds && as_it_is.all(|other| other.format() == first.format()) {
                self.visit(value, first, path, depth);
            }
            return self.tell_struck(value, path);
        }
        // Null is no way for anything else, so that what may be null is mostly one way; text that says null has its own rule.
        let null = Kind::Null.as_kinds();
        let ways: Vec<Node<'_>> =
            node.branches().filter(|b| b.kinds() != null && b.kinds().iter().next().is_some()).collect();
        let of_kind: Vec<Node<'_>> = ways.iter().copied().filter(|b| b.accepts(Kind::of(value))).collect();
        match (ways.as_slice(), of_kind.as_slice()) {
            ([only], _) if !(scalar && node.accepts(Kind::Null)) => return self.visit(value, *only, path, depth),
            (_, [only]) if !scalar => return self.visit(value, *only, path, depth),
            _ => {}
        }
        let mut best: Option<(Cost, Value, Walk)> = None;
        let mut implied = 0;
        let (copied, told) = (size(value), self.told + self.faults.len());
        for way in ways {
            if self.budget < copied {
                self.limit.get_or_insert_with(|| Fault {
                    path: path.pointer(),
                    expected: String::new(),
                    found: format!("alternatives within alternatives, {depth} levels deep"),
                    excerpt: excerpt(value),
                    offset: None,
                });
                return self.refuse(value, node, path);
            }
            self.budget -= copied;
            let mut trial = Walk { told, ..self.anew() };
            let mut made = value.clone();
            trial.visit(&mut made, way, path, depth);
            self.budget = trial.budget;
            self.limit = self.limit.take().or(trial.limit.take());
            // A default that was filled, and a null, is how the way is made, not what was done to the value; so is how it is written. What says
            // nothing is weighed as a misfit.
            let is_absence = |kind: &str| matches!(kind, NULL_LEFT_OUT | NONE_LEFT_OUT | NONE_TO_NULL);
            let is_made = |kind: &str| matches!(kind, "default_used" | "null_filled" | IN_SECONDS) || is_absence(kind);
            let done = || trial.changes.iter().filter(|change| !is_made(&change.kind));
            let cost = Cost {
                misfits: trial.misfits + trial.absent,
                fields_unset: -(trial.fields_set as isize),
                lossy: done().filter(|c| c.lossy).count(),
                changes: done().count(),
            };
            implied += usize::from(trial.misfits + trial.absent == 0 && done().any(|c| c.kind == "field_implied"));
            if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                best = Some((cost, made, trial));
            }
        }
        let Some((cost, made, mut trial)) = best else { return self.refuse(value, node, path) };
        if cost.misfits > 0 && scalar {
            return match (value.as_str(), node.accepts(Kind::Null)) {
                (Some(text), true) if ["null", "none"].iter().any(|word| text.eq_ignore_ascii_case(word)) => {
                    self.replace(value, path, "string_to_null", Value::Null, false);
                }
                _ => self.refuse(value, node, path),
            };
        }
        // Of several fields that a bare value may be, one was guessed.
        let guesses = trial.changes.iter_mut().filter(|c| implied > 1 && c.kind == "field_implied");
        guesses.for_each(|change| change.lossy = true);
        *value = made;
        self.changes.extend(trial.changes);
        self.faults.extend(trial.faults);
        self.misfits += trial.misfits;
        self.absent += trial.absent;
        self.fields_set += trial.fields_set;
    }
}
