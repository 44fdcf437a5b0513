//! What needs model and text together: a model opened with its tokenizer (here), text continued by it (`write`, `text`), a split
//! generated row by row (`score`), extraction's questions answered (`local`, under a schema `grammar`), what a run of it is planned from
//! (`plan`).

pub mod grammar;
pub mod local;
pub mod plan;
pub mod score;
pub mod text;
pub mod write;

use std::path::Path;
use std::sync::Arc;

use candle_core::Device;

use crate::config::{ComputeDtype, Method, Quantization};
use crate::data::tokenizer::{Tokenizer, TokenizerError};
use crate::formats::FormatError;
use crate::formats::gguf::Gguf;
use crate::memory::ledger::Ledger;
use crate::model::adapter::{Adapter, AdapterError};
use crate::model::decoder::Decoder;
use crate::model::load::{LoadError, Placement, WeightFiles, load};
use crate::model::oom::exhausted;
use crate::model::source::{ModelFiles, Weights};

/// Why a model could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    #[error("{0}: a folder of safetensors needs a tokenizer.json")]
    NoTokenizer(String),
    #[error(transparent)]
    Device(#[from] candle_core::Error),
    #[error("the GPU cannot be used: {0}")]
    Gpu(candle_core::Error),
}

impl OpenError {
    /// Whether it is the memory that is short, and not a file that is wrong.
    pub fn is_out_of_memory(&self) -> bool {
        let tensor = |e: &candle_core::Error| exhausted(e).is_some();
        match self {
            OpenError::Load(LoadError::NoRoom(_)) => true,
            OpenError::Load(LoadError::Tensor { source, .. }) => tensor(source),
            OpenError::Adapter(AdapterError::Tensor(e)) | OpenError::Device(e) | OpenError::Gpu(e) => tensor(e),
            _ => false,
        }
    }
}

/// The tokenizer of a model's files.
/// # Errors
/// None there, or one that lies.
pub fn tokenizer(files: &ModelFiles) -> Result<Arc<Tokenizer>, OpenError> {
    let tokenizer = match (&files.weights, &files.tokenizer_json) {
        (Weights::Gguf(path), _) => Tokenizer::from_gguf(&Gguf::open(path)?)?,
        (Weights::Safetensors { .. }, Some(json)) => Tokenizer::from_json(json, files.tokenizer_config.as_deref())?,
        (Weights::Safetensors { .. }, None) => return Err(OpenError::NoTokenizer(files.description.clone())),
    };
    Ok(Arc::new(tokenizer))
}

/// The device that this build computes on: the first GPU of a CUDA build where there is one, else the CPU.
pub fn device() -> Result<Device, OpenError> {
    match Device::cuda_if_available(0) {
        Err(e) if e.to_string().contains("CUDA_ERROR_NO_DEVICE") => Ok(Device::Cpu),
        found => found.map_err(OpenError::Gpu),
    }
}

/// A device as people call it.
pub fn device_name(device: &Device) -> String {
    match device {
        Device::Cpu => format!("CPU, {} threads", rayon::current_num_threads()),
        Device::Cuda(_) => "CUDA device 0".into(),
        Device::Metal(_) => "Metal".into(),
    }
}

/// Reads a model's weights.
/// # Errors
/// As `model::load::load`.
pub fn decoder(
    files: &ModelFiles,
    (method, quantization, dtype): (Method, Quantization, ComputeDtype),
    ledger: &Ledger,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Decoder, OpenError> {
    let placement = Placement { method, quantization, dtype, device: device()? };
    let weights = match &files.weights {
        Weights::Gguf(path) => WeightFiles::Gguf(path),
        Weights::Safetensors { config, files } => WeightFiles::Safetensors { config, files },
    };
    Ok(load(weights, &placement, ledger, progress)?)
}

/// Reads an adapter for a decoder, if one is wanted.
/// # Errors
/// As `Adapter::load`.
pub fn adapter(decoder: &Decoder, folder: Option<&Path>) -> Result<Option<Adapter>, OpenError> {
    Ok(folder.map(|f| Adapter::load(decoder, f)).transpose()?)
}
