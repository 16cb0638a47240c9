//! Fused kernels against their textbook composition, and their vjps against forward mode.

use super::adamw::AdamW;
use super::attention::Attention;
use super::threads::on_threads;
use super::{cross_entropy, norm, rows};
use crate::{Dual, Float};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn numbers(n: usize, rng: &mut impl Rng) -> Vec<f64> {
    (0..n).map(|_| rng.random_range(-2.0..2.0)).collect()
}

fn dual(x: &[f64], t: &[f64]) -> Vec<Dual<f64>> {
    x.iter().zip(t).map(|(&x, &t)| Dual::new(x, t)).collect()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn close(x: f64, y: f64, tolerance: f64, what: &str) {
    assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{what}: {x}, textbook {y}");
}

/// One head, one position at a time, as the formula says it.
fn textbook_attention(at: &Attention, qkv: &[f64]) -> Vec<f64> {
    let Attention { n, h, h_kv, d, .. } = *at;
    let row = (h + 2 * h_kv) * d;
    let b = qkv.len() / (n * row);
    let mut out = vec![0.0; b * n * h * d];
    for item in 0..b {
        for head in 0..h {
            let kv = head / (h / h_kv);
            for i in 0..n {
                let at = |j: usize, column: usize| &qkv[(item * n + j) * row + column..][..d];
                let q = at(i, head * d);
                let e: Vec<f64> =
                    (0..=i).map(|j| (dot(q, at(j, (h + kv) * d)) / (d as f64).sqrt()).exp()).collect();
                let total: f64 = e.iter().sum();
                for j in 0..=i {
                    for c in 0..d {
                        out[((item * n + i) * h + head) * d + c] +=
                            e[j] / total * at(j, (h + h_kv + kv) * d)[c];
                    }
                }
            }
        }
    }
    out
}

#[test]
fn attention_is_the_formula_and_its_vjp_is_forward_modes() {
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    for (b, n, h, h_kv, d) in [(2, 1, 1, 1, 3), (1, 33, 2, 2, 16), (3, 70, 4, 2, 5), (2, 32, 2, 1, 4)] {
        let at = Attention::new(n, h, h_kv, d);
        let qkv = numbers(b * n * (h + 2 * h_kv) * d, rng);
        let (mut out, mut statistics) = (vec![0.0; b * n * h * d], vec![[0.0; 2]; b * h * n]);
        at.forward(&qkv, &mut out, &mut statistics);
        for (&x, &y) in out.iter().zip(&textbook_attention(&at, &qkv)) {
            close(x, y, 1e-12, "attention");
        }
        let narrow: Vec<f32> = qkv.iter().map(|&x| x as f32).collect();
        let (mut out32, mut saved32) = (vec![0.0f32; out.len()], vec![[0.0f32; 2]; statistics.len()]);
        at.forward(&narrow, &mut out32, &mut saved32);
        for (&x, &y) in out32.iter().zip(&out) {
            close(f64::from(x), y, 2e-5, "attention at f32");
        }

        let (dout, direction) = (numbers(out.len(), rng), numbers(qkv.len(), rng));
        let mut dqkv = vec![f64::NAN; qkv.len()];
        at.vjp(&qkv, &out, &statistics, &dout, &mut dqkv);
        let (mut forward, mut rest) = (vec![Dual::ZERO; out.len()], vec![[Dual::ZERO; 2]; statistics.len()]);
        at.forward(&dual(&qkv, &direction), &mut forward, &mut rest);
        let tangent: Vec<f64> = forward.iter().map(|y| y.tangent).collect();
        close(dot(&dqkv, &direction), dot(&dout, &tangent), 1e-11, "attention's vjp");
    }
}

#[test]
fn layer_norm_is_the_formula_and_its_vjp_is_forward_modes() {
    let rng = &mut ChaCha8Rng::seed_from_u64(6);
    for (count, width) in [(1, 1), (3, 17), (130, 64), (9, 768)] {
        let (x, dy) = (numbers(count * width, rng), numbers(count * width, rng));
        let (weight, bias) = (numbers(width, rng), numbers(width, rng));
        let (mut y, mut saved) = (vec![0.0; x.len()], vec![[0.0; 2]; count]);
        norm::layer_norm(&x, &weight, Some(&bias), 1e-5, &mut y, &mut saved);
        for (row, (x, y)) in x.chunks(width).zip(y.chunks(width)).enumerate() {
            let mean = x.iter().sum::<f64>() / width as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            for i in 0..width {
                let right = weight[i] * (x[i] - mean) / (variance + 1e-5).sqrt() + bias[i];
                close(y[i], right, 1e-12, &format!("layer norm, row {row}"));
            }
        }
        let (mut dx, mut dweight, mut dbias) = (vec![0.0; x.len()], vec![0.0; width], vec![0.0; width]);
        let mut partial = vec![f64::NAN; count.div_ceil(64) * 2 * width];
        norm::layer_norm_vjp(&x, &weight, &saved, &dy, &mut dx, &mut dweight, &mut dbias, &mut partial);
        let (tx, tw, tb) = (numbers(x.len(), rng), numbers(width, rng), numbers(width, rng));
        let (mut forward, mut rest) = (vec![Dual::ZERO; x.len()], vec![[Dual::ZERO; 2]; count]);
        let (weight, bias) = (dual(&weight, &tw), dual(&bias, &tb));
        norm::layer_norm(&dual(&x, &tx), &weight, Some(&bias), Dual::from_f64(1e-5), &mut forward, &mut rest);
        let tangent: Vec<f64> = forward.iter().map(|y| y.tangent).collect();
        let reverse = dot(&dx, &tx) + dot(&dweight, &tw) + dot(&dbias, &tb);
        close(reverse, dot(&dy, &tangent), 1e-10, "layer norm's vjp");
    }
}

#[test]
fn rms_norm_is_the_formula_and_its_vjp_is_forward_modes() {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    for (count, width) in [(1, 1), (3, 17), (130, 16)] {
        let (x, dy, weight) = (numbers(count * width, rng), numbers(count * width, rng), numbers(width, rng));
        let (mut y, mut saved) = (vec![0.0; x.len()], vec![0.0; count]);
        norm::rms_norm(&x, &weight, 1e-5, &mut y, &mut saved);
        for (x, y) in x.chunks(width).zip(y.chunks(width)) {
            let root = (dot(x, x) / width as f64 + 1e-5).sqrt();
            for i in 0..width {
                close(y[i], weight[i] * x[i] / root, 1e-13, "RMS norm");
            }
        }
        let (mut dx, mut dweight, mut partial) =
            (vec![0.0; x.len()], vec![0.0; width], vec![f64::NAN; 3 * width]);
        norm::rms_norm_vjp(&x, &weight, &saved, &dy, &mut dx, &mut dweight, &mut partial);
        let (tx, tw) = (numbers(x.len(), rng), numbers(width, rng));
        let (mut forward, mut rest) = (vec![Dual::ZERO; x.len()], vec![Dual::ZERO; count]);
        norm::rms_norm(&dual(&x, &tx), &dual(&weight, &tw), Dual::from_f64(1e-5), &mut forward, &mut rest);
        let tangent: Vec<f64> = forward.iter().map(|y| y.tangent).collect();
        close(dot(&dx, &tx) + dot(&dweight, &tw), dot(&dy, &tangent), 1e-11, "RMS norm's vjp");
    }
}

#[test]
fn column_sums_go_over_all_rows() {
    for (count, width) in [(0, 3), (1, 1), (7, 65), (64, 16), (65, 16), (300, 200)] {
        let rng = &mut ChaCha8Rng::seed_from_u64(4);
        let (x, y) = (numbers(count * width, rng), numbers(count * width, rng));
        let (mut plain, mut sums, mut z) = (vec![f64::NAN; width], vec![f64::NAN; width], vec![0.0; x.len()]);
        rows::column_sums(&x, &mut plain);
        rows::multiply_and_sum_columns(&x, &y, &mut z, &mut sums);
        assert!(z.iter().zip(x.iter().zip(&y)).all(|(&z, (&x, &y))| z == x * y), "{count} × {width}");
        for j in 0..width {
            let column = |x: &[f64]| (0..count).fold(0.0, |s, i| s + x[i * width + j]);
            close(plain[j], column(&x), 1e-13, &format!("column {j} of {count} × {width}"));
            close(sums[j], column(&z), 1e-13, &format!("column {j} of the product, {count} × {width}"));
        }
    }
}

#[test]
fn one_number_that_is_none_is_found_wherever_it_stands() {
    let mut x = vec![f32::MAX; 3 * 8192 + 5];
    x[7] = -0.0;
    assert!(rows::all_finite(&x) && rows::all_finite::<f32>(&[]));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, 15, 16, 8191, 8192, x.len() - 1] {
            let good = std::mem::replace(&mut x[place], bad);
            assert!(!rows::all_finite(&x), "{bad} at {place}");
            x[place] = good;
        }
    }
}

