//! Functions of one number, entry by entry: a function and its derivative, side by side.

use crate::kernels::pointwise;
use crate::kernels::textbook::{gelu, gelu_slope, sigmoid};
use crate::{At, Cotangents, Float, Op, Saved, Tensor, Var};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// A differentiable function of one number.
pub trait Pointwise<T: Float>: Sync + 'static {
    /// What the printed tape calls it.
    fn name(&self) -> &'static str;
    /// See [`Op::details`].
    fn details(&self) -> String {
        String::new()
    }
    /// y = f(x)
    fn f(&self, x: T) -> T;
    /// dy/dx; it may use y where that is cheaper.
    fn df(&self, x: T, y: T) -> T;
    /// y = f(x) for whole slices; a vectorised kernel may stand in for the loop.
    fn f_slice(&self, x: &[T], y: &mut [T]) {
        pointwise::map(x, y, |x| self.f(x));
    }
    /// x̄ = ȳ·dy/dx for whole slices.
    fn vjp_slice(&self, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
        pointwise::zip3(x, y, dy, dx, |x, y, dy| dy * self.df(x, y));
    }
}

/// ```text
/// y = f(x)          x̄ = ȳ·f′(x)
/// ```
pub struct Map<F>(
    /// The function f.
    pub F,
);

impl<T: Float, F: Pointwise<T>> Op<T> for Map<F> {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn details(&self) -> String {
        self.0.details()
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        Tensor::build(x[0].shape(), |y| self.0.f_slice(x[0].data(), y))
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || {
            Tensor::build(at.dy.shape(), |dx| self.0.vjp_slice(at.x[0].data(), at.y.data(), at.dy.data(), dx))
        });
    }
}

/// y = eˣ
pub struct Exp;
impl<T: Float> Pointwise<T> for Exp {
    fn name(&self) -> &'static str {
        "exp"
    }
    fn f(&self, x: T) -> T {
        x.exp()
    }
    fn df(&self, _: T, y: T) -> T {
        y
    }
    fn f_slice(&self, x: &[T], y: &mut [T]) {
        T::exp_slice(x, y);
    }
}

/// y = ln x; −∞ at 0, NaN below.
pub struct Ln;
impl<T: Float> Pointwise<T> for Ln {
    fn name(&self) -> &'static str {
        "ln"
    }
    fn f(&self, x: T) -> T {
        x.ln()
    }
    fn df(&self, x: T, _: T) -> T {
        T::ONE / x
    }
    fn f_slice(&self, x: &[T], y: &mut [T]) {
        T::ln_slice(x, y);
    }
}

/// y = √x; the slope at 0 is infinite, below 0 both are NaN.
pub struct Sqrt;
impl<T: Float> Pointwise<T> for Sqrt {
    fn name(&self) -> &'static str {
        "sqrt"
    }
    fn f(&self, x: T) -> T {
        x.sqrt()
    }
    fn df(&self, _: T, y: T) -> T {
        T::from_f64(0.5) / y
    }
}

/// y = tanh x
pub struct Tanh;
impl<T: Float> Pointwise<T> for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }
    fn f(&self, x: T) -> T {
        x.tanh()
    }
    fn df(&self, _: T, y: T) -> T {
        T::ONE - y * y
    }
    fn f_slice(&self, x: &[T], y: &mut [T]) {
        T::tanh_slice(x, y);
    }
}

/// y = σ(x) = 1/(1 + e⁻ˣ)
pub struct Sigmoid;
impl<T: Float> Pointwise<T> for Sigmoid {
    fn name(&self) -> &'static str {
        "sigmoid"
    }
    fn f(&self, x: T) -> T {
        sigmoid(x)
    }
    fn df(&self, _: T, y: T) -> T {
        y * (T::ONE - y)
    }
    fn f_slice(&self, x: &[T], y: &mut [T]) {
        T::sigmoid_slice(x, y);
    }
}

/// y = |x|; the slope at the kink 0 is taken as 0.
pub struct Abs;
impl<T: Float> Pointwise<T> for Abs {
    fn name(&self) -> &'static str {
        "abs"
    }
    fn f(&self, x: T) -> T {
        x.abs()
    }
    fn df(&self, x: T, _: T) -> T {
        if x > T::ZERO {
            T::ONE
        } else if x < T::ZERO {
            -T::ONE
        } else {
            T::ZERO
        }
    }
}

/// y = min(max(x, low), high); the slope is 1 between the bounds and on them, 0 outside.
pub struct Clamp {
    /// The least value of y.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}
impl<T: Float> Pointwise<T> for Clamp {
    fn name(&self) -> &'static str {
        "clamp"
    }
    fn details(&self) -> String {
        format!("to {} … {}", self.low, self.high)
    }
    fn f(&self, x: T) -> T {
        if x < T::from_f64(self.low) {
            T::from_f64(self.low)
        } else if x > T::from_f64(self.high) {
            T::from_f64(self.high)
        } else {
            x
        }
    }
    fn df(&self, x: T, _: T) -> T {
        let inside = x >= T::from_f64(self.low) && x <= T::from_f64(self.high);
        if inside { T::ONE } else { T::ZERO }
    }
}

