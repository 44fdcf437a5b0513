//! Which names are found in a sentence, and which sentences name none.

use super::*;

fn pick<'c>(text: &str, choices: &'c [&'c str]) -> Option<&'c str> {
    let listed: Vec<Choice> =
        choices.iter().map(|choice| Choice { value: Value::from(*choice), title: None, description: None }).collect();
    choose(text, &listed, "").map(|chosen| choices[chosen.index])
}

#[test]
fn a_name_in_its_capitals_is_meant_where_another_is_only_a_word() {
    let list = |names: &[&str]| {
        names.iter().map(|n| Choice { value: (*n).into(), title: None, description: None }).collect::<Vec<_>>()
    };
    let choose = |text: &str, choices: &[Choice]| choose(text, choices, "").map(|chosen| chosen.index);
    assert_eq!(choose("TWO is one of the answers", &list(&["ONE", "TWO"])), Some(1));
    assert_eq!(choose("ONE or TWO", &list(&["ONE", "TWO"])), None);
    assert_eq!(choose("TWO is one of the answers", &list(&["one", "two"])), None);
}

#[test]
fn a_name_is_found_as_whole_words_in_any_case() {
    let categories = ["refund", "cancel_order", "TechnicalSupport", "AccountIssue"];
    for (text, choice) in [
        ("The category is REFUND because the item broke.", "refund"),
        ("cancel order", "cancel_order"),
        ("I would say: Cancel-Order!", "cancel_order"),
        ("**Technical Support**", "TechnicalSupport"),
        ("ａｃｃｏｕｎｔ ｉｓｓｕｅ", "AccountIssue"),
    ] {
        assert_eq!(pick(text, &categories), Some(choice), "{text}");
    }
    assert_eq!(pick("refundable", &categories), None);
    assert_eq!(pick("order", &categories), None);
}

#[test]
fn korean_names_keep_their_particles() {
    let conditions = ["최상", "상", "중", "하"];
    assert_eq!(pick("상태: 최상", &conditions), Some("최상"));
    assert_eq!(pick("상태는 최상입니다.", &conditions), Some("최상"));
    assert_eq!(pick("등급은 중입니다", &conditions), Some("중"));
    assert_eq!(pick("중고로 하나 샀어요", &conditions), None);
    assert_eq!(pick("환불을 원합니다", &["환불", "교환"]), Some("환불"));
}

#[test]
fn the_longest_match_wins_and_two_names_are_refused() {
    let marks = ["good", "very good", "bad"];
    assert_eq!(pick("It is very good.", &marks), Some("very good"));
    assert_eq!(pick("good, not great; good indeed", &marks), Some("good"));
    assert_eq!(pick("good or bad", &marks), None);
    assert_eq!(pick("very good, but also good", &marks), None);
    assert_eq!(pick("It is not good.", &marks), None);
    assert_eq!(pick("환불이 아니라고 합니다", &["환불", "교환"]), None);
    for denied in
        ["환불은 아님", "환불 아닙니다", "환불 안 함", "환불 못 함", "환불 없음", "better than bad", "bad-ish"]
    {
        assert_eq!(pick(denied, &["환불", "교환", "bad", "good"]), None, "{denied}");
    }
}

#[test]
fn a_letter_is_a_name_only_as_an_answer() {
    let letters = ["A", "B"];
    for text in [
        "A",
        "A.",
        "A) the first",
        "The answer is B",
        "Answer: B, since it holds",
        "(B) is right",
        "The correct option is B: Paris",
        "정답: B번",
        "B입니다",
    ] {
        assert!(pick(text, &letters).is_some(), "{text}");
    }
    for text in ["A good question", "a", "such a day", "A or B", "A입니다만 B입니다"] {
        assert_eq!(pick(text, &letters), None, "{text}");
    }
}

#[test]
fn of_two_letters_none_is_chosen_nor_a_part_of_something_else() {
    let blood = ["A", "B", "O", "AB"];
    for text in ["A/B", "A, B", "A (B)", "A&B", "A~B", "A, AB", "A→B", "A;B", "A + B", "A·B", "A또는B", "A아님"]
    {
        assert_eq!(pick(text, &blood), None, "{text}");
    }
    for text in ["B+", "B-", "N/A", "N / B", "A이상", "B보다 위", "A보다 B", "that's B/C"] {
        assert_eq!(pick(text, &blood), None, "{text}");
    }
    for text in ["-1", "+1", "1/2", "1.5", "1, 2", "1~2", "2%", "3-1"] {
        assert_eq!(pick(text, &["1", "2", "3"]), None, "{text}");
    }
    assert_eq!((pick("n/a", &["a", "b"]), pick("M/L", &["S", "M", "L"])), (None, None));
    assert_eq!(pick("X L", &["M", "L", "XL"]), None);
    for (text, name) in [("B형", "B"), ("Type B", "B"), ("(B)", "B"), ("Answer → B", "B"), ("A형입니다", "A")] {
        assert_eq!(pick(text, &blood), Some(name), "{text}");
    }
    assert_eq!((pick("1번", &["1", "2"]), pick("#2", &["1", "2"])), (Some("1"), Some("2")));
    assert_eq!(pick("I think it is B", &["A", "B", "I"]), Some("B"));
}

#[test]
fn titles_and_descriptions_count_where_no_value_does() {
    let choice = |value: &str, title: &str| Choice {
        value: Value::from(value),
        title: Some(title.to_string()),
        description: None,
    };
    let choices = [choice("k1", "Refund"), choice("k2", "Technical Support")];
    let choose = |text: &str, choices: &[Choice]| choose(text, choices, "").map(|chosen| chosen.index);
    assert_eq!(choose("it is technical support", &choices), Some(1));
    assert_eq!(choose("k1, not technical support", &choices), Some(0));
}

#[test]
fn what_is_denied_doubted_or_measured_against_is_not_chosen() {
    let sales = ["available", "reserved", "sold", "new", "used", "판매완료", "예약중"];
    for text in [
        "no longer available",
        "sold? no",
        "sold: no",
        "sold is false",
        "without being reserved",
        "hardly used",
        "barely used",
        "good as new",
        "as good as new",
        "like new",
        "almost new",
        "nothing new",
        "isn't sold",
        "won't be sold",
        "can't be sold",
        "hasn't really been sold",
        "instead of sold",
        "far from sold",
        "anything but sold",
        "failed to be sold",
        "un-available",
        "non-reserved",
        "if sold",
        "not sold",
        "판매완료 전",
        "판매완료 예정",
        "거의 판매완료",
        "예약중 해제",
        "예약중 취소",
        "예약중, 아님",
    ] {
        assert_eq!(pick(text, &sales), None, "{text}");
    }
    for text in ["listed as new", "It is still available.", "No, it is sold", "아직 예약중", "예약중 (네고 불가)"]
    {
        assert!(pick(text, &sales).is_some(), "{text}");
    }
}

#[test]
fn words_that_are_left_over_are_told() {
    let listed = ["refund", "sold", "최상"].map(|name| Choice { value: name.into(), title: None, description: None });
    let left_over = |text: &str| choose(text, &listed, "sale_state").map(|chosen| chosen.left_over);
    for text in [
        "sold",
        "The item is sold.",
        "It has already been sold",
        "Sale state: sold",
        "I would say it's REFUND",
        "상태는 최상입니다",
        "등급: 최상",
    ] {
        assert_eq!(left_over(text), Some(false), "{text}");
    }
    for text in [
        "sold out",
        "maybe sold",
        "The box is sold",
        "refund because it broke",
        "will be sold",
        "to be sold",
        "최상 아래 등급",
        "배송이 최상",
        "sold, I think",
        "I think sold",
        "I believe it is sold",
        "should be sold",
    ] {
        assert_eq!(left_over(text), Some(true), "{text}");
    }
}

#[test]
fn a_sign_beside_a_name_is_left_over() {
    let level = |name: &&str| Choice { value: Value::from(*name), title: None, description: None };
    let levels: Vec<Choice> = ["low", "medium", "high"].iter().map(level).collect();
    for text in ["≥ medium", "> medium", "medium+", "medium-", "medium (?)", "medium → ?"] {
        let chosen = super::choose(text, &levels, "").expect(text);
        assert_eq!((chosen.index, chosen.left_over), (1, true), "{text}");
    }
    for text in ["**medium**", "-> medium", "- medium"] {
        assert!(super::choose(text, &levels, "").is_some_and(|chosen| !chosen.left_over), "{text}");
    }
}

#[test]
fn a_label_before_the_name_alone_is_told_from_a_doubt() {
    let high = Choice { value: "High".into(), title: None, description: None };
    for text in
        ["Priority: High", "**Sentiment:** high", "**Priority**: High.", "- Issue priority: High", "우선순위: High"]
    {
        assert!(is_labelled(text, &high), "{text}");
    }
    for text in [
        "Old: High",
        "Not sure: High",
        "Guess: High",
        "Priority: High?",
        "Priority: not High",
        "A: b: High",
        "이전: High",
        "High",
    ] {
        assert!(!is_labelled(text, &high), "{text}");
    }
}
