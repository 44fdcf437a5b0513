//! Beam search over the continuations of one prompt, as transformers' `_beam_search` defines it with `early_stopping=False`: what goes on,
//! what is finished, when nothing can get better. The passes and the caches are `batch`'s business.

use std::cmp::Ordering;

use super::pick::ban_repeats;
use super::{Decoding, Ended};

/// What transformers counts as "never": a score that nothing real is below.
const NEVER: f32 = -1e9;

/// The beams of one prompt.
#[derive(Debug, Clone)]
pub struct Beams {
    running: Vec<Beam>,
    /// As many as there are beams, best first.
    finished: Vec<Finished>,
    /// Whether a running beam might still beat a finished one.
    improvable: bool,
}

/// A continuation with the sum of its log-probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct Beam {
    pub tokens: Vec<u32>,
    pub score: f32,
}

#[derive(Debug, Clone)]
struct Finished {
    tokens: Vec<u32>,
    /// The sum divided by length^length_penalty.
    score: f32,
    ended: Option<Ended>,
}

/// A continuation that a step found: its beam and token, and the beam's score with it.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    beam: usize,
    token: u32,
    score: f32,
}

/// What a step leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// For each beam that goes on, the lane of this step that it continues and its newest token.
    On(Vec<(usize, u32)>),
    /// The best continuation, without the token that ended it.
    Done(Vec<u32>, Ended),
}

impl Beams {
    pub fn new(num_beams: usize) -> Self {
        let none = Finished { tokens: Vec::new(), score: NEVER, ended: None };
        Beams {
            running: vec![Beam { tokens: Vec::new(), score: 0.0 }],
            finished: vec![none; num_beams],
            improvable: true,
        }
    }

    /// Takes the logits of each running beam one after the other, a lane each; they are written over.
    pub fn scored(&self, lane: usize, logits: &mut [f32], prompt: &[u32], how: &Decoding) -> Vec<(f32, u32)> {
        let beam = &self.running[lane];
        log_softmax(logits);
        let tokens: Vec<u32> = prompt.iter().chain(&beam.tokens).copied().collect();
        ban_repeats(logits, &tokens, how.no_repeat_ngram_size);
        let scores = logits.iter().zip(0..).map(|(l, token)| (l + beam.score, token));
        best(scores, kept(how))
    }

    /// Goes on from the best continuations of each running beam ([`Beams::scored`], by lane); `room` is the longest continuation.
    pub fn step(
        &mut self,
        scored: &[Vec<(f32, u32)>],
        how: &Decoding,
        room: usize,
        stop: &dyn Fn(&[u32]) -> bool,
    ) -> Step {
        let num_beams = self.finished.len();
        let mut candidates: Vec<Candidate> = scored
            .iter()
            .enumerate()
            .flat_map(|(beam, best)| best.iter().map(move |&(score, token)| Candidate { beam, token, score }))
            .collect();
        // The order of one list over beams and tokens: stable, so that the lowest of equals comes first.
        candidates.sort_by(|a, b| falling(a.score, b.score));
        candidates.truncate(kept(how));
        let continued: Vec<(Candidate, Vec<u32>, Option<Ended>)> = candidates
            .into_iter()
            .map(|c| {
                let tokens: Vec<u32> = self.running[c.beam].tokens.iter().copied().chain([c.token]).collect();
                let ended = if how.end_tokens.contains(&c.token) {
                    Some(Ended::EndToken)
                } else if stop(&tokens) {
                    Some(Ended::Stop)
                } else {
                    (tokens.len() >= room).then_some(Ended::Limit)
                };
                (c, tokens, ended)
            })
            .collect();
        let length = self.running.first().map_or(0, |b| b.tokens.len()) + 1;
        let penalty = (length as f64).powf(how.length_penalty) as f32;
        if self.improvable {
            // Only the best of all may be kept as finished: the others stand by in case that those all end.
            let ends = continued.iter().take(num_beams).filter_map(|(c, tokens, ended)| {
                ended.map(|ended| Finished { tokens: tokens.clone(), score: c.score / penalty, ended: Some(ended) })
            });
            self.finished.extend(ends);
            self.finished.sort_by(|a, b| falling(a.score, b.score));
            self.finished.truncate(num_beams);
        }
        let mut on: Vec<_> = continued.into_iter().filter(|(_, _, ended)| ended.is_none()).collect();
        on.truncate(num_beams);
        if let Some((best, ..)) = on.first() {
            let worst = self.finished.last().filter(|f| f.ended.is_some()).map_or(NEVER, |f| f.score);
            self.improvable &= best.score / penalty > worst || self.finished.iter().any(|f| f.ended.is_none());
        }
        if on.is_empty() || !self.improvable {
            return self.done(how);
        }
        self.running = on.iter().map(|(c, tokens, _)| Beam { tokens: tokens.clone(), score: c.score }).collect();
        Step::On(on.iter().map(|(c, ..)| (c.beam, c.token)).collect())
    }

