//! The gate of the feed-forward part: `silu(gate) · up`, forward and backward. Shazeer 2020, arXiv 2002.05202.

use candle_core::{DType, Result, Tensor};
use multiversion::multiversion;
use rayon::prelude::*;

use super::cpu;

const PIECE: usize = 1 << 14;

/// `a = silu(gate) · up`, silu(g) = g / (1 + e^−g). Shapes: all [tokens, intermediate].
pub fn silu_mul(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    match (cpu::view(gate), cpu::view(up)) {
        (Some(g), Some(u)) => {
            let out = cpu::filled(g.len(), |out| {
                let parts = out.par_chunks_mut(PIECE).zip(g.par_chunks(PIECE)).zip(u.par_chunks(PIECE));
                parts.for_each(|((out, g), u)| forward_piece(g, u, out));
            });
            Tensor::from_vec(out, gate.shape(), gate.device())
        }
        _ => gate.silu()? * up,
    }
}

/// The same, on a CPU in gate's own place.
pub fn silu_mul_into(gate: Tensor, up: &Tensor) -> Result<Tensor> {
    match cpu::view(up) {
        Some(u) if cpu::on_cpu(&gate) => {
            cpu::write(&gate, |g| {
                g.par_chunks_mut(PIECE).zip(u.par_chunks(PIECE)).for_each(|(g, u)| forward_in_place(g, u));
            })?;
            Ok(gate)
        }
        _ => silu_mul(&gate, up),
    }
}

/// The gradients of gate and up, on a CPU in the places of gate and up. With σ the logistic function of gate:
/// `d_gate = da·up·σ·(1 + gate·(1 − σ))`, `d_up = da·gate·σ`.
pub fn silu_mul_backward(gate: Tensor, up: Tensor, da: &Tensor) -> Result<(Tensor, Tensor)> {
    match cpu::view(da) {
        Some(d) if cpu::on_cpu(&gate) && cpu::on_cpu(&up) => {
            cpu::write(&gate, |g| {
                cpu::write(&up, |u| {
                    let parts = g.par_chunks_mut(PIECE).zip(u.par_chunks_mut(PIECE)).zip(d.par_chunks(PIECE));
                    parts.for_each(|((g, u), d)| backward_piece(g, u, d));
                })
            })??;
            Ok((gate, up))
        }
        _ => {
            let (g, u) = (gate.to_dtype(DType::F32)?, up.to_dtype(DType::F32)?);
            let d = da.to_dtype(DType::F32)?;
            let sigma = (g.neg()?.exp()? + 1.0)?.recip()?;
            let du = ((&d * &g)? * &sigma)?;
            let slope = (((1.0 - &sigma)? * &g)? + 1.0)?;
            let dg = (((d * u)? * sigma)? * slope)?;
            Ok((dg.to_dtype(gate.dtype())?, du.to_dtype(gate.dtype())?))
        }
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn forward_piece(g: &[f32], u: &[f32], out: &mut [f32]) {
    for ((out, &g), &u) in out.iter_mut().zip(g).zip(u) {
        *out = g * u / (1.0 + cpu::exp(-g));
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn forward_in_place(g: &mut [f32], u: &[f32]) {
    for (g, &u) in g.iter_mut().zip(u) {
        *g = *g * u / (1.0 + cpu::exp(-*g));
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn backward_piece(gate: &mut [f32], up: &mut [f32], d: &[f32]) {
    for ((gate, up), &d) in gate.iter_mut().zip(up).zip(d) {
        let (g, u) = (*gate, *up);
        let sigma = 1.0 / (1.0 + cpu::exp(-g));
        *up = d * g * sigma;
        *gate = d * u * sigma * (1.0 + g * (1.0 - sigma));
    }
}
