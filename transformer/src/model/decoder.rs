//! The model as a writer: tokens in, the next one's logits out, with a cache of what earlier tokens offer.
//!
//! ```text
//! token at position i:   q, k, v = x·W_qkv      kᵢ, vᵢ are kept      y = Σⱼ≤ᵢ softmaxⱼ(q·kⱼ/√e)·vⱼ
//! ```
//!
//! Keys and values of earlier tokens do not change when a token is added, because no token sees a later one. So the
//! next token costs one row of each product instead of all. When several come at once, the last layer is asked for the
//! last one's answer only. The numbers are those of [`Gpt::logits`](super::Gpt::logits), which computes all rows of all
//! layers; a test compares them. There is no tape here: nothing will be walked back.

use super::{Activation, Attention, Gpt, Linear, Mlp, Norm, NormKind};
use autograd::buffer::Buffer;
use autograd::kernels::attention;
use autograd::kernels::rope::{turn, turns};
use autograd::kernels::simd::vectorize;
use autograd::kernels::{MatMul, norm, pointwise};
use autograd::ops::pointwise::{GeluErf, Pointwise, Relu, Silu};
use autograd::{Float, Tensor};

/// Writes several texts side by side, equally many tokens of each at a time.
pub struct Decoder<'m, T: Float> {
    model: &'m Gpt<Tensor<T>>,
    rows: usize,
    /// For each layer and each text the keys and values of its tokens, `[length, 2·h_kv·e]`.
    cache: Vec<Vec<Vec<T>>>,
    length: usize,
    /// What [`Decoder::attention`] shows of each layer, where it is wanted.
    attention: Option<Vec<Vec<T>>>,
}

impl<'m, T: Float> Decoder<'m, T> {
    /// For `rows` texts that have no token yet.
    pub fn new(model: &'m Gpt<Tensor<T>>, rows: usize) -> Self {
        let cache = vec![vec![Vec::new(); rows]; model.blocks.len()];
        Decoder { model, rows, cache, length: 0, attention: None }
    }

    /// How many tokens each text has so far.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Forgets all tokens.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// From the next push on keeps what [`attention`](Decoder::attention) shows. It changes no other number.
    pub fn watch(&mut self) {
        self.attention = Some(vec![Vec::new(); self.model.blocks.len()]);
    }

    /// In each layer, how much the last token of each text attends to each of its tokens, itself the last of them:
    /// `[rows, h, length]`, each row of length numbers with the sum 1. Of none, unless they are [watched](Decoder::watch).
    pub fn attention(&self) -> &[Vec<T>] {
        self.attention.as_deref().unwrap_or_default()
    }

    /// Appends n tokens to each text: `[rows, n]` tokens → `[rows, v]` logits of what comes after the last ones.
    ///
    /// # Panics
    /// If there are no tokens, not equally many for each text, or more than the context has room for.
    #[track_caller]
    pub fn push(&mut self, tokens: &[usize]) -> Vec<T> {
        let (model, config) = (self.model, &self.model.config);
        let (d, rows, at, n) = (config.n_embd, self.rows, self.length, tokens.len() / self.rows.max(1));
        assert!(n > 0 && tokens.len() == n * rows, "{} tokens for {rows} texts", tokens.len());
        assert!(at + n <= config.block_size, "the context of {} tokens is full", config.block_size);
        let mut x = Buffer::scratch(rows * n * d); // [rows, n, d]
        for (i, (x, &token)) in x.chunks_exact_mut(d).zip(tokens).enumerate() {
            x.copy_from_slice(row(model.wte.data(), d, token));
            if let Some(wpe) = &model.wpe {
                add(x, row(wpe.data(), d, at + i % n));
            }
        }
        for (layer, (block, cache)) in model.blocks.iter().zip(&mut self.cache).enumerate() {
            let mut qkv = linear(&block.attention.qkv, &normalised(&block.norm_1, &x));
            keep(&block.attention, &mut qkv, cache, at);
            if layer + 1 == model.blocks.len() {
                (x, qkv) = (last_of_each(&x, rows, n), last_of_each(&qkv, rows, n)); // no one hears the others now
            }
            if let Some(attention) = &mut self.attention {
                attention[layer] = weights_of_last(&block.attention, &qkv, cache, at + n);
            }
            let heard = attend(&block.attention, &qkv, cache, at + n);
            add(&mut x, &linear(&block.attention.projection, &heard));
            let hidden = think(&block.mlp, &normalised(&block.norm_2, &x));
            add(&mut x, &linear(&block.mlp.down, &hidden));
        }
        self.length += n;
        let x = normalised(&model.norm, &x); // [rows, d]
        let mut logits = vec![T::ZERO; rows * config.vocab_size];
        let plan = MatMul::new(rows, d, config.vocab_size).transpose_b(true);
        T::matmul(&plan, &x, model.head().data(), &mut logits);
        logits
    }
}

fn row<T>(matrix: &[T], width: usize, i: usize) -> &[T] {
    &matrix[i * width..][..width]
}

