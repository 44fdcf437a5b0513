//! What a run does for others while it trains, through its socket and the program: a typed value by the model as it is now, the report that
//! is ordered, and what ends both.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use finetop::config::{ComputeDtype, Method, Quantization};
use finetop::event::{Command, CommandRequest, ExtractAsk, RunState};
use finetop::memory::ledger::Ledger;
use finetop::model::source::{self, Source};
use finetop::task;
use finetop::train::orders::{Live, Orders, Stop};
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny")
}

/// A folder with data, a schema and `tiny.toml`.
fn prepared(train: &str, test_rows: usize) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let prompt = |i: usize| format!("name[thing {i}], price[{} won]\\n", 100 + 7 * i);
    let pair = |i: usize| format!("{{\"prompt\": \"{}\", \"completion\": \"The thing {i}.\"}}\n", prompt(i));
    let write = |name: &str, text: String| fs::write(place.path().join(name), text).unwrap();
    write("train.jsonl", (0..16).map(pair).collect());
    write("eval.jsonl", (20..24).map(pair).collect());
    let test = if test_rows > 0 { "test = \"test.jsonl\"\n" } else { "" };
    write("test.jsonl", (30..30 + test_rows).map(pair).collect());
    write(
        "schema.json",
        r#"{"type": "object", "properties": {"sold": {"type": "boolean"}}, "required": ["sold"]}"#.into(),
    );
    write("prompt.txt", "Is it sold? {text}\n".into());
    write(
        "tiny.toml",
        format!(
            "[model]\nsource = {:?}\n[data]\ntrain = \"train.jsonl\"\neval = \"eval.jsonl\"\n{test}\
             [train]\nper_device_train_batch_size = 4\ngradient_accumulation_steps = 2\nlearning_rate = 1e-2\neval_steps = 0\n{train}\n\
             [bleu]\nrun_after_training = false\nmax_new_tokens = 24\ncompare_base = false\n\
             [extract]\nschema = \"schema.json\"\nprompt = \"prompt.txt\"\nmax_new_tokens = 40\n",
            fixtures().join("llama")
        ),
    );
    place
}

fn finetop(at: &Path, arguments: &[&str]) -> Output {
    Process::new(env!("CARGO_BIN_EXE_finetop")).current_dir(at).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What a command to the run is answered, and the exit status.
fn ctl(at: &Path, arguments: &[&str]) -> (Value, Option<i32>) {
    let output = finetop(at, &[&["ctl", "run"], arguments].concat());
    let reply = serde_json::from_slice(&output.stdout);
    (reply.unwrap_or_else(|e| panic!("{e}: {output:?}")), output.status.code())
}

/// A run that trains in a process of its own.
struct Training<'a> {
    at: &'a Path,
    child: Child,
}

impl<'a> Training<'a> {
    fn start(at: &'a Path) -> Self {
        let child = Process::new(env!("CARGO_BIN_EXE_finetop"))
            .args(["train", "tiny.toml", "--headless", "--run-dir", "run"])
            .current_dir(at)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut run = Training { at, child };
        run.until("a step is done", |log| log.contains("\"event\":\"step_done\""));
        run
    }

    fn until(&mut self, what: &str, is: impl Fn(&str) -> bool) {
        let end = Instant::now() + Duration::from_secs(120);
        while !is(&self.log()) {
            assert!(Instant::now() < end && self.child.try_wait().unwrap().is_none(), "{what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at.join("run/events.jsonl")).unwrap_or_default()
    }

    fn last(mut self) -> Value {
        assert!(self.child.wait().unwrap().success());
        serde_json::from_str(self.log().lines().last().unwrap()).unwrap()
    }
}

impl Drop for Training<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The losses of a run, step by step.
fn losses(log: &str) -> Vec<f64> {
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|e| e["event"] == "step_done").map(|e| e["loss"].as_f64().unwrap()).collect()
}

#[test]
fn a_run_extracts_while_it_trains_and_trains_as_if_it_had_not() {
    let place = prepared("max_steps = 400", 0);
    let at = place.path();
    let run = Training::start(at);
    let (reply, status) = ctl(at, &["extract", "--constrained", "it is sold"]);
    let (trace, state) = (&reply["trace"], reply["state"].as_str());
    assert_eq!((reply["ok"].as_bool(), state, status), (Some(true), Some("running"), Some(0)), "{reply}");
    assert!(trace["value"]["sold"].is_boolean(), "{trace}");
    let first = &trace["attempts"][0];
    assert_eq!(
        (first["stage"].as_str(), first["prompt"].as_str()),
        (Some("constrained"), Some("Is it sold? it is sold"))
    );
    assert_eq!(trace["totals"]["calls"], 1);

    // A paused run answers too, and stays paused.
    assert_eq!(ctl(at, &["pause"]).0["state"], "paused");
    let (reply, _) = ctl(at, &["extract", "--base", "--constrained", "it is sold"]);
    assert_eq!((&reply["ok"], &reply["state"]), (&true.into(), &"paused".into()), "{reply}");
    assert_eq!(ctl(at, &["resume"]).0["state"], "running");

    // Freely, a model of random weights writes nothing that fits; the trace says so, and the exit status.
    let (reply, status) = ctl(at, &["extract", "--max-retries", "0", "--max-new-tokens", "8", "it is sold"]);
    assert_eq!((&reply["ok"], &reply["trace"]["ok"], status), (&true.into(), &false.into(), Some(1)), "{reply}");

    for (arguments, why) in [
        (&["extract", ""][..], "text: it is empty"),
        (&["cancel"], "nothing is extracted or scored now"),
        (&["bleu"], "this run has no data.test"),
    ] {
        let (reply, status) = ctl(at, arguments);
        assert_eq!((reply["ok"].as_bool(), reply["error"].as_str(), status), (Some(false), Some(why), Some(1)));
    }
    let disturbed = run.at.join("run");
    assert_eq!(run.last()["reason"], "completed");
    let plain = finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "plain"]);
    assert!(plain.status.success());
    let of = |run: &Path| losses(&fs::read_to_string(run.join("events.jsonl")).unwrap());
    assert_eq!(of(&disturbed), of(&at.join("plain")));
}

