//! Rows of texts, a JSON object a line, each answered by itself: a row that cannot be read is answered too, with where and why.
//! What is done with a text is `chain`'s; files and streams are the command's.

use std::collections::HashMap;

use jiff::civil::DateTime;
use serde::Serialize;
use serde_json::Value;

use super::attempt::{Change, Refusal, Stage};
use super::chain::{Repaired, repair_value};
use super::durations::Durations;
use super::schema::Schema;
use super::validate::in_words;

/// How many schemas are kept; rows mostly share few.
const MOST_SCHEMAS: usize = 64;

struct Row {
    id: Value,
    input: String,
    schema: Option<Value>,
    now: Option<String>,
}

/// What is answered to a row: its id, and the value or the error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    pub id: Value,
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The last stage that changed something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    pub changes: Vec<Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
}

/// Answers rows, with what they share.
pub struct Rows {
    /// What the rows are called in errors.
    file: String,
    /// For rows without a schema of their own.
    schema: Option<Schema>,
    now: DateTime,
    durations: Durations,
    /// By their text; each is compiled once.
    schemas: HashMap<String, Result<Schema, String>>,
}

impl Rows {
    /// `schema` and `now` are for the rows that bring none of their own; `file` names the rows in errors.
    pub fn new(file: String, schema: Option<Schema>, now: DateTime) -> Self {
        Rows { file, schema, now, durations: Durations::default(), schemas: HashMap::new() }
    }

    /// With durations written like this.
    pub fn with_durations(self, durations: Durations) -> Self {
        Rows { durations, ..self }
    }

    /// Answers the line of this number (from 1), which is taken without its end.
    pub fn answer(&mut self, line: &[u8], number: usize) -> Answer {
        // What an editor may put before the first row.
        let line = if number == 1 { line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line) } else { line };
        let row = match self.row(line, number) {
            Ok(row) => row,
            Err((id, message)) => return refused(id, message),
        };
        let now = match row.now.as_deref().map(moment).transpose() {
            Ok(now) => now.unwrap_or(self.now),
            Err(what) => return refused(row.id, format!("{}:{number}: now: {what}", self.file)),
        };
        let schema = match &row.schema {
            None | Some(Value::Null) => self.schema.clone(),
            Some(schema) => match self.schema(schema) {
                Ok(schema) => Some(schema),
                Err(what) => return refused(row.id, format!("{}:{number}: {what}", self.file)),
            },
        };
        let mut repaired = repair_value(&row.input, schema.as_ref(), now);
        self.durations.write(&mut repaired, schema.as_ref());
        let Repaired { result, stage, changes } = repaired;
        let (value, error) = match result {
            Ok(value) => (Some(value), None),
            Err(refusal) => (None, Some(refusal)),
        };
        Answer { id: row.id, ok: error.is_none(), value, stage, changes, error }
    }

    /// Answers the line of this number, which is longer than a row may be.
    pub fn too_long(&self, number: usize, most: usize) -> Answer {
        refused(Value::Null, format!("{}:{number}: expected a line of at most {} MiB", self.file, most >> 20))
    }

    /// # Errors
    /// The row's id, as far as it can be read, and what is wrong with the row.
    fn row(&self, line: &[u8], number: usize) -> Result<Row, (Value, String)> {
        const FORM: &str = "no row {\"id\", \"input\", \"schema\"?, \"now\"?}";
        let at = |column: usize, what: &str| format!("{}:{number}:{column}: {FORM}: {what}", self.file);
        let text = std::str::from_utf8(line).map_err(|e| {
            let what = format!("{}:{number}: not UTF-8 at byte {} of the line", self.file, e.valid_up_to() + 1);
            (Value::Null, what)
        })?;
        let row: Value = serde_json::from_str(text).map_err(|e| {
            let what = e.to_string();
            let what = match text.trim_start().starts_with('{') {
                true => what.split(" at line ").next().unwrap_or_default(),
                false => "expected an object {…}",
            };
            (Value::Null, at(e.column(), what))
        })?;
        let Value::Object(mut fields) = row else {
            return Err((Value::Null, at(1, &format!("expected an object, found {}", in_words(&row)))));
        };
        let id = fields.remove("id").unwrap_or_default();
        let input = match fields.remove("input") {
            Some(Value::String(text)) => text,
            None => return Err((id, at(1, "the field input is not there"))),
            Some(other) => return Err((id, at(1, &format!("input: expected text, found {}", in_words(&other))))),
        };
        let now = match fields.remove("now") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(other) => return Err((id, at(1, &format!("now: expected a time, found {}", in_words(&other))))),
        };
        Ok(Row { id, input, schema: fields.remove("schema"), now })
    }

    fn schema(&mut self, schema: &Value) -> Result<Schema, String> {
        let text = schema.to_string();
        if let Some(known) = self.schemas.get(&text) {
            return known.clone();
        }
        if self.schemas.len() >= MOST_SCHEMAS {
            self.schemas.clear();
        }
        let read = Schema::from_value(schema).map_err(|e| e.to_string());
        self.schemas.insert(text, read.clone());
        read
    }
}

