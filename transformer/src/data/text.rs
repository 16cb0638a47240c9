//! A text to learn from: read from a file, or made by a generator, and split into a part to train on and a part that
//! is never trained on.

use crate::error::{Error, Result, line_and_column};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The share of a file's characters that is trained on; the rest is for validation. (nanoGPT's split.)
pub const TRAINING_SHARE: f64 = 0.9;

/// A text in two parts, and what is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    name: String,
    content: String,
    split: usize,
    floor: Option<f64>,
}

impl Text {
    /// A text whose first ⌊0.9 · characters⌋ are for training and the rest for validation.
    pub fn new(name: impl Into<String>, content: String) -> Self {
        let trained_on = (content.chars().count() as f64 * TRAINING_SHARE) as usize;
        let split = content.char_indices().nth(trained_on).map_or(content.len(), |(offset, _)| offset);
        Text { name: name.into(), content, split, floor: None }
    }

    /// A text whose two parts are given, such as two runs of a generator.
    pub fn in_parts(name: impl Into<String>, train: &str, validation: &str) -> Self {
        Text { name: name.into(), content: [train, validation].concat(), split: train.len(), floor: None }
    }

    /// Notes the loss that no model can go below on average: the text's entropy, in nats per character.
    #[must_use]
    pub fn with_floor(mut self, floor: f64) -> Self {
        self.floor = Some(floor);
        self
    }

    /// Reads a file of UTF-8 text.
    ///
    /// # Errors
    /// If the file is missing, a directory or a device, empty, binary, or not UTF-8; the message names the place.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = read_bytes(path)?;
        let content = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            not_utf8(error.as_bytes(), offset).in_file(path)
        })?;
        if let Some(offset) = content.find('\0') {
            return Err(binary(content.as_bytes(), offset).in_file(path));
        }
        if content.is_empty() {
            return Err(empty().in_file(path));
        }
        Ok(Text::new(path.display().to_string(), content))
    }

    /// What the text is called: its file's path, or its generator's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All of the text.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// The part that is trained on.
    pub fn train(&self) -> &str {
        &self.content[..self.split]
    }

    /// The part that is never trained on.
    pub fn validation(&self) -> &str {
        &self.content[self.split..]
    }

    /// The entropy of the text in nats per character, where it is known.
    pub fn floor(&self) -> Option<f64> {
        self.floor
    }
}

/// Reads a regular file or a pipe; a device such as /dev/zero has no end.
fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let refused = |error| Error::io("read", path, &error);
    let metadata = fs::metadata(path).map_err(refused)?;
    if metadata.is_dir() {
        return Err(Error::new("this is a directory, not a file of text")
            .in_file(path)
            .way_out("name a file in it; to train on several, put them together with `cat`"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if metadata.file_type().is_char_device() || metadata.file_type().is_block_device() {
            return Err(Error::new("this is a device, not a file of text")
                .in_file(path)
                .way_out("name a file"));
        }
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(refused)?;
    Ok(bytes)
}

fn place(bytes: &[u8], offset: usize) -> String {
    let (line, column) = line_and_column(bytes, offset);
    format!("line {line}, character {column} (byte {offset})")
}

pub(super) fn empty() -> Error {
    Error::new("the file is empty").way_out("name a file that has some text in it")
}

pub(super) fn binary(bytes: &[u8], offset: usize) -> Error {
    Error::new("this is a binary file: it has a byte 0, which no text has")
        .at(place(bytes, offset))
        .way_out("name a file of plain text; documents must be converted to text first")
}

pub(super) fn not_utf8(bytes: &[u8], offset: usize) -> Error {
    let starts_as_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    if !starts_as_utf16 && let Some(zero) = bytes.iter().position(|&byte| byte == 0) {
        return binary(bytes, zero);
    }
    let encoding = if starts_as_utf16 { "UTF-16" } else { "LATIN1" };
    Error::new(format!("the byte 0x{:02x} is not UTF-8 text", bytes[offset]))
        .at(place(bytes, offset))
        .way_out(format!("convert the file, for example: iconv -f {encoding} -t UTF-8 OLD > NEW"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Text> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("corpus.txt");
        fs::write(&path, bytes).unwrap();
        Text::read(&path)
    }

    fn error(bytes: &[u8]) -> String {
        let message = read(bytes).unwrap_err().to_string();
        assert!(message.contains("corpus.txt") && message.contains("way out: "), "{message}");
        message
    }

    #[test]
    fn nine_tenths_of_the_characters_are_trained_on() {
        let text = read("한글 십구자: 0123456789!".as_bytes()).unwrap();
        assert_eq!(text.content().chars().count(), 19);
        assert_eq!(text.train().chars().count(), 17); // ⌊0.9 · 19⌋ = ⌊17.1⌋
        assert_eq!(text.validation(), "9!");
    }

    #[test]
    fn the_two_parts_of_a_generated_text_stay_apart() {
        let text = Text::in_parts("stories", "abc", "de").with_floor(0.7);
        assert_eq!((text.train(), text.validation(), text.content()), ("abc", "de", "abcde"));
        assert_eq!(text.floor(), Some(0.7));
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = Text::read(Path::new("no/such.txt")).unwrap_err().to_string();
        assert!(message.contains("no/such.txt: cannot read this: there is no such file"), "{message}");
        assert!(message.contains("way out: "), "{message}");
    }

    #[test]
    fn an_empty_file_is_refused() {
        assert!(error(b"").contains("the file is empty"));
    }

    #[test]
    fn a_binary_file_is_refused_at_its_first_zero_byte() {
        assert!(error(b"ab\nc\0d").contains("line 2, character 2 (byte 4): this is a binary file"));
        assert!(error(b"\x7fELF\x02\x01\xff\0\xfe").contains("(byte 7): this is a binary file"));
    }

    #[test]
    fn a_file_in_another_encoding_is_refused_at_the_first_byte_that_is_not_utf_8() {
        let message = error(b"one\ntwo caf\xe9\n");
        assert!(message.contains("line 2, character 8 (byte 11): the byte 0xe9 is not UTF-8"), "{message}");
        assert!(message.contains("iconv -f LATIN1"), "{message}");
        assert!(error(b"\xff\xfea\0b\0").contains("iconv -f UTF-16"));
    }

    #[test]
    fn a_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let message = Text::read(directory.path()).unwrap_err().to_string();
        assert!(message.contains("this is a directory"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn an_endless_device_is_refused() {
        let message = Text::read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(message.contains("/dev/zero: this is a device"), "{message}");
    }
}
