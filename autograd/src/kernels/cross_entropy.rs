//! The loss over a vocabulary, from logits, without storing the probabilities.
//!
//! ```text
//! m = maxⱼ xⱼ    Z = Σⱼ e^(xⱼ−m)    p = e^(x−m)/Z        loss of a row with target t: (m − xₜ) + ln Z
//! ```

use super::rows::{max_and_sum, rows_a_piece};
use super::simd::vectorize;
use super::threads::for_each_chunk;
use crate::Float;

/// For logits x `[rows, v]`: m and Z of each row.
pub fn row_statistics<T: Float>(v: usize, x: &[T], statistics: &mut [[T; 2]]) {
    let rows = rows_a_piece(v);
    for_each_chunk(statistics, rows, |index, out| {
        for (row, out) in out.iter_mut().enumerate() {
            *out = max_and_sum(&x[(index * rows + row) * v..][..v]);
        }
    });
}

/// x̄ = scale·(p − onehot(target)), 0 in a row whose target is `None`; overwrites x̄.
pub fn cross_entropy_vjp<T: Float>(
    v: usize,
    x: &[T],
    statistics: &[[T; 2]],
    target: impl Fn(usize) -> Option<usize> + Sync,
    scale: T,
    dx: &mut [T],
) {
    let rows = rows_a_piece(v);
    for_each_chunk(dx, rows * v, |index, dx| {
        for (row, dx) in dx.chunks_exact_mut(v).enumerate() {
            let row = index * rows + row;
            let Some(target) = target(row) else {
                dx.fill(T::ZERO);
                continue;
            };
            let [most, total] = statistics[row];
            dx.copy_from_slice(&x[row * v..][..v]);
            T::exp_affine(dx, T::ONE, most);
            let scale_of_row = scale / total;
            vectorize(
                #[inline(always)]
                || dx.iter_mut().for_each(|dx| *dx *= scale_of_row),
            );
            dx[target] += -scale;
        }
    });
}
