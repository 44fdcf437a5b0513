//! A small server that speaks the hub's protocol on 127.0.0.1, with the troubles of real ones: a token that is asked
//! for, connections that are cut, ranges that are ignored, bytes that are not those announced.
//!
//! As the hub does it, a small file is redirected to a relative place that says its ETag; a large one to another host
//! (here the same server as `localhost`), and what it is stands in the headers of the redirect.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A repository and how the server misbehaves about it.
#[derive(Default)]
pub struct Hub {
    /// `org/name`.
    pub repo: String,
    pub files: Vec<(String, Vec<u8>)>,
    /// Asked for where it is set.
    pub token: Option<String>,
    /// The next bodies of large files end after so many bytes.
    pub cuts: Mutex<VecDeque<usize>>,
    pub ignores_ranges: bool,
    /// Large files come with one byte changed.
    pub lies: bool,
    /// Every request with a path that contains this gets that status.
    pub answers: Option<(String, u16)>,
    /// A body of a large file stays silent after so many bytes until the other side goes away.
    pub silent_after: Option<usize>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub host: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

/// A running server; its thread ends with the process.
pub struct Server {
    pub endpoint: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Hub {
    pub fn with(repo: &str, files: &[(&str, Vec<u8>)]) -> Self {
        let files = files.iter().map(|(name, bytes)| (name.to_string(), bytes.clone())).collect();
        Hub { repo: repo.into(), files, ..Hub::default() }
    }

    pub fn serve(self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (shared, log) = (Arc::new(self), Arc::new(Mutex::new(Vec::new())));
        let requests = Arc::clone(&log);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (hub, log) = (shared.clone(), requests.clone());
                thread::spawn(move || answer(&hub, &log, port, stream));
            }
        });
        Server { endpoint: format!("http://127.0.0.1:{port}"), log }
    }

    fn find(&self, name: &str) -> Option<&Vec<u8>> {
        self.files.iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes)
    }
}

impl Server {
    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    /// The requests for bytes of large files.
    pub fn bodies(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|r| r.method == "GET" && r.path.starts_with("/cdn/")).collect()
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".gguf")
}

/// An ETag of a small file; the hub gives 40 hexadecimal digits.
fn small_etag(bytes: &[u8]) -> String {
    sha256(bytes)[..40].to_string()
}

fn answer(hub: &Hub, log: &Mutex<Vec<Request>>, port: u16, mut stream: TcpStream) {
    let Some(request) = read_request(&stream) else { return };
    log.lock().unwrap().push(request.clone());
    let reply = reply(hub, port, &request);
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
    if !reply.headers.iter().any(|(name, _)| *name == "Content-Length") {
        head += &format!("Content-Length: {}\r\n", reply.body.len());
    }
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let _ = stream.write_all((head + "\r\n").as_bytes());
    if request.method == "HEAD" {
        return;
    }
    let is_large = request.path.starts_with("/cdn/");
    let cut = if is_large { hub.cuts.lock().unwrap().pop_front() } else { None };
    if let Some(after) = hub.silent_after.filter(|_| is_large) {
        let _ = stream.write_all(&reply.body[..after]);
        // until the other side closes
        let _ = stream.read(&mut [0]);
        return;
    }
    let _ = stream.write_all(&reply.body[..cut.unwrap_or(usize::MAX).min(reply.body.len())]);
    let _ = stream.shutdown(Shutdown::Write);
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_string(), words.next()?.to_string());
    let mut request = Request { method, path, host: String::new(), range: None, authorization: None };
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "host" => request.host = value.into(),
            "range" => request.range = Some(value.into()),
            "authorization" => request.authorization = Some(value.into()),
            _ => {}
        }
    }
    Some(request)
}

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn status(status: u16, headers: Vec<(&'static str, String)>) -> Reply {
    Reply { status, headers, body: Vec::new() }
}

fn reply(hub: &Hub, port: u16, request: &Request) -> Reply {
    if let Some((part, code)) = &hub.answers
        && request.path.contains(part)
    {
        return status(*code, vec![]);
    }
    // the place of the bytes is not asked for a token, and must not be told it
    if let Some(etag) = request.path.strip_prefix("/cdn/") {
        return large_body(hub, etag, request);
    }
    if let Some(token) = &hub.token
        && request.authorization.as_deref() != Some(&format!("Bearer {token}"))
    {
        return status(401, vec![("X-Error-Code", "RepoNotFound".into())]);
    }
    if let Some(rest) = request.path.strip_prefix("/api/models/") {
        return listing(hub, rest);
    }
    if let Some(name) = request.path.strip_prefix(&format!("/api/resolve-cache/{}/{COMMIT}/", hub.repo)) {
        let Some(bytes) = hub.find(name) else { return status(404, vec![]) };
        let headers = vec![("ETag", format!("\"{}\"", small_etag(bytes))), ("X-Repo-Commit", COMMIT.into())];
        return Reply { status: 200, headers, body: bytes.clone() };
    }
    let Some(name) = request.path.strip_prefix(&format!("/{}/resolve/{COMMIT}/", hub.repo)) else {
        return status(404, vec![("X-Error-Code", "RepoNotFound".into())]);
    };
    let Some(bytes) = hub.find(name) else { return status(404, vec![("X-Error-Code", "EntryNotFound".into())]) };
    if !is_large(name) {
        return status(307, vec![("Location", format!("/api/resolve-cache/{}/{COMMIT}/{name}", hub.repo))]);
    }
    let etag = sha256(bytes);
    status(
        302,
        vec![
            ("Location", format!("http://localhost:{port}/cdn/{etag}")),
            ("X-Linked-ETag", format!("\"{etag}\"")),
            ("X-Linked-Size", bytes.len().to_string()),
            ("X-Repo-Commit", COMMIT.into()),
            // the length of the redirect itself, which is not the file's
            ("Content-Length", "0".into()),
        ],
    )
}

fn listing(hub: &Hub, rest: &str) -> Reply {
    let error = |code: &str| status(404, vec![("X-Error-Code", code.into())]);
    let Some(rest) = rest.strip_prefix(&hub.repo) else { return error("RepoNotFound") };
    if !matches!(rest.strip_prefix("/revision/"), None | Some("main" | "v1" | "refs%2Fpr%2F1" | COMMIT)) {
        return error("RevisionNotFound");
    }
    let siblings: Vec<_> = hub.files.iter().map(|(name, _)| serde_json::json!({ "rfilename": name })).collect();
    let body = serde_json::json!({ "id": hub.repo, "sha": COMMIT, "siblings": siblings }).to_string().into_bytes();
    Reply { status: 200, headers: vec![("Content-Type", "application/json".into())], body }
}

fn large_body(hub: &Hub, etag: &str, request: &Request) -> Reply {
    let Some((_, bytes)) = hub.files.iter().find(|(_, bytes)| sha256(bytes) == etag) else {
        return status(404, vec![]);
    };
    let mut bytes = bytes.clone();
    if hub.lies {
        *bytes.last_mut().unwrap() ^= 1;
    }
    let total = bytes.len();
    let from = request.range.as_deref().filter(|_| !hub.ignores_ranges);
    let from = from.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    match from {
        Some(from) if from >= total => status(416, vec![]),
        Some(from) => Reply {
            status: 206,
            headers: vec![("Content-Range", format!("bytes {from}-{}/{total}", total - 1))],
            body: bytes.split_off(from),
        },
        None => Reply { status: 200, headers: vec![], body: bytes },
    }
}
