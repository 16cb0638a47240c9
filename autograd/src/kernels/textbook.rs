//! The formulas of pointwise kernels, for every scalar.

use crate::Float;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// σ(x) = 1/(1 + e⁻ˣ), with e to a power that is never positive, so that it does not overflow.
pub fn sigmoid<T: Float>(x: T) -> T {
    if x >= T::ZERO {
        T::ONE / (T::ONE + (-x).exp())
    } else {
        let e = x.exp();
        e / (T::ONE + e)
    }
}

/// u = √(2/π)·(x + 0.044715·x³) and u′
fn gelu_gate<T: Float>(x: T) -> (T, T) {
    let (scale, cubic) = (T::from_f64(FRAC_2_SQRT_PI * FRAC_1_SQRT_2), T::from_f64(0.044715));
    let three = T::from_f64(3.0);
    (scale * (x + cubic * x * x * x), scale * (T::ONE + three * cubic * x * x))
}

/// ½·x·(1 + tanh u)
pub fn gelu<T: Float>(x: T) -> T {
    T::from_f64(0.5) * x * (T::ONE + gelu_gate(x).0.tanh())
}

/// gelu′ = ½·(1 + tanh u) + ½·x·(1 − tanh² u)·u′
pub fn gelu_slope<T: Float>(x: T) -> T {
    let (u, du) = gelu_gate(x);
    let t = u.tanh();
    T::from_f64(0.5) * (T::ONE + t + x * (T::ONE - t * t) * du)
}
