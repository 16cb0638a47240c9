//! Pure functions on slices; they know nothing of tensors or tapes.

pub mod naive;

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
}

impl MatMul {
    /// C = A·B with A `[m, k]`, B `[k, n]`, C `[m, n]`, all dense.
    pub fn new(m: usize, k: usize, n: usize) -> Self {
        MatMul { m, k, n, transpose_a: false, transpose_b: false, lda: k, ldb: n, ldc: n, accumulate: false }
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
}
