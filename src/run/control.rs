//! A run's socket: scripts and other screens say commands there, a JSON line each, and get a line back. Both ends are here.
//! What a command does is the business of the job that reads the channel; the lines are those of `event`.
//!
//! An answer comes when the command has taken effect: `pause` when nothing is computed any more, `save` when the checkpoint is on disk,
//! `eval` when the loss is known, `stop` when the run is over and its last line written, `bleu` when the report is made, `extract` with its
//! trace.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::after_training::SCORE_LATER;
use super::replay::{self, LogState};
use super::store::{self, StoreError};
use crate::config::settings::nearest_name;
use crate::disk;
use crate::event::{Command, CommandReply, CommandRequest, RunState};

const SOCKET: &str = "control.sock";
/// A command, with its line end.
pub const LONGEST_LINE: u64 = 64 << 10;
/// Of a line that is too long, so much is passed over until its client has read why.
const MOST_PASSED_OVER: u64 = 64 << 20;
/// A trace holds what was said and heard, several times over.
const LONGEST_ANSWER: u64 = 64 << 20;
/// Connections at a time; beyond, the one that was silent longest is closed.
const MOST_CLIENTS: usize = 32;
/// How long a client that does not read may hold up its own thread.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);
/// How long a client waits for the socket of a run that is only just beginning.
const START_PATIENCE: Duration = Duration::from_secs(2);
const COMMANDS: [&str; 9] = ["pause", "resume", "stop", "save", "eval", "apply_lever", "bleu", "extract", "cancel"];

/// Why a command got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}: no process runs this; `--resume` goes on with it")]
    NotRunning(PathBuf),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("the run's socket: {0}")]
    Socket(#[from] io::Error),
    #[error("the run answered something that is no reply: {0}")]
    Answer(String),
}

/// How a run ended, for those who still ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub steps: u64,
    /// The last checkpoint, relative to the run.
    pub path: Option<String>,
}

impl Ended {
    /// How a run ended after so many steps, as its folder shows.
    pub fn of(run: &Path, steps: u64) -> Self {
        Ended { steps, path: store::linked(run, "last").map(store::checkpoint_name) }
    }

    /// What a command is answered after the end: what it asked for holds (`stop`, `save`), or can no longer be done.
    fn reply(&self, command: &Command) -> CommandReply {
        let mut reply = CommandReply::done(RunState::Finished, self.steps);
        match command {
            Command::Stop => {}
            Command::Save if self.path.is_some() => reply.path = self.path.clone(),
            Command::Bleu => {
                reply.ok = false;
                reply.error = Some(format!("the run has finished at step {}; {SCORE_LATER}", self.steps));
            }
            _ => {
                reply.ok = false;
                reply.error = Some(format!("the run has finished at step {}", self.steps));
            }
        }
        reply
    }
}

/// The listening end. Dropping it answers who still waits, and takes the socket away.
pub struct Server {
    shared: Arc<Shared>,
    waker: UnixStream,
    thread: Option<JoinHandle<()>>,
    /// `control.sock`, and the socket that it links to where the path is too long.
    places: Vec<PathBuf>,
}

struct Shared {
    commands: Mutex<Sender<CommandRequest>>,
    ended: Mutex<Option<Ended>>,
    over: Condvar,
    closing: AtomicBool,
    clients: Mutex<Clients>,
}

#[derive(Default)]
struct Clients {
    next: u64,
    open: HashMap<u64, Client>,
}

