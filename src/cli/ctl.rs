//! `finetop ctl`: one command to a run, its answer as a JSON line. The socket is in `run::control`.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use super::{CliError, result};
use crate::event::Command;
use crate::run::control;

/// The commands that need no argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Word {
    /// Stop computing after this micro-batch; answered when nothing is computed any more
    Pause,
    /// Go on
    Resume,
    /// End with a checkpoint at the end of the step, said twice without finishing the step; answered when the run is over
    Stop,
    /// Save a checkpoint at the end of the step; answered with its path
    Save,
    /// Compute the eval loss at the end of the step; answered when it is known
    Eval,
}

impl From<Word> for Command {
    fn from(word: Word) -> Self {
        match word {
            Word::Pause => Command::Pause,
            Word::Resume => Command::Resume,
            Word::Stop => Command::Stop,
            Word::Save => Command::Save,
            Word::Eval => Command::Eval,
        }
    }
}

pub fn ctl(run: &Path, word: Word, timeout_seconds: Option<u64>) -> Result<(), CliError> {
    let timeout = timeout_seconds.map(|s| Duration::from_secs(s.max(1)));
    let reply = control::send(run, &word.into(), timeout)?;
    result(serde_json::to_string(&reply).map_err(|e| CliError::Failed(e.to_string()))?)?;
    match reply.error {
        _ if reply.ok => Ok(()),
        error => Err(CliError::Failed(error.unwrap_or_else(|| "refused without a reason".into()))),
    }
}
