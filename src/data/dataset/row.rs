//! What one line of a data file may hold, and the tokens and targets that it comes to. Files and lengths are in `scan`
//! and above.

use minijinja::Value;
use minijinja::value::ValueKind;
use serde::Deserialize;
use thiserror::Error;

use super::super::template::{ChatTemplate, Conversation, Message, TemplateError};
use super::super::tokenizer::{Tokenizer, TokenizerError};
use super::RowLength;
use crate::units::printable;

/// Why a line cannot be used.
#[derive(Debug, Error)]
pub enum RowError {
    #[error("longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("UTF-16; the file must be UTF-8")]
    Utf16,
    #[error("not UTF-8 from byte {at} of the line on")]
    Utf8 { at: usize },
    #[error("no JSON: {0}")]
    Json(String),
    #[error("expected an object, {{…}}, a line for each row")]
    NotAnObject,
    #[error("expected prompt and completion, messages, or text; none is there")]
    NoForm,
    #[error("both {0} and {1}: a row is one thing")]
    TwoForms(&'static str, &'static str),
    #[error("{field} is missing")]
    Missing { field: &'static str },
    #[error("{field}: expected {expected}, found {found}")]
    Type { field: &'static str, expected: &'static str, found: &'static str },
    #[error("{field} is empty")]
    Empty { field: &'static str },
    #[error("without target: no token has a loss")]
    NoTarget,
    #[error("without target: all of them are beyond max_seq_length = {max_seq_length}")]
    TargetsCut { max_seq_length: usize },
    #[error("messages, but the model has no chat template")]
    NoTemplate,
    #[error("messages: {0}")]
    Template(TemplateError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// A row as tokens. `is_target[t]` says that token `t` is predicted from the ones before it and has a loss;
/// `is_target[0]` is false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    pub tokens: Vec<u32>,
    pub is_target: Vec<bool>,
}

impl Example {
    /// Marks all of `tokens` from `first_target` on.
    fn with_targets_from(tokens: Vec<u32>, first_target: usize) -> Example {
        let is_target = (0..tokens.len()).map(|t| t > 0 && t >= first_target).collect();
        Example { tokens, is_target }
    }

    pub fn target_tokens(&self) -> usize {
        self.is_target.iter().filter(|target| **target).count()
    }

    /// Rows are limited to `max_seq_length` tokens, so that lengths fit 32 bits.
    pub fn length(&self) -> RowLength {
        RowLength { tokens: self.tokens.len() as u32, target_tokens: self.target_tokens() as u32 }
    }
}

/// A row of a test split: what is asked, and the texts that an answer is compared with, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRow {
    /// From 1, as editors count.
    pub line: u64,
    pub prompt: String,
    pub references: Vec<String>,
}

/// A line as JSON; keys that are not named here are ignored, null is as if the key were not there.
#[derive(Deserialize)]
struct Fields {
    prompt: Option<Value>,
    completion: Option<Value>,
    messages: Option<Value>,
    tools: Option<Value>,
    text: Option<Value>,
    references: Option<Value>,
}

impl Fields {
    fn parse(line: &[u8]) -> Result<Fields, RowError> {
        if line.starts_with(&[0xff, 0xfe]) || line.starts_with(&[0xfe, 0xff]) {
            return Err(RowError::Utf16);
        }
        let text = std::str::from_utf8(line).map_err(|e| RowError::Utf8 { at: e.valid_up_to() + 1 })?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.starts_with(['[', '"']) || text.parse::<f64>().is_ok() || ["null", "true", "false"].contains(&text) {
            return Err(RowError::NotAnObject);
        }
        serde_json::from_str(text).map_err(|e| {
            // The error's own line is always 1: the text is one line of the file.
            let what = e.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            RowError::Json(printable(&format!("{what} at column {}", e.column())))
        })
    }
}

fn text(field: &'static str, value: Option<Value>) -> Result<String, RowError> {
    let value = value.ok_or(RowError::Missing { field })?;
    let found = || RowError::Type { field, expected: "text", found: kind_name(&value) };
    value.as_str().map(str::to_owned).ok_or_else(found)
}

fn filled(field: &'static str, value: Option<Value>) -> Result<String, RowError> {
    let text = text(field, value)?;
    if text.is_empty() { Err(RowError::Empty { field }) } else { Ok(text) }
}

fn list(field: &'static str, value: &Value) -> Result<Vec<Value>, RowError> {
    match value.kind() {
        ValueKind::Seq => value.try_iter().map(Iterator::collect).map_err(|_| RowError::Empty { field }),
        _ => Err(RowError::Type { field, expected: "a list", found: kind_name(value) }),
    }
}

fn kind_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Bool => "a boolean",
        ValueKind::Number => "a number",
        ValueKind::String => "text",
        ValueKind::Seq => "a list",
        ValueKind::Map => "an object",
        _ => "nothing",
    }
}

/// A row to learn from, in one of its three forms.
pub(super) enum Row {
    /// Only the completion has targets.
    Completion { prompt: String, completion: String },
    /// Goes through the chat template; the assistant's turns have targets.
    Messages { messages: Vec<Message>, tools: Option<Value> },
    /// Every token has a target.
    Text(String),
}

impl Row {
    pub fn parse(line: &[u8]) -> Result<Row, RowError> {
        let fields = Fields::parse(line)?;
        let pair = if fields.completion.is_some() { "completion" } else { "prompt" };
        let forms = [
            (fields.prompt.is_some() || fields.completion.is_some(), pair),
            (fields.messages.is_some(), "messages"),
            (fields.text.is_some(), "text"),
        ];
        let mut present = forms.into_iter().filter(|(there, _)| *there).map(|(_, name)| name);
        match (present.next(), present.next()) {
            (Some(one), Some(other)) => Err(RowError::TwoForms(one, other)),
            (None, _) => Err(RowError::NoForm),
            (Some("messages"), None) => {
                let values = list("messages", &fields.messages.unwrap_or_default())?;
                if values.is_empty() {
                    return Err(RowError::Empty { field: "messages" });
                }
                let messages = values.into_iter().enumerate().map(|(index, value)| Message::from_value(value, index));
                let messages = messages.collect::<Result<_, _>>().map_err(RowError::Template)?;
                Ok(Row::Messages { messages, tools: fields.tools })
            }
            (Some("text"), None) => Ok(Row::Text(filled("text", fields.text)?)),
            (Some(_), None) => {
                let completion = filled("completion", fields.completion)?;
                Ok(Row::Completion { prompt: text("prompt", fields.prompt)?, completion })
            }
        }
    }