    fn done(&mut self, how: &Decoding) -> Step {
        let best = self.finished.swap_remove(0);
        let (mut tokens, ended) = (best.tokens, best.ended.unwrap_or(Ended::Limit));
        if ended == Ended::EndToken && tokens.last().is_some_and(|t| how.end_tokens.contains(t)) {
            tokens.pop();
        }
        Step::Done(tokens, ended)
    }
}

/// How many continuations a step keeps: so many that enough go on when each end token is the likeliest of every beam.
fn kept(how: &Decoding) -> usize {
    (1 + how.end_tokens.len()).max(2) * how.num_beams
}

fn falling(a: f32, b: f32) -> Ordering {
    b.total_cmp(&a)
}

/// The `count` best of a row, best first, the lowest token of equals first.
fn best(scores: impl Iterator<Item = (f32, u32)>, count: usize) -> Vec<(f32, u32)> {
    let mut held: Vec<(f32, u32)> = Vec::with_capacity(2 * count + 1);
    let order = |a: &(f32, u32), b: &(f32, u32)| falling(a.0, b.0).then(a.1.cmp(&b.1));
    let mut least = f32::NEG_INFINITY;
    for scored in scores.filter(|(score, _)| *score > f32::NEG_INFINITY) {
        if held.len() >= count && scored.0 <= least {
            continue;
        }
        held.push(scored);
        if held.len() > 2 * count {
            held.sort_unstable_by(order);
            held.truncate(count);
            least = held[count - 1].0;
        }
    }
    held.sort_unstable_by(order);
    held.truncate(count);
    held
}

fn log_softmax(logits: &mut [f32]) {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from((l - top).exp())).sum();
    let shift = top + sum.ln() as f32;
    logits.iter_mut().for_each(|l| *l -= shift);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_a_row_are_sorted_and_the_lowest_of_equals_comes_first() {
        let scores = [1.0, 3.0, f32::NEG_INFINITY, 3.0, 2.0, 3.0, 0.5];
        let found = best(scores.iter().copied().zip(0..), 4);
        assert_eq!(found, [(3.0, 1), (3.0, 3), (3.0, 5), (2.0, 4)]);
    }

    #[test]
    fn a_likely_end_waits_until_no_beam_can_beat_it() {
        let how = Decoding { num_beams: 2, end_tokens: vec![0], ..Decoding::default() };
        let mut beams = Beams::new(2);
        let never = |_: &[u32]| false;
        let first = beams.step(&[vec![(-0.1, 0), (-2.0, 1), (-3.0, 2), (-9.0, 3)]], &how, 8, &never);
        assert_eq!(first, Step::On(vec![(0, 1), (0, 2)]));
        // The second finished beam fills the list; the running one, −2.05 / 2, is above it and goes on.
        let second = beams.step(&[vec![(-2.05, 1), (-2.1, 0)], vec![(-3.1, 2)]], &how, 8, &never);
        assert_eq!(second, Step::On(vec![(0, 1), (1, 2)]));
        let third = beams.step(&[vec![(-9.0, 1)], vec![(-9.5, 2)]], &how, 8, &never);
        assert_eq!(third, Step::Done(vec![], Ended::EndToken));
    }
}
