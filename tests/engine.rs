//! The engine against values that PyTorch and PEFT computed on two tiny models (tests/fixtures/make_tiny.py), and its own laws.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use finetop::config::{AdapterConfig, ComputeDtype, Method, Quantization, SchedulerType, TargetModule};
use finetop::memory::ledger::Ledger;
use finetop::model::adapter::Adapter;
use finetop::model::decoder::{Decoder, Packed, TrainPass};
use finetop::model::generate::{Decoding, generate};
use finetop::model::head::Target;
use finetop::model::load::{Placement, WeightFiles, load};
use finetop::train::optimizer::{AdamW, clip_factor, grad_norm};
use finetop::train::schedule::Schedule;
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny")
}

fn reference() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixtures().join("reference.json")).unwrap()).unwrap()
}

fn decoder_as(files: WeightFiles, method: Method) -> Decoder {
    let (quantization, dtype) = (Quantization::Keep, ComputeDtype::F32);
    let placement = Placement { method, quantization, dtype, device: Device::Cpu };
    load(files, &placement, &Ledger::default(), &mut |_, _| {}).unwrap()
}

fn gguf(name: &str) -> Decoder {
    decoder_as(WeightFiles::Gguf(&fixtures().join(name)), Method::Qlora)
}

fn folder(name: &str, method: Method) -> Decoder {
    let folder = fixtures().join(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "safetensors"));
    files.sort();
    decoder_as(WeightFiles::Safetensors { config: &folder.join("config.json"), files: &files }, method)
}

/// The rows of the reference, chosen by number, as one micro-batch.
fn pack(model: &str, rows: &[usize]) -> Packed {
    let all = &reference()["models"][model]["rows"];
    let mut packed = Packed { starts: vec![0], ..Packed::default() };
    for &r in rows {
        let tokens: Vec<u32> = serde_json::from_value(all[r]["input_ids"].clone()).unwrap();
        let prompt = all[r]["prompt_tokens"].as_u64().unwrap() as usize;
        let base = packed.tokens.len();
        for (t, &token) in tokens.iter().enumerate().skip(prompt.max(1)) {
            packed.targets.push(Target { position: (base + t - 1) as u32, token });
        }
        packed.positions.extend(0..tokens.len() as u32);
        packed.rows.extend(std::iter::repeat_n(r as u64, tokens.len()));
        packed.tokens.extend(tokens);
        packed.starts.push(packed.tokens.len() as u32);
    }
    packed
}

fn tensors(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixtures().join(name), &Device::Cpu).unwrap()
}

fn relative(a: &Tensor, b: &Tensor) -> f32 {
    let norm = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    norm(&(a - b).unwrap()) / norm(b).max(1e-12)
}

fn close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    let error = (ours - theirs).abs() / theirs.abs().max(1e-12);
    assert!(error < tolerance, "{what}: {ours} against {theirs}, off by {error:e}");
}

const PASS: TrainPass = TrainPass { scale: 1.0, gradient_checkpointing: false, seed: 5, step: 3 };

#[test]
fn logits_equal_pytorchs_with_and_without_an_adapter_from_every_kind_of_file() {
    let cases = [
        (folder("llama", Method::Qlora), "llama"),
        (folder("llama", Method::Lora), "llama"),
        (gguf("llama-f32.gguf"), "llama"),
        (gguf("llama-mixed.gguf"), "llama-mixed"),
        (folder("qwen2", Method::Qlora), "qwen2"),
        (gguf("qwen2-bf16.gguf"), "qwen2"),
    ];
    for (decoder, model) in cases {
        let rows = if model == "qwen2" { "qwen2" } else { "llama" };
        let (batch, expected) = (pack(rows, &[0]), tensors(&format!("{model}-logits.safetensors")));
        let adapter = Adapter::load(&decoder, &fixtures().join(format!("{rows}-adapter"))).unwrap();
        let all: Vec<u32> = (0..batch.tokens.len() as u32).collect();
        for (adapter, name) in [(None, "base.logits"), (Some(&adapter), "adapter.logits")] {
            if model == "llama-mixed" && adapter.is_some() {
                // Its losses with an adapter are compared below.
                continue;
            }
            let hidden = decoder.hidden(adapter, &batch).unwrap();
            let error = relative(&decoder.head.logits(&hidden, &all).unwrap(), &expected[name]);
            assert!(error < 2e-5, "{model} {name}: off by {error:e}");
        }
    }
}

