//! Model files as formats: headers, metadata, the places of tensors. No tensors are made here; `model` does that.

pub mod gguf;
pub mod safetensors;
