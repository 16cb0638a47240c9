//! Reductions over any axes: sum, mean, max, variance, log-sum-exp.
//!
//! Each brings the reduced axes to the end, so that what is reduced is a row, and is then a function of one
//! row. The reduced axes are gone from the result; [`unsqueeze`](Var::unsqueeze) brings one back as size 1.

use crate::kernels::rows::{log_sum_exp, mean, sum, sum_by};
use crate::shape::Axes;
use crate::{At, Cotangents, Float, Op, Saved, Tensor, Var};

/// ```text
/// y = Σᵢ xᵢ                 x̄ᵢ = ȳ
/// ```
pub struct Sum(Axes);

impl<T: Float> Op<T> for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }
    fn details(&self) -> String {
        over(&self.0)
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        reduce(x[0], &self.0, sum)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || spread(at.dy, at.x[0], &self.0));
    }
    fn flops(&self, x: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        x[0].numel() as u64
    }
}

/// ```text
/// y = 1/n·Σᵢ xᵢ             x̄ᵢ = ȳ/n              NaN over no entries
/// ```
pub struct Mean(Axes);

impl<T: Float> Op<T> for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }
    fn details(&self) -> String {
        over(&self.0)
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        reduce(x[0], &self.0, mean)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let n = T::from_f64(width(at.x[0], &self.0) as f64);
        dx.add(0, || spread(&at.dy.map(|dy| dy / n), at.x[0], &self.0));
    }
    fn flops(&self, x: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        x[0].numel() as u64
    }
}

/// ```text
/// y = maxᵢ xᵢ               x̄ᵢ = ȳ·[xᵢ = y]/c     for c entries that tie for the maximum
/// ```
pub struct Max(Axes);

impl<T: Float> Op<T> for Max {
    fn name(&self) -> &'static str {
        "max"
    }
    fn details(&self) -> String {
        over(&self.0)
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        assert!(
            width(x[0], &self.0) > 0,
            "max: {} over axes {:?}: no entry to choose from",
            x[0].shape(),
            self.0
        );
        reduce(x[0], &self.0, max_of)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let one_if_max =
            at.x[0].zip(&spread(at.y, at.x[0], &self.0), |x, y| if x == y { T::ONE } else { T::ZERO });
        let share = at.dy.zip(&reduce(&one_if_max, &self.0, sum), |dy, ties| dy / ties);
        dx.add(0, || one_if_max.zip(&spread(&share, at.x[0], &self.0), |one, share| one * share));
    }
    fn flops(&self, x: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        x[0].numel() as u64
    }
}

/// ```text
/// y = Σᵢ (xᵢ − μ)²/(n − c)  x̄ᵢ = ȳ·2(xᵢ − μ)/(n − c),  μ the mean, c the correction
/// ```
/// The term by way of μ vanishes because Σ(xᵢ − μ) = 0.
pub struct Variance {
    axes: Axes,
    correction: usize,
}

impl Variance {
    fn divisor<T: Float>(&self, x: &Tensor<T>) -> T {
        T::from_f64(width(x, &self.axes) as f64 - self.correction as f64)
    }
}

impl<T: Float> Op<T> for Variance {
    fn name(&self) -> &'static str {
        "var"
    }
    fn details(&self) -> String {
        match self.correction {
            0 => over(&self.axes),
            correction => format!("{}, n − {correction}", over(&self.axes)),
        }
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        let divisor = self.divisor(x[0]);
        reduce(x[0], &self.axes, |row| {
            let mean = mean(row);
            sum_by(row, row, |x, _| (x - mean) * (x - mean)) / divisor
        })
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let two_over_n = T::from_f64(2.0) / self.divisor(at.x[0]);
        let mean = spread(&reduce(at.x[0], &self.axes, mean), at.x[0], &self.axes);
        let slope = at.x[0].zip(&mean, |x, mean| two_over_n * (x - mean));
        dx.add(0, || spread(at.dy, at.x[0], &self.axes).zip(&slope, |dy, slope| dy * slope));
    }
    fn flops(&self, x: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        4 * x[0].numel() as u64
    }
}

/// ```text
/// y = ln Σᵢ e^xᵢ = m + ln Σᵢ e^(xᵢ − m),  m = maxᵢ xᵢ        x̄ᵢ = ȳ·e^(xᵢ − y)
/// ```
/// No power overflows, since none is positive. Over no entries, or only −∞, it is −∞ with gradient 0.
pub struct LogSumExp(Axes);

