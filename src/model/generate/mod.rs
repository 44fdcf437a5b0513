//! Tokens in, tokens out: many prompts at once or one. What is asked for and what comes back is here; `batch` keeps the rows going, `pass`
//! computes, `cache` holds keys and values, `pick` and `beam` choose tokens. Text is the business of `task`.

mod batch;
mod beam;
pub mod cache;
mod pass;
mod pick;

use std::ops::ControlFlow;
use std::time::Duration;

use candle_core::Result;

use super::adapter::Adapter;
use super::decoder::Decoder;

pub use batch::generate_all;

/// How tokens are chosen and when it ends. Meanings and order are transformers': no-repeat n-grams, temperature, top-k, top-p.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoding {
    pub max_new_tokens: usize,
    /// 0 takes the likeliest token.
    pub temperature: f64,
    /// The k likeliest tokens are drawn from.
    pub top_k: Option<usize>,
    /// The fewest likeliest tokens whose probabilities sum up to p are drawn from.
    pub top_p: Option<f64>,
    pub seed: u64,
    /// Beams that a search keeps; 1 searches nothing.
    pub num_beams: usize,
    /// A finished beam's score is its log-probability ÷ length^length_penalty.
    pub length_penalty: f64,
    /// No n tokens come twice, the prompt's counted; 0 forbids nothing.
    pub no_repeat_ngram_size: usize,
    /// Tokens that end the text; they are not part of it.
    pub end_tokens: Vec<u32>,
    /// Rounds activations to int8 where a single row is decoded: quicker, another text here and there, never for scores.
    pub fast: bool,
}

impl Default for Decoding {
    fn default() -> Self {
        Decoding {
            max_new_tokens: 64,
            temperature: 0.0,
            top_k: None,
            top_p: None,
            seed: 42,
            num_beams: 1,
            length_penalty: 1.0,
            no_repeat_ngram_size: 0,
            end_tokens: Vec::new(),
            fast: false,
        }
    }
}

impl Decoding {
    /// # Errors
    /// Settings that do not go together or mean nothing, by name.
    pub fn check(&self) -> std::result::Result<(), String> {
        let found = |name: &str, value: &dyn std::fmt::Display, expected: &str| {
            Err(format!("{name} is {value}; expected {expected}"))
        };
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return found("temperature", &self.temperature, "0 (greedy) or more");
        }
        if let Some(p) = self.top_p.filter(|p| !(0.0..=1.0).contains(p)) {
            return found("top_p", &p, "0 to 1");
        }
        if self.num_beams == 0 {
            return found("num_beams", &0, "1 or more");
        }
        if !self.length_penalty.is_finite() {
            return found("length_penalty", &self.length_penalty, "a number");
        }
        if self.num_beams > 1 && self.temperature > 0.0 {
            return Err("beams are not sampled: num_beams goes with temperature 0".into());
        }
        Ok(())
    }
}

/// A prompt to continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub tokens: Vec<u32>,
    /// The row's number in its file: with the seed it decides the row's draws, whichever other rows are asked for.
    pub row: u64,
}

/// Forbids tokens before one is chosen: `(index, new tokens, logits)`, what is forbidden set to −∞.
pub type Mask<'a> = dyn Fn(usize, &[u32], &mut [f32]) -> Result<()> + 'a;

/// What the asker decides while rows grow.
pub struct Rules<'a> {
    /// Asked after each token, `(index, new tokens)`: whether the row is done, for text that ends it.
    pub stop: &'a dyn Fn(usize, &[u32]) -> bool,
    /// Not with beams.
    pub mask: Option<&'a Mask<'a>>,
}

impl Rules<'_> {
    /// Nothing ends a row but end tokens and the limit, and no token is forbidden.
    pub const NONE: Rules<'static> = Rules { stop: &|_, _| false, mask: None };
}

/// Why a row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// One of `end_tokens` came.
    EndToken,
    /// The asker's own `stop` said so.
    Stop,
    /// `max_new_tokens` or the model's context.
    Limit,
}

/// What happens while rows are generated. `index` counts the requests.
#[derive(Debug)]
pub enum Event {
    /// A layer of the decoder has read the prompts that are taken up; said for each, since reading long ones takes long.
    Reading,
    /// A row got its next token; beams tell none before their end.
    Token {
        index: usize,
        token: u32,
    },
    Done(Done),
    /// Memory was short: so many rows were put off, to be taken up again from the tokens that they have. Beams begin anew.
    PutOff {
        rows: usize,
    },
}

/// A row that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub index: usize,
    /// The end token is not among them.
    pub tokens: Vec<u32>,
    pub ended: Ended,
    /// From its first pass to its last, which it shared with other rows.
    pub duration: Duration,
}

/// What a generation took. Prompts and the tokens after a row's first are told apart: `prompt_tokens` in `prefill`, `decoded_tokens` in `decode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Tokens that were put into caches as prompts, again for rows that were put off.
    pub prompt_tokens: u64,
    pub prefill: Duration,
    /// Tokens that steps gave; a row's first comes with its prompt. Of beams, one for each position.
    pub decoded_tokens: u64,
    pub decode: Duration,
    /// Rows that had to wait because memory was short.
    pub put_off: u64,
    /// Whether the listener ended it.
    pub cancelled: bool,
}

/// What a single stream generated.
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

/// Continues one prompt. Each token is shown to `listen`, which may end it by answering `false`; with beams, all at the end.
/// # Errors
/// As [`generate_all`].
pub fn generate(
    decoder: &Decoder,
    adapter: Option<&Adapter>,
    prompt: &[u32],
    how: &Decoding,
    listen: &mut dyn FnMut(u32) -> bool,
) -> Result<Generated> {
    let request = [Request { tokens: prompt.to_vec(), row: 0 }];
    let mut generated = Generated { tokens: Vec::new(), ended: false, prefill: Duration::ZERO, decode: Duration::ZERO };
    let totals = generate_all(decoder, adapter, &request, how, 1, &Rules::NONE, &mut |event| {
        let go_on = match event {
            Event::Token { token, .. } => {
                generated.tokens.push(token);
                listen(token)
            }
            Event::Done(done) => {
                let told = generated.tokens.len();
                generated.ended = done.ended == Ended::EndToken;
                generated.tokens = done.tokens;
                generated.tokens[told..].iter().all(|token| listen(*token))
            }
            Event::Reading | Event::PutOff { .. } => true,
        };
        if go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(Generated { prefill: totals.prefill, decode: totals.decode, ..generated })
}
