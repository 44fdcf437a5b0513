use serde_json::json;

use super::*;

fn coerced(value: &Value, schema: &Value) -> Coerced {
    coerce(value.clone(), &Schema::from_value(schema).unwrap())
}

/// The value, where nothing was refused and nothing may be lost.
fn taken(value: &Value, schema: &Value) -> Option<Value> {
    let coerced = coerced(value, schema);
    assert!(coerced.changes.iter().all(|c| !c.lossy), "{value}: {:?}", coerced.changes);
    coerced.faults.is_empty().then_some(coerced.value)
}

fn kinds(coerced: &Coerced) -> Vec<(&str, &str)> {
    coerced.changes.iter().map(|c| (c.path.as_str(), c.kind.as_str())).collect()
}

#[test]
fn scalars_follow_pydantics_table() {
    let table = [
        ("integer", json!("42"), Some(json!(42))),
        ("integer", json!(42.0), Some(json!(42))),
        ("integer", json!(true), Some(json!(1))),
        ("integer", json!(42.5), None),
        ("integer", json!("1,200"), None),
        ("integer", json!(null), None),
        ("number", json!("1.5"), Some(json!(1.5))),
        ("number", json!(false), Some(json!(0))),
        ("number", json!(3), Some(json!(3))),
        ("boolean", json!("yes"), Some(json!(true))),
        ("boolean", json!(0.0), Some(json!(false))),
        ("boolean", json!(2), None),
        ("string", json!("12"), Some(json!("12"))),
        ("string", json!(12), None),
        ("string", json!(true), None),
        ("null", json!("None"), Some(json!(null))),
    ];
    for (kind, value, expected) in table {
        assert_eq!(taken(&value, &json!({"type": kind})), expected, "{kind} {value}");
    }
}

#[test]
fn each_change_says_where_and_what() {
    let schema = json!({"properties": {"age": {"type": "integer"}, "when": {"type": "string", "format": "date-time"}}});
    let coerced = coerced(&json!({"age": "25", "when": "2026-11-05 14:00"}), &schema);
    assert_eq!(coerced.value, json!({"age": 25, "when": "2026-11-05T14:00:00"}));
    assert_eq!(kinds(&coerced), [("/age", "string_to_integer"), ("/when", "date_time_read")]);
    let change = &coerced.changes[0];
    assert_eq!((&change.before, &change.after), (&json!("25"), &json!(25)));
}

#[test]
fn what_is_refused_is_handed_on_and_named() {
    let schema = json!({"properties": {"price": {"type": "integer"}, "at": {"type": "string", "format": "date"}}});
    let coerced = coerced(&json!({"price": "120만원", "at": "내일"}), &schema);
    assert_eq!(coerced.value, json!({"price": "120만원", "at": "내일"}));
    let paths: Vec<&str> = coerced.faults.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["/price", "/at"]);
    assert_eq!(
        (coerced.faults[0].expected.as_str(), coerced.faults[0].found.as_str()),
        ("an integer", "the text \"120만원\"")
    );
}

#[test]
fn an_integer_that_is_rounded_is_marked() {
    let coerced = coerced(&json!("123456789012345678901234567890"), &json!({"type": "integer"}));
    assert!(coerced.changes[0].lossy && coerced.faults.is_empty());
}

#[test]
fn zeros_in_front_of_an_integer_are_not_lost_silently() {
    let coerced = coerced(&json!("025"), &json!({"type": "integer"}));
    assert!(coerced.value == 25 && coerced.changes[0].lossy);
}

