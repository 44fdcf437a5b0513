//! What the walk changes in a value, what it records, and what it leaves alone.

use serde_json::json;

use super::*;

fn run(schema: Value, value: Value) -> Normalised {
    let schema = Schema::from_value(&schema).expect("a schema");
    normalise(value, &schema, "2026-06-10T09:20:00".parse().expect("a time"))
}

fn changed(done: &Normalised) -> Vec<(String, String, bool)> {
    done.changes.iter().map(|change| (change.path.clone(), change.kind.clone(), change.lossy)).collect()
}

#[test]
fn a_listing_in_korean_becomes_its_typed_object() {
    let schema = json!({"type": "object", "properties": {
        "title": {"type": "string"},
        "price": {"type": "integer"},
        "condition": {"enum": ["최상", "상", "중"]},
        "meet": {"type": "string", "format": "date-time"},
        "sizes": {"type": "array", "items": {"type": "number"}},
        "seller": {"type": "object", "properties": {"age": {"type": "integer"}}}
    }});
    let value = json!({"title": "120만원짜리 의자", "price": "120만원", "condition": "상태는 최상입니다",
        "meet": "11월 5일 오후 2시", "sizes": ["45.5cm", 60, "1,200mm"], "seller": {"age": "서른두 살"}});
    let done = run(schema, value);
    assert_eq!(
        done.value,
        json!({"title": "120만원짜리 의자", "price": 1200000, "condition": "최상", "meet": "2026-11-05T14:00:00",
            "sizes": [45.5, 60, 1200], "seller": {"age": 32}})
    );
    let told: Vec<_> = changed(&done);
    let expected = [
        ("/price", "korean_number", false),
        ("/condition", "enum_in_sentence", false),
        ("/meet", "korean_time", false),
        ("/meet", "year_inferred", true),
        ("/sizes/0", "number_with_unit", false),
        ("/sizes/2", "number_with_unit", false),
        ("/seller/age", "korean_number", false),
    ];
    assert_eq!(told, expected.map(|(path, kind, lossy)| (path.to_string(), kind.to_string(), lossy)));
    assert_eq!((&done.changes[0].before, &done.changes[0].after), (&json!("120만원"), &json!(1200000)));
}

#[test]
fn a_field_too_many_or_too_few_leaves_no_other_as_it_is() {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}, "price": {"type": "integer"}},
        "required": ["name"], "additionalProperties": false});
    for value in [json!({"price": "120만원"}), json!({"name": "a", "price": "120만원", "colour": "red"})] {
        assert_eq!(run(schema.clone(), value.clone()).value["price"], 1_200_000, "{value}");
    }
}

#[test]
fn free_strings_and_fitting_values_stay() {
    for (schema, value) in [
        (json!({"type": "string"}), json!("120만원")),
        (json!({}), json!("120만원")),
        (json!({"type": "string", "format": "email"}), json!("내일")),
        (json!({"type": "string", "format": "date"}), json!("2026-11-05")),
        (json!({"type": ["string", "integer"]}), json!("3개")),
        (json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}), json!("3개")),
        (json!({"enum": ["new", "used"]}), json!("used")),
        (json!({"type": "integer"}), json!(5)),
        (json!({"type": "boolean"}), json!("3개")),
    ] {
        let done = run(schema.clone(), value.clone());
        assert_eq!((done.value, done.changes.len()), (value, 0), "{schema}");
    }
}

#[test]
fn what_the_schema_cannot_take_is_left_for_validation() {
    for (schema, value) in [
        (json!({"type": "integer"}), json!("2.5개")),
        (json!({"type": "integer"}), json!("1/2")),
        (json!({"type": "number"}), json!("서울")),
        (json!({"type": "string", "format": "date"}), json!("2월 30일")),
        (json!({"enum": ["new", "used"]}), json!("new or used")),
    ] {
        let done = run(schema, value.clone());
        assert_eq!((done.value, done.changes.len()), (value, 0));
    }
}

