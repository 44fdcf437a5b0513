//! Fields within tags, as XML has them: `<name>John</name>`, nested and repeated as the schema has it.
//! Comments and entities beyond the five are not read; attributes and what else is not understood are told as lost.
//! Next: `block` for lines.

use std::ops::Range;

use serde_json::{Map, Value};

use super::block::shapes;
use super::field::{items, scalar};
use super::{lost, may_be_a_list, may_be_none, may_be_several};
use crate::extract::attempt::Change;
use crate::extract::parse::{change, strict};
use crate::extract::schema::names;
use crate::extract::schema::node::{Kind, Node};
use crate::extract::validate::brief;

/// Tags within tags beyond this are text.
const DEPTH: usize = 32;

/// An element: its name, what is within, and the elements there.
#[derive(Debug)]
pub struct Element {
    pub name: String,
    pub whole: Range<usize>,
    pub content: Range<usize>,
    pub children: Vec<Element>,
}

/// The elements of a text that are closed, outermost first. One scan: an opening tag that is never closed is text.
pub fn elements(text: &str) -> Vec<Element> {
    let mut open: Vec<Element> = Vec::new();
    let mut done: Vec<Element> = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('<') {
        let start = at + found;
        let Some((name, closing, end)) = tag(text, start) else {
            at = start + 1;
            continue;
        };
        at = end;
        if !closing && text[..end].ends_with("/>") {
            let empty = Element { name, whole: start..end, content: end..end, children: Vec::new() };
            match open.last_mut() {
                Some(outer) => outer.children.push(empty),
                None => done.push(empty),
            }
            continue;
        }
        if !closing {
            if open.len() < DEPTH {
                open.push(Element { name, whole: start..end, content: end..end, children: Vec::new() });
            }
            continue;
        }
        // At most DEPTH are open: the look is bounded.
        let Some(place) = open.iter().rposition(|element| element.name == name) else { continue };
        let lost: Vec<Element> = open.drain(place + 1..).flat_map(|element| element.children).collect();
        if let Some(mut element) = open.pop() {
            element.children.extend(lost);
            element.whole.end = end;
            element.content.end = start;
            match open.last_mut() {
                Some(outer) => outer.children.push(element),
                None => done.push(element),
            }
        }
    }
    done.extend(open.into_iter().flat_map(|element| element.children));
    done
}

/// A tag's name, whether it closes, and where it ends.
fn tag(text: &str, start: usize) -> Option<(String, bool, usize)> {
    let rest = &text[start + 1..];
    let closing = rest.starts_with('/');
    let name = rest.trim_start_matches('/');
    let first = name.chars().next().filter(|c| c.is_alphabetic() || *c == '_')?;
    let length =
        name.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))).unwrap_or(name.len());
    // Attributes are passed over, within reason.
    let mut bound = (start + 256).min(text.len());
    while !text.is_char_boundary(bound) {
        bound -= 1;
    }
    let end = start + text.get(start..bound)?.find('>')? + 1;
    let name = name[..length.max(first.len_utf8())].to_owned();
    (start + 1 + length <= end).then_some((name, closing, end))
}

/// Whether a tag that names a field stands here, closed or not.
pub fn names_one(said: &str, node: Node<'_>) -> bool {
    let tags = said.match_indices('<').filter_map(|(at, _)| tag(said, at));
    tags.into_iter().any(|(name, closing, _)| !closing && node.called(&name).is_some())
}

/// An object within tags: the place that holds it, and what was read there.
pub struct Record {
    pub whole: Range<usize>,
    pub map: Map<String, Value>,
    pub changes: Vec<Change>,
}

/// The objects of this shape among the elements: siblings that name fields are one, else each element is looked into.
pub fn records(text: &str, whole: Range<usize>, elements: &[Element], node: Node<'_>) -> Vec<Record> {
    if elements.iter().any(|element| node.called(&element.name).is_some()) {
        let (map, changes) = object(text, &whole, elements, node);
        let record = Record { whole, map, changes };
        return if record.map.is_empty() { Vec::new() } else { vec![record] };
    }
    elements.iter().flat_map(|element| records(text, element.whole.clone(), &element.children, node)).collect()
}

