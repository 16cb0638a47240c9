//! Ops that move numbers: reshape, permute, transpose, unsqueeze, broadcast, slice, concatenate.

use crate::draw::{axis_of, ordinary, shape, shape_with_an_axis, tensor_of};
use crate::prove::{
    Textbook, f32_agrees_with_f64, for_all, second_order_agrees, the_value_is, three_ways_agree,
    value_and_gradients,
};
use autograd::gradcheck::Function;
use autograd::{Float, Shape, Tensor, Var};
use proptest::prelude::*;
use std::ops::Range;

#[derive(Clone, Debug)]
enum Move {
    Reshape(Vec<usize>),
    Permute(Vec<usize>),
    Transpose(isize, isize),
    Unsqueeze(isize),
    Broadcast(Vec<usize>),
    Slice(isize, Range<usize>),
    Concat(isize),
}

impl Function for Move {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        match self {
            Move::Reshape(shape) => x[0].reshape(&shape[..]),
            Move::Permute(order) => x[0].permute(order),
            Move::Transpose(a, b) => x[0].transpose(*a, *b),
            Move::Unsqueeze(axis) => x[0].unsqueeze(*axis),
            Move::Broadcast(shape) => x[0].broadcast_to(&shape[..]),
            Move::Slice(axis, range) => x[0].slice(*axis, range.clone()),
            Move::Concat(axis) => Var::concat(x, *axis),
        }
    }
}

impl Textbook for Move {
    /// Each entry is looked up where it came from.
    fn textbook(&self, x: &[Tensor<f64>]) -> Tensor<f64> {
        let shape = x[0].shape();
        let from = |to: &[usize], source: &dyn Fn(Vec<usize>) -> f64| {
            let y = Tensor::<f64>::zeros(to);
            Tensor::from_fn(to, |i| source(y.index_of(i)))
        };
        match self {
            Move::Reshape(to) => Tensor::new(&to[..], x[0].data()),
            Move::Permute(order) => {
                let to: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
                let place = |axis: usize| order.iter().position(|&a| a == axis).expect("a permutation");
                from(&to, &|i| x[0].at(&(0..shape.len()).map(|axis| i[place(axis)]).collect::<Vec<_>>()))
            }
            Move::Transpose(a, b) => {
                let (a, b) = (shape.axis(*a), shape.axis(*b));
                let mut to = shape.to_vec();
                to.swap(a, b);
                from(&to, &|mut i| {
                    i.swap(a, b);
                    x[0].at(&i)
                })
            }
            Move::Unsqueeze(axis) => {
                let mut to = shape.to_vec();
                to.insert(
                    if *axis < 0 { (axis + 1 + shape.len() as isize) as usize } else { *axis as usize },
                    1,
                );
                Tensor::new(to, x[0].data())
            }
            Move::Broadcast(to) => from(to, &|i| {
                let own = i[to.len() - shape.len()..].iter().zip(&shape[..]).map(|(i, size)| i % size);
                x[0].at(&own.collect::<Vec<_>>())
            }),
            Move::Slice(axis, range) => {
                let axis = shape.axis(*axis);
                let mut to = shape.to_vec();
                to[axis] = range.end - range.start;
                from(&to, &|mut i| {
                    i[axis] += range.start;
                    x[0].at(&i)
                })
            }
            Move::Concat(axis) => {
                let axis = shape.axis(*axis);
                let mut to = shape.to_vec();
                to[axis] = x.iter().map(|x| x.shape()[axis]).sum();
                from(&to, &|mut i| {
                    let mut part = 0;
                    while i[axis] >= x[part].shape()[axis] {
                        i[axis] -= x[part].shape()[axis];
                        part += 1;
                    }
                    x[part].at(&i)
                })
            }
        }
    }
}

