//! Scores are sacrebleu's: every case of `fixtures/eval/scores.json`, which the script beside it has made with sacrebleu 2.6.
//! Not here: the command (`bleu.rs`), laws within one room (beside the code).

use std::path::Path;

use finetop::eval::bleu::{Bleu, Smoothing};
use finetop::eval::chrf::Chrf;
use finetop::eval::significance::{self, SEED, Test};
use finetop::eval::ter::Ter;
use finetop::eval::tokenize::Tokenizer;
use finetop::eval::{Detail, EvalError, Metric, Row, Running, Score};
use serde::Deserialize;
use serde_json::{Value, json};

/// How near to sacrebleu's numbers ours are.
const NEAR: f64 = 1e-6;

#[derive(Deserialize)]
struct Fixture {
    sets: std::collections::BTreeMap<String, Texts>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Texts {
    hypotheses: Vec<String>,
    baseline: Option<Vec<String>>,
    references: Vec<Vec<Option<String>>>,
}

#[derive(Deserialize)]
struct Case {
    set: String,
    metric: String,
    options: Value,
    name: String,
    score: f64,
    signature: String,
    #[serde(flatten)]
    more: Value,
}

impl Texts {
    fn rows<'a>(&'a self, hypotheses: &'a [String]) -> Vec<Row<'a>> {
        let present = |row: &'a Vec<Option<String>>| row.iter().flatten().map(String::as_str).collect();
        hypotheses
            .iter()
            .zip(&self.references)
            .map(|(hypothesis, row)| Row { hypothesis, references: present(row) })
            .collect()
    }
}

impl Case {
    fn metric(&self) -> Box<dyn Metric> {
        let flag = |name: &str| self.options[name].as_bool().unwrap_or(false);
        let number = |name: &str, default: usize| self.options[name].as_u64().map_or(default, |n| n as usize);
        let text = |name: &str, default: &str| self.options[name].as_str().unwrap_or(default).to_string();
        match self.metric.as_str() {
            "bleu" => Box::new(Bleu {
                tokenizer: Tokenizer::named(&text("tokenize", "13a")).unwrap(),
                smoothing: Smoothing::named(&text("smooth_method", "exp"), self.options["smooth_value"].as_f64())
                    .unwrap(),
                lowercase: flag("lowercase"),
                effective_order: flag("effective_order"),
                max_ngram_order: number("max_ngram_order", 4),
            }),
            "chrf" => Box::new(Chrf {
                char_order: number("char_order", 6),
                word_order: number("word_order", 0),
                beta: number("beta", 2) as u32,
                lowercase: flag("lowercase"),
                whitespace: flag("whitespace"),
                eps_smoothing: flag("eps_smoothing"),
            }),
            _ => Box::new(Ter {
                normalized: flag("normalized"),
                no_punct: flag("no_punct"),
                asian_support: flag("asian_support"),
                case_sensitive: flag("case_sensitive"),
            }),
        }
    }
}

fn fixture() -> Fixture {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/eval/scores.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn score(metric: &dyn Metric, rows: &[Row]) -> Score {
    let mut running = Running::new(metric, false, true);
    running.add(rows).unwrap();
    running.score().unwrap()
}

/// What differs, in words.
fn differs(what: &str, ours: f64, theirs: &Value) -> Option<String> {
    let theirs = theirs.as_f64().unwrap();
    ((ours - theirs).abs() > NEAR).then(|| format!("{what} {ours} instead of {theirs}"))
}

fn all_differ<'a>(what: &'a str, ours: &'a [f64], theirs: &'a Value) -> impl Iterator<Item = String> + 'a {
    let theirs = theirs.as_array().unwrap();
    let lengths = (ours.len() != theirs.len()).then(|| format!("{} {what} instead of {}", ours.len(), theirs.len()));
    let each = ours.iter().zip(theirs).enumerate();
    lengths
        .into_iter()
        .chain(each.filter_map(move |(at, (ours, theirs))| differs(&format!("{what} {at}"), *ours, theirs)))
}

