//! Layer norm and RMS norm over the last axis, each as one op and as the textbook composition of primitives.

use crate::kernels::norm;
use crate::{At, Cotangents, Float, Op, Saved, Tensor, Var};

/// ```text
/// μ = mean(x),  r = 1/√(var(x) + ε),  x̂ = (x − μ)·r,  y = x̂·w + b
/// g = ȳ·w:      x̄ = r·(g − mean(g) − x̂·mean(g·x̂))      w̄ = Σ ȳ·x̂      b̄ = Σ ȳ
/// ```
/// Inputs: x `[…, d]`, the weight w `[d]` and, where there is one, the bias b `[d]`. Ba et al. 2016.
pub struct LayerNorm {
    eps: f64,
}

impl<T: Float> Op<T> for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }
    fn details(&self) -> String {
        format!("ε = {}", self.eps)
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        let (rows, _) = rows_of("layer_norm", x);
        let (x, w, b) = (x[0], x[1].data(), x.get(2).map(|b| b.data()));
        let mut statistics = Tensor::zeros([rows, 2]); // μ and r of each row
        let y = Tensor::build(x.shape(), |y| {
            let statistics = statistics.data_mut().as_chunks_mut().0;
            norm::layer_norm(x.data(), w, b, T::from_f64(self.eps), y, statistics);
        });
        saved.push(statistics);
        y
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let (x, w, statistics) = (at.x[0].data(), at.x[1].data(), at.saved[0].data().as_chunks().0);
        let d = w.len();
        let (mut dw, mut db) = (Tensor::zeros([d]), Tensor::zeros([d]));
        let mut partial = Tensor::zeros([norm::partial_sums(statistics.len()), 2, d]);
        let gradient = Tensor::build(at.x[0].shape(), |dx| {
            let (dw, db, partial) = (dw.data_mut(), db.data_mut(), partial.data_mut());
            norm::layer_norm_vjp(x, w, statistics, at.dy.data(), dx, dw, db, partial);
        });
        dx.add(0, || gradient);
        dx.add(1, || dw);
        if at.x.len() > 2 {
            dx.add(2, || db);
        }
    }
    fn flops(&self, _: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        8 * y.numel() as u64
    }
}

/// ```text
/// r = 1/√(mean(x²) + ε),  x̂ = x·r,  y = x̂·w
/// g = ȳ·w:      x̄ = r·(g − x̂·mean(g·x̂))                w̄ = Σ ȳ·x̂
/// ```
/// Inputs: x `[…, d]` and, where there is one, the weight w `[d]`. Zhang & Sennrich 2019.
pub struct RmsNorm {
    eps: f64,
}

impl<T: Float> Op<T> for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }
    fn details(&self) -> String {
        format!("ε = {}", self.eps)
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        let (rows, d) = rows_of("rms_norm", x);
        let ones = Tensor::ones([d]);
        let (x, w) = (x[0], x.get(1).copied().unwrap_or(&ones));
        let mut inverses = Tensor::zeros([rows]); // r of each row
        let y = Tensor::build(x.shape(), |y| {
            norm::rms_norm(x.data(), w.data(), T::from_f64(self.eps), y, inverses.data_mut());
        });
        saved.push(inverses);
        y
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let inverses = at.saved[0].data();
        let d = at.x[0].numel() / inverses.len().max(1);
        let ones = Tensor::ones([d]);
        let w = at.x.get(1).copied().unwrap_or(&ones);
        let mut dw = Tensor::zeros(w.shape());
        let mut partial = Tensor::zeros([norm::partial_sums(inverses.len()), d]);
        let gradient = Tensor::build(at.x[0].shape(), |dx| {
            let (dw, partial) = (dw.data_mut(), partial.data_mut());
            norm::rms_norm_vjp(at.x[0].data(), w.data(), inverses, at.dy.data(), dx, dw, partial);
        });
        dx.add(0, || gradient);
        if at.x.len() > 1 {
            dx.add(1, || dw);
        }
    }
    fn flops(&self, _: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        4 * y.numel() as u64
    }
}

/// x `[…, d]` as rows: their number and their width d; weight and bias have to be `[d]`.
#[track_caller]
fn rows_of<T: Float>(op: &str, x: &[&Tensor<T>]) -> (usize, usize) {
    let Some((&d, rows)) = x[0].shape().split_last() else {
        panic!("{op}: a scalar has no axis to normalise over")
    };
    assert!(d > 0, "{op}: {}: the last axis is empty", x[0].shape());
    for parameter in &x[1..] {
        assert!(
            parameter.shape()[..] == [d],
            "{op}: {} with a parameter {}: it takes [{d}]",
            x[0].shape(),
            parameter.shape()
        );
    }
    (rows.iter().product(), d)
}

impl<'t, T: Float> Var<'t, T> {
    /// (x − mean)/√(variance + ε)·weight + bias over the last axis.
    ///
    /// # Panics
    /// If weight or bias are not as long as the last axis, x is a scalar, or its last axis is empty.
    #[track_caller]
    pub fn layer_norm(self, weight: Self, bias: Option<Self>, eps: f64) -> Self {
        match bias {
            Some(bias) => self.tape().apply(LayerNorm { eps }, &[self, weight, bias]),
            None => self.tape().apply(LayerNorm { eps }, &[self, weight]),
        }
    }

    /// [`layer_norm`](Var::layer_norm) as the textbook writes it, op by op; the tape shows the lines below.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    pub fn layer_norm_textbook(self, weight: Self, bias: Option<Self>, eps: f64) -> Self {
        let centred = self - self.mean(&[-1]).unsqueeze(-1);
        let deviation = (self.var(&[-1], 0).unsqueeze(-1) + eps).sqrt();
        let scaled = centred / deviation * weight;
        bias.map_or(scaled, |bias| scaled + bias)
    }

    /// x/√(mean(x²) + ε)·weight over the last axis.
    ///
    /// # Panics
    /// If the weight is not as long as the last axis, x is a scalar, or its last axis is empty.
    #[track_caller]
    pub fn rms_norm(self, weight: Option<Self>, eps: f64) -> Self {
        match weight {
            Some(weight) => self.tape().apply(RmsNorm { eps }, &[self, weight]),
            None => self.tape().apply(RmsNorm { eps }, &[self]),
        }
    }

    /// [`rms_norm`](Var::rms_norm) as the textbook writes it, op by op; the tape shows the lines below.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    pub fn rms_norm_textbook(self, weight: Option<Self>, eps: f64) -> Self {
        let mean_square = (self * self).mean(&[-1]).unsqueeze(-1);
        let normal = self / (mean_square + eps).sqrt();
        weight.map_or(normal, |weight| normal * weight)
    }
}
