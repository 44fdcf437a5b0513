//! The engine against candle-transformers' models, which compute the same networks by candle's own operators: logits position by position, and
//! the tokens that follow. PyTorch's values are in `tests/engine.rs`; how tokens are drawn is held against candle's in `model::generate::pick`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file;
use candle_core::{D, DType, Device, IndexOp, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{llama, quantized_llama, qwen2};
use finetop::config::{ComputeDtype, Method, Quantization};
use finetop::memory::ledger::Ledger;
use finetop::model::decoder::{Decoder, Packed};
use finetop::model::generate::{Decoding, generate};
use finetop::model::load::{Placement, WeightFiles, load};
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny")
}

fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "safetensors"));
    files.sort();
    files
}

fn ours(files: WeightFiles) -> Decoder {
    let (method, quantization, dtype) = (Method::Qlora, Quantization::Keep, ComputeDtype::F32);
    let placement = Placement { method, quantization, dtype, device: Device::Cpu };
    load(files, &placement, &Ledger::default(), &mut |_, _| {}).unwrap()
}

fn ours_of_folder(name: &str) -> Decoder {
    let folder = fixtures().join(name);
    ours(WeightFiles::Safetensors { config: &folder.join("config.json"), files: &parts(&folder) })
}

/// The weights of a folder in f32, and what its config.json says.
fn theirs(name: &str) -> (VarBuilder<'static>, Value) {
    let folder = fixtures().join(name);
    let mut tensors = HashMap::new();
    for part in parts(&folder) {
        for (name, tensor) in candle_core::safetensors::load(part, &Device::Cpu).unwrap() {
            tensors.insert(name, tensor.to_dtype(DType::F32).unwrap());
        }
    }
    let config = serde_json::from_str(&std::fs::read_to_string(folder.join("config.json")).unwrap()).unwrap();
    (VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu), config)
}

/// A model that gives the logits behind the last of these tokens, the first of which is at this position; position 0 begins anew.
type Step<'a> = Box<dyn FnMut(&Tensor, usize) -> candle_core::Result<Tensor> + 'a>;

fn llama_step(name: &str) -> Step<'static> {
    let (weights, config) = theirs(name);
    let config = serde_json::from_value::<llama::LlamaConfig>(config).unwrap().into_config(false);
    let model = llama::Llama::load(weights, &config).unwrap();
    let new_cache = move || llama::Cache::new(true, DType::F32, &config, &Device::Cpu).unwrap();
    let mut cache = new_cache();
    Box::new(move |tokens, at| {
        if at == 0 {
            cache = new_cache();
        }
        model.forward(tokens, at, &mut cache)?.i(0)
    })
}

fn qwen2_step(name: &str) -> Step<'static> {
    let (weights, config) = theirs(name);
    let number = |key: &str| config[key].as_u64().unwrap() as usize;
    let config = qwen2::Config {
        vocab_size: number("vocab_size"),
        hidden_size: number("hidden_size"),
        intermediate_size: number("intermediate_size"),
        num_hidden_layers: number("num_hidden_layers"),
        num_attention_heads: number("num_attention_heads"),
        num_key_value_heads: number("num_key_value_heads"),
        max_position_embeddings: number("max_position_embeddings"),
        sliding_window: number("max_position_embeddings"),
        max_window_layers: number("num_hidden_layers"),
        tie_word_embeddings: config["tie_word_embeddings"].as_bool().unwrap(),
        rope_theta: config["rope_parameters"]["rope_theta"].as_f64().unwrap(),
        rms_norm_eps: config["rms_norm_eps"].as_f64().unwrap(),
        use_sliding_window: false,
        hidden_act: candle_nn::Activation::Silu,
    };
    let mut model = qwen2::ModelForCausalLM::new(&config, weights).unwrap();
    Box::new(move |tokens, at| {
        if at == 0 {
            model.clear_kv_cache();
        }
        model.forward(tokens, at)?.i((0, 0))
    })
}

