//! What `finetop eval` computes: the loss of a split, and its texts generated and scored into a report. What is typed is read in `eval`.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ValueEnum;
use serde::Serialize;

use super::engine::{failed, fetch, unopened, usage};
use super::{CliError, say};
use crate::config::RunConfig;
use crate::data::dataset::{Dataset, DatasetOptions, RowProblem};
use crate::data::tokenizer::Tokenizer;
use crate::eval::Score;
use crate::eval::report::{Report, Scored};
use crate::memory::ledger::Ledger;
use crate::model::adapter::Adapter;
use crate::model::decoder::Decoder;
use crate::model::device_memory;
use crate::model::source::ModelFiles;
use crate::run::after_training::{adapter_name, base_name, held};
use crate::run::reports;
use crate::run::scoring::{self, Model, Progress, Wanted, Word};
use crate::run::training::{TOLD_ROWS, limit_bytes};
use crate::task;
use crate::train::evaluate::{Most, SplitLoss, split_loss};
use crate::units::{format_duration, printable};

/// The adapter that a split is evaluated with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterChoice {
    /// `none`, `best`, `last`, or the folder as it was named.
    pub name: String,
    /// The folder, unless it is the base model alone.
    pub folder: Option<PathBuf>,
    /// The step of a run's checkpoint.
    pub step: Option<u64>,
}

/// A split to evaluate.
#[derive(Debug, Clone)]
pub struct EvalRequest {
    pub config: RunConfig,
    pub adapter: AdapterChoice,
    /// `eval` or `test`.
    pub split: &'static str,
    pub rows: PathBuf,
    pub metrics: Vec<Metric>,
    /// Where a report goes.
    pub reports: PathBuf,
    /// What the run's log says of this adapter's loss on the eval split.
    pub known_loss: Option<f64>,
    /// Generate anew what is there already.
    pub again: bool,
}

/// What a split is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// Nats per target token
    Loss,
    /// The rest generate: corpus BLEU as sacrebleu's
    Bleu,
    /// chrF2
    Chrf,
    /// Translation edit rate
    Ter,
}

/// What `finetop eval --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluated {
    pub schema: u32,
    pub split: String,
    pub adapter: String,
    pub step: Option<u64>,
    pub rows: u64,
    /// Lines of the split that are left out of all of these numbers.
    pub rows_skipped: Option<u64>,
    /// Nats per target token, where it was asked for; so are the next two.
    pub eval_loss: Option<f64>,
    pub target_tokens: Option<u64>,
    /// All positions that were computed for the loss.
    pub tokens: Option<u64>,
    pub duration_us: u64,
    /// Where something was generated.
    pub generated_tokens: Option<u64>,
    pub scores: Vec<Score>,
    pub report: Option<PathBuf>,
}

/// Rows whose loss is computed at once.
const EVAL_ROWS: usize = 8;

impl EvalRequest {
    fn scored(&self) -> Vec<Scored> {
        let of = |m: &Metric| match m {
            Metric::Loss => None,
            Metric::Bleu => Some(Scored::Bleu),
            Metric::Chrf => Some(Scored::Chrf),
            Metric::Ter => Some(Scored::Ter),
        };
        self.metrics.iter().filter_map(of).collect()
    }
}

/// Opens the model once and computes what was asked for; progress goes to standard error.
/// # Errors
/// A model, adapter or row file that cannot be read, or a device that fails.
pub fn evaluate(request: &EvalRequest) -> Result<Evaluated, CliError> {
    let config = &request.config;
    let files = fetch(&config.model.source)?;
    let tokenizer = task::tokenizer(&files).map_err(usage)?;
    let wants_loss = request.metrics.contains(&Metric::Loss);
    let options = DatasetOptions { max_seq_length: config.data.max_seq_length, strict: config.data.strict, now: None };
    let open = || Dataset::open(&request.rows, request.split, tokenizer.clone(), options).map_err(usage);
    let rows = wants_loss.then(open).transpose()?;
    let mut rows_skipped = rows.as_ref().map(|rows| rows.stats().skipped);
    if let Some(rows) = rows.as_ref().filter(|rows| rows.stats().skipped > 0) {
        say_skipped(&request.rows, rows.stats().skipped, rows.problems());
    }
    let ledger = Ledger::default();
    if let Some(limit) = limit_bytes(config) {
        device_memory::bound(&ledger, limit, !task::device().map_err(unopened)?.is_cpu());
    }
    let how = (config.adapter.method, config.adapter.quantization, config.model.dtype);
    let decoder = task::decoder(&files, how, &ledger, &mut |_, _| {}).map_err(unopened)?;
    decoder.head.set_chunk(config.memory.head_chunk);
    let adapter = task::adapter(&decoder, request.adapter.folder.as_deref()).map_err(unopened)?;
    let started = Instant::now();
    let loss = rows.map(|rows| loss(&decoder, adapter.as_ref(), &rows, request.split)).transpose()?;
    let report = match request.scored().is_empty() {
        true => None,
        false => {
            let model = Opened { files: &files, decoder: &decoder, adapter: adapter.as_ref(), tokenizer: &tokenizer };
            Some(report(request, &model, loss.map(|(l, _)| l))?)
        }
    };
    rows_skipped = report.as_ref().map_or(rows_skipped, |r| r.rows_skipped);
    let (rows, known) = (report.as_ref().map(|r| r.rows.len() as u64), loss.map(|(_, rows)| rows));
    Ok(Evaluated {
        schema: 1,
        split: request.split.to_owned(),
        adapter: request.adapter.name.clone(),
        step: request.adapter.step,
        rows: rows.or(known).unwrap_or_default(),
        rows_skipped,
        eval_loss: loss.map(|(l, _)| l.per_token()),
        target_tokens: loss.map(|(l, _)| l.target_tokens),
        tokens: loss.map(|(l, _)| l.tokens),
        duration_us: started.elapsed().as_micros() as u64,
        generated_tokens: report.as_ref().map(|r| r.tokens),
        report: report.as_ref().map(|r| reports::path(&request.reports, &r.name)),
        scores: report.map(|r| asked(r.scores, &request.scored())).unwrap_or_default(),
    })
}

