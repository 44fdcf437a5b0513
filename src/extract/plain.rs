//! Text that is no JSON to a value, guided by the schema's names: `Name: John` and its kin, YAML, Markdown tables and lists, tags.
//!
//! Nothing is guessed: a value counts only where a name that the schema knows stands before it, and a field that is not named stays absent.
//! Values are handed on as text, or as JSON where the schema takes no text; types are `coerce`'s work. What stands around is recorded as left
//! out, as lossy where it looks like a field that was not understood.
//!
//! No YAML crate: they want the whole text to be YAML, which a model's answer with a sentence before it is not, and they give `no` and
//! `1e3` types of their own. The subset here is what a schema can name: keys, indents, lists, block texts.
//! Next: `block`, `below`, `heading`, `table`, `tags`, `field`, `labels`, `quotes`, `item`, `remarks`, `closing`, `words`, `constructed`.

mod below;
#[cfg(test)]
mod below_tests;
mod block;
mod closing;
mod constructed;
mod field;
mod heading;
mod item;
mod labels;
mod quotes;
pub(super) mod remarks;
mod table;
#[cfg(test)]
mod table_tests;
mod tags;
#[cfg(test)]
mod tests;
mod ways;
mod words;

use std::ops::Range;

use serde_json::{Map, Value};

use super::attempt::Change;
use super::coerce::scalars::may_be_grouped;
use super::parse::{Candidate, change, footnote, is_complete, reference, segments, takes_no_numbers};
use super::schema::node::{Kind, Node};
use super::schema::{Schema, names};
use super::validate::brief;
use crate::units;

pub use self::item::{may_be_several, says_others};
use self::remarks::{footers, left_out, rest};

/// What the text says of the schema's fields; a list where the schema asks for one; the text itself where it asks for a scalar. The reading
/// with the most fields first, none where nothing was named, and none without a schema.
pub fn candidates(text: &str, schema: Option<&Schema>) -> Vec<Candidate> {
    let Some(schema) = schema else { return Vec::new() };
    let root = schema.root();
    let shapes = block::shapes(root);
    if !names_anything(text, root, &shapes) {
        return scalar(text, root).into_iter().collect();
    }
    let called = constructed::found(text);
    let lines = field::lines(text, called.as_ref().map_or(0..text.len(), |(_, arguments)| arguments.clone()));
    let mut found: Vec<(usize, Candidate)> = Vec::new();
    let json = json_stands(text, &lines, &shapes, takes_no_numbers(Some(schema)));
    for shape in shapes.into_iter().filter(|_| !json) {
        found.extend(objects(text, &lines, shape));
    }
    if !json
        && root.accepts(Kind::Array)
        && let Some(item) = field::any_items(root)
    {
        found.extend(arrays(text, &lines, item));
    }
    // Stable: of two readings with as many fields the earlier stays first.
    found.sort_by_key(|(fields, _)| std::cmp::Reverse(*fields));
    let mut found: Vec<Candidate> = found.into_iter().map(|(_, candidate)| candidate).collect();
    let labels = found.first().map(|read| labels::told(text, &lines, root, &read.value)).unwrap_or_default();
    found.iter_mut().for_each(|candidate| candidate.changes.extend(labels.iter().cloned()));
    if let Some((name, arguments)) = called {
        let told = change("wrapper_removed", Value::from(name), Value::Null, false);
        for candidate in &mut found {
            candidate.changes.push(told.clone());
            constructed::mend(candidate, &text[arguments.clone()], root);
        }
    }
    found.extend(scalar(text, root));
    found
}

/// A text shorter than this is read at once.
const LONG: usize = 1 << 16;

/// Whether a long text has any of the names that could begin a reading. A list of anything else needs none.
fn names_anything(text: &str, root: Node<'_>, shapes: &[Node<'_>]) -> bool {
    let items = field::any_items(root).map(block::shapes);
    if text.len() < LONG || items.as_ref().is_some_and(Vec::is_empty) {
        return true;
    }
    let mut shapes: Vec<Node> = shapes.iter().copied().chain(items.into_iter().flatten()).collect();
    let fields = shapes.iter().flat_map(|shape| shape.properties()).filter_map(|p| field::items(p.node));
    let within: Vec<Node> = fields.flat_map(block::shapes).collect();
    shapes.extend(within);
    let folded = names::fold(text);
    let mut all = shapes.iter().flat_map(|shape| shape.properties()).flat_map(|p| p.names);
    all.any(|name| folded.contains(&names::fold(name)))
}

