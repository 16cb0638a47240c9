//! The five loops of a product, over some rows and columns of C.
//!
//! ```text
//! for each block of depth     kc ≤ 384                      (so that a panel of A stays in the L1 cache)
//!   for each block of columns nc ≤ 512      pack B: kc × nc  (stays in the L2 cache)
//!     for each group of rows  16·MR         pack A, if it is stored transposed
//!       for each panel of MR rows           read where it lies, otherwise
//!         for each panel of NV registers    the microkernel, see `tile.rs`
//! ```
//!
//! Packing what is used only a few times would cost more than it gains: a B with few rows of A against it, or that
//! fits the L1 cache, is read where it lies. And where tiles are whole, the first panel of A reads B where it lies and
//! packs it for the others on the way, behind the multiply-adds.
//! (The loops are those of F. Van Zee, R. van de Geijn, "BLIS: A Framework for Rapidly Instantiating BLAS
//! Functionality", 2015, with A's and B's roles chosen for row-major C.)

use super::dot;
use super::lanes::{Kernel, Lanes, Scratch, Simd};
use super::maths::gelu_and_slope_in_place;
use super::pack::{pack_group, pack_panel, pack_rows};
use super::threads::Shared;
use super::tile::Tile;
use super::{MatMul, Triangle};
use std::ops::Range;

/// The largest depth of a block.
const KC: usize = 384;
/// The largest width of a block of B; a multiple of every instruction set's tile.
const NC: usize = 512;
/// Numbers that certainly fit the L1 cache, with room for others.
const FITS_L1: usize = 4096;
/// Bytes of a cache line.
pub(super) const LINE: usize = 64;
/// Panels of A that are packed together, side by side: of six rows each they are 96, six cache lines at f32.
pub(super) const GROUP: usize = 16;

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

/// A range in blocks of `size`, of which the last may be shorter.
/// (As [`step_by`](Iterator::step_by), which first divides to count its steps: most of the work of a tiny product.)
struct Blocks {
    rest: Range<usize>,
    size: usize,
}

#[inline(always)]
fn blocks(range: Range<usize>, size: usize) -> Blocks {
    Blocks { rest: range, size }
}

impl Iterator for Blocks {
    type Item = Range<usize>;

    #[inline(always)]
    fn next(&mut self) -> Option<Range<usize>> {
        let Range { start, end } = self.rest;
        self.rest.start = end.min(start + self.size);
        (start < end).then_some(start..self.rest.start)
    }
}

impl<T: Simd> Kernel<T> for Part<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self) {
        if dot::fits(self.plan) {
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
        for depth in blocks(0..k, kc) {
            for columns in blocks(all.clone(), NC) {
                self.block::<L>(depth.clone(), columns, panels_b, panels_a);
            }
        }
    }
}

