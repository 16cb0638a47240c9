//! Products whose operands are rounded to bfloat16.
//!
//! Differences say nothing of them: rounding is a staircase, flat between its steps. What can be said is exact: value and
//! gradient are those of the same rule at full precision, of operands that have been rounded by hand.

use crate::draw::{ordinary, size};
use crate::prove::{
    checked_value_and_gradients, f32_agrees_with_f64, for_all, near, value_and_gradients, weighting,
};
use crate::{attention, linear, matmul};
use autograd::gradcheck::Function;
use autograd::{Float, Tape, Tensor, Var};
use proptest::test_runner::TestCaseResult;

/// The same function inside `with_bf16`.
#[derive(Clone, Copy, Debug)]
struct InBf16<F>(F);

impl<F: Function> Function for InBf16<F> {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].tape().with_bf16(true, || self.0.call(x))
    }
}

fn rounded(x: &Tensor<f64>) -> Tensor<f64> {
    x.map(Float::round_to_bf16)
}

/// Value and gradients of a product by hand: `x[0]` and `x[1]`, which are its operands, rounded, and for their
/// gradients what arrives as well; a bias and its gradient are not.
fn of_rounded(f: &impl Function, x: &[Tensor<f64>]) -> Vec<Tensor<f64>> {
    let tape = Tape::new();
    let leaf = |(i, x): (usize, &Tensor<f64>)| tape.leaf(if i < 2 { rounded(x) } else { x.clone() });
    let leaves: Vec<Var<f64>> = x.iter().enumerate().map(leaf).collect();
    let y = f.call(&leaves);
    let dy = weighting(&y.shape());
    let of_operands = y.backward_from(rounded(&dy));
    let of_bias = y.backward_from(dy);
    let gradients = leaves.iter().enumerate().map(|(i, &x)| match i < 2 {
        true => of_operands.of(x).clone(),
        false => of_bias.of(x).clone(),
    });
    [y.value()].into_iter().chain(gradients).collect()
}

fn equals(
    found: Vec<Tensor<f64>>,
    expected: Vec<Tensor<f64>>,
    tolerance: f64,
    claim: &str,
) -> TestCaseResult {
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let what = if i == 0 { "the value".to_owned() } else { format!("the gradient of x{}", i - 1) };
        near(found, expected, tolerance, &format!("{claim}, {what}"))?;
    }
    Ok(())
}

#[test]
pub fn a_product_in_bf16_and_its_gradient_are_products_of_rounded_operands() {
    for f in matmul::PRODUCTS {
        for_all(32, matmul::operands(f, size(), ordinary()), |x| {
            let found = checked_value_and_gradients(&InBf16(f), &x);
            equals(found, of_rounded(&f, &x), 1e-13, &format!("{f:?} in bf16"))
        });
    }
    for_all(64, linear::layers(size()), |x| {
        let found = checked_value_and_gradients(&InBf16(linear::Linear), &x);
        equals(found, of_rounded(&linear::Linear, &x), 1e-13, "linear in bf16")
    });
}

#[test]
fn at_f32_a_product_in_bf16_is_what_it_is_at_f64_also_where_a_unit_of_the_processor_does_it() {
    for f in matmul::PRODUCTS {
        for_all(16, matmul::operands(f, 0..70usize, ordinary()), |x| f32_agrees_with_f64(&InBf16(f), &x));
    }
    for_all(24, linear::layers(0..70usize), |x| f32_agrees_with_f64(&InBf16(linear::Linear), &x));
}

#[test]
pub fn a_linear_layer_with_gelu_in_bf16_is_the_composition() {
    for_all(64, linear::with_bias(size()), |x| {
        let found = checked_value_and_gradients(&InBf16(linear::LinearGelu), &x);
        let composed = value_and_gradients(&InBf16(linear::LinearThenGelu), &x);
        equals(found, composed, 1e-11, "linear_gelu in bf16")
    });
}

/// Near, not equal: on the way back aᵢ = Σⱼ Pᵢⱼ·P̄ᵢⱼ is computed as Σⱼ Ȳᵢⱼ·Yᵢⱼ, which is the same sum only before rounding; and
/// what differs there may be rounded the other way in S̄. So a few times 2⁻⁸.
#[test]
pub fn causal_attention_in_bf16_is_near_the_composition() {
    for_all(48, attention::heads(0..9, 4), |(f, x)| {
        let found = checked_value_and_gradients(&InBf16(f), &x);
        let composed = value_and_gradients(&InBf16(attention::Composed(f)), &x);
        near(&found[0], &composed[0], 1e-11, "causal_attention in bf16, the value")?;
        near(&found[1], &composed[1], 6.0 / 256.0, "causal_attention in bf16, the gradient")
    });
}

#[test]
fn rounding_ends_where_the_scope_ends() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::<f64>::new([1, 1], [1.0 + 1.0 / 512.0]));
    let inside = tape.with_bf16(true, || {
        let exact = tape.with_bf16(false, || x.matmul(x));
        assert_eq!(exact.value().item(), (1.0 + 1.0 / 512.0) * (1.0 + 1.0 / 512.0));
        x.matmul(x)
    });
    assert_eq!(inside.value().item(), 1.0);
    assert_eq!(x.matmul(x).value().item(), (1.0 + 1.0 / 512.0) * (1.0 + 1.0 / 512.0));
}
