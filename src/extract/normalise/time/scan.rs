//! From a text to its [`Facts`]: each piece is recognised where it stands, in Korean, English or digits; what is not is counted.
//! What the pieces mean together is `resolve`'s.

use super::super::text::{Text, is_alphanumeric, is_hangul};
use super::super::{denial, english, korean};
use super::facts::{Facts, put};
use super::other;
use super::span::{self, Shift};
use super::words::{FILLS, REFUSES, ROUGHENS, Week, Word, word};
use super::{written, zones};

/// More words than this around a time are a text, not a time.
const MOST_OTHER_WORDS: usize = 24;

/// What the text says; none where pieces contradict each other, a number is left over, or a word makes it a bound or a range.
pub(super) fn scan(text: &Text) -> Option<Facts> {
    let mut facts = Facts::default();
    let mut clause = Clause::default();
    let mut place = 0;
    // The word before was `at`: a lone number is an hour.
    let mut at = false;
    while place < text.len() {
        let started = place;
        facts.asked |= text.at(place) == '?' && clause.timed;
        if denial::is_clause_end(text.at(place)) && std::mem::take(&mut clause).denies() {
            return None;
        }
        place = match piece(text, place, &mut facts, at)? {
            Some(end) => {
                clause.timed = true;
                end
            }
            None => between(text, place, &mut facts, &mut clause)?,
        };
        // Every piece takes something.
        (place > started).then_some(())?;
        if place > started + 1 || text.at(started) != ' ' {
            at = text.eat(started, "at").is_some();
        }
    }
    (!clause.denies()).then_some(facts)
}

/// What a clause says besides the facts.
#[derive(Default)]
struct Clause {
    /// A piece of the time.
    timed: bool,
    denied: bool,
    /// Words of neither kind.
    others: bool,
}

impl Clause {
    /// Whether the time is taken back: in its own clause, or by a clause that does nothing else. 주차 불가 is about parking.
    fn denies(&self) -> bool {
        self.denied && (self.timed || !self.others)
    }
}

/// The piece at `place`: where it ends; `Some(None)` where none is, none where it contradicts another.
fn piece(text: &Text, place: usize, facts: &mut Facts, at: bool) -> Option<Option<usize>> {
    // 11월 5일(목): in brackets beside a date one syllable is a weekday.
    if text.before(place) == '(' && text.at(place + 1) == ')' && facts.has_date() {
        const DAYS: &str = "월화수목금토일";
        if let Some(day) = DAYS.chars().position(|day| day == text.at(place)).and_then(|day| day.try_into().ok()) {
            return put(&mut facts.weekday, day).map(|()| Some(place + 1));
        }
    }
    let begins = !text.before(place).is_ascii_alphanumeric() || !text.at(place).is_ascii_alphabetic();
    let tight = facts.has_clock() && (begins || text.is_digit(place.saturating_sub(1)));
    if tight && let Some((minutes, end)) = zones::zone(text, place) {
        put(&mut facts.offset, minutes)?;
        return Some(Some(end));
    }
    if text.is_digit(place) || (text.at(place) == '\'' && text.is_digit(place + 1)) {
        return digits(text, place, facts, at).map(Some);
    }
    // 3:20pm: of words glued to digits only the half of the day.
    if let Some((word, end)) =
        word(text, place).filter(|(word, _)| begins || matches!(word, Word::Part(_) | Word::Half(_)))
    {
        if matches!(word, Word::Month(_)) {
            facts.month_end = Some(end);
        }
        return said(facts, word).map(|()| Some(end));
    }
    if !begins {
        return Some(None);
    }
    if let Some((shift, end)) = span::shift(text, place) {
        return shifted(facts, shift).map(|()| Some(end));
    }
    if let Some(end) = korean_unit(text, place, facts)? {
        return Some(Some(end));
    }
    if let Some(end) = past_or_to(text, place, facts)? {
        return Some(Some(end));
    }
    if let Some(end) = english_number(text, place, facts, at)? {
        return Some(Some(end));
    }
    if let Some(end) = text.eat(place, "반").filter(|_| facts.has_clock() && facts.minute.is_none()) {
        facts.minute = Some(30);
        return Some(Some(end));
    }
    // 약속 and 경기장 are words of their own, 약 세 시 and 3시경 are rough.
    let rough = |&((), end): &((), usize)| {
        let glued = is_hangul(text.before(place)) || text.is_digit(place.saturating_sub(1));
        let ends = !is_hangul(text.at(end)) || text.among(end, &FILLS).is_some();
        glued
            || ends
            || text.at(place) == '약' && korean_unit(text, end, &mut Facts::default()).is_none_or(|unit| unit.is_some())
    };
    if let Some((_, end)) = text.among(place, &ROUGHENS).filter(rough) {
        facts.rough = true;
        return Some(Some(end));
    }
    Some(None)
}

