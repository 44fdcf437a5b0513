//! Which of several ways the lines of an object are (`anyOf`, `oneOf`): by the fields that have a fixed value, then by the names.
//! Only the lines of the object itself are looked at, so that ways within ways are chosen once each. Next: `block`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::field::{Line, fields, uncommented, unmarked};
use crate::extract::schema::node::{Node, Property};

/// The way that fits best, the first of equals.
pub(super) fn fitting<'s>(text: &str, lines: &[Line], ways: &[Node<'s>]) -> Option<Node<'s>> {
    if let [only] = ways {
        return Some(*only);
    }
    // The least number of misfits, then the most names.
    ways.iter().copied().min_by_key(|way| {
        let (named, misfits) = told(text, lines, *way);
        (misfits, std::cmp::Reverse(named))
    })
}

/// How many of a way's fields are named, and how many of those have a fixed value that is not said.
fn told(text: &str, lines: &[Line], way: Node<'_>) -> (usize, usize) {
    let mut named = BTreeSet::new();
    let mut misfits = 0;
    let column = lines.first().map_or(0, |line| line.column);
    for line in lines.iter().filter(|line| !line.comment && line.column <= column) {
        let found = fields(text, &line.body, way);
        for (nth, field) in found.iter().enumerate() {
            let end = found.get(nth + 1).map_or(line.body.end, |next| next.start);
            let said = text.get(field.value..end).unwrap_or_default();
            let said = said.trim().trim_end_matches([',', ';']);
            misfits += usize::from(named.insert(field.property.key) && !may_say(said, field.property));
        }
    }
    (named.len(), misfits)
}

/// Whether a text may be one of a field's fixed values; any text is where there are none.
fn may_say(said: &str, field: Property<'_>) -> bool {
    let said = unmarked(uncommented(said).0);
    field.node.choices().is_none_or(|choices| {
        choices.iter().any(|choice| match &choice.value {
            Value::String(text) => text.to_lowercase() == said.to_lowercase(),
            other => serde_json::from_str::<Value>(said).is_ok_and(|said| said == *other),
        })
    })
}
