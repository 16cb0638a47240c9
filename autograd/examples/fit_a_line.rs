//! A line through noisy points, by gradient descent: the whole of training in twenty lines.
//!
//! `cargo run -p autograd --example fit_a_line`

use autograd::{Tape, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Prints the loss as it falls, and the line that was found.
pub fn main() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let x = Tensor::from_fn([100], |i| i as f64 / 50.0 - 1.0);
    let y = x.map(|x| 3.0 * x - 1.0); // the truth,
    let y = y.zip(&Tensor::from_fn([100], |_| random.random_range(-0.2..0.2)), |y, noise| y + noise); // seen badly

    let (mut slope, mut intercept) = (Tensor::scalar(0.0), Tensor::scalar(0.0));
    for step in 0..=200 {
        let tape = Tape::new();
        let [a, b] = [&slope, &intercept].map(|parameter| tape.leaf(parameter.clone()));
        let error = a * tape.constant(x.clone()) + b - tape.constant(y.clone()); // [100]
        let loss = error.powi(2).mean_all();
        let gradients = loss.backward();
        if step % 50 == 0 {
            println!(
                "step {step:3}: loss {:.4}, y = {:.3}·x + {:.3}",
                loss.value().item(),
                slope.item(),
                intercept.item()
            );
        }
        slope = slope.zip(gradients.of(a), |a, gradient| a - 0.1 * gradient);
        intercept = intercept.zip(gradients.of(b), |b, gradient| b - 0.1 * gradient);
    }
    assert!(
        (slope.item() - 3.0).abs() < 0.1 && (intercept.item() + 1.0).abs() < 0.1,
        "the line was not found"
    );
}
