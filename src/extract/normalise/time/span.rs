//! Lengths of time (`2시간 30분`, `사흘`, `90 minutes`), and the direction that makes one a point: `3일 후`, `two weeks ago`.
//! Next: `scan`.

use super::super::decimal::Decimal;
use super::super::text::Text;
use super::super::{english, korean};
use super::words::word;

/// A length of time in its parts as said, all of one sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Length {
    pub(super) months: i64,
    pub(super) days: i64,
    pub(super) hours: i64,
    pub(super) minutes: i64,
    pub(super) seconds: i64,
    /// Said in weeks, months or years alone: no finer than a day.
    pub(super) coarse: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

const UNITS: &[(&str, Unit)] = &[
    ("초", Unit::Second),
    ("분", Unit::Minute),
    ("시간", Unit::Hour),
    ("일", Unit::Day),
    ("주", Unit::Week),
    ("주일", Unit::Week),
    ("주간", Unit::Week),
    ("달", Unit::Month),
    ("개월", Unit::Month),
    ("년", Unit::Year),
    ("seconds", Unit::Second),
    ("second", Unit::Second),
    ("secs", Unit::Second),
    ("sec", Unit::Second),
    ("s", Unit::Second),
    ("minutes", Unit::Minute),
    ("minute", Unit::Minute),
    ("mins", Unit::Minute),
    ("min", Unit::Minute),
    ("hours", Unit::Hour),
    ("hour", Unit::Hour),
    ("hrs", Unit::Hour),
    ("hr", Unit::Hour),
    ("h", Unit::Hour),
    ("days", Unit::Day),
    ("day", Unit::Day),
    ("weeks", Unit::Week),
    ("week", Unit::Week),
    ("months", Unit::Month),
    ("month", Unit::Month),
    ("years", Unit::Year),
    ("year", Unit::Year),
];

/// A count as large is a year (2026년) or no length that anyone means.
const LONGEST: i64 = 1_000_000;
const LONGEST_YEARS: i64 = 500;

/// Counted days that have a word of their own.
const DAYS: &[(&str, i64)] = &[
    ("하루", 1),
    ("이틀", 2),
    ("사흘", 3),
    ("나흘", 4),
    ("닷새", 5),
    ("엿새", 6),
    ("이레", 7),
    ("여드레", 8),
    ("아흐레", 9),
    ("열흘", 10),
    ("보름", 15),
];

/// The length that begins at `place`, with where it ends; its units go from large to small.
pub(super) fn length(text: &Text, place: usize) -> Option<(Length, usize)> {
    let mut length = Length { coarse: true, ..Length::default() };
    let mut finest: Option<Unit> = None;
    let mut end = place;
    loop {
        let from = if finest.is_some() { joint(text, end) } else { place };
        let Some((unit, after)) = part(text, from, &mut length, finest) else { break };
        finest = Some(unit);
        end = after;
        if let Some(after) = half_more(text, end, unit, &mut length) {
            end = after;
            break;
        }
    }
    length.coarse = finest? >= Unit::Week;
    Some((length, end))
}

fn joint(text: &Text, place: usize) -> usize {
    let place = text.skip_spaces(if text.at(place) == ',' { place + 1 } else { place });
    text.eat(place, "and").map_or(place, |end| text.skip_spaces(end))
}