fn one_tensor_moved() -> impl Strategy<Value = (Move, Vec<Tensor<f64>>)> {
    let any = shape().prop_flat_map(|shape| {
        let rank = shape.len();
        let axes = (0..rank).collect::<Vec<_>>();
        let moved = prop_oneof![
            Just(Move::Reshape(other_shape(&shape))),
            Just(axes).prop_shuffle().prop_map(Move::Permute),
            (-(rank as isize) - 1..=rank as isize).prop_map(Move::Unsqueeze),
        ];
        (moved, tensor_of(&shape, ordinary()).prop_map(|x| vec![x]))
    });
    let with_an_axis = shape_with_an_axis().prop_flat_map(|shape| {
        let axis = axis_of(shape.len());
        let sizes = Shape::from(&shape[..]);
        let slice = axis.clone().prop_flat_map(move |axis| {
            let size = sizes[sizes.axis(axis)];
            (0..=size)
                .prop_flat_map(move |start| (start..=size).prop_map(move |end| Move::Slice(axis, start..end)))
        });
        let moved = prop_oneof![slice, (axis.clone(), axis).prop_map(|(a, b)| Move::Transpose(a, b))];
        (moved, tensor_of(&shape, ordinary()).prop_map(|x| vec![x]))
    });
    let repeated =
        (shape(), 0..=3usize, prop::collection::vec(any_bool(), 3)).prop_flat_map(|(to, missing, ones)| {
            let kept = missing.min(to.len())..to.len();
            let from: Vec<usize> = kept.map(|axis| if ones[axis] { 1 } else { to[axis] }).collect();
            tensor_of(&from, ordinary()).prop_map(move |x| (Move::Broadcast(to.clone()), vec![x]))
        });
    prop_oneof![3 => any, 3 => with_an_axis, 2 => repeated]
}

fn any_bool() -> impl Strategy<Value = bool> {
    any::<bool>()
}

/// The same number of entries in one axis more, or in one.
fn other_shape(shape: &[usize]) -> Vec<usize> {
    match shape.len() {
        0 | 3 => vec![1, shape.iter().product()],
        _ => shape.iter().rev().copied().chain([1]).collect(),
    }
}

fn several_tensors_joined() -> impl Strategy<Value = (Move, Vec<Tensor<f64>>)> {
    let lengths = prop::collection::vec(0..3usize, 1..4);
    (shape_with_an_axis(), lengths).prop_flat_map(|(shape, lengths)| {
        axis_of(shape.len()).prop_flat_map(move |axis| {
            let position = Shape::from(&shape[..]).axis(axis);
            let part = |length: usize| {
                let sizes = shape.iter().enumerate();
                let sizes = sizes.map(|(axis, &size)| if axis == position { length } else { size });
                tensor_of(&sizes.collect::<Vec<_>>(), ordinary())
            };
            let parts: Vec<_> = lengths.iter().map(|&length| part(length)).collect();
            parts.prop_map(move |x| (Move::Concat(axis), x))
        })
    })
}

fn moves() -> impl Strategy<Value = (Move, Vec<Tensor<f64>>)> {
    prop_oneof![4 => one_tensor_moved(), 1 => several_tensors_joined()]
}

#[test]
pub fn gradients_are_moved_back_to_where_the_numbers_came_from() {
    for_all(160, moves(), |(f, x)| three_ways_agree(&f, &x));
}

#[test]
fn every_entry_is_moved_to_its_place() {
    for_all(320, moves(), |(f, x)| the_value_is(&f, &x));
}

#[test]
fn moves_at_f32_are_those_at_f64() {
    for_all(160, moves(), |(f, x)| f32_agrees_with_f64(&f, &x));
}

#[test]
fn a_move_is_linear_and_has_no_second_derivative() {
    for_all(64, moves(), |(f, x)| second_order_agrees(&f, &x));
}

/// [x; x²; x] along an axis, and two slices of it that overlap.
#[derive(Debug)]
struct OverlappingParts;

impl Function for OverlappingParts {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let whole = Var::concat(&[x[0], x[0] * x[0], x[0]], 1);
        whole.slice(1, 1..6) * whole.slice(-1, 2..7)
    }
}

#[test]
fn a_tensor_joined_to_itself_and_sliced_with_overlap_collects_every_contribution() {
    for_all(16, tensor_of(&[2, 3], ordinary()), |x| three_ways_agree(&OverlappingParts, &[x]));
}

#[test]
fn a_slice_gets_its_cotangent_back_and_the_rest_gets_zero() {
    let x = Tensor::<f64>::from_fn([4], |i| i as f64);
    let found = value_and_gradients(&Move::Slice(0, 1..3), &[x]);
    assert_eq!(found[1].data(), [0.0, 0f64.cos(), 1f64.cos(), 0.0]);
}
