//! What stands between and behind values of broken JSON: more values, prose, comments.

use serde_json::{Value, json};

use crate::extract::parse::Candidate;
use crate::extract::schema::Schema;

/// The first reading.
fn read(text: &str) -> Candidate {
    super::candidates(text, None).into_iter().next().unwrap_or_else(|| panic!("no reading of {text}"))
}

fn all_give(wanted: Value, texts: &[&str]) {
    for text in texts {
        assert_eq!(read(text).value, wanted, "{text}");
    }
}

#[test]
fn words_in_the_line_below_a_value_are_prose_and_no_value() {
    for (text, wanted, lossy) in [
        ("['a','b']\n\nHope this helps!", json!(["a", "b"]), false),
        ("[1,2,]\n\nThere are 2 items.", json!([1, 2]), false),
        ("['2026-12-01']\n\nExtracted on 2026-11-30.", json!(["2026-12-01"]), false),
        ("{'a':1}\n\nHope it helps", json!({"a": 1}), false),
        ("{'a':1,}\n\nNote: all of it is there.", json!({"a": 1}), false),
        ("{'a':1,}\nb: 2", json!({"a": 1}), true),
        ("['a']\n\n[Note] it is 'a'.", json!(["a"]), false),
        ("['a','b'];\nHope this helps!", json!(["a", "b"]), false),
        ("['a','b'],\n\nHope this helps!", json!(["a", "b"]), true),
        ("'a',\nb", json!("a"), true),
        ("['a','b']\n'c' is not there.", json!(["a", "b"]), false),
        ("['a','b']\n- c\n- d", json!(["a", "b"]), true),
        ("['a','b']\n\nNotes:\n- it was short", json!(["a", "b"]), false),
    ] {
        let made = read(text);
        assert_eq!(made.value, wanted, "{text}");
        let told: Vec<bool> = made.changes.iter().filter(|c| c.kind == "left_out").map(|c| c.lossy).collect();
        assert_eq!(told, [lossy], "{text}: {:?}", made.changes);
    }
    all_give(json!([{"a": 1}, {"a": 2}, 3, true]), &["{'a':1}\n{a:2}\n3\ntrue", "{a:1}\n\n{'a':2} // two\n3, true"]);
    all_give(json!([1, 2]), &["[1\n2"]);
    all_give(
        json!({"a": 1, "b": 2}),
        &["\"a\": 1,\n\"b\": 2\n\nNote: all done", "\"a\": 1\nb: 2", "\"a\": 1\n\n\"b\": 2,\n"],
    );
    all_give(json!(["a", "b"]), &["'a'\n'b'", "\"a\"\n\"b", "'a',\n'b'"]);
    all_give(json!({"a": 1, "b": 2}), &["{'a': 1}\n'b': 2}"]);
}

#[test]
fn the_whole_value_before_a_broken_one_is_taken_where_one_is_asked_for() {
    let schema = Schema::from_value(&json!({"type": "object", "properties": {"a": {"type": "integer"}}})).unwrap();
    let found = super::candidates("So: {\"a\": 1} {\"oops\"", Some(&schema));
    let last = found.last().unwrap();
    assert_eq!(last.value, json!({"a": 1}));
    let lost: Vec<_> = last.changes.iter().filter(|c| c.lossy).map(|c| (c.kind.as_str(), &c.before)).collect();
    assert_eq!(lost, [("left_out", &json!("{\"oops\""))]);
}

#[test]
fn a_comment_that_holds_a_value_or_doubts_one_is_a_loss() {
    for text in [
        "{\"q\": [\"b\", // \"c\",\n \"d\"]}",
        "[{\"a\": 1} /* {\"a\": 2} */]",
        "[{\"a\": 1}, # {a: 2}\n{\"a\": 3}]",
        "{\"q\": \"b\" // or \"c\"\n}",
        "{\"q\": \"b\" // or c\n}",
        "['a', // 'b',\n 'c']",
        "{\"n\": 5 // guessed\n}",
        "{\"n\": 5 // not sure\n}",
        "{\"n\": 8 /* or 9 */}",
        "{\"n\": 8 /* 9 */}",
        "{\"n\": 8 // was 9 before\n}",
        "{\"n\": 8 // 아마\n}",
        "{\"p\": \"a\", \"q\": {\"a\": 1}} // rest omitted",
        "{\"p\": \"a\",} // \"q\": 1",
        "// {\"p\": 1}\n{\"p\": 2,}",
    ] {
        let told = read(text).changes;
        let about = ["comment_removed", "left_out"];
        assert!(told.iter().any(|c| about.contains(&c.kind.as_str()) && c.lossy), "{text}: {told:?}");
    }
    for text in [
        "{\"n\": 5 # years\n}",
        "{\"n\": 5, // the buyer's age in years\n \"m\": 6}",
        "[\"a\", // 0\n \"b\" // 1\n]",
        "// Made on 2026-11-30, one of more\n{\"p\": 1,}",
        "{\"p\": 1,} // the end",
        "<!-- x -->{\"a\": 1,}",
    ] {
        let told = read(text).changes;
        assert!(told.iter().all(|c| !c.lossy), "{text}: {told:?}");
    }
}
