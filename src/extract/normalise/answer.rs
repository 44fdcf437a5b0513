//! A yes or a no that is the whole text, or its beginning with an explanation behind: `Yes.`, `아니요`, `답: 네`, `No, it is not.`
//! Other words that deny or agree (없음, 가능, `incorrect`) depend on the question, and are no answer by themselves. Next: `walk`.

use super::denial;
use super::text::{Text, is_alphanumeric};

const YES: &[&str] = &[
    "yes",
    "yeah",
    "yep",
    "yup",
    "y",
    "true",
    "네",
    "넵",
    "예",
    "응",
    "참",
    "맞음",
    "맞아요",
    "맞습니다",
    "그렇습니다",
    "그렇다",
    "그래요",
];
const NO: &[&str] =
    &["no", "nope", "n", "false", "아니", "아니요", "아니오", "아뇨", "아님", "아닙니다", "아니에요", "거짓"];
/// May lead to the answer.
const BEFORE: &[&str] = &[
    "the",
    "my",
    "final",
    "answer",
    "result",
    "is",
    "it",
    "it's",
    "that",
    "that's",
    "a",
    "답",
    "답은",
    "답변",
    "답변은",
    "정답",
    "정답은",
    "결과",
    "결과는",
    "대답",
    "대답은",
];
/// Say the same again behind it.
#[rustfmt::skip]
const AGREE: &[&str] = &[
    "it", "is", "it's", "this", "that", "that's", "they", "are", "i", "do", "does", "was", "were", "has", "have", "can", "will", "sir",
    "please", "of", "course", "definitely", "absolutely", "correct", "confirmed", "sure", "그렇습니다", "맞습니다", "맞아요", "맞음",
];
/// Take some of it back, or leave it open.
#[rustfmt::skip]
const LIMITS: &[&str] = &[
    "but", "however", "although", "though", "except", "unless", "if", "partly", "partially", "mostly", "sometimes", "maybe", "perhaps",
    "depends", "only", "하지만", "그러나", "다만", "단", "아마", "일부", "부분", "경우", "때로는", "그런데", "근데", "또는", "or", "and",
];

/// A yes or a no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) is_yes: bool,
    /// The text says more than that.
    pub(super) left_over: bool,
}

const SIGNS: [(char, bool); 6] = [('✅', true), ('✔', true), ('✓', true), ('❌', false), ('✗', false), ('✘', false)];

/// A sign alone. An X ticks a box as well as it denies, and an O may be a zero.
fn sign(text: &str) -> Option<Answer> {
    // Without the mark that asks for a coloured picture.
    let text = text.trim().trim_end_matches('\u{fe0f}');
    let mut characters = text.chars();
    let alone = characters.next().filter(|_| characters.next().is_none())?;
    match alone {
        'O' | '○' => Some(Answer { is_yes: true, left_over: true }),
        'X' => Some(Answer { is_yes: false, left_over: true }),
        _ => {
            let known = SIGNS.iter().find(|(sign, _)| *sign == alone);
            known.map(|&(_, is_yes)| Answer { is_yes, left_over: false })
        }
    }
}

