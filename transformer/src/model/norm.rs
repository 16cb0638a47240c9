//! Norms: every vector brought to one size, then scaled (and shifted) entry by entry.
//!
//! ```text
//! layer norm   y = (x − mean(x))/√(variance(x) + ε)·w + b          Ba et al. 2016
//! RMS norm     y = x/√(mean(x²) + ε)·w                             Zhang & Sennrich 2019
//! ```

use super::{NormKind, Pass};
use autograd::{Float, Var};

/// A norm over the last axis.
pub struct Norm<P> {
    /// w `[d]`
    pub weight: P,
    /// b `[d]`
    pub bias: Option<P>,
    /// Layer norm or RMS norm.
    pub kind: NormKind,
    /// ε
    pub eps: f64,
}

impl<'t, T: Float> Norm<Var<'t, T>> {
    /// `[b, n, d] → [b, n, d]`
    pub fn forward(&self, x: Var<'t, T>, pass: &Pass) -> Var<'t, T> {
        let _scope = x.tape().scope("norm");
        match (self.kind, pass.textbook) {
            (NormKind::Layer, true) => x.layer_norm_textbook(self.weight, self.bias, self.eps),
            (NormKind::Layer, false) => x.layer_norm(self.weight, self.bias, self.eps),
            (NormKind::Rms, true) => x.rms_norm_textbook(Some(self.weight), self.eps),
            (NormKind::Rms, false) => x.rms_norm(Some(self.weight), self.eps),
        }
    }
}

impl<P> Norm<P> {
    /// The same layer with `f(name, parameter)` in the place of each parameter.
    pub fn map<'a, Q>(&'a self, name: &str, f: &mut impl FnMut(&str, &'a P) -> Q) -> Norm<Q> {
        Norm {
            weight: f(&format!("{name}.weight"), &self.weight),
            bias: self.bias.as_ref().map(|bias| f(&format!("{name}.bias"), bias)),
            kind: self.kind,
            eps: self.eps,
        }
    }

    /// Every parameter, to be changed, in the order of [`map`](Norm::map).
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut P> {
        std::iter::once(&mut self.weight).chain(&mut self.bias)
    }
}
