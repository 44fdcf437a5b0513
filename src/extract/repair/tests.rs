//! Broken JSON to its value, by kind of breakage, and what is told of each; laws that hold for any text.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::extract::parse::{self, Candidate, strict};

/// The first reading.
fn read(text: &str) -> Candidate {
    super::candidates(text, None).into_iter().next().unwrap_or_else(|| panic!("no reading of {text}"))
}

fn all_give(wanted: Value, texts: &[&str]) {
    for text in texts {
        assert_eq!(read(text).value, wanted, "{text}");
    }
}

fn kinds(text: &str) -> Vec<String> {
    read(text).changes.into_iter().map(|change| change.kind).collect()
}

fn is_lossy(text: &str) -> bool {
    read(text).changes.iter().any(|change| change.lossy)
}

#[test]
fn any_mark_for_a_quote_will_do_and_none() {
    all_give(
        json!({"name": "John", "age": 25}),
        &[
            "{'name': 'John', 'age': 25}",
            "{“name”: “John”, “age”: 25}",
            "{‘name’: ‘John’, ‘age’: 25}",
            "{`name`: `John`, `age`: 25}",
            "{name: John, age: 25}",
            "{name\": \"John\", \"age\": 25}",
            "{\"name: \"John\", \"age\": 25}",
            "{\"name\": \"John, \"age\": 25}",
            "{\"name\": John\", \"age\": 25}",
            "{\\\"name\\\": \\\"John\\\", \\\"age\\\": 25}",
            "{&quot;name&quot;: &quot;John&quot;, &quot;age&quot;: 25}",
            "{\"name\": \"\"John\"\", \"age\": 25}",
            "{\"name\": \"\"\"John\"\"\", \"age\": 25}",
            "｛＂name＂：＂John＂，＂age＂：25｝",
        ],
    );
    assert_eq!(kinds("{'a': 1}"), ["quotes_replaced"]);
    assert_eq!(kinds("{a: 1}"), ["quotes_added"]);
}

#[test]
fn an_address_without_quotes_is_a_text() {
    all_give(
        json!({"name": "John", "age": "25", "email": "john@test.com"}),
        &["{\"name\": \"John\", \"age\": \"25\", \"email\": john@test.com}"],
    );
    all_give(
        json!({"u": "https://a.io/x?y=1", "b": 2}),
        &["{u: https://a.io/x?y=1, b: 2}", "{\"u\": \"https://a.io/x?y=1, \"b\": 2}"],
    );
    all_give(json!({"p": "C:\\Users\\x", "b": 2}), &["{p: C:\\Users\\x, b: 2}"]);
    all_give(json!({"d": "01/02/2024", "t": "12:30", "n": "-2,000.00"}), &["{d: 01/02/2024, t: 12:30, n: -2,000.00}"]);
}

#[test]
fn quotes_within_a_text_are_text() {
    all_give(
        json!({"a": "she said \"hi\" twice", "b": 1}),
        &["{\"a\": \"she said \"hi\" twice\", \"b\": 1}", "{'a': 'she said \"hi\" twice', 'b': 1}"],
    );
    all_give(json!({"a": "I said, \"hello\" to him"}), &["{\"a\": \"I said, \"hello\" to him\"}"]);
    all_give(json!({"a": "it's"}), &["{'a': 'it's'}", "{\"a\": \"it's\"}"]);
    all_give(json!(["a 24\" screen", 1]), &["[\"a 24\" screen\", 1]"]);
    assert_eq!(kinds("{\"a\": \"x \"y\" z\"}"), ["inner_quotes_escaped"]);
}

#[test]
fn a_sentence_without_quotes_keeps_its_commas_and_lines() {
    all_give(
        json!({"a": "Hi there, friends!", "b": "one\n  two, \"three\"", "c": ["x", "y"]}),
        &["{\n  a: Hi there, friends!,\n  b: one\n  two, \"three\",\n  c: [x,\n y]\n}"],
    );
}

