//! What comes back from a server: an answer piece by piece or whole, or a refusal with the server's own words. Next: `super::sse` for the
//! stream's form.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::waiting::{Waited, waited};
use super::{Key, Miss, OpenAi, root_cause};
use crate::extract::provider::sse::Events;
use crate::extract::provider::{Finish, Heard};
use crate::units::{beginning, printable};

/// The longest answer that is read, and of a refusal only its beginning.
const MAX_ANSWER_BYTES: usize = 16 << 20;
const MAX_REFUSAL_BYTES: usize = 64 << 10;
const REFUSAL_SHOWN_BYTES: usize = 300;

/// An answer as far as it came.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) prompt_tokens: Option<u64>,
    pub(super) completion_tokens: Option<u64>,
    /// Nothing ended it yet.
    pub(super) finish: Option<Finish>,
}

impl OpenAi {
    /// Reads an answer, as a stream or, from servers that do not stream, as one object.
    pub(super) fn read(
        &self,
        mut response: Response,
        answer: &mut Answer,
        until: Instant,
        heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Result<(), Miss> {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let kind = kind.to_ascii_lowercase();
        if kind.contains("text/html") {
            return Err(Miss::Refused("the answer is a web page, no chat completion; is the base URL right?".into()));
        }
        let streams = !kind.contains("application/json");
        let (mut events, mut whole, mut bytes) = (Events::default(), Vec::new(), 0);
        // Of a stream, as much as tells whether it is one.
        let (mut beginning, mut any) = (Vec::new(), false);
        loop {
            // Some servers send a head, or an object without text, before they have read the prompt.
            let silence = (!answer.text.is_empty()).then_some(self.settings.silence_limit);
            let piece = match waited(&self.runtime, until, silence, heard, || response.chunk()) {
                Waited::Came(Ok(Some(piece))) => piece,
                Waited::Came(Ok(None)) => break,
                Waited::Came(Err(e)) => {
                    return Err(Miss::Again(
                        format!("the answer was cut off ({})", self.hidden(&root_cause(&e))),
                        None,
                    ));
                }
                // A whole answer needs no end of the connection.
                Waited::Silent if answer.finish.is_some() => break,
                Waited::Silent => {
                    let silence = self.settings.silence_limit.as_secs_f64();
                    return Err(Miss::Again(
                        format!("the answer was cut off (nothing more came for {silence} s)"),
                        None,
                    ));
                }
                Waited::Late => return Err(Miss::Unreachable(self.late())),
                Waited::Cancelled => {
                    answer.finish = Some(Finish::Cancelled);
                    return Ok(());
                }
            };
            bytes += piece.len();
            if bytes > MAX_ANSWER_BYTES {
                return Err(Miss::Refused(format!("the answer is longer than {} MiB", MAX_ANSWER_BYTES >> 20)));
            }
            if !streams {
                whole.extend_from_slice(&piece);
                continue;
            }
            beginning.extend(piece.iter().take(REFUSAL_SHOWN_BYTES.saturating_sub(beginning.len())));
            let mut told = Vec::new();
            events.push(&piece, |data| told.push(data)).map_err(|_| self.nonsense("a line without end"))?;
            any |= !told.is_empty();
            for data in told {
                if self.event(&data, answer, heard)?.is_break() {
                    answer.finish = Some(Finish::Cancelled);
                    return Ok(());
                }
            }
        }
        match streams {
            true => {
                if let Some(data) = events.finish()
                    && self.event(&data, answer, heard)?.is_break()
                {
                    answer.finish = Some(Finish::Cancelled);
                }
            }
            false => {
                let whole = String::from_utf8_lossy(&whole);
                if self.event(&whole, answer, heard)?.is_break() {
                    answer.finish = Some(Finish::Cancelled);
                }
            }
        }
        // A stream that ends before it said how is cut, whatever the connection says.
        match answer.finish {
            Some(_) => Ok(()),
            None if bytes == 0 => Err(Miss::Again("the answer is empty".into(), None)),
            None if !streams => Err(self.nonsense(&String::from_utf8_lossy(&whole))),
            None if !any && !is_stream(&beginning) => Err(self.nonsense(&String::from_utf8_lossy(&beginning))),
            None => Err(Miss::Again("the answer was cut off (it ended without a finish_reason)".into(), None)),
        }
    }

    /// One object of a stream (`delta`), or a whole answer (`message`).
    fn event(
        &self,
        data: &str,
        answer: &mut Answer,
        heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Miss> {
        if data.trim() == "[DONE]" {
            return Ok(ControlFlow::Continue(()));
        }
        let object: Value = serde_json::from_str(data).map_err(|_| self.nonsense(data))?;
        if let Some(error) = object.get("error").filter(|e| !e.is_null()) {
            return Err(Miss::Again(self.hidden(&message(error)), None));
        }
        if let Some(usage) = object.get("usage").filter(|u| u.is_object()) {
            let count = |name: &str| usage.get(name).and_then(Value::as_u64);
            answer.prompt_tokens = count("prompt_tokens").or(answer.prompt_tokens);
            answer.completion_tokens = count("completion_tokens").or(answer.completion_tokens);
        }
        let Some(choices) = object.get("choices").and_then(Value::as_array) else {
            return match object.get("usage") {
                Some(_) => Ok(ControlFlow::Continue(())),
                None => Err(self.nonsense(data)),
            };
        };
        // The last object of a stream may have the usage alone.
        let Some(choice) = choices.first() else { return Ok(ControlFlow::Continue(())) };
        let said = choice.get("delta").or_else(|| choice.get("message"));
        if let Some(refusal) = said.and_then(|s| s.get("refusal")).and_then(Value::as_str) {
            return Err(Miss::Refused(format!("the model refused: {}", self.hidden(refusal))));
        }
        let text = said.and_then(|s| s.get("content")).and_then(Value::as_str).unwrap_or_default();
        answer.text.push_str(text);
        match choice.get("finish_reason").and_then(Value::as_str) {
            None => {}
            Some("length") => answer.finish = Some(Finish::Length),
            Some("content_filter") => {
                return Err(Miss::Refused("the server's content filter ended the answer".into()));
            }
            Some(_) => answer.finish = Some(Finish::Stop),
        }
        Ok(if text.is_empty() { ControlFlow::Continue(()) } else { heard(Heard::Text(text)) })
    }

    /// What a status says, with the server's own words.
    pub(super) fn refusal(
        &mut self,
        mut response: Response,
        until: Instant,
        heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Miss {
        let status = response.status();
        self.is_lost = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let wait = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse::<f64>().ok());
        let wait = wait.and_then(|s| Duration::try_from_secs_f64(s).ok());
        let mut body = Vec::new();
        let silence = Some(self.settings.silence_limit);
        while let Waited::Came(Ok(Some(piece))) = waited(&self.runtime, until, silence, heard, || response.chunk()) {
            body.extend_from_slice(&piece);
            if body.len() > MAX_REFUSAL_BYTES {
                break;
            }
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        // Some servers call a field that they do not take their own fault.
        let complains = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY, StatusCode::INTERNAL_SERVER_ERROR];
        if complains.contains(&status) && self.adapt(&text) {
            return Miss::Otherwise;
        }
        let said = serde_json::from_str::<Value>(&text).ok().map(|v| message(v.get("error").unwrap_or(&v)));
        let said = self.hidden(said.as_deref().unwrap_or(&text));
        let why = if said.is_empty() { status.to_string() } else { format!("{status}: {said}") };
        let again =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT)
                || status.is_server_error();
        match (again, status) {
            (true, _) => Miss::Again(why, wait),
            (false, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) if self.settings.key.is_none() => {
                Miss::Refused(format!("{why}; a key is taken from OPENAI_API_KEY, which is not set"))
            }
            (false, StatusCode::NOT_FOUND) => {
                Miss::Refused(format!("{why}; asked at {}", printable(self.endpoint.path())))
            }
            (false, _) => Miss::Refused(why),
        }
    }

    fn nonsense(&self, data: &str) -> Miss {
        Miss::Refused(format!("the answer is no chat completion: `{}`", self.hidden(data)))
    }

    /// A server's words for a person: short, printable, without the key.
    pub(super) fn hidden(&self, text: &str) -> String {
        let text = match &self.settings.key {
            Some(Key(key)) => text.replace(key.as_str(), "(key)"),
            None => text.to_string(),
        };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let short = beginning(&text, REFUSAL_SHOWN_BYTES);
        printable(&if short.len() < text.len() { format!("{short}…") } else { text.clone() })
    }
}

/// Whether this is how server-sent events begin.
fn is_stream(beginning: &[u8]) -> bool {
    let text = beginning.trim_ascii_start();
    [&b"data:"[..], b"event:", b"id:", b"retry:", b":"]
        .iter()
        .any(|field| text.starts_with(field) || field.starts_with(text))
}

/// The words in an error object, whatever its form.
fn message(error: &Value) -> String {
    let words = error.get("message").or_else(|| error.get("detail")).unwrap_or(error);
    words.as_str().map_or_else(|| words.to_string(), str::to_string)
}
