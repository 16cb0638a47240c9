//! Every rung of the ladder against the definition, on every instruction set that this machine has.

use super::lanes::{InstructionSet, Simd};
use super::part::Epilogue;
use super::threads::on_threads;
use super::{MatMul, Triangle, blocked, matmul, naive, packed, textbook};
use crate::Float;
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ALL: [InstructionSet; 4] =
    [InstructionSet::Avx512, InstructionSet::Avx2, InstructionSet::Neon, InstructionSet::Portable];

pub(super) fn numbers<T: Float>(n: usize, rng: &mut impl Rng) -> Vec<T> {
    (0..n).map(|_| T::from_f64(rng.random_range(-1.0..1.0))).collect()
}

/// A plan whose rows lie `gap` numbers further apart than they must.
pub(super) fn plan(m: usize, k: usize, n: usize, flags: u8, gap: usize) -> MatMul {
    let plan = MatMul::new(m, k, n)
        .transpose_a(flags & 1 != 0)
        .transpose_b(flags & 2 != 0)
        .accumulate(flags & 4 != 0)
        .bf16(flags & 8 != 0);
    MatMul { lda: plan.lda + gap, ldb: plan.ldb + gap, ldc: plan.ldc + gap, ..plan }
}

pub(super) fn operands<T: Float>(plan: &MatMul, rng: &mut impl Rng) -> (Vec<T>, Vec<T>, Vec<T>) {
    let a = if plan.transpose_a { plan.k } else { plan.m } * plan.lda;
    let b = if plan.transpose_b { plan.n } else { plan.k } * plan.ldb;
    (numbers(a, rng), numbers(b, rng), numbers(plan.m * plan.ldc, rng))
}

/// Whether a product of this size is worked through: every one, but under Miri only a small one.
fn in_reach(m: usize, k: usize, n: usize) -> bool {
    !cfg!(miri) || m * k * n <= 9_000
}

/// The largest difference that rounding explains: numbers are in ±1, so a sum of k has an error of at most k²·ε.
fn tolerance(k: usize, epsilon: f64) -> f64 {
    (k as f64 + 2.0) * epsilon * (k as f64).sqrt().max(1.0)
}

pub(super) fn agree<T: Float>(plan: &MatMul, rung: &str, expected: &[T], got: &[T], epsilon: f64) {
    for (i, (x, y)) in expected.iter().zip(got).enumerate() {
        let (x, y) = (x.to_f64(), y.to_f64());
        let (row, column) = (i / plan.ldc, i % plan.ldc);
        if column >= plan.n {
            assert_eq!(x, y, "{rung}: {plan:?} wrote between the rows of C at [{row}, {column}]");
        }
        let close = (x - y).abs() <= tolerance(plan.k, epsilon);
        assert!(close, "{rung}: {plan:?} at [{row}, {column}]: {x} by the rung before, {y} here");
    }
}

fn climb<T: Simd>(plan: &MatMul, epsilon: f64) {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    let (a, b, c) = operands::<T>(plan, rng);
    let run = |rung: &dyn Fn(&mut [T])| {
        let mut c = c.clone();
        rung(&mut c);
        c
    };
    let defined = run(&|c| naive::matmul(plan, &a, &b, c));
    let in_blocks = run(&|c| blocked::matmul(plan, &a, &b, c));
    agree(plan, "blocked", &defined, &in_blocks, epsilon);
    let in_panels = run(&|c| packed::matmul(plan, &a, &b, c));
    agree(plan, "packed", &in_blocks, &in_panels, epsilon);
    for set in InstructionSet::available() {
        let fast = run(&|c| matmul::matmul_on(set, plan, &a, &b, Epilogue::NONE, c));
        agree(plan, &format!("{set:?}"), &in_panels, &fast, epsilon);
    }
}

#[test]
fn every_rung_computes_the_product_at_and_around_every_tile_edge() {
    for set in ALL {
        if !InstructionSet::available().contains(&set) {
            println!("left out: {set:?}, which this machine does not have");
        }
    }
    let (heights, depths) = ([0, 1, 3, 4, 5, 6, 7, 12, 13], [0, 1, 2, 16, 33]);
    let widths = [0, 1, 2, 4, 7, 8, 9, 15, 16, 17, 31, 33, 48, 63, 64, 65, 130];
    for (i, m) in heights.into_iter().enumerate() {
        for (j, n) in widths.into_iter().enumerate() {
            for (l, k) in depths.into_iter().enumerate() {
                let flags = ((i + j + l) % 8) as u8;
                if cfg!(miri) && (i + 3 * j + 7 * l) % 11 != 0 || !in_reach(m, k, n) {
                    continue;
                }
                climb::<f32>(&plan(m, k, n, flags, (i + j) % 3), 1.2e-7);
                climb::<f64>(&plan(m, k, n, flags ^ 3, (i + j) % 3), 2.3e-16);
            }
        }
    }
}

