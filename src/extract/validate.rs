//! A value held against the schema: what is wrong, where, in words that a person and a model understand. Nothing is changed here.
//! The validator is the `jsonschema` crate's, compiled once in `schema`.

mod union;

use std::io;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::attempt::Fault;
use super::coerce::times;
use super::schema::{Kind, Kinds, Node, Schema, names};
use crate::units::beginning;

/// The most faults that are told of one value.
pub const MOST_FAULTS: usize = 20;
/// What is found of a field that is not there.
pub(super) const NOTHING: &str = "nothing";
/// How deep a value may be nested; what is deeper is refused before anything walks it.
pub const MOST_DEPTH: usize = 512;
const MOST_EXCERPT: usize = 80;
/// How many alternatives may be tried for any value, and for each value in it; nested without an end they multiply.
const MOST_TRIES: u64 = 200_000;
const TRIES_PER_VALUE: u64 = 64;
/// Of a list in words.
const MOST_LISTED: usize = 12;

/// What is wrong with a value, at most [`MOST_FAULTS`]; empty where it fits.
pub fn validate(value: &Value, schema: &Schema) -> Vec<Fault> {
    faults(value, schema, fit(value, schema))
}

/// Whether a value fits, before it is told what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Fits,
    Unfit,
    TooDeep,
    /// There are too many ways to try.
    Untold,
}

pub(super) fn fit(value: &Value, schema: &Schema) -> Fit {
    if !is_shallow(value, MOST_DEPTH) {
        return Fit::TooDeep;
    }
    let size = u64::try_from(size(value)).unwrap_or(u64::MAX);
    match schema.is_valid(value, MOST_TRIES.saturating_add(TRIES_PER_VALUE.saturating_mul(size))) {
        Some(true) => Fit::Fits,
        Some(false) => Fit::Unfit,
        None => Fit::Untold,
    }
}

/// What is wrong with a value of which it is known whether it fits.
pub(super) fn faults(value: &Value, schema: &Schema, fit: Fit) -> Vec<Fault> {
    let whole = |expected: String, found: &str| {
        vec![Fault { path: String::new(), expected, found: found.into(), excerpt: excerpt(value), offset: None }]
    };
    match fit {
        Fit::Fits => return Vec::new(),
        Fit::TooDeep => return whole(format!("at most {MOST_DEPTH} levels of nesting"), "more"),
        Fit::Untold => return whole("alternatives that can be told apart".into(), "too deeply nested alternatives"),
        Fit::Unfit => {}
    }
    // The validator tells of all alternatives of alternatives, which multiply; where they are many, the nodes are followed instead.
    if !union::are_few(value, schema) {
        return union::faults(value, schema);
    }
    let mut faults = Vec::new();
    for error in schema.validator().iter_errors(value) {
        tell(&error, schema, &mut faults, 0);
        if faults.len() >= MOST_FAULTS {
            break;
        }
    }
    faults
}

fn tell(error: &ValidationError<'_>, schema: &Schema, faults: &mut Vec<Fault>, depth: usize) {
    // Of several ways that all fail, the one that the value was meant for, where that can be seen, tells more than "none of them".
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } = error.kind()
        && depth < 8
    {
        match union::meant(error, context, schema.document()) {
            union::Meant::One(meant) => {
                for inner in meant.iter().take(MOST_FAULTS) {
                    tell(inner, schema, faults, depth + 1);
                }
                return;
            }
            union::Meant::Named(fault) => {
                if faults.len() < MOST_FAULTS && !faults.contains(&fault) {
                    faults.push(fault);
                }
                return;
            }
            union::Meant::Unknown => {}
        }
    }
    if faults.len() >= MOST_FAULTS {
        return;
    }
    let (mut expected, mut found) = told(error);
    let mut path = error.instance_path().as_str().to_string();
    if let ValidationErrorKind::Required { property } = error.kind() {
        let key = property.as_str().unwrap_or_default();
        path = names::join(&path, key);
        let at = error.schema_path().as_str();
        let beside = at.strip_suffix("/required").map(|object| names::join(&format!("{object}/properties"), key));
        let described =
            beside.and_then(|at| union::part(schema.document(), &at)).map(|s| described(s, schema.document(), 0));
        expected = described.flatten().unwrap_or_else(|| "a value".into());
        found = NOTHING.into();
    }
    // Seconds are taken for a duration: it is not the number that is wrong.
    if let (ValidationErrorKind::Type { .. }, Value::Number(seconds)) = (error.kind(), error.instance().as_ref())
        && let Some(at) = error.schema_path().as_str().strip_suffix("/type")
        && schema.document().pointer(at).and_then(|s| s.get("format")) == Some(&"duration".into())
        && times::number("duration", seconds).is_none()
    {
        expected = format_in_words("duration").to_string();
        found.push_str(", which is too long for a duration in seconds");
    }
    let excerpt = excerpt(error.instance());
    let fault = Fault { path, expected, found, excerpt, offset: None };
    if !faults.contains(&fault) {
        faults.push(fault);
    }
}

