//! Where matrices multiply: `nt` = x·wᵀ, `nn` = x·w, `tn` = xᵀ·y, and their accumulating twins.
//! On a CPU through matrix kernels of a crate, straight into the place where the result is wanted; elsewhere through candle.

use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Result, Storage, StorageRef, Tensor};
use gemm::Parallelism;
use rayon::prelude::*;

use super::cpu::{self, Shared};

/// A matrix in memory: a pointer to its first element, the distance between rows and between columns.
#[derive(Clone, Copy)]
pub struct Strided {
    pub data: *const f32,
    pub row: usize,
    pub col: usize,
}

impl Strided {
    /// The rows of a row-major matrix of `width` columns.
    pub fn rows(data: &[f32], width: usize) -> Self {
        Strided { data: data.as_ptr(), row: width, col: 1 }
    }

    /// The same, seen as its transpose.
    pub fn transposed(data: &[f32], width: usize) -> Self {
        Strided { data: data.as_ptr(), row: 1, col: width }
    }
}

/// `out[m, n] = keep·out + scale · a[m, k]·b[k, n]` on the calling thread; rows of `out` are `out_row` apart.
/// Every element is one sum over k in the same order, however the product is cut into pieces.
/// # Safety
/// The three matrices lie within their memory, and no other thread touches that of `out`.
pub unsafe fn multiply(
    (m, n, k): (usize, usize, usize),
    out: *mut f32,
    out_row: usize,
    keep: bool,
    a: Strided,
    b: Strided,
    scale: f32,
) {
    #[cfg(target_arch = "x86_64")]
    if let (Some(instructions), true) = (x86::instructions(), k > 0) {
        return unsafe { x86::multiply(instructions, (m, n, k), out, out_row, keep, a, b, scale) };
    }
    let keep_factor = if keep { 1.0 } else { 0.0 };
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out,
            1,
            out_row as isize,
            keep,
            a.data,
            a.col as isize,
            a.row as isize,
            b.data,
            b.col as isize,
            b.row as isize,
            keep_factor,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        )
    }
}

/// The kernels of the private-gemm-x86 crate, 5 to 12 % quicker than gemm's on the shapes of a decoder. Only its single-threaded path is used:
/// pieces are shared among rayon's threads here.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::ptr::null;
    use std::sync::OnceLock;

    use private_gemm_x86::{Accum, DType, DstKind, IType, InstrSet, gemm};

    use super::Strided;

    /// The widest vectors that this processor has; none where it lacks those that the kernels need.
    pub fn instructions() -> Option<InstrSet> {
        static FOUND: OnceLock<Option<InstrSet>> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            match (avx512, avx2) {
                (true, _) => Some(InstrSet::Avx512),
                (_, true) => Some(InstrSet::Avx256),
                _ => None,
            }
        })
    }

    /// As [`super::multiply`], for k > 0.
    /// # Safety
    /// As there, and the processor has these instructions.
    #[allow(clippy::too_many_arguments)]
    pub unsafe fn multiply(
        instructions: InstrSet,
        (m, n, k): (usize, usize, usize),
        out: *mut f32,
        out_row: usize,
        keep: bool,
        a: Strided,
        b: Strided,
        scale: f32,
    ) {
        unsafe {
            gemm(
                DType::F32,
                IType::U64,
                instructions,
                m,
                n,
                k,
                out.cast(),
                out_row as isize,
                1,
                null(),
                null(),
                DstKind::Full,
                if keep { Accum::Add } else { Accum::Replace },
                a.data.cast(),
                a.row as isize,
                a.col as isize,
                false,
                null(),
                0,
                b.data.cast(),
                b.row as isize,
                b.col as isize,
                false,
                (&raw const scale).cast(),
                1,
            )
        }
    }
}

/// Columns of a piece: whole vectors of the kernels, and so few that a piece of `b` stays in a core's second cache while it is used.
fn piece_columns() -> usize {
    #[cfg(target_arch = "x86_64")]
    if x86::instructions() == Some(private_gemm_x86::InstrSet::Avx256) {
        return 48;
    }
    96
}

/// The fewest rows that a piece is cut down to.
const PIECE_ROWS: usize = 64;

