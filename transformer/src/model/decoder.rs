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

use super::{Gpt, LayerNorm, Linear};
use autograd::kernels::simd::vectorize;
use autograd::kernels::{MatMul, norm};
use autograd::{Float, Tensor};

/// Writes several texts side by side, a token of each at a time.
pub struct Decoder<'m, T: Float> {
    model: &'m Gpt<Tensor<T>>,
    rows: usize,
    /// For each layer the keys and values of all texts, `[rows, block_size, 2·d]`.
    cache: Vec<Vec<T>>,
    length: usize,
}

impl<'m, T: Float> Decoder<'m, T> {
    /// For `rows` texts that have no token yet.
    pub fn new(model: &'m Gpt<Tensor<T>>, rows: usize) -> Self {
        let size = rows * model.config.block_size * 2 * model.config.n_embd;
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
            let (meaning, position) = (&model.wte.data()[token * d..][..d], &model.wpe.data()[at * d..][..d]);
            x.iter_mut().zip(meaning).zip(position).for_each(|((x, &m), &p)| *x = m + p);
        }
        for (block, cache) in model.blocks.iter().zip(&mut self.cache) {
            let qkv = linear(&block.attention.qkv, &layer_norm(&block.norm_1, &x));
            let heard = attend(&qkv, cache, at, config.block_size, d, config.n_head);
            add(&mut x, &linear(&block.attention.projection, &heard));
            let hidden = linear(&block.mlp.up, &layer_norm(&block.norm_2, &x));
            let mut active = vec![T::ZERO; hidden.len()];
            T::gelu_slice(&hidden, &mut active);
            add(&mut x, &linear(&block.mlp.down, &active));
        }
        self.length += 1;
        let x = layer_norm(&model.norm, &x);
        let mut logits = vec![T::ZERO; self.rows * config.vocab_size];
        let plan = MatMul::new(self.rows, d, config.vocab_size).transpose_b(true);
        T::matmul(&plan, &x, model.wte.data(), &mut logits);
        logits
    }
}

/// Keeps k and v of the new token of each text and lets its q look at all that are kept: `[rows, 3d] → [rows, d]`.
fn attend<T: Float>(
    qkv: &[T],
    cache: &mut [T],
    at: usize,
    context: usize,
    d: usize,
    n_head: usize,
) -> Vec<T> {
    let e = d / n_head;
    let scale = T::ONE / T::from_f64(e as f64).sqrt();
    let mut heard = vec![T::ZERO; qkv.len() / 3];
    let mut weights = vec![T::ZERO; at + 1];
    let texts = qkv.chunks_exact(3 * d).zip(cache.chunks_exact_mut(context * 2 * d));
    for ((qkv, cache), heard) in texts.zip(heard.chunks_exact_mut(d)) {
        cache[at * 2 * d..][..2 * d].copy_from_slice(&qkv[d..]);
        for head in 0..n_head {
            let columns = head * e..(head + 1) * e;
            let q = &qkv[columns.clone()];
            for (weight, kv) in weights.iter_mut().zip(cache.chunks_exact(2 * d)) {
                *weight = dot(q, &kv[columns.clone()]);
            }
            let largest = weights.iter().fold(weights[0], |most, &x| if x > most { x } else { most });
            T::exp_affine(&mut weights, scale, largest * scale);
            let total: T = weights.iter().copied().sum();
            for (&weight, kv) in weights.iter().zip(cache.chunks_exact(2 * d)) {
                let share = weight / total;
                let v = &kv[d..][columns.clone()];
                heard[columns.clone()].iter_mut().zip(v).for_each(|(y, &v)| *y += share * v);
            }
        }
    }
    heard
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

fn layer_norm<T: Float>(layer: &LayerNorm<Tensor<T>>, x: &[T]) -> Vec<T> {
    let (weight, bias) = (layer.weight.data(), layer.bias.as_ref().map(|bias| bias.data()));
    let (mut y, mut statistics) = (vec![T::ZERO; x.len()], vec![[T::ZERO; 2]; x.len() / weight.len()]);
    norm::layer_norm(x, weight, bias, T::from_f64(LayerNorm::EPS), &mut y, &mut statistics);
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
    use super::super::{ModelConfig, Pass};
    use super::*;
    use autograd::Tape;

    #[test]
    fn token_by_token_the_logits_are_those_of_the_whole_pass() {
        for (bias, n_head) in [(true, 2), (false, 4)] {
            let config = ModelConfig {
                n_layer: 2,
                n_head,
                n_embd: 16,
                block_size: 9,
                vocab_size: 11,
                bias,
                ..ModelConfig::default()
            };
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
                        approx::assert_relative_eq!(logit, whole.at(&[row, i, v]), epsilon = 1e-12);
                    }
                }
            }
            assert_eq!(decoder.length(), n);
        }
    }
}
