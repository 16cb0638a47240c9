//! Causal multi-head attention as one op, and as the textbook composition of primitives.

use crate::kernels::attention::Attention;
use crate::kernels::dropout::Dropout;
use crate::{At, Cotangents, Float, Op, Saved, Tensor, Var};

/// ```text
/// S = Q·Kᵀ    P = softmax(S/√e + mask),  mask = −∞ where the key comes after the query    Y = P·V
/// V̄ = Pᵀ·Ȳ    P̄ = Ȳ·Vᵀ    S̄ = P ⊙ (P̄ − a)/√e,  aᵢ = Σⱼ Ȳᵢⱼ·Yᵢⱼ    Q̄ = S̄·K    K̄ = S̄ᵀ·Q
/// ```
/// for every head, on Q, K and V side by side: `[b, n, (h + 2·h_kv)·e] → [b, n, h·e]`. P is never stored: the
/// largest score of each row and its sum of powers are, from which P comes again on the way back. With dropout, whose mask is
/// M, Y = (P ⊙ M)·V, so that P ⊙ M is in the place of P in V̄, and P̄ = (Ȳ·Vᵀ) ⊙ M; all else is as it stands. Inside
/// [`Tape::with_bf16`](crate::Tape::with_bf16) the operands of all products are rounded. Vaswani et al. 2017; Dao et al. 2022.
pub struct CausalAttention {
    n_head: usize,
    n_head_kv: usize,
    bf16: bool,
    dropout: Option<Dropout>,
}

impl CausalAttention {
    #[track_caller]
    fn sizes<T: Float>(&self, qkv: &Tensor<T>) -> (usize, Attention) {
        let &CausalAttention { n_head: h, n_head_kv: h_kv, bf16, dropout } = self;
        let [b, n, width] = qkv.shape()[..] else {
            panic!("causal_attention: {} is not [b, n, (h + 2·h_kv)·e]", qkv.shape())
        };
        assert!(
            h > 0 && h_kv > 0 && h.is_multiple_of(h_kv),
            "causal_attention: {h} query heads cannot share {h_kv} key heads evenly"
        );
        assert!(
            width > 0 && width.is_multiple_of(h + 2 * h_kv),
            "causal_attention: {}: {width} numbers do not hold {h} queries, {h_kv} keys and {h_kv} values of one width",
            qkv.shape()
        );
        (b, Attention { n, h, h_kv, d: width / (h + 2 * h_kv), bf16, dropout })
    }
}

impl<T: Float> Op<T> for CausalAttention {
    fn name(&self) -> &'static str {
        if self.bf16 { "causal_attention_bf16" } else { "causal_attention" }
    }
    fn details(&self) -> String {
        let shared = match self.n_head == self.n_head_kv {
            true => String::new(),
            false => format!(", {} of keys and values", self.n_head_kv),
        };
        let dropped = match self.dropout {
            None => String::new(),
            Some(Dropout { p, seed, before: 0 }) => format!(", dropout p = {p}, seed {seed}"),
            Some(Dropout { p, seed, before }) => {
                format!(", dropout p = {p}, seed {seed} after {before} entries")
            }
        };
        format!("{} heads{shared}{dropped}", self.n_head)
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        let (b, kernel) = self.sizes(x[0]);
        let Attention { n, h, d, .. } = kernel;
        let mut statistics = Tensor::zeros([b, h, n, 2]); // m and Z of each row
        let y = Tensor::build([b, n, h * d], |y| {
            kernel.forward(x[0].data(), y, statistics.data_mut().as_chunks_mut().0);
        });
        saved.push(statistics);
        y
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let (_, kernel) = self.sizes(at.x[0]);
        let (x, y, dy) = (at.x[0].data(), at.y.data(), at.dy.data());
        let statistics = at.saved[0].data().as_chunks().0;
        dx.add(0, || Tensor::build(at.x[0].shape(), |dx| kernel.vjp(x, y, statistics, dy, dx)));
    }
    fn flops(&self, x: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        let n = x[0].shape()[1];
        2 * (y.numel() * (n + 1)) as u64 // two products with (n + 1)/2 keys a query, on average
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// softmax(Q·Kᵀ/√e)·V for each of `n_head` heads, each query seeing the keys up to its own position. Q, K and V
    /// lie side by side: `[b, n, (h + 2·h_kv)·e] → [b, n, h·e]`; each of the h_kv key and value heads serves
    /// h/h_kv query heads (Ainslie et al. 2023; h_kv = h is the ordinary attention).
    ///
    /// # Panics
    /// If the shape is not that with h, h_kv and e at least 1, or h_kv does not divide h.
    #[track_caller]
    pub fn causal_attention(self, n_head: usize, n_head_kv: usize) -> Self {
        self.causal_attention_with(n_head, n_head_kv, None)
    }

    /// The same with dropout of the weights: `softmax(…)` is multiplied by a mask as [`dropout`](Var::dropout) would, on the
    /// weights of all heads side by side, `[b, h, n, n]`.
    ///
    /// # Panics
    /// As `causal_attention`, and if dropout's p is not a probability.
    #[track_caller]
    pub fn causal_attention_with(self, n_head: usize, n_head_kv: usize, dropout: Option<Dropout>) -> Self {
        let p = dropout.map_or(0.0, |dropout| dropout.p);
        assert!((0.0..=1.0).contains(&p), "causal_attention: dropout of {p}, which is not a probability");
        let bf16 = self.tape().is_bf16();
        self.tape().apply(CausalAttention { n_head, n_head_kv, bf16, dropout }, &[self])
    }

    /// [`causal_attention_with`](Var::causal_attention_with) as the textbook writes it, op by op.
    ///
    /// # Panics
    /// As `causal_attention_with`.
    #[track_caller]
    pub fn causal_attention_textbook(
        self,
        n_head: usize,
        n_head_kv: usize,
        dropout: Option<Dropout>,
    ) -> Self {
        let bf16 = self.tape().is_bf16();
        let (b, kernel) = CausalAttention { n_head, n_head_kv, bf16, dropout }.sizes(&self.value());
        let Attention { n, h, h_kv, d: e, .. } = kernel;
        let heads = |from: usize, number: usize| {
            let part = self.slice(-1, from * e..(from + number) * e);
            part.reshape([b, n, h_kv, number / h_kv, e]).permute(&[0, 2, 3, 1, 4]) // [b, h_kv, shared, n, e]
        };
        let (q, k, v) = (heads(0, h), heads(h, h_kv), heads(h + h_kv, h_kv));

        let scores = q.matmul_tb(k).scale(1.0 / (e as f64).sqrt()); // [b, h_kv, shared, n, n]
        let future = Tensor::from_fn([n, n], |i| if i % n > i / n { T::ONE } else { T::ZERO });
        let weights = scores.masked_fill(&future, f64::NEG_INFINITY).softmax(-1);
        let weights =
            dropout.map_or(weights, |Dropout { p, seed, before }| weights.dropout_after(before, p, seed));
        let y = weights.matmul(v); // [b, h_kv, shared, n, e]
        y.permute(&[0, 3, 1, 2, 4]).reshape([b, n, h * e])
    }
}
