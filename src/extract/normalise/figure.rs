//! A number held against what its field says of itself: its sign, its scale, its most, its hemisphere.
//! Which number a text gives was read in `number`; what its currency and unit leave out is `money`'s. Next: `scale`, `walk`.

use serde_json::{Number, Value};

use super::super::schema::{Kind, Node};
use super::money::{self, is_word};
use super::number::{self, NumberReading};
use super::walk::{Reading, about};
use super::{fall, measure, scale};

/// The number of a field, with what is lost or supplied by it. None where the text gives none that the field can take.
/// The names are the field's key, title and description.
pub(super) fn figure(text: &str, node: Node<'_>, [key, title, description]: [Option<&str>; 3]) -> Option<Reading> {
    let key = about([key, None, None]);
    let names = about([Some(key.as_str()), title, description]).to_lowercase();
    let key = key.to_lowercase();
    let read = coordinate(text, &names)
        .or_else(|| number::as_said(text).and_then(|read| held(text, read, node, (&key, &names))))?;
    // An integer that 64 bits do not hold would be rounded.
    let whole = read.value.is_i64() || read.value.is_u64();
    (node.accepts(Kind::Number) || whole).then_some(read)
}

/// The number with what the field's names (the key alone, and all of them) make of it.
fn held(text: &str, read: NumberReading, node: Node<'_>, (key, names): (&str, &str)) -> Option<Reading> {
    let NumberReading { mut value, mut kind, mut lossy, .. } = read;
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
    if kind == "percent" {
        if node.accepts(Kind::Number) && most(node).is_some_and(|most| most <= 1.0) {
            (value, kind) = (scale::divided(&value, 2)?, "percent_to_share");
            // Of a percentage up to one the number may be meant as it is.
            lossy |= measure::is_percentage(names);
        } else {
            lossy |= !measure::is_percentage(names) && !measure::is_rate(names);
        }
    }
    if let Some(zeros) = scale::stated(key, names).filter(|_| scale::is_said(text, kind)) {
        value = scale::divided(&value, zeros)?;
        open.push("scale_divided");
    }
    Some(Reading { value: Value::Number(value), kind, lossy, open })
}

/// The most that a field takes.
fn most(node: Node<'_>) -> Option<f64> {
    let limits = node.limits().iter().filter(|(name, _)| matches!(name.as_str(), "maximum" | "exclusiveMaximum"));
    limits.filter_map(|(_, limit)| limit.as_f64()).min_by(f64::total_cmp)
}

/// A hemisphere: whether it is one of a latitude, and whether its numbers are negative ones.
#[rustfmt::skip]
const HEMISPHERES: [(&str, bool, bool); 12] = [
    ("north", true, false), ("south", true, true), ("east", false, false), ("west", false, true),
    ("북위", true, false), ("남위", true, true), ("동경", false, false), ("서경", false, true),
    ("n", true, false), ("s", true, true), ("e", false, false), ("w", false, true),
];

/// The latitude or longitude of a field of such, by the hemisphere before or behind the degrees.
fn coordinate(text: &str, names: &str) -> Option<Reading> {
    let named =
        |words: &[&str]| words.iter().any(|word| names.match_indices(word).any(|(at, _)| is_word(names, at, word)));
    let latitude = named(&["latitude", "lat", "위도"]);
    let longitude = named(&["longitude", "lng", "lon", "경도"]);
    if latitude == longitude {
        return None;
    }
    let text = text.trim().trim_end_matches('.').to_lowercase();
    let apart = |rest: &str| !rest.is_empty() && !rest.contains(char::is_alphabetic) || rest.trim_end().ends_with('도');
    let (degrees, negative) = HEMISPHERES.iter().find_map(|(word, of_latitude, negative)| {
        let rest = text.strip_suffix(word).or_else(|| text.strip_prefix(word)).filter(|rest| apart(rest))?;
        (*of_latitude == latitude).then(|| (rest.trim().trim_end_matches('도').to_string(), *negative))
    })?;
    let read = number::as_said(&degrees)?;
    let is_below = read.value.as_f64().is_some_and(|value| value < 0.0);
    let value = match read.value.as_i64() {
        _ if !negative || is_below => read.value,
        Some(whole) => Number::from(-whole),
        None => Number::from_f64(-read.value.as_f64()?)?,
    };
    // -33.8° S may be meant as either.
    Some(Reading { value: Value::Number(value), kind: "hemisphere", lossy: read.lossy || is_below, open: Vec::new() })
}

#[cfg(test)]
#[path = "figure_tests.rs"]
mod tests;
