//! The four operations, with broadcasting, and powers.

use crate::draw::{away_from_zero, large_and_tiny, ordinary, pair, positive, tensor};
use crate::prove::{
    Textbook, f32_agrees_with_f64, for_all, near, second_order_agrees, the_value_is, three_ways_agree,
    value_and_gradients,
};
use autograd::gradcheck::Function;
use autograd::{Float, Tensor, Var};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Binary {
    Add,
    Sub,
    Mul,
    Div,
}

const BINARY: [Binary; 4] = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div];

impl Function for Binary {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        match self {
            Binary::Add => x[0] + x[1],
            Binary::Sub => x[0] - x[1],
            Binary::Mul => x[0] * x[1],
            Binary::Div => x[0] / x[1],
        }
    }
}

impl Textbook for Binary {
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        entry_by_entry(x, |x| match self {
            Binary::Add => x[0] + x[1],
            Binary::Sub => x[0] - x[1],
            Binary::Mul => x[0] * x[1],
            Binary::Div => x[0] / x[1],
        })
    }
}

/// f of the entries that NumPy's rule brings together: aligned at the last axis, size 1 repeated.
pub fn entry_by_entry(x: &[Tensor<f64>], f: impl Fn(&[f64]) -> f64) -> Tensor<f64> {
    let rank = x.iter().map(|x| x.shape().len()).max().unwrap_or(0);
    let size = |x: &Tensor<f64>, from_end: usize| x.shape().iter().rev().nth(from_end).copied().unwrap_or(1);
    let common = |from_end: usize| x.iter().map(|x| size(x, from_end)).find(|&size| size != 1).unwrap_or(1);
    let shape: Vec<usize> = (0..rank).rev().map(common).collect();
    let y = Tensor::<f64>::zeros(&shape[..]);
    Tensor::from_fn(&shape[..], |i| {
        let index = y.index_of(i);
        let entry = |x: &Tensor<f64>| {
            let own = &index[rank - x.shape().len()..];
            x.at(&own.iter().zip(&x.shape()[..]).map(|(i, size)| i % size).collect::<Vec<_>>())
        };
        f(&x.iter().map(entry).collect::<Vec<_>>())
    })
}

fn operands() -> impl Strategy<Value = Vec<Tensor<f64>>> {
    pair(ordinary(), away_from_zero())
}

#[test]
pub fn sums_differences_products_and_quotients_have_the_right_gradient_however_they_broadcast() {
    for op in BINARY {
        for_all(32, operands(), |x| three_ways_agree(&op, &x));
    }
}

#[test]
fn sums_differences_products_and_quotients_are_taken_entry_by_entry() {
    for op in BINARY {
        for_all(64, operands(), |x| the_value_is(&op, &x));
    }
}

#[test]
fn sums_differences_and_products_of_large_and_tiny_numbers_keep_value_and_gradient() {
    for op in BINARY.into_iter().filter(|op| *op != Binary::Div) {
        for_all(32, pair(large_and_tiny(), large_and_tiny()), |x| {
            the_value_is(&op, &x)?;
            f32_agrees_with_f64(&op, &x)?;
            three_ways_agree(&op, &x)
        });
    }
}

#[test]
fn the_four_operations_at_f32_are_those_at_f64() {
    for op in BINARY {
        for_all(64, operands(), |x| f32_agrees_with_f64(&op, &x));
    }
}

#[test]
fn the_four_operations_have_the_right_second_derivatives() {
    for op in BINARY {
        for_all(16, operands(), |x| second_order_agrees(&op, &x));
    }
}

/// x∘x: both contributions arrive at the same node.
#[derive(Debug)]
struct WithItself(Binary);

impl Function for WithItself {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        self.0.call(&[x[0], x[0]])
    }
}

#[test]
fn a_number_combined_with_itself_collects_both_contributions() {
    for op in BINARY {
        for_all(16, tensor(away_from_zero()), |x| three_ways_agree(&WithItself(op), &[x]));
    }
}

/// x∘x with one of the two sides transposed, so that they broadcast against each other.
#[derive(Debug)]
struct WithItsTranspose(Binary);

impl Function for WithItsTranspose {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        self.0.call(&[x[0].unsqueeze(0), x[0].unsqueeze(1)])
    }
}

#[test]
fn a_number_that_broadcasts_against_itself_collects_every_contribution() {
    for op in BINARY {
        for_all(8, tensor(away_from_zero()).prop_filter("has an axis", |x| !x.shape().is_empty()), |x| {
            three_ways_agree(&WithItsTranspose(op), &[x])
        });
    }
}

/// c∘x or x∘c for a constant tensor c.
#[derive(Debug)]
struct BesideAConstant {
    op: Binary,
    constant: Tensor<f64>,
    constant_first: bool,
}

impl Function for BesideAConstant {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let c = x[0].tape().constant(self.constant.cast());
        self.op.call(&if self.constant_first { [c, x[0]] } else { [x[0], c] })
    }
}

