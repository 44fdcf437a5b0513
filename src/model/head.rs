//! The loss: final norm, output head and cross-entropy over the positions that have a target, chunk by chunk.
//! For a chunk: logits, log-sum-exp, loss and d(hidden); then the chunk is gone. The full logits never exist.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use candle_core::{D, DType, Result, Tensor};
use multiversion::multiversion;
use rayon::prelude::*;

use super::cpu;
use super::frozen::{Frozen, Products};
use super::norm::RmsNorm;
use super::oom::raised;
use super::product::{self, Strided, multiply_parallel};
use crate::memory::ledger::{Category, Charge, Ledger};

/// Positions whose logits are held at once where nobody says otherwise (`memory.head_chunk`). It never follows what memory happens to be free,
/// so that sums do not depend on it.
pub const CHUNK_POSITIONS: usize = 256;
/// Rows of the head that are dequantised at once on a CPU.
const VOCABULARY_BLOCK: usize = 4096;

/// A position of the batch and the token that it should predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub position: u32,
    pub token: u32,
}

/// The final norm and the output matrix, [vocabulary, hidden]; the matrix may be the embedding's.
#[derive(Debug)]
pub struct Head {
    pub norm: RmsNorm,
    pub weight: Arc<Frozen>,
    chunk: AtomicUsize,
}

/// The gradient of the hidden states, charged while it is held.
pub type Gradient = (Tensor, Charge);

impl Head {
    pub fn new(norm: RmsNorm, weight: Arc<Frozen>) -> Self {
        Head { norm, weight, chunk: AtomicUsize::new(CHUNK_POSITIONS) }
    }

    /// Sets how many positions' logits are held at once, from now on.
    pub fn set_chunk(&self, positions: usize) {
        self.chunk.store(positions.max(1), Relaxed);
    }

    pub fn chunk(&self) -> usize {
        self.chunk.load(Relaxed)
    }

    /// The bytes that a chunk of `rows` positions holds: logits, the chosen rows before and after the norm, and with gradients theirs.
    fn chunk_bytes(&self, rows: usize, hidden: &Tensor, gradients: bool) -> usize {
        let (vocabulary, width, element) =
            (self.weight.out_features, self.weight.in_features, hidden.dtype().size_in_bytes());
        let rows_bytes = rows * width * element * if gradients { 4 } else { 2 };
        if cpu::on_cpu(hidden) {
            return rows * vocabulary * size_of::<f32>() + rows_bytes;
        }
        // Composed operations hold logits, their exponentials and probabilities at once; a formula that was not held against a device.
        let copies = if gradients { 5 } else { 4 };
        rows * vocabulary * size_of::<f32>() * copies + rows_bytes + self.weight.copy_bytes(element)
    }

    /// Σ −log p(target) in nats over the targets, and with `scale` the gradient of `scale · loss` with respect to `hidden`.
    /// Shapes: hidden [tokens, hidden] before the final norm.
    /// # Errors
    /// No room, asked for before anything is allocated; whatever the device says.
    pub fn loss(
        &self,
        hidden: &Tensor,
        targets: &[Target],
        scale: Option<f64>,
        ledger: &Ledger,
    ) -> Result<(f64, Option<Gradient>)> {
        let vocabulary = self.weight.out_features;
        let rows = targets.len().min(self.chunk());
        let held = self.chunk_bytes(rows, hidden, scale.is_some());
        let gradient = if scale.is_some() { cpu::bytes(hidden) } else { 0 };
        let scratch = self.weight.scratch_growth(VOCABULARY_BLOCK.min(vocabulary));
        ledger.has_room(held + gradient + scratch).map_err(raised)?;
        let _held = ledger.charge(Category::HeadChunk, held);
        let gradient = scale.map(|_| ledger.charge(Category::BlockWork, gradient));
        let fused = cpu::on_cpu(hidden);
        let mut logits = vec![0f32; if fused { rows * vocabulary } else { 0 }];
        let mut total = 0f64;
        let mut d_hidden = scale.map(|_| hidden.zeros_like()).transpose()?;
        for chunk in targets.chunks(rows.max(1)) {
            let positions: Vec<u32> = chunk.iter().map(|t| t.position).collect();
            let index = Tensor::from_vec(positions, chunk.len(), hidden.device())?;
            let x = hidden.index_select(&index, 0)?;
            let normed = self.norm.forward(&x)?;
            let (loss, d_normed) = if fused {
                self.chunk_cpu(&normed, chunk, scale, &mut logits[..chunk.len() * vocabulary])?
            } else {
                self.chunk_composed(&normed, chunk, scale)?
            };
            total += loss;
            if let (Some(d), Some(d_normed)) = (&d_hidden, d_normed) {
                let dx = self.norm.add_backward(x.zeros_like()?, &x, &d_normed)?;
                d_hidden = Some(add_rows(d, &index, chunk, &dx)?);
            }
        }
        Ok((total, d_hidden.zip(gradient)))
    }