impl<T: Simd> Part<'_, T> {
    /// Where the columns end and which depths count for some rows of C, if the product has a triangle.
    #[inline(always)]
    fn in_triangle(&self, rows: Range<usize>, end: usize, depth: Range<usize>) -> (usize, Range<usize>) {
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

    /// Asks for rows of A where they lie: runs too short for the processor to foresee.
    #[inline(always)]
    fn prefetch_rows<L: Lanes<Scalar = T>>(&self, rows: Range<usize>, depth: Range<usize>) {
        for i in rows {
            for p in depth.clone().step_by(LINE / size_of::<T>()) {
                L::prefetch(self.a.as_ptr().wrapping_add(i * self.plan.lda + p));
            }
        }
    }

    /// All rows against one block of B.
    #[inline(always)]
    fn block<L: Lanes<Scalar = T>>(
        &self,
        depth: Range<usize>,
        columns: Range<usize>,
        panels_b: &mut [T],
        panels_a: &mut [T],
    ) {
        let MatMul { lda, ldb, ldc, transpose_a, transpose_b, .. } = *self.plan;
        let (nr, kc) = (L::NV * L::N, depth.len());
        let accumulate = self.plan.accumulate || depth.start > 0;
        let bias = self.epilogue.bias.filter(|_| depth.start == 0);
        let gelu = self.epilogue.gelu.filter(|_| depth.end == self.plan.k);
        let bias_at = |column: usize| bias.map_or(std::ptr::null(), |bias| bias[column..].as_ptr());

        let few_rows = self.rows.len() <= 4 * L::MR;
        let b_is_small = (kc - 1) * ldb + columns.len() <= FITS_L1;
        let b_as_it_lies = !transpose_b && (few_rows || b_is_small);
        let row_by_row = !transpose_b && !b_as_it_lies;
        let whole_tiles = self.rows.len() >= L::MR && columns.len().is_multiple_of(nr);
        let on_the_way = row_by_row && whole_tiles && self.plan.triangle == Triangle::None;
        if row_by_row && !on_the_way {
            pack_rows::<L>(self.plan, self.b, depth.clone(), columns.clone(), panels_b);
        }
        for panel in blocks(columns.clone(), nr).filter(|_| !row_by_row) {
            let width = panel.len().next_multiple_of(L::N);
            let whole = if b_as_it_lies { panel.len() / L::N * L::N } else { 0 };
            let place = &mut panels_b[kc * (panel.start - columns.start)..];
            if whole < panel.len() {
                pack_panel::<L>(
                    self.plan,
                    self.b,
                    depth.clone(),
                    panel.start + whole..panel.end,
                    width - whole,
                    place,
                );
            }
        }

        let a_is_small = (kc - 1) * lda + self.rows.len() <= FITS_L1;
        let a_as_it_lies = !transpose_a || columns.len() <= nr || a_is_small;
        for group in blocks(self.rows.clone(), GROUP * L::MR) {
            if !a_as_it_lies {
                pack_group::<L>(self.plan, self.a, group.clone(), depth.clone(), panels_a);
            }
            for rows in blocks(group.clone(), L::MR) {
                let (i, height) = (rows.start, rows.len());
                let (a, a_row, a_column) = match (a_as_it_lies, transpose_a) {
                    (false, _) => (panels_a[i - group.start..].as_ptr(), 1, GROUP * L::MR),
                    (true, false) => (self.a[i * lda + depth.start..].as_ptr(), lda, 1),
                    (true, true) => (self.a[depth.start * lda + i..].as_ptr(), 1, lda),
                };
                if a_as_it_lies && !transpose_a {
                    self.prefetch_rows::<L>(rows.end..group.end.min(rows.end + L::MR), depth.clone());
                }
                let (columns_end, needed) = self.in_triangle(rows.clone(), columns.end, depth.clone());
                let skipped = needed.start - depth.start;
                let a = a.wrapping_add(skipped * a_column);
                for panel in blocks(columns.clone(), nr).take_while(|panel| panel.start < columns_end) {
                    let start = panel.start;
                    let width = panel.len().min((columns_end - start).next_multiple_of(L::N));
                    let packed = panels_b[kc * (start - columns.start)..].as_mut_ptr();
                    let packed_row = if b_as_it_lies { L::N } else { panel.len().next_multiple_of(L::N) };
                    let packs = on_the_way && i == self.rows.start;
                    // B is read where it lies up to this column of the panel, and from the packed panel after it.
                    let lies = match (packs, b_as_it_lies) {
                        (true, _) => width,
                        (false, true) => (panel.len() / L::N * L::N).min(width),
                        (false, false) => 0,
                    };
                    // So there are one or two tiles. (A loop, for the compiler to have one place to put the tile.)
                    let (mut from, mut to) = (0, if lies > 0 { lies } else { width });
                    while from < to {
                        let (b, b_row) = match to == lies {
                            true => (self.b[depth.start * ldb + start..].as_ptr(), ldb),
                            false => (packed.cast_const(), packed_row),
                        };
                        let tile = Tile {
                            depth: needed.len(),
                            a,
                            a_row,
                            a_column,
                            b: b.wrapping_add(skipped * b_row),
                            b_row,
                            // SAFETY: `check` has shown that row i, column `start + from` of C lies inside it.
                            c: unsafe { self.c.get().add(i * ldc + start + from) },
                            c_row: ldc,
                            width: to - from,
                            accumulate,
                            bias: bias_at(start + from),
                        };
                        // SAFETY: `check` has shown that A's, B's and C's last number lies inside its slice; the packed
                        // panels hold `depth` whole rows each; rows and columns of C are this piece's alone.
                        unsafe {
                            if packs { tile.compute_and_pack::<L>(packed) } else { tile.compute::<L>(height) }
                        }
                        (from, to) = (to, width);
                    }
                }
                if let Some(gelu) = gelu {
                    for row in rows {
                        let at = row * ldc + columns.start;
                        // SAFETY: inside C, and inside Y, which is as long; this piece's alone in both.
                        let (u, y) = unsafe {
                            let (u, y) = (self.c.get().add(at), gelu.get().add(at));
                            let len = columns.len();
                            (std::slice::from_raw_parts_mut(u, len), std::slice::from_raw_parts_mut(y, len))
                        };
                        gelu_and_slope_in_place::<L>(u, y);
                    }
                }
            }
        }
    }
}
