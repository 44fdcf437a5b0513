//! Broken JSON to a value, each change recorded.
//!
//! Policy: where npm's jsonrepair and Python's json_repair agree on what a broken text meant, so does this (`tests/peer/repair_consensus.py`
//! compares on breakages made by the hundred). Where they differ, what loses least: a leading zero and a digit separator keep a number a
//! text, an escape without meaning keeps its backslash, a sentence without quotes keeps its commas. What was cut off is always marked
//! lossy, and a key whose value never came is left out rather than given a null.
//!
//! No crate: neither `jsonrepair` 0.1.0 nor `llm_json` 1.0.3 reaches the two tools on their own rows, the first panics on some, and neither
//! says what it changed. This is one pass with an explicit stack (`machine`), whose looks ahead have a common allowance (`cursor`),
//! so that no text takes more than linear time. Containers within containers beyond 512 are refused.
//! Next: `machine`, `quoted`, `bare`.

mod bare;
#[cfg(test)]
mod between_tests;
mod cursor;
mod machine;
mod quoted;
#[cfg(test)]
mod quoted_tests;
#[cfg(test)]
mod tests;

use std::ops::Range;

use serde_json::Value;

use super::parse::assembly::TooDeep;
use super::parse::{
    Candidate, between_footnotes, change, envelope, flattened, gather, name_left_out, segments, strict, wrapper,
};
use super::schema::Schema;
use super::schema::node::Kind;

/// What a text between Python's quotes means, and the kinds of change that may lose something.
pub fn python_text(inner: &str) -> (String, Vec<&'static str>) {
    let mut read = quoted::Read::default();
    quoted::unescape(inner, &mut read);
    let lossy = read.done.iter().filter(|(_, lossy)| *lossy).map(|(kind, _)| *kind).collect();
    (read.made, lossy)
}

/// The values that can be read out of a text that is no strict JSON, fenced ones first, else in their order; several that are nothing but a
/// list come as an array before they come alone. None where nothing in the text looks like JSON, or it is nested deeper than 512.
pub fn candidates(text: &str, schema: Option<&Schema>) -> Vec<Candidate> {
    if !text.contains('"') && text.contains("&quot;") {
        return decoded(text, schema);
    }
    let mut found = Vec::new();
    let pieces = segments::segments(text);
    let only = pieces.len() == 1;
    let mut allowance = cursor::allowance(text.len());
    let mut first = None;
    for piece in pieces {
        // A document among prose is looked for outside fences only where it plainly is one.
        let lenient = only || piece.fenced;
        // A part of what is nested too deeply would pass for the whole.
        let content = between_footnotes(text, piece.content, schema);
        if read_piece(text, content, lenient, schema, &mut allowance, &mut found, &mut first) == Err(TooDeep) {
            return Vec::new();
        }
    }
    name_left_out(text, &mut found, schema);
    let mut found = gather(text, found, schema);
    // Last of all: it is taken only where nothing else fits.
    found.extend(first.map(|first| alone(text, first, schema)));
    envelope::unwrap(&mut found, schema);
    wrapper::unwrap(&mut found, schema);
    found
}

/// A value that stands first of several, with the others told as lost.
fn alone(text: &str, mut first: Candidate, schema: Option<&Schema>) -> Candidate {
    name_left_out(text, std::slice::from_mut(&mut first), schema);
    if let Some(behind) = first.changes.iter_mut().rev().find(|change| change.kind == "left_out") {
        behind.lossy = true;
    }
    first
}

