//! Products of a row in int8 with quantised weights: chosen for speed alone, for one stream of tokens, never for a score that is reported.
//! A row's values are rounded to 8 bits, 32 at a time, as ggml's `block_q8_1` has them; the weights' codes are taken as they are.
//! Exact products are `blocks`' and `panel`'s.

use candle_core::quantized::GgmlDType;

/// Values that share a scale.
const BLOCK: usize = 32;

/// A row rounded to 8 bits.
#[derive(Debug, Clone, Default)]
pub struct Int8Row {
    codes: Vec<[i8; BLOCK]>,
    /// The scale of each block, and the sum of its codes times the scale.
    factors: Vec<(f32, f32)>,
}

impl Int8Row {
    /// `x ≈ code · scale`, the largest of a block at ±127. A rest beyond whole blocks is left out: rows of quantised weights have none.
    pub fn new(x: &[f32]) -> Self {
        let mut row = Int8Row::default();
        for x in x.as_chunks::<BLOCK>().0 {
            let top = x.iter().fold(0f32, |top, v| top.max(v.abs()));
            let inverse = if top > 0.0 { 127.0 / top } else { 0.0 };
            let codes = x.map(|v| (v * inverse).round() as i8);
            let sum: i32 = codes.iter().map(|c| i32::from(*c)).sum();
            row.codes.push(codes);
            row.factors.push((top / 127.0, top / 127.0 * sum as f32));
        }
        row
    }
}

/// Whether there is such a product for a type on this processor.
pub fn is_there(dtype: GgmlDType) -> bool {
    #[cfg(target_arch = "x86_64")]
    return matches!(dtype, GgmlDType::Q4_0 | GgmlDType::Q4_1 | GgmlDType::Q8_0) && x86::is_there();
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = dtype;
        false
    }
}

