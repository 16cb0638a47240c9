//! Is a gradient right? Three ways to compute it have to agree.
//!
//! ```text
//! reverse      one walk back over the tape                 every entry at once, by the vjp rules
//! forward      Dual numbers through the forward rules      exact, one direction a run, no vjp involved
//! difference   (f(x + h) − f(x − h))/2h, extrapolated      no derivative involved at all
//! ```
//!
//! Reverse against forward is sharp (about 10⁻¹²) and finds a wrong vjp; forward against difference finds a
//! wrong derivative of a scalar function, and is aware of kinks, where a difference quotient is not the
//! derivative of anything. All three run at f64.

mod difference;
mod node;
mod report;
mod second_order;
#[cfg(test)]
mod tests;

pub use difference::{Difference, difference};
pub use node::{Fault, NodeCheck, check_node};
pub use report::{Entry, Report, Verdict};
pub use second_order::{SecondOrder, check_second_order, hessian_vector_product};

use crate::{Dual, Float, Tape, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A function of some tensors, written once for every scalar, so that it can be run in each of the three ways.
///
/// It may return any shape: what is checked is the gradient of a fixed random weighting of its entries.
pub trait Function {
    /// y = f(x₀, x₁, …) on the tape of its inputs.
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T>;
}

/// How to check. `GradCheck::default()` suits a function of small tensors.
#[derive(Clone, Copy, Debug)]
pub struct GradCheck {
    /// Inputs with at most this many entries are checked entry by entry, larger ones along random directions.
    pub exhaustive_up_to: usize,
    /// How many random directions a larger input is checked along.
    pub directions: usize,
    /// Largest distance of reverse from forward, relative to the size of that input's gradient: its largest entry, or along
    /// random directions its Euclidean norm; at least the derivative itself.
    pub forward_tolerance: f64,
    /// Largest distance of forward from difference, relative likewise, beyond the difference's own error.
    pub difference_tolerance: f64,
    /// Seed of the random weights and directions.
    pub seed: u64,
}

impl Default for GradCheck {
    fn default() -> Self {
        GradCheck {
            exhaustive_up_to: 256,
            directions: 4,
            forward_tolerance: 1e-11,
            difference_tolerance: 1e-7,
            seed: 0,
        }
    }
}

/// What rounding alone can make of a derivative that ought to be 0, for numbers of ordinary size: sums of terms that
/// cancel keep an error of their size times 10⁻¹⁶.
const ROUNDING: f64 = 1e-14;
/// The same for difference quotients, which divide that error by the step.
const ROUNDING_OF_DIFFERENCES: f64 = 1e-11;

/// Checks the gradient of `f` with respect to each named input, with the default settings.
pub fn gradcheck(f: &impl Function, x: &[(&str, Tensor<f64>)]) -> Report {
    GradCheck::default().run(f, x)
}

impl GradCheck {
    /// Checks the gradient of `f` with respect to each named input.
    pub fn run(&self, f: &impl Function, x: &[(&str, Tensor<f64>)]) -> Report {
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        let values: Vec<Tensor<f64>> = x.iter().map(|(_, x)| x.clone()).collect();
        let weights = random_weights(f, &values, &mut generator);
        let gradients = reverse(f, &values, &weights);

        let mut entries = Vec::new();
        for (input, (name, value)) in x.iter().enumerate() {
            let gradient = &gradients[input];
            let exhaustive = value.numel() <= self.exhaustive_up_to;
            let number = if exhaustive { value.numel() } else { self.directions };
            for i in 0..number {
                let direction = match exhaustive {
                    true => Tensor::from_fn(value.shape(), |entry| f64::from(u8::from(entry == i))),
                    false => random_direction(value, &mut generator),
                };
                let index = exhaustive.then(|| value.index_of(i));
                let scale = if exhaustive { largest(gradient) } else { dot(gradient, gradient).sqrt() };
                entries
                    .push(self.entry(f, &values, &weights, input, name, index, &direction, gradient, scale));
            }
        }
        Report { entries }
    }

    fn entry(
        &self,
        f: &impl Function,
        x: &[Tensor<f64>],
        weights: &Tensor<f64>,
        input: usize,
        name: &str,
        index: Option<Vec<usize>>,
        direction: &Tensor<f64>,
        gradient: &Tensor<f64>,
        scale: f64,
    ) -> Entry {
        let reverse = dot(gradient, direction);
        let forward = forward(f, x, weights, input, direction);
        let along = |t: f64| {
            let mut x = x.to_vec();
            x[input] = x[input].zip(direction, |x, direction| x + t * direction);
            value(f, &x, weights)
        };
        let difference = difference(along);
        let verdict = self.judge(reverse, forward, &difference, scale);
        Entry { name: name.to_owned(), index, reverse, forward, difference: difference.value, verdict }
    }

    /// What to make of the three values of a derivative, where those of that input are of the size `scale`.
    pub fn judge(&self, reverse: f64, forward: f64, difference: &Difference, scale: f64) -> Verdict {
        let scale = scale.max(reverse.abs()).max(forward.abs());
        let agree = |a: f64, b: f64, tolerance: f64| (a - b).abs() <= tolerance;
        if !agree(reverse, forward, self.forward_tolerance * scale + ROUNDING) {
            return Verdict::ReverseDiffersFromForward;
        }
        let difference_tolerance = self.difference_tolerance * scale + 4.0 * difference.error;
        if agree(forward, difference.value, difference_tolerance + ROUNDING_OF_DIFFERENCES) {
            // On a kink as symmetric as that of |x| the central difference agrees with the middle slope.
            if let Some((left, right)) = difference.kink
                && (right - left).abs() > 1e-3 * scale.max(left.abs()).max(right.abs()).max(1e-2)
            {
                return Verdict::Kink { left, right };
            }
            return match difference.error <= 1e-3 * scale.max(1e-3) {
                true => Verdict::Agree,
                false => Verdict::DifferenceTooNoisy,
            };
        }
        match difference.kink {
            Some((left, right)) => {
                let (low, high) = (left.min(right), left.max(right));
                let slack = 1e-4 * (high - low);
                match (low - slack..=high + slack).contains(&reverse) {
                    true => Verdict::Kink { left, right },
                    false => Verdict::OutsideKink { left, right },
                }
            }
            None => Verdict::DifferenceDiffers,
        }
    }
}

/// Σ weights·f(x): the one number whose gradient is checked.
fn value(f: &impl Function, x: &[Tensor<f64>], weights: &Tensor<f64>) -> f64 {
    let tape = Tape::new();
    let x: Vec<Var<f64>> = x.iter().map(|x| tape.constant(x.clone())).collect();
    dot(&f.call(&x).value(), weights)
}

/// The gradient by one walk back, for every input; zeros for one that the result does not depend on.
fn reverse(f: &impl Function, x: &[Tensor<f64>], weights: &Tensor<f64>) -> Vec<Tensor<f64>> {
    let tape = Tape::new();
    let leaves: Vec<Var<f64>> = x.iter().map(|x| tape.leaf(x.clone())).collect();
    let gradients = f.call(&leaves).backward_from(weights.clone());
    let zeros = |x: &Var<f64>| Tensor::zeros(x.shape());
    leaves.iter().map(|x| gradients.get(*x).cloned().unwrap_or_else(|| zeros(x))).collect()
}

/// The derivative along `direction` in one input, by dual numbers.
fn forward(
    f: &impl Function,
    x: &[Tensor<f64>],
    weights: &Tensor<f64>,
    input: usize,
    direction: &Tensor<f64>,
) -> f64 {
    let tape = Tape::new();
    let x: Vec<Var<Dual<f64>>> = x
        .iter()
        .enumerate()
        .map(|(i, x)| {
            let tangent = |entry: usize| if i == input { direction.data()[entry] } else { 0.0 };
            tape.constant(Tensor::from_fn(x.shape(), |entry| Dual::new(x.data()[entry], tangent(entry))))
        })
        .collect();
    let y = f.call(&x).value();
    y.data().iter().zip(weights.data()).map(|(y, weight)| y.tangent * weight).sum()
}

fn random_weights(f: &impl Function, x: &[Tensor<f64>], generator: &mut ChaCha8Rng) -> Tensor<f64> {
    let tape = Tape::new();
    let x: Vec<Var<f64>> = x.iter().map(|x| tape.constant(x.clone())).collect();
    let shape = f.call(&x).shape();
    match shape.numel() {
        1 => Tensor::ones(shape),
        _ => Tensor::from_fn(shape, |_| generator.random_range(-1.0..1.0)),
    }
}

/// A random direction of length 1.
fn random_direction(x: &Tensor<f64>, generator: &mut ChaCha8Rng) -> Tensor<f64> {
    let direction = Tensor::from_fn(x.shape(), |_| generator.random_range(-1.0..1.0));
    let length = dot(&direction, &direction).sqrt();
    direction.map(|u| u / length)
}

fn dot(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.data().iter().zip(b.data()).map(|(a, b)| a * b).sum()
}

fn largest(x: &Tensor<f64>) -> f64 {
    x.data().iter().fold(0.0, |largest, x| largest.max(x.abs()))
}
