//! The five loops of a product, over some rows and columns of C.
//!
//! ```text
//! for each block of depth     kc ≤ 384                      (so that a panel of A or B stays in the L1 cache)
//!   for each block of columns nc ≤ 512      pack B: kc × nc  (stays in the L2 cache)
//!     for each group of rows  16·MR         pack A, if it is stored transposed
//!       for each panel of MR rows           read where it lies, otherwise
//!         for each panel of NV registers    the microkernel, see `tile.rs`
//! ```
//!
//! The two outer ones are here, the others in [`block`](super::block), the last two in either order.
//! (The loops are those of F. Van Zee, R. van de Geijn, "BLIS: A Framework for Rapidly Instantiating BLAS
//! Functionality", 2015, with A's and B's roles chosen for row-major C.)

use super::block::Block;
use super::dot;
use super::lanes::{Kernel, Lanes, Scratch, Simd};
use super::pack::GROUP;
use super::steps::in_steps;
use super::threads::Shared;
use super::{MatMul, Triangle};
use std::ops::Range;

/// The largest depth of a block.
pub(super) const KC: usize = 384;
/// The largest width of a block of B; a multiple of every instruction set's tile.
const NC: usize = 512;

/// What is done to C besides the product.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a, T> {
    /// A row of biases, which the sums begin with.
    pub bias: Option<&'a [T]>,
    /// Where gelu(C) goes, laid out as C; C becomes gelu′(C).
    pub gelu: Option<Shared<T>>,
}

impl<T> Epilogue<'_, T> {
    pub(crate) const NONE: Self = Epilogue { bias: None, gelu: None };
}

/// Some rows and columns of a product.
pub(super) struct Part<'a, T> {
    pub plan: &'a MatMul,
    pub a: &'a [T],
    pub b: &'a [T],
    pub epilogue: Epilogue<'a, T>,
    pub c: Shared<T>,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl<T: Simd> Kernel<T> for Part<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self) {
        debug_assert!(self.epilogue.bias.is_some() || self.epilogue.gelu.is_none(), "gelu comes with a bias");
        // (`dot` has no bias. Where it fits, C holds the bias already, but for operands that only bf16's copies made fit.)
        if self.epilogue.bias.is_none() && dot::fits(self.plan) {
            // SAFETY: `check` has been called, and this piece of C is this thread's alone.
            return unsafe { dot::products::<L>(self.plan, self.a, self.b, self.c, self.rows, self.columns) };
        }
        let edge = if self.epilogue.bias.is_none() { dot::edge(self.plan, L::N) } else { self.plan.n };
        if self.columns.end > edge {
            let (rows, columns) = (self.rows.clone(), edge.max(self.columns.start)..self.columns.end);
            // SAFETY: as above.
            unsafe { dot::products::<L>(self.plan, self.a, self.b, self.c, rows, columns) };
            if self.columns.start >= edge {
                return;
            }
        }
        let all = self.columns.start..self.columns.end.min(edge);
        let k = self.plan.k;
        let kc = k.div_ceil(k.div_ceil(KC));
        let width = all.len().min(NC).next_multiple_of(L::N);
        let mut scratch = Scratch::new(kc * width + kc * GROUP * L::MR);
        let (panels_b, panels_a) = scratch.numbers().split_at_mut(kc * width);
        for depth in in_steps(0..k, kc) {
            for columns in in_steps(all.clone(), NC) {
                Block::pack::<L>(&self, depth.clone(), columns, panels_b, panels_a).multiply::<L>();
            }
        }
    }
}

impl<T: Simd> Part<'_, T> {
    /// Where the columns end and which depths count for some rows of C, if the product has a triangle.
    #[inline(always)]
    pub(super) fn in_triangle(
        &self,
        rows: Range<usize>,
        end: usize,
        depth: Range<usize>,
    ) -> (usize, Range<usize>) {
        match (self.plan.triangle, self.plan.transpose_a) {
            (Triangle::None, _) => (end, depth),
            (Triangle::OfC { first }, _) => (end.min(first + rows.end), depth),
            (Triangle::OfA { first }, false) => {
                (end, depth.start..(first + rows.end).clamp(depth.start, depth.end))
            }
            (Triangle::OfA { first }, true) => {
                (end, rows.start.saturating_sub(first).clamp(depth.start, depth.end)..depth.end)
            }
        }
    }
}
