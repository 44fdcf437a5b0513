//! The OpenAI-compatible provider against servers of this test's own: streams cut into odd pieces, refusals, faults, nonsense.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use finetop::extract::provider::openai::{Key, OpenAi, Settings};
use finetop::extract::provider::{Completion, Finish, Heard, Message, Provider, ProviderError, Request};
use serde_json::{Value, json};

/// What the server does with one connection.
enum Answer {
    /// A status line's rest, headers, and pieces of a body, each its own write; then the connection is closed.
    Says(&'static str, Vec<String>),
    /// Promises more than it sends.
    Cut(String),
    /// Reads the request and says nothing until the client goes.
    Silence,
    /// Takes so long before each piece, and after the last.
    Slow(Duration, Vec<String>),
}

/// What one request was: its headers and its body.
#[derive(Clone)]
struct Asked {
    head: String,
    body: Value,
}

struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    fn new(answers: Vec<Answer>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                serve(stream, answer, &heard);
            }
        });
        Server { url, asked }
    }

    fn settings(&self) -> Settings {
        Settings { backoff: Duration::from_millis(1), ..Settings::new(&self.url, "small", Key::new("sk-secret-123")) }
    }

    fn ask(&self) -> (Result<Completion, ProviderError>, Vec<String>) {
        ask(&mut OpenAi::new(self.settings()).unwrap(), &request())
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: Answer, heard: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    heard.lock().unwrap().push(Asked { head, body: serde_json::from_slice(&body).unwrap_or_default() });
    match answer {
        Answer::Says(head, pieces) => {
            let _ = write!(stream, "HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
            for piece in pieces {
                let _ = stream.write_all(piece.as_bytes()).and_then(|()| stream.flush());
            }
        }
        Answer::Cut(piece) => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 100000\r\n\r\n";
            let _ = write!(stream, "{head}{piece}");
        }
        Answer::Slow(wait, pieces) => {
            let _ = write!(stream, "HTTP/1.1 {STREAM}\r\nconnection: close\r\n\r\n");
            for piece in pieces {
                thread::sleep(wait);
                let _ = stream.write_all(piece.as_bytes()).and_then(|()| stream.flush());
            }
            thread::sleep(wait);
        }
        Answer::Silence => {
            let _ = stream.read(&mut [0]);
        }
    }
}

fn ask(provider: &mut OpenAi, request: &Request) -> (Result<Completion, ProviderError>, Vec<String>) {
    let mut told = Vec::new();
    let result = provider.complete(request, &mut |heard| {
        match heard {
            Heard::Text(text) => told.push(text.to_string()),
            Heard::Again { why, .. } => told.push(format!("again: {why}")),
            Heard::Waiting => {}
        }
        ControlFlow::Continue(())
    });
    (result, told)
}

fn request() -> Request {
    Request {
        messages: vec![Message::user("Who is it?")],
        max_tokens: 50,
        temperature: 0.0,
        seed: 7,
        constrained: None,
    }
}

fn delta(text: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}))
}

/// The end of a stream, as OpenAI sends it with `include_usage`.
fn end(reason: &str) -> String {
    let finish = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 5}});
    format!("data: {finish}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
}

const STREAM: &str = "200 OK\r\ncontent-type: text/event-stream; charset=utf-8";
const JSON: &str = "200 OK\r\ncontent-type: application/json";

fn whole(text: &str) -> Answer {
    Answer::Says(STREAM, vec![delta(text), end("stop")])
}

#[test]
fn a_streamed_answer_arrives_piece_by_piece_with_its_tokens() {
    let server = Server::new(vec![Answer::Says(STREAM, vec![delta("{\"age\""), delta(": 25}"), end("stop")])]);
    let (answer, told) = server.ask();
    let answer = answer.unwrap();
    assert_eq!(answer.text, "{\"age\": 25}");
    assert_eq!(told, ["{\"age\"", ": 25}"]);
    assert_eq!((answer.prompt_tokens, answer.completion_tokens), (Some(12), Some(5)));
    assert_eq!((answer.finish, answer.prompt.as_str()), (Finish::Stop, "Who is it?"));
    let asked = server.asked();
    let Asked { head, body } = &asked[0];
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{head}");
    assert!(head.to_lowercase().contains("authorization: bearer sk-secret-123"), "{head}");
    assert_eq!(body["messages"], json!([{"role": "user", "content": "Who is it?"}]));
    assert_eq!((&body["model"], &body["seed"], &body["max_tokens"]), (&json!("small"), &json!(7), &json!(50)));
}

