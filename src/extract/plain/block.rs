//! Lines to fields: `Name: John`, YAML by its indents, lists below a name, several fields in one line, sections of an INI file.
//! A name that the schema does not know is not guessed. Next: `field` for a single line.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::below::follows;
use super::field::{
    Field, Line, fields, is_bare_list, items, last_two, list, loose_fields, may_be_one_number, names_within, scalar,
    uncommented, unmarked,
};
use super::heading;
use super::quotes::{ended, over_lines};
use super::ways::fitting;
use super::{is_sentence, may_be_none, may_be_several};
use crate::extract::attempt::Change;
use crate::extract::parse::{change, reference};
use crate::extract::schema::names;
use crate::extract::schema::node::{Kind, Node};
use crate::extract::validate::brief;
use crate::units;

/// Objects within objects, by indent, beyond this are not looked for.
const DEPTH: usize = 16;

/// What was read of some lines.
#[derive(Debug, Default)]
pub struct Block {
    pub map: Map<String, Value>,
    pub changes: Vec<Change>,
    /// Lines that were understood, as a mark for each.
    pub used: Vec<bool>,
}

/// A place that can be an object, with its properties: the place itself, or those of its branches.
pub fn shapes(node: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut open = vec![(node, 0)];
    while let Some((node, depth)) = open.pop() {
        if node.properties().len() > 0 {
            found.push(node);
        } else if depth < 4 {
            open.extend(
                node.branches().filter(|branch| branch.accepts(Kind::Object)).map(|branch| (branch, depth + 1)),
            );
        }
    }
    found.reverse();
    found
}

