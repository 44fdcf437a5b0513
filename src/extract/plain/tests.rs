//! Plain text to a value: each form of it, and what is never guessed.

use serde_json::{Value, json};

use crate::extract::parse::Candidate;
use crate::extract::schema::Schema;

fn person() -> Schema {
    Schema::from_value(&json!({"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string", "aliases": ["이름", "성명"]},
        "age": {"type": "integer", "aliases": ["나이"]},
        "city": {"type": "string"},
        "full_address": {"type": "object", "properties": {"street": {"type": "string"}, "zip": {"type": "string"}}},
        "tags": {"type": "array", "items": {"type": "string"}},
        "pets": {"type": "array", "items": {"type": "object", "properties": {"kind": {"type": "string"}, "name": {"type": "string"}}}},
    }}))
    .unwrap()
}

pub(super) fn best(text: &str, schema: &Schema) -> Candidate {
    super::candidates(text, Some(schema)).into_iter().next().unwrap_or(Candidate {
        value: Value::Null,
        span: 0..0,
        changes: vec![],
    })
}

#[test]
fn each_way_of_writing_a_name_and_its_value_gives_the_same_fields() {
    let schema = person();
    let wanted = json!({"name": "John", "age": 25, "city": "Seoul"});
    for text in [
        "Name: John\nAge: 25\nCity: Seoul",
        "**Name**: John\n**Age**: 25\n**City**: Seoul",
        "**Name:** John\n**Age:** 25\n**City:** Seoul",
        "- Name: John\n- Age: 25\n- City: Seoul",
        "* **name**: John\n* **age**: 25\n* **city**: Seoul",
        "name = John\nage = 25\ncity = Seoul",
        "name -> John\nage -> 25\ncity -> Seoul",
        "Name: John, Age: 25, City: Seoul",
        "Name: John; Age: 25; City: Seoul",
        "NAME： John\nAGE： 25\nCITY： Seoul",
        "이름: John\n나이: 25\nCity: Seoul",
        "name: \"John\"\nage: 25\ncity: 'Seoul'",
        "1. Name: John\n2. Age: 25\n3. City: Seoul",
        "| Name | Age | City |\n|---|---|---|\n| John | 25 | Seoul |",
        "| Field | Value |\n|:--|--:|\n| Name | John |\n| Age | 25 |\n| City | Seoul |",
        "<person><name>John</name><age>25</age><city>Seoul</city></person>",
        "<name>John</name>\n<age>25</age> <city>Seoul</city>",
        "Here is the person.\n\nName: John\nAge: 25\nCity: Seoul\n\nAnything else?",
    ] {
        assert_eq!(best(text, &schema).value, wanted, "{text}");
    }
}

#[test]
fn yaml_nests_by_its_indents() {
    let text = "name: John\nfull_address:\n  street: Main St 5\n  zip: 02134\ntags:\n  - a\n  - b: c\npets:\n- kind: cat\n  name: Tom\n- kind: dog\n  name: Rex\n";
    let wanted = json!({"name": "John", "full_address": {"street": "Main St 5", "zip": "02134"}, "tags": ["a", "b: c"],
        "pets": [{"kind": "cat", "name": "Tom"}, {"kind": "dog", "name": "Rex"}]});
    assert_eq!(best(text, &person()).value, wanted);
}

#[test]
fn a_list_stands_below_its_name_or_in_its_line() {
    for text in [
        "name: J\ntags: a, b, c",
        "name: J\ntags:\n- a\n- b\n- c",
        "Name: J\n**Tags**:\n\n* a\n* b\n* c",
        "name: J\ntags: [\"a\", \"b\", \"c\"]",
    ] {
        assert_eq!(best(text, &person()).value, json!({"name": "J", "tags": ["a", "b", "c"]}), "{text}");
    }
}

#[test]
fn block_texts_and_sections_are_read() {
    let text = "name: >\n  John\n  Smith\n\n[full_address]\nstreet = Main St\nzip = 1\n";
    assert_eq!(
        best(text, &person()).value,
        json!({"name": "John Smith", "full_address": {"street": "Main St", "zip": "1"}})
    );
}

