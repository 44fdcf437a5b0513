//! Which numbers and texts are times, and which are refused as Pydantic refuses them.

use super::*;
use crate::extract::formats;

fn of_number(format: &str, json: &str) -> Option<String> {
    number(format, &serde_json::from_str(json).unwrap())
}

#[test]
fn numbers_are_seconds_and_beyond_the_watershed_milliseconds() {
    for (json, read) in [
        ("0", "1970-01-01T00:00:00Z"),
        ("-1", "1969-12-31T23:59:59Z"),
        ("-0.5", "1969-12-31T23:59:59.5Z"),
        ("20000000000", "2603-10-11T11:33:20Z"),
        ("20000000001", "1970-08-20T11:33:20.001Z"),
        ("1654646400.25", "2022-06-08T00:00:00.25Z"),
    ] {
        assert_eq!(of_number("date-time", json).as_deref(), Some(read), "{json}");
    }
    assert_eq!(of_number("date", "86400").as_deref(), Some("1970-01-02"));
    assert_eq!(of_number("date", "86401"), None, "a time would be lost");
    for too_far in ["253402300800000", "-80000000000000", "1e300", "9223372036854775807"] {
        assert_eq!(of_number("date-time", too_far), None, "{too_far}");
    }
}

#[test]
fn digits_that_spell_a_day_are_that_day() {
    for (format, digits, read) in [
        ("date-time", "20261105", Some("2026-11-05T00:00:00")),
        ("date-time", "202611051430", Some("2026-11-05T14:30:00")),
        ("date-time", "20261105143009", Some("2026-11-05T14:30:09")),
        ("date", "20261105", Some("2026-11-05")),
        ("date", "202611051430", None),
        ("date-time", "20261305", None),
        ("date-time", "20260230", None),
        ("date-time", "12345678", None),
        ("date-time", "202611052530", None),
        ("date-time", "1654646400", None),
        ("time", "20261105", None),
    ] {
        assert_eq!(packed(format, digits).as_deref(), read, "{format} {digits}");
    }
    assert!(is_likely("2022-06-08T00:00:00Z") && !is_likely("1970-01-01T00:33:46Z") && !is_likely("2612-01-19"));
    assert!(is_counted("-12.5") && !is_counted("2026-11-05"));
}

#[test]
fn text_nearly_in_form_is_brought_into_it() {
    for (format, text_, read) in [
        ("date-time", "2026-11-05 14:00", "2026-11-05T14:00:00"),
        ("date-time", "2026-11-05_14:00:01,5+0900", "2026-11-05T14:00:01.5+09:00"),
        ("date-time", "2026-11-05T14:00−09:00", "2026-11-05T14:00:00-09:00"),
        ("date-time", "2026-11-05", "2026-11-05T00:00:00"),
        ("date-time", "1654646400", "2022-06-08T00:00:00Z"),
        ("date", "2026-11-05T00:00", "2026-11-05"),
        ("date", "1654646400", "2022-06-08"),
        ("time", "14:30", "14:30:00"),
        ("time", "14:30Z", "14:30:00Z"),
        ("duration", "1 day, 02:00", "P1DT2H"),
        ("duration", "-100:30:00.25", "-P4DT4H30M0.25S"),
        ("duration", "P1Y2M3W4DT5H6M7.8S", "P450DT5H6M7.8S"),
        ("duration", "PT1.5H", "PT1H30M"),
        ("uuid", "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("uuid", "6ba7b8109dad11d180b400c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
    ] {
        assert_eq!(text(format, text_).as_deref(), Some(read), "{text_}");
        assert!(formats::fits(format, read), "{read}");
    }
}

#[test]
fn what_pydantic_refuses_is_refused() {
    for (format, bad) in [
        ("date", "2026-11-5"),
        ("date", "2026-11-05T10:00"),
        ("date", "20261105"),
        ("date", " 2026-11-05"),
        ("date-time", "2026-11-05T14"),
        ("date-time", "2026-11-05T14:00:00+09"),
        ("date-time", "2026-11-05T24:00:00"),
        ("date-time", "2026-11-05x14:00"),
        ("date-time", "2026-02-30 10:00"),
        ("date-time", "1e9"),
        ("time", "3720"),
        ("time", "1:00"),
        ("time", "12:13:60"),
        // No place is as far from UTC: the second clock is the end.
        ("time", "15:00-16:00"),
        ("date-time", "2026-12-01 15:00-16:00"),
        ("date-time", "2026-12-01T15:00+14:30"),
        ("duration", "3601"),
        ("duration", "1:10"),
        ("duration", "10:60"),
        ("duration", "1 days 25:00"),
        ("duration", "P"),
        ("duration", "P1DT10:10"),
        ("duration", "1 week"),
        ("uuid", "{6ba7b8109dad11d180b400c04fd430c8}"),
        ("uuid", "6ba7b810-9dad11d1-80b4-00c04fd430c8"),
        ("date-time", "중고 거래 시간"),
        ("duration", "이틀"),
    ] {
        assert_eq!(text(format, bad), None, "{bad}");
    }
}

#[test]
fn an_offset_that_may_be_the_end_of_a_range_is_told_apart() {
    for text in ["09:00-11:00", "2026-12-01 09:00-12:00", "2026-12-01T09:00-10:00"] {
        assert!(may_be_a_range(text), "{text}");
    }
    for text in
        ["2026-12-01T09:00-05:00", "12:00-11:00", "09:00:00-11:00", "2026-12-01", "14:00", "2026-12-01T09:00+11:00"]
    {
        assert!(!may_be_a_range(text), "{text}");
    }
}
