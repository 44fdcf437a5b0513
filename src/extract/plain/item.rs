//! What the text of one list item says of more than one: several in a row, or others that are not named.
//! How items are parted is `field`'s. Next: `super`.

use crate::extract::schema::names::is_alphanumeric;

/// Whether a text that is one item may be several: 김철수 및 이영희, `Kim/Lee`, `1. Kim 2. Lee`, `(Kim, Lee)`. An English `and` is in many a name.
pub fn may_be_several(said: &str) -> bool {
    const BETWEEN: [&str; 10] = [" 및 ", " 그리고 ", "·", "|", " #", "→", "->", "=>", "<br", "\" \""];
    let parts = |at: usize| !said[..at].ends_with(|c: char| !c.is_alphabetic() && !matches!(c, ' ' | ')'));
    BETWEEN.iter().any(|word| said.contains(word))
        || !said.contains("://") && said.match_indices('/').any(|(at, _)| at > 0 && parts(at))
        || is_numbered(said)
        || is_bracketed(said)
        || has_korean_and(said)
}

/// `1. Kim 2. Lee`, `(1) Kim (2) Lee`.
fn is_numbered(said: &str) -> bool {
    let said = said.trim();
    [("1. ", " 2. "), ("1) ", " 2) "), ("(1)", " (2)"), ("①", "②")]
        .iter()
        .any(|(first, second)| said.starts_with(first) && said.contains(second))
}

/// `{Kim, Lee}`, `(Kim, Lee)`: brackets around all of it.
fn is_bracketed(said: &str) -> bool {
    let inner = |open, close| said.trim().strip_prefix(open).and_then(|said| said.strip_suffix(close));
    let inner = inner('(', ')').or_else(|| inner('{', '}'));
    inner.is_some_and(|inner| inner.contains([',', ';']) && !inner.contains(['(', ')', '{', '}']))
}

/// 김철수와 이영희, 사장님과 직원: two syllables and more with the particle that their last one takes; 사과 and 결과 are words.
fn has_korean_and(said: &str) -> bool {
    let with_final = |word: &str| {
        let last = word.chars().next_back().filter(|c| ('가'..='힣').contains(c));
        last.map(|c| !(c as u32 - 0xac00).is_multiple_of(28)).filter(|_| word.chars().count() > 1)
    };
    let mut words = said.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let joins = |particle: &str, after_final| word.strip_suffix(particle).and_then(with_final) == Some(after_final);
        let together = |next: &&str| ["함께", "같이", "의", "더불어"].contains(next);
        if (joins("과", true) || joins("와", false) || joins("이랑", true) || joins("랑", false))
            && words.peek().is_some_and(|next| next.starts_with(is_alphanumeric) && !together(next))
        {
            return true;
        }
    }
    false
}

/// Whether an item says that there are others, which it does not name: `...`, `and 3 others`, `Kim et al.`, `이영희 등`, `김 팀장 외 2명`.
pub fn says_others(said: &str) -> bool {
    const LONGEST: usize = 96;
    /// What Korean syllables begin with at least, and dots do not.
    const HANGUL: u8 = 0xea;
    // Most items are one word that is none of the two that say it alone, which the first byte tells.
    let first = said.as_bytes().first().copied().unwrap_or(b'a');
    let plain = first.is_ascii_alphanumeric() && !matches!(first.to_ascii_lowercase(), b'o' | b'e') || first >= HANGUL;
    if said.len() > LONGEST || plain && !said.as_bytes().contains(&b' ') {
        return false;
    }
    let bare = said.trim_matches(|c: char| c.is_whitespace() || "().,…[]*\"'+&".contains(c));
    if bare.is_empty() {
        return said.contains("...") || said.contains('…');
    }
    let (before, last) = bare.rsplit_once(' ').unwrap_or(("", bare));
    let before = before.trim_end();
    if !last.is_ascii() {
        if before.is_empty() {
            return false;
        }
        let behind = bare.rsplit_once(" 외").map_or("", |(_, behind)| behind.trim_start());
        return matches!(last, "등" | "등등" | "외" | "등의" | "나머지")
            || behind.starts_with(|c: char| c.is_ascii_digit())
            || ["다수", "여러", "몇", "여럿"].iter().any(|many| behind.starts_with(many));
    }
    // Most items end otherwise, and that is cheap to see.
    const LAST: [&str; 8] = ["others", "other", "more", "etc", "al", "on", "forth", "rest"];
    let within = || before.contains(' ') && [" more", " other"].iter().any(|word| before.ends_with(word));
    if !LAST.iter().any(|word| last.eq_ignore_ascii_case(word)) && !within() {
        return false;
    }
    let lower = bare.to_lowercase();
    let words: Vec<&str> = lower.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let counts = |word: &str| {
        word.bytes().all(|b| b.is_ascii_digit())
            || ["one", "two", "three", "four", "five", "several", "some", "many", "few"].contains(&word)
    };
    let more = |word: &str| matches!(word, "more" | "other" | "others");
    let of_more = |words: &[&str]| matches!(words, [many, word] if counts(many) && more(word));
    match words.as_slice() {
        ["others" | "etc"] | ["and", "more" | "others"] => true,
        [.., "etc"] | [.., "et", "al"] | [.., "so", "on" | "forth"] | [.., "and", "others"] | [.., "the", "rest"] => {
            true
        }
        ["and" | "plus", many, word, ..] if words.len() < 5 => of_more(&[many, word]),
        [many, word, _] if of_more(&[many, word]) => true,
        [.., many, word] => of_more(&[many, word]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_in_one_item_are_told_from_one() {
        for said in [
            "Kim / Lee",
            "Kim|Lee",
            "1. Kim 2. Lee",
            "1) Kim 2) Lee",
            "(1) Kim (2) Lee",
            "\"Kim\" \"Lee\"",
            "{Kim, Lee}",
            "(Kim, Lee)",
            "Kim<br>Lee",
            "Kim → Lee",
            "Kim -> Lee",
            "김철수와 이영희",
            "사장님과 직원",
            "철수랑 영희",
            "김철수 및 이영희",
        ] {
            assert!(may_be_several(said), "{said}");
        }
        for said in [
            "Kim",
            "Kim and Lee",
            "사과 주스",
            "결과 보고",
            "학과 사무실",
            "친구와 함께 걷기",
            "1. Kim",
            "\"Kim\"",
            "(Kim)",
            "Kim (a, b)",
            "https://x.org/a/b",
            "5/4",
        ] {
            assert!(!may_be_several(said), "{said}");
        }
    }

    #[test]
    fn others_that_are_not_named_are_told() {
        for said in [
            "...",
            "…",
            "and 3 others",
            "3 others",
            "(and 3 more)",
            "2 other people",
            "and two more people",
            "several others",
            "etc.",
            "Kim et al.",
            "Kim and others",
            "and more",
            "and so on",
            "이영희 등",
            "김 팀장 외 2명",
            "김 팀장 외 다수",
            "others",
        ] {
            assert!(says_others(said), "{said}");
        }
        for said in [
            "Kim",
            "more",
            "buy 2 more apples",
            "나머지",
            "등",
            "외국",
            "해외 2명",
            "The Others",
            "another",
            "wait... what",
            "",
        ] {
            assert!(!says_others(said), "{said}");
        }
    }
}
