//! What many extractions say together: pass rates, which stage saved a row, tokens, time, cost, and how right the values are where the
//! right ones are known. Text and numbers only; running the rows is the command's and the screen's.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::attempt::{Refusal, Stage, Trace};
use super::fix::{Ask, FixMode};
use super::origin::losses;
use super::provider::rounded;
use super::rows::moment;
use super::schema::Schema;
use super::validate::validate;

/// A row to extract from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Row {
    /// Told back in the result.
    #[serde(default)]
    pub id: Option<Value>,
    /// The text, put into the prompt.
    #[serde(default)]
    pub text: Option<String>,
    /// Or the whole prompt, sent as it is: a row of a data set that was trained on.
    #[serde(default)]
    pub prompt: Option<String>,
    /// The right value, where it is known; null is one that is there.
    #[serde(default, alias = "gold", alias = "expected", deserialize_with = "given")]
    pub value: Option<Value>,
    /// Of a data set's row: the right value as JSON text.
    #[serde(default)]
    pub completion: Option<String>,
    /// What "tomorrow" counts from, where it is the row's own.
    #[serde(default)]
    pub now: Option<String>,
}

/// A value that is there, be it null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Row {
    /// Without a null as the right value where the schema takes none: there it stands for one that is not known.
    pub fn of_schema(self, schema: &Schema) -> Row {
        let is_right = |value: &Value| !value.is_null() || validate(value, schema).is_empty();
        Row { value: self.value.filter(is_right), ..self }
    }

    /// As `base`, of this row: its text in the prompt, or its whole prompt, and its own time.
    pub fn ask(&self, base: &Ask) -> Ask {
        let (prompt, text) = match (&self.text, &self.prompt) {
            // A whole prompt stands for itself: its own text is all there is to extract from.
            (None, Some(prompt)) => ("{text}".to_string(), prompt.clone()),
            (text, _) => (base.prompt.clone(), text.clone().unwrap_or_default()),
        };
        // Looked at when the row was read.
        let now = self.now.as_deref().and_then(|time| moment(time).ok()).unwrap_or(base.now);
        Ask { prompt, text, now, ..base.clone() }
    }

    /// The right value, where the row has one.
    pub fn gold(&self) -> Option<Value> {
        self.value.clone().or_else(|| serde_json::from_str(self.completion.as_deref()?.trim()).ok())
    }

    /// Why there is no right value although a completion stands in the row.
    pub fn gold_error(&self) -> Option<String> {
        let completion = self.completion.as_deref().filter(|_| self.value.is_none())?;
        let why = serde_json::from_str::<Value>(completion.trim()).err()?;
        Some(format!("its completion is no JSON: {why}"))
    }
}

/// What came of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowResult {
    /// The line in the file, from 1.
    pub row: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    pub ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
    /// The stage without which there would be no value; of a refusal, the one that refused.
    pub stage: Stage,
    /// Changes on the way to the value that may have lost or guessed something.
    #[serde(default)]
    pub lossy: u64,
    /// Calls after the first.
    pub retries: u64,
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    pub ms: f64,
    pub cost: Option<f64>,
    /// Whether the value equals the right one; none where that is unknown.
    pub exact: Option<bool>,
    /// The right value, where the row has one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub expected: Option<Value>,
    /// Why the right value that the row has cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gold_error: Option<String>,
    /// For each field of the right value, whether it was got.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

impl RowResult {
    pub fn new(row: u64, asked: &Row, trace: Trace, keep_trace: bool) -> Self {
        let gold = asked.gold();
        let fields = gold.as_ref().map(|gold| compare(gold, trace.value.as_ref())).unwrap_or_default();
        RowResult {
            row,
            id: asked.id.clone(),
            ok: trace.ok,
            value: trace.value.clone(),
            error: trace.error.clone(),
            stage: saved_by(&trace),
            lossy: if trace.ok { losses(&trace).count() as u64 } else { 0 },
            retries: trace.totals.calls.saturating_sub(1),
            prompt_tokens: trace.totals.prompt_tokens,
            completion_tokens: trace.totals.completion_tokens,
            ms: trace.totals.ms,
            cost: trace.totals.cost,
            exact: gold.as_ref().map(|gold| trace.value.as_ref().is_some_and(|value| equal(gold, value))),
            expected: gold,
            gold_error: asked.gold_error(),
            fields,
            trace: keep_trace.then_some(trace),
        }
    }
}

