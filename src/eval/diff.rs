//! Two texts word by word, or line by line: what both have, what only the reference has, what only the hypothesis has; and which of several
//! references is the nearest one. For people who look at a row; no score is made from it.

use unicode_segmentation::UnicodeSegmentation;

use super::Metric;
use super::bleu::Bleu;
use super::report::ReportRow;

/// Cells of the table that common words are found with: longer texts are told as wholly different between their common ends.
const MOST_CELLS: usize = 4_000_000;

/// Where a piece of text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Both,
    /// In the reference alone: it is missing.
    Reference,
    /// In the hypothesis alone: it was added.
    Hypothesis,
}

/// Words in a row that stand on the same side, as they are written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub side: Side,
    pub text: String,
}

/// A word or a sign, and whether there is space before it.
struct Word<'a> {
    text: &'a str,
    spaced: bool,
}

/// Words by the borders that Unicode sees: signs stand alone, and so do ideographs, which are written without spaces.
fn split(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut spaced = false;
    for piece in text.split_word_bounds() {
        if piece.chars().all(char::is_whitespace) {
            spaced = true;
        } else {
            words.push(Word { text: piece, spaced });
            spaced = false;
        }
    }
    words
}

/// The way from a reference to a hypothesis: longest common subsequence of words, what is missing before what was added.
pub fn words(reference: &str, hypothesis: &str) -> Vec<Piece> {
    let (a, b) = (split(reference), split(hypothesis));
    let mut pieces = Pieces::default();
    for step in way(a.len(), b.len(), |i, j| a[i].text == b[j].text) {
        match step {
            Step::Both(i, j) => {
                let spaced = a[i].spaced || b[j].spaced;
                pieces.push(Side::Both, &Word { text: b[j].text, spaced });
            }
            Step::Reference(i) => pieces.push(Side::Reference, &a[i]),
            Step::Hypothesis(j) => pieces.push(Side::Hypothesis, &b[j]),
        }
    }
    pieces.0
}

/// The same by lines: a piece is a line, as it is written.
pub fn lines(reference: &str, hypothesis: &str) -> Vec<Piece> {
    let (a, b): (Vec<&str>, Vec<&str>) = (reference.lines().collect(), hypothesis.lines().collect());
    let piece = |step| {
        let (side, text) = match step {
            Step::Both(_, j) => (Side::Both, b[j]),
            Step::Reference(i) => (Side::Reference, a[i]),
            Step::Hypothesis(j) => (Side::Hypothesis, b[j]),
        };
        Piece { side, text: text.to_owned() }
    };
    way(a.len(), b.len(), |i, j| a[i] == b[j]).into_iter().map(piece).collect()
}

/// A step on the way, with where it stands on the sides that have it.
enum Step {
    Both(usize, usize),
    Reference(usize),
    Hypothesis(usize),
}