#[test]
fn softmax_and_cross_entropy_are_the_formula() {
    let rng = &mut ChaCha8Rng::seed_from_u64(8);
    for (count, v) in [(1, 1), (5, 17), (40, 65), (3, 5000)] {
        let x = numbers(count * v, rng);
        let (mut y, mut statistics, mut dx) = (vec![0.0; x.len()], vec![[0.0; 2]; count], vec![0.0; x.len()]);
        rows::softmax(v, &x, &mut y);
        cross_entropy::row_statistics(v, &x, &mut statistics);
        let target = |row: usize| (row % 3 != 2).then_some(row % v);
        cross_entropy::cross_entropy_vjp(v, &x, &statistics, target, 0.25, &mut dx);
        let (dy, mut back) = (numbers(x.len(), rng), vec![0.0; x.len()]);
        rows::softmax_vjp(v, &y, &dy, &mut back);
        for row in 0..count {
            let total: f64 = x[row * v..][..v].iter().map(|x| x.exp()).sum();
            close(statistics[row][0] + statistics[row][1].ln(), total.ln(), 1e-13, "log-sum-exp");
            let along = dot(&y[row * v..][..v], &dy[row * v..][..v]);
            for i in row * v..(row + 1) * v {
                let p = x[i].exp() / total;
                close(y[i], p, 1e-13, "softmax");
                close(back[i], p * (dy[i] - along), 1e-12, "softmax's vjp");
                let hit = f64::from(u8::from(target(row) == Some(i - row * v)));
                let right = if target(row).is_some() { 0.25 * (p - hit) } else { 0.0 };
                close(dx[i], right, 1e-13, "cross-entropy's vjp");
            }
        }
    }
}

