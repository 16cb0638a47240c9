//! Reverse-mode automatic differentiation on tensors, from scratch, on a tape.

pub mod buffer;
mod detector;
mod dual;
mod float;
pub mod gradcheck;
mod gradients;
pub mod kernels;
pub mod op;
pub mod ops;
mod print;
mod profile;
mod replay;
mod scope;
mod shape;
mod tape;
mod tensor;

pub use dual::Dual;
pub use float::Float;
pub use gradients::Gradients;
pub use op::{At, Cotangents, Op, Saved};
pub use profile::OpTime;
pub use scope::Scope;
pub use shape::Shape;
pub use tape::{Intercept, Node, ScopeGuard, Tape, Var};
pub use tensor::Tensor;
