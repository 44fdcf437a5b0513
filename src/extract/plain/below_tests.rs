//! Values in the lines below their names, and what else stands there.

use serde_json::{Value, json};

use super::tests::best;
use crate::extract::chain;
use crate::extract::schema::Schema;

fn schema(properties: Value) -> Schema {
    Schema::from_value(&json!({"type": "object", "properties": properties})).unwrap()
}

fn person() -> Schema {
    schema(
        json!({"n": {"type": "integer"}, "note": {"type": "string"}, "contact": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "people": {"type": "array", "items": {"type": "string"}}}),
    )
}

fn is_lossy(text: &str, schema: &Schema) -> bool {
    best(text, schema).changes.iter().any(|c| c.lossy)
}

#[test]
fn a_value_may_stand_below_its_name_without_an_indent() {
    for (text, wanted) in [
        ("note: a\ncontact:\n010-1234-5678", json!({"note": "a", "contact": "010-1234-5678"})),
        ("note: a\npeople:\nKim\nLee", json!({"note": "a", "people": ["Kim", "Lee"]})),
        ("people:\nKim, Lee\n\nnote: a", json!({"note": "a", "people": ["Kim", "Lee"]})),
        ("people: Kim,\nLee,\nPark", json!({"people": ["Kim", "Lee", "Park"]})),
        ("people: Kim,\nLee\nnote: b", json!({"people": ["Kim", "Lee"], "note": "b"})),
        ("n:\n3", json!({"n": 3})),
        ("n:\n3\nThanks for asking!", json!({"n": 3})),
        ("contact:\nhttp://x.org/a\nn: 3", json!({"contact": "http://x.org/a", "n": 3})),
    ] {
        let read = best(text, &person());
        assert_eq!(read.value, wanted, "{text}");
        assert!(!read.changes.iter().any(|c| c.lossy), "{text}: {:?}", read.changes);
    }
    assert_eq!(best("note:\nn: 3", &person()).value, json!({"n": 3}));
}

#[test]
fn what_may_be_the_rest_of_a_value_is_told_as_lost() {
    for text in [
        "note: first part of a long sentence that\ncontinues on the next line.",
        "n: 1\npeople:\nI could not find any of them.",
        "note:\none\ntwo",
        "note: a\nn:\n3\n4",
        "people: Kim,\nLee\nPark",
    ] {
        assert!(is_lossy(text, &person()), "{text}");
    }
}

#[test]
fn a_line_below_the_fields_is_lost_unless_it_is_courtesy() {
    let schema = schema(json!({"n": {"type": "integer"}}));
    for said in [
        "취소됨",
        "~ 17시",
        "일정이 12월 4일로 변경되었습니다.",
        "★ 35만원으로 인하",
        "판매 완료",
        "또는 신촌",
        "사실 나이는 4살입니다",
        "salary: 5000만원",
        "status: dead",
        "Thanks! It is sold.",
    ] {
        assert!(is_lossy(&format!("n: 1\n{said}"), &schema), "{said}");
        assert!(is_lossy(&format!("n: 1\n\n{said}"), &schema), "{said}");
    }
    for said in [
        "Hope this helps!",
        "도움이 되셨기를 바랍니다.",
        "Let me know if you need more.",
        "---",
        "😀",
        "Confidence: high",
    ] {
        assert!(!is_lossy(&format!("n: 1\n\n{said}"), &schema), "{said}");
    }
}

