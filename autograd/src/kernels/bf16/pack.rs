//! Packing for the units: rounded, two neighbours along the depth in one u32, in tiles of 16 × 16 such pairs.
//!
//! ```text
//! pair(p)  =  number 2p in the lower half, number 2p + 1 in the upper half
//! a step of A, 32 rows    × 32 numbers of depth:  two tiles, [row i][pair p]
//! a step of B, 32 columns × 32 numbers of depth:  two tiles, [pair p][column j]
//! ```
//!
//! What is stored along the depth comes out as `[item][pair]`, what is stored across it as `[pair][item]`, whether the
//! items are rows of A or columns of B; where that is the other order than the one wanted, a tile is transposed.

use std::arch::x86_64::*;
use std::ops::Range;

/// Rows and columns of a block of C: two tiles either way.
pub(super) const SIDE: usize = 32;
/// Numbers of depth in a step.
pub(super) const DEPTH: usize = 32;
/// Pairs of depth in a step.
pub(super) const PAIRS: usize = DEPTH / 2;
/// Pairs of one tile.
pub(super) const PAIRS_OF_TILE: usize = 16 * PAIRS;
/// Pairs of one step: two tiles.
pub(super) const PAIRS_OF_STEP: usize = 2 * PAIRS_OF_TILE;

/// A block of 32 × 32 numbers of C: C = start + A·B.
///
/// # Safety
/// Whoever multiplies must make sure that there are `steps` > 0 steps at `a` and `b`, and 32 rows of 32 numbers at `start`,
/// `start_row` apart, unless it is null (then they are 0), and at `c`, `c_row` apart; those of C this caller's alone.
pub(super) struct Block {
    pub steps: usize,
    pub a: *const u32,
    pub b: *const u32,
    pub start: *const f32,
    pub start_row: usize,
    pub c: *mut f32,
    pub c_row: usize,
}

/// Where 32 items, rows of A or columns of B, lie.
pub(super) struct Source<'a> {
    pub x: &'a [f32],
    /// From one stored row to the next.
    pub ld: usize,
    /// Whether a stored row is one item, along the depth; otherwise it is one depth, across all items.
    pub along: bool,
}

/// What a tile has first.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Order {
    /// `[item][pair]`, as A's.
    Items,
    /// `[pair][item]`, as B's.
    Pairs,
}

impl Source<'_> {
    /// Packs at most 32 items, filled up with zeros to 32 and to whole steps of depth.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn pack(&self, items: Range<usize>, depth: Range<usize>, order: Order, to: &mut [u32]) {
        let (steps, _) = to.as_chunks_mut::<PAIRS_OF_STEP>();
        for (step, first) in steps.iter_mut().zip(depth.clone().step_by(DEPTH)) {
            let (tiles, _) = step.as_chunks_mut::<PAIRS_OF_TILE>();
            for (t, tile) in tiles.iter_mut().enumerate() {
                let start = items.end.min(items.start + 16 * t);
                let items = start..items.end.min(start + 16);
                let depth = first..depth.end.min(first + DEPTH);
                let whole = items.len() == 16 && depth.len() == DEPTH;
                let rows = match (self.along, whole) {
                    (true, true) => self.along(items.start, depth.start),
                    (true, false) => self.along_edge(items, depth),
                    (false, true) => self.across(items.start, depth.start),
                    (false, false) => self.across_edge(items, depth),
                };
                let rows = if self.along == (order == Order::Items) { rows } else { transpose(rows) };
                for (to, row) in tile.as_chunks_mut::<16>().0.iter_mut().zip(rows) {
                    // SAFETY: 16 numbers of 32 bits are 512 bits.
                    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), row) };
                }
            }
        }
    }

    /// 16 items of 32 numbers: `[item][pair]`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn along(&self, item: usize, depth: usize) -> [__m512i; 16] {
        let x = &self.x[item * self.ld + depth..][..15 * self.ld + DEPTH];
        let mut rows = [_mm512_setzero_si512(); 16];
        for i in 0..16 {
            // SAFETY: 32 numbers, of which the last row's are the last in `x`.
            rows[i] = unsafe {
                let row = x.as_ptr().add(i * self.ld);
                rounded(_mm512_loadu_ps(row), _mm512_loadu_ps(row.add(16)))
            };
        }
        rows
    }

    /// 32 depths of 16 numbers: `[pair][item]`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn across(&self, item: usize, depth: usize) -> [__m512i; 16] {
        let x = &self.x[depth * self.ld + item..][..(DEPTH - 1) * self.ld + 16];
        let mut rows = [_mm512_setzero_si512(); 16];
        for p in 0..16 {
            // SAFETY: 16 numbers, of which the last row's are the last in `x`.
            rows[p] = unsafe {
                let row = x.as_ptr().add(2 * p * self.ld);
                interleaved(rounded(_mm512_loadu_ps(row), _mm512_loadu_ps(row.add(self.ld))))
            };
        }
        rows
    }

    /// [`along`](Self::along) for fewer items or numbers.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn along_edge(&self, items: Range<usize>, depth: Range<usize>) -> [__m512i; 16] {
        let mut rows = [_mm512_setzero_si512(); 16];
        for (i, item) in items.enumerate() {
            let numbers = &self.x[item * self.ld + depth.start..][..depth.len()];
            let (first, second) = numbers.split_at(numbers.len().min(16));
            rows[i] = rounded(load(first), load(second));
        }
        rows
    }

    /// [`across`](Self::across) for fewer depths or items.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn across_edge(&self, items: Range<usize>, depth: Range<usize>) -> [__m512i; 16] {
        let numbers = |p: usize| match depth.start + p {
            p if p < depth.end => load(&self.x[p * self.ld + items.start..][..items.len()]),
            _ => _mm512_setzero_ps(),
        };
        let mut rows = [_mm512_setzero_si512(); 16];
        for p in 0..depth.len().div_ceil(2) {
            rows[p] = interleaved(rounded(numbers(2 * p), numbers(2 * p + 1)));
        }
        rows
    }
}

/// Up to 16 numbers, and zeros.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(x: &[f32]) -> __m512 {
    let mask = if x.len() >= 16 { 0xffff } else { (1 << x.len()) - 1 };
    // SAFETY: what lies beyond the slice is masked out.
    unsafe { _mm512_maskz_loadu_ps(mask, x.as_ptr()) }
}

/// 32 numbers, each rounded as [`round`](super::round) does.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn rounded(first: __m512, second: __m512) -> __m512i {
    // SAFETY: both are 512 bits, of which every pattern is a value.
    unsafe { std::mem::transmute(_mm512_cvtne2ps_pbh(second, first)) }
}

/// 16 numbers and 16 others → their pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn interleaved(x: __m512i) -> __m512i {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 16 {
            (order[2 * i], order[2 * i + 1]) = (i as u16, i as u16 + 16);
            i += 1;
        }
        order
    };
    // SAFETY: 32 numbers of 16 bits are 512 bits.
    let order = unsafe { _mm512_loadu_si512(ORDER.as_ptr().cast()) };
    _mm512_permutexvar_epi16(order, x)
}

/// Rows and columns change places, as in the f32 kernels' `transpose`.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(mut rows: [__m512i; 16]) -> [__m512i; 16] {
    let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    for _ in 0..4 {
        let mut next = rows;
        for i in 0..8 {
            next[2 * i] = _mm512_permutex2var_epi32(rows[i], low, rows[i + 8]);
            next[2 * i + 1] = _mm512_permutex2var_epi32(rows[i], high, rows[i + 8]);
        }
        rows = next;
    }
    rows
}
