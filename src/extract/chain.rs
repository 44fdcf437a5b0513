//! The stages in order over one text: what can be read out of it, the reading that fits the schema best, and the trace of how it was made.
//! Each stage is a room of its own; here is only which comes when, and which of several readings is taken. Many texts are `rows`'.
//! Next: `judged` for the choice among readings, `told` for the trace.

mod judged;
mod told;

use std::time::Instant;

use jiff::civil::DateTime;
use serde_json::Value;

use super::attempt::{Attempt, Change, Fault, Refusal, Stage, Totals, Trace, elapsed_ms};
use super::coerce::{coerce, coerce_what_is_said};
use super::normalise::{normalise, why_no_day};
use super::parse::cues;
use super::parse::{self, Candidate};
use super::schema::node::Node;
use super::schema::{Kind, Kinds, Schema};
use super::validate::{self, Fit, asks_for_a_day, excerpt};
use super::{plain, repair};
use crate::units::beginning;

use self::judged::{Judged, MOST_NAMED, has_content, nearest, says};

/// How far to go for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// Every stage.
    #[default]
    Whole,
    /// What LangChain's Pydantic parser does: JSON, fenced or not, and lax types; no repair, nothing local.
    Langchain,
}

/// How many readings of a text are held against the schema; a text of more values than that is no answer.
const MOST_JUDGED: usize = parse::MOST_ALONE;

/// How much a text may hold for a value to be built of it, see [`weight`]: some gigabytes of values, which is more than 100 MB of ordinary
/// JSON and less than 100 MB of the worst.
const MOST_WEIGHT: usize = 24_000_000;

/// Reads a typed value out of a text; without a schema, JSON alone. `now` is what dates without a year are told by.
pub fn repair_text(text: &str, schema: Option<&Schema>, now: DateTime) -> Trace {
    read(text, schema, now, Reading::Whole)
}

/// The same, as far as `reading` goes.
pub fn read(text: &str, schema: Option<&Schema>, now: DateTime, reading: Reading) -> Trace {
    let begun = Instant::now();
    let chain = Chain { text, schema, now, reading, keep: true };
    let Outcome { steps, result } = chain.run();
    let mut attempts: Vec<Attempt> = Vec::with_capacity(steps.len());
    for step in steps {
        let reads_text = matches!(step.stage, Stage::Parse | Stage::Repair);
        let before = attempts.last().filter(|_| !reads_text).map(|before| before.output.clone());
        let taken = before.unwrap_or_else(|| text.into());
        attempts.push(Attempt {
            n: attempts.len() + 1,
            stage: step.stage,
            input: taken,
            output: step.output,
            errors: step.errors,
            changes: step.changes,
            prompt: None,
            prompt_tokens: None,
            completion_tokens: None,
            ms: step.ms,
        });
    }
    let (value, error) = match result {
        Ok(value) => (Some(value), None),
        Err(refusal) => (None, Some(refusal)),
    };
    let totals = Totals { ms: elapsed_ms(begun), ..Totals::default() };
    Trace { ok: error.is_none(), value, error, attempts, totals }
}

/// A value, or why there is none, without the copies that a trace keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Repaired {
    pub result: Result<Value, Refusal>,
    /// The last stage that changed something.
    pub stage: Option<Stage>,
    pub changes: Vec<Change>,
}

/// As [`repair_text`], for many texts.
pub fn repair_value(text: &str, schema: Option<&Schema>, now: DateTime) -> Repaired {
    let outcome = Chain { text, schema, now, reading: Reading::Whole, keep: false }.run();
    let changed = outcome.steps.iter().rev().find(|step| !step.changes.is_empty());
    let stage = changed.map(|step| step.stage);
    // Mostly one step has nearly all of them, and they stay where they are.
    let mut changes = Vec::new();
    for step in outcome.steps {
        if changes.is_empty() {
            changes = step.changes;
        } else {
            changes.extend(step.changes);
        }
    }
    Repaired { result: outcome.result, stage, changes }
}

#[derive(Clone, Copy)]
struct Chain<'c> {
    text: &'c str,
    schema: Option<&'c Schema>,
    now: DateTime,
    reading: Reading,
    /// Whether the steps keep what they made.
    keep: bool,
}

struct Outcome {
    steps: Vec<Step>,
    result: Result<Value, Refusal>,
}

struct Step {
    stage: Stage,
    output: Value,
    errors: Vec<Fault>,
    changes: Vec<Change>,
    ms: f64,
}