/// The stage without which there would be no value: the last that changed something, and asking again above all; strict JSON that
/// fitted is `parse`'s, or `constrained`'s. Of a refusal, the stage that refused.
pub fn saved_by(trace: &Trace) -> Stage {
    if let Some(refusal) = &trace.error {
        return refusal.stage;
    }
    let stages = || trace.attempts.iter().map(|a| a.stage);
    if stages().any(|s| s == Stage::Fix) {
        return Stage::Fix;
    }
    let changed = trace.attempts.iter().filter(|a| !a.changes.is_empty() && a.stage > Stage::Parse).map(|a| a.stage);
    let first = if stages().any(|s| s == Stage::Constrained) { Stage::Constrained } else { Stage::Parse };
    changed.max().unwrap_or(first)
}

/// So often the same trouble in a row ends the work: then it is not the row's.
const MOST_ALIKE: u32 = 3;

/// Rows that got no answer: told from a work that cannot go on, as without a key.
#[derive(Debug, Clone, Default)]
pub struct Unanswered {
    /// What the call of the last row failed of.
    last: Option<String>,
    alike: u32,
}

impl Unanswered {
    /// Takes what came of the next row; why the work is to end, where it is.
    pub fn hear(&mut self, trace: &Trace) -> Option<String> {
        let Some(error) = trace.call_error() else {
            *self = Unanswered::default();
            return None;
        };
        if self.last.as_ref() != Some(&error.message) {
            *self = Unanswered { last: Some(error.message.clone()), alike: 0 };
        }
        self.alike += 1;
        (self.alike >= MOST_ALIKE).then(|| error.message.clone())
    }
}

/// How many of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub count: u64,
    pub of: u64,
}

impl Share {
    fn add(&mut self, hit: bool) {
        self.count += u64::from(hit);
        self.of += 1;
    }

    /// None of nothing is no rate.
    pub fn rate(&self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }
}

/// All rows together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub schema: u32,
    /// Rows with a value.
    pub passed: Share,
    /// Rows whose first answer was strict JSON of the schema: nothing repaired, converted or asked again.
    pub passed_as_said: Share,
    /// Rows with a value in which something may be missing or guessed.
    #[serde(default)]
    pub lossy: u64,
    /// Rows with a value by the stage that saved them.
    pub saved_by: BTreeMap<Stage, u64>,
    /// Rows without by the stage that refused.
    pub refused_by: BTreeMap<Stage, u64>,
    /// Rows that got no answer at all.
    #[serde(default)]
    pub unanswered: u64,
    pub calls: u64,
    pub retries: u64,
    /// None where a call did not tell.
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    /// Sum over the rows.
    pub ms: f64,
    pub cost: Option<f64>,
    /// Of the rows whose right value is known.
    pub exact: Share,
    /// Of all fields of the right values.
    pub fields: Share,
    pub by_field: BTreeMap<String, Share>,
}

impl Summary {
    /// Of no rows.
    pub fn new() -> Self {
        Summary { schema: 1, prompt_tokens: Some(0), completion_tokens: Some(0), ..Summary::default() }
    }

    pub fn add(&mut self, row: &RowResult) {
        // Whether there is a price at all is known from the first row on.
        let known = if self.passed.of == 0 { Some(0.0) } else { self.cost };
        self.cost = known.zip(row.cost).map(|(sum, cost)| rounded(sum + cost));
        self.passed.add(row.ok);
        self.passed_as_said.add(row.ok && matches!(row.stage, Stage::Parse | Stage::Constrained));
        self.lossy += u64::from(row.ok && row.lossy > 0);
        *if row.ok { &mut self.saved_by } else { &mut self.refused_by }.entry(row.stage).or_default() += 1;
        self.unanswered += u64::from(row.error.as_ref().is_some_and(Refusal::is_of_call));
        self.calls += row.retries + 1;
        self.retries += row.retries;
        let sum = |a: Option<u64>, b: Option<u64>| Some(a? + b?);
        self.prompt_tokens = sum(self.prompt_tokens, row.prompt_tokens);
        self.completion_tokens = sum(self.completion_tokens, row.completion_tokens);
        self.ms += row.ms;
        if let Some(exact) = row.exact {
            self.exact.add(exact);
        }
        for (name, right) in &row.fields {
            self.fields.add(*right);
            self.by_field.entry(name.clone()).or_default().add(*right);
        }
    }
}

