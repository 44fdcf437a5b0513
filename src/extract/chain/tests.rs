use serde_json::json;

use super::*;

fn at() -> DateTime {
    DateTime::constant(2026, 11, 30, 9, 0, 0, 0)
}

fn traced(text: &str, schema: &Value) -> Trace {
    repair_text(text, Some(&Schema::from_value(schema).unwrap()), at())
}

fn stages(trace: &Trace) -> Vec<Stage> {
    trace.attempts.iter().map(|a| a.stage).collect()
}

fn kinds(trace: &Trace) -> Vec<&str> {
    trace.attempts.iter().flat_map(|a| &a.changes).map(|c| c.kind.as_str()).collect()
}

#[test]
fn clean_json_is_parsed_and_nothing_else() {
    let trace = traced(r#"{"a": 1}"#, &json!({"properties": {"a": {"type": "integer"}}}));
    assert_eq!((trace.value.as_ref(), stages(&trace)), (Some(&json!({"a": 1})), vec![Stage::Parse]));
    assert!(trace.ok && trace.attempts[0].changes.is_empty());
}

#[test]
fn each_stage_takes_what_the_one_before_made() {
    let schema = json!({"type": "object", "required": ["n", "price"], "properties": {"n": {"type": "integer"}, "price": {"type": "integer"}}});
    let trace = traced("{'n': '7', 'price': '120만원',}", &schema);
    assert_eq!(trace.value, Some(json!({"n": 7, "price": 1_200_000})));
    assert_eq!(stages(&trace), [Stage::Parse, Stage::Repair, Stage::Coerce, Stage::Normalise]);
    let attempts = &trace.attempts;
    assert_eq!(attempts.iter().map(|a| a.n).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(attempts[0].errors.len(), 1);
    assert_eq!(
        (&attempts[1].input, &attempts[1].output),
        (&json!("{'n': '7', 'price': '120만원',}"), &json!({"n": "7", "price": "120만원"}))
    );
    assert_eq!((&attempts[2].input, &attempts[2].output), (&attempts[1].output, &json!({"n": 7, "price": "120만원"})));
    assert_eq!((attempts[2].errors.len(), attempts[2].errors[0].path.as_str()), (1, "/price"));
    assert_eq!((&attempts[3].input, Some(&attempts[3].output)), (&attempts[2].output, trace.value.as_ref()));
}

#[test]
fn a_missing_field_is_refused_with_its_place_and_never_invented() {
    let trace = traced(r#"{"a": 1}"#, &json!({"required": ["b"], "properties": {"b": {"type": "integer"}}}));
    assert!(!trace.ok && trace.value.is_none());
    let refusal = trace.error.unwrap();
    assert_eq!((refusal.stage, refusal.message.as_str()), (Stage::Validate, "/b: expected an integer, found nothing"));
}

#[test]
fn of_several_values_the_one_that_fits_is_taken_and_the_others_are_named() {
    let schema = json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}});
    let text = "First I thought {\"nom\": 1}, but it is {\"name\": \"Kim\"}.";
    let trace = traced(text, &schema);
    assert_eq!(trace.value, Some(json!({"name": "Kim"})));
    let chosen = trace.attempts[0].changes.iter().find(|c| c.kind == "candidate_chosen").unwrap();
    assert!(chosen.before.to_string().contains("nom") && chosen.lossy, "what the other says is lost");
    let two = traced("{\"name\": \"Kim\"} or {\"name\": \"Lee\"}", &schema);
    assert_eq!(two.value, Some(json!({"name": "Kim"})));
    assert!(
        two.attempts[0].changes.iter().any(|c| c.kind == "candidate_chosen" && c.lossy),
        "which was meant is a guess"
    );
}

#[test]
fn free_text_is_a_string_whole_and_json_is_what_it_says() {
    let text = json!({"type": "string"});
    assert_eq!(traced(" Here: {\"a\": 1}, as asked.\n", &text).value, Some(json!(" Here: {\"a\": 1}, as asked.\n")));
    assert_eq!(traced("\"a\"", &text).value, Some(json!("a")));
    assert!(!traced("12", &text).ok && !traced("", &text).ok);
    assert_eq!(traced("like new", &json!({"enum": ["LIKE_NEW", "USED"]})).value, Some(json!("LIKE_NEW")));
    assert_eq!(traced("1,200", &json!({"type": "integer"})).value, Some(json!(1200)));
}

