//! Functions of one number, entry by entry; what they do at a kink and far out.

use crate::draw::{away_from_zero, ordinary, positive, tensor};
use crate::prove::{
    Textbook, f32_agrees_with_f64, for_all, second_order_agrees, the_value_is, three_ways_agree,
    value_and_gradients,
};
use autograd::gradcheck::{Function, Verdict, gradcheck};
use autograd::{Float, Tensor, Var};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Pointwise {
    Exp,
    Ln,
    Sqrt,
    Tanh,
    Sigmoid,
    Silu,
    Gelu,
    GeluErf,
    Abs,
    Relu,
    Clamp { low: f64, high: f64 },
}
use Pointwise::*;

const SMOOTH: [Pointwise; 8] = [Exp, Ln, Sqrt, Tanh, Sigmoid, Silu, Gelu, GeluErf];
const WITH_A_KINK: [Pointwise; 3] = [Abs, Relu, Clamp { low: -1.0, high: 1.0 }];

impl Function for Pointwise {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        match *self {
            Exp => x[0].exp(),
            Ln => x[0].ln(),
            Sqrt => x[0].sqrt(),
            Tanh => x[0].tanh(),
            Sigmoid => x[0].sigmoid(),
            Silu => x[0].silu(),
            Gelu => x[0].gelu(),
            GeluErf => x[0].gelu_erf(),
            Abs => x[0].abs(),
            Relu => x[0].relu(),
            Clamp { low, high } => x[0].clamp(low, high),
        }
    }
}

impl Textbook for Pointwise {
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        x[0].map(|x| match *self {
            Exp => std::f64::consts::E.powf(x),
            Ln => x.log2() * std::f64::consts::LN_2,
            Sqrt => x.powf(0.5),
            Tanh => x.sinh() / x.cosh(),
            Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Silu => x / (1.0 + (-x).exp()),
            Gelu => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                0.5 * x * (1.0 + inner.sinh() / inner.cosh())
            }
            GeluErf => x * normal_distribution(x),
            Abs => x.max(-x),
            Relu => x.max(0.0),
            Clamp { low, high } => x.min(high).max(low),
        })
    }
}

