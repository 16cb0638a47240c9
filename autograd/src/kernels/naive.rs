//! The first rung of the ladder: the definition of the product, for every scalar, as three loops.

use super::MatMul;
use crate::Float;

/// c[i, j] = Σₚ a[i, p]·b[p, j]
pub fn matmul<T: Float>(plan: &MatMul, a: &[T], b: &[T], c: &mut [T]) {
    let MatMul { m, k, n, lda, ldb, ldc, .. } = *plan;
    for i in 0..m {
        for j in 0..n {
            let mut sum = T::ZERO;
            for p in 0..k {
                let a = if plan.transpose_a { a[p * lda + i] } else { a[i * lda + p] };
                let b = if plan.transpose_b { b[j * ldb + p] } else { b[p * ldb + j] };
                sum += if plan.bf16 { a.round_to_bf16() * b.round_to_bf16() } else { a * b };
            }
            let c = &mut c[i * ldc + j];
            *c = if plan.accumulate { *c + sum } else { sum };
        }
    }
}
