//! Products of bfloat16 numbers, summed in f32.
//!
//! ```text
//! f32        1 sign   8 exponent   23 mantissa        2⁻²⁴ of a number may be lost to rounding
//! bfloat16   1 sign   8 exponent    7 mantissa        2⁻⁸: the upper half of an f32, of the same range
//!
//! C = Σₚ round(A[i, p])·round(B[p, j])                each product is exact in f32; the sum is rounded as f32 is
//! ```
//!
//! A network learns as well from operands of three digits as from operands of seven, as long as sums and the weights
//! themselves keep theirs (Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep Learning Training"). What it buys is a
//! matrix unit: AMX does 16 times as many multiply-adds a cycle as AVX-512 does at f32.
//!
//! Without a unit ([`Unit::F32`]) rounded copies are multiplied by the f32 kernels: the same but for the order of the sums,
//! and somewhat slower than f32. As the units do, [`round`] takes numbers below 2⁻¹²⁶ (subnormal ones) for 0; the units do
//! so with sums as well. A unit adds products up in an order of its own, which depends neither on threads nor on how C is
//! cut.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod pack;
#[cfg(target_arch = "x86_64")]
pub(super) mod product;
#[cfg(test)]
mod tests;
mod unit;

use super::lanes::{InstructionSet, Simd};
use super::part::Epilogue;
use super::simd::vectorize;
use super::{MatMul, matmul};
use crate::Float;
use crate::buffer::Buffer;

pub use unit::Unit;

/// The nearest bfloat16 number, ties to the even one; as f32, whose lower 16 bits are then 0.
#[inline(always)]
pub fn round(x: f32) -> f32 {
    let bits = x.to_bits();
    let (tie, odd) = (0x7fff, bits >> 16 & 1);
    let nearest = bits.wrapping_add(tie + odd) & 0xffff_0000;
    let rounded = match x.abs() {
        size if size.is_nan() => bits & 0xffff_0000 | 0x0040_0000, // a mantissa that is not 0, or it would be ∞
        size if size < f32::MIN_POSITIVE => bits & 0x8000_0000,
        _ => nearest,
    };
    f32::from_bits(rounded)
}

/// Runs `product` on dense copies of A and B that are rounded.
pub(crate) fn rounded<T: Float>(plan: &MatMul, a: &[T], b: &[T], product: impl FnOnce(&MatMul, &[T], &[T])) {
    let MatMul { m, k, n, lda, ldb, transpose_a, transpose_b, .. } = *plan;
    let copy = |x: &[T], ld: usize, [rows, columns]: [usize; 2]| {
        let mut y = Buffer::scratch(rows * columns);
        for i in 0..rows {
            let (x, y) = (&x[i * ld..][..columns], &mut y[i * columns..][..columns]);
            vectorize(
                #[inline(always)]
                || {
                    for j in 0..columns {
                        y[j] = x[j].round_to_bf16();
                    }
                },
            );
        }
        y
    };
    let a = copy(a, lda, if transpose_a { [k, m] } else { [m, k] });
    let b = copy(b, ldb, if transpose_b { [n, k] } else { [k, n] });
    let dense = MatMul::new(m, k, n).transpose_a(transpose_a).transpose_b(transpose_b);
    product(&MatMul { lda: dense.lda, ldb: dense.ldb, bf16: false, ..*plan }, &a, &b);
}

/// C = A·B of rounded operands, on one of the [`available`](Unit::available) units. The plan has been checked, and there is
/// something to multiply.
pub(super) fn matmul_on<T: Simd>(
    unit: Unit,
    plan: &MatMul,
    a: &[T],
    b: &[T],
    epilogue: Epilogue<T>,
    c: &mut [T],
) {
    if !T::matmul_by_unit(unit, plan, a, b, epilogue, c) {
        rounded(plan, a, b, |plan, a, b| {
            matmul::matmul_on(InstructionSet::current(), plan, a, b, epilogue, c)
        });
    }
}

/// The same for f32, if the unit can do it; or else nothing.
pub(super) fn matmul_by_unit(
    unit: Unit,
    plan: &MatMul,
    a: &[f32],
    b: &[f32],
    epilogue: Epilogue<f32>,
    c: &mut [f32],
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if unit != Unit::F32 {
        product::matmul(unit, plan, a, b, epilogue, c);
        return true;
    }
    _ = (unit, plan, a, b, epilogue, c);
    false
}
