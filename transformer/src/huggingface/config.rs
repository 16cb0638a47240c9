//! `config.json`: the shape of a model, as `transformers` has it where it can.
//!
//! A run whose model is a GPT-2 has GPT-2's `config.json`, so that `transformers` reads the run directory as it is. A run
//! of another design has the fields of [`ModelConfig`] and the `model_type` "backstep"; `export` turns it into a Llama,
//! where it is one.

use super::gpt2::Gpt2;
use super::llama::Llama;
use crate::error::{Error, Result};
use crate::files;
use crate::model::{ModelConfig, Position};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

const WAY_OUT: &str = "use the config.json of a GPT-2 or Llama model, or of a run of this program";

/// An architecture of `transformers` that this model can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `GPT2LMHeadModel`
    Gpt2,
    /// `LlamaForCausalLM`
    Llama,
}

impl Family {
    /// The only one that a model can be: positions are learned or turned.
    pub fn of(config: &ModelConfig) -> Self {
        match config.design.position {
            Position::Learned => Family::Gpt2,
            Position::Rope => Family::Llama,
        }
    }

    /// The class in `transformers`.
    pub fn class(self) -> &'static str {
        match self {
            Family::Gpt2 => "GPT2LMHeadModel",
            Family::Llama => "LlamaForCausalLM",
        }
    }
}

/// A run of a design that is not GPT-2's.
#[derive(Serialize, Deserialize)]
struct Own {
    model_type: String,
    #[serde(flatten)]
    config: ModelConfig,
}

impl ModelConfig {
    /// Writes the `config.json` of a run, atomically.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        match Gpt2::of(self) {
            Ok(gpt2) => files::write_json(path, &gpt2),
            Err(_) => files::write_json(path, &Own { model_type: "backstep".into(), config: self.clone() }),
        }
    }

    /// Reads the `config.json` of a run.
    ///
    /// # Errors
    /// If it cannot be read, a field is missing or wrong, or it asks for what this architecture does not have.
    pub fn load(path: &Path) -> Result<Self> {
        match read(path)? {
            (None, config) | (Some(Family::Gpt2), config) => Ok(config),
            (Some(Family::Llama), _) => Err(Error::new("this is a checkpoint of transformers, not a run")
                .in_file(path)
                .at("field model_type")
                .way_out("make a run of it by `transformer import DIR --out RUN`")),
        }
    }
}

/// Reads the `config.json` of a run or of a checkpoint, with the family that it is told as.
///
/// # Errors
/// As [`ModelConfig::load`].
pub fn read(path: &Path) -> Result<(Option<Family>, ModelConfig)> {
    let value: Value = files::read_json(path, WAY_OUT)?;
    let found = match value["model_type"].as_str() {
        Some("gpt2") => {
            fields::<Gpt2>(value).and_then(Gpt2::config).map(|config| (Some(Family::Gpt2), config))
        }
        Some("llama") => {
            fields::<Llama>(value).and_then(Llama::config).map(|config| (Some(Family::Llama), config))
        }
        Some("backstep") => fields::<Own>(value).map(|own| (None, own.config)),
        Some(other) => Err(Error::new(format!("{other:?} is none of gpt2, llama")).at("field model_type")),
        None => Err(Error::new("missing field `model_type`").at("field model_type")),
    };
    let (family, config) = found.map_err(|error| error.in_file(path).way_out(WAY_OUT))?;
    config.validate().map_err(|error| error.in_file(path))?;
    Ok((family, config))
}

fn fields<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value.clone()).map_err(|error| {
        let what = error.to_string();
        let wrong = Error::new(format!("this is not the JSON that was expected: {what}"));
        match wrong_field::<T>(&value, &what) {
            Some(field) => wrong.at(format!("field {field}")),
            None => wrong,
        }
    })
}

/// The field that an error is about: the one that is missing, or the one without which the error would be another.
fn wrong_field<T: DeserializeOwned>(value: &Value, what: &str) -> Option<String> {
    if let Some(missing) = what.strip_prefix("missing field `") {
        return missing.split_once('`').map(|(field, _)| field.to_owned());
    }
    let is_wrong = |field: &&String| {
        let mut rest = value.clone();
        if let Some(fields) = rest.as_object_mut() {
            fields.remove(*field);
        }
        serde_json::from_value::<T>(rest).err().is_none_or(|error| error.to_string() != what)
    };
    value.as_object()?.keys().filter(|field| *field != "model_type").find(is_wrong).cloned()
}

