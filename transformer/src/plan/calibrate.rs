//! A few real updates, to know what many of them take.
//!
//! A batch that would take too long is cut down to fewer rows, and its time and activations are scaled: both are
//! proportional to the rows. A single row that would take too long is not run: then the time is the arithmetic over
//! the peak rate of multiply-adds, of which training reaches between a third and nine tenths: at f32, so that a run at
//! bf16 may well be faster than this range.

use super::{Range, SAMPLES, Work, flops_per_token, memory_of_samples, parameters};
use crate::bench::{peak_rss_mib, reset_peak_rss};
use crate::data::dataset::Dataset;
use crate::error::Result;
use crate::random::{Purpose, generator};
use crate::sample::{Sampling, generate};
use crate::train::config::TrainConfig;
use crate::train::memory;
use crate::train::optimizer::{AdamW, Moments};
use crate::train::trainer::Trainer;
use autograd::kernels::peak::multiply_add_peak;
use std::time::Instant;

/// How long updates are timed, and how long the longest one may take, in seconds.
const SECONDS: f64 = 1.2;
/// How long a batch of one row may take.
const PATIENCE: f64 = 15.0;
/// The share of the peak rate that training reaches at best, usually and at worst.
const SHARES: [f64; 3] = [0.9, 0.6, 0.33];

/// What a run will cost on this machine.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Plan {
    /// Numbers that are learned.
    pub parameters: usize,
    /// Floating-point operations of an update.
    pub flops_per_update: f64,
    /// The measured rate of multiply-adds at f32, in operations a second.
    pub peak: f64,
    /// Seconds of one update.
    pub update: Range,
    /// Seconds of all updates.
    pub updates: Range,
    /// Seconds of all evaluations.
    pub evaluations: f64,
    /// Seconds of the samples at the end.
    pub samples: f64,
    /// Seconds of the whole run, from its first update on.
    pub seconds: Range,
    /// The peak of the process's memory in its first updates, in MiB, where the system tells; later it may have
    /// [`LATER`](super::LATER) of it more.
    pub peak_rss_mib: Option<f64>,
    /// The updates that were timed; 0 if one would take too long.
    pub timed: usize,
    /// The rows of the batches that were timed.
    pub rows: usize,
}

/// Measures. Nothing is written, and the model that is trained for it is thrown away.
///
/// # Errors
/// If the run could not be begun: a number is out of its range, or the machine has too little memory.
pub fn plan(config: &TrainConfig, dataset: Dataset) -> Result<Plan> {
    config.validate()?;
    memory::check(config)?;
    let work = Work::after(0, config, dataset.validation.len());
    let flops = flops_per_token(&config.model);
    let peak = multiply_add_peak(5);
    let row = flops * config.model.block_size as f64 / (SHARES[1] * peak); // seconds
    let micro = config.gradient_accumulation_steps.min(2);
    let rows = ((SECONDS / (row * micro as f64)) as usize).clamp(1, config.batch_size);
    let mut plan = Plan {
        parameters: parameters(&config.model),
        flops_per_update: flops * config.tokens_per_update() as f64,
        peak,
        update: Range { low: 0.0, likely: 0.0, high: 0.0 },
        updates: Range { low: 0.0, likely: 0.0, high: 0.0 },
        evaluations: 0.0,
        samples: 0.0,
        seconds: Range { low: 0.0, likely: 0.0, high: 0.0 },
        peak_rss_mib: None,
        timed: 0,
        rows,
    };
    let updates = |update: f64| work.updates as f64 * update;
    if row > PATIENCE {
        let [low, likely, high] = roofline(plan.flops_per_update, peak);
        plan.update = Range { low, likely, high };
        plan.updates = plan.update.map(updates);
        plan.evaluations = work.evaluated as f64 * flops / 3.0 / (SHARES[1] * peak);
    } else {
        plan.measure(config, micro, dataset, &work)?;
        plan.updates = plan.update.drifting().map(updates);
    }
    plan.seconds = plan.updates.map(|updates| updates + plan.evaluations + plan.samples);
    Ok(plan)
}

