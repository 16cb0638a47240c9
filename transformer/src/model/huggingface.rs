//! `config.json`: the shape of a model under the names that Hugging Face's GPT-2 has for it.
//!
//! nanoGPT's `block_size` is `n_positions` there. `transformers` reads the file as it is; and what its GPT-2 can be told
//! but this architecture cannot express is refused with the field's name.

use super::{LayerNorm, ModelConfig};
use crate::error::{Error, Result};
use crate::files;
use serde::{Deserialize, Serialize};
use std::path::Path;

impl ModelConfig {
    /// Writes `config.json`, atomically.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        files::write_json(path, &HuggingFace::from(self))
    }

    /// Reads a `config.json`.
    ///
    /// # Errors
    /// If it cannot be read, a field is missing or wrong, or it asks for what this architecture does not have.
    pub fn load(path: &Path) -> Result<Self> {
        let way_out = "use the config.json of a GPT-2 model, or of a run of this program";
        let file: HuggingFace = files::read_json(path, way_out)?;
        let config = ModelConfig::try_from(file).map_err(|error| error.in_file(path).way_out(way_out))?;
        config.validate().map_err(|error| error.in_file(path))?;
        Ok(config)
    }
}

/// `config.json` as Hugging Face's GPT-2 has it, and one field more: `bias`, which GPT-2 always has.
#[derive(Serialize, Deserialize)]
struct HuggingFace {
    #[serde(default)]
    architectures: Vec<String>,
    model_type: String,
    vocab_size: usize,
    n_positions: usize,
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
    bos_token_id: Option<u32>,
    #[serde(default)]
    eos_token_id: Option<u32>,
    #[serde(default = "yes")]
    bias: bool,
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
    LayerNorm::EPS
}

fn yes() -> bool {
    true
}

impl From<&ModelConfig> for HuggingFace {
    fn from(config: &ModelConfig) -> Self {
        HuggingFace {
            architectures: vec!["GPT2LMHeadModel".into()],
            model_type: "gpt2".into(),
            vocab_size: config.vocab_size,
            n_positions: config.block_size,
            n_embd: config.n_embd,
            n_layer: config.n_layer,
            n_head: config.n_head,
            n_inner: None,
            activation_function: gelu_new(),
            resid_pdrop: config.dropout,
            embd_pdrop: config.dropout,
            attn_pdrop: config.dropout,
            layer_norm_epsilon: LayerNorm::EPS,
            tie_word_embeddings: true,
            bos_token_id: None,
            eos_token_id: None,
            bias: config.bias,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            add_cross_attention: false,
        }
    }
}

impl TryFrom<HuggingFace> for ModelConfig {
    type Error = Error;

    fn try_from(file: HuggingFace) -> Result<Self> {
        let refuse = |field: &str, what: &str| Err(Error::new(what).at(format!("field {field}")));
        if file.model_type != "gpt2" {
            return refuse("model_type", &format!("{:?} is not a GPT-2", file.model_type));
        }
        if file.n_inner.is_some_and(|n_inner| n_inner != 4 * file.n_embd) {
            return refuse(
                "n_inner",
                "the MLP of this model is four times as wide as n_embd, or the field is null",
            );
        }
        if !["gelu_new", "gelu_pytorch_tanh"].contains(&file.activation_function.as_str()) {
            return refuse("activation_function", &format!("{:?} is not gelu_new", file.activation_function));
        }
        if file.layer_norm_epsilon != LayerNorm::EPS {
            return refuse(
                "layer_norm_epsilon",
                &format!("{} is not {}", file.layer_norm_epsilon, LayerNorm::EPS),
            );
        }
        if !file.tie_word_embeddings {
            return refuse("tie_word_embeddings", "the head of this model is always tied to the embedding");
        }
        if !file.scale_attn_weights {
            return refuse(
                "scale_attn_weights",
                "attention is always divided by the root of the head's size here",
            );
        }
        if file.scale_attn_by_inverse_layer_idx {
            return refuse(
                "scale_attn_by_inverse_layer_idx",
                "attention is not scaled by the layer's number here",
            );
        }
        if file.add_cross_attention {
            return refuse("add_cross_attention", "there is no cross-attention here");
        }
        if file.embd_pdrop != file.resid_pdrop || file.attn_pdrop != file.resid_pdrop {
            return refuse(
                "resid_pdrop",
                "embd_pdrop, attn_pdrop and resid_pdrop must be equal: there is one dropout here",
            );
        }
        Ok(ModelConfig {
            n_layer: file.n_layer,
            n_head: file.n_head,
            n_embd: file.n_embd,
            block_size: file.n_positions,
            vocab_size: file.vocab_size,
            bias: file.bias,
            dropout: file.resid_pdrop,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn load(value: &Value) -> Result<ModelConfig> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        files::write_json(&path, value).unwrap();
        ModelConfig::load(&path)
    }

    fn gpt2() -> Value {
        json!({ "model_type": "gpt2", "vocab_size": 29, "n_positions": 12, "n_embd": 16, "n_layer": 2, "n_head": 2 })
    }

    #[test]
    fn a_config_comes_back_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let config = ModelConfig { dropout: 0.1, bias: true, ..ModelConfig::default() };
        config.save(&path).unwrap();
        assert_eq!(ModelConfig::load(&path).unwrap(), config);
    }

    #[test]
    fn fields_that_gpt_2_leaves_out_have_its_defaults() {
        let config = load(&gpt2()).unwrap();
        assert_eq!((config.block_size, config.bias, config.dropout), (12, true, 0.0));
    }

    #[test]
    fn a_missing_field_is_named() {
        for field in ["model_type", "vocab_size", "n_positions", "n_embd", "n_layer", "n_head"] {
            let mut value = gpt2();
            value.as_object_mut().unwrap().remove(field);
            let message = load(&value).unwrap_err().to_string();
            assert!(message.contains("config.json") && message.contains(&format!("missing field `{field}`")));
        }
    }

    #[test]
    fn what_the_architecture_does_not_have_is_refused_by_its_field() {
        for (field, wrong) in [
            ("model_type", json!("llama")),
            ("n_inner", json!(100)),
            ("activation_function", json!("quick_gelu")),
            ("layer_norm_epsilon", json!(1e-6)),
            ("tie_word_embeddings", json!(false)),
            ("scale_attn_weights", json!(false)),
            ("scale_attn_by_inverse_layer_idx", json!(true)),
            ("add_cross_attention", json!(true)),
        ] {
            let mut value = gpt2();
            value[field] = wrong;
            let message = load(&value).unwrap_err().to_string();
            assert!(message.contains(&format!("config.json, field {field}: ")), "{message}");
            assert!(message.contains("way out: "), "{message}");
        }
    }
}