#[test]
fn losses_of_packed_rows_equal_pytorchs_of_each_row_alone() {
    let reference = reference();
    for (model, decoder) in [
        ("llama", gguf("llama-f32.gguf")),
        ("llama-mixed", gguf("llama-mixed.gguf")),
        ("qwen2", folder("qwen2", Method::Qlora)),
    ] {
        let of = model.trim_end_matches("-mixed");
        let adapter = Adapter::load(&decoder, &fixtures().join(format!("{of}-adapter"))).unwrap();
        for (kind, adapter) in [("base", None), ("adapter", Some(&adapter))] {
            let rows = reference["models"][model][kind]["rows"].as_array().unwrap();
            let sum: f64 = rows.iter().map(|r| r["loss_sum_nats"].as_f64().unwrap()).sum();
            let ours = decoder.loss(adapter, &pack(of, &[0, 1, 2, 3])).unwrap();
            close(ours, sum, 1e-5, &format!("{model} {kind}"));
            for (i, row) in rows.iter().enumerate() {
                let batch = pack(of, &[i]);
                assert_eq!(batch.targets.len() as u64, row["target_tokens"].as_u64().unwrap());
                let theirs = row["loss_sum_nats"].as_f64().unwrap();
                close(decoder.loss(adapter, &batch).unwrap(), theirs, 1e-5, &format!("{model} {kind} row {i}"));
            }
        }
    }
}

#[test]
fn every_adapter_gradient_equals_pytorchs_with_and_without_checkpointing() {
    for (model, decoder) in [
        ("llama", gguf("llama-f32.gguf")),
        ("llama", folder("llama", Method::Lora)),
        ("qwen2", folder("qwen2", Method::Qlora)),
    ] {
        let expected = tensors(&format!("{model}-gradients.safetensors"));
        for gradient_checkpointing in [false, true] {
            let mut adapter = Adapter::load(&decoder, &fixtures().join(format!("{model}-adapter"))).unwrap();
            let batch = pack(model, &[0, 1, 2, 3]);
            let scale = 1.0 / batch.targets.len() as f64;
            decoder.train(&mut adapter, &batch, TrainPass { scale, gradient_checkpointing, ..PASS }).unwrap();
            let ours = adapter.named(|_, p| p.grad.clone()).unwrap();
            assert_eq!(ours.len(), expected.len());
            for g in ours {
                let error = relative(&g.tensor, &expected[&g.name]);
                assert!(error < 2e-4, "{model} {}: off by {error:e}", g.name);
            }
        }
    }
}

#[test]
fn ten_steps_of_adamw_equal_pytorchs() {
    let reference = reference();
    for (model, decoder) in [("llama", gguf("llama-f32.gguf")), ("qwen2", gguf("qwen2-bf16.gguf"))] {
        let mut adapter = Adapter::load(&decoder, &fixtures().join(format!("{model}-adapter"))).unwrap();
        let mut optimizer = AdamW::new(&adapter, 0.01, &Ledger::default()).unwrap();
        let kind = SchedulerType::Linear;
        let schedule = Schedule { kind, learning_rate: 1e-2, warmup_steps: 2, total_steps: 10 };
        let micro = [pack(model, &[0, 1]), pack(model, &[2, 3])];
        let targets: usize = micro.iter().map(|b| b.targets.len()).sum();
        for step in reference["models"][model]["training"]["steps"].as_array().unwrap() {
            let number = step["step"].as_u64().unwrap();
            adapter.groups_mut().flat_map(|g| g.params_mut()).for_each(|p| p.zero_grad().unwrap());
            let how = TrainPass { scale: 1.0 / targets as f64, ..PASS };
            let nats: f64 = micro.iter().map(|b| decoder.train(&mut adapter, b, how).unwrap()).sum();
            let norm = grad_norm(&adapter).unwrap();
            let what = |name: &str| format!("{model} step {number} {name}");
            close(nats / targets as f64, step["loss"].as_f64().unwrap(), 1e-4, &what("loss"));
            close(norm, step["grad_norm"].as_f64().unwrap(), 5e-4, &what("grad_norm"));
            let rate = schedule.rate(number);
            assert!((rate - step["learning_rate"].as_f64().unwrap()).abs() < 1e-12, "{}", what("learning_rate"));
            optimizer.update(&mut adapter, rate, clip_factor(norm, 1.0)).unwrap();
        }
        let expected = tensors(&format!("{model}-trained.safetensors"));
        for p in adapter.named(|_, p| p.value.clone()).unwrap() {
            let error = relative(&p.tensor, &expected[&p.name]);
            assert!(error < 1e-3, "{model} {}: off by {error:e}", p.name);
        }
    }
}

