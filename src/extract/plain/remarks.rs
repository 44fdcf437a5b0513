//! What stands around what was read: which of it says something that the value does not have, or takes the value back, and which is courtesy
//! or a remark on the answer. Next: `super` for what is read.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::words::Words;
use super::{block, closing, field, heading};
use crate::extract::attempt::Change;
use crate::extract::normalise;
use crate::extract::parse::{change, cues, footnote};
use crate::extract::schema::Schema;
use crate::extract::schema::node::{Kind, Node, Property};
use crate::extract::validate::size;
use crate::units;

/// What a model says to the one who asked. A sentence with one of these, and without a digit, says nothing of the value.
const COURTESY: &[&str] = &[
    "hope",
    "thank",
    "bye",
    "welcome",
    "cheers",
    "regards",
    "sincerely",
    "let me know",
    "feel free",
    "anything else",
    "something else",
    "any questions",
    "any other questions",
    "any further questions",
    "happy to help",
    "glad to help",
    "would you like",
    "do you need",
    "do you want",
    "if you need",
    "if you want",
    "have a nice",
    "have a good",
    "have a great",
    "감사",
    "고맙",
    "도움",
    "궁금",
    "말씀해",
    "알려 주",
    "알려주",
    "문의해",
    "문의 주",
    "질문",
    "안녕",
    "좋은 하루",
    "수고",
    "필요하시",
    "원하시",
    "부탁드",
    "이상입니다",
];

/// Whether a line below what was read says something that may be lost with it. `remarks`: where names are remarks, as all fields are told.
pub fn tells(line: &str, remarks: bool) -> bool {
    let heading = line.ends_with([':', '：']);
    let says_nothing = heading || is_source(line) || remarks && is_remark(line) || is_courteous(line);
    line.contains(char::is_alphanumeric) && !says_nothing
}

/// A source that a footnote names: `[1] http://x.org`, and no field.
pub fn is_source(line: &str) -> bool {
    footnote(line).is_some_and(|said| said.starts_with("http") || !said.contains([':', '=', '：']))
}

/// Whether each sentence of a line is courtesy.
pub fn is_courteous(line: &str) -> bool {
    if line.len() > 400 || line.contains(|c: char| c.is_numeric() || matches!(c, ':' | '=' | '：')) {
        return false;
    }
    let said = line.to_lowercase();
    let mut sentences = said.split_inclusive(['.', '!', '?', '。']).filter(|s| s.contains(char::is_alphanumeric));
    sentences.all(|sentence| COURTEOUS.are_in(sentence))
}

/// A remark on the answer as a whole: `Total: 1`, `Confidence: 95%`, `(2 fields)`.
fn is_remark(line: &str) -> bool {
    let line = line.trim_matches(|c: char| c.is_whitespace() || "()*_-•".contains(c)).to_lowercase();
    let counted = |said: &str, most: usize| {
        let number = said.trim().trim_end_matches('%').trim_end();
        (1..=most).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    };
    if let Some((name, said)) = line.split_once([':', '：']) {
        let said = said.trim_matches(['*', ' ']);
        return match name.trim_matches(['*', ' ']) {
            "total" | "count" | "개수" | "총" => counted(said, 3),
            "confidence" | "certainty" | "신뢰도" | "확신도" => {
                counted(said, 5) || matches!(said, "high" | "medium" | "low" | "높음" | "보통" | "낮음")
            }
            _ => false,
        };
    }
    let words = ["field", "fields", "item", "items", "row", "rows", "record", "records", "entry", "entries"];
    line.split_once(' ').is_some_and(|(number, word)| counted(number, 3) && words.contains(&word))
}

