//! A text that is too large to be held in memory: it is read in pieces, and its ids go into files.

mod kept;

pub use kept::{KEPT, Keep, clear};

use super::bin::{BinWriter, Format};
use super::dataset::Dataset;
use super::fingerprint::Fingerprint;
use super::pieces::FilePieces;
use super::text::{TRAINING_SHARE, empty};
use super::tokenizer::Tokenizer;
use super::tokens::Tokens;
use crate::error::{Error, Result};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A file of text above this number of bytes is not held in memory.
pub const LARGE: u64 = 16 << 20;

/// A file of text that was read once, to learn its length and its characters.
#[derive(Debug, Clone, PartialEq)]
pub struct LargeText {
    path: PathBuf,
    bytes: u64,
    /// Where the validation part begins.
    split: u64,
    characters: Vec<char>,
    fingerprint: Fingerprint,
}

impl LargeText {
    /// Reads all of a file of UTF-8 text, a piece at a time.
    ///
    /// # Errors
    /// If it cannot be read, is empty, binary or not UTF-8; the message names the place.
    pub fn survey(path: &Path) -> Result<Self> {
        let bytes = fs::metadata(path).map_err(|error| Error::io("read", path, &error))?.len();
        let (mut fingerprint, mut seen) = (Fingerprint::default(), vec![false; 1 + char::MAX as usize]);
        // How many characters the pieces have, and where each begins.
        let (mut total, mut places) = (0, Vec::new());
        let mut pieces = FilePieces::open(path, 0..bytes)?;
        loop {
            let begins = pieces.place().0;
            let Some(piece) = pieces.next() else { break };
            let piece = piece?;
            places.push((total, begins));
            fingerprint.add(piece.as_bytes());
            for character in piece.chars() {
                seen[character as usize] = true;
                total += 1;
            }
        }
        if total == 0 {
            return Err(empty().in_file(path));
        }
        let trained_on = (total as f64 * TRAINING_SHARE) as usize;
        let (before, begins) = places[places.partition_point(|&(before, _)| before <= trained_on) - 1];
        let mut split = bytes;
        if let Some(piece) = FilePieces::open(path, begins..bytes)?.next() {
            let piece = piece?;
            let offset =
                piece.char_indices().nth(trained_on - before).map_or(piece.len(), |(offset, _)| offset);
            split = begins + offset as u64;
        }
        let characters = (0..=char::MAX as u32).filter(|&code| seen[code as usize]);
        let characters = characters.filter_map(char::from_u32).collect();
        Ok(LargeText { path: path.to_path_buf(), bytes, split, characters, fingerprint })
    }

    /// Its different characters, in the order of their code points.
    pub fn characters(&self) -> &[char] {
        &self.characters
    }

    /// The part that is trained on.
    ///
    /// # Errors
    /// If the file cannot be opened any more.
    pub fn train(&self) -> Result<FilePieces> {
        self.part(0..self.split)
    }

    /// The part that is never trained on.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub fn validation(&self) -> Result<FilePieces> {
        self.part(self.split..self.bytes)
    }

    fn part(&self, part: Range<u64>) -> Result<FilePieces> {
        FilePieces::open(&self.path, part)
    }

    /// Writes the ids of both parts into two files. Returns how many there are in each.
    ///
    /// # Errors
    /// If the text has a character that the tokenizer does not know, or the files cannot be written.
    pub fn write(&self, tokenizer: &Tokenizer, format: Format, to: [&Path; 2]) -> Result<[usize; 2]> {
        let [train, validation] = to;
        Ok([
            self.write_part(self.train()?, tokenizer, BinWriter::create(train, format)?)?,
            self.write_part(self.validation()?, tokenizer, BinWriter::create(validation, format)?)?,
        ])
    }

    fn write_part(
        &self,
        mut pieces: FilePieces,
        tokenizer: &Tokenizer,
        mut writer: BinWriter,
    ) -> Result<usize> {
        loop {
            let (byte, line) = pieces.place();
            let Some(piece) = pieces.next() else { return writer.finish() };
            let ids = tokenizer.encode(&piece?).map_err(|error| {
                let place = format!("counted from line {line} of its part (byte {byte})");
                error.in_file(&self.path).at(place)
            })?;
            writer.write(&ids)?;
        }
    }

    /// The text as ids that stay in files.
    ///
    /// # Errors
    /// As [`write`](Self::write); or if a part is too short.
    pub fn dataset(&self, tokenizer: &Tokenizer, block_size: usize, keep: Keep) -> Result<Dataset> {
        let [train, validation] = self.ids(tokenizer, keep)?.map(Tokens::in_file);
        let dataset = Dataset {
            name: self.path.display().to_string(),
            train,
            validation,
            floor: None,
            fingerprint: self.fingerprint.to_string(),
            validation_bytes: Some(self.validation_bytes()),
        };
        dataset.long_enough(tokenizer.unit(), block_size)?;
        Ok(dataset)
    }

    fn validation_bytes(&self) -> u64 {
        self.bytes - self.split
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::super::tokenizer::TokenizerKind;
    use super::*;
    use proptest::prelude::*;

    pub(super) fn ids(tokens: &Tokens) -> Vec<usize> {
        let mut ids = Vec::new();
        tokens.copy(0, tokens.len(), &mut ids).unwrap();
        ids
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_large_text_has_the_ids_that_it_has_in_memory(text in "[a-e가-깋é\n ]{40,300}") {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("text.txt");
            fs::write(&path, &text).unwrap();
            let (small, large) = (Text::read(&path).unwrap(), LargeText::survey(&path).unwrap());
            for kind in [TokenizerKind::Char, TokenizerKind::Byte, TokenizerKind::Jamo] {
                let tokenizer = Tokenizer::for_text(kind, small.content());
                prop_assert_eq!(Tokenizer::for_characters(kind, large.characters()), tokenizer.clone());
                let small = Dataset::new(&small, &tokenizer, 2).unwrap();
                for keep in [Keep::Of(directory.path()), Keep::In(directory.path()), Keep::In(directory.path())] {
                    let large = large.dataset(&tokenizer, 2, keep).unwrap();
                    prop_assert_eq!(ids(&large.train), ids(&small.train));
                    prop_assert_eq!(ids(&large.validation), ids(&small.validation));
                    prop_assert_eq!(&large.fingerprint, &small.fingerprint);
                    prop_assert_eq!(large.validation_bytes, small.validation_bytes);
                }
            }
        }
    }
}