/// Seconds of so many operations: at best, usually, at worst.
fn roofline(flops: f64, peak: f64) -> [f64; 3] {
    SHARES.map(|share| flops / (share * peak))
}

/// `whole` of a larger batch, of which only what is not `fixed` grows.
fn scaled(whole: f64, fixed: f64, by: f64) -> f64 {
    by * (whole - fixed).max(0.0) + fixed
}

/// An update that is cut down to be timed: so many rows a batch, and so many batches.
struct Cut {
    rows: usize,
    micro: usize,
}

impl Cut {
    /// How many times as many rows a whole batch has.
    fn more_rows(&self, config: &TrainConfig) -> f64 {
        config.batch_size as f64 / self.rows as f64
    }

    /// Seconds of a whole update, of which clipping and AdamW take `optimiser` whatever its size.
    fn whole_update(&self, config: &TrainConfig, update: f64, optimiser: f64) -> f64 {
        let more = self.more_rows(config) * config.gradient_accumulation_steps as f64 / self.micro as f64;
        scaled(update, optimiser, more)
    }

    /// The peak of memory with whole batches, in MiB: the model, its gradients and AdamW's moments do not grow with the rows.
    fn whole_peak(&self, config: &TrainConfig, before: f64, peak: f64, parameters: usize) -> f64 {
        let fixed = 4.0 * (3 + self.micro) as f64 * parameters as f64 / f64::from(1 << 20);
        before + scaled(peak - before, fixed, self.more_rows(config))
    }

    /// Seconds of all evaluations, where one batch of these rows takes so many.
    fn all_evaluations(&self, config: &TrainConfig, batch: f64, work: &Work) -> f64 {
        let tokens = self.rows * config.model.block_size;
        batch / tokens as f64 * work.evaluated as f64
    }
}

/// Seconds of texts as long as the context, of which the first `few` tokens took so many.
fn whole_texts(few: usize, seconds: f64, context: usize) -> f64 {
    seconds * context as f64 / few as f64
}

impl Plan {
    fn measure(&mut self, config: &TrainConfig, micro: usize, dataset: Dataset, work: &Work) -> Result<()> {
        let loaded = peak_rss_mib();
        reset_peak_rss();
        let before = peak_rss_mib();
        let few = TrainConfig { batch_size: self.rows, gradient_accumulation_steps: micro, ..config.clone() };
        let mut trial = Trainer::new(few, dataset)?;
        trial.update()?; // asks for the memory
        let (mut times, start) = (Vec::new(), Instant::now());
        while times.is_empty() || start.elapsed().as_secs_f64() < SECONDS {
            let begun = Instant::now();
            trial.update()?;
            times.push(begun.elapsed().as_secs_f64());
        }
        self.timed = times.len();
        let peak = peak_rss_mib();
        let cut = Cut { rows: self.rows, micro };
        let optimiser = time_of_optimiser(&mut trial);
        self.update = Range::of(times).map(|update| cut.whole_update(config, update, optimiser));

        let peak = before.zip(peak).map(|(before, peak)| {
            cut.whole_peak(config, before, peak, self.parameters) + memory_of_samples(config)
        });
        self.peak_rss_mib = peak.map(|peak| loaded.map_or(peak, |loaded| peak.max(loaded)));

        self.evaluations = cut.all_evaluations(config, time_of_batch(&mut trial)?, work);
        if config.data.is_none() {
            self.samples = time_of_samples(&trial);
        }
        Ok(())
    }
}

/// Clipping and AdamW: the part of an update that does not grow with the batch.
fn time_of_optimiser(trial: &mut Trainer) -> f64 {
    let adamw = AdamW::of(&trial.config);
    let mut moments = Moments::zeros(trial.model.parameters().into_iter().map(|(_, parameter)| parameter));
    let gradients: Vec<_> = trial.model.parameters().into_iter().map(|(_, p)| p.map(|_| 0.0)).collect();
    let mut times: Vec<f64> = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        adamw.update(&mut moments, trial.model.parameters_mut(), &gradients, 0.0, |_| true);
        times.push(begun.elapsed().as_secs_f64());
    }
    Range::of(times).likely
}

