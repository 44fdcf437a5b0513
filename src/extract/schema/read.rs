//! A schema's text held against the form that its keywords have, and the places in it that are schemas themselves.
//! What the places mean is `build`'s.

use std::collections::HashMap;

use jsonschema::{Draft, ValidationError};
use serde_json::{Map, Value};

use super::SchemaError;
use crate::extract::validate;

/// All places of a document that are schemas, the root first.
pub(super) struct Positions<'d> {
    pub at: Vec<Position<'d>>,
    /// By the address of the schema in the document.
    ids: HashMap<usize, usize>,
}

pub(super) struct Position<'d> {
    pub pointer: String,
    pub schema: &'d Value,
    /// Where its `$ref` leads.
    pub reference: Option<usize>,
}

impl Positions<'_> {
    /// The place of a schema that is part of the document.
    pub fn id(&self, schema: &Value) -> Option<usize> {
        self.ids.get(&address(schema)).copied()
    }
}

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}

/// What a keyword's value holds.
enum Holds {
    Schema,
    List,
    Map,
    /// A schema, or in older drafts a list of them.
    SchemaOrList,
    /// Schemas or lists of names, by name.
    Dependencies,
}

fn holds(keyword: &str) -> Option<Holds> {
    Some(match keyword {
        "additionalProperties"
        | "not"
        | "if"
        | "then"
        | "else"
        | "contains"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "contentSchema"
        | "additionalItems" => Holds::Schema,
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Holds::List,
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => Holds::Map,
        "items" => Holds::SchemaOrList,
        "dependencies" => Holds::Dependencies,
        _ => return None,
    })
}

/// The draft that a schema names, or whose forms it uses.
pub(super) fn draft(document: &Value) -> Result<Draft, SchemaError> {
    let Some(named) = document.get("$schema") else {
        let older = document.get("definitions").is_some() && document.get("$defs").is_none();
        return Ok(match oldest_form(document) {
            Some(draft) => draft,
            None if older => Draft::Draft7,
            None => Draft::Draft202012,
        });
    };
    let drafts = [
        ("draft-04", Draft::Draft4),
        ("draft-06", Draft::Draft6),
        ("draft-07", Draft::Draft7),
        ("2019-09", Draft::Draft201909),
        ("2020-12", Draft::Draft202012),
    ];
    let known = named.as_str().and_then(|uri| drafts.into_iter().find(|(name, _)| uri.contains(name)));
    known.map(|(_, draft)| draft).ok_or_else(|| SchemaError::Keyword {
        pointer: "/$schema".into(),
        expected: "one of JSON Schema's drafts, such as \"https://json-schema.org/draft/2020-12/schema\"".into(),
        found: validate::in_words(named),
    })
}

