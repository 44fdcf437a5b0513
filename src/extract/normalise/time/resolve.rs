//! From what a text says to a day and an hour, held against now and the calendar. All arithmetic is checked: a day that does not
//! exist, or a weekday that is not that day's, is refused.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{SignedDuration, Span};

use super::facts::Facts;
use super::span::Shift;
use super::words::{Half, Part, Week};

/// What had to be supplied, in the order found.
pub(super) type Inferred = Vec<&'static str>;

fn note(inferred: &mut Inferred, what: &'static str) {
    if !inferred.contains(&what) {
        inferred.push(what);
    }
}

/// A day, and the time of day where one is said.
pub(super) struct Moment {
    pub(super) date: Date,
    /// The day that was said: 5일 밤 12시 is the sixth's first moment, but the fifth's night.
    pub(super) day: Date,
    pub(super) time: Option<Time>,
    /// The day was reckoned from now.
    pub(super) relative: bool,
}

/// The moment that the facts give.
pub(super) fn moment(facts: &Facts, now: DateTime, inferred: &mut Inferred) -> Option<Moment> {
    if facts.now {
        let alone = !facts.has_date() && !facts.has_clock() && facts.shift.is_none() && !facts.has_part();
        return alone.then(|| Moment { date: now.date(), day: now.date(), time: Some(now.time()), relative: true });
    }
    if let Some(shift) = facts.shift {
        return shifted(facts, shift, now, inferred);
    }
    if facts.has_date() {
        let (date, relative) = date(facts, now, inferred)?;
        let Some(clock) = clock(facts)? else { return Some(Moment { date, day: date, time: None, relative }) };
        let same_day = clock.at(date)?;
        // Of a day's two three o'clocks the one said; today the one still to come.
        let chosen = match clock.later_half(date).filter(|_| relative && date == now.date() && same_day <= now) {
            Some(later) => later,
            None => same_day,
        };
        if clock.ambiguous {
            note(inferred, "meridiem_inferred");
        }
        if chosen.date() != date {
            // 밤 12시 and 밤 1시 are counted to the night that began on the day said.
            note(inferred, "day_inferred");
        }
        return Some(Moment { date: chosen.date(), day: date, time: Some(chosen.time()), relative });
    }
    if facts.week.is_some() || facts.year.is_some() || facts.month.is_some() || facts.months.is_some() {
        return None;
    }
    let clock = clock(facts)??;
    note(inferred, "day_inferred");
    if clock.ambiguous {
        note(inferred, "meridiem_inferred");
    }
    let next = next_occurrence(&clock, now)?;
    Some(Moment { date: next.date(), day: next.date(), time: Some(next.time()), relative: true })
}

/// The first time after now at which a clock shows this.
fn next_occurrence(clock: &Clock, now: DateTime) -> Option<DateTime> {
    let yesterday = now.date().yesterday().ok()?;
    let tomorrow = now.date().tomorrow().ok()?;
    let days = [yesterday, now.date(), tomorrow];
    let halves = days.iter().flat_map(|&day| [clock.at(day), clock.later_half(day)]);
    halves.flatten().filter(|&moment| moment > now).min()
}

/// The time of day alone, and whether it could be twelve hours later.
pub(super) fn time_of_day(facts: &Facts, inferred: &mut Inferred) -> Option<Time> {
    let clock = clock(facts)??;
    if clock.ambiguous {
        note(inferred, "meridiem_inferred");
    }
    // Any day will do.
    Some(clock.at(Date::new(2000, 1, 1).ok()?)?.time())
}

struct Clock {
    /// Seconds from the day's midnight; beyond a day for 밤 12시, below zero for a quarter to midnight.
    seconds: i64,
    /// Neither morning nor afternoon was said.
    ambiguous: bool,
    /// Twelve without either is noon: midnight is said as such.
    noon: bool,
}

impl Clock {
    fn at(&self, date: Date) -> Option<DateTime> {
        date.at(0, 0, 0, 0).checked_add(SignedDuration::from_secs(self.seconds)).ok()
    }

