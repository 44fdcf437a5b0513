//! What a generation holds at most, from a model's shape alone. What a pass asks of the ledger as it runs is in `model::needs` and
//! `model::generate`, and `tests/generate.rs` holds the two against each other.

use super::{Moment, Subject};
use crate::config::RunConfig;
use crate::memory::ledger::Category;
use crate::units::ModelShape;

/// Tokens that a cache grows by: `model::generate::cache`.
const PIECE: usize = 32;
/// Prompt tokens of a pass: `model::generate::batch`.
const PREFILL_TOKENS: usize = 1024;
/// Rows of a block of scores: `model::attention`.
const QUERY_BLOCK: usize = 128;
const F32: usize = size_of::<f32>();

/// `model::generate::cache`'s: keys and values of `tokens`, in whole pieces.
fn row_bytes(shape: &ModelShape, value_bytes: usize, tokens: usize) -> usize {
    let width = shape.num_key_value_heads * shape.head_dim;
    2 * shape.num_hidden_layers * width * tokens.next_multiple_of(PIECE) * value_bytes
}

/// `model::panel::Lanes`: rows in whole vectors.
fn lanes_bytes(rows: usize, inner: usize) -> usize {
    rows.next_multiple_of(16) * inner * F32
}

/// `model::panel::scratch_values`: the panels of all threads together.
fn panel_values(inner: usize, threads: usize) -> usize {
    let rows = ((192 << 10) / inner.max(1)).clamp(24, 96) / 24 * 24;
    threads * (rows * inner).next_multiple_of(16)
}

/// The test split as a plan knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TestRows {
    pub rows: usize,
    /// Tokens of the longest prompt.
    pub longest_prompt: usize,
}

/// Rows that are generated at once even where that takes more than training did: fewer would take much longer.
const FEWEST: usize = 8;

/// Rows that are generated at once so that no more than `most_bytes` are held besides base and adapter.
pub(super) fn rows_at_once(subject: &Subject, config: &RunConfig, most_bytes: u64) -> usize {
    let Some(test) = subject.test else { return config.bleu.per_device_eval_batch_size };
    let mut rows = config.bleu.per_device_eval_batch_size.min(test.rows).max(1);
    while rows > FEWEST && needs(&subject.shape, extent(subject, test, config, rows)).total() > most_bytes {
        rows = (rows - rows.div_ceil(8)).max(FEWEST);
    }
    rows
}

fn extent(subject: &Subject, test: TestRows, config: &RunConfig, rows: usize) -> Extent {
    let bleu = &config.bleu;
    Extent {
        rows,
        prompt_tokens: test.longest_prompt,
        new_tokens: bleu.max_new_tokens,
        num_beams: bleu.num_beams,
        logits: bleu.num_beams > 1 || bleu.no_repeat_ngram_size > 0,
        threads: subject.threads,
    }
}

/// What is held besides base and adapter while the test split is generated, so many rows at once.
pub(super) fn generating(subject: &Subject, config: &RunConfig, moment: Moment, rows: usize) -> Option<Moment> {
    let held = needs(&subject.shape, extent(subject, subject.test?, config, rows));
    let Needs { kv_cache, block_work, head_chunk, dequant_scratch } = held;
    Some(
        moment
            .passing(Category::KvCache, kv_cache)
            .passing(Category::BlockWork, block_work)
            .passing(Category::HeadChunk, head_chunk)
            .passing(Category::DequantScratch, dequant_scratch),
    )
}

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
    /// Threads that compute.
    pub threads: usize,
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
    let lanes = extent.rows * extent.num_beams;
    let (hidden, gate, vocabulary) = (shape.hidden_size, shape.intermediate_size, shape.vocab_size);
    let (q, kv) = (shape.num_attention_heads * shape.head_dim, shape.num_key_value_heads * shape.head_dim);
    // A cache that grows is there twice for a moment, and each beam may be copied from another one.
    let twice = if extent.num_beams > 1 { lanes } else { 1 };
    let cache = row_bytes(shape, F32, extent.prompt_tokens + extent.new_tokens);
    let grown = row_bytes(shape, F32, (extent.prompt_tokens + extent.new_tokens).saturating_sub(PIECE).max(PIECE));
    // The largest pass: prompts, as many as are put into one.
    let prompts = (extent.rows * extent.prompt_tokens).min(PREFILL_TOKENS).max(extent.prompt_tokens);
    let tokens = prompts.max(lanes);
    let attention = 2 * q + 2 * kv + hidden;
    let pass = (2 * gate + hidden).max(attention) + hidden;
    let turned = lanes_bytes(tokens, hidden.max(gate).max(q));
    let scores = extent.threads * QUERY_BLOCK.min(extent.prompt_tokens) * extent.prompt_tokens * F32;
    let rotation = tokens * shape.head_dim * F32;
    let logits = if extent.logits { lanes * vocabulary * F32 } else { 0 };
    let panels = [hidden, gate, q].map(|inner| panel_values(inner, extent.threads)).into_iter().max().unwrap_or(0);
    Needs {
        kv_cache: (lanes * cache + twice * grown) as u64,
        block_work: (tokens * pass * F32 + turned + scores + rotation) as u64,
        head_chunk: (logits + lanes * hidden * F32 + lanes_bytes(lanes, hidden)) as u64,
        dequant_scratch: (panels * F32) as u64,
    }
}
