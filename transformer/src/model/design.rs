//! The parts that a model can have in the place of GPT-2's.
//!
//! | part                  | GPT-2          | Llama                                   | told in                    |
//! |-----------------------|----------------|-----------------------------------------|----------------------------|
//! | where a token stands  | learned vector | rotation of queries and keys (RoPE)     | Su et al. 2021             |
//! | norm                  | layer norm     | RMS norm                                | Zhang & Sennrich 2019      |
//! | inside the MLP        | gelu           | SwiGLU                                  | Shazeer 2020               |
//! | keys and values       | one head each  | heads that several queries share        | Ainslie et al. 2023        |
//! | head                  | the embedding  | a matrix of its own                     | Press & Wolf 2017          |

use super::ModelConfig;
use crate::error::{Error, Result};
use autograd::{Float, Var};
use serde::{Deserialize, Serialize};

/// What stands in the place of each part that GPT-2 and Llama do differently. The default is GPT-2's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Design {
    /// Heads of keys and values, each for an equal share of the `n_head` queries; `None` means `n_head`.
    pub n_kv_head: Option<usize>,
    /// Width inside of the MLP; `None` means 4·`n_embd` (with swiglu two thirds of it, for it has three matrices).
    pub n_inner: Option<usize>,
    /// What the MLP does between its linear layers.
    pub activation: Activation,
    /// How vectors are brought to one size.
    pub norm: NormKind,
    /// ε, added to the variance.
    pub norm_eps: f64,
    /// How the model knows where a token stands.
    pub position: Position,
    /// RoPE's base: the slowest pair turns by about 1/`rope_theta` of a radian a token.
    pub rope_theta: f64,
    /// Whether the head is the embedding's matrix.
    pub tie_word_embeddings: bool,
}

/// What the MLP does between its linear layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Activation {
    /// GPT-2's: x·Φ(x), approximated by tanh
    #[default]
    Gelu,
    /// x·Φ(x) with the normal distribution's Φ itself
    GeluErf,
    /// max(x, 0)
    Relu,
    /// silu(x·W_gate) ⊙ (x·W_up): a second linear layer says how much of the first passes
    Swiglu,
}

/// How vectors are brought to one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Mean 0 and variance 1
    #[default]
    Layer,
    /// Mean square 1
    Rms,
}

/// How the model knows where a token stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// A learned vector for each position, added to the token's
    #[default]
    Learned,
    /// Queries and keys are turned by an angle that grows with the position
    Rope,
}

impl Default for Design {
    /// GPT-2's.
    fn default() -> Self {
        Design {
            n_kv_head: None,
            n_inner: None,
            activation: Activation::Gelu,
            norm: NormKind::Layer,
            norm_eps: 1e-5,
            position: Position::Learned,
            rope_theta: 10_000.0,
            tie_word_embeddings: true,
        }
    }
}

impl Design {
    /// Llama's: RoPE, RMS norm, SwiGLU, a head of its own.
    pub fn llama() -> Self {
        Design {
            activation: Activation::Swiglu,
            norm: NormKind::Rms,
            position: Position::Rope,
            tie_word_embeddings: false,
            ..Design::default()
        }
    }
}

impl Activation {
    /// The function, entry by entry; of swiglu that of its gate.
    #[track_caller]
    pub fn of<'t, T: Float>(self, x: Var<'t, T>) -> Var<'t, T> {
        match self {
            Activation::Gelu => x.gelu(),
            Activation::GeluErf => x.gelu_erf(),
            Activation::Relu => x.relu(),
            Activation::Swiglu => x.silu(),
        }
    }
}

impl ModelConfig {
    /// Heads of keys and values in each layer.
    pub fn n_kv_head(&self) -> usize {
        self.design.n_kv_head.unwrap_or(self.n_head)
    }

    /// Width inside of the MLP.
    pub fn n_inner(&self) -> usize {
        let four = 4 * self.n_embd;
        self.design.n_inner.unwrap_or(match self.design.activation {
            Activation::Swiglu => (2 * four).div_ceil(3).next_multiple_of(8),
            _ => four,
        })
    }

