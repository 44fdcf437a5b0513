//! The hub's cache on disk, in the layout that its other clients share: `blobs/<etag>` with the bytes,
//! `snapshots/<commit>/<file>` with links to them, `refs/<revision>` with a commit. For files in large-file storage the
//! etag is their SHA-256.

use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use super::cache::make_parent;
use super::{Job, SourceError, cache};
use crate::disk;

/// A repository's folder in the cache.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    cache: PathBuf,
    name: String,
}

impl Repository {
    pub fn new(cache: &Path, repo: &str) -> Self {
        Self { cache: cache.into(), name: format!("models--{}", repo.replace('/', "--")) }
    }

    pub fn folder(&self) -> PathBuf {
        self.cache.join(&self.name)
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder().join("snapshots").join(commit)
    }

    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder().join("blobs").join(etag)
    }

    /// A download that is not whole yet; the next one goes on from it.
    pub fn incomplete(&self, etag: &str) -> PathBuf {
        self.folder().join("blobs").join(format!("{etag}.incomplete"))
    }

    pub fn lock(&self, etag: &str) -> PathBuf {
        self.cache.join(".locks").join(&self.name).join(format!("{etag}.lock"))
    }

    /// The commit that the cache knows for a revision.
    pub fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.into());
        }
        let text = fs::read_to_string(self.folder().join("refs").join(revision)).ok()?;
        Some(text.trim().to_string()).filter(|commit| is_commit(commit))
    }

    pub fn note_commit(&self, revision: &str, commit: &str) -> Result<(), SourceError> {
        if is_commit(revision) || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.folder().join("refs").join(revision);
        make_parent(&path)?;
        disk::write_atomically(&path, |w| w.write_all(commit.as_bytes())).map_err(|e| SourceError::io(&path, e))
    }

    /// Puts a blob under its name into a snapshot.
    pub fn link(&self, commit: &str, file: &str, etag: &str) -> Result<(), SourceError> {
        let link = self.snapshot(commit).join(file);
        make_parent(&link)?;
        let up = "../".repeat(file.split('/').count() + 1);
        let target = PathBuf::from(format!("{up}blobs/{etag}"));
        if fs::read_link(&link).is_ok_and(|now| now == target) {
            return Ok(());
        }
        disk::relink(&link, &target).map_err(|e| SourceError::io(&link, e))
    }

    /// Whether a file of a snapshot still has the bytes that its blob's name says; where the name is no SHA-256,
    /// whether it is there.
    pub fn is_intact(&self, job: &mut Job, path: &Path) -> Result<bool, SourceError> {
        let Ok(blob) = fs::canonicalize(path) else { return Ok(false) };
        let name = cache::file_name(&blob);
        if is_sha256(&name) { cache::is_intact(job, &blob, &name) } else { Ok(blob.is_file()) }
    }
}

pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a server's etag can be the name of a file.
pub(super) fn is_etag(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    plain && !text.starts_with('.') && (1..=200).contains(&text.len())
}

/// Whether a server's file name stays within its folder.
pub(super) fn is_inside(name: &str) -> bool {
    let parts_are_plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    parts_are_plain && !name.is_empty() && !name.contains(['\\', '\0'])
}