/// `multiply` over all threads; rows of `out` are `out_row` apart.
pub fn multiply_parallel(
    (m, n, k): (usize, usize, usize),
    out: &mut [f32],
    out_row: usize,
    keep: bool,
    a: Strided,
    b: Strided,
    scale: f32,
) {
    assert!(m == 0 || out.len() >= (m - 1) * out_row + n, "the destination of a product has its size");
    let threads = rayon::current_num_threads();
    if threads == 1 || m * n * k < 1 << 16 {
        // SAFETY: `out` is borrowed mutably, `a` and `b` were made of slices of the right size by the callers in this room.
        return unsafe { multiply((m, n, k), out.as_mut_ptr(), out_row, keep, a, b, scale) };
    }
    let across = n.div_ceil(piece_columns());
    let columns = n.div_ceil(across).next_multiple_of(8);
    // Where the columns give too few pieces for all threads, the rows are cut too.
    let down = (3 * threads).div_ceil(across).min(m.div_ceil(PIECE_ROWS)).max(1);
    let rows = m.div_ceil(down);
    let out = Shared(out.as_mut_ptr());
    let (a, b) = (Sides(a), Sides(b));
    (0..across * down).into_par_iter().with_max_len(1).for_each(|piece| {
        let (row, column) = (piece / across * rows, piece % across * columns);
        if row >= m || column >= n {
            return;
        }
        let shape = (rows.min(m - row), columns.min(n - column), k);
        // SAFETY: pieces are disjoint rectangles of `out`.
        unsafe { multiply(shape, out.at(row * out_row + column), out_row, keep, a.at(row, 0), b.at(0, column), scale) };
    });
}

#[derive(Clone, Copy)]
struct Sides(Strided);
// SAFETY: read only while the slices that they were made of are borrowed by the caller.
unsafe impl Send for Sides {}
unsafe impl Sync for Sides {}

impl Sides {
    unsafe fn at(self, row: usize, col: usize) -> Strided {
        let data = unsafe { self.0.data.add(row * self.0.row + col * self.0.col) };
        Strided { data, ..self.0 }
    }
}

/// A 2-d f32 tensor on the CPU with whatever strides it has, held for reading.
struct Operand<'a> {
    _storage: StorageRef<'a>,
    at: Strided,
}

fn operand(tensor: &Tensor, transpose: bool) -> Option<Operand<'_>> {
    if !cpu::on_cpu(tensor) {
        return None;
    }
    let (storage, layout) = tensor.storage_and_layout();
    let data = match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => values[layout.start_offset()..].as_ptr(),
        _ => return None,
    };
    let (row, col) = match layout.stride() {
        &[row, col] => (row, col),
        _ => return None,
    };
    let at = if transpose { Strided { data, row: col, col: row } } else { Strided { data, row, col } };
    Some(Operand { _storage: storage, at })
}

struct IntoPlace<'a>((usize, usize, usize), bool, Operand<'a>, Operand<'a>, f32);

impl InplaceOp1 for IntoPlace<'_> {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let IntoPlace(shape, keep, a, b, scale) = self;
        match (storage, layout.stride()) {
            (CpuStorage::F32(out), &[row, 1]) if layout.dims() == [shape.0, shape.1] => {
                let out = &mut out[layout.start_offset()..];
                let last = shape.0.saturating_sub(1) * row + shape.1;
                multiply_parallel(*shape, &mut out[..last], row, *keep, a.at, b.at, *scale);
                Ok(())
            }
            _ => candle_core::bail!("a product of {shape:?} cannot go into {layout:?}"),
        }
    }
}

