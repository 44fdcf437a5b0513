//! A field's name before its value alone: `tags: ["a", "b"]`, a fenced list under `items:`. Next: `super` for what stands around values.

use serde_json::{Map, Value};

use super::{Candidate, change, segments};
use crate::extract::attempt::Change;
use crate::extract::plain;
use crate::extract::schema::Schema;
use crate::extract::schema::names;
use crate::extract::schema::node::{Kind, Node, Rest};

/// The object that a list or an object is with the name above it, where the name is that of a field which takes it.
pub fn read(text: &str, candidate: &Candidate, schema: &Schema) -> Option<Candidate> {
    let start = line_before(text, candidate.span.start);
    let line = text[start..candidate.span.start].lines().next()?;
    let name = plain::label(line)?;
    let shapes = plain::shapes_of(schema.root());
    let property = shapes.iter().find_map(|shape| shape.called(name))?;
    let is_one_itself = match &candidate.value {
        Value::Object(fields) => shapes.iter().any(|shape| may_be(fields, *shape)),
        other => schema.root().accepts(Kind::of(other)),
    };
    if is_one_itself || !takes(property.node, &candidate.value) {
        return None;
    }
    let path = names::join("", property.key);
    let mut changes =
        vec![Change { path: path.clone(), ..change("field_labelled", Value::from(line.trim()), Value::Null, false) }];
    changes.extend(candidate.changes.iter().cloned().map(|c| Change { path: format!("{path}{}", c.path), ..c }));
    let value = Map::from_iter([(property.key.to_owned(), candidate.value.clone())]);
    Some(Candidate { value: value.into(), span: start..candidate.span.end, changes })
}

/// Whether an object has a field of the whole, or all that the whole must have and nothing that it may not.
fn may_be(fields: &Map<String, Value>, shape: Node<'_>) -> bool {
    let open = || !fields.keys().any(|key| matches!(shape.field(key), Rest::Forbidden));
    fields.keys().any(|key| shape.called(key).is_some()) || shape.required().is_empty() && open()
}

/// Where the line begins that stands before this place, a fence's left aside.
fn line_before(text: &str, at: usize) -> usize {
    let begin = |end: usize| {
        let end = text[..end].trim_end_matches(segments::blank).len();
        text[..end].rfind('\n').map_or(0, |at| at + 1)
    };
    let start = begin(at);
    if text[start..].trim_start().starts_with(['`', '~']) { begin(start) } else { start }
}

/// Whether a field may hold a list, or an object of which it knows all fields; a list one such item, too.
fn takes(node: Node<'_>, value: &Value) -> bool {
    match value {
        Value::Array(_) => node.accepts(Kind::Array),
        Value::Object(fields) => {
            let of_item = plain::items_of(node).filter(|_| !node.accepts(Kind::Object));
            let place = of_item.unwrap_or(node);
            let shapes = plain::shapes_of(place);
            let known = |shape: &Node| fields.keys().all(|key| shape.called(key).is_some());
            place.accepts(Kind::Object) && (shapes.is_empty() || shapes.iter().any(known))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::extract::chain;

    fn read(text: &str, schema: &Value) -> (Option<Value>, bool) {
        let schema = Schema::from_value(schema).unwrap();
        let read = chain::repair_value(text, Some(&schema), "2026-11-30T09:00:00".parse().unwrap());
        (read.result.ok(), read.changes.iter().any(|c| c.lossy))
    }

    #[test]
    fn a_fields_name_above_its_value_is_no_loss() {
        let item = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
        let schema =
            json!({"type": "object", "properties": {"items": {"type": "array", "items": item}}, "required": ["items"]});
        let two = json!({"items": [{"name": "a"}, {"name": "b"}]});
        for text in [
            "items: [{\"name\": \"a\"}, {\"name\": \"b\"}]",
            "items:\n[{\"name\": \"a\"}, {\"name\": \"b\"}]",
            "Sure!\n\n**Items:**\n```json\n[{\"name\": \"a\"}, {\"name\": \"b\"}]\n```\nHope this helps!",
            "items: [{'name': 'a'}, {'name': 'b'},]",
        ] {
            assert_eq!(read(text, &schema), (Some(two.clone()), false), "{text}");
        }
        assert_eq!(
            read("items:\n```json\n{\"name\": \"a\"}\n```", &schema),
            (Some(json!({"items": [{"name": "a"}]})), false)
        );
        // Another name, more that is said of a field, and a value that the field does not take.
        assert!(read("items: [{\"name\": \"a\"}]\nname: b", &schema).1);
        assert!(read("items: [{\"name\": \"a\"}] and {\"name\": \"b\"}", &schema).1);
        assert_eq!(read("items:\n{\"price\": 1}", &schema).0, None);
        let schema = json!({"type": "object", "properties": {"home": {"type": "object", "properties": {"a": {"type": "integer"}}},
            "name": {"type": "string"}}, "required": ["home"]});
        // One that the whole may be as well is not taken for its field in silence.
        let open = json!({"type": "object", "properties": {"home": {"type": "object"}}});
        assert!(read("home:\n{\"a\": 1}", &open).1);
        assert_eq!(read("home:\n{\"a\": 1}", &schema), (Some(json!({"home": {"a": 1}})), false));
        assert_eq!(read("name: Al\nhome: {\"a\": 1}", &schema).0, Some(json!({"name": "Al", "home": {"a": 1}})));
        assert_eq!(read("home: {\"a\": 1}\nname: Al", &schema).0, Some(json!({"name": "Al", "home": {"a": 1}})));
    }
}
