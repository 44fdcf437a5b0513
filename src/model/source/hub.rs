//! A repository of the hub: which of its files make the model, each fetched into the hub's cache, checked, and gone on
//! with after a cut. What goes over the wire is in `hub_client`, where files lie in `hub_cache`.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::thread;
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::cache::{self, BEAT, Beat, Lock, hex, make_parent};
use super::folder::{self, CHAT_TEMPLATE, CONFIG, Choice, INDEX, TOKENIZER, TOKENIZER_CONFIG};
use super::hub_cache::{Repository, is_commit, is_inside, is_sha256};
use super::hub_client::{Failure, HubClient, Part, Place};
use super::{Environment, Job, ModelFiles, Source, SourceError};
use crate::disk;
use crate::formats::safetensors::SafetensorsIndex;

/// The revision where none is asked for.
const MAIN: &str = "main";
/// A connection that fails this often without a single new byte is given up.
const TRIES: u32 = 4;

/// What of which repository.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub repo: &'a str,
    pub file: Option<&'a str>,
    pub revision: Option<&'a str>,
}

impl Wanted<'_> {
    fn source(&self) -> Source {
        let (file, revision) = (self.file.map(str::to_string), self.revision.map(str::to_string));
        Source::Hub { repo: self.repo.into(), file, revision }
    }

    /// A sentence about this source.
    fn hub(&self, problem: impl Into<String>) -> SourceError {
        SourceError::Hub { source_text: self.source().to_string(), problem: problem.into() }
    }

    fn failed(&self, failure: Failure) -> SourceError {
        let source_text = self.source().to_string();
        match failure {
            Failure::Unreachable(problem) => SourceError::Unreachable { source_text, problem },
            Failure::Refused(problem) => SourceError::Hub { source_text, problem },
        }
    }
}

/// The model of a repository: as the hub has it now, or from the cache where the hub is not asked or cannot be.
pub(super) fn resolve(job: &mut Job, wanted: &Wanted) -> Result<ModelFiles, SourceError> {
    let repository = Repository::new(&job.environment.hub_cache, wanted.repo);
    if job.environment.offline {
        let place = repository.folder();
        return cached(job, wanted, &repository)?.ok_or_else(|| {
            wanted.hub(format!(
                "HF_HUB_OFFLINE is set and {} does not hold it; unset it, or name a folder or a .gguf file",
                place.display()
            ))
        });
    }
    // a commit never changes: what is whole need not be asked for
    if wanted.revision.is_some_and(is_commit)
        && let Some(files) = cached(job, wanted, &repository).or_else(unless_cancelled)?
    {
        return Ok(files);
    }
    match fetch(job, wanted, &repository) {
        Err(SourceError::Unreachable { source_text, problem }) => {
            let files = cached(job, wanted, &repository).or_else(unless_cancelled)?;
            let described = |files: ModelFiles| {
                let description = format!("{} (the hub could not be asked: {problem})", files.description);
                ModelFiles { description, ..files }
            };
            files.map(described).ok_or(SourceError::Unreachable { source_text, problem })
        }
        done => done,
    }
}

fn unless_cancelled<T>(error: SourceError) -> Result<Option<T>, SourceError> {
    if matches!(error, SourceError::Cancelled) { Err(error) } else { Ok(None) }
}

/// What the cache holds of a model, whole and with the bytes that it was fetched with.
fn cached(job: &mut Job, wanted: &Wanted, repository: &Repository) -> Result<Option<ModelFiles>, SourceError> {
    let Some(commit) = repository.commit(wanted.revision.unwrap_or(MAIN)) else { return Ok(None) };
    let snapshot = repository.snapshot(&commit);
    if !wanted.file.map_or(snapshot.clone(), |file| snapshot.join(file)).exists() {
        return Ok(None);
    }
    let files = look(wanted, &snapshot, wanted.file, "from the cache", &commit)?;
    let weights = match &files.weights {
        super::Weights::Gguf(path) => vec![path.clone()],
        super::Weights::Safetensors { files, .. } => files.clone(),
    };
    for path in weights {
        if !repository.is_intact(job, &path)? {
            let problem = "its SHA-256 is no longer the one that it was fetched with; delete it".into();
            return Err(SourceError::NoModel { place: path.display().to_string(), problem });
        }
    }
    Ok(Some(files))
}

