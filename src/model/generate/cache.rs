//! The keys and values of a row's tokens so far, grown in pieces and charged to the ledger, and attention over the caches of many rows.
//! Attention within a pass is `attention`'s. Which rows are computed together is `batch`'s business.

use candle_core::{D, DType, Device, Result, Tensor};
use multiversion::multiversion;
use rayon::prelude::*;

use crate::memory::ledger::{Category, Charge, Ledger};
use crate::model::attention::{Heads, Segments};
use crate::model::cpu;
use crate::model::oom::raised;
use crate::units::ModelShape;

/// Tokens that a cache grows by: rarely enough that copying costs nothing, and little enough that a batch of rows wastes little.
pub const PIECE: usize = 32;

/// What a cache is made of.
#[derive(Debug, Clone)]
pub struct CacheKind {
    pub layers: usize,
    /// kv_heads · head_dim
    pub width: usize,
    pub dtype: DType,
    pub device: Device,
}

impl CacheKind {
    /// The bytes that `tokens` of one row take in all layers.
    pub fn bytes(&self, tokens: usize) -> usize {
        2 * self.layers * self.width * tokens * self.dtype.size_in_bytes()
    }
}

/// The bytes that a row's cache takes when it holds `tokens`, from a model's shape alone.
pub fn row_bytes(shape: &ModelShape, value_bytes: usize, tokens: usize) -> usize {
    let width = shape.num_key_value_heads * shape.head_dim;
    2 * shape.num_hidden_layers * width * capacity(tokens) * value_bytes
}

/// Tokens that a cache of `tokens` has room for.
fn capacity(tokens: usize) -> usize {
    tokens.next_multiple_of(PIECE)
}

/// The keys and values of one row, in each layer [capacity, kv_heads·head_dim] of either.
#[derive(Debug)]
pub struct RowCache {
    layers: Vec<(Tensor, Tensor)>,
    capacity: usize,
    /// Tokens that are in it. What a pass wrote behind them counts only when the whole pass is done, so that one that failed can be repeated.
    pub len: usize,
    _charge: Charge,
}

impl RowCache {
    /// Room for `tokens`, none of them there yet.
    /// # Errors
    /// No room for it.
    pub fn new(kind: &CacheKind, tokens: usize, ledger: &Ledger) -> Result<Self> {
        let capacity = capacity(tokens);
        let _charge = ledger.ask(Category::KvCache, kind.bytes(capacity)).map_err(raised)?;
        let empty = || Tensor::zeros((capacity, kind.width), kind.dtype, &kind.device);
        let layers = (0..kind.layers).map(|_| Ok((empty()?, empty()?))).collect::<Result<_>>()?;
        Ok(RowCache { layers, capacity, len: 0, _charge })
    }

    /// Makes room for `tokens` in all; while a cache grows, it is there twice.
    /// # Errors
    /// No room for it; the cache is as it was.
    pub fn reserve(&mut self, kind: &CacheKind, tokens: usize, ledger: &Ledger) -> Result<()> {
        if tokens > self.capacity {
            *self = self.copied(kind, tokens, ledger)?;
        }
        Ok(())
    }

    /// A cache with the same tokens, and room for `tokens` in all.
    /// # Errors
    /// No room for it.
    pub fn copied(&self, kind: &CacheKind, tokens: usize, ledger: &Ledger) -> Result<Self> {
        let copy = RowCache::new(kind, tokens.max(self.len), ledger)?;
        if self.len > 0 {
            for ((k, v), (k_to, v_to)) in self.layers.iter().zip(&copy.layers) {
                k_to.slice_set(&k.narrow(0, 0, self.len)?, 0, 0)?;
                v_to.slice_set(&v.narrow(0, 0, self.len)?, 0, 0)?;
            }
        }
        Ok(RowCache { len: self.len, ..copy })
    }

    /// What the row has in one layer.
    pub fn layer(&self, layer: usize) -> CachedRow<'_> {
        let (k, v) = &self.layers[layer];
        CachedRow { k, v, len: self.len }
    }
}

/// A row's keys and values in one layer.
#[derive(Debug, Clone, Copy)]
pub struct CachedRow<'a> {
    k: &'a Tensor,
    v: &'a Tensor,
    len: usize,
}

impl CachedRow<'_> {
    /// Writes the keys and values of new tokens behind those that are there.
    fn append(&self, k: &Tensor, v: &Tensor) -> Result<()> {
        let room = self.k.dim(0)?;
        if self.len + k.dim(0)? > room {
            candle_core::bail!("a cache for {room} tokens has {} and got {} more", self.len, k.dim(0)?);
        }
        self.k.slice_set(k, 0, self.len)?;
        self.v.slice_set(v, 0, self.len)
    }
}