/// Say behind a value that it does not hold, no longer, or was never said.
#[rustfmt::skip]
const TAKE_BACK: &[&str] = &[
    "however", "incorrect", "ignore", "disregard", "update:", "edit:", "has changed", "was changed", "changed to", "dropped to",
    "lowered", "raised to", "reduced to", "has been sold", "was sold", "is sold", "sold out", "expired", "assum", "guess", "placeholder", "made up",
    "하지만", "그러나", "다만", "무시", "잘못", "틀렸", "틀린", "변경", "바뀌", "바뀐", "내렸", "올렸", "확인해 보니", "확인해보니", "확인 결과", "다시 보니", "사실은",
    "사실 ", "추정", "추측", "가정", "임의로", "지어낸", "꾸며낸", "꾸며 낸", "추론", "inferred", "invented", "fabricated", "fictional", "fictitious",
    "hallucinat", "truncated", "was cut off", "were cut off", "잘렸", "잘린", "answer is unknown", "i don't know", "모르겠",
];
/// Say behind a value that there is more than it holds.
#[rustfmt::skip]
const GO_ON: &[&str] = &[
    "there is a second", "there is another", "there are more", "there are other", "another person", "second person", "and so on", "and so forth",
    "remaining items", "remaining people", "나머지는 생략", "나머지 생략", "이하 생략",
    "중략", "더 있습니다", "더 있음",
];
/// Say before a value that it is none, or one of several.
#[rustfmt::skip]
const NO_ANSWER: &[&str] = &[
    "made one up", "made it up", "made up", "made this up", "made them up", "invented", "fabricated", "only the first", "just the first", "첫 번째만",
    "지어낸", "지어냈", "꾸며낸", "임의로 만든",
];
/// Alone in the line before a value, or with a word before them, they say what it is.
#[rustfmt::skip]
const HEADS: &[&str] = &["template", "guess", "placeholder", "dummy", "hypothetical", "추정", "추측", "가정", "템플릿", "양식"];
/// Say anywhere that what is told is void.
#[rustfmt::skip]
const VOID: &[&str] = &[
    "cancelled", "canceled", "no longer", "not for sale", "for sale anymore", "취소된", "취소됨", "취소되", "취소했", "판매완료", "판매 완료", "거래완료",
    "거래 완료", "품절",
];
/// What takes back the value before it.
static DOUBTS: LazyLock<Words> = LazyLock::new(|| Words::of([VOID, TAKE_BACK, GO_ON].concat()));
/// What takes back the value behind it.
static DENIALS: LazyLock<Words> = LazyLock::new(|| Words::of([VOID, NO_ANSWER].concat()));
static MORE: LazyLock<Words> = LazyLock::new(|| Words::of([" more", " other", " additional"]));
static COURTEOUS: LazyLock<Words> = LazyLock::new(|| Words::of(COURTESY.iter().copied()));
/// Longer prose is an essay rather than a remark on a value.
const LONGEST: usize = 2_000;
/// Of more values than that none is looked for in prose.
const MOST_VALUES: usize = 256;

/// Whether prose takes back a value: one that stands before it, or, where it is `behind`, the value that it follows.
pub fn takes_back(said: &str, behind: bool) -> bool {
    if behind && cues::corrects(said) {
        return true;
    }
    if said.len() > LONGEST {
        return false;
    }
    let said = said.to_lowercase();
    sentences(&said).filter(|sentence| !is_courteous(sentence)).any(|sentence| {
        if behind { DOUBTS.are_in(sentence) || counts_more(sentence) } else { DENIALS.are_in(sentence) }
    }) || !behind && heads(&said)
}

/// `2 more people`, `two others`: how many are not in the value. `1 more thing` is none of them.
fn counts_more(sentence: &str) -> bool {
    if !MORE.are_in(sentence) {
        return false;
    }
    let words: Vec<&str> =
        sentence.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric())).collect();
    let counts = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
            || ["one", "two", "three", "four", "five", "several", "many"].contains(&word)
    };
    words.windows(2).enumerate().any(|(at, pair)| {
        let thing = words.get(at + 2).is_some_and(|next| matches!(*next, "thing" | "time" | "question" | "note"));
        counts(pair[0]) && matches!(pair[1], "more" | "other" | "others" | "additional") && !thing
    })
}

