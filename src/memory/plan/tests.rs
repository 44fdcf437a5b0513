//! Laws that every plan keeps, whatever the model, the rows and the settings.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::config::parse::from_toml;
use crate::memory::lever::{Kind, Lever, changed};
use crate::units::MIB;

/// SmolLM2-135M, its blocks as Q4_1 or in f32.
pub fn subject(quantised: bool) -> Subject {
    let shape = ModelShape {
        num_hidden_layers: 30,
        hidden_size: 576,
        intermediate_size: 1536,
        num_attention_heads: 9,
        num_key_value_heads: 3,
        head_dim: 64,
        vocab_size: 49152,
        max_position_embeddings: 8192,
        tie_word_embeddings: true,
    };
    let weight = |role, out: u64, inner: u64| WeightFacts {
        role,
        out_features: out,
        in_features: inner,
        stored_bytes: if quantised { out * inner / 32 * 20 } else { out * inner * 4 },
        full_precision: !quantised,
        is_f32: !quantised,
    };
    let mut weights = vec![weight(WeightRole::Embedding, 49152, 576)];
    for _ in 0..30 {
        for (out, inner) in [(576, 576), (192, 576), (192, 576), (576, 576), (1536, 576), (1536, 576), (576, 1536)] {
            weights.push(weight(WeightRole::Projection, out, inner));
        }
    }
    let row = |tokens: u32| RowLength { tokens, target_tokens: tokens / 2 };
    Subject {
        shape,
        weights: weights.into(),
        train_rows: (0..100).map(|i| row(64 + i * 7 % 300)).collect(),
        eval_rows: (0..20).map(|i| row(50 + i)).collect(),
        threads: 2,
        on_device: false,
        test: None,
        before_bytes: 60 * MIB,
        fit: None,
    }
}

fn config(settings: &[&str]) -> RunConfig {
    let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
    from_toml("[data]\ntrain = \"train.jsonl\"\n", "x.toml", Path::new("/base"), &settings).unwrap()
}

fn peak(subject: &Subject, settings: &[&str]) -> u64 {
    plan(subject, &config(settings), None).peak_bytes
}

fn every_setting() -> Vec<(Subject, RunConfig)> {
    let mut all = Vec::new();
    for quantised in [true, false] {
        for on_device in [true, false] {
            let subject = Subject { on_device, ..subject(quantised) };
            for checkpointing in ["true", "false"] {
                for (method, r, batch) in [("lora", 8, 1), ("qlora", 64, 8), ("qlora", 4, 200)] {
                    let settings = [
                        format!("train.gradient_checkpointing={checkpointing}"),
                        format!("adapter.method=\"{method}\""),
                        format!("adapter.r={r}"),
                        format!("train.per_device_train_batch_size={batch}"),
                    ];
                    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
                    all.push((subject.clone(), config(&settings)));
                }
            }
        }
    }
    all
}

fn longest_rows(subject: &Subject, rows: usize) -> Vec<RowLength> {
    let mut all = subject.train_rows.to_vec();
    all.sort_by_key(|r| std::cmp::Reverse(r.tokens));
    all.truncate(rows);
    all
}

#[test]
fn the_categories_sum_to_the_peak_and_the_peak_is_the_highest_phase() {
    for (subject, config) in every_setting() {
        let plan = plan(&subject, &config, Some(1));
        assert_eq!(plan.by_category.values().sum::<u64>(), plan.peak_bytes);
        assert_eq!(plan.by_phase.values().max(), Some(&plan.peak_bytes));
        assert_eq!(plan.by_phase.get(&plan.peak_phase().unwrap()), Some(&plan.peak_bytes));
        assert!((plan.fits(), plan.headroom_bytes()) == (Some(false), Some(1 - plan.peak_bytes as i64)));
    }
}

