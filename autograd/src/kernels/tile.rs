//! The microkernel: one small tile of C, kept in registers while k goes by.
//!
//! ```text
//! C[0..R, 0..V·N]  =  bias[0..V·N]  +  Σₚ  A[0..R, p] ⊗ B[p, 0..V·N]
//! ```
//!
//! Each step loads V registers of a row of B, spreads one number of A at a time over a register, and does R·V fused
//! multiply-adds into as many sums. So V + R loads serve 2·R·V·N operations: with a tile that just fits
//! the registers the arithmetic, not the loads, sets the pace. And since R·V sums run side by side, none waits for
//! the last addition into it.

use super::lanes::{Kernel, Lanes, Simd};
use std::ptr::null_mut;

/// How many rows ahead a row of B is asked for, where it lies and is packed on the way.
const AHEAD: usize = 8;

/// One tile's operands. Numbers of A are at `a + i·a_row + p·a_column`, rows of B at `b + p·b_row`, rows of C at
/// `c + i·c_row`.
#[derive(Clone, Copy)]
pub(crate) struct Tile<T> {
    pub depth: usize,
    pub a: *const T,
    pub a_row: usize,
    pub a_column: usize,
    pub b: *const T,
    pub b_row: usize,
    pub c: *mut T,
    pub c_row: usize,
    /// Columns of C; those of B are filled up to whole registers.
    pub width: usize,
    /// Add to C instead of overwriting it.
    pub accumulate: bool,
    /// A row of `width` numbers that the sums begin with instead of 0, or null.
    pub bias: *const T,
}

impl<T: Simd> Tile<T> {
    /// Computes a tile of `rows` ≤ MR rows and `self.width` ≤ NV·N columns.
    ///
    /// # Safety
    /// All `rows`·`depth` numbers of A and `depth` rows of whole registers of B must be readable, and `rows`·`width`
    /// numbers of C be this caller's alone, and `bias` null or readable.
    #[inline(always)]
    pub unsafe fn compute<L: Lanes<Scalar = T>>(&self, rows: usize) {
        // SAFETY: the caller's promise, handed on.
        unsafe {
            match self.width.div_ceil(L::N) {
                1 => self.of_width::<L, 1>(rows),
                2 if const { L::NV >= 2 } => self.of_width::<L, 2>(rows),
                3 if const { L::NV >= 3 } => self.of_width::<L, 3>(rows),
                4 if const { L::NV >= 4 } => self.of_width::<L, 4>(rows),
                _ => unreachable!("a tile is at most NV registers wide"),
            }
        }
    }

    /// Computes a whole tile of MR rows and NV·N columns, and copies the rows of B to `packed`, one after another: the
    /// multiply-adds hide what the copying takes.
    ///
    /// # Safety
    /// As [`compute`](Self::compute); and `depth`·NV·N numbers at `packed` must be this caller's alone.
    #[inline(always)]
    pub unsafe fn compute_and_pack<L: Lanes<Scalar = T>>(&self, packed: *mut T) {
        // SAFETY: the caller's promise, handed on.
        unsafe {
            match (L::MR, L::NV) {
                (4, 1) => self.of_size::<L, 4, 1, true>(packed),
                (6, 2) => self.of_size::<L, 6, 2, true>(packed),
                (6, 4) => self.of_size::<L, 6, 4, true>(packed),
                _ => unreachable!("every instruction set has one of these tiles"),
            }
        }
    }

    #[inline(always)]
    unsafe fn of_width<L: Lanes<Scalar = T>, const V: usize>(&self, rows: usize) {
        // SAFETY: the caller's promise, handed on.
        unsafe {
            match rows {
                1 => self.of_size::<L, 1, V, false>(null_mut()),
                2 => self.of_size::<L, 2, V, false>(null_mut()),
                3 => self.of_size::<L, 3, V, false>(null_mut()),
                4 => self.of_size::<L, 4, V, false>(null_mut()),
                5 if const { L::MR >= 5 } => self.of_size::<L, 5, V, false>(null_mut()),
                6 if const { L::MR >= 6 } => self.of_size::<L, 6, V, false>(null_mut()),
                _ => unreachable!("a tile is at most MR rows high"),
            }
        }
    }

