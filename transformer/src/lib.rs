//! A GPT on the `autograd` crate.
