//! The command line: arguments as they are typed, and which command they mean. Each command resolves its own and carries it out in a file
//! of its name; what needs model and data is in `engine`, signals are in `signals`.
//!
//! Results go to standard output, everything else to standard error. Exit 0: done; 1: the work failed; 2: wrong use or input.

mod bleu;
mod ctl;
pub mod discover;
pub mod engine;
mod eval;
mod evaluate;
pub(crate) mod extract;
mod generate;
mod ground;
mod plan;
mod repair;
pub mod screen;
pub mod signals;
mod train;
mod watch;
mod writing;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::parse::ConfigError;
use crate::run::control::ControlError;
use crate::run::store::{self, StoreError};
use crate::run::worker::JobError;
use crate::units::printable;

/// htop for fine-tuning: LoRA and QLoRA training, memory and BLEU in one terminal program.
///
/// Without a command: the demo run, as a screen, or as plain lines where there is no terminal.
#[derive(Debug, Parser)]
#[command(name = "finetop", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Raw>,
    /// Plain lines instead of the screen
    #[arg(long)]
    headless: bool,
}

#[derive(Debug, Subcommand)]
enum Raw {
    /// Fine-tune as a configuration file says
    Train(train::TrainArguments),
    /// Look at a run, live or finished
    Watch {
        /// The run's folder, or its name under ./runs
        run: PathBuf,
        /// Plain lines instead of the screen
        #[arg(long)]
        headless: bool,
    },
    /// Command a run from a script; the answer is a JSON line
    Ctl(ctl::CtlArguments),
    /// The memory that a run will need, and whether it fits
    Plan(plan::PlanArguments),
    /// The loss of a split, of the base model or with an adapter
    Eval(eval::EvalArguments),
    /// Scores of files, as sacrebleu's: BLEU, chrF, TER
    Bleu(bleu::BleuArguments),
    /// Text to a typed value by a model, every attempt in view
    Extract(extract::ExtractArguments),
    /// Plain text out of a model
    Generate(generate::GenerateArguments),
    /// A typed value out of what a model said, without a model
    Repair(repair::RepairArguments),
}

/// Settings on the command line.
#[derive(Debug, Args)]
struct Overrides {
    /// Replace a setting of the file, as in train.learning_rate=1e-3; paths are relative to the file
    #[arg(long = "set", value_name = "K=V")]
    set: Vec<String>,
}

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Exit 2.
    #[error("{0}")]
    Usage(String),
    /// Exit 1.
    #[error("{0}")]
    Failed(String),
    /// The reason was told already; the exit code.
    #[error("failed")]
    Told(u8),
}

impl From<ConfigError> for CliError {
    fn from(e: ConfigError) -> Self {
        CliError::Usage(e.to_string())
    }
}

impl From<StoreError> for CliError {
    fn from(e: StoreError) -> Self {
        if e.is_wrong_use() { CliError::Usage(e.to_string()) } else { CliError::Failed(e.to_string()) }
    }
}

impl From<ControlError> for CliError {
    fn from(e: ControlError) -> Self {
        match e {
            ControlError::Store(e) => e.into(),
            e => CliError::Failed(e.to_string()),
        }
    }
}

impl From<JobError> for CliError {
    fn from(e: JobError) -> Self {
        match e {
            JobError::Input(what) => CliError::Usage(what),
            JobError::Failed(what) | JobError::OutOfMemory(what) => CliError::Failed(what),
        }
    }
}

/// Reads the arguments and carries the command out.
pub fn main() -> ExitCode {
    let done = match Arguments::parse() {
        Arguments { command: None, headless } => train::demo(headless),
        Arguments { command: Some(Raw::Train(arguments)), .. } => train::train(arguments),
        Arguments { command: Some(Raw::Watch { run, headless }), .. } => {
            let run = run_folder(run);
            if !headless && train::on_terminal() { screen::watch(&run) } else { watch::watch(&run) }
        }
        Arguments { command: Some(Raw::Ctl(arguments)), .. } => ctl::ctl(&run_folder(arguments.run.clone()), arguments),
        Arguments { command: Some(Raw::Plan(arguments)), .. } => plan::command(arguments),
        Arguments { command: Some(Raw::Eval(arguments)), .. } => eval::eval(arguments),
        Arguments { command: Some(Raw::Bleu(arguments)), .. } => bleu::bleu(arguments),
        Arguments { command: Some(Raw::Generate(arguments)), .. } => generate::generate(arguments),
        Arguments { command: Some(Raw::Extract(arguments)), .. } => extract::extract(arguments),
        Arguments { command: Some(Raw::Repair(arguments)), .. } => repair::repair(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let code = match e {
                CliError::Usage(_) => 2,
                CliError::Failed(_) => 1,
                CliError::Told(code) => return ExitCode::from(code),
            };
            e.to_string().lines().for_each(|line| say(printable(line)));
            ExitCode::from(code)
        }
    }
}

/// A line for people. A terminal that is gone is not missed.
fn say(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A line of results; false when nobody reads them any more.
/// # Errors
/// A standard output that takes nothing for another reason, such as a full disk.
fn result(line: impl Display) -> Result<bool, CliError> {
    written(&format!("{line}\n"))
}

/// A path as a result: as it is for a script, and safe for a terminal.
/// # Errors
/// As [`result`].
fn result_path(path: &Path) -> Result<bool, CliError> {
    let path = path.display();
    if io::stdout().is_terminal() { result(printable(&path.to_string())) } else { result(path) }
}

/// Text of results, as it is.
/// # Errors
/// As [`result`].
fn written(text: &str) -> Result<bool, CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(CliError::Failed(format!("standard output: {e}"))),
    }
}

/// A run by its folder, or by its name under `runs`.
fn run_folder(named: PathBuf) -> PathBuf {
    let under_runs = Path::new("runs").join(&named);
    if !named.exists() && named.components().count() == 1 && store::is_run(&under_runs) { under_runs } else { named }
}
