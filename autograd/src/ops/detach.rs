//! Detach: a value without its history.

use crate::modes::Mode;
use crate::{At, Cotangents, Float, Op, Saved, Tensor, Var};

/// ```text
/// y = x             x̄ += nothing: to the walk back, y is a constant
/// ```
pub struct Detach;

impl<T: Float> Op<T> for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].map(|x| T::from_f64(x.to_f64())) // a dual number loses its tangent: a constant in forward mode too
    }
    fn vjp(&self, _: &At<T>, _: &mut Cotangents<T>) {}
    fn flops(&self, _: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        0
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The same value as a constant: no gradient flows back through it.
    #[track_caller]
    pub fn detach(self) -> Self {
        let _off = Mode::set(&self.tape().gradients_on, false);
        self.tape().apply(Detach, &[self])
    }
}
