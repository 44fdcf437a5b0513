//! From a model's files to a decoder in memory: tensors found by their Hugging Face names, shapes checked, put back into that layout.
//! Where files come from is `source`'s business, what they promise about themselves `formats`'.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device};

use super::attention::Heads;
use super::block::Block;
use super::decoder::Decoder;
use super::frozen::{Frozen, Scratch};
use super::head::Head;
use super::norm::RmsNorm;
use super::spec::Spec;
use super::stored::Stored;
use crate::config::{ComputeDtype, Method, Quantization};
use crate::formats::FormatError;
use crate::formats::gguf::{GgmlType, Gguf};
use crate::formats::safetensors::{Dtype, Safetensors};
use crate::memory::ledger::{Ledger, NoRoom, Phase};
use crate::memory::probe;

/// Why a model could not be brought into memory.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("{}: {source}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{}: tensor {name}: {source}", file.display())]
    Tensor { file: PathBuf, name: String, source: Box<candle_core::Error> },
    #[error("{}: tensor {name} has inner size {inner}, which {to} cannot pack: it needs a multiple of {block}", file.display())]
    Quantise { file: PathBuf, name: String, inner: usize, to: &'static str, block: usize },
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error("dtype {dtype} cannot be computed on {device}; use f32")]
    Dtype { dtype: &'static str, device: String },
}

/// How the base is held and computed.
#[derive(Debug, Clone)]
pub struct Placement {
    pub method: Method,
    pub quantization: Quantization,
    pub dtype: ComputeDtype,
    pub device: Device,
}

/// The files that a decoder is read from.
#[derive(Debug, Clone)]
pub enum WeightFiles<'a> {
    Gguf(&'a Path),
    Safetensors { config: &'a Path, files: &'a [PathBuf] },
}

enum Tensors {
    Gguf { gguf: Gguf, file: File },
    Safetensors { config: PathBuf, parts: Vec<(Safetensors, File)> },
}

/// Reads a decoder. Progress is told as (bytes read, bytes in all).
/// # Errors
/// A file that cannot be read or that lies, a missing tensor, a wrong shape, an unknown type or architecture; no room, asked for before each
/// tensor.
pub fn load(
    files: WeightFiles,
    placement: &Placement,
    ledger: &Ledger,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Decoder, LoadError> {
    ledger.set_phase(Phase::Load);
    let dtype = match (placement.dtype, placement.device.is_cpu()) {
        (ComputeDtype::F32, _) => DType::F32,
        (ComputeDtype::Bf16, false) => DType::BF16,
        (ComputeDtype::Bf16, true) => return Err(LoadError::Dtype { dtype: "bf16", device: "the CPU".into() }),
    };
    let tensors = Tensors::open(&files)?;
    let spec = match &tensors {
        Tensors::Gguf { gguf, .. } => {
            let mut spec = Spec::from_gguf(gguf)?;
            tensors.stretch_frequencies(&mut spec, ledger)?;
            spec
        }
        Tensors::Safetensors { config, .. } => {
            let read = |source| LoadError::Read { file: config.clone(), source };
            let text = std::fs::read_to_string(config).map_err(read)?;
            let json = serde_json::from_str(&text)
                .map_err(|e| FormatError::unexpected(config, &format!("line {}", e.line()), "JSON", e.to_string()))?;
            Spec::from_config(config, &json)?
        }
    };
    let mut loader = Loader {
        total: tensors.total_bytes(),
        done: 0,
        tensors,
        placement,
        dtype,
        ledger,
        scratch: Scratch::new(ledger),
        progress,
        spec: &spec,
    };
    let s = &spec.shape;
    let embedding = Arc::new(loader.frozen("model.embed_tokens", [s.vocab_size, s.hidden_size], Role::Embedding)?);
    let blocks = (0..s.num_hidden_layers).map(|i| loader.block(i)).collect::<Result<Vec<_>, _>>()?;
    ledger.set_layer(None);
    let norm = loader.norm("model.norm.weight")?;
    let weight = if s.tie_word_embeddings {
        embedding.clone()
    } else {
        Arc::new(loader.frozen("lm_head", [s.vocab_size, s.hidden_size], Role::Embedding)?)
    };
    drop(loader);
    ledger.set_layer(None);
    ledger.set_phase(Phase::Idle);
    probe::give_back_freed();
    let head = Head::new(norm, weight);
    Ok(Decoder { spec, embedding, blocks, head, device: placement.device.clone(), dtype, ledger: ledger.clone() })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Embedding,
    Projection { bias: bool, heads: Option<usize> },
}

struct Loader<'a> {
    tensors: Tensors,
    spec: &'a Spec,
    placement: &'a Placement,
    dtype: DType,
    ledger: &'a Ledger,
    scratch: Scratch,
    progress: &'a mut dyn FnMut(u64, u64),
    done: u64,
    total: u64,
}

