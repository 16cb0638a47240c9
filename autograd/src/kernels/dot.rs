//! Products with a side of only a few rows, where both operands lie along k: plain scalar products.
//!
//! ```text
//! c[i, j] = a[i, :] · b[j, :]        A·Bᵀ with few rows in A or B, or A times one column
//! ```
//!
//! Such a product reads each number of its larger operand once or a few times; packing it would triple the traffic.

use super::MatMul;
use super::lanes::Lanes;
use super::threads::Shared;
use std::ops::Range;

/// Up to this many rows on the shorter side.
const FEW: usize = 4;
/// Rows of the longer side that are taken at once.
const AT_ONCE: usize = 4;

/// Both operands lie along k, and one has few rows.
pub(crate) fn fits(plan: &MatMul) -> bool {
    let b_along_k = plan.transpose_b || (plan.n == 1 && plan.ldb == 1);
    !plan.transpose_a && b_along_k && plan.m.min(plan.n) <= FEW && plan.k >= 32
}

/// The first of the last few columns that fill no register of `lanes` numbers and are better computed here.
pub(crate) fn edge(plan: &MatMul, lanes: usize) -> usize {
    let rest = plan.n % lanes;
    let here = plan.transpose_b && !plan.transpose_a && rest <= FEW && plan.n > lanes && plan.k >= 32;
    if here { plan.n - rest } else { plan.n }
}

/// The given rows and columns of C.
///
/// # Safety
/// The plan must fit the slices, and those rows and columns of C be this caller's alone.
#[inline(always)]
pub(crate) unsafe fn products<L: Lanes>(
    plan: &MatMul,
    a: &[L::Scalar],
    b: &[L::Scalar],
    c: Shared<L::Scalar>,
    rows: Range<usize>,
    columns: Range<usize>,
) {
    let MatMul { k, lda, ldc, accumulate, .. } = *plan;
    let ldb = if plan.transpose_b { plan.ldb } else { k };
    let put = |i: usize, j: usize, sum: L::Scalar| {
        // SAFETY: i and j are below m and n, so inside C.
        let c = unsafe { &mut *c.get().add(i * ldc + j) };
        *c = if accumulate { *c + sum } else { sum };
    };
    if rows.len() <= columns.len() {
        for j in columns.clone().step_by(AT_ONCE) {
            for i in rows.clone() {
                let several = AT_ONCE.min(columns.end - j);
                let sums = dots::<L>(&a[i * lda..][..k], &b[j * ldb..], ldb, several);
                for (r, &sum) in sums[..several].iter().enumerate() {
                    put(i, j + r, sum);
                }
            }
        }
    } else {
        for i in rows.clone().step_by(AT_ONCE) {
            for j in columns.clone() {
                let several = AT_ONCE.min(rows.end - i);
                let sums = dots::<L>(&b[j * ldb..][..k], &a[i * lda..], lda, several);
                for (r, &sum) in sums[..several].iter().enumerate() {
                    put(i + r, j, sum);
                }
            }
        }
    }
}

/// x·y₀, x·y₁, … for `several` rows of y.
#[inline(always)]
fn dots<L: Lanes>(x: &[L::Scalar], y: &[L::Scalar], ldy: usize, several: usize) -> [L::Scalar; AT_ONCE] {
    let k = x.len();
    // A missing row is read as the first: its sum is thrown away.
    let row = |r: usize| &y[if r < several { r * ldy } else { 0 }..][..k];
    let y = [row(0), row(1), row(2), row(3)];
    let mut sums = [L::splat(L::ZERO); AT_ONCE];
    let whole = k / L::N * L::N;
    for p in (0..whole).step_by(L::N) {
        let x = L::load(&x[p..]);
        for r in 0..AT_ONCE {
            sums[r] = x.mul_add(L::load(&y[r][p..]), sums[r]);
        }
    }
    if whole < k {
        let x = L::load_part(&x[whole..], k - whole);
        for r in 0..AT_ONCE {
            sums[r] = x.mul_add(L::load_part(&y[r][whole..], k - whole), sums[r]);
        }
    }
    [sums[0].sum(), sums[1].sum(), sums[2].sum(), sums[3].sum()]
}
