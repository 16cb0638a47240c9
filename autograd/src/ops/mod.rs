//! The ops, one file a family. In each file an op's forward rule and its vjp stand side by side under the
//! formula, followed by the [`Var`](crate::Var) methods that apply it.

pub mod arithmetic;
mod detach;
pub mod dropout;
pub mod gather;
pub mod layout;
pub mod loss;
pub mod matmul;
pub mod norm;
mod operators;
pub mod pointwise;
pub mod reduce;
mod rows;
pub mod select;
pub mod softmax;
