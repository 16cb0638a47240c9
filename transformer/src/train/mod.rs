//! From a model and batches to a better model.

pub mod config;
pub mod gradient;
pub mod layers;
pub(crate) mod memory;
pub mod noise;
pub mod optimizer;
pub mod presets;
pub mod ranks;
mod saving;
pub mod schedule;
pub mod session;
pub mod shards;
pub mod snapshot;
pub mod state;
pub mod stream;
mod tensors;
pub mod trainer;

pub(crate) use saving::named;
pub use saving::{load_model, load_moments};
