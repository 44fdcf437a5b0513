//! A split generated row by row, as rows of a report: prompts become tokens, tokens become text, and each text is scored by itself. Where the
//! rows go, and what a report is called, is the business of `run::scoring`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::text::Stops;
use super::write::WriteError;
use crate::data::dataset::TestSplit;
use crate::data::template::{ChatTemplate, Message};
use crate::data::tokenizer::Tokenizer;
use crate::eval::Metric;
use crate::eval::bleu::Bleu;
use crate::eval::chrf::Chrf;
use crate::eval::report::{self, ReportRow};
use crate::model::adapter::Adapter;
use crate::model::decoder::Decoder;
use crate::model::generate::{self, Event, Request, Rules, generate_all};

/// Why a split could not be generated.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    #[error("line {line}: {source}")]
    Prompt { line: u64, source: WriteError },
    #[error("line {line}: the prompt has no token, and the model no token to start with")]
    NoPrompt { line: u64 },
    #[error("line {line}: the prompt has {tokens} tokens, the model's context is {context}")]
    TooLong { line: u64, tokens: usize, context: usize },
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
    /// A token more; said often.
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
            Event::Token { .. } => sink(Heard::Token),
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

fn requests(scoring: &Scoring) -> Result<Vec<Request>, ScoreError> {
    let Scoring { tokenizer, split, decoding, done, .. } = scoring;
    let template = if decoding.chat { ChatTemplate::of(tokenizer) } else { None };
    let context = scoring.decoder.spec.shape.max_position_embeddings;
    let mut requests = Vec::new();
    for (row, of) in split.rows.iter().enumerate().filter(|(row, _)| !done.contains(&(*row as u64))) {
        let line = of.line;
        let tokens = match (decoding.chat, &template) {
            (false, _) => tokenizer.encode_prompt(&of.prompt).map_err(WriteError::from),
            (true, Some(Ok(template))) => template
                .render(&[Message::user(&of.prompt)], true)
                .map_err(WriteError::from)
                .and_then(|text| Ok(tokenizer.encode(&text)?)),
            (true, Some(Err(e))) => Err(e.clone().into()),
            (true, None) => Err(WriteError::NoTemplate),
        };
        let tokens = tokens.map_err(|source| ScoreError::Prompt { line, source })?;
        if tokens.is_empty() {
            return Err(ScoreError::NoPrompt { line });
        }
        if tokens.len() >= context {
            return Err(ScoreError::TooLong { line, tokens: tokens.len(), context });
        }
        requests.push(Request { tokens, row: row as u64 });
    }
    Ok(requests)
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
