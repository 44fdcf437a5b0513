//! GGUF headers.
