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
    let said = |unit: &[&str]| unit.iter().any(|name| counted_in(text, name));
    let of_any = |units: &[&[&str]], sure| units.iter().any(|unit| named(unit, sure));
    let any = MEASURES.iter().any(|units| of_any(units, true));
    MEASURES
        .iter()
        .any(|units| (any || of_any(units, false)) && units.iter().any(|unit| said(unit) && !named(unit, false)))
}

/// Whether a unit stands right behind a number, in digits or words.
fn counted_in(text: &str, name: &str) -> bool {
    let number = |c: char| c.is_numeric() || "일이삼사오육칠팔구십백천만반한두세네섯곱덟홉열무".contains(c);
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].trim_end();
        let word = before.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let counts = before.ends_with(number) || before.len() < at && super::is_number_word(word);
        let rest = &text[at + name.len()..];
        let rest = if name.is_ascii() && name.len() > 2 { rest.strip_prefix('s').unwrap_or(rest) } else { rest };
        counts && (!name.is_ascii() || !rest.starts_with(char::is_alphanumeric))
    })
}

#[cfg(test)]
mod tests {
    use super::is_anothers;

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
}
