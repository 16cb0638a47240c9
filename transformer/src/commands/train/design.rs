//! The flags of the parts that replace GPT-2's.

use crate::cli::{number, size, truth};
use crate::model::{Activation, Design, NormKind, Position};
use clap::{Args, ValueEnum};

/// All parts at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Named {
    /// Learned positions, layer norm, gelu, the embedding as the head
    Gpt2,
    /// RoPE, RMS norm, SwiGLU, a head of its own
    Llama,
}

/// Which parts the model has; those that are not given are the preset's.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(rename_all = "snake_case", next_help_heading = "Design")]
pub struct DesignFlags {
    /// All of the parts below at once
    #[arg(long, value_enum)]
    pub design: Option<Named>,
    /// How the model knows where a token stands
    #[arg(long, value_enum)]
    pub position: Option<Position>,
    /// RoPE's base
    #[arg(long, value_name = "X", value_parser = number)]
    pub rope_theta: Option<f64>,
    /// How vectors are brought to one size
    #[arg(long, value_enum)]
    pub norm: Option<NormKind>,
    /// Added to the variance
    #[arg(long, value_name = "X", value_parser = number)]
    pub norm_eps: Option<f64>,
    /// What the MLP does between its linear layers
    #[arg(long, value_enum)]
    pub activation: Option<Activation>,
    /// Width inside of the MLP [default: 4·n_embd; swiglu: 8/3·n_embd]
    #[arg(long, value_name = "N", value_parser = size)]
    pub n_inner: Option<usize>,
    /// Heads of keys and values, each shared by several queries [default: n_head]
    #[arg(long, value_name = "N", value_parser = size)]
    pub n_kv_head: Option<usize>,
    /// Whether the head is the embedding's matrix
    #[arg(long, value_name = "BOOL", value_parser = truth, num_args = 0..=1, default_missing_value = "true")]
    pub tie_word_embeddings: Option<bool>,
}

impl DesignFlags {
    /// `design` with the values of all flags that were given.
    pub fn apply_to(&self, design: Design) -> Design {
        let base = match self.design {
            Some(Named::Gpt2) => Design::default(),
            Some(Named::Llama) => Design::llama(),
            None => design,
        };
        Design {
            n_kv_head: self.n_kv_head.or(base.n_kv_head),
            n_inner: self.n_inner.or(base.n_inner),
            activation: self.activation.unwrap_or(base.activation),
            norm: self.norm.unwrap_or(base.norm),
            norm_eps: self.norm_eps.unwrap_or(base.norm_eps),
            position: self.position.unwrap_or(base.position),
            rope_theta: self.rope_theta.unwrap_or(base.rope_theta),
            tie_word_embeddings: self.tie_word_embeddings.unwrap_or(base.tie_word_embeddings),
        }
    }
}
