//! How a forward pass is run: by the fused ops or the textbook's, with dropout or without.

use autograd::kernels::dropout::Dropout;
use autograd::{Float, Var};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;

/// One forward pass through a model.
pub struct Pass {
    /// Run the textbook's composition of primitives instead of the fused ops: slower, and every step visible.
    pub textbook: bool,
    /// Round the operands of matrix products to bfloat16.
    pub bf16: bool,
    dropout: Option<(f64, RefCell<ChaCha8Rng>)>,
    first_row: usize,
}

impl Pass {
    /// Without dropout: to evaluate, to sample, to check.
    pub fn evaluation() -> Self {
        Pass { textbook: false, bf16: false, dropout: None, first_row: 0 }
    }

    /// With dropout, its masks drawn from `generator`.
    pub fn training(dropout: f64, generator: ChaCha8Rng) -> Self {
        let dropout = (dropout > 0.0).then(|| (dropout, RefCell::new(generator)));
        Pass { textbook: false, bf16: false, dropout, first_row: 0 }
    }

    /// The same pass by the textbook's ops.
    pub fn textbook(self) -> Self {
        Pass { textbook: true, ..self }
    }

    /// The same pass with the operands of matrix products rounded to bfloat16, if `yes`.
    pub fn bf16(self, yes: bool) -> Self {
        Pass { bf16: yes, ..self }
    }

    /// The same pass over a part of its rows, from row number `row` on: what is dropped there is what is dropped there in
    /// the pass over all of them.
    pub fn from_row(self, row: usize) -> Self {
        Pass { first_row: self.first_row + row, ..self }
    }

    /// x `[b, …]` with some entries dropped, if this is a training pass with dropout.
    #[track_caller]
    pub fn dropout<'t, T: Float>(&self, x: Var<'t, T>) -> Var<'t, T> {
        match self.draw(x.shape()[1..].iter().product()) {
            None => x,
            Some(Dropout { p, seed, before }) => x.dropout_after(before, p, seed),
        }
    }

    /// What is dropped next, of something with so many entries in a row of the batch, if this is a training pass with dropout.
    pub fn draw(&self, entries: usize) -> Option<Dropout> {
        let (p, generator) = self.dropout.as_ref()?;
        let seed = generator.borrow_mut().next_u64();
        Some(Dropout { p: *p, seed, before: self.first_row * entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};
    use autograd::{Tape, Tensor};

    #[test]
    fn a_part_of_a_part_of_the_rows_drops_what_the_whole_drops_there() {
        let pass = || Pass::training(0.5, generator(3, Purpose::Dropout));
        let dropped = |rows: usize, pass: Pass| {
            let tape = Tape::<f64>::new();
            pass.dropout(tape.leaf(Tensor::ones([rows, 20]))).value().data().to_vec()
        };
        let whole = dropped(9, pass());
        assert_eq!(dropped(4, pass().from_row(2).from_row(3)), whole[5 * 20..]);
        assert_ne!(whole[5 * 20..6 * 20], whole[..20], "each row has a mask of its own");
    }
}
