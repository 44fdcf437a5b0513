//! Units of measure that are not the field's: `500g` in a field of kilograms is no 500 of them. Nothing is converted; it is named.
//! Currencies are `money`'s. Next: `walk`.

use std::sync::LazyLock;

use super::index::Index;
use super::money::is_word;
use super::text::is_alphanumeric;

/// Kinds of measure, their units, and how each is written.
const MEASURES: &[&[&[&str]]] = &[
    &[
        &["mg", "milligram", "밀리그램"],
        &["g", "gram", "그램"],
        &["kg", "kilo", "kilogram", "킬로그램", "㎏"],
        &["t", "ton", "tonne", "톤"],
        &["lb", "lbs"],
        &["oz", "ounce"],
        &["근"],
    ],
    &[
        &["mm", "millimeter", "millimetre", "밀리미터"],
        &["cm", "centimeter", "centimetre", "센티미터", "센티", "㎝"],
        &["m", "meter", "metre", "미터"],
        &["km", "kilometer", "kilometre", "킬로미터", "㎞"],
        &["ft", "feet", "foot"],
        &["inch", "inches", "인치"],
        &["mile", "마일"],
    ],
    &[
        &["㎡", "m²", "m2", "sqm", "square meter", "square metre", "제곱미터"],
        &["평", "평수", "pyeong"],
        &["sqft", "square feet", "square foot"],
        &["acre", "에이커"],
    ],
    &[&["ml", "milliliter", "millilitre", "밀리리터"], &["l", "liter", "litre", "리터"]],
    &[&["byte", "바이트"], &["kb", "kilobyte"], &["mb", "megabyte"], &["gb", "gigabyte"], &["tb", "terabyte"]],
    &[
        &["ms", "msec", "millisecond", "밀리초"],
        &["s", "sec", "second", "초"],
        &["min", "minute", "분"],
        &["h", "hr", "hour", "시간"],
        &["day", "일"],
        &["week", "주일", "주"],
        &["month", "개월", "달"],
        &["year", "yr", "년", "살", "세", "age", "나이", "연령"],
    ],
    &[
        &["c", "°c", "℃", "celsius", "degree celsius", "degrees celsius", "degree c", "degrees c", "섭씨"],
        &["f", "°f", "℉", "fahrenheit", "degree fahrenheit", "degrees fahrenheit", "degree f", "degrees f", "화씨"],
    ],
    &[&["hz", "hertz"], &["khz", "kilohertz"], &["mhz", "megahertz"], &["ghz", "gigahertz"]],
    &[
        &["w", "watt", "와트"],
        &["kw", "kilowatt", "킬로와트"],
        &["mw", "megawatt", "메가와트"],
        &["hp", "horsepower", "마력"],
    ],
    &[
        &["m/s", "meters per second", "metres per second"],
        &["km/h", "kmh", "kph", "km/hr", "km per hour", "kilometers per hour", "kilometres per hour"],
        &["mph", "mi/h", "miles per hour"],
        &["knot"],
    ],
];

/// Whether the unit in `text` is another one than those that `about`, the field's names, tell of; both in small letters.
pub(super) fn is_anothers(text: &str, about: &str) -> bool {
    let said = units(text);
    let mut said = said
        .iter()
        .filter_map(|(_, of)| if let Of::Unit(kind, unit) = of { Some((*kind, *unit)) } else { None })
        .peekable();
    if said.peek().is_none() {
        return false;
    }
    let told: Vec<(&str, usize, usize)> = told(about)
        .into_iter()
        .filter_map(|(name, tells)| if let Tells::Unit(kind, unit) = tells { Some((name, kind, unit)) } else { None })
        .collect();
    // The unit of an age is a year where the names tell of no other.
    let is_age = |name: &str| matches!(name, "age" | "나이" | "연령");
    let years = told.iter().find(|(name, ..)| is_age(name)).copied();
    let other = |(_, kind, unit): (&str, usize, usize)| told.iter().any(|(_, of, named)| *of == kind && *named != unit);
    let of_another = years.is_some_and(other);
    let told: Vec<_> = told.into_iter().filter(|(name, ..)| !(of_another && is_age(name))).collect();
    // A letter alone may be anything but beside its kin: vitamin C, e.g.
    let any = told.iter().any(|(name, ..)| name.len() > 1);
    said.any(|(kind, unit)| {
        let of_kind = any || told.iter().any(|(_, of, _)| *of == kind);
        of_kind && !told.iter().any(|(_, of, named)| (*of, *named) == (kind, unit))
    })
}

