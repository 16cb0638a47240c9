//! Second derivatives: Hessian-vector products, and their check.
//!
//! ```text
//! H·v = d/dt ∇f(x + t·v) at t = 0         forward over reverse: the tape at Dual, seeded with v
//! ```
//!
//! Pearlmutter 1994, "Fast exact multiplication by the Hessian". It costs about as much as two gradients.

use super::{Function, difference, dot, random_direction, random_weights};
use crate::{Dual, Tape, Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// H·v for the Hessian H of Σ `weights`·f at x: one tensor for each input, in its shape.
///
/// # Panics
/// If `v` does not have one direction, of the right shape, for each input, or `weights` is not of f's shape.
#[track_caller]
pub fn hessian_vector_product(
    f: &impl Function,
    x: &[Tensor<f64>],
    weights: &Tensor<f64>,
    v: &[Tensor<f64>],
) -> Vec<Tensor<f64>> {
    let tape = Tape::new();
    let pair = |x: &Tensor<f64>, v: &Tensor<f64>| {
        Tensor::from_fn(x.shape(), |i| Dual::new(x.data()[i], v.data()[i]))
    };
    assert_eq!(x.len(), v.len(), "one direction for each input");
    let fits = x.iter().zip(v).all(|(x, v)| x.shape() == v.shape());
    assert!(fits, "a direction has the shape of its input");
    let leaves: Vec<Var<Dual<f64>>> = x.iter().zip(v).map(|(x, v)| tape.leaf(pair(x, v))).collect();
    let gradients = f.call(&leaves).backward_from(weights.cast());
    let tangents = |g: &Tensor<Dual<f64>>| Tensor::from_fn(g.shape(), |i| g.data()[i].tangent);
    let zeros = |x: &Var<Dual<f64>>| Tensor::zeros(x.shape());
    leaves.iter().map(|x| gradients.get(*x).map_or_else(|| zeros(x), tangents)).collect()
}

/// The Hessian seen along two random directions u and v, in three ways that have to agree.
#[derive(Clone, Copy, Debug)]
pub struct SecondOrder {
    /// uᵀ(H·v)
    pub u_hv: f64,
    /// vᵀ(H·u): equal to it, since a Hessian is symmetric.
    pub v_hu: f64,
    /// uᵀ·d/dt ∇f(x + t·v), by differences of gradients.
    pub difference: f64,
    /// How far the difference may be off.
    pub difference_error: f64,
}

impl SecondOrder {
    /// Whether the three agree: symmetric to 1e-10, equal to the difference to 1e-6, relative. A difference
    /// that is off by an unknown amount (near a kink of the gradient) proves nothing and does not pass.
    pub fn ok(&self) -> bool {
        let scale = self.u_hv.abs().max(self.v_hu.abs()).max(1e-6);
        let symmetric = (self.u_hv - self.v_hu).abs() <= 1e-10 * scale;
        let close = (self.u_hv - self.difference).abs() <= 1e-6 * scale + 4.0 * self.difference_error;
        symmetric && close && self.difference_error <= 1e-4 * scale
    }
}

/// Checks the Hessian of a fixed random weighting of `f` along random directions.
pub fn check_second_order(f: &impl Function, x: &[Tensor<f64>], seed: u64) -> SecondOrder {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let weights = random_weights(f, x, &mut generator);
    let mut directions = || x.iter().map(|x| random_direction(x, &mut generator)).collect::<Vec<_>>();
    let (u, v) = (directions(), directions());
    let along = |a: &[Tensor<f64>], b: &[Tensor<f64>]| a.iter().zip(b).map(|(a, b)| dot(a, b)).sum::<f64>();

    let slope = |t: f64| {
        let moved: Vec<_> = x.iter().zip(&v).map(|(x, v)| x.zip(v, |x, v| x + t * v)).collect();
        along(&u, &super::reverse(f, &moved, &weights))
    };
    let difference = difference(slope);
    SecondOrder {
        u_hv: along(&u, &hessian_vector_product(f, x, &weights, &v)),
        v_hu: along(&v, &hessian_vector_product(f, x, &weights, &u)),
        difference: difference.value,
        difference_error: difference.error,
    }
}