/// Which lines are left out, the first ones by their place, and how many there are.
fn say_skipped(file: &Path, skipped: u64, problems: &[RowProblem]) {
    let file = printable(&file.display().to_string());
    for problem in problems.iter().take(TOLD_ROWS) {
        say(format_args!("{file}:{}: {}", problem.line, printable(&problem.what)));
    }
    say(format_args!("{file}: {skipped} rows cannot be used and are left out"));
}

/// The scores that were asked for, in that order; a report may have more.
fn asked(scores: Vec<Score>, metrics: &[Scored]) -> Vec<Score> {
    metrics.iter().filter_map(|metric| scores.iter().find(|s| s.name == metric.name()).cloned()).collect()
}

/// The loss of a split, and its rows.
fn loss(
    decoder: &Decoder,
    adapter: Option<&Adapter>,
    rows: &Dataset,
    split: &str,
) -> Result<(SplitLoss, u64), CliError> {
    let most = Most::of(rows, EVAL_ROWS);
    let loss = split_loss(decoder, adapter, rows, most, |_| true).map_err(failed)?.unwrap_or_default();
    if !loss.per_token().is_finite() {
        return Err(CliError::Failed(format!("the loss over {split} is {}", loss.per_token())));
    }
    Ok((loss, rows.len() as u64))
}

/// A model that was opened, and its files.
struct Opened<'a> {
    files: &'a ModelFiles,
    decoder: &'a Decoder,
    adapter: Option<&'a Adapter>,
    tokenizer: &'a Tokenizer,
}

fn report(request: &EvalRequest, model: &Opened, loss: Option<SplitLoss>) -> Result<Report, CliError> {
    let config = &request.config;
    let Opened { decoder, adapter, tokenizer, .. } = *model;
    let name = match &request.adapter.folder {
        Some(folder) => adapter_name(&request.adapter.name, request.adapter.step, folder).map_err(usage)?,
        None => base_name(),
    };
    let chat = adapter.and_then(|a| a.chat).unwrap_or(false);
    let here = loss.filter(|_| request.split == "eval").map(|l| l.per_token());
    let wanted = Wanted {
        folder: request.reports.clone(),
        weights: scoring::weights(config, model.files).map_err(failed)?,
        adapter: name,
        split: request.split.into(),
        rows: request.rows.clone(),
        strict: config.data.strict,
        decoding: scoring::decoding(&config.bleu, chat),
        batch: config.bleu.per_device_eval_batch_size,
        metrics: request.scored(),
        eval_loss: here.or(request.known_loss),
        again: request.again,
    };
    let model = Model { decoder, adapter, tokenizer, source: &config.model.source };
    let mut meter = Meter::default();
    let made = scoring::report(model, &wanted, &held, &mut |word| {
        match word {
            Word::Skipped(split) => say_skipped(&wanted.rows, split.skipped, &split.problems),
            Word::Progress(progress) => meter.tell(progress),
        }
        ControlFlow::Continue(())
    });
    drop(meter);
    match made {
        Ok(Some(report)) => Ok(report),
        Ok(None) => Err(CliError::Failed("the generation was stopped".into())),
        Err(e) if e.is_input() => Err(usage(e)),
        Err(e) => Err(failed(e)),
    }
}

/// Progress as a line that is written over on a terminal, and elsewhere as a line every ten seconds.
#[derive(Default)]
struct Meter {
    last: Option<Instant>,
    open: bool,
}

impl Meter {
    fn tell(&mut self, at: &Progress) {
        let terminal = io::stderr().is_terminal();
        if !terminal && self.last.is_some_and(|t| t.elapsed().as_secs() < 10) {
            return;
        }
        self.last = Some(Instant::now());
        let seconds = at.elapsed.as_secs_f64();
        let left = seconds / (at.rows.max(1)) as f64 * at.rows_total.saturating_sub(at.rows) as f64;
        let eta = if at.rows > 0 { format!(", ETA {}", format_duration(left)) } else { String::new() };
        let bleu = at.partial_bleu.map(|b| format!(", BLEU so far {b:.1}")).unwrap_or_default();
        let speed = at.tokens as f64 / seconds.max(1e-9);
        let name = printable(&at.name);
        let line = format!("{name}: {} of {} rows, {speed:.0} tok/s{bleu}{eta}", at.rows, at.rows_total);
        if terminal {
            let _ = write!(io::stderr(), "\r\u{1b}[K{line}");
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