/// The fields of one object.
pub fn object(text: &str, lines: &[Line], node: Node<'_>, depth: usize) -> Block {
    let mut block = Block { used: vec![false; lines.len()], ..Block::default() };
    let begun = begun(text, lines, node);
    let exact: BTreeSet<(&str, usize)> =
        begun.iter().filter(|(.., bracketed)| !bracketed).map(|(key, column, _)| (*key, *column)).collect();
    let begun: BTreeSet<(&str, usize)> = begun.into_iter().map(|(key, column, _)| (key, column)).collect();
    let mut at = 0;
    while at < lines.len() {
        let line = &lines[at];
        if let Some((property, end)) = section(text, lines, at, node).filter(|_| depth < DEPTH) {
            let inner = object(text, &lines[at + 1..end], property, depth + 1);
            block.used[at] = true;
            let key = text[line.body.clone()].trim_matches(['[', ']', ' ']);
            if let Some(property) = node.called(key) {
                take_in(&mut block, at + 1, property.key, inner);
            }
            at = end;
            continue;
        }
        if depth < DEPTH
            && let Some(end) = heading::read(&mut block, text, lines, at, node, depth)
        {
            at = end;
            continue;
        }
        let mut found = match line {
            line if line.comment => Vec::new(),
            line if line.loose => loose_fields(text, &line.body, node),
            line => fields(text, &line.body, node),
        };
        if line.loose && found.len() > fields(text, &line.body, node).len() {
            let said = Value::from(units::beginning(&text[line.body.clone()], 200));
            block.changes.push(change("fields_guessed", said, Value::Null, true));
        }
        // `Note (old): x` above `Note: y` is none of the field's.
        if found.first().is_some_and(|field| field.bracketed && exact.contains(&(field.property.key, line.column))) {
            at += 1;
            continue;
        }
        // A name that begins a line elsewhere is text here: `Book, price: low` above `Price: 5`.
        let named = found.len();
        let mut nth = 0;
        found.retain(|field| {
            nth += 1;
            nth == 1 || !begun.contains(&(field.property.key, line.column))
        });
        if found.is_empty() {
            at += 1;
            continue;
        }
        block.used[at] = true;
        let mut end = below(text, lines, at);
        let before = text[line.body.start..found[0].start]
            .trim_matches(|c: char| c.is_whitespace() || "*_`\"'#,;|(".contains(c));
        if !before.is_empty() {
            // A name that is none of the schema's, with what is said of it.
            let lossy = before.contains([':', '=', '：']);
            block.changes.push(change("left_out", Value::from(before), Value::Null, lossy));
        }
        let bracketed = text[found[0].start..].starts_with(['[', '(']);
        for (index, field) in found.iter().enumerate() {
            let stop = found.get(index + 1).map_or(line.body.end, |next| next.start);
            let raw = text[field.value..stop].trim();
            let last = index + 1 == found.len();
            // `Title: Fix bug # 12`: free text goes on behind a hash, but for YAML's, where it may do so all the same.
            let free = field.property.node.accepts(Kind::String) && !raw.starts_with(['"', '\'']);
            let commented = last && if free { line.yaml } else { line.hashes };
            let (raw, comment) = if commented { uncommented(raw) } else { (raw, "") };
            if !comment.is_empty() {
                let path = names::join("", field.property.key);
                let told = change("comment_removed", Value::from(comment), Value::Null, free);
                block.changes.push(Change { path, ..told });
            }
            let raw = if bracketed { raw.strip_suffix([']', ')']).unwrap_or(raw) } else { raw };
            let (raw, strange) = ended(raw);
            if !strange.is_empty() {
                block.changes.push(change("left_out", Value::from(units::beginning(strange, 200)), Value::Null, true));
            }
            let mut dropped = named > found.len() && last;
            if !dropped && field.property.node.accepts(Kind::String) {
                dropped = names_within(text, field.value..stop, node)
                    .iter()
                    .any(|p| p.key == field.property.key || !begun.iter().any(|(key, _)| *key == p.key));
            }
            if dropped {
                // Whether a field was named here, or its name is text, is a guess.
                let path = names::join("", field.property.key);
                let told = change("name_as_text", Value::from(raw), Value::Null, true);
                block.changes.push(Change { path, ..told });
            }
            let said = if scalar_mark(raw) {
                raw
            } else {
                unmarked(if last { trim_open(raw) } else { before_mark(trim_open(raw)) })
            };
            let (said, note) = if field.property.node.accepts(Kind::String) { (said, "") } else { unreferred(said) };
            if !note.is_empty() {
                let path = names::join("", field.property.key);
                block.changes.push(Change { path, ..change("left_out", Value::from(note), Value::Null, false) });
            }
            if last && end > at + 1 {
                let mut inner = nested(text, &lines[at + 1..end], said, field, depth);
                // A list's items need no marks where each of them is one.
                if inner.value.is_none()
                    && items(field.property.node).is_some()
                    && let Some(unmarked) = follows(text, &lines[..end], at, said, node, field)
                    && unmarked.used.len() == end - at - 1
                {
                    inner = unmarked;
                }
                take_in_value(&mut block, at + 1, field.property.key, inner);
            } else if last
                && let raw = if said.is_empty() { said } else { raw }
                && let Some(inner) = follows(text, lines, at, raw, node, field)
            {
                end = at + 1 + inner.used.len();
                take_in_value(&mut block, at + 1, field.property.key, inner);
            } else if let Some(value) = value_of(said, field.property.node) {
                let listed = value.as_array().map_or(0, Vec::len);
                // Of `Kim, CEO; Lee, CTO` there are two.
                let two_marks = said.contains([';', '、']) && said.contains([',', '，']);
                let guessed = listed > 1
                    && (two_marks || is_sentence(said) || last_two(said).is_some() && takes_words(field.property.node))
                    || listed > 1 && may_be_one_number(said)
                    || listed == 1 && (may_be_none(said) || takes_words(field.property.node) && may_be_several(said));
                if guessed && !said.starts_with('[') {
                    let path = names::join("", field.property.key);
                    let told = change("list_read", Value::from(said), value.clone(), true);
                    block.changes.push(Change { path, ..told });
                }
                insert(&mut block, field.property.key, value);
            }
        }
        at = end;
    }
    block
}

