//! The training step of ../pytorch/step.py in candle, and its turns as ../turns.py has them.
//!
//! The norm is candle's composition of primitives: the fused one that `candle_nn::LayerNorm` calls has no backward rule
//! and silently cuts the gradient off. Nothing clips the gradient here, for candle does not offer it.

use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, loss, ops};
use std::io::stdin;
use std::time::Instant;

struct Linear {
    weight: Var, // [d_in, d_out]
    bias: Var,
}

impl Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (b, n, d) = x.dims3()?;
        let y = x.reshape((b * n, d))?.matmul(&self.weight)?.broadcast_add(&self.bias)?;
        y.reshape((b, n, ()))
    }
}

struct Norm {
    weight: Var,
    bias: Var,
}

impl Norm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm_slow(x, &self.weight, &self.bias, 1e-5)
    }
}

struct Block {
    heads: usize,
    norm_1: Norm,
    qkv: Linear,
    out: Linear,
    norm_2: Norm,
    up: Linear,
    down: Linear,
}

impl Block {
    fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let (b, n, d) = x.dims3()?;
        let e = d / self.heads;
        let qkv = self.qkv.forward(&self.norm_1.forward(x)?)?;
        let part = |i: usize| {
            qkv.narrow(D::Minus1, i * d, d)?.reshape((b, n, self.heads, e))?.transpose(1, 2)?.contiguous()
        };
        let (q, k, v) = (part(0)?, part(1)?, part(2)?); // [b, h, n, e]
        let scores = (q.matmul(&k.t()?)? * (e as f64).powf(-0.5))?.broadcast_add(mask)?;
        let heard = ops::softmax(&scores, D::Minus1)?.matmul(&v)?.transpose(1, 2)?.reshape((b, n, d))?;
        let x = (x + self.out.forward(&heard)?)?;
        let hidden = self.up.forward(&self.norm_2.forward(&x)?)?.gelu()?;
        x + self.down.forward(&hidden)?
    }
}

/// Makes the parameters and keeps hold of them.
#[derive(Default)]
struct Parameters(Vec<Var>);

impl Parameters {
    fn keep(&mut self, var: Var) -> Var {
        self.0.push(var.clone());
        var
    }
    fn matrix(&mut self, rows: usize, columns: usize) -> Result<Var> {
        Ok(self.keep(Var::randn(0f32, 0.02, (rows, columns), &Device::Cpu)?))
    }
    fn linear(&mut self, d_in: usize, d_out: usize) -> Result<Linear> {
        let weight = self.matrix(d_in, d_out)?;
        Ok(Linear { weight, bias: self.keep(Var::zeros(d_out, DType::F32, &Device::Cpu)?) })
    }
    fn norm(&mut self, width: usize) -> Result<Norm> {
        let weight = self.keep(Var::ones(width, DType::F32, &Device::Cpu)?);
        Ok(Norm { weight, bias: self.keep(Var::zeros(width, DType::F32, &Device::Cpu)?) })
    }
}

struct Step {
    tokens: Var,
    positions: Var,
    blocks: Vec<Block>,
    norm: Norm,
    mask: Tensor,
    texts: Vec<[Tensor; 2]>,
    parameters: Parameters,
    adamw: AdamW,
    done: usize,
}

impl Step {
    fn new(layers: usize, heads: usize, d: usize, n: usize, v: usize, b: usize) -> Result<Step> {
        let mut all = Parameters::default();
        let (tokens, positions) = (all.matrix(v, d)?, all.matrix(n, d)?);
        let mut blocks = Vec::new();
        for _ in 0..layers {
            blocks.push(Block {
                heads,
                norm_1: all.norm(d)?,
                qkv: all.linear(d, 3 * d)?,
                out: all.linear(d, d)?,
                norm_2: all.norm(d)?,
                up: all.linear(d, 4 * d)?,
                down: all.linear(4 * d, d)?,
            });
        }
        let norm = all.norm(d)?;
        let future = (0..n * n).map(|i| if i % n > i / n { f32::NEG_INFINITY } else { 0.0 }).collect();
        let mut state = 1u32;
        let mut random = |shape: &[usize]| {
            let ids = (0..b * n).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) % v as u32
            });
            Tensor::from_vec(ids.collect(), shape, &Device::Cpu)
        };
        let texts: Result<_> = (0..16).map(|_| Ok([random(&[b, n])?, random(&[b * n])?])).collect();
        let rates = ParamsAdamW { lr: 1e-3, beta2: 0.99, weight_decay: 0.1, ..ParamsAdamW::default() };
        Ok(Step {
            tokens,
            positions,
            blocks,
            norm,
            mask: Tensor::from_vec(future, (n, n), &Device::Cpu)?,
            texts: texts?,
            adamw: AdamW::new(all.0.clone(), rates)?,
            parameters: all,
            done: 0,
        })
    }

    fn run(&mut self) -> Result<f32> {
        let [x, y] = &self.texts[self.done % self.texts.len()];
        let (b, n) = x.dims2()?;
        let embedded = self.tokens.index_select(&x.flatten_all()?, 0)?.reshape((b, n, ()))?;
        let mut h = embedded.broadcast_add(&self.positions)?; // [b, n, d]
        for block in &self.blocks {
            h = block.forward(&h, &self.mask)?;
        }
        let logits = self.norm.forward(&h)?.reshape((b * n, ()))?.matmul(&self.tokens.t()?)?;
        let loss = loss::cross_entropy(&logits, y)?;
        let gradients = loss.backward()?;
        if self.done == 0 {
            let all = self.parameters.0.iter().all(|parameter| gradients.get(parameter).is_some());
            assert!(all, "a parameter has no gradient");
        }
        self.adamw.step(&gradients)?;
        self.done += 1;
        loss.to_scalar()
    }
}

/// The most memory that this process has held, in MiB.
fn peak_rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of its processes");
    let peak = status.split("VmHWM:").nth(1).and_then(|rest| rest.split_whitespace().next());
    peak.and_then(|kib| kib.parse::<f64>().ok()).expect("a number of kB") / 1024.0
}

fn main() -> Result<()> {
    let sizes: Vec<usize> = std::env::args().skip(1).flat_map(|word| word.parse()).collect();
    let [layers, heads, width, context, vocabulary, batch, _] = sizes[..] else {
        panic!("give layers heads width context vocabulary batch threads")
    };
    let mut step = Step::new(layers, heads, width, context, vocabulary, batch)?;
    for _ in 0..4 {
        step.run()?;
    }
    println!("{}", serde_json::json!({ "who": "candle 0.11" }));
    for line in stdin().lines() {
        let seconds: f64 = line?.trim().parse().expect("a number of seconds");
        step.run()?; // while the others had their turn the caches have become theirs
        let (mut times, start) = (vec![], Instant::now());
        while times.len() < 3 || start.elapsed().as_secs_f64() < seconds {
            let begun = Instant::now();
            step.run()?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let (median, least) = (times[times.len() / 2], times[0]);
        let took = serde_json::json!({
            "median_ms": median, "min_ms": least, "peak_rss_mib": peak_rss_mib(),
        });
        println!("{took}");
    }
    Ok(())
}
