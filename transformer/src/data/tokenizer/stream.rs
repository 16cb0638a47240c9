//! Ids → text as they come, one at a time, without ever printing half a character.
//!
//! A character of UTF-8 has one to four bytes, so a byte tokenizer completes a character only now and then. The bytes
//! of an unfinished one are held back; bytes that can no longer become a character turn into U+FFFD (�). Whatever the
//! ids, the pieces put together equal the lossy decoding of all bytes at once. In the same way letters are held back as
//! long as the next one may still join them, as jamo do in a syllable.

use super::{Tokenizer, jamo};

/// The text of a sequence of ids, piece by piece.
pub struct TextStream<'t> {
    tokenizer: &'t Tokenizer,
    unfinished: Vec<u8>,
    letters: String,
    window: Window,
}

/// The last ids, where the text of one depends on those before it.
#[derive(Default)]
struct Window {
    ids: Vec<usize>,
    /// How many of them have been written.
    written: usize,
}

impl<'t> TextStream<'t> {
    pub(super) fn new(tokenizer: &'t Tokenizer) -> Self {
        TextStream { tokenizer, unfinished: Vec::new(), letters: String::new(), window: Window::default() }
    }

    /// Takes one more id and returns the text that it completes (nothing, in the middle of a character).
    ///
    /// # Panics
    /// If the id is not below the tokenizer's `vocab_size`.
    #[track_caller]
    pub fn push(&mut self, id: usize) -> String {
        let vocab_size = self.tokenizer.vocab_size();
        assert!(id < vocab_size, "id {id} is not below the vocabulary's size {vocab_size}");
        match self.tokenizer {
            Tokenizer::Characters(characters) => characters.character(id).to_string(),
            Tokenizer::Bytes => {
                self.unfinished.push(id as u8);
                self.take_finished()
            }
            Tokenizer::Jamo(letters) => {
                let letter = letters.character(id);
                let finished =
                    if jamo::begins_anew(letter) { std::mem::take(&mut self.letters) } else { String::new() };
                self.letters.push(letter);
                jamo::compose(&finished)
            }
            Tokenizer::Subword(subword) => match subword.bytes(id) {
                Some(bytes) => {
                    self.unfinished.extend(bytes);
                    self.take_finished()
                }
                None => {
                    self.window.ids.push(id);
                    self.window.take_finished(self.tokenizer)
                }
            },
        }
    }

    /// The end of the sequence: a character that was never finished becomes U+FFFD.
    pub fn finish(&mut self) -> String {
        let mut rest = String::from_utf8_lossy(&self.unfinished).into_owned();
        self.unfinished.clear();
        rest.push_str(&jamo::compose(&std::mem::take(&mut self.letters)));
        let window = std::mem::take(&mut self.window);
        if window.written < window.ids.len() {
            rest.push_str(&window.unwritten(self.tokenizer));
        }
        rest
    }

    /// Takes all that is finished off the front of the bytes held back.
    fn take_finished(&mut self) -> String {
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.unfinished) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.unfinished.clear();
                    return text;
                }
                Err(error) => {
                    let valid = self.unfinished.drain(..error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(&valid.collect::<Vec<u8>>()));
                    let Some(wrong) = error.error_len() else { return text };
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.unfinished.drain(..wrong);
                }
            }
        }
    }
}

impl Window {
    /// The text of the ids that have not been written: what all of them have beyond those that have been.
    fn unwritten(&self, tokenizer: &Tokenizer) -> String {
        let (before, all) = (tokenizer.decode(&self.ids[..self.written]), tokenizer.decode(&self.ids));
        all.get(before.len()..).unwrap_or_default().to_owned()
    }

    /// Takes the text as soon as it ends in a whole character; the ids of the last one stay, as the past of the next.
    fn take_finished(&mut self, tokenizer: &Tokenizer) -> String {
        let text = self.unwritten(tokenizer);
        if text.is_empty() || text.ends_with(char::REPLACEMENT_CHARACTER) {
            return String::new();
        }
        self.ids.drain(..self.written);
        self.written = self.ids.len();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_appears_with_its_last_byte() {
        let mut stream = Tokenizer::Bytes.stream();
        let pieces: Vec<String> = "a한b".bytes().map(|byte| stream.push(usize::from(byte))).collect();
        assert_eq!(pieces, ["a", "", "", "한", "b"]);
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn a_broken_character_becomes_a_replacement_and_the_text_goes_on() {
        let mut stream = Tokenizer::Bytes.stream();
        let pieces: Vec<String> =
            [0xed, b'x', 0xff, 0xed].iter().map(|&byte| stream.push(byte as usize)).collect();
        assert_eq!(pieces, ["", "\u{fffd}x", "\u{fffd}", ""]);
        assert_eq!(stream.finish(), "\u{fffd}");
    }

    #[test]
    #[should_panic(expected = "id 256 is not below the vocabulary's size 256")]
    fn an_id_outside_the_vocabulary_is_a_programming_error() {
        Tokenizer::Bytes.stream().push(256);
    }
}
