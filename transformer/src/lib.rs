//! A GPT on the `autograd` crate.

pub mod data;
pub mod error;
pub mod files;
pub mod random;

pub use error::{Error, Result};
