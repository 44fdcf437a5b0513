//! One of a list by its name inside a sentence: `The category is REFUND because …`, `상태: 최상`.
//! Whole words, without regard to case and width; two different names are a refusal. Next: `walk`.

use super::super::schema::{Choice, names};
use super::denial;
use super::text::{is_alphanumeric, is_hangul};
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

/// What stands around a name without changing what is said.
#[rustfmt::skip]
const FILLERS: &[&str] = &[
    "a", "an", "the", "is", "are", "it", "its", "s", "this", "that", "these", "of", "as", "be", "in", "by", "for", "here", "i", "m",
    "d", "ll", "we", "my", "your", "would", "say", "choose", "chose", "pick", "select", "selected", "answer",
    "answers", "category", "class", "classified", "classification", "label", "labeled", "labelled", "marked", "listed", "type", "kind",
    "status", "state", "condition", "choice", "option", "value", "result", "output", "response", "final", "correct", "item", "product",
    "following", "one", "so", "yes", "ok", "sure", "currently", "now", "still", "done", "brand", "already", "has", "have", "been",
];
const FILLERS_KOREAN: &[&str] = &[
    "상태",
    "등급",
    "종류",
    "분류",
    "유형",
    "답",
    "답변",
    "정답",
    "결과",
    "선택",
    "선택지",
    "현재",
    "지금",
    "아직",
    "이것",
    "그것",
    "이",
    "그",
    "값",
    "카테고리",
    "항목",
    "제품",
    "상품",
    "물건",
    "물품",
    "네",
    "예",
    "저",
    "제",
    "생각",
    "판단",
    "해당",
    "제가",
    "것",
    "합니다",
    "됩니다",
    "했습니다",
    "됐습니다",
    "되었습니다",
];

/// A name found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// Which choice.
    pub index: usize,
    /// The text says more than that: words that may change it are left over.
    pub left_over: bool,
}

/// Which of `choices` the text names; none where it names none or two. A name within another's longer match does not count
/// (`very good` is not `good`). Of a choice the value counts if it is text, and only where no value is named its title or description.
/// The words of `about`, the field's name, say nothing by themselves.
///
/// A name that is denied, nearly reached or measured against refuses the whole: `not`, `hardly`, `as good as`, 아니다.
pub fn choose(text: &str, choices: &[Choice], about: &str) -> Option<Chosen> {
    let chosen = by_words(text, choices, about)?;
    let left_over = chosen.left_over || has_sign(text, choices.get(chosen.index)?);
    Some(Chosen { left_over, ..chosen })
}

/// Say before a colon that what follows is another one, or a guess.
#[rustfmt::skip]
const NO_LABELS: &[&str] = &[
    "old", "previous", "previously", "former", "formerly", "earlier", "prior", "before", "last", "next", "rejected", "excluded", "except", "wrong",
    "incorrect", "bad", "not", "no", "never", "instead", "otherwise", "alternative", "alternatively", "opposite", "guess", "guessed", "estimate", "estimated",
    "assumed", "assuming", "assumption", "maybe", "perhaps", "probably", "possibly", "likely", "default", "example", "sample", "template", "draft",
    "minimum", "maximum", "min", "max", "least", "most", "if", "unless", "or", "from", "이전", "기존", "변경", "전", "오답", "제외", "추정", "추측", "예상",
    "아마", "가정", "예시", "예", "초안", "최소", "최대", "기본값", "또는", "다음",
];

/// Whether the text is a label and the name alone: `Priority: High`, `**Sentiment:** Negative`. Such a label names what is asked for, where the
/// list is all that is asked for.
pub(super) fn is_labelled(text: &str, choice: &Choice) -> bool {
    let mark = |c: char| c.is_whitespace() || "*_`\"'.".contains(c);
    let Some((label, said)) = text.trim_matches(mark).split_once([':', '：']) else { return false };
    let said = said.trim_matches(mark).to_lowercase();
    let name = choice.value.as_str().into_iter().chain(choice.title.as_deref()).any(|name| name.to_lowercase() == said);
    let label = label.trim_matches(|c: char| mark(c) || c == '-').to_lowercase();
    let words: Vec<&str> = label.split(' ').collect();
    name && words.len() < 3
        && words
            .iter()
            .all(|word| word.chars().all(char::is_alphabetic) && !word.is_empty() && !NO_LABELS.contains(word))
}

