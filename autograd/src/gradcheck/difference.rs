//! The derivative of a function of one number without any rule: difference quotients, extrapolated to h → 0.
//!
//! ```text
//! D(h) = (f(h) − f(−h))/2h = f′ + c₂h² + c₄h⁴ + …
//! ```
//!
//! A table of D at shrinking h removes one power of h² after the other (Ridders 1982, "Accurate computation of
//! F′(x) and F′(x)·F″(x)"). Two neighbours in the table that agree tell how good they are. A kink is looked for apart:
//! by the slopes of the two sides, at two steps.

/// A derivative at 0 by differences.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The best estimate of f′(0).
    pub value: f64,
    /// How far it may be off, as far as the table can tell.
    pub error: f64,
    /// The slopes to the left and to the right, where they differ.
    pub kink: Option<(f64, f64)>,
}

const FIRST_STEP: f64 = 2e-2;
const SHRINK: f64 = 2.0;
const ROWS: usize = 9;

/// f′(0), from values of f alone.
pub fn difference(f: impl Fn(f64) -> f64) -> Difference {
    let mut best = Difference { value: f64::NAN, error: f64::INFINITY, kink: None };
    let mut above = [0.0; ROWS]; // the table's previous row
    let mut step = FIRST_STEP;
    for row in 0..ROWS {
        let (right, left) = (f(step), f(-step));
        let mut current = [0.0; ROWS];
        current[0] = (right - left) / (2.0 * step);
        let rounding = f64::EPSILON * right.abs().max(left.abs()).max(1.0) / step;
        let mut power = 1.0;
        for column in 1..=row {
            power *= SHRINK * SHRINK;
            current[column] = (power * current[column - 1] - above[column - 1]) / (power - 1.0);
            let up = (current[column] - above[column - 1]).abs();
            let side = (current[column] - current[column - 1]).abs();
            let error = up.max(side) + rounding;
            if error < best.error {
                best = Difference { value: current[column], error, kink: None };
            }
        }
        above = current;
        step /= SHRINK;
    }
    Difference { kink: kink(&f), ..best }
}

/// The slopes of the two sides, if they differ by much more than a smooth function's would: then their
/// distance does not shrink with the step.
fn kink(f: &impl Fn(f64) -> f64) -> Option<(f64, f64)> {
    let middle = f(0.0);
    let sides = |h: f64| ((middle - f(-h)) / h, (f(h) - middle) / h);
    let (coarse, fine) = (sides(1e-4), sides(1e-6));
    let gap = |(left, right): (f64, f64)| (right - left).abs();
    let noise = 1e-7 * (1.0 + middle.abs()); // far above rounding, some 10⁻¹⁶·|f| over the step of 10⁻⁶
    (gap(fine) > 0.2 * gap(coarse) + noise).then_some(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extrapolated_differences_find_the_slope_of_smooth_functions_to_ten_digits() {
        for (f, slope) in [
            ((|t: f64| (1.0 + t).exp()) as fn(f64) -> f64, 1f64.exp()),
            (|t| (0.3 + t).sin(), 0.3f64.cos()),
            (|t| 1.0 / (0.5 + t), -4.0),
            (|t| (3.0 * t).tanh(), 3.0),
        ] {
            let found = difference(f);
            assert!((found.value - slope).abs() < 1e-10, "{found:?} should be {slope}");
            assert!(found.error < 1e-8 && found.kink.is_none(), "{found:?}");
        }
    }

    #[test]
    fn a_kink_is_recognised_with_the_slopes_of_both_sides() {
        let (left, right) = difference(|t: f64| t.abs() + 2.0 * t).kink.expect("|t| has a kink at 0");
        assert!((left - 1.0).abs() < 1e-6 && (right - 3.0).abs() < 1e-6, "left {left}, right {right}");
    }
}
