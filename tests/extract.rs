//! From text to value through `finetop repair`: where extraction started, the shipped schemas, what is printed and what is refused.
//! Each stage's own claims are beside its code.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use finetop::extract::schema::Schema;
use serde_json::{Value, json};

const NOW: &str = "2026-11-30T09:00:00";

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/schemas").join(name)
}

fn finetop(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_finetop"))
        .arg("repair")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The value of a text for a shipped schema.
fn value(schema: &str, text: &str) -> Value {
    let output = finetop(&["--schema", shipped(schema).to_str().unwrap(), "--now", NOW], text.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{text}: {}", told(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The value of a text for a schema of its own.
fn of_schema(schema: Value, text: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.jsonl");
    fs::write(&rows, json!({"id": 1, "input": text, "schema": schema, "now": NOW}).to_string()).unwrap();
    let output = finetop(&["--jsonl", rows.to_str().unwrap()], b"");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["ok"], true, "{text}: {answer}");
    answer["value"].clone()
}

#[test]
fn three_ways_to_say_one_person_give_one_object() {
    let john = json!({"name": "John", "age": 25, "city": "Seoul"});
    for text in [
        r#"{"name": "John", "age": 25, "city": "Seoul"}"#,
        r#"{"name":"John","age":"25","city":"Seoul"}"#,
        "Name: John\nAge: 25\nCity: Seoul",
    ] {
        assert_eq!(value("person.json", text), john, "{text}");
    }
}

#[test]
fn an_address_without_quotes_is_text() {
    let read = value("person.json", r#"{"name": "John", "age": "25", "email": john@test.com}"#);
    assert_eq!(read, json!({"name": "John", "age": 25, "email": "john@test.com"}));
}

#[test]
fn korean_prices_are_integers() {
    for (text, won) in [("120만원", 1_200_000), ("천이백만원", 12_000_000), ("1,200,000원", 1_200_000)] {
        assert_eq!(of_schema(json!({"type": "integer"}), &json!(text).to_string()), won, "{text}");
        assert_eq!(of_schema(json!({"type": "integer"}), text), won, "{text} without quotes");
    }
}

#[test]
fn a_korean_date_without_a_year_is_of_the_current_one() {
    let schema = json!({"type": "string", "format": "date-time"});
    assert_eq!(of_schema(schema, "\"11월 5일 오후 2시\""), "2026-11-05T14:00:00");
    let meeting =
        value("meeting.json", r#"{"title": "주간 회의", "start": "11월 5일 오후 2시", "people": ["민수", "지영"]}"#);
    assert_eq!(meeting["start"], "2026-11-05T14:00:00");
}

#[test]
fn a_missing_field_is_refused_and_never_invented() {
    let schema = shipped("person.json");
    let output = finetop(&["--schema", schema.to_str().unwrap()], br#"{"name": "John"}"#);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    assert_eq!(told(&output), "/age: expected an integer, found nothing\n");
}

#[test]
fn shipped_schemas_take_what_they_are_for() {
    for name in ["person.json", "listing.json", "meeting.json", "receipt.json"] {
        let schema = Schema::parse(&fs::read_to_string(shipped(name)).unwrap()).unwrap();
        assert!(schema.root().properties().len() > 2 && schema.short().starts_with('{'), "{name}");
    }
    let listing =
        value("listing.json", r#"{"물건": "자전거", "가격": "12만원", "상태": "거의 새것", "위치": "서울 마포구"}"#);
    assert_eq!(
        listing,
        json!({"item": "자전거", "price": 120_000, "condition": "like_new", "location": "서울 마포구", "contact": null})
    );
    let receipt = value(
        "receipt.json",
        r#"{"shop": "문구점", "date": "2026년 11월 5일", "items": [{"name": "공책", "price": "3,000원"}], "total": "3천원"}"#,
    );
    assert_eq!(
        receipt,
        json!({"shop": "문구점", "date": "2026-11-05", "items": [{"name": "공책", "price": 3000, "quantity": 1}], "total": 3000})
    );
}

#[test]
fn the_trace_tells_each_stage_with_what_it_changed() {
    let schema = shipped("person.json");
    let output = finetop(&["--trace", "--schema", schema.to_str().unwrap()], b"{'name': 'John', 'age': '25'}");
    let trace: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&trace["ok"], &trace["value"]), (&json!(true), &json!({"name": "John", "age": 25})));
    let stages: Vec<&str> =
        trace["attempts"].as_array().unwrap().iter().map(|a| a["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["parse", "repair", "coerce"]);
    let change = &trace["attempts"][2]["changes"][0];
    assert_eq!(
        (&change["path"], &change["before"], &change["after"], &change["lossy"]),
        (&json!("/age"), &json!("25"), &json!(25), &json!(false))
    );
    assert_eq!(trace["totals"]["calls"], 0);
}

#[test]
fn what_may_be_lost_is_told_beside_the_value() {
    let output = finetop(&[], br#"{"name": "Jo"#);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"{\"name\":\"Jo\"}\n"[..]));
    assert!(told(&output).contains("something may be missing"), "{}", told(&output));
}

#[test]
fn every_row_is_answered_whatever_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.jsonl");
    let mut rows =
        br#"{"id": "a", "input": "{'n': '1'}", "schema": {"properties": {"n": {"type": "integer"}}}}"#.to_vec();
    rows.extend(b"\n\nnonsense\n{\"id\": 2, \"input\": \"\xff\"}\n{\"id\": 3, \"input\": \"1\", \"schema\": {\"type\": 7}}\n{\"id\": 4, \"input\": \"[1,]\"}");
    fs::write(&file, rows).unwrap();
    let output = finetop(&["--jsonl", file.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let answers: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let ok: Vec<bool> = answers.iter().map(|a| a["ok"].as_bool().unwrap()).collect();
    assert_eq!(ok, [true, false, false, false, true]);
    assert_eq!((&answers[0]["value"], &answers[0]["stage"]), (&json!({"n": 1}), &json!("coerce")));
    for (answer, line) in [(1, 3), (2, 4), (3, 5)] {
        let message = answers[answer]["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("rows.jsonl:{line}:")), "{message}");
    }
}

#[test]
fn wrong_use_says_what_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("wrong.json");
    fs::write(&schema, r#"{"properties": {"a": {"type": "int"}}}"#).unwrap();
    for (arguments, says) in [
        (vec!["--schema", schema.to_str().unwrap()], "wrong.json: the schema at \"/properties/a/type\""),
        (vec!["--schema", "nowhere.json"], "nowhere.json"),
        (vec!["--jsonl", "nowhere.jsonl"], "nowhere.jsonl"),
        (vec!["--now", "noon"], "--now: \"noon\" is no time"),
    ] {
        let output = finetop(&arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(told(&output).contains(says), "{}", told(&output));
    }
    let output = finetop(&[], b"ok\n\xff");
    assert_eq!(
        (output.status.code(), told(&output).as_str()),
        (Some(2), "standard input: not UTF-8 at byte 4, in line 2\n")
    );
}

#[test]
fn what_reaches_a_terminal_holds_no_commands() {
    let output = finetop(&[], "\"a\u{9b}31m\u{202e}b\"".as_bytes());
    assert!(output.stdout.is_ascii());
    let schema = shipped("person.json");
    let output = finetop(&["--schema", schema.to_str().unwrap()], b"{\"name\": \"x\", \"age\": \"\\u001b[31m\"}");
    assert!(!told(&output).contains('\u{1b}'));
}
