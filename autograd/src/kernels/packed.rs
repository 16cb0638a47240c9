//! The third rung: parts of A and B copied into the order in which the innermost loop reads them.
//!
//! ```text
//! B, k × n   →   panels of NR columns; in a panel, row after row:       panel[p·NR + j] = b[p, j]
//! A, m × k   →   panels of MR rows;    in a panel, column after column: panel[p·MR + i] = a[i, p]
//! ```
//!
//! The innermost loop then walks both panels from front to back, whatever the strides and transposes of A and B
//! were: no cache line is fetched for a part of it, no page is visited for one row. The last panel is filled up with
//! zeros. (K. Goto, R. van de Geijn: "Anatomy of High-Performance Matrix Multiplication", 2008.)

use super::{MatMul, bf16};
use crate::Float;
use std::ops::Range;

/// Rows and columns of the tile of C that this rung keeps at hand.
const MR: usize = 4;
const NR: usize = 8;

/// C = A·B as [`naive`](super::naive), by panels.
pub fn matmul<T: Float>(plan: &MatMul, a: &[T], b: &[T], c: &mut [T]) {
    if plan.bf16 {
        return bf16::rounded(plan, a, b, |plan, a, b| matmul(plan, a, b, c));
    }
    let MatMul { m, k, n, ldc, .. } = *plan;
    let (mut rows, mut columns) = (vec![T::ZERO; k * MR], vec![T::ZERO; k * NR]);
    for j in (0..n).step_by(NR) {
        let width = NR.min(n - j);
        pack_b(plan, b, j..j + width, &mut columns);
        for i in (0..m).step_by(MR) {
            let height = MR.min(m - i);
            pack_a(plan, a, i..i + height, &mut rows); // again for every panel of B: the next rung does better
            let mut tile = [[T::ZERO; NR]; MR];
            for (a, b) in rows.chunks_exact(MR).zip(columns.chunks_exact(NR)) {
                for i in 0..MR {
                    for j in 0..NR {
                        tile[i][j] += a[i] * b[j];
                    }
                }
            }
            for (r, tile) in tile[..height].iter().enumerate() {
                for (c, &sum) in c[(i + r) * ldc + j..][..width].iter_mut().zip(tile) {
                    *c = if plan.accumulate { *c + sum } else { sum };
                }
            }
        }
    }
}

/// One panel of A: panel[p·MR + i] = a[rows.start + i, p], zeros below the last row.
fn pack_a<T: Float>(plan: &MatMul, a: &[T], rows: Range<usize>, panel: &mut [T]) {
    let lda = plan.lda;
    for (p, column) in panel.chunks_exact_mut(MR).enumerate() {
        let (column, rest) = column.split_at_mut(rows.len());
        if plan.transpose_a {
            column.copy_from_slice(&a[p * lda + rows.start..][..column.len()]);
        } else {
            for (i, x) in rows.clone().zip(column) {
                *x = a[i * lda + p];
            }
        }
        rest.fill(T::ZERO);
    }
}

/// One panel of B: panel[p·NR + j] = b[p, columns.start + j], zeros right of the last column.
fn pack_b<T: Float>(plan: &MatMul, b: &[T], columns: Range<usize>, panel: &mut [T]) {
    let ldb = plan.ldb;
    for (p, row) in panel.chunks_exact_mut(NR).enumerate() {
        let (row, rest) = row.split_at_mut(columns.len());
        if plan.transpose_b {
            for (j, x) in columns.clone().zip(row) {
                *x = b[j * ldb + p];
            }
        } else {
            row.copy_from_slice(&b[p * ldb + columns.start..][..row.len()]);
        }
        rest.fill(T::ZERO);
    }
}
