//! The one number that a text gives: a phrase that is the whole text, or the only one among plain words.
//! Exact or said to be rounded; a text with two different numbers is refused. Next: `phrase`, `decimal`.

use std::sync::LazyLock;

use serde_json::Number;

use super::counters::{CHANGES, COUNTERS, GUESSES, LIMITS, LIMITS_ALONE, PARTICLES};
use super::decimal::Decimal;
use super::denial;
use super::index::Index;
use super::korean::{is_one_of_two, numerals};
use super::phrase::{Amount, Phrase, may_begin, phrase_at};
use super::text::Text;

static BOUNDS: LazyLock<Index<()>> = LazyLock::new(|| Index::of(LIMITS));
static GUESSED: LazyLock<Index<()>> = LazyLock::new(|| Index::of(GUESSES));

/// A number read from a text.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberReading {
    /// An integer where the number is whole and 64 bits hold it.
    pub value: Number,
    /// Whether the number is whole.
    pub is_integer: bool,
    /// What was read: `korean_number`, `grouped_number`, `money`, `number_words`, `scaled_number`, `percent`, `fraction`, `power`,
    /// `ordinal`, `number_with_unit`, `number_in_sentence`, `plain_number`.
    pub kind: &'static str,
    /// The text says more than the number (that it is rough, a guess, a percentage, or digits that a JSON number cannot hold), or may
    /// say another thing: a score, somebody's age, that something beside it is denied.
    pub lossy: bool,
}

/// Reads `text` as a number, Korean, English or international: `120만원`, `천이백만원`, `₩1,200`, `3.5억`, `twelve hundred`, `25살`.
///
/// The whole text must be understood, or be plain words around one number that has evidence of its own: a currency, a unit,
/// grouped digits, digits with a number word, or bare digits that a copula introduces (`나이는 25`, `the answer is 42`).
/// `25%` is 25. None otherwise, and for a text that gives two numbers, a bound (`100만원 이상`), a range (`두세 명`) or a denial (`3개 없음`).
pub fn number(text: &str) -> Option<NumberReading> {
    as_said(text).map(|read| NumberReading { lossy: read.lossy || read.kind == "percent", ..read })
}

/// As [`number`], for a field that may ask for a percentage: that it is one is not marked.
pub(super) fn as_said(text: &str) -> Option<NumberReading> {
    let read = one_number(text)?;
    // A dash of a sentence's is a minus only perhaps: —5.
    let dashed = read.value.as_f64().is_some_and(|value| value < 0.0) && text.contains(['\u{2014}', '\u{2015}']);
    Some(NumberReading { lossy: read.lossy || dashed, ..read })
}

fn one_number(text: &str) -> Option<NumberReading> {
    let text = Text::new(text)?;
    if is_left_blank(&text) {
        return None;
    }
    let start = opening(&text);
    let first = phrase_at(&text, start);
    if let Some(phrase) = first.filter(|phrase| closing(&text, phrase.end)) {
        if is_at_all(&text, &phrase) {
            return None;
        }
        // 3... may go on.
        let cut = text.at(phrase.end) == '.' && text.at(phrase.end + 1) == '.';
        // Accounts write what is owed in brackets: (500).
        let owed = phrase.digits && (0..start).any(|place| text.at(place) == '(');
        return reading(&phrase, phrase.kind).map(|read| NumberReading { lossy: read.lossy || cut || owed, ..read });
    }
    if text.longest(start, &["반", "절반"]).is_some_and(|(_, end)| closing(&text, end)) {
        return json(Amount::Exact(Decimal::HALF), "korean_number", false);
    }
    in_sentence(&text, start, first).or_else(|| with_remark(&text, first?))
}

/// Whether a dash stands in the place of the digits: `-억원`, `- 만원`. The dash of a list has words behind it: `- 백팩 3만원`.
fn is_left_blank(text: &Text) -> bool {
    let is_dash = |place: usize| matches!(text.at(place), '-' | '–' | '—') && !text.before(place).is_ascii_digit();
    let is_size = |c: char| matches!(c, '십' | '백' | '천' | '만' | '억' | '조');
    let mut dashes = (0..text.len()).filter(|&place| is_dash(place)).map(|place| text.skip_spaces(place + 1));
    dashes.any(|place| {
        let sizes = (place..).take_while(|&place| is_size(text.at(place))).count();
        // -천오백원 has a number.
        let blank = sizes > 0 && !"일이삼사오육칠팔구".contains(text.at(place + sizes));
        let phrase = blank.then(|| phrase_at(text, place)).flatten();
        phrase.is_some_and(|phrase| closing(text, phrase.end) || text.at(text.skip_spaces(phrase.end)) == '(')
    })
}

