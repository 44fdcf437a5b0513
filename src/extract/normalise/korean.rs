//! Korean numerals: Sino-Korean (`천이백삼십사`), native (`스물다섯`), mixed with digits (`1만 2,345`), with `점` and a fraction.
//! Every place where a whole numeral may end is reported, because what follows decides: `십일` is 11, before `월 십일` a day's 10.
//! Units and signs are not read here. Next: `number`, `time`.

use std::sync::LazyLock;

use super::counters::COUNTERS;
use super::decimal::Decimal;
use super::digits::literal;
use super::index::Index;
use super::text::Text;

/// A numeral that is whole at `end`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Numeral {
    pub(super) value: Decimal,
    pub(super) end: usize,
    /// Numeral words; none is a number in digits alone.
    pub(super) words: usize,
    /// Digits take part.
    pub(super) digits: bool,
    /// Digits in groups take part.
    pub(super) grouped: bool,
    /// Groups that only their currency shows to be such (`350.000원`), or decimals that could be a group (`10.000`).
    pub(super) pointed: bool,
    /// It ends in a form that stands before a counter: `한`, `두`, `스무`, or that needs one: `석`, `넉`.
    pub(super) determiner: Determiner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Determiner {
    No,
    /// May stand alone.
    Loose,
    /// Means something else when alone: `네` is yes.
    Bound,
}

/// A numeral of more parts than this is not read to its end.
const MOST_PARTS: usize = 64;

const DIGITS: &[(&str, i64)] = &[
    ("영", 0),
    ("공", 0),
    ("령", 0),
    ("빵", 0),
    ("제로", 0),
    ("일", 1),
    ("이", 2),
    ("삼", 3),
    ("사", 4),
    ("오", 5),
    ("육", 6),
    ("륙", 6),
    ("칠", 7),
    ("팔", 8),
    ("구", 9),
];
/// Powers of ten within a group of four, and how many zeros.
const UNITS: &[(&str, u32)] = &[("십", 1), ("백", 2), ("천", 3)];
/// Powers of ten thousand. 구 (10^32) is nine too, and read in [`Reader::take_myriad`].
const MYRIADS: &[(&str, u32)] =
    &[("만", 4), ("억", 8), ("조", 12), ("경", 16), ("해", 20), ("자", 24), ("양", 28), ("간", 36)];
const NATIVE_TENS: &[(&str, i64)] = &[
    ("열", 10),
    ("스물", 20),
    ("서른", 30),
    ("마흔", 40),
    ("쉰", 50),
    ("예순", 60),
    ("일흔", 70),
    ("여든", 80),
    ("아흔", 90),
];
const NATIVE_ONES: &[(&str, i64)] =
    &[("하나", 1), ("둘", 2), ("셋", 3), ("넷", 4), ("다섯", 5), ("여섯", 6), ("일곱", 7), ("여덟", 8), ("아홉", 9)];
const DETERMINERS: &[(&str, (i64, Determiner))] = &[
    ("한", (1, Determiner::Loose)),
    ("두", (2, Determiner::Loose)),
    ("세", (3, Determiner::Loose)),
    ("네", (4, Determiner::Bound)),
    ("석", (3, Determiner::Bound)),
    ("넉", (4, Determiner::Bound)),
    ("서", (3, Determiner::Bound)),
    ("너", (4, Determiner::Bound)),
];

/// What a numeral in words is made of.
static FIRST_WORDS: LazyLock<Index<()>> = LazyLock::new(|| {
    let native = NATIVE_TENS.iter().chain(NATIVE_ONES).map(|(word, _)| *word).chain(["스무"]);
    let sino = DIGITS.iter().map(|(word, _)| *word).chain(UNITS.iter().chain(MYRIADS).map(|(word, _)| *word));
    let words = native.chain(sino).chain(DETERMINERS.iter().map(|(word, _)| *word));
    Index::new(words.chain(["점"]).map(|word| (word, ())))
});

