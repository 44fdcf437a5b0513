//! The trace of an extraction: each stage that had something to do, with what it took, made, changed and refused.
//! Facts only; the stages fill it, the screen and the commands read it. Next: `schema` for what is asked for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where in the chain an attempt was made, in the chain's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The model wrote freely.
    Generate,
    /// Strict JSON was looked for: the whole text, fenced blocks, values among prose.
    Parse,
    /// Broken JSON, or text that is no JSON at all, was read all the same.
    Repair,
    /// Types were converted as by Pydantic's lax table.
    Coerce,
    /// Local numbers, money, dates and times were read.
    Normalise,
    /// The value was held against the JSON Schema.
    Validate,
    /// The model was asked again, told what was wrong.
    Fix,
    /// The model wrote under the schema's grammar.
    Constrained,
}

/// What one attempt found wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Where in the value, as a JSON Pointer (RFC 6901): "" is the whole, `/age` a field, `/items/0/price` one further in.
    pub path: String,
    /// What was expected there, in words that a person and a model understand.
    pub expected: String,
    /// What was found, likewise.
    pub found: String,
    /// The piece of the text or value at fault, at most 80 characters.
    pub excerpt: String,
    /// Where in the attempt's input text the excerpt begins, in bytes, or where it ends if something is missing behind it; none where the
    /// input is a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
}

/// One thing that a stage changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Where in the value the stage made, as a JSON Pointer.
    pub path: String,
    /// What was done, in one snake_case word or few: `quotes_added`, `string_to_integer`, `korean_number`, `year_inferred`.
    pub kind: String,
    pub before: Value,
    pub after: Value,
    /// Whether something that was in the text may be missing from the value, or was guessed.
    pub lossy: bool,
}

/// One stage's work. A stage that had nothing to do leaves none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1, in the order made.
    pub n: usize,
    pub stage: Stage,
    /// What the stage was given: the text as a JSON string where it read text, the value where it worked on a value.
    pub input: Value,
    /// What it made, likewise; null where it made nothing.
    pub output: Value,
    pub errors: Vec<Fault>,
    pub changes: Vec<Change>,
    /// What was sent to the model, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens: Option<u64>,
    /// Milliseconds it took.
    pub ms: f64,
}

/// What a refusal says where the caller wanted no more.
pub const CANCELLED: &str = "cancelled";

/// Milliseconds since then, to the microsecond: what is below says nothing.
pub fn elapsed_ms(since: std::time::Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1e6).round() / 1e3
}

/// What the whole extraction cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// How often a model was asked.
    pub calls: u64,
    /// None when a call did not tell.
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    pub ms: f64,
    /// In the currency of the configured prices; none where no price is known.
    pub cost: Option<f64>,
}

/// An extraction from the first text to the value or the refusal: either `value` or `error` is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    pub ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
    pub attempts: Vec<Attempt>,
    pub totals: Totals,
}

impl Stage {
    /// Whether a model is asked in it.
    pub fn asks(self) -> bool {
        matches!(self, Stage::Generate | Stage::Fix | Stage::Constrained)
    }
}

impl Trace {
    /// Why the last call came to nothing: it failed, or was cancelled. None where it was answered.
    pub fn call_error(&self) -> Option<&Refusal> {
        self.error.as_ref().filter(|error| error.is_of_call())
    }

    /// Whether nobody wanted the rest of it.
    pub fn is_cancelled(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.message == CANCELLED)
    }

    /// Whether this attempt is a call that came to nothing.
    pub fn broke_at(&self, attempt: usize) -> bool {
        let Some(error) = self.call_error() else { return false };
        attempt + 1 == self.attempts.len() && self.attempts[attempt].stage == error.stage
    }
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The stage that could not go on.
    pub stage: Stage,
    /// One line for a person.
    pub message: String,
    /// What is wrong with the last value or text.
    pub errors: Vec<Fault>,
}

impl Refusal {
    /// Whether a call failed. What is wrong with an answer is named, as of one that was cut off under a grammar.
    pub fn is_of_call(&self) -> bool {
        self.stage.asks() && self.errors.is_empty()
    }
}
