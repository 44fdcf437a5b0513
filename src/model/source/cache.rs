//! Which cached files were checked already, and the lock that keeps two processes from fetching the same thing.
//! A file's SHA-256 is computed once; as long as its length and time of change stay, it is not computed again.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Job, SourceError};
use crate::disk;

/// How often a waiting step looks around and a working one reports.
pub(super) const BEAT: Duration = Duration::from_millis(100);

/// What a file was when its hash was computed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    path: PathBuf,
    bytes: u64,
    modified_ns: i64,
}

impl Seen {
    fn now(path: &Path, found: &Metadata) -> Self {
        let modified_ns = found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec());
        Self { path: path.into(), bytes: found.len(), modified_ns }
    }
}

/// Whether the file at `path` has this SHA-256 (in hexadecimal). A file that is not there is not intact.
pub(super) fn is_intact(job: &mut Job, path: &Path, sha256: &str) -> Result<bool, SourceError> {
    let Ok(found) = fs::metadata(path) else { return Ok(false) };
    let seen = Seen::now(path, &found);
    let marker = marker(job, sha256);
    let before = fs::read(&marker).ok().and_then(|text| serde_json::from_slice(&text).ok());
    if before.as_ref() == Some(&seen) {
        return Ok(true);
    }
    if hash_file(job, path)? != sha256 {
        return Ok(false);
    }
    remember(job, path, sha256)?;
    Ok(true)
}

/// Notes that the file at `path` has this SHA-256, as just computed.
pub(super) fn remember(job: &Job, path: &Path, sha256: &str) -> Result<(), SourceError> {
    let found = fs::metadata(path).map_err(|e| SourceError::io(path, e))?;
    let marker = marker(job, sha256);
    let text = serde_json::to_vec(&Seen::now(path, &found)).map_err(|e| SourceError::io(&marker, e.into()))?;
    make_parent(&marker)?;
    disk::write_atomically(&marker, |w| w.write_all(&text)).map_err(|e| SourceError::io(&marker, e))
}

fn marker(job: &Job, sha256: &str) -> PathBuf {
    job.environment.cache.join("checked").join(format!("{sha256}.json"))
}

/// A file's SHA-256, in hexadecimal.
pub(super) fn hash_file(job: &mut Job, path: &Path) -> Result<String, SourceError> {
    let io = |e| SourceError::io(path, e);
    let mut file = File::open(path).map_err(io)?;
    let total = file.metadata().map_err(io)?.len();
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut beat = Beat::default();
    let mut done = 0;
    let what = format!("checking {}", file_name(path));
    loop {
        job.check_cancelled()?;
        let n = file.read(&mut buffer).map_err(io)?;
        if n == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..n]);
        done += n as u64;
        if beat.due() {
            job.report(&what, done, Some(total));
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub(super) fn make_parent(path: &Path) -> Result<(), SourceError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| SourceError::io(folder, e))
}

/// Says when the next report is due.
#[derive(Default)]
pub(super) struct Beat(Option<Instant>);

impl Beat {
    pub fn due(&mut self) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= BEAT);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}

/// An exclusive lock between processes, held until it is dropped or its process dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until this process alone holds the lock at `path`.
    /// # Errors
    /// A file that cannot be made or locked; cancelled while waiting.
    pub fn acquire(job: &mut Job, path: &Path, what: &str) -> Result<Self, SourceError> {
        make_parent(path)?;
        let file = File::options().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(|e| SourceError::io(path, e))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(SourceError::io(path, error)),
            }
            job.check_cancelled()?;
            job.report(&format!("waiting for another process that fetches {what}"), 0, None);
            thread::sleep(BEAT);
        }
    }
}
