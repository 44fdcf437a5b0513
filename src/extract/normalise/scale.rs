//! The scale that a field's names state (`in millions of USD`, 단위: 만원), and whether a text says one of its own: then its number is put
//! into the field's. A text without a scale word is taken to be in the field's already.

use serde_json::Number;

use super::money::{self, is_word};

/// How many zeros a scale is.
#[rustfmt::skip]
const ENGLISH: [(&str, i32); 4] = [("thousand", 3), ("million", 6), ("billion", 9), ("trillion", 12)];
/// The longest first, as most end with another.
#[rustfmt::skip]
const KOREAN: [(&str, i32); 7] = [
    ("백만원", 6), ("천만원", 7), ("십억원", 9), ("만원", 4), ("천원", 3), ("억원", 8), ("조원", 12),
];

/// The scale that a field's names state, as a number of zeros; the key is the first of the names, in words. None where they state two.
pub(super) fn stated(key: &str, names: &str) -> Option<i32> {
    let mut stated = english(key, names).chain(korean(key, names));
    let first = stated.next()?;
    stated.all(|other| other == first).then_some(first)
}

fn english<'n>(key: &'n str, names: &'n str) -> impl Iterator<Item = i32> + 'n {
    ENGLISH.into_iter().filter_map(move |(word, zeros)| {
        let (before, last) = key.rsplit_once(' ').unwrap_or(("", key));
        let of_key = (last == word || last.strip_suffix('s') == Some(word)) && !is_last(before, "per");
        let leads =
            |before: &str| before.strip_suffix("in ").is_some_and(|lead| !denies(lead)) || before.ends_with('(');
        let said = |(at, _): (usize, &str)| is_word(names, at, word) && leads(&names[..at]);
        (of_key || names.match_indices(word).any(said)).then_some(zeros)
    })
}

/// Whether what stands before `in millions` says that it is not: `not in`, `not expressed in`.
fn denies(lead: &str) -> bool {
    let lead = lead.trim_end();
    let verb = lead.rsplit(' ').next().unwrap_or_default();
    is_last(lead, "not") || verb.ends_with("ed") && is_last(lead[..lead.len() - verb.len()].trim_end(), "not")
}

fn is_last(text: &str, word: &str) -> bool {
    text.rsplit(|c: char| !c.is_alphanumeric()).next() == Some(word)
}

fn korean<'n>(key: &'n str, names: &'n str) -> impl Iterator<Item = i32> + 'n {
    let states = names.contains("단위");
    let behind = key.len();
    names.match_indices('원').filter_map(move |(won, _)| {
        let before = &names[..won + '원'.len_utf8()];
        let (unit, zeros) = KOREAN.into_iter().find(|(unit, _)| before.ends_with(unit))?;
        let lead = before[..before.len() - unit.len()].trim_end();
        // 예: 120만원 is an amount.
        let is_amount = lead.ends_with(|c: char| c.is_numeric() || "일이삼사오육칠팔구십백천만억".contains(c));
        let ends_key = before.len() == behind;
        // 단위: 원 (억원 아님)
        let rest = names[before.len()..].trim_start_matches([' ', '이', '가', '은', '는']);
        let is_denied = ["아님", "아니", "아닌", "말고"].iter().any(|denial| rest.starts_with(denial));
        (!is_amount && !is_denied && (states || ends_key || lead.ends_with('('))).then_some(zeros)
    })
}

/// Whether a text whose number was read as `kind` says a scale.
pub(super) fn is_said(text: &str, kind: &str) -> bool {
    match kind {
        "scaled_number" => true,
        "number_words" => {
            let text = text.to_lowercase();
            ENGLISH.iter().any(|(word, _)| text.contains(word))
        }
        "money" if has_letter(text) => true,
        "korean_number" | "money" => {
            text.contains(['만', '억', '조']) || text.contains("천원") || text.contains("천 원")
        }
        _ => false,
    }
}

/// Whether a letter for a size stands behind digits: `$5.2M`.
fn has_letter(text: &str) -> bool {
    const LETTERS: [&str; 8] = ["k", "m", "mn", "mil", "b", "bn", "t", "tn"];
    let text = text.to_lowercase();
    let mut behind = text.split(|c: char| c.is_ascii_digit()).skip(1).map(str::trim_start);
    behind.any(|rest| LETTERS.contains(&rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()))
}

