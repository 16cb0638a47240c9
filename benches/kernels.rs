//! The matrix products of a training step, by the role they play: forward, and in both backward shapes. On as many
//! threads as the machine has cores.
//!
//! `cargo bench -p benches --bench kernels -- char/up` measures those whose names contain the words; what criterion
//! calls `Gelem/s` are GFLOP/s. (Against other libraries: `benches/peers/kernels.py`.)

use autograd::Float;
use autograd::kernels::MatMul;
use autograd::kernels::attention::Attention;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use transformer::bench::BenchConfig;
use transformer::train::presets::Preset;

fn kernels(criterion: &mut Criterion) {
    for preset in [Preset::Tiny, Preset::Char, Preset::Baby, Preset::Gpt2] {
        let config = BenchConfig::of(preset);
        let (rows, d, v) = (config.tokens(), config.model.n_embd, config.model.vocab_size);
        let mut group = criterion.benchmark_group(preset.name());
        group.sample_size(20).warm_up_time(Duration::from_millis(200));
        group.measurement_time(Duration::from_millis(800));
        // Y = X·W         X̄ = Ȳ·Wᵀ        W̄ = Xᵀ·Ȳ
        for (role, d_in, d_out) in
            [("qkv", d, 3 * d), ("projection", d, d), ("up", d, 4 * d), ("down", 4 * d, d)]
        {
            product(&mut group, &format!("{role}/forward"), MatMul::new(rows, d_in, d_out));
            product(&mut group, &format!("{role}/to x"), MatMul::new(rows, d_out, d_in).transpose_b(true));
            product(&mut group, &format!("{role}/to W"), MatMul::new(d_in, rows, d_out).transpose_a(true));
        }
        // The head is tied to the embedding E: Y = X·Eᵀ         X̄ = Ȳ·E         Ē = Ȳᵀ·X
        product(&mut group, "head/forward", MatMul::new(rows, d, v).transpose_b(true));
        product(&mut group, "head/to x", MatMul::new(rows, v, d));
        product(&mut group, "head/to W", MatMul::new(v, rows, d).transpose_a(true));
        scores(&mut group, &config);
        group.finish();
    }
}

fn numbers(length: usize) -> Vec<f32> {
    (0..length).map(|i| (i * 7 % 13) as f32 * 0.1 - 0.6).collect()
}

fn product(group: &mut BenchmarkGroup<WallTime>, name: &str, plan: MatMul) {
    let MatMul { m, k, n, .. } = plan;
    let (a, b, mut c) = (numbers(m * k), numbers(k * n), vec![0.0; m * n]);
    group.throughput(Throughput::Elements(2 * (m * k * n) as u64));
    group.bench_function(name, |bencher| bencher.iter(|| f32::matmul(&plan, &a, &b, &mut c)));
}

/// The products with scores are attention's, which never stores them all: two forward, five on the way back, of the
/// causal half.
fn scores(group: &mut BenchmarkGroup<WallTime>, config: &BenchConfig) {
    let (b, n, h) = (config.batch_size, config.model.block_size, config.model.n_head);
    let (d, width) = (config.model.head_size(), config.model.n_embd);
    let attention = Attention::new(n, h, h, d);
    let (qkv, dy) = (numbers(b * n * 3 * width), numbers(b * n * width));
    let (mut y, mut statistics, mut dqkv) =
        (vec![0.0; dy.len()], vec![[0.0; 2]; b * h * n], vec![0.0; qkv.len()]);
    let product = (b * h * n * (n + 1) * d) as u64;
    group.throughput(Throughput::Elements(2 * product));
    group.bench_function("scores/forward", |bencher| {
        bencher.iter(|| attention.forward(&qkv, &mut y, &mut statistics));
    });
    group.throughput(Throughput::Elements(5 * product));
    group.bench_function("scores/to q, k, v", |bencher| {
        bencher.iter(|| attention.vjp(&qkv, &y, &statistics, &dy, &mut dqkv));
    });
}

criterion_group!(benches, kernels);
criterion_main!(benches);