/// Whether a sign beside a name makes a bound or a question of it: `≥ medium`, `high+`, `low (?)`. An arrow, a tag and a sign of the name's
/// own are none.
fn has_sign(text: &str, choice: &Choice) -> bool {
    let own = |sign: char| choice.value.as_str().is_some_and(|name| name.contains(sign));
    let bare = text.trim_matches(|c: char| c.is_whitespace() || "\"'`*.,".contains(c));
    let compares = bare.starts_with(['<', '>', '+']) && !bare.contains("</") && !bare.ends_with('>');
    let ends = bare.ends_with(['+', '-']) && bare.trim_end_matches(['+', '-']).ends_with(char::is_alphanumeric);
    let said = |signs: &[char]| signs.iter().any(|sign| bare.contains(*sign) && !own(*sign));
    said(&['≥', '≤', '≧', '≦', '?', '？']) || (compares || ends) && !own('+') && !own('-')
}

fn by_words(text: &str, choices: &[Choice], about: &str) -> Option<Chosen> {
    if text.len() > LONGEST_BYTES {
        return None;
    }
    let (words, about) = (words(text), words(about));
    match named(&words, choices, &about, |choice| [choice.value.as_str(), None]) {
        Named::One(chosen) => Some(chosen),
        Named::Several => None,
        Named::None => {
            match named(&words, choices, &about, |choice| [choice.title.as_deref(), choice.description.as_deref()]) {
                Named::One(chosen) => Some(chosen),
                _ => None,
            }
        }
    }
}

enum Named {
    None,
    One(Chosen),
    Several,
}

struct Match {
    choice: usize,
    start: usize,
    end: usize,
    /// Written as the list writes it, capitals and all: a name like `TWO` in a sentence of small letters is meant.
    exact: bool,
}

