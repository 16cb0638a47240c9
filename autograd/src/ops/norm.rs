//! Layer norm and RMS norm over the last axis, each as one op and as the textbook composition of primitives.

use super::rows::{dot, mean_of};
use crate::{At, Cotangents, Float, Op, Saved, Shape, Tensor, Var};

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
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        let (rows, d) = rows_of("layer_norm", x);
        let (w, b) = (x[1].data(), x.get(2).map(|b| b.data()));
        let x = x[0];
        let (mut means, mut inverses) = (Tensor::zeros(&rows), Tensor::zeros(&rows));
        let y = Tensor::build(x.shape(), |y| {
            let statistics = means.data_mut().iter_mut().zip(inverses.data_mut());
            for ((y, x), (mean, r)) in y.chunks_exact_mut(d).zip(x.data().chunks_exact(d)).zip(statistics) {
                *mean = mean_of(x);
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = x - *mean;
                }
                let variance = dot(y, y) / T::from_f64(d as f64);
                *r = T::ONE / (variance + T::from_f64(self.eps)).sqrt();
                for i in 0..d {
                    y[i] = y[i] * *r * w[i] + b.map_or(T::ZERO, |b| b[i]);
                }
            }
        });
        saved.extend([means, inverses]);
        y
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let d = at.x[1].numel();
        let (means, inverses) = (at.saved[0].data(), at.saved[1].data());
        let mut normal = at.x[0].clone(); // x̂ = (x − μ)·r
        for (row, x) in normal.data_mut().chunks_exact_mut(d).enumerate() {
            x.iter_mut().for_each(|x| *x = (*x - means[row]) * inverses[row]);
        }
        dx.add(0, || {
            let mut g = at.dy.zip(at.x[1], |dy, w| dy * w);
            for (row, (g, normal)) in
                g.data_mut().chunks_exact_mut(d).zip(normal.data().chunks_exact(d)).enumerate()
            {
                let (mean_g, mean_gx) = (mean_of(g), dot(g, normal) / T::from_f64(d as f64));
                for (g, &normal) in g.iter_mut().zip(normal) {
                    *g = inverses[row] * (*g - mean_g - normal * mean_gx);
                }
            }
            g
        });
        dx.add(1, || at.dy.zip(&normal, |dy, normal| dy * normal));
        if at.x.len() > 2 {
            dx.add(2, || at.dy.clone());
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
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        let (rows, d) = rows_of("rms_norm", x);
        let mut inverses = Tensor::zeros(&rows);
        let mut y = x[0].clone();
        for (x, r) in y.data_mut().chunks_exact_mut(d).zip(inverses.data_mut()) {
            *r = T::ONE / (dot(x, x) / T::from_f64(d as f64) + T::from_f64(self.eps)).sqrt();
            x.iter_mut().for_each(|x| *x *= *r);
        }
        saved.push(inverses);
        x.get(1).map_or(y.clone(), |w| y.zip(w, |normal, w| normal * w))
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let (d, inverses) = (at.x[0].shape()[at.x[0].shape().len() - 1], at.saved[0].data());
        let mut normal = at.x[0].clone(); // x̂ = x·r
        for (row, x) in normal.data_mut().chunks_exact_mut(d).enumerate() {
            x.iter_mut().for_each(|x| *x *= inverses[row]);
        }
        dx.add(0, || {
            let mut g = at.x.get(1).map_or(at.dy.clone(), |w| at.dy.zip(w, |dy, w| dy * w));
            for (row, (g, normal)) in
                g.data_mut().chunks_exact_mut(d).zip(normal.data().chunks_exact(d)).enumerate()
            {
                let mean_gx = dot(g, normal) / T::from_f64(d as f64);
                for (g, &normal) in g.iter_mut().zip(normal) {
                    *g = inverses[row] * (*g - normal * mean_gx);
                }
            }
            g
        });
        if at.x.len() > 1 {
            dx.add(1, || at.dy.zip(&normal, |dy, normal| dy * normal));
        }
    }
    fn flops(&self, _: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        4 * y.numel() as u64
    }
}

/// x `[…, d]` as rows: their shape `[…]` and their width d; weight and bias have to be `[d]`.
#[track_caller]
fn rows_of<T: Float>(op: &str, x: &[&Tensor<T>]) -> (Shape, usize) {
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
    (rows.into(), d)
}

impl<'t, T: Float> Var<'t, T> {
    /// (x − mean)/√(variance + ε)·weight + bias over the last axis.
    ///
    /// # Panics
    /// If weight or bias are not as long as the last axis.
    #[track_caller]
    pub fn layer_norm(self, weight: Self, bias: Option<Self>, eps: f64) -> Self {
        match bias {
            Some(bias) => self.tape().apply(LayerNorm { eps }, &[self, weight, bias]),
            None => self.tape().apply(LayerNorm { eps }, &[self, weight]),
        }
    }

    /// [`layer_norm`](Var::layer_norm) as the textbook writes it, op by op.
    #[track_caller]
    pub fn layer_norm_textbook(self, weight: Self, bias: Option<Self>, eps: f64) -> Self {
        let centred = self - self.mean(&[-1]).unsqueeze(-1);
        let deviation = (self.var(&[-1], 0).unsqueeze(-1) + eps).sqrt();
        let scaled = centred / deviation * weight;
        bias.map_or(scaled, |bias| scaled + bias)
    }

    /// x/√(mean(x²) + ε)·weight over the last axis.
    ///
    /// # Panics
    /// If the weight is not as long as the last axis.
    #[track_caller]
    pub fn rms_norm(self, weight: Option<Self>, eps: f64) -> Self {
        match weight {
            Some(weight) => self.tape().apply(RmsNorm { eps }, &[self, weight]),
            None => self.tape().apply(RmsNorm { eps }, &[self]),
        }
    }

    /// [`rms_norm`](Var::rms_norm) as the textbook writes it, op by op.
    #[track_caller]
    pub fn rms_norm_textbook(self, weight: Option<Self>, eps: f64) -> Self {
        let mean_square = (self * self).mean(&[-1]).unsqueeze(-1);
        let normal = self / (mean_square + eps).sqrt();
        weight.map_or(normal, |weight| normal * weight)
    }
}
