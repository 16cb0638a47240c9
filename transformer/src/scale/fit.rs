//! The law: how the loss falls with parameters and tokens.
//!
//! ```text
//! L(N, D) = E + A/N^α + B/D^β                                                    Hoffmann et al. 2022, eq. 2
//! min over a, b, e, α, β of Σᵢ Huber_δ(LSE(a − α·ln Nᵢ, b − β·ln Dᵢ, e) − ln Lᵢ)         eq. 3, δ = 10⁻³
//! ```
//!
//! with A = eᵃ, B = eᵇ, E = eᵉ. The three arguments of LSE are linear in the five unknowns, so the whole is one product
//! with a matrix, a log-sum-exp, and a sum: a program for a tape, which gives the gradient too. There are many local
//! minima; as in the paper, a grid of starts is tried (all are evaluated, the best are walked down), and the lowest end
//! is the fit.

use super::bfgs::{Minimum, minimise};
use autograd::{Tape, Tensor, Var};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A model of a size, trained on so many tokens, ended at a loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// N, the weights of its layers.
    pub n: f64,
    /// D, the tokens that it was trained on.
    pub d: f64,
    /// L, in nats per token.
    pub loss: f64,
}

/// The five numbers of the law. A and B are kept as logarithms: where losses hardly tell α or β, they may be larger than
/// any number, and still stand for a loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Law {
    /// E: what no size and no number of tokens can undercut, in nats per token.
    pub e: f64,
    /// ln A: the part that falls with parameters.
    pub ln_a: f64,
    /// α: how fast.
    pub alpha: f64,
    /// ln B: the part that falls with tokens.
    pub ln_b: f64,
    /// β: how fast.
    pub beta: f64,
}

/// Beyond this difference in ln L a point pulls no harder.
const DELTA: f64 = 1e-3;
/// How many of the best starts are walked down.
const WALKED: usize = 24;

impl Law {
    /// The law that fits the points best.
    ///
    /// # Panics
    /// If there is no point.
    pub fn fit(points: &[Point]) -> Law {
        let objective = Objective::of(points);
        let mut starts: Vec<Minimum<5>> = grid(points)
            .into_iter()
            .map(|x| Minimum { x, value: objective.value(x) })
            .filter(|start| start.value.is_finite())
            .collect();
        starts.sort_by(|a, b| a.value.total_cmp(&b.value));
        starts.truncate(WALKED);
        Law::lowest(&objective, starts.iter().map(|start| start.x))
    }

    fn lowest(objective: &Objective, starts: impl Iterator<Item = [f64; 5]>) -> Law {
        let ends = starts.map(|start| minimise(start, |x| objective.value_and_gradient(x)));
        let lowest = ends.min_by(|a, b| a.value.total_cmp(&b.value)).expect("there is a start");
        let [ln_a, ln_b, ln_e, alpha, beta] = lowest.x;
        Law { e: ln_e.exp(), ln_a, alpha, ln_b, beta }
    }

    /// Fits to what the points might have been: the law's own losses, each with a residual drawn from all of them, with
    /// replacement (Efron 1979). Residuals of a fit are too small by √((n − 5)/n), five numbers having been fitted to them,
    /// and are stretched by as much. (Drawing points instead would often draw a design that cannot tell N from D.)
    ///
    /// # Panics
    /// If there are fewer than six points.
    pub fn bootstrap(&self, points: &[Point], samples: usize, random: &mut ChaCha8Rng) -> Vec<Law> {
        let n = points.len();
        assert!(n > 5, "{n} points leave nothing over that five numbers do not explain");
        let stretch = (n as f64 / (n - 5) as f64).sqrt();
        let said = |point: &Point| self.loss(point.n, point.d);
        let residuals: Vec<f64> =
            points.iter().map(|point| stretch * (point.loss / said(point)).ln()).collect();
        let fit = [self.ln_a, self.ln_b, self.e.ln(), self.alpha, self.beta];
        let mut sample = || {
            let drawn = points.iter().map(|point| {
                let residual = residuals[crate::random::below(random, n)];
                Point { loss: said(point) * residual.exp(), ..*point }
            });
            let drawn: Vec<Point> = drawn.collect();
            let near = |change: f64| {
                let [a, b, e, alpha, beta] = fit;
                let (steeper, flatter) = (1.0 + change, 1.0 - change);
                [a * steeper, b * flatter, e, alpha * steeper, beta * flatter]
            };
            Law::lowest(&Objective::of(&drawn), [0.0, 0.2, -0.2].map(near).into_iter())
        };
        (0..samples).map(|_| sample()).collect()
    }

