//! The softmax of a block of attention scores, each row up to its own position, forward and back.
//!
//! ```text
//! forward   pᵢⱼ = e^(c·sᵢⱼ − mᵢ)/Zᵢ for j ≤ first + i, else 0     mᵢ = maxⱼ c·sᵢⱼ,  Zᵢ = Σⱼ e^(c·sᵢⱼ − mᵢ)
//! back      p again from m and Z;   s̄ᵢⱼ = c·pᵢⱼ·(p̄ᵢⱼ − aᵢ),  aᵢ = Σⱼ p̄ᵢⱼ·pᵢⱼ
//! ```
//!
//! Rows lie `ld` numbers apart, a multiple of [`PADDING`], so that every register is whole. What a product has left
//! beyond a row's position is unspecified: in the last register that a row needs it is computed like the rest and replaced
//! by 0, forward and back; forward, the registers after it are set to 0.

use super::lanes::{self, Kernel, Lanes, Simd};
use super::maths::exp;
use crate::Float;

/// Rows begin at multiples of this many numbers: the lanes of the widest register.
pub const PADDING: usize = 16;

/// A block of rows of scores. Row i belongs to position `first + i`; columns from `width` on are never looked at.
#[derive(Clone, Copy, Debug)]
pub struct Block<T> {
    /// The position of the first row.
    pub first: usize,
    /// Columns that the products read.
    pub width: usize,
    /// From row to row, a multiple of [`PADDING`].
    pub ld: usize,
    /// c, which multiplies the scores.
    pub scale: T,
}

impl<T: Float> Block<T> {
    /// How many columns of row i are seen.
    fn seen(&self, i: usize) -> usize {
        self.first + i + 1
    }

    /// The forward rule for any number, one by one: scores to weights, and m and Z of each row.
    pub fn forward_textbook(&self, scores: &mut [T], statistics: &mut [[T; 2]]) {
        for (i, (row, saved)) in scores.chunks_mut(self.ld).zip(statistics).enumerate() {
            let seen = self.seen(i);
            let most =
                row[..seen].iter().fold(row[0], |most, &x| if x > most { x } else { most }) * self.scale;
            row[..seen].iter_mut().for_each(|x| *x = (self.scale * *x - most).exp());
            let total = row[..seen].iter().copied().sum::<T>();
            row[..seen].iter_mut().for_each(|x| *x = *x / total);
            row[seen..self.width.max(seen)].fill(T::ZERO);
            *saved = [most, total];
        }
    }

    /// The backward rule for any number: scores to weights again, and the weights' cotangents to the scores'.
    pub fn vjp_textbook(&self, scores: &mut [T], cotangents: &mut [T], statistics: &[[T; 2]], along: &[T]) {
        for (i, (p, ds)) in scores.chunks_mut(self.ld).zip(cotangents.chunks_mut(self.ld)).enumerate() {
            let (seen, [most, total]) = (self.seen(i), statistics[i]);
            for (p, ds) in p[..seen].iter_mut().zip(&mut ds[..seen]) {
                *p = (self.scale * *p - most).exp() / total;
                *ds = self.scale * *p * (*ds - along[i]);
            }
            p[seen..self.width.max(seen)].fill(T::ZERO);
            ds[seen..self.width.max(seen)].fill(T::ZERO);
        }
    }
}

/// The numbers of a register's lanes.
const COUNTING: [f64; PADDING] = {
    let mut numbers = [0.0; PADDING];
    let mut i = 0;
    while i < PADDING {
        numbers[i] = i as f64;
        i += 1;
    }
    numbers
};

/// The largest of the first `seen` numbers of a row, lane by lane; 0 beyond the last register that holds one of them.
#[inline(always)]
fn clear_and_find_largest<L: Lanes>(row: &mut [L::Scalar], seen: usize) -> L {
    let hidden = L::splat(Float::from_f64(f64::NEG_INFINITY));
    let last = (seen - 1) / L::N * L::N;
    let mut most = L::load(row);
    for x in row[..last].chunks_exact(L::N) {
        most = most.max(L::load(x));
    }
    let x = seen_of(L::load(&row[last..]), seen - last, hidden);
    for beyond in row[last + L::N..].chunks_exact_mut(L::N) {
        L::splat(L::ZERO).store(beyond);
    }
    if last == 0 { x } else { most.max(x) } // with one register, `most` holds what is not seen
}

