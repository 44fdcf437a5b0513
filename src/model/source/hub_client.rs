//! The hub's protocol: what a repository holds, what each file is, and its bytes from any place on. hf-hub asks for the
//! repository. Files are asked for here, because hf-hub 1.0 cannot go on with a download after a cut, takes a body
//! without looking at its status or length, and loses what the hub says about large files behind their redirect.
//!
//! Work that waits for the network runs on threads of its own, so that the caller can be any thread and stop waiting at
//! any time.

use std::error::Error;
use std::future::Future;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};

use hf_hub::{HFClient, HFError, split_id};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, LOCATION, RANGE};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};
use tokio::runtime::{Builder, Runtime};

use super::cache::BEAT;
use super::hub_cache::{is_commit, is_etag};
use super::{Environment, Job, SourceError};

const MAX_REDIRECTS: usize = 10;
/// Parts of a body that may wait to be written.
const WAITING_PARTS: usize = 64;

/// Why the hub did not give what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection, or one that ended early: worth another try.
    Unreachable(String),
    /// An answer that another try will not change.
    Refused(String),
}

/// A repository at one commit.
#[derive(Debug)]
pub(super) struct Listing {
    pub commit: String,
    pub files: Vec<String>,
}

/// What the hub says about a file.
#[derive(Debug, Clone)]
pub(super) struct Place {
    url: Url,
    /// For large files their SHA-256.
    pub etag: String,
    pub bytes: u64,
}

/// A piece of a body.
#[derive(Debug)]
pub(super) enum Part {
    /// The first: where in the file the body begins.
    From(u64),
    Bytes(Vec<u8>),
}

/// A connection to one repository.
#[derive(Debug)]
pub(super) struct HubClient {
    runtime: Option<Runtime>,
    hub: HFClient,
    follows: Client,
    /// Follows no redirect by itself: what the hub says about a large file comes with the redirect to its bytes.
    stays: Client,
    repo: String,
    token: Option<String>,
    /// For messages.
    limit_s: f64,
}

