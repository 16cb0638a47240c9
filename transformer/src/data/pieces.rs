//! A text in pieces of about a megabyte, so that none needs to be held in memory, nor tokenized, as a whole.
//!
//! A piece ends before a space that follows a letter or a sign. That is where the patterns of GPT-2 and of Llama 3 begin a
//! new word anyway, so the ids of the pieces are the ids of the whole. (Where a megabyte has no such space, it ends before
//! other white space, or else before a character that is no accent.) A tokenizer that treats the beginning of a text
//! differently, such as one that puts a space before it, does so at the beginning of each piece.

use super::text::{binary, not_utf8};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use unicode_normalization::char::canonical_combining_class;

/// The longest piece, in bytes.
pub const PIECE: usize = 1 << 20;

/// Where the first piece of a text ends, of which these are the first bytes and more follow.
fn cut(text: &str) -> usize {
    let (mut white, mut after) = (None, None);
    for (i, character) in text.char_indices().rev() {
        if let Some((cut, space)) = after
            && !character.is_whitespace()
            && char::is_whitespace(space)
        {
            if space == ' ' {
                return cut;
            }
            white.get_or_insert(cut);
        }
        after = Some((i, character));
    }
    let no_accent = |&(i, character): &(usize, char)| i > 0 && canonical_combining_class(character) == 0;
    white.or_else(|| text.char_indices().rev().find(no_accent).map(|(i, _)| i)).unwrap_or(text.len())
}

/// The pieces of a text in memory.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    pieces_of(text, PIECE)
}

fn pieces_of(text: &str, longest: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end =
            if rest.len() <= longest { rest.len() } else { cut(&rest[..rest.floor_char_boundary(longest)]) };
        let (piece, others) = rest.split_at(end);
        rest = others;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The pieces of a part of a file of UTF-8 text.
pub struct FilePieces {
    path: PathBuf,
    file: File,
    /// What has been read and not given out, and how many bytes follow it.
    buffer: Vec<u8>,
    to_read: u64,
    /// Where the buffer begins.
    offset: u64,
    line: u64,
    longest: usize,
}

impl FilePieces {
    /// The pieces of these bytes of the file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path, part: Range<u64>) -> Result<Self> {
        let open = File::open(path).and_then(|mut file| file.seek(SeekFrom::Start(part.start)).map(|_| file));
        let file = open.map_err(|error| Error::io("read", path, &error))?;
        let to_read = part.end - part.start;
        let (path, buffer) = (path.to_path_buf(), Vec::new());
        Ok(FilePieces { path, file, buffer, to_read, offset: part.start, line: 1, longest: PIECE })
    }

    /// Where the next piece begins: its byte in the file, and its line in the part.
    pub fn place(&self) -> (u64, u64) {
        (self.offset, self.line)
    }

    fn fill(&mut self) -> Result<()> {
        let wanted = ((self.longest - self.buffer.len()) as u64).min(self.to_read);
        let read = self.file.by_ref().take(wanted).read_to_end(&mut self.buffer);
        let read = read.map_err(|error| Error::io("read", &self.path, &error))?;
        self.to_read -= read as u64;
        if read as u64 == wanted {
            return Ok(());
        }
        let what = "the file has become shorter since it was opened";
        Err(Error::new(what).in_file(&self.path).way_out("leave it as it is while it is read"))
    }

    fn next_piece(&mut self) -> Result<String> {
        let at =
            |error: Error, line, byte| error.in_file(&self.path).at(format!("line {line} (byte {byte})"));
        let whole_characters = match str::from_utf8(&self.buffer) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && self.to_read > 0 => {
                str::from_utf8(&self.buffer[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(error) => {
                let offset = error.valid_up_to();
                let line = self.line + newlines(&self.buffer[..offset]);
                return Err(at(not_utf8(&self.buffer, offset), line, self.offset + offset as u64));
            }
        };
        if let Some(offset) = whole_characters.find('\0') {
            let line = self.line + newlines(&self.buffer[..offset]);
            return Err(at(binary(&self.buffer, offset), line, self.offset + offset as u64));
        }
        let end = if self.to_read == 0 { whole_characters.len() } else { cut(whole_characters) };
        let piece = whole_characters[..end].to_owned();
        self.buffer.drain(..end);
        self.offset += end as u64;
        self.line += newlines(piece.as_bytes());
        Ok(piece)
    }
}

impl Iterator for FilePieces {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.fill() {
            Ok(()) if self.buffer.is_empty() => None,
            Ok(()) => Some(self.next_piece()),
            Err(error) => Some(Err(error)),
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn from_file(text: &[u8], longest: usize) -> Result<Vec<String>> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("text.txt");
        std::fs::write(&path, text).unwrap();
        let mut pieces = FilePieces::open(&path, 0..text.len() as u64)?;
        pieces.longest = longest;
        pieces.collect()
    }

    proptest! {
        #[test]
        fn the_pieces_put_together_are_the_text_and_those_of_a_file_are_those_in_memory(
            text in "([a-z가-힣é]{1,5}|[ \n.\u{301}]){0,60}", longest in 4..40usize,
        ) {
            let text = text.replace('\0', "");
            let pieces: Vec<&str> = pieces_of(&text, longest).collect();
            prop_assert_eq!(pieces.concat(), &*text);
            prop_assert!(pieces.iter().all(|piece| piece.len() <= longest));
            prop_assert_eq!(from_file(text.as_bytes(), longest).unwrap(), pieces);
        }
    }

    #[test]
    fn a_piece_ends_before_a_space_after_a_word_or_else_where_no_accent_is_torn_off() {
        let found = |text| pieces_of(text, 12).collect::<Vec<_>>();
        assert_eq!(found("the quick brown fox"), ["the quick", " brown fox"]);
        assert_eq!(found("one.\n  twothree"), ["one.", "\n  twothree"]);
        assert_eq!(found("aaaaaaaaaae\u{301}\u{302}bbbb"), ["aaaaaaaaaa", "e\u{301}\u{302}bbbb"]);
    }

    #[test]
    fn a_byte_that_is_no_text_is_found_in_the_piece_where_it_is() {
        let mut text = b"word \n".repeat(20);
        text[70] = 0xff;
        let message = from_file(&text, 16).unwrap_err().to_string();
        assert!(message.contains("text.txt, line 12 (byte 70): the byte 0xff is not UTF-8"), "{message}");
        text[70] = 0;
        let message = from_file(&text, 16).unwrap_err().to_string();
        assert!(message.contains("text.txt, line 12 (byte 70): this is a binary file"), "{message}");
        assert!(from_file("한".as_bytes().split_at(2).0, 16).is_err(), "half a character at the end");
    }
}
