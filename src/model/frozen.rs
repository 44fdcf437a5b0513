//! A frozen linear map: the base weight, quantised or dense, forward and backward to its input. It never has a gradient of its own.
//! Many rows: the weight is dequantised into one reused scratch and multiplied exactly; in generation panel by panel (`panel`).
//! Few rows: dequantised row by row on the way.

use std::sync::{Arc, Mutex};

use candle_core::quantized::{GgmlDType, QTensor, k_quants};
use candle_core::{Device, Result, Tensor};
use multiversion::multiversion;
use rayon::prelude::*;

use super::product::{self, Strided, multiply_parallel};
use super::{blocks, cpu, int8, panel};
use crate::memory::ledger::{Category, Charge, Ledger};

/// Rows of input up to which a weight is dequantised row by row instead of as a whole.
const FEW_ROWS: usize = 4;
/// Weights that a thread multiplies with few rows at a time: some ten microseconds of work, many times what handing it over takes.
const WEIGHTS_PER_PIECE: usize = 1 << 16;

/// The one place where weights are dequantised to, shared by all layers of a model; it grows to the largest of them.
#[derive(Debug, Clone)]
pub struct Scratch(Arc<Mutex<(Vec<f32>, Option<Charge>)>>, Ledger);

impl Scratch {
    pub fn new(ledger: &Ledger) -> Self {
        Scratch(Arc::default(), ledger.clone())
    }

    /// Lends `len` values, whose contents are whatever was there.
    pub fn with<R>(&self, len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
        let mut held = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if held.0.len() < len {
            held.1 = None;
            held.0 = Vec::new();
            held.0.resize(len, 0.0);
            held.1 = Some(self.1.charge(Category::DequantScratch, len * size_of::<f32>()));
        }
        work(&mut held.0[..len])
    }

    /// By how many bytes lending `len` values would make it grow.
    fn growth(&self, len: usize) -> usize {
        let held = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        len.saturating_sub(held.0.len()) * size_of::<f32>()
    }
}

/// How a pass multiplies with weights on a CPU. All but one are exact: they differ in the order of additions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Products {
    /// As training does: each weight expanded as a whole.
    #[default]
    Whole,
    /// By panels, whatever the number of rows: a row's results do not depend on the rows beside it.
    Panels,
    /// For one stream: few rows by the weights' own rows, the many of a prompt by panels.
    Stream,
    /// The same, with a single row rounded to int8: quicker, for nothing that is reported.
    Fast,
}

impl Products {
    fn panels(self, rows: usize) -> bool {
        match self {
            Products::Whole => false,
            Products::Panels => true,
            Products::Stream | Products::Fast => rows > FEW_ROWS,
        }
    }
}

/// `y = x·Wᵀ (+ bias)`, W [out, in], in the type it has on disk or in the compute type.
#[derive(Debug)]
pub struct Frozen {
    weight: Weight,
    bias: Option<Tensor>,
    pub in_features: usize,
    pub out_features: usize,
    scratch: Scratch,
    _charge: Charge,
}

#[derive(Debug)]
enum Weight {
    Dense(Tensor),
    Quantised(QTensor),
}

impl Frozen {
    /// A weight in the compute type, [out, in].
    pub fn dense(weight: Tensor, bias: Option<Tensor>, scratch: &Scratch, ledger: &Ledger) -> Result<Self> {
        let (out_features, in_features) = weight.dims2()?;
        let bytes = cpu::bytes(&weight) + bias.as_ref().map_or(0, cpu::bytes);
        let charge = ledger.charge(Category::BaseWeights, bytes);
        let (weight, scratch) = (Weight::Dense(weight), scratch.clone());
        Ok(Frozen { weight, bias, in_features, out_features, scratch, _charge: charge })
    }