#[test]
fn rows_of_a_table_and_items_of_a_list_are_the_arrays_items() {
    let people = Schema::from_value(&json!({"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}})).unwrap();
    let wanted = json!([{"name": "A", "age": 1}, {"name": "B", "age": 2}]);
    for text in [
        "| name | age |\n|---|---|\n| A | 1 |\n| B | 2 |",
        "- name: A\n  age: 1\n- name: B\n  age: 2",
        "name: A\nage: 1\n\nname: B\nage: 2",
        "1. Name: A, Age: 1\n2. Name: B, Age: 2",
        "- Name: A\n- Age: 1\n\n- Name: B\n- Age: 2",
    ] {
        assert_eq!(best(text, &people).value, wanted, "{text}");
    }
    let words = Schema::from_value(&json!({"type": "array", "items": {"type": "string"}})).unwrap();
    for text in ["- a\n- b", "1. a\n2. b", "So:\n\n* a\n* b\n", "a, b"] {
        assert_eq!(best(text, &words).value, json!(["a", "b"]), "{text}");
    }
}

#[test]
fn a_value_that_names_no_field_is_not_guessed() {
    let schema = Schema::from_value(&json!({"type": "object", "properties": {"foo": {"type": "string"}}})).unwrap();
    assert!(super::candidates("My inner string", Some(&schema)).is_empty());
    assert!(super::candidates("John is 25", Some(&person())).is_empty());
    assert!(super::candidates("Name: John", None).is_empty());
    let read = best("Name: John\nPhone: 123\nAge: 25", &person());
    assert_eq!(read.value, json!({"name": "John", "age": 25}));
    assert!(read.changes.iter().any(|c| c.lossy && c.before == json!("Phone: 123")), "{:?}", read.changes);
}

#[test]
fn sentences_around_are_left_out_without_loss_and_named() {
    let read = best("Sure, here you are.\nName: John\nBye.", &person());
    let left: Vec<_> =
        read.changes.iter().filter(|c| c.kind == "left_out").map(|c| (c.before.clone(), c.lossy)).collect();
    assert_eq!(left, [(json!("Sure, here you are."), false), (json!("Bye."), false)]);
}

#[test]
fn what_is_said_twice_is_told() {
    let read = best("Name: John\nName: Jane", &person());
    assert_eq!(read.value, json!({"name": "John"}));
    assert!(read.changes.iter().any(|c| c.kind == "duplicate_key" && c.lossy && c.before == json!("Jane")));
}

#[test]
fn a_scalar_schema_gets_the_text_itself() {
    let text = Schema::from_value(&json!({"type": "string"})).unwrap();
    assert_eq!(best(" \"hello ", &text).value, json!(" \"hello "));
    let one = Schema::from_value(&json!({"enum": ["ONE", "TWO"]})).unwrap();
    assert_eq!(best(" **TWO** ", &one).value, json!("TWO"));
}

#[test]
fn json_is_left_to_those_who_mark_what_was_cut_off() {
    for text in [
        "{\"name\": \"John\", \"age\": 2",
        "Here:\n{\n\"name\": \"John\",\n\"age\": 25",
        "So: {\"name\": \"John\"}",
        "[\"name: x\"]",
    ] {
        assert!(super::candidates(text, Some(&person())).is_empty(), "{text}");
    }
    let read = best("name: J\nfull_address: {\"street\": \"Main\", \"zip\": \"1\"}", &person());
    assert_eq!(read.value["full_address"], json!({"street": "Main", "zip": "1"}));
}

#[test]
fn a_hostile_text_is_read_or_refused_without_a_panic() {
    for text in [
        "name:".repeat(2000),
        "- ".repeat(5000),
        "|".repeat(5000),
        "<name>".repeat(3000),
        "\n".repeat(5000),
        "name: {".repeat(500),
        "**".repeat(5000),
        "[".repeat(5000),
        " ".repeat(5000),
        "이름：".repeat(2000),
        "\0".repeat(5000),
    ] {
        super::candidates(&text, Some(&person()));
    }
    let deep: String = (0..200).map(|n| format!("{}full_address:\n", " ".repeat(n))).collect();
    super::candidates(&deep, Some(&person()));
}

#[test]
fn what_tags_say_and_no_field_holds_is_told_as_lost() {
    let lost = |text: &str| {
        let read = best(text, &person());
        read.changes.iter().filter(|c| c.lossy).map(|c| c.before.clone()).collect::<Vec<_>>()
    };
    assert_eq!(lost("<person><name>A</name><job>x</job></person>"), [json!("<job>x</job>")]);
    assert_eq!(lost("<person><name>A</name> of age 3 <city>B</city></person>"), [json!("of age 3")]);
    assert_eq!(lost("<name>A</name><name>B</name>"), [json!("B")]);
    assert_eq!(lost("<name id=\"7\">A</name>"), [json!("<name id=\"7\">")]);
    assert_eq!(lost("<person><name>A</name><city>Seoul</person>"), [json!("<city>Seoul</person>")]);
    assert!(lost("So: <person>\n<name>A</name>\n</person> <b>there</b>").is_empty());
    assert_eq!(best("<name></name><city>B</city>", &person()).value, json!({"city": "B"}));
}

#[test]
fn each_record_within_tags_is_a_reading_of_its_own_or_an_item() {
    let text = "<people><person><name>A</name></person> then <person><name>B</name></person></people>";
    let read = super::candidates(text, Some(&person()));
    let values: Vec<_> = read.iter().map(|c| c.value.clone()).collect();
    assert_eq!(values, [json!({"name": "A"}), json!({"name": "B"})]);
    let people = Schema::from_value(
        &json!({"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}}),
    )
    .unwrap();
    let list = best(text, &people);
    assert_eq!(list.value, json!([{"name": "A"}, {"name": "B"}]));
    assert!(list.changes.iter().any(|c| c.lossy && c.before == json!("then")), "{:?}", list.changes);
}

#[test]
fn cells_beyond_the_header_are_told_and_a_bar_behind_a_backslash_is_text() {
    let read = best("| name | age |\n|---|---|\n| A\\|B | 1 | more |", &person());
    assert_eq!(read.value, json!({"name": "A|B", "age": 1}));
    assert!(read.changes.iter().any(|c| c.lossy && c.before == json!("more")), "{:?}", read.changes);
    let twice = best("| name | name |\n|---|---|\n| A | B |", &person());
    assert!(twice.changes.iter().any(|c| c.lossy), "{:?}", twice.changes);
}

#[test]
fn a_sentence_with_commas_is_no_list_and_a_list_in_one_line_is_a_guess() {
    let words = Schema::from_value(&json!({"type": "array", "items": {"type": "string"}})).unwrap();
    for text in ["Sorry, I cannot help.", "Well, no, that is not possible!", "Sorry, that is beyond me", "Yes. A, b, c"]
    {
        assert!(super::candidates(text, Some(&words)).is_empty(), "{text}");
    }
    let read = best("red wine, green tea, coffee", &words);
    assert_eq!(read.value, json!(["red wine", "green tea", "coffee"]));
    assert!(read.changes.iter().any(|c| c.lossy));
    let numbers = Schema::from_value(&json!({"type": "array", "items": {"type": "integer"}})).unwrap();
    assert!(best("tags: Sorry, I cannot help.", &person()).changes.iter().any(|c| c.lossy && c.path == "/tags"));
    assert!(best("tags: a, b", &person()).changes.iter().all(|c| !c.lossy));
    assert!(best("1, 2", &numbers).changes.iter().all(|c| !c.lossy));
}

#[test]
fn a_field_of_which_nothing_is_said_is_absent() {
    assert_eq!(best("Name:\nAge: 25\nTags:\nPets:\n  - colour: red", &person()).value, json!({"age": 25}));
    assert_eq!(best("Name: ____\nAge: 25", &person()).value, json!({"age": 25}));
    assert_eq!(best("Name: \"\"\nAge: 25", &person()).value, json!({"name": "", "age": 25}));
    assert_eq!(best("Name: A\nAge: null\nCity: ~", &person()).value, json!({"name": "A", "age": null, "city": null}));
}

#[test]
fn indents_say_which_list_an_item_is_of() {
    let tree = Schema::from_value(&json!({"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {
        "v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/n"}}}}}}))
    .unwrap();
    let wanted = json!({"v": 1, "kids": [{"v": 2, "kids": [{"v": 3}]}, {"v": 4}]});
    for text in
        ["v: 1\nkids:\n- v: 2\n  kids:\n  - v: 3\n- v: 4", "v: 1\nkids:\n  - v: 2\n    kids:\n      - v: 3\n  - v: 4"]
    {
        assert_eq!(best(text, &tree).value, wanted, "{text}");
    }
}

