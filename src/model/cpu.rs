//! The seam between candle's tensors and loops over plain slices on a CPU: views, in-place writes, rows shared among threads, a fast `exp`.
//! The loops themselves live in the room whose formula they compute; each has a twin composed of candle operations for other devices.

use std::cell::RefCell;
use std::ops::Deref;

use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Result, Storage, StorageRef, Tensor};
use rayon::prelude::*;

/// A contiguous f32 tensor on the CPU, seen as a slice.
pub struct View<'a> {
    storage: StorageRef<'a>,
    start: usize,
    len: usize,
}

/// The tensor's values as a slice, when it is contiguous f32 on the CPU; `None` sends the caller to its composed twin.
pub fn view(tensor: &Tensor) -> Option<View<'_>> {
    if !on_cpu(tensor) || !tensor.is_contiguous() {
        return None;
    }
    let (storage, layout) = tensor.storage_and_layout();
    let (start, len) = (layout.start_offset(), layout.shape().elem_count());
    Some(View { storage, start, len })
}

/// The bytes of a tensor's values.
pub fn bytes(tensor: &Tensor) -> usize {
    tensor.elem_count() * tensor.dtype().size_in_bytes()
}

/// Zeros that are really in memory: the system gives pages that nobody has written to only when they are, long after there was room for them.
pub fn resident_zeros_like(tensor: &Tensor) -> Result<Tensor> {
    let zeros = tensor.zeros_like()?;
    if on_cpu(&zeros) {
        write(&zeros, |values| std::hint::black_box(values).fill(0.0))?;
    }
    Ok(zeros)
}

/// Whether the fused loops apply: f32 on the CPU.
pub fn on_cpu(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}

impl Deref for View<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(values)) => &values[self.start..self.start + self.len],
            _ => unreachable!("a view is only made of f32 tensors on the CPU"),
        }
    }
}

struct InPlace<F, R>(RefCell<Option<F>>, RefCell<Option<R>>);

impl<R, F: FnOnce(&mut [f32]) -> R> InplaceOp1 for InPlace<F, R> {
    fn name(&self) -> &'static str {
        "in-place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            candle_core::bail!("an in-place write needs a contiguous f32 tensor, found {layout:?}")
        };
        if let Some(write) = self.0.borrow_mut().take() {
            *self.1.borrow_mut() = Some(write(&mut values[start..end]));
        }
        Ok(())
    }
}

/// Writes into a contiguous f32 CPU tensor. Every tensor that shares its storage sees the new values.
/// # Errors
/// A tensor on another device, of another type, or not contiguous.
pub fn write<R>(tensor: &Tensor, write: impl FnOnce(&mut [f32]) -> R) -> Result<R> {
    let op = InPlace(RefCell::new(Some(write)), RefCell::new(None));
    tensor.inplace_op1(&op)?;
    match op.1.into_inner() {
        Some(result) => Ok(result),
        None => candle_core::bail!("an in-place write was not carried out"),
    }
}

/// A new buffer of `len` values that `fill` must write in full.
pub fn filled(len: usize, fill: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut values = vec![0.0; len];
    fill(&mut values);
    values
}

/// A raw pointer that may cross threads; whoever uses it states why no two threads touch the same place.
#[derive(Clone, Copy)]
pub struct Shared<T>(pub *mut T);
unsafe impl<T: Send> Send for Shared<T> {}
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// The place `offset` elements on.
    /// # Safety
    /// As `<*mut T>::add`.
    pub unsafe fn at(self, offset: usize) -> *mut T {
        unsafe { self.0.add(offset) }
    }
}

/// How many rows of `width` values make a piece of work worth a thread. Fixed, so that sums over pieces do not depend on the machine.
pub fn rows_per_piece(width: usize) -> usize {
    (1_usize << 14).div_ceil(width.max(1)).max(1)
}

/// Runs `work(first_row, rows)` over pieces of `out`, whose rows are `width` wide, on all threads.
pub fn over_rows(out: &mut [f32], width: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    let rows = rows_per_piece(width);
    if out.len() <= rows * width {
        return work(0, out);
    }
    out.par_chunks_mut(rows * width).enumerate().for_each(|(i, piece)| work(i * rows, piece));
}

/// e^x within 2 ulp for x ≤ 88, and 0 below −87.3; written so that compilers turn loops over it into vector code.
/// Source: Cody and Waite's range reduction with the polynomial of Cephes' `expf`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let clamped = x.clamp(-87.336, 88.0);
    // Adding and taking away 1.5·2^23 rounds to the nearest whole number without a call.
    let n = (clamped * std::f32::consts::LOG2_E + 12_582_912.0) - 12_582_912.0;
    let r = clamped - n * 0.693_359_4;
    let r = r - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_6e-1;
    let p = p * r + 0.5;
    let y = p * (r * r) + r + 1.0;
    let scale = f32::from_bits((((n as i32) + 127) << 23) as u32);
    if x < -87.336 { 0.0 } else { y * scale }
}

/// Σ aᵢ·bᵢ in sixteen running sums, whose order is the same on every machine.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    let (a16, a_rest) = a.as_chunks::<16>();
    let (b16, b_rest) = b.as_chunks::<16>();
    for (x, y) in a16.iter().zip(b16) {
        for i in 0..16 {
            sums[i] += x[i] * y[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// The largest of the values, −∞ for none.
#[inline(always)]
pub fn max(values: &[f32]) -> f32 {
    let mut best = [f32::NEG_INFINITY; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for i in 0..16 {
            best[i] = if chunk[i] > best[i] { chunk[i] } else { best[i] };
        }
    }
    rest.iter().chain(&best).fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m })
}

/// Replaces each value v by e^(v·scale − shift) and returns their sum.
#[inline(always)]
pub fn exp_and_sum(values: &mut [f32], scale: f32, shift: f32) -> f32 {
    let mut sums = [0f32; 16];
    let (chunks, rest) = values.as_chunks_mut::<16>();
    for chunk in chunks {
        for i in 0..16 {
            chunk[i] = exp(chunk[i] * scale - shift);
            sums[i] += chunk[i];
        }
    }
    let mut sum = sums.iter().sum::<f32>();
    for v in rest {
        *v = exp(*v * scale - shift);
        sum += *v;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_ulp_of_the_library() {
        let mut worst = 0.0f64;
        for i in -8700..8800 {
            let x = i as f32 * 0.01;
            let exact = (x as f64).exp();
            worst = worst.max(((exp(x) as f64 - exact) / exact).abs());
        }
        assert!(worst < 2.5e-7, "worst relative error {worst:e}");
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn sums_over_uneven_lengths_miss_nothing() {
        let values: Vec<f32> = (0..37).map(|i| i as f32).collect();
        assert_eq!(dot(&values, &[1.0; 37]), 666.0);
        assert_eq!(max(&values), 36.0);
        let mut zeros = vec![0.0; 19];
        assert_eq!(exp_and_sum(&mut zeros, 1.0, 0.0), 19.0);
    }
}