fn refused(id: Value, message: String) -> Answer {
    let error = Refusal { stage: Stage::Parse, message, errors: Vec::new() };
    Answer { id, ok: false, value: None, stage: None, changes: Vec::new(), error: Some(error) }
}

/// A local date and time that someone named: `2026-11-05T14:00`, `2026-11-05`; an offset is passed over, since what is asked is the
/// calendar's day there.
/// # Errors
/// What was expected.
pub fn moment(text: &str) -> Result<DateTime, String> {
    let text = text.trim();
    let local = text.trim_end_matches(['Z', 'z']);
    local.parse().map_err(|_| format!("\"{text}\" is no time; expected one such as 2026-11-05T14:00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        Rows::new("rows.jsonl".into(), None, DateTime::constant(2026, 11, 30, 9, 0, 0, 0))
    }

    fn answered(line: &str) -> Value {
        serde_json::to_value(rows().answer(line.as_bytes(), 7)).unwrap()
    }

    #[test]
    fn a_row_is_answered_with_its_value_and_the_last_stage_that_changed_it() {
        let answer = answered(r#"{"id": 3, "input": "\"42\"", "schema": {"type": "integer"}}"#);
        assert_eq!(
            (&answer["id"], &answer["ok"], &answer["value"], &answer["stage"]),
            (&3.into(), &true.into(), &42.into(), &"coerce".into())
        );
        assert_eq!(answer["changes"][0]["kind"], "string_to_integer");
        let text = r#"{"id": 1, "input": "\"PT1M\"", "schema": {"type": "string", "format": "duration"}}"#;
        assert_eq!((&answered(text)["value"], &answered(text)["stage"]), (&60.0.into(), &"coerce".into()));
        let iso = rows().with_durations(Durations::Iso8601).answer(text.as_bytes(), 1);
        assert_eq!((iso.value, iso.stage), (Some("PT1M".into()), None));
        let as_said = answered(r#"{"id": "a", "input": "[1]"}"#);
        assert_eq!(as_said, serde_json::json!({"id": "a", "ok": true, "value": [1], "changes": []}));
    }

    #[test]
    fn a_row_that_cannot_be_read_is_answered_with_file_and_line() {
        for (line, says) in [
            ("nonsense", "rows.jsonl:7:2: no row"),
            ("not json", "\"now\"?}: expected an object {…}"),
            (r#"{"id": 1,}"#, "trailing comma"),
            (r#"{"id": 1}"#, "the field input is not there"),
            (r#"{"id": 1, "input": "1", "schema": {"type": "int"}}"#, "rows.jsonl:7: the schema at \"/type\""),
            (
                "[1]",
                "rows.jsonl:7:1: no row {\"id\", \"input\", \"schema\"?, \"now\"?}: expected an object, found a list of 1",
            ),
            (r#"{"id": 1, "input": "1", "now": "noon"}"#, "rows.jsonl:7: now: \"noon\" is no time"),
        ] {
            let answer = answered(line);
            assert_eq!(answer["ok"], false, "{line}");
            assert!(answer["error"]["message"].as_str().is_some_and(|m| m.contains(says)), "{line}: {answer}");
        }
        let answer = rows().answer(b"{\"input\": \"\xff\"}", 2);
        assert!(answer.error.is_some_and(|e| e.message == "rows.jsonl:2: not UTF-8 at byte 12 of the line"));
    }

    #[test]
    fn a_row_that_is_too_long_is_answered_with_file_and_line() {
        let answer = rows().too_long(3, 256 << 20);
        assert_eq!((answer.ok, answer.id), (false, Value::Null));
        assert!(answer.error.is_some_and(|e| e.message == "rows.jsonl:3: expected a line of at most 256 MiB"));
    }

    #[test]
    fn a_row_that_is_wrong_keeps_its_id_and_a_mark_before_the_first_is_no_part_of_it() {
        for line in [r#"{"id": "k", "input": null}"#, r#"{"id": "k", "input": "1", "now": 5}"#] {
            assert_eq!((&answered(line)["id"], &answered(line)["ok"]), (&"k".into(), &false.into()), "{line}");
        }
        assert!(rows().answer("\u{feff}{\"input\": \"1\"}".as_bytes(), 1).ok);
    }

    #[test]
    fn a_schema_is_compiled_once_for_all_its_rows() {
        let mut rows = rows();
        for n in 0..200 {
            rows.answer(format!(r#"{{"input": "1", "schema": {{"maximum": {}}}}}"#, n % 2).as_bytes(), n);
        }
        assert_eq!(rows.schemas.len(), 2);
    }

    #[test]
    fn moments_are_local_times() {
        let at = DateTime::constant(2026, 11, 5, 14, 0, 0, 0);
        for text in ["2026-11-05T14:00:00", "2026-11-05 14:00", "2026-11-05T14:00:00Z", "2026-11-05T14:00:00+09:00"] {
            assert_eq!(moment(text), Ok(at), "{text}");
        }
        assert!(moment("soon").is_err());
    }
}
