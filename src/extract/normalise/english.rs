//! English number words: `one hundred and twenty`, `twelve hundred`, `2.5 million`, `3 dozen`, `twenty-first`, `two thirds`.
//! Signs, currencies and units are not read here. Next: `number`.

use std::sync::LazyLock;

use super::decimal::Decimal;
use super::digits::literal;
use super::index::Index;
use super::text::Text;

/// A number in words that is whole at `end`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Words {
    pub(super) value: Decimal,
    /// Divided by this: 3 in `two thirds`.
    pub(super) divisor: i64,
    pub(super) end: usize,
    pub(super) ordinal: bool,
    /// Digits take part: `2 million`.
    pub(super) digits: bool,
    pub(super) words: usize,
}

const MOST_WORDS: usize = 48;

const SMALL: &[(&str, i64)] = &[
    ("zero", 0),
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
];
const TENS: &[(&str, i64)] = &[
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fourty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
];
/// Short scale, and how many zeros.
const SCALES: &[(&str, u32)] = &[
    ("thousand", 3),
    ("thousands", 3),
    ("million", 6),
    ("millions", 6),
    ("billion", 9),
    ("billions", 9),
    ("trillion", 12),
    ("quadrillion", 15),
];
const ORDINALS: &[(&str, i64)] = &[
    ("first", 1),
    ("second", 2),
    ("third", 3),
    ("fourth", 4),
    ("fifth", 5),
    ("sixth", 6),
    ("seventh", 7),
    ("eighth", 8),
    ("ninth", 9),
    ("tenth", 10),
    ("eleventh", 11),
    ("twelfth", 12),
    ("thirteenth", 13),
    ("fourteenth", 14),
    ("fifteenth", 15),
    ("sixteenth", 16),
    ("seventeenth", 17),
    ("eighteenth", 18),
    ("nineteenth", 19),
    ("twentieth", 20),
    ("thirtieth", 30),
    ("fortieth", 40),
    ("fiftieth", 50),
    ("sixtieth", 60),
    ("seventieth", 70),
    ("eightieth", 80),
    ("ninetieth", 90),
];
const PARTS: &[(&str, i64)] = &[
    ("half", 2),
    ("halves", 2),
    ("third", 3),
    ("thirds", 3),
    ("quarter", 4),
    ("quarters", 4),
    ("fourths", 4),
    ("fifth", 5),
    ("fifths", 5),
    ("sixths", 6),
    ("eighth", 8),
    ("eighths", 8),
    ("tenth", 10),
    ("tenths", 10),
];

/// What a number in words begins with.
static FIRST_WORDS: LazyLock<Index<()>> = LazyLock::new(|| {
    let words = SMALL.iter().chain(TENS).chain(ORDINALS).chain(PARTS).map(|(word, _)| *word);
    Index::new(words.chain(["a", "an"]).map(|word| (word, ())))
});

/// All numbers with at least one number word that begin at `place`, shortest first.
pub(super) fn numbers(text: &Text, place: usize) -> Vec<Words> {
    // At most places none begins.
    let first = text.at(place);
    if !(first.is_ascii_digit() || first == '.') && text.among(place, &FIRST_WORDS).is_none() {
        return Vec::new();
    }
    // Digits are one only with a word behind them.
    if !first.is_ascii_alphabetic() {
        let parts = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '\'' | ' ' | '-');
        let behind = (place..).find(|&place| !parts(text.at(place))).unwrap_or(place);
        if !text.at(behind).is_ascii_alphabetic() {
            return Vec::new();
        }
    }
    let mut reader = Reader { scale: 18, ..Reader::default() };
    let mut found = Vec::new();
    let mut place = place;
    for part in 0..MOST_WORDS {
        let from = if part == 0 { place } else { joint(text, place) };
        let Some(end) = reader.step(text, from, part == 0) else { break };
        place = end;
        if let Some(value) = reader.value()
            && reader.words > 0
        {
            found.push(Words {
                value,
                divisor: reader.divisor.max(1),
                end,
                ordinal: reader.ordinal,
                digits: reader.digits,
                words: reader.words,
            });
        }
        if reader.finished {
            break;
        }
    }
    found
}

