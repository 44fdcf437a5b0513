//! What texts are times, which moment at a given now, and which are none.

use proptest::prelude::*;

use super::*;

/// A Wednesday.
const NOW: &str = "2026-06-10T09:20:00";

fn read(input: &str, want: Want) -> Option<String> {
    time(input, NOW.parse().expect("a time"), want).map(|reading| reading.value)
}

fn check(want: Want, rows: &[(&str, &str)]) {
    for (input, value) in rows {
        assert_eq!(read(input, want).as_deref(), Some(*value), "{input}");
    }
}

#[test]
fn korean_dates_are_read() {
    check(
        Want::Date,
        &[
            ("오늘", "2026-06-10"),
            ("내일", "2026-06-11"),
            ("낼모레", "2026-06-12"),
            ("글피", "2026-06-13"),
            ("어저께", "2026-06-09"),
            ("그끄저께", "2026-06-07"),
            ("금요일", "2026-06-12"),
            ("수요일", "2026-06-17"),
            ("이번 주 월요일", "2026-06-08"),
            ("다음주 목요일", "2026-06-18"),
            ("다다음 주 화요일", "2026-06-23"),
            ("지난주 토요일", "2026-06-06"),
            ("지난 수요일", "2026-06-03"),
            ("다음 금요일", "2026-06-19"),
            ("돌아오는 금요일", "2026-06-12"),
            ("이번 주말", "2026-06-13"),
            ("8월 20일", "2026-08-20"),
            ("팔월 이십일", "2026-08-20"),
            ("유월 십일일", "2026-06-11"),
            ("1월 3일", "2026-01-03"),
            ("오는 1월 3일", "2027-01-03"),
            ("지난 8월 20일", "2025-08-20"),
            ("내년 4월 15일", "2027-04-15"),
            ("2031년 7월 4일", "2031-07-04"),
            ("98년 7월 4일", "1998-07-04"),
            ("2027. 1. 9.", "2027-01-09"),
            ("27/1/9", "2027-01-09"),
            ("20270109", "2027-01-09"),
            ("다음달 3일", "2026-07-03"),
            ("이달 말일", "2026-06-30"),
            ("2028년 2월 마지막 날", "2028-02-29"),
            ("7월 둘째 주 금요일", "2026-07-10"),
            ("9월 마지막 목요일", "2026-09-24"),
            ("25일", "2026-06-25"),
            ("5일", "2026-07-05"),
            ("13일의 금요일", "2026-11-13"),
            ("나흘 뒤", "2026-06-14"),
            ("3주 전", "2026-05-20"),
            ("두 달 후", "2026-08-10"),
            ("6개월 뒤에", "2026-12-10"),
            ("한글날", "2026-10-09"),
            ("삼일절", "2027-03-01"),
            ("작년 성탄절", "2025-12-25"),
            ("6월 12일 금요일", "2026-06-12"),
            ("6월 12일(금)", "2026-06-12"),
            ("발표는 6월 12일입니다", "2026-06-12"),
            ("6월 12일 밤 12시", "2026-06-12"),
        ],
    );
}

#[test]
fn korean_moments_are_read() {
    check(
        Want::DateTime,
        &[
            ("지금", "2026-06-10T09:20:00"),
            ("11월 5일 오후 2시", "2026-11-05T14:00:00"),
            ("11월5일 오후2시30분", "2026-11-05T14:30:00"),
            ("모레 저녁 7시 반", "2026-06-12T19:30:00"),
            ("어제 밤 11시", "2026-06-09T23:00:00"),
            ("오늘밤 열두시", "2026-06-11T00:00:00"),
            ("오늘 밤 1시", "2026-06-11T01:00:00"),
            ("오전 여덟시", "2026-06-11T08:00:00"),
            ("오전 10시", "2026-06-10T10:00:00"),
            ("두시", "2026-06-10T14:00:00"),
            ("열시 십분 전", "2026-06-10T09:50:00"),
            ("새벽 4시", "2026-06-11T04:00:00"),
            ("낮 12시 15분", "2026-06-10T12:15:00"),
            ("정오", "2026-06-10T12:00:00"),
            ("자정", "2026-06-11T00:00:00"),
            ("18:45", "2026-06-10T18:45:00"),
            ("오후 4:05", "2026-06-10T16:05:00"),
            ("토요일 오전 11시 반", "2026-06-13T11:30:00"),
            ("2027년 2월 3일 16시 5분 9초", "2027-02-03T16:05:09"),
            ("2027-02-03 08:15", "2027-02-03T08:15:00"),
            ("한 시간 뒤", "2026-06-10T10:20:00"),
            ("두시간 반 안에", "2026-06-10T11:50:00"),
            ("45분 전", "2026-06-10T08:35:00"),
            ("이틀 뒤", "2026-06-12T09:00:00"),
            ("열흘 뒤 오후 3시", "2026-06-20T15:00:00"),
            ("오후 3시 (KST)", "2026-06-10T15:00:00+09:00"),
            ("오늘 3시", "2026-06-10T15:00:00"),
            ("2026년 6월 10일 3시", "2026-06-10T03:00:00"),
            ("회의는 6월 15일 오후 1시에 열립니다", "2026-06-15T13:00:00"),
        ],
    );
}

