//! The sizes of a model.

/// The sizes of a GPT; the names are nanoGPT's.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// How many identical layers.
    pub n_layer: usize,
    /// How many heads of attention in each; they share the width equally.
    pub n_head: usize,
    /// Width of the vectors that run through the model, d.
    pub n_embd: usize,
    /// Longest context, in tokens.
    pub block_size: usize,
    /// How many different tokens, v.
    pub vocab_size: usize,
    /// Whether linear layers and layer norms add a bias.
    pub bias: bool,
    /// Probability with which dropout sets an activation to 0 in training.
    pub dropout: f64,
}
