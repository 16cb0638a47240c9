//! `tokenizer.json`, the format of Hugging Face's `tokenizers`, so that `Tokenizer.from_file` and `AutoTokenizer` load
//! what this program saves, and give the same ids.
//!
//! - Characters: a `WordLevel` model, whose words a `Split` pre-tokenizer makes one character long; the decoder `Fuse`
//!   joins them without spaces. An unknown character is an error there as it is here, for `<unk>` has no id.
//! - Bytes: a `BPE` model without merges over GPT-2's 256 stand-in characters. GPT-2 writes each byte as a printable
//!   character: the 188 printable ones of Latin-1 stand for themselves, the other 68 get U+0100, U+0101, … in order.
//! - Jamo: as characters, with the normalizer `NFD`. There is no decoder that composes them again: in Python,
//!   `unicodedata.normalize("NFC", text)` does.
//! - Everything else is read by the crate `tokenizers`, with the feature of that name.
//!
//! Reference: A. Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, §2.2;
//! the format is described at <https://huggingface.co/docs/tokenizers>.

use super::{Characters, Subword, Tokenizer};
use crate::error::{Error, Result};
use crate::files;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// What a reader of an unreadable `tokenizer.json` can do.
const WAY_OUT: &str = "use the tokenizer.json that `train` wrote into the run directory";
/// The longest `tokenizer.json` that is read, in bytes. Those of the largest vocabularies have 35 MB.
const LONGEST: u64 = 1 << 28;

impl Tokenizer {
    /// Saves the tokenizer at `path`, atomically.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        files::write_json(path, &self.to_json())
    }

    /// Reads a tokenizer: one that [`save`](Self::save) wrote, or with the feature `tokenizers` any of Hugging Face's.
    ///
    /// # Errors
    /// If the file cannot be read, is not JSON, or holds a tokenizer of another kind; the message names the field.
    pub fn load(path: &Path) -> Result<Self> {
        let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
        if size > LONGEST {
            let what = format!("{size} bytes are no tokenizer: the longest have {LONGEST}");
            return Err(Error::new(what).in_file(path).way_out(WAY_OUT));
        }
        let value: Value = files::read_json(path, WAY_OUT)?;
        let own = match Self::from_json(&value) {
            Ok(tokenizer) => return Ok(tokenizer),
            Err(error) => error,
        };
        let theirs = Subword::from_json(&value).map(|subword| Tokenizer::Subword(Box::new(subword)));
        theirs.map_err(|error| match cfg!(feature = "tokenizers") {
            true => error.in_file(path).way_out(WAY_OUT),
            false => own.in_file(path).way_out(format!(
                "{WAY_OUT}; to read any tokenizer of Hugging Face's, build this program with a feature: \
                 cargo run --release --features tokenizers -- …"
            )),
        })
    }

    /// The tokenizer as the content of a `tokenizer.json`.
    pub fn to_json(&self) -> Value {
        let (model, pre_tokenizer, decoder) = match self {
            Tokenizer::Subword(subword) => return subword.to_json(),
            Tokenizer::Characters(characters) | Tokenizer::Jamo(characters) => (
                json!({ "type": "WordLevel", "vocab": vocabulary(characters.iter()), "unk_token": "<unk>" }),
                single_characters(),
                json!({ "type": "Fuse" }),
            ),
            Tokenizer::Bytes => (
                json!({
                    "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                    "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                    "vocab": vocabulary(byte_characters().into_iter()), "merges": [],
                }),
                byte_level(),
                byte_level(),
            ),
        };
        let normalizer = match self {
            Tokenizer::Jamo(_) => json!({ "type": "NFD" }),
            _ => Value::Null,
        };
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": decoder, "model": model,
        })
    }

    /// Reads the content of a `tokenizer.json`.
    ///
    /// # Errors
    /// If it is not one of the built-in tokenizers, of single characters or bytes; the message names the field.
    pub fn from_json(value: &Value) -> Result<Self> {
        let model = &value["model"];
        let normalizer = match &value["normalizer"] {
            Value::Null => None,
            normalizer => Some(text(normalizer, "normalizer.type", "type")?),
        };
        if value["added_tokens"].as_array().is_some_and(|tokens| !tokens.is_empty()) {
            return Err(Error::new("a tokenizer with added tokens is none of those that are built in")
                .at("field added_tokens"));
        }
        match text(model, "model.type", "type")? {
            "WordLevel" => {
                expect(&value["pre_tokenizer"], "pre_tokenizer.type", "type", "Split")?;
                if value["pre_tokenizer"] != single_characters() {
                    let message = "a text is not cut into its single characters by this";
                    return Err(Error::new(message).at("field pre_tokenizer"));
                }
                let characters = Characters::in_order(characters_by_id(&model["vocab"])?);
                match normalizer {
                    None => Ok(Tokenizer::Characters(characters)),
                    Some("NFD") => Ok(Tokenizer::Jamo(characters)),
                    Some(other) => {
                        Err(Error::new(format!("the normalizer {other:?} cannot be read; NFD can"))
                            .at("field normalizer.type"))
                    }
                }
            }
            "BPE" => {
                expect(&value["pre_tokenizer"], "pre_tokenizer.type", "type", "ByteLevel")?;
                if model["merges"].as_array().is_some_and(|merges| !merges.is_empty()) {
                    let message = "a tokenizer with merges is none of those that are built in";
                    return Err(Error::new(message).at("field model.merges"));
                }
                if let Some(other) = normalizer {
                    return Err(Error::new(format!("the normalizer {other:?} cannot be read here"))
                        .at("field normalizer.type"));
                }
                if characters_by_id(&model["vocab"])? != byte_characters() {
                    let message = "these are not the 256 bytes in order, as GPT-2 writes them";
                    return Err(Error::new(message).at("field model.vocab"));
                }
                Ok(Tokenizer::Bytes)
            }
            other => Err(Error::new(format!(
                "a tokenizer of type {other:?} cannot be read; WordLevel and BPE can"
            ))
            .at("field model.type")),
        }
    }
}