#[test]
fn greedy_tokens_equal_transformers() {
    let reference = reference();
    for (model, decoder) in [("llama", gguf("llama-f32.gguf")), ("qwen2", folder("qwen2", Method::Qlora))] {
        let adapter = Adapter::load(&decoder, &fixtures().join(format!("{model}-adapter"))).unwrap();
        let row = &reference["models"][model]["rows"][0];
        let mut prompt: Vec<u32> = serde_json::from_value(row["input_ids"].clone()).unwrap();
        prompt.truncate(row["prompt_tokens"].as_u64().unwrap() as usize);
        for (kind, adapter) in [("base", None), ("adapter", Some(&adapter))] {
            let expected: Vec<u32> =
                serde_json::from_value(reference["models"][model][kind]["greedy"].clone()).unwrap();
            let how = Decoding { max_new_tokens: expected.len(), ..Decoding::default() };
            let ours = generate(&decoder, adapter, &prompt, &how, &mut |_| true).unwrap();
            assert_eq!(ours.tokens, expected, "{model} {kind}");
        }
    }
}

#[test]
fn schedules_equal_transformers() {
    let text = std::fs::read_to_string(fixtures().join("schedules.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut compared = 0;
    for case in cases {
        let kind = match case["lr_scheduler_type"].as_str().unwrap() {
            "linear" => SchedulerType::Linear,
            "cosine" => SchedulerType::Cosine,
            "constant" => SchedulerType::Constant,
            _ => continue,
        };
        let (warmup_steps, total_steps) =
            (case["warmup_steps"].as_u64().unwrap(), case["total_steps"].as_u64().unwrap());
        let schedule = Schedule { kind, learning_rate: 1.0, warmup_steps, total_steps };
        for (i, expected) in case["multipliers"].as_array().unwrap().iter().enumerate() {
            let (ours, theirs) = (schedule.rate(i as u64 + 1), expected.as_f64().unwrap());
            assert!((ours - theirs).abs() < 1e-9, "{case}: step {} is {ours}, not {theirs}", i + 1);
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared} values were compared");
}

fn new_adapter(decoder: &Decoder, dropout: f64, modules: &[TargetModule]) -> Adapter {
    let config = AdapterConfig {
        method: Method::Qlora,
        r: 4,
        lora_alpha: 8.0,
        lora_dropout: dropout,
        target_modules: modules.to_vec(),
        quantization: Quantization::Keep,
    };
    Adapter::new(decoder, &config, 11).unwrap()
}

/// Gradients of the four rows, computed as the given micro-batches.
fn gradients(decoder: &Decoder, adapter: &mut Adapter, split: &[&[usize]], checkpointing: bool) -> Vec<Tensor> {
    adapter.groups_mut().flat_map(|g| g.params_mut()).for_each(|p| p.zero_grad().unwrap());
    for rows in split {
        let how = TrainPass { scale: 0.01, gradient_checkpointing: checkpointing, ..PASS };
        decoder.train(adapter, &pack("llama", rows), how).unwrap();
    }
    adapter.named(|_, p| p.grad.copy().unwrap()).unwrap().into_iter().map(|t| t.tensor).collect()
}

#[test]
fn an_adapter_with_zero_b_is_the_base_bit_for_bit() {
    let decoder = gguf("llama-f32.gguf");
    let batch = pack("llama", &[0, 1, 2, 3]);
    let adapter = new_adapter(&decoder, 0.0, &TargetModule::ALL);
    assert_eq!(decoder.loss(Some(&adapter), &batch).unwrap(), decoder.loss(None, &batch).unwrap());
}

#[test]
fn another_split_of_the_step_and_checkpointing_give_the_same_gradients_also_with_dropout() {
    let decoder = gguf("llama-f32.gguf");
    for dropout in [0.0, 0.3] {
        let mut adapter = Adapter::load(&decoder, &fixtures().join("llama-adapter")).unwrap();
        adapter.dropout = dropout;
        adapter.groups_mut().for_each(|g| g.dropout = dropout);
        let whole = gradients(&decoder, &mut adapter, &[&[0, 1, 2, 3]], false);
        for (split, checkpointing) in
            [(&[&[0, 1, 2, 3][..]][..], true), (&[&[0][..], &[1], &[2], &[3]], false), (&[&[0, 1, 2][..], &[3]], true)]
        {
            let parts = gradients(&decoder, &mut adapter, split, checkpointing);
            for (a, b) in parts.iter().zip(&whole) {
                assert!(relative(a, b) < 2e-5, "dropout {dropout}, {split:?}, checkpointing {checkpointing}");
            }
        }
        let exact = gradients(&decoder, &mut adapter, &[&[0, 1, 2, 3]], true);
        for (a, b) in exact.iter().zip(&whole) {
            assert_eq!(
                a.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
                b.flatten_all().unwrap().to_vec1::<f32>().unwrap()
            );
        }
    }
}

#[test]
fn dropout_changes_the_loss_of_training_and_not_that_of_eval() {
    let decoder = gguf("llama-f32.gguf");
    let mut adapter = Adapter::load(&decoder, &fixtures().join("llama-adapter")).unwrap();
    let batch = pack("llama", &[0, 1, 2, 3]);
    let eval = decoder.loss(Some(&adapter), &batch).unwrap();
    adapter.dropout = 0.5;
    adapter.groups_mut().for_each(|g| g.dropout = 0.5);
    assert_eq!(decoder.loss(Some(&adapter), &batch).unwrap(), eval);
    let one = decoder.train(&mut adapter, &batch, PASS).unwrap();
    let other = decoder.train(&mut adapter, &batch, TrainPass { step: 4, ..PASS }).unwrap();
    assert!(one != eval && other != one);
}

#[test]
fn any_choice_of_modules_has_the_gradients_that_it_has_among_all() {
    let decoder = gguf("llama-f32.gguf");
    use TargetModule::*;
    let load = |modules: &[TargetModule]| {
        let mut adapter = new_adapter(&decoder, 0.0, modules);
        let full = tensors("llama-adapter/adapter_model.safetensors");
        for group in adapter.groups_mut() {
            let of = |module, matrix| full[&finetop::model::adapter::peft_name(group.layer, module, matrix)].clone();
            let a: Vec<_> = group.modules.iter().map(|&m| of(m, 'A')).collect();
            group.a.value = Tensor::cat(&a, 0).unwrap();
            let b: Vec<_> = group.modules.iter().map(|&m| of(m, 'B')).collect();
            group.b.iter_mut().zip(b).for_each(|(p, b)| p.value = b);
        }
        adapter
    };
    for modules in [&[DownProj][..], &[QProj, VProj], &[OProj], &[UpProj], &[KProj, GateProj]] {
        let mut adapter = load(modules);
        let plain = gradients(&decoder, &mut adapter, &[&[0, 1, 2, 3]], false);
        assert_eq!(plain.len(), modules.len() * 2 * 3);
        // A numerical slope along the gradient: (loss(+ε) − loss(−ε)) / 2ε = ‖g‖² · scale for a step of ε·g.
        let norm2: f64 =
            plain.iter().map(|g| g.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap() as f64).sum();
        let batch = pack("llama", &[0, 1, 2, 3]);
        let moved = |sign: f64| {
            let mut adapter = load(modules);
            let mut all = plain.iter();
            for group in adapter.groups_mut() {
                let mut a = Vec::new();
                for i in 0..group.modules.len() {
                    a.push(all.next().unwrap());
                    let step = (all.next().unwrap() * (sign * 1e-2)).unwrap();
                    group.b[i].value = (&group.b[i].value + step).unwrap();
                }
                let step = (Tensor::cat(&a, 0).unwrap() * (sign * 1e-2)).unwrap();
                group.a.value = (&group.a.value + step).unwrap();
            }
            decoder.loss(Some(&adapter), &batch).unwrap() * 0.01
        };
        let slope = (moved(1.0) - moved(-1.0)) / 2e-2;
        close(slope, norm2, 2e-2, &format!("{modules:?}"));
    }
}

#[test]
fn an_adapter_written_and_read_again_is_the_same_bytes() {
    let decoder = gguf("llama-f32.gguf");
    let adapter = Adapter::load(&decoder, &fixtures().join("llama-adapter")).unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    adapter.save(one.path(), "base").unwrap();
    Adapter::load(&decoder, one.path()).unwrap().save(two.path(), "base").unwrap();
    for file in ["adapter_model.safetensors", "adapter_config.json"] {
        assert_eq!(std::fs::read(one.path().join(file)).unwrap(), std::fs::read(two.path().join(file)).unwrap());
    }
    let (ours, theirs) = (
        candle_core::safetensors::load(one.path().join("adapter_model.safetensors"), &Device::Cpu).unwrap(),
        tensors("llama-adapter/adapter_model.safetensors"),
    );
    assert_eq!(ours.len(), theirs.len());
    for (name, t) in theirs {
        assert_eq!(relative(&ours[&name], &t), 0.0, "{name}");
    }
}

#[test]
fn an_adapter_that_does_not_fit_is_refused_by_name() {
    let decoder = gguf("llama-f32.gguf");
    let error = Adapter::load(&decoder, &fixtures().join("qwen2-adapter")).unwrap_err().to_string();
    assert!(error.contains("lora_A") && error.contains("shape"), "{error}");
    let error = Adapter::load(&decoder, Path::new("/nowhere")).unwrap_err().to_string();
    assert!(error.contains("adapter_config.json"), "{error}");
}