#[test]
fn english_times_are_read() {
    check(
        Want::DateTime,
        &[
            ("Nov 5 at 2pm", "2026-11-05T14:00:00"),
            ("tomorrow at 7:30 pm", "2026-06-11T19:30:00"),
            ("Friday at noon", "2026-06-12T12:00:00"),
            ("today at 17:05:30", "2026-06-10T17:05:30"),
            ("half past seven in the evening", "2026-06-10T19:30:00"),
            ("quarter to 4 pm", "2026-06-10T15:45:00"),
            ("August 2nd, 2027, 9 a.m.", "2027-08-02T09:00:00"),
            ("the meeting is on 3 July at 10 am", "2026-07-03T10:00:00"),
            ("in 90 minutes", "2026-06-10T10:50:00"),
            ("6pm UTC+2", "2026-06-10T18:00:00+02:00"),
        ],
    );
    check(
        Want::Date,
        &[
            ("next Monday", "2026-06-15"),
            ("last Friday", "2026-06-05"),
            ("in 3 days", "2026-06-13"),
            ("two weeks ago", "2026-05-27"),
            ("5th of November 2027", "2027-11-05"),
            ("November fifth", "2026-11-05"),
            ("the day after tomorrow", "2026-06-12"),
            ("first Monday of September", "2026-09-07"),
            ("last Friday of next month", "2026-07-31"),
            ("11/5/2026", "2026-11-05"),
            ("25/12/2026", "2026-12-25"),
            ("25.12.2026", "2026-12-25"),
            ("Christmas Eve", "2026-12-24"),
        ],
    );
}

#[test]
fn times_of_day_and_lengths_are_read() {
    check(
        Want::Time,
        &[("오후 3시 반", "15:30:00"), ("noon", "12:00:00"), ("7:05 pm", "19:05:00"), ("23시 59분 1초", "23:59:01")],
    );
    check(
        Want::Duration,
        &[
            ("2시간 30분", "PT2H30M"),
            ("두 시간 반", "PT2H30M"),
            ("90 minutes", "PT90M"),
            ("1.5 hours", "PT1H30M"),
            ("사흘", "P3D"),
            ("1년 6개월", "P1Y6M"),
            ("3 weeks", "P21D"),
            ("약 40분 정도", "PT40M"),
            ("1 hour, 15 minutes and 30 seconds", "PT1H15M30S"),
        ],
    );
}

#[test]
fn what_is_no_moment_is_refused() {
    for input in [
        "2월 30일",
        "2026/2/30",
        "13월 1일",
        "6월 12일 월요일",
        "25시",
        "오전 14시",
        "3시 70분",
        "이번 주",
        "다음 달",
        "3월",
        "2026년",
        "내일 아침",
        "매주 월요일 3시",
        "내일 3시까지",
        "2시부터 4시까지",
        "3시~5시",
        "설날",
        "추석 오후 2시",
        "6월 말",
        "오늘의집",
        "내일배움카드",
        "every Monday at 9am",
        "before noon",
        "Monday or Tuesday",
        "100만원",
        "서울",
        "1,200",
        "12",
        "-5",
        "2026-13-40",
        "1.2.3.4",
        "9999년 12월 31일 밤 12시",
        "99999999년 후",
        "",
    ] {
        assert_eq!(read(input, Want::DateTime), None, "{input}");
    }
    assert_eq!(read("오후 2시", Want::Date), None, "an hour says no day");
    assert_eq!(read("내일", Want::Time), None);
    assert_eq!(read("3601", Want::Duration), None, "a number without a unit is no length");
}

