//! Reports through the program: made when a run ends and by `finetop eval`, gone on with after a kill, equal whatever interrupted them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use finetop::eval::report::{Ended, Header, Report, ReportRow};
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny")
}

/// A folder with data and `tiny.toml`; `rows` test rows whose references differ in number.
fn prepared(rows: usize, more: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let prompt = |i: usize| format!("name[thing {i}], price[{} won]\\n", 100 + 7 * i);
    let text = |i: usize| format!("The thing {i} costs {} won.", 100 + 7 * i);
    let pair = |i: usize| format!("{{\"prompt\": \"{}\", \"completion\": \"{}\"}}\n", prompt(i), text(i));
    let test = |i: usize| match i % 3 {
        0 => format!("{{\"prompt\": \"{}\", \"references\": [\"{}\", \"For {} won.\"]}}\n", prompt(i), text(i), i),
        1 => format!("{{\"prompt\": \"{}\", \"references\": [\"{}\"]}}\n", prompt(i), text(i)),
        _ => pair(i),
    };
    let write = |name: &str, text: String| fs::write(place.path().join(name), text).unwrap();
    write("train.jsonl", (0..16).map(pair).collect());
    write("eval.jsonl", (20..24).map(pair).collect());
    write("test.jsonl", (30..30 + rows).map(test).collect());
    let config = format!(
        "[model]\nsource = {:?}\n[data]\ntrain = \"train.jsonl\"\neval = \"eval.jsonl\"\ntest = \"test.jsonl\"\n\
         [train]\nmax_steps = 2\nlearning_rate = 1e-2\n[bleu]\nmax_new_tokens = 24\n{more}\n",
        fixtures().join("llama")
    );
    write("tiny.toml", config);
    place
}

fn finetop(at: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_finetop")).current_dir(at).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn report(at: &Path, name: &str) -> Report {
    serde_json::from_str(&fs::read_to_string(at.join("bleu").join(format!("{name}.json"))).unwrap()).unwrap()
}

fn events(run: &Path, kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).filter(|e| e["event"] == kind).collect()
}

/// What a row says, but for how long it took.
fn words(report: &Report) -> Vec<(u64, String, u64, Ended)> {
    report.rows.iter().map(|r| (r.row, r.hypothesis.clone(), r.tokens, r.ended)).collect()
}

#[test]
fn a_run_ends_with_a_report_of_its_adapter_and_one_of_the_base() {
    let place = prepared(9, "");
    let at = place.path();
    done(&finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "run"]));
    let run = at.join("run");
    let (ours, base) = (report(&run, "step-000002-test"), report(&run, "base-test"));
    for report in [&ours, &base] {
        assert_eq!((report.rows.len(), report.rows_total, report.is_partial()), (9, 9, false));
        assert!(report.rows.iter().enumerate().all(|(i, r)| r.row == i as u64 && r.line == i as u64 + 1));
        assert!(report.rows.iter().all(|r| r.tokens <= 24 && r.prompt_tokens > 0));
        assert_eq!(report.tokens, report.rows.iter().map(|r| r.tokens).sum::<u64>());
        let bleu = report.bleu().unwrap();
        assert!(bleu.signature.starts_with("nrefs:var|bs:1000|seed:12345|case:mixed|eff:no|tok:13a"), "{bleu:?}");
        assert!(bleu.ci.is_some() && report.score("chrF2").is_some());
    }
    assert_eq!((ours.subject.adapter.step, ours.subject.adapter.name.as_str()), (Some(2), "best"));
    assert_eq!((base.subject.adapter.step, base.subject.adapter.name.as_str()), (None, "none"));
    assert_eq!(ours.rows[0].references.len(), 2);
    let losses = events(&run, "eval_done");
    let of = |step: u64| losses.iter().rfind(|e| e["step"] == step).and_then(|e| e["eval_loss"].as_f64());
    assert_eq!((ours.eval_loss, base.eval_loss), (of(2), of(0)));
    let told = events(&run, "bleu_done");
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["report"], "bleu/step-000002-test.json");
    assert_eq!(told[0]["score"].as_f64(), Some(ours.bleu().unwrap().score));
    // Scores come before the end of the run.
    let finished = events(&run, "run_finished");
    assert!(finished[0]["seq"].as_u64() > told[1]["seq"].as_u64() && finished[0]["reason"] == "completed");
}

