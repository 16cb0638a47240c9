//! The syllabus of the gradients: every op of the crate, family by family, proven in the same ways.
//!
//! ```text
//! the gradient     reverse = forward = difference, entry by entry, at f64;        three_ways_agree
//!                  and inputs that are used twice collect both contributions
//! the value        the formula, written once more with loops and indices          the_value_is
//! the precision    f32 computes what f64 does, but for rounding                   f32_agrees_with_f64
//! the curvature    Hessian-vector products: symmetric, and equal to differences   second_order_agrees
//! bfloat16         the rule at full precision, of rounded operands                 bf16
//! ```
//!
//! Inputs are drawn at random from a fixed seed: shapes of every rank with axes of size 0 and 1, broadcasting,
//! every choice of axes. A case that fails is shrunk before it is shown. Where a function has a kink, what its
//! documentation promises is asserted exactly. `every_op` fails if an op of the crate is missing here.

mod arithmetic;
mod attention;
mod bf16;
mod draw;
mod dropout;
mod every_op;
mod gather;
mod layout;
mod linear;
mod loss;
mod matmul;
mod norm;
mod pointwise;
mod prove;
mod reduce;
mod rope;
mod select;
mod softmax;
