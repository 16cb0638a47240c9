//! The one-page model as a measure of overhead: numbers so few that what is not arithmetic shows.
//!
//! 1 layer, 4 heads, width 16, context 16, 27 tokens: a step is one name, some 30 ops on the tape, 0.2 MFLOP.

#[path = "../../examples/microgpt.rs"]
#[allow(dead_code)] // its `main` is the example's
mod microgpt;

use super::{Measured, overhead};
use crate::train::config::Dtype;
use autograd::kernels::{peak::multiply_add_peak, threads};
use autograd::{Tape, Tensor};
use microgpt::{Moments, PARAMETERS, STEPS, adam, loss_and_gradients, tokens};
use rand_distr::{Distribution, Normal};
use std::time::Instant;

/// The 1000 updates of the example, as often as `seconds` allow; a step's time is a run's divided by 1000.
pub fn measure(seconds: f64) -> Measured {
    threads::set_threads(1);
    super::reset_peak_rss();
    let names: Vec<Vec<usize>> = include_str!("../../examples/names.txt").lines().map(tokens).collect();
    run(&names);
    let mut peak = multiply_add_peak(5);
    let (mut times, start) = (Vec::new(), Instant::now());
    while times.len() < 3 || start.elapsed().as_secs_f64() < seconds {
        let begun = Instant::now();
        run(&names);
        times.push(begun.elapsed().as_secs_f64() * 1e3 / STEPS as f64);
        peak = peak.max(multiply_add_peak(1));
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let flops = (0..STEPS).map(|step| flops(names[step % names.len()].len() - 1)).sum::<u64>() / STEPS as u64;
    let tokens = (0..STEPS).map(|step| (names[step % names.len()].len() - 1).min(16)).sum::<usize>() / STEPS;
    let gflops = flops as f64 / median / 1e6;
    let overheads = overhead::measure(ops());
    Measured {
        config: "micro".to_owned(),
        block_size: 16,
        batch_size: 1,
        threads: 1,
        median_ms: median,
        min_ms: times[0],
        tokens_per_second: tokens as f64 / median * 1e3,
        gflops,
        dtype: Dtype::F32,
        peak_gflops: peak / 1e9,
        peak_share: gflops / (peak / 1e9),
        peak_rss_mib: super::peak_rss_mib(),
        steps: times.len() * STEPS,
        parts: Vec::new(),
        overhead_ns_per_op: Some(overhead::mean(&overheads)),
        overheads,
    }
}

fn run(names: &[Vec<usize>]) {
    let mut random = crate::random::generator(42, crate::random::Purpose::Initialisation);
    let normal = Normal::new(0.0, 0.08).expect("a positive deviation");
    let mut parameters =
        PARAMETERS.map(|(_, shape)| Tensor::from_fn(shape, |_| normal.sample(&mut random) as f32));
    let mut moments: Moments<f32> = PARAMETERS.map(|(_, s)| (Tensor::zeros(s), Tensor::zeros(s)));
    for step in 0..STEPS {
        let (_, gradients) = loss_and_gradients(&parameters, &names[step % names.len()]);
        adam(&mut parameters, &gradients, &mut moments, step);
    }
}

/// Three times the forward products of a name of n tokens: six layers' weights, and the causal half of attention.
fn flops(n: usize) -> u64 {
    let weights: usize = PARAMETERS[2..].iter().map(|(_, [rows, columns])| rows * columns).sum();
    (3 * (2 * n * weights + 2 * 16 * n * (n + 1))) as u64
}

/// The ops that a step puts on the tape, by name, in their order.
pub fn ops() -> Vec<&'static str> {
    let tape = Tape::<f32>::new();
    let parameters = PARAMETERS.map(|(_, shape)| tape.leaf(Tensor::zeros(shape)));
    microgpt::logits(parameters, &[26, 0, 1, 2]).cross_entropy(&[0, 1, 2, 26], None);
    tape.nodes().iter().filter_map(|node| node.op.as_ref().map(|op| op.name())).collect()
}
