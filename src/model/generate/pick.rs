//! A token from logits: no-repeat n-grams, temperature, top-k and top-p in the order and with the meaning of transformers'
//! `LogitsProcessor`s, then a draw. The draws are numbered, so that a row's sample does not depend on when it is computed: that is why it is
//! not candle-transformers' sampler, which draws from one stream, that draws here. It is the oracle in the tests.

use candle_core::Result;

use super::Decoding;
use super::pass::likeliest;
use crate::model::lora::mix;

/// The next token of a row whose tokens so far, prompt included, are `tokens`; `draw` is a number in [0, 1).
/// # Errors
/// Logits that are no numbers.
pub fn pick(logits: &mut [f32], tokens: &[u32], how: &Decoding, draw: f64) -> Result<u32> {
    ban_repeats(logits, tokens, how.no_repeat_ngram_size);
    if how.temperature <= 0.0 {
        return likeliest(logits);
    }
    // Also where no token is left but −∞, or one is no number.
    likeliest(logits)?;
    let mut candidates: Vec<(f32, u32)> =
        logits.iter().zip(0..).map(|(l, token)| ((f64::from(*l) / how.temperature) as f32, token)).collect();
    candidates.retain(|(score, _)| *score > f32::NEG_INFINITY);
    keep_top_k(&mut candidates, how.top_k);
    // Likeliest first, the lowest of equals: the order that the draw walks in.
    candidates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let Some(&(top, first)) = candidates.first() else { return likeliest(logits) };
    let weights: Vec<f64> = candidates.iter().map(|(score, _)| f64::from(score - top).exp()).collect();
    let kept = keep_top_p(&weights, how.top_p);
    let sum: f64 = weights[..kept].iter().sum();
    let mut left = draw * sum;
    for ((_, token), weight) in candidates[..kept].iter().zip(&weights) {
        left -= weight;
        if left < 0.0 {
            return Ok(*token);
        }
    }
    // Rounding left a little over: the last one that has a chance.
    Ok(candidates[..kept].last().map_or(first, |c| c.1))
}

/// Draw number `n` of a row: a number in [0, 1) that depends on nothing else.
pub fn draw(seed: u64, row: u64, n: usize) -> f64 {
    let stream = mix(mix(seed ^ mix(row)).wrapping_add(n as u64));
    (stream >> 11) as f64 / (1u64 << 53) as f64
}

/// Forbids each token that would end an n-gram which the tokens have already; 0 forbids none.
pub fn ban_repeats(logits: &mut [f32], tokens: &[u32], n: usize) {
    if n == 0 || tokens.len() + 1 < n {
        return;
    }
    let begun = &tokens[tokens.len() + 1 - n..];
    for ngram in tokens.windows(n) {
        if ngram[..n - 1] == *begun
            && let Some(logit) = logits.get_mut(ngram[n - 1] as usize)
        {
            *logit = f32::NEG_INFINITY;
        }
    }
}

/// The k likeliest, and those that equal the last of them.
fn keep_top_k(candidates: &mut Vec<(f32, u32)>, k: Option<usize>) {
    let Some(k) = k.filter(|k| *k > 0 && *k < candidates.len()) else { return };
    let (_, &mut (last, _), _) = candidates.select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0));
    candidates.retain(|(score, _)| *score >= last);
}

