//! One number phrase: sign, currency, number, unit, particle (`약 -120만원 정도`), and how much evidence it gives.
//! Which phrase of a text is its number is decided in `number`; the words themselves are read in `korean`, `english`, `digits`, `fraction`.

use std::sync::LazyLock;

use super::counters::{
    CODES, COUNTERS, CURRENCIES, DOZENS, LIMITS, NOUNS, ORDINALS, PARTICLES, PERCENTS, ROUGHLY_AFTER, ROUGHLY_BEFORE,
    SIGNS, SIZED_WON, SPACED, WORDS,
};
use super::decimal::Decimal;
use super::fraction::{fraction, is_score, power};
use super::index::Index;
use super::korean::{Determiner, numerals};
use super::text::{Text, is_alphanumeric, is_hangul};
use super::{english, text};

static COUNTED: LazyLock<Index<&str>> = LazyLock::new(|| Index::new(COUNTERS.iter().map(|word| (*word, *word))));
static PAID: LazyLock<Index<()>> = LazyLock::new(|| Index::of(CURRENCIES));
static NAMED: LazyLock<Index<()>> = LazyLock::new(|| Index::of(NOUNS));
static LOOK_ALIKES: LazyLock<Index<()>> = LazyLock::new(|| Index::of(WORDS));
static ROUGHLY: LazyLock<Index<()>> = LazyLock::new(|| Index::of(ROUGHLY_BEFORE));
static SIGNED: LazyLock<Index<()>> = LazyLock::new(|| Index::of(SIGNS));
static CODED: LazyLock<Index<()>> = LazyLock::new(|| Index::of(CODES));

/// The phrase's number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Amount {
    Exact(Decimal),
    /// A fraction or power that no short decimal is equal to.
    Rounded(f64),
}

/// A number with all that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Phrase {
    pub(super) amount: Amount,
    pub(super) end: usize,
    /// The kind of change that reading it is.
    pub(super) kind: &'static str,
    /// `약`, `about`: said to be rough.
    pub(super) rough: bool,
    /// A currency, percent sign or unit stands beside it.
    pub(super) unit: bool,
    /// Digits in groups or with a number word (`120만`, `2 million`): a number and no label.
    pub(super) shown: bool,
    pub(super) digits: bool,
    /// Number words in it, Korean or English.
    pub(super) words: usize,
}

/// A number before its unit is known.
pub(super) struct Core {
    pub(super) value: Decimal,
    /// A third and the like, which no decimal is equal to: the nearest double.
    rounded: Option<f64>,
    pub(super) end: usize,
    kind: &'static str,
    determiner: Determiner,
    digits: bool,
    shown: bool,
    words: usize,
    /// Only digits, so that `k` and `/4` may follow.
    pub(super) literal: bool,
    /// Another reading of its marks is left: `350.000원`, `10.000`, `3 M`.
    guessed: bool,
}

/// The longest phrase that begins at `place` and ends where a word ends.
pub(super) fn phrase_at(text: &Text, place: usize) -> Option<Phrase> {
    if let Some(end) = text.eat(place, "지하") {
        return below_ground(text, text.skip_spaces(end));
    }
    if is_word(text, place) {
        return None;
    }
    let mut prefix = Prefix::read(text, place);
    if let Some(number) = full_count(text, prefix.end) {
        prefix.end = number;
    }
    if let Some(end) = text.eat(prefix.end, "첫") {
        let (_, end) = text.longest(text.skip_spaces(end), ORDINALS)?;
        return finish(text, &prefix, Amount::Exact(Decimal::whole(1)), end, "korean_number", true, None);
    }
    let mut cores = cores(text, prefix.end);
    cores.sort_by_key(|core| std::cmp::Reverse(core.end));
    cores.iter().find_map(|core| with_unit(text, &prefix, core))
}

/// 지하 2층 is the second floor down, and nothing else that 지하 stands before is a number.
fn below_ground(text: &Text, place: usize) -> Option<Phrase> {
    let floors = cores(text, place).into_iter().any(|core| text.eat(text.skip_spaces(core.end), "층").is_some());
    let phrase = floors.then(|| phrase_at(text, place)).flatten()?;
    match phrase.amount {
        Amount::Exact(value) if value.is_positive() => {
            Some(Phrase { amount: Amount::Exact(value.negated()), ..phrase })
        }
        _ => None,
    }
}

