//! Models that come from Hugging Face's `transformers` and go back there, without a script.
//!
//! A checkpoint there is a directory: `config.json`, the weights in `safetensors` (in one file or in shards with an
//! index), `tokenizer.json`. Two architectures can be told in the parts that this model has (see
//! [`Design`](crate::model::Design)): `GPT2LMHeadModel` and `LlamaForCausalLM`. What such a checkpoint asks for beyond
//! that is refused with the field's name.
//!
//! - [`config`]: `config.json`, of a run and of a checkpoint; [`gpt2`] and [`llama`] are the two forms of it
//! - [`layout`]: where each parameter lies in the files, under which name, transposed or not
//! - [`checkpoint`]: the files of weights, opened
//! - [`special_ids`]: the tokens that begin and end a text there
//! - [`transfer`]: `import` and `export`

pub mod checkpoint;
pub mod config;
pub mod gpt2;
pub mod layout;
pub mod llama;
pub mod special_ids;
pub mod transfer;

pub use config::Family;