/// Nouns of the kinds of measure, in their order, which tell the kind and leave the unit open.
const NOUNS: [&[&str]; MEASURES.len()] = [
    &["weight", "mass", "무게", "중량", "체중", "몸무게"],
    &["height", "length", "width", "depth", "distance", "키", "길이", "거리", "높이", "너비", "신장"],
    &["area", "면적"],
    &["volume", "용량"],
    &["storage", "memory", "용량"],
    &["duration", "기간"],
    &["temperature", "temp", "온도", "기온", "체온"],
    &["frequency", "주파수"],
    &["wattage", "소비전력"],
    &["velocity", "풍속", "시속"],
];
/// The last: its units begin with those of a length.
const SPEED: usize = MEASURES.len() - 1;
const LENGTH: usize = 1;
const KILOMETRES: usize = 3;

/// Kinds that are no measures: what tells of them, and their units. What is counted may be people.
const COUNTS: &[(&[&str], &[&str])] = &[
    (
        &["quantity", "qty", "count", "number of", "수량", "개수", "갯수"],
        &["개", "piece", "pcs", "item", "unit", "ea", "권", "병", "잔", "마리", "박스", "상자", "대"],
    ),
    (
        &["people", "person", "guest", "quantity", "qty", "count", "number of", "수량", "인원", "인원수", "명수"],
        &["명", "분", "people", "person", "guest"],
    ),
    (&["floor", "story", "level", "층", "층수"], &["층", "floor"]),
    (
        &[
            "temperature",
            "temp",
            "온도",
            "기온",
            "체온",
            "celsius",
            "섭씨",
            "°c",
            "℃",
            "fahrenheit",
            "화씨",
            "°f",
            "℉",
            "angle",
            "latitude",
            "longitude",
            "degree",
            "각도",
            "위도",
            "경도",
            "도수",
        ],
        &["도", "degree"],
    ),
    (PERCENTAGES, &[]),
];
const PERCENTAGES: &[&str] = &["percent", "percentage", "pct", "%", "퍼센트", "할인율", "이자율"];

/// Of which unit a word behind a number is one, by its places in the lists.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Unit(usize, usize),
    Count(usize),
    /// A word that is none, and begins like one.
    Nothing,
}

/// What a word of a field's names tells of, by its places in the lists.
#[derive(Clone, Copy)]
enum Tells {
    Unit(usize, usize),
    Noun(usize),
    Count(usize),
}

/// Words that begin like a unit of Korean, and are other ones.
const LONGER: [&str; 6] = ["개월", "개국", "개소", "주택", "도시", "세대"];

fn measures() -> impl Iterator<Item = (&'static str, usize, usize)> {
    let units = MEASURES
        .iter()
        .enumerate()
        .flat_map(|(kind, units)| units.iter().enumerate().map(move |(unit, names)| (names, kind, unit)));
    units.flat_map(|(names, kind, unit)| names.iter().map(move |name| (*name, kind, unit)))
}

// The lists are long and a text is short, so that each place of it is looked at once.
static UNITS: LazyLock<Index<Of>> = LazyLock::new(|| {
    let counts = COUNTS.iter().enumerate();
    let counts = counts.flat_map(|(kind, (_, units))| units.iter().map(move |name| (*name, Of::Count(kind))));
    let units = measures().map(|(name, kind, unit)| (name, Of::Unit(kind, unit)));
    Index::new(units.chain(counts).chain(LONGER.map(|name| (name, Of::Nothing))))
});
static NAMES: LazyLock<Index<Tells>> = LazyLock::new(|| {
    let nouns = NOUNS.iter().enumerate();
    let nouns = nouns.flat_map(|(kind, names)| names.iter().map(move |name| (*name, Tells::Noun(kind))));
    let counts = COUNTS.iter().enumerate();
    let counts = counts.flat_map(|(kind, (names, _))| names.iter().map(move |name| (*name, Tells::Count(kind))));
    let units = measures().map(|(name, kind, unit)| (name, Tells::Unit(kind, unit)));
    Index::new(units.chain(nouns).chain(counts))
});

/// Whether a field's names tell of a percentage.
pub(super) fn is_percentage(about: &str) -> bool {
    told(&about.to_lowercase()).iter().any(|(name, _)| PERCENTAGES.contains(name))
}

/// Whether one of a field's names ends as Korean rates do, which are counted in hundredths: 성공률. A 비율 may be a share of one.
pub(super) fn is_rate(about: &str) -> bool {
    let mut words = about.split(|c: char| !is_alphanumeric(c));
    words.any(|word| !word.ends_with("비율") && word.chars().count() > 1 && word.ends_with(['율', '률']))
}