/// One count with its unit, smaller than the unit before.
fn part(text: &Text, place: usize, length: &mut Length, above: Option<Unit>) -> Option<(Unit, usize)> {
    let fits = |unit: Unit| above.is_none_or(|above| unit < above);
    if let Some((days, end)) = text.meaning(place, DAYS).filter(|_| fits(Unit::Day)) {
        length.days = length.days.checked_add(days)?;
        return Some((Unit::Day, end));
    }
    for (word, minutes) in [("반시간", 30), ("half an hour", 30), ("half hour", 30), ("quarter of an hour", 15)] {
        if let Some(end) = text.eat(place, word).filter(|_| above.is_none()) {
            length.minutes = minutes;
            return Some((Unit::Minute, end));
        }
    }
    if let Some(end) = text.eat(place, "반년").filter(|_| above.is_none()) {
        length.months = 6;
        return Some((Unit::Month, end));
    }
    for (count, end) in counts(text, place).into_iter().rev() {
        // 이 일 후 is after this matter.
        let this =
            end == place + 1 && text.at(place) == '이' && text.at(end) == ' ' && text.at(text.skip_spaces(end)) == '일';
        if this {
            continue;
        }
        let unit = text.skip_spaces(end);
        let whole = text.meaning(unit, UNITS).or_else(|| letter(text, unit, above));
        let Some((unit, end)) = whole.filter(|&(unit, _)| fits(unit)) else {
            continue;
        };
        length.add(count, unit)?;
        return Some((unit, end));
    }
    None
}

/// The letters of `2h30m` and `2h 30m`: `h` may stand right before digits, and `m` behind hours is no metre.
fn letter(text: &Text, place: usize, above: Option<Unit>) -> Option<(Unit, usize)> {
    let ends = !text.at(place + 1).is_alphabetic();
    match (text.at(place), above) {
        ('h', None | Some(Unit::Day)) if text.is_digit(place + 1) => Some((Unit::Hour, place + 1)),
        ('m', Some(Unit::Hour)) if ends => Some((Unit::Minute, place + 1)),
        _ => None,
    }
}

/// Numbers in digits or words at `place`, shortest first.
pub(super) fn counts(text: &Text, place: usize) -> Vec<(Decimal, usize)> {
    let korean = korean::numerals(text, place).into_iter().map(|numeral| (numeral.value, numeral.end));
    let english = english::numbers(text, place).into_iter().filter(|words| words.divisor == 1 && !words.ordinal);
    let article = text.eat(place, "a").or_else(|| text.eat(place, "an")).map(|end| (Decimal::whole(1), end));
    let couple = text.eat(place, "a couple of").map(|end| (Decimal::whole(2), end));
    let words = english.map(|words| (words.value, words.end));
    article.into_iter().chain(korean).chain(words).chain(couple).collect()
}

/// 한 시간 반, 1년 반: half of the unit more, where that is a whole number of smaller ones.
fn half_more(text: &Text, place: usize, unit: Unit, length: &mut Length) -> Option<usize> {
    let (_, end) = text.longest(text.skip_spaces(place), &["반", "and a half"])?;
    match unit {
        Unit::Minute => length.seconds += 30,
        Unit::Hour => length.minutes += 30,
        Unit::Day => length.hours += 12,
        Unit::Year => length.months += 6,
        Unit::Second | Unit::Week | Unit::Month => return None,
    }
    Some(end)
}

impl Length {
    /// Whole counts stay in their unit; `1.5 hours` is 1 hour and 30 minutes, and half a month is refused.
    fn add(&mut self, count: Decimal, unit: Unit) -> Option<()> {
        if unit == Unit::Year && count.small().is_none_or(|years| years >= LONGEST_YEARS) {
            return None;
        }
        let (slot, factor) = match unit {
            Unit::Second => (&mut self.seconds, 1),
            Unit::Minute => (&mut self.minutes, 1),
            Unit::Hour => (&mut self.hours, 1),
            Unit::Day => (&mut self.days, 1),
            Unit::Week => (&mut self.days, 7),
            Unit::Month => (&mut self.months, 1),
            Unit::Year => (&mut self.months, 12),
        };
        if let Some(whole) = count.times(Decimal::whole(factor))?.small().filter(|&whole| whole < LONGEST) {
            *slot = slot.checked_add(whole)?;
            return Some(());
        }
        let seconds = match unit {
            Unit::Minute => 60,
            Unit::Hour => 3600,
            Unit::Day => 86_400,
            _ => return None,
        };
        let seconds = count.times(Decimal::whole(seconds))?.small().filter(|&seconds| seconds < 1_000_000_000)?;
        if unit == Unit::Day {
            self.days += seconds / 86_400;
        }
        self.hours += seconds % 86_400 / 3600 + if unit == Unit::Day { 0 } else { seconds / 86_400 * 24 };
        self.minutes += seconds % 3600 / 60;
        self.seconds += seconds % 60;
        Some(())
    }