/// Punctuation, particles and other words.
fn between(text: &Text, place: usize, facts: &mut Facts, clause: &mut Clause) -> Option<usize> {
    let character = text.at(place);
    let glued = is_hangul(text.before(place)) || text.before(place).is_ascii_digit();
    // 둘째 주에, 3시 정각; 주차 is parking.
    let whole = |end: usize| !is_hangul(text.at(end)) || text.among(end, &FILLS).is_some();
    let may_fill = |end| glued || !is_hangul(character) || (matches!(character, '주' | '정') && whole(end));
    if let Some((_, end)) = text.among(place, &FILLS).filter(|&(_, end)| may_fill(end)) {
        facts.nth_week |= character == '주' && facts.nth.is_some();
        return Some(end);
    }
    if !is_alphanumeric(character) {
        return (!is_bound_sign(text, place)).then_some(place + 1);
    }
    if place > 0 && is_alphanumeric(text.before(place)) {
        return None;
    }
    // 화/목 오후 2시 is two days.
    let named = |place| matches!(text.at(place), '월' | '화' | '수' | '목' | '금' | '토' | '일');
    let day = |place| named(place) && !is_hangul(text.at(place + 1));
    if day(place) && matches!(text.at(place + 1), '/' | '·' | ',') && day(text.skip_spaces(place + 2)) {
        return None;
    }
    if text.among(place, &REFUSES).is_some() || facts.other_words == MOST_OTHER_WORDS {
        return None;
    }
    super::words::note(text, place, facts);
    // The Friday following Dec 11 is not the 11th.
    let beside = text.longest(place, &["following", "previous", "preceding"]).map(|(_, end)| text.skip_spaces(end));
    if beside.is_some_and(|next| text.is_digit(next) || word(text, next).is_some()) {
        return None;
    }
    let mut end = place;
    // 회의실3: the number behind Hangul is looked at by itself.
    while (is_alphanumeric(text.at(end)) || text.at(end) == '\'') && !(is_hangul(character) && text.is_digit(end)) {
        end += 1;
    }
    // 3시 전: the word makes it a bound.
    let bound = [
        "전",
        "후",
        "뒤",
        "전에",
        "후에",
        "뒤에",
        "안에",
        "내에",
        "전까지",
        "내로",
        "안으로",
        "직전",
        "직후",
        "지나",
        "지나서",
        "넘어",
        "넘어서",
        "늦어도",
        "빨라도",
    ];
    let (word, _) = text.word(place);
    if denial::is_korean(&word) || denial::is_english(&word) {
        clause.denied = true;
    } else {
        clause.others = true;
    }
    facts.zone_left_out |= zones::is_left_out(text, facts, place);
    other::named_by(facts, &word, end);
    let numbered = text.has_digit(place, end);
    facts.other_numbers |= numbered;
    let refused =
        numbered && !other::is_label(text, place) || text.longest(place, &bound).is_some_and(|(_, after)| after == end);
    // 3시 내 is a bound, 내 생일 is one's own.
    let within = word == "내" && place > 0 && text.at(end) != ' ';
    (!refused && !within).then_some(end)
}

