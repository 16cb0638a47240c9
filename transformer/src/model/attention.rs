//! Self-attention: the only place where tokens interact, and they do it by dot products.
//!
//! ```text
//! q = x·W_q,  k = x·W_k,  v = x·W_v                              each token asks, offers, says
//! A = softmax(q·kᵀ/√e)       over the tokens up to its own       who listens to whom; e numbers a head
//! y = A·v                    for each of h heads
//! out = [y₁ … y_h]·W_o                                           their answers, brought together
//! ```
//!
//! Nothing about language is built in: which products are large is learned. Several heads do this side by
//! side on slices of the width. Vaswani et al. 2017, "Attention Is All You Need", §3.2.

use super::{Linear, Pass};
use autograd::{Float, Tensor, Var};

/// Causal multi-head self-attention.
pub struct Attention<P> {
    /// W_q, W_k, W_v side by side: `[d, 3d]`; narrower where queries share keys and values: `[d, (h + 2·h_kv)·e]`
    pub qkv: Linear<P>,
    /// The heads' answers, brought together: `[d, d]`
    pub projection: Linear<P>,
    /// How many heads of queries, h.
    pub n_head: usize,
    /// How many heads of keys and values, h_kv; each serves h/h_kv queries (Ainslie et al. 2023).
    pub n_kv_head: usize,
    /// RoPE's base, where queries and keys are turned by their positions (Su et al. 2021).
    pub rope: Option<f64>,
}

impl<'t, T: Float> Attention<Var<'t, T>> {
    /// `[b, n, d] → [b, n, d]`
    pub fn forward(&self, x: Var<'t, T>, pass: &Pass) -> Var<'t, T> {
        let _scope = x.tape().scope("attention");
        let qkv = self.turned(self.qkv.forward(x, pass).axes("b n 3d"), pass);
        let (h, h_kv, n) = (self.n_head, self.n_kv_head, qkv.shape()[1]);
        let y = match pass.textbook {
            true => attention(qkv, h, h_kv, pass).axes("b n d"),
            false => qkv.causal_attention_with(h, h_kv, pass.draw(h * n * n)).axes("b n d"),
        };
        pass.dropout(self.projection.forward(y, pass).axes("b n d"))
    }

    /// Queries and keys turned by their positions, if this model tells positions in that way.
    fn turned(&self, qkv: Var<'t, T>, pass: &Pass) -> Var<'t, T> {
        let Some(base) = self.rope else { return qkv };
        let (heads, e) = (self.n_head + self.n_kv_head, qkv.shape()[2] / (self.n_head + 2 * self.n_kv_head));
        match pass.textbook {
            true => qkv.rope_textbook(heads, e, base).axes("b n 3d"),
            false => qkv.rope(heads, e, base).axes("b n 3d"),
        }
    }
}

/// softmax(q·kᵀ/√e)·v for every head of e numbers, as the textbook writes it; with dropout on the weights.
fn attention<'t, T: Float>(qkv: Var<'t, T>, n_head: usize, n_kv_head: usize, pass: &Pass) -> Var<'t, T> {
    let [b, n, width] = qkv.shape()[..] else { panic!("attention takes [b, n, 3d], not {}", qkv.shape()) };
    let e = width / (n_head + 2 * n_kv_head);
    let heads = |from: usize, number: usize| {
        let [flat, split, by_head] = match number == n_head {
            true => ["b n d", "b n h e", "b h n e"],
            false => ["b n ke", "b n k e", "b k n e"],
        };
        let part = qkv.slice(-1, from * e..(from + number) * e).axes(flat);
        let part = part.reshape([b, n, number, e]).axes(split);
        let part = part.permute(&[0, 2, 1, 3]).axes(by_head);
        if number == n_head { part } else { repeat(part, n_head / number).axes("b h n e") }
    };
    let (q, k, v) = (heads(0, n_head), heads(n_head, n_kv_head), heads(n_head + n_kv_head, n_kv_head));

    let scores = q.matmul_tb(k).axes("b h n m").scale(1.0 / (e as f64).sqrt()).axes("b h n m");
    let visible = scores.masked_fill(&future(n), f64::NEG_INFINITY).axes("b h n m");
    let weights = pass.dropout(visible.softmax(-1).axes("b h n m"));
    let y = weights.matmul(v).axes("b h n e");

    y.permute(&[0, 2, 1, 3]).axes("b n h e").reshape([b, n, n_head * e])
}

/// Each head `times` times in a row, for the queries that share it: `[b, h_kv, n, e] → [b, h, n, e]`
fn repeat<T: Float>(heads: Var<'_, T>, times: usize) -> Var<'_, T> {
    let [b, h_kv, n, e] = heads.shape()[..] else { unreachable!("heads have four axes") };
    heads.unsqueeze(2).broadcast_to([b, h_kv, times, n, e]).reshape([b, h_kv * times, n, e])
}

/// 1 where the key comes after the query, which must not look there: the upper triangle. `[n, n]`
fn future<T: Float>(n: usize) -> Tensor<T> {
    Tensor::from_fn([n, n], |i| if i % n > i / n { T::ONE } else { T::ZERO })
}

impl<P> Attention<P> {
    /// The same layer with `f(name, parameter)` in the place of each parameter.
    pub fn map<'a, Q>(&'a self, name: &str, f: &mut impl FnMut(&str, &'a P) -> Q) -> Attention<Q> {
        Attention {
            qkv: self.qkv.map(&format!("{name}.c_attn"), f),
            projection: self.projection.map(&format!("{name}.c_proj"), f),
            n_head: self.n_head,
            n_kv_head: self.n_kv_head,
            rope: self.rope,
        }
    }

    /// Every parameter, to be changed, in the order of [`map`](Attention::map).
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.qkv.parameters_mut().chain(self.projection.parameters_mut())
    }
}
