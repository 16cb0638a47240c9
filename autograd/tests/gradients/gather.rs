//! Rows of a table by number: the embedding.

use crate::draw::{ordinary, size, tensor_of};
use crate::prove::{
    Textbook, f32_agrees_with_f64, for_all, second_order_agrees, the_value_is, three_ways_agree,
    value_and_gradients,
};
use autograd::gradcheck::Function;
use autograd::{Float, Tensor, Var};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Rows {
    indices: Vec<usize>,
    shape: Vec<usize>,
}

impl Function for Rows {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].gather(&self.indices, &self.shape[..])
    }
}

impl Textbook for Rows {
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        let width = x[0].shape()[1];
        let shape: Vec<usize> = self.shape.iter().copied().chain([width]).collect();
        Tensor::from_fn(shape, |i| x[0].at(&[self.indices[i / width], i % width]))
    }
}

/// A table of 1 to 4 rows, and more indices than rows, so that rows repeat.
fn tables() -> impl Strategy<Value = (Rows, Vec<Tensor<f64>>)> {
    (1..=4usize, size(), prop::collection::vec(size(), 0..=2)).prop_flat_map(|(rows, width, shape)| {
        let number = shape.iter().product::<usize>();
        let indices = prop::collection::vec(0..rows, number);
        (indices, tensor_of(&[rows, width], ordinary()))
            .prop_map(move |(indices, table)| (Rows { indices, shape: shape.clone() }, vec![table]))
    })
}

#[test]
pub fn gathered_rows_scatter_their_cotangents_back() {
    for_all(64, tables(), |(f, x)| three_ways_agree(&f, &x));
}

#[test]
fn a_gathered_row_is_the_row_of_its_number() {
    for_all(128, tables(), |(f, x)| the_value_is(&f, &x));
}

#[test]
fn gathering_at_f32_is_gathering_at_f64() {
    for_all(64, tables(), |(f, x)| f32_agrees_with_f64(&f, &x));
}

#[test]
fn gathering_is_linear_and_has_no_second_derivative() {
    for_all(32, tables(), |(f, x)| second_order_agrees(&f, &x));
}

#[test]
fn a_row_that_is_asked_for_several_times_collects_all_of_its_uses() {
    let f = Rows { indices: vec![2, 0, 2, 2], shape: vec![2, 2] };
    let found = value_and_gradients(&f, &[Tensor::<f64>::zeros([3, 1])]);
    let weight = |i: usize| (i as f64).cos();
    assert_eq!(found[1].data(), [weight(1), 0.0, weight(0) + weight(2) + weight(3)]);
}

/// A tied table: gathered from, and multiplied with what was gathered.
#[derive(Debug)]
struct Tied(Rows);

impl Function for Tied {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        self.0.call(x).matmul_tb(x[0])
    }
}

#[test]
fn a_table_tied_to_the_output_collects_the_gradients_of_both_of_its_uses() {
    let f = Tied(Rows { indices: vec![1, 3, 1, 0], shape: vec![4] });
    for_all(16, tensor_of(&[4, 3], ordinary()), |table| {
        three_ways_agree(&f, std::slice::from_ref(&table))?;
        second_order_agrees(&f, &[table])
    });
}