/// The way through two sequences of these lengths, of which `same` says which parts are equal.
fn way(a: usize, b: usize, same: impl Fn(usize, usize) -> bool) -> Vec<Step> {
    let head = (0..a.min(b)).take_while(|&i| same(i, i)).count();
    let room = a.min(b) - head;
    let tail = (1..=room).take_while(|&i| same(a - i, b - i)).count();
    let (a_end, b_end) = (a - tail, b - tail);
    let mut steps: Vec<Step> = (0..head).map(|i| Step::Both(i, i)).collect();
    let (rows, columns) = (a_end - head, b_end - head);
    if (rows + 1).saturating_mul(columns + 1) > MOST_CELLS {
        steps.extend((head..a_end).map(Step::Reference));
        steps.extend((head..b_end).map(Step::Hypothesis));
    } else {
        // common[i][j]: parts that the rests from i and j on have in common.
        let mut common = vec![0u32; (rows + 1) * (columns + 1)];
        let at = |i: usize, j: usize| i * (columns + 1) + j;
        for i in (0..rows).rev() {
            for j in (0..columns).rev() {
                common[at(i, j)] = match same(head + i, head + j) {
                    true => common[at(i + 1, j + 1)] + 1,
                    false => common[at(i + 1, j)].max(common[at(i, j + 1)]),
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < rows || j < columns {
            if i < rows && j < columns && same(head + i, head + j) {
                steps.push(Step::Both(head + i, head + j));
                (i, j) = (i + 1, j + 1);
            } else if i < rows && (j == columns || common[at(i + 1, j)] >= common[at(i, j + 1)]) {
                steps.push(Step::Reference(head + i));
                i += 1;
            } else {
                steps.push(Step::Hypothesis(head + j));
                j += 1;
            }
        }
    }
    steps.extend((0..tail).map(|i| Step::Both(a_end + i, b_end + i)));
    steps
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn push(&mut self, side: Side, word: &Word) {
        let space = if word.spaced { " " } else { "" };
        match self.0.last_mut() {
            Some(last) if last.side == side => last.text.extend([space, word.text]),
            _ => self.0.push(Piece { side, text: format!("{space}{}", word.text) }),
        }
    }
}

/// The place of the reference that a row's hypothesis is nearest to: that with the highest sentence BLEU by itself, among equal ones that
/// with the fewest words on one side only, then the first. None where there is no reference.
pub fn nearest(row: &ReportRow) -> Option<usize> {
    let metric = Bleu::default();
    let mut best: Option<(usize, f64, usize)> = None;
    for (at, reference) in row.references.iter().enumerate() {
        let score = metric.sentence(&metric.row(&row.hypothesis, &[reference])).score;
        if best.is_some_and(|(_, highest, _)| score < highest) {
            continue;
        }
        let apart = words(reference, &row.hypothesis);
        let apart = apart.iter().filter(|p| p.side != Side::Both).map(|p| split(&p.text).len()).sum();
        if best.is_none_or(|(_, highest, fewest)| score > highest || apart < fewest) {
            best = Some((at, score, apart));
        }
    }
    best.map(|(at, ..)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(reference: &str, hypothesis: &str) -> String {
        let pieces = words(reference, hypothesis).into_iter().map(|p| match p.side {
            Side::Both => p.text,
            Side::Reference => format!("[-{}-]", p.text),
            Side::Hypothesis => format!("{{+{}+}}", p.text),
        });
        pieces.collect()
    }

    #[test]
    fn words_are_told_by_the_side_that_has_them() {
        assert_eq!(marked("The Punter is a pub.", "The Punter is a pub."), "The Punter is a pub.");
        assert_eq!(marked("a b c", "a x c"), "a[- b-]{+ x+} c");
        assert_eq!(marked("", "new words"), "{+new words+}");
        assert_eq!(marked("old words", ""), "[-old words-]");
        assert_eq!(marked("near the river", "near, the river"), "near{+,+} the river");
        assert_eq!(marked("", ""), "");
    }

    #[test]
    fn both_texts_can_be_read_off_the_pieces() {
        let texts = [
            "one two three four",
            "two one four five",
            "새 아이폰 팝니다.",
            "새 아이폰을 팝니다",
            "价格很好",
            "价格不好",
            "",
        ];
        for (reference, hypothesis) in texts.iter().flat_map(|a| texts.iter().map(move |b| (*a, *b))) {
            let pieces = words(reference, hypothesis);
            let side = |without: Side| -> Vec<String> {
                let kept: String = pieces.iter().filter(|p| p.side != without).map(|p| p.text.as_str()).collect();
                split(&kept).into_iter().map(|w| w.text.to_owned()).collect()
            };
            let texts = |text| split(text).into_iter().map(|w: Word| w.text.to_owned()).collect::<Vec<_>>();
            assert_eq!(side(Side::Hypothesis), texts(reference), "{reference} / {hypothesis}");
            assert_eq!(side(Side::Reference), texts(hypothesis), "{reference} / {hypothesis}");
        }
    }

    #[test]
    fn lines_are_told_by_the_side_that_has_them() {
        let pieces = lines("{\n  \"age\": \"25\"\n}", "{\n  \"age\": 25\n}");
        let told: Vec<(Side, &str)> = pieces.iter().map(|piece| (piece.side, piece.text.as_str())).collect();
        let (was, is) = ((Side::Reference, "  \"age\": \"25\""), (Side::Hypothesis, "  \"age\": 25"));
        assert_eq!(told, [(Side::Both, "{"), was, is, (Side::Both, "}")]);
    }

    #[test]
    fn texts_too_long_for_the_table_still_keep_their_common_ends() {
        let long = |middle: &str| format!("begin {} end", format!("{middle} ").repeat(3_000));
        let pieces = words(&long("a"), &long("b"));
        assert_eq!(
            pieces.iter().map(|p| p.side).collect::<Vec<_>>(),
            [Side::Both, Side::Reference, Side::Hypothesis, Side::Both]
        );
    }
}
