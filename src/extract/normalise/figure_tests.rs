//! What a field's names, bounds and type make of a number.

use serde_json::{Value, json};

use super::super::normalise;
use crate::extract::schema::Schema;

/// The value of the field, and the kinds of what was lost or supplied.
fn read(key: &str, schema: Value, text: &str) -> (Value, Vec<String>) {
    let schema = Schema::from_value(&json!({"type": "object", "properties": {key: schema}})).expect("a schema");
    let done = normalise(json!({key: text}), &schema, "2026-11-30T10:00:00".parse().expect("a time"));
    let lossy = done.changes.into_iter().filter(|change| change.lossy).map(|change| change.kind).collect();
    (done.value[key].clone(), lossy)
}

fn integer() -> Value {
    json!({"type": "integer"})
}

fn number() -> Value {
    json!({"type": "number"})
}

#[test]
fn a_loss_in_a_field_that_names_none_is_marked() {
    for (key, text, value) in [
        ("operating_profit", "적자 5억원", json!(500_000_000)),
        ("operating_profit", "영업이익: △5억 3,000만원", json!(530_000_000)),
        ("netIncomeUsd", "net loss: $5 million", json!(5_000_000)),
        ("score_diff", "3 points down", json!(3)),
    ] {
        assert_eq!(read(key, integer(), text), (value, vec!["sign_dropped".to_string()]), "{text}");
    }
    assert_eq!(read("loss_usd", integer(), "$5M loss"), (json!(5_000_000), vec![]));
    assert_eq!(read("change_percent", number(), "-3.1% 하락"), (json!(-3.1), vec![]));
}
