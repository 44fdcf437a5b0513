//! A split generated row by row, as rows of a report: prompts become tokens, tokens become text, and each text is scored by itself. Where the
//! rows go, and what a report is called, is the business of `run::scoring`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::text::Stops;
use super::write::WriteError;
use crate::data::dataset::{KEPT_PROBLEMS, RowProblem, TestRow, TestSplit};
use crate::data::template::{ChatTemplate, Message, TemplateError};
use crate::data::tokenizer::Tokenizer;
use crate::eval::Metric;
use crate::eval::bleu::Bleu;
use crate::eval::chrf::Chrf;
use crate::eval::report::{self, ReportRow};
use crate::model::adapter::Adapter;
use crate::model::decoder::Decoder;
use crate::model::generate::{self, Event, Request, Rules, generate_all};

/// Why a prompt cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    #[error(transparent)]
    Text(#[from] WriteError),
    #[error("the prompt has no token, and the model no token to start with")]
    Empty,
    #[error("the prompt has {tokens} tokens, the model's context is {context}")]
    TooLong { tokens: usize, context: usize },
}

/// Why a split could not be generated.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    #[error("line {line}: {source}")]
    Prompt { line: u64, source: PromptError },
    #[error(transparent)]
    Engine(#[from] candle_core::Error),
}

/// A split to generate.
pub struct Scoring<'a> {
    pub decoder: &'a Decoder,
    pub adapter: Option<&'a Adapter>,
    pub tokenizer: &'a Tokenizer,
    pub split: &'a TestSplit,
    pub decoding: &'a report::Decoding,
    /// Rows that are generated at once.
    pub batch: usize,
    /// Rows, by their place in the split, that are there already.
    pub done: BTreeSet<u64>,
    /// What they took.
    pub elapsed_before: Duration,
}

/// What whoever waits hears.
pub enum Heard {
    /// A row is done.
    Row(Box<ReportRow>),
    /// A token more, or a layer that has read prompts; said often.
    Token,
    /// Memory was short: so many rows are taken up again later.
    PutOff(usize),
}

/// Generates the rows that are missing, in whatever order they get done. `sink` hears of each; it may end it by `Break`.
/// Returns whether all rows are done.
/// # Errors
/// A prompt that the model cannot take, by its line in the file; whatever the engine says.
pub fn generate_split(scoring: &Scoring, sink: &mut dyn FnMut(Heard) -> ControlFlow<()>) -> Result<bool, ScoreError> {
    let requests = requests(scoring)?;
    let how = how(scoring);
    let began = Instant::now();
    let (bleu, chrf) = (Bleu::default(), Chrf::default());
    let stops = Stops::new(scoring.decoding.stop.iter().cloned());
    let stop = |_: usize, tokens: &[u32]| stops.hit(scoring.tokenizer, tokens);
    let totals = generate_all(
        scoring.decoder,
        scoring.adapter,
        &requests,
        &how,
        scoring.batch,
        &Rules { stop: &stop, mask: None },
        &mut |event| match event {
            Event::Reading | Event::Token { .. } => sink(Heard::Token),
            Event::PutOff { rows } => sink(Heard::PutOff(rows)),
            Event::Done(done) => {
                let request = &requests[done.index];
                let row = &scoring.split.rows[request.row as usize];
                // White space around it is no part of the answer.
                let hypothesis = stops.cut(&scoring.tokenizer.decode(&done.tokens)).trim().to_owned();
                let references: Vec<&str> = row.references.iter().map(String::as_str).collect();
                let of = |metric: &dyn Metric| metric.sentence(&metric.row(&hypothesis, &references)).score;
                let (bleu, chrf) = (of(&bleu), of(&chrf));
                let ended = match done.ended {
                    generate::Ended::EndToken => report::Ended::EndToken,
                    generate::Ended::Stop => report::Ended::StopString,
                    generate::Ended::Limit => report::Ended::MaxNewTokens,
                };
                sink(Heard::Row(Box::new(ReportRow {
                    row: request.row,
                    line: row.line,
                    prompt: row.prompt.clone(),
                    references: row.references.clone(),
                    hypothesis,
                    bleu,
                    chrf,
                    prompt_tokens: request.tokens.len() as u64,
                    tokens: done.tokens.len() as u64 + u64::from(ended == report::Ended::EndToken),
                    ended,
                    duration_us: done.duration.as_micros() as u64,
                    elapsed_ms: (scoring.elapsed_before + began.elapsed()).as_millis() as u64,
                })))
            }
        },
    )?;
    Ok(!totals.cancelled)
}

