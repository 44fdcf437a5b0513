//! The whole extraction: a model writes, the chain reads, and where that does not fit the model is asked again, within bounds.
//! Every call and every change is in the trace. What is said to the model is `prompt`'s, how text becomes a value `chain`'s.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use jiff::civil::DateTime;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::attempt::{Attempt, CANCELLED, Fault, Refusal, Stage, Totals, Trace, elapsed_ms};
use super::chain::{self, Reading};
use super::prompt;
use super::provider::{Completion, Finish, Heard, Message, Price, Provider, ProviderError, Request};
use super::schema::Schema;

/// How a model is asked again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixMode {
    /// Told path, expected, found and an excerpt, with the schema's short form and the text.
    #[default]
    Own,
    /// As LangChain's OutputFixingParser does, to compare: instructions, completion, error; no repair and no normalising between.
    Langchain,
}

/// What is to be extracted, from what, and how hard to try.
#[derive(Debug, Clone)]
pub struct Ask {
    /// With places for `{text}` and `{schema}`; see [`prompt::fill`].
    pub prompt: String,
    pub schema: Schema,
    pub text: String,
    /// What "tomorrow" counts from.
    pub now: DateTime,
    /// Calls after the first.
    pub max_retries: u32,
    pub fix_mode: FixMode,
    /// Tokens of all calls together, as far as the provider tells them, beyond which no further call is made.
    pub token_budget: u64,
    pub max_new_tokens: u32,
    pub temperature: f64,
    pub seed: u64,
    /// Decode under the schema's grammar.
    pub constrained: bool,
    pub price: Price,
}

/// LangChain's.
pub const DEFAULT_MAX_RETRIES: u32 = 1;
pub const DEFAULT_TOKEN_BUDGET: u64 = 16_384;
pub const DEFAULT_MAX_NEW_TOKENS: u32 = 256;

impl Ask {
    pub fn new(schema: Schema, text: impl Into<String>, now: DateTime) -> Self {
        Ask {
            prompt: prompt::DEFAULT.to_string(),
            schema,
            text: text.into(),
            now,
            max_retries: DEFAULT_MAX_RETRIES,
            fix_mode: FixMode::Own,
            token_budget: DEFAULT_TOKEN_BUDGET,
            max_new_tokens: DEFAULT_MAX_NEW_TOKENS,
            temperature: 0.0,
            seed: 42,
            constrained: false,
            price: Price::default(),
        }
    }
}

/// What is told while it works.
#[derive(Debug)]
pub enum Told<'a> {
    /// Nothing new; said now and then, so that the caller can end it.
    Waiting,
    /// A model is asked, in this stage.
    Asked(Stage),
    Text(&'a str),
    /// The provider tries anew; what was heard of this call is void.
    Again {
        why: &'a str,
        wait: Duration,
    },
    /// A stage is done.
    Attempt(&'a Attempt),
}

/// Asks, reads, and asks again. Breaking `told` ends it; the trace then says that it was cancelled.
pub fn extract(ask: &Ask, provider: &mut dyn Provider, told: &mut dyn FnMut(Told) -> ControlFlow<()>) -> Trace {
    let mut work = Work { ask, attempts: Vec::new(), totals: Totals::default(), known: true, begun: Instant::now() };
    let mut result = work.answers(provider, told);
    if let Err(refusal) = &mut result {
        refusal.errors.dedup();
    }
    work.trace(result)
}

/// An answer that was read and did not fit.
struct Missed {
    answer: String,
    stage: Stage,
    faults: Vec<Fault>,
}

struct Work<'a> {
    ask: &'a Ask,
    attempts: Vec<Attempt>,
    totals: Totals,
    /// Every call so far told its tokens.
    known: bool,
    begun: Instant,
}