/// Forward alone, on a batch of the validation part.
fn time_of_batch(trial: &mut Trainer) -> Result<f64> {
    trial.config.eval_iters = 1;
    let times = (0..3).map(|_| {
        let begun = Instant::now();
        trial.estimate_loss()?;
        Ok(begun.elapsed().as_secs_f64())
    });
    Ok(Range::of(times.collect::<Result<_>>()?).likely)
}

/// All texts of the end, from the time of their first few tokens.
fn time_of_samples(trial: &Trainer) -> f64 {
    let context = trial.config.model.block_size;
    let few = context.min(12);
    let mut texts = vec![vec![0]; SAMPLES];
    let mut random = generator(trial.config.seed, Purpose::Sampling);
    let begun = Instant::now();
    generate(&trial.model, &mut texts, few, &Sampling::default(), &mut random, |_, _| {});
    whole_texts(few, begun.elapsed().as_secs_f64(), context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::text::Text;
    use crate::data::tokenizer::{Tokenizer, TokenizerKind};
    use crate::train::presets::Preset;

    fn dataset(block_size: usize) -> Dataset {
        let text = Text::new("text", "the quick brown fox jumps over the lazy dog\n".repeat(400));
        Dataset::new(&text, &Tokenizer::for_text(TokenizerKind::Char, text.content()), block_size).unwrap()
    }

    #[test]
    fn a_plan_times_real_updates_and_its_parts_add_up() {
        let mut config =
            TrainConfig { gradient_accumulation_steps: 5, max_iters: 70, ..Preset::Tiny.config() };
        config.model.vocab_size = 28;
        let plan = plan(&config, dataset(32)).unwrap();
        assert!(plan.timed > 0 && plan.rows == 8, "{plan:?}");
        let Range { low, likely, high } = plan.seconds;
        assert!(0.0 < low && low <= likely && likely <= high, "{plan:?}");
        assert_eq!(plan.updates, plan.update.drifting().map(|update| 70.0 * update));
        let parts = 70.0 * plan.update.likely + plan.evaluations + plan.samples;
        assert!((likely - parts).abs() < 1e-9 * parts, "{plan:?}");
    }

    #[test]
    fn of_a_batch_that_is_cut_down_only_what_grows_with_the_rows_is_scaled() {
        assert_eq!(scaled(7.0, 1.0, 3.0), 19.0);
        assert_eq!(scaled(7.0, 1.0, 1.0), 7.0);
    }

    /// Two rows of eight are timed, and two batches of six: a whole update is 4·3 times as much, a batch 4 times.
    #[test]
    fn what_two_rows_and_two_batches_took_is_worked_out_for_the_whole() {
        let config = TrainConfig { batch_size: 8, gradient_accumulation_steps: 6, ..Preset::Tiny.config() };
        let cut = Cut { rows: 2, micro: 2 };
        assert_eq!(cut.whole_update(&config, 0.75, 0.25), 12.0 * 0.5 + 0.25);

        // 2²⁰ numbers take 4 MiB; the model, m, v and two gradients are five times as many: 20 of the 50 MiB.
        assert_eq!(cut.whole_peak(&config, 100.0, 150.0, 1 << 20), 100.0 + 4.0 * 30.0 + 20.0);

        // A batch of 2·32 tokens takes 0.5 seconds.
        let work = Work { updates: 9, evaluated: 640 };
        assert_eq!(cut.all_evaluations(&config, 0.5, &work), 5.0);
    }

    #[test]
    fn of_texts_all_tokens_take_as_long_as_the_first_few() {
        assert_eq!(whole_texts(12, 0.5, 36), 1.5);
    }

    #[test]
    fn a_model_whose_single_row_takes_too_long_is_planned_by_its_arithmetic() {
        assert_eq!(roofline(1.8e12, 1e12).map(|seconds| (seconds * 10.0).round()), [20.0, 30.0, 55.0]);
    }
}