#[test]
fn without_a_schema_the_syntax_alone_is_repaired() {
    let trace = repair_text("{a: '1',}", None, at());
    assert_eq!((trace.value.as_ref(), stages(&trace)), (Some(&json!({"a": "1"})), vec![Stage::Parse, Stage::Repair]));
    let none = repair_text("", None, at());
    assert_eq!(none.error.map(|e| e.message).as_deref(), Some("the text is empty"));
}

#[test]
fn a_cut_answer_is_marked() {
    let trace = traced(r#"{"name": "Ki"#, &json!({"properties": {"name": {"type": "string"}}}));
    assert!(trace.ok && trace.attempts.iter().flat_map(|a| &a.changes).any(|c| c.lossy), "{:?}", kinds(&trace));
}

#[test]
fn numbers_that_json_values_cannot_hold_are_never_changed_silently() {
    let trace = traced("123456789012345678901234567890", &json!({"type": "integer"}));
    assert!(trace.attempts.iter().flat_map(|a| &a.changes).any(|c| c.lossy));
}

#[test]
fn langchains_way_stops_where_langchain_does() {
    let schema = Schema::from_value(&json!({"type": "object", "properties": {"n": {"type": "integer"}}})).unwrap();
    let read = |text| read(text, Some(&schema), at(), Reading::Langchain);
    assert!(read("```json\n{\"n\": \"7\"}\n```").ok);
    assert!(!read("{'n': 7}").ok && !read("{\"n\": \"1,200\"}").ok);
    assert!(!read("{\"n\": null}").ok && traced("{\"n\": null}", schema.document()).ok);
}

#[test]
fn no_input_is_too_odd() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    for text in [
        "[".repeat(200_000),
        "\"".repeat(200_001),
        "\0\u{1b}[31m".into(),
        "\\".repeat(100_001),
        "{\"n\":".repeat(50_000),
        "1".repeat(100_000),
    ] {
        let trace = traced(&text, &schema);
        assert!(!trace.ok, "{}", &text[..10]);
        assert!(trace.attempts.iter().flat_map(|a| &a.errors).all(|f| f.excerpt.chars().count() <= 80));
    }
}

#[test]
fn what_another_value_says_is_told_as_lost_however_unfit_it_is() {
    let schema = json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "city": {"type": "string"}}});
    let lost = |text: &str| {
        let trace = traced(text, &schema);
        assert_eq!(trace.value.as_ref().map(|v| &v["name"]), Some(&json!("Kim")), "{text}");
        trace.attempts.iter().flat_map(|a| &a.changes).any(|c| c.lossy)
    };
    for text in [
        r#"{"name": "Kim"}{"city": "Busan"}"#,
        r#"{"name": "Kim"} no, {"name": 3}"#,
        "```\n{\"name\": \"Kim\"}\n```\nand\n```\n{\"city\": \"Busan\"}\n```",
        r#"{"name": "Kim"}, "city": "Busan", {"a": 1}"#,
        "{\"name\": \"Kim\"}\nCity: Busan\n{}",
        "{\"name\": \"Kim\"}\nCity: Busan",
    ] {
        assert!(lost(text), "{text}");
    }
    for text in [
        r#"{"name": "Kim"} or again {"name": "Kim"}"#,
        r#"As {} asked for the city: {"name": "Kim"} Note: done."#,
        r#"{"name": "Kim", "city": "Busan"}, so {"city": "Busan"}"#,
    ] {
        assert!(!lost(text), "{text}");
    }
}