impl Work<'_> {
    fn answers(
        &mut self,
        provider: &mut dyn Provider,
        told: &mut dyn FnMut(Told) -> ControlFlow<()>,
    ) -> Result<Value, Refusal> {
        let ask = self.ask;
        let mut missed: Option<Missed> = None;
        let mut retries = 0..ask.max_retries;
        loop {
            let (stage, said) = match &missed {
                None if ask.constrained => (Stage::Constrained, None),
                None => (Stage::Generate, None),
                Some(m) => {
                    (Stage::Fix, Some(prompt::again(ask.fix_mode, &ask.schema, &ask.text, &m.answer, &m.faults)))
                }
            };
            let said = said.unwrap_or_else(|| prompt::fill(&ask.prompt, &ask.schema, &ask.text, ask.now));
            let answer = self.call(stage, said, missed.as_ref(), provider, told)?;
            let next = match self.read(&answer, told)? {
                Ok(value) => return Ok(value),
                Err(next) => next,
            };
            let refused = |why: &str, next: &Missed| {
                let first = next.faults.first().map(one_line).unwrap_or_default();
                Err(Refusal { stage: next.stage, message: format!("{why}{first}"), errors: next.faults.clone() })
            };
            // Under a grammar the next one would be cut off as well.
            if next.stage == Stage::Constrained {
                return refused("", &next);
            }
            if missed.as_ref().is_some_and(|m| same(&m.faults, &next.faults)) {
                return refused("the same error came back: ", &next);
            }
            let spent = self.spent();
            if retries.next().is_none() {
                return refused("", &next);
            }
            if spent >= ask.token_budget {
                let why = format!("{spent} tokens are spent, of {} allowed: ", ask.token_budget);
                return refused(&why, &next);
            }
            missed = Some(next);
        }
    }

    fn spent(&self) -> u64 {
        self.totals.prompt_tokens.unwrap_or(0) + self.totals.completion_tokens.unwrap_or(0)
    }

    /// One call, as an attempt of the trace.
    fn call(
        &mut self,
        stage: Stage,
        said: String,
        missed: Option<&Missed>,
        provider: &mut dyn Provider,
        told: &mut dyn FnMut(Told) -> ControlFlow<()>,
    ) -> Result<Completion, Refusal> {
        let ask = self.ask;
        let failed = |message: String| Refusal { stage, message, errors: Vec::new() };
        if told(Told::Asked(stage)).is_break() {
            return Err(failed(CANCELLED.into()));
        }
        let left = ask.token_budget.saturating_sub(self.spent()).max(1);
        let request = Request {
            messages: vec![Message::user(said.clone())],
            max_tokens: ask.max_new_tokens.min(u32::try_from(left).unwrap_or(u32::MAX)),
            temperature: ask.temperature,
            seed: ask.seed,
            constrained: ask.constrained.then(|| ask.schema.document().clone()),
        };
        let began = Instant::now();
        let mut written = String::new();
        let answered = provider.complete(&request, &mut |heard| {
            told(match heard {
                Heard::Waiting => Told::Waiting,
                Heard::Text(text) => {
                    written.push_str(text);
                    Told::Text(text)
                }
                Heard::Again { why, wait } => {
                    written.clear();
                    Told::Again { why, wait }
                }
            })
        });
        let input = missed.map_or(&ask.text, |m| &m.answer).as_str().into();
        let mut attempt = Attempt {
            n: self.attempts.len() + 1,
            stage,
            input,
            output: Value::Null,
            errors: missed.map(|m| m.faults.clone()).unwrap_or_default(),
            changes: Vec::new(),
            prompt: Some(said),
            prompt_tokens: None,
            completion_tokens: None,
            ms: elapsed_ms(began),
        };
        self.totals.calls += 1;
        let result = match answered {
            // What this program's own model refused before its first token was no call, and costs nothing.
            Err(ProviderError::Local(why) | ProviderError::Unusable(why)) if written.is_empty() => {
                self.totals.calls -= 1;
                Err(failed(why))
            }
            Err(error) => {
                self.count(None, None);
                // What came before it failed may say why.
                if !written.is_empty() {
                    attempt.output = written.into();
                }
                Err(failed(error.to_string()))
            }
            Ok(answer) => {
                self.count(answer.prompt_tokens, answer.completion_tokens);
                attempt.prompt = Some(answer.prompt.clone());
                attempt.output = answer.text.as_str().into();
                (attempt.prompt_tokens, attempt.completion_tokens) = (answer.prompt_tokens, answer.completion_tokens);
                match answer.finish {
                    Finish::Cancelled => Err(failed(CANCELLED.into())),
                    Finish::Stop | Finish::Length => Ok(answer),
                }
            }
        };
        let stopped = told(Told::Attempt(&attempt)).is_break();
        self.attempts.push(attempt);
        if stopped { Err(failed(CANCELLED.into())) } else { result }
    }

    /// Tokens of a call; one that does not tell makes the sums unknown.
    fn count(&mut self, prompt: Option<u64>, completion: Option<u64>) {
        let (Some(prompt), Some(completion), true) = (prompt, completion, self.known) else {
            self.known = false;
            self.totals.prompt_tokens = None;
            self.totals.completion_tokens = None;
            return;
        };
        *self.totals.prompt_tokens.get_or_insert(0) += prompt;
        *self.totals.completion_tokens.get_or_insert(0) += completion;
    }

    /// Reads an answer through the chain, whose attempts join the trace.
    fn read(
        &mut self,
        answer: &Completion,
        told: &mut dyn FnMut(Told) -> ControlFlow<()>,
    ) -> Result<Result<Value, Missed>, Refusal> {
        let ask = self.ask;
        let reading = match ask.fix_mode {
            FixMode::Own => Reading::Whole,
            FixMode::Langchain => Reading::Langchain,
        };
        let trace = chain::read(&answer.text, Some(&ask.schema), ask.now, reading);
        // What strict JSON closes itself is whole, whatever was cut behind it.
        let (mut lossy, mut closed) = (false, false);
        for mut attempt in trace.attempts {
            attempt.n = self.attempts.len() + 1;
            lossy |= attempt.changes.iter().any(|c| c.lossy);
            closed |= attempt.stage == Stage::Parse && (attempt.output.is_object() || attempt.output.is_array());
            let stopped = told(Told::Attempt(&attempt)).is_break();
            let stage = attempt.stage;
            self.attempts.push(attempt);
            if stopped {
                return Err(Refusal { stage, message: CANCELLED.into(), errors: Vec::new() });
            }
        }
        // Under a grammar the value is all that is written: more of a text that broke out of it is not known.
        let alone = || serde_json::from_str::<IgnoredAny>(&answer.text).is_ok();
        let whole = closed && !lossy && (!ask.constrained || alone());
        let cut = (answer.finish == Finish::Length && !whole).then(|| cut_off(answer, ask.max_new_tokens));
        // One name for it, whether anything could be read out of the piece or not.
        let cut_in = if ask.constrained { Stage::Constrained } else { Stage::Repair };
        let missed = |stage, faults| Ok(Err(Missed { answer: answer.text.clone(), stage, faults }));
        match (trace.value, trace.error, cut) {
            (Some(_), _, Some(cut)) if ask.constrained || ask.fix_mode == FixMode::Own => missed(cut_in, vec![cut]),
            // LangChain takes it silently.
            (Some(value), ..) => Ok(Ok(value)),
            (None, refusal, Some(cut)) => {
                missed(cut_in, [cut].into_iter().chain(refusal.map_or(Vec::new(), |refusal| refusal.errors)).collect())
            }
            (None, Some(refusal), None) => missed(refusal.stage, refusal.errors),
            (None, None, None) => missed(Stage::Parse, Vec::new()),
        }
    }

    fn trace(self, result: Result<Value, Refusal>) -> Trace {
        let mut totals = self.totals;
        totals.ms = elapsed_ms(self.begun);
        totals.cost = self.ask.price.of(totals.prompt_tokens, totals.completion_tokens);
        let (value, error) = match result {
            Ok(value) => (Some(value), None),
            Err(refusal) => (None, Some(refusal)),
        };
        Trace { ok: error.is_none(), value, error, attempts: self.attempts, totals }
    }
}