    pub(super) fn is_zero(self) -> bool {
        self.months == 0 && self.days == 0 && self.clock_seconds() == Some(0)
    }

    /// Hours, minutes and seconds in seconds.
    pub(super) fn clock_seconds(self) -> Option<i64> {
        let hours = self.hours.checked_mul(3600)?;
        hours.checked_add(self.minutes.checked_mul(60)?)?.checked_add(self.seconds)
    }

    /// ISO 8601: `P1Y6M`, `P3D`, `PT2H30M`.
    pub(super) fn iso(self) -> String {
        let mut iso = String::from("P");
        for (count, letter) in [(self.months / 12, 'Y'), (self.months % 12, 'M'), (self.days, 'D')] {
            if count != 0 {
                iso += &format!("{count}{letter}");
            }
        }
        if self.clock_seconds() != Some(0) || iso == "P" {
            iso.push('T');
            let clock = [(self.hours, 'H'), (self.minutes, 'M'), (self.seconds, 'S')];
            for (count, letter) in clock.into_iter().filter(|&(count, _)| count != 0) {
                iso += &format!("{count}{letter}");
            }
            if iso == "PT" {
                iso += "0S";
            }
        }
        iso
    }
}

/// Where a length leads from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) length: Length,
    pub(super) back: bool,
    /// Said as a limit (`안에`, `within`): its end is taken.
    pub(super) within: bool,
    /// Measured from another time than now: `two weeks from Friday`.
    pub(super) elsewhere: bool,
}

/// A length with a direction: `3일 후`, `한시간반 안에`, `in 2 days`, `two weeks ago`.
pub(super) fn shift(text: &Text, place: usize) -> Option<(Shift, usize)> {
    const BEFORE: &[(&str, bool)] = &[("in", false), ("within", true), ("앞으로", false)];
    /// Back, within.
    const AFTER: &[(&str, (bool, bool))] = &[
        ("후", (false, false)),
        ("후에", (false, false)),
        ("뒤", (false, false)),
        ("뒤에", (false, false)),
        ("있다가", (false, false)),
        ("안", (false, true)),
        ("안에", (false, true)),
        ("안으로", (false, true)),
        ("내", (false, true)),
        ("내에", (false, true)),
        ("내로", (false, true)),
        ("이내", (false, true)),
        ("이내에", (false, true)),
        ("이내로", (false, true)),
        ("전", (true, false)),
        ("전에", (true, false)),
        ("later", (false, false)),
        ("from now", (false, false)),
        ("from today", (false, false)),
        ("hence", (false, false)),
        ("ago", (true, false)),
    ];
    let before = text.meaning(place, BEFORE);
    let start = before.map_or(place, |(_, end)| text.skip_spaces(end));
    let (length, end) = length(text, start)?;
    let loose = text.skip_spaces(end);
    let loose = text.longest(loose, &["정도", "쯤"]).map_or(loose, |(_, end)| text.skip_spaces(end));
    match (text.meaning(loose, AFTER), before) {
        (Some(((back, within), end)), _) => Some((Shift { length, back, within, elsewhere: false }, end)),
        (None, _) if is_from_a_time(text, loose) => {
            Some((Shift { length, back: false, within: false, elsewhere: true }, loose))
        }
        (None, Some((within, _))) if !text.has_hangul() => {
            Some((Shift { length, back: false, within, elsewhere: false }, end))
        }
        _ => None,
    }
}

/// `from Friday`, `from the 3rd`.
fn is_from_a_time(text: &Text, place: usize) -> bool {
    let Some(end) = text.eat(place, "from") else { return false };
    let at = text.skip_spaces(end);
    let at = text.eat(at, "the").map_or(at, |end| text.skip_spaces(end));
    text.is_digit(at) || word(text, at).is_some()
}
