//! How text is cut before byte pairs are merged, by the name that GGUF files give it (`tokenizer.ggml.pre`). A name
//! that is not in the table is refused: a wrong cut gives wrong tokens without a word. The patterns are those of the
//! models' own tokenizer.json.

use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior};

/// What a `pre` name stands for, all of it byte-level without a space in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub name: &'static str,
    cut: Cut,
    /// Unicode's composed form before anything else.
    nfc: bool,
    /// A piece that is a token as a whole is that token, whatever the merges say.
    pub ignore_merges: bool,
    /// Whether a file that does not say so wants a start token, as llama.cpp reads it.
    pub add_bos: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// GPT-2's pattern.
    Gpt2,
    /// Each digit (`\p{N}`) by itself, then GPT-2's pattern.
    DigitsThenGpt2,
    Pattern(&'static str),
}

const LLAMA3: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const QWEN2: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

const fn rule(name: &'static str, cut: Cut) -> Rule {
    Rule { name, cut, nfc: false, ignore_merges: false, add_bos: false }
}

const fn llama3(name: &'static str) -> Rule {
    Rule { ignore_merges: true, add_bos: true, ..rule(name, Cut::Pattern(LLAMA3)) }
}

pub(super) const RULES: [Rule; 10] = [
    rule("gpt-2", Cut::Gpt2),
    rule("smollm", Cut::DigitsThenGpt2),
    rule("starcoder", Cut::DigitsThenGpt2),
    rule("refact", Cut::DigitsThenGpt2),
    llama3("llama-bpe"),
    llama3("llama3"),
    llama3("llama-v3"),
    rule("smaug-bpe", Cut::Pattern(LLAMA3)),
    Rule { nfc: true, ..rule("qwen2", Cut::Pattern(QWEN2)) },
    Rule { ignore_merges: true, add_bos: true, ..rule("tekken", Cut::Pattern(TEKKEN)) },
];

impl Rule {
    pub fn named(pre: &str) -> Option<Rule> {
        RULES.into_iter().find(|rule| rule.name == pre)
    }

    /// The names in the table, for an error to list.
    pub fn names() -> String {
        RULES.map(|rule| rule.name).join(", ")
    }

    pub fn normalizer(&self) -> Option<NormalizerWrapper> {
        self.nfc.then(|| NFC.into())
    }

    /// # Errors
    /// A pattern that does not compile, which the tests exclude.
    pub fn pre_tokenizer(&self) -> Result<PreTokenizerWrapper, tokenizers::Error> {
        let gpt2 = ByteLevel::new(false, true, true);
        Ok(match self.cut {
            Cut::Gpt2 => gpt2.into(),
            Cut::DigitsThenGpt2 => Sequence::new(vec![Digits::new(true).into(), gpt2.into()]).into(),
            Cut::Pattern(pattern) => {
                let pattern = SplitPattern::Regex(pattern.into());
                let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?;
                Sequence::new(vec![split.into(), ByteLevel::new(false, true, false).into()]).into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    fn pieces(pre: &str, text: &str) -> Vec<String> {
        let mut pretokenized = PreTokenizedString::from(text);
        Rule::named(pre).unwrap().pre_tokenizer().unwrap().pre_tokenize(&mut pretokenized).unwrap();
        let splits = pretokenized.get_splits(OffsetReferential::Original, OffsetType::Byte);
        splits.into_iter().map(|(_, (start, end), _)| text[start..end].to_owned()).collect()
    }

    #[test]
    fn every_pattern_in_the_table_compiles() {
        for rule in RULES {
            assert!(rule.pre_tokenizer().is_ok(), "{}", rule.name);
        }
    }

    #[test]
    fn digits_are_cut_as_each_family_cuts_them() {
        assert_eq!(pieces("gpt-2", "a 1234 b"), ["a", " 1234", " b"]);
        assert_eq!(pieces("smollm", "a 12½ b"), ["a", " ", "1", "2", "½", " b"]);
        assert_eq!(pieces("llama-bpe", "a 1234 b"), ["a", " ", "123", "4", " b"]);
        assert_eq!(pieces("qwen2", "a 12 b"), ["a", " ", "1", "2", " b"]);
        assert_eq!(pieces("tekken", "HelloWorld 12"), ["Hello", "World", " ", "1", "2"]);
    }

    #[test]
    fn spaces_before_a_digit_stay_together_when_digits_are_cut_first() {
        assert_eq!(pieces("smollm", "x   7"), ["x", "   ", "7"]);
        assert_eq!(pieces("gpt-2", "x   7"), ["x", "  ", " 7"]);
    }
}
