//! A text as ids: what the trainer draws its batches from.

pub use super::tokens::Tokens;

use super::fingerprint::Fingerprint;
use super::text::Text;
use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};

/// A text, split and turned into ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// What the text is called: its file's path, or its generator's name.
    pub name: String,
    /// The ids to train on.
    pub train: Tokens,
    /// The ids that are never trained on.
    pub validation: Tokens,
    /// The entropy of the text in nats per token, where it is known: no model's mean loss goes below it.
    pub floor: Option<f64>,
    /// A hash of the text, by which a resumed run recognises it.
    pub fingerprint: String,
    /// The length of the validation part in bytes of UTF-8, where there is a text.
    pub validation_bytes: Option<u64>,
}

/// How many ids are decoded at a time to count their bytes.
const DECODED: usize = 1 << 16;

impl Dataset {
    /// Encodes both parts of a text, of which each must give at least one window of `block_size + 1` ids.
    ///
    /// # Errors
    /// If the tokenizer does not know a character of the text, or a part is too short.
    pub fn new(text: &Text, tokenizer: &Tokenizer, block_size: usize) -> Result<Self> {
        let encode = |part: &str| {
            // The places in the message must be those of the whole text, not of one part.
            let whole = |error| tokenizer.encode(text.content()).err().unwrap_or(error);
            tokenizer
                .encode(part)
                .map(|ids| Tokens::new(&ids))
                .map_err(|error| whole(error).in_file(text.name()))
        };
        let mut dataset = Dataset {
            name: text.name().to_string(),
            train: encode(text.train())?,
            validation: encode(text.validation())?,
            floor: text.floor(),
            fingerprint: Fingerprint::of(text.content().as_bytes()).to_string(),
            validation_bytes: Some(text.validation().len() as u64),
        };
        // The floor of the text is one for each of its characters.
        let characters = text.validation().chars().count() as f64;
        dataset.floor = dataset.floor.map(|floor| floor * (characters / dataset.validation.len() as f64));
        dataset.long_enough(tokenizer.unit(), block_size)?;
        Ok(dataset)
    }

    /// Mean loss in nats per token → bits per byte, by which models with different tokenizers compare:
    /// (bits per token)·(tokens per byte) on the validation part.
    ///
    /// # Errors
    /// If the ids are in a file that can no longer be read.
    pub fn bits_per_byte(&self, loss: f64, tokenizer: &Tokenizer) -> Result<f64> {
        let bytes = match self.validation_bytes {
            Some(bytes) => bytes,
            None => self.count_bytes(tokenizer)?,
        };
        Ok(loss / std::f64::consts::LN_2 * self.validation.len() as f64 / bytes as f64)
    }

    /// The length of the text that the ids of the validation part stand for.
    fn count_bytes(&self, tokenizer: &Tokenizer) -> Result<u64> {
        let (mut bytes, mut ids) = (0, Vec::new());
        for start in (0..self.validation.len()).step_by(DECODED) {
            ids.clear();
            self.validation.copy(start, DECODED.min(self.validation.len() - start), &mut ids)?;
            bytes += tokenizer.bytes_of(&ids) as u64;
        }
        Ok(bytes)
    }

    pub(super) fn long_enough(&self, unit: &str, block_size: usize) -> Result<()> {
        let window = block_size + 1;
        for (part, tokens) in [("training", &self.train), ("validation", &self.validation)] {
            if tokens.len() < window {
                let longest = self.train.len().min(self.validation.len()).saturating_sub(1);
                let smaller = match longest {
                    0 => String::new(),
                    longest => format!(", or train a model of a context of at most --block_size {longest}"),
                };
                return Err(Error::new(format!(
                    "the {part} part of this text is too short: it has {} {unit}s, but one window of \
                     block_size {block_size} and the token after it takes {window}",
                    tokens.len(),
                ))
                .in_file(&self.name)
                .at(format!("the {part} part"))
                .way_out(format!("take a longer text (about {} {unit}s at least){smaller}", 10 * window)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokenizer::TokenizerKind;
    use super::*;

    fn dataset(text: &str, block_size: usize) -> Result<Dataset> {
        let text = Text::new("corpus.txt", text.to_string());
        let tokenizer = Tokenizer::for_text(TokenizerKind::Char, text.content());
        Dataset::new(&text, &tokenizer, block_size)
    }

    #[test]
    fn both_parts_are_encoded() {
        let dataset = dataset(&"ab".repeat(50), 4).unwrap();
        assert_eq!((dataset.train.len(), dataset.validation.len()), (90, 10));
        let mut window = Vec::new();
        dataset.validation.copy(3, 4, &mut window).unwrap();
        assert_eq!(window, [1, 0, 1, 0]);
    }

    #[test]
    fn a_text_shorter_than_a_window_is_refused_with_both_numbers() {
        let message = dataset(&"ab".repeat(50), 10).unwrap_err().to_string();
        assert!(message.contains("corpus.txt, the validation part: "), "{message}");
        assert!(message.contains("it has 10 characters") && message.contains("takes 11"), "{message}");
        assert!(message.contains("--block_size 9") && message.contains("about 110 characters"), "{message}");
        assert!(dataset(&"ab".repeat(50), 9).is_ok());
        assert!(dataset("a", 4).unwrap_err().to_string().contains("the training part"));
    }

    #[test]
    fn an_unknown_character_is_placed_in_the_whole_text() {
        let text = Text::new("corpus.txt", format!("{}é", "a\n".repeat(10)));
        let tokenizer = Tokenizer::for_text(TokenizerKind::Char, "a\n");
        let message = Dataset::new(&text, &tokenizer, 1).unwrap_err().to_string();
        assert!(message.contains("corpus.txt: ") && message.contains("'é' (U+00E9) at line 11"), "{message}");
    }

    /// Of 200 characters 20 are validation: 20 tokens by characters, 40 by bytes, and the same 20·0.7 nats in all.
    #[test]
    fn the_floor_is_per_token() {
        let text = Text::new("corpus.txt", "é".repeat(200)).with_floor(0.7);
        for (kind, floor) in [(TokenizerKind::Char, 0.7), (TokenizerKind::Byte, 0.35)] {
            let tokenizer = Tokenizer::for_text(kind, text.content());
            let found = Dataset::new(&text, &tokenizer, 4).unwrap().floor.expect("a floor");
            assert!((found - floor).abs() < 1e-12, "{kind:?}: {found} nats a token instead of {floor}");
        }
    }
}
