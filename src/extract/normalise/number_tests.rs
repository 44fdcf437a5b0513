//! What texts are numbers, which number, and which are none.

use proptest::prelude::*;

use super::*;

fn read(input: &str) -> Option<String> {
    number(input).map(|reading| reading.value.to_string())
}

#[test]
fn korean_amounts_become_plain_numbers() {
    for (input, value) in [
        ("120만원", "1200000"),
        ("천이백만원", "12000000"),
        ("1,200,000원", "1200000"),
        ("３５０만원", "3500000"),
        ("3.5억", "350000000"),
        ("1억 2천만 원", "120000000"),
        ("사만오천 원정", "45000"),
        ("일만 이천", "12000"),
        ("약 3만 5천원 정도입니다", "35000"),
        ("₩ 89,000", "89000"),
        ("KRW 1,200", "1200"),
        ("-70만", "-700000"),
        ("마이너스 육십", "-60"),
        ("영하 12도", "-12"),
        ("지하 2층", "-2"),
        ("지하2층입니다", "-2"),
        ("지하 이층", "-2"),
        ("위치: 지하 2층", "-2"),
        ("지상 3층", "3"),
        ("육점일사", "6.14"),
        ("七百八十", "780"),
        ("삼 분의 일쯤", "0.3333333333333333"),
        ("이와 사분의 삼", "2.75"),
        ("6과 1/4", "6.25"),
        ("제로", "0"),
        ("30프로", "30"),
        ("두 다스", "24"),
    ] {
        assert_eq!(read(input).as_deref(), Some(value), "{input}");
    }
}

#[test]
fn counted_things_are_their_number() {
    for (input, value) in [
        ("스물여섯 살", "26"),
        ("세 명", "3"),
        ("네 마리", "4"),
        ("석 달", "3"),
        ("열두 개", "12"),
        ("십 사람", "10"),
        ("백 조각", "100"),
        ("두 시간 반", "2.5"),
        ("첫 번째", "1"),
        ("서른한째", "31"),
        ("제 7", "7"),
        ("31세", "31"),
        ("172.5cm", "172.5"),
        ("18 years old", "18"),
        ("4th", "4"),
        ("forty-second", "42"),
    ] {
        assert_eq!(read(input).as_deref(), Some(value), "{input}");
    }
}

#[test]
fn an_age_in_full_years_is_that_age() {
    for (input, value) in [
        ("만 25세", "25"),
        ("만28세", "28"),
        ("만 스물여덟 살", "28"),
        ("만스물여덟살입니다", "28"),
        ("나이는 만 25세입니다", "25"),
        ("만 0세", "0"),
        ("만 3년", "3"),
        ("만 18개월", "18"),
        ("만 오천", "15000"),
        ("만 500원", "10500"),
        ("오십세", "50"),
        ("삼십 세", "30"),
        ("백 세", "100"),
        ("만 오천원", "15000"),
        ("만 이천 명", "12000"),
        ("만 3천 세대", "13000"),
        ("만 명", "10000"),
        ("만", "10000"),
    ] {
        assert_eq!(read(input).as_deref(), Some(value), "{input}");
    }
    assert_eq!((read("만 28"), read("만28"), read("만 18세 이상")), (None, None, None));
}

#[test]
fn international_numbers_are_read() {
    for (input, value) in [
        ("$2,450.75", "2450.75"),
        ("-$18", "-18"),
        ("3.456,70 €", "3456.7"),
        ("4.2k", "4200"),
        ("1.5M USD", "1500000"),
        ("$7m", "7000000"),
        ("6 million dollars", "6000000"),
        ("eighteen hundred", "1800"),
        ("three hundred and forty", "340"),
        ("3/8", "0.375"),
        ("7/2", "3.5"),
        ("3/100", "0.03"),
        ("4 1/2", "4.5"),
        ("2^10", "1024"),
        ("7e-2", "0.07"),
        ("15 %", "15"),
        ("3½", "3.5"),
        ("2 ¾", "2.75"),
        ("2ea", "2"),
        ("No. 3", "3"),
        ("№3", "3"),
        ("350000 [won]", "350000"),
        ("three (3)", "3"),
        ("스물다섯(25)", "25"),
    ] {
        assert_eq!(read(input).as_deref(), Some(value), "{input}");
    }
}