/// How many of the weights, which fall, are kept: the fewest whose share is at least p, one at the least.
fn keep_top_p(weights: &[f64], p: Option<f64>) -> usize {
    let Some(p) = p.filter(|p| *p < 1.0) else { return weights.len() };
    // As transformers counts: from the unlikely end, those go whose sum is at most 1 − p.
    let (sum, mut tail) = (weights.iter().sum::<f64>(), 0.0);
    let gone = weights.iter().rev().take_while(|weight| {
        tail += **weight / sum;
        tail <= 1.0 - p
    });
    (weights.len() - gone.count()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(logits: &[f32], how: &Decoding, draws: usize) -> Vec<usize> {
        let mut counts = vec![0; logits.len()];
        for n in 0..draws {
            counts[pick(&mut logits.to_vec(), &[], how, draw(7, 3, n)).unwrap() as usize] += 1;
        }
        counts
    }

    #[test]
    fn draws_follow_the_softmax_at_the_temperature() {
        let logits = [0.0, 1.0, 2.0, f32::NEG_INFINITY];
        let how = Decoding { temperature: 0.5, ..Decoding::default() };
        let counts = sampled(&logits, &how, 20_000);
        let sum: f64 = logits.iter().map(|l| (f64::from(*l) / 0.5).exp()).sum();
        for (l, count) in logits.iter().zip(counts) {
            let expected = (f64::from(*l) / 0.5).exp() / sum;
            assert!((count as f64 / 20_000.0 - expected).abs() < 0.01, "{l}: {count}");
        }
    }

    #[test]
    fn top_k_and_top_p_leave_what_transformers_leaves() {
        // softmax: 0.64, 0.24, 0.09, 0.03
        let logits = [0.0, 1.0, 2.0, 3.0];
        let how = |top_k, top_p| Decoding { temperature: 1.0, top_k, top_p, ..Decoding::default() };
        let kept = |how: &Decoding| sampled(&logits, how, 4_000).iter().map(|c| *c > 0).collect::<Vec<_>>();
        assert_eq!(kept(&how(Some(2), None)), [false, false, true, true]);
        assert_eq!(kept(&how(None, Some(0.7))), [false, false, true, true]);
        assert_eq!(kept(&how(None, Some(0.6))), [false, false, false, true]);
        assert_eq!(kept(&how(None, Some(0.0))), [false, false, false, true]);
        assert_eq!(kept(&how(Some(0), Some(1.0))), [true; 4]);
        let equal = sampled(&[1.0, 1.0, 0.0], &how(Some(1), None), 200);
        assert!(equal[0] > 0 && equal[1] > 0 && equal[2] == 0);
    }

    #[test]
    fn draws_are_spread_as_those_of_candles_sampler() {
        use candle_core::{Device, Tensor};
        use candle_transformers::generation::{LogitsProcessor, Sampling};

        const DRAWS: usize = 20_000;
        let logits: Vec<f32> = (0..40).map(|n| ((n * 17 % 40) as f32 * 0.37).sin() * 3.0 + n as f32 * 1e-3).collect();
        let tensor = Tensor::new(logits.as_slice(), &Device::Cpu).unwrap();
        // Where both limits are given candle sums up to p over all tokens, transformers (and finetop) over the k that are left.
        let cases = [
            (Sampling::All { temperature: 0.7 }, (0.7, None, None)),
            (Sampling::All { temperature: 1.9 }, (1.9, None, None)),
            (Sampling::TopK { k: 5, temperature: 1.0 }, (1.0, Some(5), None)),
            (Sampling::TopP { p: 0.6, temperature: 1.0 }, (1.0, None, Some(0.6))),
            (Sampling::TopP { p: 0.95, temperature: 0.8 }, (0.8, None, Some(0.95))),
        ];
        for (sampling, (temperature, top_k, top_p)) in cases {
            let how = Decoding { temperature, top_k, top_p, ..Decoding::default() };
            let ours = sampled(&logits, &how, DRAWS);
            let mut candle = LogitsProcessor::from_sampling(7, sampling.clone());
            let mut theirs = vec![0; logits.len()];
            (0..DRAWS).for_each(|_| theirs[candle.sample(&tensor).unwrap() as usize] += 1);
            for (token, (a, b)) in ours.iter().zip(&theirs).enumerate() {
                // Five standard deviations of the difference of two such counts.
                let spread = 5.0 * ((a + b) as f64).sqrt() + 5.0;
                assert!((*a as f64 - *b as f64).abs() < spread, "{sampling:?}, token {token}: {a} and {b}");
                assert!(top_k.is_none() && top_p.is_none() || (*a == 0) == (*b == 0), "{sampling:?}, token {token}");
            }
        }
    }

    #[test]
    fn an_ngram_never_comes_twice_and_the_prompt_counts() {
        let free = |tokens: &[u32], n| {
            let mut logits = [0f32; 4];
            ban_repeats(&mut logits, tokens, n);
            (0..4u32).filter(|t| logits[*t as usize] == 0.0).collect::<Vec<_>>()
        };
        assert_eq!(free(&[1, 2, 3, 1, 2], 3), [0, 1, 2]);
        assert_eq!(free(&[1, 2, 3, 1, 2], 2), [0, 1, 2]);
        assert_eq!(free(&[1, 2, 1], 1), [0, 3]);
        assert_eq!(free(&[1, 2], 4), [0, 1, 2, 3]);
        assert_eq!(free(&[1, 2, 3, 1, 2], 0), [0, 1, 2, 3]);
        assert_eq!(free(&[9, 9], 2), [0, 1, 2, 3]);
    }

    #[test]
    fn logits_that_are_no_numbers_are_an_error() {
        assert!(pick(&mut [f32::NAN; 3], &[], &Decoding::default(), 0.5).is_err());
    }
}
