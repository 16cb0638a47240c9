//! Rotary positions: pairs of numbers turned by an angle that grows with the position.
//!
//! ```text
//! θ = position·base^(−2i/e)     y₁ = x₁·cos θ − x₂·sin θ     y₂ = x₂·cos θ + x₁·sin θ
//! ```
//!
//! for the pairs (x₁, x₂) = (`x[i]`, `x[i + e/2]`) of each head of e numbers. (J. Su et al., "RoFormer", 2021; the pairs are
//! those of Llama's checkpoints, which lie half a head apart.)

use crate::{Float, Tensor};

/// cos θ and sin θ of every pair for the positions `first..first + n`: `[n, e/2, 2]`.
pub fn turns<T: Float>(first: usize, n: usize, e: usize, base: f64) -> Tensor<T> {
    let slowness: Vec<f64> = (0..e / 2).map(|i| base.powf(2.0 * i as f64 / e as f64)).collect();
    Tensor::build([n, e / 2, 2], |turns| {
        let pairs = (first..first + n).flat_map(|position| slowness.iter().map(move |s| position as f64 / s));
        for (turn, angle) in turns.as_chunks_mut::<2>().0.iter_mut().zip(pairs) {
            *turn = [T::from_f64(angle.cos()), T::from_f64(angle.sin())];
        }
    })
}

/// Turns every head of a row by the [`turns`] of its position.
///
/// # Panics
/// If there are no turns.
pub fn turn<T: Float>(heads: &mut [T], turns: &[[T; 2]]) {
    for head in heads.chunks_exact_mut(2 * turns.len()) {
        let (first, second) = head.split_at_mut(turns.len());
        for i in 0..turns.len() {
            let (x1, x2, [cos, sin]) = (first[i], second[i], turns[i]);
            (first[i], second[i]) = (x1 * cos - x2 * sin, x2 * cos + x1 * sin);
        }
    }
}

/// Turns it back.
pub fn turn_back<T: Float>(heads: &mut [T], turns: &[[T; 2]]) {
    for head in heads.chunks_exact_mut(2 * turns.len()) {
        let (first, second) = head.split_at_mut(turns.len());
        for i in 0..turns.len() {
            let (x1, x2, [cos, sin]) = (first[i], second[i], turns[i]);
            (first[i], second[i]) = (x1 * cos + x2 * sin, x2 * cos - x1 * sin);
        }
    }
}
