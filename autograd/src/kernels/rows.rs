//! Kernels of rows: sums in a fixed order, softmax, layer norm, cross-entropy, for every scalar.
//!
//! A sum along a row is 16 sums side by side, of every sixteenth number, added up in order at the end: the compiler
//! turns them into registers of any width, and the bits are the same on every instruction set and thread count.

use super::simd::vectorize;
use super::threads::{for_each_chunk, for_each_pair_of_chunks};
use crate::Float;

const SIDE_BY_SIDE: usize = 16;
/// Numbers a piece: some microseconds of work.
const CHUNK: usize = 8192;
/// Rows that one partial sum over rows is made of.
const ROWS: usize = 64;

/// How many rows of this width make a piece.
fn rows_a_piece(width: usize) -> usize {
    CHUNK.div_ceil(width.max(1))
}

/// Σᵢ f(xᵢ, yᵢ)
#[inline(always)]
fn sum_by<T: Float>(x: &[T], y: &[T], f: impl Fn(T, T) -> T) -> T {
    let mut sums = [T::ZERO; SIDE_BY_SIDE];
    let (xs, ys) = (x.chunks_exact(SIDE_BY_SIDE), y.chunks_exact(SIDE_BY_SIDE));
    let rest = xs.remainder().iter().zip(ys.remainder());
    for (x, y) in xs.zip(ys) {
        for i in 0..SIDE_BY_SIDE {
            sums[i] += f(x[i], y[i]);
        }
    }
    for (i, (&x, &y)) in rest.enumerate() {
        sums[i] += f(x, y);
    }
    sums.into_iter().fold(T::ZERO, |sum, x| sum + x)
}

/// Σᵢ xᵢ
#[inline(always)]
pub(crate) fn sum<T: Float>(x: &[T]) -> T {
    sum_by(x, x, |x, _| x)
}

/// Σᵢ xᵢ·yᵢ
#[inline(always)]
pub(crate) fn dot<T: Float>(x: &[T], y: &[T]) -> T {
    sum_by(x, y, |x, y| x * y)
}

/// The largest of a row that is not empty; NaN is passed over.
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
            let most = vectorize(|| max(row));
            T::exp_affine(row, T::ONE, most);
            vectorize(|| {
                let scale = T::ONE / sum(row);
                for y in &mut *row {
                    *y = *y * scale;
                }
            });
        }
    });
}

/// x̄ = y·(ȳ − ȳ·y), row by row, where y = softmax(x); overwrites x̄.
pub fn softmax_vjp<T: Float>(width: usize, y: &[T], dy: &[T], dx: &mut [T]) {
    let piece = rows_a_piece(width) * width;
    for_each_chunk(dx, piece, |index, dx| {
        vectorize(|| {
            for (row, dx) in dx.chunks_exact_mut(width).enumerate() {
                let at = index * piece + row * width;
                let (y, dy) = (&y[at..][..width], &dy[at..][..width]);
                let along = dot(y, dy);
                for i in 0..width {
                    dx[i] = y[i] * (dy[i] - along);
                }
            }
        });
    });
}

/// y = weight·(x − mean)·rstd + bias along rows of the weight's width; saves mean and rstd = 1/√(variance + eps),
/// both `[rows]`.
pub fn layer_norm<T: Float>(
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    eps: T,
    y: &mut [T],
    saved: &mut [[T; 2]],
) {
    let width = weight.len();
    let rows = rows_a_piece(width);
    assert!(
        x.len() == y.len() && x.len() == saved.len() * width,
        "layer norm: {} rows of {width}, but {} numbers",
        saved.len(),
        x.len()
    );
    let per_number = T::ONE / T::from_f64(width as f64);
    for_each_pair_of_chunks(y, rows * width, saved, rows, |index, y, saved| {
        vectorize(|| {
            for (row, (y, saved)) in y.chunks_exact_mut(width).zip(saved).enumerate() {
                let x = &x[(index * rows + row) * width..][..width];
                let mean = sum(x) * per_number;
                let variance = sum_by(x, x, |x, _| (x - mean) * (x - mean)) * per_number;
                let rstd = T::ONE / (variance + eps).sqrt();
                *saved = [mean, rstd];
                match bias {
                    Some(bias) => {
                        for i in 0..width {
                            y[i] = weight[i] * ((x[i] - mean) * rstd) + bias[i];
                        }
                    }
                    None => {
                        for i in 0..width {
                            y[i] = weight[i] * ((x[i] - mean) * rstd);
                        }
                    }
                }
            }
        });
    });
}

