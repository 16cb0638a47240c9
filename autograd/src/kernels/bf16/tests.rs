//! Rounding by its definition, and the units against the product of rounded numbers.

use super::super::attention::Attention;
use super::super::dropout::Dropout;
use super::super::part::Epilogue;
use super::super::threads::{Shared, on_threads};
use super::super::{naive, textbook};
use super::*;
use crate::Dual;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ALL: [Unit; 3] = [Unit::Amx, Unit::Avx512Bf16, Unit::F32];

#[test]
fn a_number_is_rounded_to_the_nearest_of_eight_bits_and_a_tie_to_the_even_one() {
    let ulp = 2f32.powi(-7); // from 1 to the next bfloat16 number
    for (x, expected) in [
        (1.0, 1.0),
        (-3.140625, -3.140625),
        (1.0 + 0.49 * ulp, 1.0),
        (1.0 + 0.51 * ulp, 1.0 + ulp),
        (1.0 + 0.5 * ulp, 1.0),             // between an even and an odd one
        (1.0 + 1.5 * ulp, 1.0 + 2.0 * ulp), // between an odd and an even one
        (-1.0 - 1.5 * ulp, -1.0 - 2.0 * ulp),
        (2.0 - 0.25 * ulp, 2.0), // into the next power of two
        (f32::MAX, f32::INFINITY),
        (f32::NEG_INFINITY, f32::NEG_INFINITY),
        (f32::MIN_POSITIVE, f32::MIN_POSITIVE),
        (f32::MIN_POSITIVE / 2.0, 0.0),
        (-0.0, -0.0),
    ] {
        assert_eq!(round(x).to_bits(), expected.to_bits(), "{x} became {}, not {expected}", round(x));
    }
    for bits in [0x7f80_0001, 0x7fff_ffff, 0xff80_0001_u32] {
        assert!(round(f32::from_bits(bits)).is_nan(), "{bits:x} is NaN, and so is what it is rounded to");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(6), failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_scalar_rounds_as_f32_does_and_at_most_a_256th_away(bits in any::<u32>()) {
        let x = f32::from_bits(bits);
        let expected = round(x);
        prop_assert_eq!(expected.to_bits() & 0xffff, 0);
        if x.is_normal() && expected.is_finite() {
            prop_assert!((expected - x).abs() <= x.abs() / 256.0, "{} became {}", x, expected);
        }
        let wide = f64::from(x).round_to_bf16();
        let dual = Dual::new(x, 3.0).round_to_bf16();
        prop_assert!(wide == f64::from(expected) || x.is_nan() && wide.is_nan());
        prop_assert!(dual.value == expected && (dual.tangent == 3.0 || expected.is_infinite()) || x.is_nan());
    }
}

/// A plan whose rows lie `gap` numbers further apart than they must.
fn plan(m: usize, k: usize, n: usize, flags: u8, gap: usize) -> MatMul {
    let plan = MatMul::new(m, k, n).transpose_a(flags & 1 != 0).transpose_b(flags & 2 != 0);
    let plan = plan.accumulate(flags & 4 != 0).bf16(true);
    MatMul { lda: plan.lda + gap, ldb: plan.ldb + gap, ldc: plan.ldc + gap, ..plan }
}

/// A, B and C of a plan.
fn operands(plan: &MatMul, mut number: impl FnMut() -> f32) -> [Vec<f32>; 3] {
    plan.spans().map(|span| (0..span).map(|_| number()).collect())
}

fn random(seed: u64) -> impl FnMut() -> f32 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move || rng.random_range(-1.0..1.0)
}

/// The whole numbers from −8 to 8: exact in bfloat16, and so is every sum of their products, in any order.
fn whole_numbers() -> impl FnMut() -> f32 {
    let mut random = random(1);
    move || (8.0 * random()).round()
}

fn by(unit: Unit, plan: &MatMul, [a, b, c]: &[Vec<f32>; 3]) -> Vec<f32> {
    let mut c = c.clone();
    matmul_on(unit, plan, a, b, Epilogue::NONE, &mut c);
    c
}