/// x in the first `seen` lanes, `with` in the others.
#[inline(always)]
fn seen_of<L: Lanes>(x: L, seen: usize, with: L) -> L {
    let seen = L::splat(Float::from_f64(seen as f64));
    L::load(&COUNTING.map(L::Scalar::from_f64)).select_less(seen, x, with)
}

/// The whole registers that hold the first `seen` numbers of a row.
#[inline(always)]
fn computed<L: Lanes>(row: &mut [L::Scalar], seen: usize) -> &mut [L::Scalar] {
    &mut row[..seen.next_multiple_of(L::N)]
}

struct Forward<'a, T> {
    block: Block<T>,
    scores: &'a mut [T],
    statistics: &'a mut [[T; 2]],
}

impl<T: Simd> Kernel<T> for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self) {
        let Forward { block, scores, statistics } = self;
        let (scale, zero) = (L::splat(block.scale), L::splat(T::ZERO));
        // As many rows at a time as a register has lanes: their maxima, and later their sums, are then one register.
        for (group, saved) in statistics.chunks_mut(L::N).enumerate() {
            let first = group * L::N;
            let scores = &mut scores[first * block.ld..];
            let mut most = [zero; PADDING];
            for (r, row) in scores.chunks_mut(block.ld).take(saved.len()).enumerate() {
                most[r] = clear_and_find_largest(row, block.seen(first + r));
            }
            let (mut maxima, mut sums, mut normals) =
                ([T::ZERO; PADDING], [T::ZERO; PADDING], [T::ZERO; PADDING]);
            L::fold_each(most, L::max).mul(scale).store(&mut maxima);
            let mut total = [zero; PADDING];
            for (r, row) in scores.chunks_mut(block.ld).take(saved.len()).enumerate() {
                let (shift, seen) = (L::splat(-maxima[r]), block.seen(first + r));
                let (whole, rest) = computed::<L>(row, seen).split_at_mut((seen - 1) / L::N * L::N);
                for x in whole.chunks_exact_mut(L::N) {
                    let e = exp(L::load(x).mul_add(scale, shift));
                    total[r] = total[r].add(e);
                    e.store(x);
                }
                // Were what is hidden −∞, its power would be a number below the smallest: on some processors a hundred cycles.
                let e = seen_of(exp(L::load(rest).mul_add(scale, shift)), seen - whole.len(), zero);
                total[r] = total[r].add(e);
                e.store(rest);
            }
            let total = L::fold_each(total, L::add);
            total.store(&mut sums);
            L::splat(T::ONE).div(total).store(&mut normals);
            for (r, row) in scores.chunks_mut(block.ld).take(saved.len()).enumerate() {
                let normal = L::splat(normals[r]);
                for x in computed::<L>(row, block.seen(first + r)).chunks_exact_mut(L::N) {
                    L::load(x).mul(normal).store(x);
                }
                saved[r] = [maxima[r], sums[r]];
            }
        }
    }
}

/// A row's constants, each in all lanes.
struct Row<L> {
    scale: L,
    shift: L,
    normal: L,
    along: L,
}

impl<L: Lanes> Row<L> {
    /// p from the scores s, and s̄ from p̄.
    #[inline(always)]
    fn weight_and_cotangent(&self, s: L, dp: L) -> (L, L) {
        let p = exp(s.mul_add(self.scale, self.shift)).mul(self.normal);
        (p, p.mul(dp.sub(self.along)).mul(self.scale))
    }
}

struct Vjp<'a, T> {
    block: Block<T>,
    scores: &'a mut [T],
    cotangents: &'a mut [T],
    statistics: &'a [[T; 2]],
    along: &'a [T],
}

