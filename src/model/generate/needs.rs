//! What a generation holds at most, from a model's shape alone: for who plans before a model is there. What a pass asks of the ledger as it
//! runs is in `model::needs` and `pass`, and `tests/generate.rs` holds the two against each other.

use super::cache::{PIECE, row_bytes};
use crate::model::panel;
use crate::units::ModelShape;

/// What is to be generated, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Rows that are live at once, before they are split into beams.
    pub rows: usize,
    /// The longest prompt.
    pub prompt_tokens: usize,
    pub new_tokens: usize,
    pub num_beams: usize,
    /// Whether logits are kept for a moment: for all but greedy without no-repeat n-grams.
    pub logits: bool,
}

/// Bytes by what they are for, as the ledger's categories name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    pub kv_cache: u64,
    pub block_work: u64,
    pub head_chunk: u64,
    pub dequant_scratch: u64,
}

impl Needs {
    pub fn total(&self) -> u64 {
        self.kv_cache + self.block_work + self.head_chunk + self.dequant_scratch
    }
}

/// The most that a generation holds on a CPU besides the weights and the adapter. It needs less where it must: rows wait for each other, down to
/// one at a time.
pub fn needs(shape: &ModelShape, extent: Extent) -> Needs {
    const F32: usize = size_of::<f32>();
    let lanes = extent.rows * extent.num_beams;
    let (hidden, gate, vocabulary) = (shape.hidden_size, shape.intermediate_size, shape.vocab_size);
    let (q, kv) = (shape.num_attention_heads * shape.head_dim, shape.num_key_value_heads * shape.head_dim);
    // A cache that grows is there twice for a moment, and each beam may be copied from another one.
    let twice = if extent.num_beams > 1 { lanes } else { 1 };
    let cache = row_bytes(shape, F32, extent.prompt_tokens + extent.new_tokens);
    let grown = row_bytes(shape, F32, (extent.prompt_tokens + extent.new_tokens).saturating_sub(PIECE).max(PIECE));
    // The largest pass: prompts, as many as are put into one.
    let prompts = (extent.rows * extent.prompt_tokens).min(super::batch::PREFILL_TOKENS).max(extent.prompt_tokens);
    let tokens = prompts.max(lanes);
    let attention = 2 * q + 2 * kv + hidden;
    let pass = (2 * gate + hidden).max(attention) + hidden;
    let turned = panel::Lanes::bytes(tokens, hidden.max(gate).max(q));
    let scores = rayon::current_num_threads() * 128.min(extent.prompt_tokens) * extent.prompt_tokens * F32;
    let rotation = tokens * shape.head_dim * F32;
    let logits = if extent.logits { lanes * vocabulary * F32 } else { 0 };
    let panels = [hidden, gate, q].map(panel::scratch_values).into_iter().max().unwrap_or(0);
    Needs {
        kv_cache: (lanes * cache + twice * grown) as u64,
        block_work: (tokens * pass * F32 + turned + scores + rotation) as u64,
        head_chunk: (logits + lanes * hidden * F32 + panel::Lanes::bytes(lanes, hidden)) as u64,
        dequant_scratch: (panels * F32) as u64,
    }
}