/// Past spaces or one hyphen.
fn joint(text: &Text, place: usize) -> usize {
    if text.at(place) == '-' { place + 1 } else { text.skip_spaces(place) }
}

#[derive(Default)]
struct Reader {
    total: Decimal,
    /// Zeros of the last scale word; a further one must have fewer.
    scale: u32,
    /// Below a thousand, under way.
    group: Option<Decimal>,
    /// What may still be added to the group: below 100 after hundred, below 10 after twenty.
    room: i64,
    point: Option<String>,
    /// An article, `and` or a hyphenated half is waiting for its number.
    waiting: bool,
    divisor: i64,
    ordinal: bool,
    finished: bool,
    digits: bool,
    words: usize,
}

impl Reader {
    fn step(&mut self, text: &Text, place: usize, first: bool) -> Option<usize> {
        if let Some(point) = &mut self.point {
            if let Some((digit, end)) = text.meaning(place, SMALL).filter(|&(digit, _)| digit < 10) {
                point.push(char::from_digit(u32::try_from(digit).ok()?, 10)?);
                self.words += 1;
                return (point.len() <= 15).then_some(end);
            }
            return if point.is_empty() { None } else { self.scale_word(text, place) };
        }
        if first {
            if text.is_digit(place) || text.at(place) == '.' {
                let literal = literal(text, place)?;
                (self.group, self.digits) = (Some(literal.value), true);
                return Some(literal.end);
            }
            if let Some(end) = text.eat(place, "a").or_else(|| text.eat(place, "an")) {
                (self.group, self.waiting) = (Some(Decimal::whole(1)), true);
                return Some(end);
            }
        }
        if let Some(end) = text.eat(place, "and").filter(|_| self.group.is_some() || self.scale < 18) {
            return self.after_and(text, text.skip_spaces(end));
        }
        if let Some(end) = self.fraction(text, place) {
            return Some(end);
        }
        if !self.digits && !self.waiting {
            if let Some(end) = self.small_word(text, place) {
                return Some(end);
            }
            if let Some(end) = text.eat(place, "point").filter(|_| self.group.is_some()) {
                self.point = Some(String::new());
                return Some(end);
            }
        }
        self.scale_word(text, place)
    }

    /// `one hundred and twenty`, `two and a half`.
    fn after_and(&mut self, text: &Text, place: usize) -> Option<usize> {
        let article = text.eat(place, "a").or_else(|| text.eat(place, "one"));
        if let Some(article) = article.filter(|_| self.group.is_some()) {
            let part = text.meaning(text.skip_spaces(article), PARTS).filter(|&(divisor, _)| matches!(divisor, 2 | 4));
            if let Some((divisor, end)) = part {
                let part = Decimal::whole(1).divided(Decimal::whole(divisor))?.ok()?;
                self.group = Some(self.group?.plus(part)?);
                (self.room, self.digits) = (0, true);
                self.words += 1;
                return Some(end);
            }
        }
        if self.digits || (self.group.is_some() && self.room < 100) {
            return None;
        }
        self.small_word(text, place)
    }

    /// The divisor of `two thirds`, `a quarter`, or `half` alone.
    fn fraction(&mut self, text: &Text, place: usize) -> Option<usize> {
        let (divisor, end) = text.meaning(place, PARTS)?;
        let plural = text.at(end.saturating_sub(1)) == 's';
        let one = self.group.is_none_or(|group| group == Decimal::whole(1));
        let bare = self.group.is_none() && !matches!(divisor, 2 | 4);
        if self.scale < 18 || plural == one || bare {
            return None;
        }
        self.group = self.group.or(Some(Decimal::whole(1)));
        (self.divisor, self.waiting, self.finished) = (divisor, false, true);
        self.words += 1;
        Some(end)
    }