/// What an error of the validator's expected and found.
pub(super) fn told(error: &ValidationError<'_>) -> (String, String) {
    use ValidationErrorKind as E;
    let instance = error.instance().as_ref();
    let mut found = in_words(instance);
    let count = |what: &str, value: &Value| match value {
        Value::Array(items) => format!("{} {what}", items.len()),
        Value::Object(fields) => format!("{} {what}", fields.len()),
        Value::String(text) => format!("{} {what}", text.chars().count()),
        _ => in_words(value),
    };
    let expected = match error.kind() {
        E::Type { kind } => match kind {
            TypeKind::Single(one) => kind_in_words(&one.to_string()).to_string(),
            TypeKind::Multiple(several) => {
                let kinds: Vec<String> =
                    several.iter().map(|one| kind_in_words(&one.to_string()).to_string()).collect();
                either(&kinds)
            }
        },
        E::Enum { options } => one_of(options.as_array().into_iter().flatten()),
        E::Constant { expected_value } => in_words(expected_value),
        E::Format { format } => format_in_words(format).to_string(),
        E::Required { property } => format!("the field {property}"),
        E::AdditionalProperties { unexpected } | E::UnevaluatedProperties { unexpected } => {
            found =
                format!("the fields {}", listed(unexpected.iter().map(|name| Value::from(name.as_str()).to_string())));
            "no fields but those of the schema".into()
        }
        E::AdditionalItems { limit } => {
            found = count("items", instance);
            format!("at most {limit} items")
        }
        E::UnevaluatedItems { .. } => "no items but those of the schema".into(),
        E::MinItems { limit } | E::MinProperties { limit } | E::MinLength { limit } => {
            let what = what_is_counted(instance);
            found = count(what, instance);
            format!("at least {limit} {what}")
        }
        E::MaxItems { limit } | E::MaxProperties { limit } | E::MaxLength { limit } => {
            let what = what_is_counted(instance);
            found = count(what, instance);
            format!("at most {limit} {what}")
        }
        E::Minimum { limit } => format!("at least {limit}"),
        E::Maximum { limit } => format!("at most {limit}"),
        E::ExclusiveMinimum { limit } => format!("more than {limit}"),
        E::ExclusiveMaximum { limit } => format!("less than {limit}"),
        E::MultipleOf { multiple_of } => format!("a multiple of {multiple_of}"),
        E::Pattern { pattern } => format!("text that matches {pattern}"),
        E::UniqueItems => "items that differ from each other".into(),
        E::Contains => "an item of the kind that the schema's `contains` asks for".into(),
        E::FalseSchema => "nothing here".into(),
        E::Not { .. } => "no value of the kind that the schema's `not` names".into(),
        E::OneOfMultipleValid { .. } => "a value that fits one of the alternatives alone".into(),
        E::AnyOf { context } | E::OneOfNotValid { context } => {
            let mut ways = Vec::new();
            union::ways(error.instance_path().as_str(), context, &mut ways, 0);
            either(&ways)
        }
        E::PropertyNames { error } => {
            let (expected, name) = told(error);
            found = format!("the field name {name}");
            format!("field names that are {expected}")
        }
        _ => beginning(&error.to_string(), 200).to_string(),
    };
    (expected, found)
}