impl HubClient {
    pub fn new(environment: &Environment, repo: &str) -> Result<Self, Failure> {
        let refused = |e: &dyn Error| Failure::Refused(root_cause(e));
        let endpoint = environment.endpoint.as_deref().and_then(|endpoint| Url::parse(endpoint).ok());
        let client = || {
            let client = Client::builder()
                .user_agent(concat!("finetop/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(environment.connect_limit)
                .read_timeout(environment.silence_limit);
            // a mirror on this machine is behind no proxy
            if endpoint.as_ref().is_some_and(is_loopback) { client.no_proxy() } else { client }
        };
        let follows = client().build().map_err(|e| refused(&e))?;
        let stays = client().redirect(redirect::Policy::none()).build().map_err(|e| refused(&e))?;
        let mut hub = HFClient::builder().client(follows.clone()).retry_max_attempts(0);
        if let Some(endpoint) = &environment.endpoint {
            hub = hub.endpoint(endpoint);
        }
        if let Some(token) = &environment.token {
            hub = hub.token(token);
        }
        let hub = hub.build().map_err(|e| Failure::Refused(format!("HF_ENDPOINT: {e}")))?;
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("hub").enable_all().build();
        let runtime = Some(runtime.map_err(|e| refused(&e))?);
        let limit_s = environment.connect_limit.as_secs_f64();
        Ok(Self { runtime, hub, follows, stays, repo: repo.into(), token: environment.token.clone(), limit_s })
    }

    /// The commit of a revision and the names of its files.
    pub fn list(&self, job: &Job, revision: Option<&str>) -> Result<Result<Listing, Failure>, SourceError> {
        let (hub, repo) = (self.hub.clone(), self.repo.clone());
        let revision = revision.map(str::to_string);
        let asked = async move {
            let (owner, name) = split_id(&repo);
            hub.model(owner, name).info().maybe_revision(revision).send().await
        };
        let info = match self.wait(job, asked)? {
            Ok(info) => info,
            Err(error) => return Ok(Err(self.explain(error))),
        };
        let files: Vec<String> = info.siblings.unwrap_or_default().into_iter().map(|s| s.rfilename).collect();
        Ok(match info.sha.filter(|sha| is_commit(sha)) {
            Some(commit) => Ok(Listing { commit, files }),
            None => Err(Failure::Refused("the hub's answer names no commit".into())),
        })
    }

    /// What the hub says about one file of a commit.
    pub fn place(&self, job: &Job, commit: &str, file: &str) -> Result<Result<Place, Failure>, SourceError> {
        let url = match self.url(commit, file) {
            Ok(url) => url,
            Err(failure) => return Ok(Err(failure)),
        };
        let (client, token) = (self.stays.clone(), self.token.clone());
        let first = url.clone();
        let asked = async move {
            let mut at = first.clone();
            for _ in 0..MAX_REDIRECTS {
                let token = token.as_ref().filter(|_| at.host() == first.host() && at.scheme() == first.scheme());
                let response = with_token(client.head(at.clone()), token).send().await?;
                let next = header(response.headers(), LOCATION.as_str()).and_then(|l| at.join(&l).ok());
                match next {
                    Some(next) if response.status().is_redirection() && etag(response.headers()).is_none() => at = next,
                    _ => return Ok(Some(response)),
                }
            }
            Ok::<_, reqwest::Error>(None)
        };
        let response = match self.wait(job, asked)? {
            Ok(Some(response)) => response,
            Ok(None) => return Ok(Err(Failure::Refused(format!("{file}: the hub redirects without end")))),
            Err(error) => return Ok(Err(self.cut(&error))),
        };
        let status = response.status();
        if !status.is_success() && !status.is_redirection() {
            return Ok(Err(self.refusal(status, &format!("{file}: "))));
        }
        let headers = response.headers();
        let own_length = header(headers, CONTENT_LENGTH.as_str()).filter(|_| status.is_success());
        let bytes = header(headers, "x-linked-size").or(own_length).and_then(|text| text.parse().ok());
        Ok(match (etag(headers).filter(|etag| is_etag(etag)), bytes) {
            (Some(etag), Some(bytes)) => Ok(Place { url, etag, bytes }),
            _ => Err(Failure::Refused(format!("{file}: the hub's answer has no usable ETag and size"))),
        })
    }

    /// Asks for the bytes of a file from `from` on; they are read while the caller does other things.
    pub fn body(&self, place: &Place, from: u64) -> Body {
        let mut request = with_token(self.follows.get(place.url.clone()), self.token.as_ref());
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let (sender, parts) = mpsc::sync_channel(WAITING_PARTS);
        let send = move |part| tokio::task::block_in_place(|| sender.send(part)).is_ok();
        self.spawn(async move {
            let mut response = match request.send().await {
                Ok(response) => response,
                Err(error) => {
                    send(Err(Gone::Cut(error)));
                    return;
                }
            };
            match begins_at(&response, from) {
                Some(offset) if send(Ok(Part::From(offset))) => {}
                Some(_) => return,
                None => {
                    send(Err(Gone::Status(response.status())));
                    return;
                }
            }
            loop {
                match response.chunk().await {
                    Ok(Some(bytes)) if send(Ok(Part::Bytes(bytes.to_vec()))) => {}
                    Ok(_) => return,
                    Err(error) => {
                        send(Err(Gone::Cut(error)));
                        return;
                    }
                }
            }
        });
        Body { parts, limit_s: self.limit_s }
    }

    fn url(&self, commit: &str, file: &str) -> Result<Url, Failure> {
        let base = format!("{}/{}/resolve/{commit}", self.hub.endpoint(), self.repo);
        let mut url = Url::parse(&base).map_err(|e| Failure::Refused(format!("HF_ENDPOINT: {e}")))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(file.split('/'));
        }
        Ok(url)
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
    }

    /// Waits for an answer, looking at `cancel` all the while.
    fn wait<T: Send + 'static>(
        &self,
        job: &Job,
        asked: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, SourceError> {
        let (sender, answer) = mpsc::channel();
        self.spawn(async move {
            let _ = sender.send(asked.await);
        });
        loop {
            job.check_cancelled()?;
            match answer.recv_timeout(BEAT) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(SourceError::Cancelled),
            }
        }
    }

    fn explain(&self, error: HFError) -> Failure {
        let code = match &error {
            HFError::RepoNotFound { context: Some(context), .. }
            | HFError::RevisionNotFound { context: Some(context), .. } => context.error_code.clone(),
            _ => None,
        };
        match error {
            HFError::AuthRequired { .. } => self.refusal(StatusCode::UNAUTHORIZED, ""),
            HFError::Forbidden { .. } => self.refusal(StatusCode::FORBIDDEN, ""),
            HFError::RateLimited { .. } => self.refusal(StatusCode::TOO_MANY_REQUESTS, ""),
            HFError::RevisionNotFound { .. } if code.as_deref() == Some("RepoNotFound") => {
                self.refusal(StatusCode::NOT_FOUND, "")
            }
            HFError::RevisionNotFound { revision, .. } => {
                Failure::Refused(format!("the repository is not on the hub, or has no revision {revision} (404)"))
            }
            HFError::RepoNotFound { .. } => self.refusal(StatusCode::NOT_FOUND, ""),
            HFError::Http { context } => self.refusal(context.status, ""),
            HFError::Request { source, .. } => self.cut(&source),
            other => Failure::Refused(root_cause(&other)),
        }
    }

