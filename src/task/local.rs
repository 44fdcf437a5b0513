//! The local provider: a model of this process, with or without an adapter, that answers what extraction asks.

use std::ops::ControlFlow;
use std::time::Duration;

use super::grammar::Vocabulary;
use super::write::Writer;
use crate::data::template::{ChatTemplate, Message};
use crate::extract::provider::{Completion, Finish, Heard, Provider, ProviderError, Request, Role};
use crate::extract::schema::Schema;
use crate::model::generate::{Decoding, Ended, Mask};

/// A model that answers.
#[derive(Debug)]
pub struct Local<'a> {
    /// What writes; its way of decoding is each request's.
    pub writer: Writer<'a>,
    /// Whether prompts go through the model's chat template.
    pub chat: bool,
    /// Made when a schema is first decoded under.
    vocabulary: Option<Vocabulary>,
    /// Time that masks took, and decoding in all.
    pub masked: Duration,
    pub decoded: Duration,
}

impl<'a> Local<'a> {
    pub fn new(writer: Writer<'a>, chat: bool) -> Self {
        Local { writer, chat, vocabulary: None, masked: Duration::ZERO, decoded: Duration::ZERO }
    }

    /// Looks whether a schema can be decoded under, before anything is asked.
    /// # Errors
    /// What of it cannot.
    pub fn check(&mut self, schema: &Schema) -> Result<(), ProviderError> {
        self.grammar(schema).map(drop)
    }

    fn grammar(&mut self, schema: &Schema) -> Result<super::grammar::Grammar, ProviderError> {
        let unusable = |e: super::grammar::Unsupported| ProviderError::Unusable(e.to_string());
        let vocabulary = match self.vocabulary.take() {
            Some(vocabulary) => vocabulary,
            None => {
                Vocabulary::new(self.writer.tokenizer, self.writer.decoder.embedding.out_features).map_err(unusable)?
            }
        };
        self.vocabulary.insert(vocabulary).grammar(schema).map_err(unusable)
    }

    /// The text that the model sees.
    fn prompt(&self, request: &Request) -> Result<(String, Vec<u32>), ProviderError> {
        let local = |e: &dyn std::fmt::Display| ProviderError::Local(e.to_string());
        let tokenizer = self.writer.tokenizer;
        if !self.chat {
            let text = request.messages.iter().map(|m| m.content.as_str()).collect::<Vec<_>>().join("\n\n");
            let tokens = tokenizer.encode_prompt(&text).map_err(|e| local(&e))?;
            return Ok((text, tokens));
        }
        let source = tokenizer
            .chat_template()
            .ok_or_else(|| ProviderError::Unusable("this model has no chat template; ask it raw".into()))?;
        let template = ChatTemplate::new(source, tokenizer.bos_token(), Some(tokenizer.eos_token()));
        let template = template.map_err(|e| local(&e))?;
        let messages: Vec<Message> = request
            .messages
            .iter()
            .map(|m| match m.role {
                Role::System => Message::system(&m.content),
                Role::User => Message::user(&m.content),
                Role::Assistant => Message::assistant(&m.content),
            })
            .collect();
        let text = template.render(&messages, true).map_err(|e| local(&e))?;
        let tokens = tokenizer.encode(&text).map_err(|e| local(&e))?;
        Ok((text, tokens))
    }
}

impl Provider for Local<'_> {
    fn complete(
        &mut self,
        request: &Request,
        heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Result<Completion, ProviderError> {
        let grammar = match &request.constrained {
            Some(schema) => {
                let schema = Schema::from_value(schema).map_err(|e| ProviderError::Unusable(e.to_string()))?;
                Some(self.grammar(&schema)?)
            }
            None => None,
        };
        let (prompt, tokens) = self.prompt(request)?;
        let context = self.writer.decoder.spec.shape.max_position_embeddings;
        if tokens.is_empty() || tokens.len() >= context {
            let found = tokens.len();
            return Err(ProviderError::Local(format!(
                "the prompt has {found} tokens; the model takes 1 to {}",
                context - 1
            )));
        }
        let writer = Writer {
            how: Decoding {
                max_new_tokens: request.max_tokens as usize,
                temperature: request.temperature,
                seed: request.seed,
                ..self.writer.how.clone()
            },
            ..self.writer.clone()
        };
        let mut text = String::new();
        let mut out = |piece: &str| {
            text.push_str(piece);
            heard(Heard::Text(piece)).is_continue()
        };
        let mask =
            grammar.as_ref().map(|grammar| move |_: usize, new: &[u32], logits: &mut [f32]| grammar.mask(new, logits));
        let mask = mask.as_ref().map(|mask| mask as &Mask);
        let (written, totals) =
            writer.write_masked(&tokens, mask, &mut out).map_err(|e| ProviderError::Local(e.to_string()))?;
        self.masked += grammar.map(|g| g.spent()).unwrap_or_default();
        self.decoded += totals.decode;
        let prompt_tokens = Some(tokens.len() as u64);
        Ok(match written {
            Some(written) => Completion {
                finish: if written.ended == Ended::Limit { Finish::Length } else { Finish::Stop },
                completion_tokens: Some(written.tokens.len() as u64),
                text: written.text,
                prompt_tokens,
                prompt,
            },
            None => Completion {
                completion_tokens: Some(totals.decoded_tokens + 1),
                finish: Finish::Cancelled,
                text,
                prompt_tokens,
                prompt,
            },
        })
    }
}
