//! The ops, one file a family. In each file an op's forward rule and its vjp stand side by side under the
//! formula, followed by the [`Var`](crate::Var) methods that apply it.

pub mod arithmetic;
pub mod attention;
mod detach;
pub mod dropout;
pub mod gather;
pub mod layout;
pub mod linear;
pub mod loss;
pub mod matmul;
pub mod norm;
mod operators;
pub mod pointwise;
pub mod reduce;
pub mod rope;
pub mod select;
pub mod softmax;

/// Positions of axes, or numbers of rows, for [`details`](crate::Op::details): the first few of many.
fn list(numbers: &[usize]) -> String {
    const SHOWN: usize = 12;
    let words: Vec<String> = numbers.iter().take(SHOWN).map(usize::to_string).collect();
    let rest = if numbers.len() > SHOWN { format!(" … of {}", numbers.len()) } else { String::new() };
    words.join(" ") + &rest
}
