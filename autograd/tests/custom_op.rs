//! An op that lives outside the crate is an op like any other: `examples/custom_op.rs`, proven.

#[path = "../examples/custom_op.rs"]
mod example;

use autograd::gradcheck::{check_second_order, gradcheck};
use autograd::{Tape, Tensor};

#[test]
fn an_op_from_outside_has_the_gradient_that_its_formula_says() {
    let x = Tensor::new([5], [-700.0, -2.0, 0.25, 1.0, 30.0]);
    gradcheck(&example::Checked, &[("x", x.clone())]).assert_ok();
    assert!(check_second_order(&example::Checked, &[Tensor::new([2], [-0.5, 1.5])], 3).ok());

    let tape = Tape::new();
    let leaf = tape.leaf(x.clone());
    let y = tape.apply(example::LogCosh, &[leaf]);
    let gradients = y.sum_all().backward();
    for (i, &x) in x.data().iter().enumerate() {
        approx::assert_relative_eq!(gradients.of(leaf).data()[i], x.tanh(), max_relative = 1e-14);
        let expected = if x.abs() > 300.0 { x.abs() - 2f64.ln() } else { x.cosh().ln() };
        approx::assert_relative_eq!(y.value().data()[i], expected, max_relative = 1e-12);
    }
}

#[test]
fn the_example_runs() {
    example::main();
}
