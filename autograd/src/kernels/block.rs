//! One block of a product: rows of A against a block of B that is packed once, tile by tile.
//!
//! Packing what is used only a few times would cost more than it gains: a B with few rows of A against it, or that
//! fits the L1 cache, is read where it lies. And where tiles are whole, the first panel of A reads B where it lies and
//! packs it for the others on the way, behind the multiply-adds.
//!
//! A tile takes a panel of A and one of B, and one of the two stays in the L1 cache while the other's go by:
//!
//! ```text
//! B's stays   for each panel of B, for each panel of A     where it fits: with AVX2, NEON, and without vectors
//! A's stays   for each panel of A, for each panel of B     otherwise: with AVX-512, whose tiles are four times as wide
//! ```

use super::lanes::{Lanes, Simd};
use super::maths::gelu_and_slope_in_place;
use super::pack::{GROUP, LINE, pack_group, pack_panel, pack_panels, pack_rows};
use super::part::{KC, Part};
use super::steps::in_steps;
use super::tile::Tile;
use super::{MatMul, Triangle};
use std::ops::Range;

/// Numbers that certainly fit the L1 cache, with room for others.
const FITS_L1: usize = 4096;
/// Bytes of a panel of B that stays in the L1 cache, of 32 or 48 KiB: AVX2's, at the largest depth.
const STAYS_IN_L1: usize = 24 * 1024;
/// A panel of A that goes by as often as this is packed in one piece, which takes longer.
const AGAIN_AND_AGAIN: usize = 8;

/// Some depths and columns of a [`Part`].
pub(super) struct Block<'a, T> {
    part: &'a Part<'a, T>,
    depth: Range<usize>,
    columns: Range<usize>,
    panels_a: &'a mut [T],
    panels_b: &'a mut [T],
    panels_of_a: PanelsOfA,
    panels_of_b: PanelsOfB,
}

/// How panels of A lie in memory.
enum PanelsOfA {
    /// In A itself.
    NotPacked,
    /// A group's panels side by side: a row of the stored A stays in one piece, which is quick to pack.
    SideBySide,
    /// One after another: each is one piece of memory, for those that go by again and again.
    OneByOne,
}

/// The same for B.
enum PanelsOfB {
    /// In B itself, but for columns at the end that fill no register.
    NotPacked,
    /// One after another, row after row of a panel.
    Packed,
    /// So, too, but it is the tiles of the first rows that pack them.
    OnTheWay,
}

impl<'a, T: Simd> Block<'a, T> {
    /// Packs B, where that is not left to the first tiles.
    #[inline(always)]
    pub fn pack<L: Lanes<Scalar = T>>(
        part: &'a Part<'a, T>,
        depth: Range<usize>,
        columns: Range<usize>,
        panels_b: &'a mut [T],
        panels_a: &'a mut [T],
    ) -> Self {
        let MatMul { lda, ldb, transpose_a, transpose_b, .. } = *part.plan;
        let (nr, kc) = (L::NV * L::N, depth.len());
        let few_rows = part.rows.len() <= 4 * L::MR;
        let b_is_small = (kc - 1) * ldb + columns.len() <= FITS_L1;
        let whole_tiles = part.rows.len() >= L::MR && columns.len().is_multiple_of(nr);
        let panels_of_b = if !transpose_b && (few_rows || b_is_small) {
            PanelsOfB::NotPacked
        } else if !transpose_b && whole_tiles && part.plan.triangle == Triangle::None {
            PanelsOfB::OnTheWay
        } else {
            PanelsOfB::Packed
        };
        match panels_of_b {
            PanelsOfB::OnTheWay => {}
            PanelsOfB::Packed if !transpose_b => {
                pack_rows::<L>(part.plan, part.b, depth.clone(), columns.clone(), panels_b);
            }
            _ => {
                let lies = matches!(panels_of_b, PanelsOfB::NotPacked);
                for panel in in_steps(columns.clone(), nr) {
                    let whole = if lies { panel.len() / L::N * L::N } else { 0 };
                    let place = &mut panels_b[kc * (panel.start - columns.start)..];
                    if whole < panel.len() {
                        let (rest, width) =
                            (panel.start + whole..panel.end, panel.len().next_multiple_of(L::N));
                        pack_panel::<L>(part.plan, part.b, depth.clone(), rest, width - whole, place);
                    }
                }
            }
        }

        let a_is_small = (kc - 1) * lda + part.rows.len() <= FITS_L1;
        let times = columns.len().div_ceil(nr); // that a panel of A goes by
        let panels_of_a = if !transpose_a || a_is_small || times <= 1 {
            PanelsOfA::NotPacked
        } else if Self::b_stays::<L>() && times >= AGAIN_AND_AGAIN {
            PanelsOfA::OneByOne
        } else {
            PanelsOfA::SideBySide
        };
        Block { part, depth, columns, panels_a, panels_b, panels_of_a, panels_of_b }
    }