#[test]
fn a_hash_begins_a_comment_among_fields_and_is_text_elsewhere() {
    let read = best("name: Al # a nick\ncity: \"B # C\"\n# age: 3", &person());
    assert_eq!(read.value, json!({"name": "Al", "city": "B # C"}));
    assert!(read.changes.iter().any(|c| c.before == json!("# a nick")), "{:?}", read.changes);
    assert!(read.changes.iter().any(|c| c.before == json!("# age: 3")), "{:?}", read.changes);
    assert_eq!(best("name: C#\ncity: Flat #5", &person()).value, json!({"name": "C#", "city": "Flat #5"}));
    assert_eq!(best("## Name: Al\n## City: B", &person()).value, json!({"name": "Al", "city": "B"}));
}

#[test]
fn a_text_of_several_lines_keeps_its_breaks_and_a_list_in_its_place_is_told() {
    assert_eq!(
        best("name: |\n  A\n    B # c\n\n  C\nage: 2", &person()).value,
        json!({"name": "A\n  B # c\n\nC", "age": 2})
    );
    for (text, lossy) in [("name:\n  - A\n  - B", true), ("name:\n  first: A", true), ("name:\n  A\n  B", false)] {
        assert_eq!(best(text, &person()).changes.iter().any(|c| c.lossy), lossy, "{text}");
    }
}

