//! One layer of the Transformer: tokens talk, then each thinks; both add to what runs through.

use super::{Attention, Mlp, Norm, Pass};
use autograd::{Float, Var};

/// A pre-norm block: `[b, n, d] → [b, n, d]`, N of them in a row.
pub struct Block<P> {
    /// Before the attention.
    pub norm_1: Norm<P>,
    /// Tokens talk.
    pub attention: Attention<P>,
    /// Before the MLP.
    pub norm_2: Norm<P>,
    /// Each thinks.
    pub mlp: Mlp<P>,
}

impl<'t, T: Float> Block<Var<'t, T>> {
    /// `[b, n, d] → [b, n, d]`
    pub fn forward(&self, x: Var<'t, T>, pass: &Pass) -> Var<'t, T> {
        let x = x + self.attention.forward(self.norm_1.forward(x, pass), pass);
        x + self.mlp.forward(self.norm_2.forward(x, pass), pass)
    }
}

impl<P> Block<P> {
    /// The same layer with `f(name, parameter)` in the place of each parameter.
    pub fn map<'a, Q>(&'a self, name: &str, f: &mut impl FnMut(&str, &'a P) -> Q) -> Block<Q> {
        Block {
            norm_1: self.norm_1.map(&format!("{name}.ln_1"), f),
            attention: self.attention.map(&format!("{name}.attn"), f),
            norm_2: self.norm_2.map(&format!("{name}.ln_2"), f),
            mlp: self.mlp.map(&format!("{name}.mlp"), f),
        }
    }

    /// Every parameter, to be changed, in the order of [`map`](Block::map).
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut P> {
        let (before, after) = (self.norm_1.parameters_mut(), self.norm_2.parameters_mut());
        before.chain(self.attention.parameters_mut()).chain(after).chain(self.mlp.parameters_mut())
    }
}
