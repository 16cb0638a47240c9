//! Functions of one row of numbers, in a fixed order of summation.

use crate::Float;

/// Partial sums that a row is dealt out to, as cards: they fit the widest vector registers, and a long sum of
/// sixteen shorter ones loses less to rounding.
const LANES: usize = 16;

/// Σᵢ xᵢ
pub fn sum_of<T: Float>(row: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (deals, rest) = row.as_chunks::<LANES>();
    for deal in deals {
        for (lane, &x) in lanes.iter_mut().zip(deal) {
            *lane += x;
        }
    }
    lanes.into_iter().sum::<T>() + rest.iter().copied().sum::<T>()
}

/// 1/n·Σᵢ xᵢ
pub fn mean_of<T: Float>(row: &[T]) -> T {
    sum_of(row) / T::from_f64(row.len() as f64)
}

/// Σᵢ aᵢ·bᵢ
pub fn dot<T: Float>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let ((deals_a, rest_a), (deals_b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in deals_a.iter().zip(deals_b) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    lanes.into_iter().sum::<T>() + rest_a.iter().zip(rest_b).map(|(&a, &b)| a * b).sum::<T>()
}

/// maxᵢ xᵢ; −∞ for an empty row, NaN if any entry is.
pub fn max_of<T: Float>(row: &[T]) -> T {
    let start = T::from_f64(f64::NEG_INFINITY);
    row.iter().copied().fold(start, |max, x| if x > max || x.to_f64().is_nan() { x } else { max })
}

/// ln Σᵢ e^xᵢ = m + ln Σᵢ e^(xᵢ − m), m = maxᵢ xᵢ
pub fn log_sum_exp<T: Float>(row: &[T]) -> T {
    let max = max_of(row);
    if max.to_f64() == f64::NEG_INFINITY {
        return max;
    }
    max + row.iter().map(|&x| (x - max).exp()).sum::<T>().ln()
}
