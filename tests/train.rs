//! The program trains a real model, a tiny one: what it leaves on disk, what the log says, how it goes on after a kill, what comes out.
//! The model is `tests/fixtures/tiny/llama`; numbers against PyTorch are in `engine.rs`, a run without a model in `run/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny")
}

/// A folder with data and a configuration: uneven rows, dropout, shuffling, an epoch whose last step is short.
fn prepared(train: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let rows = |n: usize, first: usize| -> String {
        let row = |i: usize| {
            let (name, price) = (["lamp", "old bicycle", "wooden table"][i % 3], 10 + 7 * i);
            let place = if i.is_multiple_of(2) { ", place[river]" } else { "" };
            let prompt = format!("name[{name}], price[{price} won]{place}\\n");
            format!("{{\"prompt\": \"{prompt}\", \"completion\": \"The {name} costs {price} won.\"}}\n")
        };
        (first..first + n).map(row).collect()
    };
    fs::write(place.path().join("train.jsonl"), rows(22, 0)).unwrap();
    fs::write(place.path().join("eval.jsonl"), rows(5, 40)).unwrap();
    let model = fixtures().join("llama");
    let text = format!(
        "[model]\nsource = {model:?}\n[adapter]\nr = 4\nlora_alpha = 8\nlora_dropout = 0.1\n\
         [data]\ntrain = \"train.jsonl\"\neval = \"eval.jsonl\"\nmax_seq_length = 128\n\
         [bleu]\nrun_after_training = false\n[train]\nper_device_train_batch_size = 2\ngradient_accumulation_steps = 3\n\
         learning_rate = 5e-3\n{train}"
    );
    fs::write(place.path().join("tiny.toml"), text).unwrap();
    place
}

fn finetop(at: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_finetop")).args(arguments).current_dir(at).stdin(Stdio::null()).output().unwrap()
}

fn done(output: Output) -> (String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{:?}\n{out}\n{err}", output.status);
    (out, err)
}

fn events(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(events: &'a [Value], name: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |e| e["event"] == name)
}

/// The facts of a run by kind and step, without times and memory; those that a resume did again once, as they were said last.
fn facts(events: &[Value]) -> BTreeMap<(String, u64, u64), Value> {
    let mut facts = BTreeMap::new();
    for event in events {
        let name = event["event"].as_str().unwrap();
        if !["micro_batch_done", "step_done", "eval_done", "checkpoint_saved"].contains(&name) {
            continue;
        }
        let mut event = event.clone();
        for measured in ["seq", "elapsed_ms", "duration_us", "used_bytes", "peak_bytes"] {
            event.as_object_mut().unwrap().remove(measured);
        }
        let number = |key: &str| event[key].as_u64().unwrap_or(0);
        facts.insert((name.to_owned(), number("step"), number("micro")), event);
    }
    facts
}

#[test]
fn a_run_learns_saves_and_leaves_a_log_without_gaps() {
    let place = prepared("num_train_epochs = 3\neval_steps = 4\nsave_steps = 4\nsave_total_limit = 2\n");
    let at = place.path();
    let (out, err) = done(finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "run"]));
    let run = at.join("run");
    assert_eq!(Path::new(out.trim_end().lines().last().unwrap()), run.canonicalize().unwrap());
    assert!(err.lines().count() < 40, "a log is to be read:\n{err}");
    let events = events(&run);
    for (i, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], i as u64);
    }
    assert_eq!((&events[0]["event"], &events[0]["schema"]), (&"run_started".into(), &1.into()));
    assert_eq!(events.last().unwrap()["reason"], "completed");
    // 22 rows in micro-batches of two, three a step: the fourth step of each epoch has two, and every target counts the same.
    let steps: Vec<_> = of(&events, "step_done").collect();
    assert_eq!(steps.len(), 12);
    for step in steps {
        let micros: Vec<_> = of(&events, "micro_batch_done").filter(|m| m["step"] == step["step"]).collect();
        assert_eq!(micros.len(), if step["step"].as_u64().unwrap().is_multiple_of(4) { 2 } else { 3 });
        let sum = |key: &str| micros.iter().map(|m| m[key].as_f64().unwrap()).sum::<f64>();
        assert_eq!(sum("target_tokens"), step["target_tokens"].as_f64().unwrap());
        assert_eq!(sum("tokens"), step["tokens"].as_f64().unwrap());
        let loss = sum("loss_sum_nats") / sum("target_tokens");
        assert!((loss - step["loss"].as_f64().unwrap()).abs() < 1e-12);
    }
    let evals: Vec<_> = of(&events, "eval_done").collect();
    assert_eq!(evals.iter().map(|e| e["step"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 4, 8, 12]);
    let losses: Vec<f64> = evals.iter().map(|e| e["eval_loss"].as_f64().unwrap()).collect();
    assert!(losses[3] < 0.9 * losses[0], "{losses:?}");
    assert!(fs::read_dir(run.join("checkpoints")).unwrap().count() <= 3);

    // What eval says of the saved adapter is what the run said when it saved it.
    let report = |adapter: &str| -> Value {
        let arguments = ["eval", "run", "--split", "eval", "--metrics", "loss", "--json", "--adapter", adapter];
        serde_json::from_str(&done(finetop(at, &arguments)).0).unwrap()
    };
    let (best, none) = (report("best"), report("none"));
    let least = losses[1..].iter().copied().fold(f64::INFINITY, f64::min);
    assert!((best["eval_loss"].as_f64().unwrap() / least - 1.0).abs() < 1e-6);
    assert!((none["eval_loss"].as_f64().unwrap() / losses[0] - 1.0).abs() < 1e-6);
    assert_eq!((&best["rows"], &best["target_tokens"]), (&5.into(), &evals[0]["target_tokens"]));

    // And the adapter changes what the model writes.
    let model = fixtures().join("llama");
    let write = |more: &[&str]| {
        let prompt = "name[lamp], price[31 won]\n";
        let start = ["generate", "--model", model.to_str().unwrap(), "--max-new-tokens", "12"];
        done(finetop(at, &[&start, more, &[prompt]].concat())).0
    };
    assert_ne!(write(&[]), write(&["--adapter", "run/last"]));
}