/// What is written of a file of rows: the rates, how was asked, and every row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub summary: Summary,
    /// `local`, `openai`; `run` where a run that trains answered.
    pub provider: String,
    pub model: String,
    /// The folder of an adapter; none of the base model, and of a server.
    pub adapter: Option<String>,
    pub constrained: bool,
    pub fix_mode: FixMode,
    pub max_retries: u32,
    pub prompt: String,
    pub json_schema: Value,
    /// Of the file; fewer were asked where the work was `stopped`.
    pub rows_total: u64,
    /// Why not all rows were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    pub rows: Vec<RowResult>,
}

impl Report {
    /// The whole file, as JSON in lines.
    /// # Errors
    /// serde's, which values that came from JSON never give cause for.
    pub fn text(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// For each field of the right value whether the value has it: the fields of an object, or the whole where it is none. A field that the
/// right value has not but the value has counts as wrong too, unless it is null.
fn compare(gold: &Value, value: Option<&Value>) -> BTreeMap<String, bool> {
    let Value::Object(gold) = gold else {
        return BTreeMap::from([("value".to_string(), value.is_some_and(|v| equal(gold, v)))]);
    };
    let found = value.and_then(Value::as_object);
    let mut fields: BTreeMap<String, bool> = gold
        .iter()
        .map(|(name, right)| {
            let got = found.and_then(|f| f.get(name)).unwrap_or(&Value::Null);
            (name.clone(), value.is_some() && equal(right, got))
        })
        .collect();
    for (name, _) in found.into_iter().flatten().filter(|(_, v)| !v.is_null()) {
        fields.entry(name.clone()).or_insert(false);
    }
    fields
}

/// Equality of values: 1 and 1.0 are one number, and a null field is an absent one.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64() && !(x.is_u64() && y.is_u64()),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| equal(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            let covers = |x: &serde_json::Map<String, Value>, y: &serde_json::Map<String, Value>| {
                x.iter().all(|(name, value)| equal(value, y.get(name).unwrap_or(&Value::Null)))
            };
            covers(x, y) && covers(y, x)
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::attempt::{Attempt, Change, Totals};
    use super::*;

    fn trace(value: Option<Value>, stages: &[(Stage, bool)]) -> Trace {
        let attempt = |(stage, changed): &(Stage, bool)| Attempt {
            n: 1,
            stage: *stage,
            input: Value::Null,
            output: Value::Null,
            errors: Vec::new(),
            changes: if *changed {
                vec![Change {
                    path: String::new(),
                    kind: "k".into(),
                    before: Value::Null,
                    after: Value::Null,
                    lossy: false,
                }]
            } else {
                Vec::new()
            },
            prompt: None,
            prompt_tokens: None,
            completion_tokens: None,
            ms: 0.0,
        };
        let error =
            value.is_none().then(|| Refusal { stage: Stage::Validate, message: "no".into(), errors: Vec::new() });
        let totals = Totals { calls: 1, prompt_tokens: Some(3), completion_tokens: Some(2), ms: 5.0, cost: None };
        Trace { ok: value.is_some(), value, error, attempts: stages.iter().map(attempt).collect(), totals }
    }

    fn row(value: Option<Value>) -> Row {
        Row { id: None, text: Some("t".into()), prompt: None, value, completion: None, now: None }
    }

    #[test]
    fn a_row_is_told_by_the_stage_that_saved_it() {
        let one = |stages: &[(Stage, bool)]| saved_by(&trace(Some(json!(1)), stages));
        assert_eq!(one(&[(Stage::Generate, false), (Stage::Parse, true)]), Stage::Parse);
        assert_eq!(one(&[(Stage::Generate, false), (Stage::Repair, true), (Stage::Coerce, true)]), Stage::Coerce);
        assert_eq!(one(&[(Stage::Generate, false), (Stage::Coerce, true), (Stage::Fix, false)]), Stage::Fix);
        assert_eq!(one(&[(Stage::Constrained, false), (Stage::Parse, false)]), Stage::Constrained);
        assert_eq!(saved_by(&trace(None, &[(Stage::Repair, true)])), Stage::Validate);
    }

