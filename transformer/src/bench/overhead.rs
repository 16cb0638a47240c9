//! What an op costs beside its arithmetic: the one-page model's ops, each on a single number, forward and back.
//!
//! One number has next to no arithmetic. What is left is the same at every size: shapes are checked, a buffer is taken
//! from the pool and given back, the op is put on the tape, its rule is called, and contributions are added up.

use autograd::{Tape, Tensor, Var};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// One kind of op.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overhead {
    /// The op's name.
    pub op: String,
    /// How often a step of the one-page model calls it.
    pub calls: usize,
    /// Nanoseconds of one call on one number, forward and back: the median of some hundred chains.
    pub ns: f64,
}

/// Ops in a chain, each on the result of the one before.
const CHAIN: usize = 256;
const CHAINS: usize = 101;

/// Measures the ops of a tape, given by name.
pub fn measure<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Overhead> {
    let mut found: Vec<Overhead> = Vec::new();
    for name in names {
        if let Some(known) = found.iter_mut().find(|overhead| overhead.op == name) {
            known.calls += 1;
        } else if let Some(call) = on_one_number(name) {
            found.push(Overhead { op: name.to_owned(), calls: 1, ns: time(call) });
        }
    }
    found.sort_by(|a, b| (b.calls as f64 * b.ns).total_cmp(&(a.calls as f64 * a.ns)));
    found
}

/// The mean of one call, each kind as often as it is called.
pub fn mean(of: &[Overhead]) -> f64 {
    let calls: usize = of.iter().map(|overhead| overhead.calls).sum();
    of.iter().map(|overhead| overhead.calls as f64 * overhead.ns).sum::<f64>() / calls.max(1) as f64
}

/// An op on `x`, with `w` beside it where it takes two, and 0 as a mask: all `[1, 1]`, as is the result.
type Call = for<'t> fn(Var<'t, f32>, Var<'t, f32>, &Tensor<f32>) -> Var<'t, f32>;

/// The op of that name; `None` for `cross_entropy`, which ends a step and whose result has another shape.
fn on_one_number(name: &str) -> Option<Call> {
    Some(match name {
        "add" => |x, w, _| x + w,
        "affine" => |x, _, _| x.scale(0.5),
        "gather" => |x, _, _| x.gather(&[0], [1]),
        "masked_fill" => |x, _, mask| x.masked_fill(mask, f64::NEG_INFINITY),
        "matmul" => |x, w, _| x.matmul(w),
        "matmul_tb" => |x, w, _| x.matmul_tb(w),
        "permute" => |x, _, _| x.permute(&[1, 0]),
        "relu" => |x, _, _| x.relu(),
        "reshape" => |x, _, _| x.reshape([1, 1]),
        "rms_norm" => |x, _, _| x.rms_norm(None, 1e-5),
        "slice" => |x, _, _| x.slice(0, 0..1),
        "softmax" => |x, _, _| x.softmax(-1),
        _ => return None,
    })
}

/// Nanoseconds of one call.
fn time(call: Call) -> f64 {
    let (one, mask) = (Tensor::ones([1, 1]), Tensor::zeros([1, 1]));
    let mut times: Vec<f64> = (0..CHAINS)
        .map(|_| {
            let start = Instant::now();
            let tape = Tape::new();
            let (leaf, w) = (tape.leaf(one.clone()), tape.leaf(one.clone()));
            let end = (0..CHAIN).fold(leaf, |x, _| call(x, w, &mask));
            end.backward();
            drop(tape);
            start.elapsed().as_secs_f64() * 1e9 / CHAIN as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[CHAINS / 2]
}

#[cfg(test)]
mod tests {
    use super::super::micro;
    use super::*;

    #[test]
    fn every_op_of_the_one_page_model_but_the_loss_is_measured_under_its_own_name() {
        for name in micro::ops() {
            let Some(call) = on_one_number(name) else {
                assert_eq!(name, "cross_entropy", "add it to on_one_number");
                continue;
            };
            let tape = Tape::new();
            let (x, w) = (tape.leaf(Tensor::ones([1, 1])), tape.leaf(Tensor::ones([1, 1])));
            let y = call(x, w, &Tensor::zeros([1, 1]));
            assert_eq!(y.shape()[..], [1, 1], "{name}");
            let nodes = tape.nodes();
            assert_eq!(nodes.len(), 3, "{name} is one op");
            assert_eq!(nodes[2].op.as_ref().map(|op| op.name()), Some(name));
        }
    }

    #[test]
    fn a_kind_counts_as_often_as_it_is_called() {
        let found = measure(["relu", "add", "relu", "cross_entropy"]);
        let calls = |op| found.iter().find(|overhead| overhead.op == op).map(|overhead| overhead.calls);
        assert_eq!((calls("relu"), calls("add"), found.len()), (Some(2), Some(1), 2));
        assert!(found.iter().all(|overhead| overhead.ns > 0.0));
    }

    #[test]
    fn the_mean_weighs_by_calls() {
        let of = |calls, ns| Overhead { op: String::new(), calls, ns };
        assert_eq!(mean(&[of(3, 100.0), of(1, 200.0)]), 125.0);
        assert_eq!(mean(&[]), 0.0);
    }
}
