//! A GPT on the `autograd` crate.

pub mod bench;
pub mod data;
pub mod error;
pub mod files;
pub mod model;
pub mod random;
pub mod run_dir;
pub mod safetensors;
pub mod train;

pub use error::{Error, Result};
