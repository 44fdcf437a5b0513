//! How each field of the value was obtained, read off the trace: as the model said it, or by which stages. Fields are known by JSON Pointer,
//! with the keys that the model used followed to those that the schema has. Next: `attempt`.

use std::collections::HashMap;

use serde_json::Value;

use super::attempt::{Attempt, Change, Stage, Trace};

/// A value has no more fields than this told; what comes behind them is not.
const MOST_FIELDS: usize = 2_000;

/// In a longer text than this, in bytes, fields are not looked for: it is done for every frame.
const MOST_SOURCE: usize = 64 << 10;

/// One way to come to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// It stands in the answer like this.
    AsAnswered,
    /// It is another one than before the model was asked again.
    AskedAgain,
    /// It stood in broken JSON, or in text that is no JSON.
    Repaired,
    /// Its type was converted.
    Coerced,
    /// A local number, date or time was read.
    Normalised,
    /// A part of it, or all, was not said: a rule or the schema's default supplied it.
    Inferred,
}

impl Origin {
    pub fn name(self) -> &'static str {
        match self {
            Origin::AsAnswered => "as answered",
            Origin::AskedAgain => "asked again",
            Origin::Repaired => "repaired",
            Origin::Coerced => "coerced",
            Origin::Normalised => "normalised",
            Origin::Inferred => "inferred",
        }
    }

    /// For a column of one cell.
    pub fn letter(self) -> char {
        match self {
            Origin::AsAnswered => '=',
            Origin::AskedAgain => 'A',
            Origin::Repaired => 'R',
            Origin::Coerced => 'C',
            Origin::Normalised => 'N',
            Origin::Inferred => 'I',
        }
    }
}

/// A field of the value: what is no object or list, or an empty one.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// A JSON Pointer.
    pub path: String,
    pub value: Value,
    /// In the order of [`Origin`], never empty.
    pub origins: Vec<Origin>,
    /// Whether something of what was said of it may be missing, or was guessed.
    pub lossy: bool,
    /// Whether it is a text that the model answered, and that does not occur in the text it was to be taken from.
    pub not_in_text: bool,
}

/// The fields of a trace's value in their order; none where it was refused.
pub fn origins(trace: &Trace) -> Vec<Field> {
    let Some(value) = &trace.value else { return Vec::new() };
    let (again, read) = last_answer(trace);
    let mut known = Known::default();
    read.iter().for_each(|attempt| known.note(attempt));
    let source = source(trace).map(folded);
    let of = |(path, value): (String, &Value)| {
        let (mut origins, lossy) = known.of(&path);
        if again.is_some_and(|before| before.and_then(|before| before.pointer(&path)) != Some(value)) {
            origins.push(Origin::AskedAgain);
        }
        origins.sort_unstable();
        origins.dedup();
        if origins.is_empty() {
            origins.push(Origin::AsAnswered);
        }
        // What was worked out is another text by nature.
        let is_answered = !origins.iter().any(|origin| matches!(origin, Origin::Normalised | Origin::Inferred));
        let not_in_text = is_answered
            && match (&source, value) {
                (Some(source), Value::String(text)) => !source.contains(&folded(text)),
                _ => false,
            };
        Field { path, value: value.clone(), origins, lossy, not_in_text }
    };
    fields(value).into_iter().map(of).collect()
}

/// The text that the value was to be taken from; none where an answer was only read.
fn source(trace: &Trace) -> Option<&str> {
    let first = trace.attempts.first().filter(|first| matches!(first.stage, Stage::Generate | Stage::Constrained))?;
    first.input.as_str().filter(|text| !text.is_empty() && text.len() <= MOST_SOURCE)
}

/// Whether a text occurs in another one, whatever the case and the blanks of both.
pub fn occurs(text: &str, source: &str) -> bool {
    folded(source).contains(&folded(text))
}

