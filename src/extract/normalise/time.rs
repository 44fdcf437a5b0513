//! A date, a time or a length of time from Korean and English words or digits, held against now.
//! `scan` finds what is said, `resolve` makes a moment of it, `span` reads lengths; the answer is in ISO form.

mod english_words;
mod facts;
mod korean_words;
mod other;
mod refused;
mod resolve;
mod scan;
mod span;
mod words;
mod written;
mod zones;

use jiff::civil::DateTime;

use self::facts::Facts;
pub(in crate::extract) use self::refused::why_no_day;
use self::span::Length;
use super::text::Text;

/// The form that the schema asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// `2026-11-05`.
    Date,
    /// `2026-11-05T14:00:00`, with an offset where a zone is said.
    DateTime,
    /// `14:00:00`.
    Time,
    /// `PT2H30M`.
    Duration,
}

/// A time read from a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeReading {
    pub value: String,
    /// What was read: `relative_time` (reckoned from now), `korean_time`, `written_time` (English words or digits), `duration`.
    pub kind: &'static str,
    /// What the text left open and a rule supplied: `year_inferred` (the current year; for holidays the next one), `month_inferred`,
    /// `week_inferred`, `day_inferred` (the next occurrence), `meridiem_inferred`, `time_inferred` (midnight, or now's hour),
    /// `century_inferred`, `day_month_order_inferred`, `interval_end_inferred`; and what the wanted form has no place for:
    /// `date_dropped`, `time_dropped`, `roughly_dropped`, `question_dropped` (`3pm?`), `end_dropped` (3시 마감), `repetition_dropped`
    /// (`weekly on Friday`), `zone_dropped` (`3pm in New York time`: the offset is not certain), `number_dropped` (one of something else: `3층 회의실`).
    pub inferred: Vec<&'static str>,
}

/// What is left out of a moment that ends something.
const END_DROPPED: &str = "end_dropped";

/// Without the changes that are none where the field's names and description say so: one that asks for a deadline loses nothing of it.
pub(super) fn asked_for(inferred: Vec<&'static str>, about: impl FnOnce() -> String) -> Vec<&'static str> {
    if !inferred.contains(&END_DROPPED) || !words::asks_for_an_end(&about()) {
        return inferred;
    }
    inferred.into_iter().filter(|kind| *kind != END_DROPPED).collect()
}

/// Say that something still goes on.
#[rustfmt::skip]
const ONGOING: [&str; 17] = [
    "현재", "현재까지", "지금까지", "지금", "재직중", "재직 중", "진행중", "진행 중", "재학중", "재학 중", "present", "to present", "current", "currently",
    "ongoing", "now", "till now",
];

/// Whether a text says that something still goes on.
pub(super) fn goes_on(text: &str) -> bool {
    let text = text.trim().trim_end_matches('.').to_lowercase();
    ONGOING.contains(&text.as_str())
}

/// Whether a text is a range from a day to one that has not come: `2024-01-01 - present`, `Mar 5, 2024 to now`.
fn is_open_range(text: &str) -> bool {
    const LONGEST_WORD: usize = 24;
    let text = text.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '.' | ')' | ']'));
    let from = text.char_indices().rev().nth(LONGEST_WORD).map_or(0, |(at, _)| at);
    let end = text[from..].to_lowercase();
    let has_begun = text.contains(|c: char| c.is_numeric());
    has_begun
        && ONGOING.iter().any(|word| {
            let Some(before) = end.strip_suffix(word) else { return false };
            let before = before.trim_end();
            let before = before.strip_suffix(" the").unwrap_or(before).trim_end();
            before.ends_with(['-', '–', '—', '−', '→', '>', '~', '/'])
                || before.ends_with(" to")
                || before.ends_with(" till")
        })
}

/// Whether a field's names ask for the end of something, and not for its beginning as well.
pub(super) fn asks_for_the_end(about: &str) -> bool {
    const BEGINNINGS: [&str; 6] = ["start", "begin", "from", "시작", "입사", "개시"];
    const ENDS: [&str; 9] = ["to", "end", "ends", "ended", "until", "till", "finish", "finished", "left"];
    const KOREAN: [&str; 6] = ["종료", "퇴사", "퇴직", "졸업", "까지", "끝"];
    let about = about.to_lowercase();
    let mut words = about.split(|c: char| !c.is_alphanumeric());
    let begins = words.clone().next().is_some_and(|key| BEGINNINGS.iter().any(|word| key.starts_with(word)));
    !begins && words.any(|word| ENDS.contains(&word) || KOREAN.iter().any(|end| word.contains(end)))
}

