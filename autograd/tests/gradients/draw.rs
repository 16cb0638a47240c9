//! What is drawn: shapes, axes, numbers, and inputs that broadcast.

use autograd::{Shape, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// A size of an axis: mostly 2 or 3, sometimes 1, seldom 0.
pub fn size() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![1 => Just(0), 3 => Just(1), 8 => 2..=3usize]
}

/// A shape of at most three axes.
pub fn shape() -> impl Strategy<Value = Vec<usize>> {
    vec(size(), 0..=3)
}

/// A shape with at least one axis.
pub fn shape_with_an_axis() -> impl Strategy<Value = Vec<usize>> {
    vec(size(), 1..=3)
}

/// Shapes that broadcast together: parts of one shape, with axes left out in front and axes of size 1.
pub fn shapes_that_broadcast(number: usize) -> impl Strategy<Value = Vec<Vec<usize>>> {
    let part = |shape: Vec<usize>| {
        let rank = shape.len();
        (0..=rank, vec(prop::bool::weighted(0.3), rank)).prop_map(move |(missing, ones)| {
            (missing..rank).map(|axis| if ones[axis] { 1 } else { shape[axis] }).collect::<Vec<usize>>()
        })
    };
    shape().prop_flat_map(move |shape| vec(part(shape), number))
}

/// A tensor of this shape with such numbers.
pub fn tensor_of<N: Strategy<Value = f64>>(
    shape: &[usize],
    numbers: N,
) -> impl Strategy<Value = Tensor<f64>> + use<N> {
    let shape = Shape::from(shape);
    vec(numbers, shape.numel()).prop_map(move |numbers| Tensor::new(&shape, numbers))
}

/// A tensor of any shape.
pub fn tensor(numbers: impl Strategy<Value = f64> + Clone) -> impl Strategy<Value = Tensor<f64>> {
    shape().prop_flat_map(move |shape| tensor_of(&shape, numbers.clone()))
}

/// Two tensors that broadcast together.
pub fn pair(
    a: impl Strategy<Value = f64> + Clone,
    b: impl Strategy<Value = f64> + Clone,
) -> impl Strategy<Value = Vec<Tensor<f64>>> {
    shapes_that_broadcast(2).prop_flat_map(move |shapes| {
        (tensor_of(&shapes[0], a.clone()), tensor_of(&shapes[1], b.clone())).prop_map(|(a, b)| vec![a, b])
    })
}

/// One axis of a shape, counted from the front or from the end.
pub fn axis_of(rank: usize) -> impl Strategy<Value = isize> + Clone {
    let rank = rank as isize;
    -rank..rank
}

/// Some of the axes (or none, or all), each counted from the front or from the end, in any order.
pub fn axes_of(rank: usize) -> impl Strategy<Value = Vec<isize>> {
    let some = subsequence((0..rank as isize).collect::<Vec<_>>(), 0..=rank).prop_shuffle();
    (some, vec(any::<bool>(), rank)).prop_map(move |(axes, from_end)| {
        axes.into_iter()
            .map(|axis| if from_end[axis as usize] { axis - rank as isize } else { axis })
            .collect()
    })
}

/// Numbers about 0.
pub fn ordinary() -> impl Strategy<Value = f64> + Clone {
    -2.0..2.0f64
}

/// Numbers at a distance from 0, where quotients and kinks are.
pub fn away_from_zero() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![0.3..3.0f64, -3.0..-0.3f64]
}

/// Numbers above 0.
pub fn positive() -> impl Strategy<Value = f64> + Clone {
    0.3..3.0f64
}

/// Numbers of any size: ±10⁴, ordinary ones and ±10⁻⁴.
pub fn large_and_tiny() -> impl Strategy<Value = f64> + Clone {
    (select(vec![1e4, 1e2, 1.0, 1e-4]), -1.0..1.0f64).prop_map(|(scale, x)| scale * x)
}

/// Tensors whose entries are so far apart that no small step changes their order.
pub fn well_apart(shape: &[usize]) -> impl Strategy<Value = Tensor<f64>> + use<> {
    let shape = Shape::from(shape);
    let ranks: Vec<usize> = (0..shape.numel()).collect();
    Just(ranks).prop_shuffle().prop_map(move |ranks| Tensor::from_fn(&shape, |i| 0.3 * ranks[i] as f64 - 1.0))
}

/// 0 (no) or 1 (yes).
pub fn zero_or_one() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![Just(0.0), Just(1.0)]
}