impl Chain<'_> {
    fn run(&self) -> Outcome {
        if weight(self.text) > MOST_WEIGHT {
            return self.too_large();
        }
        let free = self.schema.is_some_and(|schema| is_free_text(schema.root()));
        let thoughts = if free || self.reading == Reading::Langchain {
            Vec::new()
        } else {
            cues::thoughts(self.text, |tag| self.schema.is_some_and(|schema| plain::is_field(tag, schema)))
        };
        if thoughts.is_empty() {
            return self.read_all();
        }
        // A draft among thoughts is taken only where nothing fits outside them.
        let text = cues::without(self.text, &thoughts);
        let behind = Chain { text: &text, ..*self };
        let mut outcome = behind.read_all();
        let answered = outcome.result.is_ok();
        if !answered {
            outcome = self.read_all();
        }
        let told = match &outcome.result {
            Ok(value) if answered => {
                let drafts = thoughts.iter().flat_map(|place| self.drafts(&self.text[place.clone()]));
                let lossy = drafts.into_iter().any(|draft| has_content(&draft) && !says(value, &draft));
                let said: Vec<&str> = thoughts.iter().map(|place| beginning(&self.text[place.clone()], 200)).collect();
                parse::change("left_out", Value::from(said.join("\n")), Value::Null, lossy)
            }
            Ok(value) => parse::change("draft_taken", Value::Null, excerpt(value).into(), true),
            Err(_) => return outcome,
        };
        let reader = outcome.steps.iter_mut().rev().find(|step| matches!(step.stage, Stage::Parse | Stage::Repair));
        if let Some(step) = reader {
            step.changes.push(told);
        }
        outcome
    }

    /// The values among thoughts.
    fn drafts(&self, thoughts: &str) -> Vec<Value> {
        let mut found = parse::candidates(thoughts, self.schema);
        if found.is_empty() {
            found = repair::candidates(thoughts, self.schema);
        }
        found.into_iter().take(MOST_NAMED).map(|candidate| self.finish(candidate, Stage::Parse).value).collect()
    }

    fn read_all(&self) -> Outcome {
        let begun = Instant::now();
        let mut judged: Vec<Judged> = Vec::new();
        let mut ms = [0.0; 2];
        let strict = parse::candidates(self.text, self.schema);
        let whole = is_whole(self.text, &strict);
        let mut unjudged = self.judge(strict, Stage::Parse, &mut judged);
        if !whole && let Some(text) = self.as_it_is(judged.is_empty()) {
            self.judge(vec![text], Stage::Parse, &mut judged);
        }
        ms[0] = elapsed_ms(begun);
        let mut tried = vec![Stage::Parse];
        let unfit = |judged: &[Judged]| judged.iter().all(|one| !one.faults().is_empty());
        // A whole document that is JSON has no other reading.
        if !whole && self.reading == Reading::Whole && unfit(&judged) {
            let begun = Instant::now();
            tried.push(Stage::Repair);
            unjudged += self.judge(repair::candidates(self.text, self.schema), Stage::Repair, &mut judged);
            if unfit(&judged) {
                unjudged += self.judge(plain::candidates(self.text, self.schema), Stage::Repair, &mut judged);
            }
            ms[1] = elapsed_ms(begun);
        }
        let cues = if self.reading == Reading::Whole { self.cues(&judged) } else { Vec::new() };
        let Some(best) = nearest(&judged, &cues) else { return self.nothing_read(tried, ms) };
        let others = self.others(&judged, best, unjudged);
        let chosen = judged.swap_remove(best);
        self.told(chosen, others, tried, ms)
    }

    /// The text itself as the value, where the schema takes one that a text can be. Free text is taken whole; what has a form or is one
    /// of a list, a number or a word is left to the stages that know them.
    fn as_it_is(&self, nothing_else: bool) -> Option<Candidate> {
        let root = self.schema?.root();
        let scalar = root.kinds() != Kinds::ANY
            && root.kinds().iter().any(|k| matches!(k, Kind::String | Kind::Integer | Kind::Number | Kind::Boolean));
        let containers = root.accepts(Kind::Object) || root.accepts(Kind::Array);
        if !scalar || containers && !nothing_else || self.text.trim().is_empty() || self.reading == Reading::Langchain {
            return None;
        }
        let free = is_free_text(root);
        let text = if free { self.text } else { self.text.trim() };
        let lead = self.text.len() - self.text.trim_start().len();
        let from = if free { 0 } else { lead };
        let change = Change {
            path: String::new(),
            kind: "text_as_value".into(),
            before: Value::Null,
            after: Value::from(beginning(text, 80)),
            lossy: false,
        };
        Some(Candidate { value: text.into(), span: from..from + text.len(), changes: vec![change] })
    }

    /// Tells how many there was no room for.
    fn judge(&self, mut candidates: Vec<Candidate>, stage: Stage, judged: &mut Vec<Judged>) -> usize {
        let unread = parse::listed_only(&candidates);
        // All values as one list: where it fits, none of its parts alone is what was meant, however few conversions it needs.
        if self.schema.is_some()
            && let Some(all) = gathered(candidates.first())
        {
            let one = self.finish(candidates.remove(0), stage);
            let whole = one.faults().is_empty() && one.value.as_array().is_some_and(|items| items.len() >= all);
            judged.push(one);
            if whole {
                return 0;
            }
        }
        let room = MOST_JUDGED.saturating_sub(judged.len());
        let beyond = candidates.len().saturating_sub(room);
        judged.extend(candidates.into_iter().take(room).map(|candidate| self.finish(candidate, stage)));
        beyond + unread
    }

    /// The stages that know the schema, over one reading.
    fn finish(&self, candidate: Candidate, stage: Stage) -> Judged {
        let Candidate { mut value, span, changes: found } = candidate;
        let kept = |value: &Value| if self.keep { value.clone() } else { Value::Null };
        let read = kept(&value);
        let (mut coerced, mut normalised, mut validated) = (None, None, None);
        if let Some(schema) = self.schema {
            let begun = Instant::now();
            let made = match self.reading {
                Reading::Whole => coerce(value, schema),
                Reading::Langchain => coerce_what_is_said(value, schema),
            };
            value = made.value;
            let (refused, limit) = (!made.faults.is_empty(), made.limit);
            let did = refused || !made.changes.is_empty();
            let step = |stage, output, errors, changes, begun| {
                Some(Step { stage, output, errors, changes, ms: elapsed_ms(begun) })
            };
            if did {
                coerced = step(Stage::Coerce, kept(&value), made.faults, made.changes, begun);
            }
            let begun = Instant::now();
            // What is wrong is told when it is known that it stays.
            let mut fit = validate::fit(&value, schema);
            if (refused || fit != Fit::Fits) && self.reading == Reading::Whole {
                let begun = Instant::now();
                let made = normalise(value, schema, self.now);
                value = made.value;
                if !made.changes.is_empty() {
                    normalised = step(Stage::Normalise, kept(&value), Vec::new(), made.changes, begun);
                    fit = validate::fit(&value, schema);
                }
            }
            let mut faults = validate::faults(&value, schema, fit);
            if self.reading == Reading::Whole {
                for fault in faults.iter_mut().filter(|fault| asks_for_a_day(fault)) {
                    let text = value.pointer(&fault.path).and_then(Value::as_str);
                    if let Some(why) = text.and_then(|text| why_no_day(text, self.now)) {
                        fault.found = format!("{}: {why}", fault.found);
                    }
                }
            }
            if !faults.is_empty() {
                // What was left alone is why the rest does not fit.
                faults.splice(0..0, limit);
                validated = step(Stage::Validate, Value::Null, faults, Vec::new(), begun);
            }
        }
        Judged { stage, span, read, found, value, coerced, normalised, validated }
    }
}

