//! Tensors of different shapes together: broadcasting, its transpose, and axes in another order.
//!
//! All of them visit the rows of one array in order and step through the others with strides of their own; a repeated
//! axis has the stride 0.

use crate::kernels::{pointwise, rows};
use crate::shape::Axes;
use crate::{Float, Shape, Tensor};

/// From so many numbers on, a row is worth a call of its own.
const LONG: usize = 16;

impl<T: Float> Tensor<T> {
    /// y = f(a, b), entry by entry, with broadcasting.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn zip(&self, other: &Tensor<T>, f: impl Fn(T, T) -> T + Sync) -> Self {
        let (a, b) = (self.data(), other.data());
        if self.shape() == other.shape() {
            return Tensor::build(self.shape(), |y| pointwise::zip(a, b, y, f));
        }
        if self.shape().ends_with(other.shape()) && b.len() >= LONG {
            return Tensor::build(self.shape(), |y| {
                let rows = a.chunks_exact(b.len()).zip(y.chunks_exact_mut(b.len()));
                rows.for_each(|(a, y)| pointwise::zip(a, b, y, &f));
            });
        }
        let Some(shape) = Shape::broadcast(self.shape(), other.shape()) else {
            panic!(
                "{} and {} do not broadcast: two sizes differ and neither is 1",
                self.shape(),
                other.shape()
            )
        };
        let strides = [self.shape().broadcast_strides(&shape), other.shape().broadcast_strides(&shape)];
        Tensor::build(&shape, |y| {
            for_each_row(&shape, [&strides[0], &strides[1]], |row, [at_a, at_b], [step_a, step_b]| {
                for (i, y) in y[row].iter_mut().enumerate() {
                    *y = f(a[at_a + i * step_a], b[at_b + i * step_b]);
                }
            });
        })
    }

    /// The tensor repeated along its missing axes and its axes of size 1.
    ///
    /// # Panics
    /// If it does not broadcast to `shape`.
    #[track_caller]
    pub fn broadcast_to(&self, shape: &Shape) -> Self {
        if self.shape() == shape {
            return self.clone();
        }
        let fits = Shape::broadcast(self.shape(), shape).as_ref() == Some(shape);
        assert!(fits, "{} does not broadcast to {shape}", self.shape());
        let (x, strides) = (self.data(), self.shape().broadcast_strides(shape));
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
        if self.shape() == shape {
            return self.clone();
        }
        let fits = Shape::broadcast(self.shape(), shape).as_ref() == Some(self.shape());
        assert!(fits, "{shape} does not broadcast to {}", self.shape());
        if self.shape().ends_with(shape) {
            return Tensor::build(shape, |y| rows::column_sums(self.data(), y));
        }
        let (x, strides) = (self.data(), shape.broadcast_strides(self.shape()));
        let mut sum = Tensor::zeros(shape);
        let y = sum.data_mut();
        for_each_row(self.shape(), [&strides], |row, [at], [step]| {
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
        let mut seen = Axes::from_slice(order);
        seen.sort_unstable();
        assert!(
            seen.iter().copied().eq(0..self.shape().len()),
            "permute: {order:?} is no order of the axes of {}",
            self.shape()
        );
        if order.is_sorted() {
            return self.clone();
        }
        let shape: Shape = order.iter().map(|&axis| self.shape()[axis]).collect();
        let own = self.shape().strides();
        let strides: Axes = order.iter().map(|&axis| own[axis]).collect();
        let x = self.data();
        Tensor::build(&shape, |y| {
            for_each_row(&shape, [&strides], |row, [at], [step]| {
                for (i, y) in y[row].iter_mut().enumerate() {
                    *y = x[at + i * step];
                }
            });
        })
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
    let mut index = Axes::from_elem(0, outer.len());
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
    #[should_panic(expected = "[2, 3] and [4] do not broadcast")]
    fn shapes_that_do_not_broadcast_are_named() {
        count([2, 3]).zip(&count([4]), |a, _| a);
    }
}
