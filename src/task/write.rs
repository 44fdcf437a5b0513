//! Prompts continued as text, one as it comes or many at once. Tokens alone are the business of `model::generate`, pieces of text `text`'s.

use std::ops::ControlFlow;
use std::time::Duration;

use super::text::{HeldBack, Stops, TextStream};
use crate::data::template::{ChatTemplate, Message, TemplateError};
use crate::data::tokenizer::{Tokenizer, TokenizerError};
use crate::model::adapter::Adapter;
use crate::model::decoder::Decoder;
use crate::model::generate::{Decoding, Ended, Event, Mask, Request, Rules, Totals, generate_all};

/// Why a prompt could not be continued.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("this model has no chat template; leave out --chat")]
    NoTemplate,
    #[error(transparent)]
    Engine(#[from] candle_core::Error),
}

/// What writes: a model with its tokenizer, and how.
#[derive(Debug, Clone)]
pub struct Writer<'a> {
    pub decoder: &'a Decoder,
    pub adapter: Option<&'a Adapter>,
    pub tokenizer: &'a Tokenizer,
    /// The tokenizer's own end tokens end a text too.
    pub how: Decoding,
    pub stops: Stops,
}

/// A text that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The place among the prompts.
    pub index: usize,
    /// Up to what ended it.
    pub text: String,
    pub tokens: Vec<u32>,
    pub ended: Ended,
    pub duration: Duration,
}

/// The tokens of a prompt: as it is, or as a user's turn of the model's chat.
/// # Errors
/// A chat without template, a text that the vocabulary cannot write.
pub fn prompt_tokens(tokenizer: &Tokenizer, prompt: &str, chat: bool) -> Result<Vec<u32>, WriteError> {
    if !chat {
        return Ok(tokenizer.encode_prompt(prompt)?);
    }
    let source = tokenizer.chat_template().ok_or(WriteError::NoTemplate)?;
    let template = ChatTemplate::new(source, tokenizer.bos_token(), Some(tokenizer.eos_token()))?;
    Ok(tokenizer.encode(&template.render(&[Message::user(prompt)], true)?)?)
}

impl Writer<'_> {
    fn decoding(&self) -> Decoding {
        let mut how = self.how.clone();
        how.end_tokens.extend(self.tokenizer.end_token_ids());
        how.end_tokens.sort_unstable();
        how.end_tokens.dedup();
        how
    }

    /// Continues one prompt; `out` gets the text piece by piece, each of whole characters (with beams all at the end), and answers whether
    /// anybody reads on; an empty piece, as each layer that has read the prompt brings one, only asks that. What was written, if it was read
    /// to its end, and what it took.
    /// # Errors
    /// As `model::generate::generate_all`.
    pub fn write(
        &self,
        prompt: &[u32],
        out: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(Option<Written>, Totals), WriteError> {
        self.write_masked(prompt, None, out)
    }

    /// As [`Writer::write`], each token being one that `mask` leaves.
    /// # Errors
    /// As `model::generate::generate_all`, and whatever `mask` says.
    pub fn write_masked(
        &self,
        prompt: &[u32],
        mask: Option<&Mask>,
        out: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(Option<Written>, Totals), WriteError> {
        let (mut stream, mut held) = (TextStream::new(self.tokenizer), HeldBack::new(&self.stops));
        let mut out = |text: &str| if out(text) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let mut told = 0;
        let mut written = None;
        let request = [Request { tokens: prompt.to_vec(), row: 0 }];
        let totals = self.run(&request, 1, mask, &mut |event| match event {
            Event::Reading => out(""),
            Event::Token { token, .. } => {
                told += 1;
                out(&held.push(&stream.push(token)))
            }
            Event::Done(done) => {
                let mut text: String =
                    done.tokens[told..].iter().map(|token| held.push(&stream.push(*token))).collect();
                text += &held.push(&stream.finish());
                text += &held.finish();
                let flow = out(&text);
                written = Some(self.written(done.index, done.tokens, done.ended, done.duration));
                flow
            }
            Event::PutOff { .. } => ControlFlow::Continue(()),
        })?;
        Ok((written, totals))
    }

    /// Continues many prompts, `batch` at a time; each text is told as soon as it is done, in whatever order, and the events on the way as they are.
    /// # Errors
    /// As `model::generate::generate_all`.
    pub fn write_all(
        &self,
        requests: &[Request],
        batch: usize,
        sink: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Totals, WriteError> {
        self.write_all_masked(requests, batch, None, sink)
    }

    /// As [`Writer::write_all`], each token being one that `mask` leaves.
    /// # Errors
    /// As `model::generate::generate_all`, and whatever `mask` says.
    pub fn write_all_masked(
        &self,
        requests: &[Request],
        batch: usize,
        mask: Option<&Mask>,
        sink: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Totals, WriteError> {
        self.run(requests, batch, mask, &mut |event| {
            sink(match event {
                Event::Reading => Progress::Reading,
                Event::Token { .. } => Progress::Token,
                Event::PutOff { rows } => Progress::PutOff { rows },
                Event::Done(done) => Progress::Done(self.written(done.index, done.tokens, done.ended, done.duration)),
            })
        })
    }

    fn run(
        &self,
        requests: &[Request],
        batch: usize,
        mask: Option<&Mask>,
        sink: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Totals, WriteError> {
        let stop = |_, tokens: &[u32]| self.stops.hit(self.tokenizer, tokens);
        let rules = Rules { stop: &stop, mask };
        Ok(generate_all(self.decoder, self.adapter, requests, &self.decoding(), batch, &rules, sink)?)
    }

    fn written(&self, index: usize, tokens: Vec<u32>, ended: Ended, duration: Duration) -> Written {
        let text = self.tokenizer.decode(&tokens);
        Written { index, text: self.stops.cut(&text).to_owned(), tokens, ended, duration }
    }
}

/// What happens while many texts are written.
#[derive(Debug)]
pub enum Progress {
    /// A layer has read prompts.
    Reading,
    /// Some row got a token.
    Token,
    /// Memory was short: so many rows wait for the others.
    PutOff {
        rows: usize,
    },
    Done(Written),
}
