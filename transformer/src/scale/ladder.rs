//! The ladder: one dial for the size of a model.
//!
//! ```text
//! rung r    width 16·r,  r heads (each 16 wide),  ⌈r/2⌉ layers        N = 12·⌈r/2⌉·(16·r)²
//! rate      η = 0.05/√width, warmed up over a tenth of the updates, then half a cosine down to a tenth
//! ```
//!
//! N counts the weights of the layers, as Kaplan et al. 2020 do: the tables of tokens and positions, which do not grow
//! with depth, would blur the smallest rungs. Width over depth stays near 32, so that no rung is an odd shape.

use crate::model::{Design, ModelConfig};
use crate::train::config::TrainConfig;

/// The lowest rung.
pub const LOWEST: usize = 1;
/// The highest rung that has a name: 16 layers, 512 wide, 50 million parameters.
pub const HIGHEST: usize = 32;

/// The model of a rung.
pub fn model(rung: usize, vocab_size: usize, block_size: usize) -> ModelConfig {
    ModelConfig {
        n_layer: rung.div_ceil(2),
        n_head: rung,
        n_embd: 16 * rung,
        block_size,
        vocab_size,
        bias: false,
        dropout: 0.0,
        design: Design::default(),
    }
}

/// N: the weights of the layers.
pub fn weights(rung: usize) -> usize {
    let d = 16 * rung;
    12 * rung.div_ceil(2) * d * d
}

/// The floating-point operations of training on one token in a window of `length` tokens: forward, and twice that
/// backward.
///
/// ```text
/// 6·(N + d·v + ⌈r/2⌉·d·length)        the layers, the head, and attention's two products (half of each is masked)
/// ```
pub fn flops_per_token(rung: usize, vocab_size: usize, length: usize) -> f64 {
    let d = 16 * rung;
    6.0 * (weights(rung) + d * vocab_size + rung.div_ceil(2) * d * length) as f64
}

/// The recipe of a rung: a run of `updates` batches of `rows` rows, whose rate comes to its end with the run.
pub fn recipe(model: ModelConfig, rows: usize, updates: usize, seed: u64) -> TrainConfig {
    let learning_rate = 0.05 / (model.n_embd as f64).sqrt();
    TrainConfig {
        model,
        batch_size: rows,
        gradient_accumulation_steps: 1,
        max_iters: updates,
        lr_decay_iters: updates,
        warmup_iters: updates / 10,
        learning_rate,
        min_lr: learning_rate / 10.0,
        beta2: 0.99,
        seed,
        ..TrainConfig::default()
    }
}