/// What the cache holds of a model, by the look of it: nothing is hashed.
pub(super) fn held(environment: &Environment, wanted: &Wanted) -> Option<ModelFiles> {
    let repository = Repository::new(&environment.hub_cache, wanted.repo);
    let commit = repository.commit(wanted.revision.unwrap_or(MAIN))?;
    look(wanted, &repository.snapshot(&commit), wanted.file, "from the cache", &commit).ok()
}

/// The bytes of the weights that the hub would give, where it says so at once.
pub(super) fn announced_bytes(job: &mut Job, wanted: &Wanted) -> Result<Option<u64>, SourceError> {
    let Ok(client) = HubClient::new(job.environment, wanted.repo) else { return Ok(None) };
    let Ok(listing) = client.list(job, wanted.revision)? else { return Ok(None) };
    let choice = match wanted.file {
        Some(file) => Ok(Choice::Gguf(file.into())),
        None => folder::choose(wanted.repo, &listing.files, str::to_owned),
    };
    let names: Vec<&str> = match &choice {
        Ok(Choice::Gguf(name) | Choice::Single(name)) => vec![name],
        // The index itself is not fetched for this: its files lie beside it.
        Ok(Choice::Index) => {
            let beside = |name: &&str| !name.contains('/') && name.ends_with(".safetensors");
            listing.files.iter().map(String::as_str).filter(beside).collect()
        }
        Err(_) => return Ok(None),
    };
    let mut sum = 0u64;
    for name in names {
        let Ok(place) = client.place(job, &listing.commit, name)? else { return Ok(None) };
        sum = sum.saturating_add(place.bytes);
    }
    Ok(Some(sum))
}

fn look(
    wanted: &Wanted,
    snapshot: &Path,
    gguf: Option<&str>,
    way: &str,
    commit: &str,
) -> Result<ModelFiles, SourceError> {
    let name = gguf.map(|file| format!("{file} of ")).unwrap_or_default();
    let description = format!("{name}{} at {}, {way}", wanted.repo, &commit[..commit.len().min(8)]);
    match gguf {
        Some(file) => folder::gguf(&snapshot.join(file), wanted.source(), description),
        None => Ok(ModelFiles { description, ..folder::look(snapshot, wanted.source())? }),
    }
}

/// A file of a repository as the hub describes it.
struct Item {
    file: String,
    place: Place,
}

/// Brings the model's files into the cache, those that are not there already.
fn fetch(job: &mut Job, wanted: &Wanted, repository: &Repository) -> Result<ModelFiles, SourceError> {
    let client = HubClient::new(job.environment, wanted.repo).map_err(|f| wanted.failed(f))?;
    let what = wanted.source().to_string();
    job.report(&what, 0, None);
    let listing = client.list(job, wanted.revision)?.map_err(|f| wanted.failed(f))?;
    let snapshot = repository.snapshot(&listing.commit);
    let mut download = Download { client, wanted, repository, commit: &listing.commit, what, done: 0, total: 0 };

    let choice = match wanted.file {
        Some(file) if listing.files.iter().any(|name| name == file) => Choice::Gguf(file.into()),
        Some(file) => return Err(wanted.hub(format!("the repository has no file {file}"))),
        None => {
            folder::choose(&wanted.source().to_string(), &listing.files, |name| format!("hf:{}/{name}", wanted.repo))?
        }
    };
    let first = if matches!(choice, Choice::Gguf(_)) { None } else { Some(CONFIG) };
    let small = first.into_iter().chain([TOKENIZER, TOKENIZER_CONFIG, CHAT_TEMPLATE]);
    let mut files: Vec<String> = small.filter(|s| listing.files.iter().any(|f| f == s)).map(str::to_string).collect();
    match &choice {
        Choice::Gguf(name) | Choice::Single(name) => files.push(name.clone()),
        Choice::Index => {
            download.all(job, &[INDEX.to_string()])?;
            let index = SafetensorsIndex::open(snapshot.join(INDEX))?;
            files.extend(index.file_names().into_iter().map(str::to_string));
        }
    }
    download.all(job, &files)?;
    repository.note_commit(wanted.revision.unwrap_or(MAIN), &listing.commit)?;
    let gguf = if let Choice::Gguf(name) = &choice { Some(name.as_str()) } else { None };
    look(wanted, &snapshot, gguf, "from the hub", &listing.commit)
}