    /// Tokens and targets of the row, uncut. `prompt` and `completion` are tokenised each by itself, so that a prompt
    /// has the same tokens here and in generation.
    pub fn example(
        self,
        tokenizer: &Tokenizer,
        template: Result<&ChatTemplate, RowError>,
    ) -> Result<Example, RowError> {
        match self {
            Row::Completion { prompt, completion } => {
                let mut tokens = tokenizer.encode_prompt(&prompt)?;
                let first_target = tokens.len();
                tokens.extend(ended(tokenizer, tokenizer.encode(&completion)?));
                Ok(Example::with_targets_from(tokens, first_target))
            }
            Row::Text(text) => {
                let tokens = ended(tokenizer, tokenizer.encode_prompt(&text)?);
                Ok(Example::with_targets_from(tokens, 0))
            }
            Row::Messages { messages, tools } => {
                let conversation = template?.conversation(&messages, tools.as_ref()).map_err(RowError::Template)?;
                conversation_example(tokenizer, &conversation)
            }
        }
    }
}

/// With the end token at the end, once.
fn ended(tokenizer: &Tokenizer, mut tokens: Vec<u32>) -> Vec<u32> {
    if tokens.last() != Some(&tokenizer.eos_token_id()) {
        tokens.push(tokenizer.eos_token_id());
    }
    tokens
}

/// The conversation is tokenised as a whole, as transformers does; the template writes its start token itself. A token
/// is of a turn if it begins in it. What a template writes after the turn's end token (a line end, mostly) is no
/// target: nobody asks for it.
fn conversation_example(tokenizer: &Tokenizer, conversation: &Conversation) -> Result<Example, RowError> {
    let encoded = tokenizer.encode_with_offsets(&conversation.text)?;
    let mut is_target = vec![false; encoded.len()];
    for turn in &conversation.assistant {
        let begins_within = |(_, bytes): &(u32, std::ops::Range<usize>)| turn.contains(&bytes.start);
        let first = encoded.iter().position(begins_within);
        let last = encoded.iter().rposition(begins_within);
        let (Some(first), Some(last)) = (first, last) else { continue };
        let ends = |t: &usize| tokenizer.end_token_ids().binary_search(&encoded[*t].0).is_ok();
        let last = (first..=last).rev().find(ends).unwrap_or(last);
        is_target[first.max(1)..=last.max(first)].fill(true);
    }
    if let Some(first) = is_target.first_mut() {
        *first = false;
    }
    Ok(Example { tokens: encoded.into_iter().map(|(id, _)| id).collect(), is_target })
}

/// A line of a test split: `prompt` with `references`, or with the one text in `completion`.
pub(super) fn parse_test(line: &[u8], number: u64) -> Result<TestRow, RowError> {
    let fields = Fields::parse(line)?;
    let references = match fields.references {
        None if fields.completion.is_none() => return Err(RowError::Missing { field: "references (or completion)" }),
        None => vec![filled("completion", fields.completion)?],
        Some(values) => {
            let values = list("references", &values)?;
            values.into_iter().map(|value| filled("references", Some(value))).collect::<Result<Vec<_>, _>>()?
        }
    };
    if references.is_empty() {
        return Err(RowError::Empty { field: "references" });
    }
    Ok(TestRow { line: number, prompt: text("prompt", fields.prompt)?, references })
}
