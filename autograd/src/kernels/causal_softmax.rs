//! The softmax of a block of attention scores, each row up to its own position, forward and back.
//!
//! ```text
//! forward   pᵢⱼ = e^(c·sᵢⱼ − mᵢ)/Σᵢ for j ≤ first + i, else 0     mᵢ = maxⱼ c·sᵢⱼ,  Σᵢ = Σⱼ e^(c·sᵢⱼ − mᵢ)
//! back      p again from m and Σ;   s̄ᵢⱼ = c·pᵢⱼ·(p̄ᵢⱼ − aᵢ),  aᵢ = Σⱼ p̄ᵢⱼ·pᵢⱼ
//! ```
//!
//! Rows lie `ld` numbers apart, a multiple of [`PADDING`], so that every register is whole. What a product has left
//! beyond a row's position is unspecified: it becomes −∞ first, whose power is 0.

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

    /// The forward rule for any number, one by one: scores to weights, and m and Σ of each row.
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

/// Hides what lies beyond the first `seen` numbers of a row: `with` as far as the last register that holds one of them
/// goes, 0 from there on. Returns the part of whole registers that has to be computed.
#[inline(always)]
fn hide<L: Lanes>(row: &mut [L::Scalar], seen: usize, with: L) -> &mut [L::Scalar] {
    let counting: [L::Scalar; PADDING] = std::array::from_fn(|i| Float::from_f64(i as f64));
    let last = (seen - 1) / L::N * L::N;
    let (computed, rest) = row.split_at_mut(last + L::N);
    let inside = L::splat(Float::from_f64((seen - last) as f64));
    L::load(&counting).select_less(inside, L::load(&computed[last..]), with).store(&mut computed[last..]);
    for x in rest.chunks_exact_mut(L::N) {
        L::splat(L::ZERO).store(x);
    }
    computed
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
        let scale = L::splat(block.scale);
        for (i, (row, saved)) in scores.chunks_mut(block.ld).zip(statistics).enumerate() {
            let row = hide(row, block.seen(i), L::splat(T::from_f64(f64::NEG_INFINITY)));
            let mut most = L::load(row);
            for x in row.chunks_exact(L::N) {
                most = most.max(L::load(x));
            }
            let most = most.largest() * block.scale;
            let (shift, mut total) = (L::splat(-most), L::splat(T::ZERO));
            for x in row.chunks_exact_mut(L::N) {
                let e = exp(L::load(x).mul_add(scale, shift));
                total = total.add(e);
                e.store(x);
            }
            let total = total.sum();
            let normal = L::splat(T::ONE / total);
            for x in row.chunks_exact_mut(L::N) {
                L::load(x).mul(normal).store(x);
            }
            *saved = [most, total];
        }
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
        let scale = L::splat(block.scale);
        let rows = scores.chunks_mut(block.ld).zip(cotangents.chunks_mut(block.ld));
        for (i, (p, ds)) in rows.enumerate() {
            let p = hide(p, block.seen(i), L::splat(T::from_f64(f64::NEG_INFINITY)));
            let ds = hide(ds, block.seen(i), L::splat(T::ZERO));
            let [most, total] = statistics[i];
            let (shift, along) = (L::splat(-most), L::splat(along[i]));
            let normal = L::splat(T::ONE / total);
            for (p, ds) in p.chunks_exact_mut(L::N).zip(ds.chunks_exact_mut(L::N)) {
                let weight = exp(L::load(p).mul_add(scale, shift)).mul(normal);
                weight.store(p);
                weight.mul(L::load(ds).sub(along)).mul(scale).store(ds);
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