impl Loader<'_> {
    fn block(&mut self, layer: usize) -> Result<Block, LoadError> {
        self.ledger.set_layer(Some(layer));
        let s = self.spec.shape.clone();
        let (q_out, kv_out) = (s.num_attention_heads * s.head_dim, s.num_key_value_heads * s.head_dim);
        let bias = self.spec.family.qkv_bias;
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let plain = Role::Projection { bias: false, heads: None };
        let turned = |heads| Role::Projection { bias, heads: Some(heads) };
        Ok(Block {
            input_norm: self.norm(&name("input_layernorm.weight"))?,
            q: self.frozen(&name("self_attn.q_proj"), [q_out, s.hidden_size], turned(s.num_attention_heads))?,
            k: self.frozen(&name("self_attn.k_proj"), [kv_out, s.hidden_size], turned(s.num_key_value_heads))?,
            v: self.frozen(
                &name("self_attn.v_proj"),
                [kv_out, s.hidden_size],
                Role::Projection { bias, heads: None },
            )?,
            o: self.frozen(&name("self_attn.o_proj"), [s.hidden_size, q_out], plain)?,
            post_attention_norm: self.norm(&name("post_attention_layernorm.weight"))?,
            gate: self.frozen(&name("mlp.gate_proj"), [s.intermediate_size, s.hidden_size], plain)?,
            up: self.frozen(&name("mlp.up_proj"), [s.intermediate_size, s.hidden_size], plain)?,
            down: self.frozen(&name("mlp.down_proj"), [s.hidden_size, s.intermediate_size], plain)?,
            heads: Heads { heads: s.num_attention_heads, kv_heads: s.num_key_value_heads, head_dim: s.head_dim },
        })
    }

    /// Finds a tensor and hands it to `read`.
    fn tensor<R>(
        &mut self,
        name: &str,
        shape: &[usize],
        turned: Option<usize>,
        read: impl FnOnce(&Stored) -> Result<R, LoadError>,
    ) -> Result<R, LoadError> {
        let stored = Stored { turned, ..self.tensors.find(name, self.ledger)? };
        if stored.shape != shape {
            let (expected, found) = (format!("shape {shape:?}"), format!("{:?}", stored.shape));
            return Err(FormatError::unexpected(stored.path, &stored.name, expected, found).into());
        }
        let (result, len) = (read(&stored)?, stored.len);
        self.done += len;
        (self.progress)(self.done, self.total);
        Ok(result)
    }

    fn norm(&mut self, name: &str) -> Result<RmsNorm, LoadError> {
        let (hidden, device) = (self.spec.shape.hidden_size, self.placement.device.clone());
        let weight = self.tensor(name, &[hidden], None, |stored| stored.dense(&device, DType::F32))?;
        Ok(RmsNorm::new(weight, self.spec.rms_norm_eps, self.ledger))
    }

    fn frozen(&mut self, name: &str, shape: [usize; 2], role: Role) -> Result<Frozen, LoadError> {
        let (device, dtype, method) = (self.placement.device.clone(), self.dtype, self.placement.method);
        let turned = match role {
            Role::Projection { heads, .. }
                if self.spec.family.gguf_permutes_qk && matches!(self.tensors, Tensors::Gguf { .. }) =>
            {
                heads
            }
            _ => None,
        };
        let bias = match role {
            Role::Projection { bias: true, .. } => {
                let name = format!("{name}.bias");
                Some(self.tensor(&name, &shape[..1], turned, |stored| stored.dense(&device, dtype))?)
            }
            _ => None,
        };
        let wanted = match (self.placement.quantization, role) {
            (Quantization::Keep, _) | (_, Role::Embedding) => None,
            (Quantization::Q8_0, _) => Some((GgmlDType::Q8_0, "q8_0")),
            (Quantization::Q4_0, _) => Some((GgmlDType::Q4_0, "q4_0")),
            (Quantization::Q4_1, _) => Some((GgmlDType::Q4_1, "q4_1")),
            (Quantization::Q4K, _) => Some((GgmlDType::Q4K, "q4_k")),
        };
        let (scratch, ledger) = (self.scratch.clone(), self.ledger);
        self.tensor(&format!("{name}.weight"), &shape, turned, |stored| {
            let full_precision = matches!(stored.dtype, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16);
            let as_f32 = stored.dtype == GgmlDType::F32 || (full_precision && !device.is_cpu());
            if method == Method::Lora || (wanted.is_none() && as_f32) {
                let dense = stored.dense(&device, dtype)?;
                return Frozen::dense(dense, bias, &scratch, ledger).map_err(stored.failed());
            }
            if let Some((to, packed)) = wanted
                && !shape[1].is_multiple_of(to.block_size())
            {
                let (file, name, inner, block) = (stored.path.into(), stored.name.clone(), shape[1], to.block_size());
                return Err(LoadError::Quantise { file, name, inner, to: packed, block });
            }
            let weight = match wanted {
                Some((to, _)) => stored.quantised(to, &device)?,
                None => stored.kept(&device)?,
            };
            Frozen::quantised(weight, bias, &scratch, ledger).map_err(stored.failed())
        })
    }
}