fn named(words: &[Word], choices: &[Choice], about: &[Word], names_of: fn(&Choice) -> [Option<&str>; 2]) -> Named {
    let mut matches: Vec<Match> = Vec::new();
    for (choice, listed) in choices.iter().enumerate() {
        for name in names_of(listed).into_iter().flatten() {
            // Most choices are not named, which their first letter tells.
            let first = name.chars().map(names::half_width).find(|c| is_alphanumeric(*c));
            let first = first.and_then(|first| first.to_lowercase().next());
            let named = first.is_some_and(|first| words.iter().any(|word| word.folded.starts_with(first)));
            if matches.len() <= MOST_MATCHES && !named {
                continue;
            }
            let name = self::words(name);
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
    let several = has_another_letter(words, first, choices);
    if several || standing.iter().any(|one| one.choice != first.choice || negated(words, one)) {
        return Named::Several;
    }
    let covered = |place: usize| matches.iter().any(|m| m.choice == first.choice && (m.start..m.end).contains(&place));
    let mut depth = 0_usize;
    let left_over = words.iter().enumerate().any(|(place, word)| {
        // A remark in parentheses explains the name before it.
        let is_remark = depth > 0;
        depth = word.gap.chars().fold(depth, |depth, c| match c {
            '(' | '（' => depth + 1,
            ')' | '）' => depth.saturating_sub(1),
            _ => depth,
        });
        !is_remark && !covered(place) && !is_filler(word, about)
    });
    Named::One(Chosen { index: first.choice, left_over })
}

/// Whether a word around a name says nothing.
fn is_filler(word: &Word, about: &[Word]) -> bool {
    let stem = |filler: &str| {
        word.folded.strip_prefix(filler).is_some_and(|rest| rest.is_empty() || PARTICLES.contains(&rest))
    };
    FILLERS.contains(&word.folded.as_str())
        || PARTICLES.contains(&word.folded.as_str())
        || FILLERS_KOREAN.iter().any(|filler| stem(filler))
        || about.iter().any(|named| word.folded == named.folded || (!named.folded.is_ascii() && stem(&named.folded)))
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
    /// What stands between the one before, or the start, and it.
    lead: String,
    /// What stands between it and the next word, or the end.
    gap: String,
}

/// Runs of letters and digits; `in_progress` and `inProgress` are two words each, like `in progress`.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut open = false;
    let mut lead = String::new();
    for raw in text.chars() {
        let character = names::half_width(raw);
        if !is_alphanumeric(character) {
            lead.push(character);
            if let Some(last) = words.last_mut() {
                last.gap.push(character);
            }
            open = false;
            continue;
        }
        let camel = character.is_uppercase()
            && words.last().is_some_and(|word| word.written.ends_with(|before: char| before.is_lowercase()));
        if !open || camel {
            let lead = std::mem::take(&mut lead);
            words.push(Word { folded: String::new(), written: String::new(), lead, gap: String::new() });
            open = true;
        }
        if let Some(word) = words.last_mut() {
            word.written.push(character);
            if is_hangul(character) {
                word.folded.push(character);
            } else {
                word.folded.extend(character.to_lowercase());
            }
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

/// `A` is also an article: as a name it stands alone, at the end, or with the mark of an answer: `A)`, `(A)`, `A:`; never joined to
/// something else: `N/A`, `A+`, `-1`.
fn one_letter(words: &[Word], place: usize, name: &Word) -> bool {
    let Some(word) = words.get(place) else { return false };
    if is_joined(words, place) {
        return false;
    }
    // 정답은 C입니다, A번이나 B번: no article has a Korean ending.
    let ending = word.written.strip_prefix(name.written.as_str()).unwrap_or_default();
    if ending.starts_with(is_hangul) {
        return !denial::is_korean(ending) && !NOT_IT_ALONE.iter().any(|other| ending.starts_with(other));
    }
    if word.written != name.written {
        return false;
    }
    // `the correct option is B: Paris`
    let said = place > 0 && matches!(words[place - 1].folded.as_str(), "is" | "option" | "choice" | "answer");
    let marked = word.gap.starts_with([')', ':', '.', ']']) && (place == 0 || said);
    let announced = place > 0 && words[place - 1].gap.trim_end().ends_with([':', '(', '[', '=', '"', '*']);
    let listed = place > 0 && matches!(words[place - 1].folded.as_str(), "or" | "and" | "vs");
    !listed && (words.len() == 1 || place + 1 == words.len() || marked || announced)
}

/// Behind a letter these name another beside it, or say that it is more, less or not so: A또는B, A이상, A보다.
const NOT_IT_ALONE: [&str; 16] = [
    "또는", "혹은", "이나", "나", "와", "과", "랑", "이랑", "하고", "및", "보다", "이상", "이하", "초과", "미만", "말",
];

/// Whether a sign makes the word at `place` a part of something else: `N/A`, `A+`, `-1`, `1.5`.
fn is_joined(words: &[Word], place: usize) -> bool {
    const SIGNS: [char; 10] = ['/', '&', '+', '~', '|', '·', '±', '×', '\\', '%'];
    let word = &words[place];
    let before = word.lead.trim_end().chars().next_back();
    // `X L` may be an XL.
    let capital = |word: &Word| matches!(word.written.as_bytes(), [b'B'..=b'H' | b'J'..=b'Z']);
    if place > 0 && word.lead == " " && capital(&words[place - 1]) {
        return true;
    }
    let opens = |c: char| c.is_whitespace() || "([{<\"'“‘`*:=#>→.,;!?_".contains(c);
    let glued = word.lead.chars().next_back().is_some_and(|c| !opens(c));
    let apostrophe = place > 0 && matches!(word.lead.as_str(), "'" | "’");
    let negative = place == 0 && before == Some('-') && word.written.starts_with(|c: char| c.is_ascii_digit());
    if glued || apostrophe || negative || before.is_some_and(|c| SIGNS.contains(&c)) {
        return true;
    }
    let closes = |c: char| c.is_whitespace() || ")]}>\"'”’`*:.,;!?=(_。→".contains(c);
    let next_is_digit = words.get(place + 1).is_some_and(|next| next.written.starts_with(|c: char| c.is_ascii_digit()));
    let point = next_is_digit && matches!(word.gap.as_str(), "." | ":" | ",");
    point || word.gap.chars().next().is_some_and(|c| !closes(c)) || word.gap.trim_start().starts_with(SIGNS)
}

/// Whether another one-letter name of the list stands beside the one found: `A, B`, `A (B)`, `1~2`.
fn has_another_letter(words: &[Word], one: &Match, choices: &[Choice]) -> bool {
    let letter = |choice: &Choice| choice.value.as_str().filter(|name| name.chars().count() == 1).map(str::to_string);
    let others: Vec<String> = choices
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != one.choice)
        .filter_map(|(_, choice)| letter(choice))
        .collect();
    words.iter().enumerate().any(|(place, word)| {
        let within = (one.start..one.end).contains(&place);
        let apostrophe = matches!(word.lead.as_str(), "'" | "’");
        // `I think` says who, and no Roman one.
        let small = |word: &Word| word.written.starts_with(char::is_lowercase);
        let pronoun = word.written == "I" && word.gap == " " && words.get(place + 1).is_some_and(small);
        // A보다 B names both.
        let is_other = |other: &String| {
            let ending = word.written.strip_prefix(other.as_str());
            ending.is_some_and(|ending| ending.is_empty() || other.is_ascii() && ending.starts_with(is_hangul))
        };
        !within && !apostrophe && !pronoun && others.iter().any(is_other)
    })
}

/// Whether the name is denied, doubted or measured against: by one of up to four words before it in its clause, two Korean ones after it,
/// or an answer to it (`sold? no`).
fn negated(words: &[Word], one: &Match) -> bool {
    /// Leave open whether it is so, or say that it is not so yet.
    const DOUBTED: [&str; 11] =
        ["almost", "nearly", "soon", "if", "whether", "unless", "until", "before", "un", "거의", "곧"];
    const DENIED_BY_TWO: [[&str; 2]; 9] = [
        ["far", "from"],
        ["rather", "than"],
        ["other", "than"],
        ["instead", "of"],
        ["anything", "but"],
        ["all", "but"],
        ["used", "to"],
        ["about", "to"],
        ["failed", "to"],
    ];
    const FALSE: [&str; 6] = ["false", "wrong", "incorrect", "untrue", "impossible", "anymore"];
    let clause_ends = |word: &Word| word.gap.contains([',', ';', '.', ':', '!', '?', '\n']);
    let denied_by = |place: usize| {
        let word = &words[place];
        let contracted = word.folded == "t" && place > 0 && words[place - 1].gap.starts_with(['\'', '’']);
        contracted
            || denial::is_english(&word.folded)
            || matches!(word.folded.as_str(), "안" | "못")
            || DOUBTED.contains(&word.folded.as_str())
            || DENIED_BY_TWO.iter().any(|[first, second]| {
                word.folded == *first && words.get(place + 1).is_some_and(|next| next.folded == *second)
            })
    };
    let mut before = (0..one.start).rev().take(4).take_while(|&place| !clause_ends(&words[place]));
    let ends_clause = |word: &Word| clause_ends(word) || word.gap.contains(['(', ')']);
    let last = one.end.saturating_sub(1);
    let after_korean = (one.end..words.len()).take(2).any(|place| {
        let word = &words[place];
        let open = ["예정", "직전", "여부"].iter().any(|open| word.folded.starts_with(open));
        let denies = open || word.folded == "전" || word.folded == "전에" || denial::is_korean(&word.folded);
        // 중 (사용감 없음) denies the wear; 중, 아님 denies the name.
        let same_clause = !words[last..place].iter().any(ends_clause);
        let alone = place == one.end && (place + 1 == words.len() || ends_clause(word));
        denies && (same_clause || alone)
    });
    let answered = (one.end..words.len()).take(3).any(|place| {
        let word = &words[place];
        let alone = place + 1 == words.len() || clause_ends(word);
        let more = words.get(place + 1).is_some_and(|next| matches!(next.folded.as_str(), "longer" | "yet" | "more"));
        FALSE.contains(&word.folded.as_str()) || (denial::is_english(&word.folded) && (alone || more))
    });
    compared(words, one) || before.any(denied_by) || after_korean || answered
}

/// Whether another is measured by it, or it is nearly that: `higher than low`, `good as new`, `high-ish`.
fn compared(words: &[Word], one: &Match) -> bool {
    let word = |place: Option<usize>| place.and_then(|place| words.get(place)).map_or("", |word| word.folded.as_str());
    let (last, before) = (word(one.start.checked_sub(1)), word(one.start.checked_sub(2)));
    // Listed as new, and seems like a refund, say what it is.
    let measured = match last {
        "than" => true,
        "as" => !(before.ends_with("ed") || matches!(before, "it" | "this" | "that" | "them" | "item" | "product")),
        "like" => !matches!(before, "looks" | "seems" | "sounds" | "feels"),
        _ => false,
    };
    measured || matches!(word(Some(one.end)), "than" | "ish" | "like")
}

/// The choice with this value.
pub(super) fn with_value<'c>(choices: &'c [Choice], value: &Value) -> Option<&'c Choice> {
    choices.iter().find(|choice| {
        let same = choice.value.as_f64().zip(value.as_f64()).is_some_and(|(a, b)| a == b);
        choice.value == *value || same
    })
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
