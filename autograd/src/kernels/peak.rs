//! The floor under every kernel: how many multiply-adds the machine can do when it does nothing else.

use super::lanes::{self, Kernel, Lanes, Simd};
use super::threads::{for_each_piece, threads};
use std::hint::black_box;
use std::time::Instant;

/// Sums that run side by side, so that none waits for the last addition into it (latency × units is 8 or 10 today).
const SUMS: usize = 12;

/// Floating-point operations a second of f32 multiply-adds in registers, on all [`threads`] at once: the best of
/// `runs` runs of some milliseconds.
pub fn multiply_add_peak(runs: usize) -> f64 {
    (0..runs.max(1)).map(|_| one_run::<f32>()).fold(0.0, f64::max)
}

fn one_run<T: Simd>() -> f64 {
    const ROUNDS: usize = 1 << 19;
    let start = Instant::now();
    let operations = std::sync::atomic::AtomicUsize::new(0);
    for_each_piece(threads(), |_| {
        let done = lanes::dispatch(Chains { x: black_box(T::from_f64(0.5)), rounds: ROUNDS });
        operations.fetch_add(done, std::sync::atomic::Ordering::Relaxed);
    });
    operations.into_inner() as f64 / start.elapsed().as_secs_f64()
}

/// sᵢ ← sᵢ·x + x, over and over.
struct Chains<T> {
    x: T,
    rounds: usize,
}

impl<T: Simd> Kernel<T> for Chains<T> {
    type Output = usize;
    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self) -> usize {
        let x = L::splat(self.x);
        let mut sums = [x; SUMS];
        for _ in 0..self.rounds {
            for sum in &mut sums {
                *sum = sum.mul_add(x, x);
            }
        }
        black_box(sums.map(L::sum));
        2 * self.rounds * SUMS * L::N
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_peak_is_a_rate() {
        let peak = super::multiply_add_peak(1);
        assert!(peak.is_finite() && peak > 1e7, "{peak} operations a second");
    }
}
