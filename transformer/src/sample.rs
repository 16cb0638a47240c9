//! Sampling: from logits to the next token, over and over.
//!
//! ```text
//! p ∝ e^(logit/temperature)       then only the k likeliest tokens       then only the likeliest that hold p together
//! ```
//!
//! Fan et al. 2018 (top-k); Holtzman et al. 2020, "The curious case of neural text degeneration" (top-p).

use crate::model::{Decoder, Gpt};
use crate::random::unit;
use autograd::Tensor;
use rand_chacha::ChaCha8Rng;

/// How the next token is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Above 1 the rare tokens become likelier, below 1 rarer; 0 takes the likeliest token.
    pub temperature: f64,
    /// Only the k likeliest tokens.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together have at least this probability.
    pub top_p: f64,
    /// Only the first so many tokens: those that the tokenizer knows, where the model's vocabulary is padded.
    pub known: Option<usize>,
}

impl Default for Sampling {
    /// The model's own distribution.
    fn default() -> Self {
        Sampling { temperature: 1.0, top_k: None, top_p: 1.0, known: None }
    }
}

impl Sampling {
    /// Draws a token from logits `[v]`; of tokens that are equally likely the smaller id counts as likelier.
    pub fn choose(&self, logits: &[f32], random: &mut ChaCha8Rng) -> usize {
        let weights = self.weights(logits);
        if self.temperature == 0.0 {
            return weights[0].0;
        }
        let mut left = unit(random) * weights.iter().map(|(_, weight)| weight).sum::<f64>();
        for &(token, weight) in &weights {
            left -= weight;
            if left < 0.0 {
                return token;
            }
        }
        weights[weights.len() - 1].0
    }

    /// The tokens that can be drawn from logits `[v]`, the likeliest first, each with its probability.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<(usize, f64)> {
        let weights = self.weights(logits);
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        weights.into_iter().map(|(token, weight)| (token, weight / total)).collect()
    }

    /// The same, in proportion to the probabilities: the likeliest has weight 1.
    fn weights(&self, logits: &[f32]) -> Vec<(usize, f64)> {
        let mut order: Vec<usize> = (0..logits.len().min(self.known.unwrap_or(usize::MAX))).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        if self.temperature == 0.0 {
            return vec![(order[0], 1.0)];
        }
        order.truncate(self.top_k.unwrap_or(order.len()).max(1));
        let largest = f64::from(logits[order[0]]);
        let weight = |token: usize| ((f64::from(logits[token]) - largest) / self.temperature).exp();
        let mut weights: Vec<(usize, f64)> = order.into_iter().map(|token| (token, weight(token))).collect();
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let mut held = 0.0;
        let enough = weights.iter().position(|(_, weight)| {
            held += weight;
            held >= self.top_p * total
        });
        weights.truncate(enough.map_or(weights.len(), |last| last + 1));
        weights
    }
}

/// What a model sees of texts that grow: a [`Decoder`] on their last tokens.
///
/// ```text
/// tokens before this one are not seen:   stride·⌈(length − block_size) / stride⌉       0 while the text fits the context
/// ```
pub struct Window<'m> {
    decoder: Decoder<'m, f32>,
    context: usize,
    stride: usize,
    begin: usize,
}

impl<'m> Window<'m> {
    /// On so many texts side by side, always on their last `block_size` tokens, which is a stride of 1.
    pub fn new(model: &'m Gpt<Tensor<f32>>, rows: usize) -> Self {
        Window { decoder: Decoder::new(model, rows), context: model.config.block_size, stride: 1, begin: 0 }
    }

    /// Gives up so many tokens at once when the context is full. Where positions are counted from the window's first token,
    /// all of them move when it does, and nothing that was kept still holds: with a stride of 1 each token beyond the context
    /// costs a pass over the whole window, with one of s only each s-th. For that the model sees fewer tokens in between.
    ///
    /// # Panics
    /// If the stride is 0 or longer than the context.
    #[track_caller]
    #[must_use]
    pub fn with_stride(mut self, stride: usize) -> Self {
        assert!(
            (1..=self.context).contains(&stride),
            "a stride of {stride} in a context of {}",
            self.context
        );
        self.stride = stride;
        self
    }

    /// Keeps from now on what [`attention`](Window::attention) shows.
    pub fn watch(&mut self) {
        self.decoder.watch();
    }

