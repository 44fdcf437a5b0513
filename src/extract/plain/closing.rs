//! Sentences that close an answer and are of the answer, not of what it tells: that something was not said, that it is all, that it be checked.
//! What takes a value back is `remarks`'. Next: `remarks`.

use super::remarks::is_courteous;

/// A sentence with one of these tells how the answer was made.
#[rustfmt::skip]
const OF_THE_ANSWER: &[&str] = &[
    "not mentioned", "not stated", "not provided", "not specified", "not given", "n't mentioned", "n't stated", "n't provided", "n't specified",
    "no mention", "stated directly", "directly stated", "stated explicitly", "explicitly stated", "was extracted", "were extracted", "extracted from",
    "please verify", "please review", "double-check", "언급되지", "언급이 없", "명시되지", "제공되지", "추출",
];
/// Whole sentences that say that it ends.
const ENDS: &[&str] = &["done", "end", "that's all", "that is all", "all done", "끝", "끝입니다"];
const CURRENCIES: &[&str] = &["krw", "usd", "eur", "jpy", "gbp", "won", "dollars", "euros", "yen"];

/// Whether each sentence of a line closes the answer: none with a number, a quotation or a name with a value.
pub fn is_closing(line: &str) -> bool {
    const LONGEST: usize = 400;
    if line.len() > LONGEST {
        return false;
    }
    let line = line.trim_matches(|c: char| c.is_whitespace() || "()*_".contains(c)).to_lowercase();
    let noted = ["note:", "note that ", "참고:"].iter().find_map(|note| line.strip_prefix(note));
    let said = noted.unwrap_or(&line);
    if said.contains(|c: char| c.is_numeric() || "\"“”`:：=".contains(c)) || !said.ends_with(['.', '!', '。']) {
        return false;
    }
    let mut sentences =
        said.split_inclusive(['.', '!', '。']).filter(|sentence| sentence.contains(char::is_alphanumeric));
    sentences.all(|sentence| {
        let bare = sentence.trim_matches(|c: char| !c.is_alphanumeric());
        let unit = bare.split_once(" in ").filter(|(before, _)| before.ends_with(" is") || before.ends_with(" are"));
        let ends = ENDS.contains(&bare) || bare.strip_prefix("end of ").is_some_and(|rest| !rest.contains(' '));
        ends || unit.is_some_and(|(_, unit)| CURRENCIES.contains(&unit))
            || OF_THE_ANSWER.iter().any(|words| bare.contains(words))
            || is_courteous(sentence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_the_answer_close_it() {
        for said in [
            "Note: the age was stated directly.",
            "위 정보는 메시지에서 추출한 것입니다.",
            "The contact was not mentioned.",
            "연락처는 언급되지 않았습니다.",
            "(Price is in KRW.)",
            "Done!",
            "End of listing. Let me know if you need more!",
            "Please verify the details before use.",
        ] {
            assert!(is_closing(said), "{said}");
        }
        for said in [
            "The seller is Kim.",
            "The desk is in Busan.",
            "The age was stated directly: 31",
            "The contact was not mentioned. Call Lee.",
            "The \"age\" was not mentioned.",
            "Extracted from 3 messages.",
            "done",
            "City: not mentioned.",
        ] {
            assert!(!is_closing(said), "{said}");
        }
    }
}
