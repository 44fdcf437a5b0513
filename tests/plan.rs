//! `finetop plan` on tiny models: what it prints, what it refuses, and that what it says is held is what the engine charges to its ledger.
//! How near it comes to a real model's peak is measured by `peer/plan_accuracy.py`; the laws of the formulas are beside them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use candle_core::Device;
use finetop::config::RunConfig;
use finetop::config::parse::from_toml;
use finetop::memory::ledger::{Category, Ledger};
use finetop::memory::plan::{WeightRole, held_bytes, plan};
use finetop::model::adapter::Adapter;
use finetop::model::load::{Placement, WeightFiles, load};
use finetop::model::source::{Environment, ModelFiles, Source, Weights, resolve_in};
use finetop::task;
use finetop::train::optimizer::AdamW;
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
        let place = prepared(model, "");
        let name = place.path().join("tiny.toml");
        let toml = fs::read_to_string(&name).unwrap();
        let set = [format!("adapter.method=\"{method}\""), format!("adapter.quantization=\"{quantization}\"")];
        let config: RunConfig = from_toml(&toml, "tiny.toml", place.path(), &set).unwrap();
        let files = files(model);
        let subject = task::plan::subject(&files, &config).unwrap();
        let weights = match &files.weights {
            Weights::Gguf(path) => WeightFiles::Gguf(path),
            Weights::Safetensors { config, files } => WeightFiles::Safetensors { config, files },
        };
        let adapter = &config.adapter;
        let (method, quantization, dtype) = (adapter.method, adapter.quantization, config.model.dtype);
        let placement = Placement { method, quantization, dtype, device: Device::Cpu };
        let ledger = Ledger::default();
        let decoder = load(weights, &placement, &ledger, &mut |_, _| {}).unwrap();
        let adapter = Adapter::new(&decoder, &config.adapter, 1).unwrap();
        let _optimizer = AdamW::new(&adapter, 0.0, &ledger).unwrap();
        let (planned, charged) = (plan(&subject, &config, None).by_category, ledger.by_category());
        for category in [Category::Adapter, Category::Gradients, Category::Optimizer] {
            assert_eq!(planned.get(&category), charged.get(&category), "{model} {set:?} {category:?}");
        }
        let vectors = subject.weights.iter().filter(|w| w.role == WeightRole::Norm);
        let vectors: u64 = vectors.map(|w| held_bytes(w, &config, false)).sum();
        let (planned, charged) = (planned[&Category::BaseWeights], charged[&Category::BaseWeights]);
        assert!((charged..=charged + vectors).contains(&planned), "{model} {set:?}: {planned}, charged {charged}");
    }
}
