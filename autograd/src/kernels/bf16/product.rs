//! The loops of a product by a unit, over some rows and columns of C.
//!
//! ```text
//! for each block of depth     kc ≤ 384
//!   for each block of columns nc ≤ 768      pack B: up to 576 KiB, stays in the L2 cache
//!     for each 32 rows                      pack A: up to 24 KiB, stays in the L1 cache
//!       for each 32 columns                 a block of C
//! ```
//!
//! Triangles are not made use of: what need not be computed is computed.

use super::super::MatMul;
use super::super::lanes::{self, InstructionSet, Scratch};
use super::super::matmul::GeluOfRows;
use super::super::part::Epilogue;
use super::super::pieces::Pieces;
use super::super::steps::in_steps;
use super::super::threads::{Shared, for_each_piece};
use super::pack::{Block, DEPTH, Order, PAIRS_OF_STEP, SIDE, Source};
use super::{Unit, amx, avx512};
use std::hint::black_box;
use std::ops::Range;

/// The largest depth of a block.
const KC: usize = 384;
/// The largest width of a block of B.
const NC: usize = 768;

/// C = A·B of rounded operands, on all threads. The plan has been checked, and there is something to multiply.
pub(super) fn matmul(
    unit: Unit,
    plan: &MatMul,
    a: &[f32],
    b: &[f32],
    epilogue: Epilogue<f32>,
    c: &mut [f32],
) {
    // So the instructions below are there: each of the two units needs all of them but AMX's.
    assert!(unit != Unit::F32 && Unit::available().contains(&unit), "this processor has no {unit:?}");
    let c = Shared(c.as_mut_ptr());
    let pieces = Pieces::for_units(plan);
    for_each_piece(pieces.count, |piece| {
        let (rows, columns) = pieces.get(piece);
        let part = Part { plan, a, b, epilogue, c, rows, columns };
        // SAFETY: the unit is available; `check` has been called; pieces do not overlap.
        unsafe {
            match unit {
                Unit::Amx => {
                    let registers = amx::Registers::new();
                    part.run(|block| registers.multiply(block));
                }
                Unit::Avx512Bf16 => part.run(|block| avx512::multiply(block)),
                Unit::F32 => unreachable!("refused above"),
            }
        }
    });
}

/// Multiplies one block again and again, its operands in the L1 cache; returns the floating-point operations.
pub(in super::super) fn blocks_in_l1() -> usize {
    const STEPS: usize = 8;
    const TIMES: usize = 1 << 13;
    let ones = Aligned([0x3f80_3f80; STEPS * PAIRS_OF_STEP]);
    let mut c = Aligned([0.0; SIDE * SIDE]);
    let (c, start) = (black_box(&mut c.0).as_mut_ptr(), std::ptr::null());
    let (a, b) = (ones.0.as_ptr(), ones.0.as_ptr());
    let block = Block { steps: STEPS, a, b, start, start_row: 0, c, c_row: SIDE };
    // SAFETY: the unit is available; `ones` holds the steps, and C is whole and nobody else's.
    unsafe {
        match Unit::current() {
            Unit::Amx => {
                let registers = amx::Registers::new();
                (0..TIMES).for_each(|_| registers.multiply(&block));
            }
            Unit::Avx512Bf16 => (0..TIMES).for_each(|_| avx512::multiply(&block)),
            Unit::F32 => return 0,
        }
    }
    TIMES * 2 * SIDE * SIDE * STEPS * DEPTH
}

/// From the start of a cache line on: a row of a tile that lies across two of them is fetched twice.
#[repr(align(64))]
struct Aligned<T>(T);

