//! Choosing between entries: elementwise maximum and minimum, and choice by a mask.

use crate::{At, Cotangents, Float, Op, Saved, Shape, Tensor, Var};

/// ```text
/// y = max(a, b)     ā = ȳ·[a > b]      b̄ = ȳ·[b > a]      at a tie each gets half
/// ```
pub struct Maximum;

impl<T: Float> Op<T> for Maximum {
    fn name(&self) -> &'static str {
        "maximum"
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].zip(x[1], |a, b| if a < b { b } else { larger_or_tie(a, b) })
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let (a, b) = (at.x[0], at.x[1]);
        dx.add(0, || at.dy.zip(&a.zip(b, share_of_larger), |dy, share| dy * share));
        dx.add(1, || at.dy.zip(&b.zip(a, share_of_larger), |dy, share| dy * share));
    }
}

/// ```text
/// y = min(a, b)     ā = ȳ·[a < b]      b̄ = ȳ·[b < a]      at a tie each gets half
/// ```
pub struct Minimum;

impl<T: Float> Op<T> for Minimum {
    fn name(&self) -> &'static str {
        "minimum"
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].zip(x[1], |a, b| if b < a { b } else { smaller_or_tie(a, b) })
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let (a, b) = (at.x[0], at.x[1]);
        dx.add(0, || at.dy.zip(&b.zip(a, share_of_larger), |dy, share| dy * share));
        dx.add(1, || at.dy.zip(&a.zip(b, share_of_larger), |dy, share| dy * share));
    }
}

/// 1 if a > b, ½ at a tie, 0 otherwise.
fn share_of_larger<T: Float>(a: T, b: T) -> T {
    if a > b {
        T::ONE
    } else if a == b {
        T::from_f64(0.5)
    } else {
        T::ZERO
    }
}

/// a, unless it ties with b: then the mean of the two, which has the same value and half of each's tangent.
fn larger_or_tie<T: Float>(a: T, b: T) -> T {
    if a == b && a.is_finite() {
        a + (b - a) * T::from_f64(0.5)
    } else if a >= b {
        a
    } else {
        a + b // b, but NaN where one of them is
    }
}

fn smaller_or_tie<T: Float>(a: T, b: T) -> T {
    -larger_or_tie(-a, -b)
}

/// ```text
/// y = mask ? a : b      ā = mask ? ȳ : 0      b̄ = mask ? 0 : ȳ
/// ```
/// The mask broadcasts with a and b; an entry that is not 0 means yes.
pub struct Where<T: Float> {
    mask: Tensor<T>,
}

impl<T: Float> Op<T> for Where<T> {
    fn name(&self) -> &'static str {
        "where"
    }
    fn details(&self) -> String {
        format!("by a mask {}", self.mask.shape())
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        let mut shape = self.mask.shape().clone();
        for x in x {
            let Some(both) = Shape::broadcast(&shape, x.shape()) else {
                panic!("where: {shape} and {} do not broadcast", x.shape())
            };
            shape = both;
        }
        let (mask, a, b) =
            (self.mask.broadcast_to(&shape), x[0].broadcast_to(&shape), x[1].broadcast_to(&shape));
        Tensor::from_fn(&shape, |i| if mask.data()[i] != T::ZERO { a.data()[i] } else { b.data()[i] })
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || at.dy.zip(&self.mask, |dy, yes| if yes != T::ZERO { dy } else { T::ZERO }));
        dx.add(1, || at.dy.zip(&self.mask, |dy, yes| if yes != T::ZERO { T::ZERO } else { dy }));
    }
}

/// ```text
/// y = mask ? value : x      x̄ = mask ? 0 : ȳ
/// ```
/// The mask broadcasts with x; an entry that is not 0 means yes.
pub struct MaskedFill<T: Float> {
    mask: Tensor<T>,
    value: f64,
}

impl<T: Float> Op<T> for MaskedFill<T> {
    fn name(&self) -> &'static str {
        "masked_fill"
    }
    fn details(&self) -> String {
        format!("{} where the mask {} says so", self.value, self.mask.shape())
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        let value = T::from_f64(self.value);
        x[0].zip(&self.mask, |x, yes| if yes != T::ZERO { value } else { x })
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || at.dy.zip(&self.mask, |dy, yes| if yes != T::ZERO { T::ZERO } else { dy }));
    }
    fn means_infinity(&self) -> bool {
        self.value.is_infinite()
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// max(self, b), entry by entry, with broadcasting; at a tie each side gets half of the gradient.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn maximum(self, b: Self) -> Self {
        self.tape().apply(Maximum, &[self, b])
    }

    /// min(self, b), entry by entry, with broadcasting; at a tie each side gets half of the gradient.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn minimum(self, b: Self) -> Self {
        self.tape().apply(Minimum, &[self, b])
    }

    /// self where the mask is not 0, `otherwise` where it is; all three broadcast.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn where_mask(self, mask: &Tensor<T>, otherwise: Self) -> Self {
        self.tape().apply(Where { mask: mask.clone() }, &[self, otherwise])
    }

    /// `value` where the mask is not 0, self elsewhere; the mask broadcasts with self.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn masked_fill(self, mask: &Tensor<T>, value: f64) -> Self {
        self.tape().apply(MaskedFill { mask: mask.clone(), value }, &[self])
    }
}
