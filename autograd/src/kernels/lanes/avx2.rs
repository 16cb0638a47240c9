//! Lanes of AVX2 with fused multiply-add.
//!
//! SAFETY of every block below: the intrinsics, and `call_on_avx2`, need AVX, AVX2 and FMA, and these types are used only
//! below [`dispatch`](super::dispatch), which has asked the processor. Loads and stores go through a slice or an
//! array whose length has just been checked.

use super::{Kernel, Lanes};
use std::arch::x86_64::*;

/// 8 numbers of single precision.
#[derive(Clone, Copy)]
pub(crate) struct F32x8(pub(super) __m256);

impl Lanes for F32x8 {
    type Scalar = f32;
    const N: usize = 8;
    const MR: usize = 6;
    const NV: usize = 2;

    #[inline(always)]
    fn call<K: Kernel<Self::Scalar>>(kernel: K) -> K::Output {
        unsafe { super::call_on_avx2(kernel) }
    }
    #[inline(always)]
    fn splat(x: f32) -> Self {
        F32x8(unsafe { _mm256_set1_ps(x) })
    }
    #[inline(always)]
    fn load(x: &[f32]) -> Self {
        F32x8(unsafe { _mm256_loadu_ps(x[..8].as_ptr()) })
    }
    #[inline(always)]
    fn load_part(x: &[f32], len: usize) -> Self {
        let mut whole = [0.0; 8];
        whole[..len].copy_from_slice(&x[..len]);
        Self::load(&whole)
    }
    #[inline(always)]
    fn prefetch(at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(at.cast()) }
    }
    #[inline(always)]
    fn store(self, y: &mut [f32]) {
        unsafe { _mm256_storeu_ps(y[..8].as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn store_part(self, y: &mut [f32], len: usize) {
        let mut whole = [0.0; 8];
        self.store(&mut whole);
        y[..len].copy_from_slice(&whole[..len]);
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        F32x8(unsafe { _mm256_add_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        F32x8(unsafe { _mm256_sub_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        F32x8(unsafe { _mm256_mul_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        F32x8(unsafe { _mm256_div_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        F32x8(unsafe { _mm256_fmadd_ps(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        F32x8(unsafe { _mm256_max_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        F32x8(unsafe { _mm256_min_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        F32x8(unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        unsafe {
            let n = _mm256_cvtps_epi32(n.0);
            let half = _mm256_srai_epi32::<1>(n);
            let power =
                |n| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n, _mm256_set1_epi32(127))));
            F32x8(_mm256_mul_ps(_mm256_mul_ps(self.0, power(half)), power(_mm256_sub_epi32(n, half))))
        }
    }
    #[inline(always)]
    fn mantissa_and_exponent(self) -> (Self, Self) {
        unsafe {
            let bits = _mm256_castps_si256(self.0);
            let fraction = _mm256_and_si256(bits, _mm256_set1_epi32(0x007f_ffff));
            let mantissa = _mm256_or_si256(fraction, _mm256_set1_epi32(0x3f80_0000));
            let exponent = _mm256_sub_epi32(_mm256_srli_epi32::<23>(bits), _mm256_set1_epi32(127));
            (F32x8(_mm256_castsi256_ps(mantissa)), F32x8(_mm256_cvtepi32_ps(exponent)))
        }
    }
    #[inline(always)]
    fn select_less(self, b: Self, yes: Self, no: Self) -> Self {
        F32x8(unsafe { _mm256_blendv_ps(no.0, yes.0, _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, b.0)) })
    }
    #[inline(always)]
    fn select_nan(self, yes: Self, no: Self) -> Self {
        F32x8(unsafe { _mm256_blendv_ps(no.0, yes.0, _mm256_cmp_ps::<_CMP_UNORD_Q>(self.0, self.0)) })
    }
    #[inline(always)]
    fn interleave(self, b: Self) -> (Self, Self) {
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(self.0, b.0), _mm256_unpackhi_ps(self.0, b.0));
            (
                F32x8(_mm256_permute2f128_ps::<0x20>(low, high)),
                F32x8(_mm256_permute2f128_ps::<0x31>(low, high)),
            )
        }
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
}

/// 4 numbers of double precision.
#[derive(Clone, Copy)]
pub(crate) struct F64x4(pub(super) __m256d);

impl Lanes for F64x4 {
    type Scalar = f64;
    const N: usize = 4;
    const MR: usize = 6;
    const NV: usize = 2;

    #[inline(always)]
    fn call<K: Kernel<Self::Scalar>>(kernel: K) -> K::Output {
        unsafe { super::call_on_avx2(kernel) }
    }
    #[inline(always)]
    fn splat(x: f64) -> Self {
        F64x4(unsafe { _mm256_set1_pd(x) })
    }
    #[inline(always)]
    fn load(x: &[f64]) -> Self {
        F64x4(unsafe { _mm256_loadu_pd(x[..4].as_ptr()) })
    }
    #[inline(always)]
    fn load_part(x: &[f64], len: usize) -> Self {
        let mut whole = [0.0; 4];
        whole[..len].copy_from_slice(&x[..len]);
        Self::load(&whole)
    }
    #[inline(always)]
    fn prefetch(at: *const f64) {
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(at.cast()) }
    }
    #[inline(always)]
    fn store(self, y: &mut [f64]) {
        unsafe { _mm256_storeu_pd(y[..4].as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn store_part(self, y: &mut [f64], len: usize) {
        let mut whole = [0.0; 4];
        self.store(&mut whole);
        y[..len].copy_from_slice(&whole[..len]);
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        F64x4(unsafe { _mm256_add_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        F64x4(unsafe { _mm256_sub_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        F64x4(unsafe { _mm256_mul_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        F64x4(unsafe { _mm256_div_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        F64x4(unsafe { _mm256_fmadd_pd(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        F64x4(unsafe { _mm256_max_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        F64x4(unsafe { _mm256_min_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        F64x4(unsafe { _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        unsafe {
            let n = _mm256_cvtpd_epi32(n.0);
            let half = _mm_srai_epi32::<1>(n);
            let power = |n| {
                let biased = _mm256_cvtepi32_epi64(_mm_add_epi32(n, _mm_set1_epi32(1023)));
                _mm256_castsi256_pd(_mm256_slli_epi64::<52>(biased))
            };
            F64x4(_mm256_mul_pd(_mm256_mul_pd(self.0, power(half)), power(_mm_sub_epi32(n, half))))
        }
    }
    #[inline(always)]
    fn mantissa_and_exponent(self) -> (Self, Self) {
        unsafe {
            let bits = _mm256_castpd_si256(self.0);
            let fraction = _mm256_and_si256(bits, _mm256_set1_epi64x(0x000f_ffff_ffff_ffff));
            let mantissa = _mm256_or_si256(fraction, _mm256_set1_epi64x(0x3ff0_0000_0000_0000));
            // A whole number below 2⁵² in the mantissa of 2⁵² is that number plus 2⁵².
            let shift = _mm256_set1_epi64x(0x4330_0000_0000_0000);
            let biased = _mm256_castsi256_pd(_mm256_or_si256(_mm256_srli_epi64::<52>(bits), shift));
            let exponent = _mm256_sub_pd(biased, _mm256_set1_pd(4_503_599_627_370_496.0 + 1023.0));
            (F64x4(_mm256_castsi256_pd(mantissa)), F64x4(exponent))
        }
    }
    #[inline(always)]
    fn select_less(self, b: Self, yes: Self, no: Self) -> Self {
        F64x4(unsafe { _mm256_blendv_pd(no.0, yes.0, _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, b.0)) })
    }
    #[inline(always)]
    fn select_nan(self, yes: Self, no: Self) -> Self {
        F64x4(unsafe { _mm256_blendv_pd(no.0, yes.0, _mm256_cmp_pd::<_CMP_UNORD_Q>(self.0, self.0)) })
    }
    #[inline(always)]
    fn interleave(self, b: Self) -> (Self, Self) {
        unsafe {
            let (low, high) = (_mm256_unpacklo_pd(self.0, b.0), _mm256_unpackhi_pd(self.0, b.0));
            (
                F64x4(_mm256_permute2f128_pd::<0x20>(low, high)),
                F64x4(_mm256_permute2f128_pd::<0x31>(low, high)),
            )
        }
    }
    #[inline(always)]
    fn sum(self) -> f64 {
        unsafe {
            let two = _mm_add_pd(_mm256_castpd256_pd128(self.0), _mm256_extractf128_pd::<1>(self.0));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        }
    }
}
