//! Where the tokens come from: stories without end, whose floor is known, or a text.

use crate::data::batches::{Batch, Batches, IGNORE, in_order};
use crate::data::dataset::Dataset;
use crate::data::stories::{ALPHABET, SEPARATOR, Stories, floor_of, text};
use crate::data::text::Text;
use crate::data::tokenizer::{Tokenizer, TokenizerKind};
use crate::error::Result;
use crate::random::{Position, Purpose, generator, seek};
use rand::Rng;
use std::path::Path;

/// A supply of batches, each found by its number.
pub enum Source {
    /// Whole stories, one a row, each with its separator; no story is told twice. A model that has learnt all that there
    /// is to learn reaches the floor, since it sees every story from its beginning.
    Stories,
    /// Windows of a text, drawn at random.
    Text(Box<Dataset>),
}

/// The longest story with both of its separators, in characters.
const LONGEST_STORY: usize = 256;
/// The length of a window of a text.
const WINDOW: usize = 128;
const VALIDATION: usize = 60_000; // characters
const VALIDATION_SEED: u64 = 0x5eed_f00d;

impl Source {
    /// The longest row.
    pub fn context(&self) -> usize {
        match self {
            Source::Stories => LONGEST_STORY,
            Source::Text(_) => WINDOW,
        }
    }

    /// The rows of a batch.
    pub fn rows(&self) -> usize {
        match self {
            Source::Stories => 6,
            Source::Text(_) => 10,
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Source::Stories => "stories",
            Source::Text(dataset) => &dataset.name,
        }
    }

    /// A hash of the text, by which another one of the same name is told; the stories are always the same.
    pub fn fingerprint(&self) -> Option<&str> {
        match self {
            Source::Stories => None,
            Source::Text(dataset) => Some(&dataset.fingerprint),
        }
    }

    /// The loss that no model can undercut on the validation part, where it is known: −ln p of that text itself.
    pub fn floor(&self) -> Option<f64> {
        match self {
            Source::Stories => floor_of(&text(VALIDATION_SEED, VALIDATION)).ok(),
            Source::Text(dataset) => dataset.floor,
        }
    }

    /// Batch number `i` of the run of a seed.
    ///
    /// # Errors
    /// If the text's ids are in a file that can no longer be read.
    pub fn batch(&self, seed: u64, rows: usize, i: usize) -> Result<Batch> {
        match self {
            Source::Stories => Ok(told(seed, rows, i)),
            Source::Text(dataset) => {
                let mut batches = Batches::new(seed, Purpose::Batches, rows, self.context());
                batches.seek(Position { words: (2 * rows * i) as u64 }); // two words a window
                batches.draw(&dataset.train)
            }
        }
    }

    /// The targets of that batch.
    pub fn targets(&self, seed: u64, rows: usize, i: usize) -> usize {
        match self {
            Source::Stories => told(seed, rows, i).targets(),
            Source::Text(_) => rows * self.context(),
        }
    }

    /// The validation part, or its first `tokens`, in batches: the same ones for every model.
    ///
    /// # Errors
    /// If the text's ids are in a file that can no longer be read.
    pub fn validation(&self, tokens: usize) -> Result<Vec<Batch>> {
        let mut batches: Vec<Batch> = match self {
            Source::Stories => {
                let text = text(VALIDATION_SEED, VALIDATION);
                let stories: Vec<String> = text.split_terminator(SEPARATOR).map(str::to_owned).collect();
                stories.chunks(16).map(side_by_side).collect()
            }
            Source::Text(dataset) => {
                in_order(&dataset.validation, 16, self.context()).take(40).collect::<Result<_>>()?
            }
        };
        let mut seen = 0;
        batches.retain(|batch| {
            let wanted = seen < tokens;
            seen += batch.targets();
            wanted
        });
        Ok(batches)
    }
}

/// Batch number `i` of stories.
fn told(seed: u64, rows: usize, i: usize) -> Batch {
    let mut random = generator(seed, Purpose::Batches);
    seek(&mut random, Position { words: (i as u64) << 16 });
    let stories = (0..rows).filter_map(|_| Stories::new(random.next_u64()).next());
    side_by_side(&stories.collect::<Vec<_>>())
}

/// Stories as rows: from the end of the one before to the end of its own separator. `[rows, longest]`
fn side_by_side(stories: &[String]) -> Batch {
    let id = |c: char| ALPHABET.find(c).unwrap_or(0);
    let rows: Vec<Vec<usize>> =
        stories.iter().map(|story| format!("\n{story}{SEPARATOR}").chars().map(id).collect()).collect();
    let length = rows.iter().map(|row| row.len() - 1).max().unwrap_or(0);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for row in &rows {
        let filling = length - (row.len() - 1);
        x.extend(&row[..row.len() - 1]);
        x.extend(vec![0; filling]);
        y.extend(&row[1..]);
        y.extend(vec![IGNORE; filling]);
    }
    Batch { x, y, rows: rows.len(), length }
}

/// The stories, or a file; and how many different tokens it has.
///
/// # Errors
/// If the file cannot be read, or is too short for a window.
pub fn open(data: Option<&Path>) -> Result<(Source, usize)> {
    let Some(path) = data else { return Ok((Source::Stories, ALPHABET.len())) };
    let text = Text::read(path)?;
    let tokenizer = Tokenizer::for_text(TokenizerKind::Char, text.content());
    let dataset = Dataset::new(&text, &tokenizer, WINDOW)?;
    Ok((Source::Text(Box::new(dataset)), tokenizer.vocab_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_the_validation_part_is_a_target_once_so_that_the_floor_is_exactly_its_own() {
        let batches = Source::Stories.validation(usize::MAX).unwrap();
        let mut told = Vec::new();
        for batch in &batches {
            assert!(batch.length <= Source::Stories.context());
            for y in batch.y.chunks(batch.length) {
                told.extend(y.iter().filter(|&&token| token != IGNORE));
            }
        }
        let alphabet: Vec<char> = ALPHABET.chars().collect();
        let told: String = told.into_iter().map(|&token| alphabet[token]).collect();
        assert_eq!(told, text(VALIDATION_SEED, VALIDATION));
    }

    #[test]
    fn every_row_begins_with_the_end_of_a_story_and_y_is_x_moved_by_one() {
        let batch = Source::Stories.batch(1, 6, 0).unwrap();
        assert_eq!(batch.rows, 6);
        for (x, y) in batch.x.chunks(batch.length).zip(batch.y.chunks(batch.length)) {
            let counted = y.iter().take_while(|&&token| token != IGNORE).count();
            assert_eq!(x[0], 0, "the line's end");
            assert_eq!(x[1..counted], y[..counted - 1]);
            assert_eq!(y[counted - 2..counted], [0, 0], "its own separator is learnt too");
            assert!(y[counted..].iter().all(|&token| token == IGNORE));
        }
    }

    #[test]
    fn a_batch_is_found_by_its_number_and_none_comes_twice() {
        let first: Vec<Batch> = (0..50).map(|i| Source::Stories.batch(1, 4, i).unwrap()).collect();
        assert_eq!(Source::Stories.batch(1, 4, 31).unwrap(), first[31]);
        for (i, a) in first.iter().enumerate() {
            assert!(first[..i].iter().all(|b| a.x != b.x), "batch {i} was there before");
        }
        assert_ne!(Source::Stories.batch(2, 4, 0).unwrap(), first[0]);
    }
}
