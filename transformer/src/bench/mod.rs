//! `bench`: what a training step costs, beside what its arithmetic has to cost.
//!
//! ```text
//! floor = floating-point operations of the step / peak rate of multiply-adds, measured in the same run
//! ```
//!
//! A step is forward, loss, backward, clipping and AdamW on a batch of random tokens. Its operations are
//! those of the matrix products and of the causal half of attention, three times the forward ones: what rules
//! compute again, and all that is not a product, counts as overhead.

mod memory;
pub mod micro;
pub mod overhead;
mod step;

pub use memory::{peak_rss_mib, reset_peak_rss};
pub use step::{BATCHES, Step, StepTimes};

use crate::error::Result;
use crate::model::ModelConfig;
use crate::train::config::{Dtype, TrainConfig};
use crate::train::presets::Preset;
use autograd::kernels::peak::{bf16_peak, multiply_add_peak};
use autograd::kernels::threads;
use autograd::{Float, OpTime};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// What is measured: a model and the windows in a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchConfig {
    /// What the command line calls it.
    pub name: String,
    /// The sizes.
    pub model: ModelConfig,
    /// The windows in a batch.
    pub batch_size: usize,
    /// What matrix products are computed from.
    pub dtype: Dtype,
}

impl BenchConfig {
    /// The configuration of a preset, with biases and without dropout, as the peers are measured.
    pub fn of(preset: Preset) -> Self {
        let config = preset.config();
        let model = ModelConfig { bias: true, dropout: 0.0, ..config.model };
        let (name, batch_size, dtype) = (preset.name().to_owned(), config.batch_size, Dtype::F32);
        BenchConfig { name, model, batch_size, dtype }
    }

    /// Checks the sizes.
    ///
    /// # Errors
    /// If one is out of its range, or the machine has too little memory.
    pub fn validate(&self) -> Result<()> {
        self.model.validate()?;
        crate::train::memory::check(&TrainConfig {
            model: self.model.clone(),
            batch_size: self.batch_size,
            gradient_accumulation_steps: BATCHES,
            ..TrainConfig::default()
        })
    }

    /// The tokens of a batch.
    pub fn tokens(&self) -> usize {
        self.batch_size * self.model.block_size
    }
}

/// One line of `bench --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The configuration's name.
    pub config: String,
    /// The tokens of a window.
    pub block_size: usize,
    /// The windows of a batch.
    pub batch_size: usize,
    /// Threads that the kernels ran on.
    pub threads: usize,
    /// The median step, in milliseconds.
    pub median_ms: f64,
    /// The fastest step, in milliseconds.
    pub min_ms: f64,
    /// Tokens of a batch over the median.
    pub tokens_per_second: f64,
    /// Floating-point operations of a step over the median, in 10⁹ a second.
    pub gflops: f64,
    /// What matrix products are computed from.
    #[serde(default)]
    pub dtype: Dtype,
    /// The rate of multiply-adds of such numbers that the same threads reached in the same run, in 10⁹ operations a second.
    pub peak_gflops: f64,
    /// `gflops / peak_gflops`
    pub peak_share: f64,
    /// The largest memory of the process, in MiB; absent where the system does not tell.
    pub peak_rss_mib: Option<f64>,
    /// The steps that were timed.
    pub steps: usize,
    /// Where the time goes, the longest first: the fastest of several profiled steps, each part by itself.
    pub parts: Vec<Part>,
    /// Of `micro`: what an op of its tape costs beside its arithmetic, forward and back, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overhead_ns_per_op: Option<f64>,
    /// The same for each kind of op.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overheads: Vec<overhead::Overhead>,
}

/// What one op, or the optimiser, takes of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The op's name, or `optimiser`.
    pub op: String,
    /// Calls in a walk over a batch, or over a shard of it.
    pub calls: usize,
    /// Milliseconds in forward rules.
    pub forward_ms: f64,
    /// Milliseconds in backward rules (or in the optimiser).
    pub backward_ms: f64,
    /// Of an op whose operations count: their share of what the peak rate does in that time.
    pub peak_share: Option<f64>,
}

