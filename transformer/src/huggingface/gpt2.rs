//! The `config.json` of a `GPT2LMHeadModel`.

use super::config::refuse;
use crate::error::Result;
use crate::model::{Activation, Design, ModelConfig, NormKind, Position};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `config.json` as Hugging Face's GPT-2 has it, and one field more: `bias`, which GPT-2 always has.
#[derive(Serialize, Deserialize)]
pub(super) struct Gpt2 {
    #[serde(default)]
    architectures: Vec<String>,
    model_type: String,
    vocab_size: usize,
    n_positions: usize, // nanoGPT's block_size
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    #[serde(default)]
    n_inner: Option<usize>,
    #[serde(default = "gelu_new")]
    activation_function: String,
    #[serde(default)]
    resid_pdrop: f64,
    #[serde(default)]
    embd_pdrop: f64,
    #[serde(default)]
    attn_pdrop: f64,
    #[serde(default = "layer_norm_epsilon")]
    layer_norm_epsilon: f64,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    #[serde(default)]
    bos_token_id: Value, // see special_ids
    #[serde(default)]
    eos_token_id: Value,
    #[serde(default = "yes")]
    pub(super) bias: bool,
    #[serde(default = "yes")]
    scale_attn_weights: bool,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
    #[serde(default)]
    add_cross_attention: bool,
}

fn gelu_new() -> String {
    "gelu_new".into()
}

fn layer_norm_epsilon() -> f64 {
    1e-5
}

fn yes() -> bool {
    true
}

impl Gpt2 {
    /// The model told as a GPT-2.
    ///
    /// # Errors
    /// If it has a part that GPT-2 does not have; the message names the field.
    pub fn of(config: &ModelConfig) -> Result<Self> {
        let Design { n_inner, norm_eps, tie_word_embeddings, .. } = config.design;
        let activation_function = match config.design.activation {
            Activation::Gelu => "gelu_new",
            Activation::GeluErf => "gelu",
            Activation::Relu => "relu",
            Activation::Swiglu => return refuse("activation", "a GPT-2 has no swiglu"),
        };
        if config.design.position != Position::Learned {
            return refuse("position", "a GPT-2 learns its positions");
        }
        if config.design.norm != NormKind::Layer {
            return refuse("norm", "a GPT-2 has layer norms");
        }
        if config.n_kv_head() != config.n_head {
            return refuse("n_kv_head", "a GPT-2 has as many heads of keys and values as of queries");
        }
        Ok(Gpt2 {
            architectures: vec!["GPT2LMHeadModel".into()],
            model_type: "gpt2".into(),
            vocab_size: config.vocab_size,
            n_positions: config.block_size,
            n_embd: config.n_embd,
            n_layer: config.n_layer,
            n_head: config.n_head,
            n_inner,
            activation_function: activation_function.into(),
            resid_pdrop: config.dropout,
            embd_pdrop: config.dropout,
            attn_pdrop: config.dropout,
            layer_norm_epsilon: norm_eps,
            tie_word_embeddings,
            bos_token_id: Value::Null, // GPT-2's own, where the field is missing, are ids of a larger vocabulary
            eos_token_id: Value::Null,
            bias: config.bias,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            add_cross_attention: false,
        })
    }

    /// The model that the file tells of.
    ///
    /// # Errors
    /// If it asks for what this architecture does not have; the message names the field.
    pub fn config(self) -> Result<ModelConfig> {
        let activation = match self.activation_function.as_str() {
            "gelu_new" | "gelu_pytorch_tanh" => Activation::Gelu,
            "gelu" => Activation::GeluErf,
            "relu" => Activation::Relu,
            other => {
                return refuse("activation_function", format!("{other:?} is none of gelu_new, gelu, relu"));
            }
        };
        if !self.scale_attn_weights {
            return refuse(
                "scale_attn_weights",
                "attention is always divided by the root of the head's size here",
            );
        }
        if self.scale_attn_by_inverse_layer_idx {
            return refuse(
                "scale_attn_by_inverse_layer_idx",
                "attention is not scaled by the layer's number here",
            );
        }
        if self.add_cross_attention {
            return refuse("add_cross_attention", "there is no cross-attention here");
        }
        if self.embd_pdrop != self.resid_pdrop || self.attn_pdrop != self.resid_pdrop {
            return refuse(
                "resid_pdrop",
                "embd_pdrop, attn_pdrop and resid_pdrop must be equal: there is one dropout here",
            );
        }
        Ok(ModelConfig {
            n_layer: self.n_layer,
            n_head: self.n_head,
            n_embd: self.n_embd,
            block_size: self.n_positions,
            vocab_size: self.vocab_size,
            bias: self.bias,
            dropout: self.resid_pdrop,
            design: Design {
                n_inner: self.n_inner,
                activation,
                norm_eps: self.layer_norm_epsilon,
                tie_word_embeddings: self.tie_word_embeddings,
                ..Design::default()
            },
        })
    }
}
