//! A short text made ready for reading: width, dashes, spaces and numeral characters folded, one `char` for one `char`.
//! What numbers and times are is not known here. Next: `number` and `time`.

use super::index::Index;
pub(super) use crate::extract::schema::names::is_alphanumeric;

/// Longer texts are neither a number nor a time, so that everything built on this stays small.
const LONGEST_BYTES: usize = 1024;

/// The folded text, by characters; a place in it is an index, and any index is allowed.
pub(super) struct Text {
    /// Lower-case.
    chars: Vec<char>,
    /// The same with its case, for the few signs where it decides: M is mega, m may be metres.
    cased: Vec<char>,
}

impl Text {
    /// None for a text that is blank or over 1 KiB.
    pub(super) fn new(text: &str) -> Option<Self> {
        if text.len() > LONGEST_BYTES || text.trim().is_empty() {
            return None;
        }
        let text = text.trim();
        let cased = compose(text.chars().map(fold), text.len());
        let chars = cased.iter().map(char::to_ascii_lowercase).collect();
        Some(Self { chars, cased })
    }

    pub(super) fn len(&self) -> usize {
        self.chars.len()
    }

    /// The character there, NUL past the end.
    pub(super) fn at(&self, place: usize) -> char {
        self.chars.get(place).copied().unwrap_or('\0')
    }

    /// The character there with its case.
    pub(super) fn cased(&self, place: usize) -> char {
        self.cased.get(place).copied().unwrap_or('\0')
    }

    /// The character before, a space at the start.
    pub(super) fn before(&self, place: usize) -> char {
        if place == 0 { ' ' } else { self.at(place - 1) }
    }

    pub(super) fn is_digit(&self, place: usize) -> bool {
        self.at(place).is_ascii_digit()
    }

    /// Where `word` (lower-case) ends if it stands there. A Latin word must end where the text's word does.
    pub(super) fn eat(&self, place: usize, word: &str) -> Option<usize> {
        let mut end = place;
        let mut latin = false;
        for wanted in word.chars() {
            if self.at(end) != wanted {
                return None;
            }
            latin = wanted.is_ascii_alphabetic();
            end += 1;
        }
        (!latin || !self.at(end).is_ascii_alphanumeric()).then_some(end)
    }

    /// The longest of `words` that stands there: which, and where it ends.
    pub(super) fn longest(&self, place: usize, words: &[&str]) -> Option<(usize, usize)> {
        let begins = self.begins(place);
        let near = words.iter().enumerate().filter(|(_, word)| begins.of(word));
        let ends = near.filter_map(|(index, word)| Some((index, self.eat(place, word)?)));
        ends.max_by_key(|&(_, end)| end)
    }

    /// The longest of a table's words that stands there: its meaning, and where it ends.
    pub(super) fn meaning<T: Copy>(&self, place: usize, table: &[(&str, T)]) -> Option<(T, usize)> {
        let begins = self.begins(place);
        let near = table.iter().filter(|(word, _)| begins.of(word));
        let ends = near.filter_map(|&(word, meaning)| Some((meaning, self.eat(place, word)?)));
        ends.max_by_key(|&(_, end)| end)
    }

    fn begins(&self, place: usize) -> Begins {
        let mut bytes = [0; 4];
        let length = self.at(place).encode_utf8(&mut bytes).len();
        Begins { bytes, length }
    }

    /// As [`Text::meaning`], of a long table.
    pub(super) fn among<T: Copy>(&self, place: usize, table: &Index<T>) -> Option<(T, usize)> {
        self.meaning(place, table.beginning(self.at(place)))
    }

    pub(super) fn skip_spaces(&self, mut place: usize) -> usize {
        while self.at(place) == ' ' {
            place += 1;
        }
        place
    }

    /// Up to `most` digits from there as a number, and where they end.
    pub(super) fn digits(&self, place: usize, most: usize) -> Option<(i64, usize)> {
        let mut end = place;
        let mut value = 0i64;
        while self.is_digit(end) {
            if end - place == most {
                return None;
            }
            value = value.checked_mul(10)?.checked_add(i64::from(self.at(end).to_digit(10)?))?;
            end += 1;
        }
        (end > place).then_some((value, end))
    }

    /// The letters, digits and apostrophes from there on, and where they end.
    pub(super) fn word(&self, place: usize) -> (String, usize) {
        let end = self.word_end(place);
        (self.chars.get(place..end).unwrap_or_default().iter().collect(), end)
    }

    /// Where they end.
    pub(super) fn word_end(&self, place: usize) -> usize {
        let part = |character: &char| is_alphanumeric(*character) || *character == '\'';
        let rest = self.chars.get(place..).unwrap_or_default();
        place + rest.iter().position(|character| !part(character)).unwrap_or(rest.len())
    }