#[test]
fn a_long_text_without_any_of_the_names_is_left_alone() {
    assert!(super::candidates(&"a: b. ".repeat(20_000), Some(&person())).is_empty());
    let long = format!("{}\nFULL-ADDRESS:\n  zip: 1", "no. ".repeat(20_000));
    assert_eq!(best(&long, &person()).value, json!({"full_address": {"zip": "1"}}));
}

#[test]
fn fields_below_a_strange_name_and_a_tag_that_was_cut_off_are_told() {
    let lossy = |text: &str| best(text, &person()).changes.iter().any(|c| c.lossy);
    assert!(lossy("name: A\nmother:\n  city: Seoul"));
    assert!(!lossy("Person:\n  name: A\n  city: Seoul"));
    assert!(!lossy("name: A\n\nWhere:\n\ncity: Seoul"));
    assert!(lossy("<name>A</name><city>Seo"));
    assert!(!lossy("<name>A</name> <br>"));
}

#[test]
fn a_value_may_stand_in_the_line_below_its_name() {
    let schema = person();
    let made = best("Name:\n  John\nAge:\n  25\nCity:\n  Seoul", &schema);
    assert_eq!(made.value, json!({"name": "John", "age": 25, "city": "Seoul"}));
    assert!(made.changes.iter().all(|c| !c.lossy), "{:?}", made.changes);
    assert_eq!(best("name:\n  John\nage:\n  120만\n", &schema).value, json!({"name": "John", "age": "120만"}));
    // Of two lines neither is the value.
    let two = best("name: John\nage:\n  25\n  26", &schema);
    assert!(two.value.get("age").is_none() && two.changes.iter().any(|c| c.lossy), "{two:?}");
}