/// Whether the unit in `text` is of a kind that `about` does not tell of, where it tells of any: 25층 is no age, and 500g no quantity.
/// `pays` are whether the text gives money, and whether the names tell of money.
pub(super) fn is_of_another_kind(text: &str, about: &str, pays: (bool, bool)) -> bool {
    if about.trim().is_empty() || pays == (true, true) {
        return false;
    }
    let words = units(text);
    let alone = |(name, of): &&(&str, Of)| *of != Of::Nothing && stands_alone(text, name, &words);
    let said: Vec<_> = words.iter().filter(alone).collect();
    if !pays.0 && said.is_empty() {
        return false;
    }
    // An amount per day is no time.
    let mut last = "";
    let about: Vec<&str> =
        about.split_whitespace().filter(|word| !is_per(std::mem::replace(&mut last, word))).collect();
    let mut told = told(&about.join(" "));
    told.retain(|(name, _)| name.len() > 1 || *name == "%");
    // One word may be a unit of two kinds.
    let fits = said.iter().any(|(_, of)| {
        told.iter().any(|(_, tells)| match (of, tells) {
            (Of::Unit(kind, _), Tells::Unit(named, _) | Tells::Noun(named))
            | (Of::Count(kind), Tells::Count(named)) => kind == named,
            _ => false,
        })
    });
    !fits && (pays.1 || !told.is_empty())
}

fn is_per(word: &str) -> bool {
    matches!(word, "per" | "each" | "every" | "a")
}

/// The words that stand in a field's names, and what they tell of.
fn told(about: &str) -> Vec<(&'static str, Tells)> {
    let mut told = Vec::new();
    for (at, first) in about.char_indices() {
        let here = NAMES.beginning(first).iter().filter(|(name, _)| about[at..].starts_with(name));
        told.extend(here.filter(|(name, _)| is_word(about, at, name)).copied());
    }
    told
}

/// Whether a unit among those that stand in the text is one by itself: the 일 of 이십일 and the 개 of 2개월 are none.
fn stands_alone(text: &str, name: &str, words: &[(&str, Of)]) -> bool {
    let in_longer =
        words.iter().any(|(longer, _)| *longer != name && longer.starts_with(name) && LONGER.contains(longer));
    let numeral = || name == "일" && !text.contains(|c: char| c.is_numeric());
    !in_longer && !numeral()
}

/// The units that stand right behind a number, in digits or words; a name once for each place and list.
fn units(text: &str) -> Vec<(&'static str, Of)> {
    let number = |c: char| c.is_numeric() || "일이삼사오육칠팔구십백천만반한두세네섯곱덟홉열무".contains(c);
    let mut units = Vec::new();
    // The last character that is no space, and where it ends.
    let (mut last, mut end) = ('\0', 0);
    for (at, first) in text.char_indices() {
        if first.is_whitespace() {
            continue;
        }
        let known = UNITS.beginning(first);
        let word = || text[..end].rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        if !known.is_empty()
            && (number(last) || end < at && last.is_ascii_alphabetic() && super::is_number_word(word()))
        {
            let from = units.len();
            units.extend(known.iter().filter(|(name, _)| is_unit(&text[at..], name)).copied());
            let is_speed = |of: &Of| matches!(of, Of::Unit(SPEED, _));
            if units[from..].iter().any(|(_, of)| is_speed(of)) {
                let lengths = units.split_off(from);
                units.extend(lengths.into_iter().filter(|(_, of)| is_speed(of)));
            }
        }
        (last, end) = (first, at + first.len_utf8());
    }
    units.extend(scale_before(text));
    // 시속 60km is a speed.
    if text.contains("시속") {
        let speed =
            |(name, of)| if of == Of::Unit(LENGTH, KILOMETRES) { (name, Of::Unit(SPEED, 1)) } else { (name, of) };
        units = units.into_iter().map(speed).collect();
    }
    if is_in_inches(text) {
        units.extend(UNITS.beginning('i').iter().filter(|(name, _)| *name == "inch"));
    }
    units
}

/// The scale of degrees that Korean says before them: 화씨 77도.
fn scale_before(text: &str) -> impl Iterator<Item = (&'static str, Of)> {
    let text = text.trim_start();
    let behind = |name: &str| text.strip_prefix(name).is_some_and(|rest| rest.contains(char::is_numeric));
    let known = ['섭', '화'].into_iter().flat_map(|first| UNITS.beginning(first));
    known.filter(move |(name, _)| behind(name)).copied()
}

/// Whether a mark that closes nothing ends the text behind its digits: `13.3"`.
fn is_in_inches(text: &str) -> bool {
    let mark = |c: char| matches!(c, '"' | '″' | '”');
    let number = text.trim_end().strip_suffix(mark);
    number.is_some_and(|rest| rest.ends_with(|c: char| c.is_ascii_digit()) && !rest.contains(['"', '″', '“', '”']))
}

