use autograd::Float;
use autograd::kernels::{MatMul, threads};
use std::time::Instant;
// cycles-robust: report best-of GFLOP/s per shape
fn bench(name: &str, plan: MatMul) {
    let la = if plan.transpose_a { plan.k } else { plan.m } * plan.lda;
    let lb = if plan.transpose_b { plan.n } else { plan.k } * plan.ldb;
    let a: Vec<f32> = (0..la).map(|i| (i % 13) as f32 * 0.1).collect();
    let b: Vec<f32> = (0..lb).map(|i| (i % 11) as f32 * 0.1).collect();
    let mut c = vec![0.0f32; plan.m * plan.ldc];
    let fl = 2.0 * (plan.m * plan.k * plan.n) as f64;
    let reps = (2e9 / fl).ceil().max(3.0) as usize;
    let mut best = f64::MAX;
    let inner = (2e6 / fl).ceil() as usize;
    for _ in 0..reps / inner.max(1) + 3 {
        let t = Instant::now();
        for _ in 0..inner {
            f32::matmul(&plan, &a, &b, &mut c);
        }
        best = best.min(t.elapsed().as_secs_f64() / inner as f64);
    }
    println!(
        "{name:28} {:5}x{:5}x{:5} {}{}{} {:7.1} GF/s",
        plan.m,
        plan.k,
        plan.n,
        plan.transpose_a as u8,
        plan.transpose_b as u8,
        plan.accumulate as u8,
        fl / best / 1e9
    );
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    threads::set_threads(a[1].parse().unwrap());
    println!("peak {:.1}", autograd::kernels::peak::multiply_add_peak(20) / 1e9);
    for (cfg, rows, d, v) in
        [("tiny", 256, 64, 65), ("char", 768, 128, 65), ("baby", 1024, 384, 65), ("gpt2", 256, 768, 50257)]
    {
        if !a[2].split(',').any(|x| x == cfg) {
            continue;
        }
        for (role, k, n) in [("qkv", d, 3 * d), ("proj", d, d), ("up", d, 4 * d), ("down", 4 * d, d)] {
            bench(&format!("{cfg} {role} fwd"), MatMul::new(rows, k, n));
            bench(&format!("{cfg} {role} dx"), MatMul::new(rows, n, k).transpose_b(true));
            bench(&format!("{cfg} {role} dw"), MatMul::new(k, rows, n).transpose_a(true));
        }
        bench(&format!("{cfg} head fwd"), MatMul::new(rows, d, v).transpose_b(true));
        bench(&format!("{cfg} head dx"), MatMul::new(rows, v, d));
        bench(&format!("{cfg} head dw"), MatMul::new(v, rows, d).transpose_a(true));
    }
    for s in [64, 256, 1024] {
        bench("square", MatMul::new(s, s, s));
    }
}