#[test]
fn a_constant_on_either_side_leaves_the_other_sides_gradient_right() {
    for op in BINARY {
        for_all(16, (pair(away_from_zero(), away_from_zero()), any::<bool>()), |(x, constant_first)| {
            three_ways_agree(&BesideAConstant { op, constant: x[0].clone(), constant_first }, &x[1..])
        });
    }
}

#[test]
fn a_quotient_of_huge_and_tiny_numbers_keeps_its_relative_precision() {
    for (a, b) in [(1e4, 1e-4), (1e-4, 1e4), (-1e150, 1e-150), (3.0, -1e100)] {
        let [_, da, db] = &value_and_gradients(&Binary::Div, &[a, b].map(Tensor::<f64>::scalar))[..] else {
            unreachable!("one value, two gradients")
        };
        approx::assert_relative_eq!(da.item(), 1.0 / b, max_relative = 1e-14);
        approx::assert_relative_eq!(db.item(), -(a / b) / b, max_relative = 1e-14);
    }
}

#[derive(Clone, Copy, Debug)]
enum Unary {
    Neg,
    Scale(f64),
    Affine { scale: f64, shift: f64 },
    Powi(i32),
    Powf(f64),
}

impl Function for Unary {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        match *self {
            Unary::Neg => -x[0],
            Unary::Scale(s) => x[0].scale(s),
            Unary::Affine { scale, shift } => scale * x[0] + shift,
            Unary::Powi(n) => x[0].powi(n),
            Unary::Powf(p) => x[0].powf(p),
        }
    }
}

impl Textbook for Unary {
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        x[0].map(|x| match *self {
            Unary::Neg => 0.0 - x,
            Unary::Scale(s) => s * x,
            Unary::Affine { scale, shift } => scale * x + shift,
            Unary::Powi(n) => (0..n.unsigned_abs()).fold(1.0, |y, _| if n > 0 { y * x } else { y / x }),
            Unary::Powf(p) => (p * x.ln()).exp(),
        })
    }
}

fn affine() -> impl Strategy<Value = (Unary, Tensor<f64>)> {
    let op = prop_oneof![
        Just(Unary::Neg),
        ordinary().prop_map(Unary::Scale),
        (ordinary(), ordinary()).prop_map(|(scale, shift)| Unary::Affine { scale, shift }),
    ];
    (op, tensor(ordinary()))
}

fn powers() -> impl Strategy<Value = (Unary, Tensor<f64>)> {
    prop_oneof![
        ((-3..=4i32).prop_map(Unary::Powi), tensor(away_from_zero())),
        ((-2.5..2.5f64).prop_map(Unary::Powf), tensor(positive())),
    ]
}

#[test]
pub fn negation_scaling_and_shifting_have_the_right_gradient() {
    for_all(32, affine(), |(op, x)| three_ways_agree(&op, &[x]));
}

#[test]
pub fn whole_and_real_powers_have_the_right_gradient() {
    for_all(64, powers(), |(op, x)| three_ways_agree(&op, &[x]));
}

#[test]
fn functions_of_one_number_have_the_value_of_their_formula() {
    for_all(64, prop_oneof![affine(), powers()], |(op, x)| the_value_is(&op, &[x]));
}

#[test]
fn functions_of_one_number_at_f32_are_those_at_f64() {
    for_all(64, prop_oneof![affine(), powers()], |(op, x)| f32_agrees_with_f64(&op, &[x]));
}

#[test]
fn functions_of_one_number_have_the_right_second_derivatives() {
    for_all(32, prop_oneof![affine(), powers()], |(op, x)| second_order_agrees(&op, &[x]));
}

#[test]
fn whole_powers_are_smooth_at_zero_where_the_exponent_is_not_negative() {
    for (n, slope_at_zero) in [(0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0)] {
        let found = value_and_gradients(&Unary::Powi(n), &[Tensor::scalar(0.0)]);
        let value = if n == 0 { 1.0 } else { 0.0 };
        assert_eq!((found[0].item(), found[1].item()), (value, slope_at_zero), "x^{n} at 0");
        three_ways_agree(&Unary::Powi(n), &[Tensor::scalar(0.0)]).unwrap();
    }
}

#[test]
fn at_zero_the_slope_of_a_root_is_infinite_and_that_of_a_power_above_one_is_zero() {
    let at_zero = |f: Unary| {
        let found = value_and_gradients(&f, &[Tensor::scalar(0.0)]);
        [found[0].item(), found[1].item()]
    };
    let infinity = f64::INFINITY;
    assert_eq!(at_zero(Unary::Powf(0.5)), [0.0, infinity]);
    assert_eq!(at_zero(Unary::Powf(1.5)), [0.0, 0.0]);
    assert_eq!(at_zero(Unary::Powi(-2)), [infinity, -infinity]);
}

#[test]
fn a_real_power_of_a_negative_number_is_not_a_number() {
    assert!(value_and_gradients(&Unary::Powf(0.5), &[Tensor::scalar(-1f64)])[0].item().is_nan());
    near(
        &value_and_gradients(&Unary::Powf(0.0), &[Tensor::scalar(-1.0)])[0],
        &Tensor::scalar(1.0),
        0.0,
        "x^0",
    )
    .unwrap();
}
