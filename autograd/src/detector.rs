//! The non-finite detector: which op was the first to return a number that is infinite or NaN?
//!
//! Blame falls on a *forward* value. A NaN that is first noticed in a gradient, or in the loss, was usually
//! born long before, and the line where it was noticed says nothing about why.

use crate::{Float, Tape};
use std::fmt;

/// An op that returned a number that is infinite or NaN, from inputs that were all finite.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// The node's number on the tape.
    pub node: usize,
    /// The op's name; `leaf` if the number came from outside.
    pub op: String,
    /// The part of the model, or the leaf's name.
    pub scope: String,
    /// The shapes of the inputs and of the output: `[2, 3], [3] → [2, 3]`.
    pub shapes: String,
    /// The index of the first such entry, one coordinate an axis.
    pub index: Vec<usize>,
    /// The number: inf, -inf or NaN.
    pub value: f64,
    /// File, line and column of the call.
    pub location: String,
}

impl<T: Float> Tape<T> {
    /// Whether to panic, at the caller's line, as soon as an op returns a number that is infinite or NaN.
    /// Without it, [`first_non_finite`](Tape::first_non_finite) finds that op afterwards.
    pub fn stop_at_non_finite(&self, stop: bool) {
        self.stop_at_non_finite.set(stop);
    }

    /// The first op on the tape whose value is not finite, if there is one. Infinities that an op is asked to
    /// write (a mask of −∞) do not count.
    pub fn first_non_finite(&self) -> Option<NonFinite> {
        let len = self.nodes().len();
        (0..len).find_map(|index| self.non_finite_at(index))
    }

    pub(crate) fn non_finite_at(&self, index: usize) -> Option<NonFinite> {
        let nodes = self.nodes();
        let node = &nodes[index];
        let meant = node.op.as_ref().is_some_and(|op| op.means_infinity());
        let bad = |x: &T| if meant { x.to_f64().is_nan() } else { !x.is_finite() };
        let entry = node.value.data().iter().position(bad)?;
        let inputs: Vec<String> =
            node.inputs.iter().map(|&input| nodes[input as usize].value.shape().to_string()).collect();
        let arrow = if inputs.is_empty() { "" } else { " → " };
        let scope = if node.name.is_empty() { self.scope_name(node.scope) } else { node.name.clone() };
        Some(NonFinite {
            node: index,
            op: node.op_name().to_owned(),
            scope,
            shapes: format!("{}{arrow}{}", inputs.join(", "), node.value.shape()),
            index: node.value.index_of(entry),
            value: node.value.data()[entry].to_f64(),
            location: node.location.to_string(),
        })
    }
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NonFinite { node, op, scope, shapes, index, value, location } = self;
        let scope = if scope.is_empty() { String::new() } else { format!(" in {scope}") };
        write!(f, "the first value that is not finite: {op}{scope} ({shapes}), node %{node}, ")?;
        write!(f, "gives {value} at {index:?}; called at {location}")
    }
}
