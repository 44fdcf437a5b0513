//! A row of a report by itself: its numbers, the way from the nearest reference to the hypothesis, prompt and all references. The lines
//! are made once, when the page is opened or the screen has another size: a text may be long.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::eval::diff::{self, Side};
use crate::eval::report::{Ended, ReportRow};
use crate::ui::format;
use crate::units::{beginning, printable};

/// So much of a text is shown; more of it is in the file.
const LONGEST: usize = 64 << 10;

/// What a part of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Heading,
    Label,
    Text,
    /// In the reference alone.
    Missing,
    /// In the hypothesis alone.
    Added,
}

pub type Line = Vec<(Part, String)>;

#[derive(Debug, Clone)]
pub struct Page {
    pub row: ReportRow,
    nearest: Option<usize>,
    pub lines: Vec<Line>,
    /// The first line that is shown.
    pub scroll: usize,
}

/// Why a row ended, in words.
pub fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::EndToken => "by its end token",
        Ended::StopString => "by a stop string",
        Ended::MaxNewTokens => "cut at the most new tokens",
    }
}

impl Page {
    pub fn new(row: &ReportRow, screen: (u16, u16)) -> Self {
        let mut page = Page { row: row.clone(), nearest: diff::nearest(row), lines: Vec::new(), scroll: 0 };
        page.lay_out(screen);
        page
    }

    /// Breaks the lines anew, for a screen of another size.
    pub fn lay_out(&mut self, screen: (u16, u16)) {
        let width = screen.0.saturating_sub(4).max(8) as usize;
        let row = &self.row;
        let mut lines = Lines { width, lines: Vec::new() };
        lines.line(&[
            (Part::Label, "BLEU "),
            (Part::Text, &format!("{:.2}", row.bleu)),
            (Part::Label, "  chrF "),
            (Part::Text, &format!("{:.2}", row.chrf)),
            (Part::Label, "  tokens "),
            (Part::Text, &format::count(row.tokens)),
            (Part::Label, " after "),
            (Part::Text, &format::count(row.prompt_tokens)),
            (Part::Label, "  in "),
            (Part::Text, &format::took(row.duration_us)),
            (Part::Label, "  ended "),
            (Part::Text, ended(row.ended)),
        ]);
        if let Some(nearest) = self.nearest.and_then(|at| row.references.get(at)) {
            lines.lines.push(Line::new());
            lines.line(&[
                (Part::Heading, "from the nearest reference to the hypothesis  "),
                (Part::Missing, "[-missing-]"),
                (Part::Label, " "),
                (Part::Added, "{+added+}"),
            ]);
            let pieces = diff::words(beginning(nearest, LONGEST), beginning(&row.hypothesis, LONGEST));
            let pieces: Vec<(Part, String)> = pieces
                .into_iter()
                .map(|piece| {
                    let text = printable(&piece.text);
                    let (blank, text) = text.strip_prefix(' ').map_or(("", text.as_str()), |rest| (" ", rest));
                    // Marks as of a diff by words: colours alone would say nothing to some.
                    match piece.side {
                        Side::Both => (Part::Text, format!("{blank}{text}")),
                        Side::Reference => (Part::Missing, format!("{blank}[-{text}-]")),
                        Side::Hypothesis => (Part::Added, format!("{blank}{{+{text}+}}")),
                    }
                })
                .collect();
            let pieces: Vec<(Part, &str)> = pieces.iter().map(|(part, text)| (*part, text.as_str())).collect();
            lines.line(&pieces);
        }
        lines.heading("hypothesis");
        lines.text(&row.hypothesis);
        for (at, reference) in row.references.iter().enumerate() {
            let nearest = if self.nearest == Some(at) && row.references.len() > 1 { ", the nearest" } else { "" };
            lines.heading(&format!("reference {} of {}{nearest}", at + 1, row.references.len()));
            lines.text(reference);
        }
        lines.heading("prompt");
        lines.text(&row.prompt);
        self.lines = lines.lines;
        self.scroll_by(0, screen);
    }

    /// Lines that a screen shows at once: header, footer and the panel's edges are taken.
    pub fn page(screen: (u16, u16)) -> usize {
        screen.1.saturating_sub(4).max(1) as usize
    }

