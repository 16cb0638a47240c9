//! `Gradients`: what a walk back returns, by node.

use crate::{Float, Tensor, Var};

/// The cotangents that one walk back has found. They belong to that walk alone: there is nothing to zero.
pub struct Gradients<T: Float> {
    tape: u64,
    by_node: Vec<Option<Tensor<T>>>,
}

impl<T: Float> Gradients<T> {
    pub(crate) fn new(tape: u64, by_node: Vec<Option<Tensor<T>>>) -> Self {
        Gradients { tape, by_node }
    }

    /// ∂loss/∂x, in the shape of x; `None` if the loss was not computed from x.
    ///
    /// # Panics
    /// If x lives on another tape than the loss.
    #[track_caller]
    pub fn get(&self, x: Var<'_, T>) -> Option<&Tensor<T>> {
        assert_eq!(x.tape().id, self.tape, "these gradients belong to another tape");
        self.by_node.get(x.index())?.as_ref()
    }

    /// ∂loss/∂x, in the shape of x.
    ///
    /// # Panics
    /// If the loss was not computed from x, naming x: a gradient that is silently missing is a bug.
    #[track_caller]
    pub fn of(&self, x: Var<'_, T>) -> &Tensor<T> {
        let Some(gradient) = self.get(x) else { panic!("{}", missing(x)) };
        gradient
    }

    /// As [`get`](Gradients::get), giving the gradient away.
    ///
    /// # Panics
    /// If x lives on another tape than the loss.
    #[track_caller]
    pub fn take(&mut self, x: Var<'_, T>) -> Option<Tensor<T>> {
        assert_eq!(x.tape().id, self.tape, "these gradients belong to another tape");
        self.by_node.get_mut(x.index())?.take()
    }
}

fn missing<T: Float>(x: Var<'_, T>) -> String {
    let nodes = x.tape().nodes();
    let node = &nodes[x.index()];
    let name = if node.name.is_empty() { format!("%{}", x.index()) } else { node.name.clone() };
    let why = if node.requires_gradient {
        "the loss was not computed from it"
    } else {
        "it is a constant, or was computed under no_grad or after detach"
    };
    format!(
        "no gradient for {name} ({} {}, made at {}): {why}",
        node.op_name(),
        node.value.shape(),
        node.location
    )
}