#[test]
fn a_name_within_the_text_of_another_field_is_text() {
    let schema = schema(json!({"title": {"type": "string"}, "note": {"type": "string"}, "n": {"type": "integer"},
        "people": {"type": "array", "items": {"type": "string"}}}));
    for (text, wanted, lossy) in [
        ("title: My people: a story", json!({"title": "My people: a story"}), true),
        ("note: see title: Y", json!({"note": "see title: Y"}), true),
        ("note: see title: Y\ntitle: X", json!({"note": "see title: Y", "title": "X"}), false),
        ("title: X (n: 5)", json!({"title": "X (n: 5)"}), false),
        ("title: X\nnote: n: 3", json!({"title": "X", "note": "n: 3"}), true),
        ("title: \"x, n: 3\"", json!({"title": "x, n: 3"}), false),
        ("title: http://n:80/", json!({"title": "http://n:80/"}), false),
        (
            "title: Book \"People: Zero\"\npeople: 3000",
            json!({"title": "Book \"People: Zero\"", "people": ["3000"]}),
            false,
        ),
        ("title: Book, n: none\nn: 5", json!({"title": "Book, n: none", "n": 5}), true),
        ("title: A, n: 5, note: b", json!({"title": "A", "n": 5, "note": "b"}), false),
        ("title: A | n: 5\tnote: b", json!({"title": "A", "n": 5, "note": "b"}), false),
        ("title: A  n: 5 note: b", json!({"title": "A", "n": 5, "note": "b"}), false),
        ("**Title:** A **N:** 5", json!({"title": "A", "n": 5}), false),
        ("title: \"a: b\" n: 3", json!({"title": "a: b", "n": 3}), false),
        ("Sure, title: A", json!({"title": "A"}), false),
        ("pages: 5, title: A", json!({"title": "A"}), true),
        ("title := A\nn := 5", json!({"title": "A", "n": 5}), false),
        ("[title: A] [n: 25]", json!({"title": "A", "n": 25}), false),
        ("(title: A (b), n: 25)", json!({"title": "A (b)", "n": 25}), false),
    ] {
        let read = best(text, &schema);
        assert_eq!(read.value, wanted, "{text}");
        assert_eq!(read.changes.iter().any(|c| c.lossy), lossy, "{text}: {:?}", read.changes);
    }
}

#[test]
fn a_comma_within_quotes_or_brackets_parts_no_items() {
    for (said, wanted, lossy) in [
        ("김철수(팀장, 서울), 이영희", json!(["김철수(팀장, 서울)", "이영희"]), false),
        ("\"a, b\", c", json!(["a, b", "c"]), false),
        ("[Kim (a, b), Lee]", json!(["Kim (a, b)", "Lee"]), false),
        ("[\"a, b\", \"c\"]", json!(["a, b", "c"]), false),
        ("Kim, Lee and Park", json!(["Kim", "Lee", "Park"]), true),
        ("Kim, Lee, and Park", json!(["Kim", "Lee", "Park"]), false),
        ("김, 이 및 박", json!(["김", "이", "박"]), true),
        ("Kim, Lee & Co", json!(["Kim", "Lee & Co"]), true),
        ("rock and roll", json!(["rock and roll"]), false),
        ("5\" pipe, 3\" pipe", json!(["5\" pipe", "3\" pipe"]), false),
        ("it's, that", json!(["it's", "that"]), false),
        ("a (b, c", json!(["a (b", "c"]), false),
    ] {
        let read = best(&format!("people: {said}"), &person());
        assert_eq!(read.value, json!({"people": wanted}), "{said}");
        assert_eq!(read.changes.iter().any(|c| c.lossy), lossy, "{said}: {:?}", read.changes);
    }
}

#[test]
fn a_check_box_is_part_of_the_mark_and_a_comment_in_two_strokes_no_field() {
    let words = Schema::from_value(&json!({"type": "array", "items": {"type": "string"}})).unwrap();
    let read = |text: &str, schema: &Schema| {
        let now = "2026-11-30T09:00:00".parse().unwrap();
        let read = chain::repair_value(text, Some(schema), now);
        (read.result.ok(), read.changes.iter().any(|c| c.lossy))
    };
    assert_eq!(read("- [x] a\n- [ ] b", &words), (Some(json!(["a", "b"])), true));
    assert_eq!(read("So:\n\n1. [ ] a, b\n2. [x] c", &words), (Some(json!(["a, b", "c"])), true));
    assert_eq!(read("note: t\npeople:\n  - [x] Kim", &person()).0.unwrap()["people"], json!(["Kim"]));
    assert_eq!(best("// note: John\nnote: Mary", &person()).value, json!({"note": "Mary"}));
}

