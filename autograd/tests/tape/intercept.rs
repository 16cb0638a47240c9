//! An intercept exchanges ops; a boxed op is as good as the op.

use super::scalar;
use autograd::{At, Cotangents, Float, Op, Saved, Tape, Tensor, Var};

/// An op with its value, but with twice its vjp.
struct Doubled<T: Float>(Box<dyn Op<T>>);

impl<T: Float> Op<T> for Doubled<T> {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        self.0.forward(x, saved)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let dy = &at.dy.map(|dy| dy + dy);
        self.0.vjp(&At { dy, ..*at }, dx);
    }
}

#[test]
fn an_intercept_exchanges_ops_by_name_and_scope_before_they_run() {
    let tape = Tape::<f64>::new();
    tape.intercept(|op, scope| match (op.name(), scope) {
        ("exp", "mlp") => Box::new(Doubled(op)),
        _ => op,
    });
    let x = scalar(&tape, 0.5);
    let (slope, e) = (|y: Var<f64>| y.backward().of(x).item(), 0.5f64.exp());
    let outside = x.exp();
    let _scope = tape.scope("mlp");
    let inside = x.exp();
    assert_eq!((outside.value().item(), slope(outside)), (e, e));
    assert_eq!((inside.value().item(), slope(inside)), (e, 2.0 * e));
    assert_eq!(slope(x.tanh()), 1.0 - 0.5f64.tanh().powi(2), "another op is left alone");
    assert_eq!(tape.nodes()[inside.index()].op_name(), "exp");
}

#[test]
fn a_boxed_op_says_all_that_the_op_itself_says() {
    let mask = Tensor::new([2], [0.0, 1.0]);
    let [plain, boxed] = [false, true].map(|through_a_box| {
        let tape = Tape::<f64>::new();
        if through_a_box {
            tape.intercept(|op, _| op);
        }
        let x = tape.leaf(Tensor::new([1, 2], [1.0, 2.0]));
        let y = x.matmul_tb(x.masked_fill(&mask, f64::NEG_INFINITY)).scale(0.25);
        let nodes = tape.nodes();
        let said = |node: usize| {
            let op = nodes[node].op.as_ref().expect("an op");
            let values = [&x.value(), &x.value()];
            (op.name(), op.details(), op.flops(&values, &y.value()), op.means_infinity())
        };
        [said(1), said(2), said(3)]
    });
    assert_eq!(plain, boxed);
}
