//! Servers that speak OpenAI's chat completions: streaming, tries anew after 429 and 5xx, tokens counted by the server.
//! What a schema asks for and when to ask again is `fix`'s business. Next: `sse` for the stream's form.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};

use super::sse::Events;
use super::{Completion, Finish, Heard, Provider, ProviderError, Request};
use crate::units::{beginning, printable};

/// How often a caller that waits is asked whether it still wants to.
const BEAT: Duration = Duration::from_millis(50);
/// The longest answer that is read, and of a refusal only its beginning.
const MAX_ANSWER_BYTES: usize = 16 << 20;
const MAX_REFUSAL_BYTES: usize = 64 << 10;
const REFUSAL_SHOWN_BYTES: usize = 300;

/// A key that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// None for a key of white space.
    pub fn new(key: &str) -> Option<Key> {
        let key = key.trim();
        (!key.is_empty()).then(|| Key(key.to_string()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

/// Where a server is and how patient to be with it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Up to `/v1`, as OpenAI's own libraries take it.
    pub base_url: String,
    pub model: String,
    pub key: Option<Key>,
    pub connect_limit: Duration,
    /// The longest silence, before the first piece and between two.
    pub silence_limit: Duration,
    /// The longest that one answer may take in all.
    pub total_limit: Duration,
    /// Tries after the first, on 429, 5xx, and connections that fail or are cut.
    pub max_retries: u32,
    /// The first wait before a new try; it doubles each time. A server's `Retry-After` is kept where it is longer.
    pub backoff: Duration,
    /// A longer wait than this is not made: the server's refusal is told instead.
    pub longest_wait: Duration,
}

impl Settings {
    pub fn new(base_url: &str, model: &str, key: Option<Key>) -> Self {
        Settings {
            base_url: base_url.to_string(),
            model: model.to_string(),
            key,
            connect_limit: Duration::from_secs(5),
            silence_limit: Duration::from_secs(60),
            total_limit: Duration::from_secs(600),
            max_retries: 4,
            backoff: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
        }
    }
}

/// A server.
#[derive(Debug)]
pub struct OpenAi {
    settings: Settings,
    endpoint: Url,
    client: Client,
    runtime: Runtime,
    /// What this server was found not to take.
    dialect: Dialect,
}

/// Newer and older servers differ in a few fields; what one refuses by name is sent otherwise from then on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Dialect {
    no_stream_options: bool,
    max_completion_tokens: bool,
    no_temperature: bool,
    no_seed: bool,
    /// The schema goes with `json_object`, as llama.cpp's Python server takes it.
    schema_in_object: bool,
}

/// How a try ended without an answer.
enum Miss {
    /// Another try may help; after the server's own wait, where it named one.
    Again(String, Option<Duration>),
    Unreachable(String),
    Refused(String),
    /// The field it did not take was changed.
    Otherwise,
}

/// An answer as far as it came.
#[derive(Default)]
struct Answer {
    text: String,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    /// Nothing ended it yet.
    finish: Option<Finish>,
}

impl OpenAi {
    /// # Errors
    /// A base URL that is none, or a client that cannot be made.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let unusable = |why: String| ProviderError::Unusable(why);
        let shown = printable(&settings.base_url);
        let mut endpoint = Url::parse(settings.base_url.trim()).map_err(|e| {
            unusable(format!("the base URL `{shown}` is none ({e}); expected one such as http://127.0.0.1:8000/v1"))
        })?;
        if !matches!(endpoint.scheme(), "http" | "https") || endpoint.host().is_none() {
            return Err(unusable(format!("the base URL `{shown}` is none; expected http:// or https:// and a host")));
        }
        if !endpoint.username().is_empty() || endpoint.password().is_some() {
            return Err(unusable(
                "the base URL holds a name or password; a key is taken from OPENAI_API_KEY only".into(),
            ));
        }
        if let Ok(mut path) = endpoint.path_segments_mut() {
            path.pop_if_empty().extend(["chat", "completions"]);
        }
        if settings.key.as_ref().is_some_and(|Key(key)| !key.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(unusable(
                "OPENAI_API_KEY holds a character that no key has, such as a blank or a line end".into(),
            ));
        }
        let client = Client::builder()
            .user_agent(concat!("finetop/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.connect_limit)
            .read_timeout(settings.silence_limit);
        // a server on this machine is behind no proxy
        let loopback = endpoint.host_str().is_some_and(|host| {
            host == "localhost"
                || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        });
        let client = if loopback { client.no_proxy() } else { client };
        let client = client.build().map_err(|e| unusable(root_cause(&e)))?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| unusable(e.to_string()))?;
        Ok(OpenAi { settings, endpoint, client, runtime, dialect: Dialect::default() })
    }

    /// For messages: without what might be secret.
    fn server(&self) -> String {
        let port = self.endpoint.port().map(|p| format!(":{p}")).unwrap_or_default();
        printable(&format!("{}://{}{port}", self.endpoint.scheme(), self.endpoint.host_str().unwrap_or_default()))
    }

    fn body(&self, request: &Request) -> Value {
        let messages: Vec<Value> =
            request.messages.iter().map(|m| json!({"role": m.role.as_str(), "content": m.content})).collect();
        let mut body = Map::new();
        body.insert("model".into(), self.settings.model.clone().into());
        body.insert("messages".into(), messages.into());
        let tokens = if self.dialect.max_completion_tokens { "max_completion_tokens" } else { "max_tokens" };
        body.insert(tokens.into(), request.max_tokens.into());
        if !self.dialect.no_temperature {
            body.insert("temperature".into(), request.temperature.into());
        }
        if !self.dialect.no_seed {
            body.insert("seed".into(), request.seed.into());
        }
        body.insert("stream".into(), true.into());
        if !self.dialect.no_stream_options {
            body.insert("stream_options".into(), json!({"include_usage": true}));
        }
        if let Some(schema) = &request.constrained {
            let wanted = json!({"name": "answer", "schema": schema, "strict": true});
            let format = match self.dialect.schema_in_object {
                false => json!({"type": "json_schema", "json_schema": wanted}),
                true => json!({"type": "json_object", "schema": schema}),
            };
            body.insert("response_format".into(), format);
        }
        body.into()
    }

    /// One try. `Ok(None)` when the caller wanted no more.
    fn attempt(
        &mut self,
        request: &Request,
        until: Instant,
        heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Result<Answer, Miss> {
        let mut post = self.client.post(self.endpoint.clone()).header(CONTENT_TYPE, "application/json");
        if let Some(Key(key)) = &self.settings.key {
            post = post.bearer_auth(key);
        }
        let post = post.body(self.body(request).to_string());
        let cancelled = |answer: Answer| Ok(Answer { finish: Some(Finish::Cancelled), ..answer });
        let mut answer = Answer::default();
        let response = match waited(&self.runtime, until, heard, || post.send()) {
            Waited::Came(Ok(response)) => response,
            Waited::Came(Err(e)) if e.is_builder() => return Err(Miss::Refused(root_cause(&e))),
            Waited::Came(Err(e)) => return Err(Miss::Again(self.hidden(&root_cause(&e)), None)),
            Waited::Late => return Err(Miss::Unreachable(self.late())),
            Waited::Cancelled => return cancelled(answer),
        };
        if !response.status().is_success() {
            return Err(self.refusal(response, until, heard));
        }
        self.read(response, &mut answer, until, heard)?;
        Ok(answer)
    }

    /// Reads an answer, as a stream or, from servers that do not stream, as one object.
    fn read(
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
        loop {
            let piece = match waited(&self.runtime, until, heard, || response.chunk()) {
                Waited::Came(Ok(Some(piece))) => piece,
                Waited::Came(Ok(None)) => break,
                Waited::Came(Err(e)) => {
                    return Err(Miss::Again(
                        format!("the answer was cut off ({})", self.hidden(&root_cause(&e))),
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
            let mut told = Vec::new();
            events.push(&piece, |data| told.push(data)).map_err(|_| self.nonsense("a line without end"))?;
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
    fn refusal(
        &mut self,
        mut response: Response,
        until: Instant,
        heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Miss {
        let status = response.status();
        let wait = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse::<f64>().ok());
        let wait = wait.and_then(|s| Duration::try_from_secs_f64(s).ok());
        let mut body = Vec::new();
        while let Waited::Came(Ok(Some(piece))) = waited(&self.runtime, until, heard, || response.chunk()) {
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

    /// Leaves out, or names otherwise, what a server complains of. False when that was done already.
    fn adapt(&mut self, complaint: &str) -> bool {
        let before = self.dialect;
        let d = &mut self.dialect;
        if complaint.contains("stream_options") {
            d.no_stream_options = true;
        } else if complaint.contains("response_format") {
            d.schema_in_object = true;
        } else if complaint.contains("max_completion_tokens") {
            d.max_completion_tokens = true;
        } else if complaint.contains("temperature") {
            d.no_temperature = true;
        } else if complaint.contains("seed") {
            d.no_seed = true;
        }
        before != self.dialect
    }

    fn nonsense(&self, data: &str) -> Miss {
        Miss::Refused(format!("the answer is no chat completion: `{}`", self.hidden(data)))
    }

    /// A server's words for a person: short, printable, without the key.
    fn hidden(&self, text: &str) -> String {
        let text = match &self.settings.key {
            Some(Key(key)) => text.replace(key.as_str(), "(key)"),
            None => text.to_string(),
        };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let short = beginning(&text, REFUSAL_SHOWN_BYTES);
        printable(&if short.len() < text.len() { format!("{short}…") } else { text.clone() })
    }

    fn late(&self) -> String {
        format!("no whole answer within {:.0} s", self.settings.total_limit.as_secs_f64())
    }
}

impl Provider for OpenAi {
    fn complete(
        &mut self,
        request: &Request,
        heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Result<Completion, ProviderError> {
        let until = Instant::now() + self.settings.total_limit;
        let (mut tries, mut backoff) = (0, self.settings.backoff);
        loop {
            tries += 1;
            let (why, named) = match self.attempt(request, until, heard) {
                Ok(answer) => {
                    return Ok(Completion {
                        text: answer.text,
                        prompt_tokens: answer.prompt_tokens,
                        completion_tokens: answer.completion_tokens,
                        finish: answer.finish.unwrap_or(Finish::Stop),
                        prompt: sent(request),
                    });
                }
                Err(Miss::Otherwise) => {
                    tries -= 1;
                    continue;
                }
                Err(Miss::Unreachable(why)) => {
                    return Err(ProviderError::Unreachable { server: self.server(), why, tries });
                }
                Err(Miss::Refused(why)) => return Err(ProviderError::Refused { server: self.server(), why, tries }),
                Err(Miss::Again(why, named)) => (why, named),
            };
            let wait = backoff.max(named.unwrap_or_default());
            let too_long = wait > self.settings.longest_wait || Instant::now() + wait >= until;
            if tries > self.settings.max_retries || too_long {
                let why = match named {
                    Some(named) if too_long => format!("{why}; it asks to wait {:.0} s", named.as_secs_f64()),
                    _ => why,
                };
                return Err(ProviderError::Unreachable { server: self.server(), why, tries });
            }
            backoff = backoff.saturating_mul(2).min(self.settings.longest_wait);
            let mut stopped = heard(Heard::Again { why: &why, wait }).is_break();
            if !stopped {
                stopped = matches!(
                    waited(&self.runtime, until, heard, || tokio::time::sleep(wait)),
                    Waited::Cancelled | Waited::Late
                );
            }
            if stopped {
                let (text, prompt) = (String::new(), sent(request));
                let finish = Finish::Cancelled;
                return Ok(Completion { text, prompt_tokens: None, completion_tokens: None, finish, prompt });
            }
        }
    }
}

/// What was sent, for the trace: one message is its text, more are told by role.
fn sent(request: &Request) -> String {
    match request.messages.as_slice() {
        [only] => only.content.clone(),
        all => all.iter().map(|m| format!("[{}]\n{}", m.role.as_str(), m.content)).collect::<Vec<_>>().join("\n\n"),
    }
}

enum Waited<T> {
    Came(T),
    Late,
    Cancelled,
}

/// Waits for a future, asking now and then whether it is still wanted. It is made inside, where the runtime's clock is known.
fn waited<T, F: Future<Output = T>>(
    runtime: &Runtime,
    until: Instant,
    heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    future: impl FnOnce() -> F,
) -> Waited<T> {
    runtime.block_on(async {
        let mut future = std::pin::pin!(future());
        loop {
            match tokio::time::timeout(BEAT, &mut future).await {
                Ok(value) => return Waited::Came(value),
                Err(_) if Instant::now() >= until => return Waited::Late,
                Err(_) if heard(Heard::Waiting).is_break() => return Waited::Cancelled,
                Err(_) => {}
            }
        }
    })
}

/// The words in an error object, whatever its form.
fn message(error: &Value) -> String {
    let words = error.get("message").or_else(|| error.get("detail")).unwrap_or(error);
    words.as_str().map_or_else(|| words.to_string(), str::to_string)
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    // The URL is left out: `server` says it.
    let words = cause.to_string();
    if error.is_timeout() && error.source().is_none() { "no answer in time".into() } else { words }
}
