//! AVX-512's products of pairs: `vdpbf16ps` does for a register of sums what a multiply-add does at f32, with two
//! products for one.

use super::pack::{Block, PAIRS, PAIRS_OF_TILE, SIDE};
use std::arch::x86_64::*;

/// Rows of C at a time: 8 · 2 registers of sums.
const ROWS: usize = 8;

/// One block of C.
///
/// # Safety
/// As [`Block`] says.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn multiply(block: &Block) {
    for first in (0..SIDE).step_by(ROWS) {
        // SAFETY: rows below SIDE of both, two registers wide; pairs of `steps` steps: the caller's promise.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
            for i in (0..ROWS).filter(|_| !block.start.is_null()) {
                let start = block.start.add((first + i) * block.start_row);
                sums[i] = [_mm512_loadu_ps(start), _mm512_loadu_ps(start.add(16))];
            }
            let a = block.a.add(first / 16 * PAIRS_OF_TILE + first % 16 * PAIRS);
            for step in 0..block.steps {
                let (a, b) = (a.add(step * 2 * PAIRS_OF_TILE), block.b.add(step * 2 * PAIRS_OF_TILE));
                for p in 0..PAIRS {
                    let row = [0, PAIRS_OF_TILE].map(|tile| _mm512_loadu_si512(b.add(tile + p * 16).cast()));
                    for i in 0..ROWS {
                        let pair = _mm512_set1_epi32(a.add(i * PAIRS + p).read() as i32);
                        for v in 0..2 {
                            sums[i][v] = _mm512_dpbf16_ps(sums[i][v], of_pairs(pair), of_pairs(row[v]));
                        }
                    }
                }
            }
            for i in 0..ROWS {
                let c = block.c.add((first + i) * block.c_row);
                _mm512_storeu_ps(c, sums[i][0]);
                _mm512_storeu_ps(c.add(16), sums[i][1]);
            }
        }
    }
}

/// The same bits as the intrinsic wants them called.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn of_pairs(x: __m512i) -> __m512bh {
    // SAFETY: both are 512 bits, of which every pattern is a value.
    unsafe { std::mem::transmute(x) }
}
