//! The job of a training run: model, data and adapter brought together on the run's own thread, then the loop. The loop is in `train`.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::after_training::{SCORE_LATER, score_run, unscorable};
use super::beside;
use super::planner::Planner;
use super::recovery::{Interactive, Next, Recovery, explained, not_written, preferred, say, way_on};
use super::stage::{Change, Reader, Rows, Stage, of_engine, set_argument};
use super::store::{RunFolder, StoreError};
use super::worker::{Job, JobContext, JobError, Outcome, ResumePoint};
use crate::config::{OnOom, RunConfig, SchedulerType};
use crate::data::dataset::{Dataset, RowProblem};
use crate::event::{
    CommandReply, EventSink, ExtractAsk, FinishReason, Lever, OutOfMemory, RunEvent, RunStarted, RunState, SCHEMA,
    SplitRows, Stamped, Warning,
};
use crate::memory::ledger::Phase;
use crate::memory::plan::{Subject, held_bytes, levers};
use crate::memory::probe;
use crate::model::adapter::{Adapter, AdapterError};
use crate::model::device_memory;
use crate::model::source::ModelFiles;
use crate::task;
use crate::train::accumulate::Steps;
use crate::train::checkpoint::{Checkpoints, Fill, SavedAt};
use crate::train::orders::{Live, Orders, answer};
use crate::train::trainer::{Ended, Progress, TrainError, Trainer};
use crate::units::format_bytes;

/// Longest list of skipped rows that is told one by one.
pub const TOLD_ROWS: usize = 20;

