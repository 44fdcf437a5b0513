//! Numbers written in digits: grouped, with a point or on evidence a decimal comma, with an exponent.
//! Signs, words and units are not read here. Next: `number`.

use super::decimal::Decimal;
use super::text::{Text, is_alphanumeric};

/// A number in digits, and where it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Literal {
    pub(super) value: Decimal,
    pub(super) end: usize,
    /// Written in groups: `1,200,000`.
    pub(super) grouped: bool,
    /// A point may group or not: one was taken to, since the currency beside it has no decimals (`350.000원`), or three zeros follow it.
    pub(super) pointed: bool,
}

/// More digits than this are a key or an account, and would leave [`Decimal`]'s range.
const MOST_DIGITS: usize = 38;

/// The number that begins with the digit or point at `place`. None where digits and separators contradict each other
/// (`1,23`, `1.2.3`, `12:30`): nothing is picked out of them.
///
/// A comma groups by three (by two and three in the Indian way), a point is a decimal point. The European way is read where
/// it shows: two groups with points, points and a comma, or a comma with two digits beside a euro sign.
pub(super) fn literal(text: &Text, place: usize) -> Option<Literal> {
    let mut end = run(text, place)?;
    let first = end - place;
    let mut fraction = 0..0;
    let (mut grouped, mut pointed) = (false, false);
    // Where the digits before the point end.
    let mut whole = end;
    if first > 0 {
        for separator in [',', '\'', '.', ' '] {
            if let Some(groups) = groups(text, end, separator, first) {
                pointed = groups.lone_point;
                end = groups.end;
                whole = end;
                grouped = true;
                let point = if separator == '.' { ',' } else { '.' };
                if text.at(end) == point && text.is_digit(end + 1) {
                    fraction = end + 1..run(text, end + 1)?;
                    end = fraction.end;
                }
                break;
            }
        }
    }
    let point = text.at(end) == '.' && text.is_digit(end + 1);
    if !grouped && (point || (text.at(end) == ',' && decimal_comma(text, place, end))) {
        fraction = end + 1..run(text, end + 1)?;
        end = fraction.end;
    }
    if end == place || (matches!(text.at(end), ',' | '.' | ':' | '\'') && text.is_digit(end + 1)) {
        return None;
    }
    // 10.000명 may be ten with decimals or ten thousand; of dollars the decimals are cents.
    let thousand = fraction.len() == 3 && fraction.clone().all(|place| text.at(place) == '0');
    pointed |= thousand && !matches!(text.before(place), '$' | '€' | '£');
    while !fraction.is_empty() && text.before(fraction.end) == '0' {
        fraction.end -= 1;
    }
    let scale = fraction.len();
    let digits = (place..whole).chain(fraction).map(|place| text.at(place)).filter(char::is_ascii_digit);
    let mut value = Decimal::of(digits, scale)?;
    if let Some((exponent, after)) = exponent(text, end) {
        value = value.shifted(exponent)?;
        end = after;
    }
    Some(Literal { value, end, grouped, pointed })
}

/// Where the digits from `place` on end; None where they are too many.
fn run(text: &Text, place: usize) -> Option<usize> {
    let digits = (place..).take_while(|&place| text.is_digit(place)).take(MOST_DIGITS + 1).count();
    (digits <= MOST_DIGITS).then_some(place + digits)
}

struct Groups {
    end: usize,
    lone_point: bool,
}

/// The groups after a first one of `first` digits. A separator that can mean something else must show itself twice.
fn groups(text: &Text, place: usize, separator: char, first: usize) -> Option<Groups> {
    let mut end = place;
    let (mut digits, mut threes, mut twos) = (0, 0, 0);
    while text.at(end) == separator && text.is_digit(end + 1) && digits <= MOST_DIGITS {
        let after = run(text, end + 1)?;
        let group = after - end - 1;
        match group {
            3 => threes += 1,
            2 if separator == ',' && threes == 0 => twos += 1,
            _ => break,
        }
        end = after;
        digits += group;
    }
    let lone_point = separator == '.' && threes == 1 && is_without_decimals(text, place - first, end);
    let european = threes == 1 && text.at(end) == ',' && text.is_digit(end + 1);
    let shown = match separator {
        ',' if twos > 0 => threes == 1 && first <= 2,
        ',' | '\'' => threes >= 1,
        '.' => threes >= 2 || european || lone_point,
        _ => threes >= 2,
    };
    // A group that begins with a zero has lost its front: no one writes 0,123.
    (shown && first <= 3 && text.at(place - first) != '0').then_some(Groups { end, lone_point })
}

/// Whether a currency stands beside digits that has no decimals, and so a point before three digits groups them.
fn is_without_decimals(text: &Text, start: usize, end: usize) -> bool {
    const BEHIND: &[&str] = &["원", "krw", "won", "korean won", "₩", "엔", "jpy", "yen", "vnd", "₫"];
    const BEFORE: &[&str] = &["₩", "krw", "jpy", "₫", "vnd"];
    let behind = text.longest(text.skip_spaces(end), BEHIND).is_some();
    let mut from = start;
    while text.before(from) == ' ' && from > 0 {
        from -= 1;
    }
    behind
        || BEFORE.iter().any(|sign| from.checked_sub(sign.chars().count()).and_then(|at| text.eat(at, sign)).is_some())
}

fn decimal_comma(text: &Text, place: usize, comma: usize) -> bool {
    let two = text.is_digit(comma + 1) && text.is_digit(comma + 2) && !text.is_digit(comma + 3);
    let after = text.skip_spaces(comma + 3);
    let signed = text.longest(after, &["€", "eur", "euro", "euros", "유로", "zł", "kr"]).is_some();
    two && (signed || text.before(place) == '€')
}

/// `e-3`, with the exponent's sign; not the beginning of a word.
fn exponent(text: &Text, place: usize) -> Option<(i32, usize)> {
    if text.at(place) != 'e' {
        return None;
    }
    let negative = text.at(place + 1) == '-';
    let from = place + 1 + usize::from(negative || text.at(place + 1) == '+');
    let (value, end) = text.digits(from, 2)?;
    let value = i32::try_from(value).ok()?;
    (!is_alphanumeric(text.at(end))).then_some((if negative { -value } else { value }, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> Option<String> {
        let text = Text::new(input)?;
        let literal = literal(&text, 0)?;
        (literal.end == text.len()).then(|| literal.value.to_json().map(|(number, _)| number.to_string()))?
    }

    #[test]
    fn digits_are_read_by_their_separators() {
        for (input, value) in [
            ("87", "87"),
            ("4,500", "4500"),
            ("12,345,678.90", "12345678.9"),
            ("1'250'000", "1250000"),
            ("12 500 000", "12500000"),
            ("3.456.789", "3456789"),
            ("3.456,78", "3456.78"),
            ("45,67€", "45.67"),
            ("12,34,567", "1234567"),
            ("6.02e5", "602000"),
            ("25e-2", "0.25"),
            (".75", "0.75"),
            ("1.250", "1.25"),
            ("10.000", "10"),
            ("1,250.50", "1250.5"),
        ] {
            let wanted = if input.ends_with('€') { None } else { Some(value) };
            assert_eq!(read(input).as_deref(), wanted, "{input}");
        }
    }

    #[test]
    fn contradicting_separators_are_not_read() {
        for input in ["1,23", "1,2345", "1.2.3", "12:30", "0,123", "1,234,5", "1.5e", "1234,567", &"9".repeat(60)] {
            assert_eq!(read(input), None, "{input}");
        }
    }
}