/// Reads one value after the other. `first` is the whole object that the text begins with, where broken ones behind make it a list's.
fn read_piece(
    text: &str,
    piece: Range<usize>,
    lenient: bool,
    schema: Option<&Schema>,
    allowance: &mut usize,
    found: &mut Vec<Candidate>,
    first: &mut Option<Candidate>,
) -> Result<(), TooDeep> {
    // A fence that ends and had no beginning.
    let within = text[..piece.end].trim_end_matches(segments::blank);
    let within = within.strip_suffix("```").filter(|rest| rest.len() > piece.start).unwrap_or(within);
    let mut at = piece.start;
    let mut stack = strict::Stack::default();
    let mut begins = lenient && may_begin(within.get(at..).unwrap_or_default(), schema);
    while let Some(start) = if begins { Some(at) } else { next_bracket(within, at) } {
        begins = false;
        // Most values among broken ones are whole.
        let mut whole = None;
        if within[start..].starts_with(['{', '['])
            && let Ok((value, changes, length)) = stack.prefix(&within[start..])
        {
            let end = start + length;
            let read = Candidate { value, span: start..end, changes };
            // What may go on with it as a list is the machine's.
            if !within[end..].trim_start().starts_with([',', '{', '[', '}', ']']) {
                found.push(read);
                at = end;
                continue;
            }
            let one =
                schema.map(Schema::root).is_some_and(|root| root.accepts(Kind::Object) && !root.accepts(Kind::Array));
            whole = (one && read.value.is_object() && found.is_empty() && first.is_none()).then_some(read);
        }
        let document = machine::read(within, start, asks_for_a_list(schema), *allowance)?;
        *allowance = document.allowance;
        let end = document.end.max(start + 1);
        let (mut values, mut changes) = (document.values, document.changes);
        if values.len() > 1 && whole.is_some() {
            *first = whole;
        }
        if let Some(last) = values.pop() {
            let value = if values.is_empty() {
                last
            } else {
                values.push(last);
                flattened(Value::Array(values), &mut changes, schema)
            };
            found.push(Candidate { value, span: start..document.end, changes });
        }
        at = end;
        while !within.is_char_boundary(at) {
            at += 1;
        }
    }
    Ok(())
}

/// The next bracket that begins JSON.
fn next_bracket(text: &str, from: usize) -> Option<usize> {
    let brackets = text[from.min(text.len())..].match_indices(['{', '[']).map(|(at, _)| from + at);
    brackets.into_iter().find(|at| segments::begins_json(text, *at))
}

/// Whether a text is JSON from its beginning, however broken: a bracket, a quote, a call, a pattern; a number or a word alone.
fn may_begin(piece: &str, schema: Option<&Schema>) -> bool {
    let text = piece.trim_start_matches(segments::blank);
    let Some(first) = text.chars().next() else { return false };
    let prose = schema.is_some_and(|schema| schema.root().accepts(Kind::String));
    match first {
        '{' => true,
        '[' => {
            segments::begins_json(text, 0)
                || !text[1..].chars().next().is_some_and(char::is_uppercase)
                || text.trim_end().ends_with(']')
        }
        '｛' | '［' => true,
        '/' if text.starts_with("//") || text.starts_with("/*") => {
            // What stands behind the comments, which begins with none.
            let behind = cursor::Cursor::new(text, 0, cursor::allowance(text.len())).gap_end(0, true);
            behind > 0 && !text[behind..].starts_with('/') && may_begin(&text[behind..], schema)
        }
        '/' => !text.contains(' '),
        '(' => text.trim_end().ends_with(')'),
        '"' | '\'' | '`' | '“' | '”' | '‘' | '’' | '\\' => !prose,
        _ => {
            let name = text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.'));
            let called = name.len() < text.len() && !first.is_ascii_digit() && name.trim_start().starts_with('(');
            let argument = name.trim_start().trim_start_matches('(').trim_start();
            let whole = text.trim_end().trim_end_matches(';').ends_with(')') && !argument.contains(' ');
            called && (whole || argument.starts_with(['{', '[', '"', '\'', ')'])) || !prose && is_word(text.trim_end())
        }
    }
}

/// Whether values side by side, with nothing but white space between, are what the schema asks for.
fn asks_for_a_list(schema: Option<&Schema>) -> bool {
    schema.is_some_and(|schema| schema.root().accepts(Kind::Array) && !schema.root().accepts(Kind::Object))
}

/// A number or one of the words of Python and JavaScript, alone.
fn is_word(text: &str) -> bool {
    let words = ["True", "False", "None", "undefined", "NaN"];
    words.contains(&text)
        || text.len() < 64
            && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eExX_".contains(&b))
            && text.bytes().any(|b| b.is_ascii_digit())
}

/// Quotes that were written as HTML writes them.
fn decoded(text: &str, schema: Option<&Schema>) -> Vec<Candidate> {
    let plain = text
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    let plain = plain.replace("&amp;", "&");
    let mut found = candidates(&plain, schema);
    for candidate in &mut found {
        // Spans are of the text as given.
        candidate.span = 0..text.len();
        candidate.changes.push(change("html_decoded", Value::from("&quot;"), Value::from("\""), false));
    }
    found
}