/// Whether a word stands there that only looks like a numeral and its unit: 만일, 일단, 사장.
fn is_word(text: &Text, place: usize) -> bool {
    let near = LOOK_ALIKES.beginning(text.at(place));
    if near.is_empty() {
        return false;
    }
    let (word, _) = text.word(place);
    let mut known = near.iter().filter_map(|(known, ())| word.strip_prefix(known));
    known.any(|rest| rest.is_empty() || PARTICLES.contains(&rest))
}

/// Past the 만 of 만 25세 and 만 3년, which says that the years are full ones and is no ten thousand: where their number begins.
fn full_count(text: &Text, place: usize) -> Option<usize> {
    const AGES: [&str; 2] = ["세", "살"];
    const TIMES: [&str; 6] = ["년", "개월", "달", "주", "일", "시간"];
    const OLDEST: i64 = 150;
    let after = text.eat(place, "만")?;
    let number = text.skip_spaces(after);
    let apart = number > after || text.is_digit(number);
    let counted = |end: usize| {
        let unit = text.skip_spaces(end);
        text.among(unit, &COUNTED).is_some_and(|(unit, _)| AGES.contains(&unit) || (apart && TIMES.contains(&unit)))
    };
    let is_full = |value: Decimal, end| value.small().is_some_and(|value| value < OLDEST) && counted(end);
    numerals(text, number).into_iter().any(|numeral| is_full(numeral.value, numeral.end)).then_some(number)
}

struct Prefix {
    end: usize,
    negative: bool,
    money: bool,
    rough: bool,
    ordinal: bool,
}

impl Prefix {
    fn read(text: &Text, place: usize) -> Self {
        let mut prefix = Self { end: place, negative: false, money: false, rough: false, ordinal: false };
        // No word or sign before a number begins with a digit.
        if text.is_digit(place) {
            return prefix;
        }
        // 한 100만원 is about a million; 한 개 is one.
        let some = text.eat(place, "한").filter(|&end| text.at(end) == ' ' && text.is_digit(text.skip_spaces(end)));
        let rough = text.among(place, &ROUGHLY).map(|((), end)| end);
        if let Some(end) = some.or(rough) {
            (prefix.end, prefix.rough) = (text.skip_spaces(end), true);
        }
        let mut signed = prefix.sign(text);
        let sign = text.among(prefix.end, &SIGNED).map(|((), end)| end).or_else(|| {
            // krw1,200 as well as krw 1,200: the word's end is looked for only before letters.
            let near = CODED.beginning(text.at(prefix.end)).iter();
            let mut codes = near.map(|(code, ())| code.chars());
            let code = codes.find(|code| code.clone().enumerate().all(|(i, c)| text.at(prefix.end + i) == c))?;
            let end = prefix.end + code.count();
            (!text.at(end).is_alphabetic()).then_some(end)
        });
        if let Some(end) = sign {
            (prefix.end, prefix.money) = (text.skip_spaces(end), true);
            signed = signed || prefix.sign(text);
        }
        // No. 3 and №3 are the third.
        let third = text.longest(prefix.end, &["no.", "№"]).map(|(_, end)| text.skip_spaces(end));
        if let Some(number) = third.filter(|&number| !signed && !prefix.money && text.is_digit(number)) {
            (prefix.end, prefix.ordinal) = (number, true);
        }
        if let Some(end) = text.eat(prefix.end, "제").filter(|_| !signed && !prefix.money) {
            let number = text.skip_spaces(end);
            // 제일 is most, not number one.
            let most = text.at(number) == '일' && !is_alphanumeric(text.at(number + 1));
            if !most && !numerals(text, number).is_empty() {
                (prefix.end, prefix.ordinal) = (number, true);
            }
        }
        prefix
    }

