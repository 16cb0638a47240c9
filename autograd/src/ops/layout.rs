//! Ops that move numbers and compute nothing: reshape, permute, broadcast, slice, concatenate.
//! Each vjp moves the cotangents back to where the numbers came from, and sums them where a number was copied.

use crate::shape::Axes;
use crate::{At, Cotangents, Float, Op, Saved, Shape, Tensor, Var};
use std::ops::Range;

/// ```text
/// y = x under another shape           x̄ = ȳ under x's shape
/// ```
pub struct Reshape(Shape);

impl<T: Float> Op<T> for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].reshape(&self.0)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || at.dy.reshape(at.x[0].shape()));
    }
    fn flops(&self, _: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        0
    }
}

/// ```text
/// axis i of y = axis order[i] of x    axis order[i] of x̄ = axis i of ȳ
/// ```
pub struct Permute(Axes);

impl<T: Float> Op<T> for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }
    fn details(&self) -> String {
        format!("order {}", super::list(&self.0))
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].permute(&self.0)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let mut inverse: Axes = self.0.clone();
        for (i, &axis) in self.0.iter().enumerate() {
            inverse[axis] = i;
        }
        dx.add(0, || at.dy.permute(&inverse));
    }
    fn flops(&self, _: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        0
    }
}

/// ```text
/// y = x repeated to a larger shape    x̄ = Σ of ȳ over the repeated axes
/// ```
pub struct Broadcast(Shape);

impl<T: Float> Op<T> for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        x[0].broadcast_to(&self.0)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        dx.add(0, || at.dy.clone()); // Cotangents::add takes the sum
    }
    fn flops(&self, _: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        0
    }
}

/// ```text
/// y = x[…, start..end, …]             x̄[…, start..end, …] = ȳ, 0 elsewhere
/// ```
pub struct Slice {
    axis: usize,
    range: Range<usize>,
}

impl<T: Float> Op<T> for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }
    fn details(&self) -> String {
        format!("{}..{} of axis {}", self.range.start, self.range.end, self.axis)
    }
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        let blocks = Blocks::of(x[0].shape(), self.axis);
        let sizes = x[0].shape().iter().enumerate();
        let shape: Shape =
            sizes.map(|(axis, &size)| if axis == self.axis { self.range.len() } else { size }).collect();
        Tensor::build(shape, |y| {
            for (outer, y) in y.chunks_exact_mut((self.range.len() * blocks.inner).max(1)).enumerate() {
                y.copy_from_slice(&x[0].data()[blocks.range(outer, &self.range)]);
            }
        })
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let blocks = Blocks::of(at.x[0].shape(), self.axis);
        dx.add_in_place(0, |dx, accumulate| {
            if !accumulate {
                dx.fill(T::ZERO);
            }
            for (outer, dy) in at.dy.data().chunks_exact((self.range.len() * blocks.inner).max(1)).enumerate()
            {
                for (dx, &dy) in dx[blocks.range(outer, &self.range)].iter_mut().zip(dy) {
                    *dx += dy;
                }
            }
        });
    }
    fn flops(&self, _: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        0
    }
}

/// ```text
/// y = [a; b; …] along an axis         ā, b̄, … = the parts of ȳ
/// ```
pub struct Concat {
    axis: usize,
}

impl<T: Float> Op<T> for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }
    fn details(&self) -> String {
        format!("axis {}", self.axis)
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        let first = x[0].shape();
        for x in x {
            let others = |shape: &Shape| shape.with_ones(&[self.axis]);
            let fits = x.shape().len() == first.len() && others(x.shape()) == others(first);
            assert!(fits, "concat along axis {}: {first} and {}: another axis differs", self.axis, x.shape());
        }
        let length: usize = x.iter().map(|x| x.shape()[self.axis]).sum();
        let sizes = first.iter().enumerate();
        let shape: Shape = sizes.map(|(axis, &size)| if axis == self.axis { length } else { size }).collect();
        let whole = Blocks::of(&shape, self.axis);
        Tensor::build(&shape, |y| {
            for (x, range) in x.iter().zip(parts(x, self.axis)) {
                for (outer, x) in x.data().chunks_exact((range.len() * whole.inner).max(1)).enumerate() {
                    y[whole.range(outer, &range)].copy_from_slice(x);
                }
            }
        })
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        for (i, range) in parts(at.x, self.axis).into_iter().enumerate() {
            dx.add(i, || Slice { axis: self.axis, range }.forward(&[at.dy], &mut Saved::new()));
        }
    }
    fn flops(&self, _: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        0
    }
}

