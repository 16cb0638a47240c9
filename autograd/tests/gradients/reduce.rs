//! Reductions over any axes: sum, mean, max, variance, log-sum-exp.

use crate::draw::{axes_of, large_and_tiny, ordinary, shape, tensor_of, well_apart};
use crate::prove::{
    Textbook, f32_agrees_with_f64, for_all, largest, second_order_agrees, the_value_is,
    the_value_is_to_12_digits_of, three_ways_agree, value_and_gradients,
};
use autograd::gradcheck::{Function, Verdict, gradcheck};
use autograd::{Float, Shape, Tensor, Var};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Of {
    Sum,
    Mean,
    Max,
    Var { correction: usize },
    LogSumExp,
}

#[derive(Clone, Debug)]
struct Reduce {
    of: Of,
    axes: Vec<isize>,
}

const SMOOTH: [Of; 5] =
    [Of::Sum, Of::Mean, Of::Var { correction: 0 }, Of::Var { correction: 1 }, Of::LogSumExp];

impl Function for Reduce {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        match self.of {
            Of::Sum => x[0].sum(&self.axes),
            Of::Mean => x[0].mean(&self.axes),
            Of::Max => x[0].max(&self.axes),
            Of::Var { correction } => x[0].var(&self.axes, correction),
            Of::LogSumExp => x[0].logsumexp(&self.axes),
        }
    }
}

impl Textbook for Reduce {
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        let positions = x[0].shape().axes(&self.axes);
        let kept = |index: &[usize]| -> Vec<usize> {
            index.iter().enumerate().filter(|(axis, _)| !positions.contains(axis)).map(|(_, &i)| i).collect()
        };
        let shape = kept(x[0].shape());
        let y = Tensor::<f64>::zeros(&shape[..]);
        Tensor::from_fn(&shape[..], |i| {
            let here = y.index_of(i);
            let entries = (0..x[0].numel()).filter(|&entry| kept(&x[0].index_of(entry)) == here);
            self.of.these(&entries.map(|entry| x[0].data()[entry]).collect::<Vec<_>>())
        })
    }
}

impl Of {
    fn these(self, x: &[f64]) -> f64 {
        let (n, sum) = (x.len() as f64, x.iter().sum::<f64>());
        match self {
            Of::Sum => sum,
            Of::Mean => sum / n,
            Of::Max => x.iter().copied().fold(f64::NAN, f64::max),
            Of::Var { correction } => {
                let distances = x.iter().flat_map(|a| x.iter().map(move |b| (a - b) * (a - b)));
                distances.sum::<f64>() / (2.0 * n) / (n - correction as f64) // Σᵢⱼ (xᵢ − xⱼ)² = 2n·Σᵢ (xᵢ − μ)²
            }
            Of::LogSumExp => x.iter().copied().fold(f64::NEG_INFINITY, |a, b| {
                let (low, high) = (a.min(b), a.max(b));
                if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
            }),
        }
    }
}

/// A tensor and some of its axes; as many entries are reduced to one as `enough` wants.
fn reductions(
    of: Of,
    numbers: impl Strategy<Value = f64> + Clone + 'static,
) -> impl Strategy<Value = (Reduce, Vec<Tensor<f64>>)> {
    let shape_and_axes = shape().prop_flat_map(|shape| (Just(shape.clone()), axes_of(shape.len())));
    let defined = shape_and_axes.prop_filter("the reduction is defined", move |(shape, axes)| {
        let shape = Shape::from(&shape[..]);
        let width: usize = shape.axes(axes).iter().map(|&axis| shape[axis]).product();
        match of {
            Of::Max => width > 0,
            Of::Var { correction } => width > correction,
            _ => true,
        }
    });
    defined.prop_flat_map(move |(shape, axes)| {
        let x = match of {
            Of::Max => well_apart(&shape).boxed(),
            _ => tensor_of(&shape, numbers.clone()).boxed(),
        };
        x.prop_map(move |x| (Reduce { of, axes: axes.clone() }, vec![x]))
    })
}

#[test]
pub fn reductions_over_any_axes_have_the_right_gradient() {
    for of in SMOOTH.into_iter().chain([Of::Max]) {
        for_all(32, reductions(of, ordinary()), |(f, x)| three_ways_agree(&f, &x));
    }
}

#[test]
fn reductions_over_any_axes_have_the_value_of_their_formula() {
    for of in SMOOTH.into_iter().chain([Of::Max]) {
        for_all(64, reductions(of, ordinary()), |(f, x)| the_value_is(&f, &x));
    }
}

#[test]
fn reductions_at_f32_are_those_at_f64() {
    for of in SMOOTH.into_iter().chain([Of::Max]) {
        for_all(64, reductions(of, ordinary()), |(f, x)| f32_agrees_with_f64(&f, &x));
    }
}

