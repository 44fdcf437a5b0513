//! A value within an object whose only field is none of the schema's: `{"person": {"name": "Kim"}}`, `{"result": [1, 2]}`.

use serde_json::{Map, Value};

use super::{Candidate, change};
use crate::extract::schema::Schema;
use crate::extract::schema::names;
use crate::extract::schema::node::{Kind, Node, Rest};

/// Takes what such objects hold for the values, where it is what the schema asks for, and says so.
pub fn unwrap(found: &mut [Candidate], schema: Option<&Schema>) {
    let Some(root) = schema.map(Schema::root) else { return };
    for candidate in found {
        let Value::Object(fields) = &mut candidate.value else { continue };
        let Some(key) = wrapper(fields, root) else { continue };
        let Some(inner) = fields.remove(&key) else { continue };
        candidate.value = inner;
        let path = names::join("", &key);
        for told in &mut candidate.changes {
            let below = told.path.strip_prefix(&path).filter(|rest| rest.is_empty() || rest.starts_with('/'));
            if let Some(below) = below.map(str::to_owned) {
                told.path = below;
            }
        }
        candidate.changes.push(change("wrapper_removed", Value::from(key), Value::Null, false));
    }
}

/// The only field of an object, where its value is what the schema asks for and the object is not.
fn wrapper(fields: &Map<String, Value>, root: Node<'_>) -> Option<String> {
    let (key, inner) = fields.iter().next().filter(|_| fields.len() == 1)?;
    let mut shapes = crate::extract::plain::shapes_of(root);
    let fits = match inner {
        Value::Object(inner) => {
            // Of an object without any of its fields nobody can tell.
            let named = |shape: &Node| inner.keys().all(|name| shape.called(name).is_some());
            root.accepts(Kind::Object) && !inner.is_empty() && shapes.iter().any(named)
        }
        Value::Array(items) if root.accepts(Kind::Array) && !root.accepts(Kind::Object) => {
            let item = crate::extract::plain::items_of(root)?;
            shapes.extend(crate::extract::plain::shapes_of(item));
            items.iter().all(|value| item.accepts(Kind::of(value)) || !item.accepts(Kind::Object))
        }
        _ => false,
    };
    let known = |shape: &Node| shape.called(key).is_some() || matches!(shape.field(key), Rest::Node(_));
    (fits && !shapes.iter().any(known)).then(|| key.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::extract::chain;

    fn read(text: &str, schema: &Value) -> (Option<Value>, Vec<String>) {
        let schema = Schema::from_value(schema).unwrap();
        let read = chain::repair_value(text, Some(&schema), "2026-11-30T09:00:00".parse().unwrap());
        (read.result.ok(), read.changes.into_iter().map(|c| c.kind).collect())
    }

    #[test]
    fn what_stands_in_a_strange_wrapper_or_in_a_text_is_read_and_told() {
        let person = json!({"type": "object", "properties": {"name": {"type": "string"},
            "people": {"type": "array", "items": {"type": "string"}}, "home": {"type": "object", "properties": {"a": {"type": "integer"}}}}});
        for (text, wanted, kind) in [
            ("{\"person\": {\"name\": \"Kim\"}}", json!({"name": "Kim"}), "wrapper_removed"),
            ("So: {person: {\"name\": \"Kim\"}}", json!({"name": "Kim"}), "wrapper_removed"),
            ("{\"people\": \"[\\\"Kim\\\",\\\"Lee\\\"]\"}", json!({"people": ["Kim", "Lee"]}), "string_unwrapped"),
            ("{\"home\": \"{\\\"a\\\": 1}\"}", json!({"home": {"a": 1}}), "string_unwrapped"),
        ] {
            let (value, kinds) = read(text, &person);
            assert_eq!(value, Some(wanted), "{text}");
            assert!(kinds.iter().any(|one| one == kind), "{text}: {kinds:?}");
        }
        assert_eq!(read("{\"people\": \"[1]\"}", &person).0, Some(json!({"people": ["[1]"]})));
        // Its own field, one without a field that is known, and one that the schema takes as it is.
        assert_eq!(read("{\"home\": {\"a\": 1}}", &person).0, Some(json!({"home": {"a": 1}})));
        assert_eq!(read("{\"x\": {\"y\": 1}}", &person).0, Some(json!({"x": {"y": 1}})));
        let named = json!({"type": "object", "properties": {"name": {"type": "string"}},
            "additionalProperties": {"type": "object", "properties": {"name": {"type": "string"}}}});
        assert_eq!(read("{\"k\": {\"name\": \"A\"}}", &named).0, Some(json!({"k": {"name": "A"}})));
        let list = json!({"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}});
        assert_eq!(read("{\"result\": [{\"name\": \"A\"}]}", &list).0, Some(json!([{"name": "A"}])));
        assert_eq!(read("{\"name\": \"A\"}", &list).0, Some(json!([{"name": "A"}])));
    }
}
