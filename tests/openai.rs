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

#[path = "openai/command.rs"]
mod command;
