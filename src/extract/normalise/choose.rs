//! One of a list by its name inside a sentence: `The category is REFUND because …`, `상태: 최상`.
//! Whole words, without regard to case and width; two different names are a refusal. Next: `walk`.

use super::super::schema::{Choice, names};
use serde_json::Value;

/// Longer texts say too much to be one of a list.
const LONGEST_BYTES: usize = 4096;

/// More matches than this are a list, not an answer.
const MOST_MATCHES: usize = 256;

/// Attached to a Korean name without changing it; to a name of one syllable only the first few.
const PARTICLES: [&str; 22] = [
    "입니다",
    "이에요",
    "예요",
    "이다",
    "임",
    "으로",
    "로",
    "은",
    "는",
    "이",
    "가",
    "을",
    "를",
    "의",
    "에",
    "이며",
    "이고",
    "라고",
    "이라고",
    "상태",
    "요",
    "이므로",
];
const COPULAS: usize = 5;

/// Which of `choices` the text names; none where it names none or two. A name within another's longer match does not count
/// (`very good` is not `good`). Of a choice the value counts if it is text, and only where no value is named its title or description.
///
/// Negation is not understood: a name right after `not` or before 아니다 refuses the whole.
pub fn choose(text: &str, choices: &[Choice]) -> Option<usize> {
    if text.len() > LONGEST_BYTES {
        return None;
    }
    let words = words(text);
    let by_value = |choice: &Choice| choice.value.as_str().map(str::to_string).into_iter().collect::<Vec<_>>();
    let by_title = |choice: &Choice| choice.title.iter().chain(&choice.description).cloned().collect::<Vec<_>>();
    match named(&words, choices, &by_value) {
        Named::One(index) => Some(index),
        Named::Several => None,
        Named::None => match named(&words, choices, &by_title) {
            Named::One(index) => Some(index),
            _ => None,
        },
    }
}

enum Named {
    None,
    One(usize),
    Several,
}

struct Match {
    choice: usize,
    start: usize,
    end: usize,
    /// Written as the list writes it, capitals and all: a name like `TWO` in a sentence of small letters is meant.
    exact: bool,
}

fn named(words: &[Word], choices: &[Choice], names_of: &dyn Fn(&Choice) -> Vec<String>) -> Named {
    let mut matches: Vec<Match> = Vec::new();
    for (choice, listed) in choices.iter().enumerate() {
        for name in names_of(listed) {
            let name = self::words(&name);
            let places = (0..words.len()).filter_map(|start| Some((start, match_at(words, start, &name)?)));
            if matches.len() > MOST_MATCHES {
                return Named::Several;
            }
            matches.extend(places.map(|(start, end)| Match {
                choice,
                start,
                end,
                exact: exact(&words[start..end], &name),
            }));
        }
    }
    let length = |one: &Match| one.end - one.start;
    let within = |one: &Match| {
        matches.iter().any(|other| other.start <= one.start && one.end <= other.end && length(one) < length(other))
    };
    let mut standing: Vec<&Match> = matches.iter().filter(|one| !within(one)).collect();
    if standing.iter().any(|one| one.exact) {
        standing.retain(|one| one.exact);
    }
    let Some(first) = standing.first() else { return Named::None };
    if standing.iter().any(|one| one.choice != first.choice || negated(words, one)) {
        return Named::Several;
    }
    Named::One(first.choice)
}

/// Whether a name with capitals stands there as it is listed; small letters alone are no evidence, since prose has them too.
fn exact(said: &[Word], name: &[Word]) -> bool {
    let capitals = name.iter().any(|word| word.written.chars().any(char::is_uppercase));
    capitals && said.iter().zip(name).all(|(said, name)| said.written.starts_with(&name.written))
}

struct Word {
    /// Folded as names are.
    folded: String,
    written: String,
    /// What stands between it and the next word, or the end.
    gap: String,
}