impl Tensors {
    fn open(files: &WeightFiles) -> Result<Self, LoadError> {
        let open = |path: &Path| File::open(path).map_err(|source| LoadError::Read { file: path.into(), source });
        match files {
            WeightFiles::Gguf(path) => Ok(Tensors::Gguf { gguf: Gguf::open(path)?, file: open(path)? }),
            WeightFiles::Safetensors { config, files } => {
                let parts = files.iter().map(|f| Ok((Safetensors::open(f)?, open(f)?)));
                let parts = parts.collect::<Result<Vec<_>, LoadError>>()?;
                Ok(Tensors::Safetensors { config: config.to_path_buf(), parts })
            }
        }
    }

    fn total_bytes(&self) -> u64 {
        match self {
            Tensors::Gguf { gguf, .. } => gguf.tensors.iter().map(|t| t.len).sum(),
            Tensors::Safetensors { parts, .. } => parts.iter().flat_map(|(s, _)| s.tensors.iter().map(|t| t.len)).sum(),
        }
    }

    /// Divides the frequencies by the factors that some GGUF files of Llama 3 carry as a tensor.
    fn stretch_frequencies(&self, spec: &mut Spec, ledger: &Ledger) -> Result<(), LoadError> {
        let Tensors::Gguf { gguf, .. } = self else { return Ok(()) };
        if gguf.tensor("rope_freqs.weight").is_err() {
            return Ok(());
        }
        let stored = self.find_named("rope_freqs.weight", "rope_freqs.weight", ledger)?;
        let expected = spec.frequencies.0.len();
        let factors = stored.dense(&Device::Cpu, DType::F32)?.to_vec1::<f32>().unwrap_or_default();
        if factors.len() != expected || factors.iter().any(|f| !(f.is_finite() && *f > 0.0)) {
            let (expected, found) = (format!("{expected} positive numbers"), format!("{:?}", stored.shape));
            return Err(FormatError::unexpected(stored.path, "rope_freqs.weight", expected, found).into());
        }
        for (frequency, factor) in spec.frequencies.0.iter_mut().zip(factors) {
            *frequency /= factor;
        }
        Ok(())
    }