#[test]
fn alternatives_are_followed_where_one_fits() {
    let optional = json!({"anyOf": [{"type": "integer"}, {"type": "null"}]});
    assert_eq!(run(optional, json!("천이백만원")).value, json!(12000000));
    let moment = json!({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]});
    assert_eq!(run(moment.clone(), json!("2027년 3월 2일 오후 4시")).value, json!("2027-03-02T16:00:00"));
    assert_eq!(run(moment, json!("2027년 3월 2일")).value, json!("2027-03-02"));
    let kinds = json!({"oneOf": [
        {"type": "object", "properties": {"kind": {"const": "a"}, "n": {"type": "integer"}}, "required": ["kind", "n"]},
        {"type": "object", "properties": {"kind": {"const": "b"}, "n": {"type": "string"}}, "required": ["kind", "n"]}
    ]});
    assert_eq!(run(kinds.clone(), json!({"kind": "a", "n": "두 개"})).value, json!({"kind": "a", "n": 2}));
    assert_eq!(run(kinds, json!({"kind": "b", "n": "두 개"})).value, json!({"kind": "b", "n": "두 개"}));
}

#[test]
fn references_lists_of_numbers_and_tuples_are_followed() {
    let node = json!({"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object", "properties": {
        "n": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}}}});
    let value = json!({"n": "하나", "next": {"n": "둘", "next": null}});
    assert_eq!(run(node, value).value, json!({"n": 1, "next": {"n": 2, "next": null}}));
    assert_eq!(run(json!({"enum": [1, 2, 3]}), json!("세 개")).value, json!(3));
    let pair = json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]});
    assert_eq!(run(pair, json!(["3개", "3개"])).value, json!(["3개", 3]));
}