/// What is said without the mark of a source behind it, and that mark: `25[1]`.
fn unreferred(said: &str) -> (&str, &str) {
    let at = said.rfind('[').filter(|at| reference(&said[*at..]) == Some(said.len() - at));
    let at = at.filter(|at| said[..*at].trim_end().ends_with(char::is_alphanumeric)).unwrap_or(said.len());
    (said[..at].trim_end(), &said[at..])
}

/// The names that begin a line, each with the line's column and whether a bracket stands behind it.
fn begun<'s>(text: &str, lines: &[Line], node: Node<'s>) -> BTreeSet<(&'s str, usize, bool)> {
    let first = |line: &Line| {
        let field = fields(text, &line.body, node).into_iter().next()?;
        (field.start == line.body.start).then_some((field.property.key, line.column, field.bracketed))
    };
    lines.iter().filter(|line| !line.comment).filter_map(first).collect()
}

/// What begins a text of several lines in YAML.
fn scalar_mark(said: &str) -> bool {
    matches!(said, "|" | ">" | "|-" | ">-" | "|+" | ">+")
}

/// A field's end within a line may carry the next one's opening marks: `John, **`.
fn trim_open(said: &str) -> &str {
    let said = said.trim_end();
    let said = said.strip_suffix("**").filter(|rest| rest.matches("**").count() % 2 == 0).unwrap_or(said).trim_end();
    said.trim_end_matches([',', ';', '|', '，'])
}

/// A field's text without the mark that parts it from the next: `a / b: 1`, `a - b: 1`.
fn before_mark(said: &str) -> &str {
    let parted = [" /", " ·", " -", " –"].into_iter().find_map(|mark| said.strip_suffix(mark));
    parted.unwrap_or(said).trim_end()
}

/// `[name]` alone: an object's place and where it ends.
fn section<'s>(text: &str, lines: &[Line], at: usize, node: Node<'s>) -> Option<(Node<'s>, usize)> {
    let body = text[lines[at].body.clone()].trim();
    let name = body.strip_prefix('[')?.strip_suffix(']')?;
    let property = node.called(name)?;
    let shape = shapes(property.node).into_iter().next()?;
    let more = lines[at + 1..].iter().position(|line| {
        let body = text[line.body.clone()].trim();
        body.starts_with('[') && body.ends_with(']')
    });
    Some((shape, more.map_or(lines.len(), |more| at + 1 + more)))
}

/// Where the lines that belong below this one end: those set in deeper, and a list at the same indent.
fn below(text: &str, lines: &[Line], at: usize) -> usize {
    let own = &lines[at];
    let mut end = at + 1;
    let mut last = end;
    while let Some(line) = lines.get(end) {
        let empty = line.body.is_empty();
        let deeper = line.column > own.column;
        let list = line.marked
            && !own.marked
            && line.indent >= own.indent
            && text[own.body.clone()].trim_end().ends_with([':', '*', '：']);
        if !(empty || deeper || list) {
            break;
        }
        end += 1;
        if !empty {
            last = end;
        }
    }
    last
}

pub(super) fn takes_words(node: Node<'_>) -> bool {
    items(node).is_some_and(|item| item.accepts(Kind::String))
}

/// A value, where there is one, with what belongs to it.
pub(super) struct Inner {
    pub(super) value: Option<Value>,
    pub(super) changes: Vec<Change>,
    pub(super) used: Vec<bool>,
}

