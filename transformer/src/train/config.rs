//! Everything a training run is told, under nanoGPT's names and with nanoGPT's defaults.

use crate::data::tokenizer::Choice;
use crate::error::{Error, Result};
use crate::model::ModelConfig;
use autograd::kernels::bf16::Unit;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What matrix products are computed from. Sums, weights, gradients and the optimiser are f32 either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// Numbers of 24 bits' precision
    #[default]
    #[value(alias = "float32")]
    F32,
    /// The same numbers rounded to 8 bits' precision: with AMX a step takes about half of the time; with AVX512-BF16 alone
    /// it may gain or lose; without either it is slower
    #[value(alias = "bfloat16")]
    Bf16,
}

impl Dtype {
    /// `", bf16 by AMX"`: how this processor multiplies such numbers; nothing about f32, which goes without saying.
    pub fn aside(self) -> String {
        if self == Dtype::F32 {
            return String::new();
        }
        match Unit::current() {
            Unit::F32 => {
                ", bf16 (slower than f32 here: no unit of this processor multiplies such numbers)".to_owned()
            }
            Unit::Avx512Bf16 => {
                ", bf16 by AVX512-BF16 (on some processors slower than f32: see bench)".to_owned()
            }
            unit => format!(", bf16 by {unit}"),
        }
    }
}

/// What is trained, on what, for how long and how fast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// The shape of the model; its `vocab_size` comes from the tokenizer.
    pub model: ModelConfig,
    /// The text to train on, or the files of ids (see [`Corpus`](crate::data::corpus::Corpus)); none is the embedded
    /// corpus `stories`.
    pub data: Option<PathBuf>,
    /// What turns the text into tokens.
    pub tokenizer: Choice,
    /// The run whose weights it begins with, and whose shape and tokenizer it has; none is random weights.
    pub init_from: Option<PathBuf>,
    /// What an update's matrix products are computed from; evaluations are always at f32.
    #[serde(default)]
    pub dtype: Dtype,
    /// The windows in a batch.
    pub batch_size: usize,
    /// The batches whose gradients are averaged for one update.
    pub gradient_accumulation_steps: usize,
    /// The number of updates.
    pub max_iters: usize,
    /// The updates from one evaluation (and checkpoint) to the next.
    pub eval_interval: usize,
    /// The batches of an estimate of the validation loss; after the last update the whole part is measured as well.
    pub eval_iters: usize,
    /// The updates from one line of metrics to the next.
    pub log_interval: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Whether the learning rate warms up and decays; otherwise it is constant.
    pub decay_lr: bool,
    /// The updates over which the learning rate rises.
    pub warmup_iters: usize,
    /// The update at which the learning rate has fallen to `min_lr`.
    pub lr_decay_iters: usize,
    /// The lowest learning rate.
    pub min_lr: f64,
    /// AdamW's decay of the weights of two or more axes, per unit of learning rate.
    pub weight_decay: f64,
    /// AdamW's memory of the gradient.
    pub beta1: f64,
    /// AdamW's memory of the squared gradient.
    pub beta2: f64,
    /// The longest gradient: a longer one is shortened to this norm. 0 is no limit.
    pub grad_clip: f64,
    /// Governs initialisation, batches, dropout and sampling.
    pub seed: u64,
}

impl Default for TrainConfig {
    /// nanoGPT's defaults, which train GPT-2 on a cluster.
    fn default() -> Self {
        TrainConfig {
            model: ModelConfig::default(),
            data: None,
            tokenizer: Choice::default(),
            init_from: None,
            dtype: Dtype::F32,
            batch_size: 12,
            gradient_accumulation_steps: 40,
            max_iters: 600_000,
            eval_interval: 2000,
            eval_iters: 200,
            log_interval: 1,
            learning_rate: 6e-4,
            decay_lr: true,
            warmup_iters: 2000,
            lr_decay_iters: 600_000,
            min_lr: 6e-5,
            weight_decay: 0.1,
            beta1: 0.9,
            beta2: 0.95,
            grad_clip: 1.0,
            seed: 1337,
        }
    }
}