/// With x̂ = (x − mean)·rstd and g = weight·ȳ:
///
/// ```text
/// x̄ = rstd·(g − mean(g) − x̂·mean(g·x̂))        weight‾ = Σ_rows ȳ·x̂        bias‾ = Σ_rows ȳ
/// ```
///
/// Overwrites all three. `partial` is room for the sums over rows, `[⌈rows / 64⌉, 2·width]`.
pub fn layer_norm_vjp<T: Float>(
    x: &[T],
    weight: &[T],
    saved: &[[T; 2]],
    dy: &[T],
    dx: &mut [T],
    dweight: &mut [T],
    dbias: &mut [T],
    partial: &mut [T],
) {
    let width = weight.len();
    let room = saved.len().div_ceil(ROWS) * 2 * width;
    assert!(
        partial.len() >= room,
        "layer norm's vjp needs room for {room} partial sums, not {}",
        partial.len()
    );
    assert!(
        x.len() == saved.len() * width,
        "layer norm's vjp: {} rows of {width}, {} numbers",
        saved.len(),
        x.len()
    );
    let per_number = T::ONE / T::from_f64(width as f64);
    for_each_pair_of_chunks(dx, ROWS * width, partial, 2 * width, |index, dx, partial| {
        vectorize(|| {
            let (dweight, dbias) = partial.split_at_mut(width);
            dweight.fill(T::ZERO);
            dbias.fill(T::ZERO);
            for (row, dx) in dx.chunks_exact_mut(width).enumerate() {
                let row = index * ROWS + row;
                let (x, dy) = (&x[row * width..][..width], &dy[row * width..][..width]);
                let [mean, rstd] = saved[row];
                for i in 0..width {
                    let normal = (x[i] - mean) * rstd;
                    dweight[i] += dy[i] * normal;
                    dbias[i] += dy[i];
                    dx[i] = weight[i] * dy[i];
                }
                let mean_g = sum(dx) * per_number;
                let mean_gx = sum_by(dx, x, |g, x| g * ((x - mean) * rstd)) * per_number;
                for i in 0..width {
                    dx[i] = rstd * (dx[i] - mean_g - (x[i] - mean) * rstd * mean_gx);
                }
            }
        });
    });
    dweight.fill(T::ZERO);
    dbias.fill(T::ZERO);
    for partial in partial[..room].chunks_exact((2 * width).max(1)) {
        for i in 0..width {
            dweight[i] += partial[i];
            dbias[i] += partial[width + i];
        }
    }
}

/// y (+)= Σ_rows x for x `[rows, width]`, y `[width]`: a bias's gradient. Columns are shared out, rows go in order.
pub fn column_sums<T: Float>(x: &[T], accumulate: bool, y: &mut [T]) {
    let width = y.len();
    let rows = x.len() / width.max(1);
    let columns = (4 * CHUNK / rows.max(1)).next_multiple_of(64).max(64);
    for_each_chunk(y, columns, |index, y| {
        let start = index * columns;
        vectorize(|| {
            if !accumulate {
                y.fill(T::ZERO);
            }
            for row in x.chunks_exact(width) {
                for (y, &x) in y.iter_mut().zip(&row[start..]) {
                    *y += x;
                }
            }
        });
    });
}

/// y = weight·x·rstd along rows of the weight's width, rstd = 1/√(mean(x²) + eps), which is saved, `[rows]`.
/// (B. Zhang, R. Sennrich, "Root Mean Square Layer Normalization", 2019.)
pub fn rms_norm<T: Float>(x: &[T], weight: &[T], eps: T, y: &mut [T], saved: &mut [T]) {
    let width = weight.len();
    let rows = rows_a_piece(width);
    assert!(
        x.len() == y.len() && x.len() == saved.len() * width,
        "RMS norm: {} rows of {width}, but {} numbers",
        saved.len(),
        x.len()
    );
    let per_number = T::ONE / T::from_f64(width as f64);
    for_each_pair_of_chunks(y, rows * width, saved, rows, |index, y, saved| {
        vectorize(|| {
            for (row, (y, saved)) in y.chunks_exact_mut(width).zip(saved).enumerate() {
                let x = &x[(index * rows + row) * width..][..width];
                let rstd = T::ONE / (dot(x, x) * per_number + eps).sqrt();
                *saved = rstd;
                for i in 0..width {
                    y[i] = weight[i] * (x[i] * rstd);
                }
            }
        });
    });
}

