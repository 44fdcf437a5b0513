//! Fractions and powers: what a number becomes with the one behind it.
//! Which strokes are fractions is decided here; units and signs are `phrase`'s.

use super::decimal::Decimal;
use super::digits::literal;
use super::korean::numerals;
use super::phrase::{Amount, Core};
use super::text::Text;

/// Fractions that are one sign, over and under.
const VULGAR: [(char, i64, i64); 9] = [
    ('½', 1, 2),
    ('⅓', 1, 3),
    ('⅔', 2, 3),
    ('¼', 1, 4),
    ('¾', 3, 4),
    ('⅛', 1, 8),
    ('⅜', 3, 8),
    ('⅝', 5, 8),
    ('⅞', 7, 8),
];

/// `분의`, `3½`, `1/4`, `2 1/4`, `일과 사분의 일`, `3과 1/5`.
pub(super) fn fraction(text: &Text, core: &Core) -> Option<(Amount, usize)> {
    if let Some(end) = text.eat(text.skip_spaces(core.end), "분의") {
        let over = numerals(text, text.skip_spaces(end)).pop()?;
        return Some((quotient(over.value, core.value)?, over.end));
    }
    if let Some((_, end)) = text.longest(text.skip_spaces(core.end), &["과", "와"]) {
        let place = text.skip_spaces(end);
        if let Some((over, (under, end))) =
            literal(text, place).and_then(|over| Some((over, denominator(text, over.end)?)))
        {
            return Some((sum(core.value, quotient(over.value, under)?)?, end));
        }
        let part = numerals(text, place).into_iter().rev().find_map(|under| {
            let over = text.eat(text.skip_spaces(under.end), "분의")?;
            let over = numerals(text, text.skip_spaces(over)).pop()?;
            Some((quotient(over.value, under.value)?, over.end))
        });
        let (part, end) = part?;
        return Some((sum(core.value, part)?, end));
    }
    if !core.literal || !core.value.is_whole() {
        return None;
    }
    let sign = VULGAR.iter().find(|(sign, _, _)| *sign == text.at(text.skip_spaces(core.end)));
    if let Some(&(_, over, under)) = sign {
        let part = quotient(Decimal::whole(over), Decimal::whole(under))?;
        return Some((sum(core.value, part)?, text.skip_spaces(core.end) + 1));
    }
    if let Some((under, end)) = denominator(text, core.end) {
        return is_fraction(core.value, under).then_some((quotient(core.value, under)?, end));
    }
    let place = text.skip_spaces(core.end);
    let over = literal(text, place).filter(|over| place > core.end && over.value.is_whole())?;
    let (under, end) = denominator(text, over.end).filter(|&(under, _)| is_fraction(over.value, under))?;
    Some((sum(core.value, quotient(over.value, under)?)?, end))
}

/// Whether two numbers with a stroke between them are a fraction: 500/50 is a deposit and a rent, 24/7 is always, 120/80 a blood pressure.
/// A proper one is, and one of few halves, thirds or quarters.
fn is_fraction(over: Decimal, under: Decimal) -> bool {
    let (Some(over), Some(under)) = (over.small(), under.small()) else { return false };
    over < under || (over < 10 && under < 10)
}

/// `/4`; not the middle of a date.
fn denominator(text: &Text, place: usize) -> Option<(Decimal, usize)> {
    let under = (text.at(place) == '/').then(|| literal(text, place + 1))??;
    (under.value.is_whole() && !matches!(text.at(under.end), '/' | '^')).then_some((under.value, under.end))
}

fn quotient(over: Decimal, under: Decimal) -> Option<Amount> {
    Some(over.divided(under)?.map_or_else(Amount::Rounded, Amount::Exact))
}

fn sum(whole: Decimal, part: Amount) -> Option<Amount> {
    match part {
        Amount::Exact(part) => Some(Amount::Exact(whole.plus(part)?)),
        Amount::Rounded(part) => whole.to_json()?.0.as_f64().map(|whole| Amount::Rounded(whole + part)),
    }
}

/// `2^10`, `1.1^-3`; doubled signs cancel out.
pub(super) fn power(text: &Text, core: &Core) -> Option<(Amount, usize)> {
    let mut place = core.end + 1;
    let mut negative = false;
    while matches!(text.at(place), '-' | '+') && place < core.end + 3 {
        negative ^= text.at(place) == '-';
        place += 1;
    }
    let (exponent, end) = text.digits(place, 3)?;
    // An even number of minus signs is none.
    let exponent = i32::try_from(if negative { -exponent } else { exponent }).ok()?;
    if (0..=64).contains(&exponent) {
        let exact = (0..exponent).try_fold(Decimal::whole(1), |product, _| product.times(core.value));
        if let Some(exact) = exact {
            return Some((Amount::Exact(exact), end));
        }
    }
    let value = core.value.to_json()?.0.as_f64()?.powi(exponent);
    Some((Amount::Rounded(value), end))
}

/// Whether 9/10 may be nine of ten points rather than nine tenths. What comes out whole is no part of anything: 2/2, 8/4.
pub(super) fn is_score(text: &Text, core: &Core) -> bool {
    let full = denominator(text, core.end).and_then(|(under, _)| under.small());
    let whole = |full: i64| core.value.small().is_some_and(|got| full != 0 && got % full == 0);
    core.literal && full.is_some_and(|full| matches!(full, 5 | 10 | 100) || whole(full))
}
