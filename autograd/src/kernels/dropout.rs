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

/// mask = 0 with probability p, else 1/(1 − p), and y = x ⊙ mask, on all threads. x begins with entry number `before` of what
/// the seed is for.
///
/// # Panics
/// If the lengths differ.
#[track_caller]
pub fn dropout<T: Float>(p: f64, seed: u64, before: usize, x: &[T], y: &mut [T], mask: &mut [T]) {
    assert!(x.len() == y.len() && x.len() == mask.len(), "dropout, entry by entry: the lengths differ");
    let dropped = (p * (1u64 << 32) as f64) as u64; // of 2³² equally likely draws
    let kept = T::from_f64(if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 });
    for_each_pair_of_chunks(y, CHUNK, mask, CHUNK, |piece, y, mask| {
        let x = &x[piece * CHUNK..][..y.len()];
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_word_pos((before + piece * CHUNK) as u128); // a draw is a word of the stream
        let mut draws = [[0; 4]; AT_ONCE];
        let rows = x.chunks(AT_ONCE).zip(y.chunks_mut(AT_ONCE).zip(mask.chunks_mut(AT_ONCE)));
        for (x, (y, mask)) in rows {
            generator.fill_bytes(draws[..x.len()].as_flattened_mut());
            vectorize(
                #[inline(always)]
                || {
                    for i in 0..x.len() {
                        let draw = u64::from(u32::from_le_bytes(draws[i]));
                        mask[i] = if draw < dropped { T::ZERO } else { kept };
                        y[i] = x[i] * mask[i];
                    }
                },
            );
        }
    });
}
