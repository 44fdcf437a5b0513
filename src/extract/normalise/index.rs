//! A table of words by their first characters: long tables are asked at every place of a text, and most places begin no word of theirs.
//! The tables are `counters`' and `time`'s; what stands at a place is `text`'s to see.

/// Words, each with its meaning, in the order of their first characters; those of one character in the table's order.
pub(super) struct Index<T> {
    words: Vec<(&'static str, T)>,
    /// Each first character, and where the words that begin with it begin.
    firsts: Vec<(char, usize)>,
    /// A bit for each first character, by its last bits: most characters are none, and that is told without a search.
    near: [u64; NEAR / 64],
}

/// How many bits there are to tell first characters by.
const NEAR: usize = 1_024;

/// The word and the bit in it that stand for a character.
fn bit(character: char) -> (usize, u64) {
    let low = character as usize % NEAR;
    (low / 64, 1 << (low % 64))
}

impl<T> Index<T> {
    pub(super) fn new(words: impl IntoIterator<Item = (&'static str, T)>) -> Self {
        let mut words: Vec<(&str, T)> = words.into_iter().collect();
        words.sort_by_key(|(word, _)| word.chars().next());
        let mut firsts: Vec<(char, usize)> = Vec::new();
        let mut near = [0; NEAR / 64];
        for (at, (word, _)) in words.iter().enumerate() {
            let first = word.chars().next().unwrap_or_default();
            if firsts.last().is_none_or(|(last, _)| *last != first) {
                firsts.push((first, at));
                let (at, bit) = bit(first);
                near[at] |= bit;
            }
        }
        Self { words, firsts, near }
    }

    /// The words that begin with this character.
    pub(super) fn beginning(&self, first: char) -> &[(&'static str, T)] {
        let (at, bit) = bit(first);
        if self.near[at] & bit == 0 {
            return &[];
        }
        let Ok(at) = self.firsts.binary_search_by_key(&first, |(first, _)| *first) else { return &[] };
        let end = self.firsts.get(at + 1).map_or(self.words.len(), |(_, end)| *end);
        &self.words[self.firsts[at].1..end]
    }
}

impl Index<()> {
    /// Of words that mean nothing but themselves.
    pub(super) fn of(words: &[&'static str]) -> Self {
        Self::new(words.iter().map(|word| (*word, ())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_their_first_character_in_the_tables_order() {
        let index = Index::new([("나이", 0), ("가", 1), ("years", 2), ("나", 3)]);
        assert_eq!(index.beginning('나'), [("나이", 0), ("나", 3)]);
        assert_eq!(index.beginning('y'), [("years", 2)]);
        assert!(index.beginning('다').is_empty() && Index::of(&[]).beginning('a').is_empty());
    }
}
