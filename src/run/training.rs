//! The job of a training run: model, data and adapter brought together on the run's own thread, then the loop. The loop is in `train`.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::store::{RunFolder, StoreError};
use super::worker::{Job, JobContext, JobError, Outcome};
use crate::config::{MemoryLimit, RunConfig, SchedulerType};
use crate::data::dataset::{Dataset, DatasetOptions};
use crate::event::{EventSink, RunEvent, RunStarted, SCHEMA, SplitRows, Stamped, Warning};
use crate::memory::probe;
use crate::model::adapter::{Adapter, AdapterError};
use crate::model::source::ModelFiles;
use crate::task;
use crate::train::checkpoint::{Checkpoints, Fill, SavedAt};
use crate::train::trainer::{TrainError, Trainer};

/// Longest list of skipped rows that is told one by one.
const TOLD_ROWS: usize = 20;

/// The job that trains with `config` on a model whose files are there. A new adapter starts from `init_adapter` where one is given; a
/// resumed run has its checkpoint instead.
pub fn job(config: RunConfig, files: ModelFiles, init_adapter: Option<PathBuf>) -> Job {
    Box::new(move |context| {
        let outcome = train(&config, &files, init_adapter.as_deref(), context);
        probe::give_back_freed();
        outcome
    })
}

fn input(e: impl std::fmt::Display) -> JobError {
    JobError::Input(e.to_string())
}

fn failed(e: impl std::fmt::Display) -> JobError {
    JobError::Failed(e.to_string())
}