impl<T: Simd> Kernel<T> for Vjp<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self) {
        let Vjp { block, scores, cotangents, statistics, along } = self;
        let (scale, zero) = (L::splat(block.scale), L::splat(T::ZERO));
        let rows = scores.chunks_mut(block.ld).zip(cotangents.chunks_mut(block.ld));
        for (i, (p, ds)) in rows.enumerate() {
            let [most, total] = statistics[i];
            let (shift, along) = (L::splat(-most), L::splat(along[i]));
            let normal = L::splat(T::ONE / total);
            let row = Row { scale, shift, normal, along };
            let last = (block.seen(i) - 1) / L::N * L::N;
            let (p, p_rest) = p.split_at_mut(last);
            let (ds, ds_rest) = ds.split_at_mut(last);
            for (p, ds) in p.chunks_exact_mut(L::N).zip(ds.chunks_exact_mut(L::N)) {
                let (weight, cotangent) = row.weight_and_cotangent(L::load(p), L::load(ds));
                weight.store(p);
                cotangent.store(ds);
            }
            let seen = block.seen(i) - last;
            let (weight, cotangent) = row.weight_and_cotangent(L::load(p_rest), L::load(ds_rest));
            seen_of(weight, seen, zero).store(p_rest);
            seen_of(cotangent, seen, zero).store(ds_rest);
            for (p, ds) in p_rest[L::N..].chunks_exact_mut(L::N).zip(ds_rest[L::N..].chunks_exact_mut(L::N)) {
                zero.store(p);
                zero.store(ds);
            }
        }
    }
}

/// [`Block::forward_textbook`] in registers.
pub(crate) fn forward<T: Simd>(block: Block<T>, scores: &mut [T], statistics: &mut [[T; 2]]) {
    lanes::dispatch(Forward { block, scores, statistics });
}

/// [`Block::vjp_textbook`] in registers.
pub(crate) fn vjp<T: Simd>(
    block: Block<T>,
    scores: &mut [T],
    cotangents: &mut [T],
    statistics: &[[T; 2]],
    along: &[T],
) {
    lanes::dispatch(Vjp { block, scores, cotangents, statistics, along });
}

#[cfg(test)]
mod tests {
    use super::super::lanes::InstructionSet;
    use super::*;

    /// Scores of 33 rows from position 20 on; what no row may look at is NaN.
    fn block<T: Float>(width: usize) -> (Block<T>, Vec<T>) {
        let block = Block { first: 20, width, ld: width.next_multiple_of(PADDING), scale: T::from_f64(0.3) };
        let score = |at: usize| match at % block.ld < block.seen(at / block.ld) {
            true => T::from_f64(((at * 7919 % 1013) as f64 / 1013.0 - 0.5) * 20.0),
            false => T::from_f64(f64::NAN),
        };
        (block, (0..33 * block.ld).map(score).collect())
    }

    #[track_caller]
    fn close<T: Float>(found: &[T], right: &[T], tolerance: f64, what: &str) {
        for (i, (x, y)) in found.iter().zip(right).enumerate() {
            let (x, y) = (x.to_f64(), y.to_f64());
            assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{what}, number {i}: {x}, textbook {y}");
        }
    }

    fn on_every_instruction_set<T: Simd>(tolerance: f64) {
        let (block, scores) = block::<T>(53);
        let (mut right, mut saved) = (scores.clone(), vec![[T::ZERO; 2]; 33]);
        block.forward_textbook(&mut right, &mut saved);
        let along: Vec<T> = (0..33).map(|i| T::from_f64(f64::from(i) * 0.01)).collect();
        let (mut right_again, mut right_back) = (scores.clone(), scores.clone());
        block.vjp_textbook(&mut right_again, &mut right_back, &saved, &along);
        for set in InstructionSet::available() {
            let (mut p, mut statistics) = (scores.clone(), vec![[T::ZERO; 2]; 33]);
            lanes::dispatch_on(set, Forward { block, scores: &mut p, statistics: &mut statistics });
            close(statistics.as_flattened(), saved.as_flattened(), tolerance, &format!("{set:?}, m and Z"));
            let (mut again, mut back) = (scores.clone(), scores.clone());
            let (scores, cotangents) = (&mut again[..], &mut back[..]);
            lanes::dispatch_on(set, Vjp { block, scores, cotangents, statistics: &saved, along: &along });
            for row in 0..33 {
                let places = row * block.ld..row * block.ld + block.width;
                let all = [(&p, &right), (&again, &right_again), (&back, &right_back)];
                for (what, (found, right)) in ["p", "p again", "s̄"].iter().zip(all) {
                    let what = format!("{set:?}, {what} of row {row}");
                    close(&found[places.clone()], &right[places.clone()], tolerance, &what);
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_computes_the_textbook_s_block_and_does_not_look_beyond_a_row_s_position() {
        on_every_instruction_set::<f32>(3e-6);
        on_every_instruction_set::<f64>(1e-14);
    }
}