    /// L(N, D).
    pub fn loss(&self, n: f64, d: f64) -> f64 {
        self.e + (self.ln_a - self.alpha * n.ln()).exp() + (self.ln_b - self.beta * d.ln()).exp()
    }

    /// The size that makes the loss lowest where N·D is given: there the two parts fall equally fast.
    ///
    /// ```text
    /// αA/N^α = βB/D^β   and   N·D = p   →   N = (αA/βB · p^β)^(1/(α + β))
    /// ```
    pub fn best_size(&self, n_times_d: f64) -> f64 {
        let Law { ln_a, alpha, ln_b, beta, .. } = *self;
        (((alpha / beta).ln() + ln_a - ln_b + beta * n_times_d.ln()) / (alpha + beta)).exp()
    }
}

/// The paper's grid, with E down to losses as low as those of a corpus of small entropy.
fn grid(points: &[Point]) -> Vec<[f64; 5]> {
    let lowest = points.iter().map(|point| point.loss).fold(f64::INFINITY, f64::min).ln();
    let mut starts = Vec::new();
    for a in [0.0, 5.0, 10.0, 15.0] {
        for b in [0.0, 5.0, 10.0, 15.0] {
            for e in [lowest - 1.0, lowest - 0.5, lowest - 0.2, lowest - 0.05] {
                for alpha in [0.25, 0.5, 1.0, 1.5] {
                    for beta in [0.25, 0.5, 1.0, 1.5] {
                        starts.push([a, b, e, alpha, beta]);
                    }
                }
            }
        }
    }
    starts
}

/// The sum of eq. 3 over the points.
struct Objective {
    /// The rows (1, 0, 0, −ln N, 0), (0, 1, 0, 0, −ln D), (0, 0, 1, 0, 0) of each point: `[3·n, 5]`.
    rows: Tensor<f64>,
    /// ln L: `[n]`
    losses: Tensor<f64>,
}

impl Objective {
    fn of(points: &[Point]) -> Self {
        let rows = points.iter().flat_map(|point| {
            [
                [1.0, 0.0, 0.0, -point.n.ln(), 0.0],
                [0.0, 1.0, 0.0, 0.0, -point.d.ln()],
                [0.0, 0.0, 1.0, 0.0, 0.0],
            ]
        });
        let rows: Vec<f64> = rows.flatten().collect();
        let losses: Vec<f64> = points.iter().map(|point| point.loss.ln()).collect();
        Objective {
            rows: Tensor::new([3 * points.len(), 5], rows),
            losses: Tensor::new([points.len()], losses),
        }
    }

    fn on<'t>(&self, tape: &'t Tape<f64>, x: Var<'t, f64>) -> Var<'t, f64> {
        let n = self.losses.numel();
        let terms = tape.constant(self.rows.clone()).matmul(x).reshape([n, 3]); // [n, 3]
        let residual = terms.logsumexp(&[-1]) - tape.constant(self.losses.clone()); // [n]
        // Huber: ½r² up to δ, δ·(|r| − ½δ) beyond; with c = r held between ±δ both are c·(r − ½c).
        let held = residual.clamp(-DELTA, DELTA);
        (held * (residual - held.scale(0.5))).sum_all()
    }

    fn value(&self, x: [f64; 5]) -> f64 {
        let tape = Tape::new();
        tape.no_grad(|| self.on(&tape, tape.constant(Tensor::new([5, 1], x)))).value().item()
    }

    fn value_and_gradient(&self, x: [f64; 5]) -> (f64, [f64; 5]) {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::new([5, 1], x));
        let value = self.on(&tape, x);
        let gradients = value.backward();
        let gradient = gradients.of(x).data();
        // Sums of about 10⁻⁶ and less: in these units the search would stop too early.
        let unit = 1.0 / (DELTA * DELTA);
        (unit * value.value().item(), std::array::from_fn(|i| unit * gradient[i]))
    }
}

