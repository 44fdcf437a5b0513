use super::attempt::*;
use super::schema::Schema;
use jiff::civil::DateTime;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Whole,
    Langchain,
}
pub fn read(text: &str, schema: Option<&Schema>, _now: DateTime, _reading: Reading) -> Trace {
    let value: Option<serde_json::Value> = serde_json::from_str(text.trim()).ok();
    let errors = match (&value, schema) {
        (Some(v), Some(s)) => super::validate::validate(v, s),
        _ => Vec::new(),
    };
    let ok = value.is_some() && errors.is_empty();
    Trace {
        ok,
        error: (!ok).then(|| Refusal { stage: Stage::Validate, message: "no".into(), errors }),
        value: value.filter(|_| ok),
        attempts: vec![],
        totals: Totals::default(),
    }
}