#[test]
fn commas_may_be_missing_doubled_leading_or_trailing() {
    all_give(
        json!({"a": [1, 2, 3], "b": "x"}),
        &[
            "{\"a\": [1, 2, 3,], \"b\": \"x\",}",
            "{\"a\": [1,, 2,,, 3], , \"b\": \"x\"}",
            "{,\"a\": [,1, 2, 3], \"b\": \"x\"}",
            "{\"a\": [1 2 3] \"b\": \"x\"}",
            "{\"a\": [1\n2\n3]\n\"b\": \"x\"}",
            "{\"a\": [1; 2; 3]; \"b\": \"x\"}",
        ],
    );
}

#[test]
fn colons_may_be_missing_or_written_otherwise() {
    all_give(
        json!({"a": 1, "b": "x"}),
        &["{\"a\" 1, \"b\" \"x\"}", "{\"a\" = 1, \"b\" => \"x\"}", "{\"a\":: 1, \"b\": \"x\"}"],
    );
}

#[test]
fn brackets_may_be_missing_mistaken_or_too_many() {
    all_give(json!([{"i": 1}, {"i": 2}]), &["[{\"i\": 1, {\"i\": 2}]", "[{\"i\": 1 {\"i\": 2}]"]);
    all_give(
        json!({"a": [1, 2], "b": 3}),
        &[
            "{\"a\": [1, 2}, \"b\": 3}",
            "{\"a\": [1, 2]}, \"b\": 3}",
            "{\"a\": [1, 2], \"b\": 3}}]}",
            "{{\"a\": [1, 2], \"b\": 3}}",
        ],
    );
    all_give(json!({"a": 1, "b": 2}), &["\"a\": 1, \"b\": 2", "\"a\": 1, \"b\": 2}", "{\"a\": 1, \"b\": 2]"]);
    all_give(json!([{"a": 1}]), &["[\"a\": 1]"]);
}

#[test]
fn what_was_cut_off_is_always_marked() {
    for (text, wanted) in [
        ("{\"a\": 1, \"b\": [1, 2", json!({"a": 1, "b": [1, 2]})),
        ("{\"a\": \"some te", json!({"a": "some te"})),
        ("{\"a\": 1, \"b\":", json!({"a": 1})),
        ("{\"a\": 1, \"b", json!({"a": 1})),
        ("{\"a\": 1,", json!({"a": 1})),
        ("[", json!([])),
        ("[{\"a\": \"x\"}, {\"a\": \"y", json!([{"a": "x"}, {"a": "y"}])),
        ("{\"a\": \"x\\u00", json!({"a": "x"})),
        ("```json\n{\"a\": [1,", json!({"a": [1]})),
        ("{\"a\": 1 // , \"b\": 2}", json!({"a": 1})),
    ] {
        let read = read(text);
        assert_eq!(read.value, wanted, "{text}");
        assert!(
            read.changes.iter().any(|change| change.kind == "truncated" && change.lossy),
            "{text}: {:?}",
            read.changes
        );
    }
    let cut = read("{\"items\": [{\"name\": \"a\"}, {\"name\": \"b");
    assert!(cut.changes.iter().any(|change| change.path.starts_with("/items/1")), "{:?}", cut.changes);
}

#[test]
fn every_beginning_of_a_document_is_marked_as_cut() {
    let text = "{\"a\": [1, -2.5, true, null, \"x\\n\"], \"b\": {\"c\": \"d, e\"}}";
    for end in 1..text.len() {
        let read = super::candidates(&text[..end], None);
        assert!(
            read[0].changes.iter().any(|change| change.kind == "truncated" && change.lossy),
            "{}: {:?}",
            &text[..end],
            read[0]
        );
    }
}

#[test]
fn comments_are_removed_and_quoted() {
    all_give(
        json!({"a": 1, "b": [2]}),
        &[
            "{// one\n\"a\": 1, /* two */ \"b\": [2] # three\n}",
            "/* x */ {\"a\": 1, \"b\": [2 /* ] */]} // end",
            "<!-- x -->{\"a\": 1, \"b\": [2]}",
        ],
    );
    let told = read("{\"a\": 1 /* note */}").changes;
    assert_eq!(
        (told[0].kind.as_str(), &told[0].before, told[0].lossy),
        ("comment_removed", &json!("/* note */"), false)
    );
}

