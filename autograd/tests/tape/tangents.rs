//! Dual numbers, and the gradient check that stands on them.

use autograd::gradcheck::{Function, GradCheck, Verdict, gradcheck, hessian_vector_product};
use autograd::{Dual, Float, Tape, Tensor, Var};

#[test]
fn dual_numbers_carry_exact_directional_derivatives() {
    let tape = Tape::<Dual<f64>>::new();
    let x = tape.leaf(Tensor::scalar(Dual::new(0.5, 1.0)));
    let y = (x * x).exp() / (1.0 + x.tanh());
    let (t, e) = (0.5f64.tanh(), 0.25f64.exp());
    let exact = (2.0 * 0.5 * e * (1.0 + t) - e * (1.0 - t * t)) / ((1.0 + t) * (1.0 + t));
    assert!((y.value().item().tangent - exact).abs() < 1e-15);
}

/// x₀²·x₁, whose Hessian is [[2x₁, 2x₀], [2x₀, 0]].
struct Cubic;
impl Function for Cubic {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let (a, b) = (x[0].slice(0, 0..1), x[0].slice(0, 1..2));
        a * a * b
    }
}

#[test]
fn dual_numbers_under_the_tape_give_hessian_vector_products() {
    let (x, v) = (Tensor::new([2], [3.0, 5.0]), Tensor::new([2], [1.0, -2.0]));
    let product = hessian_vector_product(&Cubic, &[x], &Tensor::ones([1]), &[v]);
    assert_eq!(product[0].data(), [2.0 * 5.0 - 2.0 * 6.0, 6.0]);
}

/// relu, which has a kink at 0.
struct Relu;
impl Function for Relu {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].relu()
    }
}

#[test]
fn a_kink_is_reported_as_a_kink_and_not_as_an_error() {
    let report = gradcheck(&Relu, &[("x", Tensor::new([3], [-1.0, 0.0, 1.0]))]);
    assert!(report.ok(), "{report}");
    let kinks: Vec<bool> =
        report.entries.iter().map(|entry| matches!(entry.verdict, Verdict::Kink { .. })).collect();
    assert_eq!(kinks, [false, true, false]);
}

#[test]
fn a_large_input_is_checked_along_random_directions() {
    let x = Tensor::from_fn([30, 30], |i| (i as f64).sin());
    let check = GradCheck { directions: 3, ..GradCheck::default() };
    let report = check.run(&Relu, &[("x", x)]);
    assert!(report.ok(), "{report}");
    assert_eq!(report.entries.len(), 3);
    assert!(report.entries.iter().all(|entry| entry.index.is_none()));
    assert!(report.to_string().contains("a random direction"), "{report}");
}

#[test]
fn a_report_names_the_input_the_entry_the_three_values_and_the_verdict() {
    let report = gradcheck(&Cubic, &[("weights", Tensor::new([2], [3.0, 5.0]))]);
    let line = report.entries[0].to_string();
    for part in ["weights", "[0]", "reverse +3.0", "forward +3.0", "difference +3.0", "all three agree"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}
