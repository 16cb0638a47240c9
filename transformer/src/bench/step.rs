//! One training step on random tokens, to be timed.

use super::BenchConfig;
use crate::data::batches::Batch;
use crate::model::{Gpt, Pass};
use crate::random::{Purpose, below, generator};
use crate::train::config::Dtype;
use crate::train::optimizer::{AdamW, Moments, decays};
use crate::train::shards::{gradient, gradient_clocked};
use autograd::{OpTime, Tape, Tensor};
use std::time::{Duration, Instant};

/// A model, its optimiser and batches of random tokens.
pub struct Step {
    model: Gpt<Tensor<f32>>,
    moments: Moments<f32>,
    batches: Vec<Batch>,
    bf16: bool,
    steps: usize,
}

/// What a step took.
#[derive(Debug, Clone, Copy)]
pub struct StepTimes {
    /// Tokens to loss, back to the gradient of every parameter, and its norm.
    pub gradient: Duration,
    /// AdamW, with the gradient clipped.
    pub optimiser: Duration,
    /// All of it.
    pub total: Duration,
}

const ADAMW: AdamW = AdamW { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.1, grad_clip: 1.0 };

/// How many batches there are, which take turns.
pub const BATCHES: usize = 8;

/// The ops whose operations count.
const PRODUCTS: [&str; 5] = ["linear", "linear_gelu", "matmul", "matmul_tb", "causal_attention"];

impl Step {
    /// A fresh model and a few batches.
    pub fn new(config: &BenchConfig) -> Self {
        let model = Gpt::init(&config.model, 1);
        let moments = Moments::zeros(model.parameters().into_iter().map(|(_, parameter)| parameter));
        let mut random = generator(1, Purpose::Batches);
        let (rows, length) = (config.batch_size, config.model.block_size);
        let mut tokens =
            || (0..rows * length).map(|_| below(&mut random, config.model.vocab_size)).collect::<Vec<_>>();
        let batches = (0..BATCHES).map(|_| Batch { x: tokens(), y: tokens(), rows, length }).collect();
        Step { model, moments, batches, bf16: config.dtype == Dtype::Bf16, steps: 0 }
    }

    /// One step.
    pub fn run(&mut self) -> StepTimes {
        self.on(None)
    }

    /// One step, with the time that each op took.
    pub fn profile(&mut self) -> (Vec<OpTime>, StepTimes) {
        let mut ops = Vec::new();
        let times = self.on(Some(&mut ops));
        (ops, times)
    }

    fn on(&mut self, ops: Option<&mut Vec<OpTime>>) -> StepTimes {
        let start = Instant::now();
        let batch = std::slice::from_ref(&self.batches[self.steps % self.batches.len()]);
        let bf16 = self.bf16;
        let pass = |_| Pass::evaluation().bf16(bf16);
        let found = match ops {
            None => gradient(&self.model, batch, pass),
            Some(ops) => gradient_clocked(&self.model, batch, pass, ops),
        };
        let found = found.expect("random tokens and fresh weights give a finite loss of all parameters");
        let gradient = start.elapsed();
        let parameters = self.model.parameters_mut();
        ADAMW.update_watched(&mut self.moments, parameters, (&found.of, found.norm), 1e-3, decays, None);
        drop(found);
        self.steps += 1;
        let total = start.elapsed();
        StepTimes { gradient, optimiser: total - gradient, total }
    }

    /// The floating-point operations of a step, by op: three times those of the forward pass's products, counted on one
    /// row of the batch.
    pub fn flops_by_op(&self) -> Vec<(&'static str, u64)> {
        let (tape, batch) = (Tape::new(), &self.batches[0]);
        self.model.on(&tape).loss(&batch.part(0..1), &Pass::evaluation().bf16(self.bf16));
        let nodes = tape.nodes();
        let of = |name: &str| {
            let of_nodes = nodes.iter().filter_map(|node| {
                let op = node.op.as_ref().filter(|op| op.name().trim_end_matches("_bf16") == name)?;
                let x: Vec<_> = node.inputs.iter().map(|&input| &nodes[input as usize].value).collect();
                Some(op.flops(&x, &node.value))
            });
            3 * batch.rows as u64 * of_nodes.sum::<u64>()
        };
        PRODUCTS.map(|name| (name, of(name))).to_vec()
    }
}