/// `~`, `>3pm`, `<= Dec 3`, `3pm+`; an arrow or a tag is none.
fn is_bound_sign(text: &Text, place: usize) -> bool {
    let (before, next) = (text.before(place), text.at(place + 1));
    match text.at(place) {
        '~' | '≤' | '≥' | '≦' | '≧' => true,
        '<' | '>' => before == ' ' && (next == '=' || text.is_digit(text.skip_spaces(place + 1))),
        '+' => is_alphanumeric(before) && !is_alphanumeric(next),
        _ => false,
    }
}

/// What begins with a digit: it must be understood.
fn digits(text: &Text, place: usize, facts: &mut Facts, at: bool) -> Option<usize> {
    if let Some(end) = other::named(text, facts, place).filter(|_| text.before(place) == '#') {
        return other::number(facts, end);
    }
    let joined = text.before(place).is_ascii_alphanumeric() || matches!(text.before(place), '-' | '_' | '/');
    if joined && !(text.before(place) == 't' && facts.has_date()) {
        return None;
    }
    if let Some(clock) = written::clock(text, place) {
        put(&mut facts.hour, clock.hour)?;
        put(&mut facts.minute, clock.minute)?;
        if let Some(second) = clock.second {
            put(&mut facts.second, second)?;
        }
        facts.of_24 |= clock.of_24;
        return Some(clock.end);
    }
    if let Some((date, clock)) = written::packed(text, place) {
        put(&mut facts.year, date.year?)?;
        put(&mut facts.month, date.month)?;
        put(&mut facts.day, date.day)?;
        put(&mut facts.hour, clock.hour)?;
        put(&mut facts.minute, clock.minute)?;
        put(&mut facts.second, clock.second.unwrap_or(0))?;
        facts.of_24 = true;
        return Some(clock.end);
    }
    // Before dates in digits, of which 3.1절 looks like one.
    if let Some((word, end)) = word(text, place) {
        return said(facts, word).map(|()| end);
    }
    if let Some(date) = written::date(text, place) {
        if let Some(year) = date.year {
            put(&mut facts.year, year)?;
        }
        put(&mut facts.month, date.month)?;
        put(&mut facts.day, date.day)?;
        facts.short_year |= date.short_year;
        facts.order_inferred |= date.order_inferred;
        let iso = date.end == place + 10 && text.at(date.end) == 't' && text.is_digit(date.end + 1);
        return Some(if iso { date.end + 1 } else { date.end });
    }
    let day_of_month = facts.month.is_some()
        && facts.day.is_none()
        && text.digits(place, 2).is_some_and(|(_, end)| text.at(end) == '일');
    if let Some((shift, end)) = span::shift(text, place).filter(|_| !day_of_month) {
        return shifted(facts, shift).map(|()| end);
    }
    if let Some(end) = korean_unit(text, place, facts)? {
        return Some(end);
    }
    // Dec 3 room 5: the number right behind the month is its day, and the unit names the next.
    if let Some((value, end)) = text.digits(place, 2)
        && facts.day.is_none()
        && facts.month_end.is_some_and(|month| text.skip_spaces(month) == place)
        && other::counted(text, place).is_some_and(|unit| other::names_next(text, unit))
    {
        return put(&mut facts.day, value).map(|()| end);
    }
    if let Some(end) = other::counted(text, place) {
        return other::number(facts, end);
    }
    let from = place + usize::from(text.at(place) == '\'');
    let number = text.digits(from, 4);
    if let Some((value, end)) = number
        && !(end - from == 4 && other::is_named(text, facts, place, end))
        && let Some(end) = lone_number(text, facts, Number { value, place: from, end, four: end - from == 4 }, at)?
    {
        return Some(end);
    }
    let end = other::named(text, facts, from)?;
    other::number(facts, end)
}

/// A number in digits or words, where it stands, and whether it could be a year.
struct Number {
    value: i64,
    place: usize,
    end: usize,
    four: bool,
}