#[test]
fn a_report_that_was_cut_off_anywhere_goes_on_and_equals_the_one_that_was_not() {
    let place = prepared(12, "run_after_training = false\nper_device_eval_batch_size = 3");
    let at = place.path();
    done(&finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "run"]));
    let run = at.join("run");
    let eval = ["eval", "run", "--split", "test", "--metrics", "bleu,chrf,ter", "--json"];
    let whole: Value = serde_json::from_str(&done(&finetop(at, &eval))).unwrap();
    let names: Vec<_> = whole["scores"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["BLEU", "chrF2", "TER"]);
    assert_eq!((&whole["adapter"], &whole["eval_loss"], &whole["rows"]), (&"best".into(), &Value::Null, &12.into()));
    let expected = report(&run, "step-000002-test");
    let file = run.join("bleu/step-000002-test.json");
    assert_eq!(whole["report"].as_str(), Some("run/bleu/step-000002-test.json"));
    let header = Header {
        schema: 1,
        name: expected.name.clone(),
        subject: expected.subject.clone(),
        rows_total: 12,
        started_unix_ms: 1,
    };
    let line = |v: &dyn Fn() -> serde_json::Result<String>| v().unwrap() + "\n";
    let part = run.join("bleu/step-000002-test.part.jsonl");
    for kept in [0, 1, 5, 11, 12] {
        // What is kept is told apart from what is generated again.
        let mark = |r: &ReportRow| ReportRow { duration_us: 77, ..r.clone() };
        let mut text = line(&|| serde_json::to_string(&header));
        for row in &expected.rows[..kept] {
            text += &line(&|| serde_json::to_string(&mark(row)));
        }
        // The line that was being written when it ended.
        text += "{\"row\": 11, \"line\": 1";
        fs::write(&part, text).unwrap();
        fs::remove_file(&file).unwrap();
        done(&finetop(at, &eval));
        let again = report(&run, "step-000002-test");
        assert_eq!(words(&again), words(&expected), "{kept}");
        assert_eq!(again.rows.iter().filter(|r| r.duration_us == 77).count(), kept);
        assert_eq!(again.scores, expected.scores);
        assert!(!part.exists());
    }
    // Rows of something else are given up.
    let other = finetop::eval::report::Subject { split_sha256: "other".into(), ..expected.subject.clone() };
    let text = line(&|| serde_json::to_string(&Header { subject: other.clone(), ..header.clone() }));
    fs::write(&part, text + &line(&|| serde_json::to_string(&expected.rows[0]))).unwrap();
    fs::remove_file(&file).unwrap();
    done(&finetop(at, &eval));
    assert_eq!(words(&report(&run, "step-000002-test")), words(&expected));
}

