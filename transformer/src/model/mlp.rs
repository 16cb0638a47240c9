//! The MLP: what each token makes of what it has heard, by itself.
//!
//! ```text
//! y = gelu(x·W_up + b_up)·W_down + b_down
//! ```

use super::{Linear, Pass};
use autograd::{Float, Var};

/// Two linear layers, four times as wide in the middle, and a gelu between them.
pub struct Mlp<P> {
    /// `[d, 4d]`
    pub up: Linear<P>,
    /// `[4d, d]`
    pub down: Linear<P>,
}

impl<'t, T: Float> Mlp<Var<'t, T>> {
    /// `[b, n, d] → [b, n, d]`
    pub fn forward(&self, x: Var<'t, T>, pass: &Pass) -> Var<'t, T> {
        let _scope = x.tape().scope("mlp");
        let hidden = self.up.forward_gelu(x, pass).axes("b n 4d");
        pass.dropout(self.down.forward(hidden, pass).axes("b n d"))
    }
}

impl<P> Mlp<P> {
    /// The same layer with `f(name, parameter)` in the place of each parameter.
    pub fn map<'a, Q>(&'a self, name: &str, f: &mut impl FnMut(&str, &'a P) -> Q) -> Mlp<Q> {
        Mlp { up: self.up.map(&format!("{name}.c_fc"), f), down: self.down.map(&format!("{name}.c_proj"), f) }
    }

    /// Every parameter, to be changed, in the order of [`map`](Mlp::map).
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.up.parameters_mut().chain(self.down.parameters_mut())
    }
}
