//! How many bytes a weight of the base is held in: the rule of `model::load`'s `Loader::frozen` and `Loader::norm`, in numbers.

use super::{WeightFacts, WeightRole};
use crate::config::{AdapterConfig, ComputeDtype, Method, ModelConfig, Quantization, RunConfig};

/// Bytes of a value in f32.
pub const F32: u64 = 4;

impl WeightFacts {
    pub fn elements(&self) -> u64 {
        self.out_features * self.in_features
    }
}

/// Weights of a block of a quantised type, and the bytes that a block takes (ggml's layouts).
pub fn packing(quantization: Quantization) -> Option<(u64, u64)> {
    match quantization {
        Quantization::Keep => None,
        Quantization::Q8_0 => Some((32, 34)),
        Quantization::Q4_0 => Some((32, 18)),
        Quantization::Q4_1 => Some((32, 20)),
        Quantization::Q4K => Some((256, 144)),
    }
}

/// What a weight's inner size must be a multiple of to be quantised on load.
pub fn block_size(quantization: Quantization) -> Option<u64> {
    packing(quantization).map(|(weights, _)| weights)
}

/// Bytes of a value in the type that is computed with.
pub fn compute_bytes(model: &ModelConfig) -> u64 {
    match model.dtype {
        ComputeDtype::F32 => F32,
        ComputeDtype::Bf16 => 2,
    }
}

/// Whether a weight is held in blocks of a quantised type, or as f16 or bf16 that is expanded when it is used.
pub fn is_packed(weight: &WeightFacts, adapter: &AdapterConfig, on_device: bool) -> bool {
    match (weight.role, adapter.method, adapter.quantization) {
        (WeightRole::Norm, ..) | (_, Method::Lora, _) => false,
        (WeightRole::Projection, _, wanted) if wanted != Quantization::Keep => true,
        _ => !(weight.is_f32 || (weight.full_precision && on_device)),
    }
}

/// The bytes that a weight is held in with these settings. Embedding and head are never quantised on load.
pub fn held_bytes(weight: &WeightFacts, config: &RunConfig, on_device: bool) -> u64 {
    if weight.role == WeightRole::Norm {
        return weight.elements() * F32;
    }
    if !is_packed(weight, &config.adapter, on_device) {
        return weight.elements() * compute_bytes(&config.model);
    }
    match (weight.role, packing(config.adapter.quantization)) {
        (WeightRole::Projection, Some((weights, bytes))) => weight.elements().div_ceil(weights) * bytes,
        _ => weight.stored_bytes,
    }
}

/// Values that are read of a tensor at once: `model::stored`'s `PIECE`.
const PIECE: u64 = 1 << 18;

/// What is held besides the weights before it while a weight is read, itself among it: `model::stored`'s `Stored::room`. A piece of the file
/// where it is converted, and the same piece in f32 where it is quantised on the way; on a device the result is held here too. Rows of q and k
/// that GGUF has in another order, a piece more, are left out.
pub fn loading_bytes(weight: &WeightFacts, config: &RunConfig, on_device: bool) -> u64 {
    let held = held_bytes(weight, config, on_device);
    let piece = weight.elements().min(PIECE.max(weight.in_features));
    let read = weight.stored_bytes * piece / weight.elements().max(1);
    let packed = is_packed(weight, &config.adapter, on_device);
    let quantised = packed && weight.role == WeightRole::Projection && packing(config.adapter.quantization).is_some();
    let (result, beside) = match (packed, quantised) {
        (true, true) => (held, read + piece * F32),
        (true, false) => (held, 0),
        (false, _) => (weight.elements() * F32, read),
    };
    beside + if on_device { result + held } else { result }
}

/// The base in this configuration.
pub fn base_bytes(weights: &[WeightFacts], config: &RunConfig, on_device: bool) -> u64 {
    weights.iter().map(|w| held_bytes(w, config, on_device)).sum()
}