#[test]
fn commas_in_numbers_part_no_items() {
    let schema = Schema::from_value(&json!({"type": "array", "items": {"type": "integer"}})).unwrap();
    for (text, wanted) in [
        ("1,000, 2,000", json!(["1,000", "2,000"])),
        ("1,000,2,000", json!(["1,000", "2,000"])),
        ("1,234,567, 5, 2,000", json!(["1,234,567", 5, "2,000"])),
        ("1,000, 2,000 and 3,000", json!(["1,000", "2,000 and 3,000"])),
        ("100,200,300", json!([100, 200, 300])),
        ("1, 2, 3", json!([1, 2, 3])),
        ("1,2,300", json!([1, 2, 300])),
        ("12, 345, 678", json!([12, 345, 678])),
    ] {
        assert_eq!(best(text, &schema).value, wanted, "{text}");
    }
}

#[test]
fn a_hash_in_free_text_is_text_unless_the_lines_are_yaml() {
    let said = "Fix bug # 12";
    for text in ["Name: Fix bug # 12\nAge: 5", "- **Name**: Fix bug # 12\n- **Age**: 5", "name: Fix bug # 12"] {
        let read = best(text, &person());
        assert_eq!(read.value["name"], json!(said), "{text}");
        assert!(!read.changes.iter().any(|c| c.kind == "comment_removed"), "{text}");
    }
    let read = best("name: Al # a nick\nage: 5 # years", &person());
    assert_eq!(read.value, json!({"name": "Al", "age": 5}));
    let marks: Vec<bool> = read.changes.iter().filter(|c| c.kind == "comment_removed").map(|c| c.lossy).collect();
    assert_eq!(marks, [true, false], "what could be text is lost, what no number can hold is not");
    assert_eq!(best("Name: Al\nAge: 5 # years", &person()).value, json!({"name": "Al", "age": 5}));
}

#[test]
fn a_line_below_all_fields_is_a_remark_and_named_unless_it_may_be_a_fields() {
    let schema = Schema::from_value(&json!({"type": "object", "properties": {
        "city": {"type": "string"}, "age": {"type": "integer"}}}))
    .unwrap();
    for (text, lossy) in [
        ("City: Busan\nAge: 5\nTotal: 1", false),
        ("City: Busan\nAge: 5\nConfidence: 95%\n(2 fields)", false),
        ("Age: 5\nCity: Busan\n\nTotal: 1", false),
        // The text of a field may go on, a field may be called otherwise, and what was said may be taken back.
        ("Age: 5\nCity: Busan\nTotal: 1", true),
        ("Age: 5\nTown: Busan", true),
        ("City: Busan\nTotal: 1\nAge: 5", true),
        ("City: Busan\nAge: 5\nActually, it is 6.", true),
    ] {
        let read = best(text, &schema);
        let left: Vec<bool> = read.changes.iter().filter(|c| c.kind == "left_out").map(|c| c.lossy).collect();
        assert!(!left.is_empty() && left.iter().all(|is| *is == lossy), "{text}: {:?}", read.changes);
    }
}

#[test]
fn numbers_a_line_each_are_a_list_and_none_may_be_no_item() {
    let numbers = Schema::from_value(&json!({"type": "array", "items": {"type": "integer"}})).unwrap();
    for text in ["1\n2\n3", "1, 2, 3", "1,\n2,\n3"] {
        assert_eq!(best(text, &numbers).value, json!([1, 2, 3]), "{text}");
    }
    assert_eq!(best("1\nor 2", &numbers).value, Value::Null);
    let read = best("name: Al\ntags: none", &person());
    assert!(read.changes.iter().any(|c| c.path == "/tags" && c.lossy), "{:?}", read.changes);
}