/// The last of the n vectors of each text: `[rows, n, …] → [rows, …]`.
fn last_of_each<T: Float>(x: &[T], rows: usize, n: usize) -> Buffer<T> {
    let width = x.len() / (rows * n);
    let mut last = Buffer::scratch(rows * width);
    for (last, x) in last.chunks_exact_mut(width).zip(x.chunks_exact(n * width)) {
        last.copy_from_slice(row(x, width, n - 1));
    }
    last
}

/// Keeps k and v of the new tokens `[rows, n, (h + 2·h_kv)·e]`, the first of which are at position `at`; with RoPE, after q
/// and k have been turned.
fn keep<T: Float>(attention: &Attention<Tensor<T>>, qkv: &mut [T], cache: &mut [Vec<T>], at: usize) {
    let &Attention { n_head: h, n_kv_head: h_kv, rope, .. } = attention;
    let width = attention.qkv.weight.shape()[1];
    let (n, e) = (qkv.len() / (cache.len() * width), width / (h + 2 * h_kv));
    if let Some(base) = rope {
        let turns = turns(at, n, e, base); // [n, e/2, 2]
        for (i, qkv) in qkv.chunks_exact_mut(width).enumerate() {
            turn(&mut qkv[..(h + h_kv) * e], row(turns.data(), e, i % n).as_chunks().0);
        }
    }
    for (qkv, cache) in qkv.chunks_exact(n * width).zip(cache) {
        cache.truncate(at * 2 * h_kv * e);
        qkv.chunks_exact(width).for_each(|qkv| cache.extend(&qkv[h * e..])); // keys, then values
    }
}

/// Lets the last m tokens of each text, of which `end` are kept, look at all up to themselves:
/// `[rows, m, (h + 2·h_kv)·e] → [rows, m, h·e]`.
fn attend<T: Float>(attention: &Attention<Tensor<T>>, qkv: &[T], cache: &[Vec<T>], end: usize) -> Buffer<T> {
    let &Attention { n_head: h, n_kv_head: h_kv, .. } = attention;
    let width = attention.qkv.weight.shape()[1];
    let (rows, e) = (cache.len(), width / (h + 2 * h_kv));
    let m = qkv.len() / (rows * width);
    let mut heard = Buffer::scratch(rows * m * h * e);
    if m == end {
        let kernel = attention::Attention::new(m, h, h_kv, e);
        kernel.forward(qkv, &mut heard, &mut vec![[T::ZERO; 2]; rows * h * m]);
        return heard;
    }
    let mut weights = vec![T::ZERO; end];
    for (i, (qkv, heard)) in qkv.chunks_exact(width).zip(heard.chunks_exact_mut(h * e)).enumerate() {
        let weights = &mut weights[..end - m + i % m + 1];
        for (head, heard) in heard.chunks_exact_mut(e).enumerate() {
            let shared = head / (h / h_kv) * e;
            weigh(row(qkv, e, head), &cache[i / m][shared..], 2 * h_kv * e, weights);
            let plan = MatMul { ldb: 2 * h_kv * e, ..MatMul::new(1, weights.len(), e) };
            T::matmul(&plan, weights, &cache[i / m][h_kv * e + shared..], heard);
        }
    }
    heard
}

/// softmaxⱼ(q·kⱼ/√e) over as many keys `[e]` as there are weights, which lie `apart` numbers from one another.
fn weigh<T: Float>(q: &[T], keys: &[T], apart: usize, weights: &mut [T]) {
    let plan = MatMul { ldb: apart, ..MatMul::new(1, q.len(), weights.len()).transpose_b(true) };
    T::matmul(&plan, q, keys, weights);
    let scale = T::ONE / T::from_f64(q.len() as f64).sqrt();
    let largest = weights.iter().fold(weights[0], |most, &x| if x > most { x } else { most });
    T::exp_affine(weights, scale, largest * scale);
    let total: T = weights.iter().copied().sum();
    weights.iter_mut().for_each(|weight| *weight = *weight / total);
}

/// softmaxⱼ(q·kⱼ/√e) of the last token of each text, over the `end` tokens that are kept: `[rows, h, end]`.
fn weights_of_last<T: Float>(
    attention: &Attention<Tensor<T>>,
    qkv: &[T],
    cache: &[Vec<T>],
    end: usize,
) -> Vec<T> {
    let &Attention { n_head: h, n_kv_head: h_kv, .. } = attention;
    let (rows, e) = (cache.len(), attention.qkv.weight.shape()[1] / (h + 2 * h_kv));
    let last = last_of_each(qkv, rows, qkv.len() / (rows * (h + 2 * h_kv) * e)); // [rows, (h + 2·h_kv)·e]
    let mut weights = vec![T::ZERO; rows * h * end];
    for (i, weights) in weights.chunks_exact_mut(end).enumerate() {
        let (text, head) = (i / h, i % h);
        let q = &row(&last, last.len() / rows, text)[head * e..][..e];
        weigh(q, &cache[text][head / (h / h_kv) * e..], 2 * h_kv * e, weights);
    }
    weights
}

