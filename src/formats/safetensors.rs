//! safetensors headers.
