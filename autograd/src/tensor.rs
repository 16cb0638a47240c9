//! `Tensor`: a shape and numbers. No gradient, no tape.
//!
//! Numbers lie contiguous and row-major. Cloning and reshaping share them; writing copies them first if they
//! are shared ([`Tensor::data_mut`]), so a tensor never changes behind another's back.

use crate::buffer::Buffer;
use crate::kernels::{pointwise, rows};
use crate::{Float, Shape};
use std::fmt;
use std::sync::Arc;

/// An n-dimensional array of `T`.
#[derive(Clone)]
pub struct Tensor<T: Float> {
    shape: Shape,
    storage: Arc<Buffer<T>>,
}

impl<T: Float> Tensor<T> {
    /// A tensor of the given numbers in row-major order.
    ///
    /// # Panics
    /// If there are more or fewer numbers than the shape holds.
    #[track_caller]
    pub fn new(shape: impl Into<Shape>, data: impl AsRef<[T]>) -> Self {
        let (shape, data) = (shape.into(), data.as_ref());
        assert_eq!(
            shape.numel(),
            data.len(),
            "a tensor {shape} holds {} numbers, not {}",
            shape.numel(),
            data.len()
        );
        Tensor::build(shape, |y| y.copy_from_slice(data))
    }

    /// The shape `[]`, one number.
    pub fn scalar(x: T) -> Self {
        Tensor::full([], x)
    }

    /// Every entry is `x`.
    pub fn full(shape: impl Into<Shape>, x: T) -> Self {
        let shape = shape.into();
        Tensor { storage: Arc::new(Buffer::filled(shape.numel(), x)), shape }
    }

    /// Every entry is 0.
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        Tensor::full(shape, T::ZERO)
    }

    /// Every entry is 1.
    pub fn ones(shape: impl Into<Shape>) -> Self {
        Tensor::full(shape, T::ONE)
    }

    /// Entry number `i` in row-major order is `f(i)`.
    pub fn from_fn(shape: impl Into<Shape>, mut f: impl FnMut(usize) -> T) -> Self {
        Tensor::build(shape, |y| {
            for (i, y) in y.iter_mut().enumerate() {
                *y = f(i);
            }
        })
    }

    /// A tensor whose numbers `write` fills in. It is handed memory with old contents and overwrites all of it.
    pub fn build(shape: impl Into<Shape>, write: impl FnOnce(&mut [T])) -> Self {
        let shape = shape.into();
        let mut numbers = Buffer::scratch(shape.numel());
        write(&mut numbers);
        Tensor { shape, storage: Arc::new(numbers) }
    }

    /// The sizes of the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How many numbers there are.
    #[inline]
    pub fn numel(&self) -> usize {
        self.storage.len()
    }

    /// The numbers in row-major order.
    #[inline]
    pub fn data(&self) -> &[T] {
        &self.storage
    }

    /// The numbers, to be changed; they are copied first if another tensor shares them.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [T] {
        Arc::<Buffer<T>>::make_mut(&mut self.storage)
    }

    /// The one number of a tensor that holds one.
    ///
    /// # Panics
    /// If it holds more or none.
    #[track_caller]
    pub fn item(&self) -> T {
        assert_eq!(self.numel(), 1, "item: a tensor {} is not one number", self.shape);
        self.data()[0]
    }

    /// The entry at an index with one coordinate an axis.
    ///
    /// # Panics
    /// If the index is not inside the shape.
    #[track_caller]
    pub fn at(&self, index: &[usize]) -> T {
        let inside =
            index.len() == self.shape.len() && index.iter().zip(&self.shape[..]).all(|(i, size)| i < size);
        assert!(inside, "index {index:?} is not inside {}", self.shape);
        self.data()[index.iter().zip(self.shape.strides()).map(|(i, stride)| i * stride).sum::<usize>()]
    }

    /// The index of entry number `i` in row-major order.
    ///
    /// # Panics
    /// If there is no such entry.
    #[track_caller]
    pub fn index_of(&self, i: usize) -> Vec<usize> {
        assert!(i < self.numel(), "entry {i} of a tensor {} of {} entries", self.shape, self.numel());
        self.shape.strides().iter().zip(&self.shape[..]).map(|(stride, size)| i / stride % size).collect()
    }

    /// The same numbers under another shape.
    ///
    /// # Panics
    /// If the other shape holds more or fewer numbers.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        assert_eq!(
            shape.numel(),
            self.numel(),
            "reshape: {} to {shape}: the number of entries differs",
            self.shape
        );
        Tensor { shape, storage: self.storage.clone() }
    }

    /// y = f(x), entry by entry.
    pub fn map(&self, f: impl Fn(T) -> T + Sync) -> Self {
        Tensor::build(&self.shape, |y| pointwise::map(self.data(), y, f))
    }

    /// self += other, entry by entry.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn add_assign(&mut self, other: &Tensor<T>) {
        assert_eq!(self.shape, other.shape, "add_assign takes equal shapes");
        match Arc::get_mut(&mut self.storage) {
            Some(own) => pointwise::add_assign(own, other.data()),
            None => *self = self.zip(other, |a, b| a + b),
        }
    }

    /// The same numbers at another precision.
    pub fn cast<U: Float>(&self) -> Tensor<U> {
        Tensor::from_fn(&self.shape, |i| U::from_f64(self.data()[i].to_f64()))
    }

    /// Whether no entry is infinite or NaN.
    #[inline]
    pub fn is_finite(&self) -> bool {
        rows::all_finite(self.data())
    }
}

/// `tensor [2, 3]: 1, 2, 3, 4, 5, 6`; a large one shows its first and last numbers.
impl<T: Float> fmt::Display for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tensor {}: ", self.shape)?;
        for (i, x) in self.data().iter().enumerate() {
            match i {
                8 if self.numel() > 16 => f.write_str(" … ")?,
                9.. if self.numel() > 16 && i < self.numel() - 4 => {}
                _ => {
                    let gap = if i == 0 || (self.numel() > 16 && i == self.numel() - 4) { "" } else { ", " };
                    f.write_str(gap)?;
                    fmt::Display::fmt(x, f)?;
                }
            }
        }
        Ok(())
    }
}

impl<T: Float> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: Float> PartialEq for Tensor<T> {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.data() == other.data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(shape: impl Into<Shape>) -> Tensor<f64> {
        Tensor::from_fn(shape, |i| i as f64)
    }

    #[test]
    fn writing_to_a_clone_leaves_the_original_alone() {
        let x = count([3]);
        let mut y = x.clone();
        y.data_mut()[0] = 7.0;
        assert_eq!((x.data(), y.data()), (&[0.0, 1.0, 2.0][..], &[7.0, 1.0, 2.0][..]));
    }

    #[test]
    fn axes_of_size_zero_and_scalars_are_tensors_too() {
        assert_eq!(count([0, 3]).zip(&count([1, 3]), |a, b| a + b).shape()[..], [0, 3]);
        assert_eq!(count([0, 3]).sum_to(&[3].into()).data(), [0.0; 3]);
        assert_eq!(Tensor::scalar(2.0).broadcast_to(&[2].into()).data(), [2.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "a tensor [2, 2] holds 4 numbers, not 3")]
    fn a_tensor_is_as_large_as_its_shape() {
        Tensor::new([2, 2], [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_large_tensor_prints_its_ends() {
        assert_eq!(count([3]).to_string(), "tensor [3]: 0, 1, 2");
        assert_eq!(count([20]).to_string(), "tensor [20]: 0, 1, 2, 3, 4, 5, 6, 7 … 16, 17, 18, 19");
    }
}