/// Reads `text` as a moment or length: `11월 5일 오후 2시`, `모레 저녁 7시 반`, `다음 주 화요일`, `3일 후`, `Nov 5 at 2pm`, `2시간 30분`.
///
/// Missing parts follow rules and are named: a month and day are of the current year, a weekday or hour alone is the next one.
/// Words that say nothing about a time may stand around a full one. None for what is not understood whole: a range or bound, a weekday
/// that is not that date's, a day beyond the calendar, a week or month without a day.
pub fn time(text: &str, now: DateTime, want: Want) -> Option<TimeReading> {
    let is_open = is_open_range(text);
    let text = Text::new(text)?;
    if want == Want::Duration {
        return duration(&text);
    }
    if is_open {
        return None;
    }
    let facts = scan::scan(&text)?;
    if facts.other_words > 0 && !facts.is_strong() {
        return None;
    }
    let mut inferred = Vec::new();
    if facts.rough {
        inferred.push("roughly_dropped");
    }
    if facts.asked {
        inferred.push("question_dropped");
    }
    if facts.ends {
        inferred.push(END_DROPPED);
    }
    if facts.repeats {
        inferred.push("repetition_dropped");
    }
    if facts.zone_left_out && facts.offset.is_none() && want != Want::Date {
        inferred.push("zone_dropped");
    }
    if facts.other_numbers {
        // What is left out may be what was asked for, unless nothing is missing without it.
        let whole = match want {
            Want::Date => facts.has_date(),
            _ => facts.has_clock(),
        };
        (whole || facts.shift.is_some()).then_some(())?;
        inferred.push("number_dropped");
    }
    let (value, relative) = match want {
        Want::Time => (time_value(&facts, now, &mut inferred)?, false),
        _ => moment_value(&facts, now, want, &mut inferred)?,
    };
    let kind = if relative {
        "relative_time"
    } else if text.has_hangul() {
        "korean_time"
    } else {
        "written_time"
    };
    Some(TimeReading { value, kind, inferred })
}

fn moment_value(facts: &Facts, now: DateTime, want: Want, inferred: &mut Vec<&'static str>) -> Option<(String, bool)> {
    let moment = resolve::moment(facts, now, inferred)?;
    if want == Want::Date {
        // An hour alone says no day.
        (facts.has_date() || facts.now || facts.shift.is_some()).then_some(())?;
        if facts.has_clock() || facts.has_part() {
            inferred.push("time_dropped");
        }
        return Some((moment.day.to_string(), moment.relative));
    }
    // 내일 아침 is a part of a day, not a moment of it.
    if facts.has_part() && !facts.has_clock() {
        return None;
    }
    let time = moment.time.unwrap_or_default();
    if !facts.has_clock() && !facts.now && facts.shift.is_none_or(|shift| shift.length.clock_seconds() == Some(0)) {
        inferred.push("time_inferred");
    }
    let clock = time.strftime("%H:%M:%S");
    Some((format!("{}T{clock}{}", moment.date, offset(facts)), moment.relative))
}

fn time_value(facts: &Facts, now: DateTime, inferred: &mut Vec<&'static str>) -> Option<String> {
    let time = if facts.now || facts.shift.is_some() {
        let moment = resolve::moment(facts, now, inferred)?;
        facts.now.then_some(()).or(facts.shift?.length.clock_seconds().filter(|&seconds| seconds != 0).map(|_| ()))?;
        moment.time?
    } else {
        resolve::time_of_day(facts, inferred)?
    };
    if facts.has_date() {
        inferred.push("date_dropped");
    }
    Some(format!("{}{}", time.strftime("%H:%M:%S"), offset(facts)))
}

fn offset(facts: &Facts) -> String {
    facts.offset.map_or_else(String::new, |minutes| {
        let sign = if minutes < 0 { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    })
}

fn duration(text: &Text) -> Option<TimeReading> {
    let (length, inferred) = whole_length(text)?;
    Some(TimeReading { value: length.iso(), kind: "duration", inferred })
}

/// The length of time that a text is, in seconds, and what reading it so leaves out. None where months are in it, which are of no one length.
pub(super) fn seconds(text: &str) -> Option<(i64, Vec<&'static str>)> {
    const DAY: i64 = 86_400;
    let (length, inferred) = whole_length(&Text::new(text)?)?;
    let seconds = length.days.checked_mul(DAY)?.checked_add(length.clock_seconds()?)?;
    (length.months == 0).then_some((seconds, inferred))
}

/// The length that is the whole text, but for what makes it rough and a copula.
fn whole_length(text: &Text) -> Option<(Length, Vec<&'static str>)> {
    let mut inferred = Vec::new();
    let mut place = 0;
    if let Some((_, end)) = text.longest(0, words::ROUGHLY) {
        place = text.skip_spaces(end);
        inferred.push("roughly_dropped");
    }
    place = text.longest(place, &["for", "총", "total"]).map_or(place, |(_, end)| text.skip_spaces(end));
    let (length, end) = span::length(text, place)?;
    // 하루 2시간, 1주 40시간: how much of each, as often as both together.
    let each = (length.months, length.days) == (0, 1) || (length.months, length.days) == (0, 7);
    if each && text.has_hangul() && length.clock_seconds() != Some(0) {
        inferred.push("rate_dropped");
    }
    let mut end = text.skip_spaces(end);
    if let Some((_, after)) = text.longest(end, &["정도", "쯤", "가량"]) {
        end = text.skip_spaces(after);
        inferred.push("roughly_dropped");
    }
    const AFTER: &[&str] = &["동안", "간", "입니다", "동안입니다", "이에요", "예요", "소요", "걸림", "long", "."];
    let end = text.longest(end, AFTER).map_or(end, |(_, end)| end);
    let end = if text.at(end) == '.' { end + 1 } else { end };
    let whole = end == text.len() && !length.is_zero();
    whole.then_some((length, inferred))
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "time_context_tests.rs"]
mod context_tests;