/// The values between which the middle 95 % lie; NaN where none is a number.
pub fn interval(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let mut values: Vec<f64> = values.filter(|x| !x.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return [f64::NAN; 2] };
    let at = |share: f64| values[(last as f64 * share).round() as usize];
    [at(0.025), at(0.975)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator, unit};

    /// A = 30, B = 800
    const LAW: Law =
        Law { e: 0.08, ln_a: 3.401_197_381_662_155_5, alpha: 0.6, ln_b: 6.684_611_727_667_927, beta: 0.7 };

    #[test]
    fn a_law_whose_a_is_larger_than_any_number_still_tells_a_loss() {
        let law = Law { ln_a: 1600.0, alpha: 148.0, ..LAW };
        let part = (1600.0 - 148.0 * 5e4_f64.ln()).exp();
        approx::assert_relative_eq!(
            law.loss(5e4, 1e6),
            LAW.e + part + 800.0 / 1e6_f64.powf(0.7),
            max_relative = 1e-12
        );
        let kept = serde_json::to_string(&law).unwrap();
        assert_eq!(serde_json::from_str::<Law>(&kept).unwrap(), law);
    }

    /// Losses of the law, each off by up to `noise` of itself.
    fn points(noise: f64) -> Vec<Point> {
        let mut random = generator(3, Purpose::Evaluation);
        let mut points = Vec::new();
        for n in [3e3, 1e4, 5e4, 1e5, 2e5] {
            for d in [5e5, 1e6, 2e6, 4e6] {
                let off = 1.0 + noise * (2.0 * unit(&mut random) - 1.0);
                points.push(Point { n, d, loss: LAW.loss(n, d) * off });
            }
        }
        points
    }

    #[test]
    fn points_of_a_law_give_back_the_law() {
        let found = Law::fit(&points(0.0));
        for (found, law) in [
            (found.e, LAW.e),
            (found.alpha, LAW.alpha),
            (found.beta, LAW.beta),
            (found.loss(1e6, 1e7), LAW.loss(1e6, 1e7)),
        ] {
            approx::assert_relative_eq!(found, law, max_relative = 1e-3);
        }
    }

    #[test]
    fn an_outlier_pulls_little() {
        let mut points = points(0.0);
        points[7].loss *= 1.3;
        let found = Law::fit(&points);
        approx::assert_relative_eq!(found.e, LAW.e, max_relative = 0.02);
    }

    #[test]
    fn the_bootstrap_covers_the_truth_and_narrows_with_the_noise() {
        let width = |noise: f64| {
            let points = points(noise);
            let fit = Law::fit(&points);
            let laws = fit.bootstrap(&points, 30, &mut generator(1, Purpose::Evaluation));
            let [low, high] = interval(laws.iter().map(|law| law.e));
            assert!(low <= LAW.e && LAW.e <= high, "{low} to {high} at noise {noise}; the fit is {fit:?}");
            high - low
        };
        assert!(width(0.002) < width(0.02));
    }

    #[test]
    fn the_gradient_of_the_objective_is_its_slope() {
        let objective = Objective::of(&points(0.05));
        let x = [3.0, 6.0, -2.5, 0.55, 0.65];
        let (_, gradient) = objective.value_and_gradient(x);
        for i in 0..5 {
            let at = |change: f64| {
                let mut x = x;
                x[i] += change;
                objective.value_and_gradient(x).0
            };
            approx::assert_relative_eq!(gradient[i], (at(1e-6) - at(-1e-6)) / 2e-6, max_relative = 1e-4);
        }
    }

    #[test]
    fn at_the_best_size_no_other_size_does_better_with_the_same_compute() {
        for compute in [1e10, 1e12, 1e14] {
            let best = LAW.best_size(compute);
            let loss = |n: f64| LAW.loss(n, compute / n);
            assert!(loss(best) < loss(1.1 * best) && loss(best) < loss(best / 1.1));
        }
    }
}
