//! Rotary position embedding (RoPE), as one op and as the textbook composition of primitives.
//!
//! The dot product of a query turned to position m and a key turned to position n depends on n − m only: what two tokens
//! are to each other depends on their distance, not on where they stand. Su et al. 2021.

use crate::kernels::rope::{turn, turn_back, turns};
use crate::kernels::threads::for_each_chunk;
use crate::{At, Cotangents, Float, Op, Saved, Tensor, Var};

/// ```text
/// y₁ = x₁·cos θ − x₂·sin θ      y₂ = x₂·cos θ + x₁·sin θ          θ = position·base^(−2i/e)
/// x̄₁ = ȳ₁·cos θ + ȳ₂·sin θ      x̄₂ = ȳ₂·cos θ − ȳ₁·sin θ          the same turn back
/// ```
/// for the pairs (x₁, x₂) = (`x[i]`, `x[i + e/2]`) of the first `heads` heads of e numbers in x `[b, n, width]`; what lies
/// behind them in a row passes as it is.
pub struct Rope {
    heads: usize,
    e: usize,
    base: f64,
}

impl Rope {
    #[track_caller]
    fn sizes<T: Float>(&self, x: &Tensor<T>) -> [usize; 2] {
        let &Rope { heads, e, .. } = self;
        let [_, n, width] = x.shape()[..] else { panic!("rope: {} is not [b, n, width]", x.shape()) };
        assert!(e > 0 && e.is_multiple_of(2), "rope: it turns pairs of numbers, but a head has {e}");
        assert!(heads * e <= width, "rope: {heads} heads of {e} numbers do not fit into {}", x.shape());
        [n, width]
    }

    /// x with each head of each row changed by `f`.
    fn rows<T: Float>(&self, x: &Tensor<T>, turns: &Tensor<T>, f: fn(&mut [T], &[[T; 2]])) -> Tensor<T> {
        let ([n, width], turns) = (self.sizes(x), turns.data().as_chunks().0);
        Tensor::build(x.shape(), |y| {
            for_each_chunk(y, (n * width).max(1), |item, y| {
                y.copy_from_slice(&x.data()[item * n * width..][..n * width]);
                for (position, row) in y.chunks_exact_mut(width.max(1)).enumerate() {
                    let turns = &turns[position * self.e / 2..][..self.e / 2];
                    f(&mut row[..self.heads * self.e], turns);
                }
            });
        })
    }
}

impl<T: Float> Op<T> for Rope {
    fn name(&self) -> &'static str {
        "rope"
    }
    fn details(&self) -> String {
        format!("{} heads of {}, base {}", self.heads, self.e, self.base)
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        let [n, _] = self.sizes(x[0]);
        saved.push(turns(0, n, self.e, self.base));
        self.rows(x[0], &saved[0], turn)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || self.rows(at.dy, &at.saved[0], turn_back));
    }
    fn flops(&self, x: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        let rows = x[0].shape()[0] * x[0].shape()[1];
        3 * (rows * self.heads * self.e) as u64
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Turns the pairs of the first `heads` heads of `e` numbers by the angle position·base^(−2i/e):
    /// `[b, n, width] → [b, n, width]`. Of queries, keys and values side by side, those are the queries and keys.
    ///
    /// # Panics
    /// If x does not have three axes, e is 0 or odd, or the heads are wider than x.
    #[track_caller]
    pub fn rope(self, heads: usize, e: usize, base: f64) -> Self {
        self.tape().apply(Rope { heads, e, base }, &[self])
    }

    /// [`rope`](Var::rope) as the textbook writes it, op by op; the tape shows the lines below.
    ///
    /// # Panics
    /// As `rope`.
    pub fn rope_textbook(self, heads: usize, e: usize, base: f64) -> Self {
        let [b, n, width] = self.shape()[..] else { panic!("{} is not [b, n, width]", self.shape()) };
        let angle = |i: usize| (i / (e / 2)) as f64 * base.powf(-2.0 * (i % (e / 2)) as f64 / e as f64);
        let table = |f: fn(f64) -> f64| Tensor::from_fn([n, 1, e / 2], |i| T::from_f64(f(angle(i))));
        let (cos, sin) = (self.tape().constant(table(f64::cos)), self.tape().constant(table(f64::sin)));

        let x = self.slice(-1, 0..heads * e).reshape([b, n, heads, e]);
        let (x1, x2) = (x.slice(-1, 0..e / 2), x.slice(-1, e / 2..e)); // [b, n, heads, e/2]
        let turned = Var::concat(&[x1 * cos - x2 * sin, x2 * cos + x1 * sin], -1);
        Var::concat(&[turned.reshape([b, n, heads * e]), self.slice(-1, heads * e..width)], -1)
    }
}
