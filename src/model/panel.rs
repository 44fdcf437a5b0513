//! Products of rows with a weight that is expanded panel by panel, in a core's own cache, and multiplied there at once: generation's way.
//! The rows lie side by side in vector lanes, so that each element is one sum over the inner dimension from its first term to its last,
//! whatever other rows are beside it: a row's results do not depend on the batch that it is in, byte for byte.
//! Weights of many kinds are `frozen`'s business, products for training `product`'s.

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Result, Tensor};
use rayon::prelude::*;

use super::cpu::{self, Shared};
use super::frozen::{Scratch, dequantise, row_bytes};

/// Values of a panel: with the rows that meet it, it stays in a core's second cache.
const PANEL_VALUES: usize = 192 << 10;
/// Rows of weights that a panel is a multiple of: what either kernel takes at once.
const PANEL_STEP: usize = 24;
/// The most rows of weights in a panel.
const PANEL_ROWS: usize = 96;
/// Multiplications below which threads are not worth waking.
const SMALL: usize = 1 << 17;

/// Rows of x turned into lanes: blocks of up to `WIDE` rows, each [inner][lanes], the last ones narrow where that is enough.
pub struct Lanes {
    values: Vec<f32>,
    rows: usize,
    inner: usize,
}

/// Lanes of a narrow block.
const NARROW: usize = 16;

/// Lanes of a wide block: two vectors of AVX-512; narrower vectors have no use for more than a narrow one.
fn wide() -> usize {
    if kernels::is_wide() { 2 * NARROW } else { NARROW }
}

impl Lanes {
    /// Shapes: x [rows, inner].
    pub fn new(x: &[f32], inner: usize) -> Self {
        let rows = x.len() / inner.max(1);
        let mut lanes = Lanes { values: vec![0f32; rows.next_multiple_of(NARROW) * inner], rows, inner };
        for (first, width) in blocks(rows) {
            let block = &mut lanes.values[first * inner..][..width * inner];
            let x = &x[first * inner..(first + width).min(rows) * inner];
            turn(x, inner, width, block);
        }
        lanes
    }

    /// The bytes that the lanes of so many rows take.
    pub fn bytes(rows: usize, inner: usize) -> usize {
        rows.next_multiple_of(NARROW) * inner * size_of::<f32>()
    }
}

/// (first row, lanes) of each block.
fn blocks(rows: usize) -> impl Iterator<Item = (usize, usize)> {
    let wide = wide();
    let mut first = 0;
    std::iter::from_fn(move || {
        let left = rows.checked_sub(first).filter(|left| *left > 0)?;
        let block = (first, if left > NARROW { wide } else { NARROW });
        first += block.1;
        Some(block)
    })
}

/// [rows][inner] to [inner][width], a few channels of all rows at a time so that what is written stays in the first cache.
fn turn(x: &[f32], inner: usize, width: usize, block: &mut [f32]) {
    const CHANNELS: usize = 64;
    for start in (0..inner).step_by(CHANNELS) {
        let end = (start + CHANNELS).min(inner);
        for (lane, row) in x.chunks_exact(inner).enumerate() {
            for (value, at) in row[start..end].iter().zip(block[start * width + lane..].iter_mut().step_by(width)) {
                *at = *value;
            }
        }
    }
}

/// A weight [outs, inner] on the CPU.
#[derive(Clone, Copy)]
pub enum Weight<'a> {
    Dense(&'a [f32]),
    /// Whole blocks of a GGML type that `dequantise` has a rule for, and where its panels are expanded.
    Packed(GgmlDType, &'a [u8], &'a Scratch),
}

/// The values that the panels of all threads take together.
pub fn scratch_values(inner: usize) -> usize {
    rayon::current_num_threads() * (panel_rows(inner) * inner).next_multiple_of(NARROW)
}

fn panel_rows(inner: usize) -> usize {
    (PANEL_VALUES / inner.max(1)).clamp(PANEL_STEP, PANEL_ROWS) / PANEL_STEP * PANEL_STEP
}

/// Where the products go.
#[derive(Clone, Copy)]
struct Place {
    out: Shared<f32>,
    /// The distance between two rows.
    row: usize,
    keep: bool,
    scale: f32,
}

