//! What stands in the lines right below a field's name, where nothing stands behind it: the field's value without marks and braces.
//! Marked lists and objects are `block`'s.

use serde_json::Value;

use super::block::{Inner, shapes, takes_words, value_of};
use super::field::{Field, Line, fields, items, last_two, list, scalar, uncommented, unmarked};
use super::remarks::is_courteous;
use super::{is_sentence, takes};
use crate::extract::normalise::marks;
use crate::extract::parse::change;
use crate::extract::schema::node::{Kind, Node};

/// What stands in the lines right below a name that has nothing behind it, or a list that ends with a comma there: lines that are not set
/// in, and say nothing of another field.
pub(super) fn follows(
    text: &str,
    lines: &[Line],
    at: usize,
    raw: &str,
    node: Node<'_>,
    field: &Field,
) -> Option<Inner> {
    let place = field.property.node;
    let item = items(place).filter(|item| item.accepts(Kind::String) || shapes(*item).is_empty());
    let unended = raw.ends_with([',', '、', '，']) && item.is_some() && !raw.starts_with('[');
    if !(raw.is_empty() || unended) || item.is_none() && !takes_scalar(place) {
        return None;
    }
    let mut said: Vec<&str> = Vec::new();
    let gap = lines[at + 1..].iter().take_while(|line| raw.is_empty() && line.body.is_empty()).count();
    for line in &lines[at + 1 + gap..] {
        let body = text[line.body.clone()].trim();
        if unended && said.last().is_some_and(|line| !line.ends_with([',', '、', '，']))
            || line.marked
            || line.comment
            || line.column < lines[at].indent
            || is_apart(body)
            || !fields(text, &line.body, node).is_empty()
        {
            break;
        }
        said.push(body);
    }
    let used = vec![true; gap + said.len()];
    let (first, more) = said.split_first()?;
    let mut changes = Vec::new();
    let value = if let Some(item) = item {
        if said.iter().any(|line| is_sentence(line)) {
            return None;
        }
        let before = if unended { list(raw, item) } else { Vec::new() };
        let parted = unended || more.is_empty() || said.iter().any(|line| line.ends_with([',', '、', '，']));
        let below = said.iter().flat_map(|line| if parted { list(line, item) } else { vec![scalar(line, item)] });
        let values: Vec<Value> = before.into_iter().chain(below).collect();
        // Whether lines that are set in or stand apart are items shows in each of them.
        let apart = gap > 0 || lines[at + 1].column > lines[at].column;
        if apart && !values.iter().all(|value| may_be(value, item)) {
            return None;
        }
        let value = Value::Array(values);
        if takes_words(place) && said.iter().any(|line| last_two(line).is_some()) {
            changes.push(change("list_read", Value::from(said), value.clone(), true));
        }
        value
    } else if more.is_empty() {
        let value = value_of(uncommented(unmarked(first)).0, place).filter(|value| {
            if place.accepts(Kind::String) { true } else { !is_sentence(first) && (gap == 0 || may_be(value, place)) }
        })?;
        // Behind an empty line a sentence may be the model's own.
        if gap > 0 && is_sentence(first) {
            changes.push(change("lines_joined", Value::from(*first), value.clone(), true));
        }
        value
    } else if place.accepts(Kind::String) {
        // Where the text of the field ends is a guess.
        let joined = Value::from(said.join(" "));
        changes.push(change("lines_joined", Value::from(said), joined.clone(), true));
        joined
    } else {
        return None;
    };
    Some(Inner { value: Some(value), changes, used })
}

/// Whether a value is of the place's kind, or a text that a number is read of.
fn may_be(value: &Value, node: Node<'_>) -> bool {
    takes(node, value) || value.as_str().is_some_and(|text| marks(text, node).is_some())
}

fn takes_scalar(node: Node<'_>) -> bool {
    [Kind::String, Kind::Integer, Kind::Number, Kind::Boolean].into_iter().any(|kind| node.accepts(kind))
}

/// Whether a line is no text that goes on: nothing, a heading, a row, a fence, a bracket, a name of something, courtesy.
fn is_apart(body: &str) -> bool {
    let named = || {
        let (name, said) = body.split_once([':', '：', '=']).unwrap_or_default();
        name.contains(char::is_alphabetic) && name.split_whitespace().count() < 4 && !said.starts_with("//")
    };
    !body.contains(char::is_alphanumeric)
        || body.starts_with(['#', '|', '[', '{', '<', '`', '~', '>'])
        || named()
        || is_courteous(body)
}