#[test]
fn a_character_cut_by_the_network_is_put_together() {
    let text = format!("{}{}", delta("120만원"), end("stop"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
            line.clear();
        }
        write!(stream, "HTTP/1.1 {STREAM}\r\nconnection: close\r\n\r\n").unwrap();
        stream.set_nodelay(true).unwrap();
        for byte in text.as_bytes() {
            stream.write_all(&[*byte]).unwrap();
        }
        // The request's body was not read: a close now would be a reset.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = reader.read_to_end(&mut Vec::new());
    });
    let (answer, _) = ask(&mut OpenAi::new(Settings::new(&url, "small", None)).unwrap(), &request());
    assert_eq!(answer.unwrap().text, "120만원");
}

#[test]
fn too_many_requests_and_a_fault_are_tried_again() {
    let faults = [
        Answer::Says("429 Too Many Requests\r\nretry-after: 0", vec!["{\"error\":{\"message\":\"slow down\"}}".into()]),
        Answer::Says("500 Internal Server Error", vec!["oops".into()]),
    ];
    let server = Server::new(faults.into_iter().chain([whole("yes")]).collect());
    let (answer, told) = server.ask();
    assert_eq!(answer.unwrap().text, "yes");
    assert_eq!(told, ["again: 429 Too Many Requests: slow down", "again: 500 Internal Server Error: oops", "yes"]);
}

#[test]
fn a_cut_connection_is_tried_again_and_the_cut_piece_is_void() {
    let server =
        Server::new(vec![Answer::Cut(delta("half")), Answer::Says(STREAM, vec![delta("half")]), whole("whole")]);
    let (answer, told) = server.ask();
    assert_eq!(answer.unwrap().text, "whole");
    let words: Vec<&str> = told.iter().map(|t| t.split(" (").next().unwrap()).collect();
    let cut = "again: the answer was cut off";
    assert_eq!(words, ["half", cut, "half", cut, "whole"]);
}

#[test]
fn faults_without_end_are_told_with_their_number_of_tries() {
    let faults = (0..5).map(|_| Answer::Says("503 Service Unavailable", vec![])).collect();
    let server = Server::new(faults);
    let error = server.ask().0.unwrap_err().to_string();
    assert!(error.ends_with("503 Service Unavailable (5 tries)"), "{error}");
    assert_eq!(server.asked().len(), 5);
}

#[test]
fn a_wait_that_is_too_long_is_told_rather_than_made() {
    let server = Server::new(vec![Answer::Says("429 Too Many Requests\r\nretry-after: 86400", vec![])]);
    let error = server.ask().0.unwrap_err().to_string();
    assert!(error.contains("429") && error.contains("it asks to wait 86400 s"), "{error}");
}

#[test]
fn a_refusal_is_told_in_the_servers_words_without_the_key_and_not_tried_again() {
    let said = "{\"error\":{\"message\":\"Incorrect API key provided: sk-secret-123.\\u001b[31m\"}}";
    let server = Server::new(vec![Answer::Says("401 Unauthorized", vec![said.into()])]);
    let error = server.ask().0.unwrap_err().to_string();
    assert!(error.contains("401 Unauthorized: Incorrect API key provided: (key).␛[31m"), "{error}");
    assert_eq!(server.asked().len(), 1);
    assert!(!format!("{:?}", server.settings()).contains("sk-secret"));
}