/// By the definition, with sums in f64.
fn defined(plan: &MatMul, operands: &[Vec<f32>; 3]) -> Vec<f64> {
    let [a, b, mut c] = operands.each_ref().map(|x| x.iter().copied().map(f64::from).collect::<Vec<_>>());
    naive::matmul(plan, &a, &b, &mut c);
    c
}

#[test]
fn every_unit_multiplies_whole_numbers_exactly_at_and_around_every_edge() {
    for unit in ALL {
        if !Unit::available().contains(&unit) {
            println!("left out: {unit:?}, which this machine does not have");
        }
    }
    let edges = [1, 2, 15, 16, 17, 31, 32, 33, 64, 65];
    let deep = [(33, 511, 40), (40, 513, 33), (3, 1100, 20), (70, 34, 520), (1, 1, 1030)];
    let near = edges.iter().flat_map(|&m| edges.iter().flat_map(move |&k| edges.map(move |n| (m, k, n))));
    for (i, (m, k, n)) in near.filter(|_| !cfg!(miri)).chain(deep).enumerate() {
        if cfg!(miri) && m * k * n > 2000 {
            continue;
        }
        for flags in if k > 100 { 0..8 } else { (i % 8) as u8..(i % 8) as u8 + 1 } {
            let plan = plan(m, k, n, flags, i % 3);
            let operands = operands(&plan, whole_numbers());
            let expected: Vec<f32> = defined(&plan, &operands).into_iter().map(|x| x as f32).collect();
            for &unit in Unit::available() {
                assert!(by(unit, &plan, &operands) == expected, "{unit:?} differs: {plan:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 64 },
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn every_unit_computes_the_product_of_the_rounded_numbers(
        m in 1usize..70, k in 1usize..140, n in 1usize..70, flags in 0u8..8, gap in 0usize..4, seed in 0u64..1000,
    ) {
        let (m, k) = if cfg!(miri) { (m % 4 + 1, k % 40 + 1) } else { (m, k) };
        let plan = plan(m, k, n, flags, gap);
        let operands = operands(&plan, random(seed));
        let expected = defined(&plan, &operands);
        for &unit in Unit::available() {
            for (i, (&x, expected)) in by(unit, &plan, &operands).iter().zip(&expected).enumerate() {
                let (row, column, error) = (i / plan.ldc, i % plan.ldc, (f64::from(x) - expected).abs());
                let bound = (k as f64 + 2.0) * 2f64.powi(-23) * (k as f64).sqrt();
                prop_assert!(error <= bound, "{unit:?} at [{row}, {column}]: {x}, and {expected} by definition");
                prop_assert!(column < n || error == 0.0, "{unit:?} wrote between the rows of C");
            }
        }
    }
}

#[test]
fn a_product_of_rounded_numbers_is_as_far_from_the_exact_one_as_two_roundings_explain() {
    let plan = plan(40, 300, 50, 0, 0);
    let operands = operands(&plan, random(3));
    let exact = defined(&plan.bf16(false), &operands);
    let sizes = operands.clone().map(|x| x.into_iter().map(f32::abs).collect());
    let sizes = defined(&plan.bf16(false), &sizes); // Σ |a|·|b|
    for &unit in Unit::available() {
        for ((&x, &exact), &size) in by(unit, &plan, &operands).iter().zip(&exact).zip(&sizes) {
            let bound = (2.0 / 256.0 + 1e-4) * size;
            assert!((f64::from(x) - exact).abs() <= bound, "{unit:?}: {x} for {exact}, Σ|a|·|b| = {size}");
        }
    }
}

#[test]
fn what_is_not_a_number_and_what_is_infinite_comes_through() {
    for (a, b, expected) in [
        (f32::NAN, 1.0, f32::NAN),
        (f32::from_bits(0x7f80_0001), 1.0, f32::NAN),
        (f32::INFINITY, 2.0, f32::INFINITY),
        (f32::INFINITY, 0.0, f32::NAN),
        (f32::MAX, 1.0, f32::INFINITY),
    ] {
        for &unit in Unit::available() {
            let plan = MatMul::new(1, 1, 1).bf16(true);
            let c = by(unit, &plan, &[vec![a], vec![b], vec![0.0]])[0];
            assert!(c == expected || c.is_nan() && expected.is_nan(), "{unit:?}: {a}·{b} became {c}");
        }
    }
}

#[test]
fn the_bias_and_the_gelu_of_a_product_are_those_of_the_textbook() {
    for (m, k, n) in [(5, 40, 7), (70, 33, 65), (32, 600, 64), (33, 400, 800)] {
        if cfg!(miri) && m * k * n > 2000 {
            continue;
        }
        let plan = plan(m, k, n, 0, 1);
        let [a, b, c] = operands(&plan, random(4));
        let bias: Vec<f32> = (0..n).map(|j| j as f32 / n as f32).collect();
        let mut u = c.clone();
        super::super::repeat_rows(&bias, &plan, &mut u);
        let u = defined(&plan.accumulate(true), &[a.clone(), b.clone(), u]);
        for &unit in Unit::available() {
            let (mut y, mut slope) = (c.clone(), c.clone());
            let epilogue = Epilogue { bias: Some(&bias), gelu: Some(Shared(y.as_mut_ptr())) };
            matmul_on(unit, &plan, &a, &b, epilogue, &mut slope);
            let mut sums = c.clone();
            matmul_on(unit, &plan, &a, &b, Epilogue { bias: Some(&bias), ..Epilogue::NONE }, &mut sums);
            for i in (0..u.len()).filter(|i| i % plan.ldc < n) {
                let close = |found: f32, expected: f64| (f64::from(found) - expected).abs() < 1e-4;
                assert!(close(sums[i], u[i]), "{unit:?}: {} for {}", sums[i], u[i]);
                assert!(close(y[i], textbook::gelu(u[i])), "{unit:?}: gelu({}) = {}", u[i], y[i]);
                assert!(
                    close(slope[i], textbook::gelu_slope(u[i])),
                    "{unit:?}: gelu'({}) = {}",
                    u[i],
                    slope[i]
                );
            }
        }
    }
}

#[test]
fn the_bits_of_a_unit_do_not_depend_on_the_number_of_threads() {
    for (m, k, n) in if cfg!(miri) { [(8, 20, 8); 2] } else { [(200, 300, 150), (150, 600, 700)] } {
        let plan = plan(m, k, n, 4, 0);
        let operands = operands(&plan, random(5));
        for &unit in Unit::available() {
            let bits = |n: usize| on_threads(n, || by(unit, &plan, &operands));
            let one = bits(1);
            for n in [2, 3] {
                assert!(bits(n) == one, "{unit:?}: {n} threads computed other bits than one");
            }
        }
    }
}

/// Attention by its formulas, every operand of a product rounded: out and the cotangent of qkv.
fn attention_by_hand(at: &Attention, qkv: &[f64], dout: &[f64]) -> [Vec<f64>; 2] {
    let Attention { n, h, h_kv, d, .. } = *at;
    let row = (h + 2 * h_kv) * d;
    let r = Float::round_to_bf16;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(&a, &b)| r(a) * r(b)).sum::<f64>();
    let (mut out, mut dqkv) = (vec![0.0; dout.len()], vec![0.0; qkv.len()]);
    let add = |y: &mut [f64], factor: f64, x: &[f64]| {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y += r(factor) * r(x));
    };
    for (item, head) in (0..qkv.len() / (n * row)).flat_map(|item| (0..h).map(move |head| (item, head))) {
        let kv = head / (h / h_kv);
        let [q, k, v] =
            [head, h + kv, h + h_kv + kv].map(|part| move |i: usize| (item * n + i) * row + part * d);
        for i in 0..n {
            let s: Vec<f64> =
                (0..=i).map(|j| dot(&qkv[q(i)..][..d], &qkv[k(j)..][..d]) / (d as f64).sqrt()).collect();
            let most = s.iter().fold(f64::NEG_INFINITY, |most, &s| most.max(s));
            let total: f64 = s.iter().map(|s| (s - most).exp()).sum();
            let p: Vec<f64> = s.iter().map(|s| (s - most).exp() / total).collect();
            let mut mask = vec![1.0; i + 1];
            if let Some(dropout) = at.dropout {
                dropout.mask(((item * h + head) * n + i) * n, &mut mask);
            }
            let y = (item * n + i) * h * d + head * d..(item * n + i) * h * d + (head + 1) * d;
            for j in 0..=i {
                add(&mut out[y.clone()], p[j] * mask[j], &qkv[v(j)..][..d]);
            }
            let dy = &dout[y.clone()];
            let along: f64 = dy.iter().zip(&out[y]).map(|(dy, y)| dy * y).sum();
            for j in 0..=i {
                let ds = p[j] * (mask[j] * dot(dy, &qkv[v(j)..][..d]) - along) / (d as f64).sqrt();
                add(&mut dqkv[q(i)..][..d], ds, &qkv[k(j)..][..d]);
                add(&mut dqkv[k(j)..][..d], ds, &qkv[q(i)..][..d]);
                add(&mut dqkv[v(j)..][..d], p[j] * mask[j], dy);
            }
        }
    }
    [out, dqkv]
}

/// Attention's kernels, forward and back.
fn attention<T: Float>(at: &Attention, qkv: &[f64], dout: &[f64]) -> [Vec<f64>; 2] {
    let [qkv, dout] = [qkv, dout].map(|x| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>());
    let (mut out, mut dqkv) = (vec![T::ZERO; dout.len()], vec![T::ZERO; qkv.len()]);
    let mut statistics = vec![[T::ZERO; 2]; dout.len() / at.d];
    at.forward(&qkv, &mut out, &mut statistics);
    at.vjp(&qkv, &out, &statistics, &dout, &mut dqkv);
    [out, dqkv].map(|x| x.into_iter().map(T::to_f64).collect())
}

#[test]
fn attention_rounds_every_operand_of_its_seven_products_and_nothing_else() {
    for n in if cfg!(miri) { vec![3] } else { vec![1, 15, 17, 31, 33, 63, 64, 65, 100, 150] } {
        for (h, h_kv, d) in [(1, 1, 16), (2, 1, 5)] {
            let dropout = (n % 3 == 0).then_some(Dropout { p: 0.2, seed: 4, before: 0 });
            let at = Attention { bf16: true, dropout, ..Attention::new(n, h, h_kv, d) };
            let mut number = random(n as u64);
            let mut numbers = |n: usize| (0..n).map(|_| 2.0 * f64::from(number())).collect::<Vec<_>>();
            let (qkv, dout) = (numbers(2 * n * (h + 2 * h_kv) * d), numbers(2 * n * h * d));
            let expected = attention_by_hand(&at, &qkv, &dout);
            let near = |found: [Vec<f64>; 2], tolerance: f64, what: &str| {
                for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                    let error = (found - expected).abs();
                    assert!(error <= tolerance, "{what}, n = {n}: {found}, by hand {expected}");
                }
            };
            near(attention::<f64>(&at, &qkv, &dout), 1e-10, "at f64");
            // At f32 what is near the middle between two numbers may be rounded the other way.
            near(attention::<f32>(&at, &qkv, &dout), 0.02, "at f32");
            let exact = attention::<f32>(&Attention { bf16: false, ..at }, &qkv, &dout);
            let differ = |i: usize| exact[i].iter().zip(&expected[i]).any(|(x, y)| (x - y).abs() > 1e-4);
            assert!(differ(0) && differ(1), "without rounding it is another number");
        }
    }
}
