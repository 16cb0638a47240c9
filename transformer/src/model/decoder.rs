//! The model as a writer: one token in, the next one's logits out, with a cache of what earlier tokens offer.
//!
//! ```text
//! token at position i:   q, k, v = x·W_qkv      kᵢ, vᵢ are kept      y = Σⱼ≤ᵢ softmaxⱼ(q·kⱼ/√e)·vⱼ
//! ```
//!
//! Keys and values of earlier tokens do not change when a token is added, because no token sees a later one. So the
//! next token costs one row of each product instead of all. The numbers are those of
//! [`Gpt::logits`](super::Gpt::logits), which computes all rows at once; a test compares them. There is no tape here:
//! nothing will be walked back.

use super::{Activation, Attention, Gpt, Linear, Mlp, Norm, NormKind};
use autograd::kernels::rope::{turn, turns};
use autograd::kernels::simd::vectorize;
use autograd::kernels::{MatMul, norm, pointwise};
use autograd::ops::pointwise::{GeluErf, Pointwise, Relu, Silu};
use autograd::{Float, Tensor};

/// Writes several texts side by side, a token of each at a time.
pub struct Decoder<'m, T: Float> {
    model: &'m Gpt<Tensor<T>>,
    rows: usize,
    /// For each layer the keys and values of all texts, `[rows, block_size, 2·h_kv·e]`.
    cache: Vec<Vec<T>>,
    length: usize,
}

impl<'m, T: Float> Decoder<'m, T> {
    /// For `rows` texts that have no token yet.
    pub fn new(model: &'m Gpt<Tensor<T>>, rows: usize) -> Self {
        let config = &model.config;
        let size = rows * config.block_size * 2 * config.n_kv_head() * config.head_size();
        let cache = model.blocks.iter().map(|_| vec![T::ZERO; size]).collect();
        Decoder { model, rows, cache, length: 0 }
    }

    /// The tokens of each text so far.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Forgets all tokens.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Appends a token to each text: `[rows]` tokens → `[rows, v]` logits of the ones after them.
    ///
    /// # Panics
    /// If the context is full, or there are more or fewer tokens than texts.
    #[track_caller]
    pub fn push(&mut self, tokens: &[usize]) -> Vec<T> {
        let (model, config) = (self.model, &self.model.config);
        assert_eq!(tokens.len(), self.rows, "a token for each of the texts");
        assert!(self.length < config.block_size, "the context of {} tokens is full", config.block_size);
        let (d, at) = (config.n_embd, self.length);
        let mut x = vec![T::ZERO; self.rows * d]; // [rows, d]
        for (x, &token) in x.chunks_exact_mut(d).zip(tokens) {
            x.copy_from_slice(&model.wte.data()[token * d..][..d]);
            if let Some(wpe) = &model.wpe {
                add(x, &wpe.data()[at * d..][..d]);
            }
        }
        for (block, cache) in model.blocks.iter().zip(&mut self.cache) {
            let mut qkv = linear(&block.attention.qkv, &normalised(&block.norm_1, &x));
            let heard = attend(&block.attention, &mut qkv, cache, at, self.rows);
            add(&mut x, &linear(&block.attention.projection, &heard));
            let hidden = think(&block.mlp, &normalised(&block.norm_2, &x));
            add(&mut x, &linear(&block.mlp.down, &hidden));
        }
        self.length += 1;
        let x = normalised(&model.norm, &x);
        let mut logits = vec![T::ZERO; self.rows * config.vocab_size];
        let plan = MatMul::new(self.rows, d, config.vocab_size).transpose_b(true);
        T::matmul(&plan, &x, model.head().data(), &mut logits);
        logits
    }
}

