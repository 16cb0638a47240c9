//! Rotary positions: equal to the composition of primitives, and a matter of distance alone.

use crate::draw::{ordinary, tensor_of};
use crate::prove::{
    Textbook, are_equal, f32_agrees_with_f64, for_all, second_order_agrees, the_value_is, three_ways_agree,
    value_and_gradients,
};
use autograd::gradcheck::Function;
use autograd::{Float, Tensor, Var};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
struct Rope {
    heads: usize,
    e: usize,
    base: f64,
}

impl Function for Rope {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].rope(self.heads, self.e, self.base)
    }
}

/// The composition of primitives.
#[derive(Clone, Copy, Debug)]
struct Composed(Rope);

impl Function for Composed {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].rope_textbook(self.0.heads, self.0.e, self.0.base)
    }
}

impl Textbook for Rope {
    /// (x₁ + i·x₂)·e^(iθ), number by number.
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        let &Rope { heads, e, base } = self;
        Tensor::from_fn(x[0].shape(), |entry| {
            let [_, position, column] = x[0].index_of(entry)[..] else { unreachable!("three axes") };
            let (i, value) = (column % e % (e / 2), x[0].data()[entry]);
            let (sin, cos) = (position as f64 / base.powf(2.0 * i as f64 / e as f64)).sin_cos();
            match (column < heads * e, column % e < e / 2) {
                (false, _) => value,
                (true, true) => value * cos - x[0].data()[entry + e / 2] * sin,
                (true, false) => value * cos + x[0].data()[entry - e / 2] * sin,
            }
        })
    }
}

/// Heads that are turned, and as many numbers behind them that are not.
fn rows(n: std::ops::Range<usize>) -> impl Strategy<Value = (Rope, Vec<Tensor<f64>>)> {
    let base = prop_oneof![Just(10_000.0), Just(10.0)];
    (base, 0..3usize, n, 1..4usize, 1..4usize, 0..4usize).prop_flat_map(
        |(base, b, n, heads, pairs, behind)| {
            let rope = Rope { heads, e: 2 * pairs, base };
            let x = tensor_of(&[b, n, 2 * heads * pairs + behind], ordinary());
            x.prop_map(move |x| (rope, vec![x]))
        },
    )
}

#[test]
pub fn rotary_positions_have_the_right_gradient() {
    for_all(48, rows(0..5), |(f, x)| three_ways_agree(&f, &x));
}

#[test]
fn rotary_positions_have_the_value_of_a_complex_rotation() {
    for_all(96, rows(0..40), |(f, x)| the_value_is(&f, &x));
}

#[test]
fn rotary_positions_are_equal_to_the_composition_of_primitives() {
    for_all(96, rows(0..9), |(f, x)| are_equal(&f, &Composed(f), &x));
}

#[test]
fn rotary_positions_at_f32_are_those_at_f64() {
    for_all(64, rows(0..40), |(f, x)| f32_agrees_with_f64(&f, &x));
}

#[test]
fn rotary_positions_have_the_right_second_derivative() {
    for_all(16, rows(0..5), |(f, x)| second_order_agrees(&f, &x));
}

#[test]
fn the_product_of_a_turned_query_and_key_depends_on_their_distance_alone() {
    let e = 8;
    let vector = |seed: f64| (0..e).map(move |i| (seed + i as f64 * 0.7).sin()).collect::<Vec<_>>();
    let (n, f) = (12, Rope { heads: 1, e, base: 100.0 });
    let turned = |x: Vec<f64>| {
        let everywhere = Tensor::from_fn([1, n, e], |i| x[i % e]);
        value_and_gradients(&f, &[everywhere])[0].clone()
    };
    let (q, k) = (turned(vector(1.0)), turned(vector(4.0)));
    let score = |m: usize, n: usize| -> f64 { (0..e).map(|i| q.at(&[0, m, i]) * k.at(&[0, n, i])).sum() };
    for distance in 0..n {
        for start in 1..n - distance {
            let (found, expected) = (score(start + distance, start), score(distance, 0));
            assert!(
                (found - expected).abs() < 1e-12,
                "distance {distance} from {start}: {found}, {expected}"
            );
        }
    }
    assert!((score(1, 0) - score(5, 0)).abs() > 1e-3, "the distance has to matter");
}