fn train(
    config: &RunConfig,
    files: &ModelFiles,
    init_adapter: Option<&Path>,
    context: &mut JobContext,
) -> Result<Outcome, JobError> {
    let limit = match &config.memory.limit {
        MemoryLimit::Auto => probe::auto_limit_bytes(),
        MemoryLimit::Bytes { bytes, .. } => Some(*bytes),
    };
    if let Some(limit) = limit {
        context.memory.set_limit(limit);
    }
    let tokenizer = task::tokenizer(files).map_err(input)?;
    let now = Some(began(context.folder).unwrap_or_else(unix_ms) as i64 / 1000);
    let options = DatasetOptions { max_seq_length: config.data.max_seq_length, strict: config.data.strict, now };
    let open = |path: &Path, split: &str| Dataset::open(path, split, tokenizer.clone(), options).map_err(input);
    let train_rows = open(&config.data.train, "train")?;
    let eval_rows = config.data.eval.as_deref().map(|path| open(path, "eval")).transpose()?;
    let ledger = &context.memory.ledger;
    let how = (config.adapter.method, config.adapter.quantization, config.model.dtype);
    let decoder = task::decoder(files, how, ledger, &mut |_, _| {}).map_err(input)?;
    decoder.head.set_chunk(config.memory.head_chunk);
    let vocabulary = decoder.spec.shape.vocab_size;
    if tokenizer.vocab_size() > vocabulary {
        let (has, model) = (tokenizer.vocab_size(), files.description.clone());
        return Err(input(format!("{model}: the tokenizer has {has} tokens, the model only {vocabulary}")));
    }
    let resume = context.resume.clone();
    let checkpoint = resume.as_ref().and_then(|r| r.checkpoint.clone());
    let mut adapter = match checkpoint.as_deref().or(init_adapter) {
        Some(folder) => Adapter::load(&decoder, folder).map_err(input)?,
        None => Adapter::new(&decoder, &config.adapter, config.train.seed).map_err(failed)?,
    };
    fits(&adapter, config).map_err(input)?;
    adapter.set_dropout(config.adapter.lora_dropout);
    let rows = train_rows.stats();
    adapter.chat = Some(rows.chat_rows * 2 > rows.rows);
    let trainable_params = adapter.parameters();
    let mut trainer = Trainer::new(config, &decoder, adapter, &train_rows, eval_rows.as_ref()).map_err(failed)?;
    if let (Some(folder), Some(resume)) = (&checkpoint, &resume) {
        trainer.restore(folder, resume.best, resume.evaluated).map_err(input)?;
    }
    context.sink.emit(RunEvent::RunStarted(Box::new(RunStarted {
        schema: SCHEMA,
        run_id: context.folder.run_id(),
        started_unix_ms: unix_ms(),
        config: config.clone(),
        seed: config.train.seed,
        device: task::device_name(&decoder.device),
        model_name: decoder.spec.name.clone(),
        trainable_params,
        total_params: decoder.parameters() + trainable_params,
        planned_steps: trainer.planned_steps(),
        resumed_from: resume.as_ref().map(|r| r.step),
        rows: std::iter::once(&train_rows).chain(&eval_rows).map(split_rows).collect(),
    })));
    for split in std::iter::once(&train_rows).chain(&eval_rows) {
        tell_problems(split, context.sink);
    }
    if config.train.warmup_steps > 0 && config.train.lr_scheduler_type == SchedulerType::Constant {
        let detail = "train.warmup_steps has no effect: transformers' constant schedule has no warmup".to_owned();
        context.sink.emit(RunEvent::Warning(Warning { kind: "warmup_ignored".into(), detail }));
    }
    if config.bleu.run_after_training && config.data.test.is_none() {
        let detail = "bleu.run_after_training has nothing to score: there is no data.test".to_owned();
        context.sink.emit(RunEvent::Warning(Warning { kind: "no_test_split".into(), detail }));
    }
    let mut checkpoints = InFolder { folder: context.folder, keep: config.train.save_total_limit };
    let ended = trainer.run(context.sink, context.commands, &mut checkpoints).map_err(|e| match e {
        TrainError::Data(e) => input(e),
        e => failed(e),
    })?;
    Ok(Outcome { reason: ended.reason, steps: ended.steps, detail: None })
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// When the run's first segment began: templates that name the date give a resumed run the rows that it had.
fn began(folder: &RunFolder) -> Option<u64> {
    let mut first = String::new();
    std::io::BufReader::new(std::fs::File::open(folder.events()).ok()?).read_line(&mut first).ok()?;
    match serde_json::from_str::<Stamped>(&first).ok()?.event {
        RunEvent::RunStarted(started) => Some(started.started_unix_ms),
        _ => None,
    }
}

/// Whether an adapter that was read is the one that the configuration speaks of.
fn fits(adapter: &Adapter, config: &RunConfig) -> Result<(), String> {
    let wanted = &config.adapter;
    let names = |modules: &[crate::config::TargetModule]| {
        let mut names: Vec<_> = modules.iter().map(|m| m.name()).collect();
        names.sort_unstable();
        names.join(", ")
    };
    let (theirs, ours) = (names(&adapter.modules), names(&wanted.target_modules));
    if adapter.r != wanted.r {
        return Err(format!("the adapter to start from has r = {}, the configuration r = {}", adapter.r, wanted.r));
    }
    if adapter.lora_alpha != wanted.lora_alpha {
        let (a, b) = (adapter.lora_alpha, wanted.lora_alpha);
        return Err(format!("the adapter to start from has lora_alpha = {a}, the configuration lora_alpha = {b}"));
    }
    if theirs != ours {
        return Err(format!("the adapter to start from adapts {theirs}; the configuration {ours}"));
    }
    Ok(())
}

fn split_rows(split: &Dataset) -> SplitRows {
    let stats = split.stats();
    SplitRows {
        split: stats.split.clone(),
        rows: stats.rows,
        skipped: stats.skipped,
        cut: stats.cut,
        target_tokens: stats.target_tokens,
        tokens: stats.tokens,
    }
}

fn tell_problems(split: &Dataset, sink: &mut dyn EventSink) {
    let (stats, file) = (split.stats(), split.path().display());
    for problem in split.problems().iter().take(TOLD_ROWS) {
        let detail = format!("{file}:{}: {}", problem.line, problem.what);
        sink.emit(RunEvent::Warning(Warning { kind: "row_skipped".into(), detail }));
    }
    if stats.skipped > TOLD_ROWS as u64 {
        let detail = format!("{file}: {} rows were skipped, {TOLD_ROWS} of them are named", stats.skipped);
        sink.emit(RunEvent::Warning(Warning { kind: "rows_skipped".into(), detail }));
    }
    if stats.cut > 0 {
        let detail = format!("{file}: {} of {} rows were cut at data.max_seq_length", stats.cut, stats.rows);
        sink.emit(RunEvent::Warning(Warning { kind: "rows_cut".into(), detail }));
    }
}

/// Checkpoints in the run's own folder.
struct InFolder<'a> {
    folder: &'a RunFolder,
    keep: usize,
}

enum Failure {
    Store(StoreError),
    Fill(AdapterError),
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        Failure::Store(e)
    }
}

impl Checkpoints for InFolder<'_> {
    fn save(&mut self, step: u64, best: bool, fill: &mut Fill) -> Result<SavedAt, AdapterError> {
        let saved = self.folder.save_checkpoint(step, best, self.keep, |folder| fill(folder).map_err(Failure::Fill));
        match saved {
            Ok(saved) => Ok(SavedAt { path: saved.path, size_bytes: saved.size_bytes }),
            Err(Failure::Fill(e)) => Err(e),
            Err(Failure::Store(e)) => {
                Err(AdapterError::Content { file: self.folder.checkpoint_path(step), what: e.to_string() })
            }
        }
    }
}
