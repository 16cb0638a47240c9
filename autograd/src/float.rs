//! `Float`: the scalar that everything is generic over.
//!
//! Training runs at `f32`, gradients are checked at `f64`, and [`Dual`](crate::Dual) sends the very same code
//! through forward mode. A scalar brings its arithmetic, its elementary functions, and the kernels that work
//! on whole slices of it; those have a textbook default, which `f32` and `f64` replace by vectorised code.

use crate::buffer::Pool;
use crate::kernels::causal_softmax::{self, Block};
use crate::kernels::maths::{self, Function};
use crate::kernels::{self, MatMul};
use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// A real number as the tape sees it: `f32`, `f64`, or a [`Dual`](crate::Dual) of either.
pub trait Float:
    Copy
    + Debug
    + Display
    + Default
    + PartialEq
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Sum
    + Send
    + Sync
    + 'static
{
    /// The neutral element of addition.
    const ZERO: Self;
    /// The neutral element of multiplication.
    const ONE: Self;

    /// The nearest representable number; a dual number gets the tangent 0.
    fn from_f64(x: f64) -> Self;
    /// The value, widened; a dual number loses its tangent.
    fn to_f64(self) -> f64;

    /// eˣ
    fn exp(self) -> Self;
    /// ln x, the natural logarithm
    fn ln(self) -> Self;
    /// √x
    fn sqrt(self) -> Self;
    /// tanh x
    fn tanh(self) -> Self;
    /// erf x = 2/√π ∫₀ˣ e^(−t²) dt
    fn erf(self) -> Self;
    /// xⁿ for a whole n
    fn powi(self, n: i32) -> Self;
    /// xᵖ for a real p
    fn powf(self, p: f64) -> Self;

    /// |x|; the derivative at 0 is taken as 0.
    #[inline]
    fn abs(self) -> Self {
        if self < Self::ZERO {
            -self
        } else if self == Self::ZERO {
            Self::ZERO
        } else {
            self
        }
    }

    /// Whether this is 0; for a dual number, value and tangent both.
    #[inline]
    fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Neither infinite nor NaN.
    #[inline]
    fn is_finite(self) -> bool {
        self.to_f64().is_finite()
    }

    /// Rounded to f32 and then to the nearest bfloat16 number (see [`bf16`](crate::kernels::bf16)). A dual number keeps its
    /// tangent, as if nothing had been rounded: a staircase has no slope to learn from.
    #[inline]
    fn round_to_bf16(self) -> Self {
        let rounded = f64::from(kernels::bf16::round(self.to_f64() as f32));
        match self.is_finite() && rounded.is_finite() {
            true => self + Self::from_f64(rounded - self.to_f64()), // exact: near one another, or the first is 0
            false => Self::from_f64(rounded),
        }
    }

    /// Lends this thread's pool of storage (see [`crate::buffer`]); a scalar without one asks the allocator.
    #[inline]
    fn with_pool<R>(_use_pool: impl FnOnce(&mut Pool<Self>) -> R) -> Option<R> {
        None
    }

    // Kernels: whole slices at once.

    /// C = A·B, or C += A·B; shapes, transposes and strides are in `plan`.
    fn matmul(plan: &MatMul, a: &[Self], b: &[Self], c: &mut [Self]) {
        kernels::naive::matmul(plan, a, b, c);
    }

    /// C = A·B + bias, the same row of `plan.n` numbers for every row of C.
    fn matmul_bias(plan: &MatMul, a: &[Self], b: &[Self], bias: &[Self], c: &mut [Self]) {
        kernels::repeat_rows(bias, plan, c);
        Self::matmul(&plan.accumulate(true), a, b, c);
    }

    /// y = gelu(U) and slope = gelu′(U), where U = A·B + bias as in [`matmul_bias`](Float::matmul_bias); y and slope are
    /// laid out as C is.
    fn matmul_bias_gelu(
        plan: &MatMul,
        a: &[Self],
        b: &[Self],
        bias: &[Self],
        y: &mut [Self],
        slope: &mut [Self],
    ) {
        Self::matmul_bias(plan, a, b, bias, slope);
        for i in 0..plan.m {
            for j in i * plan.ldc..i * plan.ldc + plan.n {
                let u = slope[j];
                (y[j], slope[j]) = (kernels::textbook::gelu(u), kernels::textbook::gelu_slope(u));
            }
        }
    }

    /// [`matmul`](Float::matmul) for many products of one shape: `starts` holds where the A, B and C of each begin. The Cs follow one
    /// another without overlap.
    fn matmul_batch(plan: &MatMul, starts: &[[usize; 3]], a: &[Self], b: &[Self], c: &mut [Self]) {
        for &[a_start, b_start, c_start] in starts {
            Self::matmul(plan, &a[a_start..], &b[b_start..], &mut c[c_start..]);
        }
    }

    /// y = eˣ, entry by entry.
    fn exp_slice(x: &[Self], y: &mut [Self]) {
        kernels::pointwise::map(x, y, Self::exp);
    }
    /// y ← e^(scale·y − shift), entry by entry.
    fn exp_affine(y: &mut [Self], scale: Self, shift: Self) {
        for y in y {
            *y = (scale * *y - shift).exp();
        }
    }
    /// A block of attention scores to weights; see [`Block`].
    fn causal_softmax(block: Block<Self>, scores: &mut [Self], statistics: &mut [[Self; 2]]) {
        block.forward_textbook(scores, statistics);
    }
    /// The way back through [`causal_softmax`](Float::causal_softmax).
    fn causal_softmax_vjp(
        block: Block<Self>,
        scores: &mut [Self],
        cotangents: &mut [Self],
        statistics: &[[Self; 2]],
        along: &[Self],
    ) {
        block.vjp_textbook(scores, cotangents, statistics, along);
    }
    /// y = ln x, entry by entry.
    fn ln_slice(x: &[Self], y: &mut [Self]) {
        kernels::pointwise::map(x, y, Self::ln);
    }
    /// y = tanh x, entry by entry.
    fn tanh_slice(x: &[Self], y: &mut [Self]) {
        kernels::pointwise::map(x, y, Self::tanh);
    }
    /// y = 1/(1 + e⁻ˣ), entry by entry.
    fn sigmoid_slice(x: &[Self], y: &mut [Self]) {
        kernels::pointwise::map(x, y, kernels::textbook::sigmoid);
    }
    /// y = ½·x·(1 + tanh u), u = √(2/π)·(x + 0.044715·x³), entry by entry.
    fn gelu_slice(x: &[Self], y: &mut [Self]) {
        kernels::pointwise::map(x, y, kernels::textbook::gelu);
    }
    /// x̄ = ȳ·gelu′(x), entry by entry; overwrites x̄.
    fn gelu_vjp_slice(x: &[Self], dy: &[Self], dx: &mut [Self]) {
        for (i, dx) in dx.iter_mut().enumerate() {
            *dx = dy[i] * kernels::textbook::gelu_slope(x[i]);
        }
    }
}

