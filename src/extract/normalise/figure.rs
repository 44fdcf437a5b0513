//! A number held against what its field says of itself: its sign, its scale, its full mark, its hemisphere, its own word as the unit.
//! Which number a text gives was read in `number`; what its currency and unit leave out is `money`'s. Next: `scale`, `walk`.

use serde_json::{Number, Value};

use super::super::schema::{Kind, Node};
use super::counters::{LIMITS, LIMITS_ALONE};
use super::money::{self, is_word};
use super::number::{self, NumberReading};
use super::scale::{self, Written};
use super::text::is_alphanumeric;
use super::walk::{Reading, about};
use super::{denial, fall, measure, percent, time};

/// The number of a field, with what is lost or supplied by it. None where the text gives none that the field can take.
/// The names are the field's key, title and description.
pub(super) fn figure(text: &str, node: Node<'_>, [key, title, description]: [Option<&str>; 3]) -> Option<Reading> {
    let key = about([key, None, None]);
    let names = about([Some(key.as_str()), title, description]).to_lowercase();
    let key = key.to_lowercase();
    let read = score(text, node, &names)
        .or_else(|| coordinate(text, &names))
        .or_else(|| length(text, &key).filter(|length| length.open.is_empty() && !is_in_unit(text, length)))
        .or_else(|| number::as_said(text).and_then(|read| held(text, read, node, (&key, &names))))
        .or_else(|| own_unit(text, &key, &names))
        .or_else(|| length(text, &key))?;
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
    let of_percent = percent::is_asked_for(key, names);
    // Of a percentage a half is 50, as likely as 0.5.
    let share = value.as_f64().is_some_and(|value| value.abs() < 1.0 && value != 0.0);
    if share
        && matches!(kind, "korean_number" | "number_words" | "fraction")
        && of_percent
        && measure::is_percentage(names)
    {
        open.push("share_for_percent");
    }
    if kind == "percent" {
        if node.accepts(Kind::Number) && most(node).is_some_and(|most| most <= 1.0) {
            (value, kind) = (scale::divided(&value, 2)?, "percent_to_share");
            // Of a percentage up to one the number may be meant as it is.
            lossy |= of_percent && measure::is_percentage(names);
        } else {
            lossy |= !of_percent;
        }
    }
    if let Some(zeros) = scale::stated(key, names) {
        let (scaled, change) = in_scale(text, &value, kind, zeros, node)?;
        value = scaled;
        // A key that states the scale itself leaves nothing to guess: 300만원 in `price_만원`.
        if scale::is_said(text, kind) && scale::stated(key, key).is_some() {
            kind = "scale_divided";
        } else {
            open.extend(change);
        }
    }
    Some(Reading { value: Value::Number(value), kind, lossy, open })
}

/// The number in the scale of so many zeros that its field states, and the change that putting it there is.
fn in_scale(
    text: &str,
    value: &Number,
    kind: &str,
    zeros: i32,
    node: Node<'_>,
) -> Option<(Number, Option<&'static str>)> {
    let divided = || Some((scale::divided(value, zeros)?, Some("scale_divided")));
    if scale::is_said(text, kind) {
        return divided();
    }
    if kind == "percent" {
        return Some((value.clone(), None));
    }
    let fits = |(value, _): &(Number, _)| node.accepts(Kind::Number) || value.is_i64();
    match scale::written(text, value, zeros) {
        Written::Scaled => Some((value.clone(), None)),
        Written::Out => divided().filter(fits).or_else(|| Some((value.clone(), Some("scale_unsure")))),
        Written::Either => Some((value.clone(), Some("scale_unsure"))),
    }
}

/// The most that a field takes.
fn most(node: Node<'_>) -> Option<f64> {
    let limits = node.limits().iter().filter(|(name, _)| matches!(name.as_str(), "maximum" | "exclusiveMaximum"));
    limits.filter_map(|(_, limit)| limit.as_f64()).min_by(f64::total_cmp)
}

/// Words of a score, of a field's names or beside its points.
#[rustfmt::skip]
const SCORES: &[&str] = &[
    "score", "scored", "rating", "rate", "rated", "grade", "star", "point", "mark", "review", "confidence", "level", "quality", "satisfaction",
    "severity", "difficulty", "importance",
];
#[rustfmt::skip]
const SCORES_KOREAN: &[&str] = &[
    "점수", "평점", "별점", "학점", "총점", "득점", "평가", "등급", "리뷰", "후기", "만족도", "신뢰도", "심각도", "난이도", "중요도",
];

fn speaks_of_a_score(text: &str) -> bool {
    let is_said = |word: &&str| text.match_indices(*word).any(|(at, _)| is_word(text, at, word));
    SCORES.iter().any(is_said) || SCORES_KOREAN.iter().any(|word| text.contains(word))
}

