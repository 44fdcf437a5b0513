//! Runs in processes of their own: killed, told to end, commanded and watched by the program itself.
//! The process is this test binary again, told by its environment to play a part.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Output, Stdio};
use std::time::Duration;

use finetop::cli::signals::StopOnSignals;
use finetop::event::{EventSink, FinishReason};
use finetop::run::log::LogSink;
use finetop::run::replay::LogState;
use finetop::run::store::{self, RunFolder, StoreError};
use finetop::run::worker;

use super::support::*;

const PART: &str = "FINETOP_TEST_PART";
const RUN: &str = "FINETOP_TEST_RUN";

fn play(part: &str, run: &Path) -> Child {
    Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::part", "--nocapture"])
        .env(PART, part)
        .env(RUN, run)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test by itself: what a process does that one of the tests below has started.
#[test]
fn part() {
    let (Ok(part), Some(run)) = (std::env::var(PART), std::env::var_os(RUN)) else { return };
    let run = PathBuf::from(run);
    match part.as_str() {
        "train" => {
            // Long enough between two looks of who kills it.
            let before_micro = Box::new(|_| std::thread::sleep(Duration::from_micros(500)));
            train(&run, Fake { before_micro, ..many() });
        }
        "train slowly" => {
            let before_micro = Box::new(|_| std::thread::sleep(Duration::from_millis(2)));
            train(&run, Fake { before_micro, steps: 1_000_000, ..many() });
        }
        "log to a full disk" => log_to_a_full_disk(&run),
        other => panic!("{other}"),
    }
}

fn many() -> Fake {
    Fake { steps: 60, save_every: 4, eval_every: 7, ..Fake::default() }
}

fn train(run: &Path, fake: Fake) {
    let folder = if run.exists() { RunFolder::open(run) } else { RunFolder::create_at(run, &config()) }.unwrap();
    let (handle, running) = worker::start(folder, job(fake)).unwrap();
    let _signals = StopOnSignals::start(handle.commands.clone()).unwrap();
    drop(handle.events);
    assert!(running.wait().error.is_none());
}

fn length(run: &Path) -> u64 {
    fs::metadata(run.join("events.jsonl")).map_or(0, |m| m.len())
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    let place = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole", "killed"].map(|name| place.path().join(name));
    train(&whole, many());
    let mut kills = 0;
    for bytes in (0..).map(|i| 700 + i * 1391 % 4000) {
        let before = length(&killed);
        let mut child = play("train", &killed);
        eventually("the run goes on or ends", || {
            length(&killed) >= before + bytes || child.try_wait().unwrap().is_some()
        });
        let over = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        child.wait().unwrap();
        if over {
            break;
        }
        kills += 1;
        // A kill may come after the last line.
        if let LogState::Finished(_) = read(&killed).state {
            break;
        }
        assert_eq!(read(&killed).state, LogState::Interrupted);
    }
    assert!(kills >= 2, "{kills} kills");
    raw_log(&killed);
    assert_eq!(facts(&read(&killed)), facts(&read(&whole)));
    for link in ["best", "last"] {
        assert_eq!(
            fs::read(killed.join(link).join("weights")).unwrap(),
            fs::read(whole.join(link).join("weights")).unwrap()
        );
    }
}

#[test]
fn a_hang_up_stops_nothing_and_a_term_signal_stops_with_a_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    let mut child = play("train slowly", &run);
    let signal = |signal| {
        // SAFETY: the child is ours and not waited for yet, so that its number is its own.
        assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
    };
    let done = |steps: u64| length(&run) > 0 && read(&run).last_step() >= steps;
    eventually("steps are done", || done(3));
    assert!(matches!(RunFolder::open(&run), Err(StoreError::Busy(_))));
    signal(libc::SIGHUP);
    let before = read(&run).last_step();
    eventually("it goes on", || done(before + 20));
    signal(libc::SIGTERM);
    assert!(child.wait().unwrap().success());
    let LogState::Finished(finished) = read(&run).state else { panic!("no end") };
    assert_eq!(finished.reason, FinishReason::Stopped);
    assert_eq!(store::linked(&run, "last"), Some(finished.steps));
}

#[test]
fn what_a_full_disk_refused_is_written_when_there_is_room_again() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    assert!(play("log to a full disk", &run).wait().unwrap().success());
    assert_eq!(raw_log(&run).len(), 4);
}