/// What stands below a name: a list, an object, a text of several lines.
fn nested(text: &str, lines: &[Line], said: &str, field: &Field, depth: usize) -> Inner {
    let node = field.property.node;
    let block = said.is_empty() || scalar_mark(said);
    if node.accepts(Kind::String) && items(node).is_none() {
        let bodies = || lines.iter().map(|line| text[line.body.clone()].trim());
        if let Some((quoted, count)) = over_lines(said, bodies()) {
            let used = (0..lines.len()).map(|at| at < count).collect();
            return Inner { value: Some(scalar(&quoted, node)), changes: Vec::new(), used };
        }
    }
    if block && let Some(item) = items(node) {
        let (values, changes, used) = array(text, lines, item, depth + 1);
        // Where no item was understood there is no list.
        return Inner { value: (!values.is_empty()).then_some(Value::Array(values)), changes, used };
    }
    if block && depth < DEPTH && !node.accepts(Kind::String) {
        let read = shapes(node).into_iter().map(|shape| object(text, lines, shape, depth + 1));
        // Of several shapes the one that most is said of; the first of equals.
        let most = read.reduce(|best, next| if next.map.len() > best.map.len() { next } else { best });
        if let Some(inner) = most.filter(|inner| !inner.map.is_empty()) {
            return Inner { value: Some(Value::Object(inner.map)), changes: inner.changes, used: inner.used };
        }
    }
    if node.accepts(Kind::String) && block {
        let used = vec![true; lines.len()];
        if said.starts_with('|') {
            return Inner { value: Some(Value::from(as_written(text, lines))), changes: Vec::new(), used };
        }
        let all: Vec<&str> =
            lines.iter().map(|line| text[line.body.clone()].trim()).filter(|line| !line.is_empty()).collect();
        let joined = all.join(" ");
        // A list or fields where the schema has a text: their form is lost.
        let formed = |line: &Line| {
            let body = text[line.body.clone()].trim();
            let name = body.split_once(": ").map_or(body.strip_suffix(':'), |(name, _)| Some(name));
            line.marked || name.is_some_and(|name| name.split_whitespace().count() < 4)
        };
        let lossy = said.is_empty() && lines.iter().any(formed);
        let told = lossy.then(|| change("lines_joined", Value::from(all), Value::from(joined.as_str()), true));
        return Inner { value: Some(Value::from(joined)), changes: told.into_iter().collect(), used };
    }
    // A number, a yes or no in the line below, as a text may stand there.
    let written = |line: &&Line| !line.body.is_empty() && !line.comment;
    if said.is_empty()
        && let [line] = lines.iter().filter(written).collect::<Vec<_>>().as_slice()
        && let Some(value) = value_of(uncommented(text[line.body.clone()].trim()).0, node)
    {
        return Inner {
            value: Some(value),
            changes: Vec::new(),
            used: lines.iter().map(|line| !line.comment).collect(),
        };
    }
    Inner { value: value_of(said, node), changes: Vec::new(), used: vec![false; lines.len()] }
}

/// Lines with their breaks and the indents that they have beyond the least.
pub(super) fn as_written(text: &str, lines: &[Line]) -> String {
    let begin = |line: &Line| line.body.start - line.column;
    let written = |line: &Line| !text[begin(line)..line.body.end].trim().is_empty();
    let least = lines.iter().filter(|line| written(line)).map(|line| line.indent).min().unwrap_or(0);
    let shown = |line: &Line| text.get(begin(line) + least..line.body.end).unwrap_or_default();
    lines.iter().map(shown).collect::<Vec<_>>().join("\n")
}

/// What is said of a field in its own line. Nothing said is no value; an empty text is written with its quotes.
pub(super) fn value_of(said: &str, node: Node<'_>) -> Option<Value> {
    match items(node) {
        _ if said.is_empty() => None,
        _ if matches!(said, "null" | "~") => Some(Value::Null),
        Some(item) if !said.starts_with('[') || is_bare_list(said, item) => Some(Value::Array(list(said, item))),
        _ => Some(scalar(said, node)),
    }
}