#[test]
fn who_waits_for_an_extraction_ends_it_and_what_is_said_meanwhile_is_kept() {
    let files = source::resolve(
        &Source::parse(fixtures().join("llama").to_str().unwrap()).unwrap(),
        &mut |_| {},
        &AtomicBool::new(false),
    )
    .unwrap();
    let how = (Method::Lora, Quantization::Keep, ComputeDtype::F32);
    let ledger = Ledger::default();
    let decoder = task::decoder(&files, how, &ledger, &mut |_, _| {}).unwrap();
    let adapter = task::adapter(&decoder, Some(&fixtures().join("llama-adapter"))).unwrap().unwrap();
    let (said, commands) = mpsc::channel();
    let say = |command: Command| {
        let (reply, answer) = mpsc::channel();
        said.send(CommandRequest { command, reply: Some(reply) }).unwrap();
        answer
    };
    let answers = RefCell::new(Vec::new());
    let ends = Cell::new(Some(Command::Cancel));
    let extract = |asked: &ExtractAsk, _: Live, over: &mut dyn FnMut() -> bool| {
        assert_eq!((asked.text.as_str(), over()), ("it is sold", false));
        answers.borrow_mut().push(say(Command::Save));
        assert!(!over());
        answers.borrow_mut().push(say(ends.take().unwrap()));
        assert!(over() && over(), "once over, it stays so");
        Ok(serde_json::json!({"ok": false}))
    };
    let mut orders = Orders::new(&commands, &ledger, &extract, None);
    let asked = || Command::Extract(Box::new(ExtractAsk { text: "it is sold".into(), ..ExtractAsk::default() }));
    let live = || Some(Live { decoder: &decoder, adapter: &adapter });
    let first = say(asked());
    orders.look(7, live());
    let reply = first.try_recv().unwrap();
    assert_eq!((reply.ok, reply.step, reply.trace.unwrap()["ok"].as_bool()), (true, Some(7), Some(false)));
    assert!(answers.borrow()[1].try_recv().unwrap().ok, "the cancel is answered");
    let waiting = orders.waiting();
    assert!(waiting.len() == 1 && waiting[0].command == Command::Save, "the save waits for the end of the step");
    assert_eq!(orders.stop(), Stop::No);

    // A stop ends it as well, and holds; in a pause, too.
    ends.set(Some(Command::Stop));
    let (paused, second) = (say(Command::Pause), say(asked()));
    orders.look(7, live());
    assert_eq!(paused.try_recv().unwrap().state, Some(RunState::Paused));
    assert_eq!((second.try_recv().unwrap().state, orders.stop()), (Some(RunState::Paused), Stop::AfterStep));

    // A report that is ordered can be taken back, by whoever asks.
    let ordered = say(Command::Bleu);
    orders.look(8, live());
    assert!(orders.wants_scoring());
    let back = say(Command::Cancel);
    orders.look(8, live());
    assert!(back.try_recv().unwrap().ok && !ordered.try_recv().unwrap().ok && !orders.wants_scoring());

    let nobody = say(Command::Cancel);
    let late = say(asked());
    orders.look(8, None);
    assert!(!nobody.try_recv().unwrap().ok && !late.try_recv().unwrap().ok);
}

#[test]
fn a_report_is_made_for_who_orders_it_and_ends_when_cancelled() {
    let place = prepared("max_steps = 400", 4);
    let at = place.path();
    let run = Training::start(at);
    let (reply, status) = ctl(at, &["bleu"]);
    assert_eq!((reply["ok"].as_bool(), status), (Some(true), Some(0)), "{reply}");
    let path = reply["path"].as_str().unwrap();
    assert!(at.join("run").join(path).is_file(), "{path}");
    assert_eq!(run.last()["reason"], "completed");
    let (late, status) = ctl(at, &["bleu"]);
    assert!(late["error"].as_str().unwrap().contains("finetop eval RUN"), "{late}");
    assert_eq!(status, Some(1));

    let other = prepared("max_steps = 400", 4000);
    let at = other.path();
    let mut run = Training::start(at);
    let ordered = std::thread::spawn({
        let at = at.to_owned();
        move || ctl(&at, &["bleu"])
    });
    run.until("it is scored", |log| log.contains("\"event\":\"bleu_progress\""));
    assert_eq!(ctl(at, &["cancel"]).1, Some(0));
    let (reply, status) = ordered.join().unwrap();
    assert_eq!((reply["ok"].as_bool(), status), (Some(false), Some(1)), "{reply}");
    let last = run.last();
    assert_eq!(last["reason"], "completed");
    assert!(last["detail"].as_str().unwrap().contains("the scoring was stopped"), "{last}");
}