/// Takes the rows out of a split whose prompts this model cannot continue, and counts them with those that could not be read.
/// # Errors
/// The first of them, where the data is to be strict or no row is left.
pub fn leave_out(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    chat: bool,
    split: &mut TestSplit,
    strict: bool,
) -> Result<(), ScoreError> {
    let prompts = Prompts::new(decoder, tokenizer, chat);
    let mut first = None;
    let (mut skipped, mut problems) = (0, Vec::new());
    split.rows.retain(|row| match prompts.tokens(row) {
        Ok(_) => true,
        Err(source) => {
            skipped += 1;
            problems.push(RowProblem { line: row.line, what: source.to_string() });
            problems.truncate(KEPT_PROBLEMS);
            first.get_or_insert(ScoreError::Prompt { line: row.line, source });
            false
        }
    });
    match first {
        Some(first) if strict || split.rows.is_empty() => return Err(first),
        _ => {}
    }
    split.skipped += skipped;
    split.problems.append(&mut problems);
    split.problems.sort_by_key(|problem| problem.line);
    split.problems.truncate(KEPT_PROBLEMS);
    Ok(())
}

/// Prompts as the tokens that this model continues.
struct Prompts<'a> {
    tokenizer: &'a Tokenizer,
    chat: bool,
    template: Option<Result<ChatTemplate, TemplateError>>,
    context: usize,
}

impl<'a> Prompts<'a> {
    fn new(decoder: &Decoder, tokenizer: &'a Tokenizer, chat: bool) -> Self {
        let template = if chat { ChatTemplate::of(tokenizer) } else { None };
        Prompts { tokenizer, chat, template, context: decoder.spec.shape.max_position_embeddings }
    }

    fn tokens(&self, row: &TestRow) -> Result<Vec<u32>, PromptError> {
        let tokens = match (self.chat, &self.template) {
            (false, _) => self.tokenizer.encode_prompt(&row.prompt).map_err(WriteError::from)?,
            (true, Some(Ok(template))) => {
                let text = template.render(&[Message::user(&row.prompt)], true).map_err(WriteError::from)?;
                self.tokenizer.encode(&text).map_err(WriteError::from)?
            }
            (true, Some(Err(e))) => return Err(WriteError::from(e.clone()).into()),
            (true, None) => return Err(WriteError::NoTemplate.into()),
        };
        match tokens.len() {
            0 => Err(PromptError::Empty),
            tokens if tokens >= self.context => Err(PromptError::TooLong { tokens, context: self.context }),
            _ => Ok(tokens),
        }
    }
}

fn requests(scoring: &Scoring) -> Result<Vec<Request>, ScoreError> {
    let prompts = Prompts::new(scoring.decoder, scoring.tokenizer, scoring.decoding.chat);
    let missing = (0..).zip(&scoring.split.rows).filter(|(row, _)| !scoring.done.contains(row));
    let request = |(row, of): (u64, &TestRow)| {
        let tokens = prompts.tokens(of).map_err(|source| ScoreError::Prompt { line: of.line, source })?;
        Ok(Request { tokens, row })
    };
    missing.map(request).collect()
}

fn how(scoring: &Scoring) -> generate::Decoding {
    let decoding = scoring.decoding;
    generate::Decoding {
        max_new_tokens: decoding.max_new_tokens as usize,
        temperature: if decoding.do_sample { decoding.temperature } else { 0.0 },
        top_k: (decoding.top_k > 0).then_some(decoding.top_k as usize),
        top_p: (decoding.top_p < 1.0).then_some(decoding.top_p),
        seed: decoding.seed,
        num_beams: decoding.num_beams as usize,
        length_penalty: decoding.length_penalty,
        no_repeat_ngram_size: decoding.no_repeat_ngram_size as usize,
        end_tokens: scoring.tokenizer.end_token_ids().to_vec(),
        // Scores that are reported come from exact products.
        fast: false,
    }
}
