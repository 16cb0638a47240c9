//! From text to batches: read a text, split it, turn it into ids, cut windows out of them.

pub mod batches;
pub mod dataset;
pub mod stories;
pub mod text;
pub mod tokenizer;
