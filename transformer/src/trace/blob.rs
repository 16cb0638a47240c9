//! Tensors as text: whole if they are small, a sample of them if not.
//!
//! A sample takes some indices along each axis, and every entry at which they cross: so it is a smaller tensor, and a
//! heat map of it needs no other code. Taken are the edges, the indices of the largest values and gradients, those of
//! NaNs, and evenly spaced ones until there are enough. (Along the text, and in weights, others: see `build.rs`.)

use super::schema::{Blob, Stats};
use autograd::{Shape, Tensor};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeSet, HashMap};

/// Tensors with at most so many entries are whole; a sample has at most so many.
pub const WHOLE: usize = 4096;
/// Along one axis a sample has at most so many indices.
pub const PER_AXIS: usize = 64;
/// And of an axis that is cut so that another can stay whole, at least so many.
pub const FEWEST: usize = 8;

/// The array `data` of a trace while it grows.
#[derive(Default)]
pub struct Data {
    entries: Vec<String>,
    known: HashMap<String, usize>, // looked up, never listed: its order does not matter
}

impl Data {
    /// The array.
    pub fn into_entries(self) -> Vec<String> {
        self.entries
    }

    /// The tensor, or the part of it at `indices`.
    pub fn blob(&mut self, x: &Tensor<f64>, indices: Option<&[Vec<usize>]>) -> Blob {
        let data = match indices {
            None => self.numbers(x.data().iter().copied()),
            Some(indices) => self.numbers(crossings(x.shape(), indices).into_iter().map(|at| x.data()[at])),
        };
        Blob { shape: x.shape().to_vec(), indices: indices.map(<[_]>::to_vec), data, stats: stats(x) }
    }

    /// Numbers as f32.
    pub fn numbers(&mut self, numbers: impl IntoIterator<Item = f64>) -> usize {
        self.bytes(&numbers.into_iter().flat_map(|x| (x as f32).to_le_bytes()).collect::<Vec<u8>>())
    }

    /// Numbers as f64.
    pub fn wide_numbers(&mut self, numbers: impl IntoIterator<Item = f64>) -> usize {
        self.bytes(&numbers.into_iter().flat_map(f64::to_le_bytes).collect::<Vec<u8>>())
    }

    fn bytes(&mut self, bytes: &[u8]) -> usize {
        const LEVEL: u8 = 9;
        let text = STANDARD.encode(miniz_oxide::deflate::compress_to_vec_zlib(bytes, LEVEL));
        let Data { entries, known } = self;
        *known.entry(text).or_insert_with_key(|text| {
            entries.push(text.clone());
            entries.len() - 1
        })
    }
}

/// The numbers of an entry of `data`, as f32.
///
/// # Panics
/// If the entry is not one that [`Data`] made.
pub fn decode(entry: &str) -> Vec<f32> {
    let numbers = |bytes: Vec<u8>| bytes.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
    numbers(bytes_of(entry))
}

/// The same of an entry that holds f64.
///
/// # Panics
/// As [`decode`].
pub fn decode_wide(entry: &str) -> Vec<f64> {
    bytes_of(entry).as_chunks().0.iter().map(|x| f64::from_le_bytes(*x)).collect()
}

fn bytes_of(entry: &str) -> Vec<u8> {
    let packed = STANDARD.decode(entry).expect("base64");
    miniz_oxide::inflate::decompress_to_vec_zlib(&packed).expect("zlib")
}

/// Of a whole tensor.
pub fn stats(x: &Tensor<f64>) -> Stats {
    let finite = || x.data().iter().copied().filter(|x| x.is_finite());
    let number = finite().count();
    let of = |x: f64| if number == 0 { 0.0 } else { x };
    Stats {
        min: of(finite().fold(f64::INFINITY, f64::min)),
        max: of(finite().fold(f64::NEG_INFINITY, f64::max)),
        mean: of(finite().sum::<f64>() / number as f64),
        norm: finite().map(|x| x * x).sum::<f64>().sqrt(),
        nan: x.data().iter().filter(|x| x.is_nan()).count(),
        inf: x.data().iter().filter(|x| x.is_infinite()).count(),
    }
}

/// Which indices along each axis stand for a tensor of this shape; `None` if it is small enough to be whole. An axis that
/// is `kept` is cut only where the others are down to [`FEWEST`].
pub fn sample(
    value: &Tensor<f64>,
    gradient: Option<&Tensor<f64>>,
    most: usize,
    kept: impl Fn(usize) -> bool,
) -> Option<Vec<Vec<usize>>> {
    let shape = value.shape();
    if shape.numel() <= most {
        return None;
    }
    let mut sizes: Vec<usize> = shape.iter().map(|&size| size.min(PER_AXIS)).collect();
    while sizes.iter().product::<usize>() > most {
        let of = |axis: &usize| (!kept(*axis) && sizes[*axis] > FEWEST, sizes[*axis]);
        let widest = (0..sizes.len()).max_by_key(of).expect("a large tensor has axes");
        sizes[widest] -= 1;
    }
    Some((0..shape.len()).map(|axis| along(axis, sizes[axis], value, gradient)).collect())
}