#[test]
fn nonsense_is_no_answer() {
    for (answer, says) in [
        (Answer::Says(STREAM, vec!["data: {\"choices\"\n\n".into()]), "is no chat completion"),
        (Answer::Says(STREAM, vec!["data: 42\n\n".into()]), "is no chat completion"),
        (Answer::Says(JSON, vec!["<html>".into()]), "is no chat completion"),
        (Answer::Says(JSON, vec!["{\"hello\": 1}".into()]), "is no chat completion"),
        (Answer::Says(JSON, vec!["{\"choices\": []}".into()]), "is no chat completion"),
        (Answer::Says("200 OK\r\ncontent-type: text/plain", vec!["hello I am no API".into()]), "is no chat completion"),
        (Answer::Says("200 OK\r\ncontent-type: text/html", vec!["<html>".into()]), "is a web page"),
    ] {
        let error = Server::new(vec![answer]).ask().0.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_server_that_does_not_stream_is_understood() {
    let body = json!({
        "choices": [{"message": {"role": "assistant", "content": "yes"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    });
    let (answer, told) = Server::new(vec![Answer::Says(JSON, vec![body.to_string()])]).ask();
    let answer = answer.unwrap();
    assert_eq!((answer.text.as_str(), answer.finish, answer.completion_tokens), ("yes", Finish::Length, Some(1)));
    assert_eq!(told, ["yes"]);
}

#[test]
fn a_field_that_a_server_does_not_take_is_left_out_or_named_otherwise() {
    let refusal = |field: &str| {
        let body = json!({"error": {"message": format!("Unsupported parameter: '{field}'")}});
        Answer::Says("400 Bad Request", vec![body.to_string()])
    };
    let server =
        Server::new(vec![refusal("stream_options"), refusal("use 'max_completion_tokens' instead"), whole("yes")]);
    assert_eq!(server.ask().0.unwrap().text, "yes");
    let last = &server.asked()[2].body;
    assert_eq!((last.get("stream_options"), last.get("max_tokens")), (None, None));
    assert_eq!(last["max_completion_tokens"], 50);
}

#[test]
fn what_a_server_does_not_take_at_all_is_refused_once() {
    let complaint = || Answer::Says("400 Bad Request", vec!["seed is not for you".into()]);
    let server = Server::new(vec![complaint(), complaint()]);
    let error = server.ask().0.unwrap_err().to_string();
    assert!(error.contains("400 Bad Request: seed is not for you"), "{error}");
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_silent_server_can_be_left_at_any_time() {
    let server = Server::new(vec![Answer::Silence]);
    let mut waits = 0;
    let answer = OpenAi::new(server.settings()).unwrap().complete(&request(), &mut |heard| {
        assert_eq!(heard, Heard::Waiting);
        waits += 1;
        if waits == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(answer.unwrap().finish, Finish::Cancelled);
}

#[test]
fn a_silent_server_is_given_up() {
    let server = Server::new(vec![Answer::Silence]);
    let settings = Settings { total_limit: Duration::from_millis(120), ..server.settings() };
    let error = ask(&mut OpenAi::new(settings).unwrap(), &request()).0.unwrap_err().to_string();
    assert!(error.contains("no whole answer within"), "{error}");
}

#[test]
fn a_server_may_read_as_long_as_an_answer_may_take() {
    let begins = json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]});
    let pieces = vec![format!("data: {begins}\n\n"), delta("yes") + &end("stop")];
    let server = Server::new(vec![Answer::Slow(Duration::from_millis(400), pieces)]);
    let settings = Settings { silence_limit: Duration::from_millis(100), ..server.settings() };
    assert_eq!(ask(&mut OpenAi::new(settings).unwrap(), &request()).0.unwrap().text, "yes");
}

#[test]
fn a_silence_within_an_answer_is_told_with_its_length() {
    let stops = || Answer::Slow(Duration::from_millis(400), vec![delta("yes")]);
    let server = Server::new(vec![stops(), stops()]);
    let settings = Settings { silence_limit: Duration::from_millis(100), max_retries: 1, ..server.settings() };
    let (answer, told) = ask(&mut OpenAi::new(settings).unwrap(), &request());
    let error = answer.unwrap_err().to_string();
    assert!(error.ends_with("the answer was cut off (nothing more came for 0.1 s) (2 tries)"), "{error}");
    assert_eq!(told.iter().filter(|told| *told == "yes").count(), 2);
}

#[test]
fn any_patience_can_be_asked_for() {
    let server = Server::new(vec![whole("yes")]);
    let settings = Settings { total_limit: Duration::MAX, ..server.settings() };
    assert_eq!(ask(&mut OpenAi::new(settings).unwrap(), &request()).0.unwrap().text, "yes");
}

#[test]
fn an_answer_can_be_ended_in_the_middle() {
    let server = Server::new(vec![Answer::Says(STREAM, vec![delta("one"), delta("two"), delta("three"), end("stop")])]);
    let mut provider = OpenAi::new(server.settings()).unwrap();
    let answer = provider.complete(&request(), &mut |heard| match heard {
        Heard::Text("two") => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let answer = answer.unwrap();
    assert_eq!((answer.text.as_str(), answer.finish), ("onetwo", Finish::Cancelled));
}

#[test]
fn a_schema_is_sent_as_a_response_format() {
    let server = Server::new(vec![whole("{}")]);
    let schema = json!({"type": "object"});
    let asked = Request { constrained: Some(schema.clone()), ..request() };
    ask(&mut OpenAi::new(server.settings()).unwrap(), &asked).0.unwrap();
    let format = &server.asked()[0].body["response_format"];
    assert_eq!((&format["type"], &format["json_schema"]["schema"]), (&json!("json_schema"), &schema));
}

#[test]
fn a_server_of_the_older_response_format_gets_the_schema_its_way() {
    let complaint = r#"{"error": {"message": "body.response_format.type: Input should be 'text' or 'json_object'"}}"#;
    let refusal = || Answer::Says("500 Internal Server Error", vec![complaint.into()]);
    let server = Server::new(vec![refusal(), whole("{}")]);
    let asked = Request { constrained: Some(json!({"type": "object"})), ..request() };
    ask(&mut OpenAi::new(server.settings()).unwrap(), &asked).0.unwrap();
    let format = &server.asked()[1].body["response_format"];
    assert_eq!((&format["type"], &format["schema"]["type"]), (&json!("json_object"), &json!("object")));
}

#[test]
fn a_base_url_that_is_none_says_what_was_expected() {
    for (url, says) in [
        ("localhost:8000", "expected http:// or https://"),
        ("", "expected one such as"),
        ("ftp://x/v1", "expected http:// or https://"),
        ("http://me:pass@host/v1", "OPENAI_API_KEY only"),
    ] {
        let error = OpenAi::new(Settings::new(url, "m", None)).unwrap_err().to_string();
        assert!(error.contains(says), "{url}: {error}");
        assert!(!error.contains("pass@"), "{error}");
    }
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let url = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/v1", listener.local_addr().unwrap())
    };
    let settings = Settings { backoff: Duration::from_millis(1), max_retries: 1, ..Settings::new(&url, "m", None) };
    let error = ask(&mut OpenAi::new(settings).unwrap(), &request()).0.unwrap_err().to_string();
    assert!(error.contains("refused") && error.ends_with("(2 tries)"), "{error}");
}

mod command {
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
        let numbers: Vec<u64> =
            trace["attempts"].as_array().unwrap().iter().map(|a| a["n"].as_u64().unwrap()).collect();
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
        std::fs::write(at.path().join("rows.jsonl"), "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": \"c\"}\n")
            .unwrap();
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
        std::fs::write(at.path().join("rows.jsonl"), "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": \"c\"}\n")
            .unwrap();
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
        assert_eq!(
            (&told[1]["stage"], &told[1]["exact"], &told[1]["id"]),
            (&json!("coerce"), &json!(false), &json!("b"))
        );
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
        std::fs::write(
            at.path().join("endless.toml"),
            "[data]\ntrain = \"t.jsonl\"\n[extract]\nprompt = \"/dev/zero\"\n",
        )
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
}
