//! The model once more, from the formulas, by loops and indices: what the value of each step ought to be.
//!
//! A gradient check asks whether the vjp is that of the forward rule; a forward rule that is another function than the
//! one that was meant passes it. So the values are computed a second time, with no op, no kernel and no tensor of
//! `autograd`, and every step of the textbook composition is held against them.
//!
//! Radford et al. 2019, §2.3; Vaswani et al. 2017, §3.2; Ba et al. 2016; Hendrycks & Gimpel 2016 (gelu). The parts of a
//! Llama: Su et al. 2021 (RoPE), Zhang & Sennrich 2019 (RMS norm), Shazeer 2020 (SwiGLU), Ainslie et al. 2023 (shared keys).

use crate::model::{Activation, Block, Gpt, Linear, Mlp, Norm, NormKind};
use autograd::{Float, Tensor};
use std::f64::consts::PI;

/// What one op of the textbook composition ought to return.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The scope that the op is applied in.
    pub scope: String,
    /// The op's name.
    pub op: &'static str,
    /// Which of the ops of that name in that scope it is, in the order of the tape.
    pub nth: usize,
    /// Its entries, row-major.
    pub value: Vec<f64>,
}

/// Every step of the forward pass, in the order in which the textbook takes them, for tokens `[b, n]`; the targets are
/// the tokens moved by one, and `after` holds the ones after the last of each row.
pub fn reference(
    model: &Gpt<Tensor<f64>>,
    tokens: &[usize],
    [b, n]: [usize; 2],
    after: &[usize],
) -> Vec<Expected> {
    let (d, v, h, h_kv) =
        (model.config.n_embd, model.config.vocab_size, model.config.n_head, model.config.n_kv_head());
    let mut steps = Steps { list: Vec::new(), scope: "embedding".into(), b, n, d, h, h_kv };
    let row = |table: &Tensor<f64>, row: usize| table.data()[row * d..][..d].to_vec();
    let token = steps.put("gather", tokens.iter().flat_map(|&token| row(&model.wte, token)).collect());
    let mut x = match &model.wpe {
        None => token,
        Some(wpe) => {
            let position = steps.put("gather", (0..n).flat_map(|i| row(wpe, i)).collect());
            steps.put("add", (0..b * n * d).map(|i| token[i] + position[i % (n * d)]).collect())
        }
    };
    for (i, block) in model.blocks.iter().enumerate() {
        x = steps.block(&format!("blocks.{i}"), block, &x);
    }
    let x = steps.norm("head", &model.norm, &x);
    steps.scope = "head".into();
    let logits = steps.put("matmul_tb", rows(&x, d, v, |x, j| dot(x, &model.head().data()[j * d..][..d])));

    steps.scope = "loss".into();
    let ln_p = steps.put(
        "log_softmax",
        by_rows(&logits, v, |x| {
            let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total = largest + x.iter().map(|x| (x - largest).exp()).sum::<f64>().ln();
            x.iter().map(|x| x - total).collect()
        }),
    );
    let next = |i: usize| if i % n + 1 < n { tokens[i + 1] } else { after[i / n] };
    let picked =
        steps.put("mul", (0..b * n * v).map(|i| if i % v == next(i / v) { ln_p[i] } else { 0.0 }).collect());
    let sum = picked.iter().sum::<f64>();
    steps.put("sum", vec![sum]);
    steps.put("neg", vec![-sum]);
    steps.put("div", vec![-sum / (b * n) as f64]);
    steps.list
}

/// The loss that the reference ends with.
pub fn loss(steps: &[Expected]) -> f64 {
    steps.last().map_or(f64::NAN, |last| last.value[0])
}

struct Steps {
    list: Vec<Expected>,
    scope: String,
    b: usize,
    n: usize,
    d: usize,
    h: usize,
    h_kv: usize,
}

impl Steps {
    fn put(&mut self, op: &'static str, value: Vec<f64>) -> Vec<f64> {
        let nth = self.list.iter().filter(|step| step.op == op && step.scope == self.scope).count();
        self.list.push(Expected { scope: self.scope.clone(), op, nth, value: value.clone() });
        value
    }

    /// x + attention(norm(x)), then x + mlp(norm(x))
    fn block(&mut self, scope: &str, block: &Block<Tensor<f64>>, x: &[f64]) -> Vec<f64> {
        let normal = self.norm(scope, &block.norm_1, x);
        self.scope = format!("{scope}.attention");
        let qkv = self.linear(&block.attention.qkv, &normal);
        let qkv = match block.attention.rope {
            Some(base) => self.rope(&qkv, base),
            None => qkv,
        };
        let heard = self.attention(&qkv);
        let heard = self.linear(&block.attention.projection, &heard);
        self.scope = scope.to_owned();
        let x = self.put("add", add(x, &heard));

        let normal = self.norm(scope, &block.norm_2, &x);
        self.scope = format!("{scope}.mlp");
        let hidden = self.hidden(&block.mlp, &normal);
        let thought = self.linear(&block.mlp.down, &hidden);
        self.scope = scope.to_owned();
        self.put("add", add(&x, &thought))
    }

