//! Text from outside as lines of roles: broken to a width, bounded in length, and safe for a terminal. What the lines say is in `trace` and
//! `result`.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::ui::format;
use crate::ui::theme::Role;
use crate::ui::widgets::Words;
use crate::units::{beginning, printable};

/// So much of a text is shown, in bytes; a frame has to be quick, whatever a model wrote.
pub const LONGEST: usize = 16 << 10;

/// Lines in the making.
#[derive(Debug)]
pub struct Sheet {
    width: usize,
    pub lines: Vec<Words>,
}

impl Sheet {
    pub fn new(width: u16) -> Self {
        Sheet { width: usize::from(width.max(8)), lines: Vec::new() }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// Sets what follows apart, with its name.
    pub fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.lines.push(Words::new());
        }
        self.line(&[(text, Role::Title)]);
    }

    /// A text with its own lines.
    pub fn text(&mut self, text: &str, role: Role) {
        let shown = beginning(text, LONGEST);
        if shown.is_empty() {
            self.line(&[("(empty)", Role::Faint)]);
        }
        for line in shown.lines() {
            self.line(&[(&line.replace('\t', "    "), role)]);
        }
        self.cut(text.len() - shown.len());
    }

    /// The end of a text that grows.
    pub fn end_of(&mut self, text: &str, role: Role) {
        let from = beginning(text, text.len().saturating_sub(LONGEST)).len();
        if from > 0 {
            self.line(&[("its end; all of it when it is done", Role::Faint)]);
        }
        self.text(&text[from..], role);
    }

    /// Says how much of a text is not shown.
    pub fn cut(&mut self, bytes: usize) {
        if bytes > 0 {
            self.line(&[(&format!("and {} more bytes", format::count(bytes as u64)), Role::Faint)]);
        }
    }

    /// Pieces one after the other, broken between words where there are any; a line that goes on is set in by as many blanks as it began with.
    pub fn line(&mut self, pieces: &[(&str, Role)]) {
        let first = pieces.first().map_or("", |(text, _)| text);
        let lead = (first.len() - first.trim_start_matches(' ').len()).min(self.width / 2);
        let mut line = Words::new();
        let mut used = 0;
        // Whether the line has more than its lead: a word may not move to a next line for ever.
        let mut has_words = false;
        let next = |line: &mut Words, lines: &mut Vec<Words>| {
            lines.push(std::mem::take(line));
            if lead > 0 {
                line.push((Cow::Owned(" ".repeat(lead)), Role::Text));
            }
            lead
        };
        for (text, role) in pieces {
            let text = printable(text);
            for word in text.split_inclusive(' ') {
                if has_words && used + word.trim_end().width() > self.width {
                    (used, has_words) = (next(&mut line, &mut self.lines), false);
                }
                for grapheme in word.graphemes(true) {
                    let wide = grapheme.width();
                    if used > lead && used + wide > self.width {
                        // A blank at the end of a full line is not carried over.
                        if grapheme == " " {
                            continue;
                        }
                        used = next(&mut line, &mut self.lines);
                    }
                    match line.last_mut() {
                        Some((last, same)) if same == role => last.to_mut().push_str(grapheme),
                        _ => line.push((Cow::Owned(grapheme.to_owned()), *role)),
                    }
                    used += wide;
                    has_words |= grapheme != " ";
                }
            }
        }
        self.lines.push(line);
    }
}
