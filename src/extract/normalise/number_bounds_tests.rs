//! Which words beside a number make a bound or a guess of it.

use super::*;

#[test]
fn more_words_for_a_bound_are_no_number() {
    for text in [
        "starting at 20,000 won",
        "20,000 won and up",
        "20,000 won onwards",
        "upwards of 20,000",
        "north of 20,000",
        "as low as 20,000 won",
        "2만원 안쪽",
        "2만원 한도",
        "시작가 5만원",
        "25 초과",
        "25초과",
        "20,000 hundred",
        "from 20,000 won",
        "within 20,000 won",
        "2만원의 절반",
        "20,000 won plus tax",
        "20,000 won cap",
        "2만↑",
        "2만원 ↓",
    ] {
        assert_eq!(number(text), None, "{text}");
    }
    assert_eq!(number("25 초").map(|reading| reading.value), Some(Number::from(25)));
}

#[test]
fn more_words_for_a_guess_are_told() {
    for text in [
        "ca. 20,000",
        "est. 20,000",
        "20,000 (est.)",
        "20,000 (approx.)",
        "20,000 won-ish",
        "20,000ish",
        "20,000 ballpark",
        "2만원 선",
        "2만원 꼴",
        "평균 2만원",
        "2만원 마이너스",
        "2만원 플러스",
        "2만원 선에서",
        "최저 2만원",
        "an average of 20,000 won",
        "20,000개 품절",
        "20,000...",
    ] {
        assert!(number(text).is_some_and(|reading| reading.lossy && reading.value == Number::from(20_000)), "{text}");
    }
}

#[test]
fn half_of_an_amount_and_a_few_of_it_are_none_of_that_amount() {
    for text in ["반 만원", "몇 만원", "몇 백만원", "가격은 몇 만원", "35만원 반", "백만 원 반", "만원 반입니다"]
    {
        assert_eq!(number(text), None, "{text}");
    }
    assert!(number("만원 반도체").is_some_and(|reading| !reading.lossy));
}

#[test]
fn what_may_be_a_score_an_account_or_millions_is_told() {
    for text in ["8/4", "2/2", "2/2 passed", "1/1", "3MM", "$5MM", "(500)", "—5", "5만원 반값"] {
        assert!(number(text).is_some_and(|reading| reading.lossy), "{text}");
    }
    for text in ["1/4", "2 1/4", "3/2", "3mm", "500 (won)", "-5", "−5", "[500]"] {
        assert!(number(text).is_some_and(|reading| !reading.lossy), "{text}");
    }
}

#[test]
fn a_dash_before_a_size_alone_is_a_place_left_blank() {
    for text in ["-억원", "- 만원", "– 천원", "-백만원", "- 억 원", "매출: - 만원", "- 만원 (미정)"]
    {
        assert_eq!(number(text), None, "{text}");
    }
    for (text, value) in [
        ("-3억원", -300_000_000),
        ("-천오백원", -1_500),
        ("만원", 10_000),
        ("마이너스 백만원", -1_000_000),
        ("- 의자 3만원", 30_000),
    ] {
        assert_eq!(number(text).map(|reading| reading.value), Some(Number::from(value)), "{text}");
    }
}
