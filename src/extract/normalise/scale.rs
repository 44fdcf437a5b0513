//! The scale that a field's names state (`in millions of USD`, 단위: 만원), and whether a text says one of its own: then its number is put
//! into the field's. A text without a scale word is taken to be in the field's already.

use serde_json::Number;

use super::money::is_word;

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
        let last = key.rsplit(' ').next().unwrap_or_default();
        let of_key = last == word || last.strip_suffix('s') == Some(word);
        let leads = |before: &str| before.ends_with("in ") || before.ends_with('(');
        let said = |(at, _): (usize, &str)| is_word(names, at, word) && leads(&names[..at]);
        (of_key || names.match_indices(word).any(said)).then_some(zeros)
    })
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
        (!is_amount && (states || ends_key || lead.ends_with('('))).then_some(zeros)
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
    use super::stated;

    #[test]
    fn a_scale_is_stated_by_the_key_or_in_words() {
        for (key, names, zeros) in [
            ("revenue", "revenue in millions of usd", 6),
            ("revenue", "revenue in million usd", 6),
            ("revenue", "revenue (thousands)", 3),
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
        ] {
            assert_eq!(stated(key, names), None, "{names}");
        }
    }
}
