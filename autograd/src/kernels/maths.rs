//! Elementary functions on whole registers: own polynomials, with error bounds that the tests measure.
//!
//! ```text
//! eˣ      x = n·ln 2 + r, |r| ≤ ln 2 / 2:   eˣ = 2ⁿ·Σ rⁱ/i!
//! ln x    x = m·2ᵉ, m in [√½, √2), s = (m − 1)/(m + 1):   ln m = 2·artanh s = 2·Σ s²ⁱ⁺¹/(2i + 1)
//! tanh x  = (e²ˣ − 1) / (e²ˣ + 1), with e²ˣ − 1 computed without cancellation
//! σ(x)    = 1 / (1 + e⁻ˣ)
//! gelu x  = ½·x·(1 + tanh u) = x·σ(2u),  u = √(2/π)·(x + 0.044715·x³)
//! ```
//!
//! Errors at f32, in units in the last place: exp and ln at most 1, tanh and σ at most 3. At f64 at most 2 and 4 units
//! from the system's library, which is itself right to about 1. NaN gives NaN; exp and ln are
//! right at ±∞, at 0 and for subnormal numbers; σ(x) below the smallest normal number is 0 or subnormal;
//! tanh(−0) is 0. (The splitting of ln 2: W. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980; the
//! last step of ln as in Sun's fdlibm. D. Hendrycks, K. Gimpel, "Gaussian Error Linear Units", 2016.)

use super::lanes::{self, InstructionSet, Kernel, Lanes, Simd};
use super::threads::for_each_chunk;
use std::f64::consts::{FRAC_2_SQRT_PI, LOG2_E, SQRT_2};

/// Numbers a piece: some microseconds of work.
const CHUNK: usize = 8192;

/// What the polynomials need to know about a number type.
pub(crate) trait Precision {
    /// Terms of Σ rⁱ/i! beyond 1: the rest is below a tenth of a unit in the last place.
    const EXP_TERMS: usize;
    /// Terms of Σ s²ⁱ/(2i + 1) beyond the first.
    const LN_TERMS: usize;
    /// ln 2 with so many zeros at its end that its product with an exponent is exact, and the rest.
    const LN_2: (f64, f64);
    /// eˣ is 0 below and ∞ above.
    const EXP_RANGE: (f64, f64);
    /// The smallest normal number, and by how many powers of two to lift what lies below it.
    const SUBNORMAL: (f64, i32);
    /// The largest finite number.
    const LARGEST: f64;
}

impl Precision for f32 {
    const EXP_TERMS: usize = 7;
    const LN_TERMS: usize = 5;
    const LN_2: (f64, f64) = (0.693359375, -2.121_944_400_546_905_8e-4);
    const EXP_RANGE: (f64, f64) = (-104.0, 89.0);
    const SUBNORMAL: (f64, i32) = (f32::MIN_POSITIVE as f64, 25);
    const LARGEST: f64 = f32::MAX as f64;
}

impl Precision for f64 {
    const EXP_TERMS: usize = 13;
    const LN_TERMS: usize = 11;
    const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
    const EXP_RANGE: (f64, f64) = (-746.0, 710.0);
    const SUBNORMAL: (f64, i32) = (f64::MIN_POSITIVE, 54);
    const LARGEST: f64 = f64::MAX;
}

const INVERSE_FACTORIAL: [f64; 14] = {
    let mut list = [1.0; 14];
    let (mut i, mut factorial) = (1, 1.0);
    while i < 14 {
        factorial *= i as f64;
        list[i] = 1.0 / factorial;
        i += 1;
    }
    list
};

#[inline(always)]
fn constant<L: Lanes>(x: f64) -> L {
    L::splat(<L::Scalar as crate::Float>::from_f64(x))
}

/// n and Σᵢ₌₁ rⁱ/i! = eʳ − 1, with x = n·ln 2 + r.
#[inline(always)]
fn exp_parts<L: Lanes>(x: L) -> (L, L) {
    let (high, low) = L::Scalar::LN_2;
    let n = x.mul(constant(LOG2_E)).round();
    let r = n.mul_add(constant(-low), n.mul_add(constant(-high), x));
    let mut sum: L = constant(INVERSE_FACTORIAL[L::Scalar::EXP_TERMS]);
    for i in (2..L::Scalar::EXP_TERMS).rev() {
        sum = sum.mul_add(r, constant(INVERSE_FACTORIAL[i]));
    }
    (n, sum.mul(r).mul_add(r, r))
}

