//! Matrix products by role, ours and the crates gemm, faer, matrixmultiply in turn: GFLOP/s by the median and by the
//! best run, and the share of the FMA peak measured in the same run.
//!
//! `cargo run --release [-- ROLE…]` (words that the printed role must contain).

use autograd::Float;
use autograd::kernels::{MatMul, threads};
use faer::linalg::matmul::matmul as faer_matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::time::Instant;

/// role, m, k, n, A stored transposed, B stored transposed
type Case = (String, usize, usize, usize, bool, bool);

fn cases() -> Vec<Case> {
    let mut cases = vec![];
    let mut all = |name: &str, m: usize, k: usize, n: usize| {
        cases.push((format!("{name} y=xW"), m, k, n, false, false));
        cases.push((format!("{name} dx=dyWᵀ"), m, n, k, false, true));
        cases.push((format!("{name} dW=xᵀdy"), k, m, n, true, false));
    };
    for (config, rows, d, v) in
        [("tiny", 256, 64, 65), ("char", 768, 128, 65), ("baby", 1024, 384, 65), ("gpt2", 256, 768, 50257)]
    {
        all(&format!("{config} qkv"), rows, d, 3 * d);
        all(&format!("{config} proj"), rows, d, d);
        all(&format!("{config} up"), rows, d, 4 * d);
        all(&format!("{config} down"), rows, 4 * d, d);
        all(&format!("{config} head"), rows, d, v);
    }
    for n in [64, 256, 1024] {
        cases.push((format!("cube {n}"), n, n, n, false, false));
    }
    cases.push(("char 128→512".into(), 768, 128, 512, false, false));
    cases.push(("char 512→128".into(), 768, 512, 128, false, false));
    cases
}

/// GFLOP/s of independent fused multiply-adds on one core.
fn peak() -> f64 {
    #[target_feature(enable = "avx512f")]
    fn chain(rounds: usize) -> f32 {
        use std::arch::x86_64::*;
        let mut sums = [_mm512_set1_ps(1.0); 16];
        let (a, b) = (std::hint::black_box(_mm512_set1_ps(0.5)), std::hint::black_box(_mm512_set1_ps(0.5)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(a, *sum, b);
            }
        }
        sums.iter().map(|&s| _mm512_reduce_add_ps(s)).sum()
    }
    if !is_x86_feature_detected!("avx512f") {
        return f64::NAN;
    }
    let rounds = 200_000;
    (0..10)
        .map(|_| {
            let start = Instant::now();
            // SAFETY: the feature has just been detected.
            std::hint::black_box(unsafe { chain(rounds) });
            (rounds * 16 * 16 * 2) as f64 / start.elapsed().as_secs_f64() / 1e9
        })
        .fold(0.0, f64::max)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let peak = peak();
    println!("peak {peak:.1} GFLOP/s a core; each: median (best), GFLOP/s");
    println!(
        "{:<22}{:>16} {:>2} {:>13} {:>13} {:>13} {:>13}  of peak  ours/best peer",
        "role", "m×k×n", "t", "ours", "gemm", "faer", "mm"
    );
    for (role, m, k, n, ta, tb) in cases() {
        if !words.is_empty() && !words.iter().any(|w| role.contains(w.as_str())) {
            continue;
        }
        for t in [1, 2] {
            threads::set_threads(t);
            let a: Vec<f32> = (0..m * k).map(|i| (i * 7 % 13) as f32 * 0.1 - 0.6).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i * 5 % 17) as f32 * 0.1 - 0.8).collect();
            let mut c = vec![0.0f32; m * n];
            let plan = MatMul::new(m, k, n).transpose_a(ta).transpose_b(tb);
            let (a_row, a_col) = if ta { (1, m) } else { (k, 1) };
            let (b_row, b_col) = if tb { (1, k) } else { (n, 1) };
            let flops = (2 * m * k * n) as f64;
            let repeat = (2e6 / flops).ceil() as usize;
            let turns = ((1.0e9 * 12.0 / flops / repeat as f64) as usize).clamp(7, 300);
            let mut times = vec![vec![]; 4];
            for turn in 0..turns + 2 {
                for who in 0..4 {
                    let start = Instant::now();
                    for _ in 0..repeat {
                        match who {
                            0 => f32::matmul(&plan, &a, &b, &mut c),
                            1 => {
                                let par =
                                    if t > 1 { gemm::Parallelism::Rayon(t) } else { gemm::Parallelism::None };
                                // SAFETY: strides and sizes are those of the slices.
                                unsafe {
                                    gemm::gemm(
                                        m,
                                        n,
                                        k,
                                        c.as_mut_ptr(),
                                        1,
                                        n as isize,
                                        false,
                                        a.as_ptr(),
                                        a_col as isize,
                                        a_row as isize,
                                        b.as_ptr(),
                                        b_col as isize,
                                        b_row as isize,
                                        0.0,
                                        1.0,
                                        false,
                                        false,
                                        false,
                                        par,
                                    )
                                }
                            }
                            2 => {
                                let par = if t > 1 { Par::rayon(t) } else { Par::Seq };
                                let a = if ta {
                                    MatRef::from_column_major_slice(&a, m, k)
                                } else {
                                    MatRef::from_row_major_slice(&a, m, k)
                                };
                                let b = if tb {
                                    MatRef::from_column_major_slice(&b, k, n)
                                } else {
                                    MatRef::from_row_major_slice(&b, k, n)
                                };
                                let c = MatMut::from_row_major_slice_mut(&mut c, m, n);
                                faer_matmul(c, Accum::Replace, a, b, 1.0, par);
                            }
                            // matrixmultiply has its thread count from the environment: only at 1 thread here
                            _ if t == 1 => unsafe {
                                // SAFETY: strides and sizes are those of the slices.
                                matrixmultiply::sgemm(
                                    m,
                                    k,
                                    n,
                                    1.0,
                                    a.as_ptr(),
                                    a_row as isize,
                                    a_col as isize,
                                    b.as_ptr(),
                                    b_row as isize,
                                    b_col as isize,
                                    0.0,
                                    c.as_mut_ptr(),
                                    n as isize,
                                    1,
                                )
                            },
                            _ => {}
                        }
                    }
                    if turn >= 2 {
                        times[who].push(start.elapsed().as_secs_f64() / repeat as f64);
                    }
                }
            }
            let rate: Vec<(f64, f64)> = times
                .iter_mut()
                .map(|t| {
                    t.sort_by(f64::total_cmp);
                    (flops / t[t.len() / 2] / 1e9, flops / t[0] / 1e9)
                })
                .collect();
            let show = |(median, best): (f64, f64)| {
                if median > 1e4 { "–".into() } else { format!("{median:.0} ({best:.0})") }
            };
            let peers = if t == 1 { 4 } else { 3 };
            let peer = rate[1..peers].iter().map(|r| r.0).fold(0.0, f64::max);
            let peer_best = rate[1..peers].iter().map(|r| r.1).fold(0.0, f64::max);
            println!(
                "{role:<22}{:>16} {t:>2} {:>13} {:>13} {:>13} {:>13}  {:>4.0} %   {:.2} ({:.2})",
                format!("{m}×{k}×{n}"),
                show(rate[0]),
                show(rate[1]),
                show(rate[2]),
                show(rate[3]),
                100.0 * rate[0].1 / peak / t as f64,
                rate[0].0 / peer,
                rate[0].1 / peer_best
            );
        }
    }
}
