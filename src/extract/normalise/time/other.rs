//! Numbers beside a time that are of something else: `3층`, `5 people`, `room 101`, a telephone's. They are told by their unit or by the
//! word before them; a bare one could be a second hour or day, and is left to refuse the text. Next: `scan`.

use super::super::phrase::phrase_at;
use super::super::text::{Text, is_alphanumeric, is_hangul};
use super::facts::Facts;
use super::words::{FILLS, Word, word};

/// Words that lead to another time rather than name what a number is of.
const LINKS: &[&str] = &[
    "maybe",
    "perhaps",
    "possibly",
    "probably",
    "then",
    "also",
    "plus",
    "either",
    "rather",
    "actually",
    "again",
    "instead",
    "to",
    "year",
    "day",
    "date",
    "hour",
    "hours",
    "time",
    "minute",
    "minutes",
    "그리고",
    "또",
    "및",
    "아마",
    "다시",
    "시간",
    "연도",
    "년도",
    "날짜",
];

/// Notes such a number, which ends at `end`.
pub(super) fn number(facts: &mut Facts, end: usize) -> Option<usize> {
    facts.other_words += 1;
    facts.other_numbers = true;
    Some(end)
}

/// Notes a word that is no part of a time.
pub(super) fn named_by(facts: &mut Facts, word: &str, end: usize) {
    facts.other_words += 1;
    facts.name_end = if LINKS.contains(&word) { None } else { Some(end) };
}

/// A number with a unit or a currency, or that of a telephone: where it ends. 3rd and 3번째 may be a day.
pub(super) fn counted(text: &Text, place: usize) -> Option<usize> {
    let signed = matches!(text.before(place), '$' | '₩' | '€' | '£' | '¥') && place > 0;
    let phrase = phrase_at(text, if signed { place - 1 } else { place }).filter(|phrase| phrase.unit);
    let counted = phrase.map(|phrase| phrase.end).filter(|&end| {
        let unit = (place..end).find(|&place| !text.is_digit(place)).unwrap_or(end);
        text.longest(unit, &["st", "nd", "rd", "th"]).is_none()
            && text.longest(text.skip_spaces(unit), &["번째", "번 째", "째", "차"]).is_none()
    });
    counted.or_else(|| telephone(text, place))
}

/// `010-1234-5678`.
fn telephone(text: &Text, place: usize) -> Option<usize> {
    let (mut digits, mut group, mut groups, mut end) = (0, 0, 1, place);
    loop {
        if text.is_digit(end) {
            (digits, group) = (digits + 1, group + 1);
        } else if text.at(end) == '-' && text.is_digit(end + 1) && group > 1 {
            (group, groups) = (0, groups + 1);
        } else {
            break;
        }
        end += 1;
    }
    let ends = is_hangul(text.at(end)) || !is_alphanumeric(text.at(end));
    (groups > 1 && group == 4 && (8..=13).contains(&digits) && ends).then(|| word_end(text, end))
}

/// Whether a word that names what it is of stands before a number, and nothing behind it that makes a day or an hour of it.
pub(super) fn is_named(text: &Text, facts: &Facts, place: usize, end: usize) -> bool {
    let Some(mut from) = facts.name_end else { return false };
    while matches!(text.at(from), ' ' | ':' | '#') && from < place {
        from += 1;
    }
    let timed = matches!(word(text, text.skip_spaces(end)), Some((Word::Month(_) | Word::Part(_) | Word::Half(_), _)));
    from == place && !timed
}

/// Such a number with all that is written as one with it: where it ends.
pub(super) fn named(text: &Text, facts: &Facts, place: usize) -> Option<usize> {
    let end = word_end(text, place);
    (end > place && (text.before(place) == '#' || is_named(text, facts, place, end))).then_some(end)
}

/// Whether a number that is no hour stands behind a word that ends here: `room 5`.
pub(super) fn names_next(text: &Text, end: usize) -> bool {
    let place = text.skip_spaces(end);
    let Some((_, after)) = text.digits(place, 4) else { return false };
    let part = matches!(word(text, text.skip_spaces(after)), Some((Word::Part(_) | Word::Half(_), _)));
    !part && matches!(text.at(after), ' ' | ',' | '\0')
}

/// Whether a word stands there that an ordinal before it counts: `3rd floor`, `2nd team`.
pub(super) fn is_noun(text: &Text, place: usize) -> bool {
    const VERBS: &[&str] = &["is", "was", "will", "would", "works", "for", "with", "please", "if", "then"];
    let (said, _) = text.word(place);
    let other = said.chars().next().is_some_and(char::is_alphabetic) && !VERBS.contains(&said.as_str());
    other && word(text, place).is_none() && text.among(place, &FILLS).is_none()
}

/// `A101`, `B2`: a name with a number in it. A word of a time that is glued to one (`Nov5`) is none.
pub(super) fn is_label(text: &Text, place: usize) -> bool {
    let letters = (place..).take_while(|&place| text.at(place).is_ascii_alphabetic()).count();
    let apart: String = (place..place + letters).map(|place| text.at(place)).chain([' ']).collect();
    let timed = Text::new(&apart).is_some_and(|letters| word(&letters, 0).is_some());
    letters > 0 && !timed && apart != "t " && apart != "at "
}

fn word_end(text: &Text, place: usize) -> usize {
    let mut end = place;
    while is_alphanumeric(text.at(end)) || matches!(text.at(end), '-' | '.' | ',' | '/') && text.is_digit(end + 1) {
        end += 1;
    }
    end
}
