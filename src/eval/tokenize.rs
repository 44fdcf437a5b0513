//! How BLEU cuts a line into tokens, by sacrebleu's tokenizers: 13a, intl, zh, char and none. Every one of them is a single walk over
//! the line whose tokens are slices of it. Not here: TER's own normalisation (`ter`), models' tokens (`data/tokenizer`).
//!
//! sacrebleu (2.6) tokenizes by a sequence of regular expressions that put spaces around things. [`split`] gives what is left after all of
//! them: the replacements of mteval-v13a are non-overlapping and look at one neighbour only, so that the outcome for a character
//! follows from the class of the one before, the class of the one after, and whether the one before was itself cut off by the first rule.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::EvalError;

/// A tokenizer of BLEU, by sacrebleu's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tokenizer {
    /// `13a`: that of mteval-v13a, the default.
    #[default]
    V13a,
    /// `intl`: punctuation and symbols by their Unicode categories, as in mteval-v14.
    Intl,
    /// `zh`: Chinese characters one by one, the rest as in 13a.
    Zh,
    /// `char`: every character.
    Char,
    /// `none`: what lies between white space.
    None,
}

impl Tokenizer {
    /// Those that need nothing but the text.
    pub const NAMES: [&str; 5] = ["13a", "intl", "zh", "char", "none"];

    /// A tokenizer by its name.
    /// # Errors
    /// A name that sacrebleu knows and that needs a dictionary or a model which finetop does not have, naming it; an unknown name.
    pub fn named(name: &str) -> Result<Self, EvalError> {
        let needs = |what| Err(EvalError::TokenizerNeeds { name: name.into(), what });
        match name {
            "13a" => Ok(Tokenizer::V13a),
            "intl" => Ok(Tokenizer::Intl),
            "zh" => Ok(Tokenizer::Zh),
            "char" => Ok(Tokenizer::Char),
            "none" => Ok(Tokenizer::None),
            "ja-mecab" => needs("the MeCab analyser with its IPA dictionary"),
            "ko-mecab" => needs("the MeCab analyser with its Korean dictionary"),
            "spm" | "flores101" => needs("the SentencePiece model sacrebleu_tokenizer_spm.model (FLORES-101)"),
            "flores200" => needs("the SentencePiece model of FLORES-200"),
            "spBLEU-1K" => needs("the SentencePiece model spbleu-1k_tokenizer_spm.model"),
            _ => Err(EvalError::UnknownTokenizer { name: name.into() }),
        }
    }

    /// The name, as it stands in a signature.
    pub fn name(self) -> &'static str {
        match self {
            Tokenizer::V13a => "13a",
            Tokenizer::Intl => "intl",
            Tokenizer::Zh => "zh",
            Tokenizer::Char => "char",
            Tokenizer::None => "none",
        }
    }

    /// The text that [`Tokenizer::each`] cuts: white space at the end gone, for 13a its entities and marks replaced.
    pub fn prepare(self, line: &str, lowercase: bool) -> Cow<'_, str> {
        let line = if lowercase { lower(line) } else { Cow::Borrowed(line) };
        let line = match line {
            Cow::Borrowed(line) => Cow::Borrowed(trim_end(line)),
            Cow::Owned(mut line) => {
                line.truncate(trim_end(&line).len());
                Cow::Owned(line)
            }
        };
        match self {
            // Entities alone without a line end are common; all replacements keep sacrebleu's order, so that `&amp;lt;` ends as `<`.
            Tokenizer::V13a if line.contains(['&', '<', '\n']) => Cow::Owned(
                (line.replace("<skipped>", "").replace("-\n", "").replace('\n', " "))
                    .replace("&quot;", "\"")
                    .replace("&amp;", "&")
                    .replace("&lt;", "<")
                    .replace("&gt;", ">"),
            ),
            _ => line,
        }
    }

    /// Calls `each` with the tokens of a prepared line, in order.
    pub fn each<'a>(self, line: &'a str, mut each: impl FnMut(&'a str)) {
        match self {
            Tokenizer::V13a => split(line, true, western, each),
            Tokenizer::Intl => split(line, false, international, each),
            Tokenizer::Zh => split(line.trim_matches(is_space), false, chinese, each),
            Tokenizer::Char => line
                .char_indices()
                .filter(|(_, c)| !is_space(*c))
                .for_each(|(at, c)| each(&line[at..at + c.len_utf8()])),
            Tokenizer::None => words(line).for_each(each),
        }
    }
}

/// White space as Python's `str.split` and `str.rstrip` see it: Unicode's, and the four separators of ASCII besides.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// A line without the white space at its end.
pub fn trim_end(line: &str) -> &str {
    line.trim_end_matches(is_space)
}

/// What lies between white space.
pub fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(is_space).filter(|word| !word.is_empty())
}

