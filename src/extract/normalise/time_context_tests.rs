//! What other words around a time make of it: another time measured from it, a zone, a bound, a question, numbers of other things.

use super::*;

/// A Monday.
const NOW: &str = "2026-11-30T09:00:00";

fn read(input: &str, want: Want) -> Option<TimeReading> {
    time(input, NOW.parse().expect("a time"), want)
}

fn check(want: Want, rows: &[(&str, &str)]) {
    for (input, value) in rows {
        assert_eq!(read(input, want).map(|reading| reading.value).as_deref(), Some(*value), "{input}");
    }
}

#[test]
fn a_day_measured_from_another_is_not_that_other() {
    for input in [
        "a week from tomorrow 3pm",
        "a week from Friday",
        "two weeks from Friday",
        "3 days from the 5th",
        "a month from Dec 3",
        "Friday week",
        "the week of December 7",
        "in the 2nd week of December",
        "2026-12-10 전날",
        "2026-12-10 이튿날",
        "eve of 2026-12-10",
        "Dec 10, the following day",
        "the Friday following Dec 11",
        "the previous Friday",
        "10 days prior to Dec 10",
        "the weekend of Dec 5",
        "the following Tuesday",
        "12월 둘째 주",
    ] {
        assert_eq!(read(input, Want::Date), None, "{input}");
    }
    check(
        Want::Date,
        &[
            ("a week from today", "2026-12-07"),
            ("in two weeks", "2026-12-14"),
            ("Christmas Eve", "2026-12-24"),
            ("12월 둘째 주 금요일", "2026-12-11"),
            ("this week Friday", "2026-12-04"),
            ("tmrw", "2026-12-01"),
            ("내일모래", "2026-12-02"),
        ],
    );
}

#[test]
fn next_week_has_several_names_in_korean() {
    check(
        Want::Date,
        &[
            ("내주 화요일", "2026-12-08"),
            ("차주 화요일", "2026-12-08"),
            ("익주 화요일", "2026-12-08"),
            ("익월 8일", "2026-12-08"),
            ("다담주 화요일", "2026-12-15"),
            ("차차주 화요일", "2026-12-15"),
            ("12월 3일에 내주세요", "2026-12-03"),
        ],
    );
}

#[test]
fn a_zone_is_kept_where_its_offset_is_certain_and_else_named() {
    check(
        Want::DateTime,
        &[
            ("2026-12-03 15:00 Asia/Seoul", "2026-12-03T15:00:00+09:00"),
            ("2026-12-03 15:00 서울 시간", "2026-12-03T15:00:00+09:00"),
            ("2026-12-03 15:00 -0500", "2026-12-03T15:00:00-05:00"),
            ("2026-12-03 15:00 +09:00", "2026-12-03T15:00:00+09:00"),
            ("Thu, 03 Dec 2026 15:00:00 +0900", "2026-12-03T15:00:00+09:00"),
        ],
    );
    for input in [
        "2026-12-03 3pm New York time",
        "2026-12-03 3pm local time",
        "2026-12-03 3pm Lisbon time",
        "2026-12-03 3pm eastern standard time",
        "2026-12-03 15:00 ET",
        "2026-12-03 15:00 PT",
        "2026-12-03 15:00 IST",
        "2026-12-03 15:00 CST",
        "2026-12-03 3pm Eastern",
        "2026-12-03 15:00 (London)",
        "2026-12-03 15:00 뉴욕 시간",
        "런던시간 2026-12-03 15:00",
        "KST 2026-12-03 15:00",
        "2026-12-03 15:00 America/New_York",
        "2026-12-03T15:00:00[Europe/Berlin]",
    ] {
        let reading = read(input, Want::DateTime).expect(input);
        assert_eq!(
            (reading.value.as_str(), reading.inferred),
            ("2026-12-03T15:00:00", vec!["zone_dropped"]),
            "{input}"
        );
    }
    for input in [
        "Meeting time: 2026-12-03 3pm",
        "회의 시간 2026-12-03 15:00",
        "PT 2026-12-03 15:00",
        "2026-12-03 3pm in London",
        "2026-12-03 3pm, please eat well",
        "2026-12-03 15:00 KST (Seoul)",
    ] {
        let reading = read(input, Want::DateTime).expect(input);
        assert!(reading.inferred.is_empty(), "{input}");
    }
    assert_eq!(read("2026-12-03 15:00 -16:00", Want::DateTime), None, "the end of a range");
}

