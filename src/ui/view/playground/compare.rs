//! Two outcomes beside each other: verdict, tokens, time, and every field of the two values, with a mark where they differ.

use serde_json::Value;

use super::attempts::{stage_name, took};
use crate::extract::attempt::Trace;
use crate::extract::report::equal;
use crate::ui::format;
use crate::ui::state::playground::trial::Outcome;
use crate::ui::theme::Role;
use crate::ui::widgets::{Words, words};
use crate::units::{beginning, printable};

/// More fields than these are not told apart: nobody reads them.
const MOST_FIELDS: usize = 500;
/// Of a value as much as any column shows.
const MOST_BYTES: usize = 400;

/// What is told of each outcome: its name, and how it is read off the trace.
type Fact = (&'static str, fn(&Trace) -> String);

/// Two outcomes; `making` tells which of them are not there yet.
pub fn lines(a: &Outcome, b: &Outcome, making: [bool; 2], width: u16) -> Vec<Words> {
    let columns = Columns::new(width);
    let mut lines = vec![columns.line("", ("", Role::Faint), (&a.label, Role::Title), (&b.label, Role::Title))];
    let facts: [Fact; 4] =
        [("verdict", verdict), ("calls", calls), ("tokens", tokens), ("time", |trace| took(trace.totals.ms))];
    // Nobody pays for what has no price.
    let costs = [a, b].iter().any(|one| one.trace.totals.cost.is_some());
    let cost: Option<Fact> = costs.then_some(("cost", cost));
    for (name, of) in facts.into_iter().chain(cost) {
        let role = |trace: &Trace, is_making: bool| match (name, trace.ok) {
            ("verdict", _) if is_making => Role::Active,
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
    let (left, right) = (leaves(a.trace.value.as_ref()), leaves(b.trace.value.as_ref()));
    let mut names: Vec<&String> = left.iter().map(|(name, _)| name).collect();
    names.extend(right.iter().map(|(name, _)| name).filter(|name| !left.iter().any(|(other, _)| other == *name)));
    let of = |leaves: &[(String, Value)], name: &str| leaves.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    for name in names {
        let (a, b) = (of(&left, name), of(&right, name));
        let is_open = making[0] || making[1];
        let same = is_open || matches!((&a, &b), (Some(a), Some(b)) if equal(a, b));
        let role = if same { Role::Text } else { Role::Warn };
        let shown = |value: Option<Value>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let mark = if same { " " } else { "*" };
        lines.push(columns.line(mark, (name, Role::Label), (&shown(a), role), (&shown(b), role)));
    }
    if left.is_empty() && right.is_empty() && making == [false; 2] {
        lines.push(words([("neither has a value", Role::Label)]));
    }
    lines
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

fn verdict(trace: &Trace) -> String {
    match &trace.error {
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
}