#[test]
fn more_rows_never_lower_the_peak() {
    for (subject, config) in every_setting() {
        let mut rows: Vec<RowLength> = Vec::new();
        let mut before = 0;
        for row in subject.train_rows.iter() {
            rows.push(*row);
            let grown = Subject { train_rows: rows.clone().into(), ..subject.clone() };
            let peak = plan(&grown, &config, None).peak_bytes;
            assert!(peak >= before, "{} rows: {peak} after {before}", rows.len());
            before = peak;
        }
    }
}

#[test]
fn checkpointing_a_smaller_micro_batch_a_shorter_chunk_and_a_smaller_r_lower_the_peak() {
    let subject = subject(true);
    let long: Arc<[RowLength]> = vec![RowLength { tokens: 1024, target_tokens: 512 }; 64].into();
    let subject = Subject { train_rows: long, ..subject };
    for rows in [1, 4, 16] {
        let batch = format!("train.per_device_train_batch_size={rows}");
        let half = format!("train.per_device_train_batch_size={}", rows.max(2) / 2);
        let off = "train.gradient_checkpointing=false";
        let length = ["data.max_seq_length=1024", "data.max_seq_length=256"];
        assert!(peak(&subject, &[&batch, length[0]]) < peak(&subject, &[&batch, length[0], off]));
        assert!(rows == 1 || peak(&subject, &[&half, length[0]]) < peak(&subject, &[&batch, length[0]]));
        assert!(peak(&subject, &[&batch, length[1]]) < peak(&subject, &[&batch, length[0]]));
        assert!(peak(&subject, &[&batch, "adapter.r=4"]) < peak(&subject, &[&batch, "adapter.r=32"]));
        assert!(peak(&subject, &[&batch, "memory.head_chunk=16"]) <= peak(&subject, &[&batch]));
    }
}

#[test]
fn eval_needs_no_more_than_training() {
    for (subject, config) in every_setting().into_iter().filter(|(s, _)| !s.on_device) {
        let by_phase = plan(&subject, &config, None).by_phase;
        assert!(by_phase[&Phase::Eval] <= by_phase[&Phase::Forward].max(by_phase[&Phase::Backward]));
    }
}

/// `optimizer::working_bytes`, which the rehearsal asks for.
#[test]
fn a_device_makes_values_and_moments_anew_in_the_optimizer_and_nothing_of_it_stands() {
    for (subject, config) in every_setting().into_iter().filter(|(s, _)| s.on_device) {
        let planned = plan(&subject, &config, None);
        let (standing, optimizer) = (standing(&subject, &config), &planned.phases[&Phase::Optimizer]);
        let passing = planned.by_phase[&Phase::Optimizer] - standing;
        assert_eq!(passing, optimizer[&Category::Other]);
        assert!(passing > 3 * optimizer[&Category::Adapter], "{passing} besides {optimizer:?}");
        let measured = Measured { standing_bytes: Some(standing), ..Measured::default() };
        assert_eq!(fitted(&subject, &config, &measured).fit.map(|f| f.offset_bytes), Some(0));
    }
}

#[test]
fn a_base_is_held_as_it_lies_as_it_is_asked_for_or_in_the_compute_type() {
    let base = |quantised: bool, settings: &[&str]| {
        let (subject, config) = (subject(quantised), config(settings));
        let of = |role| {
            let weights = subject.weights.iter().filter(|w| w.role == role);
            weights.map(|w| held_bytes(w, &config, false)).sum::<u64>()
        };
        (of(WeightRole::Embedding), of(WeightRole::Projection))
    };
    let (embedding, blocks) = (49152 * 576, 106_168_320);
    assert_eq!(base(true, &[]), (embedding / 32 * 20, blocks / 32 * 20));
    assert_eq!(base(true, &["adapter.method=\"lora\""]), (embedding * 4, blocks * 4));
    assert_eq!(base(false, &[]), (embedding * 4, blocks * 4));
    assert_eq!(base(false, &["adapter.quantization=\"q8_0\""]), (embedding * 4, blocks / 32 * 34));
    assert_eq!(base(true, &["adapter.quantization=\"q4_0\""]), (embedding / 32 * 20, blocks / 32 * 18));
}