/// A number without a Korean unit: an hour, a day beside a month, a year; `Some(None)` where it is neither.
fn lone_number(text: &Text, facts: &mut Facts, number: Number, at: bool) -> Option<Option<usize>> {
    let Number { value, place, end, four } = number;
    let loose = text.skip_spaces(end);
    let behind_month = facts.month_end.is_some_and(|month| text.skip_spaces(month) == place);
    let meridiem = match word(text, loose) {
        Some((Word::Part(_) | Word::Half(_), _)) => true,
        // 12 noon.
        Some((Word::Clock(hour), _)) => i64::from(hour) == value,
        _ => false,
    };
    let oclock = text.eat(loose, "o'clock").is_some();
    // Dec 3 pm 5: the number right behind the month is its day where an hour of its own follows.
    if behind_month && meridiem && facts.day.is_none() && hour_follows(text, loose) {
        return put(&mut facts.day, value).map(|()| Some(end));
    }
    if meridiem || oclock || at && value <= 24 && facts.hour.is_none() {
        return put(&mut facts.hour, value).map(|()| Some(end));
    }
    if four {
        // `at 1430` is no year, though nothing says that it is a clock's.
        ((1000..=2999).contains(&value) && !at).then_some(())?;
        return put(&mut facts.year, value).map(|()| Some(end));
    }
    let ordinal = text.longest(end, &["st", "nd", "rd", "th"]).map(|(_, end)| end);
    let end = ordinal.unwrap_or(end);
    let after = text.skip_spaces(end);
    let after = text.eat(after, "of").map_or(after, |of| text.skip_spaces(of));
    let before_month = matches!(word(text, after), Some((Word::Month(_), _)));
    if ordinal.is_some() && !before_month && !behind_month && other::is_noun(text, after) {
        return other::number(facts, end).map(Some);
    }
    if before_month || ordinal.is_some() {
        return put(&mut facts.day, value).map(|()| Some(end));
    }
    if facts.month.is_some() && facts.day.is_none() && !other::is_named(text, facts, place, end) {
        facts.day = Some(value);
        return Some(Some(end));
    }
    Some(None)
}

/// Whether a number that is no ordinal stands behind the word at `place`.
fn hour_follows(text: &Text, place: usize) -> bool {
    let number = word(text, place).and_then(|(_, end)| text.digits(text.skip_spaces(end), 2));
    number.is_some_and(|(_, end)| text.longest(end, &["st", "nd", "rd", "th"]).is_none())
}

/// 년, 월, 일, 시, 분, 초 after a number in digits or words.
fn korean_unit(text: &Text, place: usize, facts: &mut Facts) -> Option<Option<usize>> {
    for numeral in korean::numerals(text, place).into_iter().rev() {
        let Some(value) = numeral.value.small() else { continue };
        let unit = text.skip_spaces(numeral.end);
        // 이 일 is this matter.
        if unit > numeral.end && numeral.end == place + 1 && matches!(text.at(place), '이' | '일') {
            continue;
        }
        let next = text.at(unit + 1);
        let (slot, good) = match text.at(unit) {
            '년' => (&mut facts.year, true),
            '월' => (&mut facts.month, (1..=12).contains(&value)),
            '일' if !matches!(next, '간' | '째' | '자' | '치' | '정') => {
                (&mut facts.day, (1..=31).contains(&value))
            }
            '시' if next != '간' => (&mut facts.hour, (0..=24).contains(&value)),
            '분' if facts.hour_end.is_some_and(|end| text.skip_spaces(end) < place) => {
                return other::number(facts, unit + 1).map(Some);
            }
            '분' if facts.hour.is_some() => (&mut facts.minute, (0..60).contains(&value)),
            '초' if facts.minute.is_some() => (&mut facts.second, (0..60).contains(&value)),
            _ => continue,
        };
        if !good {
            return None;
        }
        put(slot, value)?;
        if text.at(unit) == '시' {
            facts.hour_end = Some(unit + 1);
        }
        facts.short_year |= text.at(unit) == '년' && value < 100;
        return Some(Some(unit + 1));
    }
    Some(None)
}

