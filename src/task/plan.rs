//! What a plan is made for: the model's shape and its weights from the headers of its files, the rows' lengths from the data. No weights are
//! read. What a run needs is worked out in `memory::plan`.

use std::path::{Path, PathBuf};

use super::{OpenError, device, tokenizer};
use crate::config::{Method, RunConfig};
use crate::data::dataset::{Dataset, DatasetError, DatasetOptions, read_test_rows};
use crate::data::tokenizer::Tokenizer;
use crate::formats::FormatError;
use crate::formats::gguf::{GgmlType, Gguf};
use crate::formats::safetensors::{Dtype, Safetensors};
use crate::memory::plan::generation::TestRows;
use crate::memory::plan::{Subject, WeightFacts, WeightRole};
use crate::memory::probe;
use crate::model::device_memory;
use crate::model::load::gguf_name;
use crate::model::source::{ModelFiles, Weights};
use crate::model::spec::Spec;

/// Why there is nothing to plan for.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Data(#[from] DatasetError),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("{}: {source}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("adapter.quantization: {what}")]
    Quantise { what: String },
}

impl PlanError {
    /// Whether it is the memory that is short, and not a file that is wrong.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, PlanError::Open(e) if e.is_out_of_memory())
    }
}

/// The process before anything was opened, where the system does not say.
const USUAL_BEFORE: u64 = 64 << 20;

/// What a run of these files with this data is planned from. Rows are measured before any cut at `data.max_seq_length`, so that other lengths
/// can be planned for too.
/// # Errors
/// Whatever keeps the run itself from starting: files that are missing or lie, a family that is not computed here, no usable row.
pub fn subject(files: &ModelFiles, config: &RunConfig) -> Result<Subject, PlanError> {
    let (spec, weights) = model(files)?;
    let tokenizer = tokenizer(files)?;
    let whole = spec.shape.max_position_embeddings.max(config.data.max_seq_length);
    let open = |path: &Path, split: &str, max_seq_length: usize| {
        let options = DatasetOptions { max_seq_length, strict: config.data.strict, now: None };
        Dataset::open(path, split, tokenizer.clone(), options)
    };
    let train = open(&config.data.train, "train", whole)?;
    let eval = config.data.eval.as_deref().map(|path| open(path, "eval", whole)).transpose()?;
    // What reading them left behind serves whoever allocates next.
    probe::give_back_freed();
    let on_device = !device()?.is_cpu();
    let before_bytes = match on_device {
        // Of a card without a pool, the limit too bounds what is charged alone.
        true => device_memory::held_bytes().unwrap_or(0),
        // Tokenizer and rows are still there, as they are during a run.
        false => probe::host_memory().used_bytes.unwrap_or(USUAL_BEFORE),
    };
    Ok(Subject {
        shape: spec.shape,
        weights: weights.into(),
        train_rows: train.row_lengths().collect(),
        eval_rows: eval.iter().flat_map(Dataset::row_lengths).collect(),
        test: config.data.test.as_deref().and_then(|path| test_rows(path, config, &tokenizer)),
        threads: rayon::current_num_threads(),
        on_device,
        before_bytes,
        fit: None,
    })
}

/// What is known of the rows that are generated at the end. A run that cannot read them trains all the same, and is planned without.
fn test_rows(path: &Path, config: &RunConfig, tokenizer: &Tokenizer) -> Option<TestRows> {
    let split = read_test_rows(path, config.data.strict).ok()?;
    let tokens = |prompt: &str| tokenizer.encode_prompt(prompt).map_or(0, |tokens| tokens.len());
    let longest_prompt = split.rows.iter().map(|row| tokens(&row.prompt)).max()?;
    Some(TestRows { rows: split.rows.len(), longest_prompt })
}

