//! Text of tokens as they come: whole characters, in time that grows with the text and not with its square, and the strings that end it.

use crate::data::tokenizer::Tokenizer;

/// Tokens without a whole character after which the bytes are taken for broken: a character has at most four.
const BROKEN_AFTER: usize = 8;

/// Turns tokens into pieces of text.
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    tokens: Vec<u32>,
    /// Where decoding begins: a token that was shown, since some decoders treat the first one otherwise.
    from: usize,
    /// Tokens whose text was told.
    told: usize,
}

impl<'a> TextStream<'a> {
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        TextStream { tokenizer, tokens: Vec::new(), from: 0, told: 0 }
    }

    /// The text that a token adds: nothing while a character is not whole.
    pub fn push(&mut self, token: u32) -> String {
        self.tokens.push(token);
        let piece = self.untold();
        if piece.ends_with('\u{fffd}') && self.tokens.len() - self.told < BROKEN_AFTER {
            return String::new();
        }
        (self.from, self.told) = (self.told, self.tokens.len());
        piece
    }

    /// What is left at the end, broken characters too.
    pub fn finish(&mut self) -> String {
        let piece = self.untold();
        (self.from, self.told) = (self.told, self.tokens.len());
        piece
    }

    fn untold(&self) -> String {
        let told = self.tokenizer.decode(&self.tokens[self.from..self.told]);
        let mut all = self.tokenizer.decode(&self.tokens[self.from..]);
        // Tokens may make another text together than apart; then the new part alone is the best that is known.
        match all.starts_with(&told) {
            true => all.split_off(told.len()),
            false => self.tokenizer.decode(&self.tokens[self.told..]),
        }
    }
}

/// Strings that end a text; they are not part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stops(Vec<String>);

impl Stops {
    /// Empty strings are left out: they would end every text at once.
    pub fn new(stops: impl IntoIterator<Item = String>) -> Self {
        Stops(stops.into_iter().filter(|s| !s.is_empty()).collect())
    }

    /// Where the first of them begins.
    fn find(&self, text: &str) -> Option<usize> {
        self.0.iter().filter_map(|stop| text.find(stop.as_str())).min()
    }

    /// Whether the newest of `tokens` completes one; only the tokens that could hold it are decoded.
    pub fn hit(&self, tokenizer: &Tokenizer, tokens: &[u32]) -> bool {
        let Some(longest) = self.0.iter().map(String::len).max() else { return false };
        // A token is at least a byte; a few more for those that have no text.
        let tail = &tokens[tokens.len().saturating_sub(longest + BROKEN_AFTER)..];
        self.find(&tokenizer.decode(tail)).is_some()
    }

    /// `text` up to the first of them.
    pub fn cut<'t>(&self, text: &'t str) -> &'t str {
        &text[..self.find(text).unwrap_or(text.len())]
    }

    /// The bytes at the end of `text` that might be the beginning of one.
    fn begun(&self, text: &str) -> usize {
        let begun = |stop: &String| {
            (1..stop.len().min(text.len() + 1)).rev().find(|n| text.as_bytes().ends_with(&stop.as_bytes()[..*n]))
        };
        let bytes = self.0.iter().filter_map(begun).max().unwrap_or(0);
        // A beginning that is half a character begins nothing.
        if text.is_char_boundary(text.len() - bytes) { bytes } else { 0 }
    }
}

/// Pieces of text on their way out: what might be the beginning of a stop waits until it is known.
pub struct HeldBack<'a> {
    stops: &'a Stops,
    held: String,
    ended: bool,
}

impl<'a> HeldBack<'a> {
    pub fn new(stops: &'a Stops) -> Self {
        HeldBack { stops, held: String::new(), ended: false }
    }

    /// The text that may be shown after this piece came.
    pub fn push(&mut self, piece: &str) -> String {
        if self.ended {
            return String::new();
        }
        self.held.push_str(piece);
        if let Some(at) = self.stops.find(&self.held) {
            self.ended = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let sure = self.held.len() - self.stops.begun(&self.held);
        let rest = self.held.split_off(sure);
        std::mem::replace(&mut self.held, rest)
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn tokenizer() -> Tokenizer {
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama/tokenizer.json");
        Tokenizer::from_json(&tiny, None).unwrap()
    }

    #[test]
    fn pieces_are_whole_characters_and_together_the_text() {
        let tokenizer = tokenizer();
        for text in ["The old bicycle waits at 18:30.", "한강 🙂 Ünïcödé\n\n x", "", " ", "a\u{301}"] {
            let tokens = tokenizer.encode(text).unwrap();
            let mut stream = TextStream::new(&tokenizer);
            let mut pieces: Vec<String> = tokens.iter().map(|t| stream.push(*t)).collect();
            assert!(pieces.iter().all(|p| !p.contains('\u{fffd}')), "{pieces:?}");
            pieces.push(stream.finish());
            assert_eq!(pieces.concat(), tokenizer.decode(&tokens));
        }
    }

    #[test]
    fn broken_bytes_are_told_and_do_not_hold_up_what_follows() {
        let tokenizer = tokenizer();
        let half = tokenizer.encode("한").unwrap()[0];
        let mut stream = TextStream::new(&tokenizer);
        let told: String = (0..20).map(|_| stream.push(half)).collect();
        assert!(told.chars().count() >= 16 && told.chars().all(|c| c == '\u{fffd}'), "{told:?}");
    }

    #[test]
    fn a_stop_is_never_shown_not_even_its_beginning() {
        let stops = Stops::new(["\nUser:".to_owned(), "END".to_owned(), String::new()]);
        let shown = |pieces: &[&str]| {
            let mut held = HeldBack::new(&stops);
            let mut shown: Vec<String> = pieces.iter().map(|p| held.push(p)).collect();
            shown.push(held.finish());
            shown
        };
        assert_eq!(shown(&["Hello\n", "Us", "er: no"]), ["Hello", "", "", ""]);
        assert_eq!(shown(&["Hello\n", "Us", "ual"]), ["Hello", "", "\nUsual", ""]);
        assert_eq!(shown(&["E", "N"]), ["", "", "EN"]);
        assert_eq!(stops.cut("one END two\nUser:"), "one ");
        let tokenizer = tokenizer();
        let tokens = tokenizer.encode("the END of").unwrap();
        assert!(stops.hit(&tokenizer, &tokens) && !stops.hit(&tokenizer, &tokens[..1]));
    }
}
