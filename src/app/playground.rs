//! Makes the playground's trials: one at a time, on a thread that keeps the local model between them, and tells what happens as it does.
//! What can be chosen from is looked for here too; the file of trials is `trials`' business. What a trial is, is in `ui::state::playground`.

pub(super) mod trials;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::ZonedDateTime;
use jiff::civil::DateTime;

use super::panic_text;
use crate::cli;
use crate::config::{ComputeDtype, Method, Quantization};
use crate::data::tokenizer::Tokenizer;
use crate::extract::attempt::{Refusal, Stage, Totals, Trace};
use crate::extract::chain::{self, Reading};
use crate::extract::fix::{self, Ask, Told};
use crate::extract::provider::Provider;
use crate::extract::provider::openai::{Key, OpenAi, Settings as Server};
use crate::extract::report::RowResult;
use crate::extract::schema::Schema;
use crate::memory::ledger::Ledger;
use crate::memory::probe;
use crate::model::decoder::Decoder;
use crate::model::device_memory;
use crate::model::generate::Decoding;
use crate::model::source::{self, Progress, Source};
use crate::run::store;
use crate::task;
use crate::task::local::Local;
use crate::task::text::Stops;
use crate::task::write::Writer;
use crate::ui::state::playground::trial::{Adapter, Finds, Form, News, Outcome, Quest, Trial, TrialAsk, Variant, Who};
use crate::ui::{Fetching, Message};

/// A folder of schemas has no more files that anyone would choose from.
const MOST_SCHEMAS: usize = 100;
/// A schema of more bytes is none.
const LARGEST_SCHEMA: u64 = 1 << 20;

/// What the thread is told to do.
enum Order {
    Make(u64, Box<TrialAsk>, Arc<AtomicBool>),
    /// Lets go of the model.
    Forget,
}

/// What the thread is told by, and what it tells by.
type Ends = (Sender<Order>, Receiver<(u64, News)>);

/// Makes trials, on a thread that begins with the first one.
#[derive(Default)]
pub(super) struct Player {
    thread: Option<Ends>,
    cancel: Arc<AtomicBool>,
    /// Trials that are not over.
    open: usize,
    /// What there is to say without a thread.
    failed: Vec<(u64, News)>,
}

impl Player {
    pub fn is_busy(&self) -> bool {
        self.open > 0 || !self.failed.is_empty()
    }

    pub fn begin(&mut self, ticket: u64, ask: Box<TrialAsk>) {
        // One that nobody waits for must not hold this one up.
        self.cancel();
        self.cancel = Arc::new(AtomicBool::new(false));
        let order = Order::Make(ticket, ask, self.cancel.clone());
        if self.thread.is_none() {
            let (orders, taken) = channel();
            let (told, news) = channel();
            let work = move || work(&taken, &told);
            match thread::Builder::new().name("finetop-trial".into()).spawn(work) {
                Ok(_) => self.thread = Some((orders, news)),
                Err(e) => {
                    let why = format!("no thread to make a trial on: {e}");
                    return self.failed.push((ticket, News::Over(Err(why))));
                }
            }
        }
        let sent = self.thread.as_ref().is_some_and(|(orders, _)| orders.send(order).is_ok());
        if sent {
            self.open += 1;
        } else {
            self.thread = None;
            self.failed.push((ticket, News::Over(Err("the thread that makes trials is gone".into()))));
        }
    }

    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }

    pub fn forget(&mut self) {
        self.cancel();
        if let Some((orders, _)) = &self.thread {
            let _ = orders.send(Order::Forget);
        }
    }

    /// What was told since the last time; pieces of text that follow each other are one.
    pub fn hear(&mut self) -> Vec<(u64, News)> {
        let mut heard = std::mem::take(&mut self.failed);
        let Some((_, news)) = &self.thread else { return heard };
        for (ticket, news) in news.try_iter() {
            self.open -= usize::from(matches!(news, News::Over(_)));
            match (heard.last_mut(), news) {
                (Some((last, News::Text { text, pieces })), News::Text { text: more, pieces: added })
                    if *last == ticket =>
                {
                    text.push_str(&more);
                    *pieces += added;
                }
                (_, news) => heard.push((ticket, news)),
            }
        }
        heard
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// A model that stays in memory.
struct Model {
    source: String,
    decoder: Decoder,
    tokenizer: Arc<Tokenizer>,
}

fn work(orders: &Receiver<Order>, told: &Sender<(u64, News)>) {
    let mut kept: Option<Model> = None;
    for order in orders {
        let Order::Make(ticket, ask, cancel) = order else {
            kept = None;
            continue;
        };
        let tell = |news: News| _ = told.send((ticket, news));
        let made = || Maker { ask: &ask, cancel: &cancel, tell: &tell, outcomes: RefCell::default() }.whole(&mut kept);
        // A bug on the way must not keep training waiting for ever.
        let made = panic::catch_unwind(AssertUnwindSafe(made))
            .unwrap_or_else(|cause| Err(format!("the trial broke: {}", panic_text(cause.as_ref()))));
        if made.is_err() || !ask.keep_model {
            kept = None;
        }
        tell(News::Over(made));
    }
}

struct Maker<'a> {
    ask: &'a TrialAsk,
    cancel: &'a AtomicBool,
    tell: &'a dyn Fn(News),
    /// Of the variants that are done, or were cancelled.
    outcomes: RefCell<Vec<Outcome>>,
}

