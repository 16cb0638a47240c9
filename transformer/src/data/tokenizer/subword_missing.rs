//! In place of `subword`, in a program that was built without the feature `tokenizers`.

use crate::error::{Error, Result};
use serde_json::Value;

/// A tokenizer that this program does not have: there is no value of this type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subword {}

/// What is missing, and how to get it.
fn missing(what: &str) -> Error {
    Error::new(format!("{what} needs the feature `tokenizers`, without which this program was built"))
        .way_out("build it with the feature: cargo run --release --features tokenizers -- …")
}

impl Subword {
    pub(super) fn train(n: usize, _: impl Iterator<Item = Result<String>> + Send) -> Result<Self> {
        Err(missing(&format!("bpe:{n}")).at("--tokenizer"))
    }

    pub(super) fn from_json(_: &Value) -> Result<Self> {
        Err(missing("this tokenizer"))
    }

    pub(super) fn to_json(&self) -> Value {
        match *self {}
    }

    pub(super) fn vocab_size(&self) -> usize {
        match *self {}
    }

    pub(super) fn encode(&self, _: &str) -> Result<Vec<usize>> {
        match *self {}
    }

    pub(super) fn token(&self, _: usize) -> String {
        match *self {}
    }

    pub(super) fn bytes(&self, _: usize) -> Option<&[u8]> {
        match *self {}
    }

    pub(super) fn decode(&self, _: &[usize]) -> String {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tokenizer;
    use serde_json::json;

    #[test]
    fn what_needs_the_feature_says_so() {
        let mut value = Tokenizer::Bytes.to_json();
        value["model"]["merges"] = json!([["t", "h"]]);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        std::fs::write(&path, value.to_string()).unwrap();
        let of_file = Tokenizer::load(&path).unwrap_err().to_string();
        assert!(of_file.contains("tokenizer.json, field model.merges: "), "{of_file}");
        let trained = Tokenizer::train(300, std::iter::empty()).unwrap_err().to_string();
        assert!(trained.contains("--tokenizer: bpe:300 needs the feature `tokenizers`"), "{trained}");
        for message in [of_file, trained] {
            assert!(message.contains("--features tokenizers"), "{message}");
        }
    }
}
