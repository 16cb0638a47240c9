//! The linear layer as one op: a product and a bias, which the product's sums begin with.

use super::matmul::Product;
use crate::kernels::MatMul;
use crate::{At, Cotangents, Float, Op, Saved, Shape, Tensor, Var};

/// ```text
/// Y = X·W + b          X̄ = Ȳ·Wᵀ      W̄ = Xᵀ·Ȳ      b̄ = Σ_rows Ȳ
/// ```
/// Inputs: X `[…, m, d_in]`, W `[d_in, d_out]`, b `[d_out]`.
pub struct Linear;

impl<T: Float> Op<T> for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        let [x, w, b] = x[..] else { unreachable!("linear takes three inputs") };
        let fits = match (&x.shape()[..], &w.shape()[..], &b.shape()[..]) {
            ([_, .., k], [d_in, d_out], [biases]) => k == d_in && d_out == biases,
            _ => false,
        };
        let shapes = (x.shape(), w.shape(), b.shape());
        assert!(
            fits,
            "linear: {} × {} + {}: it takes […, m, d_in] × [d_in, d_out] + [d_out]",
            shapes.0, shapes.1, shapes.2
        );
        let (d_in, d_out) = (w.shape()[0], w.shape()[1]);
        let rows = &x.shape()[..x.shape().len() - 1];
        let plan = MatMul::new(rows.iter().product(), d_in, d_out);
        let shape: Shape = rows.iter().copied().chain([d_out]).collect();
        Tensor::build(shape, |y| T::matmul_bias(&plan, x.data(), w.data(), b.data(), y))
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let (x, w, dy) = (at.x[0], at.x[1], at.dy);
        Product::new(dy, false, w, true).add_to(0, x, dx); // X̄ = Ȳ·Wᵀ
        Product::new(x, true, dy, false).add_to(1, w, dx); // W̄ = Xᵀ·Ȳ
        dx.add(2, || dy.clone());
    }
    fn flops(&self, x: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        2 * (y.numel() * x[1].shape()[0]) as u64
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// x·W + b: `[…, m, d_in] × [d_in, d_out] + [d_out] → […, m, d_out]`; without b it is [`matmul`](Var::matmul).
    ///
    /// # Panics
    /// If the shapes are not those.
    #[track_caller]
    pub fn linear(self, weight: Self, bias: Option<Self>) -> Self {
        match bias {
            Some(bias) => self.tape().apply(Linear, &[self, weight, bias]),
            None => self.matmul(weight),
        }
    }

    /// [`linear`](Var::linear) as the textbook writes it, op by op.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn linear_textbook(self, weight: Self, bias: Option<Self>) -> Self {
        let y = self.matmul(weight);
        bias.map_or(y, |bias| y + bias)
    }
}
