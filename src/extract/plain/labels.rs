//! What stands in the labels of a text beside the fields' names: currencies that no field names, and what is in brackets behind a name.
//! How labels are found is `field`'s and `table`'s.

use std::collections::HashSet;

use serde_json::Value;

use super::{block, field, heading};
use crate::extract::attempt::Change;
use crate::extract::coerce::bracket;
use crate::extract::normalise::{SIGNS, label_currency};
use crate::extract::parse::change;
use crate::extract::schema::names;
use crate::extract::schema::node::{Node, Property};

/// So many are told of one text.
const MOST: usize = 8;
/// So many places' fields are looked for in each line.
const MOST_SHAPES: usize = 32;

/// Currencies that stand in labels and tables' heads of a text, and that the fields do not name: `price ($): 35`; and labels that are a
/// field's name but for a bracket.
pub(super) fn told(text: &str, lines: &[field::Line], root: Node<'_>, read: &Value) -> Vec<Change> {
    let of_whole = block::shapes(root).len();
    let shapes = all_shapes(root);
    let beside = bracket::currencies(beside(read).into_iter());
    let mut found: Vec<Change> = Vec::new();
    let tells =
        |line: &&field::Line| text[line.body.clone()].contains(SIGNS) || text[line.body.clone()].contains(['(', '（']);
    for line in lines.iter().filter(tells) {
        let said = &text[line.body.clone()];
        for (at, shape) in shapes.iter().enumerate() {
            for (label, property) in labels(text, said, line, *shape) {
                found
                    .extend(label_currency(label, &property).map(|kind| change(kind, label.into(), Value::Null, true)));
                let path = if at < of_whole { names::join("", property.key) } else { String::new() };
                found.extend(bracketed(label, *shape, property, &beside).map(|told| Change { path, ..told }));
            }
        }
        if found.len() >= MOST {
            break;
        }
    }
    found.truncate(MOST);
    found
}

/// The places with fields that are told of: the whole, its items, and what these hold.
fn all_shapes(root: Node<'_>) -> Vec<Node<'_>> {
    let of = |node| block::shapes(node).into_iter().chain(field::any_items(node).into_iter().flat_map(block::shapes));
    let mut shapes: Vec<Node> = of(root).collect();
    let mut seen: HashSet<usize> = shapes.iter().map(|shape| shape.id()).collect();
    let mut at = 0;
    while at < shapes.len() && shapes.len() < MOST_SHAPES {
        let within = shapes[at].properties().flat_map(|property| of(property.node));
        let new: Vec<Node> = within.filter(|shape| seen.insert(shape.id())).collect();
        shapes.extend(new);
        at += 1;
    }
    shapes
}

/// The values that may say of one another what they are: those of an object, or of a list's only one.
fn beside(read: &Value) -> Vec<&Value> {
    match read {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) if items.len() == 1 => {
            items[0].as_object().into_iter().flat_map(|row| row.values()).collect()
        }
        _ => Vec::new(),
    }
}

/// The labels of a line: what stands before its fields' values, and the heads of its columns.
fn labels<'t, 's>(text: &'t str, said: &'t str, line: &field::Line, shape: Node<'s>) -> Vec<(&'t str, Property<'s>)> {
    let fields = field::fields(text, &line.body, shape).into_iter();
    let labels = fields.map(|field| (&text[field.start..field.value], field.property));
    let heads = || said.split('|').filter(|_| said.contains('|')).map(str::trim);
    let taken: HashSet<&str> = heads().filter_map(|head| shape.called(head)).map(|property| property.key).collect();
    let called = |head: &str| match shape.called(head) {
        Some(property) => Some(property).filter(|_| head.contains(SIGNS) || names::without_bracket(head).is_some()),
        None => shape.called_but_for_bracket(head).filter(|property| !taken.contains(property.key)),
    };
    let heading = heading::heading(text, line).and_then(|(_, words)| Some((words, heading::called(words, shape)?)));
    labels.chain(heads().filter_map(|head| Some((head, called(head)?)))).chain(heading).collect()
}