#[test]
fn each_item_of_a_list_is_read_by_the_way_that_its_fixed_field_or_its_names_fit() {
    let way = |kind: &str, own: &[&str]| {
        let own = own.iter().map(|name| ((*name).to_owned(), json!({"type": "integer"})));
        let fields: serde_json::Map<String, Value> = own.chain([("kind".into(), json!({"const": kind}))]).collect();
        json!({"type": "object", "properties": fields, "required": ["kind"]})
    };
    let item = json!({"oneOf": [way("rect", &["w", "h"]), way("circle", &["r"]), way("square", &["w"])]});
    let schema = json!({"type": "object", "properties": {"shapes": {"type": "array", "items": item}}});
    let schema = Schema::from_value(&schema).unwrap();
    for text in [
        "shapes:\n- kind: rect\n  w: 3\n  h: 4\n- kind: circle\n  r: 2\n- kind: square\n  w: 1",
        "shapes:\n- w: 3\n  h: 4\n  kind: rect\n- r: 2\n  kind: circle\n- w: 1\n  kind: Square # so",
        "shapes:\n- kind: rect, w: 3, h: 4\n- kind: circle, r: 2\n- kind: square, w: 1",
    ] {
        let read = best(text, &schema).value;
        let kinds = read.pointer("/shapes/2/kind").and_then(Value::as_str).map(str::to_lowercase);
        assert_eq!(kinds.as_deref(), Some("square"), "{text}: {read}");
        assert_eq!(read["shapes"][0], json!({"kind": "rect", "w": 3, "h": 4}), "{text}");
        assert_eq!(read["shapes"][1], json!({"kind": "circle", "r": 2}), "{text}");
    }
}

#[test]
fn a_sentence_that_closes_the_answer_is_no_loss_below_fields() {
    let schema = person();
    for fields in ["name: John\nage: 25", "- **Name:** John\n- **Age:** 25", "| name | age |\n|---|---|\n| John | 25 |"]
    {
        for said in ["Note: the age was stated directly.", "The city was not mentioned.", "Done!"] {
            let read = best(&format!("{fields}\n\n{said}"), &schema);
            assert!(read.changes.iter().all(|c| !c.lossy), "{fields} {said}: {:?}", read.changes);
        }
        let read = best(&format!("{fields}\n\nThe city is Busan."), &schema);
        assert!(read.changes.iter().any(|c| c.lossy), "{fields}: {:?}", read.changes);
    }
}

#[test]
fn a_currency_in_a_label_is_told_where_the_field_has_another() {
    let schema = Schema::from_value(&json!({"type": "object", "properties": {
        "price": {"type": "integer", "description": "in won"}, "item": {"type": "string"}}}))
    .unwrap();
    for (text, lossy) in [
        ("price ($): 35", true),
        ("**Price ($):** 35", true),
        ("| item | price ($) |\n|---|---|\n| desk | 35 |", true),
        ("price (₩): 35", false),
        ("item: a $5 bill\nprice: 35", false),
    ] {
        let read = best(text, &schema);
        assert_eq!((read.value["price"].is_null(), read.changes.iter().any(|c| c.lossy)), (false, lossy), "{text}");
    }
}

#[test]
fn an_object_as_python_writes_it_is_its_fields() {
    let schema = person();
    let read = best("Person(name='John (Jr.)', age=25, tags=['a', 'b'])", &schema);
    assert_eq!(read.value, json!({"name": "John (Jr.)", "age": 25, "tags": ["a", "b"]}));
    assert!(read.changes.iter().all(|c| !c.lossy), "{:?}", read.changes);
    assert!(read.changes.iter().any(|c| (c.kind.as_str(), &c.before) == ("wrapper_removed", &json!("Person"))));
    let none = best("Person(name='None', age=25, city=None)", &schema);
    assert_eq!(none.value, json!({"name": "None", "age": 25, "city": null}));
    for text in
        ["Person(name='John') and Person(name='Al')", "Person(name='John') is it.", "See (name=John)", "Person(John)"]
    {
        assert!(best(text, &schema).changes.iter().all(|c| c.kind != "wrapper_removed"), "{text}");
    }
}

#[test]
fn a_name_that_is_none_of_the_schemas_behind_quotes_is_left_out_with_a_mark() {
    for text in ["age: 25, name: \"John\", job: cook", "Person(age=25, name='John', job='cook')"] {
        let read = best(text, &person());
        assert_eq!(read.value, json!({"age": 25, "name": "John"}), "{text}");
        assert!(read.changes.iter().any(|c| c.kind == "left_out" && c.lossy), "{text}: {:?}", read.changes);
    }
}