/// eˣ
#[inline(always)]
pub(crate) fn exp<L: Lanes>(x: L) -> L {
    let (least, largest) = L::Scalar::EXP_RANGE;
    // `max` and `min` return their second operand where one is NaN: so NaN gets through.
    let (n, em1) = exp_parts(constant::<L>(largest).min(constant::<L>(least).max(x)));
    em1.add(constant(1.0)).scale_by_power_of_two(n)
}

/// eˣ where some x may be −∞, a masked score: where eˣ rounds to 0 it is set to 0. On the way there `exp` would make a number
/// below the smallest normal one, which takes some processors a hundred cycles.
#[inline(always)]
fn exp_or_zero<L: Lanes>(x: L) -> L {
    let (least, zero) = (constant::<L>(L::Scalar::EXP_RANGE.0), constant(0.0));
    let y = exp(x.select_less(least, zero, x));
    x.select_less(least, zero, y)
}

#[inline(always)]
pub(crate) fn ln<L: Lanes>(x: L) -> L {
    let (zero, one) = (constant::<L>(0.0), constant::<L>(1.0));
    let (normal, lift) = L::Scalar::SUBNORMAL;
    let tiny = constant(normal);
    let lifted = x.mul(constant(f64::powi(2.0, lift)));
    let (m, e) = x.select_less(tiny, lifted, x).mantissa_and_exponent();
    let e = e.sub(x.select_less(tiny, constant(f64::from(lift)), zero));
    let root = constant(SQRT_2);
    let (m, e) = (m.select_less(root, m, m.mul(constant(0.5))), m.select_less(root, e, e.add(one)));
    let f = m.sub(one);
    let s = f.div(m.add(one));
    let ss = s.mul(s);
    let mut rest: L = constant(0.0);
    for i in (1..=L::Scalar::LN_TERMS).rev() {
        rest = rest.add(constant(2.0 / (2 * i + 1) as f64)).mul(ss);
    }
    // ln m = 2s + s·rest = f − (f²/2 − s·(f²/2 + rest)): f is exact, what is rounded is small beside it
    let (high, low) = L::Scalar::LN_2;
    let half_ff = f.mul(f).mul(constant(0.5));
    let correction = half_ff.sub(e.mul_add(constant(low), s.mul(half_ff.add(rest))));
    let y = e.mul_add(constant(high), f.sub(correction));
    let y = constant::<L>(L::Scalar::LARGEST).select_less(x, x, y); // ln ∞ = ∞
    let y = zero.select_less(x, y, constant(f64::NEG_INFINITY));
    x.select_nan(x, x.select_less(zero, constant(f64::NAN), y))
}

#[inline(always)]
pub(crate) fn tanh<L: Lanes>(x: L) -> L {
    let negative = constant::<L>(0.0).sub(x);
    let twice = x.max(negative).min(constant(22.0)).mul(constant(2.0));
    let (n, em1) = exp_parts(twice);
    let power = constant::<L>(1.0).scale_by_power_of_two(n);
    let em1 = em1.mul_add(power, power.sub(constant(1.0))); // 2ⁿ·eʳ − 1
    let y = em1.div(em1.add(constant(2.0)));
    x.select_nan(x, x.select_less(constant(0.0), constant::<L>(0.0).sub(y), y))
}

#[inline(always)]
pub(crate) fn sigmoid<L: Lanes>(x: L) -> L {
    let one = constant::<L>(1.0);
    one.div(one.add(exp(constant::<L>(0.0).sub(x))))
}

/// 2·√(2/π)
const TWO_SQRT_2_PI: f64 = FRAC_2_SQRT_PI * SQRT_2;
const CUBIC: f64 = 0.044715;

/// −2u
#[inline(always)]
fn minus_twice_u<L: Lanes>(x: L) -> L {
    x.mul(x.mul(x).mul_add(constant(-TWO_SQRT_2_PI * CUBIC), constant(-TWO_SQRT_2_PI)))
}

#[inline(always)]
pub(crate) fn gelu<L: Lanes>(x: L) -> L {
    x.div(exp(minus_twice_u(x)).add(constant(1.0)))
}

/// x·σ and (x·σ)′ = σ + x·σ·(1 − σ)·(2u)′, with σ = σ(2u), which both share
#[inline(always)]
pub(crate) fn gelu_and_slope<L: Lanes>(x: L) -> (L, L) {
    let one = constant::<L>(1.0);
    let gate = one.div(exp(minus_twice_u(x)).add(one));
    let bounded = constant::<L>(30.0).min(constant::<L>(-30.0).max(x)); // beyond, σ is 0 or 1; NaN gets through
    let du = bounded.mul(bounded).mul_add(constant(3.0 * CUBIC * TWO_SQRT_2_PI), constant(TWO_SQRT_2_PI));
    let slope = bounded.mul(one.sub(gate)).mul_add(du, one).mul(gate);
    (x.mul(gate), slope)
}

