//! Replay: what would have come out, had one number on the tape been another?
//!
//! ```text
//! v_node ← value,   vₖ = fₖ(inputs of k)  for every k after it that depends on it,   result: v_until
//! ```
//!
//! The values are worked out aside; the tape stays as it is. On a `Tape<f64>` a replay with one entry moved to either
//! side gives a central difference, on a `Tape<Dual<f64>>` a replay with one tangent set to 1 gives the exact
//! derivative, and neither asks any vjp. So the cotangent of *every* node can be checked, not only a parameter's.

use crate::{Float, Saved, Tape, Tensor};
use smallvec::SmallVec;

impl<T: Float> Tape<T> {
    /// The value of node `until` if node `node` were `value`. What does not depend on `node` keeps its value. An op with
    /// a seed (dropout) draws what it drew before.
    ///
    /// # Panics
    /// If there are no such nodes, `value` has another shape than that of `node`, or the tape was spent by
    /// [`backward_and_free`](crate::Var::backward_and_free).
    #[track_caller]
    pub fn replay(&self, node: usize, value: Tensor<T>, until: usize) -> Tensor<T> {
        self.assert_not_freed();
        let nodes = self.nodes();
        assert!(
            node < nodes.len() && until < nodes.len(),
            "replay of {node} … {until}: {} nodes",
            nodes.len()
        );
        let shape = nodes[node].value.shape();
        assert!(value.shape() == shape, "replay: {} in the place of {shape}", value.shape());
        if until < node {
            return nodes[until].value.clone();
        }
        let mut other: Vec<Option<Tensor<T>>> = vec![None; until + 1 - node]; // the values that differ, from `node` on
        other[0] = Some(value);
        for index in node + 1..=until {
            let Some(op) = &nodes[index].op else { continue };
            let (before, rest) = other.split_at_mut(index - node);
            let other_of = |input: usize| input.checked_sub(node).and_then(|i| before[i].as_ref());
            let inputs = nodes[index].inputs.iter().map(|&input| input as usize);
            if inputs.clone().any(|input| other_of(input).is_some()) {
                let x: SmallVec<[&Tensor<T>; 4]> =
                    inputs.map(|input| other_of(input).unwrap_or(&nodes[input].value)).collect();
                rest[0] = Some(op.forward(&x, &mut Saved::new()));
            }
        }
        other[until - node].take().unwrap_or_else(|| nodes[until].value.clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dual, Float, Tape, Tensor, Var};

    /// loss = Σ dropout(tanh(x)·x + b)·x, in which x is used three times.
    fn loss<'t, T: Float>(tape: &'t Tape<T>, x: Tensor<T>) -> [Var<'t, T>; 3] {
        let x = tape.leaf(x);
        let b = tape.leaf(Tensor::full([2], T::from_f64(0.5)));
        let inner = x.tanh() * x + b;
        [x, inner, (inner.dropout(0.5, 7) * x).sum_all()]
    }

    fn numbers(shift: f64) -> Tensor<f64> {
        Tensor::from_fn([3, 2], |i| 0.3 * i as f64 - 0.7 + shift)
    }

    #[test]
    fn a_replay_from_a_leaf_is_the_whole_computation_anew_with_the_same_dropped_entries() {
        let tape = Tape::new();
        let [x, _, y] = loss(&tape, numbers(0.0));
        let other = Tape::new();
        let [_, _, expected] = loss(&other, numbers(0.25));
        let printed = tape.to_string();
        assert_eq!(tape.replay(x.index(), numbers(0.25), y.index()), expected.value());
        assert_eq!(tape.to_string(), printed, "the tape is as it was");
        assert_eq!(tape.replay(x.index(), x.value(), y.index()), y.value());
    }

    #[test]
    fn what_does_not_depend_on_the_node_keeps_its_value() {
        let tape = Tape::new();
        let [x, inner, y] = loss(&tape, numbers(0.0));
        assert_eq!(tape.replay(y.index(), Tensor::scalar(9.0), inner.index()), inner.value());
        assert_eq!(tape.replay(y.index(), Tensor::scalar(9.0), y.index()).item(), 9.0);
        let moved = tape.replay(inner.index(), Tensor::zeros([3, 2]), y.index());
        assert_eq!(moved.item(), 0.0, "only the path through `inner` counts: 0·x");
        assert_eq!(tape.replay(inner.index(), Tensor::zeros([3, 2]), x.index()), x.value());
    }

    #[test]
    fn replays_of_dual_numbers_and_of_differences_give_the_cotangent_of_every_node() {
        let tape = Tape::new();
        let [_, _, y] = loss(&tape, numbers(0.0));
        let gradients = y.backward();
        let duals = Tape::new();
        loss(&duals, numbers(0.0).cast::<Dual<f64>>());
        for node in 0..=y.index() {
            let (value, dual) = (tape.var(node).value(), duals.var(node).value());
            for entry in 0..value.numel() {
                let reverse = gradients.of(tape.var(node)).data()[entry];
                let mut seeded = dual.clone();
                seeded.data_mut()[entry].tangent = 1.0;
                let forward = duals.replay(node, seeded, y.index()).item().tangent;
                let moved = |h: f64| {
                    let mut moved = value.clone();
                    moved.data_mut()[entry] += h;
                    tape.replay(node, moved, y.index()).item()
                };
                let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((reverse - forward).abs() < 1e-14, "%{node}[{entry}]: {reverse} and {forward}");
                assert!((reverse - difference).abs() < 1e-9, "%{node}[{entry}]: {reverse} and {difference}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "this tape is spent")]
    fn a_spent_tape_is_not_replayed() {
        let tape = Tape::new();
        let [x, _, y] = loss(&tape, numbers(0.0));
        y.backward_and_free();
        tape.replay(x.index(), numbers(0.25), y.index());
    }

    #[test]
    #[should_panic(expected = "replay: [2] in the place of [3, 2]")]
    fn a_value_of_another_shape_is_refused() {
        let tape = Tape::new();
        let [x, _, y] = loss(&tape, numbers(0.0));
        tape.replay(x.index(), Tensor::zeros([2]), y.index());
    }
}
