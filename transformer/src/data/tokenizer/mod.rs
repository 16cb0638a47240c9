//! Text becomes whole numbers and comes back: `encode` and `decode`.
//!
//! A tokenizer is a bijection between texts and sequences of ids in `0..vocab_size` (for bytes: onto the sequences
//! that are valid UTF-8; for jamo: between texts in NFC and decomposed ones). Three are built in: one id per Unicode
//! character of the training text, one per byte, and one per letter of a decomposed text. With the feature
//! `tokenizers` there are byte-pair encoding and any other tokenizer of Hugging Face.
//! All are saved as `tokenizer.json` in the format of Hugging Face's `tokenizers` (see [`json`]).

mod characters;
mod choice;
mod jamo;
pub mod json;
mod stream;
#[cfg(feature = "tokenizers")]
mod subword;
#[cfg(not(feature = "tokenizers"))]
#[path = "subword_missing.rs"]
mod subword;

pub use characters::Characters;
pub use choice::{BPE, Choice};
pub use stream::TextStream;
pub use subword::Subword;

use super::fingerprint::Fingerprint;
use crate::error::Result;

/// What turns text into ids and ids into text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokenizer {
    /// One id for each different character of the training text.
    Characters(Characters),
    /// One id for each of the 256 bytes; every text in UTF-8 can be written in them.
    Bytes,
    /// One id for each different character of the decomposed training text: Hangul by jamo.
    Jamo(Characters),
    /// Pieces of words, by the crate `tokenizers`.
    Subword(Box<Subword>),
}

/// The tokenizers that are built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum TokenizerKind {
    /// One id for each different character of the text.
    #[default]
    Char,
    /// One id for each byte.
    Byte,
    /// One id for each letter of the decomposed text: Hangul by jamo.
    Jamo,
}

impl Tokenizer {
    /// Makes the tokenizer of the given kind for `text`.
    pub fn for_text(kind: TokenizerKind, text: &str) -> Self {
        match kind {
            TokenizerKind::Char => Tokenizer::Characters(Characters::of(text.chars())),
            TokenizerKind::Byte => Tokenizer::Bytes,
            TokenizerKind::Jamo => Tokenizer::Jamo(Characters::of(jamo::decompose(text.chars()))),
        }
    }

    /// Makes the tokenizer of the given kind for a text with these characters.
    pub fn for_characters(kind: TokenizerKind, characters: &[char]) -> Self {
        // Each decomposed by itself: together an accent would change places with the next one.
        let decomposed =
            || characters.iter().flat_map(|&character| jamo::decompose(std::iter::once(character)));
        match kind {
            TokenizerKind::Char => Tokenizer::Characters(Characters::of(characters.iter().copied())),
            TokenizerKind::Byte => Tokenizer::Bytes,
            TokenizerKind::Jamo => Tokenizer::Jamo(Characters::of(decomposed())),
        }
    }

    /// Learns byte-pair encoding with `n` tokens from the pieces of a text; fewer, if it has not so many pairs.
    ///
    /// # Errors
    /// That of the first piece that is one; or if this program was built without the feature `tokenizers`.
    pub fn train(n: usize, text: impl Iterator<Item = Result<String>> + Send) -> Result<Self> {
        Subword::train(n, text).map(|subword| Tokenizer::Subword(Box::new(subword)))
    }

    /// The number of different ids: each id is below it.
    pub fn vocab_size(&self) -> usize {
        match self {
            Tokenizer::Characters(characters) | Tokenizer::Jamo(characters) => characters.len(),
            Tokenizer::Bytes => 256,
            Tokenizer::Subword(subword) => subword.vocab_size(),
        }
    }

    /// A hash of what each id stands for: two tokenizers with the same one read and write the same.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = Fingerprint::of(self.unit().as_bytes());
        for id in 0..self.vocab_size() {
            fingerprint.add(self.token(id).as_bytes());
            fingerprint.add(&[0]);
        }
        fingerprint
    }

    /// What one token is called: `"character"`, `"byte"`, `"letter"` or `"token"`.
    pub fn unit(&self) -> &'static str {
        match self {
            Tokenizer::Characters(_) => "character",
            Tokenizer::Bytes => "byte",
            Tokenizer::Jamo(_) => "letter",
            Tokenizer::Subword(_) => "token",
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
            Tokenizer::Jamo(letters) => letters.encode(&jamo::decompose(text.chars()).collect::<String>()),
            Tokenizer::Subword(subword) => subword.encode(text),
        }
    }

    /// Ids → text. Bytes that are not UTF-8, as a model may well sample them, become U+FFFD (�).
    ///
    /// # Panics
    /// If an id is not below [`vocab_size`](Self::vocab_size).
    #[track_caller]
    pub fn decode(&self, ids: &[usize]) -> String {
        if let Tokenizer::Subword(subword) = self
            && ids.iter().any(|&id| subword.bytes(id).is_none())
        {
            return subword.decode(ids);
        }
        let mut stream = self.stream();
        let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
        text.push_str(&stream.finish());
        text
    }

    /// The length in bytes of the text that the ids stand for.
    ///
    /// # Panics
    /// If an id is not below [`vocab_size`](Self::vocab_size).
    #[track_caller]
    pub fn bytes_of(&self, ids: &[usize]) -> usize {
        match self {
            Tokenizer::Bytes => ids.len(),
            Tokenizer::Subword(subword) => {
                let bytes: Option<usize> = ids.iter().map(|&id| subword.bytes(id).map(<[u8]>::len)).sum();
                bytes.unwrap_or_else(|| subword.decode(ids).len())
            }
            _ => self.decode(ids).len(),
        }
    }

    /// Ids → text, one id at a time, for printing while sampling.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream::new(self)
    }

    /// The text of one id on its own: a character, a byte (shown as `\xff` where it is not ASCII), a piece of a word.
    ///
    /// # Panics
    /// If the id is not below [`vocab_size`](Self::vocab_size).
    #[track_caller]
    pub fn token(&self, id: usize) -> String {
        assert!(id < self.vocab_size(), "id {id} is not below the vocabulary's size {}", self.vocab_size());
        match self {
            Tokenizer::Characters(characters) | Tokenizer::Jamo(characters) => {
                characters.character(id).to_string()
            }
            Tokenizer::Subword(subword) => subword.token(id),
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
