//! Where a model's files are, without fetching any: for a page that says what is missing before a run starts. Nothing is hashed
//! here; `resolve` checks what it takes.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::{Environment, Job, ModelFiles, Source, SourceError, Weights, folder, hub, wheel};

/// The longest that the hub may take for a word about sizes.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// On this machine: in the cache, or where the source says. The bytes of its weights.
    Here { bytes: u64 },
    /// To be fetched; how, in words: `through pip`.
    Missing { from: String, bytes: Option<u64> },
}

/// Looks for a model, with the process's own environment. The hub alone is asked, shortly, for the size of what it would give.
/// # Errors
/// A folder or file that holds no model; [`SourceError::Cancelled`] soon after `cancel` is set.
pub fn locate(source: &Source, cancel: &AtomicBool) -> Result<Location, SourceError> {
    locate_in(&Environment::from_process()?, source, cancel)
}

/// As [`locate`], in an environment of the caller's making.
/// # Errors
/// As [`locate`].
pub fn locate_in(environment: &Environment, source: &Source, cancel: &AtomicBool) -> Result<Location, SourceError> {
    match source {
        Source::Wheel { name, version } => Ok(match wheel::held_bytes(environment, name, version) {
            Some(bytes) => Location::Here { bytes },
            None => Location::Missing { from: "through pip".into(), bytes: wheel::known_bytes(name, version) },
        }),
        Source::Hub { repo, file, revision } => {
            let wanted = hub::Wanted { repo, file: file.as_deref(), revision: revision.as_deref() };
            if let Some(files) = hub::held(environment, &wanted) {
                return Ok(Location::Here { bytes: bytes(&files) });
            }
            let hurried = Environment {
                connect_limit: environment.connect_limit.min(CONNECT_LIMIT),
                silence_limit: environment.silence_limit.min(CONNECT_LIMIT),
                ..environment.clone()
            };
            let mut job = Job { environment: &hurried, progress: &mut |_| {}, cancel };
            let bytes = if environment.offline { None } else { hub::announced_bytes(&mut job, &wanted)? };
            Ok(Location::Missing { from: "from the hub".into(), bytes })
        }
        Source::Folder(path) => Ok(Location::Here { bytes: bytes(&folder::look(path, source.clone())?) }),
        Source::Gguf(path) => {
            let files = folder::gguf(path, source.clone(), path.display().to_string())?;
            Ok(Location::Here { bytes: bytes(&files) })
        }
    }
}

fn bytes(files: &ModelFiles) -> u64 {
    let paths = match &files.weights {
        Weights::Gguf(path) => std::slice::from_ref(path),
        Weights::Safetensors { files, .. } => files.as_slice(),
    };
    paths.iter().filter_map(|path| fs::metadata(path).ok()).map(|found| found.len()).sum()
}
