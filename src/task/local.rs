//! The local provider: a model of this process, with or without an adapter, that answers what extraction asks.

use std::ops::ControlFlow;
use std::time::Duration;

use super::grammar::{Grammar, Vocabulary};
use super::write::{Progress, Writer, Written};
use crate::data::template::{ChatTemplate, Message};
use crate::extract::provider::{Completion, Finish, Heard, Provider, ProviderError, Request, Role};
use crate::extract::schema::Schema;
use crate::model::generate::{self, Decoding, Ended, Mask};

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

    fn grammar(&mut self, schema: &Schema) -> Result<Grammar, ProviderError> {
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

/// A request as the model takes it.
struct Prepared {
    /// The text that the model sees.
    prompt: String,
    tokens: Vec<u32>,
    grammar: Option<Grammar>,
}

impl Local<'_> {
    fn prepared(&mut self, request: &Request) -> Result<Prepared, ProviderError> {
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
        Ok(Prepared { prompt, tokens, grammar })
    }

    /// The writer, as a request wants it.
    fn writer_for(&self, request: &Request) -> Writer<'_> {
        let how = Decoding {
            max_new_tokens: request.max_tokens as usize,
            temperature: request.temperature,
            seed: request.seed,
            ..self.writer.how.clone()
        };
        Writer { how, ..self.writer.clone() }
    }

    /// Answers requests that are to be decoded alike, all at once.
    fn together(
        &mut self,
        alike: &Request,
        prepared: Vec<(usize, Prepared)>,
        answers: &mut [Option<Result<Completion, ProviderError>>],
        waits: &mut dyn FnMut() -> ControlFlow<()>,
    ) {
        let (places, prepared): (Vec<usize>, Vec<Prepared>) = prepared.into_iter().unzip();
        let rows = |p: &Prepared| generate::Request { tokens: p.tokens.clone(), row: 0 };
        let requests: Vec<generate::Request> = prepared.iter().map(rows).collect();
        let mask = |index: usize, new: &[u32], logits: &mut [f32]| match &prepared[index].grammar {
            Some(grammar) => grammar.mask(new, logits),
            None => Ok(()),
        };
        let mask: Option<&Mask> = if alike.constrained.is_some() { Some(&mask) } else { None };
        let mut sink = |progress| {
            if let Progress::Done(written) = progress {
                let index = written.index;
                let Prepared { prompt, tokens, .. } = &prepared[index];
                answers[places[index]] = Some(Ok(completion(written, prompt.clone(), tokens.len())));
            }
            waits()
        };
        let done = self.writer_for(alike).write_all_masked(&requests, requests.len(), mask, &mut sink);
        match done {
            Ok(totals) => {
                self.decoded += totals.decode;
                for (place, Prepared { prompt, tokens, .. }) in places.iter().zip(&prepared) {
                    answers[*place].get_or_insert_with(|| Ok(cancelled(prompt.clone(), tokens.len())));
                }
            }
            Err(e) => {
                let error = ProviderError::Local(e.to_string());
                places.iter().for_each(|&place| _ = answers[place].get_or_insert_with(|| Err(error.clone())));
            }
        }
        self.masked += prepared.iter().filter_map(|p| p.grammar.as_ref()).map(Grammar::spent).sum::<Duration>();
    }
}

fn completion(written: Written, prompt: String, prompt_tokens: usize) -> Completion {
    Completion {
        finish: if written.ended == Ended::Limit { Finish::Length } else { Finish::Stop },
        completion_tokens: Some(written.tokens.len() as u64),
        text: written.text,
        prompt_tokens: Some(prompt_tokens as u64),
        prompt,
    }
}

/// What is left of a request that nobody waits for any more.
fn cancelled(prompt: String, prompt_tokens: usize) -> Completion {
    let prompt_tokens = Some(prompt_tokens as u64);
    Completion { text: String::new(), prompt_tokens, completion_tokens: None, finish: Finish::Cancelled, prompt }
}

impl Provider for Local<'_> {
    fn complete(
        &mut self,
        request: &Request,
        heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Result<Completion, ProviderError> {
        let Prepared { prompt, tokens, grammar } = self.prepared(request)?;
        let mut text = String::new();
        let mut out = |piece: &str| {
            text.push_str(piece);
            heard(if piece.is_empty() { Heard::Waiting } else { Heard::Text(piece) }).is_continue()
        };
        let mask =
            grammar.as_ref().map(|grammar| move |_: usize, new: &[u32], logits: &mut [f32]| grammar.mask(new, logits));
        let mask = mask.as_ref().map(|mask| mask as &Mask);
        let written = self.writer_for(request).write_masked(&tokens, mask, &mut out);
        let (written, totals) = written.map_err(|e| ProviderError::Local(e.to_string()))?;
        self.masked += grammar.map(|g| g.spent()).unwrap_or_default();
        self.decoded += totals.decode;
        Ok(match written {
            Some(written) => completion(written, prompt, tokens.len()),
            None => Completion {
                // The first token comes with the prompt, if that was read to its end.
                completion_tokens: Some(if totals.prompt_tokens > 0 { totals.decoded_tokens + 1 } else { 0 }),
                text,
                ..cancelled(prompt, tokens.len())
            },
        })
    }

    fn complete_all(
        &mut self,
        requests: &[Request],
        waits: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Vec<Result<Completion, ProviderError>> {
        let mut answers: Vec<Option<Result<Completion, ProviderError>>> = vec![None; requests.len()];
        let mut left: Vec<(usize, Prepared)> = Vec::new();
        for (place, request) in requests.iter().enumerate() {
            match self.prepared(request) {
                Ok(prepared) => left.push((place, prepared)),
                Err(e) => answers[place] = Some(Err(e)),
            }
        }
        // A row whose budget is nearly spent has a shorter answer than the others.
        let alike = |a: &Request, b: &Request| {
            (a.max_tokens, a.temperature, a.seed) == (b.max_tokens, b.temperature, b.seed)
                && a.constrained.is_some() == b.constrained.is_some()
        };
        while let Some(first) = left.first().map(|(place, _)| &requests[*place]) {
            let (now, later) = left.into_iter().partition(|(place, _)| alike(&requests[*place], first));
            left = later;
            self.together(first, now, &mut answers, waits);
        }
        let unanswered = || Err(ProviderError::Local("the model gave no answer".into()));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
    }
}
