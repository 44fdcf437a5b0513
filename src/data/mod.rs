//! From rows on disk to the token rows that a step computes: `tokenizer`, `template`, `dataset`, `batch`.

pub mod batch;
pub mod dataset;
pub mod template;
pub mod tokenizer;
