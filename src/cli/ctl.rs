//! `finetop ctl`: one command to a run, its answer as a JSON line. The socket is in `run::control`.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use super::{CliError, result};
use crate::event::Command;
use crate::memory::lever::Kind;
use crate::run::control;

/// The commands.
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
    /// Apply a lever, by its id, to a run that waits out of memory; answered when the run goes on with it
    #[value(name = "apply_lever", alias = "apply-lever")]
    ApplyLever,
}

/// A word with its argument as a command.
fn command(word: Word, id: Option<String>) -> Result<Command, CliError> {
    let command = match (word, id) {
        (Word::ApplyLever, Some(id)) => return Ok(Command::ApplyLever { id }),
        (Word::ApplyLever, None) => {
            let ids: Vec<&str> = Kind::ALL.iter().map(|k| k.id()).collect();
            return Err(CliError::Usage(format!("apply_lever: expected a lever's id, one of {}", ids.join(", "))));
        }
        (_, Some(id)) => return Err(CliError::Usage(format!("{id}: only apply_lever takes an argument"))),
        (Word::Pause, None) => Command::Pause,
        (Word::Resume, None) => Command::Resume,
        (Word::Stop, None) => Command::Stop,
        (Word::Save, None) => Command::Save,
        (Word::Eval, None) => Command::Eval,
    };
    Ok(command)
}

pub fn ctl(run: &Path, word: Word, id: Option<String>, timeout_seconds: Option<u64>) -> Result<(), CliError> {
    let command = command(word, id)?;
    let timeout = timeout_seconds.map(|s| Duration::from_secs(s.max(1)));
    let reply = control::send(run, &command, timeout)?;
    result(serde_json::to_string(&reply).map_err(|e| CliError::Failed(e.to_string()))?)?;
    match reply.error {
        _ if reply.ok => Ok(()),
        error => Err(CliError::Failed(error.unwrap_or_else(|| "refused without a reason".into()))),
    }
}