#[test]
fn listed_values_match_in_another_writing() {
    let schema = json!({"enum": ["NEW", "LIKE_NEW", "C++", "1.5", 3]});
    for (value, choice) in [
        (json!("new"), json!("NEW")),
        (json!(" \"Like new.\" "), json!("LIKE_NEW")),
        (json!("likeNew"), json!("LIKE_NEW")),
        (json!("c++"), json!("C++")),
        (json!("3"), json!(3)),
        (json!(3.0), json!(3.0)),
        (json!(["NEW"]), json!("NEW")),
    ] {
        assert_eq!(taken(&value, &schema), Some(choice), "{value}");
    }
    for bad in [json!("C"), json!("15"), json!("used"), json!(["NEW", "NEW"]), json!(""), json!("it is new")] {
        assert_eq!(taken(&bad, &schema), None, "{bad}");
    }
    assert_eq!(taken(&json!("a"), &json!({"enum": ["A", "ä", "À", "a!"]})), None, "it could be two");
}

#[test]
fn alternatives_prefer_the_value_as_it_is() {
    let either = |kinds: &[&str]| json!({"anyOf": kinds.iter().map(|k| json!({"type": k})).collect::<Vec<_>>()});
    assert_eq!(taken(&json!("1"), &either(&["integer", "string"])), Some(json!("1")));
    assert_eq!(taken(&json!(1), &either(&["string", "integer"])), Some(json!(1)));
    assert_eq!(taken(&json!("1"), &either(&["integer", "boolean"])), Some(json!(1)));
    assert_eq!(taken(&json!("yes"), &either(&["integer", "boolean"])), Some(json!(true)));
    assert_eq!(taken(&json!("25"), &either(&["integer", "null"])), Some(json!(25)));
    assert_eq!(taken(&json!("none"), &either(&["integer", "null"])), Some(json!(null)));
    assert_eq!(taken(&json!("None"), &either(&["string", "null"])), Some(json!("None")));
    assert_eq!(taken(&json!("x"), &either(&["integer", "boolean"])), None);
}

#[test]
fn alternatives_of_objects_are_told_apart_by_what_they_hold() {
    let schema = json!({"anyOf": [
        {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}, "required": ["kind"]},
        {"type": "object", "properties": {"kind": {"const": "dog"}, "lives": {"type": "integer"}}, "required": ["kind"]},
        {"type": "object", "properties": {"lives": {"type": "integer"}, "name": {"type": "string"}, "tail": {"type": "boolean"}}},
    ]});
    assert_eq!(taken(&json!({"kind": "Dog", "lives": "9"}), &schema), Some(json!({"kind": "dog", "lives": 9})));
    assert_eq!(
        taken(&json!({"lives": "9", "name": "Tom", "tail": "no"}), &schema),
        Some(json!({"lives": 9, "name": "Tom", "tail": false}))
    );
}