    /// An answer with a status that is no success, in words that say what to do.
    fn refusal(&self, status: StatusCode, what: &str) -> Failure {
        let advice = match status {
            StatusCode::UNAUTHORIZED if self.token.is_some() => {
                "access was refused (401): the token is not accepted; set HF_TOKEN to one that may read the repository"
            }
            StatusCode::UNAUTHORIZED => {
                "access was refused (401): the repository is private or gated, or does not exist; set HF_TOKEN to a \
                 token that may read it"
            }
            StatusCode::FORBIDDEN => {
                "access was refused (403): accept the terms on the repository's page, and set HF_TOKEN to a token of \
                 that account"
            }
            StatusCode::NOT_FOUND if what.is_empty() => "there is no such repository on the hub (404)",
            StatusCode::NOT_FOUND => "the repository has no such file (404)",
            other if other.is_server_error() || other == StatusCode::TOO_MANY_REQUESTS => {
                return Failure::Unreachable(format!("{what}the hub cannot answer now ({other})"));
            }
            other => return Failure::Refused(format!("{what}the hub answered {other}")),
        };
        Failure::Refused(format!("{what}{advice}"))
    }

    fn cut(&self, error: &reqwest::Error) -> Failure {
        cut(error, self.limit_s)
    }
}

impl Drop for HubClient {
    fn drop(&mut self) {
        // without waiting: a look-up of a name can hang for longer than anyone wants to
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The body of a file as it comes in; dropping it ends the connection.
pub(super) struct Body {
    parts: Receiver<Result<Part, Gone>>,
    limit_s: f64,
}

/// How a body ended early.
enum Gone {
    Cut(reqwest::Error),
    Status(StatusCode),
}

impl Body {
    /// The next part, or `None` at the end; where the body ends early the last is a failure.
    pub fn next(&self, job: &Job) -> Result<Option<Result<Part, Failure>>, SourceError> {
        loop {
            job.check_cancelled()?;
            return Ok(match self.parts.recv_timeout(BEAT) {
                Ok(Ok(part)) => Some(Ok(part)),
                Ok(Err(Gone::Cut(error))) => Some(Err(cut(&error, self.limit_s))),
                // behind the redirect: an address that ran out, or a server in trouble; another try gets a new address
                Ok(Err(Gone::Status(status))) => {
                    Some(Err(Failure::Unreachable(format!("the hub gave no bytes ({status})"))))
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => None,
            });
        }
    }
}

/// Where a body begins: at 0 for a whole file, where its range says for a part; `None` for anything else.
fn begins_at(response: &Response, asked: u64) -> Option<u64> {
    match response.status() {
        StatusCode::OK => Some(0),
        StatusCode::PARTIAL_CONTENT => {
            let range = header(response.headers(), CONTENT_RANGE.as_str())?;
            let start = range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()?;
            (start == asked).then_some(start)
        }
        _ => None,
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"))
}

fn with_token(request: RequestBuilder, token: Option<&String>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_string())
}

/// The etag of the file itself, without its quotes; a large file's stands in a header of its own.
fn etag(headers: &HeaderMap) -> Option<String> {
    let raw = header(headers, "x-linked-etag").or_else(|| header(headers, ETAG.as_str()))?;
    Some(raw.strip_prefix("W/").unwrap_or(&raw).trim_matches('"').to_string())
}

fn cut(error: &reqwest::Error, limit_s: f64) -> Failure {
    let place = error.url().and_then(|url| url.host_str()).map(|host| format!(" to {host}")).unwrap_or_default();
    Failure::Unreachable(if error.is_connect() && error.is_timeout() {
        format!("no connection{place} within {limit_s} seconds")
    } else if error.is_connect() {
        format!("no connection{place}: {}", root_cause(error))
    } else if error.is_timeout() {
        format!("the connection{place} fell silent")
    } else {
        format!("the connection{place} was cut: {}", root_cause(error))
    })
}

/// The innermost reason of an error, where the words are.
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