/// From a GGUF file; it has no way back to position 0 but another model.
fn gguf_step(file: &str) -> Step<'static> {
    let open = {
        let path = fixtures().join(file);
        move || {
            let mut reader = std::fs::File::open(&path).unwrap();
            let content = gguf_file::Content::read(&mut reader).unwrap();
            quantized_llama::ModelWeights::from_gguf(content, &mut reader, &Device::Cpu).unwrap()
        }
    };
    let mut model = open();
    Box::new(move |tokens, at| {
        if at == 0 {
            model = open();
        }
        model.forward(tokens, at)?.i(0)
    })
}

fn prompts(model: &str) -> Vec<Vec<u32>> {
    let reference: Value =
        serde_json::from_str(&std::fs::read_to_string(fixtures().join("reference.json")).unwrap()).unwrap();
    let rows = reference["models"][model]["rows"].as_array().unwrap().clone();
    rows.iter().map(|row| serde_json::from_value(row["input_ids"].clone()).unwrap()).collect()
}

fn tensor(tokens: &[u32]) -> Tensor {
    Tensor::new(tokens, &Device::Cpu).unwrap().unsqueeze(0).unwrap()
}

/// Logits of all positions: ours in one pass, theirs token by token over their cache.
fn furthest(decoder: &Decoder, step: &mut Step, tokens: &[u32]) -> f32 {
    let packed = Packed {
        tokens: tokens.to_vec(),
        positions: (0..tokens.len() as u32).collect(),
        rows: vec![0; tokens.len()],
        starts: vec![0, tokens.len() as u32],
        ..Packed::default()
    };
    let all: Vec<u32> = packed.positions.clone();
    let hidden = decoder.hidden(None, &packed).unwrap();
    let ours = decoder.head.logits(&hidden, &all).unwrap();
    let of = |at: usize, step: &mut Step| {
        let theirs = step(&tensor(&tokens[at..=at]), at).unwrap().to_dtype(DType::F32).unwrap();
        let norm = |t: Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
        norm((ours.i(at).unwrap() - &theirs).unwrap()) / norm(theirs)
    };
    (0..tokens.len()).map(|at| of(at, step)).fold(0.0, f32::max)
}

fn greedy(step: &mut Step, prompt: &[u32], count: usize) -> Vec<u32> {
    let mut tokens = prompt.to_vec();
    let mut logits = step(&tensor(prompt), 0).unwrap();
    for _ in 0..count {
        let next = logits.argmax(D::Minus1).unwrap().to_scalar::<u32>().unwrap();
        tokens.push(next);
        logits = step(&tensor(&[next]), tokens.len() - 1).unwrap();
    }
    tokens.split_off(prompt.len())
}

#[test]
fn logits_and_greedy_tokens_equal_those_of_candles_models() {
    let cases = [("llama", llama_step as fn(&str) -> Step<'static>), ("qwen2", qwen2_step)];
    for (name, step) in cases {
        let (decoder, mut step) = (ours_of_folder(name), step(name));
        for prompt in prompts(name) {
            let off = furthest(&decoder, &mut step, &prompt);
            assert!(off < 2e-5, "{name}: off by {off:e}");
            let how = Decoding { max_new_tokens: 24, ..Decoding::default() };
            let ours = generate(&decoder, None, &prompt, &how, &mut |_| true).unwrap();
            assert_eq!(ours.tokens, greedy(&mut step, &prompt, 24), "{name}");
        }
    }
}

#[test]
fn a_gguf_file_has_the_logits_of_candles_reader() {
    // In f32: with packed weights candle rounds activations to 8 bits, which finetop does not, and it computes no Q4_1 everywhere.
    let (decoder, mut step) =
        (ours(WeightFiles::Gguf(&fixtures().join("llama-f32.gguf"))), gguf_step("llama-f32.gguf"));
    for prompt in prompts("llama") {
        let off = furthest(&decoder, &mut step, &prompt);
        assert!(off < 2e-5, "off by {off:e}");
    }
}
