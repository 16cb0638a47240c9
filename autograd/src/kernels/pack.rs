//! Packing: parts of A and B copied into the order in which the microkernel reads them, in whole registers.
//!
//! The same as in [`packed`](super::packed), which says what the order is; here as fast as memory allows.

use super::MatMul;
use super::lanes::Lanes;
use std::ops::Range;

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;
/// Panels of A that are packed together: of six rows each they are 96, six cache lines at f32.
pub(super) const GROUP: usize = 16;
/// How many rows ahead a short run of a row is asked for: the processor does not foresee it.
const AHEAD: usize = 8;

/// `packed::pack_b` of all panels of a block at once, each row of B read from end to end: the memory likes that.
#[inline(always)]
pub(super) fn pack_rows<L: Lanes>(
    plan: &MatMul,
    b: &[L::Scalar],
    depth: Range<usize>,
    columns: Range<usize>,
    panels: &mut [L::Scalar],
) {
    let (nr, kc) = (L::NV * L::N, depth.len());
    for (row, p) in depth.enumerate() {
        let source = &b[p * plan.ldb + columns.start..][..columns.len()];
        for (panel, source) in source.chunks(nr).enumerate() {
            let width = source.len().next_multiple_of(L::N);
            let to = &mut panels[panel * nr * kc + row * width..][..width];
            let whole = source.len() / L::N * L::N;
            for j in (0..whole).step_by(L::N) {
                L::load(&source[j..]).store(&mut to[j..]);
            }
            if whole < source.len() {
                let rest = source.len() - whole;
                L::load_part(&source[whole..], rest).store(&mut to[whole..]);
            }
        }
    }
}

/// `packed::pack_b` by whole registers, where a column more or less does not matter.
#[inline(always)]
pub(super) fn pack_panel<L: Lanes>(
    plan: &MatMul,
    b: &[L::Scalar],
    depth: Range<usize>,
    columns: Range<usize>,
    width: usize,
    panel: &mut [L::Scalar],
) {
    let ldb = plan.ldb;
    let whole = columns.len() / L::N * L::N;
    if plan.transpose_b {
        let deep = depth.len() / L::N * L::N;
        for j in (0..whole).step_by(L::N) {
            for p in (0..deep).step_by(L::N) {
                let source = &b[(columns.start + j) * ldb + depth.start + p..];
                transpose::<L>(source, ldb, &mut panel[p * width + j..], width);
            }
        }
        for p in deep..depth.len() {
            for j in 0..whole {
                panel[p * width + j] = b[(columns.start + j) * ldb + depth.start + p];
            }
        }
    } else {
        for (p, row) in depth.clone().zip(panel.chunks_exact_mut(width)) {
            let source = &b[p * ldb + columns.start..];
            for j in (0..whole).step_by(L::N) {
                L::load(&source[j..]).store(&mut row[j..]);
            }
        }
    }
    let rest = columns.start + whole..columns.end;
    if !rest.is_empty() {
        for (p, row) in depth.zip(panel.chunks_exact_mut(width)) {
            let row = &mut row[whole..];
            row.fill(L::ZERO);
            for (j, x) in rest.clone().zip(row) {
                *x = if plan.transpose_b { b[j * ldb + p] } else { b[p * ldb + j] };
            }
        }
    }
}

/// `packed::pack_a` of a transposed A, a whole group side by side: what is stored is copied row by row.
#[inline(always)]
pub(super) fn pack_group<L: Lanes>(
    plan: &MatMul,
    a: &[L::Scalar],
    rows: Range<usize>,
    depth: Range<usize>,
    group: &mut [L::Scalar],
) {
    let whole = rows.len() / L::N * L::N;
    for (p, to) in depth.zip(group.chunks_exact_mut(GROUP * L::MR)) {
        let from = &a[p * plan.lda + rows.start..][..rows.len()];
        for i in (0..rows.len()).step_by(LINE / size_of::<L::Scalar>()) {
            L::prefetch(from.as_ptr().wrapping_add(AHEAD * plan.lda + i));
        }
        for i in (0..whole).step_by(L::N) {
            L::load(&from[i..]).store(&mut to[i..]);
        }
        to[whole..from.len()].copy_from_slice(&from[whole..]);
    }
}

/// The same, panel after panel.
#[inline(always)]
pub(super) fn pack_panels<L: Lanes>(
    plan: &MatMul,
    a: &[L::Scalar],
    rows: Range<usize>,
    depth: Range<usize>,
    panels: &mut [L::Scalar],
) {
    let kc = depth.len();
    for (row, p) in depth.enumerate() {
        let from = &a[p * plan.lda + rows.start..][..rows.len()];
        for i in (0..rows.len()).step_by(LINE / size_of::<L::Scalar>()) {
            L::prefetch(from.as_ptr().wrapping_add(AHEAD * plan.lda + i));
        }
        for (panel, from) in from.chunks(L::MR).enumerate() {
            let to = &mut panels[(panel * kc + row) * L::MR..][..from.len()];
            if from.len() == L::MR {
                to[..L::MR].copy_from_slice(&from[..L::MR]); // a length that the compiler knows: two moves, no call
            } else {
                to.copy_from_slice(from);
            }
        }
    }
}

/// An N × N block, transposed: interleaving rows i and i + N/2 moves the row's highest bit behind the column's
/// lowest; log₂ N times, and rows and columns have changed places.
#[inline(always)]
fn transpose<L: Lanes>(x: &[L::Scalar], ldx: usize, y: &mut [L::Scalar], ldy: usize) {
    let mut rows = [L::splat(L::ZERO); 16];
    for i in 0..L::N {
        rows[i] = L::load(&x[i * ldx..]);
        L::prefetch(x.as_ptr().wrapping_add(i * ldx + 2 * L::N)); // two blocks ahead: N rows are more streams than processors foresee
    }
    let mut stage = 1;
    while stage < L::N {
        let mut next = rows;
        for i in 0..L::N / 2 {
            let (low, high) = rows[i].interleave(rows[i + L::N / 2]);
            next[2 * i] = low;
            next[2 * i + 1] = high;
        }
        rows = next;
        stage *= 2;
    }
    for i in 0..L::N {
        rows[i].store(&mut y[i * ldy..]);
    }
}
