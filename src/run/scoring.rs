//! A split generated, scored and written as a report, once: rows that are on disk are never generated again, whatever ended the process that
//! made them. Called at the end of a run, and by `finetop eval`. What a row comes to is in `task::score`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::reports::{self, Part, ReportError};
use crate::config::{BleuConfig, RunConfig};
use crate::data::dataset::{DatasetError, TestSplit};
use crate::data::tokenizer::Tokenizer;
use crate::eval::EvalError;
use crate::eval::report::{AdapterName, BaseWeights, Decoding, Header, Report, SCHEMA, Scored, Subject};
use crate::eval::{Metric, Stats, bleu::Bleu};
use crate::model::adapter::Adapter;
use crate::model::decoder::Decoder;
use crate::model::source::{ModelFiles, Weights};
use crate::task::score::{Heard, ScoreError, Scoring, generate_split, leave_out};

/// The least time between two words on progress.
const BETWEEN: Duration = Duration::from_secs(1);

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ScoringError {
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// A row of this file.
    #[error("{}: {source}", path.display())]
    Row { path: PathBuf, source: Box<ScoreError> },
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Eval(#[from] EvalError),
}

impl ScoringError {
    /// Whether another file or setting would do, rather than another machine.
    pub fn is_input(&self) -> bool {
        match self {
            ScoringError::Row { source, .. } => !matches!(**source, ScoreError::Engine(_)),
            ScoringError::Data(_) | ScoringError::Eval(_) => true,
            ScoringError::Report(e) => matches!(e, ReportError::Busy(_)),
        }
    }
}

/// What generates.
#[derive(Clone, Copy)]
pub struct Model<'a> {
    pub decoder: &'a Decoder,
    pub adapter: Option<&'a Adapter>,
    pub tokenizer: &'a Tokenizer,
    /// As `model.source`.
    pub source: &'a str,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where the report goes.
    pub folder: PathBuf,
    pub weights: BaseWeights,
    pub adapter: AdapterName,
    /// `eval` or `test`, and its file.
    pub split: String,
    pub rows: PathBuf,
    pub strict: bool,
    pub decoding: Decoding,
    /// Rows that are generated at once.
    pub batch: usize,
    pub metrics: Vec<Scored>,
    pub eval_loss: Option<f64>,
    /// Generate anew what is there already.
    pub again: bool,
}

/// How far a report is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub name: String,
    pub rows: u64,
    pub rows_total: u64,
    pub tokens: u64,
    pub elapsed: Duration,
    /// Of the rows that are there, longest prompts first: not the score of the split.
    pub partial_bleu: Option<f64>,
}

