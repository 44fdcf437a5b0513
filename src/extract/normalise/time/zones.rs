//! Time zones: those with one offset, and those that are named but cannot be kept: an offset that changes with the season, or letters
//! that several zones share. Next: `scan`.

use std::sync::LazyLock;

use super::super::index::Index;
use super::super::text::{Text, is_alphanumeric};
use super::facts::Facts;

/// Zones without a second meaning in common use, in minutes east of UTC.
const ZONES: &[(&str, i32)] = &[
    ("kst", 540),
    ("한국시간", 540),
    ("한국 시간", 540),
    ("한국 표준시", 540),
    ("서울시간", 540),
    ("서울 시간", 540),
    ("seoul time", 540),
    ("korea time", 540),
    ("asia/seoul", 540),
    ("asia/tokyo", 540),
    ("jst", 540),
    ("utc", 0),
    ("gmt", 0),
    ("cet", 60),
    ("cest", 120),
    ("bst", 60),
    ("est", -300),
    ("edt", -240),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
];

/// The offset at `place` in minutes east of UTC, and where it ends.
pub(super) fn zone(text: &Text, place: usize) -> Option<(i32, usize)> {
    let named = text.meaning(place, ZONES);
    let from = match named {
        Some((0, end)) => end,
        Some(named) => return Some(named),
        None if text.at(place) == 'z' && !is_alphanumeric(text.at(place + 1)) => return Some((0, place + 1)),
        // The plain offset stands right after the clock.
        None if text.is_digit(place.saturating_sub(1)) => place,
        None if stands_apart(text, place) => place,
        None => match text.longest(place, &["utc+", "utc-", "gmt+", "gmt-"]) {
            Some((_, end)) => end - 1,
            None => return None,
        },
    };
    let sign = match text.at(from) {
        '+' => 1,
        '-' => -1,
        _ => return named,
    };
    let (hours, mut end) = text.digits(from + 1, 4)?;
    let (hours, mut minutes) = if end - from > 3 { (hours / 100, hours % 100) } else { (hours, 0) };
    if text.at(end) == ':' {
        (minutes, end) = text.digits(end + 1, 2)?;
    }
    let most = if sign < 0 { 12 } else { 14 };
    let whole = (hours <= most && minutes < 60).then_some(hours * 60 + minutes)?;
    if named.is_none() && from == place && sign < 0 && is_range(text, place, whole, end) {
        return None;
    }
    Some((sign * i32::try_from(whole).ok()?, end))
}

/// Whether what stands behind a clock without seconds is rather the end of a range: `9:00-11:00`, `9:00-5:00`. Zones are written with two
/// digits, and few are ten hours and more to the west.
fn is_range(text: &Text, place: usize, minutes: i64, end: usize) -> bool {
    let from = (0..place).rev().take_while(|&at| text.is_digit(at) || text.at(at) == ':').last().unwrap_or(place);
    let Some((hour, colon)) = text.digits(from, 2) else { return false };
    let Some((minute, clock_end)) = text.digits(colon + 1, 2).filter(|_| text.at(colon) == ':') else { return false };
    let one_digit = text.at(place + 2) == ':';
    clock_end == place && end > place + 3 && (one_digit || minutes >= 600 && minutes > hour * 60 + minute)
}

/// `15:00 -0500`, `15:00 +09:00`: behind a space. With a point between its digits a minus begins the end of a range (`9:00 -10:00`).
fn stands_apart(text: &Text, place: usize) -> bool {
    if text.before(place) != ' ' || !text.is_digit(place.saturating_sub(2)) {
        return false;
    }
    let width = (place + 1..).take_while(|&place| text.is_digit(place)).count();
    let ends = !is_alphanumeric(text.at(place + 1 + width)) && text.at(place + 1 + width) != ':';
    match text.at(place) {
        '+' => width == 4 && ends || width == 2 && text.at(place + 3) == ':',
        '-' => width == 4 && ends,
        _ => false,
    }
}

