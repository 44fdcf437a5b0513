//! One description for all decoder families: what differs between them is data, an entry in `FAMILIES`. Weights are `load`'s business.

use std::path::Path;

use serde_json::Value;

use super::rope::Frequencies;
use crate::formats::gguf::Gguf;
use crate::formats::{FormatError, optional};
use crate::units::ModelShape;

/// A family of decoders: RMS norm before, rotary embedding, grouped-query attention, gated feed-forward; and what sets it apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    pub name: &'static str,
    /// `general.architecture` in GGUF files.
    pub gguf_architecture: &'static str,
    /// `model_type` in config.json.
    pub model_types: &'static [&'static str],
    /// Whether q, k and v have biases.
    pub qkv_bias: bool,
    /// Whether GGUF files interleave the rows of q and k for the other layout of RoPE.
    pub gguf_permutes_qk: bool,
}

pub const FAMILIES: &[Family] = &[
    Family {
        name: "llama",
        gguf_architecture: "llama",
        model_types: &["llama", "mistral"],
        qkv_bias: false,
        gguf_permutes_qk: true,
    },
    Family {
        name: "qwen2",
        gguf_architecture: "qwen2",
        model_types: &["qwen2"],
        qkv_bias: true,
        gguf_permutes_qk: false,
    },
];

/// A decoder, described: its family and its numbers.
#[derive(Debug, Clone)]
pub struct Spec {
    pub family: &'static Family,
    pub shape: ModelShape,
    pub rms_norm_eps: f64,
    pub frequencies: Frequencies,
    /// The model's own name, where its file tells one.
    pub name: Option<String>,
}

fn known(list: impl Iterator<Item = &'static str>) -> String {
    format!("one of {}", list.collect::<Vec<_>>().join(", "))
}

