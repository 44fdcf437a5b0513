//! The settings of a run as validated values; how they are read from a TOML file is in `parse`.
//! Names and defaults are those of PEFT and of the Hugging Face trainer where they have one.

pub mod parse;
pub mod settings;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A whole run's settings, resolved: every value is set and in range, paths are absolute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    pub model: ModelConfig,
    pub adapter: AdapterConfig,
    pub data: DataConfig,
    pub train: TrainConfig,
    pub memory: MemoryConfig,
    pub bleu: BleuConfig,
    /// For logs that were written before there was this section.
    #[serde(default)]
    pub extract: ExtractConfig,
    pub log: LogConfig,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// `pip:name==version`, `hf:org/name[@revision]`, a folder with safetensors, or a `.gguf` file.
    pub source: String,
    pub dtype: ComputeDtype,
}

/// The type that activations and the adapter are computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComputeDtype {
    F32,
    Bf16,
}

impl ComputeDtype {
    pub fn name(self) -> &'static str {
        match self {
            ComputeDtype::F32 => "f32",
            ComputeDtype::Bf16 => "bf16",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterConfig {
    pub method: Method,
    pub r: usize,
    pub lora_alpha: f64,
    pub lora_dropout: f64,
    pub target_modules: Vec<TargetModule>,
    pub quantization: Quantization,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The base stays quantised as it is on disk (or as `quantization` asks).
    Qlora,
    /// The base is held in the compute type.
    Lora,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Method::Qlora => "qlora",
            Method::Lora => "lora",
        }
    }
}

/// The projections of a decoder block that can carry an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetModule {
    QProj,
    KProj,
    VProj,
    OProj,
    GateProj,
    UpProj,
    DownProj,
}

impl TargetModule {
    pub const ALL: [TargetModule; 7] = [
        TargetModule::QProj,
        TargetModule::KProj,
        TargetModule::VProj,
        TargetModule::OProj,
        TargetModule::GateProj,
        TargetModule::UpProj,
        TargetModule::DownProj,
    ];

    pub fn name(self) -> &'static str {
        match self {
            TargetModule::QProj => "q_proj",
            TargetModule::KProj => "k_proj",
            TargetModule::VProj => "v_proj",
            TargetModule::OProj => "o_proj",
            TargetModule::GateProj => "gate_proj",
            TargetModule::UpProj => "up_proj",
            TargetModule::DownProj => "down_proj",
        }
    }

    /// The part of the block that holds the projection, as in a PEFT tensor's name.
    pub fn parent(self) -> &'static str {
        match self {
            TargetModule::QProj | TargetModule::KProj | TargetModule::VProj | TargetModule::OProj => "self_attn",
            TargetModule::GateProj | TargetModule::UpProj | TargetModule::DownProj => "mlp",
        }
    }
}

/// What happens to the base weights on load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantization {
    Keep,
    #[serde(rename = "q8_0")]
    Q8_0,
    #[serde(rename = "q4_0")]
    Q4_0,
    #[serde(rename = "q4_1")]
    Q4_1,
    #[serde(rename = "q4_k")]
    Q4K,
}

impl Quantization {
    pub fn name(self) -> &'static str {
        match self {
            Quantization::Keep => "keep",
            Quantization::Q8_0 => "q8_0",
            Quantization::Q4_0 => "q4_0",
            Quantization::Q4_1 => "q4_1",
            Quantization::Q4K => "q4_k",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    pub train: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub eval: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test: Option<PathBuf>,
    pub max_seq_length: usize,
    pub shuffle: bool,
    pub strict: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// May be a fraction, as in transformers.
    pub num_train_epochs: f64,
    /// Optimizer steps; −1 means `num_train_epochs` decides.
    pub max_steps: i64,
    pub per_device_train_batch_size: usize,
    pub gradient_accumulation_steps: usize,
    pub learning_rate: f64,
    pub lr_scheduler_type: SchedulerType,
    pub warmup_steps: usize,
    pub weight_decay: f64,
    /// 0 means that gradients are not clipped.
    pub max_grad_norm: f64,
    pub gradient_checkpointing: bool,
    /// 0 means only before the first step and at the end.
    pub eval_steps: usize,
    /// 0 means only at the end.
    pub save_steps: usize,
    /// 0 means that every checkpoint is kept.
    pub save_total_limit: usize,
    pub load_best_model_at_end: bool,
    /// Which value decides what is best.
    #[serde(default)]
    pub metric_for_best_model: BestMetric,
    /// Known by name so that it can be refused with what it would cost.
    #[serde(default)]
    pub predict_with_generate: bool,
    pub seed: u64,
}

/// What a best checkpoint may be chosen by, under transformers' names. Only the loss is known while training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestMetric {
    #[default]
    EvalLoss,
    Loss,
    Bleu,
    Chrf,
    Ter,
}

