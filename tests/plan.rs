//! `finetop plan` on tiny models: what it prints, what it refuses, and that what it says is held is what the engine charges to its ledger.
//! How near it comes to a real model's peak is measured by `peer/plan_accuracy.py`; the laws of the formulas are beside them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use finetop::config::RunConfig;
use finetop::config::parse::from_toml;
use finetop::memory::ledger::{Category, Ledger, Phase};
use finetop::memory::plan::{Subject, held};
use finetop::model::adapter::Adapter;
use finetop::model::decoder::{Decoder, Packed, TrainPass};
use finetop::model::head::Target;
use finetop::model::source::{Environment, ModelFiles, Source, resolve_in};
use finetop::task;
use finetop::train::optimizer::AdamW;
use finetop::units::RowLength;
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny")
}

fn prepared(model: &str, more: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let row = |n: usize| {
        let words = " lamp".repeat(n);
        format!("{{\"prompt\": \"name[{words}]\", \"completion\": \"The{words} costs 10 won.\"}}\n")
    };
    fs::write(place.path().join("train.jsonl"), (1..20).map(row).collect::<String>()).unwrap();
    fs::write(place.path().join("eval.jsonl"), (1..5).map(row).collect::<String>()).unwrap();
    let text = format!(
        "[model]\nsource = {:?}\n[data]\ntrain = \"train.jsonl\"\neval = \"eval.jsonl\"\nmax_seq_length = 128\n{more}",
        fixtures().join(model)
    );
    fs::write(place.path().join("tiny.toml"), text).unwrap();
    place
}

