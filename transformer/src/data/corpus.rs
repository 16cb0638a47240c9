//! What `--data` names: a text, a text that is too large for the memory, or files of ids.

use super::bin::{BinFile, BinWriter, Format};
use super::dataset::Dataset;
use super::fingerprint::Fingerprint;
use super::large::{Keep, LARGE, LargeText};
use super::pieces::pieces;
use super::text::{TRAINING_SHARE, Text};
use super::tokenizer::{Choice, Tokenizer, TokenizerKind};
use super::tokens::Tokens;
use crate::error::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Something to train on.
#[derive(Debug, Clone, PartialEq)]
pub enum Corpus {
    /// A text in memory.
    Text(Text),
    /// A text that stays in its file.
    Large(LargeText),
    /// Files of ids.
    Ids(IdFiles),
}

/// Files of ids, and the tokenizer that lies beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct IdFiles {
    train: PathBuf,
    /// Without it, the last tenth of `train`.
    validation: Option<PathBuf>,
    tokenizer: Option<PathBuf>,
}

impl Corpus {
    /// Opens a file of text, a `.bin`, or a directory with a `train.bin` and a `val.bin`.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Corpus::Ids(IdFiles::of(only_train_bin(path)?)));
        }
        if path.extension().is_some_and(|extension| extension == "bin") {
            return Ok(Corpus::Ids(IdFiles::of(path.to_path_buf())));
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() && metadata.len() > LARGE => {
                Ok(Corpus::Large(LargeText::survey(path)?))
            }
            _ => Ok(Corpus::Text(Text::read(path)?)),
        }
    }

    /// Makes or reads the tokenizer that is asked for. Files of ids have one beside them, which is the default there.
    ///
    /// # Errors
    /// If its file cannot be read, or it is to be made of ids, which are no text.
    pub fn tokenizer(&self, choice: &Choice) -> Result<Tokenizer> {
        match (choice, self) {
            (Choice::File(path), _) => Tokenizer::load(path),
            (Choice::BuiltIn(TokenizerKind::Byte), _) => Ok(Tokenizer::Bytes),
            (Choice::BuiltIn(TokenizerKind::Char), Corpus::Ids(IdFiles { tokenizer: Some(path), .. })) => {
                Tokenizer::load(path)
            }
            (Choice::BuiltIn(kind), Corpus::Text(text)) => Ok(Tokenizer::for_text(*kind, text.content())),
            (Choice::BuiltIn(kind), Corpus::Large(text)) => {
                Ok(Tokenizer::for_characters(*kind, text.characters()))
            }
            (Choice::Bpe(n), Corpus::Text(text)) => {
                Tokenizer::train(*n, pieces(text.train()).map(|piece| Ok(piece.to_owned())))
            }
            (Choice::Bpe(n), Corpus::Large(text)) => Tokenizer::train(*n, text.train()?),
            (Choice::BuiltIn(_) | Choice::Bpe(_), Corpus::Ids(files)) => {
                Err(Error::new(format!("these are ids, of which no tokenizer `{choice}` can be made"))
                    .in_file(&files.train)
                    .at("--tokenizer")
                    .way_out(
                        "name the one that the ids were written with, --tokenizer FILE.json or byte; or train on the text \
                         itself, or on what `transformer prepare` makes of it",
                    ))
            }
        }
    }

    /// The corpus as ids: in memory, or in files of which `keep` says where those of a large text are.
    ///
    /// # Errors
    /// If the tokenizer does not know a character or an id, or is another one than that beside the ids; a part is too
    /// short, or a file cannot be read or written.
    pub fn dataset(&self, tokenizer: &Tokenizer, block_size: usize, keep: Keep) -> Result<Dataset> {
        match self {
            Corpus::Text(text) => Dataset::new(text, tokenizer, block_size),
            Corpus::Large(text) => text.dataset(tokenizer, block_size, keep),
            Corpus::Ids(files) => files.dataset(tokenizer, block_size),
        }
    }

    /// The first characters of the validation part.
    ///
    /// # Errors
    /// If a file can no longer be read.
    pub fn beginning(&self, characters: usize, tokenizer: &Tokenizer) -> Result<String> {
        let text = match self {
            Corpus::Text(text) => text.validation().to_owned(),
            Corpus::Large(text) => text.validation()?.next().transpose()?.unwrap_or_default(),
            Corpus::Ids(files) => {
                let validation = files.dataset(tokenizer, 1)?.validation;
                let mut ids = Vec::new();
                validation.copy(0, characters.min(validation.len()), &mut ids)?;
                tokenizer.decode(&ids)
            }
        };
        Ok(text.chars().take(characters).collect())
    }

    /// Checks that this is a text, and that there is something in both of its parts.
    ///
    /// # Errors
    /// If it is not.
    pub fn can_be_written(&self) -> Result<()> {
        match self {
            Corpus::Text(text) if text.train().is_empty() || text.validation().is_empty() => {
                Err(Error::new("this text is too short to have a part to train on and one for validation")
                    .in_file(text.name())
                    .way_out("take a longer text, of some thousand characters"))
            }
            Corpus::Text(_) | Corpus::Large(_) => Ok(()),
            Corpus::Ids(files) => Err(files.are_no_text()),
        }
    }

    /// Writes the ids of both parts into two files, in pieces. Returns how many there are in each.
    ///
    /// # Errors
    /// If the text has a character that the tokenizer does not know, or the files cannot be written.
    pub fn write(&self, tokenizer: &Tokenizer, format: Format, to: [&Path; 2]) -> Result<[usize; 2]> {
        let write = |text: &Text, part: &str, path: &Path| {
            let mut writer = BinWriter::create(path, format)?;
            for piece in pieces(part) {
                writer.write(&tokenizer.encode(piece).map_err(|error| error.in_file(text.name()))?)?;
            }
            writer.finish()
        };
        match self {
            Corpus::Text(text) => {
                Ok([write(text, text.train(), to[0])?, write(text, text.validation(), to[1])?])
            }
            Corpus::Large(text) => text.write(tokenizer, format, to),
            Corpus::Ids(files) => Err(files.are_no_text()),
        }
    }
}

