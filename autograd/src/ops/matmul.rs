//! The matrix product, batched, with either side read transposed. Nearly all of a Transformer's arithmetic.

use crate::{At, Cotangents, Float, Op, Saved, Shape, Tensor, Var, kernels};
use smallvec::{SmallVec, smallvec};

/// ```text
/// C = A·B           Ā = C̄·Bᵀ     B̄ = Aᵀ·C̄
/// ```
/// on the last two axes: A `[…, m, k]`, B `[…, k, n]`, C `[…, m, n]`; the axes before them broadcast.
/// A transposed side is stored as `[…, k, m]` or `[…, n, k]` and never copied into the other order.
pub struct MatMul {
    /// Read A transposed: C = Aᵀ·B.
    pub transpose_a: bool,
    /// Read B transposed: C = A·Bᵀ.
    pub transpose_b: bool,
    /// The operands of all three products are rounded to bfloat16 first.
    pub bf16: bool,
}

impl<T: Float> Op<T> for MatMul {
    fn name(&self) -> &'static str {
        match (self.transpose_a, self.transpose_b, self.bf16) {
            (false, false, false) => "matmul",
            (true, false, false) => "matmul_ta",
            (false, true, false) => "matmul_tb",
            (true, true, false) => "matmul_ta_tb",
            (false, false, true) => "matmul_bf16",
            (true, false, true) => "matmul_ta_bf16",
            (false, true, true) => "matmul_tb_bf16",
            (true, true, true) => "matmul_ta_tb_bf16",
        }
    }

    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        let product = Product::new(x[0], self.transpose_a, x[1], self.transpose_b).bf16(self.bf16);
        Tensor::build(&product.shape, |c| product.write(c, false))
    }

    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let (a, b, dc) = (at.x[0], at.x[1], at.dy);
        let da = match (self.transpose_a, self.transpose_b) {
            (false, tb) => Product::new(dc, false, b, !tb), // C = A·B  →  Ā = C̄·Bᵀ
            (true, tb) => Product::new(b, tb, dc, true),    // C = Aᵀ·B →  Ā = B·C̄ᵀ
        };
        da.bf16(self.bf16).add_to(0, a, dx);
        let db = match (self.transpose_a, self.transpose_b) {
            (ta, false) => Product::new(a, !ta, dc, false), // C = A·B  →  B̄ = Aᵀ·C̄
            (ta, true) => Product::new(dc, true, a, ta),    // C = A·Bᵀ →  B̄ = C̄ᵀ·A
        };
        db.bf16(self.bf16).add_to(1, b, dx);
    }

    fn flops(&self, x: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        let rank = x[0].shape().len();
        let k = x[0].shape()[if self.transpose_a { rank - 2 } else { rank - 1 }];
        2 * (y.numel() * k) as u64 // a multiplication and an addition for each of m·n·k
    }
}

/// One batched product, planned: where each matrix starts and how it is read.
pub(super) struct Product<'a, T: Float> {
    a: &'a Tensor<T>,
    b: &'a Tensor<T>,
    shape: Shape,
    plan: kernels::MatMul,
    starts: SmallVec<[[usize; 3]; 1]>, // of A, B and C, for each matrix of the batch
}

impl<'a, T: Float> Product<'a, T> {
    #[track_caller]
    pub(super) fn new(a: &'a Tensor<T>, transpose_a: bool, b: &'a Tensor<T>, transpose_b: bool) -> Self {
        let (batch_a, m, k) = matrix(a.shape(), transpose_a);
        let (batch_b, k_b, n) = matrix(b.shape(), transpose_b);
        let (shape_a, shape_b) = (a.shape(), b.shape());
        let t = |yes: bool| if yes { "ᵀ" } else { "" };
        assert!(
            k == k_b,
            "matmul: {shape_a}{} × {shape_b}{}: the inner dimensions {k} and {k_b} differ",
            t(transpose_a),
            t(transpose_b)
        );
        let Some(batch) = Shape::broadcast(&batch_a, &batch_b) else {
            panic!("matmul: {shape_a} × {shape_b}: the batch axes {batch_a} and {batch_b} do not broadcast")
        };
        let shape: Shape = batch.iter().copied().chain([m, n]).collect();
        let plan = |m, k| kernels::MatMul::new(m, k, n).transpose_a(transpose_a).transpose_b(transpose_b);

        // A batch of A against a single B is one tall matrix, [b, m, k] × [k, n] = [b·m, k] × [k, n]; as is a batch of one.
        let items = batch.numel();
        if items == 1 || batch_b.numel() == 1 && !transpose_a {
            return Product { a, b, shape, plan: plan(items * m, k), starts: smallvec![[0, 0, 0]] };
        }
        let (strides_a, strides_b) = (batch_a.broadcast_strides(&batch), batch_b.broadcast_strides(&batch));
        let batch_strides = batch.strides();
        let starts = (0..items).map(|item| {
            let offset = |strides: &[usize]| -> usize {
                (0..batch.len()).map(|axis| item / batch_strides[axis] % batch[axis] * strides[axis]).sum()
            };
            [offset(&strides_a) * m * k, offset(&strides_b) * k * n, item * m * n]
        });
        Product { a, b, plan: plan(m, k), starts: starts.collect(), shape }
    }

