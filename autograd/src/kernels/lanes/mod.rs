//! `Lanes`: one vector register, as a type that a kernel's body is generic over.
//!
//! A kernel is written once, as [`Kernel::run`] on an explicit lane type. [`dispatch`] asks the processor what
//! it has and runs the body inside a function compiled for that: AVX-512, AVX2 with FMA, NEON, or portable
//! Rust. Everything below `run` is `#[inline(always)]`, so that it ends up in that function, or by [`Lanes::call`] in
//! another one that is compiled for the same.
//!
//! What is computed does not depend on anything but the number of lanes: fused multiply-add is used exactly
//! where [`Lanes::mul_add`] says so, and where the instruction set has no such instruction (portable) it is a
//! product and a sum.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod portable;

use super::MatMul;
use super::bf16::{self, Unit};
use super::part::Epilogue;
use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::LocalKey;

/// `N` numbers in one register.
///
/// # Safety of use
/// A value of a type for an instruction set may only be made, and [`call`](Lanes::call) only be called, where that instruction
/// set is available, that is, below [`dispatch`]. The types are private to the kernels, and nothing else uses them.
pub(crate) trait Lanes: Copy {
    /// The number type.
    type Scalar: Simd;
    /// 0
    const ZERO: Self::Scalar = <Self::Scalar as crate::Float>::ZERO;
    /// How many numbers.
    const N: usize;
    /// Rows of the tile of C that a matrix product keeps in registers: MR·NV sums, NV of B and one of A must fit.
    const MR: usize;
    /// Columns of that tile, in registers.
    const NV: usize;
    /// Steps along k in one round of that tile's loop.
    const STEPS: usize = 1;

    /// Runs a kernel on these lanes; with few registers, in a function of its own: in the midst of a long one LLVM may keep
    /// in memory what has to stay in them.
    #[inline(always)]
    fn call<K: Kernel<Self::Scalar>>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }

    /// The same number in every lane.
    fn splat(x: Self::Scalar) -> Self;
    /// The first N numbers of a slice.
    fn load(x: &[Self::Scalar]) -> Self;
    /// The first `len` < N numbers of a slice, and 0 in the other lanes.
    fn load_part(x: &[Self::Scalar], len: usize) -> Self;
    /// Into the first N places of a slice.
    fn store(self, y: &mut [Self::Scalar]);
    /// The first `len` < N lanes into the first places of a slice.
    fn store_part(self, y: &mut [Self::Scalar], len: usize);

    /// Asks for the cache line at `at`, which will be needed soon; any address is allowed.
    #[inline(always)]
    fn prefetch(_at: *const Self::Scalar) {}

    /// self + b
    fn add(self, b: Self) -> Self;
    /// self − b
    fn sub(self, b: Self) -> Self;
    /// self · b
    fn mul(self, b: Self) -> Self;
    /// self / b
    fn div(self, b: Self) -> Self;
    /// self · b + c, rounded once where the instruction set can.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The larger; `b` where either is NaN.
    fn max(self, b: Self) -> Self;
    /// The smaller; `b` where either is NaN.
    fn min(self, b: Self) -> Self;
    /// The nearest whole number, ties to even.
    fn round(self) -> Self;
    /// self · 2ⁿ for whole numbers n between −2 · the largest exponent and twice it; overflows and underflows as a product would.
    fn scale_by_power_of_two(self, n: Self) -> Self;
    /// For finite, normal self > 0: the mantissa m in [1, 2) and the exponent n with self = m·2ⁿ.
    fn mantissa_and_exponent(self) -> (Self, Self);
    /// `yes` where self < b, else `no`; a comparison with NaN is false.
    fn select_less(self, b: Self, yes: Self, no: Self) -> Self;
    /// `yes` where self is NaN, else `no`.
    fn select_nan(self, yes: Self, no: Self) -> Self;
    /// a₀ b₀ a₁ b₁ a₂ b₂ …, in two registers.
    fn interleave(self, b: Self) -> (Self, Self);
    /// The sum of all lanes, in pairs: ((0 + N/2) + (N/4 + …)) ….
    fn sum(self) -> Self::Scalar;
    /// Lane r is what `f` makes of all lanes of row r, in the pairs of [`sum`](Self::sum), for the first N rows.
    #[inline(always)]
    fn fold_each(mut rows: [Self; 16], f: impl Fn(Self, Self) -> Self) -> Self {
        let mut half = Self::N / 2;
        while half > 0 {
            for r in 0..half {
                let (low, high) = rows[r].interleave(rows[r + half]);
                rows[r] = f(low, high);
            }
            half /= 2;
        }
        rows[0]
    }
}

/// A number type that has lanes on every instruction set.
pub(crate) trait Simd: crate::Float + super::maths::Precision {
    #[cfg(target_arch = "x86_64")]
    type Avx512: Lanes<Scalar = Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx2: Lanes<Scalar = Self>;
    #[cfg(target_arch = "aarch64")]
    type Neon: Lanes<Scalar = Self>;
    type Portable: Lanes<Scalar = Self>;

    /// Where this thread keeps its scratch memory.
    fn scratch_cell() -> &'static LocalKey<Cell<Vec<Self>>>;

    /// C = A·B of numbers rounded to bfloat16, if the unit can do that for these numbers; or else nothing, and `false`.
    fn matmul_by_unit(
        _unit: Unit,
        _plan: &MatMul,
        _a: &[Self],
        _b: &[Self],
        _epilogue: Epilogue<Self>,
        _c: &mut [Self],
    ) -> bool {
        false
    }
}