/// `out = scale · a·b`, or `out += scale · a·b` with `keep`; rows of `out` may be part of wider rows.
fn into_place(out: &Tensor, keep: bool, a: (&Tensor, bool), b: (&Tensor, bool), scale: f64) -> Result<bool> {
    let (m, n) = out.dims2()?;
    let k = a.0.dim(if a.1 { 0 } else { 1 })?;
    let found = (a.0.dims2()?, b.0.dims2()?);
    let expected = (if a.1 { (k, m) } else { (m, k) }, if b.1 { (n, k) } else { (k, n) });
    if found != expected {
        candle_core::bail!("a product into [{m}, {n}] needs operands {expected:?}, found {found:?}");
    }
    match (cpu::on_cpu(out), operand(a.0, a.1), operand(b.0, b.1)) {
        (true, Some(a), Some(b)) => {
            out.inplace_op1(&IntoPlace((m, n, k), keep, a, b, scale as f32))?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// The operand as candle multiplies it. The transpose stays a view, which its kernels take as it is: a copy would double what a weight takes.
fn turned(x: &Tensor, turn: bool) -> Result<Tensor> {
    let x = x.contiguous()?;
    if turn { x.t() } else { Ok(x) }
}

fn fresh(shape: (usize, usize), a: (&Tensor, bool), b: (&Tensor, bool)) -> Result<Tensor> {
    if cpu::on_cpu(a.0) && cpu::on_cpu(b.0) {
        let out = Tensor::zeros(shape, DType::F32, a.0.device())?;
        if into_place(&out, false, a, b, 1.0)? {
            return Ok(out);
        }
    }
    turned(a.0, a.1)?.matmul(&turned(b.0, b.1)?)
}

fn add(acc: Tensor, a: (&Tensor, bool), b: (&Tensor, bool), scale: f64) -> Result<Tensor> {
    if into_place(&acc, true, a, b, scale)? {
        return Ok(acc);
    }
    let product = (turned(a.0, a.1)?.matmul(&turned(b.0, b.1)?)? * scale)?;
    &acc + product.to_dtype(acc.dtype())?
}

/// x·wᵀ. Shapes: x [t, in], w [out, in] → [t, out].
pub fn nt(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    fresh((x.dim(0)?, w.dim(0)?), (x, false), (w, true))
}

/// x·w. Shapes: x [t, k], w [k, n] → [t, n].
pub fn nn(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    fresh((x.dim(0)?, w.dim(1)?), (x, false), (w, false))
}

/// `acc += scale · x·wᵀ`; the sum is returned, on a CPU in `acc`'s own place.
pub fn add_nt(acc: Tensor, x: &Tensor, w: &Tensor, scale: f64) -> Result<Tensor> {
    add(acc, (x, false), (w, true), scale)
}

/// `acc += scale · x·w`; the sum is returned, on a CPU in `acc`'s own place.
pub fn add_nn(acc: Tensor, x: &Tensor, w: &Tensor, scale: f64) -> Result<Tensor> {
    add(acc, (x, false), (w, false), scale)
}

/// `acc += scale · xᵀ·y`, the shape of a weight's gradient. Shapes: x [t, m], y [t, n], acc [m, n].
pub fn add_tn(acc: Tensor, x: &Tensor, y: &Tensor, scale: f64) -> Result<Tensor> {
    add(acc, (x, true), (y, false), scale)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn close(a: &Tensor, b: &Tensor) {
        let d = (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(d < 1e-3, "largest difference {d}");
    }

    #[test]
    fn products_equal_candles_for_thin_and_thick_shapes() {
        let dev = Device::Cpu;
        for (t, k, n) in [(3, 5, 7), (200, 8, 300), (300, 200, 8), (130, 140, 150), (8, 300, 600)] {
            let x = Tensor::randn(0f32, 1.0, (t, k), &dev).unwrap();
            let w = Tensor::randn(0f32, 1.0, (n, k), &dev).unwrap();
            let wt = w.t().unwrap().contiguous().unwrap();
            let expected = x.matmul(&wt).unwrap();
            close(&nt(&x, &w).unwrap(), &expected);
            close(&nn(&x, &wt).unwrap(), &expected);
            let acc = || Tensor::ones((t, n), candle_core::DType::F32, &dev).unwrap();
            close(&add_nt(acc(), &x, &w, 0.5).unwrap(), &((&expected * 0.5).unwrap() + 1.0).unwrap());
            close(&add_nn(acc(), &x, &wt, 2.0).unwrap(), &((&expected * 2.0).unwrap() + 1.0).unwrap());
            let y = Tensor::randn(0f32, 1.0, (t, n), &dev).unwrap();
            let grad = y.t().unwrap().matmul(&x).unwrap();
            let zero = Tensor::zeros((n, k), candle_core::DType::F32, &dev).unwrap();
            close(&add_tn(zero, &y, &x, 1.0).unwrap(), &grad);
        }
    }

    #[test]
    fn every_edge_of_the_kernels_equals_a_plain_sum_into_part_of_a_wider_matrix() {
        let value = |i: usize| ((i * 2_654_435_761) % 1009) as f32 / 504.5 - 1.0;
        for (m, n, k) in [(1, 1, 1), (1, 50, 9), (7, 24, 513), (25, 47, 64), (49, 8, 1030), (65, 49, 3), (130, 97, 520)]
        {
            let a: Vec<f32> = (0..m * k).map(value).collect();
            let b: Vec<f32> = (0..n * k).map(|i| value(i + 7)).collect();
            for (a_turned, b_turned, keep) in [(false, true, false), (false, false, true), (true, false, true)] {
                let a_at = if a_turned { Strided::transposed(&a, m) } else { Strided::rows(&a, k) };
                let b_at = if b_turned { Strided::transposed(&b, k) } else { Strided::rows(&b, n) };
                let wide = n + 5;
                let mut out = vec![2.0f32; m * wide];
                multiply_parallel((m, n, k), &mut out, wide, keep, a_at, b_at, 0.5);
                for (i, found) in out.iter().enumerate() {
                    let (row, column) = (i / wide, i % wide);
                    let terms = (0..if column < n { k } else { 0 }).map(|j| {
                        let a = a[if a_turned { j * m + row } else { row * k + j }];
                        let b = b[if b_turned { column * k + j } else { j * n + column }];
                        f64::from(a) * f64::from(b)
                    });
                    let sum = 0.5 * terms.sum::<f64>() + if keep || column >= n { 2.0 } else { 0.0 };
                    assert!(
                        (f64::from(*found) - sum).abs() < 1e-3,
                        "{m}x{n}x{k} at {row}, {column}: {found}, not {sum}"
                    );
                }
            }
        }
    }
}
