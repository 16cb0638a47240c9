//! Kernels of rows: sums in a fixed order, softmax, for every scalar.
//!
//! A sum along a row is 16 sums side by side, of every sixteenth number, added up in pairs at the end: the compiler
//! turns them into registers of any width, and the bits are the same on every instruction set and thread count.

use super::simd::vectorize;
use super::threads::{Shared, for_each_chunk, for_each_piece};
use crate::Float;
use crate::buffer::Buffer;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

const SIDE_BY_SIDE: usize = 16;
/// Numbers a piece: some microseconds of work.
const CHUNK: usize = 8192;

/// How many rows of this width make a piece.
pub(crate) fn rows_a_piece(width: usize) -> usize {
    CHUNK.div_ceil(width.max(1))
}

/// Σᵢ f(xᵢ, yᵢ)
#[inline(always)]
pub(crate) fn sum_by<T: Float>(x: &[T], y: &[T], f: impl Fn(T, T) -> T) -> T {
    let mut sums = [T::ZERO; SIDE_BY_SIDE];
    let (xs, ys) = (x.chunks_exact(SIDE_BY_SIDE), y.chunks_exact(SIDE_BY_SIDE));
    let rest = xs.remainder().iter().zip(ys.remainder());
    for (x, y) in xs.zip(ys) {
        for i in 0..SIDE_BY_SIDE {
            sums[i] += f(x[i], y[i]);
        }
    }
    // Otherwise LLVM keeps the sums in registers of two, the shape of the last step of `in_pairs`: half as fast.
    let sums = std::hint::black_box(sums);
    rest.fold(in_pairs(sums), |sum, (&x, &y)| sum + f(x, y))
}

/// The sum of sixteen sums.
#[inline(always)]
fn in_pairs<T: Float>(mut sums: [T; SIDE_BY_SIDE]) -> T {
    let mut half = SIDE_BY_SIDE / 2;
    while half > 0 {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
        half /= 2;
    }
    sums[0]
}

/// Σᵢ xᵢ
#[inline(always)]
pub(crate) fn sum<T: Float>(x: &[T]) -> T {
    sum_by(x, x, |x, _| x)
}

/// 1/n·Σᵢ xᵢ
#[inline(always)]
pub(crate) fn mean<T: Float>(x: &[T]) -> T {
    sum(x) / T::from_f64(x.len() as f64)
}

/// Σᵢ xᵢ·yᵢ
#[inline(always)]
pub(crate) fn dot<T: Float>(x: &[T], y: &[T]) -> T {
    sum_by(x, y, |x, y| x * y)
}

/// Whether no number is infinite or NaN: 0·x is 0 for all others, and a sum of zeros is 0.
pub fn all_finite<T: Float>(x: &[T]) -> bool {
    let finite = AtomicBool::new(true);
    for_each_piece(x.len().div_ceil(CHUNK), |index| {
        let x = &x[index * CHUNK..x.len().min((index + 1) * CHUNK)];
        let zero = vectorize(
            #[inline(always)]
            || sum_by(x, x, |x, _| x * T::ZERO),
        );
        if zero != T::ZERO {
            finite.store(false, Ordering::Relaxed);
        }
    });
    finite.into_inner()
}

/// y[r] = Σᵢ a[r, i]·b[r, i] for rows of `width` that begin `ld` numbers apart.
#[inline(always)]
pub(crate) fn dots<T: Float>(width: usize, ld: usize, a: &[T], b: &[T], y: &mut [T]) {
    for (row, y) in y.iter_mut().enumerate() {
        *y = dot(&a[row * ld..][..width], &b[row * ld..][..width]);
    }
}

/// The largest of a row that is not empty; NaN is passed over, unless it comes first.
#[inline(always)]
pub(crate) fn max<T: Float>(x: &[T]) -> T {
    let mut most = [x[0]; SIDE_BY_SIDE];
    let chunks = x.chunks_exact(SIDE_BY_SIDE);
    let rest = chunks.remainder();
    for x in chunks {
        for i in 0..SIDE_BY_SIDE {
            most[i] = if x[i] > most[i] { x[i] } else { most[i] };
        }
    }
    most.into_iter().chain(rest.iter().copied()).fold(x[0], |most, x| if x > most { x } else { most })
}