    /// The same hour after noon, where it may have been meant.
    fn later_half(&self, date: Date) -> Option<DateTime> {
        if !self.ambiguous || self.noon {
            return None;
        }
        self.at(date)?.checked_add(SignedDuration::from_hours(12)).ok()
    }
}

/// The clock as said: `Some(None)` where none is, none where it is none (25시, 오전 14시).
fn clock(facts: &Facts) -> Option<Option<Clock>> {
    let Some(hour) = facts.hour else {
        let leftover = facts.minute.is_some() || facts.second.is_some() || facts.minutes_to.is_some();
        return (!leftover).then_some(None);
    };
    let (minute, second) = (facts.minute.unwrap_or(0), facts.second.unwrap_or(0));
    let in_range = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    if !in_range || (hour == 24 && (minute, second) != (0, 0)) {
        return None;
    }
    let twelve = hour % 12;
    let of_12 = (1..=12).contains(&hour);
    // The hour as on a 24-hour clock.
    let of_day = hour > 12 || hour == 0 || (facts.of_24 && hour == 12);
    let (hour, ambiguous) = match (facts.part, facts.half) {
        (None, None) => (hour, of_12 && !facts.of_24),
        (Some(part), _) if of_day => (is_in(hour, part).then_some(hour)?, false),
        (None, Some(_)) if of_day => (hour, false),
        // 새벽 11시 contradicts itself.
        (Some(part), _) if !has_of_12(twelve, part) => return None,
        (None, Some(Half::Am)) | (Some(Part::Dawn | Part::Morning), _) => (twelve, false),
        (None, Some(Half::Pm)) | (Some(Part::Evening), _) => (twelve + 12, false),
        (Some(Part::Midday), _) if twelve >= 10 => (twelve, false),
        (Some(Part::Midday), _) => (twelve + 12, false),
        // 밤 12시 ends the day, 밤 1시 is already the next one's; 밤 9시 is this one's.
        (Some(Part::Night), _) if twelve < 5 => (twelve + 24, false),
        (Some(Part::Night), _) => (twelve + 12, false),
    };
    // 오늘 저녁 오후 7시 says it twice, 오늘 저녁 오전 7시 contradicts itself.
    let agrees = match facts.half {
        None => true,
        Some(Half::Am) => hour % 24 < 12,
        Some(Half::Pm) => (12..24).contains(&hour),
    };
    agrees.then_some(())?;
    let seconds = hour * 3600 + minute * 60 + second - facts.minutes_to.unwrap_or(0) * 60;
    Some(Some(Clock { seconds, ambiguous, noon: ambiguous && hour == 12 }))
}

/// Whether a part of the day has this hour of twelve, of which 0 is the first.
fn has_of_12(hour: i64, part: Part) -> bool {
    match part {
        Part::Dawn => hour < 9,
        Part::Morning => true,
        Part::Midday => !(6..10).contains(&hour),
        Part::Evening => hour >= 4,
        Part::Night => hour != 5,
    }
}

/// Whether a part of the day has this hour of its 24.
fn is_in(hour: i64, part: Part) -> bool {
    match part {
        Part::Dawn | Part::Morning => hour < 12,
        Part::Midday => (12..24).contains(&hour),
        Part::Evening | Part::Night => hour == 0 || hour > 12,
    }
}

/// A length from now. Days leave the hour open, so that a moment is given to the hour; weeks and more give a day.
fn shifted(facts: &Facts, shift: Shift, now: DateTime, inferred: &mut Inferred) -> Option<Moment> {
    if facts.has_date() || facts.year.is_some() || facts.month.is_some() || facts.week.is_some() {
        return None;
    }
    if shift.within {
        note(inferred, "interval_end_inferred");
    }
    let sign = if shift.back { -1 } else { 1 };
    let length = shift.length;
    let days = Span::new().try_months(sign * length.months).ok()?.try_days(sign * length.days).ok()?;
    let seconds = length.clock_seconds()?;
    let date = now.date().checked_add(days).ok()?;
    if seconds == 0 {
        if let Some(clock) = clock(facts)? {
            let moment = clock.at(date)?;
            if clock.ambiguous {
                note(inferred, "meridiem_inferred");
            }
            return Some(Moment { date: moment.date(), day: date, time: Some(moment.time()), relative: true });
        }
        let hour = Time::new(now.hour(), 0, 0, 0).ok()?;
        let time = if length.coarse { None } else { Some(hour) };
        return Some(Moment { date, day: date, time, relative: true });
    }
    if facts.has_clock() {
        return None;
    }
    let moment = date.to_datetime(now.time()).checked_add(SignedDuration::from_secs(sign * seconds)).ok()?;
    Some(Moment { date: moment.date(), day: moment.date(), time: Some(moment.time()), relative: true })
}

