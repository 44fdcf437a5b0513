//! Dates and clocks in digits and separators: `2026-11-05`, `2013. 2. 12`, `11/5/2026`, `2/15`, `14:30:05`, `20261105`.
//! Next: `scan`.

use super::super::text::{Text, is_alphanumeric};
use super::words::{Word, word};

/// A date as written, not held against the calendar yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) year: Option<i64>,
    /// The year had two digits.
    pub(super) short_year: bool,
    pub(super) month: i64,
    pub(super) day: i64,
    /// Another order of the numbers would be a date too.
    pub(super) order_inferred: bool,
    pub(super) end: usize,
}

/// The date in digits at `place`. Year first where four digits stand there; with the year last the month comes first (`11/5/2026`)
/// unless only the other order is a date, or points separate them (`5.11.2026`); two digits each are year, month, day if they can be.
pub(super) fn date(text: &Text, place: usize) -> Option<Written> {
    let (first, after) = text.digits(place, 8)?;
    let width = after - place;
    if width == 8 && !is_alphanumeric(text.at(after)) {
        let (month, day) = (first / 100 % 100, first % 100);
        return good(Some(first / 10_000), false, month, day, false, after);
    }
    let separator = text.at(after);
    if !matches!(separator, '-' | '/' | '.') || !matches!(width, 1 | 2 | 4) {
        return None;
    }
    if let Some(date) = with_month_by_name(text, first, after) {
        return Some(date);
    }
    let next = |place: usize, most: usize| {
        // 2013. 2. 12.: a space is usual after Korean points.
        let place = if separator == '.' { text.skip_spaces(place) } else { place };
        text.digits(place, most).map(|(value, end)| (value, end, end - place))
    };
    let (second, after_second, second_width) = next(after + 1, 2)?;
    if text.at(after_second) != separator || next(after_second + 1, 4).is_none() {
        // A month and a day, of which only the stroke is used so; 2.15 is a decimal, 2-15 a range.
        let is_korean =
            separator == '.' && width <= 2 && text.at(after_second) == '(' && text.at(after_second + 2) == ')';
        if is_korean && "월화수목금토일".contains(text.at(after_second + 1)) {
            // 12.3(목): the weekday tells that it is no decimal.
            return good(None, false, first, second, false, after_second);
        }
        let is_pair = width <= 2 && separator == '/' && !text.is_digit(after_second);
        return if is_pair { month_and_day(first, second, None, after_second) } else { None };
    }
    let (third, end, third_width) = next(after_second + 1, 4)?;
    let end = if separator == '.' && text.at(end) == '.' && width == 4 { end + 1 } else { end };
    match (width, third_width) {
        (4, 1 | 2) => good(Some(first), false, second, third, false, end),
        (1 | 2, 4) if separator == '.' => good(Some(third), false, second, first, false, end),
        (1 | 2, 4) => month_and_day(first, second, Some(third), end),
        (2, 1 | 2) if good(None, false, second, third, false, end).is_some() => {
            good(Some(first), true, second, third, true, end)
        }
        (1 | 2, 2) if second_width <= 2 && separator != '.' => {
            month_and_day(first, second, Some(third), end).map(|date| Written { short_year: true, ..date })
        }
        _ => None,
    }
}

/// `05-Mar-2024`: a day, and behind it a month by its name and a year of four digits, with hyphens or strokes.
fn with_month_by_name(text: &Text, day: i64, place: usize) -> Option<Written> {
    let separator = text.at(place);
    let Some((Word::Month(month), after)) = word(text, place + 1) else { return None };
    let (year, end) = text.digits(after + 1, 4)?;
    let whole = separator != '.' && text.at(after) == separator && end == after + 5 && !is_alphanumeric(text.at(end));
    whole.then(|| good(Some(year), false, i64::from(month), day, false, end)).flatten()
}

fn month_and_day(first: i64, second: i64, year: Option<i64>, end: usize) -> Option<Written> {
    let either = first <= 12 && second <= 12 && first != second && year.is_some();
    good(year, false, first, second, either, end).or_else(|| good(year, false, second, first, false, end))
}

fn good(
    year: Option<i64>,
    short_year: bool,
    month: i64,
    day: i64,
    order_inferred: bool,
    end: usize,
) -> Option<Written> {
    let real = (1..=12).contains(&month) && (1..=31).contains(&day);
    real.then_some(Written { year, short_year, month, day, order_inferred, end })
}

/// Hour, minute and second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: Option<i64>,
    /// Written in a way that only the 24-hour clock uses: 03:20, 15:30.
    pub(super) of_24: bool,
    pub(super) end: usize,
}

/// ISO 8601 without separators: `20261105T143000`, `20261105T1430`.
pub(super) fn packed(text: &Text, place: usize) -> Option<(Written, Clock)> {
    let (date, after) = text.digits(place, 8)?;
    let (clock, end) = text.digits(after + 1, 6)?;
    let clock = match end - after - 1 {
        4 => clock * 100,
        6 => clock,
        _ => return None,
    };
    (after == place + 8 && text.at(after) == 't').then_some(())?;
    let date = good(Some(date / 10_000), false, date / 100 % 100, date % 100, false, after)?;
    let (hour, minute, second) = (clock / 10_000, clock / 100 % 100, Some(clock % 100));
    Some((date, Clock { hour, minute, second, of_24: true, end }))
}

/// The clock in digits at `place`.
pub(super) fn clock(text: &Text, place: usize) -> Option<Clock> {
    let (hour, after) = text.digits(place, 2)?;
    let pair = |place: usize| {
        let (value, end) = text.digits(place, 2)?;
        (text.at(place - 1) == ':' && end == place + 2).then_some((value, end))
    };
    let (minute, mut end) = pair(after + 1)?;
    let mut second = None;
    if text.at(end) == ':' {
        let (value, after) = pair(end + 1)?;
        (second, end) = (Some(value), after);
    }
    let of_24 = hour > 12 || text.at(place) == '0';
    let clean = text.at(end) != '.' || !text.is_digit(end + 1);
    clean.then_some(Clock { hour, minute, second, of_24, end })
}
