//! A call of a tool around its arguments, as models write one where they are asked for JSON: `{"name": "save", "arguments": {…}}`, with the
//! arguments as text in OpenAI's way, as `parameters` in Llama's, as `input` in Claude's. Next: `wrapper` for objects of one strange field.

use serde_json::{Map, Value};

use super::{Candidate, change, strict};
use crate::extract::attempt::Change;
use crate::extract::plain;
use crate::extract::schema::Schema;
use crate::extract::schema::node::{Kind, Node};
use crate::extract::validate::{self, Fit};

/// What a call's arguments are called.
const ARGUMENTS: [&str; 3] = ["arguments", "parameters", "input"];
/// What may stand beside a call's name and arguments.
const BESIDE: [&str; 4] = ["type", "id", "call_id", "index"];
/// What a message may have beside its calls, where it says nothing.
const OF_MESSAGE: [&str; 3] = ["role", "content", "refusal"];
const TYPES: [&str; 4] = ["function", "tool_use", "tool_call", "function_call"];

/// A call within a value.
struct Call<'v> {
    name: &'v str,
    arguments: &'v Value,
    /// Where the arguments stand, as a JSON Pointer.
    path: String,
}

/// Takes the arguments of such calls for the values, where the schema has no place for the whole, and says so.
pub fn unwrap(found: &mut [Candidate], schema: Option<&Schema>) {
    let Some(schema) = schema else { return };
    for candidate in found {
        if let Some((value, changes)) = arguments(candidate, schema) {
            (candidate.value, candidate.changes) = (value, changes);
        }
    }
}

/// The arguments of the one call that a value is, or of several where the schema asks for a list.
fn arguments(candidate: &Candidate, schema: &Schema) -> Option<(Value, Vec<Change>)> {
    let root = schema.root();
    let calls = calls(&candidate.value)?;
    let mut shapes = plain::shapes_of(root);
    shapes.extend(plain::items_of(root).into_iter().flat_map(plain::shapes_of));
    let has = |key: &str| shapes.iter().any(|shape| shape.called(key).is_some());
    let keys = ["function", "function_call", "tool_calls"];
    if keys.into_iter().chain(ARGUMENTS).any(has) {
        return None;
    }
    // A schema with room for any field takes the call as it is: whose fields it has tells.
    let meant = || !outer_keys(&candidate.value).any(has) && calls.iter().all(|call| has_any(call.arguments, has));
    if validate::fit(&candidate.value, schema) == Fit::Fits && !meant() {
        return None;
    }
    let listed = root.accepts(Kind::Array) && !root.accepts(Kind::Object);
    if calls.len() > 1 && !listed {
        return None;
    }
    let mut changes = Vec::new();
    let mut values = Vec::with_capacity(calls.len());
    for (at, call) in calls.iter().enumerate() {
        let place = if calls.len() > 1 { format!("/{at}") } else { String::new() };
        let (value, read) = object(call.arguments)?;
        changes.extend(read.into_iter().map(|c| Change { path: format!("{place}{}", c.path), ..c }));
        let inside = candidate.changes.iter().filter_map(|c| {
            let below = c.path.strip_prefix(&call.path).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
            Some(Change { path: format!("{place}{below}"), ..c.clone() })
        });
        changes.extend(inside);
        // The name may be the field's of which the arguments say nothing.
        let guessed = shapes.iter().any(|shape| is_name_field(&value, *shape));
        let told = change("tool_call_unwrapped", Value::from(call.name), Value::Null, guessed);
        changes.push(Change { path: place, ..told });
        values.push(Value::Object(value));
    }
    // What stands around the calls.
    changes.extend(candidate.changes.iter().filter(|c| c.path.is_empty()).cloned());
    let value = if calls.len() > 1 { Value::Array(values) } else { values.pop()? };
    Some((value, changes))
}

/// The keys around a call's arguments, at the top.
fn outer_keys(value: &Value) -> impl Iterator<Item = &str> {
    let items = std::slice::from_ref(value).iter().filter_map(Value::as_array).flatten();
    let each = items.chain(std::iter::once(value)).filter_map(Value::as_object);
    each.flat_map(|fields| fields.keys().map(String::as_str))
}

/// Whether some of the arguments are fields of the schema.
fn has_any(arguments: &Value, has: impl Fn(&str) -> bool) -> bool {
    object(arguments).is_some_and(|(fields, _)| fields.keys().any(|key| has(key)))
}