/// Runs of letters and digits; `in_progress` and `inProgress` are two words each, like `in progress`.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut open = false;
    for raw in text.chars() {
        let character = names::half_width(raw);
        if !character.is_alphanumeric() {
            if let Some(last) = words.last_mut() {
                last.gap.push(character);
            }
            open = false;
            continue;
        }
        let camel = character.is_uppercase()
            && words.last().is_some_and(|word| word.written.ends_with(|before: char| before.is_lowercase()));
        if !open || camel {
            words.push(Word { folded: String::new(), written: String::new(), gap: String::new() });
            open = true;
        }
        if let Some(word) = words.last_mut() {
            word.written.push(character);
            word.folded.extend(character.to_lowercase());
        }
    }
    words
}

/// Where a name that begins at `start` ends.
fn match_at(words: &[Word], start: usize, name: &[Word]) -> Option<usize> {
    let (last, before) = name.split_last()?;
    let end = start + name.len();
    let said = words.get(start..end)?;
    let same = before.iter().zip(said).all(|(name, word)| name.folded == word.folded);
    if !same {
        return None;
    }
    let word = said.last()?;
    let letter = name.len() == 1 && last.written.chars().count() == 1;
    if letter && last.written.is_ascii() {
        return one_letter(words, start, last).then_some(end);
    }
    let rest = word.folded.strip_prefix(last.folded.as_str())?;
    let hangul = last.folded.ends_with(|character: char| ('가'..='힣').contains(&character));
    let particles = if letter { &PARTICLES[..COPULAS] } else { &PARTICLES[..] };
    (rest.is_empty() || (hangul && particles.contains(&rest))).then_some(end)
}

/// `A` is also an article: as a name it stands alone, at the end, or with the mark of an answer: `A)`, `(A)`, `A:`.
fn one_letter(words: &[Word], place: usize, name: &Word) -> bool {
    let Some(word) = words.get(place).filter(|word| word.written == name.written) else { return false };
    let marked = word.gap.starts_with([')', ':', '.', ']']) && place == 0;
    let announced = place > 0 && words[place - 1].gap.trim_end().ends_with([':', '(', '[', '=', '"', '*']);
    let listed = place > 0 && matches!(words[place - 1].folded.as_str(), "or" | "and" | "vs");
    !listed && (words.len() == 1 || place + 1 == words.len() || marked || announced)
}

/// Whether a word of denial stands in the same clause, up to three words before or two after.
fn negated(words: &[Word], one: &Match) -> bool {
    const NOT: [&str; 13] =
        ["not", "never", "neither", "nor", "isn", "isnt", "wasn", "aren", "don", "doesn", "cannot", "안", "못"];
    const DENIED: [&str; 7] = ["아니", "아닌", "아님", "아닙", "아녜", "않", "없"];
    // 안 and 못 alone; 안전 and 못난 are words of their own.
    const ALONE: [&str; 2] = ["안", "못"];
    // Another is measured by it, or it is nearly that: `higher than low`, `high-ish`.
    let compared = [words.get(one.start.wrapping_sub(1)), words.get(one.end)].into_iter().flatten();
    let compared = compared.into_iter().any(|word| word.folded == "than")
        || words.get(one.end).is_some_and(|word| matches!(word.folded.as_str(), "ish" | "like"));
    let denies = |word: &Word| {
        // 못함 and 안됨 are written as one as well.
        let verb = |rest: &str| {
            ["했", "하", "함", "합", "된", "됨", "됐", "돼", "되", "됩"].iter().any(|v| rest.starts_with(v))
        };
        let alone = |denial: &&str| word.folded.strip_prefix(*denial).is_some_and(|rest| rest.is_empty() || verb(rest));
        DENIED.iter().any(|denial| word.folded.starts_with(*denial)) || ALONE.iter().any(alone)
    };
    let clause_ends = |word: &Word| word.gap.contains([',', ';', '.', ':', '!', '?', '\n']);
    let before = words[..one.start].iter().rev().take(3).take_while(|word| !clause_ends(word));
    let after = words[one.end..].iter().take(2);
    compared || before.into_iter().any(|word| NOT.contains(&word.folded.as_str())) || after.into_iter().any(denies)
}

