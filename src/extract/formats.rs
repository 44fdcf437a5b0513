//! The formats of text that are checked as finetop means them: dates and times with or without an offset, durations with a sign.
//! Those of email, uri and the like are the validator's. Reading what is not in form yet is `coerce`'s.

use jiff::civil::Date;
use jsonschema::ValidationOptions;

/// Gives the validator these formats in place of its own.
pub(super) fn into(options: ValidationOptions<'_>) -> ValidationOptions<'_> {
    options
        .with_format("date", is_date)
        .with_format("date-time", is_date_time)
        .with_format("time", is_time)
        .with_format("duration", is_duration)
        .with_format("uuid", is_uuid)
}

/// Whether a text has this format; true for a format that is not known.
pub fn fits(format: &str, text: &str) -> bool {
    match format {
        "date" => is_date(text),
        "date-time" => is_date_time(text),
        "time" => is_time(text),
        "duration" => is_duration(text),
        "uuid" => is_uuid(text),
        _ => true,
    }
}

/// `2026-11-05`, a day of the calendar.
pub fn is_date(text: &str) -> bool {
    let b = text.as_bytes();
    let form = b.len() == 10 && b[4] == b'-' && b[7] == b'-';
    let read = |from: usize, to: usize| text.get(from..to).and_then(digits);
    let (Some(year), Some(month), Some(day)) = (read(0, 4), read(5, 7), read(8, 10)) else { return false };
    form && Date::new(year as i16, month as i8, day as i8).is_ok()
}

/// RFC 3339, the offset optional: a local time is a time too.
pub fn is_date_time(text: &str) -> bool {
    let (Some(date), Some(time)) = (text.get(..10), text.get(11..)) else { return false };
    matches!(text.as_bytes()[10], b'T' | b't') && is_date(date) && is_time(time)
}

/// `14:00:00`, with a fraction and an offset where there are some. No leap second: few programs can hold one.
pub fn is_time(text: &str) -> bool {
    let Some((clock, rest)) = text.split_at_checked(8) else { return false };
    let b = clock.as_bytes();
    let read = |from: usize| clock.get(from..from + 2).and_then(digits);
    let (Some(hour), Some(minute), Some(second)) = (read(0), read(3), read(6)) else { return false };
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => {
            let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
            if end == 0 {
                return false;
            }
            &fraction[end..]
        }
        None => rest,
    };
    b[2] == b':' && b[5] == b':' && hour < 24 && minute < 60 && second < 60 && (offset.is_empty() || is_offset(offset))
}

fn is_offset(text: &str) -> bool {
    let b = text.as_bytes();
    let read = |from: usize| text.get(from..from + 2).and_then(digits);
    matches!(text, "Z" | "z")
        || b.len() == 6
            && matches!(b[0], b'+' | b'-')
            && b[3] == b':'
            && read(1).is_some_and(|h| h < 24)
            && read(4).is_some_and(|m| m < 60)
}

/// ISO 8601: `P1DT2H`, `P3W`, `PT0.5S`; with a sign before, as Pydantic writes negative ones.
pub fn is_duration(text: &str) -> bool {
    let Some(text) = text.strip_prefix(['-', '+']).unwrap_or(text).strip_prefix('P') else { return false };
    let (days, clock) = match text.split_once('T') {
        Some((_, "")) => return false,
        Some((days, clock)) => (days, clock),
        None => (text, ""),
    };
    !text.is_empty() && (is_weeks(days) && clock.is_empty() || in_order(days, "YMD") && in_order(clock, "HMS"))
}

fn is_weeks(text: &str) -> bool {
    text.strip_suffix('W').is_some_and(|n| digits(n).is_some())
}

/// Numbers, each followed by a unit, the units in this order; only seconds may have a fraction.
fn in_order(text: &str, units: &str) -> bool {
    let (mut rest, mut units) = (text, units.chars());
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let Some(unit) = tail.chars().next() else { return false };
        let whole = number.split_once('.').is_none_or(|(_, f)| unit == 'S' && !f.is_empty() && !f.contains('.'));
        if !number.starts_with(|c: char| c.is_ascii_digit()) || !whole || !units.any(|u| u == unit) {
            return false;
        }
        rest = &tail[unit.len_utf8()..];
    }
    true
}

/// Five groups of hexadecimal digits joined by hyphens.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| if matches!(at, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() })
}

/// ASCII digits alone, at least one and few enough for the number.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        assert!(["2026-11-05", "2024-02-29", "0001-01-01"].into_iter().all(is_date));
        for bad in
            ["2026-2-5", "2023-02-29", "2026-13-01", "2026/11/05", "+026-11-05", "2026-11-05 ", "２０２６-11-05", ""]
        {
            assert!(!is_date(bad), "{bad}");
        }
    }

    #[test]
    fn a_date_time_without_an_offset_is_one() {
        for good in ["2026-11-05T14:00:00", "2026-11-05T14:00:00Z", "2026-11-05t14:00:00.123456+09:00"] {
            assert!(is_date_time(good), "{good}");
        }
        for bad in [
            "2026-11-05",
            "2026-11-05 14:00:00",
            "2026-11-05T14:00",
            "2026-11-05T24:00:00",
            "2026-11-05T14:00:00+9",
            "2026-11-0é14:00:00",
        ] {
            assert!(!is_date_time(bad), "{bad}");
        }
    }

    #[test]
    fn times_have_seconds_and_may_have_an_offset() {
        assert!(["14:00:00", "00:00:00.5-03:30"].into_iter().all(is_time));
        assert!(
            !["14:00", "1:00:00", "14:00:00.", "23:59:60Z", "14:60:00", "14:00:00+0900", "중:00:00"]
                .into_iter()
                .any(is_time)
        );
    }

    #[test]
    fn durations_are_iso_with_an_optional_sign() {
        assert!(["P1D", "PT1H30M", "-P1DT0.5S", "P3W", "P1Y2M3DT4H5M6S", "PT0S"].into_iter().all(is_duration));
        assert!(
            !["", "P", "PT", "P1DT", "1D", "PT1.5H", "P1S", "PT1M1H", "P1", "P-1D", "3661"]
                .into_iter()
                .any(is_duration)
        );
    }

    #[test]
    fn a_uuid_has_its_hyphens() {
        assert!(is_uuid("6ba7b810-9dad-11d1-80b4-00C04FD430C8"));
        assert!(!is_uuid("6ba7b8109dad11d180b400c04fd430c8") && !is_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430cg"));
    }
}
