//! What a trainer must remember, besides the numbers in the tensors, to go on as if it had never stopped.

use super::config::TrainConfig;
use crate::data::dataset::Dataset;
use crate::error::{Error, Result};
use crate::random::{Position, Purpose};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of a training run after `step` updates: the content of `trainer.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainerState {
    /// The number of updates that are done.
    pub step: usize,
    /// How far each stream of random numbers has been read.
    pub generators: BTreeMap<Purpose, Position>,
    /// The lowest estimate of the validation loss so far, and the step at which it was.
    pub best: Option<Best>,
    /// The text that is trained on.
    pub data: DataIdentity,
    /// What the run was told.
    pub config: TrainConfig,
    /// The number of updates after which it last went on with other flags than before, if it ever did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<usize>,
}

/// The best weights of a run: those whose validation loss was [estimated](super::trainer::Trainer::estimate_loss) lowest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The estimate, in nats per token. (The last step's loss in `metrics.jsonl` is that of the whole part.)
    pub val_loss: f64,
    /// The number of updates that were done.
    pub step: usize,
}

/// What a text is recognised by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataIdentity {
    /// What the text is called.
    pub name: String,
    /// The number of tokens to train on.
    pub train_tokens: usize,
    /// The number of tokens for validation.
    pub validation_tokens: usize,
    /// A hash of the text.
    pub fingerprint: String,
}

impl DataIdentity {
    /// The identity of a text.
    pub fn of(dataset: &Dataset) -> Self {
        DataIdentity {
            name: dataset.name.clone(),
            train_tokens: dataset.train.len(),
            validation_tokens: dataset.validation.len(),
            fingerprint: dataset.fingerprint.clone(),
        }
    }

    /// Checks that a run that was trained on this text would go on with the same one.
    ///
    /// # Errors
    /// If the text has changed: the batches would not be those of an uninterrupted run.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        let now = Self::of(dataset);
        if (DataIdentity { name: now.name.clone(), ..self.clone() }) == now {
            return Ok(());
        }
        Err(Error::new(format!(
            "this is not the text that the run was trained on: that was {}, with {} tokens; this has {}",
            self.name,
            self.train_tokens + self.validation_tokens,
            now.train_tokens + now.validation_tokens,
        ))
        .in_file(&dataset.name)
        .way_out("resume with the original text, or start a new run in another --out_dir"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::text::Text;
    use crate::data::tokenizer::{Tokenizer, TokenizerKind};

    fn dataset(content: String) -> Dataset {
        let text = Text::new("corpus.txt", content);
        Dataset::new(&text, &Tokenizer::for_text(TokenizerKind::Char, text.content()), 4).unwrap()
    }

    #[test]
    fn fewer_tokens_of_the_same_text_are_recognised_and_another_name_does_not_matter() {
        let original = dataset("abcdefgh".repeat(20));
        let identity = DataIdentity::of(&original);
        assert!(identity.check(&Dataset { name: "moved.txt".into(), ..original.clone() }).is_ok());
        let (train, _) = original.train.split_at(143);
        let message = identity.check(&Dataset { train, ..original.clone() }).unwrap_err().to_string();
        assert!(message.contains("with 160 tokens; this has 159"), "{message}");
        let (validation, train) = (original.train.clone(), original.validation.clone());
        assert!(
            identity.check(&Dataset { train, validation, ..original }).is_err(),
            "as many, split elsewhere"
        );
    }

    #[test]
    fn a_changed_text_is_recognised() {
        let original = dataset("abcdefgh".repeat(20));
        let identity = DataIdentity::of(&original);
        assert!(identity.check(&original).is_ok());
        let message = identity.check(&dataset("abcdefgi".repeat(20))).unwrap_err().to_string();
        assert!(
            message.contains("corpus.txt: this is not the text") && message.contains("way out"),
            "{message}"
        );
    }
}