/// How many values a text can have at most, by the bytes that part them; an object weighs several times what a scalar does.
fn weight(text: &str) -> usize {
    if text.len() <= MOST_WEIGHT / 4 {
        return 0;
    }
    let weight = |byte: &u8| match byte {
        b'{' => 4,
        b'[' | b'(' | b',' | b';' | b':' | b'=' | b'\n' => 1,
        _ => 0,
    };
    text.as_bytes().iter().map(weight).sum()
}

/// Whether the text as a whole is one JSON value.
fn is_whole(text: &str, strict: &[Candidate]) -> bool {
    let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let (lead, end) = (text.len() - text.trim_start_matches(blank).len(), text.trim_end_matches(blank).len());
    let fenced = text[lead..].starts_with('`');
    let made = |change: &Change| matches!(change.kind.as_str(), "values_gathered" | "field_labelled");
    !fenced && strict.iter().any(|c| c.span == (lead..end) && !c.changes.iter().any(made))
}

/// Of how many values a reading is a list.
fn gathered(candidate: Option<&Candidate>) -> Option<usize> {
    let candidate = candidate?;
    let told = candidate.changes.iter().find(|c| c.kind == "values_gathered" && c.path.is_empty())?;
    told.before.as_u64()?;
    candidate.value.as_array().map(Vec::len)
}

/// Whether any text will do.
fn is_free_text(root: Node<'_>) -> bool {
    root.kinds() != Kinds::ANY && root.accepts(Kind::String) && root.choices().is_none() && root.format().is_none()
}

#[cfg(test)]
mod tests;
