//! Fields within tags, as XML has them: `<name>John</name>`, nested and repeated as the schema has it.
//! Attributes, comments and entities beyond the five are not read. Next: `block` for lines.

use std::ops::Range;

use serde_json::{Map, Value};

use super::block::shapes;
use super::field::{items, scalar};
use crate::extract::schema::node::{Kind, Node};

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

/// The fields among the elements.
pub fn object(text: &str, elements: &[Element], node: Node<'_>) -> Map<String, Value> {
    let mut map = Map::new();
    for element in elements {
        let Some(property) = node.called(&element.name) else { continue };
        let value = value(text, element, property.node);
        match (map.get_mut(property.key), items(property.node)) {
            (Some(Value::Array(known)), Some(_)) => match value {
                Value::Array(more) => known.extend(more),
                one => known.push(one),
            },
            (Some(_), _) => {}
            (None, _) => {
                map.insert(property.key.to_owned(), value);
            }
        }
    }
    map
}

fn value(text: &str, element: &Element, node: Node<'_>) -> Value {
    if let Some(item) = items(node) {
        let each = |element: &Element| value(text, element, item);
        // <tags><tag>a</tag></tags>, or <tag>a</tag><tag>b</tag> each a value of the list.
        let within: Vec<Value> = element.children.iter().map(each).collect();
        let own =
            shapes(item).first().is_some_and(|shape| element.children.iter().any(|c| shape.called(&c.name).is_some()));
        if own || within.is_empty() {
            return Value::Array(vec![inner(text, element, item)]);
        }
        return Value::Array(within);
    }
    inner(text, element, node)
}

fn inner(text: &str, element: &Element, node: Node<'_>) -> Value {
    if !element.children.is_empty() && node.accepts(Kind::Object) {
        for shape in shapes(node) {
            let map = object(text, &element.children, shape);
            if !map.is_empty() {
                return Value::Object(map);
            }
        }
    }
    let said = text[element.content.clone()].trim();
    if said.contains('&') {
        let plain = said.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
        return scalar(&plain.replace("&amp;", "&"), node);
    }
    scalar(said, node)
}
