//! Softmax and log-softmax along one axis.

use crate::kernels::rows;
use crate::shape::Axes;
use crate::{At, Cotangents, Float, Op, Saved, Tensor, Var};

/// ```text
/// yᵢ = e^(xᵢ − m)/Σⱼ e^(xⱼ − m),  m = maxⱼ xⱼ        x̄ᵢ = yᵢ·(ȳᵢ − Σⱼ ȳⱼ·yⱼ)
/// ```
/// An entry of −∞ gets weight 0 and gradient 0; a row of nothing but −∞ is 0/0 = NaN.
pub struct Softmax {
    axis: usize,
}

impl<T: Float> Op<T> for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }
    fn details(&self) -> String {
        format!("axis {}", self.axis)
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        along(self.axis, [x[0]], |width, [x], y| rows::softmax(width, x, y))
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || {
            along(self.axis, [at.y, at.dy], |width, [y, dy], dx| rows::softmax_vjp(width, y, dy, dx))
        });
    }
    fn flops(&self, _: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        4 * y.numel() as u64
    }
}

/// ```text
/// yᵢ = xᵢ − ln Σⱼ e^xⱼ                              x̄ᵢ = ȳᵢ − e^yᵢ·Σⱼ ȳⱼ
/// ```
pub struct LogSoftmax {
    axis: usize,
}

impl<T: Float> Op<T> for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }
    fn details(&self) -> String {
        format!("axis {}", self.axis)
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        along(self.axis, [x[0]], |width, [x], y| rows::log_softmax(width, x, y))
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || {
            along(self.axis, [at.y, at.dy], |width, [y, dy], dx| rows::log_softmax_vjp(width, y, dy, dx))
        });
    }
    fn flops(&self, _: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        4 * y.numel() as u64
    }
}

/// y = f(rows of x…) for the rows along `axis`, which is brought to the end for that and back, unless it is the last.
/// f is told their width.
fn along<T: Float, const N: usize>(
    axis: usize,
    x: [&Tensor<T>; N],
    f: impl Fn(usize, [&[T]; N], &mut [T]),
) -> Tensor<T> {
    let (rank, width) = (x[0].shape().len(), x[0].shape()[axis]);
    if axis + 1 == rank {
        return Tensor::build(x[0].shape(), |y| f(width, x.map(|x| x.data()), y));
    }
    let last: Axes = (0..rank).filter(|&other| other != axis).chain([axis]).collect();
    let back: Axes = (0..rank)
        .map(|other| if other == axis { rank - 1 } else { other - usize::from(other > axis) })
        .collect();
    let x = x.map(|x| x.permute(&last)); // […, width]
    let y = Tensor::build(x[0].shape(), |y| f(width, x.each_ref().map(|x| x.data()), y));
    y.permute(&back)
}

impl<'t, T: Float> Var<'t, T> {
    /// e^xᵢ/Σⱼ e^xⱼ along `axis`: positive numbers that sum to 1.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Self {
        self.tape().apply(Softmax { axis: self.shape().axis(axis) }, &[self])
    }

    /// ln softmax along `axis`, without computing a logarithm of a small number.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Self {
        self.tape().apply(LogSoftmax { axis: self.shape().axis(axis) }, &[self])
    }
}