#[test]
fn scores_of_corpora_and_sentences_are_those_of_sacrebleu() {
    let fixture = fixture();
    let mut wrong = Vec::new();
    for case in &fixture.cases {
        let texts = &fixture.sets[&case.set];
        let score = score(&*case.metric(), &texts.rows(&texts.hypotheses));
        let mut here: Vec<String> = differs("score", score.score, &json!(case.score)).into_iter().collect();
        if let Some(theirs) = case.more.get("sentences") {
            here.extend(all_differ("sentence", score.sentences.as_deref().unwrap(), theirs));
        }
        match &score.detail {
            Detail::Bleu { precisions, bp, sys_len, ref_len, counts, totals } => {
                here.extend(all_differ("precision", precisions, &case.more["precisions"]));
                here.extend(all_differ("count", counts, &case.more["counts"]));
                here.extend(all_differ("total", totals, &case.more["totals"]));
                here.extend(differs("bp", *bp, &case.more["bp"]));
                here.extend(differs("sys_len", *sys_len as f64, &case.more["sys_len"]));
                here.extend(differs("ref_len", *ref_len as f64, &case.more["ref_len"]));
            }
            Detail::Ter { num_edits, ref_length } => {
                here.extend(differs("num_edits", *num_edits as f64, &case.more["num_edits"]));
                here.extend(differs("ref_length", *ref_length, &case.more["ref_length"]));
            }
            Detail::Chrf { .. } => {}
        }
        if score.name != case.name {
            here.push(format!("name {}", score.name));
        }
        if !here.is_empty() {
            wrong.push(format!("{} {} {}: {}", case.set, case.metric, case.options, here.join("; ")));
        }
    }
    assert!(fixture.cases.len() > 300 && wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn signatures_are_those_of_sacrebleu_but_for_the_version() {
    let fixture = fixture();
    for case in fixture.cases.iter().filter(|case| case.more.get("ci").is_none()) {
        let texts = &fixture.sets[&case.set];
        let score = score(&*case.metric(), &texts.rows(&texts.hypotheses));
        let (signature, version) = score.signature.rsplit_once("|version:").unwrap();
        assert_eq!((signature, version), (case.signature.as_str(), concat!("finetop-", env!("CARGO_PKG_VERSION"))));
    }
}

#[test]
fn intervals_and_paired_tests_are_those_of_sacrebleu() {
    let fixture = fixture();
    let mut wrong = Vec::new();
    for case in fixture.cases.iter().filter(|case| case.more.get("ci").is_some()) {
        let (texts, metric) = (&fixture.sets[&case.set], case.metric());
        let run = |hypotheses: &[String]| {
            let mut running = Running::new(&*metric, true, false);
            running.add(&texts.rows(hypotheses)).unwrap();
            running
        };
        let (system, ci) = (run(&texts.hypotheses), &case.more["ci"]);
        let score = significance::with_interval(&system, ci["samples"].as_u64().unwrap() as usize, SEED).unwrap();
        let mut here: Vec<String> = Vec::new();
        let ours = score.ci.unwrap();
        here.extend(differs("mean", ours.mean, &ci["mean"]).into_iter().chain(differs(
            "half",
            ours.half_width,
            &ci["half_width"],
        )));
        here.extend((!score.signature.starts_with(&case.signature)).then_some(score.signature));
        for (name, test) in [("bs", Test::Bootstrap), ("ar", Test::Randomisation)] {
            let (Some(theirs), Some(baseline)) = (case.more["paired"].get(name), &texts.baseline) else { continue };
            let trials = theirs["trials"].as_u64().unwrap() as usize;
            let (score, paired) = significance::paired(&run(baseline), &system, test, trials, SEED).unwrap();
            here.extend(differs(&format!("{name} p"), paired.p_value, &theirs["p_value"]));
            here.extend(
                (!score.signature.starts_with(theirs["signature"].as_str().unwrap())).then_some(score.signature),
            );
            for (who, score, ci) in
                [("baseline", paired.baseline, paired.baseline_ci), ("system", score.score, score.ci)]
            {
                here.extend(differs(who, score, &theirs[who][0]));
                assert_eq!(ci.is_some(), !theirs[who][1].is_null());
                if let Some(ci) = ci {
                    here.extend(differs(&format!("{name} {who} mean"), ci.mean, &theirs[who][1]));
                    here.extend(differs(&format!("{name} {who} half"), ci.half_width, &theirs[who][2]));
                }
            }
        }
        if !here.is_empty() {
            wrong.push(format!("{} {} {}: {}", case.set, case.metric, case.options, here.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_hypothesis_that_equals_a_reference_scores_100_and_needs_no_edits() {
    let fixture = fixture();
    for texts in fixture.sets.values() {
        let long: Vec<String> =
            texts.references.iter().flat_map(|row| row[0].clone()).filter(|r| r.split(' ').count() > 4).collect();
        let rows: Vec<Row> = long
            .iter()
            .map(|text| Row { hypothesis: text, references: vec!["something else", text.as_str()] })
            .collect();
        if rows.is_empty() {
            continue;
        }
        assert_eq!(score(&Ter::default(), &rows).score, 0.0);
        for metric in [&Bleu::default() as &dyn Metric, &Chrf::default(), &Chrf { word_order: 2, ..Chrf::default() }] {
            assert!((score(metric, &rows).score - 100.0).abs() < 1e-9, "{}", score(metric, &rows).name);
        }
    }
}

#[test]
fn the_order_of_rows_and_their_grouping_do_not_matter() {
    let fixture = fixture();
    let texts = &fixture.sets["two"];
    let mut rows = texts.rows(&texts.hypotheses);
    for metric in [&Bleu::default() as &dyn Metric, &Chrf::default(), &Ter::default()] {
        let forwards = score(metric, &rows);
        rows.reverse();
        let mut one_by_one = Running::new(metric, false, false);
        rows.iter().for_each(|row| one_by_one.add(std::slice::from_ref(row)).unwrap());
        assert_eq!(Score { sentences: None, ..forwards }, one_by_one.score().unwrap());
    }
}

#[test]
fn more_references_never_lower_the_clipped_counts() {
    let fixture = fixture();
    for texts in fixture.sets.values() {
        for row in texts.rows(&texts.hypotheses) {
            let mut before = vec![0.0; 4];
            for references in 1..=row.references.len() {
                let counts = Bleu::default().row(row.hypothesis, &row.references[..references]).values[2..6].to_vec();
                assert!(counts.iter().zip(&before).all(|(now, before)| now >= before));
                before = counts;
            }
        }
    }
}

#[test]
fn what_cannot_be_scored_says_why() {
    for (name, part) in
        [("ja-mecab", "MeCab"), ("ko-mecab", "MeCab"), ("flores200", "FLORES-200"), ("spm", "SentencePiece")]
    {
        let error = Tokenizer::named(name).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(part), "{error}");
    }
    assert!(Tokenizer::named("14a").unwrap_err().to_string().contains("13a, intl, zh, char, none"));
    assert!(Smoothing::named("floor", Some(f64::NAN)).is_err());
    assert!(Smoothing::named("laplace", None).is_err());
    let bleu = Bleu::default();
    let mut running = Running::new(&bleu, false, false);
    assert_eq!(running.score().unwrap_err(), EvalError::NoRows);
    let rows = [Row { hypothesis: "a", references: vec!["a"] }, Row { hypothesis: "b", references: vec![] }];
    assert_eq!(running.add(&rows), Err(EvalError::NoReference { row: 2 }));
}

#[test]
fn a_score_is_written_with_the_agreed_names_and_read_back() {
    let rows = [Row { hypothesis: "the cat sat on the mat", references: vec!["the cat sat on a mat"] }];
    let bleu = Score { sentences: None, ..score(&Bleu::default(), &rows) };
    let written = serde_json::to_value(&bleu).unwrap();
    let object = written.as_object().unwrap();
    let names: Vec<&str> = object.keys().map(String::as_str).collect();
    for name in ["name", "score", "signature", "precisions", "bp", "sys_len", "ref_len", "counts", "totals", "ci"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert_eq!((&written["counts"], &written["ci"]), (&json!([5, 3, 2, 1]), &Value::Null));
    assert!(!names.contains(&"sentences"));
    assert_eq!(serde_json::from_value::<Score>(written).unwrap(), bleu);
    let ter = score(&Ter::default(), &rows);
    assert_eq!(serde_json::from_value::<Score>(serde_json::to_value(&ter).unwrap()).unwrap(), ter);
}