impl IdFiles {
    fn are_no_text(&self) -> Error {
        Error::new("these are ids already, no text")
            .in_file(&self.train)
            .at("--data")
            .way_out("name the text that they were made of")
    }

    /// Checks that a tokenizer is the one that lies beside the ids, if one does.
    fn written_with(&self, tokenizer: &Tokenizer) -> Result<()> {
        match &self.tokenizer {
            Some(beside) if Tokenizer::load(beside)? != *tokenizer => {
                Err(Error::new("the ids were written with this tokenizer, and another one is used here")
                    .in_file(beside)
                    .way_out("leave out --tokenizer for a new run; for a model of another tokenizer name a text as --data, or its own ids"))
            }
            _ => Ok(()),
        }
    }

    /// `train.bin`, with the `val.bin` and the `tokenizer.json` that lie beside it.
    fn of(train: PathBuf) -> Self {
        let beside = |name: &str| Some(train.with_file_name(name)).filter(|path| path.is_file());
        let name = train.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let validation = if name.contains("train") { beside(&name.replace("train", "val")) } else { None };
        let tokenizer = beside("tokenizer.json");
        IdFiles { train, validation, tokenizer }
    }

    fn dataset(&self, tokenizer: &Tokenizer, block_size: usize) -> Result<Dataset> {
        self.written_with(tokenizer)?;
        let mut fingerprint = Fingerprint::default();
        let mut open = |path: &Path| -> Result<Tokens> {
            let file = BinFile::open(path)?;
            file.check(tokenizer.vocab_size(), &mut fingerprint)?;
            Ok(Tokens::in_file(file))
        };
        let train = open(&self.train)?;
        let (train, validation) = match &self.validation {
            Some(path) => (train, open(path)?),
            None => train.split_at((train.len() as f64 * TRAINING_SHARE) as usize),
        };
        let dataset = Dataset {
            name: self.train.display().to_string(),
            train,
            validation,
            floor: None,
            fingerprint: fingerprint.to_string(),
            validation_bytes: None,
        };
        dataset.long_enough(tokenizer.unit(), block_size)?;
        Ok(dataset)
    }
}

/// The one file of the directory that is called `train.bin`, or `…train.bin`.
fn only_train_bin(directory: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(directory).map_err(|error| Error::io("read", directory, &error))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("train.bin")))
        .collect();
    found.sort();
    match (found.pop(), found.len()) {
        (Some(path), 0) => Ok(path),
        (Some(_), others) => Err(Error::new(format!("this directory has {} files …train.bin", others + 1))
            .in_file(directory)
            .way_out("name one of them")),
        (None, _) => Err(Error::new("this is a directory without a train.bin").in_file(directory).way_out(
            "name a file of text, or let `transformer prepare` write a train.bin and a val.bin; to train on \
                 several texts, put them together with `cat`",
        )),
    }
}

#[cfg(test)]
mod tests;