#[test]
fn the_one_number_of_a_sentence_is_found() {
    for (input, value) in [
        ("가격은 85만원입니다.", "850000"),
        ("나이는 27", "27"),
        ("The total is 64.", "64"),
        ("It comes to 3,200 won in all", "3200"),
        ("보증금 5천만원", "50000000"),
        ("총45만원", "450000"),
        ("90만원 (900,000원)", "900000"),
        ("this one costs $5", "5"),
        ("만일을 위해 3개", "3"),
        ("일단 3개", "3"),
        ("사장님 세 명", "3"),
        ("만두 3개", "3"),
    ] {
        assert_eq!(read(input).as_deref(), Some(value), "{input}");
    }
}

#[test]
fn words_that_only_look_like_numbers_are_refused() {
    for input in [
        "서울",
        "오이",
        "이사",
        "만나서",
        "구두",
        "네",
        "사과 이상하다",
        "이 사람은 친절하다",
        "한 번 해보자",
        "천만에요",
        "만남",
        "일기",
        "사이",
        "삼성",
        "구청",
        "someone",
        "often",
        "a",
        "once more",
        "제일",
        "해",
        "조용히",
        "만일",
        "일단",
        "이번",
        "사장",
        "만두",
        "사건은",
        "서점",
        "공개",
        "너도",
        "한도",
        "지하",
        "지하 주차장 3층",
    ] {
        assert_eq!(read(input), None, "{input}");
    }
}

#[test]
fn two_numbers_bounds_and_keys_are_refused() {
    for input in [
        "보증금 5천만원 월세 60만원",
        "오만 원권 세 장",
        "5만원권 3장",
        "만원짜리 세 장",
        "500/50",
        "보증금 500/50",
        "24/7",
        "120/80",
        "2억 3000",
        "3억 5천원",
        "100만원 이상",
        "100~200만원",
        "3만원 또는 4만원",
        "at least 5 dollars",
        "two items for $5",
        "전화 010-1234-5678",
        "2026-11-05",
        "14:30",
        "A123",
        "iPhone 15",
        "COVID-19",
        "192.168.0.1",
        "v2.0",
        "-+1",
        "1,23",
        "3.5m",
        "11월 5일",
        "",
        "$",
        "-",
    ] {
        assert_eq!(read(input), None, "{input}");
    }
}

#[test]
fn what_is_denied_or_one_of_a_range_is_refused() {
    for input in [
        "하나도 없음",
        "하나도 없다",
        "3개 없음",
        "5개 아님",
        "5개가 아닙니다",
        "5명 빼고",
        "3개 미정",
        "백만원 아래",
        "100만원 밑",
        "100만원 위로",
        "100만원 이내",
        "100만원이 안 됨",
        "100만원도 안돼요",
        "백만원 조금 안 되는 돈",
        "적어도 5개",
        "두세 명",
        "삼십 세 명",
        "3개, 없음",
        "두 세 명",
        "한 두 개",
        "네 다섯 명",
        "여덟 아홉 명",
        "다섯에서 여섯 명",
        "하나도",
        "한 명도",
        "열두세 명",
        "20대 후반",
        "30대 중반",
        "이십대 초반",
        "300만원 후반",
        "no $5",
        "without $5",
        "it wasn't 5 dollars",
        "doesn't cost 5 dollars",
        "no fewer than 5 dollars",
        "5 dollars short",
        "$5 off",
        "one of 5 items",
        "> 5 items",
    ] {
        assert_eq!(read(input), None, "{input}");
    }
    for (input, value) in [
        ("5만원, 하자 없음", "50000"),
        ("한 번도 안 쓴 새 제품 5만원", "50000"),
        ("안내 책자 3권", "3"),
        ("세 살", "3"),
        ("세 명", "3"),
        ("두 개", "2"),
    ] {
        assert_eq!(read(input).as_deref(), Some(value), "{input}");
    }
}

