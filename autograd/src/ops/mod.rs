//! The ops, one file a family. In each file an op's forward rule and its vjp stand side by side under the
//! formula, followed by the [`Var`](crate::Var) methods that apply it.

pub mod arithmetic;
mod operators;
pub mod pointwise;
pub mod select;