    fn find<'a>(&'a self, name: &str, ledger: &'a Ledger) -> Result<Stored<'a>, LoadError> {
        match self {
            Tensors::Gguf { .. } => self.find_named(name, &gguf_name(name), ledger),
            Tensors::Safetensors { .. } => self.find_named(name, name, ledger),
        }
    }

    fn find_named<'a>(&'a self, name: &str, stored: &str, ledger: &'a Ledger) -> Result<Stored<'a>, LoadError> {
        let (path, file, shape, dtype, offset, len) = match self {
            Tensors::Gguf { gguf, file } => {
                let t = gguf.tensor(stored)?;
                (&gguf.path, file, &t.shape, ggml_dtype(&gguf.path, stored, t.dtype)?, t.offset, t.len)
            }
            Tensors::Safetensors { config, parts } => {
                let found = parts.iter().find_map(|(s, f)| Some((s, f, s.tensor(stored).ok()?)));
                let Some((s, f, t)) = found else { return Err(FormatError::missing(config, stored).into()) };
                s.float_tensor(stored)?;
                let dtype = match t.dtype {
                    Dtype::F16 => GgmlDType::F16,
                    Dtype::BF16 => GgmlDType::BF16,
                    _ => GgmlDType::F32,
                };
                (&s.path, f, &t.shape, dtype, t.offset, t.len)
            }
        };
        let name = if name == stored { name.to_owned() } else { format!("{stored} ({name})") };
        Ok(Stored { shape: shape.clone(), dtype, file, path, name, offset, len, turned: None, ledger })
    }
}

/// The GGUF name of a tensor with a Hugging Face name.
pub fn gguf_name(name: &str) -> String {
    let outer = match name {
        "model.embed_tokens.weight" => Some("token_embd.weight"),
        "model.norm.weight" => Some("output_norm.weight"),
        "lm_head.weight" => Some("output.weight"),
        _ => None,
    };
    if let Some(outer) = outer {
        return outer.to_owned();
    }
    let inner = name.replace("model.layers.", "blk.");
    [
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
    ]
    .iter()
    .fold(inner, |name, (from, to)| name.replace(from, to))
}

fn ggml_dtype(file: &Path, name: &str, dtype: GgmlType) -> Result<GgmlDType, FormatError> {
    Ok(match dtype {
        GgmlType::F32 => GgmlDType::F32,
        GgmlType::F16 => GgmlDType::F16,
        GgmlType::BF16 => GgmlDType::BF16,
        GgmlType::Q4_0 => GgmlDType::Q4_0,
        GgmlType::Q4_1 => GgmlDType::Q4_1,
        GgmlType::Q5_0 => GgmlDType::Q5_0,
        GgmlType::Q5_1 => GgmlDType::Q5_1,
        GgmlType::Q8_0 => GgmlDType::Q8_0,
        GgmlType::Q2K => GgmlDType::Q2K,
        GgmlType::Q3K => GgmlDType::Q3K,
        GgmlType::Q4K => GgmlDType::Q4K,
        GgmlType::Q5K => GgmlDType::Q5K,
        GgmlType::Q6K => GgmlDType::Q6K,
        GgmlType::Q8K => GgmlDType::Q8K,
        #[allow(unreachable_patterns)]
        other => {
            let expected = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 or a K type";
            return Err(FormatError::unexpected(file, name, expected, format!("{other:?}")));
        }
    })
}
