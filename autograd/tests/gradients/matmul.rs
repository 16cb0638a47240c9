//! The matrix product, batched, with either side read transposed.

use crate::draw::{large_and_tiny, ordinary, shapes_that_broadcast, size, tensor_of};
use crate::prove::{
    Textbook, f32_agrees_with_f64, for_all, largest, second_order_agrees, the_value_is,
    the_value_is_to_12_digits_of, three_ways_agree, value_and_gradients,
};
use autograd::gradcheck::Function;
use autograd::ops::matmul::MatMul;
use autograd::{Float, Tensor, Var};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
pub struct Product {
    transpose_a: bool,
    transpose_b: bool,
}

pub const PRODUCTS: [Product; 4] = [
    Product { transpose_a: false, transpose_b: false },
    Product { transpose_a: true, transpose_b: false },
    Product { transpose_a: false, transpose_b: true },
    Product { transpose_a: true, transpose_b: true },
];

impl Function for Product {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        match *self {
            Product { transpose_a: false, transpose_b: false } => x[0].matmul(x[1]),
            Product { transpose_a: true, transpose_b: false } => x[0].matmul_ta(x[1]),
            Product { transpose_a: false, transpose_b: true } => x[0].matmul_tb(x[1]),
            Product { transpose_a, transpose_b } => {
                x[0].tape().apply(MatMul { transpose_a, transpose_b, bf16: x[0].tape().is_bf16() }, x)
            }
        }
    }
}

impl Textbook for Product {
    /// c[…, i, j] = Σₚ a[…, i, p]·b[…, p, j], the axes … repeated where they have size 1 or are missing.
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        let entry = |x: &Tensor<f64>, batch: &[usize], transposed: bool, row: usize, column: usize| {
            let axes = x.shape().len() - 2;
            let own = batch[batch.len() - axes..].iter().zip(&x.shape()[..]).map(|(i, size)| i % size);
            let [row, column] = if transposed { [column, row] } else { [row, column] };
            x.at(&own.chain([row, column]).collect::<Vec<_>>())
        };
        let (a, b) = (&x[0], &x[1]);
        let (rank_a, rank_b) = (a.shape().len(), b.shape().len());
        let m = a.shape()[rank_a - if self.transpose_a { 1 } else { 2 }];
        let k = a.shape()[rank_a - if self.transpose_a { 2 } else { 1 }];
        let n = b.shape()[rank_b - if self.transpose_b { 2 } else { 1 }];
        let size = |x: &Tensor<f64>, from_end: usize| {
            x.shape().iter().rev().skip(2).nth(from_end).copied().unwrap_or(1)
        };
        let common =
            |from_end: usize| if size(a, from_end) == 1 { size(b, from_end) } else { size(a, from_end) };
        let shape: Vec<usize> = (0..rank_a.max(rank_b) - 2).rev().map(common).chain([m, n]).collect();
        let c = Tensor::<f64>::zeros(&shape[..]);
        Tensor::from_fn(&shape[..], |entry_of_c| {
            let index = c.index_of(entry_of_c);
            let [batch @ .., i, j] = &index[..] else { unreachable!("a product has two axes") };
            let term =
                |p| entry(a, batch, self.transpose_a, *i, p) * entry(b, batch, self.transpose_b, p, *j);
            (0..k).map(term).sum()
        })
    }
}

pub fn operands(
    f: Product,
    size: impl Strategy<Value = usize> + Clone,
    numbers: impl Strategy<Value = f64> + Clone,
) -> impl Strategy<Value = Vec<Tensor<f64>>> {
    let batches =
        shapes_that_broadcast(2).prop_filter("at most two batch axes", |b| b.iter().all(|b| b.len() < 3));
    (batches, size.clone(), size.clone(), size).prop_flat_map(move |(batches, m, k, n)| {
        let matrix = |batch: &[usize], transposed: bool, rows: usize, columns: usize| {
            let sizes = if transposed { [columns, rows] } else { [rows, columns] };
            tensor_of(&batch.iter().copied().chain(sizes).collect::<Vec<_>>(), numbers.clone())
        };
        let (a, b) = (matrix(&batches[0], f.transpose_a, m, k), matrix(&batches[1], f.transpose_b, k, n));
        (a, b).prop_map(|(a, b)| vec![a, b])
    })
}

