//! Causal grouped-query attention over packed rows, forward and backward, in blocks of queries: the full matrix of scores never exists.
//! Vaswani et al. 2017, arXiv 1706.03762; grouped queries: Ainslie et al. 2023, arXiv 2305.13245. Attention over a cache is `generate::cache`'s.

use std::ops::Range;

use candle_core::{D, DType, Device, Result, Tensor};
use multiversion::multiversion;
use rayon::prelude::*;

use super::cpu::{self, Shared};
use super::product::{Strided, multiply};

/// Queries whose scores are held at once. Fixed, so that results do not depend on the machine.
const QUERY_BLOCK: usize = 128;

/// The heads of a model: `heads` of queries share `kv_heads` of keys and values, each `head_dim` wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
}

/// The rows of a packed batch: row i occupies the tokens `starts[i]..starts[i + 1]`, and attends to itself alone.
#[derive(Debug, Clone, Copy)]
pub struct Segments<'a>(pub &'a [u32]);

impl Segments<'_> {
    pub(super) fn ranges(&self) -> Vec<Range<usize>> {
        self.0.windows(2).map(|w| w[0] as usize..w[1] as usize).collect()
    }

    pub fn longest(&self) -> usize {
        self.0.windows(2).map(|w| (w[1] - w[0]) as usize).max().unwrap_or(0)
    }
}

impl Heads {
    pub(super) fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    pub(super) fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    /// `softmax(q·kᵀ/√head_dim)·v` within each row, future positions masked.
    /// Shapes: q [tokens, heads·head_dim], k, v [tokens, kv_heads·head_dim] → [tokens, heads·head_dim].
    pub fn forward(&self, q: &Tensor, k: &Tensor, v: &Tensor, segments: Segments) -> Result<Tensor> {
        match (cpu::view(q), cpu::view(k), cpu::view(v)) {
            (Some(qs), Some(ks), Some(vs)) => {
                let out = cpu::filled(qs.len(), |out| self.forward_cpu(&qs, &ks, &vs, segments, out));
                Tensor::from_vec(out, q.shape(), q.device())
            }
            _ => self.composed_forward(q, k, v, segments),
        }
    }

    /// The gradients of q, k and v from that of the output; the probabilities are computed again, block by block.
    pub fn backward(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        d_out: &Tensor,
        segments: Segments,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        match (cpu::view(q), cpu::view(k), cpu::view(v), cpu::view(d_out)) {
            (Some(qs), Some(ks), Some(vs), Some(ds)) => {
                let (mut dq, mut dk, mut dv) = (vec![0f32; qs.len()], vec![0f32; ks.len()], vec![0f32; vs.len()]);
                self.backward_cpu([&qs, &ks, &vs, &ds], segments, [&mut dq, &mut dk, &mut dv]);
                let device = q.device();
                Ok((
                    Tensor::from_vec(dq, q.shape(), device)?,
                    Tensor::from_vec(dk, k.shape(), device)?,
                    Tensor::from_vec(dv, v.shape(), device)?,
                ))
            }
            _ => self.composed_backward(q, k, v, d_out, segments),
        }
    }

