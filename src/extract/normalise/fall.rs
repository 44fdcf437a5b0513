//! Words and signs of a loss or a fall beside a number: they turn its sign, and the number alone does not say so.
//! Which number it is was read in `number`; what its unit leaves out is `money`'s.

use std::sync::LazyLock;

use super::index::Index;
use super::money::is_word;
use super::text::is_hangul;

const KOREAN: &[&str] = &["적자", "손실", "손해", "감소", "하락", "급락", "줄어", "줄었", "떨어졌", "떨어진"];
#[rustfmt::skip]
const ENGLISH: &[&str] = &[
    "loss", "losses", "deficit", "down", "decrease", "decreased", "decline", "declined", "fell", "dropped",
];
const SIGNS: &[&str] = &["△", "▲", "▽", "▼"];
/// Say it of a field whose number is one of a loss by itself: an amount off is no less than it says.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "적자", "손실", "손해", "감소", "하락", "할인", "인하", "감량", "절감", "축소", "낙폭", "loss", "losses", "lost", "deficit", "down",
    "decrease", "decreased", "decline", "drop", "fall", "reduction", "reduced", "discount", "deposit", "shortfall",
];

static FALLS: LazyLock<Index<()>> = LazyLock::new(|| Index::of(&[KOREAN, ENGLISH, SIGNS].concat()));
static NAMED: LazyLock<Index<()>> = LazyLock::new(|| Index::of(NAMES));

/// Whether `text` says that its number is a loss or a fall, where `about`, the field's names, says no such word itself; both in small letters.
pub(super) fn is_untold(text: &str, about: &str) -> bool {
    let counts = |at: usize, word: &str| {
        let (before, behind) = (&text[..at], &text[at + word.len()..]);
        let is_none = is_denied(before, behind) || word == "down" && is_way(before, behind);
        !is_none && !leads_to_number(text, at, word)
    };
    says(text, &FALLS, counts) && !says(about, &NAMED, |_, _| true)
}

fn says(text: &str, words: &Index<()>, counts: impl Fn(usize, &str) -> bool) -> bool {
    text.char_indices().any(|(at, first)| {
        let here = words.beginning(first).iter().filter(|(word, ())| text[at..].starts_with(word));
        here.into_iter().any(|(word, ())| stands(text, at, word) && counts(at, word))
    })
}

/// Whether the word there is one: 영업손실 is a loss as well, and 무손실 is none.
fn stands(text: &str, at: usize, word: &str) -> bool {
    if word.starts_with(is_hangul) { !text[..at].ends_with(['무', '비']) } else { is_word(text, at, word) }
}

/// Whether the number is where it came to, or what is paid at once: `fell to 50`, 50으로 하락, `down payment`.
fn leads_to_number(text: &str, at: usize, word: &str) -> bool {
    let rest = text[at + word.len()..].trim_start();
    rest.starts_with("to ") || rest.starts_with("payment") || text[..at].trim_end().ends_with('로')
}

/// Whether a loss is said to be none: 적자 없음, 손실 없이, `no loss`, `without any losses`.
fn is_denied(before: &str, behind: &str) -> bool {
    let behind = behind.trim_start_matches(['이', '은', '도', '가', '는', ' ']);
    let mut words = before.split_whitespace().rev().take(2);
    let near = words.next().unwrap_or_default();
    let denies = |word: &str| matches!(word, "no" | "not" | "without" | "never" | "zero");
    ["없", "아님", "아니", "아닌"].iter().any(|denial| behind.starts_with(denial))
        || denies(near)
        || matches!(near, "a" | "any" | "net") && words.next().is_some_and(denies)
}

/// Whether `down` is a way or a place rather than a fall: `5 km down the road`, `5 pages down`.
fn is_way(before: &str, behind: &str) -> bool {
    #[rustfmt::skip]
    const WAYS: [&str; 12] = [
        "page", "pages", "floor", "floors", "block", "blocks", "step", "steps", "stair", "stairs", "row", "rows",
    ];
    let word = |of: char| !of.is_alphanumeric();
    let next = behind.trim_start().split(word).next().unwrap_or_default();
    let last = before.trim_end().rsplit(word).next().unwrap_or_default();
    matches!(next, "the" | "there" | "here") || WAYS.contains(&last) || WAYS.contains(&next)
}

#[cfg(test)]
mod tests {
    use super::is_untold;

    #[test]
    fn a_loss_is_untold_where_the_field_names_none() {
        for (text, about) in [
            ("적자 5억원", "operating profit"),
            ("5억원 적자", "operating profit"),
            ("영업손실 5억원", "영업이익"),
            ("△5억", "operating profit"),
            ("영업이익: △5억 3,000만원", "operating profit"),
            ("net loss: $5 million", "net income usd"),
            ("$5m loss", "net income usd"),
            ("3 points down", "score diff"),
            ("3점 감소", "score diff"),
            ("▼5.2%", "change percent"),
            ("3.1% 하락", "change percent"),
            ("down 3%", "change percent"),
            ("down by 3%", "change percent"),
            ("down three points", "score diff"),
            ("3% down year on year", "change percent"),
            ("sales (down $5m)", "revenue change"),
            ("손실은 3억원, 부채 없음", "profit"),
        ] {
            assert!(is_untold(text, about), "{text}, {about}");
        }
        for (text, about) in [
            ("$5m loss", "loss"),
            ("적자 5억원", "영업손실"),
            ("3.1% 하락", "하락률"),
            ("$50 down", "discount usd"),
            ("fell to $50", "price usd"),
            ("5만원으로 하락", "price"),
            ("무손실 5개", "count"),
            ("5 downtown", "count"),
            ("5 lossless", "count"),
            ("5 drops", "dose"),
            ("적자 없음, 3억원", "profit"),
            ("손실 없이 3억원", "profit"),
            ("적자가 아님, 3억원", "profit"),
            ("$5m without any losses", "profit"),
            ("no loss, $5m", "profit"),
            ("5 km down the road", "distance km"),
            ("5 pages down", "page"),
            ("down payment: $5,000", "price"),
            ("$5,000 down", "deposit"),
        ] {
            assert!(!is_untold(text, about), "{text}, {about}");
        }
    }
}