#[test]
fn a_value_nested_without_end_comes_back_as_it_is() {
    let mut value = json!("3개");
    for _ in 0..600 {
        value = Value::Array(vec![value]);
    }
    let schema = json!({"$ref": "#/$defs/N", "$defs": {"N": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#/$defs/N"}}]}}});
    assert!(run(schema, value).changes.is_empty());
}

#[test]
fn a_day_is_meant_where_a_fraction_could_be_and_a_foreign_currency_is_named() {
    let either = json!({"anyOf": [{"type": "number"}, {"type": "string", "format": "date"}]});
    assert_eq!(run(either, json!("12/25")).value, "2026-12-25");
    let price = json!({"type": "object", "properties": {"price": {"type": "integer", "description": "in won"}}});
    let done = run(price, json!({"price": "$650"}));
    assert!(changed(&done).contains(&("/price".into(), "currency_usd_dropped".into(), true)));
}

#[test]
fn a_text_with_commas_is_a_list_of_values_that_are_no_texts() {
    let schema = json!({"properties": {
        "n": {"type": "array", "items": {"type": "integer"}},
        "state": {"type": "array", "items": {"enum": ["new", "used"]}},
        "tags": {"type": "array", "items": {"type": "string"}}
    }});
    let done = run(schema.clone(), json!({"n": "3만, 1,000", "state": "new, used", "tags": "a, b"}));
    assert_eq!(done.value, json!({"n": [30000, 1000], "state": ["new", "used"], "tags": "a, b"}));
    assert!(done.changes.iter().all(|change| !change.lossy));
    assert!(run(schema.clone(), json!({"n": "1,234"})).changes[0].lossy, "it may be one number");
    let left = json!({"n": "1, x", "state": "new, odd"});
    assert_eq!(run(schema, left.clone()).value, left);
}

#[test]
fn a_unit_that_is_not_the_fields_is_marked() {
    let schema = json!({"properties": {"weight_kg": {"type": "number"}, "age": {"type": "integer"}}});
    let done = run(schema.clone(), json!({"weight_kg": "500g", "age": "18개월"}));
    assert_eq!(done.changes.iter().filter(|c| c.kind == "unit_dropped" && c.lossy).count(), 2, "{:?}", done.changes);
    let done = run(schema, json!({"weight_kg": "5 kg", "age": "25살"}));
    assert!(done.changes.iter().all(|change| !change.lossy), "{:?}", done.changes);
}

#[test]
fn a_yes_or_a_no_is_the_lists_in_whatever_language() {
    let schema = json!({"items": {"enum": ["yes", "no"]}});
    let done = run(schema.clone(), json!(["네", "아니요.", "No, it is not.", "Yes, on Friday"]));
    assert_eq!(done.value, json!(["yes", "no", "no", "yes"]));
    assert_eq!(done.changes.iter().map(|c| c.lossy).collect::<Vec<_>>(), [false, false, false, true]);
    let left = json!(["yes or no", "maybe"]);
    assert_eq!(run(schema, left.clone()).value, left);
    let letters = json!({"items": {"enum": ["Y", "N", "X"]}});
    assert_eq!(run(letters, json!(["네"])).value, json!(["Y"]));
}

#[test]
fn a_text_that_says_none_is_null_where_null_may_stand() {
    for kind in ["integer", "number", "boolean"] {
        for text in ["없음", "N/A", "-", "미정", "unknown"] {
            let done = run(json!({"properties": {"v": {"type": [kind, "null"]}}}), json!({"v": text}));
            assert_eq!(done.value, json!({"v": null}), "{text}");
            assert_eq!(changed(&done), [("/v".to_string(), "none_to_null".to_string(), true)]);
            let other = run(json!({"properties": {"v": {"type": kind}}}), json!({"v": text}));
            assert_eq!(other.value, json!({"v": text}), "null may not stand there");
        }
    }
    for schema in [
        json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        json!({"type": ["string", "null"], "format": "date"}),
        json!({"enum": ["A", "B", null]}),
    ] {
        assert_eq!(run(schema, json!("N/A")).value, json!(null));
    }
    for schema in [json!({"type": ["string", "null"]}), json!({"enum": ["N/A", null]})] {
        assert_eq!(run(schema, json!("N/A")).value, json!("N/A"));
    }
}

#[test]
fn a_half_of_a_percentage_is_marked() {
    let schema = json!({"properties": {"discount_percent": {"type": "number"}, "share": {"type": "number"}}});
    let done = run(schema, json!({"discount_percent": "절반", "share": "절반"}));
    let lossy: Vec<_> = changed(&done).into_iter().filter(|(_, _, lossy)| *lossy).collect();
    assert_eq!(lossy, [("/discount_percent".to_string(), "share_for_percent".to_string(), true)]);
}

#[test]
fn a_moment_that_ends_something_is_marked_where_none_is_asked_for() {
    let kinds = |key: &str, text: &str| {
        let schema = json!({"type": "object", "properties": {key: {"type": "string", "format": "date-time"}}});
        let done = run(schema, json!({key: text}));
        assert!(done.value[key].as_str().is_some_and(|at| at == "2026-12-03T15:00:00"), "{text}: {}", done.value);
        done.changes.iter().filter(|c| c.lossy).map(|c| c.kind.clone()).collect::<Vec<_>>()
    };
    for text in
        ["2026년 12월 3일 오후 3시 마감", "due 2026-12-03 3pm", "deadline: Dec 3, 2026 3pm", "closes Dec 3, 2026 3pm"]
    {
        assert_eq!(kinds("at", text), ["end_dropped"], "{text}");
        for key in ["deadline", "dueDate", "end_time", "마감일", "신청 기한"] {
            assert!(kinds(key, text).is_empty(), "{key}: {text}");
        }
    }
    assert_eq!(kinds("due", "weekly meeting on Dec 3, 2026 3pm"), ["repetition_dropped"]);
    assert!(kinds("at", "The blended session is on Dec 3, 2026 at 3pm").is_empty());
}

#[test]
fn what_is_struck_out_is_not_said() {
    let schema = json!({"type": "object", "properties": {
        "color": {"enum": ["red", "blue"]}, "ok": {"type": "boolean"}, "n": {"type": "integer"},
        "day": {"type": "string", "format": "date"}, "name": {"type": "string"}}});
    let struck = json!({"color": "~~red~~", "ok": "<del>yes</del>", "n": "~~5~~", "day": "~~2026년 11월 5일~~"});
    let done = run(schema.clone(), struck.clone());
    assert_eq!(done.value, struck);
    assert!(done.changes.is_empty());
    let done = run(schema, json!({"color": "~~blue~~ red", "name": "~~Kim~~ and ~~Lee~~", "n": "~5"}));
    assert_eq!(changed(&done), [("/n".to_string(), "plain_number".to_string(), true)]);
}

#[test]
fn a_label_is_no_guess_where_the_list_is_all_that_is_asked_for() {
    let list = json!({"enum": ["High", "Low"]});
    let lossy = |done: Normalised| done.changes.iter().any(|change| change.lossy);
    assert!(!lossy(run(list.clone(), json!("Priority: High"))) && lossy(run(list.clone(), json!("Old: High"))));
    let field = json!({"type": "object", "properties": {"price": list}});
    assert!(lossy(run(field, json!({"price": "Priority: High"}))));
}

#[test]
fn a_currency_that_a_field_beside_says_is_not_dropped() {
    let fields = |currency: Value| json!({"properties": {"price": {"type": "number"}, "currency": currency}});
    let one_of = json!({"enum": ["USD", "KRW"]});
    for (schema, currency) in [(one_of.clone(), "USD"), (json!({"type": "string"}), "달러"), (json!({}), "US Dollars")]
    {
        let done = run(fields(schema), json!({"price": "$149.99", "currency": currency}));
        assert_eq!(changed(&done), [("/price".to_string(), "money".to_string(), false)], "{currency}");
    }
    let done = run(fields(one_of), json!({"price": "$149.99", "currency": "KRW"}));
    assert!(changed(&done).contains(&("/price".to_string(), "currency_usd_dropped".to_string(), true)));
}

#[test]
fn an_amount_in_won_is_none_of_another_currency_beside_it() {
    let schema = json!({"properties": {"price": {"type": "number"}, "currency": {"type": "string"}, "price_usd": {"type": "number"}}});
    let kinds = |value: Value| changed(&run(schema.clone(), value));
    let told = |path: &str| {
        vec![
            (path.to_string(), "korean_number".to_string(), false),
            (path.to_string(), "currency_krw_dropped".to_string(), true),
        ]
    };
    assert_eq!(kinds(json!({"price": "3만원", "currency": "USD"})), told("/price"));
    assert_eq!(kinds(json!({"price_usd": "3만원", "currency": "USD"})), told("/price_usd"), "once");
    for currency in [json!("KRW"), json!("원"), json!("local"), json!(null)] {
        assert_eq!(kinds(json!({"price": "3만원", "currency": currency})), told("/price")[..1], "{currency}");
    }
    let schema = json!({"properties": {"name": {"type": "string"}, "price": {"type": "number"}}});
    assert_eq!(changed(&run(schema, json!({"name": "Pound", "price": "3만원"}))), told("/price")[..1]);
}

#[test]
fn a_currency_of_an_object_around_it_is_not_dropped() {
    let price = json!({"properties": {"price": {"type": "number"}, "currency": {"type": "string"}}});
    let schema = json!({"properties": {"items": {"type": "array", "items": price}, "currency": {"type": "string"}}});
    let dropped = |value: Value| {
        let changes = changed(&run(schema.clone(), value)).into_iter().filter(|(_, _, lossy)| *lossy);
        changes.map(|(path, ..)| path).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(dropped(json!({"items": [{"price": "€25"}, {"price": "€5"}], "currency": "EUR"})), none);
    assert_eq!(dropped(json!({"items": [{"price": "€25"}], "currency": "USD"})), ["/items/0/price"]);
    let own =
        json!({"items": [{"price": "€25", "currency": "USD"}, {"price": "$5", "currency": "USD"}], "currency": "EUR"});
    assert_eq!(dropped(own), ["/items/0/price"]);
}

#[test]
fn what_still_goes_on_has_no_end() {
    let day = json!({"type": "string", "format": "date"});
    let ended = |key: &str, schema: &Value, text: &str| {
        let done = run(json!({"properties": {key: schema}}), json!({key: text}));
        (
            done.value[key].clone(),
            done.changes.into_iter().map(|change| (change.kind, change.lossy)).collect::<Vec<_>>(),
        )
    };
    let optional = json!({"anyOf": [day, {"type": "null"}]});
    let none = (Value::Null, vec![("ongoing_to_null".to_string(), true)]);
    for (key, text) in [("end_date", "현재"), ("endDate", "Present"), ("to", "ongoing"), ("퇴사일", "재직중")] {
        assert_eq!(ended(key, &optional, text), none, "{text}");
    }
    assert_eq!(ended("end_date", &day, "현재"), (json!("현재"), vec![]));
    assert_eq!(ended("start_date", &optional, "지금").0, json!("2026-06-10"));
    assert_eq!(ended("end_date", &optional, "지난달 3일").0, json!("2026-05-03"));
}