/// The inside of the MLP: `[rows, d] → [rows, 4d]`.
fn think<T: Float>(mlp: &Mlp<Tensor<T>>, x: &[T]) -> Buffer<T> {
    let up = linear(&mlp.up, x);
    let mut y = Buffer::scratch(up.len());
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

/// x·W + b: `[rows, d_in] → [rows, d_out]`
fn linear<T: Float>(layer: &Linear<Tensor<T>>, x: &[T]) -> Buffer<T> {
    let [d_in, d_out] = layer.weight.shape()[..] else { unreachable!("a weight is a matrix") };
    let plan = MatMul::new(x.len() / d_in, d_in, d_out);
    let mut y = Buffer::scratch(plan.m * d_out);
    match &layer.bias {
        Some(bias) => T::matmul_bias(&plan, x, layer.weight.data(), bias.data(), &mut y),
        None => T::matmul(&plan, x, layer.weight.data(), &mut y),
    }
    y
}

fn normalised<T: Float>(layer: &Norm<Tensor<T>>, x: &[T]) -> Buffer<T> {
    let (weight, bias) = (layer.weight.data(), layer.bias.as_ref().map(|bias| bias.data()));
    let (mut y, rows, eps) = (Buffer::scratch(x.len()), x.len() / weight.len(), T::from_f64(layer.eps));
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
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// However a text is cut into pushes, the logits after each are those of the pass over the whole text.
    fn agrees_when_pushed(pushes: &[usize]) {
        let (rows, n, v) = (3, pushes.iter().sum(), 11);
        for config in every_design(16, n, v) {
            let model = Gpt::<Tensor<f64>>::init(&config, 3);
            let tokens: Vec<usize> = (0..rows * n).map(|i| i * 7 % v).collect();
            let tape = Tape::new();
            let whole = model.on(&tape).logits(&tokens, [rows, n], &Pass::evaluation()).value();
            let mut decoder = Decoder::new(&model, rows);
            for push in pushes {
                let new = decoder.length()..decoder.length() + push;
                let new: Vec<usize> = tokens.chunks(n).flat_map(|text| &text[new.clone()]).copied().collect();
                for (row, logits) in decoder.push(&new).chunks(v).enumerate() {
                    for (v, &logit) in logits.iter().enumerate() {
                        let expected = whole.at(&[row, decoder.length() - 1, v]);
                        assert!((logit - expected).abs() < 1e-12, "{:?}: {logit}, {expected}", config.design);
                    }
                }
            }
            assert_eq!(decoder.length(), n);
        }
    }

    #[test]
    fn token_by_token_the_logits_are_those_of_the_whole_pass() {
        agrees_when_pushed(&[1; 9]);
    }

    /// The textbook keeps the weights of all tokens of all heads, `[b, h, n, n]`: those of a token that has tokens after it
    /// are the ones shown when it was the last, and 0 for all that came later.
    #[test]
    fn the_attention_shown_is_the_textbooks_sums_to_one_is_causal_and_changes_no_logit() {
        for config in every_design(16, 12, 11) {
            let model = Gpt::<Tensor<f64>>::init(&config, 3);
            let tokens: Vec<usize> = (0..24).map(|i| i * 7 % 11).collect();
            let tape = Tape::new();
            model.on(&tape).logits(&tokens, [2, 12], &Pass::evaluation().textbook());
            let nodes = tape.nodes();
            let textbook: Vec<_> = nodes.iter().filter(|node| node.op_name() == "softmax").collect();
            let (mut plain, mut decoder) = (Decoder::new(&model, 2), Decoder::new(&model, 2));
            decoder.watch();
            for push in [0..5, 5..6, 6..11] {
                let new: Vec<usize> =
                    tokens.chunks(12).flat_map(|text| &text[push.clone()]).copied().collect();
                assert_eq!(decoder.push(&new), plain.push(&new), "watching changes no bit");
                assert_eq!(textbook.len(), decoder.attention().len());
                for (textbook, shown) in textbook.iter().zip(decoder.attention()) {
                    let heads = textbook.value.data().chunks(12 * 12).zip(shown.chunks(push.end));
                    assert_eq!(heads.len(), 2 * 4);
                    for (weights, shown) in heads {
                        let (before, after) = row(weights, 12, push.end - 1).split_at(push.end);
                        assert!((shown.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{shown:?}");
                        assert!(before.iter().zip(shown).all(|(a, b)| (a - b).abs() < 1e-12), "{shown:?}");
                        assert!(after.iter().all(|&weight| weight == 0.0), "{after:?}");
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 16,
            rng_seed: RngSeed::Fixed(5),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]
        #[test]
        fn however_a_text_is_cut_the_logits_are_those_of_the_whole_pass(pushes in vec(1..70_usize, 1..5)) {
            agrees_when_pushed(&pushes);
        }
    }
}