fn what_is_counted(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "items",
        Value::Object(_) => "fields",
        _ => "characters",
    }
}

/// A value in words: `an integer, 42`, `the text "abc"`, `a list of 3 items`.
pub fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(is) => is.to_string(),
        Value::Number(n) => format!("the number {n}"),
        Value::String(text) if text.is_empty() => "empty text".into(),
        Value::String(text) => {
            let short = beginning(text, MOST_EXCERPT / 2);
            let more = if short.len() < text.len() { "…" } else { "" };
            format!("the text {}{more}", Value::from(short))
        }
        Value::Array(items) if items.is_empty() => "an empty list".into(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) if fields.is_empty() => "an object without fields".into(),
        Value::Object(fields) => format!(
            "an object with the fields {}",
            listed(fields.keys().map(|k| Value::from(beginning(k, 40)).to_string()))
        ),
    }
}

/// What a node asks for: `an integer`, `a date such as 2026-11-05`, `one of "new", "used"`.
pub fn wanted(node: Node<'_>) -> String {
    if let Some(choices) = node.choices() {
        return one_of(choices.iter().map(|c| &c.value));
    }
    if node.branches().len() > 0 {
        let ways: Vec<String> = node.branches().take(MOST_LISTED).map(|b| wanted_flat(b)).collect();
        return either(&ways);
    }
    wanted_flat(node)
}

fn wanted_flat(node: Node<'_>) -> String {
    if let Some(choices) = node.choices() {
        return one_of(choices.iter().map(|c| &c.value));
    }
    if node.kinds() == Kinds::ANY {
        return "a value".into();
    }
    let number = node.accepts(Kind::Number);
    let kinds = node.kinds().iter().filter(|kind| !(number && *kind == Kind::Integer));
    let words: Vec<String> = kinds
        .map(|kind| match node.format() {
            Some(format) if kind == Kind::String => format_in_words(format).to_string(),
            _ => kind_in_words(kind.name()).to_string(),
        })
        .collect();
    either(&words)
}

/// What a part of the document asks for, its reference followed once; of several ways what each does.
fn described(schema: &Value, document: &Value, depth: usize) -> Option<String> {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| document.pointer(r.strip_prefix('#')?));
    let schema = target.unwrap_or(schema);
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        return Some(one_of(choices.iter()));
    }
    if let Some(only) = schema.get("const") {
        return Some(one_of(std::iter::once(only)));
    }
    let ways = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
    if let Some(ways) = ways.filter(|_| depth < 8) {
        let ways = ways.iter().take(MOST_LISTED).map(|way| described(way, document, depth + 1));
        return ways.collect::<Option<Vec<String>>>().map(|ways| either(&ways));
    }
    if let Some(format) =
        schema.get("format").and_then(Value::as_str).filter(|_| schema.get("type") == Some(&"string".into()))
    {
        return Some(format_in_words(format).to_string());
    }
    Some(match schema.get("type")? {
        Value::String(name) => kind_in_words(name).to_string(),
        Value::Array(names) => {
            either(&names.iter().filter_map(Value::as_str).map(|n| kind_in_words(n).to_string()).collect::<Vec<_>>())
        }
        _ => return None,
    })
}

fn kind_in_words(name: &str) -> &str {
    match name {
        "boolean" => "true or false",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}

fn format_in_words(format: &str) -> &str {
    match format {
        "date" => "a date such as 2026-11-05",
        "date-time" => "a date and time such as 2026-11-05T14:00:00",
        "time" => "a time such as 14:00:00",
        "duration" => "a duration such as P1DT2H or PT30M",
        "uuid" => "a UUID such as 6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "email" | "idn-email" => "an email address",
        "uri" | "iri" => "a web address such as https://example.com/",
        "ipv4" => "an IPv4 address",
        "ipv6" => "an IPv6 address",
        "hostname" | "idn-hostname" => "a host's name",
        other => other,
    }
}

/// Whether a fault is that a text is no day, so that its reader may know why.
pub(super) fn asks_for_a_day(fault: &Fault) -> bool {
    ["date", "date-time"].into_iter().any(|format| fault.expected.contains(format_in_words(format)))
}

fn one_of<'v>(choices: impl Iterator<Item = &'v Value>) -> String {
    let words: Vec<String> = choices.map(excerpt).collect();
    match words.as_slice() {
        [one] => one.clone(),
        several => format!("one of {}", listed(several.iter().cloned())),
    }
}

