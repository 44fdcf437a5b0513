//! A number held against what its field says of itself: its sign, its scale.
//! Which number a text gives was read in `number`; what its currency and unit leave out is `money`'s. Next: `scale`, `walk`.

use serde_json::Value;

use super::super::schema::{Kind, Node};
use super::money;
use super::number::{NumberReading, number};
use super::walk::{Reading, about};
use super::{fall, measure, scale};

/// The number of a field, with what is lost or supplied by it. None where the text gives none that the field can take.
/// The names are the field's key, title and description.
pub(super) fn figure(text: &str, node: Node<'_>, [key, title, description]: [Option<&str>; 3]) -> Option<Reading> {
    let key = about([key, None, None]);
    let names = about([Some(key.as_str()), title, description]).to_lowercase();
    let key = key.to_lowercase();
    let read = number(text).and_then(|read| held(text, read, (&key, &names)))?;
    // An integer that 64 bits do not hold would be rounded.
    let whole = read.value.is_i64() || read.value.is_u64();
    (node.accepts(Kind::Number) || whole).then_some(read)
}

/// The number with what the field's names (the key alone, and all of them) make of it.
fn held(text: &str, read: NumberReading, (key, names): (&str, &str)) -> Option<Reading> {
    let NumberReading { mut value, kind, lossy, .. } = read;
    let mut open = money::lost(text, names, kind);
    let is_positive = value.as_f64().is_some_and(|value| value > 0.0);
    if is_positive && fall::is_untold(&text.to_lowercase(), names) {
        open.push("sign_dropped");
    }
    // Of a percentage a half is 50, as likely as 0.5.
    let share = value.as_f64().is_some_and(|value| value.abs() < 1.0 && value != 0.0);
    if share && matches!(kind, "korean_number" | "number_words" | "fraction") && measure::is_percentage(names) {
        open.push("share_for_percent");
    }
    if let Some(zeros) = scale::stated(key, names).filter(|_| scale::is_said(text, kind)) {
        value = scale::divided(&value, zeros)?;
        open.push("scale_divided");
    }
    Some(Reading { value: Value::Number(value), kind, lossy, open })
}

#[cfg(test)]
#[path = "figure_tests.rs"]
mod tests;
