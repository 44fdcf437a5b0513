//! A line of text that a person edits: what was typed, and where the cursor stands. How it is drawn is in `widgets::field`.

use unicode_segmentation::UnicodeSegmentation;

use crate::ui::message::Key;

/// No one types more; what is pasted beyond it is cut.
const LONGEST: usize = 4096;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    text: String,
    /// In bytes, at the border of a grapheme.
    cursor: usize,
}

impl Field {
    /// With the cursor at the end.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Field { cursor: text.len(), text }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor, and what from it on.
    pub fn halves(&self) -> (&str, &str) {
        self.text.split_at(self.cursor)
    }

    /// Takes a key that edits; false when it means nothing here, such as Enter or Esc.
    pub fn key(&mut self, key: Key) -> bool {
        match key {
            Key::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Backspace => {
                let from = self.before();
                self.text.replace_range(from..self.cursor, "");
                self.cursor = from;
            }
            Key::Delete | Key::Ctrl('d') => {
                let to = self.after();
                self.text.replace_range(self.cursor..to, "");
            }
            Key::Left | Key::Ctrl('b') => self.cursor = self.before(),
            Key::Right | Key::Ctrl('f') => self.cursor = self.after(),
            Key::Home | Key::Ctrl('a') => self.cursor = 0,
            Key::End | Key::Ctrl('e') => self.cursor = self.text.len(),
            Key::Ctrl('u') => {
                self.text.replace_range(..self.cursor, "");
                self.cursor = 0;
            }
            Key::Ctrl('k') => self.text.truncate(self.cursor),
            Key::Ctrl('w') => {
                let kept = self.text[..self.cursor].trim_end();
                let from = kept
                    .rfind(char::is_whitespace)
                    .map_or(0, |at| at + kept[at..].chars().next().map_or(1, char::len_utf8));
                self.text.replace_range(from..self.cursor, "");
                self.cursor = from;
            }
            _ => return false,
        }
        true
    }

    /// Puts text in at the cursor: one line of it, without what a terminal would take for a command.
    pub fn insert(&mut self, text: &str) {
        let line: String = text.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| !c.is_control()).collect();
        let mut room = LONGEST.saturating_sub(self.text.len()).min(line.len());
        while !line.is_char_boundary(room) {
            room -= 1;
        }
        self.text.insert_str(self.cursor, &line[..room]);
        self.cursor += room;
        // A combining character may have joined what stands before or after the cursor.
        let border = self.borders().find(|&at| at >= self.cursor);
        self.cursor = border.unwrap_or(self.text.len());
    }

    fn borders(&self) -> impl Iterator<Item = usize> + '_ {
        self.text.grapheme_indices(true).map(|(at, _)| at).chain([self.text.len()])
    }

    fn before(&self) -> usize {
        self.borders().take_while(|&at| at < self.cursor).last().unwrap_or(0)
    }

    fn after(&self) -> usize {
        self.borders().find(|&at| at > self.cursor).unwrap_or(self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[Key]) -> Field {
        let mut field = Field::default();
        keys.iter().for_each(|&k| _ = field.key(k));
        field
    }

    #[test]
    fn text_is_edited_by_what_a_person_sees_as_characters() {
        let mut field = Field::new("중고 e\u{301}");
        field.key(Key::Backspace);
        assert_eq!(field.text(), "중고 ", "the accent goes with its letter");
        field.key(Key::Home);
        field.key(Key::Right);
        field.key(Key::Char('x'));
        assert_eq!(field.halves(), ("중x", "고 "));
        field.key(Key::Ctrl('u'));
        assert_eq!(field.text(), "고 ");
    }

    #[test]
    fn a_word_is_rubbed_out_and_other_keys_mean_nothing() {
        let mut field = Field::new("learning rate  2e-4");
        assert!(field.key(Key::Ctrl('w')));
        assert_eq!(field.text(), "learning rate  ");
        field.key(Key::Ctrl('w'));
        assert_eq!(field.text(), "learning ");
        assert!(!field.key(Key::Enter) && !field.key(Key::Esc) && !field.key(Key::Up));
    }

    #[test]
    fn what_is_pasted_is_one_line_and_bounded() {
        let mut field = typed(&[Key::Char('a'), Key::Char('b'), Key::Left]);
        field.insert("x\n\u{1b}[31my\tz");
        assert_eq!(field.text(), "ax[31my zb");
        field.insert(&"중".repeat(5_000));
        assert!(field.text().len() <= LONGEST);
    }
}
