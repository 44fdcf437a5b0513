//! What the trace says of a text: the steps of the reading that was taken, or why there is none. Next: `super` for the stages.

use serde_json::Value;

use super::super::attempt::{Change, Fault, Refusal, Stage};
use super::super::parse::strict;
use super::super::plain;
use super::super::validate::NOTHING;
use super::judged::{Judged, has_content};
use super::{Chain, MOST_WEIGHT, Outcome, Step};
use crate::units::beginning;

/// So many pieces of a text that nothing was made of are searched for names of fields.
const MOST_LOOKED_AT: usize = 64;

impl Chain<'_> {
    pub(super) fn told(&self, mut chosen: Judged, others: Vec<Change>, tried: Vec<Stage>, ms: [f64; 2]) -> Outcome {
        if let Some(step) = &mut chosen.validated {
            self.tell_pieces(&mut step.errors, &chosen.found, &chosen.value);
        }
        let mut steps = Vec::new();
        for (stage, ms) in tried.into_iter().zip(ms) {
            if stage == chosen.stage {
                let mut changes = std::mem::take(&mut chosen.found);
                changes.extend(others);
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

    /// Of a field that was not found: the pieces of the text, or the fields, that nothing was made of. It may be among them.
    fn tell_pieces(&self, errors: &mut [Fault], found: &[Change], value: &Value) {
        let lost: Vec<&str> =
            found.iter().filter(|c| c.kind == "left_out" && c.lossy).filter_map(|c| c.before.as_str()).collect();
        let known = |key: &str| self.schema.is_none_or(|schema| plain::is_field(key, schema));
        // Of a list or an object under another name it can be seen that something was left over.
        let fields = value.as_object().into_iter().flatten().filter(|(_, value)| has_content(value));
        let fields = fields.map(|(key, _)| key.as_str()).filter(|key| !known(key));
        // A few are looked at for what they name: a text may have thousands.
        let speaks = |said: &str| self.schema.is_some_and(|schema| plain::speaks_of_a_field(said, schema));
        let near = lost.iter().take(MOST_LOOKED_AT).map(|said| speaks(said));
        let near: Vec<bool> = near.chain(std::iter::repeat(false)).take(lost.len()).collect();
        let of = |is: bool| lost.iter().zip(&near).filter(move |(_, near)| **near == is).map(|(said, _)| *said);
        let outside: Vec<&str> = of(true).collect();
        let (lost, fields) = (named(of(false)), named(fields));
        for fault in errors.iter_mut().filter(|fault| fault.found == NOTHING) {
            let of_it = |said: &&str| self.schema.is_some_and(|schema| plain::speaks_of(said, &fault.path, schema));
            if let Some(said) = named(outside.iter().copied().filter(of_it)) {
                fault.found = format!("{NOTHING}, while {said} of the text stands outside the value");
                continue;
            }
            let of_the_whole = fault.path.matches('/').count() == 1;
            if let Some(lost) = &lost {
                fault.found = format!("{NOTHING}, while {lost} of the text fits no field");
            } else if let Some(fields) = fields.as_ref().filter(|_| of_the_whole) {
                fault.found = format!("{NOTHING}, while the schema has no field {fields}");
            }
        }
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
    pub(super) fn too_large(&self) -> Outcome {
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

    pub(super) fn nothing_read(&self, tried: Vec<Stage>, ms: [f64; 2]) -> Outcome {
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

/// The first of some pieces, short, and how many more there are.
fn named<'p>(mut pieces: impl Iterator<Item = &'p str>) -> Option<String> {
    const MOST: usize = 40;
    let first = pieces.next()?;
    let short = beginning(first, MOST);
    let more = if short.len() < first.len() { "…" } else { "" };
    let told = format!("{}{more}", Value::from(short));
    Some(match pieces.count() {
        0 => told,
        n => format!("{told} and {n} more"),
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
