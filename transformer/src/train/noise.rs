//! How noisy the gradient of a batch is, and which batch size that asks for.
//!
//! ```text
//! G_b = mean of the gradients of b examples        E[G_b] = G        E|G_b − G|² = tr Σ/b        E|G_b|² = |G|² + tr Σ/b
//! ```
//!
//! Of gradients of two sizes, the one and the B that it is a part of, both unknowns follow without bias:
//!
//! ```text
//! |G|² = (B·|G_B|² − |G₁|²)/(B − 1)        tr Σ = (|G₁|² − |G_B|²)/(1 − 1/B)        noise scale = tr Σ/|G|²
//! ```
//!
//! A batch much smaller than the noise scale moves mostly at random, but averages out over steps; one much larger has
//! little left to average. McCandlish et al. 2018, "An empirical model of large-batch training", appendix A.1.

use super::gradient::gradient;
use crate::data::batches::Batch;
use crate::error::Result;
use crate::model::{Gpt, Pass};
use autograd::Tensor;

/// What the examples of a batch say about its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    /// The examples, B: a power of two.
    pub examples: usize,
    /// The largest difference between an entry of the batch's gradient and of the mean of its examples' gradients.
    pub difference: f64,
    /// The largest entry of the batch's gradient.
    pub largest: f64,
    /// |G|², unbiased; below 0 where the batch is too small to tell.
    pub signal: f64,
    /// tr Σ, the noise of one example, unbiased.
    pub noise: f64,
    /// For b = 1, 2, 4, … B/2: the mean of |G_b − G_B|² over the groups of b examples, and what tr Σ·(1/b − 1/B) says.
    pub by_size: Vec<BySize>,
}

/// The noise of the mean of b examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BySize {
    /// b.
    pub size: usize,
    /// The mean of |G_b − G_B|².
    pub measured: f64,
    /// tr Σ·(1/b − 1/B).
    pub predicted: f64,
}

impl Noise {
    /// tr Σ/|G|², in examples; none where the batch is too small to tell |G| from 0.
    pub fn scale(&self) -> Option<f64> {
        (self.signal > 0.0).then(|| self.noise / self.signal)
    }

    /// Takes the gradient of a batch, and of each of its rows. The first 2ᵏ rows are used.
    ///
    /// # Errors
    /// If a gradient is not finite.
    ///
    /// # Panics
    /// If the batch has fewer than two rows.
    pub fn of(model: &Gpt<Tensor<f64>>, batch: &Batch) -> Result<Noise> {
        assert!(batch.rows >= 2, "one example has no mean to differ from");
        let examples = 1 << batch.rows.ilog2();
        let all = flat(model, &batch.part(0..examples))?;
        let mut groups = Groups::default();
        for row in 0..examples {
            groups.add(flat(model, &batch.part(row..row + 1))?);
        }
        let mean = groups.sums.pop().map(|(_, sum)| scaled(sum, 1.0 / examples as f64)).unwrap_or_default();
        let difference = all.iter().zip(&mean).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let big = square(&mean);
        // The groups of size b: the mean of |G_b|² exceeds |G_B|² by the mean of |G_b − G_B|², as G_B is their mean.
        let by_size: Vec<(usize, f64)> =
            groups.squares.iter().map(|&(size, sum, n)| (size, sum / n - big)).collect();
        let (b, small) = (examples as f64, by_size[0].1 + big);
        let noise = (small - big) / (1.0 - 1.0 / b);
        Ok(Noise {
            examples,
            difference,
            largest: all.iter().fold(0.0, |most, x| x.abs().max(most)),
            signal: (b * big - small) / (b - 1.0),
            noise,
            by_size: by_size
                .into_iter()
                .filter(|&(size, _)| size < examples)
                .map(|(size, measured)| BySize {
                    size,
                    measured,
                    predicted: noise * (1.0 / size as f64 - 1.0 / b),
                })
                .collect(),
        })
    }
}

/// Sums of gradients, added up in pairs, pairs of pairs, …: of each size only one is kept.
#[derive(Default)]
struct Groups {
    /// The sums that wait for a partner: how many examples, and their sum.
    sums: Vec<(usize, Vec<f64>)>,
    /// For each size b: Σ|G_b|² over the groups so far, and their number.
    squares: Vec<(usize, f64, f64)>,
}

impl Groups {
    fn add(&mut self, gradient: Vec<f64>) {
        let (mut size, mut sum) = (1, gradient);
        loop {
            let mean_square = square(&sum) / (size * size) as f64;
            match self.squares.iter_mut().find(|(of, _, _)| *of == size) {
                Some((_, total, n)) => (*total, *n) = (*total + mean_square, *n + 1.0),
                None => self.squares.push((size, mean_square, 1.0)),
            }
            match self.sums.pop() {
                Some((waiting, partner)) if waiting == size => {
                    sum.iter_mut().zip(&partner).for_each(|(a, b)| *a += b);
                    size *= 2;
                }
                other => {
                    self.sums.extend(other);
                    return self.sums.push((size, sum));
                }
            }
        }
    }
}

