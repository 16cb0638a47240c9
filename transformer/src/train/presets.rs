//! Configurations with a name: a size of model, and the recipe that trains it well.

use super::config::TrainConfig;
use crate::model::ModelConfig;
use serde::{Deserialize, Serialize};

/// A named configuration: the values of `--preset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// About a minute on two cores, on the embedded corpus: 3 layers, 4 heads, 64 wide, context 224.
    #[default]
    Demo,
    /// Seconds: 2 layers, 2 heads, 64 wide, context 32.
    Tiny,
    /// nanoGPT's character model for a CPU: 4 layers, 4 heads, 128 wide, context 64.
    Char,
    /// nanoGPT's "baby GPT": 6 layers, 6 heads, 384 wide, context 256.
    Baby,
    /// The size of the smallest GPT-2: 12 layers, 12 heads, 768 wide, context 64.
    Gpt2,
}

impl Preset {
    /// All presets, from the smallest model to the largest.
    pub const ALL: [Preset; 5] = [Preset::Tiny, Preset::Demo, Preset::Char, Preset::Baby, Preset::Gpt2];

    /// The name, as `--preset` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Demo => "demo",
            Preset::Tiny => "tiny",
            Preset::Char => "char",
            Preset::Baby => "baby",
            Preset::Gpt2 => "gpt2",
        }
    }

    /// The configuration.
    pub fn config(self) -> TrainConfig {
        match self {
            Preset::Demo => TrainConfig {
                learning_rate: 8e-3,
                min_lr: 2e-4,
                eval_interval: 500,
                log_interval: 50,
                ..small(size(3, 4, 64, 224), 5, 3600)
            },
            Preset::Tiny => small(size(2, 2, 64, 32), 8, 1000),
            // nanoGPT's rate is 1e-3, which ends at 1.91 on tinyshakespeare where this one ends at 1.81.
            Preset::Char => TrainConfig { learning_rate: 2e-3, ..small(size(4, 4, 128, 64), 12, 2000) },
            Preset::Baby => {
                let model = ModelConfig { dropout: 0.2, ..size(6, 6, 384, 256) };
                TrainConfig { eval_interval: 250, ..small(model, 4, 5000) }
            }
            Preset::Gpt2 => TrainConfig {
                model: ModelConfig { block_size: 64, ..ModelConfig::default() },
                batch_size: 4,
                gradient_accumulation_steps: 1,
                ..TrainConfig::default()
            },
        }
    }
}

fn size(n_layer: usize, n_head: usize, n_embd: usize, block_size: usize) -> ModelConfig {
    ModelConfig { n_layer, n_head, n_embd, block_size, vocab_size: 65, ..ModelConfig::default() }
}

/// nanoGPT's recipe for small models: a higher rate, and a longer memory of squared gradients, as batches are small.
fn small(model: ModelConfig, batch_size: usize, max_iters: usize) -> TrainConfig {
    TrainConfig {
        model,
        batch_size,
        gradient_accumulation_steps: 1,
        max_iters,
        lr_decay_iters: max_iters,
        warmup_iters: 100,
        learning_rate: 1e-3,
        min_lr: 1e-4,
        beta2: 0.99,
        eval_interval: 250,
        eval_iters: 20,
        log_interval: 10,
        ..TrainConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid() {
        for preset in Preset::ALL {
            preset.config().validate().unwrap_or_else(|error| panic!("{}: {error}", preset.name()));
        }
    }

    #[test]
    fn char_is_nano_gpt_s_recipe_for_a_cpu_at_twice_the_rate() {
        let config = Preset::Char.config();
        let ModelConfig { n_layer, n_head, n_embd, block_size, bias, dropout, .. } = config.model;
        assert_eq!((n_layer, n_head, n_embd, block_size, bias, dropout), (4, 4, 128, 64, false, 0.0));
        assert_eq!((config.batch_size, config.max_iters, config.lr_decay_iters), (12, 2000, 2000));
        assert_eq!((config.learning_rate, config.min_lr, config.warmup_iters), (2e-3, 1e-4, 100));
        assert_eq!(
            (config.beta1, config.beta2, config.weight_decay, config.grad_clip),
            (0.9, 0.99, 0.1, 1.0)
        );
    }
}