/// `out = keep·out + scale · x·Wᵀ`. Shapes: out [rows, outs], rows `out_row` apart.
/// # Errors
/// A weight that is no whole number of blocks.
pub fn multiply(
    x: &Lanes,
    weight: Weight,
    outs: usize,
    (out, out_row): (&mut [f32], usize),
    keep: bool,
    scale: f32,
) -> Result<()> {
    assert!(x.rows == 0 || out.len() >= (x.rows - 1) * out_row + outs, "the destination of a product has its size");
    let place = Place { out: Shared(out.as_mut_ptr()), row: out_row, keep, scale };
    over_panels(x, weight, outs, |panel, first, n| {
        // SAFETY: columns first..first + n of the output belong to this panel alone.
        unsafe { kernels::panel(x, panel, n, Place { out: Shared(place.out.at(first)), ..place }) };
    })
}

/// The products of each panel of W, [rows][n] for its rows `first..first + n`, shown to `see(first, n, products)` on the thread that has
/// them; nobody keeps them.
/// # Errors
/// As [`multiply`].
pub fn each_panel(x: &Lanes, weight: Weight, outs: usize, see: impl Fn(usize, usize, &[f32]) + Sync) -> Result<()> {
    over_panels(x, weight, outs, |panel, first, n| {
        let mut products = vec![0f32; x.rows * n];
        let place = Place { out: Shared(products.as_mut_ptr()), row: n, keep: false, scale: 1.0 };
        // SAFETY: the products are this thread's own.
        unsafe { kernels::panel(x, panel, n, place) };
        see(first, n, &products);
    })
}

/// Calls `work(panel, first, n)` for each panel on some thread.
fn over_panels(x: &Lanes, weight: Weight, outs: usize, work: impl Fn(&[f32], usize, usize) + Sync) -> Result<()> {
    let (inner, threads) = (x.inner, rayon::current_num_threads());
    let fair = outs.div_ceil(3 * threads).next_multiple_of(PANEL_STEP);
    let most = panel_rows(inner).min(fair);
    let pieces = outs.div_ceil(most);
    let piece = |p: usize| (p * most, most.min(outs - p * most));
    let alone = threads == 1 || x.rows * inner * outs < SMALL;
    match weight {
        Weight::Dense(w) => {
            let at = |p| {
                let (first, n) = piece(p);
                work(&w[first * inner..][..n * inner], first, n);
            };
            if alone {
                (0..pieces).for_each(at)
            } else {
                (0..pieces).into_par_iter().with_max_len(1).for_each(at)
            }
            Ok(())
        }
        Weight::Packed(dtype, bytes, scratch) => {
            let row_bytes = row_bytes(dtype, inner)?;
            let share = (panel_rows(inner) * inner).next_multiple_of(NARROW);
            scratch.with(threads * share, |panels| {
                let panels = Shared(panels.as_mut_ptr());
                let at = |p| {
                    let (first, n) = piece(p);
                    let thread = rayon::current_thread_index().unwrap_or(0);
                    // SAFETY: each thread has its own share of the scratch, and works on one panel at a time.
                    let panel = unsafe { std::slice::from_raw_parts_mut(panels.at(thread * share), n * inner) };
                    dequantise(dtype, &bytes[first * row_bytes..][..n * row_bytes], panel)?;
                    work(panel, first, n);
                    Ok(())
                };
                // Outside of the pool there is no index: such a thread must not work beside the pool's first one.
                if alone && rayon::current_thread_index().is_none() {
                    (0..pieces).try_for_each(at)
                } else {
                    (0..pieces).into_par_iter().with_max_len(1).try_for_each(at)
                }
            })
        }
    }
}

/// `acc += scale · x·wᵀ` with a dense weight, in `acc`'s own place; `None` where the tensors are not f32 on the CPU.
/// Shapes: x [rows, inner] (a part of wider rows, maybe), w [outs, inner], acc [rows, outs].
pub fn add_dense(acc: &Tensor, x: &Tensor, w: &Tensor, scale: f64) -> Result<Option<()>> {
    let x = x.contiguous()?;
    let (Some(xs), Some(ws), true) = (cpu::view(&x), cpu::view(w), cpu::on_cpu(acc)) else { return Ok(None) };
    let (outs, inner) = w.dims2()?;
    let lanes = Lanes::new(&xs, inner);
    cpu::write(acc, |out| multiply(&lanes, Weight::Dense(&ws), outs, (out, outs), true, scale as f32))??;
    Ok(Some(()))
}

