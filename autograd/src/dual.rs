//! `Dual`: a value and its tangent; forward mode by running the same code at another scalar.
//!
//! ```text
//! x = v + t·ε,  ε² = 0          f(v + t·ε) = f(v) + f′(v)·t·ε
//! ```
//!
//! Seed the inputs with a direction as tangents, and every result carries its exact directional derivative:
//! no step size, no cancellation. Under the tape, `Dual` turns a gradient into a Hessian-vector product
//! (forward over reverse; Pearlmutter 1994, "Fast exact multiplication by the Hessian").

use crate::Float;
use crate::kernels::{self, MatMul};
use std::cmp::Ordering;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// `value + tangent·ε` with ε² = 0. Comparisons look at the value alone: a branch is taken as it was without ε.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dual<T> {
    /// The number itself.
    pub value: T,
    /// Its derivative along the seeded direction.
    pub tangent: T,
}

impl<T: Float> Dual<T> {
    /// value + tangent·ε
    pub fn new(value: T, tangent: T) -> Self {
        Dual { value, tangent }
    }

    /// The chain rule for one argument: f(v) + f′(v)·t·ε.
    fn chain(self, f: T, df: T) -> Self {
        Dual::new(f, times(df, self.tangent))
    }
}

/// slope·tangent. A constant stays a constant even where the slope is infinite (√0, ln 0, a factor of −∞): with tangent 0
/// the result is 0, not 0·∞ = NaN.
fn times<T: Float>(slope: T, tangent: T) -> T {
    if tangent.is_zero() { T::ZERO } else { slope * tangent }
}

impl<T: Float> Float for Dual<T> {
    const ZERO: Self = Dual { value: T::ZERO, tangent: T::ZERO };
    const ONE: Self = Dual { value: T::ONE, tangent: T::ZERO };

    fn from_f64(x: f64) -> Self {
        Dual::new(T::from_f64(x), T::ZERO)
    }
    fn to_f64(self) -> f64 {
        self.value.to_f64()
    }
    fn is_zero(self) -> bool {
        self.value.is_zero() && self.tangent.is_zero()
    }
    fn exp(self) -> Self {
        let y = self.value.exp();
        self.chain(y, y) // (eˣ)′ = eˣ
    }
    fn ln(self) -> Self {
        self.chain(self.value.ln(), T::ONE / self.value) // (ln x)′ = 1/x
    }
    fn sqrt(self) -> Self {
        let y = self.value.sqrt();
        self.chain(y, T::from_f64(0.5) / y) // (√x)′ = 1/(2√x)
    }
    fn tanh(self) -> Self {
        let y = self.value.tanh();
        self.chain(y, T::ONE - y * y) // (tanh x)′ = 1 − tanh² x
    }
    fn erf(self) -> Self {
        let slope = T::from_f64(std::f64::consts::FRAC_2_SQRT_PI) * (-self.value * self.value).exp();
        self.chain(self.value.erf(), slope) // (erf x)′ = 2/√π · e^(−x²)
    }
    fn powi(self, n: i32) -> Self {
        if n == 0 {
            return Self::ONE;
        }
        self.chain(self.value.powi(n), T::from_f64(f64::from(n)) * self.value.powi(n - 1)) // (xⁿ)′ = n·xⁿ⁻¹
    }
    fn powf(self, p: f64) -> Self {
        if p == 0.0 {
            return Self::ONE;
        }
        self.chain(self.value.powf(p), T::from_f64(p) * self.value.powf(p - 1.0)) // (xᵖ)′ = p·xᵖ⁻¹
    }