thread_local! {
    static SCRATCH_F32: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
    static SCRATCH_F64: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

/// Numbers of this thread's scratch memory, from the start of a cache line on; what they hold is unspecified.
/// The memory is out of its cell while it is lent: who asks meanwhile gets memory of their own.
///
/// (No closure is lent the memory: a closure that a function without the instruction set's features calls is
/// compiled without them.)
pub(crate) struct Scratch<T: Simd> {
    memory: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Simd> Scratch<T> {
    pub(crate) fn new(len: usize) -> Self {
        const LINE: usize = 64;
        let mut memory = T::scratch_cell().take();
        if memory.len() < len + LINE {
            memory = vec![T::ZERO; (len + LINE).next_power_of_two()];
        }
        let start = memory.as_ptr().align_offset(LINE).min(LINE);
        Scratch { memory, start, len }
    }

    #[inline(always)]
    pub(crate) fn numbers(&mut self) -> &mut [T] {
        &mut self.memory[self.start..][..self.len]
    }
}

impl<T: Simd> Drop for Scratch<T> {
    fn drop(&mut self) {
        T::scratch_cell().set(std::mem::take(&mut self.memory));
    }
}

impl Simd for f32 {
    #[cfg(target_arch = "x86_64")]
    type Avx512 = avx512::F32x16;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = avx2::F32x8;
    #[cfg(target_arch = "aarch64")]
    type Neon = neon::F32x4;
    type Portable = portable::Array<f32, 8>;

    fn scratch_cell() -> &'static LocalKey<Cell<Vec<f32>>> {
        &SCRATCH_F32
    }
    fn matmul_by_unit(
        unit: Unit,
        plan: &MatMul,
        a: &[f32],
        b: &[f32],
        epilogue: Epilogue<f32>,
        c: &mut [f32],
    ) -> bool {
        bf16::matmul_by_unit(unit, plan, a, b, epilogue, c)
    }
}

impl Simd for f64 {
    #[cfg(target_arch = "x86_64")]
    type Avx512 = avx512::F64x8;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = avx2::F64x4;
    #[cfg(target_arch = "aarch64")]
    type Neon = neon::F64x2;
    type Portable = portable::Array<f64, 4>;

    fn scratch_cell() -> &'static LocalKey<Cell<Vec<f64>>> {
        &SCRATCH_F64
    }
}

/// The body of a kernel, for any lane type.
pub(crate) trait Kernel<T: Simd> {
    /// What it returns.
    type Output;
    /// The body. Implementations are `#[inline(always)]`.
    fn run<L: Lanes<Scalar = T>>(self) -> Self::Output;
}

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum InstructionSet {
    /// Plain Rust, any processor.
    Portable = 1,
    /// 256-bit registers and fused multiply-add.
    Avx2,
    /// 512-bit registers.
    Avx512,
    /// 128-bit registers of 64-bit ARM.
    Neon,
}

impl InstructionSet {
    /// Those that this processor has, the widest first.
    pub fn available() -> Vec<InstructionSet> {
        let mut list = Vec::new();
        #[cfg(target_arch = "x86_64")]
        if !cfg!(miri) {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                list.push(InstructionSet::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                list.push(InstructionSet::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if !cfg!(miri) && std::arch::is_aarch64_feature_detected!("neon") {
            list.push(InstructionSet::Neon);
        }
        list.push(InstructionSet::Portable);
        list
    }

    /// The one that kernels run on: the widest, unless the environment variable `BACKSTEP_ISA` names another.
    #[inline]
    pub fn current() -> InstructionSet {
        static CURRENT: AtomicU8 = AtomicU8::new(0);
        match CURRENT.load(Ordering::Relaxed) {
            0 => {
                let wanted = std::env::var("BACKSTEP_ISA").unwrap_or_default().to_lowercase();
                let available = Self::available();
                let named = available.iter().find(|set| format!("{set:?}").to_lowercase() == wanted);
                let chosen = *named.unwrap_or(&available[0]);
                CURRENT.store(chosen as u8, Ordering::Relaxed);
                chosen
            }
            1 => InstructionSet::Portable,
            2 => InstructionSet::Avx2,
            3 => InstructionSet::Avx512,
            _ => InstructionSet::Neon,
        }
    }
}

/// Runs the kernel on the widest instruction set there is.
#[inline]
pub(crate) fn dispatch<T: Simd, K: Kernel<T>>(kernel: K) -> K::Output {
    dispatch_on(InstructionSet::current(), kernel)
}

/// Runs the kernel on one of the [`available`](InstructionSet::available) instruction sets.
#[inline]
pub(crate) fn dispatch_on<T: Simd, K: Kernel<T>>(set: InstructionSet, kernel: K) -> K::Output {
    match set {
        // SAFETY: `current` and `available` name an instruction set only after the processor has reported it.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { on_avx512(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { on_avx2(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        InstructionSet::Neon => unsafe { on_neon(kernel) },
        _ => kernel.run::<T::Portable>(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
fn on_avx512<T: Simd, K: Kernel<T>>(kernel: K) -> K::Output {
    kernel.run::<T::Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn on_avx2<T: Simd, K: Kernel<T>>(kernel: K) -> K::Output {
    kernel.run::<T::Avx2>()
}

/// [`on_avx2`] that never becomes a part of its caller, for [`Lanes::call`].
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
fn call_on_avx2<T: Simd, K: Kernel<T>>(kernel: K) -> K::Output {
    kernel.run::<T::Avx2>()
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn on_neon<T: Simd, K: Kernel<T>>(kernel: K) -> K::Output {
    kernel.run::<T::Neon>()
}