thread_local! {
    static POOL_F32: RefCell<Pool<f32>> = const { RefCell::new(Pool::new()) };
    static POOL_F64: RefCell<Pool<f64>> = const { RefCell::new(Pool::new()) };
}

impl Float for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;

    #[inline]
    fn from_f64(x: f64) -> f32 {
        x as f32
    }
    #[inline]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline]
    fn exp(self) -> f32 {
        f32::exp(self)
    }
    #[inline]
    fn ln(self) -> f32 {
        f32::ln(self)
    }
    #[inline]
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }
    #[inline]
    fn tanh(self) -> f32 {
        f32::tanh(self)
    }
    fn erf(self) -> f32 {
        libm::erff(self)
    }
    fn powi(self, n: i32) -> f32 {
        f32::powi(self, n)
    }
    fn powf(self, p: f64) -> f32 {
        f32::powf(self, p as f32)
    }
    #[inline]
    fn round_to_bf16(self) -> f32 {
        kernels::bf16::round(self)
    }
    fn matmul(plan: &MatMul, a: &[f32], b: &[f32], c: &mut [f32]) {
        kernels::matmul::matmul(plan, a, b, c);
    }
    fn matmul_bias(plan: &MatMul, a: &[f32], b: &[f32], bias: &[f32], c: &mut [f32]) {
        kernels::matmul::matmul_bias(plan, a, b, bias, c);
    }
    fn matmul_bias_gelu(plan: &MatMul, a: &[f32], b: &[f32], bias: &[f32], y: &mut [f32], slope: &mut [f32]) {
        kernels::matmul::matmul_bias_gelu(plan, a, b, bias, y, slope);
    }
    fn matmul_batch(plan: &MatMul, starts: &[[usize; 3]], a: &[f32], b: &[f32], c: &mut [f32]) {
        kernels::matmul::matmul_batch(plan, starts, a, b, c);
    }
    fn exp_slice(x: &[f32], y: &mut [f32]) {
        maths::map(Function::Exp, x, y);
    }
    fn ln_slice(x: &[f32], y: &mut [f32]) {
        maths::map(Function::Ln, x, y);
    }
    fn tanh_slice(x: &[f32], y: &mut [f32]) {
        maths::map(Function::Tanh, x, y);
    }
    fn sigmoid_slice(x: &[f32], y: &mut [f32]) {
        maths::map(Function::Sigmoid, x, y);
    }
    fn gelu_slice(x: &[f32], y: &mut [f32]) {
        maths::map(Function::Gelu, x, y);
    }
    fn gelu_vjp_slice(x: &[f32], dy: &[f32], dx: &mut [f32]) {
        maths::gelu_vjp(x, dy, dx);
    }
    fn causal_softmax(block: Block<f32>, scores: &mut [f32], statistics: &mut [[f32; 2]]) {
        causal_softmax::forward(block, scores, statistics);
    }
    fn causal_softmax_vjp(
        block: Block<f32>,
        scores: &mut [f32],
        cotangents: &mut [f32],
        statistics: &[[f32; 2]],
        along: &[f32],
    ) {
        causal_softmax::vjp(block, scores, cotangents, statistics, along);
    }
    fn exp_affine(y: &mut [f32], scale: f32, shift: f32) {
        maths::exp_affine(y, scale, shift);
    }
    #[inline]
    fn with_pool<R>(use_pool: impl FnOnce(&mut Pool<f32>) -> R) -> Option<R> {
        POOL_F32.try_with(|pool| use_pool(&mut pool.borrow_mut())).ok()
    }
}

