//! Why a text that speaks of a day is none, in words, where that can be told: for the message of a refusal. What is refused is decided
//! in `scan` and `resolve`.

use jiff::civil::{Date, DateTime};

use super::super::text::{Text, is_alphanumeric, is_hangul};
use super::resolve;
use super::scan::scan;
use super::words::{REFUSED, word};

/// A weekday that is not the date's, a day that its month does not have, or a word that makes a bound or a range of it.
pub(in crate::extract) fn why_no_day(text: &str, now: DateTime) -> Option<String> {
    let text = Text::new(text)?;
    let Some(mut facts) = scan(&text) else { return refused_word(&text) };
    if let (Some(month), Some(day)) = (facts.month, facts.day)
        && !facts.short_year
    {
        let year = i16::try_from(facts.year.unwrap_or_else(|| now.year().into())).ok()?;
        let first = Date::new(year, i8::try_from(month).ok()?, 1).ok()?;
        let days = i64::from(first.days_in_month());
        if day > days {
            return Some(format!("{} has {days} days", first.strftime("%B %Y")));
        }
    }
    let said = facts.weekday.take().filter(|_| facts.nth.is_none() && facts.week.is_none())?;
    let day = resolve::moment(&facts, now, &mut Vec::new())?.day;
    let said = resolve::to_weekday(said).filter(|said| *said != day.weekday())?;
    // Any day of that weekday, for its name.
    let named = day.nth_weekday(1, said).ok()?.strftime("%A").to_string();
    Some(format!("{day} is a {}, not a {named}", day.strftime("%A")))
}

/// The first word that refuses a text in which a time is spoken of.
fn refused_word(text: &Text) -> Option<String> {
    let timed = (0..text.len()).any(|place| text.is_digit(place) || word(text, place).is_some());
    let begins = |place: usize| is_hangul(text.at(place)) || !is_alphanumeric(text.before(place));
    let place = (0..text.len())
        .filter(|&place| timed && begins(place))
        .find(|&place| text.longest(place, REFUSED).is_some())?;
    let (index, _) = text.longest(place, REFUSED)?;
    Some(format!("a text with \"{}\" is not read as one day or time", REFUSED.get(index)?))
}