    pub(super) fn has_digit(&self, from: usize, to: usize) -> bool {
        self.chars.get(from..to.min(self.len())).is_some_and(|part| part.iter().any(char::is_ascii_digit))
    }

    pub(super) fn has_hangul(&self) -> bool {
        self.chars.iter().any(|&character| is_hangul(character))
    }

    /// Whether one of `words` stands anywhere (a Latin one as a whole word).
    pub(super) fn mentions(&self, words: &Index<()>) -> bool {
        (0..self.len()).any(|place| {
            let inside = self.at(place).is_ascii_alphabetic() && self.before(place).is_ascii_alphabetic();
            !inside && self.among(place, words).is_some()
        })
    }
}

/// A character's bytes. Most words of a table begin with another, and that is cheap to see: tables are long, and asked at every place.
struct Begins {
    bytes: [u8; 4],
    length: usize,
}

impl Begins {
    /// Whether a word begins with the character.
    fn of(&self, word: &str) -> bool {
        let word = word.as_bytes();
        let same = |at: usize| word.get(at) == self.bytes.get(at);
        same(0) && (self.length == 1 || same(1) && (2..self.length).all(same))
    }
}

/// The tags of what is struck out.
const STRUCK: [&str; 3] = ["s", "del", "strike"];

/// Whether a part of a text is struck out: `~~red~~ blue`, `<s>yes</s>`. What is struck out is not said.
pub(super) fn has_struck(text: &str) -> bool {
    // Most texts have neither sign, and that is cheap to see.
    let has = |sign: u8| text.as_bytes().contains(&sign);
    // Three are a fence's.
    has(b'~') && !text.contains("~~~") && text.find("~~").is_some_and(|at| text[at + 2..].contains("~~"))
        || has(b'<') && STRUCK.iter().any(|tag| text.split("</").skip(1).any(|rest| closes(rest, tag).is_some()))
}

/// Whether the whole of it is.
pub(in crate::extract) fn is_struck(text: &str) -> bool {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("~~") {
        return rest.find("~~").is_some_and(|end| end > 0 && end + 2 == rest.len());
    }
    let Some(rest) = text.strip_prefix('<') else { return false };
    STRUCK.iter().any(|tag| {
        let said = closes(rest, tag).and_then(|said| said.split_once("</"));
        said.is_some_and(|(_, rest)| closes(rest, tag) == Some(""))
    })
}

/// What stands behind a tag's name and its end.
fn closes<'t>(rest: &'t str, tag: &str) -> Option<&'t str> {
    let name = rest.get(..tag.len()).filter(|name| name.eq_ignore_ascii_case(tag))?;
    rest[name.len()..].strip_prefix('>')
}

pub(super) fn is_hangul(character: char) -> bool {
    ('가'..='힣').contains(&character)
}

/// Full-width forms to ASCII, kinds of dash and space to one, numeral Hanja to Hangul.
fn fold(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}' | '\u{2019}' => '\'',
        '￦' => '₩',
        '￥' => '¥',
        '一' | '壹' => '일',
        '二' | '貳' => '이',
        '三' | '參' => '삼',
        '四' => '사',
        '五' => '오',
        '六' => '육',
        '七' => '칠',
        '八' => '팔',
        '九' => '구',
        '十' | '拾' => '십',
        '百' => '백',
        '千' => '천',
        '萬' | '万' => '만',
        '億' => '억',
        '兆' => '조',
        '〇' | '零' => '영',
        '年' => '년',
        '月' => '월',
        '日' => '일',
        '時' => '시',
        '分' => '분',
        '秒' => '초',
        space if space.is_whitespace() => ' ',
        other => other,
    }
}

/// Hangul written as single letters (as macOS stores file names) to syllables; Unicode 17, §3.12.
fn compose(letters: impl Iterator<Item = char>, room: usize) -> Vec<char> {
    let mut composed: Vec<char> = Vec::with_capacity(room);
    for letter in letters {
        let (last, code) = (composed.last().map_or(0, |&last| u32::from(last)), u32::from(letter));
        let joined = match (last, code) {
            (0x1100..=0x1112, 0x1161..=0x1175) => 0xac00 + ((last - 0x1100) * 21 + (code - 0x1161)) * 28,
            (0xac00..=0xd7a3, 0x11a8..=0x11c2) if (last - 0xac00) % 28 == 0 => last + (code - 0x11a7),
            _ => 0,
        };
        match char::from_u32(joined).filter(|_| joined != 0) {
            Some(syllable) => {
                composed.pop();
                composed.push(syllable);
            }
            None => composed.push(letter),
        }
    }
    composed
}
