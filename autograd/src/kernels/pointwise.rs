//! Loops over whole slices, entry by entry: in vector registers, and on all threads where that pays.
//!
//! (Loops by index, here and in `rows`, `norm` and `rope`: `zip` on two slices becomes calls where the compiler does
//! not optimise across crates, as in the profile `release`, and a call keeps a loop out of vector registers.)

use super::simd::vectorize;
use super::threads::for_each_chunk;
use crate::Float;

/// Numbers a piece: what one thread does in the time that it takes to wake another.
const CHUNK: usize = 16384;

/// y = f(x)
#[track_caller]
pub fn map<T: Float>(x: &[T], y: &mut [T], f: impl Fn(T) -> T + Sync) {
    assert_eq!(x.len(), y.len(), "y = f(x), entry by entry: the lengths differ");
    for_each_chunk(y, CHUNK, |index, y| {
        let x = &x[index * CHUNK..][..y.len()];
        vectorize(
            #[inline(always)]
            || {
                for i in 0..y.len() {
                    y[i] = f(x[i]);
                }
            },
        );
    });
}

/// y = f(a, b)
#[track_caller]
pub fn zip<T: Float>(a: &[T], b: &[T], y: &mut [T], f: impl Fn(T, T) -> T + Sync) {
    assert!(a.len() == y.len() && b.len() == y.len(), "y = f(a, b), entry by entry: the lengths differ");
    for_each_chunk(y, CHUNK, |index, y| {
        let (a, b) = (&a[index * CHUNK..][..y.len()], &b[index * CHUNK..][..y.len()]);
        vectorize(
            #[inline(always)]
            || {
                for i in 0..y.len() {
                    y[i] = f(a[i], b[i]);
                }
            },
        );
    });
}

/// y = f(a, b, c)
#[track_caller]
pub fn zip3<T: Float>(a: &[T], b: &[T], c: &[T], y: &mut [T], f: impl Fn(T, T, T) -> T + Sync) {
    let n = y.len();
    assert!(
        a.len() == n && b.len() == n && c.len() == n,
        "y = f(a, b, c), entry by entry: the lengths differ"
    );
    for_each_chunk(y, CHUNK, |index, y| {
        let [a, b, c] = [a, b, c].map(|x| &x[index * CHUNK..][..y.len()]);
        vectorize(
            #[inline(always)]
            || {
                for i in 0..y.len() {
                    y[i] = f(a[i], b[i], c[i]);
                }
            },
        );
    });
}

/// y += x
#[track_caller]
pub fn add_assign<T: Float>(y: &mut [T], x: &[T]) {
    assert_eq!(x.len(), y.len(), "y += x, entry by entry: the lengths differ");
    for_each_chunk(y, CHUNK, |index, y| {
        let x = &x[index * CHUNK..][..y.len()];
        vectorize(
            #[inline(always)]
            || {
                for i in 0..y.len() {
                    y[i] += x[i];
                }
            },
        );
    });
}
