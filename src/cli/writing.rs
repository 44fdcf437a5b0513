//! Text out of a model for `finetop generate`: one prompt as it comes, or a file of prompts as lines of JSON. What is typed is read in `generate`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::engine::{failed, fetch, unopened, usage};
use super::{CliError, result, say};
use crate::config::{ComputeDtype, Method, Quantization};
use crate::data::tokenizer::Tokenizer;
use crate::memory::ledger::Ledger;
use crate::model::adapter::Adapter;
use crate::model::decoder::Decoder;
use crate::model::device_memory;
use crate::model::generate::{Decoding, Ended, Request, Totals};
use crate::task;
use crate::task::score::PromptError;
use crate::task::text::Stops;
use crate::task::write::{Progress, WriteError, Writer, prompt_tokens};
use crate::units::printable;

/// A model, and how it is to continue prompts.
#[derive(Debug, Clone)]
pub struct GenerateRequest {
    /// As `model.source`; a path is relative to where the command was typed.
    pub model: String,
    pub adapter: Option<PathBuf>,
    /// Whether the prompt goes through the chat template; where nobody says, as the adapter was trained.
    pub chat: Option<bool>,
    pub how: Decoding,
    pub stops: Stops,
}

/// A model in memory.
pub(super) struct Opened {
    decoder: Decoder,
    pub adapter: Option<Adapter>,
    pub tokenizer: Arc<Tokenizer>,
    /// Whether prompts go through the chat template.
    pub chat: bool,
}

/// # Errors
/// A way of decoding that does not go together; a model or adapter that cannot be read.
pub(super) fn open(request: &GenerateRequest) -> Result<Opened, CliError> {
    request.how.check().map_err(usage)?;
    if request.how.temperature <= 0.0 && (request.how.top_k.is_some() || request.how.top_p.is_some()) {
        say(
            "--top-k and --top-p say what is drawn from; without --temperature nothing is drawn, the likeliest token is taken",
        );
    }
    let files = fetch(&request.model)?;
    let tokenizer = task::tokenizer(&files).map_err(usage)?;
    let how = (Method::Qlora, Quantization::Keep, ComputeDtype::F32);
    let decoder = task::decoder(&files, how, &Ledger::default(), &mut |_, _| {}).map_err(unopened)?;
    if let Some(limit) = device_memory::room_bytes() {
        device_memory::bound(&decoder.ledger, limit, !decoder.device.is_cpu());
    }
    let adapter = task::adapter(&decoder, request.adapter.as_deref()).map_err(unopened)?;
    let trained_so = adapter.as_ref().and_then(|a| a.chat).unwrap_or(false);
    if request.chat.is_none() && trained_so {
        say(
            "the adapter was trained through the chat template, and so the prompt goes through it; --raw leaves it as it is",
        );
    }
    Ok(Opened { decoder, adapter, tokenizer, chat: request.chat.unwrap_or(trained_so) })
}

impl Opened {
    pub fn writer<'a>(&'a self, request: &GenerateRequest) -> Writer<'a> {
        Writer {
            decoder: &self.decoder,
            adapter: self.adapter.as_ref(),
            tokenizer: &self.tokenizer,
            how: request.how.clone(),
            stops: request.stops.clone(),
        }
    }
}

fn refused(e: WriteError) -> CliError {
    match e {
        WriteError::Engine(e) => failed(e),
        e => usage(e),
    }
}

/// The tokens of a prompt, of which there must be one.
fn tokens(opened: &Opened, prompt: &str) -> Result<Vec<u32>, PromptError> {
    let tokens = prompt_tokens(&opened.tokenizer, prompt, opened.chat)?;
    let context = opened.decoder.spec.shape.max_position_embeddings;
    match tokens.len() {
        0 => Err(PromptError::Empty),
        tokens if tokens >= context => Err(PromptError::TooLong { tokens, context }),
        _ => Ok(tokens),
    }
}

