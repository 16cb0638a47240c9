//! Milliseconds of the fused kernels at the char and baby sizes, one thread and two: the best of 30 runs.
//!
//! `cargo run --release -p autograd --example fused_speed`

use autograd::Float;
use autograd::kernels::{adamw::AdamW, attention::Attention, norm, rows, threads};
use std::time::Instant;

fn best(mut work: impl FnMut()) -> f64 {
    let mut times = (0..30).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e3
    });
    let first = times.next().unwrap_or(0.0);
    times.fold(first, f64::min)
}

fn main() {
    for (name, b, n, h, d) in [("char", 12, 64, 4, 32), ("baby", 4, 256, 6, 64)] {
        for t in [1, 2] {
            threads::set_threads(t);
            let width = h * d;
            let x: Vec<f32> = (0..b * n * 4 * width).map(|i| (i * 7 % 101) as f32 * 0.02 - 1.0).collect();
            let mut y = vec![0.0f32; x.len()];
            let at = Attention::new(n, h, h, d);
            let qkv = &x[..b * n * 3 * width];
            let (mut out, mut statistics, mut dqkv) =
                (vec![0.0; b * n * width], vec![[0.0; 2]; b * h * n], vec![0.0; qkv.len()]);
            let forward = best(|| at.forward(qkv, &mut out, &mut statistics));
            let backward = best(|| at.vjp(qkv, &out, &statistics, &out, &mut dqkv));
            // causal half: 2 products of 2·n²·d / 2 forward, 5 backward
            let flops = (2 * b * h * n * n * d) as f64;
            println!(
                "{name} {t} threads: attention {forward:.3} ms ({:.0} GFLOP/s), its vjp {backward:.3} ms ({:.0} GFLOP/s)",
                flops / forward / 1e6,
                2.5 * flops / backward / 1e6
            );
            let gelu = best(|| f32::gelu_slice(&x, &mut y));
            let gelu_vjp = best(|| f32::gelu_vjp_slice(&x, &x, &mut y));
            let exp = best(|| f32::exp_slice(&x, &mut y));
            let softmax = best(|| rows::softmax(n, &x, &mut y));
            let rows_x = &x[..b * n * width];
            let mut saved = vec![[0.0; 2]; b * n];
            let layer_norm = best(|| {
                norm::layer_norm(
                    rows_x,
                    &x[..width],
                    Some(&x[..width]),
                    1e-5,
                    &mut y[..b * n * width],
                    &mut saved,
                )
            });
            let (mut dw, mut db) = (vec![0.0; width], vec![0.0; width]);
            let mut partial = vec![0.0; (b * n).div_ceil(64) * 2 * width];
            let layer_norm_vjp = best(|| {
                let dx = &mut y[..b * n * width];
                norm::layer_norm_vjp(rows_x, &x[..width], &saved, rows_x, dx, &mut dw, &mut db, &mut partial)
            });
            let one = AdamW {
                lr: 1e-3,
                beta1: 0.9,
                beta2: 0.99,
                eps: 1e-8,
                decay: 0.1,
                correction1: 0.1,
                correction2: 0.01,
                clip: 1.0,
            };
            let (mut m, mut v) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            let adamw = best(|| one.step(&mut y, &x, &mut m, &mut v));
            println!(
                "  of {} numbers: exp {exp:.3}, gelu {gelu:.3}, its vjp {gelu_vjp:.3}, softmax {softmax:.3}, AdamW {adamw:.3} ms; \
                 of a quarter: layer norm {layer_norm:.3}, its vjp {layer_norm_vjp:.3} ms",
                x.len()
            );
        }
    }
}
