//! `finetop extract --provider openai` from outside.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::*;

const SCHEMA: &str = r#"{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"]}"#;

fn extract(server: &Server, at: &Path, more: &[&str]) -> Output {
    command(server, at, more).output().unwrap()
}

fn command(server: &Server, at: &Path, more: &[&str]) -> Command {
    std::fs::write(at.join("person.json"), SCHEMA).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_finetop"));
    command
        .current_dir(at)
        .env("OPENAI_API_KEY", "sk-secret-123")
        .args(["extract", "--schema", "person.json", "--provider", "openai", "--model", "small"])
        .args(["--base-url", &server.url, "--now", "2026-11-05T14:00"])
        .args(more);
    command
}

fn out(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}\n{}", err(output)))
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn said(asked: &Asked) -> String {
    asked.body["messages"][0]["content"].as_str().unwrap().to_string()
}

#[test]
fn a_text_becomes_a_typed_value() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::new(vec![whole(r#"Here you are: {"name": "John", "age": "25"}"#)]);
    let output = extract(&server, at.path(), &["John is 25."]);
    assert_eq!(out(&output), json!({"name": "John", "age": 25}), "{}", err(&output));
    assert_eq!(output.status.code(), Some(0));
    let said = said(&server.asked()[0]);
    assert!(said.contains("John is 25.") && said.contains("age"), "{said}");
}

#[test]
fn what_may_be_lost_or_does_not_stand_in_the_text_is_said_beside_the_value() {
    let at = tempfile::tempdir().unwrap();
    let cut = r#"{"name": "Joan", "age": 2"#;
    let server = Server::new(vec![whole(cut)]);
    let output = extract(&server, at.path(), &["John is 25."]);
    assert_eq!((out(&output), output.status.code()), (json!({"name": "Joan", "age": 2}), Some(0)));
    assert!(err(&output).contains("something may be missing or guessed (truncated)"), "{}", err(&output));
    assert!(err(&output).contains(r#"/name: "Joan" does not occur in the text"#), "{}", err(&output));
    let whole_one = whole(r#"{"name": "John", "age": 25}"#);
    let output = extract(&Server::new(vec![whole_one]), at.path(), &["John is 25."]);
    assert_eq!(err(&output), "");

    std::fs::write(at.path().join("rows.jsonl"), "{\"text\": \"John is 25.\"}\n{\"text\": \"Ann is 30.\"}\n").unwrap();
    let server = Server::new(vec![whole(cut), whole(r#"{"name": "Ann", "age": 30}"#)]);
    let output = extract(&server, at.path(), &["--file", "rows.jsonl", "--report", "report.json"]);
    assert!(err(&output).contains("something may be missing or guessed in 1 of the values"), "{}", err(&output));
    let report: Value = serde_json::from_slice(&std::fs::read(at.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(
        (&report["lossy"], &report["rows"][0]["lossy"], &report["rows"][1]["lossy"]),
        (&json!(1), &json!(1), &json!(0))
    );
}

#[test]
fn a_misspelt_place_of_the_prompt_is_named() {
    let at = tempfile::tempdir().unwrap();
    std::fs::write(at.path().join("prompt.txt"), "Read {txt} as {schema}").unwrap();
    let server = Server::new(vec![whole(r#"{"name": "John", "age": 25}"#)]);
    let output = extract(&server, at.path(), &["--prompt", "prompt.txt", "John is 25."]);
    assert!(err(&output).contains("the prompt's {txt} is sent as it stands"), "{}", err(&output));
    assert!(said(&server.asked()[0]).starts_with("Read {txt} as {"));
}

#[test]
fn a_missing_field_is_asked_for_again_with_path_expected_and_found() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::new(vec![whole(r#"{"name": "John"}"#), whole(r#"{"name": "John", "age": 25}"#)]);
    let output =
        extract(&server, at.path(), &["--trace", "--prompt-price", "1", "--completion-price", "10", "John is 25."]);
    let trace = out(&output);
    assert_eq!((&trace["ok"], &trace["value"]["age"]), (&json!(true), &json!(25)));
    assert_eq!((&trace["totals"]["calls"], &trace["totals"]["prompt_tokens"]), (&json!(2), &json!(24)));
    assert!((trace["totals"]["cost"].as_f64().unwrap() - 124e-6).abs() < 1e-12);
    let fix = trace["attempts"].as_array().unwrap().iter().find(|a| a["stage"] == "fix").unwrap().clone();
    assert_eq!(fix["errors"][0]["path"], "/age");
    assert_eq!((&fix["prompt_tokens"], &fix["completion_tokens"]), (&json!(12), &json!(5)));
    let again = said(&server.asked()[1]);
    assert_eq!(fix["prompt"], again.as_str());
    assert!(again.contains("/age: expected") && again.contains("John is 25."), "{again}");
    assert!(!again.contains("Extract a JSON value"), "the first prompt is not sent again: {again}");
    let numbers: Vec<u64> = trace["attempts"].as_array().unwrap().iter().map(|a| a["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[test]
fn the_same_error_again_ends_the_asking() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::new((0..9).map(|_| whole(r#"{"name": "John"}"#)).collect());
    let output = extract(&server, at.path(), &["--max-retries", "8", "John."]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(err(&output).contains("the same error came back: /age: expected"), "{}", err(&output));
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_token_budget_ends_the_asking() {
    let at = tempfile::tempdir().unwrap();
    let answers = ["{}", r#"{"name": "x"}"#, r#"{"age": 1}"#].map(whole).into_iter().collect();
    let server = Server::new(answers);
    let output = extract(&server, at.path(), &["--max-retries", "8", "--token-budget", "20", "John."]);
    assert!(err(&output).contains("34 tokens are spent, of 20 allowed"), "{}", err(&output));
    assert_eq!(server.asked()[1].body["max_tokens"], 3);
}

#[test]
fn a_cut_answer_is_no_value() {
    let at = tempfile::tempdir().unwrap();
    let cut = || Answer::Says(STREAM, vec![delta(r#"{"name": "Jo", "age": 2"#), end("length")]);
    let server = Server::new(vec![cut(), cut()]);
    let output = extract(&server, at.path(), &["John is 25."]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("cut off"), "{}", err(&output));
}

#[test]
fn only_what_json_closed_itself_is_whole_before_a_cut() {
    let at = tempfile::tempdir().unwrap();
    let cut = |text: &str| Answer::Says(STREAM, vec![delta(text), end("length")]);
    for how in [&["--max-retries", "0"][..], &["--max-retries", "0", "--constrained"]] {
        let server = Server::new(vec![cut("Name: John\nAge: 2")]);
        let output = extract(&server, at.path(), &[how, &["John is 25."]].concat());
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    }
    let closed = r#"{"name": "John", "age": 25} and that is all that"#;
    let output = extract(&Server::new(vec![cut(closed)]), at.path(), &["--max-retries", "0", "John is 25."]);
    assert_eq!(out(&output), json!({"name": "John", "age": 25}));
    let output = extract(&Server::new(vec![cut(closed)]), at.path(), &["--max-retries", "0", "--constrained", "J"]);
    assert_eq!(output.status.code(), Some(1), "under a grammar a cut is one in the value");
}

#[test]
fn a_report_that_cannot_be_written_is_said_before_anything_is_asked() {
    let at = tempfile::tempdir().unwrap();
    std::fs::write(at.path().join("rows.jsonl"), "{\"text\": \"John is 25.\"}\n").unwrap();
    for path in [".", "no/folder/report.json"] {
        let server = Server::new(vec![whole("{}")]);
        let output = extract(&server, at.path(), &["--file", "rows.jsonl", "--report", path]);
        assert_eq!(output.status.code(), Some(2), "{}", err(&output));
        assert!(server.asked().is_empty());
    }
    std::fs::create_dir(at.path().join("d")).unwrap();
    let server = Server::new(vec![whole("{}")]);
    let output = extract(&server, at.path(), &["--file", "rows.jsonl", "--report", "d/../rows.jsonl"]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).contains("the file of rows itself") && server.asked().is_empty(), "{}", err(&output));
    assert!(std::fs::read_to_string(at.path().join("rows.jsonl")).unwrap().contains("John is 25."));
}

#[test]
fn a_report_replaces_an_earlier_one_and_nothing_else() {
    let at = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(at.path().join(name), text).unwrap();
    write("rows.jsonl", "{\"text\": \"John is 25.\"}\n");
    write("prompt.txt", "Who? {text}");
    write("run.toml", "[data]\ntrain = \"rows.jsonl\"\n");
    write("notes.json", "{\"rows\": [1], \"model\": \"mine\"}");
    std::os::unix::fs::symlink("person.json", at.path().join("link.json")).unwrap();
    let (server, file) = (Server::new(vec![]), ["--file", "rows.jsonl", "--prompt", "prompt.txt", "--report"]);
    for (path, says) in [
        ("person.json", "that is the schema itself, which the report would replace"),
        ("link.json", "the schema itself"),
        ("./prompt.txt", "the prompt itself"),
        ("run.toml", "the configuration itself"),
        ("notes.json", "no report of finetop's, and would be replaced; move it away, or name another"),
    ] {
        let before = std::fs::read(at.path().join(path)).ok();
        let output = extract(&server, at.path(), &[&file[..], &[path, "--config", "run.toml"]].concat());
        assert_eq!(output.status.code(), Some(2), "{path}: {}", err(&output));
        assert!(err(&output).contains(says) && server.asked().is_empty(), "{path}: {}", err(&output));
        assert!(before.is_none_or(|before| std::fs::read(at.path().join(path)).unwrap() == before), "{path}");
    }
    write("report.json", "");
    for _ in ["an empty file", "an earlier report"] {
        let server = Server::new(vec![whole(r#"{"name": "John", "age": 25}"#)]);
        let output = extract(&server, at.path(), &[&file[..], &["report.json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    }
}

#[test]
fn what_was_done_before_an_interruption_is_in_the_report() {
    let at = tempfile::tempdir().unwrap();
    std::fs::write(at.path().join("rows.jsonl"), "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": \"c\"}\n").unwrap();
    let server = Server::new(vec![whole(r#"{"name": "a", "age": 1}"#), Answer::Silence]);
    let mut command = command(&server, at.path(), &["--file", "rows.jsonl", "--report", "report.json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while server.asked().len() < 2 {
        thread::sleep(Duration::from_millis(10));
    }
    // SAFETY: the child is ours and has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("stopping; again ends without a report\n"), "{}", err(&output));
    assert!(err(&output).contains("stopped after 1 of 3 rows: interrupted"), "{}", err(&output));
    let report: Value = serde_json::from_slice(&std::fs::read(at.path().join("report.json")).unwrap()).unwrap();
    assert_eq!((&report["stopped"], &report["rows_total"]), (&"interrupted".into(), &3.into()));
    assert_eq!(report["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn what_was_done_before_a_provider_failed_is_in_the_report() {
    let at = tempfile::tempdir().unwrap();
    std::fs::write(at.path().join("rows.jsonl"), "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": \"c\"}\n").unwrap();
    let refusal = Answer::Says("403 Forbidden", vec!["no".into()]);
    let server = Server::new(vec![whole(r#"{"name": "a", "age": 1}"#), refusal]);
    let output = extract(&server, at.path(), &["--file", "rows.jsonl", "--report", "report.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("row 2: ") && err(&output).contains("403 Forbidden"), "{}", err(&output));
    let report: Value = serde_json::from_slice(&std::fs::read(at.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn one_rows_trouble_is_its_result_and_the_same_three_times_ends_the_work() {
    let at = tempfile::tempdir().unwrap();
    let rows: String = ["a", "b", "c", "d", "e", "f", "g"].map(|t| format!("{{\"text\": \"{t}\"}}\n")).concat();
    std::fs::write(at.path().join("rows.jsonl"), rows).unwrap();
    let good = || whole(r#"{"name": "a", "age": 1}"#);
    let bad = || Answer::Says("400 Bad Request", vec!["too long".into()]);
    let run = |answers: Vec<Answer>| {
        let server = Server::new(answers);
        let output = extract(&server, at.path(), &["--file", "rows.jsonl", "--report", "report.json"]);
        let report = serde_json::from_slice(&std::fs::read(at.path().join("report.json")).unwrap()).unwrap();
        (output, report)
    };
    let (output, report): (Output, Value) = run(vec![good(), bad(), good(), bad(), bad(), good(), good()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("3 of 7 rows got no answer; the first, row 2: "), "{}", err(&output));
    assert_eq!((&report["passed"], &report["unanswered"]), (&json!({"count": 4, "of": 7}), &json!(3)));
    assert_eq!((report["rows"].as_array().unwrap().len(), report.get("stopped")), (7, None));
    let (output, report): (Output, Value) = run(vec![good(), bad(), bad(), bad(), good()]);
    assert!(err(&output).contains("stopped after 4 of 7 rows: row 4: "), "{}", err(&output));
    assert_eq!((&report["rows_total"], report["rows"].as_array().unwrap().len()), (&json!(7), 4));
    assert!(report["stopped"].as_str().unwrap().contains("too long"), "{report}");
}

#[test]
fn langchains_way_sends_instructions_completion_and_error() {
    let at = tempfile::tempdir().unwrap();
    let bad = "Name: John, Age: 25";
    let server = Server::new(vec![whole(bad), whole(r#"{"name": "John", "age": 25}"#)]);
    let output = extract(&server, at.path(), &["--fix-mode", "langchain", "John is 25."]);
    assert_eq!(out(&output), json!({"name": "John", "age": 25}));
    let again = said(&server.asked()[1]);
    assert!(again.matches(bad).count() == 2 && again.contains("Instructions:"), "{again}");
    assert!(!again.contains("John is 25."), "LangChain does not send the text again: {again}");
}

#[test]
fn a_fault_of_the_server_is_told_and_never_sent_to_the_model() {
    let at = tempfile::tempdir().unwrap();
    let refusal = || Answer::Says("401 Unauthorized", vec!["bad key sk-secret-123".into()]);
    let server = Server::new(vec![refusal(), refusal()]);
    let output = extract(&server, at.path(), &["John."]);
    assert_eq!(output.status.code(), Some(1));
    let told = err(&output);
    assert!(told.contains("401 Unauthorized: bad key (key)") && !told.contains("sk-secret"), "{told}");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn rows_are_told_one_by_one_and_summed_up() {
    let at = tempfile::tempdir().unwrap();
    let rows = [
        r#"{"id": "a", "text": "John is 25.", "value": {"name": "John", "age": 25}}"#,
        r#"{"id": "b", "text": "Ann is 30.", "value": {"name": "Ann", "age": 30}}"#,
        r#"{"prompt": "Who? Bob, 7", "completion": " {\"name\": \"Bob\", \"age\": 7}"}"#,
    ];
    std::fs::write(at.path().join("rows.jsonl"), rows.join("\n")).unwrap();
    let answers = [r#"{"name": "John", "age": 25}"#, r#"{"name": "Anna", "age": "30"}"#, "no", "no"];
    let server = Server::new(answers.map(whole).into_iter().collect());
    let output = extract(&server, at.path(), &["--file", "rows.jsonl", "--report", "report.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Vec<Value> = told.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((&told[0]["stage"], &told[0]["exact"]), (&json!("parse"), &json!(true)));
    assert_eq!((&told[1]["stage"], &told[1]["exact"], &told[1]["id"]), (&json!("coerce"), &json!(false), &json!("b")));
    assert_eq!((&told[2]["ok"], &told[2]["retries"]), (&json!(false), &json!(1)));
    assert_eq!(said(&server.asked()[2]), "Who? Bob, 7");
    let report: Value = serde_json::from_slice(&std::fs::read(at.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report["passed"], json!({"count": 2, "of": 3}));
    assert_eq!(report["passed_as_said"], json!({"count": 1, "of": 3}));
    assert_eq!(report["exact"], json!({"count": 1, "of": 3}));
    assert_eq!(report["by_field"]["age"], json!({"count": 2, "of": 3}));
    assert_eq!((&report["calls"], &report["prompt_tokens"]), (&json!(4), &json!(48)));
    assert_eq!(report["rows"].as_array().unwrap().len(), 3);
    assert!(err(&output).contains("with a value: 2 of 3 (66.7 %)"), "{}", err(&output));
}

#[test]
fn rows_come_from_standard_input_too() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::new(vec![whole(r#"{"name": "John", "age": 25}"#)]);
    let mut command = command(&server, at.path(), &["--file", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"id\": 3, \"text\": \"John is 25.\"}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(out(&output)["id"], 3, "{}", err(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_prompt_without_an_end_is_refused() {
    let at = tempfile::tempdir().unwrap();
    std::fs::write(at.path().join("endless.toml"), "[data]\ntrain = \"t.jsonl\"\n[extract]\nprompt = \"/dev/zero\"\n")
        .unwrap();
    let server = Server::new(vec![]);
    for option in [["--prompt", "/dev/zero"], ["--config", "endless.toml"]] {
        let output = extract(&server, at.path(), &[&option[..], &["x"]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", err(&output));
        assert!(err(&output).contains("/dev/zero: expected at most 16 MiB"), "{}", err(&output));
    }
}

#[test]
fn wrong_input_says_where() {
    let at = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(at.path().join(name), text).unwrap();
    write("no.jsonl", b"{\"text\": \"a\"}\n\n{\"texts\": \"b\"}\n");
    write("latin.jsonl", b"{\"text\": \"a\"}\n{\"text\": \"\xe9\"}\n");
    write("broken.jsonl", b"{\"text\": \n");
    write("empty.jsonl", b"\n");
    let server = Server::new(vec![]);
    for (file, says) in [
        ("no.jsonl", "no.jsonl:3: expected \"text\" or \"prompt\""),
        ("latin.jsonl", "latin.jsonl:2: expected UTF-8"),
        ("broken.jsonl", "broken.jsonl:1: expected an object"),
        ("empty.jsonl", "empty.jsonl: no rows"),
        ("none.jsonl", "none.jsonl: "),
        (".", ". is a folder; expected a file with an object a line"),
        ("-", "standard input: no rows"),
    ] {
        let output = extract(&server, at.path(), &["--file", file]);
        assert_eq!(output.status.code(), Some(2), "{file}: {}", err(&output));
        assert!(err(&output).contains(says), "{file}: {}", err(&output));
    }
    for wrong in [
        &["--now", "tomorrow", "x"][..],
        &[" "],
        &["--report", "r.json", "x"],
        &["--prompt-price", "nan", "x"],
        &["--chat", "x"],
        &["--timeout", "18446744073709551614", "x"],
    ] {
        let output = extract(&server, at.path(), wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", err(&output));
    }
    for (wrong, says) in [
        (&["--batch", "2", "x"][..], "--report, --limit and --batch go with --file"),
        (&["--file", "no.jsonl", "--batch", "-1"], "-1 is not in 1..=1024"),
        (&["--file", "no.jsonl", "--limit", "0"], "0 is not in 1.."),
        (&["--token-budget", "0", "x"], "0 is not in 1.."),
        (&["--prompt-price", "-1", "x"], "--prompt-price is -1; expected 0 or more"),
    ] {
        let output = extract(&server, at.path(), wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", err(&output));
        assert!(err(&output).contains(says), "{wrong:?}: {}", err(&output));
    }
    let bare = Command::new(env!("CARGO_BIN_EXE_finetop")).args(["extract", "x"]).output().unwrap();
    assert_eq!((bare.status.code(), err(&bare).contains("--schema FILE, or --config FILE")), (Some(2), true));
}