/// Continues a prompt; `out` gets the text piece by piece and answers whether anybody reads on. The last line on standard error tells the speed of
/// decoding.
/// # Errors
/// A model or adapter that cannot be read, or a device that fails.
pub fn one(request: &GenerateRequest, prompt: &str, out: &mut dyn FnMut(&str) -> bool) -> Result<(), CliError> {
    let opened = open(request)?;
    let prompt = tokens(&opened, prompt).map_err(usage)?;
    let (written, totals) = opened.writer(request).write(&prompt, out).map_err(refused)?;
    // Whoever read has gone: nobody wants to hear of speed either.
    let Some(written) = written else { return Ok(()) };
    out("\n");
    let ended = match written.ended {
        Ended::EndToken => "ended by itself",
        Ended::Stop => "ended by --stop",
        Ended::Limit => "cut at --max-new-tokens",
    };
    say(format_args!("prompt of {} tokens in {:.2} s; {ended}", prompt.len(), totals.prefill.as_secs_f64()));
    // The first token belongs to the prompt's time; the step that found an end gave none, but took its time.
    let seconds = totals.decode.as_secs_f64();
    let rate = totals.decoded_tokens as f64 / seconds.max(1e-9);
    say(format_args!("{} tokens in {seconds:.2} s ({rate:.1} tokens/s)", written.tokens.len()));
    Ok(())
}

/// A line of the file; whatever else it has is left alone.
#[derive(Debug, Deserialize)]
struct PromptLine {
    prompt: String,
}

/// A line of the result.
#[derive(Debug, Serialize)]
struct ResultLine<'a> {
    /// The prompt's line in the file, from 1.
    row: u64,
    text: &'a str,
    tokens: &'a [u32],
    prompt_tokens: usize,
    /// Whether an end token or a stop came rather than the limit.
    ended: bool,
    ms: u64,
}

/// Continues each prompt of a file, `batch` at a time: a line of JSON for each, as soon as it is done.
/// # Errors
/// A file or line that cannot be read, by its place; otherwise as [`one`].
pub fn file(request: &GenerateRequest, rows: &Path, batch: usize) -> Result<(), CliError> {
    let prompts = read(rows)?;
    let opened = open(request)?;
    let requests = prompts.iter().map(|(row, prompt)| {
        tokens(&opened, prompt)
            .map(|tokens| Request { tokens, row: *row })
            .map_err(|e| usage(format_args!("{}:{row}: {e}", printable(&rows.display().to_string()))))
    });
    let requests = requests.collect::<Result<Vec<_>, _>>()?;
    let started = Instant::now();
    let mut last = Ok(true);
    let totals = opened.writer(request).write_all(&requests, batch, &mut |progress| {
        match progress {
            Progress::Reading | Progress::Token => return ControlFlow::Continue(()),
            Progress::PutOff { rows } => {
                say(format_args!("memory is short: {rows} rows wait for the others"));
                return ControlFlow::Continue(());
            }
            Progress::Done(done) => {
                let of = &requests[done.index];
                let line = ResultLine {
                    row: of.row,
                    text: &done.text,
                    tokens: &done.tokens,
                    prompt_tokens: of.tokens.len(),
                    ended: done.ended != Ended::Limit,
                    ms: done.duration.as_millis() as u64,
                };
                last = serde_json::to_string(&line).map_err(failed).and_then(result);
            }
        }
        if matches!(last, Ok(true)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let totals = totals.map_err(refused)?;
    if last? {
        speeds(requests.len(), &totals, started.elapsed().as_secs_f64());
    }
    Ok(())
}

fn speeds(rows: usize, totals: &Totals, seconds: f64) {
    let rate = |tokens: u64, of: std::time::Duration| tokens as f64 / of.as_secs_f64().max(1e-9);
    say(format_args!(
        "{rows} rows in {seconds:.2} s; prompts {} tokens ({:.0} tokens/s), then {} tokens ({:.0} tokens/s)",
        totals.prompt_tokens,
        rate(totals.prompt_tokens, totals.prefill),
        totals.decoded_tokens,
        rate(totals.decoded_tokens, totals.decode),
    ));
}

/// The prompts with their lines; empty lines are passed over.
fn read(rows: &Path) -> Result<Vec<(u64, String)>, CliError> {
    let at = |what: &dyn std::fmt::Display| usage(format_args!("{}{what}", printable(&rows.display().to_string())));
    let text = std::fs::read_to_string(rows).map_err(|e| at(&format_args!(": {e}")))?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let prompts = lines.map(|(row, line)| {
        let read = serde_json::from_str::<PromptLine>(line);
        let told = |e: serde_json::Error| at(&format_args!(":{row}: expected {{\"prompt\": …}}: {e}"));
        read.map(|line| (row, line.prompt)).map_err(told)
    });
    let prompts = prompts.collect::<Result<Vec<_>, _>>()?;
    if prompts.is_empty() {
        return Err(at(&": there is no prompt in it"));
    }
    Ok(prompts)
}
