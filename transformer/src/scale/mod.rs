//! Scale: a family of models with one dial, and what more of everything buys.

pub mod bfgs;
pub mod checkpoint;
pub mod climb;
pub mod fit;
pub mod ladder;
pub mod page;
pub mod plan;
pub mod pool;
pub mod record;
pub mod sound;
pub mod source;
