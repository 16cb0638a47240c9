//! Lanes for any processor: an array, and loops over it that a compiler may or may not turn into vectors.
//! This is also what Miri runs.

use super::{Lanes, Simd};

/// `N` numbers side by side.
#[derive(Clone, Copy)]
pub(crate) struct Array<T, const N: usize>([T; N]);

impl<T: Copy, const N: usize> Array<T, N> {
    #[inline(always)]
    fn map(self, f: impl Fn(T) -> T) -> Self {
        Array(self.0.map(f))
    }

    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(T, T) -> T) -> Self {
        Array(std::array::from_fn(|i| f(self.0[i], b.0[i])))
    }
}

/// What an [`Array`] needs of its numbers beyond arithmetic.
pub(crate) trait Bits: Simd {
    fn round_ties_even(self) -> Self;
    /// self · 2ⁿ by two factors, each of which is a normal number.
    fn scale(self, n: Self) -> Self;
    /// The mantissa in [1, 2) and the exponent.
    fn split(self) -> (Self, Self);
}

impl Bits for f32 {
    #[inline(always)]
    fn round_ties_even(self) -> f32 {
        f32::round_ties_even(self)
    }
    #[inline(always)]
    fn scale(self, n: f32) -> f32 {
        let power = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
        let n = n as i32;
        let half = n >> 1;
        self * power(half) * power(n - half)
    }
    #[inline(always)]
    fn split(self) -> (f32, f32) {
        let bits = self.to_bits();
        (f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000), (bits >> 23) as f32 - 127.0)
    }
}

impl Bits for f64 {
    #[inline(always)]
    fn round_ties_even(self) -> f64 {
        f64::round_ties_even(self)
    }
    #[inline(always)]
    fn scale(self, n: f64) -> f64 {
        let power = |n: i64| f64::from_bits(((n + 1023) as u64) << 52);
        let n = n as i64;
        let half = n >> 1;
        self * power(half) * power(n - half)
    }
    #[inline(always)]
    fn split(self) -> (f64, f64) {
        let bits = self.to_bits();
        (f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000), (bits >> 52) as f64 - 1023.0)
    }
}

impl<T: Bits, const N: usize> Lanes for Array<T, N> {
    type Scalar = T;
    const N: usize = N;
    const MR: usize = 4;
    const NV: usize = 1;

    #[inline(always)]
    fn splat(x: T) -> Self {
        Array([x; N])
    }
    #[inline(always)]
    fn load(x: &[T]) -> Self {
        let x = &x[..N];
        Array(std::array::from_fn(|i| x[i]))
    }
    #[inline(always)]
    fn load_part(x: &[T], len: usize) -> Self {
        let x = &x[..len];
        Array(std::array::from_fn(|i| if i < len { x[i] } else { T::ZERO }))
    }
    #[inline(always)]
    fn store(self, y: &mut [T]) {
        y[..N].copy_from_slice(&self.0);
    }
    #[inline(always)]
    fn store_part(self, y: &mut [T], len: usize) {
        y[..len].copy_from_slice(&self.0[..len]);
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.zip(b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.zip(b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.zip(b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        self.zip(b, |a, b| a / b)
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self.mul(b).add(c) // a product and a sum: without FMA instructions, a fused one is a library call
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        self.zip(b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        self.zip(b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn round(self) -> Self {
        self.map(T::round_ties_even)
    }
    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        self.zip(n, T::scale)
    }
    #[inline(always)]
    fn mantissa_and_exponent(self) -> (Self, Self) {
        (self.map(|x| x.split().0), self.map(|x| x.split().1))
    }
    #[inline(always)]
    fn select_less(self, b: Self, yes: Self, no: Self) -> Self {
        Array(std::array::from_fn(|i| if self.0[i] < b.0[i] { yes.0[i] } else { no.0[i] }))
    }
    #[inline(always)]
    fn select_nan(self, yes: Self, no: Self) -> Self {
        Array(std::array::from_fn(|i| if self.0[i].to_f64().is_nan() { yes.0[i] } else { no.0[i] }))
    }
    #[inline(always)]
    fn interleave(self, b: Self) -> (Self, Self) {
        let zipped = |i: usize| if i.is_multiple_of(2) { self.0[i / 2] } else { b.0[i / 2] };
        (Array(std::array::from_fn(zipped)), Array(std::array::from_fn(|i| zipped(N + i))))
    }
    #[inline(always)]
    fn sum(self) -> T {
        let mut lanes = self.0;
        let mut half = N / 2;
        while half > 0 {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
            half /= 2;
        }
        lanes[0]
    }
}
