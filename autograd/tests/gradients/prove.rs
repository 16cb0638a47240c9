//! What is proven of every op, and how a failure is told.

use autograd::gradcheck::{Function, Report, Verdict, check_second_order, gradcheck};
use autograd::{Float, Gradients, Shape, Tape, Tensor, Var};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseResult, TestRunner};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Debug;

/// A function that knows what the textbook says about its value.
pub trait Textbook: Function + Debug {
    /// y = f(x) from the definition, by loops and indices: none of the crate's own arithmetic on tensors.
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64>;
}

/// Draws `cases` random cases, the same ones in every run, and shrinks the first that refutes the claim.
#[track_caller]
pub fn for_all<S: Strategy>(cases: u32, drawn: S, claim: impl Fn(S::Value) -> TestCaseResult) {
    let config = Config {
        cases: CASES_AT_MOST.get().min(cases),
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    if let Err(refuted) = TestRunner::new(config).run(&drawn, claim) {
        panic!("{refuted}");
    }
}

/// Reverse, forward and difference agree in every entry of every input, with no kink and no noise; and where the
/// function is used twice on one tape, its inputs collect both contributions.
pub fn three_ways_agree(f: &(impl Function + Debug), x: &[Tensor<f64>]) -> TestCaseResult {
    let names = ["x0", "x1", "x2", "x3"];
    let named: Vec<_> = names.into_iter().zip(x.iter().cloned()).collect();
    let report = checked(f, &named);
    let doubtful: Vec<String> = report
        .entries
        .iter()
        .filter(|entry| entry.verdict != Verdict::Agree)
        .map(|entry| entry.to_string())
        .collect();
    prop_assert!(doubtful.is_empty(), "{} of {}:\n{}", name(f), shapes(x), doubtful.join("\n"));
    used_twice_the_gradient_doubles(f, x)
}

/// y = f(x) + f(x), each side computed anew from the same x, has twice the gradient.
fn used_twice_the_gradient_doubles(f: &(impl Function + Debug), x: &[Tensor<f64>]) -> TestCaseResult {
    let once = value_and_gradients(f, x);
    let tape = Tape::new();
    let leaves: Vec<Var<f64>> = x.iter().map(|x| tape.leaf(x.clone())).collect();
    let y = f.call(&leaves) + f.call(&leaves);
    let gradients = y.backward_from(weighting(&y.shape()));
    for (i, (leaf, once)) in leaves.iter().zip(&once[1..]).enumerate() {
        let claim = format!("{} of {} used twice, gradient of x{i}", name(f), shapes(x));
        near(&of_input(&gradients, *leaf), &once.map(|once| 2.0 * once), 1e-13, &claim)?;
    }
    Ok(())
}

/// What the gradient check finds; notes which ops it was about.
pub fn checked(f: &impl Function, x: &[(&str, Tensor<f64>)]) -> Report {
    gradcheck(&Recorded(f), x)
}

/// The value is what the textbook computes.
pub fn the_value_is(f: &impl Textbook, x: &[Tensor<f64>]) -> TestCaseResult {
    let tape = Tape::new();
    let vars: Vec<Var<f64>> = x.iter().map(|x| tape.constant(x.clone())).collect();
    near(&f.call(&vars).value(), &f.textbook(x), 1e-12, &format!("{} of {}", name(f), shapes(x)))
}

/// The value is what the textbook computes, to 12 digits of `size`: where large numbers cancel, what is left is small.
pub fn the_value_is_to_12_digits_of(size: f64, f: &impl Textbook, x: &[Tensor<f64>]) -> TestCaseResult {
    let value = value_and_gradients(f, x)[0].map(|y| y / size);
    near(&value, &f.textbook(x).map(|y| y / size), 1e-12, &format!("{} of {}", name(f), shapes(x)))
}

/// The largest entry of all, or 1.
pub fn largest(x: &[Tensor<f64>]) -> f64 {
    x.iter().flat_map(|x| x.data()).fold(1.0, |largest, x| x.abs().max(largest))
}

/// The value and the gradients at f32 are those at f64, but for rounding.
pub fn f32_agrees_with_f64(f: &(impl Function + Debug), x: &[Tensor<f64>]) -> TestCaseResult {
    let narrow: Vec<Tensor<f32>> = x.iter().map(Tensor::cast).collect();
    let wide: Vec<Tensor<f64>> = narrow.iter().map(Tensor::cast).collect();
    let (narrow, wide) = (value_and_gradients(f, &narrow), value_and_gradients(f, &wide));
    for (i, (narrow, wide)) in narrow.iter().zip(&wide).enumerate() {
        near(&narrow.cast(), wide, 1e-5, &format!("{} of {} at f32, {}", name(f), shapes(x), what(i)))?;
    }
    Ok(())
}

/// The Hessian is symmetric, and its products are the differences of gradients.
pub fn second_order_agrees(f: &(impl Function + Debug), x: &[Tensor<f64>]) -> TestCaseResult {
    let found = check_second_order(f, x, 7);
    prop_assert!(found.ok(), "the Hessian of {} of {}: {found:?}", name(f), shapes(x));
    Ok(())
}

/// Two ways to write a function have the same value and the same gradients, at f64 and at f32.
pub fn are_equal(
    fast: &(impl Function + Debug),
    textbook: &(impl Function + Debug),
    x: &[Tensor<f64>],
) -> TestCaseResult {
    let claim = |i: usize| format!("{} and {} of {}, {}", name(fast), name(textbook), shapes(x), what(i));
    let pairs = value_and_gradients(fast, x).into_iter().zip(value_and_gradients(textbook, x));
    for (i, (fast, textbook)) in pairs.enumerate() {
        near(&fast, &textbook, 1e-11, &claim(i))?;
    }
    let x: Vec<Tensor<f32>> = x.iter().map(Tensor::cast).collect();
    let pairs = value_and_gradients(fast, &x).into_iter().zip(value_and_gradients(textbook, &x));
    for (i, (fast, textbook)) in pairs.enumerate() {
        near(&fast.cast(), &textbook.cast(), 1e-4, &format!("{} at f32", claim(i)))?;
    }
    Ok(())
}

/// y, and the gradient of Σᵢ cos(i)·yᵢ with respect to each input.
pub fn value_and_gradients<T: Float>(f: &impl Function, x: &[Tensor<T>]) -> Vec<Tensor<T>> {
    let tape = Tape::new();
    let leaves: Vec<Var<T>> = x.iter().map(|x| tape.leaf(x.clone())).collect();
    let y = f.call(&leaves);
    let gradients = y.backward_from(weighting(&y.shape()));
    [y.value()].into_iter().chain(leaves.iter().map(|x| of_input(&gradients, *x))).collect()
}

/// The gradient of an input; zeros for one that the result does not depend on.
fn of_input<T: Float>(gradients: &Gradients<T>, x: Var<T>) -> Tensor<T> {
    gradients.get(x).cloned().unwrap_or_else(|| Tensor::zeros(x.shape()))
}

/// The weights cos(i) of the entries of y.
pub fn weighting<T: Float>(y: &Shape) -> Tensor<T> {
    Tensor::from_fn(y, |i| T::from_f64((i as f64).cos()))
}

/// |found − expected| ≤ tolerance·(1 + the largest expected entry), shapes equal, NaN only where expected.
pub fn near(found: &Tensor<f64>, expected: &Tensor<f64>, tolerance: f64, claim: &str) -> TestCaseResult {
    prop_assert!(
        found.shape() == expected.shape(),
        "{claim}: shape {} should be {}",
        found.shape(),
        expected.shape()
    );
    let finite = expected.data().iter().filter(|y| y.is_finite());
    let scale = finite.fold(1.0, |largest: f64, y| largest.max(y.abs()));
    for (i, (&found_i, &expected_i)) in found.data().iter().zip(expected.data()).enumerate() {
        let same = found_i == expected_i || (found_i.is_nan() && expected_i.is_nan());
        let close = same || (found_i - expected_i).abs() <= tolerance * scale;
        prop_assert!(
            close,
            "{claim}: entry {:?} is {found_i:e}, should be {expected_i:e}",
            found.index_of(i)
        );
    }
    Ok(())
}

fn what(i: usize) -> String {
    if i == 0 { "value".to_owned() } else { format!("gradient of x{}", i - 1) }
}

/// The function as Rust writes it, on one line.
fn name(f: &impl Debug) -> String {
    format!("{f:?}")
}

fn shapes(x: &[Tensor<f64>]) -> String {
    x.iter().map(|x| x.shape().to_string()).collect::<Vec<_>>().join(", ")
}

thread_local! {
    static CASES_AT_MOST: Cell<u32> = const { Cell::new(u32::MAX) };
    static SEEN: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// Runs a property test on a few cases and returns the names of the ops whose gradient it really checked:
/// those that stood on a tape of `gradcheck` with an input whose gradient was wanted.
pub fn ops_checked_by(property: fn()) -> BTreeSet<&'static str> {
    SEEN.take();
    CASES_AT_MOST.set(32);
    property();
    CASES_AT_MOST.set(u32::MAX);
    SEEN.take()
}

/// [`value_and_gradients`] of a function whose ops count as checked: by the caller.
pub fn checked_value_and_gradients<T: Float>(f: &impl Function, x: &[Tensor<T>]) -> Vec<Tensor<T>> {
    value_and_gradients(&Recorded(f), x)
}

/// The same function, noting the ops that it puts on the tape.
struct Recorded<'f, F>(&'f F);

impl<F: Function> Function for Recorded<'_, F> {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let y = self.0.call(x);
        let nodes = y.tape().nodes();
        let wanted = |input: &u32| nodes[*input as usize].requires_gradient;
        let checked = nodes.iter().filter(|node| node.inputs.iter().any(wanted));
        SEEN.with_borrow_mut(|seen| seen.extend(checked.map(|node| node.op_name())));
        y
    }
}