/// `x·wᵀ` with a dense weight, likewise.
pub fn dense(x: &Tensor, w: &Tensor) -> Result<Option<Tensor>> {
    if !cpu::on_cpu(x) {
        return Ok(None);
    }
    let out = Tensor::zeros((x.dim(0)?, w.dim(0)?), DType::F32, x.device())?;
    Ok(add_dense(&out, x, w, 1.0)?.map(|()| out))
}

/// The kernels: for a panel of n rows of weights, each block of lanes against `AT_ONCE` rows at a time, all sums in registers.
mod kernels {
    use super::{Lanes, NARROW, Place, blocks};

    /// Whether blocks of two vectors of AVX-512 pay.
    pub fn is_wide() -> bool {
        #[cfg(target_arch = "x86_64")]
        return is_x86_feature_detected!("avx512f");
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// All rows of x against the panel, [n, inner].
    /// # Safety
    /// `place` has room for [rows, n], and no other thread touches it.
    pub unsafe fn panel(x: &Lanes, panel: &[f32], n: usize, place: Place) {
        #[cfg(target_arch = "x86_64")]
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        for (first, width) in blocks(x.rows) {
            let lanes = &x.values[first * x.inner..][..width * x.inner];
            let rows = width.min(x.rows - first);
            // SAFETY: the rows of this block are within the place's; the processor has the instructions.
            unsafe {
                let out = place.out.at(first * place.row);
                #[cfg(target_arch = "x86_64")]
                match (is_wide(), width) {
                    (true, NARROW) => x86::narrow(lanes, panel, n, rows, out, place),
                    (true, _) => x86::wide(lanes, panel, n, rows, out, place),
                    _ if avx2 => x86::avx2(lanes, panel, n, rows, out, place),
                    _ => plain(lanes, panel, n, rows, out, place),
                }
                #[cfg(not(target_arch = "x86_64"))]
                plain(lanes, panel, n, rows, out, place);
            }
        }
    }

    /// Writes the sums of `n` rows of weights, [n][width], to their columns.
    #[inline(always)]
    unsafe fn store(sums: &[f32], width: usize, (first, n): (usize, usize), rows: usize, out: *mut f32, place: Place) {
        for row in 0..rows {
            for j in 0..n {
                // SAFETY: within the panel's columns of the block's rows.
                unsafe {
                    let at = out.add(row * place.row + first + j);
                    let sum = sums.get_unchecked(j * width + row) * place.scale;
                    *at = if place.keep { *at + sum } else { sum };
                }
            }
        }
    }

    unsafe fn plain(lanes: &[f32], panel: &[f32], n: usize, rows: usize, out: *mut f32, place: Place) {
        let inner = lanes.len() / NARROW;
        for (j, weights) in panel.chunks_exact(inner).take(n).enumerate() {
            let mut sums = [0f32; NARROW];
            for (x, w) in lanes.as_chunks::<NARROW>().0.iter().zip(weights) {
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum += x * w;
                }
            }
            // SAFETY: as the caller's.
            unsafe { store(&sums, NARROW, (j, 1), rows, out, place) };
        }
    }

    #[cfg(target_arch = "x86_64")]
    mod x86 {
        use std::arch::x86_64::*;

        use super::{NARROW, Place, store};

