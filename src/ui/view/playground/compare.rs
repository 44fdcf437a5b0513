//! Two outcomes beside each other: verdict, tokens, time, and every field of the two values, with a mark where they differ. A row's value
//! beside the right one is told the same way.

use serde_json::Value;

use super::attempts::{stage_name, took};
use crate::extract::attempt::Trace;
use crate::extract::origin::losses;
use crate::extract::report::equal;
use crate::ui::format;
use crate::ui::state::playground::trial::Outcome;
use crate::ui::theme::Role;
use crate::ui::widgets::{Words, words};
use crate::units::{beginning, printable};

/// More fields than these are not told apart: nobody reads them.
const MOST_FIELDS: usize = 500;
/// Of a value as much as anyone reads in a column.
const MOST_BYTES: usize = 2 << 10;

/// What is told of each outcome: its name, and how it is read off the trace.
type Fact = (&'static str, fn(&Trace) -> String);

/// Two outcomes; `making` tells which of them are not there yet.
pub fn lines(a: &Outcome, b: &Outcome, making: [bool; 2], width: u16) -> Vec<Words> {
    let columns = Columns::new(width);
    let mut lines =
        vec![columns.line("", ("* differs", Role::Faint), (&a.label, Role::Title), (&b.label, Role::Title))];
    let facts: [Fact; 4] =
        [("verdict", verdict), ("calls", calls), ("tokens", tokens), ("time", |trace| took(trace.totals.ms))];
    // Nobody pays for what has no price.
    let costs = [a, b].iter().any(|one| one.trace.totals.cost.is_some());
    let cost: Option<Fact> = costs.then_some(("cost", cost));
    for (name, of) in facts.into_iter().chain(cost) {
        let role = |trace: &Trace, is_making: bool| match (name, trace.ok) {
            ("verdict", _) if is_making => Role::Active,
            ("verdict", true) if losses(trace).next().is_some() => Role::Warn,
            ("verdict", true) => Role::Good,
            ("verdict", false) => Role::Bad,
            _ => Role::Text,
        };
        let told = |trace: &Trace, is_making: bool| match (name, is_making) {
            ("verdict", true) => "being made".to_owned(),
            (_, true) => String::new(),
            _ => of(trace),
        };
        let (left, right) = (told(&a.trace, making[0]), told(&b.trace, making[1]));
        let (left, right) = ((left.as_str(), role(&a.trace, making[0])), (right.as_str(), role(&b.trace, making[1])));
        lines.push(columns.line("", (name, Role::Label), left, right));
    }
    lines.push(Words::new());
    let fields = fields(a.trace.value.as_ref(), b.trace.value.as_ref());
    let is_open = making[0] || making[1];
    lines.extend(fields.iter().map(|field| columns.field(field, is_open || field.is_same())));
    if fields.is_empty() && making == [false; 2] {
        lines.push(words([("neither has a value", Role::Label)]));
    }
    lines
}

/// A row's value beside the right one, fields that differ first: there may be room for few. A null field is an absent one.
pub fn beside_expected(expected: &Value, value: Option<&Value>, width: u16) -> Vec<Words> {
    let columns = Columns::new(width);
    let (right, wrong): (Vec<_>, Vec<_>) = fields(Some(expected), value).into_iter().partition(Field::is_right);
    let wrong = wrong.iter().flat_map(|field| columns.whole_field(field, false));
    wrong.chain(right.iter().flat_map(|field| columns.whole_field(field, true))).collect()
}

/// The heads of the columns of [`beside_expected`].
pub fn heads(width: u16) -> Words {
    let head = |text| (text, Role::Faint);
    Columns::new(width).line("", head("field"), head("expected"), head("found"))
}

/// A field of two values, by its path.
struct Field {
    path: String,
    a: Option<Value>,
    b: Option<Value>,
}

impl Field {
    /// Whether both have it, and have the same.
    fn is_same(&self) -> bool {
        matches!((&self.a, &self.b), (Some(a), Some(b)) if equal(a, b))
    }

    fn is_right(&self) -> bool {
        let or_null = |value: &Option<Value>| value.clone().unwrap_or(Value::Null);
        equal(&or_null(&self.a), &or_null(&self.b))
    }
}

/// The fields of two values, in the order of the first, then what the second has besides.
fn fields(a: Option<&Value>, b: Option<&Value>) -> Vec<Field> {
    let (left, right) = (leaves(a), leaves(b));
    let of = |leaves: &[(String, Value)], path: &str| leaves.iter().find(|(p, _)| p == path).map(|(_, v)| v.clone());
    let more = right.iter().filter(|(path, _)| !left.iter().any(|(other, _)| other == path));
    let paths = left.iter().chain(more).map(|(path, _)| path.clone());
    paths.map(|path| Field { a: of(&left, &path), b: of(&right, &path), path }).collect()
}

struct Columns {
    name: usize,
    value: usize,
}

impl Columns {
    fn new(width: u16) -> Self {
        let width = width as usize;
        let name = (width / 4).clamp(8, 24).min(width);
        Columns { name, value: width.saturating_sub(name + 4) / 2 }
    }

    fn field(&self, field: &Field, is_same: bool) -> Words {
        let role = if is_same { Role::Text } else { Role::Warn };
        let mark = if is_same { " " } else { "*" };
        self.line(mark, (&field.path, Role::Label), (&shown(&field.a), role), (&shown(&field.b), role))
    }

    /// As `field`, on as many lines as it takes: nothing else shows the right value whole.
    fn whole_field(&self, field: &Field, is_same: bool) -> Vec<Words> {
        let role = if is_same { Role::Text } else { Role::Warn };
        let wrapped = |text: &str, width: usize| {
            let cut = if text.len() > MOST_BYTES { "…" } else { "" };
            format::wrap(&format!("{}{cut}", printable(beginning(text, MOST_BYTES))), width)
        };
        let name = wrapped(&field.path, self.name);
        let (a, b) = (wrapped(&shown(&field.a), self.value), wrapped(&shown(&field.b), self.value));
        let piece = |of: &[String], at: usize| of.get(at).cloned().unwrap_or_default();
        let mark = |at: usize| if is_same || at > 0 { " " } else { "*" };
        let line = |at: usize| {
            let name = piece(&name, at);
            self.line(mark(at), (&name, Role::Label), (&piece(&a, at), role), (&piece(&b, at), role))
        };
        (0..name.len().max(a.len()).max(b.len())).map(line).collect()
    }

    fn line(&self, mark: &str, name: (&str, Role), a: (&str, Role), b: (&str, Role)) -> Words {
        let cell = |text: &str, width: usize| {
            let text = format::fit(&printable(beginning(text, MOST_BYTES)), width, "…");
            let used = unicode_width::UnicodeWidthStr::width(text.as_str());
            format!("{text}{}", " ".repeat(width.saturating_sub(used)))
        };
        let mut line = words([(if mark.is_empty() { " " } else { mark }, Role::Warn), (" ", Role::Text)]);
        line.extend(words([
            (&cell(name.0, self.name), name.1),
            (" ", Role::Text),
            (&cell(a.0, self.value), a.1),
            (" ", Role::Text),
            (&cell(b.0, self.value), b.1),
        ]));
        line
    }
}

fn shown(value: &Option<Value>) -> String {
    value.as_ref().map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn verdict(trace: &Trace) -> String {
    match &trace.error {
        None if trace.ok && losses(trace).next().is_some() => "a value, LOSSY".to_owned(),
        None if trace.ok => "a value".to_owned(),
        None => "-".to_owned(),
        Some(_) if trace.is_cancelled() => "cancelled".to_owned(),
        Some(refusal) if refusal.stage.asks() => "failed".to_owned(),
        Some(refusal) => format!("refused by {}", stage_name(refusal.stage)),
    }
}

fn cost(trace: &Trace) -> String {
    format::or_unknown(trace.totals.cost.filter(|cost| cost.is_finite()), |cost| format!("{cost:.4}"))
}

fn calls(trace: &Trace) -> String {
    trace.totals.calls.to_string()
}

fn tokens(trace: &Trace) -> String {
    let count = |n: Option<u64>| format::or_unknown(n, format::count);
    format!("{} + {}", count(trace.totals.prompt_tokens), count(trace.totals.completion_tokens))
}

/// The fields of a value, by their paths.
fn leaves(value: Option<&Value>) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut open: Vec<(String, &Value)> = value.map(|value| (String::new(), value)).into_iter().collect();
    while let Some((path, value)) = open.pop() {
        if found.len() >= MOST_FIELDS {
            break;
        }
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                open.extend(fields.iter().rev().map(|(name, value)| (format!("{path}/{name}"), value)));
            }
            Value::Array(items) if !items.is_empty() => {
                let some = items.iter().enumerate().take(MOST_FIELDS);
                let mut some: Vec<_> = some.map(|(at, value)| (format!("{path}/{at}"), value)).collect();
                some.reverse();
                open.extend(some);
            }
            leaf => found.push((if path.is_empty() { "value".to_owned() } else { path }, leaf.clone())),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_told_apart_by_their_paths_in_the_order_of_the_value() {
        let value = json!({"name": "John", "tags": ["a", {"b": 1}], "none": {}});
        let paths: Vec<String> = leaves(Some(&value)).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["/name", "/tags/0", "/tags/1/b", "/none"]);
        assert_eq!(leaves(Some(&json!(3)))[0].0, "value");
        assert!(leaves(None).is_empty());
        assert_eq!(leaves(Some(&json!((0..9_000).collect::<Vec<u32>>()))).len(), MOST_FIELDS);
    }

    #[test]
    fn fields_that_differ_from_the_right_value_come_first_and_are_marked() {
        let (expected, value) = (json!({"age": 25, "city": null, "name": "Jane"}), json!({"age": 25.0, "name": "Jon"}));
        let told = |value| -> Vec<String> {
            let lines = beside_expected(&expected, value, 80);
            lines.iter().map(|line| line.iter().map(|(text, _)| text.as_ref()).collect()).collect()
        };
        let lines = told(Some(&value));
        assert_eq!(lines.iter().map(|line| line.starts_with('*')).collect::<Vec<_>>(), [true, false, false]);
        assert!(
            lines[0].contains("/name") && lines[0].contains("\"Jane\"") && lines[0].contains("\"Jon\""),
            "{lines:?}"
        );
        assert_eq!(told(None).iter().filter(|line| line.starts_with('*')).count(), 2, "a null field is an absent one");
    }
}
