//! The `config.json` of a `LlamaForCausalLM`.

use super::config::refuse;
use crate::error::Result;
use crate::model::{Activation, Design, ModelConfig, NormKind, Position};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `config.json` as Hugging Face's Llama has it. RoPE's base is in `rope_parameters` since version 5 of `transformers`,
/// and was in `rope_theta` before; both are read and written.
#[derive(Serialize, Deserialize)]
pub(super) struct Llama {
    #[serde(default)]
    architectures: Vec<String>,
    model_type: String,
    vocab_size: usize,
    max_position_embeddings: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    #[serde(default)]
    num_key_value_heads: Option<usize>,
    #[serde(default)]
    head_dim: Option<usize>,
    #[serde(default = "silu")]
    hidden_act: String,
    #[serde(default = "rms_norm_eps")]
    rms_norm_eps: f64,
    #[serde(default)]
    rope_theta: Option<f64>,
    #[serde(default)]
    rope_parameters: Value,
    #[serde(default)]
    rope_scaling: Value,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    attention_dropout: f64,
    #[serde(default)]
    bos_token_id: Value, // see special_ids
    #[serde(default)]
    eos_token_id: Value,
}

fn silu() -> String {
    "silu".into()
}

fn rms_norm_eps() -> f64 {
    1e-6
}

impl Llama {
    /// The model told as a Llama. Its dropout is left out: Llama has none but in attention.
    ///
    /// # Errors
    /// If it has a part that Llama does not have; the message names the field.
    pub fn of(config: &ModelConfig) -> Result<Self> {
        let Design { activation, norm, norm_eps, position, rope_theta, tie_word_embeddings, .. } =
            config.design;
        if position != Position::Rope {
            return refuse("position", "a Llama has no learned positions");
        }
        if norm != NormKind::Rms {
            return refuse("norm", "a Llama has RMS norms");
        }
        if activation != Activation::Swiglu {
            return refuse("activation", "a Llama has swiglu");
        }
        Ok(Llama {
            architectures: vec!["LlamaForCausalLM".into()],
            model_type: "llama".into(),
            vocab_size: config.vocab_size,
            max_position_embeddings: config.block_size,
            hidden_size: config.n_embd,
            intermediate_size: config.n_inner(),
            num_hidden_layers: config.n_layer,
            num_attention_heads: config.n_head,
            num_key_value_heads: Some(config.n_kv_head()),
            head_dim: Some(config.head_size()),
            hidden_act: silu(),
            rms_norm_eps: norm_eps,
            rope_theta: Some(rope_theta),
            rope_parameters: json!({ "rope_type": "default", "rope_theta": rope_theta }),
            rope_scaling: Value::Null,
            tie_word_embeddings,
            attention_bias: config.bias,
            mlp_bias: config.bias,
            attention_dropout: 0.0,
            bos_token_id: Value::Null,
            eos_token_id: Value::Null,
        })
    }

    /// The model that the file tells of.
    ///
    /// # Errors
    /// If it asks for what this architecture does not have; the message names the field.
    pub fn config(self) -> Result<ModelConfig> {
        if self.hidden_act != "silu" {
            return refuse(
                "hidden_act",
                format!("{:?} is not silu, the gate of swiglu here", self.hidden_act),
            );
        }
        if self.head_dim.is_some_and(|e| e.checked_mul(self.num_attention_heads) != Some(self.hidden_size)) {
            return refuse("head_dim", "the heads share hidden_size equally here");
        }
        if self.mlp_bias != self.attention_bias {
            return refuse(
                "mlp_bias",
                "all linear layers have a bias here (as attention_bias says), or none",
            );
        }
        if self.attention_dropout != 0.0 {
            return refuse("attention_dropout", "there is no dropout of attention alone here");
        }
        for (field, value) in
            [("rope_parameters", &self.rope_parameters), ("rope_scaling", &self.rope_scaling)]
        {
            if !(value.is_null() || value.is_object()) {
                return refuse(field, format!("{value} is no object"));
            }
            let is_one =
                |part: &str| matches!(&value[part], part if part.is_null() || part.as_f64() == Some(1.0));
            let kind = if value["rope_type"].is_null() { &value["type"] } else { &value["rope_type"] };
            if !(kind.is_null() || kind == "default") {
                return refuse(field, format!("RoPE of the type {kind} is not known here, only \"default\""));
            }
            if !is_one("factor") {
                return refuse(field, "positions are not scaled by a factor here");
            }
            if !is_one("partial_rotary_factor") {
                return refuse(field, "a partial_rotary_factor is not known here: RoPE turns whole heads");
            }
        }
        let rope_theta = match self.rope_parameters.get("rope_theta") {
            None | Some(Value::Null) => self.rope_theta,
            Some(theta) => match theta.as_f64() {
                Some(theta) => Some(theta),
                None => return refuse("rope_parameters", format!("its rope_theta is no number: {theta}")),
            },
        };
        Ok(ModelConfig {
            n_layer: self.num_hidden_layers,
            n_head: self.num_attention_heads,
            n_embd: self.hidden_size,
            block_size: self.max_position_embeddings,
            vocab_size: self.vocab_size,
            bias: self.attention_bias,
            dropout: 0.0,
            design: Design {
                n_kv_head: self.num_key_value_heads,
                n_inner: Some(self.intermediate_size),
                norm_eps: self.rms_norm_eps,
                rope_theta: rope_theta.unwrap_or(10_000.0),
                tie_word_embeddings: self.tie_word_embeddings,
                ..Design::llama()
            },
        })
    }
}
