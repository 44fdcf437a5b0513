//! How the durations of a value are written: as the ISO 8601 text that `format: duration` asks for, or as their length in seconds, the
//! two of Pydantic's `ser_json_timedelta`. A schema is held against the text; what is written of it comes last.
//! What a duration is, and which of several alternatives a text is one of, is `coerce`'s.

use std::time::Instant;

use super::attempt::{Attempt, Stage, Trace, elapsed_ms};
use super::chain::Repaired;
use super::coerce::durations_in_seconds;
use super::schema::Schema;

/// How durations are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durations {
    /// `"PT1H30M"`, which fits the schema.
    Iso8601,
    /// `5400.0`, seconds as Pydantic's lax table has them.
    #[default]
    Float,
}

impl Durations {
    /// Writes the durations of a value so.
    pub fn write(self, repaired: &mut Repaired, schema: Option<&Schema>) {
        let (Durations::Float, Some(schema), Ok(value)) = (self, schema, &mut repaired.result) else { return };
        let changes = durations_in_seconds(value, schema);
        if !changes.is_empty() {
            repaired.stage = Some(Stage::Coerce);
            repaired.changes.extend(changes);
        }
    }

    /// The same of a trace, whose last attempt it is then.
    pub fn write_traced(self, trace: &mut Trace, schema: Option<&Schema>) {
        let begun = Instant::now();
        let (Durations::Float, Some(schema), Some(value)) = (self, schema, &mut trace.value) else { return };
        let before = value.clone();
        let changes = durations_in_seconds(value, schema);
        if changes.is_empty() {
            return;
        }
        trace.attempts.push(Attempt {
            n: trace.attempts.len() + 1,
            stage: Stage::Coerce,
            input: before,
            output: value.clone(),
            errors: Vec::new(),
            changes,
            prompt: None,
            prompt_tokens: None,
            completion_tokens: None,
            ms: elapsed_ms(begun),
        });
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::DateTime;
    use serde_json::{Value, json};

    use super::super::chain::{repair_text, repair_value};
    use super::*;

    const NOW: DateTime = DateTime::constant(2026, 11, 30, 9, 0, 0, 0);

    fn written(text: &str, schema: Value) -> Repaired {
        let schema = Schema::from_value(&schema).unwrap();
        let mut repaired = repair_value(text, Some(&schema), NOW);
        Durations::Float.write(&mut repaired, Some(&schema));
        repaired
    }

    fn duration() -> Value {
        json!({"type": "string", "format": "duration"})
    }

    #[test]
    fn a_duration_is_its_seconds_however_it_was_said() {
        for (text, seconds) in [
            (r#""PT1H30M""#, 5400.0),
            ("5400", 5400.0),
            (r#""01:30:00""#, 5400.0),
            (r#""한 시간 반""#, 5400.0),
            (r#""-P1DT0.5S""#, -86_400.5),
            (r#""P1Y""#, 31_536_000.0),
            (r#""PT0S""#, 0.0),
        ] {
            let repaired = written(text, duration());
            assert_eq!(repaired.result, Ok(json!(seconds)), "{text}");
            let last = repaired.changes.last().map(|c| (c.kind.as_str(), c.lossy));
            assert_eq!((last, repaired.stage), (Some(("duration_to_seconds", false)), Some(Stage::Coerce)), "{text}");
        }
        assert!(written("\"soon\"", duration()).result.is_err());
        let beyond = written(r#""P4000000000D""#, duration());
        assert_eq!(beyond.result, Ok(json!("P4000000000D")));
        for (text, schema, at) in [
            ("1e18", duration(), ""),
            (r#"{"d": 1e18}"#, json!({"properties": {"d": duration()}}), "/d"),
            (r#"{"d": -1e18}"#, json!({"properties": {"d": {"type": ["string", "null"], "format": "duration"}}}), "/d"),
        ] {
            let refusal = written(text, schema).result.unwrap_err();
            let fault = &refusal.errors[0];
            assert_eq!(
                (fault.path.as_str(), fault.expected.starts_with("a duration such as")),
                (at, true),
                "{fault:?}"
            );
            assert!(fault.found.ends_with("e+18, which is too long for a duration in seconds"), "{fault:?}");
        }
    }

    #[test]
    fn durations_within_a_value_are_found_and_nothing_else_is_touched() {
        let schema = json!({"type": "object", "properties": {
            "length": {"anyOf": [duration(), {"type": "null"}]},
            "said": {"anyOf": [{"type": "string"}, duration()]},
            "note": {"type": "string"},
            "breaks": {"type": "array", "items": duration()},
            "step": {"anyOf": [
                {"type": "object", "properties": {"kind": {"const": "text"}, "of": {"type": "string"}}, "required": ["kind", "of"]},
                {"type": "object", "properties": {"kind": {"const": "time"}, "of": duration()}, "required": ["kind", "of"]},
            ]},
        }, "additionalProperties": duration()});
        let text = r#"{"length": "PT1M", "said": "PT1M", "note": "PT1M", "breaks": ["PT2S", 3],
            "step": {"kind": "text", "of": "PT1M"}, "more": "P1D"}"#;
        let value = json!({"length": 60.0, "said": "PT1M", "note": "PT1M", "breaks": [2.0, 3.0],
            "step": {"kind": "text", "of": "PT1M"}, "more": 86_400.0});
        let repaired = written(text, schema.clone());
        assert_eq!(repaired.result, Ok(value));
        let paths: Vec<&str> =
            repaired.changes.iter().filter(|c| c.kind == "duration_to_seconds").map(|c| c.path.as_str()).collect();
        assert_eq!(paths, ["/length", "/breaks/0", "/breaks/1", "/more"]);
        let timed = written(r#"{"step": {"kind": "time", "of": "PT1M"}, "length": null}"#, schema);
        assert_eq!(timed.result.unwrap()["step"]["of"], json!(60.0));
    }

    #[test]
    fn a_trace_ends_with_what_was_written_and_iso_8601_leaves_it_alone() {
        let schema = Schema::from_value(&duration()).unwrap();
        let as_said = repair_text(r#""PT1M""#, Some(&schema), NOW);
        let mut trace = as_said.clone();
        Durations::Iso8601.write_traced(&mut trace, Some(&schema));
        assert_eq!(trace, as_said);
        Durations::Float.write_traced(&mut trace, Some(&schema));
        assert_eq!((&trace.value, trace.attempts.len()), (&Some(json!(60.0)), as_said.attempts.len() + 1));
        let last = trace.attempts.last().unwrap();
        assert_eq!((last.n, last.stage, &last.input), (trace.attempts.len(), Stage::Coerce, &json!("PT1M")));
    }
}
