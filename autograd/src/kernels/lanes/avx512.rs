//! Lanes of AVX-512.
//!
//! SAFETY of every block below: the intrinsics need AVX-512 F and DQ, and values of these types are made only
//! below [`dispatch`](super::dispatch), which has asked the processor. Loads and stores go through a slice whose
//! length has just been checked, or through a mask that leaves out what lies beyond it.

use super::Lanes;
use std::arch::x86_64::*;

/// 16 numbers of single precision.
#[derive(Clone, Copy)]
pub(crate) struct F32x16(__m512);

impl Lanes for F32x16 {
    type Scalar = f32;
    const N: usize = 16;
    const MR: usize = 6;
    const NV: usize = 4;
    // Where a cycle has two multiply-adds, 3 to 11 % faster than one step a round (benches/peers/README.md).
    const STEPS: usize = 2;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        F32x16(unsafe { _mm512_set1_ps(x) })
    }
    #[inline(always)]
    fn load(x: &[f32]) -> Self {
        F32x16(unsafe { _mm512_loadu_ps(x[..16].as_ptr()) })
    }
    #[inline(always)]
    fn load_part(x: &[f32], len: usize) -> Self {
        F32x16(unsafe { _mm512_maskz_loadu_ps(first16(len), x[..len].as_ptr()) })
    }
    #[inline(always)]
    fn prefetch(at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(at.cast()) }
    }
    #[inline(always)]
    fn store(self, y: &mut [f32]) {
        unsafe { _mm512_storeu_ps(y[..16].as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn store_part(self, y: &mut [f32], len: usize) {
        unsafe { _mm512_mask_storeu_ps(y[..len].as_mut_ptr(), first16(len), self.0) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        F32x16(unsafe { _mm512_add_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        F32x16(unsafe { _mm512_sub_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        F32x16(unsafe { _mm512_mul_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        F32x16(unsafe { _mm512_div_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        F32x16(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        F32x16(unsafe { _mm512_max_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        F32x16(unsafe { _mm512_min_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        F32x16(unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT }>(self.0) })
    }
    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        F32x16(unsafe { _mm512_scalef_ps(self.0, n.0) })
    }
    #[inline(always)]
    fn mantissa_and_exponent(self) -> (Self, Self) {
        unsafe {
            let mantissa = _mm512_getmant_ps::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_SRC>(self.0);
            (F32x16(mantissa), F32x16(_mm512_getexp_ps(self.0)))
        }
    }
    #[inline(always)]
    fn select_less(self, b: Self, yes: Self, no: Self) -> Self {
        F32x16(unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, b.0), no.0, yes.0) })
    }
    #[inline(always)]
    fn select_nan(self, yes: Self, no: Self) -> Self {
        F32x16(unsafe {
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self.0, self.0), no.0, yes.0)
        })
    }
    #[inline(always)]
    fn interleave(self, b: Self) -> (Self, Self) {
        unsafe {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            let (low, high) =
                (_mm512_permutex2var_ps(self.0, low, b.0), _mm512_permutex2var_ps(self.0, high, b.0));
            (F32x16(low), F32x16(high))
        }
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        unsafe {
            let upper = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0)));
            super::avx2::F32x8(_mm256_add_ps(_mm512_castps512_ps256(self.0), upper)).sum()
        }
    }
}

/// 8 numbers of double precision.
#[derive(Clone, Copy)]
pub(crate) struct F64x8(__m512d);

impl Lanes for F64x8 {
    type Scalar = f64;
    const N: usize = 8;
    const MR: usize = 6;
    const NV: usize = 4;
    const STEPS: usize = 2;

    #[inline(always)]
    fn splat(x: f64) -> Self {
        F64x8(unsafe { _mm512_set1_pd(x) })
    }
    #[inline(always)]
    fn load(x: &[f64]) -> Self {
        F64x8(unsafe { _mm512_loadu_pd(x[..8].as_ptr()) })
    }
    #[inline(always)]
    fn load_part(x: &[f64], len: usize) -> Self {
        F64x8(unsafe { _mm512_maskz_loadu_pd(first8(len), x[..len].as_ptr()) })
    }
    #[inline(always)]
    fn prefetch(at: *const f64) {
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(at.cast()) }
    }
    #[inline(always)]
    fn store(self, y: &mut [f64]) {
        unsafe { _mm512_storeu_pd(y[..8].as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn store_part(self, y: &mut [f64], len: usize) {
        unsafe { _mm512_mask_storeu_pd(y[..len].as_mut_ptr(), first8(len), self.0) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        F64x8(unsafe { _mm512_add_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        F64x8(unsafe { _mm512_sub_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        F64x8(unsafe { _mm512_mul_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        F64x8(unsafe { _mm512_div_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        F64x8(unsafe { _mm512_fmadd_pd(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        F64x8(unsafe { _mm512_max_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        F64x8(unsafe { _mm512_min_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        F64x8(unsafe { _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEAREST_INT }>(self.0) })
    }
    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        F64x8(unsafe { _mm512_scalef_pd(self.0, n.0) })
    }
    #[inline(always)]
    fn mantissa_and_exponent(self) -> (Self, Self) {
        unsafe {
            let mantissa = _mm512_getmant_pd::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_SRC>(self.0);
            (F64x8(mantissa), F64x8(_mm512_getexp_pd(self.0)))
        }
    }
    #[inline(always)]
    fn select_less(self, b: Self, yes: Self, no: Self) -> Self {
        F64x8(unsafe { _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, b.0), no.0, yes.0) })
    }
    #[inline(always)]
    fn select_nan(self, yes: Self, no: Self) -> Self {
        F64x8(unsafe {
            _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_UNORD_Q>(self.0, self.0), no.0, yes.0)
        })
    }
    #[inline(always)]
    fn interleave(self, b: Self) -> (Self, Self) {
        unsafe {
            let low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
            let high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
            let (low, high) =
                (_mm512_permutex2var_pd(self.0, low, b.0), _mm512_permutex2var_pd(self.0, high, b.0));
            (F64x8(low), F64x8(high))
        }
    }
    #[inline(always)]
    fn sum(self) -> f64 {
        unsafe {
            let upper = _mm512_extractf64x4_pd::<1>(self.0);
            super::avx2::F64x4(_mm256_add_pd(_mm512_castpd512_pd256(self.0), upper)).sum()
        }
    }
}

/// A mask of the first `len` ≤ 16 lanes.
#[inline(always)]
fn first16(len: usize) -> __mmask16 {
    ((1u32 << len) - 1) as __mmask16
}

/// A mask of the first `len` ≤ 8 lanes.
#[inline(always)]
fn first8(len: usize) -> __mmask8 {
    ((1u32 << len) - 1) as __mmask8
}
