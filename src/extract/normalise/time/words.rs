//! What a word of a date or time can say, and the words that say nothing or too much. Read in `scan`.
//! The words themselves are in `korean_words` and `english_words`.

use std::sync::LazyLock;

use super::super::index::Index;
use super::super::text::{Text, is_hangul};
use super::facts::Facts;
use super::{english_words, korean_words};

/// What a word says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Word {
    /// Days from today.
    Days(i64),
    /// The same, with the part of that day: 어젯밤, tonight, this evening.
    DayPart(i64, Part),
    /// This afternoon.
    DayHalf(i64, Half),
    Now,
    /// Months or years from this one.
    Months(i64),
    Years(i64),
    Week(Week),
    /// Saturday of a week: the first day of a weekend.
    Weekend(Week),
    /// Monday is 0.
    Weekday(i8),
    /// An English month's name.
    Month(i8),
    /// The n-th of a month, -1 the last.
    Nth(i8),
    LastDay,
    FirstDay,
    Part(Part),
    Half(Half),
    /// Noon and midnight.
    Clock(i8),
    Holiday(i8, i8),
}

/// Which week, or which one of a weekday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Week {
    /// Weeks from this one, Monday the first day.
    Offset(i64),
    /// 이번 금요일: the nearest, today counted.
    This,
    /// 오는 금요일: the nearest after today.
    Coming,
    /// 지난 금요일: the last before today.
    Last,
    /// 다음 금요일: next week's.
    Next,
}

/// The halves of the day's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Am,
    Pm,
}

/// Part of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Dawn,
    Morning,
    Midday,
    Evening,
    Night,
}

/// The longest word of either language that stands at `place`: what it says, and where it ends.
pub(super) fn word(text: &Text, place: usize) -> Option<(Word, usize)> {
    static WORDS: LazyLock<Index<Word>> =
        LazyLock::new(|| Index::new(korean_words::WORDS.iter().chain(english_words::WORDS).copied()));
    text.among(place, &WORDS)
}

/// Says nothing by itself between the parts, before or after them.
const FILLERS: &[&str] = &[
    "에",
    "에는",
    "의",
    "은",
    "는",
    "이",
    "날",
    "정각",
    "입니다",
    "이에요",
    "예요",
    "이다",
    "임",
    "로",
    "으로",
    "on",
    "at",
    "the",
    "of",
    "in",
    "o'clock",
    "sharp",
    "and",
    "주",
    "from",
];

/// Says that the time is rough or not settled.
pub(super) const ROUGHLY: &[&str] = &[
    "쯤",
    "쯤에",
    "즈음",
    "무렵",
    "경",
    "경에",
    "께",
    "정도",
    "약",
    "대략",
    "about",
    "around",
    "approximately",
    "approx.",
    "circa",
    "roughly",
    "ish",
    "maybe",
    "perhaps",
    "possibly",
    "probably",
    "tentative",
    "tentatively",
    "tbc",
    "전후",
    "언저리",
    "아마",
    "아마도",
];

// The same as tables that are asked at each place.
pub(super) static FILLS: LazyLock<Index<()>> = LazyLock::new(|| Index::of(FILLERS));
pub(super) static ROUGHENS: LazyLock<Index<()>> = LazyLock::new(|| Index::of(ROUGHLY));
pub(super) static REFUSES: LazyLock<Index<()>> = LazyLock::new(|| Index::of(REFUSED));

/// Says that the time is a bound, a range or a repetition, or that another is measured from it (that it is not the one is told in `denial`); and
/// moving holidays, which no table knows.
pub(super) const REFUSED: &[&str] = &[
    "부터",
    "까지",
    "사이",
    "이전",
    "이후",
    "이내",
    "또는",
    "혹은",
    "매일",
    "매주",
    "매월",
    "매달",
    "매년",
    "마다",
    "월말",
    "연말",
    "중순",
    "초순",
    "하순",
    "설날",
    "구정",
    "추석",
    "음력",
    "lunar",
    "한가위",
    "부처님",
    "석가",
    "~",
    "between",
    "until",
    "till",
    "before",
    "after",
    "since",
    "every",
    "each",
    "or",
    "by",
    "through",
    "within",
    "mondays",
    "tuesdays",
    "wednesdays",
    "thursdays",
    "fridays",
    "saturdays",
    "sundays",
    "격주",
    "onward",
    "onwards",
    "earliest",
    "latest",
    // Another day is measured from the one said: the eve of it, Friday week.
    "eve",
    "prior to",
    "ahead of",
    "weekend of",
    "following day",
    "following morning",
    "following evening",
    "following night",
    "week",
    "weeks",
    "fortnight",
    "전날",
    "전일",
    "이튿날",
];

/// Says that the moment ends something: it is what was asked for where that is asked for.
const ENDS: &[&str] = &[
    "마감",
    "기한",
    "시한",
    "만료",
    "만기",
    "종료",
    "deadline",
    "due",
    "expires",
    "expiry",
    "expiration",
    "closes",
    "closing",
    "ends",
    "ending",
    "cutoff",
];

/// Whether a field's names and description ask for the end of something.
pub(super) fn asks_for_an_end(about: &str) -> bool {
    const NAMES: &[&str] =
        &["end", "until", "till", "by", "expire", "expired", "close", "stop", "finish", "까지", "종결", "끝", "마지막"];
    // `dueDate` is two words.
    let mut words = String::with_capacity(about.len());
    for c in about.chars() {
        if c.is_ascii_uppercase() && words.ends_with(|before: char| before.is_ascii_lowercase()) {
            words.push(' ');
        }
        words.push(c);
    }
    let Some(about) = Text::new(&words) else { return false };
    let begins = |place: usize| is_hangul(about.at(place)) || !about.before(place).is_alphanumeric();
    (0..about.len()).any(|at| begins(at) && about.longest(at, ENDS).or_else(|| about.longest(at, NAMES)).is_some())
}

/// Says that the time depends on something, or was moved.
const UNSETTLED: &[&str] = &[
    "if",
    "unless",
    "depending",
    "provisional",
    "provisionally",
    "unconfirmed",
    "postponed",
    "delayed",
    "rescheduled",
    "moved",
    "changed",
    "originally",
    "formerly",
    "old",
    "tbd",
    "tba",
    "원래",
    "당초",
    "기존",
    "연기",
    "변경",
    "잠정",
    "미확정",
    "가안",
    "유동적",
];

/// Says that the day comes again: one of many is no more than a guess.
const REPEATS: &[&str] = &[
    "daily",
    "weekly",
    "biweekly",
    "fortnightly",
    "monthly",
    "quarterly",
    "yearly",
    "annually",
    "recurring",
    "weekdays",
    "weekends",
    "평일",
    "정기",
];

/// Notes a word that leaves the time unsettled, makes an end of it, or has it come again.
pub(super) fn note(text: &Text, place: usize, facts: &mut Facts) {
    let begins = |words: &[&str]| text.longest(place, words).is_some();
    facts.ends |= begins(ENDS);
    facts.repeats |= begins(REPEATS);
    // 등 leaves others unsaid.
    facts.rough |= begins(UNSETTLED) || text.word(place).0 == "등";
}
