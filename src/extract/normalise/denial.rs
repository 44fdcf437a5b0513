//! Words that take back what is said beside them: 없다, 아니다, 안 되다, `not`, `without`. Tables, and how a word is held against them.
//! What is then refused is decided in `number`, `choose` and `time`.

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

/// Whether a Korean word denies what stands before it.
pub(super) fn is_korean(word: &str) -> bool {
    let verb = |rest: &str| rest.is_empty() || VERBS.iter().any(|verb| rest.starts_with(verb));
    STEMS.iter().any(|stem| word.starts_with(stem))
        || BEFORE_VERBS.iter().any(|denial| word.strip_prefix(denial).is_some_and(verb))
}

/// Whether an English word, in small letters, denies what stands after it.
pub(super) fn is_english(word: &str) -> bool {
    ENGLISH.contains(&word) || word.ends_with("n't")
}

/// Whether a Korean word of denial follows in the same clause.
pub(super) fn follows(text: &Text, place: usize) -> bool {
    let mut place = place;
    while place < text.len() && !matches!(text.at(place), ',' | ';' | '.' | ':' | '!' | '?' | '(') {
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
        let (word, end) = text.word(place);
        if is_english(&word) {
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
        assert!(follows("이 안 됨") && follows("는 하나도 없다"));
        assert!(!follows(", 하자 없음") && !follows("에 팝니다"));
    }
}
