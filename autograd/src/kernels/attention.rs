//! Causal multi-head attention that never stores the n × n matrix.
//!
//! ```text
//! S = Q·Kᵀ    P = softmax(S/√d), entries with key > query left out    Y = P·V
//! V̄ = Pᵀ·Ȳ    P̄ = Ȳ·Vᵀ    S̄ = P ⊙ (P̄ − a)/√d,  aᵢ = Σⱼ Ȳᵢⱼ·Yᵢⱼ    Q̄ = S̄·K    K̄ = S̄ᵀ·Q
//! ```
//!
//! With dropout, P̃ = P ⊙ M is in the place of P in Y and V̄, and P̄ = (Ȳ·Vᵀ) ⊙ M; aᵢ is the same sum, since Yᵢ is made of P̃.
//!
//! A block of query rows at a time meets the keys up to its last row, so the memory is linear in n; and the products
//! skip what lies above the diagonal, tile by tile. Saved for the way back are two numbers a row, the
//! largest score and the sum of powers, from which P comes again. Batch items are shared out to the threads. (T. Dao et al., "FlashAttention", 2022.)

use super::causal_softmax::{Block, PADDING};
use super::dropout::Dropout;
use super::rows;
use super::simd::vectorize;
use super::threads::{for_each_chunk, for_each_pair_of_chunks};
use super::{MatMul, Triangle};
use crate::Float;
use crate::buffer::Buffer;
use std::ops::Range;

/// Query rows at a time.
const BLOCK: usize = 64;

/// From row to row of a block of scores of this width.
fn padded(width: usize) -> usize {
    width.next_multiple_of(PADDING)
}

/// The sizes of one attention: `qkv [b, n, (h + 2·h_kv)·d]` → `out [b, n, h·d]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Positions.
    pub n: usize,
    /// Query heads.
    pub h: usize,
    /// Key and value heads; divides h.
    pub h_kv: usize,
    /// Numbers a head.
    pub d: usize,
    /// The operands of all products are rounded to bfloat16 first.
    pub bf16: bool,
    /// What is dropped of the weights P, as if they stood side by side, `[b, h, n, n]`.
    pub dropout: Option<Dropout>,
}

impl Attention {
    /// Without dropout, at full precision.
    pub fn new(n: usize, h: usize, h_kv: usize, d: usize) -> Self {
        Attention { n, h, h_kv, d, bf16: false, dropout: None }
    }

    fn row(&self) -> usize {
        (self.h + 2 * self.h_kv) * self.d
    }

    /// Where the queries, keys and values of a head begin in a row.
    fn starts(&self, head: usize) -> [usize; 3] {
        let kv = head / (self.h / self.h_kv);
        [head * self.d, (self.h + kv) * self.d, (self.h + self.h_kv + kv) * self.d]
    }

    fn scale<T: Float>(&self) -> T {
        T::ONE / T::from_f64(self.d as f64).sqrt()
    }

    /// The number of batch items.
    #[track_caller]
    fn check(&self, qkv: usize, out: usize, statistics: usize) -> usize {
        let Attention { n, h, h_kv, d, .. } = *self;
        assert!(
            h > 0 && h_kv > 0 && h.is_multiple_of(h_kv),
            "attention: {h_kv} key heads do not divide {h} query heads"
        );
        let b = qkv / (n * self.row()).max(1);
        let fits = qkv == b * n * self.row() && out == b * n * h * d && statistics == b * h * n;
        assert!(fits, "attention {self:?}: qkv holds {qkv} numbers, out {out}, the row sums {statistics}");
        b
    }

    /// M for some rows of P, each up to its own position; nothing without dropout.
    fn mask<T: Float>(&self, head: usize, rows: Range<usize>, mask: &mut [T], ld: usize) {
        if let Some(dropout) = self.dropout {
            for (i, mask) in rows.zip(mask.chunks_mut(ld)) {
                dropout.mask((head * self.n + i) * self.n, &mut mask[..=i]);
            }
        }
    }

    /// Rows of P, or of its cotangent, times M, each up to its own position; nothing without dropout.
    fn drop<T: Float>(&self, start: usize, rows: &mut [T], mask: &[T], ld: usize) {
        if self.dropout.is_some() {
            vectorize(
                #[inline(always)]
                || {
                    for (i, (row, mask)) in rows.chunks_mut(ld).zip(mask.chunks(ld)).enumerate() {
                        for j in 0..=start + i {
                            row[j] *= mask[j];
                        }
                    }
                },
            );
        }
    }

    /// Numbers of a block of scores; of a block of M, if there is one.
    fn size_of_blocks(&self) -> [usize; 2] {
        let size = BLOCK.min(self.n) * padded(self.n);
        [size, if self.dropout.is_some() { size } else { 0 }]
    }

    fn product(&self, m: usize, k: usize, n: usize) -> MatMul {
        MatMul::new(m, k, n).bf16(self.bf16)
    }

    /// A·Bᵀ for a block of rows of A, up to the diagonal; rows of C [`padded`]. The scores Q·Kᵀ, and on the way back Ȳ·Vᵀ.
    fn lower_triangle<T: Float>(
        &self,
        a: &[T],
        b: &[T],
        rows: Range<usize>,
        [lda, ldb]: [usize; 2],
        c: &mut [T],
    ) {
        let triangle = Triangle::OfC { first: rows.start };
        let plan = self.product(rows.len(), self.d, rows.end).transpose_b(true).triangle(triangle);
        let plan = MatMul { lda, ldb, ldc: padded(rows.end), ..plan };
        T::matmul(&plan, &a[rows.start * lda..], b, c);
    }