/// Φ(x) = ½ + ∫₀ˣ φ(t) dt with φ(t) = e^(−t²/2)/√(2π), by Simpson's rule.
fn normal_distribution(x: f64) -> f64 {
    let density = |t: f64| (-0.5 * t * t).exp() / std::f64::consts::TAU.sqrt();
    let (steps, h) = (2000, x / 2000.0);
    let weight = |i: i32| if i == 0 || i == steps { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
    0.5 + h / 3.0 * (0..=steps).map(|i| weight(i) * density(h * f64::from(i))).sum::<f64>()
}

/// Where the function is defined and smooth, kinks at a distance.
fn inputs(f: Pointwise) -> BoxedStrategy<Tensor<f64>> {
    match f {
        Ln | Sqrt => tensor(positive()).boxed(),
        Abs | Relu => tensor(away_from_zero()).boxed(),
        Clamp { .. } => tensor(prop_oneof![-3.0..-1.3f64, -0.7..0.7f64, 1.3..3.0f64]).boxed(),
        Exp => tensor(ordinary()).boxed(),
        _ => tensor(-6.0..6.0f64).boxed(),
    }
}

#[test]
pub fn functions_of_one_number_have_the_right_gradient() {
    for f in SMOOTH.into_iter().chain(WITH_A_KINK) {
        for_all(24, inputs(f), |x| three_ways_agree(&f, &[x]));
    }
}

#[test]
fn functions_of_one_number_have_the_value_of_their_formula() {
    for f in SMOOTH.into_iter().chain(WITH_A_KINK) {
        for_all(32, inputs(f), |x| the_value_is(&f, &[x]));
    }
}

#[test]
fn functions_of_one_number_at_f32_are_those_at_f64() {
    for f in SMOOTH.into_iter().chain(WITH_A_KINK) {
        for_all(64, inputs(f), |x| f32_agrees_with_f64(&f, &[x]));
    }
}

#[test]
fn smooth_functions_of_one_number_have_the_right_second_derivative() {
    for f in SMOOTH {
        for_all(16, inputs(f), |x| second_order_agrees(&f, &[x]));
    }
}

/// f at one number: the value, the slope, and what the gradient check says of it.
fn at(f: Pointwise, x: f64) -> (f64, f64, Verdict) {
    let [y, slope] = &value_and_gradients(&f, &[Tensor::scalar(x)])[..] else { unreachable!("one input") };
    (y.item(), slope.item(), gradcheck(&f, &[("x", Tensor::scalar(x))]).entries[0].verdict)
}

/// The verdict at a kink, with the slopes of both sides rounded.
fn kink(verdict: Verdict) -> (f64, f64) {
    let Verdict::Kink { left, right } = verdict else { panic!("the verdict at a kink is {verdict:?}") };
    ((left * 1e4).round() / 1e4, (right * 1e4).round() / 1e4)
}

#[test]
fn the_slope_of_relu_at_its_kink_is_zero() {
    let (y, slope, verdict) = at(Relu, 0.0);
    assert_eq!((y, slope, kink(verdict)), (0.0, 0.0, (0.0, 1.0)));
}

#[test]
fn the_slope_of_abs_at_its_kink_is_zero() {
    let (y, slope, verdict) = at(Abs, 0.0);
    assert_eq!((y, slope, kink(verdict)), (0.0, 0.0, (-1.0, 1.0)));
}

#[test]
fn the_slope_of_clamp_on_its_bounds_is_one() {
    let f = Clamp { low: -1.0, high: 1.0 };
    for (bound, sides) in [(-1.0, (0.0, 1.0)), (1.0, (1.0, 0.0))] {
        let (y, slope, verdict) = at(f, bound);
        assert_eq!((y, slope, kink(verdict)), (bound, 1.0, sides));
    }
}

#[test]
fn far_out_the_saturating_functions_are_their_limits_and_flat_or_straight() {
    for far in [1e2, 1e4, 1e8] {
        for (f, right, left) in [
            (Tanh, (1.0, 0.0), (-1.0, 0.0)),
            (Sigmoid, (1.0, 0.0), (0.0, 0.0)),
            (Silu, (far, 1.0), (0.0, 0.0)),
            (Gelu, (far, 1.0), (0.0, 0.0)),
            (GeluErf, (far, 1.0), (0.0, 0.0)),
        ] {
            for (x, (value, slope)) in [(far, right), (-far, left)] {
                let wide = value_and_gradients(&f, &[Tensor::scalar(x)]);
                approx::assert_abs_diff_eq!(wide[0].item(), value, epsilon = 1e-40);
                approx::assert_abs_diff_eq!(wide[1].item(), slope, epsilon = 1e-40);
                let narrow = value_and_gradients(&f, &[Tensor::scalar(x as f32)]);
                approx::assert_abs_diff_eq!(narrow[0].item(), value as f32, epsilon = 1e-30);
                approx::assert_abs_diff_eq!(narrow[1].item(), slope as f32, epsilon = 1e-30);
            }
        }
    }
}

#[test]
fn near_zero_tanh_silu_and_the_gelus_are_the_first_terms_of_their_series() {
    for x in [1e-4, -1e-8, 1e-30] {
        let gelu = x / 2.0 + x * x / (2.0 * std::f64::consts::PI).sqrt();
        approx::assert_relative_eq!(at(Tanh, x).0, x - x.powi(3) / 3.0, max_relative = 1e-11);
        approx::assert_relative_eq!(at(Silu, x).0, x / 2.0 + x * x / 4.0, max_relative = 1e-11);
        approx::assert_relative_eq!(at(Gelu, x).0, gelu, max_relative = 1e-11);
        approx::assert_relative_eq!(at(GeluErf, x).0, gelu, max_relative = 1e-11);
    }
}

#[test]
fn at_the_edge_of_their_domain_ln_and_sqrt_are_steep_and_beyond_it_they_are_no_numbers() {
    for (f, value_at_zero) in [(Ln, f64::NEG_INFINITY), (Sqrt, 0.0)] {
        let found = value_and_gradients(&f, &[Tensor::scalar(0.0)]);
        assert_eq!((found[0].item(), found[1].item()), (value_at_zero, f64::INFINITY), "{f:?} at 0");
        assert!(value_and_gradients(&f, &[Tensor::scalar(-1f64)])[0].item().is_nan(), "{f:?} at −1");
    }
}

#[test]
fn gpt2s_gelu_stays_within_five_ten_thousandths_of_the_one_by_erf() {
    for i in -600..=600 {
        let x = f64::from(i) / 100.0;
        let distance = (at_value(Gelu, x) - at_value(GeluErf, x)).abs();
        assert!(distance < 5e-4, "at {x} the two forms differ by {distance:e}");
    }
}

fn at_value(f: Pointwise, x: f64) -> f64 {
    value_and_gradients(&f, &[Tensor::scalar(x)])[0].item()
}