#[test]
fn a_bound_is_refused_and_what_is_rough_or_asked_is_named() {
    for input in [
        "내일 오후 3시 이내",
        "내일 오후 3시 내",
        "내일 오후 3시 안으로",
        "내일 오후 3시 지나",
        "Dec 3 within 3pm",
        "Dec 3 >3pm",
        "<= Dec 3 3pm",
        "Dec 3 3pm+",
        "Fridays at 3pm",
        "격주 금요일 오후 3시",
    ] {
        assert_eq!(read(input, Want::DateTime), None, "{input}");
    }
    for (input, mark) in [
        ("tomorrow 3pm-ish", "roughly_dropped"),
        ("tomorrow 3pm ish", "roughly_dropped"),
        ("내일 오후 3시 전후", "roughly_dropped"),
        ("내일 약 15시", "roughly_dropped"),
        ("maybe tomorrow 3pm", "roughly_dropped"),
        ("아마 내일 오후 3시", "roughly_dropped"),
        ("내일 오후 3시?", "question_dropped"),
        ("내일 오후 3시 맞나요?", "question_dropped"),
        ("tomorrow at 3pm?", "question_dropped"),
    ] {
        let reading = read(input, Want::DateTime).expect(input);
        assert_eq!((reading.value.as_str(), reading.inferred), ("2026-12-01T15:00:00", vec![mark]), "{input}");
    }
    for input in [
        "내 생일 파티 내일 오후 3시",
        "내일 오후 3시 내 방",
        "약속: 내일 오후 3시",
        "내일 오후 3시 경기장",
        "아마존 배송 내일 오후 3시",
        "meeting => tomorrow 3pm",
    ] {
        assert!(read(input, Want::DateTime).is_some_and(|reading| reading.inferred.is_empty()), "{input}");
    }
    assert!(read("Free? tomorrow 3pm", Want::DateTime).is_some_and(|reading| reading.inferred.is_empty()));
}

#[test]
fn a_number_of_a_room_or_a_floor_is_no_day() {
    check(
        Want::DateTime,
        &[
            ("Dec 3 room 5 3pm", "2026-12-03T15:00:00"),
            ("Dec 3 5pm 3rd floor", "2026-12-03T17:00:00"),
            ("December 3rd Room 5, 3pm", "2026-12-03T15:00:00"),
            ("Friday 3rd floor 5pm", "2026-12-04T17:00:00"),
            ("Friday 2nd team 5pm", "2026-12-04T17:00:00"),
            ("Friday sixth floor 5pm", "2026-12-04T17:00:00"),
            ("tomorrow 5pm 3rd floor", "2026-12-01T17:00:00"),
        ],
    );
    for input in ["Dec, room 5, 3pm", "Dec 3 people 3pm", "Dec 3 hours"] {
        assert_eq!(read(input, Want::DateTime), None, "{input}");
    }
    check(
        Want::Date,
        &[("the 3rd", "2026-12-03"), ("Friday the 4th works", "2026-12-04"), ("3rd of December", "2026-12-03")],
    );
}

#[test]
fn an_hour_that_its_part_of_the_day_does_not_have_is_refused() {
    for input in ["내일 새벽 11시", "내일 낮 9시", "내일 저녁 12시", "내일 저녁 3시", "내일 밤 5시"]
    {
        assert_eq!(read(input, Want::DateTime), None, "{input}");
    }
    check(
        Want::DateTime,
        &[
            ("내일 새벽 5시", "2026-12-01T05:00:00"),
            ("내일 낮 2시", "2026-12-01T14:00:00"),
            ("내일 저녁 6시", "2026-12-01T18:00:00"),
            ("2 in the morning tomorrow", "2026-12-01T02:00:00"),
        ],
    );
}

#[test]
fn iso_without_separators_and_points_beside_a_weekday_are_dates() {
    check(
        Want::DateTime,
        &[
            ("20261203T150000", "2026-12-03T15:00:00"),
            ("20261203T1500+0900", "2026-12-03T15:00:00+09:00"),
            ("12.3(목) 15:00", "2026-12-03T15:00:00"),
        ],
    );
    for input in ["12.3(금) 15:00", "12.3 15:00", "20261203T15", "20261203T150000x", "20261303T150000"] {
        assert_eq!(read(input, Want::DateTime), None, "{input}");
    }
}