/// Any character, a line's end too, is a word of its own.
fn single_characters() -> Value {
    json!({ "type": "Split", "pattern": { "Regex": "[\\s\\S]" }, "behavior": "Isolated", "invert": false })
}

fn byte_level() -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false })
}

/// GPT-2's printable stand-in for each byte, in the order of the bytes.
pub(super) fn byte_characters() -> Vec<char> {
    let mut next = 0x100..;
    (0..=255u8)
        .map(|byte| match byte {
            b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
            _ => next.next().and_then(char::from_u32).expect("U+0100 to U+0143 are characters"),
        })
        .collect()
}

/// `{"a": 0, "b": 1, …}`
fn vocabulary(characters: impl Iterator<Item = char>) -> Map<String, Value> {
    characters.enumerate().map(|(id, character)| (character.to_string(), json!(id))).collect()
}

/// The characters of a vocabulary in the order of their ids, which must be 0, 1, 2, … without a gap.
fn characters_by_id(vocab: &Value) -> Result<Vec<char>> {
    let wrong = |what: String| Error::new(what).at("field model.vocab");
    let entries = vocab.as_object().ok_or_else(|| wrong("the vocabulary is missing".into()))?;
    let mut by_id: Vec<Option<char>> = vec![None; entries.len()];
    for (token, id) in entries {
        let mut characters = token.chars();
        let (Some(character), None) = (characters.next(), characters.next()) else {
            return Err(wrong(format!("the token {token:?} is not a single character")));
        };
        let slot = id.as_u64().and_then(|id| by_id.get_mut(id as usize));
        match slot {
            Some(slot @ None) => *slot = Some(character),
            _ => {
                let message = format!(
                    "the id {id} of {token:?} is not a whole number below {} that no other token has",
                    entries.len()
                );
                return Err(wrong(message));
            }
        }
    }
    Ok(by_id.into_iter().flatten().collect())
}

fn text<'v>(object: &'v Value, place: &str, field: &str) -> Result<&'v str> {
    object[field].as_str().ok_or_else(|| Error::new("the field is missing").at(format!("field {place}")))
}

