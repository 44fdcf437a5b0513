//! Strict JSON in what a model said: the whole text, fenced blocks, values among prose, as candidates for the chain to choose from.
//! What is not quite JSON is left to `repair`, and then all of it: a text where one value is broken gives no candidates here, or the
//! unbroken part of it would be taken for the whole. Next: `strict`, `segments`, `crate::extract::repair`.

mod around;
pub mod assembly;
pub mod comments;
pub mod cues;
pub mod envelope;
mod label;
pub mod number;
pub mod segments;
pub mod strict;
mod word;
pub mod wrapper;

pub use around::{footnote, reference};

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::attempt::Change;
use super::plain::remarks;
use super::schema::Schema;
use super::schema::node::{Kind, Node};

/// A value found in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub value: Value,
    /// Where in the text it stands, in bytes.
    pub span: Range<usize>,
    pub changes: Vec<Change>,
}

/// The values that stand in the text as strict JSON, fenced ones first, else in their order. Several that are nothing but a list, and
/// several for a schema that asks for an array, come as an array before they come alone.
///
/// A key that stands twice is recorded (`duplicate_key`, lossy where the values differ), so is a number that JSON's types cannot hold: a
/// fraction is rounded (`number_rounded`, lossy), a whole number beyond 64 bits is kept as text (`number_kept_as_text`).
pub fn candidates(text: &str, schema: Option<&Schema>) -> Vec<Candidate> {
    let mut found = values(text, schema);
    envelope::unwrap(&mut found, schema);
    wrapper::unwrap(&mut found, schema);
    found
}

fn values(text: &str, schema: Option<&Schema>) -> Vec<Candidate> {
    let lead = text.len() - text.trim_start_matches(segments::blank).len();
    let trimmed = text.trim_matches(segments::blank);
    let mut stack = strict::Stack::default();
    if let Ok((value, changes)) = stack.value(trimmed) {
        let span = lead..lead + trimmed.len();
        let within = written_into_a_string(&value, &span, schema);
        let whole = Candidate { value, span, changes };
        return within.into_iter().chain([whole]).collect();
    }
    let mut found = Vec::new();
    for segment in segments::segments(text) {
        let content = &text[segment.content.clone()];
        if segment.fenced
            && let Ok((value, changes)) = stack.value(content)
        {
            found.push(Candidate { value, span: segment.content, changes });
            continue;
        }
        let regions = segments::regions(text, segment.content.clone());
        if regions.unclosed.is_some() {
            return Vec::new();
        }
        let bare = content.trim_start_matches(segments::blank).starts_with(['{', '[']);
        for region in regions.closed {
            match stack.value(&text[region.clone()]) {
                Ok((value, changes)) => found.push(Candidate { value, span: region, changes }),
                Err(_) if segments::begins_json(text, region.start) || bare => return Vec::new(),
                Err(_) => {}
            }
        }
    }
    drop_footnotes(text, &mut found, schema);
    if found.is_empty() {
        found.extend(word::among_prose(text, schema));
    }
    if found.len() > 1 && commented(text, &found) {
        return Vec::new();
    }
    name_left_out(text, &mut found, schema);
    gather(text, found, schema)
}

/// The pieces of text before each value and behind the last, in the order in which the values stand.
fn gaps(text: &str, found: &[Candidate]) -> Vec<(usize, Range<usize>)> {
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|index| found[*index].span.start);
    let mut at = 0;
    let mut gaps = Vec::with_capacity(order.len() + 1);
    gaps.extend(order.iter().map(|index| {
        let span = &found[*index].span;
        let gap = at..span.start.max(at);
        at = span.end.max(at);
        (*index, gap)
    }));
    gaps.extend(order.last().map(|last| (*last, at..text.len())));
    gaps
}

/// Whether comments stand between values: `repair` reads over them.
fn commented(text: &str, found: &[Candidate]) -> bool {
    // Most texts have none at all.
    let any = text.contains("//") || text.contains("/*");
    any && gaps(text, found).iter().any(|(_, gap)| {
        let gap = text[gap.clone()].trim_start_matches(|c: char| segments::blank(c) || c == ',');
        gap.starts_with("//") || gap.starts_with("/*")
    })
}

/// Records what stands around the values: prose is left out by right, what says something more is lost.
pub fn name_left_out(text: &str, found: &mut [Candidate], schema: Option<&Schema>) {
    // A field's name above its value is none of it, where nothing else is lost.
    if let ([only], Some(known)) = (&mut *found, schema)
        && let Some(mut labelled) = label::read(text, only, known)
    {
        tell_left_out(text, std::slice::from_mut(&mut labelled), schema);
        if !labelled.changes.iter().any(|change| change.kind == "left_out" && change.lossy) {
            *only = labelled;
            return;
        }
    }
    tell_left_out(text, found, schema);
}