    fn small_word(&mut self, text: &Text, place: usize) -> Option<usize> {
        let small = text.meaning(place, SMALL).map(|(value, end)| (value, end, 0, false));
        let tens = text.meaning(place, TENS).map(|(value, end)| (value, end, 9, false));
        let ordinal = text.meaning(place, ORDINALS).map(|(value, end)| (value, end, 0, true));
        let (value, end, room, ordinal) = small.or(tens).or(ordinal)?;
        if let Some(group) = self.group {
            let fits = if self.room == 9 { value < 10 } else { self.room == 100 && value < 100 };
            if !fits || value == 0 {
                return None;
            }
            self.group = Some(group.plus(Decimal::whole(value))?);
        } else {
            self.group = Some(Decimal::whole(value));
        }
        (self.room, self.ordinal, self.finished) = (room, ordinal, ordinal);
        self.words += 1;
        Some(end)
    }

    fn scale_word(&mut self, text: &Text, place: usize) -> Option<usize> {
        let point = self.point.as_deref().unwrap_or("");
        let many = self.group?.plus(Decimal::parse("", point)?)?;
        if let Some(end) = text.eat(place, "hundred").or_else(|| text.eat(place, "hundreds")) {
            if self.room == 100 || !many.is_below(2) {
                return None;
            }
            self.group = Some(many.shifted(2)?);
            (self.room, self.waiting, self.point) = (100, false, None);
            self.words += 1;
            return Some(end);
        }
        if let Some(end) = text.longest(place, &["dozen", "dozens"]) {
            self.total = self.total.plus(many.times(Decimal::whole(12))?)?;
            (self.group, self.point, self.waiting, self.finished) = (None, None, false, true);
            self.words += 1;
            return Some(end.1);
        }
        let (scale, end) = text.meaning(place, SCALES)?;
        if scale >= self.scale {
            return None;
        }
        self.total = self.total.plus(many.shifted(scale.try_into().ok()?)?)?;
        (self.scale, self.group, self.point, self.room) = (scale, None, None, 0);
        // After `2 million` more words may follow, but no further digits.
        (self.waiting, self.finished) = (false, self.digits);
        self.words += 1;
        Some(end)
    }

    fn value(&self) -> Option<Decimal> {
        if self.waiting || self.point.as_ref().is_some_and(String::is_empty) {
            return None;
        }
        let point = Decimal::parse("", self.point.as_deref().unwrap_or(""))?;
        let rest = self.group.unwrap_or(Decimal::ZERO).plus(point)?;
        (self.scale == 18 || rest.is_below(self.scale)).then(|| self.total.plus(rest))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> Option<String> {
        let text = Text::new(input)?;
        let whole = numbers(&text, 0).into_iter().find(|words| words.end == text.len())?;
        let value = whole.value.divided(Decimal::whole(whole.divisor))?;
        Some(value.map_or_else(
            |rounded| rounded.to_string(),
            |exact| exact.to_json().map(|(n, _)| n.to_string()).unwrap_or_default(),
        ))
    }

    #[test]
    fn number_words_are_read() {
        for (input, value) in [
            ("seven", "7"),
            ("forty-two", "42"),
            ("three hundred", "300"),
            ("fifteen hundred", "1500"),
            ("two hundred and six", "206"),
            ("one thousand three hundred and five", "1305"),
            ("nine million two hundred thousand", "9200000"),
            ("a hundred", "100"),
            ("4.5 million", "4500000"),
            ("6 thousand", "6000"),
            ("two dozen", "24"),
            ("a dozen", "12"),
            ("three point one four", "3.14"),
            ("one point two billion", "1200000000"),
            ("thirty-second", "32"),
            ("three quarters", "0.75"),
            ("half", "0.5"),
            ("one and a half", "1.5"),
            ("two and a half million", "2500000"),
            ("Eleven", "11"),
        ] {
            assert_eq!(read(input).as_deref(), Some(value), "{input}");
        }
    }

    #[test]
    fn other_words_and_wrong_orders_are_no_number() {
        for input in [
            "a",
            "and",
            "one two three",
            "twenty eleven",
            "hundred",
            "thousand million",
            "point five",
            "someone",
            "tent",
            "often",
        ] {
            assert_eq!(read(input), None, "{input}");
        }
    }
}