#[test]
fn shapes_change_where_nothing_is_lost() {
    let numbers = json!({"type": "array", "items": {"type": "integer"}});
    assert_eq!(taken(&json!(1), &numbers), Some(json!([1])));
    assert_eq!(taken(&json!("7"), &numbers), Some(json!([7])));
    assert_eq!(taken(&json!("seven"), &numbers), None);
    assert_eq!(taken(&json!(["a"]), &json!({"type": "string"})), Some(json!("a")));
    assert_eq!(taken(&json!(["a", "b"]), &json!({"type": "string"})), None);
    assert_eq!(taken(&json!([1]), &json!({"type": "string", "format": "date"})), None);
    let one = json!({"type": "object", "properties": {"foo": {"type": "number"}}, "required": ["foo"]});
    assert_eq!(taken(&json!(1.5), &one), Some(json!({"foo": 1.5})));
    assert_eq!(taken(&json!([{"foo": "1.5"}]), &one), Some(json!({"foo": 1.5})));
    assert_eq!(taken(&json!("some words"), &one), None);
    let around = json!({"$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}, "$ref": "#/$defs/A"});
    assert_eq!(taken(&json!(1), &around), None, "a list that only holds itself");
}

#[test]
fn fields_are_found_by_their_other_names() {
    let schema = json!({"type": "object", "additionalProperties": false, "properties": {
        "full_name": {"type": "string", "title": "Name"}, "age": {"type": "integer", "aliases": ["나이"]},
    }});
    let coerced = coerced(&json!({"Full Name": "Kim", "나이": "25"}), &schema);
    assert_eq!(coerced.value, json!({"full_name": "Kim", "age": 25}));
    assert_eq!(kinds(&coerced)[..2], [("/full_name", "key_matched"), ("/age", "key_matched")]);
    // The key itself is there: the other stays what it is.
    let both = self::coerced(&json!({"age": 1, "Age": 2}), &schema);
    assert_eq!(both.value, json!({"age": 1, "Age": 2}));
}

#[test]
fn defaults_and_nulls_are_filled_and_nothing_else() {
    let schema = json!({"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string"}, "colour": {"type": "string", "default": "red"}, "size": {"type": "integer"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "any": {},
    }});
    let coerced = coerced(&json!({}), &schema);
    assert_eq!(coerced.value, json!({"colour": "red", "note": null}));
    assert_eq!(kinds(&coerced), [("/colour", "default_used"), ("/note", "null_filled")]);
}

#[test]
fn alternatives_within_alternatives_take_bounded_work() {
    let tree = json!({"$ref": "#/$defs/A", "$defs": {
        "A": {"anyOf": [{"type": "object", "properties": {"x": {"$ref": "#/$defs/A"}, "a": {"type": "integer"}}},
                        {"type": "object", "properties": {"x": {"$ref": "#/$defs/A"}, "b": {"type": "integer"}}}]},
    }});
    let mut value = json!(1);
    for _ in 0..100 {
        value = json!({"x": value});
    }
    let whole = size(&value);
    let mut walk = Walk { budget: WORK_PER_VALUE * whole, ..Walk::default() };
    walk.visit(&mut value, Schema::from_value(&tree).unwrap().root(), &Path::Root, 0);
    assert!(walk.budget < whole && !walk.faults.is_empty(), "2^100 ways were not tried");
}

#[test]
fn a_number_that_spells_a_day_is_no_moment_of_1970_and_an_unlikely_moment_is_marked() {
    let of = |value: Value, format: &str| {
        let made = coerced(&value, &json!({"type": "string", "format": format}));
        (made.value, made.changes.first().map(|c| (c.kind.clone(), c.lossy)))
    };
    let told = |kind: &str, lossy| Some((kind.to_string(), lossy));
    for value in [json!(20261105), json!("20261105")] {
        assert_eq!(of(value, "date-time"), (json!("2026-11-05T00:00:00"), told("packed_date_read", true)));
    }
    assert_eq!(of(json!(20261105), "date"), (json!("2026-11-05"), told("packed_date_read", false)));
    assert_eq!(of(json!(1654646400), "date-time").1, told("unix_time_to_date_time", false));
    assert_eq!(of(json!("1654646400"), "date-time").1, told("date_time_read", false));
    assert_eq!(of(json!(2026), "date-time").1, told("unix_time_to_date_time", true));
    assert_eq!(of(json!("0"), "date-time").1, told("date_time_read", true));
    assert_eq!(of(json!("1850-01-01 10:00"), "date-time").1, told("date_time_read", false));
}

/// Of durations the writing differs (Pydantic counts years); that they are taken is compared here, their lengths by the script.
#[test]
fn pydantics_answers_are_ours() {
    let rows = include_str!("../../../tests/fixtures/extract/pydantic_lax.jsonl");
    let written = |value: &Value| match value {
        Value::String(text) if text.contains(':') => {
            let text = text.to_uppercase().replace("+00:00", "Z").replace("-00:00", "Z");
            let minutes = text.find(':').unwrap_or(0);
            let zone = text[minutes..].find(['Z', '+', '-']).map_or(text.len(), |at| minutes + at);
            let (clock, zone) = text.split_at(zone);
            let clock = if clock.contains('.') { clock.trim_end_matches('0').trim_end_matches('.') } else { clock };
            Value::from(format!("{clock}{zone}"))
        }
        Value::String(text) => text.to_lowercase().into(),
        Value::Number(n) => n.as_f64().into(),
        other => other.clone(),
    };
    for line in rows.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let of = |kind: &str| match kind {
            "integer" | "number" | "boolean" | "string" => json!({"type": kind}),
            "optional" => json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
            "union" => json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
            "numbers" => json!({"anyOf": [{"type": "integer"}, {"type": "number"}, {"type": "boolean"}]}),
            "array" => json!({"type": "array", "items": {"type": "integer"}}),
            format => json!({"type": "string", "format": format}),
        };
        let kind = row["kind"].as_str().unwrap();
        let made = coerced(&row["input"], &of(kind));
        assert_eq!(made.faults.is_empty(), row.get("value").is_some(), "{line}: {:?}", made.changes);
        if let Some(value) = row.get("value").filter(|_| kind != "duration") {
            assert_eq!(written(&made.value), written(value), "{line}");
        }
    }
}

