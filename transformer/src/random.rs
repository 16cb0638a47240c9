//! One seed, one independent stream of random numbers for each purpose, and a position that can be saved.
//!
//! The generator is ChaCha with 8 rounds: the seed is its key, the purpose its stream number (nonce), the position a
//! counter. So the numbers are the same on every platform, drawing more numbers for one purpose never shifts those of
//! another, and a resumed run goes on exactly where it was by storing one counter.
//!
//! Reference: D. J. Bernstein, "ChaCha, a variant of Salsa20", 2008.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

/// What random numbers are drawn for; each purpose has a stream of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The initial weights.
    Initialisation = 0,
    /// Where the training batches are cut out of the text.
    Batches = 1,
    /// Which activations are dropped.
    Dropout = 2,
    /// The next token of a sample.
    Sampling = 3,
    /// The batches on which the loss is estimated.
    Evaluation = 4,
    /// The texts of an embedded corpus.
    Corpus = 5,
}

/// How far a stream has been read, in words of 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The number of 32-bit words drawn so far.
    pub words: u64,
}

/// The stream of random numbers that `seed` gives for `purpose`, from its beginning.
pub fn generator(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(purpose as u64);
    generator
}

/// How far `generator` has been read.
pub fn position(generator: &ChaCha8Rng) -> Position {
    // The upper bits are 0 for the first 2⁶⁴ words: five centuries at a word a nanosecond.
    Position { words: generator.get_word_pos() as u64 }
}

/// Moves `generator` to a position that was saved before.
pub fn seek(generator: &mut ChaCha8Rng, position: Position) {
    generator.set_word_pos(u128::from(position.words));
}

/// A whole number drawn uniformly from `0..n`: ⌊u·n⌋ with u = a 64-bit word / 2⁶⁴ (the bias is below n / 2⁶⁴).
///
/// # Panics
/// If `n` is 0.
#[track_caller]
pub fn below(generator: &mut ChaCha8Rng, n: usize) -> usize {
    assert!(n > 0, "no whole number lies below 0");
    ((u128::from(generator.next_u64()) * n as u128) >> 64) as usize
}

/// A real number drawn uniformly from [0, 1): the upper 53 bits of a 64-bit word.
pub fn unit(generator: &mut ChaCha8Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_pinned_so_that_no_release_changes_a_run() {
        let mut batches = generator(1337, Purpose::Batches);
        let drawn: Vec<usize> = (0..8).map(|_| below(&mut batches, 1000)).collect();
        assert_eq!(drawn, [35, 310, 866, 538, 892, 123, 523, 243]);
    }

    #[test]
    fn purposes_and_seeds_have_streams_of_their_own() {
        let first = |seed, purpose| generator(seed, purpose).next_u64();
        assert_ne!(first(1, Purpose::Batches), first(1, Purpose::Dropout));
        assert_ne!(first(1, Purpose::Batches), first(2, Purpose::Batches));
    }

    #[test]
    fn a_saved_position_goes_on_where_it_was() {
        for drawn_before in [0, 1, 7, 31, 32, 33, 1000] {
            let mut original = generator(1, Purpose::Batches);
            (0..drawn_before).for_each(|_| _ = original.next_u32());
            let mut resumed = generator(1, Purpose::Batches);
            seek(&mut resumed, position(&original));
            for _ in 0..100 {
                assert_eq!(original.next_u64(), resumed.next_u64(), "after {drawn_before} words");
            }
        }
    }

    #[test]
    fn below_reaches_every_number_about_equally_often() {
        let mut generator = generator(0, Purpose::Sampling);
        let mut counts = [0; 7];
        (0..70_000).for_each(|_| counts[below(&mut generator, 7)] += 1);
        // Each count has mean 10 000 and standard deviation 93; five of those are never exceeded by chance.
        assert!(counts.iter().all(|count| (9_535..=10_465).contains(count)), "{counts:?}");
    }

    #[test]
    fn unit_lies_between_zero_and_one_with_mean_one_half() {
        let mut generator = generator(0, Purpose::Sampling);
        let drawn: Vec<f64> = (0..100_000).map(|_| unit(&mut generator)).collect();
        assert!(drawn.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        assert!((mean - 0.5).abs() < 5.0 * (1.0f64 / 12.0 / 100_000.0).sqrt(), "{mean}");
    }
}
