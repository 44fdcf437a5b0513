//! Quantising on load: what comes out is what candle quantises a whole tensor to, from every kind of file, and a model so packed still learns
//! as the one that it was made of.

use std::path::{Path, PathBuf};

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use finetop::config::{AdapterConfig, ComputeDtype, Method, Quantization, TargetModule};
use finetop::memory::ledger::{Ledger, Phase};
use finetop::model::adapter::Adapter;
use finetop::model::decoder::{Decoder, Packed, TrainPass};
use finetop::model::head::Target;
use finetop::model::load::{LoadError, Placement, WeightFiles, load};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny")
}

fn try_load(model: &str, quantization: Quantization, ledger: &Ledger) -> Result<Decoder, LoadError> {
    let folder = fixtures().join(model);
    let placement = Placement { method: Method::Qlora, quantization, dtype: ComputeDtype::F32, device: Device::Cpu };
    let files: Vec<PathBuf> = match folder.is_dir() {
        true => std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect(),
        false => Vec::new(),
    };
    let mut files: Vec<_> = files.into_iter().filter(|f| f.extension().is_some_and(|e| e == "safetensors")).collect();
    files.sort();
    let config = folder.join("config.json");
    let weights = match folder.is_dir() {
        true => WeightFiles::Safetensors { config: &config, files: &files },
        false => WeightFiles::Gguf(&folder),
    };
    load(weights, &placement, ledger, &mut |_, _| {})
}

fn decoder(model: &str, quantization: Quantization) -> Decoder {
    try_load(model, quantization, &Ledger::default()).unwrap()
}

const TO: [(Quantization, GgmlDType); 3] = [
    (Quantization::Q8_0, GgmlDType::Q8_0),
    (Quantization::Q4_0, GgmlDType::Q4_0),
    (Quantization::Q4_1, GgmlDType::Q4_1),
];

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_weight_that_is_packed_piece_by_piece_equals_one_that_candle_packs_whole() {
    let device = Device::Cpu;
    // Safetensors in f32, GGUF in f32 (whose rows of q and k move), bf16, and blocks of other types.
    for model in ["llama", "llama-f32.gguf", "qwen2", "qwen2-bf16.gguf", "llama-mixed.gguf"] {
        let whole = decoder(model, Quantization::Keep);
        for (quantization, dtype) in TO {
            let packed = decoder(model, quantization);
            for (layer, (whole, packed)) in whole.blocks.iter().zip(&packed.blocks).enumerate() {
                for module in TargetModule::ALL {
                    let dense = whole.projection(module).materialised(&device, candle_core::DType::F32).unwrap();
                    let expected = QTensor::quantize(&dense, dtype).unwrap().dequantize(&device).unwrap();
                    let found = packed.projection(module).materialised(&device, candle_core::DType::F32).unwrap();
                    let name = module.name();
                    assert!(values(&found) == values(&expected), "{model} to {dtype:?}: layer {layer}, {name}");
                }
            }
            let embeddings = [&whole, &packed].map(|d| d.embedding.rows(&[0, 5], &device).unwrap());
            assert_eq!(values(&embeddings[0]), values(&embeddings[1]), "{model}: the embedding stays as it is");
        }
    }
}

/// The loss after a few steps of plain gradient descent on the adapter.
fn trained(decoder: &Decoder) -> (f64, f64) {
    let tokens: Vec<u32> = (0..48).map(|i| (i * 5 % 90 + 3) as u32).collect();
    let target = |p: usize| Target { position: p as u32, token: tokens[p + 1] };
    let batch = Packed {
        starts: vec![0, 48],
        positions: (0..48).collect(),
        rows: vec![0; 48],
        targets: (8..47).map(target).collect(),
        tokens: tokens.clone(),
    };
    let config = AdapterConfig {
        method: Method::Qlora,
        r: 4,
        lora_alpha: 8.0,
        lora_dropout: 0.0,
        target_modules: TargetModule::ALL.to_vec(),
        quantization: Quantization::Keep,
    };
    let mut adapter = Adapter::new(decoder, &config, 3).unwrap();
    let mut optimizer = finetop::train::optimizer::AdamW::new(&adapter, 0.0, &decoder.ledger).unwrap();
    let before = decoder.loss(Some(&adapter), &batch).unwrap() / 39.0;
    for step in 1..=8 {
        adapter.groups_mut().flat_map(|g| g.params_mut()).for_each(|p| p.zero_grad().unwrap());
        let how = TrainPass { scale: 1.0 / 39.0, gradient_checkpointing: true, seed: 1, step };
        decoder.train(&mut adapter, &batch, how).unwrap();
        optimizer.update(&mut adapter, 5e-3, 1.0).unwrap();
    }
    (before, decoder.loss(Some(&adapter), &batch).unwrap() / 39.0)
}

#[test]
fn a_packed_model_learns_as_the_one_that_it_was_made_of() {
    let (before, after) = trained(&decoder("llama", Quantization::Keep));
    assert!(after < 0.9 * before, "{before} to {after}");
    for (quantization, dtype) in TO {
        let packed = trained(&decoder("llama", quantization));
        let near = if dtype == GgmlDType::Q8_0 { 0.01 } else { 0.1 };
        assert!((packed.0 / before - 1.0).abs() < near, "{dtype:?}: {} against {before}", packed.0);
        assert!((packed.1 / after - 1.0).abs() < 2.0 * near, "{dtype:?}: {} against {after}", packed.1);
    }
}

#[test]
fn an_inner_size_that_is_no_multiple_of_the_block_is_refused_by_name() {
    let error = try_load("llama", Quantization::Q4K, &Ledger::default()).unwrap_err().to_string();
    assert!(error.contains("q_proj") && error.contains("q4_k") && error.contains("256"), "{error}");
}

#[test]
fn a_model_that_does_not_fit_is_refused_before_its_tensor_is_read() {
    let ledger = Ledger::default();
    ledger.refuse(Phase::Load, 12);
    let error = try_load("llama", Quantization::Q8_0, &ledger).unwrap_err();
    assert!(matches!(&error, LoadError::NoRoom(refused) if refused.layer.is_some()), "{error}");
    assert_eq!(ledger.total(), 0);
}