#[test]
fn large_logits_neither_overflow_nor_vanish() {
    let mut statistics = [[0.0f32; 2]; 2];
    cross_entropy::row_statistics(3, &[1e4, 1e4, -1e4, -1e4, -1e4, -1e4], &mut statistics);
    assert_eq!(statistics, [[1e4, 2.0], [-1e4, 3.0]]);
}

#[test]
fn one_pass_of_adamw_is_the_formula() {
    let rng = &mut ChaCha8Rng::seed_from_u64(9);
    let (x, g, m) = (numbers(20_000, rng), numbers(20_000, rng), numbers(20_000, rng));
    let v: Vec<f64> = numbers(20_000, rng).iter().map(|v| v.abs()).collect();
    let adamw = AdamW {
        lr: 0.1,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        decay: 0.1,
        correction1: 0.3,
        correction2: 0.2,
        clip: 0.5,
    };
    let (mut x1, mut m1, mut v1) = (x.clone(), m.clone(), v.clone());
    adamw.step(&mut x1, &g, &mut m1, &mut v1);
    for i in 0..x.len() {
        let g = 0.5 * g[i];
        let (m, v) = (0.9 * m[i] + 0.1 * g, 0.99 * v[i] + 0.01 * g * g);
        let right = x[i] * (1.0 - 0.1 * 0.1) - 0.1 * (m / 0.3) / ((v / 0.2).sqrt() + 1e-8);
        close(x1[i], right, 1e-13, "AdamW");
    }
    close(rows::sum_of_squares(&x, &mut Vec::new()), dot(&x, &x), 1e-12, "sum of squares");
}

#[test]
fn the_bits_of_fused_kernels_do_not_depend_on_the_number_of_threads() {
    let rng = &mut ChaCha8Rng::seed_from_u64(10);
    let (b, n) = (9, 40); // more rows than one piece of a layer norm takes, and more numbers than one of a sum
    let at = Attention::new(n, 2, 2, 8);
    let x: Vec<f32> = numbers(b * n * 48, rng).iter().map(|&x| x as f32).collect();
    let all = || {
        let (mut out, mut statistics, mut dqkv) =
            (vec![0.0; b * n * 16], vec![[0.0; 2]; b * 2 * n], vec![0.0; x.len()]);
        at.forward(&x, &mut out, &mut statistics);
        at.vjp(&x, &out, &statistics, &out, &mut dqkv);
        let (mut y, mut saved) = (vec![0.0; x.len()], vec![[0.0; 2]; b * n]);
        norm::layer_norm(&x, &x[..48], None, 1e-5, &mut y, &mut saved);
        let (mut dx, mut dw, mut db, mut partial) =
            (y.clone(), vec![0.0; 48], vec![0.0; 48], vec![0.0; norm::partial_sums(b * n) * 96]);
        norm::layer_norm_vjp(&x, &x[..48], &saved, &y, &mut dx, &mut dw, &mut db, &mut partial);
        let mut columns = vec![0.0; 48];
        rows::column_sums(&x, &mut columns);
        let squares = rows::sum_of_squares(&x, &mut Vec::new());
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        [out, statistics.concat(), dqkv, y, dx, dw, db, columns, vec![squares]].map(|x| bits(&x))
    };
    let one = on_threads(1, all);
    for n in [2, 3, 4] {
        assert!(on_threads(n, all) == one, "{n} threads computed other bits than one");
    }
}