fn tell_left_out(text: &str, found: &mut [Candidate], schema: Option<&Schema>) {
    // Where an example is all that there is, it is taken for the answer.
    let alone = found.len() == 1;
    for (index, gap) in gaps(text, found) {
        let around = |c: char| segments::blank(c) || matches!(c, ',' | ';' | '`');
        if text[gap.clone()].chars().all(around) {
            continue;
        }
        let (before, behind) = (gap.end < text.len(), gap.start > 0);
        // A fence's line says nothing but its language.
        let fence = |line: &str| {
            let mark = line.trim_start().strip_prefix("```").or_else(|| line.trim_start().strip_prefix("~~~"));
            mark.is_some_and(|rest| rest.trim().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'`'))
        };
        // Below a value that has all of its fields a name that none of them has is a remark: `Confidence: 95%`.
        let below = behind && text[gap.clone()].trim_start_matches([' ', '\t', '`']).starts_with(['\n', '\r']);
        let complete = |value: &Value| below && schema.is_some_and(|schema| is_complete(value, schema.root(), 0));
        let announced = text[gap.clone()]
            .strip_prefix(',')
            .is_some_and(|rest| rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n'));
        let mut said = Cow::from(&text[gap]);
        if said.split_inclusive('\n').any(fence) {
            said = said.split_inclusive('\n').filter(|line| !fence(line)).collect::<String>().into();
        }
        let said = said.trim_matches(around);
        if said.is_empty() {
            continue;
        }
        let bracketed = said.contains(['{', '}', '[', ']', '"']);
        let lost = around::is_lost(said, behind) && (bracketed || !complete(&found[index].value));
        // Below a list in brackets one with marks goes on with it, and so may what a comma announces.
        let listed = !before && (announced || found[index].value.is_array() && below && around::is_item(said));
        let comment = said.starts_with("//") || said.starts_with("/*") || said.starts_with('#') && !below;
        let lossy = lost
            || listed
            || behind && comment && comments::is_lost(said, false)
            || before
                && schema.is_some_and(|schema| super::plain::names_what_follows(said, schema, &found[index].value))
            || remarks::takes_back(said, behind)
            || !behind && alone && (cues::cue(said, false) == cues::Cue::Example || cues::disowns(said))
            || behind && schema.is_some_and(|schema| remarks::tells_another(said, schema, &found[index].value))
            || schema.is_some_and(|schema| super::plain::speaks_of_a_field(said, schema));
        let beginning = crate::units::beginning(said, 200);
        let before =
            Value::from(if beginning.len() < said.len() { format!("{beginning}…") } else { said.to_owned() });
        // Mostly the only one: of many values the room for more would be most of what they take.
        found[index].changes.reserve_exact(1);
        found[index].changes.push(change("left_out", before, Value::Null, lossy));
    }
}

/// Whether an object has all the fields that its schema knows, so that none of them can be what is said elsewhere. One with a list has not:
/// an item may be.
pub fn is_complete(value: &Value, node: Node<'_>, depth: usize) -> bool {
    let Value::Object(fields) = value else { return false };
    node.properties().len() > 0
        && depth < 8
        && node.properties().all(|property| {
            let is_it = |key: &str| {
                node.called(key).or_else(|| node.called_but_for_bracket(key)).is_some_and(|p| p.key == property.key)
            };
            let said = fields.iter().find(|(key, _)| is_it(key));
            let below = |(_, value): (&String, &Value)| {
                !value.is_null()
                    && !value.is_array()
                    && (!value.is_object() || is_complete(value, property.node, depth + 1))
            };
            said.is_some_and(below)
        })
}

/// `"{\"a\": 1}"`: a document in a string, where the schema wants no string.
fn written_into_a_string(value: &Value, span: &Range<usize>, schema: Option<&Schema>) -> Option<Candidate> {
    let inner = value.as_str()?.trim();
    let wanted = schema.is_some_and(|schema| !schema.root().accepts(Kind::String));
    if !wanted || !inner.starts_with(['{', '[']) {
        return None;
    }
    let (made, mut changes) = strict::value(inner).ok()?;
    changes.push(change("string_unwrapped", value.clone(), Value::Null, false));
    Some(Candidate { value: made, span: span.clone(), changes })
}