    /// f(x·W_up + b_up), or silu(x·W_gate) ⊙ (x·W_up): `[b, n, d] → [b, n, n_inner]`
    fn hidden(&mut self, mlp: &Mlp<Tensor<f64>>, x: &[f64]) -> Vec<f64> {
        let (name, f): (_, fn(f64) -> f64) = match mlp.activation {
            Activation::Gelu => ("gelu", gelu),
            Activation::GeluErf => ("gelu_erf", |x| 0.5 * x * (1.0 + Float::erf(x / 2f64.sqrt()))),
            Activation::Relu => ("relu", |x| x.max(0.0)),
            Activation::Swiglu => ("silu", |x| x / (1.0 + (-x).exp())),
        };
        let first = self.linear(mlp.gate.as_ref().unwrap_or(&mlp.up), x);
        let active = self.put(name, first.into_iter().map(f).collect());
        if mlp.gate.is_none() {
            return active;
        }
        let up = self.linear(&mlp.up, x);
        self.put("mul", active.iter().zip(&up).map(|(gate, up)| gate * up).collect())
    }

    /// (x − mean)/√(variance + ε)·w + b, or x/√(mean square + ε)·w, row by row: `[b, n, d] → [b, n, d]`
    fn norm(&mut self, scope: &str, norm: &Norm<Tensor<f64>>, x: &[f64]) -> Vec<f64> {
        self.scope = format!("{scope}.norm");
        let (d, w) = (self.d, norm.weight.data());
        let mean_of = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let (centred, variance) = match norm.kind {
            NormKind::Layer => {
                self.put("mean", x.chunks(d).map(mean_of).collect());
                let centred = self.put("sub", by_rows(x, d, |x| x.iter().map(|y| y - mean_of(x)).collect()));
                let variance = self.put("var", centred.chunks(d).map(|x| dot(x, x) / d as f64).collect());
                (centred, variance)
            }
            NormKind::Rms => {
                self.put("mul", x.iter().map(|x| x * x).collect());
                (x.to_vec(), self.put("mean", x.chunks(d).map(|x| dot(x, x) / d as f64).collect()))
            }
        };
        let more = self.put("affine", variance.iter().map(|variance| variance + norm.eps).collect());
        let deviation = self.put("sqrt", more.iter().map(|x| x.sqrt()).collect());
        let normal = self.put("div", (0..x.len()).map(|i| centred[i] / deviation[i / d]).collect());
        let scaled = self.put("mul", (0..x.len()).map(|i| normal[i] * w[i % d]).collect());
        match &norm.bias {
            None => scaled,
            Some(bias) => self.put("add", (0..x.len()).map(|i| scaled[i] + bias.data()[i % d]).collect()),
        }
    }

    /// x·W + b: `[b, n, d_in] → [b, n, d_out]`
    fn linear(&mut self, linear: &Linear<Tensor<f64>>, x: &[f64]) -> Vec<f64> {
        let [d_in, d_out] = linear.weight.shape()[..] else { unreachable!("a weight is a matrix") };
        let w = linear.weight.data();
        let product = self.put(
            "matmul",
            rows(x, d_in, d_out, |x, j| x.iter().enumerate().map(|(i, x)| x * w[i * d_out + j]).sum()),
        );
        match &linear.bias {
            None => product,
            Some(bias) => {
                self.put("add", (0..product.len()).map(|i| product[i] + bias.data()[i % d_out]).collect())
            }
        }
    }