static SINO_DIGITS: LazyLock<Index<i64>> = LazyLock::new(|| Index::new(DIGITS.iter().copied()));
static TENS: LazyLock<Index<i64>> = LazyLock::new(|| Index::new(NATIVE_TENS.iter().copied()));
static ONES: LazyLock<Index<i64>> = LazyLock::new(|| Index::new(NATIVE_ONES.iter().copied()));
/// What its native ones are.
static NATIVE: LazyLock<Index<()>> = LazyLock::new(|| {
    let numbers = NATIVE_TENS.iter().chain(NATIVE_ONES).map(|(word, _)| *word);
    let words = numbers.chain(DETERMINERS.iter().map(|(word, _)| *word)).chain(["스무"]);
    Index::new(words.map(|word| (word, ())))
});

/// All numerals that begin at `place`, shortest first.
pub(super) fn numerals(text: &Text, place: usize) -> Vec<Numeral> {
    // At most places none begins.
    if !may_go_on(text, place) {
        return Vec::new();
    }
    let mut reader = Reader::default();
    let mut found = Vec::new();
    let mut place = place;
    for _ in 0..MOST_PARTS {
        // No space before the first part: a numeral begins where it begins.
        let from = if reader.parts == 0 { place } else { text.skip_spaces(place) };
        let Some(end) = reader.step(text, from) else { break };
        reader.parts += 1;
        place = end;
        if let Some(value) = reader.value() {
            found.push(Numeral {
                value,
                end,
                words: reader.words,
                digits: reader.digits,
                grouped: reader.grouped,
                pointed: reader.grouped_by_point,
                determiner: if reader.is_age() { Determiner::Bound } else { reader.determiner },
            });
        }
    }
    found
}

/// Whether a part of a numeral may stand there, by its first character.
fn may_go_on(text: &Text, place: usize) -> bool {
    let first = text.at(place);
    first.is_ascii_digit() || first == '.' || !FIRST_WORDS.beginning(first).is_empty()
}

/// Whether two native numbers follow each other, which is one of the two: 네 다섯 명, 다섯에서 여섯 명. `place` is the first one's.
pub(super) fn is_one_of_two(text: &Text, place: usize) -> bool {
    let native = |place: usize| {
        let known = text.among(place, &ONES).is_some() || text.among(place, &TENS).is_some();
        let known = known || text.meaning(place, DETERMINERS).is_some();
        if known { numerals(text, place).pop().filter(|numeral| !numeral.digits) } else { None }
    };
    native(place).is_some_and(|first| {
        let end = text.longest(first.end, &["에서", "이나", "내지"]).map_or(first.end, |(_, end)| end);
        let next = text.skip_spaces(end);
        next > end && native(next).is_some_and(|second| second.value.small() > first.value.small())
    })
}

/// What was read so far: `total + group + last`.
struct Reader {
    /// Finished groups with their myriad.
    total: Decimal,
    /// Zeros of the last myriad; a further one must have fewer.
    myriad: u32,
    /// The group under way, and zeros of its last unit.
    group: Decimal,
    unit: u32,
    /// A digit, native ten or number in digits that still may get a unit.
    last: Option<Decimal>,
    /// It is a number in digits, ungrouped.
    last_digits: bool,
    /// The last myriad stands without a number before it: 만 오천.
    bare_myriad: bool,
    /// Nothing but a myriad, a point or the end may follow.
    closed: bool,
    pointed: bool,
    fraction: String,
    determiner: Determiner,
    unsure: bool,
    parts: usize,
    words: usize,
    digits: bool,
    grouped: bool,
    grouped_by_point: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            total: Decimal::ZERO,
            myriad: 40,
            group: Decimal::ZERO,
            unit: 4,
            last: None,
            last_digits: false,
            bare_myriad: false,
            closed: false,
            pointed: false,
            fraction: String::new(),
            determiner: Determiner::No,
            unsure: false,
            parts: 0,
            words: 0,
            digits: false,
            grouped: false,
            grouped_by_point: false,
        }
    }
}