#[test]
fn python_is_read() {
    all_give(json!({"a": true, "b": false, "c": null}), &["{'a': True, 'b': False, 'c': None}"]);
    all_give(json!({"a": [1, 2], "b": ["x"], "c": []}), &["{'a': (1, 2), 'b': ('x',), 'c': ()}"].map(|s| s));
    all_give(json!({"a": [1, 2]}), &["{'a': {1, 2}}"]);
    all_give(json!({"a": "x", "b": "y", "c": "z"}), &["{'a': b'x', 'b': u\"y\", 'c': r'z'}"]);
    all_give(json!({"a": "one\ntwo 'q' \"d\""}), &["{\"a\": '''one\ntwo 'q' \"d\"'''}"]);
    all_give(json!({"a": "def f():\n  return 'x'"}), &["{\"a\": \"\"\"def f():\n  return 'x'\"\"\"}"]);
}

#[test]
fn javascript_is_read() {
    all_give(
        json!({"a": null, "b": "x y", "c": "/^a+$/i"}),
        &["{a: undefined, b: 'x' + ' y', c: /^a+$/i}", "{a: undefined, b: `x y`, c: /^a+$/i,}"],
    );
    all_give(
        json!({"_id": "123", "n": 2, "d": "2020-01-01"}),
        &["{_id: ObjectId(\"123\"), n: NumberLong(2), d: new Date('2020-01-01')}"],
    );
    all_give(json!({"a": 1}), &["callback({\"a\": 1})", "callback({\"a\": 1});", "/**/ cb_1 ({a: 1});"]);
    assert!(kinds("cb({})").contains(&"call_unwrapped".to_owned()));
    assert!(is_lossy("A (B)") && !is_lossy("callback ({})") && !is_lossy("NumberLong(2)"));
}

#[test]
fn an_ellipsis_is_removed_and_marked() {
    all_give(json!([1, 2, 3]), &["[1, 2, 3, ...]", "[1, 2, 3, …]", "[1, 2, ..., 3]", "[..., 1, 2, 3]"]);
    all_give(json!({"a": 1}), &["{\"a\": 1, ...}", "{\"a\": 1, ...rest}"]);
    assert!(is_lossy("[1, ...]"));
    all_give(json!([1, "..."]), &["[1, '...']"]);
}

#[test]
fn values_one_after_the_other_are_a_list() {
    all_give(
        json!([{"a": 1}, {"a": 2}]),
        &["{\"a\": 1}\n{\"a\": 2}\n", "{\"a\": 1}, {\"a\": 2}", "{\"a\": 1}{\"a\": 2}", "{a: 1}\n{a: 2}"],
    );
}

#[test]
fn escapes_mean_what_they_say_and_others_are_kept() {
    all_give(json!({"a": "x\ty\nz", "b": "é😀"}), &["{\"a\": \"x\ty\nz\", \"b\": \"\\u00e9\\ud83d\\ude00\"}"]);
    all_give(json!({"a": "C:\\dir \\d+ it's A"}), &["{\"a\": \"C:\\dir \\d+ it\\'s \\x41\"}"]);
    assert!(is_lossy("{'a': \"\\ud83d\"}"));
}

#[test]
fn numbers_in_other_forms_are_numbers_or_stay_text() {
    all_give(json!([0.5, -0.5, 2.0, 1, 2]), &["[.5, -.5, 2., +1, 2e]"]);
    all_give(
        json!(["0123", "1_000", "0x1F", "1.2.3", "2024-10-18", "50%", "120만원", "NaN"]),
        &["[0123, 1_000, 0x1F, 1.2.3, 2024-10-18, 50%, 120만원, NaN]"],
    );
    all_give(json!(["12345678901234567890123"]), &["[12345678901234567890123,]"]);
}

#[test]
fn a_key_without_value_and_a_key_that_stands_twice_are_told() {
    all_give(json!({"a": null, "b": 1}), &["{\"a\": , \"b\": 1}"]);
    assert!(is_lossy("{\"a\": , \"b\": 1}"));
    assert!(is_lossy("{'a': 1, 'a': 2}"));
    assert!(is_lossy("{\"a\": 1, \"stray\", \"b\": 2}"));
}