    /// out = P·V; saves the statistics of each row, `[b, h, n]` pairs.
    pub fn forward<T: Float>(&self, qkv: &[T], out: &mut [T], statistics: &mut [[T; 2]]) {
        let Attention { n, h, d, .. } = *self;
        let (row, scale) = (self.row(), self.scale::<T>());
        let b = self.check(qkv.len(), out.len(), statistics.len());
        if b * n == 0 {
            return;
        }
        for_each_pair_of_chunks(out, n * h * d, statistics, h * n, |item, out, statistics| {
            let qkv = &qkv[item * n * row..][..n * row];
            let [mut scores, mut mask] = self.size_of_blocks().map(Buffer::scratch);
            for head in 0..h {
                let [q, k, v] = self.starts(head);
                for start in (0..n).step_by(BLOCK) {
                    let (end, rows) = (n.min(start + BLOCK), n.min(start + BLOCK) - start);
                    let block = Block { first: start, width: end, ld: padded(end), scale };
                    let p = &mut scores[..rows * block.ld];
                    self.lower_triangle(&qkv[q..], &qkv[k..], start..end, [row, row], p);
                    T::causal_softmax(block, p, &mut statistics[head * n + start..][..rows]);
                    self.mask(item * h + head, start..end, &mut mask, block.ld);
                    self.drop(start, p, &mask, block.ld);
                    let plan = self.product(rows, end, d).triangle(Triangle::OfA { first: start });
                    let plan = MatMul { lda: block.ld, ldb: row, ldc: h * d, ..plan };
                    T::matmul(&plan, p, &qkv[v..], &mut out[start * h * d + head * d..]);
                }
            }
        });
    }

    /// The cotangent of qkv, which is overwritten; `out` and `statistics` are what [`forward`](Self::forward) left.
    pub fn vjp<T: Float>(&self, qkv: &[T], out: &[T], statistics: &[[T; 2]], dout: &[T], dqkv: &mut [T]) {
        let Attention { n, h, d, .. } = *self;
        let (row, scale) = (self.row(), self.scale::<T>());
        let b = self.check(qkv.len(), out.len(), statistics.len());
        assert!(
            dout.len() == out.len() && dqkv.len() == qkv.len(),
            "attention's vjp: a cotangent has its own shape"
        );
        if b * n == 0 {
            return;
        }
        for_each_chunk(dqkv, n * row, |item, dqkv| {
            let qkv = &qkv[item * n * row..][..n * row];
            let (out, dout) = (&out[item * n * h * d..], &dout[item * n * h * d..]);
            let [size, of_mask] = self.size_of_blocks();
            let (mut blocks, mut mask) = (Buffer::scratch(2 * size), Buffer::scratch(of_mask));
            let mut along = [T::ZERO; BLOCK];
            for head in 0..h {
                let [q, k, v] = self.starts(head);
                for start in (0..n).step_by(BLOCK).rev() {
                    let (end, rows) = (n.min(start + BLOCK), n.min(start + BLOCK) - start);
                    let block = Block { first: start, width: end, ld: padded(end), scale };
                    let (p, ds) = blocks.split_at_mut(size);
                    let (p, ds) = (&mut p[..rows * block.ld], &mut ds[..rows * block.ld]);
                    self.lower_triangle(&qkv[q..], &qkv[k..], start..end, [row, row], p);
                    self.lower_triangle(&dout[head * d..], &qkv[v..], start..end, [h * d, row], ds); // P̄ = Ȳ·Vᵀ
                    self.mask(item * h + head, start..end, &mut mask, block.ld);
                    self.drop(start, ds, &mask, block.ld);
                    let at = start * h * d + head * d;
                    vectorize(
                        #[inline(always)]
                        || rows::dots(d, h * d, &out[at..], &dout[at..], &mut along[..rows]),
                    );
                    let statistics = &statistics[(item * h + head) * n + start..][..rows];
                    T::causal_softmax_vjp(block, p, ds, statistics, &along);
                    self.drop(start, p, &mask, block.ld); // P̃, for V̄
                    let q_rows = &qkv[start * row + q..];
                    let dout_rows = &dout[start * h * d + head * d..];
                    let triangle = Triangle::OfA { first: start };
                    let plan = self.product(rows, end, d).triangle(triangle);
                    let plan = MatMul { lda: block.ld, ldb: row, ldc: row, ..plan };
                    T::matmul(&plan, ds, &qkv[k..], &mut dqkv[start * row + q..]); // Q̄ = S̄·K
                    // The last block meets all keys, so their first cotangent overwrites what was there.
                    let first = end == n && head % (h / self.h_kv) == 0;
                    let plan = self.product(end, rows, d).transpose_a(true).triangle(triangle);
                    let plan = MatMul { lda: block.ld, ldc: row, ..plan.accumulate(!first) };
                    T::matmul(&MatMul { ldb: row, ..plan }, ds, q_rows, &mut dqkv[k..]); // K̄ += S̄ᵀ·Q
                    T::matmul(&MatMul { ldb: h * d, ..plan }, p, dout_rows, &mut dqkv[v..]); // V̄ += Pᵀ·Ȳ
                }
            }
        });
    }
}
