//! Strict JSON in what a model said.
pub mod assembly;
pub mod number;
pub mod strict;
