//! BFGS: downhill by gradients alone, for a handful of unknowns.
//!
//! ```text
//! p = −H·g                         the direction; H ≈ the inverse of the Hessian, at first the identity
//! x ← x + t·p                      t = 1, ½, ¼, … until f falls by at least 10⁻⁴·t·gᵀp (Armijo)
//! H ← (I − ρ·s·yᵀ)·H·(I − ρ·y·sᵀ) + ρ·s·sᵀ        s = Δx, y = Δg, ρ = 1/yᵀs
//! ```
//!
//! Nocedal & Wright 2006, *Numerical Optimization*, algorithm 6.1.

const STEPS: usize = 300;
/// Smaller shares of the value are no progress any more.
const PROGRESS: f64 = 1e-9;
const HALVINGS: usize = 40;
const SMALL_GRADIENT: f64 = 1e-9;

/// A point, and the value there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minimum<const K: usize> {
    /// Where.
    pub x: [f64; K],
    /// How low.
    pub value: f64,
}

/// Walks downhill from a point; `f` gives the value and the gradient.
pub fn minimise<const K: usize>(from: [f64; K], f: impl Fn([f64; K]) -> (f64, [f64; K])) -> Minimum<K> {
    let (mut x, mut h) = (from, identity());
    let (mut value, mut gradient) = f(x);
    for _ in 0..STEPS {
        if dot(&gradient, &gradient).sqrt() < SMALL_GRADIENT || !value.is_finite() {
            break;
        }
        let mut direction = times(&h, &gradient).map(|p| -p);
        if dot(&direction, &gradient) >= 0.0 {
            (h, direction) = (identity(), gradient.map(|g| -g));
        }
        let slope = dot(&direction, &gradient);
        let Some((t, next)) = step(x, value, &direction, slope, &f) else { break };
        let s = direction.map(|p| t * p);
        let y: [f64; K] = std::array::from_fn(|i| next.1[i] - gradient[i]);
        let falls = value - next.0;
        x = std::array::from_fn(|i| x[i] + s[i]);
        (value, gradient) = next;
        if falls < PROGRESS * value {
            break;
        }
        let curvature = dot(&y, &s);
        if curvature > 1e-300 {
            update(&mut h, &s, &y, 1.0 / curvature);
        }
    }
    Minimum { x, value }
}

/// The first step length of 1, ½, ¼, … at which f has fallen enough, with what f gives there.
fn step<const K: usize>(
    x: [f64; K],
    value: f64,
    direction: &[f64; K],
    slope: f64,
    f: impl Fn([f64; K]) -> (f64, [f64; K]),
) -> Option<(f64, (f64, [f64; K]))> {
    let mut t = 1.0;
    for _ in 0..HALVINGS {
        let there = f(std::array::from_fn(|i| x[i] + t * direction[i]));
        if there.0 <= value + 1e-4 * t * slope {
            return Some((t, there));
        }
        t *= 0.5;
    }
    None
}

fn update<const K: usize>(h: &mut [[f64; K]; K], s: &[f64; K], y: &[f64; K], rho: f64) {
    let hy = times(h, y);
    let yhy = dot(y, &hy);
    for i in 0..K {
        for j in 0..K {
            h[i][j] += rho * ((1.0 + rho * yhy) * s[i] * s[j] - hy[i] * s[j] - s[i] * hy[j]);
        }
    }
}

fn identity<const K: usize>() -> [[f64; K]; K] {
    std::array::from_fn(|i| std::array::from_fn(|j| if i == j { 1.0 } else { 0.0 }))
}

fn times<const K: usize>(h: &[[f64; K]; K], x: &[f64; K]) -> [f64; K] {
    std::array::from_fn(|i| dot(&h[i], x))
}

fn dot<const K: usize>(a: &[f64; K], b: &[f64; K]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rosenbrocks_valley_is_followed_to_its_lowest_point() {
        let valley = |[x, y]: [f64; 2]| {
            let (a, b) = (1.0 - x, y - x * x);
            (a * a + 100.0 * b * b, [-2.0 * a - 400.0 * x * b, 200.0 * b])
        };
        let found = minimise([-1.2, 1.0], valley);
        assert!(found.value < 1e-15, "{found:?}");
        assert!(found.x.iter().all(|x| (x - 1.0).abs() < 1e-6), "{found:?}");
    }
}
