//! How a product is shared out to the threads.

use super::MatMul;
use super::lanes::Simd;
use super::threads::threads_here;
use std::ops::Range;

/// Below this many multiply-adds a second thread costs more than it gains (some 5 µs of work). Under Miri, which is ten
/// thousand times slower, products that it can finish have to reach the threads as well.
pub(super) const WORTH_A_THREAD: usize = if cfg!(miri) { 1 << 9 } else { 1 << 18 };

/// What a product takes, in multiply-adds of a large one. Below some 16 rows the time goes into reading B, which fewer rows
/// do not shorten.
pub(super) fn work(plan: &MatMul) -> usize {
    plan.m.max(16) * plan.k * plan.n
}

/// The cut of C into pieces: by columns or by rows, whichever packs less and balances better.
pub(super) struct Pieces {
    pub count: usize,
    step: usize,
    by_columns: bool,
    m: usize,
    n: usize,
}

impl Pieces {
    pub fn of<T: Simd>(plan: &MatMul) -> Pieces {
        let MatMul { m, n, .. } = *plan;
        let threads = threads_here().min(work(plan) / WORTH_A_THREAD).max(1);
        let share = |length: usize, unit: usize| length.div_ceil(unit).div_ceil(threads) * unit;
        let (rows, columns) = (share(m, 6), share(n, if n >= 128 { 64 } else { 16 }));
        // In multiply-adds of whole registers: a number of A or B costs about as much to pack as it says here.
        let pack_b = if plan.transpose_b { 6 } else { 2 };
        let pack_a = if plan.transpose_a { 6 } else { 0 };
        let by_columns = m * columns + columns * pack_b + m * pack_a;
        let by_rows = rows * n + n * pack_b + rows * pack_a;
        if by_columns <= by_rows {
            Pieces { count: n.div_ceil(columns), step: columns, by_columns: true, m, n }
        } else {
            Pieces { count: m.div_ceil(rows), step: rows, by_columns: false, m, n }
        }
    }

    /// For a [unit](super::bf16::Unit) that multiplies blocks of 32 × 32, so fast that packing counts most: along the longer side.
    #[cfg(target_arch = "x86_64")]
    pub fn for_units(plan: &MatMul) -> Pieces {
        let MatMul { m, k, n, .. } = *plan;
        let by_columns = n > m;
        let threads = threads_here().min(m * k * n / (4 * WORTH_A_THREAD)).max(1);
        let step = if by_columns { n } else { m }.div_ceil(32).div_ceil(threads) * 32;
        Pieces { count: if by_columns { n } else { m }.div_ceil(step), step, by_columns, m, n }
    }

    pub fn get(&self, piece: usize) -> (Range<usize>, Range<usize>) {
        let cut = |length: usize| piece * self.step..((piece + 1) * self.step).min(length);
        if self.by_columns { (0..self.m, cut(self.n)) } else { (cut(self.m), 0..self.n) }
    }
}