#[test]
fn prose_around_is_left_out_and_named() {
    let read = read("Sure! Here it is: {name: 'J'} Hope that helps.");
    assert_eq!(read.value, json!({"name": "J"}));
    let left: Vec<_> = read.changes.iter().filter(|c| c.kind == "left_out").map(|c| c.before.clone()).collect();
    assert_eq!(left, [json!("Sure! Here it is:"), json!("Hope that helps.")]);
    assert_eq!(super::candidates("[Note] see {x} and {a: 1}", None)[0].value, json!({"a": 1}));
}

#[test]
fn a_text_without_json_has_no_reading() {
    for text in ["", "   ", "hello", "Name: John", "see {this} and [that]", "\0\0", "\u{feff}"] {
        assert!(super::candidates(text, None).is_empty(), "{text}");
    }
}

#[test]
fn paths_are_pointers_into_the_value() {
    let told = read("{\"a/b\": [1, {'c': 2}]}").changes;
    assert_eq!(told[0].path, "/a~1b/1/c");
}

#[test]
fn what_is_nested_too_deeply_is_refused_whole() {
    assert!(super::candidates(&"[".repeat(100_000), None).is_empty());
    assert!(super::candidates(&"{'a':".repeat(100_000), None).is_empty());
    assert_eq!(super::candidates(&"[".repeat(512), None).len(), 1);
}

/// What any text may be made of, the marks of JSON before all.
fn soup() -> impl Strategy<Value = String> {
    let marks = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        ":",
        ",",
        "\"",
        "'",
        "\\",
        "\\\"",
        "\n",
        " ",
        "a",
        "b1",
        "true",
        "None",
        "1",
        "-2.5",
        "1e",
        ".",
        "...",
        "//",
        "/*",
        "*/",
        "#",
        "```",
        "`",
        "“",
        "”",
        "가",
        "\u{3000}",
        "\0",
        "+",
        "=",
        "\\u12",
        "\"\"\"",
        "{\"a\":",
        "\"a\": 1,",
        "cb(",
        ";",
        "&quot;",
        "<name>",
        "…",
        "r'",
    ]);
    prop::collection::vec(marks, 0..40).prop_map(|parts| parts.concat())
}

fn json_value() -> impl Strategy<Value = Value> {
    let text = "[a-z가-힣 ,:{}\\[\\]'\"\\\\\n]{0,8}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_every_reading_lies_within_it(text in soup()) {
        for candidate in super::candidates(&text, None).into_iter().chain(parse::candidates(&text, None)) {
            prop_assert!(text.get(candidate.span.clone()).is_some(), "{:?}", candidate.span);
        }
    }

    #[test]
    fn valid_json_is_read_as_it_is_without_a_change(value in json_value()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let (made, changes) = strict::value(&text).unwrap();
            prop_assert_eq!(&made, &value);
            prop_assert!(changes.is_empty());
            let found = parse::candidates(&text, None);
            prop_assert_eq!(&found[0].value, &value);
            if value.is_object() || value.is_array() {
                let repaired = super::machine::read(&text, 0, false, 1 << 20).unwrap();
                prop_assert_eq!(&repaired.values, std::slice::from_ref(&value));
                prop_assert!(repaired.changes.iter().all(|c| !c.lossy), "{:?}", repaired.changes);
            }
        }
    }

    #[test]
    fn no_word_of_a_text_vanishes_without_a_trace(text in soup()) {
        // Words that are the text's own, to be found again.
        let marked: String = text.replace("b1", "wörd");
        let words = marked.matches("wörd").count();
        let found = super::candidates(&marked, None);
        if let [one] = found.as_slice() {
            let told = one.value.to_string().matches("wörd").count() + one.changes.iter().map(|c| c.before.to_string().matches("wörd").count()).sum::<usize>();
            prop_assert!(told >= words || one.changes.iter().any(|c| c.lossy), "{marked:?}: {words} words, {one:?}");
        }
    }
}

#[test]
fn a_comment_that_stands_for_what_is_not_written_out_is_a_loss() {
    for text in ["[1, 2 // ... 8 more\n]", "[1, 2 /* and so on */]", "{\"a\": 1, # etc.\n}", "[1 /* 5 more items */]"] {
        assert!(is_lossy(text), "{text}");
    }
    for text in ["[1, 2 // the second\n]", "// one more try\n[1, 2,]", "{\"a\": 1 /* moreover */}"] {
        assert!(!is_lossy(text), "{text}");
    }
}