/// The label as it was said, where a bracket behind the name is no part of it; lossy where the field does not say the same.
fn bracketed(label: &str, shape: Node<'_>, property: Property<'_>, beside: &[&str]) -> Option<Change> {
    let mark = |c: char| c.is_whitespace() || "*_`\"':=->：→".contains(c);
    let label = label.trim_matches(mark);
    let more = bracket::says_more(label, &property, beside);
    match shape.called_but_for_bracket(label) {
        Some(meant) if meant.key != property.key => None,
        // A sign alone is no part of a name that is compared: `Share (%)`. Of currencies is told already.
        None if !more || label.contains(SIGNS) => None,
        _ => Some(change("key_matched", label.into(), property.key.into(), more)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::best;
    use super::*;
    use crate::extract::schema::Schema;

    fn product() -> Value {
        json!({"type": "object", "properties": {"name": {"type": "string"}, "price": {"type": "number"},
            "tax": {"type": "number"}, "age": {"type": "integer"}, "가격": {"type": "integer"}, "rate (%)": {"type": "number"}}})
    }

    fn matched(changes: &[Change]) -> Vec<(&str, &str)> {
        let told = changes.iter().filter(|c| c.kind == "key_matched" && !c.lossy);
        told.map(|c| (c.path.as_str(), c.before.as_str().unwrap_or_default())).collect()
    }

    #[test]
    fn a_bracket_behind_a_name_is_none_of_it_and_told() {
        let schema = Schema::from_value(&product()).unwrap();
        for (text, wanted, label) in [
            ("Name: A\nAge (years): 25", json!({"name": "A", "age": 25}), ("/age", "Age (years)")),
            ("Name: A\n**Age (in full years):** 25", json!({"name": "A", "age": 25}), ("/age", "Age (in full years)")),
            ("name: A, age (years): 25", json!({"name": "A", "age": 25}), ("/age", "age (years)")),
            ("가격(원): 45000", json!({"가격": 45000}), ("/가격", "가격(원)")),
            (
                "| Field | Value |\n|---|---|\n| Name | A |\n| Age (years) | 25 |",
                json!({"name": "A", "age": 25}),
                ("/age", "Age (years)"),
            ),
        ] {
            let read = best(text, &schema);
            assert_eq!(read.value, wanted, "{text}");
            assert_eq!(matched(&read.changes), [label], "{text}");
            assert!(read.changes.iter().all(|c| !c.lossy), "{text}: {:?}", read.changes);
        }
    }

    #[test]
    fn a_name_with_its_bracket_wins_and_two_for_one_field_are_doubles() {
        let schema = Schema::from_value(&product()).unwrap();
        assert_eq!(best("Rate (%): 5", &schema).value, json!({"rate (%)": 5}));
        let two = best("Price (old): 5\nPrice (new): 6", &schema);
        assert!(two.changes.iter().any(|c| c.kind == "duplicate_key" && c.lossy), "{:?}", two.changes);
        let list = Schema::from_value(&json!({"type": "array", "items": product()})).unwrap();
        let table = best("| Name | Price (USD) |\n|---|---|\n| A | 5 |\n| B | 6 |", &list);
        assert_eq!(table.value, json!([{"name": "A", "price": 5}, {"name": "B", "price": 6}]));
        assert!(table.changes.iter().any(|c| c.kind == "key_matched" && c.lossy && c.before == "Price (USD)"));
        let both = best("| Name | Price (old) | Price |\n|---|---|---|\n| A | 5 | 6 |", &list);
        assert_eq!(both.value, json!([{"name": "A", "price": 6}]));
        assert!(both.changes.iter().any(|c| c.kind == "left_out" && c.lossy && c.before == "Price (old)"));
        assert!(matched(&both.changes).is_empty(), "{:?}", both.changes);
        let doubled = best("| Name | Price (USD) | Price (EUR) |\n|---|---|---|\n| A | 5 | 6 |", &list);
        assert!(doubled.changes.iter().any(|c| c.lossy), "{:?}", doubled.changes);
    }

    #[test]
    fn what_a_bracket_says_beyond_its_field_is_marked() {
        let schema = json!({"type": "object", "properties": {"weight": {"type": "number", "description": "in kg"},
            "price": {"type": "number"}, "note": {"type": "string"}, "currency": {"type": "string"},
            "kids": {"type": "array", "items": {"type": "object", "properties": {"age": {"type": "integer"}}}}}});
        let schema = Schema::from_value(&schema).unwrap();
        let lossy = |text: &str| best(text, &schema).changes.iter().any(|c| c.lossy && c.kind == "key_matched");
        for text in [
            "Weight (lb): 150",
            "## Weight (lb)\n150",
            "| Price (USD) | Weight |\n|---|---|\n| 3 | 5 |",
            "Price: 3\nKids:\n- Age (months): 5",
            "Price (USD): 3\nCurrency: EUR",
            "Price (%): 3",
            "| Price (%) | Note |\n|---|---|\n| 3 | x |",
        ] {
            assert!(lossy(text), "{text}");
        }
        for text in ["Weight (kg): 150", "## Weight (kg)\n150", "Price (USD): 3\nCurrency: USD", "Note (old): 3"] {
            assert!(!lossy(text), "{text}");
        }
    }

    #[test]
    fn a_label_without_a_bracket_wins_over_one_with() {
        let schema = json!({"type": "object", "properties": {"note": {"type": "string"}, "a": {"type": "integer"}}});
        let schema = Schema::from_value(&schema).unwrap();
        for text in ["Note (old): x\nNote: y\nA: 1", "Note: y\nNote (old): x\nA: 1"] {
            let read = best(text, &schema);
            assert_eq!(read.value, json!({"note": "y", "a": 1}), "{text}");
            assert!(read.changes.iter().any(|c| c.lossy), "{text}: {:?}", read.changes);
        }
    }
}
