//! Layer norm and RMS norm: each as one op, and equal to the textbook's composition of primitives.

use crate::draw::{large_and_tiny, ordinary, size, tensor_of};
use crate::prove::{
    Textbook, are_equal, f32_agrees_with_f64, for_all, second_order_agrees, the_value_is, three_ways_agree,
    value_and_gradients,
};
use autograd::gradcheck::Function;
use autograd::{Float, Tensor, Var};
use proptest::prelude::*;

/// Inputs: x, then the weight and the bias, if there are any.
#[derive(Clone, Copy, Debug)]
enum Norm {
    Layer { eps: f64 },
    LayerTextbook { eps: f64 },
    Rms { eps: f64 },
    RmsTextbook { eps: f64 },
}

impl Function for Norm {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        match *self {
            Norm::Layer { eps } => x[0].layer_norm(x[1], x.get(2).copied(), eps),
            Norm::LayerTextbook { eps } => x[0].layer_norm_textbook(x[1], x.get(2).copied(), eps),
            Norm::Rms { eps } => x[0].rms_norm(x.get(1).copied(), eps),
            Norm::RmsTextbook { eps } => x[0].rms_norm_textbook(x.get(1).copied(), eps),
        }
    }
}

impl Textbook for Norm {
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        let d = x[0].shape()[x[0].shape().len() - 1];
        Tensor::from_fn(x[0].shape(), |i| {
            let row = &x[0].data()[i / d * d..][..d];
            let mean = |f: &dyn Fn(f64) -> f64| row.iter().map(|&x| f(x)).sum::<f64>() / d as f64;
            let normal = match *self {
                Norm::Layer { eps } | Norm::LayerTextbook { eps } => {
                    let centre = mean(&|x| x);
                    (row[i % d] - centre) / (mean(&|x| (x - centre).powi(2)) + eps).sqrt()
                }
                Norm::Rms { eps } | Norm::RmsTextbook { eps } => row[i % d] / (mean(&|x| x * x) + eps).sqrt(),
            };
            normal * x.get(1).map_or(1.0, |w| w.data()[i % d]) + x.get(2).map_or(0.0, |b| b.data()[i % d])
        })
    }
}

/// x `[…, d]` with a weight and a bias, of which the last `without` are left out.
fn rows(
    without: std::ops::RangeInclusive<usize>,
    numbers: impl Strategy<Value = f64> + Clone,
) -> impl Strategy<Value = Vec<Tensor<f64>>> {
    (prop::collection::vec(size(), 0..=2), 1..=5usize, without).prop_flat_map(move |(rows, d, without)| {
        let x = tensor_of(&rows.iter().copied().chain([d]).collect::<Vec<_>>(), numbers.clone());
        (x, tensor_of(&[d], ordinary()), tensor_of(&[d], ordinary())).prop_map(move |(x, weight, bias)| {
            let mut inputs = vec![x, weight, bias];
            inputs.truncate(3 - without);
            inputs
        })
    })
}

fn layer_norms() -> impl Strategy<Value = (Norm, Norm, Vec<Tensor<f64>>)> {
    let eps = prop_oneof![Just(1e-5), Just(0.1)];
    (eps, rows(0..=1, ordinary())).prop_map(|(eps, x)| (Norm::Layer { eps }, Norm::LayerTextbook { eps }, x))
}

fn rms_norms() -> impl Strategy<Value = (Norm, Norm, Vec<Tensor<f64>>)> {
    let eps = prop_oneof![Just(1e-5), Just(0.1)];
    (eps, rows(1..=2, ordinary())).prop_map(|(eps, x)| (Norm::Rms { eps }, Norm::RmsTextbook { eps }, x))
}

fn norms() -> impl Strategy<Value = (Norm, Norm, Vec<Tensor<f64>>)> {
    prop_oneof![layer_norms(), rms_norms()]
}

#[test]
pub fn layer_norm_and_rms_norm_have_the_right_gradient_with_and_without_weight_and_bias() {
    for_all(96, norms(), |(f, _, x)| three_ways_agree(&f, &x));
}

#[test]
fn layer_norm_and_rms_norm_have_the_value_of_their_formula() {
    for_all(128, norms(), |(f, _, x)| the_value_is(&f, &x));
}

#[test]
fn layer_norm_and_rms_norm_are_equal_to_the_composition_of_primitives() {
    for_all(128, norms(), |(f, textbook, x)| are_equal(&f, &textbook, &x));
}

#[test]
fn layer_norm_and_rms_norm_at_f32_are_those_at_f64() {
    for_all(128, norms(), |(f, _, x)| f32_agrees_with_f64(&f, &x));
}

#[test]
fn layer_norm_and_rms_norm_have_the_right_second_derivatives() {
    for_all(48, norms(), |(f, _, x)| second_order_agrees(&f, &x));
}

#[test]
fn layer_norm_and_rms_norm_of_large_and_tiny_numbers_have_the_value_of_their_formula() {
    for_all(64, rows(0..=0, large_and_tiny()), |x| the_value_is(&Norm::Layer { eps: 1e-5 }, &x));
    for_all(64, rows(1..=1, large_and_tiny()), |x| the_value_is(&Norm::Rms { eps: 1e-5 }, &x));
    for_all(64, rows(0..=0, large_and_tiny()), |x| f32_agrees_with_f64(&Norm::Layer { eps: 0.1 }, &x));
    for_all(64, rows(1..=1, large_and_tiny()), |x| f32_agrees_with_f64(&Norm::Rms { eps: 0.1 }, &x));
}

#[test]
fn a_row_of_layer_norm_has_mean_zero_and_variance_one() {
    for_all(32, tensor_of(&[6], ordinary()), |x| {
        let [w, b] = [Tensor::ones([6]), Tensor::zeros([6])];
        let y = value_and_gradients(&Norm::Layer { eps: 0.0 }, &[x, w, b])[0].clone();
        let mean = y.data().iter().sum::<f64>() / 6.0;
        let variance = y.data().iter().map(|y| y * y).sum::<f64>() / 6.0;
        prop_assert!(
            mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-12,
            "mean {mean}, variance {variance}"
        );
        Ok(())
    });
}

#[test]
fn a_row_of_equal_numbers_is_normalised_to_the_bias() {
    let x = [Tensor::full([2, 4], 3.0), Tensor::ones([4]), Tensor::full([4], 0.5)];
    assert_eq!(value_and_gradients(&Norm::Layer { eps: 1e-5 }, &x)[0], Tensor::full([2, 4], 0.5));
}

/// The same vector is the input, the weight and the bias.
#[derive(Debug)]
struct OneVectorInEveryRole;

impl Function for OneVectorInEveryRole {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].layer_norm(x[0], Some(x[0]), 1e-5) + x[0].rms_norm(Some(x[0]), 1e-5)
    }
}

#[test]
fn a_vector_used_as_input_weight_and_bias_collects_every_contribution() {
    for_all(16, tensor_of(&[4], ordinary()), |x| three_ways_agree(&OneVectorInEveryRole, &[x]));
}
