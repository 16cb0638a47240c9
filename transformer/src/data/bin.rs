//! Files of token ids: nanoGPT's `.bin`, and llm.c's with a header.
//!
//! | written by | header | ids |
//! |---|---|---|
//! | nanoGPT, `data/*/prepare.py` | none | uint16 |
//! | llm.c, for GPT-2 | 256 int32: the magic number 20240520, version 1, the number of ids, zeros | uint16 |
//! | llm.c, for Llama 3 | 256 int32: 20240801, version 7, the number of ids, zeros | uint32 |
//!
//! All numbers are little-endian. A file is read by position, a window at a time: the operating system keeps in its cache
//! what is read often, and this process needs no memory for it. (A memory map would save a call for each window, and end
//! the program with a signal when the file shrinks; here that is an error like any other.)
//!
//! Reference: <https://github.com/karpathy/nanoGPT>, <https://github.com/karpathy/llm.c> (`dev/data/data_common.py`).

mod write;

pub use write::BinWriter;

use super::fingerprint::Fingerprint;
use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;

/// How ids are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// uint16 without a header: nanoGPT's
    #[default]
    Nanogpt,
    /// A header and uint16: llm.c's for GPT-2
    Gpt2,
    /// A header and uint32: llm.c's for Llama 3
    Llama3,
}

/// The length of llm.c's header in bytes: 256 int32.
pub(super) const HEADER: usize = 1024;

impl Format {
    /// The number of bytes of an id.
    pub fn width(self) -> usize {
        match self {
            Format::Nanogpt | Format::Gpt2 => 2,
            Format::Llama3 => 4,
        }
    }

    /// The magic number and the version that a file begins with.
    pub(super) fn magic(self) -> Option<[i32; 2]> {
        match self {
            Format::Nanogpt => None,
            Format::Gpt2 => Some([20_240_520, 1]),
            Format::Llama3 => Some([20_240_801, 7]),
        }
    }

    /// Where the ids begin.
    pub(super) fn start(self) -> usize {
        if self.magic().is_some() { HEADER } else { 0 }
    }

    /// The format whose ids a vocabulary of this size fits into, the smallest one.
    pub fn for_vocabulary(vocab_size: usize) -> Self {
        if vocab_size <= 1 << 16 { Format::Nanogpt } else { Format::Llama3 }
    }
}

/// A file of ids that is read by position.
#[derive(Debug)]
pub struct BinFile {
    path: PathBuf,
    file: Mutex<File>,
    format: Format,
    length: usize,
    /// The directory that goes with the last reader of its files, and after them.
    _temporary: Option<Arc<TempDir>>,
}