/// What whoever waits hears.
pub enum Word<'a> {
    /// Before the first row: the split has lines that are left out.
    Skipped(&'a TestSplit),
    Progress(&'a Progress),
}

/// The base as it is held: the model's files, and what the settings make of them.
/// # Errors
/// Files that cannot be read.
pub fn weights(config: &RunConfig, files: &ModelFiles) -> Result<BaseWeights, ReportError> {
    let parts = match &files.weights {
        Weights::Gguf(path) => std::slice::from_ref(path),
        Weights::Safetensors { files, .. } => files,
    };
    Ok(BaseWeights {
        method: config.adapter.method.name().into(),
        quantization: config.adapter.quantization.name().into(),
        dtype: config.model.dtype.name().into(),
        sampled_sha256: reports::sampled_sha256(parts.iter().map(PathBuf::as_path))?,
    })
}

/// How the settings say that texts are generated.
pub fn decoding(config: &BleuConfig, chat: bool) -> Decoding {
    Decoding {
        num_beams: config.num_beams as u64,
        length_penalty: config.length_penalty,
        no_repeat_ngram_size: config.no_repeat_ngram_size as u64,
        ..Decoding::greedy(config.max_new_tokens as u64, chat)
    }
}

/// The name of a checkpoint's or of the base's report: `step-000120-test`, `base-test`; of a folder, its own name.
fn name_of(wanted: &Wanted) -> String {
    let adapter = match (wanted.adapter.step, wanted.adapter.name.as_str()) {
        (Some(step), _) => format!("step-{step:06}"),
        (None, "none") => "base".to_owned(),
        (None, folder) => {
            let name = Path::new(folder).file_name().map_or("adapter".into(), |n| n.to_string_lossy());
            name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect()
        }
    };
    format!("{adapter}-{}", wanted.split)
}

/// The report of this subject under `folder`, or a name that is free for it.
fn place(wanted: &Wanted, subject: &Subject) -> (String, Option<Report>) {
    let first = name_of(wanted);
    for n in 1.. {
        let name = if n == 1 { first.clone() } else { format!("{first}-{n}") };
        match reports::read(&reports::path(&wanted.folder, &name)) {
            Ok(report) if report.subject.generates_as(subject) => return (name, Some(report)),
            Ok(_) => {}
            // One that cannot be read is somebody's all the same.
            Err(ReportError::Content { .. }) => {}
            Err(ReportError::File { .. } | ReportError::Busy(_)) => return (name, None),
        }
    }
    (first, None)
}

/// Makes a report, going on with what is on disk of it; `listen` hears of progress and may end it by `Break`: `None` then, and the next call
/// goes on. `held` says what the process or device holds.
/// # Errors
/// Rows that cannot be read or generated, files that cannot be written, whatever the engine says.
pub fn report(
    model: Model,
    wanted: &Wanted,
    held: &dyn Fn() -> Option<u64>,
    listen: &mut dyn FnMut(Word) -> ControlFlow<()>,
) -> Result<Option<Report>, ScoringError> {
    let mut split = crate::data::dataset::read_test_rows(&wanted.rows, wanted.strict)?;
    let subject = Subject {
        model: model.source.to_owned(),
        weights: Some(wanted.weights.clone()),
        adapter: wanted.adapter.clone(),
        split: wanted.split.clone(),
        split_sha256: reports::sha256(&wanted.rows)?,
        decoding: wanted.decoding.clone(),
    };
    let (name, there) = place(wanted, &subject);
    if let Some(mut report) = there.filter(|_| !wanted.again) {
        report.rescore_with_intervals(&wanted.metrics)?;
        report.eval_loss = wanted.eval_loss.or(report.eval_loss);
        reports::write(&wanted.folder, &report)?;
        return Ok(Some(report));
    }
    let row = |source| ScoringError::Row { path: wanted.rows.clone(), source: Box::new(source) };
    leave_out(model.decoder, model.tokenizer, wanted.decoding.chat, &mut split, wanted.strict).map_err(row)?;
    if split.skipped > 0 && listen(Word::Skipped(&split)).is_break() {
        return Ok(None);
    }
    let started_unix_ms = super::training::unix_ms();
    let header = Header { schema: SCHEMA, name, subject, rows_total: split.rows.len() as u64, started_unix_ms };
    let part = Part::open(&wanted.folder, header)?;
    let mut making = Making::new(part);
    let done = generate(model, wanted, &split, held, &mut making, listen)?;
    if !done {
        return Ok(None);
    }
    let Making { part, peak_bytes, .. } = making;
    let mut report = Report::of(&part.header, part.rows.clone());
    report.created_unix_ms = super::training::unix_ms();
    report.eval_loss = wanted.eval_loss;
    report.peak_bytes = peak_bytes;
    report.rows_skipped = Some(split.skipped);
    report.rescore_with_intervals(&wanted.metrics)?;
    part.finish(&wanted.folder, &report)?;
    Ok(Some(report))
}

/// A report on its way.
struct Making {
    part: Part,
    bleu: Bleu,
    sum: Stats,
    tokens: u64,
    elapsed_before: Duration,
    began: Instant,
    told: Option<Instant>,
    peak_bytes: Option<u64>,
}

impl Making {
    fn new(part: Part) -> Self {
        let (bleu, mut sum) = (Bleu::default(), Stats::default());
        for row in &part.rows {
            let references: Vec<&str> = row.references.iter().map(String::as_str).collect();
            sum += &bleu.row(&row.hypothesis, &references);
        }
        let tokens = part.rows.iter().map(|r| r.tokens).sum();
        let elapsed_before = Duration::from_millis(part.rows.iter().map(|r| r.elapsed_ms).max().unwrap_or(0));
        Making { part, bleu, sum, tokens, elapsed_before, began: Instant::now(), told: None, peak_bytes: None }
    }

    fn progress(&self) -> Progress {
        Progress {
            name: self.part.header.name.clone(),
            rows: self.part.rows.len() as u64,
            rows_total: self.part.header.rows_total,
            tokens: self.tokens,
            elapsed: self.elapsed_before + self.began.elapsed(),
            partial_bleu: (self.sum.rows > 0).then(|| self.bleu.score(&self.sum).score),
        }
    }
}

fn generate(
    model: Model,
    wanted: &Wanted,
    split: &TestSplit,
    held: &dyn Fn() -> Option<u64>,
    making: &mut Making,
    listen: &mut dyn FnMut(Word) -> ControlFlow<()>,
) -> Result<bool, ScoringError> {
    let scoring = Scoring {
        decoder: model.decoder,
        adapter: model.adapter,
        tokenizer: model.tokenizer,
        split,
        decoding: &wanted.decoding,
        batch: wanted.batch,
        done: making.part.rows.iter().map(|r| r.row).collect(),
        elapsed_before: making.elapsed_before,
    };
    let mut failed = None;
    let done = generate_split(&scoring, &mut |heard| {
        if let Heard::Row(row) = heard {
            let references: Vec<&str> = row.references.iter().map(String::as_str).collect();
            making.sum += &making.bleu.row(&row.hypothesis, &references);
            making.tokens += row.tokens;
            if let Err(e) = making.part.add(*row) {
                failed = Some(e);
                return ControlFlow::Break(());
            }
        }
        if making.told.is_some_and(|told| told.elapsed() < BETWEEN) {
            return ControlFlow::Continue(());
        }
        making.told = Some(Instant::now());
        making.peak_bytes = making.peak_bytes.max(held());
        listen(Word::Progress(&making.progress()))
    });
    match (failed, done) {
        (Some(e), _) => Err(e.into()),
        (None, Ok(done)) => Ok(done),
        (None, Err(e)) => Err(ScoringError::Row { path: wanted.rows.clone(), source: Box::new(e) }),
    }
}