/// A bare number with a remark in brackets behind it: `7 (seven)`, `seven (7)`, `42 (including tax)`. A remark that gives another number or a bound, or
/// denies, leaves none.
fn with_remark(text: &Text, phrase: Phrase) -> Option<NumberReading> {
    let (from, to) = remark(text, phrase.end)?;
    if text.mentions(&BOUNDS) || denial::mentioned(text) || denial::denies(text, from, to) {
        return None;
    }
    let same = phrase_at(text, from).filter(|inner| inner.end == to);
    // Words are a number for sure where the digits behind say the same.
    if !phrase.digits && !same.is_some_and(|same| same.digits) {
        return None;
    }
    if text.has_digit(from, to) && same.is_none() || same.is_some_and(|same| same.amount != phrase.amount) {
        return None;
    }
    let reading = reading(&phrase, phrase.kind)?;
    Some(NumberReading { lossy: reading.lossy || same.is_none(), ..reading })
}

/// The remark in brackets between which and the text's end nothing stands: from where to where.
fn remark(text: &Text, place: usize) -> Option<(usize, usize)> {
    let open = text.skip_spaces(place);
    let close = (open..text.len()).find(|&place| text.at(place) == ')')?;
    let inner = text.skip_spaces(open + 1);
    (text.at(open) == '(' && inner < close && closing(text, close)).then_some((inner, close))
}

/// Past quotes and brackets.
fn opening(text: &Text) -> usize {
    let mut place = 0;
    while matches!(text.at(place), ' ' | '"' | '\'' | '(' | '[' | '“' | '*' | '`' | '=') {
        place += 1;
    }
    place
}

/// Whether nothing but punctuation follows.
fn closing(text: &Text, mut place: usize) -> bool {
    while matches!(text.at(place), ' ' | '"' | '\'' | ')' | ']' | '”' | '*' | '`' | '.' | '!' | ',' | ';' | '。') {
        place += 1;
    }
    place >= text.len()
}

fn reading(phrase: &Phrase, kind: &'static str) -> Option<NumberReading> {
    json(phrase.amount, kind, phrase.rough)
}

fn json(amount: Amount, kind: &'static str, lossy: bool) -> Option<NumberReading> {
    match amount {
        Amount::Exact(value) => {
            let (number, exact) = value.to_json()?;
            Some(NumberReading { value: number, is_integer: value.is_whole(), kind, lossy: lossy || !exact })
        }
        Amount::Rounded(value) => {
            Some(NumberReading { value: Number::from_f64(value)?, is_integer: false, kind, lossy: true })
        }
    }
}

