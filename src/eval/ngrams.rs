//! The n-grams of a hypothesis as a tree, in which those of a reference are looked up: exact, for any order and any alphabet.
//! Not here: what is counted (`bleu`, `chrf`), what a symbol is.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The number of a word that has none.
const UNKNOWN: u32 = u32::MAX;

/// Words as numbers, in the order of their first occurrence.
#[derive(Default)]
pub struct Words<'a>(HashMap<&'a str, u32, BuildHasherDefault<WordHasher>>);

impl<'a> Words<'a> {
    /// The number of a word, a new one if need be.
    pub fn number(&mut self, word: &'a str) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(word).or_insert(next)
    }

    /// The number of a word, `u32::MAX` where it has none.
    pub fn find(&self, word: &str) -> u32 {
        self.0.get(word).copied().unwrap_or(UNKNOWN)
    }
}

/// A quick hash for short words; nobody gains by making them collide.
#[derive(Default)]
pub struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(SPREAD);
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}

/// 2^64 divided by the golden ratio, odd.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// All n-grams of a sequence of symbols up to an order, each one a node below its own beginning.
pub struct Ngrams {
    order: usize,
    /// (parent, symbol) → child, open addressing; 0 is free, for no child is the root.
    keys: Vec<u64>,
    children: Vec<u32>,
    /// How often each node occurs; the root is node 0.
    counts: Vec<u32>,
}

impl Ngrams {
    /// Counts the n-grams of orders 1 to `order`.
    pub fn of(symbols: &[u32], order: usize) -> Self {
        let slots = (symbols.len() * order.min(4) * 2).next_power_of_two().max(16);
        let mut ngrams = Ngrams { order, keys: vec![0; slots], children: vec![0; slots], counts: vec![0] };
        for at in 0..symbols.len() {
            let mut node = 0;
            for symbol in symbols[at..].iter().take(order) {
                node = ngrams.child_or_new(node, *symbol);
                ngrams.counts[node as usize] += 1;
            }
        }
        ngrams
    }

    /// How often each node occurs in the sequence itself. The root, node 0, stands for nothing.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Calls `each` with node and order of every n-gram of `symbols` that the tree has.
    pub fn find(&self, symbols: &[u32], mut each: impl FnMut(usize, usize)) {
        for at in 0..symbols.len() {
            let mut node = 0;
            for (below, symbol) in symbols[at..].iter().take(self.order).enumerate() {
                // Where an n-gram is missing, so are all that begin with it.
                let Some(child) = self.child(node, *symbol) else { break };
                node = child;
                each(node as usize, below + 1);
            }
        }
    }

    fn child(&self, parent: u32, symbol: u32) -> Option<u32> {
        let slot = self.slot(key(parent, symbol));
        (self.keys[slot] != 0).then(|| self.children[slot])
    }

    fn child_or_new(&mut self, parent: u32, symbol: u32) -> u32 {
        let slot = self.slot(key(parent, symbol));
        if self.keys[slot] != 0 {
            return self.children[slot];
        }
        let child = self.counts.len() as u32;
        (self.keys[slot], self.children[slot]) = (key(parent, symbol), child);
        self.counts.push(0);
        if self.counts.len() * 2 > self.keys.len() {
            self.grow();
        }
        child
    }

    /// Where a key is, or where it would go.
    fn slot(&self, key: u64) -> usize {
        let mask = self.keys.len() - 1;
        let mut slot = (key.wrapping_mul(SPREAD) >> (64 - self.keys.len().trailing_zeros())) as usize;
        while self.keys[slot] != 0 && self.keys[slot] != key {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let slots = self.keys.len() * 2;
        let keys = std::mem::replace(&mut self.keys, vec![0; slots]);
        let children = std::mem::replace(&mut self.children, vec![0; slots]);
        for (key, child) in keys.into_iter().zip(children).filter(|(key, _)| *key != 0) {
            let slot = self.slot(key);
            (self.keys[slot], self.children[slot]) = (key, child);
        }
    }
}

/// Never 0: the parent counts from one.
fn key(parent: u32, symbol: u32) -> u64 {
    (u64::from(parent) + 1) << 32 | u64::from(symbol)
}

/// How many n-grams of an order a sequence has.
pub fn how_many(symbols: usize, order: usize) -> usize {
    (symbols + 1).saturating_sub(order)
}