#[test]
fn a_run_that_is_killed_and_resumed_equals_one_that_was_not_byte_for_byte() {
    let place = prepared("max_steps = 120\neval_steps = 10\nsave_steps = 7\nsave_total_limit = 0\n");
    let at = place.path();
    done(finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "whole"]));
    let killed = at.join("killed");
    let steps_so_far = || {
        let text = fs::read_to_string(killed.join("events.jsonl")).unwrap_or_default();
        text.lines().filter(|l| l.contains(r#""event":"step_done""#)).count()
    };
    let mut kills = 0;
    for more in [9, 24, 31] {
        let aim = steps_so_far() + more;
        let fresh = ["train", "tiny.toml", "--headless", "--run-dir", "killed"];
        let resumed = [&fresh[..], &["--resume"]].concat();
        let mut child = Command::new(env!("CARGO_BIN_EXE_finetop"))
            .args(if kills == 0 { &fresh[..] } else { &resumed })
            .current_dir(at)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(120);
        while steps_so_far() < aim && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "{} steps of {aim}", steps_so_far());
            std::thread::sleep(Duration::from_millis(1));
        }
        // SIGKILL: nothing can be tidied up.
        kills += i32::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert!(kills >= 2, "the run was over too soon to be killed");
    done(finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "killed", "--resume"]));
    let whole = at.join("whole");
    assert_eq!(facts(&events(&killed)), facts(&events(&whole)));
    for link in ["best", "last"] {
        assert_eq!(fs::read_link(killed.join(link)).unwrap(), fs::read_link(whole.join(link)).unwrap());
        for file in ["adapter_model.safetensors", "adapter_config.json", "optimizer.safetensors", "trainer_state.json"]
        {
            let [a, b] = [&killed, &whole].map(|run| fs::read(run.join(link).join(file)).unwrap());
            assert!(a == b, "{link}/{file} differs");
        }
    }
    let resumed: Vec<_> = events(&killed).iter().filter_map(|e| e["resumed_from"].as_u64()).collect();
    assert_eq!(resumed.len(), kills as usize);
}

