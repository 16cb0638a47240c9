//! The four operations, with broadcasting, and powers.
//!
//! Where an input was repeated to meet the other's shape, its cotangent is summed over the repeated axes;
//! [`Cotangents::add`] does that for every rule.

use crate::{At, Cotangents, Float, Op, Saved, Tensor, Var};

/// ```text
/// y = a + b         ā = ȳ      b̄ = ȳ
/// ```
pub struct Add;

impl<T: Float> Op<T> for Add {
    fn name(&self) -> &'static str {
        "add"
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].zip(x[1], |a, b| a + b)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || at.dy.clone());
        dx.add(1, || at.dy.clone());
    }
}

/// ```text
/// y = a − b         ā = ȳ      b̄ = −ȳ
/// ```
pub struct Sub;

impl<T: Float> Op<T> for Sub {
    fn name(&self) -> &'static str {
        "sub"
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].zip(x[1], |a, b| a - b)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || at.dy.clone());
        dx.add(1, || at.dy.map(|dy| -dy));
    }
}

/// ```text
/// y = a·b           ā = ȳ·b    b̄ = ȳ·a
/// ```
pub struct Mul;

impl<T: Float> Op<T> for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].zip(x[1], |a, b| a * b)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || at.dy.zip(at.x[1], |dy, b| dy * b));
        dx.add(1, || at.dy.zip(at.x[0], |dy, a| dy * a));
    }
}

/// ```text
/// y = a/b           ā = ȳ/b    b̄ = −ȳ·y/b
/// ```
pub struct Div;

impl<T: Float> Op<T> for Div {
    fn name(&self) -> &'static str {
        "div"
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].zip(x[1], |a, b| a / b)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || at.dy.zip(at.x[1], |dy, b| dy / b));
        dx.add(1, || at.dy.zip(at.y, |dy, y| -dy * y).zip(at.x[1], |dy_y, b| dy_y / b));
    }
}

/// ```text
/// y = −x            x̄ = −ȳ
/// ```
pub struct Neg;

impl<T: Float> Op<T> for Neg {
    fn name(&self) -> &'static str {
        "neg"
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].map(|x| -x)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || at.dy.map(|dy| -dy));
    }
}

/// ```text
/// y = s·x + t       x̄ = ȳ·s           for numbers s and t
/// ```
pub struct Affine {
    /// The factor s.
    pub scale: f64,
    /// The term t.
    pub shift: f64,
}

impl<T: Float> Op<T> for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }
    fn details(&self) -> String {
        match (self.scale, self.shift) {
            (1.0, shift) => format!("+ {shift}"),
            (scale, 0.0) => format!("× {scale}"),
            (scale, shift) => format!("× {scale} + {shift}"),
        }
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        let (s, t) = (T::from_f64(self.scale), T::from_f64(self.shift));
        x[0].map(|x| s * x + t)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let s = T::from_f64(self.scale);
        dx.add(0, || at.dy.map(|dy| dy * s));
    }
}

/// ```text
/// y = xⁿ            x̄ = ȳ·n·xⁿ⁻¹      for a whole number n; x⁰ = 1 everywhere
/// ```
/// For n < 0 value and slope are infinite at 0.
pub struct Powi {
    /// The exponent.
    pub n: i32,
}

impl<T: Float> Op<T> for Powi {
    fn name(&self) -> &'static str {
        "powi"
    }
    fn details(&self) -> String {
        format!("to the power {}", self.n)
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].map(|x| x.powi(self.n))
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let n = T::from_f64(f64::from(self.n));
        dx.add(0, || match self.n {
            0 => Tensor::zeros(at.dy.shape()),
            _ => at.dy.zip(at.x[0], |dy, x| dy * n * x.powi(self.n - 1)),
        });
    }
}

/// ```text
/// y = xᵖ            x̄ = ȳ·p·xᵖ⁻¹      for a real number p and x ≥ 0; NaN for x < 0
/// ```
/// At 0 the slope is that from the right: infinite for p < 1 (0 for p = 0), 0 for p > 1.
pub struct Powf {
    /// The exponent.
    pub p: f64,
}

impl<T: Float> Op<T> for Powf {
    fn name(&self) -> &'static str {
        "powf"
    }
    fn details(&self) -> String {
        format!("to the power {}", self.p)
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].map(|x| x.powf(self.p))
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let p = T::from_f64(self.p);
        dx.add(0, || match self.p {
            0.0 => Tensor::zeros(at.dy.shape()),
            _ => at.dy.zip(at.x[0], |dy, x| dy * p * x.powf(self.p - 1.0)),
        });
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// s·x for a number s.
    #[track_caller]
    pub fn scale(self, s: f64) -> Self {
        self.tape().apply(Affine { scale: s, shift: 0.0 }, &[self])
    }

    /// xⁿ, entry by entry, for a whole number n; x⁰ = 1 everywhere.
    #[track_caller]
    pub fn powi(self, n: i32) -> Self {
        self.tape().apply(Powi { n }, &[self])
    }

    /// xᵖ, entry by entry, for a real number p; NaN for x < 0, with infinite slope at 0 for p < 1 (x⁰ = 1 has slope 0).
    #[track_caller]
    pub fn powf(self, p: f64) -> Self {
        self.tape().apply(Powf { p }, &[self])
    }
}