/// `[1]` behind a sentence refers to a source, and so does one behind a value or before a line's text where the schema has no such list.
fn drop_footnotes(text: &str, found: &mut Vec<Candidate>, schema: Option<&Schema>) {
    let strange = takes_no_numbers(schema);
    let footnote = |c: &Candidate| {
        let number = c.value.as_array().is_some_and(|items| items.len() == 1 && items[0].is_u64());
        let before = text[..c.span.start].trim_end_matches(' ');
        number
            && (before.ends_with(|c: char| c.is_alphanumeric() || ".)\"".contains(c))
                || strange && (before.ends_with(['}', ']']) || around::footnote(&text[c.span.start..]).is_some()))
    };
    if found.iter().any(|c| !footnote(c)) {
        found.retain(|c| !footnote(c));
    }
}

/// Whether the schema has no place at its top for a list of numbers.
pub fn takes_no_numbers(schema: Option<&Schema>) -> bool {
    schema.map(Schema::root).is_some_and(|root| {
        let items = || super::plain::items_of(root).is_some_and(|item| !item.accepts(Kind::Integer));
        !root.accepts(Kind::Array) || items()
    })
}

/// A piece of a text without the lines of footnotes at its two ends.
pub fn between_footnotes(text: &str, piece: Range<usize>, schema: Option<&Schema>) -> Range<usize> {
    let Range { mut start, mut end } = piece;
    if !takes_no_numbers(schema) {
        return start..end;
    }
    let is_note = |line: &str| line.trim().is_empty() || around::footnote(line).is_some_and(|said| !said.contains('{'));
    while let Some(line) = text[start..end].split_inclusive('\n').next().filter(|line| is_note(line)) {
        start += line.len();
    }
    while let Some(line) = text[start..end].split_inclusive('\n').next_back().filter(|line| is_note(line)) {
        end -= line.len();
    }
    if start < end { start..end } else { piece }
}

/// Several values as one array: first where nothing else stands in the text or the schema asks for an array of such, else not at all.
/// Where the schema's items are no lists, what stands in several lists is one list.
pub fn gather(text: &str, found: Vec<Candidate>, schema: Option<&Schema>) -> Vec<Candidate> {
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return found };
    if found.len() < 2 {
        return found;
    }
    let empty = |gap: &str| gap.trim_matches(|c: char| segments::blank(c) || c == ',').is_empty();
    // Brackets behind the last were opened nowhere.
    let stray = |gap: &str| empty(gap.trim_end_matches([']', '}', ' ', '\n']));
    let gaps = gaps(text, &found);
    let listed = gaps.iter().rev().enumerate().all(|(from_end, (_, gap))| {
        let gap = &text[gap.clone()];
        if from_end == 0 { stray(gap) } else { empty(gap) }
    });
    let root = schema.map(Schema::root);
    let array = root.is_some_and(|root| root.accepts(Kind::Array) && !root.accepts(Kind::Object));
    if !(listed || array && found.iter().all(|c| !c.value.is_array())) {
        return found;
    }
    let called = if listed { Called::default() } else { called(text, &gaps[..found.len()]) };
    // Of two the second may take the place of the first, and what stands behind examples is the answer.
    if found.len() == 2 && called.another || called.examples > 0 && called.examples + 1 == found.len() {
        return found;
    }
    if called.examples > 0 {
        return behind_examples(text, found, &gaps, called.examples, schema);
    }
    let flat = items_are_no_lists(schema);
    let span = first.span.start..last.span.end.max(first.span.end);
    // Room for all at once: of many values the lists grow to megabytes.
    let mut changes = Vec::with_capacity(1 + found.iter().map(|c| c.changes.len()).sum::<usize>());
    changes.push(change("values_gathered", Value::from(found.len()), Value::Null, called.differently));
    let mut items = Vec::with_capacity(found.len());
    let mut alone = Vec::with_capacity(found.len().min(MOST_ALONE));
    for candidate in found {
        if alone.len() < MOST_ALONE {
            alone.push(candidate.clone());
        }
        let index = items.len();
        let Candidate { value, changes: inside, .. } = candidate;
        changes.extend(inside.into_iter().map(|c| Change { path: gathered_path(&c.path, index, flat, &value), ..c }));
        match value {
            Value::Array(list) if flat => items.extend(list),
            other => items.push(other),
        }
    }
    [Candidate { value: Value::Array(items), span, changes }].into_iter().chain(alone).collect()
}

/// What the words before several values call them.
#[derive(Default)]
struct Called {
    /// How many of the first are examples, where an answer follows them.
    examples: usize,
    /// Whether one is called another for the one before, or a correction of it.
    another: bool,
    /// Whether they may be no items of one list.
    differently: bool,
}