fn finetop(at: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_finetop")).args(arguments).current_dir(at).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(at: &Path, more: &[&str]) -> Value {
    let output = finetop(at, &[&["plan", "tiny.toml", "--json"], more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_json_has_what_its_contract_names_whether_the_run_fits_or_not() {
    let place = prepared("llama", "");
    let fits = json(place.path(), &["--set", "memory.limit=\"64GiB\""]);
    let number = |v: &Value, key: &str| v[key].as_i64().unwrap_or_else(|| panic!("{key} in {v}"));
    assert_eq!((fits["fits"].as_bool(), number(&fits, "limit_bytes")), (Some(true), 64 << 30));
    assert_eq!(number(&fits, "headroom_bytes"), (64 << 30) - number(&fits, "peak_bytes"));
    let sum = |key: &str| fits[key].as_object().unwrap().values().map(|v| v.as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(sum("by_category").iter().sum::<i64>(), number(&fits, "peak_bytes"));
    assert_eq!(sum("by_phase").into_iter().max(), Some(number(&fits, "peak_bytes")));
    assert_eq!(fits["longest_batch"]["rows"], 4);
    assert!(number(&fits["longest_batch"], "tokens") > 4 * 32);
    for way in fits["elsewhere"].as_array().unwrap() {
        assert!(way["name"].is_string() && way["formula"].is_string() && way["peak_bytes"].is_u64(), "{way}");
    }
    let tight = json(place.path(), &["--set", "memory.limit=\"1MiB\""]);
    assert_eq!(tight["fits"], false);
    assert!(number(&tight, "headroom_bytes") < 0);
    for lever in tight["levers"].as_array().unwrap() {
        assert!(lever["predicted_peak_bytes"].as_i64().unwrap() < number(&tight, "peak_bytes"), "{lever}");
        assert!(["id", "changes", "price", "rows_cut"].iter().all(|key| !lever[*key].is_null()), "{lever}");
    }
}

#[test]
fn the_first_line_for_people_is_the_verdict() {
    let place = prepared("llama", "");
    for (limit, begins) in [("64GiB", "fits: peak "), ("1MiB", "does not fit: peak ")] {
        let output = finetop(place.path(), &["plan", "tiny.toml", "--set", &format!("memory.limit=\"{limit}\"")]);
        let page = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{page}");
        assert!(page.starts_with(begins), "{page}");
        assert!(page.contains("longest micro-batch: 4 rows") && page.contains("base_weights"), "{page}");
        assert!(page.contains("the same run done otherwise"), "{page}");
        assert!(page.is_ascii(), "{page}");
    }
}

#[test]
fn wrong_input_is_told_with_file_and_line_and_exit_2() {
    let place = prepared("llama", "[train]\nlearning_rte = 1\n");
    let told = |arguments: &[&str]| {
        let output = finetop(place.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        text(&output.stderr)
    };
    assert!(told(&["plan", "tiny.toml"]).contains("tiny.toml:8:"), "{}", told(&["plan", "tiny.toml"]));
    assert!(told(&["plan", "none.toml"]).contains("none.toml"));
    let place = prepared("llama", "");
    let told = |set: &str| {
        let output = finetop(place.path(), &["plan", "tiny.toml", "--set", set]);
        assert_eq!(output.status.code(), Some(2), "{set}");
        text(&output.stderr)
    };
    assert!(told("data.train=\"none.jsonl\"").contains("none.jsonl"));
    assert!(told("model.source=\"no/such/folder\"").contains("no/such/folder"));
    assert!(told("adapter.quantization=\"q4_k\"").contains("multiple of 256"));
}

fn files(model: &str) -> ModelFiles {
    let source = Source::parse(fixtures().join(model).to_str().unwrap()).unwrap();
    let environment = Environment::from_process().unwrap();
    resolve_in(&environment, &source, &mut |_| {}, &std::sync::atomic::AtomicBool::new(false)).unwrap()
}

/// A model in memory with its ledger, and what is planned for it.
struct Opened {
    subject: Subject,
    config: RunConfig,
    decoder: Decoder,
    ledger: Ledger,
}

fn opened(model: &str, more: &str, set: &[String]) -> Opened {
    let place = prepared(model, more);
    let toml = fs::read_to_string(place.path().join("tiny.toml")).unwrap();
    let config = from_toml(&toml, "tiny.toml", place.path(), set).unwrap();
    let files = files(model);
    let subject = task::plan::subject(&files, &config).unwrap();
    let how = (config.adapter.method, config.adapter.quantization, config.model.dtype);
    let ledger = Ledger::default();
    let decoder = task::decoder(&files, how, &ledger, &mut |_, _| {}).unwrap();
    Opened { subject, config, decoder, ledger }
}

#[test]
fn weights_adapter_and_moments_are_planned_as_the_engine_charges_them() {
    let settings = [
        ("llama", "qlora", "keep"),
        ("llama", "qlora", "q8_0"),
        ("llama", "qlora", "q4_1"),
        ("qwen2", "qlora", "keep"),
        ("qwen2", "lora", "keep"),
        ("qwen2", "qlora", "q4_0"),
        ("llama-f32.gguf", "qlora", "keep"),
        ("llama-mixed.gguf", "qlora", "keep"),
        ("llama-mixed.gguf", "lora", "keep"),
        ("llama-f32.gguf", "qlora", "q8_0"),
    ];
    for (model, method, quantization) in settings {
        let set = [format!("adapter.method=\"{method}\""), format!("adapter.quantization=\"{quantization}\"")];
        let Opened { subject, config, decoder, ledger } = opened(model, "", &set);
        let loaded = ledger.highest_by_phase()[&Phase::Load];
        let adapter = Adapter::new(&decoder, &config.adapter, 1).unwrap();
        let _optimizer = AdamW::new(&adapter, 0.0, &ledger).unwrap();
        let (planned, charged) = (held(&subject, &config), ledger.by_category());
        for category in [Category::BaseWeights, Category::Adapter, Category::Gradients, Category::Optimizer] {
            let planned = planned.iter().find(|m| m.0 == Phase::Optimizer).unwrap().1.get(&category);
            assert_eq!(planned, charged.get(&category), "{model} {set:?} {category:?}");
        }
        let load: u64 = planned.iter().find(|m| m.0 == Phase::Load).unwrap().1.values().sum();
        assert!(load.abs_diff(loaded) < loaded / 20, "{model} {set:?}: load {load}, charged {loaded}");
    }
}

#[test]
fn every_phase_is_planned_as_the_engine_charges_it() {
    let lengths = [33u32, 5, 64, 20];
    for (model, quantization) in [("llama", "keep"), ("llama", "q8_0"), ("qwen2", "keep"), ("llama-mixed.gguf", "keep")]
    {
        for (checkpointing, dropout, r, chunk) in
            [(true, 0.0, 4, 256), (false, 0.0, 4, 16), (true, 0.1, 16, 16), (false, 0.1, 8, 256), (true, 0.0, 64, 2)]
        {
            // Groups of one module, of two and of three.
            let modules = match r {
                4 => "[\"q_proj\", \"v_proj\"]",
                8 => "[\"down_proj\", \"o_proj\", \"up_proj\", \"k_proj\"]",
                _ => "[\"q_proj\", \"k_proj\", \"v_proj\", \"gate_proj\", \"up_proj\", \"down_proj\"]",
            };
            let more = format!(
                "[train]\nper_device_train_batch_size = {}\ngradient_checkpointing = {checkpointing}\n\
                     [memory]\nhead_chunk = {chunk}\n[adapter]\nr = {r}\nlora_dropout = {dropout}\n\
                     quantization = \"{quantization}\"\ntarget_modules = {modules}\n",
                lengths.len()
            );
            let Opened { subject, config, decoder, ledger } = opened(model, &more, &[]);
            decoder.head.set_chunk(chunk);
            let mut adapter = Adapter::new(&decoder, &config.adapter, 1).unwrap();
            adapter.set_dropout(dropout);
            let _optimizer = AdamW::new(&adapter, 0.0, &ledger).unwrap();
            let batch = packed(&lengths);
            let rows: Vec<RowLength> =
                lengths.iter().map(|&tokens| RowLength { tokens, target_tokens: tokens / 2 }).collect();
            let subject = Subject { train_rows: rows.clone().into(), eval_rows: rows.into(), ..subject };
            let how = TrainPass { scale: 1.0, gradient_checkpointing: checkpointing, seed: 1, step: 1 };
            // The scratch grows as it is used: the second pass is as all others.
            decoder.train(&mut adapter, &batch, how).unwrap();
            ledger.forget_highest();
            let _data = decoder.charge_data(batch.bytes());
            decoder.train(&mut adapter, &batch, how).unwrap();
            ledger.set_phase(Phase::Eval);
            decoder.loss(Some(&adapter), &batch).unwrap();
            let measured = ledger.highest_by_phase();
            let moments = held(&subject, &config);
            for phase in [Phase::Forward, Phase::Backward, Phase::Eval] {
                let of = moments.iter().filter(|m| m.0 == phase).map(|m| m.1.values().sum::<u64>());
                let planned = of.max().unwrap();
                let found = measured[&phase];
                // In eval every position may have a target; here half of them have.
                let exact = if phase == Phase::Eval { planned >= found } else { planned == found };
                assert!(exact, "{model} {more} {phase:?}: planned {planned}, charged {found}");
            }
        }
    }
}

/// Rows of these lengths whose second half are targets.
fn packed(lengths: &[u32]) -> Packed {
    let mut batch = Packed { starts: vec![0], ..Packed::default() };
    for (row, &length) in lengths.iter().enumerate() {
        let start = batch.tokens.len() as u32;
        batch.tokens.extend((0..length).map(|i| (i * 7 + 3) % 300));
        batch.positions.extend(0..length);
        batch.rows.extend((0..length).map(|_| row as u64));
        let first = length - length / 2;
        batch.targets.extend((first..length).map(|i| Target { position: start + i - 1, token: i % 300 }));
        batch.starts.push(start + length);
    }
    batch
}
