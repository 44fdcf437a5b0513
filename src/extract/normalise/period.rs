//! How often an amount comes: by the hour, a day, a week, a month, a year. A text that says another period than its field says another number.
//! Rates in general are `money`'s.

use std::sync::LazyLock;

use super::index::Index;
use super::money::is_word;

/// The words of each period.
#[rustfmt::skip]
const PERIODS: [&[&str]; 5] = [
    &["시급", "시간당", "hourly", "per hour", "an hour", "each hour", "every hour", "/hour", "/hr", "/h"],
    &["일급", "일당", "하루", "매일", "daily", "per day", "a day", "each day", "every day", "/day"],
    &["주급", "주당", "매주", "weekly", "per week", "a week", "each week", "every week", "/week", "/wk"],
    &[
        "월", "월급", "월세", "매월", "매달", "한달", "한 달", "monthly", "per month", "a month", "each month", "every month", "/month",
        "/mo",
    ],
    &[
        "연", "연봉", "연간", "매년", "yearly", "annual", "annually", "per year", "per annum", "a year", "each year", "every year", "/year",
        "/yr",
    ],
];

static WORDS: LazyLock<Index<usize>> = LazyLock::new(|| {
    let periods = PERIODS.iter().enumerate();
    Index::new(periods.flat_map(|(period, words)| words.iter().map(move |word| (*word, period))))
});

/// Whether `text` says other periods than `about`, the field's names; both in small letters. None where one of the two says none.
pub(super) fn differs(text: &str, about: &str) -> Option<bool> {
    let (said, named) = (periods(text), periods(about));
    let any = said.contains(&true) && named.contains(&true);
    any.then(|| !said.iter().zip(named).any(|(said, named)| *said && named))
}

/// Whether `text` says how often its number comes, where `about`, the field's names, says nothing of the kind: `500 mg per day`, 주 3회.
/// What comes by the hour may be a speed.
pub(super) fn is_untold(text: &str, about: &str) -> bool {
    const TOLD: [&str; 9] = ["frequency", "rate", "speed", "schedule", "빈도", "속도", "주간", "일일", "월간"];
    const HOUR: usize = 0;
    if about.trim().is_empty() || TOLD.iter().any(|word| about.contains(word)) || periods(about).contains(&true) {
        return false;
    }
    let untold = words(text).any(|(at, word, period)| {
        period != HOUR && word.contains([' ', '/']) && word.is_ascii() && is_counted(&text[..at])
    });
    untold || KOREAN.iter().any(|word| text.match_indices(word).any(|(at, _)| counts(text, at, word)))
}

/// Lead to how often something comes, or how much of it.
const KOREAN: [&str; 9] = ["하루에", "하루", "매일", "일주일에", "매주", "매달", "매월", "매년", "주"];

/// Whether a number stands before `per day`: of `a month old` and `2 years and a month` the words are no rate.
fn is_counted(before: &str) -> bool {
    let mut words = before.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    !before.trim_end().ends_with(" and")
        && words.any(|word| {
            word.starts_with(char::is_numeric) || matches!(word, "once" | "twice") || super::is_number_word(word)
        })
}

/// Whether a number stands right behind 하루, and one of times behind 주.
fn counts(text: &str, at: usize, word: &str) -> bool {
    let rest = text[at + word.len()..].trim_start();
    let behind = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let times = || behind.trim_start().starts_with(['회', '번']);
    !text[..at].ends_with(char::is_alphanumeric) && behind.len() < rest.len() && (word != "주" || times())
}

/// The text without the words that say its periods.
pub(super) fn without(text: &str) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut end = 0;
    for (at, word, _) in words(text) {
        if at >= end {
            rest.push_str(&text[end..at]);
            end = at + word.len();
        }
    }
    rest.push_str(&text[end..]);
    rest
}

fn periods(text: &str) -> [bool; PERIODS.len()] {
    let mut said = [false; PERIODS.len()];
    words(text).for_each(|(_, _, period)| said[period] = true);
    said
}

/// The words of periods and where they stand.
fn words(text: &str) -> impl Iterator<Item = (usize, &'static str, usize)> {
    text.char_indices().flat_map(move |(at, first)| {
        let here = WORDS.beginning(first).iter().filter(move |(word, _)| text[at..].starts_with(word));
        here.filter(move |(word, _)| stands(text, at, word)).map(move |(word, period)| (at, *word, *period))
    })
}

/// Whether the word there is one: `/h` is none of `/hb`.
fn stands(text: &str, at: usize, word: &str) -> bool {
    is_word(text, at, word) && !(word.starts_with('/') && text[at + word.len()..].starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::{differs, is_untold, without};

    #[test]
    fn a_period_is_untold_where_the_field_names_none() {
        for (text, about) in [
            ("500 mg per day", "dose"),
            ("3 times a week", "visits"),
            ("two pills each day", "pills"),
            ("주 3회", "방문"),
            ("하루 2알", "복용량"),
            ("매일 3번", "visits"),
        ] {
            assert!(is_untold(text, about), "{text}, {about}");
        }
        for (text, about) in [
            ("500 mg per day", "daily dose"),
            ("3 times a week", "visits per week"),
            ("3 times a week", "frequency"),
            ("60 km per hour", "limit"),
            ("a month old", "age months"),
            ("2 years and a month", "age"),
            ("3주 2일", "duration"),
            ("2주 3회차", "episode"),
            ("500 mg", "dose"),
            ("3 times a week", ""),
        ] {
            assert!(!is_untold(text, about), "{text}, {about}");
        }
    }

    #[test]
    fn a_period_that_is_not_the_fields_differs() {
        for (text, about) in [
            ("월급 300만원", "annual salary"),
            ("연 600만원", "monthly rent"),
            ("8 hours per day", "hours per week"),
            ("$20/hr", "annual salary"),
        ] {
            assert_eq!(differs(text, about), Some(true), "{text}, {about}");
        }
        for (text, about) in [
            ("월급 300만원", "monthly salary"),
            ("연봉 3,600만원", "연봉"),
            ("월급 300만원", "salary"),
            ("3월 300만원", "annual salary"),
            ("40 hours weekly", "hours per week"),
            ("3000만원", "annual salary"),
        ] {
            assert_ne!(differs(text, about), Some(true), "{text}, {about}");
        }
    }
    #[test]
    fn what_is_left_without_the_periods_has_the_other_words() {
        assert_eq!(without("$120,000 per year"), "$120,000 ");
        assert_eq!(without("1인당 월 5만원"), "1인당  5만원");
    }
}
