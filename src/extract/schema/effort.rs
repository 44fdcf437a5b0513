//! A bound on how many alternatives the validator may try for one value: where they nest without an end to the value, the tries
//! multiply. The schema is compiled with a mark beside each `anyOf` and `oneOf`; a mark counts, and fails once the count is used up.
//! How much a value may take is `Schema::is_valid`'s.

use std::cell::Cell;

use jsonschema::{Keyword, ValidationError, ValidationOptions};
use serde_json::{Value, json};

use super::read::Positions;

/// No keyword of any draft, nor one that a person would write.
const MARK: &str = "x-finetop-tries";

thread_local! {
    /// What is left to the value that is being looked at on this thread; without end between values.
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
}

struct Mark;

impl<'i> Keyword<'i> for Mark {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom("too many alternatives")) }
    }

    fn is_valid(&self, _: &'i Value) -> bool {
        LEFT.with(|left| {
            left.set(left.get().saturating_sub(1));
            left.get() > 0
        })
    }
}

pub(super) fn into(options: ValidationOptions<'_>) -> ValidationOptions<'_> {
    options.with_keyword(MARK, |_, _, _| Ok(Box::new(Mark)))
}

/// The document with the marks. They stand in `allOf`, which the validator looks at before `anyOf`, after what is there already, so
/// that no pointer changes.
pub(super) fn marked(document: &Value, positions: &Positions<'_>) -> Value {
    let mut marked = document.clone();
    let forks = |schema: &Value| {
        ["anyOf", "oneOf"].iter().any(|k| schema.get(*k).and_then(Value::as_array).is_some_and(|a| a.len() > 1))
    };
    for place in positions.at.iter().filter(|place| forks(place.schema)) {
        let Some(Value::Object(fields)) = marked.pointer_mut(&place.pointer) else { continue };
        if let Value::Array(members) = fields.entry("allOf").or_insert_with(|| json!([])) {
            members.push(json!({MARK: true}));
        }
    }
    marked
}

/// What `look` says, as long as it tries at most so many alternatives.
pub(super) fn within<T>(most: u64, look: impl FnOnce() -> T) -> Option<T> {
    LEFT.with(|left| left.set(most));
    let said = look();
    let left = LEFT.with(|left| left.replace(u64::MAX));
    (left > 0).then_some(said)
}
