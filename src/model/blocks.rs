//! Blocks of quantised weights, 32 a block: to f32, and multiplied with rows of f32 on the way. The common types of GGML, with vector code
//! of their own; the others go through candle in `frozen`.
//! Layouts: ggml's `block_q4_0`, `block_q4_1`, `block_q8_0`.

use candle_core::quantized::GgmlDType;

/// A finite half-precision scale to f32 without a call: shift into place, then correct the exponent by a product.
#[inline(always)]
fn scale(bytes: [u8; 2]) -> f32 {
    let bits = u16::from_le_bytes(bytes) as u32;
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
    f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
}

/// d and m of a block whose weights are `q·d + m`: (q − 8)·d.
#[inline(always)]
fn centred(block: &[u8; 18]) -> (f32, f32) {
    let d = scale([block[0], block[1]]);
    (d, -8.0 * d)
}

/// The same of q·d + m.
#[inline(always)]
fn shifted(block: &[u8; 20]) -> (f32, f32) {
    (scale([block[0], block[1]]), scale([block[2], block[3]]))
}

/// The same of q·d.
#[inline(always)]
fn plain(block: &[u8; 34]) -> (f32, f32) {
    (scale([block[0], block[1]]), 0.0)
}

/// `w = (q − 8)·d`; a block is d and 16 bytes whose low halves come first.
pub fn q4_0(bytes: &[u8], out: &mut [f32]) {
    each(bytes, out, centred);
}

/// `w = q·d + m`; a block is d, m and 16 bytes whose low halves come first.
pub fn q4_1(bytes: &[u8], out: &mut [f32]) {
    each(bytes, out, shifted);
}

/// `w = q·d`; a block is d and 32 signed bytes.
pub fn q8_0(bytes: &[u8], out: &mut [f32]) {
    each(bytes, out, plain);
}

/// Each block of N bytes to its 32 values `q·d + m`.
#[inline(always)]
fn each<const N: usize>(bytes: &[u8], out: &mut [f32], factors: impl Fn(&[u8; N]) -> (f32, f32)) {
    #[cfg(target_arch = "x86_64")]
    if avx512::is_there() {
        // SAFETY: the processor has the instructions.
        return unsafe { avx512::expand::<N>(bytes, out) };
    }
    #[cfg(target_arch = "x86_64")]
    if avx2::is_there() {
        // SAFETY: the processor has the instructions.
        return unsafe { avx2::expand(bytes, out, factors) };
    }
    for (block, out) in bytes.as_chunks::<N>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let (d, m) = factors(block);
        for (out, q) in out.iter_mut().zip(codes(block)) {
            *out = q * d + m;
        }
    }
}

/// The 32 codes of a block as numbers.
fn codes<const N: usize>(block: &[u8; N]) -> [f32; 32] {
    let signed = N == 34;
    std::array::from_fn(|j| match (signed, j < 16) {
        (true, _) => block[N - 32 + j] as i8 as f32,
        (false, true) => (block[N - 16 + j] & 15) as f32,
        (false, false) => (block[N - 32 + j] >> 4) as f32,
    })
}

/// Rows that meet many rows of weights, with what the products want of each block.
pub struct Rows<'a> {
    x: &'a [f32],
    width: usize,
    /// 1 and the sum of each block's values: what a weight's d and m are multiplied by.
    factors: Vec<(f32, f32)>,
}

impl<'a> Rows<'a> {
    /// Shapes: x [rows, width].
    pub fn new(x: &'a [f32], width: usize) -> Self {
        Rows { x, width, factors: x.as_chunks::<32>().0.iter().map(|block| (1.0, block.iter().sum())).collect() }
    }

    /// Each row with its blocks' factors.
    fn each(&self) -> impl Iterator<Item = (&[f32], &[(f32, f32)])> {
        self.x.chunks_exact(self.width).zip(self.factors.chunks_exact((self.width / 32).max(1)))
    }
}