/// What becomes of an amount that says no scale in a field of so many zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It is in the field's scale.
    Scaled,
    /// It has all its zeros: 300,000,000원 in a field of 억원.
    Out,
    /// It may be either: of thousands `$5,200` are a usual number.
    Either,
}

/// How an amount is written that is known by its currency, or by its length.
pub(super) fn written(text: &str, value: &Number, zeros: i32) -> Written {
    const THOUSANDS: i32 = 3;
    const MILLION: f64 = 1e6;
    // No sum of money has as many zeros, and the books of large firms nearly have: 258,935,494 of millions of won.
    const MOST: f64 = 1e15;
    let Some(amount) = value.as_f64().map(f64::abs).filter(|amount| *amount >= 10_f64.powi(zeros)) else {
        return Written::Scaled;
    };
    let is_paid = match money::currencies(text) {
        (true, _) => return Written::Out,
        (false, other) => other,
    };
    match is_paid {
        true if zeros > THOUSANDS || amount >= MILLION => Written::Out,
        true => Written::Either,
        false if !has_two_groups(text) => Written::Scaled,
        false if amount * 10_f64.powi(zeros) >= MOST => Written::Out,
        false => Written::Either,
    }
}

/// Whether digits stand there in two groups of thousands or more: `5,000,000`.
fn has_two_groups(text: &str) -> bool {
    let is_group = |group: &str| group.len() >= 3 && group.bytes().take(3).all(|b| b.is_ascii_digit());
    let mut groups = text.split(',').skip(1).map(is_group);
    groups.next() == Some(true) && groups.next() == Some(true)
}

/// `value · 10^-zeros`, whole where it is.
pub(super) fn divided(value: &Number, zeros: i32) -> Option<Number> {
    const SURE: f64 = 9.0e15;
    // As text, so that one rounding is all there is.
    let quotient: f64 = format!("{value}e-{zeros}").parse().ok()?;
    let whole = quotient.fract() == 0.0 && quotient.abs() < SURE;
    if whole { Some(Number::from(quotient as i64)) } else { Number::from_f64(quotient) }
}

#[cfg(test)]
mod tests {
    use super::{Number, Written, stated, written};

    #[test]
    fn an_amount_with_a_currency_or_two_groups_of_thousands_is_written_out() {
        for (text, value, zeros, as_) in [
            ("300,000,000원", 300_000_000, 8, Written::Out),
            ("3,000,000원", 3_000_000, 4, Written::Out),
            ("52,000원", 52_000, 3, Written::Out),
            ("$5,000,000", 5_000_000, 6, Written::Out),
            ("-$5000000", -5_000_000, 6, Written::Out),
            ("300,000,000", 300_000_000, 8, Written::Out),
            ("$5,200", 5_200, 3, Written::Either),
            ("1,234,567", 1_234_567, 3, Written::Either),
            ("258,935,494", 258_935_494, 6, Written::Either),
            ("3,000원", 3_000, 4, Written::Scaled),
            ("$5,200", 5_200, 6, Written::Scaled),
            ("5,200", 5_200, 3, Written::Scaled),
            ("120000", 120_000, 4, Written::Scaled),
        ] {
            assert_eq!(written(text, &Number::from(value), zeros), as_, "{text}");
        }
    }

    #[test]
    fn a_scale_is_stated_by_the_key_or_in_words() {
        for (key, names, zeros) in [
            ("revenue", "revenue in millions of usd", 6),
            ("revenue", "revenue in million usd", 6),
            ("revenue", "revenue (thousands)", 3),
            ("revenue", "revenue, null if not known, in thousands", 3),
            ("revenue millions", "revenue millions", 6),
            ("매출", "매출 단위: 억원", 8),
            ("매출", "매출 백만원 단위", 6),
            ("매출", "매출 (천원)", 3),
            ("가격 만원", "가격 만원", 4),
        ] {
            assert_eq!(stated(key, names), Some(zeros), "{names}");
        }
        for (key, names) in [
            ("price", "price in won"),
            ("users", "users, maybe millions of them"),
            ("가격", "가격 예: 120만원, 단위는 원"),
            ("매출", "매출 단위: 만원 또는 억원"),
            ("매출", "매출 단위: 원 (억원 아님)"),
            ("매출", "매출 단위: 원, 만원이 아님"),
            ("revenue", "revenue in usd, not in millions"),
            ("revenue", "revenue, not expressed in millions"),
            ("deaths per million", "deaths per million"),
        ] {
            assert_eq!(stated(key, names), None, "{names}");
        }
    }
}