impl TrainConfig {
    /// The largest size that a file of flags can hold: TOML has no larger whole number.
    pub const LARGEST: usize = i64::MAX as usize;

    /// The tokens whose loss one update sees.
    pub fn tokens_per_update(&self) -> usize {
        self.batch_size * self.gradient_accumulation_steps * self.model.block_size
    }

    /// Every value under the name of its flag, a line each: what `train --config` takes. Where the learning rate decays to
    /// the end of the run, that goes without saying, as it does with a preset.
    ///
    /// # Errors
    /// If a path is not UTF-8, or a size is larger than [`LARGEST`](TrainConfig::LARGEST).
    pub fn to_toml(&self) -> Result<String> {
        for (flag, path) in [("--data", &self.data), ("--init_from", &self.init_from)] {
            if let Some(path) = path.as_ref().filter(|path| path.to_str().is_none()) {
                return Err(Error::new("this path is not UTF-8, so config.toml cannot name it")
                    .in_file(path)
                    .at(flag)
                    .way_out("rename it"));
            }
        }
        let TrainConfig { seed, .. } = *self;
        let small = TrainConfig { seed: 0, ..self.clone() }; // a seed of 64 bits is more than TOML's numbers hold
        let table = toml::Table::try_from(small).map_err(|error| Error::new(error.to_string()))?;
        let mut lines = vec![format!("seed = {seed}")];
        flatten(table, &mut lines);
        if self.lr_decay_iters == self.max_iters {
            // As of a preset: a longer or shorter run that begins with this file decays to its own end.
            lines.retain(|line| !line.starts_with("lr_decay_iters "));
        }
        lines.sort();
        Ok(lines.join("\n") + "\n")
    }

    /// Whether a run with these flags is one with the others, but for the path at which its text is found.
    pub fn trains_like(&self, other: &TrainConfig) -> bool {
        TrainConfig { data: other.data.clone(), ..self.clone() } == *other
    }

    /// Checks every number.
    ///
    /// # Errors
    /// If one is outside of its range; the message names it.
    pub fn validate(&self) -> Result<()> {
        self.model.validate()?;
        for (field, size, least) in [
            ("batch_size", self.batch_size, 1),
            ("gradient_accumulation_steps", self.gradient_accumulation_steps, 1),
            ("max_iters", self.max_iters, 0),
            ("eval_interval", self.eval_interval, 1),
            ("eval_iters", self.eval_iters, 1),
            ("log_interval", self.log_interval, 1),
            ("warmup_iters", self.warmup_iters, 0),
            ("lr_decay_iters", self.lr_decay_iters, 0),
        ] {
            if size < least {
                return Err(Error::new(format!("{size} is too small"))
                    .at(field)
                    .way_out(format!("give a whole number from {least} on")));
            }
            if size > Self::LARGEST {
                return Err(Error::new(format!("{size} is too large"))
                    .at(field)
                    .way_out(format!("give at most {}", Self::LARGEST)));
            }
        }
        let in_range = |field: &str, value: f64, fits: bool, range: &str| {
            if fits && value.is_finite() {
                return Ok(());
            }
            Err(Error::new(format!("{value} is not {range}"))
                .at(field)
                .way_out(format!("give a number that is {range}")))
        };
        in_range("learning_rate", self.learning_rate, self.learning_rate > 0.0, "above 0")?;
        in_range("min_lr", self.min_lr, self.min_lr >= 0.0, "0 or above")?;
        in_range("weight_decay", self.weight_decay, self.weight_decay >= 0.0, "0 or above")?;
        in_range("grad_clip", self.grad_clip, self.grad_clip >= 0.0, "0 (no clipping) or above")?;
        for (field, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            in_range(field, beta, (0.0..1.0).contains(&beta), "from 0 to below 1")?;
        }
        if self.decay_lr && self.min_lr > self.learning_rate {
            return Err(Error::new(format!(
                "{} is above learning_rate = {}, so the rate would rise instead of decaying",
                self.min_lr, self.learning_rate
            ))
            .at("min_lr")
            .way_out(format!("take a tenth of the learning rate: --min_lr {}", self.learning_rate / 10.0)));
        }
        Ok(())
    }
}

