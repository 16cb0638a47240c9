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

/// Shapes that reach every way of packing, with several groups of rows and the last of them and its last panel ragged. In which
/// order the loops run, the instruction set says: A's panels stay with AVX-512 only.
fn shapes_of_one_part() -> &'static [(usize, usize, usize)] {
    match cfg!(miri) {
        // Without vectors, and in one group of rows: as the first and the third below.
        true => &[(17, 8, 64), (17, 8, 21)],
        false => &[
            (103, 9, 512), // transposed A: panels one by one, with AVX-512 side by side; B packed on the way
            (103, 9, 499), // B packed by whole rows, its last panel ragged
            (103, 9, 24),  // transposed A: panels side by side, but with AVX-512
            (103, 401, 128), // two blocks of depth, the first of them odd
            (103, 770, 130), // three blocks of depth
            (16, 400, 573), // few rows: B where it lies, but for its last columns; two blocks of depth, two of columns
        ],
    }
}

#[test]
fn a_part_computes_the_product_in_every_order_of_its_loops_on_every_instruction_set() {
    fn check<T: Simd>(plan: &MatMul, epsilon: f64) {
        let (a, b, c) = operands::<T>(plan, &mut ChaCha8Rng::seed_from_u64(13));
        let mut defined = c.clone();
        naive::matmul(plan, &a, &b, &mut defined);
        for set in InstructionSet::available() {
            let mut got = c.clone();
            as_one_part(set, plan, &a, &b, Epilogue::NONE, &mut got);
            agree(plan, &format!("{set:?} as one part"), &defined, &got, epsilon);
        }
    }
    for &(m, k, n) in shapes_of_one_part() {
        for flags in 0..8 {
            check::<f32>(&plan(m, k, n, flags, APART), 1.2e-7);
            check::<f64>(&plan(m, k, n, flags, APART), 2.3e-16);
        }
    }
}

#[test]
fn a_part_begins_with_the_bias_and_ends_with_the_gelu_in_every_order_of_its_loops() {
    fn check<T: Simd>(plan: &MatMul, tolerance: f64) {
        let rng = &mut ChaCha8Rng::seed_from_u64(14);
        let (a, b, c) = operands::<T>(plan, rng);
        let bias = numbers::<T>(plan.n, rng);
        let mut u = c.clone();
        for row in u.chunks_mut(plan.ldc) {
            row[..plan.n].copy_from_slice(&bias);
        }
        naive::matmul(&plan.accumulate(true), &a, &b, &mut u);
        for set in InstructionSet::available() {
            let (mut y, mut slope) = (c.clone(), c.clone());
            let epilogue = Epilogue { bias: Some(&bias), gelu: Some(Shared(y.as_mut_ptr())) };
            as_one_part(set, plan, &a, &b, epilogue, &mut slope);
            for i in 0..u.len() {
                let (expected, allowed) = match i % plan.ldc < plan.n {
                    true => ([textbook::gelu(u[i]), textbook::gelu_slope(u[i])], tolerance),
                    false => ([c[i], c[i]], 0.0), // between the rows
                };
                for (got, expected) in [y[i], slope[i]].into_iter().zip(expected) {
                    let off = (got - expected).abs().to_f64();
                    assert!(off <= allowed, "{set:?}: {plan:?}: gelu or slope of {} is off by {off:e}", u[i]);
                }
            }
        }
    }
    for &(m, k, n) in shapes_of_one_part() {
        for flags in 0..4 {
            check::<f32>(&plan(m, k, n, flags, APART), 1e-3);
            check::<f64>(&plan(m, k, n, flags, APART), 1e-12);
        }
    }
}

#[test]
fn a_triangle_is_left_out_in_every_order_of_a_parts_loops() {
    for set in InstructionSet::available() {
        for (m, k, n, gap) in
            [(65, 70, 130, 1), (103, 9, 499, APART), (103, 9, 24, APART), (16, 70, 125, APART)]
                .into_iter()
                .filter(|_| !cfg!(miri))
        {
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