fn folded(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// What the way from the last answer to the value may have lost or guessed.
pub fn losses(trace: &Trace) -> impl Iterator<Item = &Change> {
    last_answer(trace).1.iter().flat_map(|attempt| &attempt.changes).filter(|change| change.lossy)
}

/// The attempts that read the last answer; and, where that was one to a question asked again, what the answer before was read as.
fn last_answer(trace: &Trace) -> (Option<Option<&Value>>, &[Attempt]) {
    let asks = |attempt: &Attempt| matches!(attempt.stage, Stage::Generate | Stage::Fix | Stage::Constrained);
    let Some(call) = trace.attempts.iter().rposition(asks) else { return (None, &trace.attempts) };
    let (earlier, read) = (&trace.attempts[..call], &trace.attempts[call + 1..]);
    let again = trace.attempts[call].stage == Stage::Fix;
    let before = || {
        let read = earlier.iter().rev().take_while(|attempt| !asks(attempt));
        read.map(|attempt| &attempt.output).find(|output| !output.is_null())
    };
    (again.then(before), read)
}

/// What is known of a path: how it came there, and whether that holds for all that is in it.
#[derive(Debug, Clone, Copy)]
struct Note {
    origin: Origin,
    lossy: bool,
    is_of_all: bool,
}

#[derive(Debug, Default)]
struct Known {
    notes: HashMap<String, Vec<Note>>,
    /// Of a field that was called otherwise, by its path: what its key was.
    called: HashMap<String, String>,
}

impl Known {
    fn note(&mut self, attempt: &Attempt) {
        let reads_text = matches!(attempt.stage, Stage::Parse | Stage::Repair);
        for change in &attempt.changes {
            let kind = change.kind.as_str();
            if let ("key_matched", Some(before)) = (kind, change.before.as_str()) {
                self.called.insert(change.path.clone(), escaped(before));
                continue;
            }
            // What stands around the value, or instead of it, says nothing of its fields.
            if matches!(kind, "left_out" | "candidate_chosen" | "draft_taken" | "text_as_value") {
                continue;
            }
            let is_inferred =
                kind.ends_with("_inferred") || matches!(kind, "default_used" | "null_filled" | "missing_value");
            let origin = match attempt.stage {
                _ if is_inferred => Origin::Inferred,
                Stage::Normalise => Origin::Normalised,
                _ if reads_text => Origin::Repaired,
                _ => Origin::Coerced,
            };
            let is_form = reads_text && (kind.ends_with("_read") || kind == "text_taken");
            let is_of_all = is_form || change.after.is_object() || change.after.is_array();
            let notes = self.notes.entry(change.path.clone()).or_default();
            notes.push(Note { origin, lossy: change.lossy, is_of_all });
        }
    }

    fn of(&self, path: &str) -> (Vec<Origin>, bool) {
        let (mut origins, mut lossy) = (Vec::new(), false);
        let mut look = |path: &str| {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            for end in ends {
                for note in self.notes.get(&path[..end]).into_iter().flatten() {
                    if end == path.len() || note.is_of_all {
                        lossy |= note.lossy;
                        origins.push(note.origin);
                    }
                }
            }
        };
        look(path);
        if let Some(before) = self.before(path) {
            look(&before);
        }
        (origins, lossy)
    }

    /// The path by the keys that were said, where they were others.
    fn before(&self, path: &str) -> Option<String> {
        if self.called.is_empty() {
            return None;
        }
        let mut before = String::new();
        let mut end = 0;
        for key in path.split('/').skip(1) {
            end += 1 + key.len();
            before.push('/');
            before.push_str(self.called.get(&path[..end]).map_or(key, String::as_str));
        }
        (before != path).then_some(before)
    }
}

/// A key as a JSON Pointer writes it.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The fields of a value with their paths, in their order. Without recursion: a value may be deep.
fn fields(value: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), value)];
    while let Some((path, value)) = open.pop() {
        if found.len() >= MOST_FIELDS {
            break;
        }
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                let inner = inner.iter().take(MOST_FIELDS).rev();
                open.extend(inner.map(|(key, value)| (format!("{path}/{}", escaped(key)), value)));
            }
            Value::Array(inner) if !inner.is_empty() => {
                let inner = inner.iter().enumerate().take(MOST_FIELDS).rev();
                open.extend(inner.map(|(at, value)| (format!("{path}/{at}"), value)));
            }
            _ => found.push((path, value)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::extract::attempt::Totals;

    fn attempt(stage: Stage, output: Value, changes: Vec<Change>) -> Attempt {
        let (n, input, errors, ms) = (1, Value::Null, Vec::new(), 0.0);
        let (prompt, prompt_tokens, completion_tokens) = (None, None, None);
        Attempt { n, stage, input, output, errors, changes, prompt, prompt_tokens, completion_tokens, ms }
    }

    fn change(path: &str, kind: &str, before: Value, after: Value) -> Change {
        let lossy = kind.ends_with("_inferred");
        Change { path: path.into(), kind: kind.into(), before, after, lossy }
    }

    fn told(value: Value, attempts: Vec<Attempt>) -> Vec<(String, String, bool)> {
        let trace = Trace { ok: true, value: Some(value), error: None, attempts, totals: Totals::default() };
        let name = |field: &Field| field.origins.iter().map(|o| o.name()).collect::<Vec<_>>().join(", ");
        origins(&trace).iter().map(|field| (field.path.clone(), name(field), field.lossy)).collect()
    }

    fn told_as(path: &str, names: &str, lossy: bool) -> (String, String, bool) {
        (path.into(), names.into(), lossy)
    }

    #[test]
    fn each_field_says_which_stages_made_it() {
        let said = json!({"Name": "John", "age": "25", "when": "11월 5일", "tags": []});
        let value = json!({"name": "John", "age": 25, "when": "2026-11-05", "tags": [], "seen": false});
        let attempts = vec![
            attempt(Stage::Generate, "…".into(), vec![]),
            attempt(
                Stage::Repair,
                said,
                vec![
                    change("", "comma_removed", json!(","), json!("")),
                    change("/Name", "quotes_added", json!("John"), json!("John")),
                ],
            ),
            attempt(
                Stage::Coerce,
                Value::Null,
                vec![
                    change("/name", "key_matched", json!("Name"), json!("name")),
                    change("/age", "string_to_integer", json!("25"), json!(25)),
                    change("/seen", "default_used", Value::Null, json!(false)),
                ],
            ),
            attempt(
                Stage::Normalise,
                value.clone(),
                vec![
                    change("/when", "korean_date", json!("11월 5일"), json!("2026-11-05")),
                    change("/when", "year_inferred", json!("11월 5일"), json!("2026-11-05")),
                ],
            ),
        ];
        let expected = [
            told_as("/name", "repaired", false),
            told_as("/age", "coerced", false),
            told_as("/when", "normalised, inferred", true),
            told_as("/tags", "as answered", false),
            told_as("/seen", "inferred", false),
        ];
        assert_eq!(told(value, attempts), expected);
    }

    #[test]
    fn a_text_occurs_whatever_its_case_and_blanks() {
        assert!(occurs("new  york", "From New\nYork"));
        assert!(occurs("중고아이폰", "중고 아이폰 13") && occurs("", "x") && occurs("ÉTÉ", "un été"));
        assert!(!occurs("Seoul", "서울") && !occurs("x", ""));
    }

    #[test]
    fn what_a_model_answered_is_told_where_it_is_not_in_the_text() {
        let value = json!({"name": "JOHN", "city": "Busan", "age": 7, "day": "2026-11-05"});
        let day = change("/day", "korean_date", json!("5 Nov"), json!("2026-11-05"));
        let mut said = attempt(Stage::Generate, "…".into(), vec![]);
        let read = attempt(Stage::Normalise, value.clone(), vec![day]);
        let marked = |said: Attempt| {
            let attempts = vec![said, read.clone()];
            let value = Some(value.clone());
            let trace = Trace { ok: true, value, error: None, attempts, totals: Totals::default() };
            let marked = origins(&trace).into_iter().filter(|field| field.not_in_text);
            marked.map(|field| field.path).collect::<Vec<_>>()
        };
        assert!(marked(said.clone()).is_empty(), "where no text is known, nothing is missing in it");
        said.input = "John, 5 Nov".into();
        assert_eq!(marked(said), ["/city"]);
    }

    #[test]
    fn a_change_of_a_whole_holds_for_what_is_in_it() {
        let value = json!({"a/b": [1, 2], "c": 3});
        let wrapped = change("/a~1b", "value_wrapped", json!(1), json!([1]));
        let expected = [
            told_as("/a~1b/0", "coerced", false),
            told_as("/a~1b/1", "coerced", false),
            told_as("/c", "as answered", false),
        ];
        assert_eq!(told(value.clone(), vec![attempt(Stage::Coerce, value.clone(), vec![wrapped])]), expected);
        let lines = change("", "lines_read", Value::Null, Value::Null);
        let all = told(value.clone(), vec![attempt(Stage::Repair, value, vec![lines])]);
        assert!(all.iter().all(|(_, names, _)| names == "repaired"), "{all:?}");
    }

    #[test]
    fn what_the_second_answer_changed_was_asked_again() {
        let (first, second) = (json!({"name": "John", "age": "old"}), json!({"name": "John", "age": "25"}));
        let value = json!({"name": "John", "age": 25});
        let attempts = vec![
            attempt(Stage::Generate, "…".into(), vec![]),
            attempt(Stage::Parse, first.clone(), vec![change("", "left_out", json!("Sure!"), Value::Null)]),
            attempt(Stage::Validate, first, vec![]),
            attempt(Stage::Fix, "…".into(), vec![]),
            attempt(Stage::Parse, second, vec![]),
            attempt(Stage::Coerce, value.clone(), vec![change("/age", "string_to_integer", json!("25"), json!(25))]),
        ];
        let expected = [told_as("/name", "as answered", false), told_as("/age", "asked again, coerced", false)];
        assert_eq!(told(value, attempts), expected);
        // A first answer that was no value says nothing.
        let attempts = vec![
            attempt(Stage::Generate, "no".into(), vec![]),
            attempt(Stage::Parse, Value::Null, vec![]),
            attempt(Stage::Fix, "5".into(), vec![]),
            attempt(Stage::Parse, json!(5), vec![]),
        ];
        assert_eq!(told(json!(5), attempts), [told_as("", "asked again", false)]);
    }

    #[test]
    fn a_deep_or_wide_value_is_told_within_bounds() {
        let mut deep = json!(1);
        for _ in 0..500 {
            deep = json!([deep]);
        }
        assert_eq!(told(deep, vec![]).len(), 1);
        assert_eq!(told(json!(vec![0; 100_000]), vec![]).len(), MOST_FIELDS);
        assert!(told(json!({}), vec![]) == [told_as("", "as answered", false)]);
    }
}