#[test]
fn what_the_number_leaves_out_is_called_lossy() {
    for (input, lossy, integer) in [
        ("120만원", false, true),
        ("약 120만원", true, true),
        ("백만 원 안팎", true, true),
        ("100만원 안팎으로", true, true),
        ("백만원 남짓", true, true),
        ("한 100만원", true, true),
        ("35만원 네고 불가", false, true),
        ("3개 재고 없음", true, true),
        ("35만원 (네고 불가)", false, true),
        ("아마 5개", true, true),
        ("maybe 5 items", true, true),
        ("5개?", true, true),
        ("20대", true, true),
        ("스무 대", false, true),
        ("이십 대", true, true),
        ("25대", false, true),
        ("25%", true, true),
        ("1/3", true, false),
        ("1/4", false, false),
        ("9/10", true, false),
        ("1.5", false, false),
        ("123,456,789,012,345,678,901,234", true, true),
    ] {
        let reading = number(input).expect(input);
        assert_eq!((reading.lossy, reading.is_integer), (lossy, integer), "{input}");
    }
}

#[test]
fn a_point_groups_the_digits_of_a_currency_without_decimals() {
    for (input, value, lossy) in [
        ("350.000원", "350000", true),
        ("₩3.500", "3500", true),
        ("350.000 KRW", "350000", true),
        ("JPY 12.000", "12000", true),
        ("1.350.000원", "1350000", false),
        ("12.5원", "12.5", false),
        ("0.350원", "0.35", false),
        ("$1.000", "1", false),
        ("10.000명", "10", true),
        ("10.000 kg", "10", true),
        ("1500.000원", "1500", true),
        ("1,500.000원", "1500", true),
        ("3.500만", "35000", false),
    ] {
        let reading = number(input).expect(input);
        assert_eq!((reading.value.to_string().as_str(), reading.lossy), (value, lossy), "{input}");
    }
}

#[test]
fn a_size_apart_from_its_digits_is_never_dropped() {
    for (input, value, lossy) in [
        ("3 M", Some("3000000"), true),
        ("2 k", Some("2000"), true),
        ("3 M won", Some("3000000"), false),
        ("$3 B", Some("3000000000"), false),
        ("5 bn", Some("5000000000"), false),
        ("3 B", None, false),
        ("3 T", None, false),
        ("5 m", Some("5"), false),
    ] {
        let reading = number(input);
        assert_eq!(reading.as_ref().map(|r| r.value.to_string()).as_deref(), value, "{input}");
        assert_eq!(reading.is_some_and(|r| r.lossy), lossy, "{input}");
    }
}

#[test]
fn a_word_behind_a_number_that_goes_on_makes_it_another() {
    for input in [
        "세 명과 두 마리",
        "3개와 5개",
        "2만 원대",
        "3만 몇천원",
        "3만 얼마",
        "3만 여 명",
        "3만 여원",
        "3만 원권 두 장",
        "3만 원어치",
    ] {
        assert_eq!(read(input), None, "{input}");
    }
    assert_eq!((read("25세 여성"), read("수박 3개 수박")), (Some("25".into()), Some("3".into())));
    for input in ["3만원 + 택배비", "5만원 할인", "3만원 더 비쌈"] {
        assert!(number(input).expect(input).lossy, "{input}");
    }
    assert_eq!(
        (read("제3조"), read("제 3조"), read("3조")),
        (Some("3".into()), Some("3".into()), Some("3000000000000".into()))
    );
}