/// Reads `text` as a yes or a no. None for one that says both, takes back what it says, or goes on without a mark: `no way`, 네 개, 예약.
pub(super) fn answer(text: &str) -> Option<Answer> {
    if let Some(answer) = sign(text) {
        return Some(answer);
    }
    // A line's end ends a sentence.
    let text = Text::new(&text.trim().replace('\n', ". "))?;
    let mut place = skip_marks(&text, 0);
    let mut led = false;
    let (is_yes, end) = loop {
        let (word, end) = text.word(place);
        let next = skip_marks(&text, end);
        // `It is true`, but `Yes` at once: what leads there is looked for first, as `it's` may lead, too.
        let said = [(YES, true), (NO, false)].into_iter().find(|(words, _)| words.contains(&word.as_str()));
        match said {
            Some((_, is_yes)) => break (is_yes, end),
            None if BEFORE.contains(&word.as_str()) && next < text.len() => (place, led) = (next, true),
            None => return None,
        }
    };
    // A lone letter that other words lead to may be one of a list.
    if led && end == place + 1 && text.at(place).is_ascii_alphabetic() {
        return None;
    }
    // A cross beside a yes says both.
    if SIGNS.iter().any(|(sign, says)| *says != is_yes && (0..text.len()).any(|place| text.at(place) == *sign)) {
        return None;
    }
    // `Yes?` asks.
    let asked = (end..text.len()).any(|place| text.at(place) == '?');
    let rest = skip_marks(&text, end);
    if rest >= text.len() {
        return Some(Answer { is_yes, left_over: asked });
    }
    let marked = matches!(text.at(end), ',' | '.' | '!' | ';' | ':' | '。' | '*' | '"')
        || text.at(end) == ' ' && matches!(text.at(text.skip_spaces(end)), '(' | '-');
    if !marked {
        return None;
    }
    // Digits may be a list's, or what is counted, but not in a remark.
    let remark = text.at(text.skip_spaces(end)) == '(' && closes_last(&text, end);
    let mut left_over = asked;
    let mut place = rest;
    while place < text.len() {
        let (word, end) = text.word(place);
        if !word.is_empty() {
            let denied = denial::is_english(&word) || denial::is_korean(&word);
            let other = if is_yes { NO } else { YES };
            let limits = LIMITS.iter().any(|limit| word == *limit || !limit.is_ascii() && word.starts_with(limit));
            let counts = !remark && word.contains(|c: char| c.is_ascii_digit());
            let back = word.ends_with("지만") || word.ends_with("는데") || counts;
            if other.contains(&word.as_str()) || limits || back || is_yes && denied {
                return None;
            }
            left_over |= !AGREE.contains(&word.as_str()) && !denied;
        }
        place = end.max(place + 1);
    }
    Some(Answer { is_yes, left_over })
}

/// Whether the only bracket that closes behind a place ends the text.
fn closes_last(text: &Text, place: usize) -> bool {
    (place..text.len()).find(|&at| text.at(at) == ')').is_some_and(|at| skip_marks(text, at) >= text.len())
}

fn skip_marks(text: &Text, place: usize) -> usize {
    let mut place = place;
    while place < text.len() && !is_alphanumeric(text.at(place)) && text.at(place) != '/' {
        place += 1;
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_or_a_no_is_read_with_its_marks() {
        for text in [
            "Yes.",
            "yes!",
            "**Yes**",
            "네",
            "예.",
            "넵!",
            "네, 맞습니다.",
            "Yes, it is.",
            "답: 예",
            "The answer is yes.",
            "그렇다",
            "✅",
            "✔\u{fe0f}",
        ] {
            assert_eq!(answer(text), Some(Answer { is_yes: true, left_over: false }), "{text}");
        }
        for text in [
            "no.",
            "No!",
            "아니요",
            "아니오",
            "아뇨.",
            "No, it is not.",
            "아니요, 아닙니다.",
            "정답은 아니오",
            "\"no\"",
            "❌",
        ] {
            assert_eq!(answer(text), Some(Answer { is_yes: false, left_over: false }), "{text}");
        }
    }

    #[test]
    fn an_explanation_behind_it_is_left_over() {
        for (text, is_yes) in [
            ("No - broken", false),
            ("예, 가능", true),
            ("Yes (paid on Friday)", true),
            ("Yes\n\nIt says so.", true),
            ("Answer: No\nReason: it was paid.", false),
            ("No, it isn't sold.", false),
            ("Yes (since 2020)", true),
            ("No (2 of them)", false),
            ("O", true),
            ("X", false),
            ("Yes?", true),
            ("네?", true),
            ("No, is it?", false),
        ] {
            assert_eq!(answer(text), Some(Answer { is_yes, left_over: true }), "{text}");
        }
    }

    #[test]
    fn what_only_begins_like_an_answer_or_takes_it_back_is_none() {
        for text in [
            "no way true",
            "no way",
            "No doubt, yes",
            "yes or no",
            "Yes, and no",
            "네/아니오",
            "네 개",
            "네고 가능",
            "예약",
            "예를 들어",
            "Yes, but not now",
            "Yes, no problem",
            "No. 5",
            "No (2) 5",
            "Yes, 3 of them",
            "❌ Yes",
            "No ✅",
            "x",
            "o",
            "N/A",
            "not true",
            "The claim is not true.",
            "No, the claim is true.",
            "네, 하지만 아직은",
            "아니요, 맞아요",
            "없음",
            "answer: n",
            "",
        ] {
            assert_eq!(answer(text), None, "{text}");
        }
    }
}