fn called(text: &str, gaps: &[(usize, Range<usize>)]) -> Called {
    let mut last = cues::Cue::None;
    let mut of_each = Vec::with_capacity(gaps.len());
    let (mut another, mut disowned) = (false, false);
    for (nth, (_, gap)) in gaps.iter().enumerate() {
        let gap = &text[gap.clone()];
        if gap.contains(char::is_alphabetic) {
            another |= nth > 0 && (cues::corrects(gap) || cues::offers_another(gap));
            disowned |= cues::disowns(gap);
            // What is said of one holds for those behind it: `Answer: {…}, {…}`.
            let cue = cues::cue(gap, nth > 0);
            last = if cue == cues::Cue::None { last } else { cue };
        }
        of_each.push(last);
    }
    let first = of_each.iter().take_while(|cue| **cue == cues::Cue::Example).count();
    let answers = first < of_each.len() && of_each[first..].iter().all(|cue| *cue == cues::Cue::Answer);
    let example = of_each.contains(&cues::Cue::Example);
    let differently = another || disowned || example || of_each.windows(2).any(|two| two[0] != two[1]);
    Called { examples: if answers { first } else { 0 }, another, differently }
}

/// The list of what stands behind the examples, which are told as left out.
fn behind_examples(
    text: &str,
    found: Vec<Candidate>,
    gaps: &[(usize, Range<usize>)],
    examples: usize,
    schema: Option<&Schema>,
) -> Vec<Candidate> {
    let from = gaps.get(examples).map_or(0, |(_, gap)| gap.start);
    let answers: Vec<Candidate> = found.into_iter().filter(|candidate| candidate.span.start >= from).collect();
    let mut gathered = gather(text, answers, schema);
    let said = crate::units::beginning(text[..from].trim(), 200);
    if let Some(all) = gathered.first_mut() {
        all.changes.push(change("left_out", Value::from(said), Value::Null, true));
    }
    gathered
}

/// So many of the values that are in a list of all come alone besides: a text of more is no answer but as a list, and copies cost memory.
pub const MOST_ALONE: usize = 1_000;

/// How many values are in the list of all, where [`gather`] made one, and do not come alone besides.
pub fn listed_only(candidates: &[Candidate]) -> usize {
    let [all, first, ..] = candidates else { return 0 };
    let told = all.changes.iter().find(|c| c.kind == "values_gathered" && c.path.is_empty());
    let told = told.filter(|_| all.span.start == first.span.start).and_then(|c| c.before.as_u64());
    told.map_or(0, |told| usize::try_from(told).unwrap_or(0).saturating_sub(candidates.len() - 1))
}

/// Whether the schema asks for a list whose items are none themselves.
fn items_are_no_lists(schema: Option<&Schema>) -> bool {
    let Some(root) = schema.map(Schema::root) else { return false };
    let lists = root.accepts(Kind::Array) && !root.accepts(Kind::Object);
    lists && super::plain::items_of(root).is_some_and(|item| !item.accepts(Kind::Array))
}

/// Where a change of a value lies once the value is in a list of all: at `index`, or so many items further on.
fn gathered_path(path: &str, index: usize, flat: bool, value: &Value) -> String {
    if !(flat && value.is_array()) {
        return ["/", &index.to_string(), path].concat();
    }
    let inside = path.strip_prefix('/').unwrap_or_default();
    let (item, rest) = inside.split_at(inside.find('/').unwrap_or(inside.len()));
    item.parse::<usize>().map_or(String::new(), |item| format!("/{}{rest}", index + item))
}

/// Lists that stood one behind the other, as the one list that the schema asks for.
pub fn flattened(value: Value, changes: &mut Vec<Change>, schema: Option<&Schema>) -> Value {
    let Value::Array(parts) = value else { return value };
    if parts.len() < 2 || !parts.iter().any(Value::is_array) || !items_are_no_lists(schema) {
        return Value::Array(parts);
    }
    let starts: Vec<usize> = parts
        .iter()
        .scan(0, |at, part| {
            let start = *at;
            *at += part.as_array().map_or(1, Vec::len);
            Some(start)
        })
        .collect();
    for change in changes.iter_mut() {
        let inside = change.path.strip_prefix('/').unwrap_or_default();
        let (part, rest) = inside.split_at(inside.find('/').unwrap_or(inside.len()));
        if let Some((part, start)) = part.parse::<usize>().ok().and_then(|at| parts.get(at).zip(starts.get(at))) {
            change.path = gathered_path(rest, *start, true, part);
        }
    }
    changes.push(change("values_gathered", Value::from(parts.len()), Value::Null, false));
    let mut items = Vec::new();
    for part in parts {
        match part {
            Value::Array(list) => items.extend(list),
            other => items.push(other),
        }
    }
    Value::Array(items)
}

/// A change of the whole value.
pub fn change(kind: &str, before: Value, after: Value, lossy: bool) -> Change {
    Change { path: String::new(), kind: kind.to_owned(), before, after, lossy }
}
