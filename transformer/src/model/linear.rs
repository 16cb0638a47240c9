//! The linear layer: nearly all parameters of the model, and nearly all of its arithmetic.

use super::Pass;
use autograd::{Float, Var};

/// y = x·W + b with W `[d_in, d_out]` and, if there is one, b `[d_out]`.
pub struct Linear<P> {
    /// W `[d_in, d_out]`
    pub weight: P,
    /// b `[d_out]`
    pub bias: Option<P>,
}

impl<'t, T: Float> Linear<Var<'t, T>> {
    /// `[…, d_in] → […, d_out]`
    #[track_caller]
    pub fn forward(&self, x: Var<'t, T>, pass: &Pass) -> Var<'t, T> {
        match pass.textbook {
            true => x.linear_textbook(self.weight, self.bias),
            false => x.linear(self.weight, self.bias),
        }
    }

    /// gelu(x·W + b), in one op where there is a bias: `[…, d_in] → […, d_out]`
    pub fn forward_gelu(&self, x: Var<'t, T>, pass: &Pass) -> Var<'t, T> {
        match (self.bias, pass.textbook) {
            (Some(bias), false) => x.linear_gelu(self.weight, bias),
            _ => self.forward(x, pass).axes("b n 4d").gelu(),
        }
    }
}

impl<P> Linear<P> {
    /// The same layer with `f(name, parameter)` in the place of each parameter.
    pub fn map<'a, Q>(&'a self, name: &str, f: &mut impl FnMut(&str, &'a P) -> Q) -> Linear<Q> {
        Linear {
            weight: f(&format!("{name}.weight"), &self.weight),
            bias: self.bias.as_ref().map(|bias| f(&format!("{name}.bias"), bias)),
        }
    }

    /// Every parameter, to be changed, in the order of [`map`](Linear::map).
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut P> {
        std::iter::once(&mut self.weight).chain(&mut self.bias)
    }
}