    /// Of the panels of A and B, it is B's that stay in the L1 cache.
    #[inline(always)]
    fn b_stays<L: Lanes<Scalar = T>>() -> bool {
        const { KC * L::NV * L::N * size_of::<T>() <= STAYS_IN_L1 }
    }

    /// All rows, group by group.
    #[inline(always)]
    pub fn multiply<L: Lanes<Scalar = T>>(mut self) {
        let part = self.part;
        let nr = L::NV * L::N;
        for group in in_steps(part.rows.clone(), GROUP * L::MR) {
            let (rows, depth) = (group.clone(), self.depth.clone());
            match self.panels_of_a {
                PanelsOfA::NotPacked => {}
                PanelsOfA::SideBySide => pack_group::<L>(part.plan, part.a, rows, depth, self.panels_a),
                PanelsOfA::OneByOne => pack_panels::<L>(part.plan, part.a, rows, depth, self.panels_a),
            }
            if Self::b_stays::<L>() {
                for panel in in_steps(self.columns.clone(), nr) {
                    for rows in in_steps(group.clone(), L::MR) {
                        self.tiles::<L>(&group, rows, panel.clone());
                    }
                }
                self.gelu::<L>(group);
            } else {
                for rows in in_steps(group.clone(), L::MR) {
                    for panel in in_steps(self.columns.clone(), nr) {
                        self.tiles::<L>(&group, rows.clone(), panel);
                    }
                    self.gelu::<L>(rows);
                }
            }
        }
    }

