//! Numbers and booleans out of text, as Pydantic's lax mode takes them: `4_2`, `42.0`, `yes`, and nothing that is merely like a number.
//! Digit grouping, units and words are `normalise`'s.

use serde_json::{Number, Value};

/// More digits than that Python itself does not read.
const MOST_DIGITS: usize = 4_300;

/// An integer, and whether it is the very one that was written: beyond 64 bits JSON values here are rounded.
pub struct Whole {
    pub value: Value,
    pub exact: bool,
}

/// A whole number with an optional sign, single underscores between digits, and zeros alone after a point. White space around it is
/// passed over.
pub fn integer(text: &str) -> Option<Whole> {
    let text = text.trim();
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    let (minus, digits) = match whole.as_bytes().first()? {
        b'-' => (true, &whole[1..]),
        b'+' => (false, &whole[1..]),
        _ => (false, whole),
    };
    let well_formed = !digits.is_empty()
        && digits.len() <= MOST_DIGITS
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && has_single_underscores(digits);
    if !well_formed {
        return None;
    }
    let plain: String = minus.then_some('-').into_iter().chain(digits.chars().filter(|c| *c != '_')).collect();
    let exact = plain.parse::<i64>().ok().map(Value::from).or_else(|| plain.parse::<u64>().ok().map(Value::from));
    match exact {
        Some(value) => Some(Whole { value, exact: true }),
        None => Number::from_f64(plain.parse().ok()?).map(|n| Whole { value: Value::Number(n), exact: false }),
    }
}

/// Whether zeros that stood before the other digits are gone from the number: of a telephone's or an article's they are a part.
pub fn has_leading_zero(text: &str) -> bool {
    let digits = text.trim().trim_start_matches(['-', '+']).as_bytes();
    digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit() && !text.contains('_')
}

/// Whether zeros behind a point may be a group of digits: `10.000` is ten, or ten thousand. No group begins with a nought, nor follows four digits.
pub fn may_be_grouped(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['-', '+']);
    text.split_once('.').is_some_and(|(first, zeros)| {
        let digits = (1..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_digit());
        zeros == "000" && digits && !first.starts_with('0')
    })
}

/// A number of decimal digits, with an exponent or without; single underscores are passed over. `nan` and `inf`, which JSON cannot
/// hold, are not taken.
pub fn number(text: &str) -> Option<Value> {
    // With white space around, underscores are not passed over as well.
    let text = if text.contains('_') { text } else { text.trim() };
    // The letters of `inf` and `nan` are out with this.
    let decimal = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E' | b'_'));
    if !decimal || !has_single_underscores(text) {
        return None;
    }
    let plain = text.replace('_', "");
    // As precise as it was written, where it is whole.
    let whole = plain.parse::<i64>().ok().map(Value::from);
    let whole = whole.or_else(|| plain.parse::<u64>().ok().map(Value::from));
    whole.or_else(|| plain.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number))
}

/// Whether digits of the text are gone from the number that was read out of it: more than a double holds, or all of them where it
/// is too near to zero.
pub fn is_rounded(text: &str, read: &Value) -> bool {
    let digits = |text: &str| {
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        all.trim_matches('0').to_string()
    };
    let (said, kept) = (digits(text), digits(&read.to_string()));
    let number = read.as_f64().unwrap_or_default();
    // Fifteen digits always survive in the normal range.
    (said.len() > 15 || !number.is_normal()) && said != kept
}

fn has_single_underscores(text: &str) -> bool {
    !text.starts_with('_') && !text.ends_with('_') && !text.contains("__")
}

/// The words of Pydantic, in whatever case.
pub fn boolean(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match () {
        () if is(&["true", "t", "yes", "y", "on", "1"]) => Some(true),
        () if is(&["false", "f", "no", "n", "off", "0"]) => Some(false),
        () => None,
    }
}

/// A float without a fraction as the integer that it is; none where it has one, or is too large to be sure.
pub fn whole(number: &Number) -> Option<Number> {
    let n = number.as_f64().filter(|_| number.is_f64())?;
    (n.fract() == 0.0 && n.abs() < 9.0e18).then(|| Number::from(n as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_pydantic() {
        for (text, value) in [("42", 42), (" +4_2.00\n", 42), ("-0_7", -7), ("000", 0), ("-00012_000", -12_000)] {
            assert_eq!(integer(text).map(|w| w.value), Some(Value::from(value)), "{text}");
        }
        for bad in [
            "", " ", "42.", "4_2_", "_4", "4__2", "1_.0", "1._0", "+-1", "--1", "- 1", "1e3", "0x1f", "1,200", "42.5",
            "1 2", "１２", "abc", "-",
        ] {
            assert!(integer(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_integer_beyond_64_bits_is_told_to_be_rounded() {
        assert!(integer("18446744073709551615").is_some_and(|w| w.exact));
        assert!(integer("123456789012345678901234567890").is_some_and(|w| !w.exact));
        assert!(integer(&"9".repeat(5_000)).is_none());
    }

    #[test]
    fn zeros_in_front_are_noticed() {
        assert!(
            has_leading_zero("025") && has_leading_zero(" -007") && !has_leading_zero("0") && !has_leading_zero("0.5")
        );
    }

    #[test]
    fn three_zeros_behind_a_point_may_be_a_group() {
        assert!(
            may_be_grouped("10.000")
                && may_be_grouped("-150.000")
                && !may_be_grouped("0.000")
                && !may_be_grouped("1500.000")
        );
        assert!(!may_be_grouped("10.00") && !may_be_grouped("10") && !may_be_grouped("1.0001"));
    }

    #[test]
    fn numbers_are_those_of_pydantic_that_json_can_hold() {
        for (text, value) in [
            ("3.25", 3.25),
            (".5", 0.5),
            ("5.", 5.0),
            ("1_0.5", 10.5),
            ("12e-1", 1.2),
            ("1E+3", 1000.0),
            ("1e-400", 0.0),
        ] {
            assert_eq!(number(text).and_then(|v| v.as_f64()), Some(value), "{text}");
        }
        for bad in ["", "1,000", "nan", "inf", "-Infinity", "1e400", "1__0", "_1", "1 000", " 1_0", "e", "+", "0x10"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }

    #[test]
    fn digits_that_a_double_does_not_hold_are_noticed() {
        let rounded = |text: &str| is_rounded(text, &number(text).unwrap());
        assert!(rounded("0.12345678901234567890") && rounded("123456789012345678901"));
        assert!(rounded("1e-400") && rounded("-1_0e-400") && rounded("1.234567e-322"));
        assert!(!rounded("0") && !rounded("-0.0") && !rounded("0e-400") && !rounded("5e-324"));
        assert!(
            !rounded("0.1")
                && !rounded("18446744073709551615")
                && !rounded("1000000000000000000000000")
                && !rounded("1.50")
        );
    }

    #[test]
    fn booleans_are_words_alone() {
        assert_eq!(
            (boolean("YES"), boolean("t"), boolean("Off"), boolean("0")),
            (Some(true), Some(true), Some(false), Some(false))
        );
        for bad in ["", " true", "2", "1.0", "truth", "네"] {
            assert_eq!(boolean(bad), None, "{bad}");
        }
    }
}