/// An error that names the field.
pub(super) fn refuse<T>(field: &str, what: impl Into<String>) -> Result<T> {
    Err(Error::new(what).at(format!("field {field}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::every_design;
    use serde_json::json;

    fn load(value: &Value) -> Result<(Option<Family>, ModelConfig)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        files::write_json(&path, value).unwrap();
        read(&path)
    }

    fn gpt2() -> Value {
        json!({ "model_type": "gpt2", "vocab_size": 29, "n_positions": 12, "n_embd": 16, "n_layer": 2, "n_head": 2 })
    }

    fn llama() -> Value {
        json!({
            "model_type": "llama", "vocab_size": 29, "max_position_embeddings": 12, "hidden_size": 16,
            "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
        })
    }

    #[test]
    fn a_run_s_config_comes_back_as_it_was_whatever_its_design() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        for config in every_design(16, 12, 29) {
            config.save(&path).unwrap();
            assert_eq!(ModelConfig::load(&path).unwrap(), config);
        }
        let config = ModelConfig { dropout: 0.1, ..ModelConfig::default() };
        config.save(&path).unwrap();
        assert_eq!(ModelConfig::load(&path).unwrap(), config);
    }

    #[test]
    fn fields_that_are_left_out_have_the_defaults_of_transformers() {
        let (_, config) = load(&gpt2()).unwrap();
        assert_eq!((config.block_size, config.bias, config.dropout), (12, true, 0.0));
        assert_eq!((config.design.norm_eps, config.design.tie_word_embeddings), (1e-5, true));
        let (_, config) = load(&llama()).unwrap();
        assert_eq!(
            (config.block_size, config.bias, config.n_kv_head(), config.n_inner()),
            (12, false, 4, 24)
        );
        assert_eq!((config.design.norm_eps, config.design.tie_word_embeddings), (1e-6, false));
        assert_eq!(config.rope(), Some(10_000.0));
    }

    #[test]
    fn a_missing_field_is_named() {
        let required: [(Value, &[&str]); 2] = [
            (gpt2(), &["model_type", "vocab_size", "n_positions", "n_embd", "n_layer", "n_head"]),
            (llama(), &["vocab_size", "max_position_embeddings", "intermediate_size", "num_attention_heads"]),
        ];
        for (whole, fields) in required {
            for field in fields {
                let mut value = whole.clone();
                value.as_object_mut().unwrap().remove(*field);
                let message = load(&value).unwrap_err().to_string();
                assert!(
                    message.contains("config.json") && message.contains(&format!("missing field `{field}`"))
                );
            }
        }
    }

    #[test]
    fn a_field_of_another_type_is_named() {
        let own = json!({
            "model_type": "backstep", "vocab_size": 29, "block_size": 12, "n_embd": 16, "n_layer": 2, "n_head": 2,
            "bias": true, "dropout": 0.0,
        });
        for (whole, field) in [(gpt2(), "n_embd"), (llama(), "hidden_size"), (own, "n_layer")] {
            for wrong in [json!("16"), json!(-16), json!(1.5), json!([16]), json!(null)] {
                let mut value = whole.clone();
                value[field] = wrong;
                let message = load(&value).unwrap_err().to_string();
                assert!(message.contains(&format!("config.json, field {field}: ")), "{message}");
            }
        }
    }

    #[test]
    fn what_the_architecture_does_not_have_is_refused_by_its_field() {
        let refused = |whole: Value, field: &str, wrong: Value| {
            let mut value = whole;
            value[field] = wrong;
            let message = load(&value).unwrap_err().to_string();
            assert!(message.contains(&format!("config.json, field {field}")), "{message}");
            assert!(message.contains("way out: "), "{message}");
        };
        for (field, wrong) in [
            ("model_type", json!("mamba")),
            ("activation_function", json!("quick_gelu")),
            ("scale_attn_weights", json!(false)),
            ("scale_attn_by_inverse_layer_idx", json!(true)),
            ("add_cross_attention", json!(true)),
            ("resid_pdrop", json!(0.1)),
        ] {
            refused(gpt2(), field, wrong);
        }
        for (field, wrong) in [
            ("hidden_act", json!("gelu")),
            ("head_dim", json!(8)),
            ("mlp_bias", json!(true)),
            ("attention_dropout", json!(0.1)),
            ("rope_scaling", json!({ "rope_type": "llama3", "factor": 8.0 })),
            ("rope_parameters", json!({ "rope_type": "linear", "factor": 8.0 })),
            ("rope_parameters", json!({ "rope_type": "default", "partial_rotary_factor": 0.5 })),
            ("rope_parameters", json!({ "rope_type": "default", "rope_theta": "500000" })),
            ("rope_parameters", json!({ "rope_type": 3 })),
            ("rope_scaling", json!({ "factor": 8.0 })),
            ("rope_scaling", json!("linear")),
        ] {
            refused(llama(), field, wrong);
        }
        let message = load(&json!({ "num_key_value_heads": 3, "model_type": "llama" })).unwrap_err();
        assert!(message.to_string().contains("missing field `vocab_size`"), "{message}");
    }
}
