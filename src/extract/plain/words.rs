//! Many words that are looked for in a sentence at once: each place is looked at once, and most places begin none of them.
//! What the words say is `remarks`'s.

/// Words, by their first bytes.
pub struct Words {
    /// By the first byte.
    words: Vec<Vec<&'static str>>,
    /// A bit for each pair of bytes that one begins with.
    pairs: [u64; PAIRS / 64],
}

const PAIRS: usize = 1 << 12;

/// The word and the bit in it that stand for the two bytes.
fn bit(first: u8, second: u8) -> (usize, u64) {
    let pair = (usize::from(first) * 61 + usize::from(second)) % PAIRS;
    (pair / 64, 1 << (pair % 64))
}

impl Words {
    /// Each of two bytes and more.
    pub fn of(words: impl IntoIterator<Item = &'static str>) -> Self {
        let mut made = Self { words: vec![Vec::new(); 256], pairs: [0; PAIRS / 64] };
        for word in words {
            if let [first, second, ..] = word.as_bytes() {
                let (at, bit) = bit(*first, *second);
                made.pairs[at] |= bit;
                made.words[usize::from(*first)].push(word);
            }
        }
        made
    }

    /// Whether one of them stands anywhere in the text.
    pub fn are_in(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        bytes.windows(2).enumerate().any(|(at, pair)| {
            let (word, bit) = bit(pair[0], pair[1]);
            self.pairs[word] & bit != 0
                && self.words[usize::from(pair[0])].iter().any(|word| bytes[at..].starts_with(word.as_bytes()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_wherever_they_stand() {
        let words = Words::of(["sold out", "취소된", "no longer"]);
        for text in ["sold out", "it is sold out.", "이 거래는 취소된 것", "no longer"] {
            assert!(words.are_in(text), "{text}");
        }
        for text in ["", "s", "sold", "취소", "nolonger", "so no long"] {
            assert!(!words.are_in(text), "{text}");
        }
    }
}
