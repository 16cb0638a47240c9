//! AdamW in one pass over the parameters.
//!
//! ```text
//! g ← clip·g      m ← β₁·m + (1 − β₁)·g      v ← β₂·v + (1 − β₂)·g²
//! x ← x − lr·decay·x − (lr/(1 − β₁ᵗ))·m / (√v/√(1 − β₂ᵗ) + ε)
//! ```
//!
//! (I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", 2019.)

use super::simd::vectorize;
use super::threads::Shared;
use super::threads::for_each_piece;
use crate::Float;

/// One step's constants.
#[derive(Clone, Copy, Debug)]
pub struct AdamW<T> {
    /// Learning rate.
    pub lr: T,
    /// Decay of the mean of gradients.
    pub beta1: T,
    /// Decay of the mean of their squares.
    pub beta2: T,
    /// Keeps the divisor away from 0.
    pub eps: T,
    /// Weight decay.
    pub decay: T,
    /// 1 − β₁ᵗ
    pub correction1: T,
    /// 1 − β₂ᵗ
    pub correction2: T,
    /// What clipping multiplies the gradient by.
    pub clip: T,
}

impl<T: Float> AdamW<T> {
    /// Updates x, m and v, all of one length.
    ///
    /// # Panics
    /// If the lengths differ.
    #[track_caller]
    pub fn step(&self, x: &mut [T], gradient: &[T], m: &mut [T], v: &mut [T]) {
        const CHUNK: usize = 8192;
        let len = x.len();
        assert!(len == gradient.len() && len == m.len() && len == v.len(), "AdamW: the lengths differ");
        let (x, m, v) = (Shared(x.as_mut_ptr()), Shared(m.as_mut_ptr()), Shared(v.as_mut_ptr()));
        for_each_piece(len.div_ceil(CHUNK), |index| {
            let range = index * CHUNK..len.min((index + 1) * CHUNK);
            // SAFETY: inside the slices, which are borrowed for the whole call; pieces do not overlap.
            let part = |whole: &Shared<T>| unsafe {
                std::slice::from_raw_parts_mut(whole.get().add(range.start), range.len())
            };
            let (x, m, v, gradient) = (part(&x), part(&m), part(&v), &gradient[range.clone()]);
            vectorize(
                #[inline(always)]
                || self.piece(x, gradient, m, v),
            );
        });
    }

    #[inline(always)]
    fn piece(&self, x: &mut [T], gradient: &[T], m: &mut [T], v: &mut [T]) {
        let AdamW { lr, beta1, beta2, eps, decay, correction1, correction2, clip } = *self;
        let (keep, rest1, rest2) = (T::ONE - lr * decay, T::ONE - beta1, T::ONE - beta2);
        let (rate, root) = (lr / correction1, T::ONE / correction2.sqrt());
        let n = x.len();
        let (gradient, m, v) = (&gradient[..n], &mut m[..n], &mut v[..n]);
        for i in 0..x.len() {
            let g = clip * gradient[i];
            m[i] = beta1 * m[i] + rest1 * g;
            v[i] = beta2 * v[i] + rest2 * g * g;
            x[i] = keep * x[i] - rate * m[i] / (v[i].sqrt() * root + eps);
        }
    }
}
