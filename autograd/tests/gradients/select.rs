//! Choosing between entries: elementwise maximum and minimum, and choice by a mask.

use crate::arithmetic::entry_by_entry;
use crate::draw::{ordinary, pair, shapes_that_broadcast, tensor, tensor_of, zero_or_one};
use crate::prove::{
    Textbook, f32_agrees_with_f64, for_all, the_value_is, three_ways_agree, value_and_gradients,
};
use autograd::gradcheck::{Function, Verdict, gradcheck};
use autograd::{Float, Tensor, Var};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Select {
    Maximum,
    Minimum,
    Where { mask: Tensor<f64> },
    MaskedFill { mask: Tensor<f64>, value: f64 },
}

impl Function for Select {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        match self {
            Select::Maximum => x[0].maximum(x[1]),
            Select::Minimum => x[0].minimum(x[1]),
            Select::Where { mask } => x[0].where_mask(&mask.cast(), x[1]),
            Select::MaskedFill { mask, value } => x[0].masked_fill(&mask.cast(), *value),
        }
    }
}

impl Textbook for Select {
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        match self {
            Select::Maximum => entry_by_entry(x, |x| (x[0] + x[1] + (x[0] - x[1]).abs()) / 2.0),
            Select::Minimum => entry_by_entry(x, |x| (x[0] + x[1] - (x[0] - x[1]).abs()) / 2.0),
            Select::Where { mask } => entry_by_entry(&[x[0].clone(), x[1].clone(), mask.clone()], |x| {
                x[2] * x[0] + (1.0 - x[2]) * x[1]
            }),
            Select::MaskedFill { mask, value } => {
                entry_by_entry(&[x[0].clone(), mask.clone()], |x| x[1] * value + (1.0 - x[1]) * x[0])
            }
        }
    }
}

/// Two operands of which no entry ties with another: multiples of ½, and multiples of ½ plus ¼.
fn without_ties() -> impl Strategy<Value = (Select, Vec<Tensor<f64>>)> {
    let half = |shift: f64| (-4..=4i32).prop_map(move |n| 0.5 * f64::from(n) + shift);
    (prop_oneof![Just(Select::Maximum), Just(Select::Minimum)], pair(half(0.0), half(0.25)))
}

fn by_a_mask() -> impl Strategy<Value = (Select, Vec<Tensor<f64>>)> {
    let choice = shapes_that_broadcast(3).prop_flat_map(|shapes| {
        let [a, b, mask] = [0, 1, 2].map(|i| &shapes[i]);
        (tensor_of(a, ordinary()), tensor_of(b, ordinary()), tensor_of(mask, zero_or_one()))
            .prop_map(|(a, b, mask)| (Select::Where { mask }, vec![a, b]))
    });
    let fill = (pair(ordinary(), zero_or_one()), ordinary()).prop_map(|(mut x_and_mask, value)| {
        let mask = x_and_mask.pop().expect("a pair");
        (Select::MaskedFill { mask, value }, x_and_mask)
    });
    prop_oneof![choice, fill]
}

#[test]
pub fn maximum_and_minimum_pass_the_gradient_to_the_side_that_was_chosen() {
    for_all(64, without_ties(), |(op, x)| three_ways_agree(&op, &x));
}

#[test]
pub fn a_mask_passes_the_gradient_to_the_side_that_it_chooses() {
    for_all(64, by_a_mask(), |(op, x)| three_ways_agree(&op, &x));
}

#[test]
fn choices_have_the_value_of_their_formula() {
    for_all(128, prop_oneof![without_ties(), by_a_mask()], |(op, x)| the_value_is(&op, &x));
}

#[test]
fn choices_at_f32_are_those_at_f64() {
    for_all(128, prop_oneof![without_ties(), by_a_mask()], |(op, x)| f32_agrees_with_f64(&op, &x));
}

#[test]
fn at_a_tie_each_side_of_maximum_and_minimum_gets_half_of_the_gradient() {
    for op in [Select::Maximum, Select::Minimum] {
        let tie = [1.5, 1.5].map(Tensor::<f64>::scalar);
        let found = value_and_gradients(&op, &tie);
        assert_eq!([found[0].item(), found[1].item(), found[2].item()], [1.5, 0.5, 0.5], "{op:?}");
        let [a, b] = tie;
        for entry in gradcheck(&op, &[("a", a), ("b", b)]).entries {
            assert!(matches!(entry.verdict, Verdict::Kink { .. }), "{op:?} at a tie: {entry}");
        }
    }
}

/// max(x, x) or min(x, x).
#[derive(Debug)]
struct WithItself(Select);

impl Function for WithItself {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        self.0.call(&[x[0], x[0]])
    }
}

#[test]
fn the_larger_and_the_smaller_of_a_number_and_itself_have_slope_one() {
    for op in [Select::Maximum, Select::Minimum] {
        for_all(16, tensor(ordinary()), |x| three_ways_agree(&WithItself(op.clone()), &[x]));
    }
}

#[test]
fn what_a_mask_hides_gets_no_gradient_even_behind_minus_infinity() {
    let mask = Tensor::new([3], [0.0, 1.0, 0.0]);
    let hidden = Select::MaskedFill { mask, value: f64::NEG_INFINITY };
    let found = value_and_gradients(&hidden, &[Tensor::new([3], [1.0, 2.0, 3.0])]);
    assert_eq!(found[0].data(), [1.0, f64::NEG_INFINITY, 3.0]);
    assert_eq!(found[1].data(), [0f64.cos(), 0.0, 2f64.cos()]);
}

#[test]
fn maximum_and_minimum_of_infinities_and_of_nan_are_those_of_ieee_arithmetic() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let value = |op: Select, a: f64, b: f64| value_and_gradients(&op, &[a, b].map(Tensor::scalar))[0].item();
    assert_eq!([value(Select::Maximum, inf, inf), value(Select::Maximum, -inf, -inf)], [inf, -inf]);
    assert_eq!([value(Select::Minimum, inf, 1.0), value(Select::Minimum, -inf, 1.0)], [1.0, -inf]);
    for op in [Select::Maximum, Select::Minimum] {
        assert!(
            value(op.clone(), nan, 1.0).is_nan() && value(op, 1.0, nan).is_nan(),
            "a NaN is not swallowed"
        );
    }
}