#[test]
fn references_to_sources_are_no_lists_and_no_part_of_a_number() {
    for text in [
        "note: J\nn: 25\n\n[1] http://x.org",
        "note: J\nn: 25[1]",
        "note: J\nn: 25 [2]\n\n[1]: http://x.org\n[2]: http://y.org",
    ] {
        let now = "2026-11-30T09:00:00".parse().unwrap();
        let schema = schema(json!({"note": {"type": "string"}, "n": {"type": "integer"}}));
        let read = chain::repair_value(text, Some(&schema), now);
        assert_eq!(read.result.ok(), Some(json!({"note": "J", "n": 25})), "{text}");
        assert!(!read.changes.iter().any(|c| c.lossy), "{text}: {:?}", read.changes);
    }
    assert!(!is_lossy("n: 1\n\n[1] http://x.org/?a=b", &person()));
    assert!(is_lossy("n: 1\n\n[1] phone: 123", &person()));
    let numbers = schema(json!({"n": {"type": "array", "items": {"type": "integer"}}}));
    assert_eq!(best("n: [1]", &numbers).value, json!({"n": [1]}));
}

#[test]
fn fields_with_a_space_between_are_a_guess_where_nothing_else_fits() {
    let place = json!({"type": "object", "required": ["item", "n", "city"],
        "properties": {"item": {"type": "string"}, "n": {"type": "integer"}, "city": {"type": "string"}}});
    let place = Schema::from_value(&place).unwrap();
    let now = "2026-11-30T09:00:00".parse().unwrap();
    for (text, lossy) in [
        ("Item: a N: 5 City: Seoul", true),
        ("Item: a / N: 5 / City: Seoul", false),
        ("**Item:** a - **N:** 5 - **City:** Seoul", false),
    ] {
        let read = chain::repair_value(text, Some(&place), now);
        assert_eq!(read.result.ok(), Some(json!({"item": "a", "n": 5, "city": "Seoul"})), "{text}");
        assert_eq!(read.changes.iter().any(|c| c.lossy), lossy, "{text}: {:?}", read.changes);
    }
}

#[test]
fn three_zeros_behind_a_point_may_be_a_group_in_a_line_as_well() {
    let now = "2026-11-30T09:00:00".parse().unwrap();
    let price = |kind: &str| schema(json!({"note": {"type": "string"}, "price": {"type": kind}}));
    for (text, kind, lossy) in [
        ("note: a\nprice: 150.000", "integer", true),
        ("note: a\nprice: **150.000**", "number", true),
        ("| note | price |\n|---|---|\n| a | 150.000 |", "integer", true),
        ("note: a\nprice: 150.0", "integer", false),
        ("note: a\nprice: 150", "integer", false),
        ("{\"note\": \"a\", \"price\": 150.000}", "integer", false),
    ] {
        let read = chain::repair_value(text, Some(&price(kind)), now);
        assert_eq!(read.result.unwrap()["price"].as_f64(), Some(150.0), "{text}");
        assert_eq!(read.changes.iter().any(|c| c.lossy), lossy, "{text}: {:?}", read.changes);
    }
    let numbers = Schema::from_value(&json!({"type": "array", "items": {"type": "number"}})).unwrap();
    let read = chain::repair_value("1.000\n2.000", Some(&numbers), now);
    assert_eq!(read.result.ok(), Some(json!([1.0, 2.0])));
    assert!(read.changes.iter().any(|c| c.lossy));
}

#[test]
fn a_comment_among_the_fields_or_below_them_may_say_what_none_of_them_does() {
    for (text, lossy) in [
        ("note: a\nn: 100\n# 판매 완료", true),
        ("note: a\nn: 100\n// sold", true),
        ("note: a\n# sold\nn: 100", true),
        ("note: a\n// sold\n\nn: 100", true),
        ("# 상품 정보\nnote: a\nn: 100", false),
        ("note: a\n\n# 가격\nn: 100", false),
        ("note: a\nn: 100\n# 감사합니다", false),
        ("note: a\nn: 100\n# ----", false),
    ] {
        assert_eq!(is_lossy(text, &person()), lossy, "{text}");
    }
}