/// A function of one number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Function {
    Exp,
    Ln,
    Tanh,
    Sigmoid,
    Gelu,
}

struct Map<'a, T> {
    function: Function,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Simd> Kernel<T> for Map<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self) {
        let Map { function, x, y } = self;
        let whole = x.len() / L::N * L::N;
        for i in (0..whole).step_by(L::N) {
            function.at(L::load(&x[i..])).store(&mut y[i..]);
        }
        let rest = x.len() - whole;
        if rest > 0 {
            function.at(L::load_part(&x[whole..], rest)).store_part(&mut y[whole..], rest);
        }
    }
}

impl Function {
    #[inline(always)]
    fn at<L: Lanes>(self, x: L) -> L {
        match self {
            Function::Exp => exp(x),
            Function::Ln => ln(x),
            Function::Tanh => tanh(x),
            Function::Sigmoid => sigmoid(x),
            Function::Gelu => gelu(x),
        }
    }
}

/// y = f(x), entry by entry, on all threads.
#[track_caller]
pub(crate) fn map<T: Simd>(function: Function, x: &[T], y: &mut [T]) {
    map_on(InstructionSet::current(), function, x, y);
}

#[track_caller]
pub(crate) fn map_on<T: Simd>(set: InstructionSet, function: Function, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "y = f(x), entry by entry: the lengths differ");
    for_each_chunk(y, CHUNK, |index, y| {
        let x = &x[index * CHUNK..][..y.len()];
        lanes::dispatch_on(set, Map { function, x, y });
    });
}

struct GeluVjp<'a, T> {
    x: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Simd> Kernel<T> for GeluVjp<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self) {
        let GeluVjp { x, dy, dx } = self;
        let whole = x.len() / L::N * L::N;
        for i in (0..whole).step_by(L::N) {
            L::load(&dy[i..]).mul(gelu_and_slope(L::load(&x[i..])).1).store(&mut dx[i..]);
        }
        let rest = x.len() - whole;
        if rest > 0 {
            let (x, dy) = (L::load_part(&x[whole..], rest), L::load_part(&dy[whole..], rest));
            dy.mul(gelu_and_slope(x).1).store_part(&mut dx[whole..], rest);
        }
    }
}

/// x̄ = ȳ·gelu′(x), on all threads.
#[track_caller]
pub(crate) fn gelu_vjp<T: Simd>(x: &[T], dy: &[T], dx: &mut [T]) {
    assert!(x.len() == dy.len() && x.len() == dx.len(), "gelu's vjp, entry by entry: the lengths differ");
    for_each_chunk(dx, CHUNK, |index, dx| {
        let part = index * CHUNK..index * CHUNK + dx.len();
        lanes::dispatch(GeluVjp { x: &x[part.clone()], dy: &dy[part], dx });
    });
}

/// y = gelu(u), and gelu′(u) in the place of u.
#[inline(always)]
pub(crate) fn gelu_and_slope_in_place<L: Lanes>(u: &mut [L::Scalar], y: &mut [L::Scalar]) {
    let whole = u.len() / L::N * L::N;
    for i in (0..whole).step_by(L::N) {
        let (value, slope) = gelu_and_slope(L::load(&u[i..]));
        value.store(&mut y[i..]);
        slope.store(&mut u[i..]);
    }
    let rest = u.len() - whole;
    if rest > 0 {
        let (value, slope) = gelu_and_slope(L::load_part(&u[whole..], rest));
        value.store_part(&mut y[whole..], rest);
        slope.store_part(&mut u[whole..], rest);
    }
}

struct ExpAffine<'a, T> {
    y: &'a mut [T],
    scale: T,
    shift: T,
}

impl<T: Simd> Kernel<T> for ExpAffine<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self) {
        let (y, scale, shift) = (self.y, L::splat(self.scale), L::splat(self.shift));
        let whole = y.len() / L::N * L::N;
        for i in (0..whole).step_by(L::N) {
            exp_or_zero(L::load(&y[i..]).mul(scale).sub(shift)).store(&mut y[i..]);
        }
        let rest = y.len() - whole;
        if rest > 0 {
            let x = L::load_part(&y[whole..], rest).mul(scale).sub(shift);
            exp_or_zero(x).store_part(&mut y[whole..], rest);
        }
    }
}

/// y ← e^(scale·y − shift), on this thread: a row of a softmax.
pub(crate) fn exp_affine<T: Simd>(y: &mut [T], scale: T, shift: T) {
    lanes::dispatch(ExpAffine { y, scale, shift });
}
