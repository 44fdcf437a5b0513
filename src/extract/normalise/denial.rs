//! Words that take back what is said beside them: 없다, 아니다, 안 되다, `not`, `without`. Tables, and how a word is held against them.
//! What is then refused is decided in `number`, `choose` and `time`.

use std::sync::LazyLock;

use super::index::Index;
use super::text::Text;

/// Beginnings of Korean words.
const STEMS: &[&str] = &[
    "아니", "아닌", "아닐", "아님", "아닙", "아녜", "아녔", "않", "없", "말고", "빼고", "뺀", "제외", "취소", "불가",
    "해제", "미정", "모름", "모르",
];
/// Deny the verb behind them; 안전 and 못난 are words of their own.
const BEFORE_VERBS: [&str; 2] = ["안", "못"];
/// Verbs that are written as one with them: 못함, 안됨.
const VERBS: [&str; 12] = ["했", "하", "함", "합", "할", "해", "된", "됨", "됐", "돼", "되", "됩"];
const ENGLISH: &[&str] = &[
    "not",
    "no",
    "never",
    "neither",
    "nor",
    "none",
    "nothing",
    "nobody",
    "without",
    "cannot",
    "except",
    "excluding",
    "excludes",
    "hardly",
    "barely",
    "scarcely",
    "rarely",
    "seldom",
    "cancelled",
    "canceled",
    "non",
    "isnt",
    "arent",
    "wasnt",
    "werent",
    "dont",
    "doesnt",
    "didnt",
    "wont",
    "cant",
];

static BEGINNINGS: LazyLock<Index<()>> = LazyLock::new(|| Index::of(STEMS));

/// Whether a Korean word denies what stands before it.
pub(in crate::extract) fn is_korean(word: &str) -> bool {
    let verb = |rest: &str| rest.is_empty() || VERBS.iter().any(|verb| rest.starts_with(verb));
    let first = word.chars().next().unwrap_or_default();
    BEGINNINGS.beginning(first).iter().any(|(stem, ())| word.starts_with(stem))
        || BEFORE_VERBS.iter().any(|denial| word.strip_prefix(denial).is_some_and(verb))
}

/// Whether an English word, in small letters, denies what stands after it.
pub(in crate::extract) fn is_english(word: &str) -> bool {
    // Each ends with a letter of English, and most words that are asked for are Korean.
    word.ends_with(|c: char| c.is_ascii_alphabetic()) && (ENGLISH.contains(&word) || word.ends_with("n't"))
}

/// How far a denial behind a number reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    None,
    /// Another word stands between, which may be what is denied: 35만원 네고 불가.
    Another,
    Number,
}

/// What a Korean word of denial in the same clause, or alone in the next, denies.
pub(super) fn follows(text: &Text, place: usize) -> Reach {
    /// Stand before a verb or a denial, and are nothing that could be denied. Particles too, where the phrase has left them.
    const BETWEEN: [&str; 22] = [
        "조금",
        "좀",
        "약간",
        "더",
        "더는",
        "전혀",
        "아직",
        "채",
        "절대",
        "절대로",
        "정도",
        "도",
        "이",
        "가",
        "은",
        "는",
        "이나",
        "조차",
        "밖에",
        "단",
        "이제",
        "다",
    ];
    // Alone in the next clause it is of the number: 35만원, 없음.
    let next_clause = |place: usize| {
        let (word, end) = text.word(text.skip_spaces(place));
        let alone = is_korean(&word) && (end >= text.len() || is_clause_end(text.at(end)));
        if alone { Reach::Number } else { Reach::None }
    };
    // 35만원이고 네고 불가: the ending opens another clause.
    let ending = ["이고", "이며", "인데"].iter().any(|ending| {
        let start = place.checked_sub(ending.chars().count());
        start.and_then(|start| text.eat(start, ending)) == Some(place)
    });
    if ending {
        return next_clause(place);
    }
    let mut place = place;
    let mut reach = Reach::Number;
    while place < text.len() {
        let (word, end) = text.word(place);
        if is_clause_end(text.at(place)) {
            return next_clause(place + 1);
        }
        if is_korean(&word) {
            return reach;
        }
        if !word.is_empty() && !BETWEEN.contains(&word.as_str()) {
            reach = Reach::Another;
        }
        place = end.max(place + 1);
    }
    Reach::None
}

pub(super) fn is_clause_end(character: char) -> bool {
    matches!(character, ',' | ';' | '.' | ':' | '!' | '?' | '(' | ')')
}

/// Whether a Korean word of denial stands between two places.
pub(super) fn denies(text: &Text, from: usize, to: usize) -> bool {
    let mut place = from;
    while place < to {
        let (word, end) = text.word(place);
        if is_korean(&word) {
            return true;
        }
        place = end.max(place + 1);
    }
    false
}

/// Whether an English word of denial stands anywhere.
pub(super) fn mentioned(text: &Text) -> bool {
    let mut place = 0;
    while place < text.len() {
        let end = text.word_end(place);
        // They all end with a letter of English.
        if end > place && text.before(end).is_ascii_alphabetic() && is_english(&text.word(place).0) {
            return true;
        }
        place = end.max(place + 1);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_deny_are_told_from_words_that_begin_like_them() {
        for word in ["없음", "없습니다", "아님", "아닙니다", "않은", "안", "못", "안됨", "안돼요", "못함", "빼고"]
        {
            assert!(is_korean(word), "{word}");
        }
        for word in ["안전", "안내", "못난", "아기", "안녕하세요", "있음"] {
            assert!(!is_korean(word), "{word}");
        }
        assert!(is_english("isn't") && is_english("without") && !is_english("note") && !is_english("known"));
    }

    #[test]
    fn a_denial_reaches_no_further_than_its_clause() {
        let follows = |text: &str| follows(&Text::new(text).expect("a text"), 0);
        for (text, reach) in [
            ("이 안 됨", Reach::Number),
            ("도 없다", Reach::Number),
            ("조금 안 되는", Reach::Number),
            (", 없음", Reach::Number),
            ("네고 불가", Reach::Another),
            (", 하자 없음", Reach::None),
            ("(네고 불가)", Reach::None),
            ("에 팝니다", Reach::None),
        ] {
            assert_eq!(follows(text), reach, "{text}");
        }
    }
}