/// Whether the words right before a value are its head: `Template:`, `My best guess:`. A completed template is one no longer.
fn heads(said: &str) -> bool {
    let Some(line) = said.trim_end_matches(|c: char| c.is_whitespace() || "*_`".contains(c)).strip_suffix([':', '：'])
    else {
        return false;
    };
    let line = line.rsplit(['.', '!', '?', '\n', ':']).next().unwrap_or_default();
    let bare = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = bare.collect();
    match words.as_slice() {
        [head] => HEADS.contains(head),
        ["my" | "a" | "best" | "rough", head] | ["my" | "a", "best" | "rough", head] => HEADS.contains(head),
        _ => false,
    }
}

/// Whether a sentence behind a value says of one of its fields what the value has nowhere: `The city is Seoul.` Only a word with a capital, or
/// an address, is taken for a value: `The contact is not told.`
fn tells_another_value(said: &str, schema: &Schema, value: &Value) -> bool {
    const VERBS: [&str; 3] = [" is ", " was ", " = "];
    if said.len() > LONGEST || size(value) > MOST_VALUES || !VERBS.iter().any(|verb| said.contains(verb)) {
        return false;
    }
    let held = LazyCell::new(|| value.to_string().to_lowercase());
    sentences(said).any(|sentence| {
        let Some((name, told)) = VERBS.iter().find_map(|verb| sentence.split_once(verb)) else { return false };
        let name = name.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let name =
            ["the ", "their ", "his ", "her ", "its "].iter().find_map(|word| name.strip_prefix(word)).unwrap_or(&name);
        let told = told.trim_matches(|c: char| !c.is_alphanumeric());
        let names = (told.starts_with(char::is_uppercase) || told.contains('@')) && told.split_whitespace().count() < 4;
        let named = |shape: Node| shape.called(name).is_some_and(|field| field.node.accepts(Kind::String));
        names && block::shapes(schema.root()).into_iter().any(named) && !held.contains(&told.to_lowercase())
    })
}

/// Whether a sentence behind a value says another thing of one of its fields.
pub fn tells_another(said: &str, schema: &Schema, value: &Value) -> bool {
    tells_another_number(said, schema, value) || tells_another_value(said, schema, value)
}

/// Whether a sentence behind a value names one of its fields with numbers of which none is in the value: `The price is 45,000 now.`
fn tells_another_number(said: &str, schema: &Schema, value: &Value) -> bool {
    if said.len() > LONGEST || !said.contains(|c: char| c.is_ascii_digit()) || size(value) > MOST_VALUES {
        return false;
    }
    let shapes = block::shapes(schema.root());
    let mut known = BTreeSet::new();
    numbers_of(value, &mut known);
    let said = said.to_lowercase();
    sentences(&said).any(|sentence| {
        let told: Vec<String> = sentence.split_whitespace().filter_map(number).collect();
        let another = !told.is_empty() && !told.iter().any(|number| known.contains(number));
        another && shapes.iter().flat_map(|shape| shape.properties()).any(|field| is_named(sentence, field))
    })
}

fn sentences(said: &str) -> impl Iterator<Item = &str> {
    said.lines().flat_map(|line| line.split_inclusive(". ")).filter(|s| s.contains(char::is_alphanumeric))
}

/// The number that a word of a sentence is, in digits. One digit alone counts fields as well as it is a value.
fn number(word: &str) -> Option<String> {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let digits: String = word.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() || digits.len() == word.len() && digits.len() < 2 {
        return None;
    }
    Some(normalise::number(word).map_or(digits, |read| read.value.to_string()))
}