impl BinFile {
    /// Opens a file, and finds out which of the formats it has.
    ///
    /// # Errors
    /// If it cannot be read, is empty or cut off, or has a header of another kind.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_by(path, format_of)
    }

    /// Opens a file that was written in a format: without a header, whatever ids it begins with are ids.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn open_as(path: &Path, format: Format) -> Result<Self> {
        match format.magic() {
            None => Self::open_by(path, |_, _| Ok(format)),
            Some(_) => Self::open(path),
        }
    }

    /// Opens a file whose format is told by its first bytes and its size.
    fn open_by(path: &Path, format: impl FnOnce(&[u8], usize) -> Result<Format>) -> Result<Self> {
        let refused = |error| Error::io("read", path, &error);
        let metadata = fs::metadata(path).map_err(refused)?;
        if !metadata.is_file() {
            return Err(Error::new("this is no file of token ids")
                .in_file(path)
                .way_out("name a train.bin, or its directory"));
        }
        let size = metadata.len() as usize;
        let mut file = File::open(path).map_err(refused)?;
        let mut header = Vec::new();
        file.by_ref().take(HEADER as u64).read_to_end(&mut header).map_err(refused)?;
        let format = format(&header, size).map_err(|error| error.in_file(path))?;
        let (body, width) = (size - format.start(), format.width());
        let wrong = |what: String| {
            Error::new(what)
                .in_file(path)
                .way_out("write the file anew, for example by `transformer prepare`")
        };
        if body == 0 {
            return Err(wrong("there are no ids in this file".into()));
        }
        if body % width != 0 {
            return Err(wrong(format!(
                "{body} bytes of ids are no whole number of ids of {width} bytes: the file is cut off, or is no file \
                 of uint{}",
                8 * width
            ))
            .at(format!("byte {}", size - body % width)));
        }
        let length = body / width;
        if format.magic().is_some() {
            let promised = int32(&header, 2);
            if promised != length as i64 {
                return Err(wrong(format!(
                    "the header promises {promised} ids, but {length} follow it: the file is cut off, or too long"
                ))
                .at("header, int32 number 2"));
            }
        }
        Ok(BinFile { path: path.to_path_buf(), file: Mutex::new(file), format, length, _temporary: None })
    }

    /// The same, for a file that is to go when it is no longer read. On Unix the directory may go now, and with it the
    /// file's name; its bytes go with the process, however that ends.
    pub(super) fn temporary(self, directory: &Arc<TempDir>) -> Self {
        BinFile { _temporary: (!cfg!(unix)).then(|| Arc::clone(directory)), ..self }
    }

    /// The number of ids.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends the `length` ids from position `start` on to `ids`.
    ///
    /// # Errors
    /// If the file has become shorter, or cannot be read any more.
    ///
    /// # Panics
    /// If the file had fewer ids when it was opened.
    #[track_caller]
    pub fn read(&self, start: usize, length: usize, ids: &mut Vec<usize>) -> Result<()> {
        assert!(start + length <= self.length, "{} ids end before {start} + {length}", self.length);
        let width = self.format.width();
        let mut bytes = vec![0; length * width];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start((self.format.start() + start * width) as u64))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(|error| self.gone(&error))?;
        }
        ids.extend(self.numbers(&bytes));
        Ok(())
    }

    /// Reads all ids once and checks that each is below `vocab_size`; adds them to a fingerprint.
    ///
    /// # Errors
    /// If one is not, or the file cannot be read.
    pub fn check(&self, vocab_size: usize, fingerprint: &mut Fingerprint) -> Result<()> {
        let (width, mut seen) = (self.format.width(), 0);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let start = SeekFrom::Start(self.format.start() as u64);
        file.seek(start).map_err(|error| self.gone(&error))?;
        let mut bytes = vec![0; 1 << 20];
        while seen < self.length {
            let now = (bytes.len() / width).min(self.length - seen);
            let bytes = &mut bytes[..now * width];
            file.read_exact(bytes).map_err(|error| self.gone(&error))?;
            fingerprint.add(bytes);
            if let Some((i, id)) = self.numbers(bytes).enumerate().find(|&(_, id)| id >= vocab_size) {
                return Err(Error::new(format!(
                    "the id {id} is not below {vocab_size}, the number of tokens of the tokenizer"
                ))
                .in_file(&self.path)
                .at(format!("id number {} (byte {})", seen + i, self.format.start() + (seen + i) * width))
                .way_out(
                    "the file was written with another tokenizer: train with that one, by `train --tokenizer FILE.json`, or \
                     take ids that this one has written",
                ));
            }
            seen += now;
        }
        Ok(())
    }

    fn numbers<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = usize> + use<'b> {
        let number =
            |bytes: &[u8]| bytes.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte));
        bytes.chunks_exact(self.format.width()).map(number)
    }

    fn gone(&self, error: &std::io::Error) -> Error {
        match error.kind() {
            ErrorKind::UnexpectedEof => Error::new("the file has become shorter since it was opened")
                .in_file(&self.path)
                .way_out("leave it as it is while it is read"),
            _ => Error::io("read", &self.path, error),
        }
    }
}

impl PartialEq for BinFile {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, self.format, self.length) == (&other.path, other.format, other.length)
    }
}

/// Number `i` of a header.
fn int32(header: &[u8], i: usize) -> i64 {
    let bytes = header.iter().skip(4 * i).take(4).rev();
    i64::from(bytes.fold(0u32, |number, &byte| number << 8 | u32::from(byte)).cast_signed())
}

/// The format of a file of `size` bytes that begins with these.
fn format_of(header: &[u8], size: usize) -> Result<Format> {
    let (magic, version) = (int32(header, 0), int32(header, 1));
    let wrong = |what: String, place: &str| {
        Err(Error::new(what).at(place).way_out(
            "llm.c's files begin with 20240520, 1 (GPT-2) or 20240801, 7 (Llama 3), nanoGPT's with the first id; \
             `transformer prepare` writes each of them",
        ))
    };
    for format in [Format::Gpt2, Format::Llama3] {
        let Some([its_magic, its_version]) = format.magic() else { continue };
        if magic == i64::from(its_magic) {
            return match version == i64::from(its_version) {
                _ if header.len() < HEADER => wrong("the header of 1024 bytes is cut off".into(), "header"),
                true => Ok(format),
                false => wrong(
                    format!("version {version} of this format cannot be read; version {its_version} can"),
                    "header, int32 number 1",
                ),
            };
        }
    }
    // Zeros after a third number that says how many ids follow: a header, of something else. (Zeros alone may be ids: those
    // of as many line feeds.)
    let zeros = header.len() == HEADER && header[12..].iter().all(|&byte| byte == 0);
    let promised = int32(header, 2);
    if zeros && promised > 0 && [2, 4].map(|width| ((size - HEADER) / width) as i64).contains(&promised) {
        return wrong(format!("the magic number {magic} is not one of llm.c's"), "header, int32 number 0");
    }
    Ok(Format::Nanogpt)
}

#[cfg(test)]
mod tests;