/// Whether JSON stands in the text, other than as what is said of a field: its lines are `repair`'s to read, who marks what was cut off.
fn json_stands(text: &str, lines: &[field::Line], shapes: &[Node<'_>], notes: bool) -> bool {
    lines.iter().any(|line| {
        let body = &text[line.body.clone()];
        let brackets = body.match_indices(['{', '[']).map(|(at, _)| line.body.start + at);
        // `25[1]`, `[1] a source`: no list where the schema has none of numbers.
        let is_note = |at: usize| {
            let behind = text[line.body.start..at].trim_end_matches(' ').ends_with(|c: char| c.is_alphanumeric());
            notes
                && reference(&text[at..line.body.end]).is_some()
                && (behind || footnote(&text[at..line.body.end]).is_some())
        };
        let found = brackets.into_iter().take(16).find(|at| segments::begins_json(text, *at) && !is_note(*at));
        let Some(first) = found else {
            return false;
        };
        let said = |field: &field::Field| text[field.value..first].chars().all(char::is_whitespace);
        let named =
            shapes.iter().any(|shape| field::fields(text, &(line.body.start..first), *shape).last().is_some_and(said));
        let opens = text.as_bytes()[first] == b'{' || first == line.body.start && !line.marked;
        opens && !named
    })
}

/// The text itself: as it is where the schema takes any text, else without what is around it.
fn scalar(text: &str, root: Node<'_>) -> Option<Candidate> {
    let kinds = [Kind::String, Kind::Integer, Kind::Number, Kind::Boolean];
    let trimmed = text.trim();
    let listed = root.choices().is_some();
    if trimmed.is_empty() || !(listed || kinds.into_iter().any(|kind| root.accepts(kind))) {
        return None;
    }
    let free = root.accepts(Kind::String) && !listed && root.format().is_none();
    let said = if free { text } else { field::unmarked(trimmed) };
    let start = said.as_ptr() as usize - text.as_ptr() as usize;
    Some(Candidate { value: Value::from(said), span: start..start + said.len(), changes: vec![kind("text_taken")] })
}

/// Readings as one object, each with how many fields it has.
fn objects(text: &str, lines: &[field::Line], node: Node<'_>) -> Vec<(usize, Candidate)> {
    let mut found = Vec::new();
    for record in tagged(text, node) {
        let mut changes = vec![kind("tags_read")];
        changes.extend(record.changes);
        found.push((record.map.len(), Candidate { value: Value::Object(record.map), span: record.whole, changes }));
    }
    let tables = table::tables(text, lines);
    let mut tabled = Map::new();
    let mut changes = vec![kind("table_read")];
    let mut understood = Vec::new();
    for table in &tables {
        let mut fields = Map::new();
        let rows = table.objects(node);
        // `kids:` above it says whose rows they are.
        if let Some((key, (rows, unknown))) =
            table.label(text, lines, node).and_then(|p| Some((p.key, listed_rows(table, p.node)?)))
        {
            changes.extend(unknown.iter().map(|name| lost(name)));
            fields.insert(key.to_owned(), Value::Array(rows));
        } else if let Some(([Value::Object(row)], unknown)) =
            rows.as_ref().map(|(rows, unknown)| (rows.as_slice(), unknown))
        {
            // A table of several rows is a list: which row is meant is not for here to say.
            fields = row.clone();
            changes.extend(unknown.iter().map(|name| lost(name)));
        } else if let Some((map, unknown)) = table.object(node) {
            fields = map;
            changes.extend(unknown.iter().map(|said| lost(said)));
        } else {
            for property in node.properties().filter(|property| !tabled.contains_key(property.key)) {
                if let Some((rows, unknown)) = listed_rows(table, property.node) {
                    changes.extend(unknown.iter().map(|name| lost(name)));
                    fields.insert(property.key.to_owned(), Value::Array(rows));
                    break;
                }
            }
        }
        if !fields.is_empty() {
            understood.push(table.lines.clone());
            join(&mut tabled, fields, &mut changes);
        }
    }
    let mut read = block::object(text, lines, node, 0);
    if !tabled.is_empty() {
        // Lines around the tables may name more.
        changes.append(&mut read.changes);
        join(&mut tabled, std::mem::take(&mut read.map), &mut changes);
        for lines in understood {
            read.used[lines].fill(true);
        }
        changes.extend(rest(text, lines, &read.used, lines.len(), false));
        found.push((tabled.len(), Candidate { value: Value::Object(tabled), span: 0..text.len(), changes }));
    } else if !read.map.is_empty() {
        // What was kept in a value as text may be fields all the same: taken only where nothing else fits.
        let guess = read.changes.iter().any(|told| told.kind == "name_as_text").then(|| {
            let loose: Vec<field::Line> =
                lines.iter().map(|line| field::Line { loose: true, ..line.clone() }).collect();
            block::object(text, &loose, node, 0)
        });
        let (fields, plain) = lined(text, lines, read, node);
        found.push((fields, plain));
        // It comes behind, however many fields it has.
        found.extend(guess.map(|read| (fields, lined(text, lines, read, node).1)));
    }
    found
}

/// What was read of lines, with what stands around them.
fn lined(text: &str, lines: &[field::Line], read: block::Block, node: Node<'_>) -> (usize, Candidate) {
    let mut changes = vec![kind("lines_read")];
    changes.extend(read.changes);
    let value = Value::Object(read.map);
    let fields = value.as_object().map_or(0, Map::len);
    let footers = if is_complete(&value, node, 0) { footers(text, lines, &read.used, node) } else { lines.len() };
    changes.extend(rest(text, lines, &read.used, footers, false));
    (fields, Candidate { value, span: span(lines, &read.used), changes })
}

/// A table's rows as a list in this place.
fn listed_rows(table: &table::Table, node: Node<'_>) -> Option<(Vec<Value>, Vec<String>)> {
    let item = field::items(node)?;
    block::shapes(item).into_iter().find_map(|shape| table.objects(shape))
}

/// More fields; of one that is said twice the first counts.
fn join(known: &mut Map<String, Value>, more: Map<String, Value>, changes: &mut Vec<Change>) {
    for (key, value) in more {
        match known.get(&key) {
            Some(first) if *first != value => {
                let path = names::join("", &key);
                changes.push(Change { path, ..change("duplicate_key", value, brief(first), true) });
            }
            Some(_) => {}
            None => {
                known.insert(key, value);
            }
        }
    }
}

/// The objects within tags, each with the text around it: before the first and behind the last it is only left out, between them it is lost.
fn tagged(text: &str, node: Node<'_>) -> Vec<tags::Record> {
    let elements = tags::elements(text);
    let (Some(first), Some(last)) = (elements.first(), elements.last()) else { return Vec::new() };
    let mut records = tags::records(text, first.whole.start..last.whole.end, &elements, node);
    let speaks = |said: &str| tags::names_one(said, node) || names_a_field(said, &[node]);
    let mut at = 0;
    let count = records.len();
    for (index, record) in records.iter_mut().enumerate() {
        let before = &text[at.min(record.whole.start)..record.whole.start];
        at = record.whole.end;
        let lossy = index > 0 && !tags::untagged(before);
        if index == 0 || lossy {
            left_out(&mut record.changes, before, lossy || speaks(before));
        }
        if index + 1 == count {
            left_out(&mut record.changes, &text[at..], speaks(&text[at..]));
        }
    }
    records
}

/// Whether a name that the schema knows stands before a colon, with something behind.
fn names_a_field(said: &str, shapes: &[Node<'_>]) -> bool {
    let said = said.trim();
    field::lines(said, 0..said.len())
        .iter()
        .any(|line| shapes.iter().any(|shape| field::names_one(said, &line.body, *shape)))
}

/// As [`candidates`] would take it: whether what is left out of a text says something of a field.
pub fn speaks_of_a_field(said: &str, schema: &Schema) -> bool {
    // Most of what stands between values has no separator.
    if !said.contains([':', '=', '：']) {
        return false;
    }
    let root = schema.root();
    let mut shapes = block::shapes(root);
    shapes.extend(field::any_items(root).into_iter().flat_map(block::shapes));
    names_a_field(said, &shapes)
}

/// Whether a text says something of the field that a JSON Pointer ends with, by any of its names.
pub fn speaks_of(said: &str, pointer: &str, schema: &Schema) -> bool {
    let root = schema.root();
    let shapes = block::shapes(root).into_iter().chain(field::any_items(root).into_iter().flat_map(block::shapes));
    let lines = field::lines(said, 0..said.len());
    shapes.into_iter().any(|shape| {
        let fields = lines.iter().flat_map(|line| field::fields(said, &line.body, shape));
        fields.into_iter().any(|field| pointer.ends_with(&names::join("", field.property.key)))
    })
}

/// Whether a text ends with a field's name and its separator: the value behind it is that field's, unless it has the field itself.
pub fn names_what_follows(said: &str, schema: &Schema, value: &Value) -> bool {
    let Some(name) = label(said.lines().next_back().unwrap_or_default()) else { return false };
    block::shapes(schema.root()).into_iter().any(|shape| shape.called(name).is_some_and(|p| value.get(p.key).is_none()))
}

/// The name that a line is, with its separator and its marks: `**Tags:**`.
pub fn label(line: &str) -> Option<&str> {
    let name = line.trim_end_matches([' ', '*', '_', '`', '\r']).strip_suffix([':', '=', '：'])?;
    Some(name.trim_matches(|c: char| c.is_whitespace() || "*_`\"'#-".contains(c)))
}

/// The place of a list's items.
pub fn items_of(node: Node<'_>) -> Option<Node<'_>> {
    field::any_items(node)
}

/// The places with properties that a place can be.
pub fn shapes_of(node: Node<'_>) -> Vec<Node<'_>> {
    block::shapes(node)
}

/// Whether a field of the schema has this name.
pub fn is_field(name: &str, schema: &Schema) -> bool {
    let root = schema.root();
    let items = field::any_items(root).into_iter().flat_map(block::shapes);
    block::shapes(root).into_iter().chain(items).any(|shape| shape.called(name).is_some())
}

/// Each reading of a table alone tells of all that stands around it: of more tables than that the longest are read.
const MOST_TABLES: usize = 16;

/// Readings as a list.
fn arrays(text: &str, lines: &[field::Line], item: Node<'_>) -> Vec<(usize, Candidate)> {
    let mut found = Vec::new();
    let shapes = block::shapes(item);
    for shape in &shapes {
        let records = tagged(text, *shape);
        let (Some(first), Some(last)) = (records.first(), records.last()) else { continue };
        let span = first.whole.start..last.whole.end;
        let mut changes = vec![kind("tags_read")];
        let count = records.len();
        let mut rows = Vec::with_capacity(count);
        for record in records {
            let at = rows.len();
            changes.extend(record.changes.into_iter().map(|c| Change { path: format!("/{at}{}", c.path), ..c }));
            rows.push(Value::Object(record.map));
        }
        found.push((count, Candidate { value: Value::Array(rows), span, changes }));
    }
    let read = |table: table::Table| {
        let (rows, unknown) = shapes.iter().find_map(|shape| table.objects(*shape))?;
        Some((rows, unknown, table.lines))
    };
    let mut tables: Vec<_> = table::tables(text, lines).into_iter().filter_map(read).collect();
    tables.sort_by_key(|(rows, ..)| std::cmp::Reverse(rows.len()));
    for (rows, unknown, taken) in tables.into_iter().take(MOST_TABLES) {
        let mut used = vec![false; lines.len()];
        used[taken].fill(true);
        let mut changes = vec![kind("table_read")];
        changes.extend(unknown.iter().map(|name| lost(name)));
        changes.extend(rest(text, lines, &used, lines.len(), true));
        found.push((rows.len(), Candidate { value: Value::Array(rows), span: span(lines, &used), changes }));
    }
    let (values, inner, used) = block::array(text, lines, item, 0);
    if !values.is_empty() {
        let mut changes = vec![kind("list_read")];
        changes.extend(inner);
        changes.extend(rest(text, lines, &used, lines.len(), true));
        found.push((values.len(), Candidate { value: Value::Array(values), span: span(lines, &used), changes }));
    } else if shapes.is_empty() {
        // `a, b, c` in one line, and nothing else.
        let said = text.trim();
        // Or a value a line.
        let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
        let lined: Vec<Value> = lines.map(|line| field::scalar(line, item)).collect();
        let grouped = |v: &Value| v.as_str().is_some_and(may_be_grouped) && item.accepts(Kind::Number);
        let fits = |values: &[Value]| {
            values.len() > 1 && values.iter().all(|v| !v.is_string() && takes(item, v) || grouped(v))
        };
        let values = if fits(&lined) { lined } else { field::list(said, item) };
        if values.len() > 1 && (is_list(said) || fits(&values)) {
            // Words with commas between them could be a sentence all the same.
            let guessed = item.accepts(Kind::String);
            let changes = vec![change("list_read", Value::Null, Value::Null, guessed)];
            found.push((1, Candidate { value: Value::Array(values), span: 0..text.len(), changes }));
        }
    }
    found
}

/// Whether a place takes a value as it is.
fn takes(node: Node<'_>, value: &Value) -> bool {
    node.accepts(Kind::of(value)) || value.is_i64() && node.accepts(Kind::Number)
}

/// Whether a text for one item may be several: a line with commas between short pieces, or lines with marks.
pub fn may_be_a_list(said: &str) -> bool {
    let said = said.trim();
    let marked = field::lines(said, 0..said.len()).iter().filter(|line| line.marked).take(2).count() > 1;
    marked || said.contains([',', ';', '、', '，']) && is_list(said)
}

/// Whether a text in the place of a list may say that there is nothing to list.
pub fn may_be_none(said: &str) -> bool {
    let said = said.trim().trim_end_matches('.').to_lowercase();
    matches!(
        said.as_str(),
        "none" | "nothing" | "n/a" | "na" | "null" | "nil" | "-" | "–" | "없음" | "없습니다" | "해당 없음" | "해당없음"
    )
}

/// The values between the commas of a text, where a list of values that are no texts is asked for: `1,000, 2,000`, `new, used`.
pub fn listed(said: &str, item: Node<'_>) -> Vec<Value> {
    // A bracket that nothing closes was cut off.
    let cut = said.trim_start().starts_with('[') && !said.contains(']');
    if cut || item.accepts(Kind::String) && item.choices().is_none() || !said.contains([',', ';', '、', '，']) {
        return Vec::new();
    }
    field::list(said.trim(), item)
}

/// Whether one line is a list and no sentence: short items, shorter where there are only two.
fn is_list(said: &str) -> bool {
    let parts: Vec<&str> = said.split([',', ';', '、', '，']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let most = if parts.len() > 2 { 4 } else { 2 };
    !is_sentence(said) && !said.contains('\n') && parts.iter().all(|part| part.split_whitespace().count() <= most)
}

/// Whether a mark that ends a sentence ends the text or one within it.
fn is_sentence(said: &str) -> bool {
    said.ends_with(['.', '!', '?', '…', ':', '。', '？', '！'])
        || [". ", "! ", "? "].iter().any(|end| said.contains(end))
}

fn kind(kind: &str) -> Change {
    change(kind, Value::Null, Value::Null, false)
}

fn lost(said: &str) -> Change {
    change("left_out", Value::from(units::beginning(said, 200)), Value::Null, true)
}

/// From the first line that was understood to the last.
fn span(lines: &[field::Line], used: &[bool]) -> Range<usize> {
    let first = used.iter().position(|used| *used).unwrap_or(0);
    let last = used.iter().rposition(|used| *used).unwrap_or(0);
    lines.get(first).map_or(0, |line| line.body.start)..lines.get(last).map_or(0, |line| line.body.end)
}