/// Whether a text begins with the unit of that name.
fn is_unit(text: &str, name: &str) -> bool {
    let Some(rest) = text.strip_prefix(name) else { return false };
    let rest = if name.is_ascii() && name.len() > 2 { rest.strip_prefix('s').unwrap_or(rest) } else { rest };
    !name.is_ascii() || !rest.starts_with(is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::{is_anothers, is_of_another_kind};

    #[test]
    fn a_unit_that_the_field_does_not_name_is_anothers() {
        for (text, about) in [
            ("500g", "weight kg"),
            ("500 grams", "weight in kilograms"),
            ("1tb", "storage gb"),
            ("2 hours", "duration minutes"),
            ("two hours", "duration minutes"),
            ("2시간", "분"),
            ("두 시간", "minutes"),
            ("18개월", "age"),
            ("2 months", "age"),
            ("3 cm", "width mm"),
            ("70°f", "temp c"),
            ("5 miles", "distance km"),
            ("도보 5분", "distance in km"),
            ("99㎡", "area in pyeong"),
            ("5근", "weight kg"),
            ("77 degrees fahrenheit", "temperature c"),
            ("화씨 77도", "temperature c"),
            ("25 degrees celsius", "temperature f"),
            ("3 years", "age months"),
            ("3600 mhz", "clock ghz"),
            ("1500 w", "power kw"),
            ("13.3\"", "screen size cm"),
            ("30 cm", "width inches"),
            ("500 ms", "timeout seconds"),
            ("60 km/h", "speed mph"),
            ("60 miles per hour", "speed kmh"),
            ("시속 60km", "speed mph"),
            ("60 km/h", "distance km"),
        ] {
            assert!(is_anothers(text, about), "{text}, {about}");
        }
        for (text, about) in [
            ("5kg", "weight kg"),
            ("5 kg", "weight"),
            ("25세", "age"),
            ("25 years old", "나이"),
            ("40시간", "hours per week"),
            ("90 minutes", "duration minutes"),
            ("3명", "minutes"),
            ("5 years", "vitamin c"),
            ("30평", "area in pyeong"),
            ("3개", "weight kg"),
            ("3 months", "age months"),
            ("\"13.3\"", "screen size cm"),
            ("25 degrees celsius", "temperature c"),
            ("13.3\"", "screen size inches"),
            ("60 km/h", "speed kmh"),
            ("60 km/h", "speed"),
            ("60 mph", "speed mph"),
            ("60 miles per hour", "speed mph"),
            ("시속 60km", "속도"),
            ("시속 60km", "speed kmh"),
            ("60 km/h", "speed km/h"),
            ("5 m/s", "wind speed m/s"),
            ("60 km", "distance km"),
        ] {
            assert!(!is_anothers(text, about), "{text}, {about}");
        }
    }
    #[test]
    fn a_unit_of_a_kind_that_the_field_does_not_tell_of_is_of_another() {
        for (text, about) in [
            ("25개", "age"),
            ("25도", "age"),
            ("25층", "age"),
            ("500g", "quantity"),
            ("2개월", "quantity"),
            ("2024년", "number of items"),
            ("3명", "weight"),
            ("3명", "floor"),
            ("3일", "people"),
            ("25개", "temperature"),
            ("3개", "discount percent"),
            ("3층", "수량"),
            ("two  weeks", "weight"),
        ] {
            assert!(is_of_another_kind(text, about, (false, false)), "{text}, {about}");
        }
        for (text, about) in [
            ("25살", "age"),
            ("25", "age"),
            ("이십일", "age"),
            ("3명", "quantity"),
            ("세 분", "인원"),
            ("2개월", "duration"),
            ("3층", "floor"),
            ("25도", "temperature (°c)"),
            ("3 days", "number of days"),
            ("3.5 ghz", "clock speed"),
            ("50 mb/s", "download speed"),
            ("60 km/h", "velocity"),
            ("500g", "weight"),
            ("25개", "size"),
            ("3개", "cost per day"),
            ("3주택", "weight"),
            ("2개국", "weight"),
            ("two gs", "quantity"),
        ] {
            assert!(!is_of_another_kind(text, about, (false, false)), "{text}, {about}");
        }
        assert!(is_of_another_kind("25원", "age", (true, false)) && is_of_another_kind("2만원", "수량", (true, false)));
        assert!(!is_of_another_kind("25원", "pay per hour", (true, false)));
        assert!(!is_of_another_kind("25원", "price of a count", (true, true)));
    }
}
