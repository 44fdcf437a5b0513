//! Units of measure that are not the field's: `500g` in a field of kilograms is no 500 of them. Nothing is converted; it is named.
//! Currencies are `money`'s. Next: `walk`.

use super::money::has_word;

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
        &["s", "sec", "second", "초"],
        &["min", "minute", "분"],
        &["h", "hr", "hour", "시간"],
        &["day", "일"],
        &["week", "주일", "주"],
        &["month", "개월", "달"],
        &["year", "yr", "년", "살", "세", "age", "나이", "연령"],
    ],
    &[&["c", "°c", "℃", "celsius", "섭씨"], &["f", "°f", "℉", "fahrenheit", "화씨"]],
];

/// Whether the unit in `text` is another one than those that `about`, the field's names, tell of; both in small letters.
pub(super) fn is_anothers(text: &str, about: &str) -> bool {
    // A letter alone may be anything but beside its kin: vitamin C, e.g.
    let named = |unit: &[&str], sure: bool| unit.iter().any(|name| !(sure && name.len() == 1) && has_word(about, name));
    let places = behind_numbers(text);
    let said = |unit: &[&str]| unit.iter().any(|name| counted_in(text, &places, name));
    let of_any = |units: &[&[&str]], sure| units.iter().any(|unit| named(unit, sure));
    let any = MEASURES.iter().any(|units| of_any(units, true));
    MEASURES
        .iter()
        .any(|units| (any || of_any(units, false)) && units.iter().any(|unit| said(unit) && !named(unit, false)))
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
];

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

/// Whether a field's names tell of a percentage.
pub(super) fn is_percentage(about: &str) -> bool {
    let about = about.to_lowercase();
    PERCENTAGES.iter().any(|name| has_word(&about, name))
}

/// Whether the unit in `text` is of a kind that `about` does not tell of, where it tells of any: 25층 is no age, and 500g no quantity.
/// `pays` are whether the text gives money, and whether the names tell of money.
pub(super) fn is_of_another_kind(text: &str, about: &str, pays: (bool, bool)) -> bool {
    if about.trim().is_empty() {
        return false;
    }
    let places = behind_numbers(text);
    let said_of = |units: &[&str]| units.iter().any(|name| stands_behind_number(text, &places, name));
    let measures: Vec<bool> = MEASURES.iter().map(|units| units.iter().any(|unit| said_of(unit))).collect();
    let counts: Vec<bool> = COUNTS.iter().map(|(_, units)| said_of(units)).collect();
    if !pays.0 && !measures.contains(&true) && !counts.contains(&true) {
        return false;
    }
    // An amount per day is no time.
    let mut last = "";
    let about: Vec<&str> =
        about.split_whitespace().filter(|word| !is_per(std::mem::replace(&mut last, word))).collect();
    let about = about.join(" ");
    let told_of = |names: &[&str]| names.iter().any(|name| (name.len() > 1 || *name == "%") && has_word(&about, name));
    let told_measure = |kind: usize| told_of(NOUNS[kind]) || MEASURES[kind].iter().any(|unit| told_of(unit));
    let told_count = |kind: usize| told_of(COUNTS[kind].0);
    let of = |said: &[bool]| (0..said.len()).filter(|kind| said[*kind]).collect::<Vec<_>>();
    // One word may be a unit of two kinds. Mostly the kind is the field's, and the others need not be asked for.
    let fits =
        pays == (true, true) || of(&measures).into_iter().any(told_measure) || of(&counts).into_iter().any(told_count);
    !fits && (pays.1 || (0..MEASURES.len()).any(told_measure) || (0..COUNTS.len()).any(told_count))
}

fn is_per(word: &str) -> bool {
    matches!(word, "per" | "each" | "every" | "a")
}

/// As [`counted_in`]; the 일 of 이십일 and the 개 of 2개월 are no units.
fn stands_behind_number(text: &str, places: &[usize], name: &str) -> bool {
    const LONGER: [&str; 6] = ["개월", "개국", "개소", "주택", "도시", "세대"];
    let in_longer =
        || LONGER.iter().any(|longer| *longer != name && longer.starts_with(name) && counted_in(text, places, longer));
    let numeral = || name == "일" && !text.contains(|c: char| c.is_numeric());
    counted_in(text, places, name) && !in_longer() && !numeral()
}

/// The places right behind a number, in digits or words, where its unit would begin.
fn behind_numbers(text: &str) -> Vec<usize> {
    let number = |c: char| c.is_numeric() || "일이삼사오육칠팔구십백천만반한두세네섯곱덟홉열무".contains(c);
    let counts = |at: usize| {
        let before = text[..at].trim_end();
        let word = || before.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        before.ends_with(number) || before.len() < at && super::is_number_word(word())
    };
    text.char_indices().filter(|(_, c)| !c.is_whitespace()).map(|(at, _)| at).filter(|at| counts(*at)).collect()
}

/// Whether a unit stands at one of the places behind a number.
fn counted_in(text: &str, places: &[usize], name: &str) -> bool {
    places.iter().any(|&at| {
        let Some(rest) = text[at..].strip_prefix(name) else { return false };
        let rest = if name.is_ascii() && name.len() > 2 { rest.strip_prefix('s').unwrap_or(rest) } else { rest };
        !name.is_ascii() || !rest.starts_with(char::is_alphanumeric)
    })
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
            ("500g", "weight"),
            ("25개", "size"),
            ("3개", "cost per day"),
        ] {
            assert!(!is_of_another_kind(text, about, (false, false)), "{text}, {about}");
        }
        assert!(is_of_another_kind("25원", "age", (true, false)) && is_of_another_kind("2만원", "수량", (true, false)));
        assert!(!is_of_another_kind("25원", "pay per hour", (true, false)));
        assert!(!is_of_another_kind("25원", "price of a count", (true, true)));
    }
}
