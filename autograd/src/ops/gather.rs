//! Rows of a table by number: the embedding.

use crate::{At, Cotangents, Float, Op, Saved, Shape, Tensor, Var};
use std::sync::Arc;

/// ```text
/// y[i, :] = w[indexᵢ, :]              w̄[indexᵢ, :] += ȳ[i, :]    for every i: a scatter-add
/// ```
/// A row that is asked for several times collects the cotangents of all of its uses.
pub struct Gather {
    indices: Arc<[usize]>,
    shape: Shape, // of the indices
}

impl<T: Float> Op<T> for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }
    fn details(&self) -> String {
        format!("rows {}", super::list(&self.indices))
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        let [rows, width] = x[0].shape()[..] else {
            panic!("gather: {} is no table: it takes two axes", x[0].shape())
        };
        if let Some(at) = self.indices.iter().position(|&index| index >= rows) {
            panic!("gather: index {} at position {at}: the table has {rows} rows", self.indices[at]);
        }
        let shape: Shape = self.shape.iter().copied().chain([width]).collect();
        Tensor::build(shape, |y| {
            for (y, &index) in y.chunks_exact_mut(width.max(1)).zip(&self.indices[..]) {
                y.copy_from_slice(&x[0].data()[index * width..][..width]);
            }
        })
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let width = at.x[0].shape()[1];
        dx.add_in_place(0, |dw, accumulate| {
            if !accumulate {
                dw.fill(T::ZERO);
            }
            for (dy, &index) in at.dy.data().chunks_exact(width.max(1)).zip(&self.indices[..]) {
                for (dw, &dy) in dw[index * width..][..width].iter_mut().zip(dy) {
                    *dw += dy;
                }
            }
        });
    }
    fn flops(&self, _: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        0
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Rows of a table `[v, d]` by number: `shape` is the shape of the numbers, the result is `[shape…, d]`.
    ///
    /// # Panics
    /// If this is not a table, if a number is not one of its rows, or if `shape` does not hold the numbers.
    #[track_caller]
    pub fn gather(self, indices: &[usize], shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.numel(), indices.len(), "gather: {} indices under the shape {shape}", indices.len());
        self.tape().apply(Gather { indices: indices.into(), shape }, &[self])
    }
}
