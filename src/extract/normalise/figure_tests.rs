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

#[test]
fn a_number_with_its_scale_is_put_into_the_fields() {
    let told = |description: &str| json!({"type": "number", "description": description});
    let divided = || vec!["scale_divided".to_string()];
    for (key, schema, text, value) in [
        ("revenue", told("in millions of USD"), "$5.2 million", json!(5.2)),
        ("revenue_millions", number(), "5.2 million", json!(5.2)),
        ("revenue_usd_millions", number(), "$5.2M", json!(5.2)),
        ("매출", json!({"type": "integer", "description": "단위: 억원"}), "120억원", json!(120)),
        ("가격_만원", integer(), "120만원", json!(120)),
    ] {
        assert_eq!(read(key, schema, text), (value, divided()), "{text}");
    }
    assert_eq!(read("revenue", told("in millions of USD"), "$5.2"), (json!(5.2), vec![]));
    assert_eq!(read("가격_만원", integer(), "125,000원"), (json!(125_000), vec![]));
    assert_eq!(read("revenue_millions", integer(), "5.2 million").0, json!("5.2 million"), "no integer");
}

#[test]
fn a_hemisphere_gives_a_coordinate_its_sign() {
    for (key, text, value) in [
        ("latitude", "33.8688° S", -33.8688),
        ("longitude", "74.0060 W", -74.006),
        ("lat", "남위 33.5도", -33.5),
        ("longitude", "서경 74.5", -74.5),
        ("latitude", "37.5665° N", 37.5665),
    ] {
        assert_eq!(read(key, number(), text), (json!(value), vec![]), "{text}");
    }
}

#[test]
fn a_percentage_is_one_in_a_field_of_percentages_and_a_share_in_one_up_to_one() {
    assert_eq!(read("discount_percent", number(), "15%"), (json!(15), vec![]));
    assert_eq!(read("성공률", number(), "15%"), (json!(15), vec![]));
    assert_eq!(read("rate", number(), "15%"), (json!(15), vec!["percent".to_string()]));
    assert_eq!(read("confidence", json!({"type": "number", "maximum": 1}), "95%"), (json!(0.95), vec![]));
    let up_to_one = json!({"type": "number", "maximum": 1});
    assert_eq!(read("percent", up_to_one, "0.5%"), (json!(0.005), vec!["percent_to_share".to_string()]));
    assert_eq!(read("discount_percent", number(), "약 15%"), (json!(15), vec!["percent".to_string()]));
}
