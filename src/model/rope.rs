//! Rotary position embedding in the Hugging Face layout: the two halves of a head are turned against each other.
//! Su et al. 2021, arXiv 2104.09864. The backward of a rotation is the rotation back.

use candle_core::{DType, Device, Result, Tensor};
use multiversion::multiversion;

use super::cpu;

/// Frequencies of the rotation, one for each pair of channels, after any scaling that the model asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Frequencies(pub Vec<f32>);

/// The cosines and sines for the positions of a batch, [tokens, head_dim / 2] each.
#[derive(Debug, Clone)]
pub struct Rotation {
    cos: Tensor,
    sin: Tensor,
}

impl Frequencies {
    /// `theta^(−2i/head_dim)`.
    pub fn new(theta: f64, head_dim: usize) -> Self {
        Frequencies((0..head_dim / 2).map(|i| theta.powf(-2.0 * i as f64 / head_dim as f64) as f32).collect())
    }

    /// The bytes of the rotation for so many tokens.
    pub fn bytes(&self, tokens: usize, dtype: DType) -> usize {
        2 * tokens * self.0.len() * dtype.size_in_bytes()
    }

    /// The rotation for each token's position within its own row.
    pub fn rotation(&self, positions: &[u32], dtype: DType, device: &Device) -> Result<Rotation> {
        let shape = (positions.len(), self.0.len());
        let values = |of: fn(f32) -> f32| {
            let mut values = Vec::with_capacity(shape.0 * shape.1);
            values.extend(positions.iter().flat_map(|&p| self.0.iter().map(move |f| of(p as f32 * f))));
            values
        };
        let (cos, sin) = (values(f32::cos), values(f32::sin));
        Ok(Rotation {
            cos: Tensor::from_vec(cos, shape, device)?.to_dtype(dtype)?,
            sin: Tensor::from_vec(sin, shape, device)?.to_dtype(dtype)?,
        })
    }
}

impl Rotation {
    /// Turns every head of `x` by its token's angles. Shapes: x [tokens, heads · head_dim] → the same, on a CPU in place.
    pub fn forward(&self, x: Tensor) -> Result<Tensor> {
        self.turn(x, false)
    }

    /// The gradient before the rotation from the gradient after it: the same turn, backwards.
    pub fn backward(&self, dx: Tensor) -> Result<Tensor> {
        self.turn(dx, true)
    }

    fn turn(&self, x: Tensor, back: bool) -> Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        let half = self.cos.dim(1)?;
        match (cpu::view(&self.cos), cpu::view(&self.sin)) {
            (Some(cos), Some(sin)) if cpu::on_cpu(&x) => {
                cpu::write(&x, |out| {
                    cpu::over_rows(out, width, |first, rows| {
                        let part = first * half..(first + rows.len() / width) * half;
                        turn_rows(rows, width, &cos[part.clone()], &sin[part], half, back)
                    })
                })?;
                Ok(x)
            }
            _ => {
                let heads = width / (2 * half);
                let x4 = x.reshape((tokens, heads, 2, half))?;
                let (a, b) = (x4.narrow(2, 0, 1)?, x4.narrow(2, 1, 1)?);
                let cos = self.cos.reshape((tokens, 1, 1, half))?;
                let sin = self.sin.reshape((tokens, 1, 1, half))?;
                let sin = if back { sin.neg()? } else { sin };
                let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
                let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
                Tensor::cat(&[first, second], 2)?.reshape((tokens, width))
            }
        }
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn turn_rows(x: &mut [f32], width: usize, cos: &[f32], sin: &[f32], half: usize, back: bool) {
    let sign = if back { -1.0 } else { 1.0 };
    for ((row, cos), sin) in x.chunks_exact_mut(width).zip(cos.chunks_exact(half)).zip(sin.chunks_exact(half)) {
        for head in row.chunks_exact_mut(2 * half) {
            let (first, second) = head.split_at_mut(half);
            for (((a, b), c), s) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                let s = s * sign;
                (*a, *b) = (*a * c - *b * s, *b * c + *a * s);
            }
        }
    }
}
