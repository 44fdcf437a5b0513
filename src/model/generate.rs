//! Tokens in, tokens out: a prompt, a cache of keys and values, one token at a time. Text is the business of `task`.

use std::time::{Duration, Instant};

use candle_core::{Result, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};

use super::adapter::Adapter;
use super::attention::Segments;
use super::block::{BlockAdapter, LayerCache, Pass};
use super::decoder::{Decoder, Packed};
use crate::memory::ledger::Phase;

/// How tokens are chosen and when it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoding {
    pub max_new_tokens: usize,
    /// 0 takes the likeliest token.
    pub temperature: f64,
    pub top_p: Option<f64>,
    pub seed: u64,
    /// Tokens that end the text; they are not part of it.
    pub end_tokens: Vec<u32>,
}

impl Default for Decoding {
    fn default() -> Self {
        Decoding { max_new_tokens: 64, temperature: 0.0, top_p: None, seed: 42, end_tokens: Vec::new() }
    }
}

/// What was generated.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    pub tokens: Vec<u32>,
    /// Whether an end token came, rather than the limit or whoever listens.
    pub ended: bool,
    /// For the prompt, up to the first token.
    pub prefill: Duration,
    /// For all tokens after the first.
    pub decode: Duration,
}

/// Continues `prompt`. Each token is shown to `listen`, which may end it by answering `false`.
/// # Errors
/// An empty prompt, one longer than the model's context, a token outside the vocabulary.
pub fn generate(
    decoder: &Decoder,
    adapter: Option<&Adapter>,
    prompt: &[u32],
    how: &Decoding,
    listen: &mut dyn FnMut(u32) -> bool,
) -> Result<Generated> {
    let context = decoder.spec.shape.max_position_embeddings;
    if prompt.is_empty() || prompt.len() >= context {
        candle_core::bail!("a prompt has 1 to {} tokens, this one has {}", context - 1, prompt.len());
    }
    decoder.ledger.set_phase(Phase::Generate);
    let sampling = match (how.temperature > 0.0, how.top_p) {
        (false, _) => Sampling::ArgMax,
        (true, None) => Sampling::All { temperature: how.temperature },
        (true, Some(p)) => Sampling::TopP { p, temperature: how.temperature },
    };
    let mut sampler = LogitsProcessor::from_sampling(how.seed, sampling);
    let room = how.max_new_tokens.min(context - prompt.len());
    let like = decoder.embed(&prompt[..1])?;
    let caches = decoder.blocks.iter().map(|b| LayerCache::new(&b.heads, prompt.len() + room, &like, &decoder.ledger));
    let mut caches = caches.collect::<Result<Vec<_>>>()?;
    let mut generated = Generated { tokens: Vec::new(), ended: false, prefill: Duration::ZERO, decode: Duration::ZERO };
    let started = Instant::now();
    let mut next = prompt.to_vec();
    let mut position = 0;
    while generated.tokens.len() < room {
        let logits = next_logits(decoder, adapter, &next, position, &mut caches)?;
        let token = sampler.sample(&logits)?;
        position += next.len() as u32;
        if generated.tokens.is_empty() {
            generated.prefill = started.elapsed();
        }
        if how.end_tokens.contains(&token) {
            generated.ended = true;
            break;
        }
        generated.tokens.push(token);
        if !listen(token) {
            break;
        }
        next = vec![token];
    }
    generated.decode = started.elapsed().saturating_sub(generated.prefill);
    decoder.ledger.set_phase(Phase::Idle);
    Ok(generated)
}

/// The logits after the last of `tokens`, in f32. Shape: [vocabulary].
fn next_logits(
    decoder: &Decoder,
    adapter: Option<&Adapter>,
    tokens: &[u32],
    position: u32,
    caches: &mut [LayerCache],
) -> Result<Tensor> {
    let batch = Packed::prompt(tokens, position);
    let rotation = decoder.spec.frequencies.rotation(&batch.positions, decoder.dtype, &decoder.device)?;
    let segments = Segments(&batch.starts);
    let pass = Pass { segments, rotation: &rotation, dropout: None, ledger: &decoder.ledger };
    let none = BlockAdapter::default();
    let mut x = decoder.embed(tokens)?;
    for (i, (block, cache)) in decoder.blocks.iter().zip(caches).enumerate() {
        x = block.forward_cached(adapter.map_or(&none, |a| &a.blocks[i]), x, &pass, cache)?;
    }
    decoder.head.logits(&x, &[tokens.len() as u32 - 1])?.squeeze(0)
}