/// An answer that reached the longest that it may be, or what else ended it before.
fn cut_off(answer: &Completion, max_new_tokens: u32) -> Fault {
    let text = answer.text.as_str();
    let (most, why) = match answer.completion_tokens {
        Some(n) if n < max_new_tokens.into() => (n, ", where the model's context or the token budget ends"),
        _ => (max_new_tokens.into(), ""),
    };
    let tail = text.char_indices().rev().nth(39).map_or(0, |(at, _)| at);
    Fault {
        path: String::new(),
        expected: format!("an answer that ends within {most} tokens{why}"),
        found: "one that was cut off there".into(),
        excerpt: text[tail..].to_string(),
        // What is missing is missing behind it.
        offset: Some(text.trim_end().len()),
    }
}

/// Whether two lists say the same, wherever in the text it stood.
fn same(a: &[Fault], b: &[Fault]) -> bool {
    let key = |f: &Fault| (f.path.clone(), f.expected.clone(), f.found.clone());
    a.iter().map(key).eq(b.iter().map(key))
}

fn one_line(fault: &Fault) -> String {
    let place = if fault.path.is_empty() { "the whole" } else { &fault.path };
    format!("{place}: expected {}, found {}", fault.expected, fault.found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a piece and fails.
    struct Fails;

    impl Provider for Fails {
        fn complete(
            &mut self,
            _: &Request,
            heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
        ) -> Result<Completion, ProviderError> {
            let _ = heard(Heard::Text("void"));
            let _ = heard(Heard::Again { why: "429", wait: Duration::ZERO });
            let _ = heard(Heard::Text("{\"na"));
            Err(ProviderError::Local("no room".into()))
        }
    }

    #[test]
    fn a_call_that_fails_keeps_what_was_written_before() {
        let ask =
            Ask::new(Schema::parse("{}").expect("a schema"), "John", DateTime::constant(2026, 11, 5, 14, 0, 0, 0));
        let trace = extract(&ask, &mut Fails, &mut |_| ControlFlow::Continue(()));
        assert_eq!(trace.attempts[0].output, "{\"na");
        assert!(trace.broke_at(0) && !trace.is_cancelled());
        assert_eq!(trace.call_error().map(|error| error.message.as_str()), Some("no room"));
    }

    /// Answers with what is no JSON, and then has no room for what it is told.
    struct Short(bool);

    impl Provider for Short {
        fn complete(
            &mut self,
            _: &Request,
            _: &mut dyn FnMut(Heard) -> ControlFlow<()>,
        ) -> Result<Completion, ProviderError> {
            if std::mem::replace(&mut self.0, true) {
                return Err(ProviderError::Local("the prompt has 574 tokens; the model takes 1 to 511".into()));
            }
            let (text, prompt) = ("none".into(), String::new());
            Ok(Completion { text, prompt, prompt_tokens: Some(70), completion_tokens: Some(2), finish: Finish::Stop })
        }
    }

    #[test]
    fn a_call_that_was_never_made_is_not_counted_and_hides_no_tokens() {
        let schema = Schema::parse(r#"{"type": "object"}"#).expect("a schema");
        let ask = Ask::new(schema, "John", DateTime::constant(2026, 11, 5, 14, 0, 0, 0));
        let trace = extract(&ask, &mut Short(false), &mut |_| ControlFlow::Continue(()));
        assert!(trace.call_error().is_some_and(|error| error.message.contains("574 tokens")), "{trace:?}");
        let totals = trace.totals;
        assert_eq!((totals.calls, totals.prompt_tokens, totals.completion_tokens), (1, Some(70), Some(2)));
    }

    /// Says the same at each call, with that end.
    struct Says(&'static str, Finish);

    impl Provider for Says {
        fn complete(
            &mut self,
            _: &Request,
            _: &mut dyn FnMut(Heard) -> ControlFlow<()>,
        ) -> Result<Completion, ProviderError> {
            Ok(Completion {
                text: self.0.into(),
                prompt: String::new(),
                prompt_tokens: None,
                completion_tokens: None,
                finish: self.1,
            })
        }
    }

    #[test]
    fn a_cut_is_of_one_stage_and_what_json_closed_is_none() {
        let schema = r#"{"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}"#;
        for (constrained, stage) in [(true, Stage::Constrained), (false, Stage::Repair)] {
            let mut ask =
                Ask::new(Schema::parse(schema).expect("a schema"), "x", "2026-11-05T14:00".parse().expect("a time"));
            (ask.constrained, ask.max_retries) = (constrained, 0);
            let said = |text| extract(&ask, &mut Says(text, Finish::Length), &mut |_| ControlFlow::Continue(()));
            assert_eq!(said(r#"{"a": 1, "b": 2}"#).value, Some(serde_json::json!({"a": 1, "b": 2})), "{stage:?}");
            // With a piece that could be read, with one that does not fit, and with none.
            for text in [r#"{"a": 1, "b": 2"#, r#"{"a": 1, "#, r#"{"a"#, ""] {
                let error = said(text).error.expect(text);
                assert_eq!(error.stage, stage, "{text}");
                assert!(error.message.contains("ends within"), "{}", error.message);
                let cut = error.errors.iter().find(|fault| fault.expected.contains("ends within")).expect("the cut");
                assert_eq!(cut.offset, Some(text.trim_end().len()), "{text}: it points at the end");
            }
            assert_eq!(said(r#"{"a": 1}"#).error.expect("a refusal").stage, Stage::Validate);
        }
    }
}
