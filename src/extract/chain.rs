//! The stages in order over one text: what can be read out of it, the reading that fits the schema best, and the trace of how it was made.
//! Each stage is a room of its own; here is only which comes when, and which of several readings is taken. Many texts are `rows`'.

use std::ops::Range;
use std::time::Instant;

use jiff::civil::DateTime;
use serde_json::{Value, json};

use super::attempt::{Attempt, Change, Fault, Refusal, Stage, Totals, Trace, elapsed_ms};
use super::coerce::coerce;
use super::normalise::normalise;
use super::parse::cues::{self, Cue};
use super::parse::{self, Candidate, strict};
use super::schema::node::Node;
use super::schema::{Kind, Kinds, Schema};
use super::validate::{excerpt, validate};
use super::{plain, repair};
use crate::units::beginning;

/// How far to go for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// Every stage.
    #[default]
    Whole,
    /// What LangChain's Pydantic parser does: JSON, fenced or not, and lax types; no repair, nothing local.
    Langchain,
}

/// How many of the readings that were not taken are named.
const MOST_NAMED: usize = 8;
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
    Repaired {
        result: outcome.result,
        stage,
        changes: outcome.steps.into_iter().flat_map(|step| step.changes).collect(),
    }
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

/// A reading that was taken through the stages that know the schema.
struct Judged {
    stage: Stage,
    span: Range<usize>,
    /// What the reader made of the text; kept for the trace alone.
    read: Value,
    found: Vec<Change>,
    value: Value,
    coerced: Option<Step>,
    normalised: Option<Step>,
    validated: Option<Step>,
}

impl Judged {
    fn faults(&self) -> &[Fault] {
        self.validated.as_ref().map_or(&[], |step| &step.errors)
    }

    /// How far it is from what was asked for: faults, then losses, then conversions.
    fn distance(&self) -> (usize, usize, usize) {
        let converted = || [&self.coerced, &self.normalised].into_iter().flatten().flat_map(|step| &step.changes);
        let lossy = self.found.iter().chain(converted()).filter(|c| c.lossy).count();
        (self.faults().len(), lossy, converted().count())
    }
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
            let made = coerce(value, schema);
            value = made.value;
            let refused = !made.faults.is_empty();
            let did = refused || !made.changes.is_empty();
            let step = |stage, output, errors, changes, begun| {
                Some(Step { stage, output, errors, changes, ms: elapsed_ms(begun) })
            };
            if did {
                coerced = step(Stage::Coerce, kept(&value), made.faults, made.changes, begun);
            }
            let begun = Instant::now();
            let mut faults = validate(&value, schema);
            if (refused || !faults.is_empty()) && self.reading == Reading::Whole {
                let begun = Instant::now();
                let made = normalise(value, schema, self.now);
                value = made.value;
                if !made.changes.is_empty() {
                    normalised = step(Stage::Normalise, kept(&value), Vec::new(), made.changes, begun);
                    faults = validate(&value, schema);
                }
            }
            if !faults.is_empty() {
                validated = step(Stage::Validate, Value::Null, faults, Vec::new(), begun);
            }
        }
        Judged { stage, span, read, found, value, coerced, normalised, validated }
    }

    /// What the prose before each reading calls it, where they stand apart from each other.
    fn cues(&self, judged: &[Judged]) -> Vec<Cue> {
        let mut cues = vec![Cue::None; judged.len()];
        let mut order: Vec<usize> = (0..judged.len()).collect();
        order.sort_by_key(|at| judged[*at].span.start);
        let mut end = 0;
        for (nth, at) in order.into_iter().enumerate() {
            let span = &judged[at].span;
            if judged.len() < 2 || span.start < end {
                return Vec::new();
            }
            cues[at] = cues::cue(&self.text[end..span.start], nth > 0);
            end = span.end;
        }
        cues
    }

    /// Names the readings that were not taken, and what stands around those of them that are elsewhere in the text.
    fn others(&self, judged: &[Judged], best: usize, unjudged: usize) -> Vec<Change> {
        let chosen = &judged[best];
        let apart = |one: &Judged| one.span.end <= chosen.span.start || one.span.start >= chosen.span.end;
        let others: Vec<&Judged> = judged
            .iter()
            .enumerate()
            .filter(|(at, one)| *at != best && one.stage == chosen.stage)
            .map(|(_, one)| one)
            .collect();
        if others.is_empty() && unjudged == 0 {
            return Vec::new();
        }
        // Another value elsewhere in the text: which one was meant is a guess where it would have done as well, and what it says is lost.
        let lost = |one: &Judged| {
            apart(one) && !says(&chosen.value, &one.value) && (one.faults().is_empty() || has_content(&one.value))
        };
        let guessed = unjudged > 0 || others.iter().any(|one| lost(one));
        let named: Vec<String> = others.iter().take(MOST_NAMED).map(|one| excerpt(&one.value)).collect();
        // What stands between two values was told of one of them.
        let around = others.iter().filter(|one| apart(one)).flat_map(|one| &one.found);
        let around = around.filter(|c| c.kind == "left_out" && c.path.is_empty());
        let mut changes: Vec<Change> = around.cloned().collect();
        changes.push(Change {
            path: String::new(),
            kind: "candidate_chosen".into(),
            before: json!({"readings": others.len() + unjudged + 1, "others": named}),
            after: excerpt(&chosen.value).into(),
            lossy: guessed,
        });
        changes
    }

    fn told(&self, mut chosen: Judged, others: Vec<Change>, tried: Vec<Stage>, ms: [f64; 2]) -> Outcome {
        let mut steps = Vec::new();
        for (stage, ms) in tried.into_iter().zip(ms) {
            if stage == chosen.stage {
                let changes = chosen.found.iter().chain(&others).cloned().collect();
                steps.push(Step { stage, output: chosen.read.take(), errors: Vec::new(), changes, ms });
                break;
            }
            steps.push(self.unread(stage, ms));
        }
        steps.extend(chosen.coerced);
        steps.extend(chosen.normalised);
        let result = match chosen.validated {
            None => Ok(chosen.value),
            Some(mut step) => {
                let errors = step.errors.clone();
                step.output = if self.keep { chosen.value } else { Value::Null };
                steps.push(step);
                Err(Refusal { stage: Stage::Validate, message: summed_up(&errors), errors })
            }
        };
        Outcome { steps, result }
    }

    /// A reader's step that came to nothing that was taken.
    fn unread(&self, stage: Stage, ms: f64) -> Step {
        let fault = match strict::value(self.text) {
            Err(e) => {
                let found = self.text.get(e.offset..).map_or("the end", |rest| beginning(rest, 24));
                let found =
                    if found.is_empty() { "the end of the text".to_string() } else { Value::from(found).to_string() };
                let from = beginning(self.text, e.offset.saturating_sub(20)).len();
                let excerpt = self.text[from..].chars().take(80).collect();
                Fault { path: String::new(), expected: e.expected.to_string(), found, excerpt, offset: Some(from) }
            }
            Ok(_) => Fault {
                path: String::new(),
                expected: "a value of the schema".into(),
                found: "none".into(),
                excerpt: self.text.chars().take(80).collect(),
                offset: Some(0),
            },
        };
        Step { stage, output: Value::Null, errors: vec![fault], changes: Vec::new(), ms }
    }

    /// A text whose values would take more memory than a machine may have is refused before anything is built.
    fn too_large(&self) -> Outcome {
        let expected =
            format!("at most {MOST_WEIGHT} brackets, commas, colons and lines, an opening brace counted as four");
        let message = format!("the text is too large for a value: expected {expected}");
        let excerpt = beginning(self.text, 80).to_owned();
        let found = format!("{} bytes", self.text.len());
        let errors = vec![Fault { path: String::new(), expected, found, excerpt, offset: Some(0) }];
        let step =
            Step { stage: Stage::Parse, output: Value::Null, errors: errors.clone(), changes: Vec::new(), ms: 0.0 };
        Outcome { steps: vec![step], result: Err(Refusal { stage: Stage::Parse, message, errors }) }
    }

    fn nothing_read(&self, tried: Vec<Stage>, ms: [f64; 2]) -> Outcome {
        let last = tried.last().copied().unwrap_or(Stage::Parse);
        let steps: Vec<Step> = tried.into_iter().zip(ms).map(|(stage, ms)| self.unread(stage, ms)).collect();
        let errors: Vec<Fault> = steps.last().map(|step| step.errors.clone()).unwrap_or_default();
        let what =
            if self.text.trim().is_empty() { "the text is empty" } else { "nothing in the text reads as a value" };
        let message = match self.schema {
            Some(_) if !self.text.trim().is_empty() => format!("{what} of the schema"),
            _ => what.to_string(),
        };
        Outcome { steps, result: Err(Refusal { stage: last, message, errors }) }
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
    !fenced && strict.iter().any(|c| c.span == (lead..end) && c.changes.iter().all(|c| c.kind != "values_gathered"))
}

