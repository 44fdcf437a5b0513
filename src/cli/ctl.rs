//! `finetop ctl`: one command to a run, its answer as a JSON line. The socket is in `run::control`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::engine::{failed, usage};
use super::extract::{json, read, text};
use super::repair::read_schema;
use super::{CliError, result};
use crate::event::{Command, ExtractAsk};
use crate::memory::lever::Kind;
use crate::run::control::{self, LONGEST_LINE};

/// The commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
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
    /// Score the test split after the last step, whatever the settings say; answered with the report's path when it is made
    Bleu,
    /// Make a typed value of a text with the adapter as it is now, training waits meanwhile; answered with the trace
    Extract,
    /// End an extraction, or the scoring after the last step
    Cancel,
}

/// One command to a run.
#[derive(Debug, Args)]
pub struct CtlArguments {
    /// The run's folder, or its name under ./runs
    pub run: PathBuf,
    command: Word,
    /// Of apply_lever: which one, such as micro_batch; of extract: the text, or - for standard input
    argument: Option<String>,
    /// Give up waiting for the answer after so many seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    #[command(flatten)]
    extract: Extract,
}

/// How `extract` asks.
#[derive(Debug, Args)]
struct Extract {
    /// Of extract: the JSON Schema of the value; without it extract.schema of the run's configuration
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Of extract: the prompt, with {text} and {schema}; without it extract.prompt of the run's configuration
    #[arg(long, value_name = "FILE")]
    prompt: Option<PathBuf>,
    /// Of extract: ask the base, without the adapter
    #[arg(long)]
    base: bool,
    /// Of extract: decode under the schema's grammar
    #[arg(long)]
    constrained: bool,
    /// Of extract: calls after the first
    #[arg(long, value_name = "N")]
    max_retries: Option<u32>,
    /// Of extract: the longest answer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_new_tokens: Option<u32>,
}

impl Extract {
    fn is_given(&self) -> bool {
        self.schema.is_some()
            || self.prompt.is_some()
            || self.base
            || self.constrained
            || self.max_retries.is_some()
            || self.max_new_tokens.is_some()
    }

    fn ask(&self, text: String) -> Result<ExtractAsk, CliError> {
        let schema = self.schema.as_deref().map(read_schema).transpose()?;
        let prompt = self.prompt.as_deref().map(read).transpose()?;
        Ok(ExtractAsk {
            text,
            schema: schema.map(|schema| schema.document().clone()),
            prompt: prompt.map(|prompt| prompt.trim_end_matches(['\r', '\n']).to_owned()),
            base: self.base,
            constrained: self.constrained,
            max_retries: self.max_retries,
            max_new_tokens: self.max_new_tokens,
            ..ExtractAsk::default()
        })
    }
}

/// A word with its argument as a command.
fn command(word: Word, argument: Option<String>, extract: &Extract) -> Result<Command, CliError> {
    if word != Word::Extract && extract.is_given() {
        let options = "--schema, --prompt, --base, --constrained, --max-retries and --max-new-tokens";
        return Err(usage(format_args!("{options} are extract's")));
    }
    let command = match (word, argument) {
        (Word::Extract, argument) => {
            let ask = extract.ask(text(argument.as_deref())?)?;
            let text = ask.text.len();
            let command = Command::Extract(Box::new(ask));
            let bytes = serde_json::to_vec(&command).map_err(failed)?.len() as u64 + 1;
            if bytes > LONGEST_LINE {
                return Err(usage(format_args!(
                    "the text has {text} bytes; with schema and prompt a run takes {LONGEST_LINE}, this would be {bytes}"
                )));
            }
            return Ok(command);
        }
        (Word::ApplyLever, Some(id)) => return Ok(Command::ApplyLever { id }),
        (Word::ApplyLever, None) => {
            let ids: Vec<&str> = Kind::ALL.iter().map(|k| k.id()).collect();
            return Err(usage(format_args!("apply_lever: expected a lever's id, one of {}", ids.join(", "))));
        }
        (_, Some(id)) => return Err(usage(format_args!("{id}: only apply_lever and extract take an argument"))),
        (Word::Pause, None) => Command::Pause,
        (Word::Resume, None) => Command::Resume,
        (Word::Stop, None) => Command::Stop,
        (Word::Save, None) => Command::Save,
        (Word::Eval, None) => Command::Eval,
        (Word::Bleu, None) => Command::Bleu,
        (Word::Cancel, None) => Command::Cancel,
    };
    Ok(command)
}

/// # Errors
/// Wrong use (2); a run that refuses, or gives no answer in time, and an extraction without a value (1).
pub fn ctl(run: &Path, arguments: CtlArguments) -> Result<(), CliError> {
    let command = command(arguments.command, arguments.argument, &arguments.extract)?;
    let timeout = arguments.timeout.map(|s| Duration::from_secs(s.max(1)));
    let reply = control::send(run, &command, timeout)?;
    result(json(&reply)?)?;
    let has_no_value = reply.trace.as_ref().is_some_and(|trace| trace["ok"] == false);
    match reply.error {
        _ if reply.ok && has_no_value => Err(CliError::Told(1)),
        _ if reply.ok => Ok(()),
        error => Err(CliError::Failed(error.unwrap_or_else(|| "refused without a reason".into()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(word: Word, argument: Option<&str>, extract: &Extract) -> String {
        command(word, argument.map(str::to_owned), extract).unwrap_err().to_string()
    }

    #[test]
    fn a_text_that_is_longer_than_a_command_is_told_with_both_lengths() {
        let bare = Extract {
            schema: None,
            prompt: None,
            base: false,
            constrained: false,
            max_retries: None,
            max_new_tokens: None,
        };
        let told = refused(Word::Extract, Some(&"x".repeat(200_000)), &bare);
        assert!(told.starts_with("the text has 200000 bytes; ") && told.contains("takes 65536"), "{told}");
        assert!(command(Word::Extract, Some("x".repeat(60_000)), &bare).is_ok());
        let told = refused(Word::Pause, None, &Extract { base: true, ..bare });
        assert!(told.contains("--max-retries and --max-new-tokens are extract's"), "{told}");
    }
}
