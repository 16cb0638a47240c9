//! Text becomes whole numbers and comes back: `encode` and `decode`.
//!
//! A tokenizer is a bijection between texts and sequences of ids in `0..vocab_size` (for bytes: onto the sequences
//! that are valid UTF-8). Two are built in: one id per Unicode character of the training text, and one per byte.
//! Both are saved as `tokenizer.json` in the format of Hugging Face's `tokenizers` (see [`json`]).

mod characters;
pub mod json;
mod stream;

pub use characters::Characters;
pub use stream::TextStream;

use crate::error::Result;

/// What turns text into ids and ids into text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokenizer {
    /// One id for each different character of the training text.
    Characters(Characters),
    /// One id for each of the 256 bytes; every text in UTF-8 can be written in them.
    Bytes,
}

/// Which tokenizer to make for a text: the values of `--tokenizer`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum TokenizerKind {
    /// One id for each different character of the text.
    #[default]
    Char,
    /// One id for each byte.
    Byte,
}

impl Tokenizer {
    /// Makes the tokenizer of the given kind for `text`.
    pub fn for_text(kind: TokenizerKind, text: &str) -> Self {
        match kind {
            TokenizerKind::Char => Tokenizer::Characters(Characters::of(text.chars())),
            TokenizerKind::Byte => Tokenizer::Bytes,
        }
    }

    /// Which kind it is.
    pub fn kind(&self) -> TokenizerKind {
        match self {
            Tokenizer::Characters(_) => TokenizerKind::Char,
            Tokenizer::Bytes => TokenizerKind::Byte,
        }
    }

    /// The number of different ids: each id is below it.
    pub fn vocab_size(&self) -> usize {
        match self {
            Tokenizer::Characters(characters) => characters.len(),
            Tokenizer::Bytes => 256,
        }
    }

    /// What one token is called: `"character"` or `"byte"`.
    pub fn unit(&self) -> &'static str {
        match self {
            Tokenizer::Characters(_) => "character",
            Tokenizer::Bytes => "byte",
        }
    }

    /// Text → ids.
    ///
    /// # Errors
    /// If the text has characters that the tokenizer does not know: each is named, with the place where it is first.
    pub fn encode(&self, text: &str) -> Result<Vec<usize>> {
        match self {
            Tokenizer::Characters(characters) => characters.encode(text),
            Tokenizer::Bytes => Ok(text.bytes().map(usize::from).collect()),
        }
    }

    /// Ids → text. Bytes that are not UTF-8, as a model may well sample them, become U+FFFD (�).
    ///
    /// # Panics
    /// If an id is not below [`vocab_size`](Self::vocab_size).
    #[track_caller]
    pub fn decode(&self, ids: &[usize]) -> String {
        let mut stream = self.stream();
        let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
        text.push_str(&stream.finish());
        text
    }

    /// Ids → text, one id at a time, for printing while sampling.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream::new(self)
    }

    /// The text of one id on its own: a character, or a byte (shown as `\xff` where it is not ASCII).
    ///
    /// # Panics
    /// If the id is not below [`vocab_size`](Self::vocab_size).
    #[track_caller]
    pub fn token(&self, id: usize) -> String {
        assert!(id < self.vocab_size(), "id {id} is not below the vocabulary's size {}", self.vocab_size());
        match self {
            Tokenizer::Characters(characters) => characters.character(id).to_string(),
            Tokenizer::Bytes if id < 128 => char::from(id as u8).to_string(),
            Tokenizer::Bytes => format!("\\x{id:02x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn characters_give_back_any_text(text in any::<String>()) {
            let tokenizer = Tokenizer::for_text(TokenizerKind::Char, &text);
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert_eq!(ids.len(), text.chars().count());
            prop_assert!(ids.iter().all(|&id| id < tokenizer.vocab_size()));
            prop_assert_eq!(tokenizer.decode(&ids), text);
        }

        #[test]
        fn bytes_give_back_any_text(text in any::<String>()) {
            let ids = Tokenizer::Bytes.encode(&text).unwrap();
            prop_assert_eq!(ids.len(), text.len());
            prop_assert_eq!(Tokenizer::Bytes.decode(&ids), text);
        }

        #[test]
        fn sampled_bytes_decode_as_utf_8_does_lossily(bytes in any::<Vec<u8>>()) {
            let ids: Vec<usize> = bytes.iter().copied().map(usize::from).collect();
            prop_assert_eq!(Tokenizer::Bytes.decode(&ids), String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn a_token_can_be_shown_on_its_own() {
        assert_eq!(Tokenizer::Bytes.token(usize::from(b'a')), "a");
        assert_eq!(Tokenizer::Bytes.token(0xed), "\\xed");
        assert_eq!(Tokenizer::for_text(TokenizerKind::Char, "나가").token(1), "나");
    }
}
