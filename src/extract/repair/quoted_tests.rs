//! What a text between quotes may have lost: where it ended too early, and what its escapes meant.

use serde_json::{Value, json};

use crate::extract::parse::Candidate;

/// The first reading.
fn read(text: &str) -> Candidate {
    super::candidates(text, None).into_iter().next().unwrap_or_else(|| panic!("no reading of {text}"))
}

fn lossy(text: &str) -> Vec<String> {
    read(text).changes.into_iter().filter(|change| change.lossy).map(|change| change.kind).collect()
}

#[test]
fn words_behind_the_comma_that_ended_a_text_with_quotes_within_may_be_more_of_it() {
    for text in [
        r#"{"quotes": ["Set the mode to "fast", then restart.", "Check the log."]}"#,
        r#"["The word "set", in Python, is a type","b"]"#,
        r#"["The word "set", in Python"]"#,
    ] {
        assert_eq!(lossy(text), ["inner_quotes_escaped"], "{text}");
    }
    for text in [
        r#"["a "b" c", "d"]"#,
        r#"["a "b" c", null, "d"]"#,
        r#"["a "b" c", d, "e"]"#,
        r#"{"a": "x "y" z", "b": 1}"#,
        r#"{"a": "x "y"", "b": "z"}"#,
        r#"{"a": "x "y" z", b: "c"}"#,
    ] {
        assert!(lossy(text).is_empty(), "{text}: {:?}", read(text));
    }
}

#[test]
fn a_backslash_that_was_not_escaped_makes_its_text_doubtful_where_others_may_be_none_either() {
    for (text, made) in [
        (r"$\pi r^2 = \frac{1}{2} \times \theta$", "$\\pi r^2 = \u{c}rac{1}{2} \times \theta$"),
        (r"Open C:\Users\new\report.txt", "Open C:\\Users\new\report.txt"),
    ] {
        let text = format!("{{\"a\": \"{text}\"}}");
        assert_eq!(read(&text).value, json!({"a": made}));
        assert_eq!(lossy(&text), ["backslash_kept"], "{text}");
    }
    for text in [r"C:\Users\\new", r"\d+\n\n- two", r#"\pi and \" or"#, r"it\'s\nnew"] {
        let text = format!("[\"{text}\", \"\\n x\"]");
        assert!(lossy(&text).is_empty(), "{text}");
    }
    let two = read(r#"["\pi", "a\nb"]"#);
    assert_eq!(two.value, Value::from(vec!["\\pi", "a\nb"]));
    assert!(two.changes.iter().all(|change| !change.lossy), "one text says nothing of another");
}
