//! The second rung: the same three loops, cut into blocks that stay in the cache.
//!
//! The definition walks down a column of B for every entry of C: each step lands on another cache line, and by the
//! time the next entry comes, the lines are gone. Here the loop over columns is the innermost, so that rows of B and
//! C are read in the order in which they lie, and a block of B is small enough to be still there for the next row.

use super::{MatMul, bf16};
use crate::Float;

/// Rows and columns of the block of B: 64·64 numbers are 16 KiB at f32.
const KC: usize = 64;
const NC: usize = 64;

/// C = A·B, to the bit as [`naive`](super::naive)'s: the terms of an entry are still added in the order of p.
pub fn matmul<T: Float>(plan: &MatMul, a: &[T], b: &[T], c: &mut [T]) {
    if plan.bf16 {
        return bf16::rounded(plan, a, b, |plan, a, b| matmul(plan, a, b, c));
    }
    let MatMul { m, k, n, lda, ldb, ldc, .. } = *plan;
    if !plan.accumulate {
        for i in 0..m {
            c[i * ldc..][..n].fill(T::ZERO);
        }
    }
    for p0 in (0..k).step_by(KC) {
        let depth = p0..k.min(p0 + KC);
        for j0 in (0..n).step_by(NC) {
            let columns = j0..n.min(j0 + NC);
            for i in 0..m {
                for p in depth.clone() {
                    let a = if plan.transpose_a { a[p * lda + i] } else { a[i * lda + p] };
                    for j in columns.clone() {
                        let b = if plan.transpose_b { b[j * ldb + p] } else { b[p * ldb + j] };
                        c[i * ldc + j] += a * b;
                    }
                }
            }
        }
    }
}
