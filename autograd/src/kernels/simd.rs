//! Plain loops, compiled for the widest instruction set of the processor.

use super::lanes::{self, Kernel, Lanes, Simd};

/// Runs a loop compiled for the widest vector registers that this processor has.
///
/// ```
/// use autograd::kernels::simd::vectorize;
/// let (x, mut y) = (vec![1.0f32; 100], vec![2.0f32; 100]);
/// vectorize(#[inline(always)] || {
///     for (y, x) in y.iter_mut().zip(&x) {
///         *y += x;
///     }
/// });
/// assert_eq!(y, [3.0; 100]);
/// ```
///
/// It changes the speed, never the bits: the compiler may do independent operations side by side, but neither
/// reorders a sum nor fuses a product into it. Only what is inlined is compiled for those registers: the closure is
/// marked for that, and so is every function of more than a few lines that it calls.
#[inline]
pub fn vectorize<R>(body: impl FnOnce() -> R) -> R {
    lanes::dispatch::<f32, _>(Body(body))
}

struct Body<F>(F);

impl<T: Simd, R, F: FnOnce() -> R> Kernel<T> for Body<F> {
    type Output = R;
    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self) -> R {
        (self.0)()
    }
}