    pub fn scroll_by(&mut self, lines: isize, screen: (u16, u16)) {
        let end = self.lines.len().saturating_sub(Page::page(screen));
        self.scroll = self.scroll.saturating_add_signed(lines).min(end);
    }

    /// What is copied: the row as a line of the report has it.
    pub fn json(row: &ReportRow) -> String {
        serde_json::to_string(row).unwrap_or_default()
    }
}

struct Lines {
    width: usize,
    lines: Vec<Line>,
}

impl Lines {
    fn heading(&mut self, text: &str) {
        self.lines.push(Vec::new());
        self.line(&[(Part::Heading, text)]);
    }

    /// A text with its own lines.
    fn text(&mut self, text: &str) {
        let shown = beginning(text, LONGEST);
        if shown.is_empty() {
            self.line(&[(Part::Label, "(empty)")]);
        }
        for line in shown.lines() {
            self.line(&[(Part::Text, &printable(line))]);
        }
        if shown.len() < text.len() {
            let more = format!("and {} more bytes", format::count((text.len() - shown.len()) as u64));
            self.line(&[(Part::Label, &more)]);
        }
    }

    /// Parts one after the other, broken between words where there are any.
    fn line(&mut self, parts: &[(Part, &str)]) {
        let mut line = Line::new();
        let mut used = 0;
        for (part, text) in parts {
            for word in text.split_inclusive(' ') {
                let needed = word.trim_end().width();
                if used > 0 && used + needed > self.width {
                    self.lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                for grapheme in word.graphemes(true) {
                    let wide = grapheme.width();
                    if used > 0 && used + wide > self.width {
                        // A blank at the end of a full line is not carried over.
                        if grapheme == " " {
                            continue;
                        }
                        self.lines.push(std::mem::take(&mut line));
                        used = 0;
                    }
                    match line.last_mut() {
                        Some((last, text)) if last == part => text.push_str(grapheme),
                        _ => line.push((*part, grapheme.to_owned())),
                    }
                    used += wide;
                }
            }
        }
        self.lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(hypothesis: &str, references: &[&str], width: u16) -> Page {
        let row = ReportRow {
            row: 4,
            line: 5,
            prompt: "name[The Punter]\nfood[French]".into(),
            hypothesis: hypothesis.into(),
            references: references.iter().map(|&r| r.into()).collect(),
            bleu: 12.345,
            chrf: 50.0,
            prompt_tokens: 12,
            tokens: 9,
            ended: Ended::EndToken,
            duration_us: 1_500_000,
            elapsed_ms: 10,
        };
        Page::new(&row, (width, 20))
    }

    fn text(page: &Page) -> Vec<String> {
        page.lines.iter().map(|line| line.iter().map(|(_, text)| text.as_str()).collect()).collect()
    }

    #[test]
    fn the_nearest_reference_is_the_one_with_the_highest_score_and_the_way_from_it_is_marked() {
        let page =
            page("The Punter serves good French food.", &["Nothing alike.", "The Punter serves French food."], 100);
        let lines = text(&page);
        assert!(lines.contains(&"The Punter serves {+good+} French food.".to_owned()), "{lines:?}");
        assert!(lines.contains(&"reference 2 of 2, the nearest".to_owned()), "{lines:?}");
        assert!(lines.contains(&"food[French]".to_owned()), "a prompt keeps its lines: {lines:?}");
    }

    #[test]
    fn no_line_is_wider_than_the_page_and_nothing_is_lost() {
        let long = "중고 아이폰 ".repeat(40) + &"x".repeat(300) + "\u{1b}[31m";
        for width in [12, 33, 60, 200] {
            let page = page(&long, &["새 아이폰"], width);
            let lines = text(&page);
            assert!(lines.iter().all(|line| line.trim_end().width() <= (width as usize - 4).max(8)), "{width}");
            let kept: String = lines.concat().chars().filter(|c| *c == 'x').collect();
            assert!(kept.len() >= 600, "the hypothesis is in the way and by itself");
            assert!(!lines.concat().contains('\u{1b}'));
        }
    }

    #[test]
    fn a_row_without_references_or_words_has_a_page() {
        assert!(text(&page("", &[], 80)).contains(&"(empty)".to_owned()));
        assert!(text(&page("", &[""], 80)).iter().filter(|line| *line == "(empty)").count() == 2);
    }
}