    fn chunk_cpu(
        &self,
        normed: &Tensor,
        chunk: &[Target],
        scale: Option<f64>,
        logits: &mut [f32],
    ) -> Result<(f64, Option<Tensor>)> {
        let Some(xs) = cpu::view(normed) else { candle_core::bail!("the head's input is not contiguous") };
        let (n, hidden, vocabulary) = (chunk.len(), self.weight.in_features, self.weight.out_features);
        let blocks = (0..vocabulary).step_by(VOCABULARY_BLOCK).map(|b| b..(b + VOCABULARY_BLOCK).min(vocabulary));
        for block in blocks.clone() {
            self.weight.with_rows(block.clone(), |w| {
                let (a, b) = (Strided::rows(&xs, hidden), Strided::transposed(w, hidden));
                multiply_parallel((n, block.len(), hidden), &mut logits[block.start..], vocabulary, false, a, b, 1.0);
            })?;
        }
        let rows = logits.par_chunks_mut(vocabulary).zip(chunk);
        let losses: Vec<f64> =
            rows.map(|(row, target)| softmax_loss(row, target.token as usize, scale.map(|s| s as f32))).collect();
        let loss = losses.iter().sum();
        if scale.is_none() {
            return Ok((loss, None));
        }
        let mut d = vec![0f32; n * hidden];
        for block in blocks {
            self.weight.with_rows(block.clone(), |w| {
                let a = Strided { data: logits[block.start..].as_ptr(), row: vocabulary, col: 1 };
                let b = Strided::rows(w, hidden);
                multiply_parallel((n, hidden, block.len()), &mut d, hidden, true, a, b, 1.0);
            })?;
        }
        Ok((loss, Some(Tensor::from_vec(d, (n, hidden), normed.device())?)))
    }

    fn chunk_composed(&self, normed: &Tensor, chunk: &[Target], scale: Option<f64>) -> Result<(f64, Option<Tensor>)> {
        let tokens: Vec<u32> = chunk.iter().map(|t| t.token).collect();
        let tokens = Tensor::from_vec(tokens, (chunk.len(), 1), normed.device())?;
        let weight = self.weight.materialised(normed.device(), normed.dtype())?;
        let logits = product::nt(normed, &weight)?.to_dtype(DType::F32)?;
        let top = logits.max_keepdim(D::Minus1)?;
        let exp = logits.broadcast_sub(&top)?.exp()?;
        let sum = exp.sum_keepdim(D::Minus1)?;
        let losses = ((sum.log()? + top)? - logits.gather(&tokens, 1)?)?;
        let loss = losses.sum_all()?.to_scalar::<f32>()? as f64;
        let Some(scale) = scale else { return Ok((loss, None)) };
        let p = (exp.broadcast_div(&sum)? * scale)?;
        let minus = Tensor::full(-scale as f32, (chunk.len(), 1), normed.device())?;
        let d_logits = p.scatter_add(&tokens, &minus, 1)?.to_dtype(normed.dtype())?;
        Ok((loss, Some(product::nn(&d_logits, &weight)?)))
    }

    /// The logits of chosen rows, in f32. Shapes: hidden [tokens, hidden] before the final norm → [rows, vocabulary].
    pub fn logits(&self, hidden: &Tensor, rows: &[u32]) -> Result<Tensor> {
        let index = Tensor::from_slice(rows, rows.len(), hidden.device())?;
        self.all_logits(&hidden.index_select(&index, 0)?, Products::Whole)
    }

    /// The logits of all rows, in f32. Shapes: hidden [rows, hidden] before the final norm → [rows, vocabulary].
    pub fn all_logits(&self, hidden: &Tensor, products: Products) -> Result<Tensor> {
        self.weight.forward_by(&self.norm.forward(hidden)?, products)?.to_dtype(DType::F32)
    }
}

/// Adds the rows of `dx` to those of `d` that the targets stand at, on a CPU in place.
fn add_rows(d: &Tensor, index: &Tensor, chunk: &[Target], dx: &Tensor) -> Result<Tensor> {
    let Some(dxs) = cpu::view(dx).filter(|_| cpu::on_cpu(d)) else { return d.index_add(index, dx, 0) };
    let width = d.dim(1)?;
    cpu::write(d, |d| {
        for (target, dx) in chunk.iter().zip(dxs.chunks_exact(width)) {
            let row = &mut d[target.position as usize * width..][..width];
            row.iter_mut().zip(dx).for_each(|(d, dx)| *d += dx);
        }
    })?;
    Ok(d.clone())
}

/// The loss of one position; with `scale` its logits become `scale · (softmax − onehot)`.
#[multiversion(targets("x86_64+avx2+fma"))]
fn softmax_loss(logits: &mut [f32], target: usize, scale: Option<f32>) -> f64 {
    let (top, wanted) = (cpu::max(logits), logits[target]);
    let sum = cpu::exp_and_sum(logits, 1.0, top);
    if let Some(scale) = scale {
        let factor = scale / sum;
        for p in logits.iter_mut() {
            *p *= factor;
        }
        logits[target] -= scale;
    }
    (sum as f64).ln() + top as f64 - wanted as f64
}
