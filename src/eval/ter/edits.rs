//! The edits of TER between two rows of words: a greedy search for shifts, each scored by an edit distance within a band around the
//! diagonal. Limits and preferences are Tercom's as sacrebleu has them, since they decide the number.

/// The longest sequence that is shifted, and how far.
const MAX_SHIFT_SIZE: usize = 10;
const MAX_SHIFT_DISTANCE: usize = 50;
/// Candidates in all, after which the search ends without the shift at hand.
const MAX_SHIFT_CANDIDATES: usize = 1000;
const BEAM_WIDTH: usize = 25;
/// A cell outside the band.
const UNREACHED: u32 = u32::MAX / 2;

/// One step from hypothesis to reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Keep,
    Substitute,
    /// A word of the reference comes in.
    Insert,
    /// A word of the hypothesis goes.
    Delete,
}

/// The number of edits, shifts included. An empty reference costs a deletion for every word.
pub fn edits(hypothesis: &[u32], reference: &[u32]) -> usize {
    if reference.is_empty() {
        return hypothesis.len();
    }
    let mut words = hypothesis.to_vec();
    let mut distances = Distances::new(&words, reference);
    let (mut shifts, mut candidates) = (0, 0);
    while let Some(shifted) = best_shift(&words, &mut distances, &mut candidates) {
        shifts += 1;
        words = shifted;
        distances.compute(&words);
    }
    shifts + distances.cost() as usize
}

/// The shift that saves the most edits; of those the longest, then the one whose words begin first, then the one that goes furthest to the
/// front. None if no shift saves any.
fn best_shift(words: &[u32], distances: &mut Distances, candidates: &mut usize) -> Option<Vec<u32>> {
    let before = distances.cost();
    let alignment = Alignment::of(&distances.trace());
    let mut best: Option<(u32, Shift)> = None;
    let mut shifted = Vec::with_capacity(words.len());
    'search: for start in 0..words.len() {
        let near = start.saturating_sub(MAX_SHIFT_DISTANCE)..=start + MAX_SHIFT_DISTANCE;
        for target in near.take_while(|target| *target < distances.reference.len()) {
            let reference = &distances.reference[target..];
            let same = words[start..].iter().zip(reference).take(MAX_SHIFT_SIZE).take_while(|(a, b)| a == b).count();
            for length in 1..=same {
                if !alignment.calls_for(start, target, length) {
                    continue;
                }
                let mut tried = None;
                for offset in 0..=length {
                    // Before the word that the reference's word is aligned to, and after each of them.
                    let Some(to) = alignment.position_after(target + offset) else { break };
                    if tried.replace(to) == Some(to) {
                        continue;
                    }
                    *candidates += 1;
                    let shift = Shift { start, length, to };
                    shift.apply(words, &mut shifted);
                    let so_far = best.as_ref().map_or(0, |(saved, _)| *saved);
                    // What cannot save as much as the best so far need not be known exactly; nor can a shift that saves nothing win.
                    let Some(cost) = distances.cost_of(&shifted, words, before.saturating_sub(so_far.max(1))) else {
                        continue;
                    };
                    let saved = before - cost;
                    if best.as_ref().is_none_or(|(most, other)| (saved, shift.rank()) > (*most, other.rank())) {
                        best = Some((saved, shift));
                    }
                }
            }
            // sacrebleu looks at its limit after each pair and length; the count only matters once it is reached.
            if *candidates >= MAX_SHIFT_CANDIDATES {
                break 'search;
            }
        }
    }
    if *candidates >= MAX_SHIFT_CANDIDATES {
        return None;
    }
    best.map(|(_, shift)| {
        shift.apply(words, &mut shifted);
        shifted
    })
}

/// Words that move.
#[derive(Clone, Copy)]
struct Shift {
    start: usize,
    length: usize,
    to: usize,
}

impl Shift {
    /// Higher is better among shifts that save the same.
    fn rank(&self) -> (usize, std::cmp::Reverse<usize>, std::cmp::Reverse<usize>) {
        (self.length, std::cmp::Reverse(self.start), std::cmp::Reverse(self.to))
    }

    fn apply(&self, words: &[u32], shifted: &mut Vec<u32>) {
        let Shift { start, length, to } = *self;
        let (end, all) = (start + length, words.len());
        // Where the words go in what is left without them: a target within them pushes them on by as much.
        let to = match to {
            to if to < start => to,
            to if to > end => to - length,
            to => to.min(all - length),
        };
        shifted.clear();
        shifted.extend(words[..start].iter().chain(&words[end..]));
        shifted.splice(to..to, words[start..end].iter().copied());
    }
}

/// How the words of a hypothesis and a reference stand beside each other, and which of them are in error.
struct Alignment {
    /// For each word of the reference the position in the hypothesis, counted from 1; 0 is before its first word.
    positions: Vec<usize>,
    /// Errors before each position, so that a difference counts those of a range.
    reference_errors: Vec<usize>,
    hypothesis_errors: Vec<usize>,
}

impl Alignment {
    fn of(trace: &[Edit]) -> Self {
        let (mut positions, mut reference_errors, mut hypothesis_errors) = (Vec::new(), vec![0], vec![0]);
        let add = |errors: &mut Vec<usize>, error| errors.push(errors.last().copied().unwrap_or(0) + error);
        for edit in trace {
            let error = usize::from(*edit != Edit::Keep);
            if *edit != Edit::Insert {
                add(&mut hypothesis_errors, error);
            }
            if *edit != Edit::Delete {
                add(&mut reference_errors, error);
                positions.push(hypothesis_errors.len() - 1);
            }
        }
        Alignment { positions, reference_errors, hypothesis_errors }
    }