impl Reader {
    /// Takes the part at `place` if it can go on from here: where the part ends.
    fn step(&mut self, text: &Text, place: usize) -> Option<usize> {
        if self.determiner != Determiner::No || !may_go_on(text, place) {
            return None;
        }
        if self.pointed {
            return self.after_point(text, place);
        }
        if text.is_digit(place) || (text.at(place) == '.' && text.is_digit(place + 1) && self.parts == 0) {
            let literal = literal(text, place)?;
            if self.last.is_some() || self.closed {
                return None;
            }
            self.last = Some(literal.value);
            self.last_digits = !literal.grouped;
            self.digits = true;
            self.grouped |= literal.grouped;
            self.grouped_by_point |= literal.pointed;
            return Some(literal.end);
        }
        let end = self.native(text, place).or_else(|| self.sino(text, place))?;
        self.words += 1;
        Some(end)
    }

    fn native(&mut self, text: &Text, place: usize) -> Option<usize> {
        if self.last.is_some() || self.closed || self.unit == 0 || NATIVE.beginning(text.at(place)).is_empty() {
            return None;
        }
        if let Some(end) = text.eat(place, "스무").filter(|_| self.unit > 1) {
            (self.group, self.unit, self.determiner) = (self.group.plus(Decimal::whole(20))?, 0, Determiner::Loose);
            return Some(end);
        }
        if let Some((tens, end)) = text.among(place, &TENS).filter(|_| self.unit > 1) {
            (self.group, self.unit) = (self.group.plus(Decimal::whole(tens))?, 1);
            return Some(end);
        }
        if let Some((ones, end)) = text.among(place, &ONES) {
            (self.group, self.unit) = (self.group.plus(Decimal::whole(ones))?, 0);
            return Some(end);
        }
        let ((ones, determiner), end) = text.meaning(place, DETERMINERS)?;
        // 오십 세 are fifty years of age, not 53 of something, and 3천 세대 are households.
        let years = text.at(place) == '세' && self.parts > 0;
        if self.digits || years || (self.parts > 0 && text.longest(place, COUNTERS).is_some_and(|(_, unit)| unit > end))
        {
            return None;
        }
        (self.group, self.unit, self.determiner) = (self.group.plus(Decimal::whole(ones))?, 0, determiner);
        Some(end)
    }

    fn sino(&mut self, text: &Text, place: usize) -> Option<usize> {
        if let Some((digit, end)) = text.among(place, &SINO_DIGITS) {
            let begun = self.parts > 0;
            if digit == 9 && self.last.is_some() {
                return self.take_myriad(text, place);
            }
            if self.last.is_some() || self.closed || self.unit == 0 || (digit == 0 && begun) {
                return None;
            }
            (self.last, self.last_digits) = (Some(Decimal::whole(digit)), false);
            self.closed = digit == 0;
            return Some(end);
        }
        if let Some((unit, end)) = text.meaning(place, UNITS) {
            if self.closed || unit >= self.unit {
                return None;
            }
            let many = self.last.take().unwrap_or(Decimal::whole(1));
            self.group = self.group.plus(many.shifted(unit.try_into().ok()?)?)?;
            self.unit = unit;
            return Some(end);
        }
        if let Some(end) = text.eat(place, "점") {
            // 일점 is whole only with what follows it.
            self.pointed = true;
            return Some(end);
        }
        self.take_myriad(text, place)
    }

    fn take_myriad(&mut self, text: &Text, place: usize) -> Option<usize> {
        let nonillion = text.eat(place, "구").filter(|_| self.last.is_some()).map(|end| (32, end));
        let (myriad, end) = nonillion.or_else(|| text.meaning(place, MYRIADS))?;
        // 일구 may be someone's 19: as 10^32 the word must be followed by a smaller myriad, or follow digits.
        self.unsure = nonillion.is_some() && self.words > 0;
        let bare = self.last.is_none() && self.unit == 4 && !self.pointed;
        // Alone, only 만 억 조 are number words; 경, 해, 자, 양 and 간 mean other things.
        if myriad >= self.myriad || (bare && myriad > 12) || (self.closed && !self.pointed) {
            return None;
        }
        let many = if bare { Decimal::whole(1) } else { self.group.plus(self.last.take().unwrap_or(Decimal::ZERO))? };
        let many = many.plus(Decimal::parse("", &self.fraction)?)?;
        let value = many.shifted(myriad.try_into().ok()?)?;
        if self.myriad < 40 && !value.is_below(self.myriad) {
            return None;
        }
        self.total = self.total.plus(value)?;
        (self.myriad, self.group, self.unit, self.last) = (myriad, Decimal::ZERO, 4, None);
        (self.pointed, self.closed, self.bare_myriad) = (false, false, bare);
        self.fraction.clear();
        Some(end)
    }