#[test]
fn a_text_that_may_be_several_is_kept_whole_as_one_item_and_marked() {
    let schema = json!({"properties": {"tags": {"type": "array", "items": {"type": "string"}}}});
    for (text, guessed) in [
        ("a, b, c", true),
        ("none", true),
        ("해당 없음", true),
        ("- a\n- b", true),
        ("solo", false),
        ("Well, it was a long day. So we left.", false),
    ] {
        let made = coerced(&json!({"tags": text}), &schema);
        assert_eq!(made.value, json!({"tags": [text]}));
        assert_eq!(made.changes[0].lossy, guessed, "{text}");
    }
}

#[test]
fn a_name_with_a_question_mark_is_a_guess() {
    let schema = json!({"enum": ["high", "low"]});
    for (text, guessed) in [("High", false), ("high!", false), ("high?", true)] {
        assert_eq!(coerced(&json!(text), &schema).changes[0].lossy, guessed, "{text}");
    }
}

#[test]
fn letters_apart_and_a_grade_with_a_minus_are_no_name() {
    let schema = json!({"enum": ["A", "AB", "t_shirt"]});
    for text in ["A B", "A-", "A -"] {
        assert!(coerced(&json!(text), &schema).changes.is_empty(), "{text}");
    }
    for (text, name) in [("a.", "A"), ("ab", "AB"), ("T-Shirt", "t_shirt"), ("- A", "A")] {
        assert_eq!(coerced(&json!(text), &schema).value, json!(name), "{text}");
    }
}

#[test]
fn a_small_number_of_seconds_for_a_time_is_a_guess() {
    let schema = json!({"type": "string", "format": "time"});
    for (number, guessed) in [(14, true), (1400, true), (50_400, false)] {
        assert_eq!(coerced(&json!(number), &schema).changes[0].lossy, guessed, "{number}");
    }
}

#[test]
fn a_default_for_what_has_to_be_said_and_a_field_of_several_are_guesses() {
    let marks = |schema: Value, value: Value| {
        let made = coerce(value, &Schema::from_value(&schema).unwrap());
        made.changes.into_iter().map(|c| (c.kind, c.lossy)).collect::<Vec<_>>()
    };
    let with = |required: Value| json!({"type": "object", "required": required, "properties": {"n": {"type": "integer", "default": 1}, "a": {"type": "string"}}});
    assert_eq!(marks(with(json!(["n"])), json!({"a": "x"})), [("default_used".into(), true)]);
    assert_eq!(marks(with(json!(["a"])), json!({"a": "x"})), [("default_used".into(), false)]);
    let only =
        |key: &str, kind: &str| json!({"type": "object", "required": [key], "properties": {key: {"type": kind}}});
    let ways = |first: Value| json!({"anyOf": [first, only("age", "integer")]});
    assert_eq!(marks(ways(only("price", "integer")), json!(5)), [("field_implied".into(), true)]);
    assert_eq!(marks(ways(only("name", "string")), json!(5)), [("field_implied".into(), false)]);
}

