//! Blocks of quantised weights, 32 a block: to f32, and multiplied with rows of f32 on the way. The common types of GGML, with vector code
//! of their own; the others go through candle in `frozen`.
//! Layouts: ggml's `block_q4_0`, `block_q4_1`, `block_q8_0`.

use candle_core::quantized::GgmlDType;

/// A finite half-precision scale to f32 without a call: shift into place, then correct the exponent by a product.
#[inline(always)]
pub(super) fn scale(bytes: [u8; 2]) -> f32 {
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

/// The products of a row of weights in blocks with each row of x, into `sums`; false where there is no such code for the type or the
/// processor. The sums are those of the exact weights: only the order of additions is another than a plain product's.
pub fn dots(dtype: GgmlDType, bytes: &[u8], x: &[f32], sums: &mut [f32]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if avx2::is_there() {
        let width = x.len() / sums.len().max(1);
        for (sum, x) in sums.iter_mut().zip(x.chunks_exact(width)) {
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
    let _ = (dtype, bytes, x, sums);
    false
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