#[test]
fn a_run_that_is_killed_while_it_is_scored_goes_on_scoring_when_it_is_resumed() {
    let place = prepared(400, "per_device_eval_batch_size = 1");
    let at = place.path();
    let mut child = Command::new(env!("CARGO_BIN_EXE_finetop"))
        .current_dir(at)
        .args(["train", "tiny.toml", "--headless", "--run-dir", "run"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = at.join("run/bleu/step-000002-test.part.jsonl");
    let begun = Instant::now();
    while fs::read_to_string(&part).map_or(0, |t| t.lines().count()) < 3 {
        assert!(begun.elapsed() < Duration::from_secs(120), "no row came");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before: Vec<ReportRow> =
        fs::read_to_string(&part).unwrap().lines().skip(1).filter_map(|l| serde_json::from_str(l).ok()).collect();
    // The last line may be torn; the others are kept as they are.
    let before = &before[..before.len().min(2)];
    let mut arguments = vec!["train", "run", "--resume", "--headless"];
    arguments.extend(["--set", "bleu.per_device_eval_batch_size=32", "--set", "bleu.compare_base=false"]);
    done(&finetop(at, &arguments));
    let whole = report(&at.join("run"), "step-000002-test");
    assert_eq!(whole.rows.len(), 400);
    for row in before {
        assert_eq!(&whole.rows[row.row as usize], row);
    }
    assert_eq!(events(&at.join("run"), "bleu_done").len(), 1);
}

#[test]
fn what_a_report_has_is_not_generated_again_unless_somebody_says_so() {
    let place = prepared(5, "run_after_training = false");
    let at = place.path();
    let eval = ["eval", "tiny.toml", "--split", "test", "--metrics", "bleu", "--json"];
    let first: Value = serde_json::from_str(&done(&finetop(at, &eval))).unwrap();
    // Without a run reports go where runs go.
    assert_eq!(first["adapter"], "none");
    let file = PathBuf::from(first["report"].as_str().unwrap());
    assert!(file.ends_with("runs/bleu/base-test.json"), "{file:?}");
    let file = at.join(&file);
    let of = |file: &Path| -> Report { serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap() };
    let was = of(&file);
    let marked = Report { peak_bytes: Some(5), ..was.clone() };
    fs::write(&file, serde_json::to_string(&marked).unwrap()).unwrap();
    let ter = ["eval", "tiny.toml", "--split", "test", "--metrics", "ter", "--json"];
    let told: Value = serde_json::from_str(&done(&finetop(at, &ter))).unwrap();
    let rescored = of(&file);
    assert_eq!((rescored.peak_bytes, rescored.rows == was.rows), (Some(5), true));
    // What was asked is told, and what the report had stays in it.
    assert_eq!((told["scores"].as_array().unwrap().len(), &told["scores"][0]["name"]), (1, &"TER".into()));
    let names: Vec<&str> = rescored.scores.iter().map(|s| s.name.as_str()).collect();
    assert_eq!((names, rescored.bleu(), rescored.length_ratio), (vec!["BLEU", "TER"], was.bleu(), was.length_ratio));
    done(&finetop(at, &[&eval[..], &["--again"]].concat()));
    let again = of(&file);
    assert_ne!(again.peak_bytes, Some(5));
    assert_eq!(words(&again), words(&was));
    // Other decoding is another report beside it, and so are other weights of the same model.
    done(&finetop(at, &[&eval[..], &["--set", "bleu.num_beams=2"]].concat()));
    assert_eq!(of(&at.join("runs/bleu/base-test-2.json")).subject.decoding.num_beams, 2);
    done(&finetop(at, &[&eval[..], &["--set", "adapter.quantization=q4_0"]].concat()));
    let packed = of(&at.join("runs/bleu/base-test-3.json")).subject.weights.unwrap();
    assert_eq!(packed.sampled_sha256, was.subject.weights.as_ref().unwrap().sampled_sha256);
    assert_eq!((packed.method.as_str(), packed.quantization.as_str(), packed.dtype.as_str()), ("qlora", "q4_0", "f32"));
    assert_eq!(words(&of(&file)), words(&was));
    // Too little memory for the model is no wrong use.
    let short = finetop(at, &[&eval[..], &["--again", "--set", "memory.limit=\"2MiB\""]].concat());
    let error = String::from_utf8(short.stderr).unwrap();
    assert!(short.status.code() == Some(1) && error.contains("out of memory"), "{error}");
}

#[test]
fn rows_that_cannot_be_used_are_left_out_of_the_score_and_told() {
    let place = prepared(3, "");
    let at = place.path();
    let mut rows = fs::read_to_string(at.join("test.jsonl")).unwrap();
    rows += &format!("{{\"prompt\": \"{}\", \"references\": [\"x\"]}}\nno row\n", "many words ".repeat(2000));
    fs::write(at.join("test.jsonl"), &rows).unwrap();
    done(&finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "run"]));
    let run = at.join("run");
    for name in ["step-000002-test", "base-test"] {
        let report = report(&run, name);
        assert_eq!((report.rows.len(), report.rows_total, report.rows_skipped), (3, 3, Some(2)));
    }
    let told = |line: &str| {
        let warnings = events(&run, "warning");
        warnings.iter().filter(|w| w["kind"] == "row_skipped" && w["detail"].as_str().unwrap().contains(line)).count()
    };
    assert_eq!((told("test.jsonl:4: the prompt has"), told("test.jsonl:5: ")), (1, 1));
    let output = finetop(at, &["eval", "run", "--split", "test", "--metrics", "bleu", "--again"]);
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(done(&output).contains("(3 rows of test, 2 left out, adapter best"), "{output:?}");
    assert!(error.contains("test.jsonl:4: ") && error.contains("2 rows cannot be used"), "{error}");
    // Strict data has no such rows.
    let strict = ["eval", "run", "--split", "test", "--metrics", "bleu", "--again", "--set", "data.strict=true"];
    assert_eq!(finetop(at, &strict).status.code(), Some(2));
}

#[test]
fn the_loss_before_training_is_no_loss_of_the_base_where_an_adapter_was_given() {
    let place = prepared(3, "");
    let at = place.path();
    done(&finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "first"]));
    done(&finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "run", "--init-adapter", "first/best"]));
    let run = at.join("run");
    assert!(report(&run, "base-test").eval_loss.is_none() && report(&run, "step-000002-test").eval_loss.is_some());
    done(&finetop(at, &["eval", "run", "--adapter", "none", "--split", "test", "--metrics", "bleu", "--again"]));
    assert!(report(&run, "base-test").eval_loss.is_none());
    // The same weights by another name are the same report.
    let last = ["eval", "run", "--adapter", "last", "--split", "test", "--metrics", "bleu"];
    assert!(done(&finetop(at, &last)).contains("run/bleu/step-000002-test.json (3 rows of test, adapter last"));
}

#[test]
fn what_cannot_be_scored_is_told_by_file_and_line_and_takes_nothing_of_the_run() {
    let place = prepared(3, "");
    let at = place.path();
    let long = "many words ".repeat(2000);
    fs::write(at.join("test.jsonl"), format!("{{\"prompt\": \"{long}\", \"references\": [\"x\"]}}\n")).unwrap();
    done(&finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", "run"]));
    let warnings = events(&at.join("run"), "warning");
    let told = warnings.iter().find(|w| w["kind"] == "bleu_failed").unwrap()["detail"].as_str().unwrap();
    assert!(told.contains("test.jsonl: line 1: the prompt has") && told.contains("finetop eval"), "{told}");
    assert_eq!(events(&at.join("run"), "run_finished")[0]["reason"], "completed");
    let output = finetop(at, &["eval", "run", "--split", "test", "--metrics", "bleu"]);
    assert_eq!(output.status.code(), Some(2));
    fs::write(at.join("test.jsonl"), "{\"prompt\": \"a\"}\n").unwrap();
    let output = finetop(at, &["eval", "run", "--split", "test", "--metrics", "bleu"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && error.contains("test.jsonl") && error.contains("line 1"), "{error}");
}
