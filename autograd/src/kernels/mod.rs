//! Pure functions on slices; they know nothing of tensors or tapes.
//!
//! The matrix product is a ladder, each rung tested against the one before: [`naive`] (the definition),
//! [`blocked`] (stays in the cache), [`packed`] (reads in order), `matmul` (vector registers and threads).

pub mod adamw;
pub mod attention;
pub mod bf16;
mod block;
pub mod blocked;
pub mod causal_softmax;
pub mod cross_entropy;
mod dot;
pub mod dropout;
pub(crate) mod lanes;
pub(crate) mod maths;
pub(crate) mod matmul;
pub mod naive;
pub mod norm;
mod pack;
pub mod packed;
mod part;
pub mod peak;
mod pieces;
pub mod pointwise;
pub mod rope;
pub mod rows;
pub mod simd;
mod steps;
pub mod textbook;
pub mod threads;
mod tile;

#[cfg(test)]
mod fused_tests;
#[cfg(test)]
mod maths_tests;
#[cfg(test)]
mod matmul_tests;
#[cfg(test)]
mod part_tests;

pub use lanes::InstructionSet;

/// One matrix product `C = op(A)·op(B)` (or `C += …`) on row-major slices, `op` being a transpose where asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatMul {
    /// Rows of op(A) and of C.
    pub m: usize,
    /// Columns of op(A), rows of op(B): the axis that is summed over.
    pub k: usize,
    /// Columns of op(B) and of C.
    pub n: usize,
    /// A is stored as `[k, m]` and read transposed.
    pub transpose_a: bool,
    /// B is stored as `[n, k]` and read transposed.
    pub transpose_b: bool,
    /// Distance between the starts of two stored rows of A, in numbers.
    pub lda: usize,
    /// The same for B.
    pub ldb: usize,
    /// The same for C.
    pub ldc: usize,
    /// Add to what C holds (β = 1) instead of overwriting it (β = 0).
    pub accumulate: bool,
    /// Which part need not be computed.
    pub triangle: Triangle,
    /// A's and B's numbers are rounded to bfloat16 before they are multiplied (see [`bf16`]).
    pub bf16: bool,
}

/// A matrix of which entry (i, j) counts if j ≤ `first` + i, as in causal attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triangle {
    /// There is none: every entry counts.
    None,
    /// C: what its other entries hold afterwards is unspecified.
    OfC {
        /// The last column that counts in row 0.
        first: usize,
    },
    /// A, as it is stored: its other entries are 0.
    OfA {
        /// The last column that counts in row 0.
        first: usize,
    },
}

impl MatMul {
    /// C = A·B with A `[m, k]`, B `[k, n]`, C `[m, n]`, all dense.
    pub fn new(m: usize, k: usize, n: usize) -> Self {
        let (transpose_a, transpose_b, accumulate) = (false, false, false);
        let triangle = Triangle::None;
        MatMul {
            m,
            k,
            n,
            transpose_a,
            transpose_b,
            lda: k,
            ldb: n,
            ldc: n,
            accumulate,
            triangle,
            bf16: false,
        }
    }

    /// A is stored as `[k, m]`, dense.
    pub fn transpose_a(self, yes: bool) -> Self {
        MatMul { transpose_a: yes, lda: if yes { self.m } else { self.k }, ..self }
    }

    /// B is stored as `[n, k]`, dense.
    pub fn transpose_b(self, yes: bool) -> Self {
        MatMul { transpose_b: yes, ldb: if yes { self.k } else { self.n }, ..self }
    }

    /// C += instead of C =.
    pub fn accumulate(self, yes: bool) -> Self {
        MatMul { accumulate: yes, ..self }
    }

    /// Numbers of A and B are rounded to bfloat16 first.
    pub fn bf16(self, yes: bool) -> Self {
        MatMul { bf16: yes, ..self }
    }

    /// Only a triangle counts.
    pub fn triangle(self, triangle: Triangle) -> Self {
        MatMul { triangle, ..self }
    }

    /// How many numbers of A, B and C the product reaches, from the first to the last. More than can be counted is
    /// `usize::MAX`, which no slice holds.
    pub(crate) fn spans(&self) -> [usize; 3] {
        let span = |rows: usize, columns: usize, stride: usize| match (rows, columns) {
            (0, _) | (_, 0) => 0,
            _ => (rows - 1).saturating_mul(stride).saturating_add(columns),
        };
        let MatMul { m, k, n, lda, ldb, ldc, .. } = *self;
        let a = if self.transpose_a { span(k, m, lda) } else { span(m, k, lda) };
        let b = if self.transpose_b { span(n, k, ldb) } else { span(k, n, ldb) };
        [a, b, span(m, n, ldc)]
    }

    /// # Panics
    /// If a slice of the given length is too short for the plan, or rows of C overlap.
    #[track_caller]
    pub(crate) fn check(&self, a: usize, b: usize, c: usize) {
        let MatMul { m, k, n, ldc, .. } = *self;
        let [a_span, b_span, c_span] = self.spans();
        assert!(a >= a_span, "matmul {m}×{k}×{n}: A holds {a} numbers and needs {a_span}");
        assert!(b >= b_span, "matmul {m}×{k}×{n}: B holds {b} numbers and needs {b_span}");
        assert!(c >= c_span, "matmul {m}×{k}×{n}: C holds {c} numbers and needs {c_span}");
        assert!(m <= 1 || ldc >= n, "matmul {m}×{k}×{n}: rows of C, {ldc} apart, would overlap");
    }

    /// Whether there is nothing to multiply; then C has been written, as sums of no terms.
    pub(crate) fn finished_as_empty<T: crate::Float>(&self, c: &mut [T]) -> bool {
        if self.k == 0 && !self.accumulate && self.n > 0 {
            for i in 0..self.m {
                c[i * self.ldc..][..self.n].fill(T::ZERO);
            }
        }
        self.m == 0 || self.k == 0 || self.n == 0
    }
}

/// Every row of C becomes `row`: what a product with a bias begins with.
pub(crate) fn repeat_rows<T: crate::Float>(row: &[T], plan: &MatMul, c: &mut [T]) {
    for i in 0..plan.m {
        c[i * plan.ldc..][..row.len()].copy_from_slice(row);
    }
}
