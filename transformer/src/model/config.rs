//! The sizes of a model.

use super::Design;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The sizes of a GPT; the names are nanoGPT's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// What stands in the place of GPT-2's parts.
    #[serde(default)]
    pub design: Design,
}

/// No size is larger: a product of two of them is a number of bytes that can be counted.
const LARGEST: usize = 1 << 30;

impl Default for ModelConfig {
    /// nanoGPT's defaults: the shape of GPT-2 (124 million parameters), without biases.
    fn default() -> Self {
        ModelConfig {
            n_layer: 12,
            n_head: 12,
            n_embd: 768,
            block_size: 1024,
            vocab_size: 50257,
            bias: false,
            dropout: 0.0,
            design: Design::default(),
        }
    }
}

impl ModelConfig {
    /// Checks that such a model can be built.
    ///
    /// # Errors
    /// If a size is 0, `n_head` does not divide `n_embd`, or a number is out of its range; the message names the field.
    pub fn validate(&self) -> Result<()> {
        for (field, size) in [
            ("n_layer", self.n_layer),
            ("n_head", self.n_head),
            ("n_embd", self.n_embd),
            ("block_size", self.block_size),
            ("vocab_size", self.vocab_size),
            ("n_inner", self.design.n_inner.unwrap_or(1)),
        ] {
            if size == 0 {
                return Err(Error::new("0 is too small").at(field).way_out("give a whole number from 1 on"));
            }
            if size > LARGEST {
                return Err(Error::new(format!("{size} is too large"))
                    .at(field)
                    .way_out(format!("give at most {LARGEST}")));
            }
        }
        if !self.n_embd.is_multiple_of(self.n_head) {
            let (n_embd, n_head) = (self.n_embd, self.n_head);
            let narrower = n_embd / n_head * n_head;
            let nearest = if narrower == 0 { n_head } else { narrower };
            return Err(Error::new(format!(
                "{n_embd} is not divisible by n_head = {n_head}: every head takes an equal share of the width"
            ))
            .at("n_embd")
            .way_out(format!("take --n_embd {nearest}, say")));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::new(format!("{} is not a probability below 1", self.dropout))
                .at("dropout")
                .way_out("give a number from 0 (nothing is dropped) to 0.9"));
        }
        self.validate_design()
    }

    /// The width of one attention head.
    pub fn head_size(&self) -> usize {
        self.n_embd / self.n_head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_that_the_heads_cannot_share_is_refused_with_one_that_they_can() {
        let config = ModelConfig { n_embd: 130, n_head: 4, ..ModelConfig::default() };
        let message = config.validate().unwrap_err().to_string();
        assert!(message.starts_with("n_embd: 130 is not divisible by n_head = 4"), "{message}");
        assert!(message.contains("--n_embd 128"), "{message}");
    }

    #[test]
    fn sizes_of_zero_and_odd_rates_are_refused_by_name() {
        let base = ModelConfig::default;
        for (field, config) in [
            ("n_layer", ModelConfig { n_layer: 0, ..base() }),
            ("n_head", ModelConfig { n_head: 0, ..base() }),
            ("n_embd", ModelConfig { n_embd: 0, ..base() }),
            ("block_size", ModelConfig { block_size: 0, ..base() }),
            ("vocab_size", ModelConfig { vocab_size: 0, ..base() }),
            ("vocab_size", ModelConfig { vocab_size: usize::MAX, ..base() }),
            ("dropout", ModelConfig { dropout: 1.0, ..base() }),
            ("dropout", ModelConfig { dropout: f64::NAN, ..base() }),
        ] {
            let message = config.validate().unwrap_err().to_string();
            assert!(message.starts_with(&format!("{field}: ")) && message.contains("way out"), "{message}");
        }
        assert!(base().validate().is_ok());
    }
}