/// The gradient as one long vector.
fn flat(model: &Gpt<Tensor<f64>>, batch: &Batch) -> Result<Vec<f64>> {
    let found = gradient(model, std::slice::from_ref(batch), |_| Pass::evaluation())?;
    Ok(found.of.iter().flat_map(|tensor| tensor.data().iter().copied()).collect())
}

fn square(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum()
}

fn scaled(mut x: Vec<f64>, by: f64) -> Vec<f64> {
    x.iter_mut().for_each(|x| *x *= by);
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelConfig;
    use crate::random::{Purpose, below, generator};

    fn model() -> Gpt<Tensor<f64>> {
        let config = ModelConfig {
            n_layer: 1,
            n_head: 2,
            n_embd: 8,
            block_size: 6,
            vocab_size: 9,
            ..ModelConfig::default()
        };
        Gpt::init(&config, 4)
    }

    fn batch(rows: usize) -> Batch {
        let mut random = generator(5, Purpose::Batches);
        let mut tokens = || (0..rows * 6).map(|_| below(&mut random, 9)).collect::<Vec<_>>();
        Batch { x: tokens(), y: tokens(), rows, length: 6 }
    }

    #[test]
    fn the_gradient_of_the_batch_is_the_mean_to_the_last_digits() {
        let found = Noise::of(&model(), &batch(8)).unwrap();
        assert!(found.difference < 1e-14 * found.largest.max(1.0), "{found:?}");
        assert!(found.largest > 1e-3, "there is a gradient to compare");
    }

    #[test]
    fn the_squares_by_size_are_those_of_the_definition() {
        let (model, batch) = (model(), batch(8));
        let each: Vec<Vec<f64>> =
            (0..8).map(|row| flat(&model, &batch.part(row..row + 1)).unwrap()).collect();
        let mean = |from: usize, to: usize| -> Vec<f64> {
            (0..each[0].len())
                .map(|i| each[from..to].iter().map(|g| g[i]).sum::<f64>() / (to - from) as f64)
                .collect()
        };
        let whole = mean(0, 8);
        for BySize { size, measured, .. } in Noise::of(&model, &batch).unwrap().by_size {
            let groups = 8 / size;
            let off = |group: usize| {
                let part = mean(group * size, (group + 1) * size);
                part.iter().zip(&whole).map(|(a, b)| (a - b) * (a - b)).sum::<f64>()
            };
            let plain = (0..groups).map(off).sum::<f64>() / groups as f64;
            approx::assert_relative_eq!(measured, plain, max_relative = 1e-9);
        }
    }

    /// ‖gᵢ‖² of each row, and ‖g‖² of their mean.
    fn squares(model: &Gpt<Tensor<f64>>, batch: &Batch) -> (Vec<f64>, f64) {
        let each: Vec<Vec<f64>> =
            (0..batch.rows).map(|row| flat(model, &batch.part(row..row + 1)).unwrap()).collect();
        let mean: Vec<f64> =
            (0..each[0].len()).map(|i| each.iter().map(|g| g[i]).sum::<f64>() / batch.rows as f64).collect();
        (each.iter().map(|g| square(g)).collect(), square(&mean))
    }

    #[test]
    fn signal_and_noise_add_up_to_the_mean_square_of_the_examples() {
        let (model, batch) = (model(), batch(16));
        let (each, mean) = squares(&model, &batch);
        let one = each.iter().sum::<f64>() / 16.0;
        let Noise { signal, noise, .. } = Noise::of(&model, &batch).unwrap();
        approx::assert_relative_eq!(signal + noise, one, max_relative = 1e-12);
        approx::assert_relative_eq!(signal + noise / 16.0, mean, max_relative = 1e-12);
        assert!(
            noise > 0.0 && signal < noise,
            "targets drawn at random have more noise than signal: {noise}, {signal}"
        );
    }

    #[test]
    fn of_equal_examples_the_signal_is_the_whole_square() {
        let one = batch(2).part(0..1);
        let same = Batch { x: one.x.repeat(4), y: one.y.repeat(4), rows: 4, length: 6 };
        let (each, _) = squares(&model(), &one);
        let found = Noise::of(&model(), &same).unwrap();
        approx::assert_relative_eq!(found.signal, each[0], max_relative = 1e-12);
    }

    #[test]
    fn equal_examples_have_no_noise_and_every_example_is_the_signal() {
        let one = batch(2).part(0..1);
        let same = Batch { x: one.x.repeat(4), y: one.y.repeat(4), rows: 4, length: 6 };
        let found = Noise::of(&model(), &same).unwrap();
        assert!(found.noise.abs() < 1e-12 * found.signal, "{found:?}");
        assert!(found.scale().unwrap().abs() < 1e-12);
    }
}