fn log_to_a_full_disk(run: &Path) {
    let limit = |bytes: u64| {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: both calls only change how this process treats its own files.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
        }
    };
    let folder = RunFolder::create_at(run, &config()).unwrap();
    let (sender, heard) = std::sync::mpsc::channel();
    let mut sink = LogSink::open(folder.path(), Box::new(|| Duration::ZERO), Some(sender)).unwrap();
    sink.emit(started("x", None, 4));
    limit(length(run) + 40);
    sink.emit(step_done(1));
    sink.emit(step_done(2));
    assert!(sink.failure().unwrap().contains("File too large"));
    limit(libc::RLIM_INFINITY);
    sink.emit(step_done(3));
    assert_eq!(sink.failure(), None);
    assert_eq!(heard.try_iter().count(), 4);
}

fn finetop(arguments: &[&str], at: &Path) -> Output {
    Process::new(env!("CARGO_BIN_EXE_finetop")).args(arguments).current_dir(at).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_run_that_somebody_prepares_to_go_on_with_is_watched_on_by_the_program() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    worker::start(RunFolder::create_at(&run, &config()).unwrap(), job(Fake::default())).unwrap().1.wait();
    let held = RunFolder::open(&run).unwrap();
    let mut watching = Process::new(env!("CARGO_BIN_EXE_finetop"))
        .args(["watch", "run"])
        .current_dir(place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("completed after")), "the end of the segment before");
    LogSink::open(&run, Box::new(|| Duration::ZERO), None).unwrap().emit(started("run", Some(6), 9));
    assert_eq!(lines.nth(1).as_deref(), Some("resumed from step 6"));
    drop(held);
    assert!(lines.any(|line| line.starts_with("interrupted after")));
    assert!(watching.wait().unwrap().success());
}

