//! Layer norm and RMS norm along rows, each with its vjp, for every scalar.
//! (J. Ba, J. Kiros, G. Hinton, "Layer Normalization", 2016.)

use super::rows::{dot, rows_a_piece, sum, sum_by};
use super::simd::vectorize;
use super::threads::for_each_pair_of_chunks;
use crate::Float;

/// Rows that one partial sum over rows is made of.
const ROWS: usize = 64;

/// How many partial sums over `rows` rows the backward rules need room for.
pub fn partial_sums(rows: usize) -> usize {
    rows.div_ceil(ROWS)
}

/// y = weight·(x − mean)·rstd + bias along rows of the weight's width; saves mean and rstd = 1/√(variance + eps),
/// a pair for each row.
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
    for_each_pair_of_chunks(y, rows * width, saved, rows, |index, y, saved| {
        let x = &x[index * rows * width..];
        vectorize(
            #[inline(always)]
            || layer_norm_rows(x, weight, bias, eps, y, saved),
        );
    });
}

#[inline(always)]
fn layer_norm_rows<T: Float>(
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    eps: T,
    y: &mut [T],
    saved: &mut [[T; 2]],
) {
    let width = weight.len();
    let per_number = T::ONE / T::from_f64(width as f64);
    for row in 0..saved.len() {
        let (x, y) = (&x[row * width..][..width], &mut y[row * width..][..width]);
        let mean = sum(x) * per_number;
        let variance = sum_by(x, x, |x, _| (x - mean) * (x - mean)) * per_number;
        let rstd = T::ONE / (variance + eps).sqrt();
        saved[row] = [mean, rstd];
        match bias.map(|bias| &bias[..width]) {
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
}

/// With x̂ = (x − mean)·rstd and g = weight·ȳ:
///
/// ```text
/// x̄ = rstd·(g − mean(g) − x̂·mean(g·x̂))        weight‾ = Σ_rows ȳ·x̂        bias‾ = Σ_rows ȳ
/// ```
///
/// Overwrites all three. `partial` is room for sums over rows, `[partial_sums(rows), 2, width]`.
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
    let room = partial_sums(saved.len()) * 2 * width;
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
    for_each_pair_of_chunks(dx, ROWS * width, partial, 2 * width, |index, dx, partial| {
        let start = index * ROWS;
        let (x, dy) = (&x[start * width..], &dy[start * width..]);
        vectorize(
            #[inline(always)]
            || layer_norm_vjp_rows(x, weight, &saved[start..], dy, dx, partial),
        );
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

#[inline(always)]
fn layer_norm_vjp_rows<T: Float>(
    x: &[T],
    weight: &[T],
    saved: &[[T; 2]],
    dy: &[T],
    dx: &mut [T],
    partial: &mut [T],
) {
    let width = weight.len();
    let per_number = T::ONE / T::from_f64(width as f64);
    let (dweight, dbias) = partial.split_at_mut(width);
    dweight.fill(T::ZERO);
    dbias.fill(T::ZERO);
    let (dweight, dbias) = (&mut dweight[..width], &mut dbias[..width]);
    for row in 0..dx.len() / width.max(1) {
        let (at, [mean, rstd]) = (row * width, saved[row]);
        let (x, dy, dx) = (&x[at..][..width], &dy[at..][..width], &mut dx[at..][..width]);
        for i in 0..width {
            dweight[i] += dy[i] * ((x[i] - mean) * rstd);
            dbias[i] += dy[i];
            dx[i] = weight[i] * dy[i]; // g
        }
        let mean_g = sum(dx) * per_number;
        let mean_gx = sum_by(dx, x, |g, x| g * ((x - mean) * rstd)) * per_number;
        for i in 0..width {
            dx[i] = rstd * (dx[i] - mean_g - (x[i] - mean) * rstd * mean_gx);
        }
    }
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
    for_each_pair_of_chunks(y, rows * width, saved, rows, |index, y, saved| {
        let x = &x[index * rows * width..];
        vectorize(
            #[inline(always)]
            || rms_norm_rows(x, weight, eps, y, saved),
        );
    });
}

#[inline(always)]
fn rms_norm_rows<T: Float>(x: &[T], weight: &[T], eps: T, y: &mut [T], saved: &mut [T]) {
    let width = weight.len();
    let per_number = T::ONE / T::from_f64(width as f64);
    for row in 0..saved.len() {
        let (x, y) = (&x[row * width..][..width], &mut y[row * width..][..width]);
        let rstd = T::ONE / (dot(x, x) * per_number + eps).sqrt();
        saved[row] = rstd;
        for i in 0..width {
            y[i] = weight[i] * (x[i] * rstd);
        }
    }
}

/// With x̂ = x·rstd and g = weight·ȳ:
///
/// ```text
/// x̄ = rstd·(g − x̂·mean(g·x̂))        weight‾ = Σ_rows ȳ·x̂
/// ```
///
/// Overwrites both. `partial` is room for sums over rows, `[partial_sums(rows), width]`.
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
    let room = partial_sums(saved.len()) * width;
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
    for_each_pair_of_chunks(dx, ROWS * width, partial, width, |index, dx, dweight| {
        let start = index * ROWS;
        let (x, dy) = (&x[start * width..], &dy[start * width..]);
        vectorize(
            #[inline(always)]
            || rms_norm_vjp_rows(x, weight, &saved[start..], dy, dx, dweight),
        );
    });
    dweight.fill(T::ZERO);
    for partial in partial[..room].chunks_exact(width.max(1)) {
        for i in 0..width {
            dweight[i] += partial[i];
        }
    }
}

#[inline(always)]
fn rms_norm_vjp_rows<T: Float>(
    x: &[T],
    weight: &[T],
    saved: &[T],
    dy: &[T],
    dx: &mut [T],
    dweight: &mut [T],
) {
    let width = weight.len();
    let per_number = T::ONE / T::from_f64(width as f64);
    dweight.fill(T::ZERO);
    let dweight = &mut dweight[..width];
    for row in 0..dx.len() / width.max(1) {
        let (at, rstd) = (row * width, saved[row]);
        let (x, dy, dx) = (&x[at..][..width], &dy[at..][..width], &mut dx[at..][..width]);
        for i in 0..width {
            dweight[i] += dy[i] * (x[i] * rstd);
            dx[i] = weight[i] * dy[i];
        }
        let mean_gx = sum_by(dx, x, |g, x| g * (x * rstd)) * per_number;
        for i in 0..width {
            dx[i] = rstd * (dx[i] - x[i] * rstd * mean_gx);
        }
    }
}
