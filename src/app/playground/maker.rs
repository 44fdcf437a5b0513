//! One trial, or a file of rows: who answers is opened and asked, variant by variant, and what came of it is kept.

use std::cell::{Cell, RefCell};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::ZonedDateTime;

use super::trials;
use crate::cli;
use crate::config::{ComputeDtype, Method, Quantization};
use crate::data::tokenizer::Tokenizer;
use crate::event::{Command, CommandRequest, ExtractAsk};
use crate::extract::attempt::{Refusal, Stage, Totals, Trace};
use crate::extract::chain::{self, Reading};
use crate::extract::fix::{self, Ask, Told};
use crate::extract::many::{AT_ONCE, extract_all};
use crate::extract::provider::Provider;
use crate::extract::provider::openai::{Key, OpenAi, Settings as Server};
use crate::extract::report::{Row, RowResult, Summary, Unanswered};
use crate::extract::schema::Schema;
use crate::memory::ledger::Ledger;
use crate::model::decoder::Decoder;
use crate::model::device_memory;
use crate::model::generate::Decoding;
use crate::model::source::{self, Progress, Source};
use crate::task;
use crate::task::grammar;
use crate::task::local::Local;
use crate::task::text::Stops;
use crate::task::write::Writer;
use crate::ui::Fetching;
use crate::ui::state::playground::trial::{
    CANCELLED_THERE, Form, News, Outcome, RowsTried, Trial, TrialAsk, Variant, Who,
};
use crate::units::printable;

/// How often a run that was asked is waited for before somebody looks whether the trial was cancelled.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What answers, traces and the screen hold while rows are made, which nobody asks the ledger for.
const UNASKED_BYTES: u64 = 8 << 20;

/// A model that stays in memory.
pub(super) struct Model {
    source: String,
    decoder: Decoder,
    tokenizer: Arc<Tokenizer>,
}

pub(super) struct Maker<'a> {
    ask: &'a TrialAsk,
    run: Option<&'a Sender<CommandRequest>>,
    cancel: &'a AtomicBool,
    tell: &'a dyn Fn(News),
    /// Of the variants that are done, or were cancelled.
    outcomes: RefCell<Vec<Outcome>>,
    /// Of the variant that was begun last.
    label: Cell<&'static str>,
    /// Of the rows that were asked, and how many there are.
    summary: RefCell<Summary>,
    total: Cell<u64>,
}

impl<'a> Maker<'a> {
    pub fn new(
        ask: &'a TrialAsk,
        run: Option<&'a Sender<CommandRequest>>,
        cancel: &'a AtomicBool,
        tell: &'a dyn Fn(News),
    ) -> Self {
        let (outcomes, summary) = (RefCell::default(), RefCell::new(Summary::new()));
        Maker { ask, run, cancel, tell, outcomes, label: Cell::new(""), summary, total: Cell::new(0) }
    }

    /// Makes the trial, and keeps what came of it: also where it was cancelled, or a variant could not be made.
    pub fn whole(&self, kept: &mut Option<Model>) -> Result<(), String> {
        let made = self.make(kept);
        let mut outcomes = self.outcomes.take();
        if let Some(file) = &self.ask.rows {
            let (total, summary) = (self.total.get(), self.summary.take());
            // Of rows that were never asked there is nothing to tell.
            if total > 0 {
                self.keep(outcomes, Some(Box::new(RowsTried { file: file.clone(), total, summary })));
            }
            return made;
        }
        if let Err(why) = &made
            && !self.is_cancelled()
        {
            outcomes.push(Outcome { label: self.label.get().to_owned(), trace: failed(why) });
        }
        if !outcomes.is_empty() {
            self.keep(outcomes, None);
        }
        made
    }

