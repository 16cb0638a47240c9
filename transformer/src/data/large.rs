//! A text that is too large to be held in memory: it is read in pieces, and its ids go into files.

use super::bin::{BinFile, BinWriter, Format};
use super::dataset::Dataset;
use super::fingerprint::Fingerprint;
use super::pieces::FilePieces;
use super::text::{TRAINING_SHARE, empty};
use super::tokenizer::Tokenizer;
use super::tokens::Tokens;
use crate::error::{Error, Result};
use crate::files;
use serde::{Deserialize, Serialize};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file of text above this number of bytes is not held in memory.
pub const LARGE: u64 = 16 << 20;

/// The names of the files of ids that a run keeps of its text, and of what they are the ids of.
pub const KEPT: [&str; 3] = ["tokens-train.bin", "tokens-val.bin", "tokens.json"];

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

/// Where the ids of a large text are looked for, and put.
#[derive(Debug, Clone, Copy)]
pub enum Keep<'a> {
    /// In this directory: of a run that is trained.
    In(&'a Path),
    /// In this directory if they are there already; otherwise among the temporary files, and they are deleted
    /// afterwards: of a run that is only read.
    Of(&'a Path),
    /// Only among the temporary files.
    Nowhere,
}

/// What files of ids are the ids of: the content of `tokens.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Identity {
    text: String,
    tokenizer: String,
    validation_bytes: u64,
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

    /// Writes the ids of both parts into two files.
    ///
    /// # Errors
    /// If the text has a character that the tokenizer does not know, or the files cannot be written.
    pub fn write(&self, tokenizer: &Tokenizer, format: Format, to: [&Path; 2]) -> Result<()> {
        for (mut pieces, path) in [self.train()?, self.validation()?].into_iter().zip(to) {
            let mut writer = BinWriter::create(path, format)?;
            loop {
                let (byte, line) = pieces.place();
                let Some(piece) = pieces.next() else { break };
                let ids = tokenizer.encode(&piece?).map_err(|error| {
                    let place = format!("counted from line {line} of its part (byte {byte})");
                    error.in_file(&self.path).at(place)
                })?;
                writer.write(&ids)?;
            }
            writer.finish()?;
        }
        Ok(())
    }

    /// The text as ids that stay in files.
    ///
    /// # Errors
    /// As [`write`](Self::write); or if a part is too short.
    pub fn dataset(&self, tokenizer: &Tokenizer, block_size: usize, keep: Keep) -> Result<Dataset> {
        let identity = Identity {
            text: self.fingerprint.to_string(),
            tokenizer: Fingerprint::of(tokenizer.to_json().to_string().as_bytes()).to_string(),
            validation_bytes: self.bytes - self.split,
        };
        let is_there = |directory: &Path| {
            let found = files::read_json::<Identity>(&directory.join(KEPT[2]), "");
            found.is_ok_and(|found| found == identity)
        };
        let format = Format::for_vocabulary(tokenizer.vocab_size());
        let in_directory = |directory: &Path| [directory.join(KEPT[0]), directory.join(KEPT[1])];
        let ([train, validation], temporary) = match keep {
            Keep::In(directory) | Keep::Of(directory) if is_there(directory) => {
                (in_directory(directory), false)
            }
            Keep::In(directory) => {
                fs::create_dir_all(directory).map_err(|error| Error::io("make", directory, &error))?;
                let [train, validation] = in_directory(directory);
                forget(&directory.join(KEPT[2]))?; // or a kill between the parts would leave ids under another text's name
                self.write(tokenizer, format, [&train, &validation])?;
                files::write_json(&directory.join(KEPT[2]), &identity)?;
                ([train, validation], false)
            }
            Keep::Of(_) | Keep::Nowhere => {
                let [train, validation] = temporary_files();
                self.write(tokenizer, format, [&train, &validation])?;
                ([train, validation], true)
            }
        };
        let open = |path: &Path| -> Result<Tokens> {
            let file = BinFile::open(path)?;
            let file = if temporary { file.temporary() } else { file };
            file.check(tokenizer.vocab_size(), &mut Fingerprint::default())?;
            Ok(Tokens::in_file(file))
        };
        let dataset = Dataset {
            name: self.path.display().to_string(),
            train: open(&train)?,
            validation: open(&validation)?,
            floor: None,
            fingerprint: identity.text,
            validation_bytes: Some(identity.validation_bytes),
        };
        dataset.long_enough(tokenizer.unit(), block_size)?;
        Ok(dataset)
    }
}