    /// Every pair (x[i], x[i + e/2]) of each query and key turned by the angle position·base^(−2i/e).
    fn rope(&mut self, qkv: &[f64], base: f64) -> Vec<f64> {
        let &mut Steps { b, n, d, h, h_kv, .. } = self;
        let (e, heads) = (d / h, h + h_kv);
        let width = (h + 2 * h_kv) * e;
        // The pairs of [b, n, heads, e/2]: where its first number is, and the angle.
        let pairs: Vec<(usize, f64)> = (0..b * n * heads * e / 2)
            .map(|i| {
                let (pair, head, row) = (i % (e / 2), i / (e / 2) % heads, i / (e / 2 * heads));
                let angle = (row % n) as f64 * base.powf(-2.0 * pair as f64 / e as f64);
                (row * width + head * e + pair, angle)
            })
            .collect();
        let mut product = |second: bool, f: fn(f64) -> f64| {
            let at = if second { e / 2 } else { 0 };
            self.put("mul", pairs.iter().map(|&(i, angle)| qkv[i + at] * f(angle)).collect())
        };
        let (x1_cos, x2_sin) = (product(false, f64::cos), product(true, f64::sin));
        let (x2_cos, x1_sin) = (product(true, f64::cos), product(false, f64::sin));
        let y1 = self.put("sub", x1_cos.iter().zip(&x2_sin).map(|(a, b)| a - b).collect());
        let y2 = self.put("add", add(&x2_cos, &x1_sin));
        let mut turned = qkv.to_vec();
        for (&(i, _), (y1, y2)) in pairs.iter().zip(y1.iter().zip(&y2)) {
            (turned[i], turned[i + e / 2]) = (*y1, *y2);
        }
        turned
    }

    /// softmax(q·kᵀ/√e + mask)·v for every head: `[b, n, (h + 2·h_kv)·e] → [b, n, h·e]`
    fn attention(&mut self, qkv: &[f64]) -> Vec<f64> {
        let &mut Steps { b, n, d, h, h_kv, .. } = self;
        let e = d / h;
        // Entry [b, heads, n, e] of q, k or v, which lie side by side in a row, each `from` a head on.
        let entry = |from: usize, heads: usize, i: usize| {
            let (column, token, head, row) = (i % e, i / e % n, i / (e * n) % heads, i / (e * n * heads));
            qkv[(row * n + token) * (h + 2 * h_kv) * e + (from + head) * e + column]
        };
        let part =
            |from: usize, heads: usize| (0..b * n * heads * e).map(|i| entry(from, heads, i)).collect();
        let (q, k, v) = (
            self.put("permute", part(0, h)),
            self.put("permute", part(h, h_kv)),
            self.put("permute", part(h + h_kv, h_kv)),
        );
        // Each head of keys and values serves h/h_kv queries: [b, h_kv, n, e] → [b, h, n, e].
        let served = |x: &[f64]| -> Vec<f64> {
            x.chunks(n * e).flat_map(|head| std::iter::repeat_n(head, h / h_kv).flatten().copied()).collect()
        };
        let (k, v) = (served(&k), served(&v));

        let per_head = |i: usize| (i / (n * n), i / n % n, i % n); // of [b·h, n, n]
        let scores = self.put(
            "matmul_tb",
            (0..b * h * n * n)
                .map(|i| {
                    let (head, query, key) = per_head(i);
                    dot(&q[(head * n + query) * e..][..e], &k[(head * n + key) * e..][..e])
                })
                .collect(),
        );
        let scores = self.put("affine", scores.iter().map(|score| score / (e as f64).sqrt()).collect());
        let hidden = |i: usize| i % n > i / n % n;
        let visible = self.put(
            "masked_fill",
            (0..scores.len()).map(|i| if hidden(i) { f64::NEG_INFINITY } else { scores[i] }).collect(),
        );
        let weights = self.put(
            "softmax",
            by_rows(&visible, n, |x| {
                let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let powers: Vec<f64> = x.iter().map(|x| (x - largest).exp()).collect();
                let total: f64 = powers.iter().sum();
                powers.iter().map(|power| power / total).collect()
            }),
        );
        let heard = self.put(
            "matmul",
            (0..b * h * n * e)
                .map(|i| {
                    let (head, query, column) = (i / (n * e), i / e % n, i % e);
                    (0..n)
                        .map(|key| weights[(head * n + query) * n + key] * v[(head * n + key) * e + column])
                        .sum()
                })
                .collect(),
        );
        // [b, h, n, e] → [b, n, h, e]
        self.put(
            "permute",
            (0..b * n * d)
                .map(|i| {
                    let (column, head, token, row) = (i % e, i / e % h, i / d % n, i / (d * n));
                    heard[((row * h + head) * n + token) * e + column]
                })
                .collect(),
        )
    }
}

/// ½x(1 + tanh(√(2/π)·(x + 0.044715·x³)))
fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// f of each row of `width` numbers.
fn by_rows(x: &[f64], width: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    x.chunks(width).flat_map(f).collect()
}

/// `[…, d_in] → […, d_out]`, entry j of a row being f(row of x, j).
fn rows(x: &[f64], d_in: usize, d_out: usize, f: impl Fn(&[f64], usize) -> f64) -> Vec<f64> {
    x.chunks(d_in).flat_map(|x| (0..d_out).map(|j| f(x, j)).collect::<Vec<_>>()).collect()
}