    /// Whether both sides have an error in the sequence, and the words are not where they should be already.
    fn calls_for(&self, start: usize, target: usize, length: usize) -> bool {
        let within = self.positions[target].checked_sub(1).is_some_and(|at| (start..start + length).contains(&at));
        let errors = |errors: &[usize], from: usize| errors[from + length] > errors[from];
        errors(&self.hypothesis_errors, start) && errors(&self.reference_errors, target) && !within
    }

    /// The place after the word that the `n`-th word of the reference is aligned to, counted from 1; for 0 the very beginning.
    fn position_after(&self, n: usize) -> Option<usize> {
        if n == 0 { Some(0) } else { self.positions.get(n - 1).copied() }
    }
}

/// The matrix of edit distances between the beginnings of a hypothesis and those of a reference, within a band.
struct Distances<'a> {
    reference: &'a [u32],
    rows: Vec<BandRow>,
    edits: Vec<Vec<Edit>>,
}

/// The cells of a row from column `low` on.
#[derive(Debug, Clone, Default)]
struct BandRow {
    low: usize,
    costs: Vec<u32>,
}

impl BandRow {
    fn at(&self, column: usize) -> u32 {
        self.costs.get(column.wrapping_sub(self.low)).copied().unwrap_or(UNREACHED)
    }
}

impl<'a> Distances<'a> {
    fn new(words: &[u32], reference: &'a [u32]) -> Self {
        let first = BandRow { low: 0, costs: (0..=reference.len() as u32).collect() };
        let mut distances = Distances { reference, rows: vec![first], edits: vec![Vec::new()] };
        distances.compute(words);
        distances
    }

    /// Fills in all rows for other words, of the same number as before.
    fn compute(&mut self, words: &[u32]) {
        self.rows.resize_with(words.len() + 1, BandRow::default);
        self.edits.resize_with(words.len() + 1, Vec::new);
        for row in 1..=words.len() {
            let mut edits = std::mem::take(&mut self.edits[row]);
            edits.clear();
            let (before, here) = self.rows.split_at_mut(row);
            let band = band(row, words.len(), self.reference.len());
            fill(&mut here[0], &before[row - 1], band, words[row - 1], self.reference, |edit| edits.push(edit));
            self.edits[row] = edits;
        }
    }

    fn cost(&self) -> u32 {
        self.rows.last().map_or(0, |row| row.at(self.reference.len()))
    }

    /// The distance of other words that the rows of `words` are known for; none if it is more than `most`.
    fn cost_of(&self, other: &[u32], words: &[u32], most: u32) -> Option<u32> {
        let known = other.iter().zip(words).take_while(|(a, b)| a == b).count();
        let mut last = self.rows[known].clone();
        let mut next = BandRow::default();
        for row in known + 1..=other.len() {
            let band = band(row, other.len(), self.reference.len());
            let least = fill(&mut next, &last, band, other[row - 1], self.reference, |_| ());
            // Every path to the end leads through this row, and none gets cheaper.
            if least > most {
                return None;
            }
            std::mem::swap(&mut last, &mut next);
        }
        Some(last.at(self.reference.len())).filter(|cost| *cost <= most)
    }

    /// The edits in order.
    fn trace(&self) -> Vec<Edit> {
        let (mut row, mut column) = (self.rows.len() - 1, self.reference.len());
        let mut trace = Vec::with_capacity(row + column);
        while row > 0 || column > 0 {
            let edit = match column.checked_sub(self.rows[row].low).and_then(|at| self.edits[row].get(at)) {
                Some(edit) => *edit,
                // The first row has nothing but insertions. The band always reaches from there to the end, so no other cell is asked for.
                None if column > 0 => Edit::Insert,
                None => Edit::Delete,
            };
            trace.push(edit);
            row -= usize::from(edit != Edit::Insert);
            column -= usize::from(edit != Edit::Delete);
        }
        trace.reverse();
        trace
    }
}

/// The columns of a row that are computed: those near the diagonal, and in the last row all to the end.
fn band(row: usize, words: usize, reference: usize) -> std::ops::Range<usize> {
    let ratio = reference as f64 / words as f64;
    // Beside very unequal lengths the rows would not touch.
    let width =
        if (BEAM_WIDTH as f64) < ratio / 2.0 { (ratio / 2.0 + BEAM_WIDTH as f64).ceil() as usize } else { BEAM_WIDTH };
    let diagonal = (row as f64 * ratio).floor() as usize;
    let end = if row == words { reference + 1 } else { (diagonal + width).min(reference + 1) };
    diagonal.saturating_sub(width)..end
}

/// Computes a row from the one before and returns its least cost. Of equal costs keep and substitute come first, then delete, then insert.
fn fill(
    here: &mut BandRow,
    before: &BandRow,
    band: std::ops::Range<usize>,
    word: u32,
    reference: &[u32],
    mut edit: impl FnMut(Edit),
) -> u32 {
    here.low = band.start;
    here.costs.clear();
    let mut least = UNREACHED;
    // The cells to the left, above, and both.
    let (mut left, mut diagonal) = (UNREACHED, band.start.checked_sub(1).map_or(UNREACHED, |column| before.at(column)));
    for column in band {
        let above = before.at(column);
        let (mut cost, mut best) = match column.checked_sub(1) {
            None => (UNREACHED, Edit::Delete),
            Some(at) if reference[at] == word => (diagonal, Edit::Keep),
            Some(_) => (diagonal + 1, Edit::Substitute),
        };
        if above + 1 < cost {
            (cost, best) = (above + 1, Edit::Delete);
        }
        if left + 1 < cost {
            (cost, best) = (left + 1, Edit::Insert);
        }
        edit(best);
        here.costs.push(cost);
        least = least.min(cost);
        (left, diagonal) = (cost, above);
    }
    least
}
