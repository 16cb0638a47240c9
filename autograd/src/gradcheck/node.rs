//! One op of a tape, checked by itself: which rule is it that is wrong?
//!
//! ```text
//! ȳ, u random:      Σ x̄ᵢ·u  by the vjp      =  Σ ȳ·(∂y/∂xᵢ·u)  by dual numbers      =  the same by differences
//! s there already:  s + x̄ᵢ                  =  what the vjp leaves behind: it adds, it does not overwrite
//! ```
//!
//! A gradient that is wrong at a parameter says that some rule on the way is wrong. A rule that is wrong at its own
//! node, at the values that it had on the tape, is that rule.

use super::{Difference, GradCheck, Verdict, difference, dot};
use crate::op::vjp_alone;
use crate::{At, Dual, Op, Saved, Shape, Tape, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cmp::Ordering;
use std::ops::Range;

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The vjp is not the derivative of the forward rule.
    Vjp,
    /// The vjp and dual numbers share a derivative that is not that of the value.
    Derivative,
    /// The vjp overwrites what has arrived at its input before, or leaves a part of it out.
    Accumulation,
    /// The forward rule gives another value for dual numbers than for plain ones.
    Value,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Fault::Vjp => "the vjp does not match the forward rule",
            Fault::Derivative => "the vjp and forward mode share a derivative that the values do not have",
            Fault::Accumulation => "the vjp does not add to the cotangent that is there: it overwrites it",
            Fault::Value => "the value is another one when it carries a derivative",
        })
    }
}

/// What the check of one op found.
#[derive(Clone, Debug)]
pub struct NodeCheck {
    /// Its number on the tape.
    pub node: usize,
    /// The input that the values below are about.
    pub input: usize,
    /// The entry of that input, one coordinate an axis; `None` for a random direction, where nothing is wrong.
    pub index: Option<Vec<usize>>,
    /// x̄·u by the vjp, for the seeded ȳ.
    pub reverse: f64,
    /// The same by dual numbers.
    pub forward: f64,
    /// The same by difference quotients.
    pub difference: f64,
    /// What is wrong, if something is.
    pub fault: Option<Fault>,
}

impl NodeCheck {
    /// The distance of reverse from forward or of forward from difference, the larger one; relative to the largest value.
    pub fn relative_error(&self) -> f64 {
        let (r, f, d) = (self.reverse, self.forward, self.difference);
        let scale = r.abs().max(f.abs()).max(d.abs());
        if scale == 0.0 { 0.0 } else { (r - f).abs().max((f - d).abs()) / scale }
    }
}

/// Checks the op of one node at the values that it had: for each of its inputs that wants a gradient, the vjp of a
/// random cotangent along a random direction, and that what it contributes is added to what is there. `duals` holds the
/// same computation as `tape`, at dual numbers. A fault is traced to an entry by halving the direction. `None` for a
/// leaf and for what needs no gradient.
///
/// # Panics
/// If there is no such node, or the tapes differ there.
#[track_caller]
pub fn check_node(tape: &Tape<f64>, duals: &Tape<Dual<f64>>, node: usize) -> Option<NodeCheck> {
    let (nodes, dual_nodes) = (tape.nodes(), duals.nodes());
    let (this, twin) = (&nodes[node], &dual_nodes[node]);
    assert_eq!(this.op_name(), twin.op_name(), "check_node: the tapes differ at node {node}");
    let (op, dual_op) = (this.op.as_deref()?, twin.op.as_deref()?);
    let x: Vec<&Tensor<f64>> = this.inputs.iter().map(|&input| &nodes[input as usize].value).collect();
    let wanted = (0..x.len()).filter(|&i| nodes[this.inputs[i] as usize].requires_gradient);

    let mut generator = ChaCha8Rng::seed_from_u64(node as u64);
    let mut random = |shape: &Shape| Tensor::from_fn(shape, |_| generator.random_range(-1.0..1.0));
    // An infinite y (a mask of −∞) has no slope.
    let dy = random(this.value.shape()).zip(&this.value, |dy, y| if y.is_finite() { dy } else { 0.0 });
    let before: Vec<Tensor<f64>> = x.iter().map(|x| random(x.shape())).collect();
    let at = At { x: &x, y: &this.value, dy: &dy, saved: &this.saved };
    let dx = vjp_alone(op, &at, vec![None; x.len()]);
    let after = vjp_alone(op, &at, before.iter().cloned().map(Some).collect());

    let same_value = {
        let y = dual_op.forward(&casts(&x).iter().collect::<Vec<_>>(), &mut Saved::new());
        near(&part(&y, |y| y.value), &this.value)
    };
    let checks = wanted.map(|input| {
        let dx = dx[input].clone().unwrap_or_else(|| Tensor::zeros(x[input].shape()));
        let rule = Rule { op, dual_op, x: &x, dy: &dy, dx: &dx, input };
        let mut u = random(x[input].shape());
        let mut found = rule.along(&u);
        let mut fault = if same_value { rule.fault(&found) } else { Some(Fault::Value) };
        let mut index = None;
        if let Some(of @ (Fault::Vjp | Fault::Derivative)) = fault {
            let entry = rule.worst_entry(&mut u, of);
            found = rule.along(&u);
            index = Some(u.index_of(entry));
        } else if let Some(entry) = overwritten(&before[input], after[input].as_ref(), &dx) {
            let left = after[input].as_ref().map_or(0.0, |after| after.data()[entry]);
            u = Tensor::from_fn(u.shape(), |i| f64::from(u8::from(i == entry)));
            found = Along { reverse: left - before[input].data()[entry], ..rule.along(&u) };
            (index, fault) = (Some(u.index_of(entry)), Some(Fault::Accumulation));
        }
        let Along { reverse, forward, difference } = found;
        NodeCheck { node, input, index, reverse, forward, difference: difference.value, fault }
    });
    checks.max_by(|a, b| {
        let badness = |check: &NodeCheck| (check.fault.is_some(), check.relative_error());
        badness(a).partial_cmp(&badness(b)).unwrap_or(Ordering::Equal)
    })
}