/// The choice with this value.
pub(super) fn with_value<'c>(choices: &'c [Choice], value: &Value) -> Option<&'c Choice> {
    choices.iter().find(|choice| {
        let same = choice.value.as_f64().zip(value.as_f64()).is_some_and(|(a, b)| a == b);
        choice.value == *value || same
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick<'c>(text: &str, choices: &'c [&'c str]) -> Option<&'c str> {
        let listed: Vec<Choice> = choices
            .iter()
            .map(|choice| Choice { value: Value::from(*choice), title: None, description: None })
            .collect();
        choose(text, &listed).map(|index| choices[index])
    }

    #[test]
    fn a_name_in_its_capitals_is_meant_where_another_is_only_a_word() {
        let list = |names: &[&str]| {
            names.iter().map(|n| Choice { value: (*n).into(), title: None, description: None }).collect::<Vec<_>>()
        };
        assert_eq!(choose("TWO is one of the answers", &list(&["ONE", "TWO"])), Some(1));
        assert_eq!(choose("ONE or TWO", &list(&["ONE", "TWO"])), None);
        assert_eq!(choose("TWO is one of the answers", &list(&["one", "two"])), None);
    }

    #[test]
    fn a_name_is_found_as_whole_words_in_any_case() {
        let categories = ["refund", "cancel_order", "TechnicalSupport", "AccountIssue"];
        for (text, choice) in [
            ("The category is REFUND because the item broke.", "refund"),
            ("cancel order", "cancel_order"),
            ("I would say: Cancel-Order!", "cancel_order"),
            ("**Technical Support**", "TechnicalSupport"),
            ("ａｃｃｏｕｎｔ ｉｓｓｕｅ", "AccountIssue"),
        ] {
            assert_eq!(pick(text, &categories), Some(choice), "{text}");
        }
        assert_eq!(pick("refundable", &categories), None);
        assert_eq!(pick("order", &categories), None);
    }

    #[test]
    fn korean_names_keep_their_particles() {
        let conditions = ["최상", "상", "중", "하"];
        assert_eq!(pick("상태: 최상", &conditions), Some("최상"));
        assert_eq!(pick("상태는 최상입니다.", &conditions), Some("최상"));
        assert_eq!(pick("등급은 중입니다", &conditions), Some("중"));
        assert_eq!(pick("중고로 하나 샀어요", &conditions), None);
        assert_eq!(pick("환불을 원합니다", &["환불", "교환"]), Some("환불"));
    }

    #[test]
    fn the_longest_match_wins_and_two_names_are_refused() {
        let marks = ["good", "very good", "bad"];
        assert_eq!(pick("It is very good.", &marks), Some("very good"));
        assert_eq!(pick("good, not great; good indeed", &marks), Some("good"));
        assert_eq!(pick("good or bad", &marks), None);
        assert_eq!(pick("very good, but also good", &marks), None);
        assert_eq!(pick("It is not good.", &marks), None);
        assert_eq!(pick("환불이 아니라고 합니다", &["환불", "교환"]), None);
        for denied in
            ["환불은 아님", "환불 아닙니다", "환불 안 함", "환불 못 함", "환불 없음", "better than bad", "bad-ish"]
        {
            assert_eq!(pick(denied, &["환불", "교환", "bad", "good"]), None, "{denied}");
        }
    }

    #[test]
    fn a_letter_is_a_name_only_as_an_answer() {
        let letters = ["A", "B"];
        for text in ["A", "A.", "A) the first", "The answer is B", "Answer: B, since it holds", "(B) is right"] {
            assert!(pick(text, &letters).is_some(), "{text}");
        }
        for text in ["A good question", "a", "such a day", "A or B"] {
            assert_eq!(pick(text, &letters), None, "{text}");
        }
    }

    #[test]
    fn titles_and_descriptions_count_where_no_value_does() {
        let choice = |value: &str, title: &str| Choice {
            value: Value::from(value),
            title: Some(title.to_string()),
            description: None,
        };
        let choices = [choice("k1", "Refund"), choice("k2", "Technical Support")];
        assert_eq!(choose("it is technical support", &choices), Some(1));
        assert_eq!(choose("k1, not technical support", &choices), Some(0));
    }
}
