//! Causal attention as one op: equal to the composition of primitives, and blind to the future.

use crate::draw::{ordinary, tensor_of};
use crate::prove::{
    Textbook, are_equal, f32_agrees_with_f64, for_all, second_order_agrees, the_value_is, three_ways_agree,
    value_and_gradients,
};
use autograd::gradcheck::Function;
use autograd::kernels::dropout::Dropout;
use autograd::{Float, Tensor, Var};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
pub struct Attention {
    n_head: usize,
    n_head_kv: usize,
    dropout: Option<Dropout>,
}

impl Function for Attention {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].causal_attention_with(self.n_head, self.n_head_kv, self.dropout)
    }
}

/// The composition of primitives.
#[derive(Clone, Copy, Debug)]
pub struct Composed(pub Attention);

impl Function for Composed {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].causal_attention_textbook(self.0.n_head, self.0.n_head_kv, self.0.dropout)
    }
}

impl Textbook for Attention {
    /// y[i] = Σⱼ≤ᵢ wⱼ·v[j] with wⱼ ∝ e^(q[i]·k[j]/√e), head by head.
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        let &Attention { n_head: h, n_head_kv: h_kv, .. } = self;
        let [b, n, width] = x[0].shape()[..] else { unreachable!("three axes") };
        let e = width / (h + 2 * h_kv);
        let part = |item: usize, i: usize, head: usize| {
            &x[0].data()[(item * n + i) * width + head * e..][..e] // the head's vector at position i
        };
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let y = Tensor::<f64>::zeros([b, n, h * e]);
        Tensor::from_fn([b, n, h * e], |entry| {
            let [item, i, column] = y.index_of(entry)[..] else { unreachable!("three axes") };
            let (head, component) = (column / e, column % e);
            let (key, value) = (h + head / (h / h_kv), h + h_kv + head / (h / h_kv));
            let scores = (0..=i).map(|j| dot(part(item, i, head), part(item, j, key)) / (e as f64).sqrt());
            let scores: Vec<f64> = scores.collect();
            let most = scores.iter().fold(f64::NEG_INFINITY, |most, &score| most.max(score));
            let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
            let heard = powers.iter().enumerate().map(|(j, power)| power * part(item, j, value)[component]);
            heard.sum::<f64>() / powers.iter().sum::<f64>()
        })
    }
}

/// Heads, some of which share keys and values, on `[b, n, width]`.
pub fn heads(
    n: std::ops::Range<usize>,
    largest_e: usize,
) -> impl Strategy<Value = (Attention, Vec<Tensor<f64>>)> {
    let sharing = prop_oneof![Just((1, 1)), Just((2, 2)), Just((2, 1)), Just((4, 2))];
    (sharing, 0..3usize, n, 1..=largest_e).prop_flat_map(|((n_head, n_head_kv), b, n, e)| {
        let x = tensor_of(&[b, n, (n_head + 2 * n_head_kv) * e], ordinary());
        x.prop_map(move |x| (Attention { n_head, n_head_kv, dropout: None }, vec![x]))
    })
}

#[test]
pub fn causal_attention_has_the_right_gradient_also_where_heads_share_keys_and_values() {
    for_all(48, heads(0..5, 3), |(f, x)| three_ways_agree(&f, &x));
}

#[test]
fn causal_attention_has_the_value_of_its_formula() {
    for_all(96, heads(0..9, 5), |(f, x)| the_value_is(&f, &x));
}

#[test]
fn causal_attention_is_equal_to_the_composition_of_primitives() {
    for_all(96, heads(0..9, 5), |(f, x)| are_equal(&f, &Composed(f), &x));
}

#[test]
fn at_and_around_the_edges_of_its_blocks_causal_attention_is_still_that_composition() {
    for n in [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100] {
        for (n_head, n_head_kv, e) in [(1, 1, 16), (2, 1, 5)] {
            let f = Attention { n_head, n_head_kv, dropout: None };
            let shape = [2, n, (n_head + 2 * n_head_kv) * e];
            let x = Tensor::from_fn(shape, |i| (i as f64 * 0.37).sin() * 2.0);
            are_equal(&f, &Composed(f), &[x]).unwrap_or_else(|refuted| panic!("n = {n}: {refuted}"));
        }
    }
}

