//! Servers that speak OpenAI's chat completions: one is asked, and tried anew after 429 and 5xx. What is sent is in `dialect`, what comes back
//! in `answer`, where a server is in `settings`. What a schema asks for and when to ask again is `fix`'s business.

mod answer;
mod dialect;
mod settings;
mod waiting;

use std::error::Error as _;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use tokio::runtime::{Builder, Runtime};

use super::{Completion, Finish, Heard, Provider, ProviderError, Request};
use crate::units::printable;
use answer::Answer;
use dialect::Dialect;
pub use settings::{Key, Settings};
use waiting::{Waited, waited};

/// A server.
#[derive(Debug)]
pub struct OpenAi {
    settings: Settings,
    endpoint: Url,
    client: Client,
    runtime: Runtime,
    /// What this server was found not to take.
    dialect: Dialect,
    /// It takes nothing from us at all.
    is_lost: bool,
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
            .connect_timeout(settings.connect_limit);
        // a server on this machine is behind no proxy
        let loopback = endpoint.host_str().is_some_and(|host| {
            host == "localhost"
                || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        });
        let client = if loopback { client.no_proxy() } else { client };
        let client = client.build().map_err(|e| unusable(root_cause(&e)))?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| unusable(e.to_string()))?;
        Ok(OpenAi { settings, endpoint, client, runtime, dialect: Dialect::default(), is_lost: false })
    }

    /// For messages: without what might be secret.
    fn server(&self) -> String {
        let port = self.endpoint.port().map(|p| format!(":{p}")).unwrap_or_default();
        printable(&format!("{}://{}{port}", self.endpoint.scheme(), self.endpoint.host_str().unwrap_or_default()))
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
        let response = match waited(&self.runtime, until, None, heard, || post.send()) {
            Waited::Came(Ok(response)) => response,
            Waited::Came(Err(e)) if e.is_builder() => return Err(Miss::Refused(root_cause(&e))),
            Waited::Came(Err(e)) => return Err(Miss::Again(self.hidden(&root_cause(&e)), None)),
            Waited::Late | Waited::Silent => return Err(Miss::Unreachable(self.late())),
            Waited::Cancelled => return cancelled(answer),
        };
        if !response.status().is_success() {
            return Err(self.refusal(response, until, heard));
        }
        self.read(response, &mut answer, until, heard)?;
        Ok(answer)
    }

    fn late(&self) -> String {
        format!("no whole answer within {:.0} s", self.settings.total_limit.as_secs_f64())
    }
}

impl Provider for OpenAi {
    fn is_lost(&self) -> bool {
        self.is_lost
    }

    fn complete(
        &mut self,
        request: &Request,
        heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Result<Completion, ProviderError> {
        let until = later(self.settings.total_limit);
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
            let too_long = wait > self.settings.longest_wait || later(wait) >= until;
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
                    waited(&self.runtime, until, None, heard, || tokio::time::sleep(wait)),
                    Waited::Cancelled | Waited::Late | Waited::Silent
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

/// So much later than now, or as late as a clock of any use can tell.
fn later(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or_else(|| now + Duration::from_secs(u64::from(u32::MAX)))
}

/// What was sent, for the trace: one message is its text, more are told by role.
fn sent(request: &Request) -> String {
    match request.messages.as_slice() {
        [only] => only.content.clone(),
        all => all.iter().map(|m| format!("[{}]\n{}", m.role.as_str(), m.content)).collect::<Vec<_>>().join("\n\n"),
    }
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