    /// RoPE's base, if queries and keys are turned.
    pub fn rope(&self) -> Option<f64> {
        (self.design.position == Position::Rope).then_some(self.design.rope_theta)
    }

    /// Checks that the parts fit each other; the sizes of the model have been checked.
    pub(super) fn validate_design(&self) -> Result<()> {
        let Design { n_kv_head, norm_eps, rope_theta, .. } = self.design;
        if let Some(n) = n_kv_head.filter(|&n| n == 0 || !self.n_head.is_multiple_of(n)) {
            return Err(Error::new(format!(
                "{n} heads of keys and values cannot serve n_head = {} queries in equal shares",
                self.n_head
            ))
            .at("n_kv_head")
            .way_out(format!("take a divisor of {}", self.n_head)));
        }
        for (field, value) in [("norm_eps", norm_eps), ("rope_theta", rope_theta)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::new(format!("{value} is not above 0"))
                    .at(field)
                    .way_out(format!("leave it at {}", if field == "norm_eps" { "1e-5" } else { "10000" })));
            }
        }
        if self.design.position == Position::Rope && !self.head_size().is_multiple_of(2) {
            return Err(Error::new(format!(
                "RoPE turns pairs of numbers, but a head has {}",
                self.head_size()
            ))
            .at("n_embd")
            .way_out("choose n_embd and n_head so that n_embd/n_head is even"));
        }
        Ok(())
    }
}

/// Small models of every design: each part replaced alone, and all of them at once.
#[cfg(test)]
pub(crate) fn every_design(n_embd: usize, block_size: usize, vocab_size: usize) -> Vec<ModelConfig> {
    let gpt2 = Design::default;
    let sharing = Design { n_kv_head: Some(2), ..gpt2() };
    [
        gpt2(),
        Design { activation: Activation::GeluErf, n_inner: Some(20), ..gpt2() },
        Design { activation: Activation::Relu, ..gpt2() },
        Design { activation: Activation::Swiglu, ..gpt2() },
        Design { norm: NormKind::Rms, norm_eps: 1e-3, ..gpt2() },
        Design { position: Position::Rope, rope_theta: 100.0, ..gpt2() },
        Design { tie_word_embeddings: false, ..gpt2() },
        sharing,
        Design { n_kv_head: Some(1), ..Design::llama() },
    ]
    .into_iter()
    .flat_map(|design| {
        [false, true].map(|bias| ModelConfig {
            n_layer: 2,
            n_head: 4,
            n_embd,
            block_size,
            vocab_size,
            bias,
            dropout: 0.0,
            design: design.clone(),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_do_not_fit_are_refused_by_name() {
        let with = |design: Design| ModelConfig { n_embd: 48, n_head: 4, design, ..ModelConfig::default() };
        for (field, config) in [
            ("n_kv_head", with(Design { n_kv_head: Some(3), ..Design::default() })),
            ("n_kv_head", with(Design { n_kv_head: Some(0), ..Design::default() })),
            ("n_inner", with(Design { n_inner: Some(0), ..Design::default() })),
            ("norm_eps", with(Design { norm_eps: f64::NAN, ..Design::default() })),
            ("rope_theta", with(Design { rope_theta: 0.0, ..Design::default() })),
            ("n_embd", ModelConfig { n_embd: 12, ..with(Design::llama()) }),
        ] {
            let message = config.validate().unwrap_err().to_string();
            assert!(message.starts_with(&format!("{field}: ")) && message.contains("way out"), "{message}");
        }
        with(Design { n_kv_head: Some(2), ..Design::llama() }).validate().unwrap();
    }

    #[test]
    fn swiglu_s_three_matrices_have_about_the_parameters_of_gelu_s_two() {
        let gelu = ModelConfig::default();
        let swiglu = ModelConfig { design: Design::llama(), ..ModelConfig::default() };
        assert_eq!((gelu.n_inner(), swiglu.n_inner()), (3072, 2048));
    }
}
