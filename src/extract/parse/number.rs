//! A written number to a JSON number, and whether that is the number that was written.
//! No grouping, no units, no words: `normalise` reads those. Next: `strict`.

use serde_json::{Number, Value};

/// What became of a number that JSON's grammar (or a repair) has found.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// The number that was written.
    Exact(Value),
    /// The nearest double; the digits beyond it are gone.
    Rounded(Value),
    /// The text itself. A whole number beyond 64 bits is an identifier more often than an amount, and rounding would make it
    /// another's; one beyond the range of doubles has no nearest.
    Text,
}

/// `text` follows JSON's grammar for numbers.
pub fn read(text: &str) -> Kept {
    let bytes = text.as_bytes();
    let whole = bytes.iter().all(|b| b.is_ascii_digit() || *b == b'-');
    if whole {
        if text == "-0" {
            return Kept::Exact(Value::from(-0.0));
        }
        if let Ok(number) = text.parse::<i64>() {
            return Kept::Exact(Value::from(number));
        }
        return text.parse::<u64>().map_or(Kept::Text, |number| Kept::Exact(Value::from(number)));
    }
    let Some(number) = text.parse::<f64>().ok().filter(|x| x.is_finite()) else { return Kept::Text };
    let written = Decimal::of(text);
    if number == 0.0 && !written.digits.is_empty() {
        return Kept::Text;
    }
    let Some(value) = Number::from_f64(number).map(Value::Number) else { return Kept::Text };
    // Fifteen digits always survive in a double of the normal range.
    let safe = written.digits.len() <= 15 && (-300..300).contains(&written.exponent);
    if safe || written == Decimal::of(&format!("{number:e}")) { Kept::Exact(value) } else { Kept::Rounded(value) }
}

/// 0.d₁d₂… × 10^exponent, without zeros at either end.
#[derive(PartialEq)]
struct Decimal {
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn of(text: &str) -> Decimal {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        // An exponent of twenty digits is zero or infinite before it gets here; the sign alone matters then.
        let mut exponent: i64 = exponent.parse().unwrap_or(0);
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let before = before.trim_start_matches(['-', '+']).trim_start_matches('0');
        exponent += before.len() as i64;
        let mut digits: Vec<u8> = before.bytes().chain(after.bytes()).collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        let zeros = digits.iter().take_while(|d| **d == b'0').count();
        digits.drain(..zeros);
        exponent -= zeros as i64;
        if digits.is_empty() {
            exponent = 0;
        }
        Decimal { digits, exponent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_a_double_holds_are_exact() {
        for text in [
            "0.1",
            "2.50",
            "1e2",
            "-0.0",
            "2.3e-3",
            "9007199254740993",
            "18446744073709551615",
            "1.7976931348623157e308",
        ] {
            assert!(matches!(read(text), Kept::Exact(_)), "{text}");
        }
        assert_eq!(read("18446744073709551615"), Kept::Exact(Value::from(u64::MAX)));
    }

    #[test]
    fn digits_that_a_double_cannot_hold_are_never_lost_unseen() {
        for text in ["0.12345678901234567890123", "9007199254740993.5", "1.00000000000000000001"] {
            assert!(matches!(read(text), Kept::Rounded(_)), "{text}");
        }
        for text in ["12345678901234567890123", "-9223372036854775809", "1e400", "1e-400", "1e99999999999999999999"] {
            assert_eq!(read(text), Kept::Text, "{text}");
        }
    }
}