impl BestMetric {
    pub fn name(self) -> &'static str {
        match self {
            BestMetric::EvalLoss => "eval_loss",
            BestMetric::Loss => "loss",
            BestMetric::Bleu => "bleu",
            BestMetric::Chrf => "chrf",
            BestMetric::Ter => "ter",
        }
    }

    /// Whether text would have to be generated for it.
    pub fn is_generated(self) -> bool {
        matches!(self, BestMetric::Bleu | BestMetric::Chrf | BestMetric::Ter)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchedulerType {
    Linear,
    Cosine,
    Constant,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemoryConfig {
    /// `"auto"` or a size such as `"2GiB"`.
    pub limit: MemoryLimit,
    pub on_oom: OnOom,
    /// Positions whose logits are held at once.
    #[serde(default = "default_head_chunk")]
    pub head_chunk: usize,
}

/// For logs that were written before the setting was there.
fn default_head_chunk() -> usize {
    256
}

/// `"auto"`, or a number of bytes, written as the person wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum MemoryLimit {
    Auto,
    Bytes { bytes: u64, text: String },
}

impl MemoryLimit {
    /// The limit as it was set, or the room that there is.
    pub fn or_room(&self, room_bytes: Option<u64>) -> Option<u64> {
        match self {
            MemoryLimit::Auto => room_bytes,
            MemoryLimit::Bytes { bytes, .. } => Some(*bytes),
        }
    }

    /// What a run may hold where there is room for `room_bytes` in all: a limit beyond that would only be met by the system's own.
    pub fn within(&self, room_bytes: Option<u64>) -> Option<u64> {
        match self {
            MemoryLimit::Auto => room_bytes,
            MemoryLimit::Bytes { bytes, .. } => Some(room_bytes.map_or(*bytes, |room| room.min(*bytes))),
        }
    }
}

impl From<MemoryLimit> for String {
    fn from(limit: MemoryLimit) -> String {
        match limit {
            MemoryLimit::Auto => "auto".into(),
            MemoryLimit::Bytes { text, .. } => text,
        }
    }
}

impl TryFrom<String> for MemoryLimit {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text == "auto" {
            return Ok(MemoryLimit::Auto);
        }
        crate::units::parse_bytes(&text).map(|bytes| MemoryLimit::Bytes { bytes, text })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnOom {
    Ask,
    Recover,
    Stop,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BleuConfig {
    pub run_after_training: bool,
    /// Whether the base without an adapter is scored as well, so that the gain is seen.
    pub compare_base: bool,
    pub max_new_tokens: usize,
    /// Rows that are generated at once.
    pub per_device_eval_batch_size: usize,
    pub num_beams: usize,
    pub length_penalty: f64,
    /// 0 forbids nothing.
    pub no_repeat_ngram_size: usize,
}

/// For logs that were written before a setting was there.
impl Default for BleuConfig {
    fn default() -> Self {
        BleuConfig {
            run_after_training: true,
            compare_base: true,
            max_new_tokens: 64,
            per_device_eval_batch_size: 32,
            num_beams: 1,
            length_penalty: 1.0,
            no_repeat_ngram_size: 0,
        }
    }
}

/// What the playground and `finetop extract --config` begin with; training knows nothing of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExtractConfig {
    /// The JSON Schema of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PathBuf>,
    /// Calls after the first.
    pub max_retries: u32,
    pub max_new_tokens: u32,
    /// Tokens of all calls of a text, beyond which no further one is made.
    pub token_budget: u64,
    /// Of a million tokens, in whatever currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_price: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_price: Option<f64>,
}

impl Default for ExtractConfig {
    fn default() -> Self {
        ExtractConfig {
            schema: None,
            prompt: None,
            max_retries: 1,
            max_new_tokens: 256,
            token_budget: 16_384,
            prompt_price: None,
            completion_price: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogConfig {
    pub dir: PathBuf,
}