/// The products of a row of weights in blocks with each row of x, into `sums`; false where there is no such code for the type or the
/// processor. The sums are those of the exact weights: only the order of additions is another than a plain product's.
pub fn dots(dtype: GgmlDType, bytes: &[u8], rows: &Rows, sums: &mut [f32]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if avx512::is_there() {
        for (sum, (x, factors)) in sums.iter_mut().zip(rows.each()) {
            // SAFETY: the processor has the instructions.
            *sum = unsafe {
                match dtype {
                    GgmlDType::Q4_0 => avx512::dot::<18>(bytes, x, factors),
                    GgmlDType::Q4_1 => avx512::dot::<20>(bytes, x, factors),
                    GgmlDType::Q8_0 => avx512::dot::<34>(bytes, x, factors),
                    _ => return false,
                }
            };
        }
        return true;
    }
    #[cfg(target_arch = "x86_64")]
    if avx2::is_there() {
        for (sum, (x, _)) in sums.iter_mut().zip(rows.each()) {
            // SAFETY: the processor has the instructions.
            *sum = unsafe {
                match dtype {
                    GgmlDType::Q4_0 => avx2::dot(bytes, x, centred),
                    GgmlDType::Q4_1 => avx2::dot(bytes, x, shifted),
                    GgmlDType::Q8_0 => avx2::dot(bytes, x, plain),
                    _ => return false,
                }
            };
        }
        return true;
    }
    let _ = (dtype, bytes, rows, sums);
    false
}

/// d and m of a block side by side, by the processor's own conversion.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "f16c")]
pub(super) fn both_factors<const N: usize>(block: &[u8; N]) -> std::arch::x86_64::__m128 {
    use std::arch::x86_64::*;
    let d = i32::from(u16::from_le_bytes([block[0], block[1]]));
    match N {
        20 => _mm_cvtph_ps(_mm_cvtsi32_si128(i32::from_le_bytes([block[0], block[1], block[2], block[3]]))),
        18 => _mm_mul_ps(_mm_cvtph_ps(_mm_set1_epi16(d as i16)), _mm_setr_ps(1.0, -8.0, 0.0, 0.0)),
        _ => _mm_cvtph_ps(_mm_cvtsi32_si128(d)),
    }
}

/// The same with vectors of twice the width.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::both_factors;

    pub fn is_there() -> bool {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("f16c") && super::avx2::is_there()
    }

    /// The 32 codes of a block in two vectors.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn codes<const N: usize>(block: &[u8; N]) -> [__m512; 2] {
        if N == 34 {
            // SAFETY: a block has 32 bytes behind its scale.
            let halves: [__m128i; 2] =
                std::array::from_fn(|i| unsafe { _mm_loadu_si128(block.as_ptr().add(N - 32 + 16 * i).cast()) });
            return halves.map(|half| _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(half)));
        }
        // SAFETY: a block has 16 bytes behind its scales.
        let raw = unsafe { _mm_loadu_si128(block.as_ptr().add(N - 16).cast()) };
        let half = _mm_set1_epi8(15);
        let (low, high) = (_mm_and_si128(raw, half), _mm_and_si128(_mm_srli_epi16::<4>(raw), half));
        [low, high].map(|half| _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(half)))
    }

    /// `q·d + m`, rounded twice as everywhere.
    #[inline]
    #[target_feature(enable = "avx512f,avx2,f16c")]
    pub fn expand<const N: usize>(bytes: &[u8], out: &mut [f32]) {
        for (block, out) in bytes.as_chunks::<N>().0.iter().zip(out.as_chunks_mut::<32>().0) {
            let both = both_factors(block);
            let (d, m) = (_mm512_broadcastss_ps(both), _mm512_broadcastss_ps(_mm_movehdup_ps(both)));
            for (out, q) in out.as_chunks_mut::<16>().0.iter_mut().zip(codes(block)) {
                // SAFETY: sixteen values have room for a vector.
                unsafe { _mm512_storeu_ps(out.as_mut_ptr(), _mm512_add_ps(_mm512_mul_ps(q, d), m)) };
            }
        }
    }

    /// `Σ over blocks of d·Σ q·x + m·Σ x`, Σ x of each block among its factors.
    #[inline]
    #[target_feature(enable = "avx512f,avx2,fma,f16c")]
    pub fn dot<const N: usize>(bytes: &[u8], x: &[f32], factors: &[(f32, f32)]) -> f32 {
        // Two sums, so that one need not wait for the other.
        let (mut sums, mut shifts) = ([_mm512_setzero_ps(); 2], _mm_setzero_ps());
        let blocks = bytes.as_chunks::<N>().0.iter().zip(x.as_chunks::<32>().0).zip(factors);
        for (i, ((block, x), factors)) in blocks.enumerate() {
            let both = _mm_mul_ps(both_factors(block), _mm_setr_ps(factors.0, factors.1, 0.0, 0.0));
            shifts = _mm_add_ps(shifts, both);
            let q = codes(block);
            // SAFETY: a block meets 32 values, two vectors.
            let x: [__m512; 2] = std::array::from_fn(|i| unsafe { _mm512_loadu_ps(x.as_ptr().add(16 * i)) });
            let products = _mm512_fmadd_ps(q[1], x[1], _mm512_mul_ps(q[0], x[0]));
            sums[i & 1] = _mm512_fmadd_ps(_mm512_broadcastss_ps(both), products, sums[i & 1]);
        }
        _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1])) + _mm_cvtss_f32(_mm_movehdup_ps(shifts))
    }
}