    /// A weight in blocks of a GGML type, [out, in].
    pub fn quantised(weight: QTensor, bias: Option<Tensor>, scratch: &Scratch, ledger: &Ledger) -> Result<Self> {
        let (out_features, in_features) = weight.shape().dims2()?;
        let bytes = weight.storage_size_in_bytes() + bias.as_ref().map_or(0, cpu::bytes);
        let charge = ledger.charge(Category::BaseWeights, bytes);
        let (weight, scratch) = (Weight::Quantised(weight), scratch.clone());
        Ok(Frozen { weight, bias, in_features, out_features, scratch, _charge: charge })
    }

    /// The number of weights, biases included.
    pub fn parameters(&self) -> usize {
        self.in_features * self.out_features + self.bias.as_ref().map_or(0, |b| b.elem_count())
    }

    /// `x·Wᵀ + bias`. Shapes: x [tokens, in] → [tokens, out].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_by(x, Products::Whole)
    }

    /// The same, multiplied as `products` says.
    pub fn forward_by(&self, x: &Tensor, products: Products) -> Result<Tensor> {
        let y = match products.panels(x.dim(0)?) {
            true => self.by_panels(x)?,
            false if products == Products::Fast => self.in_int8(x)?,
            false => None,
        };
        self.add_bias(match y {
            Some(y) => y,
            None => self.whole(x)?,
        })
    }

    /// Shows `see(first, n, products)` the products of each panel of W, [rows][n] for its rows `first..first + n`, on the thread that has
    /// them; `false` where the panels have no way: another device than a CPU, a bias.
    pub fn each_panel(&self, x: &Tensor, see: impl Fn(usize, usize, &[f32]) + Sync) -> Result<bool> {
        if self.bias.is_some() {
            return Ok(false);
        }
        let done = self.with_panels(x, |lanes, w| panel::each_panel(lanes, w, self.out_features, see))?;
        Ok(done.is_some())
    }

    fn by_panels(&self, x: &Tensor) -> Result<Option<Tensor>> {
        let (rows, outs) = (x.dim(0)?, self.out_features);
        let out = self.with_panels(x, |lanes, w| {
            let mut out = vec![0f32; rows * outs];
            panel::multiply(lanes, w, outs, (&mut out, outs), false, 1.0)?;
            Ok(out)
        })?;
        out.map(|out| Tensor::from_vec(out, (rows, outs), x.device())).transpose()
    }

    /// One row rounded to int8 with the weight's own codes; `None` where there is no such product.
    fn in_int8(&self, x: &Tensor) -> Result<Option<Tensor>> {
        let (Weight::Quantised(w), Some(xs)) = (&self.weight, cpu::view(x)) else { return Ok(None) };
        if x.dim(0)? != 1 || !w.device().is_cpu() || !int8::is_there(w.dtype()) {
            return Ok(None);
        }
        let (row, bytes) = (int8::Int8Row::new(&xs), w.data()?);
        let row_bytes = row_bytes(w.dtype(), self.in_features)?;
        let piece =
            WEIGHTS_PER_PIECE.div_ceil(self.in_features).min(self.out_features.div_ceil(rayon::current_num_threads()));
        let mut out = vec![0f32; self.out_features];
        out.par_chunks_mut(piece.max(1)).zip(bytes.par_chunks(piece.max(1) * row_bytes)).for_each(|(out, rows)| {
            int8::dots(w.dtype(), rows, &row, out);
        });
        Tensor::from_vec(out, (1, self.out_features), x.device()).map(Some)
    }

    /// Lends rows in lanes and the weight as panels want it; `None` where one of them is not f32 on a CPU.
    fn with_panels<R>(
        &self,
        x: &Tensor,
        work: impl FnOnce(&panel::Lanes, panel::Weight) -> Result<R>,
    ) -> Result<Option<R>> {
        let Some(xs) = cpu::view(x) else { return Ok(None) };
        let lanes = || panel::Lanes::new(&xs, self.in_features);
        match &self.weight {
            Weight::Quantised(w) if w.device().is_cpu() => {
                work(&lanes(), panel::Weight::Packed(w.dtype(), &w.data()?, &self.scratch)).map(Some)
            }
            Weight::Quantised(_) => Ok(None),
            Weight::Dense(w) => match cpu::view(w) {
                Some(ws) => work(&lanes(), panel::Weight::Dense(&ws)).map(Some),
                None => Ok(None),
            },
        }
    }

    fn whole(&self, x: &Tensor) -> Result<Tensor> {
        let tokens = x.dim(0)?;
        Ok(match (&self.weight, cpu::view(x)) {
            (Weight::Quantised(w), Some(xs)) if w.device().is_cpu() => {
                let bytes = w.data()?;
                let out = if tokens <= FEW_ROWS {
                    self.row_by_row(&bytes, w.dtype(), &xs)?
                } else {
                    let shape = (tokens, self.out_features, self.in_features);
                    self.dequantised(w, 0..self.out_features, |w| {
                        let (a, b) = (Strided::rows(&xs, shape.2), Strided::transposed(w, shape.2));
                        cpu::filled(shape.0 * shape.1, |out| multiply_parallel(shape, out, shape.1, false, a, b, 1.0))
                    })?
                };
                Tensor::from_vec(out, (tokens, self.out_features), x.device())?
            }
            (Weight::Quantised(w), _) => product::nt(x, &w.dequantize(x.device())?.to_dtype(x.dtype())?)?,
            (Weight::Dense(w), Some(xs)) if tokens <= FEW_ROWS && cpu::view(w).is_some() => {
                let out = match cpu::view(w) {
                    Some(ws) => few_rows(&xs, self.in_features, self.out_features, |row, _, sums| {
                        dots(&ws[row * self.in_features..][..self.in_features], &xs, sums);
                    }),
                    None => Vec::new(),
                };
                Tensor::from_vec(out, (tokens, self.out_features), x.device())?
            }
            (Weight::Dense(w), _) => product::nt(x, w)?,
        })
    }

    fn add_bias(&self, y: Tensor) -> Result<Tensor> {
        let Some(bias) = &self.bias else { return Ok(y) };
        match cpu::view(bias) {
            Some(bias) if cpu::on_cpu(&y) => {
                cpu::write(&y, |y| {
                    cpu::over_rows(y, bias.len(), |_, rows| {
                        for row in rows.chunks_exact_mut(bias.len()) {
                            row.iter_mut().zip(bias.iter()).for_each(|(y, b)| *y += b);
                        }
                    })
                })?;
                Ok(y)
            }
            _ => y.broadcast_add(bias),
        }
    }

    /// The bytes that a pass needs to dequantise `rows` rows of this weight, beyond what the scratch holds already.
    pub fn scratch_growth(&self, rows: usize) -> usize {
        match &self.weight {
            Weight::Quantised(w) if w.device().is_cpu() => self.scratch.growth(rows * self.in_features),
            _ => 0,
        }
    }

    /// The same for its panels.
    pub fn panels_growth(&self) -> usize {
        match &self.weight {
            Weight::Quantised(w) if w.device().is_cpu() => self.scratch.growth(panel::scratch_values(self.in_features)),
            _ => 0,
        }
    }

    /// The bytes of a copy of the whole weight in elements of `element` bytes, where a pass makes one: on a device, of a quantised weight.
    pub fn copy_bytes(&self, element: usize) -> usize {
        match &self.weight {
            Weight::Quantised(w) if !w.device().is_cpu() => {
                let widened = if element < size_of::<f32>() { element } else { 0 };
                self.in_features * self.out_features * (size_of::<f32>() + widened)
            }
            _ => 0,
        }
    }

    /// `acc += x·Wᵀ`, for a residual that the map's output is added to. There must be no bias.
    pub fn add_forward(&self, acc: Tensor, x: &Tensor, products: Products) -> Result<Tensor> {
        if products.panels(x.dim(0)?) && cpu::on_cpu(&acc) {
            let outs = self.out_features;
            let added = self.with_panels(x, |lanes, w| {
                cpu::write(&acc, |out| panel::multiply(lanes, w, outs, (out, outs), true, 1.0))?
            })?;
            if added.is_some() {
                return Ok(acc);
            }
        }
        match (&self.weight, cpu::view(x)) {
            (Weight::Quantised(w), Some(xs)) if w.device().is_cpu() && x.dim(0)? > FEW_ROWS => {
                let shape = (x.dim(0)?, self.out_features, self.in_features);
                self.dequantised(w, 0..self.out_features, |w| {
                    let (a, b) = (Strided::rows(&xs, shape.2), Strided::transposed(w, shape.2));
                    cpu::write(&acc, |out| multiply_parallel(shape, out, shape.1, true, a, b, 1.0))
                })??;
                Ok(acc)
            }
            (Weight::Dense(w), Some(_)) if x.dim(0)? > FEW_ROWS => product::add_nt(acc, x, w, 1.0),
            _ => acc + self.forward_by(x, products)?,
        }
    }

    /// The gradient of the input, `dy·W`. Shapes: dy [tokens, out] → [tokens, in].
    pub fn backward(&self, dy: &Tensor) -> Result<Tensor> {
        let tokens = dy.dim(0)?;
        match (&self.weight, cpu::view(dy)) {
            (Weight::Quantised(w), Some(dys)) if w.device().is_cpu() => {
                let shape = (tokens, self.in_features, self.out_features);
                let out = self.dequantised(w, 0..self.out_features, |w| {
                    let (a, b) = (Strided::rows(&dys, shape.2), Strided::rows(w, shape.1));
                    cpu::filled(shape.0 * shape.1, |out| multiply_parallel(shape, out, shape.1, false, a, b, 1.0))
                })?;
                Tensor::from_vec(out, (tokens, self.in_features), dy.device())
            }
            (Weight::Quantised(w), _) => product::nn(dy, &w.dequantize(dy.device())?.to_dtype(dy.dtype())?),
            (Weight::Dense(w), _) => product::nn(dy, w),
        }
    }

    /// `acc += dy·W`, for maps that share an input.
    pub fn add_backward(&self, acc: Tensor, dy: &Tensor) -> Result<Tensor> {
        match (&self.weight, cpu::view(dy)) {
            (Weight::Quantised(w), Some(dys)) if w.device().is_cpu() => {
                let shape = (dy.dim(0)?, self.in_features, self.out_features);
                self.dequantised(w, 0..self.out_features, |w| {
                    let (a, b) = (Strided::rows(&dys, shape.2), Strided::rows(w, shape.1));
                    cpu::write(&acc, |out| multiply_parallel(shape, out, shape.1, true, a, b, 1.0))
                })??;
                Ok(acc)
            }
            (Weight::Dense(w), _) => product::add_nn(acc, dy, w, 1.0),
            _ => acc + self.backward(dy)?,
        }
    }

    /// Chosen rows of W, as an embedding. Shapes: ids of any length n → [n, in], in f32 or the dense weight's type.
    pub fn rows(&self, ids: &[u32], device: &Device) -> Result<Tensor> {
        let ids = Tensor::from_slice(ids, ids.len(), device)?;
        match &self.weight {
            Weight::Dense(w) => w.index_select(&ids, 0),
            Weight::Quantised(w) => w.embedding(&ids),
        }
    }

    /// Lends the rows `rows` of W as f32 on the CPU: a slice of the dense weight, or dequantised into the scratch.
    /// # Errors
    /// A weight that is not on the CPU.
    pub fn with_rows<R>(&self, rows: std::ops::Range<usize>, work: impl FnOnce(&[f32]) -> R) -> Result<R> {
        match &self.weight {
            Weight::Quantised(w) => self.dequantised(w, rows, work),
            Weight::Dense(w) => match cpu::view(w) {
                Some(ws) => Ok(work(&ws[rows.start * self.in_features..rows.end * self.in_features])),
                None => candle_core::bail!("rows of a weight can be lent on the CPU only"),
            },
        }
    }

    /// The whole weight as a tensor in the compute type; a quantised one is dequantised anew.
    pub fn materialised(&self, device: &Device, dtype: candle_core::DType) -> Result<Tensor> {
        match &self.weight {
            Weight::Dense(w) => Ok(w.clone()),
            Weight::Quantised(w) => w.dequantize(device)?.to_dtype(dtype),
        }
    }

    fn dequantised<R>(&self, w: &QTensor, rows: std::ops::Range<usize>, work: impl FnOnce(&[f32]) -> R) -> Result<R> {
        let bytes = w.data()?;
        let width = self.in_features;
        let row_bytes = row_bytes(w.dtype(), width)?;
        let bytes = &bytes[rows.start * row_bytes..rows.end * row_bytes];
        self.scratch.with(rows.len() * width, |out| {
            let piece = cpu::rows_per_piece(width);
            let pieces = out.par_chunks_mut(piece * width).zip(bytes.par_chunks(piece * row_bytes));
            pieces.try_for_each(|(out, bytes)| dequantise(w.dtype(), bytes, out))?;
            Ok(work(out))
        })
    }

    fn row_by_row(&self, bytes: &[u8], dtype: GgmlDType, x: &[f32]) -> Result<Vec<f32>> {
        let row_bytes = row_bytes(dtype, self.in_features)?;
        // The type was accepted when the weight was loaded, so that a row cannot fail here.
        dequantise(dtype, &bytes[..row_bytes], &mut vec![0f32; self.in_features])?;
        let rows = blocks::Rows::new(x, self.in_features);
        Ok(few_rows(x, self.in_features, self.out_features, |row, buffer, sums| {
            let bytes = &bytes[row * row_bytes..][..row_bytes];
            if blocks::dots(dtype, bytes, &rows, sums) {
                return;
            }
            let _ = dequantise(dtype, bytes, buffer);
            dots(buffer, x, sums);
        }))
    }
}