/// A list under `items` is draft 7's or older, a boolean `exclusiveMinimum` draft 4's.
fn oldest_form(schema: &Value) -> Option<Draft> {
    let mut found = None;
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                if ["exclusiveMinimum", "exclusiveMaximum"]
                    .iter()
                    .any(|k| fields.get(*k).is_some_and(Value::is_boolean))
                {
                    return Some(Draft::Draft4);
                }
                if fields.get("items").is_some_and(Value::is_array) {
                    found = Some(Draft::Draft7);
                }
                open.extend(fields.iter().filter(|(k, _)| !is_data(k)).map(|(_, v)| v));
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

fn is_data(keyword: &str) -> bool {
    ["default", "const", "enum", "examples", "example"].contains(&keyword)
}

/// OpenAPI's `nullable: true`, which JSON Schema does not know, written out as a type.
pub(super) fn nullable(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    for (keyword, value) in fields.iter_mut() {
        match (holds(keyword), value) {
            (Some(Holds::Schema | Holds::SchemaOrList), value @ Value::Object(_)) => nullable(value),
            (Some(Holds::List | Holds::SchemaOrList), Value::Array(members)) => members.iter_mut().for_each(nullable),
            (Some(Holds::Map | Holds::Dependencies), Value::Object(members)) => members.values_mut().for_each(nullable),
            _ => {}
        }
    }
    if fields.get("nullable") != Some(&Value::Bool(true)) {
        return;
    }
    let null = Value::from("null");
    let refers = ["$ref", "anyOf", "oneOf", "allOf"].iter().any(|k| fields.contains_key(*k));
    match fields.get_mut("type") {
        Some(Value::Array(types)) if !types.contains(&null) => types.push(null),
        Some(one @ Value::String(_)) if *one != null => *one = Value::Array(vec![one.take(), null]),
        Some(_) => {}
        // Wrapped as it is: what it refers to says nothing of null.
        None if refers => {
            fields.remove("nullable");
            let wrapped = Value::Object(std::mem::take(fields));
            let said: Vec<(String, Value)> = ["title", "description", "default"]
                .iter()
                .filter_map(|k| Some((k.to_string(), wrapped.get(*k)?.clone())))
                .collect();
            let either = Value::Array(vec![wrapped, Value::Object(Map::from_iter([("type".to_string(), null)]))]);
            fields.insert("anyOf".into(), either);
            fields.extend(said);
            return;
        }
        None => {}
    }
    if let Some(Value::Array(choices)) = fields.get_mut("enum")
        && !choices.contains(&Value::Null)
    {
        choices.push(Value::Null);
    }
}

/// Finds all schemas of a document and checks the keywords that the nodes are made of.
/// # Errors
/// The first keyword of the wrong form, the first reference that leads outside or to nothing.
pub(super) fn positions(document: &Value) -> Result<Positions<'_>, SchemaError> {
    let mut found = Positions { at: Vec::new(), ids: HashMap::new() };
    walk(document, String::new(), &mut found)?;
    let mut next = 0;
    while next < found.at.len() {
        let (schema, pointer) = (found.at[next].schema, &found.at[next].pointer);
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let (target, at) = follow(document, reference, pointer)?;
            // A reference may also lead where no keyword does, such as `#/components/schemas/Pet`.
            if found.id(target).is_none() {
                walk(target, at, &mut found)?;
            }
            found.at[next].reference = found.id(target);
        }
        next += 1;
    }
    Ok(found)
}

fn follow<'d>(document: &'d Value, reference: &str, pointer: &str) -> Result<(&'d Value, String), SchemaError> {
    let (pointer, reference) = (format!("{pointer}/$ref"), reference.to_string());
    let own =
        document.get("$id").or_else(|| document.get("id")).and_then(Value::as_str).map(|id| id.trim_end_matches('#'));
    let fragment = match reference.split_once('#') {
        Some((base, fragment)) if base.is_empty() || Some(base) == own => fragment,
        None if Some(reference.as_str()) == own => "",
        _ => return Err(SchemaError::Remote { pointer, reference }),
    };
    let at = percent_decoded(fragment);
    let target = if at.is_empty() || at.starts_with('/') {
        document.pointer(&at).map(|t| (t, at))
    } else {
        anchor(document, &at)
    };
    target.ok_or(SchemaError::Missing { pointer, reference })
}

/// The schema with this `$anchor`.
fn anchor<'d>(document: &'d Value, name: &str) -> Option<(&'d Value, String)> {
    let mut open = vec![(document, String::new())];
    while let Some((value, pointer)) = open.pop() {
        if value.get("$anchor").and_then(Value::as_str) == Some(name) {
            return Some((value, pointer));
        }
        match value {
            Value::Object(fields) => {
                open.extend(
                    fields.iter().filter(|(k, _)| !is_data(k)).map(|(k, v)| (v, super::names::join(&pointer, k))),
                );
            }
            Value::Array(items) => open.extend(items.iter().enumerate().map(|(i, v)| (v, format!("{pointer}/{i}")))),
            _ => {}
        }
    }
    None
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |at: usize| tail.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Depth is bounded by the document's own, which was checked.
fn walk<'d>(schema: &'d Value, pointer: String, found: &mut Positions<'d>) -> Result<(), SchemaError> {
    if found.id(schema).is_some() {
        return Ok(());
    }
    found.ids.insert(address(schema), found.at.len());
    found.at.push(Position { pointer: pointer.clone(), schema, reference: None });
    let fields = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(fields) => fields,
        other => return Err(wrong(&pointer, "a schema, an object or a boolean", other)),
    };
    checked(fields, &pointer)?;
    for (keyword, value) in fields {
        let Some(holds) = holds(keyword) else { continue };
        let at = super::names::join(&pointer, keyword);
        match (holds, value) {
            (Holds::Schema, value) => walk(value, at, found)?,
            (Holds::SchemaOrList, value @ (Value::Object(_) | Value::Bool(_))) => walk(value, at, found)?,
            (Holds::List | Holds::SchemaOrList, Value::Array(members)) => {
                for (i, member) in members.iter().enumerate() {
                    walk(member, format!("{at}/{i}"), found)?;
                }
            }
            (Holds::Map, Value::Object(members)) => {
                for (name, member) in members {
                    walk(member, super::names::join(&at, name), found)?;
                }
            }
            (Holds::Dependencies, Value::Object(members)) => {
                for (name, member) in members.iter().filter(|(_, m)| !m.is_array()) {
                    walk(member, super::names::join(&at, name), found)?;
                }
            }
            (Holds::List, value) => return Err(wrong(&at, "a list of schemas", value)),
            (Holds::SchemaOrList, value) => return Err(wrong(&at, "a schema", value)),
            (Holds::Map | Holds::Dependencies, value) => {
                return Err(wrong(&at, "an object with a schema for each name", value));
            }
        }
    }
    Ok(())
}

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