/// Flags have no sections. The vocabulary is no flag: the tokenizer knows it.
fn flatten(table: toml::Table, lines: &mut Vec<String>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => flatten(inner, lines),
            _ if key == "vocab_size" || key == "seed" => {}
            value => lines.push(format!("{key} = {value}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_nano_gpt_s() {
        let config = TrainConfig::default();
        config.validate().unwrap();
        assert_eq!(config.tokens_per_update(), 40 * 12 * 1024);
    }

    #[test]
    fn every_number_out_of_range_is_refused_by_name() {
        let base = TrainConfig::default;
        for (field, config) in [
            (
                "n_layer",
                TrainConfig { model: ModelConfig { n_layer: 0, ..ModelConfig::default() }, ..base() },
            ),
            ("batch_size", TrainConfig { batch_size: 0, ..base() }),
            ("gradient_accumulation_steps", TrainConfig { gradient_accumulation_steps: 0, ..base() }),
            ("eval_interval", TrainConfig { eval_interval: 0, ..base() }),
            ("eval_iters", TrainConfig { eval_iters: 0, ..base() }),
            ("log_interval", TrainConfig { log_interval: 0, ..base() }),
            ("batch_size", TrainConfig { batch_size: usize::MAX, ..base() }),
            ("max_iters", TrainConfig { max_iters: usize::MAX, ..base() }),
            ("eval_interval", TrainConfig { eval_interval: usize::MAX, ..base() }),
            ("eval_iters", TrainConfig { eval_iters: usize::MAX, ..base() }),
            ("log_interval", TrainConfig { log_interval: usize::MAX, ..base() }),
            ("warmup_iters", TrainConfig { warmup_iters: usize::MAX, ..base() }),
            ("lr_decay_iters", TrainConfig { lr_decay_iters: usize::MAX, ..base() }),
            ("learning_rate", TrainConfig { learning_rate: 0.0, ..base() }),
            ("learning_rate", TrainConfig { learning_rate: f64::NAN, ..base() }),
            ("learning_rate", TrainConfig { learning_rate: f64::INFINITY, ..base() }),
            ("min_lr", TrainConfig { min_lr: -1e-4, ..base() }),
            ("min_lr", TrainConfig { min_lr: 1e-2, ..base() }),
            ("weight_decay", TrainConfig { weight_decay: -0.1, ..base() }),
            ("beta1", TrainConfig { beta1: 1.0, ..base() }),
            ("beta2", TrainConfig { beta2: -0.1, ..base() }),
            ("grad_clip", TrainConfig { grad_clip: -1.0, ..base() }),
        ] {
            let message = config.validate().unwrap_err().to_string();
            assert!(message.starts_with(&format!("{field}: ")) && message.contains("way out: "), "{message}");
        }
    }

    #[test]
    fn the_largest_sizes_that_are_valid_can_be_written_down() {
        let largest = TrainConfig::LARGEST;
        let config = TrainConfig { max_iters: largest, lr_decay_iters: largest, ..TrainConfig::default() };
        config.validate().unwrap();
        assert!(config.to_toml().unwrap().contains(&format!("max_iters = {largest}")));
    }

    #[test]
    fn a_saved_configuration_comes_back_to_the_last_bit() {
        let config = TrainConfig { learning_rate: 0.1 + 0.2, beta2: 1.0 / 3.0, ..TrainConfig::default() };
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<TrainConfig>(&json).unwrap(), config);
    }
}
