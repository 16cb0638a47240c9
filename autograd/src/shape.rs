//! `Shape`: the sizes of a tensor's axes, and the arithmetic on them.
//!
//! Storage is row-major: the last axis is contiguous. Axes may be counted from the end, `-1` being the last.
//! Broadcasting follows NumPy: shapes are aligned at their last axis, a missing axis counts as 1, and an axis
//! of size 1 is repeated to meet the other's size.

use smallvec::SmallVec;
use std::fmt;
use std::ops::Deref;

/// A list with one entry an axis, on the stack up to four axes.
pub type Axes = SmallVec<[usize; 4]>;

/// The sizes of a tensor's axes; `[]` is the shape of a scalar.
#[derive(PartialEq, Eq, Hash, Default)]
pub struct Shape(Axes);

/// By copying the sizes at once; [`SmallVec`]'s own clone takes them one by one.
impl Clone for Shape {
    #[inline]
    fn clone(&self) -> Self {
        Shape(Axes::from_slice(self))
    }
}

impl Shape {
    /// How many numbers a tensor of this shape holds.
    ///
    /// # Panics
    /// If there are more than can be counted, axes of size 0 aside.
    #[inline]
    pub fn numel(&self) -> usize {
        let (mut numel, mut empty) = (1_usize, false);
        for &size in self.iter() {
            empty |= size == 0;
            numel = numel.checked_mul(size.max(1)).unwrap_or_else(|| self.too_large());
        }
        if empty { 0 } else { numel }
    }

    #[cold]
    fn too_large(&self) -> ! {
        panic!("a tensor {self} would hold more numbers than can be counted")
    }

    /// The position of `axis`, which may be negative.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn axis(&self, axis: isize) -> usize {
        let rank = self.len() as isize;
        assert!((-rank..rank).contains(&axis), "axis {axis} of {self}: it has {rank} axes");
        axis.rem_euclid(rank) as usize
    }

    /// The positions of several axes, in ascending order.
    ///
    /// # Panics
    /// If one does not exist or is named twice.
    #[track_caller]
    pub fn axes(&self, axes: &[isize]) -> Axes {
        let mut positions: Axes = SmallVec::new();
        for &axis in axes {
            positions.push(self.axis(axis));
        }
        positions.sort_unstable();
        assert!(
            positions.windows(2).all(|pair| pair[0] != pair[1]),
            "axes {axes:?} of {self}: one is named twice"
        );
        positions
    }

    /// Steps, in numbers, from one index of each axis to the next: `[2, 3, 4]` has `[12, 4, 1]`.
    #[inline]
    pub fn strides(&self) -> Axes {
        let mut strides: Axes = SmallVec::from_elem(1, self.len());
        for axis in (1..self.len()).rev() {
            strides[axis - 1] = strides[axis] * self[axis];
        }
        strides
    }

    /// The shape of `a ∘ b` for a pointwise ∘, or `None` where two sizes differ and neither is 1.
    pub fn broadcast(a: &Shape, b: &Shape) -> Option<Shape> {
        let rank = a.len().max(b.len());
        let mut sizes: Axes = SmallVec::from_elem(0, rank);
        for axis in 0..rank {
            sizes[axis] = match (a.aligned(axis, rank), b.aligned(axis, rank)) {
                (m, n) if m == n => m,
                (1, n) => n,
                (m, 1) => m,
                _ => return None,
            };
        }
        Some(Shape(sizes))
    }

    /// Strides for reading a tensor of this shape as if it had shape `out`: 0 along every repeated axis.
    #[inline]
    pub fn broadcast_strides(&self, out: &Shape) -> Axes {
        let missing = out.len() - self.len();
        let mut strides: Axes = SmallVec::from_elem(0, missing);
        let sizes_and_strides = self.iter().zip(self.strides());
        strides.extend(sizes_and_strides.map(|(&size, stride)| if size == 1 { 0 } else { stride }));
        strides
    }

    /// The size of `axis` when this shape is aligned at the last axis with one of `rank` axes.
    fn aligned(&self, axis: usize, rank: usize) -> usize {
        let missing = rank - self.len();
        if axis < missing { 1 } else { self[axis - missing] }
    }

    /// This shape without the given positions, as after a reduction over them.
    pub fn without(&self, positions: &[usize]) -> Shape {
        self.iter().enumerate().filter(|(axis, _)| !positions.contains(axis)).map(|(_, &size)| size).collect()
    }

    /// This shape with size 1 at the given positions: a reduction that keeps its axes.
    pub fn with_ones(&self, positions: &[usize]) -> Shape {
        self.iter()
            .enumerate()
            .map(|(axis, &size)| if positions.contains(&axis) { 1 } else { size })
            .collect()
    }
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(sizes: I) -> Self {
        let mut axes = Axes::new();
        sizes.into_iter().for_each(|size| axes.push(size)); // faster than `collect` for a few: it asks how many come
        Shape(axes)
    }
}

impl<const RANK: usize> From<[usize; RANK]> for Shape {
    fn from(sizes: [usize; RANK]) -> Self {
        Shape(Axes::from_slice(&sizes))
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Self {
        Shape(Axes::from_slice(sizes))
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl From<Vec<usize>> for Shape {
    fn from(sizes: Vec<usize>) -> Self {
        Shape(Axes::from_vec(sizes))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0[..])
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_of_one_is_repeated_and_a_missing_axis_counts_as_one() {
        let broadcast = |a: &[usize], b: &[usize]| Shape::broadcast(&a.into(), &b.into());
        assert_eq!(broadcast(&[2, 1, 4], &[3, 1]), Some([2, 3, 4].into()));
        assert_eq!(broadcast(&[], &[5]), Some([5].into()));
        assert_eq!(broadcast(&[0], &[1]), Some([0].into()));
        assert_eq!(broadcast(&[2], &[3]), None);
        assert_eq!(broadcast(&[0], &[2]), None);
    }

    #[test]
    fn a_repeated_axis_is_read_with_stride_zero() {
        assert_eq!(Shape::from([3, 1]).broadcast_strides(&[2, 3, 4].into())[..], [0, 1, 0]);
        assert_eq!(Shape::from([2, 3, 4]).strides()[..], [12, 4, 1]);
    }

    #[test]
    fn negative_axes_count_from_the_end() {
        let shape = Shape::from([2, 3, 4]);
        assert_eq!((shape.axis(-1), shape.axis(0)), (2, 0));
        assert_eq!(shape.axes(&[-1, 0])[..], [0, 2]);
    }

    #[test]
    #[should_panic(expected = "axis 3 of [2, 3, 4]: it has 3 axes")]
    fn an_axis_that_does_not_exist_is_named() {
        Shape::from([2, 3, 4]).axis(3);
    }

    #[test]
    #[should_panic(expected = "one is named twice")]
    fn an_axis_is_reduced_once() {
        Shape::from([2, 3]).axes(&[1, -1]);
    }
}
