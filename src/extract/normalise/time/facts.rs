//! What a text says about a time, gathered piece by piece: a piece said twice must say the same. Resolved in `resolve`.

use super::span::Shift;
use super::words::{Half, Part, Week};

/// The pieces; what is none was not said.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) now: bool,
    pub(super) shift: Option<Shift>,
    /// Days, months, years from today's.
    pub(super) days: Option<i64>,
    pub(super) months: Option<i64>,
    pub(super) years: Option<i64>,
    pub(super) year: Option<i64>,
    pub(super) month: Option<i64>,
    pub(super) day: Option<i64>,
    pub(super) last_day: bool,
    pub(super) nth: Option<i8>,
    pub(super) week: Option<Week>,
    pub(super) weekday: Option<i8>,
    pub(super) weekend: bool,
    pub(super) holiday: Option<(i8, i8)>,
    pub(super) hour: Option<i64>,
    pub(super) minute: Option<i64>,
    pub(super) second: Option<i64>,
    /// The part of the day in words: 저녁, `tonight`.
    pub(super) part: Option<Part>,
    /// Before noon or after it: 오전, `pm`. A part of the day may be said with it, and must then agree.
    pub(super) half: Option<Half>,
    /// The hour is one of 24 for certain.
    pub(super) of_24: bool,
    /// Minutes to subtract: 네 시 십오 분 전.
    pub(super) minutes_to: Option<i64>,
    /// Minutes east of UTC.
    pub(super) offset: Option<i32>,
    pub(super) short_year: bool,
    pub(super) order_inferred: bool,
    pub(super) rough: bool,
    /// The time is asked for: `3pm?`.
    pub(super) asked: bool,
    /// It ends something, or comes again: 마감, `weekly`.
    pub(super) ends: bool,
    pub(super) repeats: bool,
    /// A zone is named whose offset is not certain.
    pub(super) zone_left_out: bool,
    /// The n-th is a week: 둘째 주.
    pub(super) nth_week: bool,
    /// Where an English month's name ends: the number right behind it is its day.
    pub(super) month_end: Option<usize>,
    /// Words that say nothing about a time.
    pub(super) other_words: usize,
    /// A number that is of something else.
    pub(super) other_numbers: bool,
    /// Where the last of such words ends, if it may be the name of what a number behind it is of.
    pub(super) name_end: Option<usize>,
    /// Where 시 stood: minutes stand right behind it.
    pub(super) hour_end: Option<usize>,
}

/// Fills a slot; none if it holds something else.
pub(super) fn put<T: PartialEq>(slot: &mut Option<T>, value: T) -> Option<()> {
    if slot.as_ref().is_some_and(|held| *held != value) {
        return None;
    }
    *slot = Some(value);
    Some(())
}

impl Facts {
    /// Whether a day is said, in whatever way.
    pub(super) fn has_date(&self) -> bool {
        let of_month = self.day.is_some() || self.last_day || self.nth.is_some();
        self.days.is_some() || of_month || self.weekday.is_some() || self.holiday.is_some()
    }

    pub(super) fn has_clock(&self) -> bool {
        self.hour.is_some()
    }

    pub(super) fn has_part(&self) -> bool {
        self.part.is_some() || self.half.is_some()
    }

    /// Whether what is said is a time for certain, so that other words may stand around it.
    pub(super) fn is_strong(&self) -> bool {
        let dated = self.days.is_some() || self.weekday.is_some() || self.holiday.is_some() || self.shift.is_some();
        let of_month = self.day.is_some() || self.last_day || self.nth.is_some();
        let month = self.month.is_some() || self.months.is_some();
        dated || (of_month && month) || (self.hour.is_some() && (self.has_part() || self.minute.is_some()))
    }
}
