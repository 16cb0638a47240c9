//! Byte-pair encoding, and whatever else a `tokenizer.json` of Hugging Face can say, by the crate `tokenizers`.
//!
//! `bpe:N` is GPT-2's kind: a text is cut into words with the space before them, words into bytes, and then the pair of
//! neighbours that is most frequent in the training text becomes one token, again and again until there are N.
//!
//! Reference: R. Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016;
//! A. Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, §2.2.

use super::json::byte_characters;
use crate::data::pieces::pieces;
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Mutex;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{DecoderWrapper, Tokenizer};

/// The most ids without a token that a vocabulary may have.
const MOST_UNUSED: usize = 1 << 16;

/// A tokenizer of pieces of words.
#[derive(Debug, Clone)]
pub struct Subword {
    tokenizer: Tokenizer,
    json: Value,
    /// One above the largest id.
    vocab_size: usize,
    /// What each token stands for, where that is the same bytes wherever it stands.
    bytes: Option<Vec<Vec<u8>>>,
}

impl PartialEq for Subword {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl Eq for Subword {}

impl Subword {
    /// Byte-pair encoding with `n` tokens, or as many as the text has pairs for.
    pub(super) fn train(n: usize, text: impl Iterator<Item = Result<String>> + Send) -> Result<Self> {
        let byte_level = || ByteLevel::new(false, true, true);
        let mut tokenizer = Tokenizer::new(BPE::default());
        tokenizer.with_pre_tokenizer(Some(byte_level())).with_decoder(Some(byte_level()));
        let trainer = BpeTrainer::builder()
            .vocab_size(n)
            .show_progress(false)
            .initial_alphabet(byte_characters().into_iter().collect())
            .build();
        // The first piece that cannot be read ends the text, and is the error.
        let failed = Mutex::new(None);
        let whole = text.map_while(|piece| match (piece, failed.lock()) {
            (Ok(piece), _) => Some(piece),
            (Err(error), Ok(mut failed)) => {
                *failed = Some(error);
                None
            }
            (Err(_), Err(_)) => None,
        });
        let trained = tokenizer.train(&mut TrainerWrapper::from(trainer), whole).map(|_| ());
        if let Ok(Some(error)) = failed.into_inner() {
            return Err(error);
        }
        trained.map_err(|error| Error::new(error.to_string()).at("--tokenizer"))?;
        Self::of(tokenizer)
    }

    pub(super) fn from_json(value: &Value) -> Result<Self> {
        let tokenizer = serde_json::from_value::<Tokenizer>(value.clone()).map_err(|error| {
            Error::new(format!("the crate `tokenizers` cannot read this: {error}")).at(field_of(value))
        })?;
        Self::of(tokenizer)
    }

    fn of(mut tokenizer: Tokenizer) -> Result<Self> {
        let wrong = |error: tokenizers::Error| Error::new(error.to_string());
        let vocab_size = vocab_size_of(&tokenizer)?;
        let json = serde_json::to_value(&tokenizer).map_err(|error| Error::new(error.to_string()))?;
        // A model reads windows of its own length, not texts cut or filled up to a fixed one.
        tokenizer.with_truncation(None).map_err(wrong)?.with_padding(None);
        let byte_level = matches!(tokenizer.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        let bytes = byte_level.then(|| bytes_of_tokens(&tokenizer, vocab_size));
        Ok(Subword { tokenizer, json, vocab_size, bytes })
    }

    pub(super) fn to_json(&self) -> Value {
        self.json.clone()
    }

    pub(super) fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Without the tokens that a model may want before and after a text.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<usize>> {
        let mut ids = Vec::new();
        for piece in pieces(text) {
            let encoding = self.tokenizer.encode_fast(piece, false);
            let encoding = encoding.map_err(|error| {
                Error::new(format!("the tokenizer cannot write this text: {error}"))
                    .way_out("take a tokenizer that can write any text, such as --tokenizer byte")
            })?;
            ids.extend(encoding.get_ids().iter().map(|&id| id as usize));
        }
        Ok(ids)
    }

    /// The text of a token on its own; of a part of a character, its bytes.
    pub(super) fn token(&self, id: usize) -> String {
        let Some(bytes) = self.bytes(id) else {
            return self.tokenizer.id_to_token(id as u32).unwrap_or_default();
        };
        match str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect(),
        }
    }

    /// What the token stands for, where that does not depend on the tokens before it.
    pub(super) fn bytes(&self, id: usize) -> Option<&[u8]> {
        self.bytes.as_ref().map(|bytes| bytes[id].as_slice())
    }

    pub(super) fn decode(&self, ids: &[usize]) -> String {
        let ids: Vec<u32> = ids.iter().map(|&id| id as u32).collect();
        self.tokenizer.decode(&ids, false).unwrap_or_else(|_| "\u{fffd}".into())
    }
}

/// One above the largest id. Ids may have gaps, but a model has a row for each number up to it, used or not.
fn vocab_size_of(tokenizer: &Tokenizer) -> Result<usize> {
    let wrong = |what: String| Err(Error::new(what).at("field model.vocab"));
    let tokens = tokenizer.get_vocab(true);
    let Some(&largest) = tokens.values().max() else { return wrong("the tokenizer has no tokens".into()) };
    if largest as usize > tokens.len() + MOST_UNUSED {
        return wrong(format!("the largest id is {largest}, though there are only {} tokens", tokens.len()));
    }
    Ok(largest as usize + 1)
}

/// Each token is written in GPT-2's stand-ins for bytes, or (an added one) as the text that it is.
fn bytes_of_tokens(tokenizer: &Tokenizer, vocab_size: usize) -> Vec<Vec<u8>> {
    let stand_ins: HashMap<char, u8> = byte_characters().into_iter().zip(0..=255).collect();
    let bytes = |id| {
        let token = tokenizer.id_to_token(id).unwrap_or_default();
        let bytes: Option<Vec<u8>> =
            token.chars().map(|character| stand_ins.get(&character).copied()).collect();
        bytes.unwrap_or_else(|| token.into_bytes())
    };
    (0..vocab_size as u32).map(bytes).collect()
}

/// The first part of a `tokenizer.json` that is not of its kind, as far as it can be told.
fn field_of(value: &Value) -> String {
    let kinds = ["normalizer", "pre_tokenizer", "post_processor", "decoder", "model"];
    let broken = kinds.iter().find(|&&kind| {
        let part = &value[kind];
        match kind {
            "model" => serde_json::from_value::<tokenizers::ModelWrapper>(part.clone()).is_err(),
            _ if part.is_null() => false,
            "normalizer" => serde_json::from_value::<tokenizers::NormalizerWrapper>(part.clone()).is_err(),
            "pre_tokenizer" => {
                serde_json::from_value::<tokenizers::PreTokenizerWrapper>(part.clone()).is_err()
            }
            "post_processor" => {
                serde_json::from_value::<tokenizers::PostProcessorWrapper>(part.clone()).is_err()
            }
            _ => serde_json::from_value::<DecoderWrapper>(part.clone()).is_err(),
        }
    });
    broken.map_or_else(|| "the tokenizer".to_owned(), |field| format!("field {field}"))
}

#[cfg(test)]
mod tests;