impl Float for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;

    #[inline]
    fn from_f64(x: f64) -> f64 {
        x
    }
    #[inline]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline]
    fn exp(self) -> f64 {
        f64::exp(self)
    }
    #[inline]
    fn ln(self) -> f64 {
        f64::ln(self)
    }
    #[inline]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    #[inline]
    fn tanh(self) -> f64 {
        f64::tanh(self)
    }
    fn erf(self) -> f64 {
        libm::erf(self)
    }
    fn powi(self, n: i32) -> f64 {
        f64::powi(self, n)
    }
    fn powf(self, p: f64) -> f64 {
        f64::powf(self, p)
    }
    fn matmul(plan: &MatMul, a: &[f64], b: &[f64], c: &mut [f64]) {
        kernels::matmul::matmul(plan, a, b, c);
    }
    fn matmul_bias(plan: &MatMul, a: &[f64], b: &[f64], bias: &[f64], c: &mut [f64]) {
        kernels::matmul::matmul_bias(plan, a, b, bias, c);
    }
    fn matmul_bias_gelu(plan: &MatMul, a: &[f64], b: &[f64], bias: &[f64], y: &mut [f64], slope: &mut [f64]) {
        kernels::matmul::matmul_bias_gelu(plan, a, b, bias, y, slope);
    }
    fn matmul_batch(plan: &MatMul, starts: &[[usize; 3]], a: &[f64], b: &[f64], c: &mut [f64]) {
        kernels::matmul::matmul_batch(plan, starts, a, b, c);
    }
    fn exp_slice(x: &[f64], y: &mut [f64]) {
        maths::map(Function::Exp, x, y);
    }
    fn ln_slice(x: &[f64], y: &mut [f64]) {
        maths::map(Function::Ln, x, y);
    }
    fn tanh_slice(x: &[f64], y: &mut [f64]) {
        maths::map(Function::Tanh, x, y);
    }
    fn sigmoid_slice(x: &[f64], y: &mut [f64]) {
        maths::map(Function::Sigmoid, x, y);
    }
    fn gelu_slice(x: &[f64], y: &mut [f64]) {
        maths::map(Function::Gelu, x, y);
    }
    fn gelu_vjp_slice(x: &[f64], dy: &[f64], dx: &mut [f64]) {
        maths::gelu_vjp(x, dy, dx);
    }
    fn causal_softmax(block: Block<f64>, scores: &mut [f64], statistics: &mut [[f64; 2]]) {
        causal_softmax::forward(block, scores, statistics);
    }
    fn causal_softmax_vjp(
        block: Block<f64>,
        scores: &mut [f64],
        cotangents: &mut [f64],
        statistics: &[[f64; 2]],
        along: &[f64],
    ) {
        causal_softmax::vjp(block, scores, cotangents, statistics, along);
    }
    fn exp_affine(y: &mut [f64], scale: f64, shift: f64) {
        maths::exp_affine(y, scale, shift);
    }
    #[inline]
    fn with_pool<R>(use_pool: impl FnOnce(&mut Pool<f64>) -> R) -> Option<R> {
        POOL_F64.try_with(|pool| use_pool(&mut pool.borrow_mut())).ok()
    }
}
