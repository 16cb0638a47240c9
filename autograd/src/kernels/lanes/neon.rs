//! Lanes of 64-bit ARM's NEON.
//!
//! SAFETY of every block below: the intrinsics need NEON, and values of these types are made only below
//! [`dispatch`](super::dispatch), which has asked the processor. Loads and stores go through a slice or an array
//! whose length has just been checked.

use super::Lanes;
use std::arch::aarch64::*;

/// 4 numbers of single precision.
#[derive(Clone, Copy)]
pub(crate) struct F32x4(float32x4_t);

impl Lanes for F32x4 {
    type Scalar = f32;
    const N: usize = 4;
    const MR: usize = 6;
    const NV: usize = 4;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        F32x4(unsafe { vdupq_n_f32(x) })
    }
    #[inline(always)]
    fn load(x: &[f32]) -> Self {
        F32x4(unsafe { vld1q_f32(x[..4].as_ptr()) })
    }
    #[inline(always)]
    fn load_part(x: &[f32], len: usize) -> Self {
        let mut whole = [0.0; 4];
        whole[..len].copy_from_slice(&x[..len]);
        Self::load(&whole)
    }
    #[inline(always)]
    fn store(self, y: &mut [f32]) {
        unsafe { vst1q_f32(y[..4].as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn store_part(self, y: &mut [f32], len: usize) {
        let mut whole = [0.0; 4];
        self.store(&mut whole);
        y[..len].copy_from_slice(&whole[..len]);
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        F32x4(unsafe { vaddq_f32(self.0, b.0) })
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        F32x4(unsafe { vsubq_f32(self.0, b.0) })
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        F32x4(unsafe { vmulq_f32(self.0, b.0) })
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        F32x4(unsafe { vdivq_f32(self.0, b.0) })
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        F32x4(unsafe { vfmaq_f32(c.0, self.0, b.0) })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        F32x4(unsafe { vbslq_f32(vcgtq_f32(self.0, b.0), self.0, b.0) })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        F32x4(unsafe { vbslq_f32(vcltq_f32(self.0, b.0), self.0, b.0) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        F32x4(unsafe { vrndnq_f32(self.0) })
    }
    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        unsafe {
            let n = vcvtnq_s32_f32(n.0);
            let half = vshrq_n_s32::<1>(n);
            let power = |n| vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(n, vdupq_n_s32(127))));
            F32x4(vmulq_f32(vmulq_f32(self.0, power(half)), power(vsubq_s32(n, half))))
        }
    }
    #[inline(always)]
    fn mantissa_and_exponent(self) -> (Self, Self) {
        unsafe {
            let bits = vreinterpretq_s32_f32(self.0);
            let fraction = vandq_s32(bits, vdupq_n_s32(0x007f_ffff));
            let mantissa = vorrq_s32(fraction, vdupq_n_s32(0x3f80_0000));
            let exponent = vsubq_s32(vshrq_n_s32::<23>(bits), vdupq_n_s32(127));
            (F32x4(vreinterpretq_f32_s32(mantissa)), F32x4(vcvtq_f32_s32(exponent)))
        }
    }
    #[inline(always)]
    fn select_less(self, b: Self, yes: Self, no: Self) -> Self {
        F32x4(unsafe { vbslq_f32(vcltq_f32(self.0, b.0), yes.0, no.0) })
    }
    #[inline(always)]
    fn select_nan(self, yes: Self, no: Self) -> Self {
        F32x4(unsafe { vbslq_f32(vceqq_f32(self.0, self.0), no.0, yes.0) })
    }
    #[inline(always)]
    fn interleave(self, b: Self) -> (Self, Self) {
        unsafe { (F32x4(vzip1q_f32(self.0, b.0)), F32x4(vzip2q_f32(self.0, b.0))) }
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        unsafe {
            let two = vadd_f32(vget_low_f32(self.0), vget_high_f32(self.0));
            vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
        }
    }
}

/// 2 numbers of double precision.
#[derive(Clone, Copy)]
pub(crate) struct F64x2(float64x2_t);

impl Lanes for F64x2 {
    type Scalar = f64;
    const N: usize = 2;
    const MR: usize = 6;
    const NV: usize = 4;

    #[inline(always)]
    fn splat(x: f64) -> Self {
        F64x2(unsafe { vdupq_n_f64(x) })
    }
    #[inline(always)]
    fn load(x: &[f64]) -> Self {
        F64x2(unsafe { vld1q_f64(x[..2].as_ptr()) })
    }
    #[inline(always)]
    fn load_part(x: &[f64], len: usize) -> Self {
        let mut whole = [0.0; 2];
        whole[..len].copy_from_slice(&x[..len]);
        Self::load(&whole)
    }
    #[inline(always)]
    fn store(self, y: &mut [f64]) {
        unsafe { vst1q_f64(y[..2].as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn store_part(self, y: &mut [f64], len: usize) {
        let mut whole = [0.0; 2];
        self.store(&mut whole);
        y[..len].copy_from_slice(&whole[..len]);
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        F64x2(unsafe { vaddq_f64(self.0, b.0) })
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        F64x2(unsafe { vsubq_f64(self.0, b.0) })
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        F64x2(unsafe { vmulq_f64(self.0, b.0) })
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        F64x2(unsafe { vdivq_f64(self.0, b.0) })
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        F64x2(unsafe { vfmaq_f64(c.0, self.0, b.0) })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        F64x2(unsafe { vbslq_f64(vcgtq_f64(self.0, b.0), self.0, b.0) })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        F64x2(unsafe { vbslq_f64(vcltq_f64(self.0, b.0), self.0, b.0) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        F64x2(unsafe { vrndnq_f64(self.0) })
    }
    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        unsafe {
            let n = vcvtnq_s64_f64(n.0);
            let half = vshrq_n_s64::<1>(n);
            let power = |n| vreinterpretq_f64_s64(vshlq_n_s64::<52>(vaddq_s64(n, vdupq_n_s64(1023))));
            F64x2(vmulq_f64(vmulq_f64(self.0, power(half)), power(vsubq_s64(n, half))))
        }
    }
    #[inline(always)]
    fn mantissa_and_exponent(self) -> (Self, Self) {
        unsafe {
            let bits = vreinterpretq_s64_f64(self.0);
            let fraction = vandq_s64(bits, vdupq_n_s64(0x000f_ffff_ffff_ffff));
            let mantissa = vorrq_s64(fraction, vdupq_n_s64(0x3ff0_0000_0000_0000));
            let exponent = vsubq_s64(vshrq_n_s64::<52>(bits), vdupq_n_s64(1023));
            (F64x2(vreinterpretq_f64_s64(mantissa)), F64x2(vcvtq_f64_s64(exponent)))
        }
    }
    #[inline(always)]
    fn select_less(self, b: Self, yes: Self, no: Self) -> Self {
        F64x2(unsafe { vbslq_f64(vcltq_f64(self.0, b.0), yes.0, no.0) })
    }
    #[inline(always)]
    fn select_nan(self, yes: Self, no: Self) -> Self {
        F64x2(unsafe { vbslq_f64(vceqq_f64(self.0, self.0), no.0, yes.0) })
    }
    #[inline(always)]
    fn interleave(self, b: Self) -> (Self, Self) {
        unsafe { (F64x2(vzip1q_f64(self.0, b.0)), F64x2(vzip2q_f64(self.0, b.0))) }
    }
    #[inline(always)]
    fn sum(self) -> f64 {
        unsafe { vgetq_lane_f64::<0>(self.0) + vgetq_lane_f64::<1>(self.0) }
    }
}
