//! Layer norm: every vector brought to mean 0 and variance 1, then scaled and shifted entry by entry.

use super::Pass;
use autograd::{Float, Var};

/// y = (x − mean)/√(variance + ε)·w + b
pub struct LayerNorm<P> {
    /// w `[d]`
    pub weight: P,
    /// b `[d]`
    pub bias: Option<P>,
}

impl LayerNorm<()> {
    /// ε, added to the variance: GPT-2's.
    pub const EPS: f64 = 1e-5;
}

impl<'t, T: Float> LayerNorm<Var<'t, T>> {
    /// `[b, n, d] → [b, n, d]`
    pub fn forward(&self, x: Var<'t, T>, pass: &Pass) -> Var<'t, T> {
        let _scope = x.tape().scope("norm");
        match pass.textbook {
            true => x.layer_norm_textbook(self.weight, self.bias, LayerNorm::EPS),
            false => x.layer_norm(self.weight, self.bias, LayerNorm::EPS),
        }
    }
}

impl<P> LayerNorm<P> {
    /// The same layer with `f(name, parameter)` in the place of each parameter.
    pub fn map<'a, Q>(&'a self, name: &str, f: &mut impl FnMut(&str, &'a P) -> Q) -> LayerNorm<Q> {
        LayerNorm {
            weight: f(&format!("{name}.weight"), &self.weight),
            bias: self.bias.as_ref().map(|bias| f(&format!("{name}.bias"), bias)),
        }
    }

    /// Every parameter, to be changed, in the order of [`map`](LayerNorm::map).
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut P> {
        std::iter::once(&mut self.weight).chain(&mut self.bias)
    }
}