/// One rule: the op and its inputs, ȳ, and x̄ of one input.
struct Rule<'a> {
    op: &'a dyn Op<f64>,
    dual_op: &'a dyn Op<Dual<f64>>,
    x: &'a [&'a Tensor<f64>],
    dy: &'a Tensor<f64>,
    dx: &'a Tensor<f64>,
    input: usize,
}

/// Σ x̄·u in three ways.
struct Along {
    reverse: f64,
    forward: f64,
    difference: Difference,
}

impl Rule<'_> {
    fn along(&self, u: &Tensor<f64>) -> Along {
        let along = |t: f64| {
            let moved = self.x[self.input].zip(u, |x, u| x + t * u);
            let mut x = self.x.to_vec();
            x[self.input] = &moved;
            weighted(&self.op.forward(&x, &mut Saved::new()), self.dy)
        };
        Along { reverse: dot(self.dx, u), forward: self.forward(u), difference: difference(along) }
    }

    fn forward(&self, u: &Tensor<f64>) -> f64 {
        let mut x = casts(self.x);
        x[self.input] = Tensor::from_fn(u.shape(), |i| Dual::new(self.x[self.input].data()[i], u.data()[i]));
        let y = self.dual_op.forward(&x.iter().collect::<Vec<_>>(), &mut Saved::new());
        weighted(&part(&y, |y| y.tangent), self.dy)
    }

    fn fault(&self, found: &Along) -> Option<Fault> {
        let scale = dot(self.dx, self.dx).sqrt();
        match GradCheck::default().judge(found.reverse, found.forward, &found.difference, scale) {
            Verdict::ReverseDiffersFromForward => Some(Fault::Vjp),
            Verdict::DifferenceDiffers | Verdict::OutsideKink { .. } => Some(Fault::Derivative),
            Verdict::Agree | Verdict::DifferenceTooNoisy | Verdict::Kink { .. } => None,
        }
    }

    /// Halves the direction u, keeping the half along which the values are further apart, until one entry is left: 1
    /// there, and 0 elsewhere.
    fn worst_entry(&self, u: &mut Tensor<f64>, fault: Fault) -> usize {
        let within = |range: &Range<usize>, u: &Tensor<f64>| {
            Tensor::from_fn(u.shape(), |i| if range.contains(&i) { u.data()[i] } else { 0.0 })
        };
        let apart = |range: &Range<usize>| {
            let u = within(range, u);
            match fault {
                Fault::Derivative => {
                    let found = self.along(&u);
                    (found.forward - found.difference.value).abs()
                }
                _ => (dot(self.dx, &u) - self.forward(&u)).abs(),
            }
        };
        let mut range = 0..u.numel();
        while range.len() > 1 {
            let middle = range.start + range.len() / 2;
            let halves = [range.start..middle, middle..range.end];
            range =
                if apart(&halves[0]) >= apart(&halves[1]) { halves[0].clone() } else { halves[1].clone() };
        }
        *u = Tensor::from_fn(u.shape(), |i| f64::from(u8::from(i == range.start)));
        range.start
    }
}

