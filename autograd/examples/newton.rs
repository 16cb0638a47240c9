//! Second order: Newton's method with Hessian-vector products, against gradient descent in the same valley.
//!
//! ```text
//! step s solves H·s = −∇f        by conjugate gradients, which need H·v for a few v and never H itself
//! ```
//!
//! `cargo run -p autograd --example newton`

use autograd::gradcheck::{Function, hessian_vector_product};
use autograd::{Float, Tape, Tensor, Var};

/// Σᵢ 100·(xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²: a long bent valley with its lowest point at (1, …, 1) (Rosenbrock 1960).
#[derive(Debug)]
struct Valley;

impl Function for Valley {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let n = x[0].shape()[0];
        let (left, right) = (x[0].slice(0, 0..n - 1), x[0].slice(0, 1..n));
        (100.0 * (right - left * left).powi(2) + (1.0 - left).powi(2)).sum_all()
    }
}

fn value_and_gradient(x: &Tensor<f64>) -> (f64, Tensor<f64>) {
    let tape = Tape::new();
    let leaf = tape.leaf(x.clone());
    let y = Valley.call(&[leaf]);
    (y.value().item(), y.backward().of(leaf).clone())
}

fn hessian_times(x: &Tensor<f64>, v: &Tensor<f64>) -> Tensor<f64> {
    let weights = Tensor::scalar(1.0);
    hessian_vector_product(&Valley, std::slice::from_ref(x), &weights, std::slice::from_ref(v)).remove(0)
}

fn dot(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.data().iter().zip(b.data()).map(|(a, b)| a * b).sum()
}

/// Solves H·s = −g by conjugate gradients (Hestenes & Stiefel 1952), as far as the curvature is positive.
fn newton_step(x: &Tensor<f64>, g: &Tensor<f64>) -> Tensor<f64> {
    let mut s = Tensor::zeros(g.shape());
    let mut residual = g.map(|g| -g);
    let mut direction = residual.clone();
    for _ in 0..g.numel() {
        let hd = hessian_times(x, &direction);
        let (curvature, before) = (dot(&direction, &hd), dot(&residual, &residual));
        if curvature <= 0.0 {
            return if dot(&s, &s) > 0.0 { s } else { direction };
        }
        let t = before / curvature;
        s = s.zip(&direction, |s, d| s + t * d);
        residual = residual.zip(&hd, |r, hd| r - t * hd);
        let after = dot(&residual, &residual);
        if after < 1e-20 * dot(g, g) {
            break;
        }
        direction = residual.zip(&direction, |r, d| r + after / before * d);
    }
    s
}

/// The longest of the steps s, s/2, s/4, … that lowers f.
fn shortened(x: &Tensor<f64>, s: &Tensor<f64>) -> Tensor<f64> {
    let here = value_and_gradient(x).0;
    let steps = (0..50).map(|halvings| x.zip(s, |x, s| x + s * 0.5_f64.powi(halvings)));
    steps.into_iter().find(|x| value_and_gradient(x).0 < here).unwrap_or_else(|| x.clone())
}

/// Prints how far each method gets.
pub fn main() {
    let start = Tensor::from_fn([4], |i| if i % 2 == 0 { -1.2 } else { 1.0 });

    let mut x = start.clone();
    for _ in 0..1000 {
        let (_, g) = value_and_gradient(&x);
        x = x.zip(&g, |x, g| x - 1e-3 * g);
    }
    println!("1000 steps of gradient descent: f = {:.6} at {x:.4}", value_and_gradient(&x).0);

    let mut x = start;
    for step in 1.. {
        let (y, g) = value_and_gradient(&x);
        if dot(&g, &g).sqrt() < 1e-9 {
            println!("{} steps of Newton's method: f = {y:.1e} at {x:.4}", step - 1);
            break;
        }
        assert!(step < 100, "Newton's method does not arrive: f = {y}");
        x = shortened(&x, &newton_step(&x, &g));
    }
    assert!(x.data().iter().all(|x| (x - 1.0).abs() < 1e-6), "this is not the lowest point: {x}");
}