/// The day that is said, and whether it was reckoned from today.
fn date(facts: &Facts, now: DateTime, inferred: &mut Inferred) -> Option<(Date, bool)> {
    let today = now.date();
    let (date, relative) = if let Some(days) = facts.days {
        (add_days(today, days)?, true)
    } else if let Some((month, day)) = facts.holiday {
        let none_else = facts.month.is_none() && facts.day.is_none() && facts.nth.is_none();
        none_else.then_some(())?;
        match year(facts, today)? {
            Some((year, relative)) => (Date::new(year, month, day).ok()?, relative),
            None => {
                note(inferred, "year_inferred");
                let this = Date::new(today.year(), month, day).ok()?;
                (if this < today { Date::new(today.year() + 1, month, day).ok()? } else { this }, true)
            }
        }
    } else if facts.month.is_some() || facts.months.is_some() || facts.day.is_some() || facts.last_day {
        of_month(facts, today, inferred)?
    } else {
        let date = of_week(facts, today, inferred)?;
        return Some((date, true));
    };
    let of_nth = facts.nth.is_some() || (facts.week == Some(Week::Last) && facts.day.is_none() && facts.days.is_none());
    let weekday_fits = facts.weekday.is_none_or(|day| of_nth || monday_zero(date.weekday()) == i64::from(day));
    let year_by_week = facts.week.is_some() && relative && facts.month.is_some() && facts.weekday.is_none();
    let bare = (facts.week.is_none() || of_nth || year_by_week)
        && (facts.days.is_none() || facts.day.is_none_or(|day| day == i64::from(date.day())));
    let month_fits = facts.days.is_none() || facts.month.is_none_or(|month| month == i64::from(date.month()));
    let year_fits = facts.days.is_none() || facts.year.is_none_or(|year| year == i64::from(date.year()));
    (weekday_fits && bare && month_fits && year_fits && (1..=9999).contains(&date.year())).then_some((date, relative))
}

/// The year said or reckoned, and whether reckoned; `Some(None)` where none is.
fn year(facts: &Facts, today: Date) -> Option<Option<(i16, bool)>> {
    let reckoned = facts.years.map(|years| i64::from(today.year()) + years);
    let said = facts.year.map(|year| {
        if !facts.short_year {
            return year;
        }
        // Two digits: the century that brings it nearest to now, but at most twenty years ahead.
        let century = i64::from(today.year()) / 100 * 100;
        if century + year > i64::from(today.year()) + 20 { century + year - 100 } else { century + year }
    });
    match (said, reckoned) {
        (Some(said), Some(reckoned)) if said != reckoned => None,
        (None, None) => Some(None),
        (said, reckoned) => Some(Some((i16::try_from(said.or(reckoned)?).ok()?, said.is_none()))),
    }
}