/// Refuses what `model::load` will refuse: a type that cannot pack the model's weights.
/// # Errors
/// The quantised type, and a size that is no multiple of its block.
pub fn can_be_packed(subject: &Subject, config: &RunConfig) -> Result<(), PlanError> {
    if config.adapter.method == Method::Lora {
        return Ok(());
    }
    let Some(block) = crate::memory::plan::block_size(config.adapter.quantization) else { return Ok(()) };
    let odd = subject.weights.iter().find(|w| w.role == WeightRole::Projection && !w.in_features.is_multiple_of(block));
    match odd {
        Some(weight) => {
            let inner = weight.in_features;
            Err(PlanError::Quantise {
                what: format!("a weight has inner size {inner}; it needs a multiple of {block}"),
            })
        }
        None => Ok(()),
    }
}

enum Header {
    Gguf(Gguf),
    Safetensors { config: PathBuf, parts: Vec<Safetensors> },
}

/// The model's description, and every tensor that is loaded, in the order in which it is.
fn model(files: &ModelFiles) -> Result<(Spec, Vec<WeightFacts>), PlanError> {
    let (header, spec) = match &files.weights {
        Weights::Gguf(path) => {
            let gguf = Gguf::open(path)?;
            let spec = Spec::from_gguf(&gguf)?;
            (Header::Gguf(gguf), spec)
        }
        Weights::Safetensors { config, files } => {
            let text =
                std::fs::read_to_string(config).map_err(|source| PlanError::Read { file: config.clone(), source })?;
            let json = serde_json::from_str(&text)
                .map_err(|e| FormatError::unexpected(config, &format!("line {}", e.line()), "JSON", e.to_string()))?;
            let parts = files.iter().map(Safetensors::open).collect::<Result<Vec<_>, _>>()?;
            (Header::Safetensors { config: config.clone(), parts }, Spec::from_config(config, &json)?)
        }
    };
    let weights = names(&spec).into_iter().map(|(name, role)| header.facts(&name, role)).collect::<Result<_, _>>()?;
    Ok((spec, weights))
}

/// What `model::load` reads, by its Hugging Face name and in its order.
fn names(spec: &Spec) -> Vec<(String, WeightRole)> {
    let mut names = vec![("model.embed_tokens.weight".to_owned(), WeightRole::Embedding)];
    for layer in 0..spec.shape.num_hidden_layers {
        let mut add = |part: &str, role| names.push((format!("model.layers.{layer}.{part}"), role));
        add("input_layernorm.weight", WeightRole::Norm);
        for part in ["q_proj", "k_proj", "v_proj"] {
            add(&format!("self_attn.{part}.weight"), WeightRole::Projection);
            if spec.family.qkv_bias {
                add(&format!("self_attn.{part}.bias"), WeightRole::Norm);
            }
        }
        add("self_attn.o_proj.weight", WeightRole::Projection);
        add("post_attention_layernorm.weight", WeightRole::Norm);
        for part in ["gate_proj", "up_proj", "down_proj"] {
            add(&format!("mlp.{part}.weight"), WeightRole::Projection);
        }
    }
    names.push(("model.norm.weight".to_owned(), WeightRole::Norm));
    if !spec.shape.tie_word_embeddings {
        names.push(("lm_head.weight".to_owned(), WeightRole::Head));
    }
    names
}

impl Header {
    fn facts(&self, name: &str, role: WeightRole) -> Result<WeightFacts, FormatError> {
        let (shape, stored_bytes, full_precision, is_f32) = match self {
            Header::Gguf(gguf) => {
                let t = gguf.tensor(&gguf_name(name))?;
                let full = matches!(t.dtype, GgmlType::F32 | GgmlType::F16 | GgmlType::BF16);
                (&t.shape, t.len, full, t.dtype == GgmlType::F32)
            }
            Header::Safetensors { config, parts } => {
                let part = parts.iter().find(|part| part.tensor(name).is_ok());
                let t = part.ok_or_else(|| FormatError::missing(config, name))?.float_tensor(name)?;
                (&t.shape, t.len, true, t.dtype == Dtype::F32)
            }
        };
        let (out_features, in_features) = match shape.as_slice() {
            [inner] => (1, *inner as u64),
            all => (all.first().map_or(0, |n| *n as u64), all.iter().skip(1).map(|n| *n as u64).product()),
        };
        Ok(WeightFacts { role, out_features, in_features, stored_bytes, full_precision, is_f32 })
    }
}
