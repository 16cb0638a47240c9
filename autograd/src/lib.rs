//! Reverse-mode automatic differentiation on tensors, from scratch, on a tape.
//!
//! Compute on a tape, end in one number, walk back from it: every number on the tape then knows how the last one would
//! have changed with it.
//!
//! ```
//! use autograd::{Tape, Tensor};
//!
//! let tape = Tape::<f64>::new();
//! let x = tape.leaf(Tensor::new([2, 2], [1.0, 2.0, 3.0, 4.0]));
//! let w = tape.leaf(Tensor::new([2, 1], [0.5, -1.0]));
//! let loss = (x.matmul(w) + 1.0).powi(2).sum_all(); // Σ (x·w + 1)², one number
//! let gradients = loss.backward();
//!
//! assert_eq!(loss.value().item(), 2.5);
//! assert_eq!(gradients.of(w).data(), [-10.0, -14.0]); // ∂loss/∂w, in the shape of w
//! ```
//!
//! What to read, in this order:
//!
//! 1. [`Tape`] and [`Var`], in `tape.rs`: the file that everything else serves. The idea is [`Tape::apply`], whose body is
//!    `run`, and the loop behind [`Var::backward`], `walk_back`.
//! 2. [`mod@op`]: what an operation has to say ([`Op`]), and how its contributions to cotangents are added up
//!    ([`Cotangents`]). An op of your own implements the same trait.
//! 3. [`ops`]: the rules, one file a family; formula, forward rule and vector-Jacobian product side by side.
//! 4. [`Dual`]: forward mode, by running the same code at another scalar. [`gradcheck`]: every gradient computed three
//!    ways, which have to agree.
//! 5. [`Tensor`] and [`Shape`]: numbers and sizes; they know nothing of gradients.
//! 6. [`kernels`]: functions on slices, the matrix product from its definition to its fast form.
//!
//! Shapes that do not fit are mistakes of the program: they panic at the caller's line, with a sentence about the
//! mathematics.

#![debugger_visualizer(gdb_script_file = "debugger/gdb.py")]
#![debugger_visualizer(natvis_file = "debugger/autograd.natvis")]

mod broadcast;
pub mod buffer;
mod detector;
mod dual;
mod float;
pub mod gradcheck;
mod gradients;
pub mod kernels;
mod modes;
pub mod op;
pub mod ops;
mod print;
mod profile;
mod replay;
mod scope;
mod shape;
pub mod sources;
mod tape;
mod tensor;

pub use dual::Dual;
pub use float::Float;
pub use gradients::Gradients;
pub use op::{At, Cotangents, Op, Saved, vjp_alone};
pub use profile::OpTime;
pub use scope::{Scope, ScopeGuard};
pub use shape::Shape;
pub use tape::{Intercept, Node, Tape, Var};
pub use tensor::Tensor;
