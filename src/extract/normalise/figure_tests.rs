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
        ("매출", json!({"type": "integer", "description": "단위: 억원"}), "120억원", json!(120)),
    ] {
        assert_eq!(read(key, schema, text), (value, divided()), "{text}");
    }
    for (key, text, value) in [
        ("revenue_millions", "5.2 million", json!(5.2)),
        ("revenue_usd_millions", "$5.2M", json!(5.2)),
        ("가격_만원", "120만원", json!(120)),
    ] {
        assert_eq!(read(key, number(), text), (value, vec![]), "{text}");
    }
    assert_eq!(read("가격_만원", number(), "약 120만원"), (json!(120), divided()));
    assert_eq!(read("revenue", told("in millions of USD"), "$5.2"), (json!(5.2), vec![]));
    let unsure = || vec!["scale_unsure".to_string()];
    assert_eq!(read("가격_만원", integer(), "125,000원"), (json!(125_000), unsure()));
    assert_eq!(read("가격_만원", number(), "125,000원"), (json!(12.5), divided()));
    assert_eq!(read("revenue", told("in millions of USD"), "$5,000,000"), (json!(5), divided()));
    assert_eq!(read("매출", told("단위: 억원"), "300,000,000원"), (json!(3), divided()));
    assert_eq!(read("매출", told("단위: 원 (억원 아님)"), "300,000,000원"), (json!(300_000_000), vec![]));
    assert_eq!(read("revenue", told("in thousands of USD"), "$5,200"), (json!(5_200), unsure()));
    assert_eq!(read("revenue", told("in thousands"), "5,200"), (json!(5_200), vec![]));
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

#[test]
fn points_of_a_full_mark_are_read_where_it_is_the_most() {
    let to = |most: i64| json!({"type": "number", "maximum": most});
    assert_eq!(read("rating", to(5), "4.5/5"), (json!(4.5), vec![]));
    assert_eq!(read("rating", to(10), "8/10"), (json!(8), vec![]));
    assert_eq!(read("rating", to(5), "별점 4.5/5"), (json!(4.5), vec![]));
    for text in ["4.5/10", "4 of 4.5/5", "not 4/5 yet", "6/5 of it"] {
        assert_ne!(read("rating", to(5), text).0, json!(4.5), "{text}");
    }
}

#[test]
fn whole_numbers_with_a_stroke_are_points_only_where_a_score_is_spoken_of() {
    let to = |kind: &str, most: i64| json!({"type": kind, "maximum": most});
    for (key, schema, text) in [
        ("day", to("integer", 31), "12/31"),
        ("year", to("integer", 2024), "5/2024"),
        ("month", to("integer", 12), "4/12"),
    ] {
        assert_eq!(read(key, schema, text), (json!(text), vec![]), "{key}");
    }
    assert_eq!(read("inches", to("number", 8), "5/8"), (json!(0.625), vec![]));
    for (key, text) in
        [("x", "4/5 stars"), ("x", "4/5점"), ("x", "Rating: 4/5"), ("stars", "4/5"), ("고객_만족도", "4/5")]
    {
        assert_eq!(read(key, to("number", 5), text), (json!(4), vec![]), "{key}: {text}");
    }
    let told = json!({"type": "integer", "maximum": 10, "description": "how they rated it"});
    assert_eq!(read("x", told, "8/10"), (json!(8), vec![]));
    assert_eq!(read("x", to("number", 5), "4.5/5"), (json!(4.5), vec![]));
}

#[test]
fn a_word_of_the_key_behind_a_number_is_its_unit() {
    for (key, text, value) in [
        ("servings", "4 servings", json!(4)),
        ("timeout_ms", "500 ms", json!(500)),
        ("timeoutMs", "500ms", json!(500)),
        ("screen_size_inches", "13.3 inches", json!(13.3)),
        ("nights", "1 night", json!(1)),
    ] {
        assert_eq!(read(key, number(), text), (value, vec![]), "{text}");
    }
    assert_eq!(read("nights", number(), "3 sheep").0, json!("3 sheep"));
}

#[test]
fn a_length_of_several_units_is_put_into_the_fields() {
    for (key, text, value) in [
        ("duration_minutes", "1 hour 20 minutes", json!(80)),
        ("durationMinutes", "1시간 30분", json!(90)),
        ("duration_seconds", "1 minute 5 seconds", json!(65)),
        ("duration_hours", "1 hour 30 minutes", json!(1.5)),
        ("duration_minutes", "1시간", json!(60)),
        ("duration_minutes", "90 minutes", json!(90)),
        ("timeout_seconds", "5 minutes", json!(300)),
        ("cook_time_min", "45분", json!(45)),
    ] {
        assert_eq!(read(key, number(), text), (value, vec![]), "{text}");
    }
    assert_eq!(read("duration_hours", number(), "1 hour 20 minutes").1, ["duration"]);
    assert_eq!(read("duration_hours", integer(), "1 hour 20 minutes").0, json!("1 hour 20 minutes"));
}

#[test]
fn what_is_said_of_alternatives_as_a_whole_holds_for_each() {
    let optional = |description: &str| json!({"anyOf": [number(), {"type": "null"}], "description": description});
    assert_eq!(read("x", optional("the net loss in USD"), "$5M loss"), (json!(5_000_000), vec![]));
    let divided = (json!(5.2), vec!["scale_divided".to_string()]);
    assert_eq!(read("revenue", optional("in millions of USD"), "$5.2 million"), divided);
}
