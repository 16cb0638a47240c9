//! A GPT on the `autograd` crate.

pub mod bench;
pub mod cli;
pub mod commands;
pub mod data;
pub mod error;
pub mod files;
pub mod model;
pub mod random;
pub mod run_dir;
pub mod safetensors;
pub mod sample;
pub mod train;

pub use error::{Error, Result};