/// y = softmax(x) along rows of `width`; x, y `[rows, width]`.
pub fn softmax<T: Float>(width: usize, x: &[T], y: &mut [T]) {
    let piece = rows_a_piece(width) * width;
    for_each_chunk(y, piece, |index, y| {
        let x = &x[index * piece..][..y.len()];
        y.copy_from_slice(x);
        for row in y.chunks_exact_mut(width) {
            let most = vectorize(
                #[inline(always)]
                || max(row),
            );
            T::exp_affine(row, T::ONE, most);
            vectorize(
                #[inline(always)]
                || {
                    let scale = T::ONE / sum(row);
                    for y in &mut *row {
                        *y *= scale;
                    }
                },
            );
        }
    });
}

/// x̄ᵢ = yᵢ·(ȳᵢ − Σⱼ ȳⱼ·yⱼ), row by row, where y = softmax(x); overwrites x̄.
pub fn softmax_vjp<T: Float>(width: usize, y: &[T], dy: &[T], dx: &mut [T]) {
    let piece = rows_a_piece(width) * width;
    for_each_chunk(dx, piece, |index, dx| {
        vectorize(
            #[inline(always)]
            || {
                for (row, dx) in dx.chunks_exact_mut(width).enumerate() {
                    let at = index * piece + row * width;
                    let (y, dy) = (&y[at..][..width], &dy[at..][..width]);
                    let along = dot(y, dy);
                    for i in 0..width {
                        dx[i] = y[i] * (dy[i] - along);
                    }
                }
            },
        );
    });
}

/// y = x − ln Σ eˣ along rows of `width`; x, y `[rows, width]`.
pub fn log_softmax<T: Float>(width: usize, x: &[T], y: &mut [T]) {
    let piece = rows_a_piece(width) * width;
    for_each_chunk(y, piece, |index, y| {
        let x = &x[index * piece..][..y.len()];
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let [most, total] = max_and_sum(x);
            let rest = total.ln();
            vectorize(
                #[inline(always)]
                || {
                    for (y, &x) in y.iter_mut().zip(x) {
                        *y = (x - most) - rest;
                    }
                },
            );
        }
    });
}

/// x̄ = ȳ − eʸ·Σ ȳ, row by row, where y = log_softmax(x); overwrites x̄.
pub fn log_softmax_vjp<T: Float>(width: usize, y: &[T], dy: &[T], dx: &mut [T]) {
    let piece = rows_a_piece(width) * width;
    for_each_chunk(dx, piece, |index, dx| {
        for (row, dx) in dx.chunks_exact_mut(width).enumerate() {
            let at = index * piece + row * width;
            let (y, dy) = (&y[at..][..width], &dy[at..][..width]);
            dx.copy_from_slice(y);
            T::exp_affine(dx, T::ONE, T::ZERO);
            vectorize(
                #[inline(always)]
                || {
                    let total = sum(dy);
                    for (dx, &dy) in dx.iter_mut().zip(dy) {
                        *dx = dy - *dx * total;
                    }
                },
            );
        }
    });
}

/// ln Σ eˣ = m + ln Σ e^(x − m), m = max x, of one row. Over nothing but −∞ it is −∞.
pub fn log_sum_exp<T: Float>(x: &[T]) -> T {
    let [most, total] = max_and_sum(x);
    most + total.ln()
}