#[test]
fn items_need_no_marks_where_each_line_below_is_one() {
    let schema = schema(json!({"note": {"type": "string"}, "people": {"type": "array", "items": {"type": "string"}},
        "n": {"type": "array", "items": {"type": "integer"}}}));
    for (text, wanted) in [
        ("note: a\npeople:\n  Kim\n  Lee", json!({"note": "a", "people": ["Kim", "Lee"]})),
        ("people:\n\n  Kim\n  Lee\n\nnote: a", json!({"people": ["Kim", "Lee"], "note": "a"})),
        ("people:\n\nKim\nLee\n\nnote: a", json!({"people": ["Kim", "Lee"], "note": "a"})),
        ("**People:**\nKim\nLee\n**Note:** a", json!({"people": ["Kim", "Lee"], "note": "a"})),
        ("n:\n  90\n  85\nnote: a", json!({"n": [90, 85], "note": "a"})),
        ("n:\n  90점\n  85점", json!({"n": ["90점", "85점"]})),
        ("note:\n\nA chair\n\nn: 1", json!({"note": "A chair", "n": [1]})),
    ] {
        let read = best(text, &schema);
        assert_eq!(read.value, wanted, "{text}");
        assert!(!read.changes.iter().any(|c| c.lossy), "{text}: {:?}", read.changes);
    }
    for text in [
        "note: a\nn:\n  good\n  85",
        "note: a\npeople:\n  Kim\n  Lee is not coming.",
        "note: a\npeople:\n  Kim\n\n  Lee",
        "note:\n\nThis is all that I found.\n\npeople: Kim",
    ] {
        assert!(is_lossy(text, &schema), "{text}");
    }
}

#[test]
fn of_several_objects_that_may_stand_below_a_name_the_one_that_most_is_said_of_is_read() {
    let way = |kind: &str, key: &str| json!({"type": "object", "required": ["kind", key], "properties": {"kind": {"const": kind}, key: {"type": "string"}}});
    let schema = schema(json!({"pay": {"anyOf": [way("card", "number"), way("bank", "account")]}}));
    let read = best("pay:\n  kind: bank\n  account: 12-3", &schema);
    assert_eq!(read.value, json!({"pay": {"kind": "bank", "account": "12-3"}}));
    assert!(!read.changes.iter().any(|c| c.lossy), "{:?}", read.changes);
}

#[test]
fn what_may_be_several_items_is_a_guess_as_one() {
    for (text, lossy) in [
        ("people: 김철수 및 이영희", true),
        ("people: 김철수/이영희", true),
        ("people: Kim · Lee", true),
        ("people: Kim | Lee", true),
        ("people: #Kim #Lee", true),
        ("people: #Kim", false),
        ("people: 김철수", false),
        ("people: https://x.org/a", false),
        ("people: 12/3", false),
    ] {
        assert_eq!(is_lossy(text, &person()), lossy, "{text}");
    }
}

#[test]
fn a_heading_between_the_items_of_a_list_parts_them() {
    let words = Schema::from_value(&json!({"type": "array", "items": {"type": "string"}})).unwrap();
    for (text, lossy) in [
        ("Include:\n- a\nExclude:\n- b", true),
        ("## Fruit\n- a\n\n## Not fruit\n- b", true),
        ("Here they are:\n- a\n- b", false),
        ("1. a\n2. b\n\nAnything else?", false),
        ("Part 1:\n- a\nPart 2:\n- b", false),
    ] {
        let read = best(text, &words);
        assert_eq!(read.value, json!(["a", "b"]), "{text}");
        assert_eq!(read.changes.iter().any(|c| c.lossy), lossy, "{text}: {:?}", read.changes);
    }
    assert!(is_lossy("people: Kim, CEO; Lee, CTO", &person()));
    assert!(!is_lossy("people: Kim; Lee", &person()));
}

