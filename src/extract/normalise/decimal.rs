//! Exact decimal arithmetic for numbers that people write: no step rounds, and one that would leave the range says so.
//! Next: `number`.

use serde_json::Number;

/// `units · 10^-scale`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Decimal {
    units: i128,
    scale: u32,
}

impl Decimal {
    pub(super) const ZERO: Self = Self { units: 0, scale: 0 };
    pub(super) const HALF: Self = Self { units: 5, scale: 1 };

    pub(super) fn whole(units: i64) -> Self {
        Self { units: i128::from(units), scale: 0 }
    }

    /// `digits` before and `fraction` after the point, both ASCII digits or empty. None beyond 38 digits.
    pub(super) fn parse(digits: &str, fraction: &str) -> Option<Self> {
        let fraction = fraction.trim_end_matches('0');
        Self::of(digits.chars().chain(fraction.chars()), fraction.len())
    }

    /// ASCII digits, the last `scale` of them behind the point and no zero at their end.
    pub(super) fn of(digits: impl Iterator<Item = char>, scale: usize) -> Option<Self> {
        let mut units = 0i128;
        for digit in digits {
            let digit = digit.to_digit(10)?;
            // 64 bits hold most numbers, and take a fraction of the time.
            let short = i64::try_from(units).ok().and_then(|units| units.checked_mul(10)?.checked_add(digit.into()));
            units = match short {
                Some(units) => units.into(),
                None => units.checked_mul(10)?.checked_add(digit.into())?,
            };
        }
        Some(Self { units, scale: u32::try_from(scale).ok()? })
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let units = self.units_at(scale)?.checked_add(other.units_at(scale)?)?;
        Some(Self { units, scale }.shortest())
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        let units = self.units.checked_mul(other.units)?;
        Some(Self { units, scale: self.scale.checked_add(other.scale)? }.shortest())
    }

    /// `self · 10^exponent`.
    pub(super) fn shifted(self, exponent: i32) -> Option<Self> {
        let left = i64::from(exponent) - i64::from(self.scale);
        if left <= 0 {
            let scale = u32::try_from(-left).ok()?;
            return (scale <= 38).then(|| Self { units: self.units, scale }.shortest());
        }
        let units = self.units.checked_mul(10i128.checked_pow(u32::try_from(left).ok()?)?)?;
        Some(Self { units, scale: 0 })
    }

    pub(super) fn negated(self) -> Self {
        // `units` never reaches i128::MIN: it grows by checked steps from zero and is negated at most once.
        Self { units: self.units.saturating_neg(), scale: self.scale }
    }

    pub(super) fn is_zero(self) -> bool {
        self.units == 0
    }

    pub(super) fn is_positive(self) -> bool {
        self.units > 0
    }

    pub(super) fn is_whole(self) -> bool {
        self.shortest().scale == 0
    }

    /// Whether it is below `10^exponent`.
    pub(super) fn is_below(self, exponent: u32) -> bool {
        10i128.checked_pow(exponent + self.scale).is_none_or(|limit| self.units < limit)
    }

    /// The number as a small integer, if it is one.
    pub(super) fn small(self) -> Option<i64> {
        let whole = self.shortest();
        if whole.scale == 0 { i64::try_from(whole.units).ok() } else { None }
    }

    /// `self ÷ divisor`, exactly if the quotient is a decimal of at most 15 places.
    pub(super) fn divided(self, divisor: Self) -> Option<Result<Self, f64>> {
        if divisor.is_zero() {
            return None;
        }
        let scale = self.scale.max(divisor.scale);
        let (over, under) = (self.units_at(scale)?, divisor.units_at(scale)?);
        for places in 0..=15u32 {
            let scaled = over.checked_mul(10i128.pow(places));
            if let Some(scaled) = scaled.filter(|scaled| scaled % under == 0) {
                return Some(Ok(Self { units: scaled / under, scale: places }.shortest()));
            }
        }
        Some(Err(over as f64 / under as f64))
    }

    /// The JSON number, and whether it says exactly the same digits: an integer where it is one and 64 bits hold it.
    pub(super) fn to_json(self) -> Option<(Number, bool)> {
        let value = self.shortest();
        if value.scale == 0 {
            if let Ok(units) = i64::try_from(value.units) {
                return Some((Number::from(units), true));
            }
            if let Ok(units) = u64::try_from(value.units) {
                return Some((Number::from(units), true));
            }
        }
        let nearest: f64 = format!("{}e-{}", value.units, value.scale).parse().ok()?;
        // Shortest digits that read back as the same double: the same digits, or some were rounded away.
        let shown = format!("{nearest:e}");
        let (digits, _) = shown.split_once('e')?;
        let digits = digits.replace('.', "");
        let written = value.units.to_string();
        let exact = digits.trim_end_matches('0') == written.trim_end_matches('0');
        Some((Number::from_f64(nearest)?, exact))
    }

    fn units_at(self, scale: u32) -> Option<i128> {
        // Mostly whole numbers meet whole ones, and of 128 bits each step counts.
        if scale == self.scale {
            return Some(self.units);
        }
        self.units.checked_mul(10i128.checked_pow(scale.checked_sub(self.scale)?)?)
    }

    fn shortest(mut self) -> Self {
        while self.scale > 0 {
            let shorter = match i64::try_from(self.units) {
                Ok(units) if units % 10 == 0 => i128::from(units / 10),
                Ok(_) => break,
                Err(_) if self.units % 10 == 0 => self.units / 10,
                Err(_) => break,
            };
            (self.units, self.scale) = (shorter, self.scale - 1);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(decimal: Option<Decimal>) -> String {
        let (number, exact) = decimal.and_then(Decimal::to_json).expect("in range");
        format!("{number}{}", if exact { "" } else { " rounded" })
    }

    #[test]
    fn tenths_are_added_and_multiplied_without_binary_noise() {
        let (tenth, fifth) = (Decimal::parse("0", "1"), Decimal::parse("", "20"));
        assert_eq!(json(tenth.zip(fifth).and_then(|(a, b)| a.plus(b))), "0.3");
        assert_eq!(json(tenth.zip(fifth).and_then(|(a, b)| a.times(b))), "0.02");
        assert_eq!(json(Decimal::parse("3", "5").and_then(|value| value.shifted(8))), "350000000");
        let long = Decimal::parse("9223372036854775807", "5").and_then(|value| value.plus(Decimal::HALF));
        assert_eq!(json(long), "9223372036854775808");
    }

    #[test]
    fn a_number_that_json_cannot_hold_exactly_is_called_rounded() {
        assert_eq!(json(Decimal::parse("18446744073709551615", "")), "18446744073709551615");
        assert_eq!(
            json(Decimal::parse("18446744073709551617", "")),
            "1.8446744073709552e19 rounded".replace("e19", "e+19")
        );
        assert_eq!(json(Decimal::parse("0", "12345678901234567890")), "0.12345678901234568 rounded");
        assert_eq!(json(Decimal::whole(3).shifted(30)), "3e+30");
    }

    #[test]
    fn what_leaves_the_range_is_none() {
        assert!(Decimal::parse(&"9".repeat(60), "").is_none());
        assert!(Decimal::whole(1).shifted(39).is_none());
        assert!(Decimal::whole(1).divided(Decimal::ZERO).is_none());
    }
}