/// The same with dropout of the weights.
fn dropping(f: Attention, p: f64, seed: u64) -> Attention {
    Attention { dropout: Some(Dropout { p, seed, before: 7 }), ..f }
}

#[test]
fn with_dropout_causal_attention_has_the_right_gradient_and_is_the_composition_with_the_same_mask() {
    for_all(32, (heads(0..5, 3), 0.0..1.0, 0..9u64), |((f, x), p, seed)| {
        three_ways_agree(&dropping(f, p, seed), &x)
    });
    for_all(64, (heads(0..9, 5), 0.0..1.0, 0..9u64), |((f, x), p, seed)| {
        let f = dropping(f, p, seed);
        are_equal(&f, &Composed(f), &x)
    });
    for_all(32, (heads(0..40, 9), 0.0..1.0, 0..9u64), |((f, x), p, seed)| {
        f32_agrees_with_f64(&dropping(f, p, seed), &x)
    });
    for n in [15, 17, 33, 64, 65, 150] {
        let f = dropping(Attention { n_head: 2, n_head_kv: 1, dropout: None }, 0.3, 5);
        let x = Tensor::from_fn([2, n, 4 * 5], |i| (i as f64 * 0.37).sin() * 2.0);
        are_equal(&f, &Composed(f), &[x]).unwrap_or_else(|refuted| panic!("n = {n}: {refuted}"));
    }
}

#[test]
fn causal_attention_at_f32_is_the_one_at_f64() {
    for_all(96, heads(0..40, 9), |(f, x)| f32_agrees_with_f64(&f, &x));
}

#[test]
fn causal_attention_has_the_right_second_derivatives() {
    for_all(24, heads(0..5, 3), |(f, x)| second_order_agrees(&f, &x));
}

#[test]
fn scores_of_ten_thousand_neither_overflow_nor_lose_the_gradient() {
    let f = Attention { n_head: 1, n_head_kv: 1, dropout: None };
    let x =
        Tensor::from_fn([1, 6, 3], |i| if i % 3 == 2 { i as f64 } else { 100.0 + (i as f64).sin() * 1e-3 });
    the_value_is(&f, std::slice::from_ref(&x)).unwrap();
    are_equal(&f, &Composed(f), &[x]).unwrap();
}

#[test]
fn what_comes_later_changes_no_bit_of_what_came_before() {
    let f = Attention { n_head: 2, n_head_kv: 2, dropout: None };
    for (n, changed) in [(40, 39), (40, 33), (40, 32), (70, 1)] {
        let x = Tensor::from_fn([1, n, 24], |i| (i as f64 * 0.7).cos());
        let other = Tensor::from_fn([1, n, 24], |i| if i / 24 >= changed { 5.0 } else { x.data()[i] });
        let [y, y_other] = [x, other].map(|x| value_and_gradients(&f, &[x])[0].clone());
        assert_eq!(y.data()[..changed * 8], y_other.data()[..changed * 8], "position {changed} of {n}");
        assert_ne!(y.data()[changed * 8..], y_other.data()[changed * 8..], "the change itself must show");
    }
}

#[test]
fn a_loss_at_one_position_has_no_gradient_at_later_ones() {
    let x = Tensor::<f64>::from_fn([1, 40, 12], |i| (i as f64 * 0.7).cos());
    let tape = autograd::Tape::new();
    let qkv = tape.leaf(x);
    let y = qkv.causal_attention(2, 2).slice(1, 34..35).sum_all();
    let gradient = y.backward().of(qkv).clone();
    assert!(gradient.data()[35 * 12..].iter().all(|&g| g == 0.0), "a gradient from the future");
    assert!(gradient.data()[..35 * 12].chunks(12).all(|row| row.iter().any(|&g| g != 0.0)));
}