    /// Digits one by one after 점, and perhaps a myriad for the whole: 삼점오억.
    fn after_point(&mut self, text: &Text, place: usize) -> Option<usize> {
        if let Some((digit, end)) = text.among(place, &SINO_DIGITS) {
            self.fraction.push(char::from_digit(u32::try_from(digit).ok()?, 10)?);
            self.words += 1;
            return (self.fraction.len() <= 30).then_some(end);
        }
        if self.fraction.is_empty() {
            let mut end = place;
            while text.is_digit(end) && self.fraction.len() <= 30 {
                self.fraction.push(text.at(end));
                end += 1;
            }
            self.digits |= end > place;
            return (end > place && self.fraction.len() <= 30).then_some(end);
        }
        self.take_myriad(text, place)
    }

    /// 만 28 alone is somebody's age more likely than 10,028; 만 500원 are 10,500.
    fn is_age(&self) -> bool {
        let rest = self.last.filter(|_| self.last_digits && self.unit == 4);
        self.bare_myriad && rest.is_some_and(|rest| rest.is_below(3))
    }

    fn value(&self) -> Option<Decimal> {
        // 10억 5천 and 2억 3000 are said for 10억 5천만 and 2억 3000만 too, 3만5 for 3만 5천: which of the two cannot be seen.
        let rest = self.last.filter(|_| self.last_digits && self.unit == 4);
        let thousands = self.unit == 3 && self.last.is_none();
        let colloquial = ((8..40).contains(&self.myriad) && (thousands || rest.is_some()))
            || (self.myriad == 4 && rest.is_some_and(|rest| rest.is_below(1)));
        if self.unsure || colloquial || (self.pointed && self.fraction.is_empty()) {
            return None;
        }
        let rest = self.group.plus(self.last.unwrap_or(Decimal::ZERO))?.plus(Decimal::parse("", &self.fraction)?)?;
        (self.myriad == 40 || rest.is_below(self.myriad)).then(|| self.total.plus(rest))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> Option<String> {
        let text = Text::new(input)?;
        let whole = numerals(&text, 0).into_iter().find(|numeral| numeral.end == text.len())?;
        whole.value.to_json().map(|(number, _)| number.to_string())
    }

    #[test]
    fn numerals_of_every_kind_are_read() {
        for (input, value) in [
            ("팔백칠십육", "876"),
            ("사만 육천이백", "46200"),
            ("7만8천", "78000"),
            ("억", "100000000"),
            ("3억 만 오천", "300015000"),
            ("백팔십만육백이", "1800602"),
            ("5천8백", "5800"),
            ("2억 3000만", "230000000"),
            ("3만 5천", "35000"),
            ("1억 2,345", "100002345"),
            ("삼억 오천육", "300005006"),
            ("2.4억", "240000000"),
            ("이점오만", "25000"),
            ("육점공칠", "6.07"),
            ("1,250만", "12500000"),
            ("3만1,900", "31900"),
            ("쉰아홉", "59"),
            ("백열둘", "112"),
            ("십둘", "12"),
            ("四百五十", "450"),
            ("3구 15양", "3.0015e+32"),
        ] {
            assert_eq!(read(input).as_deref(), Some(value), "{input}");
        }
    }

    #[test]
    fn parts_in_the_wrong_order_are_no_numeral() {
        for input in [
            "이사",
            "오이",
            "일구",
            "만억",
            "백천",
            "십백",
            "영오",
            "1만 23456",
            "20 35",
            "일점",
            "3억 5천",
            "삼억 오천",
            "2억3000",
            "2억 3000",
            "1억2",
            "3만5",
            "스물십",
            "셋십",
            "천 만 억",
            "해",
        ] {
            assert_eq!(read(input), None, "{input}");
        }
    }
}