/// Keeps k and v of the new token of each text, which is at position `at`, and lets its q look at all that are kept:
/// `[rows, (h + 2·h_kv)·e] → [rows, h·e]`.
fn attend<T: Float>(
    attention: &Attention<Tensor<T>>,
    qkv: &mut [T],
    cache: &mut [T],
    at: usize,
    rows: usize,
) -> Vec<T> {
    let &Attention { n_head: h, n_kv_head: h_kv, rope, .. } = attention;
    let width = qkv.len() / rows;
    let e = width / (h + 2 * h_kv);
    if let Some(base) = rope {
        let turns = turns(at, 1, e, base);
        qkv.chunks_exact_mut(width)
            .for_each(|row| turn(&mut row[..(h + h_kv) * e], turns.data().as_chunks().0));
    }
    let scale = T::ONE / T::from_f64(e as f64).sqrt();
    let mut heard = vec![T::ZERO; rows * h * e];
    let mut weights = vec![T::ZERO; at + 1];
    let texts = qkv.chunks_exact(width).zip(cache.chunks_exact_mut(cache.len() / rows));
    for ((qkv, cache), heard) in texts.zip(heard.chunks_exact_mut(h * e)) {
        let kept = 2 * h_kv * e; // of each token: its keys, then its values
        cache[at * kept..][..kept].copy_from_slice(&qkv[h * e..]);
        for head in 0..h {
            let columns = head * e..(head + 1) * e;
            let shared = head / (h / h_kv) * e;
            let q = &qkv[columns.clone()];
            for (weight, kv) in weights.iter_mut().zip(cache.chunks_exact(kept)) {
                *weight = dot(q, &kv[shared..][..e]);
            }
            let largest = weights.iter().fold(weights[0], |most, &x| if x > most { x } else { most });
            T::exp_affine(&mut weights, scale, largest * scale);
            let total: T = weights.iter().copied().sum();
            for (&weight, kv) in weights.iter().zip(cache.chunks_exact(kept)) {
                let share = weight / total;
                let v = &kv[h_kv * e + shared..][..e];
                heard[columns.clone()].iter_mut().zip(v).for_each(|(y, &v)| *y += share * v);
            }
        }
    }
    heard
}

/// The inside of the MLP: `[rows, d] → [rows, 4d]`.
fn think<T: Float>(mlp: &Mlp<Tensor<T>>, x: &[T]) -> Vec<T> {
    let up = linear(&mlp.up, x);
    let mut y = vec![T::ZERO; up.len()];
    match (mlp.activation, &mlp.gate) {
        (Activation::Gelu, _) => T::gelu_slice(&up, &mut y),
        (Activation::GeluErf, _) => GeluErf.f_slice(&up, &mut y),
        (Activation::Relu, _) => Relu.f_slice(&up, &mut y),
        (Activation::Swiglu, gate) => {
            let gate = linear(gate.as_ref().expect("swiglu has a gate"), x);
            pointwise::zip(&gate, &up, &mut y, |gate, up| Silu.f(gate) * up);
        }
    }
    y
}

fn dot<T: Float>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}

/// x·W + b: `[rows, d_in] → [rows, d_out]`
fn linear<T: Float>(layer: &Linear<Tensor<T>>, x: &[T]) -> Vec<T> {
    let [d_in, d_out] = layer.weight.shape()[..] else { unreachable!("a weight is a matrix") };
    let plan = MatMul::new(x.len() / d_in, d_in, d_out);
    let mut y = vec![T::ZERO; plan.m * d_out];
    match &layer.bias {
        Some(bias) => T::matmul_bias(&plan, x, layer.weight.data(), bias.data(), &mut y),
        None => T::matmul(&plan, x, layer.weight.data(), &mut y),
    }
    y
}

fn normalised<T: Float>(layer: &Norm<Tensor<T>>, x: &[T]) -> Vec<T> {
    let (weight, bias) = (layer.weight.data(), layer.bias.as_ref().map(|bias| bias.data()));
    let (mut y, rows, eps) = (vec![T::ZERO; x.len()], x.len() / weight.len(), T::from_f64(layer.eps));
    match layer.kind {
        NormKind::Layer => norm::layer_norm(x, weight, bias, eps, &mut y, &mut vec![[T::ZERO; 2]; rows]),
        NormKind::Rms => norm::rms_norm(x, weight, eps, &mut y, &mut vec![T::ZERO; rows]),
    }
    y
}

fn add<T: Float>(x: &mut [T], y: &[T]) {
    vectorize(
        #[inline(always)]
        || x.iter_mut().zip(y).for_each(|(x, &y)| *x += y),
    );
}

#[cfg(test)]
mod tests {
    use super::super::{Pass, every_design};
    use super::*;
    use autograd::Tape;

    #[test]
    fn token_by_token_the_logits_are_those_of_the_whole_pass() {
        for config in every_design(16, 9, 11) {
            let model = Gpt::<Tensor<f64>>::init(&config, 3);
            let (rows, n) = (3, 9);
            let tokens: Vec<usize> = (0..rows * n).map(|i| i * 7 % 11).collect();
            let tape = Tape::new();
            let whole = model.on(&tape).logits(&tokens, [rows, n], &Pass::evaluation()).value();
            let mut decoder = Decoder::new(&model, rows);
            for i in 0..n {
                let column: Vec<usize> = (0..rows).map(|row| tokens[row * n + i]).collect();
                for (row, logits) in decoder.push(&column).chunks(11).enumerate() {
                    for (v, &logit) in logits.iter().enumerate() {
                        let expected = whole.at(&[row, i, v]);
                        assert!((logit - expected).abs() < 1e-12, "{:?}: {logit}, {expected}", config.design);
                    }
                }
            }
            assert_eq!(decoder.length(), n);
        }
    }
}