#[test]
fn what_the_text_leaves_open_is_named() {
    let now = NOW.parse().expect("a time");
    for (input, want, kind, inferred) in [
        ("11월 5일 오후 2시", Want::DateTime, "korean_time", vec!["year_inferred"]),
        ("2027년 11월 5일 오후 2시", Want::DateTime, "korean_time", vec![]),
        ("오후 2시", Want::DateTime, "relative_time", vec!["day_inferred"]),
        ("2시", Want::DateTime, "relative_time", vec!["day_inferred", "meridiem_inferred"]),
        ("내일", Want::DateTime, "relative_time", vec!["time_inferred"]),
        ("11/5/2026", Want::Date, "written_time", vec!["day_month_order_inferred"]),
        ("25/12/2026", Want::Date, "written_time", vec![]),
        ("내일 3시쯤", Want::Date, "relative_time", vec!["roughly_dropped", "meridiem_inferred", "time_dropped"]),
        ("금요일", Want::Date, "relative_time", vec!["week_inferred"]),
        ("1시간 안에", Want::DateTime, "relative_time", vec!["interval_end_inferred"]),
    ] {
        let reading = time(input, now, want).expect(input);
        assert_eq!((reading.kind, reading.inferred), (kind, inferred), "{input}");
    }
}

#[test]
fn december_said_in_january_is_this_years() {
    let now = "2026-01-02T08:00:00".parse().expect("a time");
    let reading = time("12월 30일", now, Want::Date).expect("a date");
    assert_eq!((reading.value.as_str(), reading.inferred), ("2026-12-30", vec!["year_inferred"]));
}

proptest! {
    #[test]
    fn a_date_in_korean_reads_back(days in 0i32..36_500, hour in 0i8..24, minute in 0i8..60) {
        let day = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days)).expect("in range");
        let part = if hour < 12 { "오전" } else { "오후" };
        let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
        let text = format!("{}년 {}월 {}일 {part} {twelve}시 {minute}분", day.year(), day.month(), day.day());
        let wanted = format!("{day}T{hour:02}:{minute:02}:00");
        prop_assert_eq!(read(&text, Want::DateTime), Some(wanted));
    }

    #[test]
    fn no_text_panics(
        input in "\\PC{0,60}",
        pieces in proptest::collection::vec(
            "[0-9]{1,3}|년|월|일|시|분|초|반|전|후|오전|밤|다음|주| |/|-|:|\\.|pm|at|last|friday|march|하루|마지막|내일|kst|\\+|t|room|'|#|명",
            0..14,
        ),
        year in -9999i16..=9999,
    ) {
        let now = jiff::civil::date(year, 12, 31).at(23, 59, 59, 0);
        for want in [Want::Date, Want::DateTime, Want::Time, Want::Duration] {
            let _ = time(&input, now, want);
            let _ = time(&pieces.concat(), now, want);
        }
    }
}

#[test]
fn a_weekday_in_brackets_must_be_the_dates_and_the_moons_calendar_is_not_read() {
    let now = "2026-06-10T09:20:00".parse().expect("a time");
    let read = |text: &str| time(text, now, Want::DateTime).map(|reading| reading.value);
    assert_eq!(read("11월 5일(목) 오후 2시").as_deref(), Some("2026-11-05T14:00:00"));
    assert_eq!((read("11월 5일(금) 오후 2시"), read("음력 1월 1일")), (None, None));
}

#[test]
fn twelve_without_a_half_of_the_day_is_noon() {
    for (now, text, value) in [
        ("2026-06-10T09:20:00", "12시", "2026-06-10T12:00:00"),
        ("2026-06-10T15:00:00", "12시", "2026-06-11T12:00:00"),
        ("2026-06-10T15:00:00", "12시 30분", "2026-06-11T12:30:00"),
        ("2026-06-10T12:10:00", "열두시 십오분", "2026-06-10T12:15:00"),
        ("2026-06-10T15:00:00", "12:30", "2026-06-11T12:30:00"),
        ("2026-06-10T15:00:00", "오늘 12시", "2026-06-10T12:00:00"),
    ] {
        let reading = time(text, now.parse().expect("a time"), Want::DateTime).expect(text);
        assert_eq!(reading.value, value, "{text} at {now}");
        assert!(reading.inferred.contains(&"meridiem_inferred"), "{text}");
    }
    assert_eq!(read("밤 12시", Want::DateTime).as_deref(), Some("2026-06-11T00:00:00"));
}

