//! What `--tokenizer` names.

use super::{Tokenizer, TokenizerKind};
use crate::error::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

/// How many tokens `bpe:N` can have: at least one beyond the 256 bytes, at most as many as 16 bits can number.
pub const BPE: RangeInclusive<usize> = 257..=65_536;

/// Which tokenizer to make, or to read. It is written, and saved, as on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Choice {
    /// `char`, `byte` or `jamo`
    BuiltIn(TokenizerKind),
    /// `bpe:N`: byte-pair encoding with N tokens, learned from the training part
    Bpe(usize),
    /// `FILE.json`: any tokenizer of Hugging Face
    File(PathBuf),
}

impl Choice {
    /// Whether a tokenizer is the one that is named, or of the kind that is.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn is(&self, tokenizer: &Tokenizer) -> Result<bool> {
        Ok(match self {
            Choice::File(path) => Tokenizer::load(path)? == *tokenizer,
            Choice::Bpe(_) => matches!(tokenizer, Tokenizer::Subword(_)),
            Choice::BuiltIn(TokenizerKind::Char) => matches!(tokenizer, Tokenizer::Characters(_)),
            Choice::BuiltIn(TokenizerKind::Byte) => matches!(tokenizer, Tokenizer::Bytes),
            Choice::BuiltIn(TokenizerKind::Jamo) => matches!(tokenizer, Tokenizer::Jamo(_)),
        })
    }
}

impl Default for Choice {
    fn default() -> Self {
        Choice::BuiltIn(TokenizerKind::default())
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if let Ok(kind) = TokenizerKind::from_str(text, false) {
            return Ok(Choice::BuiltIn(kind));
        }
        if let Some(n) = text.strip_prefix("bpe:") {
            let (least, most) = (BPE.start(), BPE.end());
            return match n.parse() {
                Ok(n) if BPE.contains(&n) => Ok(Choice::Bpe(n)),
                _ => Err(format!("give bpe:N with a whole number N from {least} to {most}")),
            };
        }
        if text.ends_with(".json") {
            return Ok(Choice::File(text.into()));
        }
        Err("give char, byte, jamo, bpe:N or the path of a tokenizer.json".into())
    }
}

impl TryFrom<String> for Choice {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse().map_err(|error| format!("the tokenizer {text:?} is unknown: {error}"))
    }
}

impl From<Choice> for String {
    fn from(choice: Choice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::BuiltIn(kind) => {
                kind.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
            }
            Choice::Bpe(n) => write!(f, "bpe:{n}"),
            Choice::File(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_on_the_command_line_and_in_json() {
        for text in ["char", "byte", "jamo", "bpe:257", "bpe:65536", "hf/gpt2/tokenizer.json"] {
            let choice: Choice = text.parse().unwrap();
            assert_eq!(choice.to_string(), text);
            let json = serde_json::to_string(&choice).unwrap();
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<Choice>(&json).unwrap(), choice);
        }
    }

    #[test]
    fn a_number_out_of_range_and_an_unknown_name_are_refused() {
        for n in ["256", "65537", "0", "-1", "many", "", "99999999999999999999"] {
            let message = format!("bpe:{n}").parse::<Choice>().unwrap_err();
            assert!(message.contains("from 257 to 65536"), "{n}: {message}");
        }
        assert!("chars".parse::<Choice>().unwrap_err().contains("give char, byte, jamo, bpe:N"));
    }
}
