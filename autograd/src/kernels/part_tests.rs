//! A part of a product by every way through its loops, on every instruction set that this machine has.

use super::lanes::{self, InstructionSet, Simd};
use super::matmul_tests::{agree, numbers, operands, outside, plan};
use super::part::{Epilogue, Part};
use super::threads::Shared;
use super::{MatMul, Triangle, naive, textbook};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The whole product as one part, on a given instruction set; the number of threads cuts nothing.
fn as_one_part<T: Simd>(
    set: InstructionSet,
    plan: &MatMul,
    a: &[T],
    b: &[T],
    epilogue: Epilogue<T>,
    c: &mut [T],
) {
    plan.check(a.len(), b.len(), c.len());
    let c = Shared(c.as_mut_ptr());
    let (rows, columns) = (0..plan.m, 0..plan.n);
    lanes::dispatch_on(set, Part { plan, a, b, epilogue, c, rows, columns });
}

/// Rows so far apart that no operand passes for a small one.
const APART: usize = 600;

/// Shapes that reach every way of packing and both orders of the loops, with several groups of rows and the last of them and
/// its last panel ragged.
fn shapes_of_one_part() -> &'static [(usize, usize, usize)] {
    match cfg!(miri) {
        true => &[(17, 8, 64)], // without vectors: panels of A one by one, B packed on the way
        false => &[
            (103, 9, 512),   // transposed A: panels one by one; B packed on the way
            (103, 9, 500),   // B packed by whole rows, its last panel ragged
            (103, 9, 112),   // transposed A: panels side by side
            (103, 300, 128), // panels of A that stay
            (103, 770, 130), // three blocks of depth
            (20, 400, 576),  // two blocks of depth, two of columns
        ],
    }
}

#[test]
fn a_part_computes_the_product_in_every_order_of_its_loops_on_every_instruction_set() {
    fn check<T: Simd>(set: InstructionSet, plan: &MatMul, epsilon: f64) {
        let (a, b, c) = operands::<T>(plan, &mut ChaCha8Rng::seed_from_u64(13));
        let (mut defined, mut got) = (c.clone(), c);
        naive::matmul(plan, &a, &b, &mut defined);
        as_one_part(set, plan, &a, &b, Epilogue::NONE, &mut got);
        agree(plan, &format!("{set:?} as one part"), &defined, &got, epsilon);
    }
    for set in InstructionSet::available() {
        for &(m, k, n) in shapes_of_one_part() {
            for flags in 0..8 {
                check::<f32>(set, &plan(m, k, n, flags, APART), 1.2e-7);
                check::<f64>(set, &plan(m, k, n, flags, APART), 2.3e-16);
            }
        }
    }
}

#[test]
fn a_part_begins_with_the_bias_and_ends_with_the_gelu_in_every_order_of_its_loops() {
    for set in InstructionSet::available() {
        for &(m, k, n) in shapes_of_one_part() {
            for flags in 0..4 {
                let plan = plan(m, k, n, flags, APART);
                let rng = &mut ChaCha8Rng::seed_from_u64(14);
                let (a, b, c) = operands::<f64>(&plan, rng);
                let bias = numbers::<f64>(n, rng);
                let mut u = c.clone();
                for row in u.chunks_mut(plan.ldc) {
                    row[..n].copy_from_slice(&bias);
                }
                naive::matmul(&plan.accumulate(true), &a, &b, &mut u);
                let (mut y, mut slope) = (c.clone(), c);
                let epilogue = Epilogue { bias: Some(&bias), gelu: Some(Shared(y.as_mut_ptr())) };
                as_one_part(set, &plan, &a, &b, epilogue, &mut slope);
                for (i, &u) in u.iter().enumerate().filter(|(i, _)| i % plan.ldc < n) {
                    let off =
                        (y[i] - textbook::gelu(u)).abs().max((slope[i] - textbook::gelu_slope(u)).abs());
                    assert!(off < 1e-12, "{set:?}: {plan:?}: gelu and slope of {u} are off by {off:e}");
                }
            }
        }
    }
}

#[test]
fn a_triangle_is_left_out_in_every_order_of_a_parts_loops() {
    for set in InstructionSet::available() {
        for (m, k, n, gap) in [(65, 70, 130, 1), (103, 9, 500, APART)].into_iter().filter(|_| !cfg!(miri)) {
            for (first, flags) in
                [0, 5, 40].into_iter().flat_map(|first| (0..4).map(move |flags| (first, flags)))
            {
                let plain = plan(m, k, n, flags, gap);
                let (mut a, b, c) = operands::<f64>(&plain, &mut ChaCha8Rng::seed_from_u64(15));
                outside(0.0, first, &mut a, plain.lda, if plain.transpose_a { m } else { k });
                for triangle in [Triangle::OfC { first }, Triangle::OfA { first }] {
                    let (mut whole, mut part) = (c.clone(), c.clone());
                    naive::matmul(&plain, &a, &b, &mut whole);
                    as_one_part(set, &plain.triangle(triangle), &a, &b, Epilogue::NONE, &mut part);
                    if triangle == (Triangle::OfC { first }) {
                        outside(0.0, first, &mut whole, plain.ldc, n);
                        outside(0.0, first, &mut part, plain.ldc, n);
                    }
                    agree(&plain, &format!("{set:?} {triangle:?}"), &whole, &part, 2.3e-16);
                }
            }
        }
    }
}