/// 4.5/5 where 5 is the most that the field takes: points of a full mark, and no fraction. Whole numbers may be a date as well, or a part of an
/// inch: they are points where the field's names or the text speak of a score.
fn score(text: &str, node: Node<'_>, names: &str) -> Option<Reading> {
    const FEWEST: f64 = 5.0;
    let most = most(node).filter(|most| *most >= FEWEST)?;
    let (before, behind) = text.trim().split_once('/')?;
    let before = before.trim_end();
    let is_figure = |c: char| c.is_ascii_digit() || c == '.';
    let start =
        before.rfind(|c| !is_figure(c)).map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
    let (lead, got) = before.split_at(start);
    let full = behind.trim_start();
    let end = full.find(|c| !is_figure(c)).unwrap_or(full.len());
    let (full, rest) = full.split_at(end);
    let full = full.trim_end_matches('.');
    let (lead, rest) = (lead.to_lowercase(), rest.trim().to_lowercase());
    let in_points = matches!(rest.trim_end_matches('.'), "점" | "점입니다" | "star" | "stars" | "point" | "points");
    let plain = |part: &str| !part.contains(|c: char| c.is_numeric() || matches!(c, '-' | '/' | '<' | '>' | '~'));
    if !plain(&lead)
        || rest.contains(is_alphanumeric) && !in_points
        || !plain(&rest)
        || lead.split_whitespace().any(denies)
    {
        return None;
    }
    if !(got.contains('.') || in_points || speaks_of_a_score(names) || speaks_of_a_score(&lead)) {
        return None;
    }
    let full: f64 = full.parse().ok()?;
    let value = number::as_said(got)?.value;
    let within = value.as_f64().is_some_and(|got| got <= full);
    (full == most && within).then(|| Reading {
        value: Value::Number(value),
        kind: "score",
        lossy: false,
        open: Vec::new(),
    })
}

fn denies(word: &str) -> bool {
    let word = word.to_lowercase();
    denial::is_english(&word) || denial::is_korean(&word) || LIMITS.contains(&word.as_str())
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

/// A number with a word of the field's key behind it, which is its unit then: `4 servings` in `servings`.
fn own_unit(text: &str, key: &str, names: &str) -> Option<Reading> {
    let text = text.trim().trim_end_matches('.');
    let start = text.trim_end_matches(char::is_alphabetic).len();
    let (amount, word) = (text[..start].trim_end(), text[start..].to_lowercase());
    let is_unit = word.len() > 1
        && !denies(&word)
        && !LIMITS_ALONE.contains(&word.as_str())
        && key.split(' ').any(|of_key| is_same(of_key, &word));
    let read = is_unit.then(|| number::as_said(amount)).flatten()?;
    let open = money::lost(amount, names, read.kind);
    let kind = if read.kind == "plain_number" { "number_with_unit" } else { read.kind };
    Some(Reading { value: Value::Number(read.value), kind, lossy: read.lossy, open })
}

/// A length of time of several units in the one that the field's key names: `1 hour 20 minutes` in `duration_minutes`.
fn length(text: &str, key: &str) -> Option<Reading> {
    #[rustfmt::skip]
    const UNITS: [(&[&str], i64); 4] = [
        (&["seconds", "second", "secs", "sec", "초"], 1),
        (&["minutes", "minute", "mins", "min", "분"], 60),
        (&["hours", "hour", "hrs", "hr", "시간"], 3_600),
        (&["days", "day", "일"], 86_400),
    ];
    // Of minutes per day the first is the unit.
    let of_unit = |word: &str| UNITS.iter().find(|(names, _)| names.contains(&word)).map(|(_, seconds)| *seconds);
    let unit = key.split(' ').find_map(of_unit)?;
    let (seconds, open) = time::seconds(text)?;
    let value = match seconds % unit {
        0 => Number::from(seconds / unit),
        _ => Number::from_f64(seconds as f64 / unit as f64)?,
    };
    // 80 minutes are no decimal of hours.
    let is_rounded = seconds % unit * 1_000_000 % unit != 0;
    Some(Reading { value: Value::Number(value), kind: "duration", lossy: is_rounded, open })
}

/// Whether a length of time was said in the unit that is asked for already: then it is a number like others.
fn is_in_unit(text: &str, length: &Reading) -> bool {
    number::as_said(text).is_some_and(|read| Value::Number(read.value).as_f64() == length.value.as_f64())
}

/// Whether two words are one, in the singular or plural.
fn is_same(one: &str, other: &str) -> bool {
    let plural = |of: &str, many: &str| many.strip_prefix(of).is_some_and(|rest| matches!(rest, "s" | "es"));
    one == other || plural(one, other) || plural(other, one)
}

#[cfg(test)]
#[path = "figure_tests.rs"]
mod tests;
