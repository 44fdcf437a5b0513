//! What comes after the last step: the trainer's state is given up, the best adapter and the bare base generate the test split, and each gets a
//! report. A run that cannot be scored is trained all the same. How a report is made is in `scoring`.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::Path;

use super::planner::Planner;
use super::scoring::{self, Model, Progress, ScoringError, Wanted, Word};
use super::stage::Stage;
use super::store::{self, RunFolder};
use super::training::tell_skipped;
use super::{replay, reports};
use crate::config::RunConfig;
use crate::data::tokenizer::Tokenizer;
use crate::eval::report::{AdapterName, Scored};
use crate::event::{BleuDone, BleuProgress, Command, CommandReply, EventSink, RunEvent, RunState, Warning};
use crate::memory::plan::rows_generated_at_once;
use crate::memory::probe;
use crate::model::device_memory;
use crate::task;
use crate::train::orders::{Orders, answer};

/// The adapter that a run ends with: the best where the settings say so and there is one, else the last.
pub fn final_checkpoint(run: &Path, config: &RunConfig) -> Option<(&'static str, u64)> {
    let linked = |name: &'static str| store::linked(run, name).map(|step| (name, step));
    let best = if config.train.load_best_model_at_end { linked("best") } else { None };
    best.or_else(|| linked("last"))
}

/// The loss of a step's eval, as the log said it last.
pub fn eval_loss(run: &Path, step: u64) -> Option<f64> {
    let mut found = None;
    let _ = replay::each(run, |stamped| match &stamped.event {
        RunEvent::EvalDone(e) if e.step == step => found = Some(e.eval_loss),
        _ => {}
    });
    found
}

/// The loss of the base alone: the eval before training is of it, unless the run started from an adapter.
pub fn base_loss(run: &Path) -> Option<f64> {
    store::init_adapter(run).is_none().then(|| eval_loss(run, 0))?
}

/// The checkpoint's name and weights, as reports name them.
/// # Errors
/// Weights that cannot be read.
pub fn adapter_name(name: &str, step: Option<u64>, folder: &Path) -> Result<AdapterName, reports::ReportError> {
    let sha256 = Some(reports::sha256(&folder.join("adapter_model.safetensors"))?);
    Ok(AdapterName { name: name.into(), step, sha256 })
}

/// The base without an adapter.
pub fn base_name() -> AdapterName {
    AdapterName { name: "none".into(), step: None, sha256: None }
}

/// How a run is scored that was not scored at its end.
pub const SCORE_LATER: &str = "finetop eval RUN --split test --metrics bleu scores it";

/// Why the test split cannot be scored after training, where it cannot.
pub fn unscorable(config: &RunConfig) -> Option<String> {
    config.data.test.is_none().then(|| "this run has no data.test".to_owned())
}

/// Generates and scores the test split as the settings, or those who ordered it, say. What is to be told of its end, besides the events.
pub fn score_run(
    folder: &RunFolder,
    stage: Stage,
    tokenizer: &Tokenizer,
    steps: u64,
    orders: &mut Orders,
    planner: &mut Planner,
) -> Option<String> {
    let config = stage.config.clone();
    let rows = config.data.test.clone().filter(|_| config.bleu.run_after_training || orders.wants_scoring())?;
    let (name, step) = final_checkpoint(folder.path(), &config)?;
    let checkpoint = folder.checkpoint_path(step);
    probe::give_back_freed();
    device_memory::trim();
    let batch = rows_generated_at_once(&planner.subject, &config, planner.limit_bytes);
    orders.begin_scoring();
    let sink: &mut dyn EventSink = planner;
    let (chat, first) = (false, None);
    let mut after = After { folder, stage: &stage, tokenizer, rows: &rows, batch, steps, orders, sink, chat, first };
    let mut made = || -> Result<bool, ScoringError> {
        let named = adapter_name(name, Some(step), &checkpoint)?;
        let loaded = task::adapter(&stage.decoder, Some(&checkpoint));
        let Ok(Some(adapter)) = loaded else {
            let what = loaded.err().map(|e| e.to_string()).unwrap_or_default();
            return Err(reports::ReportError::Content { path: checkpoint.clone(), what }.into());
        };
        after.chat = adapter.chat.unwrap_or(false);
        if !after.report(Some(&adapter), named, eval_loss(folder.path(), step))? {
            return Ok(false);
        }
        drop(adapter);
        if !config.bleu.compare_base {
            return Ok(true);
        }
        after.report(None, base_name(), base_loss(folder.path()))
    };
    let go_on = "finetop eval RUN --split test --metrics bleu goes on with it";
    let (made, path) = (made(), after.first);
    let (reply, detail) = match made {
        Ok(true) => (CommandReply { path, ..CommandReply::done(RunState::Running, steps) }, None),
        Ok(false) => {
            let detail = format!("the scoring was stopped; {go_on}");
            (CommandReply::refused(detail.clone()), Some(detail))
        }
        Err(e) => {
            let detail = format!("the run is trained, but could not be scored: {e}; {go_on}");
            planner.emit(RunEvent::Warning(Warning { kind: "bleu_failed".into(), detail: detail.clone() }));
            (CommandReply::refused(detail), None)
        }
    };
    orders.scored(&reply);
    detail
}

