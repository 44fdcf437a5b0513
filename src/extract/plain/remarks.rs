//! Lines below what was read: which of them say something that the value does not have, and which are courtesy or a remark on the answer.
//! Next: `super` for where they are told.

use crate::extract::parse::footnote;

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
    sentences.all(|sentence| COURTESY.iter().any(|word| sentence.contains(word)))
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
