//! The walk through a value and its schema: where a string stands and the schema asks for a number, a time or one of a list, it is
//! read as such, and the change recorded. What fits already and what may be any text is left alone.

use jiff::civil::DateTime;
use serde_json::{Number, Value};

use super::super::attempt::Change;
use super::super::schema::{Kind, Node, Rest, Schema, names};
use super::super::validate::{MOST_DEPTH, is_shallow};
use super::super::{formats, plain, schema::Choice};
use super::choose::{is_labelled, with_value};
use super::figure::figure;
use super::text::has_struck;
use super::time::{asked_for, asks_for_the_end, goes_on};
use super::{Want, answer, choose, money, number, time};

/// A value after normalising.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalised {
    pub value: Value,
    /// In the value's order; of one string the reading first, then what it left open or out, each marked lossy.
    pub changes: Vec<Change>,
}

/// Reads local numbers, money, times and names from a list where the schema asks for such a value. Bounds are for validation.
/// A value nested deeper than [`MOST_DEPTH`] comes back as it is.
pub fn normalise(value: Value, schema: &Schema, now: DateTime) -> Normalised {
    let mut walk = Walk { now, changes: Vec::new() };
    let mut value = value;
    if is_shallow(&value, MOST_DEPTH) {
        walk.visit(&mut value, schema.root(), &mut String::new());
    }
    Normalised { value, changes: walk.changes.into_iter().map(|told| told.change).collect() }
}

struct Walk {
    now: DateTime,
    changes: Vec<Told>,
}

struct Told {
    change: Change,
    /// Whether it was held against a currency that a field beside it says, or one around it.
    is_priced: bool,
}

/// What a string was read as.
pub(super) struct Reading {
    pub(super) value: Value,
    pub(super) kind: &'static str,
    pub(super) lossy: bool,
    /// Kinds of further changes: what was inferred, supplied or dropped.
    pub(super) open: Vec<&'static str>,
}