#[test]
fn every_rung_computes_the_product_at_and_around_every_block_edge() {
    let small = [(26, 34, 130), (2, 70, 20), (7, 64, 1)];
    let large = [(97, 257, 65), (30, 300, 520), (26, 513, 16), (2, 70, 200), (200, 64, 1), (1, 300, 129)];
    for flags in if cfg!(miri) { 1..4 } else { 0..8 } {
        for &(m, k, n) in if cfg!(miri) { &small[..] } else { &large[..] } {
            climb::<f32>(&plan(m, k, n, flags, 0), 1.2e-7);
            climb::<f64>(&plan(m, k, n, flags, 1), 2.3e-16);
        }
    }
}

#[test]
fn a_single_column_keeps_its_bias_and_its_gelu_also_where_operands_are_rounded() {
    let plan = plan(5, 64, 1, 8, 1); // at f64 there is no unit: copies, which are dense
    let rng = &mut ChaCha8Rng::seed_from_u64(16);
    let (a, b, c) = operands::<f64>(&plan, rng);
    let (mut with, mut without, mut y, mut slope) = (c.clone(), c.clone(), c.clone(), c);
    matmul::matmul(&plan, &a, &b, &mut without);
    matmul::matmul_bias(&plan, &a, &b, &[0.75], &mut with);
    matmul::matmul_bias_gelu(&plan, &a, &b, &[0.75], &mut y, &mut slope);
    for at in (0..5).map(|i| i * plan.ldc) {
        approx::assert_relative_eq!(with[at], without[at] + 0.75, epsilon = 1e-13);
        approx::assert_relative_eq!(y[at], textbook::gelu(with[at]), epsilon = 1e-13);
        approx::assert_relative_eq!(slope[at], textbook::gelu_slope(with[at]), epsilon = 1e-13);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 64 }))]
    #[test]
    fn every_rung_computes_the_product_of_any_shape(
        m in 0usize..40, k in 0usize..90, n in 0usize..140, flags in 0u8..16, gap in 0usize..4,
    ) {
        let n = if in_reach(m, k, n) { n } else { n % 4 };
        climb::<f32>(&plan(m, k, n, flags, gap), 1.2e-7);
        climb::<f64>(&plan(m, k, n, flags, gap), 2.3e-16);
    }
}

#[test]
fn the_bits_of_a_product_do_not_depend_on_the_number_of_threads() {
    let large = [
        (192, 130, 260, 0),
        (100, 300, 65, 1),
        (65, 384, 129, 2),
        (3, 700, 700, 2),
        (700, 900, 1, 0),
        (1, 700, 900, 0),
        (1, 384, 1540, 2),
    ];
    let small = [
        (19, 13, 26, 0),
        (10, 30, 17, 1),
        (13, 38, 9, 2),
        (3, 40, 40, 2),
        (40, 40, 1, 0),
        (1, 40, 40, 0),
        (1, 40, 40, 2),
    ];
    for (m, k, n, flags) in if cfg!(miri) { small } else { large } {
        let plan = plan(m, k, n, flags, 0);
        let (a, b, c) = operands::<f32>(&plan, &mut ChaCha8Rng::seed_from_u64(3));
        let bits = |threads: usize| -> Vec<u32> {
            let mut c = c.clone();
            on_threads(threads, || matmul::matmul(&plan, &a, &b, &mut c));
            c.iter().map(|x| x.to_bits()).collect()
        };
        let one = bits(1);
        for threads in [2, 3, 4] {
            assert!(bits(threads) == one, "{plan:?}: {threads} threads computed other bits than one");
        }
    }
}

#[test]
fn a_batch_is_its_products_one_by_one() {
    for (items, m, k, n) in [(1, 5, 4, 3), (7, 6, 16, 17), (3, 0, 4, 4), (24, 32, 16, 32), (3, 70, 64, 66)] {
        for flags in (0..8).filter(|_| in_reach(m, k, items * n)) {
            let plan = plan(m, k, n, flags, 0);
            let rng = &mut ChaCha8Rng::seed_from_u64(11);
            let (a, b) = (numbers::<f64>(items * m * k, rng), numbers::<f64>(k * n, rng));
            let c = numbers::<f64>(items * m * n, rng);
            let starts: Vec<_> = (0..items).map(|i| [i * m * k, 0, i * m * n]).collect();
            let (mut together, mut apart) = (c.clone(), c);
            matmul::matmul_batch(&plan, &starts, &a, &b, &mut together);
            for &[a_start, b_start, c_start] in &starts {
                matmul::matmul(&plan, &a[a_start..], &b[b_start..], &mut apart[c_start..]);
            }
            assert_eq!(together, apart, "{items} × {plan:?}");
        }
    }
}