    /// ```text
    /// C = A·B      C′ = A′·B + A·B′         since (A + A′ε)·(B + B′ε) = A·B + (A′·B + A·B′)ε
    /// ```
    /// Three products of ordinary numbers, by their fast kernel; one whose tangents are all 0 is left out.
    fn matmul(plan: &MatMul, a: &[Self], b: &[Self], c: &mut [Self]) {
        if plan.bf16 {
            return kernels::bf16::rounded(plan, a, b, |plan, a, b| Self::matmul(plan, a, b, c));
        }
        let [a_span, b_span, c_span] = plan.spans();
        let (a, b, c) = (&a[..a_span], &b[..b_span], &mut c[..c_span]);
        let (a_values, b_values) = (values(a), values(b));
        let (mut c_values, mut c_tangents) = (values(c), tangents(c));
        T::matmul(plan, &a_values, &b_values, &mut c_values); // C = A·B
        let mut plan = *plan;
        if !plan.accumulate {
            kernels::repeat_rows(&vec![T::ZERO; plan.n], &plan, &mut c_tangents);
            plan.accumulate = true;
        }
        let moves = |x: &[Self]| x.iter().any(|x| !x.tangent.is_zero());
        if moves(a) {
            T::matmul(&plan, &tangents(a), &b_values, &mut c_tangents); // C′ += A′·B
        }
        if moves(b) {
            T::matmul(&plan, &a_values, &tangents(b), &mut c_tangents); // C′ += A·B′
        }
        let parts = c_values.into_iter().zip(c_tangents);
        c.iter_mut().zip(parts).for_each(|(c, (value, tangent))| *c = Dual { value, tangent });
    }
}

fn values<T: Copy>(x: &[Dual<T>]) -> Vec<T> {
    x.iter().map(|x| x.value).collect()
}

fn tangents<T: Copy>(x: &[Dual<T>]) -> Vec<T> {
    x.iter().map(|x| x.tangent).collect()
}

impl<T: Float> Add for Dual<T> {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        Dual::new(self.value + b.value, self.tangent + b.tangent) // (a + b)′ = a′ + b′
    }
}

impl<T: Float> Sub for Dual<T> {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        Dual::new(self.value - b.value, self.tangent - b.tangent) // (a − b)′ = a′ − b′
    }
}

impl<T: Float> Mul for Dual<T> {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        // (a·b)′ = a′·b + a·b′
        Dual::new(self.value * b.value, times(b.value, self.tangent) + times(self.value, b.tangent))
    }
}

impl<T: Float> Div for Dual<T> {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        let y = self.value / b.value;
        Dual::new(y, (self.tangent - times(y, b.tangent)) / b.value) // (a/b)′ = (a′ − (a/b)·b′) / b
    }
}

impl<T: Float> Neg for Dual<T> {
    type Output = Self;
    fn neg(self) -> Self {
        Dual::new(-self.value, -self.tangent)
    }
}

impl<T: Float> AddAssign for Dual<T> {
    fn add_assign(&mut self, b: Self) {
        *self = *self + b;
    }
}

impl<T: Float> SubAssign for Dual<T> {
    fn sub_assign(&mut self, b: Self) {
        *self = *self - b;
    }
}

impl<T: Float> MulAssign for Dual<T> {
    fn mul_assign(&mut self, b: Self) {
        *self = *self * b;
    }
}

impl<T: Float> Sum for Dual<T> {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        terms.fold(Self::ZERO, |sum, term| sum + term)
    }
}

impl<T: PartialEq> PartialEq for Dual<T> {
    fn eq(&self, b: &Self) -> bool {
        self.value == b.value
    }
}

impl<T: PartialOrd> PartialOrd for Dual<T> {
    fn partial_cmp(&self, b: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&b.value)
    }
}