#[test]
fn a_unit_or_a_remark_may_stand_in_brackets_behind_it() {
    for (input, value, lossy) in [
        ("350000 (won)", "350000", false),
        ("120 (만원)", "1200000", false),
        ("7 (seven)", "7", false),
        ("42 (approx.)", "42", true),
        ("42 (including tax)", "42", true),
    ] {
        let reading = number(input).expect(input);
        assert_eq!((reading.value.to_string().as_str(), reading.lossy), (value, lossy), "{input}");
    }
    for input in ["42 (at least)", "42 (not confirmed)", "42 (43)", "5 (취소)", "42 (was 43)"] {
        assert_eq!(read(input), None, "{input}");
    }
}

#[test]
fn words_may_lead_to_a_bare_number_at_the_end() {
    for input in ["It's 7.", "only 7", "Exactly 7.", "That's 7", "총 7", "딱 7"] {
        assert_eq!(read(input).as_deref(), Some("7"), "{input}");
    }
    for input in ["not only 7", "It's 7 or 8", "room 7", "only 7 to 8"] {
        assert_eq!(read(input), None, "{input}");
    }
}

#[test]
fn a_denial_in_the_next_clause_is_not_the_numbers() {
    for input in ["가격은 35만원이고 네고 불가", "35만원인데 네고 안 됩니다"] {
        let reading = number(input).expect(input);
        assert_eq!((reading.value.to_string().as_str(), reading.lossy), ("350000", false), "{input}");
    }
    assert_eq!(read("35만원이고 아님"), None);
}

#[test]
fn a_text_over_a_kibibyte_is_no_number() {
    assert_eq!(read(&format!("{}1", "0".repeat(1100))), None);
    assert_eq!(read(&"일 ".repeat(2000)), None);
}

/// `value` in Sino-Korean words.
fn korean_words(mut value: u64, with_one: bool) -> String {
    const DIGITS: [&str; 10] = ["", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구"];
    let mut groups = Vec::new();
    for myriad in ["", "만", "억", "조", "경"] {
        let group = value % 10_000;
        value /= 10_000;
        if group == 0 {
            continue;
        }
        let mut words = String::new();
        for (unit, name) in [(1000, "천"), (100, "백"), (10, "십"), (1, "")] {
            let digit = (group / unit % 10) as usize;
            if digit > 0 {
                let silent = digit == 1 && unit > 1 && !with_one;
                words += if silent { "" } else { DIGITS[digit] };
                words += name;
            }
        }
        groups.insert(0, words + myriad);
    }
    groups.concat()
}

proptest! {
    #[test]
    fn korean_words_read_back_as_the_number_they_say(value in 1u64..100_000_000_000_000_000, with_one: bool) {
        // 삼억 오천 may be said for 삼억 오천만, and is refused.
        prop_assume!(value < 100_000_000 || value / 10_000 % 10_000 > 0 || value % 1000 > 0 || value % 10_000 == 0);
        let words = korean_words(value, with_one);
        prop_assert_eq!(read(&words), Some(value.to_string()), "{}", words);
        prop_assert_eq!(read(&format!("{words}원")), Some(value.to_string()));
    }

    #[test]
    fn grouped_digits_read_back(value in 1000u64..1_000_000_000_000) {
        let plain = value.to_string();
        let mut grouped = String::new();
        for (index, digit) in plain.chars().enumerate() {
            if index > 0 && (plain.len() - index) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        prop_assert_eq!(read(&grouped), Some(plain));
    }

    #[test]
    fn no_text_panics(input in "\\PC{0,80}", pieces in proptest::collection::vec("[0-9]|만|억|점|일|십|분의|,|\\.|-|\\^|e|/| |half|million|and|k|원|%|\\(|\\)|M|won", 0..24)) {
        let _ = number(&input);
        let _ = number(&pieces.concat());
    }
}