impl<T: Float> Op<T> for LogSumExp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }
    fn details(&self) -> String {
        over(&self.0)
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        reduce(x[0], &self.0, log_sum_exp)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let y = spread(at.y, at.x[0], &self.0);
        let powers =
            at.x[0].zip(&y, |x, y| if x.to_f64() == f64::NEG_INFINITY { T::ZERO } else { (x - y).exp() });
        // Σ e^(xᵢ − y) is 1 but for the rounding of y, which may be large beside it.
        let share =
            at.dy.zip(&reduce(&powers, &self.0, sum), |dy, sum| if sum == T::ZERO { dy } else { dy / sum });
        dx.add(0, || powers.zip(&spread(&share, at.x[0], &self.0), |power, share| power * share));
    }
    fn flops(&self, x: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        3 * x[0].numel() as u64
    }
}

/// The largest entry; where several tie, the mean of them, which has the same value and the mean of their tangents.
fn max_of<T: Float>(row: &[T]) -> T {
    let max = row.iter().copied().fold(row[0], |max, x| if x > max || x.to_f64().is_nan() { x } else { max });
    if !max.is_finite() {
        return max;
    }
    let ties = row.iter().filter(|&&x| x == max).count();
    max + row.iter().filter(|&&x| x == max).map(|&x| x - max).sum::<T>() / T::from_f64(ties as f64)
}

/// `axis 2`, `axes 0 1 2`
fn over(axes: &[usize]) -> String {
    format!("{} {}", if axes.len() == 1 { "axis" } else { "axes" }, super::list(axes))
}

/// How many entries are reduced to one.
fn width<T: Float>(x: &Tensor<T>, axes: &[usize]) -> usize {
    axes.iter().map(|&axis| x.shape()[axis]).product()
}

/// y = f(row) for every row of the entries along `axes`.
fn reduce<T: Float>(x: &Tensor<T>, axes: &[usize], f: impl Fn(&[T]) -> T) -> Tensor<T> {
    let kept = (0..x.shape().len()).filter(|axis| !axes.contains(axis));
    let order: Axes = kept.chain(axes.iter().copied()).collect();
    let (rows, width) = (x.permute(&order), width(x, axes)); // [kept…, reduced…]
    let f = &f;
    Tensor::from_fn(x.shape().without(axes), |i| f(&rows.data()[i * width..(i + 1) * width]))
}

/// The transpose of a sum: y repeated along `axes` to the shape of x.
fn spread<T: Float>(y: &Tensor<T>, x: &Tensor<T>, axes: &[usize]) -> Tensor<T> {
    y.reshape(x.shape().with_ones(axes)).broadcast_to(x.shape())
}

impl<'t, T: Float> Var<'t, T> {
    /// Σ over `axes` (negative ones count from the end); they are gone from the result.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn sum(self, axes: &[isize]) -> Self {
        self.tape().apply(Sum(self.shape().axes(axes)), &[self])
    }

    /// Σ over all entries: one number.
    #[track_caller]
    pub fn sum_all(self) -> Self {
        self.tape().apply(Sum((0..self.shape().len()).collect()), &[self])
    }

    /// The mean over `axes`; over no entries it is NaN.
    ///
    /// # Panics
    /// As [`sum`](Var::sum).
    #[track_caller]
    pub fn mean(self, axes: &[isize]) -> Self {
        self.tape().apply(Mean(self.shape().axes(axes)), &[self])
    }

    /// The mean over all entries: one number.
    #[track_caller]
    pub fn mean_all(self) -> Self {
        self.tape().apply(Mean((0..self.shape().len()).collect()), &[self])
    }

    /// The maximum over `axes`; entries that tie share the gradient equally.
    ///
    /// # Panics
    /// As [`sum`](Var::sum), and over no entries.
    #[track_caller]
    pub fn max(self, axes: &[isize]) -> Self {
        self.tape().apply(Max(self.shape().axes(axes)), &[self])
    }

    /// The variance over `axes`: squares of distances to the mean, summed and divided by n − `correction`
    /// (0: the mean square distance, as in layer norm; 1: the unbiased estimate). Of n ≤ `correction` entries it means
    /// nothing: NaN, infinite or negative.
    ///
    /// # Panics
    /// As [`sum`](Var::sum).
    #[track_caller]
    pub fn var(self, axes: &[isize], correction: usize) -> Self {
        self.tape().apply(Variance { axes: self.shape().axes(axes), correction }, &[self])
    }

    /// ln Σ eˣ over `axes`, without overflow.
    ///
    /// # Panics
    /// As [`sum`](Var::sum).
    #[track_caller]
    pub fn logsumexp(self, axes: &[isize]) -> Self {
        self.tape().apply(LogSumExp(self.shape().axes(axes)), &[self])
    }
}