    #[test]
    fn rates_count_rows_and_fields() {
        let gold = json!({"name": "John", "age": 25, "city": null});
        let mut summary = Summary::new();
        let results = [
            (Some(json!({"name": "John", "age": 25.0})), true, 3),
            (Some(json!({"name": "Jon", "age": 25, "job": "x"})), false, 2),
            (None, false, 0),
        ];
        for (value, exact, right) in results {
            let result = RowResult::new(1, &row(Some(gold.clone())), trace(value, &[(Stage::Parse, false)]), false);
            assert_eq!((result.exact, result.expected.as_ref()), (Some(exact), Some(&gold)));
            assert_eq!(result.fields.values().filter(|r| **r).count(), right);
            summary.add(&result);
        }
        assert_eq!((summary.passed, summary.exact), (Share { count: 2, of: 3 }, Share { count: 1, of: 3 }));
        assert_eq!((summary.fields, summary.by_field["age"]), (Share { count: 5, of: 10 }, Share { count: 2, of: 3 }));
        assert_eq!((summary.prompt_tokens, summary.cost), (Some(9), None));
    }

    #[test]
    fn a_row_of_a_data_set_has_its_gold_in_the_completion() {
        let row: Row = serde_json::from_str(r#"{"prompt": "p", "completion": " {\"a\": 1}\n"}"#).unwrap();
        assert_eq!(row.gold(), Some(json!({"a": 1})));
    }

    #[test]
    fn a_completion_that_is_no_json_is_no_right_value_and_says_why() {
        let read = |text: &str| serde_json::from_str::<Row>(text).unwrap();
        let wrong = read(r#"{"prompt": "p", "completion": "John, 25"}"#);
        let result = RowResult::new(7, &wrong, trace(Some(json!(1)), &[]), false);
        assert_eq!((result.exact, &result.expected), (None, &None));
        assert!(result.gold_error.is_some_and(|why| why.starts_with("its completion is no JSON: expected")));
        for right in [r#"{"prompt": "p"}"#, r#"{"prompt": "p", "completion": "{}"}"#] {
            assert_eq!(read(right).gold_error(), None);
        }
        assert_eq!(read(r#"{"text": "t", "value": 1, "completion": "one"}"#).gold_error(), None, "the value counts");
    }

    #[test]
    fn null_is_a_right_value_where_the_schema_takes_it() {
        let read = |text: &str, schema: Value| {
            let row: Row = serde_json::from_str(text).unwrap();
            row.of_schema(&Schema::from_value(&schema).unwrap())
        };
        let (person, nobody) = (json!({"type": "object"}), json!({"type": ["object", "null"]}));
        let null = r#"{"text": "t", "value": null}"#;
        let right = |row: &Row, value| RowResult::new(1, row, trace(Some(value), &[]), false);
        let result = right(&read(null, nobody.clone()), Value::Null);
        assert_eq!((result.exact, &result.expected), (Some(true), &Some(Value::Null)));
        let told = serde_json::to_string(&result).unwrap();
        assert_eq!(serde_json::from_str::<RowResult>(&told).unwrap(), result);
        assert_eq!(right(&read(null, nobody.clone()), json!({})).exact, Some(false));
        assert_eq!(right(&read(r#"{"text": "t"}"#, nobody), Value::Null).exact, None);
        assert_eq!(right(&read(null, person.clone()), json!({})).exact, None);
        let both = read(r#"{"prompt": "t", "value": null, "completion": "{}"}"#, person);
        assert_eq!(both.gold(), Some(json!({})));
    }

    #[test]
    fn what_work_cost_is_unknown_before_a_row_and_without_a_price() {
        let mut summary = Summary::new();
        assert_eq!(summary.cost, None, "not that it was free");
        let mut with = |cost| {
            let mut made = trace(Some(json!(1)), &[]);
            made.totals.cost = cost;
            summary.add(&RowResult::new(1, &row(None), made, false));
            summary.cost
        };
        assert_eq!(
            [with(Some(0.5)), with(Some(0.25)), with(None), with(Some(1.0))],
            [Some(0.5), Some(0.75), None, None]
        );
    }

    #[test]
    fn large_whole_numbers_are_not_equal_by_rounding() {
        assert!(!equal(&json!(9_007_199_254_740_993_u64), &json!(9_007_199_254_740_992_u64)));
        assert!(equal(&json!(2), &json!(2.0)));
    }
}