/// `a, b or c`, each once.
fn either(ways: &[String]) -> String {
    let mut distinct: Vec<&str> = Vec::new();
    for way in ways {
        if !distinct.contains(&way.as_str()) && distinct.len() < MOST_LISTED {
            distinct.push(way);
        }
    }
    match distinct.split_last() {
        None => "a value".into(),
        Some((last, [])) => last.to_string(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

fn listed(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.take(MOST_LISTED + 1).collect();
    if words.len() > MOST_LISTED {
        words[MOST_LISTED] = "…".into();
    }
    words.join(", ")
}

/// A value as it is where it is short, else its beginning as text: one that many changes tell would be copied with each.
pub fn brief(value: &Value) -> Value {
    const SHORT: usize = 1_024;
    if written(value, SHORT).1 { value.clone() } else { excerpt(value).into() }
}

/// The beginning of a value as JSON, at most so many bytes, and whether that is all of it.
fn written(value: &Value, most: usize) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let whole = write(value, most, &mut bytes).is_ok() && bytes.len() <= most;
    bytes.truncate(most);
    (bytes, whole)
}

/// Writes a value as JSON until there are more than so many bytes. The crate's own writer looks through a long text to its end before it
/// writes any of it.
fn write(value: &Value, most: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    let text = |text: &str, bytes: &mut Vec<u8>| {
        // A few more, so that a text that was cut has its end beyond the most.
        serde_json::to_writer(bytes, beginning(text, most + 4)).map_err(io::Error::from)
    };
    match value {
        _ if bytes.len() > most => return Err(io::ErrorKind::WriteZero.into()),
        Value::String(said) => text(said, bytes)?,
        Value::Array(items) => {
            bytes.push(b'[');
            for (at, item) in items.iter().enumerate() {
                bytes.extend((at > 0).then_some(b','));
                write(item, most, bytes)?;
            }
            bytes.push(b']');
        }
        Value::Object(fields) => {
            bytes.push(b'{');
            for (at, (key, value)) in fields.iter().enumerate() {
                bytes.extend((at > 0).then_some(b','));
                text(key, bytes)?;
                bytes.push(b':');
                write(value, most, bytes)?;
            }
            bytes.push(b'}');
        }
        scalar => serde_json::to_writer(bytes, scalar).map_err(io::Error::from)?,
    }
    Ok(())
}

/// The beginning of a value as JSON, at most 80 characters, however large the value is.
pub fn excerpt(value: &Value) -> String {
    let (written, whole) = written(value, 4 * MOST_EXCERPT + 4);
    let text = String::from_utf8_lossy(&written);
    if whole && text.chars().count() <= MOST_EXCERPT {
        return text.into_owned();
    }
    text.chars().take(MOST_EXCERPT - 1).chain(['…']).collect()
}

/// How many values a value is made of.
pub fn size(value: &Value) -> usize {
    let (mut open, mut size) = (vec![value], 0);
    while let Some(value) = open.pop() {
        size += 1;
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    size
}

/// Whether a value is nested at most so deep; the walk itself takes no stack.
pub fn is_shallow(value: &Value, most: usize) -> bool {
    let mut open = vec![(value, 0)];
    while let Some((value, depth)) = open.pop() {
        if depth > most {
            return false;
        }
        match value {
            Value::Array(items) => {
                open.extend(items.iter().filter(|v| v.is_array() || v.is_object()).map(|v| (v, depth + 1)))
            }
            Value::Object(fields) => {
                open.extend(fields.values().filter(|v| v.is_array() || v.is_object()).map(|v| (v, depth + 1)));
            }
            _ => {}
        }
    }
    true
}