/// The numbers of a value, and those in its texts.
fn numbers_of(value: &Value, known: &mut BTreeSet<String>) {
    match value {
        Value::Number(number) => drop(known.insert(number.to_string())),
        Value::String(text) => known.extend(text.split_whitespace().filter_map(number)),
        Value::Array(items) => items.iter().for_each(|item| numbers_of(item, known)),
        Value::Object(fields) => fields.values().for_each(|field| numbers_of(field, known)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Whether a sentence in small letters has a field's name: a Latin one as a whole, a Korean one where a word begins.
fn is_named(sentence: &str, field: Property<'_>) -> bool {
    field.names.iter().map(|name| name.to_lowercase()).filter(|name| !name.is_empty()).any(|name| {
        sentence.match_indices(&name).any(|(at, _)| {
            let begins = !sentence[..at].ends_with(char::is_alphanumeric);
            let ends = !name.is_ascii() || !sentence[at + name.len()..].starts_with(char::is_alphanumeric);
            begins && ends
        })
    })
}

/// From which line on names are remarks, where all fields are told: the first behind the last field's that cannot go on with its text.
pub(super) fn footers(text: &str, lines: &[field::Line], used: &[bool], node: Node<'_>) -> usize {
    let last = used.iter().rposition(|used| *used).unwrap_or(0);
    let fields = lines.get(last).map_or(Vec::new(), |line| field::fields(text, &line.body, node));
    if fields.last().is_some_and(|field| !field.property.node.accepts(Kind::String)) {
        return last + 1;
    }
    lines.iter().skip(last).position(|line| line.body.is_empty()).map_or(lines.len(), |gap| last + gap)
}

/// What was not understood: lines between those that were, in their form, or below them are lost; sentences before are only left out, and so
/// are courtesy behind, and remarks from `footers` on. `listed` is where what was read are items of a list.
pub(super) fn rest(text: &str, lines: &[field::Line], used: &[bool], footers: usize, listed: bool) -> Vec<Change> {
    let first = used.iter().position(|used| *used).unwrap_or(0);
    let last = used.iter().rposition(|used| *used).unwrap_or(lines.len());
    let columns: BTreeSet<usize> = lines.iter().zip(used).filter(|(_, used)| **used).map(|(l, _)| l.column).collect();
    let mut changes = Vec::new();
    let mut prose = String::new();
    // Prose is no loss, but where it takes back what was said before it: `Actually, it is 6.`
    let told =
        |changes: &mut Vec<Change>, prose: &str, at: usize| left_out(changes, prose, takes_back(prose, at > first));
    // The column of the line that was understood last, while what follows is set in below it.
    let mut below_of = None;
    for (at, line) in lines.iter().enumerate() {
        let said = text[line.body.clone()].trim();
        if used[at] {
            below_of = Some(line.column);
        } else if !said.is_empty() && below_of.is_some_and(|column| line.column <= column) {
            below_of = None;
        }
        let rule = said.chars().all(|c| "-=*_`~#|".contains(c)) || said.starts_with("```");
        if line.comment && !used[at] {
            told(&mut changes, &std::mem::take(&mut prose), at);
            // A heading stands behind an empty line, right above what it heads.
            let heads = said.starts_with('#')
                && lines[at - usize::from(at > 0)].body.is_empty()
                && used.get(at + 1) == Some(&true);
            left_out(&mut changes, said, at > first && !heads && tells(said, false));
            continue;
        }
        if used[at] || said.is_empty() || rule {
            told(&mut changes, &std::mem::take(&mut prose), at);
            continue;
        }
        let below = lines[at + 1..].iter().zip(&used[at + 1..]).find(|(next, _)| !next.body.is_empty());
        // `**Item 2**` right above an item.
        let bold = below.is_some_and(|(_, used)| *used) && heading::heading(text, line).is_some();
        let heading = said.starts_with('#') || said.ends_with(':') || bold;
        let named = line.marked
            || said.starts_with('|')
            || said
                .split([':', '='])
                .next()
                .is_some_and(|name| name.len() < said.len() && name.split_whitespace().count() < 4);
        // Fields set in below a name that is none's, beside fields: whether they are this object's is a guess.
        let strange = said.ends_with(':')
            && !said.starts_with('#')
            && columns.contains(&line.column)
            && below.is_some_and(|(next, used)| *used && next.column > line.column);
        let below_field = below_of.is_some();
        // `Absent:` between the items of one list says that those below are of another; `Item 2:` counts them.
        let parts = listed && heading && (first..last).contains(&at) && !said.contains(char::is_numeric);
        let source = at > last && is_source(said);
        let closes = at > last && !line.marked && !below_field && closing::is_closing(said);
        let within = at < footers
            && !source
            && (strange || parts || below_field || !heading && (named || (first..last).contains(&at)));
        if !closes && (within || at > last && tells(said, at >= footers)) {
            left_out(&mut changes, said, true);
        } else {
            prose.push_str(said);
            prose.push(' ');
        }
    }
    told(&mut changes, &prose, lines.len());
    changes
}

pub(super) fn left_out(changes: &mut Vec<Change>, said: &str, lossy: bool) {
    let said = said.trim();
    if said.is_empty() {
        return;
    }
    let beginning = units::beginning(said, 200);
    let shown = if beginning.len() < said.len() { format!("{beginning}…") } else { said.to_owned() };
    changes.push(change("left_out", Value::from(shown), Value::Null, lossy));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prose_that_takes_a_value_back_is_told_from_courtesy() {
        for said in [
            "The price is now lower. It has been sold.",
            "However, the seller wants more.",
            "판매 완료되었습니다.",
            "다시 확인해 보니 4만원입니다.",
            "위 내용은 잘못되었습니다.",
            "I assumed that the condition is good.",
            "Please ignore the above.",
            "(2 more people were mentioned)",
            "There is a second person, Bob (40).",
            "나머지는 생략",
            "The output was truncated.",
            "... and so on",
            "The name is invented.",
            "Age was inferred from context.",
            "the answer is unknown",
        ] {
            assert!(takes_back(said, true), "{said}");
        }
        for said in [
            "Hope this helps!",
            "I could not find the contact.",
            "요청하신 JSON입니다.",
            "However, let me know if you need more.",
            "One more thing to check.",
            "Some more context would help.",
            "No other people are named.",
            "Note: the age was stated directly.",
            "위 정보는 메시지에서 추출한 것입니다.",
            "The contact was not mentioned.",
            "(Price is in KRW.)",
            "Please verify the details before use.",
        ] {
            assert!(!takes_back(said, true), "{said}");
        }
        assert!(takes_back("This listing was cancelled:", false) && takes_back("판매완료", false));
        assert!(!takes_back("The JSON was wrong. However, here it is, corrected:", false));
    }

    #[test]
    fn prose_before_a_value_may_say_that_it_is_none() {
        for said in [
            "I could not find a person, so I made one up:",
            "Template:",
            "Sure!\n**Guess:**",
            "My best guess:",
            "추정:",
            "Only the first of three people:",
        ] {
            assert!(takes_back(said, false), "{said}");
        }
        for said in ["Here is the completed template:", "Result:", "I guess you want this:", "결과:", "Template"] {
            assert!(!takes_back(said, false), "{said}");
        }
    }

    #[test]
    fn a_name_that_is_said_of_a_field_and_is_not_in_the_value_is_another() {
        let schema = Schema::from_value(&json!({"type": "object", "properties": {
            "city": {"type": ["string", "null"]}, "age": {"type": "integer"}}}))
        .expect("a schema");
        let held = json!({"city": "Seoul", "age": 30});
        let told = |said: &str, value: &Value| tells_another_value(said, &schema, value);
        assert!(told("His city is a@b.co.", &held));
        assert!(told("The city is Seoul.", &json!({"city": null, "age": 30})) && told("City is Busan.", &held));
        for said in
            ["The city is Seoul.", "The city is not told.", "The age is Old.", "The price is Firm.", "City: Busan"]
        {
            assert!(!told(said, &held), "{said}");
        }
    }

    #[test]
    fn a_number_that_is_said_of_a_field_and_is_none_of_the_values_is_another() {
        let schema = Schema::from_value(&json!({"type": "object", "properties": {
            "price": {"type": "integer", "x-aliases": ["가격"]}, "date": {"type": "string"}}}))
        .expect("a schema");
        let value = json!({"price": 50000, "date": "2026-12-03"});
        for (said, another) in [
            ("The price is now 45,000 won.", true),
            ("가격은 4만원으로 봤습니다.", true),
            ("The price, 5만원, was converted.", false),
            ("The price of 50,000 won is on the page.", false),
            ("The 2 fields are the price and the date.", false),
            ("A desk costs 45,000 won.", false),
            ("The priceless one is of 1998.", false),
        ] {
            assert_eq!(tells_another_number(said, &schema, &value), another, "{said}");
        }
    }
}
