//! `finetop bleu` over files: what it prints, and what it says of files that cannot be scored. The numbers themselves are `eval.rs`'s.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder with the files of a small task.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("hyp", "the cat sat on the mat\r\nthere is a pub\nBlue Spice is near the river . \n");
    write("base", "a dog\nthere is a pub here\nthe river\n");
    write("ref1", "the cat sat on a mat\nthere is a nice pub\nBlue Spice is near the river.\n");
    write("ref2", "a cat is on the mat\n\nNear the river is Blue Spice.");
    folder
}

fn finetop(folder: &Path, arguments: &str) -> Output {
    let arguments = ["bleu"].into_iter().chain(arguments.split(' '));
    Command::new(env!("CARGO_BIN_EXE_finetop"))
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn printed(folder: &Path, arguments: &str) -> String {
    let output = finetop(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The message of wrong use.
fn refused(folder: &Path, arguments: &str) -> String {
    let output = finetop(folder, arguments);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{arguments}");
    String::from_utf8(output.stderr).unwrap()
}

/// Without the version.
fn sacrebleus(line: &str) -> String {
    line.replace(concat!("|version:finetop-", env!("CARGO_PKG_VERSION")), "")
}

#[test]
fn a_line_for_each_metric_is_the_one_that_sacrebleu_prints() {
    let folder = folder();
    let lines = printed(folder.path(), "--hyp hyp --ref ref1 ref2 --metric bleu,chrf,ter --word-order 2");
    assert_eq!(sacrebleus(&lines), LINES);
    let separate =
        printed(folder.path(), "--hyp hyp --ref ref1 --ref ref2 --metric bleu --metric chrf,ter --word-order 2");
    assert_eq!(lines, separate);
}

#[test]
fn options_reach_their_metric() {
    let folder = folder();
    for (options, signature) in [
        ("--tokenize intl --smooth-method floor --lowercase", "case:lc|eff:no|tok:intl|smooth:floor[0.10]"),
        ("--smooth-method add-k --smooth-value 2 --effective-order", "case:mixed|eff:yes|tok:13a|smooth:add-k[2.00]"),
        (
            "--metric chrf --char-order 4 --chrf-whitespace --chrf-eps-smoothing",
            "case:mixed|eff:no|nc:4|nw:0|space:yes",
        ),
        (
            "--metric ter --ter-normalized --ter-no-punct --ter-asian-support --ter-case-sensitive",
            "case:mixed|tok:tercom|norm:yes|punct:no|asian:yes",
        ),
    ] {
        let line = printed(folder.path(), &format!("--hyp hyp --ref ref1 {options}"));
        assert!(line.contains(&format!("|nrefs:1|{signature}|version:finetop-")), "{line}");
    }
}

#[test]
fn json_has_a_score_a_line_with_sentences_and_interval_where_asked_for() {
    let folder = folder();
    let lines = printed(
        folder.path(),
        "--hyp hyp --ref ref1 --metric bleu,ter --json --sentence-level --confidence --confidence-n 50",
    );
    let scores: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&scores[0]["name"], &scores[1]["name"]), (&"BLEU".into(), &"TER".into()));
    for score in &scores {
        assert_eq!(score["sentences"].as_array().unwrap().len(), 3);
        assert!(score["ci"]["low"].as_f64().unwrap() <= score["ci"]["high"].as_f64().unwrap());
        assert!(score["signature"].as_str().unwrap().starts_with("nrefs:1|bs:50|seed:12345|case:"));
    }
    let plain: Value = serde_json::from_str(&printed(folder.path(), "--hyp hyp --ref ref1 --json")).unwrap();
    assert!(plain["ci"].is_null() && plain.get("sentences").is_none() && plain.get("paired").is_none());
    assert_eq!((plain["sys_len"].as_u64(), plain["counts"].as_array().unwrap().len()), (Some(17), 4));
}

#[test]
fn sentences_are_printed_one_a_line_with_their_effective_order() {
    let folder = folder();
    let lines = printed(folder.path(), "--hyp hyp --ref ref1 --sentence-level");
    assert_eq!(lines.lines().count(), 3);
    assert!(
        lines.lines().all(|line| line.starts_with("BLEU|nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|version:")),
        "{lines}"
    );
    assert!(
        lines.contains(" = 100.0 100.0/100.0/100.0/100.0 (BP = 1.000 ratio = 1.000 hyp_len = 7 ref_len = 7)"),
        "{lines}"
    );
}

#[test]
fn a_paired_test_shows_both_systems_and_its_p_value() {
    let folder = folder();
    for (test, signature) in
        [("--paired-bs", "nrefs:1|bs:1000|seed:12345"), ("--paired-ar --paired-ar-n 100", "nrefs:1|ar:100|seed:12345")]
    {
        let table = printed(folder.path(), &format!("--hyp hyp --ref ref1 {test} --baseline base"));
        assert!(table.contains(signature) && table.contains("Baseline: base") && table.contains("p = "), "{table}");
        let json = printed(folder.path(), &format!("--hyp hyp --ref ref1 {test} --baseline base --json"));
        let json: Value = serde_json::from_str(&json).unwrap();
        assert!(json["score"].as_f64() > json["paired"]["baseline"].as_f64());
        assert!((0.0..=1.0).contains(&json["paired"]["p_value"].as_f64().unwrap()));
    }
}

#[test]
fn a_hypothesis_can_come_from_standard_input() {
    let folder = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_finetop"))
        .current_dir(folder.path())
        .args(["bleu", "--hyp", "-", "--ref", "ref1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(folder.path().join("hyp")).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), printed(folder.path(), "--hyp hyp --ref ref1"));
    assert!(refused(folder.path(), "--hyp - --ref -").contains("once only"));
}

#[test]
fn files_that_cannot_be_scored_are_named_with_the_line() {
    let folder = folder();
    fs::write(folder.path().join("short"), "one\ntwo\n").unwrap();
    fs::write(folder.path().join("latin1"), b"one\ncaf\xe9\nthree\n").unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    for (arguments, message) in [
        ("--hyp hyp --ref missing", "missing: No such file"),
        ("--hyp hyp --ref ref1 short", "short has 2 lines; expected 3, as many as hyp"),
        ("--hyp short --ref short ref1 ref2", "ref1 has 3 lines; expected 2, as many as short"),
        ("--hyp hyp --ref latin1", "latin1:2: no UTF-8 from byte 4"),
        ("--hyp empty --ref empty", "empty has no lines"),
        ("--hyp hyp --ref ref1 --paired-bs --baseline short", "short has 2 lines"),
        ("--hyp hyp --ref ref1 --tokenize ja-mecab", "ja-mecab needs the MeCab"),
        ("--hyp hyp --ref ref1 --smooth-method best", "exp, floor, add-k, none"),
        ("--hyp hyp --ref ref1 --metric chrf --char-order 0", "the character order is 0"),
        ("--hyp hyp --ref ref1 --baseline base", "--baseline is for"),
        ("--hyp hyp --ref ref1 --paired-ar", "--baseline"),
        ("--hyp hyp --ref ref1 --sentence-level --metric bleu,ter", "one metric"),
        ("--hyp hyp --ref ref1 --confidence --confidence-n 0", "from 1 to"),
    ] {
        let said = refused(folder.path(), arguments);
        assert!(said.contains(message), "{arguments}: {said}");
    }
}

/// By sacrebleu 2.6: `sacrebleu ref1 ref2 -i hyp -m bleu chrf ter --chrf-word-order 2 -f text`, its version taken out.
const LINES: &str = "\
BLEU|nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp = 77.1 94.1/92.9/81.8/62.5 (BP = 0.943 ratio = 0.944 hyp_len = 17 ref_len = 18)
chrF2++|nrefs:2|case:mixed|eff:yes|nc:6|nw:2|space:no = 81.0
TER|nrefs:2|case:lc|tok:tercom|norm:no|punct:yes|asian:no = 27.6
";
