//! The linear layer as one op: equal to a product and a sum; and with a gelu behind it.

use crate::draw::{ordinary, size, tensor_of};
use crate::prove::{are_equal, f32_agrees_with_f64, for_all, second_order_agrees, three_ways_agree};
use autograd::gradcheck::Function;
use autograd::{Float, Tensor, Var};
use proptest::prelude::*;

/// Inputs: x, the weight, and the bias if there is one.
#[derive(Clone, Copy, Debug)]
pub struct Linear;

impl Function for Linear {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].linear(x[1], x.get(2).copied())
    }
}

/// The composition of primitives.
#[derive(Clone, Copy, Debug)]
struct Composed;

impl Function for Composed {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].linear_textbook(x[1], x.get(2).copied())
    }
}

pub fn layers(size: impl Strategy<Value = usize> + Clone) -> impl Strategy<Value = Vec<Tensor<f64>>> {
    let rows = prop::collection::vec(size.clone(), 1..=2);
    (rows, size.clone(), size, any::<bool>()).prop_flat_map(|(rows, d_in, d_out, bias)| {
        let x = tensor_of(&rows.iter().copied().chain([d_in]).collect::<Vec<_>>(), ordinary());
        (x, tensor_of(&[d_in, d_out], ordinary()), tensor_of(&[d_out], ordinary())).prop_map(
            move |(x, weight, b)| {
                let mut inputs = vec![x, weight, b];
                inputs.truncate(if bias { 3 } else { 2 });
                inputs
            },
        )
    })
}

#[test]
pub fn a_linear_layer_has_the_right_gradient_with_and_without_bias() {
    for_all(64, layers(size()), |x| three_ways_agree(&Linear, &x));
}

#[test]
fn a_linear_layer_is_equal_to_the_composition_of_primitives() {
    for_all(96, layers(size()), |x| are_equal(&Linear, &Composed, &x));
    for_all(24, layers(1..70usize), |x| are_equal(&Linear, &Composed, &x));
}

#[test]
fn a_linear_layer_at_f32_is_the_one_at_f64() {
    for_all(64, layers(0..20usize), |x| f32_agrees_with_f64(&Linear, &x));
}

#[test]
fn a_linear_layer_has_the_right_second_derivatives() {
    for_all(24, layers(size()), |x| second_order_agrees(&Linear, &x));
}

/// Inputs: x, the weight and the bias.
#[derive(Clone, Copy, Debug)]
pub struct LinearGelu;

impl Function for LinearGelu {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].linear_gelu(x[1], x[2])
    }
}

#[derive(Clone, Copy, Debug)]
pub struct LinearThenGelu;

impl Function for LinearThenGelu {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].linear_textbook(x[1], Some(x[2])).gelu()
    }
}

pub fn with_bias(size: impl Strategy<Value = usize> + Clone) -> impl Strategy<Value = Vec<Tensor<f64>>> {
    layers(size).prop_map(|mut x| {
        if x.len() == 2 {
            x.push(Tensor::zeros([x[1].shape()[1]]));
        }
        x
    })
}

#[test]
pub fn a_linear_layer_with_gelu_has_the_right_gradient() {
    for_all(64, with_bias(size()), |x| three_ways_agree(&LinearGelu, &x));
}

#[test]
fn a_linear_layer_with_gelu_is_equal_to_the_composition_of_primitives() {
    for_all(96, with_bias(size()), |x| are_equal(&LinearGelu, &LinearThenGelu, &x));
    for_all(24, with_bias(1..70usize), |x| are_equal(&LinearGelu, &LinearThenGelu, &x));
}

#[test]
fn a_linear_layer_with_gelu_at_f32_is_the_one_at_f64() {
    for_all(64, with_bias(0..20usize), |x| f32_agrees_with_f64(&LinearGelu, &x));
}

#[test]
fn a_linear_layer_with_gelu_has_the_right_second_derivatives() {
    for_all(24, with_bias(size()), |x| second_order_agrees(&LinearGelu, &x));
}

/// The weight is the input too, and the bias a row of it.
#[derive(Debug)]
struct InEveryRole;

impl Function for InEveryRole {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let row = x[0].slice(0, 0..1).reshape([3]);
        x[0].linear(x[0], Some(row)).linear(x[0], Some(row))
    }
}

#[test]
fn a_matrix_used_as_input_weight_and_bias_collects_every_contribution() {
    for_all(16, tensor_of(&[3, 3], ordinary()), |x| three_ways_agree(&InEveryRole, &[x]));
}
