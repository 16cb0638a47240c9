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
    let (xs, x_rest) = x.as_chunks::<SIDE_BY_SIDE>();
    let (ys, y_rest) = y[..x.len()].as_chunks::<SIDE_BY_SIDE>();
    for c in 0..xs.len() {
        for i in 0..SIDE_BY_SIDE {
            sums[i] += f(xs[c][i], ys[c][i]);
        }
    }
    // Otherwise LLVM keeps the sums in registers of two, the shape of the last step of `in_pairs`: half as fast.
    let sums = std::hint::black_box(sums);
    let mut sum = in_pairs(sums);
    for i in 0..x_rest.len() {
        sum += f(x_rest[i], y_rest[i]);
    }
    sum
}

/// The sum of sixteen sums: each half is added to the other, three times, and the last two.
#[inline(always)]
fn in_pairs<T: Float>(of: [T; SIDE_BY_SIDE]) -> T {
    let (mut eight, mut four) = ([T::ZERO; 8], [T::ZERO; 4]);
    for i in 0..8 {
        eight[i] = of[i] + of[i + 8];
    }
    for i in 0..4 {
        four[i] = eight[i] + eight[i + 4];
    }
    (four[0] + four[2]) + (four[1] + four[3])
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
    let (chunks, rest) = x.as_chunks::<SIDE_BY_SIDE>();
    for x in chunks {
        for i in 0..SIDE_BY_SIDE {
            most[i] = if x[i] > most[i] { x[i] } else { most[i] };
        }
    }
    let mut largest = x[0];
    for side in [&most[..], rest] {
        for &x in side {
            largest = if x > largest { x } else { largest };
        }
    }
    largest
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
                    for i in 0..y.len() {
                        y[i] = (x[i] - most) - rest;
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
                    for i in 0..width {
                        dx[i] = dy[i] - dx[i] * total;
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
            let sums = &mut sums[..width];
            for row in rows {
                let x = &x[row * width..][..width];
                for i in 0..width {
                    sums[i] += x[i];
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
            let sums = &mut sums[..width];
            for row in 0..rows.len() {
                let (at, z) = (part.start + row * width, &mut z[row * width..][..width]);
                let (x, y) = (&x[at..][..width], &y[at..][..width]);
                for i in 0..width {
                    z[i] = x[i] * y[i];
                    sums[i] += z[i];
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
        for i in 0..width {
            sums[i] += partial[i];
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