#[test]
fn an_eval_that_a_second_stop_cuts_off_is_made_by_the_resume() {
    let place = prepared("max_steps = 2\neval_steps = 1\nsave_steps = 1\n");
    let at = place.path();
    let rows = fs::read_to_string(at.join("eval.jsonl")).unwrap();
    fs::write(at.join("eval.jsonl"), rows.repeat(1600)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_finetop"))
        .args(["train", "tiny.toml", "--headless", "--run-dir", "run"])
        .current_dir(at)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let log = || fs::read_to_string(at.join("run/events.jsonl")).unwrap_or_default();
    let until = Instant::now() + Duration::from_secs(120);
    while !log().contains(r#""event":"step_done""#) {
        assert!(Instant::now() < until && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(1));
    }
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the child is ours and not waited for yet.
        assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
    }
    assert!(child.wait().unwrap().success());
    let run = at.join("run");
    let evals = |events: &[Value]| of(events, "eval_done").map(|e| e["step"].as_u64().unwrap()).collect::<Vec<_>>();
    let first = events(&run);
    assert_eq!((evals(&first), first.last().unwrap()["reason"].as_str()), (vec![0], Some("stopped")));
    done(finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "run", "--resume"]));
    let whole = events(&run);
    assert_eq!((evals(&whole), whole.last().unwrap()["reason"].as_str()), (vec![0, 1, 2], Some("completed")));
}

#[test]
fn an_adapter_that_was_trained_on_chats_is_prompted_by_chats() {
    let place = prepared("max_steps = 2\neval_steps = 0\n");
    let at = place.path();
    let turn = |role: &str, content: &str| format!("{{\"role\": \"{role}\", \"content\": \"{content}\"}}");
    let row = format!("{{\"messages\": [{}, {}]}}\n", turn("user", "name[lamp]"), turn("assistant", "A lamp."));
    fs::write(at.join("train.jsonl"), row.repeat(8)).unwrap();
    done(finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "run"]));
    let model = fixtures().join("llama");
    let prompt_of = |more: &[&str]| {
        let start = ["generate", "--model", model.to_str().unwrap(), "--adapter", "run/last", "--max-new-tokens", "2"];
        let (_, err) = done(finetop(at, &[&start, more, &["name[lamp]"]].concat()));
        err.lines().find(|l| l.starts_with("prompt of")).unwrap().split(" in ").next().unwrap().to_owned()
    };
    assert_eq!(prompt_of(&[]), prompt_of(&["--chat"]));
    assert_ne!(prompt_of(&[]), prompt_of(&["--raw"]));
}

#[test]
fn accumulation_and_checkpointing_change_memory_and_not_the_numbers() {
    let place = prepared("max_steps = 6\neval_steps = 0\n");
    let at = place.path();
    let run = |name: &str, batch: &str, accumulation: &str, checkpointing: &str| -> Vec<(f64, f64)> {
        let set = [
            format!("train.per_device_train_batch_size={batch}"),
            format!("train.gradient_accumulation_steps={accumulation}"),
            format!("train.gradient_checkpointing={checkpointing}"),
        ];
        let mut arguments = vec!["train", "tiny.toml", "--headless", "--run-dir", name];
        set.iter().for_each(|s| arguments.extend(["--set", s]));
        done(finetop(at, &arguments));
        let number = |e: &Value, key: &str| e[key].as_f64().unwrap();
        of(&events(&at.join(name)), "step_done").map(|e| (number(e, "loss"), number(e, "grad_norm"))).collect()
    };
    let wide = run("wide", "6", "1", "true");
    for (name, batch, accumulation, checkpointing) in [("kept", "6", "1", "false"), ("split", "1", "6", "true")] {
        let other = run(name, batch, accumulation, checkpointing);
        assert_eq!(other.len(), wide.len());
        for (a, b) in wide.iter().zip(&other) {
            assert!((a.0 / b.0 - 1.0).abs() < 1e-5 && (a.1 / b.1 - 1.0).abs() < 1e-4, "{name}: {a:?} {b:?}");
        }
    }
}

#[test]
fn rows_that_are_not_there_are_told_before_a_model_is_fetched_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[model]\nsource = \"no-model.gguf\"\n[data]\ntrain = \"nowhere.jsonl\"\n";
    std::fs::write(folder.path().join("x.toml"), text).unwrap();
    let output = finetop(folder.path(), &["train", "x.toml", "--headless"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("data.train: ") && told.contains("nowhere.jsonl") && !told.contains("no-model"), "{told}");
}