#[test]
fn a_cut_is_told_once_and_an_empty_text_is_said_to_be_empty() {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    let cut = traced(r#"{"name": "Ki"#, &schema);
    let told: Vec<_> = cut.attempts.iter().flat_map(|a| &a.changes).filter(|c| c.lossy).collect();
    assert_eq!((told.len(), told[0].path.as_str()), (1, "/name"));
    assert_eq!(traced(" ", &schema).error.map(|e| e.message).as_deref(), Some("the text is empty"));
}

#[test]
fn a_text_of_more_values_than_memory_holds_is_refused_before_they_are_built() {
    let trace = repair_text(&"1,".repeat(MOST_WEIGHT + 1), None, at());
    let refusal = trace.error.unwrap();
    assert!(refusal.stage == Stage::Parse && refusal.message.contains("too large"), "{}", refusal.message);
    // So many letters are no values.
    assert_eq!(weight(&"a".repeat(MOST_WEIGHT + 1)), 0);
}

fn people() -> Value {
    json!({"type": "array", "items": {"type": "object", "required": ["name"],
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}})
}

#[test]
fn a_list_of_all_values_wins_over_each_alone_however_many_conversions_it_needs() {
    let all = json!([{"name": "a", "age": 1}, {"name": "b", "age": 2}, {"name": "c", "age": 3}]);
    for text in [
        "{\"name\":\"a\",\"age\":\"1\"}\n{\"name\":\"b\",\"age\":\"2\"}\n{\"name\":\"c\",\"age\":\"3\"}",
        r#"{"name":"a","age":"1"}, {"name":"b","age":"2"}, {"name":"c","age":"3"}"#,
        "```json\n{\"name\":\"a\",\"age\":\"1\"}\n```\nand\n```\n{\"name\":\"b\",\"age\":\"2\"}\n```\n```\n{\"name\":\"c\",\"age\":\"3\"}\n```",
        "{name:'a',age:'1'}\n{name:'b',age:'2'}\n{name:'c',age:'3'}",
        r#"First {"name":"a","age":"1"}, then {"name":"b","age":"2"} and {"name":"c","age":"3"}."#,
    ] {
        let trace = traced(text, &people());
        assert_eq!(trace.value.as_ref(), Some(&all), "{text}");
        assert!(trace.attempts.iter().flat_map(|a| &a.changes).all(|c| !c.lossy), "{text}");
    }
    let many = "{\"name\":\"a\",\"age\":\"1\"}\n".repeat(1_500);
    let trace = traced(&many, &people());
    assert_eq!(trace.value.and_then(|v| v.as_array().map(Vec::len)), Some(1_500));
    assert!(trace.attempts.iter().flat_map(|a| &a.changes).all(|c| !c.lossy));
}

#[test]
fn lists_side_by_side_are_one_list_where_its_items_are_none() {
    let both = json!([{"name": "a", "age": 1}, {"name": "b", "age": 2}, {"name": "c"}]);
    for text in [
        "[{\"name\":\"a\",\"age\":1}]\n[{\"name\":\"b\",\"age\":2},{\"name\":\"c\"}]",
        "[{\"name\":\"a\",\"age\":\"1\"}]\n[{\"name\":\"b\",\"age\":\"2\"}, {\"name\":\"c\"}]",
        "[{name:'a',age:1}]\n[{name:'b',age:'2'},{name: 'c'}]",
        "[{\"name\":\"a\",\"age\":1}]\n{\"name\":\"b\",\"age\":2}\n{\"name\":\"c\"}",
    ] {
        assert_eq!(traced(text, &people()).value.as_ref(), Some(&both), "{text}");
    }
    let nested = json!({"type": "array", "items": {"type": "array", "items": {"type": "integer"}}});
    assert_eq!(traced("[1]\n[2, 3]", &nested).value, Some(json!([[1], [2, 3]])));
    // The change of an item says where the item is.
    let trace = traced("[{\"name\":\"a\"}]\n[{\"name\":\"b\"},{\"name\":\"c\",\"age\":\"3\"}]", &people());
    let paths: Vec<_> = trace.attempts.iter().flat_map(|a| &a.changes).map(|c| c.path.as_str()).collect();
    assert!(paths.contains(&"/2/age"), "{paths:?}");
}

#[test]
fn texts_side_by_side_are_a_list_where_one_is_asked_for() {
    let schema = json!({"type": "array", "items": {"type": "integer"}});
    assert_eq!(traced(r#""1" "2" "3""#, &schema).value, Some(json!([1, 2, 3])));
    let words = json!({"type": "array", "items": {"type": "string"}});
    assert_eq!(traced("'a' 'b'", &words).value, Some(json!(["a", "b"])));
}

#[test]
fn what_goes_on_behind_a_closing_bracket_is_told_as_lost() {
    let numbers = json!({"type": "array", "items": {"type": "integer"}});
    let fields = json!({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}});
    let lost = |trace: Trace| trace.attempts.iter().flat_map(|a| &a.changes).any(|c| c.lossy);
    for text in ["[1, 2], 3, 4]", "[1,2]\n3\n4", "[1,2,3] and 4"] {
        assert!(lost(traced(text, &numbers)) && lost(repair_text(text, None, at())), "{text}");
    }
    for text in ["{name: say}ing, age: 5}", "{\"name\": \"x\"} age = 5", "{\"name\": \"x\"}, \"age\": 5}"] {
        assert!(lost(traced(text, &fields)) && lost(repair_text(text, None, at())), "{text}");
    }
    for text in
        ["Here are 3 numbers: [1, 2, 3]. I hope this helps!", "The list is\n```json\n[1]\n```\nwhich has 1 item only."]
    {
        assert!(!lost(traced(text, &numbers)), "{text}");
    }
}

#[test]
fn the_answer_is_taken_before_a_draft() {
    let schema = json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}});
    for text in [
        "<think>maybe {\"name\": \"draft\"}</think>\n{\"name\": \"final\"}",
        "<think>maybe {\"name\": \"draft\"}</think>\n{'name': 'final'}",
        "<thinking>maybe {'name': 'draft'}</thinking>\nName: final",
        "maybe {\"name\": \"draft\"}</think>{\"name\": \"final\"}",
        "Example: {\"name\": \"draft\"}\nAnswer: {\"name\": \"final\"}",
        "{\"name\": \"draft\"}\nFinal answer:\n```json\n{\"name\": \"final\"}\n```",
        "{\"name\": \"draft\"}\nFinal answer: {name: 'final'}",
        "{\"name\": \"draft\"}\nWait, that is wrong.\n{\"name\": \"final\"}",
        "{\"name\": \"draft\"}. Actually, it is {\"name\": \"final\"}",
    ] {
        let trace = traced(text, &schema);
        assert_eq!(trace.value, Some(json!({"name": "final"})), "{text}");
        assert!(trace.attempts.iter().flat_map(|a| &a.changes).any(|c| c.lossy), "{text}");
    }
    // Nothing else fits.
    let only = traced("<think>maybe {\"name\": \"draft\"}</think>\nI do not know.", &schema);
    assert!(only.value == Some(json!({"name": "draft"})) && kinds(&only).contains(&"draft_taken"));
    let answer = traced("{\"name\": \"Kim\"}\nAnswer: {\"nom\": 1}", &schema);
    assert_eq!(answer.value, Some(json!({"name": "Kim"})));
    let same = traced("<think>{\"name\": \"Kim\"}, I think</think>{\"name\": \"Kim\", \"age\": 3}", &schema);
    assert!(same.attempts.iter().flat_map(|a| &a.changes).all(|c| !c.lossy), "{:?}", kinds(&same));
    // Free text is the text, thoughts and all.
    let said = "<think>a</think>b";
    assert_eq!(traced(said, &json!({"type": "string"})).value, Some(json!(said)));
    let listed = traced("{\"name\": \"draft\"}\nCorrection: {\"name\": \"final\"}", &people());
    assert_eq!(listed.value, Some(json!([{"name": "final"}])));
}