/// The same by hand: compilers make vectors across blocks of these loops, and gather single bytes for them.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    pub fn is_there() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }

    /// The 32 codes of a block in four vectors.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn codes<const N: usize>(block: &[u8; N]) -> [__m256; 4] {
        let upper = |v| _mm_unpackhi_epi64(v, v);
        if N == 34 {
            let float = |v| _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v));
            // SAFETY: a block has 32 bytes behind its scale.
            let (a, b) = unsafe {
                let at = block.as_ptr().add(N - 32).cast::<__m128i>();
                (_mm_loadu_si128(at), _mm_loadu_si128(at.add(1)))
            };
            return [float(a), float(upper(a)), float(b), float(upper(b))];
        }
        let float = |v| _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(v));
        // SAFETY: a block has 16 bytes behind its scales.
        let raw = unsafe { _mm_loadu_si128(block.as_ptr().add(N - 16).cast()) };
        let half = _mm_set1_epi8(15);
        let (low, high) = (_mm_and_si128(raw, half), _mm_and_si128(_mm_srli_epi16::<4>(raw), half));
        [float(low), float(upper(low)), float(high), float(upper(high))]
    }

    /// `q·d + m`, rounded twice as everywhere.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn expand<const N: usize>(bytes: &[u8], out: &mut [f32], factors: impl Fn(&[u8; N]) -> (f32, f32)) {
        for (block, out) in bytes.as_chunks::<N>().0.iter().zip(out.as_chunks_mut::<32>().0) {
            let (d, m) = factors(block);
            let (d, m) = (_mm256_set1_ps(d), _mm256_set1_ps(m));
            for (out, q) in out.as_chunks_mut::<8>().0.iter_mut().zip(codes(block)) {
                // SAFETY: eight values have room for a vector.
                unsafe { _mm256_storeu_ps(out.as_mut_ptr(), _mm256_add_ps(_mm256_mul_ps(q, d), m)) };
            }
        }
    }

    /// `Σ over blocks of d·Σ q·x + m·Σ x`.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn dot<const N: usize>(bytes: &[u8], x: &[f32], factors: impl Fn(&[u8; N]) -> (f32, f32)) -> f32 {
        let mut sums = [_mm256_setzero_ps(); 2];
        for (block, x) in bytes.as_chunks::<N>().0.iter().zip(x.as_chunks::<32>().0) {
            let (d, m) = factors(block);
            let q = codes(block);
            // SAFETY: a block meets 32 values, four vectors.
            let x: [__m256; 4] = std::array::from_fn(|i| unsafe { _mm256_loadu_ps(x.as_ptr().add(8 * i)) });
            let a = _mm256_fmadd_ps(q[1], x[1], _mm256_mul_ps(q[0], x[0]));
            let b = _mm256_fmadd_ps(q[3], x[3], _mm256_mul_ps(q[2], x[2]));
            sums[0] = _mm256_fmadd_ps(_mm256_set1_ps(d), _mm256_add_ps(a, b), sums[0]);
            if N != 34 {
                let plain = _mm256_add_ps(_mm256_add_ps(x[0], x[1]), _mm256_add_ps(x[2], x[3]));
                sums[1] = _mm256_fmadd_ps(_mm256_set1_ps(m), plain, sums[1]);
            }
        }
        let mut lanes = [0f32; 8];
        // SAFETY: eight values have room for a vector.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), _mm256_add_ps(sums[0], sums[1])) };
        lanes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_scales_are_exact_down_to_subnormals() {
        for bits in (0u16..0x7c00).chain(0x8000..0xfc00) {
            assert_eq!(scale(bits.to_le_bytes()), half::f16::from_bits(bits).to_f32(), "{bits:#x}");
        }
    }
}
