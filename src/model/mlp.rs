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

/// The gradients of gate and up. With σ the logistic function of gate:
/// `d_gate = da·up·σ·(1 + gate·(1 − σ))`, `d_up = da·gate·σ`.
pub fn silu_mul_backward(gate: &Tensor, up: &Tensor, da: &Tensor) -> Result<(Tensor, Tensor)> {
    match (cpu::view(gate), cpu::view(up), cpu::view(da)) {
        (Some(g), Some(u), Some(d)) => {
            let (mut dg, mut du) = (vec![0f32; g.len()], vec![0f32; g.len()]);
            let outs = dg.par_chunks_mut(PIECE).zip(du.par_chunks_mut(PIECE));
            let ins = g.par_chunks(PIECE).zip(u.par_chunks(PIECE)).zip(d.par_chunks(PIECE));
            outs.zip(ins).for_each(|((dg, du), ((g, u), d))| backward_piece(g, u, d, dg, du));
            let device = gate.device();
            Ok((Tensor::from_vec(dg, gate.shape(), device)?, Tensor::from_vec(du, gate.shape(), device)?))
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
fn backward_piece(g: &[f32], u: &[f32], d: &[f32], dg: &mut [f32], du: &mut [f32]) {
    for ((((dg, du), &g), &u), &d) in dg.iter_mut().zip(du).zip(g).zip(u).zip(d) {
        let sigma = 1.0 / (1.0 + cpu::exp(-g));
        *du = d * g * sigma;
        *dg = d * u * sigma * (1.0 + g * (1.0 - sigma));
    }
}
