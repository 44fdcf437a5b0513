//! Dates, times, durations and UUIDs out of numbers and of text in nearly the right form, as Pydantic's lax mode takes them.
//! What comes out has the format that the schema names. Dates in words are `normalise`'s.
//! Source: the rules of Pydantic's documentation, "Conversion table" and "Datetime Types"; `tests/peer/pydantic_lax.py` compares.

use jiff::civil::Date;
use serde_json::Number;

/// Up to here a number is seconds since 1970, beyond it milliseconds.
const WATERSHED: f64 = 2e10;
const DAY: i128 = 86_400_000_000;
const MOST_DAYS: i128 = 999_999_999;

/// What a text must look like to be taken for this format, or none where it cannot be read. Formats that are not times are none.
pub fn text(format: &str, text: &str) -> Option<String> {
    match format {
        "date" => date(text),
        "date-time" => date_time(text),
        "time" => clock(text).map(|t| t.written()),
        "duration" => duration(text).map(duration_written),
        "uuid" => uuid(text),
        _ => None,
    }
}

/// The same of a number: a moment since 1970, a time since midnight, a duration in seconds.
pub fn number(format: &str, number: &Number) -> Option<String> {
    let microseconds = |number: &Number| match number.as_i64() {
        Some(n) => Some(i128::from(n) * 1_000_000),
        None => number.as_f64().and_then(rounded),
    };
    match format {
        "date" => moment(number).and_then(midnight),
        "date-time" => moment(number).and_then(moment_written),
        // Of a day, in UTC as everything that is counted in seconds.
        "time" => microseconds(number).filter(|us| (0..DAY).contains(us)).map(|us| format!("{}Z", clock_written(us))),
        "duration" => microseconds(number).filter(|us| us.abs() / DAY <= MOST_DAYS).map(duration_written),
        _ => None,
    }
}

/// The length of a duration in seconds, a year counted as 365 days and a month as 30; of other formats none.
pub fn seconds(format: &str, text: &str) -> Option<f64> {
    (format == "duration").then(|| duration(text)).flatten().map(|us| us as f64 / 1e6)
}

/// Digits alone that are a day, and perhaps an hour, without separators: `20261105`, `202611051430`, `20261105143000`. As a moment
/// since 1970 they would be another time entirely, so that they are tried first; that they are none is a guess all the same.
pub fn packed(format: &str, digits: &str) -> Option<String> {
    const YEARS: std::ops::RangeInclusive<u32> = 1900..=2100;
    let pair = |from| number_at(digits, from, 2);
    let (hour, minute, second) = match (format, digits.len()) {
        ("date" | "date-time", 8) => (0, 0, 0),
        ("date-time", 12) => (pair(8)?, pair(10)?, 0),
        ("date-time", 14) => (pair(8)?, pair(10)?, pair(12)?),
        _ => return None,
    };
    let year = number_at(digits, 0, 4).filter(|year| YEARS.contains(year))?;
    let date = Date::new(year as i16, pair(4)? as i8, pair(6)? as i8).ok()?;
    (hour < 24 && minute < 60 && second < 60).then_some(())?;
    Some(if format == "date" { date.to_string() } else { format!("{date}T{hour:02}:{minute:02}:{second:02}") })
}

/// Whether a date or a date and time that was counted from 1970 is one that is likely meant: a small number is seldom a moment.
pub fn is_likely(read: &str) -> bool {
    number_at(read, 0, 4).is_some_and(|year| (1973..=2100).contains(&year))
}

/// Whether a text is counted from 1970 rather than written as a date.
pub fn is_counted(text: &str) -> bool {
    moment_of_text(text).is_some()
}

/// Seconds to microseconds.
fn rounded(seconds: f64) -> Option<i128> {
    // The whole part apart: large numbers keep their microseconds.
    let fraction = ((seconds - seconds.floor()) * 1e6).round() as i128;
    (seconds.abs() < 1e15).then(|| seconds.floor() as i128 * 1_000_000 + fraction)
}