    fn make(&self, kept: &mut Option<Model>) -> Result<(), String> {
        let settings = &self.ask.settings;
        let schema = Schema::parse(&self.ask.schema).map_err(|e| e.to_string())?;
        let now = ZonedDateTime::now().datetime();
        if settings.who == Who::Given {
            (self.tell)(News::Begins(0));
            let trace = chain::read(&self.ask.text, Some(&schema), now, Reading::Whole);
            self.done("", trace);
            return Ok(());
        }
        // What is wrong with the rows is said before a model is fetched.
        let rows = match &self.ask.rows {
            Some(path) => Some(self.read_rows(path, &schema)?),
            None => None,
        };
        let variants = self.ask.variants();
        let base = Ask {
            max_retries: settings.max_retries,
            fix_mode: settings.fix_mode,
            temperature: settings.temperature,
            seed: settings.seed,
            max_new_tokens: settings.max_new_tokens,
            token_budget: settings.token_budget,
            price: settings.price,
            ..Ask::new(schema, self.ask.text.clone(), now)
        };
        if settings.who == Who::Run {
            return self.go(&base, &variants, rows, &mut |variant, _, work| work(Answers::Run { base: variant.base }));
        }
        if settings.who == Who::Openai {
            let key = std::env::var("OPENAI_API_KEY").ok().and_then(|key| Key::new(&key));
            let server = Server::new(&settings.base_url, &settings.server_model, key);
            let mut provider = OpenAi::new(server).map_err(|e| e.to_string())?;
            return self.go(&base, &variants, rows, &mut |_, _, work| work(Answers::OneByOne(&mut provider)));
        }
        // What of a schema cannot be decoded under is said before a model is fetched.
        if variants.iter().any(|variant| variant.constrained) {
            grammar::check(&base.schema).map_err(|e| e.to_string())?;
        }
        if kept.as_ref().is_none_or(|model| model.source != settings.model) {
            // The one before goes first: there may be no room for both.
            *kept = None;
            *kept = Some(self.open(&settings.model)?);
        }
        let Some(model) = kept.as_ref() else { return Ok(()) };
        self.go(&base, &variants, rows, &mut |variant, schema, work| {
            let adapter = task::adapter(&model.decoder, variant.adapter.as_deref()).map_err(|e| e.to_string())?;
            let has_template = model.tokenizer.chat_template().is_some();
            let chat = match settings.form {
                Form::Chat => true,
                Form::Raw => false,
                Form::AsTrained => adapter.as_ref().map_or(has_template, |adapter| adapter.chat.unwrap_or(false)),
            };
            let writer = Writer {
                decoder: &model.decoder,
                adapter: adapter.as_ref(),
                tokenizer: &model.tokenizer,
                how: Decoding::default(),
                stops: Stops::default(),
            };
            let mut local = Local::new(writer, chat);
            if variant.constrained {
                local.check(schema).map_err(|e| e.to_string())?;
            }
            work(Answers::Together(&mut local))
        })
    }

    /// Reads the file of rows, for as long as somebody wants it.
    fn read_rows(&self, path: &Path, schema: &Schema) -> Result<Vec<(u64, Row)>, String> {
        let wrong = |why: &dyn std::fmt::Display| printable(&format!("{}: {why}", path.display()));
        // A pipe or a device would be waited for.
        if !fs::metadata(path).map_err(|e| wrong(&e))?.is_file() {
            return Err(wrong(&"no file: rows are read from a file of JSON lines"));
        }
        let path = path.to_owned();
        let read = unless_cancelled(self.cancel, move || cli::extract::rows(&path, None).map_err(|e| e.to_string()));
        let rows = read.unwrap_or_else(|| Err(wrong(&"the reading was broken off")))?;
        (self.tell)(News::Rows(rows.len() as u64));
        Ok(rows.into_iter().map(|(line, row)| (line, row.of_schema(schema))).collect())
    }