        /// Defines a kernel: vectors of `$lanes` values, `$v` of them a block, `$n` rows of weights at once.
        macro_rules! kernel {
            ($name:ident, $features:literal, $lanes:literal, $v:literal, $n:literal, $zero:ident, $load:ident, $all:ident,
             $fma:ident, $store:ident) => {
                #[target_feature(enable = $features)]
                pub unsafe fn $name(lanes: &[f32], panel: &[f32], n: usize, rows: usize, out: *mut f32, place: Place) {
                    const WIDTH: usize = $lanes * $v;
                    let inner = lanes.len() / WIDTH;
                    for first in (0..n).step_by($n) {
                        let count = $n.min(n - first);
                        // The last rows again where there are fewer: their sums are thrown away.
                        let weights: [*const f32; $n] =
                            std::array::from_fn(|j| panel[(first + j.min(count - 1)) * inner..][..inner].as_ptr());
                        let mut sums = [[$zero(); $v]; $n];
                        let mut x = lanes.as_ptr();
                        for k in 0..inner {
                            // SAFETY: k is below the inner size of the lanes and of each row of weights.
                            unsafe {
                                let xs: [_; $v] = std::array::from_fn(|i| $load(x.add($lanes * i)));
                                for (sums, w) in sums.iter_mut().zip(&weights) {
                                    let w = $all(*w.add(k));
                                    for (sum, x) in sums.iter_mut().zip(&xs) {
                                        *sum = $fma(w, *x, *sum);
                                    }
                                }
                                x = x.add(WIDTH);
                            }
                        }
                        let mut kept = [0f32; WIDTH * $n];
                        for (j, sums) in sums.iter().enumerate() {
                            for (i, sum) in sums.iter().enumerate() {
                                // SAFETY: within `kept`.
                                unsafe { $store(kept.as_mut_ptr().add(j * WIDTH + $lanes * i), *sum) };
                            }
                        }
                        // SAFETY: as the caller's.
                        unsafe { store(&kept, WIDTH, (first, count), rows, out, place) };
                    }
                }
            };
        }

        kernel!(
            wide,
            "avx512f",
            16,
            2,
            12,
            _mm512_setzero_ps,
            _mm512_loadu_ps,
            _mm512_set1_ps,
            _mm512_fmadd_ps,
            _mm512_storeu_ps
        );
        kernel!(
            narrow,
            "avx512f",
            16,
            1,
            24,
            _mm512_setzero_ps,
            _mm512_loadu_ps,
            _mm512_set1_ps,
            _mm512_fmadd_ps,
            _mm512_storeu_ps
        );
        kernel!(
            avx2,
            "avx2,fma",
            8,
            2,
            6,
            _mm256_setzero_ps,
            _mm256_loadu_ps,
            _mm256_set1_ps,
            _mm256_fmadd_ps,
            _mm256_storeu_ps
        );
        const _: () = assert!(NARROW == 16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(i: usize) -> f32 {
        ((i * 2_654_435_761) % 1009) as f32 / 504.5 - 1.0
    }

    fn product(x: &[f32], w: &[f32], outs: usize, inner: usize) -> Vec<f32> {
        let rows = x.len() / inner;
        let mut out = vec![1f32; rows * (outs + 3)];
        multiply(&Lanes::new(x, inner), Weight::Dense(w), outs, (&mut out, outs + 3), true, 0.5).unwrap();
        out
    }

    #[test]
    fn products_equal_plain_sums_at_every_edge_of_the_kernels() {
        for (rows, outs, inner) in [(1, 1, 1), (5, 23, 40), (16, 24, 64), (17, 97, 33), (49, 200, 130), (100, 12, 7)] {
            let x: Vec<f32> = (0..rows * inner).map(value).collect();
            let w: Vec<f32> = (0..outs * inner).map(|i| value(i + 7)).collect();
            for (i, found) in product(&x, &w, outs, inner).iter().enumerate() {
                let (row, column) = (i / (outs + 3), i % (outs + 3));
                let terms = (0..if column < outs { inner } else { 0 })
                    .map(|k| f64::from(x[row * inner + k]) * f64::from(w[column * inner + k]));
                let sum = 1.0 + 0.5 * terms.sum::<f64>();
                assert!((f64::from(*found) - sum).abs() < 1e-4, "{rows}x{outs}x{inner}: {found}, not {sum}");
            }
        }
    }

    #[test]
    fn a_rows_products_are_the_same_bytes_whatever_rows_are_beside_it() {
        let (outs, inner) = (130, 70);
        let x: Vec<f32> = (0..50 * inner).map(value).collect();
        let w: Vec<f32> = (0..outs * inner).map(|i| value(i + 3)).collect();
        let all = product(&x, &w, outs, inner);
        for (row, whole) in x.chunks_exact(inner).zip(all.chunks_exact(outs + 3)) {
            assert_eq!(product(row, &w, outs, inner), whole);
        }
    }
}