fn expect(object: &Value, place: &str, field: &str, expected: &str) -> Result<()> {
    match text(object, place, field)? {
        found if found == expected => Ok(()),
        found => Err(Error::new(format!("{found:?} cannot be read here; {expected:?} can"))
            .at(format!("field {place}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::TokenizerKind;
    use super::*;
    use proptest::prelude::*;

    fn error(value: Value) -> String {
        Tokenizer::from_json(&value).unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn a_saved_tokenizer_is_read_back_as_it_was(text in any::<String>()) {
            for kind in [TokenizerKind::Char, TokenizerKind::Byte, TokenizerKind::Jamo] {
                let tokenizer = Tokenizer::for_text(kind, &text);
                let written = tokenizer.to_json().to_string();
                let read = Tokenizer::from_json(&serde_json::from_str(&written).unwrap());
                prop_assert_eq!(read.unwrap(), tokenizer);
            }
        }
    }

    #[test]
    fn the_bytes_are_written_as_gpt_2_writes_them() {
        let characters = byte_characters();
        assert_eq!(characters.len(), 256);
        assert_eq!(characters[usize::from(b' ')], 'Ġ');
        assert_eq!(characters[usize::from(b'\n')], 'Ċ');
        assert_eq!(characters[usize::from(b'A')], 'A');
        assert_eq!(characters[0xad], 'Ń');
    }

    #[test]
    fn a_tokenizer_of_another_kind_is_refused_by_its_field() {
        let mut value = Tokenizer::for_text(TokenizerKind::Char, "ab").to_json();
        value["model"]["type"] = json!("Unigram");
        let message = error(value);
        assert!(message.contains("field model.type") && message.contains("Unigram"), "{message}");

        let mut value = Tokenizer::for_text(TokenizerKind::Char, "ab").to_json();
        value["pre_tokenizer"] = json!({ "type": "Whitespace" });
        let message = error(value);
        assert!(message.contains("field pre_tokenizer.type") && message.contains("Whitespace"), "{message}");

        for (field, other) in [("pattern", json!({ "String": "a" })), ("behavior", json!("Removed"))] {
            let mut value = Tokenizer::for_text(TokenizerKind::Char, "ab").to_json();
            value["pre_tokenizer"][field] = other;
            let message = error(value);
            assert!(message.contains("field pre_tokenizer: a text is not cut"), "{message}");
        }

        let mut value = Tokenizer::Bytes.to_json();
        value["model"]["merges"] = json!([["t", "h"]]);
        assert!(error(value).contains("field model.merges"));

        let mut value = Tokenizer::Bytes.to_json();
        value["model"]["vocab"] = json!({ "a": 0 });
        assert!(error(value).contains("not the 256 bytes"));
    }

    #[test]
    fn a_vocabulary_with_gaps_twins_or_words_is_refused() {
        let with_vocab = |vocab: Value| {
            let mut value = Tokenizer::for_text(TokenizerKind::Char, "ab").to_json();
            value["model"]["vocab"] = vocab;
            error(value)
        };
        for vocab in
            [json!({ "a": 0, "b": 2 }), json!({ "a": 0, "b": 0 }), json!({ "a": -1 }), json!({ "a": "0" })]
        {
            let message = with_vocab(vocab);
            assert!(message.contains("field model.vocab: the id "), "{message}");
        }
        assert!(with_vocab(json!({ "the": 0 })).contains("\"the\" is not a single character"));
        assert!(with_vocab(json!(null)).contains("the vocabulary is missing"));
    }

    #[test]
    fn every_prefix_of_a_saved_tokenizer_is_an_error_that_names_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        Tokenizer::for_text(TokenizerKind::Char, "ab한").save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() - 1 {
            std::fs::write(&path, &whole[..length]).unwrap();
            let message = Tokenizer::load(&path).unwrap_err().to_string();
            assert!(message.contains("tokenizer.json") && message.contains("way out"), "{length}: {message}");
        }
    }
}