#[test]
fn an_object_or_a_list_in_a_line_is_its_fields_and_whole() {
    let owner = json!({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}});
    let schema = schema(json!({"owner": owner, "n": {"type": "array", "items": {"type": "integer"}}}));
    let now = "2026-11-30T09:00:00".parse().unwrap();
    let read = |text: &str| {
        let read = chain::repair_value(text, Some(&schema), now);
        (read.result.ok(), read.changes.iter().any(|c| c.lossy))
    };
    let owned = json!({"owner": {"name": "Kim", "age": 30}});
    // Where the schema takes the object in the whole's place as well.
    assert!(read("owner: {name: Kim, age: 30}").1);
    assert!(read("Owner:\n{\"name\": \"Kim\", \"age\": 30}").1);
    assert_eq!(read("Owner: {\"owner\": {\"name\": \"Kim\", \"age\": 30}}"), (Some(owned), false));
    for cut in ["n: [90, 85", "owner: {name: Kim, age: 30", "n: [90, 8"] {
        assert!(read(cut).0.is_none() || read(cut).1, "{cut}: {:?}", read(cut));
    }
}

#[test]
fn a_number_in_groups_of_three_may_be_one_of_a_list_or_several() {
    let schema = schema(json!({"k": {"type": "string"}, "prices": {"type": "array", "items": {"type": "integer"}}}));
    let now = "2026-11-30T09:00:00".parse().unwrap();
    let lossy = |text: &str| {
        let read = chain::repair_value(text, Some(&schema), now);
        read.result.is_err() || read.changes.iter().any(|c| c.lossy)
    };
    for text in
        ["prices: 1,200", "prices: 1,200원", "prices: ₩1,200", "prices: 1,200,300", "prices: -1,200", "prices: 123,456"]
    {
        assert!(lossy(&format!("k: a\n{text}")), "{text}");
    }
    for text in ["prices: 1,200, 3,400", "prices: 1200, 3400", "prices: 12, 5", "prices: 1,2,3"] {
        assert!(!lossy(&format!("k: a\n{text}")), "{text}");
    }
}

#[test]
fn what_stands_in_a_lists_tag_may_be_several() {
    let schema = schema(json!({"title": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}}));
    let now = "2026-11-30T09:00:00".parse().unwrap();
    let read = |said: &str| {
        let text = format!("<title>x</title><tags>{said}</tags>");
        let read = chain::repair_value(&text, Some(&schema), now);
        (read.result.unwrap()["tags"].clone(), read.changes.iter().any(|c| c.lossy))
    };
    for said in ["work, urgent", "- a\n- b", "a; b", "a | b", "none"] {
        assert!(read(said).1, "{said}");
    }
    assert_eq!(read("work"), (json!(["work"]), false));
    assert_eq!(read("[\"a\", \"b\"]"), (json!(["a", "b"]), false));
}

#[test]
fn what_counts_the_items_above_each_is_no_loss() {
    let list = Schema::from_value(
        &json!({"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"},
        "b": {"type": "integer"}}}}),
    )
    .unwrap();
    for (first, second) in [("### Item 1", "### Item 2"), ("**Item 1**", "**Item 2**"), ("__1__", "__2__")] {
        let text = format!("{first}\na: 1\nb: 2\n\n{second}\na: 3\nb: 4");
        assert_eq!(best(&text, &list).value, json!([{"a": 1, "b": 2}, {"a": 3, "b": 4}]), "{text}");
        assert!(!is_lossy(&text, &list), "{text}: {:?}", best(&text, &list).changes);
    }
}

#[test]
fn a_text_in_quotes_over_two_lines_is_one() {
    let read = best("note: \"This is a long\n  text\"\nn: 4", &person());
    assert_eq!(read.value, json!({"note": "This is a long text", "n": 4}));
    assert!(read.changes.iter().all(|c| !c.lossy), "{:?}", read.changes);
}