    /// A panel of A times one of B: one tile, or two where B's last columns are packed and the others are not.
    #[inline(always)]
    fn tiles<L: Lanes<Scalar = T>>(&mut self, group: &Range<usize>, rows: Range<usize>, panel: Range<usize>) {
        let part = self.part;
        let MatMul { ldb, ldc, accumulate, .. } = *part.plan;
        if panel.start == self.columns.start {
            self.prefetch_rows::<L>(rows.end..group.end.min(rows.end + L::MR));
        }
        let (columns_end, needed) = part.in_triangle(rows.clone(), self.columns.end, self.depth.clone());
        if panel.start >= columns_end {
            return;
        }
        let skipped = needed.start - self.depth.start;
        let (a, a_row, a_column) = self.a_from::<L>(rows.start, group.start);
        let bias = part.epilogue.bias.filter(|_| self.depth.start == 0);
        let bias_at = |column: usize| bias.map_or(std::ptr::null(), |bias| bias[column..].as_ptr());
        let width = panel.len().min((columns_end - panel.start).next_multiple_of(L::N));
        let packed = self.panels_b[self.depth.len() * (panel.start - self.columns.start)..].as_mut_ptr();
        let packs = matches!(self.panels_of_b, PanelsOfB::OnTheWay) && rows.start == part.rows.start;
        // B is read where it lies up to this column of the panel, and from the packed panel after it.
        let (lies, packed_row) = match self.panels_of_b {
            PanelsOfB::NotPacked => ((panel.len() / L::N * L::N).min(width), L::N),
            _ => (if packs { width } else { 0 }, panel.len().next_multiple_of(L::N)),
        };
        // So there are one or two tiles. (A loop, for the compiler to have one place to put the tile.)
        let (mut from, mut to) = (0, if lies > 0 { lies } else { width });
        while from < to {
            let (b, b_row) = match to == lies {
                true => (part.b[self.depth.start * ldb + panel.start..].as_ptr(), ldb),
                false => (packed.cast_const(), packed_row),
            };
            let tile = Tile {
                depth: needed.len(),
                a: a.wrapping_add(skipped * a_column),
                a_row,
                a_column,
                b: b.wrapping_add(skipped * b_row),
                b_row,
                // SAFETY: `check` has shown that these rows and columns of C lie inside it.
                c: unsafe { part.c.get().add(rows.start * ldc + panel.start + from) },
                c_row: ldc,
                width: to - from,
                accumulate: accumulate || self.depth.start > 0,
                bias: bias_at(panel.start + from),
            };
            // SAFETY: `check` has shown that A's, B's and C's last number lies inside its slice; the packed panels hold
            // `depth` whole rows each; rows and columns of C are this part's alone. Where a tile packs, it is whole:
            // `OnTheWay` asks for that.
            unsafe { if packs { tile.compute_and_pack::<L>(packed) } else { tile.compute::<L>(rows.len()) } }
            (from, to) = (to, width);
        }
    }

    /// Row `i` of A: where it begins, and the steps from there to the next row and along k.
    #[inline(always)]
    fn a_from<L: Lanes<Scalar = T>>(&self, i: usize, first_of_group: usize) -> (*const T, usize, usize) {
        let MatMul { lda, transpose_a, .. } = *self.part.plan;
        let within = i - first_of_group;
        match self.panels_of_a {
            PanelsOfA::NotPacked if transpose_a => {
                (self.part.a[self.depth.start * lda + i..].as_ptr(), 1, lda)
            }
            PanelsOfA::NotPacked => (self.part.a[i * lda + self.depth.start..].as_ptr(), lda, 1),
            PanelsOfA::SideBySide => (self.panels_a[within..].as_ptr(), 1, GROUP * L::MR),
            PanelsOfA::OneByOne => (self.panels_a[within * self.depth.len()..].as_ptr(), 1, L::MR),
        }
    }

    /// Asks for rows of A where they lie: runs too short for the processor to foresee.
    #[inline(always)]
    fn prefetch_rows<L: Lanes<Scalar = T>>(&self, rows: Range<usize>) {
        let MatMul { lda, transpose_a, .. } = *self.part.plan;
        if transpose_a {
            return;
        }
        for i in rows {
            for p in self.depth.clone().step_by(LINE / size_of::<T>()) {
                L::prefetch(self.part.a.as_ptr().wrapping_add(i * lda + p));
            }
        }
    }

    /// The gelu of finished rows of C, where one is asked for.
    #[inline(always)]
    fn gelu<L: Lanes<Scalar = T>>(&self, rows: Range<usize>) {
        let finished = self.depth.end == self.part.plan.k;
        let Some(gelu) = self.part.epilogue.gelu.filter(|_| finished) else { return };
        for row in rows {
            let at = row * self.part.plan.ldc + self.columns.start;
            // SAFETY: inside C, and inside Y, which is as long; this part's alone in both.
            let (u, y) = unsafe {
                let (u, y) = (self.part.c.get().add(at), gelu.get().add(at));
                let len = self.columns.len();
                (std::slice::from_raw_parts_mut(u, len), std::slice::from_raw_parts_mut(y, len))
            };
            gelu_and_slope_in_place::<L>(u, y);
        }
    }
}