/// m = max x and Z = Σ e^(x − m) of one row: no power overflows, since none is positive. Over nothing but −∞ they are −∞
/// and 1. (Kept apart, both are accurate; m + ln Z for m near 10⁴ is good to three decimals at f32.)
pub fn max_and_sum<T: Float>(x: &[T]) -> [T; 2] {
    const AT_ONCE: usize = 512; // so that the powers need no memory beside the stack's
    if x.iter().all(|x| x.to_f64() == f64::NEG_INFINITY) {
        return [T::from_f64(f64::NEG_INFINITY), T::ONE];
    }
    let most = vectorize(
        #[inline(always)]
        || max(x),
    );
    let mut total = T::ZERO;
    for part in x.chunks(AT_ONCE) {
        let mut e = [T::ZERO; AT_ONCE];
        let e = &mut e[..part.len()];
        e.copy_from_slice(part);
        T::exp_affine(e, T::ONE, most);
        total += vectorize(
            #[inline(always)]
            || sum(e),
        );
    }
    [most, total]
}

/// Rows that one partial sum over rows is made of.
const STRIP: usize = 64;

/// y = Σ_rows x for x `[rows, width]`, y `[width]`: a bias's gradient. Strips of 64 rows are summed each by itself, then
/// the strips in order.
pub fn column_sums<T: Float>(x: &[T], y: &mut [T]) {
    let width = y.len();
    sum_of_strips(
        x.len() / width.max(1),
        y,
        #[inline(always)]
        |rows, sums| {
            for row in x[rows.start * width..rows.end * width].chunks_exact(width) {
                for (sum, &x) in sums.iter_mut().zip(row) {
                    *sum += x;
                }
            }
        },
    );
}

/// z = x·y, entry by entry, and the [`column_sums`] of z while it is at hand.
#[track_caller]
pub fn multiply_and_sum_columns<T: Float>(x: &[T], y: &[T], z: &mut [T], sums: &mut [T]) {
    let width = sums.len();
    assert!(x.len() == z.len() && y.len() == z.len(), "z = x·y, entry by entry: the lengths differ");
    let rows = z.len() / width.max(1);
    let z = Shared(z.as_mut_ptr());
    sum_of_strips(
        rows,
        sums,
        #[inline(always)]
        |rows, sums| {
            let part = rows.start * width..rows.end * width;
            // SAFETY: rows of z, which is borrowed for the whole call; strips do not overlap.
            let z = unsafe { std::slice::from_raw_parts_mut(z.get().add(part.start), part.len()) };
            let (x, y) = (x[part.clone()].chunks_exact(width), y[part].chunks_exact(width));
            for ((x, y), z) in x.zip(y).zip(z.chunks_exact_mut(width)) {
                for (((z, &x), &y), sum) in z.iter_mut().zip(x).zip(y).zip(&mut *sums) {
                    *z = x * y;
                    *sum += *z;
                }
            }
        },
    );
}

/// sums = Σ over strips of rows of what `add(rows, sums)` adds up: a partial result a strip, summed in order.
fn sum_of_strips<T: Float>(rows: usize, sums: &mut [T], add: impl Fn(Range<usize>, &mut [T]) + Sync) {
    let (width, strips) = (sums.len(), rows.div_ceil(STRIP));
    let mut partial = Buffer::filled(strips * width, T::ZERO);
    for_each_chunk(&mut partial, width, |strip, sums| {
        vectorize(
            #[inline(always)]
            || add(strip * STRIP..rows.min((strip + 1) * STRIP), sums),
        );
    });
    sums.fill(T::ZERO);
    for partial in partial.chunks_exact(width.max(1)) {
        for (sum, &partial) in sums.iter_mut().zip(partial) {
            *sum += partial;
        }
    }
}

/// Σ xᵢ², in an order that depends on the length alone; `partial` is room for one number for every 8192.
pub fn sum_of_squares<T: Float>(x: &[T], partial: &mut Vec<T>) -> T {
    partial.clear();
    partial.resize(x.len().div_ceil(CHUNK), T::ZERO);
    for_each_chunk(partial, 1, |index, partial| {
        let x = &x[index * CHUNK..x.len().min((index + 1) * CHUNK)];
        partial[0] = vectorize(
            #[inline(always)]
            || dot(x, x),
        );
    });
    sum(partial)
}
