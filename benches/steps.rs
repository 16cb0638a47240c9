//! Training steps: forward, loss, backward, clipping and AdamW, on random tokens at f32. On as many threads as the
//! machine has cores.
//!
//! `cargo bench -p benches --bench steps -- char`; what criterion calls `Kelem/s` are thousands of tokens a second.
//! (Where the time goes, and what share of the peak that is: `cargo run --release -- bench`.)

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use transformer::bench::{BenchConfig, Step};
use transformer::train::presets::Preset;

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    for preset in [Preset::Tiny, Preset::Char, Preset::Baby, Preset::Gpt2] {
        let config = BenchConfig::of(preset);
        group.throughput(Throughput::Elements(config.tokens() as u64));
        group.bench_function(preset.name(), |bencher| {
            let mut step = Step::new(&config);
            bencher.iter(|| step.run());
        });
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