#[test]
fn a_live_run_is_commanded_and_watched_by_the_program() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("runs/demo");
    let mut child = play("train slowly", &run);
    eventually("steps are done", || length(&run) > 0 && read(&run).last_step() >= 3);
    let watching = Process::new(env!("CARGO_BIN_EXE_finetop"))
        .args(["watch", "demo"])
        .current_dir(place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let ctl = |command| said(&finetop(&["ctl", "demo", command], place.path()));
    let json = |(code, out, _): (Option<i32>, String, String)| -> serde_json::Value {
        assert_eq!((code, out.lines().count()), (Some(0), 1), "{out}");
        serde_json::from_str(&out).unwrap()
    };
    assert_eq!(json(ctl("pause"))["state"], "paused");
    let paused_at = facts(&read(&run)).len();
    assert_eq!(json(ctl("pause"))["state"], "paused");
    assert_eq!(facts(&read(&run)).len(), paused_at);
    assert_eq!(json(ctl("resume"))["state"], "running");
    let saved = json(ctl("save"));
    assert!(run.join(saved["path"].as_str().unwrap()).is_dir());
    assert!(json(ctl("eval"))["step"].as_u64().unwrap() >= saved["step"].as_u64().unwrap());
    let stopped = json(ctl("stop"));
    assert_eq!((stopped["ok"].as_bool(), stopped["state"].as_str()), (Some(true), Some("finished")));
    assert!(child.wait().unwrap().success());
    // Answered again after the end, and refused what can no longer be done.
    assert_eq!(json(ctl("stop"))["state"], "finished");
    let (code, out, err) = ctl("pause");
    assert_eq!(code, Some(1));
    assert!(out.contains(r#""ok":false"#) && err.contains("the run has finished at step"), "{out}{err}");
    let watched = said(&watching.wait_with_output().unwrap());
    assert_eq!(watched.0, Some(0));
    // The same lines from the finished log.
    assert_eq!(said(&finetop(&["watch", "runs/demo"], place.path())).1, watched.1);
    assert!(
        watched.1.starts_with("run demo: Tiny on cpu, 10 of 1,000 parameters train, 1000000 steps\n"),
        "{}",
        watched.1
    );
    assert!(watched.1.lines().last().unwrap().starts_with("stopped after"), "{}", watched.1);
    // An interrupted run says so, to both.
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    fs::write(run.join("events.jsonl"), &text[..text.trim_end().rfind('\n').unwrap() + 1]).unwrap();
    assert!(said(&finetop(&["watch", "demo"], place.path())).1.contains("interrupted after step"));
    let (code, _, err) = ctl("save");
    assert_eq!(code, Some(1));
    assert!(err.contains("no process runs this"), "{err}");
}

#[test]
fn wrong_use_and_wrong_input_are_exit_2_and_say_what_is_wrong() {
    let place = tempfile::tempdir().unwrap();
    let at = place.path();
    fs::write(at.join("bad.toml"), "[data]\ntrain = \"t\"\n[train]\nlearning_rte = 1\n").unwrap();
    fs::write(at.join("good.toml"), "[data]\ntrain = \"t\"\n").unwrap();
    fs::create_dir(at.join("exists")).unwrap();
    for (arguments, expected) in [
        (
            &["train", "bad.toml", "--headless"][..],
            "bad.toml:4: train.learning_rte is no setting; did you mean learning_rate?",
        ),
        (&["train", "good.toml", "--set", "train.lr=1"], "--set train.lr=1: train.lr is no setting"),
        (&["train", "good.toml", "--run-dir", "exists"], "exists exists already; go on with it by --resume"),
        (&["train", "good.toml", "--run-dir", "none", "--resume"], "none holds no run: the folder is missing"),
        (&["train", "good.toml", "--resume"], "no run of good under"),
        (&["train", "good.toml", "--init-adapter", "none"], "--init-adapter none: expected a folder with an adapter"),
        (&["train", "gone.toml"], "gone.toml: cannot be read: No such file"),
        (&["train"], "<FILE>"),
        (&["watch", "exists"], "exists holds no run: config.toml is missing"),
        (&["ctl", "exists", "stop"], "exists holds no run: config.toml is missing"),
        (&["ctl", "exists", "halt"], "invalid value 'halt'"),
        (&["eval", "good.toml"], "good.toml has no data.eval"),
        (&["eval", "good.toml", "--split", "test"], "good.toml has no data.test"),
        (&["eval", "good.toml", "--adapter", "best"], "--adapter best is a checkpoint of a run"),
        (&["eval", "good.toml", "--metrics", "beauty"], "invalid value 'beauty'"),
        (&["generate", "--model", "m.gguf", "--adapter", "none", "x"], "--adapter none: expected a folder"),
        (&["generate", "x"], "--model <SOURCE>"),
        (&["frobnicate"], "unrecognized subcommand"),
    ] {
        let (code, out, err) = said(&finetop(arguments, at));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    assert!(!at.join("runs").exists());
    assert_eq!(said(&finetop(&["--help"], at)).0, Some(0));
}

#[test]
fn a_resume_takes_the_settings_of_the_run_and_only_what_changes_no_result() {
    let place = tempfile::tempdir().unwrap();
    let at = place.path();
    fs::write(at.join("x.toml"), "[data]\ntrain = \"t\"\n[train]\nmax_steps = 7\n").unwrap();
    let config = finetop::config::parse::load(&at.join("x.toml"), &["train.max_steps=6".into()]).unwrap();
    let run = at.join("run");
    let folder = RunFolder::create_at(&run, &config).unwrap();
    let (_, running) = worker::start(folder, job(Fake::default())).unwrap();
    running.wait();
    let resume = |more: &[&str]| {
        said(&finetop(&[&["train", "x.toml", "--run-dir", "run", "--resume", "--headless"], more].concat(), at))
    };
    let (code, _, err) = resume(&["--set", "train.learning_rate=1e-3"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("--resume cannot change train.learning_rate from 0.0002 to 0.001"), "{err}");
    assert!(err.contains("what may change is data.test, train.gradient_checkpointing"), "{err}");
    // A completed run has nothing left to do; what the file says otherwise is told and not taken.
    let (code, out, err) = resume(&[]);
    assert_eq!((code, out.trim_end()), (Some(0), run.canonicalize().unwrap().to_str().unwrap()));
    assert!(err.contains("train.max_steps stays 6 as the run began; x.toml says 7"), "{err}");
    assert!(err.contains("has completed its 6 steps"), "{err}");
    assert_eq!(said(&finetop(&["train", "run", "--resume"], at)).0, Some(0));
    assert_eq!(said(&finetop(&["train", "run/config.toml", "--resume"], at)).0, Some(0));
}
