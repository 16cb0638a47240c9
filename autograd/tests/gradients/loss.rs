//! Cross-entropy from logits, with a target that does not count.

use crate::draw::{large_and_tiny, ordinary, tensor_of};
use crate::prove::{
    Textbook, are_equal, f32_agrees_with_f64, for_all, second_order_agrees, the_value_is, three_ways_agree,
    value_and_gradients,
};
use autograd::gradcheck::Function;
use autograd::{Float, Tensor, Var};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct CrossEntropy {
    targets: Vec<usize>,
    ignore: Option<usize>,
}

impl Function for CrossEntropy {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].cross_entropy(&self.targets, self.ignore)
    }
}

/// The composition of primitives.
#[derive(Clone, Debug)]
struct Composed(CrossEntropy);

impl Function for Composed {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].cross_entropy_textbook(&self.0.targets, self.0.ignore)
    }
}

impl Textbook for CrossEntropy {
    /// The mean of −ln pₜ over the rows that count, with −ln pₜ = ln Σⱼ e^(xⱼ − xₜ) and its largest term out.
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        let v = x[0].shape()[x[0].shape().len() - 1];
        let counting = self.targets.iter().enumerate().filter(|&(_, &target)| Some(target) != self.ignore);
        let losses: Vec<f64> = counting
            .map(|(row, &target)| {
                let row = &x[0].data()[row * v..][..v];
                let far = row.iter().map(|x| x - row[target]).fold(f64::NEG_INFINITY, f64::max);
                far + row.iter().map(|x| (x - row[target] - far).exp()).sum::<f64>().ln()
            })
            .collect();
        Tensor::scalar(losses.iter().sum::<f64>() / losses.len() as f64)
    }
}

const IGNORED: usize = 99;

/// Logits `[…, v]` with a target for each row; some targets do not count, but never all of them.
fn logits(
    numbers: impl Strategy<Value = f64> + Clone,
) -> impl Strategy<Value = (CrossEntropy, Vec<Tensor<f64>>)> {
    (prop::collection::vec(1..=3usize, 0..=2), 1..=5usize).prop_flat_map(move |(rows, v)| {
        let number: usize = rows.iter().product();
        let target = prop_oneof![3 => 0..v, 1 => Just(IGNORED)];
        let targets = prop::collection::vec(target, number)
            .prop_filter("a row counts", |targets| targets.iter().any(|&target| target != IGNORED));
        let x = tensor_of(&rows.iter().copied().chain([v]).collect::<Vec<_>>(), numbers.clone());
        (targets, x).prop_map(|(targets, x)| {
            let ignore = targets.contains(&IGNORED).then_some(IGNORED);
            (CrossEntropy { targets, ignore }, vec![x])
        })
    })
}

#[test]
pub fn cross_entropy_has_the_right_gradient_also_where_targets_do_not_count() {
    for_all(64, logits(ordinary()), |(f, x)| three_ways_agree(&f, &x));
}

#[test]
fn cross_entropy_is_the_mean_of_minus_ln_p() {
    for_all(128, logits(ordinary()), |(f, x)| the_value_is(&f, &x));
}

#[test]
fn cross_entropy_is_equal_to_the_composition_of_primitives() {
    for_all(128, logits(ordinary()), |(f, x)| are_equal(&f, &Composed(f.clone()), &x));
}

#[test]
fn cross_entropy_at_f32_is_the_one_at_f64() {
    for_all(128, logits(ordinary()), |(f, x)| f32_agrees_with_f64(&f, &x));
}

#[test]
fn cross_entropy_has_the_right_second_derivatives() {
    for_all(32, logits(ordinary()), |(f, x)| second_order_agrees(&f, &x));
}

#[test]
fn cross_entropy_of_logits_of_any_size_keeps_value_gradient_and_precision() {
    for_all(128, logits(large_and_tiny()), |(f, x)| {
        the_value_is(&f, &x)?;
        f32_agrees_with_f64(&f, &x)?;
        three_ways_agree(&f, &x)
    });
}

#[test]
fn at_f32_and_ten_thousand_a_row_of_the_gradient_still_sums_to_zero() {
    for_all(32, tensor_of(&[7], 9999.0..10001.0f64), |x| {
        let f = CrossEntropy { targets: vec![3], ignore: None };
        let sum: f32 = value_and_gradients(&f, &[x.cast::<f32>()])[1].data().iter().sum();
        prop_assert!(sum.abs() < 1e-5, "p − [j = t] sums to {sum}");
        Ok(())
    });
}

#[test]
fn equal_logits_cost_the_logarithm_of_the_number_of_classes() {
    let f = CrossEntropy { targets: vec![0, 3, 6], ignore: None };
    let loss = value_and_gradients(&f, &[Tensor::<f64>::full([3, 7], 1.25)])[0].item();
    approx::assert_relative_eq!(loss, 7f64.ln(), max_relative = 1e-15);
}

#[test]
fn a_row_that_does_not_count_changes_neither_the_mean_nor_its_own_gradient() {
    let rows = Tensor::from_fn([3, 2], |i| (i as f64).sin());
    let ignoring = CrossEntropy { targets: vec![1, IGNORED, 0], ignore: Some(IGNORED) };
    let without = CrossEntropy { targets: vec![1, 0], ignore: None };
    let kept = Tensor::new([2, 2], [&rows.data()[..2], &rows.data()[4..]].concat());
    let (found, expected) = (value_and_gradients(&ignoring, &[rows]), value_and_gradients(&without, &[kept]));
    assert_eq!(found[0], expected[0]);
    assert_eq!(found[1].data()[2..4], [0.0, 0.0]);
    assert_eq!([&found[1].data()[..2], &found[1].data()[4..]].concat(), expected[1].data());
}

#[test]
fn a_class_can_be_the_one_that_does_not_count() {
    let f = CrossEntropy { targets: vec![0, 1], ignore: Some(0) };
    let found = value_and_gradients(&f, &[Tensor::<f64>::zeros([2, 4])]);
    assert_eq!(found[0].item(), 4f64.ln());
    assert_eq!(found[1].data()[..4], [0.0; 4]);
}

#[test]
fn the_mean_over_no_row_at_all_is_no_number_and_has_a_gradient_of_no_number() {
    let f = CrossEntropy { targets: Vec::new(), ignore: None };
    for found in [
        value_and_gradients(&f, &[Tensor::<f64>::zeros([0, 3])]),
        value_and_gradients(&Composed(f.clone()), &[Tensor::<f64>::zeros([0, 3])]),
    ] {
        assert!(found[0].item().is_nan(), "{}", found[0]);
        assert_eq!(found[1].shape()[..], [0, 3]);
    }
}

#[test]
fn the_mean_over_no_row_that_counts_is_no_number() {
    let f = CrossEntropy { targets: vec![IGNORED; 2], ignore: Some(IGNORED) };
    assert!(value_and_gradients(&f, &[Tensor::<f64>::zeros([2, 3])])[0].item().is_nan());
}