/// `number` indices along one axis, in ascending order.
fn along(axis: usize, number: usize, value: &Tensor<f64>, gradient: Option<&Tensor<f64>>) -> Vec<usize> {
    let size = value.shape()[axis];
    let mut chosen = BTreeSet::from([0, size - 1]);
    let mut add = |index: usize, up_to: usize| {
        if chosen.len() < up_to.min(number) {
            chosen.insert(index);
        }
    };
    let by_value = ranked(&largest_along(axis, value));
    let by_gradient = gradient.map_or(Vec::new(), |gradient| ranked(&largest_along(axis, gradient)));
    by_gradient.iter().for_each(|&index| add(index, number / 2));
    by_value.iter().for_each(|&index| add(index, 3 * number / 4));
    (0..number).for_each(|i| add(i * size / number, number));
    (0..size).for_each(|index| add(index, number));
    chosen.into_iter().take(number).collect()
}

/// The largest |x| at each index of an axis; NaN counts as infinite.
fn largest_along(axis: usize, x: &Tensor<f64>) -> Vec<f64> {
    let (size, inner) = (x.shape()[axis], x.shape()[axis + 1..].iter().product::<usize>());
    let mut largest = vec![0.0; size];
    for (i, &x) in x.data().iter().enumerate() {
        let size_of = if x.is_nan() { f64::INFINITY } else { x.abs() };
        largest[i / inner % size] = f64::max(largest[i / inner % size], size_of);
    }
    largest
}

/// The indices from the largest number to the smallest, without those of 0.
fn ranked(sizes: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sizes.len()).filter(|&i| sizes[i] > 0.0).collect();
    order.sort_by(|&a, &b| sizes[b].total_cmp(&sizes[a]).then(a.cmp(&b)));
    order
}

/// Where in storage the entries lie at which the indices of all axes cross, in row-major order.
pub fn crossings(shape: &Shape, indices: &[Vec<usize>]) -> Vec<usize> {
    let strides = shape.strides();
    let mut places = vec![0];
    for (indices, stride) in indices.iter().zip(strides) {
        places = places.iter().flat_map(|&at| indices.iter().map(move |&i| at + i * stride)).collect();
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_comes_back_from_its_text_and_an_equal_one_shares_it() {
        let x = Tensor::from_fn([3, 5], |i| if i == 7 { f64::NEG_INFINITY } else { 0.1 * i as f64 });
        let mut data = Data::default();
        let (one, other) = (data.blob(&x, None), data.blob(&x.reshape([15]), None));
        assert_eq!((one.data, other.data), (0, 0));
        let entries = data.into_entries();
        assert_eq!(entries.len(), 1);
        let expected: Vec<f32> = x.data().iter().map(|&x| x as f32).collect();
        assert_eq!(decode(&entries[0]), expected);
        assert_eq!((one.stats.inf, one.stats.nan, one.stats.max), (1, 0, 1.4000000000000001));
    }

    #[test]
    fn a_sample_has_the_edges_the_largest_value_the_largest_gradient_and_every_nan() {
        let x = Tensor::from_fn([300, 200], |i| match i {
            i if i == 123 * 200 + 57 => 9.0,
            i if i == 250 * 200 + 111 => f64::NAN,
            i => (i as f64).sin(),
        });
        let gradient = Tensor::from_fn([300, 200], |i| if i == 77 * 200 + 13 { -3.0 } else { 0.0 });
        let indices = sample(&x, Some(&gradient), WHOLE, |_| false).expect("it is large");
        assert_eq!(indices.iter().map(Vec::len).collect::<Vec<_>>(), [64, 64]);
        for (axis, wanted) in [vec![0, 299, 123, 250, 77], vec![0, 199, 57, 111, 13]].iter().enumerate() {
            assert!(wanted.iter().all(|index| indices[axis].contains(index)), "{wanted:?} in {indices:?}");
            assert!(indices[axis].is_sorted());
        }
        let places = crossings(x.shape(), &indices);
        assert_eq!((places.len(), places[64 + 1]), (4096, indices[0][1] * 200 + indices[1][1]));
    }

    #[test]
    fn an_axis_that_is_kept_stays_whole_as_long_as_the_others_have_something_to_give() {
        let x = Tensor::from_fn([1, 60, 192], |i| i as f64);
        let sizes = |most| {
            let indices = sample(&x, None, most, |axis| axis == 1).expect("it is large");
            indices.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(2000), [1, 60, 33]);
        assert_eq!(sizes(400), [1, 50, 8]);
    }

    #[test]
    fn a_tensor_of_many_axes_is_sampled_to_the_same_size() {
        let x = Tensor::from_fn([2, 4, 64, 64], |i| i as f64);
        let indices = sample(&x, None, WHOLE, |_| false).expect("it is large");
        let number: usize = indices.iter().map(Vec::len).product();
        assert!(number <= WHOLE && number > WHOLE / 2, "{number}");
        assert!(sample(&Tensor::zeros([64, 64]), None, WHOLE, |_| false).is_none());
    }
}
