//! From rows on disk to the token rows that a step computes: `tokenizer`, `template` (chat), `dataset` (rows and their
//! lengths), `batch` (order and packing). No tensors: `train` moves the packed numbers to a device.

pub mod batch;
pub mod dataset;
mod python_json;
pub mod template;
pub mod tokenizer;

/// A path as an error shows it: its name may hold anything.
fn shown(path: &std::path::Path) -> String {
    crate::units::printable(&path.display().to_string())
}
