//! Exclusive or, which no straight line separates, learned by a perceptron of two layers.
//!
//! `cargo run -p autograd --example xor`

use autograd::{Float, Tape, Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// tanh(x·W₁ + b₁)·W₂ + b₂: `[m, 2] → [m, 1]`
fn mlp<'t, T: Float>(x: Var<'t, T>, [w1, b1, w2, b2]: [Var<'t, T>; 4]) -> Var<'t, T> {
    (x.matmul(w1) + b1).tanh().matmul(w2) + b2
}

/// Prints the loss as it falls, and the table that was learned.
pub fn main() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut normal = |shape: &[usize]| Tensor::from_fn(shape, |_| StandardNormal.sample(&mut random));
    let mut parameters: [Tensor<f64>; 4] = [normal(&[2, 4]), normal(&[4]), normal(&[4, 1]), normal(&[1])];
    let inputs = Tensor::new([4, 2], [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    let answers = Tensor::new([4, 1], [0.0, 1.0, 1.0, 0.0]);

    let mut probabilities = answers.clone();
    for step in 0..=500 {
        let tape = Tape::new();
        let on_tape = parameters.each_ref().map(|parameter| tape.leaf(parameter.clone()));
        let p = mlp(tape.constant(inputs.clone()), on_tape).sigmoid(); // [4, 1]
        let y = tape.constant(answers.clone());
        let loss = -(y * p.ln() + (1.0 - y) * (1.0 - p).ln()).mean_all();
        let gradients = loss.backward();
        if step % 100 == 0 {
            println!("step {step:3}: loss {:.4} nats", loss.value().item());
        }
        parameters = std::array::from_fn(|i| parameters[i].zip(gradients.of(on_tape[i]), |w, dw| w - dw));
        probabilities = p.value();
    }
    for (row, p) in inputs.data().chunks(2).zip(probabilities.data()) {
        println!("{} xor {} = {p:.3}", row[0], row[1]);
    }
    let learned = probabilities.data().iter().zip(answers.data()).all(|(p, y)| (p - y).abs() < 0.1);
    assert!(learned, "it was not learned");
}