#[test]
fn the_longest_micro_batch_is_made_of_the_longest_rows_after_the_cut() {
    let row = |tokens, target_tokens| RowLength { tokens, target_tokens };
    let rows = [row(10, 3), row(90, 5), row(40, 39), row(700, 20), row(600, 300)];
    let longest = |settings: &[&str]| longest_batch(&rows, &config(settings));
    let three = "train.per_device_train_batch_size=3";
    // The row of 700 has its 20 targets at its end, so that it takes no part at 512.
    assert_eq!(longest(&[three]), LongestBatch { rows: 3, tokens: 512 + 90 + 40, target_tokens: 212 + 5 + 39 });
    let whole = LongestBatch { rows: 3, tokens: 1390, target_tokens: 325 };
    assert_eq!(longest(&[three, "data.max_seq_length=1024"]), whole);
    assert_eq!(longest(&["train.per_device_train_batch_size=9"]).rows, 4);
    assert_eq!(longest_batch(&[], &config(&[])), LongestBatch::default());
    let empty = Subject { train_rows: Vec::new().into(), eval_rows: Vec::new().into(), ..subject(true) };
    assert!(plan(&empty, &config(&[]), None).peak_bytes > 0);
}

#[test]
fn a_lever_lowers_the_peak_by_as_little_as_makes_the_run_fit() {
    for (subject, config) in every_setting() {
        let now = plan(&subject, &config, None).peak_bytes;
        for limit in [None, Some(now - MIB), Some(now / 2), Some(1)] {
            let levers = levers(&subject, &config, limit);
            let order: Vec<usize> =
                levers.iter().map(|l| Kind::ALL.iter().position(|k| k.id() == l.id).unwrap()).collect();
            assert!(order.is_sorted());
            for lever in levers {
                let with = changed(&config, &lever.changes).unwrap();
                assert_eq!(plan(&subject, &with, limit).peak_bytes, lever.predicted_peak_bytes, "{}", lever.id);
                assert!(lever.predicted_peak_bytes < now, "{}", lever.id);
                assert_eq!(lever.fits, limit.map(|l| lever.predicted_peak_bytes <= l));
                let effective =
                    |c: &RunConfig| c.train.per_device_train_batch_size * c.train.gradient_accumulation_steps;
                assert_eq!(effective(&with), effective(&config));
                assert!(!lever.price.is_empty());
                let changed_from = lever.changes.iter().all(|c| c.from != c.to);
                assert!(changed_from, "{:?}", lever.changes);
            }
        }
    }
}

#[test]
fn quantising_is_a_lever_where_it_makes_the_base_smaller() {
    let lever = |quantised: bool, settings: &[&str]| {
        let subject = subject(quantised);
        levers(&subject, &config(settings), None).into_iter().find(|l| l.id == "quantization")
    };
    let to = |l: &Lever| l.changes.iter().map(|c| (c.key.clone(), c.to.clone())).collect::<Vec<_>>();
    let dense = lever(false, &[]).unwrap();
    assert_eq!(to(&dense), [("adapter.quantization".to_owned(), "q8_0".into())]);
    let lora = lever(true, &["adapter.method=\"lora\""]).unwrap();
    assert_eq!(to(&lora), [("adapter.method".to_owned(), "qlora".into())]);
    let again = lever(true, &[]).unwrap();
    assert_eq!(to(&again), [("adapter.quantization".to_owned(), "q4_0".into())], "8 bits are more than there are");
    assert!(lever(false, &["adapter.quantization=\"q4_0\""]).is_none());
}