/// Attention of the new tokens of several rows, each over its own cache, which they join: whole prompts over empty caches, or one token each.
/// Shapes: q [tokens, heads·head_dim], k, v [tokens, kv_heads·head_dim] → [tokens, heads·head_dim].
/// # Errors
/// Several tokens for a cache that has some; a cache without room.
pub fn attend_cached(
    heads: &Heads,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    segments: Segments,
    rows: &[CachedRow],
) -> Result<Tensor> {
    let ranges = segments.ranges();
    for (row, range) in rows.iter().zip(&ranges) {
        row.append(&k.narrow(0, range.start, range.len())?, &v.narrow(0, range.start, range.len())?)?;
    }
    if rows.iter().all(|row| row.len == 0) {
        return heads.forward(q, k, v, segments);
    }
    if ranges.iter().any(|range| range.len() != 1) {
        candle_core::bail!("a cache takes a prompt first and then one token at a time");
    }
    let views = |of: fn(&CachedRow) -> Tensor| rows.iter().map(of).collect::<Vec<_>>();
    let (ks, vs) = (views(|row| row.k.clone()), views(|row| row.v.clone()));
    let seen = |tensors: &[Tensor]| tensors.iter().all(|t| cpu::on_cpu(t) && t.is_contiguous());
    match cpu::view(q) {
        Some(qs) if seen(&ks) && seen(&vs) => {
            let (ks, vs): (Vec<_>, Vec<_>) =
                (ks.iter().filter_map(cpu::view).collect(), vs.iter().filter_map(cpu::view).collect());
            let lens: Vec<usize> = rows.iter().map(|row| row.len + 1).collect();
            Tensor::from_vec(over_caches(heads, &qs, &ks, &vs, &lens), q.shape(), q.device())
        }
        _ => {
            let out = rows.iter().enumerate().map(|(i, row)| composed(heads, &q.narrow(0, i, 1)?, row));
            Tensor::cat(&out.collect::<Result<Vec<_>>>()?, 0)
        }
    }
}

/// Row i's query over the first `lens[i]` tokens of its cache; rows and heads are shared among all threads.
fn over_caches(heads: &Heads, q: &[f32], ks: &[cpu::View], vs: &[cpu::View], lens: &[usize]) -> Vec<f32> {
    let (d, group, kv_width) = (heads.head_dim, heads.group(), heads.kv_heads * heads.head_dim);
    let mut out = vec![0f32; q.len()];
    let task = group * d;
    out.par_chunks_mut(task).zip(q.par_chunks(task)).enumerate().for_each(|(i, (out, q))| {
        let (row, at) = (i / heads.kv_heads, i % heads.kv_heads * d);
        let (k, v) = (&ks[row][at..], &vs[row][at..]);
        let mut scores = vec![0f32; lens[row]];
        for (q, out) in q.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
            one_head(q, k, v, kv_width, heads.scale(), &mut scores, out);
        }
    });
    out
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn one_head(q: &[f32], k: &[f32], v: &[f32], stride: usize, scale: f32, scores: &mut [f32], out: &mut [f32]) {
    let d = q.len();
    for (t, score) in scores.iter_mut().enumerate() {
        *score = cpu::dot(q, &k[t * stride..][..d]);
    }
    let top = cpu::max(scores) * scale;
    let inverse = 1.0 / cpu::exp_and_sum(scores, scale, top);
    for (t, p) in scores.iter().enumerate() {
        for (out, v) in out.iter_mut().zip(&v[t * stride..][..d]) {
            *out += p * inverse * v;
        }
    }
}

/// The same of one row, of candle's operations.
fn composed(heads: &Heads, q: &Tensor, row: &CachedRow) -> Result<Tensor> {
    let seen = 0..row.len + 1;
    let qh = heads.split(q, &(0..1), heads.heads)?;
    let kh = heads.repeat(heads.split(row.k, &seen, heads.kv_heads)?)?;
    let vh = heads.repeat(heads.split(row.v, &seen, heads.kv_heads)?)?;
    let scores = (qh.matmul(&kh.t()?.contiguous()?)?.to_dtype(DType::F32)? * heads.scale() as f64)?;
    let e = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    let p = e.broadcast_div(&e.sum_keepdim(D::Minus1)?)?.to_dtype(q.dtype())?;
    heads.join(p.matmul(&vh)?)
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
    fn tokens_over_uneven_caches_equal_the_last_rows_of_the_whole() {
        let kind = CacheKind { layers: 1, width: 16, dtype: DType::F32, device: Device::Cpu };
        let (lens, ledger) = ([11usize, 40, 1], Ledger::default());
        let mut expected = Vec::new();
        let (mut caches, mut last) = (Vec::new(), Vec::new());
        for n in lens {
            let (q, k, v) = (random(n + 1, 32), random(n + 1, 16), random(n + 1, 16));
            let whole = HEADS.forward(&q, &k, &v, Segments(&[0, n as u32 + 1])).unwrap();
            expected.push(whole.narrow(0, n, 1).unwrap());
            let mut cache = RowCache::new(&kind, n, &ledger).unwrap();
            let part = |t: &Tensor, first, n| t.narrow(0, first, n).unwrap().contiguous().unwrap();
            let (qp, kp, vp) = (part(&q, 0, n), part(&k, 0, n), part(&v, 0, n));
            attend_cached(&HEADS, &qp, &kp, &vp, Segments(&[0, n as u32]), &[cache.layer(0)]).unwrap();
            cache.len = n;
            cache.reserve(&kind, n + 1, &ledger).unwrap();
            caches.push(cache);
            last.push([part(&q, n, 1), part(&k, n, 1), part(&v, n, 1)]);
        }
        let [q, k, v] = [0, 1, 2].map(|i| Tensor::cat(&last.iter().map(|l| &l[i]).collect::<Vec<_>>(), 0).unwrap());
        let rows: Vec<_> = caches.iter().map(|cache| cache.layer(0)).collect();
        let ours = attend_cached(&HEADS, &q, &k, &v, Segments(&[0, 1, 2, 3]), &rows).unwrap();
        assert!(distance(&ours, &Tensor::cat(&expected, 0).unwrap()) < 1e-5);
        for (i, row) in rows.iter().enumerate() {
            let composed = composed(&HEADS, &q.narrow(0, i, 1).unwrap(), row).unwrap();
            assert!(distance(&composed, &expected[i]) < 1e-5);
        }
        assert_eq!(ledger.by_category()[&Category::KvCache] as usize, kind.bytes(32 + 64 + 32));
    }
}