#[test]
fn footnotes_around_a_value_are_left_out_without_loss() {
    let schema = json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}});
    for text in [
        "[1] the source {\"a\": 1}",
        "[1] Wikipedia\n{\"a\": 1}",
        "{\"a\": 1} [1]",
        "{\"a\": 1}\n\n[1] the source\n[2]: https://a.b/c",
        "{a: 1}\n[1] the source",
        "[^1]: see below\n{a: 1}",
    ] {
        let trace = traced(text, &schema);
        assert_eq!(trace.value, Some(json!({"a": 1})), "{text}");
        let changes: Vec<&Change> = trace.attempts.iter().flat_map(|a| &a.changes).collect();
        assert!(changes.iter().any(|c| c.kind == "left_out"), "{text}");
        assert!(changes.iter().all(|c| !c.lossy), "{text}: {changes:?}");
    }
    // A list of numbers is one where the schema asks for such.
    assert_eq!(
        traced("[1] is the list", &json!({"type": "array", "items": {"type": "integer"}})).value,
        Some(json!([1]))
    );
}

#[test]
fn a_line_below_a_complete_object_is_a_remark() {
    let object = |more: &str| json!({"type": "object", "required": ["a"], "properties": serde_json::from_str::<Value>(more).unwrap()});
    let one = object(r#"{"a": {"type": "integer"}}"#);
    let two = object(r#"{"a": {"type": "integer"}, "town": {"type": "string"}}"#);
    let list = object(r#"{"a": {"type": "array", "items": {"type": "integer"}}}"#);
    for (text, schema, lossy) in [
        ("{\"a\": 1}\nConfidence: 95%", &one, false),
        ("```json\n{\"a\": 1}\n```\nTotal: 1\n(1 field)", &one, false),
        ("{\"a\": 1}\ncity: Busan", &two, true),
        ("{\"a\": [1]}\nitem: 2", &list, true),
        ("{\"a\": 1}\na = 2", &one, true),
        ("{\"a\": 1}, \"b\": 2", &one, true),
    ] {
        let trace = traced(text, schema);
        assert!(trace.ok, "{text}");
        assert_eq!(trace.attempts.iter().flat_map(|a| &a.changes).any(|c| c.lossy), lossy, "{text}");
    }
}

#[test]
fn alternatives_that_are_too_many_to_try_are_named_with_the_limit() {
    let way = |kind: &str| json!({"type": "object", "required": ["v"], "properties": {"v": {"type": kind}, "c": {"$ref": "#/$defs/n"}}});
    let schema = json!({"$ref": "#/$defs/n", "$defs": {"n": {"anyOf": [way("integer"), way("boolean")]}}});
    let nested =
        |depth: usize| (0..depth).fold(json!({"v": "5"}), |inner, _| json!({"v": "5", "c": inner})).to_string();
    assert!(traced(&nested(5), &schema).ok);
    let error = traced(&nested(20), &schema).error.expect("a refusal");
    assert!(error.message.contains("alternatives that are tried in"), "{}", error.message);
    assert!(error.message.contains("levels deep"), "{}", error.message);
}

#[test]
fn what_nothing_was_made_of_is_told_where_a_field_was_not_found() {
    let schema = json!({"type": "object", "required": ["title", "items"], "properties": {"title": {"type": "string"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}}});
    let schema = Schema::from_value(&schema).unwrap();
    let said = |text: &str| repair_value(text, Some(&schema), at()).result.expect_err(text).message;
    let told = said("title: a\nitems:\n- apple\n- pear");
    assert_eq!(told, "/items: expected a list, found nothing, while \"apple\" and 1 more of the text fits no field");
    let told = said(r#"{"title": "a", "wares": [1, 2]}"#);
    assert_eq!(told, "/items: expected a list, found nothing, while the schema has no field \"wares\"");
    assert_eq!(said(r#"{"title": "a"}"#), "/items: expected a list, found nothing");
    // What is said of the field itself is there, though not in the value.
    let told = said("title: a\n{\"items\": []}");
    assert_eq!(told, "/title: expected text, found nothing, while \"title: a\" of the text stands outside the value");
    let of_items = repair_value("title: a\n{\"wares\": []}", Some(&schema), at()).result.expect_err("no items").errors;
    assert_eq!(of_items[1].found, "nothing");
}

#[test]
fn an_example_that_is_all_there_is_is_taken_with_a_mark() {
    let schema = Schema::from_value(&json!({"type": "object", "properties": {"a": {"type": "integer"}}})).unwrap();
    let lossy = |text: &str| repair_value(text, Some(&schema), at()).changes.iter().any(|c| c.lossy);
    assert!(lossy("For example:\n{\"a\": 1}"));
    assert!(!lossy("The answer:\n{\"a\": 1}"));
    assert!(!lossy("For example: {\"a\": 1}\nThe answer: {\"a\": 1}"));
}

#[test]
fn another_value_and_an_example_are_no_items_of_a_list() {
    let schema = json!({"type": "array", "items": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}});
    let lossy = |trace: &Trace| trace.attempts.iter().flat_map(|a| &a.changes).any(|change| change.lossy);
    for (text, wanted) in [
        ("{\"n\": 1} or {\"n\": 2}", json!([{"n": 1}])),
        ("{n: 1} 또는 {n: 2}", json!([{"n": 1}])),
        ("For example {\"n\": 0}. Answer: {\"n\": 1}", json!([{"n": 1}])),
        ("For example {\"n\": 0}. Answer: {\"n\": 1} and {\"n\": 2}", json!([{"n": 1}, {"n": 2}])),
        ("{\"n\": 1}, {\"n\": 2} or {\"n\": 3}", json!([{"n": 1}, {"n": 2}, {"n": 3}])),
        ("Old: {\"n\": 1}\nNew: {\"n\": 2}", json!([{"n": 1}, {"n": 2}])),
        ("A draft: {\"n\": 1} and {\"n\": 2}", json!([{"n": 1}, {"n": 2}])),
    ] {
        let trace = traced(text, &schema);
        assert_eq!(trace.value, Some(wanted), "{text}");
        assert!(lossy(&trace), "{text}");
    }
    for text in
        ["{\"n\": 1} and {\"n\": 2}", "Answer: {\"n\": 1}, {\"n\": 2}", "Result 1: {\"n\": 1}\nResult 2: {\"n\": 2}"]
    {
        let trace = traced(text, &schema);
        assert_eq!(trace.value, Some(json!([{"n": 1}, {"n": 2}])), "{text}");
        assert!(!lossy(&trace), "{text}");
    }
}