impl Walk {
    fn visit(&mut self, value: &mut Value, node: Node<'_>, path: &mut String) {
        match value {
            Value::String(text) => {
                let Some(reading) = leaf(text, node, path, self.now) else {
                    if let Some(list) = listed(text, node) {
                        let before = std::mem::replace(value, list);
                        // 1,234 may be one number.
                        let guessed = before.as_str().is_some_and(|text| number(text).is_some());
                        self.record(path, "list_read", before, value, guessed);
                        self.visit(value, node, path);
                    }
                    return;
                };
                let before = std::mem::replace(value, reading.value);
                let Some((last, others)) = reading.open.split_last() else {
                    return self.record(path, reading.kind, before, value, reading.lossy);
                };
                self.record(path, reading.kind, before.clone(), value, reading.lossy);
                for kind in others {
                    self.record(path, kind, before.clone(), value, true);
                }
                self.record(path, last, before, value, true);
            }
            Value::Array(items) => {
                let Some(node) = the_one(node, Kind::Array, |_| true) else { return };
                for (index, item) in items.iter_mut().enumerate() {
                    if let Rest::Node(node) = node.item(index) {
                        let length = path.len();
                        names::push_index(path, index);
                        self.visit(item, node, path);
                        path.truncate(length);
                    }
                }
            }
            Value::Object(fields) => {
                // What is wrong with an object tells apart what it may be, and is no reason to leave its other fields as they are.
                let alone = node.branches().len() == 0;
                let fits = |node: Node<'_>| alone || is_meant(fields, node);
                let Some(node) = the_one(node, Kind::Object, fits) else { return };
                let before = self.changes.len();
                for (key, field) in fields.iter_mut() {
                    if let Rest::Node(node) = node.field(key) {
                        let length = path.len();
                        names::push(path, key);
                        self.visit(field, node, path);
                        path.truncate(length);
                    }
                }
                self.keep_currencies(before, fields);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A currency that another field of the same object says, or of one around it, is not lost. An amount in won beside another is no such amount.
    fn keep_currencies(&mut self, from: usize, fields: &serde_json::Map<String, Value>) {
        let is_open = |told: &Told| !told.is_priced && told.change.after.is_number();
        if !self.changes[from..].iter().any(is_open) {
            return;
        }
        let said: Vec<&str> = fields.values().filter_map(|field| money::currency(field.as_str()?)).collect();
        if said.is_empty() {
            return;
        }
        let is_foreign = names_a_currency(fields) && !said.contains(&WON_DROPPED);
        for told in self.changes.split_off(from) {
            if !is_open(&told) {
                self.changes.push(told);
                continue;
            }
            let change = &told.change;
            let before = self.changes[from..].last().map(|last| &last.change).filter(|last| last.path == change.path);
            let is_said = change.kind.starts_with("currency_") && said.contains(&change.kind.as_str());
            let is_twice = before.is_some_and(|before| before.kind == change.kind);
            let in_won = is_foreign && before.is_none() && in_won(&change.before);
            let won = in_won.then(|| Change { kind: WON_DROPPED.to_string(), lossy: true, ..change.clone() });
            let kept = (!is_said && !is_twice).then_some(told.change);
            self.changes.extend(kept.into_iter().chain(won).map(|change| Told { change, is_priced: true }));
        }
    }

    fn record(&mut self, path: &str, kind: &str, before: Value, after: &Value, lossy: bool) {
        let (path, kind) = (path.to_string(), kind.to_string());
        self.changes
            .push(Told { change: Change { path, kind, before, after: after.clone(), lossy }, is_priced: false });
    }
}

const WON_DROPPED: &str = "currency_krw_dropped";

/// Whether a field that is called a currency has one.
fn names_a_currency(fields: &serde_json::Map<String, Value>) -> bool {
    let is_called = |key: &str| ["currency", "통화", "화폐"].iter().any(|name| key.to_lowercase().contains(name));
    fields.iter().any(|(key, value)| is_called(key) && value.as_str().and_then(money::currency).is_some())
}

fn in_won(text: &Value) -> bool {
    text.as_str().is_some_and(|text| money::currencies(text) == (true, false))
}

/// The node to follow into an array or object: this one, or the only alternative of that kind that the value fits.
fn the_one<'s>(node: Node<'s>, kind: Kind, fits: impl Fn(Node<'s>) -> bool) -> Option<Node<'s>> {
    if node.branches().len() == 0 {
        return (node.accepts(kind) && fits(node)).then_some(node);
    }
    let mut open = vec![node];
    let mut found = None;
    // Alternatives may have alternatives; a schema has at most so many nodes on the way as its depth and width allow.
    let mut steps = 0;
    while let Some(node) = open.pop() {
        steps += 1;
        if node.branches().len() > 0 {
            open.extend(node.branches().take(64));
        } else if node.accepts(kind) && fits(node) {
            if found.is_some_and(|other: Node<'_>| other != node) {
                return None;
            }
            found = Some(node);
        }
        if steps > 256 {
            return None;
        }
    }
    found
}

/// Whether an object has the fields that the node requires, its fixed values, and none that it forbids.
fn is_meant(fields: &serde_json::Map<String, Value>, node: Node<'_>) -> bool {
    let complete = node.required().iter().all(|key| fields.contains_key(key));
    complete
        && fields.iter().all(|(key, value)| match node.field(key) {
            Rest::Forbidden => false,
            Rest::Any => true,
            Rest::Node(field) => match field.choices() {
                Some([only]) => only.value == *value,
                _ => true,
            },
        })
}

/// The list that a string is, where one of values that are no texts is asked for and each of its pieces can be such a value. Evidence is that
/// the text as a whole is none, and that all pieces are.
fn listed(text: &str, node: Node<'_>) -> Option<Value> {
    if node.accepts(Kind::String) {
        return None;
    }
    let node = the_one(node, Kind::Array, |_| true)?;
    let Rest::Node(item) = node.items() else { return None };
    let items = plain::listed(text, item);
    let fits = |value: &Value| match value {
        Value::String(text) => takes(text, item) || leaf(text, item, "", DateTime::default()).is_some(),
        other => match item.choices() {
            Some(choices) => with_value(choices, other).is_some(),
            None => item.accepts(Kind::of(other)) || other.is_u64() && item.accepts(Kind::Number),
        },
    };
    (items.len() > 1 && items.iter().all(fits)).then_some(Value::Array(items))
}

/// What the string is read as; none where it may stay, or says nothing that the schema asks for.
fn leaf(text: &str, node: Node<'_>, path: &str, now: DateTime) -> Option<Reading> {
    if node.choices().is_some() || node.branches().len() == 0 {
        if takes(text, node) {
            return None;
        }
        if is_unended(text, node, node, path) {
            return node.accepts(Kind::Null).then(|| to_null("ongoing_to_null"));
        }
        return read(text, node, node, path, now).or_else(|| none_of(text, node));
    }
    let mut ways = Vec::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        if ways.len() > 64 {
            return None;
        }
        if node.choices().is_none() && node.branches().len() > 0 {
            open.extend(node.branches().take(64));
        } else {
            ways.push(node);
        }
    }
    ways.reverse();
    if ways.iter().any(|node| takes(text, *node)) {
        return None;
    }
    if ways.iter().any(|way| is_unended(text, *way, node, path)) {
        return ways.iter().any(|way| way.accepts(Kind::Null)).then(|| to_null("ongoing_to_null"));
    }
    let readings = ways.into_iter().filter_map(|way| read(text, way, node, path, now));
    // Of several ways that of which least had to be supplied or left out; the first of equals.
    // 12/25 is a day rather than a fraction where a day is asked for as well.
    let best =
        readings.min_by_key(|reading| (reading.kind == "fraction", reading.open.len() + usize::from(reading.lossy)));
    best.or_else(|| none_of(text, node))
}

/// Null for a text that says that there is none, where null may stand and nothing else was read.
fn none_of(text: &str, node: Node<'_>) -> Option<Reading> {
    let may_be_null = match node.choices() {
        Some(choices) => choices.iter().any(|choice| choice.value.is_null()),
        None => node.accepts(Kind::Null) || node.branches().any(|branch| branch.accepts(Kind::Null)),
    };
    (may_be_null && says_none(text)).then(|| to_null("none_to_null"))
}

fn to_null(kind: &'static str) -> Reading {
    Reading { value: Value::Null, kind, lossy: true, open: Vec::new() }
}

/// Whether a text says that what the field asks the end of still goes on. Today is not when it ended. `way` asks for a time, and `node`,
/// whose alternative it may be, has the names.
fn is_unended(text: &str, way: Node<'_>, node: Node<'_>, path: &str) -> bool {
    let day = matches!(way.format().and_then(want), Some(Want::Date | Want::DateTime));
    let names = || about([key(path), node.title().or(way.title()), node.description().or(way.description())]);
    day && way.choices().is_none() && goes_on(text) && asks_for_the_end(&names())
}

fn says_none(text: &str) -> bool {
    const UNTOLD: [&str; 8] =
        ["unknown", "tbd", "not applicable", "not available", "not specified", "미정", "모름", "알 수 없음"];
    let said = text.trim().trim_end_matches('.').to_lowercase();
    plain::may_be_none(&said) || UNTOLD.contains(&said.as_str())
}

/// Whether the string is already what the node asks for, or may be any text.
fn takes(text: &str, node: Node<'_>) -> bool {
    match (node.choices(), node.format()) {
        (Some(choices), _) => choices.iter().any(|choice| choice.value == *text),
        (None, Some(format)) if want(format).is_some() => node.accepts(Kind::String) && formats::fits(format, text),
        _ => node.accepts(Kind::String),
    }
}

fn want(format: &str) -> Option<Want> {
    match format {
        "date" => Some(Want::Date),
        "date-time" => Some(Want::DateTime),
        "time" => Some(Want::Time),
        "duration" => Some(Want::Duration),
        _ => None,
    }
}

/// The number that a text gives where it is the whole of what the schema asks for, and the kinds of what reading it leaves out or guesses.
pub(in crate::extract) fn marks(text: &str, node: Node<'_>) -> Option<(Value, Vec<&'static str>)> {
    if !node.accepts(Kind::Integer) && !node.accepts(Kind::Number) {
        return None;
    }
    let reading = read(text, node, node, "", DateTime::default()).filter(|reading| reading.value.is_number())?;
    let lossy = reading.lossy.then_some(reading.kind);
    Some((reading.value, lossy.into_iter().chain(reading.open).collect()))
}

/// `outer` has the names that `node` has not where it is one of its alternatives.
fn read(text: &str, node: Node<'_>, outer: Node<'_>, path: &str, now: DateTime) -> Option<Reading> {
    if has_struck(text) {
        return None;
    }
    let (title, description) = (node.title().or(outer.title()), node.description().or(outer.description()));
    if let Some(choices) = node.choices() {
        // A description tells of the choices, and would make words of theirs say nothing.
        let mut reading = chosen(text, choices, &about([key(path), title, None]))?;
        let labelled = || choices.iter().any(|c| c.value == reading.value && is_labelled(text, c));
        if path.is_empty() && reading.kind == IN_SENTENCE && reading.lossy && labelled() {
            reading.lossy = false;
        }
        return Some(reading);
    }
    if let Some(want) = node.format().filter(|_| node.accepts(Kind::String)).and_then(want) {
        let reading = time(text, now, want)?;
        let value = Value::String(reading.value);
        let open = asked_for(reading.inferred, || about([key(path), title, description]));
        return Some(Reading { value, kind: reading.kind, lossy: false, open });
    }
    let answered = || if node.accepts(Kind::Boolean) { yes_or_no(text) } else { None };
    if !node.accepts(Kind::Integer) && !node.accepts(Kind::Number) {
        return answered();
    }
    figure(text, node, [key(path), title, description]).or_else(answered)
}

/// The field's name: the path's last that is no index.
fn key(path: &str) -> Option<&str> {
    path.rsplit('/').find(|key| !key.is_empty() && !key.bytes().all(|b| b.is_ascii_digit()))
}

/// A field's names one behind the other, the key first: `price_krw` and `priceKrw` as `price krw`, `width_in` as `width inches`.
pub(super) fn about([key, title, description]: [Option<&str>; 3]) -> String {
    let mut about = String::new();
    if let Some(key) = key {
        about = in_words(key);
    }
    let mut first = key.is_none();
    for name in [title, description].into_iter().flatten() {
        if !std::mem::take(&mut first) {
            about.push(' ');
        }
        about.push_str(name);
    }
    about
}

/// What is measured in inches, of a key that ends with `in`.
const EXTENTS: [&str; 9] =
    ["width", "height", "length", "depth", "size", "diameter", "diagonal", "thickness", "rainfall"];

/// A key's words. The letters of a unit are none: kWh.
fn in_words(key: &str) -> String {
    let mut words = String::with_capacity(key.len() + 8);
    for c in key.chars() {
        let joined = words.bytes().rev().take(2).filter(u8::is_ascii_lowercase).count() == 2;
        if c.is_ascii_uppercase() && joined {
            words.push(' ');
        }
        words.push(if matches!(c, '_' | '-') { ' ' } else { c });
    }
    let before = words.strip_suffix(" in").unwrap_or_default();
    if EXTENTS.iter().any(|extent| before.to_ascii_lowercase().ends_with(extent)) {
        words.push_str("ches");
    }
    words
}

fn yes_or_no(text: &str) -> Option<Reading> {
    let answer = answer::answer(text)?;
    Some(Reading { value: answer.is_yes.into(), kind: "yes_or_no", lossy: answer.left_over, open: Vec::new() })
}

/// The choice that is a yes or a no as the text is, where the list has one of either: 아니요 for `no`.
fn answered(text: &str, choices: &[Choice]) -> Option<Reading> {
    let answer = answer::answer(text)?;
    let says = |is_yes| {
        let mut named = choices.iter().filter(move |choice| {
            choice.value.as_str().and_then(answer::answer).is_some_and(|said| said.is_yes == is_yes && !said.left_over)
        });
        named.next().filter(|_| named.next().is_none())
    };
    let (choice, _) = says(answer.is_yes).zip(says(!answer.is_yes))?;
    Some(Reading { value: choice.value.clone(), kind: "yes_or_no", lossy: answer.left_over, open: Vec::new() })
}

const IN_SENTENCE: &str = "enum_in_sentence";

fn chosen(text: &str, choices: &[Choice], about: &str) -> Option<Reading> {
    if let Some(reading) = answered(text, choices) {
        return Some(reading);
    }
    if let Some(chosen) = choose(text, choices, about) {
        let value = choices.get(chosen.index)?.value.clone();
        return Some(Reading { value, kind: IN_SENTENCE, lossy: chosen.left_over, open: Vec::new() });
    }
    if choices.iter().any(|choice| choice.value.is_boolean()) {
        return yes_or_no(text).filter(|reading| with_value(choices, &reading.value).is_some());
    }
    let listed_numbers = choices.iter().any(|choice| choice.value.is_number());
    let reading = if listed_numbers { number(text)? } else { return None };
    let value: Number = reading.value;
    let choice = with_value(choices, &Value::Number(value))?;
    Some(Reading { value: choice.value.clone(), kind: reading.kind, lossy: reading.lossy, open: Vec::new() })
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