    /// At most one sign: `-+1` is a slip, not a number.
    fn sign(&mut self, text: &Text) -> bool {
        const SIGN_WORDS: &[(&str, bool)] = &[
            ("-", true),
            ("+", false),
            ("마이너스", true),
            ("플러스", false),
            ("영하", true),
            ("minus", true),
            ("negative", true),
            ("plus", false),
        ];
        let Some((negative, end)) = text.meaning(self.end, SIGN_WORDS) else { return false };
        self.negative = negative;
        self.end = text.skip_spaces(end);
        true
    }
}

fn cores(text: &Text, place: usize) -> Vec<Core> {
    let korean = numerals(text, place).into_iter().map(|numeral| Core {
        value: numeral.value,
        rounded: None,
        end: numeral.end,
        kind: if numeral.words > 0 {
            "korean_number"
        } else if numeral.grouped {
            "grouped_number"
        } else {
            "plain_number"
        },
        determiner: numeral.determiner,
        digits: numeral.digits,
        shown: numeral.grouped || (numeral.digits && numeral.words > 0),
        words: numeral.words,
        literal: numeral.words == 0,
        guessed: numeral.pointed,
    });
    let english = english::numbers(text, place).into_iter().filter_map(|words| {
        let value = words.value.divided(Decimal::whole(words.divisor))?;
        Some(Core {
            value: value.unwrap_or(Decimal::ZERO),
            rounded: value.err(),
            end: words.end,
            kind: if words.ordinal { "ordinal" } else { "number_words" },
            determiner: Determiner::No,
            digits: words.digits,
            shown: words.digits || words.words > 1,
            words: words.words,
            literal: false,
            guessed: false,
        })
    });
    korean.chain(english).collect()
}

