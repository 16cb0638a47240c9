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
        let mut tensor = Tensor::scratch(shape.into());
        write(tensor.data_mut());
        tensor
    }

    /// A tensor whose numbers are old contents, to be overwritten.
    fn scratch(shape: Shape) -> Self {
        let storage = Buffer::scratch(shape.numel());
        Tensor { shape, storage: Arc::new(storage) }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How many numbers there are.
    pub fn numel(&self) -> usize {
        self.storage.len()
    }

    /// The numbers in row-major order.
    pub fn data(&self) -> &[T] {
        &self.storage
    }

    /// The numbers, to be changed; they are copied first if another tensor shares them.
    pub fn data_mut(&mut self) -> &mut [T] {
        if Arc::get_mut(&mut self.storage).is_none() {
            *self = Tensor::new(self.shape.clone(), self.data());
        }
        Arc::get_mut(&mut self.storage).expect("just copied, so not shared")
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
    pub fn index_of(&self, i: usize) -> Vec<usize> {
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

    /// y = f(a, b), entry by entry, with broadcasting.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn zip(&self, other: &Tensor<T>, f: impl Fn(T, T) -> T + Sync) -> Self {
        let (a, b) = (self.data(), other.data());
        if self.shape == other.shape {
            return Tensor::build(&self.shape, |y| pointwise::zip(a, b, y, f));
        }
        let Some(shape) = Shape::broadcast(&self.shape, &other.shape) else {
            panic!("{} and {} do not broadcast: two sizes differ and neither is 1", self.shape, other.shape)
        };
        let strides = [self.shape.broadcast_strides(&shape), other.shape.broadcast_strides(&shape)];
        Tensor::build(&shape, |y| {
            for_each_row(&shape, [&strides[0], &strides[1]], |row, [at_a, at_b], [step_a, step_b]| {
                for (i, y) in y[row].iter_mut().enumerate() {
                    *y = f(a[at_a + i * step_a], b[at_b + i * step_b]);
                }
            });
        })
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

    /// The tensor repeated along its missing axes and its axes of size 1.
    ///
    /// # Panics
    /// If it does not broadcast to `shape`.
    #[track_caller]
    pub fn broadcast_to(&self, shape: &Shape) -> Self {
        if self.shape == *shape {
            return self.clone();
        }
        let fits = Shape::broadcast(&self.shape, shape).as_ref() == Some(shape);
        assert!(fits, "{} does not broadcast to {shape}", self.shape);
        let (x, strides) = (self.data(), self.shape.broadcast_strides(shape));
        Tensor::build(shape, |y| {
            for_each_row(shape, [&strides], |row, [at], [step]| {
                for (i, y) in y[row].iter_mut().enumerate() {
                    *y = x[at + i * step];
                }
            });
        })
    }

    /// The transpose of [`broadcast_to`](Tensor::broadcast_to): entries that came from one are summed into it.
    ///
    /// # Panics
    /// If `shape` does not broadcast to this one.
    #[track_caller]
    pub fn sum_to(&self, shape: &Shape) -> Self {
        if self.shape == *shape {
            return self.clone();
        }
        let fits = Shape::broadcast(&self.shape, shape).as_ref() == Some(&self.shape);
        assert!(fits, "{shape} does not broadcast to {}", self.shape);
        if self.shape.ends_with(shape) {
            return Tensor::build(shape, |y| rows::column_sums(self.data(), y));
        }
        let (x, strides) = (self.data(), shape.broadcast_strides(&self.shape));
        let mut sum = Tensor::zeros(shape);
        let y = sum.data_mut();
        for_each_row(&self.shape, [&strides], |row, [at], [step]| {
            for (i, &x) in x[row].iter().enumerate() {
                y[at + i * step] += x;
            }
        });
        sum
    }

    /// Axis `i` of the result is axis `order[i]` of this tensor.
    ///
    /// # Panics
    /// If `order` is not a permutation of the axes.
    #[track_caller]
    pub fn permute(&self, order: &[usize]) -> Self {
        let mut seen = crate::shape::Axes::from_slice(order);
        seen.sort_unstable();
        assert!(
            seen.iter().copied().eq(0..self.shape.len()),
            "permute: {order:?} is no order of the axes of {}",
            self.shape
        );
        if order.is_sorted() {
            return self.clone();
        }
        let shape: Shape = order.iter().map(|&axis| self.shape[axis]).collect();
        let own = self.shape.strides();
        let strides: crate::shape::Axes = order.iter().map(|&axis| own[axis]).collect();
        let x = self.data();
        Tensor::build(&shape, |y| {
            for_each_row(&shape, [&strides], |row, [at], [step]| {
                for (i, y) in y[row].iter_mut().enumerate() {
                    *y = x[at + i * step];
                }
            });
        })
    }

    /// The same numbers at another precision.
    pub fn cast<U: Float>(&self) -> Tensor<U> {
        Tensor::from_fn(&self.shape, |i| U::from_f64(self.data()[i].to_f64()))
    }

    /// Whether no entry is infinite or NaN.
    pub fn is_finite(&self) -> bool {
        self.data().iter().all(|x| x.is_finite())
    }
}

/// Visits a row-major array of `shape` row by row (a row is the last axis), together with `N` other arrays
/// read with their own strides: `visit(where the row lies, where it starts in each, its step in each)`.
fn for_each_row<const N: usize>(
    shape: &Shape,
    strides: [&[usize]; N],
    mut visit: impl FnMut(std::ops::Range<usize>, [usize; N], [usize; N]),
) {
    let Some((&width, outer)) = shape.split_last() else {
        return visit(0..1, [0; N], [0; N]);
    };
    let rows: usize = outer.iter().product();
    let mut index = crate::shape::Axes::from_elem(0, outer.len());
    let mut starts = [0; N];
    for row in 0..rows {
        visit(row * width..(row + 1) * width, starts, strides.map(|strides| strides[outer.len()]));
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            for (start, strides) in starts.iter_mut().zip(strides) {
                *start += strides[axis];
            }
            if index[axis] < outer[axis] {
                break;
            }
            for (start, strides) in starts.iter_mut().zip(strides) {
                *start -= strides[axis] * outer[axis];
            }
            index[axis] = 0;
        }
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
    fn a_row_and_a_column_broadcast_to_a_table() {
        let (column, row) = (count([2, 1]), count([3]));
        assert_eq!(column.zip(&row, |a, b| 10.0 * a + b).data(), [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
    }

    #[test]
    fn summing_to_a_shape_is_the_transpose_of_broadcasting_to_it() {
        let (small, large): (Shape, Shape) = ([3, 1].into(), [2, 3, 4].into());
        let (x, y) = (count(&small), count(&large).map(|y| y.sin()));
        let dot =
            |a: &Tensor<f64>, b: &Tensor<f64>| a.data().iter().zip(b.data()).map(|(a, b)| a * b).sum::<f64>();
        approx::assert_relative_eq!(
            dot(&x.broadcast_to(&large), &y),
            dot(&x, &y.sum_to(&small)),
            epsilon = 1e-12
        );
    }

    #[test]
    fn a_permutation_moves_every_entry() {
        let x = count([2, 3, 4]);
        let y = x.permute(&[2, 0, 1]);
        assert_eq!(y.shape()[..], [4, 2, 3]);
        for i in 0..24 {
            let [a, b, c] = x.index_of(i)[..] else { unreachable!() };
            assert_eq!(y.at(&[c, a, b]), x.at(&[a, b, c]));
        }
    }

    #[test]
    fn writing_to_a_clone_leaves_the_original_alone() {
        let x = count([3]);
        let mut y = x.clone();
        y.data_mut()[0] = 7.0;
        assert_eq!((x.data()[0], y.data()[0]), (0.0, 7.0));
    }

    #[test]
    fn axes_of_size_zero_and_scalars_are_tensors_too() {
        assert_eq!(count([0, 3]).zip(&count([1, 3]), |a, b| a + b).shape()[..], [0, 3]);
        assert_eq!(count([0, 3]).sum_to(&[3].into()).data(), [0.0; 3]);
        assert_eq!(Tensor::scalar(2.0).broadcast_to(&[2].into()).data(), [2.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "[2, 3] and [4] do not broadcast")]
    fn shapes_that_do_not_broadcast_are_named() {
        count([2, 3]).zip(&count([4]), |a, _| a);
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