impl Maker<'_> {
    /// Makes the trial, and keeps what came of it: also where it was cancelled, or a variant could not be made.
    fn whole(&self, kept: &mut Option<Model>) -> Result<(), String> {
        let made = self.make(kept);
        let mut outcomes = self.outcomes.take();
        if self.ask.rows.is_some() {
            return made;
        }
        if let Err(why) = &made
            && !self.is_cancelled()
        {
            let label = self.ask.variants().get(outcomes.len()).map_or("", |variant| variant.label).to_owned();
            outcomes.push(Outcome { label, trace: failed(why) });
        }
        if !outcomes.is_empty() {
            self.keep(outcomes);
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
            Some(path) => Some(cli::extract::rows(path, None).map_err(|e| e.to_string())?),
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
        if settings.who == Who::Openai {
            let key = std::env::var("OPENAI_API_KEY").ok().and_then(|key| Key::new(&key));
            let server = Server::new(&settings.base_url, &settings.server_model, key);
            let mut provider = OpenAi::new(server).map_err(|e| e.to_string())?;
            return self.go(&base, &variants, rows, &mut |_, _, work| work(&mut provider));
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
            work(&mut local)
        })
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
        if let Some(limit) = device_memory::auto_limit_bytes().or_else(probe::auto_limit_bytes) {
            match decoder.device.is_cpu() {
                true => decoder.ledger.set_limit(limit, probe::resident_bytes, probe::available_bytes),
                false => decoder.ledger.set_limit(limit, device_memory::held_bytes, || None),
            }
        }
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
        rows: Option<Vec<(u64, crate::extract::report::Row)>>,
        with: &mut With<'_>,
    ) -> Result<(), String> {
        if let (Some(rows), Some(variant)) = (rows, variants.first()) {
            let base = Ask { prompt: variant.prompt.clone(), constrained: variant.constrained, ..base.clone() };
            return with(variant, &base.schema, &mut |provider| self.rows(&base, &rows, provider));
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
            (self.tell)(News::Begins(at));
            with(variant, &ask.schema, &mut |provider| {
                let trace = self.ask(&ask, provider);
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
            if self.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }

    fn rows(
        &self,
        base: &Ask,
        rows: &[(u64, crate::extract::report::Row)],
        provider: &mut dyn Provider,
    ) -> Result<(), String> {
        (self.tell)(News::Rows(rows.len() as u64));
        for (line, row) in rows {
            let (prompt, text) = match (&row.text, &row.prompt) {
                // A whole prompt stands for itself.
                (None, Some(prompt)) => ("{text}".to_owned(), prompt.clone()),
                (text, _) => (base.prompt.clone(), text.clone().unwrap_or_default()),
            };
            let now: DateTime = match row.now.as_deref().map(|now| now.trim().parse()) {
                Some(Ok(now)) => now,
                Some(Err(_)) => return Err(format!("row {line}: its now is no time such as 2026-11-05T14:00")),
                None => base.now,
            };
            let trace = self.ask(&Ask { prompt, text, now, ..base.clone() }, provider);
            if self.is_cancelled() {
                return Ok(());
            }
            // A provider that failed fails the work; a value that was refused is a row's result.
            if let Some(why) = cli::extract::failed_call(&trace) {
                return Err(format!("row {line}: {why}"));
            }
            (self.tell)(News::Row(Box::new(RowResult::new(*line, row, trace, true))));
        }
        Ok(())
    }

    fn keep(&self, outcomes: Vec<Outcome>) {
        let ask = self.ask.clone();
        let TrialAsk { settings, prompt, prompt_b, text, schema, .. } = ask;
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        let trial = Trial { unix_ms, settings, prompt, prompt_b, text, schema, outcomes };
        let kept = trials::append(&self.ask.place, &trial);
        (self.tell)(News::Kept(kept.map(|()| Box::new(trial))));
    }
}

/// What is kept of a variant that could not be asked.
fn failed(why: &str) -> Trace {
    let error = Refusal { stage: Stage::Generate, message: why.to_owned(), errors: Vec::new() };
    Trace { ok: false, value: None, error: Some(error), attempts: Vec::new(), totals: Totals::default() }
}

/// Does something with a variant's provider.
type With<'a> =
    dyn FnMut(&Variant, &Schema, &mut dyn FnMut(&mut dyn Provider) -> Result<(), String>) -> Result<(), String> + 'a;

/// What the playground can choose from, as the answer to a question.
pub(super) fn look(ticket: u64, quest: &Quest) -> Message {
    let mut finds = Finds {
        adapters: quest.run.as_deref().map(adapters).unwrap_or_default(),
        has_key: std::env::var("OPENAI_API_KEY").is_ok_and(|key| Key::new(&key).is_some()),
        ..Finds::default()
    };
    let mut own = |path: &Path| match small_text(path) {
        Ok(text) => Some(text),
        Err(why) => {
            finds.problems.push(why);
            None
        }
    };
    // A file's last line end is an editor's, not the prompt's.
    let prompt = quest.prompt.as_deref().and_then(&mut own).map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    let schema = quest.schema.as_deref().and_then(|path| Some((named(path), own(path)?)));
    finds.schemas.extend(schema.clone());
    (finds.own_schema, finds.own_prompt) = (schema, prompt);
    for beside in &quest.beside {
        schemas(&beside.join("schemas"), &mut finds);
    }
    match trials::read(&quest.place) {
        Ok(trials) => finds.trials = trials,
        Err(why) => finds.problems.push(why),
    }
    Message::PlaygroundFound { ticket, finds: Box::new(finds) }
}

/// The adapters of a run: its best and last, and every checkpoint.
fn adapters(run: &Path) -> Vec<Adapter> {
    let links = ["best", "last"].into_iter().filter_map(|name| {
        store::linked(run, name)
            .map(|step| Adapter { name: format!("{name}, step {step}"), folder: Some(run.join(name)) })
    });
    let checkpoints = store::checkpoints(run).into_iter().map(|step| Adapter {
        name: format!("step {step}"),
        folder: Some(run.join("checkpoints").join(store::checkpoint_name(step))),
    });
    links.chain(checkpoints).collect()
}

/// The schemas of a folder, by name.
fn schemas(folder: &Path, finds: &mut Finds) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    for path in paths.into_iter().take(MOST_SCHEMAS) {
        let name = named(&path);
        if finds.schemas.iter().any(|(other, _)| *other == name) {
            continue;
        }
        match small_text(&path) {
            Ok(text) => finds.schemas.push((name, text)),
            Err(why) => finds.problems.push(why),
        }
    }
}

fn named(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The text of a file that is no larger than a schema or prompt would be.
fn small_text(path: &Path) -> Result<String, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    // A pipe would be waited for.
    let found = std::fs::metadata(path).map_err(|e| wrong(&e))?;
    if !found.is_file() || found.len() > LARGEST_SCHEMA {
        return Err(wrong(&"no file of at most 1 MiB"));
    }
    std::fs::read_to_string(path).map_err(|e| wrong(&e))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use ratatui::layout::Size;

    use super::*;
    use crate::app::Launched;
    use crate::app::environment::TerminalEnvironment;
    use crate::app::input::Input;
    use crate::app::session::Session;
    use crate::config::RunConfig;
    use crate::config::parse;
    use crate::event::{Command, CommandReply, CommandRequest, RunEvent, RunHandle, RunStarted, RunState, Stamped};
    use crate::event::{MicroBatchDone, SCHEMA};
    use crate::ui::{Clock, Key as Press, State};

    struct Driven {
        session: Session,
        commands: Receiver<CommandRequest>,
        ms: u64,
    }

    fn config() -> RunConfig {
        let text = "[model]\nsource = \"/nowhere/model.gguf\"\n[data]\ntrain = \"a\"\n";
        parse::from_toml(text, "x", "/".as_ref(), &[]).expect("settings")
    }

    /// A run of this process that trains, on a screen that shows its playground.
    fn training(folder: &Path) -> Driven {
        let (events_in, events) = channel();
        let (commands_in, commands) = channel();
        let environment = TerminalEnvironment::from_variables(|_| None);
        let mut session = Session::new(State::watching(), environment.themes(), Size::new(80, 24), None);
        let handle = RunHandle { events, commands: commands_in };
        session.attach(Launched { handle, folder: folder.to_owned(), history: None, cause: None }, true);
        let started = RunStarted {
            schema: SCHEMA,
            run_id: "x".into(),
            started_unix_ms: 0,
            config: config(),
            seed: 0,
            device: "cpu".into(),
            model_name: None,
            trainable_params: 1,
            total_params: 1,
            planned_steps: 9,
            resumed_from: None,
            rows: Vec::new(),
        };
        let micro = MicroBatchDone {
            step: 1,
            micro: 1,
            micro_per_step: 4,
            loss_sum_nats: 1.0,
            target_tokens: 1,
            tokens: 1,
            duration_us: 1,
            used_bytes: None,
            peak_bytes: None,
        };
        for (seq, event) in (0..).zip([RunEvent::RunStarted(Box::new(started)), RunEvent::MicroBatchDone(micro)]) {
            events_in.send(Stamped { seq, elapsed_ms: seq, event }).expect("the session listens");
        }
        // The stream stays open as long as the test.
        std::mem::forget(events_in);
        let mut driven = Driven { session, commands, ms: 0 };
        driven.turn(&[]);
        driven.turn(&[Press::Char('6')]);
        driven
    }

    impl Driven {
        fn turn(&mut self, keys: &[Press]) {
            self.ms += 50;
            let now = Clock { ms: self.ms, unix_ms: self.ms };
            self.session.turn(now, keys.iter().map(|&key| Input::Key(key)));
        }

        /// Until the trial is over; its thread takes as long as it takes.
        fn wait(&mut self) {
            while self.session.state.playground.running.is_some() {
                self.turn(&[]);
                thread::yield_now();
            }
        }
    }

    #[test]
    fn an_answer_is_read_and_the_trial_stands_in_the_runs_folder() {
        let place = tempfile::tempdir().expect("a place");
        let mut driven = training(place.path());
        driven.turn(&[Press::Char('x'), Press::Enter, Press::F(5)]);
        driven.wait();
        let play = &driven.session.state.playground;
        assert_eq!(play.failure, None);
        let outcome = play.outcomes.first().expect("an outcome");
        assert!(outcome.trace.ok, "{:?}", outcome.trace);
        let kept = trials::read(&place.path().join("playground/trials.jsonl")).expect("trials");
        assert_eq!(kept, play.finds.trials);
        assert!(kept.len() == 1 && driven.commands.try_recv().is_err(), "training was not asked to wait");
    }

    #[test]
    fn training_waits_for_a_local_trial_and_goes_on_when_its_model_cannot_be_read() {
        let place = tempfile::tempdir().expect("a place");
        let mut driven = training(place.path());
        let keys = [[Press::Char('x')].as_slice(), &[Press::Down; 9], &[Press::Enter, Press::F(5)]].concat();
        driven.turn(&keys);
        let request = driven.commands.try_recv().expect("a command");
        assert_eq!(request.command, Command::Pause);
        request.reply.expect("an answer is wanted").send(CommandReply::done(RunState::Paused, 1)).expect("it waits");
        driven.turn(&[]);
        driven.wait();
        let play = &driven.session.state.playground;
        assert!(play.failure.as_ref().is_some_and(|why| why.contains("model.gguf")), "{:?}", play.failure);
        let kept = trials::read(&place.path().join("playground/trials.jsonl")).expect("trials");
        assert!(kept.len() == 1 && !kept[0].outcomes[0].trace.ok, "a trial that failed is kept too");
        assert_eq!(driven.commands.try_recv().expect("a command").command, Command::Resume);
    }

    #[test]
    fn a_screen_that_ends_in_the_middle_of_a_trial_lets_training_go_on() {
        let place = tempfile::tempdir().expect("a place");
        let mut driven = training(place.path());
        let keys = [[Press::Char('x')].as_slice(), &[Press::Down; 9], &[Press::Enter, Press::F(5)]].concat();
        driven.turn(&keys);
        assert_eq!(driven.commands.try_recv().expect("a command").command, Command::Pause);
        let _source = driven.session.into_source(true).expect("the run goes on");
        assert_eq!(driven.commands.try_recv().expect("a command").command, Command::Resume);
    }

    #[test]
    fn pieces_of_text_are_told_as_one() {
        let mut player = Player::default();
        let (orders, _taken) = channel();
        let (told, news) = channel();
        player.thread = Some((orders, news));
        for text in ["a", "b", "c"] {
            told.send((1, News::Text { text: text.into(), pieces: 1 })).expect("it listens");
        }
        told.send((2, News::Text { text: "d".into(), pieces: 1 })).expect("it listens");
        let heard = player.hear();
        assert_eq!(heard[0], (1, News::Text { text: "abc".into(), pieces: 3 }));
        assert_eq!((heard.len(), heard[1].0), (2, 2));
    }

    #[test]
    fn schemas_are_found_beside_a_configuration() {
        let place = tempfile::tempdir().expect("a place");
        let folder = place.path().join("schemas");
        std::fs::create_dir_all(folder.join("x.json")).expect("a folder with a name like a file's");
        std::fs::write(folder.join("b.json"), "{}").expect("a file");
        std::fs::write(folder.join("a.json"), "{}").expect("a file");
        std::fs::write(folder.join("notes.txt"), "{}").expect("a file");
        let beside = vec![place.path().to_owned(), place.path().to_owned()];
        let (schema, prompt) = (Some(folder.join("a.json")), Some(folder.join("notes.txt")));
        let quest = Quest { run: None, beside, place: place.path().join("none.jsonl"), schema, prompt };
        let Message::PlaygroundFound { ticket: 7, finds } = look(7, &quest) else { panic!("another answer") };
        assert_eq!(finds.schemas.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a.json", "b.json"]);
        assert_eq!(finds.own_schema, Some(("a.json".to_owned(), "{}".to_owned())));
        assert!(finds.own_prompt.as_deref() == Some("{}") && finds.trials.is_empty());
    }
}