#[test]
pub fn a_product_has_the_right_gradient_transposed_or_not_however_its_batches_broadcast() {
    for f in PRODUCTS {
        for_all(32, operands(f, size(), ordinary()), |x| three_ways_agree(&f, &x));
    }
}

#[test]
fn a_product_sums_rows_times_columns() {
    for f in PRODUCTS {
        for_all(64, operands(f, size(), ordinary()), |x| the_value_is(&f, &x));
    }
}

#[test]
fn a_product_of_large_and_tiny_numbers_keeps_value_and_gradient() {
    for f in PRODUCTS {
        for_all(16, operands(f, 1..4usize, large_and_tiny()), |x| {
            the_value_is_to_12_digits_of(largest(&x).powi(2), &f, &x)?;
            three_ways_agree(&f, &x)
        });
    }
}

#[test]
fn a_product_too_large_for_one_tile_still_sums_rows_times_columns() {
    for f in PRODUCTS {
        for (m, k, n) in [(1, 70, 1), (17, 33, 65), (64, 16, 48), (70, 257, 9)] {
            let wave = |shape: [usize; 2]| Tensor::from_fn(shape, |i| (i as f64 * 0.7).sin());
            let a = wave(if f.transpose_a { [k, m] } else { [m, k] });
            let b = wave(if f.transpose_b { [n, k] } else { [k, n] });
            the_value_is(&f, &[a.clone(), b.clone()]).unwrap();
            f32_agrees_with_f64(&f, &[a, b]).unwrap();
        }
    }
}

#[test]
fn a_product_at_f32_is_the_one_at_f64() {
    for f in PRODUCTS {
        for_all(64, operands(f, 0..20usize, ordinary()), |x| f32_agrees_with_f64(&f, &x));
    }
}

#[test]
fn a_product_has_the_right_second_derivatives() {
    for f in PRODUCTS {
        for_all(16, operands(f, size(), ordinary()), |x| second_order_agrees(&f, &x));
    }
}

/// A·A, Aᵀ·A, A·Aᵀ or Aᵀ·Aᵀ.
#[derive(Debug)]
struct WithItself(Product);

impl Function for WithItself {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        self.0.call(&[x[0], x[0]])
    }
}

#[test]
fn a_matrix_times_itself_collects_the_gradients_of_both_sides() {
    for f in PRODUCTS {
        for_all(16, (size(), 1..4usize).prop_flat_map(|(b, n)| tensor_of(&[b, n, n], ordinary())), |x| {
            three_ways_agree(&WithItself(f), &[x])
        });
    }
}

/// C·B or A·C for a constant matrix C.
#[derive(Debug)]
struct BesideAConstant {
    f: Product,
    constant: Tensor<f64>,
    constant_first: bool,
}

impl Function for BesideAConstant {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let c = x[0].tape().constant(self.constant.cast());
        self.f.call(&if self.constant_first { [c, x[0]] } else { [x[0], c] })
    }
}

#[test]
fn a_constant_matrix_on_either_side_leaves_the_other_sides_gradient_right() {
    for f in PRODUCTS {
        for_all(16, (operands(f, size(), ordinary()), any::<bool>()), |(mut x, constant_first)| {
            let constant = x.remove(usize::from(!constant_first));
            three_ways_agree(&BesideAConstant { f, constant, constant_first }, &x)
        });
    }
}

/// (A·B₁)·w + (A·B₂)·w: A gets its cotangent in two parts, the second added where the first lies.
#[derive(Debug)]
struct UsedInTwoProducts(Product);

impl Function for UsedInTwoProducts {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        self.0.call(&[x[0], x[1]]).exp() + self.0.call(&[x[0], 2.0 * x[1]]) * self.0.call(x)
    }
}

#[test]
fn a_matrix_used_in_several_products_adds_their_contributions_in_place() {
    for f in PRODUCTS {
        for_all(16, operands(f, 1..3usize, ordinary()), |x| three_ways_agree(&UsedInTwoProducts(f), &x));
    }
}

#[test]
fn a_product_over_an_empty_inner_axis_is_zero_and_so_are_no_gradients_at_all() {
    let found = value_and_gradients(&PRODUCTS[0], &[Tensor::<f64>::zeros([2, 0]), Tensor::zeros([0, 3])]);
    assert_eq!(found[0], Tensor::zeros([2, 3]));
    assert_eq!((&found[1].shape()[..], &found[2].shape()[..]), (&[2, 0][..], &[0, 3][..]));
}