    /// Reads the local model, from wherever it comes.
    fn open(&self, source: &str) -> Result<Model, String> {
        let loading = |what: String, done: u64, total: Option<u64>| {
            (self.tell)(News::Loading(Fetching { what, done, total }));
        };
        let mut told = |p: Progress| loading(p.what, p.done_bytes, p.total_bytes);
        let parsed = Source::parse(source).map_err(|e| e.to_string())?;
        let files = source::resolve(&parsed, &mut told, self.cancel).map_err(|e| e.to_string())?;
        if self.is_cancelled() {
            return Err("cancelled".into());
        }
        let tokenizer = task::tokenizer(&files).map_err(|e| e.to_string())?;
        let how = (Method::Qlora, Quantization::Keep, ComputeDtype::F32);
        let ledger = Ledger::default();
        // Together with the run of this process it holds no more than that may.
        let beside_run = self.ask.limit_bytes.map(|limit| limit.saturating_sub(UNASKED_BYTES));
        if let Some(limit) = [device_memory::room_bytes(), beside_run].into_iter().flatten().min() {
            device_memory::bound(&ledger, limit, !task::device().map_err(|e| e.to_string())?.is_cpu());
        }
        let what = files.description.clone();
        let mut last = 0;
        let mut weights = |done: u64, total: u64| {
            // A hundredth at a time is often enough.
            if done.saturating_sub(last) > total / 100 {
                last = done;
                loading(what.clone(), done, Some(total));
            }
        };
        let decoder = task::decoder(&files, how, &ledger, &mut weights).map_err(|e| match e.is_out_of_memory() {
            true => format!("out of memory: {e}"),
            false => e.to_string(),
        })?;
        Ok(Model { source: source.to_owned(), decoder, tokenizer })
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// Asks for each variant, or for each row. `with` has the provider of a variant.
    fn go(
        &self,
        base: &Ask,
        variants: &[Variant],
        rows: Option<Vec<(u64, Row)>>,
        with: &mut With<'_>,
    ) -> Result<(), String> {
        if let (Some(rows), Some(variant)) = (rows, variants.first()) {
            let base = Ask { prompt: variant.prompt.clone(), constrained: variant.constrained, ..base.clone() };
            return with(variant, &base.schema, &mut |answers| self.rows(&base, &rows, answers));
        }
        // What a later variant cannot do is said before the first one is asked.
        if let Some(later) = variants.iter().skip(1).find(|variant| variant.constrained) {
            with(later, &base.schema, &mut |_| Ok(()))?;
        }
        for (at, variant) in variants.iter().enumerate() {
            if self.is_cancelled() {
                return Ok(());
            }
            let ask = Ask { prompt: variant.prompt.clone(), constrained: variant.constrained, ..base.clone() };
            self.label.set(variant.label);
            (self.tell)(News::Begins(at));
            with(variant, &ask.schema, &mut |mut answers| {
                let trace = self.answered(&ask, &mut answers)?;
                self.done(variant.label, trace);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn done(&self, label: &str, trace: Trace) {
        (self.tell)(News::Done(Box::new(trace.clone())));
        self.outcomes.borrow_mut().push(Outcome { label: label.to_owned(), trace });
    }

    fn ask(&self, ask: &Ask, provider: &mut dyn Provider) -> Trace {
        fix::extract(ask, provider, &mut |told| {
            match told {
                Told::Waiting => {}
                Told::Asked(stage) => (self.tell)(News::Asked(stage)),
                Told::Text(text) => (self.tell)(News::Text { text: text.to_owned(), pieces: 1 }),
                Told::Again { why, wait } => {
                    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                    (self.tell)(News::Again { why: why.to_owned(), wait_ms });
                }
                Told::Attempt(attempt) => (self.tell)(News::Attempt(Box::new(attempt.clone()))),
            }
            self.flow()
        })
    }

    fn flow(&self) -> ControlFlow<()> {
        if self.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Asks the run, which answers between two micro-batches and tells nothing before it has done.
    fn ask_run(&self, ask: &Ask, base: bool) -> Result<Trace, String> {
        let gone = || "the run does not listen any more".to_owned();
        let run = self.run.ok_or_else(gone)?;
        let stage = if ask.constrained { Stage::Constrained } else { Stage::Generate };
        (self.tell)(News::Asked(stage));
        let asked = ExtractAsk {
            text: ask.text.clone(),
            schema: Some(ask.schema.document().clone()),
            prompt: Some(ask.prompt.clone()),
            base,
            constrained: ask.constrained,
            chat: match self.ask.settings.form {
                Form::AsTrained => None,
                Form::Chat => Some(true),
                Form::Raw => Some(false),
            },
            max_retries: Some(ask.max_retries),
            fix_mode: ask.fix_mode,
            max_new_tokens: Some(ask.max_new_tokens),
            token_budget: Some(ask.token_budget),
            temperature: ask.temperature,
            seed: Some(ask.seed),
            now: Some(ask.now.to_string()),
        };
        let (reply, replied) = channel();
        let command = Command::Extract(Box::new(asked));
        run.send(CommandRequest { command, reply: Some(reply) }).map_err(|_| gone())?;
        loop {
            match replied.recv_timeout(LOOK_AGAIN) {
                Ok(reply) => {
                    let refused = || reply.error.clone().unwrap_or_else(|| "the run told no trace".to_owned());
                    let trace = reply.trace.clone().ok_or_else(refused)?;
                    return serde_json::from_value(*trace).map_err(|e| format!("the run's trace: {e}"));
                }
                // Said until it is heard: the run may not have begun with it.
                Err(RecvTimeoutError::Timeout) if self.is_cancelled() => {
                    let _ = run.send(CommandRequest { command: Command::Cancel, reply: None });
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err("the run ended without an answer".into()),
            }
        }
    }

    fn answered(&self, ask: &Ask, answers: &mut Answers<'_>) -> Result<Trace, String> {
        match answers {
            Answers::Together(provider) | Answers::OneByOne(provider) => Ok(self.ask(ask, *provider)),
            Answers::Run { base } => self.ask_run(ask, *base),
        }
    }

    fn rows(&self, base: &Ask, rows: &[(u64, Row)], mut answers: Answers<'_>) -> Result<(), String> {
        self.total.set(rows.len() as u64);
        let mut unanswered = Unanswered::default();
        let mut left = rows.iter();
        let mut enter = |trace: Trace| -> Result<(), String> {
            let Some((line, row)) = left.next().filter(|_| !self.is_cancelled()) else { return Ok(()) };
            // Somebody who commands the run wanted no more of it: that says nothing of the row.
            if trace.is_cancelled() {
                return Err(format!("row {line}: {CANCELLED_THERE}"));
            }
            // One row's trouble is that row's result; the same again and again is everybody's.
            let stops = unanswered.hear(&trace);
            let result = RowResult::new(*line, row, trace, true);
            self.summary.borrow_mut().add(&result);
            (self.tell)(News::Row(Box::new(result)));
            stops.map_or(Ok(()), |why| Err(format!("row {line}: {why}")))
        };
        let Answers::Together(provider) = answers else {
            for (line, row) in rows {
                let trace = self.answered(&row.ask(base), &mut answers)?;
                let is_lost = matches!(&answers, Answers::OneByOne(provider) if provider.is_lost());
                if let Some(error) = trace.call_error().filter(|_| is_lost) {
                    return Err(format!("row {line}: {}", error.message));
                }
                enter(trace)?;
                if self.is_cancelled() {
                    break;
                }
            }
            return Ok(());
        };
        let stage = if base.constrained { Stage::Constrained } else { Stage::Generate };
        (self.tell)(News::Asked(stage));
        let mut ended = Ok(());
        let ask = |at: usize| rows[at].1.ask(base);
        let mut waits = || {
            (self.tell)(News::Text { text: String::new(), pieces: 1 });
            self.flow()
        };
        extract_all(rows.len(), AT_ONCE, &ask, provider, &mut waits, &mut |trace| {
            ended = enter(trace);
            if ended.is_err() { ControlFlow::Break(()) } else { self.flow() }
        });
        ended
    }

    fn keep(&self, outcomes: Vec<Outcome>, rows: Option<Box<RowsTried>>) {
        let TrialAsk { settings, prompt, prompt_b, text, schema, .. } = self.ask.clone();
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        let trial = Trial { unix_ms, settings, prompt, prompt_b, text, schema, outcomes, rows };
        let kept = trials::append(&self.ask.place, &trial);
        (self.tell)(News::Kept(kept.map(|()| Box::new(trial))));
    }
}

/// What cannot be interrupted, on a thread that nobody waits for once it is cancelled; none then, or where there is no such thread.
fn unless_cancelled<T: Send + 'static>(cancel: &AtomicBool, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, ended) = channel();
    let work = move || _ = done.send(work());
    thread::Builder::new().name("finetop-rows".into()).spawn(work).ok()?;
    loop {
        match ended.recv_timeout(LOOK_AGAIN) {
            Ok(made) => return Some(made),
            Err(RecvTimeoutError::Timeout) if !cancel.load(Ordering::Relaxed) => {}
            Err(_) => return None,
        }
    }
}

/// What is kept of a variant that could not be asked.
fn failed(why: &str) -> Trace {
    let error = Refusal { stage: Stage::Generate, message: why.to_owned(), errors: Vec::new() };
    Trace { ok: false, value: None, error: Some(error), attempts: Vec::new(), totals: Totals::default() }
}

/// Who answers for a variant.
enum Answers<'a> {
    /// Many rows in little more time than one.
    Together(&'a mut dyn Provider),
    OneByOne(&'a mut dyn Provider),
    /// The run that trains.
    Run {
        base: bool,
    },
}

/// Does something with who answers for a variant.
type With<'a> =
    dyn FnMut(&Variant, &Schema, &mut dyn FnMut(Answers<'_>) -> Result<(), String>) -> Result<(), String> + 'a;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_left_when_it_is_cancelled_and_else_waited_for() {
        assert_eq!(unless_cancelled(&AtomicBool::new(false), || 7), Some(7));
        let (_holds, held) = channel::<()>();
        assert_eq!(unless_cancelled(&AtomicBool::new(true), move || _ = held.recv()), None);
    }
}