impl Spec {
    /// Reads the description from a GGUF file's metadata.
    /// # Errors
    /// An unknown architecture, a missing or impossible number, a kind of RoPE scaling or mixture that is not computed here.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, FormatError> {
        let file = gguf.path.as_path();
        let architecture = gguf.string("general.architecture")?;
        let Some(family) = FAMILIES.iter().find(|f| f.gguf_architecture == architecture) else {
            let expected = known(FAMILIES.iter().map(|f| f.gguf_architecture));
            return Err(FormatError::unexpected(file, "general.architecture", expected, architecture));
        };
        let key = |name: &str| format!("{architecture}.{name}");
        let number = |name: &str| gguf.u32(&key(name)).map(|n| n as usize);
        if optional(gguf.u32(&key("expert_count")))?.is_some_and(|n| n > 0) {
            return Err(FormatError::unexpected(file, &key("expert_count"), "a dense model", "a mixture of experts"));
        }
        let hidden_size = number("embedding_length")?;
        let heads = number("attention.head_count")?;
        let kv_heads = optional(number("attention.head_count_kv"))?.unwrap_or(heads);
        let head_dim = match optional(number("attention.key_length"))? {
            Some(d) => d,
            None => hidden_size / heads.max(1),
        };
        if let Some(turned) = optional(number("rope.dimension_count"))?
            && turned != head_dim
        {
            let expected = format!("{head_dim}, the whole head");
            return Err(FormatError::unexpected(file, &key("rope.dimension_count"), expected, turned.to_string()));
        }
        if let Some(scaling) = optional(gguf.string(&key("rope.scaling.type")))?
            && scaling != "none"
        {
            return Err(FormatError::unexpected(file, &key("rope.scaling.type"), "none", scaling));
        }
        let theta = optional(gguf.f32(&key("rope.freq_base")))?.unwrap_or(10_000.0) as f64;
        let embedding = gguf.tensor("token_embd.weight")?;
        let shape = ModelShape {
            num_hidden_layers: number("block_count")?,
            hidden_size,
            intermediate_size: number("feed_forward_length")?,
            num_attention_heads: heads,
            num_key_value_heads: kv_heads,
            head_dim,
            vocab_size: embedding.shape.first().copied().unwrap_or(0),
            max_position_embeddings: number("context_length")?,
            tie_word_embeddings: gguf.tensor("output.weight").is_err(),
        };
        let rms_norm_eps = gguf.f32(&key("attention.layer_norm_rms_epsilon"))? as f64;
        let name = optional(gguf.string("general.name"))?.map(str::to_owned);
        let spec = Spec { family, shape, rms_norm_eps, frequencies: Frequencies::new(theta, head_dim), name };
        spec.check(file)
    }

    /// Reads the description from a config.json.
    /// # Errors
    /// As `from_gguf`.
    pub fn from_config(file: &Path, config: &Value) -> Result<Self, FormatError> {
        let text = |key: &str| config.get(key).and_then(Value::as_str);
        let unexpected = |key: &str, expected: &str| {
            let found = config.get(key).map_or("nothing".to_owned(), |v| v.to_string());
            FormatError::unexpected(file, key, expected, found)
        };
        let model_type = text("model_type").unwrap_or_default();
        let Some(family) = FAMILIES.iter().find(|f| f.model_types.contains(&model_type)) else {
            let expected = known(FAMILIES.iter().flat_map(|f| f.model_types.iter().copied()));
            return Err(unexpected("model_type", &expected));
        };
        let optional_number = |key: &str| match config.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(v) => v.as_u64().map(|n| Some(n as usize)).ok_or_else(|| unexpected(key, "a whole number")),
        };
        let number = |key: &str| optional_number(key)?.ok_or_else(|| unexpected(key, "a whole number"));
        let real = |at: &Value, key: &str| at.get(key).and_then(Value::as_f64);
        if text("hidden_act").is_some_and(|act| act != "silu") {
            return Err(unexpected("hidden_act", "silu"));
        }
        for key in ["attention_bias", "mlp_bias", "use_sliding_window"] {
            if config.get(key).and_then(Value::as_bool) == Some(true) {
                return Err(unexpected(key, "false"));
            }
        }
        let sliding = config.get("use_sliding_window").is_none() && optional_number("sliding_window")?.is_some();
        if sliding {
            return Err(unexpected("sliding_window", "null"));
        }
        let (hidden_size, heads) = (number("hidden_size")?, number("num_attention_heads")?);
        let head_dim = optional_number("head_dim")?.unwrap_or(hidden_size / heads.max(1));
        let rope = ["rope_parameters", "rope_scaling"].iter().find_map(|k| config.get(*k).filter(|v| !v.is_null()));
        let theta = rope.and_then(|r| real(r, "rope_theta")).or_else(|| real(config, "rope_theta")).unwrap_or(10_000.0);
        let mut frequencies = Frequencies::new(theta, head_dim);
        if let Some(rope) = rope {
            let kind = ["rope_type", "type"].iter().find_map(|k| rope.get(*k)?.as_str()).unwrap_or("default");
            match kind {
                "default" => {}
                "llama3" => {
                    let part = |key: &str| {
                        real(rope, key).filter(|v| *v > 0.0).ok_or_else(|| {
                            FormatError::unexpected(file, &format!("rope_scaling.{key}"), "a positive number", "none")
                        })
                    };
                    let (factor, low, high) = (part("factor")?, part("low_freq_factor")?, part("high_freq_factor")?);
                    let original = part("original_max_position_embeddings")?;
                    stretch(&mut frequencies, factor, low, high, original);
                }
                other => {
                    return Err(FormatError::unexpected(file, "rope_scaling.rope_type", "default or llama3", other));
                }
            }
        }
        let shape = ModelShape {
            num_hidden_layers: number("num_hidden_layers")?,
            hidden_size,
            intermediate_size: number("intermediate_size")?,
            num_attention_heads: heads,
            num_key_value_heads: optional_number("num_key_value_heads")?.unwrap_or(heads),
            head_dim,
            vocab_size: number("vocab_size")?,
            max_position_embeddings: number("max_position_embeddings")?,
            tie_word_embeddings: config.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(false),
        };
        let rms_norm_eps = real(config, "rms_norm_eps").ok_or_else(|| unexpected("rms_norm_eps", "a number"))?;
        let name = text("_name_or_path").filter(|n| !n.is_empty()).map(str::to_owned);
        Spec { family, shape, rms_norm_eps, frequencies, name }.check(file)
    }

    fn check(self, file: &Path) -> Result<Self, FormatError> {
        let s = &self.shape;
        let refuse = |field: &str, expected: &str, found: usize| {
            Err(FormatError::unexpected(file, field, expected, found.to_string()))
        };
        for (field, value) in [
            ("number of layers", s.num_hidden_layers),
            ("hidden size", s.hidden_size),
            ("feed-forward size", s.intermediate_size),
            ("number of heads", s.num_attention_heads),
            ("number of key-value heads", s.num_key_value_heads),
            ("head size", s.head_dim),
            ("vocabulary size", s.vocab_size),
        ] {
            if value == 0 || value > 1 << 24 {
                return refuse(field, "a number from 1 to 16777216", value);
            }
        }
        if !s.num_attention_heads.is_multiple_of(s.num_key_value_heads) {
            return refuse("number of key-value heads", "a divisor of the number of heads", s.num_key_value_heads);
        }
        if !s.head_dim.is_multiple_of(2) {
            return refuse("head size", "an even number", s.head_dim);
        }
        if !(self.rms_norm_eps > 0.0 && self.rms_norm_eps < 1.0) {
            let found = self.rms_norm_eps.to_string();
            return Err(FormatError::unexpected(file, "epsilon of the norm", "a number between 0 and 1", found));
        }
        Ok(self)
    }
}

/// Llama 3's scaling of RoPE: long waves are slowed down by `factor`, short ones stay, those between are blended.
fn stretch(frequencies: &mut Frequencies, factor: f64, low: f64, high: f64, original: f64) {
    for f in &mut frequencies.0 {
        let turns = original * *f as f64 / (2.0 * std::f64::consts::PI);
        let smooth = ((turns - low) / (high - low)).clamp(0.0, 1.0);
        *f = (*f as f64 * ((1.0 - smooth) / factor + smooth)) as f32;
    }
}