/// The items of a list, one a mark; of objects, each mark and each name that comes again begins one.
pub fn array(text: &str, lines: &[Line], item: Node<'_>, depth: usize) -> (Vec<Value>, Vec<Change>, Vec<bool>) {
    let mut values = Vec::new();
    let mut changes = Vec::new();
    let mut used = vec![false; lines.len()];
    let shapes = if depth < DEPTH && !item.accepts(Kind::String) { shapes(item) } else { Vec::new() };
    if shapes.is_empty() {
        let indent = lines.iter().filter(|line| line.marked).map(|line| line.indent).min();
        for (at, line) in lines.iter().enumerate() {
            if line.marked && Some(line.indent) == indent {
                used[at] = true;
                if line.boxed {
                    // Whether it is done is not in the list.
                    let mark = &text[line.body.start - 4..line.body.start - 1];
                    let told = change("left_out", Value::from(mark), Value::Null, true);
                    changes.push(Change { path: format!("/{}", values.len()), ..told });
                }
                values.push(scalar(&text[line.body.clone()], item));
            }
        }
        return (values, changes, used);
    }
    for part in records(text, lines, &shapes) {
        let Some(shape) = fitting(text, &lines[part.clone()], &shapes) else { continue };
        let inner = object(text, &lines[part.clone()], shape, depth + 1);
        used[part.clone()].copy_from_slice(&inner.used);
        if inner.map.is_empty() {
            continue;
        }
        changes.extend(inner.changes.into_iter().map(|c| Change { path: format!("/{}{}", values.len(), c.path), ..c }));
        values.push(Value::Object(inner.map));
    }
    (values, changes, used)
}

/// Where one object of a list ends and the next begins: at a mark, or where its first name comes again.
fn records(text: &str, lines: &[Line], shapes: &[Node<'_>]) -> Vec<std::ops::Range<usize>> {
    let first_of = |line: &Line| {
        let mut shapes = shapes.iter().filter(|_| !line.comment);
        shapes.find_map(|shape| fields(text, &line.body, *shape).first().map(|f| f.property.key))
    };
    let named: Vec<Option<&str>> = lines.iter().map(first_of).collect();
    let first = named.iter().position(Option::is_some);
    // What is set in deeper than the first is within it.
    let level = |line: &Line| match first.and_then(|first| lines.get(first)) {
        Some(first) if first.marked && line.marked => line.indent <= first.indent,
        Some(first) => line.column <= first.column,
        None => false,
    };
    let first = first.and_then(|first| named[first]);
    let least =
        lines.iter().zip(&named).filter(|(_, key)| key.is_some()).map(|(line, _)| line.indent).min().unwrap_or(0);
    let each_marked = marks_fields(lines, &named);
    let mut starts: Vec<usize> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let again = named[at].is_some() && named[at] == first && level(line);
        let mark = line.marked && line.indent <= least && named[at].is_some() && !each_marked;
        if again || mark {
            starts.push(at);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// Whether every field has a mark of its own: then a mark begins no new object.
fn marks_fields(lines: &[Line], named: &[Option<&str>]) -> bool {
    lines.iter().zip(named).filter(|(_, key)| key.is_some()).all(|(line, _)| line.marked)
        && named.iter().flatten().collect::<std::collections::BTreeSet<_>>().len() > 1
}

fn take_in(block: &mut Block, from: usize, key: &str, inner: Block) {
    take_in_value(
        block,
        from,
        key,
        Inner { value: Some(Value::Object(inner.map)), changes: inner.changes, used: inner.used },
    );
}

pub(super) fn take_in_value(block: &mut Block, from: usize, key: &str, inner: Inner) {
    for (at, used) in inner.used.iter().enumerate() {
        block.used[from + at] |= used;
    }
    let path = names::join("", key);
    block.changes.extend(inner.changes.into_iter().map(|c| Change { path: format!("{path}{}", c.path), ..c }));
    if let Some(value) = inner.value {
        insert(block, key, value);
    }
}

/// A field said twice keeps what was said first; what came later is told.
fn insert(block: &mut Block, key: &str, value: Value) {
    match block.map.get(key) {
        None => {
            block.map.insert(key.to_owned(), value);
        }
        Some(known) => {
            let lossy = *known != value;
            block.changes.push(Change {
                path: names::join("", key),
                kind: "duplicate_key".to_owned(),
                before: value,
                after: brief(known),
                lossy,
            });
        }
    }
}