struct Client {
    stream: UnixStream,
    /// When it last said something, and whether it waits for an answer.
    heard: Instant,
    waits: bool,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `control.sock` of a run whose lock this process holds; a socket that a dead process left is replaced.
    /// # Errors
    /// What the file system says; the run can go on without.
    pub fn start(run: &Path, commands: Sender<CommandRequest>) -> io::Result<Self> {
        let (listener, places) = listen(run)?;
        let (waker, woken) = UnixStream::pair()?;
        let shared = Arc::new(Shared {
            commands: Mutex::new(commands),
            ended: Mutex::new(None),
            over: Condvar::new(),
            closing: AtomicBool::new(false),
            clients: Mutex::new(Clients::default()),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("finetop-control".into()).spawn(move || {
            while wait_for_either(&listener, &woken) && !of_thread.closing.load(SeqCst) {
                if let Ok((stream, _)) = listener.accept() {
                    admit(&of_thread, stream);
                }
            }
        })?;
        Ok(Server { shared, waker, thread: Some(thread), places })
    }

    /// Says how the run ended to all that wait and all that ask from now on.
    pub fn ended(&self, ended: Ended) {
        lock(&self.shared.ended).get_or_insert(ended);
        self.shared.over.notify_all();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for place in &self.places {
            let _ = fs::remove_file(place);
        }
        self.ended(Ended { steps: 0, path: None });
        self.shared.closing.store(true, SeqCst);
        let _ = (&self.waker).write_all(b"x");
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let open: Vec<Client> = lock(&self.shared.clients).open.drain().map(|(_, client)| client).collect();
        for mut client in open {
            // Only its reading end: the answer that it waits for still goes out.
            let _ = client.stream.shutdown(Shutdown::Read);
            if let Some(thread) = client.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sleeps until somebody connects or the server is told to close; false when neither can be waited for.
fn wait_for_either(listener: &UnixListener, woken: &UnixStream) -> bool {
    let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut entries = [entry(listener.as_raw_fd()), entry(woken.as_raw_fd())];
    loop {
        // SAFETY: the array and its length belong together, both descriptors are open as long as their owners are borrowed.
        let ready = unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, -1) };
        if ready >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return ready > 0;
        }
    }
}

fn admit(shared: &Arc<Shared>, stream: UnixStream) {
    let _ = stream.set_write_timeout(Some(WRITE_PATIENCE));
    let (Ok(own), Ok(reading)) = (stream.try_clone(), stream.try_clone()) else { return };
    let mut clients = lock(&shared.clients);
    if clients.open.len() >= MOST_CLIENTS {
        let silent = clients.open.iter().filter(|(_, c)| !c.waits).min_by_key(|(_, c)| c.heard).map(|(id, _)| *id);
        match silent.and_then(|id| clients.open.remove(&id)) {
            Some(client) => {
                let _ = answer(
                    &client.stream,
                    &CommandReply::refused("too many clients: the one that was silent longest is closed"),
                );
                let _ = client.stream.shutdown(Shutdown::Both);
            }
            None => return drop(answer(&stream, &CommandReply::refused("too many clients wait already"))),
        }
    }
    let id = clients.next;
    clients.next += 1;
    let of_thread = Arc::clone(shared);
    let body = move || {
        converse(&of_thread, id, &stream, BufReader::new(reading));
        lock(&of_thread.clients).open.remove(&id);
    };
    if let Ok(thread) = std::thread::Builder::new().name("finetop-client".into()).spawn(body) {
        clients.open.insert(id, Client { stream: own, heard: Instant::now(), waits: false, thread: Some(thread) });
    }
}

/// One client, line by line, until it leaves.
fn converse(shared: &Shared, id: u64, stream: &UnixStream, mut reader: BufReader<UnixStream>) {
    let note = |waits| {
        if let Some(client) = lock(&shared.clients).open.get_mut(&id) {
            (client.waits, client.heard) = (waits, Instant::now());
        }
    };
    loop {
        let mut line = Vec::new();
        let Ok(read) = (&mut reader).take(LONGEST_LINE + 1).read_until(b'\n', &mut line) else { return };
        if read == 0 {
            return;
        }
        if line.len() as u64 > LONGEST_LINE {
            let _ = answer(stream, &CommandReply::refused(format!("a line is at most {LONGEST_LINE} bytes long")));
            // Who still writes would else hear of a broken pipe, and not why.
            let _ = io::copy(&mut reader.take(MOST_PASSED_OVER), &mut io::sink());
            return;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        note(true);
        let reply = match parse(&line) {
            Ok(command) => shared.carry_out(command),
            Err(refused) => CommandReply::refused(refused),
        };
        note(false);
        if answer(stream, &reply).is_err() {
            return;
        }
    }
}

fn answer(mut stream: &UnixStream, reply: &CommandReply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply).map_err(io::Error::other)?;
    line.push(b'\n');
    stream.write_all(&line)
}

fn parse(line: &[u8]) -> Result<Command, String> {
    let value: serde_json::Value = serde_json::from_slice(line).map_err(|e| format!("no valid JSON: {e}"))?;
    let Some(name) = value.get("command").and_then(|c| c.as_str()) else {
        return Err(r#"expected an object such as {"command":"save"}"#.into());
    };
    let known = COMMANDS.contains(&name);
    let unknown = match nearest_name(name, &COMMANDS) {
        Some(near) => format!("{name} is no command; did you mean {near}?"),
        None => format!("{name} is no command; expected one of {}", COMMANDS.join(", ")),
    };
    serde_json::from_value(value.clone()).map_err(|e| if known { format!("{name}: {e}") } else { unknown })
}

impl Shared {
    fn carry_out(&self, command: Command) -> CommandReply {
        let (reply, replied) = mpsc::channel();
        let request = CommandRequest { command: command.clone(), reply: Some(reply) };
        let patience = match lock(&self.commands).send(request) {
            // Let go of, or never read: the job is ending. Only a stop may rely on that.
            _ if command == Command::Stop => Duration::from_secs(3600),
            _ => START_PATIENCE,
        };
        loop {
            match replied.recv_timeout(Duration::from_millis(100)) {
                Ok(reply) => return reply,
                Err(RecvTimeoutError::Timeout) if lock(&self.ended).is_none() => {}
                Err(_) => break,
            }
        }
        let ended = lock(&self.ended);
        match self.over.wait_timeout_while(ended, patience, |e| e.is_none()).map(|(ended, _)| ended.clone()) {
            Ok(Some(ended)) => ended.reply(&command),
            _ => CommandReply::refused("the run gave no answer"),
        }
    }
}

/// A socket with mode 0600 at `control.sock`, or where that path is too long or no place for sockets, a link there to one in a private
/// folder. Also the places to clear away.
fn listen(run: &Path) -> io::Result<(UnixListener, Vec<PathBuf>)> {
    let place = run.join(SOCKET);
    if let Ok(listener) = bind_private(&place) {
        return Ok((listener, vec![place]));
    }
    let hash = Sha256::digest(run.as_os_str().as_bytes());
    let name: String = hash[..8].iter().map(|b| format!("{b:02x}")).collect();
    let real = runtime_folder()?.join(format!("finetop-{name}.sock"));
    let listener = bind_private(&real)?;
    disk::relink(&place, &real)?;
    Ok((listener, vec![place, real]))
}

/// Binds in a folder that only this user can enter, for a socket is open to all until its mode is set, and moves it to its place, over
/// whatever a dead process left there.
fn bind_private(place: &Path) -> io::Result<UnixListener> {
    SocketAddr::from_pathname(place)?;
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let folder = place.with_file_name(format!(".{}.part", name.trim_end_matches(".sock")));
    let _ = fs::remove_dir_all(&folder);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let inside = folder.join("s");
    let bound = UnixListener::bind(&inside).and_then(|listener| {
        fs::set_permissions(&inside, Permissions::from_mode(0o600))?;
        fs::rename(&inside, place)?;
        Ok(listener)
    });
    let _ = fs::remove_dir_all(&folder);
    bound
}

/// The user's own folder for sockets: `XDG_RUNTIME_DIR`, or `/tmp/finetop-<uid>`, and only if nobody else can write there.
fn runtime_folder() -> io::Result<PathBuf> {
    // SAFETY: getuid has no conditions and cannot fail.
    let uid = unsafe { libc::getuid() };
    let private = |folder: &Path| {
        let found = fs::symlink_metadata(folder);
        found.is_ok_and(|m| m.is_dir() && m.uid() == uid && m.permissions().mode() & 0o022 == 0)
    };
    if let Some(folder) = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)
        && folder.is_absolute()
        && private(&folder)
    {
        return Ok(folder);
    }
    let folder = PathBuf::from(format!("/tmp/finetop-{uid}"));
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ if private(&folder) => Ok(folder),
        _ => Err(io::Error::other(format!("{} belongs to somebody else", folder.display()))),
    }
}

fn connect(run: &Path) -> io::Result<UnixStream> {
    let place = run.join(SOCKET);
    if let Ok(real) = fs::read_link(&place) {
        return UnixStream::connect(real);
    }
    if SocketAddr::from_pathname(&place).is_ok() {
        return UnixStream::connect(&place);
    }
    // The server knows this folder by a shorter name.
    let folder = File::open(run)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()))
}