/// y = max(x, 0); the slope at the kink 0 is taken as 0.
pub struct Relu;
impl<T: Float> Pointwise<T> for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }
    fn f(&self, x: T) -> T {
        if x <= T::ZERO { T::ZERO } else { x }
    }
    fn df(&self, x: T, _: T) -> T {
        if x > T::ZERO { T::ONE } else { T::ZERO }
    }
}

/// y = x·σ(x), also called swish (Ramachandran et al. 2017).
pub struct Silu;
impl<T: Float> Pointwise<T> for Silu {
    fn name(&self) -> &'static str {
        "silu"
    }
    fn f(&self, x: T) -> T {
        x * sigmoid(x)
    }
    fn df(&self, x: T, y: T) -> T {
        let s = sigmoid(x);
        s + y * (T::ONE - s)
    }
}

/// y = x·Φ(x), Φ the normal distribution function (Hendrycks & Gimpel 2016); Φ(x) = ½(1 + erf(x/√2)).
pub struct GeluErf;
impl<T: Float> Pointwise<T> for GeluErf {
    fn name(&self) -> &'static str {
        "gelu_erf"
    }
    fn f(&self, x: T) -> T {
        x * normal_distribution(x)
    }
    fn df(&self, x: T, _: T) -> T {
        // φ(x) = e^(−x²/2) / √(2π)
        let half = T::from_f64(0.5);
        let density = T::from_f64(0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI) * (-half * x * x).exp();
        normal_distribution(x) + x * density
    }
}

/// GPT-2's gelu: y = ½x(1 + tanh(√(2/π)·(x + 0.044715·x³))), which approximates [`GeluErf`] to 5·10⁻⁴.
pub struct Gelu;
impl<T: Float> Pointwise<T> for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }
    fn f(&self, x: T) -> T {
        gelu(x)
    }
    fn df(&self, x: T, _: T) -> T {
        gelu_slope(x)
    }
    fn f_slice(&self, x: &[T], y: &mut [T]) {
        T::gelu_slice(x, y);
    }
    fn vjp_slice(&self, x: &[T], _: &[T], dy: &[T], dx: &mut [T]) {
        T::gelu_vjp_slice(x, dy, dx);
    }
}

/// Φ(x)
fn normal_distribution<T: Float>(x: T) -> T {
    T::from_f64(0.5) * (T::ONE + (x * T::from_f64(FRAC_1_SQRT_2)).erf())
}

impl<'t, T: Float> Var<'t, T> {
    /// eˣ
    #[track_caller]
    pub fn exp(self) -> Self {
        self.tape().apply(Map(Exp), &[self])
    }

    /// ln x, the natural logarithm; −∞ at 0, NaN below.
    #[track_caller]
    pub fn ln(self) -> Self {
        self.tape().apply(Map(Ln), &[self])
    }

    /// √x; the slope at 0 is infinite, below 0 both are NaN.
    #[track_caller]
    pub fn sqrt(self) -> Self {
        self.tape().apply(Map(Sqrt), &[self])
    }

    /// tanh x
    #[track_caller]
    pub fn tanh(self) -> Self {
        self.tape().apply(Map(Tanh), &[self])
    }

    /// 1/(1 + e⁻ˣ)
    #[track_caller]
    pub fn sigmoid(self) -> Self {
        self.tape().apply(Map(Sigmoid), &[self])
    }

    /// |x|; slope 0 at 0.
    #[track_caller]
    pub fn abs(self) -> Self {
        self.tape().apply(Map(Abs), &[self])
    }

    /// min(max(x, low), high); slope 1 on the bounds.
    ///
    /// # Panics
    /// If `low` is above `high`.
    #[track_caller]
    pub fn clamp(self, low: f64, high: f64) -> Self {
        assert!(low <= high, "clamp: the lower bound {low} is above the upper bound {high}");
        self.tape().apply(Map(Clamp { low, high }), &[self])
    }

    /// max(x, 0); slope 0 at 0.
    #[track_caller]
    pub fn relu(self) -> Self {
        self.tape().apply(Map(Relu), &[self])
    }

    /// x·σ(x), also called swish (Ramachandran et al. 2017).
    #[track_caller]
    pub fn silu(self) -> Self {
        self.tape().apply(Map(Silu), &[self])
    }

    /// GPT-2's gelu: ½x(1 + tanh(√(2/π)·(x + 0.044715·x³))) (Hendrycks & Gimpel 2016).
    #[track_caller]
    pub fn gelu(self) -> Self {
        self.tape().apply(Map(Gelu), &[self])
    }

    /// The exact gelu: x·Φ(x), Φ the normal distribution function, by erf (Hendrycks & Gimpel 2016).
    #[track_caller]
    pub fn gelu_erf(self) -> Self {
        self.tape().apply(Map(GeluErf), &[self])
    }
}