/// Products of a few rows with a weight: `products(n, buffer, sums)` puts those of the weight's row n with each row of x into `sums`; the
/// buffer has room for a row.
fn few_rows(x: &[f32], width: usize, outs: usize, products: impl Fn(usize, &mut [f32], &mut [f32]) + Sync) -> Vec<f32> {
    let tokens = x.len() / width;
    let mut out = vec![0f32; tokens * outs];
    let shared = cpu::Shared(out.as_mut_ptr());
    let piece = WEIGHTS_PER_PIECE.div_ceil(width).min(outs.div_ceil(rayon::current_num_threads())).max(1);
    (0..outs.div_ceil(piece)).into_par_iter().for_each(|p| {
        let (mut buffer, mut sums) = (vec![0f32; width], [0f32; FEW_ROWS]);
        for n in p * piece..((p + 1) * piece).min(outs) {
            products(n, &mut buffer, &mut sums[..tokens]);
            for (t, sum) in sums[..tokens].iter().enumerate() {
                // SAFETY: column n of the output belongs to this piece alone.
                unsafe { *shared.at(t * outs + n) = *sum };
            }
        }
    });
    out
}

/// The products of one row of weights with each row of x.
#[multiversion(targets("x86_64+avx2+fma"))]
fn dots(weights: &[f32], x: &[f32], sums: &mut [f32]) {
    for (sum, x) in sums.iter_mut().zip(x.chunks_exact(weights.len())) {
        *sum = cpu::dot(weights, x);
    }
}

