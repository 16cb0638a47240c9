//! The MLP: what each token makes of what it has heard, by itself.
//!
//! ```text
//! y = f(x·W_up + b_up)·W_down + b_down                  f is gelu, or another function of one number
//! y = (silu(x·W_gate) ⊙ (x·W_up))·W_down                SwiGLU: a gate says how much of each number passes
//! ```
//!
//! Shazeer 2020, "GLU variants improve Transformer".

use super::{Activation, Linear, Pass};
use autograd::{Float, Var};

/// Linear layers, wider in the middle, and an activation between them.
pub struct Mlp<P> {
    /// `[d, n_inner]`; n_inner is 4d in GPT-2
    pub up: Linear<P>,
    /// SwiGLU's gate: as `up`.
    pub gate: Option<Linear<P>>,
    /// `[n_inner, d]`
    pub down: Linear<P>,
    /// The function between them; of the gate, if there is one.
    pub activation: Activation,
}

impl<'t, T: Float> Mlp<Var<'t, T>> {
    /// `[b, n, d] → [b, n, d]`
    pub fn forward(&self, x: Var<'t, T>, pass: &Pass) -> Var<'t, T> {
        let _scope = x.tape().scope("mlp");
        let hidden = match (&self.gate, self.activation) {
            (None, Activation::Gelu) => self.up.forward_gelu(x, pass),
            (None, f) => f.of(self.up.forward(x, pass).axes("b n 4d")),
            (Some(gate), f) => {
                f.of(gate.forward(x, pass).axes("b n 4d")).axes("b n 4d")
                    * self.up.forward(x, pass).axes("b n 4d")
            }
        };
        pass.dropout(self.down.forward(hidden.axes("b n 4d"), pass).axes("b n d"))
    }
}

impl<P> Mlp<P> {
    /// The same layer with `f(name, parameter)` in the place of each parameter.
    pub fn map<'a, Q>(&'a self, name: &str, f: &mut impl FnMut(&str, &'a P) -> Q) -> Mlp<Q> {
        Mlp {
            up: self.up.map(&format!("{name}.c_fc"), f),
            gate: self.gate.as_ref().map(|gate| gate.map(&format!("{name}.c_gate"), f)),
            down: self.down.map(&format!("{name}.c_proj"), f),
            activation: self.activation,
        }
    }

    /// Every parameter, to be changed, in the order of [`map`](Mlp::map).
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut P> {
        let gate = self.gate.iter_mut().flat_map(Linear::parameters_mut);
        self.up.parameters_mut().chain(gate).chain(self.down.parameters_mut())
    }
}
