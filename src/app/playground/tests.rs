//! The playground through a session: keys in, files and commands out.

use std::path::Path;
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
use crate::extract::attempt::{CANCELLED, Refusal, Stage, Trace};
use crate::extract::chain::{self, Reading};
use crate::ui::state::playground::trial::{Compare, Form, Quest, Settings, Who};
use crate::ui::{Clock, Key as Press, Message, State};

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
    let quest = Quest { schema: Some(folder.join("x.json")), prompt: Some(folder.join("no.txt")), ..quest };
    let Message::PlaygroundFound { finds, .. } = look(8, &quest) else { panic!("another answer") };
    let named = |why: &Option<String>, name: &str| why.as_ref().is_some_and(|why| why.contains(name));
    assert!(named(&finds.unread.schema, "x.json") && named(&finds.unread.prompt, "no.txt"), "{:?}", finds.unread);
}

/// A screen whose next trial asks the run.
fn asking_the_run(folder: &Path) -> Driven {
    let mut driven = training(folder);
    driven.turn(&[Press::Char('x'), Press::Enter]);
    driven.session.state.playground.settings.who = Who::Run;
    driven.turn(&[Press::F(5)]);
    driven
}

#[test]
fn the_run_is_asked_once_for_each_variant_and_never_paused() {
    let place = tempfile::tempdir().expect("a place");
    let mut driven = asking_the_run(place.path());
    assert!(driven.session.state.playground.asks_run());
    let heard = driven.commands.recv().expect("a command");
    let Command::Extract(asked) = heard.command else { panic!("{:?}", heard.command) };
    assert!(!asked.base && asked.schema.is_some() && !asked.text.is_empty());
    let trace = chain::read(&asked.text, None, "2026-11-30T09:00".parse().expect("a time"), Reading::Whole);
    let told = serde_json::to_value(&trace).expect("a trace");
    let reply = CommandReply { trace: Some(Box::new(told)), ..CommandReply::done(RunState::Running, 1) };
    heard.reply.expect("an answer is wanted").send(reply).expect("it waits");
    driven.wait();
    let play = &driven.session.state.playground;
    assert_eq!((play.failure.as_deref(), play.outcomes[0].trace.value.as_ref()), (None, trace.value.as_ref()));
    assert!(driven.commands.try_recv().is_err(), "nothing else is said to it");

    driven.session.state.playground.settings.compare = Compare::Adapter;
    driven.turn(&[Press::F(5)]);
    for base in [true, false] {
        let heard = driven.commands.recv().expect("a command");
        let Command::Extract(asked) = heard.command else { panic!("{:?}", heard.command) };
        assert_eq!(asked.base, base);
        let reply =
            CommandReply { trace: serde_json::to_value(&trace).ok().map(Box::new), ..CommandReply::refused("") };
        heard.reply.expect("an answer is wanted").send(reply).expect("it waits");
    }
    driven.wait();
    let labels: Vec<_> = driven.session.state.playground.outcomes.iter().map(|o| o.label.as_str()).collect();
    assert_eq!(labels, ["base", "adapter"]);
}

#[test]
fn a_trial_of_the_run_is_cancelled_there_and_its_refusal_is_told() {
    let place = tempfile::tempdir().expect("a place");
    let mut driven = asking_the_run(place.path());
    let asked = driven.commands.recv().expect("a command");
    driven.turn(&[Press::Esc]);
    assert_eq!(driven.commands.recv().expect("a command").command, Command::Cancel);
    asked.reply.expect("an answer is wanted").send(CommandReply::refused("it is over")).expect("it waits");
    driven.wait();
    assert_eq!(driven.session.state.playground.failure, None);

    driven.turn(&[Press::F(5)]);
    let asked = driven.commands.iter().find(|heard| heard.command != Command::Cancel).expect("a command");
    asked.reply.expect("an answer is wanted").send(CommandReply::refused("training is over")).expect("it waits");
    driven.wait();
    assert_eq!(driven.session.state.playground.failure.as_deref(), Some("training is over"));
}

/// What is told of 40 rows that the tiny model answers, until `over` says that it is enough.
fn told_of_rows(place: &Path, limit_bytes: Option<u64>, over: &dyn Fn(&News) -> bool) -> Vec<News> {
    let rows: String = (0..40).map(|n| format!("{{\"text\": \"row {n}\", \"value\": true}}\n")).collect();
    std::fs::write(place.join("rows.jsonl"), rows).expect("a file");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama-f32.gguf");
    let settings = Settings {
        model: model.display().to_string(),
        constrained: true,
        max_new_tokens: 8,
        form: Form::Raw,
        ..Settings::default()
    };
    let ask = TrialAsk {
        settings,
        prompt: "{text}".into(),
        prompt_b: String::new(),
        text: String::new(),
        schema: r#"{"type": "boolean"}"#.into(),
        rows: Some(place.join("rows.jsonl")),
        place: place.join("trials.jsonl"),
        keep_model: false,
        limit_bytes,
    };
    let mut player = Player::default();
    player.begin(1, Box::new(ask), None);
    let mut told = Vec::new();
    while player.is_busy() {
        for (_, news) in player.hear() {
            if over(&news) {
                player.cancel();
            }
            told.push(news);
        }
        thread::yield_now();
    }
    told
}