/// Of how many values a reading is a list.
fn gathered(candidate: Option<&Candidate>) -> Option<usize> {
    let candidate = candidate?;
    let told = candidate.changes.iter().find(|c| c.kind == "values_gathered" && c.path.is_empty())?;
    told.before.as_u64()?;
    candidate.value.as_array().map(Vec::len)
}

/// Whether a container holds anything.
fn has_content(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// Whether all that the other value says is in this one: it is the same, or its fields or items are among this one's.
fn says(value: &Value, other: &Value) -> bool {
    match (value, other) {
        (Value::Object(map), Value::Object(other)) => other.iter().all(|(key, said)| map.get(key) == Some(said)),
        (Value::Array(items), Value::Array(_)) if items.len() > 64 => value == other,
        (Value::Array(items), Value::Array(other)) => other.iter().all(|said| items.contains(said)),
        (value, other) => value == other,
    }
}

/// Whether any text will do.
fn is_free_text(root: Node<'_>) -> bool {
    root.kinds() != Kinds::ANY && root.accepts(Kind::String) && root.choices().is_none() && root.format().is_none()
}

/// The reading that fits best: of those that fit the answer, the last of several, before an example; of equal ones the earliest.
fn nearest(judged: &[Judged], cues: &[Cue]) -> Option<usize> {
    (0..judged.len()).min_by_key(|at| {
        let one = &judged[*at];
        let (faults, lossy, conversions) = one.distance();
        let cue = cues.get(*at).copied().unwrap_or(Cue::None);
        let later = if cue == Cue::Answer { usize::MAX - one.span.start } else { 0 };
        (faults, cue, later, lossy, conversions, *at)
    })
}

/// One line for a person.
fn summed_up(faults: &[Fault]) -> String {
    let Some(first) = faults.first() else { return "the value does not fit the schema".into() };
    let at = if first.path.is_empty() { "the value".to_string() } else { first.path.clone() };
    let more = match faults.len() {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    format!("{at}: expected {}, found {}{more}", first.expected, first.found)
}

#[cfg(test)]
mod tests;