    fn forward_cpu(&self, q: &[f32], k: &[f32], v: &[f32], segments: Segments, out: &mut [f32]) {
        let (d, width, kv_width) = (self.head_dim, self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let out = Shared(out.as_mut_ptr());
        let pieces = self.query_blocks(segments);
        let scores = block_of_scores(segments.longest());
        pieces.into_par_iter().for_each_init(scores, |scores: &mut Vec<f32>, (row, block)| {
            let keys = block.end - row.start;
            let scores = &mut scores[..block.len() * keys];
            for head in 0..self.heads {
                let (q_at, kv_at) = (block.start * width + head * d, row.start * kv_width + head / self.group() * d);
                let queries = Strided { data: q[q_at..].as_ptr(), row: width, col: 1 };
                let keys_t = Strided { data: k[kv_at..].as_ptr(), row: 1, col: kv_width };
                let values = Strided { data: v[kv_at..].as_ptr(), row: kv_width, col: 1 };
                let probabilities = scores.as_mut_ptr();
                // SAFETY: each (block, head) writes its own rows and columns of `out`; every matrix lies within its slice.
                unsafe {
                    let shape = (block.len(), keys, d);
                    multiply(shape, probabilities, keys, false, queries, keys_t, 1.0);
                    causal_softmax(scores, keys, block.start - row.start, self.scale());
                    let p = Strided::rows(scores, keys);
                    multiply((block.len(), d, keys), out.at(q_at), width, false, p, values, 1.0);
                }
            }
        });
    }

    fn backward_cpu(&self, [q, k, v, d_out]: [&[f32]; 4], segments: Segments, [dq, dk, dv]: [&mut [f32]; 3]) {
        let (d, width, kv_width) = (self.head_dim, self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let (dq, dk, dv) = (Shared(dq.as_mut_ptr()), Shared(dk.as_mut_ptr()), Shared(dv.as_mut_ptr()));
        // A head of keys belongs to one task, so that the sums into dk and dv have one order.
        let rows = segments.ranges();
        let tasks: Vec<_> =
            rows.into_iter().flat_map(|row| (0..self.kv_heads).map(move |h| (row.clone(), h))).collect();
        let scores = block_of_scores(segments.longest());
        tasks.into_par_iter().with_max_len(1).for_each_init(
            || (scores(), scores()),
            |(p, dp): &mut (Vec<f32>, Vec<f32>), (row, kv_head)| {
                let kv_at = row.start * kv_width + kv_head * d;
                for head in kv_head * self.group()..(kv_head + 1) * self.group() {
                    for start in row.clone().step_by(QUERY_BLOCK) {
                        let block = start..(start + QUERY_BLOCK).min(row.end);
                        let (n, keys) = (block.len(), block.end - row.start);
                        let (p, dp) = (&mut p[..n * keys], &mut dp[..n * keys]);
                        let q_at = block.start * width + head * d;
                        let queries = Strided { data: q[q_at..].as_ptr(), row: width, col: 1 };
                        let d_outs = Strided { data: d_out[q_at..].as_ptr(), row: width, col: 1 };
                        let key_rows = Strided { data: k[kv_at..].as_ptr(), row: kv_width, col: 1 };
                        let keys_t = Strided { data: k[kv_at..].as_ptr(), row: 1, col: kv_width };
                        let values_t = Strided { data: v[kv_at..].as_ptr(), row: 1, col: kv_width };
                        // SAFETY: dq's rows and columns belong to this head and block, dk's and dv's to this task.
                        unsafe {
                            multiply((n, keys, d), p.as_mut_ptr(), keys, false, queries, keys_t, 1.0);
                            causal_softmax(p, keys, block.start - row.start, self.scale());
                            multiply((n, keys, d), dp.as_mut_ptr(), keys, false, d_outs, values_t, 1.0);
                            let p_t = Strided::transposed(p, keys);
                            multiply((keys, d, n), dv.at(kv_at), kv_width, true, p_t, d_outs, 1.0);
                            softmax_backward(p, dp, keys, self.scale());
                            let ds = Strided::rows(dp, keys);
                            multiply((n, d, keys), dq.at(q_at), width, false, ds, key_rows, 1.0);
                            let ds_t = Strided::transposed(dp, keys);
                            multiply((keys, d, n), dk.at(kv_at), kv_width, true, ds_t, queries, 1.0);
                        }
                    }
                }
            },
        );
    }

    /// Every row cut into blocks of queries: (row, block).
    fn query_blocks(&self, segments: Segments) -> Vec<(Range<usize>, Range<usize>)> {
        let mut blocks = Vec::new();
        for row in segments.ranges() {
            for start in row.clone().step_by(QUERY_BLOCK) {
                blocks.push((row.clone(), start..(start + QUERY_BLOCK).min(row.end)));
            }
        }
        blocks
    }

    /// The bytes that the blocks of scores may take on a CPU: forward one, backward two for each thread.
    pub fn scratch_bytes(&self, longest_row: usize, threads: usize) -> usize {
        2 * threads * QUERY_BLOCK.min(longest_row) * longest_row * size_of::<f32>()
    }

    fn probabilities(&self, q: &Tensor, k: &Tensor, row: &Range<usize>) -> Result<[Tensor; 3]> {
        let q = self.split(q, row, self.heads)?;
        let k = self.repeat(self.split(k, row, self.kv_heads)?)?;
        let scores = (q.matmul(&k.t()?.contiguous()?)?.to_dtype(DType::F32)? * self.scale() as f64)?;
        let scores = scores.broadcast_add(&causal_mask(row.len(), q.device())?)?;
        let top = scores.max_keepdim(D::Minus1)?;
        let e = scores.broadcast_sub(&top)?.exp()?;
        let p = e.broadcast_div(&e.sum_keepdim(D::Minus1)?)?.to_dtype(q.dtype())?;
        Ok([p, q, k])
    }

    fn composed_forward(&self, q: &Tensor, k: &Tensor, v: &Tensor, segments: Segments) -> Result<Tensor> {
        let mut outs = Vec::new();
        for row in segments.ranges() {
            let [p, _, _] = self.probabilities(q, k, &row)?;
            let v = self.repeat(self.split(v, &row, self.kv_heads)?)?;
            outs.push(self.join(p.matmul(&v)?)?);
        }
        Tensor::cat(&outs, 0)
    }

    fn composed_backward(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        d_out: &Tensor,
        segments: Segments,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let (mut dqs, mut dks, mut dvs) = (Vec::new(), Vec::new(), Vec::new());
        for row in segments.ranges() {
            let [p, qh, kh] = self.probabilities(q, k, &row)?;
            let vh = self.repeat(self.split(v, &row, self.kv_heads)?)?;
            let dh = self.split(d_out, &row, self.heads)?;
            dvs.push(self.join(self.fold(p.t()?.contiguous()?.matmul(&dh)?)?)?);
            let dp = dh.matmul(&vh.t()?.contiguous()?)?.to_dtype(DType::F32)?;
            let p = p.to_dtype(DType::F32)?;
            let pulled = dp.broadcast_sub(&(&p * &dp)?.sum_keepdim(D::Minus1)?)?;
            let ds = ((p * pulled)? * self.scale() as f64)?.to_dtype(q.dtype())?;
            dqs.push(self.join(ds.matmul(&kh)?)?);
            dks.push(self.join(self.fold(ds.t()?.contiguous()?.matmul(&qh)?)?)?);
        }
        Ok((Tensor::cat(&dqs, 0)?, Tensor::cat(&dks, 0)?, Tensor::cat(&dvs, 0)?))
    }

    /// [tokens, n·head_dim] → [n, row, head_dim]
    pub(super) fn split(&self, x: &Tensor, row: &Range<usize>, n: usize) -> Result<Tensor> {
        x.narrow(0, row.start, row.len())?.reshape((row.len(), n, self.head_dim))?.transpose(0, 1)?.contiguous()
    }

    /// [n, row, head_dim] → [row, n·head_dim]
    pub(super) fn join(&self, x: Tensor) -> Result<Tensor> {
        let (n, row, d) = x.dims3()?;
        x.transpose(0, 1)?.contiguous()?.reshape((row, n * d))
    }

    /// Each head of keys once for every head of queries that shares it.
    pub(super) fn repeat(&self, x: Tensor) -> Result<Tensor> {
        let (n, row, d) = x.dims3()?;
        let group = self.group();
        x.unsqueeze(1)?.expand((n, group, row, d))?.contiguous()?.reshape((n * group, row, d))
    }

    /// The sum over the heads that share a head of keys: the backward of `repeat`.
    fn fold(&self, x: Tensor) -> Result<Tensor> {
        let (_, row, d) = x.dims3()?;
        x.reshape((self.kv_heads, self.group(), row, d))?.sum(1)
    }
}

/// Room for the scores of a block of queries, made at its full size: one that grows takes up to twice as much.
fn block_of_scores(longest_row: usize) -> impl Fn() -> Vec<f32> + Sync + Copy {
    move || vec![0f32; QUERY_BLOCK.min(longest_row) * longest_row]
}

fn causal_mask(n: usize, device: &Device) -> Result<Tensor> {
    let mask: Vec<f32> = (0..n * n).map(|i| if i % n > i / n { f32::NEG_INFINITY } else { 0.0 }).collect();
    Tensor::from_vec(mask, (n, n), device)
}

/// Each row of `scores` (width `keys`) to probabilities; row i sees keys up to `first + i`.
#[multiversion(targets("x86_64+avx2+fma"))]
fn causal_softmax(scores: &mut [f32], keys: usize, first: usize, scale: f32) {
    for (i, row) in scores.chunks_exact_mut(keys).enumerate() {
        let (seen, future) = row.split_at_mut(first + i + 1);
        let top = cpu::max(seen) * scale;
        let inverse = 1.0 / cpu::exp_and_sum(seen, scale, top);
        for p in seen {
            *p *= inverse;
        }
        future.fill(0.0);
    }
}

/// `ds = p·(dp − Σ p·dp)·scale`, in place of `dp`.
#[multiversion(targets("x86_64+avx2+fma"))]
fn softmax_backward(p: &[f32], dp: &mut [f32], keys: usize, scale: f32) {
    for (p, dp) in p.chunks_exact(keys).zip(dp.chunks_exact_mut(keys)) {
        let pull = cpu::dot(p, dp);
        for (dp, p) in dp.iter_mut().zip(p) {
            *dp = p * (*dp - pull) * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: Heads = Heads { heads: 4, kv_heads: 2, head_dim: 8 };

    fn random(n: usize, width: usize) -> Tensor {
        Tensor::randn(0f32, 1.0, (n, width), &Device::Cpu).unwrap()
    }

    fn distance(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn the_fused_path_equals_the_composed_one_over_uneven_rows() {
        let starts = [0, 5, 6, 150, 300];
        let (q, k, v, d) = (random(300, 32), random(300, 16), random(300, 16), random(300, 32));
        let fused = HEADS.forward(&q, &k, &v, Segments(&starts)).unwrap();
        let composed = HEADS.composed_forward(&q, &k, &v, Segments(&starts)).unwrap();
        assert!(distance(&fused, &composed) < 1e-5);
        let a = HEADS.backward(&q, &k, &v, &d, Segments(&starts)).unwrap();
        let b = HEADS.composed_backward(&q, &k, &v, &d, Segments(&starts)).unwrap();
        for (a, b) in [(&a.0, &b.0), (&a.1, &b.1), (&a.2, &b.2)] {
            assert!(distance(a, b) < 1e-4);
        }
    }

    #[test]
    fn backward_equals_candles_autograd() {
        let var = |t: Tensor| candle_core::Var::from_tensor(&t).unwrap();
        let (q, k, v) = (var(random(9, 32)), var(random(9, 16)), var(random(9, 16)));
        let d = random(9, 32);
        let starts = [0, 3, 9];
        let out = HEADS.composed_forward(&q, &k, &v, Segments(&starts)).unwrap();
        let grads = (out * &d).unwrap().sum_all().unwrap().backward().unwrap();
        let (dq, dk, dv) = HEADS.backward(&q, &k, &v, &d, Segments(&starts)).unwrap();
        for (ours, var) in [(dq, &q), (dk, &k), (dv, &v)] {
            assert!(distance(&ours, grads.get(var).unwrap()) < 1e-5);
        }
    }
}