/// Where what is left behind is not what was there before plus x̄, most of all.
fn overwritten(before: &Tensor<f64>, after: Option<&Tensor<f64>>, dx: &Tensor<f64>) -> Option<usize> {
    let nothing = Tensor::zeros(before.shape());
    let (before, after, dx) = (before.data(), after.unwrap_or(&nothing).data(), dx.data());
    let scale = dx.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    let off = |i: usize| (after[i] - before[i] - dx[i]).abs();
    let worst = (0..dx.len()).max_by(|&a, &b| off(a).total_cmp(&off(b)))?;
    (off(worst) > 1e-12 * scale || off(worst).is_nan()).then_some(worst)
}

fn casts(x: &[&Tensor<f64>]) -> Vec<Tensor<Dual<f64>>> {
    x.iter().map(|x| x.cast()).collect()
}

/// Σ ȳ·y over the entries that count: where ȳ is 0, y may be infinite.
fn weighted(y: &Tensor<f64>, dy: &Tensor<f64>) -> f64 {
    y.data().iter().zip(dy.data()).map(|(y, dy)| if *dy == 0.0 { 0.0 } else { y * dy }).sum()
}

fn near(a: &Tensor<f64>, b: &Tensor<f64>) -> bool {
    let scale = b.data().iter().filter(|b| b.is_finite()).fold(1.0, |most: f64, b| most.max(b.abs()));
    let same = |(a, b): (&f64, &f64)| a == b || (a - b).abs() <= 1e-12 * scale || (a.is_nan() && b.is_nan());
    a.shape() == b.shape() && a.data().iter().zip(b.data()).all(same)
}

/// The values of dual numbers, or their tangents.
fn part(y: &Tensor<Dual<f64>>, of: impl Fn(Dual<f64>) -> f64) -> Tensor<f64> {
    Tensor::from_fn(y.shape(), |i| of(y.data()[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cotangents, Float, Var};

    /// An op with a vjp that is wrong in one way.
    struct Wrong<T: Float>(Box<dyn Op<T>>, Fault);

    impl<T: Float> Op<T> for Wrong<T> {
        fn name(&self) -> &'static str {
            self.0.name()
        }
        fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
            let y = self.0.forward(x, saved);
            match self.1 {
                Fault::Value if size_of::<T>() == size_of::<f64>() => y.map(|y| y + T::from_f64(1e-6)),
                Fault::Derivative => y.map(|y| T::from_f64(y.to_f64())),
                _ => y,
            }
        }
        fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
            let mut wrong =
                vjp_alone(&*self.0, at, vec![None; at.x.len()]).swap_remove(0).expect("one input");
            match self.1 {
                Fault::Vjp => wrong.data_mut()[4] += T::from_f64(1e-6),
                Fault::Accumulation => {
                    let so_far = dx.so_far(0).cloned().unwrap_or_else(|| Tensor::zeros(wrong.shape()));
                    wrong = wrong.zip(&so_far, |dx, so_far| dx - so_far);
                }
                Fault::Derivative => wrong = Tensor::zeros(wrong.shape()),
                Fault::Value => {}
            }
            dx.add(0, || wrong);
        }
    }

    fn found(fault: Option<Fault>) -> NodeCheck {
        fn taped<T: Float>(fault: Option<Fault>, tape: &Tape<T>) {
            if let Some(fault) = fault {
                tape.intercept(move |op, _| Box::new(Wrong(op, fault)));
            }
            let x = Tensor::from_fn([2, 3], |i| T::from_f64((1.3 * i as f64).sin()));
            let _: Var<T> = tape.leaf(x).tanh();
        }
        let (tape, duals) = (Tape::new(), Tape::new());
        taped(fault, &tape);
        taped(fault, &duals);
        check_node(&tape, &duals, 1).expect("an op whose input wants a gradient")
    }

    #[test]
    fn a_right_op_passes_and_a_leaf_has_nothing_to_check() {
        let check = found(None);
        assert!(check.fault.is_none() && check.relative_error() < 1e-8, "{check:?}");
        let (tape, duals) = (Tape::new(), Tape::new());
        tape.leaf(Tensor::scalar(1.0));
        duals.leaf(Tensor::scalar(Dual::new(1.0, 0.0)));
        assert!(check_node(&tape, &duals, 0).is_none());
    }

    #[test]
    fn each_fault_is_told_from_the_others() {
        for fault in [Fault::Vjp, Fault::Derivative, Fault::Accumulation, Fault::Value] {
            assert_eq!(found(Some(fault)).fault, Some(fault));
        }
    }

    #[test]
    fn one_wrong_entry_is_found_by_halving() {
        let check = found(Some(Fault::Vjp));
        assert_eq!(check.index, Some(vec![1, 1]));
        assert!((check.reverse - check.forward).abs() > 1e-7 * check.forward.abs(), "{check:?}");
    }
}