impl<T: fmt::Display> fmt::Display for Dual<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value, f)?;
        f.write_str(" + ")?;
        fmt::Display::fmt(&self.tangent, f)?;
        f.write_str("ε")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    fn derivative(f: impl Fn(Dual<f64>) -> Dual<f64>, at: f64) -> f64 {
        f(Dual::new(at, 1.0)).tangent
    }

    #[test]
    fn the_tangent_of_each_function_is_its_slope() {
        let slope = |f: fn(f64) -> f64, at: f64| (f(at + 1e-6) - f(at - 1e-6)) / 2e-6;
        for at in [0.3, 0.9, 1.7] {
            assert_relative_eq!(derivative(Float::exp, at), slope(f64::exp, at), max_relative = 1e-8);
            assert_relative_eq!(derivative(Float::ln, at), slope(f64::ln, at), max_relative = 1e-8);
            assert_relative_eq!(derivative(Float::sqrt, at), slope(f64::sqrt, at), max_relative = 1e-8);
            assert_relative_eq!(derivative(Float::tanh, at), slope(f64::tanh, at), max_relative = 1e-8);
            assert_relative_eq!(derivative(Float::erf, at), slope(libm::erf, at), max_relative = 1e-8);
            assert_relative_eq!(derivative(|x| x.powi(3), at), 3.0 * at * at, max_relative = 1e-14);
            assert_relative_eq!(derivative(|x| x.powf(1.5), at), 1.5 * at.sqrt(), max_relative = 1e-14);
        }
    }

    #[test]
    fn products_and_quotients_follow_their_rules() {
        assert_relative_eq!(derivative(|x| x * x * x, 2.0), 12.0);
        assert_relative_eq!(derivative(|x| Dual::ONE / x, 2.0), -0.25);
        assert_relative_eq!(derivative(|x| (x + x - Dual::ONE) / (x * x), 2.0), -0.25);
    }

    #[test]
    fn a_dual_of_duals_has_second_derivatives() {
        let x = Dual::new(Dual::new(3.0, 1.0), Dual::new(1.0, 0.0));
        assert_relative_eq!((x * x * x).tangent.tangent, 18.0); // (x³)″ = 6x
    }

    #[test]
    fn second_derivatives_are_right_also_where_the_first_is_zero() {
        let x = Dual::new(Dual::new(0.0, 1.0), Dual::new(1.0, 0.0));
        assert_relative_eq!((x * x).exp().tangent.tangent, 2.0); // (e^(x²))″ = (2 + 4x²)·e^(x²)
    }

    #[test]
    fn a_product_of_matrices_is_the_definition_s_on_every_layout() {
        let number = |i: usize| Dual::new((i as f64).sin(), (0.7 * i as f64).cos());
        let (a, b): (Vec<_>, Vec<_>) = ((0..90).map(number).collect(), (5..95).map(number).collect());
        for (transpose_a, transpose_b) in [(false, false), (true, false), (false, true), (true, true)] {
            for (accumulate, bf16) in [(false, false), (true, false), (false, true), (true, true)] {
                let dense = MatMul::new(5, 6, 7).transpose_a(transpose_a).transpose_b(transpose_b).bf16(bf16);
                let plan = MatMul { lda: dense.lda + 2, ldb: dense.ldb + 1, ldc: 9, accumulate, ..dense };
                let mut found: Vec<_> = (0..50).map(number).collect();
                let mut expected = found.clone();
                <Dual<f64> as Float>::matmul(&plan, &a, &b, &mut found);
                kernels::naive::matmul(&plan, &a, &b, &mut expected);
                for (found, expected) in found.iter().zip(&expected) {
                    assert_relative_eq!(found.value, expected.value, epsilon = 1e-13);
                    assert_relative_eq!(found.tangent, expected.tangent, epsilon = 1e-13);
                }
            }
        }
    }

    #[test]
    fn a_constant_has_no_tangent_even_where_the_slope_is_infinite() {
        assert_eq!(Dual::new(0.0, 0.0).sqrt().tangent, 0.0);
    }

    #[test]
    fn an_infinite_constant_has_no_tangent_whatever_constant_it_meets() {
        let (hidden, two) = (Dual::<f64>::from_f64(f64::NEG_INFINITY), Dual::from_f64(2.0));
        for y in [hidden * two, two * hidden, hidden / two, two / hidden, hidden - two, hidden.exp()] {
            assert_eq!(y.tangent, 0.0, "{y:?}");
        }
    }
}