impl Part {
    /// Forward and backward together.
    pub fn milliseconds(&self) -> f64 {
        self.forward_ms + self.backward_ms
    }
}

/// Measures steps of `config` for about `seconds`, on as many threads as the kernels have been given.
pub fn measure(config: &BenchConfig, seconds: f64) -> Measured {
    let mut step = Step::new(config);
    let of_op = step.flops_by_op();
    let flops: u64 = of_op.iter().map(|(_, flops)| flops).sum();
    f32::with_pool(|pool| pool.clear()); // of tensors that no step will ask for
    reset_peak_rss();
    for _ in 0..3 {
        step.run(); // fills the pool and the caches
    }
    let peak_of = |runs| match config.dtype {
        Dtype::F32 => multiply_add_peak(runs),
        Dtype::Bf16 => bf16_peak(runs),
    };
    let mut peak = peak_of(5);
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 5 || start.elapsed().as_secs_f64() < seconds {
        times.push(step.run().total);
        if times.len() % 50 == 0 {
            peak = peak.max(peak_of(1));
        }
    }
    let peak_gflops = peak.max(peak_of(5)) / 1e9;
    let mut parts: Vec<Part> = Vec::new();
    let (mut profiles, start) = (0, Instant::now());
    while profiles < 3 || start.elapsed().as_secs_f64() < seconds / 4.0 {
        let (ops, times) = step.profile();
        keep_fastest(&mut parts, parts_of(&ops, &times));
        profiles += 1;
    }
    for part in &mut parts {
        let flops = of_op
            .iter()
            .find(|(op, _)| *op == part.op.trim_end_matches("_bf16"))
            .map(|&(_, flops)| flops as f64);
        part.peak_share = flops.map(|flops| flops / (part.milliseconds() * 1e6 * peak_gflops));
    }
    parts.sort_by(|a, b| b.milliseconds().total_cmp(&a.milliseconds()));
    times.sort();
    let median = milliseconds(times[times.len() / 2]);
    let gflops = flops as f64 / median / 1e6;
    Measured {
        config: config.name.clone(),
        block_size: config.model.block_size,
        batch_size: config.batch_size,
        threads: threads::threads(),
        median_ms: median,
        min_ms: milliseconds(times[0]),
        tokens_per_second: config.tokens() as f64 / median * 1e3,
        gflops,
        dtype: config.dtype,
        peak_gflops,
        peak_share: gflops / peak_gflops,
        peak_rss_mib: peak_rss_mib(),
        steps: times.len(),
        parts,
        overhead_ns_per_op: None,
        overheads: Vec::new(),
    }
}

fn parts_of(ops: &[OpTime], times: &StepTimes) -> Vec<Part> {
    let part = |op: &str, calls, forward, backward| Part {
        op: op.to_owned(),
        calls,
        forward_ms: milliseconds(forward),
        backward_ms: milliseconds(backward),
        peak_share: None,
    };
    let in_ops = ops.iter().map(|time| time.forward + time.backward).sum();
    let rest = times.gradient.saturating_sub(in_ops);
    let beside = [("optimiser", times.optimiser), ("tape, sum, norm", rest)];
    let of_ops = ops.iter().map(|time| part(time.op, time.calls, time.forward, time.backward));
    of_ops.chain(beside.map(|(name, time)| part(name, 1, Duration::ZERO, time))).collect()
}

/// Every step has the same parts in the same order: of each, the smaller times stay.
fn keep_fastest(parts: &mut Vec<Part>, of_this_step: Vec<Part>) {
    if parts.is_empty() {
        *parts = of_this_step;
        return;
    }
    for (part, new) in parts.iter_mut().zip(of_this_step) {
        part.forward_ms = part.forward_ms.min(new.forward_ms);
        part.backward_ms = part.backward_ms.min(new.backward_ms);
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