#[test]
fn a_plan_that_was_fitted_says_what_was_measured() {
    let (subject, config) = (subject(true), config(&["train.per_device_train_batch_size=4"]));
    let said = plan(&subject, &config, None);
    let longest = longest_rows(&subject, 4);
    let exact = Measured {
        standing_bytes: Some(standing(&subject, &config)),
        by_phase: said.by_phase.clone(),
        longest: longest.clone(),
    };
    let same = refit(&subject, &config, None, &exact);
    assert_eq!(same.basis, Basis::Fitted);
    assert!(same.peak_bytes.abs_diff(said.peak_bytes) < MIB);
    // 10 MiB more stand there than was planned, and a micro-batch takes a fifth more.
    let standing = exact.standing_bytes.unwrap() + 10 * MIB;
    let planned = said.peak_bytes - exact.standing_bytes.unwrap();
    let found = standing + planned * 6 / 5;
    let by_phase = ByPhase::from([(Phase::Backward, found)]);
    let measured = Measured { standing_bytes: Some(standing), by_phase, longest };
    let anew = refit(&subject, &config, None, &measured);
    assert!(anew.peak_bytes.abs_diff(found) < MIB, "{anew:?} is not {found}");
    assert_eq!(anew.by_category.values().sum::<u64>(), anew.peak_bytes);
    // Nothing measured changes nothing.
    let nothing = refit(&subject, &config, None, &Measured::default());
    assert_eq!(nothing.peak_bytes, said.peak_bytes);
    let fitted = fitted(&subject, &config, &measured);
    assert!(levers(&fitted, &config, Some(found)).iter().all(|l| l.predicted_peak_bytes < anew.peak_bytes));
}

#[test]
fn scoring_after_training_is_planned_within_what_training_holds_or_a_few_rows_at_once() {
    let test = Some(generation::TestRows { rows: 630, longest_prompt: 60 });
    let with = |fit| Subject { test, fit, ..subject(true) };
    let (small, large) = (&["train.per_device_train_batch_size=1"][..], &["train.gradient_checkpointing=false"][..]);
    for settings in [small, large] {
        let (subject, config) = (with(None), config(settings));
        let alone = plan(&Subject { test: None, ..subject.clone() }, &config, None);
        let both = plan(&subject, &config, None);
        let rows = rows_generated_at_once(&subject, &config, None);
        assert!((8..=32).contains(&rows), "{rows}");
        assert!(both.by_phase[&Phase::Generate] <= alone.peak_bytes || rows == 8, "{both:?}");
        assert_eq!(alone.by_phase.get(&Phase::Generate), None);
        let off = [settings, &["bleu.run_after_training=false"]].concat();
        assert_eq!(plan(&subject, &self::config(&off), None).peak_bytes, alone.peak_bytes);
        // A fit is of training's steps.
        let fit = Some(Fit { offset_bytes: 0, factor: 2.0 });
        let fitted = Subject { fit, ..subject.clone() };
        assert_eq!(
            plan(&fitted, &config, Some(alone.peak_bytes)).by_phase[&Phase::Generate],
            both.by_phase[&Phase::Generate]
        );
    }
    assert_eq!(rows_generated_at_once(&with(None), &config(large), None), 32);
}

#[test]
fn what_the_peer_needs_is_near_what_was_measured() {
    let rows: Arc<[RowLength]> = vec![RowLength { tokens: 256, target_tokens: 128 }; 4].into();
    let subject = Subject { train_rows: rows, ..subject(true) };
    for (settings, measured_mib) in [("true", 2870.0), ("false", 4655.0)] {
        let settings = format!("train.gradient_checkpointing={settings}");
        let ways = elsewhere(&subject, &config(&[&settings]));
        let peer = ways.iter().find(|w| w.name.contains("PEFT")).unwrap();
        let error = peer.peak_bytes as f64 / MIB as f64 / measured_mib - 1.0;
        assert!(error.abs() < 0.05, "{error}");
    }
    let ways = elsewhere(&subject, &config(&[]));
    let kept = &ways[0];
    assert!(kept.formula.starts_with("20 rows x 69 tokens x 49152 vocabulary x 4 bytes"), "{}", kept.formula);
    let own = plan(&subject, &config(&[]), None).peak_bytes;
    assert_eq!(kept.peak_bytes, own + 20 * 69 * 49152 * 4);
}