/// Says a command to the process that runs this run and waits for its answer; a run that has finished is answered for by its log.
/// # Errors
/// A folder that holds no run, a run that nobody runs, or no answer in time.
pub fn send(run: &Path, command: &Command, timeout: Option<Duration>) -> Result<CommandReply, ControlError> {
    store::must_be_run(run)?;
    let begun = Instant::now();
    let stream = loop {
        match connect(run) {
            Ok(stream) => break stream,
            Err(_) if !store::is_live(run) => return answer_for(run, command),
            Err(e) if begun.elapsed() > START_PATIENCE => return Err(e.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    stream.set_read_timeout(timeout)?;
    let mut line = serde_json::to_vec(command).map_err(io::Error::other)?;
    line.push(b'\n');
    let mut answer = Vec::new();
    let said = (&stream).write_all(&line);
    match said.and_then(|()| BufReader::new(&stream).take(LONGEST_ANSWER).read_until(b'\n', &mut answer)) {
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Err(ControlError::Timeout(timeout.unwrap_or_default()))
        }
        // The process went before it answered.
        Err(_) | Ok(0) => answer_for(run, command),
        Ok(_) => serde_json::from_slice(&answer).map_err(|e| ControlError::Answer(e.to_string())),
    }
}

fn answer_for(run: &Path, command: &Command) -> Result<CommandReply, ControlError> {
    match replay::read(run)?.state {
        LogState::Finished(finished) => Ok(Ended::of(run, finished.steps).reply(command)),
        _ => Err(ControlError::NotRunning(run.to_path_buf())),
    }
}

/// A channel whose commands go to the process that runs this run; each has a thread of its own, for a stop may be said twice.
pub fn forward(run: &Path) -> Sender<CommandRequest> {
    let (commands, requests) = mpsc::channel::<CommandRequest>();
    let run = run.to_path_buf();
    let body = move || {
        for CommandRequest { command, reply } in requests {
            let run = run.clone();
            let one = move || {
                let answer = send(&run, &command, None).unwrap_or_else(|e| CommandReply::refused(e.to_string()));
                reply.map(|r| r.send(answer))
            };
            // Without a thread the reply hangs up, which reads as no answer.
            let _ = std::thread::Builder::new().name("finetop-command".into()).spawn(one);
        }
    };
    let _ = std::thread::Builder::new().name("finetop-forward".into()).spawn(body);
    commands
}