#[test]
fn a_time_that_is_denied_is_refused() {
    for input in [
        "11월 5일 아님",
        "11월 5일은 아닙니다",
        "11월 5일 안 됨",
        "11월 5일 취소",
        "11월 5일 못 감",
        "11월 5일 제외",
        "11월 5일 오후 2시 말고",
        "Nov 5 isn't ok",
        "Nov 5 won't work",
        "except Nov 5",
        "without Nov 5",
        "cancelled: Nov 5",
        "11월 5일, 취소",
        "Nov 5 (cancelled)",
    ] {
        assert_eq!(read(input, Want::DateTime), None, "{input}");
    }
    for input in [
        "안내: 11월 5일 오후 2시",
        "11월 5일 오후 2시 (주차 불가)",
        "11월 5일 오후 2시, 늦지 않게 오세요",
        "Nov 5, 2pm (no refunds)",
    ] {
        assert!(read(input, Want::DateTime).is_some(), "{input}");
    }
}

#[test]
fn the_half_of_the_day_may_be_said_twice_if_both_agree() {
    check(
        Want::DateTime,
        &[
            ("tonight at 9pm", "2026-06-10T21:00:00"),
            ("this evening at 7pm", "2026-06-10T19:00:00"),
            ("3pm this afternoon", "2026-06-10T15:00:00"),
            ("오늘 저녁 오후 7시", "2026-06-10T19:00:00"),
            ("내일 오전 아침 8시", "2026-06-11T08:00:00"),
            ("오늘 밤 오전 1시", "2026-06-11T01:00:00"),
            ("noon 12pm", "2026-06-10T12:00:00"),
            ("12 noon tomorrow", "2026-06-11T12:00:00"),
        ],
    );
    for input in ["tomorrow morning at 9pm", "tonight at 9am", "오늘 저녁 오전 7시", "오후 새벽 3시"] {
        assert_eq!(read(input, Want::DateTime), None, "{input}");
    }
}

#[test]
fn a_number_of_something_else_beside_a_time_is_left_out_and_named() {
    let now = NOW.parse().expect("a time");
    for input in [
        "11월 5일 오후 2시, 3층 회의실",
        "Nov 5 at 2pm in room 101",
        "Room 3, Nov 5, 2pm",
        "11월 5일 오후 2시 회의실3에서",
        "11월 5일 오후 2시, 30분 회의",
        "Nov 5 at 2pm for 2 hours",
        "order 2025 ships Nov 5 at 2pm",
        "gate B12, Nov 5 at 2pm",
        "11월 5일 오후 2시 010-1234-5678로 연락",
        "₩20,000, 11월 5일 오후 2시",
        "two people, Nov 5 2pm",
    ] {
        let reading = time(input, now, Want::DateTime).expect(input);
        assert_eq!(reading.value, "2026-11-05T14:00:00", "{input}");
        assert!(reading.inferred.contains(&"number_dropped"), "{input}");
    }
}

#[test]
fn two_days_or_two_hours_are_neither() {
    for input in [
        "11월 5, 6일 오후 2시",
        "Nov 5 and 6 at 2pm",
        "Nov 5, maybe 6, at 2pm",
        "5, 6 Nov 2pm",
        "meeting Nov 5 2pm, lunch 3pm",
        "Nov 5 2pm, Nov 6 2pm",
        "11월 5일 14:00, 16:00",
        "11월 5일 오후 2시 30",
        "Nov5 room 3, 2pm Nov 6",
        "Nov 5 at 1430",
        "Nov 5 2pm onwards",
        "11월 5일 오후 2시 전까지",
        "11월 5일 오후 2시 직전",
        "늦어도 11월 5일 오후 2시",
        "화/목 오후 2시",
        "Nov 5, room 3",
        "Nov 5 2pm, room '3",
    ] {
        assert_eq!(read(input, Want::DateTime), None, "{input}");
    }
}

#[test]
fn lengths_in_letters_and_halves_are_read() {
    for (input, value) in
        [("2h 30m", "PT2H30M"), ("2h30m", "PT2H30M"), ("an hour and a half", "PT1H30M"), ("1h", "PT1H")]
    {
        assert_eq!(read(input, Want::Duration).as_deref(), Some(value), "{input}");
    }
    for input in ["30m", "2h30", "2m 30h"] {
        assert_eq!(read(input, Want::Duration), None, "{input}");
    }
}

#[test]
fn a_day_is_read_around_its_months_name() {
    check(Want::Date, &[("05-Mar-2024", "2024-03-05"), ("5-mar-2024", "2024-03-05"), ("05/Mar/2024", "2024-03-05")]);
    for input in ["05-Mar-24", "35-Mar-2024", "05-Mar-20245"] {
        assert_eq!(read(input, Want::Date), None, "{input}");
    }
}