#[test]
fn what_is_struck_out_and_what_stands_for_others_is_kept_and_marked() {
    let schema = json!({"type": "object", "properties": {
        "people": {"type": "array", "items": {"type": "string"}}, "name": {"type": "string"},
        "place": {"anyOf": [{"type": "string"}, {"type": "null"}]}}});
    let value = json!({"people": ["Kim", "3 others", "~~Lee~~"], "name": "<S>Kim</S>", "place": "~~Busan~~"});
    let done = coerced(&value, &schema);
    assert_eq!(done.value, value);
    assert!(done.changes.iter().all(|change| change.lossy));
    assert_eq!(
        kinds(&done),
        [
            ("/people/1", "others_not_named"),
            ("/people/2", "struck_out"),
            ("/name", "struck_out"),
            ("/place", "struck_out")
        ]
    );
    let value = json!({"people": ["Kim and Lee", "~~Kim~~ and ~~Lee~~"], "name": "3 others", "place": "~5"});
    assert_eq!(taken(&value, &schema), Some(value));
}

#[test]
fn a_key_with_a_bracket_behind_a_name_is_the_field_where_no_other_key_is() {
    let schema = json!({"properties": {"price": {"type": "integer"}, "rate (%)": {"type": "integer"}}});
    let coerced = self::coerced(&json!({"Price (USD)": 5, "Rate (%)": 3}), &schema);
    assert_eq!(coerced.value, json!({"price": 5, "rate (%)": 3}));
    assert_eq!((&coerced.changes[0].before, coerced.changes[0].lossy), (&json!("Price (USD)"), true));
    for both in [json!({"Price (old)": 5, "Price": 6}), json!({"Price (old)": 5, "price": 6})] {
        assert_eq!(self::coerced(&both, &schema).value, json!({"Price (old)": 5, "price": 6}));
    }
    let two = self::coerced(&json!({"Price (a)": 1, "Price (b)": 2}), &schema);
    assert_eq!(two.value, json!({"price": 1, "Price (b)": 2}));
}

#[test]
fn a_blank_text_is_an_empty_list_where_there_may_be_one() {
    let tags = |list: Value| json!({"properties": {"tags": list}});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let done = coerced(&json!({"tags": ""}), &tags(texts));
    assert_eq!((done.value["tags"].clone(), kinds(&done)), (json!([]), vec![("/tags", "blank_to_list")]));
    assert!(done.changes[0].lossy);
    let some = json!({"type": "array", "items": {"type": "string"}, "minItems": 1});
    assert_eq!(coerced(&json!({"tags": " "}), &tags(some)).faults.len(), 1);
}

#[test]
fn brackets_behind_keys_are_marked_where_the_field_does_not_say_them() {
    let schema = json!({"type": "object", "properties": {"price": {"type": "number"}, "revenue": {"type": "number"},
        "note": {"type": "string"}, "currency": {"type": "string"}}});
    for (value, taken, lossy) in [
        (json!({"Price (USD)": 3}), json!({"price": 3}), true),
        (json!({"Price (optional)": 3}), json!({"price": 3}), false),
        (json!({"Price (USD)": 3, "currency": "USD"}), json!({"price": 3, "currency": "USD"}), false),
        (json!({"revenue (2023)": 15, "revenue (2024)": 20}), json!({"revenue": 15, "revenue (2024)": 20}), true),
        (json!({"note (old)": "x"}), json!({"note": "x"}), false),
        (json!({"note (old)": "x", "note (new)": "y"}), json!({"note": "x", "note (new)": "y"}), true),
    ] {
        let coerced = coerced(&value, &schema);
        assert_eq!(coerced.value, taken);
        assert_eq!(coerced.changes.iter().any(|c| c.lossy), lossy, "{value}");
    }
}