struct After<'a, 'o> {
    folder: &'a RunFolder,
    stage: &'a Stage<'a>,
    tokenizer: &'a Tokenizer,
    rows: &'a Path,
    batch: usize,
    steps: u64,
    orders: &'a mut Orders<'o>,
    sink: &'a mut dyn EventSink,
    chat: bool,
    /// The path of the first report, relative to the run.
    first: Option<String>,
}

impl After<'_, '_> {
    /// Whether the report was made; not, when somebody said stop.
    fn report(
        &mut self,
        adapter: Option<&crate::model::adapter::Adapter>,
        name: AdapterName,
        eval_loss: Option<f64>,
    ) -> Result<bool, ScoringError> {
        let config = &self.stage.config;
        let wanted = Wanted {
            folder: self.folder.path().join(reports::FOLDER),
            weights: scoring::weights(config, self.stage.files)?,
            adapter: name,
            split: "test".into(),
            rows: self.rows.into(),
            strict: config.data.strict,
            decoding: scoring::decoding(&config.bleu, self.chat),
            batch: self.batch,
            metrics: vec![Scored::Bleu, Scored::Chrf],
            eval_loss,
            again: false,
        };
        let model =
            Model { decoder: &self.stage.decoder, adapter, tokenizer: self.tokenizer, source: &config.model.source };
        let last = Cell::new(None);
        let (orders, sink, steps) = (&mut *self.orders, &mut *self.sink, self.steps);
        let made = scoring::report(model, &wanted, &held, &mut |word: Word| {
            let progress = match word {
                Word::Progress(progress) => progress,
                // The base's rows are the adapter's: once is enough.
                Word::Skipped(split) => {
                    if adapter.is_some() {
                        tell_skipped(&wanted.rows, split.skipped, &split.problems, &mut *sink);
                    }
                    return ControlFlow::Continue(());
                }
            };
            look(orders, steps);
            if orders.ends_scoring() {
                return ControlFlow::Break(());
            }
            last.set(Some(progress.rows));
            sink.emit(RunEvent::BleuProgress(told(progress, &wanted)));
            ControlFlow::Continue(())
        })?;
        let Some(report) = made else { return Ok(false) };
        let Some(bleu) = report.bleu() else { return Ok(true) };
        let path = format!("{}/{}.json", reports::FOLDER, report.name);
        self.first.get_or_insert_with(|| path.clone());
        sink.emit(RunEvent::BleuDone(BleuDone {
            report: path,
            score: bleu.score,
            split: wanted.split,
            adapter: report.subject.adapter.name.clone(),
            step: report.subject.adapter.step,
            signature: Some(bleu.signature.clone()),
            ci: bleu.ci,
            rows: Some(report.rows.len() as u64),
        }));
        Ok(true)
    }
}

/// What the process holds, or on a device that.
pub fn held() -> Option<u64> {
    device_memory::held_bytes().or_else(probe::resident_bytes)
}

fn told(progress: &Progress, wanted: &Wanted) -> BleuProgress {
    BleuProgress {
        report: format!("{}/{}.json", reports::FOLDER, progress.name),
        split: wanted.split.clone(),
        adapter: wanted.adapter.name.clone(),
        rows: progress.rows,
        rows_total: progress.rows_total,
        tokens: progress.tokens,
        duration_us: progress.elapsed.as_micros() as u64,
        partial_score: progress.partial_bleu,
    }
}

/// Takes what was said: training is over, so that a save has nothing to do and an eval was made.
fn look(orders: &mut Orders, steps: u64) {
    orders.look(steps, None);
    for request in orders.waiting() {
        let reply = match request.command {
            Command::Save => CommandReply::done(RunState::Running, steps),
            _ => CommandReply {
                state: Some(RunState::Running),
                ..CommandReply::refused("training is over; its test split is being scored")
            },
        };
        answer(request, reply);
    }
}