/// The job that trains with `config` on a model whose files are there. A new adapter starts from `init_adapter` where one is given; a
/// resumed run has its checkpoint instead. While `interactive` holds, an out-of-memory may ask.
pub fn job(config: RunConfig, files: ModelFiles, init_adapter: Option<PathBuf>, interactive: Interactive) -> Job {
    Box::new(move |context| {
        let outcome = train(&config, &files, init_adapter.as_deref(), &interactive, context);
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
    interactive: &Interactive,
    context: &mut JobContext,
) -> Result<Outcome, JobError> {
    let ledger = &context.memory.ledger;
    ledger.set_phase(Phase::Load);
    let subject = task::plan::subject(files, config).map_err(|e| match e.is_out_of_memory() {
        true => failed(e),
        false => input(e),
    })?;
    refuse_generated_metrics(config, &subject)?;
    let limit = limit_bytes(config);
    if let Some(limit) = limit {
        context.memory.set_limit(limit);
        device_memory::bound(ledger, limit, subject.on_device);
        base_fits(&subject, config, device_memory::room_bytes().map_or(limit, |room| room.min(limit)))?;
    }
    if let Some(ask) = device_memory::open() {
        context.memory.set_device(ask);
    }
    let now = Some(began(context.folder).unwrap_or_else(unix_ms) as i64 / 1000);
    let reader = Reader::new(files, now)?;
    let rows = reader.rows(config)?;
    let tokenizer = reader.tokenizer.clone();
    let helps = |e| with_levers(e, &subject, config, limit);
    let mut stage = Stage::open(config, files, (reader, rows), ledger, init_adapter.is_some()).map_err(helps)?;
    // Adapter and moments are loaded, too.
    ledger.set_phase(Phase::Load);
    let resume = context.resume.clone();
    let mut progress = begin(&stage, resume.as_ref(), init_adapter).map_err(helps)?;
    let trainable_params = progress.adapter.parameters();
    let mut planner = Planner::new(context.sink, context.folder, ledger, subject, limit, config.clone());
    planner.emit(RunEvent::RunStarted(Box::new(RunStarted {
        schema: SCHEMA,
        run_id: context.folder.run_id(),
        started_unix_ms: unix_ms(),
        config: config.clone(),
        seed: config.train.seed,
        device: task::device_name(&stage.decoder.device),
        model_name: stage.decoder.spec.name.clone(),
        trainable_params,
        total_params: stage.decoder.parameters() + trainable_params,
        planned_steps: Steps::new(stage.rows.train.len(), &config.train).planned,
        resumed_from: resume.as_ref().map(|r| r.step),
        rows: stage.rows.splits().map(split_rows).collect(),
    })));
    tell_oddities(&stage, &mut planner);
    if let Some(found) = resume.and_then(|r| r.killed) {
        let told = explained(*found, &planner.subject, &stage.config);
        let recovers = stage.config.memory.on_oom == OnOom::Recover;
        let change = preferred(&told.levers)
            .filter(|_| recovers)
            .find_map(|l| stage.look(l, progress.step()).ok().map(|change| (l.id.clone(), change)));
        match change {
            Some((id, change)) => {
                (stage, progress) = applied(stage, change, progress, (&told, &id), context.folder, &mut planner)?;
            }
            None => say(&mut planner, &told, None),
        }
    }
    let mut checkpoints = InFolder { folder: context.folder, keep: config.train.save_total_limit };
    let (extracting, of_run) = (tokenizer.clone(), config.clone());
    let extract = move |asked: &ExtractAsk, live: Live, over: &mut dyn FnMut() -> bool| {
        let made = beside::extract(asked, live, &extracting, &of_run, over);
        give_back();
        made
    };
    let mut orders = Orders::new(context.commands, ledger, &extract, unscorable(config));
    let recovery = Recovery { folder: context.folder, interactive, memory: context.memory };
    planner.begin(&stage.config, standing(&planner.subject), stage.rows.longest(&stage.config));
    loop {
        let Rows { train, eval } = &stage.rows;
        let mut trainer = Trainer::new(&stage.config, &stage.decoder, train, eval.as_ref(), progress);
        let shortage = match trainer.run(&mut planner, &mut orders, &mut checkpoints) {
            Ok(Ended { reason, steps }) => {
                // Gradients and moments have no part in what comes now.
                drop(trainer);
                let completed = reason == FinishReason::Completed;
                let scored = || score_run(context.folder, stage, &tokenizer, steps, &mut orders, &mut planner);
                let detail = completed.then(scored).flatten();
                orders.scored(&CommandReply::refused(format!("training ended before its last step; {SCORE_LATER}")));
                return Ok(Outcome { reason, steps, detail });
            }
            Err(TrainError::OutOfMemory(shortage)) => shortage,
            Err(TrainError::Data(e)) => return Err(input(e)),
            Err(e) => return Err(failed(e)),
        };
        give_back();
        let next = recovery.decide(&shortage, &stage, &mut trainer, &mut planner, &mut orders, &mut checkpoints);
        if let Next::With { change, .. } = &next
            && change.reads_the_base()
            && !trainer.progress().is_saved()
        {
            // Nothing is lost, whatever comes of reading it.
            trainer.save(&mut planner, &mut checkpoints).map_err(failed)?;
        }
        progress = trainer.into_progress();
        let asked = match next {
            Next::End(outcome) => return outcome,
            Next::Again(asked) => asked,
            Next::With { change, told, id, asked } => {
                match applied(stage, *change, progress, (&told, &id), context.folder, &mut planner) {
                    Ok(as_it_is) => (stage, progress) = as_it_is,
                    Err(e) => {
                        if let Some(request) = asked {
                            answer(request, CommandReply::refused(e.to_string()));
                        }
                        return Err(e);
                    }
                }
                planner.begin(&stage.config, standing(&planner.subject), stage.rows.longest(&stage.config));
                asked
            }
        };
        if let Some(request) = asked {
            answer(request, CommandReply::done(RunState::Running, progress.step()));
        }
    }
}

/// Applies a lever, and says so when it is in force.
fn applied<'a>(
    stage: Stage<'a>,
    change: Change,
    progress: Progress,
    (told, id): (&OutOfMemory, &str),
    folder: &RunFolder,
    planner: &mut Planner,
) -> Result<(Stage<'a>, Progress), JobError> {
    let ledger = stage.decoder.ledger.clone();
    let steps = progress.step();
    match stage.apply(change, progress, &ledger) {
        Ok((stage, progress)) => {
            say(planner, told, Some(id));
            write_config(folder, &stage.config, planner);
            Ok((stage, progress))
        }
        Err(JobError::OutOfMemory(what)) => {
            let others: Vec<Lever> = told.levers.iter().filter(|l| l.id != id).cloned().collect();
            let what = format!("{id} could not be applied: {what}; {}", way_on(folder, &others, steps));
            Err(JobError::Failed(what))
        }
        Err(e) => Err(e),
    }
}

/// What the limit bounds, as it is now.
fn standing(subject: &Subject) -> Option<u64> {
    if subject.on_device { device_memory::held_bytes() } else { probe::resident_bytes() }
}

/// Gives back what was freed but is still held for the next who asks.
fn give_back() {
    probe::give_back_freed();
    device_memory::trim();
}

/// What the run may hold.
pub fn limit_bytes(config: &RunConfig) -> Option<u64> {
    config.memory.limit.or_room(device_memory::room_bytes())
}

/// Refuses a run whose base alone goes beyond the limit, before it is read.
fn base_fits(subject: &Subject, config: &RunConfig, limit: u64) -> Result<(), JobError> {
    let base: u64 = subject.weights.iter().map(|w| held_bytes(w, config, subject.on_device)).sum();
    if base.saturating_add(subject.before_bytes) <= limit {
        return Ok(());
    }
    Err(failed(format!(
        "the base's weights take {}, the process holds {} already, and there is room for {}; {}",
        format_bytes(base),
        format_bytes(subject.before_bytes),
        format_bytes(limit),
        what_helps(subject, config, Some(limit))
    )))
}

/// The levers that make it need less, as `--set` takes them: nothing has begun that `--lever` could go on with.
fn what_helps(subject: &Subject, config: &RunConfig, limit: Option<u64>) -> String {
    let told = |l: &Lever| {
        let set: Vec<String> = l.changes.iter().map(set_argument).collect();
        format!("{} (a peak of {})", set.join(" "), format_bytes(l.predicted_peak_bytes))
    };
    let levers = levers(subject, config, limit);
    let fit: Vec<String> = levers.iter().filter(|l| l.fits == Some(true)).map(told).collect();
    match (fit.is_empty(), levers.is_empty()) {
        (false, _) => format!("what makes it fit: {}", fit.join("; ")),
        (true, false) => {
            format!("no lever alone makes it fit: {}", levers.iter().map(told).collect::<Vec<_>>().join("; "))
        }
        (true, true) => "no lever makes it need less".into(),
    }
}

/// A run that did not fit before its first event, with what helps.
fn with_levers(e: JobError, subject: &Subject, config: &RunConfig, limit: Option<u64>) -> JobError {
    match e {
        JobError::OutOfMemory(what) => failed(format!("{what}; {}", what_helps(subject, config, limit))),
        e => e,
    }
}

/// Refuses a metric that would have to be generated inside training, with what it would have cost.
pub fn refuse_generated_metrics(config: &RunConfig, subject: &Subject) -> Result<(), JobError> {
    let train = &config.train;
    let setting = if train.predict_with_generate {
        "train.predict_with_generate = true".to_owned()
    } else if train.metric_for_best_model.is_generated() {
        format!("train.metric_for_best_model = \"{}\"", train.metric_for_best_model.name())
    } else {
        return Ok(());
    };
    let longest = subject.eval_rows.iter().map(|r| (r.tokens as usize).min(config.data.max_seq_length)).max();
    let (rows, tokens, vocabulary) = (subject.eval_rows.len(), longest.unwrap_or(0), subject.shape.vocab_size);
    let bytes = [tokens, vocabulary, 4].iter().fold(rows as u64, |all, &n| all.saturating_mul(n as u64));
    Err(input(format!(
        "{setting}: nothing is generated inside training; keeping the eval's logits for it would take {} \
         ({rows} rows x {tokens} tokens x {vocabulary} vocabulary x 4 bytes). \
         Scores come after training: bleu.run_after_training = true, or finetop eval RUN --metrics bleu",
        format_bytes(bytes)
    )))
}

/// Where training begins: a new adapter, one that was given, or a checkpoint.
fn begin(stage: &Stage, resume: Option<&ResumePoint>, init_adapter: Option<&Path>) -> Result<Progress, JobError> {
    let Stage { config, decoder, rows, .. } = stage;
    let new = || Adapter::new(decoder, &config.adapter, config.train.seed).map_err(of_engine);
    let mut checkpoint = resume.and_then(|r| r.checkpoint.as_deref());
    let mut adapter = match checkpoint.or(init_adapter) {
        Some(folder) => {
            let adapter = Adapter::load(decoder, folder).map_err(adapter_error)?;
            match fits(&adapter, config) {
                Ok(()) => adapter,
                // One that has learned nothing is made anew where a lever has changed its shape.
                Err(_) if checkpoint.is_some() && resume.is_some_and(|r| r.step == 0) => {
                    checkpoint = None;
                    new()?
                }
                Err(e) => return Err(input(e)),
            }
        }
        None => new()?,
    };
    adapter.set_dropout(config.adapter.lora_dropout);
    let stats = rows.train.stats();
    adapter.chat = Some(stats.chat_rows * 2 > stats.rows);
    let progress =
        Progress::new(adapter, config, &decoder.ledger).map_err(|e| of_engine(task::OpenError::Device(e)))?;
    let (Some(folder), Some(resume)) = (checkpoint, resume) else { return Ok(progress) };
    let mut trainer = Trainer::new(config, decoder, &rows.train, rows.eval.as_ref(), progress);
    trainer.restore(folder, resume.best, resume.evaluated).map_err(|e| match e {
        TrainError::Checkpoint(e) => adapter_error(e),
        e => input(e),
    })?;
    Ok(trainer.into_progress())
}

fn adapter_error(e: AdapterError) -> JobError {
    match of_engine(e) {
        JobError::Failed(what) => JobError::Input(what),
        e => e,
    }
}

/// The settings that a later `--resume` goes on with.
fn write_config(folder: &RunFolder, config: &RunConfig, sink: &mut dyn EventSink) {
    if let Err(e) = folder.write_config(config) {
        not_written(sink, &e);
    }
}

fn tell_oddities(stage: &Stage, sink: &mut dyn EventSink) {
    let config = &stage.config;
    for split in stage.rows.splits() {
        tell_problems(split, sink);
    }
    if config.train.warmup_steps > 0 && config.train.lr_scheduler_type == SchedulerType::Constant {
        let detail = "train.warmup_steps has no effect: transformers' constant schedule has no warmup".to_owned();
        sink.emit(RunEvent::Warning(Warning { kind: "warmup_ignored".into(), detail }));
    }
    if config.bleu.run_after_training && config.data.test.is_none() {
        let detail = "bleu.run_after_training has nothing to score: there is no data.test".to_owned();
        sink.emit(RunEvent::Warning(Warning { kind: "no_test_split".into(), detail }));
    }
}

pub(super) fn unix_ms() -> u64 {
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

/// Warns of the lines of a file that are left out: each of the first ones, and how many there are.
pub fn tell_skipped(file: &Path, skipped: u64, problems: &[RowProblem], sink: &mut dyn EventSink) {
    let file = file.display();
    for problem in problems.iter().take(TOLD_ROWS) {
        let detail = format!("{file}:{}: {}", problem.line, problem.what);
        sink.emit(RunEvent::Warning(Warning { kind: "row_skipped".into(), detail }));
    }
    if skipped > TOLD_ROWS as u64 {
        let detail = format!("{file}: {skipped} rows were skipped, {TOLD_ROWS} of them are named");
        sink.emit(RunEvent::Warning(Warning { kind: "rows_skipped".into(), detail }));
    }
}

fn tell_problems(split: &Dataset, sink: &mut dyn EventSink) {
    let (stats, file) = (split.stats(), split.path().display());
    tell_skipped(split.path(), stats.skipped, split.problems(), sink);
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
