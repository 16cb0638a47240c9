//! The fourth rung, and the one in use: packed panels, tiles in registers, pieces for the threads.
//!
//! Here a product is cut into pieces; [`part`](super::part) and [`block`](super::block) do a piece: the five loops, and what
//! they pack. Neither the cut nor the packing changes a bit of the result: each entry of C is the same chain of multiply-adds
//! along p, a chain for each block of depth. (Where an operand has only a few rows, [`dot`](super::dot) takes over, with a
//! chain for each lane; where, the plan and the instruction set say, not the cut.)

use super::dot;
use super::lanes::{self, InstructionSet, Kernel, Lanes, Simd};
use super::maths::gelu_and_slope_in_place;
use super::part::{Epilogue, Part};
use super::pieces::{Pieces, WORTH_A_THREAD, work};
use super::threads::{Shared, for_each_piece, threads_here};
use super::{MatMul, bf16};

/// C = A·B, or C += A·B, on all [`threads`](super::threads::threads).
///
/// # Panics
/// If a slice is shorter than the plan says, or rows of C overlap.
#[track_caller]
pub(crate) fn matmul<T: Simd>(plan: &MatMul, a: &[T], b: &[T], c: &mut [T]) {
    matmul_on(InstructionSet::current(), plan, a, b, Epilogue::NONE, c);
}

/// C = A·B + bias, the same row of `plan.n` numbers for every row of C.
#[track_caller]
pub(crate) fn matmul_bias<T: Simd>(plan: &MatMul, a: &[T], b: &[T], bias: &[T], c: &mut [T]) {
    assert!(bias.len() == plan.n && !plan.accumulate, "matmul: {} biases for {plan:?}", bias.len());
    if plan.k == 0 || dot::fits(plan) {
        super::repeat_rows(bias, plan, c);
        return matmul(&plan.accumulate(true), a, b, c);
    }
    matmul_on(InstructionSet::current(), plan, a, b, Epilogue { bias: Some(bias), ..Epilogue::NONE }, c);
}

/// y = gelu(U) and slope = gelu′(U) of U = A·B + bias; both are laid out as C. U itself is never written to memory
/// whole: some rows of it at a time, in the place of their slopes.
#[track_caller]
pub(crate) fn matmul_bias_gelu<T: Simd>(
    plan: &MatMul,
    a: &[T],
    b: &[T],
    bias: &[T],
    y: &mut [T],
    slope: &mut [T],
) {
    assert!(y.len() == slope.len(), "matmul: {} numbers for gelu, {} for its slope", y.len(), slope.len());
    if plan.k == 0 || dot::fits(plan) {
        matmul_bias(plan, a, b, bias, slope);
        return lanes::dispatch(GeluOfRows { plan, u: slope, y });
    }
    assert!(bias.len() == plan.n && !plan.accumulate, "matmul: {} biases for {plan:?}", bias.len());
    let epilogue = Epilogue { bias: Some(bias), gelu: Some(Shared(y.as_mut_ptr())) };
    matmul_on(InstructionSet::current(), plan, a, b, epilogue, slope);
}

/// gelu and its slope of rows as long as C's; the slopes take their place.
pub(super) struct GeluOfRows<'a, T> {
    pub plan: &'a MatMul,
    pub u: &'a mut [T],
    pub y: &'a mut [T],
}

impl<T: Simd> Kernel<T> for GeluOfRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self) {
        for i in 0..self.plan.m {
            let row = i * self.plan.ldc..i * self.plan.ldc + self.plan.n;
            gelu_and_slope_in_place::<L>(&mut self.u[row.clone()], &mut self.y[row]);
        }
    }
}

/// The same on a given one of the available instruction sets.
#[track_caller]
pub(crate) fn matmul_on<T: Simd>(
    set: InstructionSet,
    plan: &MatMul,
    a: &[T],
    b: &[T],
    epilogue: Epilogue<T>,
    c: &mut [T],
) {
    plan.check(a.len(), b.len(), c.len());
    if plan.finished_as_empty(c) {
        return;
    }
    if plan.bf16 {
        return bf16::matmul_on(bf16::Unit::current(), plan, a, b, epilogue, c);
    }
    let c = Shared(c.as_mut_ptr());
    if work(plan) < 2 * WORTH_A_THREAD {
        // One piece: to plan a cut would take as long as a tiny product.
        let (rows, columns) = (0..plan.m, 0..plan.n);
        return lanes::dispatch_on(set, Part { plan, a, b, epilogue, c, rows, columns });
    }
    let pieces = Pieces::of::<T>(plan);
    for_each_piece(pieces.count, |piece| {
        let (rows, columns) = pieces.get(piece);
        lanes::dispatch_on(set, Part { plan, a, b, epilogue, c, rows, columns });
    });
}

/// The same for many products of one shape; `starts` holds where the A, B and C of each begin.
///
/// # Panics
/// As [`matmul`], and if the Cs do not follow one another without overlap.
#[track_caller]
pub(crate) fn matmul_batch<T: Simd>(plan: &MatMul, starts: &[[usize; 3]], a: &[T], b: &[T], c: &mut [T]) {
    let work = plan.m * plan.k * plan.n;
    if starts.len() < threads_here() && work >= WORTH_A_THREAD || starts.len() == 1 {
        for &[a_start, b_start, c_start] in starts {
            matmul(plan, &a[a_start..], &b[b_start..], &mut c[c_start..]);
        }
        return;
    }
    let set = InstructionSet::current();
    let mut free = 0; // C is untouched from here on
    for &[a_start, b_start, c_start] in starts {
        assert!(c_start >= free, "matmul_batch: the results must follow one another without overlap");
        plan.check(a.len() - a_start, b.len() - b_start, c.len() - c_start);
        if plan.finished_as_empty(&mut c[c_start..]) {
            continue;
        }
        free = c_start + (plan.m - 1) * plan.ldc + plan.n;
    }
    if work == 0 {
        return;
    }
    let c = Shared(c.as_mut_ptr());
    let items = (WORTH_A_THREAD / 2).div_ceil(work);
    for_each_piece(starts.len().div_ceil(items), |piece| {
        for &[a_start, b_start, c_start] in starts[piece * items..].iter().take(items) {
            // SAFETY: inside C, as `check` has shown; no two items overlap, as `free` has shown.
            let c = Shared(unsafe { c.get().add(c_start) });
            let (a, b) = (&a[a_start..], &b[b_start..]);
            if plan.bf16 {
                // SAFETY: as above, to the last number that the plan reaches.
                let c = unsafe { std::slice::from_raw_parts_mut(c.get(), plan.spans()[2]) };
                bf16::matmul_on(bf16::Unit::current(), plan, a, b, Epilogue::NONE, c);
                continue;
            }
            let (rows, columns) = (0..plan.m, 0..plan.n);
            lanes::dispatch_on(set, Part { plan, a, b, epilogue: Epilogue::NONE, c, rows, columns });
        }
    });
}