#[test]
fn a_value_may_begin_as_a_comment_does() {
    for (text, wanted) in [
        ("{\"color\": #ff0000, \"b\": 2}", json!({"color": "#ff0000", "b": 2})),
        ("{\"color\": #ff0000}", json!({"color": "#ff0000"})),
        ("{\n  \"color\": #ff0000,\n  \"b\": 2\n}", json!({"color": "#ff0000", "b": 2})),
        ("{\n  \"color\": #ff0000\n}", json!({"color": "#ff0000"})),
        ("{\"path\": //srv/x, \"b\": 2}", json!({"path": "//srv/x", "b": 2})),
        ("{\"tags\": [#a, #b], \"b\": 2}", json!({"tags": ["#a", "#b"], "b": 2})),
        ("{\"tags\": [#a, #b],\n \"b\": 2}", json!({"tags": ["#a", "#b"], "b": 2})),
        // Comments are comments.
        ("{\"a\": # why\n 1, \"b\": 2}", json!({"a": 1, "b": 2})),
        ("{\"a\": //why\n 1, \"b\": 2}", json!({"a": 1, "b": 2})),
        ("{\"a\": 1, #why, so\n \"b\": 2}", json!({"a": 1, "b": 2})),
        ("{\"a\": 1 //why\n}", json!({"a": 1})),
        ("[\n #one\n 1,\n //2,\n 3\n]", json!([1, 3])),
        ("[1, // one\n 2]", json!([1, 2])),
        ("[\n //one ]\n 1,\n //two ]\n 2\n]", json!([1, 2])),
    ] {
        let made = read(text);
        assert_eq!(made.value, wanted, "{text}");
        assert!(made.changes.iter().all(|c| !c.lossy), "{text}: {:?}", made.changes);
    }
}

#[test]
fn comments_alone_are_no_value() {
    for text in ["//", "///", "/*", "/* a */", "//hello", "// [see below]", "/*/*/*/*", "# hello", "<!-- a -->"] {
        assert!(super::candidates(text, None).is_empty(), "{text}");
    }
    all_give(json!({"a": 1}), &["// hello\n{a: 1}", "/* {b: 2} */ {a: 1,}", "//\n/* x */\n'a': 1"]);
}

#[test]
fn a_lists_numbers_in_groups_of_three_stay_whole_where_a_group_is_no_number_of_json() {
    for (text, value) in [
        ("[1,000, 2,000]", json!(["1,000", "2,000"])),
        ("[1,000,2,000]", json!(["1,000", "2,000"])),
        ("[12,000, 3,500]", json!(["12,000", "3,500"])),
        ("[3,500, 12,000, 7]", json!(["3,500", "12,000", 7])),
        ("{'n': [-1,000,000, 20]}", json!({"n": ["-1,000,000", 20]})),
        ("[3,500, 7, 8, 9, 12,000]", json!(["3,500", 7, 8, 9, "12,000"])),
        // JSON's own numbers stay what JSON says, and so does what could be either.
        ("[1,234, 5,678,]", json!([1, 234, 5, 678])),
        ("[1,000,200,]", json!([1, "000", 200])),
        ("[1, 000]", json!([1, "000"])),
    ] {
        assert_eq!(read(text).value, value, "{text}");
    }
}

#[test]
fn a_comment_behind_a_text_without_quotes_may_be_more_of_it() {
    for (text, lossy) in [
        ("{title: Fix bug # 12\n n: 5}", true),
        ("{title: a // b\n, n: 5}", true),
        ("{title: \"a\", # note\n n: 5}", false),
        ("{title: a, # note\n n: 5}", false),
        ("{title: a /* note */, n: 5}", false),
        ("{n: 5 # five\n}", false),
    ] {
        assert_eq!(is_lossy(text), lossy, "{text}");
    }
}

#[test]
fn a_long_list_of_numbers_is_read_alike_from_its_first_to_its_last() {
    let text = format!("[{}, 9,000]", vec!["3,500"; 20_000].join(", "));
    let value = read(&text).value;
    let items = value.as_array().unwrap();
    assert_eq!(items.len(), 20_001);
    assert!(items[..20_000].iter().all(|item| item == "3,500"));
}