/// The fetching of some files of one commit.
struct Download<'a> {
    client: HubClient,
    wanted: &'a Wanted<'a>,
    repository: &'a Repository,
    commit: &'a str,
    what: String,
    done: u64,
    total: u64,
}

impl Download<'_> {
    /// Brings all of `files` into the snapshot. The weights come last: where they are, the rest is too.
    fn all(&mut self, job: &mut Job, files: &[String]) -> Result<(), SourceError> {
        let mut items = Vec::new();
        for file in files {
            if !is_inside(file) {
                return Err(self.wanted.hub(format!("`{file}` is no name of a file within the repository")));
            }
            // large files carry their hash in their name: one that is whole needs no question
            let here = self.repository.snapshot(self.commit).join(file);
            if self.has_sha256(&here) && self.repository.is_intact(job, &here)? {
                continue;
            }
            let place = self.retry(job, |download, job| download.client.place(job, download.commit, file))?;
            items.push(Item { file: file.clone(), place });
        }
        self.done = 0;
        self.total = items.iter().map(|item| item.place.bytes).sum();
        for item in &items {
            self.one(job, item)?;
        }
        Ok(())
    }

    fn has_sha256(&self, link: &Path) -> bool {
        fs::canonicalize(link).is_ok_and(|blob| is_sha256(&cache::file_name(&blob)))
    }

    fn one(&mut self, job: &mut Job, item: &Item) -> Result<(), SourceError> {
        let Place { etag, bytes, .. } = &item.place;
        let blob = self.repository.blob(etag);
        make_parent(&blob)?;
        let _lock = Lock::acquire(job, &self.repository.lock(etag), &self.what)?;
        let same_length = fs::metadata(&blob).is_ok_and(|found| found.len() == *bytes);
        if !(same_length && self.repository.is_intact(job, &blob)?) {
            let start = self.done;
            self.bytes(job, item)?;
            self.done = start;
        }
        self.done += bytes;
        self.repository.link(self.commit, &item.file, etag)
    }

    /// Fetches the bytes of one file, going on from what is there; the lock of the file is held.
    fn bytes(&mut self, job: &mut Job, item: &Item) -> Result<(), SourceError> {
        let Place { etag, bytes, .. } = &item.place;
        let path = self.repository.incomplete(etag);
        let io = |e| SourceError::io(&path, e);
        let mut file = File::options().create(true).truncate(false).read(true).append(true).open(&path).map_err(io)?;
        // going on is safe only where a hash tells afterwards that both parts belong together
        let mut hasher = Sha256::new();
        let mut have = 0;
        if is_sha256(etag) && file.metadata().map_err(io)?.len() <= *bytes {
            have = hash_on(job, &mut file, &mut hasher).map_err(io)?;
        } else {
            file.set_len(0).map_err(io)?;
        }
        let start = self.done;
        let mut state = Partial { file, hasher, have };
        while state.have < *bytes {
            self.done = start + state.have;
            self.retry(job, |download, job| download.stretch(job, item, &mut state))?;
        }
        let sha256 = hex(&state.hasher.finalize());
        if is_sha256(etag) && sha256 != *etag {
            fs::remove_file(&path).map_err(io)?;
            let problem = format!("{}: its SHA-256 should be {etag} and is {sha256}; try again", item.file);
            return Err(self.wanted.hub(problem));
        }
        state.file.sync_all().map_err(io)?;
        let blob = self.repository.blob(etag);
        fs::rename(&path, &blob).map_err(io)?;
        disk::sync_folder(blob.parent().unwrap_or(Path::new("."))).map_err(io)?;
        if is_sha256(etag) {
            cache::remember(job, &blob, etag)?;
        }
        Ok(())
    }

    /// One request for the rest of a file, for as long as it lasts.
    fn stretch(&mut self, job: &mut Job, item: &Item, state: &mut Partial) -> Result<Result<(), Failure>, SourceError> {
        let path = self.repository.incomplete(&item.place.etag);
        let io = |e| SourceError::io(&path, e);
        let before = self.done - state.have;
        let mut beat = Beat::default();
        let body = self.client.body(&item.place, state.have);
        let what = format!("{}: {}", self.what, item.file);
        loop {
            match body.next(job)? {
                Some(Ok(Part::From(offset))) if offset == state.have => {}
                Some(Ok(Part::From(_))) => {
                    // a server that does not know ranges begins again, so do we
                    state.file.set_len(0).map_err(io)?;
                    state.hasher = Sha256::new();
                    state.have = 0;
                    self.done = before;
                }
                Some(Ok(Part::Bytes(bytes))) => {
                    if state.have + bytes.len() as u64 > item.place.bytes {
                        state.file.set_len(0).map_err(io)?;
                        let problem =
                            format!("{}: it is longer than the {} bytes announced", item.file, item.place.bytes);
                        return Ok(Err(Failure::Refused(problem)));
                    }
                    state.file.write_all(&bytes).map_err(io)?;
                    state.hasher.update(&bytes);
                    state.have += bytes.len() as u64;
                    self.done = before + state.have;
                    if beat.due() {
                        job.report(&what, self.done, Some(self.total));
                    }
                }
                Some(Err(failure)) => return Ok(Err(failure)),
                None if state.have == item.place.bytes => {
                    job.report(&what, self.done, Some(self.total));
                    return Ok(Ok(()));
                }
                None => {
                    let problem = format!("the connection ended after {} of {} bytes", state.have, item.place.bytes);
                    return Ok(Err(Failure::Unreachable(problem)));
                }
            }
        }
    }

    /// Does something again when the connection fails, as long as each try brings new bytes, else a few times.
    fn retry<T>(
        &mut self,
        job: &mut Job,
        mut attempt: impl FnMut(&mut Self, &mut Job) -> Result<Result<T, Failure>, SourceError>,
    ) -> Result<T, SourceError> {
        let (mut tries, mut reached) = (1, self.done);
        loop {
            match attempt(self, job)? {
                Ok(done) => return Ok(done),
                Err(Failure::Unreachable(problem)) => {
                    if self.done > reached {
                        (tries, reached) = (1, self.done);
                    }
                    if tries == TRIES {
                        let problem = format!("{problem}; what came is kept, so that another try goes on from there");
                        return Err(self.wanted.failed(Failure::Unreachable(problem)));
                    }
                    let wait = job.environment.retry_delay * 2u32.pow(tries - 1);
                    let what = format!("{}: {problem}; trying again", self.what);
                    job.report(&what, self.done, Some(self.total));
                    let until = Instant::now() + wait;
                    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|l| !l.is_zero()) {
                        job.check_cancelled()?;
                        thread::sleep(left.min(BEAT));
                    }
                    tries += 1;
                }
                Err(refused) => return Err(self.wanted.failed(refused)),
            }
        }
    }
}

/// A file that is being fetched: what is on disk, and the hash of it.
struct Partial {
    file: File,
    hasher: Sha256,
    have: u64,
}

/// Hashes a file from its start to its end; gives its length.
fn hash_on(job: &mut Job, file: &mut File, hasher: &mut Sha256) -> std::io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut have = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(have);
        }
        if job.check_cancelled().is_err() {
            return Err(ErrorKind::Interrupted.into());
        }
        hasher.update(&buffer[..n]);
        have += n as u64;
    }
}
