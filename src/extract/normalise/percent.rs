//! Whether a field asks for a percentage or for the share of one that it is: of `60%` the one is 60 and the other 0.6.
//! What becomes of the number is decided in `figure`; the words of a percentage are `measure`'s.

use super::measure;
use super::money::is_word;

/// Whether a field's names (the key alone, and all of them, in small letters) ask for a percentage. An example in percent is no evidence
/// where they speak of a decimal, or of what is no percentage.
pub(super) fn is_asked_for(key: &str, names: &str) -> bool {
    let is_named = |names: &str| measure::is_percentage(names) || measure::is_rate(names);
    is_named(names) && !asks_for_a_share(names) && (is_named(key) || !denies(names))
}

/// Whether the names speak of a decimal or of numbers up to one.
fn asks_for_a_share(names: &str) -> bool {
    const SPANS: [&str; 9] = ["0 to 1", "0-1", "0~1", "0..1", "0 - 1", "0 ~ 1", "0 and 1", "0에서 1", "0과 1"];
    const SHARES: [&str; 4] = ["fraction", "as a share", "as share", "share of one"];
    let ends = |at: usize| !names[at..].starts_with(|c: char| c.is_ascii_digit() || c == '%');
    let starts = |at: usize| !names[..at].ends_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | ','));
    let spans = |span: &str| names.match_indices(span).any(|(at, _)| starts(at) && ends(at + span.len()));
    // Decimal places, 소수점 and 1.5 say how exact a percentage is.
    let places = |rest: &str| ["place", "point", "digit"].iter().any(|word| rest.trim_start().starts_with(word));
    let decimal = |(at, word): (usize, &str)| {
        let rest = &names[at + word.len()..];
        let counted = ["one ", "1 ", "first "].iter().any(|count| names[..at].ends_with(count));
        !rest.starts_with('s') && is_word(names, at, word) && !places(rest) && !counted
    };
    SPANS.into_iter().any(spans)
        || SHARES.iter().any(|word| names.match_indices(word).any(|(at, _)| is_word(names, at, word)))
        || names.match_indices("decimal").any(decimal)
        || names.match_indices("소수").any(|(at, word)| !names[at + word.len()..].starts_with('점'))
        || gives_a_share(names)
}

/// Whether they give a number below one, as an example, and none of a percentage below one: `0.6 for 60%`, and not `0.5 means 0.5%`.
fn gives_a_share(names: &str) -> bool {
    let figures = names.match_indices("0.").filter_map(|(at, _)| {
        let is_whole = !names[..at].ends_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | ','));
        let rest = &names[at + 2..];
        let behind = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        (is_whole && (behind.len() < rest.len() || behind.starts_with('x'))).then(|| behind.trim_start())
    });
    let of_percent = |behind: &str| ["%", "퍼", "percent"].iter().any(|word| behind.starts_with(word));
    let (percents, shares): (Vec<&str>, Vec<&str>) = figures.partition(|behind| of_percent(behind));
    percents.is_empty() && !shares.is_empty()
}

/// Whether they say that it is none: `not percent`, `not a percentage`, 퍼센트 아님.
fn denies(names: &str) -> bool {
    const NEAR: usize = 3;
    let words: Vec<&str> = names.split_whitespace().collect();
    let is_one =
        |word: &&str| measure::is_percentage(word) || ["%", "퍼센트", "백분율"].iter().any(|one| word.contains(one));
    words.iter().enumerate().any(|(at, word)| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let english = word == "not" && words[at + 1..].iter().take(NEAR).any(is_one);
        english || word.starts_with("아니") || word.starts_with("아님") || word.starts_with("아닌")
    })
}

#[cfg(test)]
mod tests {
    use super::is_asked_for;

    #[test]
    fn a_percentage_is_asked_for_where_the_names_speak_of_no_share() {
        for (key, names) in [
            ("discount", "discount in percent"),
            ("discount percent", "discount percent, null if not given"),
            ("r", "r in percent, one decimal place"),
            ("r", "r percentage with two decimals, e.g. 12.25"),
            ("r", "r percent, e.g. 0.5%"),
            ("r", "r percent from 0 to 100"),
            ("r", "r percent, rounded to one decimal"),
            ("r", "r growth in percent, 0.5 means 0.5%"),
            ("r", "r % (소수점 첫째 자리까지)"),
            ("성공률", "성공률"),
            ("r", "r market share in percent"),
            ("r", "r in %, null if not stated"),
        ] {
            assert!(is_asked_for(key, names), "{names}");
        }
        for (key, names) in [
            ("r", "r share as decimal, e.g. 0.6 for 60%"),
            ("r", "r fraction (not percent)"),
            ("r", "r not a percentage"),
            ("r", "r 60%면 0.6"),
            ("r", "r 퍼센트 아님"),
            ("r", "r 소수로 (60% → 0.6)"),
            ("r", "r between 0 and 1, 60% is 0.x"),
            ("percent", "percent as a decimal"),
            ("할인율", "할인율 0~1"),
            ("r", "r"),
        ] {
            assert!(!is_asked_for(key, names), "{names}");
        }
    }
}