/// Zones' letters that several zones share, or whose offset changes with the season.
const LETTERS: &[&str] = &[
    "ist", "cst", "ast", "sst", "gst", "aest", "aedt", "acst", "acdt", "awst", "nzst", "nzdt", "hst", "akst", "akdt",
    "adt", "nst", "ndt", "msk", "eet", "eest", "wet", "sgt", "hkt", "myt", "pht", "ict", "wib", "pkt", "npt", "brt",
    "art", "clt", "sast", "cat", "eat", "trt", "irst",
];

/// Letters and words that are a zone only behind a clock.
const BEHIND_A_CLOCK: &[&str] = &["et", "ct", "mt", "pt", "eastern", "central", "mountain", "pacific"];

/// Make a zone of `time` behind them.
const SPOKEN: &[&str] = &["local", "standard", "daylight", "summer", "eastern", "central", "mountain", "pacific"];

/// The first parts of the names in the IANA's database: `America/New_York`.
const AREAS: &[&str] = &[
    "africa",
    "america",
    "antarctica",
    "arctic",
    "asia",
    "atlantic",
    "australia",
    "europe",
    "indian",
    "pacific",
    "etc",
    "us",
];

/// Places whose time is spoken of: with `time` behind, or alone in brackets behind a clock.
const PLACES: &[&str] = &[
    "new york",
    "los angeles",
    "san francisco",
    "seattle",
    "chicago",
    "boston",
    "toronto",
    "london",
    "paris",
    "berlin",
    "madrid",
    "rome",
    "amsterdam",
    "zurich",
    "dublin",
    "moscow",
    "istanbul",
    "dubai",
    "delhi",
    "mumbai",
    "bangalore",
    "singapore",
    "hong kong",
    "shanghai",
    "beijing",
    "taipei",
    "tokyo",
    "seoul",
    "bangkok",
    "jakarta",
    "manila",
    "sydney",
    "melbourne",
    "auckland",
    "뉴욕",
    "로스앤젤레스",
    "시애틀",
    "시카고",
    "보스턴",
    "토론토",
    "런던",
    "파리",
    "베를린",
    "마드리드",
    "로마",
    "모스크바",
    "이스탄불",
    "두바이",
    "델리",
    "뭄바이",
    "싱가포르",
    "홍콩",
    "상하이",
    "베이징",
    "북경",
    "타이베이",
    "도쿄",
    "동경",
    "서울",
    "방콕",
    "하노이",
    "호치민",
    "자카르타",
    "마닐라",
    "시드니",
    "멜버른",
    "하와이",
    "미국",
    "동부",
    "서부",
    "중부",
    "태평양",
    "산악",
    "캐나다",
    "영국",
    "유럽",
    "독일",
    "프랑스",
    "중국",
    "일본",
    "대만",
    "인도",
    "호주",
    "베트남",
    "태국",
    "한국",
    "현지",
    "표준",
];

static KNOWN: LazyLock<Index<()>> = LazyLock::new(|| Index::of(PLACES));

/// A zone at `place` that has no offset for certain.
pub(super) fn is_left_out(text: &Text, facts: &Facts, place: usize) -> bool {
    let (word, end) = text.word(place);
    let capitals = (place..end).all(|place| text.cased(place).is_ascii_uppercase());
    let capital = text.cased(place).is_ascii_uppercase();
    let known =
        text.meaning(place, ZONES).is_some_and(|(_, at)| at > end || at == end && (capitals || !word.is_ascii()));
    if known || capitals && LETTERS.contains(&word.as_str()) {
        return true;
    }
    if text.at(end) == '/' && text.at(end + 1).is_ascii_alphabetic() && AREAS.contains(&word.as_str()) {
        return true;
    }
    let short = word.len() == 2;
    if facts.has_clock() && capital && (capitals || !short) && BEHIND_A_CLOCK.contains(&word.as_str()) {
        return true;
    }
    // 3pm Lisbon time, 3pm local time.
    let spoken = text.eat(text.skip_spaces(end), "time").is_some();
    if spoken && facts.has_clock() && (capital || SPOKEN.contains(&word.as_str())) {
        return true;
    }
    text.among(place, &KNOWN).is_some_and(|(_, end)| {
        let after = text.skip_spaces(end);
        let of_place = text.longest(after, &["time", "시간", "시각", "표준시", "표준 시간", "기준"]).is_some();
        of_place || facts.has_clock() && text.before(place) == '(' && text.at(end) == ')'
    })
}