/// The only number among plain words; of the phrase at `start` it is known what it is.
fn in_sentence(text: &Text, start: usize, first: Option<Phrase>) -> Option<NumberReading> {
    // An arrow is no comparison.
    let compares = |place| text.at(place) == '>' && !matches!(text.before(place), '-' | '=');
    if text.mentions(&BOUNDS) || denial::mentioned(text) || (0..text.len()).any(compares) {
        return None;
    }
    let mut found: Option<(Phrase, &'static str)> = None;
    let mut doubted = text.mentions(&GUESSED);
    let mut place = 0;
    while place < text.len() {
        let begins = may_begin(text, place);
        if begins && is_one_of_two(text, place) {
            return None;
        }
        let phrase = match begins {
            true if place == start => first,
            true => phrase_at(text, place),
            false => None,
        };
        match phrase.and_then(|phrase| Some((phrase, weight(text, place, &phrase)?))) {
            Some((phrase, Weight::Number(kind))) => {
                if found.is_some_and(|(other, _)| other.amount != phrase.amount) {
                    return None;
                }
                let next = text.word(text.skip_spaces(phrase.end)).0;
                // 삼십 세 명: what seemed to be its unit was not.
                let unit = COUNTERS.contains(&next.as_str());
                let reach = denial::follows(text, phrase.end);
                if reach == denial::Reach::Number
                    || unit
                    || is_at_all(text, &phrase)
                    || goes_on(&next)
                    || LIMITS_ALONE.contains(&next.as_str())
                    || word_before(text, place).is_some_and(|word| matches!(word.as_str(), "from" | "반" | "몇"))
                {
                    return None;
                }
                // 35만원 네고 불가: of an amount of money that is the haggling.
                let money = (place..phrase.end).any(|place| text.at(place) == '원');
                doubted |= reach == denial::Reach::Another && !money;
                // 5만원 할인 is what the price is less; of things 더 is no more than again.
                doubted |= CHANGES.iter().any(|change| next.starts_with(change)) || money && next == "더";
                // 3만원 + 택배비 is more.
                doubted |= text.at(text.skip_spaces(phrase.end)) == '+';
                found = found.or(Some((phrase, kind)));
                place = phrase.end.max(place + 1);
            }
            Some((_, Weight::Another)) => return None,
            // An amount that goes on into a word is another number (오만 원권), and what stands below ground is none (지하 주차장 3층).
            _ if begins && (is_amount(text, place) || text.eat(place, "지하").is_some()) => {
                return None;
            }
            // Digits outside the number are another number, or a key, a date, a telephone.
            _ if text.is_digit(place) => return None,
            _ => place += 1,
        }
    }
    let (phrase, kind) = found?;
    let reading = reading(&phrase, kind)?;
    Some(NumberReading { lossy: reading.lossy || doubted, ..reading })
}

enum Weight {
    /// Stands for a number by itself.
    Number(&'static str),
    /// A number, but nothing says that it is the one asked for.
    Another,
}

/// What a phrase counts for among words; none for a word that only looks like a number: 이 사람 is this person.
fn weight(text: &Text, place: usize, phrase: &Phrase) -> Option<Weight> {
    if phrase.digits {
        if phrase.unit || phrase.shown {
            return Some(Weight::Number(phrase.kind));
        }
        let said = introduced(text, place) && closing(text, phrase.end);
        return Some(if said { Weight::Number("number_in_sentence") } else { Weight::Another });
    }
    let latin = text.at(place).is_ascii_alphabetic();
    if latin {
        let counts = phrase.unit || phrase.shown;
        let one = phrase.amount == Amount::Exact(Decimal::whole(1));
        return if counts { Some(Weight::Number(phrase.kind)) } else { (!one).then_some(Weight::Another) };
    }
    let lone = numerals(text, place).first().is_none_or(|numeral| {
        let syllables = numeral.end - place;
        // 둘레, 일 and 한 번 are words; 두 명, 다섯 개, 만원 are counted.
        syllables == 1 && phrase.words == 1 && !matches!(text.at(place), '두' | '세' | '네' | '백' | '천' | '만')
    });
    (phrase.unit && !lone).then_some(Weight::Number(phrase.kind))
}

/// 하나도, 한 명도: not even one, and what is denied was left unsaid.
fn is_at_all(text: &Text, phrase: &Phrase) -> bool {
    text.before(phrase.end) == '도' && !phrase.digits && phrase.amount == Amount::Exact(Decimal::whole(1))
}

/// Whether a number of more than one syllable stands there with a currency.
fn is_amount(text: &Text, place: usize) -> bool {
    numerals(text, place).into_iter().any(|numeral| {
        let counted = numeral.words > 1 || matches!(text.at(place), '백' | '천' | '만' | '억');
        counted && text.eat(text.skip_spaces(numeral.end), "원").is_some()
    })
}

/// Whether the word behind a number makes another one of it: 2만 원대, 3만 몇천, 3만 여 명, 35만원 반. 여성 and 수박 are words.
fn goes_on(word: &str) -> bool {
    const UNTOLD: [&str; 7] = ["몇", "얼마", "수십", "수백", "수천", "수만", "여원"];
    // 20,000 hundred are more than both.
    const SIZES: [&str; 6] = ["hundred", "thousand", "million", "billion", "trillion", "dozen"];
    let unit = word.strip_prefix('원').or_else(|| word.strip_prefix("달러"));
    unit.is_some_and(|rest| rest.starts_with(['대', '권', '선', '여', '어']))
        || SIZES.contains(&word)
        || UNTOLD.iter().any(|untold| word.starts_with(untold))
        || word.strip_prefix('반').is_some_and(|rest| rest.is_empty() || PARTICLES.contains(&rest))
        || word.strip_prefix('여').is_some_and(|rest| rest.is_empty() || COUNTERS.contains(&rest))
}

/// The word right before a place, with nothing but spaces between.
fn word_before(text: &Text, place: usize) -> Option<String> {
    let mut end = place;
    while text.before(end) == ' ' && end > 0 {
        end -= 1;
    }
    let mut start = end;
    while start > 0 && (text.before(start).is_alphabetic() || text.before(start) == '\'') {
        start -= 1;
    }
    let (word, after) = text.word(start);
    (after == end).then_some(word)
}

/// Whether the words before say that the number comes: `나이는`, `the total is`, `it's`, `only`, `age:`.
fn introduced(text: &Text, place: usize) -> bool {
    let mut end = place;
    while text.before(end) == ' ' && end > 0 {
        end -= 1;
    }
    if matches!(text.before(end), ':' | '=' | '은' | '는') {
        return true;
    }
    const LEADS: [&str; 15] = [
        "is",
        "are",
        "was",
        "were",
        "be",
        "equals",
        "total",
        "only",
        "just",
        "exactly",
        "precisely",
        "총",
        "딱",
        "오직",
        "정확히",
    ];
    word_before(text, place).is_some_and(|word| {
        LEADS.contains(&word.as_str()) || word.strip_suffix("'s").is_some_and(|noun| !noun.is_empty())
    })
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "number_bounds_tests.rs"]
mod bounds_tests;
