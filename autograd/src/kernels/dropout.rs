//! Masks of dropout: entry number i of a mask is a function of the seed and of i, whoever computes it.

use super::simd::vectorize;
use super::threads::for_each_pair_of_chunks;
use crate::Float;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers a piece, a multiple of [`AT_ONCE`].
const CHUNK: usize = 16384;
/// Draws at a time.
const AT_ONCE: usize = 256;

/// Which entries are dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The probability that an entry is.
    pub p: f64,
    /// Governs which.
    pub seed: u64,
    /// How many entries precede the first one here, of the larger tensor that the seed is for.
    pub before: usize,
}

impl Dropout {
    /// mask = 0 with probability p, else 1/(1 − p), and y = x ⊙ mask, on all threads.
    ///
    /// # Panics
    /// If the lengths differ.
    #[track_caller]
    pub fn forward<T: Float>(&self, x: &[T], y: &mut [T], mask: &mut [T]) {
        assert!(x.len() == y.len() && x.len() == mask.len(), "dropout, entry by entry: the lengths differ");
        for_each_pair_of_chunks(y, CHUNK, mask, CHUNK, |piece, y, mask| {
            let start = piece * CHUNK;
            self.mask(start, mask);
            let x = &x[start..][..y.len()];
            vectorize(
                #[inline(always)]
                || {
                    for i in 0..y.len() {
                        y[i] = x[i] * mask[i];
                    }
                },
            );
        });
    }

    /// The mask of the entries from number `at` on.
    pub fn mask<T: Float>(&self, at: usize, mask: &mut [T]) {
        let dropped = (self.p * (1u64 << 32) as f64) as u64; // of 2³² equally likely draws
        let kept = T::from_f64(if self.p < 1.0 { 1.0 / (1.0 - self.p) } else { 0.0 });
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        generator.set_word_pos((self.before + at) as u128); // a draw is a word of the stream
        let mut draws = [[0; 4]; AT_ONCE];
        for mask in mask.chunks_mut(AT_ONCE) {
            generator.fill_bytes(draws[..mask.len()].as_flattened_mut());
            vectorize(
                #[inline(always)]
                || {
                    for i in 0..mask.len() {
                        let draw = u64::from(u32::from_le_bytes(draws[i]));
                        mask[i] = if draw < dropped { T::ZERO } else { kept };
                    }
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::threads::on_threads;
    use super::*;

    #[test]
    fn entry_number_i_is_dropped_as_draw_number_i_of_the_seed_says_on_any_number_of_threads() {
        let (p, seed, before, n) = (0.3, 9, 5, if cfg!(miri) { CHUNK + 40 } else { 3 * CHUNK + 40 });
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let draws: Vec<u32> = (0..before + n).map(|_| generator.next_u32()).collect();
        let dropped = |draw: u32| f64::from(draw) < p * 2f64.powi(32);
        let expected: Vec<f64> =
            draws[before..].iter().map(|&draw| if dropped(draw) { 0.0 } else { 1.0 / (1.0 - p) }).collect();
        for number in [1, 3] {
            let (mut y, mut mask) = (vec![0.0; n], vec![0.0; n]);
            on_threads(number, || Dropout { p, seed, before }.forward(&vec![2.0; n], &mut y, &mut mask));
            assert!(mask == expected, "{number} threads dropped other entries");
            assert!(y.iter().zip(&mask).all(|(&y, &mask)| y == 2.0 * mask), "y = x ⊙ mask");
        }
    }
}
