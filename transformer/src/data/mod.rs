//! From text to batches: read a text, split it, turn it into ids, cut windows out of them.

pub mod batches;
pub mod bin;
pub mod corpus;
pub mod dataset;
pub mod fingerprint;
pub mod large;
pub mod pieces;
pub mod stories;
pub mod text;
pub mod tokenizer;
pub mod tokens;