#[test]
fn the_local_model_answers_many_rows_at_once_in_their_order_and_they_are_kept_as_a_trial() {
    let place = tempfile::tempdir().expect("a place");
    let told = told_of_rows(place.path(), None, &|_| false);
    let rows = || told.iter().filter_map(|news| if let News::Row(row) = news { Some(row) } else { None });
    assert!(rows().map(|row| row.row).eq(1..=40), "{told:?}");
    // A row for itself would be asked for by itself.
    assert!(rows().all(|row| row.ok) && told.iter().filter(|news| matches!(news, News::Asked(_))).count() == 1);
    let pieces = told.iter().map(|news| if let News::Text { pieces, .. } = news { *pieces } else { 0 }).sum::<u64>();
    assert!(pieces >= 40, "{pieces} tokens of 40 rows");
    assert_eq!(told.last(), Some(&News::Over(Ok(()))));
    let kept = trials::read(&place.path().join("trials.jsonl")).expect("trials");
    let tried = kept[0].rows.as_ref().expect("rows");
    assert!(kept[0].outcomes.is_empty() && tried.file.ends_with("rows.jsonl"));
    assert_eq!((tried.total, tried.summary.passed.count, tried.summary.exact.of), (40, 40, 40));
}

#[test]
fn what_answers_holds_no_more_than_the_run_beside_it_may() {
    let place = tempfile::tempdir().expect("a place");
    // This process holds more than that already.
    let told = told_of_rows(place.path(), Some(9 << 20), &|_| false);
    let Some(News::Over(Err(why))) = told.last() else { panic!("{told:?}") };
    assert!(why.contains("out of memory") && why.contains("1.0 MiB"), "{why}");
}

#[test]
fn rows_that_are_cancelled_end_at_once_and_those_that_were_done_are_kept() {
    let place = tempfile::tempdir().expect("a place");
    let told = told_of_rows(place.path(), None, &|news| matches!(news, News::Asked(_)));
    let rows = told.iter().filter(|news| matches!(news, News::Row(_))).count();
    assert!(rows < 40 && told.last() == Some(&News::Over(Ok(()))), "{told:?}");
    let kept = trials::read(&place.path().join("trials.jsonl")).expect("trials");
    let tried = kept[0].rows.as_ref().expect("rows");
    assert!(kept.len() == 1 && tried.is_stopped(), "also where no row was done");
    assert_eq!((tried.total, tried.summary.passed.of, tried.summary.cost), (40, rows as u64, None));
}

#[test]
#[cfg(unix)]
fn a_pipe_is_no_file_of_rows_and_is_not_waited_for() {
    let place = tempfile::tempdir().expect("a place");
    let pipe = place.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    for file in [pipe.as_path(), Path::new("/dev/zero"), place.path()] {
        let mut driven = training(place.path());
        driven.session.state.playground.settings.who = Who::Run;
        driven.turn(&[Press::Char('B')]);
        driven.session.state.playground.batch.path.insert(&file.display().to_string());
        driven.turn(&[Press::Enter]);
        driven.wait();
        let why = driven.session.state.playground.batch.failure.clone().unwrap_or_default();
        assert!(why.contains("no file") && why.contains(&*file.display().to_string()), "{why}");
    }
}

#[test]
fn rows_end_where_a_command_to_the_run_cancels_one_of_them() {
    let place = tempfile::tempdir().expect("a place");
    std::fs::write(place.path().join("rows.jsonl"), "{\"text\": \"a\"}\n{\"text\": \"b\"}\n").expect("a file");
    let mut driven = training(place.path());
    driven.session.state.playground.settings.who = Who::Run;
    driven.turn(&[Press::Char('B')]);
    driven.session.state.playground.batch.path.insert(&place.path().join("rows.jsonl").display().to_string());
    driven.turn(&[Press::Enter]);
    let heard = driven.commands.recv().expect("a command");
    let cancelled = Trace { error: Some(cancelled()), ..chain::read("", None, CLOCK, Reading::Whole) };
    let reply =
        CommandReply { trace: serde_json::to_value(&cancelled).ok().map(Box::new), ..CommandReply::refused("") };
    heard.reply.expect("an answer is wanted").send(reply).expect("it waits");
    driven.wait();
    let batch = &driven.session.state.playground.batch;
    assert!(batch.failure.as_ref().is_some_and(|why| why.contains("row 1: cancelled")), "{:?}", batch.failure);
    assert!(batch.done() == 0 && driven.commands.try_recv().is_err());
}

const CLOCK: jiff::civil::DateTime = jiff::civil::DateTime::constant(2026, 11, 30, 9, 0, 0, 0);

fn cancelled() -> Refusal {
    Refusal { stage: Stage::Generate, message: CANCELLED.into(), errors: Vec::new() }
}