/// Removes the ids that a run kept before it was replaced by one on other data.
///
/// # Errors
/// If the files cannot be removed.
pub fn clear(directory: &Path, dataset: &Dataset) -> Result<()> {
    let kept = KEPT.map(|name| directory.join(name));
    if dataset.train.path() == Some(&kept[0]) {
        return Ok(());
    }
    let there = kept.iter().filter(|path| path.exists());
    there
        .into_iter()
        .try_for_each(|path| fs::remove_file(path).map_err(|error| Error::io("remove", path, &error)))
}

/// Removes the file that says which text's ids lie beside it, if there is one.
fn forget(identity: &Path) -> Result<()> {
    match fs::remove_file(identity) {
        Ok(()) => files::sync_directory(identity),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("remove", identity, &error)),
    }
}

/// Two files that no other process uses.
fn temporary_files() -> [PathBuf; 2] {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    ["train", "val"].map(|part| {
        std::env::temp_dir().join(format!("transformer-{}-{number}-{part}.bin", std::process::id()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::super::tokenizer::TokenizerKind;
    use super::*;
    use proptest::prelude::*;

    fn ids(tokens: &Tokens) -> Vec<usize> {
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

    #[test]
    fn kept_ids_are_used_again_by_the_same_text_and_tokenizer_and_by_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let (path, kept) = (directory.path().join("text.txt"), directory.path().join("run"));
        let text = |content: &str| {
            fs::write(&path, content.repeat(50)).unwrap();
            LargeText::survey(&path).unwrap()
        };
        let written = || fs::metadata(kept.join(KEPT[0])).unwrap().modified().unwrap();
        let first = text("abc ");
        first.dataset(&Tokenizer::Bytes, 4, Keep::In(&kept)).unwrap();
        let before = written();
        first.dataset(&Tokenizer::Bytes, 4, Keep::In(&kept)).unwrap();
        assert_eq!(written(), before, "not written again");
        text("abd ").dataset(&Tokenizer::Bytes, 4, Keep::Of(&kept)).unwrap();
        assert_eq!(written(), before, "a run that is only read is left as it is");
        let other = text("abd ").dataset(&Tokenizer::Bytes, 4, Keep::In(&kept)).unwrap();
        assert_eq!(ids(&other.train)[..3], *b"abd".map(usize::from).as_slice());
        let characters = Tokenizer::for_text(TokenizerKind::Char, "abd ");
        let other = text("abd ").dataset(&characters, 4, Keep::In(&kept)).unwrap();
        assert_eq!(ids(&other.train)[..3], [1, 2, 3]);
    }

    #[test]
    fn ids_that_were_replaced_only_in_part_are_nobodys() {
        let directory = tempfile::tempdir().unwrap();
        let (path, kept) = (directory.path().join("text.txt"), directory.path().join("run"));
        let text = |content: &str| {
            fs::write(&path, content).unwrap();
            LargeText::survey(&path).unwrap()
        };
        let characters = Tokenizer::for_text(TokenizerKind::Char, "abc ");
        text(&"abc ".repeat(50)).dataset(&characters, 4, Keep::In(&kept)).unwrap();
        assert!(kept.join(KEPT[2]).exists());
        // The part to train on is written, and then the validation part has a character that has no id.
        let other = text(&("ab ".repeat(60) + &"z".repeat(20)));
        assert!(other.dataset(&characters, 4, Keep::In(&kept)).is_err());
        assert!(!kept.join(KEPT[2]).exists(), "the ids that lie there are those of no text");
    }
}