    /// In each layer, how much the last token attends to those of the window: see [`Decoder::attention`].
    pub fn attention(&self) -> &[Vec<f32>] {
        self.decoder.attention()
    }

    /// The logits of what comes after texts of one length: `[rows, v]`. From call to call tokens are added to the texts.
    ///
    /// # Panics
    /// If the texts are empty or of different lengths, or have not grown since the last call.
    #[track_caller]
    pub fn logits(&mut self, texts: &[impl AsRef<[usize]>]) -> Vec<f32> {
        let length = texts[0].as_ref().len();
        let begin = length.saturating_sub(self.context).div_ceil(self.stride) * self.stride;
        if begin != self.begin {
            self.decoder.clear();
            self.begin = begin;
        }
        let new = begin + self.decoder.length()..length;
        let new: Vec<usize> = texts.iter().flat_map(|text| &text.as_ref()[new.clone()]).copied().collect();
        self.decoder.push(&new)
    }
}

/// Continues texts of one length side by side by `new` tokens each, and calls `token(text, id)` for each one that is
/// drawn. Beyond the context only the last `block_size` tokens are seen, as in training.
///
/// # Panics
/// If a text is empty, or the texts are of different lengths.
pub fn generate(
    model: &Gpt<Tensor<f32>>,
    texts: &mut [Vec<usize>],
    new: usize,
    sampling: &Sampling,
    random: &mut ChaCha8Rng,
    mut token: impl FnMut(usize, usize),
) {
    let Some(length) = texts.first().map(Vec::len) else { return };
    assert!(length > 0 && texts.iter().all(|text| text.len() == length), "texts begin with the same length");
    let v = model.config.vocab_size;
    let mut window = Window::new(model, texts.len());
    for _ in 0..new {
        let logits = window.logits(texts); // [rows, v]
        for (row, text) in texts.iter_mut().enumerate() {
            let id = sampling.choose(&logits[row * v..][..v], random);
            text.push(id);
            token(row, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Pass, every_design};
    use crate::random::{Purpose, generator};
    use autograd::Tape;

    const LOGITS: [f32; 4] = [1.0, 3.0, 2.0, -1.0];

    fn drawn(sampling: Sampling) -> [usize; 4] {
        let mut random = generator(7, Purpose::Sampling);
        let mut counts = [0; 4];
        (0..20_000).for_each(|_| counts[sampling.choose(&LOGITS, &mut random)] += 1);
        counts
    }

    #[test]
    fn tokens_are_drawn_as_often_as_their_probability_says() {
        for temperature in [0.5, 1.0, 2.0] {
            let powers = LOGITS.map(|x| (f64::from(x) / temperature).exp());
            let total: f64 = powers.iter().sum();
            let counts = drawn(Sampling { temperature, ..Sampling::default() });
            for (count, power) in counts.iter().zip(powers) {
                let p = power / total;
                let deviation = (20_000.0 * p * (1.0 - p)).sqrt();
                assert!(
                    (*count as f64 - 20_000.0 * p).abs() < 5.0 * deviation,
                    "{counts:?} at {temperature}"
                );
            }
        }
    }

    #[test]
    fn at_temperature_zero_the_likeliest_token_is_taken() {
        assert_eq!(drawn(Sampling { temperature: 0.0, ..Sampling::default() }), [0, 20_000, 0, 0]);
    }

    #[test]
    fn top_k_keeps_the_k_likeliest() {
        let counts = drawn(Sampling { top_k: Some(2), ..Sampling::default() });
        assert!(counts[1] > counts[2] && counts[2] > 0, "{counts:?}");
        assert_eq!((counts[0], counts[3]), (0, 0));
    }

    #[test]
    fn top_p_keeps_the_likeliest_that_hold_p_together() {
        // The probabilities are 0.66, 0.24, 0.09 and 0.01.
        assert_eq!(drawn(Sampling { top_p: 0.6, ..Sampling::default() }), [0, 20_000, 0, 0]);
        let counts = drawn(Sampling { top_p: 0.8, ..Sampling::default() });
        assert!(counts[1] > 0 && counts[2] > 0 && counts[0] == 0 && counts[3] == 0, "{counts:?}");
    }

    /// Weights 1, 2, 4 and 8 are 1, 4, 16 and 64 at temperature ½. Of the two largest, one alone holds 64/80 = 0.8: of all
    /// four it would be 64/85 = 0.75, and at temperature 1 it is 8/12 = 0.67.
    #[test]
    fn temperature_comes_first_then_k_then_p() {
        let logits = [1.0_f32, 2.0, 4.0, 8.0].map(f32::ln);
        let of = |top_k, top_p| {
            let sampling = Sampling { temperature: 0.5, top_k, top_p, known: None };
            sampling.probabilities(&logits)
        };
        let found = of(None, 1.0);
        assert_eq!(found.len(), 4);
        for ((token, p), (i, weight)) in found.iter().zip([(3, 64.0), (2, 16.0), (1, 4.0), (0, 1.0)]) {
            assert!(*token == i && (p - weight / 85.0).abs() < 1e-6, "64, 16, 4, 1 in proportion: {found:?}");
        }
        assert_eq!(of(Some(2), 0.79), [(3, 1.0)], "0.8 is enough for 0.79");
        assert_eq!(of(Some(2), 0.81).len(), 2, "0.8 is not enough for 0.81");
    }

    /// The logits after the last token of each text, as nanoGPT computes them: its last `window` tokens go through the
    /// whole model, `[rows, v]`.
    fn last_logits(model: &Gpt<Tensor<f32>>, texts: &[Vec<usize>], window: usize) -> Vec<f32> {
        let n = window.min(texts[0].len());
        let tokens: Vec<usize> = texts.iter().flat_map(|text| &text[text.len() - n..]).copied().collect();
        let tape = Tape::new();
        let logits = model.on(&tape).logits(&tokens, [texts.len(), n], &Pass::evaluation());
        logits.slice(1, n - 1..n).value().data().to_vec()
    }

    fn text(length: usize, step: usize) -> Vec<usize> {
        (0..length).map(|i| (3 + i * step) % 17).collect()
    }

    /// Prompts that leave room, that fill the context up to the last token or whole, and that are longer than it.
    #[test]
    fn with_the_cache_and_without_it_the_same_tokens_are_written_far_beyond_the_context() {
        let drawn = Sampling { top_k: Some(9), top_p: 0.95, ..Sampling::default() };
        let likeliest = Sampling { temperature: 0.0, ..drawn };
        for config in every_design(32, 24, 17) {
            let model = Gpt::<Tensor<f32>>::init(&config, 5);
            for (length, sampling) in [(3, drawn), (3, likeliest), (23, drawn), (24, drawn), (40, drawn)] {
                let start = vec![text(length, 5), text(length, 7)];
                let mut cached = start.clone();
                generate(&model, &mut cached, 60, &sampling, &mut generator(2, Purpose::Sampling), |_, _| {});

                let (mut plain, mut random) = (start, generator(2, Purpose::Sampling));
                for _ in 0..60 {
                    let logits = last_logits(&model, &plain, 24);
                    for (text, logits) in plain.iter_mut().zip(logits.chunks(17)) {
                        text.push(sampling.choose(logits, &mut random));
                    }
                }
                assert_eq!(cached, plain, "from {length} tokens, {:?}", config.design);
            }
        }
    }

    /// With a stride of 7 in a context of 24 the window is 24 tokens long, then 18, 19, … 24, and 18 again.
    #[test]
    fn with_a_stride_the_full_window_shrinks_by_it_and_the_logits_are_those_of_its_tokens_alone() {
        for config in every_design(32, 24, 17) {
            let model = Gpt::<Tensor<f32>>::init(&config, 5);
            for (stride, after) in [(1, 24), (7, 18), (24, 1)] {
                let mut texts = vec![text(3, 5), text(3, 7)];
                let mut window = Window::new(&model, 2).with_stride(stride);
                let mut seen = 3;
                for new in 0..60 {
                    let logits = window.logits(&texts);
                    let plain = last_logits(&model, &texts, seen);
                    for (a, b) in logits.iter().zip(&plain) {
                        let place = format!("token {new} at a stride of {stride}, {:?}", config.design);
                        assert!((a - b).abs() < 1e-4, "{a}, without the cache {b}: {place}");
                    }
                    texts.iter_mut().for_each(|text| text.push((5 * text[text.len() - 1] + new) % 17));
                    seen = if seen == 24 { after } else { seen + 1 };
                }
            }
        }
    }
}