/// Some rows and columns of a product.
struct Part<'a> {
    plan: &'a MatMul,
    a: &'a [f32],
    b: &'a [f32],
    epilogue: Epilogue<'a, f32>,
    c: Shared<f32>,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Part<'_> {
    /// # Safety
    /// The plan must fit the slices, and the rows and columns of C be this caller's alone.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn run(self, multiply: impl Fn(&Block)) {
        let MatMul { k, lda, ldb, transpose_a, transpose_b, .. } = *self.plan;
        let a = Source { x: self.a, ld: lda, along: !transpose_a };
        let b = Source { x: self.b, ld: ldb, along: transpose_b };
        let kc = evenly(k, KC, DEPTH);
        let nc = evenly(self.columns.len(), NC, SIDE);
        let panel = kc / DEPTH * PAIRS_OF_STEP;
        let panels = nc / SIDE;
        let mut scratch = Scratch::<f32>::new((1 + panels) * panel);
        let numbers = scratch.numbers();
        // SAFETY: the same memory; of both types every 32 bits are a value.
        let pairs =
            unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast::<u32>(), numbers.len()) };
        let (panel_a, panels_b) = pairs.split_at_mut(panel);
        for depth in in_steps(0..k, kc) {
            for columns in in_steps(self.columns.clone(), nc) {
                for (columns, panel) in in_steps(columns.clone(), SIDE).zip(panels_b.chunks_exact_mut(panel))
                {
                    b.pack(columns, depth.clone(), Order::Pairs, panel);
                }
                for rows in in_steps(self.rows.clone(), SIDE) {
                    a.pack(rows.clone(), depth.clone(), Order::Items, panel_a);
                    for (columns, panel) in in_steps(columns.clone(), SIDE).zip(panels_b.chunks_exact(panel))
                    {
                        // SAFETY: the caller's promise; the panels hold the whole steps of this depth.
                        unsafe {
                            self.block(rows.clone(), columns, depth.clone(), panel_a, panel, &multiply)
                        };
                    }
                    if let Some(y) = self.epilogue.gelu.filter(|_| depth.end == k) {
                        // SAFETY: the caller's promise, of C; and of Y, which is laid out as C.
                        unsafe { self.gelu(rows, columns.clone(), y) };
                    }
                }
            }
        }
    }

    /// One block of C, through a copy where it is not whole.
    ///
    /// # Safety
    /// As [`run`](Self::run); the panels must hold the depth in whole steps.
    unsafe fn block(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        depth: Range<usize>,
        a: &[u32],
        b: &[u32],
        multiply: impl Fn(&Block),
    ) {
        let ldc = self.plan.ldc;
        debug_assert!(self.epilogue.bias.is_none() || !self.plan.accumulate, "a bias begins the sums");
        let accumulate = self.plan.accumulate || depth.start > 0;
        let bias = self.epilogue.bias.filter(|_| depth.start == 0).map(|bias| &bias[columns.clone()]);
        let c = self.c.get().wrapping_add(rows.start * ldc + columns.start);
        let (steps, a, b) = (depth.len().div_ceil(DEPTH), a.as_ptr(), b.as_ptr());
        let (height, width) = (rows.len(), columns.len());
        if height == SIDE && width == SIDE {
            // Rows 0 apart are the same row, again and again.
            let (start, start_row) = match (accumulate, bias) {
                (true, _) => (c.cast_const(), ldc),
                (false, Some(bias)) => (bias.as_ptr(), 0),
                (false, None) => (std::ptr::null(), 0),
            };
            return multiply(&Block { steps, a, b, start, start_row, c, c_row: ldc });
        }
        let mut copy = Aligned([0.0; SIDE * SIDE]);
        // SAFETY: these rows and columns are inside C, and the caller's alone.
        let row_of_c = |i: usize| unsafe { std::slice::from_raw_parts_mut(c.add(i * ldc), width) };
        for (i, copy) in copy.0.chunks_exact_mut(SIDE).take(height).enumerate() {
            match (accumulate, bias) {
                (true, _) => copy[..width].copy_from_slice(row_of_c(i)),
                (false, Some(bias)) => copy[..width].copy_from_slice(bias),
                (false, None) => {}
            }
        }
        let whole = copy.0.as_mut_ptr();
        multiply(&Block { steps, a, b, start: whole, start_row: SIDE, c: whole, c_row: SIDE });
        for (i, copy) in copy.0.chunks_exact(SIDE).take(height).enumerate() {
            row_of_c(i).copy_from_slice(&copy[..width]);
        }
    }

    /// gelu and its slope of finished rows of C, which are in the cache.
    ///
    /// # Safety
    /// Rows and columns of C and Y must be the caller's alone.
    unsafe fn gelu(&self, rows: Range<usize>, columns: Range<usize>, y: Shared<f32>) {
        let row = MatMul::new(1, 0, columns.len());
        for i in rows {
            let at = i * self.plan.ldc + columns.start;
            // SAFETY: the caller's promise.
            let (u, y) = unsafe {
                let row_of = |x: Shared<f32>| std::slice::from_raw_parts_mut(x.get().add(at), columns.len());
                (row_of(self.c), row_of(y))
            };
            lanes::dispatch_on(InstructionSet::Avx512, GeluOfRows { plan: &row, u, y });
        }
    }
}

/// The step that cuts `length` into pieces of nearly the same size, at most `most`, of whole units.
fn evenly(length: usize, most: usize, unit: usize) -> usize {
    length.div_ceil(length.div_ceil(most)).next_multiple_of(unit)
}