#[test]
fn a_bias_is_added_to_every_row_of_the_product() {
    for (m, k, n) in [(7, 16, 65), (64, 300, 33), (13, 0, 5), (2, 64, 40), (96, 128, 512), (0, 3, 4)] {
        for flags in (0..4).filter(|_| in_reach(m, k, n)) {
            let plan = plan(m, k, n, flags, 1);
            let rng = &mut ChaCha8Rng::seed_from_u64(5);
            let (a, b, c) = operands::<f64>(&plan, rng);
            let bias = numbers::<f64>(n, rng);
            let (mut fused, mut apart) = (c.clone(), c);
            matmul::matmul_bias(&plan, &a, &b, &bias, &mut fused);
            matmul::matmul(&plan, &a, &b, &mut apart);
            for row in apart.chunks_mut(plan.ldc) {
                row.iter_mut().zip(&bias).for_each(|(c, bias)| *c += bias);
            }
            agree(&plan, "with bias", &apart, &fused, 2.3e-16);
        }
    }
}

#[test]
fn gelu_and_its_slope_are_taken_of_the_product_with_its_bias() {
    for (m, k, n) in [(7, 16, 65), (64, 300, 33), (13, 0, 5), (2, 64, 40), (96, 800, 520), (0, 3, 4)] {
        for flags in 0..4 {
            let plan = plan(m, k, n, flags, 1);
            let rng = &mut ChaCha8Rng::seed_from_u64(5);
            let (a, b, c) = operands::<f64>(&plan, rng);
            let bias = numbers::<f64>(n, rng);
            let (mut y, mut slope, mut u) = (c.clone(), c.clone(), c);
            matmul::matmul_bias_gelu(&plan, &a, &b, &bias, &mut y, &mut slope);
            matmul::matmul_bias(&plan, &a, &b, &bias, &mut u);
            for i in 0..m {
                for at in i * plan.ldc..i * plan.ldc + n {
                    let expected = (textbook::gelu(u[at]), textbook::gelu_slope(u[at]));
                    let off = [y[at] - expected.0, slope[at] - expected.1];
                    assert!(
                        off.iter().all(|x| x.abs() < 1e-13),
                        "{plan:?}: gelu and slope of {}: {off:?}",
                        u[at]
                    );
                }
            }
        }
    }
}

/// Puts a number into the entries of a stored matrix that its triangle leaves out.
pub(super) fn outside(with: f64, first: usize, x: &mut [f64], ld: usize, columns: usize) {
    for (i, row) in x.chunks_mut(ld).enumerate() {
        row[columns.min(first + i + 1)..columns].fill(with);
    }
}

#[test]
fn a_triangle_of_c_is_computed_and_a_triangle_of_a_is_taken_for_the_whole() {
    for (m, k, n) in [(1, 8, 1), (7, 5, 9), (48, 40, 48), (65, 70, 130), (100, 450, 64), (64, 40, 200)] {
        for first in [0, 1, 5, 40, 500] {
            for flags in 0..8 {
                let plain = plan(m, k, n, flags, 1);
                let (mut a, b, c) = operands::<f64>(&plain, &mut ChaCha8Rng::seed_from_u64(12));
                let compare = |triangle: Triangle, a: &[f64]| {
                    let (mut whole, mut part) = (c.clone(), c.clone());
                    naive::matmul(&plain, a, &b, &mut whole);
                    matmul::matmul(&plain.triangle(triangle), a, &b, &mut part);
                    if triangle == (Triangle::OfC { first }) {
                        outside(0.0, first, &mut whole, plain.ldc, n);
                        outside(0.0, first, &mut part, plain.ldc, n);
                    }
                    agree(&plain, &format!("{triangle:?}"), &whole, &part, 2.3e-16);
                };
                compare(Triangle::OfC { first }, &a);
                outside(0.0, first, &mut a, plain.lda, if plain.transpose_a { m } else { k });
                compare(Triangle::OfA { first }, &a);
            }
        }
    }
}

#[test]
fn what_lies_beyond_a_triangle_of_c_is_not_touched_a_tile_further() {
    let plan = MatMul::new(60, 8, 64).triangle(Triangle::OfC { first: 0 });
    let mut c = vec![f64::NAN; 60 * 64];
    matmul::matmul(&plan, &[1.0; 60 * 8], &[1.0; 8 * 64], &mut c);
    assert!(c[63].is_nan() && c[0] == 8.0, "the far end of the first row is skipped: {} {}", c[0], c[63]);
}

#[test]
#[should_panic(expected = "B holds 5 numbers and needs 6")]
fn a_slice_that_is_too_short_is_refused() {
    matmul::matmul(&MatMul::new(2, 2, 3), &[0.0f32; 4], &[0.0; 5], &mut [0.0; 6]);
}
