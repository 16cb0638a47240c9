//! Ours, and the crates: each computes C = op(A)·op(B) on row-major slices.

use crate::cases::Case;
use autograd::Float;
use autograd::kernels::MatMul;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

pub fn ours(case: &Case, a: &[f32], b: &[f32], c: &mut [f32]) {
    let plan = MatMul::new(case.m, case.k, case.n);
    f32::matmul(&plan.transpose_a(case.transpose_a).transpose_b(case.transpose_b), a, b, c);
}

/// From row to row and from column to column of op(A) and of op(B).
fn strides(case: &Case) -> [isize; 4] {
    let (m, k, n) = (case.m as isize, case.k as isize, case.n as isize);
    let [a_row, a_column] = if case.transpose_a { [1, m] } else { [k, 1] };
    let [b_row, b_column] = if case.transpose_b { [1, k] } else { [n, 1] };
    [a_row, a_column, b_row, b_column]
}

pub fn gemm(case: &Case, threads: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    let par = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    let [a_row, a_column, b_row, b_column] = strides(case);
    let (m, k, n) = (case.m, case.k, case.n);
    let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    // SAFETY: strides and sizes are those of the slices. (Columns come before rows here.)
    unsafe {
        gemm::gemm(
            m, n, k, c, 1, n as isize, false, a, a_column, a_row, b, b_column, b_row, 0.0, 1.0, false, false,
            false, par,
        );
    }
}

pub fn faer(case: &Case, threads: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    let par = if threads > 1 { Par::rayon(threads) } else { Par::Seq };
    let read = |x, rows, columns, transposed| match transposed {
        true => MatRef::from_column_major_slice(x, rows, columns),
        false => MatRef::from_row_major_slice(x, rows, columns),
    };
    let a = read(a, case.m, case.k, case.transpose_a);
    let b = read(b, case.k, case.n, case.transpose_b);
    matmul(MatMut::from_row_major_slice_mut(c, case.m, case.n), Accum::Replace, a, b, 1.0, par);
}

/// It takes the number of threads from the environment.
pub fn matrixmultiply(case: &Case, a: &[f32], b: &[f32], c: &mut [f32]) {
    let [a_row, a_column, b_row, b_column] = strides(case);
    let (m, k, n) = (case.m, case.k, case.n);
    let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    // SAFETY: strides and sizes are those of the slices.
    unsafe {
        matrixmultiply::sgemm(m, k, n, 1.0, a, a_row, a_column, b, b_row, b_column, 0.0, c, n as isize, 1);
    }
}