/// `half past seven`, `quarter to 4`.
fn past_or_to(text: &Text, place: usize, facts: &mut Facts) -> Option<Option<usize>> {
    const WAYS: &[(&str, (i64, bool))] = &[
        ("half past", (30, false)),
        ("quarter past", (15, false)),
        ("a quarter past", (15, false)),
        ("quarter to", (15, true)),
        ("a quarter to", (15, true)),
        ("quarter till", (15, true)),
    ];
    let Some(((minutes, to), end)) = text.meaning(place, WAYS) else { return Some(None) };
    let (hour, end) = span::counts(text, text.skip_spaces(end)).into_iter().next()?;
    put(&mut facts.hour, hour.small().filter(|hour| (1..=12).contains(hour))?)?;
    if to {
        put(&mut facts.minutes_to, minutes)?;
    } else {
        put(&mut facts.minute, minutes)?;
    }
    Some(Some(end))
}

/// `seven pm`, `November fifth`.
fn english_number(text: &Text, place: usize, facts: &mut Facts, at: bool) -> Option<Option<usize>> {
    let Some(words) = english::numbers(text, place).into_iter().rev().find(|words| words.divisor == 1) else {
        return Some(None);
    };
    let Some(value) = words.value.small() else { return Some(None) };
    let behind_month = facts.month_end.is_some_and(|month| text.skip_spaces(month) == place);
    if words.ordinal && !behind_month && other::is_noun(text, text.skip_spaces(words.end)) {
        return other::number(facts, words.end).map(Some);
    }
    if words.ordinal && facts.day.is_none() && (1..=31).contains(&value) {
        facts.day = Some(value);
        return Some(Some(words.end));
    }
    let four = (1000..=2999).contains(&value);
    // A number word that is no part of the time leaves the text without one meaning.
    if let Some(end) = other::counted(text, place) {
        return other::number(facts, end).map(Some);
    }
    match lone_number(text, facts, Number { value, place, end: words.end, four }, at)? {
        Some(end) => Some(Some(end)),
        // The one on Friday is a word.
        None if value == 1 && words.words == 1 => Some(None),
        None => None,
    }
}

/// 전 after an hour takes minutes from it; else a length leads away from now.
fn shifted(facts: &mut Facts, shift: Shift) -> Option<()> {
    if shift.elsewhere {
        return None;
    }
    let minutes = shift.length.minutes;
    let only_minutes = shift.length.hours == 0 && shift.length.days == 0 && shift.length.months == 0;
    if facts.hour.is_some() && facts.minute.is_none() && shift.back && only_minutes && (1..60).contains(&minutes) {
        return put(&mut facts.minutes_to, minutes);
    }
    put(&mut facts.shift, shift)
}

fn said(facts: &mut Facts, word: Word) -> Option<()> {
    match word {
        Word::Days(days) => put(&mut facts.days, days),
        Word::DayPart(days, part) => {
            put(&mut facts.days, days)?;
            put(&mut facts.part, part)
        }
        Word::DayHalf(days, half) => {
            put(&mut facts.days, days)?;
            put(&mut facts.half, half)
        }
        Word::Now => {
            facts.now = true;
            Some(())
        }
        Word::Months(months) => put(&mut facts.months, months),
        Word::Years(years) => put(&mut facts.years, years),
        // 다음 주 다음 월요일 would be two weeks: not understood. The same one twice is.
        Word::Week(week) => put(&mut facts.week, week),
        Word::Weekend(week) => {
            facts.weekend = true;
            if week != Week::This || facts.week.is_none() {
                put(&mut facts.week, week)?;
            }
            put(&mut facts.weekday, 5)
        }
        Word::Weekday(day) => put(&mut facts.weekday, day),
        Word::Month(month) => put(&mut facts.month, i64::from(month)),
        Word::Nth(nth) => put(&mut facts.nth, nth),
        Word::LastDay => {
            facts.last_day = true;
            Some(())
        }
        Word::FirstDay => put(&mut facts.day, 1),
        Word::Part(part) => put(&mut facts.part, part),
        Word::Half(half) => put(&mut facts.half, half),
        Word::Clock(hour) => {
            facts.of_24 = true;
            put(&mut facts.hour, i64::from(hour))
        }
        Word::Holiday(month, day) => put(&mut facts.holiday, (month, day)),
    }
}
