//! The Transformer as a function: `[b, n]` integers → `[b, n, d]` vectors → N blocks → `[b, n, v]` logits.
//!
//! Read in this order: [`Gpt`], [`Block`], [`Attention`], [`Mlp`].
//!
//! Every layer is generic over what stands in the place of a parameter: a tensor when the model rests, a
//! variable when it is on a tape, a shape when a file is read.

mod attention;
mod block;
mod config;
mod decoder;
mod design;
#[cfg(test)]
mod design_tests;
mod gpt;
mod init;
mod linear;
mod mlp;
mod norm;
mod pass;

pub use attention::Attention;
pub use block::Block;
pub use config::ModelConfig;
pub use decoder::Decoder;
#[cfg(test)]
pub(crate) use design::every_design;
pub use design::{Activation, Design, NormKind, Position};
pub use gpt::Gpt;
pub use linear::Linear;
pub use mlp::Mlp;
pub use norm::Norm;
pub use pass::Pass;
