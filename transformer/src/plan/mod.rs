//! What a run costs, told before it is run.
//!
//! ```text
//! arithmetic    3·(2·W + 2·n_layer·d·(n + 1)) operations a token: forward, and twice that back
//!               W: the weights that a token is multiplied with; attention sees (n + 1)/2 keys a token on average
//! time          updates · (one update) + evaluated tokens · (one token forward), both timed: see `calibrate`
//! memory        what the data and the model take + what an update adds, the peak of a real one: see `calibrate`;
//!               and up to a quarter more for what comes later
//! ```
//!
//! The counts are exact. The time is that of a few real updates on this machine, and so is the memory; what both cannot
//! know is what else the machine will have to do meanwhile.

pub mod calibrate;
pub mod early;

use crate::model::{Activation, ModelConfig};
use crate::train::config::TrainConfig;
use crate::train::trainer::WHOLE;

/// What is left to do of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Updates.
    pub updates: usize,
    /// Tokens of the validation part that are evaluated, on the way and at the end.
    pub evaluated: usize,
}

impl Work {
    /// The work of a run after its first `done` updates, with `validation` tokens in the validation part.
    pub fn after(done: usize, config: &TrainConfig, validation: usize) -> Self {
        let TrainConfig { max_iters, eval_interval, eval_iters, batch_size, .. } = *config;
        let estimates = max_iters.div_ceil(eval_interval).saturating_sub(done / eval_interval);
        let of_each = eval_iters.saturating_mul(batch_size).saturating_mul(config.model.block_size);
        let at_the_end = validation.min(WHOLE).saturating_sub(1);
        Work {
            updates: max_iters.saturating_sub(done),
            evaluated: estimates.saturating_mul(of_each).saturating_add(at_the_end),
        }
    }
}

/// How far a machine's pace of one minute lies from that of the next: the first seven predictions in docs/src/cluster.md, from
/// which it was chosen, hold with it.
pub const DRIFT: f64 = 0.15;

/// How far a run's peak of memory may lie above that of its first updates, for evaluations, texts and the page come later:
/// a margin chosen after the four runs of docs/src/cluster.md, in which it was 0 to 23 %.
pub const LATER: f64 = 0.25;

/// A number that is not known exactly.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Range {
    /// As the fastest of what was timed.
    pub low: f64,
    /// As their mean.
    pub likely: f64,
    /// As the slowest tenth.
    pub high: f64,
}

impl Range {
    /// Of the times of some updates.
    ///
    /// # Panics
    /// If there is none.
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let mean = times.iter().sum::<f64>() / times.len() as f64; // many updates take their number times this
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        Range { low: at(0.0), likely: mean, high: at(0.9).max(mean) }
    }

    /// The range for work that goes on for longer than what was timed: wider by [`DRIFT`] on either side.
    #[must_use]
    pub fn drifting(self) -> Self {
        Range { low: (1.0 - DRIFT) * self.low, likely: self.likely, high: (1.0 + DRIFT) * self.high }
    }

    /// The range of f of it, where f grows.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Range { low: f(self.low), likely: f(self.likely), high: f(self.high) }
    }
}

/// Floating-point operations of training on one token in a window of the model's length, those of products alone: of
/// attention the causal half.
pub fn flops_per_token(model: &ModelConfig) -> f64 {
    let real = |size: usize| size as f64;
    let (d, e, inner) = (real(model.n_embd), real(model.head_size()), real(model.n_inner()));
    let matrices = if model.design.activation == Activation::Swiglu { 3.0 } else { 2.0 };
    let layer = d * (2.0 * d + 2.0 * real(model.n_kv_head()) * e) + matrices * d * inner;
    let weights = real(model.n_layer) * layer + d * real(model.vocab_size);
    3.0 * (2.0 * weights + 2.0 * real(model.n_layer) * d * real(model.block_size + 1))
}

/// The texts that a run on the embedded corpus writes at its end.
pub const SAMPLES: usize = 40;