/// The bytes of a row of `width` weights.
/// # Errors
/// A width that is no whole number of blocks.
pub fn row_bytes(dtype: GgmlDType, width: usize) -> Result<usize> {
    if !width.is_multiple_of(dtype.block_size()) {
        candle_core::bail!("{dtype:?} packs {} weights a block, which does not divide {width}", dtype.block_size());
    }
    Ok(width / dtype.block_size() * dtype.type_size())
}

/// Whole blocks of a GGML type to f32. The common types have vector loops of their own, the others go through candle's.
/// # Errors
/// A type without a rule.
pub fn dequantise(dtype: GgmlDType, bytes: &[u8], out: &mut [f32]) -> Result<()> {
    fn through_candle<T: k_quants::GgmlType>(bytes: &[u8], out: &mut [f32]) {
        // SAFETY: the bytes come from a vector of whole blocks of T, which has no invalid bit patterns.
        let blocks = unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<T>(), bytes.len() / size_of::<T>()) };
        T::to_float(blocks, out);
    }
    match dtype {
        GgmlDType::Q4_0 => blocks::q4_0(bytes, out),
        GgmlDType::Q4_1 => blocks::q4_1(bytes, out),
        GgmlDType::Q8_0 => blocks::q8_0(bytes, out),
        GgmlDType::F32 => {
            for (out, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *out = f32::from_le_bytes(*b);
            }
        }
        GgmlDType::BF16 => {
            for (out, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *out = half::bf16::from_le_bytes(*b).to_f32();
            }
        }
        GgmlDType::F16 => {
            for (out, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *out = half::f16::from_le_bytes(*b).to_f32();
            }
        }
        GgmlDType::Q5_0 => through_candle::<k_quants::BlockQ5_0>(bytes, out),
        GgmlDType::Q5_1 => through_candle::<k_quants::BlockQ5_1>(bytes, out),
        GgmlDType::Q2K => through_candle::<k_quants::BlockQ2K>(bytes, out),
        GgmlDType::Q3K => through_candle::<k_quants::BlockQ3K>(bytes, out),
        GgmlDType::Q4K => through_candle::<k_quants::BlockQ4K>(bytes, out),
        GgmlDType::Q5K => through_candle::<k_quants::BlockQ5K>(bytes, out),
        GgmlDType::Q6K => through_candle::<k_quants::BlockQ6K>(bytes, out),
        GgmlDType::Q8K => through_candle::<k_quants::BlockQ8K>(bytes, out),
        other => candle_core::bail!("weights of type {other:?} cannot be dequantised"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_dequantises_as_candle_does_whole_and_row_by_row() {
        use GgmlDType::*;
        let (ledger, device) = (Ledger::default(), Device::Cpu);
        let scratch = Scratch::new(&ledger);
        let w = Tensor::randn(0f32, 0.1, (96, 256), &device).unwrap();
        let distance =
            |a: &Tensor, b: &Tensor| -> f32 { (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap() };
        for dtype in [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K] {
            let q = QTensor::quantize(&w, dtype).unwrap();
            let exact = q.dequantize(&device).unwrap();
            let frozen = Frozen::quantised(q, None, &scratch, &ledger).unwrap();
            for tokens in [1, 3, 20] {
                let x = Tensor::randn(0f32, 1.0, (tokens, 256), &device).unwrap();
                let y = x.matmul(&exact.t().unwrap()).unwrap();
                assert!(distance(&frozen.forward(&x).unwrap(), &y) < 1e-4, "{dtype:?} forward, {tokens} rows");
                let acc = frozen.add_forward(y.copy().unwrap(), &x, Products::Whole).unwrap();
                assert!(distance(&acc, &(&y * 2.0).unwrap()) < 1e-4, "{dtype:?} add, {tokens} rows");
                let panels = frozen.forward_by(&x, Products::Panels).unwrap();
                assert!(distance(&panels, &y) < 1e-4, "{dtype:?} panels, {tokens} rows");
                let acc = frozen.add_forward(panels, &x, Products::Panels).unwrap();
                assert!(distance(&acc, &(&y * 2.0).unwrap()) < 1e-4, "{dtype:?} add by panels, {tokens} rows");
                let dx = y.matmul(&exact).unwrap();
                assert!(distance(&frozen.backward(&y).unwrap(), &dx) < 1e-3, "{dtype:?} backward, {tokens} rows");
                let acc = frozen.add_backward(dx.copy().unwrap(), &y).unwrap();
                assert!(distance(&acc, &(&dx * 2.0).unwrap()) < 1e-3, "{dtype:?} add_backward, {tokens} rows");
            }
            let ids = [5u32, 0, 95];
            let rows = frozen.rows(&ids, &device).unwrap();
            let expected = exact.index_select(&Tensor::new(&ids, &device).unwrap(), 0).unwrap();
            assert!(distance(&rows, &expected) < 1e-6, "{dtype:?} rows");
        }
        assert!(ledger.by_category().contains_key(&Category::DequantScratch));
    }
}
