//! RMS norm, forward and backward. The weight is frozen, so only the input gets a gradient.
//! Zhang and Sennrich 2019, arXiv 1910.07467.

use candle_core::{D, DType, Result, Tensor};
use multiversion::multiversion;

use super::cpu;
use crate::memory::ledger::{Category, Charge, Ledger};

/// `y = x / rms(x) · w`, with `rms(x) = sqrt(mean(x²) + eps)` over the last dimension.
#[derive(Debug)]
pub struct RmsNorm {
    /// [hidden]
    pub weight: Tensor,
    pub eps: f64,
    _charge: Charge,
}

impl RmsNorm {
    pub fn new(weight: Tensor, eps: f64, ledger: &Ledger) -> Self {
        let _charge = ledger.charge(Category::BaseWeights, cpu::bytes(&weight));
        RmsNorm { weight, eps, _charge }
    }

    /// Shapes: x [tokens, hidden] → [tokens, hidden].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, hidden) = x.dims2()?;
        match (cpu::view(x), cpu::view(&self.weight)) {
            (Some(xs), Some(w)) => {
                let out = cpu::filled(tokens * hidden, |out| {
                    cpu::over_rows(out, hidden, |first, rows| {
                        forward_rows(&xs[first * hidden..][..rows.len()], &w, self.eps as f32, rows)
                    })
                });
                Tensor::from_vec(out, (tokens, hidden), x.device())
            }
            _ => {
                let x32 = x.to_dtype(DType::F32)?;
                let scale = self.reciprocal_rms(&x32)?;
                x32.broadcast_mul(&scale)?.to_dtype(x.dtype())?.broadcast_mul(&self.weight.to_dtype(x.dtype())?)
            }
        }
    }

    /// Adds the gradient with respect to `x` to `acc` and returns the sum, on a CPU in `acc`'s own place.
    ///
    /// With n the width, ρ = 1/rms(x) and g = dy·w: `dx = ρ·g − x·ρ³·(g·x)/n`.
    /// Shapes: acc, x, dy [tokens, hidden].
    pub fn add_backward(&self, acc: Tensor, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let hidden = x.dim(D::Minus1)?;
        match (cpu::view(x), cpu::view(dy), cpu::view(&self.weight)) {
            (Some(xs), Some(dys), Some(w)) => {
                cpu::write(&acc, |out| {
                    cpu::over_rows(out, hidden, |first, rows| {
                        let part = first * hidden..first * hidden + rows.len();
                        backward_rows(&xs[part.clone()], &dys[part], &w, self.eps as f32, rows)
                    })
                })?;
                Ok(acc)
            }
            _ => {
                let x32 = x.to_dtype(DType::F32)?;
                let g = dy.to_dtype(DType::F32)?.broadcast_mul(&self.weight.to_dtype(DType::F32)?)?;
                let rho = self.reciprocal_rms(&x32)?;
                let mean = ((&g * &x32)?.sum_keepdim(D::Minus1)? / hidden as f64)?;
                let second = x32.broadcast_mul(&(mean * rho.powf(3.0)?)?)?;
                acc + (g.broadcast_mul(&rho)? - second)?.to_dtype(x.dtype())?
            }
        }
    }

    fn reciprocal_rms(&self, x32: &Tensor) -> Result<Tensor> {
        (x32.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?.recip()
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn forward_rows(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
    let n = w.len();
    for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
        let rho = 1.0 / (cpu::dot(x, x) / n as f32 + eps).sqrt();
        for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
            *y = x * rho * w;
        }
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn backward_rows(x: &[f32], dy: &[f32], w: &[f32], eps: f32, acc: &mut [f32]) {
    let n = w.len();
    for ((x, dy), acc) in x.chunks_exact(n).zip(dy.chunks_exact(n)).zip(acc.chunks_exact_mut(n)) {
        let rho = 1.0 / (cpu::dot(x, x) / n as f32 + eps).sqrt();
        let mut sums = [0f32; 16];
        let mut rest = 0f32;
        let whole = n / 16 * 16;
        for i in (0..whole).step_by(16) {
            for j in 0..16 {
                sums[j] += dy[i + j] * w[i + j] * x[i + j];
            }
        }
        for i in whole..n {
            rest += dy[i] * w[i] * x[i];
        }
        let pull = (sums.iter().sum::<f32>() + rest) * rho * rho * rho / n as f32;
        for i in 0..n {
            acc[i] += dy[i] * w[i] * rho - x[i] * pull;
        }
    }
}
