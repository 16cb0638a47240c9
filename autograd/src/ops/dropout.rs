//! Dropout with a seed.

use crate::{At, Cotangents, Float, Op, Saved, Tensor, Var, kernels};

/// ```text
/// y = x·m/(1 − p),  m = 0 with probability p, else 1          x̄ = ȳ·m/(1 − p)
/// ```
/// The expectation of y is x, for p < 1. The mask is a function of the seed alone, the same on every machine. With p = 1
/// everything is dropped and y = 0. Srivastava et al. 2014.
pub struct Dropout(pub kernels::dropout::Dropout);

impl<T: Float> Op<T> for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }
    fn details(&self) -> String {
        let kernels::dropout::Dropout { p, seed, before } = self.0;
        let after = if before > 0 { format!(" after {before} entries") } else { String::new() };
        format!("p = {p}, seed {seed}{after}")
    }
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        let (x, shape) = (x[0].data(), x[0].shape());
        Tensor::build(shape, |y| {
            saved.push(Tensor::build(shape, |mask| self.0.forward(x, y, mask)));
        })
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || at.dy.zip(&at.saved[0], |dy, mask| dy * mask));
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Every entry set to 0 with probability `p`, the others divided by 1 − p; which ones depends on the seed.
    ///
    /// # Panics
    /// If `p` is not a probability.
    #[track_caller]
    pub fn dropout(self, p: f64, seed: u64) -> Self {
        self.dropout_after(0, p, seed)
    }

    /// The same where x is the part of a larger tensor that `before` entries precede: the mask is that part of the
    /// larger tensor's.
    ///
    /// # Panics
    /// If `p` is not a probability.
    #[track_caller]
    pub fn dropout_after(self, before: usize, p: f64, seed: u64) -> Self {
        assert!((0.0..=1.0).contains(&p), "dropout: {p} is not a probability");
        self.tape().apply(Dropout(kernels::dropout::Dropout { p, seed, before }), &[self])
    }
}
