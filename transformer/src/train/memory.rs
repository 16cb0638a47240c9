//! Whether a run fits into this machine: better said before it begins than by an abort of the allocator.
//!
//! ```text
//! parameters    16 bytes each                       the number, its gradient, AdamW's two moments, at f32
//! activations   4·(18·d·n_layer + v) bytes a token  what the walk back needs of each token of a batch
//! batches       16 bytes a token                    of all batches of an update: what is seen, and the targets
//! ```
//!
//! These are lower bounds (dropout, for one, keeps masks as well): a run that is refused could not have been trained.

use super::config::TrainConfig;
use crate::error::{Error, Result};
use crate::model::{Activation, ModelConfig};
use std::fs;

/// More than this, in bytes, no machine can address.
const ADDRESSABLE: f64 = isize::MAX as f64;

/// Checks that the machine has as much memory as the run takes at least; where the system does not tell how much there is,
/// that there can be so much.
///
/// # Errors
/// If it has less.
pub(crate) fn check(config: &TrainConfig) -> Result<()> {
    fits(config, installed().unwrap_or(ADDRESSABLE))
}

/// `installed` is in bytes.
fn fits(config: &TrainConfig, installed: f64) -> Result<()> {
    let needed = at_least(config);
    if needed <= installed {
        return Ok(());
    }
    let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
    Err(Error::new(format!(
        "a run of this size takes at least {} of memory, and this machine has {}",
        gigabytes(needed),
        gigabytes(installed)
    ))
    .way_out("take a smaller --n_embd, --n_layer, --block_size or --batch_size"))
}

/// In bytes; as a real number, which does not overflow.
fn at_least(config: &TrainConfig) -> f64 {
    let model = &config.model;
    let (d, n_layer, v) = (real(model.n_embd), real(model.n_layer), real(model.vocab_size));
    let tokens = real(config.batch_size) * real(model.block_size);
    let activations = tokens * (((8.0 + 2.0 * kv_per_query(model)) * d + 2.0 * inner(model)) * n_layer + v);
    16.0 * parameters(model) + 4.0 * activations + 16.0 * tokens * real(config.gradient_accumulation_steps)
}

/// The numbers of the matrices and embeddings: nearly all that such a model learns.
fn parameters(model: &ModelConfig) -> f64 {
    let (d, n_layer, v) = (real(model.n_embd), real(model.n_layer), real(model.vocab_size));
    let matrices = if model.design.activation == Activation::Swiglu { 3.0 } else { 2.0 };
    let positions = if model.rope().is_some() { 0.0 } else { real(model.block_size) };
    let tokens_of = if model.design.tie_word_embeddings { v } else { 2.0 * v };
    let layer = d * ((2.0 + 2.0 * kv_per_query(model)) * d + matrices * inner(model));
    (tokens_of + positions) * d + n_layer * layer
}

/// Heads of keys and values, for each head of queries.
fn kv_per_query(model: &ModelConfig) -> f64 {
    real(model.design.n_kv_head.unwrap_or(model.n_head)) / real(model.n_head)
}

/// The width inside of the MLP.
fn inner(model: &ModelConfig) -> f64 {
    let width = if model.design.activation == Activation::Swiglu { 8.0 / 3.0 } else { 4.0 };
    model.design.n_inner.map_or(width * real(model.n_embd), real)
}

fn real(size: usize) -> f64 {
    size as f64
}

/// The machine's memory in bytes, as Linux tells it; `None` elsewhere.
fn installed() -> Option<f64> {
    let file = fs::read_to_string("/proc/meminfo").ok()?;
    let line = file.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024.0 * kib)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::every_design;
    use crate::plan;
    use crate::train::presets::Preset;

    #[test]
    fn every_preset_fits_into_four_gigabytes_and_gpt2_not_into_one() {
        Preset::ALL.into_iter().for_each(|preset| fits(&preset.config(), 4e9).unwrap());
        let message = fits(&Preset::Gpt2.config(), 1e9).unwrap_err().to_string();
        assert!(
            message.contains("takes at least 2.2 GB of memory, and this machine has 1.0 GB"),
            "{message}"
        );
        assert!(message.contains("way out: take a smaller --n_embd"), "{message}");
    }

    #[test]
    fn sizes_that_no_machine_has_are_refused_without_overflow() {
        let base = || Preset::Tiny.config();
        let wide = ModelConfig { n_embd: usize::MAX, ..base().model };
        for config in [
            TrainConfig { model: wide, ..base() },
            TrainConfig { batch_size: usize::MAX, ..base() },
            TrainConfig { gradient_accumulation_steps: usize::MAX, ..base() },
        ] {
            assert!(fits(&config, 1e15).is_err());
        }
    }

    #[test]
    fn the_bound_is_below_the_parameters_of_every_design() {
        for model in every_design(64, 24, 31) {
            let (bound, exact) = (parameters(&model), plan::parameters(&model) as f64);
            assert!(
                0.95 * exact <= bound && bound <= exact,
                "{bound} numbers at least, of {exact}: {:?}, biases: {}",
                model.design,
                model.bias
            );
        }
    }
}