#[test]
fn reductions_have_the_right_second_derivatives() {
    for of in SMOOTH {
        for_all(16, reductions(of, ordinary()), |(f, x)| second_order_agrees(&f, &x));
    }
}

#[test]
fn reductions_of_large_and_tiny_numbers_keep_value_and_gradient() {
    for of in SMOOTH {
        for_all(32, reductions(of, large_and_tiny()), |(f, x)| {
            let squares = x[0].numel() as f64 * largest(&x).powi(2);
            the_value_is_to_12_digits_of(squares.max(1.0), &f, &x)?;
            three_ways_agree(&f, &x)
        });
    }
}

#[test]
fn log_sum_exp_of_numbers_of_any_size_does_not_overflow_and_keeps_its_gradient() {
    for_all(64, reductions(Of::LogSumExp, large_and_tiny()), |(f, x)| {
        the_value_is(&f, &x)?;
        f32_agrees_with_f64(&f, &x)?;
        three_ways_agree(&f, &x)
    });
}

#[test]
fn the_gradient_of_a_log_sum_exp_sums_to_one_even_at_f32_and_ten_thousand() {
    for_all(32, tensor_of(&[7], 9999.0..10001.0f64), |x| {
        let gradient =
            &value_and_gradients(&Reduce { of: Of::LogSumExp, axes: vec![0] }, &[x.cast::<f32>()])[1];
        let sum: f32 = gradient.data().iter().sum();
        prop_assert!((sum - 1.0).abs() < 1e-5, "the gradient of logsumexp sums to {sum}");
        Ok(())
    });
}

/// Σ or mean over all entries, by the methods that say so.
#[derive(Debug)]
enum OverAll {
    Sum,
    Mean,
}

impl Function for OverAll {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        match self {
            OverAll::Sum => x[0].sum_all(),
            OverAll::Mean => x[0].mean_all(),
        }
    }
}

#[test]
fn a_sum_or_mean_over_all_entries_is_one_number_with_the_right_gradient() {
    for (f, slope) in [(OverAll::Sum, 1.0), (OverAll::Mean, 1.0 / 6.0)] {
        let x = Tensor::from_fn([2, 3], |i| i as f64);
        let found = value_and_gradients(&f, std::slice::from_ref(&x));
        assert_eq!((found[0].shape().len(), found[0].item()), (0, 15.0 * slope), "{f:?}");
        assert_eq!(found[1], Tensor::full([2, 3], slope), "{f:?}");
        three_ways_agree(&f, &[x]).unwrap();
    }
}

#[test]
fn entries_that_tie_for_the_maximum_share_its_gradient_equally() {
    let x = Tensor::new([5], [2.0, 7.0, 7.0, 1.0, 7.0]);
    let max = Reduce { of: Of::Max, axes: vec![0] };
    let third = 1.0 / 3.0;
    let found = value_and_gradients(&max, std::slice::from_ref(&x));
    assert_eq!((found[0].item(), found[1].data()), (7.0, &[0.0, third, third, 0.0, third][..]));
    for (entry, tied) in gradcheck(&max, &[("x", x)]).entries.iter().zip([false, true, true, false, true]) {
        assert_eq!(matches!(entry.verdict, Verdict::Kink { .. }), tied, "max at a tie: {entry}");
        assert!(entry.verdict.ok(), "max at a tie: {entry}");
    }
}

#[test]
fn over_no_entries_a_sum_is_zero_a_mean_is_no_number_and_log_sum_exp_is_minus_infinity() {
    let over_none =
        |of| value_and_gradients(&Reduce { of, axes: vec![0] }, &[Tensor::<f64>::zeros([0, 2])])[0].clone();
    assert_eq!(over_none(Of::Sum), Tensor::zeros([2]));
    assert!(over_none(Of::Mean).data().iter().all(|y| y.is_nan()));
    assert_eq!(over_none(Of::LogSumExp), Tensor::full([2], f64::NEG_INFINITY));
}

#[test]
fn log_sum_exp_of_nothing_but_minus_infinity_is_minus_infinity_with_gradient_zero() {
    let x = Tensor::full([3], f64::NEG_INFINITY);
    let found = value_and_gradients(&Reduce { of: Of::LogSumExp, axes: vec![0] }, &[x]);
    assert_eq!((found[0].item(), found[1].data()), (f64::NEG_INFINITY, &[0.0; 3][..]));
}

#[test]
fn the_unbiased_variance_of_a_single_entry_is_no_number() {
    let found = value_and_gradients(
        &Reduce { of: Of::Var { correction: 1 }, axes: vec![0] },
        &[Tensor::<f64>::ones([1])],
    );
    assert!(found[0].item().is_nan());
}