/// The fields among the elements. What stands beside them is lost.
fn object(text: &str, whole: &Range<usize>, elements: &[Element], node: Node<'_>) -> (Map<String, Value>, Vec<Change>) {
    let mut map = Map::new();
    let mut changes = beside(text, whole, elements);
    for element in elements {
        let said = &text[element.whole.clone()];
        let Some(property) = node.called(&element.name) else {
            changes.push(lost(said));
            continue;
        };
        if text[element.whole.start..element.content.start].contains('=') {
            changes.push(lost(&text[element.whole.start..element.content.start]));
        }
        // A tag with nothing within says nothing.
        if text[element.content.clone()].trim().is_empty() {
            continue;
        }
        let (value, within) = value(text, element, property.node);
        let path = names::join("", property.key);
        changes.extend(within.into_iter().map(|c| Change { path: format!("{path}{}", c.path), ..c }));
        match (map.get_mut(property.key), items(property.node)) {
            (Some(Value::Array(known)), Some(_)) => match value {
                Value::Array(more) => known.extend(more),
                one => known.push(one),
            },
            (Some(known), _) => {
                let lossy = *known != value;
                changes.push(Change { path, ..change("duplicate_key", value, brief(known), lossy) });
            }
            (None, _) => {
                map.insert(property.key.to_owned(), value);
            }
        }
    }
    (map, changes)
}

/// The text between elements, which no tag names. `whole` may be the tag around them.
fn beside(text: &str, whole: &Range<usize>, elements: &[Element]) -> Vec<Change> {
    let mut changes = Vec::new();
    let (first, last) = match (elements.first(), elements.last()) {
        (Some(first), Some(last)) => (first.whole.start, last.whole.end),
        _ => return changes,
    };
    let mut told = |said: &str| {
        if !untagged(said) {
            changes.push(lost(said.trim()));
        }
    };
    told(&text[whole.start.min(first)..first]);
    for pair in elements.windows(2) {
        told(&text[pair[0].whole.end.min(pair[1].whole.start)..pair[1].whole.start]);
    }
    told(&text[last..whole.end.max(last)]);
    changes
}

/// Whether nothing but whole tags stands here.
pub fn untagged(said: &str) -> bool {
    let mut rest = said.trim();
    while rest.starts_with('<')
        && let Some(end) = rest.find('>')
    {
        rest = rest[end + 1..].trim_start();
    }
    rest.is_empty()
}

fn value(text: &str, element: &Element, node: Node<'_>) -> (Value, Vec<Change>) {
    let Some(item) = items(node) else { return inner(text, element, node) };
    // <tags><tag>a</tag></tags>, or <tag>a</tag><tag>b</tag> each a value of the list.
    let own =
        shapes(item).first().is_some_and(|shape| element.children.iter().any(|c| shape.called(&c.name).is_some()));
    if own || element.children.is_empty() {
        let (value, changes) = inner(text, element, item);
        let changes = changes.into_iter().map(|c| Change { path: format!("/0{}", c.path), ..c });
        let mut changes: Vec<Change> = changes.collect();
        if let Some(said) = value.as_str().filter(|_| element.children.is_empty()) {
            if let Ok((list @ Value::Array(_), _)) = strict::value(said) {
                return (list, changes);
            }
            // As one item nothing of it is lost, but it may have been meant as several.
            if may_be_a_list(said) || may_be_several(said) || may_be_none(said) {
                changes.push(change("list_read", Value::from(said), Value::from(vec![said]), true));
            }
        }
        return (Value::Array(vec![value]), changes);
    }
    let mut changes = beside(text, &element.content, &element.children);
    let mut values = Vec::new();
    for (at, child) in element.children.iter().enumerate() {
        let (value, within) = value(text, child, item);
        changes.extend(within.into_iter().map(|c| Change { path: format!("/{at}{}", c.path), ..c }));
        values.push(value);
    }
    (Value::Array(values), changes)
}

fn inner(text: &str, element: &Element, node: Node<'_>) -> (Value, Vec<Change>) {
    if !element.children.is_empty() && node.accepts(Kind::Object) {
        for shape in shapes(node) {
            let (map, changes) = object(text, &element.content, &element.children, shape);
            if !map.is_empty() {
                return (Value::Object(map), changes);
            }
        }
    }
    let said = text[element.content.clone()].trim();
    if said.contains('&') {
        let plain = said.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
        return (scalar(&plain.replace("&amp;", "&"), node), Vec::new());
    }
    (scalar(said, node), Vec::new())
}