fn checked(fields: &Map<String, Value>, pointer: &str) -> Result<(), SchemaError> {
    for (keyword, value) in fields {
        let at = || super::names::join(pointer, keyword);
        match (keyword.as_str(), value) {
            ("type", Value::String(_)) => known_type(value, &at())?,
            ("type", Value::Array(types)) if !types.is_empty() => {
                for (i, one) in types.iter().enumerate() {
                    known_type(one, &format!("{}/{i}", at()))?;
                }
            }
            ("type", other) => return Err(wrong(&at(), "a type's name, or a list of them", other)),
            ("required", Value::Array(names)) if names.iter().all(Value::is_string) => {}
            ("required", other) => return Err(wrong(&at(), "a list of property names", other)),
            ("enum", Value::Array(choices)) if !choices.is_empty() => {}
            ("enum", other) => return Err(wrong(&at(), "a list of values, at least one", other)),
            ("$ref" | "format" | "title" | "description" | "pattern", Value::String(_)) => {}
            ("$ref" | "format" | "title" | "description" | "pattern", other) => {
                return Err(wrong(&at(), "text", other));
            }
            ("$dynamicRef" | "$recursiveRef", Value::String(reference)) => {
                let expected = "a plain $ref; references that depend on where they are reached from are not followed";
                return Err(wrong(&at(), expected, &Value::from(reference.as_str())));
            }
            ("$id", Value::String(id)) if !pointer.is_empty() && !id.starts_with('#') => {
                return Err(wrong(&at(), "no $id inside a schema, which would move what $ref means", value));
            }
            _ => {}
        }
    }
    Ok(())
}

fn known_type(named: &Value, pointer: &str) -> Result<(), SchemaError> {
    let name = named.as_str().unwrap_or_default();
    if TYPES.contains(&name) {
        return Ok(());
    }
    let nearest = TYPES.iter().map(|t| (strsim::damerau_levenshtein(t, &name.to_lowercase()), t)).min();
    let shortened = [
        ("str", "string"),
        ("int", "integer"),
        ("float", "number"),
        ("bool", "boolean"),
        ("list", "array"),
        ("dict", "object"),
    ];
    let meant = shortened.iter().find(|(short, _)| *short == name.to_lowercase()).map(|(_, meant)| *meant);
    let meant = meant.or(nearest.filter(|(distance, _)| *distance <= 2).map(|(_, t)| *t));
    let hint = meant.map(|t| format!(" (did you mean \"{t}\"?)")).unwrap_or_default();
    Err(wrong(pointer, &format!("one of {}{hint}", TYPES.join(", ")), named))
}

fn wrong(pointer: &str, expected: &str, found: &Value) -> SchemaError {
    SchemaError::Keyword { pointer: pointer.into(), expected: expected.into(), found: validate::in_words(found) }
}

/// What the validator's own look at the schema found.
pub(super) fn refused(error: &ValidationError<'_>) -> SchemaError {
    let (expected, found) = validate::told(error);
    SchemaError::Keyword { pointer: error.instance_path().as_str().to_string(), expected, found }
}
