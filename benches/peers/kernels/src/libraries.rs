//! MKL and OpenBLAS, called inside the libraries that PyTorch and numpy bring with them.

use crate::cases::Case;
use libloading::Library;
use std::ffi::{c_char, c_int};
use std::path::Path;

/// Fortran's sgemm: column-major, everything by reference, sizes of 32 bits.
type Sgemm = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const c_int,
    *const c_int,
    *const c_int,
    *const f32,
    *const f32,
    *const c_int,
    *const f32,
    *const c_int,
    *const f32,
    *mut f32,
    *const c_int,
);

/// The C interface with sizes of 64 bits.
type CblasSgemm = unsafe extern "C" fn(
    c_int,
    c_int,
    c_int,
    i64,
    i64,
    i64,
    f32,
    *const f32,
    i64,
    *const f32,
    i64,
    f32,
    *mut f32,
    i64,
);

pub struct Mkl {
    library: Library,
}

impl Mkl {
    /// From PyTorch's `libtorch_cpu.so`.
    pub fn load(path: &Path) -> Result<Mkl, libloading::Error> {
        // SAFETY: PyTorch's libraries are made to be loaded.
        let library = unsafe { Library::new(path)? };
        // SAFETY: this is the type of the function of that name.
        unsafe { library.get::<Sgemm>(b"sgemm_\0")? };
        Ok(Mkl { library })
    }

    pub fn multiply(&self, case: &Case, a: &[f32], b: &[f32], c: &mut [f32]) {
        let size = |n: usize| n as c_int;
        let (m, k, n) = (size(case.m), size(case.k), size(case.n));
        let letter = |transposed: bool| if transposed { b'T' } else { b'N' } as c_char;
        // In memory the row-major C is the column-major Cᵀ = op(B)ᵀ·op(A)ᵀ.
        let (first, second) = (letter(case.transpose_b), letter(case.transpose_a));
        let (ldb, lda) = (if case.transpose_b { k } else { n }, if case.transpose_a { m } else { k });
        // SAFETY: the type has been given in `load`, and sizes and strides are those of the slices.
        unsafe {
            let sgemm = self.library.get::<Sgemm>(b"sgemm_\0").expect("it was there when it was loaded");
            let (b, a, c) = (b.as_ptr(), a.as_ptr(), c.as_mut_ptr());
            sgemm(&first, &second, &n, &m, &k, &1.0, b, &ldb, a, &lda, &0.0, c, &n);
        }
    }
}

pub struct OpenBlas {
    library: Library,
}

const ROW_MAJOR: c_int = 101;

impl OpenBlas {
    /// From numpy's `libscipy_openblas64_….so`.
    pub fn load(path: &Path) -> Result<OpenBlas, libloading::Error> {
        // SAFETY: numpy's libraries are made to be loaded.
        let library = unsafe { Library::new(path)? };
        // SAFETY: this is the type of the function of that name.
        unsafe { library.get::<CblasSgemm>(b"scipy_cblas_sgemm64_\0")? };
        Ok(OpenBlas { library })
    }

    pub fn multiply(&self, case: &Case, a: &[f32], b: &[f32], c: &mut [f32]) {
        let (m, k, n) = (case.m as i64, case.k as i64, case.n as i64);
        let number = |transposed: bool| if transposed { 112 } else { 111 };
        let (ta, tb) = (number(case.transpose_a), number(case.transpose_b));
        let (lda, ldb) = (if case.transpose_a { m } else { k }, if case.transpose_b { k } else { n });
        // SAFETY: as above.
        unsafe {
            let sgemm = self.library.get::<CblasSgemm>(b"scipy_cblas_sgemm64_\0").expect("it was there");
            let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
            sgemm(ROW_MAJOR, ta, tb, m, n, k, 1.0, a, lda, b, ldb, 0.0, c, n);
        }
    }
}