    /// # Safety
    /// As [`compute`](Self::compute), of R rows and V registers; and `packed` as in
    /// [`compute_and_pack`](Self::compute_and_pack), if PACK.
    #[inline(always)]
    unsafe fn of_size<L: Lanes<Scalar = T>, const R: usize, const V: usize, const PACK: bool>(
        &self,
        packed: *mut T,
    ) {
        L::call(OfSize::<T, R, V, PACK> { tile: *self, packed });
    }
}

/// A tile of R rows and V registers, and where its rows of B are copied to, if PACK. Only [`Tile::of_size`] makes one and runs
/// it; its caller has promised that the operands are there.
struct OfSize<T, const R: usize, const V: usize, const PACK: bool> {
    tile: Tile<T>,
    packed: *mut T,
}

impl<T: Simd, const R: usize, const V: usize, const PACK: bool> Kernel<T> for OfSize<T, R, V, PACK> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self) {
        let OfSize { tile, packed } = self;
        let Tile { depth, c_row, width, .. } = tile;
        let mut sums = [[L::splat(L::ZERO); V]; R];
        if !tile.bias.is_null() {
            // SAFETY: not null, so readable.
            let bias = unsafe { std::slice::from_raw_parts(tile.bias, width) };
            for v in 0..V {
                let part = &bias[v * L::N..];
                let start = if part.len() >= L::N { L::load(part) } else { L::load_part(part, part.len()) };
                for sums in &mut sums {
                    sums[v] = start;
                }
            }
        }
        for r in 0..R {
            for v in 0..V {
                L::prefetch(tile.c.wrapping_add(r * c_row + v * L::N));
            }
        }
        let mut walk = Walk { rows_of_a: [tile.a; R], column: 0, b: tile.b, packed };
        for r in 0..R {
            walk.rows_of_a[r] = tile.a.wrapping_add(r * tile.a_row);
        }
        // SAFETY: rows and columns below R and V·N, `depth` steps: what the caller of `of_size` has promised.
        unsafe {
            for _ in 0..depth / L::STEPS {
                for _ in 0..L::STEPS {
                    walk.step::<L, V, PACK>(&tile, &mut sums);
                }
            }
            for _ in 0..depth % L::STEPS {
                walk.step::<L, V, PACK>(&tile, &mut sums);
            }
            for r in 0..R {
                let c = std::slice::from_raw_parts_mut(tile.c.add(r * c_row), width);
                for v in 0..V {
                    let c = &mut c[v * L::N..];
                    let part = if v + 1 < V { L::N } else { c.len() };
                    if part == L::N {
                        let sum = if tile.accumulate { L::load(c).add(sums[r][v]) } else { sums[r][v] };
                        sum.store(c);
                    } else {
                        let sum =
                            if tile.accumulate { L::load_part(c, part).add(sums[r][v]) } else { sums[r][v] };
                        sum.store_part(c, part);
                    }
                }
            }
        }
    }
}

/// A tile's way along k. The pointers to A's rows stay and one offset moves: addresses made from one another, row after row and
/// step after step, would be a chain as long as the arithmetic of a small tile.
struct Walk<T, const R: usize> {
    rows_of_a: [*const T; R],
    column: usize,
    b: *const T,
    packed: *mut T,
}

impl<T: Simd, const R: usize> Walk<T, R> {
    /// sums += A[0..R, p] ⊗ B[p, 0..V·N], and on to p + 1.
    ///
    /// # Safety
    /// A's and B's numbers of this step must be readable, and V·N numbers at `packed` be this caller's alone, if PACK.
    #[inline(always)]
    unsafe fn step<L: Lanes<Scalar = T>, const V: usize, const PACK: bool>(
        &mut self,
        tile: &Tile<T>,
        sums: &mut [[L; V]; R],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut row = [L::splat(L::ZERO); V];
            for v in 0..V {
                row[v] = L::load(std::slice::from_raw_parts(self.b.add(v * L::N), L::N));
            }
            if PACK {
                for v in 0..V {
                    L::prefetch(self.b.wrapping_add(AHEAD * tile.b_row + v * L::N));
                    row[v].store(std::slice::from_raw_parts_mut(self.packed.add(v * L::N), L::N));
                }
                self.packed = self.packed.wrapping_add(V * L::N);
            }
            for r in 0..R {
                let number = L::splat(*self.rows_of_a[r].wrapping_add(self.column));
                for v in 0..V {
                    sums[r][v] = number.mul_add(row[v], sums[r][v]);
                }
            }
        }
        self.column += tile.a_column;
        self.b = self.b.wrapping_add(tile.b_row);
    }
}