/// The products of consecutive rows of weights with the row, one into each of `sums`. The type must be one that [`is_there`].
pub fn dots(dtype: GgmlDType, rows: &[u8], x: &Int8Row, sums: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_there(dtype) && !sums.is_empty() {
        let row_bytes = rows.len() / sums.len();
        // SAFETY: the processor has the instructions.
        unsafe {
            match (dtype, x86::has_vnni()) {
                (GgmlDType::Q4_0, true) => x86::q4_0_vnni(rows, row_bytes, x, sums),
                (GgmlDType::Q4_1, true) => x86::q4_1_vnni(rows, row_bytes, x, sums),
                (GgmlDType::Q4_0, false) => x86::q4_0_avx2(rows, row_bytes, x, sums),
                (GgmlDType::Q4_1, false) => x86::q4_1_avx2(rows, row_bytes, x, sums),
                (_, true) => x86::q8_0_vnni(rows, row_bytes, x, sums),
                (_, false) => x86::q8_0_avx2(rows, row_bytes, x, sums),
            }
        }
        return;
    }
    let _ = (dtype, rows, x);
    sums.fill(f32::NAN);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::super::blocks::both_factors;
    use super::Int8Row;

    pub fn is_there() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
    }

    pub fn has_vnni() -> bool {
        is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vl")
    }

    /// Defines the products of a type: its block of `$n` bytes, the code that makes (unsigned codes, signed codes) of a block and of the row's
    /// codes, and the instruction that sums fourfold products.
    macro_rules! dots {
        ($name:ident, $features:literal, $n:literal, $parts:ident, $fourfold:ident) => {
            #[target_feature(enable = $features)]
            pub unsafe fn $name(rows: &[u8], row_bytes: usize, x: &Int8Row, sums: &mut [f32]) {
                for (row, out) in rows.chunks_exact(row_bytes).zip(sums) {
                    // Two sums, so that one need not wait for the other.
                    let (mut sums, mut shifts) = ([_mm256_setzero_ps(); 2], _mm_setzero_ps());
                    let blocks = row.as_chunks::<$n>().0.iter().zip(&x.codes).zip(&x.factors);
                    for (i, ((block, codes), factors)) in blocks.enumerate() {
                        let both = _mm_mul_ps(both_factors(block), _mm_setr_ps(factors.0, factors.1, 0.0, 0.0));
                        shifts = _mm_add_ps(shifts, both);
                        // SAFETY: a block of the row has 32 codes.
                        let codes = unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) };
                        let (unsigned, signed) = $parts(block, codes);
                        let products = _mm256_cvtepi32_ps($fourfold(unsigned, signed));
                        sums[i & 1] = _mm256_fmadd_ps(_mm256_broadcastss_ps(both), products, sums[i & 1]);
                    }
                    let mut lanes = [0f32; 8];
                    // SAFETY: eight values have room for a vector.
                    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), _mm256_add_ps(sums[0], sums[1])) };
                    *out = lanes.iter().sum::<f32>() + _mm_cvtss_f32(_mm_movehdup_ps(shifts));
                }
            }
        };
    }

    dots!(q4_0_vnni, "avx2,fma,f16c,avx512vnni,avx512vl", 18, q4_0, fourfold_vnni);
    dots!(q4_1_vnni, "avx2,fma,f16c,avx512vnni,avx512vl", 20, q4_1, fourfold_vnni);
    dots!(q8_0_vnni, "avx2,fma,f16c,avx512vnni,avx512vl", 34, q8_0, fourfold_vnni);
    dots!(q4_0_avx2, "avx2,fma,f16c", 18, q4_0, fourfold_avx2);
    dots!(q4_1_avx2, "avx2,fma,f16c", 20, q4_1, fourfold_avx2);
    dots!(q8_0_avx2, "avx2,fma,f16c", 34, q8_0, fourfold_avx2);

    #[inline]
    #[target_feature(enable = "avx2,fma,avx512vnni,avx512vl")]
    fn fourfold_vnni(unsigned: __m256i, signed: __m256i) -> __m256i {
        _mm256_dpbusd_epi32(_mm256_setzero_si256(), unsigned, signed)
    }

    /// Pairs fit into 16 bits: 4-bit codes by far, and 8-bit ones as absolute values up to 128 with codes up to 127.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn fourfold_avx2(unsigned: __m256i, signed: __m256i) -> __m256i {
        _mm256_madd_epi16(_mm256_maddubs_epi16(unsigned, signed), _mm256_set1_epi16(1))
    }

    /// The low halves of 16 bytes, then the high ones.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn halves(bytes: &[u8]) -> __m256i {
        debug_assert!(bytes.len() >= 16);
        // SAFETY: whoever calls gives 16 bytes.
        let raw = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        let both = _mm256_set_m128i(_mm_srli_epi16::<4>(raw), raw);
        _mm256_and_si256(both, _mm256_set1_epi8(15))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn q4_0(block: &[u8; 18], codes: __m256i) -> (__m256i, __m256i) {
        (halves(&block[2..]), codes)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn q4_1(block: &[u8; 20], codes: __m256i) -> (__m256i, __m256i) {
        (halves(&block[4..]), codes)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn q8_0(block: &[u8; 34], codes: __m256i) -> (__m256i, __m256i) {
        // SAFETY: 32 bytes follow the scale.
        let weights = unsafe { _mm256_loadu_si256(block.as_ptr().add(2).cast()) };
        (_mm256_abs_epi8(weights), _mm256_sign_epi8(codes, weights))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::QTensor;
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn products_in_int8_are_those_of_the_rounded_row() {
        let w = Tensor::randn(0f32, 0.1, (7, 96), &Device::Cpu).unwrap();
        let x = Tensor::randn(0f32, 1.0, (1, 96), &Device::Cpu).unwrap();
        let values = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let row = Int8Row::new(&values);
        let rounded: Vec<f32> =
            row.codes.iter().zip(&row.factors).flat_map(|(codes, (d, _))| codes.map(|c| f32::from(c) * d)).collect();
        let step = values.iter().fold(0f32, |top, v| top.max(v.abs())) / 127.0;
        assert!(values.iter().zip(&rounded).all(|(v, r)| (v - r).abs() <= 0.51 * step));
        let rounded = Tensor::from_vec(rounded, (1, 96), &Device::Cpu).unwrap();
        for dtype in [GgmlDType::Q4_0, GgmlDType::Q4_1, GgmlDType::Q8_0] {
            if !is_there(dtype) {
                continue;
            }
            let q = QTensor::quantize(&w, dtype).unwrap();
            let exact = q.dequantize(&Device::Cpu).unwrap();
            let expected =
                rounded.matmul(&exact.t().unwrap()).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let mut sums = [0f32; 7];
            dots(dtype, &q.data().unwrap(), &row, &mut sums);
            for (ours, expected) in sums.iter().zip(&expected) {
                assert!((ours - expected).abs() < 1e-4, "{dtype:?}: {ours}, not {expected}");
            }
        }
    }
}