#[test]
fn a_refused_day_is_told_why() {
    for (input, why) in [
        ("Wednesday, 1 December 2026", Some("2026-12-01 is a Tuesday, not a Wednesday")),
        ("12월 3일 (금)", Some("2026-12-03 is a Thursday, not a Friday")),
        ("2월 30일", Some("February 2026 has 28 days")),
        ("2028-02-30", Some("February 2028 has 29 days")),
        ("12월 3일부터 5일까지", Some("a text with \"부터\" is not read as one day or time")),
        ("before Dec 3", Some("a text with \"before\" is not read as one day or time")),
        ("soon", None),
        ("서울까지", None),
        ("", None),
    ] {
        assert_eq!(why_no_day(input, NOW.parse().expect("a time")).as_deref(), why, "{input}");
    }
}

#[test]
fn the_number_behind_a_month_is_its_day_where_an_hour_follows_the_half_of_the_day() {
    check(Want::DateTime, &[("Dec 3 PM 5:00", "2026-12-03T17:00:00"), ("Dec 3 pm 5:30, 2026", "2026-12-03T17:30:00")]);
    check(Want::DateTime, &[("Dec 3pm 5th", "2026-12-05T15:00:00")]);
    assert_eq!(read("Dec 3 pm 5", Want::DateTime), None);
    assert_eq!(read("Dec 3 pm 5", Want::Date), None);
}

#[test]
fn a_time_that_depends_on_something_or_was_moved_is_not_settled() {
    for text in [
        "Dec 4, 2026 3pm if possible",
        "Dec 4, 2026 3pm unless it rains",
        "Dec 4, 2026 3pm - postponed",
        "2026년 12월 4일 오후 3시 (잠정)",
        "2026년 12월 4일 오후 3시 연기됨",
        "originally Dec 4, 2026 3pm",
        "2026년 12월 4일 오후 3시 등",
    ] {
        let read = read(text, Want::DateTime).expect(text);
        assert_eq!(
            (read.value.as_str(), read.inferred.as_slice()),
            ("2026-12-04T15:00:00", ["roughly_dropped"].as_slice()),
            "{text}"
        );
    }
}

#[test]
fn the_end_of_a_range_right_behind_a_clock_is_no_offset() {
    for input in
        ["Dec 1, 2026 9:00-11:00", "내일 9:00-11:00", "내일 15:00-16:00", "2026-12-01 9:00-5:00", "내일 14:00-16"]
    {
        assert_eq!(read(input, Want::DateTime), None, "{input}");
    }
    check(
        Want::DateTime,
        &[
            ("Dec 1, 2026 14:00-05:00", "2026-12-01T14:00:00-05:00"),
            ("Dec 1, 2026 14:00+0900", "2026-12-01T14:00:00+09:00"),
            ("Dec 1, 2026 14:00-11:00", "2026-12-01T14:00:00-11:00"),
        ],
    );
}

#[test]
fn hours_of_each_day_or_week_may_be_a_rate() {
    for input in ["하루 2시간", "1일 8시간", "1주 40시간"] {
        assert_eq!(read(input, Want::Duration).map(|r| r.inferred), Some(vec!["rate_dropped"]), "{input}");
    }
    for input in ["이틀 3시간", "2시간 30분", "하루", "1 day 2 hours"] {
        assert_eq!(read(input, Want::Duration).map(|r| r.inferred), Some(vec![]), "{input}");
    }
}

#[test]
fn a_range_that_still_goes_on_is_no_day() {
    for text in [
        "2024-01-01 - present",
        "2020-01-01 to present",
        "2020-01-01 to the present",
        "Mar 5, 2024 – now.",
        "(2024-01-01 → current)",
        "2024년 3월 5일 - 현재",
        "2024.03.05 - 재직 중",
    ] {
        assert_eq!(read(text, Want::Date), None, "{text}");
    }
    assert_eq!(read("9am - now", Want::Time), None);
    for (text, day) in [("현재", "2026-11-30"), ("June 12 - currently set", "2026-06-12")] {
        assert_eq!(read(text, Want::Date).map(|read| read.value).as_deref(), Some(day), "{text}");
    }
}
