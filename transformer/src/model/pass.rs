//! How a forward pass is run: by the fused ops or the textbook's, with dropout or without.

use autograd::{Float, Var};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;

/// One forward pass through a model.
pub struct Pass {
    /// Run the textbook's composition of primitives instead of the fused ops: slower, and every step visible.
    pub textbook: bool,
    dropout: Option<(f64, RefCell<ChaCha8Rng>)>,
}

impl Pass {
    /// Without dropout: to evaluate, to sample, to check.
    pub fn evaluation() -> Self {
        Pass { textbook: false, dropout: None }
    }

    /// With dropout, its masks drawn from `generator`.
    pub fn training(dropout: f64, generator: ChaCha8Rng) -> Self {
        Pass { textbook: false, dropout: (dropout > 0.0).then(|| (dropout, RefCell::new(generator))) }
    }

    /// The same pass by the textbook's ops.
    pub fn textbook(self) -> Self {
        Pass { textbook: true, ..self }
    }

    /// Whether activations are dropped in this pass.
    pub fn drops(&self) -> bool {
        self.dropout.is_some()
    }

    /// x with some entries dropped, if this is a training pass with dropout.
    #[track_caller]
    pub fn dropout<'t, T: Float>(&self, x: Var<'t, T>) -> Var<'t, T> {
        match &self.dropout {
            None => x,
            Some((p, generator)) => x.dropout(*p, generator.borrow_mut().next_u64()),
        }
    }
}
