//! Where the ids of a large text lie: with the run that is trained on it, or among the temporary files.

use super::LargeText;
use crate::data::bin::{BinFile, Format};
use crate::data::dataset::Dataset;
use crate::data::fingerprint::Fingerprint;
use crate::data::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::files;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// The names of the files of ids that a run keeps of its text, and of what they are the ids of.
pub const KEPT: [&str; 3] = ["tokens-train.bin", "tokens-val.bin", "tokens.json"];

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
    /// How many ids there are in the two files.
    tokens: [usize; 2],
}

impl LargeText {
    /// The files with the ids of both parts.
    pub(super) fn ids(&self, tokenizer: &Tokenizer, keep: Keep) -> Result<[BinFile; 2]> {
        if let Keep::In(directory) | Keep::Of(directory) = keep
            && let Some(ids) = self.kept(tokenizer, directory)
        {
            return Ok(ids);
        }
        let Keep::In(directory) = keep else { return self.temporary(tokenizer) };
        fs::create_dir_all(directory).map_err(|error| Error::io("make", directory, &error))?;
        let identity = directory.join(KEPT[2]);
        // Or a kill between the parts would leave ids under another text's name.
        files::remove(&identity)?;
        files::sync_directory(&identity)?;
        let (ids, tokens) = self.written(tokenizer, directory)?;
        files::write_json(&identity, &self.identity(tokenizer, tokens))?;
        Ok(ids)
    }

    /// The ids that a directory keeps, if they are those of this text, and all of them.
    fn kept(&self, tokenizer: &Tokenizer, directory: &Path) -> Option<[BinFile; 2]> {
        let found: Identity = files::read_json(&directory.join(KEPT[2]), "").ok()?;
        if found != self.identity(tokenizer, found.tokens) {
            return None;
        }
        let ids = open(directory, tokenizer).ok()?;
        (ids.each_ref().map(BinFile::len) == found.tokens).then_some(ids)
    }

    fn identity(&self, tokenizer: &Tokenizer, tokens: [usize; 2]) -> Identity {
        Identity {
            text: self.fingerprint.to_string(),
            tokenizer: Fingerprint::of(tokenizer.to_json().to_string().as_bytes()).to_string(),
            validation_bytes: self.validation_bytes(),
            tokens,
        }
    }

    /// Ids in a directory of their own, which nobody else can enter, and which goes when they are no longer read.
    fn temporary(&self, tokenizer: &Tokenizer) -> Result<[BinFile; 2]> {
        let refused = |error| Error::io("write into", std::env::temp_dir(), &error);
        let directory = Arc::new(temporary_directory().map_err(refused)?);
        let (ids, _) = self.written(tokenizer, directory.path())?;
        Ok(ids.map(|file| file.temporary(&directory)))
    }

    /// Writes the ids into a directory and opens them; with how many there are.
    fn written(&self, tokenizer: &Tokenizer, directory: &Path) -> Result<([BinFile; 2], [usize; 2])> {
        let [train, validation] = paths_in(directory);
        let tokens = self.write(tokenizer, format(tokenizer), [&train, &validation])?;
        Ok((open(directory, tokenizer)?, tokens))
    }
}

fn paths_in(directory: &Path) -> [PathBuf; 2] {
    [directory.join(KEPT[0]), directory.join(KEPT[1])]
}

fn format(tokenizer: &Tokenizer) -> Format {
    Format::for_vocabulary(tokenizer.vocab_size())
}

fn open(directory: &Path, tokenizer: &Tokenizer) -> Result<[BinFile; 2]> {
    let open = |path: &Path| {
        let file = BinFile::open_as(path, format(tokenizer))?;
        file.check(tokenizer.vocab_size(), &mut Fingerprint::default())?;
        Ok(file)
    };
    let [train, validation] = paths_in(directory);
    Ok([open(&train)?, open(&validation)?])
}

fn temporary_directory() -> io::Result<TempDir> {
    let mut directory = tempfile::Builder::new();
    directory.prefix("transformer-");
    #[cfg(unix)]
    directory.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    directory.tempdir()
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
    kept.iter().try_for_each(|path| files::remove(path))
}

#[cfg(test)]
mod tests {
    use super::super::tests::ids;
    use super::*;
    use crate::data::tokenizer::TokenizerKind;

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

    #[test]
    fn kept_ids_that_were_cut_off_or_are_no_ids_of_the_tokenizer_are_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (path, kept) = (directory.path().join("text.txt"), directory.path().join("run"));
        fs::write(&path, "abc ".repeat(50)).unwrap();
        let (text, characters) =
            (LargeText::survey(&path).unwrap(), Tokenizer::for_text(TokenizerKind::Char, "abc "));
        let whole = text.dataset(&characters, 4, Keep::In(&kept)).unwrap();
        let whole = [ids(&whole.train), ids(&whole.validation)];
        for name in &KEPT[..2] {
            let bytes = fs::read(kept.join(name)).unwrap();
            let (cut_off, odd) = (&bytes[..bytes.len() - 2], &bytes[..bytes.len() - 1]);
            let other = [&[9, 0], &bytes[2..]].concat();
            for damaged in [cut_off, odd, &other, &[]] {
                fs::write(kept.join(name), damaged).unwrap();
                for keep in [Keep::Of(&kept), Keep::In(&kept)] {
                    let found = text.dataset(&characters, 4, keep).unwrap();
                    assert_eq!([ids(&found.train), ids(&found.validation)], whole, "{name}");
                }
                assert_eq!(fs::read(kept.join(name)).unwrap(), bytes, "{name}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn temporary_ids_lie_in_a_directory_that_is_ours_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (one, other) = (temporary_directory().unwrap(), temporary_directory().unwrap());
        assert_ne!(one.path(), other.path());
        assert_eq!(fs::metadata(one.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn temporary_ids_go_with_their_last_reader() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("text.txt");
        fs::write(&path, "abc ".repeat(50)).unwrap();
        let text = LargeText::survey(&path).unwrap();
        let dataset = text.dataset(&Tokenizer::Bytes, 4, Keep::Nowhere).unwrap();
        assert_eq!(ids(&dataset.train)[..3], *b"abc".map(usize::from).as_slice());
        let lay = dataset.train.path().unwrap().parent().unwrap().to_path_buf();
        drop(dataset);
        assert!(!lay.exists());
    }
}