/// Where each part lies along the axis of the whole.
fn parts<T: Float>(x: &[&Tensor<T>], axis: usize) -> Vec<Range<usize>> {
    let ends = x.iter().scan(0, |end, x| {
        let start = *end;
        *end += x.shape()[axis];
        Some(start..*end)
    });
    ends.collect()
}

/// A shape seen from one of its axes, `[outer, axis, inner]`.
struct Blocks {
    size: usize,
    inner: usize,
}

impl Blocks {
    fn of(shape: &Shape, axis: usize) -> Self {
        Blocks { size: shape[axis], inner: shape[axis + 1..].iter().product() }
    }

    /// Where `[outer, range, all]` lies in storage.
    fn range(&self, outer: usize, range: &Range<usize>) -> Range<usize> {
        let start = outer * self.size;
        (start + range.start) * self.inner..(start + range.end) * self.inner
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The same numbers under another shape; they are not copied.
    ///
    /// # Panics
    /// If the other shape holds more or fewer numbers.
    #[track_caller]
    pub fn reshape(self, shape: impl Into<Shape>) -> Self {
        self.tape().apply(Reshape(shape.into()), &[self])
    }

    /// Axis `i` of the result is axis `order[i]` of this.
    ///
    /// # Panics
    /// If `order` is not a permutation of the axes.
    #[track_caller]
    pub fn permute(self, order: &[usize]) -> Self {
        self.tape().apply(Permute(Axes::from_slice(order)), &[self])
    }

    /// Two axes exchanged.
    ///
    /// # Panics
    /// If one does not exist.
    #[track_caller]
    pub fn transpose(self, a: isize, b: isize) -> Self {
        let shape = self.shape();
        let mut order: Axes = (0..shape.len()).collect();
        order.swap(shape.axis(a), shape.axis(b));
        self.tape().apply(Permute(order), &[self])
    }

    /// A new axis of size 1 before position `axis` (negative: counted from the end of the result).
    ///
    /// # Panics
    /// If the result would have no such axis.
    #[track_caller]
    pub fn unsqueeze(self, axis: isize) -> Self {
        let shape = self.shape();
        let with_one: Shape = shape.iter().copied().chain([1]).collect();
        let axis = with_one.axis(axis);
        let shape: Shape = shape[..axis].iter().chain(&[1]).chain(&shape[axis..]).copied().collect();
        self.tape().apply(Reshape(shape), &[self])
    }

    /// Repeated to a larger shape.
    ///
    /// # Panics
    /// If the shape does not broadcast to it.
    #[track_caller]
    pub fn broadcast_to(self, shape: impl Into<Shape>) -> Self {
        self.tape().apply(Broadcast(shape.into()), &[self])
    }

    /// The entries `range` of one axis.
    ///
    /// # Panics
    /// If the axis does not exist or is shorter.
    #[track_caller]
    pub fn slice(self, axis: isize, range: Range<usize>) -> Self {
        let shape = self.shape();
        let axis = shape.axis(axis);
        let inside = range.start <= range.end && range.end <= shape[axis];
        assert!(inside, "slice: {range:?} is not inside axis {axis} of {shape}");
        self.tape().apply(Slice { axis, range }, &[self])
    }

    /// One after the other along an axis.
    ///
    /// # Panics
    /// If there are none, if there is no such axis, if another axis differs, or if they are of several tapes.
    #[track_caller]
    pub fn concat(parts: &[Self], axis: isize) -> Self {
        let Some(first) = parts.first() else { panic!("concat: of nothing") };
        first.tape().apply(Concat { axis: first.shape().axis(axis) }, parts)
    }
}
