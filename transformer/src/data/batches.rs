//! Windows of a text: what the model sees, and what it should have said.
//!
//! A window starting at position i of the ids t gives x = t[i .. i+n] and y = t[i+1 .. i+n+1]: at every place the
//! target is the token that comes next. Training draws its windows at random, so that neighbours in the text do not
//! become neighbours in time; evaluation goes through the whole text once, each target counted exactly once.

use super::tokens::Tokens;
use crate::error::Result;
use crate::random::{self, Position, Purpose};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// A target that does not count: what comes there is given, or comes after the end.
pub const IGNORE: usize = usize::MAX;

/// Windows of the same length, and the targets: y is x moved by one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What the model sees, row after row. `[b, n]`
    pub x: Vec<usize>,
    /// The token that comes next, at every place, or [`IGNORE`]. `[b, n]`
    pub y: Vec<usize>,
    /// The number of windows, b.
    pub rows: usize,
    /// The length of each window, n.
    pub length: usize,
}

impl Batch {
    /// The windows of `tokens` that start at each of `starts`.
    ///
    /// # Errors
    /// If the ids are in a file that can no longer be read.
    ///
    /// # Panics
    /// If a window, or its last target, reaches past the end.
    #[track_caller]
    pub fn cut(tokens: &Tokens, starts: impl IntoIterator<Item = usize>, length: usize) -> Result<Self> {
        let mut batch = Batch { x: Vec::new(), y: Vec::new(), rows: 0, length };
        let mut window = Vec::new();
        for start in starts {
            window.clear();
            tokens.copy(start, length + 1, &mut window)?;
            batch.x.extend(&window[..length]);
            batch.y.extend(&window[1..]);
            batch.rows += 1;
        }
        Ok(batch)
    }

    /// Some of its rows.
    pub fn part(&self, rows: Range<usize>) -> Self {
        let tokens = rows.start * self.length..rows.end * self.length;
        let (x, y) = (self.x[tokens.clone()].to_vec(), self.y[tokens].to_vec());
        Batch { x, y, rows: rows.len(), length: self.length }
    }

    /// `[rows, length]`
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.length]
    }

    /// The number of targets that count: the weight of this batch in a mean over tokens.
    pub fn targets(&self) -> usize {
        self.y.iter().filter(|&&target| target != IGNORE).count()
    }
}

/// Draws batches of random windows; a saved [`Position`] goes on with the same ones.
#[derive(Debug, Clone)]
pub struct Batches {
    generator: ChaCha8Rng,
    batch_size: usize,
    block_size: usize,
}

impl Batches {
    /// Batches of `batch_size` windows of `block_size` tokens, from the beginning of the stream of random numbers.
    pub fn new(seed: u64, purpose: Purpose, batch_size: usize, block_size: usize) -> Self {
        Batches { generator: random::generator(seed, purpose), batch_size, block_size }
    }

    /// The next batch. Every window lies in `tokens`, each as likely as any other.
    ///
    /// # Errors
    /// If the ids are in a file that can no longer be read.
    ///
    /// # Panics
    /// If `tokens` has fewer than `block_size + 1` ids.
    #[track_caller]
    pub fn draw(&mut self, tokens: &Tokens) -> Result<Batch> {
        let windows = tokens.len().saturating_sub(self.block_size);
        assert!(windows > 0, "{} tokens have no window of {} and a target", tokens.len(), self.block_size);
        let starts: Vec<usize> =
            (0..self.batch_size).map(|_| random::below(&mut self.generator, windows)).collect();
        Batch::cut(tokens, starts, self.block_size)
    }

    /// Where the stream of random numbers stands, to be saved in a checkpoint.
    pub fn position(&self) -> Position {
        random::position(&self.generator)
    }

    /// Goes on from a saved position.
    pub fn seek(&mut self, position: Position) {
        random::seek(&mut self.generator, position);
    }
}