/// A line in lower case; not copied where it is so already and ASCII.
pub fn lower(line: &str) -> Cow<'_, str> {
    if !line.is_ascii() {
        Cow::Owned(line.to_lowercase())
    } else if line.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(line.to_ascii_lowercase())
    } else {
        Cow::Borrowed(line)
    }
}

/// What a character is to the rules of mteval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Part of a word.
    Letter,
    Space,
    /// Always a token by itself.
    Alone,
    /// Cut off unless it stands between digits: full stop and comma in 13a, all punctuation in intl.
    Point,
    Digit,
    /// Cut off after a digit.
    Dash,
}

/// What stands before a character.
#[derive(PartialEq, Eq)]
enum Before {
    Nothing,
    Digit,
    /// A point that the first rule has cut off: it cannot serve as the neighbour of the next.
    CutPoint,
    Other,
}

/// Cuts a line by the rules of mteval. With `edges`, begin and end count as white space (13a puts a space at each); without, a point
/// there has no neighbour that could cut it off.
pub fn split<'a>(line: &'a str, edges: bool, class: impl Fn(char) -> Class, mut each: impl FnMut(&'a str)) {
    let mut before = if edges { Before::Other } else { Before::Nothing };
    let mut begin = 0;
    let mut characters = line.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let (class_here, end) = (class(c), at + c.len_utf8());
        let cut_by_first_rule = class_here == Class::Point && before == Before::Other;
        let alone = match class_here {
            Class::Letter | Class::Digit => false,
            Class::Space | Class::Alone => true,
            Class::Point => {
                let next_is_no_digit = characters.peek().map_or(edges, |(_, next)| class(*next) != Class::Digit);
                cut_by_first_rule || next_is_no_digit
            }
            Class::Dash => before == Before::Digit,
        };
        if alone {
            if begin < at {
                each(&line[begin..at]);
            }
            if class_here != Class::Space {
                each(&line[at..end]);
            }
            begin = end;
        }
        before = match class_here {
            Class::Digit => Before::Digit,
            _ if cut_by_first_rule => Before::CutPoint,
            _ => Before::Other,
        };
    }
    if begin < line.len() {
        each(&line[begin..]);
    }
}

/// The classes of 13a: ASCII's punctuation without apostrophe, and nothing beyond ASCII but white space.
pub fn western(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Digit,
        '.' | ',' => Class::Point,
        '-' => Class::Dash,
        '!'..='&' | '('..='+' | '/' | ':'..='@' | '['..='`' | '{'..='~' => Class::Alone,
        c if is_space(c) => Class::Space,
        _ => Class::Letter,
    }
}

fn chinese(c: char) -> Class {
    // sacrebleu means to name U+20000 to U+2A6D6 and U+2F800 to U+2FA1D with escapes that Python reads as four digits and a letter;
    // compared as text, the ranges are U+2001 to U+2A6D and U+2F81 to U+2FA1. Its scores are what people compare with.
    match c {
        c if is_space(c) => Class::Space,
        '\u{2001}'..='\u{2a6d}'
        | '\u{2e80}'..='\u{2fdf}'
        | '\u{2ff0}'..='\u{303f}'
        | '\u{3100}'..='\u{312f}'
        | '\u{31a0}'..='\u{31bf}'
        | '\u{31c0}'..='\u{31ef}'
        | '\u{3200}'..='\u{4db5}'
        | '\u{4e00}'..='\u{9fbb}'
        | '\u{f900}'..='\u{fa2d}'
        | '\u{fa30}'..='\u{fa6a}'
        | '\u{fa70}'..='\u{fad9}'
        | '\u{fe10}'..='\u{fe1f}'
        | '\u{fe30}'..='\u{fe4f}'
        | '\u{ff00}'..='\u{ffef}' => Class::Alone,
        c => western(c),
    }
}

fn international(c: char) -> Class {
    static RANGES: LazyLock<Vec<(char, char, Class)>> = LazyLock::new(|| {
        let mut ranges: Vec<_> = [(r"\p{N}", Class::Digit), (r"\p{P}", Class::Point), (r"\p{S}", Class::Alone)]
            .into_iter()
            .flat_map(|(name, class)| category(name).into_iter().map(move |(low, high)| (low, high, class)))
            .collect();
        ranges.sort_by_key(|(low, ..)| *low);
        ranges
    });
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Digit,
        c if is_space(c) => Class::Space,
        c => {
            let at = RANGES.partition_point(|(_, high, _)| *high < c);
            RANGES.get(at).filter(|(low, ..)| *low <= c).map_or(Class::Letter, |(.., class)| *class)
        }
    }
}

/// The characters of a general category, as ranges.
fn category(name: &str) -> Vec<(char, char)> {
    use regex_syntax::hir::{Class as Hir, HirKind};
    let parsed = regex_syntax::parse(name).expect("a general category of Unicode");
    match parsed.into_kind() {
        HirKind::Class(Hir::Unicode(class)) => {
            class.ranges().iter().map(|range| (range.start(), range.end())).collect()
        }
        _ => Vec::new(),
    }
}
