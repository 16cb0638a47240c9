//! From a model and batches to a better model.

pub mod config;
pub mod optimizer;
pub mod presets;
pub mod schedule;
pub mod state;
