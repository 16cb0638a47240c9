//! Reverse-mode automatic differentiation on tensors, from scratch, on a tape.

pub mod buffer;
mod dual;
mod float;
pub mod kernels;

pub use dual::Dual;
pub use float::Float;