    /// The same of operands that are rounded to bfloat16.
    pub(super) fn bf16(mut self, yes: bool) -> Self {
        self.plan.bf16 = yes;
        self
    }

    /// C = A·B, or C += A·B.
    fn write(&self, c: &mut [T], accumulate: bool) {
        let plan = self.plan.accumulate(accumulate);
        match self.starts[..] {
            [[0, 0, 0]] => T::matmul(&plan, self.a.data(), self.b.data(), c),
            _ => T::matmul_batch(&plan, &self.starts, self.a.data(), self.b.data(), c),
        }
    }

    /// The product is a contribution to the cotangent of input `i`, which is `x`.
    pub(super) fn add_to(&self, i: usize, x: &Tensor<T>, dx: &mut Cotangents<T>) {
        if self.shape == *x.shape() {
            dx.add_in_place(i, |sum, accumulate| self.write(sum, accumulate));
        } else if let Some(rows) = self.merged_with_batch(x) {
            dx.add_in_place(i, |sum, accumulate| rows.write(sum, accumulate));
        } else {
            dx.add(i, || Tensor::build(&self.shape, |c| self.write(c, false)));
        }
    }

    /// A single B has met the whole batch, and B̄ = Σ over the batch of Aᵀ·C̄ is one product: the batch's rows, `plan.k` of
    /// each item, stacked into b·k.
    fn merged_with_batch(&self, x: &Tensor<T>) -> Option<Product<'a, T>> {
        let plan = self.plan;
        let batch = self.shape.numel() / (plan.m * plan.n).max(1);
        let dense = self.a.numel() == batch * plan.m * plan.k && self.b.numel() == batch * plan.k * plan.n;
        if x.numel() != plan.m * plan.n || !plan.transpose_a || plan.transpose_b || !dense {
            return None;
        }
        let plan = kernels::MatMul { k: batch * plan.k, ..plan };
        Some(Product { a: self.a, b: self.b, shape: x.shape().clone(), plan, starts: smallvec![[0, 0, 0]] })
    }
}

/// A shape as a batch of matrices: the leading axes, the rows and the columns as they are read.
#[track_caller]
fn matrix(shape: &Shape, transposed: bool) -> (Shape, usize, usize) {
    let [batch @ .., rows, columns] = &shape[..] else {
        panic!(
            "matmul: {shape} is no matrix: it takes at least two axes (reshape a vector to [1, n] or [n, 1])"
        )
    };
    let (rows, columns) = if transposed { (*columns, *rows) } else { (*rows, *columns) };
    (batch.into(), rows, columns)
}

impl<'t, T: Float> Var<'t, T> {
    /// C = A·B: `[…, m, k] × […, k, n] → […, m, n]`.
    ///
    /// # Panics
    /// If the inner dimensions differ or the leading axes do not broadcast.
    #[track_caller]
    pub fn matmul(self, b: Self) -> Self {
        self.product(false, b, false)
    }

    /// C = A·Bᵀ: `[…, m, k] × […, n, k] → […, m, n]`; B is not copied.
    ///
    /// # Panics
    /// As [`matmul`](Var::matmul).
    #[track_caller]
    pub fn matmul_tb(self, b: Self) -> Self {
        self.product(false, b, true)
    }

    /// C = Aᵀ·B: `[…, k, m] × […, k, n] → […, m, n]`; A is not copied.
    ///
    /// # Panics
    /// As [`matmul`](Var::matmul).
    #[track_caller]
    pub fn matmul_ta(self, b: Self) -> Self {
        self.product(true, b, false)
    }

    #[track_caller]
    fn product(self, transpose_a: bool, b: Self, transpose_b: bool) -> Self {
        let bf16 = self.tape().is_bf16();
        self.tape().apply(MatMul { transpose_a, transpose_b, bf16 }, &[self, b])
    }
}
