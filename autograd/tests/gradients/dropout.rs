//! Dropout with a seed, and detach.

use crate::draw::{ordinary, tensor};
use crate::prove::{
    checked, f32_agrees_with_f64, for_all, second_order_agrees, three_ways_agree, value_and_gradients,
};
use autograd::gradcheck::{Function, Verdict};
use autograd::{Float, Tape, Tensor, Var};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
struct Dropout {
    p: f64,
    seed: u64,
}

impl Function for Dropout {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].dropout(self.p, self.seed)
    }
}

fn dropouts() -> impl Strategy<Value = (Dropout, Tensor<f64>)> {
    let p = prop_oneof![Just(0.0), Just(1.0), 0.1..0.9f64];
    ((p, any::<u64>()).prop_map(|(p, seed)| Dropout { p, seed }), tensor(ordinary()))
}

#[test]
pub fn dropout_has_the_gradient_of_its_mask() {
    for_all(64, dropouts(), |(f, x)| three_ways_agree(&f, &[x]));
}

#[test]
fn dropout_at_f32_drops_what_it_drops_at_f64() {
    for_all(64, dropouts(), |(f, x)| f32_agrees_with_f64(&f, &[x]));
}

#[test]
fn dropout_is_linear_and_has_no_second_derivative() {
    for_all(32, dropouts(), |(f, x)| second_order_agrees(&f, &[x]));
}

#[test]
fn an_entry_is_dropped_or_divided_by_the_share_that_is_kept() {
    for_all(64, dropouts(), |(f, x)| {
        let y = &value_and_gradients(&f, std::slice::from_ref(&x))[0];
        for (&y, &x) in y.data().iter().zip(x.data()) {
            let kept = f.p < 1.0 && (y - x / (1.0 - f.p)).abs() <= 1e-14 * y.abs();
            prop_assert!(y == 0.0 || kept, "{f:?} of {x} is {y}");
        }
        Ok(())
    });
}

#[test]
fn the_share_that_is_dropped_is_p_and_the_mean_stays() {
    let n = 100_000;
    for p in [0.1, 0.5, 0.9] {
        let y = &value_and_gradients(&Dropout { p, seed: 3 }, &[Tensor::<f64>::ones([n])])[0];
        let dropped = y.data().iter().filter(|&&y| y == 0.0).count() as f64;
        let deviation = (n as f64 * p * (1.0 - p)).sqrt();
        assert!((dropped - n as f64 * p).abs() < 5.0 * deviation, "p = {p}: {dropped} of {n} were dropped");
        let mean = y.data().iter().sum::<f64>() / n as f64;
        assert!((mean - 1.0).abs() < 5.0 * deviation / n as f64 / (1.0 - p), "p = {p}: the mean is {mean}");
    }
}

#[test]
fn without_probability_nothing_is_dropped_and_with_certainty_everything() {
    let x = Tensor::<f64>::from_fn([50], |i| i as f64 + 1.0);
    let y = |p| value_and_gradients(&Dropout { p, seed: 0 }, std::slice::from_ref(&x))[0].clone();
    assert_eq!(y(0.0), x);
    assert_eq!(y(1.0), Tensor::zeros([50]));
}

#[test]
fn the_same_seed_drops_the_same_entries_and_another_seed_others() {
    let y = |seed| value_and_gradients(&Dropout { p: 0.5, seed }, &[Tensor::<f64>::ones([64])])[0].clone();
    assert_eq!(y(1), y(1));
    assert_ne!(y(1), y(2));
}

#[test]
fn the_mask_of_a_part_is_the_part_of_the_mask_wherever_it_begins() {
    let tape = Tape::<f64>::new();
    let ones = |n: usize| tape.constant(Tensor::ones([n]));
    let n = 40_000; // more than one piece, of which each thread makes its own
    let whole = ones(n).dropout(0.5, 3).value();
    for before in [0, 1, 15, 16, 17, 63, 64, 100, 255, 256, 257, 16383, 16384, 16385, n - 1] {
        let part = ones(n - before).dropout_after(before, 0.5, 3).value();
        assert!(part.data() == &whole.data()[before..], "after {before} entries");
    }
}

/// x·detach(x): one factor is a constant.
#[derive(Debug)]
struct OneFactorDetached;

impl Function for OneFactorDetached {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0] * x[0].detach()
    }
}

#[test]
pub fn detach_is_a_constant_in_reverse_and_forward_mode_and_only_differences_see_through_it() {
    for_all(16, tensor(prop_oneof![0.5..2.0f64]), |x| {
        for entry in checked(&OneFactorDetached, &[("x", x.clone())]).entries {
            prop_assert!(entry.verdict == Verdict::DifferenceDiffers, "{entry}");
            prop_assert!((entry.difference - 2.0 * entry.reverse).abs() < 1e-8, "(x²)′ is twice x: {entry}");
        }
        Ok(())
    });
}
