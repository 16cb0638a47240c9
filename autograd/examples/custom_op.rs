//! An op of your own, from outside the crate: its formula, its two rules, and the proof that they belong together.
//!
//! `cargo run -p autograd --example custom_op`

use autograd::gradcheck::{Function, gradcheck};
use autograd::{At, Cotangents, Float, Op, Saved, Tape, Tensor, Var};

/// ```text
/// y = ln cosh x          x̄ = ȳ·tanh x
/// ```
/// Nearly ½x² for small x and |x| − ln 2 for large ones: a loss that forgives outliers.
pub struct LogCosh;

impl<T: Float> Op<T> for LogCosh {
    fn name(&self) -> &'static str {
        "log_cosh"
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        // |x| + ln(1 + e^(−2|x|)) − ln 2, which does not overflow
        let two = T::from_f64(2.0);
        x[0].map(|x| x.abs() + (T::ONE + (-two * x.abs()).exp()).ln() - two.ln())
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || at.dy.zip(at.x[0], |dy, x| dy * x.tanh()));
    }
}

/// The op as a function of numbers of any kind, so that it can be run in three ways and compared.
#[derive(Debug)]
pub struct Checked;

impl Function for Checked {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].tape().apply(LogCosh, &[x[0]])
    }
}

/// Prints the tape, the gradient, and what the check says of it.
pub fn main() {
    let tape = Tape::new();
    let x = tape.parameter("x", Tensor::new([4], [-20.0, -0.5, 0.1, 3.0]));
    let loss = tape.apply(LogCosh, &[x]).sum_all();
    let gradients = loss.backward();
    println!("{tape}\nloss {}\n∂loss/∂x = {}\n", loss.value().item(), gradients.of(x));
    print!("{}", gradcheck(&Checked, &[("x", x.value())]));
}