/// With x̂ = x·rstd and g = weight·ȳ:
///
/// ```text
/// x̄ = rstd·(g − x̂·mean(g·x̂))        weight‾ = Σ_rows ȳ·x̂
/// ```
///
/// Overwrites both. `partial` is room for the sums over rows, `[⌈rows / 64⌉, width]`.
pub fn rms_norm_vjp<T: Float>(
    x: &[T],
    weight: &[T],
    saved: &[T],
    dy: &[T],
    dx: &mut [T],
    dweight: &mut [T],
    partial: &mut [T],
) {
    let width = weight.len();
    let room = saved.len().div_ceil(ROWS) * width;
    assert!(
        partial.len() >= room,
        "RMS norm's vjp needs room for {room} partial sums, not {}",
        partial.len()
    );
    assert!(
        x.len() == saved.len() * width,
        "RMS norm's vjp: {} rows of {width}, {} numbers",
        saved.len(),
        x.len()
    );
    let per_number = T::ONE / T::from_f64(width as f64);
    for_each_pair_of_chunks(dx, ROWS * width, partial, width, |index, dx, dweight| {
        vectorize(|| {
            dweight.fill(T::ZERO);
            for (row, dx) in dx.chunks_exact_mut(width).enumerate() {
                let row = index * ROWS + row;
                let (x, dy, rstd) = (&x[row * width..][..width], &dy[row * width..][..width], saved[row]);
                for i in 0..width {
                    dweight[i] += dy[i] * (x[i] * rstd);
                    dx[i] = weight[i] * dy[i];
                }
                let mean_gx = sum_by(dx, x, |g, x| g * (x * rstd)) * per_number;
                for i in 0..width {
                    dx[i] = rstd * (dx[i] - x[i] * rstd * mean_gx);
                }
            }
        });
    });
    dweight.fill(T::ZERO);
    for partial in partial[..room].chunks_exact(width.max(1)) {
        for i in 0..width {
            dweight[i] += partial[i];
        }
    }
}

/// For logits x `[rows, v]`: ln Σ eˣ of each row, without storing the probabilities. The loss of a row with target t
/// is `log_sum_exp − x[t]`.
pub fn log_sum_exp<T: Float>(v: usize, x: &[T], log_sum_exp: &mut [T]) {
    const STRIP: usize = 512;
    for_each_chunk(log_sum_exp, rows_a_piece(v), |index, out| {
        for (row, out) in out.iter_mut().enumerate() {
            let x = &x[(index * rows_a_piece(v) + row) * v..][..v];
            let most = vectorize(|| max(x));
            let mut total = T::ZERO;
            for strip in x.chunks(STRIP) {
                let mut e = [T::ZERO; STRIP];
                let e = &mut e[..strip.len()];
                e.copy_from_slice(strip);
                T::exp_affine(e, T::ONE, most);
                total += vectorize(|| sum(e));
            }
            *out = most + total.ln();
        }
    });
}

/// x̄ = scale·(softmax(x) − onehot(target)), 0 in a row whose target is `None`; overwrites x̄.
pub fn cross_entropy_vjp<T: Float>(
    v: usize,
    x: &[T],
    log_sum_exp: &[T],
    target: impl Fn(usize) -> Option<usize> + Sync,
    scale: T,
    dx: &mut [T],
) {
    let rows = rows_a_piece(v);
    for_each_chunk(dx, rows * v, |index, dx| {
        for (row, dx) in dx.chunks_exact_mut(v).enumerate() {
            let row = index * rows + row;
            let Some(target) = target(row) else {
                dx.fill(T::ZERO);
                continue;
            };
            dx.copy_from_slice(&x[row * v..][..v]);
            T::exp_affine(dx, T::ONE, log_sum_exp[row]);
            vectorize(|| {
                for dx in &mut *dx {
                    *dx = *dx * scale;
                }
            });
            dx[target] += -scale;
        }
    });
}

/// Σ xᵢ², in an order that depends on the length alone; `partial` is room for one number for every 8192.
pub fn sum_of_squares<T: Float>(x: &[T], partial: &mut Vec<T>) -> T {
    partial.clear();
    partial.resize(x.len().div_ceil(CHUNK), T::ZERO);
    for_each_chunk(partial, 1, |index, partial| {
        let x = &x[index * CHUNK..x.len().min((index + 1) * CHUNK)];
        partial[0] = vectorize(|| dot(x, x));
    });
    sum(partial)
}
