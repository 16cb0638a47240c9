//! The loss over a vocabulary, from logits, without storing the probabilities.

use super::rows::{self, rows_a_piece};
use super::simd::vectorize;
use super::threads::for_each_chunk;
use crate::Float;

/// For logits x `[rows, v]`: ln Σ eˣ of each row, without storing the probabilities. The loss of a row with target t
/// is `log_sum_exp − x[t]`.
pub fn log_sum_exp<T: Float>(v: usize, x: &[T], log_sum_exp: &mut [T]) {
    let rows = rows_a_piece(v);
    for_each_chunk(log_sum_exp, rows, |index, out| {
        for (row, out) in out.iter_mut().enumerate() {
            *out = rows::log_sum_exp(&x[(index * rows + row) * v..][..v]);
        }
    });
}

/// x̄ = scale·(softmax(x) − onehot(target)), 0 in a row whose target is `None`; overwrites x̄.
pub fn cross_entropy_vjp<T: Float>(
    v: usize,
    x: &[T],
    log_sum_exp: &[T],
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
            dx.copy_from_slice(&x[row * v..][..v]);
            T::exp_affine(dx, T::ONE, log_sum_exp[row]);
            vectorize(
                #[inline(always)]
                || {
                    for dx in &mut *dx {
                        *dx *= scale;
                    }
                },
            );
            dx[target] += -scale;
        }
    });
}
