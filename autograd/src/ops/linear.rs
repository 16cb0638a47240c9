//! The linear layer as one op, a product and a bias which the product's sums begin with; and the same with a gelu.

use super::matmul::Product;
use crate::kernels::{MatMul, rows};
use crate::{At, Cotangents, Float, Op, Saved, Shape, Tensor, Var};

/// ```text
/// Y = X·W + b          X̄ = Ȳ·Wᵀ      W̄ = Xᵀ·Ȳ      b̄ = Σ_rows Ȳ
/// ```
/// Inputs: X `[…, m, d_in]`, W `[d_in, d_out]`, b `[d_out]`.
pub struct Linear {
    /// The operands of all three products are rounded to bfloat16 first.
    pub bf16: bool,
}

impl<T: Float> Op<T> for Linear {
    fn name(&self) -> &'static str {
        if self.bf16 { "linear_bf16" } else { "linear" }
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        let (plan, shape) = plan("linear", x, self.bf16);
        let [x, w, b] = [0, 1, 2].map(|i| x[i].data());
        Tensor::build(shape, |y| T::matmul_bias(&plan, x, w, b, y))
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let (x, w, dy) = (at.x[0], at.x[1], at.dy);
        Product::new(dy, false, w, true).bf16(self.bf16).add_to(0, x, dx); // X̄ = Ȳ·Wᵀ
        Product::new(x, true, dy, false).bf16(self.bf16).add_to(1, w, dx); // W̄ = Xᵀ·Ȳ
        dx.add(2, || dy.clone());
    }
    fn flops(&self, x: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        2 * (y.numel() * x[1].shape()[0]) as u64
    }
}

/// ```text
/// U = X·W + b,  Y = gelu(U)      Ū = Ȳ·gelu′(U)      X̄ = Ū·Wᵀ      W̄ = Xᵀ·Ū      b̄ = Σ_rows Ū
/// ```
/// Inputs as [`Linear`]'s. Kept for the way back is gelu′(U), which costs little beside gelu(U), and not U.
pub struct LinearGelu {
    /// The operands of all three products are rounded to bfloat16 first.
    pub bf16: bool,
}

impl<T: Float> Op<T> for LinearGelu {
    fn name(&self) -> &'static str {
        if self.bf16 { "linear_gelu_bf16" } else { "linear_gelu" }
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        let (plan, shape) = plan("linear_gelu", x, self.bf16);
        let [x, w, b] = [0, 1, 2].map(|i| x[i].data());
        Tensor::build(&shape, |y| {
            saved.push(Tensor::build(&shape, |slope| T::matmul_bias_gelu(&plan, x, w, b, y, slope)));
        })
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let (x, w, slope) = (at.x[0], at.x[1], &at.saved[0]);
        let mut db = Tensor::zeros(at.x[2].shape());
        let du = Tensor::build(at.dy.shape(), |du| {
            rows::multiply_and_sum_columns(at.dy.data(), slope.data(), du, db.data_mut()); // Ū = Ȳ·gelu′(U), b̄ = Σ Ū
        });
        Product::new(&du, false, w, true).bf16(self.bf16).add_to(0, x, dx); // X̄ = Ū·Wᵀ
        Product::new(x, true, &du, false).bf16(self.bf16).add_to(1, w, dx); // W̄ = Xᵀ·Ū
        dx.add(2, || db);
    }
    fn flops(&self, x: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        2 * (y.numel() * x[1].shape()[0]) as u64
    }
}

/// The product of X and W as rows times matrix, and the shape of the result.
#[track_caller]
fn plan<T: Float>(op: &str, x: &[&Tensor<T>], bf16: bool) -> (MatMul, Shape) {
    let [x, w, b] = x[..] else { unreachable!("{op} takes three inputs") };
    let fits = match (&x.shape()[..], &w.shape()[..], &b.shape()[..]) {
        ([_, .., k], [d_in, d_out], [biases]) => k == d_in && d_out == biases,
        _ => false,
    };
    let shapes = (x.shape(), w.shape(), b.shape());
    assert!(
        fits,
        "{op}: {} × {} + {}: it takes […, m, d_in] × [d_in, d_out] + [d_out]",
        shapes.0, shapes.1, shapes.2
    );
    let (d_in, d_out) = (w.shape()[0], w.shape()[1]);
    let rows = &x.shape()[..x.shape().len() - 1];
    let shape = rows.iter().copied().chain([d_out]).collect();
    (MatMul::new(rows.iter().product(), d_in, d_out).bf16(bf16), shape)
}

impl<'t, T: Float> Var<'t, T> {
    /// x·W + b: `[…, m, d_in] × [d_in, d_out] + [d_out] → […, m, d_out]`; without b it is [`matmul`](Var::matmul).
    ///
    /// # Panics
    /// If the shapes are not those.
    #[track_caller]
    pub fn linear(self, weight: Self, bias: Option<Self>) -> Self {
        match bias {
            Some(bias) => self.tape().apply(Linear { bf16: self.tape().is_bf16() }, &[self, weight, bias]),
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

    /// gelu(x·W + b), as [`linear`](Var::linear) and [`gelu`](Var::gelu) in one.
    ///
    /// # Panics
    /// As `linear`.
    #[track_caller]
    pub fn linear_gelu(self, weight: Self, bias: Self) -> Self {
        self.tape().apply(LinearGelu { bf16: self.tape().is_bf16() }, &[self, weight, bias])
    }
}