/// A day of a month: numbered, the last, or the n-th of a weekday.
fn of_month(facts: &Facts, today: Date, inferred: &mut Inferred) -> Option<(Date, bool)> {
    let year = year(facts, today)?;
    if facts.short_year {
        note(inferred, "century_inferred");
    }
    if facts.order_inferred {
        note(inferred, "day_month_order_inferred");
    }
    let (first, mut relative) = match (facts.month, facts.months) {
        (Some(month), None) => {
            if year.is_none() && (facts.week.is_none() || facts.weekday.is_some()) {
                note(inferred, "year_inferred");
            }
            let (year, relative) = year.unwrap_or((today.year(), false));
            (Date::new(year, i8::try_from(month).ok()?, 1).ok()?, relative)
        }
        (None, Some(months)) if year.is_none() => {
            (today.first_of_month().checked_add(Span::new().try_months(months).ok()?).ok()?, true)
        }
        (None, None) if year.is_none() && facts.day.is_some() => return of_coming_months(facts, today, inferred),
        _ => return None,
    };
    relative |= facts.months.is_some();
    if let (Some(week), Some(month), Some(day), None, None) = (facts.week, facts.month, facts.day, year, facts.weekday)
    {
        return nearest(today, month, day, week).map(|date| (date, true));
    }
    // The last Friday of March is the month's.
    let last = facts.week == Some(Week::Last) && facts.weekday.is_some() && facts.nth.is_none();
    let nth = if last { Some(-1) } else { facts.nth };
    let date = match (nth, facts.weekday, facts.day, facts.last_day) {
        (Some(nth), Some(weekday), None, false) => first.nth_weekday_of_month(nth, to_weekday(weekday)?).ok()?,
        // November third: an ordinal without a weekday is the day.
        (Some(nth), None, None, false) if nth > 0 && !facts.nth_week => day_of(first, i64::from(nth))?,
        (None, _, Some(day), false) => day_of(first, day)?,
        (None, _, None, true) => first.last_of_month(),
        _ => return None,
    };
    Some((date, relative))
}

/// 오는 11월 5일, 지난 3월 2일: the word says which year's.
fn nearest(today: Date, month: i64, day: i64, week: Week) -> Option<Date> {
    let of_year = |year| Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok();
    let this = of_year(today.year())?;
    match week {
        Week::This => Some(this),
        Week::Coming => {
            if this < today {
                of_year(today.year() + 1)
            } else {
                Some(this)
            }
        }
        Week::Last => {
            if this < today {
                Some(this)
            } else {
                of_year(today.year() - 1)
            }
        }
        Week::Offset(_) | Week::Next => None,
    }
}

fn day_of(first: Date, day: i64) -> Option<Date> {
    Date::new(first.year(), first.month(), i8::try_from(day).ok()?).ok()
}

/// 19일, 19일 화요일: the next such day, today counted.
fn of_coming_months(facts: &Facts, today: Date, inferred: &mut Inferred) -> Option<(Date, bool)> {
    /// A 29 February on a given weekday comes back within 40 years.
    const MOST_MONTHS: i64 = 480;
    note(inferred, "month_inferred");
    let months = if facts.weekday.is_some() { MOST_MONTHS } else { 12 };
    for ahead in 0..months {
        let first = today.first_of_month().checked_add(Span::new().try_months(ahead).ok()?).ok()?;
        let Some(date) = day_of(first, facts.day?).filter(|&date| date >= today) else { continue };
        if facts.weekday.is_none_or(|day| monday_zero(date.weekday()) == i64::from(day)) {
            return Some((date, true));
        }
    }
    None
}

/// A weekday, alone or of a week.
fn of_week(facts: &Facts, today: Date, inferred: &mut Inferred) -> Option<Date> {
    if facts.nth.is_some() || facts.year.is_some() || facts.years.is_some() {
        return None;
    }
    let weekday = i64::from(facts.weekday?);
    let since_monday = monday_zero(today.weekday());
    let this_week = weekday - since_monday;
    let ahead = (this_week + 7) % 7;
    if facts.weekend {
        note(inferred, "day_inferred");
    }
    let days = match facts.week {
        None => {
            note(inferred, "week_inferred");
            if ahead == 0 { 7 } else { ahead }
        }
        Some(Week::Offset(weeks)) => this_week + 7 * weeks,
        Some(Week::This) => ahead,
        Some(Week::Coming) => {
            if ahead == 0 {
                7
            } else {
                ahead
            }
        }
        Some(Week::Last) => {
            if ahead == 0 {
                -7
            } else {
                ahead - 7
            }
        }
        Some(Week::Next) => {
            note(inferred, "week_inferred");
            this_week + 7
        }
    };
    add_days(today, days)
}

fn add_days(date: Date, days: i64) -> Option<Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok()
}

fn monday_zero(weekday: Weekday) -> i64 {
    i64::from(weekday.to_monday_zero_offset())
}

pub(super) fn to_weekday(monday_zero: i8) -> Option<Weekday> {
    Weekday::from_monday_zero_offset(monday_zero).ok()
}
