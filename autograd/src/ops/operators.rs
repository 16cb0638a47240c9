//! `+ − × ÷` on `Var`s and on numbers, in every combination: `2.0 * x * x + y`, `-x`, `1.0 - x`, `x / 3.0`.
//!
//! A plain number is an `f64`, whatever the tape's scalar is.

use super::arithmetic::{Add, Affine, Div, Mul, Neg, Sub};
use crate::{Float, Tensor, Var};
use std::ops;

impl<'t, T: Float> ops::Add for Var<'t, T> {
    type Output = Self;
    #[track_caller]
    fn add(self, b: Self) -> Self {
        self.tape().apply(Add, &[self, b])
    }
}

impl<'t, T: Float> ops::Sub for Var<'t, T> {
    type Output = Self;
    #[track_caller]
    fn sub(self, b: Self) -> Self {
        self.tape().apply(Sub, &[self, b])
    }
}

impl<'t, T: Float> ops::Mul for Var<'t, T> {
    type Output = Self;
    #[track_caller]
    fn mul(self, b: Self) -> Self {
        self.tape().apply(Mul, &[self, b])
    }
}

impl<'t, T: Float> ops::Div for Var<'t, T> {
    type Output = Self;
    #[track_caller]
    fn div(self, b: Self) -> Self {
        self.tape().apply(Div, &[self, b])
    }
}

impl<'t, T: Float> ops::Neg for Var<'t, T> {
    type Output = Self;
    #[track_caller]
    fn neg(self) -> Self {
        self.tape().apply(Neg, &[self])
    }
}

impl<'t, T: Float> ops::Add<f64> for Var<'t, T> {
    type Output = Self;
    #[track_caller]
    fn add(self, t: f64) -> Self {
        self.tape().apply(Affine { scale: 1.0, shift: t }, &[self])
    }
}

impl<'t, T: Float> ops::Sub<f64> for Var<'t, T> {
    type Output = Self;
    #[track_caller]
    fn sub(self, t: f64) -> Self {
        self.tape().apply(Affine { scale: 1.0, shift: -t }, &[self])
    }
}

impl<'t, T: Float> ops::Mul<f64> for Var<'t, T> {
    type Output = Self;
    #[track_caller]
    fn mul(self, s: f64) -> Self {
        self.scale(s)
    }
}

impl<'t, T: Float> ops::Div<f64> for Var<'t, T> {
    type Output = Self;
    #[track_caller]
    fn div(self, s: f64) -> Self {
        self / self.tape().constant(Tensor::scalar(T::from_f64(s)))
    }
}

impl<'t, T: Float> ops::Add<Var<'t, T>> for f64 {
    type Output = Var<'t, T>;
    #[track_caller]
    fn add(self, x: Var<'t, T>) -> Var<'t, T> {
        x + self
    }
}

impl<'t, T: Float> ops::Sub<Var<'t, T>> for f64 {
    type Output = Var<'t, T>;
    #[track_caller]
    fn sub(self, x: Var<'t, T>) -> Var<'t, T> {
        x.tape().apply(Affine { scale: -1.0, shift: self }, &[x])
    }
}

impl<'t, T: Float> ops::Mul<Var<'t, T>> for f64 {
    type Output = Var<'t, T>;
    #[track_caller]
    fn mul(self, x: Var<'t, T>) -> Var<'t, T> {
        x.scale(self)
    }
}

impl<'t, T: Float> ops::Div<Var<'t, T>> for f64 {
    type Output = Var<'t, T>;
    #[track_caller]
    fn div(self, x: Var<'t, T>) -> Var<'t, T> {
        x.tape().constant(Tensor::scalar(T::from_f64(self))) / x
    }
}