fn with_unit(text: &Text, prefix: &Prefix, core: &Core) -> Option<Phrase> {
    if let Some((amount, end)) = fraction(text, core) {
        let phrase = finish(text, prefix, amount, end, "fraction", true, Some(core))?;
        return Some(Phrase { rough: phrase.rough || is_score(text, core), ..phrase });
    }
    if core.literal && text.at(core.end) == '^' {
        let (amount, end) = power(text, core)?;
        return finish(text, prefix, amount, end, "power", false, Some(core));
    }
    if let Some((zeros, end)) = suffix_letter(text, prefix, core) {
        let value = core.value.shifted(zeros)?;
        let core = Core { value, end, kind: "scaled_number", shown: true, literal: false, ..*core };
        return with_unit(text, prefix, &core);
    }
    if let Some((letter, end)) = letter_apart(text, core) {
        let Letter { zeros, sure, alone } = letter;
        let money = prefix.money || text.among(text.skip_spaces(end), &PAID).is_some();
        let value = core.value.shifted(zeros).filter(|_| alone || money)?;
        let guessed = core.guessed || !(sure || money);
        let core = Core { value, end, kind: "scaled_number", shown: !guessed, literal: false, guessed, ..*core };
        return with_unit(text, prefix, &core);
    }
    let after = text.skip_spaces(core.end);
    // 3MM may be millions.
    let shouted =
        core.literal && text.cased(after) == 'M' && text.eat(after, "mm").is_some_and(|_| text.cased(after + 1) == 'M');
    // 350000 (won): a unit in brackets is one.
    let bracket = matches!(text.at(after), '(' | '[').then(|| text.skip_spaces(after + 1));
    // 제3조 is the third article, and not three trillion.
    if prefix.ordinal && core.words > 0 && core.digits && text.before(core.end) == '조' {
        return None;
    }
    let unit = bracket.unwrap_or(after);
    let closed = |end: usize| {
        let close = text.skip_spaces(end);
        if bracket.is_none() { Some(end) } else { matches!(text.at(close), ')' | ']').then_some(close + 1) }
    };
    let loose = |table: &[&str]| text.longest(unit, table).and_then(|(_, end)| closed(end));
    let is_plain = core.kind == "plain_number" || core.kind == "grouped_number" || core.kind == "scaled_number";
    let as_is = core.rounded.map_or(Amount::Exact(core.value), Amount::Rounded);
    let mut attempts: Vec<(Amount, usize, &'static str, bool)> = Vec::new();
    if let Some(end) = text.among(unit, &PAID).and_then(|(_, end)| closed(end)) {
        attempts.push((as_is, end, if is_plain { "money" } else { core.kind }, true));
    }
    if let Some(end) = loose(PERCENTS) {
        attempts.push((as_is, end, "percent", true));
    }
    if let Some(end) = loose(DOZENS) {
        attempts.push((Amount::Exact(core.value.times(Decimal::whole(12))?), end, "korean_number", true));
    }
    // 120 (만원): the head of a table's column.
    let sized = bracket.filter(|_| core.literal).and_then(|inner| {
        let (zeros, end) = text.meaning(inner, SIZED_WON)?;
        Some((zeros, closed(end)?))
    });
    if let Some((zeros, end)) = sized {
        attempts.push((Amount::Exact(core.value.shifted(zeros)?), end, "money", true));
    }
    let spaced = loose(SPACED).filter(|_| after > core.end);
    // 두세 명 are two or three; three years of age are 세 살 or 삼 세, so that 세 counts nothing behind 두.
    let counter = text
        .among(unit, &COUNTED)
        .and_then(|(_, end)| closed(end))
        .filter(|&end| core.determiner == Determiner::No || text.eat(after, "세") != Some(end));
    // Of 25 초과 the 초 is no second: it is more than 25.
    let counter = counter.filter(|&end| text.longest(unit, LIMITS).is_none_or(|(_, bound)| bound <= end));
    // 서점 and 너도 are words, 서 말 and 너 되 measures; 공개 is open, not none.
    let glued = after == core.end && core.words == 1 && !core.digits;
    let counter = counter.filter(|_| !(glued && matches!(text.before(after), '서' | '너' | '공' | '빵')));
    if let Some(end) = counter.or(spaced) {
        let kind = if is_plain { "number_with_unit" } else { core.kind };
        // 두 시간 반: half of the unit more.
        if let Some(half) = text.eat(text.skip_spaces(end), "반") {
            attempts.push((Amount::Exact(core.value.plus(Decimal::HALF)?), half, kind, true));
        }
        attempts.push((as_is, end, kind, true));
    }
    let article = || text.eat(after, "조").filter(|_| prefix.ordinal);
    if let Some(end) = loose(ORDINALS).or_else(article) {
        attempts.push((as_is, end, if is_plain { "ordinal" } else { core.kind }, true));
    }
    if let Some(end) = text.among(unit, &NAMED).and_then(|(_, end)| closed(end)) {
        attempts.push((as_is, end, if is_plain { "number_with_unit" } else { core.kind }, true));
    }
    if let Some((_, end)) = text.longest(core.end, &["st", "nd", "rd", "th"]).filter(|_| core.literal) {
        attempts.push((as_is, end, "ordinal", true));
    }
    let kind = if prefix.money && is_plain {
        "money"
    } else if prefix.ordinal && is_plain {
        "ordinal"
    } else {
        core.kind
    };
    if core.determiner != Determiner::Bound {
        attempts.push((as_is, core.end, kind, prefix.money || prefix.ordinal));
    }
    let phrase = attempts
        .into_iter()
        .find_map(|(amount, end, kind, unit)| finish(text, prefix, amount, end, kind, unit, Some(core)))?;
    Some(Phrase { rough: phrase.rough || core.guessed || shouted || is_decade(text, core), ..phrase })
}

/// Whether 20대 may be somebody's twenties rather than twenty machines.
fn is_decade(text: &Text, core: &Core) -> bool {
    let tens = core.value.small().is_some_and(|value| (10..100).contains(&value) && value % 10 == 0);
    // 이십 대 are somebody's twenties, and 스무 대 machines.
    let place = if core.digits || core.determiner != Determiner::No { core.end } else { text.skip_spaces(core.end) };
    tens && text.eat(place, "대").is_some()
}

/// `k`, `M`, `B`, `bn` right after the digits: how many zeros. Small letters that are units too count only beside a currency.
fn suffix_letter(text: &Text, prefix: &Prefix, core: &Core) -> Option<(i32, usize)> {
    if !core.literal || !core.digits {
        return None;
    }
    const LETTERS: &[(&str, i32)] =
        &[("k", 3), ("mn", 6), ("mil", 6), ("bn", 9), ("tn", 12), ("m", 6), ("b", 9), ("t", 12)];
    let (zeros, end) = text.meaning(core.end, LETTERS)?;
    let single = end == core.end + 1 && zeros > 3;
    let capital = text.cased(core.end).is_ascii_uppercase() && zeros < 12;
    let money = prefix.money || text.among(text.skip_spaces(end), &PAID).is_some();
    (!single || capital || money).then_some((zeros, end))
}

/// A letter for a size apart from its digits.
#[derive(Clone, Copy)]
struct Letter {
    zeros: i32,
    /// It is nothing else.
    sure: bool,
    /// It is a size without a currency beside it.
    alone: bool,
}

/// `3 M`, `5 bn`: a size apart from its digits, never to be dropped. `B` and `T` may be a row, a byte or a tonne unless a currency stands there.
fn letter_apart(text: &Text, core: &Core) -> Option<(Letter, usize)> {
    let place = text.skip_spaces(core.end);
    if !core.literal || !core.digits || place == core.end {
        return None;
    }
    const LETTERS: &[(&str, (i32, bool, bool))] = &[
        ("k", (3, false, true)),
        ("m", (6, false, true)),
        ("b", (9, false, false)),
        ("t", (12, false, false)),
        ("mn", (6, true, true)),
        ("bn", (9, true, true)),
        ("tn", (12, true, true)),
    ];
    let ((zeros, sure, alone), end) = text.meaning(place, LETTERS)?;
    // 5 m are metres, 5 t tonnes.
    let capital = text.cased(place).is_ascii_uppercase() || sure || zeros == 3;
    capital.then_some((Letter { zeros, sure, alone }, end))
}

/// Takes the particles after the phrase and looks whether a word ends there.
fn finish(
    text: &Text,
    prefix: &Prefix,
    amount: Amount,
    end: usize,
    kind: &'static str,
    unit: bool,
    core: Option<&Core>,
) -> Option<Phrase> {
    let digits = core.is_some_and(|core| core.digits);
    let words = core.map_or(1, |core| core.words);
    let mut end = end;
    let mut rough = prefix.rough;
    if is_hangul(text.at(end)) {
        // 오이 is a cucumber, not five with a particle: a lone syllable takes only the full copula.
        let free = unit || digits || words > 1;
        let particles: &[&str] = if free { PARTICLES } else { &PARTICLES[..1] };
        // 세 명과 두 마리: behind a unit another may follow.
        let and = || text.longest(end, &["과", "와", "하고", "이랑", "랑"]).filter(|_| unit && core.is_some());
        let (_, after) = text.longest(end, particles).or_else(and)?;
        rough |= text.longest(end, ROUGHLY_AFTER).is_some();
        end = after;
    }
    let loose = text.skip_spaces(end);
    if let Some((_, after)) = text.longest(loose, ROUGHLY_AFTER) {
        let copula = text
            .longest(after, &["입니다", "이에요", "예요", "이다", "임", "으로", "로", "의", "에", "에서"])
            .map_or(after, |(_, end)| end);
        if !is_hangul(text.at(copula)) {
            (end, rough) = (copula, true);
        }
    }
    let next = text.at(end);
    let joins = matches!(next, '-' | '/' | '~' | '^' | '_' | '@' | ':') && text.at(end + 1) != ' ';
    let ends = !is_alphanumeric(next) && !joins;
    let amount = match amount {
        _ if !ends => return None,
        amount if !prefix.negative => amount,
        Amount::Exact(value) => Amount::Exact(value.negated()),
        Amount::Rounded(value) => Amount::Rounded(-value),
    };
    let unit = unit || prefix.money;
    let shown = core.is_some_and(|core| core.shown);
    Some(Phrase { amount, end, kind, rough, unit, shown, digits, words })
}

/// Whether a phrase may begin at `place`: at a word's start, or with digits right after Hangul (총120만원).
pub(super) fn may_begin(text: &Text, place: usize) -> bool {
    let before = text.before(place);
    let joined =
        matches!(before, '-' | '.' | '/' | '_' | '#' | '@') && place > 1 && is_alphanumeric(text.before(place - 1));
    !joined && (!is_alphanumeric(before) || (text::is_hangul(before) && text.is_digit(place)))
}
