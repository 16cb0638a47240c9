//! Softmax and log-softmax along one axis.

use crate::draw::{axis_of, large_and_tiny, ordinary, shape_with_an_axis, tensor_of};
use crate::prove::{
    Textbook, f32_agrees_with_f64, for_all, second_order_agrees, the_value_is, three_ways_agree,
    value_and_gradients,
};
use autograd::gradcheck::Function;
use autograd::{Float, Tensor, Var};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Along {
    Softmax(isize),
    LogSoftmax(isize),
}

impl Function for Along {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        match *self {
            Along::Softmax(axis) => x[0].softmax(axis),
            Along::LogSoftmax(axis) => x[0].log_softmax(axis),
        }
    }
}

impl Textbook for Along {
    /// softmax: yᵢ = 1/Σⱼ e^(xⱼ − xᵢ); log-softmax: its logarithm, with the largest term of the sum taken out.
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        let (Along::Softmax(axis) | Along::LogSoftmax(axis)) = *self;
        let (axis, size) = (x[0].shape().axis(axis), x[0].shape()[x[0].shape().axis(axis)]);
        Tensor::from_fn(x[0].shape(), |i| {
            let mut index = x[0].index_of(i);
            let here = x[0].data()[i];
            let distances: Vec<f64> = (0..size)
                .map(|j| {
                    index[axis] = j;
                    x[0].at(&index) - here
                })
                .collect();
            match self {
                Along::Softmax(_) => 1.0 / distances.iter().map(|d| d.exp()).sum::<f64>(),
                Along::LogSoftmax(_) => {
                    let far = distances.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    -far - distances.iter().map(|d| (d - far).exp()).sum::<f64>().ln()
                }
            }
        })
    }
}

fn rows(numbers: impl Strategy<Value = f64> + Clone) -> impl Strategy<Value = (Along, Vec<Tensor<f64>>)> {
    shape_with_an_axis().prop_flat_map(move |shape| {
        let axis = axis_of(shape.len());
        let f = prop_oneof![axis.clone().prop_map(Along::Softmax), axis.prop_map(Along::LogSoftmax)];
        (f, tensor_of(&shape, numbers.clone()).prop_map(|x| vec![x]))
    })
}

#[test]
pub fn softmax_and_log_softmax_along_any_axis_have_the_right_gradient() {
    for_all(64, rows(ordinary()), |(f, x)| three_ways_agree(&f, &x));
}

#[test]
fn softmax_and_log_softmax_have_the_value_of_their_formula() {
    for_all(128, rows(ordinary()), |(f, x)| the_value_is(&f, &x));
}

#[test]
fn softmax_and_log_softmax_at_f32_are_those_at_f64() {
    for_all(128, rows(ordinary()), |(f, x)| f32_agrees_with_f64(&f, &x));
}

#[test]
fn softmax_and_log_softmax_have_the_right_second_derivatives() {
    for_all(32, rows(ordinary()), |(f, x)| second_order_agrees(&f, &x));
}

#[test]
fn softmax_and_log_softmax_of_numbers_of_any_size_keep_value_gradient_and_precision() {
    for_all(128, rows(large_and_tiny()), |(f, x)| {
        the_value_is(&f, &x)?;
        f32_agrees_with_f64(&f, &x)?;
        three_ways_agree(&f, &x)
    });
}

#[test]
fn a_row_of_softmax_sums_to_one() {
    for_all(64, tensor_of(&[3, 5], large_and_tiny()), |x| {
        let y = &value_and_gradients(&Along::Softmax(-1), &[x])[0];
        for row in y.data().chunks(5) {
            prop_assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-14, "{row:?} does not sum to 1");
        }
        Ok(())
    });
}

#[test]
fn the_exponentials_of_a_log_softmax_sum_to_one_even_at_f32_and_ten_thousand() {
    for_all(64, tensor_of(&[7], 9999.0..10001.0f64), |x| {
        let y = &value_and_gradients(&Along::LogSoftmax(0), &[x.cast::<f32>()])[0];
        let sum: f32 = y.data().iter().map(|y| y.exp()).sum();
        prop_assert!((sum - 1.0).abs() < 1e-5, "the exponentials sum to {sum}");
        Ok(())
    });
}

#[test]
fn softmax_does_not_change_when_every_number_is_shifted() {
    for_all(32, (tensor_of(&[4], ordinary()), ordinary()), |(x, shift)| {
        let y = |x: &Tensor<f64>| value_and_gradients(&Along::Softmax(0), std::slice::from_ref(x))[0].clone();
        crate::prove::near(&y(&x.map(|x| x + shift)), &y(&x), 1e-14, "softmax(x + c)")
    });
}

#[test]
fn the_gradient_of_a_softmax_row_sums_to_zero() {
    for_all(32, tensor_of(&[6], ordinary()), |x| {
        let sum: f64 = value_and_gradients(&Along::Softmax(0), &[x])[1].data().iter().sum();
        prop_assert!(sum.abs() < 1e-14, "the gradient sums to {sum:e}");
        Ok(())
    });
}

#[test]
fn an_entry_of_minus_infinity_gets_weight_zero_and_gradient_zero() {
    let found = value_and_gradients(&Along::Softmax(0), &[Tensor::new([3], [1.0, f64::NEG_INFINITY, 1.0])]);
    assert_eq!(found[0].data(), [0.5, 0.0, 0.5]);
    assert_eq!(found[1].data()[1], 0.0);
}

/// softmax or log-softmax of a row of which −∞ hides an entry, as a causal mask does.
#[derive(Debug)]
struct WithOneHidden(Along);

impl Function for WithOneHidden {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let mask = Tensor::new([4], [0.0, 1.0, 0.0, 0.0].map(T::from_f64));
        let y = self.0.call(&[x[0].masked_fill(&mask, f64::NEG_INFINITY)]);
        y.slice(-1, 2..4) * y.slice(-1, 0..1)
    }
}

#[test]
fn behind_minus_infinity_all_three_ways_and_the_second_derivative_still_agree() {
    for f in [WithOneHidden(Along::Softmax(-1)), WithOneHidden(Along::LogSoftmax(-1))] {
        for_all(16, tensor_of(&[2, 4], ordinary()), |x| {
            three_ways_agree(&f, std::slice::from_ref(&x))?;
            second_order_agrees(&f, &[x])
        });
    }
}

#[test]
fn a_row_of_nothing_but_minus_infinity_is_no_number() {
    let found = value_and_gradients(&Along::Softmax(0), &[Tensor::full([2], f64::NEG_INFINITY)]);
    assert!(found[0].data().iter().all(|y| y.is_nan()));
}

/// softmax(x)·softmax(x): the weights of a row, used twice.
#[derive(Debug)]
struct Squared;

impl Function for Squared {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let y = x[0].softmax(-1);
        y * y + x[0]
    }
}

#[test]
fn a_softmax_that_is_used_twice_collects_both_contributions() {
    for_all(16, tensor_of(&[2, 3], ordinary()), |x| three_ways_agree(&Squared, &[x]));
}