/// All of `tokens` once, from the first to the last: windows of `block_size` side by side, `batch_size` at a time, and
/// at the end a shorter one with what is left. Every token but the first is a target exactly once, so the mean loss
/// over the text is Σ (loss of a batch · its [`targets`](Batch::targets)) / (`tokens.len()` − 1).
///
/// A batch is an error if the ids are in a file that can no longer be read.
pub fn in_order(
    tokens: &Tokens,
    batch_size: usize,
    block_size: usize,
) -> impl Iterator<Item = Result<Batch>> {
    let targets = tokens.len().saturating_sub(1);
    let full = targets / block_size;
    let rest = targets % block_size;
    let full_batches = (0..full).step_by(batch_size).map(move |first| {
        let rows = first..full.min(first + batch_size);
        Batch::cut(tokens, rows.map(|row| row * block_size), block_size)
    });
    let last = (rest > 0).then(|| Batch::cut(tokens, [full * block_size], rest));
    full_batches.chain(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The ids 0, 1, 2, …: each id is its own position.
    fn counting(length: usize) -> Tokens {
        Tokens::new(&(0..length).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn every_window_is_in_range_and_y_is_x_moved_by_one(
            seed: u64, batch_size in 1..9usize, block_size in 1..20usize, extra in 1..50usize,
        ) {
            let tokens = counting(block_size + extra);
            let mut batches = Batches::new(seed, Purpose::Batches, batch_size, block_size);
            for _ in 0..5 {
                let batch = batches.draw(&tokens).unwrap();
                prop_assert_eq!(batch.shape(), [batch_size, block_size]);
                prop_assert_eq!(batch.x.len(), batch.targets());
                for (x, y) in batch.x.chunks(block_size).zip(batch.y.chunks(block_size)) {
                    let window: Vec<usize> = (x[0]..x[0] + block_size).collect();
                    prop_assert_eq!(x, &window);
                    prop_assert!(x.iter().zip(y).all(|(x, y)| *y == x + 1));
                    prop_assert!(y[block_size - 1] < tokens.len());
                }
            }
        }

        #[test]
        fn going_in_order_makes_every_token_but_the_first_a_target_once(
            length in 0..200usize, batch_size in 1..9usize, block_size in 1..20usize,
        ) {
            let tokens = counting(length);
            let batches: Vec<Batch> = in_order(&tokens, batch_size, block_size).map(Result::unwrap).collect();
            let mut targets: Vec<usize> = batches.iter().flat_map(|batch| batch.y.clone()).collect();
            prop_assert_eq!(targets.len(), batches.iter().map(Batch::targets).sum::<usize>());
            targets.sort_unstable();
            prop_assert_eq!(targets, (1..length).collect::<Vec<_>>());
            prop_assert!(batches.iter().all(|batch| batch.rows <= batch_size && batch.length <= block_size));
            prop_assert!(batches.iter().all(|batch| batch.x.iter().zip(&batch.y).all(|(x, y)| *y == x + 1)));
        }

        #[test]
        fn a_resumed_sampler_draws_the_same_batches(seed: u64, before in 0..40usize, batch_size in 1..9usize) {
            let tokens = counting(100);
            let mut original = Batches::new(seed, Purpose::Batches, batch_size, 8);
            (0..before).for_each(|_| drop(original.draw(&tokens).unwrap()));
            let mut resumed = Batches::new(seed, Purpose::Batches, batch_size, 8);
            resumed.seek(original.position());
            for _ in 0..5 {
                prop_assert_eq!(resumed.draw(&tokens).unwrap(), original.draw(&tokens).unwrap());
            }
        }
    }

    #[test]
    fn the_first_and_the_last_window_are_drawn_too() {
        let tokens = counting(12);
        let mut batches = Batches::new(0, Purpose::Batches, 1000, 8);
        let starts: std::collections::BTreeSet<usize> =
            batches.draw(&tokens).unwrap().x.chunks(8).map(|window| window[0]).collect();
        assert_eq!(starts.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    #[should_panic(expected = "8 tokens have no window of 8 and a target")]
    fn a_text_without_a_window_is_a_programming_error_here() {
        Batches::new(0, Purpose::Batches, 1, 8).draw(&counting(8)).unwrap();
    }
}
