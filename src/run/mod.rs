//! A run as a thing on disk and in this process: `store` (its folder), `log` (events to disk, then to whoever listens), `replay` (events
//! back from disk, a line at a time by `parse`), `control` (its socket), `worker` (the thread it lives on), `sampler` (what it holds in
//! memory, over time), `lines` (its events as readable lines), `post_mortem` (what a log says of a run that was killed), `reports` (what
//! was generated and scored).
//! `training` is the job of a training run: on a `stage` (settings, base, rows), with a `planner` (what it will need), and a `recovery` when
//! memory runs out; `after_training` has the test split scored, as `scoring` does it; `beside` is what it does for somebody else. The events themselves are in `event`.

pub mod after_training;
mod beside;
pub mod control;
pub mod lines;
pub mod log;
mod parse;
mod planner;
pub mod post_mortem;
pub mod recovery;
pub mod replay;
pub mod reports;
pub mod sampler;
pub mod scoring;
mod stage;
pub mod store;
pub mod training;
pub mod worker;

use std::path::Path;

use crate::event::RunHandle;

/// A handle to a run of any process: its events from the beginning of the log and then as they come, its commands through the socket.
/// The events end when the run is over, finished or dead.
/// # Errors
/// A folder that holds no run.
pub fn attach(run: &Path) -> Result<RunHandle, store::StoreError> {
    let follow = replay::Follow::open(run)?;
    Ok(RunHandle { events: follow.into_receiver(), commands: control::forward(run) })
}