/// Microseconds since 1970 of a number of seconds or milliseconds.
fn moment(number: &Number) -> Option<i128> {
    let near = number.as_f64()?;
    match number.as_i64() {
        Some(n) if near.abs() <= WATERSHED => Some(i128::from(n) * 1_000_000),
        Some(n) => Some(i128::from(n) * 1_000),
        None if near.abs() <= WATERSHED => rounded(near),
        None => {
            // The fraction apart: it is of a millisecond, and the whole is known exactly.
            let whole = near.floor();
            (near.abs() < 1e15).then(|| whole as i128 * 1_000 + ((near - whole) * 1e3).round() as i128)
        }
    }
}

/// A sign, digits and a point: seconds or milliseconds as text.
fn moment_of_text(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let form = digits.bytes().any(|b| b.is_ascii_digit()) && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let whole = || text.parse::<i64>().ok().map(Number::from);
    let number = form.then(|| whole().or_else(|| Number::from_f64(text.parse().ok()?))).flatten()?;
    moment(&number)
}

/// The calendar's date and microseconds of the day, of the years 1 to 9999.
fn day(us: i128) -> Option<(Date, i128)> {
    let days = i64::try_from(us.div_euclid(DAY)).ok().filter(|d| d.abs() < 4_000_000)?;
    let date = Date::constant(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    (1..=9999).contains(&date.year()).then(|| (date, us.rem_euclid(DAY)))
}

fn midnight(us: i128) -> Option<String> {
    day(us).filter(|(_, of_day)| *of_day == 0).map(|(date, _)| date.to_string())
}

fn moment_written(us: i128) -> Option<String> {
    day(us).map(|(date, of_day)| format!("{date}T{}Z", clock_written(of_day)))
}

fn clock_written(us: i128) -> String {
    let s = us / 1_000_000;
    format!("{:02}:{:02}:{:02}{}", s / 3600, s / 60 % 60, s % 60, fraction_written(us % 1_000_000))
}

fn fraction_written(us: i128) -> String {
    if us == 0 { String::new() } else { format!(".{us:06}").trim_end_matches('0').to_string() }
}

/// A date, or a moment that is a midnight: nothing may be lost.
fn date(text: &str) -> Option<String> {
    if let Some(date) = calendar_date(text) {
        return Some(date.to_string());
    }
    if let Some((date, clock)) = date_and_clock(text) {
        return clock.is_midnight().then(|| date.to_string());
    }
    moment_of_text(text).and_then(midnight)
}

fn date_time(text: &str) -> Option<String> {
    if let Some((date, clock)) = date_and_clock(text) {
        return Some(format!("{date}T{}", clock.written()));
    }
    let at_midnight = |date: Date| format!("{date}T00:00:00");
    calendar_date(text).map(at_midnight).or_else(|| moment_of_text(text).and_then(moment_written))
}

fn calendar_date(text: &str) -> Option<Date> {
    let b = text.as_bytes();
    let form = b.len() == 10 && b[4] == b'-' && b[7] == b'-';
    let (year, month, day) = (number_at(text, 0, 4)?, number_at(text, 5, 2)?, number_at(text, 8, 2)?);
    (form && year > 0).then(|| Date::new(year as i16, month as i8, day as i8).ok()).flatten()
}

fn date_and_clock(text: &str) -> Option<(Date, Clock)> {
    let date = calendar_date(text.get(..10)?)?;
    let time = text.get(10..)?.strip_prefix(['T', 't', ' ', '_'])?;
    Some((date, clock(time)?))
}

/// So many digits from there on.
fn number_at(text: &str, from: usize, length: usize) -> Option<u32> {
    let digits = text.get(from..from + length)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// A time of day as it was written, brought into form.
struct Clock {
    hour: u32,
    minute: u32,
    second: u32,
    /// Digits after the point.
    fraction: String,
    /// In form; empty where none was said.
    offset: String,
}

impl Clock {
    fn written(&self) -> String {
        let point = if self.fraction.is_empty() { "" } else { "." };
        format!("{:02}:{:02}:{:02}{point}{}{}", self.hour, self.minute, self.second, self.fraction, self.offset)
    }

    fn is_midnight(&self) -> bool {
        (self.hour, self.minute, self.second) == (0, 0, 0) && self.fraction.bytes().all(|b| b == b'0')
    }
}

/// `14:30`, `14:30:00,5`, `14:30Z`, `14:30:00+0900`.
fn clock(text: &str) -> Option<Clock> {
    let (hour, minute) = (number_at(text, 0, 2)?, number_at(text, 3, 2)?);
    let mut rest = text.get(5..)?;
    let mut clock = Clock { hour, minute, second: 0, fraction: String::new(), offset: String::new() };
    let has_seconds = rest.starts_with(':');
    if let Some(seconds) = rest.strip_prefix(':') {
        clock.second = number_at(seconds, 0, 2)?;
        rest = &seconds[2..];
        if let Some(fraction) = rest.strip_prefix(['.', ',']) {
            let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
            clock.fraction = fraction[..end].to_string();
            rest = &fraction[end..];
            if end == 0 {
                return None;
            }
        }
    }
    clock.offset = offset(rest)?;
    // Without seconds a second clock may stand there: `15:00-16:00`. No zone is as far from UTC.
    if !has_seconds && !in_a_zone(&clock.offset) {
        return None;
    }
    (text.as_bytes()[2] == b':' && hour < 24 && minute < 60 && clock.second < 60).then_some(clock)
}

/// Whether an offset in form is that of any place: twelve hours to the west, fourteen to the east.
fn in_a_zone(offset: &str) -> bool {
    let most = if offset.starts_with('-') { "12:00" } else { "14:00" };
    offset.get(1..).is_none_or(|clock| clock <= most)
}

/// Whether a time without seconds is followed by what is an offset that few places have, and a later time as well: `9:00-11:00`.
pub fn may_be_a_range(text: &str) -> bool {
    let Some((before, after)) = text.rsplit_once('-').filter(|(before, _)| before.contains(':')) else { return false };
    let clock = before.rsplit([' ', 'T', 't', '_']).next().unwrap_or_default();
    clock.len() == 5 && after.len() == 5 && after >= "10:00" && after > clock
}

fn offset(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    if matches!(text, "Z" | "z") {
        return Some("Z".into());
    }
    // U+2212 is the typographer's minus.
    let sign = if text.starts_with('+') { '+' } else { '-' };
    let digits = text.strip_prefix(['+', '-', '−'])?;
    let minutes = digits.get(2..)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let (hour, minute) = (number_at(digits, 0, 2)?, number_at(minutes, 0, 2)?);
    (minutes.len() == 2 && hour < 24 && minute < 60).then(|| format!("{sign}{hour:02}:{minute:02}"))
}

/// ISO 8601's duration, `[D day[s]][,] HH:MM[:SS[.f]]`, with a sign for the whole; in microseconds.
fn duration(text: &str) -> Option<i128> {
    let minus = text.starts_with('-');
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let us = match text.strip_prefix('P') {
        Some(parts) => iso_duration(parts),
        None => match days_before(text) {
            Some((days, "")) => Some(days * DAY),
            Some((days, rest)) => clock_duration(rest).filter(|us| *us < DAY).map(|us| days * DAY + us),
            None => clock_duration(text),
        },
    }?;
    (us / DAY <= MOST_DAYS).then_some(if minus { -us } else { us })
}

fn iso_duration(text: &str) -> Option<i128> {
    let (mut rest, mut in_clock, mut us, mut parts) = (text, false, 0i128, 0);
    while !rest.is_empty() {
        if let Some(clock) = rest.strip_prefix('T').filter(|_| !in_clock) {
            (rest, in_clock) = (clock, true);
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','))?;
        let (number, tail) = rest.split_at(end);
        let unit = tail.chars().next()?;
        // Only the last part may have a fraction.
        if number.contains(['.', ',']) && tail.len() > unit.len_utf8() {
            return None;
        }
        let seconds = match (unit, in_clock) {
            ('Y', false) => 365 * 86_400,
            ('M', false) => 30 * 86_400,
            ('W', false) => 7 * 86_400,
            ('D', false) => 86_400,
            ('H', true) => 3_600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return None,
        };
        us = us.checked_add(scaled(number, seconds)?)?;
        rest = &tail[unit.len_utf8()..];
        parts += 1;
    }
    (parts > 0).then_some(us)
}

/// A decimal number times so many seconds, in microseconds.
fn scaled(number: &str, seconds: i128) -> Option<i128> {
    let (whole, fraction) = match number.find(['.', ',']) {
        Some(at) => (&number[..at], &number[at + 1..]),
        None => (number, "0"),
    };
    if whole.is_empty() || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: i128 = whole.parse::<i64>().ok()?.into();
    let fraction: f64 = format!("0.{fraction}").parse().ok()?;
    Some(whole * seconds * 1_000_000 + (fraction * seconds as f64 * 1e6).round() as i128)
}

/// `2 days`, `2d`, with the comma and the space after it passed over.
fn days_before(text: &str) -> Option<(i128, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
    let days: i64 = text[..end].parse().ok()?;
    let rest = &text[end..];
    let word = rest.strip_prefix(' ').unwrap_or(rest);
    let starts = |name: &str| word.get(..name.len()).is_some_and(|w| w.eq_ignore_ascii_case(name));
    let name = ["days", "day", "d"].into_iter().find(|name| starts(name))?;
    let rest = &word[name.len()..];
    let rest = rest.strip_prefix(',').unwrap_or(rest);
    Some((days.into(), rest.strip_prefix(' ').unwrap_or(rest)))
}

/// Hours of two digits or more, minutes, seconds.
fn clock_duration(text: &str) -> Option<i128> {
    let (hours, rest) = text.split_once(':')?;
    let form = hours.len() >= 2 && hours.bytes().all(|b| b.is_ascii_digit());
    let hours: i64 = form.then(|| hours.parse().ok()).flatten()?;
    let minutes = number_at(rest, 0, 2).filter(|m| *m < 60)?;
    let seconds = match rest.get(2..)? {
        "" => 0,
        rest => {
            let seconds = rest.strip_prefix(':')?;
            number_at(seconds, 0, 2).filter(|s| *s < 60)?;
            match seconds.as_bytes().get(2) {
                None => scaled(seconds, 1)?,
                Some(b'.' | b',') => scaled(seconds, 1)?,
                Some(_) => return None,
            }
        }
    };
    Some((i128::from(hours) * 3_600 + i128::from(minutes) * 60) * 1_000_000 + seconds)
}

fn duration_written(us: i128) -> String {
    let (sign, us) = (if us < 0 { "-" } else { "" }, us.abs());
    let (days, of_day) = (us / DAY, us % DAY);
    let (s, fraction) = (of_day / 1_000_000, fraction_written(of_day % 1_000_000));
    let part = |n: i128, unit: &str| if n == 0 { String::new() } else { format!("{n}{unit}") };
    let seconds = if s % 60 == 0 && fraction.is_empty() { String::new() } else { format!("{}{fraction}S", s % 60) };
    let clock = format!("{}{}{seconds}", part(s / 3600, "H"), part(s / 60 % 60, "M"));
    match (days, clock.as_str()) {
        (0, "") => "PT0S".into(),
        (_, "") => format!("{sign}P{days}D"),
        _ => format!("{sign}P{}T{clock}", part(days, "D")),
    }
}

/// 32 hexadecimal digits, plain, with hyphens, in braces, or after `urn:uuid:`.
fn uuid(text: &str) -> Option<String> {
    let braced = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    let bare = text.strip_prefix("urn:uuid:").or(braced).unwrap_or(text);
    if super::super::formats::is_uuid(bare) {
        return Some(bare.to_string());
    }
    let plain = bare.len() == text.len() && text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-"))
}

#[cfg(test)]
#[path = "times_tests.rs"]
mod tests;
