//! The floor under every kernel: how many multiply-adds the machine can do when it does nothing else.

#[cfg(target_arch = "x86_64")]
use super::bf16;
use super::lanes::{self, Kernel, Lanes, Simd};
use super::threads::{for_each_piece, threads};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// Sums that run side by side, so that none waits for the last addition into it (latency × units is 8 or 10 today).
const SUMS: usize = 12;

/// Floating-point operations a second of f32 multiply-adds in registers, on all [`threads`] at once: the best of
/// `runs` runs of some milliseconds.
pub fn multiply_add_peak(runs: usize) -> f64 {
    (0..runs.max(1)).map(|_| one_run::<f32>()).fold(0.0, f64::max)
}

/// The same of what multiplies bfloat16 numbers (see [`super::bf16`]), with its operands in the L1 cache; without a unit
/// for them it is the [`multiply_add_peak`].
pub fn bf16_peak(runs: usize) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if bf16::Unit::current() != bf16::Unit::F32 {
        return (0..runs.max(1)).map(|_| rate(bf16::product::blocks_in_l1)).fold(0.0, f64::max);
    }
    multiply_add_peak(runs)
}

fn one_run<T: Simd>() -> f64 {
    const ROUNDS: usize = 1 << 19;
    rate(|| lanes::dispatch(Chains { x: black_box(T::from_f64(0.5)), rounds: ROUNDS }))
}

/// Operations a second, where every thread does the work once and says how many operations that was.
fn rate(work: impl Fn() -> usize + Sync) -> f64 {
    let start = Instant::now();
    let operations = AtomicUsize::new(0);
    for_each_piece(threads(), |_| _ = operations.fetch_add(work(), Relaxed));
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
        let peak = super::bf16_peak(1);
        assert!(peak.is_finite() && peak > 1e7, "{peak} operations a second at bf16");
    }
}
