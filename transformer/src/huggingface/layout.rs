//! Where each parameter lies in a checkpoint of `transformers`.
//!
//! GPT-2's linear layers are stored as they are here, x·W with W `[d_in, d_out]` (`Conv1D`), and under the same names.
//! Llama's are stored transposed, `[d_out, d_in]` (`Linear`), and its queries, keys and values are three matrices where
//! here they lie side by side.

use super::Family;
use crate::error::{Error, Result};
use crate::model::ModelConfig;

/// The tensors that a parameter is put together from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of each, and how many columns of the parameter it holds (of a vector: numbers).
    pub parts: Vec<(String, usize)>,
    /// Whether they are stored as `[columns, rows]`.
    pub transposed: bool,
}

impl Place {
    /// Where the parameter of this name (see [`Gpt::map`](crate::model::Gpt::map)) and shape lies.
    ///
    /// # Errors
    /// If the architecture has no such parameter.
    pub fn of(family: Family, name: &str, shape: &[usize], config: &ModelConfig) -> Result<Self> {
        let columns = *shape.last().unwrap_or(&1);
        match family {
            Family::Gpt2 => Ok(Place { parts: vec![(name.into(), columns)], transposed: false }),
            Family::Llama => Self::in_llama(name, shape, config)
                .ok_or_else(|| Error::new("a Llama has no such parameter").at(format!("tensor {name}"))),
        }
    }

    fn in_llama(name: &str, shape: &[usize], config: &ModelConfig) -> Option<Self> {
        let columns = *shape.last()?;
        let whole = |name: String| Some(Place { parts: vec![(name, columns)], transposed: false });
        let Some(of_a_layer) = name.strip_prefix("transformer.h.") else {
            return match name {
                "transformer.wte.weight" => whole("model.embed_tokens.weight".into()),
                "transformer.ln_f.weight" => whole("model.norm.weight".into()),
                "lm_head.weight" => whole("lm_head.weight".into()),
                _ => None,
            };
        };
        let (layer, rest) = of_a_layer.split_once('.')?;
        let (module, kind) = rest.rsplit_once('.')?; // kind: weight or bias
        let called = |name: &str| format!("model.layers.{layer}.{name}.{kind}");
        let (q, kv) = (config.n_embd, config.n_kv_head() * config.head_size());
        let parts = match module {
            "ln_1" => return whole(called("input_layernorm")),
            "ln_2" => return whole(called("post_attention_layernorm")),
            "attn.c_attn" => vec![
                (called("self_attn.q_proj"), q),
                (called("self_attn.k_proj"), kv),
                (called("self_attn.v_proj"), kv),
            ],
            "attn.c_proj" => vec![(called("self_attn.o_proj"), columns)],
            "mlp.c_fc" => vec![(called("mlp.up_proj"), columns)],
            "mlp.c_gate" => vec![(called("mlp.gate_proj"), columns)],
            "mlp.c_proj" => vec![(called("mlp.down_proj"), columns)],
            _ => return None,
        };
        Some(Place { parts, transposed: shape.len() == 2 })
    }
}

/// `[rows, columns]` → `[columns, rows]`
pub fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..rows * columns).map(|i| x[i % rows * columns + i / rows]).collect()
}

/// Buffers that older versions of `transformers` saved beside the parameters: masks and angles.
pub fn is_a_buffer(name: &str) -> bool {
    [".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"].iter().any(|ending| name.ends_with(ending))
}