fn is_name_field(arguments: &Map<String, Value>, shape: Node<'_>) -> bool {
    let named = |key: &str| shape.called(key).map(|property| property.key);
    named("name").is_some_and(|name| !arguments.keys().any(|key| named(key) == Some(name)))
}

/// Arguments as the object that they are, or that is written into a text.
fn object(arguments: &Value) -> Option<(Map<String, Value>, Vec<Change>)> {
    let (value, changes) = match arguments {
        Value::String(text) => strict::value(text).ok()?,
        other => (other.clone(), Vec::new()),
    };
    match value {
        Value::Object(fields) => Some((fields, changes)),
        _ => None,
    }
}

/// The calls that a value is and nothing else: one, a list of some, a message with some.
fn calls(value: &Value) -> Option<Vec<Call<'_>>> {
    match value {
        Value::Array(items) => each(items, ""),
        Value::Object(fields) => match fields.get("tool_calls") {
            Some(Value::Array(items)) if says_no_more(fields, "tool_calls") => each(items, "/tool_calls"),
            _ => call(value, String::new()).map(|call| vec![call]),
        },
        _ => None,
    }
}

fn each<'v>(items: &'v [Value], before: &str) -> Option<Vec<Call<'v>>> {
    let calls = items.iter().enumerate().map(|(at, item)| call(item, format!("{before}/{at}")));
    calls.collect::<Option<Vec<_>>>().filter(|calls| !calls.is_empty())
}

/// Whether a message has nothing but this and what it must have.
fn says_no_more(fields: &Map<String, Value>, key: &str) -> bool {
    let silent = |value: &Value| value.is_null() || value == "";
    fields.iter().all(|(name, value)| {
        name == key || OF_MESSAGE.contains(&name.as_str()) && (name == "role" && value.is_string() || silent(value))
    })
}

fn call(value: &Value, path: String) -> Option<Call<'_>> {
    let fields = value.as_object()?;
    if let Some(call) = fields.get("function_call").filter(|_| says_no_more(fields, "function_call")) {
        return named(call.as_object()?, path + "/function_call");
    }
    match fields.get("function") {
        Some(Value::Object(function)) if has_only(fields, &["function"]) => named(function, path + "/function"),
        _ => named(fields, path),
    }
}

/// A function's name and its arguments, with nothing that says more.
fn named(fields: &Map<String, Value>, path: String) -> Option<Call<'_>> {
    let name = fields.get("name")?.as_str()?;
    let is_function = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b));
    let key = ARGUMENTS.into_iter().find(|key| fields.contains_key(*key))?;
    if !is_function || !has_only(fields, &["name", key]) {
        return None;
    }
    Some(Call { name, arguments: &fields[key], path: format!("{path}/{key}") })
}

