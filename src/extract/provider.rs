//! Who writes: what a model is asked and what comes back, whatever answers. The local model is `task`'s, since it needs tensors.
//! Next: `openai` for servers, `fix` for the loop that asks.

pub mod openai;
mod sse;

use std::ops::ControlFlow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who speaks in a message, by the field's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    System,
    User,
    Assistant,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

impl Message {
    pub fn user(content: impl Into<String>) -> Self {
        Message { role: Role::User, content: content.into() }
    }
}

/// What a model is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub messages: Vec<Message>,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// 0 takes the likeliest token.
    pub temperature: f64,
    pub seed: u64,
    /// The JSON Schema under which the answer is decoded; none writes freely.
    pub constrained: Option<Value>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it.
    Stop,
    /// It reached the longest answer: what stands there is not whole.
    Length,
    /// The caller wanted no more.
    Cancelled,
}

/// An answer. Tokens are those that the provider counted; none where it did not tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    pub text: String,
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    pub finish: Finish,
    /// What was sent, exactly: the local model's is its chat template's text, a server's the messages.
    pub prompt: String,
}

/// What is heard while a model answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard<'a> {
    /// Nothing new; said now and then, so that the caller can end it.
    Waiting,
    /// The next piece of the answer.
    Text(&'a str),
    /// What was heard is void: another try begins after `wait`.
    Again { why: &'a str, wait: Duration },
}

/// Why there is no answer. It is the provider's trouble and is never told to a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Its settings cannot work.
    #[error("{0}")]
    Unusable(String),
    #[error("{server}: {why}{}", after(*.tries))]
    Unreachable { server: String, why: String, tries: u32 },
    /// It answered that it will not, or with what is no answer.
    #[error("{server}: {why}{}", after(*.tries))]
    Refused { server: String, why: String, tries: u32 },
    /// The local model failed.
    #[error("{0}")]
    Local(String),
}

fn after(tries: u32) -> String {
    if tries > 1 { format!(" ({tries} tries)") } else { String::new() }
}

/// What asks a model.
pub trait Provider {
    /// Asks, and tells `heard` what comes; it is called at least ten times a second, and ends the answer by breaking.
    /// # Errors
    /// No answer, and why.
    fn complete(
        &mut self,
        request: &Request,
        heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Result<Completion, ProviderError>;

    /// Whether whatever went wrong last would go wrong with any other request too, as without a key.
    fn is_lost(&self) -> bool {
        false
    }

    /// Asks for several answers, in the order of the requests; together, where that is faster. `waits` is called at each piece of any of
    /// them and at least ten times a second, and ends all of them by breaking.
    fn complete_all(
        &mut self,
        requests: &[Request],
        waits: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Vec<Result<Completion, ProviderError>> {
        requests.iter().map(|request| self.complete(request, &mut |_| waits())).collect()
    }
}

/// What tokens cost, per million, in whatever currency the configuration thinks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Price {
    pub prompt_per_million: Option<f64>,
    pub completion_per_million: Option<f64>,
}

impl Price {
    /// The cost of a call; none where a price or a count is unknown.
    pub fn of(&self, prompt_tokens: Option<u64>, completion_tokens: Option<u64>) -> Option<f64> {
        let part = |price: Option<f64>, tokens: Option<u64>| Some(price? * tokens? as f64 / 1e6);
        Some(rounded(
            part(self.prompt_per_million, prompt_tokens)? + part(self.completion_per_million, completion_tokens)?,
        ))
    }
}

/// A cost without what binary fractions add behind it; it still tells a single token at a millionth for a million.
pub fn rounded(cost: f64) -> f64 {
    let rounded = (cost * 1e12).round() / 1e12;
    if rounded.is_finite() { rounded } else { cost }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_told_only_where_price_and_tokens_are_known() {
        let price = Price { prompt_per_million: Some(2.0), completion_per_million: Some(8.0) };
        assert_eq!(price.of(Some(500_000), Some(250_000)), Some(3.0));
        assert_eq!(price.of(None, Some(1)), None);
        let cents = Price { prompt_per_million: Some(0.15), completion_per_million: Some(0.6) };
        let costs: Vec<String> =
            [(1, 0), (307, 119), (90, 25)].map(|(p, c)| cents.of(Some(p), Some(c)).unwrap().to_string()).to_vec();
        assert_eq!(costs, ["0.00000015", "0.00011745", "0.0000285"]);
        assert_eq!(Price::default().of(Some(1), Some(1)), None);
    }
}