/// What the keys and values of those texts take, in MiB.
pub fn memory_of_samples(config: &TrainConfig) -> f64 {
    let model = &config.model;
    let numbers = SAMPLES * model.block_size * model.n_layer * 2 * model.n_kv_head() * model.head_size();
    if config.data.is_none() { 4.0 * numbers as f64 / f64::from(1 << 20) } else { 0.0 }
}

/// The numbers that such a model learns.
pub fn parameters(model: &ModelConfig) -> usize {
    let shapes = crate::model::Gpt::build(model, |_, shape| shape.iter().product::<usize>());
    shapes.parameters().into_iter().map(|(_, size)| *size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{BenchConfig, Step};
    use crate::model::{Gpt, every_design};
    use crate::train::config::Dtype;
    use crate::train::presets::Preset;
    use autograd::Tensor;

    #[test]
    fn the_formulas_of_arithmetic_and_parameters_are_what_the_tape_of_every_design_holds() {
        for model in every_design(16, 12, 31) {
            let step = Step::new(&BenchConfig {
                name: String::new(),
                model: model.clone(),
                batch_size: 3,
                dtype: Dtype::F32,
            });
            let on_tape: u64 = step.flops_by_op().iter().map(|(_, flops)| flops).sum();
            assert_eq!(flops_per_token(&model) * 36.0, on_tape as f64, "{model:?}");
            assert_eq!(parameters(&model), Gpt::<Tensor<f32>>::init(&model, 1).numel(), "{model:?}");
        }
    }

    #[test]
    fn the_work_of_a_run_counts_what_a_session_does() {
        let config =
            TrainConfig { max_iters: 100, eval_interval: 20, eval_iters: 3, ..Preset::Tiny.config() };
        let evaluation = 3 * 8 * 32;
        let count = |done| Work::after(done, &config, 1001);
        // At 20, 40, 60, 80 and 100; and at 100 the whole validation part as well.
        assert_eq!(count(0), Work { updates: 100, evaluated: 5 * evaluation + 1000 });
        assert_eq!(count(39), Work { updates: 61, evaluated: 4 * evaluation + 1000 });
        assert_eq!(count(40), Work { updates: 60, evaluated: 3 * evaluation + 1000 });
        assert_eq!(count(100), Work { updates: 0, evaluated: 1000 });
    }

    #[test]
    fn a_range_goes_from_the_fastest_over_the_mean_to_the_slowest_tenth() {
        let range = Range::of((0..10).rev().map(f64::from).chain([21.0]).collect());
        assert_eq!(range, Range { low: 0.0, likely: 6.0, high: 9.0 });
        assert_eq!(range.map(|x| 2.0 * x), Range { low: 0.0, likely: 12.0, high: 18.0 });
    }

    #[test]
    fn what_takes_longer_than_was_timed_has_a_wider_range_around_the_same_mean() {
        let range = Range { low: 100.0, likely: 120.0, high: 200.0 }.drifting();
        assert!((range.low - 85.0).abs() < 1e-9 && (range.high - 230.0).abs() < 1e-9, "{range:?}");
        assert_eq!(range.likely, 120.0);
    }

    /// 40 texts of 224 tokens, for each in 3 layers a key and a value of 64 numbers, 4 bytes a number:
    /// 40·224·3·2·64·4 = 13 762 560 bytes.
    #[test]
    fn the_keys_and_values_of_the_demo_s_texts_take_13_mib() {
        let demo = Preset::Demo.config();
        assert_eq!(memory_of_samples(&demo), 13.125);
        let mut sharing = demo.clone();
        sharing.model.design.n_kv_head = Some(1); // of four
        assert_eq!(memory_of_samples(&sharing), 13.125 / 4.0);
        let own = TrainConfig { data: Some("input.txt".into()), ..demo };
        assert_eq!(memory_of_samples(&own), 0.0, "a run on a text of one's own writes none at its end");
    }
}