/// Whether an object has no other fields than these and those that may stand beside.
fn has_only(fields: &Map<String, Value>, keys: &[&str]) -> bool {
    let is_known = |kind: &Value| kind.as_str().is_some_and(|kind| TYPES.contains(&kind));
    fields.keys().all(|key| keys.contains(&key.as_str()) || BESIDE.contains(&key.as_str()))
        && fields.get("type").is_none_or(is_known)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::extract::chain;

    fn read(text: &str, schema: &Value) -> (Option<Value>, Vec<(String, bool)>) {
        let schema = Schema::from_value(schema).unwrap();
        let read = chain::repair_value(text, Some(&schema), "2026-11-30T09:00:00".parse().unwrap());
        (read.result.ok(), read.changes.into_iter().map(|c| (c.kind, c.lossy)).collect())
    }

    fn expense() -> Value {
        json!({"type": "object", "required": ["title", "amount"], "additionalProperties": false,
            "properties": {"title": {"type": "string"}, "amount": {"type": "integer"}}})
    }

    #[test]
    fn the_arguments_of_a_call_are_the_value() {
        for text in [
            r#"<tool_call>{"name":"save_expense","arguments":{"title":"Lunch","amount":5}}</tool_call>"#,
            r#"{"name":"save_expense","arguments":"{\"title\":\"Lunch\",\"amount\":5}"}"#,
            r#"{"name":"save_expense","parameters":{"title":"Lunch","amount":5}}"#,
            r#"{"type":"tool_use","id":"toolu_1","name":"save_expense","input":{"title":"Lunch","amount":5}}"#,
            r#"{"type":"function","function":{"name":"save_expense","arguments":"{\"title\":\"Lunch\",\"amount\":5}"}}"#,
            r#"[{"name":"save_expense","arguments":{"title":"Lunch","amount":5}}]"#,
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"save_expense","arguments":"{\"title\":\"Lunch\",\"amount\":5}"}}]}"#,
            r#"{"function_call":{"name":"save_expense","arguments":{"title":"Lunch","amount":5}}}"#,
        ] {
            let (value, told) = read(text, &expense());
            assert_eq!(value, Some(json!({"title": "Lunch", "amount": 5})), "{text}");
            assert!(told.contains(&("tool_call_unwrapped".into(), false)), "{text}: {told:?}");
            assert!(told.iter().all(|(_, lossy)| !lossy), "{text}: {told:?}");
        }
    }

    #[test]
    fn changes_within_the_arguments_keep_their_places() {
        let schema = Schema::from_value(&expense()).unwrap();
        let text = r#"{'name':'save','arguments':{'title':'Lunch','amount':'5'}}"#;
        let read = chain::repair_value(text, Some(&schema), "2026-11-30T09:00:00".parse().unwrap());
        assert_eq!(read.result.ok(), Some(json!({"title": "Lunch", "amount": 5})));
        assert!(read.changes.iter().any(|c| (c.path.as_str(), c.kind.as_str()) == ("/title", "quotes_replaced")));
    }

    #[test]
    fn of_two_calls_one_is_a_guess_and_a_list_has_both() {
        let call = |title: &str| json!({"name": "save", "arguments": {"title": title, "amount": 5}});
        let two = format!("{}\n{}", call("a"), call("b"));
        let (value, told) = read(&two, &expense());
        assert!(value.is_none() || told.iter().any(|(_, lossy)| *lossy), "{value:?} {told:?}");
        assert_eq!(read(&json!([call("a"), call("b")]).to_string(), &expense()).0, None);
        let list = json!({"type": "array", "items": expense()});
        let both = json!([{"title": "a", "amount": 5}, {"title": "b", "amount": 5}]);
        assert_eq!(read(&json!([call("a"), call("b")]).to_string(), &list).0, Some(both.clone()));
        assert_eq!(read(&two, &list).0, Some(both));
    }

    #[test]
    fn what_the_schema_has_fields_for_is_no_call() {
        let own =
            json!({"type": "object", "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}}});
        let said = json!({"name": "f", "arguments": {"name": "x"}});
        assert_eq!(read(&said.to_string(), &own).0, Some(said.clone()));
        let open = json!({"type": "object", "properties": {"name": {"type": "string"}}});
        assert_eq!(read(&said.to_string(), &open).0, Some(said), "it fits as it is");
        let more = json!({"name": "f", "arguments": {"title": "a", "amount": 1}, "note": "b"});
        assert_eq!(read(&more.to_string(), &expense()).0, None);
        // Whose name it is shows only where the arguments have one.
        let person = json!({"type": "object", "additionalProperties": false,
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}});
        let (value, told) = read(r#"{"name": "John", "input": {"age": 25}}"#, &person);
        assert_eq!((value, told), (Some(json!({"age": 25})), vec![("tool_call_unwrapped".into(), true)]));
    }

    #[test]
    fn a_call_that_an_open_schema_would_take_is_one_where_its_arguments_alone_are_fields() {
        let open = json!({"type": "object", "properties": {"a": {"type": "number"}}});
        for text in [
            r#"{"name":"f","arguments":{"a":1}}"#,
            r#"{"type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}"#,
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#,
        ] {
            let (value, told) = read(text, &open);
            assert_eq!((value, told), (Some(json!({"a": 1})), vec![("tool_call_unwrapped".into(), false)]), "{text}");
        }
        let list = json!({"type": "array", "items": open});
        assert_eq!(read(r#"[{"name":"f","arguments":{"a":1}}]"#, &list).0, Some(json!([{"a": 1}])));
        for said in [json!({"name": "f", "arguments": {"b": 1}}), json!({"name": "f", "arguments": {}})] {
            assert_eq!(read(&said.to_string(), &open).0, Some(said.clone()), "{said}");
        }
        let typed = json!({"type": "object", "properties": {"a": {"type": "number"}, "type": {"type": "string"}}});
        let said = json!({"type": "function", "name": "f", "arguments": {"a": 1}});
        assert_eq!(read(&said.to_string(), &typed).0, Some(said));
    }
}
